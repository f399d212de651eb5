//! What a script may lose without a word: the triggers of a table that it swaps for a copy, and code that still names
//! what it takes away.
//!
//! Invariant: after every script a table name has the triggers that it had before, unless the script drops them by name.

use super::CoordinatorError;
use super::error::failure;
use super::session::Coordinator;
use crate::database::{Access, Connection, DatabaseError, ErrorKind, Heard, Severity};
use crate::ledger::{StepRecord, StepState};
use crate::project::ScriptFile;
use crate::sql::{Dependent, Inventory, Left};

const FORESEEN: &str = "the statement was not run, nor was any before it in this run, because each is committed at once. Mend \
     the file and run the same command again";
const LOST: &str = "the statements of this file have run, and the phase is not recorded. Put the trigger back, then run the \
     same command again";

/// Looks at the database before a script, and again after it.
pub(super) struct Guard<'f> {
    file: &'f ScriptFile,
    /// None where the script only adds.
    before: Option<Inventory>,
}

/// What the script would lose, and at which of its statements.
type Loss = (usize, DatabaseError);

/// What shows after a script.
#[derive(Default)]
pub(super) struct Checked {
    pub loss: Option<Loss>,
    /// What is gone although the script does not name it, and may be: `CASCADE` says so.
    pub along: Vec<Heard>,
}

impl<'f> Guard<'f> {
    /// Inside the transaction of the script.
    pub async fn look(
        connection: &mut dyn Connection,
        file: &'f ScriptFile,
    ) -> Result<Self, DatabaseError> {
        let before = match file.script.may_take() {
            true => Some(connection.inventory().await?),
            false => None,
        };
        Ok(Self { file, before })
    }

    /// In a transaction of its own, for a script whose statements are committed one by one.
    async fn look_alone(
        connection: &mut dyn Connection,
        file: &'f ScriptFile,
    ) -> Result<Self, DatabaseError> {
        if !file.script.may_take() {
            return Ok(Self { file, before: None });
        }
        connection.begin(Access::Read).await?;
        let looked = Self::look(connection, file).await;
        connection.rollback().await?;
        looked
    }

    /// What the statements from `from` on would lose or leave behind, by what they say.
    fn would_lose(&self, from: usize) -> Option<Loss> {
        let before = self.before.as_ref()?;
        if let Some((index, lost)) = before.would_lose(&self.file.script, from) {
            return Some((index, lost_triggers(&lost)));
        }
        let left = before.would_leave(&self.file.script, from);
        let left = left
            .into_iter()
            .find(|left| !self.file.vouched.contains(&left.index))?;
        Some((left.index, left_behind(&left, before)))
    }

    /// Looks again, inside the script's transaction, before it is committed.
    pub async fn check(self, connection: &mut dyn Connection) -> Result<Checked, DatabaseError> {
        let Some(before) = self.before else {
            return Ok(Checked::default());
        };
        let script = &self.file.script;
        let last = script.statements.len().saturating_sub(1);
        let after = connection.inventory().await?;
        let lost = before.lost(&after, script);
        if !lost.is_empty() {
            return Ok(Checked {
                loss: Some((last, lost_triggers(&lost))),
                along: Vec::new(),
            });
        }
        for gone in before.gone(&after) {
            let index = script.statements.iter().position(|statement| {
                statement.gone().any(|said| {
                    said.table.eq_ignore_ascii_case(&gone.table)
                        && said.column.is_none() == gone.column.is_none()
                        && said
                            .column
                            .as_deref()
                            .unwrap_or_default()
                            .eq_ignore_ascii_case(gone.column.as_deref().unwrap_or_default())
                })
            });
            let index = index.unwrap_or(last);
            if self.file.vouched.contains(&index) {
                continue;
            }
            if let Some(left) = after.code.left(index, &gone).first() {
                return Ok(Checked {
                    loss: Some((index, left_behind(left, &after))),
                    along: Vec::new(),
                });
            }
        }
        let names = before.gone_along(&after, &self.file.text);
        let along = names.into_iter().map(|name| Heard {
            at: last,
            severity: Severity::Warning,
            text: format!("{name} is gone as well, which the script does not name"),
        });
        Ok(Checked {
            loss: None,
            along: along.collect(),
        })
    }

    /// Looks again after statements that were committed one by one.
    pub async fn check_alone(
        self,
        connection: &mut dyn Connection,
    ) -> Result<Vec<Heard>, CoordinatorError> {
        if self.before.is_none() {
            return Ok(Vec::new());
        }
        let file = self.file;
        connection.begin(Access::Read).await?;
        let checked = self.check(connection).await;
        connection.rollback().await?;
        let checked = checked?;
        match checked.loss {
            Some((index, error)) => Err(failure(file, index, error, LOST.to_owned())),
            None => Ok(checked.along),
        }
    }
}

impl Coordinator<'_> {
    /// What the script would lose is said before its first statement runs.
    pub(super) async fn foresee<'f>(
        &mut self,
        file: &'f ScriptFile,
        recorded: &[StepRecord],
    ) -> Result<Guard<'f>, CoordinatorError> {
        let guard = Guard::look_alone(self.connection.as_mut(), file).await?;
        // Of a statement that was begun nobody knows yet whether it has run; all were foreseen before it was.
        let is_begun = |step: &StepRecord| step.state == StepState::Started;
        if recorded.iter().any(is_begun) {
            return Ok(guard);
        }
        match guard.would_lose(recorded.len()) {
            Some((index, error)) => Err(failure(file, index, error, FORESEEN.to_owned())),
            None => Ok(guard),
        }
    }
}

fn lost_triggers(lost: &[Dependent]) -> DatabaseError {
    let named: Vec<String> = lost
        .iter()
        .map(|trigger| {
            let table = trigger.table.as_deref().unwrap_or_default();
            format!("`{}` of `{table}`", trigger.name)
        })
        .collect();
    DatabaseError::new(
        ErrorKind::Statement,
        format!(
            "the script takes away the trigger {}, which may keep formats in step: a copy of a table has no triggers, and a \
             disabled one does not fire. Create it in the same script before the table changes places, or drop it there by name",
            named.join(", ")
        ),
    )
}

fn left_behind(left: &Left, inventory: &Inventory) -> DatabaseError {
    DatabaseError::new(
        ErrorKind::Statement,
        format!(
            "{} after this: {}. If that is meant, vouch for the statement with `allow` in migration.toml",
            left.sentence(),
            left.way_out(inventory.code.dialect)
        ),
    )
}
