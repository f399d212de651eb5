//! What is recorded of a running backfill: its ranges of keys with a checkpoint each, how it is steered, and how it
//! gets on.
//!
//! These tables came later than the others, and a ledger without them is no older for it: only a coordinator needs
//! them, and makes them. So programs of before, such as agents that run for months, go on beside those of today.

use std::collections::BTreeSet;

use super::{Ledger, LedgerError, View};
use crate::database::{Connection, ErrorKind, Key, KeyRange, Row, Start, Value};
use crate::model::{MigrationId, Phase};

/// A part of the keys that one worker goes over, and how far it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RangeRecord {
    pub position: i64,
    /// What is left of it.
    pub left: KeyRange,
    /// Keys passed.
    pub seen: u64,
    /// Rows changed.
    pub changed: u64,
    pub batches: u64,
    /// How many keys the latest batch was to have; 0 before the first.
    pub size: u64,
}

/// Whether a backfill may go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DesiredState {
    Running,
    Paused,
}

/// How somebody wants a backfill to run, told from any terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Control {
    pub desired: DesiredState,
    /// In thousandths of the time; `None` if nobody has changed what the migration declares.
    pub pace: Option<u64>,
}

/// A change of [`Control`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Steering {
    Pause,
    Resume,
    /// In thousandths of the time.
    Pace(u64),
}

/// A backfill as it is recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackfillRecord {
    pub number: u64,
    /// When the phase was recorded that this belongs to; ranges of another time say nothing.
    pub run: i64,
    /// Of the file that it runs; ranges say nothing of another.
    pub sha256: String,
    pub control: Control,
    /// About how many rows the table had.
    pub total: u64,
    /// Keys a second, lately.
    pub rate: u64,
    /// What it waits for; empty where it does not.
    pub held_by: String,
    /// Milliseconds since the epoch.
    pub started_at: i64,
    /// When it last said how it gets on.
    pub beat_at: i64,
    pub ranges: Vec<RangeRecord>,
}

impl BackfillRecord {
    #[must_use]
    pub fn seen(&self) -> u64 {
        self.ranges.iter().map(|range| range.seen).sum()
    }

    #[must_use]
    pub fn changed(&self) -> u64 {
        self.ranges.iter().map(|range| range.changed).sum()
    }

    #[must_use]
    pub fn batches(&self) -> u64 {
        self.ranges.iter().map(|range| range.batches).sum()
    }

    #[must_use]
    pub fn is_done(&self) -> bool {
        self.ranges.iter().all(|range| range.left.is_done())
    }
}

fn number(id: &MigrationId) -> i64 {
    i64::try_from(id.number()).unwrap_or(i64::MAX)
}

fn int(value: u64) -> Value {
    i64::try_from(value).unwrap_or(i64::MAX).into()
}

fn encoded(key: &Key) -> Result<String, LedgerError> {
    serde_json::to_string(&key.0).map_err(|error| LedgerError::Damaged(error.to_string()))
}

fn decoded(text: &str) -> Result<Key, LedgerError> {
    serde_json::from_str(text)
        .map(Key)
        .map_err(|error| LedgerError::Damaged(format!("`{text}` is not a key: {error}")))
}

pub(super) const RANGES: &str = "SELECT position, begins, key_from, key_upto, seen, changed, batches, size, number \
     FROM {backfill_ranges} ORDER BY number, position";
pub(super) const BACKFILLS: &str = "SELECT number, run, paused, pace, total, rate, held_by, started_at, beat_at, sha256 \
     FROM {backfills} ORDER BY number";

