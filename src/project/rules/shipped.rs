//! Functions of triggers that come with PostgreSQL: each takes some events and some columns, and fails with any other.

use crate::sql::{Dependent, Dialect, Statement, Table};

/// Whether a function of triggers comes with the database.
pub(super) fn is(function: &str) -> bool {
    const OTHERS: &[&str] = &["lo_manage"];
    let name = function.rsplit('.').next().unwrap_or(function);
    OTHERS.contains(&name) || ALL.iter().any(|one| one.name == name)
}

struct Shipped {
    name: &'static str,
    /// The only writes that it may be called for.
    writes: &'static [&'static str],
    /// How the type of the column begins that stands first in its parentheses.
    first: Option<&'static str>,
    /// Whether the name of a configuration comes second.
    is_configured: bool,
}

const ALL: &[Shipped] = &[
    Shipped {
        name: "moddatetime",
        writes: &["update"],
        first: Some("timestamp"),
        is_configured: false,
    },
    Shipped {
        name: "suppress_redundant_updates_trigger",
        writes: &["update"],
        first: None,
        is_configured: false,
    },
    Shipped {
        name: "tsvector_update_trigger",
        writes: &["insert", "update"],
        first: Some("tsvector"),
        is_configured: true,
    },
    Shipped {
        name: "tsvector_update_trigger_column",
        writes: &["insert", "update"],
        first: Some("tsvector"),
        is_configured: false,
    },
];

/// Why each write fails that fires it, in words that complete "the trigger …", and what to write instead.
pub(super) fn wrong(
    dialect: Dialect,
    statement: &Statement,
    code: &Dependent,
    called: &str,
    table: Option<&Table>,
) -> Option<(String, String)> {
    let shipped = ALL.iter().find(|one| one.name == called)?;
    let header = code.header.to_lowercase();
    let says = |word: &str| {
        let mut words = header.split(|c: char| !c.is_alphanumeric() && c != '_');
        words.any(|other| other == word)
    };
    let others = ["insert", "update", "delete", "truncate"]
        .into_iter()
        .any(|write| says(write) && !shipped.writes.contains(&write));
    if others || !says("before") || !says("row") {
        let writes = shipped.writes.join(" OR ").to_uppercase();
        return Some((
            format!(
                "calls `{called}`, which may only be called before {}, for each row: each write that fires it otherwise fails",
                match shipped.writes {
                    ["update"] => "an UPDATE",
                    _ => "an INSERT or an UPDATE",
                }
            ),
            format!("write `BEFORE {writes} … FOR EACH ROW`"),
        ));
    }
    let words = statement.words(dialect);
    let at = words.iter().rposition(|word| word == called)?;
    let arguments: Vec<&str> = words
        .get(at + 2..)?
        .iter()
        .take_while(|word| *word != ")")
        .filter(|word| *word != ",")
        .map(String::as_str)
        .collect();
    let begins = shipped.first?;
    let first = arguments.first()?.trim_matches(['\'', '"']);
    if let Some(column) = table.and_then(|table| table.column(dialect, first))
        && !column.kind.to_lowercase().starts_with(begins)
    {
        return Some((
            format!(
                "has `{called}` write `{first}`, which is no `{begins}` (`{}`): each write that fires it fails",
                column.kind
            ),
            format!("name the column of the type `{begins}` first"),
        ));
    }
    let second = arguments.get(1).filter(|_| shipped.is_configured)?;
    let second = second.trim_matches(['\'', '"']);
    (!second.contains('.')).then(|| {
        (
            format!(
                "gives `{called}` the configuration `{second}` without its schema: each write that fires it fails"
            ),
            format!("write `'pg_catalog.{second}'`"),
        )
    })
}
