//! Where a ledger is: the schemas under which migrations ran, because one ledger is for one schema, and the server.
//!
//! They stand in the third and the fourth row of `meta`, which ledgers of before do not have until the first command that
//! acts. Earlier builds look at the first row alone.

use std::collections::BTreeMap;

use super::{EventKind, Ledger, LedgerError};
use crate::database::{Connection, Row};
use crate::model::Moved;

pub(super) const SCHEMAS: i64 = 3;
const SERVER: i64 = 4;

/// What the third row of `meta` holds, as an expression.
pub(super) const RECORDED: &str = "(SELECT head FROM {meta} WHERE id = 3)";

/// Makes sure that names are looked for where the migrations of this ledger ran; a ledger that does not say so is everywhere.
pub(super) async fn is_here(
    connection: &mut dyn Connection,
    recorded: Option<&str>,
) -> Result<(), LedgerError> {
    let (Some(recorded), Some(schemas)) = (recorded, connection.schemas()) else {
        return Ok(());
    };
    let elsewhere = LedgerError::Elsewhere {
        recorded: recorded.to_owned(),
        schemas: schemas.to_owned(),
    };
    if connection.has_schemas(recorded).await? {
        return Ok(());
    }
    Err(elsewhere)
}

/// What became of saying that schemas have other names now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SchemasRenamed {
    Recorded {
        before: String,
        now: String,
    },
    /// It is for the schemas of this connection already, or for none in particular.
    NothingToSay,
    /// These are there under the names of before, so they were not renamed.
    StillThere(Vec<String>),
    NoLedger,
}

