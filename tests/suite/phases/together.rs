//! Small expands that share a transaction end as they do one by one.

use crate::crash::{SEVERAL, assert_same, end_state, people, several};
use crate::support::backend::{Db, Ledger};
use crate::support::postgres::PrivateServer;
use crate::support::project::Project;
use crate::support::shop::Shop;

/// What each of these migrations does; some of them can share a transaction, and some cannot.
const MIXED: [&str; 7] = [
    "CREATE TABLE a (id BIGINT PRIMARY KEY, name VARCHAR(20));\nCREATE INDEX a_name ON a (name);\n",
    "-- What the statement says ends with a comment\nCREATE TABLE b (id BIGINT) -- and this one",
    "CREATE TABLE c (id BIGINT, name VARCHAR(20) DEFAULT 'is it ?');\n",
    "ALTER TABLE users ADD COLUMN nick VARCHAR(20);\n",
    "CREATE TABLE d (id BIGINT);\n",
    "CREATE INDEX d_id ON d (id);\n",
    "CREATE TABLE e (id BIGINT);\n",
];

/// Both formats are there from the expand on: what the versions that run leave in the rows is recorded with it.
fn write(project: &Project, scripts: &[&str]) {
    for (number, script) in (1..).zip(scripts) {
        let manifest = format!(
            "description = \"Change {number}\"\nsync = \"to-old\"\nrows = \"append-only\"\n[services.web]\n\
             old = \"<1.9.0\"\nnew = \">=1.{number}.0\"\n"
        );
        project.migration(
            &format!("{number:04}_change"),
            &[("migration.toml", &manifest), ("expand.sql", script)],
        );
    }
}

/// Phases and row kinds as recorded, and everything that is not the tool's own.
fn phases_and_schema(db: &Db) -> String {
    let rows = db.query(&format!(
        "SELECT id, phase, kinds, declaration FROM {} ORDER BY number",
        db.ledger("migrations")
    ));
    let rows: Vec<String> = rows.iter().map(|row| row.join(" | ")).collect();
    format!("{}\n{}", rows.join("\n"), db.dump(Ledger::Excluded))
}

scenario!(
    fn as_one_by_one(db: Db) {
        let shop = Shop::new(db);
        write(&shop.project, &MIXED);
        let single = shop.db.copy();
        shop.project.env("DATABASE_URL", &single.url);
        for number in 1..=MIXED.len() {
            shop.run(&["expand", &number.to_string()], 0);
        }
        shop.project.env("DATABASE_URL", &shop.db.url);
        let output = shop.run(&["expand"], 0);
        for number in 1..=MIXED.len() {
            let told = format!("expanded {number:04}_change (");
            assert!(output.stdout.contains(&told), "{output:?}");
        }
        let without_doing = |db: &Db| {
            let end = end_state(db);
            let lines = end.lines().filter(|line| !line.starts_with("coordinator:"));
            lines.collect::<Vec<_>>().join("\n")
        };
        assert_same(
            &without_doing(&single),
            &without_doing(&shop.db),
            "together",
        );
        shop.run(&["log", "--verify"], 0);
        shop.changes_nothing(&["expand"], 0);
    }
);

scenario!(
    fn as_one_by_one_beside_a_live_version(db: Db) {
        let shop = Shop::new(db);
        write(&shop.project, &MIXED);
        let live = [
            "admit",
            "--service",
            "web",
            "--version",
            "1.0.0",
            "--instance",
            "old",
            "--for",
            "1h",
        ];
        shop.run(&["expand", "--up-to", "1"], 0);
        shop.run(&live, 0);
        let single = shop.db.copy();
        shop.project.env("DATABASE_URL", &single.url);
        for number in 2..=MIXED.len() {
            shop.run(&["expand", &number.to_string()], 0);
        }
        shop.project.env("DATABASE_URL", &shop.db.url);
        shop.run(&["expand"], 0);
        assert_same(
            &phases_and_schema(&single),
            &phases_and_schema(&shop.db),
            "together, beside web 1.0.0",
        );
        // Whoever is admitted next is counted after all of them.
        let next = ["admit", "--service", "web", "--version", "1.7.0"];
        let admitted = |db: &Db| {
            shop.project.env("DATABASE_URL", &db.url);
            shop.run(&next, 0);
            (1..=MIXED.len())
                .map(|number| shop.phase(number))
                .collect::<Vec<_>>()
        };
        assert_eq!(admitted(&single), admitted(&shop.db));
        shop.run(&["log", "--verify"], 0);
    }
);