impl Ledger<'_> {
    /// The numbers of the backfills that are under way and paused, in a transaction of its own; empty if this user may not
    /// look, or the ledger is from before they could be. Nothing is asked where none is under way.
    ///
    /// # Errors
    /// A database error.
    pub async fn paused(
        connection: &mut dyn Connection,
        view: &View,
    ) -> Result<BTreeSet<u64>, LedgerError> {
        let mut applied = view.applied.iter();
        if !applied.any(|applied| applied.state.phase == Phase::Backfilling) {
            return Ok(BTreeSet::new());
        }
        let Some(mut ledger) = Ledger::read(connection).await? else {
            return Ok(BTreeSet::new());
        };
        let read = ledger
            .query("SELECT number FROM {backfills} WHERE paused <> 0", &[])
            .await;
        ledger.rollback().await?;
        match read {
            Ok(rows) => rows
                .iter()
                .map(|row| Ok(u64::try_from(row.int(0)?).unwrap_or_default()))
                .collect(),
            Err(LedgerError::Database(error))
                if matches!(error.kind, ErrorKind::NoTable | ErrorKind::Permission) =>
            {
                Ok(BTreeSet::new())
            }
            Err(error) => Err(error),
        }
    }

    /// Every backfill that is recorded, in a transaction of its own; none in a ledger without these tables.
    ///
    /// # Errors
    /// A database error, or contents that this program did not write.
    pub async fn backfills(
        connection: &mut dyn Connection,
    ) -> Result<Vec<BackfillRecord>, LedgerError> {
        let Some(mut ledger) = Ledger::read(connection).await? else {
            return Ok(Vec::new());
        };
        let read = ledger.query_all([BACKFILLS, RANGES]).await;
        ledger.rollback().await?;
        match read {
            Ok([backfills, ranges]) => read_backfills(&backfills, &ranges),
            // Or this user may not look: what a backfill does is no reason to refuse the rest.
            Err(LedgerError::Database(error))
                if matches!(error.kind, ErrorKind::NoTable | ErrorKind::Permission) =>
            {
                Ok(Vec::new())
            }
            Err(error) => Err(error),
        }
    }

    /// Records that a backfill goes over these ranges from now on, in place of any before.
    ///
    /// # Errors
    /// A key that cannot be written.
    pub fn record_ranges(
        &mut self,
        id: &MigrationId,
        ranges: &[RangeRecord],
    ) -> Result<(), LedgerError> {
        for range in ranges {
            let (begins, from) = match &range.left.start {
                Start::At(key) => ("at", key),
                Start::After(key) => ("after", key),
            };
            self.execute_later(
                "INSERT INTO {backfill_ranges} (number, position, begins, key_from, key_upto, seen, changed, batches, size) \
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                &[
                    number(id).into(),
                    range.position.into(),
                    begins.into(),
                    encoded(from)?.into(),
                    encoded(&range.left.last)?.into(),
                    int(range.seen),
                    int(range.changed),
                    int(range.batches),
                    int(range.size),
                ],
            );
        }
        Ok(())
    }

    /// Records that a backfill begins, with nothing of an earlier one.
    pub fn open_backfill(&mut self, id: &MigrationId, total: u64, sha256: &str) {
        self.forget_backfill(id);
        self.execute_later(
            "INSERT INTO {backfills} (number, run, sha256, paused, pace, total, rate, held_by, started_at, beat_at) \
             SELECT number, changed_at, ?, 0, NULL, ?, 0, '', {now}, {now} FROM {migrations} WHERE number = ?",
            &[sha256.into(), int(total), number(id).into()],
        );
    }

    /// Forgets how far a backfill is: the next run begins at the first key.
    pub fn forget_backfill(&mut self, id: &MigrationId) {
        for table in ["backfills", "backfill_ranges"] {
            self.execute_later(
                &format!("DELETE FROM {{{table}}} WHERE number = ?"),
                &[number(id).into()],
            );
        }
    }

    /// Records how far a range is, in the transaction of its batch, and makes sure of the coordinator's lease as
    /// [`Ledger::fence`] does.
    ///
    /// # Errors
    /// A database error, that the range is not recorded any more, or [`LedgerError::Superseded`].
    pub async fn record_checkpoint(
        &mut self,
        id: &MigrationId,
        range: &RangeRecord,
        token: i64,
    ) -> Result<(), LedgerError> {
        let values = [
            encoded(range.left.start.key())?.into(),
            int(range.seen),
            int(range.changed),
            int(range.batches),
            int(range.size),
            number(id).into(),
            range.position.into(),
        ];
        let sql = "UPDATE {backfill_ranges} SET begins = 'after', key_from = ?, seen = ?, changed = ?, batches = ?, size = ? \
                   WHERE number = ? AND position = ?";
        let lock = super::coordinator::LOCK;
        let [recorded, coordinator] = self.call([(sql, &values), (lock, &[])]).await?;
        super::coordinator::read(&coordinator.rows)?.proves(token)?;
        if recorded.changed == 1 {
            return Ok(());
        }
        Err(LedgerError::Damaged(format!(
            "range {} of the backfill of {id} is not there any more",
            range.position
        )))
    }

    /// How the backfill is to run. No record of it means: as declared.
    ///
    /// # Errors
    /// A database error.
    pub async fn control(&mut self, id: &MigrationId) -> Result<Control, LedgerError> {
        let sql = format!(
            "SELECT paused, pace FROM {{backfills}} WHERE number = {}",
            number(id)
        );
        let rows = self.query(&sql, &[]).await?;
        rows.first().map_or(
            Ok(Control {
                desired: DesiredState::Running,
                pace: None,
            }),
            |row| read_control(row, 0),
        )
    }

    /// Changes how a backfill is to run; false where none is recorded.
    ///
    /// # Errors
    /// A database error.
    pub async fn steer(
        &mut self,
        id: &MigrationId,
        steering: Steering,
    ) -> Result<bool, LedgerError> {
        let (column, value) = match steering {
            Steering::Pause => ("paused", 1.into()),
            Steering::Resume => ("paused", 0.into()),
            Steering::Pace(pace) => ("pace", int(pace)),
        };
        let sql = format!("UPDATE {{backfills}} SET {column} = ? WHERE number = ?");
        self.execute(&sql, &[value, number(id).into()]).await?;
        // A row that has the value already may not count as changed.
        let sql = format!(
            "SELECT number FROM {{backfills}} WHERE number = {}",
            number(id)
        );
        Ok(!self.query(&sql, &[]).await?.is_empty())
    }

    /// Says how a backfill gets on, for those who look from elsewhere.
    ///
    /// # Errors
    /// A database error.
    pub async fn beat(
        &mut self,
        id: &MigrationId,
        rate: u64,
        held_by: &str,
    ) -> Result<(), LedgerError> {
        self.execute(
            "UPDATE {backfills} SET rate = ?, held_by = ?, beat_at = {now} WHERE number = ?",
            &[int(rate), held_by.into(), number(id).into()],
        )
        .await?;
        Ok(())
    }
}

