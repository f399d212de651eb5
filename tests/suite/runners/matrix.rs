//! Killed at every point, before and after the tool, and while it runs: the next run of the same command ends where an undisturbed
//! one does.

use super::projects::{ALEMBIC, DBMATE, Tool, alembic_revision, has_column, history, project};
use crate::crash::{assert_same, assert_whole, end_state, matrix};
use crate::support::backend::Db;

fn every_point(tool: &Tool, db: &Db) {
    let project = project(tool, db);
    let name = |step: &str| format!("{step}, by {}", tool.kind);
    matrix(&name("expand"), db, &project, &["expand", "1"]);
    project.env("DATABASE_URL", &db.url);
    project.migrate(&["expand", "1"]).expect_code(0);
    matrix(&name("contract"), db, &project, &["contract", "1"]);
}

scenario!(
    fn expand_and_contract_by_dbmate(db: Db) {
        every_point(&DBMATE, &db);
    }
);

scenario!(
    fn killed_while_the_tool_is_at_work(db: Db) {
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
