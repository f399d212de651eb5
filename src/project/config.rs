//! `migrate.toml`: the database, the services that use it, and how the fleet is watched.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use crate::driver::Driver;
use crate::model::{Label, Sequence};
use crate::runner::Runner;
use crate::sql::{Dialect, dialect_of_url};

use super::doubts::{Doubts, Section};
use super::fleet::{self, FleetConfig};
use super::ledger;
use super::links::Links;
use super::lint::{self, LintConfig};
use super::order;
use super::password::{self, PasswordConfig};
use super::places;
use super::problem::{Problem, Problems, listed};
use super::reader::{Located, Table};
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

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatabaseConfig {
    /// How long one statement may wait for a lock, while others queue up behind it.
    pub lock_timeout: Duration,
    /// How long a step that could not get its locks is tried again.
    pub lock_retry_for: Duration,
    /// How long to wait for another writer (SQLite).
    pub busy_timeout: Duration,
    /// The URLs of the replicas whose lag a backfill looks at; may hold passwords.
    pub replicas: Vec<String>,
    /// What says the password at each login.
    pub password: Option<PasswordConfig>,
    /// The database of its own in which the ledger is, on the server of the application's (MySQL, MariaDB).
    pub ledger: Option<String>,
    /// The same, where only the URL says so as well.
    pub ledger_named: Option<String>,
    /// The databases that the scripts have to work on; never empty.
    pub dialects: Vec<Dialect>,
    pub dialects_from: DialectsFrom,
}

/// What says which databases the scripts are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DialectsFrom {
    /// `dialects` in the file.
    File,
    /// The URL of the database.
    Url,
    /// Nothing: the scripts are checked for every database there is.
    Assumption,
}

impl Default for DatabaseConfig {
    fn default() -> Self {
        Self {
            lock_timeout: Duration::from_secs(3),
            lock_retry_for: Duration::from_mins(5),
            busy_timeout: Duration::from_secs(30),
            replicas: Vec::new(),
            password: None,
            ledger: None,
            ledger_named: None,
            dialects: Dialect::ALL.to_vec(),
            dialects_from: DialectsFrom::Assumption,
        }
    }
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
            .map(|table| read_database(source, table))
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
        let migrations = super::listing::read_directory(source, &mut top);
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
}

const URL_HELP: &str = "write for example \"sqlite://shop.db\" or \"postgres://user@localhost/shop\"; docs/files.md says what a URL may say";

/// Longer waits are mistakes, and databases count them in 32 bits of milliseconds.
const LONGEST_WAIT: Duration = Duration::from_hours(24 * 20);

fn read_database(source: &Source, mut table: Table<'_>) -> (Option<String>, DatabaseConfig) {
    let mut config = DatabaseConfig::default();
    let url = table.string("url", "url = \"sqlite://shop.db\"");
    let dialects = table.strings("dialects", "dialects = [\"postgres\"]");
    let replicas = table.strings(
        "replicas",
        "replicas = [\"postgres://watcher@replica/shop\"]",
    );
    for replica in replicas.iter().flatten() {
        if let Err(what) = dialect_of_url(replica.value) {
            let message = format!("a URL in `replicas` {what}");
            source.error(
                "unsupported-database",
                replica.span.clone(),
                message,
                URL_HELP,
            );
        }
        config.replicas.push(replica.value.to_owned());
    }
    let mut wait = |key, target: &mut Duration| {
        if let Some(duration) = table.duration(key, LONGEST_WAIT) {
            *target = duration.value;
        }
    };
    wait("lock_timeout", &mut config.lock_timeout);
    wait("lock_retry_for", &mut config.lock_retry_for);
    wait("busy_timeout", &mut config.busy_timeout);
    config.password = password::read(source, &mut table);
    let named = table.string("ledger", "ledger = \"shop_phasegate\"");
    let listed_span = table.key_span("dialects");
    table.finish(places::CONFIG);

    if let Some(names) = dialects {
        let mut dialects: Vec<Dialect> = names
            .iter()
            .filter_map(|name| read_dialect(source, name))
            .collect();
        dialects.sort();
        dialects.dedup();
        if names.is_empty() {
            let (span, all) = (listed_span.unwrap_or(0..0), all_dialects());
            source.error(
                "empty-value",
                span,
                "`dialects` is empty",
                format!("name one of {all}, or leave it out"),
            );
        }
        if !dialects.is_empty() {
            config.dialects = dialects;
            config.dialects_from = DialectsFrom::File;
        }
    }
    if let Some(name) = named {
        // The URL in the file may be that of a laptop.
        let is_told = config.dialects_from == DialectsFrom::File;
        ledger::check(source, &name, is_told.then_some(&config.dialects));
        config.ledger = Some(name.value.to_owned());
    }
    if let Some(url) = &url {
        match dialect_of_url(url.value) {
            Ok(dialect) if config.dialects_from == DialectsFrom::Assumption => {
                config.dialects = vec![dialect];
                config.dialects_from = DialectsFrom::Url;
            }
            Ok(dialect) if config.dialects.contains(&dialect) => {}
            Ok(dialect) => source.error(
                "dialect-mismatch",
                url.span.clone(),
                format!(
                    "this URL is for {}, which is not among `dialects`",
                    dialect.name()
                ),
                format!("add \"{}\" to `dialects`", dialect.name()),
            ),
            Err(what) => source.error(
                "unsupported-database",
                url.span.clone(),
                format!("this URL {what}"),
                URL_HELP,
            ),
        }
    }
    (url.map(|url| url.value.to_owned()), config)
}

fn all_dialects() -> String {
    listed(Dialect::ALL.iter().map(|dialect| dialect.name()))
}

fn read_dialect(source: &Source, name: &Located<&str>) -> Option<Dialect> {
    let found = Dialect::ALL
        .iter()
        .copied()
        .find(|dialect| dialect.name() == name.value);
    if found.is_none() {
        source.error(
            "unknown-value",
            name.span.clone(),
            format!("there is no dialect `{}`", name.value),
            format!("the dialects are {}", all_dialects()),
        );
    }
    found
}
