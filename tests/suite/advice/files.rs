//! What stands in the way by what is wrong in the files.

use super::reasons::{Case, is_of};
use super::schema::{two, with_more};
use super::versions::{declared, follow};
use super::{Row, asked, go_through};
use crate::support::backend::Db;
use crate::support::shop::{APPEND_ONLY, BACKFILL, NAME, Shop};

const MORE: &str = "0002_more";
const KEPT: &str = "description = \"a note\"\n[services.web]\nnew = \">=1.1.0\"\n";

/// A column that no INSERT may leave out, which only a contract takes away.
fn required(db: Db) -> Shop {
    let shop = declared(db, "");
    std::fs::remove_dir_all(shop.project.path().join(NAME)).expect("it was just made");
    let made = "CREATE TABLE it (id INTEGER PRIMARY KEY, note VARCHAR(20) NOT NULL);\n";
    shop.project
        .migration("0001_it", &[("migration.toml", KEPT), ("expand.sql", made)]);
    shop.run(&["expand"], 0);
    shop.project.migration(
        "0003_drop",
        &[
            (
                "migration.toml",
                "description = \"no note\"\n[services.web]\nold = \"<1.2.0\"\n",
            ),
            ("contract.sql", "ALTER TABLE it DROP COLUMN note;\n"),
        ],
    );
    shop
}

/// As the answer says: something stands in the column for whoever leaves it out.
fn eased(shop: &Shop) {
    let anew = "CREATE TABLE it_anew (id INTEGER PRIMARY KEY, note VARCHAR(20) NOT NULL DEFAULT '-');\n\
                INSERT INTO it_anew (id, note) SELECT id, note FROM it;\nDROP TABLE it;\nALTER TABLE it_anew RENAME TO it;\n";
    let allowed =
        "[[expand.allow]]\nstatement = \"DROP TABLE it;\"\nreason = \"it is built anew\"\n";
    let (expand, allowed) = match shop.db.backend.name {
        "sqlite" => (anew, allowed),
        _ => ("ALTER TABLE it ALTER COLUMN note SET DEFAULT '-';\n", ""),
    };
    let manifest =
        format!("description = \"a default\"\n[services.web]\nnew = \">=1.2.0\"\n{allowed}");
    shop.project.migration(
        "0002_ease",
        &[
            ("migration.toml", manifest.as_str()),
            ("expand.sql", expand),
        ],
    );
    shop.run(&["expand"], 0);
}

pub const ROWS: &[Row<Case>] = &[
    Row {
        case: Case::CannotLive,
        on: &[],
        make: required,
        asks: &["gate", "deploy", "web=1.2.0"],
        code: 11,
        says: &[
            "web 1.2.0 cannot live before the contract of 0003_drop: 0003_drop/contract.sql:1:1",
            "`note` of `it` is NOT NULL without a default",
        ],
        takes: |shop, said| {
            said.run(shop, "migrate check", 1);
            // Who still writes it may start.
            shop.run(&["gate", "deploy", "web=1.1.0"], 0);
            eased(shop);
        },
        then: 0,
    },
    Row {
        case: Case::Hides,
        on: &[],
        make: |db| {
            let shop = two(db);
            shop.project.file(
                format!("{MORE}/migration.toml"),
                "description = \"more\"\n[services.web]\nnwe = \">=1.3.0\"\n",
            );
            shop
        },
        asks: &["gate", "deploy", "web=1.0.0"],
        code: 12,
        says: &["which versions need 0002_more is not known: 0002_more/migration.toml:"],
        takes: |shop, said| {
            let check = said.run(shop, "migrate check", 1);
            assert!(check.stderr.contains("nwe"), "{check:?}");
            with_more(shop);
        },
        then: 0,
    },
    Row {
        case: Case::CannotRun,
        on: &[],
        make: |db| {
            let shop = two(db);
            shop.run(&["expand", "--up-to", "1"], 0);
            shop.project.file(
                format!("{NAME}/backfill.sql"),
                "UPDAET users SET name = full_name;\n",
            );
            shop
        },
        asks: &["gate", "backfill", "1"],
        code: 11,
        says: &["backfill cannot run from these files: 0001_name/backfill.sql:1:1"],
        takes: |shop, said| {
            said.run(shop, "migrate check", 1);
            shop.project.file(format!("{NAME}/backfill.sql"), BACKFILL);
        },
        then: 0,
    },
    Row {
        case: Case::ComesBefore,
        on: &[],
        make: |db| {
            let shop = two(db);
            shop.project
                .file(format!("{NAME}/migration.toml"), "description = \"x\n");
            shop
        },
        asks: &["gate", "expand", "2"],
        code: 11,
        says: &["0001_name comes before it, and is not in order: 0001_name/migration.toml:1:"],
        takes: |shop, said| {
            said.run(shop, "migrate check", 1);
            shop.project
                .file(format!("{NAME}/migration.toml"), APPEND_ONLY);
            let next = asked(shop, &["gate", "expand", "2"], 11);
            follow(
                shop,
                &next,
                "migrate expand --up-to 0002_more",
                &["gate", "expand", "2"],
                0,
            );
        },
        then: 0,
    },
];

scenario!(
    fn files_that_are_wrong_have_a_way_out(db: Db) {
        go_through(&db, ROWS, is_of);
    }
);
