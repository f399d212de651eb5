//! What the ledger knows is told whatever the files say, what the files leave unknown is never a yes, and what is wrong with them
//! stops only the steps that need it.

use crate::support::backend::Db;
use crate::support::shop::{APPEND_ONLY, BACKFILL, CONTRACT, EXPAND, NAME, REVERT, Shop, said};

/// A column that versions from 1.3.0 on need.
const MORE: &str = "0002_more";
const MORE_DECLARED: &str = "description = \"more\"\n[services.web]\nnew = \">=1.3.0\"\n";
const MORE_EXPAND: &str = "CREATE TABLE more (id INTEGER PRIMARY KEY);\n";

const CONFIG: &str = "[services.web]\nmin_instances = 0\n";

/// The first migration is backfilled, the second one pending.
fn shop(db: Db) -> Shop {
    let shop = Shop::backfilled(db);
    with_more(&shop);
    shop
}

fn with_more(shop: &Shop) {
    let files = [
        ("migration.toml", MORE_DECLARED),
        ("expand.sql", MORE_EXPAND),
    ];
    shop.project.migration(MORE, &files);
}

fn remove(shop: &Shop, path: &str) {
    let path = shop.project.path().join(path);
    let removed = if path.is_dir() {
        std::fs::remove_dir_all(&path)
    } else {
        std::fs::remove_file(&path)
    };
    removed.unwrap_or_else(|error| panic!("cannot remove {}: {error}", path.display()));
}

/// Puts every file back as it was.
fn mend(shop: &Shop) {
    let _ = std::fs::remove_file(shop.project.path().join("0003_x"));
    shop.project.file("migrate.toml", CONFIG);
    shop.name_migration(APPEND_ONLY);
    with_more(shop);
}

struct Breakage {
    what: &'static str,
    breaks: fn(&Shop),
    /// What is said to be wrong; nothing where that is no error.
    error: &'static str,
    /// The exit codes of [`ASKED`], in their order.
    codes: [i32; 9],
}

const ASKED: [&[&str]; 9] = [
    &["gate", "deploy", "web=1.0.0"],
    &["gate", "deploy", "web=1.3.0"],
    &["gate", "expand", "2"],
    &["gate", "contract", "1"],
    &["gate", "revert", "1"],
    &["plan", "--to", "web=1.3.0"],
    &["plan", "--from", "web=1.2.0", "--to", "web=1.3.0"],
    &[
        "admit",
        "--service",
        "web",
        "--version",
        "1.1.0",
        "--for",
        "1s",
    ],
    &[
        "agent",
        "--service",
        "web",
        "--version",
        "1.1.0",
        "--",
        "true",
    ],
];

/// Everybody who asks what is, gets it.
const TOLD: [&[&str]; 4] = [&["status"], &["fleet"], &["log"], &["rollout", "status"]];

