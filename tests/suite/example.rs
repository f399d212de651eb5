//! The example that the documentation shows: sound files, triggers that keep their word, and the demonstration's story.

use std::path::{Path, PathBuf};

use crate::documents;
use crate::support::backend::{Db, Ledger};
use crate::support::project::{Process, Project, Signal};
use crate::support::wait::GENEROUS;

fn example() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations-example")
}

/// A copy of the example, on this database.
pub fn shop(db: &Db) -> Project {
    let project = Project::new(db, &[]);
    copy(&example(), Path::new(""), &project);
    project
}

fn copy(from: &Path, to: &Path, project: &Project) {
    for entry in std::fs::read_dir(from).expect("the example is a directory") {
        let entry = entry.expect("a file of the example");
        let (path, to) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copy(&path, &to, project);
        } else {
            let text = std::fs::read_to_string(&path).expect("the example is text");
            project.file(to, &text);
        }
    }
}

/// A shop whose users have their names in both formats, and no users yet.
fn with_both_formats(db: &Db) {
    let project = shop(db);
    project
        .migrate(&["expand", "--up-to", "0002"])
        .expect_code(0);
    db.execute("DELETE FROM orders; DELETE FROM users");
}

/// `examples/shop.rs`, which Cargo builds beside the programs.
pub fn shop_program() -> String {
    let program = programs().join("examples/shop");
    assert!(
        program.is_file(),
        "there is no {}; `cargo build --examples` makes it, and tests/run.sh begins with that",
        program.display()
    );
    program.display().to_string()
}

fn programs() -> PathBuf {
    let migrate = Path::new(env!("CARGO_BIN_EXE_migrate"));
    migrate
        .parent()
        .expect("a program in a directory")
        .to_owned()
}

#[test]
fn the_example_has_no_errors_and_no_warnings() {
    let project = phasegate::project::Project::load(&example(), None)
        .unwrap_or_else(|problems| panic!("{problems:#?}"));
    assert!(project.warnings.is_empty(), "{:#?}", project.warnings);
    assert_eq!(project.migrations.len(), 4);
}

/// A name as old versions write it, and as new ones read it.
const SPLITS: &[(&str, &str, &str)] = &[
    ("'Ada'", "Ada", ""),
    ("'Grace Hopper'", "Grace", "Hopper"),
    ("'Jean Luc Picard'", "Jean", "Luc Picard"),
    ("'Åsa Öberg'", "Åsa", "Öberg"),
    ("'Miles O''Brien'", "Miles", "O'Brien"),
    ("''", "", ""),
    ("NULL", "NULL", "NULL"),
    ("' Ada'", "", "Ada"),
    ("'Ada '", "Ada ", ""),
    ("' '", " ", ""),
    ("'Ada  Lovelace '", "Ada", " Lovelace "),
];

/// First and last name as new versions write them, and the name as old ones read it.
const JOINS: &[(&str, &str, &str)] = &[
    ("'Ada'", "''", "Ada"),
    ("'Ada'", "NULL", "Ada"),
    ("NULL", "'Lovelace'", "Lovelace"),
    ("'Grace'", "'Hopper'", "Grace Hopper"),
    ("'Jean Luc'", "'Picard'", "Jean Luc Picard"),
    ("'Åsa'", "'Öberg'", "Åsa Öberg"),
    ("'Miles'", "'O''Brien'", "Miles O'Brien"),
    ("''", "''", ""),
    ("NULL", "NULL", "NULL"),
];

fn names(db: &Db) -> [String; 3] {
    let rows = db.query("SELECT full_name, first_name, last_name FROM users");
    assert_eq!(rows.len(), 1, "{rows:?}");
    rows[0].clone().try_into().expect("three columns")
}

/// What a version reads that writes a value like this: `'it''s'` is it's.
fn plain(literal: &str) -> String {
    match literal
        .strip_prefix('\'')
        .and_then(|text| text.strip_suffix('\''))
    {
        Some(text) => text.replace("''", "'"),
        None => literal.to_owned(),
    }
}

fn assert_was_split(db: &Db, (full, first, last): (&str, &str, &str)) {
    assert_eq!(
        names(db),
        [&plain(full), first, last],
        "after writing {full}"
    );
}

fn assert_was_joined(db: &Db, (first, last, full): (&str, &str, &str)) {
    assert_eq!(
        names(db),
        [full, &plain(first), &plain(last)],
        "after writing {first}, {last}"
    );
}

