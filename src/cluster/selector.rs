//! Label selectors, as `kubectl` writes them.

use super::objects::Pairs;

/// Which labels are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selector {
    text: String,
    wanted: Vec<Requirement>,
}

/// What is wanted of one label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Requirement {
    There(String),
    Absent(String),
    In(String, Vec<String>),
    /// Also where the label is absent.
    NotIn(String, Vec<String>),
}

impl Selector {
    /// Reads one.
    ///
    /// # Errors
    /// What cannot be read.
    pub fn read(text: &str) -> Result<Self, String> {
        let parts = split(text)?;
        let wanted: Result<Vec<_>, String> = parts.iter().map(|part| requirement(part)).collect();
        Ok(Self {
            text: text.trim().to_owned(),
            wanted: wanted?,
        })
    }

    /// Whatever has this label.
    #[must_use]
    pub fn of_any(label: &str) -> Self {
        Self {
            text: label.to_owned(),
            wanted: vec![Requirement::There(label.to_owned())],
        }
    }

    /// As it was written, for the server.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// All of them have to be met.
    #[must_use]
    pub fn requirements(&self) -> &[Requirement] {
        &self.wanted
    }

    #[must_use]
    pub fn takes(&self, labels: Option<&Pairs>) -> bool {
        let value = |key: &str| labels.and_then(|labels| labels.get(key));
        self.wanted.iter().all(|wanted| match wanted {
            Requirement::There(key) => value(key).is_some(),
            Requirement::Absent(key) => value(key).is_none(),
            Requirement::In(key, values) => value(key).is_some_and(|value| values.contains(value)),
            Requirement::NotIn(key, values) => {
                value(key).is_none_or(|value| !values.contains(value))
            }
        })
    }
}

/// At the commas that are in no parentheses.
fn split(text: &str) -> Result<Vec<&str>, String> {
    let mut parts = Vec::new();
    let mut depth = 0_u32;
    let mut from = 0;
    for (at, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' if depth == 0 => return Err("a `)` was never opened".to_owned()),
            ')' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(text.get(from..at).unwrap_or_default());
                from = at + 1;
            }
            _ => {}
        }
    }
    if depth > 0 {
        return Err("a `(` is never closed".to_owned());
    }
    parts.push(text.get(from..).unwrap_or_default());
    Ok(parts.into_iter().map(str::trim).collect())
}

fn requirement(part: &str) -> Result<Requirement, String> {
    if let Some(key) = part.strip_prefix('!') {
        return Ok(Requirement::Absent(key_of(key)?));
    }
    for (sign, is_in) in [("!=", false), ("==", true), ("=", true)] {
        if let Some((key, value)) = part.split_once(sign) {
            let (key, values) = (key_of(key)?, vec![value_of(value)?]);
            return Ok(if is_in {
                Requirement::In(key, values)
            } else {
                Requirement::NotIn(key, values)
            });
        }
    }
    let Some((before, after)) = part.split_once('(') else {
        return Ok(Requirement::There(key_of(part)?));
    };
    let values = after
        .trim_end()
        .strip_suffix(')')
        .ok_or_else(|| format!("`{part}` does not end with its `)`"))?;
    let values: Result<Vec<String>, String> = values.split(',').map(value_of).collect();
    let mut words = before.split_whitespace();
    match (words.next(), words.next(), words.next()) {
        (Some(key), Some("in"), None) => Ok(Requirement::In(key_of(key)?, values?)),
        (Some(key), Some("notin"), None) => Ok(Requirement::NotIn(key_of(key)?, values?)),
        _ => Err(format!("`{part}` is no requirement")),
    }
}

fn key_of(text: &str) -> Result<String, String> {
    let key = text.trim();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
    if key.is_empty() || !key.chars().all(is_plain) {
        return Err(format!("`{key}` is no label"));
    }
    Ok(key.to_owned())
}

fn value_of(text: &str) -> Result<String, String> {
    let value = text.trim();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if !value.chars().all(is_plain) {
        return Err(format!("`{value}` is no value of a label"));
    }
    Ok(value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_selector_takes() {
        let labels: Pairs = [("app", "web"), ("tier", "front"), ("empty", "")]
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect();
        for (text, takes) in [
            ("app=web", true),
            ("app == web", true),
            ("app=web,tier=back", false),
            ("app!=web", false),
            ("zone!=eu", true),
            ("app", true),
            ("!app", false),
            ("!zone", true),
            ("app in (api, web)", true),
            ("app notin (api,web)", false),
            ("zone notin (eu)", true),
            ("app in (api),tier=front", false),
            ("empty=", true),
        ] {
            let selector = Selector::read(text).unwrap();
            assert_eq!(selector.takes(Some(&labels)), takes, "{text}");
        }
        assert!(!Selector::read("app=web").unwrap().takes(None));
    }

    #[test]
    fn what_is_none() {
        for text in [
            "",
            "=web",
            "app in web",
            "app in (web",
            "app=web)",
            "a b",
            "app=we b",
            "app=web,",
        ] {
            assert!(Selector::read(text).is_err(), "{text}");
        }
    }
}
