//! Where the application that an agent runs stands among the processes.

use std::io;

use rustix::process::Signal;

/// Whose process group the application is in.
///
/// At a terminal it stays in the agent's, so that it may read from the terminal and job control works;
/// what is typed there (Ctrl-C) reaches it from the kernel. Everywhere else it leads a group of its
/// own, so that it hears of each signal once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Group {
    Terminal,
    Own,
}

impl Group {
    pub(super) fn here() -> Self {
        let foreground = rustix::termios::tcgetpgrp(io::stdin());
        if foreground.is_ok_and(|group| group == rustix::process::getpgrp()) {
            Self::Terminal
        } else {
            Self::Own
        }
    }

    /// Whether the kernel itself sends the application this signal when it is typed.
    pub(super) fn is_typed(self, signal: Signal) -> bool {
        self == Self::Terminal && matches!(signal, Signal::INT | Signal::QUIT)
    }
}
