//! The table of actions, row by row, and what lies around it: order, phases, fences.

use super::world::World;
use crate::gate::{Facts, Foreseen, Sent, Soak, Unrehearsed, Unused, Watched};
use crate::model::{AtWork, Basis, InstanceState, Keeps, Phase, Step};

const APPEND: &str = "old <1.2.0 new >=1.1.0 append-only backfill contract revert";
const SYNCED: &str = "old <1.2.0 new >=1.1.0 sync both backfill contract revert";

/// A world in which `step` is under way: the fence is recorded, the end is not.
fn amid(mut world: World, step: Step) -> World {
    let live = world.live.clone();
    let during = world.state().states_during(step, &live).remove(0);
    *world.state_mut() = during;
    world
}

#[test]
fn expand_is_always_allowed_in_order() {
    for text in [
        "",
        SYNCED,
        APPEND,
        "new >=1.1.0",
        "old <1.2.0",
        "old <1.2.0 new >=1.1.0",
    ] {
        for fleet in ["", "1.0.0", "1.0.0, 0.9.0"] {
            World::new(text, fleet).expect("expand", "go");
        }
    }
    let mut world = World::new("0001_a | 0002_b | 0003_c", "1.0.0");
    world
        .expect("expand 0002_b", "refuse, order")
        .expect("expand 0003_c", "refuse, order");
    world.walk("expand 0001_a; expand 0002_b");
    world
        .expect("expand 0001_a", "go")
        .expect("expand 0003_c", "go");
    world.expect("expand 0009_x", "refuse, no_such_phase");
}

#[test]
fn what_an_earlier_migration_keeps_in_step_waits_for_its_contract() {
    let mut world = World::new(
        "0001_a old <1.2.0 new >=1.1.0 sync both backfill contract revert | 0002_b contract | 0003_c",
        "1.0.0",
    );
    let basis = Basis {
        migration: "0001_a".parse().unwrap(),
        keeps: Keeps::Columns {
            table: "users".into(),
            columns: vec!["name".into(), "nom".into()],
        },
        from: Step::Expand,
    };
    let bases = [("0002_b".parse().unwrap(), vec![basis])].into();
    world.evidence.schema = world.evidence.schema.clone().building_on(bases);
    world.expect("expand 0002_b", "refuse, order");
    world.walk("expand 0001_a");
    world.expect("expand 0002_b", "refuse, contract_first");
    // What is known of that contract is what the advice goes by.
    let mut soaking = world.clone();
    soaking.walk("roll 1.1.0; backfill 0001_a; roll 1.2.0");
    let advice = |world: &World| world.ask("expand 0002_b").blockers[0].help();
    assert!(advice(&soaking).contains("`migrate contract 0001_a`"));
    let foreseen = Foreseen {
        soak: Some(Soak {
            required_ms: 10_000,
            quiet_ms: 9_999,
        }),
        ..Foreseen::default()
    };
    let contracts = &mut soaking.evidence.contracts;
    contracts.insert("0001_a".parse().unwrap(), foreseen);
    soaking.expect("contract 0001_a", "hold, soak");
    let waits = advice(&soaking);
    assert!(
        waits.contains("once this has passed: no old version"),
        "{waits}"
    );
    // One that was expanded nevertheless, before anybody asked.
    let mut both = world.clone();
    both.force("expand 0002_b");
    both.expect("contract 0002_b", "refuse, contract_first");
    world.walk("roll 1.1.0; backfill 0001_a; roll 1.2.0; contract 0001_a; expand 0002_b; expand 0003_c; contract 0002_b");
}

