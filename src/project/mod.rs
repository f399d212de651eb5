//! A project's files: `migrate.toml` and the migration directories, as the model sees them.
//!
//! Reading files is the only I/O. Loading reports everything that is wrong, each problem with its
//! file, line, column and what to write instead; warnings do not stop it.
//!
//! Invariant: a [`Project`] that exists has no errors, so nothing above has to check files again.

mod allowances;
mod backfill;
mod checks;
mod config;
mod directory;
mod duration;
mod examined;
mod finding;
mod fleet;
mod later;
mod links;
mod manifest;
mod migration;
mod order;
mod problem;
mod ranges;
mod reader;
mod rollout;
mod rules;
mod scripts;
mod secret;
mod source;
mod syntax;
#[cfg(test)]
mod tests;

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use crate::model::MigrationId;

pub use backfill::{BackfillRules, BatchRules, Pace, ThrottleRules};
pub use config::{
    CONFIG_FILE, Config, DatabaseConfig, DialectsFrom, PasswordConfig, ServiceConfig,
};
pub use fleet::{FleetConfig, LeaseConnection, SourceConfig};
pub use links::Links;
pub use manifest::{ContractRules, MANIFEST_FILE, Recheck};
pub use migration::{Files, Migration};
pub use problem::{Location, Problem, Problems, Severity};
pub use rollout::{DriverConfig, RolloutConfig};
pub use scripts::{BackfillFile, ScriptFile};
pub use source::FileRef;

use directory::Directory;
use later::Forward;
use migration::Surroundings;
use problem::{listed, shown};
use source::Source;

/// Everything that a project's files say.
#[derive(Clone, Debug)]
pub struct Project {
    pub root: PathBuf,
    pub config: Config,
    /// In the order of their numbers.
    pub migrations: Vec<Migration>,
    /// What looks wrong and does not stop anything.
    pub warnings: Vec<Problem>,
}

/// What is read of a project.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Whole,
    Settings,
}

impl Project {
    /// Reads and checks a project, for every database that it is for.
    ///
    /// `url_override` takes the place of the URL in `migrate.toml`, and unless `dialects` is
    /// written there, it decides which database the scripts are checked for.
    ///
    /// # Errors
    /// Everything that is wrong with the files, together with the warnings.
    pub fn load(dir: &Path, url_override: Option<&str>) -> Result<Self, Problems> {
        Self::read(dir, url_override, Part::Whole)
    }

    /// As [`Self::load`], without its migrations: for what only the ledger answers, whatever their files say.
    ///
    /// # Errors
    /// Every problem of `migrate.toml` that is an error.
    pub fn load_settings(dir: &Path, url_override: Option<&str>) -> Result<Self, Problems> {
        Self::read(dir, url_override, Part::Settings)
    }

    fn read(dir: &Path, url_override: Option<&str>, part: Part) -> Result<Self, Problems> {
        let source = match Source::read(dir, CONFIG_FILE) {
            Ok(Some(source)) => source,
            Ok(None) => return Err(Problems(vec![missing_config(dir)])),
            Err(problem) => return Err(Problems(vec![problem])),
        };
        let mut problems = Vec::new();
        let read = Config::read(&source);
        let config_is_readable = read.is_some();
        let mut config = read.unwrap_or_default();
        if let Some(url) = url_override {
            problems.extend(config.override_url(url, &shown(dir, CONFIG_FILE)));
        }
        problems.extend(source.into_parts().1);

        let mut migrations = Vec::new();
        // Only a config that could be read says where the migrations are, and for which database:
        // with guesses instead, one missing quote would bring up a page of untrue problems.
        if config_is_readable && part == Part::Whole {
            let directories = find_migrations(dir, &config, &mut problems);
            let dialects = &config.database.dialects;
            let forward: Vec<Forward> = directories
                .iter()
                .map(|directory| Forward::of(directory, dialects))
                .collect();
            for (index, directory) in directories.into_iter().enumerate() {
                let around = Surroundings {
                    root: dir,
                    database: &config.database,
                    services: &config.services,
                    later: forward.get(index + 1..).unwrap_or_default(),
                    all: &forward,
                };
                let (migration, found) = migration::load(directory, &around);
                migrations.extend(migration);
                problems.extend(found);
            }
        }
        let is_error = |problem: &Problem| problem.severity == Severity::Error;
        if problems.iter().any(is_error) {
            return Err(Problems(problems));
        }
        Ok(Self {
            root: dir.to_owned(),
            config,
            migrations,
            warnings: problems,
        })
    }

