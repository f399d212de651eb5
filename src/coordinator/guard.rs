//! What a script may lose without a word: the triggers of a table that it swaps for a copy, and code that still names
//! what it takes away.
//!
//! Invariant: after every script a table name has triggers that do what its triggers did before, unless the script drops or
//! replaces them by name; and those that keep formats in step for another migration, unless somebody vouches for it.

use super::CoordinatorError;
use super::error::failure;
use super::script::Run;
use super::session::Session;
use super::sync::Owned;
use crate::database::{Access, Connection, DatabaseError, ErrorKind, Heard, Severity};
use crate::ledger::{StepRecord, StepState};
use crate::project::ScriptFile;
use crate::sql::{
    Asked, Attached, Dependents, Dialect, Effect, How, Inventory, Left, Lost, Mode, Nowhere,
    Script, Texts,
};

const FORESEEN: &str = "the statement was not run, nor was any before it in this run, because each is committed at once. Mend \
     the file and run the same command again";
const NOT_SWAPPED: &str = "the statement was not run; those before it are done and recorded. Give the copy by hand what it lacks, \
     or mend the statements that are left, then run the same command again";
const LOST: &str = "the statements of this file have run, and the phase is not recorded. Put the trigger back, then run the \
     same command again";

/// Looks at the database before a script, and again after it.
pub(super) struct Guard<'f> {
    file: &'f ScriptFile,
    /// What other migrations keep in step.
    owned: &'f [Owned<'f>],
    /// `None` if the script only adds.
    before: Option<Inventory>,
    /// The code that was there; `None` if the script adds no column to a table that was there.
    code: Option<Dependents>,
    /// What code that the script makes writes to in vain.
    nowhere: Vec<Nowhere>,
    /// How many rows the tables have in whose place copies come, where nobody vouches for what fills these.
    rows: Vec<(String, i64)>,
}

/// What the script would lose, and at which of its statements.
type Found = (usize, DatabaseError);

/// What shows after a script.
#[derive(Default)]
pub(super) struct Checked {
    pub loss: Option<Found>,
    /// What is gone although the script does not name it, and may be: `CASCADE` says so.
    pub along: Vec<Heard>,
}

impl Checked {
    const fn lost(index: usize, error: DatabaseError) -> Self {
        Self {
            loss: Some((index, error)),
            along: Vec::new(),
        }
    }
}

impl<'f> Guard<'f> {
    /// Whether there is anything to look at: most scripts only add what nobody names yet.
    pub fn is_needed(script: &Script) -> bool {
        script.may_take() || script.adds_columns() || script.makes_unseen_code()
    }

