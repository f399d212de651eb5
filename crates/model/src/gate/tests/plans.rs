//! The worked plans of the design: every step is allowed at its turn, and the wrong orders are not.

use super::world::World;

const SHORT: &str = "old <1.2.0 new >=1.1.0 backfill contract revert";

#[test]
fn short_form_with_sync() {
    let mut world = World::new(&format!("{SHORT} sync both"), "1.0.0");
    world
        .expect("contract", "refuse, expand_first")
        .expect("backfill", "refuse, expand_first")
        .expect("roll 1.1.0", "refuse, expand_first web 1.1.0")
        .expect("roll 1.2.0", "refuse, expand_first web 1.2.0");
    world.walk("expand");
    world
        .expect("contract", "refuse, backfill_first")
        .expect("roll 1.2.0", "refuse, unreadable_rows web 1.2.0");
    world
        .clone()
        .walk("roll 1.1.0; backfill; roll 1.2.0; contract");
    world.walk("backfill");
    world.expect("contract", "refuse, live_version web 1.0.0");
    // While both are live the old format has to stay.
    world
        .clone()
        .walk("admit 1.2.0")
        .expect("contract", "refuse, live_version web 1.0.0");
    world.walk("roll 1.2.0; contract");
    world
        .expect("roll 1.1.0", "refuse, old_format_gone web 1.1.0")
        .expect("roll 1.2.7", "go")
        .expect("revert", "refuse, wrong_phase");
}

#[test]
fn short_form_append_only() {
    let mut world = World::new(&format!("{SHORT} append-only"), "1.0.0");
    world.walk("expand");
    world
        .expect("backfill", "refuse, live_version web 1.0.0")
        .expect(
            "roll 1.2.0",
            "refuse, unreadable_rows web 1.2.0, live_version web 1.0.0",
        );
    world.walk("admit 1.1.0");
    world.expect("backfill", "refuse, live_version web 1.0.0");
    world.retire("1.0.0").walk("backfill");
    world.expect("contract", "refuse, live_version web 1.1.0");
    world.clone().walk("roll 1.0.0").expect(
        "roll 1.2.0",
        "refuse, unreadable_rows web 1.2.0, live_version web 1.0.0",
    );
    world.walk("admit 1.2.0");
    world
        .expect(
            "admit 1.0.0",
            "refuse, unreadable_rows web 1.0.0, live_version web 1.2.0",
        )
        .expect("contract", "refuse, live_version web 1.1.0");
    world.retire("1.1.0").walk("contract");
}

#[test]
fn short_form_without_sync_has_no_plan() {
    let mut world = World::new(SHORT, "1.0.0");
    for state in ["", "expand"] {
        if !state.is_empty() {
            world.walk(state);
        }
        for roll in ["roll 1.1.0", "roll 1.2.0", "admit 1.1.5"] {
            assert!(!world.verdict(roll).starts_with("go"), "{roll}");
        }
    }
    world.expect("roll 1.1.0", "refuse, live_version web 1.0.0");
    world.expect("backfill", "refuse, live_version web 1.0.0");
    // With nobody live it is a migration with downtime, and that works.
    world
        .retire("1.0.0")
        .walk("admit 1.1.0; backfill; roll 1.2.0; contract");
}

#[test]
fn long_form() {
    let mut world = World::new(
        "reads old <1.2.0 new >=1.2.0 writes old <1.3.0 new >=1.1.0 backfill contract checked",
        "1.0.0",
    );
    world.walk("expand");
    world.expect("backfill", "refuse, live_version web 1.0.0");
    world.walk("admit 1.1.0");
    world.expect("backfill", "refuse, live_version web 1.0.0");
    assert!(world.state().backfill_must_overwrite(&world.live));
    world.retire("1.0.0");
    world.expect("roll 1.2.0", "refuse, unreadable_rows web 1.2.0");
    world.expect(
        "roll 1.3.0",
        "refuse, unreadable_rows web 1.3.0, live_version web 1.1.0",
    );
    let notes = world.ask("backfill").notes;
    assert!(
        notes.iter().any(|note| note.contains("overwrite")),
        "{notes:?}"
    );
    world.walk("backfill");
    world.expect("roll 1.3.0", "refuse, live_version web 1.1.0");
    world.walk("roll 1.2.0");
    world.expect("contract", "refuse, live_version web 1.2.0");
    world.walk("roll 1.3.0");
    world.expect("roll 1.1.0", "refuse, unreadable_rows web 1.1.0");
    world.walk("contract");
}

