//! Leases: what instances say of themselves, judged by the database's clock alone.

use sha2::{Digest, Sha256};

use super::arrivals::{Kept, Named, Occasion};
use super::groups::FAR;
use super::looks::NEVER_RENEWED;
use super::{Ledger, LedgerError, View, first};
use crate::database::Value;
use crate::model::{InstanceState, Version};

/// The name of one lease.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LeaseId(String);

impl LeaseId {
    /// A name that no other lease has: the sequence number of its admission is unique already,
    /// and the instance keeps it apart from those of a restored database.
    fn new(seq: i64, lease: &NewLease, now: i64) -> Self {
        let text = format!(
            "{seq} {now} {} {} {} {}",
            lease.service,
            lease.instance,
            crate::chance::number(),
            crate::chance::number()
        );
        let hash = Sha256::digest(text.as_bytes());
        Self(
            hash.iter()
                .take(16)
                .map(|byte| format!("{byte:02x}"))
                .collect(),
        )
    }
}

/// What an instance registers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewLease {
    pub service: String,
    /// As the instance calls it.
    pub label: String,
    pub version: Version,
    pub instance: String,
    /// What its database sessions are called where it can have them called something.
    pub session_name: String,
    pub state: InstanceState,
    pub lease_ms: i64,
    pub renew_ms: i64,
}

/// What became of a renewal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Renewal {
    Renewed,
    /// It ran out before; it cannot be brought back.
    Expired,
    /// The database does not know it: it was restored or failed over to an older state.
    Gone,
}

/// A state as stored.
pub(super) const fn state_number(state: InstanceState) -> i64 {
    match state {
        InstanceState::Starting => 0,
        InstanceState::Serving => 1,
        InstanceState::Draining => 2,
        // Computed when read, never stored.
        InstanceState::Lost => 3,
        InstanceState::Superseded => 4,
        InstanceState::Unreadable => 5,
        InstanceState::Contradictory => 6,
    }
}

/// One hour: how long an expired lease stays in its table before it is swept out.
const KEEP_EXPIRED_MS: i64 = 3_600_000;

/// Locks the admissions.
const LOCK_ADMISSIONS: &str = "SELECT seq FROM {admission} WHERE id = 1{for_update}";

/// Asks behind a lock, in a statement of its own because the one before may have waited: for the time, for the number of
/// admissions so far, and whether there is any lease.
///
/// Invariant: whoever comes after a record has a higher number than it, and one that no arrival has. Instances may write the
/// counter and arrivals; one that sets the counter back must not make the next ones look as if they had been taken into
/// account, and one that writes arrivals which are still to come must not keep others out.
pub(super) fn behind_the_lock(kept: Kept) -> String {
    let counted =
        "SELECT seq FROM {admission} UNION ALL SELECT coalesce(max(seq), 0) FROM {migrations}";
    let at_least = format!("(SELECT max(seq) FROM ({counted}) AS counted)");
    let number = match kept {
        Kept::No => at_least,
        Kept::Yes => format!(
            "(SELECT coalesce(min(seq), {at_least}) FROM ({counted} UNION ALL SELECT seq FROM {{arrivals}}) AS taken \
             WHERE seq >= {at_least} AND seq < {FAR} \
             AND NOT EXISTS (SELECT 1 FROM {{arrivals}} AS next WHERE next.seq = taken.seq + 1))"
        ),
    };
    format!(
        "SELECT {{now}}, {number}, CASE WHEN EXISTS (SELECT 1 FROM {{leases}}) THEN 1 ELSE 0 END"
    )
}

