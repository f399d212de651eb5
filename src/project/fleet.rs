//! The `[fleet]` section: leases, and the sources that live instances are learnt from.

use std::time::Duration;

use super::problem::{closest, listed};
use super::reader::{Located, Table};
use super::source::Source;
use crate::model::{LeaseConnection, SessionRule};

#[derive(Clone, Debug, PartialEq, Eq)]
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
    /// What the sources other than the leases are called.
    #[must_use]
    pub fn other_sources(&self) -> Vec<String> {
        let others = self
            .sources
            .iter()
            .filter(|source| **source != SourceConfig::Leases);
        others.map(|source| source.name().to_owned()).collect()
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SourceConfig {
    /// What instances registered themselves, in the ledger.
    Leases,
    /// A program that lists the live instances.
    Command {
        name: String,
        /// The program and its arguments.
        run: Vec<String>,
        timeout: Duration,
        /// What it says about an instance must not be older.
        max_age: Duration,
        /// Variables of the environment that lead into the database, which it is given all the same.
        env: Vec<String>,
    },
    /// The names that database sessions have given themselves.
    Sessions { pattern: String },
}

impl SourceConfig {
    /// What it is called in reports.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Leases => "leases",
            Self::Command { name, .. } => name,
            Self::Sessions { .. } => "sessions",
        }
    }
}

const LONGEST: Duration = Duration::from_hours(24 * 365);
const LONGEST_WAIT: Duration = Duration::from_hours(24 * 20);
const DEFAULT_PATTERN: &str = "{service}/{version}";
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
    if let Some(lease) = table.duration("coordinator_lease", LONGEST_WAIT) {
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
    if table.has("sessions")
        && let Some(rule) = table.choice("sessions", RULES)
    {
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
        let Some(config) = read_source(source, table) else {
            continue;
        };
        if sources.iter().any(|other| other.name() == config.name()) {
            let help = match config {
                SourceConfig::Command { .. } => "give it a `name` of its own",
                _ => "list it once",
            };
            source.error(
                "duplicate-source",
                span,
                format!("a second source is called `{}`", config.name()),
                help,
            );
        } else {
            sources.push(config);
        }
    }
    sources
}

fn read_source(source: &Source, mut table: Table<'_>) -> Option<SourceConfig> {
    #[derive(Clone, Copy)]
    enum Kind {
        Leases,
        Command,
        Sessions,
    }
    const KINDS: &[(&str, Kind)] = &[
        ("leases", Kind::Leases),
        ("command", Kind::Command),
        ("sessions", Kind::Sessions),
    ];
    if !table.has("kind") {
        table.missing("kind", "{ kind = \"leases\" }");
        return None;
    }
    let config = match table.choice("kind", KINDS)? {
        Kind::Leases => Some(SourceConfig::Leases),
        Kind::Command => read_command(source, &mut table),
        Kind::Sessions => {
            let pattern = table.string("pattern", &format!("pattern = \"{DEFAULT_PATTERN}\""));
            let pattern = match pattern {
                Some(pattern) => {
                    check_pattern(source, &pattern);
                    pattern.value
                }
                None => DEFAULT_PATTERN,
            };
            Some(SourceConfig::Sessions {
                pattern: pattern.to_owned(),
            })
        }
    };
    table.finish(PLACES);
    config
}

fn read_command(source: &Source, table: &mut Table<'_>) -> Option<SourceConfig> {
    const EXAMPLE: &str = "run = [\"./list-instances\"]";
    let name = table.string("name", "name = \"nomad\"");
    let timeout = table.duration("timeout", LONGEST_WAIT);
    let max_age = table.duration("max_age", LONGEST);
    let env = super::rollout::read_env(source, table);
    if !table.has("run") {
        table.missing("run", EXAMPLE);
    }
    let run: Vec<String> = table
        .strings("run", EXAMPLE)?
        .into_iter()
        .map(|part| part.value.to_owned())
        .collect();
    let Some(program) = run.first() else {
        let span = table.key_span("run").unwrap_or_else(|| table.span());
        let help = format!("write for example `{EXAMPLE}`");
        source.error("empty-value", span, "`run` names no program", help);
        return None;
    };
    let file_name = program.rsplit(['/', '\\']).next().unwrap_or(program);
    Some(SourceConfig::Command {
        name: name.map_or(file_name, |name| name.value).to_owned(),
        timeout: timeout.map_or(Duration::from_secs(10), |timeout| timeout.value),
        max_age: max_age.map_or(Duration::from_mins(1), |max_age| max_age.value),
        run,
        env,
    })
}

/// A pattern takes a session's name apart: free text around `{service}`, `{version}`, `{instance}`.
fn check_pattern(source: &Source, pattern: &Located<&str>) {
    if let Err((message, help)) = pattern_parts(pattern.value) {
        source.error("bad-pattern", pattern.span.clone(), message, help);
    }
}

fn pattern_parts(pattern: &str) -> Result<(), (String, String)> {
    const NAMES: [&str; 3] = ["service", "version", "instance"];
    let example = || format!("write for example \"{DEFAULT_PATTERN}\"");
    let mut seen: Vec<&str> = Vec::new();
    let mut rest = pattern;
    while let Some((text, after)) = rest.split_once('{') {
        let Some((name, following)) = after.split_once('}') else {
            return Err((
                "a `{` in this pattern is never closed".to_owned(),
                example(),
            ));
        };
        if text.contains('}') {
            break;
        }
        if !NAMES.contains(&name) {
            let help = match closest(name, NAMES) {
                Some(guess) => format!("did you mean `{{{guess}}}`?"),
                None => format!("the names are {}", listed(NAMES)),
            };
            return Err((format!("this pattern cannot find out `{{{name}}}`"), help));
        }
        if seen.contains(&name) {
            let message = format!("`{{{name}}}` stands twice in this pattern");
            return Err((message, example()));
        }
        if text.is_empty() && !seen.is_empty() {
            let message = format!("nothing separates `{{{name}}}` from what is before it");
            return Err((message, example()));
        }
        seen.push(name);
        rest = following;
    }
    if rest.contains('}') {
        return Err((
            "a `}` in this pattern was never opened".to_owned(),
            example(),
        ));
    }
    for name in ["service", "version"] {
        if !seen.contains(&name) {
            return Err((format!("this pattern has no `{{{name}}}`"), example()));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_take_a_name_apart_in_one_way_only() {
        for pattern in [
            DEFAULT_PATTERN,
            "{service}@{version}#{instance}",
            "shop:{version}-{service} (pool)",
        ] {
            assert_eq!(pattern_parts(pattern), Ok(()), "{pattern}");
        }
        for (pattern, reason) in [
            ("", "no `{service}`"),
            ("{service}", "no `{version}`"),
            ("{service}{version}", "separates"),
            ("{service}/{version}/{service}", "twice"),
            ("{service}/{versoin}", "find out"),
            ("{service}/{version", "never closed"),
            ("service}/{version}", "never opened"),
            ("{service}/{version}}", "never opened"),
            ("{ser{vice}/{version}", "find out"),
        ] {
            let (message, _) = pattern_parts(pattern).unwrap_err();
            assert!(message.contains(reason), "{pattern}: {message}");
        }
    }
}
