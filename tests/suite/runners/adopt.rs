//! A project that its tool has carried so far is brought in, and carried on.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::projects::{ALEMBIC, DBMATE, DJANGO, SQLX, Tool, bare, by_hand, has_column, history};
use crate::support::backend::Db;
use crate::support::project::Project;
use crate::support::shop::said;

/// A project of which the first revision is applied, and that nobody has brought in.
pub fn unadopted(tool: &Tool, db: &Db) -> Project {
    let project = bare(tool, db);
    fs::remove_file(project.path().join("migrate.toml")).expect("it was written");
    fs::remove_dir_all(project.path().join("0001_title")).expect("it was written");
    // What tells the driver of the one, and the other from any directory of numbered scripts.
    project.file("requirements.txt", "psycopg\npymysql\n");
    if tool.kind == "sqlx" {
        project.file("sqlx.toml", "");
    }
    if tool.kind == "liquibase" {
        // The project's own.
        let path = std::env::var("PATH").unwrap_or_default();
        project.env("PATH", &format!("{}:{path}", project.path().display()));
    }
    by_hand(&project, tool.first);
    project
}

/// Every file below a directory, and what is in it.
fn files(dir: &Path, found: &mut BTreeMap<String, Vec<u8>>) {
    for entry in fs::read_dir(dir).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files(&path, found);
        } else {
            let text = fs::read(&path).expect("a file");
            found.insert(path.display().to_string(), text);
        }
    }
}

fn tree(project: &Project) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    files(&project.path(), &mut found);
    found
}

/// Answers every question, as somebody does who knows.
fn answer(project: &Project) {
    for (path, text) in tree(project) {
        if path.ends_with("migration.toml") {
            let text = String::from_utf8(text).expect("a text");
            let text = text
                .replace("old = \"?\"", "old = \"<1.2.0\"")
                .replace("new = \"?\"", "new = \">=1.1.0\"")
                .replace("judged = \"?\"", "judged = \"as it says\"");
            fs::write(path, text).expect("it is written");
        }
    }
}

