//! `[database]` in `migrate.toml`: where the schema is, and which databases its scripts are for.

use std::time::Duration;

use crate::sql::{Dialect, dialect_of_url};

use super::ledger;
use super::password::{self, PasswordConfig};
use super::places;
use super::problem::listed;
use super::reader::{Located, Table};
use super::source::Source;

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

/// What to write where a URL is wrong.
pub(super) const URL_HELP: &str = "write for example \"sqlite://shop.db\" or \"postgres://user@localhost/shop\"; docs/files.md says what a URL may say";

/// Longer waits are mistakes, and databases count them in 32 bits of milliseconds.
const LONGEST_WAIT: Duration = Duration::from_hours(24 * 20);

/// Reads the section; answers the URL apart, which whoever starts the program may replace.
pub(super) fn read(source: &Source, mut table: Table<'_>) -> (Option<String>, DatabaseConfig) {
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
