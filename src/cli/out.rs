//! Standard output, written with handled errors: a closed pipe ends a command quietly.
//!
//! Invariant: all text goes out through here, line by line, and each line is shown as data: what others wrote in it can begin no
//! line of its own, hide nothing and steer no terminal. JSON is exact.

use std::io::Write;

use super::args::Format;
use crate::text::shown::shown;

/// Where results go.
pub(super) struct Out {
    pub format: Format,
}

impl Out {
    pub(super) const fn new(format: Format) -> Self {
        Self { format }
    }

    pub(super) fn is_json(&self) -> bool {
        self.format == Format::Json
    }

    /// One line of a result.
    pub(super) fn line(&self, text: &str) {
        self.write(&shown(text));
    }

    /// Several lines of a result.
    pub(super) fn lines<T: AsRef<str>>(&self, lines: impl IntoIterator<Item = T>) {
        for line in lines {
            self.line(line.as_ref());
        }
    }

    /// A text of this program's own, as it is.
    pub(super) fn verbatim(&self, text: &str) {
        self.write(text);
    }

    fn write(&self, text: &str) {
        let mut stdout = std::io::stdout().lock();
        let written = writeln!(stdout, "{text}").and_then(|()| stdout.flush());
        if written.is_err() {
            // Nobody reads any more; what was done stays done, and this is not an error of it.
            std::process::exit(0);
        }
    }

    pub(super) fn json(&self, value: &serde_json::Value) {
        self.write(&value.to_string());
    }
}

/// A line on standard error, for a person.
pub(super) fn note(text: &str) {
    note_verbatim(&shown(text));
}

/// Lines on standard error in which everything of others is shown as data already.
pub(super) fn note_verbatim(text: &str) {
    let mut stderr = std::io::stderr().lock();
    // Where standard error is closed there is nobody to tell.
    let _ = writeln!(stderr, "{text}");
}
