//! What the file then has in it that an application's SQLite may be too old for. Each connection reads the text of all tables, indexes, views and
//! triggers when it opens the file, so that one that it cannot read fails every statement, of whatever table.

use crate::model::Step;
use crate::sql::{Dialect, ObjectKind, Statement, Verb, newer_sqlite};

use super::super::finding::{Finding, first_line};
use super::{Scripts, formats};

pub(super) fn check(scripts: &Scripts<'_>) -> Vec<(Step, Finding)> {
    if scripts.dialect != Dialect::Sqlite {
        return Vec::new();
    }
    let oldest = scripts.lint.servers.sqlite();
    let mut found = Vec::new();
    for (step, script) in scripts.whole() {
        for (index, statement) in script.statements.iter().enumerate() {
            let Some(kind) = stays(statement) else {
                continue;
            };
            let Some(newer) = newer_sqlite(&statement.text, oldest) else {
                continue;
            };
            // Only who uses the view, or fires the trigger, comes to its functions.
            let of = statement
                .objects()
                .find_map(|object| object.table.as_deref());
            let is_used_later = match kind {
                ObjectKind::View => true,
                ObjectKind::Trigger => of.is_some_and(|table| formats::makes(script, table)),
                _ => false,
            };
            if newer.is_function && is_used_later {
                continue;
            }
            let happens = match kind {
                ObjectKind::Trigger if newer.is_function => "each write that fires it fails",
                _ => "it can no longer use the file at all (\"malformed database schema\")",
            };
            let finding = Finding::unsurvived(
                step,
                first_line(statement),
                format!(
                    "live versions may not survive this: SQLite knows `{}` from {} on, and with an older one in an application ({oldest} is taken for the \
                     oldest) {happens}",
                    newer.what, newer.since
                ),
                format!(
                    "write it with what older ones know; or, where every application and tool that opens the file has a newer one, say so under `[lint]` in \
                     migrate.toml: `sqlite = \"{}\"`",
                    newer.since
                ),
            );
            found.push((step, finding.excusable(index)));
        }
    }
    found
}

/// What of it is in the file afterwards, as text.
fn stays(statement: &Statement) -> Option<ObjectKind> {
    let mut objects = statement.objects();
    let made = objects.find(|object| {
        let is_it = matches!(
            object.kind,
            ObjectKind::Table
                | ObjectKind::Index
                | ObjectKind::View
                | ObjectKind::Trigger
                | ObjectKind::Column
        );
        is_it && object.verb == Verb::Create
    })?;
    (statement.temporary_table(Dialect::Sqlite).is_none()).then_some(made.kind)
}
