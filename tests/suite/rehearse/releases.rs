//! What each release sends is run in every state of the schema: ranges that it denies are named, and with `--derive` proposed.

use super::shop::{Files, rename};
use super::{codes, project};
use crate::support::backend::Db;
use crate::support::project::Project;

const OLD: &str = "\
SELECT id, full_name FROM users WHERE id < 5;
SELECT count(*) FROM users;
UPDATE users SET full_name = 'Secret' WHERE id = 1;
INSERT INTO users (id, full_name) VALUES (77, 'Secret');
";
const BRIDGE: &str = "\
SELECT id, coalesce(name, full_name) FROM users WHERE id < 5;
UPDATE users SET full_name = 'Secret', name = 'Secret' WHERE id = 1;
";
const NEW: &str = "\
SELECT id, name FROM users WHERE id < 5;
UPDATE users SET name = 'Secret' WHERE name = 'Other';
SELECT * FROM orders_of_a_later_migration;
";
const RANGES: &str = "old = \"<1.2.0\"\nnew = \">=1.1.0\"\n";

/// The files, with other ranges, and what the releases 1.0 to 1.2 send; of the second only where it is recorded.
fn recorded(db: &Db, ranges: &str, releases: &str, bridge: Option<&str>) -> Project {
    let files: Files = rename(db.backend.name).replaced("migration.toml", RANGES, ranges);
    let project = project(db, &files);
    let mut named = "\"1.0.0\" = \"sent/1.0.sql\", \"1.2.0\" = \"sent/1.2.sql\"".to_owned();
    project.file("sent/1.0.sql", OLD);
    project.file("sent/1.2.sql", NEW);
    if let Some(bridge) = bridge {
        named.push_str(", \"1.1.0\" = \"sent/1.1.sql\"");
        project.file("sent/1.1.sql", bridge);
    }
    let config = read(&project, "migrate.toml");
    project.file(
        "migrate.toml",
        &config.replacen(
            "min_instances = 0\n",
            &format!("min_instances = 0\nreleases = {releases}\nstatements = {{ {named} }}\n"),
            1,
        ),
    );
    project
}

const ALL: &str = "[\"1.0.0\", \"1.1.0\", \"1.2.0\"]";
const DERIVE: [&str; 5] = ["rehearse", "2", "--rows", "0", "--derive"];
const AS_JSON: [&str; 7] = [
    "rehearse", "2", "--rows", "0", "--derive", "--output", "json",
];

fn read(project: &Project, path: &str) -> String {
    std::fs::read_to_string(project.path().join(path)).expect("a file of the project")
}

fn proposed(output: &serde_json::Value) -> Vec<String> {
    let lines = output["rehearsals"][0]["derived"][0]["proposed"].as_array();
    let lines = lines.expect("lines of the proposal").iter();
    lines
        .map(|line| line.as_str().unwrap_or_default().to_owned())
        .collect()
}

