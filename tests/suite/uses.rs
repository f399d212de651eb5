//! Who still uses what a contract takes away.

use serde_json::Value;

use crate::support::backend::Db;
use crate::support::mysql;
use crate::support::postgres::PrivateServer;
use crate::support::project::Project;
use crate::support::shop::{CONTRACT, Shop};
use crate::support::wait::{GENEROUS, eventually};

/// The project whose contract drops a column of `users`.
fn shop(db: Db) -> Shop {
    let shop = Shop::new(db);
    shop.project.migration(
        "0001_drop",
        &[
            (
                "migration.toml",
                "description = \"d\"\n[services.web]\nold = \"<1.1.0\"\n",
            ),
            ("contract.sql", CONTRACT),
        ],
    );
    shop
}

fn texts(value: &Value) -> Vec<String> {
    let all = value.as_array().expect("a list").iter();
    all.map(|one| {
        one["text"]
            .as_str()
            .or(one.as_str())
            .expect("a text")
            .to_owned()
    })
    .collect()
}

scenario!(
    fn code_of_the_database_is_a_use(db: Db) {
        let shop = shop(db);
        let before = shop
            .project
            .migrate(&["uses", "1", "--output", "json"])
            .json();
        assert_eq!(texts(&before["dependents"]), Vec::<String>::new());
        shop.db
            .execute("CREATE VIEW names AS SELECT full_name FROM users");
        shop.db.execute("CREATE VIEW ids AS SELECT id FROM users");
        let used = shop.run(&["uses", "1", "--output", "json"], 11).json();
        assert_eq!(
            used["takes_away"],
            serde_json::json!(["the column `users.full_name`"])
        );
        let dependents = texts(&used["dependents"]);
        assert_eq!(dependents.len(), 1, "{used}");
        assert!(dependents[0].contains("`names`"), "{used}");
    }
);

#[test]
fn a_foreign_key_that_leads_there_is_a_use() {
    for backend in ["postgres", "mysql"] {
        let shop = shop(Db::on(backend));
        let script = ("contract.sql", "DROP TABLE users;\n");
        shop.project.migration("0001_drop", &[script]);
        shop.db.execute(
            "CREATE TABLE orders (id BIGINT PRIMARY KEY, user_id BIGINT, CONSTRAINT of_user FOREIGN KEY (user_id) REFERENCES users (id))",
        );
        let used = shop.run(&["uses", "1", "--output", "json"], 11).json();
        let dependents = texts(&used["dependents"]);
        assert!(
            dependents.iter().any(|one| one.contains("of_user")),
            "{used}"
        );
    }
}

/// What cannot be seen is no yes.
#[test]
fn a_database_that_counts_nothing_is_unknown() {
    for (backend, said) in [
        ("sqlite", "counts no statements"),
        ("postgres", "CREATE EXTENSION pg_stat_statements"),
    ] {
        let shop = shop(Db::on(backend));
        let output = shop.run(&["uses", "1"], 12);
        assert!(output.stdout.contains(said), "{output:?}");
        assert!(output.stdout.contains("that is no proof"), "{output:?}");
    }
}

#[test]
fn a_statement_that_mariadb_has_counted_is_a_use() {
    let server = mysql::PrivateServer::start();
    let shop = shop(server.create("counted"));
    let asked = || shop.project.migrate(&["uses", "1", "--output", "json"]);
    // A statement is counted a moment after it was answered.
    eventually(GENEROUS, || {
        shop.db
            .execute("TRUNCATE TABLE performance_schema.events_statements_summary_by_digest");
        (asked().code == 0).then_some(())
    });
    shop.db.query("SELECT id FROM users WHERE id = 7");
    shop.run(&["uses", "1"], 0);
    shop.db
        .query("SELECT upper(full_name) FROM users WHERE id = 7");
    let used = eventually(GENEROUS, || {
        let output = asked();
        (output.code == 11).then(|| output.json())
    });
    let statements = texts(&used["statements"]);
    assert_eq!(statements.len(), 1, "{used}");
    assert!(statements[0].contains("`full_name`"), "{used}");
    assert!(used["statements"][0]["last"].as_str() > Some("2"), "{used}");
    shop.run(&["uses", "1", "--for", "10ms"], 0);
    // Nobody counts any more: what is not there is not known.
    shop.db.execute(
        "UPDATE performance_schema.setup_consumers SET enabled = 'NO' WHERE name = 'statements_digest'",
    );
    let unknown = shop.run(&["uses", "1"], 12);
    assert!(unknown.stdout.contains("statements_digest"), "{unknown:?}");
}

#[test]
fn a_statement_that_postgres_has_counted_is_a_use() {
    let server = PrivateServer::start();
    let administrator = Db::at("postgres", server.url("postgres"));
    administrator.execute("ALTER SYSTEM SET shared_preload_libraries = 'pg_stat_statements'");
    server.stop();
    server.start_again();
    let db = server.create("counted");
    db.execute("CREATE EXTENSION pg_stat_statements");
    let shop = shop(db);
    shop.db.execute("SELECT pg_stat_statements_reset()");
    shop.run(&["uses", "1"], 0);
    shop.db.query("SELECT id FROM users WHERE id = 7");
    shop.run(&["uses", "1"], 0);
    shop.db
        .query("SELECT upper(full_name) FROM users WHERE id = 7");
    let used = shop.run(&["uses", "1", "--output", "json"], 11).json();
    assert_eq!(
        texts(&used["statements"]),
        ["SELECT upper(full_name) FROM users WHERE id = $1"]
    );
    assert_eq!(used["statements"][0]["calls"], 1);
    assert_eq!(used["statements"][0]["roles"], "postgres");
    assert!(used["since"].is_string(), "{used}");
    // Nobody sends it meanwhile.
    // The session that has sent it may be there for a moment.
    let watched = eventually(GENEROUS, || {
        let output = shop.project.migrate(&["uses", "1", "--for", "10ms"]);
        (output.code == 0).then_some(output)
    });
    assert!(
        watched.stdout.contains("nobody was seen to use it"),
        "{watched:?}"
    );
    // A session whose last statement it was is one that uses it.
    let mut session = shop.db.connect();
    session.query("SELECT full_name FROM users");
    let used = shop.run(&["uses", "1"], 11);
    assert!(
        used.stdout.contains("sessions:\n")
            && used.stdout.contains("idle: SELECT full_name FROM users"),
        "{used:?}"
    );
    drop(session);
    // Another project's table of that name is not meant.
    let project = Project::new(&shop.db, &["web"]);
    project.migration(
        "0001_x",
        &[
            ("migration.toml", "description = \"d\"\n"),
            ("expand.sql", "CREATE TABLE x (id int);\n"),
        ],
    );
    let nothing = project.migrate(&["uses", "1"]).expect_code(0);
    assert!(
        nothing.stdout.contains("takes anything away"),
        "{nothing:?}"
    );
}
