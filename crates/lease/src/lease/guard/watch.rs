//! The guard's own process: starts the application, waits for everything that comes of it, and kills all of
//! that when the agent is gone or the lease ends.

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitOptions, WaitStatus};
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::signal::unix::{Signal as Stream, SignalKind, signal};

use super::super::child::Group;
use super::super::clock::Moment;
use super::message::{Left, Order, Report, Scope};
use super::tree::{self, Member};
use crate::process::Sign;

/// What the guard starts.
#[derive(Clone, Debug)]
pub(in crate::lease) struct Program {
    /// The program and its arguments.
    pub command: Vec<OsString>,
    /// What it is to call its database sessions.
    pub session_name: String,
    /// What it is told in its environment, and what it must not take over from there.
    pub environment: Vec<(&'static str, Option<OsString>)>,
    pub group: Group,
}

/// How often it is looked whether processes that are killed are gone.
const KILLING: Duration = Duration::from_millis(20);
/// How soon it is first looked what an exited application has left; half as often each time.
const FIRST_LOOK: Duration = Duration::from_millis(20);
/// Nothing is waited for longer: timers stand still while the machine is suspended.
const TICK: Duration = Duration::from_secs(1);
/// How long processes that may not be signalled are waited for, when there is no agent any more.
const PATIENCE: Duration = Duration::from_secs(5);

/// Guards one application to its end. Runs in a process of its own; the answer is its exit code.
pub(super) fn run(program: &Program, link: UnixStream) -> i32 {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    // Without an answer the agent takes this process for killed.
    let Ok(runtime) = runtime else { return 1 };
    let _sign = Sign::put_up(&program.session_name);
    match runtime.block_on(guard(program, link)) {
        Ok(()) => 0,
        Err(_) => 1,
    }
}

async fn guard(program: &Program, link: UnixStream) -> io::Result<()> {
    link.set_nonblocking(true)?;
    let orders = tokio::net::UnixStream::from_std(link.try_clone()?)?;
    // What is typed at a terminal, or sent to a whole group, is the agent's to pass on. Caught and not ignored: the
    // application would inherit that.
    let _caught = [
        Signal::TERM,
        Signal::INT,
        Signal::HUP,
        Signal::QUIT,
        Signal::USR1,
        Signal::USR2,
    ]
    .map(|kind| signal(SignalKind::from_raw(kind.as_raw())));
    let children = signal(SignalKind::child())?;
    Guarding {
        link,
        group: program.group,
        application: None,
        has_exited: false,
        kill_at: None,
        killing: false,
        alone_since: None,
        left: Left::default(),
        asked: None,
        denied: Vec::new(),
        look_after: FIRST_LOOK,
    }
    .run(program, BufReader::new(orders).lines(), children)
    .await
}

struct Guarding {
    link: UnixStream,
    group: Group,
    application: Option<Pid>,
    has_exited: bool,
    kill_at: Option<Moment>,
    killing: bool,
    /// Since when there is no agent.
    alone_since: Option<Moment>,
    left: Left,
    /// Who was asked to stop, and by which signal.
    asked: Option<Asked>,
    denied: Vec<i32>,
    look_after: Duration,
}

/// Those that were asked to stop. What loses its parent later is asked as well: it may be what such a parent has left.
struct Asked {
    signal: Signal,
    /// Those that were there then, each with when it started.
    first: Vec<(Pid, u64)>,
    later: Vec<(Pid, u64)>,
}

impl Asked {
    fn knows(&self, member: &Member) -> bool {
        let key = (member.pid, member.started);
        self.first.contains(&key) || self.later.contains(&key)
    }

