//! How long commands take that have nothing to do, and how long the gate takes before a large fleet.
//!
//! `cargo bench` prints one table by migrations, and one by leases for each database; `--leases BACKEND` prints one of these alone, and `--migrations` the
//! first. Every row is measured in turns with the plain
//! operation that it is held against, so that a busy machine slows both; nothing is asserted. Without `--bench`, as under
//! `cargo test --benches`, everything is small and runs only to see that it works.

#[macro_use]
#[allow(unused_macros, reason = "scenarios are for tests")]
#[path = "../tests/suite/support/mod.rs"]
mod support;
#[path = "support/table.rs"]
mod table;

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use phasegate::coordinator::{survey, survey_enough};
use phasegate::database::{ConnectOptions, Connection, Target, connect};
use phasegate::gate::{Action, Evidence, Verdict, decide};
use phasegate::ledger::{Ledger, NewLease, View};
use phasegate::model::{InstanceState, Live, Schema, Snapshot, Version};
use tokio::runtime::Runtime;

use support::applied::{SERVICES, record, write_migrations};
use support::backend::Db;
use support::connection::Connection as Session;
use support::project::Project;
use table::Table;

const MINORS: u64 = 3;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    if let [flag, url] = arguments.as_slice()
        && flag == "--open"
    {
        return runtime.block_on(open(url));
    }
    let is_whole = arguments.iter().any(|argument| argument == "--bench");
    let alone = arguments
        .iter()
        .position(|argument| argument == "--leases")
        .and_then(|at| arguments.get(at + 1));
    let (projects, fleets): (&[usize], &[(usize, usize)]) = if is_whole {
        (
            &[10, 100, 1000, 10_000],
            &[(100, 101), (1000, 101), (10_000, 31), (100_000, 11)],
        )
    } else {
        (&[10], &[(1000, 3)])
    };
    let rounds = if is_whole { 31 } else { 3 };
    if alone.is_none() {
        let mut table = Table::new("SQLite: time of a process, by applied migrations");
        for count in projects {
            let rounds = if *count > 1000 {
                rounds.min(11)
            } else {
                rounds
            };
            sqlite(*count, rounds, &mut table);
        }
        table.print();
    }
    if arguments.iter().any(|argument| argument == "--migrations") {
        return;
    }
    let backends = [
        (
            "postgres",
            "PostgreSQL: on an open connection, by live leases",
        ),
        ("mysql", "MariaDB: on an open connection, by live leases"),
        ("sqlite", "SQLite: on an open connection, by live leases"),
    ];
    for (backend, title) in backends {
        if alone.is_some_and(|alone| alone != backend) {
            continue;
        }
        let mut table = Table::new(title);
        for (leases, rounds) in fleets {
            fleet(&runtime, backend, *leases, *rounds, &mut table);
        }
        table.print();
    }
}

/// What a process has to do at least: open the database and ask it something.
async fn open(url: &str) {
    let target = Target::parse(url, std::path::Path::new(".")).expect("a URL");
    let mut connection = connect(&target, ConnectOptions::default())
        .await
        .expect("a database");
    connection
        .count("SELECT count(*) FROM phasegate_meta")
        .await
        .expect("an answer");
    connection.close().await;
}

fn sqlite(count: usize, rounds: usize, table: &mut Table) {
    let db = Db::on("sqlite");
    let project = Project::new(&db, &[]);
    write_migrations(&project, count);
    record(&project, &db);
    let itself = std::env::current_exe().expect("the path of this program");
    let run = |program: &std::path::Path, arguments: &[&str]| {
        let began = Instant::now();
        let status = Command::new(program)
            .args(arguments)
            .current_dir(project.path())
            .env("DATABASE_URL", &db.url)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .status()
            .expect("a program that starts");
        assert!(status.success(), "{arguments:?} failed");
        began.elapsed()
    };
    let migrate = std::path::Path::new(env!("CARGO_BIN_EXE_migrate"));
    let gate = format!("{}=0.{count}.0", SERVICES[0]);
    let commands: [&[&str]; 4] = [
        &["status"],
        &["expand"],
        &["gate", "deploy", &gate],
        &["check"],
    ];
    let tools = Tool::all(&project, count);
    let mut peer = Vec::new();
    let mut times = vec![Vec::new(); commands.len()];
    let mut of_tools = vec![Vec::new(); tools.len()];
    // One round to warm up.
    for round in 0..=rounds {
        let opened = run(&itself, &["--open", &db.url]);
        let ran: Vec<Duration> = commands
            .iter()
            .map(|command| run(migrate, command))
            .collect();
        let tools: Vec<Duration> = tools.iter().map(Tool::run).collect();
        if round > 0 {
            for (times, ran) in of_tools.iter_mut().zip(tools) {
                times.push(ran);
            }
            peer.push(opened);
            for (times, ran) in times.iter_mut().zip(ran) {
                times.push(ran);
            }
        }
    }
    let size = format!("{count} migrations");
    table.peer(&size, "open the database, one query", &peer);
    let names = [
        "migrate status",
        "migrate expand, nothing to do",
        "migrate gate deploy",
        "migrate check: the files alone",
    ];
    for (name, times) in names.iter().zip(&times) {
        table.row(&size, name, times, &peer);
    }
    // Once more, held against the quickest of the others.
    let others = tools.iter().zip(&of_tools).map(|(tool, times)| {
        let total: Duration = times.iter().sum();
        (total, tool.says, times)
    });
    let mut others: Vec<_> = others.collect();
    others.sort_by_key(|(total, ..)| *total);
    let Some(((_, says, quickest), others)) = others.split_first() else {
        return;
    };
    table.peer(&size, says, quickest);
    for (_, says, times) in others {
        table.row(&size, says, times, quickest);
    }
    for (name, times) in names.iter().zip(&times).take(2) {
        table.row(&size, name, times, quickest);
    }
}

