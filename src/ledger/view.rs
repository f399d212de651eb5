//! The whole of what the ledger knows, read in a handful of queries however long its history is.

use super::{CoordinatorRow, Cursor, Ledger, LedgerError};
use crate::database::Row;
use crate::model::{
    InstanceState, Label, Live, LiveGroup, MigrationState, Phase, SourceReport, SourceStatus,
    Version,
};

/// The name of the source that leases are.
pub const LEASES: &str = "leases";

/// A migration of which something has been applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// As recorded, and then widened by every version admitted since.
    pub state: MigrationState,
    /// The phase that is recorded, where versions admitted since have undone a backfill.
    pub recorded_phase: Phase,
    /// The number of admissions that the recorded row kinds take into account.
    pub seq: i64,
    pub step_back: Option<Phase>,
    /// Milliseconds since the epoch.
    pub changed_at: i64,
    pub cursor: Option<Cursor>,
}

/// A version that was live at some time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sighting {
    pub service: String,
    pub label: Label,
    /// Milliseconds since the epoch.
    pub last_seen_at: i64,
    /// The number of its latest admission; 0 where it was only seen.
    pub seq: i64,
}

/// What the ledger knows at one moment.
#[derive(Clone, Debug)]
pub struct View {
    /// Milliseconds since the epoch, by the database's clock.
    pub now: i64,
    /// In the order of their numbers.
    pub applied: Vec<Applied>,
    pub sightings: Vec<Sighting>,
    /// The live leases.
    pub groups: Vec<LiveGroup>,
    pub coordinator: CoordinatorRow,
}

impl View {
    /// What the leases say, as a source.
    #[must_use]
    pub fn lease_report(&self) -> SourceReport {
        SourceReport {
            name: LEASES.to_owned(),
            status: SourceStatus::Fresh,
            instances: self.groups.iter().map(|group| group.instances).sum(),
            age_ms: 0,
            notes: Vec::new(),
        }
    }
}