impl Ledger<'_> {
    /// Records that the schemas which this ledger is for have the names of those of this connection now.
    ///
    /// Invariant: a ledger does not come to be that of another schema: none of its own is there any more under a name that this
    /// connection does not look in.
    ///
    /// # Errors
    /// A database error.
    pub async fn schemas_renamed(
        connection: &mut dyn Connection,
        actor: &str,
        reason: &str,
    ) -> Result<SchemasRenamed, LedgerError> {
        match Ledger::read(connection).await {
            Ok(None) => return Ok(SchemasRenamed::NoLedger),
            Ok(Some(ledger)) => {
                ledger.rollback().await?;
                return Ok(SchemasRenamed::NothingToSay);
            }
            Err(LedgerError::Elsewhere { .. }) => {}
            Err(error) => return Err(error),
        }
        let Some(now) = connection.schemas().map(ToOwned::to_owned) else {
            return Ok(SchemasRenamed::NothingToSay);
        };
        let mut ledger = Ledger::write(connection).await?;
        ledger.lock_admissions().await?;
        let rows = ledger
            .query("SELECT head FROM {meta} WHERE id = 3", &[])
            .await?;
        let before = rows.first().map(|row| row.text(0)).transpose()?;
        let before = before.map(ToOwned::to_owned);
        let here = ledger.stay_here().await;
        let (Some(before), Err(LedgerError::Elsewhere { .. })) = (before, here) else {
            ledger.rollback().await?;
            return Ok(SchemasRenamed::NothingToSay);
        };
        let mut there = ledger.connection().await?.schemas_there(&before).await?;
        there.retain(|name| !now.split(", ").any(|known| known == name));
        if !there.is_empty() {
            ledger.rollback().await?;
            return Ok(SchemasRenamed::StillThere(there));
        }
        let sql = "UPDATE {meta} SET head = ? WHERE id = ?";
        ledger
            .execute(sql, &[now.as_str().into(), SCHEMAS.into()])
            .await?;
        let detail = serde_json::json!({ "before": before, "now": now, "reason": reason });
        ledger
            .append(EventKind::SchemasRenamed, actor, None, &detail)
            .await?;
        ledger.commit().await?;
        Ok(SchemasRenamed::Recorded { before, now })
    }

    /// Records where migrations run, or makes sure that it is where those before ran. Another server than before is recorded
    /// with the moment at which that was noticed.
    ///
    /// # Errors
    /// [`LedgerError::Elsewhere`] where they ran under other schemas, or a database error.
    pub async fn settle(connection: &mut dyn Connection) -> Result<(), LedgerError> {
        super::apart::finish(connection).await?;
        let schemas = connection.schemas().map(ToOwned::to_owned);
        let server = connection.server().map(ToOwned::to_owned);
        if schemas.is_none() && server.is_none() {
            return Ok(());
        }
        let mut ledger = Ledger::write(connection).await?;
        let rows = ledger
            .query("SELECT id, head FROM {meta} WHERE id IN (3, 4)", &[])
            .await?;
        let mut recorded = BTreeMap::new();
        for row in &rows {
            recorded.insert(row.int(0)?, row.text(1)?.to_owned());
        }
        let schemas_of_before = recorded.get(&SCHEMAS).map(String::as_str);
        let found = is_here(ledger.connection().await?, schemas_of_before).await;
        for (id, now) in [(SCHEMAS, schemas), (SERVER, server)] {
            match (recorded.get(&id), now) {
                (None, Some(now)) => {
                    let sql = "INSERT INTO {meta} (id, format, events, head) VALUES (?, 0, 0, ?)";
                    ledger.execute(sql, &[id.into(), now.into()]).await?;
                }
                (Some(before), Some(now)) if id == SERVER && is_sparser(before, &now) => {
                    // It is the same one, of which an earlier build has recorded less.
                    let sql = "UPDATE {meta} SET head = ? WHERE id = ?";
                    ledger.execute(sql, &[now.into(), id.into()]).await?;
                }
                (Some(before), Some(now)) if id == SERVER && *before != now => {
                    let sql = "UPDATE {meta} SET head = ?, events = {now} WHERE id = ?";
                    ledger.execute(sql, &[now.into(), id.into()]).await?;
                }
                _ => {}
            }
        }
        // Past the crash points, which count the steps of a command.
        match found {
            Ok(()) => ledger.connection().await?.commit().await?,
            Err(_) => ledger.rollback().await?,
        }
        found
    }

    /// Whether this ledger was on another server before, as far as that is known.
    ///
    /// # Errors
    /// A database error.
    pub(super) async fn moved(&mut self) -> Result<Option<Moved>, LedgerError> {
        let as_of = self.as_of().await?;
        let rows = self.query(&format!("SELECT {ON_SERVER}"), &[]).await?;
        let server = self.connection().await?.server();
        moved(super::first(&rows)?, 0, server, as_of)
    }
}

/// Whether an earlier build has recorded the number of this server alone.
fn is_sparser(recorded: &str, server: &str) -> bool {
    server
        .split_once('/')
        .is_some_and(|(number, _)| number == recorded)
}

/// What is recorded of the server, and when anything was recorded last, as expressions.
pub(super) const ON_SERVER: &str = "(SELECT head FROM {meta} WHERE id = 4), (SELECT events FROM {meta} WHERE id = 4), \
     (SELECT max(at) FROM {events} WHERE seq = (SELECT max(seq) FROM {events}))";

/// What the answers to [`ON_SERVER`] say, of which the first is at `at`.
pub(super) fn moved(
    row: &Row,
    at: usize,
    server: Option<&str>,
    now: i64,
) -> Result<Option<Moved>, LedgerError> {
    let (Some(recorded), Some(server)) = (row.optional_text(at)?, server) else {
        return Ok(None);
    };
    let ago = |moment: i64| u64::try_from(now.saturating_sub(moment)).unwrap_or(0);
    let is_same = recorded == server || is_sparser(recorded, server);
    let noticed_at = row.optional_int(at + 1)?.filter(|_| is_same);
    if noticed_at == Some(0) {
        return Ok(None);
    }
    Ok(Some(Moved {
        last_ms_ago: row.optional_int(at + 2)?.map(ago),
        noticed_ms_ago: noticed_at.map(ago),
    }))
}
