//! The leases, counted in the database: by service, version and state.

use std::collections::HashMap;

use super::columns::Columns;
use super::names::is_outlived;
use super::rules::LeaseRules;
use super::view::Sighting;
use super::{Ledger, LedgerError};
use crate::database::{Row, Value};
use crate::model::{InstanceState, LEASES, Label, LiveGroup};

/// The leases of one version that stand alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CountedLeases {
    pub service: String,
    /// The version as the instances call it.
    pub label: String,
    /// `None` if they have run out.
    pub state: Option<InstanceState>,
    pub instances: u64,
    /// When the latest of them was renewed or, where they have run out, when it did.
    pub at: i64,
}

/// Stored states stand for themselves; the others are computed.
pub(super) const STARTING: i64 = number(InstanceState::Starting);
pub(super) const SERVING: i64 = number(InstanceState::Serving);
const DRAINING: i64 = number(InstanceState::Draining);
const LOST: i64 = number(InstanceState::Lost);
const SUPERSEDED: i64 = number(InstanceState::Superseded);
const UNREADABLE: i64 = number(InstanceState::Unreadable);
const EXPIRED: i64 = UNREADABLE + 1;

pub(super) const fn number(state: InstanceState) -> i64 {
    super::leases::state_number(state)
}

/// How long a lease lasts at most, in milliseconds: whatever its row says, it ends a week after it was renewed.
pub const LONGEST_LEASE_MS: i64 = 7 * 24 * 3_600_000;

/// When three renewals of a lease are missed, where its row makes sense.
pub(super) const SANE_RENEWAL: &str = "renewed_at + 3 * renew_ms";

/// Whether what a row holds makes sense. It may be anything that its type allows, and nothing is computed from it before.
/// [`super::door`] asks for those where it does not by indexes of these columns.
pub(super) fn is_sane(now: &str) -> String {
    let moment = |column: &str| format!("{column} BETWEEN 0 AND {now} + {LONGEST_LEASE_MS}");
    format!(
        "(state BETWEEN {STARTING} AND {DRAINING} AND renew_ms BETWEEN 1 AND {LONGEST_LEASE_MS} AND {} AND {})",
        moment("renewed_at"),
        moment("registered_at")
    )
}

/// The state of a lease. `now` is an expression that is the same for all of them.
///
/// Invariant: a row of which the end is still to come is live, whatever else it holds.
pub(super) fn state(now: &str, columns: Columns, rules: &LeaseRules) -> String {
    state_after(now, columns, rules, &is_outlived(columns))
}

/// As [`state`], where `outlived` is whether the instance has registered once more since without a mark.
pub(super) fn state_after(
    now: &str,
    columns: Columns,
    rules: &LeaseRules,
    outlived: &str,
) -> String {
    let superseded = columns.expression("leases", "superseded");
    format!(
        "CASE WHEN expires_at <= {now} THEN {EXPIRED} \
         WHEN NOT {sane} THEN {UNREADABLE} \
         WHEN renewed_at <= {now} - {LONGEST_LEASE_MS} THEN {EXPIRED} \
         WHEN {superseded} <> 0 OR {outlived} THEN {SUPERSEDED} \
         WHEN {SANE_RENEWAL} < {now} THEN {LOST} \
         WHEN state = {SERVING} AND (renewed_at <= registered_at OR renewed_at - registered_at < {ready}) THEN {STARTING} \
         ELSE state END",
        sane = is_sane(now),
        ready = rules.min_ready(),
    )
}

/// When a lease was renewed or, where it has run out, when it did.
fn moment(now: &str) -> String {
    format!(
        "CASE WHEN expires_at <= {now} THEN expires_at \
         WHEN renewed_at BETWEEN 0 AND {now} THEN renewed_at ELSE {now} END"
    )
}

/// Counts the leases by service, version and state. One pass over them: each lease falls into one state.
pub(super) fn counted(now: &str, columns: Columns, rules: &LeaseRules) -> String {
    format!(
        "SELECT service, version, {}, count(*), max({}) FROM {{leases}} GROUP BY 1, 2, 3 ORDER BY 1, 2, 3",
        state(now, columns, rules),
        moment(now)
    )
}

