//! Phases, what each migration waits for, and which versions may start.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::trouble::{self, Trouble, failures_of, idle_since};
use super::{Looked, horizon, json as shapes, past_gate, rollout};
use crate::gate::{Action, Blocker, Decision, Flawed, Horizon, Reason, Silence, Verdict, decide};
use crate::ledger::{
    Applied, BackfillRecord, DesiredState, KnownHead, RolloutRecord, RolloutState,
};
use crate::model::{MigrationId, MigrationState, Phase, Step};
use crate::project::{Migration, Pace, Project};

/// The state of every migration.
#[derive(Clone, Debug)]
pub struct Status {
    pub looked: Looked,
    /// Which versions of each service may start now.
    pub horizons: Vec<Horizon>,
    /// What the contract of each migration asks before it begins, by the keys of its migration.toml.
    asks: BTreeMap<MigrationId, Vec<&'static str>>,
    /// The database of its own in which the ledger is.
    pub ledger_database: Option<String>,
}

/// What a migration waits for, if anything is left to do.
#[derive(Clone, Debug)]
pub enum Next {
    Nothing,
    /// The step can be taken now.
    Ready(Step),
    /// Nothing that was looked at is in its way; it asks these first, by the keys of migration.toml, and a status does not, because
    /// they may be costly.
    Asks(Step, Vec<&'static str>),
    Blocked(Step, Box<Decision>),
}

impl Next {
    /// What is known of the step that is next; `None` if there is none.
    #[must_use]
    pub fn verdict(&self) -> Option<Verdict> {
        match self {
            Self::Nothing => None,
            Self::Ready(_) => Some(Verdict::Go),
            // What was not asked is not known.
            Self::Asks(..) => Some(Verdict::Unknown),
            Self::Blocked(_, decision) => Some(decision.verdict),
        }
    }
}

impl Status {
    pub(super) fn of(looked: Looked, project: &Project) -> Self {
        let horizons = looked.horizons(project);
        let open = looked.situation.evidence.schema.migrations().iter();
        let open = open.filter(|state| !state.phase.contract_has_begun());
        let asks = open.filter_map(|state| {
            let asks = asked_by(project.as_read(state.id())?);
            (!asks.is_empty()).then(|| (state.id().clone(), asks))
        });
        let asks = asks.collect();
        let ledger_database = project.config.ledger_database().map(ToOwned::to_owned);
        Self {
            looked,
            horizons,
            asks,
            ledger_database,
        }
    }

    /// The rollout that is under way, or can be taken up again.
    #[must_use]
    pub fn open_rollout(&self) -> Option<&RolloutRecord> {
        let last = self.looked.beside.rollout.as_ref();
        last.filter(|last| last.state == RolloutState::Open)
    }

    /// Every migration, those of the files and those of the ledger.
    #[must_use]
    pub fn migrations(&self) -> &[MigrationState] {
        self.looked.situation.evidence.schema.migrations()
    }

    /// What a migration waits for.
    #[must_use]
    pub fn next(&self, state: &MigrationState) -> Next {
        let parts = state.declaration.parts;
        if state.is_complete() {
            return Next::Nothing;
        }
        let step = match state.phase {
            Phase::Reverting => Step::Revert,
            _ if !state.expand_is_done() => Step::Expand,
            Phase::Pending | Phase::Expanded | Phase::Backfilling if parts.backfill => {
                Step::Backfill
            }
            _ => Step::Contract,
        };
        let action = Action::Step {
            step,
            migration: state.id().clone(),
        };
        let decision = decide(action, &self.looked.situation.evidence);
        if decision.verdict != Verdict::Go {
            return Next::Blocked(step, Box::new(decision));
        }
        match self.asks.get(state.id()) {
            Some(asks) if step == Step::Contract => Next::Asks(step, asks.clone()),
            _ => Next::Ready(step),
        }
    }

