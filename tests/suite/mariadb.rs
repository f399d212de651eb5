//! What only a database without transactional changes of the schema can do to us.

use crate::support::backend::{Db, Ledger};
use crate::support::connection::{Connection, MysqlSession};
use crate::support::mysql::{PrivateServer, is_mariadb};
use crate::support::project::Signal;
use crate::support::shop::{APPEND_ONLY, EXPAND, NAME, Shop, said};
use crate::support::wait::{GENEROUS, eventually};

const CONFIG: &str = "\
[database]
lock_timeout = \"2s\"
lock_retry_for = \"RETRY\"
[services.web]
min_instances = 0
[fleet]
coordinator_lease = \"300ms\"
";

fn shop(db: Db, retry_for: &str) -> Shop {
    let shop = Shop::with_config(db, &CONFIG.replace("RETRY", retry_for));
    shop.name_migration(APPEND_ONLY);
    shop
}

#[test]
fn a_table_that_is_not_released_is_given_up_and_its_holder_named() {
    let shop = shop(Db::on("mysql"), "3s");
    let mut other = shop.db.connect();
    let id = other.query("SELECT CONNECTION_ID()")[0][0].clone();
    other.execute("START TRANSACTION; SELECT count(*) FROM users");
    let data = shop.data();
    let given_up = shop.run(&["expand"], 1);
    for part in [
        "expand.sql:1",
        "trying again (attempt 1)",
        &format!("session {id} of phasegate-tests@"),
    ] {
        assert!(said(&given_up).contains(part), "{part} in {given_up:?}");
    }
    assert_eq!(shop.data(), data);
    assert_eq!(shop.phase(1), "pending");
    other.execute("COMMIT");
    shop.run(&["expand"], 0);
    shop.run(&["log", "--verify"], 0);
}

#[test]
fn a_batch_waits_for_a_locked_row_and_goes_on() {
    let shop = shop(Db::on("mysql"), "60s");
    shop.run(&["expand"], 0);
    let mut other = shop.db.connect();
    other.execute("START TRANSACTION; UPDATE users SET full_name = 'Don' WHERE id = 4");
    let backfill = shop.project.spawn(&["backfill"]);
    eventually(GENEROUS, || {
        let waiting = "SELECT count(*) FROM information_schema.processlist \
                       WHERE db = DATABASE() AND info LIKE 'UPDATE users SET name%'";
        (shop.db.value(waiting) != "0").then_some(())
    });
    other.execute("COMMIT");
    backfill.wait().expect_code(0);
    assert_eq!(shop.db.value("SELECT name FROM users WHERE id = 4"), "Don");
}

/// The server is killed while `migrate` stands at a point, and started again; so is `migrate`.
#[test]
fn a_server_that_crashes_at_any_statement_leaves_nothing_half_done() {
    let server = PrivateServer::start();
    let straight = shop(server.create("straight"), "5s");
    for command in ["expand", "backfill", "contract"] {
        straight.run(&[command], 0);
    }
    let wanted = straight.db.dump(Ledger::Excluded);
    let points = [
        ("expand", "expand.started"),
        ("expand", "expand.ran"),
        ("backfill", "backfill.ran"),
        ("contract", "contract.fenced"),
        ("contract", "contract.started"),
        ("contract", "contract.ran"),
    ];
    for (number, (at, point)) in points.into_iter().enumerate() {
        let shop = shop(server.create(&format!("crash_{number}")), "5s");
        for command in ["expand", "backfill", "contract"] {
            if command == at {
                shop.project.env("PHASEGATE_PAUSE_AT", point);
                let mut paused = shop.project.spawn(&[command]);
                shop.project.env_remove("PHASEGATE_PAUSE_AT");
                paused.wait_for_line("pause at point", GENEROUS);
                server.crash();
                server.start_again();
                // A backfill waits for the server, and comes past the point again.
                eventually(GENEROUS, || {
                    paused.signal_if_running(Signal::CONT);
                    paused.has_ended().then_some(())
                });
                let ended = paused.wait();
                // It goes on; the others stop.
                let code = if at == "backfill" { 0 } else { 12 };
                assert_eq!(ended.code, code, "{point}: {ended:?}");
            }
            shop.run(&[command], 0);
        }
        assert_eq!(shop.db.dump(Ledger::Excluded), wanted, "{point}");
        assert_eq!(shop.phase(1), "contracted", "{point}");
        shop.run(&["log", "--verify"], 0);
    }
    eprintln!(
        "server crashes on mysql: {} points, all equal",
        points.len()
    );
}

