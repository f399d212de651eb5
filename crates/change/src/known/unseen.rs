//! What happens to a row past the triggers that keep formats in step, and what hangs on a column that goes.

use phasegate_sql::{Action, ConstraintRule, Dialect, SaidWith, TableConstraint, TableTrigger};

use super::{Against, Objection, Weight};
use crate::{Kind, Wrong};

/// Columns whose writes triggers of this migration have to see; none where it makes none.
fn watched(kind: &Kind) -> Vec<&String> {
    match kind {
        Kind::Columns(columns) => columns
            .old
            .iter()
            .chain(columns.new.iter().map(|new| &new.name))
            .collect(),
        Kind::NotNull(not_null) if not_null.fill.is_some() => vec![&not_null.column],
        Kind::SplitTable(split) => split.moved().map(|new| &new.name).collect(),
        _ => Vec::new(),
    }
}

/// Columns that the contract drops.
fn dropped(kind: &Kind) -> &[String] {
    match kind {
        Kind::Columns(columns) => &columns.old,
        Kind::DropColumn(drop) => &drop.columns,
        _ => &[],
    }
}

impl Against<'_> {
    pub(super) fn unseen(&mut self, kind: &Kind) {
        let watched = watched(kind);
        if !watched.is_empty() {
            self.rows_of_others();
        }
        match self.dialect {
            Dialect::Mysql => {
                self.actions(kind, &watched);
                match kind {
                    Kind::NotNull(change) => self.forgets(&change.column),
                    Kind::Widen(change) => self.forgets(&change.column),
                    _ => {}
                }
            }
            Dialect::Postgres => {
                self.replica_identity(kind);
                if let Kind::Columns(columns) = kind {
                    self.fires_for(&columns.old);
                }
            }
            Dialect::Sqlite => {}
        }
    }

    /// Said, and not refused, of what is applied by now: before an expand the database is asked itself.
    fn is_unseen(&mut self, message: String, help: String) {
        self.found.push(Objection {
            weight: Weight::Unseen,
            wrong: Wrong::new(message, help),
        });
    }

    fn rows_of_others(&mut self) {
        if let Some(child) = self.table.inherited_by.first() {
            self.is_unseen(
                format!(
                    "`{child}` inherits from `{0}`, and triggers of `{0}` do not fire for its rows: the formats of these would not be kept in step",
                    self.name
                ),
                "make partitions of the tables that inherit, or write the scripts of this migration by hand, with the triggers on each of these tables as well"
                    .to_owned(),
            );
        }
    }

    /// MySQL and MariaDB carry out what a foreign key says without firing triggers.
    fn actions(&mut self, kind: &Kind, watched: &[&String]) {
        let dialect = self.dialect;
        let is_split = matches!(kind, Kind::SplitTable(_));
        let is_missed = |one: &&TableConstraint| match one.action {
            Some(Action::Changes) => watched.iter().any(|column| one.is_over(dialect, column)),
            Some(Action::Deletes) => is_split,
            Some(Action::Both) => {
                is_split || watched.iter().any(|column| one.is_over(dialect, column))
            }
            None => false,
        };
        let Some(one) = self.table.constraints.iter().find(is_missed) else {
            return;
        };
        let named = match &one.name {
            Some(name) => format!("the foreign key `{name}`"),
            None => format!("the foreign key over `{}`", one.columns.join("`, `")),
        };
        let does = match one.action {
            Some(Action::Deletes) => "deletes rows",
            _ => "gives its columns other values",
        };
        self.is_unseen(
            format!(
                "{named} {does} with the row that it leads to, for which MySQL and MariaDB fire no triggers: the formats would not be kept in step"
            ),
            "first let the application do that itself; once no version is live that counts on the action, make the foreign key one without it, and then declare this"
                .to_owned(),
        );
    }

    /// A published table needs one for each UPDATE and DELETE.
    fn replica_identity(&mut self, kind: &Kind) {
        let Some(identity) = &self.table.replica_identity else {
            return;
        };
        let is_it = |name: &str| self.dialect.may_be_same_name(name, identity);
        let mut indexes = self.table.indexes.iter();
        let index = indexes.find(|index| {
            index
                .called(self.dialect, self.name)
                .is_some_and(|name| is_it(&name))
        });
        let goes = match kind {
            Kind::DropIndex(drop) => is_it(&drop.name),
            _ => dropped(kind).iter().any(|column| {
                let is_old = |name: &String| self.dialect.may_be_same_name(name, column);
                index.is_some_and(|index| index.columns.iter().any(is_old))
            }),
        };
        if !goes {
            return;
        }
        let message = format!(
            "`{identity}` is the replica identity of `{}`, and would go: without one, each UPDATE and DELETE of a published table is refused",
            self.name
        );
        let help = format!(
            "choose another one by a migration before this one: `ALTER TABLE {} REPLICA IDENTITY DEFAULT` is the primary key",
            self.name
        );
        self.is_unseen(message, help);
    }

    /// PostgreSQL fires `UPDATE OF` by what a statement names, and not by what a trigger changes.
    fn fires_for(&mut self, old: &[String]) {
        let is_over = |trigger: &&TableTrigger| {
            let mut columns = trigger.columns.iter();
            columns.any(|column| {
                old.iter()
                    .any(|old| self.dialect.may_be_same_name(old, column))
            })
        };
        let Some(trigger) = self.table.triggers.iter().find(is_over) else {
            return;
        };
        let (name, columns) = (trigger.name.clone(), trigger.columns.clone());
        let changed: Vec<String> = columns
            .iter()
            .map(|column| format!("OLD.{column} IS DISTINCT FROM NEW.{column}"))
            .collect();
        self.is_unseen(
            format!(
                "the trigger `{name}` fires for `UPDATE OF {}`, and not for what versions of the new format write: PostgreSQL goes by the columns that a statement names",
                columns.join(", ")
            ),
            format!(
                "let it fire for each UPDATE and look itself, by a migration before this one: `WHEN ({})`",
                changed.join(" OR ")
            ),
        );
    }

    /// MariaDB has a condition that is said in the definition of its column no longer once that is said without it; MySQL has it on.
    fn forgets(&mut self, column: &str) {
        let dialect = self.dialect;
        let plain = |one: &TableConstraint| {
            let condition = one.condition.as_deref().unwrap_or_default().to_lowercase();
            condition.replace(['`', '(', ')', ' ', '\n', '\t'], "")
        };
        let is_over = |one: &&TableConstraint| {
            one.rule == ConstraintRule::Check && one.is_over(dialect, column)
        };
        let mut all = self.table.constraints.iter().filter(is_over);
        let stays: Vec<String> = all
            .clone()
            .filter(|one| one.said == SaidWith::Table)
            .map(plain)
            .collect();
        let lost = all.find(|one| one.said == SaidWith::Column && !stays.contains(&plain(one)));
        let Some(condition) = lost.and_then(|one| one.condition.clone()) else {
            return;
        };
        self.is_unseen(
            format!(
                "`{column}` has a CHECK in its definition ({condition}), which MariaDB forgets where a column is defined anew: what it refuses would be let in"
            ),
            format!(
                "make it one of the table, by a migration before this one: `ALTER TABLE {} ADD CONSTRAINT … CHECK ({condition})`",
                self.name
            ),
        );
    }
}