/// What a contract is to define, or names, waits for nobody's expand: it is in the way of later ones from the beginning.
#[test]
fn what_a_contract_is_to_define_waits_for_it() {
    let basis = |keeps: Keeps, from: Step| {
        let basis = Basis {
            migration: "0001_a".parse().unwrap(),
            keeps,
            from,
        };
        [("0002_b".parse().unwrap(), vec![basis])].into()
    };
    let text = "0001_a no-expand old <1.1.0 contract | 0002_b old <1.2.0 contract";
    let definition = Keeps::Definition {
        table: "users".into(),
        name: "e".into(),
    };
    let mut world = World::new(text, "1.0.0");
    world.evidence.schema = world
        .evidence
        .schema
        .clone()
        .building_on(basis(definition, Step::Expand));
    world.expect("expand 0002_b", "refuse, contract_first");
    // One that came into the project after the other was expanded would undo what that has made.
    let mut passed = world.clone();
    passed.force("expand 0002_b");
    passed.walk("roll 1.1.0");
    passed.expect("contract 0001_a", "refuse, order");
    world.walk("roll 1.1.0; contract 0001_a; expand 0002_b; roll 1.2.0; contract 0002_b");

    let needed = Keeps::Needed {
        table: "users".into(),
        column: Some("name".into()),
    };
    let mut world = World::new(text, "1.0.0");
    world.evidence.schema = world
        .evidence
        .schema
        .clone()
        .building_on(basis(needed, Step::Contract));
    world.walk("expand 0002_b; roll 1.2.0");
    world.expect("contract 0002_b", "refuse, contract_first");
    world.walk("contract 0001_a; contract 0002_b");
}

#[test]
fn a_migration_that_has_nothing_to_expand_is_not_waited_for() {
    World::new("0001_a no-expand old <1.1.0 contract | 0002_b", "1.0.0")
        .expect("expand 0002_b", "go");
}

#[test]
fn backfill_waits_for_old_only_writers() {
    for (sync, verdict) in [
        ("none", "refuse, live_version web 1.0.0"),
        ("to-old", "refuse, live_version web 1.0.0"),
        ("to-new", "go"),
        ("both", "go"),
    ] {
        let text = format!("old <1.2.0 new >=1.1.0 sync {sync} backfill contract");
        World::new(&text, "1.0.0")
            .walk("expand")
            .expect("backfill", verdict);
    }
    // One that only reads the old format is in nobody's way.
    World::new(
        "reads old <1.2.0 writes new >=1.1.0 backfill contract",
        "1.0.0",
    )
    .walk("expand; backfill");
}

#[test]
fn backfill_refuses_where_no_statement_could_tell_which_side_is_right() {
    // An old-only writer beside one of both leaves (F,S); one of new only leaves (S,F).
    let mut world = World::new(
        "web: writes old <1.2.0 new >=1.1.0 backfill contract",
        "1.0.0",
    );
    world
        .walk("expand; roll 1.1.0; admit 1.2.0")
        .retire("1.1.0, 1.0.0");
    world.expect("backfill", "refuse, undecidable_rows");
    let mut append = World::new(
        "append-only writes old <1.2.0 new >=1.1.0 backfill contract",
        "1.0.0",
    );
    append.walk("expand; roll 1.1.0; roll 1.2.0; backfill");
}

#[test]
fn contract_needs_every_version_off_the_old_format() {
    for text in [
        "reads old <1.2.0 new >=1.2.0 writes new >=1.1.0 sync both contract",
        "reads new >=1.1.0 writes old <1.2.0 new >=1.2.0 sync both contract",
    ] {
        let mut world = World::new(text, "1.1.0");
        world.force("expand");
        world.expect("contract", "refuse, live_version web 1.1.0");
        world.walk("roll 1.2.0; contract");
    }
}

#[test]
fn a_service_that_is_not_named_does_not_matter() {
    let mut world = World::new(SYNCED, "1.0.0, worker 0.1.0");
    // Named by migrate.toml all the same.
    world.evidence.min_instances.insert("worker".into(), 0);
    world.walk("expand; backfill; roll 1.2.0");
    world
        .expect("contract", "go")
        .expect("admit worker 9.0.0", "go");
    world.walk("contract");
}

#[test]
fn two_services_are_judged_together() {
    let mut world = World::new(
        "web: old <1.2.0 new >=1.1.0 worker: reads old <3.0.0 new >=3.0.0 append-only backfill contract",
        "1.0.0, worker 2.0.0",
    );
    world.walk("expand; roll 1.1.0; backfill");
    world.expect("roll 1.2.0", "refuse, live_version worker 2.0.0");
    world.walk("roll worker 3.0.0; roll 1.2.0");
    world.expect("roll worker 2.0.0", "refuse, unreadable_rows worker 2.0.0");
    world.walk("contract");
}

