//! A generated column that a script adds to a table of live versions: the database computes it for each row that they
//! write, and refuses the row where that fails or does not fit.

use crate::model::Step;
use crate::sql::{Around, Effect, Tables};

use super::super::finding::{Finding, first_line};
use super::super::later;
use super::{Scripts, formats, narrows};

pub(super) fn check(scripts: &Scripts<'_>) -> Vec<(Step, Finding)> {
    let mut found = of_step(scripts, Step::Expand);
    found.extend(of_step(scripts, Step::Contract));
    // What a declared change gives back was computed before.
    let is_declared = scripts.is_declared();
    if !is_declared {
        found.extend(of_step(scripts, Step::Revert));
    }
    found
}

fn of_step(scripts: &Scripts<'_>, step: Step) -> Vec<(Step, Finding)> {
    let Some(script) = scripts.script(step) else {
        return Vec::new();
    };
    let dialect = scripts.dialect;
    let mut own = Tables::default();
    for script in scripts.expand.into_iter().filter(|_| step != Step::Expand) {
        own.apply(script);
    }
    own.apply(script);
    let kind = |table: &str, column: &str| {
        let added = own.get(dialect, table);
        let added = added.and_then(|table| table.column(dialect, column));
        if let Some(added) = added {
            return Some(added.kind.clone());
        }
        let known = later::table(scripts.before(), dialect, table)?;
        let known = known.is_certain.then_some(known)?;
        Some(known.column(dialect, column)?.kind.clone())
    };
    let around = Around { kind: &kind };
    let mut found = Vec::new();
    for (index, statement) in script.statements.iter().enumerate() {
        // What is told of a column already is one and the same question; a contract is told of nothing that merely breaks.
        if step == Step::Expand && matches!(statement.effect, Effect::Destructive { .. }) {
            continue;
        }
        for computed in statement.computed(dialect, around) {
            let is_back = step == Step::Revert
                && narrows::restores(scripts, &computed.table, &computed.column);
            if formats::makes(script, &computed.table) || is_back {
                continue;
            }
            let finding = Finding::unsurvived(
                step,
                first_line(statement),
                format!("live versions may not survive this: it {}", computed.why),
                "give the column a type that holds every value, or let a backfill and a trigger fill a plain column",
            );
            found.push((step, finding.excusable(index)));
        }
    }
    found
}
