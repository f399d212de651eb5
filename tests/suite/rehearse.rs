//! `migrate rehearse`: what a declaration claims is tested on scratch databases, and mistakes are found before anybody runs them.

mod killed;
mod mistakes;
mod mutants;
mod releases;
mod required;
mod right;
mod shop;

use crate::support::backend::Db;
use crate::support::project::Project;
use shop::{Files, rename};

/// A project with `users` made by its first migration, and these files of the second.
fn project(db: &Db, files: &Files) -> Project {
    let project = Project::new(db, &[]);
    project.file(
        "migrate.toml",
        &format!(
            "[services.web]\nmin_instances = 0\n[rehearse]\nurl = \"{}\"\n",
            server(db)
        ),
    );
    files.write(&project);
    project
}

/// SQLite needs no server: any URL does for the others.
fn server(db: &Db) -> String {
    match db.backend.name {
        "sqlite" => "postgres://nobody@127.0.0.1:1/nothing".to_owned(),
        _ => db.url.clone(),
    }
}

fn codes(rehearsal: &serde_json::Value) -> Vec<String> {
    let findings = rehearsal["rehearsals"][0]["findings"].as_array();
    let findings = findings.expect("a list of findings").iter();
    findings
        .map(|finding| finding["code"].as_str().unwrap_or_default().to_owned())
        .collect()
}

scenario!(
    fn what_is_right_is_not_accused(db: Db) {
        let project = project(&db, &rename(db.backend.name));
        let output = project.migrate(&["rehearse", "2", "--rows", "200", "--output", "json"]);
        let output = output.expect_code(0).json();
        assert_eq!(output["verdict"], "go", "{output}");
        let found = codes(&output);
        // The ends of a type are a doubt at most: nothing says that somebody writes them.
        assert!(found.is_empty(), "{output}");
        let statements = output["rehearsals"][0]["statements"].as_array();
        let statements = statements.expect("what was measured");
        assert!(statements.len() > 4, "{output}");
        if db.backend.name == "postgres" {
            let locks = statements[0]["locks"].to_string();
            assert!(locks.contains("users: AccessExclusiveLock"), "{locks}");
        }
        // The project's own database was never written to.
        assert_eq!(
            project.migrate(&["status", "--output", "json"]).json()["migrations"][0]["phase"],
            "pending"
        );
    }
);

scenario!(
    fn what_is_generated_is_not_accused(db: Db) {
        let files = shop::declared(db.backend.name);
        let project = project(&db, &files);
        project.migrate(&["generate"]).expect_code(0);
        // On a server each database that is made and dropped takes its time.
        let ids: &[&str] = match db.backend.name {
            "sqlite" => &["--all"],
            "postgres" => &["2", "6", "8", "10", "12", "13"],
            _ => &["3", "4", "8", "10", "12", "13"],
        };
        let arguments = [&["rehearse", "--rows", "0", "--output", "json"], ids].concat();
        let output = project.migrate(&arguments).expect_code(0).json();
        let rehearsals = output["rehearsals"].as_array().expect("a list");
        let count = if ids.len() == 1 {
            files.migrations()
        } else {
            ids.len()
        };
        assert_eq!(rehearsals.len(), count, "{output}");
    }
);

scenario!(
    fn columns_that_move_are_rehearsed_in_both_tables(db: Db) {
        let project = project(&db, &shop::split(db.backend.name));
        project.migrate(&["generate", "2"]).expect_code(0);
        let rehearse = ["rehearse", "2", "--rows", "0", "--output", "json"];
        let output = project.migrate(&rehearse).expect_code(0).json();
        assert!(codes(&output).is_empty(), "{output}");
        if db.backend.name != "sqlite" {
            return;
        }
        // A write of the new format that triggers undo in both tables at once.
        let path = project.path().join("0002_name/expand.sql");
        let script = std::fs::read_to_string(&path).expect("it was written");
        let (_, own) = script.split_once('\n').expect("a first line");
        let right = "UPDATE users SET full_name = NEW.full_name";
        assert!(own.contains(right), "{own}");
        let wrong = own.replace(right, "UPDATE users SET full_name = NEW.email");
        project.file("0002_name/expand.sql", &wrong);
        let output = project.migrate(&rehearse).expect_code(11).json();
        assert!(
            codes(&output).contains(&"new-rows-changed".to_owned()),
            "{output}"
        );
        // A write of one column alone that the trigger passes over, which a later write of the other one would hide.
        let right = "IS NEW.full_name AND email COLLATE";
        assert!(own.contains(right), "{own}");
        let wrong = own.replace(right, "IS NEW.full_name OR email COLLATE");
        project.file("0002_name/expand.sql", &wrong);
        let output = project.migrate(&rehearse).expect_code(11).json();
        assert!(codes(&output).contains(&"new-stale".to_owned()), "{output}");
    }
);

