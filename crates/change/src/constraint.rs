//! What rows have to be from the contract on: NOT NULL, CHECK, FOREIGN KEY, UNIQUE.
//!
//! Versions that may still write what the constraint forbids use the *old* format; nothing is forbidden before they are gone.
//! So the constraint itself is the contract, in the way that holds writers up least: PostgreSQL reads the table for it beside
//! writers (`NOT VALID`, then `VALIDATE` in a statement of its own; a unique index `CONCURRENTLY`).

use phasegate_model::model::{Step, Sync};
use phasegate_sql::{self as sql, Dialect};

use super::names::Place;
use super::text::{Script, quote_of, trigger_function};
use super::trial::Trial;
use super::{Allowed, Filling, Generated, Varied, Wrong, not_for_sqlite};

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NotNull {
    pub column: String,
    /// Its type, where the database has to be told it again (MySQL, MariaDB).
    pub kind: Varied,
    /// A unique key that the backfill goes along; only with `fill`.
    pub key: Vec<String>,
    /// What stands in place of NULL: from expand on in what is written, by the backfill in what is there. Without it
    /// nothing fills the column, and the contract waits until no NULL is left.
    pub fill: Option<Varied>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Check {
    pub name: Option<String>,
    pub condition: Varied,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ForeignKey {
    pub name: Option<String>,
    pub columns: Vec<String>,
    pub references: String,
    pub referenced: Vec<String>,
    /// `CASCADE`, `SET NULL`, …
    pub on_delete: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unique {
    pub name: Option<String>,
    pub columns: Vec<String>,
}

/// Whether the server can put `fill` into the column, which triggers do that nothing has looked into before they fire.
fn worked_out(change: &NotNull, place: &Place, fill: &str) -> Trial {
    let query = match place.dialect {
        Dialect::Postgres => {
            let column = format!("{}.{}", place.table(), place.column(&change.column));
            let body =
                format!("DECLARE\n    filled {column}%TYPE;\nBEGIN\n    filled := {fill};\nEND\n");
            let quote = quote_of(&body);
            format!("DO {quote}\n{body}{quote}")
        }
        Dialect::Mysql | Dialect::Sqlite => format!("SELECT {fill}"),
    };
    Trial::of(format!("`fill` (`{fill}`)"), query)
}

/// SQLite has constraints of a table only from its beginning.
fn refuse_sqlite(place: &Place, what: &str) -> Result<(), Wrong> {
    if place.dialect != Dialect::Sqlite {
        return Ok(());
    }
    Err(not_for_sqlite(
        format!("SQLite cannot add {what} to a table that is there"),
        "rebuild the table with scripts of your own",
    ))
}

/// An expression for a database, checked to be one.
fn expression<'v>(varied: &'v Varied, key: &str, dialect: Dialect) -> Result<&'v str, Wrong> {
    let text = varied.said(key, dialect)?;
    sql::columns_in(dialect, text, &[]).map_err(|error| {
        Wrong::new(
            format!(
                "`{key}` is no expression on {}: {}",
                dialect.title(),
                error.message
            ),
            error.help,
        )
    })?;
    Ok(text)
}

pub(super) fn not_null(change: &NotNull, place: &Place) -> Result<Generated, Wrong> {
    refuse_sqlite(place, "NOT NULL")?;
    let table = place.table();
    let column = place.column(&change.column);
    let left = format!("SELECT count(*) FROM {table} WHERE {column} IS NULL");
    let mut allow = Vec::new();
    let contract = match place.dialect {
        Dialect::Postgres => {
            let name = place.constraint(&format!("{}_not_null", change.column));
            Script::one_by_one()
                .explained(
                    "In steps: the check reads the table beside writers, and SET NOT NULL then reads nothing.",
                    format!("ALTER TABLE {table} ADD CONSTRAINT {name} CHECK ({column} IS NOT NULL) NOT VALID"),
                )
                .statement(format!("ALTER TABLE {table} VALIDATE CONSTRAINT {name}"))
                .statement(format!("ALTER TABLE {table} ALTER COLUMN {column} SET NOT NULL"))
                .statement(format!("ALTER TABLE {table} DROP CONSTRAINT {name}"))
        }
        Dialect::Mysql | Dialect::Sqlite => {
            let kind = change.kind.said("type", place.dialect)?;
            let statement = format!(
                "ALTER TABLE {table} MODIFY COLUMN {column} {kind} NOT NULL, ALGORITHM = INPLACE, LOCK = NONE"
            );
            // The type is told again because MySQL has no other way to say NOT NULL.
            allow.push(Allowed {
                step: Step::Contract,
                statement: statement.clone(),
            });
            Script::whole().explained(
                "Refused where it could not be done beside writers.",
                statement,
            )
        }
    };
    let Some(fill) = &change.fill else {
        return Ok(Generated {
            require: vec![left],
            allow,
            ..Generated::of([(Step::Contract, contract)])
        });
    };
    let fill = expression(fill, "fill", place.dialect)?;
    let (expand, drops) = filled(change, place, fill)?;
    let add_drops = |script: Script| drops.iter().fold(script, Script::statement);
    let key = place.columns(&change.key);
    let range = place.range(&change.key);
    let backfill = Script::whole().statement(format!(
        "UPDATE {table}\nSET {column} = {fill}\nWHERE {range}\n    AND {column} IS NULL"
    ));
    Ok(Generated {
        filling: Some(Filling {
            table: place.plain_table(),
            key: change.key.clone(),
            remaining: left,
            check: format!("SELECT {key} FROM {table}\nWHERE {range}\n    AND {column} IS NULL"),
        }),
        sync: Sync::Both,
        allow,
        trials: vec![worked_out(change, place, fill)],
        ..Generated::of([
            (Step::Expand, expand),
            (Step::Backfill, backfill),
            (Step::Contract, add_drops(contract)),
            (Step::Revert, add_drops(Script::whole())),
        ])
    })
}

/// What fills the column in every row that is written, and the statements that take it away.
fn filled(change: &NotNull, place: &Place, fill: &str) -> Result<(Script, Vec<String>), Wrong> {
    const WHY: &str = "A version that does not know yet that there is always a value writes NULL, and this stands in its place.";
    let table = place.table();
    let column = place.column(&change.column);
    let names = std::slice::from_ref(&change.column);
    let of_itself = sql::columns_in(place.dialect, fill, names);
    if of_itself.is_ok_and(|found| !found.is_empty()) {
        return Err(Wrong::new(
            format!(
                "`fill` names `{}` itself, which is NULL where it is needed",
                change.column
            ),
            "write a value, or an expression over nothing of this row",
        ));
    }
    if place.dialect == Dialect::Postgres {
        let function = place.function("fill");
        let trigger = place.trigger("fill");
        let script = Script::whole()
            .explained(
                WHY,
                trigger_function(
                    &function,
                    &format!("BEGIN\n    NEW.{column} := {fill};\n    RETURN NEW;\nEND\n"),
                ),
            )
            .statement(format!(
                "CREATE TRIGGER {trigger} BEFORE INSERT OR UPDATE ON {table}\nFOR EACH ROW WHEN (NEW.{column} IS NULL)\nEXECUTE FUNCTION {function}()"
            ));
        let drops = vec![
            format!("DROP TRIGGER {trigger} ON {table}"),
            format!("DROP FUNCTION {function}()"),
        ];
        return Ok((script, drops));
    }
    let (insert, update) = (place.trigger("fill_insert"), place.trigger("fill_update"));
    let trigger = |name: &str, event: &str| {
        format!(
            "CREATE TRIGGER {name} BEFORE {event} ON {table}\nFOR EACH ROW\nBEGIN\n    IF NEW.{column} IS NULL THEN\n        SET NEW.{column} = {fill};\n    END IF;\nEND"
        )
    };
    let script = Script::whole()
        .explained(WHY, trigger(&insert, "INSERT"))
        .statement(trigger(&update, "UPDATE"));
    let drops = [insert, update].map(|name| format!("DROP TRIGGER {}", place.beside(&name)));
    Ok((script, drops.to_vec()))
}

pub(super) fn check(change: &Check, place: &Place) -> Result<Generated, Wrong> {
    refuse_sqlite(place, "a CHECK")?;
    let table = place.table();
    let condition = expression(&change.condition, "condition", place.dialect)?;
    let name = match &change.name {
        Some(name) => place.column(name),
        None => place.constraint("check"),
    };
    Ok(Generated {
        require: vec![format!(
            "SELECT count(*) FROM {table} WHERE NOT ({condition})"
        )],
        ..constrained(place, &name, &format!("CHECK ({condition})"))
    })
}

/// A constraint that is added, and then held against what is there.
fn constrained(place: &Place, name: &str, constraint: &str) -> Generated {
    let table = place.table();
    let mut statement = format!("ALTER TABLE {table} ADD CONSTRAINT {name} {constraint}");
    let contract = if place.dialect == Dialect::Postgres {
        statement.push_str(" NOT VALID");
        Script::one_by_one()
            .explained(
                "In steps: the table is read for it beside writers.",
                &statement,
            )
            .statement(format!("ALTER TABLE {table} VALIDATE CONSTRAINT {name}"))
    } else {
        Script::whole().explained("The table is copied for it while writers wait.", &statement)
    };
    Generated {
        allow: declared(statement),
        ..Generated::of([(Step::Contract, contract)])
    }
}

/// What a contract asks of rows from then on is what was declared.
fn declared(statement: String) -> Vec<Allowed> {
    let step = Step::Contract;
    vec![Allowed { step, statement }]
}

pub(super) fn foreign_key(change: &ForeignKey, place: &Place) -> Result<Generated, Wrong> {
    refuse_sqlite(place, "a foreign key")?;
    let table = place.table();
    let other = Place::new(place.dialect, &change.references, "");
    let columns = place.columns(&change.columns);
    let referenced = place.columns(&change.referenced);
    let name = match &change.name {
        Some(name) => place.column(name),
        None => place.constraint(&format!("{}_fkey", change.columns.join("_"))),
    };
    let on_delete = match change.on_delete.as_deref().map(str::to_ascii_uppercase) {
        None => String::new(),
        Some(action)
            if [
                "CASCADE",
                "SET NULL",
                "SET DEFAULT",
                "RESTRICT",
                "NO ACTION",
            ]
            .contains(&action.as_str()) =>
        {
            format!(" ON DELETE {action}")
        }
        Some(action) => {
            return Err(Wrong::new(
                format!("`on_delete` cannot be `{action}`"),
                "write `cascade`, `set null`, `set default`, `restrict` or `no action`",
            ));
        }
    };
    let are_there: Vec<String> = change
        .columns
        .iter()
        .map(|column| format!("child.{} IS NOT NULL", place.column(column)))
        .collect();
    let joined: Vec<String> = change
        .columns
        .iter()
        .zip(&change.referenced)
        .map(|(column, other)| {
            format!(
                "parent.{} = child.{}",
                place.column(other),
                place.column(column)
            )
        })
        .collect();
    let orphans = format!(
        "SELECT count(*) FROM {table} AS child WHERE {} AND NOT EXISTS (SELECT 1 FROM {} AS parent WHERE {})",
        are_there.join(" AND "),
        other.table(),
        joined.join(" AND ")
    );
    Ok(Generated {
        require: vec![orphans],
        ..constrained(
            place,
            &name,
            &format!(
                "FOREIGN KEY ({columns}) REFERENCES {} ({referenced}){on_delete}",
                other.table()
            ),
        )
    })
}

pub(super) fn unique(change: &Unique, place: &Place) -> Result<Generated, Wrong> {
    let table = place.table();
    let columns = place.columns(&change.columns);
    let given = change.name.clone();
    let name = match &given {
        Some(name) => place.column(name),
        None => place.constraint(&format!("{}_key", change.columns.join("_"))),
    };
    let statement = match place.dialect {
        Dialect::Postgres => {
            format!("CREATE UNIQUE INDEX CONCURRENTLY {name} ON {table} ({columns})")
        }
        Dialect::Mysql => format!(
            "ALTER TABLE {table} ADD UNIQUE INDEX {name} ({columns}), ALGORITHM = INPLACE, LOCK = NONE"
        ),
        Dialect::Sqlite => format!("CREATE UNIQUE INDEX {name} ON {table} ({columns})"),
    };
    let contract = match place.dialect {
        Dialect::Postgres => Script::one_by_one()
            .explained(
                "The index is built beside writers, and the constraint then takes it as it is.",
                &statement,
            )
            .statement(format!(
                "ALTER TABLE {table} ADD CONSTRAINT {name} UNIQUE USING INDEX {name}"
            )),
        Dialect::Mysql => Script::whole().explained(
            "Refused where it could not be built beside writers.",
            &statement,
        ),
        Dialect::Sqlite => Script::whole().statement(&statement),
    };
    let are_there: Vec<String> = change
        .columns
        .iter()
        .map(|column| format!("{} IS NOT NULL", place.column(column)))
        .collect();
    Ok(Generated {
        require: vec![format!(
            "SELECT count(*) FROM (SELECT 1 AS twice FROM {table} WHERE {} GROUP BY {columns} HAVING count(*) > 1) AS doubles",
            are_there.join(" AND ")
        )],
        allow: declared(statement),
        ..Generated::of([(Step::Contract, contract)])
    })
}
