//! What an agent and its guard say to each other: one line each.

use rustix::process::{Pid, Signal};

use super::super::clock::Moment;

/// What the agent wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::lease) enum Order {
    /// Start the application, which may run until this moment.
    Start(Moment),
    /// It may run until this moment.
    Deadline(Moment),
    /// Send this to the application, or, once that has exited, to what it has put into the background.
    Signal(Signal),
    Kill(Scope),
    /// End, and let what is left run on.
    Leave,
}

/// Whom to kill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::lease) enum Scope {
    Everything,
    /// What is still in the process group of the application.
    Group,
}

/// What the guard has seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::lease) enum Report {
    Started(Pid),
    /// The application cannot be started: the system's error number.
    Failed(i32),
    /// The application has exited; a signal counts as 128 and its number.
    Exited(i32),
    /// It has left these behind. Said again whenever that changes.
    Left(Left),
    /// This process cannot be signalled, and so not be stopped.
    Denied(Process),
    /// Nothing is left of the application. The last report.
    Gone,
}

/// What an application that has exited has left behind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::lease) struct Left {
    /// How many of them are in its process group.
    pub grouped: u32,
    /// How many have left it, as what goes into the background does.
    pub outside: u32,
    /// One of them; one of the latter, if there is one.
    pub example: Option<Process>,
    /// Whether those that were asked to stop are gone, and these are what they have left in turn.
    pub in_turn: bool,
}

/// A process, for a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::lease) struct Process {
    pub pid: i32,
    /// As it calls itself. Nothing but letters, digits and the like.
    pub name: String,
}

impl std::fmt::Display for Process {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "process {} ({})", self.pid, self.name)
    }
}

/// A name without anything that would end a line or colour it.
pub(in crate::lease) fn plain(name: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | ':' | '/' | '+');
    let plain = |c| if is_plain(c) { c } else { '_' };
    name.chars().map(plain).collect()
}

impl Order {
    pub(super) fn line(self) -> String {
        match self {
            Self::Start(until) => format!("start {}\n", until.as_millis()),
            Self::Deadline(until) => format!("deadline {}\n", until.as_millis()),
            Self::Signal(signal) => format!("signal {}\n", signal.as_raw()),
            Self::Kill(Scope::Everything) => "kill everything\n".to_owned(),
            Self::Kill(Scope::Group) => "kill group\n".to_owned(),
            Self::Leave => "leave\n".to_owned(),
        }
    }

    pub(super) fn parse(line: &str) -> Option<Self> {
        let mut words = line.split(' ');
        let word = words.next()?;
        let argument = words.next();
        let moment = || Some(Moment::from_millis(argument?.parse().ok()?));
        Some(match word {
            "start" => Self::Start(moment()?),
            "deadline" => Self::Deadline(moment()?),
            "signal" => Self::Signal(Signal::from_named_raw(argument?.parse().ok()?)?),
            "kill" if argument? == "everything" => Self::Kill(Scope::Everything),
            "kill" if argument? == "group" => Self::Kill(Scope::Group),
            "leave" => Self::Leave,
            _ => return None,
        })
    }
}

impl Report {
    pub(super) fn line(&self) -> String {
        match self {
            Self::Started(pid) => format!("started {}\n", pid.as_raw_nonzero()),
            Self::Failed(number) => format!("failed {number}\n"),
            Self::Exited(code) => format!("exited {code}\n"),
            Self::Left(left) => {
                let (pid, name) = left
                    .example
                    .as_ref()
                    .map_or((0, "-"), |example| (example.pid, &example.name));
                let in_turn = if left.in_turn { "in-turn" } else { "at-once" };
                format!(
                    "left {} {} {pid} {name} {in_turn}\n",
                    left.grouped, left.outside
                )
            }
            Self::Denied(process) => format!("denied {} {}\n", process.pid, process.name),
            Self::Gone => "gone\n".to_owned(),
        }
    }

    pub(super) fn parse(line: &str) -> Option<Self> {
        let words: Vec<&str> = line.split(' ').collect();
        let number = |text: &str| text.parse::<i32>().ok();
        let process = |pid: &str, name: &str| {
            Some(Process {
                pid: number(pid)?,
                name: plain(name),
            })
        };
        Some(match words.as_slice() {
            ["started", pid] => Self::Started(Pid::from_raw(number(pid)?)?),
            ["failed", errno] => Self::Failed(number(errno)?),
            ["exited", code] => Self::Exited(number(code)?),
            ["left", grouped, outside, pid, name, when] => Self::Left(Left {
                grouped: grouped.parse().ok()?,
                outside: outside.parse().ok()?,
                example: process(pid, name).filter(|process| process.pid != 0),
                in_turn: *when == "in-turn",
            }),
            ["denied", pid, name] => Self::Denied(process(pid, name)?),
            ["gone"] => Self::Gone,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_understood() {
        let moment = Moment::from_millis(17);
        for order in [
            Order::Start(moment),
            Order::Deadline(moment),
            Order::Signal(Signal::TERM),
            Order::Kill(Scope::Everything),
            Order::Kill(Scope::Group),
            Order::Leave,
        ] {
            assert_eq!(Order::parse(order.line().trim_end()), Some(order));
        }
        let process = Process {
            pid: 12,
            name: plain("a\nb c\u{1b}"),
        };
        let pid = Pid::from_raw(7).unwrap();
        for report in [
            Report::Started(pid),
            Report::Failed(2),
            Report::Exited(137),
            Report::Left(Left::default()),
            Report::Left(Left {
                grouped: 1,
                outside: 2,
                example: Some(process.clone()),
                in_turn: true,
            }),
            Report::Denied(process),
            Report::Gone,
        ] {
            assert_eq!(Report::parse(report.line().trim_end()), Some(report));
        }
        for nonsense in ["", "start", "start x", "kill", "left 1", "gone away"] {
            assert_eq!(Order::parse(nonsense), None);
            assert_eq!(Report::parse(nonsense), None);
        }
    }
}
