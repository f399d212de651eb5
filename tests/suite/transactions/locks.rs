//! Waiting for locks: shortly, again and again, and not for ever.

use std::time::Duration;

use crate::support::backend::Db;
use crate::support::shop::{APPEND_ONLY, NAME, Shop, said};
use crate::support::wait::{GENEROUS, poll};

fn impatient(backend: &str, retry_for: &str) -> Shop {
    let shop = Shop::with_config(
        Db::on(backend),
        &format!(
            "[database]\nlock_timeout = \"500ms\"\nlock_retry_for = \"{retry_for}\"\nbusy_timeout = \"{retry_for}\"\n\
             [services.web]\nmin_instances = 0\n"
        ),
    );
    shop.name_migration(APPEND_ONLY);
    shop
}

fn names_the_blocker(text: &str, pid: &str) -> bool {
    text.contains(pid) && text.contains("nightly-report")
}

#[test]
fn a_lock_that_is_not_granted_is_given_up_and_its_holder_named() {
    let shop = impatient("postgres", "2s");
    let mut other = shop.db.connect();
    other.execute("SET application_name = 'nightly-report'");
    let pid = other.query("SELECT pg_backend_pid()")[0][0].clone();
    other.execute("BEGIN; SELECT count(*) FROM users");
    let data = shop.data();
    let given_up = shop.run(&["expand"], 1);
    assert!(said(&given_up).contains("expand.sql:1"), "{given_up:?}");
    assert!(
        said(&given_up).contains("trying again (attempt 1)"),
        "{given_up:?}"
    );
    assert!(
        names_the_blocker(&said(&given_up), &pid),
        "{pid} in {given_up:?}"
    );
    assert_eq!(shop.data(), data);
    assert_eq!(shop.phase(1), "pending");
    other.execute("COMMIT");
    shop.run(&["expand"], 0);
}

#[test]
fn a_lock_is_asked_for_again_until_it_is_granted() {
    let shop = impatient("postgres", "60s");
    let mut other = shop.db.connect();
    other.execute("BEGIN; SELECT count(*) FROM users");
    let mut expand = shop.project.spawn(&["expand"]);
    expand.wait_for_line("trying again (attempt 2)", GENEROUS);
    // Between the attempts nobody queues behind it.
    let started = std::time::Instant::now();
    shop.db.value("SELECT count(*) FROM users");
    assert!(started.elapsed() < Duration::from_secs(5));
    other.execute("COMMIT");
    expand.wait().expect_code(0);
    assert_eq!(shop.phase(1), "expanded");
}

#[test]
fn a_contract_that_gets_no_lock_steps_back() {
    let shop = impatient("postgres", "2s");
    shop.run(&["expand"], 0);
    shop.run(&["backfill"], 0);
    let mut other = shop.db.connect();
    other.execute("BEGIN; SELECT count(*) FROM users");
    let given_up = shop.run(&["contract", NAME], 1);
    assert!(said(&given_up).contains("contract.sql:1"), "{given_up:?}");
    assert_eq!(shop.phase(1), "backfilled");
    other.execute("COMMIT");
    shop.run(&["contract", NAME], 0);
}

#[test]
fn a_batch_waits_for_a_locked_row() {
    let shop = impatient("postgres", "60s");
    shop.run(&["expand"], 0);
    let mut other = shop.db.connect();
    other.execute("BEGIN; UPDATE users SET full_name = 'Don' WHERE id = 4");
    let mut backfill = shop.project.spawn(&["backfill", "-vv"]);
    crate::support::wait::eventually(GENEROUS, || {
        let waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()";
        (shop.db.value(waiting) != "0").then_some(())
    });
    let ended = poll(Duration::from_secs(1), || {
        backfill.has_ended().then_some(())
    });
    assert!(ended.is_none(), "{}", backfill.shown());
    other.execute("COMMIT");
    backfill.wait().expect_code(0);
    assert_eq!(shop.db.value("SELECT name FROM users WHERE id = 4"), "Don");
}

/// What a script sees of our own settings ends with its transaction.
#[test]
fn the_session_is_left_without_our_settings() {
    let shop = impatient("postgres", "60s");
    shop.project.file(
        "0001_name/expand.sql",
        "-- migrate: no-transaction\nALTER TABLE users ADD COLUMN name TEXT;\n\
         CREATE TABLE settings AS SELECT current_setting('lock_timeout') AS inside;\n\
         CREATE INDEX CONCURRENTLY users_name ON users (name);\n",
    );
    // A statement outside of a transaction shows what the session itself has.
    shop.db.execute(
        "CREATE TABLE seen (setting text); \
         CREATE FUNCTION look() RETURNS event_trigger LANGUAGE plpgsql AS \
           $$ BEGIN INSERT INTO public.seen VALUES (tg_tag || ' ' || current_setting('lock_timeout')); END $$; \
         CREATE EVENT TRIGGER look ON ddl_command_start EXECUTE FUNCTION look()",
    );
    shop.run(&["expand"], 0);
    assert_eq!(shop.db.value("SELECT inside FROM settings"), "500ms");
    let seen = shop.db.query("SELECT setting FROM seen");
    let seen: Vec<&str> = seen.iter().flatten().map(String::as_str).collect();
    assert!(seen.contains(&"ALTER TABLE 500ms"), "{seen:?}");
    assert!(seen.contains(&"CREATE INDEX 0"), "{seen:?}");
}

