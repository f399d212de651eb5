//! How fast a backfill is, against one UPDATE of the whole table and against batches in the way of pgroll, and what a
//! client beside it notices.
//!
//! `cargo bench --bench backfill` prints two tables for PostgreSQL and MariaDB. All methods of a group run one after the
//! other on tables that are made alike and that nobody has analysed. `BACKFILL_ROWS=10000,100000` chooses other sizes,
//! `BACKFILL_ON=postgres` one database, `BACKFILL_ROUNDS` how often up to 300,000 rows are measured; the median is shown. `BACKFILL_ONLY=speed` or
//! `beside` leaves the other table out. Nothing is asserted but that every row was filled. Without `--bench`, everything
//! is small and runs only to see that it works.

#[macro_use]
#[allow(unused_macros, reason = "scenarios are for tests")]
#[path = "../tests/suite/support/mod.rs"]
mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use support::backend::Db;
use support::project::Project;

/// Whether writes of the old column refresh the new one by a trigger, which every method then fires.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sync {
    None,
    Trigger,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Method {
    SingleUpdate,
    Ours {
        workers: u32,
        pace: Pace,
    },
    /// Written from the description of its method: a flag, rows locked in a keyset query, and an update that changes
    /// nothing but fires the trigger.
    PgrollWay,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Pace {
    /// What holds where nobody says anything.
    Default,
    Full,
}

impl Method {
    fn name(self) -> String {
        match self {
            Self::SingleUpdate => "one UPDATE".to_owned(),
            Self::Ours { workers, pace } => {
                let plural = if workers == 1 { "" } else { "s" };
                let pace = match pace {
                    Pace::Default => "default pace",
                    Pace::Full => "pace 1",
                };
                format!("migrate backfill, {workers} worker{plural}, {pace}")
            }
            Self::PgrollWay => "the way of pgroll".to_owned(),
        }
    }
}

/// How wide the column is that nobody touches.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Width {
    Narrow,
    Usual,
}

const fn ours(workers: u32, pace: Pace) -> Method {
    Method::Ours { workers, pace }
}

fn main() {
    let is_whole = std::env::args().any(|argument| argument == "--bench");
    let default = if is_whole {
        "10000,100000,300000,1000000"
    } else {
        "2000"
    };
    let sizes = std::env::var("BACKFILL_ROWS").unwrap_or_else(|_| default.to_owned());
    let sizes: Vec<u64> = sizes
        .split(',')
        .map(|size| {
            size.trim()
                .parse()
                .expect("BACKFILL_ROWS: numbers with commas between")
        })
        .collect();
    let databases = std::env::var("BACKFILL_ON").unwrap_or_else(|_| "postgres,mysql".to_owned());
    let only = std::env::var("BACKFILL_ONLY").unwrap_or_default();
    for backend in databases.split(',') {
        if only != "beside" {
            println!("\n{backend}: rows per second, and the ratio to one UPDATE");
            for sync in [Sync::None, Sync::Trigger] {
                for size in &sizes {
                    speed(backend, sync, Width::Usual, *size);
                }
            }
            // In a table of fewer pages the planner prefers to read all of it.
            if backend == "postgres" && sizes.contains(&300_000) {
                println!("{backend}: the same with rows of about 50 bytes");
                speed(backend, Sync::Trigger, Width::Narrow, 300_000);
            }
        }
        if only == "speed" {
            continue;
        }
        // Long enough for a latency, and not the longest.
        let size = sizes
            .iter()
            .copied()
            .filter(|size| *size <= 300_000)
            .max()
            .unwrap_or(10_000);
        println!("\n{backend}: a client beside it, point reads and updates, {size} rows");
        beside(
            backend,
            size,
            Duration::from_secs(if is_whole { 5 } else { 1 }),
        );
    }
}

/// A table of its own for each method, filled and never analysed.
struct Table {
    db: Db,
    project: Project,
    rows: u64,
}

impl Table {
    fn new(backend: &str, sync: Sync, width: Width, rows: u64) -> Self {
        let db = Db::on(backend);
        let (options, numbers) = match backend {
            "postgres" => (
                " WITH (autovacuum_enabled = false)",
                format!("FROM generate_series(1, {rows}) AS n (i)"),
            ),
            _ => (
                "",
                format!("FROM (SELECT seq AS i FROM seq_1_to_{rows}) AS n"),
            ),
        };
        db.execute(&format!(
            "CREATE TABLE users (id bigint PRIMARY KEY, full_name varchar(60), note varchar(200)){options}"
        ));
        let note = match width {
            Width::Narrow => 0,
            Width::Usual => 80,
        };
        db.execute(&format!(
            "INSERT INTO users SELECT i, concat('Person Number ', i), repeat('x', {note}) {numbers}"
        ));
        let project = Project::new(&db, &["web"]);
        project.file("migrate.toml", "[services.web]\nmin_instances = 0\n");
        let table = Self { db, project, rows };
        table.declare(backend, sync, 1, Pace::Default);
        table.project.migrate(&["expand"]).expect_code(0);
        table
    }

