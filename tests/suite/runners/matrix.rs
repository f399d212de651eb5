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

pub fn killed(tool: &Tool, project: &Project, before: &Db, step: &str) {
    let straight = before.copy();
    project.env("DATABASE_URL", &straight.url);
    project.migrate(&[step, "1"]).expect_code(0);
    let expected = history(tool, &straight);
    for number in 1.. {
        let db = before.copy();
        project.env("DATABASE_URL", &db.url);
        project.env("PHASEGATE_CRASH_AT", &number.to_string());
        let crashed = project.migrate(&[step, "1"]);
        project.env_remove("PHASEGATE_CRASH_AT");
        if crashed.code == 0 {
            assert!(number > 5, "only {number} points");
            break;
        }
        crashed.expect_code(137);
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
