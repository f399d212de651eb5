//! Databases that cannot be used, or that are not what the URL promises.

use std::fs;

use crate::support::backend::{Db, Ledger};
use crate::support::postgres::PrivateServer;
use crate::support::project::Project;
use crate::support::shop::{APPEND_ONLY, BACKFILL, CONTRACT, EXPAND, NAME, Shop, said};

fn project_at(url: &str) -> Project {
    let project = Project::without_database(&["web"]);
    project.env("DATABASE_URL", url);
    project.migration(
        NAME,
        &[
            ("migration.toml", APPEND_ONLY),
            ("expand.sql", EXPAND),
            ("backfill.sql", BACKFILL),
            ("contract.sql", CONTRACT),
        ],
    );
    project
}

const EVERY_COMMAND: &[&[&str]] = &[
    &["status"],
    &["fleet"],
    &["log"],
    &["log", "--verify"],
    &["expand"],
    &["backfill"],
    &["contract"],
    &["contract", "--dry-run"],
    &["revert", "1"],
    &["admit", "--service", "web", "--version", "1.0.0"],
    &[
        "agent",
        "--service",
        "web",
        "--version",
        "1.0.0",
        "--",
        "touch",
        "started",
    ],
];

/// What every command says: that it is an error, and these words.
#[track_caller]
fn every_command_fails(project: &Project, parts: &[&str]) {
    every_command_ends(project, 1, parts);
}

/// What every command says: this exit code, and these words.
#[track_caller]
fn every_command_ends(project: &Project, code: i32, parts: &[&str]) {
    for command in EVERY_COMMAND {
        let failed = project.migrate(command);
        assert_eq!(failed.code, code, "{command:?}: {failed:?}");
        let said = said(&failed);
        for part in parts {
            assert!(said.contains(part), "{command:?}: {part} in {failed:?}");
        }
        assert!(!said.contains("panicked"), "{failed:?}");
        assert!(!project.path().join("started").exists(), "{command:?}");
    }
}

#[test]
fn a_file_that_is_no_database_is_left_as_it_is() {
    let project = project_at("sqlite://notes.txt");
    project.file(
        "notes.txt",
        &"these are notes, and not a database\n".repeat(100),
    );
    let before = fs::read(project.path().join("notes.txt")).expect("a file");
    every_command_fails(&project, &["not an SQLite database", "notes.txt"]);
    assert_eq!(project.migrate(&["gate", "deploy", "web=1.0.0"]).code, 1);
    assert_eq!(
        fs::read(project.path().join("notes.txt")).expect("a file"),
        before
    );
}

#[test]
fn a_file_that_is_not_there_is_no_yes_and_only_an_expand_makes_it() {
    for (url, file) in [
        ("sqlite://nowhere/shop.db", "nowhere/shop.db"),
        ("sqlite://shpo.db", "shpo.db"),
    ] {
        let project = project_at(url);
        project.file("migrate.toml", "[services.web]\nmin_instances = 0\n");
        project.migration(
            "0002_unused",
            &[
                (
                    "migration.toml",
                    "description = \"unused\"\n[services.web]\nold = \"<0.9.0\"\n",
                ),
                ("contract.sql", "DROP TABLE unused;\n"),
            ],
        );
        for asked in [
            &["gate", "contract", "2"][..],
            &["gate", "backfill", "1"],
            &["gate", "revert", "1"],
            &["gate", "deploy", "web=1.0.0"],
            &["gate", "deploy", "web=1.0.0", "--record"],
        ] {
            let unknown = project.migrate(asked).expect_code(12);
            assert!(unknown.stdout.contains("check the path"), "{unknown:?}");
        }
        for acting in [
            &["contract", "2"][..],
            &["contract"],
            &["backfill", "1"],
            &["revert", "1"],
            &["admit", "--service", "web", "--version", "1.0.0"],
        ] {
            let failed = project.migrate(acting).expect_code(1);
            assert!(
                said(&failed).contains("there is no such file"),
                "{failed:?}"
            );
        }
        for told in [
            &["status"][..],
            &["fleet"],
            &["plan"],
            &["log"],
            &["backfill"],
        ] {
            let output = project.migrate(told);
            assert!(
                output.stderr.contains("check the path"),
                "{told:?}: {output:?}"
            );
        }
        assert!(!project.path().join(file).exists());
    }
    let project = project_at("sqlite://new.db");
    project.migrate(&["gate", "expand", "1"]).expect_code(0);
    let made = project.migrate(&["expand"]).expect_code(1);
    assert!(made.stderr.contains("it has been made"), "{made:?}");
}

