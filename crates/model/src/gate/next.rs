//! What to do next. No step and no version is named before the gate itself was asked about it, with the
//! same evidence: advice that ends at another refusal leads in a circle.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use super::claims::unrecorded_fill;
use super::horizon::{Stretch, horizon};
use super::leftover::leftover;
use super::presence::passing;
use super::{Action, Blocker, BlockerKind, Evidence, Verdict, phase};
use crate::model::{
    Breach, Declaration, Live, MigrationId, MigrationState, Rows, Step, Sync, Version, beside,
};

/// A blocker, and what would have to happen for it to go.
pub(super) struct Reason {
    pub blocker: Blocker,
    pub next: Next,
}

/// What would have to happen.
pub(super) enum Next {
    /// This step comes first.
    Take(Step, MigrationId),
    /// This live version has to be gone first, or this step of the migration is not possible; the action
    /// that was asked about, where it is none.
    Gone(Live, MigrationId, Option<Step>),
    /// What the blocker's own help says.
    Said,
}

impl Reason {
    /// A blocker whose help says all there is to say.
    pub fn said(blocker: Blocker) -> Self {
        Self {
            blocker,
            next: Next::Said,
        }
    }

    /// A step that comes first: hold where somebody is taking it.
    pub fn take_or_wait(
        kind: BlockerKind,
        message: String,
        (step, id): (Step, &MigrationId),
        evidence: &Evidence,
    ) -> Self {
        match evidence.facts.taken_by(step, id) {
            Some(who) => Self::said(Blocker::new(
                kind,
                Verdict::Hold,
                format!("{message} ({who})"),
                format!("wait until the {} of {id} is done", step.name()),
            )),
            None => Self::take(Blocker::new(kind, Verdict::Refuse, message, ""), step, id),
        }
    }

    pub fn take(blocker: Blocker, step: Step, id: &MigrationId) -> Self {
        Self {
            blocker,
            next: Next::Take(step, id.clone()),
        }
    }

    /// A live version in the way: hold where it goes by itself.
    pub fn gone(
        who: &Live,
        (id, step): (&MigrationId, Option<Step>),
        message: String,
        evidence: &Evidence,
    ) -> Self {
        let verdict = passing(who, evidence);
        let blocker = Blocker::new(BlockerKind::LiveVersion, verdict, message, "");
        Self {
            blocker: blocker.seen(who, &evidence.snapshot),
            next: Next::Gone(who.clone(), id.clone(), step),
        }
    }
}

/// How deep a step that comes first is looked into.
const DEEPEST: u8 = 3;

/// Puts what to do next into words.
pub(super) struct Guide<'a> {
    evidence: &'a Evidence,
    /// What may start now, of each service that was asked about.
    free: RefCell<BTreeMap<String, Rc<Vec<Stretch>>>>,
}

impl<'a> Guide<'a> {
    pub fn new(evidence: &'a Evidence) -> Self {
        Self {
            evidence,
            free: RefCell::default(),
        }
    }

    /// The blockers of `action`, each with its help.
    pub fn advise(&self, action: &Action, reasons: Vec<Reason>) -> Vec<Blocker> {
        let advised = reasons.into_iter().map(|reason| {
            let help = self.help(action, &reason, 0);
            Blocker {
                help,
                ..reason.blocker
            }
        });
        advised.collect()
    }

