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

    /// Everything there, where this path goes through all of a list: that has to be there as well, empty or not.
    ///
    /// # Errors
    /// As [`Self::of`], and no list where the items should be.
    pub fn items_of<'a>(&self, document: &'a Value) -> Result<Vec<&'a Value>, String> {
        let found = self.of(document)?;
        let Some(list) = self.list().filter(|_| found.is_empty()) else {
            return Ok(found);
        };
        let lists = js_path_process(&list, document)
            .map_err(|error| format!("`{}`: {error}", self.text))?;
        let mut lists = lists.into_iter().map(|list| list.val()).peekable();
        let is_there = lists.peek().is_some();
        if is_there && lists.all(|list| list.is_array() || list.is_object()) {
            return Ok(found);
        }
        Err(format!(
            "there is no list at `{}`: it begins {}",
            self.text,
            shortened(&document.to_string(), LONGEST_TOLD)
        ))
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
