//! What becomes of processes that an application has left behind: decided here, done by the agent.
//!
//! None of them may use the database without a lease. So either the lease is kept as long as they run, or they are
//! stopped before it is released.

use std::time::Duration;

use super::clock::Moment;
use super::guard::{Left, Process};

/// What becomes of processes that an application has put into the background when it ends with 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Background {
    /// They are the application: the agent stays, and keeps the lease as long as one of them runs.
    #[default]
    Keep,
    /// They are stopped.
    Stop,
    /// They are let run, and the lease is released: they do not use the database.
    Leave,
}

/// What is left of an application that has exited.
#[derive(Clone, Debug)]
pub(super) struct Rest {
    code: i32,
    /// Whether it exited by itself, and with success. A program that puts itself into the background does.
    in_good_order: bool,
    exited_at: Moment,
    /// How long what is left gets to stop.
    grace: Duration,
    until: Moment,
    pub left: Left,
    asked: bool,
    announced: bool,
    group_killed: bool,
}

/// What the agent has to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Next {
    Wait,
    /// Ask them to stop.
    Ask,
    /// Say once that the lease is kept for this one.
    Keep(Process),
    /// Kill those that did not go into the background.
    KillGroup,
    /// Kill all of them; one is named.
    Kill(Option<Process>),
    /// End, and let them run.
    Leave,
}

impl Rest {
    /// How long something has to have been in the background to be spoken of.
    const SETTLED: Duration = Duration::from_millis(500);

    pub(super) fn new(code: i32, was_asked: bool, now: Moment, grace: Duration) -> Self {
        Self {
            code,
            in_good_order: code == 0 && !was_asked,
            exited_at: now,
            grace,
            until: now + grace,
            left: Left::default(),
            asked: false,
            announced: false,
            group_killed: false,
        }
    }

    pub(super) const fn code(&self) -> i32 {
        self.code
    }

    /// When something may be due.
    pub(super) const fn until(&self) -> Moment {
        self.until
    }

    /// What is to be done at `now`.
    pub(super) fn next(&mut self, background: Background, now: Moment) -> Next {
        if self.in_good_order && self.left.in_turn {
            // What was the application was told to stop and is gone; the guard has asked the rest.
            self.in_good_order = false;
            self.asked = true;
            self.until = now + self.grace;
        }
        let is_late = now >= self.until;
        if self.in_good_order && self.left.outside > 0 {
            match background {
                Background::Keep => return self.keep(now),
                Background::Leave if self.left.grouped == 0 => return Next::Leave,
                Background::Leave if is_late && !self.group_killed => {
                    self.group_killed = true;
                    return Next::KillGroup;
                }
                Background::Leave => return Next::Wait,
                Background::Stop => {}
            }
        }
        let is_something_left = self.left != Left::default();
        let is_to_be_asked = self.left.outside > 0 || !self.in_good_order;
        if is_late {
            Next::Kill(self.left.example.clone())
        } else if is_something_left && is_to_be_asked && !self.asked {
            self.asked = true;
            Next::Ask
        } else {
            Next::Wait
        }
    }

    fn keep(&mut self, now: Moment) -> Next {
        match &self.left.example {
            Some(process) if !self.announced && now >= self.exited_at + Self::SETTLED => {
                self.announced = true;
                Next::Keep(process.clone())
            }
            _ => Next::Wait,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRACE: Duration = Duration::from_secs(10);

    fn left(grouped: u32, outside: u32) -> Left {
        Left {
            grouped,
            outside,
            example: Some(process()),
            in_turn: false,
        }
    }

    fn process() -> Process {
        Process {
            pid: 7,
            name: "nginx".into(),
        }
    }

    const fn at(seconds: u64) -> Moment {
        Moment::from_millis(seconds * 1000)
    }

    /// What is done after 0, 1, 9, 10 and 11 seconds.
    fn history(code: i32, was_asked: bool, left: &Left, background: Background) -> Vec<Next> {
        let mut rest = Rest::new(code, was_asked, at(0), GRACE);
        rest.left = left.clone();
        [0, 1, 9, 10, 11]
            .map(|seconds| rest.next(background, at(seconds)))
            .into()
    }

    #[test]
    fn what_is_left_is_kept_stopped_or_let_be() {
        use Background::{Keep, Leave, Stop};
        let kill = || Next::Kill(Some(process()));
        let wait = || Next::Wait;
        let in_time = |first| vec![first, wait(), wait(), kill(), kill()];
        // In the background, after success: it is the application.
        let kept = [wait(), Next::Keep(process()), wait(), wait(), wait()];
        assert_eq!(history(0, false, &left(0, 1), Keep), kept);
        assert_eq!(history(0, false, &left(2, 1), Keep), kept);
        assert_eq!(history(0, false, &left(0, 1), Stop), in_time(Next::Ask));
        assert_eq!(history(0, false, &left(0, 1), Leave)[0], Next::Leave);
        let group_first = [wait(), wait(), wait(), Next::KillGroup, wait()];
        assert_eq!(history(0, false, &left(1, 1), Leave), group_first);
        for background in [Keep, Stop, Leave] {
            // Helpers get time to finish.
            assert_eq!(history(0, false, &left(1, 0), background), in_time(wait()));
            // An application that failed, or was told to stop, has nothing that goes on.
            for (code, was_asked) in [(1, false), (139, false), (0, true), (143, true)] {
                for left in [left(1, 0), left(0, 1), left(1, 1)] {
                    let done = history(code, was_asked, &left, background);
                    assert_eq!(done, in_time(Next::Ask));
                }
            }
        }
    }

    #[test]
    fn what_the_background_leaves_when_it_is_told_to_stop_is_killed_in_time() {
        let mut rest = Rest::new(0, false, at(0), GRACE);
        rest.left = left(0, 2);
        assert_eq!(rest.next(Background::Keep, at(1)), Next::Keep(process()));
        // It may take its time, as an application in the foreground may.
        assert_eq!(rest.next(Background::Keep, at(100)), Next::Wait);
        rest.left = Left {
            in_turn: true,
            ..left(0, 1)
        };
        assert_eq!(rest.next(Background::Keep, at(100)), Next::Wait);
        assert_eq!(rest.next(Background::Keep, at(109)), Next::Wait);
        let killed = rest.next(Background::Keep, at(110));
        assert_eq!(killed, Next::Kill(Some(process())));
    }

    #[test]
    fn what_cannot_be_seen_is_killed_in_time_all_the_same() {
        let done = history(0, false, &Left::default(), Background::Keep);
        assert_eq!(done[2], Next::Wait);
        assert_eq!(done[3], Next::Kill(None));
    }
}
