//! The coordinator's lease: one at a time, with a token that fences off those before.

use super::{Ledger, LedgerError, first};
use crate::database::Row;
use crate::model::AtWork;

/// The coordinator's lease as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CoordinatorRow {
    pub token: i64,
    /// Empty where it was released.
    pub holder: String,
    pub doing: String,
    /// Milliseconds since the epoch, by the database's clock.
    pub expires_at: i64,
    /// The database's present.
    pub now: i64,
}

impl CoordinatorRow {
    #[must_use]
    pub const fn is_held(&self) -> bool {
        self.expires_at > self.now
    }

    /// Whether it is the same lease, and nobody has renewed it in between.
    #[must_use]
    pub const fn is_unchanged_since(&self, before: &Self) -> bool {
        self.token == before.token && self.expires_at == before.expires_at
    }

    /// When its lease ends by itself, in seconds that are all over then.
    #[must_use]
    pub fn ends_in_seconds(&self) -> i64 {
        self.expires_at.saturating_sub(self.now).max(0) / 1000 + 1
    }

    /// Whether whoever holds this token may still change something: nobody has taken over since.
    #[must_use]
    pub const fn is_of(&self, token: i64) -> bool {
        self.token == token
    }

    /// # Errors
    /// [`LedgerError::Superseded`] where somebody has taken over since `token` was given out.
    pub(super) fn proves(&self, token: i64) -> Result<(), LedgerError> {
        if self.is_of(token) {
            return Ok(());
        }
        let holder = self.holder.clone();
        Err(LedgerError::Superseded { holder })
    }

    /// Who holds the lease, and what for.
    #[must_use]
    pub fn describe(&self) -> Option<String> {
        self.is_held()
            .then(|| format!("{}: {}", self.holder, self.doing))
    }
}

impl CoordinatorRow {
    /// Who is at work on which steps now, as far as is known of it.
    #[must_use]
    pub fn at_work(&self) -> Option<AtWork> {
        self.is_held()
            .then(|| AtWork::told(&self.holder, &self.doing))
            .flatten()
    }

    /// Whether a rollout is at work now.
    #[must_use]
    pub fn is_rolling_out(&self) -> bool {
        self.is_held() && self.doing.starts_with(AtWork::ROLLOUT)
    }
}

/// What asking for the lease led to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Acquired {
    /// It is ours, under this token. `after` names a holder whose lease had run out.
    Yes {
        token: i64,
        after: Option<String>,
    },
    No(CoordinatorRow),
}

pub(super) const SELECT: &str =
    "SELECT token, holder, doing, expires_at, {now} FROM {coordinator} WHERE id = 1";

/// As [`SELECT`], with the format of the ledger and its place in two more columns.
pub(super) const SELECT_WITH_FORMAT: &str = "SELECT token, holder, doing, expires_at, {now}, (SELECT format FROM {meta} WHERE id = 1), \
     (SELECT head FROM {meta} WHERE id = 3), \
     (SELECT head FROM {meta} WHERE id = 4), (SELECT events FROM {meta} WHERE id = 4), \
     (SELECT max(at) FROM {events} WHERE seq = (SELECT max(seq) FROM {events})) \
     FROM {coordinator} WHERE id = 1";

/// As [`SELECT`], and nobody takes the lease before the transaction ends.
pub(super) const LOCK: &str =
    "SELECT token, holder, doing, expires_at, {now} FROM {coordinator} WHERE id = 1{for_update}";

pub(super) fn read(rows: &[Row]) -> Result<CoordinatorRow, LedgerError> {
    let row = first(rows)?;
    Ok(CoordinatorRow {
        token: row.int(0)?,
        holder: row.text(1)?.to_owned(),
        doing: row.text(2)?.to_owned(),
        expires_at: row.int(3)?,
        now: row.int(4)?,
    })
}

impl Ledger<'_> {
    /// The lease as it stands.
    ///
    /// # Errors
    /// A database error.
    pub async fn coordinator(&mut self) -> Result<CoordinatorRow, LedgerError> {
        self.coordinator_row(SELECT).await
    }

    async fn coordinator_row(&mut self, sql: &str) -> Result<CoordinatorRow, LedgerError> {
        let rows = self.query(sql, &[]).await?;
        read(&rows)
    }

    /// Takes the lease for `lease_ms` milliseconds if nobody holds it, or if it is still `given_up`: as the caller has
    /// seen it stand for longer than any lease lasts, whatever the database's clock was when it was written.
    ///
    /// # Errors
    /// A database error.
    pub async fn acquire_coordinator(
        &mut self,
        holder: &str,
        doing: &str,
        lease_ms: i64,
        given_up: Option<&CoordinatorRow>,
    ) -> Result<Acquired, LedgerError> {
        let row = self.coordinator_row(LOCK).await?;
        if row.is_held() && !given_up.is_some_and(|seen| row.is_unchanged_since(seen)) {
            return Ok(Acquired::No(row));
        }
        let token = row.token.saturating_add(1);
        self.execute(
            "UPDATE {coordinator} SET token = ?, holder = ?, doing = ?, expires_at = {now} + ? WHERE id = 1",
            &[token.into(), holder.into(), doing.into(), lease_ms.into()],
        )
        .await?;
        let after = (!row.holder.is_empty()).then_some(row.holder);
        Ok(Acquired::Yes { token, after })
    }

    /// Extends the lease; false where it is no longer ours.
    ///
    /// # Errors
    /// A database error.
    pub async fn renew_coordinator(
        &mut self,
        token: i64,
        lease_ms: i64,
    ) -> Result<bool, LedgerError> {
        let changed = self
            .execute(
                "UPDATE {coordinator} SET expires_at = {now} + ? WHERE id = 1 AND token = ?",
                &[lease_ms.into(), token.into()],
            )
            .await?;
        Ok(changed == 1)
    }

    /// Gives the lease back; does nothing where it is no longer ours.
    ///
    /// # Errors
    /// A database error.
    pub async fn release_coordinator(&mut self, token: i64) -> Result<(), LedgerError> {
        self.execute(
            "UPDATE {coordinator} SET holder = '', doing = '', expires_at = 0 WHERE id = 1 AND token = ?",
            &[token.into()],
        )
        .await?;
        Ok(())
    }

    /// Makes sure that the lease is still ours, and that nobody takes it before this transaction ends.
    ///
    /// Invariant: every transaction that changes the schema calls this before it commits.
    ///
    /// # Errors
    /// [`LedgerError::Superseded`] where it is not; the caller has to roll back.
    pub async fn fence(&mut self, token: i64) -> Result<(), LedgerError> {
        let row = self.coordinator_row(LOCK).await?;
        row.proves(token)
    }
}
