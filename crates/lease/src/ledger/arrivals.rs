//! Arrivals: which versions were live whenever there were more of them than before, in order.
//!
//! A version that has gone before another came never wrote past it, so the row kinds of a migration follow these
//! moments one by one. An instance may add a row and change none: it can make the kinds more, never fewer.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::view::Sighting;
use super::{Ledger, LedgerError, View};
use crate::database::Row;
use crate::model::{Live, MigrationState, Version};

/// A version as its instances call it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Named {
    pub service: String,
    pub label: String,
}

impl Named {
    #[must_use]
    pub fn new(service: &str, label: &str) -> Self {
        Self {
            service: service.to_owned(),
            label: label.to_owned(),
        }
    }
}

/// A version that a program of before there were arrivals has admitted: beside whom, nobody has written down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stray {
    pub who: Named,
    /// The number of its latest admission of this sort.
    pub seq: i64,
}

/// The versions that were live at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// The number of the admission, or of the record, with which this began.
    pub seq: i64,
    /// Whoever was live then, the newcomers included; shared by moments of which nobody knows, so that they take no room each.
    pub live: Arc<BTreeSet<Named>>,
    /// What was known of strays then.
    pub strays: Vec<Stray>,
}

/// All moments that still matter, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Arrivals {
    /// The ledger was made by an earlier version of this program, and not completed since.
    #[default]
    NotKept,
    Kept(Vec<Arrival>),
}

/// Whether something is kept in this ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kept {
    Yes,
    No,
}

/// How much of the rows is read, in bytes with what each costs beside its texts. A fleet that fills it has more than ten thousand
/// moments since its oldest record.
const READ_BYTES: i64 = 16 << 20;

/// How many rows are read.
const READ_ROWS: usize = 1 << 16;

/// How long each of the two texts of a row may be, in bytes: [`super::checks`] has the database refuse longer ones.
const LONGEST_TEXT: usize = 1 << 20;

/// What is written where the names would be longer than that: [`read`] takes it for everybody.
const EVERYBODY: &str = "everybody";

/// The rows from the latest one back. An instance may write as many as it likes: what is beyond [`READ_BYTES`] comes without its
/// texts, which nobody has to take into memory to know that.
///
/// Invariant: of whatever is not read, [`read`] concludes more than what it could say.
pub(super) fn select() -> String {
    format!(
        "SELECT seq, CASE WHEN seq >= read_from THEN live ELSE '' END, CASE WHEN seq >= read_from THEN strays ELSE '' END \
         FROM (SELECT coalesce(min(seq), {}) AS read_from FROM \
         (SELECT seq, sum({{octets}}(live) + {{octets}}(strays) + 64) OVER (ORDER BY seq DESC) AS size FROM {{arrivals}}) AS sized \
         WHERE size <= {READ_BYTES}) AS bound CROSS JOIN {{arrivals}} ORDER BY seq DESC LIMIT {READ_ROWS}",
        i64::MAX
    )
}

/// What stands for [`SELECT`] where there is no such table.
pub(super) const SELECT_NOTHING: &str = "SELECT 0, '', '' FROM {meta} WHERE 1 = 0";

