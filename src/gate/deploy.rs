//! Whether instances of a version may start now.

use super::blocker::{Blocker, BlockerKind, Verdict};
use super::evidence::{self, Gaps};
use super::words::{ambiguity, touch_words};
use super::{Evidence, first_causes};
use crate::model::{Breach, Clause, Format, Freshness, Live, MigrationState, Phase, RowKind, beside};

pub(super) fn decide(candidates: &[Live], evidence: &Evidence) -> (Vec<Blocker>, Vec<String>) {
    let live = evidence.snapshot.live();
    let mut blockers: Vec<Blocker> = Vec::new();
    let mut notes = Vec::new();
    let gaps = Gaps::find(evidence);
    for state in evidence.schema.migrations() {
        let question = Question {
            state,
            live: &live,
            candidates,
            evidence,
        };
        let mut add = |blocker: Blocker| {
            let blocker = blocker.of_migration(state.id());
            let known = blockers.iter().any(|other| {
                // What is missing in the evidence is said once, not once for each migration.
                let same_migration = other.migration == blocker.migration;
                let same_subject = (other.kind, &other.service, &other.version)
                    == (blocker.kind, &blocker.service, &blocker.version);
                // One version in the way is said once, however many row kinds it spoils.
                same_migration && same_subject && blocker.verdict != Verdict::Unknown
                    || other.message == blocker.message
                        && (same_migration || other.verdict == Verdict::Unknown)
            });
            if !known {
                blockers.push(blocker);
            }
        };
        for breach in question.breaches() {
            question.explain(&breach).into_iter().for_each(&mut add);
        }
        if question.is_concerned() {
            gaps.that_matter(&state.declaration, |unseen| question.is_changed_by(unseen))
                .into_iter()
                .for_each(&mut add);
            notes.extend(question.note());
        }
    }
    (blockers, notes)
}

struct Question<'a> {
    state: &'a MigrationState,
    live: &'a [Live],
    candidates: &'a [Live],
    evidence: &'a Evidence,
}

impl Question<'_> {
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
        evidence::may_be_live(self.state, self.live, unseen)
            .is_some_and(|more| self.breaches_beside(&more).len() > self.breaches_beside(self.live).len())
    }

    fn note(&self) -> Option<String> {
        let after = self.state.admitting(&beside(self.live, self.candidates));
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
