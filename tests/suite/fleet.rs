//! Where live instances are learnt from, and what happens where a source cannot be believed.

use crate::support::backend::Db;
use crate::support::connection::{Connection, PostgresSession};
use crate::support::shop::{APPEND_ONLY, NAME, Shop};

const NONE_NEEDED: &str =
    "[services.web]\nmin_instances = 0\n[services.worker]\nmin_instances = 0\n";

/// Backfilled while nobody was live, so that only the fleet decides about the contract.
fn ready(db: Db, services: &str) -> Shop {
    let shop = Shop::with_fleet(db, services);
    shop.run(&["expand"], 0);
    shop.run(&["backfill"], 0);
    shop
}

scenario!(
    apart fn a_command_lists_the_fleet(db: Db) {
        let shop = ready(
            db,
            "[services.web]\nmin_instances = 0\n[services.worker]\nmin_instances = 0\n",
        );
        shop.fleet(&[
            ("web", "server-1", "1.1.0"),
            ("web", "server-2", "1.1.0"),
            ("worker", "w-1", "7.0.0"),
        ]);
        let json = shop
            .changes_nothing(&["fleet", "--output", "json"], 0)
            .json();
        assert_eq!(json["sources"][0]["name"], "list");
        assert_eq!(json["sources"][0]["status"], "fresh");
        assert_eq!(json["sources"][0]["instances"], 3);
        let group = &json["fleet"][0];
        assert_eq!(
            (&group["service"], &group["version"]),
            (&"web".into(), &"1.1.0".into())
        );
        assert_eq!(group["instances"], 2);
        assert_eq!(
            group["examples"],
            serde_json::json!(["server-1", "server-2"])
        );
        assert_eq!(group["touches"][0]["migration"], NAME);
        let text = shop.run(&["fleet"], 0).stdout;
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        let web = lines.iter().position(|line| line.starts_with("web "));
        let below = web.and_then(|at| lines.get(at + 1..=at + 2));
        let touches = format!("reads and writes the old format of {NAME}");
        assert_eq!(
            below,
            Some(&["server-1, server-2", touches.as_str()][..]),
            "{text}"
        );
        let held = shop.run(&["contract", NAME], 11);
        for part in ["web 1.1.0", "2 instances (server-1, server-2)", "by list"] {
            assert!(held.stdout.contains(part), "{part} in {held:?}");
        }
        shop.fleet(&[("web", "server-1", "1.2.0"), ("worker", "w-1", "7.0.0")]);
        shop.run(&["contract", NAME], 0);
    }
);

scenario!(
    apart fn a_source_that_cannot_be_believed_makes_a_contract_unknown(db: Db) {
        let shop = ready(db, NONE_NEEDED);
        let good = "{\"service\":\"web\",\"instance\":\"a\",\"version\":\"1.2.0\"}";
        let old = "\"seen_at\":\"2020-01-01T00:00:00Z\"";
        let cases = [
            (format!("{good}\noops\n"), "line 2 of its output"),
            (
                good.replace("web", "wbe"),
                "`wbe` is not named in migrate.toml",
            ),
            (good.replace('}', ",\"zone\":1}"), "unknown field `zone`"),
            (good.replace('}', &format!(",{old}}}")), "stale"),
        ];
        let data = shop.data();
        for (output, why) in cases {
            shop.fleet_text(&output);
            let unknown = shop.run(&["contract", NAME], 12);
            assert!(unknown.stdout.contains("`list`"), "{unknown:?}");
            assert!(unknown.stdout.contains(why), "{why} in {unknown:?}");
            let fleet = shop.run(&["fleet"], 12);
            assert!(fleet.stderr.contains("`list`"), "{fleet:?}");
            assert!(fleet.stderr.contains(why), "{why} in {fleet:?}");
            shop.run(&["gate", "contract", "1"], 12);
            assert_eq!(shop.phase(1), "backfilled");
        }
        assert_eq!(shop.data(), data);
        shop.fleet_text(good);
        shop.run(&["contract", NAME], 0);
    }
);