pub(super) fn read(
    kept: Kept,
    rows: &[Row],
    sightings: &[Sighting],
) -> Result<Arrivals, LedgerError> {
    if kept == Kept::No {
        return Ok(Arrivals::NotKept);
    }
    // What nobody can read may say anything: so whoever was ever there was there then, and beside everybody.
    let mut everybody = None;
    let mut everybody = || {
        let all = || Arc::new(sightings.iter().map(named).collect());
        Arc::clone(everybody.get_or_insert_with(all))
    };
    let mut arrivals: Vec<Arrival> = Vec::with_capacity(rows.len());
    let mut latest_unread = None;
    for (place, row) in rows.iter().rev().enumerate() {
        let texts = (row.text(1)?, row.text(2)?);
        // Each once, while it is read: anybody may repeat them as often as they like.
        let live = serde_json::from_str::<BTreeSet<(String, String)>>(texts.0);
        let strays = serde_json::from_str::<BTreeSet<(String, String, i64)>>(texts.1);
        // There may be others before the first that were not asked for.
        let is_read = place > 0 || rows.len() < READ_ROWS;
        if strays.is_err() || !is_read {
            latest_unread = Some(place);
        }
        let names = |(service, label)| Named { service, label };
        let live = match live {
            Ok(pairs) if is_read => Arc::new(pairs.into_iter().map(names).collect()),
            _ => everybody(),
        };
        let strays = strays.unwrap_or_default().into_iter();
        let strays = strays.map(|(service, label, seq)| Stray {
            who: Named { service, label },
            seq,
        });
        arrivals.push(Arrival {
            seq: row.int(0)?,
            live,
            strays: strays.collect(),
        });
    }
    // Of the same strays the latest word counts.
    if let Some(unread) = latest_unread.and_then(|place| arrivals.get_mut(place)) {
        let seq = unread.seq;
        let who = everybody();
        let all = who.iter().cloned().map(|who| Stray { who, seq });
        unread.strays.extend(all);
    }
    Ok(Arrivals::Kept(arrivals))
}

fn named(sighting: &Sighting) -> Named {
    Named::new(&sighting.service, &sighting.label.text)
}

/// How a row says it.
fn text(names: &serde_json::Value) -> String {
    Some(names.to_string())
        .filter(|text| text.len() <= LONGEST_TEXT)
        .unwrap_or_else(|| EVERYBODY.to_owned())
}

impl Arrivals {
    pub(super) fn rows(&self) -> &[Arrival] {
        match self {
            Self::NotKept => &[],
            Self::Kept(rows) => rows,
        }
    }

    /// The versions whose latest admission no row tells of, as far back as the rows go.
    fn strays(&self, sightings: &[Sighting]) -> Vec<Stray> {
        let rows = self.rows();
        let from = rows.first().map_or(1, |row| row.seq);
        let told: BTreeSet<i64> = rows.iter().map(|row| row.seq).collect();
        let unexplained = |sighting: &&Sighting| {
            sighting.seq >= from && !told.contains(&sighting.seq) && sighting.seq > 0
        };
        sightings
            .iter()
            .filter(unexplained)
            .map(|sighting| Stray {
                who: named(sighting),
                seq: sighting.seq,
            })
            .collect()
    }
}

/// What has come to be live since the records, ready to be followed.
pub(super) struct History {
    moments: Vec<(i64, Arc<[Live]>)>,
    strays: Vec<(i64, Live)>,
}

impl History {
    pub(super) fn of(arrivals: &Arrivals, sightings: &[Sighting]) -> Self {
        let mut versions: HashMap<(&str, &str), Option<&Version>> = HashMap::new();
        for sighting in sightings {
            let key = (sighting.service.as_str(), sighting.label.text.as_str());
            versions.insert(key, sighting.label.version.as_ref());
        }
        let place = |who: &Named| {
            let version = match versions.get(&(who.service.as_str(), who.label.as_str())) {
                Some(version) => version.cloned(),
                None => who.label.parse().ok(),
            };
            Some(Live {
                service: who.service.clone(),
                version: version?,
            })
        };
        let rows = arrivals.rows();
        let mut shared: HashMap<*const BTreeSet<Named>, Arc<[Live]>> = HashMap::new();
        let moments = rows.iter().map(|row| {
            let placed = shared.entry(Arc::as_ptr(&row.live));
            let placed = placed.or_insert_with(|| row.live.iter().filter_map(place).collect());
            (row.seq, Arc::clone(placed))
        });
        let told = rows.iter().flat_map(|row| row.strays.iter().cloned());
        let strays = told
            .chain(arrivals.strays(sightings))
            .filter_map(|stray| Some((stray.seq, place(&stray.who)?)));
        Self {
            moments: moments.collect(),
            strays: strays.collect(),
        }
    }

