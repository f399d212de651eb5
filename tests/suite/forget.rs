//! Leases that somebody ends from elsewhere: those of a dead host, and those that came along in a copy of the database.

use crate::support::project::{Process, Signal};
use crate::support::shop::{NAME, Shop, said};

/// An instance of the old version on a host that has died.
fn with_dead_host(shop: &Shop, name: &str) -> Process {
    let instance = shop.instance("1.1.0", name);
    instance.signal(Signal::KILL);
    late(shop, name);
    instance
}

/// As if the last renewal had been a minute ago.
fn late(shop: &Shop, name: &str) {
    let leases = shop.ledger("leases");
    shop.db.execute(&format!(
        "UPDATE {leases} SET renewed_at = renewed_at - 60000 WHERE instance = '{name}'"
    ));
}

fn admit(shop: &Shop, name: &str) {
    let admit = ["--service", "web", "--version", "1.1.0", "--instance", name];
    shop.run(&[&["admit", "--for", "1h"][..], &admit].concat(), 0);
}

fn instances(shop: &Shop) -> Vec<String> {
    let leases = shop.ledger("leases");
    let sql = format!("SELECT instance FROM {leases} ORDER BY instance");
    let rows = shop.db.query(&sql);
    rows.into_iter().map(|row| row[0].to_string()).collect()
}

const DEAD: [&str; 5] = ["fleet", "forget", "server-4", "--reason", "its disk died"];

scenario!(
    fn a_lease_of_a_dead_host_is_ended_by_the_command_that_is_named_where_it_blocks(db: Db) {
        let shop = Shop::backfilled(db);
        let dead = with_dead_host(&shop, "server-4");
        let held = shop.run(&["contract", NAME], 10);
        let named = "`migrate fleet forget server-4 --reason TEXT` ends its lease";
        assert!(held.stdout.contains(named), "{held:?}");
        // Whatever the files of the migrations say.
        shop.project
            .file(format!("migrations/{NAME}/migration.toml"), "nonsense");
        let forgot = shop.json(&DEAD, 0);
        assert_eq!(forgot["forgot"][0]["instance"], "server-4");
        assert_eq!(forgot["forgot"][0]["state"], "lost");
        let again = shop.changes_nothing(&DEAD, 1);
        assert!(said(&again).contains("no lease of `server-4` is known"));
        shop.name_declaration(crate::support::shop::APPEND_ONLY);
        let log = shop.json(&["log", "-n", "1"], 0);
        let event = &log["events"][0];
        assert_eq!(event["kind"], "forgot", "{log}");
        assert_eq!(event["detail"]["reason"], "its disk died", "{log}");
        assert_eq!(event["detail"]["of"][0], "web 1.1.0 server-4 (lost)");
        shop.run(&["log", "--verify"], 0);
        shop.run(&["contract", NAME], 0);
        dead.wait();
    }
);

scenario!(
    fn an_instance_that_renews_its_lease_is_not_forgotten(db: Db) {
        let shop = Shop::backfilled(db);
        let _live = shop.instance("1.1.0", "server-4");
        let refused = shop.run(&DEAD, 11);
        assert!(said(&refused).contains("it runs"), "{refused:?}");
        shop.json(&DEAD, 11);
        let lost = shop.run(&["fleet", "forget", "--all-lost", "--reason", "a copy"], 0);
        assert!(lost.stdout.contains("no lease is lost"), "{lost:?}");
        assert_eq!(instances(&shop), ["server-4"]);
        let log = shop.run(&["log"], 0);
        assert!(!log.stdout.contains("forgot"), "{log:?}");
    }
);

scenario!(
    fn what_is_left_of_an_instance_that_came_back_is_ended_and_it_goes_on(db: Db) {
        let shop = Shop::backfilled(db);
        let dead = shop.instance("1.1.0", "web-0");
        dead.signal(Signal::KILL);
        dead.wait();
        let _back = shop.instance("1.2.0", "web-0");
        let forget = ["fleet", "forget", "web-0", "--reason", "it was killed"];
        // As long as it may only be late: nobody is told to stop the one that runs.
        let refused = shop.run(&forget, 11);
        let text = said(&refused);
        assert!(text.contains("if that process was killed"), "{refused:?}");
        assert!(!text.contains("stop it"), "{refused:?}");
        assert_eq!(instances(&shop).len(), 2);
        let leases = shop.ledger("leases");
        shop.db.execute(&format!(
            "UPDATE {leases} SET renewed_at = renewed_at - 60000 WHERE version = '1.1.0'"
        ));
        let held = shop.project.migrate(&["contract", NAME]);
        for part in [
            "`migrate fleet forget web-0 --reason TEXT` ends its lease",
            "registered once more since",
            "until it ends, in ",
        ] {
            assert!(held.stdout.contains(part), "{part} in {held:?}");
        }
        assert!(!held.stdout.contains("processes renew"), "{held:?}");
        let forgot = shop.json(&forget, 0);
        assert_eq!(forgot["forgot"][0]["version"], "1.1.0", "{forgot}");
        assert_eq!(forgot["going_on"][0]["version"], "1.2.0", "{forgot}");
        assert_eq!(instances(&shop), ["web-0"]);
        shop.run(&["contract", NAME], 0);
    }
);

