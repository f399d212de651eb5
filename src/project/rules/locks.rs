//! PostgreSQL: statements that are right, and that keep others waiting on a large table. Each is a warning: how large the
//! table is stands in no file.

use crate::model::Step;
use crate::sql::{Dialect, Effect, Mode, Object, ObjectKind, Script, Statement, Verb};

use super::super::finding::Finding;
use super::super::scripts::first_line;
use super::Scripts;
use super::formats;
use super::listed;

pub(super) fn check(scripts: &Scripts<'_>) -> Vec<(Step, Finding)> {
    if scripts.dialect != Dialect::Postgres {
        return Vec::new();
    }
    let mut found = Vec::new();
    for (step, index, statement) in scripts.statements() {
        let Some(script) = scripts.script(step) else {
            continue;
        };
        // What live versions do not survive is told of already.
        let is_told =
            step == Step::Expand && !matches!(statement.effect, Effect::Additive | Effect::Data);
        if is_told {
            continue;
        }
        let words = statement.words(scripts.dialect);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let Some((code, what)) = of(scripts, script, statement, &words) else {
            continue;
        };
        let instead = listed::rule(code).map_or("", |rule| rule.instead);
        let help = instead.trim_end_matches('.');
        let mut help = help.to_owned();
        if let Some(first) = help.get_mut(..1) {
            first.make_ascii_lowercase();
        }
        let finding = Finding::new(code, first_line(statement), what, help);
        found.push((step, finding.excusable(index)));
    }
    found
}

fn has(words: &[&str], wanted: &[&str]) -> bool {
    words.windows(wanted.len()).any(|found| found == wanted)
}

fn table_of(statement: &Statement) -> Option<&str> {
    statement
        .objects()
        .find_map(|object: &Object| match object.kind {
            ObjectKind::Table => Some(object.name.as_str()),
            _ => object.table.as_deref(),
        })
}

