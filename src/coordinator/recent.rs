//! What was observed a moment ago, for expands that follow each other.

use std::time::{Duration, Instant};

use super::session::Session;
use super::{CoordinatorError, Situation};
use crate::model::MigrationState;

/// One observation is used for consecutive expands, because looking at a long history anew for each of them would take longer than
/// the expands themselves: for `times` as long as it took, but at least `least` and at most `most`.
struct Reuse {
    times: u32,
    least: Duration,
    most: Duration,
}

const REUSE: Reuse = Reuse {
    times: 20,
    least: Duration::from_millis(500),
    most: Duration::from_secs(2),
};

/// An observation, with what was done since, and until when it is recent.
pub(super) struct Observed {
    pub until: Instant,
    pub situation: Situation,
}

/// What was observed last, as long as only expands follow it.
#[derive(Default)]
pub(super) struct Recent(Option<Observed>);

impl Recent {
    /// The situation now, or what the expand before has left if that was observed a moment ago.
    ///
    /// Invariant: what could have changed since is read in the transaction of the change. Phases change under
    /// this coordinator's token only, which is checked there, and leases are read there anew.
    pub async fn situation(
        &mut self,
        session: &mut Session<'_>,
    ) -> Result<Observed, CoordinatorError> {
        match self.0.take() {
            Some(known) if Instant::now() < known.until => Ok(known),
            _ => {
                let began = Instant::now();
                let situation = session.situation().await?;
                let recent = began.elapsed().saturating_mul(REUSE.times);
                let recent = recent.clamp(REUSE.least, REUSE.most);
                Ok(Observed {
                    until: began + recent,
                    situation,
                })
            }
        }
    }

    /// Keeps an observation for the expand after this one, which has made `state` of its migration.
    pub fn keep(&mut self, mut observed: Observed, state: MigrationState) {
        if let Some(known) = observed.situation.evidence.schema.get_mut(state.id()) {
            *known = state;
            self.0 = Some(observed);
        }
    }

    /// Keeps an observation that has what was done since.
    pub fn keep_as_it_is(&mut self, observed: Observed) {
        self.0 = Some(observed);
    }

    /// Something else than an expand comes.
    pub fn forget(&mut self) {
        self.0 = None;
    }
}
