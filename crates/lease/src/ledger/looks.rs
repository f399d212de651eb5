//! What is remembered of looks at sources other than the leases: whoever was seen stays live until a later look says
//! otherwise.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::arrivals::{Named, Occasion};
use super::{Ledger, LedgerError, View};
use crate::database::Row;
use crate::model::{InstanceState, LEASES, Label, LiveGroup, ORDERED, Phase, Snapshot};

/// The latest look at one source that told all there is of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Looked {
    pub source: String,
    pub service: String,
    /// When it was taken, in milliseconds since the epoch; 0 where none has told all there is.
    pub at: i64,
}

/// A version that a look has shown and no later one has shown to be gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenVersion {
    pub source: String,
    pub who: Named,
    /// Those of which no renewed lease tells better.
    pub instances: u64,
    /// When the look was taken.
    pub at: i64,
}

/// Instances that were admitted once, by leases that nobody renews and that have run out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdmittedOnce {
    pub who: Named,
    pub instances: u64,
    /// When the last of the leases ran out.
    pub until: i64,
}

/// All that is remembered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    pub looked: Vec<Looked>,
    pub seen: Vec<SeenVersion>,
    pub admitted: Vec<AdmittedOnce>,
}

/// A lease that nobody renews: it lasts as long as it was asked for. Of a row that makes no sense nothing is computed.
pub(super) const NEVER_RENEWED: &str = "(CASE WHEN renew_ms BETWEEN 0 AND 604800000 AND renewed_at BETWEEN 0 AND 9000000000000 \
     THEN renewed_at + renew_ms ELSE 0 END) >= expires_at";

pub(super) const SELECT_LOOKED: &str =
    "SELECT source, service, at FROM {looks} ORDER BY source, service";
pub(super) const SELECT_SEEN: &str =
    "SELECT source, service, version, instances, at FROM {seen} ORDER BY source, service, version";

/// The queries of a [`Memory`], at this moment.
pub(super) fn queries(now: &str) -> [String; 3] {
    [
        SELECT_LOOKED.to_owned(),
        SELECT_SEEN.to_owned(),
        // Between two ends, so that SQLite prefers the index by these to the one in whose order the answer is.
        format!(
            "SELECT service, version, count(*), max(expires_at) FROM {{leases}} \
             WHERE expires_at BETWEEN -9223372036854775807 AND {now} AND {NEVER_RENEWED} GROUP BY 1, 2 ORDER BY 1, 2"
        ),
    ]
}

pub(super) fn read(answers: &[Vec<Row>; 3]) -> Result<Memory, LedgerError> {
    let [looked, seen, admitted] = answers;
    let count = |number: i64| u64::try_from(number).unwrap_or(1).max(1);
    let looked = looked.iter().map(|row| {
        Ok(Looked {
            source: row.text(0)?.to_owned(),
            service: row.text(1)?.to_owned(),
            at: row.int(2)?,
        })
    });
    let seen = seen.iter().map(|row| {
        Ok(SeenVersion {
            source: row.text(0)?.to_owned(),
            who: Named::new(row.text(1)?, row.text(2)?),
            instances: count(row.int(3)?),
            at: row.int(4)?,
        })
    });
    let admitted = admitted.iter().map(|row| {
        Ok(AdmittedOnce {
            who: Named::new(row.text(0)?, row.text(1)?),
            instances: count(row.int(2)?),
            until: row.int(3)?,
        })
    });
    Ok(Memory {
        looked: looked.collect::<Result<_, LedgerError>>()?,
        seen: seen.collect::<Result<_, LedgerError>>()?,
        admitted: admitted.collect::<Result<_, LedgerError>>()?,
    })
}

