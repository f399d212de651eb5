//! Contract: only when nothing uses the old format and nothing can come back to it.

use crate::support::backend::Db;
use crate::support::project::Signal;
use crate::support::shop::{APPEND_ONLY, NAME, Shop, said};
use crate::support::wait::{GENEROUS, eventually};

fn has_old_column(shop: &Shop) -> bool {
    shop.db.try_execute("SELECT full_name FROM users").is_ok()
}

fn with_rules(db: Db, rules: &str) -> Shop {
    let shop = Shop::new(db);
    shop.name_migration(&format!("{APPEND_ONLY}[contract]\n{rules}\n"));
    shop.run(&["expand"], 0);
    shop.run(&["backfill"], 0);
    shop
}

scenario!(
    apart fn a_contract_waits_for_the_old_version_to_go(db: Db) {
        let shop = Shop::backfilled(db);
        let old = shop.instance("1.1.0", "server-7");
        let data = shop.data();
        let held = shop.run(&["contract", NAME], 11);
        for part in [
            "refuse: contract 0001_name",
            "web 1.1.0",
            "server-7",
            "leases",
        ] {
            assert!(held.stdout.contains(part), "{part} in {held:?}");
        }
        assert_eq!(shop.data(), data);
        assert_eq!(shop.phase(1), "backfilled");
        let json = shop.json(&["contract", NAME], 11);
        let blocker = &json["results"][0]["blockers"][0];
        assert_eq!(blocker["kind"], "live_version");
        assert_eq!(blocker["service"], "web");
        assert_eq!(blocker["version"], "1.1.0");
        assert_eq!(blocker["instances"], 1);
        assert_eq!(blocker["examples"][0], "server-7");
        assert_eq!(blocker["source"], "leases");
        old.signal(Signal::TERM);
        old.wait();
        shop.run(&["contract", NAME], 0);
        assert_eq!(shop.phase(1), "contracted");
        assert!(!has_old_column(&shop));
        // There is no way back to what reads the old format.
        let refused = shop.run(&["admit", "--service", "web", "--version", "1.1.0"], 11);
        assert!(refused.stdout.contains("0001_name"), "{refused:?}");
        shop.run(&["admit", "--service", "web", "--version", "1.2.0"], 0);
    }
);

scenario!(
    apart fn a_waiting_contract_goes_through_when_the_instance_ends(db: Db) {
        let shop = Shop::backfilled(db);
        let old = shop.instance("1.1.0", "server-7");
        let mut contract = shop.project.spawn(&["contract", NAME, "--wait", "60s"]);
        contract.wait_for_line("waiting (hold): web 1.1.0", GENEROUS);
        // There is no fence yet: whatever crashes may come back.
        assert_eq!(shop.phase(1), "backfilled");
        shop.run(&["gate", "deploy", "web=1.1.0"], 0);
        let back = shop.instance("1.1.0", "server-8");
        back.signal(Signal::TERM);
        back.wait();
        assert!(has_old_column(&shop));
        old.signal(Signal::TERM);
        old.wait();
        let output = contract.wait().expect_code(0);
        assert!(output.stdout.contains("contracted 0001_name"), "{output:?}");
        assert!(!has_old_column(&shop));
    }
);

scenario!(
    apart fn a_wait_that_runs_out_steps_back(db: Db) {
        let shop = Shop::backfilled(db);
        let _old = shop.instance("1.1.0", "server-7");
        let data = shop.data();
        let held = shop.run(&["contract", NAME, "--wait", "2s"], 11);
        assert!(held.stdout.contains("web 1.1.0"), "{held:?}");
        assert_eq!(shop.phase(1), "backfilled");
        assert_eq!(shop.data(), data);
        shop.run(&["admit", "--service", "web", "--version", "1.1.0"], 0);
    }
);

