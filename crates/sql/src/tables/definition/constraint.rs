//! A foreign key or a condition, word by word.

use std::collections::BTreeSet;

use super::super::{Action, ConstraintRule, SaidWith, TableConstraint, listed};
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
        let mut action = None;
        let mut condition = None;
        let (rule, name, columns) = if self.eat("check") {
            let group = self.group()?;
            lists = self.lists(group);
            condition = self.condition(group);
            let names = self.conditioned(group, lists.is_some());
            (ConstraintRule::Check, name, names)
        } else {
            self.eats(&["foreign", "key"]);
            self.eats(&["if", "not", "exists"]);
            // Of the index that the server makes for it.
            let index = match self.is_group() {
                true => None,
                false => Some(self.name()?),
            };
            let columns = self.columns_in_group()?;
            if self.eat("references") && self.name().is_some() {
                action = self.rest_of_reference();
            }
            (ConstraintRule::ForeignKey, name.or(index), columns)
        };
        Some(TableConstraint {
            rule,
            name,
            columns,
            lists,
            condition,
            said: SaidWith::Table,
            action,
        })
    }

    /// The columns that a condition is over. Of a list it is the first name: types and casts are no columns.
    fn conditioned(&self, group: &[Token], is_list: bool) -> Vec<String> {
        let names = self.names_in(group).into_iter();
        once(names.take(if is_list { 1 } else { usize::MAX }).collect())
    }

    fn condition(&self, group: &[Token]) -> Option<String> {
        let span = group.first()?.span.start..group.last()?.span.end;
        self.text.get(span).map(str::to_owned)
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
            let action = self.rest_of_reference();
            vec![TableConstraint {
                action,
                ..of(ConstraintRule::ForeignKey)
            }]
        } else if self.eat("check") {
            let group = self.group()?;
            let lists = self.lists(group);
            vec![TableConstraint {
                columns: self.conditioned(group, lists.is_some()),
                condition: self.condition(group),
                lists,
                ..of(ConstraintRule::Check)
            }]
        } else {
            Vec::new()
        })
    }

    /// What is said behind the table that a foreign key leads to.
    fn rest_of_reference(&mut self) -> Option<Action> {
        if self.is_group() {
            let _ = self.group();
        }
        let (mut changes, mut deletes) = (false, false);
        loop {
            let on_delete = self.eats(&["on", "delete"]);
            if on_delete || self.eats(&["on", "update"]) {
                let sets = self.eats(&["set", "null"]) || self.eats(&["set", "default"]);
                let cascades = !sets && self.eat("cascade");
                changes |= sets || cascades && !on_delete;
                deletes |= cascades && on_delete;
                let _ = self.eats(&["no", "action"]) || self.eat("restrict");
            } else if self.eats(&["not", "deferrable"]) || self.eat("deferrable") {
                let _ = self.eat("initially") && (self.eat("deferred") || self.eat("immediate"));
            } else {
                return match (changes, deletes) {
                    (true, true) => Some(Action::Both),
                    (true, false) => Some(Action::Changes),
                    (false, true) => Some(Action::Deletes),
                    (false, false) => None,
                };
            }
        }
    }
}
