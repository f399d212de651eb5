//! What a rollout has ordered counts before it is there.

use super::{SERVICES, has_old_column};
use crate::support::backend::Db;
use crate::support::shop::Shop;

/// A driver that orders, and whose instances do not come.
const SLOW: &str = "\
[rollout]
driver = { kind = \"command\", run = [\"true\", \"{to}\"], steps = [50, 100] }
timeout = \"100ms\"
every = \"20ms\"
";

fn slow(db: Db) -> Shop {
    let lease = "coordinator_lease = \"100ms\"\n";
    Shop::with_fleet(db, &format!("{lease}{SERVICES}{SLOW}"))
}

scenario!(
    fn a_contract_waits_for_a_version_that_was_ordered(db: Db) {
        let shop = slow(db);
        shop.fleet(&[("web", "a", "1.0.0")]);
        shop.run(&["expand"], 0);
        shop.fleet(&[("web", "a", "1.1.0")]);
        shop.run(&["backfill"], 0);
        shop.fleet(&[("web", "a", "1.2.0")]);
        shop.run(&["gate", "contract", "1", "--record"], 0);
        // The way back: its instances are not there within the time.
        shop.run(&["rollout", "--to", "web=1.1.0"], 10);
        let held = shop.run(&["gate", "contract", "1"], 11);
        for part in [
            "web 1.1.0",
            "the open rollout has ordered it",
            "migrate rollout abort",
        ] {
            assert!(held.stdout.contains(part), "{part} in {held:?}");
        }
        // Whoever looks again, and writes it down, sees nothing that says otherwise.
        shop.run(&["status", "--record"], 0);
        shop.run(&["contract", "1"], 11);
        assert!(has_old_column(&shop));
        let fleet = shop.run(&["fleet"], 0);
        assert!(
            fleet.stdout.contains("ordered, and no look shows it yet"),
            "{fleet:?}"
        );
        shop.run(&["rollout", "abort"], 0);
        shop.run(&["contract", "1"], 0);
        assert!(!has_old_column(&shop));
    }
);

scenario!(
    fn a_revert_and_the_door_wait_for_a_version_that_was_ordered(db: Db) {
        let shop = slow(db);
        shop.fleet(&[("web", "a", "1.0.0")]);
        shop.run(&["expand"], 0);
        shop.run(&["rollout", "--to", "web=1.1.0"], 10);
        let refused = shop.run(&["gate", "revert", "1"], 11);
        assert!(refused.stdout.contains("web 1.1.0"), "{refused:?}");
        // It comes: the looks tell of it, and the order is over with the step.
        shop.fleet(&[("web", "b", "1.1.0")]);
        shop.run(&["rollout", "resume"], 0);
        let fleet = shop.run(&["fleet"], 0);
        assert!(!fleet.stdout.contains("ordered"), "{fleet:?}");
    }
);
