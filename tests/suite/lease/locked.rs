//! Somebody keeps the ledger locked: who that is, what it does and what ends it is said.

use super::process::{agent, project, rows};
use crate::support::backend::Db;
use crate::support::connection::Connection;
use crate::support::project::Signal;
use crate::support::shop::Shop;
use crate::support::wait::{GENEROUS, eventually};

/// A session that has begun to write a table of the ledger and stands still.
fn standing_still(db: &Db, table: &str, column: &str) -> Connection {
    let begin = match db.backend.name {
        "sqlite" => "BEGIN IMMEDIATE",
        _ => "BEGIN",
    };
    let table = db.ledger(table);
    let mut other = db.connect();
    other.execute(&format!("{begin}; UPDATE {table} SET {column} = {column}"));
    other
}

/// How that session is named, and what ends it.
fn named(db: &Db, session: &mut Connection) -> [String; 2] {
    let (id, end) = match db.backend.name {
        "sqlite" => {
            let process = std::process::id();
            return [
                format!("it is held by process {process} ("),
                format!("`kill {process}`"),
            ];
        }
        "postgres" => ("pg_backend_pid()", "SELECT pg_terminate_backend"),
        _ => ("CONNECTION_ID()", "KILL"),
    };
    let id = session.query(&format!("SELECT {id}"))[0][0].clone();
    let end = match db.backend.name {
        "postgres" => format!("`{end}({id})`"),
        _ => format!("`{end} {id}`"),
    };
    [format!("it is held by session {id} of "), end]
}

scenario!(
    fn whoever_keeps_an_instance_out_is_named(db: Db) {
        let shop = Shop::with_name(db);
        shop.run(&["expand"], 0);
        let mut other = standing_still(&shop.db, "admission", "seq");
        let named = named(&shop.db, &mut other);
        shop.project.env("PHASEGATE_ADMISSION_SECONDS", "3");
        let who = ["--service", "web", "--version", "1.0.0"];
        let admit = [&["admit"], &who[..]].concat();
        let agent = [&["agent"], &who[..], &["--", "true"]].concat();
        let gate = vec!["gate", "deploy", "web=1.0.0", "--record"];
        for command in [&admit, &agent, &gate] {
            // What the lock hides is not known.
            let kept_out = shop.run(command, 12);
            let said = format!("{}{}", kept_out.stdout, kept_out.stderr).replace("\n  │ ", " ");
            for part in &named {
                assert!(said.contains(part), "{command:?}: {said}");
            }
        }
        other.execute("ROLLBACK");
        for command in [&admit, &agent, &gate] {
            shop.run(command, 0);
        }
    }
);

scenario!(
    fn whoever_keeps_a_lease_from_being_renewed_is_named(db: Db) {
        let project = project(&db, "20s");
        let mut agent = agent(&project, &["sleep", "600"]);
        eventually(GENEROUS, || {
            let look = format!("SELECT 1 FROM {}", db.ledger("leases"));
            (db.connect().try_execute(&look).is_ok() && rows(&db) == "1").then_some(())
        });
        let mut other = standing_still(&db, "leases", "state");
        let [held, end] = named(&db, &mut other);
        let line = agent.wait_for_line("could not be renewed", GENEROUS);
        assert!(line.contains(&held) && line.contains(&end), "{line}");
        other.execute("ROLLBACK");
        agent.signal(Signal::TERM);
        agent.wait().expect_code(143);
    }
);