type Found = Option<(&'static str, String)>;

fn of(scripts: &Scripts<'_>, script: &Script, statement: &Statement, words: &[&str]) -> Found {
    // A table that the script makes is empty, or nobody's yet.
    let table = table_of(statement);
    if table.is_some_and(|table| formats::makes(script, table)) {
        return None;
    }
    let of_table = table.map_or_else(String::new, |table| format!(" `{table}`"));
    match words {
        ["create", "index", rest @ ..] | ["create", "unique", "index", rest @ ..]
            if !rest.contains(&"concurrently") && !has(rest, &["on", "only"]) =>
        {
            let what = format!("while this index is built nobody writes to{of_table}");
            Some(("locks-writes", what))
        }
        ["alter", "table", ..] => altered(scripts, script, statement, words, &of_table),
        ["reindex", rest @ ..] if !rest.contains(&"concurrently") => {
            Some(("locks-out", "while this index is built anew nobody writes to its table, and whoever would read by it waits".to_owned()))
        }
        ["vacuum", rest @ ..] if rest.contains(&"full") => {
            Some(("rewrites-table", "this writes the table anew, and nobody reads or writes it meanwhile".to_owned()))
        }
        ["cluster", ..] => {
            Some(("rewrites-table", "this writes the table anew, and nobody reads or writes it meanwhile".to_owned()))
        }
        ["lock", ..] => Some(("locks-out", "this keeps others out of the table until the script is done".to_owned())),
        ["refresh", "materialized", "view", next, ..] if *next != "concurrently" => {
            Some(("locks-out", "nobody reads the view until it is filled anew".to_owned()))
        }
        _ => None,
    }
}

fn altered(
    scripts: &Scripts<'_>,
    script: &Script,
    statement: &Statement,
    words: &[&str],
    table: &str,
) -> Found {
    const VOLATILE: &[&str] = &[
        "clock_timestamp",
        "gen_random_uuid",
        "nextval",
        "random",
        "timeofday",
        "uuid_generate_v1",
        "uuid_generate_v4",
        "uuidv4",
        "uuidv7",
    ];
    let adds_column = statement
        .objects()
        .any(|object| object.kind == ObjectKind::Column && object.verb == Verb::Create);
    let rewrites = |why: &str| {
        Some((
            "rewrites-table",
            format!(
                "this writes every row of{table} anew ({why}), and nobody reads or writes it meanwhile"
            ),
        ))
    };
    if adds_column {
        if words.contains(&"stored") && has(words, &["generated", "always", "as"]) {
            return rewrites("a stored column");
        }
        if words
            .iter()
            .any(|word| matches!(*word, "serial" | "bigserial" | "smallserial"))
            || has(words, &["as", "identity"])
        {
            return rewrites("each gets a number");
        }
        let default = words.iter().position(|word| *word == "default");
        let called = default.and_then(|at| words.get(at..)).and_then(|rest| {
            rest.windows(2).find_map(|pair| match pair {
                [name, "("] if VOLATILE.contains(name) => Some(*name),
                _ => None,
            })
        });
        if let Some(function) = called {
            return rewrites(&format!("`{function}` gives each another value"));
        }
    }
    if has(words, &["set", "logged"]) {
        return rewrites("it is logged from here on");
    }
    let constraint = words
        .iter()
        .position(|word| matches!(*word, "check" | "foreign"));
    let is_added = has(words, &["add", "constraint"])
        || has(words, &["add", "check"])
        || has(words, &["add", "foreign"]);
    if is_added && !adds_column && constraint.is_some() && !has(words, &["not", "valid"]) {
        let what = format!("this checks every row of{table}, and nobody writes to it meanwhile");
        return Some(("scans-under-lock", what));
    }
    if let Some(at) = words
        .windows(2)
        .position(|pair| pair == ["validate", "constraint"])
        && script.mode == Mode::Transactional
    {
        let name = words.get(at + 2).copied().unwrap_or_default();
        let adds = script.statements.iter().any(|other| {
            other.objects().any(|object| {
                object.kind == ObjectKind::Constraint
                    && object.verb == Verb::Create
                    && object.name.eq_ignore_ascii_case(name)
            })
        });
        if adds {
            let what = format!(
                "this checks every row of{table} under the lock of the statement that adds `{name}`, which is held until the script is done"
            );
            return Some(("scans-under-lock", what));
        }
    }
    let column = words
        .windows(3)
        .position(|three| three == ["set", "not", "null"]);
    if let Some(at) = column {
        let name = at
            .checked_sub(1)
            .and_then(|at| words.get(at))
            .copied()
            .unwrap_or_default();
        let tells = [name, "is", "not", "null"];
        let is_shown = scripts
            .whole()
            .flat_map(|(_, script)| &script.statements)
            .any(|other| {
                let words = other.words(scripts.dialect);
                let words: Vec<&str> = words.iter().map(String::as_str).collect();
                words.contains(&"check") && has(&words, &tells)
            });
        if !is_shown {
            let what =
                format!("this reads every row of{table}, and nobody reads or writes it meanwhile");
            return Some(("scans-under-lock", what));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(expand: &str, contract: &str) -> Vec<&'static str> {
        let parse = |text: &str| Script::parse(Dialect::Postgres, text).unwrap();
        let (expand, contract) = (parse(expand), parse(contract));
        let scripts = Scripts {
            manifest: None,
            dialect: Dialect::Postgres,
            expand: Some(&expand),
            backfill: None,
            contract: Some(&contract),
            revert: None,
            later: &[],
            all: &[],
        };
        let found = check(&scripts);
        found.iter().map(|(_, finding)| finding.code).collect()
    }

    #[test]
    fn what_keeps_others_waiting_and_what_does_not() {
        const BARE: &str = "-- migrate: no-transaction\n";
        for (sql, code) in [
            ("CREATE INDEX i ON t (a)", "locks-writes"),
            ("CREATE TABLE t (a int); CREATE INDEX i ON t (a)", ""),
            ("CREATE INDEX i ON ONLY t (a)", ""),
            ("ALTER TABLE t ADD COLUMN a int", ""),
            ("ALTER TABLE t ADD COLUMN a int NOT NULL DEFAULT 1", ""),
            (
                "ALTER TABLE t ADD COLUMN a timestamptz NOT NULL DEFAULT now()",
                "",
            ),
            (
                "ALTER TABLE t ADD COLUMN a uuid DEFAULT gen_random_uuid()",
                "rewrites-table",
            ),
            (
                "ALTER TABLE t ADD COLUMN a text GENERATED ALWAYS AS (lower(b)) STORED",
                "rewrites-table",
            ),
            ("ALTER TABLE t ADD COLUMN a bigserial", "rewrites-table"),
            (
                "ALTER TABLE t ADD COLUMN a bigint GENERATED BY DEFAULT AS IDENTITY",
                "rewrites-table",
            ),
            (
                "CREATE TABLE t (a bigserial, b uuid DEFAULT gen_random_uuid())",
                "",
            ),
            ("LOCK TABLE t", "locks-out"),
            ("REFRESH MATERIALIZED VIEW m", "locks-out"),
            ("REFRESH MATERIALIZED VIEW CONCURRENTLY m", ""),
            ("ANALYZE t", ""),
            ("VACUUM t", ""),
            ("VACUUM (FULL) t", "rewrites-table"),
            ("CLUSTER t USING i", "rewrites-table"),
            ("REINDEX TABLE t", "locks-out"),
            ("REINDEX TABLE CONCURRENTLY t", ""),
        ] {
            let bare = sql.starts_with("VACUUM")
                || sql.starts_with("CLUSTER")
                || sql.starts_with("REINDEX");
            let sql = if bare {
                format!("{BARE}{sql}")
            } else {
                sql.to_owned()
            };
            let expected: Vec<&str> = [code].into_iter().filter(|code| !code.is_empty()).collect();
            assert_eq!(codes(&sql, "SELECT 1"), expected, "{sql}");
        }
    }

    #[test]
    fn a_contract_locks_as_an_expand_does() {
        for (expand, contract, code) in [
            (
                "SELECT 1",
                "ALTER TABLE t ALTER a SET NOT NULL",
                "scans-under-lock",
            ),
            (
                "SELECT 1",
                "ALTER TABLE t ADD CONSTRAINT c CHECK (a IS NOT NULL) NOT VALID; ALTER TABLE t ALTER a SET NOT NULL",
                "",
            ),
            (
                "SELECT 1",
                "ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0)",
                "scans-under-lock",
            ),
            (
                "SELECT 1",
                "ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0) NOT VALID",
                "",
            ),
            (
                "SELECT 1",
                "ALTER TABLE t ADD CONSTRAINT f FOREIGN KEY (a) REFERENCES u (a)",
                "scans-under-lock",
            ),
            (
                "SELECT 1",
                "ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0) NOT VALID; ALTER TABLE t VALIDATE CONSTRAINT c",
                "scans-under-lock",
            ),
            (
                "SELECT 1",
                "-- migrate: no-transaction\nALTER TABLE t ADD CONSTRAINT c CHECK (a > 0) NOT VALID; ALTER TABLE t VALIDATE CONSTRAINT c",
                "",
            ),
            // As short as what takes a column away.
            ("SELECT 1", "DROP INDEX i", ""),
            (
                "SELECT 1",
                "-- migrate: no-transaction\nDROP INDEX CONCURRENTLY i",
                "",
            ),
            ("SELECT 1", "ALTER TABLE t DROP COLUMN a", ""),
            ("SELECT 1", "CREATE UNIQUE INDEX i ON t (a)", "locks-writes"),
        ] {
            let expected: Vec<&str> = [code].into_iter().filter(|code| !code.is_empty()).collect();
            assert_eq!(codes(expand, contract), expected, "{contract}");
        }
    }
}
