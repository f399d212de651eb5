//! An expand that the tool takes back, and what is said while it could be undone past the tool.

use super::projects::{
    ADD, ALEMBIC, DROP, SQLX, alembic_revision, bare, by_hand, has_column, history, judged, project,
};
use crate::support::backend::Db;
use crate::support::project::{Output, Project};
use crate::support::shop::said;

/// A project whose expand Alembic can take back.
fn expanded(db: &Db) -> Project {
    let project = project(&ALEMBIC, db);
    alembic_revision(&project, "b2", "'a1'", &format!("op.execute(\"{ADD}\")"));
    let file = project.path().join("db/versions/b2_.py");
    let text = std::fs::read_to_string(&file).expect("it was written");
    let back = text.replace(
        "    pass",
        "    op.execute(\"ALTER TABLE shop DROP COLUMN title\")",
    );
    assert_ne!(text, back);
    std::fs::write(&file, back).expect("it can be written");
    project.migrate(&["expand", "1"]).expect_code(0);
    project
}

fn admit(project: &Project, version: &str) -> Output {
    let (service, version) = (["--service", "web"], ["--version", version]);
    let arguments = [
        &["admit"],
        &service[..],
        &version[..],
        &["--instance", "web-1"],
    ];
    project.migrate(&arguments.concat())
}

fn told(output: &Output) -> String {
    format!("{} {}", output.stdout, said(output))
}

fn phase(project: &Project) -> String {
    let status = project.migrate(&["status", "--output", "json"]).json();
    let phase = &status["migrations"][0]["phase"];
    phase.as_str().expect("a phase").to_owned()
}

scenario!(
    fn what_the_tool_took_back_is_recorded_and_can_be_expanded_again(db: Db) {
        let project = expanded(&db);
        // Nothing but the tool takes it back.
        let take_back = "take `b2` back with alembic";
        let asked = project.migrate(&["gate", "revert", "1"]).expect_code(11);
        assert!(asked.stdout.contains(take_back), "{asked:?}");
        let refused = project.migrate(&["revert", "1"]).expect_code(1);
        assert!(said(&refused).contains(take_back), "{refused:?}");
        assert_eq!(phase(&project), "expanded");

        by_hand(&project, &["alembic", "downgrade", "a1"]);
        let dump = db.dump(crate::support::backend::Ledger::Excluded);
        let status = project.migrate(&["status"]).expect_code(1);
        let not_there = project.migrate(&["expand", "1"]).expect_code(11);
        let asked = project
            .migrate(&["gate", "deploy", "web=1.1.0"])
            .expect_code(11);
        for told in [told(&status), told(&not_there), told(&asked)] {
            assert!(told.contains("`migrate revert 0001_title`"), "{told}");
        }
        // The door knows it as well.
        let door = admit(&project, "1.1.0").expect_code(11);
        assert!(
            told(&door).contains("does not have `b2` any more"),
            "{door:?}"
        );
        project.migrate(&["gate", "revert", "1"]).expect_code(0);
        let reverted = project.migrate(&["revert", "1"]).expect_code(0);
        assert!(told(&reverted).contains("nothing was run"), "{reverted:?}");
        assert_eq!(phase(&project), "pending");
        assert_eq!(db.dump(crate::support::backend::Ledger::Excluded), dump);
        project.migrate(&["status"]).expect_code(0);

        project.migrate(&["expand", "1"]).expect_code(0);
        assert!(has_column(&db, "title"));
        assert_eq!(history(&ALEMBIC, &db), ["b2"]);
        project
            .migrate(&["gate", "deploy", "web=1.1.0"])
            .expect_code(0);
        project.migrate(&["log", "--verify"]).expect_code(0);
    }
);

