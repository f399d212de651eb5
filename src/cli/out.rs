//! Standard output, written with handled errors.
//!
//! Invariant: all text goes out through here, line by line, and each line is shown as data: what others wrote in it can begin no
//! line of its own, hide nothing and steer no terminal. JSON is exact.
//!
//! Invariant: no secret that this process was given goes out, and no password of a URL, wherever it stood.
//!
//! Invariant: an output that cannot be written ends no command on its way. The first error is kept, and decides about the
//! exit code at the end: an answer that did not arrive is not a yes.

use std::borrow::Cow;
use std::io::{self, Write};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use super::args::{Format, Global};
use super::exit::Exit;
use super::flaws::told;
use super::paint::{Line, Screen, can_be_drawn_over};
use crate::ledger::KnownHead;
use crate::project::Problem;
use crate::text::secret::masked_own;

/// The exit code of a command that did what it was asked for, and whose result could not be written.
const UNWRITTEN: u8 = Exit::Unwritten.code();

/// Where results go.
pub(super) struct Out {
    pub format: Format,
    went_well: WentWell,
    /// Why nothing more is written.
    failed: OnceLock<io::Error>,
    /// Where the log ended once the command had acted.
    log_head: OnceLock<String>,
    /// What is wrong with the files that the answer does without; told below it.
    flaws: Mutex<Vec<Problem>>,
}

/// What is missed by whoever does not read a command's result to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// The command only tells: `migrate log | head` has what it wanted.
    Tells,
    /// It has changed something, or somebody acts on its answer.
    Acts,
}

/// Whether it is said that an action did what it was asked for. The answer to a question always is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum WentWell {
    IsSaid,
    ShowsByTheCode,
}

impl Out {
    /// As the user wants it.
    pub(super) fn of(global: &Global) -> Self {
        let mut out = Self::new(global.output);
        if global.quiet {
            out.went_well = WentWell::ShowsByTheCode;
        }
        out
    }

    pub(super) const fn new(format: Format) -> Self {
        Self {
            format,
            went_well: WentWell::IsSaid,
            failed: OnceLock::new(),
            log_head: OnceLock::new(),
            flaws: Mutex::new(Vec::new()),
        }
    }

    pub(super) fn is_json(&self) -> bool {
        self.format == Format::Json
    }

    /// One line of a result.
    pub(super) fn line(&self, line: impl Into<Line>) {
        // Of one that is not written nobody has to know how wide the terminal is.
        if self.failed.get().is_some() {
            return;
        }
        let screen = match self.format {
            Format::Text | Format::Json => Screen::of_results(),
            _ => Screen::NONE,
        };
        self.write(&screen.drawn(&line.into()));
    }

    /// One line that says that what was asked for is done, or was already; `-q` leaves it out.
    pub(super) fn well(&self, line: impl Into<Line>) {
        if self.went_well == WentWell::IsSaid {
            self.line(line);
        }
    }

    /// Several lines of a result.
    pub(super) fn lines<T: Into<Line>>(&self, lines: impl IntoIterator<Item = T>) {
        for line in lines {
            self.line(line);
        }
    }

    /// A text of this program's own, as it is.
    pub(super) fn verbatim(&self, text: &str) {
        self.write(&masked_own(text));
    }

    /// Writes what is shown as data, and without secrets, already.
    fn write(&self, text: &str) {
        // What comes after a gap would be taken for the whole.
        if self.failed.get().is_some() {
            return;
        }
        let mut stdout = io::stdout().lock();
        let written = writeln!(stdout, "{text}").and_then(|()| stdout.flush());
        if let Err(error) = written {
            self.fail(error);
        }
    }

    /// A result as one object, in which what is wrong with the files stands under `problems`.
    pub(super) fn json(&self, value: &serde_json::Value) {
        let mut value = value.clone();
        if let (Some(head), Some(object)) = (self.log_head.get(), value.as_object_mut()) {
            object.insert("log_head".to_owned(), head.as_str().into());
        }
        let flaws = self.flaws();
        if let (false, Some(object)) = (flaws.is_empty(), value.as_object_mut()) {
            object.insert("problems".into(), serde_json::json!(*flaws));
        }
        without_secrets(&mut value);
        self.write(&masked_own(&value.to_string()));
    }

    /// Says where the log ends, for whoever keeps what this command has printed: it can be checked against later. In text as
    /// a line of its own, in JSON with the result.
    pub(super) fn log_ends(&self, head: Option<&KnownHead>, is_quiet: bool) {
        let Some(head) = head.filter(|head| head.seq.is_some_and(|events| events > 0)) else {
            return;
        };
        if self.is_json() {
            let _ = self.log_head.set(head.to_string());
        } else if !is_quiet {
            note(&format!("log head: {head}"));
        }
    }

