//! What stops a rollout, what is said, and how it goes on.

use super::{AT_ONCE, DRIVER, IN_STEPS, SERVICES, TO_1_2, calls, has_old_column, shop, states};
use crate::support::project::Signal;
use crate::support::shop::Shop;
use crate::support::wait::{GENEROUS, eventually};

scenario!(
    fn a_failed_driver_stops_it_and_nothing_is_contracted(db: Db) {
        let shop = shop(db, IN_STEPS);
        shop.project.file("broken", "");
        let failed = shop.run(TO_1_2, 1);
        for part in [
            "the health check of web 1.1.0 failed",
            "roll web 1.0.0 → 1.1.0 stopped at 10 %",
            "exit status: 3",
            "nothing is contracted",
            "migrate rollout resume",
        ] {
            assert!(failed.stderr.contains(part), "{part} in {failed:?}");
        }
        assert!(has_old_column(&shop));
        assert_eq!(
            states(&shop),
            ["done", "begun", "waiting", "waiting", "waiting"]
        );
        let status = shop.run(&["rollout", "status"], 0).stdout;
        assert!(
            status.contains("stopped: roll web 1.0.0 → 1.1.0"),
            "{status}"
        );
        assert!(status.contains("live now: web 1 × 1.0.0 (old)"), "{status}");
        let migrations = shop.run(&["status"], 0).stdout;
        let line = "rollout 1 to web 1.2.0: open, 1 of 5 steps done";
        assert!(migrations.contains(line), "{migrations}");
        assert_eq!(shop.json(&["status"], 0)["rollout"]["id"], 1);
        // Another one cannot begin meanwhile.
        let open = shop.run(&["rollout", "--to", "web=1.1.0"], 11);
        assert!(open.stderr.contains("rollout 1"), "{open:?}");
        // It fails as long as nothing is mended, and then goes on where it was.
        shop.run(&["rollout", "resume"], 1);
        std::fs::remove_file(shop.project.path().join("broken")).expect("the file is there");
        let done = shop.run(&["rollout", "resume"], 0);
        assert!(!done.stdout.contains("step 1 of 5"), "{done:?}");
        assert!(done.stdout.contains("done: web 1.2.0"), "{done:?}");
        assert_eq!(calls(&shop).len(), 2 + 6);
        assert!(!has_old_column(&shop));
    }
);

scenario!(
    fn a_fleet_that_does_not_show_it_in_time_holds_it(db: Db) {
        let shop = shop(db, AT_ONCE);
        // A driver that says it is done, and has forgotten one.
        shop.project.file(
            "roll.sh",
            "echo x >>calls\n\
             echo '{\"service\":\"web\",\"instance\":\"forgotten\",\"version\":\"1.0.0\"}' >fleet.jsonl\n\
             echo '{\"service\":\"web\",\"instance\":\"new\",\"version\":\"'$3'\"}' >>fleet.jsonl\n",
        );
        let held = shop.run(&[TO_1_2, &["--timeout", "1s"]].concat(), 10);
        for part in [
            "hold: roll web 1.0.0 → 1.1.0",
            "still there: 1 × 1.0.0 (forgotten)",
            "migrate rollout resume",
        ] {
            assert!(held.stdout.contains(part), "{part} in {held:?}");
        }
        assert!(has_old_column(&shop));
        shop.fleet(&[("web", "new", "1.1.0")]);
        shop.project.file("roll.sh", DRIVER);
        shop.run(&["rollout", "resume"], 0);
        // The step that was only waited for was not done again.
        assert_eq!(calls(&shop), ["x", "web 1.1.0 1.2.0 100"]);
    }
);

scenario!(
    fn a_driver_that_only_said_it_was_done_is_called_again(db: Db) {
        let shop = shop(db, IN_STEPS);
        shop.project.file("roll.sh", "echo $4 >>calls\n");
        shop.run(&[TO_1_2, &["--timeout", "1s"]].concat(), 10);
        assert_eq!(calls(&shop), ["10", "50", "100"]);
        shop.project.file("roll.sh", DRIVER);
        shop.run(&["rollout", "resume"], 0);
        assert_eq!(
            calls(&shop)[3..],
            [
                "web 1.0.0 1.1.0 100",
                "web 1.1.0 1.2.0 10",
                "web 1.1.0 1.2.0 50",
                "web 1.1.0 1.2.0 100"
            ]
        );
    }
);