const BREAKAGES: &[Breakage] = &[
    Breakage {
        what: "nothing",
        breaks: |_| {},
        error: "",
        codes: [0, 11, 0, 0, 0, 0, 0, 0, 0],
    },
    Breakage {
        what: "a syntax error in the declaration of one that is pending",
        breaks: |shop| {
            shop.project
                .file("0002_more/migration.toml", "description = \"x\n");
        },
        error: "0002_more/migration.toml:1:",
        codes: [12, 12, 11, 0, 0, 12, 12, 0, 0],
    },
    Breakage {
        what: "an unknown key in it",
        breaks: |shop| {
            let text = "description = \"x\"\n[services.web]\nnwe = \">=1.3.0\"\n";
            shop.project.file("0002_more/migration.toml", text);
        },
        error: "0002_more/migration.toml:3:1: ",
        codes: [12, 12, 11, 0, 0, 12, 12, 0, 0],
    },
    Breakage {
        what: "a service that nobody knows, in it",
        breaks: |shop| {
            let text = "description = \"x\"\n[services.wbe]\nnew = \">=1.3.0\"\n";
            shop.project.file("0002_more/migration.toml", text);
        },
        error: "migrate.toml names no service `wbe`",
        codes: [12, 12, 11, 0, 0, 12, 12, 0, 0],
    },
    Breakage {
        what: "a missing script of one that is pending",
        breaks: |shop| remove(shop, "0002_more/expand.sql"),
        error: "no `expand.sql` that adds it",
        codes: [0, 11, 11, 0, 0, 11, 0, 0, 0],
    },
    Breakage {
        what: "broken SQL in it",
        breaks: |shop| {
            shop.project
                .file("0002_more/expand.sql", "CREATE TABEL more (id INTEGER);\n");
        },
        error: "0002_more/expand.sql:1:",
        codes: [0, 11, 11, 0, 0, 11, 0, 0, 0],
    },
    Breakage {
        what: "a directory that cannot be read",
        breaks: |shop| {
            std::os::unix::fs::symlink("nowhere", shop.project.path().join("0003_x"))
                .expect("a link");
        },
        error: "0003_x",
        codes: [12, 11, 12, 0, 0, 12, 12, 0, 0],
    },
    Breakage {
        what: "no file of one that is applied",
        breaks: |shop| remove(shop, NAME),
        error: "",
        codes: [0, 11, 0, 11, 11, 11, 0, 0, 0],
    },
    Breakage {
        what: "a declaration that cannot be read, of one that is applied",
        breaks: |shop| {
            shop.name_declaration("nonsense");
        },
        error: "0001_name/migration.toml:1:",
        codes: [0, 11, 0, 11, 0, 11, 12, 0, 0],
    },
    Breakage {
        what: "a syntax error in migrate.toml",
        breaks: |shop| {
            shop.project.file("migrate.toml", "[services.web\n");
        },
        error: "migrate.toml:1:",
        codes: [12, 12, 12, 11, 11, 12, 12, 0, 0],
    },
    Breakage {
        what: "no migrate.toml",
        breaks: |shop| remove(shop, "migrate.toml"),
        error: "migrate.toml",
        codes: [12, 12, 12, 11, 11, 12, 12, 0, 0],
    },
    Breakage {
        what: "a number of instances that cannot be read",
        breaks: |shop| {
            shop.project
                .file("migrate.toml", "[services.web]\nmin_instances = \"two\"\n");
        },
        error: "migrate.toml:2:",
        codes: [12, 11, 12, 12, 12, 12, 12, 0, 0],
    },
    Breakage {
        what: "a mistyped section",
        breaks: |shop| {
            let text =
                "[services.web]\nmin_instances = 0\n[flete]\nsources = [{ kind = \"leases\" }]\n";
            shop.project.file("migrate.toml", text);
        },
        error: "flete",
        codes: [12, 11, 12, 12, 12, 12, 12, 0, 0],
    },
    Breakage {
        what: "a driver that cannot be read",
        breaks: |shop| {
            let text = format!("{CONFIG}[rollout]\ntimeout = 3\n");
            shop.project.file("migrate.toml", &text);
        },
        error: "migrate.toml:",
        codes: [0, 11, 0, 0, 0, 0, 0, 0, 0],
    },
];

scenario!(
    fn what_asks_is_answered_by_the_ledger_whatever_the_files_say(db: Db) {
        let shop = shop(db);
        for Breakage {
            what,
            breaks,
            error,
            codes,
        } in BREAKAGES
        {
            mend(&shop);
            breaks(&shop);
            let told = |arguments: &[&str], code: i32| {
                let output = shop.project.migrate(arguments);
                assert_eq!(output.code, code, "{what}: {arguments:?}: {output:?}");
                assert!(
                    said(&output).contains(error),
                    "{what}: {arguments:?}: {output:?}"
                );
                output
            };
            for command in TOLD {
                told(command, 0);
                let json = shop.json(command, 0);
                let problems = json["problems"].as_array().map_or(0, Vec::len);
                assert_eq!(
                    problems > 0,
                    !error.is_empty(),
                    "{what}: {command:?}: {json}"
                );
            }
            let status = told(&["status"], 0).stdout;
            for part in ["0001_name", "backfilled"] {
                assert!(status.contains(part), "{what}: {status}");
            }
            for (command, code) in ASKED.iter().zip(codes) {
                told(command, *code);
                // Who was let in has gone again.
                shop.db
                    .execute(&format!("DELETE FROM {}", shop.ledger("leases")));
            }
        }
    }
);

