//! An error of the client's in words that hold no token.

use std::error::Error;

use crate::text::secret;
use crate::text::shown::shortened;

/// As much of what others say as is told.
pub(super) const LONGEST_SAID: usize = 400;

/// An error with its causes, each once.
pub(super) fn in_words(error: &(dyn Error + 'static)) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        if !words.contains(&said) {
            words.push_str(": ");
            words.push_str(&said);
        }
        cause = error.source();
    }
    // What a program printed that was to get a token may hold one.
    let words = words.split(": Output {").next().unwrap_or_default();
    secret::masked(&shortened(words, LONGEST_SAID)).into_owned()
}