/// Nobody can tell from outside what a procedure has done.
#[test]
fn what_the_catalogue_cannot_tell_is_for_a_human_to_say() {
    for (answer, rows) in [("--applied", "0"), ("--not-applied", "1")] {
        let shop = shop(Db::on("mysql"), "5s");
        shop.db.execute(
            "CREATE TABLE audit (what TEXT); \
             CREATE PROCEDURE note() INSERT INTO audit VALUES ('once')",
        );
        shop.name_declaration(&format!(
            "{APPEND_ONLY}[[expand.allow]]\nstatement = \"CALL note()\"\nreason = \"it only notes\"\n"
        ));
        shop.project.file(
            "0001_name/expand.sql",
            "CALL note();\nALTER TABLE users ADD COLUMN name TEXT;\n",
        );
        shop.project.env("PHASEGATE_CRASH_AT", "expand.started");
        shop.run(&["expand"], 137);
        shop.project.env_remove("PHASEGATE_CRASH_AT");
        shop.db.execute("DELETE FROM audit");
        let asked = shop.run(&["expand"], 1);
        for part in [
            "expand.sql:1",
            "CALL note()",
            "migrate resolve 0001_name --step 1 --applied",
        ] {
            assert!(said(&asked).contains(part), "{part} in {asked:?}");
        }
        // Whoever looks later is not sent into the same failure again and again.
        let way = "look whether it took effect, and where it did a part, finish that by hand or undo it; then say so: \
                   `migrate resolve 0001_name --step 1 --applied` or `--not-applied`";
        let status = shop.run(&["status"], 0).stdout;
        assert!(status.contains(&format!("next: {way}")), "{status}");
        assert!(!status.contains("mend what it says"), "{status}");
        let failed = &shop.json(&["status"], 0)["migrations"][0]["failed"];
        let help = failed["help"].as_str().unwrap_or_default();
        assert!(help.starts_with(way), "{failed}");
        let message = failed["message"].as_str().unwrap_or_default();
        assert!(message.ends_with("CALL note()"), "{failed}");
        shop.run(&["resolve", NAME, "--step", "1", answer], 0);
        shop.run(&["expand"], 0);
        assert_eq!(shop.db.value("SELECT count(*) FROM audit"), rows);
        shop.run(&["log", "--verify"], 0);
    }
}

/// Everything the catalogue takes for the same that is not, and what commits behind a transaction's back.
#[test]
fn what_is_like_another_name_is_not_that_name_and_a_table_without_transactions_is_refused() {
    let shop = shop(Db::on("mysql"), "5s");
    shop.db.execute(
        "ALTER TABLE users ADD COLUMN nome TEXT; CREATE TABLE notes (id INT) ENGINE = MyISAM",
    );
    shop.project.file(
        "0001_name/expand.sql",
        "ALTER TABLE users ADD COLUMN `nomé` TEXT;\nALTER TABLE users ADD COLUMN name TEXT;\n\
         CREATE INDEX `idx é` ON users (`nomé`(10));\nINSERT INTO notes VALUES (1);\n",
    );
    let refused = shop.run(&["expand"], 1);
    for part in ["expand.sql:4", "ALTER TABLE `notes` ENGINE = InnoDB"] {
        assert!(said(&refused).contains(part), "{part} in {refused:?}");
    }
    assert_eq!(shop.db.value("SELECT count(*) FROM notes"), "0");
    shop.db.execute("ALTER TABLE notes ENGINE = InnoDB");
    shop.run(&["expand"], 0);
    assert_eq!(shop.db.value("SELECT count(*) FROM notes"), "1");
}

