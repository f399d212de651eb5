//! `migrate agent`: runs an application under a lease, and stops it when the lease cannot be kept.

use std::ffi::OsString;
use std::io;
use std::process::ExitStatus;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use rustix::process::Signal;
use tokio::signal::unix::{Signal as Stream, SignalKind, signal};

use super::admission::{Admission, AdmissionRequest, admit};
use super::child::{Application, Group, exit_code};
use super::clock::Moment;
use super::deadline::Terms;
use super::error::LeaseError;
use super::keeper::{Keeper, KeeperHandle};
use super::session_name::session_name;
use super::tenure::{Loss, Tenure};
use crate::database::Target;
use crate::gate::Decision;

/// What an agent is to do.
#[derive(Clone, Debug)]
pub struct AgentOptions {
    pub target: Target,
    pub request: AdmissionRequest,
    /// The program and its arguments.
    pub command: Vec<OsString>,
    /// What the application gets between SIGTERM and SIGKILL when its lease is lost, where the
    /// lease is long enough.
    pub stop_timeout: Duration,
}

/// How an agent ended.
#[derive(Clone, Debug)]
pub enum AgentEnd {
    /// The application exited; a signal counts as 128 and its number.
    Exited { code: i32 },
    /// The application was not started.
    Refused(Decision),
    /// The application was stopped, because its lease was lost.
    Lost { loss: Loss, code: i32 },
}

impl AgentEnd {
    /// The exit code of the agent itself.
    #[must_use]
    pub fn code(&self) -> i32 {
        match self {
            Self::Exited { code } => *code,
            Self::Refused(decision) => i32::from(decision.verdict.exit_code()),
            // That it stopped in good order does not make it a success.
            Self::Lost { code: 0, .. } => 1,
            Self::Lost { code, .. } => *code,
        }
    }
}

/// Registers an instance, runs its application in the foreground, renews the lease, passes signals
/// on, and releases the lease when the application and its helpers are gone.
///
/// # Errors
/// Whatever prevents the admission or the start of the application; then no lease is left.
pub async fn run(options: AgentOptions) -> Result<AgentEnd, LeaseError> {
    let AgentOptions {
        target,
        request,
        command,
        stop_timeout,
    } = options;
    let terms = Terms::new(request.lease, request.renew, stop_timeout)?;
    let mut signals = Signals::listen()?;
    let admission = tokio::select! {
        admission = admit(&target, &request) => admission?,
        // Nothing has started that could be told to stop.
        signal = signals.next_that_ends() => {
            return Ok(AgentEnd::Exited { code: 128 + signal.as_raw() });
        }
    };
    let (id, asked_at) = match admission {
        Admission::Admitted { id, asked_at, .. } => (id, asked_at),
        Admission::Refused(decision) => return Ok(AgentEnd::Refused(decision)),
    };
    let tenure = Arc::new(Tenure::new(terms, asked_at));
    let session_name = session_name(&request.service, &request.label, &request.instance);
    let (keeper, handle) = Keeper::new(target, request, id, Arc::clone(&tenure));
    tokio::spawn(keeper.run());
    let group = Group::here();
    let end = match start(&command, group, &session_name, &tenure).await {
        Ok(application) => {
            let mut agent = Agent {
                application,
                group,
                tenure,
                handle: handle.clone(),
                stage: Stage::Running,
            };
            Ok(agent.supervise(&mut signals).await)
        }
        Err(error) => Err(error),
    };
    if let Err(error) = handle.release().await {
        tracing::warn!("the lease could not be released and counts until it runs out: {error}");
    }
    end
}