#[test]
fn contract_without_a_backfill_or_sync_would_lose_rows() {
    let mut world = World::new("old <1.2.0 new >=1.1.0 append-only contract", "1.1.0");
    world.force("expand");
    world
        .retire("1.1.0")
        .expect("contract", "refuse, data_loss");
}

#[test]
fn revert_keeps_what_was_written() {
    for (sync, verdict) in [
        ("none", "refuse, data_loss"),
        ("to-new", "refuse, data_loss"),
        ("to-old", "go"),
        ("both", "go"),
    ] {
        let text = format!(
            "reads new >=1.2.0 writes old <1.2.0 new >=1.2.0 sync {sync} backfill contract revert"
        );
        let mut world = World::new(&text, "");
        world.walk("expand");
        world.clone().walk("revert");
        world.walk("backfill; admit 1.2.0");
        assert!(world.verdict("revert").contains("live_version web 1.2.0"));
        world.retire("1.2.0").expect("revert", verdict);
    }
    let mut world = World::new("0001_a revert | 0002_b revert", "");
    world
        .walk("expand; expand 0002_b")
        .expect("revert", "refuse, order");
    world.walk("revert 0002_b; revert");
    World::new("old <1.0.0", "").expect("revert", "go");
    World::new("old <1.0.0", "")
        .walk("expand")
        .expect("revert", "refuse, no_such_phase");
}

#[test]
fn admission_during_contract_and_revert() {
    let mut world = World::new(SYNCED, "1.0.0");
    world.walk("expand; backfill; roll 1.1.0");
    let contracting = amid(world.clone().walk("roll 1.2.0").clone(), Step::Contract);
    contracting
        .expect("admit 1.1.0", "refuse, old_format_gone web 1.1.0")
        .expect("admit 1.2.1", "go")
        .expect("contract", "go");
    let reverting = amid(world.walk("roll 1.0.0").clone(), Step::Revert);
    reverting
        .expect("admit 1.1.0", "refuse, expand_first web 1.1.0")
        .expect("admit 1.0.1", "go")
        .expect("expand", "refuse, wrong_phase")
        .expect("revert", "go");
}

#[test]
fn a_fence_that_is_up_does_not_excuse_who_is_still_behind_it() {
    let mut world = World::new(SYNCED, "1.0.0");
    world.walk("expand; backfill; roll 1.1.0");
    amid(world.clone(), Step::Contract).expect("contract", "refuse, live_version web 1.1.0");
    amid(world, Step::Revert).expect("revert", "refuse, live_version web 1.1.0");
}

#[test]
fn an_old_only_writer_after_a_backfill_makes_it_run_again() {
    let mut world = World::new(APPEND, "1.1.0");
    world.force("expand");
    world.walk("backfill");
    assert!(!world.ask("admit 1.0.0").notes.is_empty());
    world.walk("roll 1.0.0");
    assert_eq!(world.state().phase, Phase::Expanded);
    // The live version is the real reason.
    world.expect("contract", "refuse, backfill_first, live_version web 1.0.0");
    world.walk("roll 1.1.0; backfill; roll 1.2.0");
    world.expect(
        "admit 1.0.0",
        "refuse, unreadable_rows web 1.0.0, live_version web 1.2.0",
    );
}

#[test]
fn a_backfill_that_an_unadmitted_writer_undid_is_not_done() {
    let mut world = World::new(APPEND, "1.1.0");
    world.force("expand");
    world.walk("backfill");
    world.expect("backfill", "go");
    // It started past the gate, so nothing was recorded.
    world.live.push(crate::model::testing::live("web 1.0.0"));
    world.evidence.snapshot = crate::model::testing::snapshot(&world.live);
    world.expect("backfill", "refuse, live_version web 1.0.0");
}

