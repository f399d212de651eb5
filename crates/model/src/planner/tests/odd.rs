//! Starts in the middle of something, ways back, versions that are hard to place, and circles.

use super::plans::{problem, said, steps};
use crate::gate::Verdict;
use crate::model::testing::live;
use crate::model::{MigrationState, Phase, RowKind, RowKinds, Schema, Step};
use crate::planner::{Problem, Wait, plan};

const SYNCED: &str = "old <1.2.0 new >=1.1.0 sync both backfill contract";
const APPENDED: &str = "old <1.2.0 new >=1.1.0 append-only backfill contract";

/// The problem with its first migration at this phase, after this step.
fn at(mut problem: Problem, phase: Phase, kinds: RowKinds) -> Problem {
    let mut states: Vec<MigrationState> = problem.schema.migrations().to_vec();
    states[0].phase = phase;
    states[0].kinds = kinds;
    problem.schema = Schema::new(states);
    problem
}

fn filled() -> RowKinds {
    RowKinds::EMPTY.with(RowKind::BOTH_FRESH)
}

/// The problem after the expand that its own start allows.
fn expanded(mut problem: Problem) -> Problem {
    let states = problem.schema.migrations().iter();
    let live = &problem.live;
    problem.schema = Schema::new(
        states
            .map(|state| state.after(Step::Expand, live))
            .collect(),
    );
    problem
}

#[test]
fn a_rollout_that_is_half_done_goes_on() {
    let half = expanded(problem(APPENDED, "1.0.0", "1.1.0", "1.2.0"));
    let half = Problem {
        live: vec![live("web 1.1.0"), live("web 1.0.0")],
        ..half
    };
    let found = plan(&half).unwrap();
    assert_eq!(steps(&found), "roll 1.1.0, backfill, roll 1.2.0, contract");
    let (old, new) = (live("web 1.0.0"), live("web 1.1.0"));
    assert_eq!(found.steps[0].live, [old.clone(), new.clone()]);
    assert_eq!(found.steps[0].waits, [Wait::Seen(new), Wait::Gone(old)]);
    let last = problem(SYNCED, "1.1.0, 1.2.0", "", "1.2.0");
    let last = at(last, Phase::Backfilled, filled());
    assert_eq!(said(&last), "roll 1.2.0, contract");
}