scenario!(
    apart fn an_interrupted_wait_steps_back(db: Db) {
        let shop = Shop::backfilled(db);
        let _old = shop.instance("1.1.0", "server-7");
        let mut contract = shop.project.spawn(&["contract", NAME, "--wait", "10m"]);
        contract.wait_for_line("waiting", GENEROUS);
        contract.signal(Signal::INT);
        let output = contract.wait().expect_code(130);
        assert!(
            said(&output).contains("old versions may start again"),
            "{output:?}"
        );
        assert_eq!(shop.phase(1), "backfilled");
        shop.run(&["admit", "--service", "web", "--version", "1.1.0"], 0);
    }
);

scenario!(
    apart fn a_dry_run_changes_nothing(db: Db) {
        let shop = Shop::backfilled(db);
        let output = shop.changes_nothing(&["contract", "--dry-run"], 0);
        assert!(
            output
                .stdout
                .contains("ALTER TABLE users DROP COLUMN full_name"),
            "{output:?}"
        );
        let _old = shop.instance("1.1.0", "server-7");
        let held = shop.run(&["contract", NAME, "--dry-run"], 11);
        assert!(held.stdout.contains("web 1.1.0"), "{held:?}");
        assert_eq!(shop.phase(1), "backfilled");
    }
);

scenario!(
    apart fn a_soak_waits_until_no_old_version_was_seen_for_long_enough(db: Db) {
        let shop = with_rules(db, "soak = \"6s\"");
        let old = shop.instance("1.1.0", "server-7");
        old.signal(Signal::TERM);
        old.wait();
        eventually(GENEROUS, || {
            let fleet = shop.project.migrate(&["fleet"]);
            fleet.stdout.contains("no live instance").then_some(())
        });
        let json = shop.json(&["contract", NAME], 10);
        assert_eq!(json["results"][0]["blockers"][0]["kind"], "soak", "{json}");
        assert_eq!(shop.phase(1), "backfilled");
        shop.run(&["contract", NAME, "--wait", "60s"], 0);
        assert_eq!(shop.phase(1), "contracted");
    }
);

scenario!(
    apart fn what_a_contract_requires_has_to_be_zero(db: Db) {
        let shop = with_rules(
            db,
            "require = [\"SELECT count(*) FROM users WHERE full_name = 'Eve'\"]",
        );
        let data = shop.data();
        let refused = shop.run(&["contract", NAME], 11);
        assert!(
            refused.stdout.contains("returns 1, and has to be 0"),
            "{refused:?}"
        );
        assert!(refused.stdout.contains("full_name = 'Eve'"), "{refused:?}");
        shop.run(&["gate", "contract", "1"], 11);
        assert_eq!(shop.data(), data);
        assert_eq!(shop.phase(1), "backfilled");
        shop.db.execute("DELETE FROM users WHERE full_name = 'Eve'");
        shop.run(&["contract", NAME], 0);
    }
);

scenario!(
    fn the_first_question_of_all_asks_what_a_contract_requires(db: Db) {
        let shop = Shop::with_config(db, "[services.web]\nmin_instances = 0\n");
        shop.project.migration(
            "0001_drop",
            &[
                (
                    "migration.toml",
                    "description = \"x\"\n[services.web]\nold = \"<1.1.0\"\n[contract]\nrequire = [\"SELECT count(*) FROM users\"]\n",
                ),
                ("contract.sql", "ALTER TABLE users DROP COLUMN full_name;\n"),
            ],
        );
        // Nobody has acted yet: there is no ledger.
        for arguments in [
            &["gate", "contract", "1"][..],
            &["contract", "1", "--dry-run"],
        ] {
            let refused = shop.run(arguments, 11);
            assert!(refused.stdout.contains("and has to be 0"), "{refused:?}");
        }
        shop.db.execute("DELETE FROM users");
        shop.run(&["gate", "contract", "1"], 0);
    }
);

