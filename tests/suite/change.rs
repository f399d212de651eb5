//! Declared changes: what `migrate generate` writes does what the declaration says, on every database.

mod asked;
mod beside;
mod carried;
mod kinds;
mod loaded;
mod moved;
mod mysql;
mod newer;
mod postgres;
mod sealed;
mod split;
mod users;
mod workable;

use std::collections::BTreeMap;

use crate::support::backend::{Db, Ledger};
use crate::support::shop::Shop;

use users::Users;

const ID: &str = "0001_names";

const SPLIT: &str = r#"
description = "Split the name"

[services.web]
old = "<1.2.0"
new = ">=1.1.0"

[change]
kind = "columns"
table = "users"
key = "id"
old = ["full_name"]
new = { first_name = "varchar(400)", last_name = "varchar(400)" }

[change.forward]
first_name = "substr(full_name, 1, instr(concat(full_name, ' '), ' ') - 1)"
last_name = "substr(full_name, instr(concat(full_name, ' '), ' ') + 1)"

[change.forward.sqlite]
first_name = "substr(full_name, 1, instr(full_name || ' ', ' ') - 1)"
last_name = "substr(full_name, instr(full_name || ' ', ' ') + 1)"

[change.forward.postgres]
first_name = "split_part(full_name, ' ', 1)"
last_name = "substr(full_name, strpos(full_name || ' ', ' ') + 1)"

[change.back]
full_name = "concat_ws(' ', first_name, CASE WHEN length(last_name) > 0 THEN last_name END)"
"#;

/// A shop whose applications have the SQLite of this build: an older one knows no `concat_ws`.
fn newest_shop(db: Db) -> Shop {
    Shop::with_config(
        db,
        "[lint]\nsqlite = \"3.50\"\n[services.web]\nmin_instances = 0\n",
    )
}

/// A shop whose one migration is declared like this, with its scripts generated.
fn declared(db: Db, manifest: &str) -> Shop {
    let shop = newest_shop(db);
    shop.project.migration(ID, &[("migration.toml", manifest)]);
    shop.run(&["check"], 1);
    shop.run(&["generate"], 0);
    shop.run(&["check"], 0);
    shop
}

scenario!(
    fn both_formats_stay_in_step_whoever_writes(db: Db) {
        let shop = declared(db, SPLIT);
        shop.run(&["expand"], 0);
        shop.run(&["backfill"], 0);
        let mut connection = shop.db.connect();
        connection.execute("DELETE FROM users");
        let seed = fastrand::u64(..);
        let mut users = Users {
            connection,
            rows: BTreeMap::new(),
            random: fastrand::Rng::with_seed(seed),
            backend: shop.db.backend.name,
            next: 1,
        };
        for index in 0..300 {
            users.step();
            if index % 10 == 9 {
                users.compare(&format!("seed {seed}, {index} events"));
            }
        }
        // Nothing is left to fill, and the old format can go.
        let output = shop.run(&["contract"], 0);
        assert!(output.stdout.contains("contracted"), "{output:?}");
        let rows = shop.db.query("SELECT * FROM users");
        assert!(
            rows.iter().all(|row| row.len() == 3),
            "the old column is gone"
        );
    }
);

scenario!(
    fn rows_from_before_are_filled_and_what_was_written_stays(db: Db) {
        let shop = declared(db, SPLIT);
        shop.db
            .execute("UPDATE users SET full_name = 'Jean Luc Picard' WHERE full_name = 'Ann'");
        shop.run(&["expand"], 0);
        // The way in which this name is split is no business of the backfill.
        shop.db.execute(
            "INSERT INTO users (full_name, first_name, last_name) VALUES ('Jean Luc Picard', 'Jean Luc', 'Picard')",
        );
        shop.run(&["gate", "contract", "1"], 11);
        shop.run(&["backfill"], 0);
        let names = shop
            .db
            .query("SELECT first_name, last_name FROM users WHERE full_name = 'Jean Luc Picard' ORDER BY id");
        assert_eq!(names, [["Jean", "Luc Picard"], ["Jean Luc", "Picard"]]);
        assert_eq!(
            shop.db
                .value("SELECT count(*) FROM users WHERE last_name = ''"),
            "4"
        );
        // A second time nothing is left.
        shop.run(&["backfill"], 0);
        shop.run(&["contract"], 0);
    }
);

