//! What is missing in the evidence makes a verdict unknown exactly where it could change it.

use super::world::World;
use crate::gate::{Evidence, Verdict, horizon, missing_evidence};
use crate::model::testing::group;
use crate::model::{InstanceState, Label, LiveGroup, LostLedger, Phase, SourceStatus};

const SYNCED: &str = "old <1.2.0 new >=1.1.0 sync both backfill contract revert";

type Hide = fn(&mut Evidence);

fn gaps() -> Vec<(&'static str, Hide)> {
    vec![
        ("source", |evidence| {
            let reason = "connection refused".to_owned();
            evidence.snapshot.sources[0].status = SourceStatus::Failed { reason };
        }),
        ("source", |evidence| {
            evidence.snapshot.sources[0].status = SourceStatus::Stale;
        }),
        ("missing_instances", |evidence| {
            evidence.min_instances.insert("web".into(), 2);
        }),
        ("unplaced_version web 4f2a9c1", |evidence| {
            let known = evidence.snapshot.groups[0].clone();
            let label = Label {
                text: "4f2a9c1".into(),
                version: None,
            };
            evidence.snapshot.groups.push(LiveGroup { label, ..known });
        }),
    ]
}

#[test]
fn what_is_hidden_matters_only_where_it_could_change_the_answer() {
    for (name, hide) in gaps() {
        let mut world = World::new(SYNCED, "1.0.0");
        hide(&mut world.evidence);
        world.expect("expand", "go");
        world.force("expand");
        hide(&mut world.evidence);
        // With sync, no version that may be live stands in the way of the backfill.
        world.expect("backfill", "go");
        world.walk("backfill; roll 1.2.0");
        hide(&mut world.evidence);
        world.expect("contract", &format!("unknown, {name}"));
        world.expect("admit worker 1.0.0", "go");
        assert!(
            world
                .ask("contract")
                .accepting_unknown()
                .blockers
                .is_empty()
        );
        // The fence is up, and still proves nothing about who runs behind it.
        world.state_mut().phase = Phase::Contracting;
        world.expect("contract", &format!("unknown, {name}"));
        world.force("contract");
        hide(&mut world.evidence);
        world.expect("roll 1.3.0", "go");
    }
}

#[test]
fn a_version_that_would_have_undone_the_backfill_may_still_be_hidden() {
    for (name, hide) in gaps() {
        let mut world = World::new("old <1.2.0 new >=1.2.0 backfill contract", "1.2.0");
        world.force("expand");
        world.walk("backfill");
        hide(&mut world.evidence);
        world.expect("contract", &format!("unknown, {name}"));
    }
}

#[test]
fn other_services_do_not_matter() {
    let mut world = World::new(SYNCED, "1.0.0, worker 1.0.0");
    world.walk("expand; backfill; roll 1.2.0");
    world.evidence.min_instances.insert("worker".into(), 9);
    world.evidence.snapshot.groups[0].label.version = None;
    assert_eq!(world.evidence.snapshot.groups[0].service, "worker");
    world.expect("contract", "go");
}

#[test]
fn a_failed_source_may_hide_a_service_that_migrate_toml_no_longer_names() {
    let mut world = World::new(SYNCED, "1.0.0");
    world.walk("expand; backfill").retire("1.0.0");
    world.evidence.min_instances.clear();
    world.evidence.snapshot.sources[0].status = SourceStatus::Stale;
    world.expect("contract", "unknown, source");
}

#[test]
fn refuse_outweighs_unknown_outweighs_hold() {
    let mut world = World::new(SYNCED, "1.0.0");
    world.walk("expand; backfill");
    let mut draining = world.clone();
    draining.evidence.snapshot.groups[0].state = InstanceState::Draining;
    draining.expect("contract", "hold, live_version web 1.0.0");
    draining.evidence.snapshot.sources[0].status = SourceStatus::Stale;
    draining.expect("contract", "unknown, source, live_version web 1.0.0");
    world.evidence.snapshot.sources[0].status = SourceStatus::Stale;
    // 1.1 could be hidden beside 1.0, which is seen.
    world.expect("contract", "refuse, live_version web 1.0.0, source");
    world.evidence.facts.remaining = Some(1);
    world.expect(
        "contract",
        "refuse, requirement, live_version web 1.0.0, source",
    );
}

