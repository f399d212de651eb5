//! The application of `migrations-example`, in its three versions: a shop that sells to new users and
//! reads the names of old ones, while the table it does that with is changed under it.
//!
//! ```text
//! cd migrations-example && cargo run --example shop -- --version 1.0.0 --instance server-1
//! ```
//!
//! What is about Phasegate in here is a few lines of `run`: acquire a lease before the database is
//! touched, ask it before each unit of work, drain and release it at the end.

use std::collections::VecDeque;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::{Parser, ValueEnum};
use phasegate::lease::LeaseBuilderExt as _;
use phasegate::{Lease, LeaseError};
use sqlx::any::{AnyPoolOptions, AnyRow};
use sqlx::{AnyPool, Row as _};
use tokio::signal::unix::{SignalKind, signal};

#[derive(Parser)]
#[command(disable_version_flag = true)]
struct Arguments {
    /// Which version of the shop this is
    #[arg(long)]
    version: Release,
    /// What this instance is called; by default the host's name and the process number
    #[arg(long)]
    instance: Option<String>,
    /// Close after this many seconds; otherwise on SIGTERM or SIGINT
    #[arg(long)]
    seconds: Option<u64>,
    /// The directory of migrate.toml. An application that brings its migrations along is refused as long
    /// as those that it needs have not been applied
    #[arg(long, default_value = ".")]
    project: PathBuf,
    #[arg(long, env = "DATABASE_URL", default_value = "sqlite://shop.db")]
    database_url: String,
}

/// The releases of the shop. They differ in what they know of a user's name, and in nothing else that
/// matters: in a real shop each would be a commit.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Release {
    /// Knows `full_name` and `legacy_notes`.
    #[value(name = "1.0.0")]
    Old,
    /// Knows both formats: writes both, and reads the new one where it is there.
    #[value(name = "1.1.0")]
    Bridge,
    /// Knows `first_name` and `last_name`.
    #[value(name = "1.2.0")]
    New,
}