scenario!(
    apart fn a_label_and_an_image_that_contradict_each_other_are_not_guessed_between(db: Db) {
        let shop = ready(db, NONE_NEEDED);
        let line = |image: &str| {
            format!(
                "{{\"service\":\"web\",\"instance\":\"web-1\",\"version\":\"1.2.0\",\"image\":\"{image}\"}}\n"
            )
        };
        // As after `kubectl set image`, which leaves the label as it was.
        shop.fleet_text(&line("registry:5000/web:1.0.0"));
        let unknown = shop.run(&["contract", NAME], 12);
        for word in [
            "1.2.0 (image 1.0.0)",
            "name two versions",
            "web-1",
            "set label and image together",
        ] {
            assert!(unknown.stdout.contains(word), "{word} in {unknown:?}");
        }
        let fleet = shop.run(&["fleet"], 0);
        assert!(fleet.stdout.contains("contradictory"), "{fleet:?}");
        assert_eq!(shop.phase(1), "backfilled");
        for image in [
            "registry:5000/web:v1.2.0@sha256:00",
            "web:latest",
            "registry:5000/web",
        ] {
            shop.fleet_text(&line(image));
            shop.run(&["gate", "contract", "1"], 0);
        }
    }
);

scenario!(
    apart fn a_command_that_fails_or_hangs_is_a_failed_source(db: Db) {
        let shop = ready(db, NONE_NEEDED);
        let programs = [
            (
                "[\"sh\", \"-c\", \"echo no cluster >&2; exit 3\"]",
                "exit status: 3: no cluster",
            ),
            (
                "[\"sh\", \"-c\", \"sleep 600 & sleep 600\"], timeout = \"300ms\"",
                "did not finish within 0.3 s",
            ),
            ("[\"./not-there\"]", "cannot be started"),
            ("[\"sh\", \"-c\", \"kill -9 $$\"]", "signal: 9"),
            ("[\"printf\", \"\\\\377\"]", "not UTF-8"),
        ];
        for (run, why) in programs {
            shop.project.file(
                "migrate.toml",
                &format!("{NONE_NEEDED}[fleet]\nsources = [{{ kind = \"command\", name = \"list\", run = {run} }}]\n"),
            );
            let unknown = shop.changes_nothing(&["gate", "contract", "1"], 12);
            assert!(unknown.stdout.contains(why), "{why} in {unknown:?}");
            let json = shop.json(&["fleet"], 12);
            assert_eq!(json["sources"][0]["status"], "failed");
            assert!(
                json["sources"][0]["reason"]
                    .as_str()
                    .expect("a reason")
                    .contains(why),
                "{json}"
            );
            // Nothing is overridden by silence, and everything by a reason.
            shop.run(&["contract", NAME], 12);
        }
        shop.run(
            &[
                "contract",
                NAME,
                "--accept-unknown",
                "seen with my own eyes",
            ],
            0,
        );
    }
);

scenario!(
    fn a_name_is_one_instance_however_often_it_is_listed(db: Db) {
        let shop = Shop::with_fleet(
            db,
            "[services.web]\nmin_instances = 2\nreleases = [\"1.0.0\", \"1.1.0\", \"1.2.0\"]\n\
             [rollout]\ndriver = { kind = \"command\", run = [\"true\"] }\ntimeout = \"1s\"\n",
        );
        shop.run(&["expand"], 0);
        shop.run(&["backfill", "--accept-unknown", "nothing runs yet"], 0);
        let line = |version: &str, more: &str| {
            format!("{{\"service\":\"web\",\"instance\":\"w1\",\"version\":\"{version}\"{more}}}\n")
        };
        let drains = ",\"state\":\"draining\"";
        let twice = [
            line("1.2.0", "").repeat(3),
            line("1.2.0", "") + &line("v1.2.0", ""),
            line("1.2.0", "") + &line("1.2.0", drains),
        ];
        for text in twice {
            shop.fleet_text(&text);
            let unknown = shop.run(&["gate", "contract", "1"], 12);
            let said = "1 of at least 2 instances of web are seen";
            assert!(unknown.stdout.contains(said), "{unknown:?}");
            assert_eq!(shop.json(&["fleet"], 0)["sources"][0]["instances"], 1);
        }
        let rollout = shop.project.migrate(&["rollout", "--to", "web=1.2.0"]);
        assert!(rollout.code != 0, "{rollout:?}");
        assert_eq!(shop.phase(1), "backfilled");
        // At two versions it may be either, and shows nothing.
        shop.fleet_text(&(line("1.2.0", "") + &line("1.3.0", "")));
        let unknown = shop.run(&["gate", "contract", "1"], 12);
        for part in [
            "0 of at least 2 instances of web are seen",
            "1 more prove nothing: contradictory",
            "lists each instance once",
        ] {
            assert!(unknown.stdout.contains(part), "{part} in {unknown:?}");
        }
        let fleet = shop.run(&["fleet"], 0);
        assert!(
            fleet
                .stderr
                .contains("`w1` of web is listed at several versions"),
            "{fleet:?}"
        );
        shop.fleet_text(&(line("1.2.0", "") + &line("1.1.0", "")));
        let held = shop.run(&["gate", "contract", "1"], 11);
        assert!(held.stdout.contains("web 1.1.0"), "{held:?}");
        shop.fleet(&[("web", "w1", "1.2.0"), ("web", "w2", "1.2.0")]);
        shop.run(&["gate", "contract", "1"], 0);
    }
);

