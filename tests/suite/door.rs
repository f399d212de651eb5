//! The door knows what the gate knows: whoever was admitted or seen is live for admissions too, until a later look tells
//! that it is gone.

mod brought;

use crate::support::backend::Db;
use crate::support::project::{Output, Signal};
use crate::support::shop::{Shop, said};

/// 1.2.0 writes values that 1.0.0 cannot read.
const WIDER: &str = "\
description = \"A wider value\"
sync = \"to-new\"
[services.web]
reads = { old = \"<1.1.0\", new = \">=1.1.0\" }
writes = { old = \"<1.2.0\", new = \">=1.2.0\" }
";

/// Reading moves to the new format in 1.2, writing in 1.1 and 1.3; rows change.
const BY_RELEASES: &str = "\
description = \"Move users.full_name to users.name\"
[services.web]
reads = { old = \"<1.2.0\", new = \">=1.2.0\" }
writes = { old = \"<1.3.0\", new = \">=1.1.0\" }
[backfill]
table = \"users\"
key = \"id\"
remaining = \"SELECT count(*) FROM users WHERE name IS NULL\"
overwrites = true
";

const ANY_NUMBER: &str = "[services.web]\nmin_instances = 0\n";

/// A project that learns of its fleet from a list, with this migration.
fn listed(db: Db, services: &str, manifest: &str) -> Shop {
    let shop = Shop::with_fleet(db, services);
    let files: &[(&str, &str)] = if manifest == WIDER {
        &[
            ("migration.toml", WIDER),
            (
                "expand.sql",
                "ALTER TABLE users ADD COLUMN name VARCHAR(200);\n",
            ),
        ]
    } else {
        &[("migration.toml", manifest)]
    };
    if manifest == WIDER {
        std::fs::remove_dir_all(shop.project.path().join("0001_name")).expect("a directory");
        shop.project.migration("0001_name", files);
    } else {
        shop.name_declaration(manifest);
    }
    shop
}

fn admit(shop: &Shop, version: &str, instance: &str, hold: &str) -> Output {
    shop.project.migrate(&[
        "admit",
        "--service",
        "web",
        "--version",
        version,
        "--instance",
        instance,
        "--for",
        hold,
    ])
}

#[track_caller]
fn is_kept_out(output: &Output) {
    assert!([10, 11].contains(&output.code), "{output:?}");
}

/// Lets every lease that nobody renews run out.
fn leases_end(shop: &Shop) {
    let (leases, looks) = (shop.ledger("leases"), shop.ledger("looks"));
    let ends = format!("(SELECT COALESCE(max(at), 1) + 1 FROM {looks})");
    shop.db.execute(&format!(
        "UPDATE {leases} SET registered_at = 1, renew_ms = 1, renewed_at = {ends}, expires_at = {ends}"
    ));
}

scenario!(
    fn who_was_admitted_once_stays_live_until_somebody_has_looked(db: Db) {
        let shop = listed(db, ANY_NUMBER, WIDER);
        shop.run(&["expand"], 0);
        admit(&shop, "1.0.0", "pod-1", "10m").expect_code(0);
        shop.fleet(&[("web", "pod-1", "1.0.0")]);
        leases_end(&shop);
        is_kept_out(&shop.project.migrate(&["gate", "deploy", "web=1.2.0"]));
        is_kept_out(&admit(&shop, "1.2.0", "pod-2", "10m"));
        let agent = [
            "agent",
            "--service",
            "web",
            "--version",
            "1.2.0",
            "--",
            "echo",
            "started",
        ];
        let refused = shop.project.migrate(&agent);
        is_kept_out(&refused);
        assert!(!refused.stdout.contains("started"), "{refused:?}");
        // Who only asks changes nothing of that, even where the instance is gone.
        shop.fleet(&[]);
        shop.changes_nothing(&["fleet"], 0);
        shop.changes_nothing(&["gate", "deploy", "web=1.2.0"], 0);
        is_kept_out(&admit(&shop, "1.2.0", "pod-2", "10m"));
        shop.run(&["fleet", "--record"], 0);
        admit(&shop, "1.2.0", "pod-2", "10m").expect_code(0);
    }
);

scenario!(
    fn who_was_seen_stays_live_until_a_look_that_tells_all(db: Db) {
        let shop = listed(db, "[services.web]\n", WIDER);
        shop.fleet(&[("web", "pod-1", "1.0.0")]);
        shop.run(&["expand"], 0);
        is_kept_out(&admit(&shop, "1.2.0", "pod-2", "10m"));
        // A source that fails, or one that sees fewer than there have to be, tells nothing.
        shop.fleet_text("no json\n");
        shop.project.migrate(&["fleet", "--record"]).expect_code(12);
        is_kept_out(&admit(&shop, "1.2.0", "pod-2", "10m"));
        // Nor does the gate forget while it fails.
        let gate = shop.project.migrate(&["gate", "deploy", "web=1.2.0"]);
        assert!(
            gate.code != 0 && gate.stdout.contains("web 1.0.0"),
            "{gate:?}"
        );
        let fleet = shop.project.migrate(&["fleet"]);
        assert!(fleet.stdout.contains("remembered"), "{fleet:?}");
        shop.fleet(&[]);
        shop.run(&["fleet", "--record"], 0);
        is_kept_out(&admit(&shop, "1.2.0", "pod-2", "10m"));
        shop.fleet(&[("web", "pod-1", "1.1.0")]);
        shop.run(&["status", "--record"], 0);
        admit(&shop, "1.2.0", "pod-2", "10m").expect_code(0);
    }
);

scenario!(
    fn who_says_goodbye_is_gone(db: Db) {
        let shop = listed(db, ANY_NUMBER, WIDER);
        shop.run(&["expand"], 0);
        let old = shop.instance("1.0.0", "pod-1");
        shop.fleet(&[("web", "pod-1", "1.0.0")]);
        shop.run(&["fleet", "--record"], 0);
        is_kept_out(&admit(&shop, "1.2.0", "pod-2", "10m"));
        old.signal(Signal::TERM);
        old.wait();
        admit(&shop, "1.2.0", "pod-2", "10m").expect_code(0);
    }
);

scenario!(
    fn another_that_was_seen_is_not_gone_with_it(db: Db) {
        let shop = listed(db, ANY_NUMBER, WIDER);
        shop.run(&["expand"], 0);
        let old = shop.instance("1.0.0", "pod-1");
        shop.fleet(&[("web", "pod-1", "1.0.0"), ("web", "pod-9", "1.0.0")]);
        shop.run(&["fleet", "--record"], 0);
        old.signal(Signal::TERM);
        old.wait();
        is_kept_out(&admit(&shop, "1.2.0", "pod-2", "10m"));
    }
);

scenario!(
    fn without_a_source_the_end_of_a_lease_is_the_end(db: Db) {
        let shop = Shop::new(db);
        shop.project.migration(
            "0001_name",
            &[
                ("migration.toml", WIDER),
                (
                    "expand.sql",
                    "ALTER TABLE users ADD COLUMN name VARCHAR(200);\n",
                ),
            ],
        );
        shop.run(&["expand"], 0);
        let admitted = admit(&shop, "1.0.0", "pod-1", "10m").expect_code(0);
        assert!(
            admitted.stderr.contains("stops counting as live in 10"),
            "{admitted:?}"
        );
        is_kept_out(&admit(&shop, "1.2.0", "pod-2", "10m"));
        leases_end(&shop);
        admit(&shop, "1.2.0", "pod-2", "10m").expect_code(0);
    }
);

scenario!(
    fn a_source_that_the_project_has_no_more_is_forgotten(db: Db) {
        let shop = listed(db, ANY_NUMBER, WIDER);
        shop.fleet(&[("web", "pod-1", "1.0.0")]);
        shop.run(&["expand"], 0);
        shop.project.file("migrate.toml", ANY_NUMBER);
        is_kept_out(&admit(&shop, "1.2.0", "pod-2", "10m"));
        shop.run(&["fleet", "--record"], 0);
        admit(&shop, "1.2.0", "pod-2", "10m").expect_code(0);
    }
);

/// Four releases, backfilled at 1.1.0; then back to 1.0.0 through the gate, and to 1.1.0 again.
fn rolled_back(db: Db, record: &[&str]) -> Shop {
    let shop = listed(db, "[services.web]\n", BY_RELEASES);
    let fleet = |version| shop.fleet(&[("web", "pod-1", version)]);
    fleet("1.0.0");
    shop.run(&["expand"], 0);
    fleet("1.1.0");
    shop.run(&["backfill", "1"], 0);
    shop.run(&[&["gate", "deploy", "web=1.0.0"], record].concat(), 0);
    fleet("1.0.0");
    shop.run(&[&["fleet"], record].concat(), 0);
    shop.run(&[&["status"], record].concat(), 0);
    fleet("1.1.0");
    shop
}

scenario!(
    fn a_rollback_that_was_looked_at_is_remembered(db: Db) {
        let shop = rolled_back(db, &["--record"]);
        assert_eq!(shop.phase(1), "expanded");
        let gate = shop.project.migrate(&["gate", "deploy", "web=1.2.0"]);
        assert_ne!(gate.code, 0, "{gate:?}");
        shop.run(&["backfill", "1"], 0);
        shop.run(&["gate", "deploy", "web=1.2.0"], 0);
    }
);

scenario!(
    fn a_rollback_that_the_gate_let_through_counts_though_nobody_looks(db: Db) {
        let shop = listed(db, "[services.web]\n", BY_RELEASES);
        shop.fleet(&[("web", "pod-1", "1.0.0")]);
        shop.run(&["expand"], 0);
        shop.fleet(&[("web", "pod-1", "1.1.0")]);
        shop.run(&["backfill", "1"], 0);
        shop.run(&["gate", "deploy", "web=1.0.0", "--record"], 0);
        assert_eq!(shop.phase(1), "expanded");
    }
);

scenario!(
    fn while_it_is_seen_a_rollback_counts_for_every_answer(db: Db) {
        let shop = listed(db, "[services.web]\n", BY_RELEASES);
        shop.fleet(&[("web", "pod-1", "1.0.0")]);
        shop.run(&["expand"], 0);
        shop.fleet(&[("web", "pod-1", "1.1.0")]);
        shop.run(&["backfill", "1"], 0);
        shop.fleet(&[("web", "pod-1", "1.0.0")]);
        let gate = shop.project.migrate(&["gate", "deploy", "web=1.2.0"]);
        assert_ne!(gate.code, 0, "{gate:?}");
        shop.changes_nothing(&["plan", "--to", "web=1.0.0"], 0);
    }
);

scenario!(
    fn when_one_that_is_seen_has_come_nobody_knows(db: Db) {
        let shop = listed(
            db,
            ANY_NUMBER,
            "\
description = \"Move users.full_name to users.name\"
[services.web]
old = \"<1.2.0\"
new = \">=1.1.0\"
[backfill]
table = \"users\"
key = \"id\"
remaining = \"SELECT count(*) FROM users WHERE name IS NULL\"
",
        );
        shop.run(&["expand"], 0);
        // Between two looks 1.0.0 goes and 1.1.0 comes, or the other way round.
        shop.fleet(&[("web", "pod-1", "1.0.0")]);
        shop.run(&["fleet", "--record"], 0);
        shop.fleet(&[("web", "pod-2", "1.1.0")]);
        shop.run(&["fleet", "--record"], 0);
        let gate = shop.project.migrate(&["gate", "backfill", "1"]);
        assert!(gate.stdout.contains("has to overwrite"), "{gate:?}");
    }
);

scenario!(
    fn a_look_between_two_tells_that_one_had_gone_before_the_other_came(db: Db) {
        let shop = listed(
            db,
            ANY_NUMBER,
            "\
description = \"Move users.full_name to users.name\"
[services.web]
old = \"<1.2.0\"
new = \">=1.1.0\"
[backfill]
table = \"users\"
key = \"id\"
remaining = \"SELECT count(*) FROM users WHERE name IS NULL\"
",
        );
        shop.run(&["expand"], 0);
        for fleet in [
            &[("web", "pod-1", "1.0.0")][..],
            &[],
            &[],
            &[("web", "pod-2", "1.1.0")],
        ] {
            shop.fleet(fleet);
            shop.run(&["fleet", "--record"], 0);
        }
        let gate = shop.project.migrate(&["gate", "backfill", "1"]);
        assert!(!gate.stdout.contains("has to overwrite"), "{gate:?}");
        shop.run(&["gate", "deploy", "web=1.1.0"], 0);
    }
);

/// Asks at the door for an instance whose version is named like this, with this in its environment.
fn claimed(shop: &Shop, command: &str, named: &[&str]) -> Output {
    let program: &[&str] = if command == "agent" {
        &["--", "sh", "-c", "touch started; echo $PHASEGATE_VERSION"]
    } else {
        &[]
    };
    let door = [command, "--service", "web", "--instance", "pod-1"];
    shop.project.migrate(&[&door, named, program].concat())
}

scenario!(
    fn the_word_of_the_image_holds_and_whoever_says_something_else_is_refused(db: Db) {
        let shop = Shop::backfilled(db);
        shop.run(&["contract"], 0);
        shop.project
            .file("OLD", "1.0.9\n")
            .file("NEW", "\u{feff}v1.2.0\r\n")
            .file("BUILD", "a1b2c3d\n")
            .file("EMPTY", "\n")
            .file("MANY", "1.2.0\n1.1.0\n")
            .env("APP_VERSION", "1.2.0")
            .env("APP_OLD", "1.0.0")
            .env("APP_EMPTY", "");
        let new = ["--version", "1.2.0"];
        for (named, code, told) in [
            (&["--version-file", "OLD"][..], 11, "old format"),
            (&["--version-env", "APP_OLD"], 11, "old format"),
            // `kubectl set image` with the code of an old version, under the label of the new one.
            (
                &[new[0], new[1], "--version-file", "OLD"],
                11,
                "--version says that this is 1.2.0, and the file OLD that it is 1.0.9",
            ),
            (
                &[new[0], new[1], "--version-env", "APP_OLD"],
                11,
                "the environment variable APP_OLD that it is 1.0.0",
            ),
            (
                &["--version-file", "NEW", "--version-env", "APP_OLD"],
                11,
                "the file NEW says that this is v1.2.0",
            ),
            (
                &["--version", "1.2.0-rc.1", "--version-file", "NEW"],
                11,
                "says that this is 1.2.0-rc.1",
            ),
            (&["--version-file", "BUILD"], 12, "aliases"),
            (
                &[new[0], new[1], "--version-file", "BUILD"],
                12,
                "the file BUILD",
            ),
            (&["--version-file", "EMPTY"], 12, "it is empty"),
            (&["--version-file", "MANY"], 12, "it has 2 lines"),
            (
                &[new[0], new[1], "--version-file", "none"],
                12,
                "where the image is built",
            ),
            (&["--version-file", "."], 12, "cannot be read"),
            (&["--version-env", "APP_NONE"], 12, "it is not set"),
            (&["--version-env", "APP_EMPTY"], 12, "it is empty"),
            (&["--version-env", "1.2.0"], 12, "takes a variable's name"),
            (&["--version", ""], 12, "it is empty"),
            (&[], 2, "--version-file <PATH>"),
        ] {
            for command in ["admit", "agent"] {
                let output = claimed(&shop, command, named).expect_code(code);
                let words = format!("{}{}", output.stdout, said(&output));
                assert!(words.contains(told), "{command} {named:?}: {output:?}");
            }
        }
        assert!(!shop.project.path().join("started").exists());
        let nobody = shop.json(&["fleet"], 0);
        assert!(!nobody.to_string().contains("pod-1"), "{nobody}");

        for (named, known) in [
            (&["--version-file", "NEW"][..], "v1.2.0"),
            (&["--version-env", "APP_VERSION"], "1.2.0"),
            (
                &[
                    new[0],
                    new[1],
                    "--version-file",
                    "NEW",
                    "--version-env",
                    "APP_VERSION",
                ],
                "1.2.0",
            ),
            (
                &[
                    new[0],
                    new[1],
                    "--version-file",
                    "BUILD",
                    "--alias",
                    "web:a1b2c3d=1.2.0",
                ],
                "1.2.0",
            ),
        ] {
            let started = claimed(&shop, "agent", named).expect_code(0);
            assert_eq!(started.stdout.trim(), known, "{named:?}: {started:?}");
            claimed(&shop, "admit", named).expect_code(0);
        }
    }
);

scenario!(
    fn of_two_migrations_with_one_number_only_one_was_applied(db: Db) {
        let shop = Shop::backfilled(db);
        let applied = shop.project.path().join("0001_name");
        let aside = shop.project.path().join("aside");
        std::fs::rename(&applied, &aside).expect("a directory");
        let manifest = "description = \"Add\"\n[services.web]\nnew = \">=2.0.0\"\n";
        let sql = "ALTER TABLE users ADD COLUMN email VARCHAR(200);\n";
        let files = [("migration.toml", manifest), ("expand.sql", sql)];
        shop.project.migration("0001_email", &files);
        let refused = admit(&shop, "2.0.0", "web-1", "1s").expect_code(11);
        let why = "the new format of 0001_email, which is not expanded yet";
        assert!(refused.stdout.contains(why), "{refused:?}");
        // What is said next leads on.
        let gate = shop.run(&["gate", "deploy", "web=2.0.0"], 1);
        assert!(
            said(&gate).contains("`migrate renumber 0001_email`"),
            "{gate:?}"
        );
        let status = shop.run(&["status"], 1).stdout;
        assert!(
            status.contains("expand (refuse)") && !status.contains("safe now"),
            "{status}"
        );
        std::fs::rename(&aside, &applied).expect("a directory");
        shop.run(&["renumber", "0001_email"], 0);
        shop.run(&["expand", "2"], 0);
        admit(&shop, "2.0.0", "web-1", "1s").expect_code(0);
    }
);
