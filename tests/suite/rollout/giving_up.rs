//! `migrate rollout abort`.

use super::{AT_ONCE, DRIVER, TO_1_2, calls, has_old_column, shop};

scenario!(
    fn giving_up_says_what_may_start_and_leaves_the_schema(db: Db) {
        let shop = shop(db, AT_ONCE);
        shop.project.file("broken", "");
        shop.run(TO_1_2, 1);
        let data = shop.data();
        let given_up = shop.run(&["rollout", "abort"], 0).stdout;
        for part in [
            "rollout 1 to web 1.2.0 is given up, after 1 of 5 steps",
            "web: < 1.2.0 may start now",
            "migrate plan",
        ] {
            assert!(given_up.contains(part), "{part} in {given_up}");
        }
        assert_eq!(shop.data(), data);
        let status = shop.json(&["rollout", "status"], 0);
        assert_eq!(status["rollout"]["state"], "aborted");
        shop.run(&["rollout", "resume"], 1);
        // Another one can begin, from where this one has left everything.
        std::fs::remove_file(shop.project.path().join("broken")).expect("the file is there");
        shop.run(TO_1_2, 0);
        assert_eq!(shop.json(&["rollout", "status"], 0)["rollout"]["id"], 2);
    }
);

scenario!(
    fn it_rolls_back_through_the_driver_if_asked(db: Db) {
        let shop = shop(db, AT_ONCE);
        shop.run(&["rollout", "--to", "web=1.1.0"], 0);
        shop.project.file(
            "roll.sh",
            "echo '{\"service\":\"web\",\"instance\":\"half\",\"version\":\"1.2.0\"}' >>fleet.jsonl\nexit 1\n",
        );
        shop.run(TO_1_2, 1);
        shop.project.file("roll.sh", DRIVER);
        // 1.0.0 would write past what 1.2.0, which runs in part, reads.
        let held = shop.run(&["rollout", "abort", "--roll-back", "web=1.0.0"], 11);
        assert!(held.stdout.contains("web 1.0.0"), "{held:?}");
        assert!(held.stdout.contains("still open"), "{held:?}");
        let status = shop.json(&["rollout", "status"], 0);
        assert_eq!(status["rollout"]["state"], "open");
        let back = shop.run(&["rollout", "abort", "--roll-back", "web=1.1.0"], 0);
        for part in ["is given up", "roll web 1.2.0 → 1.1.0", "done: web 1.1.0"] {
            assert!(back.stdout.contains(part), "{part} in {back:?}");
        }
        assert_eq!(
            calls(&shop).last().map(String::as_str),
            Some("web 1.2.0 1.1.0 100")
        );
        assert!(has_old_column(&shop));
    }
);

scenario!(
    fn a_contract_that_was_killed_is_given_up_with_it(db: Db) {
        let shop = shop(db, AT_ONCE);
        shop.project.env("PHASEGATE_CRASH_AT", "contract.fenced");
        shop.run(TO_1_2, 137);
        shop.project.env_remove("PHASEGATE_CRASH_AT");
        assert_eq!(shop.phase(1), "contracting");
        // Behind the fence that the killed one has left up, old versions are kept out.
        let one = ["admit", "--service", "web", "--version", "1.1.0"];
        shop.run(&one, 11);
        shop.run(&["rollout", "abort"], 0);
        assert_eq!(shop.phase(1), "backfilled");
        shop.run(&one, 0);
    }
);
