//! A real replica that falls behind, and one that dies.

use super::table::{CONFIG, Items};
use crate::support::backend::Db;
use crate::support::postgres::PrivateServer;
use crate::support::project::Process;
use crate::support::wait::{GENEROUS, eventually};

/// A primary with a standby, and a backfill that takes its time.
fn followed() -> (Items, PrivateServer, PrivateServer) {
    let primary = PrivateServer::start();
    let items = Items::numbered(primary.create("shop"), 200);
    items
        .declare(
            "batch = 1\npace = 0.05\nmax_replica_lag = \"500ms\"",
            "touched = touched + 1, name = label",
        )
        .expanded();
    let standby = primary.follow();
    // A standby knows how far behind it is once it has replayed something.
    items.db.execute("CREATE TABLE replayed (id integer)");
    let there = Db::at("postgres", standby.url("shop"));
    eventually(GENEROUS, || {
        let found = there.value("SELECT count(*) FROM pg_class WHERE relname = 'replayed'");
        (found == "1").then_some(())
    });
    (items, primary, standby)
}

#[track_caller]
fn on(standby: &PrivateServer, sql: &str) {
    Db::at("postgres", standby.url("shop")).query(sql);
}

/// It is held while the standby replays nothing, and goes on when it does.
fn held_by_lag(items: &Items, standby: &PrivateServer) -> Process {
    on(standby, "SELECT pg_wal_replay_pause()::text");
    let mut run = items.project.spawn(&["backfill"]);
    run.wait_for_line("behind by", GENEROUS);
    let seen = &items.progress()["seen"];
    assert!(seen.as_u64().is_some_and(|seen| seen < 200), "{seen}");
    on(standby, "SELECT pg_wal_replay_resume()::text");
    run.wait_for_line("goes on", GENEROUS);
    run
}

/// Nothing else is to hold it up.
fn finishes(items: &Items, run: Process) {
    let steered = items.project.migrate(&["backfill", "pace", "1", "1"]);
    steered.expect_code(0);
    run.wait().expect_code(0);
    items.assert_filled_once();
}

#[test]
fn a_standby_that_falls_behind_holds_it() {
    let (items, _primary, standby) = followed();
    let run = held_by_lag(&items, &standby);
    finishes(&items, run);
}

#[test]
fn a_standby_that_is_asked_itself_holds_it_and_so_does_one_that_is_gone() {
    let (items, _primary, standby) = followed();
    let replicas = format!("replicas = [{:?}]\n", standby.url("shop"));
    let config = CONFIG.replace("[database]\n", &format!("[database]\n{replicas}"));
    items.project.file("migrate.toml", &config);
    let mut run = held_by_lag(&items, &standby);
    standby.crash();
    run.wait_for_line("how far behind cannot be told, so it waits", GENEROUS);
    standby.start_again();
    finishes(&items, run);
}
