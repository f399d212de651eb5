//! Which server is asked, among which schemas, and who is in the way.

use std::time::{Duration, Instant};

use crate::support::backend::Db;
use crate::support::mysql;
use crate::support::postgres::PrivateServer;
use crate::support::project::Project;
use crate::support::shop::said;
use crate::support::wait::{GENEROUS, eventually};

fn project(db: &Db) -> Project {
    let project = Project::new(db, &[]);
    project.file("migrate.toml", "[services.web]\nmin_instances = 0\n");
    project.migration(
        "0001_users",
        &[
            (
                "migration.toml",
                "description = \"users\"\n[services.web]\nnew = \">=1.0.0\"\n",
            ),
            (
                "expand.sql",
                "CREATE TABLE users (id int PRIMARY KEY, name varchar(20));\n",
            ),
        ],
    );
    project
}

/// Every command, those that ask and those that act.
const COMMANDS: &[&[&str]] = &[
    &["gate", "deploy", "web=1.0.0"],
    &["status"],
    &["fleet"],
    &["plan"],
    &["log"],
    &["expand"],
    &["backfill"],
    &["contract"],
    &["admit", "--service", "web", "--version", "1.0.0"],
    &[
        "agent",
        "--service",
        "web",
        "--version",
        "1.0.0",
        "--",
        "true",
    ],
];

#[test]
fn a_standby_answers_nothing_and_says_how_far_it_is_behind() {
    let primary = PrivateServer::start();
    let db = primary.create("shop");
    project(&db).migrate(&["expand"]).expect_code(0);
    let standby = primary.follow();
    let behind = Db::at("postgres", standby.url("shop"));
    eventually(GENEROUS, || {
        let there = behind.try_execute("SELECT count(*) FROM phasegate.meta");
        there.ok().map(drop)
    });
    let asked = project(&behind);
    for command in COMMANDS {
        let output = asked.migrate(command).expect_code(12);
        let text = format!("{} {}", output.stdout, said(&output));
        assert!(
            text.contains("this is a standby"),
            "{command:?}: {output:?}"
        );
        assert!(text.contains("ask the primary"), "{command:?}: {output:?}");
    }
    let json = asked
        .migrate(&["gate", "deploy", "web=1.0.0", "--output", "json"])
        .expect_code(12)
        .json();
    assert_eq!(json["verdict"], "unknown", "{json}");
    assert!(json.to_string().contains("s behind"), "{json}");
    // As it is said.
    asked.env("DATABASE_URL", &db.url);
    asked
        .migrate(&["gate", "deploy", "web=1.0.0"])
        .expect_code(0);
}

#[test]
fn a_server_that_is_read_only_answers_nothing() {
    let server = mysql::PrivateServer::start();
    let db = server.create("shop");
    let asked = project(&db);
    asked.migrate(&["expand"]).expect_code(0);
    db.execute("SET GLOBAL read_only = 1");
    for command in COMMANDS {
        let output = asked.migrate(command).expect_code(12);
        let text = format!("{} {}", output.stdout, said(&output));
        assert!(
            text.contains("read only, as replicas are"),
            "{command:?}: {output:?}"
        );
        assert!(text.contains("ask the primary"), "{command:?}: {output:?}");
    }
    db.execute("SET GLOBAL read_only = 0");
    asked.migrate(&["status"]).expect_code(0);
}

/// A project with a migration that takes something away.
fn with_contract(db: &Db) -> Project {
    let project = project(db);
    project.file(
        "migrate.toml",
        "[services.web]\nmin_instances = 0\n[fleet]\nrenew = \"1s\"\nsessions = \"off\"\n",
    );
    project.migration(
        "0002_unused",
        &[
            (
                "migration.toml",
                "description = \"unused\"\n[services.web]\nold = \"<1.1.0\"\n",
            ),
            ("contract.sql", "ALTER TABLE users DROP COLUMN name;\n"),
        ],
    );
    project
}

/// What a ledger is worth that has come to another server: nothing that takes away goes before whoever runs has had the
/// time to register anew.
fn waits_until_all_have_registered_anew(promoted: &Db) {
    let project = with_contract(promoted);
    let unknown = project.migrate(&["gate", "contract", "2"]).expect_code(12);
    for part in [
        "has come to another server",
        "the last thing that is recorded is",
        "--accept-unknown REASON",
        "the next command that acts",
    ] {
        assert!(unknown.stdout.contains(part), "{part}: {unknown:?}");
    }
    // What adds does not depend on it.
    project.migrate(&["expand"]).expect_code(0);
    project
        .migrate(&["gate", "deploy", "web=1.2.0"])
        .expect_code(0);
    let unknown = project.migrate(&["contract", "2"]).expect_code(12);
    assert!(
        unknown.stdout.contains("register anew within"),
        "{unknown:?}"
    );
    project
        .migrate(&["contract", "2", "--wait", "2m"])
        .expect_code(0);
    project.migrate(&["log", "--verify"]).expect_code(0);
}

