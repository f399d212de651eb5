//! A database whose ledger was lost, or left out of a restore, is not taken for a new one.

use std::time::Duration;

use crate::support::backend::Db;
use crate::support::project::{Output, Signal};
use crate::support::shop::{CONTRACT, NAME, Shop, said};
use crate::support::wait::{GENEROUS, eventually};

/// Names a table of the ledger has while it is away, and back.
fn renames(shop: &Shop, from: &str, to: &str) -> Vec<String> {
    let tables = match shop.db.backend.name {
        "postgres" => return vec![format!("ALTER SCHEMA {from} RENAME TO {to}")],
        "mysql" => {
            "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE()"
        }
        _ => "SELECT name FROM sqlite_master WHERE type = 'table'",
    };
    let tables = shop.db.query(tables).into_iter().flatten();
    let own = tables.filter(|table| table.starts_with(&format!("{from}_")));
    own.map(|table| {
        let there = table.replacen(from, to, 1);
        format!("ALTER TABLE {table} RENAME TO {there}")
    })
    .collect()
}

/// As if the ledger had been left out of a restore.
pub fn lose(shop: &Shop) {
    for rename in renames(shop, "phasegate", "away") {
        shop.db.execute(&rename);
    }
}

pub fn restore(shop: &Shop) {
    for rename in renames(shop, "away", "phasegate") {
        shop.db.execute(&rename);
    }
}

const DEPLOY: &[&str] = &["gate", "deploy", "web=1.0.0"];
const ADMIT: &[&str] = &["admit", "--service", "web", "--version", "1.0.0"];
const AGENT: &[&str] = &[
    "agent",
    "--service",
    "web",
    "--version",
    "1.0.0",
    "--",
    "echo",
    "started",
];

