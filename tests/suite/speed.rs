//! What grows with the number of migrations, and what must not.

use crate::support::applied::{record, write_migrations};
use crate::support::backend::Db;
use crate::support::postgres::PrivateServer;
use crate::support::project::Project;
use crate::support::shop::Shop;

/// What the server was sent while `arguments` ran: each is one round trip or two.
fn sent(server: &PrivateServer, project: &Project, arguments: &[&str]) -> Vec<String> {
    // A session of another database, which is not logged.
    let administrator = Db::at("postgres", server.url("postgres"));
    let log = || {
        administrator.value("SELECT pg_read_file(current_setting('data_directory') || '/../log')")
    };
    let before = log().len();
    project.migrate(arguments).expect_code(0);
    let text = log();
    text[before..]
        .lines()
        .filter_map(|line| line.split_once("LOG:  ").map(|(_, what)| what.to_owned()))
        .filter(|what| what.starts_with("statement: ") || what.starts_with("execute "))
        .collect()
}

/// As many for 300 applied migrations as for 3.
#[test]
fn nothing_to_do_is_a_handful_of_queries() {
    let server = PrivateServer::start();
    let mut counts = Vec::new();
    for count in [3, 300] {
        let name = format!("applied_{count}");
        let db = server.create(&name);
        let project = Project::new(&db, &[]);
        write_migrations(&project, count);
        record(&project, &db);
        db.execute(&format!("ALTER DATABASE {name} SET log_statement = 'all'"));
        for arguments in [&["status"][..], &["expand"]] {
            let sent = sent(&server, &project, arguments);
            // Two of them look whose the ledger is, and what its tables are made of.
            assert!(sent.len() < 12, "{arguments:?} with {count}: {sent:#?}");
            // Where something is recorded as applied, nobody asks whether a ledger was lost.
            let looks = |what: &String| what.contains("AS found (n)");
            assert!(!sent.iter().any(looks), "{arguments:?}: {sent:#?}");
            counts.push(sent.len());
        }
    }
    assert_eq!(counts[..2], counts[2..], "with 3 and with 300 migrations");
}

/// Each version that somebody makes up costs no query, and whose it is is said all the same.
#[test]
fn many_versions_are_a_handful_of_queries() {
    let server = PrivateServer::start();
    let db = server.create("shop");
    let shop = Shop::backfilled(db);
    let leases = shop.ledger("leases");
    shop.db.execute(&format!(
        "INSERT INTO {leases} (id, service, version, instance, state, registered_at, renewed_at, renew_ms, expires_at) \
         SELECT 'd' || n, 'web', '1.1.' || n, 'made-up-' || n, 1, e, e, 100000, 4000000000000 \
         FROM generate_series(1, 60) AS n, (SELECT (extract(epoch FROM now()) * 1000)::bigint AS e) AS moment"
    ));
    shop.db
        .execute("ALTER DATABASE shop SET log_statement = 'all'");
    let sent = sent(&server, &shop.project, &["fleet"]);
    assert!(sent.len() < 20, "{sent:#?}");
    let fleet = shop.run(&["fleet"], 0).stdout;
    for number in [1, 17, 60] {
        assert!(
            fleet.contains(&format!("made-up-{number}\n"))
                || fleet.contains(&format!("made-up-{number} ")),
            "{fleet}"
        );
    }
}

/// A long past is one line, and every migration is there for whoever asks.
#[test]
fn a_long_past_is_one_line() {
    let db = Db::on("sqlite");
    let project = Project::new(&db, &[]);
    write_migrations(&project, 12);
    record(&project, &db);
    write_migrations(&project, 13);
    let shown = |arguments: &[&str]| {
        let output = project.migrate(arguments).expect_code(0);
        let lines = output
            .stdout
            .lines()
            .map(str::trim_start)
            .filter(|line| line.starts_with("00"));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    let short = shown(&["status"]);
    assert_eq!(short.len(), 2, "{short:?}");
    assert!(
        short[0].starts_with("0001_change to 0012_change"),
        "{short:?}"
    );
    assert!(short[0].contains("12 migrations"), "{short:?}");
    assert!(short[1].starts_with("0013_change"), "{short:?}");
    assert_eq!(shown(&["status", "--all"]).len(), 13);
    let json = project
        .migrate(&["status", "--output", "json"])
        .expect_code(0)
        .json();
    assert_eq!(json["migrations"].as_array().map(Vec::len), Some(13));
}

#[test]
fn many_that_wait_for_the_same_are_told_in_one_line() {
    let shop = Shop::new(Db::on("sqlite"));
    for number in 1..=14 {
        shop.project.migration(
            &format!("{number:04}_t"),
            &[
                (
                    "migration.toml",
                    "description = \"t\"\nsync = \"both\"\n[services.web]\nold = \"<1.2.0\"\nnew = \">=1.1.0\"\n",
                ),
                (
                    "expand.sql",
                    &format!("CREATE TABLE t{number} (id INTEGER PRIMARY KEY);\n"),
                ),
                ("contract.sql", &format!("DROP TABLE t{number};\n")),
            ],
        );
    }
    let status = |arguments: &[&str]| shop.run(arguments, 0).stdout;
    let pending = status(&["status"]);
    assert!(pending.contains("0002_t to 0014_t"), "{pending}");
    assert!(pending.contains("`migrate expand 0001`"), "{pending}");
    assert!(!pending.contains("0005_t"), "{pending}");
    shop.run(&["expand"], 0);
    let expanded = status(&["status"]);
    assert!(expanded.contains("0001_t to 0014_t"), "{expanded}");
    assert!(expanded.contains("`migrate contract ID`"), "{expanded}");
    assert!(status(&["status", "--all"]).contains("0005_t"));
    // What somebody has to know of one is not summed up.
    shop.project
        .file("0007_t/contract.sql", "DROP TABLE nowhere;\n");
    shop.run(&["contract", "7"], 1);
    let failed = status(&["status"]);
    assert!(failed.contains("0007_t"), "{failed}");
}
