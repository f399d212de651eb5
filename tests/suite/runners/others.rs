//! Any other tool, as a `command`; and those whose program cannot be had, by a stand-in that keeps the table that each documents.

use super::matrix::killed_at_every_point;
use super::projects::{ADD, CREATE, DROP, Tool, by_hand, has_column, history, project, write_url};
use super::steps::rolls;
use crate::support::backend::Db;
use crate::support::project::Project;
use crate::support::shop::said;

const COMMAND: Tool = Tool {
    kind: "command",
    revisions: ["1_step", "2_step", "3_step"],
    history: "SELECT version FROM schema_versions ORDER BY version",
    write: |project, db| written(project, db, "steps", |number| format!("{number}_step.sql")),
    first: &["python", "apply.py", "command", "1_step"],
    all: &["python", "apply.py", "command"],
};

const GOLANG_MIGRATE: Tool = Tool {
    kind: "golang-migrate",
    revisions: ["1", "2", "3"],
    history: "SELECT concat(version, '|', dirty) FROM schema_migrations",
    write: |project, db| {
        written(project, db, "migrations", |number| {
            format!("00000{number}_step.up.sql")
        });
    },
    first: &["python", "apply.py", "golang-migrate", "goto", "1"],
    all: &["python", "apply.py", "golang-migrate", "goto", "3"],
};

const FLYWAY: Tool = Tool {
    kind: "flyway",
    revisions: ["1", "2", "3.0"],
    history: "SELECT concat(version, '|', type, '|', success) FROM flyway_schema_history ORDER BY installed_rank",
    write: |project, db| {
        written(project, db, "sql", |number| match number {
            1 => "V1__step.sql".to_owned(),
            2 => "more/V2__step.sql".to_owned(),
            _ => "V3_0__step.sql".to_owned(),
        });
    },
    first: &["python", "apply.py", "flyway", "-target=1", "migrate"],
    all: &["python", "apply.py", "flyway", "-target=3.0", "migrate"],
};

fn written(project: &Project, db: &Db, place: &str, name: impl Fn(u32) -> String) {
    write_url(project, db, false);
    project.file("apply.py", APPLY);
    for (number, sql) in [(1, CREATE), (2, ADD), (3, DROP)] {
        project.file(format!("{place}/{}", name(number)), &format!("{sql};\n"));
    }
}

/// What is done outside of a transaction is not what is tried here: each revision and its row are one, as far as the database lets them.
const APPLY: &str = r#"import os, pathlib, re, sys
from urllib.parse import urlsplit
url = urlsplit(os.environ["DATABASE_URL"])
if url.scheme == "sqlite":
    import sqlite3
    db = sqlite3.connect("/" + url.path.lstrip("/"), isolation_level=None)
elif url.scheme.startswith("postgres"):
    import psycopg
    db = psycopg.connect(os.environ["DATABASE_URL"].split("?")[0])
else:
    import pymysql
    db = pymysql.connect(host=url.hostname, port=url.port, user=url.username, password=url.password or "", database=url.path[1:])
cursor = db.cursor()
def run(sql):
    cursor.execute(sql)
    return cursor.fetchall() if cursor.description else []
def begin():
    if url.scheme == "sqlite":
        run("BEGIN IMMEDIATE")
def commit():
    run("COMMIT") if url.scheme == "sqlite" else db.commit()
def numbers(text):
    return [int(part) for part in text.split(".")]
tool, arguments = sys.argv[1], sys.argv[2:]
if tool == "command":
    begin()
    run("CREATE TABLE IF NOT EXISTS schema_versions (version varchar(100) PRIMARY KEY)")
    done = {row[0] for row in run("SELECT version FROM schema_versions")}
    for name in arguments or sorted(path.stem for path in pathlib.Path("steps").glob("*.sql")):
        if name not in done:
            run(pathlib.Path(f"steps/{name}.sql").read_text().rstrip().rstrip(";"))
            run(f"INSERT INTO schema_versions VALUES ('{name}')")
    commit()
elif tool == "golang-migrate":
    # Its documented table has one row, which is dirty while a file is run.
    def at(version, dirty):
        begin()
        run("DELETE FROM schema_migrations")
        run(f"INSERT INTO schema_migrations (version, dirty) VALUES ({version}, {dirty})")
        commit()
    begin()
    run("CREATE TABLE IF NOT EXISTS schema_migrations (version bigint NOT NULL PRIMARY KEY, dirty boolean NOT NULL)")
    commit()
    rows = run("SELECT version, dirty FROM schema_migrations")
    now, dirty = rows[0] if rows else (0, False)
    if dirty:
        sys.exit(f"error: Dirty database version {now}. Fix and force version.")
    place = arguments[arguments.index("-path") + 1] if "-path" in arguments else "migrations"
    wanted = int(arguments[arguments.index("goto") + 1])
    for path in sorted(pathlib.Path(place).glob("*.up.sql")):
        version = int(path.name.split("_")[0])
        if now < version <= wanted:
            at(version, "true")
            begin()
            run(path.read_text().rstrip().rstrip(";"))
            commit()
            at(version, "false")
