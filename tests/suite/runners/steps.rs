//! Expand, roll, contract, by each tool on each database.

use super::projects::{ALEMBIC, DBMATE, DJANGO, SQLX, Tool, by_hand, has_column, history, project};
use crate::serve::client::Server;
use crate::serve::notices::hook;
use crate::support::backend::Db;
use crate::support::project::{Project, Signal};
use crate::support::shop::said;
use crate::support::wait::{GENEROUS, eventually};

fn phase(project: &Project) -> String {
    let status = project.migrate(&["status", "--output", "json"]).json();
    let phase = &status["migrations"][0]["phase"];
    phase.as_str().expect("a phase").to_owned()
}

/// Two versions are live, and each step waits for what it has to.
pub fn rolls(tool: &Tool, db: &Db) {
    let project = project(tool, db);
    let before = history(tool, db);
    project.migrate(&["check"]).expect_code(0);
    project.migrate(&["expand", "1"]).expect_code(0);
    assert!(has_column(db, "title") && has_column(db, "name"));
    let expanded = history(tool, db);
    assert_ne!(before, expanded, "the tool has recorded it");
    assert_eq!(phase(&project), "expanded");
    // It is in the tool's history, so it is not run again.
    project.migrate(&["expand", "1"]).expect_code(0);

    let agent = |version: &str, name: &str| {
        let arguments = [
            "agent",
            "--service",
            "web",
            "--version",
            version,
            "--instance",
            name,
            "--",
            "sleep",
            "600",
        ];
        project.spawn(&arguments)
    };
    let old = agent("1.1.0", "web-1");
    let new = agent("1.2.0", "web-2");
    eventually(GENEROUS, || {
        let fleet = project.migrate(&["fleet", "--output", "json"]).stdout;
        (fleet.contains("web-1") && fleet.contains("web-2")).then_some(())
    });
    let refused = project.migrate(&["contract", "1"]).expect_code(11);
    assert!(refused.stdout.contains("web 1.1.0"), "{refused:?}");
    assert_eq!(history(tool, db), expanded, "nothing was run");
    assert!(has_column(db, "name"));
    old.signal(Signal::TERM);
    old.wait();
    project.migrate(&["contract", "1"]).expect_code(0);
    assert!(!has_column(db, "name"));
    assert_eq!(phase(&project), "contracted");
    let contracted = history(tool, db);
    assert_ne!(expanded, contracted);
    new.signal(Signal::TERM);
    new.wait();
    // What the tool has left is its own: it sees nothing to do.
    by_hand(&project, tool.all);
    assert_eq!(history(tool, db), contracted);
    project.migrate(&["log", "--verify"]).expect_code(0);
}

scenario!(
    fn alembic_rolls(db: Db) {
        rolls(&ALEMBIC, &db);
    }
);

scenario!(
    fn django_rolls(db: Db) {
        rolls(&DJANGO, &db);
    }
);

scenario!(
    fn dbmate_rolls(db: Db) {
        rolls(&DBMATE, &db);
    }
);

scenario!(
    fn sqlx_rolls(db: Db) {
        rolls(&SQLX, &db);
    }
);

scenario!(
    fn what_is_applied_already_is_recorded_and_not_run(db: Db) {
        for tool in [&ALEMBIC, &DBMATE] {
            let db = db.copy();
            let project = project(tool, &db);
            by_hand(&project, tool.all);
            let all = history(tool, &db);
            let dump = db.dump(crate::support::backend::Ledger::Excluded);
            project.migrate(&["expand", "1"]).expect_code(0);
            project.migrate(&["contract", "1"]).expect_code(0);
            assert_eq!(history(tool, &db), all);
            assert_eq!(db.dump(crate::support::backend::Ledger::Excluded), dump);
            let log = project.migrate(&["log", "--output", "json"]).expect_code(0);
            assert!(log.stdout.contains("applied_already"), "{log:?}");
        }
    }
);

scenario!(
    fn what_was_applied_past_the_gate_is_told_and_counted(db: Db) {
        let project = project(&ALEMBIC, &db);
        project.migrate(&["expand", "1"]).expect_code(0);
        project
            .migrate(&["gate", "deploy", "web=1.1.0"])
            .expect_code(0);
        let old = project.migrate(&[
            "admit",
            "--service",
            "web",
            "--version",
            "1.1.0",
            "--instance",
            "web-1",
        ]);
        old.expect_code(0);
        by_hand(&project, ALEMBIC.all);
        let status = project.migrate(&["status"]).expect_code(1);
        for part in [
            "`c3` was applied outside of Phasegate",
            "web 1.1.0 is live and uses what is gone",
        ] {
            assert!(said(&status).contains(part), "{part} in {status:?}");
        }
        let json = project.migrate(&["status", "--output", "json"]).json();
        assert_eq!(json["past_gate"][0]["revisions"][0], "c3");
        assert_eq!(json["past_gate"][0]["done"], "applied");
        project
            .migrate(&["gate", "deploy", "web=1.1.0"])
            .expect_code(11);
        // Nobody else comes in, by either way.
        for start in [
            &["admit", "--service", "web", "--version", "1.1.0"][..],
            &[
                "agent",
                "--service",
                "web",
                "--version",
                "1.1.0",
                "--",
                "true",
            ],
        ] {
            let door = project.migrate(start).expect_code(11);
            assert!(
                door.stdout
                    .contains("`c3` was applied outside of Phasegate"),
                "{door:?}"
            );
        }
        let new = ["admit", "--service", "web", "--version", "1.2.0"];
        project.migrate(&new).expect_code(0);
        project.migrate(&["contract", "1"]).expect_code(10);
    }
);

#[test]
fn what_was_taken_back_past_the_gate_is_told_and_counted() {
    let db = Db::on("postgres");
    let project = project(&ALEMBIC, &db);
    project.migrate(&["expand", "1"]).expect_code(0);
    by_hand(&project, &["alembic", "downgrade", "a1"]);
    let status = project.migrate(&["status"]).expect_code(1);
    assert!(
        said(&status).contains("does not have it any more"),
        "{status:?}"
    );
    // Whoever wants to know is told by the server.
    let (port, heard) = hook(&[200]);
    let config = std::fs::read_to_string(project.path().join("migrate.toml")).expect("it is there");
    let notify = format!(
        "{config}\n[notify.ops]\nurl = \"http://127.0.0.1:{port}/\"\non = [\"past-gate\"]\n"
    );
    project.file("migrate.toml", &notify);
    let server = Server::start(&project, &["--refresh", "200ms"]);
    let told = heard.recv_timeout(GENEROUS).expect("it is told").body;
    assert_eq!(told["on"], "past-gate", "{told}");
    assert_eq!(
        told["title"],
        format!(
            "{}: somebody used alembic without asking",
            told["migration"].as_str().expect("a name")
        )
    );
    assert_eq!(
        told["text"], "revisions b2 of its expand; nothing live needs what it changed",
        "{told}"
    );
    server.stop();
    project
        .migrate(&["gate", "deploy", "web=1.2.0"])
        .expect_code(11);
    by_hand(&project, &["alembic", "stamp", "b2"]);
    project
        .migrate(&["gate", "deploy", "web=1.2.0"])
        .expect_code(0);
    project.migrate(&["status"]).expect_code(0);
}