scenario!(
    fn a_name_written_in_one_format_is_there_in_the_other(db: Db) {
        with_both_formats(&db);
        for split in SPLITS {
            db.execute(&format!(
                "INSERT INTO users (full_name) VALUES ({})",
                split.0
            ));
            assert_was_split(&db, *split);
            db.execute("DELETE FROM users");
        }
        for join in JOINS {
            let (first, last, full) = *join;
            db.execute(&format!(
                "INSERT INTO users (first_name, last_name) VALUES ({first}, {last})"
            ));
            assert_was_joined(&db, *join);
            db.execute("DELETE FROM users");
            // The bridge writes both.
            let full = if full == "NULL" {
                full.to_owned()
            } else {
                format!("'{}'", full.replace('\'', "''"))
            };
            db.execute(&format!(
                "INSERT INTO users (full_name, first_name, last_name) VALUES ({full}, {first}, {last})"
            ));
            assert_was_joined(&db, *join);
            db.execute("DELETE FROM users");
        }
    }
);

scenario!(
    fn updates_by_either_side_follow_each_other_in_every_order(db: Db) {
        with_both_formats(&db);
        // Every name replaces every other one, from the side that did not write it and from the one that did.
        let writes: Vec<Write> = SPLITS
            .iter()
            .map(|split| Write::Old(*split))
            .chain(JOINS.iter().map(|join| Write::New(*join)))
            .collect();
        let mut connection = db.connect();
        for before in &writes {
            for after in &writes {
                connection.execute(
                    "DELETE FROM users; INSERT INTO users (full_name) VALUES ('Somebody Else')",
                );
                connection.execute(&before.update());
                connection.execute(&after.update());
                let rows = connection.query("SELECT full_name, first_name, last_name FROM users");
                let [full, first, last] = rows[0].as_slice() else {
                    panic!("three columns")
                };
                let told = format!(
                    "{} and then {} led to {rows:?}",
                    before.update(),
                    after.update()
                );
                match after {
                    Write::Old((wrote, ..)) => assert_eq!(*full, plain(wrote), "{told}"),
                    Write::New((f, l, _)) => {
                        assert_eq!([first, last], [&plain(f), &plain(l)], "{told}")
                    }
                }
                assert_eq!(*full, joined(first, last), "{told}");
            }
        }
    }
);

