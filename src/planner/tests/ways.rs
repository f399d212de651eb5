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
    insta::assert_snapshot!(said(&problem(text, from, "", to)), @"");
    let said = said(&problem(text, from, "1.1.0, worker 3.1.0", to));
    assert_eq!(
        said,
        "expand, roll 1.1.0, roll worker 3.1.0, backfill, roll 1.2.0, roll worker 3.2.0, contract"
    );
}

#[test]
fn a_service_that_stays_may_be_in_the_way() {
    let text = "web: old <1.2.0 new >=1.2.0 worker: old <3.1.0 new >=3.1.0 sync to-new contract";
    let problem = problem(text, "1.0.0, worker 3.0.0", "worker 3.1.0", "1.2.0");
    insta::assert_snapshot!(said(&problem), @"");
}

#[test]
fn what_the_goal_does_not_allow_yet_is_left() {
    let text = "old <1.2.0 new >=1.1.0 sync both backfill contract";
    insta::assert_snapshot!(said(&problem(text, "1.0.0", "", "1.1.0")), @"");
    insta::assert_snapshot!(said(&problem(text, "1.0.0", "", "")), @"");
    let long = "reads old <1.2.0 new >=1.2.0 writes old <1.3.0 new >=1.1.0 backfill contract";
    insta::assert_snapshot!(said(&problem(long, "1.0.0", "", "")), @"");
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
            let range = way.range.clone().unwrap();
            let version = range.trim_start_matches(">=").split(',').next().unwrap();
            opened.releases.push(crate::model::Live {
                service: way.service.clone().unwrap(),
                version: version.parse().unwrap(),
            });
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
    insta::assert_snapshot!(said(&problem), @"");
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
    assert_eq!(none.blockers[0].verdict, Verdict::Refuse);
    assert!(none.blockers[0].message.contains("being reverted"));
}

#[test]
fn a_rollback_and_a_first_rollout_are_planned_too() {
    let text = "old <1.2.0 new >=1.1.0 sync both backfill contract";
    let back = said(&problem(text, "1.1.0", "", "1.0.0"));
    assert!(back.starts_with("expand, "), "{back}");
    let first = plan(&problem(text, "", "", "1.2.0")).unwrap();
    assert_eq!(steps(&first), "expand, backfill, roll 1.2.0, contract");
    let mixed = plan(&problem(text, "1.0.0, 1.1.0", "", "1.2.0"));
    assert!(mixed.is_err(), "1.1.0 runs without the format that it uses");
}
