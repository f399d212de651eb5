//! A database that no tool has carried so far: its schema becomes what a new one begins with.

use std::path::Path;

use crate::support::backend::{Db, Ledger};
use crate::support::project::Project;

const ADOPT: &[&str] = &["adopt", "--baseline"];

/// A shop with what a script may stumble over, in each language.
const SQLITE: &[&str] = &[
    "CREATE TABLE users (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, upper TEXT AS (upper(name)) -- generated\n)",
    "CREATE TABLE orders (id INTEGER PRIMARY KEY, user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE, code TEXT UNIQUE)",
    "CREATE INDEX orders_user ON orders (user_id) WHERE code IS NOT NULL",
    "CREATE VIEW later AS SELECT name FROM users",
    "CREATE VIEW earlier AS SELECT name FROM later",
    "CREATE TRIGGER touched AFTER INSERT ON users BEGIN\n  UPDATE users SET name = trim(name) WHERE id = NEW.id; -- ;\n  SELECT 1;\nEND",
    "CREATE VIRTUAL TABLE found USING fts5(name)",
];

const POSTGRES: &[&str] = &[
    "CREATE SCHEMA audit",
    "CREATE TYPE mood AS ENUM ('sad', 'ok; fine')",
    "CREATE TABLE users (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL, mood mood DEFAULT 'ok; fine', \
     upper text GENERATED ALWAYS AS (upper(name)) STORED)",
    "CREATE TABLE orders (id serial PRIMARY KEY, user_id bigint NOT NULL REFERENCES users (id) ON DELETE CASCADE, code text UNIQUE)",
    "CREATE TABLE audit.log (at timestamptz DEFAULT now(), what text)",
    "CREATE INDEX orders_user ON orders (user_id) WHERE code IS NOT NULL",
    "CREATE FUNCTION a_count() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM users'",
    "CREATE FUNCTION touched() RETURNS trigger LANGUAGE plpgsql AS $$\nBEGIN\nSET LOCAL a.b = 'c';\n  \
     INSERT INTO audit.log (what) VALUES (NEW.name); RETURN NEW;\nEND $$",
    "CREATE TRIGGER touched BEFORE INSERT ON users FOR EACH ROW EXECUTE FUNCTION touched()",
    "CREATE VIEW later AS SELECT name, a_count() AS of FROM users",
    "CREATE MATERIALIZED VIEW earlier AS SELECT name FROM later",
    "COMMENT ON TABLE users IS 'who buys; ''here'''",
    "CREATE TABLE measured (at date NOT NULL, value int) PARTITION BY RANGE (at)",
    "CREATE TABLE measured_2026 PARTITION OF measured FOR VALUES FROM ('2026-01-01') TO ('2027-01-01')",
    "ALTER TABLE measured ADD PRIMARY KEY (at)",
    "CREATE INDEX measured_value ON measured (value)",
    // What nobody who runs could survive for sure, and nobody runs yet where it is made.
    "CREATE FUNCTION is_near(int, int) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT abs($1 - $2) < 3'",
    "CREATE OPERATOR ~~~ (LEFTARG = int, RIGHTARG = int, FUNCTION = is_near)",
    "CREATE CAST (mood AS text) WITH INOUT AS ASSIGNMENT",
    "CREATE TEXT SEARCH CONFIGURATION plain (COPY = simple)",
    "CREATE TEXT SEARCH CONFIGURATION plain_too (COPY = simple)",
];

const MYSQL: &[&str] = &[
    "CREATE TABLE users (id bigint PRIMARY KEY AUTO_INCREMENT, name varchar(80) NOT NULL COMMENT 'AUTO_INCREMENT=7; \\'x\\'', \
     upper varchar(80) AS (upper(name)) STORED)",
    "INSERT INTO users (name) VALUES ('Ada')",
    "DELETE FROM users",
    // Made in an order in which they could not be by their names, and two that name each other.
    "CREATE TABLE orders (id int PRIMARY KEY, user_id bigint NOT NULL, code varchar(10) UNIQUE, \
     CONSTRAINT of_user FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE)",
    "CREATE TABLE a_leads (id int PRIMARY KEY, unit int)",
    "CREATE TABLE b_units (id int PRIMARY KEY, lead_id int, CONSTRAINT led_by FOREIGN KEY (lead_id) REFERENCES a_leads (id))",
    "ALTER TABLE a_leads ADD CONSTRAINT leads FOREIGN KEY (unit) REFERENCES b_units (id)",
    "CREATE INDEX orders_code ON orders (code, user_id)",
    "CREATE VIEW later AS SELECT name FROM users",
    "CREATE VIEW earlier AS SELECT later.name AS name FROM later JOIN users USING (name)",
    "CREATE TRIGGER touched BEFORE INSERT ON users FOR EACH ROW BEGIN\n  SET NEW.name = trim(NEW.name);\n  SET @seen = 1; -- ;\nEND",
    "CREATE PROCEDURE counted(OUT n int)\nBEGIN\n  SELECT count(*) INTO n FROM users;\n  SET @seen = n;\nEND",
    "CREATE EVENT swept ON SCHEDULE EVERY 1 DAY STARTS '2030-01-01 00:00:00' DISABLE DO BEGIN\n  DELETE FROM orders WHERE id < 0;\nEND",
    "CREATE FUNCTION shout(t varchar(80)) RETURNS varchar(80) DETERMINISTIC RETURN upper(t)",
];

fn schema(db: &Db) -> &'static [&'static str] {
    match db.backend.name {
        "sqlite" => SQLITE,
        "postgres" => POSTGRES,
        _ => MYSQL,
    }
}

/// A database with this schema.
fn made(name: &str) -> Db {
    let db = Db::on(name);
    for statement in schema(&db) {
        db.execute(statement);
    }
    db
}

