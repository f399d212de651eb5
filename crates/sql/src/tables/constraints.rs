//! What rows of a table have to be beside its keys and NOT NULL: foreign keys and conditions.

use super::{Dialect, Table, TableIndex, same};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableConstraint {
    pub rule: ConstraintRule,
    /// As it was given, or as the database gives it out where that can be told. On SQLite, where what has no name gets none, as
    /// PostgreSQL would call it.
    pub name: Option<String>,
    /// Those of this table that it is over.
    pub columns: Vec<String>,
    /// The values that it lists, if it does nothing else.
    pub lists: Option<Vec<String>>,
    /// What a CHECK says, as it is written.
    pub condition: Option<String>,
    pub said: SaidWith,
    /// What becomes of its columns with the row that it leads to, as it is written: `ON DELETE SET NULL`.
    pub action: Option<Action>,
}

/// What the server does to the columns of a foreign key, or to their row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// They get another value.
    Changes,
    /// The row goes.
    Deletes,
    /// Either.
    Both,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConstraintRule {
    ForeignKey,
    Check,
}

/// Where a constraint is said. PostgreSQL makes no difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SaidWith {
    /// In the definition of its column, with which it goes.
    Column,
    Table,
}

impl TableConstraint {
    #[must_use]
    pub fn is_over(&self, dialect: Dialect, column: &str) -> bool {
        self.columns.iter().any(|name| same(dialect, name, column))
    }

    pub(super) fn of_column(rule: ConstraintRule, name: Option<String>) -> Self {
        Self {
            rule,
            name,
            columns: Vec::new(),
            lists: None,
            condition: None,
            said: SaidWith::Column,
            action: None,
        }
    }
}

impl Table {
    /// Gives constraints without a name that of the database, which is told of the table's own.
    pub fn name_constraints(&mut self, dialect: Dialect, table: &str) {
        let is_exclusion = |index: &&mut TableIndex| {
            index.name.is_none() && index.is_constraint && !index.is_unique
        };
        for index in self.indexes.iter_mut().filter(is_exclusion) {
            index.name = Some(format!("{table}_{}_excl", index.columns.join("_")));
        }
        for at in 0..self.constraints.len() {
            let Some(unnamed) = self.constraints.get(at).filter(|one| one.name.is_none()) else {
                continue;
            };
            let is_taken = |name: &str| {
                let names = self
                    .constraints
                    .iter()
                    .filter_map(|one| one.name.as_deref());
                names.into_iter().any(|taken| same(dialect, taken, name))
            };
            let named = match (dialect, unnamed.rule, unnamed.said) {
                (Dialect::Mysql, ConstraintRule::ForeignKey, _) => (1_usize..)
                    .map(|n| format!("{table}_ibfk_{n}"))
                    .find(|name| !is_taken(name)),
                // MariaDB and MySQL differ.
                (Dialect::Mysql, ConstraintRule::Check, _) => None,
                (Dialect::Postgres | Dialect::Sqlite, rule, _) => {
                    let name = match (rule, unnamed.columns.as_slice()) {
                        (ConstraintRule::ForeignKey, columns) => {
                            format!("{table}_{}_fkey", columns.join("_"))
                        }
                        (ConstraintRule::Check, [one]) => format!("{table}_{one}_check"),
                        (ConstraintRule::Check, _) => format!("{table}_check"),
                    };
                    let others = (1_usize..).map(|n| format!("{name}{n}"));
                    let mut all = std::iter::once(name.clone()).chain(others);
                    all.find(|name| !is_taken(name))
                }
            };
            if let Some(one) = self.constraints.get_mut(at) {
                one.name = named;
            }
        }
    }

    pub(super) fn drop_constraint(&mut self, dialect: Dialect, name: &str) {
        self.constraints.retain(|one| {
            let own = one.name.as_deref();
            !own.is_some_and(|own| same(dialect, own, name))
        });
    }

    pub(super) fn rename_constraint(&mut self, dialect: Dialect, from: &str, to: &str) {
        for one in &mut self.constraints {
            let own = one.name.as_deref();
            if own.is_some_and(|own| same(dialect, own, from)) {
                one.name = Some(to.to_owned());
            }
        }
    }

    /// Constraints go with a column that they are over.
    pub(super) fn forget_constraints_over(&mut self, dialect: Dialect, column: &str) {
        self.constraints.retain(|one| !one.is_over(dialect, column));
    }

    /// What a column that is defined anew says takes the place of the conditions that it said before.
    pub(super) fn redefine_constraints(
        &mut self,
        dialect: Dialect,
        column: &str,
        said: Vec<TableConstraint>,
    ) {
        self.constraints.retain(|one| {
            let is_its = one.said == SaidWith::Column && one.rule == ConstraintRule::Check;
            !(is_its && one.is_over(dialect, column))
        });
        self.constraints.extend(said);
    }
}
