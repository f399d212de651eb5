//! Whether the tables say what the events say: a phase that was edited, or a file's row that was deleted, is
//! not what the log tells.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::Value as Json;
use sha2::{Digest, Sha256};

use super::events::{Chain, Event, EventKind, KnownHead, Verified};
use super::record::{SELECT_FILES, read_files};
use super::{AppliedFile, Ledger, LedgerError};
use crate::database::ErrorKind;

/// What a table holds of one migration.
struct Row {
    id: String,
    phase: String,
    kinds: String,
    declaration: String,
}

/// What the tables hold.
pub(super) struct Tables {
    migrations: BTreeMap<i64, Row>,
    files: BTreeMap<(u64, String), AppliedFile>,
    /// The seal of the statements that are done, for each migration and phase.
    steps: BTreeMap<(i64, String), String>,
}

/// What the events tell of each migration, as far as they were heard.
#[derive(Default)]
pub(super) struct Told(BTreeMap<String, OfMigration>);

/// What the events tell of one migration.
#[derive(Default)]
struct OfMigration {
    phase: String,
    /// From the last event that says it: those of earlier programs do not.
    kinds: Option<String>,
    declared: Option<String>,
    files: BTreeMap<String, (String, String)>,
    steps: BTreeMap<String, String>,
}

/// Seals the statements of a phase: where each stands, and what it is known by.
#[must_use]
pub fn seal_of_steps<'s>(steps: impl IntoIterator<Item = (i64, &'s str)>) -> String {
    let mut hasher = Sha256::new();
    for (position, sha256) in steps {
        hasher.update(position.to_be_bytes());
        hasher.update((sha256.len() as u64).to_be_bytes());
        hasher.update(sha256.as_bytes());
    }
    hex(&hasher.finalize())
}

