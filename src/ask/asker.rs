//! Who is asked: a database, over a connection that is kept as long as it is good.

use std::time::{Duration, Instant};

use super::log::{Events, is_of};
use super::looked::Width;
use super::place::candidate;
use super::remarks::remarks;
use super::status::Status;
use super::surveying::{Unanswered, survey};
use super::weighed::notes_of;
use super::{Answer, AskError, Log, Question, Record, Wanted};
use crate::coordinator::{self, CoordinatorError, Purpose, Situation, flaws_on_paper};
use crate::database::{Connection, DatabaseError, Server, Target};
use crate::gate::{Action, Flawed, decide, unreachable};
use crate::interrupt::Interrupt;
use crate::ledger::{Event, FailureRecord, KnownHead, Ledger, LedgerError};
use crate::model::{Live, MigrationId, Snapshot, Step};
use crate::project::{Problems, Project, Section, UnknownMigration};

/// What to do if there is no database file.
pub const NO_FILE: &str = "nothing is applied there: where something should be, check the path; `migrate expand` makes \
     the file of a new project";

/// Answers questions about one database.
///
/// Invariant: a connection is kept only after a question that was answered whole. One that fails takes its connection along, as
/// does one that nobody waits for any more, and the next connects anew: what is left of a transaction is never read by
/// another question.
pub struct Asker {
    pub(super) target: Target,
    pub(super) interrupt: Interrupt,
    keep: Duration,
    kept: Option<Kept>,
    connected: u64,
}

pub(super) struct Kept {
    pub(super) connection: Box<dyn Connection>,
    since: Instant,
}

impl Asker {
    /// Keeps each connection for `keep` after it was made. That a server is the one which others follow is seen when a connection is
    /// made, and again by each question: a server that was made to follow another answers none. That of an embedded database is
    /// never kept: its file may be another one by the next question.
    #[must_use]
    pub const fn new(target: Target, interrupt: Interrupt, keep: Duration) -> Self {
        Self {
            target,
            interrupt,
            keep,
            kept: None,
            connected: 0,
        }
    }

    /// How many connections were made.
    #[must_use]
    pub const fn connected(&self) -> u64 {
        self.connected
    }

    /// Answers a question by these files.
    ///
    /// # Errors
    /// As of [`super::ask`].
    pub async fn ask(
        &mut self,
        project: &Project,
        question: &Question,
    ) -> Result<Answer, AskError> {
        if question.records() == Record::Look && !project.flaws.settings.is_empty() {
            // By settings that cannot be read nobody tells who has gone.
            return Err(Problems(project.flaws.settings.clone()).into());
        }
        match question {
            Question::Deploy { versions, record } => {
                let live = versions.iter();
                let live: Result<Vec<Live>, AskError> = live
                    .map(|wanted| candidate(wanted, &project.config))
                    .collect();
                self.gate(project, Action::Deploy(live?), (versions, *record))
                    .await
            }
            Question::Step {
                step,
                migration,
                record,
            } => {
                let action = Action::Step {
                    step: *step,
                    migration: self.find(project, migration).await?,
                };
                self.gate(project, action, (&[], *record)).await
            }
            Question::Status { record } => {
                let looked = self.look(project, (*record, Width::Beside)).await?;
                Ok(Answer::Status(Box::new(Status::of(looked, project))))
            }
            Question::Fleet { record } => {
                let looked = self.look(project, (*record, Width::Phases)).await?;
                Ok(Answer::Fleet(Box::new(looked)))
            }
            Question::Plan { goal, record } => {
                let planned = self.plan(project, goal, *record).await?;
                Ok(Answer::Plan(Box::new(planned)))
            }
            Question::Rollout => {
                let looked = self.look(project, (Record::Nothing, Width::Beside)).await?;
                Ok(Answer::Rollout(Box::new(looked)))
            }
            Question::Log(wanted) => Ok(Answer::Log(self.log(project, wanted).await?)),
        }
    }

    /// The migration that is called `wanted`, of which there are files or that the database has.
    async fn find(&mut self, project: &Project, wanted: &str) -> Result<MigrationId, AskError> {
        if let Some(found) = project.ids().find(|id| id.is_meant_by(wanted)) {
            return Ok(found.clone());
        }
        let applied = match self.take(project).await {
            Ok(mut kept) => {
                let applied = applied(kept.connection.as_mut()).await?;
                self.give_back(kept).await;
                applied
            }
            Err(error) if coordinator::is_nothing_yet(&error, &self.target) => Vec::new(),
            Err(error) => return Err(error.into()),
        };
        find_among(project, wanted, applied)
    }