#[test]
fn a_damaged_database_is_an_error_and_no_panic() {
    let shop = Shop::backfilled(Db::on("sqlite"));
    let file = shop.db.url.trim_start_matches("sqlite://").to_owned();
    let mut bytes = fs::read(&file).expect("a file");
    for byte in &mut bytes[4096..] {
        *byte = 0xA5;
    }
    fs::write(&file, bytes).expect("the file is ours");
    for command in [
        &["status"][..],
        &["expand"],
        &["contract"],
        &["log", "--verify"],
        &["gate", "contract", "1"],
    ] {
        let failed = shop.run(command, 1);
        assert!(said(&failed).contains("or is damaged"), "{failed:?}");
    }
}

#[test]
fn a_truncated_database_is_an_error_and_no_panic() {
    let shop = Shop::backfilled(Db::on("sqlite"));
    let file = shop.db.url.trim_start_matches("sqlite://").to_owned();
    let bytes = fs::read(&file).expect("a file");
    fs::write(&file, &bytes[..bytes.len() / 2]).expect("the file is ours");
    for command in [&["status"][..], &["contract"], &["log"]] {
        shop.run(command, 1);
    }
}

#[test]
fn a_directory_is_no_database() {
    let project = project_at("sqlite://data");
    fs::create_dir(project.path().join("data")).expect("a new directory");
    every_command_ends(&project, 12, &["cannot be reached", "data"]);
}

#[test]
fn a_file_that_may_not_be_written_can_still_be_read() {
    let shop = Shop::backfilled(Db::on("sqlite"));
    let file = shop.db.url.trim_start_matches("sqlite://").to_owned();
    let mut permissions = fs::metadata(&file).expect("a file").permissions();
    permissions.set_readonly(true);
    fs::set_permissions(&file, permissions).expect("the file is ours");
    shop.run(&["status"], 0);
    shop.run(&["gate", "contract", "1"], 0);
}

scenario!(
    fn tables_of_others_are_left_alone(db: Db) {
        db.execute(
            "CREATE TABLE theirs (id INTEGER PRIMARY KEY, phasegate VARCHAR(20)); INSERT INTO theirs VALUES (1, 'x'); \
             CREATE VIEW their_view AS SELECT id FROM theirs; CREATE INDEX their_index ON theirs (phasegate)",
        );
        let before = db.dump(Ledger::Excluded);
        let shop = Shop::new(db);
        shop.project.migration(
            "0001_more",
            &[
                (
                    "migration.toml",
                    "description = \"More\"\n[services.web]\nnew = \">=1.3.0\"\n",
                ),
                (
                    "expand.sql",
                    "CREATE TABLE more (id INTEGER PRIMARY KEY);\n",
                ),
                ("revert.sql", "DROP TABLE more;\n"),
            ],
        );
        shop.run(&["expand"], 0);
        shop.run(&["revert", "1"], 0);
        shop.db.execute("DROP TABLE users");
        assert_eq!(shop.data(), before);
    }
);

