//! What is named as a way out is one, and what blocks is named.

use super::plans::{problem, said, steps};
use crate::gate::Verdict;
use crate::model::{MigrationState, Phase, Schema};
use crate::planner::{Way, plan};

#[test]
fn a_release_of_each_service_may_be_missing() {
    let text =
        "web: old <1.2.0 new >=1.1.0 worker: old <3.2.0 new >=3.1.0 append-only backfill contract";
    let from = "1.0.0, worker 3.0.0";
    let to = "1.2.0, worker 3.2.0";
    insta::assert_snapshot!(said(&problem(text, from, "", to)), @r#"
    unreadable_rows: web 1.2.0 cannot read rows that may exist in 0001_a (old fresh, new absent)
    live_version: web 1.2.0 leaves rows in 0001_a that web 1.0.0 cannot read (old absent, new fresh)
    live_version: web 1.2.0 leaves rows in 0001_a that worker 3.0.0 cannot read (old absent, new fresh)
    unreadable_rows: worker 3.2.0 cannot read rows that may exist in 0001_a (old fresh, new absent)
    live_version: worker 3.2.0 leaves rows in 0001_a that web 1.0.0 cannot read (old absent, new fresh)
    live_version: worker 3.2.0 leaves rows in 0001_a that worker 3.0.0 cannot read (old absent, new fresh)
    live_version: web 1.0.0 writes only the old format: rows that it writes meanwhile would lack a fresh new one
    live_version: worker 3.0.0 writes only the old format: rows that it writes meanwhile would lack a fresh new one
    way out: a release of web in the range >=1.1.0, <1.2.0 and a release of worker in the range >=3.1.0, <3.2.0: name them under `releases` in migrate.toml, or with `--via web=1.1.0 --via worker=3.1.0`
    way out: `sync = "both"`, if expand.sql makes every write of one format refresh the other (triggers, a view)
    "#);
    let said = said(&problem(text, from, "1.1.0, worker 3.1.0", to));
    assert_eq!(
        said,
        "expand, roll 1.1.0, roll worker 3.1.0, backfill, roll 1.2.0, roll worker 3.2.0, contract"
    );
}

#[test]
fn a_service_that_stays_may_be_in_the_way() {
    // web writes only, worker reads only: it has to read the new format before web writes it.
    let text = "web: writes old <1.2.0 new >=1.2.0 worker: reads old <3.1.0 new >=3.1.0 sync to-new contract";
    let from = "1.0.0, worker 3.0.0";
    insta::assert_snapshot!(said(&problem(text, from, "worker 3.1.0", "1.2.0")), @r#"
    live_version: web 1.2.0 leaves rows in 0001_a that worker 3.0.0 cannot read (right in the new format only)
    way out: a rollout of worker as well: `--to worker=3.1.0`
    way out: `sync = "both"` or `sync = "to-old"`, if expand.sql makes every write of one format refresh the other (triggers, a view)
    "#);
    let said = said(&problem(text, from, "", "1.2.0, worker 3.1.0"));
    assert_eq!(said, "expand, roll worker 3.1.0, roll 1.2.0, contract");
}

#[test]
fn what_the_goal_does_not_allow_yet_is_left() {
    let text = "old <1.2.0 new >=1.1.0 sync both backfill contract";
    insta::assert_snapshot!(said(&problem(text, "1.0.0", "", "1.1.0")), @r#"
    expand, backfill, roll 1.1.0
    left: contract 0001_a
      web 1.1.0 reads and writes the old format
    "#);
    insta::assert_snapshot!(said(&problem(text, "1.0.0", "", "")), @r#"
    expand, backfill
    left: contract 0001_a
      web 1.0.0 reads and writes the old format
    "#);
    let long = "reads old <1.2.0 new >=1.2.0 writes old <1.3.0 new >=1.1.0 backfill contract";
    insta::assert_snapshot!(said(&problem(long, "1.0.0", "", "")), @r#"
    expand
    left: backfill 0001_a
      web 1.0.0 writes only the old format: rows that it writes meanwhile would lack a fresh new one
    "#);
}

#[test]
fn every_release_and_declaration_that_is_named_opens_a_way() {
    for text in [
        "old <1.2.0 new >=1.1.0 backfill contract append-only",
        "old <1.2.0 new >=1.1.0 backfill contract",
        "old <1.2.0 new >=1.2.0 backfill contract append-only",
        "reads old <1.1.0 new >=1.1.0 writes old <1.2.0 new >=1.2.0 sync to-new",
        "reads old <1.2.0 new >=1.2.0 writes old <1.1.0 new >=1.1.0 sync to-old backfill contract",
        "reads old <1.2.0 new >=1.2.0 writes old <1.3.0 new >=1.1.0 backfill contract",
    ] {
        let problem = problem(text, "1.0.0", "", "1.3.0");
        let Err(none) = plan(&problem) else {
            panic!("{text}")
        };
        assert!(!none.ways_out.is_empty(), "{text}: {none:#?}");
        let mut opened = problem.clone();
        for way in none.ways_out.iter().filter(|way| way.way == Way::Release) {
            // The message names a version from the range.
            for release in &way.releases {
                let range = release.range.trim_start_matches(">=");
                let version = range.split(',').next().unwrap();
                opened.releases.push(crate::model::Live {
                    service: release.service.clone(),
                    version: version.parse().unwrap(),
                });
            }
        }
        if opened.releases != problem.releases {
            assert!(plan(&opened).is_ok(), "{text}: {none:#?}");
        }
    }
}

#[test]
fn a_backfill_that_an_admission_undoes_runs_again_only_if_it_must() {
    // 1.1 writes only the old format once more: what was filled before it is filled after it.
    let text = "writes old >=1.1.0,<1.2.0 reads old <1.3.0 new >=1.3.0 backfill contract";
    let plan = plan(&problem(text, "1.0.0", "1.1.0, 1.2.0", "1.3.0")).unwrap();
    assert_eq!(steps(&plan), "expand, backfill, roll 1.3.0, contract");
}

#[test]
fn a_contract_under_way_is_a_fence_for_plans_as_well() {
    let mut problem = problem(
        "old <1.2.0 new >=1.2.0 sync both contract",
        "1.2.0",
        "",
        "1.1.0",
    );
    let mut state: MigrationState = problem.schema.migrations()[0].clone();
    state.phase = Phase::Contracting;
    problem.schema = Schema::new(vec![state]);
    insta::assert_snapshot!(said(&problem), @"old_format_gone: web 1.1.0 reads and writes the old format of 0001_a, which is being removed");
}

#[test]
fn a_revert_under_way_has_to_end_first() {
    let mut problem = problem(
        "old <1.2.0 new >=1.2.0 sync both contract revert",
        "1.0.0",
        "",
        "1.2.0",
    );
    let mut state: MigrationState = problem.schema.migrations()[0].clone();
    state.phase = Phase::Reverting;
    problem.schema = Schema::new(vec![state]);
    let none = plan(&problem).unwrap_err();
    assert_eq!(none.blockers[0].verdict(), Verdict::Refuse);
    assert!(none.blockers[0].message().contains("being reverted"));
}

#[test]
fn a_rollback_and_a_first_rollout_are_planned_too() {
    let text = "old <1.2.0 new >=1.1.0 sync both backfill contract";
    let back = said(&problem(text, "1.1.0", "", "1.0.0"));
    assert!(back.starts_with("expand, "), "{back}");
    let first = plan(&problem(text, "", "", "1.2.0")).unwrap();
    assert_eq!(steps(&first), "expand, backfill, roll 1.2.0, contract");
    // 1.1.0 came before the format that it uses: expanding is its cure.
    let mixed = plan(&problem(text, "1.0.0, 1.1.0", "", "1.2.0")).unwrap();
    assert_eq!(steps(&mixed), "expand, backfill, roll 1.2.0, contract");
}

#[test]
fn two_more_releases_where_one_is_not_enough() {
    let apart = problem(
        "old <1.2.0 new >=1.2.0 backfill contract",
        "1.0.0",
        "",
        "1.2.0",
    );
    let none = plan(&apart).unwrap_err();
    let two = none
        .ways_out
        .iter()
        .find(|way| way.way == Way::Bridge)
        .expect("a way");
    assert!(
        two.message
            .starts_with("two releases of web in the range >1.0.0, <1.2.0"),
        "{two:?}"
    );
    assert_eq!(two.releases.len(), 2);
    // It is a way: so declared, there is a plan.
    let declared = "reads old <1.1.5 new >=1.1.5 writes old <1.2.0 new >=1.1.0 backfill contract";
    let opened = problem(declared, "1.0.0", "1.1.0, 1.1.5", "1.2.0");
    assert_eq!(
        steps(&plan(&opened).unwrap()),
        "expand, roll 1.1.0, backfill, roll 1.1.5, roll 1.2.0, contract"
    );
}