#[test]
fn the_way_back() {
    let back = |from: &str, phase| at(problem(SYNCED, from, "", "1.0.0"), phase, filled());
    insta::assert_snapshot!(said(&back("1.1.0", Phase::Backfilled)), @r#"
    roll 1.0.0
    left: contract 0001_a
      web 1.0.0 reads and writes the old format
    "#);
    insta::assert_snapshot!(said(&back("1.2.0", Phase::Contracted)), @"old_format_gone: web 1.0.0 reads and writes the old format of 0001_a, which has been removed");
    // Without a sync the rows that 1.0.0 will write are not filled.
    let appended = problem(APPENDED, "1.1.0", "", "1.0.0");
    insta::assert_snapshot!(said(&at(appended, Phase::Backfilled, filled())), @r#"
    roll 1.0.0
    note: 0001_a: it writes only the old format, so the backfill has to run again after it
    left: backfill 0001_a
      web 1.0.0 writes only the old format: rows that it writes meanwhile would lack a fresh new one
    "#);
}

#[test]
fn steps_under_way_are_finished() {
    let same = |from: &str, phase| said(&at(problem(SYNCED, from, "", ""), phase, filled()));
    assert!(same("1.1.0", Phase::Expanding).starts_with("expand, backfill\n"));
    assert!(same("1.1.0", Phase::Backfilling).starts_with("backfill\n"));
    assert_eq!(same("1.2.0", Phase::Contracting), "contract");
    assert_eq!(same("1.2.0", Phase::Contracted), "");
}

#[test]
fn a_pre_release_of_a_bound_is_both() {
    let rc = "1.2.0-rc.1";
    insta::assert_snapshot!(said(&problem(SYNCED, "1.0.0", "", rc)), @r#"
    expand, backfill, roll 1.2.0-rc.1
    left: contract 0001_a
      web 1.2.0-rc.1 reads and writes the old format; 1.2.0-rc.1 may hold the code before 1.2.0 or that of 1.2.0, and both have to be safe: name 1.2.0-0 (every pre-release is the new code) or a pre-release in the range of [services.web], or an alias for 1.2.0-rc.1 in migrate.toml
    "#);
    let pinned = SYNCED.replace("old <1.2.0", "old <1.2.0-0");
    let pinned = said(&problem(&pinned, "1.0.0", "", rc));
    assert_eq!(pinned, "expand, backfill, roll 1.2.0-rc.1, contract");
}

#[test]
fn services_that_wait_for_each_other() {
    // Whoever reads has to be there before whoever writes, once in each direction.
    let one = "0001_a web: writes old <2.0.0 new >=2.0.0 worker: reads old <2.0.0 new >=2.0.0 sync to-new";
    let other = "0002_b worker: writes old <2.0.0 new >=2.0.0 web: reads old <2.0.0 new >=2.0.0 sync to-new";
    let circle = format!("{one} | {other}");
    let (from, to) = ("1.0.0, worker 1.0.0", "2.0.0, worker 2.0.0");
    insta::assert_snapshot!(said(&problem(&circle, from, "", to)), @r#"
    incompatible: each service alone could get there, and beside one another they cannot in any order
    live_version: web 2.0.0 leaves rows in 0001_a that worker 1.0.0 cannot read (right in the new format only)
    live_version: worker 2.0.0 leaves rows in 0002_b that web 1.0.0 cannot read (right in the new format only)
    "#);
    assert_eq!(
        said(&problem(one, from, "", to)),
        "expand, roll worker 2.0.0, roll 2.0.0"
    );
}

/// Each of eight services waits for the next one, and the last for the first.
fn ring() -> Vec<String> {
    let each = (0..8).map(|at| {
        let next = (at + 1) % 8;
        format!(
            "{:04}_m s{at}: writes old <2.0.0 new >=2.0.0 s{next}: reads old <2.0.0 new >=2.0.0 sync to-new",
            at + 1
        )
    });
    each.collect()
}

/// Eight services from 1.0.0 to 2.0.0, with three releases between.
fn all_to_2(migrations: &[String]) -> Problem {
    let all = |versions: &[&str]| {
        let each = (0..8).flat_map(|at| versions.iter().map(move |v| format!("s{at} {v}")));
        each.collect::<Vec<_>>().join(", ")
    };
    let via = all(&["1.1.0", "1.2.0", "1.3.0"]);
    problem(
        &migrations.join(" | "),
        &all(&["1.0.0"]),
        &via,
        &all(&["2.0.0"]),
    )
}

#[test]
fn a_ring_of_services_is_no_way_and_is_one_when_it_is_cut() {
    let none = plan(&all_to_2(&ring())).unwrap_err();
    assert_eq!(none.verdict(), Verdict::Refuse, "every order was tried");
    let open = plan(&all_to_2(&ring()[1..])).unwrap();
    assert_eq!(open.rollouts(), 8);
}

#[test]
fn a_search_that_gives_up_does_not_say_that_there_is_no_way() {
    // Now every release counts: there are too many orders to try.
    let mut ring = ring();
    for minor in 1..4 {
        for at in 0..8 {
            ring.push(format!("{:04}_m s{at}: new >=1.{minor}.0", ring.len() + 1));
        }
    }
    let none = plan(&all_to_2(&ring)).unwrap_err();
    assert_eq!(none.verdict(), Verdict::Unknown);
    insta::assert_snapshot!(none.blockers[0].message(), @"no plan was found among the first 60000 states, and not all were tried");
    insta::assert_snapshot!(none.blockers[0].help(), @"plan fewer services at once, or name fewer releases");
    let fewer = Problem {
        releases: Vec::new(),
        ..all_to_2(&ring)
    };
    let none = plan(&fewer).unwrap_err();
    assert_eq!(none.verdict(), Verdict::Refuse, "now all were tried");
    // Where there is a plan, one is found all the same.
    let open = plan(&all_to_2(&ring[1..])).unwrap();
    assert_eq!(open.rollouts(), 8);
}

#[test]
fn nothing_at_all() {
    assert_eq!(said(&Problem::default()), "");
    let nobody = problem(SYNCED, "", "", "");
    assert_eq!(said(&nobody), "expand, backfill, contract");
    // A release that is named twice, and the start and the goal among the releases.
    let twice = problem(
        APPENDED,
        "1.0.0, 1.0.0",
        "1.1.0, 1.1.0, 1.0.0, 1.2.0",
        "1.2.0",
    );
    assert_eq!(
        said(&twice),
        "expand, roll 1.1.0, backfill, roll 1.2.0, contract"
    );
}
