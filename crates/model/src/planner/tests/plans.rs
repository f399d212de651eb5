//! The worked plans of the design, step by step, and why there is none where there is none.

use crate::gate::Blocker;
use crate::model::testing::{declaration, live};
use crate::model::{MigrationState, Schema};
use crate::planner::{Plan, PlanAction, Problem, plan};

/// Migrations are separated by `|`, versions by `,`; a version without a service is one of web.
pub(super) fn problem(declarations: &str, from: &str, via: &str, to: &str) -> Problem {
    let versions = |text: &str| {
        text.split(',')
            .map(str::trim)
            .filter(|text| !text.is_empty())
            .map(|text| match text.split_once(' ') {
                Some(_) => live(text),
                None => live(&format!("web {text}")),
            })
            .collect::<Vec<_>>()
    };
    let states = declarations
        .split('|')
        .map(|text| MigrationState::pending(declaration(text)))
        .collect();
    Problem {
        schema: Schema::new(states),
        live: versions(from),
        releases: versions(via),
        goal: versions(to)
            .into_iter()
            .map(|who| (who.service, who.version))
            .collect(),
    }
}

/// The steps in words, without the names that go without saying.
pub(super) fn steps(plan: &Plan) -> String {
    let each = plan.steps.iter().map(|step| match &step.action {
        PlanAction::Schema { step, migration } if migration.as_str() == "0001_a" => {
            step.name().to_owned()
        }
        PlanAction::Schema { step, migration } => format!("{} {migration}", step.name()),
        PlanAction::Roll { service, to, .. } if service == "web" => format!("roll {to}"),
        PlanAction::Roll { service, to, .. } => format!("roll {service} {to}"),
    });
    each.collect::<Vec<_>>().join(", ")
}

pub(super) fn said(problem: &Problem) -> String {
    match plan(problem) {
        Ok(plan) => {
            let mut lines = vec![steps(&plan)];
            for step in &plan.steps {
                lines.extend(
                    step.remarks()
                        .into_iter()
                        .map(|note| format!("note: {note}")),
                );
            }
            for left in &plan.left {
                lines.push(format!("left: {} {}", left.step.name(), left.migration));
                lines.extend(left.blockers.iter().map(|b| format!("  {}", b.message())));
            }
            lines.join("\n")
        }
        Err(none) => {
            let blockers = none
                .blockers
                .iter()
                .map(|b| format!("{}: {}", b.kind().name(), b.message()));
            let ways = none
                .ways_out
                .iter()
                .map(|w| format!("way out: {}", w.message));
            blockers.chain(ways).collect::<Vec<_>>().join("\n")
        }
    }
}

fn web(declarations: &str, via: &str, to: &str) -> String {
    said(&problem(declarations, "1.0.0", via, to))
}

const SHORT: &str = "old <1.2.0 new >=1.1.0 backfill contract";

#[test]
fn short_form_with_sync() {
    for via in ["", "1.1.0"] {
        let said = web(&format!("{SHORT} sync both"), via, "1.2.0");
        assert_eq!(said, "expand, backfill, roll 1.2.0, contract");
    }
}

