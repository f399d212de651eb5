//! What the database refuses to record: values that make no sense, whoever writes them.
//!
//! Instances may write a part of the ledger. What they write is read with care, and refused here so that it need not be. A
//! ledger of before gets these checks from the first command that acts, as it gets columns: see [`super::columns`].
//!
//! Invariant: what an agent of an earlier build writes passes, and a row that breaks a check stops no command.

use super::tables;
use crate::database::{Access, Connection, DatabaseError, ErrorKind};

/// What must hold of each row of a table.
struct Check {
    table: &'static str,
    name: &'static str,
    /// An expression that every database understands.
    holds: &'static str,
}

/// Every one, in the order in which they came: new ones go to the end, because how many of them a ledger has is recorded.
const CHECKS: &[Check] = &[
    Check {
        table: "leases",
        name: "phasegate_leases_sane",
        holds: "state BETWEEN 0 AND 2 AND registered_at BETWEEN 0 AND 4503599627370496 \
            AND renewed_at BETWEEN 0 AND 4503599627370496 AND renew_ms BETWEEN 1 AND 4503599627370496 \
            AND expires_at BETWEEN 0 AND 4503599627370496 \
            AND length(service) <= 1024 AND length(version) <= 1024 AND length(instance) <= 4096",
    },
    Check {
        table: "sightings",
        name: "phasegate_sightings_sane",
        holds: "first_seen_at BETWEEN 0 AND 4503599627370496 AND last_seen_at BETWEEN 0 AND 4503599627370496 \
            AND seq BETWEEN 0 AND 4503599627370496 AND length(service) <= 1024 AND length(version) <= 1024",
    },
    Check {
        table: "arrivals",
        name: "phasegate_arrivals_sane",
        // As long as a list of more versions than are believed.
        holds: "seq BETWEEN 0 AND 4503599627370496 AND length(live) <= 16777216 AND length(strays) <= 16777216",
    },
    Check {
        table: "admission",
        name: "phasegate_admission_sane",
        holds: "id = 1 AND seq BETWEEN 0 AND 4503599627370496",
    },
    Check {
        table: "sightings",
        name: "phasegate_sightings_short",
        holds: "coalesce(length(placed), 0) <= 1024",
    },
    Check {
        table: "arrivals",
        name: "phasegate_arrivals_short",
        holds: "length(live) <= 1048576 AND length(strays) <= 1048576",
    },
    Check {
        table: "leases",
        name: "phasegate_leases_short",
        holds: "length(id) <= 1024",
    },
];

/// What makes rows of a ledger of before pass one of them, where nothing is lost by it.
const MADE_TO_PASS: &[(&str, &str)] = &[
    (
        "phasegate_sightings_short",
        "UPDATE {sightings} SET placed = NULL WHERE {octets}(placed) > 1024",
    ),
    (
        "phasegate_arrivals_short",
        // Whoever was ever there, as [`super::arrivals`] reads it, which is more than any list can say.
        "UPDATE {arrivals} SET live = 'everybody', strays = 'everybody' WHERE {octets}(live) > 1048576 OR {octets}(strays) > 1048576",
    ),
];

/// How many of them a ledger has, in the second row of `meta`, where [`super::columns`] has the number of its own.
pub(super) const LEVEL: &str = "coalesce((SELECT events FROM {meta} WHERE id = 2), 0)";

/// How many there are.
pub(super) const fn count() -> usize {
    CHECKS.len()
}

/// The checks of a table that is made now, after its columns.
pub(super) fn of_new(table: &str) -> String {
    let checks = CHECKS.iter().filter(|check| check.table == table);
    checks
        .map(|check| format!(", CONSTRAINT {} CHECK ({})", check.name, check.holds))
        .collect()
}

/// Adds what a ledger lacks of which `level` checks are recorded. What cannot be added now, the next command tries again.
pub(super) async fn add(connection: &mut dyn Connection, level: i64) -> Result<(), DatabaseError> {
    let known = usize::try_from(level).unwrap_or(0);
    let mut are_all_there = true;
    for check in CHECKS.iter().skip(known) {
        if let Err(error) = add_one(connection, check).await {
            connection.rollback().await?;
            if error.kind == ErrorKind::Interrupted || error.kind == ErrorKind::Unreachable {
                return Err(error);
            }
            are_all_there = false;
            tracing::warn!(
                "the ledger of an earlier version could not be told to refuse senseless rows of {} (the next command tries \
                 again; `migrate fleet` names such rows, and `migrate fleet forget` ends them): {error}",
                check.table
            );
        }
    }
    if are_all_there && known < CHECKS.len() {
        record(connection).await?;
    }
    Ok(())
}

async fn add_one(connection: &mut dyn Connection, check: &Check) -> Result<(), DatabaseError> {
    let capabilities = connection.capabilities();
    let how = &capabilities.add_check;
    let put = |sql: &str| {
        sql.replace("{table}", &format!("{{{}}}", check.table))
            .replace("{bare}", check.table)
            .replace("{name}", check.name)
            .replace("{check}", check.holds)
    };
    if !exists(connection, &put(&how.exists)).await? {
        for (_, sql) in MADE_TO_PASS.iter().filter(|(name, _)| *name == check.name) {
            connection.begin(Access::Write).await?;
            let sql = tables::render(&capabilities, sql);
            connection.execute(&sql, &[]).await?;
            connection.commit().await?;
        }
        let added = super::columns::alter(connection, &put(how.add)).await;
        if let Err(error) = added {
            connection.rollback().await?;
            // Somebody else may have been faster.
            if !exists(connection, &put(&how.exists)).await? {
                return Err(error);
            }
        }
        crate::crash::point("ledger.check");
    }
    let Some(validate) = how.validate else {
        return Ok(());
    };
    // New rows are checked all the same, so what is there may be as it is.
    if let Err(error) = super::columns::alter(connection, &put(validate)).await {
        connection.rollback().await?;
        if error.kind == ErrorKind::Interrupted || error.kind == ErrorKind::Unreachable {
            return Err(error);
        }
        tracing::warn!(
            "{} holds rows that make no sense; `migrate fleet` names them: {error}",
            check.table
        );
    }
    Ok(())
}

async fn exists(connection: &mut dyn Connection, sql: &str) -> Result<bool, DatabaseError> {
    connection.begin(Access::Read).await?;
    let sql = tables::render(&connection.capabilities(), sql);
    let rows = connection.query(&sql, &[]).await;
    connection.rollback().await?;
    Ok(rows?.first().map(|row| row.int(0)).transpose()? != Some(0))
}

/// Records that the ledger has all of them. Somebody who knows more of them may have been faster.
async fn record(connection: &mut dyn Connection) -> Result<(), DatabaseError> {
    let level = CHECKS.len();
    connection.begin(Access::Write).await?;
    let sql = format!("UPDATE {{meta}} SET events = {level} WHERE id = 2 AND events < {level}");
    let sql = tables::render(&connection.capabilities(), &sql);
    connection.execute(&sql, &[]).await?;
    connection.commit().await
}
