//! A section of `migration.toml`, as it was read.

use std::ops::Range as Span;

use super::reader::Located;

/// A section of the file, which may be there and still be wrong.
#[derive(Clone, Debug)]
pub(super) struct Section<T> {
    pub header: Span<usize>,
    pub rules: Option<T>,
    /// The queries in it.
    pub queries: Vec<Located<String>>,
    /// Those over a range of keys.
    pub range_queries: Vec<Located<String>>,
}
