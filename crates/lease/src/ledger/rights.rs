//! Who else may write to the ledger's tables, where the database gives rights by itself to what somebody creates.
//!
//! Invariant: a table that is made here can be written by nobody but its owner until somebody grants that.

use crate::database::{Capabilities, Connection, DatabaseError};

/// The tables that instances, and readers that record, write with the grants of docs/grants.md.
const WRITTEN_BY_OTHERS: &[&str] = &[
    "admission",
    "arrivals",
    "leases",
    "looks",
    "seen",
    "sightings",
    "uses",
];

/// What one who is not the owner may be given, at most.
const READS: &str = "'SELECT'";
const WRITES: &str = "'SELECT', 'INSERT', 'UPDATE', 'DELETE'";

/// Takes back what others were given on tables that were made a moment ago. In the transaction that makes them.
pub(super) async fn take_back(
    connection: &mut dyn Connection,
    made: &[&str],
) -> Result<(), DatabaseError> {
    let capabilities = connection.capabilities();
    let Some(query) = query(&capabilities, made, READS) else {
        return Ok(());
    };
    for row in connection.query(&query, &[]).await? {
        connection.execute(row.text(0)?, &[]).await?;
    }
    Ok(())
}

/// Queries of the statements that take back what is more on these tables than docs/grants.md gives.
pub(super) fn beyond(
    capabilities: &Capabilities,
    tables: impl Iterator<Item = &'static str>,
) -> Vec<String> {
    let (others, own): (Vec<&str>, Vec<&str>) =
        tables.partition(|name| WRITTEN_BY_OTHERS.contains(name));
    [(own, READS), (others, WRITES)]
        .iter()
        .filter_map(|(names, may)| query(capabilities, names, may))
        .collect()
}

/// Says what they have found. It is the owner's to take back: somebody may have reasons.
pub(super) fn warn(statements: &[String]) {
    const SHOWN: usize = 6;
    if statements.is_empty() {
        return;
    }
    let more = match statements.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!(" (and {more} more)"),
    };
    let shown: Vec<&str> = statements.iter().take(SHOWN).map(String::as_str).collect();
    tracing::warn!(
        "the ledger can be written by roles that need not (docs/grants.md): {}{more}",
        shown.join("; ")
    );
}

fn query(capabilities: &Capabilities, tables: &[&str], may: &str) -> Option<String> {
    let names: Vec<String> = tables.iter().map(|name| format!("'{name}'")).collect();
    let query = capabilities.ledger_given?;
    (!names.is_empty()).then(|| {
        query
            .replace("{tables}", &names.join(", "))
            .replace("{may}", may)
    })
}
