//! Whether instances of a version may start now.

use super::Evidence;
use super::blocker::{Blocker, BlockerKind, Verdict};
use super::evidence::{Gaps, unplaced};
use super::words::{ambiguity, touch_words};
use crate::model::{Breach, Clause, Format, Live, MigrationState, Phase};

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
                other.message == blocker.message
                    && (other.migration == blocker.migration || other.verdict == Verdict::Unknown)
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
                .chain(unplaced(&state.declaration, evidence))
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
    fn with_candidates(&self, live: &[Live]) -> (MigrationState, Vec<Live>) {
        let mut together = live.to_vec();
        for candidate in self.candidates {
            if !together.contains(candidate) {
                together.push(candidate.clone());
            }
        }
        (self.state.admitting(&together), together)
    }

    fn new_breaches(&self, live: &[Live]) -> Vec<Breach> {
        let present = self.state.breaches(live);
        let (after, together) = self.with_candidates(live);
        // The state before names who brings a row kind about; the one after has recorded it.
        let mut found = MigrationState {
            kinds: self.state.kinds,
            ..after
        }
        .breaches(&together);
        found.retain(|breach| {
            let is_candidate = breach
                .who
                .as_ref()
                .is_some_and(|who| self.candidates.contains(who));
            // One more instance of what runs already is judged like a new one: it may be the
            // fence that the version is running into.
            is_candidate
                || !present
                    .iter()
                    .any(|other| other.clause == breach.clause && other.who == breach.who)
        });
        found
    }

    fn breaches(&self) -> Vec<Breach> {
        self.new_breaches(self.live)
    }

    fn is_concerned(&self) -> bool {
        let services = &self.state.declaration.services;
        self.candidates
            .iter()
            .any(|candidate| services.contains_key(&candidate.service))
    }

    fn is_changed_by(&self, unseen: &Live) -> bool {
        let mut more = self.live.to_vec();
        more.push(unseen.clone());
        let possible = self.state.breaches(&more).len() <= self.state.breaches(self.live).len();
        possible && self.new_breaches(&more).len() > self.breaches().len()
    }

    fn note(&self) -> Option<String> {
        let (after, _) = self.with_candidates(self.live);
        (after.phase == Phase::Expanded && self.state.phase != Phase::Expanded).then(|| {
            format!(
                "{}: it writes only the old format, so the backfill has to run again after it",
                self.state.id()
            )
        })
    }

    fn explain(&self, breach: &Breach) -> Vec<Blocker> {
        let state = self.state;
        let id = state.id();
        let declaration = &state.declaration;
        let Some(who) = &breach.who else {
            return vec![self.undoes_the_backfill()];
        };
        let kind = match breach.clause {
            Clause::NewIsThere => {
                let does = touch_words(declaration, who, Format::New);
                let (verdict, help) = match state.phase {
                    Phase::Reverting => (
                        Verdict::Refuse,
                        format!("finish `migrate revert {id}`, then expand it again"),
                    ),
                    _ => (
                        Verdict::Refuse,
                        format!("run `migrate expand --up-to {id}` first"),
                    ),
                };
                let message = format!(
                    "{who} {does} the new format of {id}, which is {}{}",
                    state.phase,
                    ambiguity(declaration, who)
                );
                return vec![
                    Blocker::new(BlockerKind::ExpandFirst, verdict, message, help).about(who),
                ];
            }
            Clause::OldIsThere => {
                let does = touch_words(declaration, who, Format::Old);
                let gone = if state.phase == Phase::Contracted {
                    "has been removed"
                } else {
                    "is being removed"
                };
                let message = format!(
                    "{who} {does} the old format of {id}, which {gone}{}",
                    ambiguity(declaration, who)
                );
                let help =
                    "start a version that does not use it; `migrate status` shows which may start";
                return vec![
                    Blocker::new(BlockerKind::OldFormatGone, Verdict::Refuse, message, help)
                        .about(who),
                ];
            }
            Clause::Readable(kind) | Clause::Filled(kind) | Clause::NothingIsLost(kind) => kind,
        };
        let is_candidate = |other: &Live| self.candidates.contains(other);
        if breach.writers.is_empty() {
            let help = if declaration.parts.backfill && kind.new != crate::model::Freshness::Fresh {
                format!("run `migrate backfill {id}` first")
            } else {
                "deploy a version that can read them".to_owned()
            };
            let message = format!(
                "{who} cannot read rows that may exist in {id} ({}){}",
                kind.describe(),
                ambiguity(declaration, who)
            );
            return vec![
                Blocker::new(BlockerKind::UnreadableRows, Verdict::Refuse, message, help)
                    .about(who),
            ];
        }
        let mut blockers = Vec::new();
        for writer in &breach.writers {
            let message = format!(
                "{writer} leaves rows in {id} that {who} cannot read ({}){}",
                kind.describe(),
                ambiguity(declaration, who)
            );
            blockers.push(match (is_candidate(who), is_candidate(writer)) {
                (true, true) => Blocker::new(
                    BlockerKind::Incompatible,
                    Verdict::Refuse,
                    message,
                    "deploy one after the other, or a release in between that works with both",
                )
                .about(who),
                // Of the two the one that runs is in the way.
                (true, false) => self.wait_for(writer, message),
                (false, _) => self.wait_for(who, message),
            });
        }
        blockers
    }

    fn wait_for(&self, live: &Live, message: String) -> Blocker {
        Blocker::new(
            BlockerKind::LiveVersion,
            Verdict::Hold,
            message,
            format!("replace {live} first by a version that works with both formats, and wait until its last instance is gone"),
        )
        .seen(live, &self.evidence.snapshot)
    }

    fn undoes_the_backfill(&self) -> Blocker {
        Blocker::new(
            BlockerKind::BackfillFirst,
            Verdict::Hold,
            format!(
                "the backfill of {} is running and would overwrite what it writes",
                self.state.id()
            ),
            "wait until the backfill is finished",
        )
    }
}
