//! `migrate new NAME --rename …`: what is asked for in a few words is declared, with its scripts.

use crate::support::backend::Db;
use crate::support::project::{Output, Project};
use crate::support::shop::Shop;

/// What is asked for, and what only the change that follows from it refuses or allows. What SQLite cannot do it refuses.
struct Case {
    asked: &'static [&'static str],
    /// Where it is tried.
    on: &'static [&'static str],
    works: &'static str,
    fails: &'static str,
}

const CASES: &[Case] = &[
    Case {
        asked: &["--rename", "users.full_name=display_name"],
        on: &["sqlite", "mysql"],
        works: "INSERT INTO users (display_name) VALUES ('z')",
        fails: "INSERT INTO users (full_name) VALUES ('z')",
    },
    Case {
        asked: &["--split", "users.full_name=first_name,last_name"],
        on: &["sqlite", "postgres"],
        works: "INSERT INTO users (first_name, last_name) VALUES ('z', 'y')",
        fails: "INSERT INTO users (full_name) VALUES ('z')",
    },
    Case {
        asked: &["--retype", "users.logins=visits:bigint"],
        on: &["sqlite"],
        works: "INSERT INTO users (visits) VALUES (5000000000)",
        fails: "INSERT INTO users (logins) VALUES (1)",
    },
    Case {
        asked: &["--not-null", "users.nick", "--fill", "''"],
        on: &["sqlite", "postgres"],
        works: "INSERT INTO users (nick) VALUES ('z')",
        fails: "INSERT INTO users (nick) VALUES (NULL)",
    },
    Case {
        asked: &["--drop", "users.nick"],
        on: &["sqlite"],
        works: "INSERT INTO users (full_name) VALUES ('z')",
        fails: "INSERT INTO users (nick) VALUES ('z')",
    },
    Case {
        asked: &["--rename", "users=people"],
        on: &["sqlite", "postgres", "mysql"],
        works: "INSERT INTO people (full_name) VALUES ('z')",
        fails: "INSERT INTO users (full_name) VALUES ('z')",
    },
    Case {
        asked: &["--split-table", "users.logins=visits.user_id"],
        on: &["sqlite", "postgres", "mysql"],
        works: "INSERT INTO visits (user_id, logins) SELECT max(id), 7 FROM users WHERE id NOT IN (SELECT user_id FROM visits)",
        fails: "INSERT INTO users (logins) VALUES (1)",
    },
    Case {
        asked: &["--set-default", "users.nick='some'"],
        on: &["sqlite", "postgres"],
        works: "INSERT INTO users (full_name) VALUES ('some')",
        fails: "INSERT INTO users (full_name) SELECT nick FROM users WHERE full_name = 'some'",
    },
    Case {
        asked: &["--drop-default", "users.nick"],
        on: &["sqlite", "mysql"],
        works: "INSERT INTO users (full_name) VALUES ('z')",
        fails: "INSERT INTO users (full_name) SELECT coalesce(nick, 'z') FROM users WHERE full_name = 'z'",
    },
    Case {
        asked: &["--widen", "users.nick=varchar(60)"],
        on: &["sqlite", "mysql"],
        works: "INSERT INTO users (nick) VALUES ('123456789012345678901234567890123456789012345678901234567890')",
        fails: "INSERT INTO users (nick) VALUES ('1234567890123456789012345678901234567890123456789012345678901')",
    },
];

/// A shop with a table that no migration has made.
fn shop(db: Db) -> Shop {
    let shop = Shop::with_config(db, "[services.web]\nmin_instances = 0\n");
    shop.db.execute(
        "ALTER TABLE users ADD COLUMN nick varchar(50) DEFAULT 'none'; ALTER TABLE users ADD COLUMN logins integer; \
         CREATE INDEX users_nick ON users (nick); CREATE UNIQUE INDEX users_full_name ON users (full_name)",
    );
    shop
}

fn asks(project: &Project, name: &str, asked: &[&str], ranges: &[&str]) -> Output {
    let arguments = [&["new", name], asked, ranges].concat();
    project.migrate(&arguments)
}

scenario!(
    fn what_is_asked_for_is_carried_out_as_the_database_says_the_table_is(db: Db) {
        let backend = db.backend.name;
        for case in CASES.iter().filter(|case| case.on.contains(&backend)) {
            let shop = shop(db.copy());
            let old = ["--old", "<1.2.0"];
            let both = ["--old", "<1.2.0", "--new", ">=1.1.0"];
            let new = ["--new", ">=1.1.0"];
            let apart = ["--old", "<1.2.0", "--new", ">=1.2.0"];
            let ranges: &[&str] = match case.asked {
                ["--drop" | "--drop-default", ..] => &old,
                ["--widen" | "--set-default", ..] => &new,
                ["--split-table", ..] => &apart,
                _ => &both,
            };
            let output = asks(&shop.project, "change", case.asked, ranges);
            let is_refused = matches!(
                case.asked,
                [
                    "--not-null" | "--widen" | "--set-default" | "--drop-default",
                    ..
                ]
            );
            if backend == "sqlite" && is_refused {
                output.expect_code(1);
                assert!(!shop.project.path().join("0001_change").exists());
                continue;
            }
            output.expect_code(0);
            shop.run(&["check"], 0);
            shop.run(&["expand"], 0);
            shop.run(&["backfill"], 0);
            let files = shop.project.path().join("0001_change");
            let has_contract = std::fs::read_dir(files)
                .expect("it was written")
                .flatten()
                .any(|file| file.file_name().to_string_lossy().starts_with("contract"));
            if has_contract {
                shop.run(&["contract"], 0);
            }
            shop.db.execute(case.works);
            let refused = shop.db.try_execute(case.fails);
            assert!(refused.is_err(), "{:?}", case.asked);
        }
    }
);

