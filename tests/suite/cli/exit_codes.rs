//! How every command ends, for whoever reads its exit code and its JSON.

use crate::support::project::Project;
use crate::support::shop::{APPEND_ONLY, CONTRACT, EXPAND, NAME, said};

/// Every command that needs the database, as it would be used.
const EVERY_COMMAND: &[&[&str]] = &[
    &["status"],
    &["fleet"],
    &["fleet", "--record"],
    &["fleet", "forget", "a", "--reason", "x"],
    &["log"],
    &["log", "--verify"],
    &["log", "--head"],
    &["gate", "deploy", "web=1.0.0"],
    &["gate", "--record", "deploy", "web=1.0.0"],
    &["gate", "expand", "1"],
    &["gate", "contract", "1"],
    &["plan", "--to", "web=1.2.0"],
    &["rollout", "--to", "web=1.2.0"],
    &["rollout", "status"],
    &["rollout", "resume"],
    &["rollout", "abort"],
    &["rollout", "abort", "--roll-back", "web=1.0.0"],
    &["expand"],
    &["expand", "1"],
    &["backfill"],
    &["backfill", "--dry-run"],
    &["backfill", "pause", "1"],
    &["contract"],
    &["contract", "1"],
    &["contract", "--dry-run"],
    &["revert", "1"],
    &["resolve", "1", "--step", "1", "--applied"],
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

fn project() -> Project {
    let project = Project::without_database(&["web"]);
    let backfill = "UPDATE users SET name = full_name WHERE id > :after AND id <= :upto;\n";
    let files = [
        ("migration.toml", APPEND_ONLY),
        ("expand.sql", EXPAND),
        ("backfill.sql", backfill),
        ("contract.sql", CONTRACT),
        ("revert.sql", "ALTER TABLE users DROP COLUMN name;\n"),
    ];
    project.migration(NAME, &files);
    project
}

/// With `--output json`, which stands before what an agent starts.
fn as_json<'a>(command: &[&'a str]) -> Vec<&'a str> {
    [&["--output", "json"], command].concat()
}

#[test]
fn a_database_that_cannot_be_reached_is_unknown_whoever_asks() {
    for url in [
        "postgres://clerk:s3cr3t@127.0.0.1:1/shop",
        "mysql://clerk:s3cr3t@127.0.0.1:1/shop",
    ] {
        let project = project();
        project.env("DATABASE_URL", url);
        for command in EVERY_COMMAND {
            let text = project.migrate(command);
            assert_eq!(text.code, 12, "{command:?}: {text:?}");
            let told = format!("{}{}", text.stdout, said(&text));
            assert!(told.contains("cannot be reached"), "{command:?}: {text:?}");
            let json = project.migrate(&as_json(command));
            assert_eq!(json.code, 12, "{command:?}: {json:?}");
            let object = json.json();
            let is_told = object["error"]["message"].is_string() || object["verdict"] == "unknown";
            assert!(is_told, "{command:?}: {object}");
            assert!(
                !object.to_string().contains("s3cr3t"),
                "{command:?}: {object}"
            );
        }
        assert!(!project.path().join("started").exists());
    }
}

#[test]
fn what_no_waiting_helps_against_is_an_error_whoever_asks() {
    let project = project();
    project.env("DATABASE_URL", "sqlite://notes.txt");
    project.file(
        "notes.txt",
        &"these are notes, and not a database\n".repeat(100),
    );
    for command in EVERY_COMMAND {
        let json = project.migrate(&as_json(command));
        assert_eq!(json.code, 1, "{command:?}: {json:?}");
        let object = json.json();
        assert!(
            object["error"]["message"].is_string(),
            "{command:?}: {object}"
        );
    }
}

#[test]
fn wrong_arguments_are_told_to_programs_as_well() {
    let project = project();
    for arguments in [
        &["--output", "json"][..],
        &["--output=json", "statsu"],
        &["status", "--outptu", "--output", "json"],
        &["gate", "--output", "json"],
        &["gate", "deploy", "web", "--output", "json"],
        &["--output", "json", "contract", "--wait", "soon"],
        &["new", "--output", "json"],
        &["--output", "json", "status", "-q", "-v"],
        &[
            "--output",
            "json",
            "agent",
            "--service",
            "web",
            "--version",
            "1.0.0",
        ],
        &["--output", "json", "fleet", "forget", "a", "--reason", " "],
        &["--output", "json", "gate", "deploy", "wbe=1.0.0"],
    ] {
        let wrong = project
            .env("DATABASE_URL", "sqlite://shop.db")
            .migrate(arguments);
        assert_eq!(wrong.code, 2, "{arguments:?}: {wrong:?}");
        let object = wrong.json();
        let message = object["error"]["message"].as_str();
        assert!(
            message.is_some_and(|text| !text.is_empty()),
            "{arguments:?}: {object}"
        );
        assert!(!wrong.stderr.is_empty(), "{arguments:?}: {wrong:?}");
    }
    // What an application is given is its own.
    let given = ["agent", "--service", "web", "--", "x", "--output", "json"];
    let wrong = project.migrate(&given).expect_code(2);
    assert_eq!(wrong.stdout, "", "{wrong:?}");
}

#[test]
fn every_other_failure_is_one_object_too() {
    let project = project();
    project.env("DATABASE_URL", "sqlite://shop.db");
    for (arguments, code) in [
        (&["-C", "nowhere", "status"][..], 1),
        (&["status", "--database-url-file", "none"], 1),
        (&["status", "--database-url", "nonsense"], 1),
        (&["gate", "contract", "9"], 2),
        (&["gate", "deploy", "web=latest"], 12),
        (&["plan", "--to", "web=1.2.0", "--releases", "none"], 1),
        (&["admit", "--service", "web", "--version", "1.0.0"], 1),
    ] {
        let failed = project.migrate(&as_json(arguments));
        assert_eq!(failed.code, code, "{arguments:?}: {failed:?}");
        let object = failed.json();
        assert!(
            object["error"]["message"].is_string(),
            "{arguments:?}: {object}"
        );
    }
    project.file(format!("{NAME}/migration.toml"), "nonsense");
    let check = project.migrate(&as_json(&["check"])).expect_code(1).json();
    assert!(check["error"]["problems"][0]["line"].is_number(), "{check}");
}

#[test]
fn the_codes_are_those_that_help_and_page_tell() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/commands.md"));
    let page = page.expect("the page about commands");
    let help = project().migrate(&["--help"]).expect_code(0).stdout;
    let codes = [0, 1, 2, 10, 11, 12, 74, 130];
    for code in codes {
        assert!(page.contains(&format!("\n| {code} | ")), "{code}");
        assert!(help.contains(&format!(" {code}  ")), "{code}");
    }
    let rows = page.lines().skip_while(|line| *line != "## Exit codes");
    let rows = rows.take_while(|line| !line.starts_with("## To ") && !line.starts_with("## When"));
    let told = rows.filter(|line| line.starts_with("| ") && line.as_bytes()[2].is_ascii_digit());
    assert_eq!(told.count(), codes.len());
}
