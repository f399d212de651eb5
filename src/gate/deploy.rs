//! Whether instances of a version may start now.

use super::blocker::{Blocker, BlockerKind, Verdict};
use super::evidence::{self, Gaps};
use super::words::{ambiguity, touch_words};
use super::{Evidence, first_causes};
use crate::model::{Breach, Clause, Format, Freshness, Live, MigrationState, Phase, RowKind};

pub(super) fn decide(candidates: &[Live], evidence: &Evidence) -> (Vec<Blocker>, Vec<String>) {
    let live = evidence.snapshot.live();
    let mut blockers: Vec<Blocker> = Vec::new();
    let mut notes = Vec::new();
    let declarations = evidence.schema.migrations().iter();
    let gaps = Gaps::find(evidence, declarations.map(|state| &state.declaration));
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
        blockers.extend(question.blockers());
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
    pub fn blockers(&self) -> Vec<Blocker> {
        let mut blockers: Vec<Blocker> = Vec::new();
        for breach in self.breaches() {
            for blocker in self.explain(&breach) {
                let known = blockers.iter().any(|other| {
                    // One version in the way is said once, however many row kinds it spoils.
                    let same_subject = (other.kind, &other.service, &other.version)
                        == (blocker.kind, &blocker.service, &blocker.version);
                    same_subject || other.message == blocker.message
                });
                if !known {
                    blockers.push(blocker.of_migration(self.state.id()));
                }
            }
        }
        blockers
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

    fn explain(&self, breach: &Breach) -> Vec<Blocker> {
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

    fn new_is_missing(&self, who: &Live) -> Blocker {
        let state = self.state;
        let id = state.id();
        let (is, help) = match state.phase {
            Phase::Reverting => (
                "being reverted",
                format!("finish `migrate revert {id}`, then expand it again"),
            ),
            Phase::Expanding => (
                "still being expanded",
                format!("finish it first: run `migrate expand --up-to {id}`"),
            ),
            _ => (
                "not expanded yet",
                format!("run `migrate expand --up-to {id}` first"),
            ),
        };
        let does = touch_words(&state.declaration, who, Format::New);
        let ambiguity = ambiguity(&state.declaration, who);
        let message = format!("{who} {does} the new format of {id}, which is {is}{ambiguity}");
        Blocker::new(BlockerKind::ExpandFirst, Verdict::Refuse, message, help).about(who)
    }

    fn old_is_gone(&self, who: &Live) -> Blocker {
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
        Blocker::new(BlockerKind::OldFormatGone, Verdict::Refuse, message, help).about(who)
    }

    fn unreadable(&self, kind: RowKind, who: &Live, writers: &[Live]) -> Vec<Blocker> {
        let state = self.state;
        let id = state.id();
        let is_candidate = |other: &Live| self.candidates.contains(other);
        let rows = kind.describe();
        let ambiguity = ambiguity(&state.declaration, who);
        if writers.is_empty() {
            let help = if state.declaration.parts.backfill && kind.new != Freshness::Fresh {
                format!("run `migrate backfill {id}` first")
            } else {
                "deploy a version that can read them".to_owned()
            };
            let message =
                format!("{who} cannot read rows that may exist in {id} ({rows}){ambiguity}");
            return vec![
                Blocker::new(BlockerKind::UnreadableRows, Verdict::Refuse, message, help)
                    .about(who),
            ];
        }
        let leaves = |writer: &Live| {
            format!("{writer} leaves rows in {id} that {who} cannot read ({rows}){ambiguity}")
        };
        if !is_candidate(who) {
            // Of the two the one that runs is in the way.
            let writer = writers.iter().find(|writer| is_candidate(writer));
            return vec![self.wait_for(who, leaves(writer.unwrap_or(&writers[0])), kind)];
        }
        let running: Vec<&Live> = writers.iter().filter(|w| !is_candidate(w)).collect();
        if !running.is_empty() {
            return running
                .into_iter()
                .map(|writer| self.wait_for(writer, leaves(writer), kind))
                .collect();
        }
        let incompatible = |message, help| {
            Blocker::new(BlockerKind::Incompatible, Verdict::Refuse, message, help).about(who)
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

    fn wait_for(&self, live: &Live, message: String, kind: RowKind) -> Blocker {
        // Whoever writes past a format that others fill spoils it for every bridge.
        let help = if kind.new == Freshness::Stale {
            format!(
                "{live} has to be gone first, down to its last instance. To do without that: a \
                 `sync` that expand.sql installs, a release in between that reads old and writes \
                 both formats, or `rows = \"append-only\"` if rows are never updated"
            )
        } else {
            format!(
                "replace {live} first by a version that works with both formats, and wait until \
                 its last instance is gone"
            )
        };
        Blocker::new(BlockerKind::LiveVersion, Verdict::Hold, message, help)
            .seen(live, &self.evidence.snapshot)
    }

    fn undone_by_the_backfill(&self, who: &Live) -> Blocker {
        Blocker::new(
            BlockerKind::BackfillFirst,
            Verdict::Hold,
            format!(
                "the backfill of {} is running and would overwrite what {who} writes",
                self.state.id()
            ),
            "wait until the backfill is finished",
        )
        .about(who)
    }
}