scenario!(
    fn a_revert_leaves_what_was_there(db: Db) {
        let shop = declared(db, SPLIT);
        let before = shop.db.dump(Ledger::Excluded);
        shop.run(&["expand"], 0);
        shop.run(&["backfill"], 0);
        shop.run(&["revert", "1"], 0);
        assert_eq!(shop.db.dump(Ledger::Excluded), before);
    }
);

scenario!(
    fn writers_of_both_formats_beside_each_other(db: Db) {
        const WRITERS: u64 = 4;
        const WRITES: usize = 150;
        let shop = declared(db, SPLIT);
        shop.run(&["expand"], 0);
        shop.run(&["backfill"], 0);
        shop.db.execute("UPDATE users SET full_name = 'A B'");
        std::thread::scope(|scope| {
            for writer in 0..WRITERS {
                let db = &shop.db;
                scope.spawn(move || {
                    let mut connection = db.connect();
                    for round in 0..WRITES {
                        let id = (writer as usize + round) % 5 + 1;
                        let set = if writer % 2 == 0 {
                            format!("full_name = 'W{writer} R{round}'")
                        } else {
                            format!("first_name = 'W{writer}', last_name = 'R{round}'")
                        };
                        connection.execute(&format!("UPDATE users SET {set} WHERE id = {id}"));
                    }
                });
            }
        });
        for row in shop
            .db
            .query("SELECT full_name, first_name, last_name FROM users")
        {
            assert_eq!(row[0], format!("{} {}", row[1], row[2]));
        }
    }
);

/// `NOT NULL` and a default on what is new, from the contract on; SQLite says that it cannot.
const RENAME: &str = r#"
description = "Rename"

[services.web]
old = "<1.2.0"
new = ">=1.1.0"

[change]
kind = "columns"
table = "users"
key = "id"
old = ["full_name"]
new.display_name = { type = "varchar(200)", not_null = true, default = "'nobody'" }
forward = { display_name = "coalesce(full_name, '')" }
back = { full_name = "display_name" }
"#;

scenario!(
    fn what_is_new_may_be_not_null_from_the_contract_on(db: Db) {
        let shop = Shop::new(db);
        shop.project.migration(ID, &[("migration.toml", RENAME)]);
        if shop.db.backend.name == "sqlite" {
            let output = shop.run(&["generate"], 1);
            assert!(
                output
                    .stderr
                    .contains("SQLite cannot make `display_name` NOT NULL"),
                "{output:?}"
            );
            return;
        }
        shop.run(&["generate"], 0);
        shop.run(&["check"], 0);
        shop.db
            .execute("UPDATE users SET full_name = NULL WHERE id = 1");
        shop.run(&["expand"], 0);
        shop.run(&["backfill"], 0);
        shop.db
            .execute("INSERT INTO users (full_name) VALUES (NULL)");
        shop.run(&["contract"], 0);
        shop.db.execute("INSERT INTO users (id) VALUES (100)");
        assert_eq!(
            shop.db
                .value("SELECT display_name FROM users WHERE id = 100"),
            "nobody"
        );
        let refused = shop.db.try_execute("UPDATE users SET display_name = NULL");
        assert!(refused.is_err(), "NULL was taken");
    }
);

/// Each other kind: what it declares, and a statement that only what it brings about refuses or allows.
struct Kind {
    name: &'static str,
    services: &'static str,
    change: &'static str,
    /// Refused once it is contracted, or expanded where nothing is contracted.
    refuses: &'static str,
    sqlite: bool,
}

