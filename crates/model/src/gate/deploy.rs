//! Whether instances of a version may start now.

use super::blocker::{Blocker, Verdict};
use super::brought;
use super::evidence::{self, Gaps};
use super::flaw::against_start;
use super::next::{Guide, Objection};
use super::reason::{Conflict, FillWork, Incompatible, Leaves, Need, Reason, Rows, WaitsForFill};
use super::touch::{Readings, Touch};
use super::{Action, Answer, Evidence, without_consequences};
use crate::model::{
    Breach, Clause, Declaration, Format, Formats, Freshness, Live, MigrationState, Phase, RowKind,
    Step, Sync,
};

pub(super) fn decide(candidates: &[Live], evidence: &Evidence) -> Answer {
    let live = evidence.snapshot.live();
    let mut blockers: Vec<Blocker> = Vec::new();
    let mut notes = Vec::new();
    let declarations = evidence.schema.migrations().iter();
    let gaps = Gaps::find(evidence, declarations.map(|state| &state.declaration));
    let guide = Guide::new(evidence);
    let action = Action::Deploy(candidates.to_vec());
    for state in evidence.schema.migrations() {
        let question = Question {
            state,
            live: &live,
            candidates,
            evidence,
        };
        // Who does not touch a migration changes nothing about it.
        if !question.is_concerned() {
            continue;
        }
        blockers.extend(guide.advise(&action, question.objections()));
        let out_of_step = question.out_of_step().into_iter();
        blockers.extend(out_of_step.map(|reason| Blocker::from(reason).of_migration(state.id())));
        blockers.extend(against_start(candidates, state, &evidence.flaws));
        let missing = gaps.that_matter(&state.declaration, |unseen| question.is_changed_by(unseen));
        for blocker in missing {
            // What is missing in the evidence is said once, not once for each migration.
            let is_said = blockers
                .iter()
                .any(|other| other.verdict() == Verdict::Unknown && other.reason == blocker.reason);
            if !is_said {
                blockers.push(blocker.of_migration(state.id()));
            }
        }
        notes.extend(question.note());
    }
    let is_kept_out = |who: &&Live| {
        blockers.iter().any(|blocker| {
            blocker.verdict() != Verdict::Unknown
                && blocker.migration.as_ref().is_some_and(|id| {
                    let state = evidence.schema.get(id);
                    state.is_some_and(|state| state.declaration.services.contains_key(&who.service))
                })
        })
    };
    let mut kept_out: Vec<&str> = candidates
        .iter()
        .filter(is_kept_out)
        .map(|who| who.service.as_str())
        .collect();
    kept_out.dedup();
    notes.extend(kept_out.into_iter().map(|service| guide.startable(service)));
    // Not by what lives: so nothing of it is about which versions may start.
    blockers.extend(too_old(candidates, evidence));
    Answer { blockers, notes }
}

/// What came along with the code of who is to start contradicts its version.
fn too_old(candidates: &[Live], evidence: &Evidence) -> Option<Blocker> {
    let newest = evidence.facts.brought.as_ref()?;
    let (who, state) = brought::written_with(candidates, &evidence.schema, newest)?;
    let reason = Reason::TooOld {
        who: who.clone(),
        touch: Touch::of(&state.declaration, who, Format::New),
        migration: state.id().clone(),
        newest: newest.clone(),
    };
    Some(Blocker::from(reason).of_migration(state.id()))
}

/// Whether the candidates may start, as far as one migration goes.
pub(super) struct Question<'a> {
    pub state: &'a MigrationState,
    pub live: &'a [Live],
    pub candidates: &'a [Live],
    pub evidence: &'a Evidence,
}

