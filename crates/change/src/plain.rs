//! Changes that need no second format: what is added, and what is taken away once nobody uses it.

use phasegate_model::model::{Step, Sync};
use phasegate_sql::Dialect;

use super::names::Place;
use super::text::Script;
use super::{Generated, Holds, Varied, Wrong, not_for_sqlite};

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AddColumn {
    pub column: String,
    pub kind: Varied,
    pub default: Option<Varied>,
    pub not_null: bool,
}

/// Another default of a column, or none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SetDefault {
    pub column: String,
    /// What it is now; `None` if it has none.
    pub from: Option<Varied>,
    /// `None` takes the default away.
    pub to: Option<Varied>,
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

/// A new default is there from expand on, for whoever leaves the column out. One that goes stays until nobody counts on it.
pub(super) fn set_default(change: &SetDefault, place: &Place) -> Result<Generated, Wrong> {
    if place.dialect == Dialect::Sqlite {
        return Err(not_for_sqlite(
            "SQLite cannot change the default of a column that is there",
            "rebuild the table with scripts of your own",
        ));
    }
    let said = |key: &str, default: &Option<Varied>| match default {
        Some(default) => Ok(Some(default.said(key, place.dialect)?.trim().to_owned())),
        None => Ok(None),
    };
    let (from, to) = (said("from", &change.from)?, said("to", &change.to)?);
    let set = |default: Option<&String>| {
        let what = match default {
            Some(default) => format!("SET DEFAULT {default}"),
            None => "DROP DEFAULT".to_owned(),
        };
        Script::whole().statement(format!(
            "ALTER TABLE {} ALTER COLUMN {} {what}",
            place.table(),
            place.column(&change.column)
        ))
    };
    match (&from, &to) {
        (None, None) => Err(Wrong::new(
            format!("nothing is said of the default of `{}`", change.column),
            "write what it becomes: `to = \"'nobody'\"`; or what it is and is no longer: `from = \"'nobody'\"`",
        )),
        (Some(from), Some(to)) if from == to => Err(Wrong::new(
            format!("the default of `{}` is `{to}` already", change.column),
            "there is nothing to do: remove the migration",
        )),
        (Some(_), None) => Ok(Generated::of([(Step::Contract, set(None))])),
        (from, Some(to)) => Ok(Generated {
            holds: Holds::Nothing,
            ..Generated::of([
                (Step::Expand, set(Some(to))),
                (Step::Revert, set(from.as_ref())),
            ])
        }),
    }
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
        return Err(not_for_sqlite(
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