    /// What has become of a migration of which `state` was recorded with the number `seq`.
    ///
    /// Invariant: at each moment the kinds are widened by those who were live then, and by nobody who had gone before
    /// or came later; only strays count as live beside everybody.
    pub(super) fn follow(&self, state: &MigrationState, seq: i64) -> MigrationState {
        // Each once, by order: anybody who may register can make as many as they like.
        let since = self.strays.iter().filter(|(since, _)| *since > seq);
        let strays: BTreeSet<Live> = since.map(|(_, who)| who.clone()).collect();
        let strays: Vec<Live> = strays.into_iter().collect();
        let moments = self.moments.iter().filter(|(at, _)| *at > seq);
        let mut state = state.clone();
        let mut is_followed = strays.is_empty();
        // What each of those has made of it that are told of more than once: where it still is that, they make no more of it.
        let mut made: HashMap<*const Live, MigrationState> = HashMap::new();
        for (_, live) in moments {
            is_followed = true;
            let is_shared = Arc::strong_count(live) > 1;
            if is_shared && made.get(&live.as_ptr()) == Some(&state) {
                continue;
            }
            state = state.admitting(&crate::model::beside(live, &strays));
            if is_shared {
                made.insert(live.as_ptr(), state.clone());
            }
        }
        if is_followed {
            state
        } else {
            state.admitting(&strays)
        }
    }
}

impl View {
    /// Whoever is live now, by name.
    pub(super) fn named(&self) -> BTreeSet<Named> {
        let groups = self.groups.iter().chain(&self.remembered);
        groups
            .map(|group| Named::new(&group.service, &group.label.text))
            .collect()
    }

    /// Whether the latest moment does not tell of all of these versions, or has nothing to do with the latest record.
    fn is_news(&self, live: &BTreeSet<Named>) -> bool {
        let recorded = self.applied.iter().map(|applied| applied.seq).max();
        self.arrivals.rows().last().is_none_or(|last| {
            recorded.is_some_and(|seq| last.seq <= seq) || !live.is_subset(&last.live)
        })
    }
}

/// What a moment begins with.
pub(super) enum Occasion {
    /// Somebody has come; it is written down only where the one before does not tell of it.
    Arrival,
    /// A record was made: whoever is live goes on writing after it.
    Record,
}

impl View {
    /// What these versions are called: each by every name that it goes by.
    #[must_use]
    pub(super) fn names_of(&self, live: &[Live]) -> BTreeSet<Named> {
        let mut unnamed: BTreeSet<Live> = live.iter().cloned().collect();
        let all = unnamed.clone();
        let mut names = BTreeSet::new();
        for sighting in &self.sightings {
            let Some(version) = sighting.label.version.clone() else {
                continue;
            };
            let who = Live {
                service: sighting.service.clone(),
                version,
            };
            if all.contains(&who) {
                unnamed.remove(&who);
                names.insert(Named::new(&sighting.service, &sighting.label.text));
            }
        }
        // Seen by a source, and not written down yet.
        names.extend(
            unnamed
                .iter()
                .map(|who| Named::new(&who.service, &who.version.to_string())),
        );
        names
    }
}

