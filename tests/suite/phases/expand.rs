//! Expand: in order, once, and recorded.

use crate::support::shop::{APPEND_ONLY, NAME, Shop};

const ADDITIVE: &str = "description = \"Add something\"\n[services.web]\nnew = \">=1.1.0\"\n";

/// Three migrations that only add a column each.
fn three(shop: &Shop) {
    for (number, column) in [(1, "a"), (2, "b"), (3, "c")] {
        shop.project.migration(
            &format!("{number:04}_{column}"),
            &[
                ("migration.toml", ADDITIVE),
                (
                    "expand.sql",
                    &format!("ALTER TABLE users ADD COLUMN {column} TEXT;\n"),
                ),
            ],
        );
    }
}

fn phases(shop: &Shop) -> [String; 3] {
    [1, 2, 3].map(|number| shop.phase(number))
}

scenario!(
    apart fn the_ledger_is_made_before_there_is_a_migration(db: Db) {
        // Instances register from the first day on, and have no right to make it.
        let shop = Shop::new(db);
        let ledger = |shop: &Shop| {
            let status = shop.run(&["status", "--output", "json"], 0);
            status.json()["ledger"].clone()
        };
        assert_eq!(ledger(&shop), false);
        let first = shop.run(&["expand"], 0);
        assert_eq!(first.stdout, "made the ledger; nothing to expand\n");
        assert_eq!(ledger(&shop), true);
        let second = shop.run(&["expand"], 0);
        assert_eq!(second.stdout, "nothing to expand\n");
        shop.run(&["log", "--verify"], 0);
    }
);

scenario!(
    apart fn expand_applies_every_pending_migration_once(db: Db) {
        let shop = Shop::new(db);
        three(&shop);
        let output = shop.run(&["expand"], 0);
        for id in ["0001_a", "0002_b", "0003_c"] {
            assert!(
                output.stdout.contains(&format!("expanded {id}")),
                "{output:?}"
            );
        }
        assert_eq!(phases(&shop), ["expanded"; 3]);
        assert_eq!(
            shop.db
                .value("SELECT count(*) FROM users WHERE a IS NULL AND b IS NULL AND c IS NULL"),
            "5"
        );
        let second = shop.changes_nothing(&["expand"], 0);
        assert_eq!(second.stdout, "nothing to expand\n");
    }
);

scenario!(
    apart fn a_second_run_of_every_step_changes_nothing(db: Db) {
        let shop = Shop::with_name(db);
        for step in ["expand", "backfill", "contract"] {
            shop.run(&[step, NAME], 0);
            let stripped = |text: String| {
                // Taking and returning the coordinator's lease leaves its last holder behind.
                let lines = text.lines().filter(|line| !line.contains("coordinator"));
                lines.collect::<Vec<_>>().join("\n")
            };
            let before = stripped(shop.dump());
            shop.run(&[step], 0);
            shop.run(&[step, NAME], 0);
            assert_eq!(stripped(shop.dump()), before, "{step}");
        }
        assert_eq!(shop.phase(1), "contracted");
    }
);

scenario!(
    apart fn expand_goes_up_to_a_migration(db: Db) {
        let shop = Shop::new(db);
        three(&shop);
        shop.run(&["expand", "--up-to", "2"], 0);
        assert_eq!(phases(&shop), ["expanded", "expanded", "pending"]);
        shop.changes_nothing(&["expand", "--up-to", "0002_b"], 0);
        shop.run(&["expand", "--up-to", "0003_c"], 0);
        assert_eq!(phases(&shop), ["expanded"; 3]);
    }
);

scenario!(
    apart fn expand_keeps_the_order(db: Db) {
        let shop = Shop::new(db);
        three(&shop);
        let refused = shop.run(&["expand", "0002"], 11);
        assert!(
            refused.stdout.contains("0001_a comes before it"),
            "{refused:?}"
        );
        assert!(
            refused.stdout.contains("migrate expand --up-to 0002_b"),
            "{refused:?}"
        );
        assert_eq!(phases(&shop), ["pending"; 3]);
        // However they are named, they are taken in order.
        shop.run(&["expand", "0002", "1"], 0);
        assert_eq!(phases(&shop), ["expanded", "expanded", "pending"]);
        let json = shop.json(&["expand", "3"], 0);
        assert_eq!(json["verdict"], "go");
        assert_eq!(json["results"][0]["outcome"], "done");
        assert_eq!(json["results"][0]["migration"], "0003_c");
        assert_eq!(json["results"][0]["statements"], 1);
        let json = shop.json(&["expand", "3"], 0);
        assert_eq!(json["results"][0]["outcome"], "already");
    }
);

