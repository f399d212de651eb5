//! A project's files: `migrate.toml` and the migration directories, as the model sees them.
//!
//! Reading files is the only I/O. Loading reports everything that is wrong, each problem with its
//! file, line, column and what to write instead; warnings do not stop it.
//!
//! Invariant: a [`Project`] that was loaded strictly has no errors. In one that was loaded as far as possible, a migration
//! whose files are not in order is kept apart from the others, with what is wrong: [`Flaws`].

mod aliases;
mod allowances;
mod backfill;
mod bases;
mod change;
mod checks;
mod config;
mod counts_on;
mod database;
mod definitions;
mod depth;
mod directory;
mod doubts;
mod dumped;
mod duration;
mod examined;
mod files;
mod finding;
mod fingerprint;
mod fired;
mod flaws;
mod fleet;
mod kept;
mod later;
mod ledger;
mod links;
mod lint;
mod listing;
mod made;
mod manifest;
mod mentions;
mod migration;
mod named_twice;
mod nature;
#[cfg(feature = "http")]
mod notify;
mod order;
mod password;
mod places;
mod policy;
mod priced;
mod probes;
mod problem;

mod query;
mod question;
mod ranges;
mod reader;
mod rehearsal;
mod revisions;
mod rollout;
mod room;
mod row;
mod row_writes;
mod rules;
mod runner;
mod schema;
mod scripts;
mod secret;
mod section;
mod sequences;
mod service;
mod settings;
mod severity;
mod silenced;
mod source;
mod surroundings;
mod syntax;
#[cfg(test)]
mod tests;
mod this;
mod threads;
mod touched;
mod unknown;
mod vouching;

use std::path::{Path, PathBuf};

use crate::model::{Declaration, MigrationId};

pub use crate::model::LeaseConnection;
pub use aliases::Alias;
pub use backfill::{BackfillRules, BatchRules, Pace, ThrottleRules};
pub use change::{DeclaredChange, Ground, Rewriting};
pub use config::{CONFIG_FILE, Config};
pub use database::{DatabaseConfig, DialectsFrom};
pub use depth::Depth;
pub use directory::is_unwritten;
pub use doubts::Section;
pub use files::{BackfillFile, Files, Revisions, ScriptFile, Seen};
pub use flaws::{Broken, Flaws};
pub use fleet::{FleetConfig, LONGEST_COORDINATOR_LEASE, SourceConfig};
pub use links::Links;
pub use lint::LintConfig;
pub use made::{Sign, Trace};
pub use manifest::{ContractRules, MANIFEST_FILE, Recheck, UnusedRule};
pub use migration::Migration;
pub use nature::{Nature, without_its_own};
#[cfg(feature = "http")]
pub use notify::{NotifyConfig, Occasion, Shape};
pub use password::PasswordConfig;
pub use policy::{PolicyConfig, is_object_name};
pub use priced::Priced;
pub use probes::{Probed, Probes};
pub use problem::{Location, Problem, Problems};
pub use query::Query;
pub use question::{OPEN, waits_for_a_release};
pub use rehearsal::RehearsalConfig;
pub use revisions::text_of;
pub use rollout::{OnFailure, RolloutConfig};
pub use rules::{Excess, RULES, Rule, beyond_expand, rule, rule_of};
pub use schema::Schema;
pub use service::ServiceConfig;
pub use severity::Severity;
pub use source::FileRef;
pub use touched::{Changed, Touched};
pub use unknown::UnknownMigration;
pub use vouching::to_vouch_for;

pub use bases::Bases;

use bases::Deeds;
use directory::Directory;
use later::Forward;
use listing::Listing;
use migration::Loaded;
use runner::Known;
use settings::Settings;
use source::Source;
use surroundings::Surroundings;

/// Everything that a project's files say.
#[derive(Clone, Debug)]
pub struct Project {
    pub root: PathBuf,
    pub config: Config,
    /// In the order of their numbers.
    pub migrations: Vec<Migration>,
    /// What looks wrong and does not stop anything.
    pub warnings: Vec<Problem>,
    /// What is wrong, and stops whoever needs it; nothing in a project that was loaded strictly.
    pub flaws: Flaws,
    /// How much of the files all this rests on.
    pub depth: Depth,
    /// The migrations that change what an earlier one keeps until its contract.
    pub bases: Bases,
}

/// What migrate.toml says and which files there are, before any migration is judged.
struct Listed {
    settings: Settings,
    listing: Listing,
}