scenario!(
    fn ranges_follow_from_what_the_releases_send(db: Db) {
        let right = recorded(&db, RANGES, ALL, Some(BRIDGE));
        let output = right.migrate(&DERIVE).expect_code(0);
        for line in [
            "    [services.web]",
            "    old = \"<1.2.0\"",
            "    new = \">=1.1.0\"",
        ] {
            assert!(output.stdout.lines().any(|said| said == line), "{output:?}");
        }
        assert!(
            output
                .stdout
                .contains("`web` 1.2.0 that run in no state, and tell nothing (1)"),
            "{output:?}"
        );
        // Nobody asked.
        let output = right
            .migrate(&["rehearse", "2", "--rows", "0", "--output", "json"])
            .expect_code(0);
        assert!(output.json()["rehearsals"][0].get("derived").is_none());
        // What is proposed can be pasted in place of what is wrong.
        let wrong = recorded(
            &db,
            "old = \"<1.1.0\"\nnew = \">=1.2.0\"\n",
            ALL,
            Some(BRIDGE),
        );
        let output = wrong.migrate(&AS_JSON).expect_code(11).json();
        let denied = output["rehearsals"][0]["findings"].to_string();
        assert!(
            denied.contains(
                "`web` 1.1.0 reads the old format, and `old = \\\"<1.1.0\\\"` says otherwise"
            ),
            "{denied}"
        );
        assert!(
            denied.contains(
                "`web` 1.1.0 writes the new format, and `new = \\\">=1.2.0\\\"` says otherwise"
            ),
            "{denied}"
        );
        assert!(!denied.contains("Secret"), "{denied}");
        let manifest = read(&wrong, "0002_name/migration.toml");
        let pasted = manifest.replace(
            "[services.web]\nold = \"<1.1.0\"\nnew = \">=1.2.0\"\n",
            &format!("{}\n", proposed(&output).join("\n")),
        );
        assert_ne!(manifest, pasted);
        wrong.file("0002_name/migration.toml", &pasted);
        let output = wrong.migrate(&AS_JSON).expect_code(0).json();
        assert!(codes(&output).is_empty(), "{output}");
    }
);

scenario!(
    fn what_the_releases_do_not_show_is_a_question(db: Db) {
        // Nothing is known of 1.1.0.
        let gap = recorded(&db, RANGES, ALL, None);
        let output = gap.migrate(&AS_JSON).expect_code(0).json();
        let lines = proposed(&output);
        assert_eq!(output["rehearsals"][0]["derived"][0]["is_open"], true);
        assert!(
            lines[1].contains("of versions between them nothing is known"),
            "{lines:?}"
        );
        assert_eq!((&*lines[2], &*lines[4]), ("old = \"?\"", "new = \"?\""));
        let manifest = read(&gap, "0002_name/migration.toml");
        let pasted = manifest.replace(
            &format!("[services.web]\n{RANGES}"),
            &format!("{}\n", lines.join("\n")),
        );
        assert_ne!(manifest, pasted);
        gap.file("0002_name/migration.toml", &pasted);
        gap.migrate(&["check"]).expect_code(1);
        // A bridge that writes the old format alone, and is said to write both.
        let stale = recorded(
            &db,
            RANGES,
            ALL,
            Some(
                "SELECT coalesce(name, full_name) FROM users;\nUPDATE users SET full_name = 'x';\n",
            ),
        );
        let output = stale.migrate(&AS_JSON).expect_code(0).json();
        assert_eq!(codes(&output), ["range-unseen"], "{output}");
        let lines = proposed(&output);
        assert!(
            lines.contains(&"writes.new = \">=1.2.0\"".to_owned()),
            "{lines:?}"
        );
        // Two queries, one for each format.
        let apart = recorded(
            &db,
            RANGES,
            ALL,
            Some(
                "SELECT full_name FROM users;\nSELECT name FROM users;\nUPDATE users SET full_name = 'x', name = 'x';\n",
            ),
        );
        let output = apart.migrate(&AS_JSON).expect_code(0).json();
        let lines = proposed(&output);
        assert!(lines.contains(&"reads.old = \"?\"".to_owned()), "{lines:?}");
        assert!(
            lines.contains(&"writes.new = \">=1.1.0\"".to_owned()),
            "{lines:?}"
        );
    }
);

scenario!(
    fn nothing_is_derived_from_nothing(db: Db) {
        let bare = project(&db, &rename(db.backend.name));
        let output = bare.migrate(&DERIVE).expect_code(1);
        assert!(
            output.stderr.contains("no service has statements"),
            "{output:?}"
        );
        let missing = recorded(&db, RANGES, ALL, None);
        std::fs::remove_file(missing.path().join("sent/1.0.sql")).expect("it is there");
        let output = missing.migrate(&DERIVE).expect_code(1);
        assert!(
            output.stderr.contains("sent/1.0.sql cannot be read"),
            "{output:?}"
        );
        assert!(output.stderr.contains("[services.web]"), "{output:?}");
    }
);
