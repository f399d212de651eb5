//! Where a ledger is: the schemas under which migrations ran, because one ledger is for one schema, and the server.
//!
//! They stand in the third to the fifth row of `meta`, which ledgers of before do not have until the first command that
//! acts. Earlier builds look at the first row alone.

use std::collections::BTreeMap;

use super::{EventKind, Ledger, LedgerError};
use crate::database::{Connection, Made, Row};
use crate::model::{MigrationId, Moved, Phase};

pub(super) const SCHEMAS: i64 = 3;
const SERVER: i64 = 4;
/// The numbers of the schemas, which they keep under any name.
const NUMBERS: i64 = 5;

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
    /// They are called so now, and this connection does not look there.
    CalledNow(Vec<String>),
    /// Nothing is here of what the applied migrations made, such as this.
    NothingHere {
        migration: MigrationId,
        made: String,
    },
    NoLedger,
}

impl Ledger<'_> {
    /// Records that the schemas which this ledger is for have the names of those of this connection now.
    ///
    /// Invariant: a ledger does not come to be that of another schema. None of its own is there under a name that this
    /// connection does not look in, and where they cannot be told by their numbers (a dump that was restored), something is here
    /// that the applied migrations `made`.
    ///
    /// # Errors
    /// A database error.
    pub async fn schemas_renamed(
        connection: &mut dyn Connection,
        actor: &str,
        reason: &str,
        made: &[(MigrationId, Made)],
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
        if let Some(other) = ledger.is_another(&now, made).await? {
            ledger.rollback().await?;
            return Ok(other);
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

    /// The numbers of these schemas, as the database knows them.
    async fn numbers_of(&mut self, schemas: Option<&str>) -> Result<Option<String>, LedgerError> {
        let known = self.capabilities().schema_numbers;
        let (Some(known), Some(schemas)) = (known, schemas) else {
            return Ok(None);
        };
        let rows = self.query(known.of, &[schemas.into()]).await?;
        let numbers = rows.first().map(|row| row.text(0)).transpose()?;
        Ok(numbers.map(ToOwned::to_owned))
    }

    /// What the schemas of these numbers are called now; nothing of one that is not there.
    async fn called(&mut self, numbers: &str) -> Result<Vec<Option<String>>, LedgerError> {
        let Some(known) = self.capabilities().schema_numbers else {
            return Ok(Vec::new());
        };
        let rows = self
            .query(known.called, &[numbers.into(), numbers.into()])
            .await?;
        let name = |row: &Row| Ok(row.optional_text(0)?.map(ToOwned::to_owned));
        rows.iter().map(name).collect()
    }

    /// What tells that the schemas of this connection are others than those of this ledger.
    async fn is_another(
        &mut self,
        now: &str,
        made: &[(MigrationId, Made)],
    ) -> Result<Option<SchemasRenamed>, LedgerError> {
        let sql = "SELECT head FROM {meta} WHERE id = 5";
        let rows = self.query(sql, &[]).await?;
        if let Some(row) = rows.first() {
            let numbers = row.text(0)?.to_owned();
            let names = self.called(&numbers).await?;
            let is_looked_into = |name: &String| now.split(", ").any(|known| known == name);
            let found = names.iter().flatten();
            let elsewhere: Vec<String> = found
                .filter(|name| !is_looked_into(name))
                .cloned()
                .collect();
            if !elsewhere.is_empty() {
                return Ok(Some(SchemasRenamed::CalledNow(elsewhere)));
            }
            if !names.is_empty() && names.iter().all(Option::is_some) {
                return Ok(None);
            }
        }
        let mut applied = Vec::new();
        for one in made {
            if !matches!(
                self.phase_of(&one.0).await?,
                Phase::Pending | Phase::Expanding
            ) {
                applied.push(one.clone());
            }
        }
        let each: Vec<Made> = applied.iter().map(|(_, made)| made.clone()).collect();
        if self.connection().await?.first_there(&each).await?.is_some() {
            return Ok(None);
        }
        Ok(applied
            .into_iter()
            .next()
            .map(|(migration, made)| SchemasRenamed::NothingHere {
                migration,
                made: made.described(),
            }))
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
            .query("SELECT id, head FROM {meta} WHERE id IN (3, 4, 5)", &[])
            .await?;
        let mut recorded = BTreeMap::new();
        for row in &rows {
            recorded.insert(row.int(0)?, row.text(1)?.to_owned());
        }
        let numbers = ledger.numbers_of(schemas.as_deref()).await?;
        let schemas_of_before = recorded.get(&SCHEMAS).map(String::as_str);
        let found = is_here(ledger.connection().await?, schemas_of_before).await;
        for (id, now) in [(SCHEMAS, schemas), (SERVER, server), (NUMBERS, numbers)] {
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
                // They were restored, or have come to be there: their names are the same.
                (Some(before), Some(now)) if id == NUMBERS && *before != now => {
                    let sql = "UPDATE {meta} SET head = ? WHERE id = ?";
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
