//! Which versions may all start, whichever of them do: what somebody who cannot ask for each start may let in.

use std::collections::{BTreeMap, BTreeSet};

use crate::gate::{
    Action, Blocker, Decision, Evidence, Horizon, Stretch, Verdict, decide, horizon,
};
use crate::model::{Declaration, Live, Version};

/// The versions that may all start now.
///
/// Invariant: the gate lets all of them start together. One that may start alone, and not beside another that is listed, is not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Startable {
    /// Of each service, in order. Of a stretch every release is meant; no pre-release, and no build after a tag.
    pub releases: BTreeMap<String, Vec<Stretch>>,
    /// Pre-releases and builds after a tag, each by itself.
    pub exact: BTreeMap<String, Vec<Version>>,
    /// What may start alone, and not beside what is listed: the service, which versions, and why not.
    pub left_out: Vec<(String, Stretch)>,
}

impl Startable {
    /// Whether a version is listed.
    #[must_use]
    pub fn takes(&self, live: &Live) -> bool {
        let Live { service, version } = live;
        if is_by_itself(version) {
            let exact = self.exact.get(service);
            return exact.is_some_and(|exact| exact.contains(version));
        }
        let releases = self.releases.get(service);
        releases.is_some_and(|all| all.iter().any(|stretch| is_in(stretch, version)))
    }
}

/// Why there is no list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unlisted {
    /// One of those that have to be in it may not start.
    Refused(Box<Decision>),
    /// The evidence is missing.
    Unknown(Box<Decision>),
}

/// What the gate is asked about.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    /// The releases from one on, and before another, which are all alike.
    Releases {
        service: String,
        from: Version,
        before: Option<Version>,
    },
    Exact(Live),
}

impl Part {
    /// One of them, which stands for all.
    fn representative(&self) -> Live {
        match self {
            Self::Releases { service, from, .. } => Live {
                service: service.clone(),
                version: from.clone(),
            },
            Self::Exact(live) => live.clone(),
        }
    }

    const fn is_exact(&self) -> bool {
        matches!(self, Self::Exact(_))
    }

    fn takes(&self, live: &Live) -> bool {
        match self {
            Self::Releases {
                service,
                from,
                before,
            } => {
                *service == live.service
                    && !is_by_itself(&live.version)
                    && *from <= live.version
                    && before.as_ref().is_none_or(|before| live.version < *before)
            }
            Self::Exact(exact) => exact == live,
        }
    }
}

/// The versions of these services that may all start, beside what is live: those of `wanted` have to be among them; of others that cannot all be,
/// what is live comes first, and then what is newer.
///
/// # Errors
/// Why there is no such list.
pub fn startable<'a>(
    services: impl IntoIterator<Item = &'a String>,
    wanted: &[Live],
    evidence: &Evidence,
) -> Result<Startable, Unlisted> {
    let services: BTreeSet<&String> = services.into_iter().collect();
    let live = evidence.snapshot.live();
    let mut parts: Vec<Part> = Vec::new();
    for service in &services {
        let horizon = horizon(service, evidence);
        is_known(&horizon, evidence)?;
        parts.extend(pieces(&horizon, evidence));
    }
    let single = live.iter().filter(|one| is_by_itself(&one.version));
    let single = single.filter(|one| services.contains(&one.service));
    // Of what may not start at all the gate says why.
    for one in wanted.iter().chain(single) {
        let is_exact = is_by_itself(&one.version);
        if !parts
            .iter()
            .any(|part| part.takes(one) && part.is_exact() == is_exact)
        {
            parts.push(Part::Exact(one.clone()));
        }
    }
    let rank = |part: &Part| {
        let is_of = |all: &[Live]| all.iter().any(|one| part.takes(one));
        (!is_of(wanted), !is_of(&live))
    };
    parts.sort_by(|a, b| {
        let newer = || b.representative().version.cmp(&a.representative().version);
        rank(a).cmp(&rank(b)).then_with(newer)
    });
    let mut asked = Asked {
        evidence,
        taken: Vec::new(),
    };
    let mut left_out = Vec::new();
    let all: Vec<Live> = parts.iter().map(Part::representative).collect();
    if asked.about(all).verdict == Verdict::Go {
        asked.taken = parts;
    } else {
        for part in parts {
            let decision = asked.beside(&part);
            match decision.verdict {
                Verdict::Go => asked.taken.push(part),
                Verdict::Unknown => return Err(Unlisted::Unknown(Box::new(decision))),
                Verdict::Hold | Verdict::Refuse => {
                    if wanted.iter().any(|one| part.takes(one)) {
                        return Err(Unlisted::Refused(Box::new(decision)));
                    }
                    left_out.push((part, decision));
                }
            }
        }
    }
    Ok(listed(asked.taken, left_out))
}

