//! What a database says no to: who connects, with what rights, how, and how long a statement may take.

use super::errors::Case;
use super::reasons;
use super::versions::{backfilled, declared, expanded};
use super::{Row, Said, go_through};
use crate::grants::statements;
use crate::support::backend::Db;
use crate::support::shop::{APPEND_ONLY, BACKFILL, NAME, Shop};

/// The URL of a shop's database without parameters.
fn plain(db: &Db) -> &str {
    db.url.split('?').next().expect("a URL")
}

/// The name of a shop's database, of which the users of a row have theirs: a server has them for all of its databases.
fn name_of(db: &Db) -> &str {
    plain(db).rsplit('/').next().expect("a URL")
}

/// The shop's URL for somebody else.
fn url_as(shop: &Shop, user: &str) -> String {
    let (scheme, rest) = plain(&shop.db).split_once("://").expect("a URL");
    let (_, place) = rest.split_once('@').expect("a URL with a user");
    format!("{scheme}://{user}@{place}")
}

/// Somebody who may log in and nothing else; his name.
fn clerk(shop: &Shop) -> String {
    let clerk = format!("{}_c", name_of(&shop.db));
    shop.db.execute(&match shop.db.backend.name {
        "postgres" => format!("CREATE ROLE {clerk} LOGIN PASSWORD 'right'"),
        _ => format!("CREATE USER {clerk}@'%' IDENTIFIED BY 'right'"),
    });
    clerk
}

/// As the clerk from now on, with what is said of him.
fn works_as(shop: &Shop, clerk: &str, parameters: &str) {
    let url = url_as(shop, &format!("{clerk}:right"));
    shop.project
        .env("DATABASE_URL", &format!("{url}{parameters}"));
}

/// Gives the clerk what docs/grants.md has under a heading, as it stands there but for the names.
fn grant(shop: &Shop, clerk: &str, heading: &str) {
    let database = format!("{}.", name_of(&shop.db));
    for statement in statements(heading).split(";") {
        let lines = statement
            .lines()
            .map(|line| line.split(" --").next().unwrap_or(line));
        let statement = lines.collect::<Vec<_>>().join(" ");
        let statement = statement.trim().trim_start_matches("-- ");
        if statement.starts_with("GRANT") {
            let statement = statement.replace(" shop.", &format!(" {database}"));
            shop.db.execute(&statement.replace("shop_ci", clerk));
        }
    }
}

fn readers(shop: &Shop) -> &'static str {
    match shop.db.backend.name {
        "postgres" => "Readers",
        _ => "MySQL and MariaDB: readers",
    }
}

/// Leaves a session of the clerk's open, as somebody does who is away.
fn stays_connected(shop: &Shop, clerk: &str) {
    let url = url_as(shop, &format!("{clerk}:right"));
    let session = (shop.db.backend.connect_plainly)(&url);
    std::mem::forget(session.expect("the first one"));
}

fn with_parameter(shop: &Shop, parameter: &str) {
    let url = plain(&shop.db);
    shop.project
        .env("DATABASE_URL", &format!("{url}?{parameter}"));
}

const STATUS: &[&str] = &["status"];

