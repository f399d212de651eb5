//! The leases, counted in the database: by service, version and state.

use super::LedgerError;
use super::view::{LEASES, Sighting};
use crate::database::Row;
use crate::model::{InstanceState, Label, LiveGroup};

/// The leases of one version that stand alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CountedLeases {
    pub service: String,
    /// The version as the instances call it.
    pub label: String,
    /// None where they have run out.
    pub state: Option<InstanceState>,
    pub instances: u64,
    /// When the latest of them was renewed or, where they have run out, when it did.
    pub at: i64,
}

/// Stored states stand for themselves; these are computed.
const LOST: i64 = super::leases::state_number(InstanceState::Lost);
const EXPIRED: i64 = LOST + 1;

/// Counts the leases by service, version and state. One pass over them: each lease falls into one
/// state, and the last column is when it was renewed or, once it has expired, when that was.
pub(super) fn counted(now: &str) -> String {
    format!(
        "SELECT service, version, \
         CASE WHEN expires_at <= {now} THEN {EXPIRED} WHEN renewed_at + 3 * renew_ms < {now} THEN {LOST} ELSE state END, \
         count(*), max(CASE WHEN expires_at <= {now} THEN expires_at ELSE renewed_at END) \
         FROM {{leases}} GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"
    )
}

/// Counts the leases by service, version and stored state. Nothing is judged lease by lease, which
/// would take half as long again: the last two columns say whether there is anything to judge.
pub(super) const SUMMED: &str = "SELECT service, version, state, count(*), max(renewed_at), \
     min(expires_at), min(renewed_at + 3 * renew_ms) \
     FROM {leases} GROUP BY 1, 2, 3 ORDER BY 1, 2, 3";

/// Whether each of the leases that [`SUMMED`] counted is live and was renewed in time: then it
/// says the same as [`counted`].
pub(super) fn all_renewed(summed: &[Row], now: i64) -> Result<bool, LedgerError> {
    for row in summed {
        if row.int(5)? <= now || row.int(6)? < now {
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
    let mut groups = Vec::new();
    for counted in leases {
        let sighting = sightings.iter_mut().find(|sighting| {
            sighting.service == counted.service && sighting.label.text == counted.label
        });
        let label = match sighting {
            Some(sighting) => {
                let seen = counted.state.map_or(counted.at, |_| now);
                sighting.last_seen_at = sighting.last_seen_at.max(seen);
                sighting.label.clone()
            }
            None => Label {
                text: counted.label,
                version: None,
            },
        };
        let Some(state) = counted.state else {
            continue;
        };
        groups.push(LiveGroup {
            service: counted.service,
            label,
            state,
            source: LEASES.to_owned(),
            instances: counted.instances,
            examples: Vec::new(),
            seen_at: counted.at,
        });
    }
    groups
}

pub(super) fn read_leases(row: &Row) -> Result<CountedLeases, LedgerError> {
    let number = row.int(2)?;
    let state = InstanceState::ALL
        .into_iter()
        .find(|state| super::leases::state_number(*state) == number);
    if state.is_none() && number != EXPIRED {
        return Err(LedgerError::Damaged(format!(
            "`{number}` is not the state of a lease"
        )));
    }
    Ok(CountedLeases {
        service: row.text(0)?.to_owned(),
        label: row.text(1)?.to_owned(),
        state,
        instances: u64::try_from(row.int(3)?).unwrap_or_default(),
        at: row.int(4)?,
    })
}