/// Another tool with the same scripts, all applied, which is asked to apply what is left.
struct Tool {
    says: &'static str,
    program: std::path::PathBuf,
    arguments: Vec<String>,
}

impl Tool {
    /// Those that are on PATH.
    fn all(project: &Project, count: usize) -> Vec<Self> {
        let dir = project.path().join("others");
        let database = dir.join("others.db").display().to_string();
        let scripts = dir.join("scripts").display().to_string();
        let known: [(&str, &str, &[&str]); 2] = [
            (
                "sqlx",
                "sqlx migrate run, nothing to do",
                &["migrate", "run", "--source", &scripts, "--database-url"],
            ),
            (
                "dbmate",
                "dbmate up, nothing to do",
                &["--no-dump-schema", "--migrations-dir", &scripts, "--url"],
            ),
        ];
        let path = std::env::var_os("PATH").unwrap_or_default();
        let mut found = Vec::new();
        for (name, says, arguments) in known {
            let mut places = std::env::split_paths(&path).map(|place| place.join(name));
            let Some(program) = places.find(|place| place.is_file()) else {
                continue;
            };
            let mut arguments: Vec<String> =
                arguments.iter().map(|one| (*one).to_owned()).collect();
            match name {
                "dbmate" => arguments.extend([format!("sqlite:{database}"), "up".to_owned()]),
                _ => arguments.push(format!("sqlite://{database}?mode=rwc")),
            }
            // Each reads the other's as comments.
            for number in 1..=count {
                project.file(
                    format!("others/scripts/{number:05}_change.sql"),
                    &format!(
                        "-- migrate:up\nCREATE TABLE t{number} (id INTEGER PRIMARY KEY, name TEXT);\n\
                         CREATE INDEX t{number}_name ON t{number} (name);\n"
                    ),
                );
            }
            let _ = std::fs::remove_file(&database);
            let tool = Self {
                says,
                program,
                arguments,
            };
            tool.run();
            let applied = dir.join(format!("{name}.db"));
            std::fs::rename(&database, &applied).expect("the database that it has made");
            let applied = applied.display().to_string();
            let arguments = tool.arguments.iter();
            let arguments = arguments.map(|one| one.replace(&database, &applied));
            found.push(Self {
                arguments: arguments.collect(),
                ..tool
            });
        }
        found
    }

    fn run(&self) -> Duration {
        let began = Instant::now();
        let output = Command::new(&self.program)
            .args(&self.arguments)
            .env_remove("DATABASE_URL")
            .stdin(Stdio::null())
            .output()
            .expect("a program that starts");
        let took = began.elapsed();
        assert!(
            output.status.success(),
            "{} failed: {}",
            self.says,
            String::from_utf8_lossy(&output.stderr)
        );
        took
    }
}

fn fleet(runtime: &Runtime, backend: &str, leases: usize, rounds: usize, table: &mut Table) {
    let db = Db::on(backend);
    let project = Project::new(&db, &[]);
    write_migrations(&project, 10);
    record(&project, &db);
    let mut plain = db.connect();
    fill(&db, &mut plain, leases);
    let target = Target::parse(&db.url, std::path::Path::new(".")).expect("a URL");
    let loaded =
        phasegate::project::Project::load(&project.path(), Some(&db.url)).expect("a project");
    let (mut bare, mut gate, mut gate_by_each) = (Vec::new(), Vec::new(), Vec::new());
    let (mut admission, mut by_each) = (Vec::new(), Vec::new());
    let mut connection = runtime
        .block_on(connect(&target, ConnectOptions::default()))
        .expect("a database");
    // One round to warm up.
    for round in 0..=rounds {
        let counted = count_plainly(&db, &mut plain);
        let connection = connection.as_mut();
        let (decided, weighed, admitted, judged) = runtime.block_on(async {
            (
                ask(&loaded, connection, Look::Versions).await,
                ask(&loaded, connection, Look::EachLease).await,
                admit_and_release(connection, Look::Versions).await,
                admit_and_release(connection, Look::EachLease).await,
            )
        });
        if round > 0 {
            bare.push(counted);
            gate.push(decided);
            gate_by_each.push(weighed);
            admission.push(admitted);
            by_each.push(judged);
        }
    }
    runtime.block_on(connection.close());
    let size = format!("{leases} leases");
    table.peer(&size, "SELECT service, version, count(*) … GROUP BY", &bare);
    let blocked = "the same where something blocks: each lease is looked at";
    table.row(&size, "gate: read ledger and leases, decide", &gate, &bare);
    table.row(&size, blocked, &gate_by_each, &bare);
    table.row(&size, "admission and release", &admission, &bare);
    table.row(&size, blocked, &by_each, &bare);
}