pub const ROWS: &[Row<Case>] = &[
    Row {
        case: Case::Authentication,
        on: &["postgres", "mysql"],
        make: |db| {
            let shop = expanded(db);
            let clerk = clerk(&shop);
            grant(&shop, &clerk, readers(&shop));
            let url = url_as(&shop, &format!("{clerk}:wrong"));
            shop.project.env("DATABASE_URL", &url);
            shop
        },
        asks: STATUS,
        code: 1,
        says: &["refuses the user or the password", "_c@127.0.0.1"],
        takes: |shop, said| {
            said.tells("check the user and the password in the database URL");
            works_as(shop, &format!("{}_c", name_of(&shop.db)), "");
        },
        then: 0,
    },
    Row {
        case: Case::Permission,
        on: &["postgres", "mysql"],
        make: |db| {
            let shop = expanded(db);
            let clerk = clerk(&shop);
            if shop.db.backend.name == "mysql" {
                let database = name_of(&shop.db);
                shop.db
                    .execute(&format!("GRANT SELECT ON {database}.users TO {clerk}@'%'"));
            }
            works_as(&shop, &clerk, "");
            shop
        },
        asks: STATUS,
        code: 1,
        says: &["the database user lacks a right"],
        takes: |shop, said| {
            said.tells("docs/grants.md");
            grant(shop, &format!("{}_c", name_of(&shop.db)), readers(shop));
        },
        then: 0,
    },
    Row {
        case: Case::Tls,
        on: &["postgres", "mysql"],
        make: |db| {
            let shop = expanded(db);
            let asks = match shop.db.backend.name {
                "postgres" => "sslmode=require",
                _ => "ssl-mode=REQUIRED",
            };
            with_parameter(&shop, asks);
            shop
        },
        asks: STATUS,
        code: 12,
        says: &["there is no safe connection", "offers no TLS"],
        takes: |shop, said| {
            said.tells("docs/files.md says what each `sslmode`");
            let asks = match shop.db.backend.name {
                "postgres" => "sslmode=prefer",
                _ => "ssl-mode=PREFERRED",
            };
            with_parameter(shop, asks);
        },
        then: 0,
    },
    Row {
        case: Case::Full,
        on: &["postgres", "mysql"],
        make: |db| {
            let shop = expanded(db);
            let clerk = clerk(&shop);
            grant(&shop, &clerk, readers(&shop));
            shop.db.execute(&match shop.db.backend.name {
                "postgres" => format!("ALTER ROLE {clerk} CONNECTION LIMIT 1"),
                _ => format!("ALTER USER {clerk}@'%' WITH MAX_USER_CONNECTIONS 1"),
            });
            stays_connected(&shop, &clerk);
            works_as(&shop, &clerk, "?connect_timeout=1");
            shop
        },
        asks: STATUS,
        code: 12,
        says: &["has no connection left", "it is safe to try again"],
        takes: |shop, said| {
            said.tells("raise the server's limit");
            let clerk = format!("{}_c", name_of(&shop.db));
            shop.db.execute(&match shop.db.backend.name {
                "postgres" => format!("ALTER ROLE {clerk} CONNECTION LIMIT 4"),
                _ => format!("ALTER USER {clerk}@'%' WITH MAX_USER_CONNECTIONS 4"),
            });
        },
        then: 0,
    },
    Row {
        case: Case::Timeout,
        on: &["postgres", "mysql"],
        make: |db| {
            let shop = declared(db, "");
            let manifest = format!("{APPEND_ONLY}statement_timeout = \"200ms\"\n");
            shop.name_migration(&manifest.replace("batch = 2", "batch = 10"));
            let sleeps = match shop.db.backend.name {
                "postgres" => "full_name || left(pg_sleep(0.1)::text, 0)",
                _ => "CONCAT(full_name, LEFT(SLEEP(0.1), 0))",
            };
            let statement = BACKFILL.replace("= full_name", &format!("= {sleeps}"));
            shop.project
                .file(format!("{NAME}/backfill.sql"), &statement);
            let text = shop.project.path().join("migrate.toml");
            let text = std::fs::read_to_string(text).expect("it is there");
            let config = format!("{text}[database]\nlock_retry_for = \"1s\"\n");
            shop.project.file("migrate.toml", &config);
            shop.run(&["expand"], 0);
            shop
        },
        asks: &["backfill"],
        code: 1,
        says: &["0001_name/backfill.sql", "a statement took too long"],
        takes: |shop, said| {
            said.tells("raise `statement_timeout`");
            let manifest = format!("{APPEND_ONLY}statement_timeout = \"20s\"\n");
            shop.name_declaration(&manifest.replace("batch = 2", "batch = 10"));
        },
        then: 0,
    },
    Row {
        case: Case::LedgerContents,
        // Elsewhere a number is a number: there `Damaged` is what can become of a ledger.
        on: &["sqlite"],
        make: |db| {
            let shop = expanded(db);
            let table = shop.ledger("migrations");
            shop.db
                .execute(&format!("UPDATE {table} SET changed_at = 'soon'"));
            shop
        },
        asks: STATUS,
        code: 1,
        says: &["the ledger does not hold what it should", "soon"],
        takes: |shop, said| {
            let told = said.run(shop, "migrate log --verify", 1);
            let told = Said::of(&told);
            told.tells("the log and the ledger contradict each other");
            told.tells("found the text `soon`");
            // As it stands in the backup.
            let table = shop.ledger("migrations");
            shop.db
                .execute(&format!("UPDATE {table} SET changed_at = 1000"));
        },
        then: 0,
    },
];

/// What the gate does not know because of the rights that it lacks.
pub const RIGHTS: &[Row<reasons::Case>] = &[Row {
    case: reasons::Case::Unlisted,
    // The one that hides who is there.
    on: &["mysql"],
    make: |db| {
        let shop = backfilled(db);
        let clerk = clerk(&shop);
        grant(&shop, &clerk, readers(&shop));
        shop.db
            .execute(&format!("REVOKE PROCESS ON *.* FROM {clerk}@'%'"));
        works_as(&shop, &clerk, "");
        shop
    },
    asks: &["gate", "contract", "1"],
    code: 12,
    says: &["who has sessions in the database cannot be seen", "PROCESS"],
    takes: |shop, said| {
        said.tells("docs/grants.md has the right that it needs");
        said.tells("`sessions = \"note\"` under [fleet]");
        grant(shop, &format!("{}_c", name_of(&shop.db)), readers(shop));
    },
    then: 0,
}];

scenario!(
    fn what_a_database_refuses_says_how_it_is_let_in(db: Db) {
        go_through(&db, ROWS, |_, _, _| ());
        go_through(&db, RIGHTS, reasons::is_of);
    }
);
