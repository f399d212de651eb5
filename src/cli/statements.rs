//! Statements that somebody has recorded: their files are read for a rehearsal, and the ranges that they propose are shown.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::failure::Failure;
use super::out::Out;
use crate::project::{Migration, Probed, Project};
use crate::rehearse::Derived;
use crate::sql::Dialect;

/// The files of statements that the services name, by their paths.
pub(super) fn recorded(
    project: &Project,
    migration: &Migration,
    root: &Path,
) -> Result<BTreeMap<String, String>, Failure> {
    let mut read = BTreeMap::new();
    let mut keep = |path: &String, named: &dyn Fn() -> String| -> Result<(), Failure> {
        let text = fs::read_to_string(root.join(path)).map_err(|error| {
            Failure::new(format!("{path} cannot be read: {error}")).help(named())
        })?;
        read.insert(path.clone(), text);
        Ok(())
    };
    let probes = migration.probes.values();
    for probed in probes.flat_map(|probes| [&probes.old, &probes.new]) {
        if let Probed::InFile(path) = probed {
            keep(path, &|| {
                format!(
                    "[services.NAME.probes] in {} names it: a file of SQL, by its path from migrate.toml",
                    migration.manifest.path.display()
                )
            })?;
        }
    }
    for (service, config) in &project.config.services {
        for path in config.statements.values() {
            keep(path, &|| {
                format!(
                    "`statements` under [services.{service}] in migrate.toml names it: a file of SQL, by its path from there"
                )
            })?;
        }
    }
    Ok(read)
}

/// Ranges follow from nothing but what somebody has recorded.
pub(super) fn refuse_underivable(project: &Project) -> Result<(), Failure> {
    let mut services = project.config.services.values();
    if services.all(|config| config.statements.is_empty()) {
        return Err(Failure::new(
            "no service has statements of its releases, from which ranges could follow",
        )
        .help(
            "record what each release sends, and name the files in migrate.toml: \
             `statements = { \"1.1.0\" = \"statements/web-1.1.0.sql\" }` under [services.NAME]",
        ));
    }
    Ok(())
}

/// As it can be pasted into migration.toml.
pub(super) fn show_derived(derived: &Derived, database: Dialect, out: &Out) {
    let known = derived.versions.iter().map(|one| one.version.to_string());
    let known: Vec<String> = known.collect();
    out.line(format!(
        "  proposed by what statements of {} need on {}; versions before and after these are taken to be like the first and the last of them:",
        known.join(", "),
        database.title()
    ));
    for line in &derived.proposed {
        out.line(format!("    {line}"));
    }
}