scenario!(
    fn what_is_pending_and_cannot_be_read_is_shown_and_refused(db: Db) {
        let shop = shop(db);
        shop.project
            .file("0002_more/migration.toml", "description = \"x\n");
        let status = shop.run(&["status"], 0).stdout;
        assert!(status.contains("0002_more"), "{status}");
        assert!(status.contains("0002_more/migration.toml:1:"), "{status}");
        assert!(!status.contains("may start now\n"), "{status}");
        let json = shop.json(&["status"], 0);
        assert_eq!(json["migrations"][1]["next"]["verdict"], "refuse", "{json}");
        let gate = shop.json(&["gate", "deploy", "web=1.3.0"], 12);
        assert_eq!(gate["blockers"][0]["kind"], "files", "{gate}");
        assert_eq!(gate["blockers"][0]["migration"], MORE, "{gate}");
        // That nothing was done is no success.
        let nothing = shop.run(&["expand"], 11);
        assert!(
            nothing.stdout.contains("0002_more/migration.toml:1:"),
            "{nothing:?}"
        );
    }
);

scenario!(
    fn what_is_wrong_with_one_stops_it_and_what_comes_after_it(db: Db) {
        let shop = shop(db);
        let last = [
            ("migration.toml", "description = \"last\"\n"),
            ("expand.sql", "CREATE TABLE last_one (id INTEGER);\n"),
        ];
        shop.project.migration("0004_last", &last);
        for broken in [
            [
                ("migration.toml", "description = \"odd\"\nodd = 1\n"),
                ("expand.sql", "SELECT 1;\n"),
            ],
            [
                ("migration.toml", "description = \"odd\"\n"),
                ("expand.sql", "CREATE TABEL odd (id INTEGER);\n"),
            ],
        ] {
            shop.project.migration("0003_odd", &broken);
            let expanded = shop.run(&["expand"], 11);
            assert_eq!(shop.phase(2), "expanded");
            assert!(expanded.stdout.contains("0003_odd/"), "{expanded:?}");
            let later = shop.run(&["expand", "4"], 11);
            assert!(later.stdout.contains("0003_odd"), "{later:?}");
            assert!(shop.db.try_execute("SELECT id FROM last_one").is_err());
        }
        // What does not build on it goes on.
        shop.run(&["contract", "1"], 0);
        let odd = [
            ("migration.toml", "description = \"odd\"\n"),
            ("expand.sql", "CREATE TABLE odd (id INTEGER);\n"),
        ];
        shop.project.migration("0003_odd", &odd);
        shop.run(&["expand"], 0);
        assert_eq!(shop.phase(4), "expanded");
    }
);

scenario!(
    fn a_stricter_rule_says_nothing_against_what_was_applied(db: Db) {
        let shop = Shop::new(db);
        let vouched =
            "[[expand.allow]]\nstatement = \"UPDATE users SET\"\nreason = \"five rows\"\n";
        shop.name_migration(&format!("{APPEND_ONLY}{vouched}"));
        let script = format!("{EXPAND}UPDATE users SET full_name = 'x' WHERE id < 0;\n");
        shop.project.file(format!("{NAME}/expand.sql"), &script);
        shop.run(&["expand"], 0);
        // As if the rule that it was excused from had not been there at that time.
        shop.name_declaration(APPEND_ONLY);
        shop.run(&["check"], 1);
        with_more(&shop);
        shop.run(&["expand"], 0);
        assert_eq!(shop.phase(2), "expanded");
        shop.run(&["backfill"], 0);
        shop.run(&["gate", "deploy", "web=1.3.0"], 0);
        shop.run(&["contract"], 0);
        assert_eq!(shop.phase(1), "contracted");
        let status = shop.run(&["status"], 0);
        assert!(
            said(&status).contains("0001_name/expand.sql:2:"),
            "{status:?}"
        );
    }
);