/// Milliseconds since the epoch.
fn now() -> u128 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .expect("a clock after 1970")
        .as_millis()
}

/// Live leases of three services at three versions each, every version admitted before.
fn fill(db: &Db, session: &mut Session, leases: usize) {
    let (table, sightings) = (db.ledger("leases"), db.ledger("sightings"));
    let (now, numbers) = (now(), (0..leases).collect::<Vec<_>>());
    for some in numbers.chunks(1000) {
        let rows = some.iter().map(|number| {
            let service = SERVICES[number % SERVICES.len()];
            let minor = (number / SERVICES.len()) as u64 % MINORS;
            // In no order, as the names of leases are.
            let id = number.wrapping_mul(2_654_435_761) % 4_294_967_296;
            format!(
                "('{id:08x}', '{service}', '1.{minor}.0', 'host-{number}', 1, {}, {now}, 3600000, {})",
                now - 3_600_000,
                now + 36_000_000
            )
        });
        session.execute(&format!(
            "INSERT INTO {table} (id, service, version, instance, state, registered_at, renewed_at, renew_ms, expires_at) VALUES {}",
            rows.collect::<Vec<_>>().join(", ")
        ));
    }
    session.execute(&format!(
        "INSERT INTO {sightings} (service, version, placed, first_seen_at, last_seen_at, seq) \
         SELECT service, version, version, max(renewed_at), max(renewed_at), 0 FROM {table} GROUP BY 1, 2"
    ));
    match db.backend.name {
        "postgres" => session.execute(&format!("VACUUM ANALYZE {table}")),
        "mysql" => session.execute(&format!("ANALYZE TABLE {table}")),
        _ => 0,
    };
}

/// The least that could tell which versions are live.
fn count_plainly(db: &Db, session: &mut Session) -> Duration {
    let sql = format!(
        "SELECT service, version, count(*) FROM {} WHERE expires_at > {} GROUP BY service, version",
        db.ledger("leases"),
        now()
    );
    let began = Instant::now();
    let rows = session.query(&sql);
    let took = began.elapsed();
    assert_eq!(rows.len() as u64, SERVICES.len() as u64 * MINORS);
    took
}

/// What an admission or a gate asks of the leases.
#[derive(Clone, Copy)]
enum Look {
    Versions,
    EachLease,
}

fn candidate() -> Live {
    Live {
        service: SERVICES[0].to_owned(),
        version: Version::new(1, 1, 0),
    }
}

fn evidence(view: View) -> Evidence {
    Evidence {
        snapshot: Snapshot {
            taken_at: view.now,
            sources: vec![view.lease_report()],
            groups: view.groups,
            ..Snapshot::default()
        },
        schema: Schema::new(
            view.applied
                .into_iter()
                .map(|applied| applied.state)
                .collect(),
        ),
        ..Evidence::default()
    }
}

/// All that `migrate gate deploy` does once it is connected; where something blocks, the latter after the former.
async fn ask(
    project: &phasegate::project::Project,
    connection: &mut dyn Connection,
    look: Look,
) -> Duration {
    let action = Action::Deploy(vec![candidate()]);
    let began = Instant::now();
    let situation = match look {
        Look::Versions => survey_enough(project, &action, connection)
            .await
            .expect("an answer")
            .expect("nothing that only each lease tells"),
        Look::EachLease => survey(project, connection).await.expect("an answer"),
    };
    let decision = decide(action, &situation.evidence);
    let took = began.elapsed();
    assert_eq!(decision.verdict, Verdict::Go, "{decision:?}");
    took
}

async fn admit_and_release(connection: &mut dyn Connection, look: Look) -> Duration {
    let began = Instant::now();
    let mut ledger = Ledger::write(connection).await.expect("a ledger");
    ledger.lock_admissions().await.expect("the lock");
    let view = match look {
        Look::Versions => ledger.view_of_versions().await,
        Look::EachLease => ledger.view().await,
    };
    let view = view.expect("a view");
    let decision = decide(Action::Deploy(vec![candidate()]), &evidence(view.clone()));
    let lease = NewLease {
        service: candidate().service,
        label: candidate().version.to_string(),
        version: candidate().version,
        instance: "new".to_owned(),
        session_name: String::new(),
        state: InstanceState::Serving,
        lease_ms: 600_000,
        renew_ms: 10_000,
    };
    let id = ledger.register(&lease, &view).await.expect("a lease");
    ledger.commit().await.expect("a commit");
    let mut ledger = Ledger::write(connection).await.expect("a ledger");
    ledger.release(&id).await.expect("a release");
    ledger.commit().await.expect("a commit");
    let took = began.elapsed();
    assert_eq!(decision.verdict, Verdict::Go, "{decision:?}");
    took
}
