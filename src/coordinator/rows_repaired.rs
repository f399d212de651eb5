//! A human's word that the rows of a migration are right in both formats, where nothing in them tells which side is.
//!
//! Rows whose new format is stale beside rows whose old one is cannot be told from each other, so no backfill may touch them. Whoever
//! has compared them says so here; every query that the migration declares has to agree, and no live version may bring it about again.

use super::backfill::check_of;
use super::change::{Becomes, PhaseTransition, move_to};
use super::in_ledger::End;
use super::situation::seen_elsewhere;
use super::take::Coordinator;
use super::{CoordinatorError, Situation};
use crate::gate::{Blocker, Verdict, missing_evidence};
use crate::ledger::EventKind;
use crate::model::{Live, MigrationId, MigrationState, Phase};
use crate::project::Migration;
use crate::sql::Dialect;

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RowsRepaired {
    /// It is recorded, after these queries have answered 0.
    Done(Vec<String>),
    /// There was no doubt about any rows.
    NoDoubt,
    /// It would not be true, or nobody can tell. In words, each with what to do.
    Refused(Verdict, Vec<String>),
}

impl Coordinator<'_> {
    /// Records that the rows of a migration were repaired.
    ///
    /// # Errors
    /// A database or ledger error, a query that does not return a number, or an applied file that was changed.
    pub async fn rows_repaired(
        &mut self,
        id: &MigrationId,
        reason: &str,
    ) -> Result<RowsRepaired, CoordinatorError> {
        let situation = self.session.situation().await?;
        let Some(state) = situation.evidence.schema.get(id) else {
            return Err(CoordinatorError::NoFiles(id.clone()));
        };
        let migration = self.session.orders.migration(id)?;
        let live = situation.evidence.snapshot.live();
        if let Some(refused) = not_now(state, migration, &live, &situation) {
            return Ok(refused);
        }
        if !state.rows_are_in_doubt(&live) {
            return Ok(RowsRepaired::NoDoubt);
        }
        // It goes over every row, and so it is asked before anybody has to wait.
        if let Some(found) = check_of(&mut self.session, migration).await? {
            return Ok(refused(format!(
                "`check` of the backfill finds rows {}: repair these as well, and run this again",
                found.place
            )));
        }
        let dialect = self.session.connection.capabilities().dialect;
        let queries = queries(migration, dialect);
        let others = seen_elsewhere(&situation.evidence.snapshot);
        let (token, actor, began) = (
            self.session.token,
            self.session.actor.clone(),
            situation.view.now,
        );
        self.session.in_ledger(async |ledger| {
            ledger.lock_admissions().await?;
            let view = ledger.view().await?;
            // Whoever was here while the rows were looked at may have written after that.
            let recent = view.sightings.iter().filter(|seen| seen.last_seen_at >= began);
            let recent = recent.filter_map(|seen| {
                Some(Live {
                    service: seen.service.clone(),
                    version: seen.label.version.clone()?,
                })
            });
            let together: Vec<Live> = recent.chain(view.live_with(&others)).chain(live.clone()).collect();
            if let Some(spoils) = spoilt(state, &together) {
                return Ok(End::GiveUp(refused(spoils)));
            }
            for (what, query) in &queries {
                let counted = ledger.connection().await?.count(query).await;
                let counted = counted.map_err(|mut error| {
                    error.message = format!("`{what}` of {id}: {} ({query})", error.message);
                    error
                })?;
                if counted != 0 {
                    return Ok(End::GiveUp(refused(format!(
                        "`{what}` returns {counted}, and has to be 0: repair the rows that it counts as well, and run this again \
                         ({query})"
                    ))));
                }
            }
            let change = PhaseTransition {
                others: &others,
                detail: serde_json::json!({ "rows_repaired": true }),
                ..PhaseTransition::new(state, Becomes::RowsRepaired(&together))
            };
            move_to(ledger, token, &actor, change).await?;
            let asked: Vec<String> = queries.iter().map(|(_, query)| query.clone()).collect();
            let asked: Vec<String> = migration
                .backfill
                .iter()
                .filter_map(|rules| rules.check.as_ref())
                .map(|check| check.of(dialect).to_owned())
                .chain(asked)
                .collect();
            let detail = serde_json::json!({ "reason": reason, "asked": asked });
            ledger
                .append(EventKind::RowsRepaired, &actor, Some(id), &detail)
                .await?;
            Ok(End::Commit(RowsRepaired::Done(asked)))
        })
        .await
    }
}

fn asks_nothing(migration: &Migration) -> bool {
    migration.backfill.is_none() && migration.contract_rules.require.is_empty()
}

/// The queries that return a number, and have to return 0.
fn queries(migration: &Migration, dialect: Dialect) -> Vec<(&'static str, String)> {
    let remaining = migration.backfill.iter();
    let remaining = remaining.map(|rules| ("remaining", rules.remaining.of(dialect).to_owned()));
    let require = migration.contract_rules.require.iter();
    let require = require.map(|query| ("require", query.of(dialect).to_owned()));
    remaining.chain(require).collect()
}

/// What stands in the way before any row is looked at.
fn not_now(
    state: &MigrationState,
    migration: &Migration,
    live: &[Live],
    situation: &Situation,
) -> Option<RowsRepaired> {
    let id = state.id();
    if !matches!(
        state.phase,
        Phase::Expanded | Phase::Backfilling | Phase::Backfilled
    ) {
        return Some(refused(format!(
            "{id} is {}: rows have two formats between its expand and its contract",
            state.phase
        )));
    }
    let missing = missing_evidence(&situation.evidence);
    let concerns = |blocker: &&Blocker| {
        let service = blocker.service();
        blocker.migration.as_ref().is_none_or(|other| other == id)
            && service.is_none_or(|service| state.declaration.services.contains_key(service))
    };
    let missing: Vec<&Blocker> = missing.iter().filter(concerns).collect();
    if let Some(verdict) = missing.iter().map(|blocker| blocker.verdict()).max() {
        let texts = missing
            .iter()
            .map(|blocker| format!("{}: {}", blocker.message(), blocker.help()));
        return Some(RowsRepaired::Refused(verdict, texts.collect()));
    }
    if let Some(spoils) = spoilt(state, live) {
        return Some(refused(spoils));
    }
    let has_check = migration.backfill.iter().any(|rules| rules.check.is_some());
    (!has_check && asks_nothing(migration)).then(|| {
        refused(format!(
            "nothing shows that the rows are right: declare a query that counts those whose formats do not agree, as `check` or \
             `remaining` under [backfill] or as one of `require` under [contract] of {id}, and run this again"
        ))
    })
}

/// Which live versions would bring the doubt about again.
fn spoilt(state: &MigrationState, live: &[Live]) -> Option<String> {
    if !state.rows_repaired(live).rows_are_in_doubt(live) {
        return None;
    }
    let writes_one = |who: &&Live| {
        let does = state.declaration.behaviours(&who.service, &who.version);
        does.iter().any(|does| does.writes.old != does.writes.new)
    };
    let mut names: Vec<String> = live
        .iter()
        .filter(writes_one)
        .map(ToString::to_string)
        .collect();
    names.sort();
    names.dedup();
    Some(format!(
        "{} would spoil the rows again, because what each writes the other does not read: replace one of them by a version that \
         writes both formats, or stop it, and run this again (`migrate fleet` shows where they run)",
        names.join(" and ")
    ))
}

fn refused(why: String) -> RowsRepaired {
    RowsRepaired::Refused(Verdict::Refuse, vec![why])
}
