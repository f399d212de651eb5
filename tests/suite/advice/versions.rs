//! What versions do to each other and to the formats.

use super::reasons::{Case, is_of};
use super::{Row, Said, asked, go_through};
use crate::support::backend::Db;
use crate::support::shop::{APPEND_ONLY, NAME, Shop};

const SHOP: &str = "[services.web]\nmin_instances = 0\n[services.worker]\nmin_instances = 0\n";
const FILL: &str = "[backfill]\ntable = \"users\"\nkey = \"id\"\nremaining = \"SELECT count(*) FROM users WHERE name IS NULL\"\n";

/// The shop whose fleet is what it is told, and the migration declared by these services.
pub fn declared(db: Db, services: &str) -> Shop {
    let shop = Shop::with_fleet(db, SHOP);
    shop.name_migration(&format!("description = \"a name\"\n{services}"));
    shop
}

pub fn expanded(db: Db) -> Shop {
    let shop = Shop::with_fleet(db, SHOP);
    shop.run(&["expand"], 0);
    shop
}

pub fn backfilled(db: Db) -> Shop {
    let shop = expanded(db);
    shop.run(&["backfill"], 0);
    shop
}

fn contracted(db: Db) -> Shop {
    let shop = backfilled(db);
    shop.run(&["contract"], 0);
    shop
}

/// These run, and everybody is told.
fn seen(shop: &Shop, fleet: &[(&str, &str, &str)]) {
    shop.fleet(fleet);
    shop.run(&["status", "--record"], 0);
}

/// A migration that only adds, for versions in this range.
fn adds(db: Db, services: &str) -> Shop {
    let shop = Shop::with_fleet(db, SHOP);
    shop.name_declaration("");
    std::fs::remove_dir_all(shop.project.path().join(NAME)).expect("it was just made");
    only_adds(&shop, services);
    shop
}

fn only_adds(shop: &Shop, services: &str) {
    let files = [
        (
            "migration.toml",
            format!("description = \"it\"\nsync = \"both\"\n{services}"),
        ),
        (
            "expand.sql",
            "CREATE TABLE it (id INTEGER PRIMARY KEY);\n".to_owned(),
        ),
        ("contract.sql", "DROP TABLE it;\n".to_owned()),
    ];
    let files: Vec<(&str, &str)> = files
        .iter()
        .map(|(file, text)| (*file, text.as_str()))
        .collect();
    shop.project.migration("0001_it", &files);
}

/// 1.1.0 writes both and reads the old format; old-only writers have run beside it.
const STALE: &str = "[services.web]\nreads = { old = \"<1.2.0\", new = \">=1.2.0\" }\nwrites = { old = \"<1.3.0\", new = \">=1.1.0\" }\n";
/// 1.1.0 reads both and writes only the new format.
const MOVED: &str = "[services.web]\nreads = { old = \"<1.2.0\", new = \">=1.1.0\" }\nwrites = { old = \"<1.1.0\", new = \">=1.1.0\" }\n";
pub fn overwriting(services: &str) -> String {
    let fill = FILL.replace("key = \"id\"", "key = \"id\"\noverwrites = true");
    format!("description = \"a name\"\n{services}{fill}")
}

/// Web and worker wait for each other.
fn circle(db: Db) -> Shop {
    let shop = adds(
        db,
        "[services.web]\nwrites = { old = \"<2.0.0\", new = \">=2.0.0\" }\n[services.worker]\nreads = { old = \"<2.0.0\", new = \">=2.0.0\" }\n",
    );
    let path = "0001_it/migration.toml";
    let text =
        std::fs::read_to_string(shop.project.path().join(path)).expect("it was just written");
    shop.project
        .file(path, &text.replace("\"both\"", "\"to-new\""));
    shop.project.migration(
        "0002_other",
        &[
            (
                "migration.toml",
                "description = \"other\"\nsync = \"to-new\"\n[services.worker]\nwrites = { old = \"<2.0.0\", new = \">=2.0.0\" }\n[services.web]\nreads = { old = \"<2.0.0\", new = \">=2.0.0\" }\n",
            ),
            ("expand.sql", "CREATE TABLE other (id INTEGER PRIMARY KEY);\n"),
            ("contract.sql", "DROP TABLE other;\n"),
        ],
    );
    shop
}

