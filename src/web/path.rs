//! Paths into documents of JSON.

use std::fmt;

use jsonpath_rust::parser::model::{JpQuery, Segment, Selector};
use jsonpath_rust::parser::parse_json_path;
use jsonpath_rust::query::js_path_process;
use serde_json::Value;

use crate::text::shown::shortened;

/// As much of what the parser says as is told.
const LONGEST_TOLD: usize = 200;

/// A path into a document, as RFC 9535 has them.
#[derive(Clone)]
pub struct JsonPath {
    text: String,
    path: JpQuery,
}

impl JsonPath {
    /// # Errors
    /// What is wrong with the text, in the words of its parser.
    pub fn read(text: &str) -> Result<Self, String> {
        let path = parse_json_path(text).map_err(|error| {
            let error = error.to_string();
            let line = error.lines().map(str::trim).rfind(|line| !line.is_empty());
            shortened(line.unwrap_or_default(), LONGEST_TOLD).into_owned()
        })?;
        Ok(Self {
            text: text.to_owned(),
            path,
        })
    }

    /// Everything there.
    ///
    /// # Errors
    /// What cannot be looked for in this document.
    pub fn of<'a>(&self, document: &'a Value) -> Result<Vec<&'a Value>, String> {
        let found = js_path_process(&self.path, document)
            .map_err(|error| format!("`{}`: {error}", self.text))?;
        Ok(found.into_iter().map(|found| found.val()).collect())
    }

    /// Everything there, where each part of this path has found what it names: every list that it goes through is there, empty or not,
    /// and nothing that it goes into lacks a name.
    ///
    /// # Errors
    /// As [`Self::of`], and the first value in which the path does not lead on.
    pub fn items_of<'a>(&self, document: &'a Value) -> Result<Vec<&'a Value>, String> {
        let is_list = |value: &Value| match value {
            Value::Array(_) => true,
            // A map of instances. A whole answer that is an empty object says nothing of any.
            Value::Object(of) => !(of.is_empty() && std::ptr::eq(value, document)),
            _ => false,
        };
        for (at, segment) in self.path.segments.iter().enumerate() {
            let before = self.up_to(at, document)?;
            let astray = match segment {
                Segment::Selector(
                    Selector::Wildcard | Selector::Slice(..) | Selector::Filter(_),
                ) => before.iter().find(|value| !is_list(value)),
                Segment::Selector(Selector::Name(_) | Selector::Index(_))
                    if self.up_to(at + 1, document)?.len() < before.len() =>
                {
                    let one = JpQuery::new(vec![segment.clone()]);
                    let leads_nowhere = |value: &&&Value| {
                        js_path_process(&one, **value).is_ok_and(|found| found.is_empty())
                    };
                    before.iter().find(leads_nowhere)
                }
                // Below anything, or one of several: nobody can tell what is missing.
                _ => None,
            };
            if let Some(value) = astray {
                return Err(format!(
                    "there is no list at `{}`: it leads nowhere in {}",
                    self.text,
                    shortened(&value.to_string(), LONGEST_TOLD)
                ));
            }
        }
        self.of(document)
    }

    /// Everything at the first segments of this path.
    fn up_to<'a>(&self, count: usize, document: &'a Value) -> Result<Vec<&'a Value>, String> {
        let segments = self.path.segments.iter().take(count).cloned().collect();
        let found = js_path_process(&JpQuery::new(segments), document)
            .map_err(|error| format!("`{}`: {error}", self.text))?;
        Ok(found.into_iter().map(|found| found.val()).collect())
    }

    /// The path of the list, where this one goes through all of a list.
    #[must_use]
    pub fn list(&self) -> Option<JpQuery> {
        let (last, list) = self.path.segments.split_last()?;
        let goes_through = matches!(
            last,
            Segment::Selector(Selector::Wildcard | Selector::Slice(..) | Selector::Filter(_))
        );
        goes_through.then(|| JpQuery::new(list.to_vec()))
    }

    /// Whether there is a number with a fraction, which may have lost digits that a text would have.
    ///
    /// # Errors
    /// As [`Self::of`].
    pub fn is_fraction(&self, item: &Value) -> Result<bool, String> {
        Ok(self.of(item)?.into_iter().any(Value::is_f64))
    }

    /// The one text there; `None` if there is nothing, or null.
    ///
    /// # Errors
    /// Several values there, or one that is no text.
    pub fn text(&self, item: &Value) -> Result<Option<String>, String> {
        let found = self.of(item)?;
        if found.len() > 1 {
            return Err(format!("`{}` finds {} values", self.text, found.len()));
        }
        match found.first() {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.trim().to_owned())),
            Some(Value::Number(number)) => Ok(Some(number.to_string())),
            Some(Value::Bool(flag)) => Ok(Some(flag.to_string())),
            Some(_) => Err(format!("`{}` finds no text", self.text)),
        }
        .map(|text| text.filter(|text| !text.is_empty()))
    }
}

impl fmt::Display for JsonPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for JsonPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_list_on_the_way_has_to_be_there() {
        let found = |path: &str, document: &Value| {
            let path = JsonPath::read(path).unwrap();
            path.items_of(document).map(|found| found.len())
        };
        let whole = json!({ "regions": [{ "hosts": [1, 2] }, { "hosts": [] }] });
        assert_eq!(found("$.regions[*].hosts[*]", &whole), Ok(2));
        assert_eq!(
            found("$.regions[*].hosts[*]", &json!({ "regions": [] })),
            Ok(0)
        );
        assert_eq!(found("$[*]", &json!({ "a": 1 })), Ok(1));
        assert_eq!(
            found("$.hosts[?@.on]", &json!({ "hosts": [{ "on": 1 }, {}] })),
            Ok(1)
        );
        assert_eq!(found("$.hosts[*]", &json!({ "hosts": {} })), Ok(0));
        for (path, other) in [
            (
                "$.regions[*].hosts[*]",
                json!({ "regions": [{ "hosts": [1] }, { "error": "timeout" }] }),
            ),
            (
                "$.regions[*].hosts[*]",
                json!({ "regions": [{ "hosts": [1] }, { "hosts": null }] }),
            ),
            ("$.regions[*].hosts[*]", json!({ "regions": "none" })),
            ("$[*].host", json!([{ "host": 1 }, {}])),
            ("$[*]", json!({})),
            ("$[*]", json!(null)),
        ] {
            let error = found(path, &other).unwrap_err();
            assert!(error.contains("no list at"), "{path} {other}: {error}");
        }
    }
}
