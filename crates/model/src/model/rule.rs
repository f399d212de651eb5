//! The one rule: an action is allowed if the state after it, and every state while it runs,
//! satisfies the invariant. What blocks an action are the clauses that would break.

use std::collections::{BTreeMap, BTreeSet};

use super::blame::writers_of;
use super::{
    Breach, Clause, Declaration, Format, Formats, Freshness, Live, MigrationState, Phase, RowKind,
    RowKinds, Step, Sync,
};

impl MigrationState {
    /// The clauses of the invariant that do not hold while these versions are live.
    #[must_use]
    pub fn breaches(&self, live: &[Live]) -> Vec<Breach> {
        breaches(self, live)
    }

    /// The states that `step` passes through, ending with the one after it, while these versions
    /// are live. Whether it may be taken at all is for the invariant to say.
    #[must_use]
    pub fn states_during(&self, step: Step, live: &[Live]) -> Vec<Self> {
        let at = |phase, kinds| Self {
            declaration: self.declaration.clone(),
            phase,
            kinds,
        };
        match step {
            Step::Expand => {
                let during = at(Phase::Expanding, self.kinds);
                let after = at(Phase::Expanded, self.kinds_after_expand(live));
                vec![during, after]
            }
            Step::Backfill => {
                let before = self.reachable(live);
                let filled = kinds_after_backfill(before);
                // Rows that are done and rows that are not lie side by side until the end.
                let during = at(Phase::Backfilling, before.union(filled));
                vec![during, at(Phase::Backfilled, filled)]
            }
            Step::Contract => {
                let during = at(Phase::Contracting, self.reachable(live));
                let after = at(Phase::Contracted, during.kinds_without(Format::Old));
                vec![during, after]
            }
            Step::Revert => {
                let during = at(Phase::Reverting, self.reachable(live));
                let after = Self {
                    phase: Phase::Pending,
                    kinds: during.kinds_without(Format::New),
                    declaration: self.declaration.clone(),
                };
                vec![during, after]
            }
        }
    }

    /// The state that is recorded when `step` begins: a fence is up, or a backfill is under way.
    #[must_use]
    pub fn begun(&self, step: Step, live: &[Live]) -> Self {
        let states = self.states_during(step, live);
        states.into_iter().next().unwrap_or_else(|| self.clone())
    }

    /// The state that is recorded when a step is given up and the migration goes back to `to`,
    /// nothing having been taken away yet.
    ///
    /// Old-only writers may have been admitted behind the fence of a revert, so *backfilled* is gone
    /// back to only where it still says what it means.
    #[must_use]
    pub fn given_up(&self, to: Phase, live: &[Live]) -> Self {
        let kinds = self.before_any_fence().reachable(live);
        let is_undone = to == Phase::Backfilled && !kinds.all_new_fresh();
        Self {
            phase: if is_undone { Phase::Expanded } else { to },
            kinds,
            declaration: self.declaration.clone(),
        }
    }

    /// The state that is recorded once `step` is done.
    #[must_use]
    pub fn after(&self, step: Step, live: &[Live]) -> Self {
        let mut states = self.states_during(step, live);
        states.pop().unwrap_or_else(|| self.clone())
    }

    /// The clauses that hold now and would not after `step`.
    #[must_use]
    pub fn breaches_of(&self, step: Step, live: &[Live]) -> Vec<Breach> {
        let mut present = self.breaches(live);
        if step == Step::Expand {
            // What runs before its format is there, and may be the code of before, is judged by each of its readings as
            // soon as the format is: that is no doing of this step.
            present.extend(self.in_every_reading().breaches(live));
        }
        let made = match step {
            Step::Backfill => made_by_backfill(self.reachable(live)),
            _ => RowKinds::EMPTY,
        };
        present.retain(|breach| match step {
            Step::Expand => true,
            // It ends by promising that every row is filled, whoever broke that promise before; and what it
            // would make more of is its own doing.
            Step::Backfill => {
                let is_made = breach.clause.kind().is_some_and(|kind| made.contains(kind));
                !is_made && !matches!(breach.clause, Clause::Filled(_))
            }
            // What they take away stays away: a breach that is there already, such as a version
            // still behind the fence that this very step put up, is no excuse.
            Step::Contract | Step::Revert => false,
        });
        let mut found = Vec::new();
        for state in self.states_during(step, live) {
            for breach in state.breaches(live) {
                let known = present
                    .iter()
                    .chain(&found)
                    .any(|other: &Breach| other.clause == breach.clause && other.who == breach.who);
                // A version that came before its format is broken already, and expanding is the
                // first step of its cure.
                let came_too_early = present
                    .iter()
                    .any(|other| other.clause == Clause::NewIsThere && other.who == breach.who);
                if !known && !came_too_early {
                    found.push(breach);
                }
            }
        }
        found
    }

