//! A pseudo-terminal, in which `migrate` runs as it does before a person.

use std::fs::OpenOptions;
use std::os::fd::OwnedFd;
use std::process::Stdio;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

/// A terminal of this many columns: what stands behind it, and what a program is given as its streams.
pub struct Terminal {
    pub behind: OwnedFd,
    streams: OwnedFd,
}

impl Terminal {
    pub fn new(columns: u16) -> Self {
        let behind = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
        grantpt(&behind).expect("a terminal of ours");
        unlockpt(&behind).expect("a terminal that can be opened");
        let name = ptsname(&behind, Vec::new()).expect("a terminal with a name");
        let path = name.into_string().expect("a path");
        let streams = OpenOptions::new().read(true).write(true).open(path);
        let streams = OwnedFd::from(streams.expect("the terminal opens"));
        let size = Winsize {
            ws_row: 50,
            ws_col: columns,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        tcsetwinsize(&streams, size).expect("a terminal has a size");
        Self { behind, streams }
    }

    /// One of a program's streams.
    pub fn stream(&self) -> Stdio {
        self.streams.try_clone().expect("a stream").into()
    }
}

/// What a person sees: the text without what colours it, and the lines that something else was written over left out.
pub fn seen(text: &str) -> String {
    let lines = text.replace("\r\n", "\n");
    let lines = lines.split('\n').map(|line| {
        let last = line.rsplit('\r').next().unwrap_or_default();
        anstream::adapter::strip_str(last).to_string()
    });
    lines.collect::<Vec<_>>().join("\n")
}
