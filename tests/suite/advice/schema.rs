//! What stands in the way by the state of the schema, of its files and of its rows.

use super::reasons::{Case, is_of};
use super::versions::{backfilled, declared, expanded, follow, overwriting};
use super::{Row, asked, go_through};
use crate::support::backend::Db;
use crate::support::shop::{APPEND_ONLY, NAME, Shop};
use crate::support::wait::{GENEROUS, eventually};
use crate::transactions::sync::{drop_sync, sync_again, synced};

const MORE: &str = "0002_more";

/// A second migration that only adds.
pub fn with_more(shop: &Shop) {
    add_more(shop, MORE, "CREATE TABLE more (id INTEGER PRIMARY KEY);\n");
}

fn add_more(shop: &Shop, name: &str, expand: &str) {
    let files = [
        (
            "migration.toml",
            "description = \"more\"\n[services.web]\nnew = \">=1.3.0\"\n",
        ),
        ("expand.sql", expand),
        ("revert.sql", "DROP TABLE more;\n"),
    ];
    shop.project.migration(name, &files);
}

pub fn two(db: Db) -> Shop {
    let shop = declared(db, "");
    shop.name_migration(APPEND_ONLY);
    with_more(&shop);
    shop
}

/// The migration that moves a name, with these lines for its contract.
fn with_contract(db: Db, rules: &str) -> Shop {
    let shop = declared(db, "");
    shop.name_migration(&format!("{APPEND_ONLY}{rules}"));
    shop.run(&["expand"], 0);
    shop.run(&["backfill"], 0);
    shop
}

/// 1.1.0 writes both, and every version reads whatever is there.
const WRITES: &str = "[services.web]\nwrites = { old = \"<1.2.0\", new = \">=1.1.0\" }\n";

/// A backfill that fails at the third row.
pub fn stopping(db: &Db) -> &'static str {
    match db.backend.name {
        "sqlite" => {
            "UPDATE users SET name = CASE WHEN full_name = 'Cyd' THEN json_extract(full_name, '$') ELSE full_name END WHERE id > :after AND id <= :upto;\n"
        }
        "postgres" => {
            "UPDATE users SET name = CASE WHEN full_name = 'Cyd' THEN CAST(CAST(full_name AS integer) AS text) ELSE full_name END WHERE id > :after AND id <= :upto;\n"
        }
        _ => {
            "UPDATE users SET name = CASE WHEN full_name = 'Cyd' THEN REPEAT(full_name, 100) ELSE full_name END WHERE id > :after AND id <= :upto;\n"
        }
    }
}

const CHECK: &str = "check = \"SELECT id, name FROM users WHERE id > :after AND id <= :upto AND name <> full_name\"\n";

