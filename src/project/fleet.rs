//! The `[fleet]` section: leases, and the sources that live instances are learnt from.

use std::time::Duration;

use super::reader::Table;
use super::row::RowOf;
use super::source::Source;
use crate::model::{LEASES, LeaseConnection, SessionRule};
use crate::source::{KINDS, Kind, Named};

#[derive(Clone, Debug)]
pub struct FleetConfig {
    /// How long an instance counts as live after it was last heard of.
    pub lease: Duration,
    /// How often an instance renews its lease; less than a third of `lease`.
    pub renew: Duration,
    pub connection: LeaseConnection,
    /// How long a coordinator that was killed keeps the next one waiting.
    pub coordinator_lease: Duration,
    /// Never empty, and each has a different name.
    pub sources: Vec<SourceConfig>,
    /// What becomes of database sessions that belong to nobody who is known.
    pub sessions: SessionRule,
    /// Those that belong to somebody else, and may.
    pub allowed_sessions: Vec<AllowedSession>,
}

/// Sessions that are no instances: of a pooler, a console, a report. What is none is anything, and `*` stands for any text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllowedSession {
    pub user: Option<String>,
    pub application: Option<String>,
    pub address: Option<String>,
    /// Another database of the same server that they are in; empty for none.
    pub database: Option<String>,
    pub reason: String,
}

impl Default for FleetConfig {
    fn default() -> Self {
        Self {
            lease: Duration::from_mins(10),
            renew: Duration::from_secs(10),
            connection: LeaseConnection::default(),
            coordinator_lease: Duration::from_secs(15),
            sources: vec![SourceConfig::Leases],
            sessions: SessionRule::Strict,
            allowed_sessions: Vec::new(),
        }
    }
}

impl FleetConfig {
    /// The sources other than the leases.
    pub fn others(&self) -> impl Iterator<Item = &Named> {
        self.sources.iter().filter_map(|source| match source {
            SourceConfig::Leases => None,
            SourceConfig::Asked(named) => Some(named),
        })
    }

    /// What the sources other than the leases are called.
    #[must_use]
    pub fn other_sources(&self) -> Vec<String> {
        self.others().map(|named| named.name.clone()).collect()
    }

    /// Whether the leases are among the sources that the project names.
    #[must_use]
    pub fn names_leases(&self) -> bool {
        let mut sources = self.sources.iter();
        sources.any(|source| matches!(source, SourceConfig::Leases))
    }
}

/// A source that the project names.
#[derive(Clone, Debug)]
pub enum SourceConfig {
    /// What instances registered themselves, in the ledger.
    Leases,
    /// Any other: it is made once, with the project.
    Asked(Named),
}

impl SourceConfig {
    /// What it is called in reports.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Leases => LEASES,
            Self::Asked(named) => &named.name,
        }
    }
}

const LONGEST: Duration = Duration::from_hours(24 * 365);
/// Of one coordinator: a lease that ends later than this was written by a clock that was ahead.
pub const LONGEST_COORDINATOR_LEASE: Duration = Duration::from_hours(1);
const SOURCES_EXAMPLE: &str = "sources = [{ kind = \"leases\" }]";
const PLACES: &[(&str, &str)] = &[];

