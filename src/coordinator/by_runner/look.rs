//! The tool and its history, and the schema as it is now.

use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

use super::super::session::Session;
use super::super::{CoordinatorError, Progress};
use super::{One, Revised};
use crate::database::{Access, DatabaseError};
use crate::runner::{
    Applied, Call, Called, History, NAME, Revision, Runner, RunnerFailure, Standing, finish_url,
};
use crate::sql::Runs;

/// How often it is looked whether somebody still changes the schema.
const BETWEEN_LOOKS: Duration = Duration::from_millis(300);

/// What is applied, by the tool's own history.
pub(super) async fn applied(
    session: &mut Session<'_>,
    run: &Revised<'_>,
) -> Result<Vec<Applied>, CoordinatorError> {
    let mut lines = Vec::new();
    if let History::Command(parts) = run.runner.history() {
        let call = Call {
            arguments: parts,
            scratch: None,
        };
        let url = url_for(session, run.runner);
        let called = called(session, url.as_deref());
        let printed = crate::runner::printed(run.runner, &call, &called).await;
        let text = printed.map_err(|failure| CoordinatorError::Runner {
            message: format!("which revisions are applied cannot be asked: {failure}"),
            help: "`applied` under [runner] in migrate.toml has to print one revision a line; mend it, then run the same command again"
                .into(),
        })?;
        lines.extend(text.lines().map(str::to_owned));
    }
    if session.connection.is_lost() {
        session.reconnect().await;
    }
    let connection = session.connection.as_mut();
    let read = crate::runner::applied(run.runner, &run.known, &lines, connection).await;
    Ok(read?)
}

/// How far a revision has come, by the history.
pub(super) fn standing(applied: &[Applied], name: &str) -> Option<Standing> {
    let found = applied.iter().find(|one| one.revision == name);
    found.map(|one| one.standing)
}

fn url_for(session: &Session<'_>, runner: &Runner) -> Option<String> {
    let asked = runner.url.as_ref()?;
    let url = session.orders.project.config.database_url.as_deref()?;
    let file = session.orders.target.path();
    Some(finish_url(url, file, asked.scheme.as_deref()))
}

fn called<'c>(session: &'c Session<'_>, url: Option<&'c str>) -> Called<'c> {
    Called {
        root: &session.orders.project.root,
        database_url: url,
        interrupt: session.orders.interrupt,
        progress: &|_| {},
    }
}

/// What the tool prints when it is asked something.
pub(super) async fn ask(
    session: &Session<'_>,
    one: &One<'_, '_>,
    call: &Call,
) -> Result<String, RunnerFailure> {
    let url = url_for(session, one.of.runner);
    let called = called(session, url.as_deref());
    crate::runner::printed(one.of.runner, call, &called).await
}

pub(super) async fn call(
    session: &mut Session<'_>,
    one: &One<'_, '_>,
) -> Result<(), RunnerFailure> {
    let runner = one.of.runner;
    let unnamed = Revision {
        name: one.name.to_owned(),
        ..Revision::default()
    };
    let named = one.of.known.iter().find(|known| known.name == one.name);
    let revision = named.unwrap_or(&unnamed);
    let root = &session.orders.project.root;
    let call = runner.tool.apply(runner, root, revision);
    let call = call.map_err(RunnerFailure::Failed)?;
    session.orders.report(Progress::Statement {
        path: one.of.revisions.path.display().to_string(),
        position: one.index + 1,
        of: one.of.revisions.names.len(),
        text: format!("{} {}", one.of.revisions.kind, one.name),
    });
    let report = session.orders.report;
    let progress = |text: &str| report(Progress::Runner(text.to_owned()));
    let url = url_for(session, runner);
    let called = Called {
        progress: &progress,
        ..called(session, url.as_deref())
    };
    crate::runner::run(runner, &call, &called).await
}

/// The statement of a tool that was killed may still be running, and may be committed yet.
pub(super) async fn until_nobody_changes_the_schema(
    session: &mut Session<'_>,
    one: &One<'_, '_>,
) -> Result<(), CoordinatorError> {
    let began = Instant::now();
    let mut is_told = false;
    loop {
        if session.connection.is_lost() {
            session.reconnect().await;
        }
        let sessions = session.connection.changing_schema(NAME).await?;
        if sessions.is_empty() {
            return Ok(());
        }
        let ids: Vec<String> = sessions.iter().map(ToString::to_string).collect();
        let ids = ids.join(", ");
        if began.elapsed() >= session.orders.project.config.database.lock_retry_for {
            return Err(CoordinatorError::Runner {
                message: format!(
                    "session {ids} still changes the schema, and may be that of the run of `{}` that was stopped; waited {} s",
                    one.name,
                    began.elapsed().as_secs()
                ),
                help: format!(
                    "let it end, or end the session; then run {} again, which goes by the history of {}",
                    one.again(),
                    one.of.revisions.kind
                ),
            });
        }
        if !std::mem::replace(&mut is_told, true) {
            session.orders.report(Progress::Runner(format!(
                "session {ids} still changes the schema, and may be that of a run that was stopped; waiting for it"
            )));
        }
        tokio::time::sleep(BETWEEN_LOOKS).await;
    }
}

/// What tells one schema from another, without what the tool keeps for itself and what is ours.
pub(super) async fn schema_mark(
    session: &mut Session<'_>,
    runner: &Runner,
) -> Result<String, DatabaseError> {
    session.connection.begin(Access::Read).await?;
    let inventory = session.connection.inventory().await;
    session.connection.rollback().await?;
    let inventory = inventory?;
    let own = match runner.history() {
        History::Table(table) => table.name,
        History::Query(_) | History::Command(_) => String::new(),
    };
    let own = own.rsplit('.').next().unwrap_or_default().to_lowercase();
    let counts = |name: &str| {
        let name = name.to_lowercase();
        !(name.starts_with("phasegate") || (!own.is_empty() && name.starts_with(&own)))
    };
    let mut parts: Vec<String> = Vec::new();
    for one in inventory.relations.iter().filter(|one| counts(&one.name)) {
        parts.push(format!(
            "{:?} {:?} {:?} {:?}",
            one.kind, one.schema, one.name, one.columns
        ));
    }
    for one in &inventory.code.all {
        if one.runs != Runs::Elsewhere && one.table.as_deref().is_none_or(counts) {
            parts.push(format!("{one:?}"));
        }
    }
    for one in inventory.attached.iter().filter(|one| counts(&one.table)) {
        parts.push(format!(
            "{:?} {} {} {} {}",
            one.schema, one.table, one.name, one.what, one.detail
        ));
    }
    parts.sort();
    let mut mark = hash(&parts.join("\n"));
    mark.truncate(16);
    Ok(mark)
}

pub(super) fn hash(text: &str) -> String {
    let hash = Sha256::digest(text.as_bytes());
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}