#[test]
fn sources_that_spell_a_version_differently_see_the_same_instances() {
    let mut world = World::new(SYNCED, "1.2.0");
    let mut other = group(&world.live[0]);
    other.source = "orchestrator".into();
    other.label.text = "v1.2".into();
    world.evidence.snapshot.groups.push(other);
    assert_eq!(world.evidence.snapshot.proven()["web"], 1);
}

#[test]
fn an_instance_is_live_until_it_is_gone() {
    let mut world = World::new(SYNCED, "1.0.0");
    world.walk("expand; backfill");
    for state in InstanceState::ALL {
        world.evidence.snapshot.groups[0].state = state;
        let verdict = match state {
            InstanceState::Draining | InstanceState::Lost | InstanceState::Superseded => "hold",
            InstanceState::Starting
            | InstanceState::Serving
            | InstanceState::Unreadable
            | InstanceState::Contradictory => "refuse",
        };
        world.expect("contract", &format!("{verdict}, live_version web 1.0.0"));
    }
}

#[test]
fn a_hidden_version_that_a_backfill_shuts_out_may_have_started_before_it() {
    let mut world = World::new(
        "old <1.2.0 new >=1.1.0 append-only backfill contract",
        "1.1.0",
    );
    world.force("expand");
    world.walk("backfill").expect("roll 1.2.0", "go");
    world.evidence.snapshot.sources[0].status = SourceStatus::Stale;
    world.expect("roll 1.2.0", "unknown, source");
}

#[test]
fn hidden_versions_that_are_harmful_only_together_count() {
    let mut world = World::new(
        "web: reads old <1.2.0 writes old * new >=1.1.0 worker: reads old * new >=3.0.0 backfill",
        "",
    );
    world.walk("expand").expect("admit worker 3.0.0", "go");
    world.evidence.snapshot.sources[0].status = SourceStatus::Stale;
    world.expect("admit worker 3.0.0", "unknown, source");
}

/// As many versions as a fleet may show are answered about, each of them named: what is asked of every pair or triple of them
/// would not come to its end here.
#[test]
fn a_thousand_versions_in_the_way_are_answered_about() {
    let fleet: Vec<String> = (0..1_000).map(|patch| format!("1.0.{patch}")).collect();
    for declaration in [
        "old <1.2.0 new >=1.1.0 backfill contract revert",
        "old <1.2.0 new >=1.1.0 append-only backfill contract revert",
        SYNCED,
    ] {
        let mut world = World::new(declaration, &fleet.join(", "));
        for phase in [Phase::Backfilled, Phase::Contracting] {
            world.state_mut().phase = phase;
            for action in ["backfill", "revert", "admit 1.2.0"] {
                world.ask(action);
            }
            let named = world.ask("contract").blockers.len();
            assert!(named >= fleet.len(), "{declaration} {phase}: {named}");
        }
    }
}

/// What was applied is not known of the fleet, and so it is nobody's to accept.
#[test]
fn of_a_ledger_that_was_lost_nothing_is_known() {
    let mut world = World::new(SYNCED, "1.0.0");
    world.evidence.lost = Some(LostLedger {
        migration: world.state_mut().id().clone(),
        there: "the table `users`".into(),
        ledger: "the schema `phasegate`".into(),
    });
    for action in [
        "expand",
        "backfill",
        "contract",
        "revert",
        "admit web 1.0.0",
        "admit worker 1.0.0",
    ] {
        world.expect(action, "unknown, source");
        assert_eq!(
            world.ask(action).accepting_unknown().verdict,
            Verdict::Unknown,
            "{action}"
        );
    }
    let missing = missing_evidence(&world.evidence);
    assert!(missing[0].message().contains("the table `users`"));
    let line = horizon("web", &world.evidence);
    assert!(
        line.stretches
            .iter()
            .all(|stretch| !stretch.reasons.is_empty())
    );
}

/// Neither a plan nor a line of versions is looked for beside more versions than any fleet has.
#[test]
fn beside_thousands_of_versions_no_plan_is_looked_for() {
    let mut world = World::new(SYNCED, "1.0.0");
    let known = world.evidence.snapshot.groups[0].clone();
    for number in 0..5000 {
        let text = format!("9.0.{number}");
        let label = Label {
            version: text.parse().ok(),
            text,
        };
        world.evidence.snapshot.groups.push(LiveGroup {
            label,
            ..known.clone()
        });
    }
    let missing = missing_evidence(&world.evidence);
    let kinds: Vec<_> = missing
        .iter()
        .map(|blocker| blocker.kind().name())
        .collect();
    assert_eq!(kinds, ["unplaced_version"]);
}
