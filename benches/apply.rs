//! How long it takes to apply many small migrations to an empty database, beside two other tools doing the same.
//!
//! `cargo bench --bench apply` prints one table. sqlx-cli and dbmate are found on `PATH` as `sqlx` and `dbmate`, or where
//! `BENCH_SQLX` and `BENCH_DBMATE` say; one that is missing is named as missing. Each round runs every tool once on a
//! database of its own, so that a busy machine slows them all; nothing is asserted but that the tables are there.

#[macro_use]
#[allow(unused_macros, reason = "scenarios are for tests")]
#[path = "../tests/suite/support/mod.rs"]
mod support;
#[path = "support/table.rs"]
mod table;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use support::backend::Db;
use support::project::Project;
use table::Table;

/// One that applies the same statements.
struct Tool {
    name: &'static str,
    /// The name of its program, and the variable that says where it is instead.
    program: &'static str,
    variable: &'static str,
    /// Its file for a migration: a path, and what stands before and after the statements.
    file: fn(number: usize) -> (String, [&'static str; 2]),
    /// Its arguments for the database at this URL.
    arguments: fn(url: &str) -> Vec<String>,
}

const PHASEGATE: &str = "migrate expand";

const PEERS: &[Tool] = &[
    Tool {
        name: "sqlx-cli",
        program: "sqlx",
        variable: "BENCH_SQLX",
        file: |number| (format!("migrations/{number:04}_change.sql"), ["", ""]),
        arguments: |url| owned(&["migrate", "run", "--database-url", url]),
    },
    Tool {
        name: "dbmate",
        program: "dbmate",
        variable: "BENCH_DBMATE",
        file: |number| {
            (
                format!("db/migrations/{number:04}_change.sql"),
                ["-- migrate:up\n", "\n-- migrate:down\n"],
            )
        },
        arguments: |url| {
            // Its driver asks for TLS by default and knows no parameters of ours; an absolute path stands after one colon.
            let url = match url.strip_prefix("sqlite://") {
                Some(path) => format!("sqlite:{path}"),
                None => {
                    let plain = url.split_once('?').map_or(url, |(plain, _)| plain);
                    format!("{plain}?sslmode=disable")
                }
            };
            owned(&["--url", &url, "--no-dump-schema", "migrate"])
        },
    },
];

fn owned(arguments: &[&str]) -> Vec<String> {
    arguments.iter().map(|&one| one.to_owned()).collect()
}

fn main() {
    let is_whole = std::env::args().any(|argument| argument == "--bench");
    let (count, rounds) = if is_whole { (1000, 5) } else { (10, 1) };
    let peers: Vec<(&Tool, PathBuf)> = PEERS
        .iter()
        .filter_map(|tool| match located(tool) {
            Some(program) => {
                println!("{}: {}", tool.name, version(&program));
                Some((tool, program))
            }
            None => {
                println!(
                    "{} is missing: put `{}` on PATH or set {}",
                    tool.name, tool.program, tool.variable
                );
                None
            }
        })
        .collect();
    let mut table = Table::new("Applying small migrations to an empty database");
    for backend in ["sqlite", "postgres"] {
        compare(backend, count, rounds, &peers, &mut table);
    }
    table.print();
}

fn located(tool: &Tool) -> Option<PathBuf> {
    if let Some(path) = std::env::var_os(tool.variable) {
        return Some(PathBuf::from(path));
    }
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|directory| directory.join(tool.program))
        .find(|program| program.is_file())
}

fn version(program: &Path) -> String {
    let output = Command::new(program).arg("--version").output();
    let output = output.expect("a program that starts");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn statements(number: usize) -> String {
    format!(
        "CREATE TABLE t{number} (id BIGINT PRIMARY KEY, name VARCHAR(100));\n\
         CREATE INDEX t{number}_name ON t{number} (name);\n"
    )
}

/// Runs every tool in turns, each time on a new database.
fn compare(
    backend: &str,
    count: usize,
    rounds: usize,
    peers: &[(&Tool, PathBuf)],
    table: &mut Table,
) {
    let project = Project::without_database(&[]);
    project.file("migrate.toml", "[services.web]\nmin_instances = 0\n");
    let directory = tempfile::tempdir().expect("a directory");
    for number in 1..=count {
        let sql = statements(number);
        let manifest = format!(
            "description = \"Change {number}\"\n[services.web]\nnew = \">=0.{number}.0\"\n"
        );
        project.migration(
            &format!("{number:04}_change"),
            &[("migration.toml", &manifest), ("expand.sql", &sql)],
        );
        for (tool, _) in peers {
            let (path, [before, after]) = (tool.file)(number);
            let path = directory.path().join(path);
            fs::create_dir_all(path.parent().expect("a folder")).expect("a directory");
            fs::write(path, format!("{before}{sql}{after}")).expect("a file");
        }
    }
    let migrate = PathBuf::from(env!("CARGO_BIN_EXE_migrate"));
    // They are dropped at the end: a file system may be slow for a while after many files were deleted.
    let mut databases = Vec::new();
    let mut timed = |command: &dyn Fn(&str) -> Command| {
        let db = Db::on(backend);
        let took = time(&db, count, command(&db.url));
        databases.push(db);
        took
    };
    let mut own = Vec::new();
    let mut theirs = vec![Vec::new(); peers.len()];
    for _ in 0..rounds {
        own.push(timed(&|url| {
            let mut command = Command::new(&migrate);
            command
                .current_dir(project.path())
                .args(["--database-url", url, "expand"]);
            command
        }));
        for ((tool, program), times) in peers.iter().zip(&mut theirs) {
            times.push(timed(&|url| {
                let mut command = Command::new(program);
                command
                    .current_dir(directory.path())
                    .args((tool.arguments)(url));
                command
            }));
        }
    }
    let size = format!("{backend}, {count} migrations");
    table.peer(&size, PHASEGATE, &own);
    for ((tool, _), times) in peers.iter().zip(&theirs) {
        table.row(&size, tool.name, times, &own);
    }
}

fn time(db: &Db, count: usize, mut command: Command) -> Duration {
    let began = Instant::now();
    let Output { status, stderr, .. } = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .output()
        .expect("a program that starts");
    let took = began.elapsed();
    assert!(
        status.success(),
        "{command:?}\n{}",
        String::from_utf8_lossy(&stderr)
    );
    assert_eq!(db.value(&format!("SELECT count(*) FROM t{count}")), "0");
    took
}
