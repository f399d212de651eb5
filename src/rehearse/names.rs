//! The names that one format of a migration alone has. Pure.

use super::shape::{Catalogue, Relation};
use crate::model::Format;

/// Tables, and columns of tables that both formats have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Own {
    tables: Vec<String>,
    columns: Vec<(String, String)>,
}

pub(super) struct Names {
    old: Own,
    new: Own,
}

impl Names {
    pub fn of(before: &Catalogue, between: &Catalogue, after: &Catalogue) -> Self {
        let mut old = Own::default();
        old.add(between, after);
        let mut new = Own::default();
        new.add(between, before);
        new.add(after, before);
        Self { old, new }
    }

    const fn own(&self, format: Format) -> &Own {
        match format {
            Format::Old => &self.old,
            Format::New => &self.new,
        }
    }

    /// Whether what is written is of this format; without a list of columns it is whatever the table has.
    pub fn writes(&self, format: Format, table: &str, columns: Option<&[String]>) -> bool {
        let own = self.own(format);
        let is_of_table = |(of, column): &(String, String)| {
            let is_listed =
                columns.is_none_or(|columns| columns.iter().any(|one| same(one, column)));
            same(of, table) && is_listed
        };
        own.tables.iter().any(|one| same(one, table)) || own.columns.iter().any(is_of_table)
    }

    /// Whether one of these is a name of this format.
    pub fn reads(&self, format: Format, names: &[String]) -> bool {
        let own = self.own(format);
        let columns = own.columns.iter().map(|(_, column)| column);
        let mut all = own.tables.iter().chain(columns);
        all.any(|one| names.iter().any(|name| same(name, one)))
    }
}

fn same(one: &str, other: &str) -> bool {
    one.eq_ignore_ascii_case(other)
}

/// Without its schema.
fn bare(relation: &Relation) -> String {
    let shown = relation.shown.rsplit('.').next();
    shown.unwrap_or(&relation.shown).to_owned()
}

impl Own {
    /// What is in the one and not in the other.
    fn add(&mut self, one: &Catalogue, other: &Catalogue) {
        for relation in &one.relations {
            let Some(there) = other.get(&relation.sql) else {
                self.tables.push(bare(relation));
                continue;
            };
            let gone = relation
                .columns
                .iter()
                .filter(|column| there.column(&column.name).is_none());
            let named = gone.map(|column| (bare(relation), column.name.clone()));
            self.columns.extend(named);
        }
    }
}
