//! Killed at every point, before and after the tool, and while it runs: the next run of the same command ends where an undisturbed
//! one does.

use super::projects::{
    ALEMBIC, DBMATE, DJANGO, SQLX, Tool, alembic_revision, has_column, history, project,
};
use crate::crash::{assert_same, assert_whole, end_state, matrix};
use crate::support::backend::Db;
use crate::support::project::Project;

fn every_point(tool: &Tool, db: &Db) {
    let project = project(tool, db);
    let name = |step: &str| format!("{step}, by {}", tool.kind);
    matrix(&name("expand"), db, &project, &["expand", "1"]);
    project.env("DATABASE_URL", &db.url);
    project.migrate(&["expand", "1"]).expect_code(0);
    matrix(&name("contract"), db, &project, &["contract", "1"]);
}

/// As [`every_point`], by the tool's own history: when a revision was applied stands there as well, so that the whole of a database is
/// never the same.
pub fn killed_at_every_point(tool: &Tool, before: &Db) {
    let project = project(tool, before);
    for step in ["expand", "contract"] {
        killed(tool, &project, before, step);
        project.env("DATABASE_URL", &before.url);
        project.migrate(&[step, "1"]).expect_code(0);
    }
}

/// The numbers of the points that an undisturbed run passes, but for those that leave the same as the next one: nothing is between
/// them, and each takes two starts of the tool.
fn points(passed: &[&str]) -> Vec<usize> {
    let leaves_the_same = |at: usize| {
        let is_committed = passed.get(at) == Some(&"ledger.committed");
        let next = passed.get(at + 1);
        is_committed && next.is_some_and(|next| !next.starts_with("ledger."))
    };
    let all = 0..passed.len();
    let meant = all.filter(|at| !leaves_the_same(*at));
    meant.map(|at| at + 1).collect()
}

#[test]
fn a_point_that_leaves_what_the_next_one_leaves_is_tried_once() {
    let passed = [
        "ledger.commit",
        "ledger.committed",
        "expand.started",
        "expand.ran",
        "ledger.commit",
        "ledger.committed",
        "ledger.commit",
        "ledger.committed",
    ];
    assert_eq!(points(&passed), [1, 3, 4, 5, 6, 7, 8]);
}

pub fn killed(tool: &Tool, project: &Project, before: &Db, step: &str) {
    let straight = before.copy();
    project.env("DATABASE_URL", &straight.url);
    project.env("PHASEGATE_SHOW_POINTS", "1");
    let ran = project.migrate(&[step, "1"]).expect_code(0);
    project.env_remove("PHASEGATE_SHOW_POINTS");
    let lines = ran.stderr.lines();
    let passed: Vec<&str> = lines
        .filter_map(|line| Some(line.split_once("passing point ")?.1.trim()))
        .collect();
    let ran = format!("{step}.ran");
    assert!(passed.contains(&ran.as_str()), "{passed:?}");
    let expected = history(tool, &straight);
    for number in points(&passed) {
        let db = before.copy();
        project.env("DATABASE_URL", &db.url);
        project.env("PHASEGATE_CRASH_AT", &number.to_string());
        project.migrate(&[step, "1"]).expect_code(137);
        project.env_remove("PHASEGATE_CRASH_AT");
        project.migrate(&[step, "1"]).expect_code(0);
        assert_eq!(history(tool, &db), expected, "{step}, point {number}");
        assert_eq!(has_column(&db, "name"), step == "expand");
        assert!(has_column(&db, "title"));
        project.migrate(&["log", "--verify"]).expect_code(0);
    }
}

scenario!(
    fn sqlx_killed_at_every_point(db: Db) {
        killed_at_every_point(&SQLX, &db);
    }
);

// Python takes a second to start, and it is started a hundred times.
scenario!(
    #[ignore = "takes minutes: sh tests/runners.sh"]
    fn alembic_killed_at_every_point(db: Db) {
        killed_at_every_point(&ALEMBIC, &db);
    }
);

scenario!(
    #[ignore = "takes minutes: sh tests/runners.sh"]
    fn django_killed_at_every_point(db: Db) {
        killed_at_every_point(&DJANGO, &db);
    }
);

scenario!(
    fn dbmate_killed_at_every_point(db: Db) {
        every_point(&DBMATE, &db);
    }
);

scenario!(
    fn alembic_killed_while_it_is_at_work(db: Db) {
        let project = project(&ALEMBIC, &db);
        let straight = db.copy();
        project.env("DATABASE_URL", &straight.url);
        project.migrate(&["expand", "1"]).expect_code(0);
        project.env("DATABASE_URL", &db.url);
        // The tool kills whoever has called it before its first statement, and the second time nobody.
        let kill = "if not os.path.exists('killed'):\n    open('killed', 'w').close()\n    os.kill(os.getppid(), 9)\n    time.sleep(600)\n";
        let body = format!("{kill}op.execute(\"{}\")", crate::runners::projects::ADD);
        alembic_revision(&project, "b2", "'a1'", &body);
        project.migrate(&["expand", "1"]).expect_code(137);
        assert!(!has_column(&db, "title"));
        project.migrate(&["expand", "1"]).expect_code(0);
        assert_eq!(history(&ALEMBIC, &db), ["b2"]);
        assert_same(&end_state(&straight), &end_state(&db), "killed by the tool");
        assert_whole(&db, "killed by the tool");
    }
);
