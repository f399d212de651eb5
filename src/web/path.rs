//! Paths into documents of JSON.

use std::fmt;

use jsonpath_rust::parser::model::JpQuery;
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