    /// As it would be if a version that runs already, before the new format is there, could be new code after all.
    fn in_every_reading(&self) -> Self {
        let mut declaration = self.declaration.clone();
        declaration.sync = Sync::None;
        Self {
            declaration,
            phase: Phase::Expanded,
            kinds: self.kinds,
        }
    }

    /// What is recorded when `who` is admitted: its writes widen the row kinds, and a backfill
    /// that they would undo has to run again.
    #[must_use]
    pub fn admitting(&self, live: &[Live]) -> Self {
        let mut state = self.clone();
        // While expand runs, only old formats are written: what they leave is known (see
        // `kinds_after_expand`), and recording it now would mix it with what came before the sync.
        if self.phase != Phase::Expanding {
            // While a revert runs, only old formats are written: without the sync they leave nothing
            // that outlives it, and if it is given up before it has begun the sync was there.
            state.kinds = self.before_any_fence().reachable(live);
        }
        if matches!(self.phase, Phase::Backfilling | Phase::Backfilled) {
            // A backfill under way is undone by a writer that leaves rows behind it unfilled.
            let filled = Self {
                kinds: kinds_after_backfill(self.kinds),
                ..self.clone()
            };
            if !filled.reachable(live).all_new_fresh() {
                state.phase = Phase::Expanded;
            }
        }
        state
    }

    /// The clauses that starting `candidates` beside the live versions would break.
    ///
    /// Invariant: what is broken already excuses only what the candidates have no part in: nothing that they
    /// cannot read themselves, and no row kind that their writes bring about or keep up, whoever cannot read it.
    #[must_use]
    pub fn breaches_of_admitting(&self, candidates: &[Live], live: &[Live]) -> Vec<Breach> {
        let together = beside(live, candidates);
        // The state before names who brings a row kind about; the one after has recorded it.
        let after = Self {
            kinds: self.kinds,
            ..self.admitting(&together)
        };
        let mut found = after.breaches(&together);
        if found.is_empty() {
            return found;
        }
        let present = self.breaches(live);
        let theirs = after.kinds_through(candidates, &together);
        found.retain_mut(|breach| {
            let is_candidate = breach
                .who
                .as_ref()
                .is_some_and(|who| candidates.contains(who));
            let was_there = present
                .iter()
                .any(|other| other.clause == breach.clause && other.who == breach.who);
            // One more instance of what runs already is judged like a new one: it may be the
            // fence that the version is running into.
            if is_candidate || !was_there {
                return true;
            }
            let is_theirs = breach
                .clause
                .kind()
                .is_some_and(|kind| theirs.contains(kind));
            if is_theirs && breach.writers.is_empty() {
                breach.writers = candidates
                    .iter()
                    .filter(|who| self.writes_anything(who))
                    .cloned()
                    .collect();
            }
            is_theirs
        });
        found
    }