#[test]
fn a_url_that_leads_nowhere_is_explained() {
    for (url, parts) in [
        (
            "oracle://root:geheim@localhost/shop",
            &["oracle", "sqlite://"][..],
        ),
        ("sqlite::memory:", &["names no file"]),
        ("sqlite://", &["names no file"]),
        ("sqlite://a.db?mode=rwc", &["not supported for SQLite"]),
        ("geheim", &["sqlite:"]),
        ("postgres://u:geheim@[::1:5432/shop", &[]),
        ("postgres://u:geheim@localhost:99999/shop", &[]),
        (
            "postgres://u:geheim@localhost/shop?password=geheim&sslmode=odd",
            &[],
        ),
    ] {
        let project = project_at(url);
        for command in [
            &["status"][..],
            &["status", "--output", "json"],
            &["expand", "-vvv"],
            &["check"],
        ] {
            let output = project.migrate(command);
            let all = format!("{}{}", output.stdout, said(&output));
            assert!(!all.contains("geheim"), "{url}: {all}");
            // It asks no database, so that of the URL only the beginning matters to it.
            if command[0] == "check" && output.code == 0 {
                continue;
            }
            assert_eq!(output.code, 1, "{url} {command:?}: {output:?}");
            for part in parts {
                assert!(all.contains(part), "{url}: {part} in {all}");
            }
        }
    }
    let nothing = Project::without_database(&["web"]);
    let output = nothing.migrate(&["status"]).expect_code(1);
    assert!(output.stderr.contains("DATABASE_URL"), "{output:?}");
    let output = project_at("sqlite://not/there/app.db")
        .migrate(&["expand"])
        .expect_code(12);
    for part in ["not/there/app.db", "check the path"] {
        assert!(said(&output).contains(part), "{output:?}");
    }
}

#[test]
fn a_wrong_password_is_never_shown() {
    let server = PrivateServer::start();
    let db = server.create("shop");
    db.execute("CREATE ROLE clerk LOGIN PASSWORD 'right'");
    let project = project_at(&server.url_as("clerk", "s3cr3t-wr0ng", "shop"));
    every_command_fails(
        &project,
        &["refuses the user or the password", "clerk@127.0.0.1"],
    );
    for extra in [&["--output", "json"][..], &["-vv"], &["-vvv"], &["-q"]] {
        for command in EVERY_COMMAND {
            let agent = command
                .iter()
                .position(|word| *word == "--")
                .unwrap_or(command.len());
            let arguments = [&command[..agent], extra, &command[agent..]].concat();
            let output = project.migrate(&arguments);
            let all = format!("{}{}", output.stdout, output.stderr);
            assert!(!all.contains("s3cr3t-wr0ng"), "{arguments:?}: {all}");
        }
    }
    // With -vvv everything that any part of it has to say is shown.
    project.env("RUST_LOG", "trace");
    let output = project.migrate(&["status"]).expect_code(1);
    assert!(!output.stderr.contains("s3cr3t-wr0ng"), "{output:?}");

    let project = project_at(&server.url_as("clerk", "right", "nowhere"));
    every_command_fails(&project, &["the database does not exist", "nowhere"]);
    // It may log in and read, and not more.
    let project = project_at(&server.url_as("clerk", "right", "shop"));
    assert_eq!(project.migrate(&["status"]).code, 0);
    let output = project.migrate(&["expand"]).expect_code(1);
    assert!(said(&output).contains("lacks a right"), "{output:?}");
}

#[test]
fn a_server_that_does_not_answer_is_unknown_to_every_command() {
    let project = project_at("postgres://clerk:s3cr3t@127.0.0.1:1/shop");
    let parts = ["cannot be reached", "clerk@127.0.0.1:1/shop"];
    every_command_ends(&project, 12, &parts);
    for action in [
        &["gate", "deploy", "web=1.0.0"][..],
        &["gate", "contract", "1"],
    ] {
        let unknown = project.migrate(action).expect_code(12);
        assert!(unknown.stdout.contains("cannot be reached"), "{unknown:?}");
        assert!(!unknown.stdout.contains("s3cr3t"), "{unknown:?}");
        let json = project
            .migrate(&[action, &["--output", "json"]].concat())
            .expect_code(12)
            .json();
        assert_eq!(json["verdict"], "unknown");
    }
    // What needs no database does not ask for one.
    assert_eq!(project.migrate(&["check"]).code, 0);
}
