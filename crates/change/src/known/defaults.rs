//! The default that a column has, against what the contract is to ask of it: an INSERT of a live version that leaves the column out would be
//! refused from then on.

use phasegate_sql::{
    Asks, ConstraintRule, Dialect, Meets, Table, TableConstraint, TableIndex, columns_in,
};

use super::Against;
use crate::{Check, ForeignKey, Unique, Values};

impl Against<'_> {
    /// A value that goes and is what stands in the column where it is left out.
    pub(super) fn default_goes(&mut self, change: &Values) {
        let dialect = self.dialect;
        let removed: Vec<String> = change.removed().into_iter().cloned().collect();
        let column = self.table.column(dialect, &change.column);
        let default = column.and_then(|column| column.constant(dialect));
        let goes = |default: &String| dialect.is_among(default, &removed) == Some(true);
        let Some(default) = default.filter(goes) else {
            return;
        };
        self.error(
            format!(
                "the default of `{}` is {default}, which goes: from the contract on each INSERT of a live version that leaves the column out would be refused",
                change.column
            ),
            self.another_default(&change.column),
        );
    }

    pub(super) fn default_is_let_in(&mut self, change: &Check) {
        let Some(condition) = change.condition.of(self.dialect) else {
            return;
        };
        let all: Vec<String> = self
            .table
            .columns
            .iter()
            .map(|one| one.name.clone())
            .collect();
        let Ok(columns) = columns_in(self.dialect, condition, &all) else {
            return;
        };
        let alone = TableConstraint {
            rule: ConstraintRule::Check,
            name: change.name.clone(),
            columns,
            lists: None,
            condition: Some(condition.to_owned()),
            said: phasegate_sql::SaidWith::Table,
            action: None,
        };
        self.asked_alone(|table| table.constraints = vec![alone]);
    }

    pub(super) fn default_leads_somewhere(&mut self, change: &ForeignKey) {
        let alone = TableConstraint {
            rule: ConstraintRule::ForeignKey,
            name: change.name.clone(),
            columns: change.columns.clone(),
            lists: None,
            condition: None,
            said: phasegate_sql::SaidWith::Table,
            action: None,
        };
        self.asked_alone(|table| table.constraints = vec![alone]);
    }

    pub(super) fn default_is_unique(&mut self, change: &Unique) {
        let alone = TableIndex {
            name: change.name.clone(),
            columns: change.columns.clone(),
            is_unique: true,
            is_constraint: true,
            is_plain: true,
            includes: Vec::new(),
        };
        self.asked_alone(|table| table.indexes = vec![alone]);
    }

    /// What the defaults of the columns meet where the table asks this and nothing else.
    fn asked_alone(&mut self, asks: impl FnOnce(&mut Table)) {
        let mut table = Table {
            columns: self.table.columns.clone(),
            ..Table::default()
        };
        asks(&mut table);
        for met in table.defaults_met(self.dialect) {
            let (column, default) = (&met.column, &met.default);
            let help = self.another_default(column);
            let after = format!(
                "`{column}` has the default {default} on {}",
                self.dialect.title()
            );
            match (&met.by, met.meets) {
                // Refused by `check`, where somebody may vouch for the statement: versions that always say the column get along.
                (Asks::Unique(_), _) => self.may_be_refused(
                    format!(
                        "{after}: from the contract on the second INSERT of a live version that leaves the column out would be refused"
                    ),
                    help,
                ),
                (Asks::Check(_), Meets::Refused) => self.error(
                    format!(
                        "{after}, which the condition does not let in: from the contract on each INSERT of a live version that leaves the column out would be refused"
                    ),
                    help,
                ),
                (Asks::Check(_), Meets::MayBeRefused) => self.may_be_refused(
                    format!(
                        "{after}, which the condition has to let in: from the contract on an INSERT of a live version that leaves the column out is refused otherwise"
                    ),
                    format!("try it with the database's own client; where it does not, {help}"),
                ),
                // It is so already, whatever is asked from now on.
                (Asks::Length(_), _) => {}
                (Asks::ForeignKey(_), _) => self.may_be_refused(
                    format!(
                        "{after}, and the foreign key wants a row for it: without one, an INSERT of a live version that leaves the column out is refused from the contract on"
                    ),
                    format!("see that this row is there, and stays; or {help}"),
                ),
            }
        }
    }

    fn another_default(&self, column: &str) -> String {
        let table = self.name;
        match self.dialect {
            Dialect::Sqlite => format!(
                "let `{column}` have no such default first: make the table anew with scripts of your own, in a migration before this one"
            ),
            Dialect::Postgres | Dialect::Mysql => format!(
                "declare another default first, or none: `migrate new … --set-default {table}.{column}=…` or `--drop-default {table}.{column}`, in a migration before this one"
            ),
        }
    }
}