async fn start(
    command: &[OsString],
    group: Group,
    session_name: &str,
    tenure: &Tenure,
) -> Result<Application, LeaseError> {
    let now = Moment::now();
    if tenure.look(now).is_valid_at(now) {
        Application::start(command, group, session_name).await
    } else {
        Err(LeaseError::Timeout {
            what: "the admission",
            seconds: tenure.terms().lease().as_secs(),
        })
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Running,
    /// It was asked to stop, because the lease is lost.
    Stopping,
    Killed,
}

struct Agent {
    application: Application,
    group: Group,
    tenure: Arc<Tenure>,
    handle: KeeperHandle,
    stage: Stage,
}

/// An application that has exited, while what it started may still be there.
struct Exit {
    code: i32,
    rest_until: Moment,
}

impl Agent {
    async fn supervise(&mut self, signals: &mut Signals) -> AgentEnd {
        // How often it is looked whether an exited application has left something behind.
        const LOOK: Duration = Duration::from_millis(20);
        let mut changes = self.tenure.subscribe();
        let mut exit: Option<Exit> = None;
        loop {
            // Invariant: the deadline comes before anything else. It may be long after the last look.
            let now = Moment::now();
            let loss = self.enforce(now);
            if let Some(exit) = &exit
                && self.is_over(exit, now)
            {
                return match loss {
                    Some(loss) => AgentEnd::Lost {
                        loss,
                        code: exit.code,
                    },
                    None => AgentEnd::Exited { code: exit.code },
                };
            }
            let due = exit.as_ref().map(|_| now + LOOK);
            tokio::select! {
                biased;
                status = self.application.exited(), if exit.is_none() => {
                    exit = Some(self.exit(status));
                }
                signal = signals.next() => self.pass_on(signal),
                _ = changes.changed() => {}
                () = tokio::time::sleep(self.tenure.nap(now, due)) => {}
            }
        }
    }

    /// Stops the application where the lease is lost, and kills it where that took too long.
    fn enforce(&mut self, now: Moment) -> Option<Loss> {
        let held = self.tenure.look(now);
        let loss = held.loss?;
        if self.stage == Stage::Running {
            self.stage = Stage::Stopping;
            tracing::error!(help = loss.help(), "stopping the application: {loss}");
            self.application.signal(Signal::TERM);
        }
        if self.stage == Stage::Stopping && now >= held.deadline.kill_at() {
            self.stage = Stage::Killed;
            tracing::error!("killing the application: it did not stop in time");
            self.application.kill();
        }
        Some(loss)
    }

    fn exit(&self, status: io::Result<ExitStatus>) -> Exit {
        let code = status.map_or_else(
            |error| {
                tracing::error!("how the application ended cannot be known: {error}");
                1
            },
            exit_code,
        );
        let rest_until = Moment::now() + self.tenure.terms().grace();
        Exit { code, rest_until }
    }

    /// Whether nothing of an application that has exited is left. What is left after a while is
    /// killed: it would go on without a lease.
    fn is_over(&self, exit: &Exit, now: Moment) -> bool {
        if !self.application.left_something() {
            return true;
        }
        if now < exit.rest_until {
            return false;
        }
        tracing::warn!("killing processes that the application has left behind");
        self.application.kill();
        true
    }

    fn pass_on(&self, signal: Signal) {
        if matches!(signal, Signal::TERM | Signal::INT) {
            self.handle.begin_draining();
        }
        if !self.group.is_typed(signal) {
            self.application.signal(signal);
        }
    }
}

/// The signals that an agent passes on.
struct Signals(Vec<(Signal, Stream)>);

impl Signals {
    const PASSED_ON: [Signal; 6] = [
        Signal::TERM,
        Signal::INT,
        Signal::HUP,
        Signal::QUIT,
        Signal::USR1,
        Signal::USR2,
    ];

    fn listen() -> io::Result<Self> {
        let stream = |kind: Signal| Ok((kind, signal(SignalKind::from_raw(kind.as_raw()))?));
        Self::PASSED_ON
            .into_iter()
            .map(stream)
            .collect::<io::Result<_>>()
            .map(Self)
    }

    async fn next(&mut self) -> Signal {
        std::future::poll_fn(|context| {
            for (signal, stream) in &mut self.0 {
                if stream.poll_recv(context).is_ready() {
                    return Poll::Ready(*signal);
                }
            }
            Poll::Pending
        })
        .await
    }

    async fn next_that_ends(&mut self) -> Signal {
        loop {
            let signal = self.next().await;
            // Whatever an application would have made of these, there is none yet.
            if !matches!(signal, Signal::USR1 | Signal::USR2) {
                return signal;
            }
        }
    }
}
