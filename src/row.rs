//! A row of migrate.toml that says which source or driver is meant, as far as the reader of that one has to know.

use std::time::Duration;

/// A row. What is wrong in it is reported there, with its place.
pub trait Row {
    fn has(&self, key: &str) -> bool;
    /// A text that is not blank.
    fn text(&mut self, key: &'static str, example: &str) -> Option<String>;
    fn texts(&mut self, key: &'static str, example: &str) -> Option<Vec<String>>;
    /// Whole numbers, each within `limits`.
    fn counts(&mut self, key: &'static str, example: &str, limits: (u64, u64)) -> Option<Vec<u64>>;
    fn duration(&mut self, key: &'static str, longest: Duration) -> Option<Duration>;
    fn flag(&mut self, key: &'static str) -> Option<bool>;
    /// The tables below `key`, whose names are free, each with its name.
    fn named(&mut self, key: &'static str, read: &mut dyn FnMut(&str, &mut dyn Row));
    /// `env`: the names of variables that lead into the database and are handed on all the same.
    fn variables(&mut self) -> Vec<String>;
    /// Says that `key` is missing.
    fn missing(&self, key: &'static str, example: &str);
    /// Says what is wrong, and what to write instead.
    fn refuse(&self, place: Place, code: &'static str, message: String, help: String);
    /// The word among `known` that is probably meant.
    fn meant(&self, wanted: &str, known: &[&'static str]) -> Option<&'static str>;
}

/// Where something is wrong in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    Key(&'static str),
    Value(&'static str),
    /// All of it.
    Row,
    /// One of the values of an array, counted from 0.
    Item(&'static str, usize),
}

/// The longest durations that a row may hold: of what is waited for, and of anything else.
pub(crate) const LONGEST_WAIT: Duration = Duration::from_hours(24 * 20);
pub(crate) const LONGEST: Duration = Duration::from_hours(24 * 365);
