//! SQL run directly, past the code under test, with every value as text.

use std::future::Future;
use std::sync::LazyLock;

use futures_util::TryStreamExt;
use sqlx::{AssertSqlSafe, Connection as _, Either, Row as _, TypeInfo as _, ValueRef as _};

/// Rows of columns, as text: NULL is `NULL`, a boolean `1` or `0`, bytes `\x0aff` on every database.
pub type Rows = Vec<Vec<String>>;

/// Runs a future to its end. Tests are plain functions; those that use the library's async API come through here too.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    static RUNTIME: LazyLock<tokio::runtime::Runtime> = LazyLock::new(|| {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("a runtime for the tests")
    });
    RUNTIME.block_on(future)
}

/// One open session, of whichever database.
pub trait Session: Send {
    /// Runs one or several statements and answers the rows affected and the rows returned, of all of them.
    fn run(&mut self, sql: &str) -> Result<(u64, Rows), sqlx::Error>;
}

/// One session that stays open: for transactions and locks held across steps of a test.
pub struct Connection {
    session: Box<dyn Session>,
}

impl Connection {
    pub fn new(session: Box<dyn Session>) -> Self {
        Self { session }
    }

    /// Runs one or several statements; the number of rows affected.
    #[track_caller]
    pub fn execute(&mut self, sql: &str) -> u64 {
        match self.session.run(sql) {
            Ok((affected, _)) => affected,
            Err(error) => panic!("{error}\n  in: {sql}"),
        }
    }

    /// The rows that one statement returns.
    #[track_caller]
    pub fn query(&mut self, sql: &str) -> Rows {
        match self.session.run(sql) {
            Ok((_, rows)) => rows,
            Err(error) => panic!("{error}\n  in: {sql}"),
        }
    }

    /// As [`Self::execute`], for statements whose refusal is the point.
    pub fn try_execute(&mut self, sql: &str) -> Result<u64, sqlx::Error> {
        self.session.run(sql).map(|(affected, _)| affected)
    }
}

pub struct SqliteSession(Option<sqlx::SqliteConnection>);

impl SqliteSession {
    pub fn open(options: &sqlx::sqlite::SqliteConnectOptions) -> Result<Self, sqlx::Error> {
        block_on(sqlx::SqliteConnection::connect_with(options))
            .map(|connection| Self(Some(connection)))
    }
}

impl Drop for SqliteSession {
    fn drop(&mut self) {
        // Its worker thread closes a merely dropped connection some time later; until then, its locks would stand.
        if let Some(connection) = self.0.take() {
            // Nothing hangs on the answer: the file is locked by nobody either way.
            let _ = block_on(connection.close());
        }
    }
}

impl Session for SqliteSession {
    fn run(&mut self, sql: &str) -> Result<(u64, Rows), sqlx::Error> {
        block_on(async {
            let connection = self
                .0
                .as_mut()
                .expect("a connection is there until it is dropped");
            let mut stream = sqlx::raw_sql(AssertSqlSafe(sql)).fetch_many(connection);
            let (mut affected, mut rows) = (0, Rows::new());
            while let Some(item) = stream.try_next().await? {
                match item {
                    Either::Left(result) => affected += result.rows_affected(),
                    Either::Right(row) => {
                        rows.push(
                            (0..row.len())
                                .map(|at| sqlite_text(&row, at))
                                .collect::<Result<_, _>>()?,
                        );
                    }
                }
            }
            Ok((affected, rows))
        })
    }
}

fn sqlite_text(row: &sqlx::sqlite::SqliteRow, at: usize) -> Result<String, sqlx::Error> {
    let value = row.try_get_raw(at)?;
    if value.is_null() {
        return Ok("NULL".to_owned());
    }
    // The type of the value itself, not of its column: in SQLite each row may differ.
    let name = value.type_info().name().to_owned();
    Ok(match name.as_str() {
        "INTEGER" => row.try_get_unchecked::<i64, _>(at)?.to_string(),
        "REAL" => format!("{:?}", row.try_get_unchecked::<f64, _>(at)?),
        "BLOB" => hexadecimal(&row.try_get_unchecked::<Vec<u8>, _>(at)?),
        _ => row.try_get_unchecked::<String, _>(at)?,
    })
}

pub struct PostgresSession(sqlx::PgConnection);

