//! The rollback horizon: which versions of a service may start now, and why others may not.

use std::collections::BTreeSet;

use super::deploy::Question;
use super::flaw::hides_migrations;
use super::next::Objection;
use super::words::{Naming, words};
use super::{Evidence, Verdict};
use crate::model::{Declaration, Live, MigrationState, Usage, Version};

/// A stretch of the version line on which the answer is the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// The first version of the stretch.
    pub from: Version,
    /// The first version after it; `None` if it is open.
    pub before: Option<Version>,
    /// Why these versions may not start; empty where they may.
    pub reasons: Vec<String>,
}

/// The whole version line of one service, cut into stretches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Horizon {
    pub service: String,
    pub stretches: Vec<Stretch>,
}

/// Which versions of `service` may start now. Evidence that is missing is left out of account:
/// the horizon says what the schema and the versions seen allow. A migration that cannot be read is not: any version
/// may need it.
///
/// Where neighbours may not start for reasons of which one's are among the other's, as after a
/// long line of contracts, they are one stretch with the reasons that hold for all of it.
#[must_use]
pub fn horizon(service: &str, evidence: &Evidence) -> Horizon {
    // The door says so to everybody.
    if let Some(blocker) = super::evidence::of_all(evidence) {
        return Horizon {
            service: service.to_owned(),
            stretches: vec![Stretch {
                from: Version::new(0, 0, 0),
                before: None,
                reasons: vec![blocker.message()],
            }],
        };
    }
    let mut reasons = Vec::new();
    let mut changes = Vec::new();
    let live = evidence.snapshot.live();
    let prereleases = prereleases(service, evidence);
    let around = Around {
        service,
        prereleases: &prereleases,
        live: &live,
        evidence,
    };
    for state in evidence.schema.migrations() {
        if state.declaration.services.contains_key(service) {
            around.ask(state, &mut reasons, &mut changes);
        }
    }
    let hidden = hides_migrations(&evidence.flaws);
    let stretches = overlay(changes)
        .into_iter()
        .map(|(from, before, held)| {
            let mut reasons = texts(&reasons, &held);
            if reasons.is_empty() {
                reasons.extend(hidden.clone());
            }
            Stretch {
                from,
                before,
                reasons,
            }
        })
        .collect();
    Horizon {
        service: service.to_owned(),
        stretches,
    }
}

/// Why one migration keeps versions from starting.
struct Reason {
    verdict: Verdict,
    text: String,
}

/// From a version on, a reason holds or holds no longer. Reasons go by their position.
struct Change {
    from: Version,
    reason: usize,
    holds: bool,
}

struct Around<'a> {
    service: &'a str,
    /// Every pre-release that a bound names, in order.
    prereleases: &'a BTreeSet<Version>,
    live: &'a [Live],
    evidence: &'a Evidence,
}

impl Around<'_> {
    /// Asks one migration at its own representatives: between them it says the same.
    fn ask(&self, state: &MigrationState, reasons: &mut Vec<Reason>, changes: &mut Vec<Change>) {
        let mut holding: Vec<usize> = Vec::new();
        let first_of_its_own = reasons.len();
        for version in self.representatives(&state.declaration) {
            let candidate = &Live {
                service: self.service.to_owned(),
                version: version.clone(),
            };
            let mut now: Vec<usize> = Vec::new();
            let question = Question {
                state,
                live: self.live,
                candidates: std::slice::from_ref(candidate),
                evidence: self.evidence,
            };
            let by_the_rule = question.objections().into_iter();
            let by_the_rule = by_the_rule.map(|Objection { reason, .. }| reason);
            for reason in by_the_rule.chain(question.out_of_step()) {
                // Said of a stretch, so without the one version that stands for it.
                let text = words(&reason, Naming::AnyLike(candidate)).message;
                let verdict = reason.verdict();
                let known = reasons[first_of_its_own..]
                    .iter()
                    .position(|reason| reason.verdict == verdict && reason.text == text);
                let index = known.map_or(reasons.len(), |known| first_of_its_own + known);
                if known.is_none() {
                    reasons.push(Reason { verdict, text });
                }
                if !now.contains(&index) {
                    now.push(index);
                }
            }
            let mut change = |reason, holds| {
                changes.push(Change {
                    from: version.clone(),
                    reason,
                    holds,
                });
            };
            let ended = holding.iter().filter(|reason| !now.contains(reason));
            ended.for_each(|reason| change(*reason, false));
            let begun = now.iter().filter(|reason| !holding.contains(reason));
            begun.for_each(|reason| change(*reason, true));
            holding = now;
        }
    }

    /// Those of the migration itself, and what others name among the pre-releases of its bounds:
    /// there it may have two readings, and everywhere else it has one.
    fn representatives(&self, declaration: &Declaration) -> Vec<Version> {
        let mut versions = Declaration::representatives(self.service, [declaration]);
        if !self.prereleases.is_empty() {
            let usage = declaration.services.get(self.service);
            let bounds = usage.iter().flat_map(|usage| usage.bounds());
            let releases: BTreeSet<&Version> =
                bounds.filter(|bound| !bound.is_prerelease()).collect();
            let ambiguous = self.prereleases.iter();
            versions.extend(
                ambiguous
                    .filter(|version| releases.contains(&version.release()))
                    .cloned(),
            );
            versions.sort();
            versions.dedup();
        }
        versions
    }
}

fn prereleases(service: &str, evidence: &Evidence) -> BTreeSet<Version> {
    let migrations = evidence.schema.migrations().iter();
    migrations
        .filter_map(|state| state.declaration.services.get(service))
        .flat_map(Usage::bounds)
        .filter(|bound| bound.is_prerelease())
        .cloned()
        .collect()
}

/// A stretch from a version and up to another, and the positions of its reasons.
type Held = (Version, Option<Version>, BTreeSet<usize>);

/// Lays what the migrations say over one another.
fn overlay(mut changes: Vec<Change>) -> Vec<Held> {
    changes.sort_by(|a, b| a.from.cmp(&b.from));
    let mut stretches: Vec<Held> = vec![(Version::new(0, 0, 0), None, BTreeSet::new())];
    let mut holding = BTreeSet::new();
    for group in changes.chunk_by(|a, b| a.from == b.from) {
        for change in group {
            if change.holds {
                holding.insert(change.reason);
            } else {
                holding.remove(&change.reason);
            }
        }
        let from = &group[0].from;
        let Some((start, before, last)) = stretches.last_mut() else {
            continue;
        };
        let neither_is_free = !last.is_empty() && !holding.is_empty();
        if from <= start {
            // Where the line begins; before 0.0.0 if a bound names one of its pre-releases.
            start.clone_from(from);
            last.clone_from(&holding);
        } else if *last == holding || neither_is_free && last.is_subset(&holding) {
        } else if neither_is_free && holding.is_subset(last) {
            last.clone_from(&holding);
        } else {
            *before = Some(from.clone());
            stretches.push((from.clone(), None, holding.clone()));
        }
    }
    stretches
}

/// The heaviest first, as in a decision.
fn texts(reasons: &[Reason], held: &BTreeSet<usize>) -> Vec<String> {
    let mut found: Vec<&Reason> = held
        .iter()
        .filter_map(|index| reasons.get(*index))
        .collect();
    found.sort_by_key(|reason| std::cmp::Reverse(reason.verdict));
    let mut texts: Vec<String> = found.iter().map(|reason| reason.text.clone()).collect();
    texts.dedup();
    texts
}
