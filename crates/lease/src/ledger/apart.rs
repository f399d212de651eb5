//! A ledger in a database of its own, on the server of the application's (MySQL, MariaDB: docs/grants.md says what it is for).
//!
//! Each of the two databases says so. The ledger names the application's database in the third row of its `meta`, where others
//! record their schemas. The application's database holds a mark: a table that is called as the ledger's own first one would be,
//! whose format no program reads as that of a ledger. So earlier builds, and commands that have not been told, find no place
//! to begin a second ledger, and are refused.
//!
//! Invariant: of one application's database there is one ledger. The mark is there before the ledger is, and it is not replaced.

use super::{LedgerError, columns, place};
use crate::database::{Access, Apart, Call, Capabilities, Connection, DatabaseError, ErrorKind};

/// What stands in the mark instead of a format: far above any, so that each build refuses it.
pub(super) const MARK: i64 = 1000;

/// What the application's database says about where its ledger is.
#[derive(Debug, PartialEq, Eq)]
enum Mark {
    Absent,
    /// This user may not look. Then the ledger alone says whose it is.
    Hidden,
    /// The ledger is being made, or was about to be.
    Begun,
    /// It has been made.
    Made,
    /// It is in a database of another name.
    Other(String),
    /// It is in the application's database itself.
    Within,
}

/// Makes sure that the ledger that was read tells of this application's database, and that this one knows of no other.
/// In an open transaction; `recorded` is what the third row of `meta` holds.
pub(super) async fn is_of_here(
    connection: &mut dyn Connection,
    apart: &Apart,
    recorded: Option<&str>,
) -> Result<(), LedgerError> {
    tells_of(apart, recorded)?;
    let mark = read(connection, apart).await?;
    agreed(apart, mark).map(drop)
}

/// Refuses a ledger that tells of another database.
pub(super) fn tells_of(apart: &Apart, recorded: Option<&str>) -> Result<(), LedgerError> {
    if recorded == Some(apart.application.as_str()) {
        return Ok(());
    }
    Err(LedgerError::NotOfHere {
        ledger: apart.ledger.clone(),
        application: apart.application.clone(),
        of: recorded.map(ToOwned::to_owned),
    })
}

/// What it means that the ledger's first table cannot be read.
pub(super) fn explained(capabilities: &Capabilities, error: DatabaseError) -> LedgerError {
    match &capabilities.apart {
        // Who has no right there is not told whether it is there.
        Some(apart) if error.kind == ErrorKind::Permission => LedgerError::NoPlace {
            ledger: apart.ledger.clone(),
            create: apart.create.clone(),
            why: error.message,
        },
        _ => error.into(),
    }
}

/// Makes sure that there may be none yet, where none was found. In an open transaction.
pub(super) async fn may_be_missing(
    connection: &mut dyn Connection,
    apart: &Apart,
) -> Result<(), LedgerError> {
    let mark = read(connection, apart).await?;
    match agreed(apart, mark)? {
        Mark::Made => Err(LedgerError::Lost {
            ledger: apart.ledger.clone(),
            application: apart.application.clone(),
        }),
        _ => Ok(()),
    }
}

/// Refuses what contradicts the project.
fn agreed(apart: &Apart, mark: Mark) -> Result<Mark, LedgerError> {
    match mark {
        Mark::Within => Err(LedgerError::Within {
            ledger: apart.ledger.clone(),
            application: apart.application.clone(),
        }),
        Mark::Other(name) => Err(LedgerError::Apart(name)),
        agrees => Ok(agrees),
    }
}

async fn read(connection: &mut dyn Connection, apart: &Apart) -> Result<Mark, LedgerError> {
    let sql = format!(
        "SELECT format, events, head FROM {}meta WHERE id = 1",
        apart.beside
    );
    let rows = match connection.query(&sql, &[]).await {
        Ok(rows) => rows,
        Err(error) if error.kind == ErrorKind::NoTable => return Ok(Mark::Absent),
        Err(error) if error.kind == ErrorKind::Permission => return Ok(Mark::Hidden),
        Err(error) => return Err(error.into()),
    };
    let row = super::first(&rows)?;
    Ok(match (row.int(0)?, row.int(1)?, row.text(2)?) {
        (MARK, made, name) if name == apart.ledger => match made {
            0 => Mark::Begun,
            _ => Mark::Made,
        },
        (MARK, _, name) => Mark::Other(name.to_owned()),
        _ => Mark::Within,
    })
}

