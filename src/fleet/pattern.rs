//! How a session's name is read: `{service}/{version}`, perhaps with `{instance}`.

/// A pattern of fixed text and the three places that are read out of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pattern {
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Place(String),
}

/// What a name says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    pub service: String,
    pub version: String,
    pub instance: Option<String>,
}

impl Pattern {
    /// Reads a pattern; what is not one of the three places is fixed text.
    pub(super) fn new(text: &str) -> Self {
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
    pub(super) fn read(&self, name: &str) -> Option<Found> {
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
}