scenario!(
    fn an_instance_that_two_sources_list_at_two_versions_proves_nothing(db: Db) {
        let shop = Shop::with_config(
            db,
            "[fleet]\nsources = [{ kind = \"leases\" }, { kind = \"command\", name = \"list\", run = [\"cat\", \"fleet.jsonl\"] }, \
             { kind = \"command\", name = \"other\", run = [\"cat\", \"other.jsonl\"] }]\n[services.web]\n",
        );
        shop.name_migration(crate::support::shop::APPEND_ONLY);
        let other = |text: &str| shop.project.file("other.jsonl", text);
        let line = |version: &str, state: &str| {
            format!(
                "{{\"service\":\"web\",\"instance\":\"w1\",\"version\":\"{version}\",\"state\":\"{state}\"}}\n"
            )
        };
        shop.fleet(&[]);
        other("");
        shop.run(&["expand"], 0);
        shop.run(&["backfill", "--accept-unknown", "nothing runs yet"], 0);
        shop.fleet(&[("web", "w1", "1.2.0")]);
        other(&line("1.2.0", "serving"));
        shop.run(&["gate", "contract", "1"], 0);
        let is_torn = |said: &str| {
            // What is recorded and looked at again is the same.
            for record in [&[][..], &["--record"]] {
                let unknown = shop.run(&[&["gate", "contract", "1"], record].concat(), 12);
                for part in [
                    "0 of at least 1 instances of web are seen",
                    "1 more prove nothing: contradictory",
                    "every source lists each instance once",
                ] {
                    assert!(unknown.stdout.contains(part), "{part} in {unknown:?}");
                }
            }
            let fleet = shop.run(&["fleet"], 0);
            assert!(fleet.stderr.contains(said), "{said} in {fleet:?}");
        };
        other(&line("1.3.0", "serving"));
        is_torn("`w1` of web is 1.2.0 by `list` and 1.3.0 by `other`: it is one instance");
        // It is live at each of them.
        other(&line("1.1.0", "serving"));
        let held = shop.run(&["gate", "contract", "1"], 11);
        assert!(held.stdout.contains("web 1.1.0"), "{held:?}");
        // What drains under its name was there before.
        other(&line("1.3.0", "draining"));
        shop.run(&["gate", "contract", "1"], 0);
        // A lease says what a source says.
        other("");
        let instance = shop.instance("1.3.0", "w1");
        is_torn("`w1` of web is 1.2.0 by `list` and 1.3.0 by `leases`: it is one instance");
        shop.fleet(&[("web", "w1", "v1.3")]);
        shop.run(&["gate", "contract", "1"], 0);
        drop(instance);
    }
);

scenario!(
    fn sources_are_asked_together(db: Db) {
        // Each waits for the other to have been asked.
        let waits = |own: &str, other: &str| {
            format!(
                "{{ kind = \"command\", name = \"{own}\", timeout = \"1m\", \
                 run = [\"sh\", \"-c\", \"touch {own}; until test -e {other}; do sleep 0.05; done; cat {own}.jsonl\"] }}"
            )
        };
        let shop = Shop::with_config(
            db,
            &format!(
                "[fleet]\nsources = [{}, {{ kind = \"command\", name = \"slow\", timeout = \"300ms\", run = [\"sleep\", \"60\"] }}, {}]\n\
                 [services.web]\n",
                waits("one", "other"),
                waits("other", "one"),
            ),
        );
        for (source, version) in [("one", "1.0.0"), ("other", "1.1.0")] {
            let line = format!(
                "{{\"service\":\"web\",\"instance\":\"{source}-1\",\"version\":\"{version}\"}}\n"
            );
            shop.project.file(format!("{source}.jsonl"), &line);
        }
        // What one cannot say is a failure of its own, in the order in which they are named.
        let fleet = shop.json(&["fleet"], 12);
        let sources: Vec<String> = fleet["sources"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|source| format!("{} {}", source["name"], source["status"]).replace('"', ""))
            .collect();
        assert_eq!(sources, ["one fresh", "slow failed", "other fresh"]);
        let versions: Vec<&str> = fleet["fleet"]
            .as_array()
            .expect("a list")
            .iter()
            .filter_map(|group| group["version"].as_str())
            .collect();
        assert_eq!(versions, ["1.0.0", "1.1.0"]);
    }
);

