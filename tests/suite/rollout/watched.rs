//! What is asked between the steps: a step that does not hold stops the rollout, with its figures.

use serde_json::json;

use super::{DRIVER, SERVICES, TO_1_2, calls, has_old_column, states};
use crate::support::backend::Db;
use crate::support::shop::Shop;

const WATCHED: &str = "\
[rollout]
driver = { kind = \"command\", run = [\"sh\", \"roll.sh\", \"{service}\", \"{from}\", \"{to}\", \"{step}\"], steps = [10, 100] }
timeout = \"30s\"
every = \"100ms\"
bake = \"300ms\"
[[rollout.check]]
name = \"errors\"
kind = \"command\"
run = [\"sh\", \"errors.sh\"]
max = 0.05
max_increase = 3
[[rollout.check]]
name = \"smoke\"
kind = \"command\"
run = [\"sh\", \"smoke.sh\"]
service = \"web\"
";

/// The figure of each version that comes is in a file of its name.
const ERRORS: &str =
    "echo \"$PHASEGATE_TO $PHASEGATE_STEP\" >>asked\ncat \"errors-$PHASEGATE_TO\"\n";

/// A shop whose errors are these, by the version that comes.
fn watched(db: Db, more: &str, errors: &[(&str, &str)]) -> Shop {
    let lease = "coordinator_lease = \"100ms\"\n";
    let shop = Shop::with_fleet(db, &format!("{lease}{SERVICES}{more}"));
    shop.project.file("roll.sh", DRIVER);
    shop.project.file("errors.sh", ERRORS);
    shop.project.file("smoke.sh", "exit 0\n");
    for (version, figure) in errors {
        shop.project.file(format!("errors-{version}"), figure);
    }
    shop.fleet(&[("web", "old", "1.0.0")]);
    shop
}

scenario!(
    fn a_step_that_does_not_hold_stops_it_with_its_figures(db: Db) {
        let shop = watched(db, WATCHED, &[("1.1.0", "0.01"), ("1.2.0", "0.06\n")]);
        let stopped = shop.run(TO_1_2, 11);
        for part in [
            "  10 % holds: errors 0.01 (at most 0.05; 0.01 before, and at most 3 times that); smoke is well",
            "  100 % holds: errors 0.01",
            "refuse: roll web 1.1.0 → 1.2.0",
            "at 10 %: errors 0.06 (at most 0.05; 0.06 before",
            "at 10 %: smoke is well",
            "migrate rollout abort --roll-back web=1.1.0",
            "migrate rollout resume",
        ] {
            assert!(stopped.stdout.contains(part), "{part} in {stopped:?}");
        }
        assert!(has_old_column(&shop));
        assert_eq!(
            calls(&shop).last().map(String::as_str),
            Some("web 1.1.0 1.2.0 10")
        );
        let status = shop.run(&["rollout", "status"], 0).stdout;
        let why = "stopped: roll web 1.1.0 → 1.2.0, at 10 %: errors 0.06";
        assert!(status.contains(why), "{status}");
        let asked =
            std::fs::read_to_string(shop.project.path().join("asked")).expect("it was asked");
        // Before the first step, at least twice at each, and once more at what does not hold.
        for (line, least) in [
            ("1.1.0 0", 1),
            ("1.1.0 10", 2),
            ("1.1.0 100", 2),
            ("1.2.0 10", 1),
        ] {
            let times = asked.lines().filter(|asked| *asked == line).count();
            assert!(times >= least, "{line}: {asked}");
        }
        // Resumed it holds this very step once more before it goes on.
        let again = shop.json(&["rollout", "resume"], 11);
        assert_eq!(again["verdict"], "refuse");
        assert_eq!(again["checks"]["step"], 10);
        assert_eq!(
            again["checks"]["checks"][0],
            json!({"check": "errors", "verdict": "refuse", "figure": 0.06, "before": null, "min": null, "max": 0.05,
                "max_increase": 3.0, "why": "0.06 is beyond its limits"})
        );
        assert_eq!(again["checks"]["checks"][1]["verdict"], "go");
        assert_eq!(calls(&shop).len(), 3, "the driver was not called again");
        // What says nothing stops it as well, and is no refusal.
        shop.project.file("errors-1.2.0", "n/a");
        let unknown = shop.run(&["rollout", "resume"], 12).stdout;
        let why = "errors cannot be known: `sh` has printed no number, but `n/a`";
        assert!(unknown.contains(why), "{unknown}");
        shop.project.file("errors-1.2.0", "0.05");
        shop.project
            .file("smoke.sh", "echo 'the cart is empty' >&2; exit 4\n");
        let smoke = shop.run(&["rollout", "resume"], 11).stdout;
        assert!(
            smoke.contains("smoke is not well: `sh` ended with exit status: 4: the cart is empty"),
            "{smoke}"
        );
        shop.project.file("smoke.sh", "exit 0\n");
        let done = shop.run(&["rollout", "resume"], 0).stdout;
        assert!(done.contains("done: web 1.2.0"), "{done}");
        assert_eq!(calls(&shop).len(), 4);
        assert!(!has_old_column(&shop));
    }
);

scenario!(
    fn it_goes_back_by_itself_if_asked(db: Db) {
        let back = WATCHED.replace("[rollout]", "[rollout]\non_failure = \"roll-back\"");
        // Worse than before, though not too much in any case.
        let shop = watched(db, &back, &[("1.1.0", "0.001"), ("1.2.0", "0.004")]);
        shop.run(&["rollout", "--to", "web=1.1.0"], 0);
        shop.project.file("errors.sh", "[ \"$PHASEGATE_STEP\" != 0 ] || { echo 0.001; exit 0; }\ncat \"errors-$PHASEGATE_TO\"\n");
        let went = shop.run(TO_1_2, 11);
        for part in [
            "at 10 %: errors 0.004 (at most 0.05; 0.001 before, and at most 3 times that)",
            "on_failure = \"roll-back\": back to web 1.1.0",
            "is given up",
            "roll web 1.2.0 → 1.1.0",
            "done: web 1.1.0",
        ] {
            assert!(went.stdout.contains(part), "{part} in {went:?}");
        }
        // Nobody is told to do what is done already.
        assert!(!went.stdout.contains("migrate rollout abort"), "{went:?}");
        assert!(has_old_column(&shop));
        // 1.1.0 has kept 90 %: a call for less would give more to what is not well.
        let calls = calls(&shop);
        let last_two: Vec<&str> = calls.iter().rev().take(2).map(String::as_str).collect();
        assert_eq!(last_two, ["web 1.2.0 1.1.0 100", "web 1.1.0 1.2.0 10"]);
        assert_eq!(states(&shop), ["done"]);
        // To a program it is one answer.
        let went = shop.json(TO_1_2, 11);
        assert_eq!(went["goes_back_from"]["checks"][0]["figure"], 0.004);
        assert_eq!(went["rollout"]["state"], "done");
        assert_eq!(went["rollout"]["goal"], json!({"web": "1.1.0"}));
    }
);
