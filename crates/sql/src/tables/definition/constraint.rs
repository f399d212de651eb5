//! A foreign key or a condition, word by word.

use std::collections::BTreeSet;

use super::super::{ConstraintRule, SaidWith, TableConstraint, listed};
use super::Cursor;
use crate::lexeme::Token;

/// Each name once.
fn once(mut names: Vec<String>) -> Vec<String> {
    let mut seen = BTreeSet::new();
    names.retain(|name| seen.insert(name.clone()));
    names
}

impl Cursor<'_> {
    /// `CHECK (…)` or `FOREIGN KEY (…) REFERENCES …` of a table.
    pub fn constraint(&mut self, name: Option<String>) -> Option<TableConstraint> {
        let mut lists = None;
        let (rule, name, columns) = if self.eat("check") {
            let group = self.group()?;
            lists = self.lists(group);
            (ConstraintRule::Check, name, once(self.names_in(group)))
        } else {
            self.eats(&["foreign", "key"]);
            self.eats(&["if", "not", "exists"]);
            // Of the index that the server makes for it.
            let index = match self.is_group() {
                true => None,
                false => Some(self.name()?),
            };
            let columns = self.columns_in_group()?;
            (ConstraintRule::ForeignKey, name.or(index), columns)
        };
        Some(TableConstraint {
            rule,
            name,
            columns,
            lists,
            said: SaidWith::Table,
        })
    }

    fn lists(&self, group: &[Token]) -> Option<Vec<String>> {
        let span = group.first()?.span.start..group.last()?.span.end;
        listed(self.dialect, self.text.get(span)?)
    }

    /// `REFERENCES …` or `CHECK (…)`; nothing where the name before it is that of something else.
    pub(super) fn constraint_of_column(
        &mut self,
        name: Option<String>,
    ) -> Option<Vec<TableConstraint>> {
        let of = |rule| TableConstraint::of_column(rule, name);
        Some(if self.eat("references") {
            self.name()?;
            self.rest_of_reference();
            vec![of(ConstraintRule::ForeignKey)]
        } else if self.eat("check") {
            let group = self.group()?;
            vec![TableConstraint {
                columns: once(self.names_in(group)),
                lists: self.lists(group),
                ..of(ConstraintRule::Check)
            }]
        } else {
            Vec::new()
        })
    }
}
