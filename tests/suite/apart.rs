//! The ledger in a database of its own (MySQL, MariaDB): there is one, whoever is told what; and it is out of the reach of whoever
//! has all rights on the application's database. What it does otherwise the scenarios show that run as `mysql_apart`.

use crate::grants::statements;
use crate::support::backend::{Db, Ledger};
use crate::support::connection::block_on;
use crate::support::mysql::PrivateServer;
use crate::support::project::{Output, Project};
use crate::support::shop::{APPEND_ONLY, BACKFILL, CONTRACT, EXPAND, said};

const SERVICES: &str = "[services.web]\nmin_instances = 0\n[services.worker]\nmin_instances = 0\n[fleet]\nsessions = \"off\"\n";

/// The shop's project, told or not told where its ledger is.
fn project(db: &Db, ledger: Option<&str>) -> Project {
    let project = Project::new(db, &[]);
    let database = ledger.map(|name| format!("[database]\nledger = \"{name}\"\n"));
    let config = format!("{}{SERVICES}", database.unwrap_or_default());
    project.file("migrate.toml", &config);
    project.migration(
        "0001_name",
        &[
            ("migration.toml", APPEND_ONLY),
            ("expand.sql", EXPAND),
            ("backfill.sql", BACKFILL),
            ("contract.sql", CONTRACT),
        ],
    );
    project
}

fn shop(server: &PrivateServer, name: &str) -> Db {
    let db = server.create(name);
    db.execute("CREATE TABLE users (id BIGINT AUTO_INCREMENT PRIMARY KEY, full_name VARCHAR(200)); INSERT INTO users (full_name) VALUES ('Ann')");
    db
}

/// Every command that reads or writes, and an instance, are refused with these words; and nothing is made or changed.
fn all_refused(db: &Db, project: &Project, url: &str, words: &[&str]) {
    let tables = "SELECT table_schema, table_name FROM information_schema.tables WHERE table_name LIKE 'phasegate%' ORDER BY 1, 2";
    let (before, rows) = (db.query(tables), db.dump(Ledger::Included));
    let refused = |run: &Output| {
        assert_eq!(run.code, 1, "{run:?}");
        for word in words {
            assert!(said(run).contains(word), "{word}: {run:?}");
        }
    };
    for command in [
        &["status"] as &[&str],
        &["fleet"],
        &["log"],
        &["plan"],
        &["gate", "contract", "1"],
        &["gate", "deploy", "web=1.1.0"],
        &["expand"],
        &["backfill"],
        &["contract", "1"],
        &["revert", "1"],
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
        &["fleet", "forget", "nobody", "--reason", "it is a test"],
    ] {
        refused(&project.migrate(command));
    }
    let lease = block_on(crate::support::lease::of_test(url, "web", "1.0.0").acquire());
    let error = lease.expect_err("no lease").to_string();
    assert!(
        words.iter().all(|word| error.contains(word)) || error.contains("ledger"),
        "{error}"
    );
    assert_eq!(db.query(tables), before);
    assert_eq!(db.dump(Ledger::Included), rows);
}

