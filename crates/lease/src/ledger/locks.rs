//! What a change of phase locks: admissions, the coordinator's lease and the end of the log, in this order.

use super::arrivals::Kept;
use super::events::{Head, HeadRecord};
use super::groups::counted;
use super::leases::behind_the_lock;
use super::{CoordinatorRow, Ledger, LedgerError, RunError, View, first, understood};
use super::{looks, names};
use crate::database::Row;
use crate::model::{Live, MigrationId};

/// Locks them.
const LOCK: &str = "SELECT c.token, c.holder, c.doing, c.expires_at, m.format, m.events, m.head \
     FROM {admission} a, {coordinator} c, {meta} m WHERE a.id = 1 AND c.id = 1 AND m.id = 1{for_update}";

/// What is seen when everything that a change of phase rests on is locked.
#[derive(Clone, Debug)]
pub struct Locked {
    /// The number of admissions so far.
    pub seq: i64,
    pub view: View,
}

impl Ledger<'_> {
    /// Prepares a change of phase in one round trip: locks out admissions until this transaction ends, makes sure of
    /// the coordinator's lease as [`Ledger::fence`] does, keeps others from appending to the log, and looks as
    /// [`Ledger::view_of`] does.
    ///
    /// # Errors
    /// As of [`Ledger::view`] and [`Ledger::fence`]; the caller has to roll back.
    pub async fn lock_and_view(
        &mut self,
        id: &MigrationId,
        token: i64,
    ) -> Result<Locked, LedgerError> {
        let behind = behind_the_lock(Kept::Yes);
        let [sightings, arrivals, applied] = View::queries_about(id);
        let columns = self.columns().await?;
        let leases = counted("{now}", columns, &self.rules);
        let settling = names::settling("{now}", columns, &self.rules);
        let twins = names::twins("{now}", columns);
        let ending = names::ending("{now}", columns);
        let [looks, seen, admitted] = looks::queries("{now}");
        let [
            lock,
            behind,
            sightings,
            arrivals,
            leases,
            applied,
            looks,
            seen,
            admitted,
            settling,
            twins,
            ending,
        ] = self
            .query_all([
                LOCK, &behind, &sightings, &arrivals, &leases, &applied, &looks, &seen, &admitted,
                &settling, &twins, &ending,
            ])
            .await?;
        let (seq, coordinator) = self.locked(&lock, &behind, token)?;
        let answers = [sightings, arrivals, leases, applied];
        let mut view = View::read(
            coordinator,
            Kept::Yes,
            answers,
            &[looks, seen, admitted],
            &self.rules,
        )?;
        view.settling = names::read_settling(&settling)?;
        view.twins = names::read_twins(&twins)?;
        view.ending = names::read_ending(&ending)?;
        Ok(Locked { seq, view })
    }

    /// As [`Ledger::lock_and_view`], for a migration of which nothing is recorded, and then runs statements of the
    /// user's. As long as nobody was ever admitted there is nothing to look at; `others` were seen by other sources.
    ///
    /// # Errors
    /// As of [`Ledger::lock_and_view`] and [`Ledger::run`].
    pub async fn lock_and_run(
        &mut self,
        id: &MigrationId,
        others: &[Live],
        token: i64,
        statements: &[&str],
    ) -> Result<Locked, RunError> {
        let [lock, behind] = self
            .ask_and_run([LOCK, &behind_the_lock(Kept::Yes)], statements)
            .await?;
        let (seq, coordinator) = self.locked(&lock, &behind, token)?;
        // Instances may write the counter; the leases are asked as well.
        let leases = first(&behind)?.int(2).map_err(LedgerError::from)?;
        if seq > 0 || leases != 0 || !others.is_empty() {
            let view = self.view_of(id).await?;
            return Ok(Locked { seq, view });
        }
        let nothing = [Vec::new(), Vec::new(), Vec::new(), Vec::new()];
        let unseen = [Vec::new(), Vec::new(), Vec::new()];
        let view = View::read(coordinator, Kept::Yes, nothing, &unseen, &self.rules)?;
        Ok(Locked { seq, view })
    }

    /// What the answers to [`LOCK`] say.
    fn locked(
        &mut self,
        lock: &[Row],
        behind: &[Row],
        token: i64,
    ) -> Result<(i64, CoordinatorRow), LedgerError> {
        let row = first(lock)?;
        let behind = first(behind)?;
        let now = behind.int(0)?;
        let coordinator = CoordinatorRow {
            token: row.int(0)?,
            holder: row.text(1)?.to_owned(),
            doing: row.text(2)?.to_owned(),
            expires_at: row.int(3)?,
            now,
        };
        understood(row.int(4)?)?;
        coordinator.proves(token)?;
        // What this transaction has appended before is not in that row yet.
        self.head.get_or_insert(Head {
            events: row.int(5)?,
            hash: row.text(6)?.to_owned(),
            at: now,
            record: HeadRecord::Written,
        });
        self.as_of = Some(now);
        Ok((behind.int(1)?, coordinator))
    }
}
