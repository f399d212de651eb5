//! Where questions are put: a few threads, each with an [`Asker`] and its kept connection.
//!
//! They are apart from the threads that talk to clients, because a search for a plan computes and a source may hang; what answers
//! for the process itself, and what has been seen last, goes on meanwhile.
//!
//! Invariant: no question waits longer than its time, and none is begun that nobody waits for any more.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::time::Instant;

use super::reply::Unanswered;
use crate::ask::{Answer, AskError, Asker, Question};
use crate::database::Target;
use crate::interrupt::Interrupt;
use crate::project::Project;

/// How many questions wait for each asker. More would not be answered in time.
const WAITING: usize = 32;

struct Job {
    project: Arc<Project>,
    question: Question,
    until: Instant,
    reply: oneshot::Sender<Result<Answer, AskError>>,
}

/// Takes questions.
pub(super) struct Desk {
    queue: mpsc::Sender<Job>,
    limit: Duration,
}

/// How the askers work.
#[derive(Clone, Debug)]
pub(super) struct Terms {
    pub target: Target,
    /// How many questions are looked up at once.
    pub askers: usize,
    /// How long a connection is kept.
    pub keep: Duration,
    /// How long an answer may take.
    pub limit: Duration,
}

impl Desk {
    /// Starts the threads, which end when this is dropped.
    ///
    /// # Errors
    /// A thread that cannot be started.
    pub(super) fn open(terms: &Terms) -> std::io::Result<Self> {
        let askers = terms.askers.max(1);
        let (queue, jobs) = mpsc::channel(askers.saturating_mul(WAITING));
        let jobs = Arc::new(Mutex::new(jobs));
        for _ in 0..askers {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            let (jobs, target, keep) = (Arc::clone(&jobs), terms.target.clone(), terms.keep);
            std::thread::Builder::new()
                .name("asker".to_owned())
                .spawn(move || {
                    let again = || {
                        let asker = Asker::new(target.clone(), Interrupt::default(), keep);
                        runtime.block_on(work(&jobs, asker));
                    };
                    // A defect costs one question and its connection, and not an asker.
                    while catch_unwind(AssertUnwindSafe(again)).is_err() {
                        tracing::error!("a question was given up: this is a defect of migrate");
                    }
                })?;
        }
        Ok(Self {
            queue,
            limit: terms.limit,
        })
    }

    /// The answer to a question, within its time.
    pub(super) async fn ask(
        &self,
        project: &Arc<Project>,
        question: Question,
    ) -> Result<Answer, Unanswered> {
        let until = Instant::now() + self.limit;
        let (reply, answer) = oneshot::channel();
        let job = Job {
            project: Arc::clone(project),
            question,
            until,
            reply,
        };
        self.queue.try_send(job).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => Unanswered::Busy,
            mpsc::error::TrySendError::Closed(_) => Unanswered::Closing,
        })?;
        match tokio::time::timeout_at(until, answer).await {
            Ok(Ok(Ok(answer))) => Ok(answer),
            Ok(Ok(Err(error))) => Err(Unanswered::Failed(error)),
            // It was not begun in its time, or not ended.
            Ok(Err(_)) | Err(_) => Err(Unanswered::TooLate(self.limit.as_secs_f32())),
        }
    }
}

async fn work(jobs: &Mutex<mpsc::Receiver<Job>>, mut asker: Asker) {
    loop {
        let job = jobs.lock().await.recv().await;
        let Some(Job {
            project,
            question,
            until,
            mut reply,
        }) = job
        else {
            return;
        };
        if reply.is_closed() {
            continue;
        }
        // Its connection goes with a question that is left.
        let answer = tokio::select! {
            answer = asker.ask(&project, &question) => answer,
            () = tokio::time::sleep_until(until) => continue,
            () = reply.closed() => continue,
        };
        let _ = reply.send(answer);
    }
}
