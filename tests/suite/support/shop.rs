//! A small application to migrate: a table `users`, the service `web`, and a migration that moves a name.

use std::time::Duration;

use super::backend::{Db, Ledger};
use super::project::{Output, Process, Project};

/// A project on a database that holds `users` with these many rows.
pub struct Shop {
    pub db: Db,
    pub project: Project,
}

/// The migration that most scenarios use.
pub const NAME: &str = "0001_name";

/// Nothing keeps the formats in step, and rows are only added: what one version writes, another may have to fill in.
pub const APPEND_ONLY: &str = "\
description = \"Move users.full_name to users.name\"
rows = \"append-only\"
[services.web]
old = \"<1.2.0\"
new = \">=1.1.0\"
[backfill]
table = \"users\"
key = \"id\"
batch = 2
remaining = \"SELECT count(*) FROM users WHERE name IS NULL\"
";
pub const EXPAND: &str = "ALTER TABLE users ADD COLUMN name VARCHAR(200);\n";
pub const BACKFILL: &str =
    "UPDATE users SET name = full_name WHERE id > :after AND id <= :upto AND name IS NULL;\n";
pub const CONTRACT: &str = "ALTER TABLE users DROP COLUMN full_name;\n";
pub const REVERT: &str = "ALTER TABLE users DROP COLUMN name;\n";

/// What the `command` source prints in these projects.
const FLEET: &str = "fleet.jsonl";

impl Shop {
    /// A table with five rows, the service `web` that may be scaled to nothing, and no migration yet.
    pub fn new(db: Db) -> Self {
        Self::with_config(db, "[services.web]\nmin_instances = 0\n")
    }

    pub fn with_config(db: Db, config: &str) -> Self {
        db.execute(&format!(
            "CREATE TABLE users (id {}, full_name VARCHAR(200)); \
             INSERT INTO users (full_name) VALUES ('Ann'), ('Bob'), ('Cyd'), ('Dan'), ('Eve')",
            db.backend.key
        ));
        let project = Project::new(&db, &[]);
        project.file("migrate.toml", config);
        Self { db, project }
    }

    /// As [`Self::new`], with the migration that moves a name.
    pub fn with_name(db: Db) -> Self {
        let shop = Self::new(db);
        shop.name_migration(APPEND_ONLY);
        shop
    }

    /// As [`Self::with_name`], expanded and backfilled.
    pub fn backfilled(db: Db) -> Self {
        let shop = Self::with_name(db);
        shop.run(&["expand"], 0);
        shop.run(&["backfill"], 0);
        shop
    }

    /// A project whose fleet is what `fleet` says, with these services; it has the migration that moves a name.
    pub fn with_fleet(db: Db, services: &str) -> Self {
        let shop = Self::with_config(
            db,
            &format!(
                "[fleet]\nsources = [{{ kind = \"command\", name = \"list\", run = [\"cat\", \"{FLEET}\"] }}]\n{services}"
            ),
        );
        shop.name_migration(APPEND_ONLY);
        shop.fleet(&[]);
        shop
    }

    /// Writes the migration that moves a name, declared like this.
    pub fn name_migration(&self, manifest: &str) -> &Self {
        self.project.migration(
            NAME,
            &[
                ("migration.toml", manifest),
                ("expand.sql", EXPAND),
                ("backfill.sql", BACKFILL),
                ("contract.sql", CONTRACT),
                ("revert.sql", REVERT),
            ],
        );
        self
    }

    /// Declares the migration that moves a name anew, and leaves its scripts as they are.
    pub fn name_declaration(&self, manifest: &str) -> &Self {
        self.project
            .migration(NAME, &[("migration.toml", manifest)]);
        self
    }

    /// Sets what the `command` source prints: a service, an instance and a version each.
    pub fn fleet(&self, instances: &[(&str, &str, &str)]) -> &Self {
        let lines: String = instances
            .iter()
            .map(|(service, instance, version)| {
                format!("{{\"service\":\"{service}\",\"instance\":\"{instance}\",\"version\":\"{version}\"}}\n")
            })
            .collect();
        self.project.file(FLEET, &lines);
        self
    }

    /// Sets the very text that the `command` source prints.
    pub fn fleet_text(&self, text: &str) -> &Self {
        self.project.file(FLEET, text);
        self
    }

    /// Runs `migrate` and fails the test if it does not end with this code.
    #[track_caller]
    pub fn run(&self, arguments: &[&str], code: i32) -> Output {
        self.project.migrate(arguments).expect_code(code)
    }

    /// The same with `--output json`; the result.
    #[track_caller]
    pub fn json(&self, arguments: &[&str], code: i32) -> serde_json::Value {
        let arguments = [arguments, &["--output", "json"]].concat();
        self.run(&arguments, code).json()
    }

    /// The phase of the migration with this number.
    #[track_caller]
    pub fn phase(&self, number: usize) -> String {
        let status = self.project.migrate(&["status", "--output", "json"]).json();
        let id = format!("{number:04}_");
        let migrations = status["migrations"].as_array().expect("a list");
        let found = migrations
            .iter()
            .find(|migration| migration["id"].as_str().expect("a text").starts_with(&id));
        match found.and_then(|migration| migration["phase"].as_str()) {
            Some(phase) => phase.to_owned(),
            None => panic!("no phase of {id} in {status}"),
        }
    }

    /// Everything in the database.
    #[track_caller]
    pub fn dump(&self) -> String {
        self.db.dump(Ledger::Included)
    }

    /// Everything in the database but the ledger.
    #[track_caller]
    pub fn data(&self) -> String {
        self.db.dump(Ledger::Excluded)
    }

    /// Runs a command that must leave every byte of the database as it is.
    #[track_caller]
    pub fn changes_nothing(&self, arguments: &[&str], code: i32) -> Output {
        let before = self.dump();
        let output = self.run(arguments, code);
        assert_eq!(self.dump(), before, "{arguments:?} changed the database");
        output
    }

    /// Starts an instance under the agent, and waits until it is registered.
    #[track_caller]
    pub fn instance(&self, version: &str, name: &str) -> Process {
        let mut process = self.project.spawn(&[
            "agent",
            "--service",
            "web",
            "--version",
            version,
            "--instance",
            name,
            "--",
            "sh",
            "-c",
            "echo started; exec sleep 600",
        ]);
        process.wait_for_line("started", Duration::from_secs(60));
        process
    }

    /// The name of one of the ledger's tables.
    pub fn ledger(&self, table: &str) -> String {
        self.db.ledger(table)
    }
}

/// What went to standard error, without the line breaks that only fit it to a page.
pub fn said(output: &Output) -> String {
    let text = output.stderr.replace('│', " ");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
