//! Which of the live versions a row kind comes from.

use std::collections::BTreeSet;

use super::{Formats, Live, MigrationState, RowKind, Sync};

/// The live versions without which `kind` could not exist; empty if it may exist without them.
///
/// Asked of kinds of version rather than of each: a fleet may have a thousand versions, and they write in few ways.
pub(super) fn writers_of(state: &MigrationState, live: &[Live], kind: RowKind) -> Vec<Live> {
    if state.kinds.contains(kind) {
        return Vec::new();
    }
    let alike = alike(state, live);
    let named = |is_named: &dyn Fn(usize, &Alike) -> bool| -> BTreeSet<&Live> {
        let named = alike.iter().enumerate();
        let named = named.filter(|(index, one)| is_named(*index, one));
        named
            .flat_map(|(_, one)| one.versions.iter().copied())
            .collect()
    };
    let is_needed = |index: usize, one: &Alike| {
        let others: Vec<Formats> = others(&alike, index).collect();
        one.is_one_version() && !state.synced_writes(&others).contains(kind)
    };
    let mut writers = named(&is_needed);
    if writers.is_empty() {
        writers = named(&|index, _| brings_about(state, &alike, index, kind));
    }
    let in_their_order = live.iter().filter(|who| writers.contains(who));
    in_their_order.cloned().collect()
}

/// Live versions that write the same formats.
struct Alike<'a> {
    writes: Vec<Formats>,
    versions: Vec<&'a Live>,
}

impl Alike<'_> {
    fn is_one_version(&self) -> bool {
        self.versions.windows(2).all(|pair| pair[0] == pair[1])
    }
}

fn alike<'a>(state: &MigrationState, live: &'a [Live]) -> Vec<Alike<'a>> {
    let mut alike: Vec<Alike> = Vec::new();
    for who in live {
        let writes = state.writes_of(who).into_iter();
        let writes: Vec<Formats> = writes.filter(|writes| !writes.is_empty()).collect();
        match alike.iter_mut().find(|one| one.writes == writes) {
            Some(one) => one.versions.push(who),
            None => alike.push(Alike {
                writes,
                versions: vec![who],
            }),
        }
    }
    alike
}

/// What is written beside one version of these: by all others, those like it among them.
fn others<'a>(alike: &'a [Alike], index: usize) -> impl Iterator<Item = Formats> + 'a {
    let others = alike.iter().enumerate();
    let others = others.filter(move |(other, one)| *other != index || !one.is_one_version());
    others.flat_map(|(_, one)| one.writes.iter().copied())
}

/// Whether there are writes of others that `kind` does not come from, and does together with the writes of these: where several
/// versions can each bring it about, none of them is needed, and yet not all that write have a part in it.
fn brings_about(state: &MigrationState, alike: &[Alike], index: usize, kind: RowKind) -> bool {
    let own = &alike[index].writes;
    let mut different: Vec<Formats> = Vec::new();
    for written in others(alike, index) {
        if !different.contains(&written) {
            different.push(written);
        }
    }
    // At most three are different, so at most eight sets of them.
    (0..1u8 << different.len()).any(|chosen| {
        let some = different.iter().enumerate();
        let some = some.filter(|(index, _)| chosen & 1 << index != 0);
        let mut writes: Vec<Formats> = some.map(|(_, written)| *written).collect();
        let without = state.synced_writes(&writes).contains(kind);
        writes.extend(own);
        !without && state.synced_writes(&writes).contains(kind)
    })
}

impl MigrationState {
    /// Whether some write of this version does not leave the new format fresh.
    pub(super) fn leaves_new_unfilled(&self, who: &Live) -> bool {
        let mut writes = self.writes_of(who).into_iter();
        writes.any(|writes| {
            let is_unfilled = |sync: &Sync| !sync.extend(writes).new;
            !writes.is_empty() && self.syncs().iter().any(is_unfilled)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Phase;
    use crate::model::testing::{declaration, live};

    /// Two versions that each leave rows unfilled: neither is needed for it, and the third has no part in it.
    #[test]
    fn who_has_no_part_in_a_row_kind_is_not_named() {
        let rows = "worker: old <1.2.0 web: writes new >=1.1.0 sync to-old backfill contract";
        let both = [live("worker 1.0.0"), live("worker 1.0.5")];
        let all = [&both[..], &[live("web 1.1.0")]].concat();
        let blamed = |kind: &str, kinds: &str, live: &[Live]| {
            let filled = MigrationState {
                declaration: declaration(rows),
                phase: Phase::Backfilled,
                kinds: kinds.parse().unwrap(),
            };
            let kind = RowKind::all().find(|other| other.to_string() == kind);
            let breaches = filled.breaches(live).into_iter();
            let of_it = breaches.filter(|breach| breach.clause.kind() == kind);
            of_it.flat_map(|breach| breach.writers).collect::<Vec<_>>()
        };
        assert_eq!(blamed("FA", "FF", &all), both);
        assert_eq!(blamed("FS", "FF", &all), both);
        // Such rows only come from both together, and what is unfilled is the work of one.
        let mixed = [live("worker 1.0.0"), live("web 1.1.0")];
        assert_eq!(blamed("FS", "", &mixed), mixed[..1]);
    }
}