pub const ROWS: &[Row<Case>] = &[
    Row {
        case: Case::ExpandFirst,
        on: &[],
        make: two,
        asks: &["gate", "deploy", "web=1.1.0"],
        code: 11,
        says: &[
            "web 1.1.0 reads and writes the new format of 0001_name, which is not expanded yet",
        ],
        takes: |shop, said| {
            said.run(shop, "migrate expand --up-to 0001_name", 0);
            assert_eq!(shop.phase(2), "pending");
        },
        then: 0,
    },
    Row {
        case: Case::BackfillBeforeContract,
        on: &[],
        make: expanded,
        asks: &["gate", "contract", "1"],
        code: 11,
        says: &["0001_name"],
        takes: |shop, said| {
            said.run(shop, "migrate backfill 0001_name", 0);
        },
        then: 0,
    },
    Row {
        case: Case::BackfillBeforeStart,
        on: &[],
        make: |db| {
            // It writes the old values over what is there, and has stopped at a row.
            let shop = declared(db, "");
            shop.name_migration(&overwriting(WRITES));
            shop.project
                .file(format!("{NAME}/backfill.sql"), stopping(&shop.db));
            shop.run(&["expand"], 0);
            shop.fleet(&[("web", "a", "1.0.0")]);
            shop.run(&["status", "--record"], 0);
            shop.fleet(&[("web", "a", "1.1.0")]);
            shop.run(&["status", "--record"], 0);
            shop.run(&["backfill"], 1);
            shop
        },
        asks: &["gate", "deploy", "web=1.2.0"],
        code: 11,
        says: &["0001_name"],
        takes: |shop, said| {
            shop.project.file(
                format!("{NAME}/backfill.sql"),
                "UPDATE users SET name = full_name WHERE id > :after AND id <= :upto;\n",
            );
            said.run(shop, "migrate backfill 0001_name", 0);
        },
        then: 0,
    },
    Row {
        case: Case::Earlier,
        on: &[],
        make: two,
        asks: &["gate", "expand", "2"],
        code: 11,
        says: &["0001_name comes before it and is pending"],
        takes: |shop, said| {
            said.run(shop, "migrate expand --up-to 0002_more", 0);
        },
        then: 0,
    },
    Row {
        case: Case::Later,
        on: &[],
        make: |db| {
            let shop = two(db);
            shop.run(&["expand"], 0);
            shop
        },
        asks: &["gate", "revert", "1"],
        code: 11,
        says: &["0002_more was applied after it and may build on it"],
        takes: |shop, said| {
            said.run(shop, "migrate revert 0002_more", 0);
        },
        then: 0,
    },
    Row {
        case: Case::Strict,
        on: &[],
        make: |db| {
            let shop = declared(db, "");
            shop.name_migration(APPEND_ONLY);
            let config = std::fs::read_to_string(shop.project.path().join("migrate.toml"))
                .expect("it is there");
            shop.project.file(
                "migrate.toml",
                &format!("{config}[project]\norder = \"strict\"\n"),
            );
            shop.run(&["expand"], 0);
            add_more(
                &shop,
                "0000_more",
                "CREATE TABLE more (id INTEGER PRIMARY KEY);\n",
            );
            shop
        },
        asks: &["gate", "expand", "0"],
        code: 11,
        says: &["0000_more comes after 0001_name here, and before it on a new database"],
        takes: |shop, said| {
            said.run(shop, "migrate renumber 0000_more", 0);
            shop.run(&["gate", "expand", "2"], 0);
        },
        // There is none of that number any more.
        then: 2,
    },
    Row {
        case: Case::Passed,
        // SQLite changes no column that is there.
        on: &["postgres", "mysql"],
        make: |db| {
            let shop = Shop::new(db);
            let alter = |directory: &str, range: &str, file: &str, what: &str| {
                let manifest = format!("description = \"A default\"\n[services.web]\n{range}\n");
                let script = format!("ALTER TABLE users ALTER COLUMN full_name {what};\n");
                shop.project
                    .migration(directory, &[("migration.toml", &manifest), (file, &script)]);
            };
            alter(
                "0002_default",
                "new = \">=1.1.0\"",
                "expand.sql",
                "SET DEFAULT 'nobody'",
            );
            shop.run(&["expand"], 0);
            alter(
                "0001_none",
                "old = \"<1.1.0\"",
                "contract.sql",
                "DROP DEFAULT",
            );
            shop
        },
        asks: &["gate", "contract", "1"],
        code: 11,
        says: &["0002_default is expanded already and has made something else of users.full_name"],
        takes: |shop, said| {
            said.run(shop, "migrate renumber 0001_none", 0);
        },
        // There is none of that number any more.
        then: 2,
    },
    Row {
        case: Case::NoPart,
        on: &[],
        make: |db| {
            let shop = two(db);
            shop.run(&["expand"], 0);
            shop
        },
        asks: &["gate", "contract", "2"],
        code: 11,
        says: &["0002_more has no contract", "there is nothing to contract"],
        takes: |shop, said| {
            said.tells("add contract.sql to the migration");
            shop.run(&["revert", "2"], 0);
            shop.project.migration(
                MORE,
                &[
                    (
                        "migration.toml",
                        "description = \"more\"\n[services.web]\nold = \"<1.3.0\"\n",
                    ),
                    ("contract.sql", "DROP TABLE more;\n"),
                ],
            );
            std::fs::remove_file(shop.project.path().join(MORE).join("revert.sql"))
                .expect("it is there");
            std::fs::remove_file(shop.project.path().join(MORE).join("expand.sql"))
                .expect("it is there");
        },
        then: 0,
    },
    Row {
        case: Case::BeingReverted,
        on: &["mysql"],
        make: |db| {
            let shop = Shop::with_fleet(
                db,
                "[services.web]\nmin_instances = 0\n[services.worker]\nmin_instances = 0\n",
            );
            let config = std::fs::read_to_string(shop.project.path().join("migrate.toml"))
                .expect("it is there");
            shop.project.file(
                "migrate.toml",
                &config.replace("[fleet]", "[fleet]\ncoordinator_lease = \"1s\""),
            );
            shop.run(&["expand"], 0);
            shop.project.env("PHASEGATE_CRASH_AT", "revert.started");
            shop.run(&["revert", "1"], 137);
            shop.project.env_remove("PHASEGATE_CRASH_AT");
            // As long as its lease lasts somebody may be at work.
            eventually(GENEROUS, || {
                let answer = shop.project.migrate(&["gate", "expand", "1"]);
                (answer.code == 11).then_some(())
            });
            shop
        },
        asks: &["gate", "expand", "1"],
        code: 11,
        says: &["0001_name is being reverted"],
        takes: |shop, said| {
            said.run(shop, "migrate revert 0001_name", 0);
        },
        then: 0,
    },
    Row {
        case: Case::PastReturn,
        on: &[],
        make: |db| {
            let shop = backfilled(db);
            shop.run(&["contract"], 0);
            shop
        },
        asks: &["gate", "revert", "1"],
        code: 11,
        says: &["the way back ended with its contract"],
        takes: |shop, said| {
            said.tells("restore what is needed with a new migration");
            shop.run(&["new", "back"], 0);
        },
        then: 11,
    },
    Row {
        case: Case::OutOfStep,
        on: &[],
        make: |db| {
            let shop = synced(db);
            shop.db.execute(&drop_sync(&shop.db, "users_sync"));
            shop
        },
        asks: &["gate", "contract", "1", "--record"],
        code: 11,
        says: &["`users_sync`", "0001_synced relies on it"],
        takes: |shop, said| {
            said.tells("make it again as the expand.sql of 0001_synced has it");
            said.tells("the backfill of 0001_synced has to run again before its contract, and to overwrite what is stale");
            shop.db
                .execute(&sync_again(&shop.db, "users_sync", "users"));
            let path = "0001_synced/migration.toml";
            let text =
                std::fs::read_to_string(shop.project.path().join(path)).expect("it is there");
            shop.project.file(
                path,
                &text.replace("key = \"id\"", "key = \"id\"\noverwrites = true"),
            );
            shop.project.file(
                "0001_synced/backfill.sql",
                "UPDATE users SET name = full_name WHERE id > :after AND id <= :upto;\n",
            );
            let again = asked(shop, &["gate", "contract", "1", "--record"], 11);
            follow(
                shop,
                &again,
                "migrate backfill 0001_synced",
                &["gate", "contract", "1"],
                0,
            );
        },
        then: 0,
    },
    Row {
        case: Case::Remaining,
        on: &[],
        make: |db| {
            let shop = backfilled(db);
            shop.db
                .execute("INSERT INTO users (full_name) VALUES ('Fay')");
            shop
        },
        asks: &["gate", "contract", "1"],
        code: 11,
        says: &["`remaining` of the backfill returns 1, and has to be 0"],
        takes: |shop, said| {
            said.run(shop, "migrate backfill 0001_name", 0);
        },
        then: 0,
    },
    Row {
        case: Case::Check,
        on: &[],
        make: |db| {
            let shop = with_contract(db, CHECK);
            shop.name_declaration(&format!(
                "{APPEND_ONLY}{CHECK}[contract]\nrequire_check = true\n"
            ));
            shop.db
                .execute("UPDATE users SET name = 'Anna' WHERE id = 1");
            shop
        },
        // It goes over all keys, so the gate does not ask it, and says so.
        asks: &["contract", "1"],
        code: 11,
        says: &["`check` of the backfill finds rows"],
        takes: |shop, said| {
            asked(shop, &["gate", "contract", "1"], 0).tells("was not asked for this");
            said.tells("look at them with that query, repair what writes them");
            shop.db
                .execute("UPDATE users SET name = full_name WHERE id = 1");
            said.run(shop, "migrate backfill 0001_name", 0);
        },
        then: 0,
    },
    Row {
        case: Case::Require,
        on: &[],
        make: |db| {
            let shop = with_contract(
                db,
                "[contract]\nrequire = [\"SELECT count(*) FROM users WHERE name = '-'\"]\n",
            );
            shop.db.execute("UPDATE users SET name = '-' WHERE id = 2");
            shop
        },
        asks: &["gate", "contract", "1"],
        code: 11,
        says: &[
            "a query under `require` returns 1, and has to be 0: SELECT count(*) FROM users WHERE name = '-'",
        ],
        takes: |shop, said| {
            said.tells("look at the rows that it counts, and repair them");
            shop.db
                .execute("UPDATE users SET name = full_name WHERE id = 2");
        },
        then: 0,
    },
    Row {
        case: Case::Soak,
        on: &[],
        make: |db| {
            let shop = with_contract(db, "[contract]\nsoak = \"3s\"\n");
            shop.fleet(&[("web", "a", "1.1.0")]);
            shop.run(&["status", "--record"], 0);
            shop.fleet(&[("web", "a", "1.2.0")]);
            shop.run(&["status", "--record"], 0);
            shop
        },
        asks: &["gate", "contract", "1"],
        code: 10,
        says: &["`soak` asks for 3 s"],
        takes: |shop, said| {
            let wait = said.command("migrate contract 0001_name --wait");
            let wait: Vec<&str> = wait.iter().map(String::as_str).collect();
            shop.run(&wait, 0);
            assert_eq!(shop.phase(1), "contracted");
        },
        then: 0,
    },
];

scenario!(
    fn what_stands_in_the_way_of_a_step_has_a_way_out(db: Db) {
        go_through(&db, ROWS, is_of);
    }
);
