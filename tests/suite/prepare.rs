//! Every schema step that comes before a rollout, in one command.

use crate::support::shop::{APPEND_ONLY, Shop};

const RELEASES: &str = "[services.web]\nreleases = [\"1.0.0\", \"1.1.0\", \"1.2.0\"]\n";

/// Both formats are kept in step, and no release works with both.
const IN_STEP: &str = "\
description = \"Move users.full_name to users.name\"
sync = \"both\"
[services.web]
old = \"<1.2.0\"
new = \">=1.2.0\"
[backfill]
table = \"users\"
key = \"id\"
batch = 2
remaining = \"SELECT count(*) FROM users WHERE name IS NULL\"
";

scenario!(
    fn what_a_release_needs_is_done_before_it_is_rolled_out(db: Db) {
        let shop = Shop::with_fleet(db, RELEASES);
        shop.name_declaration(IN_STEP);
        shop.fleet(&[("web", "a", "1.0.0")]);
        // An expand alone does not do: 1.2.0 reads what is not filled yet.
        shop.run(&["expand"], 0);
        shop.run(&["gate", "deploy", "web=1.2.0"], 11);
        let done = shop.run(&["prepare", "--for", "web=1.2.0"], 0);
        assert!(done.stdout.contains("go: deploy web 1.2.0"), "{done:?}");
        assert_eq!(shop.phase(1), "backfilled");
        shop.run(&["gate", "deploy", "web=1.2.0"], 0);
        // Once more, and once it runs: nothing is contracted unasked.
        shop.run(&["prepare", "--for", "web=1.2.0"], 0);
        shop.fleet(&[("web", "b", "1.2.0")]);
        let json = shop.json(&["prepare", "--for", "web=1.2.0"], 0);
        assert_eq!(json["deploy"]["verdict"], "go");
        assert_eq!(json["results"], serde_json::json!([]));
        assert_eq!(shop.phase(1), "backfilled");
    }
);

scenario!(
    fn a_release_that_has_to_come_first_is_named(db: Db) {
        let shop = Shop::with_fleet(db, RELEASES);
        shop.name_declaration(APPEND_ONLY);
        shop.fleet(&[("web", "a", "1.0.0")]);
        let refused = shop.run(&["prepare", "--for", "web=1.2.0"], 11);
        assert!(
            refused
                .stderr
                .contains("the plan rolls out web 1.1.0 first"),
            "{refused:?}"
        );
        assert_eq!(shop.phase(1), "expanded");
        shop.run(&["prepare", "--for", "web=1.1.0"], 0);
        shop.fleet(&[("web", "b", "1.1.0")]);
        // Now the backfill comes before it.
        shop.run(&["prepare", "--for", "web=1.2.0"], 0);
        assert_eq!(shop.phase(1), "backfilled");
    }
);

scenario!(
    fn before_the_first_installation_the_gate_answers(db: Db) {
        let shop = Shop::with_fleet(db, RELEASES);
        shop.name_declaration(APPEND_ONLY);
        let asked = shop.run(&["prepare", "--for", "web=1.1.0"], 0);
        assert!(asked.stdout.contains("go: deploy web 1.1.0"), "{asked:?}");
        assert_eq!(shop.phase(1), "expanded");
        let none = shop.run(&["prepare", "--for", "web=nonsense"], 12);
        assert!(none.stderr.contains("nonsense"), "{none:?}");
    }
);
