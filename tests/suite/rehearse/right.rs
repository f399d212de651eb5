//! What is right and was taken for wrong, and what looks like it and is wrong.

use super::codes;
use crate::support::backend::Db;
use crate::support::project::Project;

/// What is found in the second of two migrations, which adds something.
fn found(db: &Db, before: &str, manifest: &str, files: &[(&str, &str)]) -> Vec<String> {
    let project = Project::new(db, &[]);
    project.file(
        "migrate.toml",
        &format!(
            "[services.web]\nmin_instances = 0\n[rehearse]\nurl = \"{}\"\n",
            super::server(db)
        ),
    );
    let base = "description = \"Base\"\n[services.web]\nnew = \">=1.0.0\"\n";
    project.migration(
        "0001_base",
        &[("migration.toml", base), ("expand.sql", before)],
    );
    if let [("new", asked)] = files {
        let asked: Vec<&str> = asked.split(' ').collect();
        let ranges = ["--old", "<2.0.0", "--new", ">=2.0.0"];
        let arguments = [&["new", "change"], &asked[..], &ranges].concat();
        project.migrate(&arguments).expect_code(0);
    } else {
        let all = [&[("migration.toml", manifest)], files].concat();
        project.migration("0002_change", &all);
    }
    project.migrate(&["check"]).expect_code(0);
    let output = project.migrate(&["rehearse", "2", "--rows", "0", "--output", "json"]);
    let output = output.json();
    let is_wrong = output["verdict"] != "go";
    let mut found = codes(&output);
    found.retain(|_| is_wrong);
    found
}

const ADDS: &str = "description = \"More\"\n[services.web]\nnew = \">=2.0.0\"\n";

scenario!(
    fn formats_agree_where_one_way_leads_back(db: Db) {
        let users = format!(
            "CREATE TABLE users (id {}, a varchar(60), c varchar(60), n int)",
            db.backend.key
        );
        let merged = found(&db, &users, "", &[("new", "--merge users.a,c=w")]);
        assert!(merged.is_empty(), "{merged:?}");
    }
);

scenario!(
    fn rows_are_written_that_leave_out_what_has_a_default(db: Db) {
        if db.backend.name == "sqlite" {
            return not_written_by_sqlite(&db);
        }
        let users = format!(
            "CREATE TABLE users (id {}, age int DEFAULT 5, n int, CHECK (abs(age) > 0))",
            db.backend.key
        );
        let default =
            |value: &str| format!("ALTER TABLE users ALTER COLUMN age SET DEFAULT {value};");
        let right = found(&db, &users, ADDS, &[("expand.sql", &default("6"))]);
        assert!(right.is_empty(), "{right:?}");
        let wrong = found(&db, &users, ADDS, &[("expand.sql", &default("0"))]);
        assert_eq!(wrong, ["old-writes-fail"]);
        if db.backend.name == "postgres" {
            let roles = "CREATE TABLE roles (id serial PRIMARY KEY, name text); \
                         INSERT INTO roles (name) VALUES ('a'), ('b'), ('c');";
            let taken = "INSERT INTO roles (id, name) VALUES (4, 'auditor');";
            let allows = format!(
                "{ADDS}[[expand.allow]]\nstatement = \"INSERT INTO roles\"\nreason = \"to see what comes of it\"\n"
            );
            let wrong = found(&db, roles, &allows, &[("expand.sql", taken)]);
            assert_eq!(wrong, ["old-writes-fail"], "the next number of the key");
            drawn(&db);
        }
    }
);

/// The tables behind one of full text search are none that an application writes to.
fn not_written_by_sqlite(db: &Db) {
    let posts = "CREATE TABLE posts (id INTEGER PRIMARY KEY, body TEXT);";
    let expand = "CREATE VIRTUAL TABLE idx USING fts5 (body, content = 'posts', content_rowid = 'id');\n\
        INSERT INTO idx (idx) VALUES ('rebuild');\n\
        CREATE TRIGGER ai AFTER INSERT ON posts BEGIN INSERT INTO idx (rowid, body) VALUES (NEW.id, NEW.body); END;\n\
        CREATE TRIGGER ad AFTER DELETE ON posts BEGIN INSERT INTO idx (idx, rowid, body) VALUES ('delete', OLD.id, OLD.body); END;\n\
        CREATE TRIGGER au AFTER UPDATE ON posts BEGIN INSERT INTO idx (idx, rowid, body) VALUES ('delete', OLD.id, OLD.body); \
        INSERT INTO idx (rowid, body) VALUES (NEW.id, NEW.body); END;\n";
    let revert = "DROP TRIGGER ai; DROP TRIGGER ad; DROP TRIGGER au; DROP TABLE idx;";
    let scripts = [("expand.sql", expand), ("revert.sql", revert)];
    let right = found(db, posts, ADDS, &scripts);
    assert!(right.is_empty(), "{right:?}");
}

/// No two runs of a backfill draw the same, and whoever leaves rows without is still found.
fn drawn(db: &Db) {
    let users = "CREATE TABLE users (id serial PRIMARY KEY, name text);";
    let manifest = "description = \"A uuid\"\nsync = \"to-new\"\n[services.web]\nold = \"<2.0.0\"\nnew = \">=2.0.0\"\n\
        [backfill]\ntable = \"users\"\nkey = \"id\"\nremaining = \"SELECT count(*) FROM users WHERE uid IS NULL\"\n";
    let backfill = "UPDATE users SET uid = gen_random_uuid() WHERE id > :after AND id <= :upto AND uid IS NULL;";
    let contract = "ALTER TABLE users ALTER COLUMN uid SET NOT NULL;";
    let revert = "ALTER TABLE users DROP COLUMN uid;";
    for (default, expected) in [
        (
            "ALTER TABLE users ALTER COLUMN uid SET DEFAULT gen_random_uuid();",
            None,
        ),
        ("", Some("new-stale")),
    ] {
        let expand = format!("ALTER TABLE users ADD COLUMN uid uuid; {default}");
        let scripts = [
            ("expand.sql", expand.as_str()),
            ("backfill.sql", backfill),
            ("contract.sql", contract),
            ("revert.sql", revert),
        ];
        // Who refreshes the old format as well is held to the new one of each row.
        let manifest = match expected {
            Some(_) => manifest.replace("to-new", "both"),
            None => manifest.to_owned(),
        };
        let found = found(db, users, &manifest, &scripts);
        assert_eq!(
            found.first().map(String::as_str),
            expected,
            "{default}: {found:?}"
        );
    }
}