#[test]
fn rename_behind_a_view() {
    let mut world = World::new("old <1.2.0 new >=1.2.0 sync both contract revert", "1.0.0");
    world.expect("roll 1.2.0", "refuse, expand_first web 1.2.0");
    world.walk("expand");
    world.expect("contract", "refuse, live_version web 1.0.0");
    world.walk("admit 1.2.0");
    world.expect("contract", "refuse, live_version web 1.0.0");
    world.expect("revert", "refuse, live_version web 1.2.0");
    world.clone().walk("roll 1.0.0; revert; expand");
    world.retire("1.0.0").walk("contract");
}

#[test]
fn widen() {
    let mut world = World::new(
        "reads old <1.1.0 new >=1.1.0 writes old <1.2.0 new >=1.2.0 sync to-new",
        "1.0.0",
    );
    world.walk("expand");
    world.expect("roll 1.2.0", "refuse, live_version web 1.0.0");
    world.walk("admit 1.1.0");
    world.expect("admit 1.2.0", "refuse, live_version web 1.0.0");
    world.retire("1.0.0").walk("roll 1.2.0");
    world.expect("contract", "refuse, no_such_phase");
    // 1.2 has written what 1.0 cannot read.
    world.walk("roll 1.1.0");
    world.expect("roll 1.0.0", "refuse, unreadable_rows web 1.0.0");
    assert!(world.state().is_complete());
}

#[test]
fn tighten() {
    let mut world = World::new(
        "reads old <1.2.0 new >=1.2.0 writes old <1.1.0 new >=1.1.0 sync to-old backfill contract overwrites",
        "1.0.0",
    );
    world.walk("expand");
    world.expect(
        "roll 1.2.0",
        "refuse, unreadable_rows web 1.2.0, live_version web 1.0.0",
    );
    world.walk("admit 1.1.0");
    world.expect("backfill", "refuse, live_version web 1.0.0");
    world.retire("1.0.0").walk("backfill");
    world.expect("contract", "refuse, live_version web 1.1.0");
    world
        .clone()
        .walk("roll 1.0.0")
        .expect("contract", "refuse, backfill_first, live_version web 1.0.0");
    world.walk("roll 1.2.0; contract");
}

#[test]
fn only_old() {
    let mut world = World::new("old <1.1.0 no-expand contract", "1.0.0");
    world
        .expect("expand", "refuse, no_such_phase")
        .expect("contract", "refuse, live_version web 1.0.0");
    world.walk("admit 1.1.0");
    world.expect("contract", "refuse, live_version web 1.0.0");
    world.retire("1.0.0").walk("contract");
    world.expect("roll 1.0.0", "refuse, old_format_gone web 1.0.0");
    assert!(world.state().kinds.is_empty());
}

#[test]
fn only_new() {
    let mut world = World::new("new >=1.1.0 revert", "1.0.0");
    world.expect("roll 1.1.0", "refuse, expand_first web 1.1.0");
    assert!(world.state().kinds.is_empty());
    world.walk("expand");
    world.clone().walk("revert");
    world.walk("admit 1.1.0");
    world.expect("revert", "refuse, data_loss, live_version web 1.1.0");
    // Its rows are lost with the format: that is said, never done silently.
    world.retire("1.1.0").expect("revert", "refuse, data_loss");
}

#[test]
fn no_service() {
    for text in ["", "backfill", "no-expand backfill"] {
        let mut world = World::new(text, "1.0.0, worker 3.0.0");
        if !text.contains("no-expand") {
            world.walk("expand");
        }
        if text.contains("backfill") {
            world.walk("backfill");
        }
        assert!(world.state().is_complete(), "{text}");
        world.expect("roll 0.9.0", "go").expect("roll 2.0.0", "go");
    }
}

#[test]
fn a_format_that_needs_no_statement_is_there_from_the_start() {
    let mut world = World::new(&format!("no-expand {SHORT} append-only"), "1.0.0");
    world.expect(
        "roll 1.2.0",
        "refuse, unreadable_rows web 1.2.0, live_version web 1.0.0",
    );
    world.walk("roll 1.1.0; backfill; roll 1.2.0; contract");
    let mut widened = World::new(
        "no-expand reads old <1.1.0 new >=1.1.0 writes old <1.2.0 new >=1.2.0 sync to-new",
        "1.0.0",
    );
    widened.expect("roll 1.2.0", "refuse, live_version web 1.0.0");
    widened.walk("roll 1.1.0; roll 1.2.0");
    // Nothing was expanded, so nothing can be undone.
    World::new("no-expand old <1.2.0 new >=1.1.0 backfill revert", "")
        .walk("backfill")
        .expect("revert", "refuse, no_such_phase");
}
