//! One name in one service is one instance, however many sources list it.

use std::collections::HashMap;

use super::named::Placed;
use crate::ledger::NamedLease;
use crate::model::{InstanceState, LEASES, Label, LiveGroup, Torn, Version};
use crate::text::shown::shortened;

/// What one source lists.
pub(super) struct Listing<'l> {
    pub source: &'l str,
    pub rows: &'l mut [Placed],
}

/// What several sources say of the same instances.
#[derive(Default)]
pub(super) struct Across {
    pub torn: Vec<Torn>,
    /// For each source, in their order, what a reader should know.
    pub notes: Vec<Vec<String>>,
}

/// How many names are told one by one, and how long each is.
const MOST_TOLD: usize = 5;
const LONGEST_TOLD: usize = 100;

/// Where an instance stands.
enum Place {
    Row { source: usize, row: usize },
    Lease(usize),
}

struct Said {
    place: Place,
    version: Version,
}

/// Marks instances that two sources list at different versions.
///
/// Invariant: such an instance proves itself nowhere, and every version that it is said to be counts as live.
pub(super) fn compare(
    listings: &mut [Listing<'_>],
    leases: &[NamedLease],
    groups: &[LiveGroup],
) -> Across {
    let mut across = Across {
        notes: listings.iter().map(|_| Vec::new()).collect(),
        ..Across::default()
    };
    let mut names = HashMap::<(&str, &str), Vec<Said>>::new();
    for (source, listing) in listings.iter().enumerate() {
        for (row, placed) in listing.rows.iter().enumerate() {
            let instance = &placed.instance;
            if stays(instance.state)
                && let Some(version) = &placed.label.version
            {
                let name = (instance.service.as_str(), instance.instance.trim());
                names.entry(name).or_default().push(Said {
                    place: Place::Row { source, row },
                    version: version.clone(),
                });
            }
        }
    }
    let labels = labels(groups);
    for (at, lease) in leases.iter().enumerate() {
        // A name that only the leases have is none that two sources list.
        let name = (lease.service.as_str(), lease.instance.trim());
        let label = labels.get(&(lease.service.as_str(), lease.label.as_str()));
        if stays(lease.state)
            && let Some(said) = names.get_mut(&name)
            && let Some(version) = label.and_then(|label| label.version.clone())
        {
            said.push(Said {
                place: Place::Lease(at),
                version,
            });
        }
    }
    let mut torn: Vec<((&str, &str), Vec<Said>)> = names
        .into_iter()
        .filter(|(_, said)| {
            let mut versions = said.iter().map(|said| &said.version);
            let first = versions.next();
            versions.any(|version| Some(version) != first)
        })
        .collect();
    torn.sort_by_key(|(name, _)| *name);
    let told: Vec<(String, Vec<Place>)> = torn
        .into_iter()
        .map(|(name, said)| {
            let note = note(name, &said, listings);
            let places = said.into_iter().map(|said| said.place).collect();
            (note, places)
        })
        .collect();
    for (note, places) in told {
        for place in places {
            match place {
                Place::Row { source, row } => {
                    if let Some(listing) = listings.get_mut(source)
                        && let Some(placed) = listing.rows.get_mut(row)
                    {
                        placed.instance.state = InstanceState::Contradictory;
                    }
                    if let Some(notes) = across.notes.get_mut(source)
                        && notes.len() < MOST_TOLD
                        && !notes.contains(&note)
                    {
                        notes.push(note.clone());
                    }
                }
                Place::Lease(at) => across.torn.extend(leases.get(at).map(|lease| Torn {
                    service: lease.service.clone(),
                    label: lease.label.clone(),
                    instance: lease.instance.clone(),
                })),
            }
        }
    }
    across
}

/// Whether it is there to stay, as far as its source knows: what goes may have a successor under its name.
const fn stays(state: InstanceState) -> bool {
    !matches!(
        state,
        InstanceState::Draining | InstanceState::Lost | InstanceState::Superseded
    )
}

fn labels(groups: &[LiveGroup]) -> HashMap<(&str, &str), &Label> {
    let labels = groups.iter().map(|group| {
        let name = (group.service.as_str(), group.label.text.as_str());
        (name, &group.label)
    });
    labels.collect()
}

fn note((service, instance): (&str, &str), said: &[Said], listings: &[Listing<'_>]) -> String {
    let mut says: Vec<String> = said
        .iter()
        .map(|said| {
            let source = match said.place {
                Place::Row { source, .. } => listings.get(source).map_or("", |of| of.source),
                Place::Lease(_) => LEASES,
            };
            format!("{} by `{source}`", said.version)
        })
        .collect();
    says.dedup();
    format!(
        "`{}` of {service} is {}: it is one instance that counts as live at each of them, and proves nothing",
        shortened(instance, LONGEST_TOLD),
        says.join(" and ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Instance;
    use InstanceState::{Contradictory, Draining, Lost, Serving, Starting, Superseded};

    fn label(text: &str) -> Label {
        Label {
            text: text.to_owned(),
            version: text.parse().ok(),
        }
    }

    fn row(service: &str, name: &str, version: &str, state: InstanceState) -> Placed {
        Placed {
            instance: Instance {
                service: service.to_owned(),
                instance: name.to_owned(),
                label: version.to_owned(),
                state,
                image: None,
                template: None,
                age_ms: 0,
                about: None,
            },
            label: label(version),
        }
    }

    /// The states of the rows of two sources, and the leases that are contradicted, for a lease of `a` at a version.
    fn compared(
        one: Placed,
        other: Placed,
        lease: Option<(&str, InstanceState)>,
    ) -> (InstanceState, InstanceState, usize) {
        let (mut one, mut other) = ([one], [other]);
        let leases: Vec<NamedLease> = lease
            .iter()
            .map(|(version, state)| NamedLease {
                service: "web".into(),
                label: (*version).to_owned(),
                instance: "a".into(),
                state: *state,
            })
            .collect();
        let groups: Vec<LiveGroup> = leases
            .iter()
            .map(|lease| LiveGroup {
                service: "web".into(),
                label: label(&lease.label),
                state: lease.state,
                source: LEASES.into(),
                instances: 1,
                examples: Vec::new(),
                seen_at: 0,
            })
            .collect();
        let mut listings = [
            Listing {
                source: "one",
                rows: &mut one,
            },
            Listing {
                source: "other",
                rows: &mut other,
            },
        ];
        let across = compare(&mut listings, &leases, &groups);
        (
            one[0].instance.state,
            other[0].instance.state,
            across.torn.len(),
        )
    }

    #[test]
    fn a_name_at_two_versions_is_torn_wherever_it_stands() {
        let web = |version: &str, state| row("web", "a", version, state);
        let torn = (Contradictory, Contradictory, 0);
        for (one, other, lease, wanted) in [
            (web("1.2.0", Serving), web("1.3.0", Serving), None, torn),
            (web("1.2.0", Serving), web("1.3.0", Starting), None, torn),
            (
                web("1.2.0", Serving),
                web("v1.2", Serving),
                None,
                (Serving, Serving, 0),
            ),
            // What goes was there before.
            (
                web("1.2.0", Serving),
                web("1.3.0", Draining),
                None,
                (Serving, Draining, 0),
            ),
            // Names are of a service.
            (
                web("1.2.0", Serving),
                row("job", "a", "1.3.0", Serving),
                None,
                (Serving, Serving, 0),
            ),
            (
                web("1.2.0", Serving),
                row("web", "b", "1.3.0", Serving),
                None,
                (Serving, Serving, 0),
            ),
            // What cannot be placed is unknown by itself.
            (
                web("1.2.0", Serving),
                web("main", Serving),
                None,
                (Serving, Serving, 0),
            ),
        ] {
            assert_eq!(compared(one, other, lease), wanted);
        }
        let agree = || (web("1.2.0", Serving), web("1.2.0", Serving));
        for (lease, wanted) in [
            (("1.3.0", Serving), (Contradictory, Contradictory, 1)),
            (("1.3.0", Starting), (Contradictory, Contradictory, 1)),
            (("1.2.0", Serving), (Serving, Serving, 0)),
            (("1.3.0", Lost), (Serving, Serving, 0)),
            (("1.3.0", Superseded), (Serving, Serving, 0)),
        ] {
            let (one, other) = agree();
            assert_eq!(compared(one, other, Some(lease)), wanted, "{lease:?}");
        }
    }
}