    /// The row kinds that rows come to through a write of one of `writers`: by it, or by what the others that
    /// are live do to those rows afterwards.
    fn kinds_through(&self, writers: &[Live], live: &[Live]) -> RowKinds {
        let declaration = &self.declaration;
        let syncs = self.syncs();
        let written = |who: &[Live]| -> Vec<Formats> {
            let writes = who.iter().flat_map(|who| self.writes_of(who));
            let writes = writes.filter(|writes| !writes.is_empty());
            writes
                .flat_map(|writes| syncs.iter().map(move |sync| sync.extend(writes)))
                .collect()
        };
        let theirs = written(writers);
        if theirs.is_empty() {
            return RowKinds::EMPTY;
        }
        let reachable = self.reachable(live);
        let first = reachable.after_one_write(&theirs, declaration.rows);
        let later = first.closed_under_updates(&written(live), declaration.rows);
        if self.phase == Phase::Backfilling {
            let overwrites = reachable.iter().any(|kind| kind.new == Freshness::Stale);
            let passed = later
                .iter()
                .map(|kind| passed_by_backfill(kind, overwrites));
            return later.union(passed.collect());
        }
        later
    }

    fn writes_anything(&self, who: &Live) -> bool {
        let declaration = &self.declaration;
        let behaviours = declaration.behaviours(&who.service, &who.version);
        behaviours.iter().any(|b| !b.writes.is_empty())
    }

    pub(super) fn kinds_after_expand(&self, live: &[Live]) -> RowKinds {
        let before = self.reachable(live);
        let declaration = &self.declaration;
        if !declaration.has_new() || !declaration.sync.refreshes_new() {
            return before;
        }
        if declaration.parts.backfill {
            // Rows may have been synced by writers that are gone by now.
            let any_old_writer = declaration.has_old().then_some(RowKind::BOTH_FRESH);
            before.iter().chain(any_old_writer).collect()
        } else {
            before.backfilled()
        }
    }

    /// The kinds that are left when one format is taken away.
    fn kinds_without(&self, format: Format) -> RowKinds {
        let declaration = &self.declaration;
        // Nothing to carry over: the data of the format that goes is not wanted any more.
        let carries = match format {
            Format::Old => declaration.has_new(),
            Format::New => true,
        };
        if !carries {
            return RowKinds::EMPTY;
        }
        self.kinds
            .iter()
            .map(|kind| match format {
                Format::Old => RowKind {
                    old: Freshness::Absent,
                    ..kind
                },
                Format::New => RowKind {
                    new: Freshness::Absent,
                    ..kind
                },
            })
            .collect()
    }
}

/// The live versions and the candidates, each once.
pub fn beside(live: &[Live], candidates: &[Live]) -> Vec<Live> {
    // As many as somebody who may register has written down.
    let mut known: BTreeSet<&Live> = live.iter().collect();
    let new = candidates.iter().filter(|who| known.insert(who));
    live.iter().chain(new).cloned().collect()
}

/// Where a new format may be stale, a backfill has to overwrite it from the old one, whatever that
/// is worth; where it is only missing, the backfill leaves what is there alone.
fn kinds_after_backfill(kinds: RowKinds) -> RowKinds {
    let overwrites = kinds.iter().any(|kind| kind.new == Freshness::Stale);
    let passed = kinds
        .iter()
        .map(|kind| passed_by_backfill(kind, overwrites));
    passed.collect()
}

/// The kinds that rows get only because a backfill changes them.
fn made_by_backfill(kinds: RowKinds) -> RowKinds {
    let overwrites = kinds.iter().any(|kind| kind.new == Freshness::Stale);
    let passed = kinds.iter().filter_map(|kind| {
        let after = passed_by_backfill(kind, overwrites);
        (after != kind).then_some(after)
    });
    passed.collect()
}

fn passed_by_backfill(kind: RowKind, overwrites: bool) -> RowKind {
    if overwrites || kind.new == Freshness::Absent {
        RowKind {
            new: kind.old,
            ..kind
        }
    } else {
        kind
    }
}