pub(super) fn read(source: &Source, mut table: Table<'_>) -> FleetConfig {
    let mut config = FleetConfig::default();
    let lease = table.duration("lease", LONGEST);
    let renew = table.duration("renew", LONGEST);
    if let Some(lease) = &lease {
        config.lease = lease.value;
    }
    if let Some(renew) = &renew {
        config.renew = renew.value;
    }
    const CONNECTIONS: &[(&str, LeaseConnection)] = &[
        ("kept", LeaseConnection::Kept),
        ("short", LeaseConnection::Short),
    ];
    if let Some(connection) = table.choice("connection", CONNECTIONS) {
        config.connection = connection;
    }
    if let Some(lease) = table.duration("coordinator_lease", LONGEST_COORDINATOR_LEASE) {
        config.coordinator_lease = lease.value;
    }
    // Three renewals may be missed before the lease ends, or a short hiccup would stop the instance.
    if config.renew >= config.lease / 3
        && let Some(span) = renew.or(lease).map(|written| written.span)
    {
        source.error(
            "renew-too-slow",
            span,
            format!(
                "a lease of {:?} has to be renewed more often than every {:?}",
                config.lease, config.renew
            ),
            "make `renew` shorter than a third of `lease`",
        );
    }
    let header = table.key_span("sources");
    if let Some(tables) = table.tables("sources") {
        if tables.is_empty() {
            source.error(
                "no-sources",
                header.unwrap_or_else(|| table.span()),
                "without a source nothing is known about the fleet",
                format!("write `{SOURCES_EXAMPLE}`, or leave it out"),
            );
        }
        let sources = read_sources(source, tables);
        if !sources.is_empty() {
            config.sources = sources;
        }
    }
    const RULES: &[(&str, SessionRule)] = &[
        ("strict", SessionRule::Strict),
        ("note", SessionRule::Note),
        ("off", SessionRule::Off),
    ];
    if let Some(rule) = table.choice("sessions", RULES) {
        config.sessions = rule;
    }
    for allowed in table.tables("allow_session").unwrap_or_default() {
        config
            .allowed_sessions
            .extend(read_allowed(source, allowed));
    }
    table.finish(PLACES);
    config
}

fn read_allowed(source: &Source, mut table: Table<'_>) -> Option<AllowedSession> {
    const EXAMPLE: &str = "reason = \"what they do, and why they need no lease\"";
    let span = table.span();
    let mut text = |key: &'static str| {
        let value = table.string(key, &format!("{key} = \"reporting*\""));
        value.map(|text| text.value.to_owned())
    };
    let (user, application, address) = (text("user"), text("application"), text("address"));
    let database = text("database");
    if !table.has("reason") {
        table.missing("reason", EXAMPLE);
        return None;
    }
    let reason = table.string("reason", EXAMPLE)?.value.to_owned();
    table.finish(PLACES);
    if [&user, &application, &address, &database]
        .into_iter()
        .all(Option::is_none)
    {
        source.error(
            "allows-every-session",
            span,
            "this allows every session there is",
            "say which ones: user, application, address or database",
        );
        return None;
    }
    Some(AllowedSession {
        user,
        application,
        address,
        database,
        reason,
    })
}

fn read_sources(source: &Source, tables: Vec<Table<'_>>) -> Vec<SourceConfig> {
    let mut sources: Vec<SourceConfig> = Vec::new();
    for table in tables {
        let span = table.span();
        let Some((config, twice)) = read_source(source, table) else {
            continue;
        };
        if sources.iter().any(|other| other.name() == config.name()) {
            source.error(
                "duplicate-source",
                span,
                format!("a second source is called `{}`", config.name()),
                twice,
            );
        } else {
            sources.push(config);
        }
    }
    sources
}

/// The source of a row, and what to do where another one has its name.
fn read_source(source: &Source, mut table: Table<'_>) -> Option<(SourceConfig, &'static str)> {
    if !table.has("kind") {
        table.missing("kind", "{ kind = \"leases\" }");
        return None;
    }
    let leases = [(LEASES, None)].into_iter();
    let kinds: Vec<(&str, Option<&Kind>)> = leases
        .chain(KINDS.iter().map(|kind| (kind.kind, Some(kind))))
        .collect();
    let read = match table.choice("kind", &kinds)? {
        None => Some((SourceConfig::Leases, "list it once")),
        Some(kind) => {
            let named = (kind.read)(&mut RowOf::new(source, &mut table));
            named.map(|named| (SourceConfig::Asked(named), kind.twice))
        }
    };
    table.finish(PLACES);
    read
}