scenario!(
    fn what_a_new_type_does_not_hold_is_said_and_is_what_the_trigger_does(db: Db) {
        let shop = shop(db.copy());
        shop.db.execute("UPDATE users SET nick = '1'");
        shop.db
            .execute("INSERT INTO users (full_name, nick) VALUES ('one', '12')");
        let ranges = ["--old", "<1.2.0", "--new", ">=1.1.0"];
        let asked = ["--retype", "users.nick=points:integer"];
        let warned = asks(&shop.project, "points", &asked, &ranges).expect_code(0);
        let is_lenient = shop.db.backend.name == "sqlite";
        let fate = if is_lenient {
            "becomes what it begins with, or 0, without a word"
        } else {
            "has the trigger refuse the write of an old version, and the backfill stops at such a row"
        };
        for wanted in [
            "warning: on ",
            "does not hold every value of",
            fate,
            "[change.forward]",
        ] {
            assert!(warned.stderr.contains(wanted), "{wanted}: {warned:?}");
        }
        shop.run(&["expand"], 0);
        shop.run(&["backfill"], 0);
        let none = shop
            .db
            .try_execute("INSERT INTO users (full_name, nick) VALUES ('two', '7 of them')");
        assert_eq!(none.is_ok(), is_lenient, "{none:?}");
        shop.db
            .execute("INSERT INTO users (full_name, nick) VALUES ('three', '8')");
        for (name, points) in [("one", "12"), ("three", "8")] {
            let is = format!("SELECT points FROM users WHERE full_name = '{name}'");
            assert_eq!(shop.db.value(&is), points);
        }
    }
);

#[test]
fn a_type_that_holds_all_is_nothing_to_speak_of() {
    let project = Project::without_database(&[]);
    project.file(
        "migrate.toml",
        "[database]\ndialects = [\"postgres\", \"mysql\"]\n[services.web]\nmin_instances = 0\n",
    );
    project.file(
        "0001_users/migration.toml",
        "description = \"Users\"\n[services.web]\nnew = \">=1.0.0\"\n",
    );
    let table = "CREATE TABLE users (id bigint PRIMARY KEY, logins integer, nick varchar(20));\n";
    project.file("0001_users/expand.sql", table);
    let ranges = ["--old", "<2.0.0", "--new", ">=2.0.0"];
    let same = ["--retype", "users.logins=points:int"];
    let written = asks(&project, "same", &same, &ranges).expect_code(0);
    assert!(!written.stderr.contains("warning"), "{written:?}");
    // What comes back is more than the old column holds.
    let larger = ["--retype", "users.points=visits:bigint"];
    let written = asks(&project, "larger", &larger, &ranges).expect_code(0);
    let is_of_new = |line: &str| line.contains("refuse the write of a new version");
    let warnings = written
        .stderr
        .lines()
        .filter(|line| line.contains("warning"));
    let about: Vec<&str> = warnings.collect();
    assert!(
        about.len() == 2 && about.iter().all(|line| is_of_new(line)),
        "{written:?}"
    );
}

#[test]
fn the_files_say_what_the_database_cannot_be_asked() {
    let project = Project::without_database(&[]);
    project.file(
        "migrate.toml",
        "[database]\ndialects = [\"postgres\", \"mysql\"]\n[services.web]\nmin_instances = 0\n",
    );
    project.file(
        "0001_users/migration.toml",
        "description = \"Users\"\n[services.web]\nnew = \">=1.0.0\"\n",
    );
    let table = "CREATE TABLE users (id bigint PRIMARY KEY, name varchar(20) NOT NULL);\n";
    project.file("0001_users/expand.sql", table);
    let run = |arguments: &[&str]| project.migrate(arguments);
    let unknown = run(&["new", "other", "--rename", "teams.name=title"]).expect_code(1);
    assert!(
        unknown.stderr.contains("the type of `teams.name`") && unknown.stderr.contains("--type"),
        "{unknown:?}"
    );
    let written = run(&["new", "title", "--rename", "users.name=title"]).expect_code(0);
    assert!(
        written.stdout.contains("which versions of web use what"),
        "{written:?}"
    );
    let open = run(&["check"]).expect_code(1);
    assert!(open.stderr.contains("declare `old`"), "{open:?}");
    let manifest = project.path().join("0002_title/migration.toml");
    let text = std::fs::read_to_string(&manifest).expect("it was written");
    let said = text
        .replace("# [services", "[services")
        .replace("# old", "old")
        .replace("# new", "new");
    std::fs::write(&manifest, said).expect("it can be written");
    run(&["check"]).expect_code(0);
    // What a declared change makes of the table is known as well.
    let next = [
        "new",
        "label",
        "--rename",
        "users.title=label",
        "--old",
        "<2.2.0",
        "--new",
        ">=2.1.0",
    ];
    run(&next).expect_code(0);
    let gone = run(&["new", "gone", "--drop", "users.name"]).expect_code(1);
    assert!(gone.stderr.contains("no column `name`"), "{gone:?}");
}