    /// Keeps what is wrong with the files, to be told below the answer that does without them.
    pub(super) fn keep_flaws<'p>(&self, flaws: impl IntoIterator<Item = &'p Problem>) {
        self.flaws().extend(flaws.into_iter().cloned());
    }

    /// What was kept is told elsewhere.
    pub(super) fn drop_flaws(&self) {
        self.flaws().clear();
    }

    /// Tells on standard error what was kept.
    pub(super) fn tell_flaws(&self) {
        let flaws = std::mem::take(&mut *self.flaws());
        told(&flaws).iter().for_each(|line| note(line));
    }

    fn flaws(&self) -> MutexGuard<'_, Vec<Problem>> {
        self.flaws.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What comes now takes the place of what was shown before: over it on a terminal, and below it elsewhere.
    pub(super) fn begin_anew(&self, is_again: bool) {
        if self.is_json() || self.has_failed() {
            return;
        }
        if can_be_drawn_over(&io::stdout()) {
            let mut stdout = io::stdout().lock();
            let cleared = write!(stdout, "\x1b[H\x1b[2J").and_then(|()| stdout.flush());
            if let Err(error) = cleared {
                self.fail(error);
            }
        } else if is_again {
            self.line("");
        }
    }

    /// Whether nothing more is written.
    pub(super) fn has_failed(&self) -> bool {
        self.failed.get().is_some()
    }

    /// Takes note of an output that could not be written.
    pub(super) fn fail(&self, error: io::Error) {
        // The first error says why; those after it follow from it.
        let _ = self.failed.set(error);
    }

    /// The exit code of a command that ends with `code`, which wins where it is not 0.
    pub(super) fn exit_code(&self, code: u8, purpose: Purpose) -> u8 {
        let Some(error) = self.failed.get() else {
            return code;
        };
        if error.kind() == io::ErrorKind::BrokenPipe && purpose == Purpose::Tells {
            return code;
        }
        let consequence = match (code, purpose) {
            (0, Purpose::Acts) => {
                "what was asked for was done all the same; `migrate status` shows it"
            }
            (0, Purpose::Tells) => "the answer is not complete; ask again",
            _ => "the exit code stands for the answer",
        };
        note(&format!(
            "error: standard output cannot be written ({error}): {consequence}"
        ));
        if code == 0 { UNWRITTEN } else { code }
    }
}

/// Each text in it is looked at by itself: marks around it might be taken for a part of it.
fn without_secrets(value: &mut serde_json::Value) {
    match value {
        serde_json::Value::String(text) => {
            if let Cow::Owned(masked) = masked_own(text) {
                *text = masked;
            }
        }
        serde_json::Value::Array(values) => values.iter_mut().for_each(without_secrets),
        serde_json::Value::Object(values) => values.values_mut().for_each(without_secrets),
        _ => {}
    }
}

/// A line on standard error, for a person.
pub(super) fn note(text: &str) {
    write_remark(&Screen::of_remarks().drawn(&Line::remark(text)));
}

/// Lines on standard error in which everything of others is shown as data already.
pub(super) fn note_verbatim(text: &str) {
    write_remark(&masked_own(text));
}

/// What is wrong with the arguments. They are quoted there, and one of them may be a URL that belongs behind an option.
pub(super) fn note_usage(error: &clap::builder::StyledStr) {
    let plain = error.to_string();
    let shown = match masked_own(&plain) {
        Cow::Borrowed(_) if Screen::of_remarks().has_colours() => error.ansi().to_string(),
        shown => shown.into_owned(),
    };
    write_remark(shown.trim_end());
}

fn write_remark(text: &str) {
    let mut stderr = io::stderr().lock();
    // Where standard error is closed there is nobody to tell.
    let _ = writeln!(stderr, "{text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_did_not_arrive_is_not_a_yes() {
        use Purpose::{Acts, Tells};
        let full = io::ErrorKind::StorageFull;
        let closed = io::ErrorKind::BrokenPipe;
        for (error, code, purpose, ends) in [
            (None, 0, Acts, 0),
            (None, 11, Tells, 11),
            (Some(full), 0, Acts, UNWRITTEN),
            (Some(full), 0, Tells, UNWRITTEN),
            (Some(full), 11, Tells, 11),
            (Some(full), 1, Acts, 1),
            (Some(closed), 0, Tells, 0),
            (Some(closed), 10, Tells, 10),
            (Some(closed), 0, Acts, UNWRITTEN),
            (Some(closed), 130, Acts, 130),
        ] {
            let out = Out::new(Format::Text);
            if let Some(error) = error {
                out.fail(error.into());
                // A later error does not hide the first one.
                out.fail(io::ErrorKind::BrokenPipe.into());
            }
            assert_eq!(
                out.exit_code(code, purpose),
                ends,
                "{error:?} {code} {purpose:?}"
            );
        }
    }
}
