//! What was seen last, for everybody who only looks: the page, and the metrics.
//!
//! One thread looks every few seconds, whoever asks, so that a thousand open pages cost the database what one does.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::files::Files;
use super::reply::without_secrets;
use crate::ask::{Answer, AskError, Asker, Events, Log, Next, Question, Record, Status};
use crate::database::Target;
use crate::interrupt::Interrupt;
use crate::ledger::{Event, KnownHead};
use crate::model::MigrationId;
use crate::project::Project;
use crate::span;

/// How many events of the log are kept in sight.
const EVENTS: usize = 200;

/// What a look has shown.
pub(super) struct Seen {
    pub status: Status,
    pub project: Arc<Project>,
    /// The last events, oldest first.
    pub events: Vec<Event>,
    /// Where the log ended, as `migrate log --head` prints it.
    pub log_head: Option<String>,
    /// Since when each migration's next step is not allowed, as far as this server has seen it; milliseconds since the epoch.
    pub held_since: BTreeMap<MigrationId, i64>,
}

/// What was seen last, and whether the look after it failed.
#[derive(Clone, Default)]
pub(super) struct Glance {
    pub seen: Option<Arc<Seen>>,
    pub seen_at: Option<Instant>,
    /// Why nothing has been seen since.
    pub trouble: Option<String>,
}

/// Looks again and again, on a thread of its own.
pub(super) struct Watcher {
    pub files: Arc<Files>,
    pub target: Target,
    /// How often.
    pub every: Duration,
    /// How long a look may take.
    pub limit: Duration,
}

impl Watcher {
    /// Starts looking; it ends when nobody wants to know any more.
    ///
    /// # Errors
    /// A thread that cannot be started.
    pub(super) fn start(self) -> std::io::Result<watch::Receiver<Glance>> {
        let (glance, seen) = watch::channel(Glance::default());
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        std::thread::Builder::new()
            .name("watcher".to_owned())
            .spawn(move || runtime.block_on(self.look_on(&glance)))?;
        Ok(seen)
    }

    async fn look_on(&self, glance: &watch::Sender<Glance>) {
        // Longer than a look takes, and short enough to notice that the server is another one by now.
        let keep = Duration::from_secs(60);
        let mut asker = Asker::new(self.target.clone(), Interrupt::default(), keep);
        let mut memory = Memory::default();
        loop {
            self.files.look();
            let project = self.files.project();
            let look = span::within(span::look(), memory.look(&mut asker, &project));
            let looked = tokio::time::timeout(self.limit, look).await;
            let now = match looked {
                Ok(Ok(seen)) => Glance {
                    seen: Some(Arc::new(seen)),
                    seen_at: Some(Instant::now()),
                    trouble: None,
                },
                Ok(Err(error)) => after(glance, &error.to_string()),
                Err(_) => {
                    let limit = self.limit.as_secs_f32();
                    after(glance, &format!("no answer within {limit} s"))
                }
            };
            if glance.send(now).is_err() {
                return;
            }
            tokio::select! {
                () = tokio::time::sleep(self.every) => {}
                () = glance.closed() => return,
            }
        }
    }
}

/// What was seen before stays in sight.
fn after(glance: &watch::Sender<Glance>, trouble: &str) -> Glance {
    let before = glance.borrow().clone();
    let trouble = without_secrets(trouble.into());
    Glance {
        trouble: trouble.as_str().map(str::to_owned),
        ..before
    }
}

#[derive(Default)]
struct Memory {
    held_since: BTreeMap<MigrationId, i64>,
}

impl Memory {
    async fn look(&mut self, asker: &mut Asker, project: &Arc<Project>) -> Result<Seen, AskError> {
        let record = Record::Nothing;
        let status = match asker.ask(project, &Question::Status { record }).await? {
            Answer::Status(status) => *status,
            other => return Err(unasked(&other)),
        };
        let log = last_events(asker, project).await?;
        self.held_since = held_since(&self.held_since, &status);
        Ok(Seen {
            status,
            project: Arc::clone(project),
            events: log.events,
            log_head: log.head.as_ref().map(KnownHead::to_string),
            held_since: self.held_since.clone(),
        })
    }
}

/// The end of the log.
async fn last_events(asker: &mut Asker, project: &Project) -> Result<Log, AskError> {
    let asked = Events {
        last: Some(EVENTS),
        ..Events::default()
    };
    match asker.ask(project, &Question::Log(asked)).await? {
        Answer::Log(log) => Ok(log),
        other => Err(unasked(&other)),
    }
}

fn unasked(answer: &Answer) -> AskError {
    AskError::Unplaced {
        why: format!(
            "an answer ({}) came to something else",
            answer.verdict().name()
        ),
        help: "this is a defect of migrate: please report it".to_owned(),
    }
}

/// Since when the next step of each migration is not allowed: what was seen before keeps its time.
fn held_since(before: &BTreeMap<MigrationId, i64>, status: &Status) -> BTreeMap<MigrationId, i64> {
    let now = status.looked.situation.view.now;
    let states = status.migrations().iter();
    let blocked = states.filter(|state| matches!(status.next(state), Next::Blocked(..)));
    blocked
        .map(|state| {
            let since = before.get(state.id()).copied().unwrap_or(now);
            (state.id().clone(), since)
        })
        .collect()
}
