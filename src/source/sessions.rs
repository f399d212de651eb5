//! The names that database sessions gave themselves: this also shows applications that never
//! registered. An instance without an open connection is not seen.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::{Asked, Instance, Kind, Named, Observation, Pattern, Source, SourceFailure};
use crate::database::{Reach, Whose};
use crate::model::InstanceState;
use crate::row::{Place, Row};

pub(super) const KIND: Kind = Kind {
    kind: "sessions",
    read: made,
    twice: "list it once",
};

#[derive(Debug)]
struct Sessions {
    pattern: Pattern,
    text: String,
}

fn made(row: &mut dyn Row) -> Option<Named> {
    let pattern = row.text("pattern", &format!("pattern = \"{}\"", Pattern::USUAL));
    let pattern = pattern.unwrap_or_else(|| Pattern::USUAL.to_owned());
    if let Err((message, help)) = Pattern::check(&pattern, |name, known| row.meant(name, known)) {
        row.refuse(Place::Value("pattern"), "bad-pattern", message, help);
    }
    Some(Named {
        name: "sessions".to_owned(),
        source: Arc::new(Sessions {
            pattern: Pattern::new(&pattern),
            text: pattern,
        }),
    })
}

#[async_trait]
impl Source for Sessions {
    async fn observe(&self, asked: &Asked<'_>) -> Result<Observation, SourceFailure> {
        let sessions = asked
            .sessions
            .map_err(|why| SourceFailure(why.to_owned()))?;
        let mut instances = BTreeMap::new();
        let mut others = BTreeMap::<&str, u64>::new();
        for session in sessions {
            // Whoever is in another database is hardly one of this project; if it is, no step goes past it unaccounted for.
            let is_elsewhere = |database: &Option<String>| database.is_some();
            match &session.reach {
                Reach::Granted { database } | Reach::Unseen { database }
                    if is_elsewhere(database) =>
                {
                    continue;
                }
                _ => {}
            }
            let found = self
                .pattern
                .read(&session.application)
                .filter(|found| (asked.is_service)(&found.service));
            let Some(found) = found else {
                if session.whose == Whose::Others {
                    *others.entry(&session.application).or_default() += 1;
                }
                continue;
            };
            // The connections of one pool are one instance where its name is known. Without one, all that come from one
            // address may be of one process: they show that the version is there, and no number.
            let name = found
                .instance
                .unwrap_or_else(|| unnamed(&found.version, session.address.as_deref()));
            instances.insert(
                (found.service.clone(), found.version.clone(), name.clone()),
                Instance {
                    service: found.service,
                    instance: name,
                    label: found.version,
                    state: InstanceState::Serving,
                    image: None,
                    template: None,
                    age_ms: 0,
                    about: None,
                },
            );
        }
        let notes = others
            .into_iter()
            .map(|(name, count)| {
                let name = if name.is_empty() {
                    "without a name".to_owned()
                } else {
                    format!("named `{name}`")
                };
                let (plural, are, were) = match count {
                    1 => ("", "is", "was"),
                    _ => ("s", "are", "were"),
                };
                format!(
                    "{count} session{plural} {name} {are} not of the form `{}` and {were} left out",
                    self.text
                )
            })
            .collect();
        Ok(Observation {
            instances: instances.into_values().collect(),
            notes,
        })
    }

    /// The server answers for it.
    fn timeout(&self) -> Duration {
        Duration::from_secs(10)
    }

    fn session_names(&self) -> Option<&Pattern> {
        Some(&self.pattern)
    }
}

/// What the sessions of a version from one address are called, where they do not name their instance. The version is in
/// it: a process has one, so sessions of two are of two.
fn unnamed(version: &str, address: Option<&str>) -> String {
    match address {
        Some("") => format!("{version} on the database's own machine"),
        Some(address) => format!("{version} from {address}"),
        None => format!("{version} from an address that we may not see"),
    }
}
