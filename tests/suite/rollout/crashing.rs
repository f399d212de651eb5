//! A rollout that is killed anywhere goes on from there, on another machine.

use super::{IN_STEPS, TO_1_2, calls, has_old_column, shop, states};
use crate::support::backend::Ledger;

scenario!(
    fn killed_at_any_point_it_goes_on_where_it_was(db: Db) {
        let straight = shop(db, IN_STEPS);
        let untouched = straight.db.copy();
        straight.run(TO_1_2, 0);
        let wanted = straight.db.dump(Ledger::Excluded);
        let calls_of_one = calls(&straight).len();
        let mut points = 0;
        let mut repeated = 0;
        // The points are many, and every third one, another one in each run of the loop, meets each kind.
        for point in (1..).step_by(3) {
            let copy = untouched.copy();
            straight.project.env("DATABASE_URL", &copy.url);
            let _ = std::fs::remove_file(straight.project.path().join("calls"));
            straight.fleet(&[("web", "old", "1.0.0")]);
            straight
                .project
                .env("PHASEGATE_CRASH_AT", &point.to_string());
            let crashed = straight.project.migrate(TO_1_2);
            straight.project.env_remove("PHASEGATE_CRASH_AT");
            if crashed.code == 0 {
                break;
            }
            let when = format!("point {point}: {}", crashed.stderr);
            crashed.expect_code(137);
            // Before it was recorded there is nothing to take up.
            let again = straight.project.migrate(&["rollout", "resume"]);
            if again.code == 1 && again.stderr.contains("no rollout is open") {
                straight.run(TO_1_2, 0);
            } else {
                assert_eq!(again.code, 0, "{when}\n{again:?}");
            }
            assert_eq!(copy.dump(Ledger::Excluded), wanted, "{when}");
            assert_eq!(states(&straight), ["done"; 5], "{when}");
            straight.run(&["log", "--verify"], 0);
            let made = calls(&straight).len();
            assert!(made <= calls_of_one + 1, "{when}: {made} calls");
            repeated += made - calls_of_one.min(made);
            points += 1;
        }
        assert!(points > 10, "only {points} points");
        assert!(!has_old_column(&straight));
        eprintln!("killed at {points} points; a call of the driver was repeated at {repeated}");
    }
);
