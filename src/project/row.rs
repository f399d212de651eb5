//! Rows of migrate.toml, for whoever reads one of a kind.

use std::time::Duration;

use super::problem::closest;
use super::reader::Table;
use super::source::Source;
use crate::row::{Place, Row};

/// A row, and the file that it stands in.
pub(super) struct RowOf<'r, 's> {
    source: &'r Source,
    table: &'r mut Table<'s>,
}

impl<'r, 's> RowOf<'r, 's> {
    pub fn new(source: &'r Source, table: &'r mut Table<'s>) -> Self {
        Self { source, table }
    }
}

impl Row for RowOf<'_, '_> {
    fn has(&self, key: &str) -> bool {
        self.table.has(key)
    }

    fn text(&mut self, key: &'static str, example: &str) -> Option<String> {
        let text = self.table.string(key, example)?;
        Some(text.value.to_owned())
    }

    fn texts(&mut self, key: &'static str, example: &str) -> Option<Vec<String>> {
        let texts = self.table.strings(key, example)?;
        Some(
            texts
                .into_iter()
                .map(|text| text.value.to_owned())
                .collect(),
        )
    }

    fn duration(&mut self, key: &'static str, longest: Duration) -> Option<Duration> {
        let duration = self.table.duration(key, longest)?;
        Some(duration.value)
    }

    fn flag(&mut self, key: &'static str) -> Option<bool> {
        self.table.flag(key)
    }

    fn named(&mut self, key: &'static str, read: &mut dyn FnMut(&str, &mut dyn Row)) {
        for (name, mut table) in self.table.named_tables(key) {
            read(name.value, &mut RowOf::new(self.source, &mut table));
            table.finish(&[]);
        }
    }

    fn variables(&mut self) -> Vec<String> {
        read_env(self.source, self.table)
    }

    fn missing(&self, key: &'static str, example: &str) {
        self.table.missing(key, example);
    }

    fn refuse(&self, place: Place, code: &'static str, message: String, help: String) {
        let span = match place {
            Place::Key(key) => self.table.key_span(key),
            Place::Value(key) => self.table.value_span(key),
            Place::Row => None,
            Place::Item(key, index) => self.table.item_span(key, index),
        };
        let span = span.unwrap_or_else(|| self.table.span());
        self.source.error(code, span, message, help);
    }

    fn counts(&mut self, key: &'static str, example: &str, limits: (u64, u64)) -> Option<Vec<u64>> {
        let counts = self.table.counts(key, example, limits)?;
        Some(counts.value)
    }

    fn meant(&self, wanted: &str, known: &[&'static str]) -> Option<&'static str> {
        closest(wanted, known.iter().copied())
    }
}

/// The `env` of a program: the names of variables.
fn read_env(source: &Source, table: &mut Table<'_>) -> Vec<String> {
    const EXAMPLE: &str = "env = [\"DATABASE_URL\"]";
    let names = table.strings("env", EXAMPLE).unwrap_or_default();
    for name in &names {
        if name.value.contains(['=', '\0']) || name.value.contains(char::is_whitespace) {
            source.error(
                "bad-variable",
                name.span.clone(),
                "`env` lists names of environment variables that are handed on, without values",
                format!("write for example `{EXAMPLE}`"),
            );
        }
    }
    names.iter().map(|name| name.value.to_owned()).collect()
}
