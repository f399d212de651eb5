//! The databases, by the SQL that they read.

/// The database a script is written for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub enum Dialect {
    Sqlite,
    Postgres,
    /// MySQL and MariaDB.
    Mysql,
}

/// What a change of the schema does to the transaction around it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ddl {
    /// It is a part of it.
    Transactional,
    /// It ends it: what came before is committed.
    CommitsImplicitly,
}

impl Dialect {
    pub const ALL: &[Dialect] = &[Dialect::Sqlite, Dialect::Postgres, Dialect::Mysql];

    /// The word for it in file names (`expand.postgres.sql`) and messages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Dialect::Sqlite => "sqlite",
            Dialect::Postgres => "postgres",
            Dialect::Mysql => "mysql",
        }
    }

    /// How people write it.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Dialect::Sqlite => "SQLite",
            Dialect::Postgres => "PostgreSQL",
            Dialect::Mysql => "MySQL",
        }
    }

    /// Whether two unquoted names mean the same object: SQLite ignores the case of ASCII letters.
    #[must_use]
    pub fn same_name(self, a: &str, b: &str) -> bool {
        match self {
            Dialect::Sqlite => a.eq_ignore_ascii_case(b),
            Dialect::Postgres | Dialect::Mysql => a == b,
        }
    }

    /// As [`Dialect::same_name`], for what can only be said too often: a server may or may not mind the case of a
    /// table's name.
    pub fn may_be_same_name(self, a: &str, b: &str) -> bool {
        match self {
            Dialect::Postgres => a == b,
            Dialect::Sqlite | Dialect::Mysql => a.eq_ignore_ascii_case(b),
        }
    }
}
