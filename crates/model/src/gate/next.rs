//! What to do next. No step and no version is named before the gate itself was asked about it, with the
//! same evidence: advice that ends at another refusal leads in a circle.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use super::advice::{Advice, Departure, Span, Unrecorded, Way, Worker};
use super::blocker::{BlockerKind, Seen};
use super::claims::unrecorded_fill;
use super::horizon::{Stretch, horizon};
use super::leftover::leftovers;
use super::presence::stay;
use super::reason::{Conflict, Reason, Stay};
use super::words::spans;
use super::{Action, Blocker, Evidence, Verdict, phase};
use crate::model::{
    Behaviour, Breach, Declaration, Live, MigrationId, MigrationState, Step, Version, beside,
};

/// A reason, and what would have to happen for it to go. Advice is only made of those that are shown.
pub(super) struct Objection {
    pub reason: Reason,
    pub migration: Option<MigrationId>,
    pub seen: Seen,
    pub remedy: Remedy,
}

/// What would have to happen.
pub(super) enum Remedy {
    /// This step comes first.
    Take(Step, MigrationId),
    /// This live version has to be gone first, or this step of the migration is not possible; the action
    /// that was asked about, if it is `None`.
    Gone(Live, MigrationId, Option<Step>),
    /// What the advice says, whatever else is known.
    Known(Advice),
}

impl From<Blocker> for Objection {
    fn from(blocker: Blocker) -> Self {
        Self {
            reason: blocker.reason,
            migration: blocker.migration,
            seen: blocker.seen,
            remedy: Remedy::Known(blocker.advice),
        }
    }
}

/// A reason whose own words say all there is to do.
impl From<Reason> for Objection {
    fn from(reason: Reason) -> Self {
        Blocker::from(reason).into()
    }
}

impl Objection {
    pub fn take(reason: Reason, step: Step, id: &MigrationId) -> Self {
        Self {
            remedy: Remedy::Take(step, id.clone()),
            ..Self::from(reason)
        }
    }

    /// A step that comes first, or is waited for: its reason says that somebody is taking it.
    pub fn take_or_wait(reason: Reason, step: Step, id: &MigrationId) -> Self {
        if reason.verdict() == Verdict::Hold {
            Self::from(reason)
        } else {
            Self::take(reason, step, id)
        }
    }

    /// A backfill that somebody has paused.
    pub fn resume(reason: Reason, id: &MigrationId, evidence: &Evidence) -> Self {
        Self {
            remedy: Remedy::Known(resume(id, evidence)),
            ..Self::from(reason)
        }
    }

    /// A live version in the way: hold where it goes by itself.
    pub fn gone(
        who: &Live,
        (id, step): (&MigrationId, Option<Step>),
        conflict: Conflict,
        evidence: &Evidence,
    ) -> Self {
        let reason = Reason::LiveVersion {
            who: who.clone(),
            conflict,
            stay: stay(who, evidence),
        };
        Self {
            seen: Seen::of(who, &evidence.snapshot),
            remedy: Remedy::Gone(who.clone(), id.clone(), step),
            ..Self::from(reason)
        }
    }
}

fn resume(id: &MigrationId, evidence: &Evidence) -> Advice {
    let at_work = evidence.facts.at_work.as_ref();
    let has_worker = at_work.is_some_and(|at_work| at_work.is_at(Step::Backfill, id));
    Advice::Resume {
        migration: id.clone(),
        worker: if has_worker {
            Worker::Waits
        } else {
            Worker::Nobody
        },
    }
}

/// How deep a step that comes first is looked into.
const DEEPEST: u8 = 3;

/// Finds what to do next.
pub(super) struct Guide<'a> {
    evidence: &'a Evidence,
    /// What may start now, of each service that was asked about.
    free: RefCell<BTreeMap<String, Rc<Vec<Stretch>>>>,
    /// What was found about a step that comes first, at a depth.
    taken: RefCell<Vec<(Asked, Advice)>>,
    /// The successors that were found for versions that behave alike.
    succeeded: RefCell<Vec<(Predecessor, Vec<Span>)>>,
}

/// A step, of which migration, and how deep.
type Asked = (Step, MigrationId, u8);

