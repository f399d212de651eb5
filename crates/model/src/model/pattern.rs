//! How the labels of a service are written that are no versions themselves: dates, build numbers.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use super::Version;

/// A pattern such as `build-{1}` or `{1:4}{2:2}{3:2}-{*}`: which digits of a label are the numbers of its version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelPattern {
    text: String,
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    /// The digits that are one of the three numbers, so many or all that there are.
    Number {
        place: usize,
        digits: Option<usize>,
    },
    /// Whatever is left.
    Rest,
}

/// Why a pattern cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a pattern of labels: {reason}")]
pub struct PatternError {
    pub text: String,
    pub reason: &'static str,
}

/// How what stands in the place of a version begins where an instance tells none, with the reason behind it. Whatever tells none has the
/// same words, so no alias may stand for them.
pub const NO_VERSION: &str = "no version: ";

/// Whether this is said of an instance that tells no version.
#[must_use]
pub fn tells_none(label: &str) -> bool {
    label.trim_start().starts_with(NO_VERSION.trim_end())
}

/// What else the versions of a service are called.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OtherNames {
    pub aliases: BTreeMap<String, Version>,
    pub patterns: Vec<LabelPattern>,
}

impl OtherNames {
    /// Where a label lies: by its alias, else by the patterns, else as a version. Where an alias says that a bare number is another
    /// version than its own, numbers count something else there (deployments of a job, builds), and one without an alias is of no
    /// known version.
    ///
    /// Invariant: where these leave two answers there is none.
    #[must_use]
    pub fn place(&self, label: &str) -> Option<Version> {
        let label = label.trim();
        if tells_none(label) {
            return None;
        }
        if let Some(version) = self.aliases.get(label) {
            return Some(version.clone());
        }
        let by_pattern = self.patterns.iter().filter_map(|one| one.version(label));
        let is_counted = is_bare_number(label) && self.counts_something_else();
        let by_itself = label.parse().ok().filter(|_| !is_counted);
        let mut all = by_pattern.chain(by_itself);
        let first = all.next()?;
        all.all(|other| other == first).then_some(first)
    }

    fn counts_something_else(&self) -> bool {
        let mut numbers = self.aliases.iter().filter(|(name, _)| is_bare_number(name));
        numbers.any(|(name, version)| name.parse().as_ref() != Ok(version))
    }
}

fn is_bare_number(label: &str) -> bool {
    !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_digit())
}

impl LabelPattern {
    /// The version that a label stands for; `None` if it is not written so.
    #[must_use]
    pub fn version(&self, label: &str) -> Option<Version> {
        let mut left = label;
        let mut numbers = [0_u64; 3];
        for part in &self.parts {
            match part {
                Part::Text(text) => left = left.strip_prefix(text.as_str())?,
                Part::Number { place, digits } => {
                    let all = left.bytes().take_while(u8::is_ascii_digit).count();
                    let taken = digits.unwrap_or(all);
                    if taken == 0 || taken > all {
                        return None;
                    }
                    let (number, rest) = left.split_at_checked(taken)?;
                    *numbers.get_mut(*place)? = number.parse().ok()?;
                    left = rest;
                }
                Part::Rest => left = "",
            }
        }
        let [major, minor, patch] = numbers;
        left.is_empty().then(|| Version::new(major, minor, patch))
    }
}

impl fmt::Display for LabelPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

impl FromStr for LabelPattern {
    type Err = PatternError;

    /// Reads a pattern: text, `{1}`, `{2}` and `{3}` for the numbers of the version (`{1:4}` for so many digits), `{*}` at its end
    /// for whatever is left.
    ///
    /// # Errors
    /// A pattern that has no first number, or whose meaning would have to be guessed.
    fn from_str(text: &str) -> Result<Self, PatternError> {
        let error = |reason| PatternError {
            text: text.chars().take(80).collect(),
            reason,
        };
        let mut parts: Vec<Part> = Vec::new();
        let mut left = text.trim();
        while !left.is_empty() {
            let open = left.find('{').unwrap_or(left.len());
            let (plain, rest) = left.split_at(open);
            if plain.contains('}') {
                return Err(error("a `}` has no `{` before it"));
            }
            if !plain.is_empty() {
                parts.push(Part::Text(plain.to_owned()));
            }
            let Some(rest) = rest.strip_prefix('{') else {
                break;
            };
            let (inside, rest) = rest
                .split_once('}')
                .ok_or_else(|| error("a `{` has no `}` after it"))?;
            parts.push(part(inside).map_err(error)?);
            left = rest;
        }
        check(&parts).map_err(error)?;
        Ok(Self {
            text: text.trim().to_owned(),
            parts,
        })
    }
}

fn part(inside: &str) -> Result<Part, &'static str> {
    const KNOWN: &str =
        "in braces stands `1`, `2` or `3`, with the number of digits as in `{1:4}`, or `*`";
    if inside == "*" {
        return Ok(Part::Rest);
    }
    let (number, digits) = match inside.split_once(':') {
        Some((number, digits)) => (number, Some(digits)),
        None => (inside, None),
    };
    let place = ["1", "2", "3"].iter().position(|one| *one == number);
    let digits = match digits.map(str::parse::<usize>) {
        None => None,
        Some(Ok(digits @ 1..=18)) => Some(digits),
        Some(_) => return Err("the number of digits is between 1 and 18"),
    };
    place
        .map(|place| Part::Number { place, digits })
        .ok_or(KNOWN)
}

