//! `migrate.toml`: the database, the services that use it, and how the fleet is watched.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::driver::Driver;
use crate::model::{Label, Sequence};
use crate::runner::Runner;
use crate::sql::{Dialect, dialect_of_url};

use super::database::{self, DatabaseConfig, DialectsFrom, URL_HELP};
use super::doubts::{Doubts, Section};
use super::fleet::{self, FleetConfig};
use super::ledger;
use super::links::Links;
use super::lint::{self, LintConfig};
use super::order;
use super::places;
use super::problem::{Problem, Problems, listed};
use super::reader::Table;
use super::rehearsal::{self, RehearsalConfig};
use super::rollout::{self, RolloutConfig};
use super::runner;
use super::service::{self, ServiceConfig};
use super::source::Source;
use super::syntax;

/// Its name in the project's root.
pub const CONFIG_FILE: &str = "migrate.toml";

#[derive(Clone, Debug, Default)]
pub struct Config {
    /// The one given from outside, or the one in the file.
    pub database_url: Option<String>,
    pub database: DatabaseConfig,
    pub services: BTreeMap<String, ServiceConfig>,
    pub fleet: FleetConfig,
    pub rollout: RolloutConfig,
    /// Who is told of what, by the server.
    #[cfg(feature = "http")]
    pub notify: Vec<super::notify::NotifyConfig>,
    /// The lists that clusters keep to by themselves.
    pub policies: Vec<super::policy::PolicyConfig>,
    pub rehearsal: RehearsalConfig,
    /// What the rules of scripts go by.
    pub lint: LintConfig,
    /// The migration tool that the project uses besides, if it names one.
    pub runner: Option<Runner>,
    /// Where the migration directories are, relative to the project's root, with `/`; empty for the root.
    pub migrations: String,
    /// Where links among the migrations may lead.
    pub links: Links,
    /// Whether a migration may be expanded although one of a higher number is.
    pub order: Sequence,
    /// The parts of it that could not be read as they are written, and hold their defaults instead; none in a project
    /// that was loaded strictly.
    pub doubtful: BTreeSet<Section>,
}

impl Config {
    /// Where a version that a source reported lies: by alias, by the patterns of labels, as a version, or nowhere.
    #[must_use]
    pub fn place(&self, service: &str, label: &str) -> Label {
        let version = match self.services.get(service) {
            Some(service) => service.names.place(label),
            None => label.parse().ok(),
        };
        Label {
            text: label.to_owned(),
            version,
        }
    }

    /// What replaces the instances of a service.
    #[must_use]
    pub fn driver(&self, service: &str) -> &Arc<dyn Driver> {
        let own = self.services.get(service);
        own.and_then(|service| service.driver.as_ref())
            .unwrap_or(&self.rollout.driver)
    }

    /// Reads the file. What is wrong in it is reported to `source`, and has its default here;
    /// `None` if nothing could be read at all.
    pub(super) fn read(source: &Source) -> Option<Self> {
        let document = syntax::parse(source)?;
        let mut top = Table::top(source, &document);
        let mut doubts = Doubts::new(source);
        let (database_url, database) = top
            .table("database")
            .map(|table| database::read(source, table))
            .unwrap_or_default();
        doubts.so_far(Section::Database);
        let services: BTreeMap<String, ServiceConfig> = top
            .named_tables("services")
            .into_iter()
            .map(|(name, table)| {
                service::check_name(source, &name);
                (name.value.to_owned(), service::read(source, table))
            })
            .collect();
        let fleet = top
            .table("fleet")
            .map(|table| fleet::read(source, table))
            .unwrap_or_default();
        doubts.so_far(Section::Fleet);
        let names: Vec<&str> = services.keys().map(String::as_str).collect();
        let rollout = top
            .table("rollout")
            .map(|table| rollout::read(source, table, &names))
            .unwrap_or_default();
        doubts.so_far(Section::Rollout);
        #[cfg(feature = "http")]
        let notify = top
            .named_tables("notify")
            .into_iter()
            .filter_map(|(name, table)| super::notify::read(source, name.value, table))
            .collect();
        // Nobody is told by a program without it.
        #[cfg(not(feature = "http"))]
        drop(top.named_tables("notify"));
        doubts.beside();
        let policies = top
            .named_tables("policy")
            .into_iter()
            .filter_map(|(_, table)| super::policy::read(source, table))
            .collect();
        doubts.so_far(Section::Rollout);
        let rehearsal = top
            .table("rehearse")
            .map(rehearsal::read)
            .unwrap_or_default();
        let runner = top
            .table("runner")
            .and_then(|table| runner::read(source, table));
        let migrations = read_directory(source, &mut top);
        let links = match top.flag("follow_links") {
            Some(true) => Links::Anywhere,
            Some(false) | None => Links::Inside,
        };
        doubts.so_far(Section::Migrations);
        let order = top.table("project").map(order::read).unwrap_or_default();
        let lint = top
            .table("lint")
            .map(|table| lint::read(source, table))
            .unwrap_or_default();
        top.finish(places::CONFIG);
        doubts.so_far(Section::Fleet);
        Some(Self {
            database_url,
            database,
            services,
            fleet,
            rollout,
            #[cfg(feature = "http")]
            notify,
            policies,
            rehearsal,
            lint,
            runner,
            migrations,
            links,
            order,
            doubtful: doubts.sections,
        })
    }

