//! PostgreSQL: what builds an index beside a running application cannot share a transaction.

use crate::support::backend::Db;
use crate::support::shop::{Shop, said};

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

#[test]
fn a_failed_build_leaves_an_invalid_index_that_the_next_run_replaces() {
    let shop = with_index(CONFIG);
    shop.db
        .execute("INSERT INTO users (full_name) VALUES ('Ann')");
    let failed = shop.run(&["expand"], 1);
    for part in ["expand.sql:3", "users_full_name", "is left invalid"] {
        assert!(said(&failed).contains(part), "{part} in {failed:?}");
    }
    assert_eq!(is_valid(&shop, "users_full_name"), "0");
    assert_eq!(shop.phase(1), "expanding");
    // Still duplicate: it fails in the same way, and again leaves no more than that.
    shop.run(&["expand"], 1);
    let invalid = "SELECT count(*) FROM pg_index WHERE NOT indisvalid";
    assert_eq!(shop.db.value(invalid), "1");
    shop.db.execute("DELETE FROM users WHERE id = 6");
    let output = shop.run(&["expand"], 0);
    assert!(
        said(&output).contains("the index users_full_name is invalid"),
        "{output:?}"
    );
    assert_eq!(shop.db.value(invalid), "0");
    assert_eq!(is_valid(&shop, "users_full_name"), "1");
    assert_eq!(is_valid(&shop, "users_note"), "1");
    assert_eq!(shop.phase(1), "expanded");
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