fn check(parts: &[Part]) -> Result<(), &'static str> {
    let times = |wanted: usize| {
        let is_it = |part: &&Part| matches!(part, Part::Number { place, .. } if *place == wanted);
        parts.iter().filter(is_it).count()
    };
    if times(0) != 1 {
        return Err("the first number, `{1}`, stands in it once");
    }
    if times(1) > 1 || times(2) > 1 {
        return Err("a number stands in it once at most");
    }
    if times(2) == 1 && times(1) == 0 {
        return Err("a third number needs a second one");
    }
    let is_open = |part: &Part| matches!(part, Part::Number { digits: None, .. });
    let runs_on = |pair: &[Part]| {
        let is_number =
            |part: Option<&Part>| matches!(part, Some(Part::Number { .. } | Part::Rest));
        let begins_with_digit = matches!(
            pair.get(1),
            Some(Part::Text(text)) if text.starts_with(|c: char| c.is_ascii_digit())
        );
        pair.first().is_some_and(is_open) && (is_number(pair.get(1)) || begins_with_digit)
    };
    if parts.windows(2).any(runs_on) {
        return Err(
            "where a number ends has to be seen: write how many digits it has, or a sign that is none after it",
        );
    }
    let last = parts.len().saturating_sub(1);
    let rest = parts.iter().position(|part| *part == Part::Rest);
    if rest.is_some_and(|at| at != last) {
        return Err("`{*}` stands at the end");
    }
    let has_text = parts.iter().any(|part| matches!(part, Part::Text(_)));
    if !has_text && parts.iter().any(is_open) {
        return Err(
            "a commit id may be digits alone: write how many digits a label has, or what stands beside them",
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_taken_out_of_a_label() {
        for (pattern, label, expected) in [
            ("build-{1}", "build-1042", Some("1042.0.0")),
            ("build-{1}", "build-007", Some("7.0.0")),
            ("build-{1}", "build-", None),
            ("build-{1}", "build-12x", None),
            ("build-{1}", "Build-12", None),
            ("build-{1}-{*}", "build-12-abc", Some("12.0.0")),
            ("build-{1}-{*}", "build-12-", Some("12.0.0")),
            ("build-{1}-{*}", "build-12", None),
            ("{1:4}{2:2}{3:2}", "20260105", Some("2026.1.5")),
            ("{1:4}{2:2}{3:2}", "2026010", None),
            ("{1:4}{2:2}{3:2}", "202601051", None),
            ("{1:8}.{2}", "20260105.3", Some("20260105.3.0")),
            ("r{2}-{1}", "r3-5", Some("5.3.0")),
            ("{1:4}-{2:2}-{3:2}-{*}", "2026-01-05-a1b2", Some("2026.1.5")),
            ("b{1}", "b99999999999999999999999", None),
            ("b{1:2}", "b\u{664}\u{665}", None),
        ] {
            let pattern: LabelPattern = pattern.parse().unwrap();
            let found = pattern.version(label).map(|version| version.to_string());
            assert_eq!(found.as_deref(), expected, "{pattern} of {label}");
        }
    }

    #[test]
    fn a_pattern_that_would_have_to_guess_is_refused() {
        for text in [
            "",
            "build",
            "{2}",
            "b{1}{2}",
            "b{1}1",
            "b{1}{*}",
            "{1}",
            "{1}{1}",
            "{*}{1}",
            "b{1",
            "b1}",
            "b{0}",
            "b{4}",
            "b{1:0}",
            "b{1:99}",
            "b{1}-{3}",
            "b{x}",
            "b{1}-{2}-{2}",
        ] {
            let error = text.parse::<LabelPattern>().unwrap_err();
            assert!(!error.reason.is_empty(), "{text}");
        }
    }

    #[test]
    fn a_number_beside_numbers_that_are_aliases_is_no_version() {
        let of = |name: &str, version: &str| OtherNames {
            aliases: BTreeMap::from([(name.to_owned(), version.parse().unwrap())]),
            patterns: Vec::new(),
        };
        for (names, label, expected) in [
            // The version of a job, which grows with each deployment, also of older code.
            (of("7", "1.2.0"), "7", Some("1.2.0")),
            (of("7", "1.2.0"), "8", None),
            (of("7", "1.2.0"), "8.0.0", Some("8.0.0")),
            (of("7", "7.0.0"), "8", Some("8.0.0")),
            (of("a1b2c3d", "1.2.0"), "8", Some("8.0.0")),
        ] {
            let found = names.place(label).map(|version| version.to_string());
            assert_eq!(found.as_deref(), expected, "{label} of {names:?}");
        }
    }

    #[test]
    fn two_answers_are_none() {
        let names = OtherNames {
            aliases: BTreeMap::from([("build-3".to_owned(), Version::new(9, 0, 0))]),
            patterns: vec![
                "build-{1}".parse().unwrap(),
                "{1:1}.{2:1}.{*}".parse().unwrap(),
            ],
        };
        for (label, expected) in [
            ("build-4", Some("4.0.0")),
            (" build-3 ", Some("9.0.0")),
            ("1.2.0", Some("1.2.0")),
            ("1.2.3", None),
            ("10.2.3", Some("10.2.3")),
            ("a1b2c3d", None),
            ("v1.2.0-14-gabc1234", Some("1.2.0-14-gabc1234")),
            ("1.2.0-14-gabc1234", None),
        ] {
            let found = names.place(label).map(|version| version.to_string());
            assert_eq!(found.as_deref(), expected, "{label}");
        }
    }
}