    fn is_first(&self, member: &Member) -> bool {
        self.first.contains(&(member.pid, member.started))
    }
}

impl Guarding {
    async fn run(
        mut self,
        program: &Program,
        mut orders: Lines<BufReader<tokio::net::UnixStream>>,
        mut children: Stream,
    ) -> io::Result<()> {
        loop {
            if self.reap() {
                self.report(&Report::Gone);
                return Ok(());
            }
            let now = Moment::now();
            // Invariant: nothing of the application outlives its agent or its lease, whatever has become of its agent.
            if self.alone_since.is_some() || self.kill_at.is_some_and(|at| now >= at) {
                self.killing = true;
            }
            if self.killing {
                self.kill(Scope::Everything);
            }
            let gives_up = self
                .alone_since
                .is_some_and(|since| now >= since + PATIENCE);
            if gives_up && !self.denied.is_empty() {
                return Ok(());
            }
            self.look();
            tokio::select! {
                _ = children.recv() => {}
                order = orders.next_line(), if self.alone_since.is_none() => {
                    match order.ok().flatten() {
                        Some(line) => if !self.obey(Order::parse(&line), program) {
                            return Ok(());
                        },
                        None => self.alone_since = Some(Moment::now()),
                    }
                }
                () = tokio::time::sleep(self.nap(now)) => {}
            }
        }
    }

    fn nap(&self, now: Moment) -> Duration {
        if self.killing {
            return KILLING;
        }
        let look = if self.has_exited {
            self.look_after
        } else {
            TICK
        };
        let until_kill = self.kill_at.map_or(TICK, |at| now.until(at));
        look.min(TICK).min(until_kill)
    }

    /// Whether there is still something to do.
    fn obey(&mut self, order: Option<Order>, program: &Program) -> bool {
        match order {
            Some(Order::Start(until)) => {
                self.kill_at = Some(until);
                return self.start(program);
            }
            Some(Order::Deadline(until)) => self.kill_at = Some(until),
            Some(Order::Signal(signal)) => self.signal(signal),
            Some(Order::Kill(Scope::Everything)) => self.killing = true,
            Some(Order::Kill(Scope::Group)) => self.kill(Scope::Group),
            Some(Order::Leave) => return false,
            // They are of one build, so there is none.
            None => {}
        }
        true
    }

    fn start(&mut self, program: &Program) -> bool {
        let Some((name, arguments)) = program.command.split_first() else {
            self.report(&Report::Failed(rustix::io::Errno::INVAL.raw_os_error()));
            return false;
        };
        let mut prepared = Command::new(name);
        prepared.args(arguments);
        super::super::session_name::name_sessions(&mut prepared, &program.session_name);
        for (name, value) in &program.environment {
            match value {
                Some(value) => prepared.env(name, value),
                None => prepared.env_remove(name),
            };
        }
        if program.group == Group::Own {
            prepared.process_group(0);
        }
        // For the case that the agent and this process are killed in one moment.
        crate::process::die_with_parent(&mut prepared);
        match prepared.spawn() {
            Ok(child) => {
                let pid = Pid::from_child(&child);
                self.application = Some(pid);
                self.report(&Report::Started(pid));
                true
            }
            Err(error) => {
                let number = error.raw_os_error().unwrap_or_default();
                self.report(&Report::Failed(number));
                false
            }
        }
    }

    /// Collects whatever has ended; true once an application was started and nothing is left of it.
    fn reap(&mut self) -> bool {
        loop {
            match rustix::process::wait(WaitOptions::NOHANG) {
                Ok(Some((pid, status))) => {
                    if Some(pid) == self.application && !self.has_exited {
                        self.has_exited = true;
                        self.report(&Report::Exited(exit_code(status)));
                    }
                    self.look_after = FIRST_LOOK;
                }
                // Invariant: the kernel gives this process whatever an ended one below it leaves. So without a child
                // there is nothing below it.
                Err(error) if error == rustix::io::Errno::CHILD => {
                    return self.has_exited || self.alone_since.is_some();
                }
                Ok(None) | Err(_) => return false,
            }
        }
    }