#[test]
fn an_overwriting_backfill_keeps_out_who_writes_only_the_new_format() {
    let mut world = World::new("writes old <1.2.0 new >=1.1.0 backfill contract", "1.0.0");
    world.walk("expand; roll 1.1.0");
    assert!(world.state().backfill_must_overwrite(&world.live));
    let amid = amid(world, Step::Backfill);
    amid.expect("admit 1.2.0", "refuse, backfill_first web 1.2.0");
    let mut at_work = amid.clone();
    at_work.evidence.facts.at_work = AtWork::told("ci", "backfill 0001_a");
    at_work.expect("admit 1.2.0", "hold, backfill_first web 1.2.0");
    amid.expect("admit 1.1.1", "go");
}

#[test]
fn candidates_that_cannot_run_together() {
    let mut world = World::new("old <1.2.0 new >=1.2.0 append-only backfill contract", "");
    world.walk("expand; backfill");
    world
        .expect("admit 1.0.0", "go")
        .expect("admit 1.2.0", "go")
        .expect(
            "admit 1.0.0, 1.2.0",
            "refuse, incompatible web 1.0.0, incompatible web 1.2.0",
        );
}

#[test]
fn a_version_that_came_too_early_is_no_reason_against_its_cure() {
    let world = World::new(
        "old <1.2.0 new >=1.2.0 append-only backfill contract",
        "1.2.0",
    );
    world.expect("expand", "refuse, contradiction web 1.2.0");
    world.expect("backfill", "refuse, expand_first, contradiction web 1.2.0");
    world.expect("contract", "refuse, expand_first, contradiction web 1.2.0");
    // Its cure is to stop it. One that only starts may be waiting for this very expand.
    let mut starting = world;
    starting.evidence.snapshot.groups[0].state = InstanceState::Starting;
    starting.expect("expand", "go");
    let notes = starting.ask("expand").notes;
    assert_eq!(
        notes,
        [
            "web 1.2.0 is live already and came before the new format that it needs; \
             it still cannot read existing rows until the backfill is done"
        ]
    );
}

#[test]
fn what_was_measured() {
    let mut world = World::new(SYNCED, "1.0.0");
    world.walk("expand; backfill; roll 1.2.0");
    let soak = |quiet_ms| {
        Some(Soak {
            required_ms: 10_000,
            quiet_ms,
        })
    };
    let unused = |for_ms, ago_ms: Option<i64>| {
        let sent = ago_ms.map(|ago_ms| Sent {
            text: "SELECT full_name FROM users".into(),
            roles: "nightly".into(),
            ago_ms,
        });
        Facts {
            unused: Some(Unused {
                required_ms: 10_000,
                watched: Watched::Looked {
                    for_ms,
                    began: None,
                    sent: sent.into_iter().collect(),
                },
            }),
            ..Facts::default()
        }
    };
    let unrehearsed = |found| Facts {
        unrehearsed: Some(found),
        ..Facts::default()
    };
    for (facts, verdict) in [
        (
            Facts {
                remaining: Some(0),
                require: vec![("q".into(), 0)],
                soak: soak(10_000),
                ..Facts::default()
            },
            "go",
        ),
        (
            Facts {
                remaining: Some(3),
                ..Facts::default()
            },
            "refuse, requirement",
        ),
        (
            Facts {
                require: vec![("q".into(), 0), ("r".into(), -1)],
                ..Facts::default()
            },
            "refuse, requirement",
        ),
        (
            Facts {
                soak: soak(9_999),
                ..Facts::default()
            },
            "hold, soak",
        ),
        (
            Facts {
                soak: soak(-5),
                remaining: Some(1),
                ..Facts::default()
            },
            "refuse, requirement, soak",
        ),
        (unused(10_000, None), "go"),
        (unused(9_999, None), "unknown, in_use"),
        (unused(20_000, Some(10_000)), "go"),
        (unused(20_000, Some(9_999)), "refuse, in_use"),
        // Looks that began anew do not make use undone.
        (unused(1, Some(1)), "refuse, in_use"),
        (
            Facts {
                unused: Some(Unused {
                    required_ms: 10_000,
                    watched: Watched::Unseen {
                        why: "nobody counts".into(),
                    },
                }),
                ..Facts::default()
            },
            "unknown, in_use",
        ),
        (
            Facts {
                needed: vec!["the view `v` needs the column `users.name`".into()],
                ..Facts::default()
            },
            "refuse, needed",
        ),
        (unrehearsed(Unrehearsed::Never), "unknown, rehearsal"),
        (
            unrehearsed(Unrehearsed::OtherFiles { at: 1 }),
            "unknown, rehearsal",
        ),
        (
            unrehearsed(Unrehearsed::Denied { at: 1 }),
            "refuse, rehearsal",
        ),
    ] {
        world.evidence.facts = facts;
        world.expect("contract", verdict);
    }
    let mut running = amid(
        World::new(SYNCED, "1.0.0").walk("expand").clone(),
        Step::Backfill,
    );
    running.expect("contract", "refuse, backfill_first");
    running.evidence.facts.at_work = AtWork::told("ci", "rollout to web=1.2.0");
    running.expect("contract", "hold, backfill_first");
}