#[test]
fn a_ledger_knows_that_its_standby_was_promoted() {
    let primary = PrivateServer::start();
    let db = primary.create("shop");
    let project = with_contract(&db);
    project.migrate(&["expand"]).expect_code(0);
    project.migrate(&["gate", "contract", "2"]).expect_code(0);
    let standby = primary.follow();
    let promoted = Db::at("postgres", standby.url("shop"));
    eventually(GENEROUS, || {
        let there = promoted.try_execute("SELECT count(*) FROM phasegate.meta");
        there.ok().map(drop)
    });
    promoted.execute("SELECT pg_promote()");
    waits_until_all_have_registered_anew(&promoted);
    // Where nothing was promoted nothing is waited for.
    project.migrate(&["gate", "contract", "2"]).expect_code(0);
}

/// Waits until a replica has got the ledger of its primary.
fn holds_the_ledger_of(primary: &Db, replica: &Db, administrator: &Db) {
    let tables =
        "SELECT count(*) FROM information_schema.tables WHERE table_name = 'phasegate_events'";
    eventually(GENEROUS, || {
        (administrator.value(tables) == "1").then_some(())
    });
    let last = "SELECT max(seq) FROM phasegate_events";
    eventually(GENEROUS, || {
        (replica.value(last) == primary.value(last)).then_some(())
    });
}

#[test]
fn a_ledger_knows_that_its_replica_took_over() {
    let primary = mysql::PrivateServer::numbered(11);
    let db = primary.create("shop");
    let project = with_contract(&db);
    project.migrate(&["expand"]).expect_code(0);
    project.migrate(&["gate", "contract", "2"]).expect_code(0);
    let replica = mysql::PrivateServer::numbered(12);
    replica.follow(&primary);
    let administrator = Db::at("mysql", replica.url("mysql"));
    let there = Db::at("mysql", replica.url("shop"));
    holds_the_ledger_of(&db, &there, &administrator);
    let behind = with_contract(&there);
    let standby = behind.migrate(&["gate", "contract", "2"]).expect_code(12);
    assert!(standby.stdout.contains("ask the primary"), "{standby:?}");
    administrator.execute("STOP SLAVE; RESET SLAVE ALL; SET GLOBAL read_only = 0");
    waits_until_all_have_registered_anew(&there);
}

/// A replica that may be written is one whether its threads run or not, until it was told that it follows nobody any more. Of two
/// that follow each other the one that is written is the primary, and goes on when the other one is away.
#[test]
fn a_replica_that_may_be_written_is_no_primary_until_it_is_told_so() {
    let primary = mysql::PrivateServer::numbered(21);
    let db = primary.create("shop");
    let project = with_contract(&db);
    project.migrate(&["expand"]).expect_code(0);
    let replica = mysql::PrivateServer::numbered(22);
    replica.follow(&primary);
    let administrator = Db::at("mysql", replica.url("mysql"));
    administrator.execute("SET GLOBAL read_only = 0");
    let there = Db::at("mysql", replica.url("shop"));
    holds_the_ledger_of(&db, &there, &administrator);
    let asked = self::project(&there);
    asked
        .migrate(&["gate", "deploy", "web=1.0.0"])
        .expect_code(12);
    for stop in ["STOP SLAVE SQL_THREAD", "STOP SLAVE"] {
        administrator.execute(stop);
        for command in COMMANDS {
            let output = asked.migrate(command).expect_code(12);
            let text = format!("{} {}", output.stdout, said(&output));
            for part in ["told to follow another one", "RESET REPLICA ALL"] {
                assert!(text.contains(part), "{stop}: {command:?}: {output:?}");
            }
        }
    }
    // Who may not see it is not kept from a server that was promoted, and is told what would show it.
    administrator.execute(
        "CREATE USER app IDENTIFIED BY 'x'; GRANT ALL ON shop.* TO app; \
         CREATE USER app_that_sees IDENTIFIED BY 'x'; GRANT ALL ON shop.* TO app_that_sees; \
         GRANT SLAVE MONITOR ON *.* TO app_that_sees",
    );
    for (user, code, part) in [
        ("app", 0, "`GRANT SLAVE MONITOR ON *.* TO`"),
        ("app_that_sees", 12, "RESET REPLICA ALL"),
    ] {
        asked.env("DATABASE_URL", &replica.url_as(user, "x", "shop"));
        for command in [COMMANDS[0], COMMANDS[8]] {
            let output = asked.migrate(command).expect_code(code);
            let text = format!("{} {}", output.stdout, output.stderr);
            assert!(text.contains(part), "{user}: {command:?}: {output:?}");
        }
    }
    // Each follows the other one.
    administrator.execute("START SLAVE; SET GLOBAL read_only = 1");
    primary.follow(&replica);
    db.execute("SET GLOBAL read_only = 0");
    eventually(GENEROUS, || {
        let output = project.migrate(&["gate", "deploy", "web=1.0.0"]);
        (output.code == 0).then_some(())
    });
    replica.crash();
    let connecting = "SELECT count(*) FROM information_schema.processlist \
         WHERE state LIKE 'Reconnecting%' OR state LIKE 'Waiting to reconnect%' OR state LIKE 'Connecting%'";
    eventually(GENEROUS, || (db.value(connecting) != "0").then_some(()));
    project
        .migrate(&["gate", "deploy", "web=1.0.0"])
        .expect_code(0);
    replica.start_again();
    // It was promoted.
    administrator.execute("STOP SLAVE; RESET SLAVE ALL; SET GLOBAL read_only = 0");
    asked.env("DATABASE_URL", &there.url);
    asked
        .migrate(&["gate", "deploy", "web=1.0.0"])
        .expect_code(0);
}