impl Ledger<'_> {
    /// Reads everything that a decision needs.
    ///
    /// # Errors
    /// A database error, or contents that this program did not write.
    pub async fn view(&mut self) -> Result<View, LedgerError> {
        let coordinator = self.coordinator().await?;
        let now = coordinator.now;
        let mut sightings = self.sightings().await?;
        let groups = self.live_groups(now, &mut sightings).await?;
        let mut applied = self.applied().await?;
        for migration in &mut applied {
            let since: Vec<Live> = sightings
                .iter()
                .filter(|sighting| sighting.seq > migration.seq)
                .filter_map(|sighting| {
                    Some(Live {
                        service: sighting.service.clone(),
                        version: sighting.label.version.clone()?,
                    })
                })
                .collect();
            if !since.is_empty() {
                migration.state = migration.state.admitting(&since);
            }
        }
        Ok(View {
            now,
            applied,
            sightings,
            groups,
            coordinator,
        })
    }

    async fn applied(&mut self) -> Result<Vec<Applied>, LedgerError> {
        let rows = self
            .query(
                "SELECT phase, kinds, declaration, seq, step_back, changed_at, backfill_after, backfill_upto, backfill_rows \
                 FROM {migrations} ORDER BY number",
                &[],
            )
            .await?;
        rows.iter().map(read_applied).collect()
    }

    async fn sightings(&mut self) -> Result<Vec<Sighting>, LedgerError> {
        let rows = self
            .query("SELECT service, version, placed, last_seen_at, seq FROM {sightings} ORDER BY service, version", &[])
            .await?;
        rows.iter()
            .map(|row| {
                let placed = row.optional_text(2)?.unwrap_or_default();
                Ok(Sighting {
                    service: row.text(0)?.to_owned(),
                    label: Label {
                        text: row.text(1)?.to_owned(),
                        version: placed.parse::<Version>().ok(),
                    },
                    last_seen_at: row.int(3)?,
                    seq: row.int(4)?,
                })
            })
            .collect()
    }

    /// The live leases, counted; updates the sightings with what has expired since.
    async fn live_groups(
        &mut self,
        now: i64,
        sightings: &mut [Sighting],
    ) -> Result<Vec<LiveGroup>, LedgerError> {
        let rows = self
            .query(
                "SELECT service, version, \
                 sum(CASE WHEN expires_at > ? AND state = 0 AND renewed_at + 3 * renew_ms >= ? THEN 1 ELSE 0 END), \
                 sum(CASE WHEN expires_at > ? AND state = 1 AND renewed_at + 3 * renew_ms >= ? THEN 1 ELSE 0 END), \
                 sum(CASE WHEN expires_at > ? AND state = 2 AND renewed_at + 3 * renew_ms >= ? THEN 1 ELSE 0 END), \
                 sum(CASE WHEN expires_at > ? AND renewed_at + 3 * renew_ms < ? THEN 1 ELSE 0 END), \
                 max(renewed_at), max(expires_at) \
                 FROM {leases} GROUP BY service, version",
                &[now.into(), now.into(), now.into(), now.into(), now.into(), now.into(), now.into(), now.into()],
            )
            .await?;
        let mut groups = Vec::new();
        for row in &rows {
            let (service, text) = (row.text(0)?, row.text(1)?);
            let sighting = sightings
                .iter_mut()
                .find(|sighting| sighting.service == service && sighting.label.text == text);
            let label = match sighting {
                Some(sighting) => {
                    sighting.last_seen_at = sighting.last_seen_at.max(row.int(7)?.min(now));
                    sighting.label.clone()
                }
                None => Label {
                    text: text.to_owned(),
                    version: None,
                },
            };
            for (index, state) in InstanceState::ALL.into_iter().enumerate() {
                let instances = u64::try_from(row.int(2 + index)?).unwrap_or_default();
                if instances > 0 {
                    groups.push(LiveGroup {
                        service: service.to_owned(),
                        label: label.clone(),
                        state,
                        source: LEASES.to_owned(),
                        instances,
                        examples: Vec::new(),
                        seen_at: row.int(6)?,
                    });
                }
            }
        }
        Ok(groups)
    }

    /// Adds the names of a few instances to each group.
    ///
    /// # Errors
    /// A database error.
    pub async fn name_examples(
        &mut self,
        groups: &mut [LiveGroup],
        now: i64,
    ) -> Result<(), LedgerError> {
        for group in groups.iter_mut().filter(|group| group.source == LEASES) {
            let state = match group.state {
                InstanceState::Lost => "renewed_at + 3 * renew_ms < ? AND state >= ?",
                _ => "renewed_at + 3 * renew_ms >= ? AND state = ?",
            };
            let number = match group.state {
                InstanceState::Lost => 0,
                other => super::leases::state_number(other),
            };
            let rows = self
                .query(
                    &format!(
                        "SELECT instance FROM {{leases}} WHERE service = ? AND version = ? AND expires_at > ? AND {state} \
                         ORDER BY instance LIMIT 3"
                    ),
                    &[
                        group.service.as_str().into(),
                        group.label.text.as_str().into(),
                        now.into(),
                        now.into(),
                        number.into(),
                    ],
                )
                .await?;
            group.examples = rows
                .iter()
                .map(|row| row.text(0).map(ToOwned::to_owned))
                .collect::<Result<_, _>>()?;
        }
        Ok(())
    }
}

fn read_applied(row: &Row) -> Result<Applied, LedgerError> {
    let damaged = |error: &dyn std::fmt::Display| LedgerError::Damaged(error.to_string());
    let phase: Phase = row.text(0)?.parse().map_err(|error| damaged(&error))?;
    let kinds = row.text(1)?.parse().map_err(|error| damaged(&error))?;
    let declaration = serde_json::from_str(row.text(2)?).map_err(|error| damaged(&error))?;
    let step_back = match row.optional_text(4)?.unwrap_or_default() {
        "" => None,
        text => Some(text.parse().map_err(|error| damaged(&error))?),
    };
    let cursor = match (row.optional_text(6)?, row.optional_text(7)?) {
        (Some(after), Some(upto)) if !upto.is_empty() => Some(Cursor {
            after: after.to_owned(),
            upto: upto.to_owned(),
            rows: u64::try_from(row.int(8)?).unwrap_or_default(),
        }),
        _ => None,
    };
    Ok(Applied {
        state: MigrationState {
            declaration,
            phase,
            kinds,
        },
        recorded_phase: phase,
        seq: row.int(3)?,
        step_back,
        changed_at: row.int(5)?,
        cursor,
    })
}
