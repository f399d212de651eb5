//! The databases that every scenario runs on. A new one is a file beside `sqlite_backend.rs` and one row in the table below.

use std::any::Any;

use super::connection::{Connection, Rows, Session};
use super::{mysql_backend, postgres_backend, sqlite_backend, took};

/// A database that the tests run on. Differences that a scenario has to know travel as data.
pub struct Backend {
    /// The word in file names (`expand.sqlite.sql`) and in the names of tests.
    pub name: &'static str,
    /// The type of a generated integer primary key: `CREATE TABLE t (id {key}, …)`.
    pub key: &'static str,
    /// What stands before the name of each of the ledger's tables.
    pub ledger_prefix: &'static str,
    /// Whether a failed migration file leaves nothing behind.
    pub transactional_ddl: bool,
    /// Makes an empty database.
    pub fresh: fn() -> Fresh,
    /// Makes a database that is equal to the one at this URL, which nobody has open.
    pub copy: fn(url: &str) -> Fresh,
    pub connect: fn(url: &str) -> Result<Box<dyn Session>, sqlx::Error>,
    /// As an application connects that knows nothing of the tests.
    pub connect_plainly: fn(url: &str) -> Result<Box<dyn Session>, sqlx::Error>,
    /// The catalogue and the rows as text, sorted, with or without the ledger's tables.
    pub dump: fn(&mut Connection, Ledger) -> String,
}

/// An empty database, and what has to live as long as it is used.
pub struct Fresh {
    pub url: String,
    pub keep: Box<dyn Any + Send + Sync>,
}

/// Whether a dump shows the tool's own tables.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Ledger {
    Included,
    Excluded,
}

macro_rules! backends {
    ($dollar:tt $($name:ident = $backend:expr;)+) => {
        pub const BACKENDS: &[Backend] = &[$($backend),+];

        /// A test that is written once and runs on every database: `scenario!(fn second_run_changes_nothing(db: Db) { … })`
        /// becomes `second_run_changes_nothing::sqlite`, `second_run_changes_nothing::postgres` and so on. `Db` needs no import.
        ///
        /// `insta::assert_snapshot!(value, @"…")` and `insta::assert_snapshot!("a_name", value)` work inside; the snapshot
        /// is then the same for every database. Where they rightly differ, put `db.backend.name` into the name.
        ///
        /// `scenario!(apart fn …)` runs a second time on MariaDB, with the ledger in a database of its own (`mysql_apart`).
        macro_rules! scenario {
            (apart $dollar(#[$dollar meta:meta])* fn $dollar name:ident($dollar db:ident: Db) $dollar body:block) => {
                scenario!(@with { mysql_apart = crate::support::backend::Db::apart(), } $dollar(#[$dollar meta])* fn $dollar name($dollar db) $dollar body);
            };
            ($dollar(#[$dollar meta:meta])* fn $dollar name:ident($dollar db:ident: Db) $dollar body:block) => {
                scenario!(@with {} $dollar(#[$dollar meta])* fn $dollar name($dollar db) $dollar body);
            };
            (@with { $dollar($dollar more:ident = $dollar made:expr,)* } $dollar(#[$dollar meta:meta])* fn $dollar name:ident($dollar db:ident) $dollar body:block) => {
                mod $dollar name {
                    #[allow(unused_imports, reason = "a scenario may need nothing of its file")]
                    use super::*;

                    fn scenario($dollar db: $dollar crate::support::backend::Db) $dollar body

                    $(
                        #[test]
                        $dollar(#[$dollar meta])*
                        fn $name() {
                            let db = $dollar crate::support::backend::Db::on(stringify!($name));
                            insta::allow_duplicates! { scenario(db) }
                        }
                    )+

                    $dollar(
                        #[test]
                        fn $dollar more() {
                            let db = $dollar made;
                            insta::allow_duplicates! { scenario(db) }
                        }
                    )*
                }
            };
        }
    };
}

backends! { $
    sqlite = sqlite_backend::BACKEND;
    postgres = postgres_backend::BACKEND;
    mysql = mysql_backend::BACKEND;
}

/// A database of one test. It is gone when this value is.
pub struct Db {
    pub backend: &'static Backend,
    pub url: String,
    keep: Box<dyn Any + Send + Sync>,
}

fn known(name: &str) -> &'static Backend {
    BACKENDS
        .iter()
        .find(|backend| backend.name == name)
        .unwrap_or_else(|| panic!("no backend is called {name}"))
}

impl Db {
    /// A fresh database of the backend with this name.
    pub fn on(backend: &str) -> Self {
        took::begins();
        let backend = known(backend);
        let Fresh { url, keep } = (backend.fresh)();
        Self { backend, url, keep }
    }

    /// A fresh database on MariaDB, whose ledger has a database of its own beside it.
    pub fn apart() -> Self {
        let Fresh { url, keep } = mysql_backend::fresh_apart();
        Self {
            backend: known("mysql"),
            url,
            keep,
        }
    }

    /// A database that is already there, for instance on a server of the test's own.
    pub fn at(backend: &str, url: impl Into<String>) -> Self {
        took::begins();
        Self {
            backend: known(backend),
            url: url.into(),
            keep: Box::new(()),
        }
    }

    /// Another database, equal to this one, which nobody may have open.
    #[track_caller]
    pub fn copy(&self) -> Self {
        let Fresh { url, keep } = (self.backend.copy)(&self.url);
        Self {
            backend: self.backend,
            url,
            keep,
        }
    }

    /// What the ledger calls its table: `db.ledger("events")`.
    pub fn ledger(&self, table: &str) -> String {
        match self.url.split_once("?ledger=") {
            Some((_, apart)) => format!("`{apart}`.{}{table}", self.backend.ledger_prefix),
            None => format!("{}{table}", self.backend.ledger_prefix),
        }
    }

    /// A session that stays open.
    #[track_caller]
    pub fn connect(&self) -> Connection {
        match (self.backend.connect)(&self.url) {
            Ok(session) => Connection::new(session),
            Err(error) => panic!("cannot connect to {}: {error}", self.url),
        }
    }

    /// A session that stays open, of an application that knows nothing of leases.
    #[track_caller]
    pub fn connect_plainly(&self) -> Connection {
        match (self.backend.connect_plainly)(&self.url) {
            Ok(session) => Connection::new(session),
            Err(error) => panic!("cannot connect to {}: {error}", self.url),
        }
    }

    /// Runs one or several statements in a session of their own; the number of rows affected.
    #[track_caller]
    pub fn execute(&self, sql: &str) -> u64 {
        self.connect().execute(sql)
    }

    /// The rows that one statement returns.
    #[track_caller]
    pub fn query(&self, sql: &str) -> Rows {
        self.connect().query(sql)
    }

    /// The first column of the first row.
    #[track_caller]
    pub fn value(&self, sql: &str) -> String {
        let rows = self.query(sql);
        match rows.first().and_then(|row| row.first()) {
            Some(value) => value.clone(),
            None => panic!("no row\n  in: {sql}"),
        }
    }

    /// As [`Self::execute`], for statements whose refusal is the point.
    #[track_caller]
    pub fn try_execute(&self, sql: &str) -> Result<u64, sqlx::Error> {
        self.connect().try_execute(sql)
    }

    /// Everything in the database, as text that is equal where schema and rows are.
    #[track_caller]
    pub fn dump(&self, ledger: Ledger) -> String {
        (self.backend.dump)(&mut self.connect(), ledger)
    }
}
