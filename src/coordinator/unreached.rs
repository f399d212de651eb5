//! What happens to rows past the triggers that an expand is about to make: the formats of these rows would not be kept in step, and
//! live versions would read what is not so. Only the database knows all of it.

use super::CoordinatorError;
use super::counters::gone;
use super::error::failure;
use crate::database::{Access, Connection, DatabaseError, ErrorKind};
use crate::model::Sync;
use crate::project::{Migration, ScriptFile};
use crate::sql::{Gone, Object, ObjectKind, Statement, Verb};

const HELP: &str = "no statement of this expand was run";

/// A trigger that the expand makes.
struct Made<'f> {
    index: usize,
    statement: &'f Statement,
    trigger: &'f Object,
    table: &'f str,
}

/// What triggers of a table do not see.
struct Past {
    kind: String,
    name: String,
    column: String,
}

/// Refuses an expand whose triggers would not see all, unless somebody vouches for the statement that makes them.
pub(super) async fn refuse_unreached(
    migration: &Migration,
    connection: &mut dyn Connection,
) -> Result<(), CoordinatorError> {
    let capabilities = connection.capabilities();
    let (dialect, query) = (capabilities.dialect, capabilities.past_triggers);
    let (Some(query), Some(file)) = (query, &migration.files(dialect).expand) else {
        return Ok(());
    };
    let made = made(file);
    if migration.declaration.sync == Sync::None || made.is_empty() {
        return Ok(());
    }
    let gone = gone(migration, dialect);
    let schemas = connection.schemas().unwrap_or_default().to_owned();
    connection.begin(Access::Read).await?;
    let mut found = Ok(None);
    for one in &made {
        found = missed(connection, query, (one, &made), (file, &gone, &schemas)).await;
        if !matches!(found, Ok(None)) {
            break;
        }
    }
    connection.rollback().await?;
    match found? {
        Some((index, error)) => Err(failure(file, index, error, HELP.to_owned())),
        None => Ok(()),
    }
}

fn made(file: &ScriptFile) -> Vec<Made<'_>> {
    let statements = file.script.statements.iter().enumerate();
    let statements = statements.filter(|(index, _)| !file.vouched.contains(index));
    let made = statements.flat_map(|(index, statement)| {
        let objects = statement
            .objects()
            .filter(|object| object.kind == ObjectKind::Trigger && object.verb == Verb::Create);
        objects.filter_map(move |trigger| {
            Some(Made {
                index,
                statement,
                trigger,
                table: trigger.table.as_deref()?,
            })
        })
    });
    made.collect()
}

async fn missed(
    connection: &mut dyn Connection,
    query: &str,
    (one, made): (&Made<'_>, &[Made<'_>]),
    (file, gone, schemas): (&ScriptFile, &[Gone], &str),
) -> Result<Option<(usize, DatabaseError)>, DatabaseError> {
    let dialect = file.script.dialect;
    let place = one.trigger.schema.as_deref().unwrap_or(schemas).to_owned();
    let parameters = [one.table.to_owned().into(), place.into()];
    for row in connection.query(query, &parameters).await? {
        let past = Past {
            kind: row.text(0)?.to_owned(),
            name: row.text(1)?.to_owned(),
            column: row.text(2)?.to_owned(),
        };
        let same = |a: &str, b: &str| dialect.may_be_same_name(a, b);
        let mut statements = file.script.statements.iter();
        let is_missed = match past.kind.as_str() {
            "child" => !made.iter().any(|other| same(other.table, &past.name)),
            "of" => {
                let is_old = |old: &Gone| {
                    same(&old.table, one.table)
                        && old
                            .column
                            .as_deref()
                            .is_some_and(|old| same(old, &past.column))
                };
                gone.iter().any(is_old)
                    && !statements.any(|statement| dialect.mentions(&statement.text, &past.name))
            }
            "key" => dialect.mentions(&one.statement.text, &past.column),
            "delete" => fires_on_delete(&one.statement.text),
            _ => false,
        };
        if is_missed {
            let error = DatabaseError::new(ErrorKind::Statement, told(&past, one.table));
            return Ok(Some((one.index, error)));
        }
    }
    Ok(None)
}

fn fires_on_delete(trigger: &str) -> bool {
    let words: Vec<&str> = trigger.split_whitespace().collect();
    words.windows(2).any(|two| {
        matches!(two, [delete, on] if delete.eq_ignore_ascii_case("delete") && on.eq_ignore_ascii_case("on"))
    })
}

/// What is missed, and what to do about it.
fn told(past: &Past, table: &str) -> String {
    let Past { name, column, .. } = past;
    let (missed, way_out) = match past.kind.as_str() {
        "child" => (
            format!("`{name}` inherits from `{table}`, and this trigger does not fire for its rows"),
            "Make partitions of the tables that inherit, or write the scripts by hand, with the triggers on each of these tables as well"
                .to_owned(),
        ),
        "of" => (
            format!(
                "the trigger `{name}` of `{table}` fires for `UPDATE OF {column}`, which is what a statement names, and not for what this trigger \
                 puts there: it would miss what versions of the new format write"
            ),
            format!(
                "Let it fire for each UPDATE and look itself: `WHEN (OLD.{column} IS DISTINCT FROM NEW.{column})`"
            ),
        ),
        "key" => (
            format!(
                "the foreign key `{name}` gives `{column}` of `{table}` another value with the row that it leads to, for which the server fires \
                 no triggers"
            ),
            "First let the application do that itself; once no version is live that counts on the action, make the foreign key one without it, and then run this"
                .to_owned(),
        ),
        _ => (
            format!(
                "the foreign key `{name}` deletes rows of `{table}` with the row that they lead to, for which the server fires no triggers"
            ),
            "First let the application do that itself; once no version is live that counts on the action, make the foreign key one without it, and then run this"
                .to_owned(),
        ),
    };
    format!(
        "{missed}. {way_out}; where that is no harm, vouch for this statement with `allow` and a reason in migration.toml"
    )
}