    fn declare(&self, backend: &str, sync: Sync, workers: u32, pace: Pace) {
        let sync_line = match sync {
            Sync::None => "rows = \"append-only\"",
            Sync::Trigger => "sync = \"to-new\"",
        };
        let pace = match pace {
            Pace::Default => "",
            Pace::Full => "pace = 1\n",
        };
        let manifest = format!(
            "description = \"Copy the name\"\n{sync_line}\n[services.web]\nold = \"<1.2.0\"\nnew = \">=1.1.0\"\n\
             [backfill]\ntable = \"users\"\nkey = \"id\"\nworkers = {workers}\n{pace}\
             remaining = \"SELECT count(*) FROM users WHERE name IS NULL\"\n"
        );
        let trigger = match (sync, backend) {
            (Sync::None, _) => String::new(),
            (Sync::Trigger, "postgres") => "\
CREATE FUNCTION fill_name() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.name := upper(NEW.full_name);
    NEW.needs_backfill := false;
    RETURN NEW;
END $$;
CREATE TRIGGER users_name BEFORE INSERT OR UPDATE ON users FOR EACH ROW EXECUTE FUNCTION fill_name();
"
            .to_owned(),
            (Sync::Trigger, _) => "\
CREATE TRIGGER users_name BEFORE UPDATE ON users FOR EACH ROW SET NEW.name = upper(NEW.full_name), NEW.needs_backfill = false;
"
            .to_owned(),
        };
        let expand = format!(
            "ALTER TABLE users ADD COLUMN name varchar(60);\n\
             ALTER TABLE users ADD COLUMN needs_backfill boolean DEFAULT true;\n{trigger}"
        );
        let backfill = "UPDATE users SET name = upper(full_name) WHERE id > :after AND id <= :upto AND name IS NULL;\n";
        self.project.migration(
            "0001_name",
            &[
                ("migration.toml", &manifest),
                ("expand.sql", &expand),
                ("backfill.sql", backfill),
            ],
        );
    }

    /// Fills every row, and returns how long that took.
    fn fill(&self, backend: &str, sync: Sync, method: Method) -> Duration {
        let began = Instant::now();
        let took = match method {
            Method::SingleUpdate => {
                self.db
                    .execute("UPDATE users SET name = upper(full_name) WHERE name IS NULL");
                began.elapsed()
            }
            Method::Ours { workers, pace } => {
                self.declare(backend, sync, workers, pace);
                let began = Instant::now();
                let output = self
                    .project
                    .migrate(&["backfill", "-q", "--output", "json"]);
                // With the process, its connections and the record of the phase.
                let took = began.elapsed();
                assert_eq!(
                    output.expect_code(0).json()["results"][0]["rows"],
                    self.rows
                );
                took
            }
            Method::PgrollWay => {
                self.pgroll_way(backend);
                began.elapsed()
            }
        };
        assert_eq!(
            self.db
                .value("SELECT count(*) FROM users WHERE name IS NULL"),
            "0"
        );
        took
    }

    fn pgroll_way(&self, backend: &str) {
        let mut connection = self.db.connect();
        let mut last = 0_u64;
        loop {
            let end = if backend == "postgres" {
                let rows = connection.query(&format!(
                    "WITH batch AS (SELECT id FROM users WHERE needs_backfill AND id > {last} ORDER BY id LIMIT 1000 \
                     FOR NO KEY UPDATE), \
                     touched AS (UPDATE users SET id = users.id FROM batch WHERE users.id = batch.id RETURNING users.id) \
                     SELECT coalesce(max(id), 0)::text FROM touched"
                ));
                rows[0][0].clone()
            } else {
                connection.execute("BEGIN");
                let rows = connection.query(&format!(
                    "SELECT CAST(coalesce(max(id), 0) AS CHAR) FROM \
                     (SELECT id FROM users WHERE needs_backfill AND id > {last} ORDER BY id LIMIT 1000 FOR UPDATE) AS batch"
                ));
                let end = rows[0][0].clone();
                connection.execute(&format!(
                    "UPDATE users SET id = id WHERE needs_backfill AND id > {last} AND id <= {end}"
                ));
                connection.execute("COMMIT");
                end
            };
            match end.parse().expect("a number") {
                0 => return,
                end => last = end,
            }
        }
    }
}