scenario!(
    fn those_before_one_that_fails_are_applied(db: Db) {
        let shop = Shop::new(db);
        shop.db.execute("CREATE VIEW taken AS SELECT 1 AS id");
        let wrong = "CREATE TABLE d (id BIGINT);\nCREATE TABLE taken (id BIGINT);\n";
        write(
            &shop.project,
            &[
                "CREATE TABLE a (id BIGINT);\nCREATE INDEX a_id ON a (id);\n",
                "CREATE TABLE b (id BIGINT);\n",
                "CREATE TABLE c (id BIGINT);\n",
                wrong,
                "CREATE TABLE e (id BIGINT);\n",
                "CREATE TABLE f (id BIGINT);\n",
            ],
        );
        let failed = shop.run(&["expand"], 1);
        assert!(
            failed.stderr.contains("0004_change/expand.sql:2"),
            "{failed:?}"
        );
        assert!(failed.stderr.contains("taken"), "{failed:?}");
        for number in 1..=3 {
            let told = format!("expanded {number:04}_change (");
            assert!(failed.stdout.contains(&told), "{failed:?}");
            assert_eq!(shop.phase(number), "expanded");
        }
        let left = if shop.db.backend.transactional_ddl {
            "pending"
        } else {
            "expanding"
        };
        assert_eq!(shop.phase(4), left);
        assert_eq!([shop.phase(5), shop.phase(6)], ["pending"; 2]);
        shop.project
            .file("0004_change/expand.sql", &wrong.replace("taken", "free"));
        shop.run(&["expand"], 0);
        for table in ["a", "b", "c", "d", "free", "e", "f"] {
            let rows = shop.db.value(&format!("SELECT count(*) FROM {table}"));
            assert_eq!(rows, "0");
        }
        shop.run(&["log", "--verify"], 0);
    }
);

scenario!(
    fn two_of_three_share_a_transaction_where_there_is_one(db: Db) {
        people(&db, 2);
        let project = several(&db);
        let output = project.env("PHASEGATE_SHOW_POINTS", "yes").migrate(SEVERAL);
        let output = output.expect_code(0);
        let commits = output.stderr.matches("passing point expand.committed");
        let expected = if db.backend.transactional_ddl { 2 } else { 3 };
        assert_eq!(commits.count(), expected, "{}", output.stderr);
    }
);

/// The first that fails leaves nothing to apply before it.
#[test]
fn the_very_first_may_fail() {
    for backend in ["sqlite", "postgres"] {
        let shop = Shop::new(Db::on(backend));
        shop.db.execute("CREATE VIEW a AS SELECT 1 AS id");
        write(
            &shop.project,
            &[
                "CREATE TABLE a (id BIGINT);\n",
                "CREATE TABLE b (id BIGINT);\n",
            ],
        );
        let failed = shop.run(&["expand"], 1);
        assert!(
            failed.stderr.contains("0001_change/expand.sql:1"),
            "{failed:?}"
        );
        assert_eq!([shop.phase(1), shop.phase(2)], ["pending"; 2]);
    }
}

/// A server has only so many places for locks: what shares a transaction is bounded.
#[test]
fn so_many_statements_share_a_transaction() {
    let server = PrivateServer::start();
    let db = server.create("many");
    let project = Project::new(&db, &[]);
    let scripts: Vec<String> = (1..=60)
        .map(|number| {
            format!(
                "CREATE TABLE t{number} (id BIGINT);\nCREATE INDEX i{number} ON t{number} (id);\n"
            )
        })
        .collect();
    let scripts: Vec<&str> = scripts.iter().map(String::as_str).collect();
    project.file("migrate.toml", "[services.web]\nmin_instances = 0\n");
    write(&project, &scripts);
    project.migrate(&["expand"]).expect_code(0);
    let together = db.query(
        "SELECT count(*) FROM phasegate.migrations GROUP BY xmin::text ORDER BY min(number)",
    );
    assert_eq!(together, [["25"], ["25"], ["10"]]);
}
