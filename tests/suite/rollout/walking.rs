//! The whole way, undisturbed.

use super::{AT_ONCE, IN_STEPS, TO_1_2, calls, has_old_column, shop, states};

scenario!(
    fn it_walks_the_plan_to_its_end(db: Db) {
        let shop = shop(db, AT_ONCE);
        let walked = shop.run(TO_1_2, 0);
        for part in [
            "step 1 of 5: expand 0001_name",
            "step 2 of 5: roll web 1.0.0 → 1.1.0",
            "step 3 of 5: backfill 0001_name\n  done: 5 rows",
            "step 4 of 5: roll web 1.1.0 → 1.2.0",
            "step 5 of 5: contract 0001_name",
            "done: web 1.2.0",
            "≥ 1.2.0 may start now",
        ] {
            assert!(walked.stdout.contains(part), "{part} in {walked:?}");
        }
        assert!(!has_old_column(&shop));
        assert_eq!(shop.phase(1), "contracted");
        assert_eq!(calls(&shop), ["web 1.0.0 1.1.0 100", "web 1.1.0 1.2.0 100"]);
        assert_eq!(states(&shop), ["done"; 5]);
        // Each step is in the log, before and after, and the log holds together.
        let log = shop.run(&["log"], 0).stdout;
        for part in ["does: roll web 1.0.0 → 1.1.0", "rollout: 1, state: done"] {
            assert!(log.contains(part), "{part} in {log}");
        }
        shop.run(&["log", "--verify"], 0);
        // There is nothing to do a second time, and nothing to take up.
        let again = shop.run(TO_1_2, 0);
        assert!(again.stdout.contains("nothing"), "{again:?}");
        assert_eq!(calls(&shop).len(), 2);
        let none = shop.run(&["rollout", "resume"], 0);
        assert!(none.stdout.contains("is done already"), "{none:?}");
    }
);

scenario!(
    fn a_progressive_driver_is_called_for_each_step(db: Db) {
        let shop = shop(db, IN_STEPS);
        let result = shop.json(TO_1_2, 0);
        assert_eq!(result["verdict"], "go");
        assert_eq!(result["rollout"]["state"], "done");
        assert_eq!(result["rollout"]["goal"]["web"], "1.2.0");
        let second = &result["rollout"]["steps"][1];
        assert_eq!(second["action"], "roll");
        assert_eq!(second["reached"], 100);
        let wanted: Vec<String> = [("1.0.0", "1.1.0"), ("1.1.0", "1.2.0")]
            .iter()
            .flat_map(|(from, to)| [10, 50, 100].map(|step| format!("web {from} {to} {step}")))
            .collect();
        assert_eq!(calls(&shop), wanted);
    }
);

scenario!(
    fn a_service_can_have_a_driver_of_its_own(db: Db) {
        let shop = shop(db, AT_ONCE);
        let config = std::fs::read_to_string(shop.project.path().join("migrate.toml"))
            .expect("the file that was just written");
        let own = config.replace(
            "[services.web]\n",
            "[services.web]\ndriver = { kind = \"command\", run = [\"sh\", \"-c\", \
             \"sh roll.sh $PHASEGATE_SERVICE $PHASEGATE_FROM $PHASEGATE_TO $PHASEGATE_STEP; echo own >>calls\"] }\n",
        );
        shop.project.file("migrate.toml", &own);
        shop.run(&["rollout", "--to", "web=1.1.0"], 0);
        assert_eq!(calls(&shop), ["web 1.0.0 1.1.0 100", "own"]);
    }
);

scenario!(
    fn before_any_rollout_there_is_none(db: Db) {
        let shop = shop(db, AT_ONCE);
        let none = shop.run(&["rollout", "status"], 0);
        assert!(
            none.stdout.contains("no rollout has been begun"),
            "{none:?}"
        );
        shop.run(&["rollout", "resume"], 1);
        shop.run(&["rollout", "abort"], 1);
        let usage = shop.run(&["rollout"], 2);
        assert!(usage.stderr.contains("--to web=1.2.0"), "{usage:?}");
        // None of this has written anything.
        assert!(!shop.data().contains("phasegate"), "{}", shop.data());
    }
);

scenario!(
    fn where_there_is_no_plan_nothing_begins(db: Db) {
        let shop = shop(db, AT_ONCE);
        shop.project.file("migrate.toml", &{
            let path = shop.project.path().join("migrate.toml");
            let config = std::fs::read_to_string(path).expect("the file that was just written");
            config.replace("releases = [\"1.0.0\", \"1.1.0\", \"1.2.0\"]\n", "")
        });
        let refused = shop.run(TO_1_2, 11);
        assert!(refused.stdout.contains("no plan"), "{refused:?}");
        assert!(calls(&shop).is_empty());
        let none = shop.run(&["rollout", "status"], 0);
        assert!(none.stdout.contains("no rollout"), "{none:?}");
    }
);

scenario!(
    fn a_ledger_of_before_there_were_rollouts_is_completed(db: Db) {
        let shop = shop(db, AT_ONCE);
        shop.run(&["expand"], 0);
        for table in ["rollouts", "rollout_steps", "backfills", "backfill_ranges"] {
            shop.db
                .execute(&format!("DROP TABLE {}", shop.db.ledger(table)));
        }
        shop.run(&["status"], 0);
        let none = shop.run(&["rollout", "status"], 0);
        assert!(
            none.stdout.contains("no rollout has been begun"),
            "{none:?}"
        );
        shop.run(TO_1_2, 0);
        assert!(!has_old_column(&shop));
    }
);
