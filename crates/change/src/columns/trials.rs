//! Whether the server can work out what `forward` and `back` say: a trigger is compiled, or even read, when it first fires, and by then
//! an expression that names what is not there refuses each write of the versions that are live.

use phasegate_sql::Dialect;

use super::super::Wrong;
use super::super::definition::bare_type;
use super::super::text::quote_of;
use super::super::trial::Trial;
use super::Seen;

pub(super) fn trials(seen: &Seen<'_>) -> Result<Vec<Trial>, Wrong> {
    let mut trials = Vec::new();
    for (index, (name, expression)) in seen.forward.iter().enumerate() {
        let value = match kind_at(seen, index)? {
            Some(kind) => format!("CAST({expression} AS {kind})"),
            None => (*expression).to_owned(),
        };
        trials.push(Trial::of(
            said("forward", name, expression),
            format!("SELECT {value} FROM {} LIMIT 0", seen.place.table()),
        ));
    }
    let nothing = nothing_new(seen)?;
    for (name, expression) in &seen.back {
        trials.push(Trial::of(
            said("back", name, expression),
            format!("SELECT {expression} FROM (SELECT {nothing}) AS made LIMIT 0"),
        ));
    }
    // Both ends of the table, of which one may be a row that was wrong before.
    let of_rows = match seen.dialect() {
        Dialect::Postgres => [as_the_trigger(seen, "DESC")?, as_the_trigger(seen, "ASC")?],
        Dialect::Mysql | Dialect::Sqlite => [selected(seen, "DESC"), selected(seen, "ASC")],
    };
    trials.push(Trial {
        what: "what `forward` makes of the rows that are there, or `back` of that".to_owned(),
        queries: of_rows.into(),
    });
    Ok(trials)
}

fn said(section: &str, name: &str, expression: &str) -> String {
    format!("`{name}` under `[change.{section}]` (`{expression}`)")
}

/// The type that a new column has, where an expression can be made one of it.
fn kind_at<'c>(seen: &Seen<'c>, index: usize) -> Result<Option<&'c str>, Wrong> {
    let new = seen.columns.new.get(index);
    let new = new.filter(|_| seen.dialect() == Dialect::Postgres);
    let kind = new.map(|new| seen.kind_of(new)).transpose()?;
    Ok(kind.map(bare_type))
}

/// The columns that expand is going to make, none with a value.
fn nothing_new(seen: &Seen<'_>) -> Result<String, Wrong> {
    let mut columns = Vec::new();
    for (index, name) in seen.new.iter().enumerate() {
        let value = match kind_at(seen, index)? {
            Some(kind) => format!("CAST(NULL AS {kind})"),
            None => "NULL".to_owned(),
        };
        columns.push(format!("{value} AS {}", seen.column(name)));
    }
    Ok(columns.join(", "))
}

/// The first row in that order of the key.
fn first(seen: &Seen<'_>, order: &str) -> String {
    let key: Vec<String> = seen
        .columns
        .key
        .iter()
        .map(|name| format!("{} {order}", seen.column(name)))
        .collect();
    format!(
        "SELECT * FROM {} ORDER BY {} LIMIT 1",
        seen.place.table(),
        key.join(", ")
    )
}

fn selected(seen: &Seen<'_>, order: &str) -> String {
    let made: Vec<String> = seen
        .forward
        .iter()
        .map(|(name, expression)| format!("{expression} AS {}", seen.column(name)))
        .collect();
    let back: Vec<&str> = seen
        .back
        .iter()
        .map(|(_, expression)| *expression)
        .collect();
    format!(
        "SELECT {} FROM (SELECT {} FROM ({}) AS kept) AS made",
        back.join(", "),
        made.join(", "),
        first(seen, order)
    )
}

/// As the trigger does it: an assignment of PL/pgSQL takes what a statement would not, and the other way round.
fn as_the_trigger(seen: &Seen<'_>, order: &str) -> Result<String, Wrong> {
    let place = seen.place;
    let mut variables = String::new();
    let mut forward = String::new();
    let mut made = Vec::new();
    for (index, (name, expression)) in seen.forward.iter().enumerate() {
        let kind = kind_at(seen, index)?.unwrap_or("text");
        let value = seen.of_row(expression, "kept")?;
        variables.push_str(&format!("    made_{index} {kind};\n"));
        forward.push_str(&format!("    made_{index} := {value};\n"));
        made.push(format!("made_{index} AS {}", seen.column(name)));
    }
    let mut back = String::new();
    for (index, (name, expression)) in seen.back.iter().enumerate() {
        let value = seen.of_row(expression, "made")?;
        let (table, column) = (place.table(), seen.column(name));
        variables.push_str(&format!("    back_{index} {table}.{column}%TYPE;\n"));
        back.push_str(&format!("    back_{index} := {value};\n"));
    }
    let body = format!(
        "DECLARE
    kept record;
    made record;
{variables}BEGIN
    {} INTO kept;
    IF NOT FOUND THEN
        RETURN;
    END IF;
{forward}    SELECT {} INTO made;
{back}END
",
        first(seen, order),
        made.join(", ")
    );
    let quote = quote_of(&body);
    Ok(format!("DO {quote}\n{body}{quote}"))
}
