//! Each format of changelogs has a file of its own.

use super::changelog::{Changelog, Format, ROOT};
use super::{data, formatted, xml};

/// Reads a file, if it is a changelog.
///
/// # Errors
/// What Liquibase would read and is not read here.
pub(super) fn read(format: Format, text: &str) -> Result<Option<Changelog>, String> {
    match format {
        Format::Sql => Ok(formatted::read(text)),
        _ if !text.contains(ROOT) => Ok(None),
        Format::Xml => xml::read(text),
        Format::Yaml | Format::Json => data::read(format, text),
    }
}

/// Its text with that changeset alone, by its place among them, and without what it includes.
///
/// # Errors
/// Why it cannot be taken out.
pub(super) fn only(format: Format, text: &str, wanted: usize) -> Result<String, String> {
    match format {
        Format::Sql => Ok(formatted::only(text, wanted)),
        Format::Xml => xml::only(text, wanted),
        Format::Yaml => data::only_yaml(text, wanted),
        Format::Json => data::only_json(text, wanted),
    }
}