#[test]
fn what_a_live_version_needs_is_not_recorded_as_undone() {
    let db = Db::on("postgres");
    let project = expanded(&db);
    admit(&project, "1.1.0").expect_code(0);
    let asked = project.migrate(&["gate", "revert", "1"]).expect_code(11);
    assert!(asked.stdout.contains("web 1.1.0"), "{asked:?}");
    by_hand(&project, &["alembic", "downgrade", "a1"]);
    let refused = project.migrate(&["revert", "1"]).expect_code(10);
    assert!(told(&refused).contains("web 1.1.0"), "{refused:?}");
    // What is gone counts as being taken away; recorded is nothing of it, as is seen below.
    assert_eq!(phase(&project), "reverting", "{refused:?}");
    let status = project.migrate(&["status"]).expect_code(1);
    let told = told(&status);
    assert!(told.contains("have alembic apply it again"), "{told}");
    assert!(!told.contains("migrate revert"), "{told}");
    by_hand(&project, &["alembic", "upgrade", "b2"]);
    project.migrate(&["status"]).expect_code(0);
    assert_eq!(phase(&project), "expanded");
}

#[test]
fn a_script_that_undoes_what_the_tool_did_is_refused() {
    let db = Db::on("sqlite");
    let project = expanded(&db);
    project.file(
        "0001_title/revert.sql",
        "ALTER TABLE shop DROP COLUMN title;\n",
    );
    let checked = project.migrate(&["check"]).expect_code(1);
    for part in ["past-the-tool", "remove revert.sql"] {
        assert!(said(&checked).contains(part), "{part} in {checked:?}");
    }
    project.migrate(&["gate", "revert", "1"]).expect_code(11);
    project.migrate(&["revert", "1"]).expect_code(11);
    assert!(has_column(&db, "title"), "nothing was run");
    // What the tool does is seen all the same.
    by_hand(&project, &["alembic", "downgrade", "a1"]);
    project
        .migrate(&["gate", "deploy", "web=1.1.0"])
        .expect_code(11);
    admit(&project, "1.1.0").expect_code(11);
}

/// An expand that is pending comes before a later expand, and nobody says that it comes before another migration's contract.
#[test]
fn what_a_pending_expand_would_apply_is_not_counted_for_a_contract() {
    let db = Db::on("sqlite");
    let project = bare(&SQLX, &db);
    by_hand(&project, SQLX.first);
    let [_, second, third] = SQLX.revisions;
    let word = judged(&SQLX);
    let manifest = |ranges: &str, step: &str, revision: &str| {
        format!(
            "description = \"A part\"\n[services.web]\n{ranges}\n[{step}]\nrevisions = [\"{revision}\"]\n{word}"
        )
    };
    let adds = manifest("new = \">=1.1.0\"", "expand", second);
    let takes = manifest("old = \"<1.2.0\"", "contract", third);
    project.migration("0001_title", &[("migration.toml", &adds)]);
    project.migration("0002_name", &[("migration.toml", &takes)]);
    let along = format!("would apply `{second}` along with `{third}`");
    let asked = project.migrate(&["gate", "contract", "2"]).expect_code(11);
    assert!(asked.stdout.contains(&along), "{asked:?}");
    let refused = project.migrate(&["contract", "2"]).expect_code(1);
    assert!(said(&refused).contains(&along), "{refused:?}");
    let status = project.migrate(&["status"]).expect_code(0);
    assert!(
        !status.stdout.contains("safe now: `migrate contract"),
        "{status:?}"
    );
    // In a plan it comes after that expand, and nothing is in its way.
    let plan = project
        .migrate(&["plan", "--to", "web=1.2.0"])
        .expect_code(0);
    assert!(plan.stdout.contains("contract"), "{plan:?}");
    assert!(!said(&plan).contains("would apply"), "{plan:?}");
    project.migrate(&["expand", "1"]).expect_code(0);
    project.migrate(&["gate", "contract", "2"]).expect_code(0);
    project.migrate(&["contract", "2"]).expect_code(0);
    assert!(!has_column(&db, "name"), "{DROP}");
}
