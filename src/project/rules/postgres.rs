//! What PostgreSQL refuses or leaves behind, seen before it runs.

use crate::model::Step;
use crate::sql::{Dialect, Mode, ObjectKind, Verb};

use super::super::finding::Finding;
use super::super::scripts::first_line;
use super::Scripts;

/// A value of an enum cannot be used in the transaction that adds it, unless that made the type as well.
pub(super) fn new_values(scripts: &Scripts<'_>) -> Vec<(Step, Finding)> {
    let mut found = Vec::new();
    for (step, script) in scripts.whole() {
        if scripts.dialect != Dialect::Postgres || script.mode != Mode::Transactional {
            continue;
        }
        for (at, adding) in script.statements.iter().enumerate() {
            let Some(value) = adding.added_value() else {
                continue;
            };
            let name = adding.objects().next().map(|object| &object.name);
            let before = script.statements.get(..at).unwrap_or_default();
            let is_new = before
                .iter()
                .flat_map(|statement| statement.objects())
                .any(|object| {
                    object.kind == ObjectKind::Type
                        && object.verb == Verb::Create
                        && Some(&object.name) == name
                });
            let later = script.statements.iter().enumerate().skip(at + 1);
            let using = later.into_iter().find(|(_, statement)| {
                statement.added_value().is_none() && statement.has_value(value)
            });
            if let (false, Some((index, statement))) = (is_new, using) {
                let finding = Finding::new(
                    "new-enum-value",
                    first_line(statement),
                    format!(
                        "the value {value} is added on line {}, and PostgreSQL lets nobody use it before that is committed",
                        adding.line
                    ),
                    "make `-- migrate: no-transaction` the first line of this file, or use the value in a migration of its own",
                );
                found.push((step, finding.excusable(index)));
            }
        }
    }
    found
}
