//! A rollout whose new instances do not come up, and one that somebody else has finished.

use super::{AT_ONCE, DRIVER, TO_1_2, calls, shop};
use crate::support::wait::{GENEROUS, eventually};

scenario!(
    fn who_serves_is_not_to_be_stopped_for_those_that_do_not_come(db: Db) {
        let shop = shop(db, AT_ONCE);
        // It says that it is done, and nothing comes up.
        shop.project.file("roll.sh", "echo x >>calls\n");
        let held = shop
            .run(&[TO_1_2, &["--timeout", "1s"]].concat(), 10)
            .stdout;
        for part in [
            "web 1.1.0: 0 of at least 1 serving",
            "still there: 1 × 1.0.0 (old)",
            "no source has seen another instance of web 1.1.0",
            "stop no other version of web before",
            "`migrate rollout abort --roll-back web=1.0.0`",
        ] {
            assert!(held.contains(part), "{part} in {held}");
        }
        assert!(!held.contains("stop what still runs"), "{held}");
        let status = shop.run(&["rollout", "status"], 0).stdout;
        for part in [
            "stopped: roll web 1.0.0 → 1.1.0: web 1.1.0: 0 of at least 1 serving",
            "waits for: web 1.1.0: 0 of at least 1 serving",
            "stop no other version of web before",
            "nobody is at work on it",
        ] {
            assert!(status.contains(part), "{part} in {status}");
        }
        // One that starts is told from none.
        shop.fleet_text(
            "{\"service\":\"web\",\"instance\":\"old\",\"version\":\"1.0.0\"}\n\
             {\"service\":\"web\",\"instance\":\"new\",\"version\":\"1.1.0\",\"state\":\"starting\"}\n",
        );
        let resumed = shop.json(&["rollout", "resume", "--timeout", "1s"], 10);
        let waits = &resumed["waits_for"];
        assert_eq!(waits["missing"], "instances", "{resumed}");
        assert_eq!(waits["coming"][0]["state"], "starting", "{resumed}");
        assert_eq!(waits["others"][0]["examples"][0], "old", "{resumed}");
        // And the new one serves: now whoever is left has to go.
        shop.fleet(&[("web", "old", "1.0.0"), ("web", "new", "1.1.0")]);
        let left = shop
            .run(&["rollout", "resume", "--timeout", "1s"], 10)
            .stdout;
        assert!(
            left.contains("1.1.0 serves: stop what still runs another version (web 1.0.0)"),
            "{left}"
        );
        // The way back works as it is written. What the driver was told it may still be trying: it is told otherwise, though
        // the fleet shows nothing else any more.
        shop.fleet(&[("web", "old", "1.0.0")]);
        shop.project.file("roll.sh", DRIVER);
        shop.run(&["rollout", "abort", "--roll-back", "web=1.0.0"], 0);
        assert_eq!(
            calls(&shop).last().map(String::as_str),
            Some("web 1.1.0 1.0.0 100")
        );
    }
);

scenario!(
    fn a_rollout_that_somebody_has_finished_is_nothing_to_go_on_with(db: Db) {
        let shop = shop(db, AT_ONCE);
        shop.run(&["rollout", "resume"], 1);
        shop.run(TO_1_2, 0);
        let done = shop.changes_nothing(&["rollout", "resume"], 0).stdout;
        assert!(
            done.contains("rollout 1 to web 1.2.0 is done already"),
            "{done}"
        );
        let json = shop.json(&["rollout", "resume"], 0);
        assert_eq!(json["verdict"], "go", "{json}");
        assert_eq!(json["rollout"]["state"], "done", "{json}");
        assert_eq!(calls(&shop).len(), 2);
        let status = shop.json(&["rollout", "status"], 0);
        assert_eq!(status["verdict"], "go", "{status}");
        assert_eq!(status["waits_for"], serde_json::Value::Null, "{status}");
    }
);

scenario!(
    fn status_tells_who_is_at_work_and_that_nobody_is(db: Db) {
        let shop = shop(db, AT_ONCE);
        let slow = "while [ ! -e go ]; do sleep 0.05; done\n. ./real.sh\n";
        shop.project.file("roll.sh", slow).file("real.sh", DRIVER);
        let mut rollout = shop.project.spawn(TO_1_2);
        rollout.wait_for_line("the driver is called: web 1.1.0", GENEROUS);
        // Its lease is short, and renewed late where the machine is busy.
        let status = eventually(GENEROUS, || {
            let status = shop.run(&["rollout", "status"], 0).stdout;
            status.contains("next: nothing; ").then_some(status)
        });
        assert!(status.contains("is at work on it"), "{status}");
        let json = eventually(GENEROUS, || {
            let json = shop.json(&["rollout", "status"], 0);
            (json["verdict"] == "hold").then_some(json)
        });
        assert!(json["at_work"].is_string(), "{json}");
        assert_eq!(json["waits_for"]["missing"], "instances", "{json}");
        shop.project.file("go", "");
        rollout.wait().expect_code(0);
    }
);

scenario!(
    fn what_a_rollout_that_was_given_up_has_ordered_is_taken_back_by_the_next_one(db: Db) {
        let shop = shop(db, AT_ONCE);
        // It is called, and nothing comes up.
        shop.project.file("roll.sh", "echo x >>calls\n");
        shop.run(&[TO_1_2, &["--timeout", "1s"]].concat(), 10);
        let given_up = shop.run(&["rollout", "abort"], 0).stdout;
        assert!(
            given_up.contains("the driver of web was told 1.1.0 last"),
            "{given_up}"
        );
        shop.project.file("roll.sh", DRIVER);
        let back = shop.run(&["rollout", "--to", "web=1.0.0"], 0).stdout;
        assert!(back.contains("it is told 1.0.0"), "{back}");
        assert_eq!(
            calls(&shop).last().map(String::as_str),
            Some("web 1.1.0 1.0.0 100")
        );
        // Then there is nothing more to do.
        let done = calls(&shop).len();
        let nothing = shop.run(&["rollout", "--to", "web=1.0.0"], 0).stdout;
        assert!(nothing.contains("nothing to do"), "{nothing}");
        assert_eq!(calls(&shop).len(), done);
    }
);
