//! Names that nothing else has, or is to have.

use super::{Asked, NewIndex};

/// With an index that is called like none of those before it.
pub(super) fn named_once(mut all: Vec<NewIndex>, mut index: NewIndex) -> Vec<NewIndex> {
    let is_taken = |name: &str| all.iter().any(|one| one.name == name);
    if is_taken(&index.name) {
        let mut others = (2_usize..).map(|n| format!("{}_{n}", index.name));
        if let Some(free) = others.find(|name| !is_taken(name)) {
            index.name = free;
        }
    }
    all.push(index);
    all
}

impl Asked<'_> {
    /// The usual name of a condition is said only where it is taken.
    pub(super) fn name_of_check(&self) -> Option<String> {
        let table = self.table.rsplit('.').next().unwrap_or(self.table);
        let usual = format!("{table}_check");
        let is_taken = |name: &str| {
            let tables = self.known.tables.iter().chain(&self.known.by_files);
            let mut named = tables.flat_map(|(dialect, table)| {
                let names = table
                    .constraints
                    .iter()
                    .filter_map(|one| one.name.as_deref());
                names.map(|own| (*dialect, own))
            });
            named.any(|(dialect, own)| dialect.may_be_same_name(own, name))
        };
        if !is_taken(&usual) {
            return None;
        }
        let mut others = (2_usize..).map(|n| format!("{usual}_{n}"));
        others.find(|name| !is_taken(name))
    }
}