scenario!(
    fn a_contract_asks_its_queries_though_another_script_is_not_in_order(db: Db) {
        let shop = Shop::new(db);
        let vouched =
            "[[expand.allow]]\nstatement = \"UPDATE users SET\"\nreason = \"five rows\"\n";
        let required = "[contract]\nrequire = [\"SELECT count(*) FROM users\"]\n";
        shop.name_migration(&format!("{APPEND_ONLY}{required}{vouched}"));
        let script = format!("{EXPAND}UPDATE users SET full_name = 'x' WHERE id < 0;\n");
        shop.project.file(format!("{NAME}/expand.sql"), &script);
        shop.run(&["expand"], 0);
        shop.run(&["backfill"], 0);
        shop.name_declaration(&format!("{APPEND_ONLY}{required}"));
        let gate = shop.run(&["gate", "contract", "1"], 11);
        assert!(gate.stdout.contains("`require` returns 5"), "{gate:?}");
        shop.run(&["contract", "1"], 11);
        assert_eq!(shop.phase(1), "backfilled");
    }
);

scenario!(
    fn a_revert_needs_nothing_but_its_own_script(db: Db) {
        let shop = shop(db);
        shop.name_declaration("nonsense");
        shop.project
            .file(format!("{NAME}/expand.sql"), "ALTER TABEL users;\n");
        remove(&shop, &format!("{NAME}/backfill.sql"));
        remove(&shop, &format!("{NAME}/contract.sql"));
        // Its own one has to be right.
        shop.project.file(
            format!("{NAME}/revert.sql"),
            "ALTER TABLE users DROP COLUMN 'name;\n",
        );
        let refused = shop.run(&["revert", "1"], 11);
        assert!(
            refused.stdout.contains("0001_name/revert.sql:1:"),
            "{refused:?}"
        );
        shop.project.file(format!("{NAME}/revert.sql"), REVERT);
        shop.run(&["revert", "1"], 0);
        assert!(shop.db.try_execute("SELECT name FROM users").is_err());
    }
);

scenario!(
    fn what_is_gone_or_changed_is_told_from_what_is_not_in_order(db: Db) {
        let shop = shop(db);
        // Whatever else is wrong with the migration.
        shop.name_declaration("nonsense");
        assert_eq!(
            shop.json(&["status"], 0)["changed_files"],
            serde_json::json!([])
        );
        shop.project.file(
            format!("{NAME}/expand.sql"),
            &format!("{EXPAND}CREATE TABLE changed (id INTEGER);\n"),
        );
        let changed = shop.json(&["status"], 1);
        assert!(
            changed["changed_files"]
                .to_string()
                .contains("it was changed after expand"),
            "{changed}"
        );
        remove(&shop, &format!("{NAME}/expand.sql"));
        let gone = shop.json(&["status"], 1);
        assert!(
            gone["changed_files"]
                .to_string()
                .contains("the file is gone"),
            "{gone}"
        );
        shop.run(&["contract", "1"], 1);
        shop.project.file(format!("{NAME}/expand.sql"), EXPAND);
        // A script that no database reads is not gone.
        shop.project
            .file(format!("{NAME}/backfill.sql"), "UPDTAE users;\n");
        let changed = shop.json(&["status"], 1);
        assert!(
            changed["changed_files"]
                .to_string()
                .contains("it was changed after backfill"),
            "{changed}"
        );
        shop.project
            .file(format!("{NAME}/backfill.sql"), BACKFILL)
            .file(format!("{NAME}/contract.sql"), CONTRACT);
    }
);

