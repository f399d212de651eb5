//! Where the model asks production: each answer is that of a function that `migrate` and `phasegate::Lease` call.
//!
//! Answers are remembered by what they depend on, because the same question comes up in many states.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::Mutex;

use phasegate::gate::{Action, BlockerKind, Decision, Evidence, Verdict, decide};
use phasegate::ledger::{
    Applied, Arrival, Arrivals, Contents, CoordinatorRow, CountedLeases, Memory, Named, Sighting,
    View,
};
use phasegate::model::{
    InstanceState, LEASES, Label, Live, LiveGroup, MigrationState, Phase, RowKinds, Snapshot,
    SourceReport, SourceStatus, Step, Version,
};

use super::mutation::Mutation;
use super::scenario::Scenario;
use super::state::{Baton, Health, Process, Record, Seen, State, bit};

/// Everything that an answer depends on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Knowledge {
    record: Option<Record>,
    arrivals: Vec<u8>,
    /// For each slot, how many leases count: two bits for those that drain, two for the others.
    leases: Vec<u8>,
    seen: Option<Seen>,
    remaining: Option<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Question {
    Deploy(usize),
    Step(Step),
    /// A step of another migration, of which nothing is applied.
    Neighbour(Step),
    Becomes(Becomes),
    Present,
}

/// How a phase changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Becomes {
    Begun(Step),
    After(Step),
    GivenUp(Phase),
}

/// What the gate says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub verdict: Verdict,
    pub kinds: BTreeSet<BlockerKind>,
    /// Whether the step has nothing left to do.
    pub is_over: bool,
    /// What the notes say the backfill's statement must do.
    pub notes: Vec<String>,
}

/// What the ledger's view says of the migration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Present {
    pub phase: Phase,
    /// Every kind that may exist while the leases last.
    pub reachable: RowKinds,
}

#[derive(Clone, Debug)]
enum Found {
    Answer(Answer),
    Moved(MoveFound),
    Present(Present),
}

#[derive(Clone, Debug)]
struct MoveFound {
    former: Phase,
    record: (Phase, RowKinds),
}

#[derive(Default)]
pub struct Judge {
    found: Mutex<HashMap<(Knowledge, Question), Found>>,
}

/// The name of the source beside the leases.
const LIST: &str = "list";

impl Scenario {
    /// What the database holds now, together with what was seen elsewhere before.
    pub fn knowledge(&self, state: &State, seen: Option<Seen>, remaining: Option<u8>) -> Knowledge {
        let mut leases = vec![0; self.slots.len()];
        for lease in &state.leases {
            if lease.draining && self.mutation == Mutation::DrainingIsGone {
                continue;
            }
            leases[lease.slot] += if lease.draining { 4 } else { 1 };
        }
        Knowledge {
            record: state.record.clone(),
            arrivals: state.arrivals.clone(),
            leases,
            seen,
            remaining,
        }
    }

    /// Whether an instance of this slot may start.
    pub fn may_deploy(&self, knowledge: Knowledge, slot: usize) -> Answer {
        match self.ask(knowledge, Question::Deploy(slot)) {
            Found::Answer(answer) => answer,
            other => panic!("{other:?} is no answer"),
        }
    }

    /// Whether a step may be taken.
    pub fn may_take(&self, knowledge: Knowledge, step: Step) -> Answer {
        match self.ask(knowledge, Question::Step(step)) {
            Found::Answer(answer) => answer,
            other => panic!("{other:?} is no answer"),
        }
    }

    /// Whether a step of another migration may be taken.
    pub fn neighbour_may_take(&self, knowledge: Knowledge, step: Step) -> Answer {
        match self.ask(knowledge, Question::Neighbour(step)) {
            Found::Answer(answer) => answer,
            other => panic!("{other:?} is no answer"),
        }
    }

    /// The migration as the ledger's view shows it.
    pub fn present(&self, state: &State) -> Present {
        match self.ask(self.knowledge(state, None, None), Question::Present) {
            Found::Present(present) => present,
            other => panic!("{other:?} is not what it is"),
        }
    }

    /// Moves the migration as `move_to` does inside its transaction; answers the phase that it leaves.
    pub fn record(&self, state: &mut State, seen: Option<Seen>, becomes: Becomes) -> Phase {
        let knowledge = self.knowledge(state, seen, None);
        let Found::Moved(found) = self.ask(knowledge, Question::Becomes(becomes)) else {
            panic!("a change of phase leads to a phase")
        };
        let (phase, kinds) = found.record;
        let keeps = matches!(becomes, Becomes::Begun(Step::Contract | Step::Revert));
        state.record = (phase != Phase::Pending).then_some(Record {
            phase,
            kinds,
            step_back: keeps.then_some(found.former),
        });
        // Whoever is live goes on after the record.
        let goes_on = state.leased() | seen.map_or(0, |seen| seen.slots);
        state.arrivals.clear();
        let is_forgotten = matches!(
            self.mutation,
            Mutation::LiveForgotten | Mutation::BackfillBegunUnchecked
        );
        if goes_on != 0 && !is_forgotten {
            state.arrive(goes_on);
        }
        if matches!(phase, Phase::Expanded | Phase::Pending) {
            state.cursor = false;
        }
        found.former
    }