    /// Which versions of a service may start now, in words.
    pub fn startable(&self, service: &str) -> String {
        let free = self.free(service);
        if free.is_empty() {
            return format!("no version of {service} may start now");
        }
        let ranges: Vec<(Version, Option<Version>)> = free
            .iter()
            .map(|stretch| (stretch.from.clone(), stretch.before.clone()))
            .collect();
        format!(
            "versions of {service} that may start now: {}",
            words(&ranges)
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

    fn help(&self, action: &Action, reason: &Reason, depth: u8) -> String {
        match &reason.next {
            Next::Said => reason.blocker.help.clone(),
            Next::Take(step, id) => self.take(*step, id, depth),
            Next::Gone(who, id, step) => {
                let step = step.map(|step| step_of(step, id));
                let help = self.gone(step.as_ref().unwrap_or(action), who, id);
                let left = leftover(who, &self.evidence.snapshot);
                format!("{help}{left}{}", self.shared_names(who))
            }
        }
    }

    /// Which of the instances of `who` are easily overlooked.
    fn shared_names(&self, who: &Live) -> String {
        let twins = self.evidence.snapshot.twins_of(who);
        let each = twins.take(3).map(|twins| {
            format!(
                "; {}: the one at {} is not gone, so stop it by hand where it runs, and give each process a name of its own (`--instance`)",
                twins.describe(),
                who.version
            )
        });
        each.collect()
    }

    fn take(&self, step: Step, id: &MigrationId, depth: u8) -> String {
        let command = match step {
            Step::Expand => format!("migrate expand --up-to {id}"),
            _ => format!("migrate {} {id}", step.name()),
        };
        let reasons = self.against(step, id);
        let Some(first) = reasons.iter().max_by_key(|reason| reason.blocker.verdict) else {
            let facts = &self.evidence.facts;
            if facts.is_paused(step, id) {
                return phase::resume(id, facts);
            }
            let also = self.evidence.schema.get(id).map_or("", |state| {
                unrecorded_fill(step, state, &self.evidence.snapshot.live())
            });
            return format!("run `{command}` first{also}");
        };
        let why = &first.blocker.message;
        if first.blocker.verdict == Verdict::Hold {
            return format!("run `{command}` first, once this has passed: {why}");
        }
        let mut text = format!("`{command}` has to come first, and is refused itself: {why}");
        if depth < DEEPEST {
            let help = self.help(&step_of(step, id), first, depth + 1);
            let end = if text.ends_with(['?', '.']) { "" } else { "." };
            text.push_str(&format!("{end} For that: {help}"));
        }
        text
    }

    /// What the gate says against a step, or against one of those before it that its command takes too.
    fn against(&self, step: Step, id: &MigrationId) -> Vec<Reason> {
        if step != Step::Expand {
            return phase::reasons(step, id, self.evidence);
        }
        let waiting = self.evidence.schema.migrations().iter();
        let waiting = waiting.filter(|state| state.id() <= id && !state.expand_is_done());
        let mut reasons: Vec<Reason> = waiting
            .flat_map(|state| phase::reasons(step, state.id(), self.evidence))
            .collect();
        // The command takes them in their order.
        reasons.retain(|reason| reason.blocker.kind != BlockerKind::Order);
        reasons
    }

    fn gone(&self, action: &Action, who: &Live, id: &MigrationId) -> String {
        const WHERE: &str = "(`migrate fleet` shows where it runs)";
        if passing(who, self.evidence) == Verdict::Hold {
            return format!("it is on its way out: wait until its last instance is gone {WHERE}");
        }
        let Some(state) = self.evidence.schema.get(id) else {
            return format!("replace {who}, and wait until its last instance is gone {WHERE}");
        };
        let successors = self.successors(action, who, state);
        if successors.is_empty() {
            let none = format!(
                "no version of {} that may start now could take the place of {who}",
                who.service
            );
            // Going back needs no release: there is nothing to be gained by a new one.
            if matches!(action, Action::Step { step, .. } if *step == Step::Revert) {
                return format!("{none}: with downtime, stop it down to its last instance {WHERE}");
            }
            return format!(
                "{none}. To go on without downtime {others}; `migrate plan --to {service}=VERSION` shows what would open a way",
                service = who.service,
                others = other_ways(&state.declaration),
            );
        }
        format!(
            "replace {who} by a version in the range {}, which may start now, and wait until its last instance is gone {WHERE}",
            words(&successors)
        )
    }

    /// The versions that may start now and after whose rollout `who` is not in the way any more, nor are they.
    fn successors(
        &self,
        action: &Action,
        who: &Live,
        state: &MigrationState,
    ) -> Vec<(Version, Option<Version>)> {
        let declaration = &state.declaration;
        let all = Declaration::representatives(&who.service, [declaration]);
        let live = self.evidence.snapshot.live();
        let before = breaches(action, state, &live);
        let mut found: Vec<(Version, Option<Version>)> = Vec::new();
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
                    Some((_, last)) if last.as_ref() == Some(from) => *last = before.cloned(),
                    _ => found.push((from.clone(), before.cloned())),
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

/// What a declaration can be changed to, or a release can do, where nothing that may start helps.
fn other_ways(declaration: &Declaration) -> String {
    let mut ways = Vec::new();
    match declaration.sync {
        Sync::ToNew => {
            ways.push(
                "put a release in between that reads the new format and does not write it yet",
            );
        }
        Sync::ToOld => {
            ways.push(
                "put a release in between that writes the new format and still reads the old one",
            );
        }
        Sync::None | Sync::Both => {
            ways.push("put a release in between that reads old and writes both formats");
        }
    }
    if declaration.sync == Sync::None {
        ways.push("install a `sync` in expand.sql");
        if declaration.rows == Rows::Mutable {
            ways.push("declare `rows = \"append-only\"` if rows are never updated");
        }
    }
    ways.join(", or ")
}

/// `>=1.1.0, <1.2.0`, several of them joined by ` || `, as `migration.toml` has them.
fn words(ranges: &[(Version, Option<Version>)]) -> String {
    let first = Version::new(0, 0, 0);
    let each = ranges.iter().map(|(from, before)| match before {
        None if *from <= first => "*".to_owned(),
        None => format!(">={from}"),
        Some(before) if *from <= first => format!("<{before}"),
        Some(before) => format!(">={from}, <{before}"),
    });
    each.collect::<Vec<_>>().join(" || ")
}
