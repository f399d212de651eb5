//! The crash matrix: every step is killed at every point, and the next run of the same command ends where an
//! undisturbed one does.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use phasegate::database::{ConnectOptions, Target, connect};
use phasegate::ledger::{LedgerError, Verified};

use crate::support::backend::{Db, Ledger};
use crate::support::connection::block_on;
use crate::support::project::{Project, Signal};
use crate::support::wait::poll;
use crate::tried;

/// Short, because the next coordinator waits for it to end. What is killed beside it, in another database of the same
/// server, is a session of nobody until the server has noticed.
const CONFIG: &str = "\
[services.web]
min_instances = 0
[fleet]
coordinator_lease = \"100ms\"
sessions = \"off\"
";

const MANIFEST: &str = "\
description = \"Split the name\"
rows = \"append-only\"
[services.web]
old = \"<1.2.0\"
new = \">=1.1.0\"
[backfill]
table = \"people\"
key = \"id\"
batch = 3
remaining = \"SELECT count(*) FROM people WHERE first_name IS NULL\"
[contract]
require = [\"SELECT count(*) FROM people WHERE last_name IS NULL\"]
[[contract.allow]]
statement = \"DELETE FROM people WHERE id = 8\"
reason = \"a statement that must not run twice\"
";

const EXPAND: &str = "\
ALTER TABLE people ADD COLUMN first_name varchar(200);
ALTER TABLE people ADD COLUMN last_name varchar(200);
CREATE INDEX people_last_name ON people (last_name);
";

/// With something that its contract has to take away again before the column.
const EXPAND_WITH_TRIGGER_ON_MYSQL: &str = "\
ALTER TABLE people ADD COLUMN first_name varchar(200);
ALTER TABLE people ADD COLUMN last_name varchar(200);
CREATE INDEX people_last_name ON people (last_name);
CREATE TRIGGER people_sync BEFORE INSERT ON people FOR EACH ROW
BEGIN
    IF NEW.full_name = '' THEN SET NEW.full_name = 'nobody'; END IF;
END;
";

const EXPAND_CONCURRENTLY: &str = "\
-- migrate: no-transaction
ALTER TABLE people ADD COLUMN first_name varchar(200);
CREATE INDEX CONCURRENTLY people_first_name ON people (first_name);
ALTER TABLE people ADD COLUMN last_name varchar(200);
INSERT INTO people (id, full_name) VALUES (100, 'Once Only');
CREATE INDEX CONCURRENTLY IF NOT EXISTS people_last_name ON people (last_name, id);
";

/// SQLite runs nothing but VACUUM and its like outside of a transaction.
const EXPAND_WITH_VACUUM: &str = "\
-- migrate: no-transaction
ALTER TABLE people ADD COLUMN first_name varchar(200);
VACUUM;
ALTER TABLE people ADD COLUMN last_name varchar(200);
INSERT INTO people (id, full_name) VALUES (100, 'Once Only');
CREATE INDEX people_last_name ON people (last_name);
";

const BACKFILL: &str = "\
UPDATE people SET first_name = 'first of ' || full_name, last_name = 'last of ' || full_name
WHERE id > :after AND id <= :upto AND first_name IS NULL
";

/// MySQL and MariaDB commit each of these but the INSERT by themselves.
const EXPAND_ON_MYSQL: &str = "\
ALTER TABLE people ADD COLUMN first_name varchar(200), ALGORITHM = INSTANT;
CREATE INDEX people_first_name ON people (first_name);
ALTER TABLE people ADD COLUMN last_name varchar(200), MODIFY full_name varchar(300) NOT NULL DEFAULT '';
INSERT INTO people (id, full_name) VALUES (100, 'Once Only');
CREATE TRIGGER people_sync BEFORE INSERT ON people FOR EACH ROW
BEGIN
    IF NEW.full_name = '' THEN SET NEW.full_name = 'nobody'; END IF;
END;
CREATE INDEX people_last_name ON people (last_name, id);
CREATE VIEW everybody AS SELECT id FROM people;
";

const TRIGGER_ON_MYSQL: &str = "\
[[expand.allow]]
statement = \"CREATE TRIGGER people_sync BEFORE\"
reason = \"a name that is empty is nobody's\"
";

const EXPAND_MANIFEST_ON_MYSQL: &str = "\
[[expand.allow]]
statement = \"ALTER TABLE people ADD COLUMN last_name\"
reason = \"the column only becomes longer\"
";

const BACKFILL_ON_MYSQL: &str = "\
UPDATE people SET first_name = CONCAT('first of ', full_name), last_name = CONCAT('last of ', full_name)
WHERE id > :after AND id <= :upto AND first_name IS NULL
";

const CONTRACT_ON_MYSQL: &str = "\
DROP INDEX people_last_name ON people;
CREATE TABLE audit (id integer, note text);
INSERT INTO audit VALUES (1, 'contracted');
DROP TRIGGER people_sync;
ALTER TABLE people DROP COLUMN full_name, ADD COLUMN nick varchar(20);
RENAME TABLE audit TO history;
DELETE FROM people WHERE id = 8;
CREATE INDEX people_both ON people (first_name, last_name);
";

const REVERT_ON_MYSQL: &str = "\
DROP INDEX people_last_name ON people;
ALTER TABLE people DROP COLUMN last_name;
ALTER TABLE people DROP COLUMN first_name;
";

const CONTRACT: &str = "\
ALTER TABLE people DROP COLUMN full_name;
CREATE TABLE audit (id integer, note text);
INSERT INTO audit VALUES (1, 'contracted');
";

const CONTRACT_CONCURRENTLY: &str = "\
-- migrate: no-transaction
DROP INDEX CONCURRENTLY people_last_name;
ALTER TABLE people DROP COLUMN full_name;
CREATE INDEX CONCURRENTLY people_both ON people (first_name, last_name);
";

/// SQLite's way of changing a table, with children that a careless one deletes.
const CONTRACT_BY_REBUILD: &str = "\
CREATE TABLE people_new (id INTEGER PRIMARY KEY, first_name text NOT NULL, last_name text NOT NULL);
INSERT INTO people_new SELECT id, first_name, last_name FROM people;
DROP TABLE people;
ALTER TABLE people_new RENAME TO people;
CREATE INDEX people_last_name ON people (last_name);
";

const REVERT: &str = "\
DROP INDEX people_last_name;
ALTER TABLE people DROP COLUMN last_name;
ALTER TABLE people DROP COLUMN first_name;
";

const REVERT_CONCURRENTLY: &str = "\
-- migrate: no-transaction
DROP INDEX CONCURRENTLY people_last_name;
ALTER TABLE people DROP COLUMN last_name;
ALTER TABLE people DROP COLUMN first_name;
";

/// What stands in the trigger's way is allowed only where there is one.
fn manifest(db: &Db) -> String {
    if db.backend.name == "mysql" {
        format!("{MANIFEST}{TRIGGER_ON_MYSQL}")
    } else {
        MANIFEST.to_owned()
    }
}

pub fn project(db: &Db, files: &[(&str, &str)]) -> Project {
    let project = Project::new(db, &["web"]);
    project.file("migrate.toml", CONFIG);
    let manifest = manifest(db);
    let usual = [
        ("migration.toml", manifest.as_str()),
        ("expand.sql", EXPAND),
        ("expand.mysql.sql", EXPAND_WITH_TRIGGER_ON_MYSQL),
        ("backfill.sql", BACKFILL),
        ("backfill.mysql.sql", BACKFILL_ON_MYSQL),
        ("contract.sql", CONTRACT),
        ("contract.mysql.sql", CONTRACT_ON_MYSQL),
        ("revert.sql", REVERT),
        ("revert.mysql.sql", REVERT_ON_MYSQL),
    ];
    project.migration("0001_split", &usual);
    project.migration("0001_split", files);
    project
}

/// Named, so that a run with nothing left to do also clears up after a coordinator that is gone.
pub const SEVERAL: &[&str] = &["expand", "1", "2", "3"];

/// Three that follow each other: the first two can share a transaction, where changes of the schema can be in one.
pub fn several(db: &Db) -> Project {
    let project = Project::new(db, &["web"]);
    project.file("migrate.toml", CONFIG);
    let manifest = "description = \"Add\"\n[services.web]\nnew = \">=1.1.0\"\n";
    for (name, sql) in [
        (
            "0001_notes",
            "CREATE TABLE notes (id bigint PRIMARY KEY, text varchar(200));\nCREATE INDEX notes_text ON notes (text);\n",
        ),
        ("0002_tags", "CREATE TABLE tags (name varchar(20));\n"),
        (
            "0003_nick",
            "ALTER TABLE people ADD COLUMN nick varchar(20);\n",
        ),
    ] {
        project.migration(name, &[("migration.toml", manifest), ("expand.sql", sql)]);
    }
    project
}

pub fn people(db: &Db, rows: usize) {
    db.execute(&format!(
        "CREATE TABLE people (id {}, full_name varchar(200) NOT NULL DEFAULT '')",
        db.backend.key
    ));
    db.execute(
        "CREATE TABLE pets (person bigint REFERENCES people (id) ON DELETE CASCADE, name text)",
    );
    let mut rows_of = String::from("INSERT INTO people (full_name) VALUES ");
    for number in 1..=rows {
        let comma = if number == 1 { "" } else { ", " };
        write!(rows_of, "{comma}('Person {number}')").expect("a string takes any text");
    }
    db.execute(&rows_of);
    db.execute("INSERT INTO pets (person, name) VALUES (1, 'Rex'), (2, 'Tom')");
}

/// Everything that has to be the same whether a run was killed or not: schema, rows, and what the ledger says about them.
pub fn end_state(db: &Db) -> String {
    let mut session = db.connect();
    let mut text = (db.backend.dump)(&mut session, Ledger::Excluded);
    // MySQL and MariaDB count a table anew when they like to, and `total` is what they believed then.
    let backfills = match db.backend.name {
        "mysql" => "number, paused, pace",
        _ => "number, paused, pace, total",
    };
    for (table, columns, order) in [
        (
            "migrations",
            "number, id, phase, kinds, declaration, seq, step_back",
            "number",
        ),
        ("backfills", backfills, "number"),
        (
            "backfill_ranges",
            "number, position, begins, key_from, key_upto, seen, changed, batches",
            "number, position",
        ),
        (
            "files",
            "number, phase, path, sha256",
            "number, phase, path",
        ),
        (
            "steps",
            "number, phase, position, sha256, state, statement",
            "number, phase, position, sha256",
        ),
        ("leases", "service, version", "service, version"),
        ("sightings", "service, version, seq", "service, version"),
        ("coordinator", "holder, doing, expires_at", "id"),
        ("admission", "seq", "id"),
    ] {
        let rows = session.query(&format!(
            "SELECT {columns} FROM {} ORDER BY {order}",
            db.ledger(table)
        ));
        for row in rows {
            writeln!(text, "{table}: {}", row.join(" | ")).expect("a string takes any text");
        }
    }
    let events = session.query(&format!(
        "SELECT migration, detail FROM {} WHERE kind IN ('phase', 'statement') ORDER BY seq",
        db.ledger("events")
    ));
    for event in events {
        let [migration, detail] = event.as_slice() else {
            panic!("two columns: {event:?}");
        };
        // Whoever finds an index there already is told so by the server, and an undisturbed run is not.
        let mut detail: serde_json::Value = serde_json::from_str(detail).expect("details are JSON");
        detail
            .as_object_mut()
            .expect("details are an object")
            .remove("server_said");
        writeln!(text, "event: {migration} | {detail}").expect("a string takes any text");
    }
    text
}

#[track_caller]
pub fn assert_same(straight: &str, after_a_crash: &str, when: &str) {
    if straight == after_a_crash {
        return;
    }
    let lines = |one: &str, other: &str| {
        let missing = one
            .lines()
            .filter(|line| !other.lines().any(|other| other == *line));
        missing
            .map(|line| format!("  {line}\n"))
            .collect::<String>()
    };
    panic!(
        "{when}: not where an undisturbed run ends\nonly there:\n{}only here:\n{}",
        lines(straight, after_a_crash),
        lines(after_a_crash, straight)
    );
}

/// What `migrate log --verify` does, without a process of its own for each point.
#[track_caller]
pub fn assert_whole(db: &Db, when: &str) {
    let target = Target::parse(&db.url, Path::new("/")).expect("the URL of a test's database");
    let verified = block_on(async {
        let mut connection = connect(&target, ConnectOptions::default()).await?;
        let ledger = phasegate::ledger::Ledger::read(connection.as_mut()).await?;
        let mut ledger = ledger.expect("a ledger after a run");
        let verified = ledger.verify_events(None).await?;
        ledger.rollback().await?;
        connection.close().await;
        Ok::<_, LedgerError>(verified)
    });
    let is_whole = matches!(verified, Ok(Verified::Whole { .. }));
    assert!(is_whole, "{when}: the log is not whole: {verified:?}");
}

/// Kills `command` at each of its points in turn, each time from the same state before.
#[track_caller]
pub fn matrix(name: &str, before: &Db, project: &Project, command: &[&str]) {
    let run_on = |db: &Db| project.env("DATABASE_URL", &db.url).migrate(command);
    let straight = before.copy();
    run_on(&straight).expect_code(0);
    let wanted = end_state(&straight);
    let mut points = Vec::new();
    loop {
        let number = points.len() + 1;
        let db = before.copy();
        project.env("PHASEGATE_CRASH_AT", &number.to_string());
        let crashed = run_on(&db);
        project.env_remove("PHASEGATE_CRASH_AT");
        if crashed.code == 0 {
            break;
        }
        let crashed = crashed.expect_code(137);
        let (_, point) = crashed
            .stderr
            .trim()
            .rsplit_once(", ")
            .expect("the point is named");
        let when = format!(
            "{name} on {}, point {number} ({point})",
            before.backend.name
        );
        let again = run_on(&db);
        assert_eq!(again.code, 0, "{when}\n{}\n{}", again.stdout, again.stderr);
        assert_same(&wanted, &end_state(&db), &when);
        assert_whole(&db, &when);
        points.push(point.to_owned());
    }
    let whole = points.len() > 5;
    assert!(whole, "only {points:?}");
    tried::all_equal(tried::KILLED, name, before.backend.name, points.len());
    eprintln!(
        "{name} on {}: killed at {} points, each time the same end: {}",
        before.backend.name,
        points.len(),
        points.join(" ")
    );
}

scenario!(
    fn expand(db: Db) {
        people(&db, 8);
        let project = project(&db, &[]);
        matrix("expand", &db, &project, &["expand", "1"]);
    }
);

scenario!(
    fn expand_several(db: Db) {
        people(&db, 8);
        matrix("expand, several", &db, &several(&db), SEVERAL);
    }
);

scenario!(
    fn expand_without_a_transaction(db: Db) {
        people(&db, 8);
        let project = project(
            &db,
            &[
                ("expand.postgres.sql", EXPAND_CONCURRENTLY),
                ("expand.sqlite.sql", EXPAND_WITH_VACUUM),
                ("expand.mysql.sql", EXPAND_ON_MYSQL),
            ],
        );
        if db.backend.name == "mysql" {
            let manifest = format!("{}{EXPAND_MANIFEST_ON_MYSQL}", manifest(&db));
            project.migration("0001_split", &[("migration.toml", &manifest)]);
        }
        matrix("expand, no-transaction", &db, &project, &["expand", "1"]);
    }
);

scenario!(
    fn backfill(db: Db) {
        people(&db, 8);
        let project = project(&db, &[]);
        project.migrate(&["expand"]).expect_code(0);
        matrix("backfill", &db, &project, &["backfill", "1"]);
    }
);

scenario!(
    apart fn contract(db: Db) {
        people(&db, 8);
        let project = project(&db, &[("contract.sqlite.sql", CONTRACT_BY_REBUILD)]);
        project.migrate(&["expand"]).expect_code(0);
        project.migrate(&["backfill"]).expect_code(0);
        matrix("contract", &db, &project, &["contract", "1"]);
    }
);

scenario!(
    fn revert(db: Db) {
        people(&db, 8);
        let project = project(&db, &[]);
        project.migrate(&["expand"]).expect_code(0);
        matrix("revert", &db, &project, &["revert", "1"]);
    }
);

#[test]
fn contract_without_a_transaction() {
    let db = Db::on("postgres");
    people(&db, 8);
    let project = project(&db, &[("contract.sql", CONTRACT_CONCURRENTLY)]);
    project.migrate(&["expand"]).expect_code(0);
    project.migrate(&["backfill"]).expect_code(0);
    matrix(
        "contract, no-transaction",
        &db,
        &project,
        &["contract", "1"],
    );
}

#[test]
fn revert_without_a_transaction() {
    let db = Db::on("postgres");
    people(&db, 8);
    let project = project(&db, &[("revert.sql", REVERT_CONCURRENTLY)]);
    project.migrate(&["expand"]).expect_code(0);
    matrix("revert, no-transaction", &db, &project, &["revert", "1"]);
}

scenario!(
    fn a_backfill_killed_at_random_moments(db: Db) {
        people(&db, 1500);
        let project = project(&db, &[]);
        let manifest = manifest(&db).replace("batch = 3", "batch = 10");
        project.migration("0001_split", &[("migration.toml", &manifest)]);
        project.migrate(&["expand"]).expect_code(0);
        let straight = db.copy();
        project.env("DATABASE_URL", &straight.url);
        project.migrate(&["backfill"]).expect_code(0);
        project.env("DATABASE_URL", &db.url);
        let mut killed = 0;
        for _ in 0..8 {
            let mut run = project.spawn(&["backfill"]);
            let moment = Duration::from_millis(fastrand::u64(20..600));
            if poll(moment, || run.has_ended().then_some(())).is_none() {
                run.signal_if_running(Signal::KILL);
            }
            killed += usize::from(run.wait().code == 137);
        }
        project.migrate(&["backfill"]).expect_code(0);
        assert_same(
            &end_state(&straight),
            &end_state(&db),
            "killed from outside",
        );
        project.migrate(&["log", "--verify"]).expect_code(0);
        eprintln!(
            "backfill on {}: killed {killed} times from outside",
            db.backend.name
        );
    }
);
