//! Standard output, written with handled errors: a closed pipe ends a command quietly.

use std::io::Write;

use super::args::Format;

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

    /// One line, or several, of a result.
    pub(super) fn line(&self, text: &str) {
        let mut stdout = std::io::stdout().lock();
        let written = writeln!(stdout, "{text}").and_then(|()| stdout.flush());
        if written.is_err() {
            // Nobody reads any more; what was done stays done, and this is not an error of it.
            std::process::exit(0);
        }
    }

    pub(super) fn json(&self, value: &serde_json::Value) {
        self.line(&value.to_string());
    }
}

/// A line on standard error, for a person.
pub(super) fn note(text: &str) {
    let mut stderr = std::io::stderr().lock();
    // Where standard error is closed there is nobody to tell.
    let _ = writeln!(stderr, "{text}");
}
