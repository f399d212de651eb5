//! What holds for every declaration and every history that the gate allows.

use proptest::prelude::*;

use super::simulation::cases;
use crate::gate::deploy::Question;
use crate::gate::{Action, Blocker, BlockerKind, Decision, Evidence, Verdict, decide, horizon};
use crate::model::testing::{live, snapshot};
use crate::model::{
    Declaration, Fill, Format, InstanceState, Label, Live, LiveGroup, MigrationState, Parts, Range,
    Reading, Rows, Schema, SourceReport, SourceStatus, Step, Sync, Touched, Usage, Version,
};

const RANGES: [&str; 9] = [
    "<1.1.0",
    "<1.2.0",
    "<1.3.0",
    ">=1.1.0",
    ">=1.2.0",
    ">=1.3.0",
    "*",
    "<1.1.0 || >=1.3.0",
    ">=1.1.0, <1.3.0",
];
const VERSIONS: [&str; 9] = [
    "1.0.0",
    "1.1.0",
    "1.2.0",
    "1.3.0",
    "1.0.5",
    "1.1.5",
    "1.1.0-rc.1",
    "1.2.0-rc.1",
    "1.3.0-rc.1",
];

/// One of a few versions of one of two services.
pub(super) fn any_version(choice: u8) -> Live {
    let (service, choice) = if choice < 160 {
        ("web", choice)
    } else {
        ("worker", choice - 160)
    };
    live(&format!(
        "{service} {}",
        VERSIONS[choice as usize % VERSIONS.len()]
    ))
}

fn some_live() -> impl Strategy<Value = Live> {
    any::<u8>().prop_map(any_version)
}

fn range(from: std::ops::Range<usize>) -> impl Strategy<Value = Option<Range>> {
    prop::option::weighted(0.85, from.prop_map(|index| RANGES[index].parse().unwrap()))
}

/// Mostly as people write them, old below and new above; anything at times.
fn usage() -> impl Strategy<Value = Usage> {
    let touched = prop_oneof![
        4 => (range(0..3), range(3..6)),
        1 => (range(0..9), range(0..9)),
    ]
    .prop_map(|(old, new)| Touched { old, new });
    (touched.clone(), touched, any::<bool>()).prop_map(|(reads, other, short)| Usage {
        writes: if short { reads.clone() } else { other },
        reads,
    })
}

pub(super) fn any_declaration() -> impl Strategy<Value = Declaration> {
    let sync = prop::sample::select(vec![
        Sync::None,
        Sync::None,
        Sync::Both,
        Sync::ToNew,
        Sync::ToOld,
    ]);
    let rows = prop::sample::select(vec![Rows::Mutable, Rows::AppendOnly]);
    let parts = (
        prop::bool::weighted(0.9),
        prop::bool::weighted(0.7),
        any::<bool>(),
    )
        .prop_map(|(expand, backfill, revert)| Parts {
            expand,
            backfill,
            contract: true,
            revert,
        });
    (usage(), prop::option::of(usage()), sync, rows, parts).prop_map(
        |(web, worker, sync, rows, parts)| Declaration {
            id: "0001_a".parse().unwrap(),
            description: String::new(),
            services: std::iter::once(("web".to_owned(), web))
                .chain(worker.map(|usage| ("worker".to_owned(), usage)))
                .collect(),
            sync,
            rows,
            parts,
            fill: Fill::Unsaid,
        },
    )
}

fn action(choice: u8, candidates: Vec<Live>) -> Action {
    match Step::ALL.get(choice as usize) {
        Some(step) => Action::Step {
            step: *step,
            migration: "0001_a".parse().unwrap(),
        },
        None => Action::Deploy(candidates),
    }
}

fn any_action() -> impl Strategy<Value = Action> {
    (0u8..8, prop::collection::vec(some_live(), 1..3)).prop_map(|(c, who)| action(c, who))
}

