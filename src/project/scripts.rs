//! What a migration's scripts may not contain, for each database that they have to run on.

use std::ops::Range;

use crate::model::Step;
use crate::sql::{self, Dialect, Effect, Mode, Script, ScriptError, Statement};

use super::finding::{self, Finding, first_line};
use super::reader::Located;
use super::rules;
use super::source::Source;

const SETTING: &str = "session-setting";

/// Parses a script and checks what may stand in one for `step`.
pub(super) fn check(step: Step, dialect: Dialect, text: &str) -> (Option<Script>, Vec<Finding>) {
    let script = match Script::parse(dialect, text) {
        Ok(script) => script,
        Err(errors) => {
            let findings = errors.into_iter().map(Finding::from).collect();
            return (None, finding::told_once(findings));
        }
    };
    let mut findings = Vec::new();
    if script.statements.is_empty() {
        findings.push(Finding::empty());
    }
    for (index, statement) in script.statements.iter().enumerate() {
        findings.extend(check_statement(
            step,
            dialect,
            script.mode,
            statement,
            index,
        ));
    }
    for row in settings_in_a_row(&script) {
        let is_inside =
            |finding: &Finding| finding.code == SETTING && row.spans.contains(&finding.span.start);
        findings.retain(|finding| !is_inside(finding));
        findings.push(row.finding(dialect));
    }
    (Some(script), findings)
}

/// The head of a dump sets a dozen things one after the other; one of MySQL or MariaDB sets some before and after each table.
struct Settings {
    count: usize,
    /// From the first one to the last.
    spans: Range<usize>,
    first: Range<usize>,
}

impl Settings {
    fn finding(&self, dialect: Dialect) -> Finding {
        let (settings, help) = match dialect {
            Dialect::Mysql => (
                "settings, as mysqldump writes them,",
                "remove all of them (`mysqldump --compact` writes fewer)",
            ),
            _ => (
                "settings in a row, as pg_dump writes them,",
                "remove all of them; for one that is needed write `SET LOCAL`, which ends with the transaction",
            ),
        };
        Finding::new(
            SETTING,
            self.first.clone(),
            format!(
                "{} {settings} do not belong in a script: they would outlive it, in a connection that something else uses next",
                self.count
            ),
            help,
        )
    }
}

fn settings_in_a_row(script: &Script) -> Vec<Settings> {
    const MANY: usize = 3;
    let mut rows: Vec<Settings> = Vec::new();
    let mut goes_on = false;
    for statement in &script.statements {
        let is_setting = matches!(statement.effect, Effect::SessionSetting { .. });
        match rows.last_mut().filter(|_| goes_on && is_setting) {
            Some(row) => {
                row.count += 1;
                row.spans.end = statement.span.end;
            }
            None if is_setting => rows.push(Settings {
                count: 1,
                spans: statement.span.clone(),
                first: first_line(statement),
            }),
            None => {}
        }
        goes_on = match script.dialect {
            Dialect::Postgres => is_setting,
            Dialect::Mysql => goes_on || is_setting,
            Dialect::Sqlite => false,
        };
    }
    rows.retain(|row| row.count >= MANY);
    rows
}

fn check_statement(
    step: Step,
    dialect: Dialect,
    mode: Mode,
    statement: &Statement,
    index: usize,
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
                SETTING,
                format!(
                    "{what} does not belong in a script: it would outlive it, in a connection that something else uses next"
                ),
                match dialect {
                    Dialect::Postgres if mode == Mode::NoTransaction => {
                        "remove it, and name the schema in each statement: each runs in a transaction of its own here"
                            .to_owned()
                    }
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
    let (code, message, way_out) = match (step, effect, &statement.hazard) {
        (Step::Expand, Effect::Destructive { why }, _) => (
            "destructive-expand",
            format!("live versions may not survive this: it {why}"),
            "move it to contract.sql",
        ),
        (Step::Expand, Effect::Unknown { why }, _) => (
            "unknown-effect",
            format!("whether live versions survive this cannot be told: {why}"),
            "make it simpler",
        ),
        (Step::Contract | Step::Revert, Effect::Unknown { why }, None) => (
            "unknown-effect",
            format!("what this takes away cannot be told: {why}"),
            "write out what it does",
        ),
        (_, _, Some(hazard)) => (
            "silent-loss",
            format!("this may lose what nobody named: it {hazard}"),
            "write what is meant, row by row or name by name",
        ),
        _ => return None,
    };
    let way_out = way_out.to_owned();
    found(code, message, way_out).map(|finding| finding.excusable(index))
}

pub(super) fn check_backfill(
    dialect: Dialect,
    ledger: Option<&str>,
    text: &str,
    key: Option<sql::Key<'_>>,
) -> (Option<sql::Ranged>, Vec<Finding>) {
    if Script::parse(dialect, text).is_ok_and(|script| script.statements.is_empty()) {
        return (None, vec![Finding::empty()]);
    }
    // Of another table there is more to say than that its keys are not these.
    let is_another = key.is_some_and(|key| !names(text, key.table));
    let of_table = key.filter(|_| !is_another);
    match sql::backfill_statement(dialect, text, of_table) {
        Ok(statement) => {
            let width = key.map(|key| key.columns.len());
            let mut findings = check_width(&statement, width, 0..first_line_of(text));
            if let Some(table) = key.map(|key| key.table).filter(|_| is_another)
                && !sql::names_ledger(dialect, ledger, &statement.text)
            {
                findings.push(Finding::new(
                    "another-table",
                    0..first_line_of(text),
                    format!("the batches go along the keys of `{table}`, and this statement does not name it"),
                    "name the table that is updated as `table` under [backfill] in migration.toml",
                ));
            }
            (Some(statement), findings)
        }
        Err(errors) => (None, errors.into_iter().map(Finding::from).collect()),
    }
}

/// Whether a statement names a table, as far as its words tell.
fn names(sql: &str, table: &str) -> bool {
    let is_a_letter = |c: char| c.is_alphanumeric() || c == '_';
    // How a name is quoted is the database's business.
    if !table.chars().all(|c| is_a_letter(c) || c == '.') {
        return true;
    }
    let name = table.rsplit('.').next().unwrap_or(table).to_lowercase();
    let sql = sql.to_lowercase();
    sql.match_indices(&name).any(|(at, _)| {
        let before = sql.get(..at).and_then(|text| text.chars().next_back());
        let after = sql
            .get(at + name.len()..)
            .and_then(|text| text.chars().next());
        !before.is_some_and(is_a_letter) && !after.is_some_and(is_a_letter)
    })
}

/// Checks a query that stands in the manifest.
pub(super) fn check_query(
    source: &Source,
    (dialect, ledger): (Dialect, Option<&str>),
    query: &Located<String>,
) -> Vec<Finding> {
    let Err(error) = sql::single_select(dialect, &query.value) else {
        let mut found = rules::of_query(dialect, ledger, query);
        found.extend(sql::alike_for_all(dialect, &query.value).map(|error| {
            let span = place_in(source, query, &error);
            Finding::new("alike-for-all", span, error.message, error.help)
        }));
        return found;
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
    (dialect, ledger): (Dialect, Option<&str>),
    query: &Located<String>,
    key_width: Option<usize>,
) -> Vec<Finding> {
    match sql::range_query(dialect, &query.value) {
        Ok(found) => {
            let mut findings = check_width(&found, key_width, query.span.clone());
            findings.extend(rules::of_query(dialect, ledger, query));
            findings
        }
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