fn read_control(row: &Row, at: usize) -> Result<Control, LedgerError> {
    let desired = if row.int(at)? == 0 {
        DesiredState::Running
    } else {
        DesiredState::Paused
    };
    let pace = row.optional_int(at + 1)?;
    Ok(Control {
        desired,
        pace: pace.and_then(|pace| u64::try_from(pace).ok()),
    })
}

pub(super) fn read_backfills(
    backfills: &[Row],
    ranges: &[Row],
) -> Result<Vec<BackfillRecord>, LedgerError> {
    let count = |row: &Row, at: usize| -> Result<u64, LedgerError> {
        Ok(u64::try_from(row.int(at)?).unwrap_or_default())
    };
    let mut records = Vec::with_capacity(backfills.len());
    for row in backfills {
        let number = row.int(0)?;
        let mut own = Vec::new();
        for range in ranges {
            if range.int(8)? != number {
                continue;
            }
            let from = decoded(range.text(2)?)?;
            let start = match range.text(1)? {
                "at" => Start::At(from),
                "after" => Start::After(from),
                other => {
                    return Err(LedgerError::Damaged(format!(
                        "`{other}` is not how a range begins"
                    )));
                }
            };
            own.push(RangeRecord {
                position: range.int(0)?,
                left: KeyRange {
                    start,
                    last: decoded(range.text(3)?)?,
                },
                seen: count(range, 4)?,
                changed: count(range, 5)?,
                batches: count(range, 6)?,
                size: count(range, 7)?,
            });
        }
        records.push(BackfillRecord {
            number: u64::try_from(number).unwrap_or_default(),
            run: row.int(1)?,
            control: read_control(row, 2)?,
            total: count(row, 4)?,
            rate: count(row, 5)?,
            held_by: row.text(6)?.to_owned(),
            started_at: row.int(7)?,
            beat_at: row.int(8)?,
            sha256: row.text(9)?.to_owned(),
            ranges: own,
        });
    }
    Ok(records)
}