#[test]
fn what_is_applied_is_not_written_anew() {
    let shop = super::declared(Db::on("sqlite"), super::SPLIT);
    shop.run(&["expand"], 0);
    let expand = shop.project.path().join(super::ID).join("expand.sql");
    let text = || std::fs::read_to_string(&expand).expect("it was generated");
    let before = text();
    let other = super::SPLIT.replace("varchar(400)", "varchar(300)");
    shop.project
        .migration(super::ID, &[("migration.toml", &other)]);
    let all = shop.run(&["generate"], 0);
    assert!(all.stdout.contains("it is applied"), "{all:?}");
    let one = shop.run(&["generate", "1"], 11);
    assert!(one.stderr.contains("migrate new NAME"), "{one:?}");
    assert_eq!(text(), before);
    // What is taken back is nobody's any more.
    shop.project
        .migration(super::ID, &[("migration.toml", super::SPLIT)]);
    shop.run(&["revert", "1"], 0);
    shop.project
        .migration(super::ID, &[("migration.toml", &other)]);
    shop.run(&["generate", "1"], 0);
    assert_ne!(text(), before);
}

scenario!(
    fn of_a_merge_it_is_enough_that_one_way_agrees(db: Db) {
        let shop = Shop::new(db);
        shop.db.execute(&format!(
            "CREATE TABLE parts (id {}, a varchar(20), b varchar(20)); \
             INSERT INTO parts (a, b) VALUES ('Jean Luc', 'twenty characters 20'), ('x', 'y')",
            shop.db.backend.key
        ));
        let ranges = ["--old", "<1.2.0", "--new", ">=1.1.0"];
        asks(&shop.project, "whole", &["--merge", "parts.a,b=c"], &ranges).expect_code(0);
        shop.run(&["expand"], 0);
        shop.run(&["backfill"], 0);
        // What it is made of again does not fit into the first column, and that nobody has asked for.
        shop.db.execute(
            "INSERT INTO parts (a, b, c) VALUES ('Jean Luc', 'twenty characters 21', 'Jean Luc twenty characters 21')",
        );
        assert_eq!(
            shop.db.query("SELECT a, b, c FROM parts ORDER BY id"),
            [
                [
                    "Jean Luc",
                    "twenty characters 20",
                    "Jean Luc twenty characters 20"
                ],
                ["x", "y", "x y"],
                [
                    "Jean Luc",
                    "twenty characters 21",
                    "Jean Luc twenty characters 21"
                ],
            ]
        );
    }
);

scenario!(
    fn new_versions_write_between_any_two_statements_of_a_contract(db: Db) {
        let shop = Shop::new(db);
        // SQLite fills nothing in a row that it refuses, and its contract is one transaction.
        let needed = match shop.db.backend.name {
            "sqlite" => "",
            _ => " NOT NULL",
        };
        shop.db.execute(&format!(
            "CREATE TABLE parts (id {}, a varchar(20){needed}, note varchar(20)); INSERT INTO parts (a) VALUES ('x')",
            shop.db.backend.key
        ));
        let ranges = ["--old", "<1.2.0", "--new", ">=1.1.0"];
        asks(&shop.project, "other", &["--rename", "parts.a=b"], &ranges).expect_code(0);
        shop.run(&["expand"], 0);
        shop.run(&["backfill"], 0);
        let path = shop.project.path().join("0001_other/contract.sql");
        let script = std::fs::read_to_string(path).expect("it was written");
        let statements = script.split(";\n").filter(|one| !one.trim().is_empty());
        let mut written = 1;
        for statement in statements {
            shop.db.execute(statement);
            shop.db.execute("INSERT INTO parts (b) VALUES ('y')");
            shop.db.execute("UPDATE parts SET b = 'z' WHERE b = 'y'");
            written += 1;
        }
        assert!(written > 3, "{script}");
        let rows = shop.db.query("SELECT b FROM parts WHERE b <> 'x'");
        assert_eq!(rows.len(), written - 1);
        assert!(shop.db.try_execute("SELECT a FROM parts").is_err());
    }
);
