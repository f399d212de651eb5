//! Phasegate's own tables: what is recorded in them is what every answer rests on.

use crate::model::Step;
use crate::sql::{self, Dialect};

use super::super::finding::{Finding, first_line};
use super::super::reader::Located;
use super::Scripts;

const CODE: &str = "ledger";
const MESSAGE: &str = "this is about Phasegate's own tables, or where they are: what they record is what every answer rests on";
const HELP: &str =
    "remove it; `migrate status --output json` and `migrate log` tell what is recorded";

pub(super) fn check(scripts: &Scripts<'_>, ledger: Option<&str>) -> Vec<(Step, Finding)> {
    let mut found = Vec::new();
    for (step, _, statement) in scripts.statements() {
        if sql::names_ledger(scripts.dialect, ledger, &statement.text) {
            let finding = Finding::new(CODE, first_line(statement), MESSAGE, HELP);
            found.push((step, finding));
        }
    }
    if let Some(backfill) = scripts.backfill
        && sql::names_ledger(scripts.dialect, ledger, &backfill.text)
    {
        found.push((Step::Backfill, Finding::new(CODE, 0..0, MESSAGE, HELP)));
    }
    found
}

pub(super) fn of_query(
    dialect: Dialect,
    ledger: Option<&str>,
    query: &Located<String>,
) -> Option<Finding> {
    sql::names_ledger(dialect, ledger, &query.value)
        .then(|| Finding::new(CODE, query.span.clone(), MESSAGE, HELP))
}
