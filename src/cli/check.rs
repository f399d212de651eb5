//! `migrate check`: the files alone.

use std::path::Path;

use serde_json::json;

use super::args::Global;
use super::failure::Failure;
use super::out::{Out, note};
use super::text::count;
use crate::database::Target;
use crate::project::Project;

pub(super) fn run(global: &Global, out: &Out) -> Result<u8, Failure> {
    let given = global.database_url()?;
    let url = given.as_ref().map(|given| given.url.as_str());
    let project = Project::load(Path::new("."), url)?;
    urls_can_be_used(global, &project)?;
    let databases: Vec<&str> = project
        .config
        .database
        .dialects
        .iter()
        .map(|dialect| dialect.name())
        .collect();
    if out.is_json() {
        out.json(&json!({
            "migrations": project.migrations.len(),
            "databases": databases,
            "problems": [],
            "warnings": project.warnings,
        }));
        return Ok(0);
    }
    for warning in &project.warnings {
        note(&format!("warning: {}", warning.one_line()));
    }
    let migrations = u64::try_from(project.migrations.len()).unwrap_or(u64::MAX);
    out.line(&format!(
        "{} in order, for {}",
        count(migrations, "migration"),
        databases.join(" and ")
    ));
    Ok(0)
}

/// No database is asked; but a URL that every other command would refuse is a mistake in the files.
fn urls_can_be_used(global: &Global, project: &Project) -> Result<(), Failure> {
    let config = &project.config;
    if config.database_url.is_some() {
        super::context::named_target(global, config, &project.root)?;
    }
    for replica in &config.database.replicas {
        Target::parse(replica, &project.root)
            .map_err(|error| Failure::from(error).at("a URL in `replicas`"))?;
    }
    Ok(())
}
