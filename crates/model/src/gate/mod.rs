//! The gate: the pure decision whether an action is safe now.
//!
//! Invariant: every verdict follows from the one rule of [`crate::model`]; this module only asks
//! it, and adds what lies outside the model (order, evidence, soak, counts). Reasons are data; how they read is in `words`.

mod advice;
mod blocker;
mod brought;
mod claims;
mod deploy;
mod doubt;
mod evidence;
mod flaw;
mod horizon;
mod leftover;
mod measured;
mod missing;
mod next;
mod onward;
mod phase;
mod presence;
mod reason;
mod sequence;
#[cfg(test)]
mod tests;
mod touch;
mod unfilled;
mod unused;
mod words;

use std::collections::{BTreeMap, BTreeSet};

pub use advice::{Advice, Departure, Leftover, Span, Unrecorded, Way, Worker};
pub use blocker::{Blocker, BlockerKind, Seen, Trace, Verdict};
pub use evidence::has_too_many_versions;
pub use flaw::{Flaw, Flawed, against_start, against_step, unread};
pub use horizon::{Horizon, Stretch, horizon};
pub use onward::Onward;
pub use reason::{
    Conflict, FillNeed, FillWork, FlawEffect, Incompatible, Leaves, Missing, Need, NoSuchPhase,
    Order, Part, Reason, Requirement, Rows, Sessions, Silence, Stay, Subject, Suspicion, Unplaced,
    Unseen, WaitsForFill, WrongPhase,
};
pub use touch::{Readings, Touch};
pub use unused::{InUse, Sent, Unused, Watched};

use crate::model::{
    AtWork, Breach, Clause, Live, LostLedger, MigrationId, Moved, Schema, Snapshot, Step, Version,
};

/// Something that somebody wants to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Take one step of one migration.
    Step { step: Step, migration: MigrationId },
    /// Start instances of these versions beside those that run.
    Deploy(Vec<Live>),
}

/// What the decision rests on besides the action itself.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    pub schema: Schema,
    pub snapshot: Snapshot,
    /// For each service of the project, how many instances an honest source sees at least.
    pub min_instances: BTreeMap<String, u64>,
    pub facts: Facts,
    /// What is known of contracts that nobody has begun, each by its migration, whichever step is asked about.
    pub contracts: BTreeMap<MigrationId, Foreseen>,
    /// The services whose instances an open rollout, which somebody works on, is replacing now, each
    /// with the version that it replaces them by.
    pub rolling: BTreeMap<String, Version>,
    /// That the ledger has come to another server of late, and for how long after that was noticed it cannot be known who
    /// holds a lease, in milliseconds.
    pub moved: Option<(Moved, u64)>,
    /// What of the project's files is not in order, and may change the answer.
    pub flaws: Vec<Flaw>,
    /// That the ledger records nothing, although something was applied.
    pub lost: Option<LostLedger>,
}

/// What was measured for one step; `None` and empty where it was not asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Rows that the `remaining` query still counts.
    pub remaining: Option<i64>,
    /// Keys of a few of those rows.
    pub remaining_examples: Vec<String>,
    /// Why the backfill did not go over all of them, in words.
    pub passed_by: Vec<String>,
    /// What the backfill's `check` found; `None` if it found nothing or was not asked.
    pub check: Option<CheckFinding>,
    /// Each `require` query with its result.
    pub require: Vec<(String, i64)>,
    pub soak: Option<Soak>,
    /// Whether what goes was used of late; `None` if the migration does not ask.
    pub unused: Option<Unused>,
    /// What in the database needs what goes, so that the server would not let go of it, in words.
    pub needed: Vec<String>,
    /// Why these very files do not count as rehearsed; `None` if they do, or the project does not ask.
    pub unrehearsed: Option<Unrehearsed>,
    /// What no longer keeps the formats of a migration in step as its files say.
    pub out_of_step: Vec<OutOfStep>,
    /// Who is at work on steps right now.
    pub at_work: Option<AtWork>,
    /// The numbers of the migrations whose backfills somebody has paused, as far as anybody who is at work on one may be.
    pub paused: BTreeSet<u64>,
    /// The numbers of the migrations whose expand holds nothing of rows, so that undoing it loses none: an index, a default.
    pub holding_nothing: BTreeSet<u64>,
    /// The newest migration among the files that came with the code of who is to start; `None` where there are none, and where whoever asks
    /// has them from elsewhere.
    pub brought: Option<MigrationId>,
}

/// What stands against a contract whenever it begins, as far as that is known without the user's queries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Foreseen {
    pub soak: Option<Soak>,
    /// As of [`Facts::needed`].
    pub needed: Vec<String>,
    /// As of [`Facts::unrehearsed`].
    pub unrehearsed: Option<Unrehearsed>,
}

