//! `migrate agent`: runs an application under a lease, and stops it when the lease cannot be kept.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use rustix::process::Signal;
use tokio::signal::unix::{Signal as Stream, SignalKind, signal};

use super::admission::{Admission, AdmissionRequest, admit_and_keep, longest_admission};
use super::child::Group;
use super::clock::Moment;
use super::deadline::Terms;
use super::error::LeaseError;
use super::guard::{Application, Left, Order, Report, Scope};
use super::keeper::{Keeper, KeeperHandle};
use super::rest::{Next, Rest};
use super::status::StatusSocket;
use super::tenure::{Loss, Tenure};
use crate::database::Target;
use crate::gate::Decision;
use crate::interrupt::Interrupt;
use crate::model::LeaseConnection;

pub use super::guard::Guard;
pub use super::rest::Background;

/// What an agent is to do.
#[derive(Debug)]
pub struct AgentOptions {
    pub target: Target,
    pub request: AdmissionRequest,
    /// Holds the program that is to be run.
    pub guard: Guard,
    /// What the application gets between SIGTERM and SIGKILL when its lease is lost, where the
    /// lease is long enough.
    pub stop_timeout: Duration,
    pub background: Background,
    pub connection: LeaseConnection,
    /// Where the application is told of its lease.
    pub status_socket: Option<PathBuf>,
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
            Self::Lost { code: 0, loss } => i32::from(loss.exit_code()),
            Self::Lost { code, .. } => *code,
        }
    }
}

/// Registers an instance, runs its application in the foreground, renews the lease, passes signals
/// on, and releases the lease when the application and everything that it has started are gone.
///
/// # Errors
/// Whatever prevents the admission or the start of the application; then no lease is left.
pub async fn run(options: AgentOptions) -> Result<AgentEnd, LeaseError> {
    let AgentOptions {
        target,
        request,
        guard,
        stop_timeout,
        background,
        connection: between,
        status_socket,
    } = options;
    let terms = Terms::new(request.lease, request.renew, stop_timeout)?;
    let mut signals = Signals::listen()?;
    // Before anything is registered: what cannot be made is said at once.
    let status = status_socket
        .map(|path| StatusSocket::open(&path, &request))
        .transpose()?;
    let (admission, connection) = tokio::select! {
        admission = admit_and_keep(&target, &request, longest_admission(), Interrupt::default()) => admission?,
        // Nothing has started that could be told to stop.
        signal = signals.next_that_ends() => {
            return Ok(AgentEnd::Exited { code: 128 + signal.as_raw() });
        }
    };
    let (id, asked_at) = match admission {
        Admission::Admitted { id, asked_at, .. } => (id, asked_at),
        Admission::Refused(decision) => {
            connection.close().await;
            return Ok(AgentEnd::Refused(decision));
        }
    };
    let tenure = Arc::new(Tenure::new(terms, asked_at));
    if let Some(status) = &status {
        status.valid();
    }
    let (keeper, handle) = Keeper::new(target, request, id, Arc::clone(&tenure));
    tokio::spawn(keeper.over(between, connection).run());
    let group = guard.group();
    let end = match start(guard, &tenure).await {
        Ok(application) => {
            let mut agent = Agent {
                application,
                group,
                tenure,
                handle: handle.clone(),
                status,
                background,
                stage: Stage::Running,
                asked_to_stop: false,
                rest: None,
                killed_at: None,
            };
            let (end, remains) = agent.supervise(&mut signals).await;
            if remains == Remains::Something {
                tracing::error!(
                    "processes of the application are left that cannot be stopped: the lease is not released, and \
                     counts until it runs out"
                );
                return Ok(end);
            }
            Ok(end)
        }
        Err(error) => Err(error),
    };
    if let Err(error) = handle.release().await {
        tracing::warn!("the lease could not be released and counts until it runs out: {error}");
    }
    end
}

async fn start(guard: Guard, tenure: &Tenure) -> Result<Application, LeaseError> {
    let now = Moment::now();
    let held = tenure.look(now);
    if held.is_valid_at(now) {
        guard.start(held.deadline.kill_at()).await
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
}

/// What an agent leaves behind.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Remains {
    Nothing,
    /// Processes that it cannot stop.
    Something,
}

struct Agent {
    application: Application,
    group: Group,
    tenure: Arc<Tenure>,
    handle: KeeperHandle,
    status: Option<StatusSocket>,
    background: Background,
    stage: Stage,
    /// Whether a signal was passed on that usually ends a program.
    asked_to_stop: bool,
    /// Once the application itself has exited.
    rest: Option<Rest>,
    killed_at: Option<Moment>,
}

impl Agent {
    async fn supervise(&mut self, signals: &mut Signals) -> (AgentEnd, Remains) {
        let mut changes = self.tenure.subscribe();
        loop {
            // Invariant: the deadline comes before anything else. It may be long after the last look.
            let now = Moment::now();
            let loss = self.enforce(now);
            crate::process::reap_strangers();
            if self.tidy_up(now) {
                return (self.end(loss), Remains::Nothing);
            }
            if self.gives_up(now) {
                return (self.end(loss), Remains::Something);
            }
            let nap = self.tenure.nap(now, self.due());
            tokio::select! {
                biased;
                report = self.application.heard() => match report {
                    Some(Report::Gone) => {
                        let loss = self.enforce(now);
                        return (self.end(loss), Remains::Nothing);
                    }
                    Some(report) => self.note(report),
                    None => return self.unguarded().await,
                },
                signal = signals.next() => self.pass_on(signal),
                _ = changes.changed() => {}
                () = tokio::time::sleep(nap) => {}
            }
        }
    }