/// Who has renamed a schema says so with a command, and nobody takes a ledger along to another one with it.
#[test]
fn a_ledger_follows_a_schema_that_was_renamed_and_goes_to_no_other() {
    let db = Db::on("postgres");
    db.execute("CREATE SCHEMA tenant_a; CREATE SCHEMA tenant_b");
    let at = |path: &str| {
        let between = if db.url.contains('?') { '&' } else { '?' };
        let options = format!("{between}options=-c%20search_path%3D{path}");
        project(&Db::at("postgres", format!("{}{options}", db.url)))
    };
    let resolve = ["resolve", "--schemas-renamed", "--reason", "a new name"];
    let first = at("tenant_a");
    let none = first.migrate(&resolve).expect_code(1);
    assert!(said(&none).contains("has no ledger"), "{none:?}");
    first.migrate(&["expand"]).expect_code(0);
    let nothing = first.migrate(&resolve).expect_code(0);
    assert!(nothing.stdout.contains("nothing to record"), "{nothing:?}");
    // Another schema, beside it.
    let other = at("tenant_b");
    let refused = other.migrate(&resolve).expect_code(11);
    assert!(
        said(&refused).contains("`tenant_a`, which is still there"),
        "{refused:?}"
    );
    other.migrate(&["status"]).expect_code(12);
    db.execute("ALTER SCHEMA tenant_a RENAME TO tenant_c");
    // It is known whatever it is called; and where it is not, as after a dump was restored, by what is in it.
    let elsewhere = other.migrate(&resolve).expect_code(11);
    let called = "is called `tenant_c` now";
    assert!(said(&elsewhere).contains(called), "{elsewhere:?}");
    let numbers = db.value("SELECT head FROM phasegate.meta WHERE id = 5");
    for unknown in [
        "DELETE FROM phasegate.meta WHERE id = 5".to_owned(),
        format!("INSERT INTO phasegate.meta VALUES (5, 0, 0, '1{numbers}')"),
    ] {
        db.execute(&unknown);
        let empty = other.migrate(&resolve).expect_code(11);
        for part in ["the table `users` of 0001_users", "this is another schema"] {
            assert!(said(&empty).contains(part), "{part}: {empty:?}");
        }
    }
    let renamed = at("tenant_c");
    let told = renamed.migrate(&["status"]).expect_code(12);
    let command = "migrate resolve --schemas-renamed --reason TEXT";
    assert!(
        format!("{} {}", told.stdout, said(&told)).contains(command),
        "{told:?}"
    );
    let recorded = renamed.migrate(&resolve).expect_code(0);
    assert!(
        recorded
            .stdout
            .contains("for `tenant_c`, which was `tenant_a`"),
        "{recorded:?}"
    );
    renamed.migrate(&["status"]).expect_code(0);
    let log = renamed.migrate(&["log"]).expect_code(0);
    for part in ["schemas_renamed", "a new name"] {
        assert!(log.stdout.contains(part), "{part}: {log:?}");
    }
    renamed.migrate(&["log", "--verify"]).expect_code(0);
    // It takes a reason, and no migration.
    for wrong in [
        &["resolve", "--schemas-renamed"][..],
        &["resolve", "1", "--schemas-renamed", "--reason", "x"],
        &["resolve", "--schemas-renamed", "--reason", " "],
        &["resolve", "--reason", "x"],
    ] {
        renamed.migrate(wrong).expect_code(2);
    }
}