#[test]
fn a_busy_sqlite_database_is_waited_for() {
    let shop = impatient("sqlite", "60s");
    let mut other = shop.db.connect();
    other.execute("BEGIN IMMEDIATE; UPDATE users SET full_name = 'Don' WHERE id = 4");
    let mut expand = shop.project.spawn(&["expand"]);
    let ended = poll(Duration::from_secs(2), || expand.has_ended().then_some(()));
    assert!(ended.is_none(), "{}", expand.shown());
    other.execute("COMMIT");
    expand.wait().expect_code(0);
    assert_eq!(shop.phase(1), "expanded");
}

#[test]
fn a_sqlite_database_that_stays_busy_is_given_up() {
    let shop = impatient("sqlite", "1s");
    shop.run(&["expand"], 0);
    let mut other = shop.db.connect();
    other.execute("BEGIN EXCLUSIVE; UPDATE users SET full_name = 'Don' WHERE id = 4");
    // Whoever only asks has no answer; whoever acts has done nothing.
    for (command, code) in [("backfill", 1), ("status", 12)] {
        let given_up = shop.run(&[command], code);
        assert!(
            said(&given_up).contains("a lock was not granted in time"),
            "{given_up:?}"
        );
    }
    other.execute("COMMIT");
    shop.run(&["backfill"], 0);
}

/// Who waits for a file is told for whom, now and then, and at the end.
#[test]
fn who_has_a_sqlite_file_locked_is_named_while_it_is_waited_for() {
    let shop = impatient("sqlite", "12s");
    let mut other = shop.db.connect();
    other.execute("BEGIN IMMEDIATE; UPDATE users SET full_name = 'Don' WHERE id = 4");
    let holder = format!("process {} (", std::process::id());
    let mut expand = shop.project.spawn(&["expand"]);
    let line = expand.wait_for_line("waiting for ", GENEROUS);
    assert!(line.contains(&holder), "{line}");
    let given_up = expand.wait().expect_code(1);
    assert!(
        said(&given_up).contains(&format!("it is held by {holder}")),
        "{given_up:?}"
    );
    other.execute("COMMIT");
    shop.run(&["expand"], 0);
}

/// A concurrent build waits for every transaction that is older, however long: for whom, and for how long by now, is said.
#[test]
fn whom_a_concurrent_build_waits_for_is_said() {
    let shop = impatient("postgres", "60s");
    shop.project.file(
        "0001_name/expand.sql",
        "-- migrate: no-transaction\nCREATE INDEX CONCURRENTLY users_full ON users (full_name);\n\
         ALTER TABLE users ADD COLUMN name VARCHAR(200);\n",
    );
    shop.db.execute("CREATE TABLE other (n int)");
    let mut old = shop.db.connect();
    old.execute("SET application_name = 'nightly-report'");
    let pid = old.query("SELECT pg_backend_pid()")[0][0].clone();
    old.execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM other");
    let mut expand = shop.project.spawn(&["expand"]);
    let first = expand.wait_for_line("waiting for ", GENEROUS);
    assert!(names_the_blocker(&first, &pid), "{first}");
    assert!(
        first.contains("idle in transaction") && !first.contains("other"),
        "{first}"
    );
    // And again, for as long as it takes.
    expand.wait_for_line("waiting for 1", GENEROUS);
    old.execute("COMMIT");
    expand.wait().expect_code(0);
    assert_eq!(shop.phase(1), "expanded");
}

/// Only the kind of a statement is told, which may hold a secret, and the whole of it on demand.
#[test]
fn the_statement_of_a_holder_is_shown_on_demand() {
    for (backend, statement) in [
        (
            "postgres",
            "SELECT count(*), 'topsecret' FROM users, pg_sleep(6)",
        ),
        (
            "mysql",
            "SELECT count(*), 'topsecret', SLEEP(6) FROM users LIMIT 1",
        ),
    ] {
        for options in [&["expand"][..], &["--show-statements", "expand"]] {
            let shop = impatient(backend, "60s");
            let mut other = shop.db.connect();
            let reading = std::thread::spawn(move || other.query(statement));
            let at_work = match backend {
                "postgres" => {
                    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE '%pg_sl' || 'eep(6)%'"
                }
                _ => {
                    "SELECT count(*) FROM information_schema.processlist WHERE db = DATABASE() AND state = 'User sleep'"
                }
            };
            poll(GENEROUS, || (shop.db.value(at_work) != "0").then_some(()))
                .expect("it is at work");
            let output = shop.run(options, 0);
            assert!(
                said(&output).contains("held by"),
                "{backend} {options:?}: {output:?}"
            );
            let is_shown = said(&output).contains("topsecret");
            assert_eq!(
                is_shown,
                options.len() > 1,
                "{backend} {options:?}: {output:?}"
            );
            reading.join().expect("a thread");
        }
    }
}