scenario!(
    apart fn a_new_format_may_need_no_statement(db: Db) {
        let shop = Shop::new(db);
        shop.project.migration(
            "0001_wider",
            &[(
                "migration.toml",
                "description = \"A third kind of value\"\nsync = \"to-new\"\n\
                 [services.web]\nreads = { old = \"<1.1.0\", new = \">=1.1.0\" }\nwrites = { old = \"<1.2.0\", new = \">=1.2.0\" }\n\
                 [expand]\nnothing_to_do = \"the column takes any text already\"\n",
            )],
        );
        let data = shop.data();
        shop.run(&["gate", "deploy", "web=1.2.0"], 11);
        shop.run(&["expand"], 0);
        assert_eq!(shop.phase(1), "expanded");
        assert_eq!(shop.data(), data);
        shop.run(&["gate", "deploy", "web=1.2.0"], 0);
        // 1.0 would meet a value that it cannot read.
        shop.run(
            &[
                "admit",
                "--service",
                "web",
                "--version",
                "1.0.0",
                "--instance",
                "a",
            ],
            0,
        );
        let refused = shop.run(&["gate", "deploy", "web=1.2.0"], 10);
        // Nothing of a row is stale where a value more is allowed.
        assert!(
            refused.stdout.contains("right in the new format only"),
            "{refused:?}"
        );
        assert!(!refused.stdout.contains("stale"), "{refused:?}");
        let instead = "versions of web that may start now: <1.2.0";
        assert!(refused.stdout.contains(instead), "{refused:?}");
        shop.run(&["gate", "deploy", "web=1.1.0"], 0);
    }
);

scenario!(
    apart fn a_dead_coordinator_is_waited_for_until_its_lease_ends(db: Db) {
        let shop = Shop::with_config(
            db,
            "[services.web]\nmin_instances = 0\n[fleet]\ncoordinator_lease = \"2s\"\n",
        );
        three(&shop);
        shop.project.env("PHASEGATE_CRASH_AT", "expand.recording");
        shop.run(&["expand", "1"], 137);
        shop.project.env_remove("PHASEGATE_CRASH_AT");
        let left = if shop.db.backend.transactional_ddl {
            "pending"
        } else {
            "expanding"
        };
        assert_eq!(shop.phase(1), left);
        shop.run(&["expand"], 0);
        assert_eq!(phases(&shop), ["expanded"; 3]);
    }
);

scenario!(
    apart fn a_dead_coordinators_lease_from_a_clock_that_was_ahead_is_taken_over(db: Db) {
        let shop = Shop::with_config(db, "[services.web]\nmin_instances = 0\n");
        three(&shop);
        shop.run(&["expand", "1"], 0);
        // It ends in the year 2128.
        let ahead = format!(
            "UPDATE {} SET holder = 'ci@gone (process 1)', doing = 'contract 0001_x', expires_at = 4985000000000",
            shop.db.ledger("coordinator")
        );
        assert_eq!(shop.db.execute(&ahead), 1);
        let waited = shop.run(&["expand", "--wait", "1s"], 0);
        let told = "ci@gone (process 1) is at work (contract 0001_x); waiting, for no more than 30 s";
        assert!(waited.stderr.contains(told), "{waited:?}");
        assert_eq!(phases(&shop), ["expanded"; 3]);
        let log = shop.json(&["log"], 0).to_string();
        assert!(log.contains("\"after\":\"ci@gone (process 1)\""), "{log}");
    }
);

scenario!(
    apart fn a_live_version_that_contradicts_the_declaration_is_asked_about(db: Db) {
        let shop = Shop::with_fleet(db, "[services.web]\nmin_instances = 0\n");
        // As it comes about when the new format is declared for all: 1.0.0 runs, and works without it.
        shop.name_declaration(&APPEND_ONLY.replace(">=1.1.0", ">=1.0.0"));
        shop.fleet(&[("web", "a", "1.0.0")]);
        let data = shop.data();
        for command in [
            &["expand"][..],
            &["gate", "expand", "1"],
            &["backfill", "1"],
            &["contract", "1"],
            &["contract", "1", "--wait", "1s"],
        ] {
            let refused = shop.run(command, 11);
            for part in [
                "web 1.0.0 is live",
                "does not exist yet",
                "are `old` and `new` swapped?",
            ] {
                assert!(refused.stdout.contains(part), "{part} in {refused:?}");
            }
        }
        assert_eq!(shop.data(), data);
        // One that only starts may be waiting for this very expand.
        shop.fleet_text("{\"service\":\"web\",\"instance\":\"a\",\"version\":\"1.0.0\",\"state\":\"starting\"}\n");
        shop.run(&["gate", "expand", "1"], 0);
        shop.fleet(&[("web", "a", "1.0.0")]);
        shop.run(&["gate", "expand", "1"], 11);
        // Nothing is applied, so the declaration can be put right.
        shop.name_declaration(APPEND_ONLY);
        shop.run(&["expand"], 0);
        assert_eq!(shop.phase(1), "expanded");
    }
);