    /// Inside the transaction of the script.
    pub async fn look(
        connection: &mut dyn Connection,
        file: &'f ScriptFile,
        owned: &'f [Owned<'f>],
    ) -> Result<Self, DatabaseError> {
        // SQLite is asked itself, see `broken_writes`.
        let widens = file.script.adds_columns() && file.script.dialect != Dialect::Sqlite;
        // Where it cannot be asked before the commit, the code is looked at before the statement.
        let is_one =
            file.script.dialect == Dialect::Postgres && file.script.mode == Mode::Transactional;
        let fires = file.script.makes_unseen_code() && !is_one;
        let takes = file.script.may_take();
        let found = match takes || widens || fires {
            true => Some(connection.inventory().await?),
            false => None,
        };
        let code = found.as_ref().filter(|_| widens);
        Ok(Self {
            file,
            owned,
            code: code.map(|found| found.code.clone()),
            nowhere: (found.iter())
                .flat_map(|found| found.nowhere(&file.script, Asked::Before))
                .collect(),
            before: found.filter(|_| takes),
            rows: Vec::new(),
        })
    }

    /// Holds writes to a table up from before it is copied until the copy has its place, and counts the rows that the copy has to have as
    /// well; in the transaction in which it is made. What live versions write meanwhile would be lost with the old table.
    pub async fn hold_and_count(
        &mut self,
        connection: &mut dyn Connection,
    ) -> Result<(), DatabaseError> {
        let Some(before) = &self.before else {
            return Ok(());
        };
        // In SQLite a transaction that writes is the only one; MySQL commits before it swaps, and `check` asks for somebody's word.
        if self.file.script.dialect == Dialect::Postgres {
            for table in before.copied(&self.file.script) {
                let lock = format!("LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE");
                connection.run(&lock).await?;
            }
        }
        let fills = |index: &usize| self.file.script.may_fill(*index);
        if self.file.vouched.iter().any(fills) {
            return Ok(());
        }
        for table in before.copied(&self.file.script) {
            let counted = connection
                .count(&format!("SELECT count(*) FROM {table}"))
                .await?;
            self.rows.push((table, counted));
        }
        Ok(())
    }

    /// A copy that has fewer rows than what it has taken the place of.
    async fn fewer_rows(
        &self,
        connection: &mut dyn Connection,
    ) -> Result<Option<DatabaseError>, DatabaseError> {
        for (table, before) in &self.rows {
            let now = connection
                .count(&format!("SELECT count(*) FROM {table}"))
                .await?;
            if now < *before {
                return Ok(Some(DatabaseError::new(
                    ErrorKind::Statement,
                    format!(
                        "the table that takes the place of {table} has {now} rows, and that had {before}: what was not copied would be \
                         lost. Copy all of them; or, if they are meant to go, vouch for the statement that fills the copy with `allow` \
                         in migration.toml. If somebody has deleted rows meanwhile, run the same command again"
                    ),
                )));
            }
        }
        Ok(None)
    }

    /// In a transaction of its own, for a script whose statements are committed one by one.
    async fn look_alone(
        connection: &mut dyn Connection,
        file: &'f ScriptFile,
        owned: &'f [Owned<'f>],
    ) -> Result<Self, DatabaseError> {
        if !Self::is_needed(&file.script) {
            return Self::look(connection, file, owned).await;
        }
        connection.begin(Access::Read).await?;
        let looked = Self::look(connection, file, owned).await;
        connection.rollback().await?;
        looked
    }

    /// What the statements from `from` on would lose or leave behind, by what they say.
    fn would_lose(&self, from: usize) -> Option<Found> {
        let mut nowhere = self.nowhere.iter();
        if let Some(one) = nowhere.find(|one| one.index >= from && self.refuses_nowhere(one)) {
            return Some(of_nowhere(one));
        }
        if let Some(found) = self.would_break() {
            return Some(found);
        }
        let before = self.before.as_ref()?;
        let lost = before.would_lose(&self.file.script, from, |loss| self.refuses(loss));
        if let Some((index, lost)) = lost {
            return Some((index, self.lost(&lost)));
        }
        if let Some((index, left_off)) = before.would_leave_off(&self.file.script, from) {
            return Some((index, of_a_copy(&left_off)));
        }
        let left = before.would_leave(&self.file.script, from);
        let left = left
            .into_iter()
            .find(|left| !self.file.vouched.contains(&left.index))?;
        Some((left.index, left_behind(&left, before)))
    }

    /// Code that a new column makes fail, where nobody vouches for the statement.
    fn would_break(&self) -> Option<Found> {
        let broken = self.code.as_ref()?.broken_by_columns(&self.file.script);
        let mut broken = broken.into_iter();
        let broken = broken.find(|one| !self.file.vouched.contains(&one.index))?;
        let message = format!(
            "{}. Name the columns there first, or put code in its place that does, before this statement in the same script",
            broken.sentence()
        );
        let error = DatabaseError::new(ErrorKind::Statement, message);
        Some((broken.index, error))
    }

    /// Code of a trigger that names a column which its table does not have, where nobody vouches for the statement.
    fn names_in_vain(&self, now: &Inventory) -> Option<Found> {
        if !self.file.script.makes_unseen_code() {
            return None;
        }
        let mut nowhere = now.nowhere(&self.file.script, Asked::After).into_iter();
        if let Some(one) = nowhere.find(|one| self.refuses_nowhere(one)) {
            return Some(of_nowhere(&one));
        }
        let unknown = now.unknown_columns(&self.file.script);
        let mut unknown = unknown.into_iter();
        let unknown = unknown.find(|one| !self.file.vouched.contains(&one.index));
        unknown.map(|one| {
            let message = format!(
                "the trigger `{}` names {}, and `{}` has no such column: each write that fires it would fail. Write the column's name as \
                 the table has it",
                one.trigger, one.written, one.table
            );
            (one.index, DatabaseError::new(ErrorKind::Statement, message))
        })
    }

    fn refuses_nowhere(&self, one: &Nowhere) -> bool {
        !self.file.vouched.contains(&one.index)
    }

    fn owner(&self, loss: &Lost) -> Option<&Owned<'f>> {
        self.owned.iter().find(|owned| owned.has(&loss.trigger))
    }

    /// Whether a loss is none that the script may bring about. What keeps formats in step for another migration is for
    /// somebody to vouch for; of any other trigger it is enough that the script says so.
    fn refuses(&self, loss: &Lost) -> bool {
        match (loss.said_at, self.owner(loss)) {
            (Some(index), Some(_)) => !self.file.vouched.contains(&index),
            (Some(_), None) => false,
            (None, None) => match loss.how {
                How::Gone => true,
                How::Less(_) => !self.vouches_for_code(),
            },
            (None, Some(_)) => true,
        }
    }

    /// Whether somebody vouches for a statement that may do anything.
    fn vouches_for_code(&self) -> bool {
        let mut statements = self.file.script.statements.iter().enumerate();
        statements.any(|(index, statement)| {
            matches!(statement.effect, Effect::Unknown { .. }) && self.file.vouched.contains(&index)
        })
    }

    fn lost(&self, lost: &[Lost]) -> DatabaseError {
        let named: Vec<String> = lost
            .iter()
            .map(|loss| {
                let trigger = &loss.trigger;
                let table = trigger.table.as_deref().unwrap_or_default();
                let how = match &loss.how {
                    How::Gone => "is gone or disabled".to_owned(),
                    How::Less(how) => how.clone(),
                };
                format!("`{}` of `{table}` {how}", trigger.name)
            })
            .collect();
        let word = lost.first().map_or("trigger", |loss| loss.trigger.word);
        let (names, is_are) = (named.join("; "), format!("after the script the {word}"));
        let owner = lost.iter().find_map(|loss| self.owner(loss));
        let said = lost.iter().any(|loss| loss.said_at.is_some());
        let message = match owner {
            Some(owner) => {
                let or = if said {
                    ", or vouch for this statement with `allow` and a reason in migration.toml"
                } else {
                    ""
                };
                format!(
                    "{is_are} {names}. {id} keeps both formats in step by it until its contract: what live versions write would \
                     no longer be carried over, and a later contract would lose it. Finish {id} first, leave the trigger as it is \
                     (a copy of a table needs it as well, before it changes places){or}",
                    id = owner.id,
                )
            }
            None => format!(
                "{is_are} {names}, which may keep formats in step: a copy of a table has no triggers, and a disabled one does not \
                 fire. Create it in the same script, as it was, before the table changes places, or drop or replace it there by \
                 name"
            ),
        };
        DatabaseError::new(ErrorKind::Statement, message)
    }

    /// Looks again, inside the script's transaction, before it is committed.
    pub async fn check(&self, connection: &mut dyn Connection) -> Result<Checked, DatabaseError> {
        if let Some((index, error)) = self.would_break() {
            return Ok(Checked::lost(index, error));
        }
        let script = &self.file.script;
        if self.before.is_none() && !script.makes_unseen_code() {
            return Ok(Checked::default());
        }
        let after = connection.inventory().await?;
        if let Some((index, error)) = self.names_in_vain(&after) {
            return Ok(Checked::lost(index, error));
        }
        let Some(before) = &self.before else {
            return Ok(Checked::default());
        };
        let last = script.statements.len().saturating_sub(1);
        let mut lost = before.lost(&after, script, Texts::Same);
        lost.retain(|loss| self.refuses(loss));
        if let Some(first) = lost.first() {
            let at = first.said_at.unwrap_or(last);
            return Ok(Checked::lost(at, self.lost(&lost)));
        }
        let left_off = before.left_off(&after, script);
        if !left_off.is_empty() {
            return Ok(Checked::lost(last, of_a_copy(&left_off)));
        }
        if let Some(fewer) = self.fewer_rows(connection).await? {
            return Ok(Checked::lost(last, fewer));
        }
        for gone in before.gone(&after) {
            let index = script.statements.iter().position(|statement| {
                statement.all_gone().any(|said| {
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
                return Ok(Checked::lost(index, left_behind(left, &after)));
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

    /// Looks once more before the statement at `index`, where that puts a copy in the place of a table and is committed at once.
    pub async fn before_statement(
        &self,
        connection: &mut dyn Connection,
        index: usize,
    ) -> Result<(), CoordinatorError> {
        let is_swap = |before: &Inventory| before.may_be_swapped_at(&self.file.script, index);
        if !self.before.as_ref().is_some_and(is_swap) {
            return Ok(());
        }
        connection.begin(Access::Read).await?;
        let now = connection.inventory().await;
        connection.rollback().await?;
        let now = now?;
        let lacks = now.lacks(&self.file.script, index);
        if lacks.is_empty() {
            return Ok(());
        }
        Err(failure(
            self.file,
            index,
            of_a_copy(&lacks),
            NOT_SWAPPED.to_owned(),
        ))
    }

    /// Looks again after statements that were committed one by one.
    pub async fn check_alone(
        &self,
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

/// What the script would lose is said before its first statement runs.
pub(super) async fn foresee<'f>(
    session: &mut Session<'_>,
    run: &Run<'f>,
    owned: &'f [Owned<'f>],
    recorded: &[StepRecord],
) -> Result<Guard<'f>, CoordinatorError> {
    let file = run.file;
    let guard = Guard::look_alone(session.connection.as_mut(), file, owned).await?;
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

fn of_nowhere(one: &Nowhere) -> Found {
    let message = format!(
        "the code of `{}` writes to {}, and there is none: each write that fires it would fail. Write the name as it is there, or make it \
         first; where it is there by other means, vouch for this statement with `allow` and a reason in migration.toml",
        one.code, one.what
    );
    (one.index, DatabaseError::new(ErrorKind::Statement, message))
}

fn of_a_copy(left_off: &[&Attached]) -> DatabaseError {
    const MOST: usize = 5;
    let mut named: Vec<String> = left_off
        .iter()
        .take(MOST)
        .map(|one| format!("{} (`{}`)", one.what, one.again))
        .collect();
    if let Some(more @ 1..) = left_off.len().checked_sub(MOST) {
        named.push(format!("{more} more"));
    }
    let table = left_off.first().map_or("", |one| one.table.as_str());
    DatabaseError::new(
        ErrorKind::Statement,
        format!(
            "the table that takes the place of `{table}` has not all that it had: {}. That does not follow a name: give it to \
             the copy in the same script, or take it from the old table there by name",
            named.join("; ")
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
