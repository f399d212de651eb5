//! The event log: append-only, each event sealed with the hash of the one before.

use sha2::{Digest, Sha256};

use super::tables::GENESIS;
use super::{Ledger, LedgerError, first};
use crate::database::{Row, Value};
use crate::model::MigrationId;
use crate::text::secret;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EventKind {
    /// A phase of a migration was recorded.
    Phase,
    /// A statement outside of a transaction was begun, finished or resolved.
    Statement,
    /// A backfill was undone by a version that writes only the old format.
    BackfillUndone,
    /// Somebody accepted missing evidence, with a reason.
    Override,
    /// Somebody paused a backfill, let it go on, or changed its pace.
    Steered,
    /// A step failed, and nobody wanted it to.
    Failed,
    /// The record of an applied file was made to say what the file says now, with a reason.
    Repaired,
    /// What keeps the formats of a migration in step had gone, or was made again: rows may have been written past it.
    OutOfStep,
    /// Somebody has repaired rows of which both formats may have been stale, with a reason.
    RowsRepaired,
    /// A migration was rehearsed, and what its files claim was denied or not.
    Rehearsed,
    /// A coordinator took over from one whose lease had run out.
    Takeover,
    /// A rollout began, went on by a step, stopped or ended.
    Rollout,
    /// Somebody ended leases of instances that are gone, with a reason.
    Forgot,
    /// The schemas that the ledger is for have other names now, with a reason.
    SchemasRenamed,
}

impl EventKind {
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Phase => "phase",
            Self::Statement => "statement",
            Self::BackfillUndone => "backfill_undone",
            Self::Override => "override",
            Self::Steered => "steered",
            Self::Failed => "failed",
            Self::Repaired => "repaired",
            Self::OutOfStep => "out_of_step",
            Self::RowsRepaired => "rows_repaired",
            Self::Rehearsed => "rehearsed",
            Self::Takeover => "takeover",
            Self::Rollout => "rollout",
            Self::Forgot => "forgot",
            Self::SchemasRenamed => "schemas_renamed",
        }
    }
}

/// One entry of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    pub seq: i64,
    /// Milliseconds since the epoch, by the database's clock.
    pub at: i64,
    pub actor: String,
    pub kind: String,
    pub migration: Option<String>,
    /// A JSON object.
    pub detail: String,
    pub previous: String,
    pub hash: String,
}

impl Event {
    /// The hash that seals this event; each field goes in with its length, so that no two events
    /// share a text.
    #[must_use]
    pub fn seal(&self) -> String {
        let mut hasher = Sha256::new();
        let fields = [
            self.previous.as_str(),
            &self.seq.to_string(),
            &self.at.to_string(),
            &self.actor,
            &self.kind,
            self.migration.as_deref().unwrap_or_default(),
            &self.detail,
        ];
        for field in fields {
            hasher.update((field.len() as u64).to_be_bytes());
            hasher.update(field.as_bytes());
        }
        hasher
            .finalize()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }
}

/// Where the log ended at some time: kept elsewhere, it shows that nothing up to it was changed since.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KnownHead {
    /// The number of events; `None` if only the hash was kept.
    pub seq: Option<i64>,
    pub hash: String,
}

impl std::fmt::Display for KnownHead {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.seq {
            Some(seq) => write!(f, "{seq}:{}", self.hash),
            None => f.write_str(&self.hash),
        }
    }
}

impl std::str::FromStr for KnownHead {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            "write it as `migrate log --head` printed it: the number of events, `:` and 64 hexadecimal digits, or the digits alone"
                .to_owned()
        };
        let (seq, hash) = match text.trim().split_once(':') {
            Some((seq, hash)) => {
                let seq = seq.parse().ok().filter(|seq: &i64| *seq >= 0);
                (Some(seq.ok_or_else(wrong)?), hash)
            }
            None => (None, text.trim()),
        };
        let is_hash = hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
        // Before the first event there is none.
        if is_hash || seq == Some(0) && hash == GENESIS {
            return Ok(Self {
                seq,
                hash: hash.to_ascii_lowercase(),
            });
        }
        Err(wrong())
    }
}

