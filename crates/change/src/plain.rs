//! Changes that need no second format: what is added, and what is taken away once nobody uses it.

use phasegate_model::model::{Step, Sync};
use phasegate_sql::Dialect;

use super::names::Place;
use super::text::Script;
use super::{Allowed, Generated, Varied, Wrong};

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AddColumn {
    pub column: String,
    pub kind: Varied,
    pub default: Option<Varied>,
    pub not_null: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DropColumn {
    pub columns: Vec<String>,
    /// What versions that no longer know a column leave in it, where it is NOT NULL without a default of its own.
    pub placeholder: Option<Varied>,
    /// Indexes over them, which go first.
    pub drop_indexes: Vec<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DropTable;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Index {
    pub name: String,
    pub columns: Vec<String>,
    /// In place of `columns`: what is indexed, as SQL: `lower(email)`.
    pub on: Option<Varied>,
    /// Which rows: `deleted_at IS NULL` (not on MySQL and MariaDB).
    pub condition: Option<Varied>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DropIndex {
    pub name: String,
}

/// A type that holds more and is stored in the same way: a longer `varchar`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Widen {
    pub column: String,
    pub from: Varied,
    pub to: Varied,
}

pub(super) fn add_column(change: &AddColumn, place: &Place) -> Result<Generated, Wrong> {
    let table = place.table();
    let column = place.column(&change.column);
    let kind = change.kind.said("type", place.dialect)?;
    let default = match &change.default {
        Some(default) => format!(" DEFAULT {}", default.said("default", place.dialect)?),
        None => String::new(),
    };
    let not_null = match (change.not_null, &change.default) {
        (true, None) => {
            return Err(Wrong::new(
                format!(
                    "`{}` is NOT NULL and has no default: versions that do not know it could no longer insert",
                    change.column
                ),
                "give it a `default`, or add it without `not_null` and a migration of the kind `not-null` later",
            ));
        }
        (true, Some(_)) => " NOT NULL",
        (false, _) => "",
    };
    Ok(Generated::of([
        (
            Step::Expand,
            Script::whole().statement(format!(
                "ALTER TABLE {table} ADD COLUMN {column} {kind}{not_null}{default}"
            )),
        ),
        (
            Step::Revert,
            Script::whole().statement(format!("ALTER TABLE {table} DROP COLUMN {column}")),
        ),
    ]))
}

pub(super) fn drop_column(change: &DropColumn, place: &Place) -> Result<Generated, Wrong> {
    let table = place.table();
    let drops = change
        .columns
        .iter()
        .map(|name| format!("DROP COLUMN {}", place.column(name)));
    let contract = match place.dialect {
        Dialect::Sqlite => {
            // A column that an index is over cannot be dropped.
            let indexes = change.drop_indexes.iter();
            let script = indexes.fold(Script::whole(), |script, index| {
                script.statement(format!("DROP INDEX {}", place.in_schema(index)))
            });
            drops.fold(script, |script, drop| {
                script.statement(format!("ALTER TABLE {table} {drop}"))
            })
        }
        // An index goes with its column.
        Dialect::Postgres => {
            let drops: Vec<String> = drops.collect();
            Script::whole().statement(format!("ALTER TABLE {table} {}", drops.join(", ")))
        }
        // Of an index that is over others as well these would be left.
        Dialect::Mysql => {
            let indexes = change.drop_indexes.iter();
            let indexes = indexes.map(|index| format!("DROP INDEX {}", place.column(index)));
            let drops: Vec<String> = indexes.chain(drops).collect();
            Script::whole().statement(format!("ALTER TABLE {table} {}", drops.join(", ")))
        }
    };
    let Some(placeholder) = &change.placeholder else {
        return Ok(Generated::of([(Step::Contract, contract)]));
    };
    if place.dialect == Dialect::Sqlite {
        return Err(Wrong::new(
            "SQLite cannot give a column a default once it is there",
            "leave `placeholder` out where the column may be NULL, or rebuild the table with scripts of your own",
        ));
    }
    let placeholder = placeholder.said("placeholder", place.dialect)?;
    let all = |what: &str| {
        let each: Vec<String> = change
            .columns
            .iter()
            .map(|name| format!("ALTER COLUMN {} {what}", place.column(name)))
            .collect();
        format!("ALTER TABLE {table} {}", each.join(", "))
    };
    Ok(Generated {
        sync: Sync::Both,
        ..Generated::of([
            (
                Step::Expand,
                Script::whole().explained(
                    "For versions that no longer say what stands there.",
                    all(&format!("SET DEFAULT {placeholder}")),
                ),
            ),
            (Step::Contract, contract),
            (Step::Revert, Script::whole().statement(all("DROP DEFAULT"))),
        ])
    })
}

pub(super) fn drop_table(_: &DropTable, place: &Place) -> Generated {
    Generated::of([(
        Step::Contract,
        Script::whole().statement(format!("DROP TABLE {}", place.table())),
    )])
}

pub(super) fn index(change: &Index, place: &Place) -> Generated {
    let table = place.table();
    let name = place.column(&change.name);
    let on = change.on.as_ref().and_then(|on| on.of(place.dialect));
    let on = on.map_or_else(|| place.columns(&change.columns), str::to_owned);
    let condition = change
        .condition
        .as_ref()
        .and_then(|condition| condition.of(place.dialect))
        .filter(|_| place.dialect != Dialect::Mysql)
        .map(|condition| format!(" WHERE {condition}"))
        .unwrap_or_default();
    let (expand, revert) = match place.dialect {
        Dialect::Postgres => (
            Script::one_by_one().explained(
                "Beside writers, which is possible outside of a transaction only; one that an interruption left invalid is built again.",
                format!("CREATE INDEX CONCURRENTLY {name} ON {table} ({on}){condition}"),
            ),
            Script::one_by_one().statement(format!(
                "DROP INDEX CONCURRENTLY {}",
                place.in_schema(&change.name)
            )),
        ),
        Dialect::Mysql => (
            Script::whole().explained(
                "Refused where it could not be built beside writers.",
                format!("CREATE INDEX {name} ON {table} ({on}) ALGORITHM = INPLACE LOCK = NONE"),
            ),
            Script::whole().statement(format!(
                "ALTER TABLE {table} DROP INDEX {name}, ALGORITHM = INPLACE, LOCK = NONE"
            )),
        ),
        Dialect::Sqlite => (
            Script::whole().statement(format!("CREATE INDEX {name} ON {table} ({on}){condition}")),
            Script::whole().statement(format!("DROP INDEX {}", place.in_schema(&change.name))),
        ),
    };
    Generated::of([(Step::Expand, expand), (Step::Revert, revert)])
}

pub(super) fn drop_index(change: &DropIndex, place: &Place) -> Generated {
    let name = place.column(&change.name);
    let contract = match place.dialect {
        Dialect::Postgres => Script::one_by_one().statement(format!(
            "DROP INDEX CONCURRENTLY {}",
            place.in_schema(&change.name)
        )),
        Dialect::Mysql => Script::whole().statement(format!(
            "ALTER TABLE {} DROP INDEX {name}, ALGORITHM = INPLACE, LOCK = NONE",
            place.table()
        )),
        Dialect::Sqlite => {
            Script::whole().statement(format!("DROP INDEX {}", place.in_schema(&change.name)))
        }
    };
    Generated::of([(Step::Contract, contract)])
}

/// A definition as its type and what else is said of the column, which MySQL has to be told again.
fn apart(definition: &str) -> (&str, &str) {
    let definition = definition.trim();
    let end = match (definition.find('('), definition.find(')')) {
        (Some(open), Some(close)) if open < close => close + 1,
        _ => {
            let lower = definition.to_ascii_lowercase();
            let name = ["character varying", "varchar", "text"];
            let name = name.iter().find(|name| lower.starts_with(**name));
            name.map_or(definition.len(), |name| name.len())
        }
    };
    let (kind, rest) = definition.split_at_checked(end).unwrap_or((definition, ""));
    (kind, rest.trim())
}

/// The length of a `varchar`, or none for one without a bound.
fn length(kind: &str) -> Option<Option<u64>> {
    let kind = kind.trim().to_ascii_lowercase();
    let (name, rest) = kind.split_once('(').unwrap_or((&kind, ""));
    match name.trim() {
        "text" if rest.is_empty() => Some(None),
        "varchar" | "character varying" => {
            if rest.is_empty() {
                return Some(None);
            }
            let bound = rest.strip_suffix(')')?.trim().parse().ok()?;
            Some(Some(bound))
        }
        _ => None,
    }
}

pub(super) fn widen(change: &Widen, place: &Place) -> Result<Generated, Wrong> {
    let table = place.table();
    let column = place.column(&change.column);
    if place.dialect == Dialect::Sqlite {
        return Err(Wrong::new(
            "SQLite does not hold texts to the length of their type",
            "there is nothing to widen there: take `sqlite` out of `dialects` in migrate.toml",
        ));
    }
    let from = change.from.said("from", place.dialect)?;
    let to = change.to.said("to", place.dialect)?;
    let ((from_kind, from_rest), (to_kind, to_rest)) = (apart(from), apart(to));
    if place.dialect == Dialect::Postgres && !(from_rest.is_empty() && to_rest.is_empty()) {
        return Err(Wrong::new(
            format!(
                "`from` and `to` are types alone on {}",
                place.dialect.title()
            ),
            "leave out what else is said of the column, which stays as it is: `to = { postgres = \"varchar(200)\", mysql = \"varchar(200) NOT NULL\" }`",
        ));
    }
    if !from_rest.eq_ignore_ascii_case(to_rest) {
        return Err(Wrong::new(
            format!(
                "`from` says `{from_rest}` beside the type, and `to` says `{to_rest}`: more than the length would change"
            ),
            "say in `to` what `from` says: MySQL forgets of a column what is not said again",
        ));
    }
    let is_wider = match (length(from_kind), length(to_kind)) {
        (Some(Some(from)), Some(Some(to))) => from < to,
        (Some(Some(_)), Some(None)) => place.dialect != Dialect::Mysql,
        _ => false,
    };
    if !is_wider {
        return Err(Wrong::new(
            format!("from `{from}` to `{to}` the column would be written anew, or would hold less"),
            "declare it as `kind = \"columns\"`, with a new column beside the old one; `widen` is for a longer varchar",
        ));
    }
    let (script, statement) = match place.dialect {
        Dialect::Mysql => {
            let statement = format!(
                "ALTER TABLE {table} MODIFY COLUMN {column} {to}, ALGORITHM = INPLACE, LOCK = NONE"
            );
            let why = "Says all of the column again, which MySQL wants to hear; refused where the table would be copied.";
            (Script::whole().explained(why, &statement), statement)
        }
        Dialect::Postgres | Dialect::Sqlite => {
            let statement = format!("ALTER TABLE {table} ALTER COLUMN {column} TYPE {to}");
            (Script::whole().statement(&statement), statement)
        }
    };
    Ok(Generated {
        // What the column was before is declared, and not to be found in a script of this migration.
        allow: vec![Allowed {
            step: Step::Expand,
            statement,
        }],
        ..Generated::of([(Step::Expand, script)])
    })
}