    fn ask(&self, knowledge: Knowledge, question: Question) -> Found {
        let key = (knowledge, question);
        let mut known = self
            .judge
            .found
            .lock()
            .expect("nobody panics over an answer");
        if let Some(found) = known.get(&key) {
            return found.clone();
        }
        let found = self.work_out(&key.0, question);
        known.insert(key, found.clone());
        found
    }

    fn work_out(&self, knowledge: &Knowledge, question: Question) -> Found {
        let view = self.view(knowledge);
        let pending = MigrationState::pending(self.believed.clone());
        let seen = self.snapshot_of(knowledge.seen);
        match question {
            Question::Deploy(slot) => {
                let evidence = phasegate::lease::evidence(view, &self.files());
                let candidate = self.live(slot);
                if self.mutation == Mutation::BrokenExcuses
                    && excuses_what_is_broken(&evidence, &candidate)
                {
                    return Found::Answer(Answer {
                        verdict: Verdict::Go,
                        kinds: BTreeSet::new(),
                        is_over: false,
                        notes: Vec::new(),
                    });
                }
                self.answer(Action::Deploy(vec![candidate]), &evidence, None)
            }
            Question::Step(step) | Question::Neighbour(step) => {
                let snapshot = view.refresh(&seen);
                let soak = self
                    .soak
                    .filter(|_| step == Step::Contract)
                    .map(|required| {
                        phasegate::coordinator::soak(required, &view.present(&pending), &view)
                    });
                let mut evidence = phasegate::lease::evidence(view, &self.files());
                evidence.snapshot = snapshot;
                evidence.min_instances = self.min_instances.clone();
                evidence.facts.remaining = knowledge.remaining.map(i64::from);
                evidence.facts.soak = soak;
                let migration = match (question, self.neighbours.first()) {
                    (Question::Neighbour(_), Some(neighbour)) => neighbour.id.clone(),
                    _ => self.believed.id.clone(),
                };
                let action = Action::Step { step, migration };
                self.answer(action, &evidence, Some(step))
            }
            Question::Becomes(becomes) => {
                let live = view.live_with(&seen.live());
                let present = view.present(&pending);
                let after = match becomes {
                    Becomes::Begun(step) => present.begun(step, &live),
                    Becomes::After(step) => present.after(step, &live),
                    Becomes::GivenUp(phase) => present.given_up(phase, &live),
                };
                Found::Moved(MoveFound {
                    former: present.phase,
                    record: (after.phase, after.kinds),
                })
            }
            Question::Present => {
                let present = view.present(&pending);
                Found::Present(Present {
                    phase: present.phase,
                    reachable: present.reachable(&view.live_with(&[])),
                })
            }
        }
    }

    fn answer(&self, action: Action, evidence: &Evidence, step: Option<Step>) -> Found {
        let is_over = step.is_some_and(|step| {
            let state = evidence.schema.get(&self.believed.id);
            state.is_some_and(|state| state.has_taken(step, &evidence.snapshot.live()))
        });
        let Decision {
            verdict,
            blockers,
            notes,
            ..
        } = decide(action, evidence);
        Found::Answer(Answer {
            verdict,
            kinds: blockers.iter().map(|blocker| blocker.kind()).collect(),
            is_over,
            notes,
        })
    }

    /// The version of a slot, as the protocol takes it.
    fn live(&self, slot: usize) -> Live {
        let slot = &self.slots[slot];
        Live {
            service: slot.service.to_owned(),
            version: self.taken_for(&slot.version),
        }
    }

    fn taken_for(&self, version: &Version) -> Version {
        match self.mutation {
            Mutation::PrereleaseIsItsRelease => version.release(),
            _ => version.clone(),
        }
    }

    /// Every migration of the project.
    fn files(&self) -> Vec<phasegate::model::Declaration> {
        let mut files = vec![self.believed.clone()];
        files.extend(self.neighbours.iter().cloned());
        files
    }

