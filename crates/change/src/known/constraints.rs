//! What becomes of foreign keys and conditions over columns that are replaced: none is carried over, so that of each somebody has
//! to say that it may go.

use phasegate_sql::{ConstraintRule, Dialect, SaidWith, TableConstraint};

use super::{Against, Objection, Weight};
use crate::{Check, Columns, Values, Wrong, not_for_sqlite};

impl Against<'_> {
    /// Those that are over an old column, against what the declaration says of them.
    pub(super) fn constraints(&mut self, change: &Columns) {
        let dialect = self.dialect;
        let is_old =
            |one: &&TableConstraint| change.old.iter().any(|old| one.is_over(dialect, old));
        let over: Vec<TableConstraint> = self
            .table
            .constraints
            .iter()
            .filter(is_old)
            .cloned()
            .collect();
        for one in over {
            self.constraint(change, &one);
        }
        for name in &change.drop_constraints {
            self.has_constraint(change, name);
        }
    }

    fn constraint(&mut self, change: &Columns, one: &TableConstraint) {
        let name = one.name.as_deref();
        let is_said = name.is_some_and(|name| {
            let mut said = change.drop_constraints.iter();
            said.any(|said| self.dialect.may_be_same_name(said, name))
        });
        let what = told(one);
        match (self.dialect, one.said, one.rule) {
            (Dialect::Sqlite, SaidWith::Table, _) => self.refuse(not_for_sqlite(
                format!(
                    "SQLite drops no column that is of {what}, which was said beside the columns of `{}`",
                    self.name
                ),
                "make the table anew with scripts of your own",
            )),
            // MySQL reads over what MariaDB takes for a foreign key.
            (Dialect::Mysql, SaidWith::Column, ConstraintRule::ForeignKey) => {}
            _ if is_said => {}
            (Dialect::Mysql, SaidWith::Table, _) => {
                let help = self.ways_out(change, one);
                self.error(
                    format!("{what} is over a column that the contract drops, which MySQL and MariaDB refuse"),
                    help,
                );
            }
            _ => {
                let help = self.ways_out(change, one);
                self.found.push(Objection {
                    weight: Weight::ConstraintGoes,
                    wrong: Wrong::new(
                        format!(
                            "{what} goes with its column at the contract, and nothing refuses then what it refused"
                        ),
                        help,
                    ),
                });
            }
        }
    }

    fn ways_out(&self, change: &Columns, one: &TableConstraint) -> String {
        let new: Vec<&str> = change.new.iter().map(|new| new.name.as_str()).collect();
        let new = new.join(", ");
        let say = match &one.name {
            Some(name) => format!("write `drop_constraints = [\"{name}\"]` under `[change]`"),
            None => "give it a name, and write that under `[change]`: `drop_constraints = [\"…\"]`"
                .to_owned(),
        };
        if self.dialect == Dialect::Sqlite {
            return format!(
                "where it has to hold for {new}, make the table anew with scripts of your own; otherwise {say}"
            );
        }
        let kind = match one.rule {
            ConstraintRule::ForeignKey => "foreign-key",
            ConstraintRule::Check => "check",
        };
        format!(
            "where it has to hold for {new}, declare it in a migration of the kind `{kind}` after this one, whose contract may come first; then, or where nobody needs it, {say}"
        )
    }

    /// MySQL is told to drop each, and would refuse the contract for one that is not there.
    fn has_constraint(&mut self, change: &Columns, name: &str) {
        let constraints = &self.table.constraints;
        let is_own = |one: &TableConstraint| {
            // A condition without a name has another one on MySQL than on MariaDB.
            let own = one.name.as_deref();
            own.is_none_or(|own| self.dialect.may_be_same_name(own, name))
        };
        // As both servers name a foreign key, in whatever order.
        let is_given_out = name.contains("_ibfk_")
            && constraints
                .iter()
                .any(|one| one.rule == ConstraintRule::ForeignKey);
        // MariaDB calls the condition of a column as that.
        let is_of_column = change.old.iter().any(|old| old == name);
        if self.dialect != Dialect::Mysql
            || is_given_out
            || is_of_column
            || constraints.iter().any(is_own)
        {
            return;
        }
        self.error(
            format!(
                "`{}` has no constraint `{name}` on {}, as the earlier migrations make it",
                self.name,
                self.dialect.title()
            ),
            "give it one name on all databases, or write the scripts of this migration by hand"
                .to_owned(),
        );
    }

    /// One of its name is there already, or an earlier migration adds it.
    pub(super) fn check(&mut self, change: &Check) {
        let usual = format!(
            "{}_check",
            self.name.rsplit('.').next().unwrap_or(self.name)
        );
        let name = change.name.clone().unwrap_or(usual);
        let mut all = self.table.constraints.iter();
        let is_taken = all.any(|one| {
            let own = one.name.as_deref();
            own.is_some_and(|own| self.dialect.may_be_same_name(own, &name))
        });
        if is_taken {
            self.error(
                format!("`{}` has a constraint `{name}` already", self.name),
                "give it another name: `name` under `[change]`".to_owned(),
            );
        }
    }

    /// The list has to be the one that is there: what `from` leaves out would be forbidden as well.
    pub(super) fn values(&mut self, change: &Values) {
        self.are_there(std::slice::from_ref(&change.column));
        let Some(name) = change.name.of(self.dialect) else {
            return;
        };
        let is_check = |one: &&TableConstraint| one.rule == ConstraintRule::Check;
        let mut checks = self.table.constraints.iter().filter(is_check);
        let is_named = |one: &TableConstraint| {
            let own = one.name.as_deref();
            own.is_some_and(|own| self.dialect.may_be_same_name(own, name))
        };
        let found = checks.clone().find(|one| is_named(one)).cloned();
        let Some(found) = found else {
            // What MySQL and MariaDB call it themselves is not known here.
            let there: Vec<String> = checks.clone().filter_map(|one| one.name.clone()).collect();
            if checks.any(|one| one.name.is_none()) {
                return;
            }
            let help = if there.is_empty() {
                "`kind = \"check\"` adds one".to_owned()
            } else {
                format!("it has {}", there.join(", "))
            };
            self.error(
                format!(
                    "`{}` has no CHECK `{name}` on {}, as the earlier migrations make it",
                    self.name,
                    self.dialect.title()
                ),
                help,
            );
            return;
        };
        let Some(lists) = found
            .lists
            .filter(|_| found.columns == [change.column.clone()])
        else {
            self.error(
                format!(
                    "the CHECK `{name}` of `{}` does more than to list values of `{}`",
                    self.name, change.column
                ),
                "write the scripts of this migration by hand, so that nothing else that it refuses is let in".to_owned(),
            );
            return;
        };
        let is_same = lists.iter().all(|value| change.from.contains(value))
            && change.from.iter().all(|value| lists.contains(value));
        if !is_same {
            self.error(
                format!(
                    "`from` lists {:?}, and the CHECK `{name}` of `{}` lists {lists:?}",
                    change.from, self.name
                ),
                format!("write `from = {lists:?}`: what it leaves out would be forbidden"),
            );
        }
    }

    /// Whether the server may have made an index of this name for a foreign key.
    pub(super) fn may_serve_foreign_key(&self, index: &str) -> bool {
        let is_its = |one: &TableConstraint| {
            let own = one.name.iter().chain(&one.columns);
            one.rule == ConstraintRule::ForeignKey
                && own
                    .into_iter()
                    .any(|own| self.dialect.may_be_same_name(own, index))
        };
        self.dialect == Dialect::Mysql && self.table.constraints.iter().any(is_its)
    }
}

/// "the foreign key `orders_user_id_fkey`"
fn told(one: &TableConstraint) -> String {
    let what = match one.rule {
        ConstraintRule::ForeignKey => "the foreign key",
        ConstraintRule::Check => "the CHECK",
    };
    match &one.name {
        Some(name) => format!("{what} `{name}`"),
        None => format!("{what} over {}", one.columns.join(", ")),
    }
}