/// A table that is filled by the statement that creates it may be there without its rows.
#[test]
fn a_table_created_from_a_query_is_not_taken_for_whole() {
    let shop = shop(Db::on("mysql"), "5s");
    shop.project.file(
        "0001_name/expand.sql",
        "CREATE TABLE people AS SELECT id FROM users;\nALTER TABLE users ADD COLUMN name TEXT;\n",
    );
    shop.project.env("PHASEGATE_CRASH_AT", "expand.ran");
    shop.run(&["expand"], 137);
    shop.project.env_remove("PHASEGATE_CRASH_AT");
    let asked = shop.run(&["expand"], 1);
    for part in ["perhaps without its rows", "--step 1 --applied"] {
        assert!(said(&asked).contains(part), "{part} in {asked:?}");
    }
    shop.run(&["resolve", NAME, "--step", "1", "--applied"], 0);
    shop.run(&["expand"], 0);
    assert_eq!(shop.db.value("SELECT count(*) FROM people"), "5");
}

/// A server goes on with the statement of a client that was killed.
#[test]
fn a_statement_that_still_runs_is_waited_for() {
    let shop = shop(Db::on("mysql"), "60s");
    shop.project.env("PHASEGATE_CRASH_AT", "expand.started");
    shop.run(&["expand"], 137);
    shop.project.env_remove("PHASEGATE_CRASH_AT");
    let mut blocker = shop.db.connect();
    blocker.execute("START TRANSACTION; SELECT count(*) FROM users");
    let url = shop.db.url.clone();
    let orphan = std::thread::spawn(move || {
        let mut session = Connection::new(Box::new(MysqlSession::open(&url).expect("a session")));
        session.try_execute(EXPAND.trim_end().trim_end_matches(';'))
    });
    eventually(GENEROUS, || {
        let waiting = "SELECT count(*) FROM information_schema.processlist \
                       WHERE db = DATABASE() AND state LIKE 'Waiting for table metadata lock%'";
        (shop.db.value(waiting) != "0").then_some(())
    });
    let mut again = shop.project.spawn(&["expand"]);
    again.wait_for_line("still runs in session", GENEROUS);
    blocker.execute("COMMIT");
    again.wait().expect_code(0);
    orphan.join().expect("a thread").expect("it was alone");
    assert_eq!(shop.phase(1), "expanded");
}

#[test]
fn keys_of_every_kind_go_to_their_extremes() {
    let wide = "BIGINT UNSIGNED";
    let uuid = if is_mariadb(&Db::on("mysql")) {
        "UUID"
    } else {
        "CHAR(36)"
    };
    for (kind, keys) in [
        (
            "BIGINT",
            "(-9223372036854775808), (0), (9223372036854775807)",
        ),
        (wide, "(0), (9223372036854775808), (18446744073709551615)"),
        ("VARCHAR(40)", "('a''b\\\\'), ('Ärger'), ('日本')"),
        ("BINARY(4)", "(x'00000000'), (x'00ff5c27'), (x'ffffffff')"),
        (
            uuid,
            "('00000000-0000-0000-0000-000000000001'), ('ffffffff-ffff-ffff-ffff-ffffffffffff'), (UUID())",
        ),
    ] {
        let db = Db::on("mysql");
        db.execute(&format!(
            "CREATE TABLE `odd ``t` (`the key` {kind} PRIMARY KEY, full_name TEXT); \
             INSERT INTO `odd ``t` (`the key`) VALUES {keys}; UPDATE `odd ``t` SET full_name = 'Ö'"
        ));
        let shop = Shop {
            project: crate::support::project::Project::new(&db, &["web"]),
            db,
        };
        shop.project
            .file("migrate.toml", "[services.web]\nmin_instances = 0\n");
        let manifest = APPEND_ONLY
            .replace("table = \"users\"", "table = \"odd `t\"")
            .replace("key = \"id\"", "key = \"the key\"")
            .replace("batch = 2", "batch = 1")
            .replace("FROM users", "FROM `odd ``t`");
        shop.project.migration(
            NAME,
            &[
                ("migration.toml", &manifest),
                ("expand.sql", "ALTER TABLE `odd ``t` ADD COLUMN name TEXT;"),
                ("backfill.sql", "UPDATE `odd ``t` SET name = full_name WHERE `the key` > :after AND `the key` <= :upto"),
                ("contract.sql", "ALTER TABLE `odd ``t` DROP COLUMN full_name;"),
            ],
        );
        for command in ["expand", "backfill", "contract"] {
            let output = shop.project.migrate(&[command]);
            assert_eq!(output.code, 0, "{kind} {command}: {output:?}");
        }
        assert_eq!(
            shop.db
                .value("SELECT count(*) FROM `odd ``t` WHERE name = 'Ö'"),
            "3",
            "{kind}"
        );
    }
}

