//! A column of a table that was there and that numbers itself from now on: the new sequence begins at 1, where rows are. And one
//! that a contract or a revert has count on from another number.

use crate::model::Step;
use crate::sql::{Dialect, Script};

use super::super::finding::{Finding, first_line};
use super::super::sequences::{Numbered, restarted};
use super::{Scripts, formats};

pub(super) fn check(scripts: &Scripts<'_>) -> Vec<(Step, Finding)> {
    if scripts.dialect != Dialect::Postgres {
        return Vec::new();
    }
    let mut found = Vec::new();
    for (step, script) in scripts.whole() {
        for (index, statement) in script.statements.iter().enumerate() {
            let words = statement.words(scripts.dialect);
            if let Some((table, column)) = restarted(&words)
                && step != Step::Expand
                && !formats::makes(script, table)
                && !is_numbered_before(scripts, script, index, (table, column))
            {
                let finding = Finding::unsurvived(
                    step,
                    first_line(statement),
                    format!(
                        "live versions may not survive this: it has `{column}` of `{table}` count on from another number, and their INSERTs fail \
                         where rows have those that come"
                    ),
                    "leave it out: what numbers itself goes on from where it was",
                );
                found.push((step, finding.excusable(index)));
            }
            let Some(numbered) = Numbered::of(&words) else {
                continue;
            };
            let later = script.statements.get(index + 1..).unwrap_or_default();
            if formats::makes(script, numbered.table)
                || begins_elsewhere(&numbered, scripts, step, &words)
                || later
                    .iter()
                    .any(|one| numbered.goes_on(scripts.dialect, one))
            {
                continue;
            }
            let Numbered { table, column, .. } = numbered;
            let finding = Finding::unsurvived(
                step,
                first_line(statement),
                format!(
                    "live versions may not survive this: it has `{column}` of `{table}` take its numbers from a sequence that begins at 1, and \
                     their INSERTs fail, or get numbers that others have, until it is past those that are there"
                ),
                format!(
                    "let it go on from there, by `SELECT setval({}, max({column})) FROM {table}` below this statement",
                    numbered.sequence()
                ),
            );
            found.push((step, finding.excusable(index)));
        }
    }
    found
}

/// Whether the script has the column number itself above this statement, so that it says where that begins.
fn is_numbered_before(
    scripts: &Scripts<'_>,
    script: &Script,
    index: usize,
    of: (&str, &str),
) -> bool {
    let before = script.statements.get(..index).unwrap_or_default();
    before.iter().any(|one| {
        let words = one.words(scripts.dialect);
        Numbered::of(&words).is_some_and(|numbered| (numbered.table, numbered.column) == of)
    })
}

/// Whether it says where it begins, or is a sequence that was there before this migration.
fn begins_elsewhere(
    numbered: &Numbered<'_>,
    scripts: &Scripts<'_>,
    step: Step,
    words: &[String],
) -> bool {
    let says_start = |words: &[String]| {
        let mut words = words.iter();
        words.any(|word| word == "start" || word == "restart")
    };
    let Some(named) = numbered.named else {
        return says_start(words);
    };
    let scripts_so_far = scripts.expand.into_iter().chain(scripts.script(step));
    let mut statements = scripts_so_far.flat_map(|script| &script.statements);
    let made = statements.find_map(|one| {
        let words = one.words(scripts.dialect);
        let is_made = words.first().is_some_and(|word| word == "create")
            && words.iter().take(3).any(|word| word == "sequence")
            && words.iter().any(|word| word == named);
        is_made.then_some(words)
    });
    made.is_none_or(|made| says_start(&made))
}
