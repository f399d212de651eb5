//! Columns that came later than the tables that they are in.
//!
//! The first command that acts adds them to a ledger of before. Until then, and wherever nobody may alter the tables, the
//! ledger is read as if each of its rows held the default: see [`Columns`]. Agents of an earlier build go on beside
//! all that: they name their columns, so what they write holds the default as well.
//!
//! Invariant: what a default leads to is never less strict than what was concluded before there was the column.

use super::{Ledger, LedgerError, tables};
use crate::database::{Access, Connection, DatabaseError, Ddl, ErrorKind, LockTimeout};

/// A column that came later.
pub(super) struct Added {
    pub(super) table: &'static str,
    pub(super) name: &'static str,
    pub(super) kind: &'static str,
    /// What rows hold that were there before, and those that are read where there is no such column: a constant.
    absent: &'static str,
    /// What new rows hold where nobody names the column: an expression, which the server evaluates for whoever writes.
    default: &'static str,
}

/// Every one, in the order in which they came: new ones go to the end, because how many of them a ledger has is recorded.
pub(super) const ADDED: &[Added] = &[
    // The address from which an instance registered, and the user that it was, as the server knows them. Nobody
    // writes them: they are what the server says, and an instance needs no right to say something else.
    Added {
        table: "leases",
        name: "address",
        kind: "{key_text} NOT NULL",
        absent: "''",
        default: "{client_address}",
    },
    Added {
        table: "leases",
        name: "written_by",
        kind: "{key_text} NOT NULL",
        absent: "''",
        default: "{client_user}",
    },
    // 1 where the holder has found that the address is one of its own machine, and not that of a pooler between.
    Added {
        table: "leases",
        name: "own_address",
        kind: "BIGINT NOT NULL",
        absent: "0",
        default: "0",
    },
    Added {
        table: "leases",
        name: "session_name",
        kind: "{key_text} NOT NULL",
        absent: "''",
        default: "''",
    },
    // 1 where the same instance has registered once more since: this lease counts until it ends, and proves nothing.
    Added {
        table: "leases",
        name: "superseded",
        kind: "BIGINT NOT NULL",
        absent: "0",
        default: "0",
    },
    // The sessions in which an instance registered and renewed last, where sessions are numbered in order.
    Added {
        table: "leases",
        name: "registered_session",
        kind: "BIGINT NOT NULL",
        absent: "0",
        default: "{client_session}",
    },
    Added {
        table: "leases",
        name: "keeper_session",
        kind: "BIGINT NOT NULL",
        absent: "0",
        default: "{client_session}",
    },
];

/// How many of [`ADDED`] a ledger has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Columns(usize);

impl Columns {
    pub(super) fn new(level: i64) -> Self {
        Self(usize::try_from(level).unwrap_or(0))
    }

    /// Whether the ledger has this column.
    pub(super) fn has(self, table: &str, name: &str) -> bool {
        position(table, name).is_some_and(|at| at < self.0)
    }

    /// What stands for the column in a query of its table: its name or, where there is none, its value.
    pub(super) fn expression(self, table: &str, name: &'static str) -> &'static str {
        match position(table, name) {
            Some(at) if at >= self.0 => ADDED.get(at).map_or(name, |column| column.absent),
            _ => name,
        }
    }
}

fn position(table: &str, name: &str) -> Option<usize> {
    ADDED
        .iter()
        .position(|column| (column.table, column.name) == (table, name))
}

/// The second row of `meta` says how many of them there are. Earlier builds look at the first one alone.
pub(super) const LEVEL: &str = "coalesce((SELECT format FROM {meta} WHERE id = 2), 0)";

/// The columns of a table that is made now, with those that came later; a key of several columns stays at the end.
pub(super) fn with_added(table: &str, columns: &str) -> String {
    let added: String = ADDED
        .iter()
        .filter(|column| column.table == table.trim_end_matches("_new"))
        .map(|column| {
            format!(
                ", {} {} DEFAULT ({})",
                column.name, column.kind, column.default
            )
        })
        .collect();
    match columns.split_once(", PRIMARY KEY (") {
        Some((columns, key)) => format!("{columns}{added}, PRIMARY KEY ({key}"),
        None => format!("{columns}{added}"),
    }
}

impl Ledger<'_> {
    /// Which of the columns that came later this ledger has.
    pub(super) async fn columns(&mut self) -> Result<Columns, LedgerError> {
        if let Some(columns) = self.columns {
            return Ok(columns);
        }
        let rows = self.query(&format!("SELECT {LEVEL}"), &[]).await?;
        let columns = Columns::new(super::first(&rows)?.int(0)?);
        self.columns = Some(columns);
        Ok(columns)
    }
}

/// How long adding a column may keep the renewals of instances waiting, which queue behind it where it has to wait itself.
pub(super) const WAIT: LockTimeout = LockTimeout(std::time::Duration::from_secs(2));

