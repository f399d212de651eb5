//! Everything through PgBouncer in transaction mode: each transaction may run in another session.

use std::str::FromStr as _;

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{Connection as _, Executor as _, Row as _};

use crate::support::backend::Db;
use crate::support::connection::block_on;
use crate::support::pooler::Pooler;
use crate::support::postgres::PrivateServer;
use crate::support::project::{Project, Signal};
use crate::support::wait::{GENEROUS, eventually};

fn split(db: &Db) -> Project {
    let project = Project::new(db, &["web"]);
    project.migration(
        "0001_users",
        &[
            (
                "migration.toml",
                "description = \"users\"\n[services.web]\nnew = \">=1.0.0\"\n",
            ),
            (
                "expand.sql",
                "CREATE TABLE users (id bigint PRIMARY KEY, full_name text);\n\
                 INSERT INTO users SELECT i, 'Ada ' || i FROM generate_series(1, 3000) AS i;\n",
            ),
        ],
    );
    project.migration(
        "0002_name",
        &[
            (
                "migration.toml",
                "description = \"a shorter name\"\nrows = \"append-only\"\n\
                 [services.web]\nold = \"<1.2.0\"\nnew = \">=1.1.0\"\n\
                 [backfill]\ntable = \"users\"\nkey = \"id\"\nbatch = 500\n\
                 remaining = \"SELECT count(*) FROM users WHERE name IS NULL\"\n",
            ),
            ("expand.sql", "ALTER TABLE users ADD COLUMN name text;\n"),
            (
                "backfill.sql",
                "UPDATE users SET name = full_name WHERE id > :after AND id <= :upto AND name IS NULL;\n",
            ),
            ("contract.sql", "ALTER TABLE users DROP COLUMN full_name;\n"),
        ],
    );
    project.migration(
        "0003_index",
        &[
            ("migration.toml", "description = \"an index\"\n"),
            (
                "expand.sql",
                "-- migrate: no-transaction\nCREATE INDEX CONCURRENTLY users_name ON users (name);\n",
            ),
        ],
    );
    project
}

#[test]
fn a_pooler_in_transaction_mode_may_stand_between() {
    let server = PrivateServer::start();
    let direct = server.create("shop");
    let pooler = Pooler::start(server.port(), 2);
    let pooled = Db::at("postgres", pooler.url("shop"));
    let project = split(&pooled);

    project.migrate(&["expand"]).expect_code(0);
    // More instances than there are sessions behind the pooler.
    let agents: Vec<_> = (0..5)
        .map(|number| {
            let name = format!("server-{number}");
            let command = [
                "agent",
                "--service",
                "web",
                "--version",
                "1.1.0",
                "--instance",
                &name,
                "--",
                "sleep",
                "600",
            ];
            project.spawn(&command)
        })
        .collect();
    let seen = || {
        let fleet = project
            .migrate(&["fleet", "--output", "json"])
            .expect_code(0)
            .json();
        // Those that only start are evidence of nothing yet.
        let entry = &fleet["fleet"][0];
        (entry["instances"] == 5 && entry["state"] == "serving").then_some(())
    };
    eventually(GENEROUS, seen);

    project.migrate(&["backfill"]).expect_code(0);
    project.migrate(&["status"]).expect_code(0);
    let refused = project.migrate(&["contract", "2"]).expect_code(11);
    assert!(refused.stdout.contains("5 instances"), "{}", refused.stdout);
    project
        .migrate(&["gate", "deploy", "web=1.2.0"])
        .expect_code(0);

    // Several at once, all through two sessions: one coordinates, and the others say so or wait.
    let racers: Vec<_> = (0..3)
        .map(|_| project.spawn(&["contract", "2", "--wait", "60s"]))
        .collect();
    let newer = project.spawn(&[
        "agent",
        "--service",
        "web",
        "--version",
        "1.2.0",
        "--instance",
        "new",
        "--",
        "sleep",
        "600",
    ]);
    for agent in &agents {
        agent.signal(Signal::TERM);
    }
    for racer in racers {
        let ended = racer.wait();
        assert_eq!(ended.code, 0, "{}{}", ended.stdout, ended.stderr);
    }
    assert_eq!(
        direct.value("SELECT count(*) FROM users WHERE name IS NULL"),
        "0"
    );
    let contracted = direct.value(
        "SELECT count(*) FROM phasegate.events WHERE kind = 'phase' AND detail LIKE '%\"to\":\"contracted\"%'",
    );
    assert_eq!(contracted, "1");
    drop(newer);

    // Nothing of ours stays in the sessions that others get next: looked at in both, each held by
    // an open transaction.
    let (first, second) = block_on(async {
        let mut first = session(&pooler).await;
        let mut second = session(&pooler).await;
        (
            left_behind(&mut first).await,
            left_behind(&mut second).await,
        )
    });
    let clean = ["0", "0", "0", "\"$user\", public", "0"].map(str::to_owned);
    assert_eq!(first, clean);
    assert_eq!(second, clean);
}

/// A client of the pooler that asks for nothing unusual when it connects.
async fn session(pooler: &Pooler) -> PgConnection {
    let options = PgConnectOptions::from_str(&pooler.url("shop")).expect("a URL");
    PgConnection::connect_with(&options.extra_float_digits(None))
        .await
        .expect("the pooler accepts a client")
}

/// What a session has that it was not born with. Leaves its transaction open, so that the next
/// client gets another session.
async fn left_behind(session: &mut PgConnection) -> Vec<String> {
    session.execute("BEGIN").await.expect("a transaction");
    let mut found = Vec::new();
    for query in [
        "SELECT current_setting('lock_timeout')",
        "SELECT current_setting('statement_timeout')",
        "SELECT current_setting('idle_in_transaction_session_timeout')",
        "SELECT current_setting('search_path')",
        "SELECT count(*)::text FROM pg_prepared_statements",
    ] {
        let row = session.fetch_one(query).await.expect("an answer");
        found.push(row.get::<String, _>(0));
    }
    found
}