    /// Where the migrations of the project in `dir` are, as far as its `migrate.toml` can be read;
    /// for adding one to a project that is not in order yet.
    ///
    /// # Errors
    /// It leads out of the project by a link: what is not read from there is not written there either.
    pub fn migrations_dir(dir: &Path) -> Result<PathBuf, Problems> {
        let source = Source::read(dir, CONFIG_FILE).ok().flatten();
        let Some(config) = source.as_ref().and_then(Config::read) else {
            return Ok(dir.to_owned());
        };
        match config.links.refuse(dir, &config.migrations) {
            Some(problem) => Err(Problems(vec![problem])),
            None => Ok(dir.join(config.migrations)),
        }
    }

    /// The migration with this name.
    #[must_use]
    pub fn get(&self, id: &MigrationId) -> Option<&Migration> {
        self.with_number(id.number())
            .filter(|migration| migration.id() == id)
    }

    /// The migration with this number, whatever it is called.
    #[must_use]
    pub fn with_number(&self, number: u64) -> Option<&Migration> {
        let at = self
            .migrations
            .binary_search_by_key(&number, |migration| migration.id().number());
        at.ok().and_then(|at| self.migrations.get(at))
    }

    /// The migration that a user calls `wanted`: `2`, `0002` or its whole name.
    ///
    /// # Errors
    /// There is none; the error names those that may have been meant.
    pub fn find(&self, wanted: &str) -> Result<&Migration, UnknownMigration> {
        let found = |migration: &&Migration| migration.id().is_meant_by(wanted);
        self.migrations
            .iter()
            .find(found)
            .ok_or_else(|| UnknownMigration::new(wanted, &self.migrations))
    }
}

/// A name that no migration has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownMigration {
    pub wanted: String,
    /// Those that may have been meant, most likely first.
    pub near: Vec<String>,
    project_is_empty: bool,
}

impl UnknownMigration {
    fn new(wanted: &str, migrations: &[Migration]) -> Self {
        let lower = wanted.to_lowercase();
        let likeness = |name: &str| strsim::jaro_winkler(&lower, &name.to_lowercase());
        let mut near: Vec<(f64, &str)> = migrations
            .iter()
            .map(|migration| {
                let name = migration.id().as_str();
                let (_, words) = name.split_once('_').unwrap_or(("", name));
                (likeness(name).max(likeness(words)), name)
            })
            .filter(|(likeness, _)| *likeness > 0.7)
            .collect();
        near.sort_by(|(a, _), (b, _)| b.total_cmp(a));
        if near.is_empty() {
            // Nothing is alike; the latest are what is mostly worked on.
            let latest = migrations.iter().rev();
            near = latest
                .map(|migration| (0.0, migration.id().as_str()))
                .collect();
        }
        Self {
            wanted: wanted.chars().take(80).collect(),
            near: near
                .into_iter()
                .take(3)
                .map(|(_, name)| name.to_owned())
                .collect(),
            project_is_empty: migrations.is_empty(),
        }
    }
}

impl fmt::Display for UnknownMigration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "there is no migration `{}`", self.wanted)
    }
}

impl std::error::Error for UnknownMigration {}

impl miette::Diagnostic for UnknownMigration {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new("unknown-migration"))
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        let help = if self.project_is_empty {
            "the project has no migration yet; `migrate new` writes one".to_owned()
        } else {
            let near = listed(self.near.iter().map(String::as_str));
            format!("there is {near}; its number is enough")
        };
        Some(Box::new(help))
    }
}

