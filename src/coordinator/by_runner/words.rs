//! What is said of a revision that did not come to a good end, and what to do.

use super::super::{CoordinatorError, interrupted};
use super::{One, Revised};
use crate::coordinator::script::position;
use crate::runner::{Call, RunnerFailure, along_with, name_them};

pub(super) fn unreadable(why: String) -> CoordinatorError {
    CoordinatorError::Runner {
        message: why,
        help: "nothing was changed; put `[runner]` in migrate.toml right, then run the same command again".into(),
    }
}

pub(super) fn not_in_history(run: &Revised<'_>, name: &str) -> CoordinatorError {
    let kind = run.revisions.kind;
    CoordinatorError::Runner {
        message: format!(
            "the revision `{name}` is recorded as applied, and the history of {kind} does not show it"
        ),
        help: format!(
            "somebody has taken it back, or said of it what was not so. Have {kind} apply it, or mark it as applied where it is ({}); then run \
             `migrate {} {}` again",
            run.runner.mend(name),
            run.step.name(),
            run.id()
        ),
    }
}

pub(super) fn more_along(one: &One<'_, '_>, with: &[&str]) -> CoordinatorError {
    let kind = one.of.revisions.kind;
    CoordinatorError::Runner {
        message: along_with(kind, one.name, with),
        help: format!("nothing was run; {}", name_them(kind, with)),
    }
}

/// The tool would do something else than was asked, or nothing.
pub(super) fn in_the_way(one: &One<'_, '_>, why: String) -> CoordinatorError {
    CoordinatorError::Runner {
        message: why,
        help: format!("nothing was run; then run {} again", one.again()),
    }
}

/// What the tool would apply is not known.
pub(super) fn not_foretold(one: &One<'_, '_>, call: &Call, why: &str) -> CoordinatorError {
    let kind = one.of.revisions.kind;
    let command = format!("{} {}", one.of.runner.command(), call.arguments.join(" "));
    CoordinatorError::Runner {
        message: format!(
            "what {kind} would apply for `{}` is not known: {why}",
            one.name
        ),
        help: format!(
            "nothing was run. `{command}` is what it is asked with before it is called; see what it says, mend that, then run {} again",
            one.again()
        ),
    }
}

pub(super) fn failed_before(one: &One<'_, '_>) -> CoordinatorError {
    let (kind, mend) = (one.of.revisions.kind, one.of.runner.mend(one.name));
    CoordinatorError::Runner {
        message: format!(
            "by the history of {kind} the revision `{}` was begun and not finished",
            one.name
        ),
        help: format!(
            "{mend}; then run {} again, which goes by that history",
            one.again()
        ),
    }
}

pub(super) fn failed_now(one: &One<'_, '_>, ran: &Result<(), RunnerFailure>) -> CoordinatorError {
    let why = match ran {
        Ok(()) => format!("{} ended well", one.of.revisions.kind),
        Err(failure) => failure.to_string(),
    };
    let mend = one.of.runner.mend(one.name);
    CoordinatorError::Runner {
        message: format!(
            "{why}, and by its history the revision `{}` was begun and not finished",
            one.name
        ),
        help: format!(
            "{mend}; then run {} again, which goes by that history",
            one.again()
        ),
    }
}

/// A killed run may have left its tool's lock, on which every later one fails.
fn of_a_lock(one: &One<'_, '_>) -> String {
    one.of.runner.tool.unlock().map_or_else(String::new, |unlock| {
        format!(
            " (if that is its lock, a run that was killed has left it: `{unlock}` takes it away, once no run is at work any more)"
        )
    })
}

/// The schema is as it was before.
pub(super) fn nothing_done(one: &One<'_, '_>, ran: Result<(), RunnerFailure>) -> CoordinatorError {
    let kind = one.of.revisions.kind;
    match ran {
        Err(RunnerFailure::Interrupted(program)) => CoordinatorError::Interrupted {
            kept: format!(
                "`{program}` was stopped, its history does not show the revision `{}`, and the schema is as it was before",
                one.name
            ),
            next: interrupted::next(one.of.step, one.of.id()),
        },
        Err(failure) => CoordinatorError::Runner {
            message: failure.to_string(),
            help: format!(
                "its history does not show the revision `{}`, and the schema is as it was before: nothing is recorded of it. Mend what {kind} \
                 complains about{}, then run {} again",
                one.name,
                of_a_lock(one),
                one.again()
            ),
        },
        Ok(()) => CoordinatorError::Runner {
            message: format!(
                "{kind} ended well, and its history in this database does not show the revision `{}`",
                one.name
            ),
            help: format!(
                "nothing is recorded of it. Either {kind} works on another database than this one (hand over the URL with `url = \
                 \"env:DATABASE_URL\"` under [runner] in migrate.toml), or it has skipped the revision; then run {} again",
                one.again()
            ),
        },
    }
}

/// The schema is not as it was before, and the history does not have the revision.
pub(super) fn left_a_part(one: &One<'_, '_>, why: Option<RunnerFailure>) -> CoordinatorError {
    let kind = one.of.revisions.kind;
    let mut message = match why {
        Some(failure) => format!("{failure}. "),
        None => String::new(),
    };
    message.push_str(&format!(
        "the revision `{}` was begun, the history of {kind} does not show it, and the schema is another one than before: it may have done \
         a part of its work",
        one.name
    ));
    CoordinatorError::Runner {
        message,
        help: format!(
            "look what it did. Finish that by hand ({}), or undo it{}; then run {} again. If it did nothing and something else has changed the \
             schema, say so first: `migrate resolve {} --step {} --not-applied`",
            one.of.runner.mend(one.name),
            of_a_lock(one),
            one.again(),
            one.of.id(),
            position(one.index)
        ),
    }
}