/// All that successors depend on. A fleet may have a thousand versions in the way, and they behave in few ways.
#[derive(PartialEq)]
struct Predecessor {
    action: Action,
    migration: MigrationId,
    service: String,
    behaviours: Vec<Behaviour>,
}

impl<'a> Guide<'a> {
    pub fn new(evidence: &'a Evidence) -> Self {
        Self {
            evidence,
            free: RefCell::default(),
            taken: RefCell::default(),
            succeeded: RefCell::default(),
        }
    }

    /// The blockers of `action`, each with its advice.
    pub fn advise(&self, action: &Action, objections: Vec<Objection>) -> Vec<Blocker> {
        let advised = objections.into_iter().map(|objection| Blocker {
            advice: self.advice(action, &objection.remedy, 0),
            reason: objection.reason,
            migration: objection.migration,
            seen: objection.seen,
        });
        advised.collect()
    }

    /// Which versions of a service may start now, in words.
    pub fn startable(&self, service: &str) -> String {
        let free = self.free(service);
        if free.is_empty() {
            return format!("no version of {service} may start now");
        }
        let ranges: Vec<Span> = free
            .iter()
            .map(|stretch| Span {
                from: stretch.from.clone(),
                before: stretch.before.clone(),
            })
            .collect();
        format!(
            "versions of {service} that may start now: {}",
            spans(&ranges)
        )
    }

    fn free(&self, service: &str) -> Rc<Vec<Stretch>> {
        if let Some(known) = self.free.borrow().get(service) {
            return Rc::clone(known);
        }
        let mut stretches = horizon(service, self.evidence).stretches;
        stretches.retain(|stretch| stretch.reasons.is_empty());
        let free = Rc::new(stretches);
        self.free
            .borrow_mut()
            .insert(service.to_owned(), Rc::clone(&free));
        free
    }

    fn advice(&self, action: &Action, remedy: &Remedy, depth: u8) -> Advice {
        match remedy {
            Remedy::Known(advice) => advice.clone(),
            Remedy::Take(step, id) => self.take(*step, id, depth),
            Remedy::Gone(who, id, step) => {
                let step = step.map(|step| step_of(step, id));
                let snapshot = &self.evidence.snapshot;
                Advice::SeeOff(Box::new(Departure {
                    who: who.clone(),
                    way: self.way(step.as_ref().unwrap_or(action), who, id),
                    leftovers: leftovers(who, snapshot),
                    twins: snapshot.twins_of(who).take(3).cloned().collect(),
                }))
            }
        }
    }

    fn take(&self, step: Step, id: &MigrationId, depth: u8) -> Advice {
        let asked = (step, id.clone(), depth);
        let known = |(other, _): &&(Asked, Advice)| *other == asked;
        if let Some((_, advice)) = self.taken.borrow().iter().find(known) {
            return advice.clone();
        }
        let advice = self.take_anew(step, id, depth);
        self.taken.borrow_mut().push((asked, advice.clone()));
        advice
    }

    fn take_anew(&self, step: Step, id: &MigrationId, depth: u8) -> Advice {
        let migration = id.clone();
        let objections = self.against(step, id);
        let rank = |objection: &Objection| {
            // What everything else rests on comes first.
            let is_root = objection.reason.kind() == BlockerKind::OutOfStep;
            (objection.reason.verdict(), is_root)
        };
        let heaviest = objections.into_iter().max_by_key(rank);
        let Some(heaviest) = heaviest else {
            if self.evidence.facts.is_paused(step, id) {
                return resume(id, self.evidence);
            }
            let state = self.evidence.schema.get(id);
            let unrecorded = state.map_or(Unrecorded::Nothing, |state| {
                unrecorded_fill(step, state, &self.evidence.snapshot.live())
            });
            return Advice::Take {
                step,
                migration,
                unrecorded,
            };
        };
        if heaviest.reason.verdict() == Verdict::Hold {
            return Advice::TakeOnce {
                step,
                migration,
                passing: Box::new(heaviest.reason),
            };
        }
        let first =
            (depth < DEEPEST).then(|| self.advice(&step_of(step, id), &heaviest.remedy, depth + 1));
        Advice::TakeAfter {
            step,
            migration,
            refused: Box::new(heaviest.reason),
            first: first.map(Box::new),
        }
    }