const KINDS: &[Kind] = &[
    Kind {
        name: "not-null with a fill",
        services: "old = \"<1.2.0\"\nnew = \">=1.1.0\"",
        change: "kind = \"not-null\"\ntable = \"users\"\nkey = \"id\"\ncolumn = \"full_name\"\ntype = \"varchar(200)\"\nfill = \"''\"",
        refuses: "INSERT INTO users (full_name) VALUES (NULL)",
        sqlite: false,
    },
    Kind {
        name: "not-null",
        services: "old = \"<1.2.0\"",
        change: "kind = \"not-null\"\ntable = \"users\"\ncolumn = \"full_name\"\ntype = \"varchar(200)\"",
        refuses: "INSERT INTO users (full_name) VALUES (NULL)",
        sqlite: false,
    },
    Kind {
        name: "check",
        services: "old = \"<1.2.0\"",
        change: "kind = \"check\"\ntable = \"users\"\ncondition = \"full_name <> ''\"",
        refuses: "INSERT INTO users (full_name) VALUES ('')",
        sqlite: false,
    },
    Kind {
        name: "unique",
        services: "old = \"<1.2.0\"",
        change: "kind = \"unique\"\ntable = \"users\"\ncolumns = [\"full_name\"]",
        refuses: "INSERT INTO users (full_name) VALUES ('Bob')",
        sqlite: true,
    },
    Kind {
        name: "foreign-key",
        services: "old = \"<1.2.0\"",
        change: "kind = \"foreign-key\"\ntable = \"users\"\ncolumns = [\"team_id\"]\nreferences = \"teams\"\nreferenced = [\"id\"]",
        refuses: "INSERT INTO users (team_id) VALUES (77)",
        sqlite: false,
    },
    Kind {
        name: "drop-column",
        services: "old = \"<1.2.0\"",
        change: "kind = \"drop-column\"\ntable = \"users\"\ncolumns = [\"full_name\"]",
        refuses: "INSERT INTO users (full_name) VALUES ('x')",
        sqlite: true,
    },
    Kind {
        name: "drop-column with a placeholder",
        services: "old = \"<1.2.0\"\nnew = \">=1.1.0\"",
        change: "kind = \"drop-column\"\ntable = \"users\"\ncolumns = [\"full_name\"]\nplaceholder = \"'-'\"",
        refuses: "INSERT INTO users (full_name) VALUES ('x')",
        sqlite: false,
    },
    Kind {
        name: "drop-table",
        services: "old = \"<1.2.0\"",
        change: "kind = \"drop-table\"\ntable = \"notes\"",
        refuses: "INSERT INTO notes VALUES (1)",
        sqlite: true,
    },
    Kind {
        name: "add-column",
        services: "new = \">=1.2.0\"",
        change: "kind = \"add-column\"\ntable = \"users\"\ncolumn = \"phone\"\ntype = \"varchar(40)\"\nnot_null = true\ndefault = \"''\"",
        refuses: "INSERT INTO users (phone) VALUES (NULL)",
        sqlite: true,
    },
    Kind {
        name: "index",
        services: "new = \">=1.2.0\"",
        change: "kind = \"index\"\ntable = \"users\"\nname = \"users_name\"\ncolumns = [\"full_name\"]",
        refuses: "CREATE INDEX users_name ON users (full_name)",
        sqlite: true,
    },
];

scenario!(
    fn each_kind_is_carried_out_and_taken_back(db: Db) {
        for kind in KINDS {
            let shop = Shop::new(db.copy());
            shop.db.execute(
                "CREATE TABLE teams (id integer PRIMARY KEY); CREATE TABLE notes (id integer PRIMARY KEY); \
                 ALTER TABLE users ADD COLUMN team_id integer",
            );
            let manifest = format!(
                "description = \"{}\"\n[services.web]\n{}\n[change]\n{}\n",
                kind.name, kind.services, kind.change
            );
            shop.project.migration(ID, &[("migration.toml", &manifest)]);
            if shop.db.backend.name == "sqlite" && !kind.sqlite {
                let output = shop.run(&["generate"], 1);
                assert!(
                    output.stderr.contains("SQLite cannot"),
                    "{}: {output:?}",
                    kind.name
                );
                continue;
            }
            shop.run(&["generate"], 0);
            shop.run(&["check"], 0);
            let before = shop.db.dump(Ledger::Excluded);
            let has = |step: &str| {
                let directory =
                    std::fs::read_dir(shop.project.path().join(ID)).expect("it is there");
                directory
                    .filter_map(Result::ok)
                    .any(|file| file.file_name().to_string_lossy().starts_with(step))
            };
            shop.run(&["expand"], 0);
            if has("revert") {
                shop.run(&["revert", "1"], 0);
                assert_eq!(shop.db.dump(Ledger::Excluded), before, "{}", kind.name);
                shop.run(&["expand"], 0);
            }
            if has("contract") {
                shop.run(&["backfill"], 0);
                shop.run(&["contract"], 0);
            }
            let refused = shop.db.try_execute(kind.refuses);
            assert!(refused.is_err(), "{}: {}", kind.name, kind.refuses);
        }
    }
);

