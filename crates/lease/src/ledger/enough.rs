//! What a gate has to know of the leases to say go: which versions are live, when others were last heard of, and whether enough
//! instances prove that they are seen, however many there are.
//!
//! States, counts and names of instances take a look at each lease, and matter only where something blocks.
//!
//! Invariant: whoever is live by a look at each lease is live here, and no service has more instances here that prove to be
//! seen. So a decision that is go by this is go by that.

use std::collections::{BTreeMap, HashMap};

use super::columns::Columns;
use super::door::{senseless, versions};
use super::groups::{LONGEST_LEASE_MS, number, state_after};
use super::looks::NEVER_RENEWED;
use super::rules::{LeaseRules, is_plain};
use super::view::Counts;
use super::{AppliedFile, Ledger, LedgerError, Sighting, View, first};
use crate::database::{Connection, ManyLeases, Row, Versions};
use crate::model::{InstanceState, LiveGroup};

/// How many instances of each service have to prove that they are seen.
pub type Wanted = BTreeMap<String, u64>;

/// How far back what is read here tells of versions that are gone: of a lease that says to last longer than any may, a look at
/// each knows when it was renewed.
pub const TELLS_OF_MS: i64 = LONGEST_LEASE_MS;

/// When the last lease of each version ran out, of those whose rows are still there.
fn run_out(now: i64) -> String {
    // Between two ends, so that SQLite prefers the index by these to the one in whose order the answer could be.
    format!(
        "SELECT service, version, max(expires_at) FROM {{leases}} \
         WHERE expires_at BETWEEN -9223372036854775807 AND {now} GROUP BY service, version ORDER BY service, version"
    )
}

/// Whether the instance of the lease `l` has registered once more since, and nobody has marked that: as
/// [`super::names::is_outlived`], of this lease alone.
fn is_outlived(columns: Columns) -> String {
    format!(
        "EXISTS (SELECT 1 FROM {{leases}} AS later WHERE later.service = l.service AND later.instance = l.instance \
         AND later.registered_at > l.registered_at AND {} = '' AND NOT ({NEVER_RENEWED}))",
        columns.expression("leases", "session_name")
    )
}

/// The versions of as many instances that prove to be seen as are wanted of each service, and of no more: an index leads from one to the
/// next. `None` where that cannot be asked.
fn proving(
    now: i64,
    columns: Columns,
    (rules, wanted): (&LeaseRules, &Wanted),
    how: Versions,
) -> Option<String> {
    // Without an order a server might read the table for the few instances of a service. One that would sort for it does not
    // need it: it takes the index for these, and the table where most instances are of the service.
    let order = match how {
        Versions::Stepped => "ORDER BY service, version ",
        Versions::Grouped => "",
    };
    let state = state_after(&now.to_string(), columns, rules, &is_outlived(columns));
    let proves = InstanceState::ALL
        .into_iter()
        .filter(|state| state.proves())
        .map(|state| number(state).to_string());
    let proves = proves.collect::<Vec<_>>().join(", ");
    let mut queries = vec!["SELECT service, version FROM {leases} WHERE 1 = 0".to_owned()];
    for (service, wanted) in wanted.iter().filter(|(_, wanted)| **wanted > 0) {
        if !service.chars().all(is_plain) {
            return None;
        }
        let place = queries.len();
        queries.push(format!(
            "SELECT service, version FROM (SELECT service, version FROM {{leases}} AS l \
             WHERE service = '{service}' AND {state} IN ({proves}) {order}LIMIT {wanted}) AS of_{place}"
        ));
    }
    Some(queries.join(" UNION ALL "))
}

impl Ledger<'_> {
    /// As [`Ledger::view`], for a decision that may be go: with one group for each live version, of as many instances as are
    /// known to prove that they are seen, and with nothing of why others do not. `None` where only a look at each lease tells.
    ///
    /// # Errors
    /// As of [`Ledger::view`].
    pub async fn view_of_enough(&mut self, wanted: &Wanted) -> Result<Option<View>, LedgerError> {
        let (now, columns) = (self.as_of().await?, self.columns().await?);
        let capabilities = self.capabilities();
        let ManyLeases {
            versions: steps,
            senseless: odd,
            ..
        } = capabilities.many_leases;
        let Some(proving) = proving(now, columns, (&self.rules, wanted), steps) else {
            return Ok(None);
        };
        let leases = [
            versions(now, steps),
            senseless(now, odd),
            run_out(now),
            proving,
        ];
        let (mut view, [odd, run_out, proving]) = self.view_with(String::new(), leases).await?;
        if first(&odd)?.int(0)? > 0 {
            return Ok(None);
        }
        let mut proven = BTreeMap::<(&str, &str), u64>::new();
        for row in &proving {
            let count = proven.entry((row.text(0)?, row.text(1)?)).or_default();
            *count = count.saturating_add(1);
        }
        for group in &mut view.groups {
            judge(group, &proven);
        }
        remember(&mut view.sightings, &run_out)?;
        view.counts = Counts::AsFarAsNeeded;
        Ok(Some(view))
    }

    /// As [`Ledger::survey`], by [`Ledger::view_of_enough`]. `None` where that has to be asked.
    ///
    /// # Errors
    /// As of [`Ledger::survey`].
    pub async fn survey_enough(
        connection: &mut dyn Connection,
        rules: &LeaseRules,
        wanted: &Wanted,
    ) -> Result<Option<(View, Vec<AppliedFile>)>, LedgerError> {
        let Some(mut ledger) = Ledger::read(connection).await? else {
            return Ok(None);
        };
        ledger.judge_by(rules);
        let Some(mut view) = ledger.view_of_enough(wanted).await? else {
            ledger.rollback().await?;
            return Ok(None);
        };
        view.moved = ledger.moved().await?;
        let files = ledger.query(super::record::SELECT_FILES, &[]).await?;
        ledger.rollback().await?;
        Ok(Some((view, super::record::read_files(&files)?)))
    }
}

fn judge(group: &mut LiveGroup, proven: &BTreeMap<(&str, &str), u64>) {
    let found = proven.get(&(group.service.as_str(), group.label.text.as_str()));
    if let Some(instances) = found {
        group.instances = *instances;
    } else {
        // What is not known of it is taken for what makes nothing safer: it proves nothing, and neither starts nor leaves.
        group.state = InstanceState::Contradictory;
    }
}

/// Has sightings know of leases that have run out since.
fn remember(sightings: &mut [Sighting], run_out: &[Row]) -> Result<(), LedgerError> {
    // By key: anybody who may register can make as many versions as they like.
    let mut latest = HashMap::new();
    for row in run_out {
        latest.insert((row.text(0)?, row.text(1)?), row.int(2)?);
    }
    for sighting in sightings {
        let key = (sighting.service.as_str(), sighting.label.text.as_str());
        let at = latest.get(&key).copied().unwrap_or(i64::MIN);
        sighting.last_seen_at = sighting.last_seen_at.max(at);
    }
    Ok(())
}