/// The schema, whoever has made it.
fn without_accounts(db: &Db) -> String {
    let mut dump = db.dump(Ledger::Excluded);
    for account in ["root", "phasegate-tests"] {
        dump = dump.replace(&format!("DEFINER=`{account}`@`localhost` "), "");
    }
    dump
}

fn at(project: &Project, db: &Db) {
    project.env("DATABASE_URL", &db.url);
}

fn said(project: &Project, arguments: &[&str], code: i32) -> String {
    let output = project.migrate(arguments).expect_code(code);
    output.stdout + &output.stderr
}

#[track_caller]
fn assert_says(said: &str, parts: &[&str]) {
    for part in parts {
        assert!(said.contains(part), "{part} in {said}");
    }
}

scenario!(
    fn a_new_database_gets_the_schema_as_it_is(db: Db) {
        let name = db.backend.name;
        let live = made(name);
        let project = Project::new(&live, &["web"]);
        let before = live.dump(Ledger::Excluded);
        let adopted = said(&project, ADOPT, 0);
        let path = format!("0000_baseline/expand.{name}.sql");
        let wrote = format!("wrote {path}");
        assert_says(&adopted, &[&wrote, "nothing of it was run"]);
        assert_eq!(live.dump(Ledger::Excluded), before);
        let status = project.migrate(&["status", "--output", "json"]);
        let status = status.expect_code(0).json();
        assert_eq!(status["migrations"][0]["phase"], "expanded", "{status}");
        assert_says(
            &said(&project, ADOPT, 0),
            &["is recorded as applied here already"],
        );
        said(&project, &["expand"], 0);
        assert_eq!(live.dump(Ledger::Excluded), before);
        said(&project, &["check"], 0);
        said(&project, &["log", "--verify"], 0);

        // Its ledger is no part of it, and neither are the rows and accounts of this server.
        let script = std::fs::read_to_string(project.path().join(&path)).expect("it was written");
        for never in ["phasegate", "DEFINER=", "AUTO_INCREMENT=2", "\\restrict"] {
            assert!(!script.contains(never), "{never} in {script}");
        }
        at(&project, &db);
        said(&project, &["expand"], 0);
        assert_eq!(without_accounts(&db), without_accounts(&live));

        // Where the same schema is as well, it is recorded by the same file; another one is another matter.
        let staging = made(name);
        at(&project, &staging);
        assert_says(
            &said(&project, ADOPT, 0),
            &["recorded 0000_baseline as applied"],
        );
        let other = made(name);
        other.execute("CREATE TABLE forgotten (id integer)");
        at(&project, &other);
        assert_says(
            &said(&project, ADOPT, 11),
            &["1 statement", "forgotten", "--reason TEXT"],
        );
        assert_eq!(
            project.migrate(&["status", "--output", "json"]).json()["migrations"][0]["phase"],
            "pending"
        );
        let meant = [ADOPT, &["--reason", "a table of the analysts"]].concat();
        said(&project, &meant, 0);
        assert_says(&said(&project, &["log"], 0), &["0000_baseline"]);
        assert_eq!(
            std::fs::read_to_string(project.path().join(&path)).expect("a file"),
            script
        );
    }
);

/// The points at which a run can be killed that only it passes.
const POINTS: [&str; 4] = [
    "baseline.read",
    "adopt.writing",
    "baseline.recording",
    "baseline.recorded",
];

scenario!(
    fn killed_anywhere_it_leaves_nothing_half(db: Db) {
        let key = db.backend.key;
        for point in POINTS {
            let live = Db::on(db.backend.name);
            live.execute(&format!("CREATE TABLE users (id {key}, name text)"));
            let before = live.dump(Ledger::Excluded);
            let project = Project::new(&live, &["web"]);
            project
                .env("PHASEGATE_CRASH_AT", point)
                .migrate(ADOPT)
                .expect_code(137);
            project.env_remove("PHASEGATE_CRASH_AT");
            let directory = project.path().join("0000_baseline");
            let is_whole = |directory: &Path| {
                let name = format!("expand.{}.sql", live.backend.name);
                [name.as_str(), "migration.toml"]
                    .iter()
                    .all(|file| directory.join(file).exists())
            };
            assert!(!directory.exists() || is_whole(&directory), "{point}");
            said(&project, ADOPT, 0);
            assert!(is_whole(&directory), "{point}");
            assert_eq!(live.dump(Ledger::Excluded), before, "{point}");
            let status = project.migrate(&["status", "--output", "json"]);
            let status = status.expect_code(0).json();
            assert_eq!(status["migrations"][0]["phase"], "expanded", "{point}");
            said(&project, &["log", "--verify"], 0);
        }
    }
);

#[test]
fn where_there_is_no_baseline_to_take_it_says_so() {
    let db = Db::on("sqlite");
    let project = Project::new(&db, &["web"]);
    assert_says(
        &said(&project, ADOPT, 1),
        &["has no schema yet", "migrate expand"],
    );
    project.migration(
        "0001_users",
        &[
            ("migration.toml", "description = \"Users\"\n"),
            (
                "expand.sql",
                "CREATE TABLE users (id INTEGER PRIMARY KEY);\n",
            ),
        ],
    );
    said(&project, &["expand"], 0);
    assert_says(&said(&project, ADOPT, 11), &["0001_users was applied"]);
    assert!(!project.path().join("0000_baseline").exists());
    let config = "[services.web]\n[runner]\nkind = \"alembic\"\n";
    project.file("migrate.toml", config);
    assert_says(&said(&project, ADOPT, 1), &["alembic makes the schema"]);
    said(&project, &["adopt", "--baseline", "--runner", "django"], 2);
}
