//! Rehearsals that the ledger remembers: which files they were of, and whether those did what they claim.
//!
//! Invariant: a rehearsal counts for the very files that it was of. Of several of these the last one counts: what was found wrong
//! later takes back what was found right before.

use serde_json::{Value, json};

use super::CoordinatorError;
use super::connecting::writing;
use super::session::actor;
use crate::database::Connection;
use crate::gate::Unrehearsed;
use crate::ledger::{Event, EventKind, Ledger, LedgerError, Sought};
use crate::project::{Migration, Project};
use crate::sql::Dialect;

/// How a rehearsal of all that it tries has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rehearsed {
    /// Nothing that is wrong.
    NothingWrong,
    /// Claims that the database denies.
    Wrong,
}

impl Rehearsed {
    const fn name(self) -> &'static str {
        match self {
            Self::NothingWrong => "nothing-wrong",
            Self::Wrong => "wrong",
        }
    }
}

/// Remembers that a migration was rehearsed, as its files are now, on a database of the kind that this is. Whether there is a
/// ledger that could.
///
/// # Errors
/// A database or ledger error.
pub async fn record_rehearsal(
    project: &Project,
    migration: &Migration,
    found: Rehearsed,
    connection: &mut dyn Connection,
) -> Result<bool, CoordinatorError> {
    let dialect = connection.capabilities().dialect;
    // Nothing is recorded where nobody has begun.
    let Some(ledger) = Ledger::read(connection).await? else {
        return Ok(false);
    };
    ledger.rollback().await?;
    let mut ledger = writing(project, connection).await?;
    ledger.stay_here().await?;
    let detail = json!({ "found": found.name(), "sha256": migration.fingerprint(dialect) });
    let id = Some(migration.id());
    ledger
        .append(EventKind::Rehearsed, &actor(), id, &detail)
        .await?;
    ledger.commit().await?;
    Ok(true)
}

/// Why the files of a migration do not count as rehearsed, where the project asks that they were; `None` if they do.
pub(super) async fn unrehearsed(
    project: &Project,
    migration: &Migration,
    dialect: Dialect,
    ledger: &mut Ledger<'_>,
) -> Result<Option<Unrehearsed>, LedgerError> {
    if !project.config.rehearsal.required {
        return Ok(None);
    }
    let sha256 = migration.fingerprint(dialect);
    let id = migration.id().as_str();
    let is_of_it = |event: &Event| {
        event.kind == EventKind::Rehearsed.name() && event.migration.as_deref() == Some(id)
    };
    let sought = Sought {
        migration: Some(id),
        last: Some(1),
        ..Sought::default()
    };
    let of_these = |event: &Event| is_of_it(event) && text(event, "sha256") == sha256;
    if let Some(event) = ledger.find_events(sought, of_these).await?.first() {
        let was_right = text(event, "found") == Rehearsed::NothingWrong.name();
        return Ok((!was_right).then_some(Unrehearsed::Denied { at: event.at }));
    }
    let others = ledger.find_events(sought, is_of_it).await?;
    Ok(Some(match others.first() {
        Some(event) => Unrehearsed::OtherFiles { at: event.at },
        None => Unrehearsed::Never,
    }))
}

/// A field of what an event tells; an empty text where there is none.
fn text(event: &Event, field: &str) -> String {
    let detail: Value = serde_json::from_str(&event.detail).unwrap_or_default();
    detail[field].as_str().unwrap_or_default().to_owned()
}
