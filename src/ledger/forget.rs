//! Leases that somebody ends from elsewhere: their instances are gone.

use std::collections::BTreeMap;

use super::groups::{LONGEST_LEASE_MS, state, state_of};
use super::looks::NEVER_RENEWED;
use super::{Ledger, LedgerError};
use crate::model::InstanceState;

/// A lease as its row stands, whatever that holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownLease {
    id: String,
    pub service: String,
    /// The version as the instance calls it.
    pub label: String,
    pub instance: String,
    /// None where it has run out.
    pub state: Option<InstanceState>,
    registered_at: i64,
    renewed_at: i64,
    renew_ms: i64,
    expires_at: i64,
    /// Whether it was made to last as long as it does, and nobody renews it.
    pub is_of_one_admission: bool,
    now: i64,
}

/// Whether somebody is behind a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Somebody renews it.
    Renewed {
        /// How long ago it was renewed.
        ago_ms: u64,
        /// How long it takes from now until three renewals are missed.
        left_ms: u64,
    },
    /// Nothing shows that anybody does.
    Unrenewed,
}

impl KnownLease {
    /// Whether somebody is behind this lease. `renew_ms` is how often instances of the project renew theirs, for a row that
    /// does not say it.
    #[must_use]
    pub fn standing(&self, renew_ms: i64) -> Standing {
        let is_live = self.expires_at > self.now;
        // Longer than any lease that an instance writes, and each renewal writes it.
        let is_a_lease = self
            .expires_at
            .checked_sub(self.renewed_at)
            .is_some_and(|lasts| (0..=LONGEST_LEASE_MS).contains(&lasts));
        // Whoever writes what makes no sense is believed once it was written again.
        let is_believed =
            self.state != Some(InstanceState::Unreadable) || self.renewed_at != self.registered_at;
        if !is_live || !is_a_lease || !is_believed || self.is_of_one_admission {
            return Standing::Unrenewed;
        }
        let interval = match self.renew_ms {
            said @ 1..=LONGEST_LEASE_MS => said,
            _ => renew_ms,
        };
        let late_after = interval.saturating_mul(3).unsigned_abs();
        // By a clock that was set back, a renewal is still to come.
        let ago_ms = self.now.abs_diff(self.renewed_at);
        if ago_ms > late_after {
            return Standing::Unrenewed;
        }
        Standing::Renewed {
            ago_ms,
            left_ms: late_after.saturating_sub(ago_ms),
        }
    }
}

impl KnownLease {
    /// Whether it has not run out.
    #[must_use]
    pub const fn is_live(&self) -> bool {
        self.expires_at > self.now
    }

    /// Whether nobody has renewed it since it was registered, and three renewals are overdue, `renew_ms` apart: whoever
    /// holds a lease renews it sooner for the first time. What its own row says of that is not believed.
    #[must_use]
    pub fn was_never_renewed(&self, renew_ms: i64) -> bool {
        let since = self.now.saturating_sub(self.registered_at);
        // Nobody registers in time to come.
        let is_overdue = since > renew_ms.saturating_mul(3) || since < renew_ms.saturating_neg();
        self.renewed_at <= self.registered_at && is_overdue
    }
}

/// What became of ending a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    Yes,
    /// It was renewed or released since it was read.
    ChangedMeanwhile,
}

impl Ledger<'_> {
    /// Every lease there is a row of. The caller holds [`Ledger::lock_admissions`].
    ///
    /// # Errors
    /// A database error.
    pub async fn known_leases(&mut self) -> Result<Vec<KnownLease>, LedgerError> {
        let now = self.as_of().await?;
        let columns = self.columns().await?;
        let state = state(&now.to_string(), columns, &self.rules);
        let rows = self
            .query(
                &format!(
                    "SELECT id, service, version, instance, {state}, registered_at, renewed_at, renew_ms, expires_at, \
                     CASE WHEN {NEVER_RENEWED} THEN 1 ELSE 0 END FROM {{leases}} ORDER BY service, version, id"
                ),
                &[],
            )
            .await?;
        rows.iter()
            .map(|row| {
                Ok(KnownLease {
                    id: row.text(0)?.to_owned(),
                    service: row.text(1)?.to_owned(),
                    label: row.text(2)?.to_owned(),
                    instance: row.text(3)?.to_owned(),
                    state: state_of(row.int(4)?),
                    registered_at: row.int(5)?,
                    renewed_at: row.int(6)?,
                    renew_ms: row.int(7)?,
                    expires_at: row.int(8)?,
                    is_of_one_admission: row.int(9)? != 0,
                    now,
                })
            })
            .collect()
    }

    /// Ends these leases, unless one of them has changed since it was read; then the caller rolls back. Until now they
    /// have counted, and may have written.
    ///
    /// # Errors
    /// A database error.
    pub async fn end_leases(&mut self, leases: &[KnownLease]) -> Result<Ended, LedgerError> {
        let mut until = BTreeMap::new();
        for lease in leases {
            let changed = self
                .execute(
                    "DELETE FROM {leases} WHERE id = ? AND renewed_at = ?",
                    &[lease.id.as_str().into(), lease.renewed_at.into()],
                )
                .await?;
            if changed != 1 {
                return Ok(Ended::ChangedMeanwhile);
            }
            let counted = match lease.state {
                Some(_) => lease.now,
                None => lease.expires_at.clamp(0, lease.now),
            };
            let last = until
                .entry((lease.service.as_str(), lease.label.as_str()))
                .or_insert(counted);
            *last = counted.max(*last);
        }
        for ((service, label), at) in until {
            self.sight(service, label, None, at, None).await?;
        }
        Ok(Ended::Yes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_000_000_000;

    fn lease(change: impl FnOnce(&mut KnownLease)) -> Standing {
        let mut lease = KnownLease {
            id: "1".into(),
            service: "web".into(),
            label: "1.0.0".into(),
            instance: "a".into(),
            state: Some(InstanceState::Serving),
            registered_at: NOW - 100_000,
            renewed_at: NOW - 5_000,
            renew_ms: 10_000,
            expires_at: NOW + 595_000,
            is_of_one_admission: false,
            now: NOW,
        };
        change(&mut lease);
        lease.standing(10_000)
    }

    #[test]
    fn who_renews_is_told_from_who_does_not() {
        let renewed = Standing::Renewed {
            ago_ms: 5_000,
            left_ms: 25_000,
        };
        assert_eq!(lease(|_| {}), renewed);
        assert_eq!(lease(|lease| lease.renew_ms = 0), renewed);
        assert_eq!(lease(|lease| lease.renew_ms = i64::MAX), renewed);
        let unreadable = Some(InstanceState::Unreadable);
        assert_eq!(lease(|lease| lease.state = unreadable), renewed);
        assert_eq!(lease(|lease| lease.renewed_at = NOW + 5_000), renewed);
        let gone: [fn(&mut KnownLease); 8] = [
            |lease| lease.renewed_at = NOW - 30_001,
            |lease| lease.renewed_at = NOW + 30_001,
            |lease| lease.renewed_at = i64::MIN,
            |lease| lease.renewed_at = i64::MAX,
            |lease| lease.expires_at = i64::MAX,
            |lease| lease.expires_at = NOW,
            |lease| lease.is_of_one_admission = true,
            |lease| {
                lease.state = Some(InstanceState::Unreadable);
                lease.registered_at = lease.renewed_at;
            },
        ];
        for change in gone {
            assert_eq!(lease(change), Standing::Unrenewed);
        }
    }
}
