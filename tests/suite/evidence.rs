//! What counts as an instance, and what one proves: a row is neither.

use std::time::{Duration, Instant};

use crate::support::backend::Db;
use crate::support::project::Signal;
use crate::support::shop::Shop;
use crate::support::wait::{GENEROUS, eventually};

/// The service `web`, three instances of which have to be seen, and leases that are renewed often.
const THREE: &str = "[services.web]\nmin_instances = 3\nmin_ready = \"0s\"\nreleases = [\"1.0.0\", \"1.1.0\", \"1.2.0\"]\n\
    [fleet]\nlease = \"10m\"\nrenew = \"100ms\"\n[rollout]\ndriver = { kind = \"command\", run = [\"true\"] }\ntimeout = \"2s\"\n";

/// The migration that moves a name, expanded and backfilled under this configuration.
fn backfilled(db: Db, config: &str) -> Shop {
    let shop = Shop::with_config(db, config);
    shop.name_migration(crate::support::shop::APPEND_ONLY);
    shop.run(&["expand"], 0);
    shop.run(
        &["backfill", "--accept-unknown", "a test: nothing runs yet"],
        0,
    );
    shop
}

fn states(shop: &Shop) -> Vec<(String, u64)> {
    let fleet = shop.project.migrate(&["fleet", "--output", "json"]).json();
    let groups = fleet["fleet"].as_array().expect("a list").iter();
    let mut found: Vec<(String, u64)> = groups
        .map(|group| {
            let state = group["state"].as_str().expect("a text").to_owned();
            (state, group["instances"].as_u64().expect("a number"))
        })
        .collect();
    found.sort();
    found
}

fn is_serving(shop: &Shop, count: u64) -> bool {
    states(shop).contains(&("serving".to_owned(), count))
}

scenario!(
    fn an_admission_that_nobody_renews_proves_nothing_however_short_min_ready_is(db: Db) {
        let shop = backfilled(
            db,
            "[services.web]\nmin_instances = 1\nmin_ready = \"0s\"\n",
        );
        let admit = [
            "admit",
            "--service",
            "web",
            "--version",
            "1.2.0",
            "--instance",
            "init-1",
        ];
        shop.run(&admit, 0);
        let answer = shop.project.migrate(&["gate", "contract", "1"]);
        assert!([10, 12].contains(&answer.code), "{answer:?}");
        assert!(answer.stdout.contains("starting"), "{answer:?}");
    }
);

scenario!(
    fn dead_leases_of_one_instance_that_crashes_again_and_again_prove_nothing(db: Db) {
        let shop = backfilled(db, THREE);
        for _ in 0..5 {
            let pod = shop.instance("1.2.0", "web-new-0");
            eventually(GENEROUS, || is_serving(&shop, 1).then_some(()));
            // As by the OOM killer.
            pod.signal(Signal::KILL);
            pod.wait();
        }
        let found = states(&shop);
        assert!(!found.iter().any(|(_, count)| *count > 1), "{found:?}");
        assert!(found.contains(&("superseded".to_owned(), 1)), "{found:?}");
        let fleet = shop.run(&["fleet"], 0);
        assert!(
            fleet.stdout.contains("registered once more since"),
            "{fleet:?}"
        );
        let unknown = shop.run(&["gate", "contract", "1"], 12);
        assert!(
            unknown.stdout.contains("of at least 3 instances of web"),
            "{unknown:?}"
        );
        let rollout = shop.project.migrate(&["rollout", "--to", "web=1.2.0"]);
        assert!(!rollout.stdout.contains("done: "), "{rollout:?}");
        assert_eq!(shop.phase(1), "backfilled");
        // They still hold up what they might be.
        let revert = shop.project.migrate(&["gate", "revert", "1"]);
        assert!(revert.stdout.contains("web 1.2.0"), "{revert:?}");
    }
);

scenario!(
    fn three_instances_that_stay_are_three(db: Db) {
        let shop = backfilled(db, THREE);
        let fleet: Vec<_> = ["a", "b", "c"]
            .map(|name| shop.instance("1.2.0", name))
            .into();
        eventually(GENEROUS, || is_serving(&shop, 3).then_some(()));
        shop.run(&["gate", "contract", "1"], 0);
        // Two processes under one name are one instance.
        let twin = shop.instance("1.2.0", "c");
        eventually(GENEROUS, || {
            (states(&shop) == [("serving".to_owned(), 3), ("superseded".to_owned(), 1)])
                .then_some(())
        });
        drop((fleet, twin));
    }
);