/// A project's files as they were read, before anybody asks whether they are in order.
struct Read {
    /// Of migrate.toml and the URL given from outside.
    settings: Vec<Problem>,
    config: Config,
    listing: Listing,
    migrations: Vec<Loaded>,
    bases: Bases,
}

impl Listed {
    fn of(dir: &Path, url_override: Option<&str>) -> Self {
        let settings = Settings::read(dir, url_override);
        // Only a config that could be read says where the migrations are, and for which database:
        // with guesses instead, one missing quote would bring up a page of untrue problems.
        let listing = if settings.is_readable {
            listing::find_migrations(dir, &settings.config)
        } else {
            Listing::default()
        };
        Self { settings, listing }
    }

    fn read(self, dir: &Path) -> Read {
        let Self {
            settings: Settings {
                config, problems, ..
            },
            mut listing,
        } = self;
        let dialects = &config.database.dialects;
        let known = Known::of(dir, config.runner.as_ref());
        let forward = Forward::of_all(&listing.found, dialects);
        let found = std::mem::take(&mut listing.found);
        let mut migrations = threads::each(found, |index, directory| {
            let around = Surroundings {
                root: dir,
                database: &config.database,
                services: &config.services,
                later: forward.get(index + 1..).unwrap_or_default(),
                all: &forward,
                lint: &config.lint,
                revisions: &known,
                depth: Depth::Whole,
            };
            migration::load(directory, &around)
        });
        named_twice::refuse(&mut migrations);
        let deeds: Vec<Deeds> = migrations
            .iter()
            .map(|loaded| Deeds::of(&loaded.migration, loaded.change.as_ref()))
            .collect();
        let bases = bases::of_all(&deeds, dialects, &forward);
        room::check(dir, &mut migrations, &bases.on_any());
        Read {
            settings: problems,
            listing,
            migrations,
            bases,
            config,
        }
    }
}

impl Read {
    fn of(dir: &Path, url_override: Option<&str>) -> Self {
        Listed::of(dir, url_override).read(dir)
    }
}

/// Where the migrations are and what lies there, before any of them is judged.
fn listed_in(dir: &Path, url_override: Option<&str>) -> Result<(Config, Listing), Problems> {
    let Settings {
        config,
        is_readable,
        problems,
    } = Settings::read(dir, url_override);
    if !is_readable || problems.iter().any(Problem::is_error) {
        return Err(Problems(problems));
    }
    let listing = listing::find_migrations(dir, &config);
    Ok((config, listing))
}