    fn end(&self, loss: Option<Loss>) -> AgentEnd {
        const KILLED: i32 = 128 + Signal::KILL.as_raw();
        let code = self.rest.as_ref().map_or(KILLED, Rest::code);
        match loss {
            Some(loss) => AgentEnd::Lost { loss, code },
            None => AgentEnd::Exited { code },
        }
    }

    /// Stops the application where the lease is lost, and kills it where that took too long.
    fn enforce(&mut self, now: Moment) -> Option<Loss> {
        let held = self.tenure.look(now);
        self.application.may_run_until(held.deadline.kill_at());
        let loss = held.loss?;
        if self.stage == Stage::Running {
            self.stage = Stage::Stopping;
            self.asked_to_stop = true;
            if let Some(status) = &self.status {
                status.lost(&loss);
            }
            tracing::error!(help = loss.help(), "stopping the application: {loss}");
            self.application.tell(Order::Signal(Signal::TERM));
        }
        if now >= held.deadline.kill_at() {
            self.kill(now, "killing the application: it did not stop in time");
        }
        Some(loss)
    }

    fn kill(&mut self, now: Moment, why: &str) {
        if self.killed_at.is_none() {
            self.killed_at = Some(now);
            tracing::error!("{why}");
            self.application.kill();
        }
    }

    /// Does what is to be done about what an application that has exited has left behind; whether it is let run on.
    fn tidy_up(&mut self, now: Moment) -> bool {
        let background = self.background;
        let next = self.rest.as_mut().map(|rest| rest.next(background, now));
        match next.unwrap_or(Next::Wait) {
            Next::Wait => {}
            Next::Ask => self.application.tell(Order::Signal(Signal::TERM)),
            Next::Keep(process) => tracing::warn!(
                help = "start it in the foreground, so that it is seen when it fails; or see `migrate agent --help`, --background",
                "the application has put itself into the background: the lease is kept as long as {process} and what it \
                 has started run"
            ),
            Next::KillGroup => self.application.tell(Order::Kill(Scope::Group)),
            Next::Kill(left) => {
                let why = match left {
                    Some(process) => format!(
                        "killing what the application has left behind when it exited, {process} for one: it would run \
                         without a lease"
                    ),
                    None => {
                        "killing what the application has left behind: it would run without a lease"
                            .to_owned()
                    }
                };
                self.kill(now, &why);
            }
            Next::Leave => {
                self.application.tell(Order::Leave);
                return true;
            }
        }
        false
    }

    fn due(&self) -> Option<Moment> {
        self.rest.as_ref().map(Rest::until)
    }

    /// Whether it has been killed, and is not gone for so long that it cannot be killed.
    fn gives_up(&self, now: Moment) -> bool {
        const PATIENCE: Duration = Duration::from_secs(5);
        self.killed_at.is_some_and(|at| now >= at + PATIENCE)
    }

    fn note(&mut self, report: Report) {
        match report {
            Report::Exited(code) => {
                let now = Moment::now();
                let grace = self.tenure.terms().grace();
                self.rest = Some(Rest::new(code, self.asked_to_stop, now, grace));
            }
            Report::Left(left) => self.left(left),
            Report::Denied(process) => tracing::error!(
                help = "start the agent with the rights that the application has, or with more: `sudo migrate agent … -- CMD`",
                "{process} runs as a user whose processes this agent may not stop: it would outlive its lease"
            ),
            // The first comes once, at the start, and the others are seen to before.
            Report::Started(_) | Report::Failed(_) | Report::Gone => {}
        }
    }

    fn left(&mut self, left: Left) {
        if let Some(rest) = &mut self.rest {
            rest.left = left;
        }
    }

    /// The guard was killed: everything that it has guarded is now below this process.
    async fn unguarded(&mut self) -> (AgentEnd, Remains) {
        tracing::error!(
            "the process that guards the application was killed: stopping the application, which could outlive its lease"
        );
        let remains = if self.application.kill_orphans().await {
            Remains::Nothing
        } else {
            Remains::Something
        };
        let loss = self.enforce(Moment::now());
        (self.end(loss), remains)
    }

    fn pass_on(&mut self, signal: Signal) {
        if matches!(signal, Signal::TERM | Signal::INT) {
            self.handle.begin_draining();
            if self.stage == Stage::Running
                && let Some(status) = &self.status
            {
                status.draining();
            }
        }
        if matches!(signal, Signal::TERM | Signal::INT | Signal::QUIT) {
            self.asked_to_stop = true;
        }
        // What has put itself into the background hears nothing of what is typed.
        if self.rest.is_some() || !self.group.is_typed(signal) {
            self.application.tell(Order::Signal(signal));
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
