//! A table that gets another name: from expand to contract it is there under both.
//!
//! The new name is a view over the table until the contract: so nothing changes for old versions, and new ones are tried
//! before anything is renamed. A view over all of one table is written through by PostgreSQL, MySQL and MariaDB themselves;
//! SQLite needs triggers for it.

use std::collections::BTreeMap;

use phasegate_model::model::{Step, Sync};
use phasegate_sql::Dialect;

use super::names::Place;
use super::text::Script;
use super::{Allowed, Generated, Varied, Wrong};

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RenameTable {
    /// Without a schema: it stays in its own.
    pub to: String,
    /// A unique key by which a row is found again (SQLite).
    pub key: Vec<String>,
    /// All columns that can be written (SQLite).
    pub columns: Vec<String>,
    /// What stands in a column that an insert leaves out (SQLite).
    pub defaults: BTreeMap<String, Varied>,
}

pub(super) fn generate(change: &RenameTable, place: &Place) -> Result<Generated, Wrong> {
    let table = place.table();
    let view = place.in_schema(&change.to);
    if change.to.contains('.') {
        return Err(Wrong::new(
            format!("`to` names a schema: `{}`", change.to),
            "write the new name alone; the table stays in its schema",
        ));
    }
    if change.to == place.own_name() {
        return Err(Wrong::new(
            format!("the table is called `{}` already", change.to),
            "write another name under `to`",
        ));
    }
    let drop = format!("DROP VIEW {view}");
    let rights = rights(&table, &view);
    let (expand, contract) = match place.dialect {
        Dialect::Postgres => (
            postgres(&table, &view, &rights),
            Script::whole()
                .explained(
                    "In one transaction, so that nobody finds neither. Indexes, sequences and constraints keep their names.",
                    &drop,
                )
                .statement(format!(
                    "ALTER TABLE {table} RENAME TO {}",
                    place.column(&change.to)
                )),
        ),
        Dialect::Mysql => {
            let aside = place.trigger("view");
            let aside = place.beside(&aside);
            (
                Script::whole().explained(
                    "Under the new name until the contract, with the rights of whoever uses it: grant on it what is granted on the\n\
                     table alone.",
                    format!(
                        "CREATE ALGORITHM = MERGE SQL SECURITY INVOKER VIEW {view} AS SELECT * FROM {table}"
                    ),
                ),
                Script::whole()
                    .explained(
                        "Both at once, so that nobody finds neither.",
                        format!("RENAME TABLE {view} TO {aside}, {table} TO {view}"),
                    )
                    .statement(format!("DROP VIEW {aside}")),
            )
        }
        Dialect::Sqlite => (
            sqlite(change, place)?,
            // By name, as somebody does who means it: a trigger that is gone with its view might have kept formats in step.
            EVENTS
                .iter()
                .fold(Script::whole(), |script, event| {
                    let trigger = on_view(place, event);
                    script.statement(format!("DROP TRIGGER {}", place.beside(&trigger)))
                })
                .statement(&drop)
                .statement(format!(
                    "ALTER TABLE {table} RENAME TO {}",
                    place.column(&change.to)
                )),
        ),
    };
    // It grants on the view what is granted on the table, and does nothing else.
    let allow = match place.dialect {
        Dialect::Postgres => vec![Allowed {
            step: Step::Expand,
            statement: rights,
        }],
        Dialect::Mysql | Dialect::Sqlite => Vec::new(),
    };
    Ok(Generated {
        sync: Sync::Both,
        allow,
        ..Generated::of([
            (Step::Expand, expand),
            (Step::Contract, contract),
            (Step::Revert, Script::whole().statement(drop)),
        ])
    })
}

fn rights(table: &str, view: &str) -> String {
    let (named, viewed) = (table.replace('\'', "''"), view.replace('\'', "''"));
    format!(
        "DO $rights$
DECLARE
    granted record;
BEGIN
    IF current_setting('server_version_num')::integer >= 150000 THEN
        EXECUTE 'ALTER VIEW {viewed} SET (security_invoker = true)';
    ELSIF (SELECT relrowsecurity FROM pg_class WHERE oid = '{named}'::regclass) THEN
        RAISE EXCEPTION 'a view of PostgreSQL before 15 shows its owner''s rows: row level security would not hold for it';
    END IF;
    FOR granted IN
        SELECT acl.privilege_type AS what, CASE acl.grantee WHEN 0 THEN 'PUBLIC' ELSE acl.grantee::regrole::text END AS who
        FROM pg_class, aclexplode(coalesce(relacl, acldefault('r', relowner))) AS acl
        WHERE pg_class.oid = '{named}'::regclass AND acl.grantee <> current_user::regrole
            AND acl.privilege_type IN ('SELECT', 'INSERT', 'UPDATE', 'DELETE')
    LOOP
        EXECUTE 'GRANT ' || granted.what || ' ON {viewed} TO ' || granted.who;
    END LOOP;
END
$rights$"
    )
}

