//! What a gate looks at before it answers.

use super::{AskError, Record, Wanted};
use crate::coordinator::{self, CoordinatorError, Situation};
use crate::database::{Connection, DatabaseError, ErrorKind};
use crate::gate::{Action, Facts, Verdict, decide};
use crate::ledger::{LedgerError, Named};
use crate::model::{Step, Version};
use crate::project::Project;

/// As much as the answer needs, because pipelines ask often: why it is not go takes a look at each lease, and only that does.
pub(super) async fn survey(
    project: &Project,
    action: &Action,
    (wanted, record): (&[Wanted], Record),
    connection: &mut dyn Connection,
) -> Result<Situation, Unanswered> {
    let mut measured = None;
    if record == Record::Nothing {
        match enough(project, action, connection).await? {
            Enough::Go(situation) => return Ok(*situation),
            Enough::Blocked(facts) => measured = facts,
        }
    }
    let mut situation = coordinator::survey(project, connection).await?;
    if record == Record::Look {
        coordinator::record(project, connection, &mut situation).await?;
    }
    match measured {
        // What the user's queries say was asked just now.
        Some(facts) if is_go(action, &situation) => situation.evidence.facts = *facts,
        _ => measure(project, action, &mut situation, connection).await?,
    }
    // Only a blocker names instances.
    if !is_go(action, &situation) {
        situation.name_examples(connection).await?;
    } else if let (Record::Look, Action::Deploy(candidates)) = (record, action)
        && situation.has_ledger
        && situation.drift.is_empty()
    {
        // Whoever asked is about to start them, and may be done before anybody looks again.
        let named: Vec<(Named, Version)> = wanted
            .iter()
            .zip(candidates)
            .map(|(wanted, who)| {
                let name = Named::new(&wanted.service, &wanted.label);
                (name, who.version.clone())
            })
            .collect();
        coordinator::record_deploy(project, connection, &named).await?;
    }
    Ok(situation)
}

/// What is found without a look at each lease.
enum Enough {
    Go(Box<Situation>),
    /// Something may block, or does: with what was measured on the way, if anything was.
    Blocked(Option<Box<Facts>>),
}

async fn enough(
    project: &Project,
    action: &Action,
    connection: &mut dyn Connection,
) -> Result<Enough, Unanswered> {
    let found = coordinator::survey_enough(project, action, connection).await?;
    let Some(mut situation) = found.filter(|situation| is_go(action, situation)) else {
        return Ok(Enough::Blocked(None));
    };
    measure(project, action, &mut situation, connection).await?;
    Ok(if is_go(action, &situation) {
        Enough::Go(Box::new(situation))
    } else {
        Enough::Blocked(Some(Box::new(situation.evidence.facts)))
    })
}

fn is_go(action: &Action, situation: &Situation) -> bool {
    decide(action.clone(), &situation.evidence).verdict == Verdict::Go
}

/// Asks the user's queries, where nothing else stands against a contract.
async fn measure(
    project: &Project,
    action: &Action,
    situation: &mut Situation,
    connection: &mut dyn Connection,
) -> Result<(), CoordinatorError> {
    match action {
        Action::Step {
            step: Step::Contract,
            migration,
        } => coordinator::measure_if_clear(project, migration, situation, connection).await,
        _ => Ok(()),
    }
}

/// Why the gate could not look.
pub(super) enum Unanswered {
    /// Nobody can know now: an answer of its own.
    Unreachable {
        error: String,
        /// What to do about it, if that is not to ask again.
        next: Option<&'static str>,
    },
    Failed(AskError),
}

impl From<DatabaseError> for Unanswered {
    fn from(error: DatabaseError) -> Self {
        // What a lock hides is not known either.
        let hides = matches!(
            error.kind,
            ErrorKind::Locked | ErrorKind::Timeout | ErrorKind::Standby | ErrorKind::NoSpace
        );
        // Of a server that is not there the answer itself says when to ask again.
        let is_away = matches!(
            error.kind,
            ErrorKind::Unreachable | ErrorKind::Full | ErrorKind::Tls
        );
        if !hides && !is_away {
            return Self::Failed(error.into());
        }
        Self::Unreachable {
            error: error.to_string(),
            next: error.help().filter(|_| !is_away),
        }
    }
}

impl From<LedgerError> for Unanswered {
    fn from(error: LedgerError) -> Self {
        match error {
            // Of a table of the ledger it is known what to do.
            LedgerError::Database(error) if error.kind != ErrorKind::NoTable => error.into(),
            LedgerError::Elsewhere { .. } | LedgerError::Missing(_) => Self::Unreachable {
                error: error.to_string(),
                next: error.help(),
            },
            error => Self::Failed(error.into()),
        }
    }
}

impl From<CoordinatorError> for Unanswered {
    fn from(error: CoordinatorError) -> Self {
        match error {
            CoordinatorError::Database(error) => error.into(),
            error => Self::Failed(error.into()),
        }
    }
}
