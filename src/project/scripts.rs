//! What a migration's scripts may not contain, for each database that they have to run on.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use crate::model::Step;
use crate::sql::{self, Dialect, Effect, Mode, Script, ScriptError, Statement};

use super::config::{DatabaseConfig, DialectsFrom};
use super::manifest::Allowance;
use super::reader::Located;
use super::source::{FileRef, Source};

/// A script that runs as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScriptFile {
    /// Relative to the project's root, with `/`.
    pub path: PathBuf,
    pub text: Arc<str>,
    /// Of the text with LF at the end of lines, in hexadecimal.
    pub sha256: String,
    pub script: Script,
}

/// A statement that runs once for each batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackfillFile {
    /// Relative to the project's root, with `/`.
    pub path: PathBuf,
    pub text: Arc<str>,
    /// Of the text with LF at the end of lines, in hexadecimal.
    pub sha256: String,
    pub statement: sql::Ranged,
}

impl ScriptFile {
    pub(super) fn new(file: &FileRef, script: Script) -> Self {
        let FileRef { path, text, sha256 } = file.clone();
        Self {
            path,
            text,
            sha256,
            script,
        }
    }
}

impl BackfillFile {
    pub(super) fn new(file: &FileRef, statement: sql::Ranged) -> Self {
        let FileRef { path, text, sha256 } = file.clone();
        Self {
            path,
            text,
            sha256,
            statement,
        }
    }
}

/// What was found in a text as one database reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    code: &'static str,
    span: Range<usize>,
    message: String,
    help: String,
}

