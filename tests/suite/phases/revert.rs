//! Revert: expand is undone while nothing depends on it.

use crate::support::shop::{APPEND_ONLY, BACKFILL, NAME, REVERT, Shop, said};
use crate::support::wait::{GENEROUS, eventually};

scenario!(
    fn a_revert_undoes_expand_and_backfill_and_expand_comes_again(db: Db) {
        let shop = Shop::with_name(db);
        let data = shop.data();
        for steps in [&["expand"][..], &["expand", "backfill"]] {
            for step in steps {
                shop.run(&[step], 0);
            }
            let output = shop.run(&["revert", NAME], 0);
            assert!(output.stdout.contains("reverted 0001_name"), "{output:?}");
            assert_eq!(shop.phase(1), "pending");
            assert_eq!(shop.data(), data);
        }
        let again = shop.run(&["revert", NAME], 0);
        assert!(again.stdout.contains("nothing to revert"), "{again:?}");
        for step in ["expand", "backfill", "contract"] {
            shop.run(&[step], 0);
        }
        assert_eq!(shop.phase(1), "contracted");
        shop.run(&["log", "--verify"], 0);
    }
);

scenario!(
    fn a_changed_migration_can_be_applied_after_a_revert(db: Db) {
        let shop = Shop::with_name(db);
        shop.run(&["expand"], 0);
        shop.run(&["revert", NAME], 0);
        shop.project.migration(
            NAME,
            &[(
                "expand.sql",
                "ALTER TABLE users ADD COLUMN name VARCHAR(80);\n",
            )],
        );
        shop.run(&["expand"], 0);
        shop.run(&["backfill"], 0);
        assert_eq!(shop.phase(1), "backfilled");
    }
);

scenario!(
    fn a_revert_waits_for_versions_of_the_new_format(db: Db) {
        let shop = Shop::with_name(db);
        shop.run(&["expand"], 0);
        let admit = [
            "admit",
            "--service",
            "web",
            "--version",
            "1.1.0",
            "--instance",
            "server-3",
        ];
        shop.run(&admit, 0);
        let data = shop.data();
        let held = shop.run(&["revert", NAME], 10);
        for part in ["web 1.1.0", "server-3", "the new format"] {
            assert!(held.stdout.contains(part), "{part} in {held:?}");
        }
        assert_eq!(shop.data(), data);
        assert_eq!(shop.phase(1), "expanded");
    }
);

scenario!(
    fn a_revert_that_would_lose_rows_is_refused(db: Db) {
        let shop = Shop::backfilled(db);
        // 1.2 writes only the new format.
        let admit = [
            "admit",
            "--service",
            "web",
            "--version",
            "1.2.0",
            "--for",
            "1s",
        ];
        shop.run(&admit, 0);
        crate::support::wait::eventually(crate::support::wait::GENEROUS, || {
            let fleet = shop.project.migrate(&["fleet"]);
            fleet.stdout.contains("no live instance").then_some(())
        });
        let refused = shop.run(&["revert", NAME], 11);
        assert!(
            refused.stdout.contains("going back would lose"),
            "{refused:?}"
        );
        assert_eq!(shop.phase(1), "backfilled");
    }
);

scenario!(
    fn there_is_no_revert_after_a_contract_or_without_a_script(db: Db) {
        let shop = Shop::backfilled(db);
        shop.run(&["contract"], 0);
        let refused = shop.run(&["revert", NAME], 11);
        assert!(
            refused
                .stdout
                .contains("the way back ended with its contract"),
            "{refused:?}"
        );
        shop.project.migration(
            "0002_more",
            &[
                (
                    "migration.toml",
                    "description = \"More\"\n[services.web]\nnew = \">=1.3.0\"\n",
                ),
                ("expand.sql", "ALTER TABLE users ADD COLUMN more TEXT;\n"),
            ],
        );
        shop.run(&["expand"], 0);
        let refused = shop.run(&["revert", "2"], 11);
        assert!(refused.stdout.contains("revert.sql"), "{refused:?}");
    }
);

scenario!(
    fn a_revert_keeps_the_order(db: Db) {
        let shop = Shop::with_name(db);
        shop.project.migration(
            "0002_more",
            &[
                (
                    "migration.toml",
                    "description = \"More\"\n[services.web]\nnew = \">=1.3.0\"\n",
                ),
                ("expand.sql", "ALTER TABLE users ADD COLUMN more TEXT;\n"),
                ("revert.sql", "ALTER TABLE users DROP COLUMN more;\n"),
            ],
        );
        shop.run(&["expand"], 0);
        let refused = shop.run(&["revert", "1"], 11);
        assert!(
            refused.stdout.contains("0002_more was applied after it"),
            "{refused:?}"
        );
        shop.run(&["revert", "2"], 0);
        shop.run(&["revert", "1"], 0);
        assert_eq!([shop.phase(1), shop.phase(2)], ["pending", "pending"]);
    }
);