/// That it can be told of each version of the service whether it may start. One of which nobody knows is not one that may not: a list
/// without it would keep out what runs.
fn is_known(horizon: &Horizon, evidence: &Evidence) -> Result<(), Unlisted> {
    let closed = horizon.stretches.iter();
    for stretch in closed.filter(|one| !one.reasons.is_empty()) {
        let first = Live {
            service: horizon.service.clone(),
            version: stretch.from.clone(),
        };
        let decision = decide(Action::Deploy(vec![first]), evidence);
        if decision.verdict == Verdict::Unknown {
            return Err(Unlisted::Unknown(Box::new(decision)));
        }
    }
    Ok(())
}

struct Asked<'a> {
    evidence: &'a Evidence,
    taken: Vec<Part>,
}

impl Asked<'_> {
    fn about(&self, candidates: Vec<Live>) -> Decision {
        decide(Action::Deploy(candidates), self.evidence)
    }

    fn beside(&self, part: &Part) -> Decision {
        let all = self.taken.iter().chain(std::iter::once(part));
        self.about(all.map(Part::representative).collect())
    }
}

/// The releases of a service that may start as far as the schema goes, cut where any migration tells them apart.
fn pieces(horizon: &Horizon, evidence: &Evidence) -> Vec<Part> {
    let Horizon { service, stretches } = horizon;
    let states = evidence.schema.migrations().iter();
    let all = states.map(|state| &state.declaration);
    let mut from: Vec<Version> = Declaration::representatives(service, all);
    // The release of a pre-release is among them as well.
    from.retain(|version| !is_by_itself(version));
    let may_start = |version: &Version| {
        let mut around = stretches.iter().filter(|stretch| is_in(stretch, version));
        around.any(|stretch| stretch.reasons.is_empty())
    };
    let mut pieces = Vec::new();
    for (at, version) in from.iter().enumerate() {
        if may_start(version) {
            pieces.push(Part::Releases {
                service: service.clone(),
                from: version.clone(),
                before: from.get(at + 1).cloned(),
            });
        }
    }
    pieces
}

/// A pre-release, or a build after a tag: what it is like does not follow from the releases beside it.
fn is_by_itself(version: &Version) -> bool {
    version.is_prerelease() || version.tag().is_some()
}

fn is_in(stretch: &Stretch, version: &Version) -> bool {
    let is_before = stretch.before.as_ref().is_none_or(|end| version < end);
    stretch.from <= *version && is_before
}

fn listed(taken: Vec<Part>, left_out: Vec<(Part, Decision)>) -> Startable {
    let mut found = Startable::default();
    for part in taken {
        match part {
            Part::Releases {
                service,
                from,
                before,
            } => {
                let stretch = Stretch {
                    from,
                    before,
                    reasons: Vec::new(),
                };
                found.releases.entry(service).or_default().push(stretch);
            }
            Part::Exact(live) => {
                let exact = found.exact.entry(live.service).or_default();
                exact.push(live.version);
            }
        }
    }
    for stretches in found.releases.values_mut() {
        *stretches = joined(std::mem::take(stretches));
    }
    let mut left: BTreeMap<String, Vec<Stretch>> = BTreeMap::new();
    for (part, decision) in left_out {
        let reasons: Vec<String> = decision.blockers.iter().map(Blocker::message).collect();
        let (service, from, before) = match part {
            Part::Releases {
                service,
                from,
                before,
            } => (service, from, before),
            Part::Exact(live) => {
                let end = live.version.release();
                (live.service, live.version, Some(end))
            }
        };
        let stretch = Stretch {
            from,
            before,
            reasons,
        };
        left.entry(service).or_default().push(stretch);
    }
    for (service, stretches) in left {
        let all = joined(stretches).into_iter();
        found
            .left_out
            .extend(all.map(|stretch| (service.clone(), stretch)));
    }
    found
}