#[test]
fn whoever_is_not_told_of_it_or_told_otherwise_is_refused() {
    let server = PrivateServer::start();
    let db = shop(&server, "shop");
    project(&db, Some("of-shop"))
        .migrate(&["expand"])
        .expect_code(0);
    // The mark is all that there is of it beside the application's own tables.
    let marks = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'shop' AND table_name LIKE 'phasegate%'";
    assert_eq!(db.query(marks), [["phasegate_meta"]]);
    all_refused(
        &db,
        &project(&db, None),
        &db.url,
        &["in a database of its own, `of-shop`"],
    );
    let other = format!("{}?ledger=other", db.url);
    all_refused(
        &db,
        &project(&db, Some("other")),
        &other,
        &["in a database of its own, `of-shop`"],
    );
    let (disagreeing, both) = (Db::at("mysql", &other), ["ledger=other", "of-shop"]);
    all_refused(&db, &project(&disagreeing, Some("of-shop")), &other, &both);
    for (name, why) in [
        ("shop", "it is the application's"),
        ("mysql", "is the server's"),
        ("a.b", "letters"),
    ] {
        let refused = project(&db, Some(name)).migrate(&["expand"]);
        assert!(
            refused.code != 0 && said(&refused).contains(why),
            "{refused:?}"
        );
    }
    // Told by the URL alone it is as well as by the file.
    let told = Db::at("mysql", format!("{}?ledger=of-shop", db.url));
    project(&told, None)
        .migrate(&["log", "--verify"])
        .expect_code(0);
    project(&told, Some("of-shop"))
        .migrate(&["backfill"])
        .expect_code(0);
    let lease = crate::support::lease::of_test(&db.url, "web", "1.1.0").ledger("of-shop");
    let lease = block_on(lease.acquire()).expect("an instance may register");
    assert_eq!(
        db.value("SELECT count(*) FROM `of-shop`.phasegate_leases"),
        "1"
    );
    block_on(lease.release()).expect("an instance may go");
}

#[test]
fn who_has_no_place_for_the_ledger_is_told_the_statements() {
    let server = PrivateServer::start();
    let db = shop(&server, "shop");
    db.execute("CREATE USER clerk@'%' IDENTIFIED BY 'right-one'; GRANT ALL ON shop.* TO clerk@'%'");
    let project = project(&db, Some("of-shop"));
    project.env("DATABASE_URL", &server.url_as("clerk", "right-one", "shop"));
    let refused = project.migrate(&["expand"]).expect_code(1);
    let told = said(&refused);
    let parts = [
        "the ledger's database `of-shop` does not exist, or this user has no right in it",
        "docs/grants.md has the statements",
    ];
    for part in parts {
        assert!(told.contains(part), "{part}: {told}");
    }
    let (_, rest) = told.split_once("has to run: ").expect("the statements");
    let (statements, _) = rest.split_once(" TO …").expect("for somebody");
    db.execute(&format!("{statements} TO clerk@'%'"));
    project.migrate(&["expand"]).expect_code(0);
}

#[test]
fn a_ledger_in_the_applications_database_is_not_joined_by_a_second_one() {
    let server = PrivateServer::start();
    let db = shop(&server, "shop");
    project(&db, None).migrate(&["expand"]).expect_code(0);
    let told = format!("{}?ledger=apart", db.url);
    all_refused(
        &db,
        &project(&db, Some("apart")),
        &told,
        &["to be in `apart`, and it is in `shop` itself"],
    );
    assert_eq!(db.query("SHOW DATABASES LIKE 'apart'").len(), 0);
    project(&db, None).migrate(&["backfill"]).expect_code(0);
}

#[test]
fn two_applications_do_not_share_one_ledger() {
    let server = PrivateServer::start();
    let (db, blog) = (shop(&server, "shop"), shop(&server, "blog"));
    project(&db, Some("apart"))
        .migrate(&["expand"])
        .expect_code(0);
    let told = format!("{}?ledger=apart", blog.url);
    all_refused(
        &blog,
        &project(&blog, Some("apart")),
        &told,
        &["not that of `blog`, but that of `shop`"],
    );
    // And one that an application has within itself is nobody else's either.
    let within = shop(&server, "within");
    project(&within, None).migrate(&["expand"]).expect_code(0);
    let told = format!("{}?ledger=within", blog.url);
    all_refused(
        &blog,
        &project(&blog, Some("within")),
        &told,
        &["not that of `blog`, but that of `within` itself"],
    );
    project(&blog, Some("of_blog"))
        .migrate(&["expand"])
        .expect_code(0);
}

