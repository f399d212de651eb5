//! Rows that a contract or a revert deletes or overwrites: it takes away a format, and whatever else it does to rows is
//! done behind the back of the versions that use them.

use crate::model::Step;
use crate::sql::{Losing, Loss};

use super::super::finding::{Finding, first_line};
use super::Scripts;

pub(super) fn check(scripts: &Scripts<'_>) -> Vec<(Step, Finding)> {
    let mut found = Vec::new();
    for (step, index, statement) in scripts.statements() {
        if !matches!(step, Step::Contract | Step::Revert) {
            continue;
        }
        // What is lost without a word is told of already.
        let Some(losing) = statement
            .loses
            .as_ref()
            .filter(|_| statement.hazard.is_none())
        else {
            continue;
        };
        let (does, help) = match (losing.loss, step) {
            (Loss::Rows, _) => (
                "deletes rows",
                "leave them to a version of the application that no longer needs them",
            ),
            (Loss::Values, Step::Contract) => (
                "overwrites values",
                "fill the new format in backfill.sql, which the contract waits for",
            ),
            (Loss::Values, _) => (
                "overwrites values",
                "keep both formats in step while both are there (`sync`), so that the old one is right already",
            ),
        };
        let finding = Finding::new(
            "loses-rows",
            first_line(statement),
            format!(
                "this {does}{} that live versions use, and nothing brings them back",
                shown(losing)
            ),
            help,
        );
        found.push((step, finding.excusable(index)));
    }
    found
}

fn shown(losing: &Losing) -> String {
    let tables: Vec<String> = losing
        .tables
        .iter()
        .map(|place| format!("`{}`", place.table))
        .collect();
    match tables.as_slice() {
        [] => String::new(),
        tables => format!(" of {}", tables.join(", ")),
    }
}
