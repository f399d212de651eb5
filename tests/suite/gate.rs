//! The gate: an answer in an exit code, with its reasons, and without a change.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::support::shop::{APPEND_ONLY, NAME, Shop};

/// Two services; the worker reads the new format one release before it writes it.
fn two_services(db: crate::support::backend::Db) -> Shop {
    let shop = Shop::with_fleet(
        db,
        "[services.web]\nmin_instances = 0\n[services.worker]\nmin_instances = 0\n",
    );
    shop.name_migration(&format!(
        "{}[services.worker]\nreads = {{ old = \"<3.2.0\", new = \">=3.2.0\" }}\nwrites = {{ old = \"<3.3.0\", new = \">=3.1.0\" }}\n",
        APPEND_ONLY
    ));
    shop
}

scenario!(
    fn the_gate_answers_for_deploys(db: Db) {
        let shop = two_services(db);
        shop.changes_nothing(&["gate", "deploy", "web=1.0.0", "worker=3.0.0"], 0);
        let refused = shop.changes_nothing(&["gate", "deploy", "web=1.1.0"], 11);
        assert!(refused.stdout.contains("migrate expand"), "{refused:?}");
        shop.run(&["expand"], 0);
        shop.fleet(&[("web", "a", "1.0.0"), ("worker", "w", "3.0.0")]);
        shop.changes_nothing(&["gate", "deploy", "web=1.1.0", "worker=3.1.0"], 0);
        // 1.2 would not see what 1.0 writes.
        let held = shop.changes_nothing(&["gate", "deploy", "web=1.2.0"], 11);
        assert!(held.stdout.contains("0001_name"), "{held:?}");
        // One that may start is no answer for one that may not.
        shop.changes_nothing(&["gate", "deploy", "web=1.1.0", "worker=3.3.0"], 11);
        shop.fleet(&[("web", "a", "1.1.0"), ("worker", "w", "3.1.0")]);
        shop.run(&["backfill"], 0);
        shop.changes_nothing(&["gate", "deploy", "web=1.1.0", "worker=3.2.0"], 0);
        // worker 3.1 still reads only the old format, which web 1.2 no longer writes.
        let held = shop.changes_nothing(&["gate", "deploy", "web=1.2.0", "worker=3.2.0"], 11);
        assert!(held.stdout.contains("worker 3.1.0 cannot read"), "{held:?}");
    }
);

scenario!(
    fn every_verdict_has_its_exit_code(db: Db) {
        let shop = Shop::with_fleet(db, "[services.web]\nmin_instances = 0\n");
        let verdict = |arguments: &[&str], code: i32| {
            let json = shop.json(arguments, code);
            json["verdict"].as_str().expect("a verdict").to_owned()
        };
        assert_eq!(verdict(&["gate", "expand", "1"], 0), "go");
        assert_eq!(verdict(&["gate", "backfill", "1"], 11), "refuse");
        shop.run(&["expand"], 0);
        shop.run(&["backfill"], 0);
        shop.fleet(&[("web", "a", "1.1.0")]);
        assert_eq!(verdict(&["gate", "contract", NAME], 11), "refuse");
        assert_eq!(verdict(&["gate", "revert", NAME], 11), "refuse");
        // What is on its way out passes by itself.
        shop.fleet_text("{\"service\":\"web\",\"instance\":\"a\",\"version\":\"1.1.0\",\"state\":\"draining\"}\n");
        assert_eq!(verdict(&["gate", "contract", NAME], 10), "hold");
        assert_eq!(verdict(&["gate", "revert", NAME], 10), "hold");
        shop.fleet_text("oops");
        assert_eq!(verdict(&["gate", "contract", "0001"], 12), "unknown");
        shop.run(&["gate", "contract"], 2);
        shop.run(&["gate", "deploy", "web"], 2);
        shop.run(&["gate", "deploy", "wbe=1.0.0"], 2);
        shop.project.file("migrate.toml", "[services.web\n");
        assert_eq!(verdict(&["gate", "contract", "1"], 11), "refuse");
        assert_eq!(verdict(&["gate", "deploy", "web=1.1.0"], 12), "unknown");
    }
);

fn keys(value: &Value) -> BTreeSet<&str> {
    let object = value
        .as_object()
        .unwrap_or_else(|| panic!("an object, not {value}"));
    object.keys().map(String::as_str).collect()
}

#[track_caller]
fn has_keys(value: &Value, wanted: &[&str]) {
    let found = keys(value);
    for key in wanted {
        assert!(found.contains(key), "no `{key}` in {value}");
    }
}