/// A restored backup of one of the two, and a copy.
#[test]
fn a_ledger_that_was_there_is_missed() {
    let server = PrivateServer::start();
    let db = shop(&server, "shop");
    let told = format!("{}?ledger=apart", db.url);
    let told_project = project(&db, Some("apart"));
    told_project.migrate(&["expand"]).expect_code(0);
    let copy = server.create("copy");
    copy.execute(
        "CREATE TABLE users LIKE shop.users; CREATE TABLE phasegate_meta LIKE shop.phasegate_meta; \
                  INSERT INTO phasegate_meta SELECT * FROM shop.phasegate_meta",
    );
    let of_copy = format!("{}?ledger=apart", copy.url);
    all_refused(
        &copy,
        &project(&copy, Some("apart")),
        &of_copy,
        &["not that of `copy`, but that of `shop`"],
    );
    db.execute("DROP DATABASE apart");
    all_refused(&db, &told_project, &told, &["there is none there", "lost"]);
}

/// Killed wherever the ledger is made, the next command goes on; and meanwhile no other is begun.
#[test]
fn making_it_can_be_interrupted_anywhere() {
    let server = PrivateServer::start();
    let points = ["ledger.marked", "ledger.table", "ledger.created"];
    for (number, point) in points.iter().enumerate() {
        let (db, apart) = (
            shop(&server, &format!("shop{number}")),
            format!("of{number}"),
        );
        let told = project(&db, Some(&apart));
        told.env("PHASEGATE_CRASH_AT", point);
        assert_ne!(told.migrate(&["expand"]).code, 0, "{point}");
        told.env_remove("PHASEGATE_CRASH_AT");
        let refused = project(&db, None).migrate(&["expand"]).expect_code(1);
        assert!(
            said(&refused).contains("in a database of its own"),
            "{refused:?}"
        );
        told.migrate(&["expand"]).expect_code(0);
        told.migrate(&["log", "--verify"]).expect_code(0);
        assert_eq!(
            db.value("SELECT events FROM phasegate_meta WHERE id = 1"),
            "1"
        );
    }
}

/// The statements of docs/grants.md, with the ledger's database in the place of the application's.
fn of_ledger(heading: &str) -> String {
    statements(heading).replace("shop.phasegate_", "shop_phasegate.phasegate_")
}

