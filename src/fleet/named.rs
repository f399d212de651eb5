//! One name in one service is one instance, however many rows of a source it stands in.

use std::collections::HashMap;

use crate::model::{InstanceState, Label};
use crate::source::Instance;
use crate::text::shown::shortened;

/// A row of a source, and where its version lies.
pub(super) struct Placed {
    pub instance: Instance,
    pub label: Label,
}

/// What the rows of a source come to.
#[derive(Default)]
pub(super) struct Named {
    /// One for each version of each instance.
    pub rows: Vec<Placed>,
    pub instances: u64,
    /// What is said of names that stand at several versions.
    pub notes: Vec<String>,
}

/// How many names are told one by one, and how long each is.
const MOST_TOLD: usize = 5;
const LONGEST_TOLD: usize = 100;

/// Puts rows of one instance together.
///
/// Invariant: an instance proves itself once at most, and not at all where its rows contradict each other; every version
/// that it is said to be counts as live.
pub(super) fn one_each(rows: Vec<Placed>) -> Named {
    let mut places = HashMap::<(String, String), usize>::new();
    let mut instances: Vec<Vec<Placed>> = Vec::new();
    for row in rows {
        let name = row.instance.instance.trim().to_owned();
        let key = (row.instance.service.clone(), name);
        let at = *places.entry(key).or_insert(instances.len());
        match instances.get_mut(at) {
            Some(known) => join(known, row),
            None => instances.push(vec![row]),
        }
    }
    let mut named = Named {
        instances: u64::try_from(instances.len()).unwrap_or(u64::MAX),
        ..Named::default()
    };
    for mut rows in instances {
        if let Some(note) = contradict(&mut rows)
            && named.notes.len() < MOST_TOLD
        {
            named.notes.push(note);
        }
        named.rows.append(&mut rows);
    }
    named
}

fn join(known: &mut Vec<Placed>, row: Placed) {
    let is_same = |other: &&mut Placed| match (&other.label.version, &row.label.version) {
        (None, None) => other.label.text == row.label.text,
        (one, other) => one == other,
    };
    match known.iter_mut().find(is_same) {
        Some(same) => {
            let instance = &mut same.instance;
            if doubt(row.instance.state) > doubt(instance.state) {
                instance.state = row.instance.state;
            }
            instance.age_ms = instance.age_ms.max(row.instance.age_ms);
        }
        None => known.push(row),
    }
}

/// How little a state proves; of those that prove the same, the one that is about to go says less.
const fn doubt(state: InstanceState) -> u8 {
    match state {
        InstanceState::Draining => 0,
        InstanceState::Serving => 1,
        InstanceState::Superseded => 2,
        InstanceState::Lost => 3,
        InstanceState::Starting => 4,
        InstanceState::Unreadable => 5,
        InstanceState::Contradictory => 6,
    }
}

/// Marks the rows of one instance that stand at different versions. One that drains while another has its name is what was
/// there before.
fn contradict(rows: &mut [Placed]) -> Option<String> {
    let staying = rows
        .iter()
        .filter(|row| row.instance.state != InstanceState::Draining)
        .count();
    if rows.len() < 2 {
        return None;
    }
    for row in rows.iter_mut() {
        row.instance.state = match row.instance.state {
            InstanceState::Draining if staying == 1 => InstanceState::Superseded,
            state if staying == 1 => state,
            _ => InstanceState::Contradictory,
        };
    }
    if staying == 1 {
        return None;
    }
    let first = rows.first()?;
    let versions: Vec<_> = rows
        .iter()
        .take(MOST_TOLD)
        .map(|row| shortened(&row.label.text, LONGEST_TOLD))
        .collect();
    Some(format!(
        "`{}` of {} is listed at several versions ({}): it is one instance that counts as live at each of them, and proves nothing",
        shortened(&first.instance.instance, LONGEST_TOLD),
        first.instance.service,
        versions.join(", ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use InstanceState::{Contradictory, Draining, Serving, Starting, Superseded};

    fn named(rows: &[(&str, &str, InstanceState)]) -> (Vec<(String, String, InstanceState)>, u64) {
        let rows = rows.iter().map(|(name, label, state)| Placed {
            instance: Instance {
                service: "web".to_owned(),
                instance: (*name).to_owned(),
                label: (*label).to_owned(),
                state: *state,
                image: None,
                template: None,
                age_ms: 0,
                about: None,
            },
            label: Label {
                text: (*label).to_owned(),
                version: label.trim_start_matches('v').parse().ok(),
            },
        });
        let named = one_each(rows.collect());
        let rows = named.rows.into_iter();
        let rows = rows.map(|row| (row.instance.instance, row.label.text, row.instance.state));
        (rows.collect(), named.instances)
    }

    #[test]
    fn rows_of_one_name_are_one_instance() {
        let row = |name: &str, label: &str, state| (name.to_owned(), label.to_owned(), state);
        let same = [
            ("a", "1.2.0", Serving),
            ("a", "v1.2.0", Serving),
            (" a", "1.2.0", Draining),
        ];
        assert_eq!(named(&same), (vec![row("a", "1.2.0", Serving)], 1));
        let starts = [("a", "1.2.0", Serving), ("a", "1.2.0", Starting)];
        assert_eq!(named(&starts), (vec![row("a", "1.2.0", Starting)], 1));
        let apart = [("a", "1.2.0", Serving), ("b", "1.2.0", Serving)];
        assert_eq!(named(&apart).1, 2);
        let torn = [("a", "1.2.0", Serving), ("a", "1.1.0", Serving)];
        let both = vec![
            row("a", "1.2.0", Contradictory),
            row("a", "1.1.0", Contradictory),
        ];
        assert_eq!(named(&torn), (both, 1));
        // What drains beside its successor was there before it.
        let followed = [("a", "1.2.0", Serving), ("a", "1.1.0", Draining)];
        let both = vec![row("a", "1.2.0", Serving), row("a", "1.1.0", Superseded)];
        assert_eq!(named(&followed), (both, 1));
    }
}
