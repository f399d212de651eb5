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

/// Has the contract of [`shop`] ask for how long nobody has used what it takes away.
fn unused_for(shop: &Shop, lasts: &str) {
    let declared = format!(
        "description = \"d\"\n[services.web]\nold = \"<1.1.0\"\n[contract]\nunused_for = {lasts}\n"
    );
    shop.project.file("0001_drop/migration.toml", &declared);
}

/// A job of every night reads the column that a contract takes away: `job` is what it sends, as the server counts it, and
/// `set_back` empties the counters.
fn nightly_job(shop: &Shop, job: &str, set_back: &str) {
    let nightly = || {
        shop.db
            .query("SELECT upper(full_name) FROM users WHERE id = 7")
    };
    let found = |code: i32| {
        let output = shop
            .project
            .migrate(&["gate", "contract", "1", "--output", "json"]);
        (output.code == code).then(|| output.json()["blockers"][0].clone())
    };
    unused_for(shop, "\"1h\"");
    // The first step that is taken begins to look, and nobody has looked for long enough.
    shop.run(&["expand"], 0);
    let young = eventually(GENEROUS, || found(12));
    assert_eq!(young["kind"], "in_use", "{young}");
    assert_eq!(young["details"]["found"], "not_long_enough", "{young}");
    shop.run(&["contract", "1"], 12);
    nightly();
    let used = eventually(GENEROUS, || found(11));
    assert_eq!(used["details"]["found"], "sent", "{used}");
    assert_eq!(used["details"]["statement"], job, "{used}");
    let shown = shop.json(&["uses", "1", "--record"], 11);
    assert!(shown["looked"]["at"].is_string(), "{shown}");
    let grew = shown["statements"].as_array().expect("a list").iter();
    assert_eq!(grew.filter(|one| one["grew"] == 1).count(), 1, "{shown}");
    // It is remembered, without another call.
    let output = shop.run(&["contract", "1"], 11);
    assert!(
        output.stdout.contains("`unused_for` asks for 60 min"),
        "{output:?}"
    );
    let again = shop.json(&["uses", "1"], 11);
    assert_eq!(again["statements"][0]["grew"], 0, "{again}");
    // Counters that were set back are no evidence.
    shop.db.execute(set_back);
    let anew = eventually(GENEROUS, || found(12));
    let why = anew["details"]["began_anew"].as_str().expect("a reason");
    assert!(why.contains("counts anew"), "{anew}");
    // What goes on without harm is named, and what came before the time that is asked for is over.
    shop.run(&["uses", "1", "--record"], 0);
    unused_for(
        shop,
        "\"1s\"\nunused_except = [\"SELECT lower(full_name)\"]",
    );
    nightly();
    let used = eventually(GENEROUS, || found(11));
    assert_eq!(used["details"]["statement"], job, "{used}");
    shop.db.query("SELECT lower(full_name) FROM users");
    eventually(GENEROUS, || {
        (shop.project.migrate(&["contract", "1"]).code == 0).then_some(())
    });
    assert_eq!(shop.phase(1), "contracted");
}

#[test]
fn a_job_of_every_night_stops_the_contract_on_mariadb() {
    let server = mysql::PrivateServer::start();
    let shop = shop(server.create("nightly"));
    let set_back = "TRUNCATE TABLE performance_schema.events_statements_summary_by_digest";
    nightly_job(
        &shop,
        "SELECT `upper` ( `full_name` ) FROM `users` WHERE ID = ?",
        set_back,
    );
}

/// What nobody counts is said, and never taken for unused.
#[test]
fn a_contract_that_goes_by_use_is_unknown_where_nothing_is_counted() {
    let shop = shop(Db::on("postgres"));
    unused_for(&shop, "\"1s\"");
    let output = shop.run(&["gate", "contract", "1"], 12);
    assert!(output.stdout.contains("no ledger yet"), "{output:?}");
    shop.run(&["expand"], 0);
    let output = shop.run(&["gate", "contract", "1"], 12);
    assert!(
        output
            .stdout
            .contains("CREATE EXTENSION pg_stat_statements"),
        "{output:?}"
    );
    let sure = ["contract", "1", "--accept-unknown", "nobody reads it"];
    shop.run(&sure, 0);
    let sqlite = self::shop(Db::on("sqlite"));
    unused_for(&sqlite, "\"1s\"");
    let output = sqlite.run(&["check"], 1);
    assert!(output.stderr.contains("SQLite counts none"), "{output:?}");
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
    let nightly = server.create("nightly");
    nightly.execute("CREATE EXTENSION pg_stat_statements");
    nightly_job(
        &shop(nightly),
        "SELECT upper(full_name) FROM users WHERE id = $1",
        "SELECT pg_stat_statements_reset()",
    );
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