pub(super) const HEAD: &str = "SELECT events, head FROM {meta} WHERE id = 1";

impl KnownHead {
    /// What the answer to [`HEAD`] says.
    pub(super) fn read(rows: &[Row]) -> Result<Self, LedgerError> {
        let row = first(rows)?;
        Ok(Self {
            seq: Some(row.int(0)?),
            hash: row.text(1)?.to_owned(),
        })
    }

    /// Whether it is where the log stood after this event.
    fn is_at(&self, event: &Event) -> bool {
        event.hash == self.hash && self.seq.is_none_or(|seq| seq == event.seq)
    }
}

/// What checking the log found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verified {
    Whole {
        head: KnownHead,
    },
    /// The chain is whole, and the tables are not as it tells, or it does not lead over a head that is known.
    Contradicted {
        reason: String,
    },
    /// The first event that does not fit, and why.
    Broken {
        seq: i64,
        reason: String,
    },
}

/// The chain of events, as far as it was followed.
pub(super) struct Chain<'k> {
    events: i64,
    /// The hash of the last one.
    hash: String,
    /// A head that is known, and has not been passed yet.
    known: Option<&'k KnownHead>,
}

impl<'k> Chain<'k> {
    pub(super) fn new(known: Option<&'k KnownHead>) -> Self {
        Self {
            events: 0,
            hash: GENESIS.to_owned(),
            // Before the first event there is none.
            known: known.filter(|known| known.seq != Some(0)),
        }
    }

    /// Goes on over this event, if it follows from the one before.
    ///
    /// # Errors
    /// That it does not, and why.
    pub(super) fn follow(&mut self, event: &Event) -> Result<(), Verified> {
        let expected = self.events.saturating_add(1);
        let broken = |seq: i64, reason: &str| {
            Err(Verified::Broken {
                seq,
                reason: reason.to_owned(),
            })
        };
        if event.seq != expected {
            return broken(expected, "the event is missing");
        }
        if event.previous != self.hash {
            return broken(event.seq, "it does not follow from the event before");
        }
        if event.seal() != event.hash {
            return broken(event.seq, "its contents were changed after it was recorded");
        }
        self.events = expected;
        self.hash.clone_from(&event.hash);
        self.known = self.known.filter(|known| !known.is_at(event));
        Ok(())
    }

    /// What is to be said of it, when there are no more events.
    pub(super) fn ends_at(&self, head: &KnownHead) -> Verified {
        if self.events != head.seq.unwrap_or_default() || self.hash != head.hash {
            return Verified::Broken {
                seq: self.events.saturating_add(1),
                reason: "events are missing at the end".into(),
            };
        }
        match self.known {
            None => Verified::Whole { head: head.clone() },
            Some(known) => Verified::Contradicted {
                reason: format!(
                    "the log does not lead over the known head {known}: it was rewritten, or cut off before it and continued"
                ),
            },
        }
    }
}

/// Where the log ends, as long as this transaction keeps others from appending to it.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) events: i64,
    pub(super) hash: String,
    /// When that was read: milliseconds since the epoch, by the database's clock.
    pub(super) at: i64,
    pub(super) record: HeadRecord,
}

/// Whether the ledger's own row says where the log ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HeadRecord {
    Written,
    /// Events were appended since; written once, however many they are, before the transaction is committed.
    Due,
}

/// Locks the log against others that append, and asks where it ends.
const LOCK_HEAD: &str = "SELECT events, head, {now} FROM {meta} WHERE id = 1{for_update}";

impl Head {
    /// What the answer to [`LOCK_HEAD`] says.
    fn read(rows: &[Row]) -> Result<Self, LedgerError> {
        let row = first(rows)?;
        Ok(Self {
            events: row.int(0)?,
            hash: row.text(1)?.to_owned(),
            at: row.int(2)?,
            record: HeadRecord::Written,
        })
    }
}

