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
    /// `None` if it has run out.
    pub state: Option<InstanceState>,
    registered_at: i64,
    renewed_at: i64,
    renew_ms: i64,
    expires_at: i64,
    /// Whether its row names a session, as every instance of this build writes it.
    is_named: bool,
    /// Whether it was made to last as long as it does, and nobody renews it.
    pub is_of_one_admission: bool,
    now: i64,
}

/// The terms by which instances of a project hold their leases, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProjectTerms {
    pub renew_ms: i64,
    /// How long the longest of them lasts.
    pub lease_ms: i64,
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
    /// Whether it claims to last longer than the leases of this project do.
    #[must_use]
    pub fn is_beyond(&self, terms: ProjectTerms) -> bool {
        self.expires_at.saturating_sub(self.renewed_at) > terms.lease_ms
    }

    /// How often somebody renews it who does, in milliseconds.
    ///
    /// What its row says is believed where it lasts no longer than the leases of the project do. Beyond that it may have been
    /// made up: an instance that has set itself longer terms renews soon at first, and each time after about twice as long as
    /// before; of a row that does not even name its sessions only the terms of the project are believed.
    fn interval(&self, terms: ProjectTerms) -> i64 {
        let claimed = match self.renew_ms {
            said @ 1..=LONGEST_LEASE_MS => said,
            _ => terms.renew_ms,
        };
        if !self.is_beyond(terms) {
            return claimed;
        }
        if !self.is_named {
            return terms.renew_ms;
        }
        let stayed = self.renewed_at.saturating_sub(self.registered_at).max(0);
        let soon = stayed.saturating_mul(2).saturating_add(2000);
        claimed.min(soon).max(terms.renew_ms)
    }

    /// Whether somebody is behind this lease.
    #[must_use]
    pub fn standing(&self, terms: ProjectTerms) -> Standing {
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
        let late_after = self.interval(terms).saturating_mul(3).unsigned_abs();
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

    /// Whether somebody has made it up: nobody has ever renewed it, or it claims to last longer than any lease of the project
    /// and is not renewed.
    #[must_use]
    pub fn is_made_up(&self, terms: ProjectTerms) -> bool {
        let is_silent = self.is_beyond(terms) && self.standing(terms) == Standing::Unrenewed;
        self.is_live() && (is_silent || self.was_never_renewed(terms.renew_ms))
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
        let session_name = columns.expression("leases", "session_name");
        let rows = self
            .query(
                &format!(
                    "SELECT id, service, version, instance, {state}, registered_at, renewed_at, renew_ms, expires_at, \
                     CASE WHEN {NEVER_RENEWED} THEN 1 ELSE 0 END, CASE WHEN {session_name} <> '' THEN 1 ELSE 0 END \
                     FROM {{leases}} ORDER BY service, version, id"
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
                    is_named: row.int(10)? != 0,
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
    const TERMS: ProjectTerms = ProjectTerms {
        renew_ms: 10_000,
        lease_ms: 600_000,
    };

    fn lease(change: impl FnOnce(&mut KnownLease)) -> KnownLease {
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
            is_named: true,
            now: NOW,
        };
        change(&mut lease);
        lease
    }

    fn standing(change: impl FnOnce(&mut KnownLease)) -> Standing {
        lease(change).standing(TERMS)
    }

    #[test]
    fn who_renews_is_told_from_who_does_not() {
        let renewed = Standing::Renewed {
            ago_ms: 5_000,
            left_ms: 25_000,
        };
        assert_eq!(standing(|_| {}), renewed);
        assert_eq!(standing(|lease| lease.renew_ms = 0), renewed);
        assert_eq!(standing(|lease| lease.renew_ms = i64::MAX), renewed);
        let unreadable = Some(InstanceState::Unreadable);
        assert_eq!(standing(|lease| lease.state = unreadable), renewed);
        assert_eq!(standing(|lease| lease.renewed_at = NOW + 5_000), renewed);
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
            assert_eq!(standing(change), Standing::Unrenewed);
        }
    }

    #[test]
    fn what_claims_to_last_longer_than_the_project_allows_is_not_believed_for_long() {
        const DAYS: i64 = 2 * 24 * 3_600_000;
        // Renewed once, and then for days not.
        let made_up = |lease: &mut KnownLease| {
            (lease.renew_ms, lease.expires_at) = (DAYS, NOW + 3 * DAYS);
            lease.renewed_at = NOW - 60_000;
        };
        let by_hand = lease(|lease| {
            made_up(lease);
            lease.is_named = false;
        });
        assert!(by_hand.is_made_up(TERMS));
        assert_eq!(by_hand.standing(TERMS), Standing::Unrenewed);
        // A real one would have renewed again by now: it came a moment before.
        let soon = lease(|lease| {
            made_up(lease);
            lease.registered_at = lease.renewed_at - 1000;
        });
        assert!(soon.is_made_up(TERMS));
        // One that has stayed for a day may have set itself these terms.
        let own_terms = lease(|lease| {
            made_up(lease);
            lease.registered_at = NOW - DAYS;
        });
        assert!(!own_terms.is_made_up(TERMS));
        // By the terms of the project, and just silent for a while: that is lost, and not made up.
        let lost = lease(|lease| {
            (lease.renewed_at, lease.expires_at) = (NOW - 60_000, NOW + 540_000);
        });
        assert!(!lost.is_made_up(TERMS));
    }
}