#[test]
fn with_all_rights_on_its_own_database_an_application_does_not_reach_it() {
    let server = PrivateServer::start();
    let admin = shop(&server, "shop");
    let as_user = |user: &str| Db::at("mysql", server.url_as(user, "change%20me", "shop"));
    admin.execute(&statements("MySQL and MariaDB: the coordinator"));
    let apart = Some("shop_phasegate");
    let coordinator = project(&as_user("shop_migrator"), apart);
    // Who may not make it is told what to have run.
    let refused = coordinator.migrate(&["expand"]).expect_code(1);
    let words = [
        "CREATE DATABASE IF NOT EXISTS `shop_phasegate`",
        "GRANT SELECT, INSERT",
    ];
    assert!(
        words.iter().all(|word| said(&refused).contains(word)),
        "{refused:?}"
    );
    admin.execute(&statements(
        "MySQL and MariaDB: a ledger in a database of its own",
    ));
    coordinator.migrate(&["expand"]).expect_code(0);
    admin.execute(&of_ledger("MySQL and MariaDB: instances"));
    admin.execute(&of_ledger("MySQL and MariaDB: readers"));
    admin
        .execute("GRANT ALL ON shop.* TO shop_web; GRANT SELECT ON shop.phasegate_meta TO shop_ci");
    let (web, reader) = (
        project(&as_user("shop_web"), apart),
        project(&as_user("shop_ci"), apart),
    );
    web.migrate(&["admit", "--service", "web", "--version", "1.1.0"])
        .expect_code(0);
    coordinator.migrate(&["backfill"]).expect_code(0);
    for question in [&["status"] as &[&str], &["fleet"], &["log", "--verify"]] {
        reader.migrate(question).expect_code(0);
    }
    let status = reader.migrate(&["status"]).expect_code(0);
    let place = "ledger: in the database shop_phasegate, on the same server\n";
    assert!(status.stdout.contains(place), "{status:?}");
    let status = reader.migrate(&["status", "--output", "json"]);
    assert_eq!(status.json()["ledger_database"], "shop_phasegate");
    let attacker = as_user("shop_web");
    for attack in [
        "UPDATE shop_phasegate.phasegate_migrations SET phase = 'contracted'",
        "DELETE FROM shop_phasegate.phasegate_events",
        "UPDATE shop_phasegate.phasegate_coordinator SET token = token + 1",
        "DROP TABLE shop_phasegate.phasegate_looks",
        "CREATE TRIGGER shop_phasegate.t BEFORE INSERT ON shop_phasegate.phasegate_events FOR EACH ROW SET NEW.actor = ''",
        "DROP DATABASE shop_phasegate",
    ] {
        assert!(attacker.try_execute(attack).is_err(), "{attack}");
    }
    // A key that leads there it may make, and that is seen.
    coordinator.migration(
        "0002_more",
        &[
            ("migration.toml", "description = \"More\"\n"),
            ("expand.sql", "CREATE TABLE more (id INT);\n"),
        ],
    );
    attacker.execute(
        "CREATE TABLE child (id VARCHAR(255) COLLATE utf8mb4_bin, FOREIGN KEY (id) REFERENCES shop_phasegate.phasegate_leases (id))",
    );
    let refused = coordinator.migrate(&["expand"]).expect_code(1);
    assert!(
        said(&refused).contains("phasegate_leases is tied to shop.child by a foreign key"),
        "{refused:?}"
    );
    attacker.execute("DROP TABLE child");
    // What it can do to the mark opens nothing.
    attacker.execute("DROP TABLE shop.phasegate_meta");
    reader.migrate(&["log", "--verify"]).expect_code(0);
    web.migrate(&["admit", "--service", "web", "--version", "1.1.0"])
        .expect_code(0);
    coordinator.migrate(&["expand"]).expect_code(0);
    let untold = project(&as_user("shop_migrator"), None);
    let refused = untold.migrate(&["expand"]).expect_code(1);
    assert!(
        said(&refused).contains("in a database of its own"),
        "{refused:?}"
    );
    attacker.execute("UPDATE shop.phasegate_meta SET head = 'elsewhere'");
    let refused = coordinator.migrate(&["contract", "1"]).expect_code(1);
    assert!(said(&refused).contains("elsewhere"), "{refused:?}");
}

#[test]
fn a_ledger_moves_into_a_database_of_its_own_by_the_documented_statements() {
    let server = PrivateServer::start();
    let db = shop(&server, "shop");
    let before = project(&db, None);
    before.migrate(&["expand"]).expect_code(0);
    before.migrate(&["backfill"]).expect_code(0);
    before
        .migrate(&[
            "admit",
            "--service",
            "web",
            "--version",
            "1.0.0",
            "--instance",
            "old",
            "--for",
            "1h",
        ])
        .expect_code(0);
    db.execute(&statements(
        "MySQL and MariaDB: moving a ledger into a database of its own",
    ));
    all_refused(
        &db,
        &before,
        &db.url,
        &["in a database of its own, `shop_phasegate`"],
    );
    let after = project(&db, Some("shop_phasegate"));
    after.migrate(&["log", "--verify"]).expect_code(0);
    // Who was live is live.
    let refused = after.migrate(&["contract", "1"]);
    assert!(
        [10, 11].contains(&refused.code) && refused.stdout.contains("1.0.0"),
        "{refused:?}"
    );
    after
        .migrate(&["fleet", "forget", "old", "--reason", "it is gone"])
        .expect_code(0);
    after.migrate(&["backfill"]).expect_code(0);
    after.migrate(&["contract", "1"]).expect_code(0);
}