scenario!(
    apart fn what_is_nearly_zero_is_not_zero(db: Db) {
        let shop = with_rules(db, "require = [\"SELECT 0.4\"]");
        let refused = shop.run(&["contract", NAME], 1);
        let said = said(&refused);
        assert!(
            said.contains("number") || said.contains("integer"),
            "{said}"
        );
        assert!(has_old_column(&shop));
        assert_eq!(shop.phase(1), "backfilled");
    }
);

scenario!(
    apart fn what_a_contract_requires_has_to_be_a_number(db: Db) {
        let shop = with_rules(
            db,
            "require = [\"SELECT full_name FROM users WHERE full_name = 'Eve'\"]",
        );
        let failed = shop.run(&["contract", NAME], 1);
        assert!(said(&failed).contains("migration.toml"), "{failed:?}");
        assert!(
            ["integer", "numeric", "number"]
                .iter()
                .any(|word| said(&failed).contains(word)),
            "{failed:?}"
        );
        assert_eq!(shop.phase(1), "backfilled");
    }
);

scenario!(
    apart fn rows_written_past_the_backfill_refuse_a_contract(db: Db) {
        let shop = Shop::backfilled(db);
        shop.db
            .execute("INSERT INTO users (full_name) VALUES ('Fay')");
        let refused = shop.run(&["contract", NAME], 11);
        assert!(
            refused
                .stdout
                .contains("`remaining` of the backfill returns 1"),
            "{refused:?}"
        );
        assert_eq!(shop.phase(1), "backfilled");
        assert!(has_old_column(&shop));
        // The way out that it names.
        assert!(
            refused.stdout.contains("`migrate backfill 0001_name`"),
            "{refused:?}"
        );
        shop.run(&["backfill", NAME], 0);
        assert_eq!(
            shop.db
                .value("SELECT name FROM users WHERE full_name = 'Fay'"),
            "Fay"
        );
        shop.run(&["contract", NAME], 0);
    }
);

scenario!(
    apart fn missing_instances_make_a_contract_unknown_until_somebody_vouches(db: Db) {
        let shop = Shop::with_config(db, "[services.web]\nmin_instances = 2\n");
        shop.name_migration(APPEND_ONLY);
        shop.run(&["expand"], 0);
        shop.run(&["backfill"], 12);
        shop.run(&["backfill", "--accept-unknown", "nothing runs yet"], 0);
        let unknown = shop.run(&["contract", NAME], 12);
        assert!(
            unknown.stdout.contains("0 of at least 2 instances of web"),
            "{unknown:?}"
        );
        assert_eq!(shop.phase(1), "backfilled");
        shop.run(&["contract", NAME, "--accept-unknown", " "], 2);
        // What is known to be unsafe is not overridden.
        let old = shop.instance("1.1.0", "server-7");
        shop.run(&["contract", NAME, "--accept-unknown", "I looked"], 11);
        old.signal(Signal::TERM);
        old.wait();
        shop.run(
            &[
                "contract",
                NAME,
                "--accept-unknown",
                "the cluster is down, see ticket 7",
            ],
            0,
        );
        assert_eq!(shop.phase(1), "contracted");
        let log = shop.json(&["log"], 0);
        let events = log["events"].as_array().expect("a list");
        let reasons: Vec<_> = events
            .iter()
            .filter(|event| event["kind"] == "override")
            .map(|event| event["detail"]["reason"].as_str().unwrap_or_default())
            .collect();
        assert!(reasons.contains(&"nothing runs yet"), "{log}");
        assert!(
            reasons.contains(&"the cluster is down, see ticket 7"),
            "{log}"
        );
        let text = shop.run(&["log"], 0);
        assert!(text.stdout.contains("see ticket 7"), "{text:?}");
        shop.run(&["log", "--verify"], 0);
    }
);

