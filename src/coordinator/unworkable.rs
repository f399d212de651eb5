//! What a declared change has its triggers work out, tried on the server before there is a trigger. A trigger is compiled, or even read,
//! when it first fires: by then each write of the versions that are live is refused by it.

use super::CoordinatorError;
use super::error::failure;
use crate::database::{Access, Connection, DatabaseError, ErrorKind};
use crate::project::Migration;
use crate::sql::{ObjectKind, Verb};

const HELP: &str = "no statement of this expand was run. Every write would have been refused: write an expression that the server can work \
                    out under `[change]` in migration.toml, and run `migrate generate`";

/// Refuses an expand whose triggers could not work out what they are for.
pub(super) async fn refuse_unworkable(
    migration: &Migration,
    connection: &mut dyn Connection,
) -> Result<(), CoordinatorError> {
    let files = migration.files(connection.capabilities().dialect);
    let Some(file) = &files.expand else {
        return Ok(());
    };
    for trial in &files.trials {
        if let Some(error) = against(&trial.queries, connection).await? {
            let mut statements = file.script.statements.iter();
            let makes_trigger = statements.position(|statement| {
                statement
                    .objects()
                    .any(|object| object.kind == ObjectKind::Trigger && object.verb == Verb::Create)
            });
            let told = DatabaseError::new(
                ErrorKind::Statement,
                format!("the server cannot work out {}: {error}", trial.what),
            );
            return Err(failure(
                file,
                makes_trigger.unwrap_or(0),
                told,
                HELP.to_owned(),
            ));
        }
    }
    Ok(())
}

/// Why it cannot be done. What has another reason than the expression itself, such as a lock, tells nothing of it.
async fn against(
    queries: &[String],
    connection: &mut dyn Connection,
) -> Result<Option<DatabaseError>, DatabaseError> {
    let mut found = None;
    for query in queries {
        // Not one that only reads: a function may take the next number of a sequence.
        connection.begin(Access::Write).await?;
        let tried = connection.run(query).await;
        connection.rollback().await?;
        match tried {
            Err(error) if error.kind == ErrorKind::Statement => found = Some(error),
            Err(error) if error.kind == ErrorKind::Interrupted || connection.is_lost() => {
                return Err(error);
            }
            Ok(_) | Err(_) => return Ok(None),
        }
    }
    Ok(found)
}