impl Release {
    const fn version(self) -> &'static str {
        match self {
            Self::Old => "1.0.0",
            Self::Bridge => "1.1.0",
            Self::New => "1.2.0",
        }
    }

    /// The columns of a user's name that this version knows. Never `*`: a column that is dropped later
    /// would break the prepared statement even of a version that makes no use of it.
    const fn name_columns(self) -> &'static str {
        match self {
            Self::Old => "full_name",
            Self::Bridge => "first_name, last_name, full_name",
            Self::New => "first_name, last_name",
        }
    }

    /// The name of a user, in the formats that this version reads. None where there is none.
    fn name(self, user: &AnyRow) -> sqlx::Result<Option<String>> {
        let old = |user: &AnyRow| user.try_get::<Option<String>, _>("full_name");
        let new = |user: &AnyRow| {
            let first: Option<String> = user.try_get("first_name")?;
            let last: Option<String> = user.try_get("last_name")?;
            let parts: Vec<String> = [first, last]
                .into_iter()
                .flatten()
                .filter(|part| !part.is_empty())
                .collect();
            Ok((!parts.is_empty()).then(|| parts.join(" ")))
        };
        match self {
            Self::Old => old(user),
            Self::Bridge => Ok(new(user)?.or(old(user)?)),
            Self::New => new(user),
        }
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments).await {
        Ok(code) => code,
        Err(error) => {
            say(&format!("web {}: {error}", arguments.version.version()));
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: &Arguments) -> Result<ExitCode, Box<dyn std::error::Error>> {
    let release = arguments.version;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;

    // Before anything else touches the database: may this version start now?
    let mut registration = Lease::builder(&arguments.database_url, "web", release.version())
        .project(&arguments.project);
    if let Some(instance) = &arguments.instance {
        registration = registration.instance(instance);
    }
    let lease = match registration.acquire().await {
        Ok(lease) => lease,
        Err(LeaseError::Refused(decision)) => {
            say(&format!("web {} may not start:", release.version()));
            for blocker in &decision.blockers {
                say(&format!("  {}", blocker.message()));
                say(&format!("    next: {}", blocker.help()));
            }
            return Ok(ExitCode::from(decision.verdict.exit_code()));
        }
        Err(error) => return Err(error.into()),
    };

    sqlx::any::install_default_drivers();
    let database = AnyPoolOptions::new()
        .max_connections(2)
        .connect(&arguments.database_url)
        .await?;
    let mut shop = Shop::new(
        release,
        arguments.instance.as_deref().unwrap_or("this instance"),
        database,
        Parameters::of(&arguments.database_url),
    );
    shop.report("open");
    let closing_time = async {
        match arguments.seconds {
            Some(seconds) => tokio::time::sleep(Duration::from_secs(seconds)).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = shop.serve(&lease) => {}
        () = closing_time => {}
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        loss = lease.lost() => say(&format!("the lease is lost: {loss}")),
    }

    // A real server would finish its requests here. It counts as live until it has released its lease.
    if let Err(error) = lease.draining().await {
        say(&format!("cannot say that this instance drains: {error}"));
    }
    shop.database.close().await;
    lease.release().await?;
    shop.report("closed");
    Ok(match lease.loss() {
        // It stopped in good order, and not because it should.
        Some(loss) => ExitCode::from(loss.exit_code()),
        None if shop.wrong == 0 => ExitCode::SUCCESS,
        None => ExitCode::FAILURE,
    })
}

const PEOPLE: [(&str, &str); 6] = [
    ("Ada", "Lovelace"),
    ("Grace", "Hopper"),
    ("Jean Luc", "Picard"),
    ("Åsa", "Öberg"),
    ("Miles", "O'Brien"),
    ("Plato", ""),
];

/// How a statement names its parameters: the one difference between the databases that this program sees.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Parameters {
    /// `$1`, `$2`
    Numbers,
    /// `?`, on MySQL and MariaDB
    Marks,
}

impl Parameters {
    fn of(url: &str) -> Self {
        if url.starts_with("mysql:") || url.starts_with("mariadb:") {
            Self::Marks
        } else {
            Self::Numbers
        }
    }
}

type Query<'q> = sqlx::query::Query<'q, sqlx::Any, sqlx::any::AnyArguments>;

struct Shop {
    parameters: Parameters,
    release: Release,
    instance: String,
    database: AnyPool,
    /// Users written by this instance, and the names that it has to read again.
    known: VecDeque<(i64, String)>,
    sold: u64,
    read: u64,
    /// Names that were not read as they were written. There must be none, whatever migrates meanwhile.
    wrong: u64,
    /// Errors of the database, a lock that took too long for example: the work is tried again.
    errors: u64,
}

impl Shop {
    fn new(release: Release, instance: &str, database: AnyPool, parameters: Parameters) -> Self {
        Self {
            parameters,
            release,
            instance: instance.to_owned(),
            database,
            known: VecDeque::new(),
            sold: 0,
            read: 0,
            wrong: 0,
            errors: 0,
        }
    }

    /// A statement put together from constants of this program, with `$1`, `$2` … in this order.
    fn query(&self, sql: &str) -> Query<'static> {
        let mut sql = sql.to_owned();
        if self.parameters == Parameters::Marks {
            for number in 1..=3 {
                sql = sql.replace(&format!("${number}"), "?");
            }
        }
        sqlx::query(sqlx::AssertSqlSafe(sql))
    }

    /// Works until the lease ends.
    async fn serve(&mut self, lease: &Lease) {
        let mut reported = Instant::now();
        while lease.is_valid() {
            if let Err(error) = self.work().await {
                self.errors += 1;
                say(&format!(
                    "web {} {}: {error}",
                    self.release.version(),
                    self.instance
                ));
            }
            if reported.elapsed() >= Duration::from_secs(1) {
                self.report("serving");
                reported = Instant::now();
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// One unit of work: sell something to a new user, then read names.
    async fn work(&mut self) -> sqlx::Result<()> {
        let person = PEOPLE[usize::try_from(self.sold).unwrap_or(0) % PEOPLE.len()];
        let user = self.sell(person).await?;
        self.sold += 1;
        self.known.push_back((
            user,
            format!("{} {}", person.0, person.1).trim_end().to_owned(),
        ));
        if self.known.len() > 20 {
            self.known.pop_front();
        }
        self.check_known().await?;
        self.check_latest().await
    }

    /// Writes a user and their first order, as this version writes them.
    async fn sell(&self, (first, last): (&str, &str)) -> sqlx::Result<i64> {
        let full = format!("{first} {last}");
        let full = full.trim_end();
        let mut sale = self.database.begin().await?;
        let insert = match self.release {
            Release::Old => self.query("INSERT INTO users (full_name) VALUES ($1) RETURNING id").bind(full),
            Release::Bridge => {
                self.query("INSERT INTO users (first_name, last_name, full_name) VALUES ($1, $2, $3) RETURNING id")
                    .bind(first)
                    .bind(last)
                    .bind(full)
            }
            Release::New => self.query("INSERT INTO users (first_name, last_name) VALUES ($1, $2) RETURNING id")
                .bind(first)
                .bind(last),
        };
        let user: i64 = insert.fetch_one(&mut *sale).await?.try_get(0)?;
        self.query("INSERT INTO orders (user_id, cents) VALUES ($1, $2)")
            .bind(user)
            .bind(1990_i64)
            .execute(&mut *sale)
            .await?;
        if self.release == Release::Old {
            self.query("INSERT INTO legacy_notes (user_id, note) VALUES ($1, 'first order')")
                .bind(user)
                .execute(&mut *sale)
                .await?;
        }
        sale.commit().await?;
        Ok(user)
    }

    /// Reads the users that this instance wrote: their names have to be the same.
    async fn check_known(&mut self) -> sqlx::Result<()> {
        let sql = format!(
            "SELECT {} FROM users WHERE id = $1",
            self.release.name_columns()
        );
        for (id, written) in self.known.clone() {
            // Put together from constants above.
            let user = self.query(&sql).bind(id).fetch_one(&self.database).await?;
            let name = self.release.name(&user)?;
            self.check(id, name.as_deref() == Some(written.as_str()), name);
        }
        Ok(())
    }

    /// Reads the latest users, whoever wrote them: everybody who buys has a name.
    async fn check_latest(&mut self) -> sqlx::Result<()> {
        let sql = format!(
            "SELECT id, {} FROM users ORDER BY id DESC LIMIT 20",
            self.release.name_columns()
        );
        for user in sqlx::query(sqlx::AssertSqlSafe(sql))
            .fetch_all(&self.database)
            .await?
        {
            let name = self.release.name(&user)?;
            self.check(user.try_get("id")?, name.is_some(), name);
        }
        Ok(())
    }

    fn check(&mut self, id: i64, is_right: bool, name: Option<String>) {
        self.read += 1;
        if !is_right {
            self.wrong += 1;
            say(&format!(
                "web {} {}: WRONG: user {id} reads as {name:?}",
                self.release.version(),
                self.instance
            ));
        }
    }

    fn report(&self, what: &str) {
        say(&format!(
            "web {} {} {what}: {} users written, {} names read, {} wrong, {} errors",
            self.release.version(),
            self.instance,
            self.sold,
            self.read,
            self.wrong,
            self.errors
        ));
    }
}

/// Prints a line. A reader that went away is no reason to stop selling.
fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}