    async fn gate(
        &mut self,
        project: &Project,
        action: Action,
        (wanted, record): (&[Wanted], Record),
    ) -> Result<Answer, AskError> {
        let surveyed = self.survey(project, &action, (wanted, record)).await;
        let (situation, failures, costs) = match surveyed {
            Ok(surveyed) => surveyed,
            // A gate that cannot see must not say yes, and need not say that anything is broken.
            Err(Unanswered::Unreachable { error, next }) => {
                let snapshot = Snapshot {
                    taken_at: jiff::Timestamp::now().as_millisecond(),
                    ..Snapshot::default()
                };
                return Ok(Answer::Gate {
                    decision: unreachable(action, &error, next),
                    snapshot: Box::new(snapshot),
                });
            }
            Err(Unanswered::Failed(error)) => return Err(error),
        };
        if !situation.is_enough {
            return Err(AskError::Unjudged);
        }
        tells_something(project, situation.has_ledger)?;
        // As the command would: a changed file stands in the way.
        let drift = match &action {
            Action::Step { step, migration } => situation.drift_before(*step, migration),
            Action::Deploy(_) => situation.drift.clone(),
        };
        if !drift.is_empty() {
            return Err(CoordinatorError::Drift(drift).into());
        }
        let mut decision = decide(action, &situation.evidence);
        let remarks = remarks(project, &situation, &failures, &decision);
        decision.notes.extend(remarks);
        decision.notes.extend(costs);
        Ok(Answer::Gate {
            decision,
            snapshot: Box::new(situation.evidence.snapshot),
        })
    }

    /// What bears on an action, what steps of the ledger's migrations failed on, and what this one costs.
    async fn survey(
        &mut self,
        project: &Project,
        action: &Action,
        (wanted, record): (&[Wanted], Record),
    ) -> Result<(Situation, Vec<FailureRecord>, Vec<String>), Unanswered> {
        let taken = match record {
            Record::Nothing => self.take(project).await,
            // It may be of other rights, and writes: nothing is kept of it.
            Record::Look => self.recorder(project).await,
        };
        match taken {
            // Whatever else is asked about is expected to be there: a mistyped path must not say yes.
            Err(error) if coordinator::is_nothing_yet(&error, &self.target) => match action {
                Action::Step {
                    step: Step::Expand, ..
                } if self.is_to_be_made() => {
                    let nothing = coordinator::nothing_yet(project, self.target.dialect());
                    Ok((nothing, Vec::new(), Vec::new()))
                }
                _ => Err(Unanswered::Unreachable {
                    error: error.to_string(),
                    next: Some(NO_FILE),
                }),
            },
            Err(error) => Err(error.into()),
            Ok(mut kept) => {
                let connection = kept.connection.as_mut();
                let situation = survey(project, action, (wanted, record), connection).await?;
                let failures = match action {
                    Action::Step { .. } => Ledger::failures(connection).await?,
                    Action::Deploy(_) => Vec::new(),
                };
                let costs = notes_of(project, action, &situation, connection).await;
                match record {
                    Record::Nothing => self.give_back(kept).await,
                    Record::Look => kept.connection.close().await,
                }
                Ok((situation, failures, costs))
            }
        }
    }

    async fn log(&mut self, project: &Project, wanted: &Events) -> Result<Log, AskError> {
        let mut nothing_yet = None;
        let found = match self.take(project).await {
            Ok(mut kept) => {
                let found = found(kept.connection.as_mut(), wanted).await?;
                self.give_back(kept).await;
                found
            }
            Err(error) if coordinator::is_nothing_yet(&error, &self.target) => {
                nothing_yet = Some(format!("{error}; {NO_FILE}"));
                None
            }
            Err(error) => return Err(error.into()),
        };
        tells_something(project, found.is_some())?;
        let found = found.unwrap_or_default();
        if let Some(migration) = &wanted.migration
            && found.recorded == Recorded::Nothing
        {
            // Of one that is only in the files nothing has been recorded.
            self.find(project, migration).await?;
        }
        let end = found.head.as_ref().and_then(|head| head.seq);
        Ok(Log {
            end: end.unwrap_or(0).max(wanted.after.unwrap_or(0)),
            events: found.events,
            head: found.head,
            nothing_yet,
        })
    }