fn brought_in(tool: &Tool, db: &Db) {
    let project = unadopted(tool, db);
    let [_, add, drop] = tool.revisions;
    let (before, applied) = (tree(&project), history(tool, db));
    let adopt = || {
        project
            .migrate(&["adopt", "--output", "json"])
            .expect_code(0)
            .json()
    };
    let adopted = adopt();
    assert_eq!(adopted["runner"]["kind"], tool.kind, "{adopted}");
    assert_eq!(adopted["applied"], 1, "{adopted}");
    let of = |key: &str| {
        let migrations = adopted["migrations"].as_array().expect("a list");
        let all = migrations
            .iter()
            .map(|one| one[key].as_str().expect("a text"));
        all.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(of("revision"), [add, drop]);
    assert_eq!(of("kind"), ["adds", "takes"], "{adopted}");
    let after = tree(&project);
    for (path, text) in &before {
        assert_eq!(after.get(path), Some(text), "{path} is as it was");
    }
    assert_eq!(history(tool, db), applied, "nothing was run");

    let checked = project
        .migrate(&["check", "--output", "json"])
        .expect_code(1);
    assert!(checked.stdout.contains("unanswered"), "{checked:?}");
    // Before they are answered nothing runs, and nothing is promised.
    project.migrate(&["expand"]).expect_code(11);
    project
        .migrate(&["gate", "deploy", "web=1.1.0"])
        .expect_code(12);
    assert_eq!(
        adopt()["migrations"],
        serde_json::json!([]),
        "a second run adds nothing"
    );
    assert_eq!(tree(&project), after);

    answer(&project);
    project.migrate(&["check"]).expect_code(0);
    project
        .migrate(&["gate", "deploy", "web=1.1.0"])
        .expect_code(11);
    project.migrate(&["expand"]).expect_code(0);
    assert!(has_column(db, "title") && has_column(db, "name"));
    // Whether the old one still lives is not known as long as nobody is seen.
    project.migrate(&["contract", "2"]).expect_code(12);
    project
        .migrate(&[
            "contract",
            "2",
            "--accept-unknown",
            "nothing runs in a test",
        ])
        .expect_code(0);
    assert!(!has_column(db, "name"));
    assert_ne!(history(tool, db), applied);
}

scenario!(
    fn dbmate_and_sqlx(db: Db) {
        for tool in [&DBMATE, &SQLX] {
            brought_in(tool, &db.copy());
        }
    }
);

scenario!(
    fn alembic(db: Db) {
        brought_in(&ALEMBIC, &db);
    }
);

scenario!(
    fn django(db: Db) {
        brought_in(&DJANGO, &db);
    }
);

/// It prints a comment in place of it, whatever it is called.
#[test]
fn an_operation_that_is_a_program_is_not_taken_for_nothing() {
    let db = Db::on("sqlite");
    let project = unadopted(&DJANGO, &db);
    project.file(
        "shop/migrations/0002_title.py",
        "from django.db import migrations\nfrom django.db.migrations.operations.base import Operation\n\n\n\
         class Empty(Operation):\n    reduces_to_sql = False\n\n    def state_forwards(self, app_label, state):\n        pass\n\n    \
         def database_forwards(self, app_label, schema_editor, from_state, to_state):\n        \
         schema_editor.execute(\"DELETE FROM shop\")\n\n\nclass Migration(migrations.Migration):\n    \
         dependencies = [('shop', '0001_initial')]\n    operations = [Empty()]\n",
    );
    let adopted = project
        .migrate(&["adopt", "--output", "json"])
        .expect_code(0)
        .json();
    assert_eq!(adopted["migrations"][0]["kind"], "unclear", "{adopted}");
}

#[test]
fn what_is_in_the_way_is_said_and_nothing_is_written() {
    let db = Db::on("sqlite");
    let refused = |project: &Project, arguments: &[&str], code: i32, parts: &[&str]| {
        let before = tree(project);
        let output = project.migrate(arguments).expect_code(code);
        for part in parts {
            assert!(said(&output).contains(part), "{part} in {output:?}");
        }
        assert_eq!(tree(project), before, "nothing is written");
    };
    let project = unadopted(&DBMATE, &db);
    project.file("manage.py", "import django\n");
    refused(
        &project,
        &["adopt"],
        2,
        &["several", "dbmate here", "--runner"],
    );
    refused(
        &project,
        &["adopt", "--runner", "knex"],
        1,
        &["no project of knex", "--dir"],
    );
    fs::remove_file(project.path().join("manage.py")).expect("it was written");

    // Nothing but its files says that this is a project of sqlx: somebody has to.
    let bare = Project::new(&db, &["web"]);
    fs::remove_file(bare.path().join("migrate.toml")).expect("it was written");
    refused(
        &bare,
        &["adopt", "--runner", "sqlx"],
        1,
        &["no revisions of sqlx", "--dir"],
    );
    bare.file(
        "server/migrations/1_users.sql",
        "CREATE TABLE users (id INTEGER PRIMARY KEY);\n",
    );
    refused(
        &bare,
        &["adopt"],
        1,
        &["no migration tool", "--runner sqlx"],
    );
    let named = ["adopt", "--runner", "sqlx", "--dir", "server"];
    bare.migrate(&named).expect_code(0);
    assert!(
        bare.path()
            .join("phasegate/0001_users/migration.toml")
            .exists()
    );

    // A migrate.toml that is there is left as it is.
    project.file("migrate.toml", "[services.web]\n");
    refused(
        &project,
        &["adopt"],
        1,
        &["names no migration tool", "kind = \"dbmate\""],
    );
    project.file(
        "migrate.toml",
        "[runner]\nkind = \"dbmate\"\nurl = \"env:DATABASE_URL\"\n",
    );
    refused(&project, &["adopt"], 1, &["names no service"]);
    project.file(
        "migrate.toml",
        "[services.web]\n[runner]\nkind = \"dbmate\"\nurl = \"env:DATABASE_URL\"\n",
    );
    refused(
        &project,
        &["adopt", "--service", "worker"],
        1,
        &["no service `worker`"],
    );
    // What a file names that cannot be read may be what is pending.
    project.file("0001_a/migration.toml", "description = x\n");
    refused(&project, &["adopt"], 1, &["toml-syntax"]);
    fs::remove_dir_all(project.path().join("0001_a")).expect("it was written");
    let adopted = project.migrate(&["adopt"]).expect_code(0);
    assert!(
        adopted.stdout.contains("wrote 0001_step/migration.toml"),
        "{adopted:?}"
    );

    let nothing = Project::new(&db, &["web"]);
    fs::remove_file(nothing.path().join("migrate.toml")).expect("it was written");
    refused(&nothing, &["adopt"], 1, &["no migration tool is found"]);
    nothing.file("ormconfig.json", "");
    refused(
        &nothing,
        &["adopt"],
        1,
        &["TypeORM before 0.3", "kind = \"command\""],
    );
}

#[test]
fn a_tool_that_cannot_print_is_no_question_to_people() {
    let db = Db::on("sqlite");
    let project = unadopted(&ALEMBIC, &db);
    project.file(
        "db/env.py",
        "import os\nos.environ['DATABASE_URL']\nraise SystemExit('no driver')\n",
    );
    let before = tree(&project);
    let refused = project.migrate(&["adopt"]).expect_code(1);
    for part in ["cannot be read", "no driver", "Nothing was written"] {
        assert!(said(&refused).contains(part), "{part} in {refused:?}");
    }
    assert_eq!(tree(&project), before);
}

/// One in the middle that holds up what comes after it, and one that does two things at once.
#[test]
fn what_has_to_be_done_by_somebody_is_told() {
    let db = Db::on("sqlite");
    let project = unadopted(&SQLX, &db);
    project.file(
        "migrations/0004_both.sql",
        "ALTER TABLE shop RENAME COLUMN title TO headline;\n",
    );
    project.file(
        "migrations/0005_index.sql",
        "CREATE INDEX by_id ON shop (id);\n",
    );
    let adopted = project
        .migrate(&["adopt", "--service", "web", "--service", "jobs"])
        .expect_code(0);
    for part in [
        "`2` adds something",
        "`3` takes something away",
        "`4` adds and takes away in one",
        "`5` is noticed by no version",
        "0003_both and what comes after it can only be applied once",
    ] {
        assert!(adopted.stdout.contains(part), "{part} in {adopted:?}");
    }
    let text = fs::read_to_string(project.path().join("phasegate/0001_step/migration.toml"));
    let text = text.expect("it was written");
    assert!(
        text.contains("[services.jobs]") && text.contains("[services.web]"),
        "{text}"
    );
    let checked = project.migrate(&["check"]).expect_code(1);
    assert!(
        said(&checked).contains("name the revision under [contract]"),
        "{checked:?}"
    );
}
