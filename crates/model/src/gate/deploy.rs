//! Whether instances of a version may start now.

use super::blocker::{Blocker, BlockerKind, Verdict};
use super::evidence::{self, Gaps};
use super::next::{Guide, Reason};
use super::phase::resume;
use super::words::{ambiguity, kind_words, touch_words};
use super::{Action, Evidence, first_causes};
use crate::model::{
    Breach, Clause, Declaration, Format, Formats, Freshness, Live, MigrationState, Phase, RowKind,
    Step, Sync,
};

pub(super) fn decide(candidates: &[Live], evidence: &Evidence) -> (Vec<Blocker>, Vec<String>) {
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
        blockers.extend(guide.advise(&action, question.reasons()));
        blockers.extend(question.out_of_step());
        let missing = gaps.that_matter(&state.declaration, |unseen| question.is_changed_by(unseen));
        for blocker in missing {
            // What is missing in the evidence is said once, not once for each migration.
            let is_said = blockers
                .iter()
                .any(|other| other.verdict == Verdict::Unknown && other.message == blocker.message);
            if !is_said {
                blockers.push(blocker.of_migration(state.id()));
            }
        }
        notes.extend(question.note());
    }
    let is_kept_out = |who: &&Live| {
        blockers.iter().any(|blocker| {
            blocker.verdict != Verdict::Unknown
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
    (blockers, notes)
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
    pub fn reasons(&self) -> Vec<Reason> {
        let mut reasons: Vec<Reason> = Vec::new();
        for breach in self.breaches() {
            for mut reason in self.explain(&breach) {
                let blocker = &mut reason.blocker;
                let known = reasons.iter().any(|Reason { blocker: other, .. }| {
                    // One version in the way is said once, however many row kinds it spoils.
                    let same_subject = (other.kind, &other.service, &other.version)
                        == (blocker.kind, &blocker.service, &blocker.version);
                    same_subject || other.message == blocker.message
                });
                if !known {
                    blocker.migration = Some(self.state.id().clone());
                    reasons.push(reason);
                }
            }
        }
        reasons
    }

    /// What `sync` promises is not kept, and without it the candidates could not run beside what is live, or read what
    /// versions that are gone may have written since it is not: nobody knows since when.
    fn out_of_step(&self) -> Vec<Blocker> {
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
        first_causes(self.breaches_beside(self.live))
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

    fn explain(&self, breach: &Breach) -> Vec<Reason> {
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

    fn new_is_missing(&self, who: &Live) -> Reason {
        let state = self.state;
        let id = state.id();
        let is = match state.phase {
            Phase::Reverting => "being reverted",
            Phase::Expanding => "still being expanded",
            _ => "not expanded yet",
        };
        let does = touch_words(&state.declaration, who, Format::New);
        let ambiguity = ambiguity(&state.declaration, who);
        let message = format!("{who} {does} the new format of {id}, which is {is}{ambiguity}");
        let help = format!("finish `migrate revert {id}`, then expand it again");
        let kind = BlockerKind::ExpandFirst;
        let mut reason = match state.phase {
            Phase::Reverting => Reason::said(Blocker::new(kind, Verdict::Refuse, message, help)),
            _ => Reason::take_or_wait(kind, message, (Step::Expand, id), self.evidence),
        };
        reason.blocker = reason.blocker.about(who);
        reason
    }

    fn old_is_gone(&self, who: &Live) -> Reason {
        let state = self.state;
        let gone = if state.phase == Phase::Contracted {
            "has been removed"
        } else {
            "is being removed"
        };
        let message = format!(
            "{who} {} the old format of {}, which {gone}{}",
            touch_words(&state.declaration, who, Format::Old),
            state.id(),
            ambiguity(&state.declaration, who)
        );
        let help = "start a version that does not use it; `migrate status` shows which may start";
        Reason::said(
            Blocker::new(BlockerKind::OldFormatGone, Verdict::Refuse, message, help).about(who),
        )
    }

    fn unreadable(&self, kind: RowKind, who: &Live, writers: &[Live]) -> Vec<Reason> {
        let state = self.state;
        let (id, declaration) = (state.id(), &state.declaration);
        let is_candidate = |other: &Live| self.candidates.contains(other);
        let rows = kind_words(declaration, kind);
        let ambiguity = ambiguity(declaration, who);
        if writers.is_empty() {
            let message =
                format!("{who} cannot read rows that may exist in {id} ({rows}){ambiguity}");
            let help =
                "deploy a version that can read them; `migrate status` shows which may start";
            let blocker = Blocker::new(BlockerKind::UnreadableRows, Verdict::Refuse, message, help)
                .about(who);
            let is_for_the_backfill = declaration.parts.backfill && kind.new != Freshness::Fresh;
            return vec![if is_for_the_backfill {
                Reason::take(blocker, Step::Backfill, id)
            } else {
                Reason::said(blocker)
            }];
        }
        let leaves = |writer: &Live| {
            format!("{writer} leaves rows in {id} that {who} cannot read ({rows}){ambiguity}")
        };
        let gone = |live: &Live, message| Reason::gone(live, (id, None), message, self.evidence);
        if !is_candidate(who) {
            // Of the two the one that runs is in the way.
            let writer = writers.iter().find(|writer| is_candidate(writer));
            return vec![gone(who, leaves(writer.unwrap_or(&writers[0])))];
        }
        let running: Vec<&Live> = writers.iter().filter(|w| !is_candidate(w)).collect();
        if !running.is_empty() {
            return running
                .into_iter()
                .map(|writer| gone(writer, leaves(writer)))
                .collect();
        }
        let incompatible = |message, help| {
            Reason::said(
                Blocker::new(BlockerKind::Incompatible, Verdict::Refuse, message, help).about(who),
            )
        };
        let others: Vec<&Live> = writers.iter().filter(|writer| *writer != who).collect();
        if others.is_empty() {
            let message = format!(
                "{who} cannot read the rows that it writes itself in {id} ({rows}){ambiguity}"
            );
            let help = "correct the ranges in migration.toml, or declare the sync that there is";
            return vec![incompatible(message, help)];
        }
        let help = "deploy one after the other, or a release in between that works with both";
        others
            .into_iter()
            .map(|writer| incompatible(leaves(writer), help))
            .collect()
    }

    fn undone_by_the_backfill(&self, who: &Live) -> Reason {
        let id = self.state.id();
        let what =
            format!("the backfill of {id} is under way and would overwrite what {who} writes");
        let of = |verdict, message: String, help: String| {
            Blocker::new(BlockerKind::BackfillFirst, verdict, message, help).about(who)
        };
        let facts = &self.evidence.facts;
        if let Some(holder) = facts.taken_by(Step::Backfill, id) {
            let help = "wait until the backfill is finished".to_owned();
            let message = format!("{what} ({holder})");
            return Reason::said(of(Verdict::Hold, message, help));
        }
        if facts.is_paused(Step::Backfill, id) {
            let message = format!("{what}, and is paused");
            return Reason::said(of(Verdict::Refuse, message, resume(id, facts)));
        }
        let message = format!("{what}, and nobody is at work on it now");
        Reason::take(
            of(Verdict::Refuse, message, String::new()),
            Step::Backfill,
            id,
        )
    }
}
