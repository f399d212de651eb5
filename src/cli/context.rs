//! What most commands begin with: the project, its database, and what is known of both.

use std::cell::Cell;
use std::path::Path;

use super::args::Global;
use super::failure::Failure;
use super::out::{Out, note};
use super::text;
use crate::ask::{Answer, AskError, NO_FILE, Question, ask, find_among, tells_something};
use crate::coordinator::{self, CoordinatorError, Lists, Purpose, Situation, way_out};
use crate::database::{Connection, DatabaseError, Statements, Target};
use crate::interrupt::Interrupt;
use crate::lease::with_credentials;
use crate::ledger::{KnownHead, Ledger, LedgerError, RolloutRecord};
use crate::model::MigrationId;
use crate::project::{Config, Problems, Project};
#[cfg(feature = "serve")]
use crate::serve::Policies;

/// A project, whether or not its files are in order, and the database that is meant.
pub(super) struct Context {
    pub project: Project,
    pub target: Target,
    /// What stops whatever is done here.
    pub interrupt: Interrupt,
    said_nothing_yet: Cell<bool>,
    #[cfg(feature = "serve")]
    policies: Option<Policies>,
}

impl Context {
    /// What is wrong with the files is told below the answer: the ledger knows what is applied, and the gate what the
    /// files leave unknown.
    pub(super) fn load(global: &Global, out: &Out) -> Result<Self, Failure> {
        let project = load_project(global, out)?;
        let named = named_target(global, &project.config, &project.root);
        let target = named.map_err(|failure| match settings_in_order(&project) {
            // Where it would be named could not be read.
            Err(problems) => problems,
            Ok(()) => failure,
        })?;
        Ok(Self::of(project, target, global))
    }

    /// Of a project that was read already.
    pub(super) fn of(project: Project, target: Target, global: &Global) -> Self {
        Self {
            #[cfg(feature = "serve")]
            policies: Policies::of(&project.config),
            project,
            target,
            interrupt: global.interrupt,
            said_nothing_yet: Cell::new(false),
        }
    }

    /// Those who let instances in by a list, as far as this build can write one.
    pub(super) fn lists(&self) -> Option<&dyn Lists> {
        #[cfg(feature = "serve")]
        return self
            .policies
            .as_ref()
            .map(|policies| policies as &dyn Lists);
        #[cfg(not(feature = "serve"))]
        None
    }

    /// As [`Self::load`], for whoever acts by what migrate.toml says.
    pub(super) fn load_to_act(global: &Global, out: &Out) -> Result<Self, Failure> {
        let context = Self::load(global, out)?;
        settings_in_order(&context.project)?;
        Ok(context)
    }

    /// The migration that a user calls `wanted`, of which there are files or that the database has.
    pub(super) async fn find(&self, wanted: &str) -> Result<MigrationId, Failure> {
        if let Some(found) = self.project.ids().find(|id| id.is_meant_by(wanted)) {
            return Ok(found.clone());
        }
        let mut known: Vec<MigrationId> = Vec::new();
        if let Some(mut connection) = self.connect().await? {
            let read = Ledger::read(connection.as_mut()).await;
            let applied = match read {
                Ok(Some(mut ledger)) => {
                    let view = ledger.view().await;
                    ledger.rollback().await?;
                    view.map(|view| view.applied)
                }
                Ok(None) => Ok(Vec::new()),
                Err(error) => Err(error),
            };
            connection.close().await;
            known.extend(applied?.iter().map(|applied| applied.state.id().clone()));
        }
        Ok(find_among(&self.project, wanted, known)?)
    }

    /// Says which files are not as they were applied, and what to do about it.
    pub(super) fn note_drift(situation: &Situation) {
        for drift in &situation.drift {
            note(&format!("error: {drift}"));
        }
        if !situation.drift.is_empty() {
            note(&format!("  next: {}", way_out(&situation.drift)));
        }
    }

    /// Says which migrations the database has and these files do not.
    pub(super) fn note_missing(&self, situation: &Situation) {
        let applied = situation.view.applied.iter();
        let missing: Vec<&str> = applied
            .map(|applied| applied.state.id())
            .filter(|id| self.project.as_read(id).is_none())
            .map(MigrationId::as_str)
            .collect();
        if missing.is_empty() || !self.project.flaws.listing.is_empty() {
            return;
        }
        let count = text::count(
            u64::try_from(missing.len()).unwrap_or(u64::MAX),
            "migration",
        );
        let named = missing.get(..3).unwrap_or(&missing).join(", ");
        let more = if missing.len() > 3 { ", …" } else { "" };
        note(&format!(
            "note: the database has {count} of which there are no files here ({named}{more}): this checkout is of an earlier \
             version, or of another branch"
        ));
    }

    /// Reads the ledger and asks every source, and writes nothing. A database file that does not
    /// exist yet is an empty database.
    pub(super) async fn observe(&self) -> Result<Situation, Failure> {
        let (situation, connection) = self.read().await?;
        if let Some(connection) = connection {
            connection.close().await;
        }
        self.tells_something(situation.has_ledger)?;
        Ok(situation)
    }