enum Write {
    Old((&'static str, &'static str, &'static str)),
    New((&'static str, &'static str, &'static str)),
}

impl Write {
    fn update(&self) -> String {
        match self {
            Self::Old((full, ..)) => format!("UPDATE users SET full_name = {full}"),
            Self::New((first, last, _)) => {
                format!("UPDATE users SET first_name = {first}, last_name = {last}")
            }
        }
    }
}

fn joined(first: &str, last: &str) -> String {
    match (first, last) {
        ("NULL", "NULL") => "NULL".into(),
        ("NULL", last) => last.into(),
        (first, "NULL" | "") => first.into(),
        (first, last) => format!("{first} {last}"),
    }
}

scenario!(
    fn a_write_that_changes_no_name_leaves_both_formats_alone(db: Db) {
        with_both_formats(&db);
        db.execute("INSERT INTO users (first_name, last_name) VALUES ('Jean Luc', 'Picard')");
        let upsert = if db.backend.name == "mysql" {
            "ON DUPLICATE KEY UPDATE full_name = VALUES(full_name)"
        } else {
            "ON CONFLICT (id) DO UPDATE SET full_name = excluded.full_name"
        };
        let upsert = format!(
            "INSERT INTO users (id, full_name) SELECT id, full_name FROM users AS u WHERE true {upsert}"
        );
        for untouched in [
            // As an ORM does it that writes back every column it has read.
            "UPDATE users SET full_name = full_name",
            "UPDATE users SET first_name = first_name, last_name = last_name",
            "UPDATE users SET full_name = 'Jean Luc Picard'",
            "UPDATE users SET full_name = 'Jean Luc Picard', first_name = 'Jean Luc', last_name = 'Picard'",
            &upsert,
        ] {
            db.execute(untouched);
            assert_eq!(
                names(&db),
                ["Jean Luc Picard", "Jean Luc", "Picard"],
                "{untouched}"
            );
        }
    }
);

scenario!(
    fn every_expand_can_be_undone(db: Db) {
        let project = shop(&db);
        project.migrate(&["expand", "0001"]).expect_code(0);
        let before = db.dump(Ledger::Excluded);
        project.migrate(&["expand"]).expect_code(0);
        assert_ne!(db.dump(Ledger::Excluded), before);
        let nobody = ["--accept-unknown", "nothing runs in this test"];
        for id in ["0003", "0002"] {
            project
                .migrate(&["revert", id, nobody[0], nobody[1]])
                .expect_code(0);
        }
        assert_eq!(db.dump(Ledger::Excluded), before);
    }
);

scenario!(
    fn the_shop_stays_open_throughout(db: Db) {
        let project = shop(&db);
        let shop = shop_program();
        let open = |version: &str, instance: &str| {
            let mut server =
                project.spawn_program(&shop, &["--version", version, "--instance", instance]);
            server.wait_for_line("serving", GENEROUS);
            server
        };
        let close = |server: Process| {
            server.signal(Signal::TERM);
            let output = server.wait().expect_code(0);
            assert!(
                output.stdout.contains(" 0 wrong, 0 errors"),
                "{}",
                output.stdout
            );
        };

        let refused = project.migrate(&["gate", "deploy", "web=1.0.0"]);
        refused.expect_code(11);
        project.migrate(&["expand", "0001"]).expect_code(0);
        let old = open("1.0.0", "server-1");
        let early = project.spawn_program(&shop, &["--version", "1.1.0"]).wait();
        let early = early.expect_code(11);
        assert!(early.stdout.contains("migrate expand"), "{}", early.stdout);
        project.migrate(&["expand"]).expect_code(0);
        let bridge = open("1.1.0", "server-2");
        let early = project.spawn_program(&shop, &["--version", "1.2.0"]).wait();
        let early = early.expect_code(11);
        assert!(
            early.stdout.contains("migrate backfill 0002"),
            "{}",
            early.stdout
        );
        project.migrate(&["backfill"]).expect_code(0);
        let new = open("1.2.0", "server-3");

        let held = project.migrate(&["contract"]).expect_code(11);
        for name in ["server-1", "server-2"] {
            assert!(held.stdout.contains(name), "{}", held.stdout);
        }
        assert!(!held.stdout.contains("server-3"), "{}", held.stdout);
        close(old);
        // What only 1.0.0 used can go before the rest.
        project.migrate(&["contract", "0004"]).expect_code(0);
        project.migrate(&["contract", "0002"]).expect_code(11);
        // The contract waits for the drain without a fence: what crashes meanwhile may come back.
        let mut contract = project.spawn(&["contract", "0002", "--wait", "1m"]);
        contract.wait_for_line("server-2", GENEROUS);
        close(open("1.1.0", "server-4"));
        close(bridge);
        contract.wait().expect_code(0);
        let late = project.spawn_program(&shop, &["--version", "1.1.0"]).wait();
        late.expect_code(11);
        assert!(db.try_execute("SELECT full_name FROM users").is_err());
        assert!(db.try_execute("SELECT note FROM legacy_notes").is_err());
        close(new);
        assert_eq!(
            db.value("SELECT count(*) FROM users WHERE first_name IS NULL AND id <> 7"),
            "0"
        );
        project.migrate(&["log", "--verify"]).expect_code(0);
    }
);

/// The text without what differs from run to run: ages, durations, how much was sold meanwhile, and whether the forgotten instance was
/// seen on its way out.
fn without_chance(text: &str) -> String {
    let volatile = regex::Regex::new(r"\d+ (rows|ms|s)\b").expect("a valid pattern");
    let steady: Vec<&str> = text
        .lines()
        .filter(|line| !line.contains("1 × 1.0.0 (draining)"))
        .collect();
    volatile
        .replace_all(&steady.join("\n"), "some $1")
        .replace("some ms", "some s")
}

#[test]
fn the_demonstration_tells_the_truth() {
    let project = Project::without_database(&[]);
    let script = example().join("demo.sh").display().to_string();
    shop_program();
    project.env("PHASEGATE_BIN", &programs().display().to_string());
    let output = project
        .spawn_program("sh", &[&script, "stage"])
        .wait()
        .expect_code(0);
    // It waited, and said for whom; and only then the contract came.
    let (_, rollout) = output
        .stdout
        .split_once("$ migrate rollout --to web=1.2.0\n")
        .expect("the rollout is shown");
    let (before, after) = rollout
        .split_once("still there: 1 × 1.0.0 (forgotten)")
        .expect("the forgotten instance is named");
    let contract = "of 6: contract 0002_split_full_name\n  done: ";
    assert!(
        !before.contains(contract) && after.contains(contract),
        "{rollout}"
    );
    assert!(!output.stdout.contains("WRONG"), "{}", output.stdout);
    let shown = without_chance(&output.stdout);
    for block in documents::read("README.md").split("```console\n").skip(1) {
        let block = block.split("```").next().unwrap_or_default();
        for passage in block.split("\n\n") {
            let passage = without_chance(passage.trim_end());
            assert!(
                shown.contains(&passage),
                "README.md shows\n{passage}\nand not\n{shown}"
            );
        }
    }
    let stage = project.path().join("stage/shop.db");
    let db = Db::at("sqlite", format!("sqlite://{}", stage.display()));
    assert_eq!(
        db.query("SELECT name FROM pragma_table_info('users') ORDER BY cid"),
        [["id"], ["first_name"], ["last_name"], ["phone"]]
    );

    // Without a directory it leaves nothing behind.
    let temporary = project.path().join("temporary");
    std::fs::create_dir(&temporary).expect("a directory in the project");
    project.env("TMPDIR", &temporary.display().to_string());
    project
        .spawn_program("sh", &[&script])
        .wait()
        .expect_code(0);
    let left = std::fs::read_dir(&temporary).expect("it is there").count();
    assert_eq!(left, 0);
}
