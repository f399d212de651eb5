//! PostgreSQL: what builds an index beside a running application cannot share a transaction.

use crate::support::backend::Db;
use crate::support::project::Signal;
use crate::support::shop::{Shop, said};
use crate::support::wait::{GENEROUS, eventually};

const UNIQUE: &str =
    "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS users_full_name ON users (full_name)";

fn with_index(config: &str) -> Shop {
    let shop = Shop::with_config(Db::on("postgres"), config);
    shop.project.migration(
        "0001_unique",
        &[
            (
                "migration.toml",
                "description = \"Names are unique\"\n[[expand.allow]]\n\
                 statement = \"CREATE UNIQUE INDEX CONCURRENTLY\"\nreason = \"every version keeps them unique\"\n",
            ),
            (
                "expand.sql",
                &format!(
                    "-- migrate: no-transaction\nALTER TABLE users ADD COLUMN note TEXT;\n{UNIQUE};\n\
                     CREATE INDEX CONCURRENTLY users_note ON users (note);\n"
                ),
            ),
        ],
    );
    shop
}

const CONFIG: &str = "[services.web]\nmin_instances = 0\n[fleet]\ncoordinator_lease = \"2s\"\n";

fn is_valid(shop: &Shop, index: &str) -> String {
    shop.db.value(&format!(
        "SELECT indisvalid FROM pg_index WHERE indexrelid = '{index}'::regclass"
    ))
}

/// How many indexes are there that no query uses.
const INVALID: &str = "SELECT count(*) FROM pg_index WHERE NOT indisvalid";

#[test]
fn what_a_failed_build_leaves_is_dropped_at_once_or_by_the_next_run() {
    let shop = with_index(CONFIG);
    let twice = "INSERT INTO users (full_name) VALUES ('Ann')";
    shop.db.execute(twice);
    let failed = shop.run(&["expand"], 1);
    for part in ["expand.sql:3", "users_full_name", "is dropped again"] {
        assert!(said(&failed).contains(part), "{part} in {failed:?}");
    }
    assert_eq!(shop.phase(1), "expanding");
    // It would go on refusing what live versions write.
    assert_eq!(shop.db.value(INVALID), "0");
    shop.db.execute(twice);
    // What somebody else has left is not taken for the index.
    let by_hand = UNIQUE.replace("IF NOT EXISTS ", "");
    let refused = shop.db.try_execute(&by_hand);
    assert!(refused.is_err(), "it is there twice");
    assert_eq!(shop.db.value(INVALID), "1");
    shop.db.execute("DELETE FROM users WHERE id > 5");
    let output = shop.run(&["expand"], 0);
    assert!(
        said(&output).contains("the index users_full_name is invalid"),
        "{output:?}"
    );
    assert_eq!(shop.db.value(INVALID), "0");
    assert_eq!(is_valid(&shop, "users_full_name"), "1");
    assert_eq!(is_valid(&shop, "users_note"), "1");
    assert_eq!(shop.phase(1), "expanded");
    shop.run(&["log", "--verify"], 0);
}

/// A contract that makes names unique, for whose sake 1.1.0 has to be gone.
fn with_unique_contract() -> Shop {
    let config = format!("[database]\nlock_timeout = \"1s\"\n{CONFIG}");
    let shop = Shop::with_config(Db::on("postgres"), &config);
    shop.project.migration(
        "0001_unique",
        &[
            (
                "migration.toml",
                "description = \"Names are unique\"\n[services.web]\nold = \"<1.2.0\"\n",
            ),
            (
                "contract.sql",
                &format!("-- migrate: no-transaction\n{UNIQUE};\n"),
            ),
        ],
    );
    shop.db.execute("CREATE TABLE other (n int)");
    shop
}

/// Whether the index refuses what is there already: nothing, no, or yes.
fn refuses(shop: &Shop) -> Option<bool> {
    let ready = "SELECT indisready::int::text FROM pg_index WHERE indexrelid = to_regclass('users_full_name')";
    let rows = shop.db.query(ready);
    rows.first().map(|row| row[0] == "1")
}

const TWICE: &str = "INSERT INTO users (full_name) VALUES ('Ann')";

/// The old version, which may write a name twice, may start and is not refused.
#[track_caller]
fn old_version_writes(shop: &Shop) {
    assert_eq!(shop.phase(1), "pending");
    assert_eq!(refuses(shop), None);
    shop.run(&["gate", "deploy", "web=1.1.0"], 0);
    shop.db.execute(TWICE);
    shop.db
        .execute("DELETE FROM users WHERE full_name = 'Ann' AND id > 5");
}