/// Logical replication carries rows and no change of a schema, so what a ledger tells that came by it need not be here.
#[test]
fn a_ledger_that_a_subscription_fills_tells_nothing() {
    let db = Db::on("postgres");
    let asked = project(&db);
    asked.migrate(&["expand"]).expect_code(0);
    let name = db.value("SELECT 'one for ' || current_database()");
    db.execute(&format!(
        "CREATE SUBSCRIPTION \"{name}\" CONNECTION 'dbname=elsewhere' PUBLICATION all_tables \
         WITH (connect = false, enabled = false, create_slot = false, slot_name = NONE)"
    ));
    asked.migrate(&["status"]).expect_code(0);
    // As where it was made for what a publication has.
    db.execute(
        "INSERT INTO pg_subscription_rel SELECT s.oid, c.oid, 'r', NULL FROM pg_subscription s JOIN pg_database d ON d.oid = s.subdbid \
         AND d.datname = current_database(), pg_class c WHERE c.relnamespace = 'phasegate'::regnamespace AND c.relkind = 'r'",
    );
    for command in COMMANDS {
        let output = asked.migrate(command).expect_code(12);
        let text = format!("{} {}", output.stdout, said(&output));
        for part in [
            format!("ALTER SUBSCRIPTION \"{name}\" REFRESH PUBLICATION"),
            "leave the schema phasegate out".to_owned(),
        ] {
            assert!(text.contains(&part), "{command:?}: {output:?}");
        }
    }
    db.execute("DELETE FROM pg_subscription_rel WHERE srrelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'phasegate'::regnamespace)");
    asked
        .migrate(&["gate", "deploy", "web=1.0.0"])
        .expect_code(0);
    db.execute(&format!("DROP SUBSCRIPTION \"{name}\""));
}

/// The usual number of a server is 1: what was restored or cloned has it as well.
#[test]
fn servers_that_nobody_has_numbered_are_told_apart() {
    let db = Db::on("mysql");
    let project = with_contract(&db);
    project.migrate(&["expand"]).expect_code(0);
    let recorded = db.value("SELECT head FROM phasegate_meta WHERE id = 4");
    let (number, _) = recorded.split_once('/').expect("more than a number");
    let record = |server: &str| {
        db.execute(&format!(
            "UPDATE phasegate_meta SET head = '{server}' WHERE id = 4"
        ))
    };
    // As an earlier build has recorded it.
    record(number);
    project.migrate(&["gate", "contract", "2"]).expect_code(0);
    record(&format!("{number}/another"));
    waits_until_all_have_registered_anew(&db);
}

#[test]
fn a_ledger_is_for_the_schemas_under_which_it_was_made() {
    let db = Db::on("postgres");
    db.execute("CREATE SCHEMA tenant_a; CREATE SCHEMA tenant_b");
    let at = |path: &str| {
        let between = if db.url.contains('?') { '&' } else { '?' };
        Db::at(
            "postgres",
            format!("{}{between}options=-c%20search_path%3D{path}", db.url),
        )
    };
    let first = project(&at("tenant_a"));
    first.migrate(&["expand"]).expect_code(0);
    first.migrate(&["status"]).expect_code(0);
    for other in ["tenant_b", "tenant_b,tenant_a", "tenant_a,public"] {
        let second = project(&at(other));
        for command in COMMANDS.iter().chain([&["log", "--verify"][..]].iter()) {
            let output = second.migrate(command).expect_code(12);
            let text = format!("{} {}", output.stdout, said(&output));
            assert!(
                text.contains("for the schemas `tenant_a`"),
                "{command:?}: {output:?}"
            );
            assert!(text.contains("search_path"), "{command:?}: {output:?}");
        }
    }
    assert_eq!(
        db.query("SELECT schemaname FROM pg_tables WHERE tablename = 'users'"),
        [["tenant_a"]]
    );
    assert_eq!(db.value("SELECT count(*) FROM phasegate.leases"), "0");
    // What is not there makes no difference.
    for same in ["tenant_a,nowhere", "nowhere,tenant_a", "\"$user\",tenant_a"] {
        let second = project(&at(same));
        for command in COMMANDS {
            second.migrate(command).expect_code(0);
        }
    }
    // A ledger of before says nothing of schemas, and gets them with the first command that acts.
    db.execute("DELETE FROM phasegate.meta WHERE id = 3");
    first.migration(
        "0002_more",
        &[
            ("migration.toml", "description = \"more\"\n"),
            ("expand.sql", "CREATE TABLE more (id int PRIMARY KEY);\n"),
        ],
    );
    first.migrate(&["status"]).expect_code(0);
    first.migrate(&["expand"]).expect_code(0);
    project(&at("tenant_b"))
        .migrate(&["status"])
        .expect_code(12);
}