    /// What the ledger's tables hold, read as production reads them.
    fn view(&self, knowledge: &Knowledge) -> View {
        let applied = knowledge.record.iter().map(|record| Applied {
            state: MigrationState {
                declaration: self.believed.clone(),
                phase: record.phase,
                kinds: record.kinds,
            },
            recorded_phase: record.phase,
            seq: 0,
            step_back: record.step_back,
            changed_at: 0,
        });
        let sightings = (0..self.slots.len()).map(|slot| {
            let live = self.live(slot);
            Sighting {
                label: Label {
                    text: self.slots[slot].version.to_string(),
                    version: Some(live.version),
                },
                service: live.service,
                last_seen_at: 0,
                seq: 0,
            }
        });
        let named = |slot: usize| {
            Named::new(
                self.slots[slot].service,
                &self.slots[slot].version.to_string(),
            )
        };
        let mut moments = knowledge.arrivals.clone();
        if matches!(
            self.mutation,
            Mutation::KindsAllAtOnce | Mutation::BrokenExcuses
        ) {
            moments = vec![moments.iter().fold(0, |all, live| all | live)];
        }
        let arrivals = (1..).zip(moments).map(|(seq, live)| Arrival {
            seq,
            live: Arc::new(
                (0..self.slots.len())
                    .filter(|slot| live & bit(*slot) != 0)
                    .map(named)
                    .collect(),
            ),
            strays: Vec::new(),
        });
        let counted = |(slot, state, instances): (usize, InstanceState, u8)| CountedLeases {
            service: self.slots[slot].service.to_owned(),
            label: self.slots[slot].version.to_string(),
            state: Some(state),
            instances: u64::from(instances),
            at: 0,
        };
        let leases = knowledge
            .leases
            .iter()
            .enumerate()
            .flat_map(|(slot, count)| {
                [
                    (slot, InstanceState::Serving, count % 4),
                    (slot, InstanceState::Draining, count / 4),
                ]
            });
        View::of(Contents {
            now: 0,
            applied: applied.collect(),
            sightings: sightings.collect(),
            arrivals: Arrivals::Kept(arrivals.collect()),
            memory: Memory::default(),
            leases: leases
                .filter(|(_, _, count)| *count > 0)
                .map(counted)
                .collect(),
            coordinator: baton_row(Baton::Free),
        })
    }

    /// What the source beside the leases said.
    fn snapshot_of(&self, seen: Option<Seen>) -> Snapshot {
        let mut snapshot = Snapshot::default();
        snapshot.sources.push(report(LEASES, SourceStatus::Fresh));
        let Some(seen) = seen.filter(|_| self.has_list()) else {
            return snapshot;
        };
        let status = match seen.health {
            Health::Stale if self.mutation == Mutation::StaleSourceIsEmpty => SourceStatus::Fresh,
            Health::Fresh => SourceStatus::Fresh,
            Health::Stale => SourceStatus::Stale,
            Health::Failed => SourceStatus::Failed {
                reason: "it does not answer".into(),
            },
        };
        snapshot.sources.push(report(LIST, status));
        for (slot, described) in self.slots.iter().enumerate() {
            if seen.slots & bit(slot) != 0 {
                snapshot.groups.push(LiveGroup {
                    service: described.service.to_owned(),
                    label: Label {
                        text: described.version.to_string(),
                        version: described.placed.then(|| self.taken_for(&described.version)),
                    },
                    state: InstanceState::Serving,
                    source: LIST.to_owned(),
                    instances: 1,
                    examples: Vec::new(),
                    seen_at: 0,
                });
            }
        }
        snapshot
    }

    pub fn has_list(&self) -> bool {
        self.slots.iter().any(|slot| slot.unregistered)
    }

    /// Asks the source beside the leases. What it says is complete only while it is fresh.
    pub fn look(&self, state: &State) -> Seen {
        let running = state.processes.iter().enumerate();
        let slots = running
            .filter(|(_, process)| **process == Process::Unregistered)
            .map(|(slot, _)| bit(slot))
            .sum();
        Seen {
            health: state.health,
            slots: if state.health == Health::Fresh {
                slots
            } else {
                0
            },
        }
    }
}

fn report(name: &str, status: SourceStatus) -> SourceReport {
    SourceReport {
        name: name.to_owned(),
        status,
        instances: Some(0),
        age_ms: 0,
        notes: Vec::new(),
    }
}

/// What once was the rule: a clause that does not hold already is no reason to keep a version out.
fn excuses_what_is_broken(evidence: &Evidence, candidate: &Live) -> bool {
    let live = evidence.snapshot.live();
    let mut together = live.clone();
    together.push(candidate.clone());
    evidence.schema.migrations().iter().all(|state| {
        let present = state.breaches(&live);
        let with_it = MigrationState {
            kinds: state.kinds,
            ..state.admitting(&together)
        };
        with_it.breaches(&together).iter().all(|breach| {
            breach.who.as_ref() != Some(candidate)
                && present
                    .iter()
                    .any(|other| other.clause == breach.clause && other.who == breach.who)
        })
    })
}

/// The coordinator's row; the latest token is 1.
pub fn baton_row(baton: Baton) -> CoordinatorRow {
    CoordinatorRow {
        token: 1,
        holder: match baton {
            Baton::Free => String::new(),
            Baton::Held | Baton::Expired => "somebody".into(),
        },
        doing: String::new(),
        expires_at: i64::from(baton == Baton::Held),
        now: 0,
    }
}