const ROUND: &[&str] = &[
    "plan",
    "--from",
    "web=1.0.0",
    "--from",
    "worker=1.0.0",
    "--to",
    "web=2.0.0",
    "--to",
    "worker=2.0.0",
];

/// One migration wants the release in between, and the other cannot live with it.
fn no_sequence(db: Db) -> Shop {
    let shop = Shop::with_fleet(db, SHOP);
    let odd = format!(
        "description = \"odd\"\nrows = \"append-only\"\n[services.web]\nold = \"<1.1.0 || >=1.2.0\"\nnew = \">=1.1.0\"\n{}",
        FILL.replace("name", "nick")
    );
    shop.project.migration(
        "0002_nick",
        &[
            ("migration.toml", &odd),
            ("expand.sql", "ALTER TABLE users ADD COLUMN nick VARCHAR(200);\n"),
            ("backfill.sql", "UPDATE users SET nick = full_name WHERE id > :after AND id <= :upto AND nick IS NULL;\n"),
        ],
    );
    shop
}

pub const ROWS: &[Row<Case>] = &[
    Row {
        case: Case::Uses,
        on: &[],
        make: |db| {
            let shop = backfilled(db);
            shop.fleet(&[("web", "a", "1.1.0")]);
            shop
        },
        asks: &["gate", "contract", "1"],
        code: 11,
        says: &[
            "web 1.1.0 reads and writes the old format",
            "1 instance (a), by list",
        ],
        takes: |shop, said| {
            said.tells("replace web 1.1.0 by a version in the range >=1.2.0, which may start now");
            shop.run(&["gate", "deploy", "web=1.2.0"], 0);
            let fleet = said.run(shop, "migrate fleet", 0);
            assert!(fleet.stdout.contains("1.1.0"), "{fleet:?}");
            shop.fleet(&[("web", "a", "1.2.0")]);
        },
        then: 0,
    },
    Row {
        case: Case::WritesOnlyOld,
        on: &[],
        make: |db| {
            let shop = expanded(db);
            shop.fleet(&[("web", "a", "1.0.0")]);
            shop
        },
        asks: &["gate", "backfill", "1"],
        code: 11,
        says: &["web 1.0.0 writes only the old format"],
        takes: |shop, said| {
            said.tells(
                "replace web 1.0.0 by a version in the range >=1.1.0, <1.2.0, which may start now",
            );
            shop.run(&["gate", "deploy", "web=1.1.0"], 0);
            shop.fleet(&[("web", "a", "1.1.0")]);
        },
        then: 0,
    },
    Row {
        case: Case::Leaves,
        on: &[],
        make: |db| {
            let shop = backfilled(db);
            shop.fleet(&[("web", "a", "1.0.0")]);
            shop
        },
        asks: &["gate", "deploy", "web=1.2.0"],
        code: 11,
        says: &["web 1.2.0 leaves rows in 0001_name that web 1.0.0 cannot read"],
        takes: |shop, said| {
            said.tells(
                "replace web 1.0.0 by a version in the range >=1.1.0, <1.2.0, which may start now",
            );
            shop.run(&["gate", "deploy", "web=1.1.0"], 0);
            shop.fleet(&[("web", "a", "1.1.0")]);
        },
        then: 0,
    },
    Row {
        case: Case::Swapped,
        on: &[],
        make: |db| {
            let shop = adds(db, "[services.web]\nold = \"<1.2.0\"\nnew = \">=1.0.0\"\n");
            shop.fleet(&[("web", "a", "1.0.0")]);
            shop
        },
        asks: &["gate", "expand", "1"],
        code: 11,
        says: &[
            "web 1.0.0 is live, and is declared to read and write the new format of 0001_it",
            "are `old` and `new` swapped?",
        ],
        takes: |shop, said| {
            said.tells(
                "if the ranges of [services.web] in its migration.toml are wrong, correct them",
            );
            only_adds(
                shop,
                "[services.web]\nold = \"<1.2.0\"\nnew = \">=1.1.0\"\n",
            );
        },
        then: 0,
    },
    Row {
        case: Case::BeginsTooLow,
        on: &[],
        make: |db| {
            let shop = adds(db, "");
            shop.project.file(
                "0001_it/migration.toml",
                "description = \"it\"\n[services.web]\nnew = \">=1.0.0\"\n",
            );
            std::fs::remove_file(shop.project.path().join("0001_it/contract.sql"))
                .expect("it is there");
            shop.fleet(&[("web", "a", "1.0.0")]);
            shop
        },
        asks: &["gate", "expand", "1"],
        code: 11,
        says: &["web 1.0.0 is live", "does `new` begin too low?"],
        takes: |shop, said| {
            said.tells("correct them, which is possible while nothing of the migration is applied");
            shop.project.file(
                "0001_it/migration.toml",
                "description = \"it\"\n[services.web]\nnew = \">=1.1.0\"\n",
            );
        },
        then: 0,
    },
    Row {
        case: Case::HasToOverwrite,
        on: &[],
        make: |db| {
            let shop = declared(db, &format!("{STALE}{FILL}"));
            shop.run(&["expand"], 0);
            seen(&shop, &[("web", "a", "1.0.0"), ("web", "b", "1.1.0")]);
            shop.fleet(&[("web", "b", "1.1.0")]);
            shop
        },
        asks: &["gate", "backfill", "1"],
        code: 11,
        says: &["backfill.sql has to overwrite stale values of the new format"],
        takes: |shop, said| {
            said.tells("write `overwrites = true` under [backfill]");
            shop.name_declaration(&overwriting(STALE));
            shop.project.file(
                format!("{NAME}/backfill.sql"),
                "UPDATE users SET name = full_name WHERE id > :after AND id <= :upto;\n",
            );
            shop.run(&["backfill", "1"], 0);
            shop.run(&["gate", "deploy", "web=1.2.0"], 0);
        },
        then: 0,
    },
    Row {
        case: Case::HasOnlyToFill,
        on: &[],
        make: |db| {
            let shop = Shop::with_fleet(db, SHOP);
            shop.name_declaration(&overwriting(MOVED));
            shop.run(&["expand"], 0);
            seen(&shop, &[("web", "b", "1.1.0")]);
            shop
        },
        asks: &["gate", "backfill", "1"],
        code: 11,
        says: &["`overwrites = true` says that backfill.sql would write it over the new one"],
        takes: |shop, said| {
            said.tells("take `overwrites = true` out of [backfill]");
            shop.name_declaration(&format!("description = \"a name\"\n{MOVED}{FILL}"));
            shop.run(&["backfill", "1"], 0);
        },
        then: 0,
    },
    Row {
        case: Case::OldFormatGone,
        on: &[],
        make: contracted,
        asks: &["gate", "deploy", "web=1.0.0"],
        code: 11,
        says: &["web 1.0.0 reads and writes the old format of 0001_name, which has been removed"],
        takes: |shop, said| {
            let status = said.run(shop, "migrate status", 0);
            assert!(
                status.stdout.contains("≥ 1.2.0 may start now"),
                "{status:?}"
            );
            shop.run(&["gate", "deploy", "web=1.2.0"], 0);
        },
        // There is no way back.
        then: 11,
    },
    Row {
        case: Case::UnreadableRows,
        on: &[],
        make: |db| {
            let shop = backfilled(db);
            seen(&shop, &[("web", "a", "1.2.0")]);
            shop.fleet(&[]);
            shop
        },
        asks: &["gate", "deploy", "web=1.0.0"],
        code: 11,
        says: &["web 1.0.0 cannot read rows that may exist in 0001_name"],
        takes: |shop, said| {
            let status = said.run(shop, "migrate status", 0);
            assert!(
                status.stdout.contains("≥ 1.1.0 may start now"),
                "{status:?}"
            );
            shop.run(&["gate", "deploy", "web=1.1.0"], 0);
        },
        then: 11,
    },
    Row {
        case: Case::DataLoss,
        on: &[],
        make: |db| {
            let shop = backfilled(db);
            seen(&shop, &[("web", "a", "1.2.0")]);
            shop.fleet(&[]);
            shop
        },
        asks: &["gate", "revert", "1"],
        code: 11,
        says: &["going back would lose what was written in the new one"],
        takes: |shop, said| {
            said.tells("go on to the contract");
            shop.run(&["contract", "1"], 0);
        },
        then: 11,
    },
    Row {
        case: Case::UndecidableRows,
        on: &[],
        make: |db| {
            let check = "check = \"SELECT id, name FROM users WHERE id > :after AND id <= :upto AND name <> full_name\"\n";
            let shop = declared(
                db,
                &format!("[services.web]\nold = \"<1.2.0\"\nnew = \">=1.1.0\"\n{FILL}{check}"),
            );
            shop.run(&["expand"], 0);
            seen(&shop, &[("web", "a", "1.0.0"), ("web", "b", "1.2.0")]);
            shop.fleet(&[("web", "b", "1.2.0")]);
            shop
        },
        asks: &["gate", "backfill", "1"],
        code: 11,
        says: &["no statement could tell which side is right"],
        takes: |shop, said| {
            said.tells("compare both formats by hand, repair the rows");
            shop.db.execute("UPDATE users SET name = full_name");
            said.run_with(
                shop,
                "migrate resolve 0001_name --rows-repaired --reason TEXT",
                ("TEXT", "compared by hand"),
                0,
            );
        },
        then: 0,
    },
    Row {
        case: Case::WithItself,
        on: &[],
        make: |db| {
            let shop = declared(
                db,
                &format!(
                    "rows = \"append-only\"\n[services.web]\nreads = {{ old = \"<1.2.0\", new = \">=1.2.0\" }}\nwrites = {{ old = \"*\" }}\n{FILL}"
                ),
            );
            shop.run(&["expand"], 0);
            shop.run(&["backfill"], 0);
            shop
        },
        asks: &["gate", "deploy", "web=1.2.0"],
        code: 11,
        says: &["web 1.2.0 cannot read the rows that it writes itself in 0001_name"],
        takes: |shop, said| {
            said.tells("correct the ranges in migration.toml");
            // What is applied is put back first, as the answer to an edited file says.
            shop.run(&["revert", "1"], 0);
            shop.name_declaration(APPEND_ONLY);
            shop.run(&["expand"], 0);
            shop.run(&["backfill"], 0);
        },
        then: 0,
    },
    Row {
        case: Case::WithAnother,
        on: &[],
        make: backfilled,
        asks: &["gate", "deploy", "web=1.0.0", "web=1.2.0"],
        code: 11,
        says: &["web 1.0.0 leaves rows in 0001_name that web 1.2.0 cannot read"],
        takes: |shop, said| {
            said.tells("deploy one after the other, or a release in between that works with both");
            shop.run(&["gate", "deploy", "web=1.0.0", "web=1.1.0"], 0);
            shop.run(&["gate", "deploy", "web=1.1.0", "web=1.2.0"], 0);
        },
        then: 11,
    },
    Row {
        case: Case::NoOrder,
        on: &[],
        make: circle,
        asks: ROUND,
        code: 11,
        says: &["beside one another they cannot in any order"],
        takes: |shop, said| {
            said.tells("name more releases with `--via`");
            // Which they are has to be declared: the readers move a release before the writers.
            for migration in ["0001_it", "0002_other"] {
                let path = format!("{migration}/migration.toml");
                let text =
                    std::fs::read_to_string(shop.project.path().join(&path)).expect("it is there");
                let moved = text.replace(
                    "reads = { old = \"<2.0.0\", new = \">=2.0.0\" }",
                    "reads = { old = \"<1.1.0\", new = \">=1.1.0\" }",
                );
                shop.project.file(&path, &moved);
            }
            shop.run(
                &[ROUND, &["--via", "web=1.1.0", "--via", "worker=1.1.0"]].concat(),
                0,
            );
        },
        then: 11,
    },
    Row {
        case: Case::NoSequence,
        on: &[],
        make: no_sequence,
        asks: &[
            "plan",
            "--from",
            "web=1.0.0",
            "--via",
            "web=1.1.0",
            "--to",
            "web=1.2.0",
        ],
        code: 11,
        says: &[
            "each migration alone leaves web a way, and no sequence of its releases suits all of them",
        ],
        takes: |shop, said| {
            said.tells("or take the migrations one after the other");
            let later = shop.project.path().join("0002_nick");
            std::fs::rename(&later, shop.project.path().join("later")).expect("it is there");
        },
        then: 0,
    },
];

scenario!(
    fn what_versions_do_to_each_other_has_a_way_out(db: Db) {
        go_through(&db, ROWS, is_of);
    }
);

/// A first answer that leads to a second one leads out all the same.
pub fn follow(shop: &Shop, said: &Said, command: &str, asks: &[&str], code: i32) -> Said {
    said.run(shop, command, 0);
    asked(shop, asks, code)
}