impl Facts {
    /// Who takes this step of this migration now; nobody where it stands still until somebody lets it go on.
    fn taken_by(&self, step: Step, id: &MigrationId) -> Option<&str> {
        let at_work = self
            .at_work
            .as_ref()
            .filter(|at_work| at_work.is_at(step, id))?;
        (!self.is_paused(step, id)).then_some(at_work.who.as_str())
    }

    fn is_paused(&self, step: Step, id: &MigrationId) -> bool {
        step == Step::Backfill && self.paused.contains(&id.number())
    }
}

/// A trigger of a migration that is under way, and that does not do what its file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutOfStep {
    pub migration: MigrationId,
    /// Which one, and what it does instead, in words.
    pub what: String,
}

/// Rows that a backfill's `check` found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckFinding {
    /// The part of the keys in which they are, in words.
    pub place: String,
    /// The first of them.
    pub examples: Vec<String>,
}

/// Why the files of a migration, as they are now, do not count as rehearsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unrehearsed {
    /// No rehearsal of the migration is recorded.
    Never,
    /// One of other files is, the last of them at this time.
    OtherFiles {
        /// Milliseconds since the epoch.
        at: i64,
    },
    /// The last one of these files has denied what they claim.
    Denied {
        /// Milliseconds since the epoch.
        at: i64,
    },
}

/// How long no version that touches the old format has been seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Soak {
    pub required_ms: i64,
    pub quiet_ms: i64,
}

/// The gate's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Decision {
    /// For Phasegate's own packages, and no promise: whoever asked knows what for.
    #[doc(hidden)]
    pub action: Action,
    pub verdict: Verdict,
    /// The heaviest first.
    pub blockers: Vec<Blocker>,
    /// What does not block, and whoever acts should know.
    pub notes: Vec<String>,
}

/// What the gate says of one step of a plan.
#[doc(hidden)]
#[derive(Clone, Debug)]
pub struct InPlan {
    /// Whether the step has a place in a plan at all.
    pub verdict: Verdict,
    /// What keeps it out of this place.
    pub blockers: Vec<Blocker>,
    /// Why the gate refuses it until somebody puts that right.
    pub refused: Vec<Blocker>,
    pub notes: Vec<String>,
}

impl Decision {
    fn new(action: Action, mut blockers: Vec<Blocker>, notes: Vec<String>) -> Self {
        // The reason for the verdict comes first, and what can be done now before who has to go.
        blockers.sort_by_key(|blocker| {
            let is_live = blocker.kind() == BlockerKind::LiveVersion;
            (std::cmp::Reverse(blocker.verdict()), is_live)
        });
        Self {
            action,
            verdict: Verdict::of(&blockers),
            blockers,
            notes,
        }
    }

    /// The decision without those blockers that are only about missing evidence.
    #[doc(hidden)]
    #[must_use]
    pub fn accepting_unknown(mut self) -> Self {
        self.blockers.retain(|blocker| {
            // Which versions live somebody may know otherwise. What was applied, and how far, is not to be made up.
            let is_of_the_schema = matches!(blocker.reason, Reason::Source(Silence::LedgerLost(_)));
            // Who only has to stay a little longer is missing as well until then.
            let is_missing = blocker.verdict() == Verdict::Unknown
                || blocker.kind() == BlockerKind::MissingInstances;
            is_of_the_schema || !is_missing
        });
        self.verdict = Verdict::of(&self.blockers);
        self
    }

    /// The decision in a database in which nothing was, and that nobody can have used: that nobody is seen, or was for as long as a
    /// soak lasts, is as it has to be, and there was nothing to rehearse with. Who gives no evidence may hide a live fleet
    /// here as anywhere.
    #[doc(hidden)]
    #[must_use]
    pub fn with_nobody_yet(mut self) -> Self {
        self.blockers.retain(|blocker| {
            !matches!(
                blocker.kind(),
                BlockerKind::MissingInstances
                    | BlockerKind::Soak
                    | BlockerKind::InUse
                    | BlockerKind::Rehearsal
            )
        });
        self.verdict = Verdict::of(&self.blockers);
        self
    }

    /// The decision as a plan takes it: what its author has to put right in the files, or has got wrong
    /// about what runs, does not change which steps there are. It is told apart.
    #[doc(hidden)]
    #[must_use]
    pub fn in_a_plan(self) -> InPlan {
        let (refused, blockers): (Vec<Blocker>, Vec<Blocker>) =
            self.blockers.into_iter().partition(|blocker| {
                matches!(
                    blocker.kind(),
                    BlockerKind::Contradiction | BlockerKind::UndeclaredFill | BlockerKind::Files
                )
            });
        InPlan {
            verdict: Verdict::of(&blockers),
            blockers,
            refused,
            notes: self.notes,
        }
    }