pub(super) fn breaches(state: &MigrationState, live: &[Live]) -> Vec<Breach> {
    let mut found: Vec<Breach> = Vec::new();
    let reachable = state.reachable(live);
    let new_is_missing = !state.expand_is_done();
    let old_is_going = state.phase.contract_has_begun();
    // The same for every version that cannot read such a row.
    let mut writers_of_kinds: BTreeMap<RowKind, Vec<Live>> = BTreeMap::new();
    for (who, behaviour) in state.behaviours(live) {
        let mut add = |clause, writers: &[Live]| {
            // The behaviours of one version follow one another.
            let mut of_it = found
                .iter()
                .rev()
                .take_while(|other| other.who.as_ref() == Some(who));
            if !of_it.any(|other| other.clause == clause) {
                found.push(Breach {
                    clause,
                    who: Some(who.clone()),
                    writers: writers.to_vec(),
                });
            }
        };
        let touches = |format| behaviour.touches(format);
        if touches(Format::New) && new_is_missing {
            add(Clause::NewIsThere, &[]);
        }
        if touches(Format::Old) && old_is_going {
            add(Clause::OldIsThere, &[]);
        }
        // While a fence is up but nothing has been taken away, the versions behind it still read.
        // Once a format is gone, clause 1 or 2 has said all there is to say.
        let reads_what_is_gone =
            touches(Format::New) && new_is_missing && state.phase == Phase::Pending
                || touches(Format::Old) && state.phase == Phase::Contracted;
        if !reads_what_is_gone {
            for kind in reachable.iter().filter(|kind| !behaviour.can_read(*kind)) {
                let writers = writers_of_kinds
                    .entry(kind)
                    .or_insert_with(|| writers_of(state, live, kind));
                add(Clause::Readable(kind), writers);
            }
        }
    }
    let lost = |kind: &RowKind| kind.old != Freshness::Fresh && kind.new != Freshness::Fresh;
    // A backfill under way goes over every row that may appear before it ends.
    let touched = if state.phase == Phase::Backfilling {
        reachable.union(kinds_after_backfill(reachable))
    } else {
        reachable
    };
    for kind in touched.iter() {
        let clause = if lost(&kind) {
            Clause::NothingIsLost(kind)
        } else if state.phase == Phase::Backfilled && kind.new != Freshness::Fresh {
            Clause::Filled(kind)
        } else {
            continue;
        };
        let mut writers = writers_of(state, live, kind);
        if matches!(clause, Clause::Filled(_)) {
            // Who leaves the new format fresh is not in the way of a backfill, whatever others make of such a row.
            writers.retain(|who| state.leaves_new_unfilled(who));
        }
        found.push(Breach {
            clause,
            who: None,
            writers,
        });
    }
    found
}

