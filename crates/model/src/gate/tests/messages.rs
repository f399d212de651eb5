//! Whole answers, as somebody reads them at three in the morning.

use super::world::World;

fn said(world: &World, words: &str) -> String {
    let decision = world.ask(words);
    let lines = decision
        .blockers
        .iter()
        .map(|b| format!("{}\n  help: {}", b.message(), b.help()));
    lines
        .chain(decision.notes.iter().map(|note| format!("note: {note}")))
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn blockers() {
    let mut world = World::new("old <1.2.0 new >=1.1.0 backfill contract revert", "1.0.0");
    insta::assert_snapshot!(said(&world, "roll 1.1.0"), @r#"
    web 1.1.0 reads and writes the new format of 0001_a, which is not expanded yet
      help: run `migrate expand --up-to 0001_a` first
    note: versions of web that may start now: <1.1.0
    "#);
    world.walk("expand");
    insta::assert_snapshot!(said(&world, "roll 1.1.0"), @r#"
    web 1.0.0 leaves rows in 0001_a that web 1.1.0 cannot read (old fresh, new stale)
      help: no version of web that may start now could take the place of web 1.0.0. To go on without downtime put a release in between that reads old and writes both formats, or install a `sync` in expand.sql, or declare `rows = "append-only"` if rows are never updated; `migrate plan --to web=VERSION` shows what would open a way
    note: versions of web that may start now: <1.1.0
    "#);
    insta::assert_snapshot!(said(&world, "backfill"), @r#"
    web 1.0.0 writes only the old format: rows that it writes meanwhile would lack a fresh new one
      help: no version of web that may start now could take the place of web 1.0.0. To go on without downtime put a release in between that reads old and writes both formats, or install a `sync` in expand.sql, or declare `rows = "append-only"` if rows are never updated; `migrate plan --to web=VERSION` shows what would open a way
    "#);
    world.retire("1.0.0").walk("admit 1.1.0");
    insta::assert_snapshot!(said(&world, "roll 1.2.0"), @r#"
    web 1.2.0 cannot read rows that may exist in 0001_a (old fresh, new absent)
      help: run `migrate backfill 0001_a` first
    note: versions of web that may start now: >=1.1.0, <1.2.0
    "#);
    world.walk("backfill");
    insta::assert_snapshot!(said(&world, "contract"), @r#"
    web 1.1.0 reads and writes the old format
      help: replace web 1.1.0 by a version in the range >=1.2.0, which may start now, and wait until its last instance is gone (`migrate fleet` shows where it runs)
    "#);
    insta::assert_snapshot!(said(&world, "roll 1.2.0-rc.1"), @"");
    world
        .walk("roll 1.2.0")
        .evidence
        .min_instances
        .insert("web".into(), 2);
    insta::assert_snapshot!(said(&world, "contract"), @r#"
    1 of at least 2 instances of web are seen: others may be live unseen
      help: start them with `migrate agent`, name a source that sees them, or set min_instances = 1 under [services.web] if that is all there are
    "#);
    insta::assert_snapshot!(said(&world, "revert"), @r#"
    rows may exist whose old format is missing or stale: going back would lose what was written in the new one
      help: go on to the contract, or carry the data back in a new migration
    web 1.2.0 reads and writes the new format
      help: no version of web that may start now could take the place of web 1.2.0: with downtime, stop it down to its last instance (`migrate fleet` shows where it runs)
    1 of at least 2 instances of web are seen: others may be live unseen
      help: start them with `migrate agent`, name a source that sees them, or set min_instances = 1 under [services.web] if that is all there are
    "#);
}

#[test]
fn who_is_only_remembered_is_told_to_be_gone_by_a_look() {
    let mut world = World::new(
        "old <1.2.0 new >=1.1.0 sync both backfill contract",
        "1.0.0",
    );
    world.walk("expand; backfill");
    let shown = world.ask("contract").blockers.remove(0);
    let snapshot = &mut world.evidence.snapshot;
    snapshot.remembered = std::mem::take(&mut snapshot.groups);
    let remembered = world.ask("contract").blockers.remove(0);
    // It is in the way for the same reason, and what is seen of it is another matter.
    assert_eq!(shown.reason, remembered.reason);
    assert_ne!(shown, remembered);
    let help = remembered.help();
    assert!(help.starts_with(&shown.help()), "{help}");
    assert!(
        help.ends_with("`migrate fleet --record` says so to all"),
        "{help}"
    );
}