fn errors_first(problems: Vec<Problem>) -> (Vec<Problem>, Vec<Problem>) {
    problems.into_iter().partition(Problem::is_error)
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
        let read = Read::of(dir, url_override);
        let Read {
            settings,
            config,
            listing,
            migrations,
            bases,
        } = read;
        let mut problems = settings;
        problems.extend(listing.problems);
        problems.extend(listing.duplicates.into_values());
        let mut sound = Vec::new();
        for loaded in migrations {
            sound.push(loaded.migration);
            problems.extend(loaded.problems);
        }
        if problems.iter().any(Problem::is_error) {
            return Err(Problems(problems));
        }
        Ok(Self {
            root: dir.to_owned(),
            config,
            migrations: sound,
            warnings: problems,
            flaws: Flaws::default(),
            depth: Depth::Whole,
            bases,
        })
    }

    /// As [`Self::load`], as far as the files can be read: what is wrong with them is kept beside what is
    /// in order, for those who can do without it.
    #[must_use]
    pub fn load_as_far_as_possible(dir: &Path, url_override: Option<&str>) -> Self {
        let Read {
            settings,
            config,
            listing,
            migrations,
            bases,
        } = Read::of(dir, url_override);
        let (mut errors, mut warnings) = errors_first(settings);
        let mut flaws = Flaws::default();
        flaws.settings.append(&mut errors);
        let (mut errors, more) = errors_first(listing.problems);
        flaws.listing.append(&mut errors);
        warnings.extend(more);
        let mut sound = Vec::new();
        for mut loaded in migrations {
            let number = loaded.migration.id().number();
            if let Some(duplicate) = listing.duplicates.get(&number) {
                loaded.problems.push(duplicate.clone());
                loaded.is_declared = false;
            }
            let (errors, more) = errors_first(loaded.problems);
            warnings.extend(more);
            if errors.is_empty() {
                sound.push(loaded.migration);
            } else {
                flaws
                    .migrations
                    .push(Broken::new(loaded.migration, loaded.is_declared, errors));
            }
        }
        Self {
            root: dir.to_owned(),
            config,
            migrations: sound,
            warnings,
            flaws,
            depth: Depth::Whole,
            bases,
        }
    }

    /// What the files declare, without a look at their SQL. `None` where they have to be judged in any case: something is
    /// wrong with them, another tool carries out phases, or there are only a few.
    #[must_use]
    pub fn declared(dir: &Path, url_override: Option<&str>) -> Option<Self> {
        /// With fewer there is nothing to be gained that anybody would notice.
        const LEAST: usize = 64;
        let is_wrong = |problems: &[Problem]| problems.iter().any(Problem::is_error);
        let settings = Settings::read(dir, url_override);
        if !settings.is_readable || settings.config.runner.is_some() || is_wrong(&settings.problems)
        {
            return None;
        }
        let (config, mut warnings) = (settings.config, settings.problems);
        let names = listing::find_names(dir, &config);
        if names.found.len() < LEAST || !names.duplicates.is_empty() || is_wrong(&names.problems) {
            return None;
        }
        warnings.extend(names.problems);
        // Nothing of the others is needed for any of them: what was read of one is put away before the next.
        let known = Known::of(dir, None);
        let around = Surroundings {
            root: dir,
            database: &config.database,
            services: &config.services,
            later: &[],
            all: &[],
            lint: &config.lint,
            revisions: &known,
            depth: Depth::Declared,
        };
        let migrations = threads::each(names.found, |_, (id, path)| {
            let directory = Directory::read(dir, path, id, config.links);
            let loaded = migration::load(directory, &around);
            let deeds = Deeds::of(&loaded.migration, loaded.change.as_ref());
            Box::new((loaded, deeds))
        });
        let mut read = Vec::with_capacity(migrations.len());
        let mut deeds = Vec::with_capacity(migrations.len());
        for one in migrations {
            let (loaded, own) = *one;
            if is_wrong(&loaded.problems) {
                return None;
            }
            warnings.extend(loaded.problems);
            read.push(loaded.migration);
            deeds.push(own);
        }
        // Nothing is open, so that what an index is over is nobody's question.
        let bases = bases::of_all(&deeds, &config.database.dialects, &[]);
        Some(Self {
            root: dir.to_owned(),
            config,
            migrations: read,
            warnings,
            flaws: Flaws::default(),
            depth: Depth::Declared,
            bases,
        })
    }

    /// What `migrate.toml` says, as far as it can be read; no migration is looked at.
    #[must_use]
    pub fn settings(dir: &Path) -> Config {
        Settings::read(dir, None).config
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

    /// The migration with this name, though its files may not be in order: then what they declare is doubtful,
    /// and what they would do has to be refused before.
    #[must_use]
    pub fn as_read(&self, id: &MigrationId) -> Option<&Migration> {
        self.get(id)
            .or_else(|| self.flaws.of(id).map(Broken::as_read))
    }

    /// The migrations of which another migration tool carries out a step, in their order: also those that are not in order, because what
    /// the tool has done of them is done.
    #[must_use]
    pub fn by_revisions(&self, dialect: crate::sql::Dialect) -> Vec<&Migration> {
        let broken = self.flaws.migrations.iter().map(Broken::as_read);
        let all = self.migrations.iter().chain(broken);
        let mut found: Vec<&Migration> = all
            .filter(|migration| !migration.files(dialect).revisions.is_empty())
            .collect();
        found.sort_by_key(|migration| migration.id());
        found
    }

    /// What the migrations declare, as far as that could be read without doubt.
    pub fn declarations(&self) -> impl Iterator<Item = &Declaration> {
        let sound = self
            .migrations
            .iter()
            .map(|migration| &migration.declaration);
        sound.chain(self.flaws.migrations.iter().filter_map(Broken::declared))
    }

    /// Every migration of which there are files, in order.
    pub fn ids(&self) -> impl Iterator<Item = &MigrationId> {
        let sound = self.migrations.iter().map(Migration::id);
        let mut all: Vec<_> = sound
            .chain(self.flaws.migrations.iter().map(Broken::id))
            .collect();
        all.sort();
        all.into_iter()
    }

    /// The newest migration of which there are files; `None` if there are none, and where it is not known which there are.
    #[must_use]
    pub fn newest(&self) -> Option<&MigrationId> {
        let is_known = self.flaws.settings.is_empty() && self.flaws.listing.is_empty();
        self.ids().last().filter(|_| is_known)
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
        self.migrations.iter().find(found).ok_or_else(|| {
            UnknownMigration::among(wanted, self.migrations.iter().map(Migration::id))
        })
    }
}