scenario!(
    fn what_stands_against_a_constraint_is_counted(db: Db) {
        let shop = Shop::new(db);
        shop.db
            .execute("INSERT INTO users (full_name) VALUES ('Bob'), (NULL), (NULL)");
        let manifest = "description = \"one name each\"\n[services.web]\nold = \"<1.2.0\"\n[change]\nkind = \"unique\"\ntable = \"users\"\ncolumns = [\"full_name\"]\n";
        shop.project.migration(ID, &[("migration.toml", manifest)]);
        shop.run(&["generate"], 0);
        let refused = shop.run(&["contract"], 11);
        assert!(
            refused.stdout.contains("returns 1, and has to be 0"),
            "{refused:?}"
        );
        shop.db
            .execute("UPDATE users SET full_name = 'Bobby' WHERE id = 2");
        shop.run(&["contract"], 0);
    }
);

#[test]
fn scripts_that_no_longer_follow_are_told() {
    let shop = declared(Db::on("sqlite"), SPLIT);
    let file = format!("{ID}/expand.sql");
    let path = shop.project.path().join(&file);
    let generated = std::fs::read_to_string(&path).expect("it was generated");
    let edited = generated.replace("first_name varchar(400)", "first_name varchar(40)");
    assert_ne!(edited, generated);
    shop.project.file(&file, &edited);
    let output = shop.run(&["check"], 1);
    insta::assert_snapshot!(shop.project.normalised(&output.stderr), @r"
      × the project's files have a problem

    Error: does-not-follow

      × 0001_names/expand.sql: on SQLite this script does not follow from `[change]`: it was edited
      │ since it was generated
      help: `migrate generate 0001` writes it anew, where it is not applied yet; where it is, put it
            back as it was; without its first line it is your own, and nobody compares it
    ");
    // Without its first line it is somebody's own.
    let own = edited.split_once('\n').expect("there are lines").1;
    shop.project.file(&file, own);
    shop.run(&["check"], 0);
    let output = shop.run(&["generate"], 0);
    insta::assert_snapshot!(output.stdout, @r"
    left 0001_names/expand.sql as it is: without the first line of a generated script it is your own
    3 scripts are as they follow from `[change]`
    ");
    std::fs::remove_file(&path).expect("it is there");
    let output = shop.run(&["generate", "1"], 0);
    insta::assert_snapshot!(output.stdout, @r"
    wrote 0001_names/expand.sql
    next: read them, run `migrate check`, and commit them with migration.toml
    ");
    assert_eq!(
        std::fs::read_to_string(&path).expect("it was generated"),
        generated
    );
}

#[test]
fn what_new_has_written_is_filled_in() {
    let shop = newest_shop(Db::on("sqlite"));
    shop.run(&["new", "names"], 0);
    shop.project.file(format!("{ID}/migration.toml"), SPLIT);
    let output = shop.run(&["check"], 1);
    assert!(
        output.stderr.contains("run `migrate generate 0001`"),
        "{output:?}"
    );
    let output = shop.run(&["generate"], 0);
    assert!(!output.stdout.contains("left "), "{output:?}");
    shop.run(&["check"], 0);
    shop.run(&["expand"], 0);
}

#[test]
fn what_is_wrong_in_a_declaration_is_said() {
    let shop = Shop::new(Db::on("sqlite"));
    for (from, to, code) in [
        ("kind = \"columns\"", "kind = \"column\"", "unknown-value"),
        ("key = \"id\"", "", "missing-key"),
        (
            "old = [\"full_name\"]",
            "old = [\"first_name\"]",
            "one-name",
        ),
        ("[change.back]", "[change.back.oracle]", "unknown-database"),
        (
            "concat_ws(' ', first_name",
            "concat_ws(' ', full_name",
            "cannot-follow",
        ),
        ("length(last_name)", "length(last_name", "cannot-follow"),
        ("new = \">=1.1.0\"\n", "", "missing-format"),
        (
            "description",
            "sync = \"none\"\ndescription",
            "contradictory-sync",
        ),
        (
            "[change]",
            "[backfill]\ntable = \"users\"\n[change]",
            "follows-from-change",
        ),
        (
            "full_name = \"concat_ws",
            "name = \"concat_ws",
            "unknown-column",
        ),
    ] {
        let manifest = SPLIT.replacen(from, to, 1);
        assert_ne!(manifest, SPLIT, "{from}");
        shop.project.migration(ID, &[("migration.toml", &manifest)]);
        for command in ["check", "generate"] {
            let output = shop.run(&[command], 1);
            assert!(
                output.stderr.contains(code),
                "{from} -> {to}: {command}: {}",
                output.stderr
            );
        }
        assert!(!shop.project.path().join(ID).join("expand.sql").exists());
    }
}
