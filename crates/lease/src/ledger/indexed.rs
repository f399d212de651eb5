//! Indexes that came later than the leases that they are of.
//!
//! A ledger of before gets those that it lacks from the first command that acts, as it gets columns: see [`super::columns`].
//! Until then everything is answered alike, and takes longer.

use super::columns;
use super::indexes::{Index, all, count_of};
use crate::database::{Access, Connection, DatabaseError, Ddl, ErrorKind};

/// Adds what a ledger lacks that has so many of them. What cannot be added now, the next command tries again.
pub(super) async fn add(connection: &mut dyn Connection, found: i64) -> Result<(), DatabaseError> {
    let capabilities = connection.capabilities();
    let all = all(&capabilities);
    if usize::try_from(found).is_ok_and(|found| found >= all.len()) {
        return Ok(());
    }
    for index in all {
        if let Err(error) = add_one(connection, &index).await {
            connection.rollback().await?;
            if error.kind == ErrorKind::Interrupted || error.kind == ErrorKind::Unreachable {
                return Err(error);
            }
            tracing::warn!(
                "the ledger of an earlier version could not get the index {} (the next command tries again; without it, \
                 admissions beside many thousand instances take longer): {error}",
                index.name
            );
            return Ok(());
        }
    }
    Ok(())
}

async fn exists(connection: &mut dyn Connection, index: &Index) -> Result<bool, DatabaseError> {
    let sql = count_of(&connection.capabilities(), std::slice::from_ref(index));
    connection.begin(Access::Read).await?;
    let rows = connection.query(&sql, &[]).await;
    connection.rollback().await?;
    Ok(rows?.first().map(|row| row.int(0)).transpose()? != Some(0))
}

async fn add_one(connection: &mut dyn Connection, index: &Index) -> Result<(), DatabaseError> {
    if exists(connection, index).await? {
        return Ok(());
    }
    let capabilities = connection.capabilities();
    let sql = match capabilities.ddl {
        Ddl::Transactional => index.create(&capabilities),
        Ddl::CommitsImplicitly => {
            format!(
                "ALTER TABLE {{leases}} ADD INDEX {} {}",
                index.name, index.of
            )
        }
    };
    match columns::alter(connection, &sql).await {
        Ok(()) => Ok(()),
        Err(error) => {
            connection.rollback().await?;
            // Somebody else may have been faster.
            if exists(connection, index).await? {
                return Ok(());
            }
            Err(error)
        }
    }
}
