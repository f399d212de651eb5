//! A contract or a revert that gives a column another type: what does not fit is refused, cut or rounded, and versions
//! that live on read what they do not expect. The new format may become wider, or be told what it is once more.

use crate::model::Step;
use crate::sql::{Dialect, Effect, Object, ObjectKind, Statement, Verb};

use super::super::finding::{Finding, first_line};
use super::Scripts;
use super::types::{loosens, type_from};
use super::widened::{Wider, is_widening};

pub(super) fn check(scripts: &Scripts<'_>) -> Vec<(Step, Finding)> {
    let mut found = Vec::new();
    for (step, index, statement) in scripts.statements() {
        // What is lost without a word is told of already.
        let is_change = matches!(step, Step::Contract | Step::Revert)
            && statement.hazard.is_none()
            && matches!(statement.effect, Effect::Destructive { .. });
        if !is_change {
            continue;
        }
        let words = statement.words(scripts.dialect);
        let columns = statement.objects().filter(|object| {
            object.kind == ObjectKind::Column && matches!(object.verb, Verb::Alter | Verb::Rename)
        });
        for column in columns {
            let Some(typ) = new_type(scripts.dialect, &words, &column.name.to_lowercase()) else {
                continue;
            };
            let before = scripts.before();
            let is_longer = is_widening(before, scripts.dialect, statement, Wider::AnotherType);
            if is_longer || is_right(scripts, step, column, &typ, &words) {
                continue;
            }
            let table = column.table.as_deref().unwrap_or_default();
            let finding = Finding::new(
                "takes-too-much",
                first_line(statement),
                format!(
                    "this changes the type of the column `{}` of `{table}` to {}: values that do not fit are refused or cut, and versions that use it read something else",
                    column.name,
                    typ.join(" "),
                ),
                "add a column of the new type in expand.sql, fill it in backfill.sql, and let contract.sql take the old one away",
            );
            found.push((step, finding.excusable(index)));
        }
    }
    found
}

/// The type that the statement gives the column, if it says one.
fn new_type(dialect: Dialect, words: &[String], column: &str) -> Option<Vec<String>> {
    let at = |index: usize| words.get(index).map_or("", String::as_str);
    (0..words.len()).find_map(|index| {
        let begins = match dialect {
            Dialect::Sqlite => None,
            Dialect::Postgres => match (at(index), at(index + 1), at(index + 2), at(index + 3)) {
                (name, "type", ..) if name == column => Some(index + 2),
                (name, "set", "data", "type") if name == column => Some(index + 4),
                _ => None,
            },
            Dialect::Mysql => {
                let is_behind = |word: &str| {
                    at(index.wrapping_sub(1)) == word
                        || at(index.wrapping_sub(1)) == "column"
                            && at(index.wrapping_sub(2)) == word
                        || at(index.wrapping_sub(1)) == "exists"
                            && (1..=4).any(|back| at(index.wrapping_sub(back)) == word)
                };
                match at(index) == column {
                    true if is_behind("modify") => Some(index + 1),
                    true if is_behind("change") => Some(index + 2),
                    _ => None,
                }
            }
        };
        Some(type_from(words.get(begins?..)?))
    })
}

fn is_right(
    scripts: &Scripts<'_>,
    step: Step,
    column: &Object,
    typ: &[String],
    words: &[String],
) -> bool {
    let dialect = scripts.dialect;
    let table = column.table.as_deref().unwrap_or_default();
    let is = |a: &str, b: &str| dialect.may_be_same_name(a, b);
    let expand = scripts.expand.map_or(&[][..], |script| &script.statements);
    // A table that this migration makes is its own.
    let makes_table = |statement: &Statement| {
        statement.objects().any(|object| {
            object.kind == ObjectKind::Table
                && object.verb == Verb::Create
                && is(&object.name, table)
        })
    };
    if expand.iter().any(makes_table) {
        return true;
    }
    // By the name that it had before the script gave it the old one's.
    let script = scripts.script(step);
    let earlier = script
        .into_iter()
        .flat_map(|script| &script.statements)
        .flat_map(Statement::objects)
        .filter(|object| object.kind == ObjectKind::Column && object.verb == Verb::Rename)
        .filter(|object| {
            let to = object.renamed_to.as_deref();
            to.is_some_and(|to| is(to, &column.name))
        })
        .map(|object| object.name.as_str());
    let names: Vec<&str> = earlier.chain([column.name.as_str()]).collect();
    for statement in expand {
        let made = statement.objects().find(|object| {
            object.kind == ObjectKind::Column
                && object.verb == Verb::Create
                && object.table.as_deref().is_some_and(|of| is(of, table))
                && names.iter().any(|name| is(name, &object.name))
        });
        if let Some(made) = made {
            let name = made.name.to_lowercase();
            let written = statement.words(dialect);
            let before = ["add", "column", "exists", "(", ","];
            let at = written.windows(2).position(|pair| match pair {
                [word, found] => before.contains(&word.as_str()) && *found == name,
                _ => false,
            });
            let old = at.and_then(|at| written.get(at + 2..)).map(type_from);
            return old.is_none_or(|old| loosens(&old, typ));
        }
    }
    // MODIFY has to say the type again to say NOT NULL.
    let filled = scripts
        .backfill
        .and_then(|backfill| dialect.filled(&backfill.text));
    dialect == Dialect::Mysql
        && step == Step::Contract
        && words
            .windows(2)
            .any(|pair| matches!(pair, [not, null] if not == "not" && null == "null"))
        && filled.is_some_and(|(filled, columns)| {
            is(&filled, table) && columns.iter().any(|filled| is(filled, &column.name))
        })
}
