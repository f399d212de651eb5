//! A backfill with which the database sets the time of the last change in every row: what a table has of that is told by
//! the migrations before.

use crate::model::Step;
use crate::sql::{Deed, Dependent, ObjectKind, Written};

use super::super::finding::Finding;
use super::super::later;
use super::Scripts;
use super::triggers::{is_stamp, known_deeds};

pub(super) fn check(scripts: &Scripts<'_>) -> Vec<(Step, Finding)> {
    let Some(backfill) = scripts.backfill else {
        return Vec::new();
    };
    let dialect = scripts.dialect;
    let updates = dialect.filled(&backfill.text);
    if updates.is_none_or(|(_, columns)| columns.is_empty()) {
        return Vec::new();
    }
    let first_line = backfill.text.lines().next().unwrap_or_default().len();
    let mut found = Vec::new();
    for written in dialect.written(&backfill.text) {
        // What is put together is looked up before the first batch.
        let Some(columns) = &written.columns else {
            continue;
        };
        let is_written = |column: &str| {
            columns
                .iter()
                .any(|one| dialect.may_be_same_name(one, column))
        };
        let table = &written.table;
        for (column, why) in stamps(scripts, &written) {
            if is_written(&column) {
                continue;
            }
            let help = match &why {
                Why::OnUpdate => format!("add `{column} = {column}` to the UPDATE to keep it"),
                Why::Trigger(trigger) => format!(
                    "let `{trigger}` run where the columns of the application change (`UPDATE OF …`), or see that nobody goes by `{column}`"
                ),
            };
            let by = match why {
                Why::OnUpdate => "by ON UPDATE".to_owned(),
                Why::Trigger(trigger) => format!("by the trigger `{trigger}`"),
            };
            let finding = Finding::new(
                "writes-along",
                0..first_line,
                format!(
                    "every row that this fills gets another `{column}` as well, {by} of `{table}`"
                ),
                help,
            );
            found.push((Step::Backfill, finding.excusable(0)));
        }
    }
    found
}

enum Why {
    OnUpdate,
    Trigger(String),
}

/// The columns of the table that an UPDATE sets by itself.
fn stamps(scripts: &Scripts<'_>, written: &Written) -> Vec<(String, Why)> {
    let dialect = scripts.dialect;
    let table = written.table.as_str();
    let mut found = Vec::new();
    let known = later::table(scripts.before(), dialect, table);
    let columns = known.iter().flat_map(|known| &known.columns);
    let on_update = columns.filter(|column| {
        let mut more = column.more.iter();
        more.any(|said| said.to_lowercase().starts_with("on update"))
    });
    found.extend(on_update.map(|column| (column.name.clone(), Why::OnUpdate)));
    let mut code = later::code_about(scripts.before(), dialect, table);
    let triggers: Vec<Dependent> = code
        .all
        .iter()
        .filter(|one| {
            let of = one.table.as_deref();
            one.kind == ObjectKind::Trigger
                && of.is_some_and(|of| dialect.may_be_same_name(of, table))
                && fires(&one.header, written)
        })
        .cloned()
        .collect();
    for trigger in triggers {
        for deed in known_deeds(scripts.before(), &mut code, &trigger) {
            let (column, value) = match deed {
                Deed::Assigns { column, value } => (column, value),
                Deed::Updates {
                    place,
                    column,
                    value,
                } if dialect.may_be_same_name(&place.table, table) => (column, value),
                _ => continue,
            };
            if is_stamp(&column) && value.is_of_the_moment(dialect, &column) {
                found.push((column, Why::Trigger(trigger.name.clone())));
            }
        }
    }
    found
}

/// Whether an UPDATE of these columns fires the trigger with this head: `BEFORE UPDATE OF a ON t`.
fn fires(header: &str, written: &Written) -> bool {
    let header = header.to_lowercase();
    let words: Vec<&str> = header
        .split(|c: char| c.is_whitespace() || c == ',')
        .filter(|word| !word.is_empty())
        .collect();
    let Some(update) = words.iter().position(|word| *word == "update") else {
        return false;
    };
    let behind = words.get(update + 1..).unwrap_or_default();
    if behind.first() != Some(&"of") {
        return true;
    }
    let of = behind.iter().skip(1);
    let mut of = of.take_while(|word| !matches!(**word, "on" | "or"));
    let columns: Vec<String> = written
        .columns
        .iter()
        .flatten()
        .map(|column| column.to_lowercase())
        .collect();
    of.any(|word| {
        let word = word.trim_matches(['"', '`', '[', ']']);
        columns.iter().any(|column| column == word)
    })
}