impl Ledger<'_> {
    /// Writes down that these versions are live from the admission or the record `seq` on; whether there was
    /// anything to write down. Where arrivals are not kept, every admission counts as one that tells nothing of
    /// the others: the caller writes its number to the sightings as well.
    ///
    /// The caller holds [`Ledger::lock_admissions`], and `view` was read under it.
    pub(super) fn write_arrival(
        &mut self,
        view: &View,
        live: &BTreeSet<Named>,
        seq: i64,
        occasion: &Occasion,
    ) -> bool {
        let Arrivals::Kept(rows) = &view.arrivals else {
            return !live.is_empty();
        };
        let is_news = match occasion {
            Occasion::Arrival => view.is_news(live),
            Occasion::Record => {
                !live.is_empty() || rows.last().is_some_and(|last| !last.live.is_empty())
            }
        };
        if !is_news {
            return false;
        }
        let pairs: Vec<(&str, &str)> = live
            .iter()
            .map(|who| (who.service.as_str(), who.label.as_str()))
            .collect();
        let strays = view.arrivals.strays(&view.sightings);
        let strays: Vec<(&str, &str, i64)> = strays
            .iter()
            .map(|stray| {
                (
                    stray.who.service.as_str(),
                    stray.who.label.as_str(),
                    stray.seq,
                )
            })
            .collect();
        self.execute_later(
            "INSERT INTO {arrivals} (seq, at, live, strays) VALUES (?, {now}, ?, ?)",
            &[
                seq.into(),
                text(&serde_json::json!(pairs)).into(),
                text(&serde_json::json!(strays)).into(),
            ],
        );
        true
    }

    /// Counts these versions like ones that come after `seq`, the admissions so far. They go on writing
    /// after the record that is being made: together with versions admitted later they may leave
    /// rows that neither of them would leave alone, even if they are gone when that is looked at.
    pub fn go_on(&mut self, view: &View, live: &[Live], seq: i64) {
        let next = seq.saturating_add(1);
        let names = view.names_of(live);
        if !self.write_arrival(view, &names, next, &Occasion::Record) {
            return;
        }
        self.execute_later(
            "UPDATE {admission} SET seq = ? WHERE id = 1",
            &[next.into()],
        );
        for who in &names {
            self.execute_later(
                "UPDATE {sightings} SET seq = ? WHERE service = ? AND version = ?",
                &[
                    next.into(),
                    who.service.as_str().into(),
                    who.label.as_str().into(),
                ],
            );
        }
        if matches!(view.arrivals, Arrivals::Kept(_)) {
            // What every record takes into account already. Nothing changes a migration any more that is contracted.
            self.execute_later(
                "DELETE FROM {arrivals} WHERE seq <= \
                 COALESCE((SELECT min(seq) FROM {migrations} WHERE phase <> 'contracted'), ?)",
                &[seq.into()],
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::{Declaration, Fill, Label, Parts, Phase, Rows, Sync, Touched, Usage};

    /// What is old and new for reads and for writes, whether rows change, and what is kept in step.
    type Words = ([&'static str; 4], Rows, Sync);

    const DECLARATIONS: [Words; 5] = [
        (
            ["<1.2.0", ">=1.1.0", "<1.2.0", ">=1.1.0"],
            Rows::Mutable,
            Sync::None,
        ),
        (
            ["<1.2.0", ">=1.1.0", "<1.1.0", ">=1.1.0"],
            Rows::Mutable,
            Sync::None,
        ),
        (
            ["<1.2.0", ">=1.2.0", "<1.3.0", ">=1.1.0"],
            Rows::Mutable,
            Sync::None,
        ),
        (
            ["<1.2.0", ">=1.1.0", "<1.2.0", ">=1.1.0"],
            Rows::AppendOnly,
            Sync::None,
        ),
        (
            ["<1.2.0", ">=1.1.0", "<1.2.0", ">=1.1.0"],
            Rows::Mutable,
            Sync::Both,
        ),
    ];
    const VERSIONS: [&str; 4] = ["1.0.0", "1.1.0", "1.2.0", "1.3.0"];

    fn sighting(version: &str, seq: i64) -> Sighting {
        Sighting {
            service: "web".into(),
            label: Label {
                text: version.into(),
                version: version.parse().ok(),
            },
            last_seen_at: 0,
            seq,
        }
    }

    fn names(versions: &BTreeSet<usize>) -> BTreeSet<Named> {
        let names = versions.iter().filter_map(|at| VERSIONS.get(*at));
        names.map(|version| Named::new("web", version)).collect()
    }

    fn declaration((ranges, rows, sync): Words) -> Declaration {
        let [reads_old, reads_new, writes_old, writes_new] =
            ranges.map(|range| Some(range.parse().unwrap()));
        let usage = Usage {
            reads: Touched {
                old: reads_old,
                new: reads_new,
            },
            writes: Touched {
                old: writes_old,
                new: writes_new,
            },
        };
        Declaration {
            id: "0001_a".parse().unwrap(),
            description: String::new(),
            services: [("web".to_owned(), usage)].into(),
            sync,
            rows,
            parts: Parts {
                expand: true,
                backfill: true,
                contract: true,
                ..Parts::default()
            },
            fill: Fill::Unsaid,
        }
    }

    fn live(version: &str) -> Live {
        Live {
            service: "web".to_owned(),
            version: version.parse().unwrap(),
        }
    }

    fn expanded(words: Words, phase: Phase) -> MigrationState {
        MigrationState {
            declaration: declaration(words),
            phase,
            kinds: "FA".parse().unwrap(),
        }
    }

    proptest! {
        /// What is written down comes to the same as following every event at once; closing over all that ever
        /// came never says less.
        #[test]
        fn what_is_written_down_is_what_happened(
            words in prop::sample::select(DECLARATIONS.to_vec()),
            filled: bool,
            events in prop::collection::vec((0usize..4, any::<bool>()), 0..20),
        ) {
            let phase = if filled { Phase::Backfilled } else { Phase::Expanded };
            let recorded = expanded(words, phase);
            let (mut state, mut present) = (recorded.clone(), BTreeSet::new());
            let mut rows: Vec<Arrival> = Vec::new();
            let mut ever = BTreeSet::new();
            for (seq, (who, comes)) in (2..).zip(events) {
                if !comes {
                    present.remove(&who);
                    continue;
                }
                present.insert(who);
                ever.insert(who);
                let together: Vec<Live> =
                    present.iter().map(|at| live(VERSIONS[*at])).collect();
                state = state.admitting(&together);
                let now = names(&present);
                if rows.last().is_none_or(|last| !now.is_subset(&last.live)) {
                    rows.push(Arrival { seq, live: Arc::new(now), strays: Vec::new() });
                }
            }
            let sightings: Vec<Sighting> = VERSIONS.iter().map(|version| sighting(version, 0)).collect();
            let history = History::of(&Arrivals::Kept(rows.clone()), &sightings);
            prop_assert_eq!(&history.follow(&recorded, 1), &state);
            // As a ledger of before tells it.
            let before: Vec<Sighting> =
                ever.iter().map(|at| sighting(VERSIONS[*at], 2)).collect();
            let at_once = History::of(&Arrivals::NotKept, &before).follow(&recorded, 1);
            prop_assert!(state.kinds.is_subset_of(at_once.kinds));
            prop_assert!(state.phase == at_once.phase || at_once.phase == Phase::Expanded);
        }
    }

    #[test]
    fn who_has_gone_is_not_live_beside_who_comes() {
        let recorded = expanded(DECLARATIONS[0], Phase::Expanded);
        let row = |seq, at| Arrival {
            seq,
            live: Arc::new(names(&BTreeSet::from([at]))),
            strays: Vec::new(),
        };
        let sightings = [sighting("1.0.0", 2), sighting("1.1.0", 3)];
        let kept = Arrivals::Kept(vec![row(2, 0), row(3, 1)]);
        let kinds = |arrivals: &Arrivals, sightings: &[Sighting]| {
            let followed = History::of(arrivals, sightings).follow(&recorded, 1);
            followed.kinds.to_string()
        };
        assert_eq!(kinds(&kept, &sightings), "FF FA");
        assert_eq!(kinds(&Arrivals::NotKept, &sightings), "FF FS FA");
        // One whose latest admission no row tells of may have been there all along.
        let stray = [sighting("1.0.0", 4), sighting("1.1.0", 3)];
        assert_eq!(kinds(&kept, &stray), "FF FS FA");
        // And stays so when a later row has taken its place.
        let mut later = row(5, 0);
        later.strays = kept.strays(&stray);
        let kept = Arrivals::Kept(vec![row(2, 0), row(3, 1), later]);
        assert_eq!(
            kinds(&kept, &[sighting("1.0.0", 5), sighting("1.1.0", 3)]),
            "FF FS FA"
        );
        // A record of a later moment knows of all that.
        let after = History::of(&kept, &stray).follow(&recorded, 5);
        assert_eq!(after, recorded);
    }
}