#[derive(Clone, Debug)]
struct Reached {
    evidence: Evidence,
    live: Vec<Live>,
}

impl Reached {
    fn state(&self) -> &MigrationState {
        &self.evidence.schema.migrations()[0]
    }

    fn set(&mut self, state: MigrationState, live: Vec<Live>) {
        self.evidence.schema = Schema::new(vec![state]);
        self.evidence.snapshot = snapshot(&live);
        self.live = live;
    }

    fn together(&self, candidates: &[Live]) -> Vec<Live> {
        let mut live = self.live.clone();
        live.extend(
            candidates
                .iter()
                .filter(|c| !self.live.contains(c))
                .cloned(),
        );
        live
    }

    /// Every state that the action passes through, the last one included.
    fn states(&self, action: &Action) -> Vec<(MigrationState, Vec<Live>)> {
        match action {
            Action::Step { step, .. } if self.state().has_taken(*step, &self.live) => Vec::new(),
            Action::Step { step, .. } => self
                .state()
                .states_during(*step, &self.live)
                .into_iter()
                .map(|state| (state, self.live.clone()))
                .collect(),
            Action::Deploy(candidates) => {
                let live = self.together(candidates);
                vec![(self.state().admitting(&live), live)]
            }
        }
    }

    fn without(&self, gone: &[Live]) -> Self {
        let mut fewer = self.clone();
        let live = self
            .live
            .iter()
            .filter(|who| !gone.contains(who))
            .cloned()
            .collect();
        fewer.set(self.state().clone(), live);
        fewer
    }

    fn ask(&self, action: &Action) -> Decision {
        decide(action.clone(), &self.evidence)
    }
}