/// Seals a declaration as it is stored.
#[must_use]
pub fn seal_of_declaration(stored: &str) -> String {
    hex(&Sha256::digest(stored.as_bytes()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

impl Told {
    /// The next event, in their order.
    pub(super) fn hear(&mut self, event: &Event) {
        let Some(id) = &event.migration else { return };
        if event.kind == EventKind::Repaired.name() {
            return repaired(self.0.entry(id.clone()).or_default(), event);
        }
        let is_of_a_phase = [EventKind::Phase, EventKind::BackfillUndone]
            .map(EventKind::name)
            .contains(&&*event.kind);
        if !is_of_a_phase {
            return;
        }
        let detail: Json = serde_json::from_str(&event.detail).unwrap_or_default();
        let text = |key: &str| detail.get(key).and_then(Json::as_str).map(str::to_owned);
        let Some(to) = text("to") else { return };
        if to == "pending" {
            self.0.remove(id);
            return;
        }
        let told = self.0.entry(id.clone()).or_default();
        if let (Some(path), Some(sha256), Some(phase)) =
            (text("file"), text("sha256"), phase_of(&to))
        {
            told.files.insert(phase.to_owned(), (path, sha256));
            match text("steps") {
                Some(seal) => told.steps.insert(phase.to_owned(), seal),
                None => told.steps.remove(phase),
            };
        }
        // What an earlier program recorded after a later one is not sealed, and neither is what it replaced.
        told.kinds = text("kinds");
        told.declared = text("declared");
        told.phase = to;
    }
}

/// The file is another one; its statements are those that were applied.
fn repaired(told: &mut OfMigration, event: &Event) {
    let detail: Json = serde_json::from_str(&event.detail).unwrap_or_default();
    let text = |key: &str| detail.get(key).and_then(Json::as_str).map(str::to_owned);
    if let (Some(phase), Some(path), Some(sha256)) = (text("phase"), text("file"), text("sha256")) {
        told.files.insert(phase, (path, sha256));
    }
}

/// The phase that a file belongs to whose event leads to this one.
fn phase_of(to: &str) -> Option<&'static str> {
    match to {
        "expanded" => Some("expand"),
        "backfilling" => Some("backfill"),
        "contracted" => Some("contract"),
        _ => None,
    }
}

impl Tables {
    /// The first thing that is not as the events tell it.
    pub(super) fn contradiction(&self, Told(told): &Told) -> Option<String> {
        for (id, told) in told {
            let row = self.migrations.iter().find(|(_, row)| row.id == *id);
            let Some((number, row)) = row else {
                return Some(format!(
                    "the log leaves {id} {}, and nothing is recorded of it any more",
                    told.phase
                ));
            };
            if row.phase != told.phase {
                return Some(format!(
                    "{id} is recorded as {}, and the log leaves it {}",
                    row.phase, told.phase
                ));
            }
            if told.kinds.as_ref().is_some_and(|kinds| *kinds != row.kinds) {
                return Some(format!(
                    "the row kinds of {id} are not those that were recorded"
                ));
            }
            let seal = seal_of_declaration(&row.declaration);
            if told
                .declared
                .as_ref()
                .is_some_and(|declared| *declared != seal)
            {
                return Some(format!(
                    "the declaration of {id} is not the one that was recorded"
                ));
            }
            let of_migration = u64::try_from(*number).unwrap_or_default();
            for (phase, (path, sha256)) in &told.files {
                let Some(file) = self.files.get(&(of_migration, phase.clone())) else {
                    return Some(format!("the record of {path}, applied in {id}, is gone"));
                };
                if (&file.path, &file.sha256) != (path, sha256) {
                    return Some(format!(
                        "the record of {path}, applied in {id}, was changed"
                    ));
                }
            }
            for (phase, seal) in &told.steps {
                let none = seal_of_steps([]);
                let found = self.steps.get(&(*number, phase.clone())).unwrap_or(&none);
                if found != seal {
                    return Some(format!(
                        "the statements recorded for the {phase} of {id} are not those that were run"
                    ));
                }
            }
        }
        let unknown = self
            .migrations
            .values()
            .find(|row| !told.contains_key(&row.id));
        if let Some(row) = unknown {
            return Some(format!(
                "{} is recorded as {}, and no event tells of it",
                row.id, row.phase
            ));
        }
        let stray = self.files.values().find(|file| {
            let of = i64::try_from(file.number).unwrap_or_default();
            let row = self.migrations.get(&of);
            !row.and_then(|row| told.get(&row.id))
                .is_some_and(|told| told.files.contains_key(&file.phase))
        });
        stray.map(|file| {
            format!(
                "no event tells of {}, which is recorded as applied",
                file.path
            )
        })
    }
}

/// That what a table holds is nothing that this program writes.
fn unreadable(error: LedgerError) -> Result<String, LedgerError> {
    let is_of_the_contents = match &error {
        LedgerError::Database(error) => error.kind == ErrorKind::Ledger,
        LedgerError::Damaged(_) => true,
        _ => false,
    };
    if is_of_the_contents {
        Ok(format!("what is recorded cannot be read ({error})"))
    } else {
        Err(error)
    }
}

/// How many events are looked at before the next ones are read: a log is kept for ever.
const PAGE: usize = 1000;

impl Ledger<'_> {
    /// Checks the hash chain of the whole log, whether it leads over a head that is known, and whether
    /// the tables are as it tells.
    ///
    /// # Errors
    /// A database error.
    pub async fn verify_events(
        &mut self,
        known: Option<&KnownHead>,
    ) -> Result<Verified, LedgerError> {
        let head = self.log_head().await?;
        let mut chain = Chain::new(known);
        let mut told = Told::default();
        let mut after = i64::MIN;
        loop {
            let condition = format!("seq > ? ORDER BY seq LIMIT {PAGE}");
            let events = self.events_where(&condition, &[after.into()]).await?;
            for event in &events {
                if let Err(broken) = chain.follow(event) {
                    return Ok(broken);
                }
                told.hear(event);
                after = event.seq;
            }
            if events.len() < PAGE {
                break;
            }
        }
        let verified = chain.ends_at(&head);
        if !matches!(verified, Verified::Whole { .. }) {
            return Ok(verified);
        }
        let contradiction = match self.tables().await {
            Ok(tables) => tables.contradiction(&told),
            Err(error) => Some(unreadable(error)?),
        };
        // What no event tells of still has to be what any command can read.
        let contradiction = match contradiction {
            None => self.view().await.err().map(unreadable).transpose()?,
            found => found,
        };
        Ok(contradiction.map_or(verified, |reason| Verified::Contradicted { reason }))
    }

    /// What the tables hold that the events tell of.
    pub(super) async fn tables(&mut self) -> Result<Tables, LedgerError> {
        let rows = self
            .query(
                "SELECT number, id, phase, kinds, declaration FROM {migrations}",
                &[],
            )
            .await?;
        let mut migrations = BTreeMap::new();
        for row in &rows {
            migrations.insert(
                row.int(0)?,
                Row {
                    id: row.text(1)?.to_owned(),
                    phase: row.text(2)?.to_owned(),
                    kinds: row.text(3)?.to_owned(),
                    declaration: row.text(4)?.to_owned(),
                },
            );
        }
        let files = read_files(&self.query(SELECT_FILES, &[]).await?)?;
        let files = files
            .into_iter()
            .map(|file| ((file.number, file.phase.clone()), file));
        let rows = self
            .query(
                "SELECT number, phase, position, sha256 FROM {steps} WHERE state = 'done' ORDER BY number, phase, position",
                &[],
            )
            .await?;
        let mut done = BTreeMap::<(i64, String), Vec<(i64, String)>>::new();
        for row in &rows {
            let of = (row.int(0)?, row.text(1)?.to_owned());
            let step = (row.int(2)?, row.text(3)?.to_owned());
            done.entry(of).or_default().push(step);
        }
        let steps = done.into_iter().map(|(of, steps)| {
            let each = steps.iter().map(|(at, sha256)| (*at, sha256.as_str()));
            (of, seal_of_steps(each))
        });
        Ok(Tables {
            migrations,
            files: files.collect(),
            steps: steps.collect(),
        })
    }
}
