//! Random histories of versions that come and go one after the other, on rows that change and that nothing keeps in step: on
//! the real databases whoever was admitted reads what was written last, and comes in again as long as nobody else has.
//!
//! A seed chooses the events; it is shown, and `PHASEGATE_SEED` sets it.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use phasegate::database::{ConnectOptions, Target, connect};
use phasegate::lease::{Admission, AdmissionRequest, admit};
use phasegate::ledger::{LeaseId, Ledger};
use phasegate::model::InstanceState;

use crate::support::backend::Db;
use crate::support::connection::block_on;
use crate::support::shop::Shop;

/// What a version reads and writes, old and new.
type Does = (&'static str, [bool; 2], [bool; 2]);

struct Declared {
    ranges: &'static str,
    versions: &'static [Does],
}

const DECLARED: &[Declared] = &[
    Declared {
        ranges: "old = \"<1.2.0\"\nnew = \">=1.1.0\"\n",
        versions: &[
            ("1.0.0", [true, false], [true, false]),
            ("1.1.0", [true, true], [true, true]),
            ("1.2.0", [false, true], [false, true]),
        ],
    },
    Declared {
        ranges: "reads = { old = \"<1.2.0\", new = \">=1.1.0\" }\nwrites = { old = \"<1.1.0\", new = \">=1.1.0\" }\n",
        versions: &[
            ("1.0.0", [true, false], [true, false]),
            ("1.1.0", [true, true], [false, true]),
            ("1.2.0", [false, true], [false, true]),
        ],
    },
    Declared {
        ranges: "reads = { old = \"<1.2.0\", new = \">=1.2.0\" }\nwrites = { old = \"<1.3.0\", new = \">=1.1.0\" }\n",
        versions: &[
            ("1.0.0", [true, false], [true, false]),
            ("1.1.0", [true, false], [true, true]),
            ("1.2.0", [false, true], [true, true]),
            ("1.3.0", [false, true], [false, true]),
        ],
    },
];

const ROWS: i64 = 3;

struct History {
    shop: Shop,
    manifest: String,
    target: Target,
    random: fastrand::Rng,
    live: Vec<(Does, LeaseId)>,
    latest: BTreeMap<i64, String>,
    generation: u32,
    admitted: u32,
    log: Vec<String>,
}

impl History {
    fn new(db: Db, declared: &Declared, seed: u64) -> Self {
        let target = Target::parse(&db.url, Path::new("/")).expect("the URL of a test's database");
        let shop = Shop::new(db);
        let manifest = format!(
            "description = \"x\"\n[services.web]\n{}[backfill]\ntable = \"users\"\nkey = \"id\"\n\
             remaining = \"SELECT count(*) FROM users WHERE name IS NULL\"\n",
            declared.ranges
        );
        shop.name_migration(&manifest);
        shop.run(&["expand"], 0);
        shop.db
            .execute(&format!("DELETE FROM users WHERE id > {ROWS}"));
        let rows = shop.db.query("SELECT id, full_name FROM users");
        let latest = rows
            .into_iter()
            .map(|row| (row[0].parse().expect("a number"), row[1].clone()));
        Self {
            latest: latest.collect(),
            shop,
            manifest,
            target,
            random: fastrand::Rng::with_seed(seed),
            live: Vec::new(),
            generation: 0,
            admitted: 0,
            log: Vec::new(),
        }
    }

    fn ask(&self, version: &str) -> Option<LeaseId> {
        let request = AdmissionRequest {
            service: "web".into(),
            label: version.into(),
            version: version.parse().expect("a version"),
            instance: format!("server-{}", self.log.len()),
            lease: Duration::from_secs(600),
            renew: Duration::from_secs(10),
            min_ready: None,
            state: InstanceState::Serving,
            pending: Vec::new(),
            unread: Vec::new(),
            brought: None,
            made: Vec::new(),
            history: None,
            sources: Vec::new(),
            rules: phasegate::ledger::LeaseRules::default(),
        };
        match block_on(admit(&self.target, &request)).expect("an answer") {
            Admission::Admitted { id, .. } => Some(id),
            Admission::Refused(_) => None,
        }
    }

    fn release(&self, id: &LeaseId) {
        block_on(async {
            let mut connection = connect(&self.target, ConnectOptions::default())
                .await
                .expect("a connection");
            let mut ledger = Ledger::write(connection.as_mut()).await.expect("a ledger");
            ledger.release(id).await.expect("a release");
            ledger.commit().await.expect("a commit");
            connection.close().await;
        });
    }

    fn come(&mut self, does: Does) {
        let Some(id) = self.ask(does.0) else {
            self.log.push(format!("{} is refused", does.0));
            return;
        };
        self.log.push(format!("{} comes", does.0));
        self.admitted += 1;
        self.live.push((does, id));
        let again = self.ask(does.0);
        assert!(
            again.is_some(),
            "{} is shut out though nobody else came\n{}",
            does.0,
            self.log.join("\n")
        );
        if let Some(again) = again {
            self.release(&again);
        }
    }

    fn go(&mut self) {
        if !self.live.is_empty() {
            let at = self.random.usize(..self.live.len());
            let (does, id) = self.live.swap_remove(at);
            self.log.push(format!("{} goes", does.0));
            self.release(&id);
        }
    }

    fn write(&mut self) {
        if self.live.is_empty() {
            return;
        }
        let (version, _, [old, new]) = self.live[self.random.usize(..self.live.len())].0;
        let row = self.random.i64(1..=ROWS);
        self.generation += 1;
        let value = format!("value {}", self.generation);
        let columns = [(old, "full_name"), (new, "name")];
        let set: Vec<String> = columns
            .into_iter()
            .filter(|(writes, _)| *writes)
            .map(|(_, column)| format!("{column} = '{value}'"))
            .collect();
        self.log.push(format!("{version} writes {row}: {set:?}"));
        self.shop.db.execute(&format!(
            "UPDATE users SET {} WHERE id = {row}",
            set.join(", ")
        ));
        self.latest.insert(row, value);
    }

    fn backfill(&mut self) {
        let asked = self.shop.project.migrate(&["gate", "backfill", "1"]);
        let overwrites = asked.stdout.contains("has to overwrite");
        let condition = if overwrites { "" } else { " AND name IS NULL" };
        let file = self.shop.project.path().join("0001_name/backfill.sql");
        if self.shop.phase(1) == "expanded" {
            // Its author does what the gate asks for, and says so.
            let declared = if overwrites {
                "overwrites = true\n"
            } else {
                ""
            };
            self.shop
                .name_declaration(&format!("{}{declared}", self.manifest));
            let statement = format!(
                "UPDATE users SET name = full_name WHERE id > :after AND id <= :upto{condition};\n"
            );
            std::fs::write(&file, statement).expect("a file is written");
        }
        let output = self.shop.project.migrate(&["backfill", "1"]);
        assert!([0, 10, 11].contains(&output.code), "{output:?}");
        self.log.push(format!(
            "backfill: {}, overwrites: {overwrites}",
            output.code
        ));
    }

    fn check(&self) {
        let rows = self.shop.db.query(
            "SELECT id, COALESCE(full_name, '-'), COALESCE(name, '-') FROM users ORDER BY id",
        );
        for row in rows {
            let id: i64 = row[0].parse().expect("a number");
            for ((version, [old, new], _), _) in &self.live {
                let seen = match (old, new) {
                    (true, true) if row[2] == "-" => &row[1],
                    (true, false) => &row[1],
                    (_, true) => &row[2],
                    (false, false) => continue,
                };
                assert_eq!(
                    Some(seen),
                    self.latest.get(&id),
                    "{version} reads row {id}\n{}",
                    self.log.join("\n")
                );
            }
        }
    }
}

scenario!(
    fn whoever_was_admitted_reads_what_was_written_last_in_whatever_order_they_came(db: Db) {
        let seed = std::env::var("PHASEGATE_SEED").map_or_else(
            |_| fastrand::u64(..),
            |text| text.parse().expect("PHASEGATE_SEED is a number"),
        );
        eprintln!("PHASEGATE_SEED={seed}");
        let declared = &DECLARED[usize::try_from(seed % 3).expect("a small number")];
        let mut history = History::new(db, declared, seed);
        // So that the history that was missing is always among them: one goes before the next comes.
        history.come(declared.versions[0]);
        history.go();
        history.come(declared.versions[1]);
        for _ in 0..40 {
            match history.random.u8(..10) {
                0..3 => {
                    let at = history.random.usize(..declared.versions.len());
                    history.come(declared.versions[at]);
                }
                3..6 => history.go(),
                6..9 => history.write(),
                _ => history.backfill(),
            }
            history.check();
        }
        assert!(history.admitted > 2, "{}", history.log.join("\n"));
    }
);
