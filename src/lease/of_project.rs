//! What `migrate.toml` says about a lease.

use std::path::{Path, PathBuf};

use super::credentials::password_of_project;
use super::history::history_of;
use super::{Asked, Known, LeaseBuilder, LeaseError};
use crate::ledger::LeaseRules;
use crate::project::{CONFIG_FILE, Problem, Problems, Project, Section, Severity};

/// What a lease is asked for with, where the application has its project beside it.
///
/// ```
/// use phasegate::{Lease, LeaseBuilder, LeaseBuilderExt as _};
///
/// fn in_its_project(url: &str) -> LeaseBuilder {
///     Lease::builder(url, "web", "1.2.0").project("/srv/shop/migrations")
/// }
/// ```
pub trait LeaseBuilderExt {
    /// The directory of `migrate.toml`: its migrations are known before they are applied, and its
    /// aliases and the terms of its leases hold.
    #[must_use]
    fn project(self, directory: impl Into<PathBuf>) -> Self;
}

impl LeaseBuilderExt for LeaseBuilder {
    fn project(self, directory: impl Into<PathBuf>) -> Self {
        let directory = directory.into();
        self.knowing(move |asked| known(&directory, asked))
    }
}

fn known(directory: &Path, asked: Asked<'_>) -> Result<Known, LeaseError> {
    // Its scripts are those for this database, wherever it is.
    let url = format!("{}://", asked.dialect.name());
    let project = Project::load_as_far_as_possible(directory, Some(&url));
    // A directory without the file is a mistake of whoever names it.
    if !directory.join(CONFIG_FILE).exists() {
        let problems = Problems(project.flaws.settings);
        return Err(LeaseError::Project(in_words(&problems)));
    }
    for problem in project.flaws.problems() {
        tracing::warn!("{}", problem.one_line());
    }
    let services = &project.config.services;
    let is_doubtful = project.config.is_doubtful(Section::Fleet);
    if !is_doubtful && !services.is_empty() && !services.contains_key(asked.service) {
        let known: Vec<&str> = services.keys().map(String::as_str).collect();
        return Err(LeaseError::Terms {
            reason: format!(
                "the service `{}` is not named in migrate.toml, which names {}",
                asked.service,
                known.join(", ")
            ),
        });
    }
    let mut rules = LeaseRules::default();
    for (name, service) in services {
        let known = rules.services.entry(name.clone()).or_default();
        known.names.clone_from(&service.names);
        let least = service.min_ready.map(|least| least.as_millis());
        known.min_ready_ms = least.map(|least| i64::try_from(least).unwrap_or(i64::MAX));
    }
    let service = services.get(asked.service);
    Ok(Known {
        lease: Some(project.config.fleet.lease),
        renew: Some(project.config.fleet.renew),
        connection: Some(project.config.fleet.connection),
        password: password_of_project(&project.config.database, &project.root),
        ledger: project.config.database.ledger.clone(),
        version: project.config.place(asked.service, asked.label).version,
        sources: project.config.other_sources(),
        min_ready: service.and_then(|service| service.min_ready),
        rules,
        pending: project.declarations().cloned().collect(),
        newest: project.newest().cloned(),
        made: project.made(asked.dialect),
        history: history_of(&project, asked.dialect, |text| tracing::warn!("{text}")),
    })
}

fn in_words(problems: &Problems) -> String {
    let errors = problems
        .0
        .iter()
        .filter(|problem| problem.severity == Severity::Error);
    let lines: Vec<String> = errors.map(Problem::one_line).collect();
    format!("{problems}: {}", lines.join("; "))
}
