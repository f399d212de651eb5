//! Ranges that speak of "the release that contains this migration": `<this`, `>=this`.

use std::ops::Range;

use super::Version;

const WORD: &str = "this";

/// Whether a range, or a whole file, speaks of it.
#[must_use]
pub fn names_this(text: &str) -> bool {
    !places(text).is_empty()
}

/// The range with the release in the place of the word.
#[must_use]
pub fn with_release(text: &str, release: &Version) -> String {
    let mut resolved = text.to_owned();
    for place in places(text).into_iter().rev() {
        resolved.replace_range(place, &release.to_string());
    }
    resolved
}

/// Where the word stands alone, behind a comparison: a sentence may have it as well.
fn places(text: &str) -> Vec<Range<usize>> {
    let is_letter = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
    let stands_alone = |at: &usize| {
        let before = text.get(..*at).unwrap_or_default().trim_end();
        let after = text.get(at + WORD.len()..);
        let after = after.and_then(|text| text.chars().next());
        before.ends_with(['<', '>', '=']) && !after.is_some_and(is_letter)
    };
    text.match_indices(WORD)
        .map(|(at, _)| at)
        .filter(stands_alone)
        .map(|at| at..at + WORD.len())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_is_found_behind_a_comparison_alone() {
        for (text, expected) in [
            ("<this", "<1.3.0"),
            (">= this", ">= 1.3.0"),
            ("<this || >=this, <9", "<1.3.0 || >=1.3.0, <9"),
            ("this", "this"),
            ("<thistle", "<thistle"),
            ("<this.1", "<this.1"),
            (
                "description = \"what this is\"",
                "description = \"what this is\"",
            ),
        ] {
            assert_eq!(with_release(text, &Version::new(1, 3, 0)), expected);
            assert_eq!(names_this(text), text != expected, "{text}");
        }
    }
}