scenario!(
    fn an_empty_list_is_an_empty_fleet(db: Db) {
        let shop = Shop::with_fleet(db, "[services.web]\nmin_instances = 2\n");
        shop.fleet(&[("web", "a", "1.0.0"), ("web", "b", "1.0.0")]);
        shop.run(&["expand"], 0);
        shop.fleet(&[("web", "a", "1.1.0"), ("web", "b", "1.1.0")]);
        shop.run(&["backfill"], 0);
        for seen in [&[][..], &[("web", "a", "1.2.0")]] {
            shop.fleet(seen);
            let unknown = shop.run(&["contract", NAME], 12);
            let said = format!("{} of at least 2 instances of web are seen", seen.len());
            assert!(unknown.stdout.contains(&said), "{said} in {unknown:?}");
        }
        shop.fleet(&[("web", "a", "1.2.0"), ("web", "b", "1.3.0")]);
        shop.run(&["contract", NAME], 0);
    }
);

scenario!(
    fn a_draining_instance_is_live(db: Db) {
        let shop = ready(db, NONE_NEEDED);
        shop.fleet_text("{\"service\":\"web\",\"instance\":\"a\",\"version\":\"1.0.0\",\"state\":\"draining\"}\n");
        let held = shop.run(&["contract", NAME], 10);
        assert!(held.stdout.contains("web 1.0.0"), "{held:?}");
        assert!(shop.run(&["fleet"], 0).stdout.contains("draining"));
    }
);

scenario!(
    fn an_alias_places_what_is_no_version(db: Db) {
        let shop = ready(
            db,
            "[services.web]\nmin_instances = 0\naliases = { \"a1b2c3d\" = \"1.2.0\", \"0ld\" = \"1.0.0\" }\n",
        );
        shop.fleet(&[("web", "a", "main-17")]);
        let unknown = shop.run(&["contract", NAME], 12);
        for part in ["`main-17` of web", "aliases = { \"main-17\" ="] {
            assert!(unknown.stdout.contains(part), "{part} in {unknown:?}");
        }
        let fleet = shop.run(&["fleet"], 0);
        assert!(fleet.stdout.contains("main-17"), "{fleet:?}");
        shop.fleet(&[("web", "a", "0ld")]);
        shop.run(&["contract", NAME], 11);
        let gate = shop.run(&["gate", "deploy", "web=main-17"], 12);
        assert!(gate.stderr.contains("aliases"), "{gate:?}");
        // It was seen to be live, so it may have written rows behind the backfill.
        let refused = shop.run(&["gate", "deploy", "web=a1b2c3d"], 11);
        for part in ["web 1.0.0 cannot read", "migrate backfill"] {
            assert!(refused.stdout.contains(part), "{part} in {refused:?}");
        }
        shop.fleet(&[]);
        shop.run(&["backfill"], 0);
        shop.fleet(&[("web", "a", "a1b2c3d")]);
        shop.run(&["contract", NAME], 0);
        shop.run(&["gate", "deploy", "web=0ld"], 11);
    }
);

scenario!(
    fn what_several_sources_see_is_put_together(db: Db) {
        let shop = ready(db, NONE_NEEDED);
        shop.fleet(&[("web", "a", "1.2.0")]);
        // An instance that registered is live, whether or not leases are a named source.
        let _old = shop.instance("1.1.0", "server-9");
        let held = shop.run(&["contract", NAME], 11);
        assert!(held.stdout.contains("server-9"), "{held:?}");
        let json = shop.json(&["fleet"], 0);
        assert_eq!(json["fleet"].as_array().expect("a list").len(), 2, "{json}");
    }
);

scenario!(
    fn an_instance_that_missed_its_renewals_is_lost_and_still_live(db: Db) {
        let shop = Shop::backfilled(db);
        let old = shop.instance("1.1.0", "server-4");
        old.signal(crate::support::project::Signal::STOP);
        let leases = shop.ledger("leases");
        shop.db.execute(&format!(
            "UPDATE {leases} SET renewed_at = renewed_at - 60000"
        ));
        let fleet = shop.run(&["fleet"], 0);
        assert!(fleet.stdout.contains("lost"), "{fleet:?}");
        assert!(fleet.stdout.contains("server-4"), "{fleet:?}");
        shop.run(&["contract", NAME], 10);
        shop.db
            .execute(&format!("UPDATE {leases} SET expires_at = renewed_at"));
        shop.run(&["contract", NAME], 0);
    }
);

fn with_sessions(db: Db) -> Shop {
    let shop = Shop::with_config(
        db,
        "[services.web]\nmin_instances = 0\n[fleet]\nsources = [{ kind = \"leases\" }, { kind = \"sessions\" }]\n",
    );
    shop.name_migration(APPEND_ONLY);
    shop
}