/// Puts the mark into the application's database and makes the database of the ledger, where that is missing.
pub(super) async fn prepare(connection: &mut dyn Connection) -> Result<(), LedgerError> {
    let capabilities = connection.capabilities();
    let Some(apart) = &capabilities.apart else {
        return Ok(());
    };
    make_mark(connection, apart).await?;
    crate::crash::point("ledger.marked");
    match connection.run_own(&apart.create, columns::WAIT).await {
        Ok(_) => Ok(()),
        Err(error) if error.kind != ErrorKind::Permission => Err(error.into()),
        // A user who may make no databases may use one that is there.
        Err(error) => {
            connection.begin(Access::Read).await?;
            let there = exists(connection, &apart.ledger).await;
            connection.rollback().await?;
            match there? {
                true => Ok(()),
                false => Err(explained(&capabilities, error)),
            }
        }
    }
}

async fn exists(connection: &mut dyn Connection, database: &str) -> Result<bool, LedgerError> {
    let sql = "SELECT count(*) FROM information_schema.schemata WHERE schema_name = ?";
    let rows = connection.query(sql, &[database.into()]).await?;
    Ok(super::first(&rows)?.int(0)? > 0)
}

/// It is made whole under another name, and appears with its own at once; unless something of this name is there.
async fn make_mark(connection: &mut dyn Connection, apart: &Apart) -> Result<(), LedgerError> {
    connection.begin(Access::Read).await?;
    let found = read(connection, apart).await;
    connection.rollback().await?;
    match agreed(apart, found?)? {
        Mark::Absent | Mark::Hidden => {}
        _ => return Ok(()),
    }
    let beside = &apart.beside;
    let capabilities = connection.capabilities();
    let table = format!(
        "CREATE TABLE IF NOT EXISTS {beside}mark (id {} PRIMARY KEY, format BIGINT NOT NULL, events BIGINT NOT NULL, head {} NOT NULL)",
        capabilities.key_int, capabilities.key_text
    );
    let table = table + capabilities.table_options;
    connection.run_own(&table, columns::WAIT).await?;
    connection.begin(Access::Write).await?;
    let clear = format!("DELETE FROM {beside}mark");
    let fill =
        format!("INSERT INTO {beside}mark (id, format, events, head) VALUES (1, {MARK}, 0, ?)");
    let calls = [
        Call::new(clear, &[]),
        Call::new(fill, &[apart.ledger.as_str().into()]),
    ];
    connection.commit_with(&calls).await?;
    let rename = format!("RENAME TABLE {beside}mark TO {beside}meta");
    let appeared = connection.run_own(&rename, columns::WAIT).await;
    if let Err(error) = appeared {
        // Somebody else was faster: whoever made the same mark, or a ledger.
        connection.begin(Access::Read).await?;
        let found = read(connection, apart).await;
        connection.rollback().await?;
        return match agreed(apart, found?)? {
            Mark::Begun | Mark::Made => Ok(()),
            _ => Err(error.into()),
        };
    }
    Ok(())
}

/// What the ledger says about whose it is: it appears together with the ledger.
pub(super) fn row(apart: &Apart) -> String {
    format!(
        "{}, 0, 0, '{}'",
        place::SCHEMAS,
        apart.application.replace('\\', "\\\\").replace('\'', "''")
    )
}

/// Has the mark say that the ledger has been made: from now on it is missed where it is not there. A mark that somebody has
/// dropped is put up again.
pub(super) async fn finish(connection: &mut dyn Connection) -> Result<(), LedgerError> {
    let capabilities = connection.capabilities();
    let Some(apart) = &capabilities.apart else {
        return Ok(());
    };
    connection.begin(Access::Read).await?;
    let found = read(connection, apart).await;
    connection.rollback().await?;
    match agreed(apart, found?)? {
        Mark::Made => return Ok(()),
        Mark::Absent => make_mark(connection, apart).await?,
        _ => {}
    }
    let sql = format!(
        "UPDATE {}meta SET events = 1 WHERE id = 1 AND format = {MARK}",
        apart.beside
    );
    connection.begin(Access::Write).await?;
    Ok(connection.commit_with(&[Call::new(sql, &[])]).await?)
}

/// The mark itself, where it is read by whoever has not been told that the ledger is elsewhere.
pub(super) fn unless_mark(format: i64, head: &str) -> Result<(), LedgerError> {
    if format == MARK {
        return Err(LedgerError::Apart(head.to_owned()));
    }
    Ok(())
}
