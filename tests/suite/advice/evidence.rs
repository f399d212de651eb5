//! What is missing in the evidence.

use super::reasons::{Case, is_of};
use super::versions::backfilled;
use super::{Row, Said, asked, go_through};
use crate::support::backend::Db;
use crate::support::project::SESSIONS_OF_TESTS;
use crate::support::shop::{APPEND_ONLY, Shop};
use crate::support::wait::{GENEROUS, eventually};

/// A shop of which only the contract is left, whose own leases are its fleet.
fn registering(db: Db, web: &str) -> Shop {
    let shop = Shop::with_config(db, "[services.web]\nmin_instances = 0\n");
    shop.name_migration(APPEND_ONLY);
    shop.run(&["expand"], 0);
    shop.run(&["backfill"], 0);
    shop.project
        .file("migrate.toml", &format!("[services.web]\n{web}"));
    shop
}

fn with_list(shop: &Shop, web: &str) {
    shop.project.file(
        "migrate.toml",
        &format!("[fleet]\nsources = [{{ kind = \"command\", name = \"list\", run = [\"cat\", \"fleet.jsonl\"] }}]\n[services.web]\n{web}\n"),
    );
}

const CONTRACT: &[&str] = &["gate", "contract", "1"];

pub const ROWS: &[Row<Case>] = &[
    Row {
        case: Case::Failed,
        on: &[],
        make: |db| {
            let shop = backfilled(db);
            shop.fleet_text("oops\n");
            shop
        },
        asks: CONTRACT,
        code: 12,
        says: &["the source `list` failed: ", "line 1"],
        takes: |shop, said| {
            said.tells("repair it");
            shop.fleet(&[("web", "a", "1.2.0")]);
        },
        then: 0,
    },
    Row {
        case: Case::Stale,
        on: &[],
        make: |db| {
            let shop = backfilled(db);
            shop.fleet_text("{\"service\":\"web\",\"instance\":\"a\",\"version\":\"1.2.0\",\"seen_at\":\"2020-01-01T00:00:00Z\"}\n");
            shop
        },
        asks: CONTRACT,
        code: 12,
        says: &["the source `list` is stale"],
        takes: |shop, said| {
            said.tells("wait until it reports again, or repair it");
            shop.fleet(&[("web", "a", "1.2.0")]);
        },
        then: 0,
    },
    Row {
        case: Case::Unreachable,
        on: &["postgres", "mysql"],
        make: |db| {
            let shop = backfilled(db);
            // Nobody listens there.
            let (scheme, _) = shop.db.url.split_once("://").expect("a URL");
            shop.project
                .env("DATABASE_URL", &format!("{scheme}://me@127.0.0.1:1/shop"));
            shop
        },
        asks: CONTRACT,
        code: 12,
        says: &["the database cannot be reached", "127.0.0.1:1/shop"],
        takes: |shop, said| {
            said.tells("ask again when the database can be reached; running instances go on under their leases");
            shop.project.env("DATABASE_URL", &shop.db.url);
        },
        then: 0,
    },
    Row {
        case: Case::Unseen,
        on: &[],
        make: |db| {
            let shop = backfilled(db);
            with_list(&shop, "min_instances = 2");
            shop.fleet(&[("web", "a", "1.2.0")]);
            shop
        },
        asks: CONTRACT,
        code: 12,
        says: &["1 of at least 2 instances of web are seen: others may be live unseen"],
        takes: |shop, said| {
            said.tells("start them with `migrate agent`, name a source that sees them, or set min_instances = 1 under [services.web]");
            shop.fleet(&[("web", "a", "1.2.0"), ("web", "b", "1.2.0")]);
        },
        then: 0,
    },
    Row {
        case: Case::Settling,
        on: &[],
        make: |db| {
            let shop = registering(
                db,
                "min_instances = 1\nmin_ready = \"4s\"\n[fleet]\nrenew = \"100ms\"\n",
            );
            // It goes on for as long as this test does.
            std::mem::forget(shop.instance("1.2.0", "web-1"));
            // Until it has renewed its lease.
            eventually(GENEROUS, || {
                let answer = shop.project.migrate(CONTRACT);
                (answer.code == 10).then_some(())
            });
            shop
        },
        asks: CONTRACT,
        code: 10,
        says: &[
            "0 of at least 1 instances of web have stayed for `min_ready` so far; 1 more is starting and renews its lease",
        ],
        takes: |shop, said| {
            said.tells("it counts once it has stayed for `min_ready`");
            eventually(GENEROUS, || {
                let answer = shop.project.migrate(CONTRACT);
                (answer.code == 0).then_some(())
            });
        },
        then: 0,
    },
    Row {
        case: Case::Label,
        on: &[],
        make: |db| {
            let shop = backfilled(db);
            with_list(&shop, "min_instances = 0");
            shop.fleet(&[("web", "a", "3f2a91c")]);
            shop
        },
        asks: CONTRACT,
        code: 12,
        says: &["`3f2a91c` of web is live and cannot be placed among the versions"],
        takes: |shop, said| {
            said.tells("[services.web] aliases = { \"3f2a91c\" = \"1.2.3\" }");
            with_list(
                shop,
                "min_instances = 0\naliases = { \"3f2a91c\" = \"1.2.3\" }",
            );
        },
        then: 0,
    },
    Row {
        case: Case::Unaccounted,
        on: &["postgres", "mysql"],
        make: |db| {
            let shop = registering(db, "min_instances = 0\n[fleet]\nsessions = \"strict\"\n");
            // Open for as long as this test lasts.
            let mut plain = shop.db.connect_plainly();
            plain.query("SELECT full_name FROM users");
            std::mem::forget(plain);
            shop
        },
        asks: CONTRACT,
        code: 12,
        says: &["belong", "may be of one that does not register"],
        takes: |shop, said| {
            said.tells("declared in migrate.toml: [[fleet.allow_session]] with `user`, `application` or `address`, and a `reason`");
            let user = match shop.db.backend.name {
                "postgres" => "postgres",
                _ => "root",
            };
            shop.project.file("migrate.toml", &format!("[services.web]\nmin_instances = 0\n[[fleet.allow_session]]\nuser = \"{user}\"\nreason = \"a console\"\n{SESSIONS_OF_TESTS}"));
        },
        then: 0,
    },
    Row {
        case: Case::UnknownService,
        on: &[],
        make: |db| {
            let shop = registering(db, "min_instances = 0\n[services.wrk]\nmin_instances = 0\n");
            shop.run(
                &[
                    "admit",
                    "--service",
                    "wrk",
                    "--version",
                    "1.0.0",
                    "--instance",
                    "wrk-1",
                ],
                0,
            );
            shop.project
                .file("migrate.toml", "[services.web]\nmin_instances = 0\n");
            shop
        },
        asks: CONTRACT,
        code: 12,
        says: &[
            "an instance of `wrk` is live, and neither migrate.toml nor a migration names that service",
        ],
        takes: |shop, said| {
            said.tells("otherwise name the service under [services] in migrate.toml");
            shop.project.file(
                "migrate.toml",
                "[services.web]\nmin_instances = 0\n[services.wrk]\nmin_instances = 0\n",
            );
        },
        then: 0,
    },
];

scenario!(
    fn what_is_missing_in_the_evidence_can_be_had(db: Db) {
        go_through(&db, ROWS, is_of);
    }
);

scenario!(
    fn of_a_lost_instance_the_command_that_ends_its_lease_is_named(db: Db) {
        let shop = registering(
            db,
            "min_instances = 0\n[fleet]\nrenew = \"100ms\"\nlease = \"60s\"\n",
        );
        let instance = shop.instance("1.1.0", "web-1");
        instance.signal(crate::support::project::Signal::KILL);
        drop(instance);
        let lost = eventually(GENEROUS, || {
            let answer = shop.project.migrate(CONTRACT);
            answer.stdout.contains("lost since").then_some(answer)
        });
        assert!([10, 11].contains(&lost.code), "{lost:?}");
        Said::of(&lost).run_with(
            &shop,
            "migrate fleet forget web-1 --reason TEXT",
            ("TEXT", "its host burnt down"),
            0,
        );
        asked(&shop, CONTRACT, 0).tells("go: contract 0001_name");
    }
);
