//! How long commands take that have nothing to do, and how long the gate takes before a large fleet.
//!
//! `cargo bench` prints one table for SQLite and one for PostgreSQL. Every row is measured in turns with the plain
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

use phasegate::coordinator::survey;
use phasegate::database::{ConnectOptions, Connection, Target, connect};
use phasegate::gate::{Action, Evidence, Verdict, decide};
use phasegate::ledger::{Ledger, NewLease, View};
use phasegate::model::{InstanceState, Live, Schema, Snapshot, Version};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _};
use tokio::runtime::Runtime;

use support::applied::{SERVICES, record, write_migrations};
use support::backend::Db;
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
    let (projects, fleets): (&[usize], &[(i64, usize)]) = if is_whole {
        (
            &[10, 100, 1000],
            &[(1000, 201), (10_000, 101), (100_000, 41)],
        )
    } else {
        (&[10], &[(1000, 3)])
    };
    let rounds = if is_whole { 31 } else { 3 };
    let mut table = Table::new("SQLite: time of a process, by applied migrations");
    for count in projects {
        sqlite(*count, rounds, &mut table);
    }
    table.print();
    let mut table = Table::new("PostgreSQL: on an open connection, by live leases");
    for (leases, rounds) in fleets {
        postgres(&runtime, *leases, *rounds, &mut table);
    }
    table.print();
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
    let commands: [&[&str]; 3] = [&["status"], &["expand"], &["check"]];
    let mut peer = Vec::new();
    let mut times = vec![Vec::new(); commands.len()];
    // One round to warm up.
    for round in 0..=rounds {
        let opened = run(&itself, &["--open", &db.url]);
        let ran: Vec<Duration> = commands
            .iter()
            .map(|command| run(migrate, command))
            .collect();
        if round > 0 {
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
        "migrate check: the files alone",
    ];
    for (name, times) in names.into_iter().zip(&times) {
        table.row(&size, name, times, &peer);
    }
}

fn postgres(runtime: &Runtime, leases: i64, rounds: usize, table: &mut Table) {
    let db = Db::on("postgres");
    let project = Project::new(&db, &[]);
    write_migrations(&project, 10);
    record(&project, &db);
    fill(&db, leases);
    let target = Target::parse(&db.url, std::path::Path::new(".")).expect("a URL");
    let loaded =
        phasegate::project::Project::load(&project.path(), Some(&db.url)).expect("a project");
    let (mut bare, mut gate, mut admission) = (Vec::new(), Vec::new(), Vec::new());
    runtime.block_on(async {
        let mut connection = connect(&target, ConnectOptions::default())
            .await
            .expect("a database");
        let mut plain = sqlx::PgConnection::connect(&db.url)
            .await
            .expect("a session");
        // One round to warm up.
        for round in 0..=rounds {
            let counted = count_plainly(&mut plain).await;
            let decided = ask(&loaded, connection.as_mut()).await;
            let admitted = admit_and_release(connection.as_mut()).await;
            if round > 0 {
                bare.push(counted);
                gate.push(decided);
                admission.push(admitted);
            }
        }
        connection.close().await;
    });
    let size = format!("{leases} leases");
    table.peer(&size, "SELECT service, version, count(*) … GROUP BY", &bare);
    table.row(&size, "gate: read ledger and leases, decide", &gate, &bare);
    table.row(&size, "admission and release", &admission, &bare);
}

/// Live leases of three services at three versions each, every version admitted before.
fn fill(db: &Db, leases: i64) {
    let names = SERVICES.map(|name| format!("'{name}'")).join(", ");
    let service = format!("(ARRAY[{names}])[1 + i % 3]");
    let version = format!("'1.' || i / 3 % {MINORS} || '.0'");
    let now = "(extract(epoch FROM clock_timestamp()) * 1000)::bigint";
    db.execute(&format!(
        "INSERT INTO phasegate.leases (id, service, version, instance, state, registered_at, renewed_at, renew_ms, expires_at) \
         SELECT md5(i::text), {service}, {version}, 'host-' || i, 1, now, now, 3600000, now + 36000000 \
         FROM generate_series(1, {leases}) AS i, (SELECT {now} AS now) AS clock; \
         INSERT INTO phasegate.sightings (service, version, placed, first_seen_at, last_seen_at, seq) \
         SELECT service, version, version, max(renewed_at), max(renewed_at), 0 FROM phasegate.leases GROUP BY 1, 2"
    ));
    db.execute("VACUUM ANALYZE phasegate.leases");
}

/// The least that could tell which versions are live.
async fn count_plainly(session: &mut sqlx::PgConnection) -> Duration {
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .expect("a clock after 1970")
        .as_millis();
    let sql = format!(
        "SELECT service, version, count(*) FROM phasegate.leases WHERE expires_at > {now} GROUP BY service, version"
    );
    let began = Instant::now();
    let rows = session
        .fetch_all(sqlx::raw_sql(AssertSqlSafe(sql)))
        .await
        .expect("an answer");
    let took = began.elapsed();
    assert_eq!(rows.len() as u64, SERVICES.len() as u64 * MINORS);
    took
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

/// All that `migrate gate deploy` does once it is connected.
async fn ask(project: &phasegate::project::Project, connection: &mut dyn Connection) -> Duration {
    let began = Instant::now();
    let situation = survey(project, connection).await.expect("an answer");
    let decision = decide(Action::Deploy(vec![candidate()]), &situation.evidence);
    let took = began.elapsed();
    assert_eq!(decision.verdict, Verdict::Go, "{decision:?}");
    took
}

async fn admit_and_release(connection: &mut dyn Connection) -> Duration {
    let began = Instant::now();
    let mut ledger = Ledger::write(connection).await.expect("a ledger");
    ledger.lock_admissions().await.expect("the lock");
    let view = ledger.view().await.expect("a view");
    let decision = decide(Action::Deploy(vec![candidate()]), &evidence(view));
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
    let view = ledger.view().await.expect("a view");
    let id = ledger.register(&lease, &view).await.expect("a lease");
    ledger.commit().await.expect("a commit");
    let mut ledger = Ledger::write(connection).await.expect("a ledger");
    ledger.release(&id).await.expect("a release");
    ledger.commit().await.expect("a commit");
    let took = began.elapsed();
    assert_eq!(decision.verdict, Verdict::Go, "{decision:?}");
    took
}