fn told(output: &Output) -> String {
    let text = format!("{} {}", output.stdout, said(output));
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// It says what is there, by which migration, and both ways out.
#[track_caller]
fn is_unknown(output: &Output) {
    let text = told(output);
    for part in [
        "the column `name` of `users`, which 0001_name makes, is there already",
        "restore the ledger from the backup",
        "`migrate adopt --baseline`",
    ] {
        assert!(text.contains(part), "no {part:?} in: {text}");
    }
    assert!(!output.stdout.contains("started"), "{output:?}");
}

/// A shop whose migration was contracted: 1.0.0 reads a column that is gone.
fn contracted(db: Db) -> Shop {
    let shop = Shop::backfilled(db);
    shop.run(&["contract"], 0);
    shop.run(DEPLOY, 11);
    shop
}

scenario!(
    fn a_lost_ledger_is_no_new_database(db: Db) {
        let shop = contracted(db);
        lose(&shop);
        for asked in [
            DEPLOY,
            ADMIT,
            AGENT,
            &["expand"],
            &["expand", "1"],
            &["gate", "expand", "1"],
            &["gate", "contract", "1"],
            &["contract", "1", "--accept-unknown", "the fleet is known"],
            &["plan", "--to", "web=1.2.0"],
        ] {
            is_unknown(&shop.changes_nothing(asked, 12));
        }
        let status = shop.changes_nothing(&["status"], 12);
        let text = told(&status);
        assert!(!text.contains("safe now"), "{text}");
        assert!(!text.contains("nothing has been applied"), "{text}");
        assert!(text.contains("the ledger"), "{text}");
        assert!(!text.contains("may start:  any"), "{text}");
        let gate = shop.json(DEPLOY, 12);
        let blocker = &gate["blockers"][0];
        assert_eq!(blocker["kind"], "source");
        assert_eq!(blocker["details"]["status"], "lost");
        assert_eq!(blocker["details"]["made_by"], NAME);
        // With the ledger all is as it was.
        restore(&shop);
        shop.run(DEPLOY, 11);
        shop.run(&["gate", "deploy", "web=1.2.0"], 0);
    }
);

scenario!(
    fn nor_is_one_in_which_somebody_has_begun_a_new_ledger(db: Db) {
        let shop = contracted(db);
        lose(&shop);
        let directory = shop.project.path().join(NAME);
        let aside = shop.project.path().join("aside");
        std::fs::rename(&directory, &aside).expect("a directory");
        // Of a project without migrations nothing is known that would be there.
        shop.run(&["expand"], 0);
        std::fs::rename(&aside, &directory).expect("a directory");
        for asked in [DEPLOY, ADMIT, AGENT, &["gate", "expand", "1"]] {
            is_unknown(&shop.changes_nothing(asked, 12));
        }
        is_unknown(&shop.run(&["expand"], 12));
        assert_eq!(shop.phase(1), "pending");
    }
);

const BASELINE: &[&str] = &[
    "adopt",
    "--baseline",
    "--reason",
    "one column is of no matter",
];

/// A baseline is not recorded, and no file of one is written.
#[track_caller]
fn takes_no_baseline(shop: &Shop, sign: &str) {
    let text = told(&shop.changes_nothing(BASELINE, 11));
    for part in [sign, "restore the ledger", "take it out of the project"] {
        assert!(text.contains(part), "no {part:?} in: {text}");
    }
}

scenario!(
    fn nor_is_it_taken_for_a_baseline_where_a_later_expand_has_run(db: Db) {
        let shop = contracted(db);
        lose(&shop);
        takes_no_baseline(
            &shop,
            "the column `name` of `users`, which 0001_name makes, is there already",
        );
        assert!(!shop.project.path().join("0000_baseline").exists());
        is_unknown(&shop.changes_nothing(DEPLOY, 12));
    }
);

scenario!(
    fn nor_where_a_later_contract_has_run(db: Db) {
        let shop = Shop::new(db);
        shop.run(&["adopt", "--baseline"], 0);
        let declared = "description = \"Full names go\"\n[services.web]\nold = \"<1.1.0\"\n";
        let files = [("migration.toml", declared), ("contract.sql", CONTRACT)];
        shop.project.migration("0001_gone", &files);
        shop.run(&["contract"], 0);
        shop.run(DEPLOY, 11);
        lose(&shop);
        let status = told(&shop.changes_nothing(&["status"], 12));
        assert!(status.contains("0000_baseline makes"), "{status}");
        shop.changes_nothing(DEPLOY, 12);
        takes_no_baseline(
            &shop,
            "the column `full_name` of `users`, which the contract of 0001_gone takes away, is not there",
        );
        // With the migration out of the project, it is as it says.
        let directory = shop.project.path().join("0001_gone");
        std::fs::remove_dir_all(&directory).expect("a directory");
        shop.run(BASELINE, 0);
        shop.run(DEPLOY, 0);
    }
);

scenario!(
    fn what_nobody_has_made_yet_is_pending(db: Db) {
        let shop = Shop::with_name(db);
        // Tables without a ledger are what every beginning has.
        let gate = shop.run(DEPLOY, 0);
        assert!(!told(&gate).contains("ledger"), "{gate:?}");
        shop.run(ADMIT, 0);
        shop.run(&["expand"], 0);
        // What a revert has left is no sign either: that it was there is recorded.
        shop.project
            .file(format!("{NAME}/revert.sql"), "SELECT 1;\n");
        shop.run(&["revert", "1"], 0);
        let again = shop.run(&["expand"], 1);
        let text = told(&again);
        for part in ["is there already", "docs/stuck.md"] {
            assert!(
                text.contains(part) || text.contains("is there before it has run"),
                "no {part:?} in: {text}"
            );
        }
        assert!(text.contains("the ledger that told so was lost"), "{text}");
    }
);

scenario!(
    fn an_instance_that_runs_goes_on_until_its_lease_ends(db: Db) {
        let shop = Shop::backfilled(db);
        shop.project.file(
            "migrate.toml",
            "[fleet]\nlease = \"10m\"\nrenew = \"200ms\"\n[services.web]\nmin_instances = 0\n",
        );
        let mut agent = shop.instance("1.1.0", "web-1");
        lose(&shop);
        agent.wait_for_line("the lease could not be renewed", GENEROUS);
        is_unknown(&shop.changes_nothing(ADMIT, 12));
        assert!(!agent.has_ended());
        restore(&shop);
        let renewed = || {
            let sql = format!("SELECT max(renewed_at) FROM {}", shop.ledger("leases"));
            shop.db.value(&sql)
        };
        let before = renewed();
        eventually(Duration::from_secs(150), || {
            (renewed() != before).then_some(())
        });
        agent.signal(Signal::TERM);
        agent.wait();
    }
);
