//! The database of its own in which the ledger is.

use super::reader::Located;
use super::source::Source;
use crate::sql::{Dialect, wrong_with_ledger};

/// Reports what speaks against the name, and against naming one at all in a project for these databases.
pub(super) fn check(source: &Source, name: &Located<&str>, dialects: Option<&Vec<Dialect>>) {
    if let Some(why) = wrong_with_ledger(name.value) {
        let help = "write for example \"shop_phasegate\"";
        source.error("bad-ledger", name.span.clone(), why, help);
    }
    if dialects.is_some_and(|dialects| !dialects.contains(&Dialect::Mysql)) {
        source.error(
            "unused-key",
            name.span.clone(),
            "`ledger` is for MySQL and MariaDB, and the project is for neither",
            "leave it out: on PostgreSQL the ledger has a schema of its own, and SQLite has no roles to keep from it",
        );
    }
}

/// The database that a URL names with `?ledger=NAME`; such a name needs no percents.
pub(super) fn named_in(url: &str) -> Option<&str> {
    let (_, parameters) = url.split_once('?')?;
    let parameters = parameters.split('#').next().unwrap_or_default();
    let mut each = parameters.split('&');
    each.find_map(|each| each.strip_prefix("ledger="))
        .filter(|name| wrong_with_ledger(name).is_none())
}