scenario!(
    fn who_may_start_is_told_by_what_could_be_read(db: Db) {
        let shop = shop(db);
        let agent = [
            "agent",
            "--service",
            "web",
            "--version",
            "1.3.0",
            "--",
            "true",
        ];
        remove(&shop, "0002_more/expand.sql");
        let refused = shop.run(&agent, 11);
        assert!(
            said(&refused).contains("no `expand.sql` that adds it"),
            "{refused:?}"
        );
        assert!(refused.stdout.contains(MORE), "{refused:?}");
        // Without the declaration the ledger decides alone, as for an instance that has no files.
        shop.project.file("0002_more/migration.toml", "nonsense");
        let admitted = shop.run(&agent, 0);
        assert!(
            said(&admitted).contains("0002_more/migration.toml:1:"),
            "{admitted:?}"
        );
    }
);

scenario!(
    fn settings_that_cannot_be_read_stop_whoever_acts_by_them(db: Db) {
        let shop = shop(db);
        shop.project
            .file("migrate.toml", &format!("{CONFIG}[rollout]\ntimeout = 3\n"));
        for command in [
            &["expand"][..],
            &["backfill"],
            &["contract"],
            &["rollout", "--to", "web=1.3.0"],
            &["fleet", "--record"],
            &["gate", "--record", "deploy", "web=1.0.0"],
        ] {
            let refused = shop.changes_nothing(command, 1);
            assert!(
                said(&refused).contains("migrate.toml:"),
                "{command:?}: {refused:?}"
            );
            let json = shop.json(command, 1);
            assert_eq!(
                json["error"]["problems"][0]["file"], "migrate.toml",
                "{json}"
            );
        }
    }
);

scenario!(
    fn a_rollout_does_not_begin_what_it_cannot_end(db: Db) {
        let shop = shop(db);
        shop.project
            .file("0002_more/expand.sql", "CREATE TABEL more (id INTEGER);\n");
        let refused = shop.changes_nothing(&["rollout", "--to", "web=1.3.0"], 11);
        assert!(
            said(&refused).contains("0002_more/expand.sql:1:"),
            "{refused:?}"
        );
        assert_eq!(
            shop.json(&["rollout", "status"], 0)["rollout"],
            serde_json::Value::Null
        );
    }
);

scenario!(
    fn a_rollout_is_shown_and_given_up_without_files(db: Db) {
        let shop = shop(db);
        let settings = format!("{CONFIG}[rollout]\ntimeout = \"1s\"\n");
        shop.project.file("migrate.toml", &settings);
        let _live = shop.instance("1.2.0", "server-1");
        shop.run(&["rollout", "--to", "web=1.3.0"], 10);
        for path in ["migrate.toml", NAME, MORE] {
            remove(&shop, path);
        }
        let status = shop.run(&["rollout", "status"], 0);
        assert!(
            status.stdout.contains("rollout 1 to web 1.3.0: open"),
            "{status:?}"
        );
        shop.run(&["rollout", "resume"], 1);
        let given_up = shop.run(&["rollout", "abort"], 0);
        assert!(
            given_up
                .stdout
                .contains("rollout 1 to web 1.3.0 is given up"),
            "{given_up:?}"
        );
        assert_eq!(
            shop.json(&["rollout", "status"], 0)["rollout"]["state"],
            "aborted"
        );
    }
);

scenario!(
    fn another_name_of_a_version_is_not_guessed_without_the_file_that_says_it(db: Db) {
        let shop = shop(db);
        shop.project.file(
            "migrate.toml",
            "[services.web]\nmin_instances = 0\naliases = { \"7\" = \"1.0.0\" \n",
        );
        let admit = ["admit", "--service", "web", "--for", "1s", "--version"];
        shop.run(&[&admit[..], &["1.0.0"]].concat(), 0);
        for label in ["7", "v1.0.0", "a1b2c3"] {
            let unknown = shop.run(&[&admit[..], &[label]].concat(), 12);
            assert!(said(&unknown).contains("not known"), "{unknown:?}");
        }
    }
);
