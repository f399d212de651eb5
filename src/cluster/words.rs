//! An error of the client's in words that hold no token.

use std::error::Error;

use crate::text::secret;
use crate::text::shown::{shortened, with_causes};

/// As much of what others say as is told.
pub(super) const LONGEST_SAID: usize = 400;

/// An error with its causes, each once.
pub(super) fn in_words(error: &(dyn Error + 'static)) -> String {
    let words = with_causes(error);
    // What a program printed that was to get a token may hold one.
    let words = words.split(": Output {").next().unwrap_or_default();
    secret::masked(&shortened(words, LONGEST_SAID)).into_owned()
}
