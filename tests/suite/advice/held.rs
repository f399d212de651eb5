//! What somebody else holds: it is said who, and how they are ended, and that is done.

use super::{Said, asked};
use crate::support::backend::Db;
use crate::support::connection::{Connection, MysqlSession};
use crate::support::project::{Process, Signal};
use crate::support::shop::{APPEND_ONLY, EXPAND, Shop};
use crate::support::wait::{GENEROUS, eventually};

/// The shop, which gives up soon where a lock is not granted.
fn hasty(db: Db) -> Shop {
    let shop = Shop::with_config(
        db,
        "[database]\nlock_timeout = \"1s\"\nlock_retry_for = \"1s\"\nbusy_timeout = \"1s\"\n[services.web]\nmin_instances = 0\n[fleet]\ncoordinator_lease = \"4s\"\n",
    );
    shop.name_migration(APPEND_ONLY);
    shop
}

/// Ends the sessions that are named, as it is advised. Of a table MariaDB says only who it may be; on SQLite the holder is a
/// process, which ends by itself.
fn end(shop: &Shop, said: &Said, holder: Connection) {
    let statements = match shop.db.backend.name {
        "postgres" => said.statements("SELECT pg_terminate_backend("),
        "mysql" => match said.after("perhaps session ") {
            Some(session) => vec![format!("KILL {session}")],
            None => said.statements("KILL "),
        },
        _ => return drop(holder),
    };
    for statement in statements {
        shop.db.execute(&statement);
    }
    std::mem::forget(holder);
}

/// Another `migrate` that waits in a backfill.
fn busy(shop: &Shop) -> Process {
    shop.name_declaration(&APPEND_ONLY.replace(
        "batch = 2",
        "batch = 2\nthrottle = \"SELECT 1\"\nthrottle_limit = 0",
    ));
    shop.run(&["expand"], 0);
    let mut backfill = shop.project.spawn(&["backfill"]);
    backfill.wait_for_line("`throttle` is 1", GENEROUS);
    backfill
}

scenario!(
    fn who_is_at_work_is_waited_for_or_ended(db: Db) {
        let shop = hasty(db);
        let backfill = busy(&shop);
        let held = asked(&shop, &["revert", "1"], 10);
        held.tells("is at work: backfill 0001_name");
        held.tells("wait for it with --wait");
        shop.json(&["revert", "1"], 10);
        let waits = shop.project.spawn(&["revert", "1", "--wait", "60s"]);
        backfill.signal(Signal::INT);
        let interrupted = Said::of(&backfill.wait().expect_code(130));
        interrupted.tells("interrupted");
        waits.wait().expect_code(0);
        shop.run(&["expand"], 0);
        // What it said goes on.
        shop.name_declaration(APPEND_ONLY);
        interrupted.run(&shop, "migrate backfill 0001_name", 0);
    }
);

scenario!(
    fn who_holds_a_lock_is_ended_as_it_is_said(db: Db) {
        let shop = hasty(db);
        let mut holder = shop.db.connect_plainly();
        match shop.db.backend.name {
            "sqlite" => holder.execute("BEGIN IMMEDIATE"),
            _ => holder.execute("START TRANSACTION"),
        };
        holder.execute("UPDATE users SET full_name = 'Anna' WHERE id = 1");
        let locked = asked(&shop, &["expand"], 1);
        match shop.db.backend.name {
            "sqlite" => locked.tells("lock"),
            _ => locked.tells("0001_name/expand.sql:1: a lock was not granted within"),
        }
        locked.tells("end");
        end(&shop, &locked, holder);
        shop.run(&["expand"], 0);
    }
);

scenario!(
    fn who_holds_the_ledger_is_ended_as_it_is_said(db: Db) {
        let shop = hasty(db);
        shop.run(&["expand"], 0);
        let mut holder = shop.db.connect_plainly();
        match shop.db.backend.name {
            "sqlite" => holder.execute("BEGIN IMMEDIATE"),
            _ => holder.execute("START TRANSACTION"),
        };
        holder.execute(&format!("UPDATE {} SET id = id", shop.ledger("meta")));
        let locked = asked(&shop, &["backfill"], 1);
        locked.tells("lock");
        locked.tells("run the same command again");
        end(&shop, &locked, holder);
        shop.run(&["backfill"], 0);
    }
);

/// A statement whose coordinator was killed goes on at the server, waiting for somebody else; it is ended as it is said. Only
/// where there is no transaction around it does it outlive the session that began it.
#[test]
fn a_statement_that_still_runs_is_ended_as_it_is_said() {
    let shop = hasty(Db::on("mysql"));
    shop.project.env("PHASEGATE_CRASH_AT", "expand.started");
    shop.run(&["expand"], 137);
    shop.project.env_remove("PHASEGATE_CRASH_AT");
    let mut blocker = shop.db.connect();
    blocker.execute("START TRANSACTION; SELECT count(*) FROM users");
    let url = shop.db.url.clone();
    let orphan = std::thread::spawn(move || {
        let mut session = Connection::new(Box::new(MysqlSession::open(&url).expect("a session")));
        session.try_execute(EXPAND.trim_end().trim_end_matches(';'))
    });
    eventually(GENEROUS, || {
        let waiting = "SELECT count(*) FROM information_schema.processlist \
                       WHERE db = DATABASE() AND state LIKE 'Waiting for table metadata lock%'";
        (shop.db.value(waiting) != "0").then_some(())
    });
    let still = asked(&shop, &["expand"], 1);
    still.tells("0001_name/expand.sql:1: this statement still runs in session ");
    still.tells("let it end, or end the session");
    let session = still.after("still runs in session ").expect("a number");
    shop.db
        .execute(&format!("KILL {}", session.trim_end_matches(',')));
    orphan.join().expect("a thread").expect_err("it was ended");
    blocker.execute("COMMIT");
    shop.run(&["expand"], 0);
}
