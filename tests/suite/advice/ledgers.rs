//! A ledger that is elsewhere, gone, or not of this program alone.

use super::around::Case;
use super::versions::expanded;
use super::{Row, go_through};
use crate::support::backend::Db;
use crate::support::shop::Shop;

/// The shop whose ledger is in a database of its own, which has something recorded in it.
fn apart() -> Shop {
    expanded(Db::apart())
}

/// The URL without the parameter that names the ledger, and that name.
fn taken_apart(shop: &Shop) -> (&str, &str) {
    let parts = shop.db.url.split_once("?ledger=");
    parts.expect("the URL of a shop whose ledger is apart")
}

/// With this after the URL of the application's database.
fn told(shop: &Shop, ledger: &str) {
    let (url, _) = shop.db.url.split_once('?').unwrap_or((&shop.db.url, ""));
    shop.project.env("DATABASE_URL", &format!("{url}{ledger}"));
}

fn name_of(db: &Db) -> &str {
    let (url, _) = db.url.split_once('?').unwrap_or((&db.url, ""));
    url.rsplit('/').next().expect("a URL")
}

const STATUS: &[&str] = &["status"];

pub const ROWS: &[Row<Case>] = &[
    Row {
        case: Case::Apart,
        on: &["mysql"],
        make: |_| {
            let shop = apart();
            told(&shop, "");
            shop
        },
        asks: STATUS,
        code: 1,
        says: &["is in a database of its own", "nothing here says so"],
        takes: |shop, said| {
            said.tells("`ledger = \"…\"` under [database] in migrate.toml with that name");
            let (_, ledger) = taken_apart(shop);
            said.tells(&format!("`{ledger}`"));
            let path = shop.project.path().join("migrate.toml");
            let text = std::fs::read_to_string(path).expect("it is there");
            let config = format!("[database]\nledger = \"{ledger}\"\n{text}");
            shop.project.file("migrate.toml", &config);
        },
        then: 0,
    },
    Row {
        case: Case::Within,
        on: &["mysql"],
        make: |db| {
            let shop = expanded(db);
            told(&shop, "?ledger=nowhere");
            shop
        },
        asks: STATUS,
        code: 1,
        says: &["the ledger is to be in `nowhere`, and it is in "],
        takes: |shop, said| {
            said.tells("leave `ledger` out of migrate.toml and of the URL");
            told(shop, "");
        },
        then: 0,
    },
    Row {
        case: Case::NotOfHere,
        on: &["mysql"],
        make: |db| {
            let other = apart();
            let shop = Shop::with_fleet(db, "[services.web]\nmin_instances = 0\n");
            let (_, ledger) = taken_apart(&other);
            told(&shop, &format!("?ledger={ledger}"));
            // Its databases are gone with the server.
            std::mem::forget(other);
            shop
        },
        asks: &["expand"],
        code: 1,
        says: &["the ledger in `", "is not that of `", ", but that of `"],
        takes: |shop, said| {
            said.tells("another name in `ledger`");
            told(shop, &format!("?ledger={}_own", name_of(&shop.db)));
        },
        then: 0,
    },
    Row {
        case: Case::LedgerLost,
        on: &["mysql"],
        make: |_| {
            let shop = apart();
            let (url, ledger) = taken_apart(&shop);
            Db::at("mysql", url).execute(&format!("DROP DATABASE {ledger}"));
            shop
        },
        asks: STATUS,
        code: 1,
        says: &["there is none there", "is lost, or was not restored"],
        takes: |shop, said| {
            said.tells(
                "where this is a copy that never had one, drop the table `phasegate_meta` here",
            );
            let (url, _) = taken_apart(shop);
            Db::at("mysql", url).execute("DROP TABLE phasegate_meta");
        },
        // What the migrations make is there, and nothing tells how far they are.
        then: 12,
    },
    Row {
        case: Case::NoPlace,
        on: &["mysql"],
        make: |db| {
            let shop = Shop::with_fleet(db, "[services.web]\nmin_instances = 0\n");
            let database = name_of(&shop.db);
            let clerk = format!("{database}_c");
            shop.db.execute(&format!(
                "CREATE USER {clerk}@'%' IDENTIFIED BY 'right'; GRANT ALL ON {database}.* TO {clerk}@'%'"
            ));
            let (scheme, rest) = shop.db.url.split_once("://").expect("a URL");
            let (_, place) = rest.split_once('@').expect("a URL with a user");
            let url = format!("{scheme}://{clerk}:right@{place}?ledger={database}_ledger");
            shop.project.env("DATABASE_URL", &url);
            shop
        },
        asks: &["expand"],
        code: 1,
        says: &["does not exist, or this user has no right in it"],
        takes: |shop, said| {
            let statements = said.between("somebody who may has to run: ", " TO …");
            let clerk = format!("{}_c", name_of(&shop.db));
            for statement in format!("{statements} TO {clerk}").split("; ") {
                shop.db.execute(statement);
            }
        },
        then: 0,
    },
    Row {
        case: Case::Foreign,
        on: &[],
        make: |db| {
            let shop = expanded(db);
            let events = shop.ledger("events");
            shop.db.execute(&match shop.db.backend.name {
                "sqlite" => format!("CREATE TRIGGER odd AFTER INSERT ON {events} BEGIN SELECT 1; END"),
                "postgres" => format!(
                    "CREATE FUNCTION public.odd() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; \
                     CREATE TRIGGER odd BEFORE INSERT ON {events} FOR EACH ROW EXECUTE FUNCTION public.odd()"
                ),
                _ => format!("CREATE TRIGGER odd AFTER INSERT ON {events} FOR EACH ROW SET @odd = 1"),
            });
            shop
        },
        asks: &["backfill"],
        code: 1,
        says: &[
            "it is not what this program has made",
            "has the trigger odd",
        ],
        takes: |shop, said| {
            said.tells("drop what else is named here");
            let of = match shop.db.backend.name {
                "postgres" => format!(" ON {}", shop.ledger("events")),
                _ => String::new(),
            };
            shop.db.execute(&format!("DROP TRIGGER odd{of}"));
        },
        then: 0,
    },
];

scenario!(
    fn a_ledger_that_is_not_what_it_was_says_what_to_do(db: Db) {
        go_through(&db, ROWS, |_, _, _| ());
    }
);