fn postgres(table: &str, view: &str, rights: &str) -> Script {
    Script::whole()
        .explained(
            "Under the new name until the contract: rows are read and written through it.",
            format!("CREATE VIEW {view} AS SELECT * FROM {table}"),
        )
        .explained(
            "Whoever may use the table may use the view, with rights and rows of their own.",
            rights,
        )
}

const EVENTS: &[&str] = &["INSERT", "UPDATE", "DELETE"];

fn on_view(place: &Place, event: &str) -> String {
    place.trigger(&format!("view_{}", event.to_lowercase()))
}

/// The triggers through which a view of SQLite is written.
fn sqlite(change: &RenameTable, place: &Place) -> Result<Script, Wrong> {
    let missing = |key: &str, example: &str, why: &str| {
        Wrong::new(
            format!(
                "`{key}` is not said, and SQLite writes through a view with triggers that {why}"
            ),
            format!("write `{key} = [\"{example}\"]` under `[change]`"),
        )
    };
    if change.columns.is_empty() {
        return Err(missing("columns", "id", "name each column"));
    }
    if change.key.is_empty() {
        return Err(missing("key", "id", "find a row again by its key"));
    }
    let table = place.table();
    let view = place.in_schema(&change.to);
    let mut values = Vec::new();
    let mut set = Vec::new();
    for name in &change.columns {
        let column = place.column(name);
        set.push(format!("{column} = NEW.{column}"));
        values.push(match change.defaults.get(name) {
            Some(default) => {
                let default = default.said("defaults", place.dialect)?;
                format!("coalesce(NEW.{column}, {default})")
            }
            None => format!("NEW.{column}"),
        });
    }
    let same: Vec<String> = change
        .key
        .iter()
        .map(|name| format!("{0} = OLD.{0}", place.column(name)))
        .collect();
    let same = same.join(" AND ");
    let trigger = |event: &str, body: String| {
        let name = on_view(place, event);
        format!("CREATE TRIGGER {name} INSTEAD OF {event} ON {view}\nBEGIN\n    {body};\nEND")
    };
    Ok(Script::whole()
        .explained(
            "Under the new name until the contract: rows are read and written through it.",
            format!("CREATE VIEW {view} AS SELECT * FROM {table}"),
        )
        .explained(
            "SQLite does not write through a view by itself. last_insert_rowid() and RETURNING do not see what a trigger has given\n\
             out, and ON CONFLICT is refused: until the contract a version that uses the view says the key itself.",
            trigger(
                "INSERT",
                format!(
                    "INSERT INTO {table} ({})\n    VALUES ({})",
                    place.columns(&change.columns),
                    values.join(", ")
                ),
            ),
        )
        .statement(trigger(
            "UPDATE",
            format!("UPDATE {table} SET {}\n    WHERE {same}", set.join(", ")),
        ))
        .statement(trigger(
            "DELETE",
            format!("DELETE FROM {table} WHERE {same}"),
        )))
}

/// What a view does not do as a table does, while it stands in the place of the table: on each of these databases.
pub(super) fn through_a_view(dialects: &[Dialect], from: &str, to: &str) -> Vec<Wrong> {
    let of = |dialect: &Dialect| {
        let what = match dialect {
            Dialect::Postgres => {
                "refuses `GROUP BY` its key beside other columns, `ON CONFLICT ON CONSTRAINT`, `MERGE` (before 17), `xmin`, `ctid`, \
                 `tableoid`, `TABLESAMPLE`, `WHERE CURRENT OF`, `COPY` without a query and `TRUNCATE`, and has no sequence for \
                 `pg_get_serial_sequence`"
            }
            Dialect::Mysql => {
                "refuses `USE INDEX`, `FORCE INDEX`, `HANDLER`, `OPTIMIZE` and `TRUNCATE`"
            }
            Dialect::Sqlite => {
                "counts no rows that are written (`changes()` and a driver's row count are 0, which SQLAlchemy, Django's `save()` and \
                 optimistic locking take for a write that failed), refuses `ON CONFLICT`, and `RETURNING` and `last_insert_rowid()` do not \
                 see a key that is given out"
            }
        };
        Wrong::new(
            format!(
                "until the contract `{to}` is a view, which on {} {what}",
                dialect.title()
            ),
            format!(
                "look through what the versions of `new` send and what their libraries do: one that needs any of this stays with `{from}` until \
                 the contract"
            ),
        )
    };
    dialects.iter().map(of).collect()
}