/// Adds what a ledger lacks of which `level` columns are recorded. Where that cannot be done now, the next command tries again.
pub(super) async fn add(connection: &mut dyn Connection, level: i64) -> Result<(), DatabaseError> {
    let known = usize::try_from(level).unwrap_or(0);
    for column in ADDED.iter().skip(known) {
        if let Err(error) = add_one(connection, column).await {
            connection.rollback().await?;
            if !matches!(
                error.kind,
                ErrorKind::Locked
                    | ErrorKind::Timeout
                    | ErrorKind::Conflict
                    | ErrorKind::Permission
            ) {
                return Err(error);
            }
            tracing::warn!(
                "the ledger of an earlier version could not get the column {}.{} (the next command tries again): {error}",
                column.table,
                column.name
            );
            return Ok(());
        }
    }
    if known < ADDED.len() {
        record(connection).await?;
    }
    Ok(())
}

async fn exists(connection: &mut dyn Connection, column: &Added) -> Result<bool, DatabaseError> {
    connection.begin(Access::Read).await?;
    let sql = format!(
        "SELECT {} FROM {{{}}} WHERE 1 = 0",
        column.name, column.table
    );
    let sql = tables::render(&connection.capabilities(), &sql);
    let found = connection.query(&sql, &[]).await;
    connection.rollback().await?;
    match found {
        Ok(_) => Ok(true),
        Err(error) if error.kind == ErrorKind::Statement => Ok(false),
        Err(error) => Err(error),
    }
}

/// Adds a column where it is missing: it holds a constant in the rows that are there, which takes no time, and gets its
/// default for new ones afterwards, whoever has added it and wherever they were interrupted.
async fn add_one(connection: &mut dyn Connection, column: &Added) -> Result<(), DatabaseError> {
    let Added {
        table,
        name,
        kind,
        absent,
        default,
    } = column;
    if !exists(connection, column).await? {
        let sql = format!("ALTER TABLE {{{table}}} ADD COLUMN {name} {kind} DEFAULT {absent}");
        if let Err(error) = alter(connection, &sql).await {
            connection.rollback().await?;
            // Somebody else may have been faster.
            if !exists(connection, column).await? {
                return Err(error);
            }
        }
        crate::crash::point("ledger.column");
    }
    if tables::render(&connection.capabilities(), default) == *absent {
        return Ok(());
    }
    let sql = format!("ALTER TABLE {{{table}}} ALTER COLUMN {name} SET DEFAULT ({default})");
    alter(connection, &sql).await
}

pub(super) async fn alter(connection: &mut dyn Connection, sql: &str) -> Result<(), DatabaseError> {
    let capabilities = connection.capabilities();
    let sql = tables::render(&capabilities, sql);
    match capabilities.ddl {
        Ddl::Transactional => {
            connection.begin(Access::Write).await?;
            connection.limit_lock_waits(WAIT).await?;
            connection.execute(&sql, &[]).await?;
            connection.commit().await
        }
        Ddl::CommitsImplicitly => connection.run_own(&sql, WAIT).await,
    }
}

/// Records that the ledger has all of them. Somebody who knows more of them may have been faster.
async fn record(connection: &mut dyn Connection) -> Result<(), DatabaseError> {
    let level = ADDED.len();
    connection.begin(Access::Write).await?;
    for sql in [
        format!("UPDATE {{meta}} SET format = {level} WHERE id = 2 AND format < {level}"),
        format!(
            "INSERT INTO {{meta}} (id, format, events, head) SELECT {} FROM (SELECT 1) AS one \
             WHERE NOT EXISTS (SELECT 1 FROM {{meta}} WHERE id = 2)",
            row_of_before()
        ),
    ] {
        let sql = tables::render(&connection.capabilities(), &sql);
        connection.execute(&sql, &[]).await?;
    }
    connection.commit().await
}

/// The values of the second row of `meta`, in a ledger that had none.
fn row_of_before() -> String {
    format!("2, {}, 0, ''", ADDED.len())
}

/// The values of the second row of `meta`, in a ledger that is made now.
pub(super) fn row() -> String {
    format!("2, {}, {}, ''", ADDED.len(), super::checks::count())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_of_several_columns_stays_at_the_end() {
        let made = with_added("leases", "a BIGINT, b BIGINT, PRIMARY KEY (a, b)");
        assert!(made.starts_with("a BIGINT, b BIGINT, address "), "{made}");
        assert!(made.ends_with(", PRIMARY KEY (a, b)"), "{made}");
        assert_eq!(with_added("events", "a BIGINT"), "a BIGINT");
    }

    #[test]
    fn what_a_ledger_lacks_is_read_as_its_constant() {
        assert_eq!(Columns::new(0).expression("leases", "address"), "''");
        assert_eq!(Columns::new(1).expression("leases", "address"), "address");
        assert_eq!(Columns::new(1).expression("leases", "written_by"), "''");
        assert_eq!(Columns::new(0).expression("leases", "version"), "version");
        assert!(Columns::new(99).has("leases", "own_address"));
        assert!(!Columns::new(2).has("leases", "own_address"));
    }
}