/// Counts the leases by service, version and stored state. Nothing is judged lease by lease, which takes twice as
/// long: the last columns say whether there is anything to judge.
pub(super) fn summed(rules: &LeaseRules) -> String {
    format!(
        "SELECT service, version, state, count(*), max(renewed_at), min(expires_at), \
         min(CASE WHEN renew_ms BETWEEN 1 AND {LONGEST_LEASE_MS} AND renewed_at BETWEEN 0 AND {FAR} THEN renewed_at + 3 * renew_ms ELSE 0 END), \
         min(registered_at), max(registered_at), \
         min(CASE WHEN registered_at >= 0 AND registered_at < renewed_at AND renewed_at <= {FAR} AND renew_ms BETWEEN 1 AND {LONGEST_LEASE_MS} \
           THEN renewed_at - registered_at - ({}) ELSE -1 END), \
         max(superseded), max(CASE WHEN session_name = '' THEN 1 ELSE 0 END) \
         FROM {{leases}} GROUP BY 1, 2, 3 ORDER BY 1, 2, 3",
        rules.min_ready()
    )
}

/// A moment beyond all that make sense, far from where sums overflow.
pub(super) const FAR: i64 = 1 << 52;

/// Whether each of the leases that [`summed`] counted is live, was renewed in time and at all, stayed as long as it has
/// to, and is the latest of its instance, which an earlier build does not see to: then it says the same as [`counted`].
pub(super) fn all_serving(summed: &[Row], now: i64) -> Result<bool, LedgerError> {
    for row in summed {
        let (state, renewed_at, expires_at) = (row.int(2)?, row.int(4)?, row.int(5)?);
        let (late_at, first_at, registered_at) = (row.int(6)?, row.int(7)?, row.int(8)?);
        let (stayed, superseded, by_an_earlier_build) = (row.int(9)?, row.int(10)?, row.int(11)?);
        let is_latest = superseded == 0 && by_an_earlier_build == 0;
        // One that starts was admitted once, which is judged by itself as well.
        let is_state = (SERVING..=DRAINING).contains(&state);
        let is_live = expires_at > now && late_at >= now;
        let is_sane =
            first_at >= 0 && renewed_at.max(registered_at) <= now.saturating_add(LONGEST_LEASE_MS);
        if !(is_state && is_live && is_sane && is_latest) || (state == SERVING && stayed < 0) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The live leases, counted; updates the sightings with what is live and what has expired since.
pub(super) fn live_groups(
    leases: Vec<CountedLeases>,
    now: i64,
    sightings: &mut [Sighting],
) -> Vec<LiveGroup> {
    // By key: anybody who may register can make as many versions as they like.
    let places: HashMap<(String, String), usize> = sightings
        .iter()
        .enumerate()
        .map(|(at, sighting)| {
            let key = (sighting.service.clone(), sighting.label.text.clone());
            (key, at)
        })
        .collect();
    let mut groups = Vec::new();
    for counted in leases {
        let key = (counted.service, counted.label);
        let sighting = places.get(&key).and_then(|at| sightings.get_mut(*at));
        let (service, text) = key;
        let mut version = match sighting {
            Some(sighting) => {
                let seen = counted.state.map_or(counted.at, |_| now);
                sighting.last_seen_at = sighting.last_seen_at.max(seen);
                sighting.label.version.clone()
            }
            None => text.parse().ok(),
        };
        let Some(state) = counted.state else {
            continue;
        };
        if state == InstanceState::Unreadable {
            // What a row without sense says of its version is not believed either.
            version = None;
        }
        groups.push(LiveGroup {
            service,
            label: Label { text, version },
            state,
            source: LEASES.to_owned(),
            instances: counted.instances,
            examples: Vec::new(),
            seen_at: counted.at,
        });
    }
    groups
}

/// What the answer to [`state`] says; `None` if the lease has run out.
pub(super) fn state_of(number: i64) -> Option<InstanceState> {
    match number {
        EXPIRED => None,
        number => Some(
            InstanceState::ALL
                .into_iter()
                .find(|state| self::number(*state) == number)
                .unwrap_or(InstanceState::Unreadable),
        ),
    }
}

pub(super) fn read_leases(row: &Row) -> Result<CountedLeases, LedgerError> {
    let state = state_of(row.int(2)?);
    Ok(CountedLeases {
        service: row.text(0)?.to_owned(),
        label: row.text(1)?.to_owned(),
        state,
        instances: u64::try_from(row.int(3)?).unwrap_or_default(),
        at: row.int(4)?,
    })
}

/// A live lease, by the name of its instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedLease {
    pub service: String,
    /// The version as the instance calls it.
    pub label: String,
    pub instance: String,
    pub state: InstanceState,
}

impl Ledger<'_> {
    /// Every live lease.
    ///
    /// # Errors
    /// A database error.
    pub async fn named_leases(
        &mut self,
        rules: &LeaseRules,
    ) -> Result<Vec<NamedLease>, LedgerError> {
        let now = self.as_of().await?.to_string();
        let state = state(&now, self.columns().await?, rules);
        let sql = format!(
            "SELECT service, version, instance, {state} FROM {{leases}} WHERE expires_at > {now} ORDER BY service, instance, version"
        );
        let rows = self.query(&sql, &[]).await?;
        let mut leases = Vec::with_capacity(rows.len());
        for row in &rows {
            if let Some(state) = state_of(row.int(3)?) {
                leases.push(NamedLease {
                    service: row.text(0)?.to_owned(),
                    label: row.text(1)?.to_owned(),
                    instance: row.text(2)?.to_owned(),
                    state,
                });
            }
        }
        Ok(leases)
    }

    /// Adds the names of a few instances to each group of leases, and counts superseded leases by the names of their
    /// instances.
    ///
    /// # Errors
    /// A database error.
    pub async fn name_examples(
        &mut self,
        groups: &mut [LiveGroup],
        now: i64,
    ) -> Result<(), LedgerError> {
        // Nobody reads that many names.
        const MOST: usize = 500;
        // Each takes a query that judges all leases.
        const ONE_BY_ONE: usize = 16;
        let any_lease = groups.iter().any(LiveGroup::is_leased);
        if groups.len() > MOST || !any_lease {
            return Ok(());
        }
        let are_few = groups.len() <= ONE_BY_ONE;
        if !are_few {
            self.name_one_of_each(groups, now).await?;
        }
        let columns = self.columns().await?;
        let state = state(&now.to_string(), columns, &self.rules);
        let meant = format!("FROM {{leases}} WHERE service = ? AND version = ? AND {state} = ?");
        // Whoever is contradicted is named already: no row says so.
        let is_meant = |group: &&mut LiveGroup| {
            group.is_leased() && group.state != InstanceState::Contradictory
        };
        // Whose a row without sense may be is told of each.
        let by_itself =
            |group: &&mut LiveGroup| are_few || group.state == InstanceState::Unreadable;
        let groups = groups.iter_mut().filter(is_meant).filter(by_itself);
        for group in groups.take(ONE_BY_ONE) {
            let parameters: [Value; 3] = [
                group.service.as_str().into(),
                group.label.text.as_str().into(),
                number(group.state).into(),
            ];
            if group.state == InstanceState::Superseded {
                let sql = format!("SELECT count(DISTINCT instance) {meant}");
                let rows = self.query(&sql, &parameters).await?;
                let instances = super::first(&rows)?.int(0)?;
                group.instances = u64::try_from(instances).unwrap_or_default();
            }
            let (each, writer) = match group.state {
                InstanceState::Superseded => ("DISTINCT instance", "''"),
                // Who could have written it is all there is to go by.
                InstanceState::Unreadable => {
                    ("instance", columns.expression("leases", "written_by"))
                }
                _ => ("instance", "''"),
            };
            let sql = format!("SELECT {each}, {writer} {meant} ORDER BY instance LIMIT 3");
            let rows = self.query(&sql, &parameters).await?;
            group.examples = rows
                .iter()
                .map(|row| {
                    let (instance, writer) = (row.text(0)?, row.text(1)?);
                    Ok(match writer {
                        "" => instance.to_owned(),
                        writer => format!("{instance}, written by {writer}"),
                    })
                })
                .collect::<Result<_, LedgerError>>()?;
        }
        Ok(())
    }

    /// As [`Ledger::name_examples`], with one name for each group: all leases are judged once.
    async fn name_one_of_each(
        &mut self,
        groups: &mut [LiveGroup],
        now: i64,
    ) -> Result<(), LedgerError> {
        let state = state(&now.to_string(), self.columns().await?, &self.rules);
        let sql = format!(
            "SELECT service, version, state_now, min(instance), count(DISTINCT instance) \
             FROM (SELECT service, version, instance, {state} AS state_now FROM {{leases}}) AS judged GROUP BY 1, 2, 3"
        );
        let rows = self.query(&sql, &[]).await?;
        let mut named = HashMap::new();
        for row in &rows {
            let key = (row.text(0)?, row.text(1)?, row.int(2)?);
            named.insert(key, (row.text(3)?, row.int(4)?));
        }
        for group in groups.iter_mut().filter(|group| group.is_leased()) {
            let key = (
                group.service.as_str(),
                group.label.text.as_str(),
                number(group.state),
            );
            let Some((instance, instances)) = named.get(&key) else {
                continue;
            };
            group.examples = vec![(*instance).to_owned()];
            if group.state == InstanceState::Superseded {
                group.instances = u64::try_from(*instances).unwrap_or_default();
            }
        }
        Ok(())
    }
}
