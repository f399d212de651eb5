//! What the catalogue says of the columns of the ledger's tables, beside what this program has made them of.
//!
//! Somebody may have altered a table, or have made it anew without its key. Then a row that counts may go unseen, and a statement
//! fails in the server's bare words, or only once there are rows. So it is looked at beforehand, together with whose the tables are.

use crate::database::{DatabaseError, Row};

/// A column of a table of the ledger, as this program makes it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Column {
    table: &'static str,
    name: &'static str,
    holds: Holds,
    /// What of it is needed.
    needs: &'static [Need],
    came: Came,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Came {
    WithTheTable,
    /// A ledger of before may lack it.
    Later,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Holds {
    Number,
    Text,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Need {
    NotNull,
    Key,
    /// Who writes does not name it.
    Default,
}

/// What speaks against tables that have been compared.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Compared {
    /// In words.
    pub(super) against: Vec<String>,
    /// The columns that came later and are not there, each as its table and its name: what speaks against a ledger that has
    /// recorded that it has them.
    pub(super) lacking: Vec<(&'static str, &'static str)>,
}

/// Words for a column that is not there.
pub(super) fn no_column(prefix: &str, table: &str, name: &str) -> String {
    format!("{prefix}{table} has no column {name}")
}

/// The query of the columns that these tables have, from the one of the database.
pub(super) fn query(of_database: &str, tables: &[&str]) -> String {
    let names: Vec<String> = tables.iter().map(|name| format!("'{name}'")).collect();
    of_database.replace("{tables}", &names.join(", "))
}

/// Compares the columns that were found with those that this program makes.
pub(super) fn compared(
    found: &[Row],
    made: &[Column],
    prefix: &str,
) -> Result<Compared, DatabaseError> {
    let mut compared = Compared::default();
    for column in made {
        let (mut is_seen, mut there) = (false, None);
        for row in found {
            if row.text(0)? == column.table {
                is_seen = true;
                if row.text(1)? == column.name {
                    there = Some(row);
                }
            }
        }
        match (there, column.came) {
            (Some(row), _) => compared.against.extend(flaws(column, row, prefix)?),
            // The table is not there, or not for this user to see.
            (None, _) if !is_seen => {}
            (None, Came::Later) => compared.lacking.push((column.table, column.name)),
            (None, Came::WithTheTable) => {
                let words = no_column(prefix, column.table, column.name);
                compared.against.push(words);
            }
        }
    }
    Ok(compared)
}

/// What is wrong with a column that is there.
fn flaws(expected: &Column, row: &Row, prefix: &str) -> Result<Vec<String>, DatabaseError> {
    let kind = row.text(2)?;
    let (may_be_null, is_key) = (row.int(3)? != 0, row.int(4)? != 0);
    let (is_generated, has_default) = (row.int(5)? != 0, row.int(6)? != 0);
    let mut found = Vec::new();
    if !expected.holds.may_be(kind) {
        found.push(format!("is of the type {kind}"));
    }
    if is_generated {
        found.push("is generated".to_owned());
    }
    for need in expected.needs {
        let (is_met, otherwise) = match need {
            Need::NotNull => (!may_be_null, "may be NULL"),
            Need::Key => (is_key, "is not in the primary key"),
            Need::Default => (has_default, "has no default"),
        };
        if !is_met {
            found.push(otherwise.to_owned());
        }
    }
    let Column { table, name, .. } = expected;
    let flaws = found.iter();
    Ok(flaws
        .map(|flaw| format!("{prefix}{table}.{name} {flaw}"))
        .collect())
}

impl Holds {
    /// Whether a type of this name, of whichever database, is one of these.
    fn may_be(self, kind: &str) -> bool {
        match self {
            Self::Number => matches!(kind, "bigint" | "int8" | "integer"),
            Self::Text => kind.ends_with("text") || kind.contains("char"),
        }
    }
}

/// The columns of a table, from the words that make it.
pub(super) fn of_table(table: &'static str, definition: &'static str) -> Vec<Column> {
    let (columns, key) = definition
        .split_once(", PRIMARY KEY (")
        .unwrap_or((definition, ""));
    let key: Vec<&str> = key.trim_end_matches(')').split(", ").collect();
    let each = columns.split(", ").filter_map(|column| {
        let (name, rest) = column.trim().split_once(' ')?;
        let is_key = rest.contains("PRIMARY KEY") || key.contains(&name);
        Some(Column {
            table,
            name,
            holds: held(rest),
            needs: match (rest.contains("NOT NULL"), is_key) {
                (true, true) => &[Need::NotNull, Need::Key],
                (true, false) => &[Need::NotNull],
                (false, true) => &[Need::Key],
                (false, false) => &[],
            },
            came: Came::WithTheTable,
        })
    });
    each.collect()
}

/// A column that came later, from its type.
pub(super) fn added(table: &'static str, name: &'static str, kind: &str) -> Column {
    Column {
        table,
        name,
        holds: held(kind),
        needs: &[Need::NotNull, Need::Default],
        came: Came::Later,
    }
}

fn held(kind: &str) -> Holds {
    match kind.starts_with("BIGINT") || kind.starts_with("{key_int}") {
        true => Holds::Number,
        false => Holds::Text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::database::Value;

    /// A column as a catalogue tells of it: `n` may be NULL, `k` in the key, `g` generated, `d` with a default.
    fn row(table: &str, name: &str, kind: &str, marks: &str) -> Row {
        let mut values: Vec<Value> = vec![table.into(), name.into(), kind.into()];
        let marks = "nkgd".chars().map(|mark| marks.contains(mark));
        values.extend(marks.map(|is_so| Value::Int(i64::from(is_so))));
        Row(values)
    }

    fn made() -> Vec<Column> {
        let mut made = of_table(
            "leases",
            "id {key_text} PRIMARY KEY, version {key_text} NOT NULL, instance {text}, \
             renew_ms BIGINT NOT NULL CHECK (renew_ms BETWEEN 1 AND 604800000), expires_at BIGINT NOT NULL",
        );
        made.extend(of_table(
            "steps",
            "number BIGINT NOT NULL, phase {key_text} NOT NULL, done_at BIGINT, PRIMARY KEY (number, phase)",
        ));
        made.push(added("leases", "address", "{key_text} NOT NULL"));
        made
    }

    fn as_made() -> Vec<Row> {
        [
            ("leases", "id", "text", "k"),
            ("leases", "version", "varchar", ""),
            ("leases", "instance", "longtext", "n"),
            ("leases", "renew_ms", "bigint", ""),
            ("leases", "expires_at", "int8", ""),
            ("leases", "address", "text", "d"),
            ("steps", "number", "integer", "k"),
            ("steps", "phase", "text", "k"),
            ("steps", "done_at", "bigint", "n"),
        ]
        .map(|(table, name, kind, marks)| row(table, name, kind, marks))
        .into()
    }

    #[test]
    fn what_was_made_has_nothing_against_it() {
        let nothing = Compared::default();
        assert_eq!(
            compared(&as_made(), &made(), "phasegate_").unwrap(),
            nothing
        );
        assert_eq!(compared(&[], &made(), "phasegate_").unwrap(), nothing);
    }

    #[test]
    fn what_was_altered_is_named() {
        let with = |(table, name): (&str, &str), replacement: Option<Row>| {
            let mut rows = as_made();
            rows.retain(|row| (row.text(0).unwrap(), row.text(1).unwrap()) != (table, name));
            rows.extend(replacement);
            compared(&rows, &made(), "phasegate.").unwrap()
        };
        for (table, name, kind, marks, said) in [
            ("leases", "renew_ms", "text", "", "is of the type text"),
            ("leases", "expires_at", "int8", "n", "may be NULL"),
            ("leases", "id", "text", "", "is not in the primary key"),
            ("leases", "version", "varchar", "g", "is generated"),
            ("leases", "address", "text", "", "has no default"),
            ("steps", "phase", "text", "", "is not in the primary key"),
        ] {
            let altered = with((table, name), Some(row(table, name, kind, marks)));
            assert_eq!(
                altered.against,
                [format!("phasegate.{table}.{name} {said}")]
            );
        }
        let missing = with(("leases", "renew_ms"), None);
        assert_eq!(missing.against, ["phasegate.leases has no column renew_ms"]);
        let lacking = with(("leases", "address"), None);
        assert_eq!(lacking.against, [] as [&str; 0]);
        assert_eq!(lacking.lacking, [("leases", "address")]);
        // What somebody has added is his.
        let more = with(("", ""), Some(row("leases", "more", "int4", "n")));
        assert_eq!(more, Compared::default());
    }

    #[test]
    fn a_catalogue_is_asked_about_all_tables_at_once() {
        assert_eq!(query("IN ({tables})", &["a", "b"]), "IN ('a', 'b')");
    }
}