#[test]
fn what_somebody_is_at_work_on_passes_by_itself_and_what_is_paused_does_not() {
    let mut running = amid(
        World::new(SYNCED, "1.0.0").walk("expand").clone(),
        Step::Backfill,
    );
    let facts = |world: &mut World, doing: &str, paused: &[u64]| {
        world.evidence.facts.at_work = AtWork::told("ci", doing);
        world.evidence.facts.paused = paused.iter().copied().collect();
    };
    for (doing, paused, verdict) in [
        ("backfill 0001_a", &[][..], "hold, backfill_first"),
        ("backfill 0001_a", &[2], "hold, backfill_first"),
        ("backfill 0001_a", &[1], "refuse, backfill_first"),
        // Somebody is at work, and not on this one.
        ("backfill 0002_b", &[], "refuse, backfill_first"),
        ("", &[1], "refuse, backfill_first"),
    ] {
        facts(&mut running, doing, paused);
        running.expect("contract", verdict);
    }
    let helped = |world: &World, words: &str| world.ask(words).blockers[0].help();
    facts(&mut running, "backfill 0001_a", &[1]);
    assert!(
        helped(&running, "contract").starts_with("`migrate backfill resume 0001_a` lets it go on")
    );
    facts(&mut running, "", &[1]);
    assert_eq!(
        helped(&running, "contract"),
        "`migrate backfill resume 0001_a`, and then `migrate backfill 0001_a`"
    );
    let overwriting = "writes old <1.2.0 new >=1.1.0 backfill contract";
    let mut amid = amid(
        World::new(overwriting, "1.0.0")
            .walk("expand; roll 1.1.0")
            .clone(),
        Step::Backfill,
    );
    facts(&mut amid, "backfill 0001_a", &[1]);
    amid.expect("admit 1.2.0", "refuse, backfill_first web 1.2.0");
    assert!(helped(&amid, "admit 1.2.0").contains("resume 0001_a"));

    let mut pending = World::new(&format!("{SYNCED} | 0002_b"), "1.0.0");
    pending.expect("backfill", "refuse, expand_first");
    pending.evidence.facts.at_work = AtWork::told("ci", "expand 0001_a");
    pending
        .expect("backfill", "hold, expand_first")
        .expect("admit 1.1.0", "hold, expand_first web 1.1.0")
        .expect("expand 0002_b", "hold, order");
}

#[test]
fn a_way_back_is_named_only_where_there_is_one() {
    let helped = |second: &str, walk: &str| {
        let mut world = World::new(&format!("0001_a revert | {second}"), "");
        world.walk(walk);
        world.ask("revert 0001_a").blockers[0].help()
    };
    assert_eq!(
        helped("0002_b revert", "expand; expand 0002_b"),
        "run `migrate revert 0002_b` first"
    );
    for second in [
        "0002_b",
        "0002_b no-expand backfill",
        "0002_b old <1.1.0 contract revert",
    ] {
        let walk = match second {
            "0002_b no-expand backfill" => "expand; backfill 0002_b",
            "0002_b" => "expand; expand 0002_b",
            _ => "expand; expand 0002_b; contract 0002_b",
        };
        let help = helped(second, walk);
        assert!(
            help.starts_with("undo 0001_a with a new migration"),
            "{second}: {help}"
        );
    }
}