    /// What a migration waits for, in a line.
    #[must_use]
    pub fn waits_for(&self, state: &MigrationState, next: &Next) -> String {
        let trouble = self.trouble(state);
        match next {
            Next::Nothing => "nothing: it is complete".to_owned(),
            Next::Ready(step) | Next::Asks(step, _) if trouble.is_of(*step) => format!(
                "`migrate {} {:04}` again, once what it failed on is mended (see below)",
                step.name(),
                state.id().number()
            ),
            Next::Ready(step) => {
                let schema = &self.looked.situation.evidence.schema;
                let late = schema.applied_before_its_turn(state.id());
                let late =
                    late.filter(|_| *step == Step::Expand)
                        .map_or_else(String::new, |later| {
                            format!(
                                "; {} was applied before it, and comes after it on a new database",
                                later.id()
                            )
                        });
                format!(
                    "`migrate {} {:04}`, which is safe now{late}",
                    step.name(),
                    state.id().number()
                )
            }
            Next::Asks(step, asks) => format!(
                "`migrate {} {:04}`, {}",
                step.name(),
                state.id().number(),
                which_asks(asks)
            ),
            Next::Blocked(step, decision) => in_the_way(*step, decision),
        }
    }

    /// The migrations of which nothing is known but that nobody has applied them, by the answer to their expand.
    #[must_use]
    pub fn unread(&self) -> Vec<Decision> {
        let evidence = &self.looked.situation.evidence;
        let flaws = evidence.flaws.iter();
        let pending = flaws.filter_map(|flaw| match &flaw.of {
            Flawed::Declaration(id) => Some(id.clone()),
            _ => None,
        });
        let expand = pending.map(|migration| Action::Step {
            step: Step::Expand,
            migration,
        });
        expand.map(|action| decide(action, evidence)).collect()
    }

    /// What is recorded of a migration.
    #[must_use]
    pub fn applied(&self, state: &MigrationState) -> Option<&Applied> {
        let applied = &self.looked.situation.view.applied;
        let number = state.id().number();
        let at = applied.binary_search_by_key(&number, |applied| applied.state.id().number());
        applied
            .get(at.ok()?)
            .filter(|applied| applied.state.id() == state.id())
    }

    /// Since when a migration is in its phase, in milliseconds since the epoch; `None` if nothing is recorded of it.
    #[must_use]
    pub fn since(&self, state: &MigrationState) -> Option<i64> {
        let changed_at = self.applied(state)?.changed_at;
        Some(self.fence_since(state).unwrap_or(changed_at))
    }

    /// Since when its fence keeps versions out; `None` if none is up, or that is not known.
    #[must_use]
    pub fn fence_since(&self, state: &MigrationState) -> Option<i64> {
        let mut fences = self.looked.beside.fences.iter();
        let fence = fences.find(|fence| fence.id == *state.id())?;
        Some(fence.since)
    }

    /// What a migration failed on the last time, and since when nobody is at work on it.
    #[must_use]
    pub fn trouble(&self, state: &MigrationState) -> Trouble<'_> {
        let applied = self.applied(state);
        let failures = failures_of(&self.looked.beside.failures, state, applied);
        let failure = failures.first().copied();
        let backfill = self.backfill_of(state);
        let situation = &self.looked.situation;
        Trouble {
            failures,
            idle_since: idle_since(state, situation, applied, backfill, failure),
        }
    }

    /// How the backfill of a migration got on that belongs to what is recorded of it now.
    #[must_use]
    pub fn backfill_of(&self, state: &MigrationState) -> Option<&BackfillRecord> {
        let changed_at = self.applied(state)?.changed_at;
        let number = state.id().number();
        let of_now = |record: &&BackfillRecord| {
            record.number == number
                && (state.phase != Phase::Backfilling || record.run == changed_at)
        };
        self.looked.beside.backfills.iter().find(of_now)
    }

