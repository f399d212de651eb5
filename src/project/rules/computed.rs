//! A generated column that expand.sql adds to a table of live versions: the database computes it for each row that they
//! write, and refuses the row where that fails or does not fit.

use crate::model::Step;
use crate::sql::{Around, Effect, Tables};

use super::super::finding::Finding;
use super::super::later;
use super::super::scripts::first_line;
use super::{Scripts, formats};

pub(super) fn check(scripts: &Scripts<'_>) -> Vec<(Step, Finding)> {
    let Some(expand) = scripts.expand else {
        return Vec::new();
    };
    let dialect = scripts.dialect;
    let mut own = Tables::default();
    own.apply(expand);
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
    let is_indexed = |table: &str, column: &str| {
        let known = own.get(dialect, table);
        known.is_some_and(|known| known.indexes_over(dialect, column).next().is_some())
    };
    let around = Around {
        kind: &kind,
        is_indexed: &is_indexed,
    };
    let mut found = Vec::new();
    for (index, statement) in expand.statements.iter().enumerate() {
        // What is told of a column already is one and the same question.
        if matches!(statement.effect, Effect::Destructive { .. }) {
            continue;
        }
        for computed in statement.computed(dialect, around) {
            if formats::makes(expand, &computed.table) {
                continue;
            }
            let finding = Finding::new(
                "destructive-expand",
                first_line(statement),
                format!("live versions may not survive this: it {}", computed.why),
                "give the column a type that holds every value, or let a backfill and a trigger fill a plain column",
            );
            found.push((Step::Expand, finding.excusable(index)));
        }
    }
    found
}
