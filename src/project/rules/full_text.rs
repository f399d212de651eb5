//! A full-text index of SQLite that does not hold what its triggers take out of it: FTS5 is told by `'delete'` which words a row had, and where they
//! are not in the index, the statement that fires the trigger fails. And one that is emptied under whoever searches in it.

use crate::model::Step;
use crate::sql::{Dialect, ObjectKind, Script, Statement, Verb};

use super::super::finding::{Finding, first_line};
use super::super::later;
use super::{Scripts, formats};

pub(super) fn check(scripts: &Scripts<'_>) -> Vec<(Step, Finding)> {
    if scripts.dialect != Dialect::Sqlite {
        return Vec::new();
    }
    let mut found = Vec::new();
    for (step, script) in scripts.whole() {
        for (index, statement) in script.statements.iter().enumerate() {
            let after = script.statements.get(index + 1..).unwrap_or_default();
            let told =
                taken_out(scripts, script, statement).or_else(|| emptied(script, after, statement));
            if let Some((why, help)) = told {
                let message = format!("live versions may not survive this: {why}");
                let finding = Finding::unsurvived(step, first_line(statement), message, help);
                found.push((step, finding.excusable(index)));
            }
        }
    }
    found
}

type Wrong = (String, String);

/// A trigger over a table that was there, whose rows may not be in the index.
fn taken_out(scripts: &Scripts<'_>, script: &Script, statement: &Statement) -> Option<Wrong> {
    let dialect = scripts.dialect;
    let mut objects = statement.objects();
    let trigger =
        objects.find(|object| object.kind == ObjectKind::Trigger && object.verb == Verb::Create)?;
    let table = trigger.table.as_deref()?;
    let words = statement.words(dialect);
    let index = commands(&words)
        .find(|(_, command)| *command == "delete")?
        .0;
    if formats::makes(script, table) || fills(dialect, script, index) {
        return None;
    }
    // Who has filled it, and kept it since, has its rows in it.
    let is_kept = |script: &Script| {
        (makes(dialect, script, index) || fills(dialect, script, index))
            .then(|| fills(dialect, script, index))
    };
    let is_made_here = makes(dialect, script, index);
    let before = later::newest(scripts.before(), dialect, &[index], is_kept);
    if !is_made_here && before != Some(false) {
        return None;
    }
    Some((
        format!(
            "the trigger `{}` takes out of `{index}` what rows of `{table}` had in it, and those that are there now are not in it: each write of one of them \
             fails (\"database disk image is malformed\")",
            trigger.name
        ),
        format!(
            "fill it in this script: `INSERT INTO {index} ({index}) VALUES ('rebuild')`, or, where it keeps no content of its own and names no table, \
             `INSERT INTO {index} (rowid, …) SELECT …`"
        ),
    ))
}

/// All rows of an index that was there.
fn emptied(script: &Script, after: &[Statement], statement: &Statement) -> Option<Wrong> {
    let dialect = script.dialect;
    let words = statement.words(dialect);
    if words.first().map(String::as_str) != Some("insert") {
        return None;
    }
    let (index, _) = commands(&words).find(|(_, command)| *command == "delete-all")?;
    let is_filled = after.iter().any(|one| is_filling(dialect, one, index));
    (!is_filled && !formats::makes(script, index)).then(|| {
        (
            format!("it empties `{index}`, and whoever searches in it finds nothing"),
            format!(
                "fill it again in this script: `INSERT INTO {index} ({index}) VALUES ('rebuild')`"
            ),
        )
    })
}

/// The commands that these words give to an index: `INSERT INTO i (i, …) VALUES ('rebuild', …)`.
fn commands(words: &[String]) -> impl Iterator<Item = (&str, &str)> {
    let at = |place: usize| words.get(place).map_or("", String::as_str);
    (0..words.len()).filter_map(move |place| {
        let is_insert = at(place) == "into" && !at(place + 1).is_empty();
        // The name may have that of its schema before it.
        let name = if at(place + 2) == "." {
            place + 3
        } else {
            place + 1
        };
        let is_command = is_insert && at(name + 1) == "(" && at(name + 2) == at(name);
        let rest = words.get(name..).filter(|_| is_command)?;
        let values = rest
            .iter()
            .position(|word| word == "values" || word == "select")?;
        let command = rest.get(values + 1..)?.iter().find(|word| *word != "(")?;
        let command = command.strip_prefix('\'')?.strip_suffix('\'')?;
        Some((at(name), command))
    })
}

fn makes(dialect: Dialect, script: &Script, index: &str) -> bool {
    let mut statements = script.statements.iter();
    statements.any(|one| formats::creates(dialect, one, index))
}

fn fills(dialect: Dialect, script: &Script, index: &str) -> bool {
    script
        .statements
        .iter()
        .any(|one| is_filling(dialect, one, index))
}

/// Whether the statement itself fills the index, from its table or by a query.
fn is_filling(dialect: Dialect, statement: &Statement, index: &str) -> bool {
    let words = statement.words(dialect);
    if !matches!(
        words.first().map(String::as_str),
        Some("insert" | "replace")
    ) {
        return false;
    }
    let is_rebuilt = commands(&words)
        .any(|(of, command)| dialect.may_be_same_name(of, index) && command == "rebuild");
    let into = words.iter().position(|word| word == "into");
    let is_into = into.is_some_and(|at| {
        let mut named = words.iter().skip(at + 1).take(3);
        named.any(|word| dialect.may_be_same_name(word, index))
    });
    is_rebuilt
        || is_into && words.iter().any(|word| word == "select") && commands(&words).next().is_none()
}