#[test]
fn a_session_without_a_lease_blocks_under_the_name_of_its_user() {
    let server = PrivateServer::start();
    let db = server.create("shop");
    db.execute("CREATE USER 'web/1.0.0'@'%' IDENTIFIED BY 'secret'; GRANT SELECT ON shop.* TO 'web/1.0.0'@'%'");
    let shop = Shop::with_config(
        db,
        "[services.web]\nmin_instances = 0\n[fleet]\nsources = [{ kind = \"sessions\" }]\n",
    );
    shop.name_migration(APPEND_ONLY);
    shop.run(&["expand"], 0);
    shop.run(&["backfill"], 0);
    let url = server.url_as("web%2F1.0.0", "secret", "shop");
    let application = Connection::new(Box::new(MysqlSession::open_plain(&url).expect("a session")));
    let held = shop.run(&["contract", NAME], 11);
    for part in ["web 1.0.0", "by sessions"] {
        assert!(held.stdout.contains(part), "{part} in {held:?}");
    }
    // Its own sessions are all that it sees, and that is no evidence.
    shop.project.env("DATABASE_URL", &url);
    let blind = shop.run(&["fleet"], 12);
    assert!(said(&blind).contains("PROCESS"), "{blind:?}");
    drop(application);
}

/// With the performance schema on, as it is on MySQL, an application is known by what it calls itself.
#[test]
fn a_session_without_a_lease_blocks_under_the_name_of_its_program() {
    let server = PrivateServer::start();
    let shop = Shop::with_config(
        server.create("shop"),
        "[services.web]\nmin_instances = 0\n[fleet]\nsources = [{ kind = \"sessions\" }]\n",
    );
    shop.name_migration(APPEND_ONLY);
    shop.run(&["expand"], 0);
    shop.run(&["backfill"], 0);
    let application = server.session_of("web/1.1.5", "shop");
    let fleet = shop.json(&["fleet"], 0);
    let fleet = fleet.to_string();
    assert!(fleet.contains("1.1.5"), "{fleet}");
    let held = shop.run(&["contract", NAME], 11);
    for part in ["web 1.1.5", "by sessions"] {
        assert!(held.stdout.contains(part), "{part} in {held:?}");
    }
    drop(application);
    eventually(GENEROUS, || {
        (shop.project.migrate(&["contract", NAME]).code == 0).then_some(())
    });
}

/// What an application of such a server writes as an empty text is NULL; the ledger's own tables have empty texts.
#[test]
fn a_mode_that_makes_null_of_empty_texts_is_that_of_scripts_alone() {
    let server = PrivateServer::start();
    let db = server.create("shop");
    if !is_mariadb(&db) {
        return;
    }
    db.execute("SET GLOBAL sql_mode = CONCAT(@@GLOBAL.sql_mode, ',EMPTY_STRING_IS_NULL')");
    let shop = shop(db, "5s");
    shop.project.migration(
        "0002_notes",
        &[
            ("migration.toml", "description = \"notes\"\n"),
            (
                "expand.sql",
                "CREATE TABLE notes (id INT PRIMARY KEY, a VARCHAR(10));\nINSERT INTO notes VALUES (1, ''), (2, 'x');\n",
            ),
        ],
    );
    shop.run(&["expand"], 0);
    assert_eq!(
        shop.db.query("SELECT id, a IS NULL FROM notes ORDER BY id"),
        [["1", "1"], ["2", "0"]]
    );
    shop.run(&["backfill"], 0);
    let instance = shop.instance("1.2.0", "web-1");
    shop.run(&["contract", NAME], 0);
    drop(instance);
    shop.run(&["log", "--verify"], 0);
}