#[test]
fn without_a_server_nothing_is_known() {
    let db = Db::on("postgres");
    let project = Project::new(&db, &["web"]);
    rename("postgres").write(&project);
    let output = project.migrate(&["rehearse", "2"]).expect_code(12);
    assert!(
        output
            .stderr
            .contains("no server is named on which PostgreSQL could be tried"),
        "{output:?}"
    );
    assert!(output.stderr.contains("under `[rehearse]`"), "{output:?}");
}

scenario!(
    fn statements_of_the_application_are_run_where_its_versions_live(db: Db) {
        let files = rename(db.backend.name);
        let with = |old: &str, new: &str| {
            files.clone().appended(
                "migration.toml",
                &format!("\n[services.web.probes]\nold = [{old}]\nnew = [{new}]\n"),
            )
        };
        let right = with(
            "\"SELECT full_name FROM users WHERE id < 5\", \"UPDATE users SET full_name = 'x' WHERE id = 1\"",
            "\"SELECT name FROM users WHERE id < 5\", \"INSERT INTO users (id, name) VALUES (77, 'y')\"",
        );
        project(&db, &right)
            .migrate(&["rehearse", "2", "--rows", "0"])
            .expect_code(0);
        let swapped = with(
            "\"SELECT name FROM users\"",
            "\"SELECT full_name FROM users\"",
        );
        let output = project(&db, &swapped).migrate(&["rehearse", "2", "--rows", "0"]);
        let output = output.expect_code(11);
        assert!(output.stdout.contains("[probe-fails]"), "{output:?}");
        assert!(output.stdout.contains("the wrong way round"), "{output:?}");
    }
);

scenario!(
    fn what_the_tests_of_the_application_have_sent_is_run_from_its_file(db: Db) {
        let files = rename(db.backend.name).appended(
            "migration.toml",
            "\n[services.web.probes]\nold = \"statements/web-1.0.sql\"\nnew = \"statements/web-1.2.sql\"\n",
        );
        let project = project(&db, &files);
        let rehearse = ["rehearse", "2", "--rows", "0"];
        let output = project.migrate(&rehearse).expect_code(1);
        assert!(
            output
                .stderr
                .contains("statements/web-1.0.sql cannot be read"),
            "{output:?}"
        );
        // What belongs to the session, what cannot be run and what fails without the migration says nothing.
        project.file(
            "statements/web-1.0.sql",
            "BEGIN;\nSELECT full_name FROM users WHERE id < 5;\nSELECT full_name FROM users WHERE id < 5;\n\
             SELECT * FROM elsewhere;\nUPDATE users SET full_name = 'Secret' WHERE id = 1;\nCOMMIT;\n",
        );
        project.file(
            "statements/web-1.2.sql",
            "SELECT name FROM users WHERE id = ?;\nSELECT name FROM users WHERE id < 5;\n"
                .replace(
                    '?',
                    if db.backend.name == "postgres" {
                        "$1"
                    } else {
                        "?"
                    },
                )
                .as_str(),
        );
        let output = project.migrate(&rehearse).expect_code(0);
        for (what, times) in [
            ("of no rows recorded of `web`", 2),
            ("with placeholders recorded of `web`", 1),
            ("fail before the migration already", 1),
        ] {
            let is_told = |line: &str| line.contains(what) && line.ends_with(&format!("({times})"));
            assert!(output.stdout.lines().any(is_told), "{what}: {output:?}");
        }
        // The new version goes on with what is gone: told once for all of them, and without values.
        project.file(
            "statements/web-1.2.sql",
            "SELECT name FROM users;\nSELECT full_name FROM users;\nSELECT id, full_name FROM users WHERE full_name = 'Secret';\n",
        );
        let output = project.migrate(&rehearse).expect_code(11);
        assert_eq!(
            output.stdout.matches("[probe-fails]").count(),
            1,
            "{output:?}"
        );
        assert!(output.stdout.contains("after the contract"), "{output:?}");
        assert!(output.stdout.contains("1 more statement"), "{output:?}");
        assert!(!output.stdout.contains("Secret"), "{output:?}");
        project.file("statements/web-1.2.sql", "BEGIN;\n");
        let output = project.migrate(&rehearse).expect_code(12);
        assert!(
            output.stderr.contains("has no statement that could be run"),
            "{output:?}"
        );
    }
);

scenario!(
    fn rows_of_the_application_are_tried_and_not_shown(db: Db) {
        let files = rename(db.backend.name)
            .replaced(
                "backfill.sql",
                "name = full_name",
                "name = lower(full_name)",
            )
            .added(
                "seed.sql",
                "INSERT INTO users (id, full_name) VALUES (1, 'Secret Person'), (2, 'Another');\n",
            );
        let project = project(&db, &files);
        let output = project
            .migrate(&["rehearse", "2", "--rows", "0"])
            .expect_code(11);
        assert!(output.stdout.contains("[new-stale]"), "{output:?}");
        let all = format!("{}{}", output.stdout, output.stderr).to_lowercase();
        assert!(
            !all.contains("secret") && !all.contains("another'"),
            "{output:?}"
        );
    }
);
