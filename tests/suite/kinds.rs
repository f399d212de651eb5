//! Row kinds follow events in their order: who has gone before another came never wrote past it.

use crate::support::backend::Db;
use crate::support::project::{Output, Process, Signal};
use crate::support::shop::Shop;

/// 1.1.0 reads both formats and writes the new one; rows change, and nothing keeps the formats in step.
const WRITES_MOVE: &str = "\
description = \"Move users.full_name to users.name\"
[services.web]
reads = { old = \"<1.2.0\", new = \">=1.1.0\" }
writes = { old = \"<1.1.0\", new = \">=1.1.0\" }
[backfill]
table = \"users\"
key = \"id\"
remaining = \"SELECT count(*) FROM users WHERE name IS NULL\"
";

/// 1.1.0 reads and writes both.
const BRIDGED: &str = "\
description = \"Move users.full_name to users.name\"
[services.web]
old = \"<1.2.0\"
new = \">=1.1.0\"
[backfill]
table = \"users\"
key = \"id\"
remaining = \"SELECT count(*) FROM users WHERE name IS NULL\"
";

fn with(db: Db, manifest: &str) -> Shop {
    let shop = Shop::new(db);
    shop.name_migration(manifest);
    shop
}

fn goes(instance: Process) {
    instance.signal(Signal::TERM);
    instance.wait();
}

/// Whether this version may start, asked of the gate.
fn gate(shop: &Shop, version: &str, code: i32) -> Output {
    shop.run(&["gate", "deploy", &format!("web={version}")], code)
}

scenario!(
    fn who_went_before_another_came_never_wrote_past_it(db: Db) {
        let shop = with(db, WRITES_MOVE);
        let old = shop.instance("1.0.0", "a1");
        shop.run(&["expand"], 0);
        goes(old);
        goes(shop.instance("1.1.0", "b1"));
        // As often as one likes.
        goes(shop.instance("1.1.0", "b1"));
        gate(&shop, "1.1.0", 0);
        shop.run(&["backfill", "1"], 0);
        assert_eq!(shop.phase(1), "backfilled");
        gate(&shop, "1.2.0", 0);
        goes(shop.instance("1.2.0", "c1"));
        shop.run(&["contract", "1"], 0);
    }
);

scenario!(
    fn nobody_is_let_in_who_would_spoil_what_a_live_version_reads(db: Db) {
        let shop = with(db, BRIDGED);
        let old = shop.instance("1.0.0", "old-1");
        shop.run(&["expand"], 0);
        goes(old);
        let bridge = shop.instance("1.1.0", "new-1");
        let second = shop.instance("1.1.0", "new-2");
        // It would write past what 1.1.0 writes in both formats.
        let output = gate(&shop, "1.0.0", gate_code(&shop, "1.0.0"));
        assert!(output.stdout.contains("web 1.1.0"), "{output:?}");
        let admit = ["admit", "--service", "web", "--version", "1.0.0"];
        let refused = shop.project.migrate(&admit);
        assert!([10, 11].contains(&refused.code), "{refused:?}");
        let status = shop.run(&["status"], 0);
        assert!(
            status.stdout.contains("≥ 1.1.0, < 1.2.0 may start now"),
            "{status:?}"
        );
        // Once those have gone, it may come again; and then they may not.
        goes(bridge);
        goes(second);
        goes(shop.instance("1.0.0", "old-2"));
        assert_ne!(gate_code(&shop, "1.1.0"), 0, "1.0.0 wrote past 1.1.0");
    }
);

/// The answer's code; hold or refuse, as the gate finds.
fn gate_code(shop: &Shop, version: &str) -> i32 {
    let wanted = format!("web={version}");
    shop.project.migrate(&["gate", "deploy", &wanted]).code
}

scenario!(
    fn one_that_comes_back_when_others_have_come_is_counted_again(db: Db) {
        let shop = with(db, BRIDGED);
        shop.run(&["expand"], 0);
        goes(shop.instance("1.1.0", "b1"));
        // 1.0.0 after 1.1.0, past whose rows it writes.
        goes(shop.instance("1.0.0", "a1"));
        let output = gate(&shop, "1.1.0", 11);
        assert!(output.stdout.contains("new stale"), "{output:?}");
        gate(&shop, "1.0.0", 0);
    }
);

scenario!(
    fn a_backfill_that_is_undone_stays_undone_whoever_comes_next(db: Db) {
        let shop = with(
            db,
            "\
description = \"Move users.full_name to users.name\"
[services.web]
reads = { old = \"<1.2.0\", new = \">=1.2.0\" }
writes = { old = \"<1.3.0\", new = \">=1.1.0\" }
[backfill]
table = \"users\"
key = \"id\"
remaining = \"SELECT count(*) FROM users WHERE name IS NULL\"
",
        );
        shop.run(&["expand"], 0);
        shop.run(&["backfill", "1"], 0);
        goes(shop.instance("1.0.0", "a1"));
        goes(shop.instance("1.1.0", "b1"));
        assert_eq!(shop.phase(1), "expanded");
        assert_ne!(
            gate_code(&shop, "1.2.0"),
            0,
            "1.0.0 wrote only the old format"
        );
    }
);

/// What an agent of before arrivals were written down leaves behind: it counts the admission and the version, no more.
fn comes_and_goes_as_before(shop: &Shop, version: &str) {
    let (admission, sightings) = (shop.ledger("admission"), shop.ledger("sightings"));
    shop.db.execute(&format!(
        "UPDATE {admission} SET seq = seq + 1 WHERE id = 1; \
         DELETE FROM {sightings} WHERE service = 'web' AND version = '{version}'; \
         INSERT INTO {sightings} (service, version, placed, first_seen_at, last_seen_at, seq) \
         SELECT 'web', '{version}', '{version}', 1, 1, seq FROM {admission}"
    ));
}

scenario!(
    fn whom_an_earlier_version_admitted_counts_as_live_beside_everybody(db: Db) {
        let shop = with(db, BRIDGED);
        shop.run(&["expand"], 0);
        goes(shop.instance("1.1.0", "b1"));
        comes_and_goes_as_before(&shop, "1.0.0");
        // In which order they came is not known: so 1.0.0 may have written past 1.1.0.
        gate(&shop, "1.1.0", 11);
        // Nor is it forgotten when 1.0.0 is admitted by a program that does write down arrivals.
        goes(shop.instance("1.0.0", "a1"));
        gate(&shop, "1.1.0", 11);
    }
);

scenario!(
    fn a_ledger_of_before_is_read_as_if_all_had_been_live_together(db: Db) {
        let shop = with(db, BRIDGED);
        shop.run(&["expand"], 0);
        let arrivals = shop.ledger("arrivals");
        shop.db.execute(&format!("DROP TABLE {arrivals}"));
        comes_and_goes_as_before(&shop, "1.1.0");
        shop.changes_nothing(&["status"], 0);
        gate(&shop, "1.1.0", 0);
        comes_and_goes_as_before(&shop, "1.0.0");
        gate(&shop, "1.1.0", 11);
        // An instance registers there as before, and the first command that acts completes it.
        goes(shop.instance("1.0.0", "a1"));
        gate(&shop, "1.1.0", 11);
        shop.run(&["revert", "1"], 0);
        shop.run(&["expand"], 0);
        goes(shop.instance("1.1.0", "b1"));
        gate(&shop, "1.1.0", 0);
        assert_eq!(
            shop.db
                .value(&format!("SELECT count(*) > 0 FROM {arrivals}"))
                .len(),
            1
        );
    }
);

scenario!(
    fn moments_that_every_record_knows_of_are_swept(db: Db) {
        let shop = with(db, WRITES_MOVE);
        shop.run(&["expand"], 0);
        for _ in 0..3 {
            goes(shop.instance("1.0.0", "a1"));
            goes(shop.instance("1.0.0", "a2"));
        }
        goes(shop.instance("1.1.0", "b1"));
        let count = || {
            let arrivals = shop.ledger("arrivals");
            shop.db.value(&format!("SELECT count(*) FROM {arrivals}"))
        };
        assert_eq!(count(), "2", "one for each time that somebody else came");
        shop.run(&["backfill", "1"], 0);
        assert_eq!(count(), "1");
    }
);
