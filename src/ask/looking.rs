//! Looking at a database, its ledger and its fleet.

use super::asker::{NO_FILE, tells_something};
use super::looked::Width;
use super::{AskError, Asker, Looked, Record};
use crate::coordinator::{self, Situation};
use crate::ledger::{Beside, Ledger};
use crate::model::{MigrationId, Phase};
use crate::project::Project;

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
                let mut situation = coordinator::observe(project, connection).await?;
                coordinator::look_at_needs(project, &mut situation, connection).await?;
                let beside = match width {
                    Width::Beside if situation.has_ledger => {
                        let mut beside = Ledger::beside(connection).await?;
                        beside.fences = Ledger::fences(connection, &fenced(&situation)).await?;
                        beside
                    }
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
        if !looked.situation.is_enough {
            return Err(AskError::Unjudged);
        }
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
        coordinator::look_at_needs(project, situation, connection).await?;
        situation.name_examples(connection).await?;
        recorder.connection.close().await;
        Ok(())
    }
}

/// The migrations behind whose fence versions are kept out, with their phases.
fn fenced(situation: &Situation) -> Vec<(MigrationId, Phase)> {
    let applied = situation.view.applied.iter();
    let states = applied.map(|applied| &applied.state);
    let fenced =
        states.filter(|state| matches!(state.phase, Phase::Contracting | Phase::Reverting));
    fenced
        .map(|state| (state.id().clone(), state.phase))
        .collect()
}
