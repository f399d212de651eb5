//! What makes a backfill wait, how it is steered from elsewhere, and what others see of it.

use super::table::Items;
use crate::support::backend::Db;
use crate::support::project::{Process, Signal};
use crate::support::wait::{GENEROUS, eventually};

const SET: &str = "touched = touched + 1, name = label";

/// A backfill of five rows that waits as long as the table `gate` holds a row.
fn gated(db: Db) -> Items {
    let items = Items::numbered(db, 5);
    items
        .db
        .execute("CREATE TABLE gate (id integer); INSERT INTO gate VALUES (1)");
    items
        .declare(
            "batch = 1\nthrottle = \"SELECT count(*) FROM gate\"\nthrottle_limit = 0",
            SET,
        )
        .expanded();
    items
}

#[track_caller]
fn waiting(items: &Items, why: &str) -> Process {
    let mut run = items.project.spawn(&["backfill"]);
    run.wait_for_line(why, GENEROUS);
    run
}

scenario!(
    fn a_signal_that_is_too_high_holds_it(db: Db) {
        let items = gated(db);
        let run = waiting(&items, "`throttle` is 1, and may be 0");
        let seen = eventually(GENEROUS, || {
            let seen = items.progress();
            seen["held_by"].is_string().then_some(seen)
        });
        assert_eq!(
            (&seen["seen"], &seen["paused"]),
            (&0.into(), &false.into()),
            "{seen}"
        );
        let status = items.project.migrate(&["status"]).expect_code(0);
        let text = status
            .stdout
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ");
        assert!(text.contains("waits:"), "{status:?}");
        // What is written past the last key is not this backfill's business.
        items
            .db
            .execute("INSERT INTO items (id, label, name, touched) VALUES (9, 'x', 'x', 1)");
        items.db.execute("DELETE FROM gate");
        let output = run.wait().expect_code(0);
        assert!(output.stderr.contains("goes on"), "{output:?}");
        assert!(output.stdout.contains("5 rows in 5 batches"), "{output:?}");
        items.assert_filled_once();
    }
);

scenario!(
    fn a_signal_that_cannot_be_read_holds_it_as_well(db: Db) {
        let items = gated(db);
        items.db.execute("DROP TABLE gate");
        let run = waiting(&items, "`throttle` cannot be read, so it waits");
        assert_eq!(
            items
                .db
                .value("SELECT count(*) FROM items WHERE touched > 0"),
            "0"
        );
        items.db.execute("CREATE TABLE gate (id integer)");
        run.wait().expect_code(0);
        items.assert_filled_once();
    }
);

scenario!(
    fn replicas_that_nobody_knows_of_hold_it(db: Db) {
        let items = Items::numbered(db, 3);
        items.declare("max_replica_lag = \"5s\"", SET).expanded();
        let run = waiting(&items, "how far behind cannot be told, so it waits");
        run.signal(Signal::KILL);
        run.wait();
        assert_eq!(
            items
                .db
                .value("SELECT count(*) FROM items WHERE touched > 0"),
            "0"
        );
        items.declare("batch = 2", SET);
        items.project.migrate(&["backfill"]).expect_code(0);
        items.assert_filled_once();
    }
);

