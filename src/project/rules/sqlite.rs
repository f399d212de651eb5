//! SQLite: what loses its guard where each statement runs on its own, and triggers that fail when somebody writes.

use crate::model::Step;
use crate::sql::{Dialect, Mode, ObjectKind, Statement, Verb, missing_function};

use super::super::finding::{Finding, first_line};
use super::Scripts;

/// In one transaction foreign keys are put aside and checked at its end; on its own, `DROP TABLE` first deletes all rows
/// of the table, and with them whatever refers to those by ON DELETE CASCADE.
pub(super) fn check(scripts: &Scripts<'_>) -> Vec<(Step, Finding)> {
    if scripts.dialect != Dialect::Sqlite {
        return Vec::new();
    }
    let calling = scripts.statements().filter_map(|(step, index, one)| {
        let table = one.objects().find_map(|object| {
            let is_made = object.kind == ObjectKind::Trigger && object.verb == Verb::Create;
            object.table.as_ref().filter(|_| is_made)
        })?;
        let function = missing_function(scripts.dialect, &one.text)?;
        Some((step, unheard_of(one, table, &function).excusable(index)))
    });
    let unguarded = scripts
        .whole()
        .filter(|(_, script)| script.mode == Mode::NoTransaction)
        .flat_map(|(step, script)| {
            let drops = script.statements.iter().enumerate();
            let drops = drops.filter(|(_, statement)| drops_a_table(statement));
            drops.map(move |(index, one)| (step, unguarded(one).excusable(index)))
        });
    calling.chain(unguarded).collect()
}

/// SQLite looks functions up when a trigger fires, and not when it is made.
fn unheard_of(statement: &Statement, table: &str, function: &str) -> Finding {
    Finding::new(
        "unknown-effect",
        first_line(statement),
        format!(
            "SQLite has no function `{function}`: it looks it up when the trigger fires, and every write of `{table}` that fires it would fail"
        ),
        "write it with functions of SQLite, such as `substr` and `instr`; in `[change]` an expression may have a form of its own for `sqlite`",
    )
}

fn drops_a_table(statement: &Statement) -> bool {
    statement
        .objects()
        .any(|object| object.kind == ObjectKind::Table && object.verb == Verb::Drop)
}

fn unguarded(statement: &Statement) -> Finding {
    Finding::new(
        "unguarded-drop",
        first_line(statement),
        "in a `no-transaction` script DROP TABLE deletes the rows of the table first, and with them those of other tables that \
         refer to it by ON DELETE CASCADE",
        "leave `-- migrate: no-transaction` away, so that foreign keys are put aside and checked at the end; what cannot run in \
         a transaction goes into a migration of its own",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::Script;

    #[test]
    fn tables_are_dropped_where_foreign_keys_are_put_aside() {
        const BARE: &str = "-- migrate: no-transaction\n";
        const REBUILD: &str = "CREATE TABLE n (a);\nINSERT INTO n SELECT a FROM t;\nDROP TABLE t;\nALTER TABLE n RENAME TO t;";
        for (text, found) in [
            (format!("{BARE}DROP TABLE t;"), 1),
            (
                format!("{BARE}drop table if exists main.t; DROP TABLE u;"),
                2,
            ),
            (format!("{BARE}{REBUILD}"), 1),
            (format!("{BARE}DROP INDEX i; DROP VIEW v; VACUUM;"), 0),
            (REBUILD.to_owned(), 0),
            ("CREATE TRIGGER g AFTER INSERT ON t BEGIN UPDATE t SET a = split_part(NEW.b, ' ', 1); END;".to_owned(), 1),
            ("CREATE TRIGGER g AFTER INSERT ON t BEGIN UPDATE t SET a = substr(NEW.b, 1); END;".to_owned(), 0),
        ] {
            let script = Script::parse(Dialect::Sqlite, &text).unwrap();
            let lint = crate::project::LintConfig::default();
            let scripts = Scripts {
                contract: Some(&script),
                ..Scripts::none(Dialect::Sqlite, &lint)
            };
            assert_eq!(check(&scripts).len(), found, "{text}");
        }
    }
}