scenario!(
    fn the_answer_as_json_has_its_shape(db: Db) {
        let shop = Shop::with_fleet(db, "[services.web]\nmin_instances = 0\n");
        shop.run(&["expand"], 0);
        shop.run(&["backfill"], 0);
        shop.fleet(&[("web", "server-1", "1.1.0"), ("web", "server-2", "1.1.0")]);
        let json = shop.json(&["gate", "contract", "1"], 11);
        has_keys(
            &json,
            &["verdict", "action", "blockers", "sources", "checked_at"],
        );
        assert_eq!(
            json["action"],
            serde_json::json!({ "kind": "contract", "migration": NAME })
        );
        let blocker = &json["blockers"][0];
        has_keys(
            blocker,
            &[
                "kind",
                "service",
                "version",
                "instances",
                "examples",
                "source",
                "seen_at",
                "message",
                "help",
                "details",
            ],
        );
        // What the sentence says, for a program.
        let details = &blocker["details"];
        assert_eq!(details["conflict"], "uses");
        assert_eq!(details["format"], "old");
        assert_eq!(details["does"], "reads and writes");
        assert_eq!(details["leaves_by_itself"], false);
        assert_eq!(blocker["kind"], "live_version");
        assert_eq!(blocker["instances"], 2);
        assert_eq!(
            blocker["examples"],
            serde_json::json!(["server-1", "server-2"])
        );
        assert_eq!(blocker["source"], "list");
        assert_eq!(
            blocker["message"],
            "web 1.1.0 reads and writes the old format"
        );
        has_keys(
            &json["sources"][0],
            &["name", "status", "instances", "age_ms"],
        );
        for time in [&json["checked_at"], &blocker["seen_at"]] {
            let text = time.as_str().expect("a time");
            text.parse::<jiff::Timestamp>()
                .unwrap_or_else(|error| panic!("{text}: {error}"));
        }
        let deploy = shop.json(&["gate", "deploy", "web=1.1.0"], 0);
        assert_eq!(deploy["action"]["kind"], "deploy");
        assert_eq!(deploy["action"]["services"]["web"], "1.1.0");
        has_keys(
            &shop.json(&["status"], 0),
            &["migrations", "horizon", "sources", "checked_at"],
        );
        has_keys(
            &shop.json(&["fleet"], 0),
            &["fleet", "sources", "checked_at"],
        );
    }
);

scenario!(
    fn a_database_that_has_seen_nothing_is_judged_by_the_files(db: Db) {
        let shop = Shop::with_name(db);
        let before = shop.dump();
        shop.run(&["gate", "deploy", "web=1.0.0"], 0);
        shop.run(&["gate", "deploy", "web=1.1.0"], 11);
        shop.run(&["gate", "expand", "1"], 0);
        shop.run(&["gate", "contract", "1"], 11);
        assert_eq!(shop.dump(), before);
    }
);

scenario!(
    fn an_ambiguous_prerelease_has_to_be_pinned(db: Db) {
        let shop = Shop::backfilled(db);
        shop.run(&["contract"], 0);
        let refused = shop.run(&["gate", "deploy", "web=1.2.0-rc.1"], 11);
        for part in ["1.2.0-rc.1 may hold the code before 1.2.0", "1.2.0-0"] {
            assert!(refused.stdout.contains(part), "{part} in {refused:?}");
        }
        shop.run(&["gate", "deploy", "web=1.3.0-rc.1"], 0);
        // What is lenient and safe: a leading v, and a number that is missing.
        shop.run(&["gate", "deploy", "web=v1.2"], 0);
        shop.run(&["gate", "deploy", "web=2026.01.05"], 0);
    }
);

/// 1.1 uses both formats, and nothing keeps them in step: no order of steps gets there.
const WITHOUT_A_WAY: &str = "\
description = \"Move users.full_name to users.name\"
[services.web]
old = \"<1.2.0\"
new = \">=1.1.0\"
[backfill]
table = \"users\"
key = \"id\"
remaining = \"SELECT count(*) FROM users WHERE name IS NULL\"
";

scenario!(
    fn advice_does_not_lead_in_a_circle(db: Db) {
        let shop = Shop::with_fleet(db, "[services.web]\nmin_instances = 0\n");
        shop.name_declaration(WITHOUT_A_WAY);
        shop.run(&["expand"], 0);
        shop.fleet(&[("web", "a", "1.0.0")]);
        for question in [
            &["gate", "deploy", "web=1.1.0"][..],
            &["gate", "deploy", "web=1.2.0"],
            &["gate", "backfill", "1"],
            &["gate", "contract", "1"],
        ] {
            let refused = shop.changes_nothing(question, 11).stdout;
            assert!(refused.contains("web 1.0.0"), "{refused}");
            // Neither the backfill nor another version comes first: they would be refused as well.
            for circle in ["next: run `migrate backfill", "replace web 1.0.0 by"] {
                assert!(
                    !refused.contains(circle) || refused.contains("when web 1.0.0 is gone"),
                    "{circle} in {refused}"
                );
            }
            let ways = [
                "in between that reads old and writes both",
                "migrate plan --to web=",
            ];
            for way in ways {
                assert!(refused.contains(way), "{way} in {refused}");
            }
        }
    }
);

scenario!(
    fn advice_names_what_may_start_instead(db: Db) {
        let shop = Shop::with_fleet(db, "[services.web]\nmin_instances = 0\n");
        shop.run(&["expand"], 0);
        shop.fleet(&[("web", "a", "1.0.0")]);
        let refused = shop.run(&["gate", "deploy", "web=1.2.0"], 11).stdout;
        for part in [
            "versions of web that may start now: <1.2.0",
            "replace web 1.0.0 by a version in the range >=1.1.0, <1.2.0, which may start now",
        ] {
            assert!(refused.contains(part), "{part} in {refused}");
        }
        // A contract before its backfill names who is the real reason.
        let refused = shop.run(&["gate", "contract", "1"], 11).stdout;
        let reason = "its backfill is not finished, and has to wait for web 1.0.0";
        assert!(refused.contains(reason), "{refused}");
    }
);