scenario!(
    fn an_instance_serves_once_it_has_stayed(db: Db) {
        let config = THREE.replace("= 3", "= 1").replace("\"0s\"", "\"1h\"");
        let shop = backfilled(db, &config);
        let one = shop.instance("1.2.0", "a");
        let leases = shop.ledger("leases");
        let renewed = format!("SELECT count(*) FROM {leases} WHERE renewed_at > registered_at");
        eventually(GENEROUS, || (shop.db.value(&renewed) == "1").then_some(()));
        assert_eq!(states(&shop), [("starting".to_owned(), 1)]);
        // That passes by itself, unless it ends before.
        let hold = shop.run(&["gate", "contract", "1"], 10);
        assert!(hold.stdout.contains("1 more is starting"), "{hold:?}");
        assert!(hold.stdout.contains("min_ready"), "{hold:?}");
        // It came back: nothing says that it stays this time.
        one.signal(Signal::KILL);
        one.wait();
        let _again = shop.instance("1.2.0", "a");
        let unknown = shop.run(&["gate", "contract", "1"], 12);
        assert!(unknown.stdout.contains("starting"), "{unknown:?}");
        shop.project
            .file("migrate.toml", &config.replace("\"1h\"", "\"0s\""));
        eventually(GENEROUS, || is_serving(&shop, 1).then_some(()));
        shop.run(&["gate", "contract", "1"], 0);
    }
);

scenario!(
    fn whoever_waits_waits_until_instances_have_stayed(db: Db) {
        let config = THREE.replace("= 3", "= 2").replace("\"0s\"", "\"3s\"");
        let shop = backfilled(db, &config);
        let _one = shop.instance("1.2.0", "a");
        // One more is missing, and nobody starts it.
        shop.run(&["gate", "contract", "1"], 12);
        let _other = shop.instance("1.2.0", "b");
        shop.run(&["gate", "contract", "1"], 10);
        shop.run(&["contract", "1", "--wait", "2m"], 0);
    }
);

scenario!(
    fn two_processes_under_one_name_are_both_there(db: Db) {
        let config = THREE.replace("= 3", "= 1");
        let shop = backfilled(db, &config);
        let old = shop.instance("1.1.0", "twin");
        let _new = shop.instance("1.2.0", "twin");
        let both = "as `twin`";
        // Neither is about to go, so nothing passes by itself.
        let refused = eventually(GENEROUS, || {
            let answer = shop.project.migrate(&["gate", "contract", "1"]);
            answer.stdout.contains(both).then_some(answer)
        });
        assert_eq!(refused.code, 11, "{refused:?}");
        for part in ["2 processes", "web 1.1.0", "--instance"] {
            assert!(refused.stdout.contains(part), "{part}: {refused:?}");
        }
        let fleet = shop.run(&["fleet"], 0);
        assert!(fleet.stderr.contains(both), "{fleet:?}");
        old.signal(Signal::TERM);
        old.wait();
        shop.run(&["gate", "contract", "1"], 0);
        let fleet = shop.run(&["fleet"], 0);
        assert!(!fleet.stderr.contains(both), "{fleet:?}");
    }
);

scenario!(
    fn what_an_agent_of_an_earlier_build_leaves_when_it_crashes_proves_nothing(db: Db) {
        let shop = backfilled(db, &THREE.replace("= 3", "= 2"));
        for _ in 0..3 {
            let pod = shop.instance("1.2.0", "web-new-0");
            eventually(GENEROUS, || is_serving(&shop, 1).then_some(()));
            pod.signal(Signal::KILL);
            pod.wait();
        }
        let _last = shop.instance("1.2.0", "web-new-0");
        // As such a build registers: it names no session, and marks nothing.
        let leases = shop.ledger("leases");
        shop.db.execute(&format!(
            "UPDATE {leases} SET session_name = '', superseded = 0, renew_ms = 60000"
        ));
        let found = states(&shop);
        assert!(!found.contains(&("serving".to_owned(), 4)), "{found:?}");
        assert!(found.contains(&("superseded".to_owned(), 1)), "{found:?}");
        shop.run(&["gate", "contract", "1"], 12);
    }
);

scenario!(
    fn what_was_never_renewed_proves_nothing(db: Db) {
        let shop = backfilled(db, &THREE.replace("= 3", "= 1"));
        shop.run(&["admit", "--service", "web", "--version", "1.2.0"], 0);
        let unknown = shop.run(&["gate", "contract", "1"], 12);
        assert!(unknown.stdout.contains("0 of at least 1"), "{unknown:?}");
        shop.run(
            &[
                "admit",
                "--service",
                "web",
                "--version",
                "1.1.0",
                "--for",
                "8d",
            ],
            2,
        );
    }
);

