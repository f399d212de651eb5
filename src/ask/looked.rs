//! What a look at a database, its ledger and its fleet has shown.

use std::collections::BTreeSet;

use super::asker::{NO_FILE, tells_something};
use super::{AskError, Asker, Record};
use crate::coordinator::{self, Situation};
use crate::gate::{Horizon, horizon};
use crate::ledger::{Beside, Ledger};
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

impl Asker {
    /// Reads the ledger and asks every source; writes down what they have shown where that is asked for.
    pub(super) async fn look(
        &mut self,
        project: &Project,
        (record, width): (Record, Width),
    ) -> Result<Looked, AskError> {
        let mut looked = match self.take(project).await {
            Ok(mut kept) => {
                let connection = kept.connection.as_mut();
                let situation = coordinator::observe(project, connection).await?;
                let beside = match width {
                    Width::Beside if situation.has_ledger => Ledger::beside(connection).await?,
                    Width::Beside | Width::Phases => Beside::default(),
                };
                self.give_back(kept).await;
                Looked {
                    situation,
                    beside,
                    nothing_yet: None,
                }
            }
            Err(error) if coordinator::is_nothing_yet(&error, &self.target) => Looked {
                situation: coordinator::nothing_yet(project, self.target.dialect()),
                beside: Beside::default(),
                nothing_yet: Some(format!("{error}; {NO_FILE}")),
            },
            Err(error) => return Err(error.into()),
        };
        tells_something(project, looked.situation.has_ledger)?;
        if record == Record::Look && looked.situation.has_ledger {
            self.write_down(project, &mut looked.situation).await?;
        }
        Ok(looked)
    }

    async fn write_down(
        &mut self,
        project: &Project,
        situation: &mut Situation,
    ) -> Result<(), AskError> {
        let mut recorder = self.recorder(project).await?;
        let connection = recorder.connection.as_mut();
        coordinator::record(project, connection, situation).await?;
        situation.name_examples(connection).await?;
        recorder.connection.close().await;
        Ok(())
    }
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