#[test]
fn an_ambiguous_prerelease_has_to_be_safe_both_ways() {
    let mut world = World::new(
        "old <1.2.0 new >=1.2.0 append-only backfill contract",
        "1.0.0",
    );
    world.walk("expand");
    world.expect(
        "admit 1.2.0-rc.1",
        "refuse, incompatible web 1.2.0-rc.1, unreadable_rows web 1.2.0-rc.1, live_version web 1.0.0",
    );
    world.expect("admit 1.1.9-rc.1", "go");
    world.walk("roll 1.0.1").retire("1.0.1").walk("backfill");
    // Alone it either leaves rows without a new format or reads only that.
    world.expect("admit 1.2.0-rc.1", "refuse, incompatible web 1.2.0-rc.1");
    world.walk("roll 1.2.0; contract");
    world.expect("admit 1.2.0-rc.1", "refuse, old_format_gone web 1.2.0-rc.1");
    world.expect("admit 1.2.1-rc.1", "go");
}

#[test]
fn behind_a_fence_that_is_up_versions_still_read() {
    let mut world = World::new(
        "reads old <1.2.0 new >=1.2.0 writes new >=1.2.0 backfill contract",
        "1.0.0",
    );
    world.walk("expand; backfill");
    amid(world, Step::Contract)
        .expect("admit 1.2.0", "refuse, live_version web 1.0.0")
        // One more of what still runs is not let in.
        .expect("admit 1.0.0", "refuse, old_format_gone web 1.0.0");
    let mut world = World::new("old <1.2.0 new >=1.2.0 sync both revert", "");
    world.walk("expand; admit 1.2.0");
    // The triggers may be gone already.
    amid(world, Step::Revert).expect("admit 1.0.0", "refuse, live_version web 1.2.0");
}

#[test]
fn a_backfill_leaves_alone_what_may_be_written_while_it_runs() {
    let text = "reads old * new * writes old <1.2.0 new >=1.1.0 backfill contract";
    let mut world = World::new(text, "");
    world.walk("expand; admit 1.1.0");
    let notes = world.ask("backfill").notes;
    assert!(
        notes
            .iter()
            .any(|note| note.contains("leave a new format alone")),
        "{notes:?}"
    );
    // Nobody has written only the new format yet, and somebody may.
    amid(world, Step::Backfill).expect("admit 1.2.0", "go");
}

/// The short form, mutable rows, no sync.
const UNSYNCED: &str = "old <1.2.0 new >=1.1.0 backfill contract revert";

#[test]
fn what_is_broken_already_excuses_nothing_that_the_candidate_writes() {
    let mut world = World::new(UNSYNCED, "");
    world.walk("expand; admit 1.1.0");
    // However it came about: 1.1.0 runs, and rows may exist that it cannot read.
    world.state_mut().kinds = "FF FS FA".parse().unwrap();
    world.expect("roll 1.0.0", "refuse, live_version web 1.1.0");
    world.expect("roll 1.1.0", "refuse, unreadable_rows web 1.1.0");
    // Who writes nothing of it makes nothing worse.
    world.expect("admit worker 1.0.0", "go");
}

#[test]
fn what_others_do_to_a_candidates_rows_is_its_part_as_well() {
    // The worker writes only the old format past what web writes in both.
    let text =
        "web: reads new >=1.1.0 writes old >=1.0.0 new >=1.0.0 worker: old * backfill contract";
    let mut world = World::new(text, "worker 1.0.0");
    world.force("expand");
    world.force("admit 1.1.0");
    world.state_mut().kinds = "FS FA".parse().unwrap();
    // 1.0.0 reads nothing, and each of its rows may become one that 1.1.0 cannot read.
    let verdict = world.verdict("admit 1.0.0");
    assert!(verdict.contains("live_version web 1.1.0"), "{verdict}");
}

