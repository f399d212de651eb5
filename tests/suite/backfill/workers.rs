//! Batches beside each other, of a size that adapts, tried again and split; each row exactly once.

use std::time::Duration;

use super::table::Items;
use crate::support::backend::Db;
use crate::support::project::Signal;
use crate::support::wait::{GENEROUS, poll};

const SET: &str = "touched = touched + 1, name = label";

scenario!(
    fn several_workers_fill_each_row_once(db: Db) {
        let items = Items::numbered(db, 300);
        items.declare("batch = 7\nworkers = 3", SET).expanded();
        let output = items.project.migrate(&["backfill"]).expect_code(0);
        assert!(output.stdout.contains("(300 rows in"), "{output:?}");
        items.assert_filled_once();
    }
);

scenario!(
    fn several_workers_that_are_killed_redo_nothing(db: Db) {
        let items = Items::numbered(db, 400);
        items.declare("batch = 5\nworkers = 3", SET).expanded();
        let mut killed = 0;
        for point in ["backfill.prepared", "backfill.ran", "backfill.batch"] {
            items.project.env("PHASEGATE_CRASH_AT", point);
            items.project.migrate(&["backfill"]).expect_code(137);
        }
        items.project.env_remove("PHASEGATE_CRASH_AT");
        for _ in 0..6 {
            let mut run = items.project.spawn(&["backfill"]);
            let moment = Duration::from_millis(fastrand::u64(100..500));
            if poll(moment, || run.has_ended().then_some(())).is_none() {
                run.signal_if_running(Signal::KILL);
            }
            killed += usize::from(run.wait().code == 137);
        }
        items.project.migrate(&["backfill"]).expect_code(0);
        items.assert_filled_once();
        items.project.migrate(&["log", "--verify"]).expect_code(0);
        eprintln!("killed {killed} times from outside");
    }
);

scenario!(
    fn batches_grow_to_what_takes_the_target_time(db: Db) {
        let items = Items::numbered(db, 6000);
        let rules = "target_time = \"10s\"\nmax_batch = 50000";
        items.declare(rules, SET).expanded();
        let output = items
            .project
            .migrate(&["backfill", "--output", "json"])
            .expect_code(0);
        let result = &output.json()["results"][0];
        // 1000, 2000, and 3000 of 4000.
        assert_eq!(result["statements"], 3, "{output:?}");
        assert_eq!(
            (&result["rows"], &result["keys"]),
            (&6000.into(), &6000.into())
        );
        items.assert_filled_once();
    }
);

/// It is 1, is asked once in each batch, and takes more than a millisecond everywhere.
const SLOW: &str = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300) \
                    SELECT min(a.i * b.i) FROM n AS a, n AS b";

scenario!(
    fn no_batch_locks_much_of_the_table_where_nobody_says_how_much(db: Db) {
        let items = Items::numbered(db, 6000);
        items.declare("target_time = \"10s\"", SET).expanded();
        let output = items
            .project
            .migrate(&["backfill", "--output", "json"])
            .expect_code(0);
        // A hundredth would be 60, and a thousand take no time.
        assert_eq!(output.json()["results"][0]["statements"], 6, "{output:?}");
        items.assert_filled_once();
    }
);

scenario!(
    fn batches_shrink_to_their_least_where_each_takes_long(db: Db) {
        let items = Items::numbered(db, 60);
        items
            .declare(
                "target_time = \"1ms\"\nmin_batch = 5\nmax_batch = 20",
                &format!("touched = touched + ({SLOW}), name = label"),
            )
            .expanded();
        let output = items
            .project
            .migrate(&["backfill", "--output", "json"])
            .expect_code(0);
        // 20, 10, 5, and then five at a time.
        assert_eq!(output.json()["results"][0]["statements"], 8, "{output:?}");
        items.assert_filled_once();
    }
);

/// Somebody holds a row until the batch was split down to it.
fn splits(backend: &str) {
    let items = Items::numbered(Db::on(backend), 8);
    items.declare("batch = 4", SET).expanded();
    let mut other = items.db.connect();
    other.execute("BEGIN");
    other.execute("UPDATE items SET touched = touched WHERE id = 4");
    let mut run = items.project.spawn(&["backfill"]);
    run.wait_for_line("trying again with 2 rows", GENEROUS);
    // The half before the row gets through.
    let half = || {
        let found = items
            .db
            .value("SELECT count(*) FROM items WHERE touched = 1");
        (found == "2").then_some(())
    };
    crate::support::wait::eventually(GENEROUS, half);
    other.execute("COMMIT");
    run.wait().expect_code(0);
    items.assert_filled_once();
}

#[test]
fn a_locked_row_splits_its_batch_on_postgres() {
    splits("postgres");
}

#[test]
fn a_locked_row_splits_its_batch_on_mysql() {
    splits("mysql");
}

/// A batch may take less than all of its rows need.
fn times_out(backend: &str, slow: &str) {
    let items = Items::numbered(Db::on(backend), 8);
    let set = format!("touched = touched + 1, name = {slow}");
    items
        .declare("batch = 8\nstatement_timeout = \"500ms\"", &set)
        .expanded();
    let mut run = items.project.spawn(&["backfill"]);
    run.wait_for_line("trying again with 4 rows", GENEROUS);
    run.wait().expect_code(0);
    items.assert_filled_once();
}

#[test]
fn a_batch_that_takes_too_long_is_split_on_postgres() {
    times_out("postgres", "label || pg_sleep(0.1)::text");
}

#[test]
fn a_batch_that_takes_too_long_is_split_on_mysql() {
    times_out("mysql", "CONCAT(label, IF(SLEEP(0.1) = 0, '', 'x'))");
}

scenario!(
    fn a_statement_that_fails_can_be_mended_on_the_way(db: Db) {
        let items = Items::numbered(db, 6);
        items.declare("batch = 2", "name = label").expanded();
        let wrong = "name = CASE WHEN id = 4 THEN 'a text that is much longer than the forty characters of the column' ELSE label END";
        let wrong = match items.db.backend.name {
            // It knows no lengths.
            "sqlite" => "name = label, touched = CASE WHEN id = 4 THEN NULL ELSE 0 END",
            _ => wrong,
        };
        items.declare("batch = 2", wrong);
        let failed = items.project.migrate(&["backfill"]).expect_code(1);
        let said = crate::support::shop::said(&failed);
        assert!(
            said.contains("the row with id = 4 cannot be changed like this"),
            "{said}"
        );
        assert_eq!(items.progress()["seen"], 3);
        // Whatever the first one did to the rows that it passed: they are gone over again.
        items.declare("batch = 2", SET);
        let output = items.project.migrate(&["backfill"]).expect_code(0);
        assert!(output.stdout.contains("6 rows in 3 batches"), "{output:?}");
        items.assert_filled_once();
        items.project.migrate(&["contract", "1"]).expect_code(0);
        items.project.migrate(&["status"]).expect_code(0);
    }
);