scenario!(
    apart fn a_killed_contract_is_finished_or_stepped_back_by_the_next(db: Db) {
        let shop = Shop::with_config(
            db,
            "[services.web]\nmin_instances = 0\n[fleet]\ncoordinator_lease = \"2s\"\n",
        );
        shop.name_migration(APPEND_ONLY);
        shop.run(&["expand"], 0);
        shop.run(&["backfill"], 0);
        shop.project.env("PHASEGATE_CRASH_AT", "contract.fenced");
        shop.run(&["contract", NAME], 137);
        shop.project.env_remove("PHASEGATE_CRASH_AT");
        assert_eq!(shop.phase(1), "contracting");
        shop.run(&["admit", "--service", "web", "--version", "1.1.0"], 11);
        shop.run(&["contract", NAME], 0);
        assert_eq!(shop.phase(1), "contracted");
    }
);

scenario!(
    apart fn a_fence_stays_up_once_a_statement_behind_it_has_run(db: Db) {
        // Statement by statement, it is gone already: nobody may go back to the old format.
        let services = "[services.web]\nmin_instances = 0\n[fleet]\ncoordinator_lease = \"1s\"\n\
             sources = [{ kind = \"command\", name = \"list\", run = [\"cat\", \"fleet.jsonl\"] }]\n";
        let shop = Shop::with_config(db, services);
        // The query looks at what the first statement takes away, and must not be asked after it.
        let manifest = APPEND_ONLY.replace(
            "WHERE name IS NULL",
            "WHERE full_name IS NOT NULL AND name IS NULL",
        );
        shop.fleet(&[]).name_migration(&manifest);
        shop.project.file(
            format!("{NAME}/contract.sql"),
            "-- migrate: no-transaction\nALTER TABLE users DROP COLUMN full_name;\nCREATE INDEX users_name ON users (name);\n",
        );
        shop.run(&["expand"], 0);
        shop.run(&["backfill"], 0);
        // Both statements are done, each in its own transaction, and the phase is not recorded yet.
        shop.project.env("PHASEGATE_CRASH_AT", "contract.recording");
        shop.run(&["contract", NAME], 137);
        shop.project.env_remove("PHASEGATE_CRASH_AT");
        assert_eq!(shop.phase(1), "contracting");
        shop.fleet_text("not a list\n");
        shop.run(&["contract", NAME], 12);
        assert_eq!(shop.phase(1), "contracting");
        shop.run(&["admit", "--service", "web", "--version", "1.1.0"], 11);
        shop.fleet(&[]);
        shop.run(&["contract", NAME], 0);
        assert_eq!(shop.phase(1), "contracted");
        let again = shop.run(&["contract", NAME], 0);
        assert!(again.stdout.contains("nothing to contract"), "{again:?}");
    }
);

scenario!(
    apart fn a_job_that_comes_again_leaves_what_is_in_use(db: Db) {
        let shop = Shop::with_fleet(db, "[services.web]\nmin_instances = 0\n");
        let unless = |command: &str, code| shop.run(&[command, "--unless-in-use"], code);
        shop.run(&["expand"], 0);
        // Neither can the backfill run beside 1.0.0, nor the contract before it.
        shop.fleet(&[("web", "a", "1.0.0")]);
        for command in ["backfill", "contract"] {
            shop.run(&[command], 11);
            let left = unless(command, 0);
            assert!(left.stdout.contains("web 1.0.0"), "{left:?}");
        }
        assert_eq!(shop.phase(1), "expanded");
        shop.fleet(&[("web", "a", "1.1.0")]);
        unless("backfill", 0);
        assert_eq!(shop.phase(1), "backfilled");
        unless("contract", 0);
        assert_eq!(shop.phase(1), "backfilled");
        // What needs somebody is no different, and who was seen stays live for as long as nobody can say otherwise.
        shop.fleet_text("oops");
        unless("contract", 11);
        shop.fleet(&[("web", "a", "1.2.0")]);
        shop.db
            .execute("INSERT INTO users (full_name) VALUES ('Fay')");
        unless("contract", 11);
        shop.db.execute("DELETE FROM users WHERE full_name = 'Fay'");
        unless("contract", 0);
        assert_eq!(shop.phase(1), "contracted");
    }
);