/// A schema that is not there yet when the ledger is made, because the first migration makes it.
#[test]
fn a_schema_that_a_migration_makes_is_the_same_before_and_after() {
    let db = Db::on("postgres");
    let between = if db.url.contains('?') { '&' } else { '?' };
    let at = Db::at(
        "postgres",
        format!("{}{between}options=-c%20search_path%3Dapp", db.url),
    );
    let project = project(&at);
    project.file(
        "0001_users/expand.sql",
        "CREATE SCHEMA app;\nCREATE TABLE users (id int PRIMARY KEY);\n",
    );
    project.migrate(&["expand"]).expect_code(0);
    project.migrate(&["status"]).expect_code(0);
}

#[test]
fn a_lock_of_somebody_s_stops_no_question() {
    let db = Db::on("postgres");
    let asked = project(&db);
    asked.migrate(&["expand"]).expect_code(0);
    let mut other = db.connect();
    let pid = other.query("SELECT pg_backend_pid()")[0][0].clone();
    for table in ["leases", "meta", "events"] {
        other.execute(&format!("BEGIN; LOCK TABLE phasegate.{table}"));
        for command in COMMANDS.iter().take(5) {
            let began = Instant::now();
            let output = asked.migrate(command);
            assert!(began.elapsed() < Duration::from_secs(30), "{command:?}");
            if output.code == 0 {
                // It does not need this table.
                continue;
            }
            assert_eq!(output.code, 12, "{table} {command:?}: {output:?}");
            let text = format!("{} {}", output.stdout, said(&output));
            assert!(
                text.contains(&format!("session {pid}")),
                "{table} {command:?}: {output:?}"
            );
        }
        other.execute("ROLLBACK");
    }
}

/// The same on the other databases: who is in the way is said as far as the system or the server tells.
#[test]
fn a_lock_stops_no_question_on_any_other_database() {
    for backend in ["sqlite", "mysql"] {
        let db = Db::on(backend);
        let asked = project(&db);
        asked.migrate(&["expand"]).expect_code(0);
        let mut other = db.connect();
        other.execute(match backend {
            "sqlite" => "PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE",
            _ => "LOCK TABLES phasegate_leases WRITE",
        });
        let holder = match backend {
            "sqlite" => format!("held by process {}", std::process::id()),
            _ => format!(
                "perhaps session {}",
                other.query("SELECT CONNECTION_ID()")[0][0]
            ),
        };
        let began = Instant::now();
        for command in COMMANDS.iter().take(3) {
            let output = asked.migrate(command).expect_code(12);
            let text = format!("{} {}", output.stdout, said(&output));
            assert!(
                text.contains(&holder),
                "{backend} {command:?}, {holder}: {output:?}"
            );
            if backend == "mysql" {
                assert!(text.contains("metadata_lock_info"), "{output:?}");
            }
        }
        assert!(began.elapsed() < Duration::from_secs(60));
    }
}

/// Where the plugin is there, MariaDB says who it is.
#[test]
fn with_its_plugin_mariadb_names_who_has_locked_a_table() {
    let server = mysql::PrivateServer::start();
    let db = server.create("shop");
    db.execute("INSTALL SONAME 'metadata_lock_info'");
    let asked = project(&db);
    asked.migrate(&["expand"]).expect_code(0);
    // Others who are there and hold nothing.
    let _idle = db.connect();
    let mut other = db.connect();
    let id = other.query("SELECT CONNECTION_ID()")[0][0].clone();
    other.execute("LOCK TABLES phasegate_leases WRITE");
    let output = asked.migrate(&["status"]).expect_code(12);
    assert!(
        said(&output).contains(&format!("it is held by session {id} of")),
        "{output:?}"
    );
}