fn speed(backend: &str, sync: Sync, width: Width, rows: u64) {
    let with = match sync {
        Sync::None => "no trigger",
        Sync::Trigger => "trigger",
    };
    let mut methods = vec![
        Method::SingleUpdate,
        ours(1, Pace::Full),
        ours(2, Pace::Full),
    ];
    if sync == Sync::Trigger {
        methods.push(Method::PgrollWay);
    }
    // In turns, so that a busy machine slows all of them.
    let rounds = if rows > 300_000 { 1 } else { rounds() };
    let mut times = vec![Vec::new(); methods.len()];
    for _ in 0..rounds {
        for (method, times) in methods.iter().zip(&mut times) {
            let table = Table::new(backend, sync, width, rows);
            times.push(table.fill(backend, sync, *method).as_secs_f64());
        }
    }
    let single = times[0].clone();
    for (method, times) in methods.iter().zip(&times) {
        let took = median(times.clone());
        let ratios = single.iter().zip(times).map(|(single, took)| single / took);
        #[expect(clippy::cast_precision_loss, reason = "a rate to read")]
        let rate = rows as f64 / took;
        println!(
            "{rows:>8} rows  {with:<10}  {:<36} {rate:>9.0} rows/s {took:>8.2} s  {:>5.2}",
            method.name(),
            median(ratios.collect()),
        );
    }
}

fn rounds() -> usize {
    let rounds = std::env::var("BACKFILL_ROUNDS").unwrap_or_else(|_| "3".to_owned());
    rounds.parse().expect("BACKFILL_ROUNDS: a number")
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// What a client notices that reads a row and changes another one every few milliseconds, over three rounds.
fn beside(backend: &str, rows: u64, idle: Duration) {
    let methods = [
        Method::SingleUpdate,
        ours(1, Pace::Default),
        ours(2, Pace::Default),
        ours(1, Pace::Full),
    ];
    let mut idly = Latencies::default();
    let mut found = methods.map(|_| Latencies::default());
    for _ in 0..rounds() {
        let table = Table::new(backend, Sync::None, Width::Usual, rows);
        idly.extend(meanwhile(&table, || std::thread::sleep(idle)));
        for (method, found) in methods.iter().zip(&mut found) {
            let table = Table::new(backend, Sync::None, Width::Usual, rows);
            found.extend(meanwhile(&table, || {
                table.fill(backend, Sync::None, *method);
            }));
        }
    }
    show("idle", &idly, &idly);
    for (method, found) in methods.iter().zip(&found) {
        show(&method.name(), found, &idly);
    }
}

/// What the client notices while something is done.
fn meanwhile(table: &Table, what: impl FnOnce()) -> Latencies {
    let stop = Arc::new(AtomicBool::new(false));
    let client = client(&table.db, table.rows, &stop);
    what();
    stop.store(true, Ordering::Relaxed);
    client.join().expect("a client that ends")
}

#[derive(Default)]
struct Latencies {
    reads: Vec<Duration>,
    updates: Vec<Duration>,
}

impl Latencies {
    fn extend(&mut self, other: Self) {
        self.reads.extend(other.reads);
        self.updates.extend(other.updates);
    }
}

fn client(db: &Db, rows: u64, stop: &Arc<AtomicBool>) -> std::thread::JoinHandle<Latencies> {
    let (backend, url, stop) = (db.backend.name, db.url.clone(), Arc::clone(stop));
    std::thread::spawn(move || {
        let mut connection = Db::at(backend, url).connect();
        let mut found = Latencies::default();
        while !stop.load(Ordering::Relaxed) {
            let (read, changed) = (fastrand::u64(1..=rows), fastrand::u64(1..=rows));
            let began = Instant::now();
            connection.query(&format!("SELECT note FROM users WHERE id = {read}"));
            found.reads.push(began.elapsed());
            let began = Instant::now();
            connection.execute(&format!(
                "UPDATE users SET note = 'changed' WHERE id = {changed}"
            ));
            found.updates.push(began.elapsed());
            std::thread::sleep(Duration::from_millis(2));
        }
        found
    })
}

fn show(what: &str, found: &Latencies, idle: &Latencies) {
    let at = |times: &[Duration], share: usize| {
        let mut sorted = times.to_vec();
        sorted.sort();
        sorted[(sorted.len() * share / 100).min(sorted.len() - 1)].as_secs_f64() * 1000.0
    };
    let one = |times: &[Duration], idle: &[Duration]| {
        format!(
            "p50 {:>7.2} ms  p99 {:>8.2} ms  ×{:<7.2}",
            at(times, 50),
            at(times, 99),
            at(times, 99) / at(idle, 99)
        )
    };
    println!(
        "{what:<41} read {}  update {}  ({} of each)",
        one(&found.reads, &idle.reads),
        one(&found.updates, &idle.updates),
        found.reads.len()
    );
}
