//! The `[notify]` section: who is told of what, by the server.

use std::time::Duration;

use super::reader::Table;
use super::row::RowOf;
use super::source::Source;
use crate::row::LONGEST_WAIT;
use crate::web::Hook;

/// Somebody who is told.
#[derive(Clone, Debug)]
pub struct NotifyConfig {
    pub name: String,
    pub shape: Shape,
    pub hook: Hook,
    pub on: Vec<Occasion>,
    /// How long a step may be impossible.
    pub held_for: Duration,
    /// How long a contract may keep versions out.
    pub fence_for: Duration,
}

/// What a notice is posted as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    Plain,
    Slack,
    Teams,
}

/// What somebody is told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Occasion {
    /// A step has not been possible for long.
    Held,
    /// A version was not let in.
    Refused,
    /// A phase was reached.
    Done,
    /// A step failed.
    Failed,
    /// A contract has kept versions out for long.
    Fence,
    /// Instances are not heard of.
    Lost,
    /// Somebody did with another tool what the gate was not asked about.
    PastGate,
}

impl Occasion {
    pub const ALL: [Self; 7] = [
        Self::Held,
        Self::Refused,
        Self::Done,
        Self::Failed,
        Self::Fence,
        Self::Lost,
        Self::PastGate,
    ];

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Refused => "refused",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Fence => "fence",
            Self::Lost => "lost",
            Self::PastGate => "past-gate",
        }
    }
}

const HELD_FOR: Duration = Duration::from_mins(30);
const FENCE_FOR: Duration = Duration::from_mins(5);
const PLACES: &[(&str, &str)] = &[];

pub(super) fn read(source: &Source, name: &str, mut table: Table<'_>) -> Option<NotifyConfig> {
    let shapes = [
        ("plain", Shape::Plain),
        ("slack", Shape::Slack),
        ("teams", Shape::Teams),
    ];
    let shape = table.choice("kind", &shapes);
    let mut on = Vec::new();
    let listed = table.strings("on", "on = [\"held\", \"failed\"]");
    for word in listed.iter().flatten() {
        match Occasion::ALL
            .into_iter()
            .find(|known| known.name() == word.value)
        {
            Some(known) => on.push(known),
            None => {
                let names = Occasion::ALL.map(Occasion::name).join("`, `");
                source.error(
                    "unknown-occasion",
                    word.span.clone(),
                    format!("nobody can be told of `{}`", word.value),
                    format!("`on` lists some of `{names}`; left out it is all of them"),
                );
            }
        }
    }
    let mut wait = |key, usual| {
        let given = table.duration(key, LONGEST_WAIT);
        given.map_or(usual, |given| given.value)
    };
    let (held_for, fence_for) = (wait("held_for", HELD_FOR), wait("fence_for", FENCE_FOR));
    let hook = Hook::read(&mut RowOf::new(source, &mut table));
    table.finish(PLACES);
    Some(NotifyConfig {
        name: name.to_owned(),
        shape: shape.unwrap_or(Shape::Plain),
        hook: hook?,
        on: if listed.is_some() {
            on
        } else {
            Occasion::ALL.to_vec()
        },
        held_for,
        fence_for,
    })
}