/// Who asks what is remembered.
pub enum Asker<'a> {
    /// An instance that wants to start. It asks no source itself, and may know which others its project has.
    Door { sources: &'a [String] },
    /// Somebody who has looked at every source of the project.
    Looker(&'a Snapshot),
}

impl View {
    /// The versions that no lease and no present look shows, and that count as live all the same.
    ///
    /// Invariant: what a source has shown is forgotten only when a later look at it, which told all there is of the
    /// service, did not show it; or when the project has that source no more and all of those that it has have
    /// told. For the answer of whoever has just looked a fresh source is enough: if it shows too few instances, the gate
    /// says that others may be live unseen. An instance that was admitted once, by a lease that nobody renews, is gone with the end of that lease
    /// where there is no source to ask, and else when a look at each source has been taken after it.
    #[must_use]
    pub fn recall(&self, asker: &Asker<'_>) -> Vec<LiveGroup> {
        let sources = self.sources(asker);
        let told =
            |source: &str, service: &str, after: i64| self.told(asker, source, service, after);
        let seen = self.memory.seen.iter().filter(|seen| {
            // What an earlier look told is gone from the memory already.
            let tells =
                |look: &Snapshot, source: &str| look.taken_at >= seen.at && look.is_fresh(source);
            // A list that may not be whole still shows whom it shows.
            let is_listed = |look: &Snapshot| {
                look.groups.iter().any(|group| {
                    (group.source == seen.source || seen.source == ORDERED)
                        && group.service == seen.who.service
                        && group.label.text == seen.who.label
                })
            };
            match asker {
                Asker::Door { .. } => true,
                Asker::Looker(look) if is_listed(look) => false,
                // It may come after any look.
                Asker::Looker(_) if seen.source == ORDERED => true,
                Asker::Looker(look) if sources.contains(seen.source.as_str()) => {
                    !tells(look, &seen.source)
                }
                Asker::Looker(look) => !sources.iter().all(|source| tells(look, source)),
            }
        });
        let seen = seen.map(|seen| LiveGroup {
            service: seen.who.service.clone(),
            label: self.label_of(&seen.who),
            state: match seen.source.as_str() {
                ORDERED => InstanceState::Starting,
                _ => InstanceState::Serving,
            },
            source: seen.source.clone(),
            instances: seen.instances,
            examples: Vec::new(),
            seen_at: seen.at,
        });
        let admitted = self.memory.admitted.iter().filter(|admitted| {
            let service = &admitted.who.service;
            let asked = sources.iter().filter(|source| match asker {
                // Of what the ledger knows, those that cover the service.
                Asker::Door { sources } => {
                    sources.iter().any(|own| own == *source) || self.covers(source, service)
                }
                Asker::Looker(_) => true,
            });
            asked
                .into_iter()
                .any(|source| !told(source, service, admitted.until))
        });
        let admitted = admitted.map(|admitted| LiveGroup {
            service: admitted.who.service.clone(),
            label: self.label_of(&admitted.who),
            // Lost ones go by themselves; this one goes only by a look.
            state: InstanceState::Serving,
            source: LEASES.to_owned(),
            instances: admitted.instances,
            examples: Vec::new(),
            seen_at: admitted.until,
        });
        seen.chain(admitted).collect()
    }

    /// The sources beside the leases.
    fn sources<'s>(&'s self, asker: &'s Asker<'_>) -> BTreeSet<&'s str> {
        match asker {
            Asker::Door { sources } => {
                let known = self
                    .memory
                    .looked
                    .iter()
                    .map(|looked| looked.source.as_str());
                known.chain(sources.iter().map(String::as_str)).collect()
            }
            Asker::Looker(snapshot) => others(snapshot).collect(),
        }
    }

    fn covers(&self, source: &str, service: &str) -> bool {
        let mut looked = self.memory.looked.iter();
        looked.any(|looked| looked.source == source && looked.service == service)
    }

    /// Whether a look at this source that was taken after this moment told all there is of the service.
    fn told(&self, asker: &Asker<'_>, source: &str, service: &str, after: i64) -> bool {
        let now = match asker {
            Asker::Door { .. } => false,
            Asker::Looker(snapshot) => snapshot.taken_at > after && snapshot.is_fresh(source),
        };
        now || self
            .memory
            .looked
            .iter()
            .any(|looked| looked.source == source && looked.service == service && looked.at > after)
    }

    fn label_of(&self, who: &Named) -> Label {
        let known = self
            .sightings
            .iter()
            .find(|sighting| sighting.service == who.service && sighting.label.text == who.label);
        known.map_or_else(
            || Label {
                version: who.label.parse().ok(),
                text: who.label.clone(),
            },
            |sighting| sighting.label.clone(),
        )
    }
}

