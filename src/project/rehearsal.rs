//! `[rehearse]`: where migrations are tried, and what with.

use super::places;
use super::reader::Table;

/// Where and with what migrations are rehearsed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RehearsalConfig {
    /// Servers on which scratch databases may be made, one for each kind; may hold passwords.
    pub urls: Vec<String>,
    /// The file that makes the schema which no migration made, relative to the project's root.
    pub schema: Option<String>,
    /// Whether a contract wants a rehearsal of its migration's files, as they are, in the ledger.
    pub required: bool,
}

const EXAMPLE: &str = "url = \"postgres://postgres@127.0.0.1:5433/postgres\"";

pub(super) fn read(mut table: Table<'_>) -> RehearsalConfig {
    let mut config = RehearsalConfig::default();
    if table.is_array("url") {
        let urls = table.strings("url", EXAMPLE).unwrap_or_default();
        config.urls = urls.iter().map(|url| url.value.to_owned()).collect();
    } else if let Some(url) = table.string("url", EXAMPLE) {
        config.urls.push(url.value.to_owned());
    }
    let schema = table.string("schema", "schema = \"schema.sql\"");
    config.schema = schema.map(|path| path.value.to_owned());
    config.required = table.flag("required").unwrap_or_default();
    table.finish(places::CONFIG);
    config
}