impl Finding {
    fn new(
        code: &'static str,
        span: Range<usize>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Self {
        Self {
            code,
            span,
            message: message.into(),
            help: help.into(),
        }
    }

    fn empty() -> Self {
        Self::new(
            "empty-script",
            0..0,
            "there is no statement in this file",
            "write one, or remove the file; where a database has nothing to do, write `SELECT 1;`",
        )
    }
}

impl From<ScriptError> for Finding {
    fn from(error: ScriptError) -> Self {
        Self::new("sql", error.span, error.message, error.help)
    }
}

/// Reports what several databases found in one text: once where they agree, and otherwise with
/// the database's name.
pub(super) fn report(
    source: &Source,
    mut findings: Vec<(Dialect, Vec<Finding>)>,
    database: &DatabaseConfig,
) {
    let is_assumed = database.dialects_from == DialectsFrom::Assumption;
    let mut reject: Vec<&str> = Vec::new();
    if is_assumed && findings.iter().any(|(_, found)| !is_rejected(found)) {
        // Written for one database, most likely. What the other one makes of the rest is noise.
        for (dialect, found) in findings.iter_mut().filter(|(_, found)| is_rejected(found)) {
            found.truncate(1);
            reject.push(dialect.name());
        }
    }
    let readers = findings.len();
    let readable = readers - reject.len();
    let mut merged: Vec<(Vec<&str>, Finding)> = Vec::new();
    for (dialect, finding) in findings
        .into_iter()
        .flat_map(|(dialect, found)| found.into_iter().map(move |finding| (dialect, finding)))
    {
        match merged.iter_mut().find(|(_, known)| *known == finding) {
            Some((dialects, _)) => dialects.push(dialect.name()),
            None => merged.push((vec![dialect.name()], finding)),
        }
    }
    for (dialects, mut finding) in merged {
        let is_rejection = dialects.iter().any(|name| reject.contains(name));
        if is_rejection || dialects.len() < readable {
            finding.message = format!("for {}: {}", dialects.join(", "), finding.message);
        }
        if is_assumed && dialects.len() < readers && (is_rejection || reject.is_empty()) {
            let others = database.dialects.iter().map(|dialect| dialect.name());
            let others: Vec<String> = others
                .filter(|name| !dialects.contains(name))
                .map(|name| format!("\"{name}\""))
                .collect();
            let stop = if finding.help.ends_with('?') { "" } else { "." };
            finding.help = format!(
                "{}{stop} If this project does not run on {}, write `dialects = [{}]` under `[database]` in migrate.toml",
                finding.help,
                dialects.join(" or "),
                others.join(", "),
            );
        }
        source.error(finding.code, finding.span, finding.message, finding.help);
    }
}

/// Whether the database could not even read the text.
fn is_rejected(findings: &[Finding]) -> bool {
    findings
        .iter()
        .any(|finding| matches!(finding.code, "sql" | "not-a-select"))
}

/// Parses a script and checks what may stand in one for `step`.
pub(super) fn check(
    step: Step,
    dialect: Dialect,
    text: &str,
    allow: Option<&[Allowance]>,
) -> (Option<Script>, Vec<Finding>) {
    let script = match Script::parse(dialect, text) {
        Ok(script) => script,
        Err(errors) => return (None, errors.into_iter().map(Finding::from).collect()),
    };
    let mut findings = Vec::new();
    if script.statements.is_empty() {
        findings.push(Finding::empty());
    }
    for statement in &script.statements {
        findings.extend(check_statement(
            step,
            dialect,
            script.mode,
            statement,
            allow,
        ));
    }
    (Some(script), findings)
}

fn check_statement(
    step: Step,
    dialect: Dialect,
    mode: Mode,
    statement: &Statement,
    allow: Option<&[Allowance]>,
) -> Option<Finding> {
    let span = first_line(statement);
    let found = |code, message: String, help: String| Some(Finding::new(code, span, message, help));
    let effect = match &statement.effect {
        Effect::TransactionControl { what } => {
            return found(
                "transaction-control",
                format!("{what} does not belong in a script: it would end or change the transaction that keeps the ledger true"),
                "remove it: a script runs in one transaction already, or statement by statement if its first line is `-- migrate: no-transaction`".to_owned(),
            );
        }
        Effect::SessionSetting { what } => {
            return found(
                "session-setting",
                format!(
                    "{what} does not belong in a script: it would outlive it, in a connection that something else uses next"
                ),
                match dialect {
                    Dialect::Postgres => {
                        "remove it, or use `SET LOCAL`, which ends with the transaction".to_owned()
                    }
                    Dialect::Sqlite | Dialect::Mysql => {
                        "remove it: settings belong to the connection and not to a migration"
                            .to_owned()
                    }
                },
            );
        }
        effect => effect,
    };
    if statement.needs_no_transaction && mode == Mode::Transactional {
        return found(
            "needs-no-transaction",
            format!("{} refuses this statement inside a transaction", dialect.title()),
            "make `-- migrate: no-transaction` the first line of this file; its statements then run one by one, each recorded before and after".to_owned(),
        );
    }
    let (code, message, way_out) = match (step, effect) {
        (Step::Expand, Effect::Destructive { why }) => (
            "destructive-expand",
            format!("live versions may not survive this: it {why}"),
            "move it to contract.sql",
        ),
        (Step::Expand, Effect::Unknown { why }) => (
            "unknown-effect",
            format!("whether live versions survive this cannot be told: {why}"),
            "make it simpler",
        ),
        _ => return None,
    };
    // Without a manifest that can be read nobody knows what is allowed.
    let allow = allow?;
    if allow
        .iter()
        .any(|allowance| allowance.covers(&statement.text))
    {
        return None;
    }
    let beginning: Vec<&str> = statement.text.split_whitespace().take(4).collect();
    found(
        code,
        message,
        format!(
            "{way_out}, or, if no live version can notice it, say so in migration.toml: \
             `[[expand.allow]]`, `statement = {:?}`, `reason = \"why\"`",
            beginning.join(" ")
        ),
    )
}

/// A long statement is shown by its beginning.
fn first_line(statement: &Statement) -> Range<usize> {
    let line = statement.text.lines().next().unwrap_or_default();
    statement.span.start..statement.span.start + line.len()
}

pub(super) fn check_backfill(
    dialect: Dialect,
    text: &str,
    key_width: Option<usize>,
) -> (Option<sql::Ranged>, Vec<Finding>) {
    if Script::parse(dialect, text).is_ok_and(|script| script.statements.is_empty()) {
        return (None, vec![Finding::empty()]);
    }
    match sql::backfill_statement(dialect, text) {
        Ok(statement) => {
            let findings = check_width(&statement, key_width, 0..first_line_of(text));
            (Some(statement), findings)
        }
        Err(errors) => (None, errors.into_iter().map(Finding::from).collect()),
    }
}

/// Checks a query that stands in the manifest.
pub(super) fn check_query(
    source: &Source,
    dialect: Dialect,
    query: &Located<String>,
) -> Vec<Finding> {
    let Err(error) = sql::single_select(dialect, &query.value) else {
        return Vec::new();
    };
    let span = place_in(source, query, &error);
    vec![Finding::new(
        "not-a-select",
        span,
        error.message,
        error.help,
    )]
}

fn first_line_of(text: &str) -> usize {
    text.lines().next().unwrap_or_default().len()
}

/// Every comparison has to have the columns of the key, or a range would not be one.
fn check_width(
    statement: &sql::Ranged,
    key_width: Option<usize>,
    span: Range<usize>,
) -> Vec<Finding> {
    let Some(wanted) = key_width else {
        return Vec::new();
    };
    let Some(found) = statement.widths().find(|found| *found != wanted) else {
        return Vec::new();
    };
    let columns = |count: usize| match count {
        1 => "1 column".to_owned(),
        count => format!("{count} columns"),
    };
    vec![Finding::new(
        "key-width",
        span,
        format!(
            "a comparison with `:after` or `:upto` has {}, and `key` in migration.toml has {}",
            columns(found),
            columns(wanted)
        ),
        if wanted == 1 {
            "write `id > :after AND id <= :upto`"
        } else {
            "write `(a, b) > :after AND (a, b) <= :upto` with the columns of the key in its order"
        },
    )]
}

/// Checks a query over a range of keys that stands in the manifest.
pub(super) fn check_range_query(
    source: &Source,
    dialect: Dialect,
    query: &Located<String>,
    key_width: Option<usize>,
) -> Vec<Finding> {
    match sql::range_query(dialect, &query.value) {
        Ok(found) => check_width(&found, key_width, query.span.clone()),
        Err(errors) => errors
            .into_iter()
            .map(|error| {
                let span = place_in(source, query, &error);
                Finding::new("bad-check", span, error.message, error.help)
            })
            .collect(),
    }
}

/// Where the string has no escapes, the place in it is a place in the file.
fn place_in(source: &Source, query: &Located<String>, error: &ScriptError) -> Range<usize> {
    let raw = source.text().get(query.span.clone()).unwrap_or_default();
    match raw.find(&query.value) {
        Some(quotes) if !error.span.is_empty() => {
            let start = query.span.start + quotes;
            start + error.span.start..start + error.span.end
        }
        _ => query.span.clone(),
    }
}