impl Declaration {
    /// Whether the contract can ever be reached: something has to bring the existing rows into
    /// the new format.
    #[must_use]
    pub fn existing_rows_reach_new(&self) -> bool {
        !self.has_old()
            || !self.has_new()
            || self.parts.backfill
            || matches!(self.sync, Sync::Both | Sync::ToNew)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::testing::{declaration, live};

    fn state(phase: Phase, kinds: &str, text: &str) -> MigrationState {
        MigrationState {
            declaration: declaration(text),
            phase,
            kinds: kinds.parse().unwrap(),
        }
    }

    #[test]
    fn a_fence_is_lowered_to_backfilled_only_where_that_is_true() {
        let rows = "old <1.2.0 new >=1.1.0 append-only backfill contract";
        let old_only = [live("web 1.0.0")];
        for phase in [Phase::Contracting, Phase::Reverting] {
            let fenced = state(phase, "FF", rows);
            let back = fenced.given_up(Phase::Backfilled, &[]);
            assert_eq!((back.phase, back.kinds), (Phase::Backfilled, fenced.kinds));
            let undone = fenced.admitting(&old_only).given_up(Phase::Backfilled, &[]);
            assert_eq!(undone.phase, Phase::Expanded);
            assert!(undone.kinds.contains(RowKind::ORIGINAL));
        }
    }

    /// It runs although the format is not there: whatever else its name may stand for, it has written none of it.
    #[test]
    fn what_runs_before_the_new_format_is_there_has_not_written_it() {
        for sync in ["none", "both", "to-new", "to-old"] {
            for rows in ["", "append-only", "backfill"] {
                let text = format!("old <1.2.0 new >=1.1.0 {rows} sync {sync} contract");
                let pending = MigrationState::pending(declaration(&text));
                for (one, like) in [
                    ("web 1.0.0-14-gabc1234", "web 1.0.0"),
                    ("web 1.1.0-rc.1", "web 1.0.9"),
                ] {
                    let after = |who| pending.after(Step::Expand, &[live(who)]).kinds;
                    assert_eq!(after(one), after(like), "{one}: {text}");
                    let expands = pending.breaches_of(Step::Expand, &[live(one)]);
                    assert!(expands.is_empty(), "{one}: {text}: {expands:?}");
                }
            }
        }
        // With a sync that fills in what is there, it may start again.
        let expanded =
            MigrationState::pending(declaration("old <1.2.0 new >=1.1.0 sync both contract"));
        let expanded = expanded.after(Step::Expand, &[live("web 1.0.0-14-gabc1234")]);
        for version in ["1.0.0-14-gabc1234", "1.0.0", "1.1.0", "1.2.0"] {
            let who = live(&format!("web {version}"));
            let breaches = expanded.breaches_of_admitting(&[who], &[]);
            assert!(breaches.is_empty(), "{version}: {breaches:?}");
        }
    }

    /// One that was started too early, or whose pod only waits for the expand, is no reason to keep out what runs well.
    #[test]
    fn what_came_before_the_expand_has_left_nothing_behind() {
        for text in [
            "old <1.2.0 new >=1.2.0 sync both backfill contract revert",
            "old <1.2.0 new >=1.1.0 sync both backfill contract revert",
            "old <1.2.0 new >=1.2.0 sync both contract revert",
            "old <1.2.0 new >=1.2.0 sync none backfill contract revert",
        ] {
            let pending = MigrationState::pending(declaration(text));
            let both = [live("web 1.0.0"), live("web 1.2.0")];
            let back = pending.breaches_of_admitting(&[live("web 1.0.0")], &both);
            assert!(back.is_empty(), "{text}: {back:?}");
            let recorded = pending.admitting(&both);
            assert_eq!(recorded.kinds, pending.kinds, "{text}");
            let expanded = pending.after(Step::Expand, &both);
            let alone = pending.after(Step::Expand, &[live("web 1.0.0")]);
            assert_eq!(expanded.kinds, alone.kinds, "{text}");
        }
        // What is one more value may have been written before.
        let widened = "old <1.2.0 new >=1.2.0 sync to-new contract";
        let pending = MigrationState::pending(declaration(widened));
        let early = [live("web 1.0.0"), live("web 1.2.0")];
        assert!(
            !pending
                .breaches_of_admitting(&[live("web 1.0.0")], &early)
                .is_empty()
        );
    }

    /// Whoever may register can make as many as this, and each admission looks at them for each migration.
    #[test]
    fn many_versions_are_put_beside_each_other_in_no_time() {
        let many = |service: &str| -> Vec<Live> {
            let each = (0..60_000).map(|minor| Live {
                service: service.to_owned(),
                version: crate::model::Version::new(1, minor, 0),
            });
            each.collect()
        };
        let (web, worker) = (many("web"), many("worker"));
        let began = std::time::Instant::now();
        let together = beside(&web, &[&worker[..], &web, &worker].concat());
        assert_eq!(together, [web, worker].concat());
        let took = began.elapsed();
        assert!(took < std::time::Duration::from_secs(10), "{took:?}");
    }

    #[test]
    fn a_revert_that_is_given_up_has_left_the_sync_in_place() {
        let rows = "old <1.2.0 new >=1.1.0 sync both backfill contract revert";
        let fenced = state(Phase::Reverting, "FF", rows);
        let both = [live("web 1.0.0"), live("web 1.1.0")];
        let back = fenced.admitting(&both).given_up(Phase::Backfilled, &both);
        assert_eq!((back.phase, back.kinds), (Phase::Backfilled, fenced.kinds));
    }
}