/// How the sessions of the tests themselves are called, so that they are told from those of whom is tested: on PostgreSQL by
/// their name, and on MariaDB, where sessions have none, by their user.
pub const TESTS: &str = "phasegate-tests";

impl PostgresSession {
    pub fn open(url: &str) -> Result<Self, sqlx::Error> {
        let options: sqlx::postgres::PgConnectOptions = url.parse()?;
        let options = match options.get_application_name() {
            Some(_) => options,
            None => options.application_name(TESTS),
        };
        block_on(sqlx::PgConnection::connect_with(&options)).map(Self)
    }

    /// As an application opens it that knows nothing of all this.
    pub fn open_plain(url: &str) -> Result<Self, sqlx::Error> {
        let options: sqlx::postgres::PgConnectOptions = url.parse()?;
        // A parameter that poolers do not know.
        let options = options.extra_float_digits(None);
        block_on(sqlx::PgConnection::connect_with(&options)).map(Self)
    }
}

impl Session for PostgresSession {
    fn run(&mut self, sql: &str) -> Result<(u64, Rows), sqlx::Error> {
        block_on(async {
            let mut stream = sqlx::raw_sql(AssertSqlSafe(sql)).fetch_many(&mut self.0);
            let (mut affected, mut rows) = (0, Rows::new());
            while let Some(item) = stream.try_next().await? {
                match item {
                    Either::Left(result) => affected += result.rows_affected(),
                    Either::Right(row) => {
                        rows.push(
                            (0..row.len())
                                .map(|at| postgres_text(&row, at))
                                .collect::<Result<_, _>>()?,
                        );
                    }
                }
            }
            Ok((affected, rows))
        })
    }
}

fn postgres_text(row: &sqlx::postgres::PgRow, at: usize) -> Result<String, sqlx::Error> {
    let value = row.try_get_raw(at)?;
    if value.is_null() {
        return Ok("NULL".to_owned());
    }
    let boolean = value.type_info().name() == "BOOL";
    // The simple protocol, which `raw_sql` uses, answers every type as text.
    let text = value.as_str().map_err(sqlx::Error::Decode)?;
    Ok(match text {
        "t" if boolean => "1".to_owned(),
        "f" if boolean => "0".to_owned(),
        text => text.to_owned(),
    })
}

pub struct MysqlSession(sqlx::MySqlConnection);

impl MysqlSession {
    /// What is open to the administrator is open to the tests, as a user of their own.
    pub fn open(url: &str) -> Result<Self, sqlx::Error> {
        Self::open_plain(&url.replacen("://root@", &format!("://{TESTS}@"), 1))
    }

    /// As an application opens it that knows nothing of all this.
    pub fn open_plain(url: &str) -> Result<Self, sqlx::Error> {
        let options = url
            .parse::<sqlx::mysql::MySqlConnectOptions>()?
            .pipes_as_concat(false)
            .no_engine_substitution(false)
            .timezone(None::<String>);
        block_on(sqlx::MySqlConnection::connect_with(&options)).map(Self)
    }
}

impl Session for MysqlSession {
    fn run(&mut self, sql: &str) -> Result<(u64, Rows), sqlx::Error> {
        block_on(async {
            let mut stream = sqlx::raw_sql(AssertSqlSafe(sql)).fetch_many(&mut self.0);
            let (mut affected, mut rows) = (0, Rows::new());
            while let Some(item) = stream.try_next().await? {
                match item {
                    Either::Left(result) => affected += result.rows_affected(),
                    Either::Right(row) => {
                        rows.push(
                            (0..row.len())
                                .map(|at| mysql_text(&row, at))
                                .collect::<Result<_, _>>()?,
                        );
                    }
                }
            }
            Ok((affected, rows))
        })
    }
}

fn mysql_text(row: &sqlx::mysql::MySqlRow, at: usize) -> Result<String, sqlx::Error> {
    if row.try_get_raw(at)?.is_null() {
        return Ok("NULL".to_owned());
    }
    // The text protocol, which `raw_sql` uses, answers every type as text.
    row.try_get_unchecked::<String, _>(at).or_else(|_| {
        row.try_get_unchecked::<Vec<u8>, _>(at)
            .map(|bytes| hexadecimal(&bytes))
    })
}

fn hexadecimal(bytes: &[u8]) -> String {
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("\\x{digits}")
}