scenario!(
    fn a_source_that_fails_is_no_evidence(db: Db) {
        let shop = shop(db, AT_ONCE);
        shop.project
            .file("roll.sh", "echo 'no list today' >fleet.jsonl\n");
        let unknown = shop.json(&[TO_1_2, &["--timeout", "1s"]].concat(), 12);
        assert_eq!(unknown["verdict"], "unknown");
        assert_eq!(unknown["waits_for"]["blind"][0], "list");
        assert!(has_old_column(&shop));
        shop.fleet(&[("web", "new", "1.1.0")]);
        shop.project.file("roll.sh", DRIVER);
        shop.run(&["rollout", "resume"], 0);
    }
);

scenario!(
    fn the_gate_is_asked_before_each_call(db: Db) {
        let shop = shop(db, IN_STEPS);
        shop.run(&["rollout", "--to", "web=1.1.0"], 0);
        // At 50 % one of 1.0.0 comes back, which writes past what 1.2.0 reads.
        shop.project.file(
            "roll.sh",
            "echo $4 >>more-calls\n\
             [ $4 != 50 ] || echo '{\"service\":\"web\",\"instance\":\"back\",\"version\":\"1.0.0\"}' >>fleet.jsonl\n",
        );
        let held = shop.run(&[TO_1_2, &["--timeout", "1s"]].concat(), 11);
        assert!(held.stdout.contains("web 1.0.0 cannot read"), "{held:?}");
        let more = std::fs::read_to_string(shop.project.path().join("more-calls"));
        assert_eq!(more.expect("calls were made"), "10\n50\n");
        assert!(has_old_column(&shop));
    }
);

scenario!(
    fn an_interruption_stops_it_and_its_driver(db: Db) {
        let shop = shop(db, AT_ONCE);
        shop.project
            .file("roll.sh", "echo $$ >driver\nsleep 1000\n");
        let mut rollout = shop.project.spawn(TO_1_2);
        rollout.wait_for_line("the driver is called: web 1.1.0", GENEROUS);
        let path = shop.project.path().join("driver");
        let driver = eventually(GENEROUS, || {
            let text = std::fs::read_to_string(&path).ok()?;
            text.trim().parse::<i32>().ok()
        });
        rollout.signal(Signal::INT);
        let stopped = rollout.wait().expect_code(130);
        assert!(stopped.stderr.contains("interrupted"), "{stopped:?}");
        assert!(
            stopped.stderr.contains("migrate rollout resume"),
            "{stopped:?}"
        );
        let pid = rustix::process::Pid::from_raw(driver).expect("a process number");
        assert!(rustix::process::test_kill_process(pid).is_err());
        shop.project.file("roll.sh", DRIVER);
        shop.run(&["rollout", "resume"], 0);
    }
);

scenario!(
    fn only_one_works_on_it_at_a_time(db: Db) {
        // Whoever is at work is known by a lease that lasts through a busy moment.
        let shop = Shop::with_fleet(db, &format!("{SERVICES}{AT_ONCE}"));
        shop.fleet(&[("web", "old", "1.0.0")]);
        shop.project.file(
            "roll.sh",
            "while [ ! -e go ]; do sleep 0.05; done\n. ./real.sh\n",
        );
        shop.project.file("real.sh", DRIVER);
        let mut rollout = shop.project.spawn(TO_1_2);
        rollout.wait_for_line("the driver is called: web 1.1.0", GENEROUS);
        let second = shop.run(&["rollout", "resume"], 10);
        assert!(second.stderr.contains("is at work"), "{second:?}");
        let status = shop.run(&["rollout", "status"], 0).stdout;
        assert!(status.contains("at work now"), "{status}");
        shop.run(&["expand"], 0);
        shop.project.file("go", "");
        rollout.wait().expect_code(0);
        assert_eq!(calls(&shop).len(), 2);
    }
);