/// A state that a history of allowed actions leads to, at times with a step still under way.
fn reached() -> impl Strategy<Value = Reached> {
    let events = prop::collection::vec((any_action(), any::<u8>()), 0..14);
    (any_declaration(), events).prop_map(|(declaration, events)| {
        let mut now = Reached {
            evidence: Evidence::default(),
            live: Vec::new(),
        };
        now.set(MigrationState::pending(declaration), Vec::new());
        for (action, choice) in events {
            if choice % 4 == 0 && !now.live.is_empty() {
                now = now.without(&[now.live[choice as usize / 4 % now.live.len()].clone()]);
            } else if now.ask(&action).verdict == Verdict::Go {
                let mut states = now.states(&action);
                if choice % 8 == 1 {
                    states.truncate(1);
                }
                if let Some((state, live)) = states.pop() {
                    now.set(state, live);
                }
            }
        }
        now
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases(300)))]

    #[test]
    fn what_is_allowed_keeps_the_invariant(now in reached(), action in any_action()) {
        prop_assert_eq!(now.state().breaches(&now.live), vec![]);
        if now.ask(&action).verdict == Verdict::Go {
            for (state, live) in now.states(&action) {
                prop_assert_eq!(state.breaches(&live), vec![], "{:?}", state.phase);
            }
        }
    }

    #[test]
    fn what_blocks_would_really_break(now in reached(), action in any_action()) {
        let decision = now.ask(&action);
        let breaches: Vec<_> = now
            .states(&action)
            .iter()
            .flat_map(|(state, live)| {
                // Without what is recorded the writers are named again.
                let writers = MigrationState { kinds: now.state().kinds, ..state.clone() }.breaches(live);
                [state.breaches(live), writers].concat()
            })
            .collect();
        for blocker in &decision.blockers {
            use BlockerKind::{DataLoss, Incompatible, LiveVersion, OldFormatGone, UndecidableRows, UnreadableRows};
            if !matches!(blocker.kind(), DataLoss | Incompatible | LiveVersion | OldFormatGone | UndecidableRows | UnreadableRows) {
                continue;
            }
            let is_named = |who: &Live| {
                Some(who.service.as_str()) == blocker.service()
                    && Some(who.version.to_string()) == blocker.version()
            };
            let breaks = breaches.iter().any(|breach| {
                blocker.service().is_none() || breach.who.iter().chain(&breach.writers).any(is_named)
            });
            prop_assert!(breaks, "{blocker:?} {breaches:?}");
        }
        // Waiting for those that are to be waited for is enough: nobody else is in the way then.
        let named: Vec<Live> = now
            .live
            .iter()
            .filter(|who| {
                decision.blockers.iter().any(|blocker| {
                    blocker.kind() == BlockerKind::LiveVersion
                        && blocker.service() == Some(who.service.as_str())
                        && blocker.version() == Some(who.version.to_string())
                })
            })
            .cloned()
            .collect();
        if !named.is_empty() && decision.waits_for_live_versions() {
            let later = now.without(&named).ask(&action);
            let more = later.blockers.iter().any(|blocker| blocker.kind() == BlockerKind::LiveVersion);
            prop_assert!(!more, "{decision:?} {later:?}");
        }
    }

    #[test]
    fn fewer_live_versions_never_block_more(now in reached(), action in any_action(), choice: u8) {
        if now.live.is_empty() {
            return Ok(());
        }
        let gone = now.live[choice as usize % now.live.len()].clone();
        let (before, after) = (now.ask(&action), now.without(std::slice::from_ref(&gone)).ask(&action));
        if before.verdict == Verdict::Go {
            prop_assert_eq!(after.verdict, Verdict::Go, "without {}: {:?}", gone, after);
        }
    }

    #[test]
    fn expand_is_always_allowed(now in reached(), failed: bool) {
        let mut now = now;
        if failed {
            now.evidence.snapshot.sources[0].status = SourceStatus::Failed { reason: "x".into() };
        }
        let decision = now.ask(&action(0, Vec::new()));
        let has_expand = now.state().declaration.parts.expand;
        let reverting = now.state().phase == crate::model::Phase::Reverting;
        prop_assert!(decision.verdict == Verdict::Go || !has_expand || reverting, "{decision:?}");
    }

    #[test]
    fn expand_is_refused_where_what_runs_contradicts_the_declaration(
        declaration in any_declaration(),
        live in prop::collection::vec(some_live(), 0..4),
    ) {
        let mut now = Reached { evidence: Evidence::default(), live: Vec::new() };
        now.set(MigrationState::pending(declaration), live);
        prop_assume!(now.state().declaration.parts.expand);
        let decision = now.ask(&action(0, Vec::new()));
        let is_there = now.state().expand_is_done();
        let contradicts = |who: &Live| {
            let mut all = now.state().declaration.behaviours(&who.service, &who.version).into_iter();
            all.all(|behaviour| behaviour.touches(Format::New))
        };
        let contradicted = !is_there && now.live.iter().any(contradicts);
        prop_assert_eq!(decision.verdict == Verdict::Refuse, contradicted, "{:?}", decision);
        prop_assert_eq!(decision.in_a_plan().verdict, Verdict::Go);
    }

    /// Whoever does what the answer says next gets on: no step and no version is named that is refused itself.
    #[test]
    fn advice_does_not_lead_in_a_circle(now in reached(), action in any_action()) {
        for blocker in now.ask(&action).blockers {
            for step in Step::ALL {
                let named = format!("run `migrate {}", step.name());
                if blocker.help().starts_with(&named) && blocker.help().contains(" first") {
                    let first = Action::Step { step, migration: "0001_a".parse().unwrap() };
                    let verdict = now.ask(&first).verdict;
                    prop_assert!(matches!(verdict, Verdict::Go | Verdict::Hold), "{blocker:?}");
                }
            }
            let help = blocker.help();
            let Some((before, rest)) = help.split_once(" by a version in the range ") else { continue };
            // What another step needs first may be about another service.
            let (how, replaced) = before.rsplit_once("replace ").unwrap();
            let (range, _) = rest.split_once(", which may start now").unwrap();
            let range: Range = range.parse().unwrap();
            let gone = live(replaced);
            let service = gone.service.clone();
            let versions = Declaration::representatives(&service, [&now.state().declaration]);
            let mut named = 0;
            for version in versions.into_iter().filter(|version| range.contains(version, Reading::Precedence)) {
                named += 1;
                let successor = Live { service: service.clone(), version };
                let deploy = Action::Deploy(vec![successor.clone()]);
                prop_assert_eq!(now.ask(&deploy).verdict, Verdict::Go, "{:?} {}", blocker, successor);
                if !how.is_empty() {
                    continue;
                }
                let (state, live) = now.states(&deploy).pop().unwrap();
                let mut later = now.clone();
                later.set(state, live);
                let later = later.without(std::slice::from_ref(&gone)).ask(&action);
                let in_the_way = [gone.to_string(), successor.to_string()];
                let stays = later.blockers.iter().any(|other| {
                    other.kind() == BlockerKind::LiveVersion
                        && other.service().into_iter().zip(other.version()).any(|(s, v)| in_the_way.contains(&format!("{s} {v}")))
                });
                prop_assert!(!stays || in_the_way[0] == in_the_way[1], "{:?} {:?}", blocker, later);
            }
            prop_assert!(named > 0, "{blocker:?}");
        }
    }

    #[test]
    fn the_horizon_is_what_deploying_says(now in reached(), minor in 0u64..5, patch in 0u64..12) {
        let version = Version::new(1, minor, patch);
        for service in ["web", "worker", "other"] {
            let horizon = horizon(service, &now.evidence);
            let stretch = horizon
                .stretches
                .iter()
                .rfind(|stretch| stretch.from <= version)
                .expect("a stretch from 0.0.0 on");
            prop_assert!(stretch.before.as_ref().is_none_or(|before| version < *before));
            let candidate = Live { service: service.into(), version: version.clone() };
            let decision = now.ask(&Action::Deploy(vec![candidate]));
            let may_start = decision.verdict == Verdict::Go;
            prop_assert_eq!(stretch.reasons.is_empty(), may_start, "{:?} {:?}", stretch, decision);
        }
    }

    #[test]
    fn the_horizon_lays_migrations_over_one_another(
        several in prop::collection::vec((reached(), 0usize..6), 1..5),
    ) {
        let mut evidence = Evidence::default();
        let (mut states, mut fleet) = (Vec::new(), Vec::new());
        for (index, (now, bound)) in several.into_iter().enumerate() {
            let mut state = now.state().clone();
            state.declaration.id = format!("{}_x", index + 1).parse().unwrap();
            // A bound of one may be an ambiguous pre-release to another.
            if let (Some(usage), Some(range)) = (
                state.declaration.services.get_mut("web"),
                ["<1.2.0-rc.2", ">=1.2.0-rc.2", ">=1.1.0-rc.1, <1.3.0-rc.1"].get(bound),
            ) {
                usage.reads.old = Some(range.parse().unwrap());
            }
            states.push(state);
            fleet.extend(now.live);
        }
        evidence.snapshot = snapshot(&fleet);
        evidence.schema = Schema::new(states);
        let live = evidence.snapshot.live();
        for service in ["web", "worker", "other"] {
            let horizon = horizon(service, &evidence);
            let declarations = evidence.schema.migrations().iter().map(|state| &state.declaration);
            let mut versions = Declaration::representatives(service, declarations);
            versions.extend(horizon.stretches.iter().map(|stretch| stretch.from.clone()));
            for version in versions {
                let stretch = horizon
                    .stretches
                    .iter()
                    .rfind(|stretch| stretch.from <= version)
                    .expect("a stretch from 0.0.0 on");
                prop_assert!(stretch.before.as_ref().is_none_or(|before| version < *before));
                let candidates = [Live { service: service.into(), version }];
                // Without the advice, which lays the same horizon for each answer.
                let may_start = evidence.schema.migrations().iter().all(|state| {
                    let (live, evidence, candidates) = (&live[..], &evidence, &candidates[..]);
                    let question = Question { state, live, candidates, evidence };
                    !state.declaration.services.contains_key(service) || question.objections().is_empty()
                });
                prop_assert_eq!(stretch.reasons.is_empty(), may_start, "{:?} {:?}", stretch, candidates);
            }
            let last = horizon.stretches.last().expect("a stretch from 0.0.0 on");
            let candidate = Live { service: service.into(), version: last.from.clone() };
            let decision = decide(Action::Deploy(vec![candidate]), &evidence).accepting_unknown();
            prop_assert_eq!(last.reasons.is_empty(), decision.verdict == Verdict::Go, "{:?}", decision);
        }
    }

    #[test]
    fn an_ambiguous_prerelease_is_no_freer_than_either_reading(now in reached(), minor in 1u64..4) {
        let ask = |version: String| now.ask(&Action::Deploy(vec![live(&format!("web {version}"))])).verdict;
        if ask(format!("1.{minor}.0-rc.1")) == Verdict::Go {
            prop_assert_eq!(ask(format!("1.{minor}.0")), Verdict::Go);
            prop_assert_eq!(ask(format!("1.{}.99", minor - 1)), Verdict::Go);
        }
    }

    #[test]
    fn a_build_without_a_tag_is_no_freer_than_its_tag_and_any_release_to_come(now in reached(), tag in 0u64..4) {
        let ask = |version: String| now.ask(&Action::Deploy(vec![live(&format!("web {version}"))])).verdict;
        if ask(format!("1.{tag}.0-14-gabc1234")) == Verdict::Go {
            for (minor, patch) in (tag..5).flat_map(|minor| [(minor, 0), (minor, 9)]) {
                prop_assert_eq!(ask(format!("1.{minor}.{patch}")), Verdict::Go);
            }
        }
    }

    #[test]
    fn arbitrary_evidence_is_answered_and_always_the_same_way(
        now in reached(),
        action in any_action(),
        labels in prop::collection::vec(("[a-z0-9.]{0,6}", 0u8..4, any::<u64>(), any::<i64>()), 0..4),
        sources in prop::collection::vec((0u8..3, any::<u64>()), 0..3),
        wanted in any::<u64>(),
        facts in any::<(Option<i64>, i64, i64, i64)>(),
    ) {
        let mut evidence = now.evidence;
        for (text, state, instances, seen_at) in labels {
            evidence.snapshot.groups.push(LiveGroup {
                service: if state == 0 { "worker".into() } else { "web".into() },
                label: Label { version: text.parse().ok(), text },
                state: InstanceState::ALL[state as usize],
                source: "leases".into(),
                instances,
                examples: vec!["i".into()],
                seen_at,
            });
        }
        for (status, age_ms) in sources {
            evidence.snapshot.sources.push(SourceReport {
                name: format!("s{status}"),
                status: match status {
                    0 => SourceStatus::Fresh,
                    1 => SourceStatus::Stale,
                    _ => SourceStatus::Failed { reason: "gone".into() },
                },
                instances: Some(0),
                age_ms,
                notes: Vec::new(),
            });
        }
        evidence.min_instances.insert("web".into(), wanted);
        evidence.facts.remaining = facts.0;
        evidence.facts.require = vec![("q".into(), facts.1)];
        evidence.facts.soak = Some(crate::gate::Soak { required_ms: facts.2, quiet_ms: facts.3 });
        let first = decide(action.clone(), &evidence);
        prop_assert_eq!(&first, &decide(action, &evidence));
        let heaviest = first.blockers.iter().map(Blocker::verdict).max();
        prop_assert_eq!(first.verdict, heaviest.unwrap_or(Verdict::Go));
        prop_assert!(first.blockers.iter().all(|b| !b.message().is_empty() && !b.help().is_empty()));
        prop_assert!(!horizon("web", &evidence).stretches.is_empty());
    }
}