impl Ledger<'_> {
    /// Waits until no admission and no phase change is under way, and keeps others from beginning
    /// until this transaction ends. Returns the number of admissions so far.
    ///
    /// # Errors
    /// A database error.
    pub async fn lock_admissions(&mut self) -> Result<i64, LedgerError> {
        let behind = behind_the_lock(self.keeps_arrivals().await?);
        let [locked, behind] = self.query_all([LOCK_ADMISSIONS, &behind]).await?;
        first(&locked)?;
        let behind = first(&behind)?;
        self.as_of = Some(behind.int(0)?);
        Ok(behind.int(1)?)
    }

    /// Counts one admission and returns its number; locks as [`Ledger::lock_admissions`] does.
    ///
    /// # Errors
    /// A database error.
    pub async fn count_admission(&mut self) -> Result<i64, LedgerError> {
        let seq = self.lock_admissions().await?.saturating_add(1);
        self.execute("UPDATE {admission} SET seq = ? WHERE id = 1", &[seq.into()])
            .await?;
        Ok(seq)
    }

    /// Records a lease. The caller holds [`Ledger::lock_admissions`] and has asked the gate about `view`, read since.
    ///
    /// # Errors
    /// A database error.
    pub async fn register(
        &mut self,
        lease: &NewLease,
        view: &View,
    ) -> Result<LeaseId, LedgerError> {
        let seq = self.count_admission().await?;
        let asked = self.query("SELECT {now}, {client_address}", &[]).await?;
        let asked = first(&asked)?;
        let (now, address) = (asked.int(0)?, asked.text(1)?.to_owned());
        let id = LeaseId::new(seq, lease, now);
        // One that nobody renews: the same instance asks once more, perhaps because its container was
        // started again, or now renews its lease; it is still one instance.
        self.execute(
            &format!(
                "DELETE FROM {{leases}} WHERE service = ? AND version = ? AND instance = ? AND {NEVER_RENEWED}"
            ),
            &[
                lease.service.as_str().into(),
                lease.label.as_str().into(),
                lease.instance.as_str().into(),
            ],
        )
        .await?;
        if lease.renew_ms < lease.lease_ms {
            self.supersede(lease, now).await?;
        }
        let mut columns = vec![
            ("id", Value::from(id.0.as_str())),
            ("service", lease.service.as_str().into()),
            ("version", lease.label.as_str().into()),
            ("instance", lease.instance.as_str().into()),
            ("state", state_number(lease.state).into()),
            ("registered_at", now.into()),
            ("renewed_at", now.into()),
            ("renew_ms", lease.renew_ms.into()),
            ("expires_at", now.saturating_add(lease.lease_ms).into()),
        ];
        if self.columns().await?.has("leases", "own_address") {
            let is_own = self.is_from_here(&address);
            columns.push(("own_address", i64::from(is_own).into()));
        }
        if self.columns().await?.has("leases", "session_name") {
            columns.push(("session_name", lease.session_name.as_str().into()));
        }
        self.insert("leases", columns).await?;
        let mut live = view.named();
        live.insert(Named::new(&lease.service, &lease.label));
        let is_news = self.write_arrival(view, &live, seq, &Occasion::Arrival);
        self.sight(
            &lease.service,
            &lease.label,
            Some(&lease.version),
            now,
            is_news.then_some(seq),
        )
        .await?;
        // Now and then, so that crashed instances do not fill the table.
        if seq % 64 == 0 {
            self.sweep(now).await?;
        }
        Ok(id)
    }

    /// Marks what other leases of the same instance are still live: it has been started anew, or two processes share a name.
    async fn supersede(&mut self, lease: &NewLease, now: i64) -> Result<(), LedgerError> {
        if !self.columns().await?.has("leases", "superseded") {
            return Ok(());
        }
        // Looked for first and marked by their keys: so nothing is locked that others are renewing.
        let others = self
            .query(
                "SELECT id FROM {leases} WHERE service = ? AND instance = ? AND expires_at > ? AND superseded = 0 \
                 AND state BETWEEN 0 AND 2 AND renew_ms > 0",
                &[
                    lease.service.as_str().into(),
                    lease.instance.as_str().into(),
                    now.into(),
                ],
            )
            .await?;
        for row in others {
            self.execute(
                "UPDATE {leases} SET superseded = 1 WHERE id = ?",
                &[row.text(0)?.into()],
            )
            .await?;
        }
        Ok(())
    }

    /// Inserts one row with these columns.
    async fn insert(
        &mut self,
        table: &str,
        columns: Vec<(&str, Value)>,
    ) -> Result<(), LedgerError> {
        let (names, values): (Vec<&str>, Vec<Value>) = columns.into_iter().unzip();
        let places = vec!["?"; names.len()].join(", ");
        let names = names.join(", ");
        let sql = format!("INSERT INTO {{{table}}} ({names}) VALUES ({places})");
        self.execute(&sql, &values).await?;
        Ok(())
    }

    /// Extends a lease, unless it has run out.
    ///
    /// # Errors
    /// A database error.
    pub async fn renew(&mut self, id: &LeaseId, lease_ms: i64) -> Result<Renewal, LedgerError> {
        // Says whose session it is.
        let keeper = if self.columns().await?.has("leases", "keeper_session") {
            ", keeper_session = {client_session}"
        } else {
            ""
        };
        let changed = self
            .execute(
                &format!(
                    "UPDATE {{leases}} SET renewed_at = {{now}}, expires_at = {{now}} + ?{keeper} WHERE id = ? AND expires_at > {{now}}"
                ),
                &[lease_ms.into(), id.0.as_str().into()],
            )
            .await?;
        if changed == 1 {
            return Ok(Renewal::Renewed);
        }
        let rows = self
            .query(
                "SELECT expires_at FROM {leases} WHERE id = ?",
                &[id.0.as_str().into()],
            )
            .await?;
        Ok(if rows.is_empty() {
            Renewal::Gone
        } else {
            Renewal::Expired
        })
    }

    /// Says what the holder is doing.
    ///
    /// # Errors
    /// A database error.
    pub async fn set_lease_state(
        &mut self,
        id: &LeaseId,
        state: InstanceState,
    ) -> Result<(), LedgerError> {
        self.execute(
            "UPDATE {leases} SET state = ? WHERE id = ?",
            &[state_number(state).into(), id.0.as_str().into()],
        )
        .await?;
        Ok(())
    }

    /// Ends a lease: its instance is gone.
    ///
    /// # Errors
    /// A database error.
    pub async fn release(&mut self, id: &LeaseId) -> Result<(), LedgerError> {
        let rows = self
            .query(
                "SELECT service, version, {now} FROM {leases} WHERE id = ?",
                &[id.0.as_str().into()],
            )
            .await?;
        let Some(row) = rows.first() else {
            return Ok(());
        };
        let (service, label, now) = (
            row.text(0)?.to_owned(),
            row.text(1)?.to_owned(),
            row.int(2)?,
        );
        self.sight(&service, &label, None, now, None).await?;
        self.execute("DELETE FROM {leases} WHERE id = ?", &[id.0.as_str().into()])
            .await?;
        Ok(())
    }

    /// Remembers that a version was live at `at`. With `seq`, that it was admitted then.
    ///
    /// # Errors
    /// A database error.
    pub async fn sight(
        &mut self,
        service: &str,
        label: &str,
        version: Option<&Version>,
        at: i64,
        seq: Option<i64>,
    ) -> Result<(), LedgerError> {
        // A source, or a row that makes no sense, may say any moment; the database keeps none that makes no sense.
        let at = at.clamp(0, FAR);
        let placed = version.map(ToString::to_string);
        let changed = self
            .execute(
                "UPDATE {sightings} SET last_seen_at = CASE WHEN last_seen_at < ? THEN ? ELSE last_seen_at END, \
                 seq = CASE WHEN seq < ? THEN ? ELSE seq END WHERE service = ? AND version = ?",
                &[
                    at.into(),
                    at.into(),
                    seq.unwrap_or(0).into(),
                    seq.unwrap_or(0).into(),
                    service.into(),
                    label.into(),
                ],
            )
            .await?;
        if let Some(placed) = &placed
            && changed > 0
        {
            // An alias may have been put right since.
            self.execute(
                "UPDATE {sightings} SET placed = ? WHERE service = ? AND version = ?",
                &[placed.as_str().into(), service.into(), label.into()],
            )
            .await?;
        }
        if changed == 0 {
            self.execute(
                "INSERT INTO {sightings} (service, version, placed, first_seen_at, last_seen_at, seq) VALUES (?, ?, ?, ?, ?, ?)",
                &[
                    service.into(),
                    label.into(),
                    placed.unwrap_or_default().into(),
                    at.into(),
                    at.into(),
                    seq.unwrap_or(0).into(),
                ],
            )
            .await?;
        }
        Ok(())
    }

    /// Removes leases that ran out long ago, and keeps the moment until which each counted.
    ///
    /// # Errors
    /// A database error.
    pub async fn sweep(&mut self, now: i64) -> Result<(), LedgerError> {
        let before = now.saturating_sub(KEEP_EXPIRED_MS);
        let rows = self
            .query(
                // Between two ends, so that SQLite prefers the index by these to the one in whose order the answer could be.
                "SELECT service, version, max(expires_at) FROM {leases} \
                 WHERE expires_at BETWEEN -9223372036854775807 AND ? GROUP BY service, version",
                &[before.saturating_sub(1).into()],
            )
            .await?;
        for row in rows {
            self.sight(row.text(0)?, row.text(1)?, None, row.int(2)?, None)
                .await?;
        }
        // Who was admitted once stays live until somebody has looked, where there is a source to look at.
        let kept = match self.keeps_arrivals().await? {
            Kept::Yes => "SELECT service FROM {looks}",
            Kept::No => "SELECT '' FROM {meta} WHERE 1 = 0",
        };
        self.execute(
            &format!(
                "DELETE FROM {{leases}} WHERE expires_at < ? AND (NOT ({NEVER_RENEWED}) OR service NOT IN ({kept}))"
            ),
            &[before.into()],
        )
        .await?;
        Ok(())
    }
}
