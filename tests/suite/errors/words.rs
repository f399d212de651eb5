//! What the server says reaches whoever reads: hints, notices, warnings, and what shows at the COMMIT alone.

use crate::support::backend::Db;
use crate::support::project::Project;
use crate::support::shop::said;

fn project(db: &Db) -> Project {
    let project = Project::new(db, &[]);
    project.file("migrate.toml", "[services.web]\nmin_instances = 0\n");
    project
}

fn expand(project: &Project, name: &str, sql: &str) {
    let manifest = format!("description = \"{name}\"\n");
    project.migration(name, &[("migration.toml", &manifest), ("expand.sql", sql)]);
}

scenario!(
    fn notices_are_shown_with_their_place_and_kept_in_the_log(db: Db) {
        db.execute("CREATE TABLE there_already (id INTEGER)");
        let project = project(&db);
        expand(
            &project,
            "0001_again",
            "CREATE TABLE first (id INTEGER);\n\nCREATE TABLE IF NOT EXISTS there_already (id INTEGER);\nCREATE TABLE last (id INTEGER);\n",
        );
        let output = project.migrate(&["expand"]).expect_code(0);
        let log = project.migrate(&["log"]).expect_code(0);
        if db.backend.name == "sqlite" {
            // It says nothing.
            assert!(!log.stdout.contains("server_said"), "{log:?}");
            return;
        }
        let told = output
            .stderr
            .lines()
            .find(|line| line.contains("already exists"))
            .unwrap_or_default();
        assert!(
            told.starts_with("0001_again/expand.sql:3: NOTICE: "),
            "{output:?}"
        );
        assert!(!output.stderr.contains("ledger"), "{output:?}");
        assert!(log.stdout.contains("line 3: NOTICE: "), "{log:?}");
        project.migrate(&["log", "--verify"]).expect_code(0);
    }
);

#[test]
fn what_cascade_takes_along_is_named() {
    let db = Db::on("postgres");
    db.execute(
        "CREATE TABLE t (id int, a int UNIQUE); CREATE VIEW v1 AS SELECT a FROM t; CREATE MATERIALIZED VIEW mv AS SELECT a FROM t; \
         CREATE TABLE child (of_t int CONSTRAINT of_a REFERENCES t (a))",
    );
    let project = project(&db);
    let manifest = "description = \"drop a\"\n[[contract.allow]]\nstatement = \"ALTER TABLE t DROP\"\nreason = \"unused\"\n";
    let contract = ("contract.sql", "ALTER TABLE t DROP COLUMN a CASCADE;\n");
    project.migration("0001_x", &[("migration.toml", manifest), contract]);
    let output = project.migrate(&["contract"]).expect_code(0);
    for told in [
        "0001_x/contract.sql:1: NOTICE: drop cascades to 3 other objects",
        "WARNING: the view `v1` is gone as well",
        "WARNING: the view `mv` is gone as well",
        "WARNING: of the table `child` its foreign key (of_t) to `t` (`of_a`) is gone as well",
    ] {
        assert!(output.stderr.contains(told), "{told}: {output:?}");
    }
    let log = project.migrate(&["log"]).expect_code(0);
    assert!(log.stdout.contains("`mv` is gone as well"), "{log:?}");
}

#[test]
fn detail_hint_and_context_are_told() {
    let db = Db::on("postgres");
    db.execute("CREATE TABLE o (id int PRIMARY KEY, a text)");
    let project = project(&db);
    expand(
        &project,
        "0001_type",
        "CREATE TABLE n (id int DEFAULT no_such('a'));\n",
    );
    let text = said(&project.migrate(&["expand"]).expect_code(1));
    assert!(
        text.contains("server's hint: No function matches"),
        "{text}"
    );
    expand(
        &project,
        "0001_type",
        "DO $$ BEGIN RAISE NOTICE 'so far'; RAISE EXCEPTION 'not like this' USING DETAIL = 'a detail', HINT = 'a hint'; END $$;\n",
    );
    let manifest = "description = \"x\"\n[[expand.allow]]\nstatement = \"DO $$ BEGIN RAISE\"\nreason = \"x\"\n";
    project.migration("0001_type", &[("migration.toml", manifest)]);
    let output = project.migrate(&["expand"]).expect_code(1);
    let text = said(&output);
    for told in [
        "NOTICE: so far",
        "not like this",
        "a detail",
        "a hint",
        "PL/pgSQL function",
    ] {
        assert!(text.contains(told), "{told}: {text}");
    }
}

#[test]
fn what_stands_beside_an_error_of_mariadb_is_told() {
    let db = Db::on("mysql");
    db.execute("CREATE TABLE p (id BIGINT PRIMARY KEY)");
    let project = project(&db);
    let sql = "CREATE TABLE c (pid INTEGER, FOREIGN KEY (pid) REFERENCES p (id));\n";
    expand(&project, "0001_key", sql);
    let text = said(&project.migrate(&["expand"]).expect_code(1));
    assert!(text.contains("The server adds: "), "{text}");
    assert!(text.contains("Field type or character set"), "{text}");
}

#[test]
fn what_fails_at_the_commit_names_its_migration() {
    for backend in ["postgres", "sqlite"] {
        let db = Db::on(backend);
        db.execute(
            "CREATE TABLE p (id integer PRIMARY KEY); \
             CREATE TABLE c (id integer PRIMARY KEY, pid integer REFERENCES p (id) DEFERRABLE INITIALLY DEFERRED)",
        );
        let project = project(&db);
        expand(&project, "0001_good", "CREATE TABLE y (id integer);\n");
        expand(
            &project,
            "0002_bad",
            "INSERT INTO c VALUES (1, 99);\nCREATE TABLE z (id integer);\n",
        );
        expand(&project, "0003_good", "CREATE TABLE w (id integer);\n");
        let output = project.migrate(&["expand"]).expect_code(1);
        let text = said(&output);
        assert!(text.contains("0002_bad/expand.sql"), "{text}");
        assert!(text.contains("nothing was changed"), "{text}");
        assert!(output.stdout.contains("expanded 0001_good"), "{output:?}");
        assert!(db.try_execute("SELECT * FROM z").is_err());
        db.execute("INSERT INTO p VALUES (99)");
        project.migrate(&["expand"]).expect_code(0);
    }
}