scenario!(
    fn a_name_means_its_leases_in_one_service_and_of_every_kind(db: Db) {
        let shop = Shop::backfilled(db);
        admit(&shop, "server-4");
        admit(&shop, "server-5");
        let elsewhere = [&DEAD[..], &["--service", "worker"]].concat();
        shop.changes_nothing(&elsewhere, 1);
        shop.run(&[&DEAD[..], &["--service", "web"]].concat(), 0);
        assert_eq!(instances(&shop), ["server-5"]);
        // One that has run out, and that other sources would have to show to be gone.
        let leases = shop.ledger("leases");
        shop.db.execute(&format!(
            "UPDATE {leases} SET renewed_at = 1, renew_ms = 1000, registered_at = 1, expires_at = 1001, instance = 'server-4'"
        ));
        shop.run(&DEAD, 0);
        assert!(instances(&shop).is_empty());
        // One that makes no sense, under a name that nobody can type.
        admit(&shop, "bad");
        shop.db.execute(&format!(
            "UPDATE {leases} SET registered_at = 4000000000000000, expires_at = 4000000000000000, instance = '\u{1b}[2J'"
        ));
        shop.run(&["contract", NAME], 12);
        let typed = [
            "fleet",
            "forget",
            "\\u{1b}[2J",
            "--reason",
            "nobody knows it",
        ];
        let forgot = shop.json(&typed, 0);
        assert_eq!(forgot["forgot"][0]["state"], "unreadable");
        shop.run(&["contract", NAME], 0);
        shop.run(&["log", "--verify"], 0);
    }
);

scenario!(
    fn leases_that_came_along_in_a_copy_are_ended_together(db: Db) {
        let shop = Shop::backfilled(db);
        let _dead = [
            with_dead_host(&shop, "server-4"),
            with_dead_host(&shop, "server-5"),
        ];
        let _live = shop.instance("1.1.0", "server-6");
        admit(&shop, "server-7");
        let all = ["fleet", "forget", "--all-lost", "--reason", "a copy"];
        let forgot = shop.json(&all, 0);
        assert_eq!(forgot["forgot"].as_array().map(Vec::len), Some(2));
        assert_eq!(instances(&shop), ["server-6", "server-7"]);
        shop.run(&[&all[..], &["--admitted"]].concat(), 0);
        assert_eq!(instances(&shop), ["server-6"]);
    }
);

scenario!(
    fn it_needs_a_reason_and_somebody_to_forget(db: Db) {
        let shop = Shop::new(db);
        for arguments in [
            &["fleet", "forget", "server-4"][..],
            &["fleet", "forget", "server-4", "--reason", " "],
            &["fleet", "forget", "--reason", "x"],
            &["fleet", "forget", "server-4", "--all-lost", "--reason", "x"],
            &["fleet", "forget", "server-4", "--admitted", "--reason", "x"],
            &["fleet", "forget", "server-4", "--reason", "x", "--record"],
        ] {
            shop.changes_nothing(arguments, 2);
        }
        // No ledger, and none is made.
        shop.changes_nothing(&DEAD, 1);
    }
);

scenario!(
    fn versions_that_somebody_made_up_are_ended_by_the_command_that_is_named(db: Db) {
        let shop = Shop::backfilled(db);
        let live = shop.instance("1.2.0", "server-1");
        let now = match shop.db.backend.name {
            "mysql" => {
                "(TIMESTAMPDIFF(MICROSECOND, '1970-01-01 00:00:00', UTC_TIMESTAMP(3)) DIV 1000)"
            }
            "postgres" => "(extract(epoch FROM clock_timestamp()) * 1000)::bigint",
            _ => "CAST(unixepoch('subsec') * 1000 AS INTEGER)",
        };
        let now = shop.db.value(&format!("SELECT {now}"));
        let leases = shop.ledger("leases");
        let each = (0..1011).map(|i| {
            // Of some their maker has thought that they have to be renewed, once.
            let renewed = if i % 2 == 0 { 600_000 } else { 500_000 };
            format!("('d{i}', 'web', '7.{i}.0', 'i{i}', 1, {now} - 600000, {now} - {renewed}, 250000000, {now} + 300000000)")
        });
        let rows: Vec<String> = each.collect();
        shop.db.execute(&format!(
            "INSERT INTO {leases} (id, service, version, instance, state, registered_at, renewed_at, renew_ms, expires_at) VALUES {}",
            rows.join(", ")
        ));
        let unknown = shop.run(&["gate", "deploy", "web=1.2.0"], 12);
        let named = "`migrate fleet forget --never-renewed --service web --reason TEXT`";
        assert!(unknown.stdout.contains(named), "{unknown:?}");
        let status = shop.project.migrate(&["status"]);
        assert!(
            !status.stdout.contains("any version may start now"),
            "{status:?}"
        );
        assert!(status.stdout.contains("are not believed"), "{status:?}");
        let forget = [
            "fleet",
            "forget",
            "--never-renewed",
            "--service",
            "web",
            "--reason",
            "made up",
        ];
        let forgot = shop.json(&forget, 0);
        assert_eq!(forgot["forgot"].as_array().map(Vec::len), Some(1011));
        assert_eq!(instances(&shop), ["server-1"]);
        shop.run(&["gate", "deploy", "web=1.2.0"], 0);
        let none = shop.run(&forget, 0);
        assert!(
            none.stdout
                .contains("no lease is one that somebody has made up"),
            "{none:?}"
        );
        drop(live);
    }
);
