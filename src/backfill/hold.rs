//! What a backfill waits for: pure.

use std::fmt;
use std::time::Duration;

use crate::model::MigrationId;

/// What a backfill waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hold {
    /// Somebody has paused it.
    Paused(MigrationId),
    Above {
        signal: Signal,
        found: i64,
        most: i64,
    },
    /// Somebody who applies the database's changes lags.
    Behind {
        who: Signal,
        lag: Duration,
        most: Duration,
    },
    /// A signal cannot be read, which counts as too high.
    Unreadable { signal: Signal, error: String },
}

/// What a backfill looks at before it goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signal {
    /// The user's own query.
    Query,
    /// How many sessions are at work.
    Sessions,
    /// Whatever replicas the database itself knows.
    Replicas,
    /// One that the project names, by its address.
    Replica(String),
    /// One that the project names, whose address cannot be had.
    UnknownReplica,
}

impl Hold {
    /// Whether it is something else than before, and not only more or less of the same.
    pub fn is_another(&self, before: &Self) -> bool {
        self.signal() != before.signal()
            || std::mem::discriminant(self) != std::mem::discriminant(before)
    }

    const fn signal(&self) -> Option<&Signal> {
        match self {
            Self::Paused(_) => None,
            Self::Above { signal, .. } | Self::Unreadable { signal, .. } => Some(signal),
            Self::Behind { who, .. } => Some(who),
        }
    }
}

impl fmt::Display for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Paused(id) => write!(f, "paused; `migrate backfill resume {id}` lets it go on"),
            Self::Above {
                signal,
                found,
                most,
            } => write!(f, "{signal} is {found}, and may be {most}"),
            Self::Behind { who, lag, most } => write!(
                f,
                "{who}: behind by {:.1} s, and may be by {:.1} s",
                lag.as_secs_f64(),
                most.as_secs_f64()
            ),
            Self::Unreadable {
                signal: signal @ (Signal::Query | Signal::Sessions),
                error,
            } => write!(f, "{signal} cannot be read, so it waits: {error}"),
            Self::Unreadable { signal, error } => write!(
                f,
                "{signal}: how far behind cannot be told, so it waits: {error}"
            ),
        }
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Query => "`throttle`",
            Self::Sessions => "the number of sessions at work",
            Self::Replicas => "the replicas",
            Self::Replica(address) => address,
            Self::UnknownReplica => "a replica",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hold_is_told_once() {
        let behind = |who: &str, seconds| Hold::Behind {
            who: Signal::Replica(who.to_owned()),
            lag: Duration::from_secs(seconds),
            most: Duration::from_secs(1),
        };
        let unreadable = |error: &str| Hold::Unreadable {
            signal: Signal::Replica("r".to_owned()),
            error: error.to_owned(),
        };
        let paused = Hold::Paused("1_a".parse().unwrap());
        for (one, other, is_another) in [
            (behind("r", 12), behind("r", 2), false),
            (behind("r1", 2), behind("r2", 2), true),
            (behind("r", 2), unreadable("x"), true),
            (unreadable("x"), unreadable("y"), false),
            (paused.clone(), behind("r", 2), true),
            (paused.clone(), paused, false),
        ] {
            assert_eq!(one.is_another(&other), is_another, "{one:?} {other:?}");
        }
    }
}