fn missing_config(dir: &Path) -> Problem {
    if fs::metadata(dir).is_ok_and(|metadata| metadata.is_dir()) {
        Problem::about(
            shown(dir, CONFIG_FILE),
            "missing-config",
            "there is no such file, so this is not a project",
            "change to the project's directory or name it with `-C`; `migrate init` starts a new one",
        )
    } else {
        Problem::about(
            shown(dir, ""),
            "missing-project",
            "there is no such directory",
            "name the directory that `migrate.toml` is in with `-C`",
        )
    }
}

/// The migration directories, in order.
fn find_migrations(root: &Path, config: &Config, problems: &mut Vec<Problem>) -> Vec<Directory> {
    let (within, links) = (config.migrations.as_str(), config.links);
    if let Some(problem) = links.refuse(root, within) {
        problems.push(problem);
        return Vec::new();
    }
    let names = match directory::file_names(&root.join(within)) {
        Ok(names) => names,
        Err(error) => {
            problems.push(Problem::about(
                shown(root, within),
                "unreadable-directory",
                format!("the migrations cannot be listed: {error}"),
                "create the directory, or correct `migrations` in migrate.toml",
            ));
            return Vec::new();
        }
    };
    let mut found: Vec<(MigrationId, String)> = Vec::new();
    for name in names {
        // Everything else beside the migrations is none of our business.
        if !name.starts_with(|c: char| c.is_ascii_digit()) {
            continue;
        }
        let path = match within {
            "" => name.clone(),
            within => format!("{within}/{name}"),
        };
        match fs::metadata(root.join(&path)) {
            Ok(metadata) if metadata.is_dir() => match name.parse() {
                Ok(id) => match links.refuse(root, &path) {
                    Some(problem) => problems.push(problem),
                    None => found.push((id, path)),
                },
                Err(error) => problems.push(bad_name(shown(root, &path), &error)),
            },
            Ok(_) => problems.extend(loose_script(shown(root, &path), &name)),
            Err(error) => problems.push(Problem::about(
                shown(root, &path),
                "unreadable-directory",
                format!("this is named like a migration and cannot be read: {error}"),
                "make it a directory that can be read, or remove it",
            )),
        }
    }
    found.sort();
    check_order(root, &found, problems);
    found
        .into_iter()
        .map(|(id, path)| Directory::read(root, path, id, links))
        .collect()
}

fn bad_name(shown: PathBuf, error: &crate::model::IdError) -> Problem {
    Problem::about(
        shown,
        "bad-migration-name",
        error.to_string(),
        "rename it, with letters, digits, `_` and `-` after the number; or, if it is no migration, let its name begin with something else than a digit",
    )
}

fn loose_script(shown: PathBuf, name: &str) -> Option<Problem> {
    let (stem, _) = name.rsplit_once('.').filter(|(_, end)| *end == "sql")?;
    let problem = Problem::about(
        shown,
        "loose-script",
        "this script is not in a migration's directory and will never be run",
        format!("make a directory of it: `{stem}/expand.sql`, with a `{MANIFEST_FILE}` beside it"),
    );
    Some(problem.into_warning())
}

fn check_order(root: &Path, found: &[(MigrationId, String)], problems: &mut Vec<Problem>) {
    for pair in found.windows(2) {
        let [(before, _), (after, path)] = pair else {
            continue;
        };
        if before.number() == after.number() {
            problems.push(Problem::about(
                shown(root, path),
                "duplicate-number",
                format!("`{after}` has the same number as `{before}`"),
                format!("`migrate renumber {after}` gives it the next free number, or `migrate renumber {before}` that one: renumber the one that no database has applied"),
            ));
        } else if before.as_str() > after.as_str() {
            let problem = Problem::about(
                shown(root, path),
                "text-order-differs",
                format!(
                    "`{after}` comes after `{before}`, but is listed before it by everything that sorts names as text"
                ),
                "write all numbers with the same number of digits",
            );
            problems.push(problem.into_warning());
        }
    }
}