    /// Looks what an exited application has left, and whether there is something that cannot be stopped.
    fn look(&mut self) {
        if self.killing {
            return;
        }
        let Some(application) = self.application else {
            return;
        };
        if !self.has_exited {
            if rustix::process::test_kill_process(application) == Err(rustix::io::Errno::PERM) {
                let members = members();
                let member = members.into_iter().find(|member| member.pid == application);
                self.deny(member.as_ref());
            }
            return;
        }
        let members = members();
        for member in &members {
            if rustix::process::test_kill_process(member.pid) == Err(rustix::io::Errno::PERM) {
                self.deny(Some(member));
            }
        }
        if let Some(asked) = &mut self.asked {
            let here = rustix::process::getpid();
            let orphans = members.iter().filter(|member| member.is_child_of(here));
            for member in orphans {
                if !asked.knows(member) {
                    asked.later.push((member.pid, member.started));
                    // Where that is not allowed, it is said above.
                    let _ = rustix::process::kill_process(member.pid, asked.signal);
                }
            }
        }
        let in_turn = self.asked.as_ref().is_some_and(|asked| {
            !members.is_empty() && !members.iter().any(|member| asked.is_first(member))
        });
        let group = self.group_of(application);
        let (grouped, outside): (Vec<_>, Vec<_>) =
            members.iter().partition(|member| member.group == group);
        let count = |members: &[&Member]| u32::try_from(members.len()).unwrap_or(u32::MAX);
        let left = Left {
            grouped: count(&grouped),
            outside: count(&outside),
            example: outside
                .first()
                .or(grouped.first())
                .map(|member| member.shown()),
            in_turn,
        };
        if left != self.left {
            self.left = left;
            self.report(&Report::Left(self.left.clone()));
        }
        self.look_after = (self.look_after * 2).min(TICK);
    }

    /// The process group that the application was started in.
    fn group_of(&self, application: Pid) -> i32 {
        let leader = match self.group {
            Group::Own => application,
            // That of everybody here.
            Group::Terminal => rustix::process::getpgrp(),
        };
        leader.as_raw_nonzero().get()
    }

    fn signal(&mut self, signal: Signal) {
        let ends = matches!(signal, Signal::TERM | Signal::INT | Signal::QUIT);
        match self.application {
            // It is not reaped, so its number is its own.
            Some(application) if !self.has_exited => {
                // Where that is not allowed, it was said before.
                let _ = rustix::process::kill_process(application, signal);
            }
            // Those that have no parent but this process: what they have started themselves is theirs to stop.
            Some(_) => {
                let here = rustix::process::getpid();
                let mut first = Vec::new();
                for member in members().iter().filter(|member| member.is_child_of(here)) {
                    let _ = rustix::process::kill_process(member.pid, signal);
                    first.push((member.pid, member.started));
                }
                if ends {
                    let later = self
                        .asked
                        .take()
                        .map_or_else(Vec::new, |before| before.later);
                    self.asked = Some(Asked {
                        signal,
                        first,
                        later,
                    });
                    self.look_after = FIRST_LOOK;
                }
            }
            None => {}
        }
    }

    fn kill(&mut self, scope: Scope) {
        let group = self
            .application
            .map(|application| self.group_of(application));
        if let Some(application) = self.application
            && !self.has_exited
        {
            // Where that is not allowed, it is said below.
            let _ = rustix::process::kill_process(application, Signal::KILL);
        }
        if cfg!(not(target_os = "linux"))
            && self.group == Group::Own
            && let Some(application) = self.application
        {
            // As good as certain to be empty already, which is an error here.
            let _ = rustix::process::kill_process_group(application, Signal::KILL);
        }
        for member in members() {
            let is_meant = scope == Scope::Everything || Some(member.group) == group;
            if is_meant && tree::kill(&member).is_err() {
                self.deny(Some(&member));
            }
        }
    }

    fn deny(&mut self, member: Option<&Member>) {
        let Some(member) = member else { return };
        let process = member.shown();
        if !self.denied.contains(&process.pid) {
            self.denied.push(process.pid);
            self.report(&Report::Denied(process));
        }
    }

    /// Tells the agent, if it is still there: it reads whenever it runs, and a line of it is not lost.
    fn report(&mut self, report: &Report) {
        let _ = self.link.write_all(report.line().as_bytes());
    }
}

/// What is below this process, as far as the system tells.
fn members() -> Vec<Member> {
    tree::below(rustix::process::getpid()).unwrap_or_default()
}

/// The code that stands for an exit, as in a shell: 128 and the signal's number where one ended it.
fn exit_code(status: WaitStatus) -> i32 {
    let signal = status.terminating_signal().unwrap_or_default();
    status.exit_status().unwrap_or(128 + signal)
}