#[test]
fn a_fence_comes_down_only_where_no_invalid_index_refuses_what_old_versions_write() {
    let shop = with_unique_contract();
    // The build itself finds a duplicate.
    shop.db.execute(TWICE);
    let failed = shop.run(&["contract", "1"], 1);
    assert!(said(&failed).contains("is dropped again"), "{failed:?}");
    shop.db.execute("DELETE FROM users WHERE id > 5");
    old_version_writes(&shop);

    // One is committed while it waits, and its last part fails.
    let (mut earlier, mut later) = (shop.db.connect(), shop.db.connect());
    earlier.execute("BEGIN");
    earlier.execute("INSERT INTO users (full_name) VALUES ('Zoe')");
    let contract = shop.project.spawn(&["contract", "1"]);
    eventually(GENEROUS, || refuses(&shop));
    later.execute("BEGIN");
    later.execute(TWICE);
    earlier.execute("COMMIT");
    eventually(GENEROUS, || refuses(&shop).filter(|refuses| *refuses));
    later.execute("COMMIT");
    let failed = contract.wait().expect_code(1);
    assert!(said(&failed).contains("is dropped again"), "{failed:?}");
    shop.db
        .execute("DELETE FROM users WHERE full_name = 'Ann' AND id > 5");
    old_version_writes(&shop);

    // It waits for a report, and is interrupted.
    earlier.execute("BEGIN ISOLATION LEVEL REPEATABLE READ");
    earlier.query("SELECT count(*) FROM other");
    let contract = shop.project.spawn(&["contract", "1"]);
    eventually(GENEROUS, || refuses(&shop).filter(|refuses| *refuses));
    contract.signal(Signal::INT);
    let output = contract.wait().expect_code(130);
    assert!(said(&output).contains("is dropped again"), "{output:?}");
    old_version_writes(&shop);
    earlier.execute("COMMIT");

    // A report on the table itself keeps it from being dropped, too.
    earlier.execute("BEGIN ISOLATION LEVEL REPEATABLE READ");
    earlier.query("SELECT count(*) FROM users");
    let contract = shop.project.spawn(&["contract", "1"]);
    eventually(GENEROUS, || refuses(&shop).filter(|refuses| *refuses));
    contract.signal(Signal::TERM);
    let output = contract.wait().expect_code(130);
    for part in ["is left invalid", "the fence of 0001_unique stays up"] {
        assert!(said(&output).contains(part), "{part} in {output:?}");
    }
    assert_eq!(shop.phase(1), "contracting");
    shop.run(&["gate", "deploy", "web=1.1.0"], 11);
    earlier.execute("COMMIT");
    shop.run(&["contract", "1"], 0);
    assert_eq!(is_valid(&shop, "users_full_name"), "1");
    assert_eq!(shop.phase(1), "contracted");
    shop.run(&["log", "--verify"], 0);
}

#[test]
fn a_kill_at_any_moment_of_a_build_is_recovered_from() {
    for point in [
        "expand.begun",
        "expand.statement",
        "expand.started",
        "expand.ran",
        "expand.recording",
    ] {
        let shop = with_index(CONFIG);
        shop.project.env("PHASEGATE_CRASH_AT", point);
        shop.run(&["expand"], 137);
        shop.project.env_remove("PHASEGATE_CRASH_AT");
        shop.run(&["expand"], 0);
        assert_eq!(is_valid(&shop, "users_full_name"), "1", "{point}");
        assert_eq!(is_valid(&shop, "users_note"), "1", "{point}");
        assert_eq!(shop.phase(1), "expanded", "{point}");
    }
}

#[test]
fn a_statement_of_which_nobody_knows_whether_it_ran_is_asked_about() {
    let shop = Shop::with_config(Db::on("postgres"), CONFIG);
    shop.db.execute("CREATE TYPE mood AS ENUM ('sad')");
    shop.project.migration(
        "0001_system",
        &[
            (
                "migration.toml",
                "description = \"A setting of the server\"\n[[expand.allow]]\n\
                 statement = \"ALTER SYSTEM SET log_min_duration_statement\"\nreason = \"a test\"\n",
            ),
            (
                "expand.sql",
                "-- migrate: no-transaction\nALTER SYSTEM SET log_min_duration_statement = '1h';\n",
            ),
        ],
    );
    shop.project.env("PHASEGATE_CRASH_AT", "expand.started");
    shop.run(&["expand"], 137);
    shop.project.env_remove("PHASEGATE_CRASH_AT");
    let asked = shop.run(&["expand"], 1);
    assert!(said(&asked).contains("expand.sql:2"), "{asked:?}");
    assert!(
        said(&asked).contains("migrate resolve 0001_system --step 1"),
        "{asked:?}"
    );
    shop.run(&["resolve", "1", "--step", "2", "--applied"], 1);
    shop.run(&["resolve", "1", "--step", "1"], 2);
    shop.run(&["resolve", "1", "--step", "1", "--applied"], 0);
    shop.run(&["expand"], 0);
    assert_eq!(shop.phase(1), "expanded");
}