/// What the tables are checked against, and so stays exact: nobody writes a text of his own there.
const EXACT: [&str; 6] = ["to", "file", "sha256", "steps", "kinds", "declared"];

/// The detail of an event without secrets: what a person gave as a reason, or a program said, may hold them, and the log is
/// read by many and kept for ever.
fn without_secrets(detail: &serde_json::Value) -> serde_json::Value {
    use serde_json::Value as Json;
    match detail {
        Json::String(text) => Json::String(secret::masked(text).into_owned()),
        Json::Array(values) => values.iter().map(without_secrets).collect(),
        Json::Object(values) => {
            let each = values.iter().map(|(key, value)| {
                let value = if EXACT.contains(&key.as_str()) {
                    value.clone()
                } else {
                    without_secrets(value)
                };
                (key.clone(), value)
            });
            each.collect()
        }
        other => other.clone(),
    }
}

impl Ledger<'_> {
    /// Appends to the log.
    ///
    /// # Errors
    /// A database error.
    pub async fn append(
        &mut self,
        kind: EventKind,
        actor: &str,
        migration: Option<&MigrationId>,
        detail: &serde_json::Value,
    ) -> Result<(), LedgerError> {
        let head = match self.head.take() {
            Some(head) => head,
            None => Head::read(&self.query(LOCK_HEAD, &[]).await?)?,
        };
        let mut event = Event {
            seq: head.events.saturating_add(1),
            at: head.at,
            actor: actor.to_owned(),
            kind: kind.name().to_owned(),
            migration: migration.map(ToString::to_string),
            detail: without_secrets(detail).to_string(),
            previous: head.hash,
            hash: String::new(),
        };
        event.hash = event.seal();
        let Event {
            seq,
            at,
            actor,
            kind,
            migration,
            detail,
            previous,
            hash,
        } = event;
        self.execute_later(
            "INSERT INTO {events} (seq, at, actor, kind, migration, detail, previous, hash) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            &[
                seq.into(),
                at.into(),
                actor.into(),
                kind.into(),
                migration.unwrap_or_default().into(),
                detail.into(),
                previous.into(),
                hash.as_str().into(),
            ],
        );
        self.head = Some(Head {
            events: seq,
            hash,
            at,
            record: HeadRecord::Due,
        });
        Ok(())
    }

    /// Writes where the log ends, if this transaction has appended to it.
    pub(super) fn record_head(&mut self) {
        if let Some(head) = &mut self.head
            && head.record == HeadRecord::Due
        {
            head.record = HeadRecord::Written;
            let values = [head.events.into(), head.hash.as_str().into()];
            self.execute_later(
                "UPDATE {meta} SET events = ?, head = ? WHERE id = 1",
                &values,
            );
        }
    }

    /// The whole log, oldest first.
    ///
    /// # Errors
    /// A database error.
    pub async fn events(&mut self) -> Result<Vec<Event>, LedgerError> {
        self.events_after(i64::MIN).await
    }

    /// The log after an event, oldest first.
    ///
    /// # Errors
    /// A database error.
    pub async fn events_after(&mut self, seq: i64) -> Result<Vec<Event>, LedgerError> {
        self.events_where("seq > ? ORDER BY seq", &[seq.into()])
            .await
    }

    /// The events for which a condition holds, as it has them ordered.
    pub(super) async fn events_where(
        &mut self,
        condition: &str,
        parameters: &[Value],
    ) -> Result<Vec<Event>, LedgerError> {
        let sql = format!(
            "SELECT seq, at, actor, kind, migration, detail, previous, hash FROM {{events}} WHERE {condition}"
        );
        let rows = self.query(&sql, parameters).await?;
        rows.iter()
            .map(|row| {
                let migration = row.optional_text(4)?.filter(|text| !text.is_empty());
                Ok(Event {
                    seq: row.int(0)?,
                    at: row.int(1)?,
                    actor: row.text(2)?.to_owned(),
                    kind: row.text(3)?.to_owned(),
                    migration: migration.map(ToOwned::to_owned),
                    detail: row.text(5)?.to_owned(),
                    previous: row.text(6)?.to_owned(),
                    hash: row.text(7)?.to_owned(),
                })
            })
            .collect()
    }

    /// Where the log ends.
    ///
    /// # Errors
    /// A database error.
    pub async fn log_head(&mut self) -> Result<KnownHead, LedgerError> {
        KnownHead::read(&self.query(HEAD, &[]).await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(length: i64) -> Vec<Event> {
        let mut events: Vec<Event> = Vec::new();
        for seq in 1..=length {
            let previous = events
                .last()
                .map_or(GENESIS.to_owned(), |event| event.hash.clone());
            let mut event = Event {
                seq,
                at: 1000 + seq,
                actor: "ann".into(),
                kind: "phase".into(),
                migration: Some("0001_a".into()),
                detail: "{}".into(),
                previous,
                hash: String::new(),
            };
            event.hash = event.seal();
            events.push(event);
        }
        events
    }

    fn verified(events: &[Event], count: i64, head: &str, known: Option<&KnownHead>) -> Verified {
        let mut chain = Chain::new(known);
        for event in events {
            if let Err(broken) = chain.follow(event) {
                return broken;
            }
        }
        let seq = Some(count);
        let hash = head.to_owned();
        chain.ends_at(&KnownHead { seq, hash })
    }

    fn check(events: &[Event], count: i64, head: &str) -> Option<i64> {
        match verified(events, count, head, None) {
            Verified::Whole { .. } => None,
            Verified::Broken { seq, .. } => Some(seq),
            Verified::Contradicted { reason } => panic!("{reason}"),
        }
    }

    /// Whether these events lead over a head.
    fn is_in(known: &KnownHead, events: &[Event]) -> bool {
        let last = events.last();
        let (count, head) = last.map_or((0, GENESIS), |event| (event.seq, event.hash.as_str()));
        match verified(events, count, head, Some(known)) {
            Verified::Whole { .. } => true,
            Verified::Contradicted { .. } => false,
            broken @ Verified::Broken { .. } => panic!("{broken:?}"),
        }
    }

    #[test]
    fn a_known_head_shows_what_was_rewritten() {
        let whole = log(3);
        let head = |seq: usize| KnownHead {
            seq: i64::try_from(seq).ok(),
            hash: whole[seq - 1].hash.clone(),
        };
        for seq in 1..=3 {
            let read: KnownHead = head(seq).to_string().parse().unwrap();
            assert_eq!(read, head(seq));
            assert!(is_in(&read, &whole));
            let alone: KnownHead = read.hash.parse().unwrap();
            assert!(is_in(&alone, &whole));
            assert_eq!(is_in(&alone, &whole[..2]), seq < 3);
        }
        let seq = Some(1);
        assert!(!is_in(&KnownHead { seq, ..head(2) }, &whole));
        let none: KnownHead = "0:".parse().unwrap();
        assert!(is_in(&none, &[]));
        for text in [
            "",
            "3",
            "x:y",
            "-1:",
            "1:",
            "abc",
            &"0".repeat(63),
            &"g".repeat(64),
        ] {
            assert!(text.parse::<KnownHead>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_changed_missing_or_moved_event_is_found() {
        let whole = log(4);
        let head = whole.last().unwrap().hash.clone();
        assert_eq!(check(&whole, 4, &head), None);
        assert_eq!(check(&[], 0, GENESIS), None);

        let mut changed = whole.clone();
        changed[1].detail = "{\"x\":1}".into();
        assert_eq!(check(&changed, 4, &head), Some(2));

        // Sealing the changed event again does not help: the next one holds the old hash.
        changed[1].hash = changed[1].seal();
        assert_eq!(check(&changed, 4, &head), Some(3));

        let mut removed = whole.clone();
        removed.remove(1);
        assert_eq!(check(&removed, 4, &head), Some(2));
        assert_eq!(check(&whole[..3], 4, &head), Some(4));

        let mut swapped = whole;
        swapped.swap(1, 2);
        assert_eq!(check(&swapped, 4, &head), Some(2));
    }
}