#[test]
fn a_session_of_an_application_that_never_registered_blocks() {
    let shop = with_sessions(Db::on("postgres"));
    shop.run(&["expand"], 0);
    shop.run(&["backfill"], 0);
    let connect = |name: &str| {
        let joint = if shop.db.url.contains('?') { '&' } else { '?' };
        let url = format!("{}{joint}application_name={name}", shop.db.url);
        Connection::new(Box::new(PostgresSession::open(&url).expect("a session")))
    };
    let mut application = connect("web/1.0.0");
    application.execute("SELECT 1");
    let held = shop.run(&["contract", NAME], 11);
    for part in ["web 1.0.0", "by sessions"] {
        assert!(held.stdout.contains(part), "{part} in {held:?}");
    }
    let stranger = connect("psql");
    let fleet = shop.run(&["fleet"], 0);
    assert!(fleet.stderr.contains("psql"), "{fleet:?}");
    drop((application, stranger));
    crate::support::wait::eventually(crate::support::wait::GENEROUS, || {
        let fleet = shop.run(&["fleet"], 0);
        (!fleet.stdout.contains("1.0.0") && !fleet.stderr.contains("psql")).then_some(())
    });
    // It was seen to be live, so it may have written rows behind the backfill.
    let refused = shop.run(&["contract", NAME], 11);
    assert!(refused.stdout.contains("migrate backfill"), "{refused:?}");
    shop.run(&["backfill"], 0);
    shop.run(&["contract", NAME], 0);
}

#[test]
fn connections_that_name_no_instance_are_no_number_of_them() {
    let shop = with_sessions(Db::on("postgres"));
    shop.run(&["expand"], 0);
    shop.run(&["backfill"], 0);
    let joint = if shop.db.url.contains('?') { '&' } else { '?' };
    let open = |name: &str| {
        let url = format!("{}{joint}application_name={name}", shop.db.url);
        Connection::new(Box::new(PostgresSession::open(&url).expect("a session")))
    };
    let config = |pattern: &str| {
        let text = format!(
            "[services.web]\nmin_instances = 2\n[fleet]\nsources = [{{ kind = \"sessions\"{pattern} }}]\n{}",
            crate::support::project::SESSIONS_OF_TESTS
        );
        shop.project.file("migrate.toml", &text);
    };
    // The pool of one process.
    config("");
    let pool = ["web/1.2.0"; 4].map(open);
    let unknown = shop.run(&["gate", "contract", "1"], 12);
    let said = "1 of at least 2 instances of web are seen";
    assert!(unknown.stdout.contains(said), "{unknown:?}");
    drop(pool);
    config(", pattern = \"{service}/{version}/{instance}\"");
    let pools = ["web/1.2.0/a", "web/1.2.0/a", "web/1.2.0/b"].map(open);
    crate::support::wait::eventually(crate::support::wait::GENEROUS, || {
        let answer = shop.project.migrate(&["gate", "contract", "1"]);
        (answer.code == 0).then_some(())
    });
    drop(pools);
}

#[test]
fn a_database_without_sessions_is_a_failed_source() {
    let shop = with_sessions(Db::on("sqlite"));
    shop.run(&["expand"], 0);
    let unknown = shop.run(&["backfill"], 12);
    assert!(
        unknown.stdout.contains("cannot list its sessions"),
        "{unknown:?}"
    );
    let fleet = shop.run(&["fleet"], 12);
    assert!(
        fleet.stderr.contains("cannot list its sessions"),
        "{fleet:?}"
    );
}

scenario!(
    fn an_instance_that_asks_again_is_still_one(db: Db) {
        let shop = Shop::new(db);
        shop.run(&["expand"], 0);
        let ask = |instance: &str| {
            let who = ["--service", "web", "--version", "1.0.0", "--instance"];
            shop.run(&[&["admit"], &who[..], &[instance]].concat(), 0);
        };
        // An init container that is started again, and another pod.
        ask("pod-1");
        ask("pod-1");
        ask("pod-2");
        // The application itself holds a lease of its own, which no such question ends.
        let _agent = shop.instance("1.0.0", "pod-1");
        ask("pod-1");
        let fleet = shop.json(&["fleet"], 0);
        let counts: Vec<_> = fleet["fleet"]
            .as_array()
            .expect("groups")
            .iter()
            .map(|group| (group["state"].clone(), group["instances"].clone()))
            .collect();
        // It has not stayed yet either.
        assert_eq!(counts, [("starting".into(), 3.into())]);
    }
);