    /// What the gate says against a step, or against one of those before it that its command takes too.
    fn against(&self, step: Step, id: &MigrationId) -> Vec<Objection> {
        if step != Step::Expand {
            return phase::objections(step, id, self.evidence);
        }
        let waiting = self.evidence.schema.migrations().iter();
        let waiting = waiting.filter(|state| state.id() <= id && !state.expand_is_done());
        let mut objections: Vec<Objection> = waiting
            .flat_map(|state| phase::objections(step, state.id(), self.evidence))
            .collect();
        // The command takes them in their order.
        objections.retain(|objection| objection.reason.kind() != BlockerKind::Order);
        objections
    }

    fn way(&self, action: &Action, who: &Live, id: &MigrationId) -> Way {
        if stay(who, self.evidence) == Stay::Leaving {
            return Way::Leaves;
        }
        let Some(state) = self.evidence.schema.get(id) else {
            return Way::Replace;
        };
        let successors = self.successors(action, who, state);
        if !successors.is_empty() {
            return Way::ReplaceBy(successors);
        }
        // Going back needs no release: there is nothing to be gained by a new one.
        if matches!(action, Action::Step { step, .. } if *step == Step::Revert) {
            return Way::Stop;
        }
        Way::NoSuccessor {
            sync: state.declaration.sync,
            rows: state.declaration.rows,
        }
    }

    /// The versions that may start now and after whose rollout `who` is not in the way any more, nor are they.
    fn successors(&self, action: &Action, who: &Live, state: &MigrationState) -> Vec<Span> {
        let declaration = &state.declaration;
        let all = Declaration::representatives(&who.service, [declaration]);
        let predecessor = Predecessor {
            action: action.clone(),
            migration: state.id().clone(),
            service: who.service.clone(),
            behaviours: declaration.behaviours(&who.service, &who.version),
        };
        // One that is asked about itself as a successor is like no other.
        let is_its_own = all.contains(&who.version);
        if !is_its_own {
            let known = |(other, _): &&(Predecessor, _)| *other == predecessor;
            if let Some((_, spans)) = self.succeeded.borrow().iter().find(known) {
                return spans.clone();
            }
        }
        let found = self.successors_anew(action, who, state, &all);
        if !is_its_own {
            let mut succeeded = self.succeeded.borrow_mut();
            succeeded.push((predecessor, found.clone()));
        }
        found
    }

    fn successors_anew(
        &self,
        action: &Action,
        who: &Live,
        state: &MigrationState,
        all: &[Version],
    ) -> Vec<Span> {
        let live = self.evidence.snapshot.live();
        let before = breaches(action, state, &live);
        let mut found: Vec<Span> = Vec::new();
        for (index, version) in all.iter().enumerate() {
            let successor = Live {
                service: who.service.clone(),
                version: version.clone(),
            };
            let together = beside(&live, std::slice::from_ref(&successor));
            let mut later = together.clone();
            later.retain(|other| other != who);
            let after = breaches(action, &state.admitting(&together), &later);
            let is_better = |breach: &Breach| {
                let mut known = before.iter();
                let mut involved = breach.who.iter().chain(&breach.writers);
                known.any(|other| other.clause == breach.clause && other.who == breach.who)
                    && involved.all(|other| *other != successor)
            };
            if successor == *who || after.len() >= before.len() || !after.iter().all(is_better) {
                continue;
            }
            let end = all.get(index + 1);
            for stretch in self.free(&who.service).iter() {
                let from = version.max(&stretch.from);
                let before = match (end, &stretch.before) {
                    (Some(a), Some(b)) => Some(a.min(b)),
                    (a, b) => a.or(b.as_ref()),
                };
                if before.is_some_and(|before| before <= from) {
                    continue;
                }
                match found.last_mut() {
                    Some(last) if last.before.as_ref() == Some(from) => {
                        last.before = before.cloned();
                    }
                    _ => found.push(Span {
                        from: from.clone(),
                        before: before.cloned(),
                    }),
                }
            }
        }
        found
    }
}

fn step_of(step: Step, id: &MigrationId) -> Action {
    Action::Step {
        step,
        migration: id.clone(),
    }
}

fn breaches(action: &Action, state: &MigrationState, live: &[Live]) -> Vec<Breach> {
    match action {
        Action::Step { step, .. } => state.breaches_of(*step, live),
        Action::Deploy(candidates) => state.breaches_of_admitting(candidates, live),
    }
}
