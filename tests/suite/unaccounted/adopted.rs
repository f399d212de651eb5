//! Adopting Phasegate beside a fleet that does not register: the shop of `examples/rolling-restart`, with what else is
//! connected to a database in earnest.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::until_go;
use crate::support::backend::Db;
use crate::support::pooler::Pooler;
use crate::support::postgres::PrivateServer;
use crate::support::postgres::machine::free_port;
use crate::support::project::{Process, Project, SESSIONS_OF_TESTS, Signal};
use crate::support::shop::Shop;
use crate::support::wait::{GENEROUS, eventually};

const EXAMPLE: &str = "examples/rolling-restart";

fn example(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join(EXAMPLE)
        .join(file);
    std::fs::read_to_string(path).expect("a file of the example")
}

/// As `init` writes it, but that instances prove themselves sooner.
fn config(more: &str) -> String {
    format!(
        "[services.web]\nmin_instances = 1\nmin_ready = \"0s\"\n[fleet]\nrenew = \"100ms\"\n{more}{SESSIONS_OF_TESTS}"
    )
}

/// A shop that has been open for a while, without Phasegate.
fn shop(db: Db) -> Shop {
    let project = Project::new(&db, &[]);
    // What only sqlx understands is not for the application.
    project.env("DATABASE_URL", db.url.split('?').next().unwrap_or_default());
    for file in [
        "lease.py",
        "web.py",
        "releases/v1_0_0.py",
        "releases/v1_1_0.py",
        "releases/v1_2_0.py",
    ] {
        project.file(file, &example(file));
    }
    db.execute(&example("0001_create_shop/expand.sql"));
    Shop { db, project }
}

/// The application of this release, which has answered a request; under the agent where `agent` says so.
fn application(shop: &Shop, version: &str, agent: &[&str]) -> Process {
    // Somebody else may take the port before the application does: then it ends, and begins anew at another.
    for _ in 0..5 {
        if let Some(process) =
            application_at(free_port().expect("a free port"), shop, version, agent)
        {
            return process;
        }
    }
    panic!("the application {version} does not start at any of five ports");
}

/// `None` if it has ended without an answer.
fn application_at(port: u16, shop: &Shop, version: &str, agent: &[&str]) -> Option<Process> {
    shop.project
        .env("VERSION", version)
        .env("INSTANCE", "server");
    let bind = format!("--bind=127.0.0.1:{port}");
    let command = ["gunicorn", &bind, "--workers=1", "web:app"];
    let mut process = match agent {
        [] => shop.project.spawn_program(command[0], &command[1..]),
        _ => shop.project.spawn(&[agent, &["--"], &command].concat()),
    };
    let health = format!("http://127.0.0.1:{port}/health");
    let answers = eventually(GENEROUS, || {
        if process.has_ended() {
            return Some(false);
        }
        let asked = Command::new("curl")
            .args(["--silent", "--fail", &health])
            .stdout(Stdio::null())
            .status();
        asked.is_ok_and(|status| status.success()).then_some(true)
    });
    answers.then_some(process)
}

fn agent<'a>(version: &'a str, instance: &'a str) -> [&'a str; 7] {
    [
        "agent",
        "--service",
        "web",
        "--version",
        version,
        "--instance",
        instance,
    ]
}

#[test]
fn a_fleet_from_before_the_adoption_keeps_its_column_until_it_runs_under_the_agent() {
    let shop = shop(Db::on("postgres"));
    let plain = [
        application(&shop, "1.0.0", &[]),
        application(&shop, "1.0.0", &[]),
    ];

    shop.project.file("migrate.toml", &config(""));
    for file in [
        "migration.toml",
        "expand.sql",
        "backfill.sql",
        "contract.sql",
    ] {
        let path = format!("0002_split_full_name/{file}");
        shop.project.file(&path, &example(&path));
    }
    shop.run(&["expand"], 0);
    let bridge = application(&shop, "1.1.0", &agent("1.1.0", "bridge"));
    eventually(GENEROUS, || {
        (shop.project.migrate(&["backfill"]).code == 0).then_some(())
    });
    let newest = application(&shop, "1.2.0", &agent("1.2.0", "newest"));
    bridge.signal(Signal::TERM);
    bridge.wait();
    for command in [&["gate", "contract", "2"][..], &["contract"]] {
        let unknown = shop.run(command, 12);
        for part in [
            "2 sessions of the user `postgres`",
            "they may be of one that does not register",
            "migrate agent",
        ] {
            assert!(
                unknown.stdout.contains(part),
                "{command:?}, {part}: {unknown:?}"
            );
        }
    }
    shop.db.query("SELECT full_name FROM users LIMIT 1");

    drop(plain);
    until_go_of(&shop, "2");
    // A release under the agent accounts for its sessions without a word of anybody.
    let again = application(&shop, "1.2.0", &agent("1.2.0", "again"));
    shop.run(&["gate", "contract", "2"], 0);
    shop.run(&["contract"], 0);
    drop((newest, again));
}

fn until_go_of(shop: &Shop, migration: &str) {
    eventually(GENEROUS, || {
        let answer = shop.project.migrate(&["gate", "contract", migration]);
        (answer.code == 0).then_some(())
    });
}

/// What else is connected, each declared as docs/protocol.md says.
const DECLARED: &str = "[[fleet.allow_session]]\nuser = \"pooled\"\nreason = \"PgBouncer: whoever is behind it is told by its command source\"\n\
     [[fleet.allow_session]]\napplication = \"psql\"\nreason = \"a console\"\n\
     [[fleet.allow_session]]\nuser = \"reporting\"\nreason = \"reads at night\"\n";

#[test]
fn poolers_consoles_replication_and_reports_are_declared() {
    let server = PrivateServer::start();
    let (shop, _instance) = super::ready_for_the_contract(server.create("shop"));
    shop.db.execute(
        "CREATE ROLE pooled LOGIN SUPERUSER PASSWORD 'secret'; CREATE ROLE reporting LOGIN PASSWORD 'secret'",
    );
    // A server of a replica takes what there is from the first, and touches nothing.
    let _replica = server.follow();
    shop.run(&["gate", "contract", "1"], 0);

    let pooler = Pooler::start_as(server.port(), 2, "pooled");
    let open = |url: &str| {
        let session = crate::support::connection::PostgresSession::open_plain(url);
        crate::support::connection::Connection::new(Box::new(session.expect("a session")))
    };
    let mut behind = open(&pooler.url("shop"));
    behind.query("SELECT full_name FROM users");
    let _report = open(&server.url_as("reporting", "secret", "shop"));
    let url = server.url("shop");
    let mut console = shop.project.spawn_program(
        "psql",
        &[
            &url,
            "--no-psqlrc",
            "-c",
            "SELECT 'is open'",
            "-c",
            "SELECT pg_sleep(600)",
        ],
    );
    console.wait_for_line("is open", Duration::from_secs(60));
    let unknown = shop.run(&["gate", "contract", "1"], 12);
    for part in ["user `pooled`", "user `reporting`", "named `psql`"] {
        assert!(unknown.stdout.contains(part), "{part}: {unknown:?}");
    }
    shop.project
        .file("migrate.toml", &super::config("strict", DECLARED));
    shop.run(&["gate", "contract", "1"], 0);
    // Somebody else who is like none of them.
    let stranger = shop.db.connect_plainly();
    shop.run(&["gate", "contract", "1"], 12);
    drop(stranger);
    until_go(&shop);
    shop.run(&["contract"], 0);
}