#[test]
fn short_form_append_only() {
    let text = format!("{SHORT} append-only");
    let said = web(&text, "1.1.0", "1.2.0");
    assert_eq!(said, "expand, roll 1.1.0, backfill, roll 1.2.0, contract");
    insta::assert_snapshot!(web(&text, "", "1.2.0"), @r#"
    unreadable_rows: web 1.2.0 cannot read rows that may exist in 0001_a (old fresh, new absent)
    live_version: web 1.2.0 leaves rows in 0001_a that web 1.0.0 cannot read (old absent, new fresh)
    live_version: web 1.0.0 writes only the old format: rows that it writes meanwhile would lack a fresh new one
    way out: a release of web in the range >=1.1.0, <1.2.0: name it under `releases` in migrate.toml, or with `--via web=1.1.0`
    way out: `sync = "both"`, if expand.sql makes every write of one format refresh the other (triggers, a view)
    "#);
}

#[test]
fn short_form_with_mutable_rows_and_no_sync() {
    insta::assert_snapshot!(web(SHORT, "1.1.0", "1.2.0"), @r#"
    live_version: web 1.0.0 leaves rows in 0001_a that web 1.1.0 cannot read (old fresh, new stale)
    unreadable_rows: web 1.2.0 cannot read rows that may exist in 0001_a (old fresh, new absent)
    live_version: web 1.2.0 leaves rows in 0001_a that web 1.0.0 cannot read (old stale, new fresh)
    live_version: web 1.0.0 writes only the old format: rows that it writes meanwhile would lack a fresh new one
    way out: `sync = "both"` or `sync = "to-new"`, if expand.sql makes every write of one format refresh the other (triggers, a view)
    way out: a release of web in the range >1.0.0, <1.2.0 that reads the old format and writes both formats: declare it in migration.toml, with `reads` and `writes` apart
    way out: `rows = "append-only"`, if it is so: rows are inserted and never updated
    "#);
}

#[test]
fn long_form() {
    let text = "reads old <1.2.0 new >=1.2.0 writes old <1.3.0 new >=1.1.0 backfill contract";
    insta::assert_snapshot!(web(text, "1.1.0, 1.2.0", "1.3.0"), @r#"
    expand, roll 1.1.0, backfill, roll 1.2.0, roll 1.3.0, contract
    note: the gate will refuse this step: an old-only writer ran beside one that writes both: backfill.sql has to overwrite stale values of the new format, not only fill missing ones, and nothing says that it does; see that it does, and write `overwrites = true` under [backfill]; or write a `check` there, which finds rows whose new format does not agree with the old one
    "#);
}

#[test]
fn rename_behind_a_view() {
    let said = web("old <1.2.0 new >=1.2.0 sync both contract", "", "1.2.0");
    assert_eq!(said, "expand, roll 1.2.0, contract");
}

#[test]
fn widen() {
    let text = "reads old <1.1.0 new >=1.1.0 writes old <1.2.0 new >=1.2.0 sync to-new";
    assert_eq!(
        web(text, "1.1.0", "1.2.0"),
        "expand, roll 1.1.0, roll 1.2.0"
    );
    insta::assert_snapshot!(web(text, "", "1.2.0"), @r#"
    live_version: web 1.2.0 leaves rows in 0001_a that web 1.0.0 cannot read (right in the new format only)
    way out: a release of web in the range >=1.1.0, <1.2.0: name it under `releases` in migrate.toml, or with `--via web=1.1.0`
    way out: `sync = "both"`, if expand.sql makes every write of one format refresh the other (triggers, a view)
    "#);
}

#[test]
fn tighten() {
    let text =
        "reads old <1.2.0 new >=1.2.0 writes old <1.1.0 new >=1.1.0 sync to-old backfill contract";
    let said = web(text, "1.1.0", "1.2.0");
    assert!(
        said.starts_with("expand, roll 1.1.0, backfill, roll 1.2.0, contract\n"),
        "{said}"
    );
    assert!(said.contains("overwrite stale values"), "{said}");
}

#[test]
fn only_old() {
    let said = web("no-expand old <1.1.0 contract", "", "1.1.0");
    assert_eq!(said, "roll 1.1.0, contract");
}

#[test]
fn only_new() {
    assert_eq!(web("new >=1.1.0", "", "1.1.0"), "expand, roll 1.1.0");
}

#[test]
fn no_service() {
    assert_eq!(web("", "", "1.1.0"), "expand, roll 1.1.0");
    assert_eq!(web("", "", ""), "expand");
    assert_eq!(web("no-expand backfill", "", ""), "backfill");
}

/// What an earlier migration keeps in step is contracted before the expand that changes it, and nothing else waits longer.
#[test]
fn an_expand_that_waits_for_a_contract() {
    let chain = |from: &str, via: &str, to: &str| {
        let mut problem = problem(
            "0001_a old <1.2.0 new >=1.1.0 sync both backfill contract revert | \
             0002_b old <1.4.0 new >=1.3.0 sync both backfill contract revert",
            from,
            via,
            to,
        );
        let basis = crate::model::Basis {
            migration: "0001_a".parse().unwrap(),
            keeps: crate::model::Keeps::View("people".to_owned()),
            from: crate::model::Step::Expand,
        };
        let bases = [("0002_b".parse().unwrap(), vec![basis])].into();
        problem.schema = problem.schema.clone().building_on(bases);
        problem
    };
    let done = plan(&chain("1.0.0", "1.1.0", "1.2.0")).unwrap();
    assert_eq!(
        steps(&done),
        "expand, backfill, roll 1.2.0, contract, expand 0002_b, backfill 0002_b"
    );
    let fresh = plan(&chain("", "", "1.3.0")).unwrap();
    assert!(steps(&fresh).starts_with("expand, backfill, contract, expand 0002_b"));
    // In stages, by way of a release with which nobody uses the first one's old format any more.
    let staged = plan(&chain("1.0.0", "1.1.0, 1.2.0", "1.3.0")).unwrap();
    assert_eq!(
        steps(&staged),
        "expand, backfill, roll 1.2.0, contract, expand 0002_b, backfill 0002_b, roll 1.3.0"
    );
    assert!(!staged.is_shortest);
    let none = plan(&chain("1.0.0", "", "1.3.0")).unwrap_err();
    assert_eq!(none.blockers[0].kind().name(), "contract_first");
}

#[test]
fn migrations_that_differ_in_their_names_alone_are_all_planned() {
    let alike = "old <1.2.0 new >=1.1.0 sync both backfill contract";
    let declared = format!(
        "0001_a {alike} | 0002_b old <1.2.0 new >=1.1.0 sync both contract | 0003_c {alike} | 0004_d {alike}"
    );
    assert_eq!(
        web(&declared, "1.1.0", "1.2.0"),
        "expand, expand 0002_b, expand 0003_c, expand 0004_d, backfill, backfill 0003_c, backfill 0004_d, roll 1.2.0, \
         contract, contract 0002_b, contract 0003_c, contract 0004_d"
    );
}

/// Where there is no way, each of them is told of.
#[test]
fn migrations_that_differ_in_their_names_alone_are_all_in_the_way() {
    let alike = "old <1.2.0 new >=1.1.0 backfill contract";
    let other = "0002_b old <1.2.0 new >=1.1.0 sync both contract";
    let none = plan(&problem(
        &format!("0001_a {alike} | {other} | 0003_c {alike}"),
        "1.0.0",
        "1.1.0",
        "1.2.0",
    ));
    let told: Vec<String> = none
        .expect_err("no way")
        .blockers
        .iter()
        .map(Blocker::message)
        .collect();
    let of = |id: &str| told.iter().filter(|message| message.contains(id)).count();
    assert!(of("0001_a") > 0, "{told:#?}");
    assert_eq!((of("0001_a"), of("0002_b")), (of("0003_c"), 0), "{told:#?}");
}