/// The sources of a look beside the leases.
fn others(snapshot: &Snapshot) -> impl Iterator<Item = &str> {
    let others = snapshot
        .sources
        .iter()
        .filter(|source| !source.is_of_leases());
    others.map(|source| source.name.as_str())
}

impl Ledger<'_> {
    /// Records what a look at every source of the project has shown, and of which services it tells all there is.
    ///
    /// A version that no lease tells of may have come at any time since the look before. It counts as live beside
    /// whoever was live since then: what both have written may be there.
    ///
    /// # Errors
    /// A database error.
    pub async fn record_look(
        &mut self,
        look: &Snapshot,
        services: &BTreeSet<String>,
    ) -> Result<(), LedgerError> {
        let admissions = self.lock_admissions().await?;
        let view = self.view().await?;
        let sources: BTreeSet<&str> = others(look).collect();
        if sources.is_empty() && view.memory.looked.is_empty() && view.memory.seen.is_empty() {
            return Ok(());
        }
        let unregistered = self.unregistered(look, view.now).await?;
        self.record_arrivals(&view, look, &unregistered, admissions)
            .await?;
        let services: BTreeSet<&str> = services
            .iter()
            .map(String::as_str)
            .chain(unregistered.keys().map(|(_, who)| who.service.as_str()))
            .chain(
                view.memory
                    .looked
                    .iter()
                    .map(|looked| looked.service.as_str()),
            )
            .collect();
        for service in services {
            self.record_look_of(&view, look, service, &sources, &unregistered);
        }
        Ok(())
    }

    /// How many of the instances that each source lists no renewed lease tells of.
    async fn unregistered(
        &mut self,
        look: &Snapshot,
        now: i64,
    ) -> Result<BTreeMap<(String, Named), u64>, LedgerError> {
        let mut listed = BTreeMap::new();
        if look.listed.is_empty() {
            return Ok(listed);
        }
        let rows = self
            .query(
                &format!(
                    "SELECT service, version, instance FROM {{leases}} WHERE expires_at > ? AND NOT ({NEVER_RENEWED})"
                ),
                &[now.into()],
            )
            .await?;
        let mut renewed = HashSet::new();
        for row in &rows {
            renewed.insert((row.text(0)?, row.text(1)?, row.text(2)?));
        }
        for one in &look.listed {
            let name = (
                one.service.as_str(),
                one.label.as_str(),
                one.instance.as_str(),
            );
            if !renewed.contains(&name) {
                let who = Named::new(&one.service, &one.label);
                let count: &mut u64 = listed.entry((one.source.clone(), who)).or_default();
                *count = count.saturating_add(1);
            }
        }
        Ok(listed)
    }

    async fn record_arrivals(
        &mut self,
        view: &View,
        look: &Snapshot,
        unregistered: &BTreeMap<(String, Named), u64>,
        admissions: i64,
    ) -> Result<(), LedgerError> {
        let groups: Vec<&LiveGroup> = look
            .groups
            .iter()
            .filter(|group| !group.is_leased())
            .collect();
        if groups.is_empty() {
            return Ok(());
        }
        let is_new = |(source, who): &&(String, Named)| {
            let mut seen = view.memory.seen.iter();
            !seen.any(|seen| seen.source == *source && seen.who == *who)
        };
        let since = unregistered
            .keys()
            .filter(is_new)
            .map(|(source, who)| view.looked_before(source, &who.service))
            .min();
        let mut live = view.named();
        if let Some(since) = since {
            let sightings = view.sightings.iter();
            let recent = sightings.filter(|sighting| sighting.last_seen_at >= since);
            live.extend(recent.map(|sighting| Named::new(&sighting.service, &sighting.label.text)));
        }
        live.extend(
            groups
                .iter()
                .map(|group| Named::new(&group.service, &group.label.text)),
        );
        let seq = admissions.saturating_add(1);
        let is_news = self.write_arrival(view, &live, seq, &Occasion::Arrival);
        if is_news {
            self.execute_later("UPDATE {admission} SET seq = ? WHERE id = 1", &[seq.into()]);
        }
        for group in groups {
            let version = group.label.version.as_ref();
            self.sight(
                &group.service,
                &group.label.text,
                version,
                group.seen_at,
                is_news.then_some(seq),
            )
            .await?;
        }
        Ok(())
    }

    /// Remembers one service of a look.
    fn record_look_of(
        &mut self,
        view: &View,
        look: &Snapshot,
        service: &str,
        sources: &BTreeSet<&str>,
        unregistered: &BTreeMap<(String, Named), u64>,
    ) {
        let at = look.taken_at;
        for source in sources {
            let pair = [(*source).into(), service.into()];
            let before = view
                .memory
                .looked
                .iter()
                .find(|looked| looked.source == *source && looked.service == service);
            // A later look may have been recorded while this one was still being taken: it adds, and takes nothing away.
            let is_latest = before.is_none_or(|looked| looked.at <= at);
            let replaces = look.tells_all(source, service) && is_latest;
            let told_at = if replaces { at } else { 0 };
            match before {
                None => self.execute_later(
                    "INSERT INTO {looks} (source, service, at) VALUES (?, ?, ?)",
                    &[(*source).into(), service.into(), told_at.into()],
                ),
                Some(_) if replaces => self.execute_later(
                    "UPDATE {looks} SET at = ? WHERE source = ? AND service = ?",
                    &[at.into(), (*source).into(), service.into()],
                ),
                Some(_) => {}
            }
            if replaces {
                self.execute_later("DELETE FROM {seen} WHERE source = ? AND service = ?", &pair);
            }
            for ((from, who), instances) in unregistered {
                if from != source || who.service != service {
                    continue;
                }
                let [source, service] = pair.clone();
                if !replaces {
                    self.execute_later(
                        "DELETE FROM {seen} WHERE source = ? AND service = ? AND version = ?",
                        &[source.clone(), service.clone(), who.label.as_str().into()],
                    );
                }
                self.execute_later(
                    "INSERT INTO {seen} (source, service, version, instances, at) VALUES (?, ?, ?, ?, ?)",
                    &[
                        source,
                        service,
                        who.label.as_str().into(),
                        i64::try_from(*instances).unwrap_or(i64::MAX).into(),
                        at.into(),
                    ],
                );
            }
        }
        if !sources.iter().all(|source| look.tells_all(source, service)) {
            return;
        }
        // What the project asks no more.
        let of_service = |looked: &&Looked| {
            looked.service == service && !sources.contains(looked.source.as_str())
        };
        for looked in view.memory.looked.iter().filter(of_service) {
            for table in ["seen", "looks"] {
                self.execute_later(
                    &format!("DELETE FROM {{{table}}} WHERE source = ? AND service = ?"),
                    &[looked.source.as_str().into(), service.into()],
                );
            }
        }
        if !sources.is_empty() {
            self.execute_later(
                &format!(
                    "DELETE FROM {{leases}} WHERE service = ? AND expires_at < ? AND {NEVER_RENEWED}"
                ),
                &[service.into(), at.into()],
            );
        }
    }

    /// Counts versions that the gate has let through like ones that have come: whoever asked is about to start them.
    ///
    /// # Errors
    /// A database error.
    pub async fn record_deploy(
        &mut self,
        candidates: &[(Named, crate::model::Version)],
    ) -> Result<(), LedgerError> {
        let seq = self.lock_admissions().await?.saturating_add(1);
        let view = self.view().await?;
        let mut live = view.named();
        live.extend(candidates.iter().map(|(who, _)| who.clone()));
        if !self.write_arrival(&view, &live, seq, &Occasion::Arrival) {
            return Ok(());
        }
        self.execute_later("UPDATE {admission} SET seq = ? WHERE id = 1", &[seq.into()]);
        for (who, version) in candidates {
            self.sight(&who.service, &who.label, Some(version), view.now, Some(seq))
                .await?;
        }
        Ok(())
    }
}

impl View {
    /// When the look before told all there is of a service; where there was none, when the earliest record was made
    /// that is not past its contract.
    fn looked_before(&self, source: &str, service: &str) -> i64 {
        let mut looked = self.memory.looked.iter();
        let looked = looked.find(|looked| looked.source == source && looked.service == service);
        let open = self
            .applied
            .iter()
            .filter(|applied| applied.state.phase != Phase::Contracted);
        match looked.map(|looked| looked.at) {
            Some(at) if at > 0 => at,
            _ => open
                .map(|applied| applied.changed_at)
                .min()
                .unwrap_or(self.now),
        }
    }
}