    /// The answer to a question, over a connection of its own.
    pub(super) async fn ask(&self, question: &Question) -> Result<Answer, AskError> {
        let answer = ask(&self.project, &self.target, question, self.interrupt).await?;
        let nothing_yet = match &answer {
            Answer::Status(status) => &status.looked.nothing_yet,
            Answer::Fleet(looked) | Answer::Rollout(looked) => &looked.nothing_yet,
            Answer::Log(log) => &log.nothing_yet,
            Answer::Plan(planned) => &planned.nothing_yet,
            Answer::Gate { .. } => &None,
        };
        if let Some(why) = nothing_yet {
            self.say_nothing_yet(why);
        }
        Ok(answer)
    }

    /// Without a ledger and without a migrate.toml there is nothing to answer from: this is the wrong place.
    pub(super) fn tells_something(&self, has_ledger: bool) -> Result<(), Failure> {
        Ok(tells_something(&self.project, has_ledger)?)
    }

    /// What is known, and the connection by which it was read, unless there is no database yet.
    async fn read(&self) -> Result<(Situation, Option<Box<dyn Connection>>), Failure> {
        match self.reader().await {
            Ok(mut connection) => {
                let situation = coordinator::observe(&self.project, connection.as_mut()).await;
                match situation {
                    Ok(situation) => Ok((situation, Some(connection))),
                    Err(error) => {
                        connection.close().await;
                        Err(error.into())
                    }
                }
            }
            Err(error) if coordinator::is_nothing_yet(&error, &self.target) => {
                self.say_nothing_yet(&format!("{error}; {NO_FILE}"));
                let dialect = self.target.dialect();
                let nothing = coordinator::nothing_yet(&self.project, dialect);
                Ok((nothing, None))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// A connection for reading.
    pub(super) async fn reader(&self) -> Result<Box<dyn Connection>, DatabaseError> {
        coordinator::connect(&self.project, &self.target, Purpose::Ask, self.interrupt).await
    }

    /// Says once that what is told is that of a database which is not there.
    fn say_nothing_yet(&self, why: &str) {
        if !self.said_nothing_yet.replace(true) {
            note(&format!("note: {why}"));
        }
    }

    /// The rollout that began last.
    pub(super) async fn last_rollout(&self) -> Result<Option<RolloutRecord>, Failure> {
        let Some(mut connection) = self.connect().await? else {
            return Ok(None);
        };
        let last = Ledger::beside(connection.as_mut()).await;
        connection.close().await;
        Ok(last?.rollout)
    }

    /// A connection for reading; `None` if there is no database yet.
    pub(super) async fn connect(&self) -> Result<Option<Box<dyn Connection>>, Failure> {
        match self.reader().await {
            Ok(connection) => Ok(Some(connection)),
            Err(error) if coordinator::is_nothing_yet(&error, &self.target) => {
                self.say_nothing_yet(&format!("{error}; {NO_FILE}"));
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// The database that is meant, by the first that names one.
pub(super) fn named_target(
    global: &Global,
    config: &Config,
    root: &Path,
) -> Result<Target, Failure> {
    let named = match (global.database_url()?, &config.database_url) {
        (Some(given), _) => Ok(given.target(root)?),
        (None, Some(url)) => Ok(Target::parse(url, root)?),
        (None, None) => Err(Failure::new("no database is named").help(
            "set --database-url-file or --database-url, DATABASE_URL or DATABASE_URL_FILE, or [database] url in migrate.toml",
        )),
    };
    let statements = if global.show_statements {
        Statements::Whole
    } else {
        Statements::Kind
    };
    named.map(|target| with_credentials(target, &config.database, root).showing(statements))
}

/// Refuses to go on by a migrate.toml that is not in order.
pub(super) fn settings_in_order(project: &Project) -> Result<(), Failure> {
    let problems = &project.flaws.settings;
    if problems.is_empty() {
        return Ok(());
    }
    Err(Problems(problems.clone()).into())
}

/// The project's files, with what looks wrong in them said. What is wrong is told below the answer.
pub(super) fn load_project(global: &Global, out: &Out) -> Result<Project, Failure> {
    let given = global.database_url()?;
    let url = given.as_ref().map(|given| given.url.as_str());
    let mut project = Project::load_as_far_as_possible(Path::new("."), url);
    global.name_versions(&mut project.config)?;
    out.keep_flaws(project.flaws.problems());
    if !global.quiet {
        for warning in &project.warnings {
            note(&warning.one_line());
        }
    }
    Ok(project)
}

/// What was done is done; a lease that could not be given back ends by itself, and whoever comes next waits for it.
/// Otherwise, where the log ends.
pub(super) fn say_unreleased(
    finished: Result<KnownHead, CoordinatorError>,
    context: &Context,
) -> Option<KnownHead> {
    match finished {
        Ok(head) => Some(head),
        Err(error) => {
            let lease = context.project.config.fleet.coordinator_lease.as_secs();
            tracing::warn!(
                "the coordinator's lease could not be given back ({error}); it ends by itself within {lease} s, and the next \
             command waits for that"
            );
            None
        }
    }
}

/// Where the log ends now, for a command that acted without the coordinator's lease.
pub(super) async fn log_head(
    connection: &mut dyn Connection,
) -> Result<Option<KnownHead>, LedgerError> {
    let Some(mut ledger) = Ledger::read(connection).await? else {
        return Ok(None);
    };
    let head = ledger.log_head().await;
    ledger.rollback().await?;
    head.map(Some)
}

/// Stops where a file was changed after its phase was applied.
pub(super) fn refuse_drift(situation: &Situation) -> Result<(), Failure> {
    if situation.drift.is_empty() {
        return Ok(());
    }
    Err(CoordinatorError::Drift(situation.drift.clone()).into())
}