impl Question<'_> {
    /// What the rule says, whatever is missing in the evidence.
    pub fn objections(&self) -> Vec<Objection> {
        let mut objections: Vec<Objection> = Vec::new();
        for breach in self.breaches() {
            for mut objection in self.explain(&breach) {
                let is_known = objections.iter().any(|Objection { reason: other, .. }| {
                    // One version in the way is said once, however many row kinds it spoils.
                    other.is_about_the_same(&objection.reason) || *other == objection.reason
                });
                if !is_known {
                    objection.migration = Some(self.state.id().clone());
                    objections.push(objection);
                }
            }
        }
        objections
    }

    /// What `sync` promises is not kept, and without it the candidates could not run beside what is live, or read what
    /// versions that are gone may have written since it is not: nobody knows since when.
    pub fn out_of_step(&self) -> Vec<Reason> {
        if self.evidence.facts.out_of_step.is_empty() {
            return Vec::new();
        }
        let mut alone = self.state.clone();
        alone.declaration.sync = Sync::None;
        let declaration = &alone.declaration;
        let writes = declaration.services.keys().flat_map(|service| {
            Declaration::representatives(service, [declaration])
                .into_iter()
                .flat_map(move |version| declaration.behaviours(service, &version))
                .map(|behaviour| behaviour.writes)
        });
        let past_it: Vec<Formats> = writes.filter(|writes| writes.old && !writes.new).collect();
        alone.kinds = alone.kinds.closure(past_it, declaration.rows);
        let bare = alone.breaches_of_admitting(self.candidates, self.live);
        if bare.len() <= self.breaches_beside(self.live).len() {
            return Vec::new();
        }
        super::claims::out_of_step(self.state, &self.evidence.facts)
    }

    fn breaches(&self) -> Vec<Breach> {
        without_consequences(self.breaches_beside(self.live))
    }

    fn breaches_beside(&self, live: &[Live]) -> Vec<Breach> {
        self.state.breaches_of_admitting(self.candidates, live)
    }

    fn is_concerned(&self) -> bool {
        let services = &self.state.declaration.services;
        self.candidates
            .iter()
            .any(|candidate| services.contains_key(&candidate.service))
    }

    fn is_changed_by(&self, unseen: &[Live]) -> bool {
        evidence::may_be_live(self.state, self.live, unseen).is_some_and(|more| {
            self.breaches_beside(&more).len() > self.breaches_beside(self.live).len()
        })
    }

    fn note(&self) -> Option<String> {
        // By the candidates alone: what runs already may have undone the backfill before they came.
        let after = self.state.admitting(self.candidates);
        (after.phase == Phase::Expanded && self.state.phase != Phase::Expanded).then(|| {
            format!(
                "{}: it writes only the old format, so the backfill has to run again after it",
                self.state.id()
            )
        })
    }

    fn explain(&self, breach: &Breach) -> Vec<Objection> {
        match (breach.clause, &breach.who) {
            (Clause::NewIsThere, Some(who)) => vec![self.new_is_missing(who)],
            (Clause::OldIsThere, Some(who)) => vec![self.old_is_gone(who)],
            (Clause::Readable(kind), Some(who)) => self.unreadable(kind, who, &breach.writers),
            (_, _) => breach
                .writers
                .iter()
                .filter(|who| self.candidates.contains(who))
                .map(|who| self.undone_by_the_backfill(who))
                .collect(),
        }
    }

    fn new_is_missing(&self, who: &Live) -> Objection {
        let state = self.state;
        let id = state.id();
        let is_going = state.phase == Phase::Reverting;
        let facts = &self.evidence.facts;
        let taken_by = facts.taken_by(Step::Expand, id).filter(|_| !is_going);
        let reason = Reason::ExpandFirst {
            migration: id.clone(),
            phase: state.phase,
            needed_by: Some(Need {
                who: who.clone(),
                touch: Touch::of(&state.declaration, who, Format::New),
                readings: self.readings(who),
            }),
            taken_by: taken_by.map(ToOwned::to_owned),
        };
        if is_going {
            reason.into()
        } else {
            Objection::take_or_wait(reason, Step::Expand, id)
        }
    }

    fn readings(&self, who: &Live) -> Readings {
        Readings::of(&self.state.declaration, who)
    }

    fn old_is_gone(&self, who: &Live) -> Objection {
        let reason = Reason::OldFormatGone {
            who: who.clone(),
            touch: Touch::of(&self.state.declaration, who, Format::Old),
            migration: self.state.id().clone(),
            phase: self.state.phase,
            readings: self.readings(who),
        };
        reason.into()
    }

    fn unreadable(&self, kind: RowKind, who: &Live, writers: &[Live]) -> Vec<Objection> {
        let (id, declaration) = (self.state.id(), &self.state.declaration);
        let is_candidate = |other: &Live| self.candidates.contains(other);
        let rows = Rows {
            kind,
            sync: declaration.sync,
        };
        let readings = self.readings(who);
        if writers.is_empty() {
            let reason = Reason::UnreadableRows {
                who: who.clone(),
                migration: id.clone(),
                rows,
                readings,
            };
            let is_for_the_backfill = declaration.parts.backfill && kind.new != Freshness::Fresh;
            return vec![if is_for_the_backfill {
                Objection::take(reason, Step::Backfill, id)
            } else {
                reason.into()
            }];
        }
        let leaves = |writer: &Live| Leaves {
            writer: writer.clone(),
            reader: who.clone(),
            migration: id.clone(),
            rows,
            readings,
        };
        let gone = |live: &Live, writer: &Live| {
            let conflict = Conflict::Leaves(leaves(writer));
            Objection::gone(live, (id, None), conflict, self.evidence)
        };
        if !is_candidate(who) {
            // Of the two the one that runs is in the way.
            let writer = writers.iter().find(|writer| is_candidate(writer));
            return vec![gone(who, writer.unwrap_or(&writers[0]))];
        }
        let running: Vec<&Live> = writers.iter().filter(|w| !is_candidate(w)).collect();
        if !running.is_empty() {
            return running
                .into_iter()
                .map(|writer| gone(writer, writer))
                .collect();
        }
        let others: Vec<&Live> = writers.iter().filter(|writer| *writer != who).collect();
        if others.is_empty() {
            let itself = Incompatible::WithItself {
                who: who.clone(),
                migration: id.clone(),
                rows,
                readings,
            };
            return vec![Reason::Incompatible(itself).into()];
        }
        let each = others.into_iter().map(|writer| {
            let another = Incompatible::WithAnother(leaves(writer));
            Reason::Incompatible(another).into()
        });
        each.collect()
    }

    fn undone_by_the_backfill(&self, who: &Live) -> Objection {
        let id = self.state.id();
        let reason = |fill| Reason::BackfillFirst {
            migration: id.clone(),
            waiting: WaitsForFill::Start(who.clone()),
            fill,
        };
        let facts = &self.evidence.facts;
        if let Some(holder) = facts.taken_by(Step::Backfill, id) {
            let by = holder.to_owned();
            return reason(FillWork::Running { by }).into();
        }
        if facts.is_paused(Step::Backfill, id) {
            return Objection::resume(reason(FillWork::Paused), id, self.evidence);
        }
        let idle = FillWork::Idle {
            phase: self.state.phase,
            held_up_by: Vec::new(),
        };
        Objection::take(reason(idle), Step::Backfill, id)
    }
}