    /// As `migrate status --output json` prints it.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let situation = &self.looked.situation;
        let states = self.migrations().iter();
        let mut migrations: Vec<_> = states.map(|state| self.migration_json(state)).collect();
        migrations.extend(self.unread().iter().map(unread_json));
        let horizons: Vec<_> = self.horizons.iter().map(horizon::as_json).collect();
        let sources = &situation.evidence.snapshot.sources;
        let mut value = json!({
            "ledger": situation.has_ledger,
            "coordinator": situation.view.coordinator.describe(),
            "migrations": migrations,
            "horizon": horizons,
            "changed_files": situation.drift.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "sources": sources.iter().map(shapes::source).collect::<Vec<_>>(),
            "log_head": self.looked.beside.log_head.as_ref().map(KnownHead::to_string),
            "checked_at": shapes::time(situation.view.now),
        });
        if let (Some(own), Some(object)) = (&self.ledger_database, value.as_object_mut()) {
            object.insert("ledger_database".into(), own.as_str().into());
        }
        if let (Some(open), Some(object)) = (self.open_rollout(), value.as_object_mut()) {
            object.insert("rollout".into(), rollout::as_json(open));
        }
        past_gate::add_to(&mut value, situation);
        value
    }

    fn migration_json(&self, state: &MigrationState) -> Value {
        let waits = match self.next(state) {
            Next::Nothing => Value::Null,
            Next::Ready(step) => {
                json!({ "step": step.name(), "verdict": "go", "blockers": [] })
            }
            Next::Asks(step, asks) => json!({
                "step": step.name(),
                "verdict": Verdict::Unknown.name(),
                "blockers": [],
                "asks": asks,
            }),
            Next::Blocked(step, decision) => json!({
                "step": step.name(),
                "verdict": decision.verdict.name(),
                "blockers": decision.blockers.iter().map(shapes::blocker).collect::<Vec<_>>(),
            }),
        };
        let record = self.backfill_of(state);
        let trouble = self.trouble(state);
        json!({
            "id": state.id(),
            "description": state.declaration.description,
            "phase": state.phase.name(),
            "since": self.since(state).map(shapes::time),
            "backfilled_rows": record.map(BackfillRecord::changed),
            "backfill": record
                .filter(|_| state.phase == Phase::Backfilling)
                .map(|record| self.backfill_json(record)),
            "failed": trouble.failure().map(trouble::as_json),
            "failures": trouble.failures.iter().copied().map(trouble::as_json).collect::<Vec<_>>(),
            "idle_since": trouble.idle_since.map(shapes::time),
            "next": waits,
        })
    }

    fn backfill_json(&self, record: &BackfillRecord) -> Value {
        let (seen, rate) = (record.seen(), record.rate);
        let left = record.total.saturating_sub(seen).saturating_mul(1000);
        json!({
            "seen": seen,
            "changed": record.changed(),
            "total": record.total,
            "batches": record.batches(),
            "ranges": record.ranges.len(),
            "rate": rate,
            "left_ms": left.checked_div(rate),
            "held_by": (!record.held_by.is_empty()).then_some(&record.held_by),
            "paused": record.control.desired == DesiredState::Paused,
            "pace": record.control.pace.map(|pace| Pace::from_thousandths(pace).to_string()),
            "at_work": self.looked.situation.view.coordinator.is_held(),
            "started_at": shapes::time(record.started_at),
            "heard_of_at": shapes::time(record.beat_at),
        })
    }
}

/// What a contract asks before it begins, by the keys of its migration.toml.
fn asked_by(migration: &Migration) -> Vec<&'static str> {
    let rules = &migration.contract_rules;
    let asked = [
        ("remaining", migration.backfill.is_some()),
        ("require", !rules.require.is_empty()),
        ("unused_for", rules.unused.is_some()),
    ];
    let asked = asked.into_iter().filter(|(_, is_asked)| *is_asked);
    asked.map(|(key, _)| key).collect()
}

/// `which asks `remaining` and `require` first`.
#[must_use]
pub fn which_asks(asks: &[&str]) -> String {
    let keys: Vec<String> = asks.iter().map(|key| format!("`{key}`")).collect();
    let keys = match keys.as_slice() {
        [rest @ .., last] if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => keys.concat(),
    };
    format!("which asks {keys} first")
}

/// What keeps a step from being taken, in a line.
#[must_use]
pub fn in_the_way(step: Step, decision: &Decision) -> String {
    let first = decision.blockers.first();
    let first = match first.map(|blocker| &blocker.reason) {
        // It is the same for all of them, and is said above them.
        Some(Reason::Source(Silence::LedgerLost(_))) => "what was applied is not known".to_owned(),
        _ => first.map_or_else(String::new, Blocker::message),
    };
    let more = match decision.blockers.len() {
        0 | 1 => String::new(),
        count => format!(" (and {} more)", count - 1),
    };
    format!(
        "{} ({}): {first}{more}",
        step.name(),
        decision.verdict.name()
    )
}

fn unread_json(decision: &Decision) -> Value {
    let first = decision.blockers.first();
    json!({
        "id": first.and_then(|blocker| blocker.migration.as_ref()),
        "description": null,
        "phase": Phase::Pending.name(),
        "since": null,
        "backfilled_rows": null,
        "backfill": null,
        "next": {
            "step": Step::Expand.name(),
            "verdict": decision.verdict.name(),
            "blockers": decision.blockers.iter().map(shapes::blocker).collect::<Vec<_>>(),
        },
    })
}