    /// Reads the text of a migrate.toml that is not written yet.
    ///
    /// # Errors
    /// What is wrong in it.
    pub fn parsed(text: &str) -> Result<Self, Problems> {
        let source = Source::new(CONFIG_FILE, CONFIG_FILE.into(), text);
        let config = Self::read(&source);
        let (_, problems) = source.into_parts();
        match config {
            Some(config) if !problems.iter().any(Problem::is_error) => Ok(config),
            _ => Err(Problems(problems)),
        }
    }

    /// What is known where the file is missing, or could not be read at all.
    pub(super) fn unread() -> Self {
        Self {
            doubtful: BTreeSet::from([
                Section::Database,
                Section::Fleet,
                Section::Rollout,
                Section::Migrations,
            ]),
            ..Self::default()
        }
    }

    /// The sources beside the leases. What is not known may be one that nobody has asked yet.
    #[must_use]
    pub fn other_sources(&self) -> Vec<String> {
        let mut sources = self.fleet.other_sources();
        if self.is_doubtful(Section::Fleet) {
            sources.push(CONFIG_FILE.to_owned());
        }
        sources
    }

    /// Whether this part of the file could not be read as it is written.
    #[must_use]
    pub fn is_doubtful(&self, section: Section) -> bool {
        self.doubtful.contains(&section)
    }

    /// Puts the URL given from outside in the place of the one in the file.
    pub(super) fn override_url(&mut self, url: &str, shown: &std::path::Path) -> Option<Problem> {
        self.database_url = Some(url.to_owned());
        let problem =
            |code, message, help: String| Some(Problem::about(shown, code, message, help));
        let dialect = dialect_of_url(url);
        match dialect {
            Ok(dialect) if self.database.dialects_from != DialectsFrom::File => {
                self.database.dialects = vec![dialect];
                self.database.dialects_from = DialectsFrom::Url;
                return None;
            }
            Ok(dialect) if self.database.dialects.contains(&dialect) => return None,
            _ => {}
        }
        self.doubtful.insert(Section::Database);
        match dialect {
            // The database decides, unless the project says what it is written for.
            Ok(dialect) => problem(
                "dialect-mismatch",
                format!(
                    "the database URL from the command line or DATABASE_URL is for {}, and this project's `dialects` are {}",
                    dialect.name(),
                    listed(self.database.dialects.iter().map(|dialect| dialect.name()))
                ),
                format!(
                    "add \"{}\" to `dialects`, or use another database",
                    dialect.name()
                ),
            ),
            Err(what) => problem(
                "unsupported-database",
                format!("the database URL from the command line or DATABASE_URL {what}"),
                URL_HELP.to_owned(),
            ),
        }
    }

    /// Takes the name of the ledger's own database from the URL where the file does not say it.
    pub(super) fn name_ledger(&mut self) {
        let url = self.database_url.as_deref();
        self.database.ledger_named = self
            .database
            .ledger
            .clone()
            .or_else(|| url.and_then(ledger::named_in).map(ToOwned::to_owned));
    }

    /// The database of its own in which the ledger is, where the project's database is on a server that has several.
    #[must_use]
    pub fn ledger_database(&self) -> Option<&str> {
        let url = self.database_url.as_deref()?;
        let named = self.database.ledger_named.as_deref();
        named.filter(|_| dialect_of_url(url) == Ok(Dialect::Mysql))
    }
}

/// Where `migrate.toml` says that the migrations are, relative to it.
fn read_directory(source: &Source, top: &mut Table<'_>) -> String {
    let Some(text) = top.string("migrations", "migrations = \"db/migrations\"") else {
        return String::new();
    };
    let parts: Vec<&str> = text
        .value
        .split('/')
        .filter(|part| !part.is_empty() && *part != ".")
        .collect();
    let is_inside =
        !text.value.starts_with('/') && !text.value.contains(['\\', ':']) && !parts.contains(&"..");
    if !is_inside {
        source.error(
            "bad-migrations-directory",
            text.span,
            "`migrations` must be a directory inside the project",
            "write it relative to this file and with `/`, for example \"db/migrations\"",
        );
        return String::new();
    }
    parts.join("/")
}
