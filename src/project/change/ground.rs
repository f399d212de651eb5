//! What the files of a project say of a table before somebody declares a change of it.

use std::collections::BTreeMap;
use std::path::Path;

use super::super::later::{self, Forward};
use super::super::problem::Problems;
use super::super::{Config, listed_in};
use crate::sql::{Dialect, Table};

/// The project that a change is to be declared in, as far as it could be read.
#[derive(Clone, Debug)]
pub struct Ground {
    pub config: Config,
    /// The table as the migrations leave it, for each database on which they speak of it and are understood.
    pub tables: BTreeMap<Dialect, Table>,
}

impl Ground {
    /// # Errors
    /// What keeps the project from being read at all; migrations that are not in order do not.
    pub fn of(dir: &Path, url_override: Option<&str>, table: &str) -> Result<Self, Problems> {
        let (config, listing) = listed_in(dir, url_override)?;
        let dialects = &config.database.dialects;
        let all = Forward::of_all(&listing.found, dialects);
        let mut tables = BTreeMap::new();
        for dialect in dialects {
            let found = later::table(&all, *dialect, table);
            if let Some(found) = found.filter(|table| table.is_certain) {
                tables.insert(*dialect, found);
            }
        }
        Ok(Self { config, tables })
    }
}
