//! A server of MariaDB has many databases, and its sessions have no names that an environment could set.

use std::net::IpAddr;

use super::relay::{Relay, own_address};
use super::{config, ready_for_the_contract, until_go};
use crate::support::connection::{Connection, MysqlSession};
use crate::support::mysql::PrivateServer;
use crate::support::project::Process;
use crate::support::shop::Shop;
use crate::support::wait::{GENEROUS, eventually};

fn open(url: &str) -> Connection {
    let session = MysqlSession::open_plain(url);
    Connection::new(Box::new(session.expect("a session")))
}

/// Users with rights in this database by every way there is, and others of the same server.
const USERS: &str = "CREATE DATABASE blog; CREATE TABLE blog.posts (id INT); \
     CREATE USER app IDENTIFIED BY 'secret', every IDENTIFIED BY 'secret', pattern IDENTIFIED BY 'secret', \
       one IDENTIFIED BY 'secret', col IDENTIFIED BY 'secret', proc IDENTIFIED BY 'secret', member IDENTIFIED BY 'secret', \
       blogger IDENTIFIED BY 'secret', looker IDENTIFIED BY 'secret'; \
     CREATE ROLE writers; CREATE ROLE staff; \
     CREATE PROCEDURE shop.p() SELECT 1; \
     GRANT SELECT ON shop.* TO app; GRANT SELECT ON *.* TO every; GRANT INSERT ON `sh_p`.* TO pattern; \
     GRANT UPDATE ON shop.users TO one; GRANT SELECT (id) ON shop.users TO col; GRANT EXECUTE ON PROCEDURE shop.p TO proc; \
     GRANT DELETE ON shop.* TO writers; GRANT writers TO staff; GRANT staff TO member; \
     GRANT ALL ON blog.* TO blogger; GRANT ALL ON `shop\\_old`.* TO blogger; GRANT PROCESS ON *.* TO looker";

#[test]
fn whoever_may_reach_the_database_is_seen_wherever_the_session_is() {
    let server = PrivateServer::start();
    let (shop, _instance) = ready_for_the_contract(server.create("shop"));
    shop.db.execute(USERS);
    for user in ["app", "every", "pattern", "one", "col", "proc", "member"] {
        let session = open(&server.url_as(user, "secret", "information_schema"));
        let unknown = shop.run(&["gate", "contract", "1"], 12);
        for part in [
            &*format!("1 session of the user `{user}`"),
            "in the database `information_schema`",
            "needs no rights here (REVOKE)",
        ] {
            assert!(unknown.stdout.contains(part), "{part}: {unknown:?}");
        }
        drop(session);
        until_go(&shop);
    }
    let mut nowhere = open(server.url_as("app", "secret", "").trim_end_matches('/'));
    nowhere.query("SELECT full_name FROM shop.users");
    let unknown = shop.run(&["contract"], 12);
    assert!(unknown.stdout.contains("in no database"), "{unknown:?}");
    for (database, code) in [("*", 0), ("blog", 12)] {
        let allowed =
            format!("[[fleet.allow_session]]\ndatabase = \"{database}\"\nreason = \"a console\"\n");
        shop.project
            .file("migrate.toml", &config("strict", &allowed));
        shop.run(&["gate", "contract", "1"], code);
    }
    shop.project.file("migrate.toml", &config("strict", ""));
    drop(nowhere);
    // Those that cannot touch it are nobody's business here.
    let _others = ["blogger", "looker"].map(|user| {
        let database = if user == "blogger" {
            "blog"
        } else {
            "information_schema"
        };
        open(&server.url_as(user, "secret", database))
    });
    until_go(&shop);
    // An event is code of the database, and no application.
    shop.db.execute(
        "SET GLOBAL event_scheduler = ON; CREATE EVENT shop.e ON SCHEDULE EVERY 1 HOUR DO SELECT SLEEP(60)",
    );
    eventually(GENEROUS, || {
        let at_work =
            "SELECT count(*) FROM information_schema.processlist WHERE state = 'User sleep'";
        (shop.db.value(at_work) == "1").then_some(())
    });
    shop.run(&["gate", "contract", "1"], 0);
    shop.run(&["contract"], 0);
}

/// With no more rights than that of the process list it says of whom it cannot see what they may do, and with those in
/// docs/grants.md it knows.
#[test]
fn what_cannot_be_seen_of_others_is_said() {
    let server = PrivateServer::start();
    let (shop, _instance) = ready_for_the_contract(server.create("shop"));
    shop.db.execute(USERS);
    shop.db.execute("CREATE USER ci IDENTIFIED BY 'secret'; GRANT SELECT ON shop.* TO ci; GRANT PROCESS ON *.* TO ci");
    shop.project
        .env("DATABASE_URL", &server.url_as("ci", "secret", "shop"));
    shop.run(&["gate", "contract", "1"], 0);
    let blogger = open(&server.url_as("blogger", "secret", "blog"));
    let unknown = shop.run(&["gate", "contract", "1"], 12);
    for part in [
        "what rights their users have in this database cannot be read",
        "1 session of the user `blogger`",
        "in the database `blog`",
        "docs/grants.md",
    ] {
        assert!(unknown.stdout.contains(part), "{part}: {unknown:?}");
    }
    shop.db.execute(
        "GRANT SELECT (User, Select_priv, Insert_priv, Update_priv, Delete_priv, Execute_priv) ON mysql.user TO ci; \
         GRANT SELECT (User, Db, Select_priv, Insert_priv, Update_priv, Delete_priv, Execute_priv) ON mysql.db TO ci; \
         GRANT SELECT (User, Db) ON mysql.tables_priv TO ci; GRANT SELECT (User, Db) ON mysql.procs_priv TO ci; \
         GRANT SELECT (User, Role) ON mysql.roles_mapping TO ci",
    );
    shop.run(&["gate", "contract", "1"], 0);
    let _app = open(&server.url_as("app", "secret", "information_schema"));
    let unknown = shop.run(&["gate", "contract", "1"], 12);
    assert!(
        unknown.stdout.contains("1 session of the user `app`"),
        "{unknown:?}"
    );
    drop(blogger);
}