scenario!(
    fn what_was_let_in_for_a_while_goes_by_itself(db: Db) {
        let shop = backfilled(db, &THREE.replace("= 3", "= 0"));
        let admit = ["admit", "--service", "web", "--version", "1.1.0", "--for"];
        let admit = |hold: &str| shop.run(&[&admit[..], &[hold, "--instance", "a"]].concat(), 0);
        admit("10m");
        let hold = shop.run(&["gate", "contract", "1"], 10);
        assert!(hold.stdout.contains("web 1.1.0 reads"), "{hold:?}");
        assert!(hold.stdout.contains("s more at most"), "{hold:?}");
        // The lease that is there now is renewed.
        let old = shop.instance("1.1.0", "a");
        shop.run(&["gate", "contract", "1"], 11);
        old.signal(Signal::TERM);
        old.wait();
        admit("3s");
        shop.run(&["contract", "1", "--wait", "1m"], 0);
    }
);

scenario!(
    fn instances_that_a_source_calls_starting_do_not_serve(db: Db) {
        let shop = Shop::with_fleet(db, "[services.web]\n");
        shop.run(&["expand"], 0);
        shop.fleet(&[("web", "a", "1.2.0")]);
        shop.run(&["backfill"], 0);
        shop.run(&["gate", "contract", "1"], 0);
        let starting = r#"{"service":"web","instance":"a","version":"1.2.0","state":"starting"}"#;
        shop.fleet_text(starting);
        shop.run(&["gate", "contract", "1"], 12);
    }
);

/// Runs a statement as on a ledger of before, which has no constraints.
fn past_constraints(shop: &Shop, sql: &str) {
    let prefix = match shop.db.backend.name {
        "postgres" => {
            let checks = "SELECT conname FROM pg_constraint WHERE contype = 'c' AND conrelid = 'phasegate.leases'::regclass";
            for row in shop.db.query(checks) {
                shop.db.execute(&format!(
                    "ALTER TABLE phasegate.leases DROP CONSTRAINT {}",
                    row[0]
                ));
            }
            ""
        }
        "mysql" => "SET SESSION check_constraint_checks = 0; ",
        _ => "PRAGMA ignore_check_constraints = ON; ",
    };
    shop.db.execute(&format!("{prefix}{sql}"));
}

/// One good lease at 1.2.0, and one of which a column holds what this program never writes.
fn spoiled(shop: &Shop, column: &str, value: &str) {
    let leases = shop.ledger("leases");
    shop.db.execute(&format!("DELETE FROM {leases}"));
    for instance in ["good", "bad"] {
        let admit = [
            "admit",
            "--service",
            "web",
            "--version",
            "1.2.0",
            "--instance",
            instance,
        ];
        shop.run(&admit, 0);
    }
    past_constraints(
        shop,
        &format!("UPDATE {leases} SET {column} = {value} WHERE instance = 'bad'"),
    );
}

scenario!(
    fn a_row_without_sense_is_one_unknown_instance(db: Db) {
        let shop = Shop::backfilled(db);
        for (column, value) in [
            ("state", "99"),
            ("state", "3"),
            ("state", "4"),
            ("state", "6"),
            ("state", "-1"),
            ("renew_ms", "9223372036854775807"),
            ("renew_ms", "0"),
            ("renewed_at", "9223372036854775807"),
            ("registered_at", "-9223372036854775807"),
        ] {
            spoiled(&shop, column, value);
            let unknown = shop.run(&["gate", "contract", "1"], 12);
            assert!(
                unknown.stdout.contains("holds what no instance writes"),
                "{column}: {unknown:?}"
            );
            assert!(unknown.stdout.contains("bad"), "{column}: {unknown:?}");
            let fleet = shop.run(&["fleet"], 0);
            assert!(fleet.stdout.contains("unreadable"), "{column}: {fleet:?}");
            shop.run(&["status"], 0);
            // Whoever wants to start still may.
            shop.run(&["admit", "--service", "web", "--version", "1.2.0"], 0);
        }
        // Later than any lease ends: it counts, and not for ever.
        spoiled(&shop, "expires_at", "9223372036854775807");
        shop.run(&["gate", "contract", "1"], 0);
        let revert = shop.project.migrate(&["gate", "revert", "1"]);
        assert!(revert.stdout.contains("(bad, good)"), "{revert:?}");
        let leases = shop.ledger("leases");
        past_constraints(
            &shop,
            &format!("UPDATE {leases} SET renewed_at = 1, registered_at = 1"),
        );
        assert_eq!(states(&shop), []);
    }
);

