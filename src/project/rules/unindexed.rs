//! A foreign key whose column is new, and that no script gives an index.

use crate::model::Step;

use super::super::finding::{Finding, first_line};
use super::super::later;
use super::Scripts;

pub(super) const CODE: &str = "unindexed-key";

pub(super) fn check(scripts: &Scripts<'_>) -> Vec<(Step, Finding)> {
    if scripts.lint.off.contains_key(CODE) {
        return Vec::new();
    }
    let mut found = Vec::new();
    for (step, script) in scripts.whole() {
        for key in script.new_keys() {
            let is_new = scripts
                .whole()
                .any(|(_, script)| script.makes_column(&key.place, &key.column));
            let is_indexed = |script: &crate::sql::Script| script.indexes(&key.place, &key.column);
            // An index of a migration to come is as good: it is made while the table grows.
            let names = [key.place.table.as_str(), key.column.as_str()];
            let elsewhere = || {
                later::newest(scripts.all, scripts.dialect, &names, |script| {
                    is_indexed(script).then_some(())
                })
            };
            if !is_new
                || scripts.whole().any(|(_, script)| is_indexed(script))
                || elsewhere().is_some()
            {
                continue;
            }
            let Some(statement) = script.statements.get(key.statement) else {
                continue;
            };
            let (table, column) = (&key.place.table, &key.column);
            let message = format!(
                "no index begins with `{column}`: whoever deletes a row of `{}`, or changes its key, reads all of `{table}` for it",
                key.parent
            );
            let help = format!(
                "write `CREATE INDEX ON {table} ({column})` where the script makes the table, and otherwise `CREATE INDEX CONCURRENTLY` in a migration of its own"
            );
            let help = match scripts.dialect {
                crate::sql::Dialect::Sqlite => {
                    format!("write `CREATE INDEX {table}_{column} ON {table} ({column})`")
                }
                _ => help,
            };
            let finding = Finding::new(CODE, first_line(statement), message, help);
            found.push((step, finding.excusable(key.statement)));
        }
    }
    found
}
