//! The examples with a tool: what their pages say can be done.

use std::process::Command;

use super::projects::{by_hand, with_tools};
use crate::support::backend::Db;
use crate::support::project::Project;

/// The project of an example, on an empty database.
fn example(db: &Db, name: &str) -> Project {
    let project = Project::new(db, &["web"]);
    with_tools(&project);
    let from = format!("{}/examples/{name}/.", env!("CARGO_MANIFEST_DIR"));
    let copied = Command::new("cp")
        .args(["-r", &from])
        .arg(project.path())
        .status();
    assert!(copied.expect("cp can be started").success());
    project
}

fn has(db: &Db, column: &str, table: &str) -> bool {
    db.try_execute(&format!("SELECT {column} FROM {table}"))
        .is_ok()
}

#[test]
fn the_schema_of_the_shop_is_carried_by_alembic() {
    let db = Db::on("postgres");
    let project = example(&db, "alembic-flask");
    project.migrate(&["check"]).expect_code(0);
    project.migrate(&["expand"]).expect_code(0);
    assert!(has(&db, "full_name", "users") && has(&db, "first_name", "users"));
}

#[test]
fn a_field_is_replaced_in_django() {
    let db = Db::on("postgres");
    let project = example(&db, "django");
    project.migrate(&["check"]).expect_code(0);
    project.migrate(&["expand"]).expect_code(0);
    assert!(has(&db, "name", "shop_item") && has(&db, "title", "shop_item"));
    // The models are those that the migrations lead to, and the program of the page runs.
    project.file("url-by-hand", &db.url);
    by_hand(
        &project,
        &[
            "python",
            "manage.py",
            "makemigrations",
            "--check",
            "--dry-run",
        ],
    );
    by_hand(&project, &["python", "manage.py", "sell", "--times", "1"]);
    project.migrate(&["backfill"]).expect_code(0);
}