scenario!(
    fn the_database_refuses_a_lease_without_sense(db: Db) {
        let shop = Shop::backfilled(db);
        let leases = shop.ledger("leases");
        shop.run(&["admit", "--service", "web", "--version", "1.2.0"], 0);
        for spoil in [
            "state = 3",
            "state = -1",
            "renew_ms = 0",
            "renew_ms = 9223372036854775807",
            "expires_at = 9223372036854775807",
        ] {
            let spoil = format!("UPDATE {leases} SET {spoil}");
            assert!(shop.db.try_execute(&spoil).is_err(), "{spoil}");
        }
        let admission = shop.ledger("admission");
        let spoil = format!("UPDATE {admission} SET id = 2");
        assert!(shop.db.try_execute(&spoil).is_err(), "{spoil}");
    }
);

scenario!(
    fn where_a_version_lies_is_not_for_an_instance_to_say(db: Db) {
        let shop = Shop::backfilled(db);
        shop.run(
            &[
                "admit",
                "--service",
                "web",
                "--version",
                "1.1.0",
                "--for",
                "10m",
            ],
            0,
        );
        shop.db.execute(&format!(
            "UPDATE {} SET placed = '9.0.0'",
            shop.ledger("sightings")
        ));
        let held = shop.project.migrate(&["gate", "contract", "1"]);
        assert!(held.stdout.contains("web 1.1.0 reads"), "{held:?}");
    }
);

scenario!(
    fn many_versions_are_answered_at_once(db: Db) {
        let shop = Shop::backfilled(db);
        let now = match shop.db.backend.name {
            "mysql" => {
                "(TIMESTAMPDIFF(MICROSECOND, '1970-01-01 00:00:00', UTC_TIMESTAMP(3)) DIV 1000)"
            }
            "postgres" => "(extract(epoch FROM clock_timestamp()) * 1000)::bigint",
            _ => "CAST(unixepoch('subsec') * 1000 AS INTEGER)",
        };
        let (leases, sightings) = (shop.ledger("leases"), shop.ledger("sightings"));
        let add = |numbers: std::ops::Range<u32>| {
            for chunk in numbers.collect::<Vec<_>>().chunks(1000) {
                let rows = |row: &dyn Fn(u32) -> String| {
                    chunk.iter().map(|i| row(*i)).collect::<Vec<_>>().join(", ")
                };
                let lease = rows(&|i| {
                    format!(
                        "('d{i}', 'web', '1.{i}.0', 'i', 1, {now}, {now}, 100000, {now} + 600000)"
                    )
                });
                let sighting = rows(&|i| format!("('web', '1.{i}.0', '1.{i}.0', {now}, {now}, 1)"));
                shop.db.execute(&format!(
                    "INSERT INTO {leases} (id, service, version, instance, state, registered_at, renewed_at, renew_ms, expires_at) VALUES {lease}"
                ));
                shop.db.execute(&format!(
                    "INSERT INTO {sightings} (service, version, placed, first_seen_at, last_seen_at, seq) VALUES {sighting}"
                ));
            }
        };
        let take = |arguments: &[&str], versions: u32| {
            let began = Instant::now();
            let unknown = shop.run(arguments, 12);
            let took = began.elapsed();
            let said = format!("{versions} versions of web");
            assert!(unknown.stdout.contains(&said), "{unknown:?}");
            took
        };
        let questions = [
            &["gate", "contract", "1"][..],
            &["gate", "deploy", "web=1.2.0"],
        ];
        add(0..2_000);
        let few = questions.map(|question| take(question, 2_000));
        add(2_000..20_000);
        for (question, few) in questions.into_iter().zip(few) {
            let many = take(question, 20_000);
            // Ten times as many: what compares each with each takes a hundred times as long, on whatever machine.
            let most = 50 * few.max(Duration::from_millis(500));
            assert!(
                many < most,
                "{question:?} took {many:?}, and {few:?} for a tenth"
            );
        }
    }
);

scenario!(
    fn an_instance_of_a_service_that_nobody_names_holds_up_a_contract(db: Db) {
        let shop = Shop::backfilled(db);
        shop.run(&["gate", "contract", "1"], 0);
        shop.run(&["admit", "--service", "web", "--version", "1.2.0"], 0);
        let leases = shop.ledger("leases");
        shop.db
            .execute(&format!("UPDATE {leases} SET service = 'wbe'"));
        for command in [&["gate", "contract", "1"][..], &["contract"]] {
            let unknown = shop.run(command, 12);
            assert!(
                unknown.stdout.contains("an instance of `wbe` is live"),
                "{unknown:?}"
            );
        }
        shop.run(&["gate", "deploy", "web=1.2.0"], 0);
    }
);
