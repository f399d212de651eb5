//! How a session's name is read: `{service}/{version}`, perhaps with `{instance}`.

/// A pattern of fixed text and the three places that are read out of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Place(String),
}

/// What a name says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    pub service: String,
    pub version: String,
    pub instance: Option<String>,
}

impl Pattern {
    /// How sessions are named unless the project says otherwise.
    pub const USUAL: &str = "{service}/{version}";

    /// Whether a pattern takes a name apart in one way only; else what is wrong with it, and what to write.
    ///
    /// # Errors
    /// Both of these.
    pub(super) fn check(
        pattern: &str,
        meant: impl Fn(&str, &[&'static str]) -> Option<&'static str>,
    ) -> Result<(), (String, String)> {
        const NAMES: [&str; 3] = ["service", "version", "instance"];
        let example = || format!("write for example \"{}\"", Self::USUAL);
        let mut seen: Vec<&str> = Vec::new();
        let mut rest = pattern;
        while let Some((text, after)) = rest.split_once('{') {
            let Some((name, following)) = after.split_once('}') else {
                return Err((
                    "a `{` in this pattern is never closed".to_owned(),
                    example(),
                ));
            };
            if text.contains('}') {
                break;
            }
            if !NAMES.contains(&name) {
                let help = match meant(name, &NAMES) {
                    Some(guess) => format!("did you mean `{{{guess}}}`?"),
                    None => format!("the names are {}", NAMES.join(", ")),
                };
                return Err((format!("this pattern cannot find out `{{{name}}}`"), help));
            }
            if seen.contains(&name) {
                let message = format!("`{{{name}}}` stands twice in this pattern");
                return Err((message, example()));
            }
            if text.is_empty() && !seen.is_empty() {
                let message = format!("nothing separates `{{{name}}}` from what is before it");
                return Err((message, example()));
            }
            seen.push(name);
            rest = following;
        }
        if rest.contains('}') {
            return Err((
                "a `}` in this pattern was never opened".to_owned(),
                example(),
            ));
        }
        for name in ["service", "version"] {
            if !seen.contains(&name) {
                return Err((format!("this pattern has no `{{{name}}}`"), example()));
            }
        }
        Ok(())
    }

    /// Reads a pattern; what is not one of the three places is fixed text.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let mut parts = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            let place = ["service", "version", "instance"]
                .into_iter()
                .filter_map(|name| Some((rest.find(&format!("{{{name}}}"))?, name)))
                .min();
            let Some((start, name)) = place else {
                parts.push(Part::Text(rest.to_owned()));
                break;
            };
            let (before, after) = rest.split_at(start);
            if !before.is_empty() {
                parts.push(Part::Text(before.to_owned()));
            }
            parts.push(Part::Place(name.to_owned()));
            rest = after.get(name.len() + 2..).unwrap_or_default();
        }
        Self { parts }
    }

    /// What `name` says, if it follows the pattern: a place ends where the text after it begins.
    #[must_use]
    pub fn read(&self, name: &str) -> Option<Found> {
        let mut found = Found::default();
        let mut rest = name;
        let mut parts = self.parts.iter().peekable();
        while let Some(part) = parts.next() {
            match part {
                Part::Text(text) => rest = rest.strip_prefix(text.as_str())?,
                Part::Place(place) => {
                    let end = match parts.peek() {
                        Some(Part::Text(text)) => rest.find(text.as_str())?,
                        _ => rest.len(),
                    };
                    let (value, after) = rest.split_at(end);
                    if value.is_empty() {
                        return None;
                    }
                    match place.as_str() {
                        "service" => found.service = value.to_owned(),
                        "version" => found.version = value.to_owned(),
                        _ => found.instance = Some(value.to_owned()),
                    }
                    rest = after;
                }
            }
        }
        (rest.is_empty() && !found.service.is_empty() && !found.version.is_empty()).then_some(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pattern: &str, name: &str) -> Option<(String, String, Option<String>)> {
        let found = Pattern::new(pattern).read(name)?;
        Some((found.service, found.version, found.instance))
    }

    #[test]
    fn names() {
        let some = |service: &str, version: &str, instance: Option<&str>| {
            Some((
                service.to_owned(),
                version.to_owned(),
                instance.map(ToOwned::to_owned),
            ))
        };
        let plain = "{service}/{version}";
        assert_eq!(read(plain, "web/1.2.0"), some("web", "1.2.0", None));
        assert_eq!(
            read(plain, "web/1.2.0-rc.1+b/2"),
            some("web", "1.2.0-rc.1+b/2", None)
        );
        for other in ["psql", "web", "web/", "/1.2.0", ""] {
            assert_eq!(read(plain, other), None, "{other}");
        }
        let whole = "app:{service}@{version}#{instance}";
        assert_eq!(
            read(whole, "app:web@1.2.0#pod-1"),
            some("web", "1.2.0", Some("pod-1"))
        );
        assert_eq!(read(whole, "app:web@1.2.0"), None);
        assert_eq!(
            read("{service}-{version}", "wéb-1.0.0"),
            some("wéb", "1.0.0", None)
        );
    }

    #[test]
    fn patterns_take_a_name_apart_in_one_way_only() {
        for pattern in [
            Pattern::USUAL,
            "{service}@{version}#{instance}",
            "shop:{version}-{service} (pool)",
        ] {
            assert_eq!(Pattern::check(pattern, |_, _| None), Ok(()), "{pattern}");
        }
        for (pattern, reason) in [
            ("", "no `{service}`"),
            ("{service}", "no `{version}`"),
            ("{service}{version}", "separates"),
            ("{service}/{version}/{service}", "twice"),
            ("{service}/{versoin}", "find out"),
            ("{service}/{version", "never closed"),
            ("service}/{version}", "never opened"),
            ("{service}/{version}}", "never opened"),
            ("{ser{vice}/{version}", "find out"),
        ] {
            let (message, _) = Pattern::check(pattern, |_, _| None).unwrap_err();
            assert!(message.contains(reason), "{pattern}: {message}");
        }
    }
}
