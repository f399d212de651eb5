//! What a look at a database, its ledger and its fleet has shown.

use std::collections::BTreeSet;

use crate::coordinator::Situation;
use crate::gate::{Horizon, horizon};
use crate::ledger::Beside;
use crate::project::{Project, Section};

/// Everything that is known at one moment, and what is recorded beside it.
#[derive(Clone, Debug)]
pub struct Looked {
    pub situation: Situation,
    pub beside: Beside,
    /// Why there is nothing yet: a database file that is not there is an empty database.
    pub nothing_yet: Option<String>,
}

/// How much of what is recorded is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Width {
    Phases,
    /// Backfills, failures and the last rollout as well.
    Beside,
}

impl Looked {
    /// Which versions of each service may start now: of the services of the project or, without its migrate.toml, of those that
    /// the migrations name.
    #[must_use]
    pub fn horizons(&self, project: &Project) -> Vec<Horizon> {
        let (config, evidence) = (&project.config, &self.situation.evidence);
        let mut services: BTreeSet<&String> = config.services.keys().collect();
        if config.is_doubtful(Section::Fleet) {
            let migrations = evidence.schema.migrations().iter();
            services.extend(migrations.flat_map(|state| state.declaration.services.keys()));
        }
        let services = services.into_iter();
        services.map(|service| horizon(service, evidence)).collect()
    }
}
