//! `[rehearse] required`: a contract wants a rehearsal of its migration's files, as they are, in the ledger.

use super::{Files, project, rename};
use crate::support::backend::Db;
use crate::support::project::Project;

/// A project that asks for rehearsals.
fn asking(db: &Db, files: &Files) -> Project {
    let project = project(db, files);
    let path = project.path().join("migrate.toml");
    let settings = std::fs::read_to_string(path).expect("a migrate.toml");
    let asks = settings.replace("[rehearse]\n", "[rehearse]\nrequired = true\n");
    project.file("migrate.toml", &asks);
    project
}

/// What the gate finds against the contract, and the advice.
fn found(project: &Project, code: i32) -> (String, String) {
    let output = project.migrate(&["gate", "contract", "2", "--output", "json"]);
    let blocker = output.expect_code(code).json()["blockers"][0].clone();
    assert_eq!(blocker["kind"], "rehearsal", "{blocker}");
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    (text(&blocker["details"]["found"]), text(&blocker["help"]))
}

scenario!(
    fn a_contract_wants_a_rehearsal_of_its_very_files(db: Db) {
        let files = rename(db.backend.name);
        let project = asking(&db, &files);
        project.migrate(&["expand"]).expect_code(0);
        project.migrate(&["backfill", "2"]).expect_code(0);
        let plan = project.migrate(&["plan", "--from", "web=1.1.0", "--to", "web=1.2.0"]);
        assert!(plan.stdout.contains("rehearsed"), "{plan:?}");
        // One that nobody records is none.
        let (never, help) = found(&project, 12);
        assert_eq!(never, "never", "{help}");
        project.migrate(&["contract", "2"]).expect_code(12);

        // A `check` that finds nothing of what is wrong.
        let read = |name: &str| {
            let path = project.path().join("0002_name").join(name);
            std::fs::read_to_string(path).expect("a file of the migration")
        };
        let (declared, contract) = (read("migration.toml"), read("contract.sql"));
        let blind = declared.replace("(full_name <> name OR", "(name = 'x' AND");
        assert_ne!(blind, declared);
        project.file("0002_name/migration.toml", &blind);
        let rehearse = ["rehearse", "0002_name", "--record", "--rows", "0"];
        project.migrate(&rehearse).expect_code(11);
        assert_eq!(found(&project, 11).0, "denied");
        project
            .migrate(&["contract", "2", "--accept-unknown", "we know"])
            .expect_code(11);

        project.file("0002_name/migration.toml", &declared);
        let (other, help) = found(&project, 12);
        assert_eq!(other, "other_files", "{help}");
        assert!(
            help.contains("`migrate rehearse 0002_name --record`"),
            "{help}"
        );
        project.migrate(&rehearse).expect_code(0);
        project.migrate(&["gate", "contract", "2"]).expect_code(0);

        // Another script is another one.
        project.file("0002_name/contract.sql", &format!("-- later\n{contract}"));
        assert_eq!(found(&project, 12).0, "other_files");
        project.file("0002_name/contract.sql", &contract);
        let log = project.migrate(&["log"]).expect_code(0).stdout;
        assert!(log.contains("found: wrong"), "{log}");
        assert!(log.contains("found: nothing-wrong"), "{log}");
        project.migrate(&["contract", "2"]).expect_code(0);
        project.migrate(&["log", "--verify"]).expect_code(0);
    }
);

#[test]
fn what_cannot_be_recorded_is_not_known() {
    let db = Db::on("sqlite");
    let project = asking(&db, &rename("sqlite"));
    let record = ["rehearse", "2", "--record", "--rows", "0"];
    let output = project.migrate(&record).expect_code(12);
    assert!(
        output.stderr.contains("there is no ledger yet"),
        "{output:?}"
    );
    // Whoever knows it from elsewhere says so, and that is recorded.
    project.migrate(&["expand"]).expect_code(0);
    project.migrate(&["backfill", "2"]).expect_code(0);
    let accepted = ["contract", "2", "--accept-unknown", "tried on staging"];
    project.migrate(&accepted).expect_code(0);
    let log = project.migrate(&["log"]).expect_code(0).stdout;
    assert!(log.contains("tried on staging"), "{log}");
}

scenario!(
    fn what_could_not_be_tried_with_a_row_is_no_rehearsal(db: Db) {
        let project = asking(&db, &rename(db.backend.name));
        let path = project.path().join("0001_users/expand.sql");
        let users = std::fs::read_to_string(path).expect("it makes the table");
        let end = users.find(");").expect("it ends the columns");
        // Nobody would hit on such a name.
        let (columns, rest) = users.split_at(end);
        let odd = format!(
            "{columns}, CONSTRAINT odd CHECK (coalesce(email, '') LIKE 'Mr %! of %?'){rest}"
        );
        project.file("0001_users/expand.sql", &odd);
        project.migrate(&["expand"]).expect_code(0);
        project.migrate(&["backfill", "2"]).expect_code(0);
        let rehearse = ["rehearse", "0002_name", "--record", "--rows", "0"];
        let output = project.migrate(&rehearse).expect_code(12);
        assert!(output.stdout.contains("not tried: [no-rows]"), "{output:?}");
        assert!(output.stderr.contains("is not recorded"), "{output:?}");
        assert_eq!(found(&project, 12).0, "never");
        // With a row of the user's own it is one.
        let seed = "INSERT INTO users (id, full_name, email) VALUES (1, 'X', 'Mr X! of Y?');\n";
        project.file("0002_name/seed.sql", seed);
        let output = project.migrate(&rehearse);
        assert!(!output.stdout.contains("no-rows"), "{output:?}");
    }
);
