//! What an admission has to know of the leases: which versions have one that has not ended, however many have.
//!
//! States, counts and names of instances take a look at each lease, and matter only where something blocks: then the whole is
//! asked for, at the same moment.

use super::arrivals::SELECT_NOTHING;
use super::groups::{LONGEST_LEASE_MS, SERVING};
use super::indexes::SENSELESS;
use super::{Ledger, LedgerError, View, first};
use crate::database::{ManyLeases, Senseless, Versions};

/// Counts rows that make no sense at this moment, and perhaps some others beside: an index leads to each.
pub(super) fn senseless(now: i64, how: Senseless) -> String {
    let latest = now.saturating_add(LONGEST_LEASE_MS);
    let conditions = match how {
        Senseless::OwnIndex => vec![SENSELESS.to_owned(), format!("expires_at > {latest}")],
        Senseless::ByColumn => vec![
            "state NOT BETWEEN 0 AND 2".to_owned(),
            format!("state IN (0, 1, 2) AND renew_ms NOT BETWEEN 1 AND {LONGEST_LEASE_MS}"),
            format!("renewed_at NOT BETWEEN 0 AND {latest}"),
            format!("registered_at NOT BETWEEN 0 AND {latest}"),
        ],
    };
    // Counted rather than looked for: a planner that expects many would read the table until it finds one.
    let counts: Vec<String> = conditions
        .iter()
        .map(|condition| format!("(SELECT count(*) FROM {{leases}} WHERE {condition})"))
        .collect();
    format!("SELECT {}", counts.join(" + "))
}

/// The versions that have a live lease, each once and as [`super::groups::read_leases`] reads them; where every row makes sense.
pub(super) fn versions(now: i64, how: Versions) -> String {
    let long_ago = now.saturating_sub(LONGEST_LEASE_MS);
    // In one expression, of which no planner expects that few rows satisfy it: then it would rather sort them all.
    let is_live = |of: &str| {
        format!(
            "CASE WHEN {of}expires_at > {now} AND {of}renewed_at > {long_ago} THEN 1 ELSE 0 END <> 0"
        )
    };
    let columns = format!("service, version, {SERVING}, 1, {now}");
    match how {
        Versions::Stepped => {
            let next = |condition: &str| {
                format!(
                    "(SELECT n.id FROM {{leases}} AS n WHERE {condition} AND {} ORDER BY n.service, n.version LIMIT 1)",
                    is_live("n.")
                )
            };
            // The steps come first in the last join and stay there: SQLite would go through all leases in the order of the answer.
            format!(
                "WITH RECURSIVE step (id) AS (\
                 SELECT (SELECT id FROM {{leases}} WHERE {} ORDER BY service, version LIMIT 1) UNION ALL \
                 SELECT coalesce({}, {}) FROM step JOIN {{leases}} AS l ON l.id = step.id) \
                 SELECT {columns} FROM step CROSS JOIN {{leases}} AS found WHERE found.id = step.id ORDER BY service, version",
                is_live(""),
                next("n.service = l.service AND n.version > l.version"),
                next("n.service > l.service"),
            )
        }
        Versions::Grouped => format!(
            "SELECT {columns} FROM (SELECT service, version FROM {{leases}} GROUP BY service, version) AS g \
             WHERE (SELECT 1 FROM {{leases}} AS l WHERE l.service = g.service AND l.version = g.version AND {} LIMIT 1) = 1 \
             ORDER BY service, version",
            is_live("l.")
        ),
    }
}

impl Ledger<'_> {
    /// As [`Ledger::view`], with one group for each version that has a live lease, as if one instance served: who they are,
    /// how many and what they do is not asked for. Where rows make no sense, each is judged by itself.
    ///
    /// # Errors
    /// As of [`Ledger::view`].
    pub async fn view_of_versions(&mut self) -> Result<View, LedgerError> {
        let now = self.as_of().await?;
        let capabilities = self.capabilities();
        let ManyLeases {
            versions: steps,
            senseless: odd,
            ..
        } = capabilities.many_leases;
        let nothing = || SELECT_NOTHING.to_owned();
        let leases = [
            versions(now, steps),
            senseless(now, odd),
            nothing(),
            nothing(),
        ];
        let (view, [odd, _, _]) = self.view_with(String::new(), leases).await?;
        if first(&odd)?.int(0)? > 0 {
            return self.view().await;
        }
        Ok(view)
    }
}