scenario!(
    fn it_is_paused_resumed_and_slowed_from_another_terminal(db: Db) {
        let items = gated(db);
        let nothing = items
            .project
            .migrate(&["backfill", "pause", "1"])
            .expect_code(1);
        assert!(
            nothing.stderr.contains("is not being backfilled"),
            "{nothing:?}"
        );
        let mut run = waiting(&items, "`throttle` is 1");
        items
            .project
            .migrate(&["backfill", "pause", "1"])
            .expect_code(0);
        items.db.execute("DELETE FROM gate");
        run.wait_for_line("paused by somebody", GENEROUS);
        let seen = items.progress();
        assert_eq!(
            (&seen["seen"], &seen["paused"]),
            (&0.into(), &true.into()),
            "{seen}"
        );
        let slowed = items
            .project
            .migrate(&["backfill", "pace", "1", "0.25"])
            .expect_code(0);
        assert!(
            slowed.stdout.contains("works 0.25 of the time"),
            "{slowed:?}"
        );
        assert_eq!(items.progress()["pace"], "0.25");
        items
            .project
            .migrate(&["backfill", "pace", "1", "2"])
            .expect_code(2);
        // Who comes after finds it paused as well.
        run.signal(Signal::KILL);
        run.wait();
        let run = waiting(&items, "paused by somebody");
        items
            .project
            .migrate(&["backfill", "resume", "1"])
            .expect_code(0);
        run.wait().expect_code(0);
        items.assert_filled_once();
        let log = items.project.migrate(&["log", "--verify"]).expect_code(0);
        assert!(
            log.stdout.contains("whole") || !log.stdout.is_empty(),
            "{log:?}"
        );
        let log = items.project.migrate(&["log"]).expect_code(0);
        assert_eq!(log.stdout.matches("steered").count(), 3, "{log:?}");
    }
);

scenario!(
    fn a_slow_pace_rests_between_batches(db: Db) {
        let items = Items::numbered(db, 6);
        items.declare("batch = 1", SET).expanded();
        let quick = std::time::Instant::now();
        items
            .project
            .migrate(&["backfill", "--dry-run"])
            .expect_code(0);
        let start = quick.elapsed();
        let began = std::time::Instant::now();
        let output = items
            .project
            .migrate(&["backfill", "--pace", "0.01", "--output", "json"]);
        let took = began.elapsed();
        let work = output.expect_code(0).json();
        let within = work["results"][0]["took_ms"].as_u64().expect("a number");
        // Six batches of a few milliseconds each; ninety-nine parts of rest for one of work.
        assert!(
            within > 300,
            "{within} ms, {took:?} in all, {start:?} to start"
        );
        items.assert_filled_once();
    }
);

scenario!(
    fn a_dry_run_changes_nothing(db: Db) {
        let items = Items::numbered(db, 5);
        let ask = || items.project.migrate(&["backfill", "1", "--dry-run"]);
        ask().expect_code(11);
        items.expanded();
        let dump = || items.db.dump(crate::support::backend::Ledger::Included);
        let before = dump();
        let dry = ask().expect_code(0);
        assert!(dry.stdout.contains("from key 1 up to 5"), "{dry:?}");
        assert!(dry.stdout.contains("`remaining` returns 5"), "{dry:?}");
        assert_eq!(dump(), before);
        items.project.env("PHASEGATE_CRASH_AT", "backfill.batch");
        items.project.migrate(&["backfill"]).expect_code(137);
        items.project.env_remove("PHASEGATE_CRASH_AT");
        let before = dump();
        let dry = ask().expect_code(0);
        assert!(dry.stdout.contains("after key 2 up to 5"), "{dry:?}");
        assert!(dry.stdout.contains("2 rows passed already"), "{dry:?}");
        assert_eq!(dump(), before);
        items.project.migrate(&["backfill"]).expect_code(0);
        items.assert_filled_once();
    }
);

scenario!(
    fn a_ledger_of_before_gets_the_tables_that_came_later(db: Db) {
        let items = Items::numbered(db, 5);
        items.expanded();
        for table in ["backfills", "backfill_ranges"] {
            let table = items.db.ledger(table);
            items.db.execute(&format!("DROP TABLE {table}"));
        }
        items.project.migrate(&["status"]).expect_code(0);
        items
            .project
            .migrate(&["backfill", "pause", "1"])
            .expect_code(1);
        items.project.env("PHASEGATE_CRASH_AT", "backfill.begun");
        items.project.migrate(&["backfill"]).expect_code(137);
        items.project.env_remove("PHASEGATE_CRASH_AT");
        let output = items.project.migrate(&["backfill"]).expect_code(0);
        assert!(output.stdout.contains("5 rows in 3 batches"), "{output:?}");
        items.assert_filled_once();
    }
);
