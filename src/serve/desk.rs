//! Where questions are put: a few threads, each with an [`Asker`] and a [`Door`], whose connections are kept.
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
use crate::database::{Dialect, Target};
use crate::interrupt::Interrupt;
use crate::lease::{Admission, AdmissionRequest, Door, LeaseError};
use crate::project::Project;
use crate::span::Instrument as _;
use tracing::Span;

/// How many questions wait for each asker. More would not be answered in time.
const WAITING: usize = 32;

struct Job {
    work: Work,
    until: Instant,
    /// Of whoever asks.
    span: Span,
}

enum Work {
    Ask {
        project: Arc<Project>,
        question: Question,
        reply: oneshot::Sender<Result<Answer, AskError>>,
    },
    Admit {
        request: Box<AdmissionRequest>,
        reply: oneshot::Sender<Result<Admission, LeaseError>>,
    },
}

/// Takes questions.
pub(super) struct Desk {
    queue: mpsc::Sender<Job>,
    limit: Duration,
    dialect: Dialect,
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
                        let door = Door::new(target.clone(), keep);
                        runtime.block_on(work(&jobs, asker, door));
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
            dialect: terms.target.dialect(),
        })
    }

    /// Of the database that is asked.
    pub(super) const fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// The answer to a question, within its time.
    pub(super) async fn ask(
        &self,
        project: &Arc<Project>,
        question: Question,
    ) -> Result<Answer, Unanswered> {
        let (reply, answer) = oneshot::channel();
        let work = Work::Ask {
            project: Arc::clone(project),
            question,
            reply,
        };
        let answer = self.done(work, answer).await?;
        let answer = answer.map_err(Unanswered::Failed)?;
        Span::current().record("phasegate.verdict", answer.verdict().name());
        Ok(answer)
    }

    /// Lets an instance in, or says why not. One that was not answered in its time may be registered all the same, and counts as live
    /// until its lease ends.
    pub(super) async fn admit(&self, request: AdmissionRequest) -> Result<Admission, Unanswered> {
        let (reply, answer) = oneshot::channel();
        let request = Box::new(request);
        let done = self.done(Work::Admit { request, reply }, answer).await?;
        done.map_err(|error| Unanswered::NotAdmitted(Box::new(error)))
    }

    async fn done<T>(&self, work: Work, answer: oneshot::Receiver<T>) -> Result<T, Unanswered> {
        let until = Instant::now() + self.limit;
        let span = Span::current();
        let job = Job { work, until, span };
        self.queue.try_send(job).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => Unanswered::Busy,
            mpsc::error::TrySendError::Closed(_) => Unanswered::Closing,
        })?;
        match tokio::time::timeout_at(until, answer).await {
            Ok(Ok(answer)) => Ok(answer),
            // It was not begun in its time, or not ended.
            Ok(Err(_)) | Err(_) => Err(Unanswered::TooLate(self.limit.as_secs_f32())),
        }
    }
}

async fn work(jobs: &Mutex<mpsc::Receiver<Job>>, mut asker: Asker, mut door: Door) {
    loop {
        let job = jobs.lock().await.recv().await;
        let Some(Job { work, until, span }) = job else {
            return;
        };
        let worked = async {
            match work {
                Work::Ask {
                    project,
                    question,
                    reply,
                } => {
                    // Its connection goes with a question that is left.
                    let answer = asker.ask(&project, &question);
                    carried_out(answer, until, reply).await;
                }
                Work::Admit { request, reply } => {
                    // Who holds the lock that it waits for is said in its time.
                    let limit = until.saturating_duration_since(Instant::now()).mul_f32(0.9);
                    carried_out(door.admit(&request, limit), until, reply).await;
                }
            }
        };
        worked.instrument(span).await;
    }
}

/// Does it, as long as somebody waits for it.
async fn carried_out<T>(
    work: impl Future<Output = T>,
    until: Instant,
    mut reply: oneshot::Sender<T>,
) {
    if reply.is_closed() {
        return;
    }
    let done = tokio::select! {
        done = work => done,
        () = tokio::time::sleep_until(until) => return,
        () = reply.closed() => return,
    };
    let _ = reply.send(done);
}
