//! Questions that a migration.toml leaves open, for somebody who knows the answer: `migrate adopt` writes them where it cannot
//! know what people know.
//!
//! Invariant: an open question is an error of its migration, so that nothing of it runs before it is answered.

use std::ops::Range as Span;

use super::problem::Problem;
use super::reader::Located;
use super::source::Source;
use super::this::{NO_RELEASE, NOT_RELEASED};
use crate::model::{Format, Step};

/// What stands in the place of an answer.
pub const OPEN: &str = "?";

const CODE: &str = "unanswered";

/// Whether this is a question and no answer.
pub(super) fn is_open(text: &str) -> bool {
    text.trim() == OPEN
}

/// Asks for the versions that use a format.
pub(super) fn ask_for_range(source: &Source, span: Span<usize>, service: &str, format: Format) {
    let (message, help) = match format {
        Format::Old => (
            format!("which versions of `{service}` use what goes is not said yet"),
            "write `old = \"<1.2.0\"` if 1.2.0 is the first that does without it; remove the section if this service never used it",
        ),
        Format::New => (
            format!("which versions of `{service}` use what comes is not said yet"),
            "write `new = \">=1.2.0\"` if 1.2.0 is the first that needs it; remove the section if this service never uses it",
        ),
    };
    source.error(CODE, span, message, help);
}

/// Asks what revisions do that nobody can read here.
pub(super) fn ask_for_word(source: &Source, judged: &Located<String>, step: Step) {
    source.error(
        CODE,
        judged.span.clone(),
        "nobody has said yet what these revisions do",
        match step {
            Step::Expand | Step::Backfill => {
                "read them, and say here in a few words what they do and why every version that is live survives it"
            }
            _ => "read them, and say here in a few words what they do and why that is what is to go",
        },
    );
}

const UNRESOLVED: &str = "unresolved-release";

/// Whether this is a question that the tag of a release to come will answer: nobody can when the migration is written.
#[must_use]
pub fn waits_for_a_release(problem: &Problem) -> bool {
    let waits = |why: &str| problem.message.ends_with(why);
    problem.code == UNRESOLVED && [NOT_RELEASED, NO_RELEASE].into_iter().any(waits)
}

/// Says that the release which contains the migration is not known.
pub(super) fn ask_for_release(source: &Source, span: Span<usize>, service: &str, why: &str) {
    source.error(
        UNRESOLVED,
        span,
        format!("which release of `{service}` is the first that contains this migration is not known: {why}"),
        format!(
            "run this in a full checkout that has the tag of the release (`git fetch --tags --unshallow`), or write `this = \"1.3.0\"` under \
             [services.{service}]"
        ),
    );
}