else:
    # Its documented table; what stands in directories below is found as well.
    begin()
    run("CREATE TABLE IF NOT EXISTS flyway_schema_history (installed_rank int NOT NULL PRIMARY KEY, version varchar(50), description varchar(200) NOT NULL, "
        "type varchar(20) NOT NULL, script varchar(1000) NOT NULL, checksum int, installed_by varchar(100) NOT NULL, "
        "installed_on timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP, execution_time int NOT NULL, success boolean NOT NULL)")
    commit()
    done = {row[0] for row in run("SELECT version FROM flyway_schema_history")}
    target = next(one for one in arguments if one.startswith("-target=")).removeprefix("-target=")
    found = [(path.name[1:].split("__")[0].replace("_", "."), path) for path in pathlib.Path("sql").rglob("V*__*.sql")]
    for version, path in sorted(found, key=lambda one: numbers(one[0])):
        if version not in done and numbers(version) <= numbers(target):
            begin()
            run(path.read_text().rstrip().rstrip(";"))
            run("INSERT INTO flyway_schema_history (installed_rank, version, description, type, script, installed_by, execution_time, success) "
                f"SELECT coalesce(max(installed_rank), 0) + 1, '{version}', 'step', 'SQL', '{path.name}', 'x', 1, true FROM flyway_schema_history")
            commit()
"#;

scenario!(
    fn command_rolls(db: Db) {
        rolls(&COMMAND, &db);
    }
);

scenario!(
    #[ignore = "takes its time: sh tests/runners.sh"]
    fn command_killed_at_every_point(db: Db) {
        killed_at_every_point(&COMMAND, &db);
    }
);

scenario!(
    #[ignore = "a stand-in for its program: sh tests/runners.sh"]
    fn golang_migrate_rolls(db: Db) {
        rolls(&GOLANG_MIGRATE, &db);
    }
);

scenario!(
    #[ignore = "a stand-in for its program: sh tests/runners.sh"]
    fn flyway_rolls(db: Db) {
        rolls(&FLYWAY, &db);
    }
);

/// A dirty version is told, and waits for somebody.
#[test]
fn golang_migrate_half_applied() {
    let db = Db::on("postgres");
    let project = project(&GOLANG_MIGRATE, &db);
    project.file(
        "migrations/000002_step.up.sql",
        "SELECT nosuch FROM shop;\n",
    );
    for _ in 0..2 {
        let failed = project.migrate(&["expand", "1"]).expect_code(1);
        for part in ["was begun and not finished", "`force 2`", "again"] {
            assert!(said(&failed).contains(part), "{part} in {failed:?}");
        }
    }
    // Undone, and said so as it says.
    db.execute("UPDATE schema_migrations SET version = 1, dirty = false");
    project.file("migrations/000002_step.up.sql", &format!("{ADD};\n"));
    project.migrate(&["expand", "1"]).expect_code(0);
    assert_eq!(history(&GOLANG_MIGRATE, &db), ["2|f"]);
}

/// What a directory below has comes along for Flyway, and what was taken back is not applied any more.
#[test]
fn flyway_history_is_read_as_flyway_reads_it() {
    let db = Db::on("postgres");
    let project = project(&FLYWAY, &db);
    project.file("sql/old/V1_5__more.sql", "SELECT 1;\n");
    let refused = project.migrate(&["expand", "1"]).expect_code(1);
    let along = "would apply `1.5` along with `2`";
    assert!(said(&refused).contains(along), "{refused:?}");
    assert!(!has_column(&db, "title"));
    std::fs::remove_file(project.path().join("sql/old/V1_5__more.sql")).expect("it was written");
    project.migrate(&["expand", "1"]).expect_code(0);
    by_hand(
        &project,
        &["python", "apply.py", "flyway", "-target=2", "migrate"],
    );
    project.migrate(&["status"]).expect_code(0);
    // As `flyway undo` leaves it.
    db.execute(
        "INSERT INTO flyway_schema_history (installed_rank, version, description, type, script, installed_by, execution_time, success) \
         VALUES (9, '2', 'step', 'UNDO_SQL', 'U2__step.sql', 'x', 1, true)",
    );
    let status = project.migrate(&["status"]).expect_code(1);
    assert!(
        said(&status).contains("does not have it any more"),
        "{status:?}"
    );
}
