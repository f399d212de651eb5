//! A temporary table that bears the name of a table which other scripts use: what comes after it in the script goes to the
//! temporary one, and the real table stays as it was.

use crate::model::Step;
use crate::sql::{Gone, ObjectKind, Verb};

use super::super::finding::{Finding, first_line};
use super::super::later;
use super::Scripts;

pub(super) fn check(scripts: &Scripts<'_>) -> Vec<(Step, Finding)> {
    let mut found = Vec::new();
    for (step, index, statement) in scripts.statements() {
        let Some(table) = statement.temporary_table(scripts.dialect) else {
            continue;
        };
        if let Some(by) = named_by(scripts, table) {
            let finding = Finding::new(
                "hidden-table",
                first_line(statement),
                format!(
                    "this temporary table hides the table `{table}`, which {by} names: what comes after it in this script goes to the temporary one"
                ),
                "give it a name that no table has",
            );
            found.push((step, finding.excusable(index)));
        }
    }
    found
}

/// Which other file uses a table of this name.
fn named_by(scripts: &Scripts<'_>, table: &str) -> Option<String> {
    let dialect = scripts.dialect;
    let manifest = scripts.manifest.and_then(|manifest| {
        let rules = manifest.backfill.as_ref()?.rules.as_ref()?;
        let name = rules.table.rsplit('.').next();
        name.is_some_and(|name| dialect.same_name(name, table))
            .then(|| "migration.toml".to_owned())
    });
    manifest.or_else(|| {
        let gone = Gone {
            kind: ObjectKind::Table,
            verb: Verb::Drop,
            schema: None,
            table: table.to_owned(),
            column: None,
        };
        later::uses(scripts.all, dialect, &gone).map(|path| path.display().to_string())
    })
}