    /// Whether nothing but what is in use keeps the step from being taken: live versions, the backfill that
    /// they hold up, and what passes by itself. The next release, or a later day, ends that.
    #[doc(hidden)]
    #[must_use]
    pub fn is_only_in_use(&self) -> bool {
        let is_live = |blocker: &Blocker| blocker.kind() == BlockerKind::LiveVersion;
        let any_live = self.blockers.iter().any(is_live);
        self.blockers.iter().all(|blocker| {
            blocker.verdict() == Verdict::Hold
                || is_live(blocker)
                || any_live && blocker.kind() == BlockerKind::BackfillFirst
        })
    }

    /// Whether waiting may help where it is known who is waited for: nothing but live versions and what
    /// passes by itself is in the way.
    #[doc(hidden)]
    #[must_use]
    pub fn waits_for_live_versions(&self) -> bool {
        self.blockers.iter().all(|blocker| {
            blocker.verdict() != Verdict::Refuse || blocker.kind() == BlockerKind::LiveVersion
        })
    }
}

/// Drops the breaches that only follow from a version which clause 1 or 2 shuts out anyway: once it is gone or kept out
/// they do not arise, so they only mislead.
fn without_consequences(mut breaches: Vec<Breach>) -> Vec<Breach> {
    let is_shut_out = |breach: &Breach| {
        let by_place = matches!(breach.clause, Clause::NewIsThere | Clause::OldIsThere);
        breach.who.clone().filter(|_| by_place)
    };
    let shut_out: Vec<Live> = breaches.iter().filter_map(is_shut_out).collect();
    breaches.retain(|breach| {
        is_shut_out(breach).is_some()
            || !breach
                .who
                .iter()
                .chain(&breach.writers)
                .any(|who| shut_out.contains(who))
    });
    breaches
}

/// Decides whether `action` is safe, given the evidence.
#[must_use]
pub fn decide(action: Action, evidence: &Evidence) -> Decision {
    if let Some(blocker) = evidence::of_all(evidence) {
        return Decision::new(action, vec![blocker], Vec::new());
    }
    let Answer {
        mut blockers,
        notes,
    } = match &action {
        Action::Step { step, migration } => phase::decide(*step, migration, evidence),
        Action::Deploy(candidates) => deploy::decide(candidates, evidence),
    };
    if matches!(action, Action::Deploy(_)) {
        blockers.extend(unread(&evidence.flaws));
    }
    Decision::new(action, blockers, notes)
}

/// What stands against an action, and what whoever takes it should know.
struct Answer {
    blockers: Vec<Blocker>,
    notes: Vec<String>,
}

/// What is missing in the evidence about the services that a migration still under way names:
/// whoever plans with it has to know what they run. That instances which only start go on to serve is for
/// each step to see.
#[must_use]
pub fn missing_evidence(evidence: &Evidence) -> Vec<Blocker> {
    if let Some(blocker) = evidence::of_all(evidence) {
        return vec![blocker];
    }
    let under_way = || {
        let states = evidence.schema.migrations().iter();
        let open = states.filter(|state| !state.is_complete());
        open.map(|state| &state.declaration)
    };
    let known = evidence.snapshot.known();
    let is_known = |blocker: &Blocker| {
        let service = blocker.service().unwrap_or_default();
        let wanted = evidence.min_instances.get(service).copied();
        blocker.kind() == BlockerKind::MissingInstances
            && known.get(service).copied() >= Some(wanted.unwrap_or(0))
    };
    let mut missing = evidence::Gaps::find(evidence, under_way())
        .of(|service| under_way().any(|declaration| declaration.services.contains_key(service)));
    missing.retain(|blocker| !is_known(blocker));
    // What a plan rests on is not so.
    let open = evidence
        .schema
        .migrations()
        .iter()
        .filter(|state| !state.is_complete());
    let missed = open.flat_map(|state| claims::out_of_step(state, &evidence.facts));
    missing.extend(missed.map(Blocker::from));
    missing.extend(unread(&evidence.flaws));
    missing
}

/// The answer where not even the ledger could be read.
#[must_use]
pub fn unreachable(action: Action, error: &str, next: Option<&str>) -> Decision {
    let reason = Reason::Source(Silence::Unreachable {
        error: error.to_owned(),
        next: next.map(ToOwned::to_owned),
    });
    let blocker = Blocker::from(reason).seen(Seen::by("ledger"));
    Decision::new(action, vec![blocker], Vec::new())
}