/// Another command, its renewals and whoever looks at its locks are this program, whatever the server lets a session say of
/// itself.
#[test]
fn other_commands_are_nobody_who_is_not_known() {
    let server = PrivateServer::start();
    let (shop, _instance) = ready_for_the_contract(server.create("shop"));
    shop.project.migration(
        "0002_slow",
        &[
            (
                "migration.toml",
                "description = \"takes a while\"\n[[expand.allow]]\nstatement = \"CREATE TABLE slow AS\"\nreason = \"a test\"\n",
            ),
            ("expand.sql", "CREATE TABLE slow AS SELECT SLEEP(8) AS n;\n"),
        ],
    );
    let mut slow = shop.project.spawn(&["expand", "2"]);
    let mut asked = 0;
    eventually(GENEROUS, || {
        let answer = shop.project.migrate(&["gate", "contract", "1"]);
        assert_eq!(answer.code, 0, "{answer:?}");
        asked += 1;
        slow.has_ended().then_some(())
    });
    assert!(asked > 1, "it was never asked while the other was at work");
    slow.wait().expect_code(0);
}

fn client(shop: &Shop, server: &PrivateServer, agent: &[&str]) -> Process {
    let url = server.url("shop");
    let port = url.rsplit_once(':').expect("a port").1.replace("/shop", "");
    let port = format!("--port={port}");
    let statement = "SELECT 'is open'; SELECT SLEEP(600)";
    let command = [
        "mariadb",
        "--protocol=tcp",
        "--host=127.0.0.1",
        &port,
        "--user=root",
        "--unbuffered",
        "shop",
        "-e",
        statement,
    ];
    let mut process = match agent {
        [] => shop.project.spawn_program(command[0], &command[1..]),
        _ => shop.project.spawn(&[agent, &["--"], &command].concat()),
    };
    process.wait_for_line("is open", GENEROUS);
    process
}

/// Two processes from before the adoption, one under the agent, all on one machine and as one user: the kernel tells them apart.
#[test]
fn on_one_machine_an_instance_is_told_from_what_does_not_register() {
    let server = PrivateServer::start();
    let (shop, instance) = ready_for_the_contract(server.create("shop"));
    let agent = [
        "agent",
        "--service",
        "web",
        "--version",
        "1.2.0",
        "--instance",
        "web-2",
    ];
    let held = client(&shop, &server, &agent);
    shop.run(&["gate", "contract", "1"], 0);
    // Newer than the registration, and from the same address.
    let plain = [client(&shop, &server, &[]), client(&shop, &server, &[])];
    for command in [&["gate", "contract", "1"][..], &["contract"]] {
        let unknown = shop.run(command, 12);
        for part in [
            "2 sessions of the user `root`",
            "migrate agent",
            "allow_session",
        ] {
            assert!(unknown.stdout.contains(part), "{part}: {unknown:?}");
        }
    }
    drop(plain);
    until_go(&shop);
    drop(instance);
    shop.run(&["contract"], 0);
    drop(held);
}

/// What comes from the address of a machine with an instance is taken for the instance, if it began after the instance had
/// registered; what is behind a gateway, or on the server's own machine, is not.
#[test]
fn an_address_accounts_for_the_machine_that_it_is_of() {
    let server = PrivateServer::start();
    let (shop, first) = ready_for_the_contract(server.create("shop"));
    shop.db
        .execute("CREATE USER app IDENTIFIED BY 'secret'; GRANT ALL ON *.* TO app");
    let url = server.url("shop");
    let port: u16 = url
        .rsplit_once(':')
        .and_then(|(_, rest)| rest.split_once('/')?.0.parse().ok())
        .expect("a port");
    let loopback = |last| IpAddr::from([127, 0, 0, last]);
    let relays = [own_address(), loopback(2), loopback(3)].map(|from| Relay::start(from, port));
    let [machine, gateway, other] =
        relays.map(|relay| format!("mysql://app:secret@127.0.0.1:{}/shop", relay.port));
    // Whoever asks comes the same way: so the processes of this machine say nothing.
    shop.project.env("DATABASE_URL", &machine);
    let early = open(&machine);
    let instance = shop.instance("1.2.0", "web-2");
    let late = open(&machine);
    let unknown = shop.run(&["gate", "contract", "1"], 12);
    assert!(
        unknown.stdout.contains("1 session of the user `app`"),
        "{unknown:?}"
    );
    drop(early);
    until_go(&shop);
    drop(late);
    // Elsewhere, where nobody has registered; and where an instance has, but the address is not its own.
    for url in [&gateway, &other] {
        let _plain = open(url);
        shop.run(&["gate", "contract", "1"], 12);
        shop.project.env("DATABASE_URL", url);
        let _instance = shop.instance("1.2.0", "web-3");
        let _later = open(url);
        shop.project.env("DATABASE_URL", &machine);
        let unknown = shop.run(&["gate", "contract", "1"], 12);
        assert!(
            unknown.stdout.contains("2 sessions of the user `app`"),
            "{unknown:?}"
        );
    }
    until_go(&shop);
    drop((first, instance));
}
