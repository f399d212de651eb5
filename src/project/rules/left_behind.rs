//! Code of expand.sql that names what contract.sql or revert.sql takes away: every write would fail afterwards, and there
//! is no way back.

use crate::model::Step;
use crate::sql::{Commits, Dependents, Mode};

use super::super::finding::{Finding, first_line};
use super::Scripts;

pub(super) fn check(scripts: &Scripts<'_>) -> Vec<(Step, Finding)> {
    let Some(expand) = scripts.expand else {
        return Vec::new();
    };
    let made = Dependents::made_by(expand);
    let mut found = Vec::new();
    for (step, script) in scripts.whole() {
        if step == Step::Expand {
            continue;
        }
        let commits = match script.mode {
            Mode::Transactional => Commits::AtTheEnd,
            Mode::NoTransaction => Commits::EachStatement,
        };
        for left in made.clone().left_by(script, 0, commits) {
            let Some(statement) = script.statements.get(left.index) else {
                continue;
            };
            let finding = Finding::new(
                "left-behind",
                first_line(statement),
                format!("{} after this (it is made by expand.sql)", left.sentence()),
                left.way_out(scripts.dialect),
            );
            found.push((step, finding.excusable(left.index)));
        }
    }
    found
}
