//! A project with a long past, without the time that it would take to live through it.

use phasegate::database::{ConnectOptions, Target, connect};
use phasegate::ledger::{Entry, Ledger, PhaseChange};
use phasegate::model::{MigrationState, Phase, Step};

use super::backend::Db;
use super::connection::block_on;
use super::project::Project;

pub const SERVICES: [&str; 3] = ["web", "worker", "billing"];

/// Of every four migrations two are contracted, one is additive and one names no service.
pub fn write_migrations(project: &Project, count: usize) {
    let services: String = SERVICES
        .iter()
        .map(|name| format!("[services.{name}]\nmin_instances = 0\n"))
        .collect();
    project.file("migrate.toml", &services);
    for number in 1..=count {
        let service = SERVICES[number % SERVICES.len()];
        let ranges = match number % 4 {
            0 => String::new(),
            1 => format!("[services.{service}]\nnew = \">=0.{number}.0\"\n"),
            _ => format!(
                "sync = \"both\"\n[services.{service}]\nold = \"<0.{number}.0\"\nnew = \">=0.{}.0\"\n",
                number - 1
            ),
        };
        let manifest = format!("description = \"Change {number}\"\n{ranges}");
        let expand = format!(
            "CREATE TABLE t{number} (id INTEGER PRIMARY KEY, name TEXT);\nCREATE INDEX t{number}_name ON t{number} (name);\n"
        );
        let contract = format!("DROP TABLE t{number};\n");
        let mut files = vec![
            ("migration.toml", manifest.as_str()),
            ("expand.sql", &expand),
        ];
        if number % 4 > 1 {
            files.push(("contract.sql", &contract));
        }
        project.migration(&format!("{number:04}_change"), &files);
    }
}

/// Records every migration of the project as complete, as if each had been applied.
pub fn record(project: &Project, db: &Db) {
    block_on(record_all(project, db));
}

async fn record_all(project: &Project, db: &Db) {
    let target = Target::parse(&db.url, std::path::Path::new(".")).expect("a URL");
    let loaded =
        phasegate::project::Project::load(&project.path(), Some(&db.url)).expect("a project");
    let mut connection = connect(&target, ConnectOptions::default())
        .await
        .expect("a database");
    let mut ledger = Ledger::write(connection.as_mut()).await.expect("a ledger");
    for migration in &loaded.migrations {
        let declaration = &migration.declaration;
        let mut state = MigrationState::pending(declaration.clone()).after(Step::Expand, &[]);
        if declaration.parts.contract {
            state = state.after(Step::Contract, &[]);
        }
        let change = PhaseChange {
            entry: Entry::New,
            declaration,
            phase: state.phase,
            kinds: state.kinds,
            seq: 0,
            step_back: None,
        };
        ledger.record_phase(change).expect("a record");
        let files = migration.files(target.dialect());
        for (step, file) in [
            (Step::Expand, &files.expand),
            (Step::Contract, &files.contract),
        ] {
            if let Some(file) = file
                .as_ref()
                .filter(|_| step == Step::Expand || state.phase == Phase::Contracted)
            {
                let path = file.path.display().to_string();
                ledger.record_file(Entry::New, &declaration.id, step, &path, &file.sha256);
            }
        }
    }
    ledger.commit().await.expect("a commit");
    connection.close().await;
}