#[test]
fn a_backfill_is_not_excused_by_rows_that_are_lost_already() {
    let mut world = World::new("writes old <1.2.0 new >=1.1.0 backfill contract", "");
    world.walk("expand");
    // Where one row may be lost, a backfill that overwrites would lose others.
    world.state_mut().kinds = "FS SF SS".parse().unwrap();
    world.expect("backfill", "refuse, undecidable_rows");
}

#[test]
fn swapped_ranges_are_asked_about() {
    let mut world = World::new(
        "old >=1.1.0 new <1.2.0 sync both backfill contract",
        "1.0.0",
    );
    for step in ["expand", "backfill", "contract"] {
        assert!(world.verdict(step).starts_with("refuse"), "{step}");
        let said = world.ask(step).blockers;
        assert!(
            said.iter()
                .any(|blocker| blocker.message().contains("swapped")),
            "{said:?}"
        );
    }
    // Statement by statement, an expand may stand still halfway.
    world.state_mut().phase = Phase::Expanding;
    world.expect("expand", "refuse, contradiction web 1.0.0");
    let plain = world.ask("expand").blockers.remove(0).help();
    assert!(plain.contains("migrate revert"), "{plain}");
    // An ambiguous pre-release may be the old code.
    World::new("old <1.2.0 new >=1.2.0 sync both", "1.2.0-rc.1").expect("expand", "go");
    // The way out: it is stopped.
    world.retire("1.0.0").expect("expand", "go");
}

#[test]
fn a_backfill_that_has_to_overwrite_says_that_it_does() {
    let text = "reads old <1.2.0 new >=1.2.0 writes old <1.3.0 new >=1.1.0 backfill contract";
    for (said, verdict) in [
        ("", "refuse, undeclared_fill"),
        (" overwrites", "go"),
        (" checked", "go"),
    ] {
        let mut world = World::new(&format!("{text}{said}"), "1.0.0");
        world.walk("expand; roll 1.1.0").expect("backfill", verdict);
        // A plan is the same whatever is said.
        assert_eq!(
            world.ask("backfill").in_a_plan().verdict,
            crate::gate::Verdict::Go
        );
    }
    // Where nothing can be stale, nothing has to be said.
    World::new(&format!("{text} append-only"), "1.0.0").walk("expand; roll 1.1.0; backfill");
}

#[test]
fn a_backfill_that_must_not_overwrite_does_not_say_that_it_does() {
    let text = "reads old * new * writes old <1.2.0 new >=1.1.0 backfill contract";
    let mut world = World::new(&format!("{text} overwrites"), "");
    world
        .walk("expand; admit 1.1.0")
        .expect("backfill", "refuse, undeclared_fill");
}

#[test]
fn what_a_rollout_replaces_goes_by_itself() {
    let mut world = World::new(SYNCED, "1.0.0");
    world.walk("expand; backfill");
    world.expect("contract", "refuse, live_version web 1.0.0");
    world
        .evidence
        .rolling
        .insert("web".into(), "1.2.0".parse().unwrap());
    world.expect("contract", "hold, live_version web 1.0.0");
    // What it brings does not go.
    world
        .evidence
        .rolling
        .insert("web".into(), "1.0.0".parse().unwrap());
    world.expect("contract", "refuse, live_version web 1.0.0");
}

#[test]
fn a_source_that_does_not_know_of_drains_does_not_hide_one() {
    let mut world = World::new(SYNCED, "1.0.0");
    world.walk("expand; backfill");
    let mut other = world.evidence.snapshot.groups[0].clone();
    other.source = "list".into();
    other.state = InstanceState::Draining;
    world.evidence.snapshot.groups.push(other.clone());
    world.expect("contract", "hold, live_version web 1.0.0");
    other.state = InstanceState::Serving;
    world.evidence.snapshot.groups.push(other);
    world.expect("contract", "refuse, live_version web 1.0.0");
}
