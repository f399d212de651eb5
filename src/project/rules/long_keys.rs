//! An index over a column whose texts are long: PostgreSQL refuses a row whose entry does not fit into a third of a page. A column of names or
//! addresses is of the same type, so that what it is called decides.

use crate::model::Step;
use crate::sql::{Dialect, Statement, Table, Tables};

use super::super::finding::{Finding, first_line};
use super::super::later;
use super::{Scripts, formats};

const CODE: &str = "long-keys";

/// An entry holds so many bytes.
const FITS: u64 = 2704;

/// What is said of a column whose values have no usual length.
const LONG: &[&str] = &[
    "abstract",
    "article",
    "bio",
    "biography",
    "body",
    "comment",
    "comments",
    "content",
    "contents",
    "css",
    "description",
    "details",
    "document",
    "essay",
    "excerpt",
    "html",
    "instructions",
    "json",
    "log",
    "logs",
    "markdown",
    "md",
    "memo",
    "message",
    "note",
    "notes",
    "output",
    "payload",
    "prompt",
    "query",
    "raw",
    "remark",
    "remarks",
    "response",
    "script",
    "source",
    "sql",
    "stacktrace",
    "story",
    "summary",
    "text",
    "trace",
    "transcript",
    "xml",
];

/// What makes something short of a value, or looks how long it is.
const SHORT: &[&str] = &[
    "char_length",
    "digest",
    "hashtext",
    "hashtextextended",
    "left",
    "length",
    "md5",
    "octet_length",
    "sha224",
    "sha256",
    "sha512",
    "substr",
    "substring",
];

pub(super) fn check(scripts: &Scripts<'_>) -> Vec<(Step, Finding)> {
    let dialect = scripts.dialect;
    if dialect != Dialect::Postgres || scripts.lint.off.contains_key(CODE) {
        return Vec::new();
    }
    let mut found = Vec::new();
    for (step, script) in scripts.whole() {
        for (index, statement) in script.statements.iter().enumerate() {
            if !builds(statement) {
                continue;
            }
            let mut tables = Tables::default();
            tables.apply_statement(dialect, statement);
            for (table, made) in tables.iter() {
                // Whatever is written into a table of its own, only those write that know it.
                if formats::makes(script, table) {
                    continue;
                }
                let Some(known) = later::table(scripts.before(), dialect, table) else {
                    continue;
                };
                let mut columns = made
                    .indexes
                    .iter()
                    .flat_map(|one| one.columns.iter().chain(&one.includes));
                if let Some(column) = columns.find(|column| is_long(&known, column)) {
                    found.push((step, finding(statement, table, column).excusable(index)));
                }
            }
        }
    }
    found
}

/// Whether it builds an index in the order of its values, over all of them.
fn builds(statement: &Statement) -> bool {
    const OTHER: &[&str] = &["hash", "gin", "gist", "spgist", "brin"];
    let words = statement.words(Dialect::Postgres);
    let begins = words.first().map_or("", String::as_str);
    let has = |word: &str| words.iter().any(|one| one == word);
    let mut pairs = words.windows(2);
    let is_other = pairs.any(|pair| match pair {
        [using, method] => {
            using == "using" && (method == "index" || OTHER.contains(&method.as_str()))
        }
        _ => false,
    });
    matches!(begins, "create" | "alter")
        && (has("index") || has("unique"))
        && !is_other
        && !words.iter().any(|word| SHORT.contains(&word.as_str()))
}

/// Whether nothing says how long a value of it is, but its name.
fn is_long(known: &Table, name: &str) -> bool {
    let Some(column) = known.column(Dialect::Postgres, name) else {
        return false;
    };
    let mut conditions = known.conditions_on(Dialect::Postgres, name);
    let is_bounded = conditions.any(|condition| condition.to_lowercase().contains("length"));
    let kind = column.kind.to_ascii_lowercase();
    let length = kind.split_once('(').and_then(|(_, rest)| {
        let (length, _) = rest.split_once(')')?;
        length.trim().parse::<u64>().ok()
    });
    let is_called_so = || {
        let lower = name.to_lowercase();
        lower.split('_').any(|part| LONG.contains(&part))
    };
    let may_be_long = match kind.split('(').next().unwrap_or_default().trim() {
        "jsonb" => true,
        "text" | "citext" | "bytea" => is_called_so(),
        "varchar" | "character varying" => {
            length.is_none_or(|length| length > FITS) && is_called_so()
        }
        _ => false,
    };
    may_be_long && !is_bounded
}

fn finding(statement: &Statement, table: &str, column: &str) -> Finding {
    Finding::new(
        CODE,
        first_line(statement),
        format!(
            "`{column}` of `{table}` takes values of any length, and an entry of this index about 2,700 bytes: from then on whoever writes a longer one \
             is refused, live versions as well"
        ),
        format!(
            "index `md5({column})` or `left({column}, 200)`, write `USING hash ({column})` for what is only looked up, or let a CHECK bound its length in \
             a migration before"
        ),
    )
}
