//! What the leases say that go by one name: an instance is a name, and not a row.

use std::collections::BTreeMap;

use super::LedgerError;
use super::columns::Columns;
use super::groups::{SANE_RENEWAL, SERVING, STARTING, is_sane, state};
use super::looks::NEVER_RENEWED;
use super::rules::LeaseRules;
use crate::database::Row;
use crate::model::{Ending, EndingCause, InstanceState, Settling, Twins};

/// How many rows of shared names are read.
const MOST: usize = 1000;

/// Whether the same instance has registered once more since, and nobody has marked this lease: whoever registered was of an
/// earlier build, which does not. An expression that is the same for all rows, and so evaluated once.
///
/// The leases come first in the join and stay there, and only names that have such a lease are joined: SQLite would look through all
/// leases of a service for each name, and MariaDB compares each lease with each name.
pub(super) fn is_outlived(columns: Columns) -> String {
    let latest = format!(
        "max(CASE WHEN {} = '' AND NOT ({NEVER_RENEWED}) THEN registered_at END)",
        columns.expression("leases", "session_name"),
    );
    format!(
        "id IN (SELECT id FROM {{leases}} CROSS JOIN (SELECT service AS of_service, instance AS of_name, {latest} AS latest \
         FROM {{leases}} GROUP BY service, instance HAVING min(registered_at) < {latest}) AS later \
         WHERE service = of_service AND instance = of_name AND registered_at < latest)"
    )
}

/// Counts the instances that are being renewed and have not stayed long enough yet, by service. One that has another lease,
/// because it was started again, is not among them: it may well be started again once more.
pub(super) fn settling(now: &str, columns: Columns, rules: &LeaseRules) -> String {
    let is_settling = format!(
        "{} = {STARTING} AND state = {SERVING} AND NOT ({NEVER_RENEWED})",
        state(now, columns, rules)
    );
    format!(
        "SELECT service, count(*), max(left_ms) FROM (SELECT service, instance, count(*) AS held, \
         max(CASE WHEN {is_settling} THEN registered_at + ({ready}) - {now} END) AS left_ms \
         FROM {{leases}} WHERE expires_at > {now} GROUP BY service, instance) AS named \
         WHERE held = 1 AND left_ms IS NOT NULL GROUP BY service ORDER BY service",
        ready = rules.min_ready(),
    )
}

pub(super) fn read_settling(rows: &[Row]) -> Result<Vec<Settling>, LedgerError> {
    let each = rows.iter().map(|row| {
        Ok(Settling {
            service: row.text(0)?.to_owned(),
            instances: u64::try_from(row.int(1)?).unwrap_or_default(),
            left_ms: u64::try_from(row.int(2)?).unwrap_or_default(),
        })
    });
    each.collect()
}

/// Counts the leases that nobody renews any more, by version and cause.
pub(super) fn ending(now: &str, columns: Columns) -> String {
    let superseded = columns.expression("leases", "superseded");
    let cause = format!(
        "CASE WHEN NOT {sane} THEN CASE WHEN {superseded} = 0 AND {NEVER_RENEWED} THEN {ADMITTED} END \
         WHEN {NEVER_RENEWED} THEN CASE WHEN {superseded} = 0 THEN {ADMITTED} ELSE {SUPERSEDED} END \
         WHEN {superseded} <> 0 AND NOT ({renewing}) THEN {SUPERSEDED} \
         WHEN {superseded} = 0 AND {SANE_RENEWAL} < {now} THEN {LOST} END",
        sane = is_sane(now),
        renewing = is_renewing(now),
    );
    format!(
        "SELECT service, version, cause, count(*), max(left_ms), max(CASE WHEN cause = {ADMITTED} THEN 0 ELSE {now} - renewed_at END) \
         FROM (SELECT service, version, renewed_at, expires_at - {now} AS left_ms, {cause} AS cause FROM {{leases}} \
         WHERE expires_at > {now}) AS ends WHERE cause IS NOT NULL GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"
    )
}

/// The causes as the query spells them.
const ADMITTED: i64 = 0;
const LOST: i64 = 1;
const SUPERSEDED: i64 = 2;

pub(super) fn read_ending(rows: &[Row]) -> Result<Vec<Ending>, LedgerError> {
    let each = rows.iter().map(|row| {
        Ok(Ending {
            service: row.text(0)?.to_owned(),
            label: row.text(1)?.to_owned(),
            cause: match row.int(2)? {
                LOST => EndingCause::Lost,
                SUPERSEDED => EndingCause::Superseded,
                _ => EndingCause::Admitted,
            },
            leases: u64::try_from(row.int(3)?).unwrap_or_default(),
            left_ms: u64::try_from(row.int(4)?).unwrap_or_default(),
            silent_ms: u64::try_from(row.int(5)?).unwrap_or_default(),
        })
    });
    each.collect()
}

/// Whether a lease whose row makes sense is being renewed: its next renewal is not overdue. Renewals come more often at first,
/// each after twice the time of the one before, and up to a tenth later than that.
fn is_renewing(now: &str) -> String {
    const GRACE_MS: u32 = 3000;
    let soon = "2 * (renewed_at - registered_at) + 2000";
    format!(
        "10 * ({now} - renewed_at - {GRACE_MS}) <= 11 * (CASE WHEN {soon} < renew_ms THEN {soon} ELSE renew_ms END)"
    )
}

/// The leases that are being renewed of each name of which an earlier one is: the latest, where it is, and those that were
/// renewed after it came.
pub(super) fn twins(now: &str, columns: Columns) -> String {
    let is_held = format!(
        "CASE WHEN expires_at > {now} AND {} THEN NOT ({NEVER_RENEWED}) ELSE 1 = 0 END",
        is_sane(now)
    );
    let is_renewed = format!(
        "CASE WHEN expires_at > {now} AND {} AND NOT ({NEVER_RENEWED}) THEN {} ELSE 1 = 0 END",
        is_sane(now),
        is_renewing(now)
    );
    format!(
        "SELECT service, instance, version, {}, CASE WHEN registered_at < latest THEN 1 ELSE 0 END \
         FROM {{leases}} CROSS JOIN (SELECT service AS of_service, instance AS of_name, max(registered_at) AS latest FROM {{leases}} \
         WHERE {is_held} GROUP BY service, instance HAVING count(*) > 1) AS later \
         WHERE service = of_service AND instance = of_name AND {is_renewed} AND state <> {} \
         AND (registered_at = latest OR renewed_at > latest) \
         ORDER BY service, instance, registered_at, version LIMIT {MOST}",
        columns.expression("leases", "address"),
        super::leases::state_number(InstanceState::Draining),
    )
}

pub(super) fn read_twins(rows: &[Row]) -> Result<Vec<Twins>, LedgerError> {
    let mut found = BTreeMap::<(&str, &str), Twins>::new();
    for row in rows {
        let (service, instance) = (row.text(0)?, row.text(1)?);
        let twins = found.entry((service, instance)).or_insert_with(|| Twins {
            service: service.to_owned(),
            instance: instance.to_owned(),
            earlier: Vec::new(),
            processes: 0,
            addresses: Vec::new(),
        });
        twins.processes = twins.processes.saturating_add(1);
        if row.int(4)? != 0 {
            twins.earlier.push(row.text(2)?.to_owned());
        }
        let address = row.text(3)?;
        if !address.is_empty() && !twins.addresses.iter().any(|known| known == address) {
            twins.addresses.push(address.to_owned());
        }
    }
    let mut found: Vec<Twins> = found.into_values().collect();
    found.retain(|twins| !twins.earlier.is_empty());
    Ok(found)
}
