//! Rows that a script adds with numbers written out, in a column that the database gives out: its sequence knows nothing of
//! them, and comes to the same numbers when live versions insert.

use crate::model::Step;
use crate::sql::{Clash, Dialect, Insert, Place, Script, Statement, Table, TableColumn, Value};

use super::super::finding::{Finding, first_line};
use super::super::later;
use super::super::sequences::{self, Forward};
use super::{Scripts, formats};

pub(super) fn check(scripts: &Scripts<'_>) -> Vec<(Step, Finding)> {
    let dialect = scripts.dialect;
    let is_declared = scripts.is_declared();
    // MySQL and SQLite go on behind the largest number that is there.
    if dialect != Dialect::Postgres || is_declared {
        return Vec::new();
    }
    let mut found = Vec::new();
    for (step, script) in scripts.whole() {
        for (index, statement) in script.statements.iter().enumerate() {
            let Some(insert) = statement.inserts(dialect).or_else(|| brought(statement)) else {
                continue;
            };
            let table = &insert.place.table;
            if formats::makes(script, table) {
                continue;
            }
            let Some(known) = later::table(scripts.before(), dialect, table) else {
                continue;
            };
            let Some((column, largest)) = written_out(dialect, &insert, &known) else {
                continue;
            };
            if is_seen_to(script, table, &column, largest) {
                continue;
            }
            let which = match largest {
                Some(number) => format!(" (up to {number})"),
                None => String::new(),
            };
            let finding = Finding::unsurvived(
                step,
                first_line(statement),
                format!(
                    "live versions may not survive this: it writes numbers of `{column}` in `{table}` out{which}, which the database gives out: \
                     its sequence knows nothing of them, and INSERTs of live versions fail when it comes to the same"
                ),
                help(dialect, table, &column, largest),
            );
            found.push((step, finding.excusable(index)));
        }
    }
    found
}

/// Rows that come from a file or from another table, as an INSERT of which no value is known: COPY and MERGE.
fn brought(statement: &Statement) -> Option<Insert> {
    let words = statement.words(Dialect::Postgres);
    let at = |place: usize| words.get(place).map_or("", String::as_str);
    let (name, rest) = match (at(0), at(1)) {
        ("copy", "binary") => (2, 3),
        ("copy", _) => (1, 2),
        ("merge", "into") => (2 + usize::from(at(2) == "only"), 3),
        _ => return None,
    };
    let (name, rest) = match at(name + 1) {
        "." => (name + 2, name + 3),
        _ => (name, rest.max(name + 1)),
    };
    let columns = |open: usize| {
        let names = words.get(open + 1..).unwrap_or_default().iter();
        let names = names
            .take_while(|word| *word != ")")
            .filter(|word| *word != ",");
        (at(open) == "(").then(|| names.cloned().collect::<Vec<String>>())
    };
    let (columns, rows) = if at(0) == "copy" {
        let named = columns(rest);
        let behind = named
            .as_ref()
            .map_or(rest, |named| rest + 2 * named.len() + 1);
        if at(behind) != "from" {
            return None;
        }
        (named, Vec::new())
    } else {
        let insert =
            (rest..words.len()).find(|place| at(*place) == "insert" && at(place - 1) == "then")?;
        let named = columns(insert + 1);
        let values = (insert..words.len()).find(|place| at(*place) == "values")?;
        let open = values + 1;
        (named, vec![values_at(&words, open)])
    };
    Some(Insert {
        place: Place {
            schema: None,
            table: at(name).to_owned(),
        },
        columns,
        rows,
        from: None,
        clash: Clash::Fails,
    })
}

/// What stands between the commas of a parenthesis.
fn values_at(words: &[String], open: usize) -> Vec<Value> {
    let (mut depth, mut values, mut text) = (0_usize, Vec::new(), String::new());
    for word in words.get(open..).unwrap_or_default() {
        match word.as_str() {
            "(" if depth == 0 => depth = 1,
            ")" if depth == 1 => break,
            "," if depth == 1 => values.push(Value {
                text: std::mem::take(&mut text),
            }),
            _ => {
                depth = match word.as_str() {
                    "(" => depth + 1,
                    ")" => depth.saturating_sub(1),
                    _ => depth,
                };
                text.push_str(word);
            }
        }
    }
    values.push(Value { text });
    values
}

fn help(dialect: Dialect, table: &str, column: &str, largest: Option<u64>) -> String {
    let (of, name) = (dialect.quoted(table), dialect.quoted(column));
    let sequence = format!("pg_get_serial_sequence('{of}', '{column}')");
    match largest {
        Some(number) if number <= sequences::MOST => format!(
            "leave `{column}` out; or take these numbers from the sequence first, by `SELECT nextval({sequence}) FROM generate_series(1, {number})` \
             above this statement"
        ),
        Some(number) => format!(
            "leave `{column}` out; or set the sequence first, by `SELECT setval({sequence}, greatest({number}, nextval({sequence})))` above this statement"
        ),
        None => format!(
            "leave `{column}` out; or write `LOCK TABLE {of} IN SHARE ROW EXCLUSIVE MODE` above this statement and `SELECT setval({sequence}, max({name})) \
             FROM {of}` below it"
        ),
    }
}

/// The column that is given out, and the largest number that the rows give it, where each is written as a number.
fn written_out(dialect: Dialect, insert: &Insert, known: &Table) -> Option<(String, Option<u64>)> {
    let columns: Vec<&str> = match &insert.columns {
        Some(columns) => columns.iter().map(String::as_str).collect(),
        None if known.is_certain => {
            let columns = known.columns.iter();
            columns.map(|column| column.name.as_str()).collect()
        }
        None => return None,
    };
    let (at, column) = columns.iter().enumerate().find_map(|(at, name)| {
        let column = known.column(dialect, name)?;
        is_given_out(column).then_some((at, column))
    })?;
    let mut largest = Some(0);
    let mut is_written = insert.rows.is_empty();
    for row in &insert.rows {
        // A row that is shorter leaves the last columns out.
        let Some(value) = row.get(at) else { continue };
        let text = value.text.trim().to_lowercase();
        if text == "default" || text.contains("nextval") {
            continue;
        }
        match text.parse::<i64>() {
            Ok(number) => {
                let number = u64::try_from(number).unwrap_or_default();
                is_written |= number > 0;
                largest = largest.map(|largest: u64| largest.max(number));
            }
            Err(_) => (is_written, largest) = (true, None),
        }
    }
    if insert.rows.is_empty() {
        largest = None;
    }
    is_written.then(|| (column.name.clone(), largest))
}

fn is_given_out(column: &TableColumn) -> bool {
    let kind = column.kind.to_lowercase();
    let default = column.default.as_deref().unwrap_or_default().to_lowercase();
    let more = column.more.join(" ").to_lowercase();
    kind.contains("serial")
        || default.contains("nextval")
        || column.is_made && default.is_empty() && (is_number(&kind) && !more.contains("stored"))
}

fn is_number(kind: &str) -> bool {
    kind.contains("int")
}

/// Whether a statement of the script sees to it that the sequence does not come to these numbers.
fn is_seen_to(script: &Script, table: &str, column: &str, largest: Option<u64>) -> bool {
    (0..script.statements.len()).any(|index| {
        match sequences::forward(script, index, table, column) {
            Some(Forward::By(count)) => largest.is_some_and(|largest| largest <= count),
            Some(Forward::To(number)) => largest.is_some_and(|largest| largest <= number),
            Some(Forward::PastAll) => true,
            None => false,
        }
    })
}
