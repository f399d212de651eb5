//! A command that goes on until somebody has seen enough: what it looks at may be away for a while.

use std::os::fd::AsFd;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::exit::Exit;
use super::failure::Failure;
use super::out::{Out, note};
use crate::interrupt::Interrupt;

/// The longest pause before a database is asked again that did not answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Looks again and again.
pub(super) struct Watch {
    interrupt: Interrupt,
    every: Duration,
    pause: Duration,
    answers: Answers,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Answers {
    Come,
    /// It was said that the database is away.
    DoNot,
}

impl Watch {
    pub(super) const fn new(every: Duration, interrupt: Interrupt) -> Self {
        Self {
            interrupt,
            every,
            pause: every,
            answers: Answers::Come,
        }
    }

    /// Lets time pass until the next look; how the command ends where there is to be none. Nothing is wrong then: it was to go on
    /// until somebody ends it, or reads no more.
    pub(super) async fn next(&self, out: &Out) -> Option<Exit> {
        if out.has_failed() {
            return Some(Exit::Done);
        }
        if self.interrupt.pause(self.pause).await {
            return Some(Exit::Interrupted);
        }
        (!is_read(&std::io::stdout())).then_some(Exit::Done)
    }

    /// What a look has shown; nothing while the database is away, which is said once.
    ///
    /// # Errors
    /// What does not pass by itself.
    pub(super) fn seen<T>(&mut self, looked: Result<T, Failure>) -> Result<Option<T>, Failure> {
        match looked {
            Ok(seen) => {
                if self.answers == Answers::DoNot {
                    note("the database answers again");
                }
                (self.answers, self.pause) = (Answers::Come, self.every);
                Ok(Some(seen))
            }
            Err(failure) if failure.passes() => {
                if self.answers == Answers::Come {
                    note(&format!("waiting: {failure}"));
                }
                self.answers = Answers::DoNot;
                self.pause = (self.pause * 2).min(PATIENCE);
                Ok(None)
            }
            Err(failure) => Err(failure),
        }
    }
}

/// Whether somebody may still read what is written there: a pipe that is closed says so before anything is written.
fn is_read(stream: &impl AsFd) -> bool {
    let mut asked = [PollFd::new(stream, PollFlags::empty())];
    let now = Timespec::default();
    if poll(&mut asked, Some(&now)).is_err() {
        // What cannot be asked shows when it is written to.
        return true;
    }
    let [answer] = asked;
    let gone = PollFlags::ERR | PollFlags::HUP | PollFlags::NVAL;
    !answer.revents().intersects(gone)
}