scenario!(
    fn a_revert_depends_on_no_file_that_it_does_not_run(db: Db) {
        // What is mended while a backfill is open was not changed; behind the fence of the revert it would be.
        let shop = Shop::backfilled(db);
        shop.run(
            &[
                "admit",
                "--service",
                "web",
                "--version",
                "1.0.0",
                "--for",
                "1s",
            ],
            0,
        );
        assert_eq!(shop.phase(1), "expanded");
        shop.project
            .file("0001_name/backfill.sql", &format!("-- mended\n{BACKFILL}"));
        shop.run(&["gate", "revert", NAME], 0);
        let reverted = shop.run(&["revert", NAME], 0);
        assert!(
            reverted.stdout.contains("reverted 0001_name"),
            "{reverted:?}"
        );
        assert_eq!(shop.phase(1), "pending");
        // Nor do those that were applied matter: it is the way to mend them.
        shop.run(&["expand"], 0);
        shop.project.file(
            "0001_name/expand.sql",
            "ALTER TABLE users ADD COLUMN name VARCHAR(300);\n",
        );
        shop.name_declaration(&APPEND_ONLY.replace(">=1.1.0", ">=1.1.5"));
        shop.run(&["expand"], 1);
        shop.run(&["gate", "revert", NAME], 0);
        shop.run(&["revert", NAME], 0);
        shop.run(&["expand"], 0);
        // Until then 1.0.0 counts as live, and would undo it.
        eventually(GENEROUS, || {
            let fleet = shop.json(&["fleet"], 0);
            (fleet["fleet"] == serde_json::json!([])).then_some(())
        });
        shop.run(&["backfill"], 0);
        shop.run(&["status"], 0);
    }
);

scenario!(
    fn a_revert_that_an_earlier_run_left_behind_its_fence(db: Db) {
        let shop = Shop::with_config(
            db,
            "[services.web]\nmin_instances = 0\n[fleet]\ncoordinator_lease = \"1s\"\n",
        );
        shop.name_migration(APPEND_ONLY);
        shop.run(&["expand"], 0);
        let crash = || {
            shop.project.env("PHASEGATE_CRASH_AT", "revert.fenced");
            shop.run(&["revert", NAME], 137);
            shop.project.env_remove("PHASEGATE_CRASH_AT");
            assert_eq!(shop.phase(1), "reverting");
            shop.run(&["gate", "deploy", "web=1.1.0"], 11);
        };
        // A script that fails takes it down.
        crash();
        shop.project
            .file("0001_name/revert.sql", "SELECT * FROM not_there;\n");
        shop.run(&["revert", NAME], 1);
        assert_eq!(shop.phase(1), "expanded");
        shop.run(&["gate", "deploy", "web=1.1.0"], 0);
        // So does one that goes through.
        shop.project.file("0001_name/revert.sql", REVERT);
        crash();
        shop.run(&["revert", NAME], 0);
        assert_eq!(shop.phase(1), "pending");
    }
);

scenario!(
    fn a_fence_that_stays_up_is_said(db: Db) {
        let shop = Shop::with_name(db);
        // Statement by statement, the first of which takes something away.
        shop.project.file(
            "0001_name/revert.sql",
            &format!("-- migrate: no-transaction\n{REVERT}SELECT * FROM not_there;\n"),
        );
        shop.run(&["expand"], 0);
        let failed = shop.run(&["revert", NAME], 1);
        for part in [
            "the fence of 0001_name stays up",
            "some statements of its revert have run already",
            "run `migrate revert 0001_name` again",
        ] {
            assert!(said(&failed).contains(part), "{part} in {failed:?}");
        }
        assert_eq!(shop.phase(1), "reverting");
        let json = shop.json(&["revert", NAME], 1);
        let help = json["error"]["help"].as_str().expect("a help");
        assert!(help.contains("stays up"), "{help}");
        // The advice works.
        shop.project.file(
            "0001_name/revert.sql",
            &format!("-- migrate: no-transaction\n{REVERT}"),
        );
        shop.run(&["revert", NAME], 0);
        assert_eq!(shop.phase(1), "pending");
    }
);
