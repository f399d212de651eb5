//! A backfill whose connections are lost on the way.

use super::table::Items;
use crate::support::backend::Db;
use crate::support::project::Signal;
use crate::support::wait::{GENEROUS, eventually};

/// Ends every other session on this database; a file has none.
fn cut(db: &Db) {
    match db.backend.name {
        "postgres" => drop(db.query(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() \
             AND datname = current_database() AND backend_type = 'client backend'",
        )),
        "mysql" => {
            let others = "SELECT CAST(id AS CHAR) FROM information_schema.processlist \
                          WHERE db = DATABASE() AND id <> CONNECTION_ID()";
            for session in db.query(others) {
                // It may have ended by itself.
                let _ = db.try_execute(&format!("KILL CONNECTION {}", session[0]));
            }
        }
        _ => {}
    }
}

#[track_caller]
fn goes_on(db: Db, rules: &str, at: &str) {
    let items = Items::numbered(db, 9);
    items
        .declare(rules, "touched = touched + 1, name = label")
        .expanded();
    items.project.env("PHASEGATE_PAUSE_AT", at);
    let mut run = items.project.spawn(&["backfill"]);
    run.wait_for_line("pause at point", GENEROUS);
    items.project.env_remove("PHASEGATE_PAUSE_AT");
    cut(&items.db);
    // It passes the same point again.
    eventually(GENEROUS, || {
        run.signal_if_running(Signal::CONT);
        run.has_ended().then_some(())
    });
    let output = run.wait().expect_code(0);
    assert!(output.stdout.contains("(9 rows in"), "{at}: {output:?}");
    items.assert_filled_once();
    items.project.migrate(&["log", "--verify"]).expect_code(0);
    let status = items.project.migrate(&["status", "--output", "json"]);
    assert!(status.json()["migrations"][0]["failed"].is_null());
}

scenario!(
    fn it_goes_on_from_the_batch_that_was_at_work(db: Db) {
        for at in [
            "backfill.ran",
            "backfill.batch",
            "backfill.begun",
            "backfill.recording",
        ] {
            goes_on(db.copy(), "batch = 2", at);
        }
    }
);

scenario!(
    fn it_goes_on_with_every_worker(db: Db) {
        goes_on(db, "batch = 2\nworkers = 3", "backfill.batch");
    }
);