/// In order, and what meets in one, for the reasons of its first part.
fn joined(mut stretches: Vec<Stretch>) -> Vec<Stretch> {
    stretches.sort_by(|a, b| a.from.cmp(&b.from));
    let mut joined: Vec<Stretch> = Vec::new();
    for stretch in stretches {
        match joined.last_mut() {
            Some(last) if last.before.as_ref() == Some(&stretch.from) => {
                last.before = stretch.before
            }
            _ => joined.push(stretch),
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::{
        InstanceState, Label, LiveGroup, MigrationState, Phase, Schema, Snapshot, SourceReport,
        SourceStatus, Step,
    };

    fn declared(number: u32, sync: &str, reads: (&str, &str), writes: (&str, &str)) -> Declaration {
        let touched = |(old, new): (&str, &str)| serde_json::json!({ "old": old, "new": new });
        serde_json::from_value(serde_json::json!({
            "id": format!("{number:04}_a"), "description": "", "sync": sync, "rows": "mutable",
            "services": { "web": { "reads": touched(reads), "writes": touched(writes) } },
            "parts": { "expand": true, "backfill": true, "contract": true, "revert": true },
        }))
        .unwrap()
    }

    /// Nothing is left out of what leases show of these versions.
    fn evidence(states: Vec<MigrationState>, live: &[&str]) -> Evidence {
        let groups: Vec<LiveGroup> = live
            .iter()
            .map(|version| LiveGroup {
                service: "web".to_owned(),
                label: Label {
                    text: (*version).to_owned(),
                    version: version.parse().ok(),
                },
                state: InstanceState::Serving,
                source: "leases".to_owned(),
                instances: 1,
                examples: Vec::new(),
                seen_at: 1_000,
            })
            .collect();
        Evidence {
            schema: Schema::new(states),
            snapshot: Snapshot {
                taken_at: 2_000,
                sources: vec![SourceReport {
                    name: "leases".to_owned(),
                    status: SourceStatus::Fresh,
                    instances: Some(1),
                    age_ms: 0,
                    notes: Vec::new(),
                }],
                groups,
                ..Snapshot::default()
            },
            ..Evidence::default()
        }
    }

    fn web(version: &str) -> Live {
        Live {
            service: "web".to_owned(),
            version: version.parse().unwrap(),
        }
    }

    fn found(wanted: &[Live], evidence: &Evidence) -> Result<Startable, Unlisted> {
        startable([&"web".to_owned()], wanted, evidence)
    }

    fn ranges(found: &Startable) -> Vec<String> {
        let releases = found.releases.get("web").into_iter().flatten();
        releases.map(crate::ask::range).collect()
    }

    const BRIDGE: (&str, &str) = ("<1.2.0", ">=1.1.0");

    #[test]
    fn the_list_follows_the_phases() {
        let pending = MigrationState::pending(declared(1, "both", BRIDGE, BRIDGE));
        let at = |phase: Phase| {
            let mut state = pending
                .clone()
                .after(Step::Expand, &[])
                .after(Step::Backfill, &[]);
            state.phase = phase;
            let live: &[&str] = if phase == Phase::Backfilled {
                &["1.1.0"]
            } else {
                &["1.2.0"]
            };
            ranges(&found(&[], &evidence(vec![state], live)).unwrap())
        };
        let before = evidence(vec![pending.clone()], &["1.0.0"]);
        assert_eq!(ranges(&found(&[], &before).unwrap()), ["< 1.1.0"]);
        assert_eq!(at(Phase::Backfilled), ["any version"]);
        assert_eq!(at(Phase::Contracting), ["≥ 1.2.0"]);
        assert_eq!(at(Phase::Contracted), ["≥ 1.2.0"]);
    }

    /// Without triggers, an old version and one that reads the new format alone may each start beside the one between them, and not both.
    #[test]
    fn what_may_start_alone_and_not_together_is_left_out() {
        let reads = ("<1.2.0", ">=1.2.0");
        let writes = ("<1.3.0", ">=1.1.0");
        let state = MigrationState::pending(declared(1, "none", reads, writes));
        let state = state.after(Step::Expand, &[]).after(Step::Backfill, &[]);
        let evidence = evidence(vec![state], &["1.1.0"]);
        let alone = |version: &str| decide(Action::Deploy(vec![web(version)]), &evidence).verdict;
        assert_eq!([alone("1.0.0"), alone("1.2.0")], [Verdict::Go; 2]);
        let newest = found(&[], &evidence).unwrap();
        assert!(
            newest.takes(&web("1.2.0")) && !newest.takes(&web("1.0.0")),
            "{newest:?}"
        );
        assert_eq!(newest.left_out.len(), 1, "{newest:?}");
        assert!(!newest.left_out[0].1.reasons.is_empty());
        let kept = found(&[web("1.0.0")], &evidence).unwrap();
        assert!(
            kept.takes(&web("1.0.0")) && !kept.takes(&web("1.2.0")),
            "{kept:?}"
        );
        assert!(matches!(
            found(&[web("1.0.0"), web("1.2.0")], &evidence),
            Err(Unlisted::Refused(_))
        ));
    }

    #[test]
    fn pre_releases_are_listed_by_themselves() {
        let state = MigrationState::pending(declared(1, "both", BRIDGE, BRIDGE));
        let evidence = evidence(vec![state], &["1.0.0-rc.1"]);
        let listed = found(&[web("0.9.0-rc.2")], &evidence).unwrap();
        for (version, is_listed) in [
            ("1.0.0-rc.1", true),
            ("0.9.0-rc.2", true),
            ("0.9.0-rc.1", false),
            ("0.9.0", true),
            ("0.9.0-3-gabc1234", false),
        ] {
            assert_eq!(listed.takes(&web(version)), is_listed, "{version}");
        }
        assert!(matches!(
            found(&[web("1.1.0-rc.1")], &evidence),
            Err(Unlisted::Refused(_))
        ));
    }

    #[test]
    fn missing_evidence_is_no_list() {
        let (reads, writes) = (("<1.2.0", ">=1.2.0"), ("<1.3.0", ">=1.1.0"));
        let state = MigrationState::pending(declared(1, "none", reads, writes));
        let state = state.after(Step::Expand, &[]).after(Step::Backfill, &[]);
        let mut evidence = evidence(vec![state], &["1.1.0"]);
        assert!(found(&[], &evidence).is_ok());
        // An old one may be live, beside which what reads the new format alone may not start.
        evidence.snapshot.sources[0].status = SourceStatus::Stale;
        assert!(matches!(found(&[], &evidence), Err(Unlisted::Unknown(_))));
    }

    proptest! {
        /// All of them start together; and each other release is kept out by the gate, beside them at least.
        #[test]
        fn the_gate_lets_all_that_are_listed_start_together(
            bounds in proptest::collection::vec((0_u64..5, 0_u64..5, 0_u64..5, 0_u64..5, 0_usize..4, 0_usize..4), 1..4),
            live in proptest::collection::vec(0_u64..6, 0..3),
        ) {
            let states = bounds.iter().enumerate().map(|(at, (old, new, old_w, new_w, sync, steps))| {
                let below = |minor: &u64| format!("<1.{minor}.0");
                let from = |minor: &u64| format!(">=1.{minor}.0");
                let sync = ["none", "both", "to-new", "to-old"][*sync];
                let number = u32::try_from(at).unwrap() + 1;
                let declaration = declared(number, sync, (&below(old), &from(new)), (&below(old_w), &from(new_w)));
                let all = [Step::Expand, Step::Backfill, Step::Contract];
                all.iter().take(*steps).fold(MigrationState::pending(declaration), |state, step| state.after(*step, &[]))
            });
            let live: Vec<String> = live.iter().map(|minor| format!("1.{minor}.0")).collect();
            let live: Vec<&str> = live.iter().map(String::as_str).collect();
            let evidence = evidence(states.collect(), &live);
            let listed = found(&[], &evidence).unwrap();
            let all = (0..7).flat_map(|minor| [0, 3].map(|patch| web(&format!("1.{minor}.{patch}"))));
            let (taken, others): (Vec<Live>, Vec<Live>) = all.partition(|one| listed.takes(one));
            prop_assert_eq!(decide(Action::Deploy(taken.clone()), &evidence).verdict, Verdict::Go);
            for other in others {
                let beside = [taken.clone(), vec![other]].concat();
                prop_assert_ne!(decide(Action::Deploy(beside), &evidence).verdict, Verdict::Go);
            }
        }
    }
}