    /// The connection that was kept, or a new one.
    pub(super) async fn take(&mut self, project: &Project) -> Result<Kept, DatabaseError> {
        if let Some(mut kept) = self.kept.take() {
            let is_good = kept.since.elapsed() < self.keep && !kept.connection.is_lost();
            if is_good && kept.connection.look_again(Server::Primary).await.is_ok() {
                return Ok(kept);
            }
            kept.connection.close().await;
        }
        let since = Instant::now();
        let connection =
            coordinator::connect(project, &self.target, Purpose::Ask, self.interrupt).await?;
        self.connected = self.connected.saturating_add(1);
        Ok(Kept { connection, since })
    }

    pub(super) async fn recorder(&mut self, project: &Project) -> Result<Kept, DatabaseError> {
        let since = Instant::now();
        let connection =
            coordinator::connect_to_record(project, &self.target, self.interrupt).await?;
        self.connected = self.connected.saturating_add(1);
        Ok(Kept { connection, since })
    }

    pub(super) async fn give_back(&mut self, kept: Kept) {
        if self.target.path().is_none() && kept.since.elapsed() < self.keep {
            self.kept = Some(kept);
        } else {
            kept.connection.close().await;
        }
    }

    /// Whether an expand would make the file.
    fn is_to_be_made(&self) -> bool {
        let parent = self.target.path().and_then(|path| path.parent());
        parent.is_some_and(|parent| parent.as_os_str().is_empty() || parent.is_dir())
    }
}

/// The migrations that the ledger knows.
async fn applied(connection: &mut dyn Connection) -> Result<Vec<MigrationId>, LedgerError> {
    let Some(mut ledger) = Ledger::read(connection).await? else {
        return Ok(Vec::new());
    };
    let view = ledger.view().await?;
    ledger.rollback().await?;
    let applied = view.applied.iter();
    Ok(applied.map(|applied| applied.state.id().clone()).collect())
}

/// What was looked for in the log.
#[derive(Default)]
struct Found {
    events: Vec<Event>,
    head: Option<KnownHead>,
    recorded: Recorded,
}

/// Whether anything was ever recorded of the migration that is asked about, whatever else is asked for.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Recorded {
    #[default]
    Nothing,
    Something,
}

/// The events that are asked for; `None` if there is no ledger.
async fn found(
    connection: &mut dyn Connection,
    wanted: &Events,
) -> Result<Option<Found>, LedgerError> {
    let Some(mut ledger) = Ledger::read(connection).await? else {
        return Ok(None);
    };
    let head = ledger.log_head().await?;
    let covers = |event: &Event| wanted.covers(event);
    let events = ledger.find_events(wanted.sought(), covers).await?;
    let mut is_recorded = !events.is_empty();
    if let Some(migration) = wanted.migration.as_deref().filter(|_| !is_recorded) {
        let any = Events {
            migration: wanted.migration.clone(),
            last: Some(1),
            ..Events::default()
        };
        let is_of = |event: &Event| is_of(event, migration);
        is_recorded = !ledger.find_events(any.sought(), is_of).await?.is_empty();
    }
    ledger.rollback().await?;
    Ok(Some(Found {
        events,
        head: Some(head),
        recorded: if is_recorded {
            Recorded::Something
        } else {
            Recorded::Nothing
        },
    }))
}

/// The migration that is called `wanted`, among those of the files and these of the database.
///
/// # Errors
/// There is none, or whether there is one is not known.
pub fn find_among(
    project: &Project,
    wanted: &str,
    applied: impl IntoIterator<Item = MigrationId>,
) -> Result<MigrationId, AskError> {
    let known: Vec<MigrationId> = project.ids().cloned().chain(applied).collect();
    if let Some(found) = known.iter().find(|id| id.is_meant_by(wanted)) {
        return Ok(found.clone());
    }
    let mut unlisted = flaws_on_paper(project).into_iter();
    Err(match unlisted.find(|flaw| flaw.of == Flawed::Listing) {
        Some(flaw) => AskError::Unlisted {
            wanted: wanted.to_owned(),
            why: flaw.error,
            help: flaw.help,
        },
        None => UnknownMigration::among(wanted, &known).into(),
    })
}

/// Without a ledger and without a migrate.toml there is nothing to answer from: this is the wrong place.
///
/// # Errors
/// What is wrong with migrate.toml.
pub fn tells_something(project: &Project, has_ledger: bool) -> Result<(), Problems> {
    let problems = &project.flaws.settings;
    if has_ledger || !project.config.is_doubtful(Section::Migrations) || problems.is_empty() {
        return Ok(());
    }
    Err(Problems(problems.clone()))
}
