//! A generated column that expand.sql adds to a table of live versions: the database computes it for each row that they
//! write, and refuses the row where that fails or does not fit.

use crate::model::Step;
use crate::sql::{Around, Effect, ObjectKind, Script, Tables, Verb};

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
    let is_indexed = |table: &str, column: &str| is_indexed(expand, table, column);
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

/// Whether the script makes an index over the column, by a statement of its own or beside the column.
fn is_indexed(expand: &Script, table: &str, column: &str) -> bool {
    let dialect = expand.dialect;
    expand.statements.iter().any(|statement| {
        let mut objects = statement.objects();
        objects.any(|object| {
            object.kind == ObjectKind::Index
                && object.verb == Verb::Create
                && object
                    .table
                    .as_deref()
                    .is_some_and(|of| dialect.may_be_same_name(of, table))
        }) && dialect.mentions(&statement.text, column)
    })
}
