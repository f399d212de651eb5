//! `check --changed-since`: what a pull request touches, which may be the tool's files alone.

use std::fs;

use super::projects::{ALEMBIC, DBMATE, Tool, alembic_revision, manifest, project};
use crate::support::backend::Db;
use crate::support::git::{commit, git};
use crate::support::project::{Output, Project};
use crate::support::shop::said;

/// A project whose branch `main` has one migration in order and one with a question that nobody has answered.
fn committed(tool: &Tool) -> Project {
    let project = project(tool, &Db::on("sqlite"));
    let open = "description = \"x\"\n[services.web]\nold = \"?\"\n";
    project.file("0002_open/migration.toml", open);
    git(&project, &["init", "-q", "-b", "main"]);
    commit(&project);
    git(&project, &["checkout", "-qb", "topic"]);
    project
}

fn check(project: &Project, code: i32) -> Output {
    project
        .migrate(&["check", "--changed-since", "main"])
        .expect_code(code)
}

#[test]
fn a_pull_request_is_judged_by_what_it_touches() {
    let project = committed(&DBMATE);
    project.migrate(&["check"]).expect_code(1);
    let nothing = check(&project, 0);
    assert!(
        said(&nothing).contains("nothing that was changed"),
        "{nothing:?}"
    );
    project.file("README.md", "x");
    check(&project, 0);
    // A revision that is new, committed or not.
    let revision = |sql: &str| {
        project.file(
            "db/migrations/20260101000004_more.sql",
            &format!("-- migrate:up\n{sql};\n-- migrate:down\nSELECT 1;\n"),
        );
    };
    for (sql, code, part) in [
        (
            "ALTER TABLE shop ADD COLUMN more varchar(10)",
            0,
            "no migration names the revision",
        ),
        (
            "CREATE INDEX by_title ON shop (title)",
            0,
            "which no version notices",
        ),
        (
            "ALTER TABLE shop DROP COLUMN title",
            1,
            "it drops the column `title`",
        ),
        (
            "ALTER TABLE shop RENAME COLUMN title TO t",
            1,
            "live versions may not survive",
        ),
    ] {
        revision(sql);
        let checked = check(&project, code);
        assert!(said(&checked).contains(part), "{part} in {checked:?}");
    }
    commit(&project);
    let checked = check(&project, 1);
    for part in [
        "unnamed-revision",
        "migrate adopt",
        "20260101000004_more.sql",
    ] {
        assert!(said(&checked).contains(part), "{part} in {checked:?}");
    }
    // What a migration names is judged where it is named.
    fs::remove_file(project.path().join("db/migrations/20260101000004_more.sql"))
        .expect("it is there");
    project.file(
        "0002_open/migration.toml",
        "description = \"x\"\nnothing = 1\n",
    );
    let checked = check(&project, 1);
    assert!(said(&checked).contains("unknown-key"), "{checked:?}");

    for commit in ["nosuch", "--help"] {
        let since = format!("--changed-since={commit}");
        let refused = project.migrate(&["check", &since]).expect_code(1);
        for part in ["git knows no commit", "fetch-depth: 0"] {
            assert!(said(&refused).contains(part), "{part} in {refused:?}");
        }
    }
}

/// Its SQL is printed by the tool, which needs no database for that.
#[test]
fn what_a_new_program_does_is_printed_by_its_tool() {
    let project = committed(&ALEMBIC);
    fs::remove_dir_all(project.path().join("0002_open")).expect("it is there");
    commit(&project);
    git(&project, &["branch", "-qf", "main"]);
    alembic_revision(&project, "d4", "'c3'", "op.drop_column('shop', 'title')");
    let checked = check(&project, 1);
    assert!(
        said(&checked).contains("it drops the column `title`"),
        "{checked:?}"
    );
    alembic_revision(
        &project,
        "d4",
        "'c3'",
        "op.get_bind().execute('SELECT 1').fetchall()",
    );
    let checked = check(&project, 1);
    assert!(said(&checked).contains("is not known"), "{checked:?}");
    project.migration(
        "0003_more",
        &[("migration.toml", &manifest("d4", "nosuch"))],
    );
    let checked = check(&project, 1);
    assert!(said(&checked).contains("unjudged-revision"), "{checked:?}");
    fs::remove_dir_all(project.path().join("0003_more")).expect("it is there");
    fs::remove_file(project.path().join("db/versions/d4_.py")).expect("it is there");
    // Somebody's word is held against what is printed.
    let otherwise =
        "live versions may not survive what alembic prints of it: it drops the column `name`";
    let printed = project.migrate(&["check", "--printed"]).expect_code(0);
    assert!(!said(&printed).contains(otherwise), "{printed:?}");
    alembic_revision(&project, "b2", "'a1'", "op.drop_column('shop', 'name')");
    let printed = project.migrate(&["check", "--printed"]).expect_code(0);
    assert!(said(&printed).contains(otherwise), "{printed:?}");
    let checked = check(&project, 0);
    assert!(said(&checked).contains(otherwise), "{checked:?}");
}
