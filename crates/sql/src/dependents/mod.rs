//! Code that a database keeps as text: triggers, functions and views. It names tables and columns, and most databases do
//! not look whether they are still there.
//!
//! Invariant: nothing is accused for a name that belongs to another table, as far as the text shows it.

mod attached;
mod create;
mod elsewhere;
mod firing;
mod inventory;
mod later;
mod names;
mod nowhere;
mod unknown;
mod widened;

#[cfg(test)]
mod tests;

pub use firing::Texts;
pub use inventory::{How, Lost};
pub use later::Met;
pub use nowhere::{Asked, Nowhere};
pub use unknown::UnknownColumn;
pub use widened::Widened;

use super::catalogue::{
    Attached, DEFAULT, Dependent, Dependents, Inventory, RULE, Relation, RelationKind, Runs,
};
use super::{Dialect, Object, ObjectKind, Script, Statement, Verb, lexeme};

/// What a statement takes away, or gives another name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Gone {
    pub verb: Verb,
    pub kind: ObjectKind,
    pub schema: Option<String>,
    /// Of the table, or of what else it is.
    pub table: String,
    /// None for the table as a whole.
    pub column: Option<String>,
}

impl Dialect {
    fn same_place(self, a: Option<&str>, b: Option<&str>) -> bool {
        match (a, b) {
            (Some(a), Some(b)) => self.may_be_same_name(a, b),
            _ => true,
        }
    }
}

impl Dependent {
    /// Whether it is of the same kind and name, and on the same table.
    #[must_use]
    pub fn is_called_as(&self, dialect: Dialect, other: &Dependent) -> bool {
        let is_on = match (&self.table, &other.table) {
            (Some(a), Some(b)) => dialect.may_be_same_name(a, b),
            (None, None) => true,
            _ => false,
        };
        self.kind == other.kind && dialect.may_be_same_name(&self.name, &other.name) && is_on
    }

    /// Whether it runs by itself when rows are written: a trigger, or a function that only triggers call.
    #[must_use]
    pub fn is_fired(&self) -> bool {
        match self.kind {
            ObjectKind::Trigger => true,
            ObjectKind::Function => self.runs == Runs::ByTriggers,
            _ => false,
        }
    }
}

impl Statement {
    /// The trigger, function or view that it makes.
    #[must_use]
    pub fn code(&self, dialect: Dialect) -> Option<Dependent> {
        create::dependent(dialect, self)
    }

    /// The tables and columns that it takes away or renames.
    pub fn gone(&self) -> impl Iterator<Item = Gone> {
        self.all_gone()
            .filter(|gone| matches!(gone.kind, ObjectKind::Table | ObjectKind::Column))
    }

    /// Everything that code may name and that it takes away or renames.
    pub fn all_gone(&self) -> impl Iterator<Item = Gone> {
        self.objects().filter_map(|object| {
            let verb = match object.verb {
                Verb::Drop | Verb::Rename => object.verb,
                Verb::Create | Verb::Alter => return None,
            };
            let (table, column) = match object.kind {
                ObjectKind::Table
                | ObjectKind::View
                | ObjectKind::MaterializedView
                | ObjectKind::Function
                | ObjectKind::Type
                | ObjectKind::Sequence => (object.name.clone(), None),
                ObjectKind::Column => (object.table.clone()?, Some(object.name.clone())),
                _ => return None,
            };
            Some(Gone {
                verb,
                kind: object.kind,
                schema: object.schema.clone(),
                table,
                column,
            })
        })
    }
}

impl Gone {
    /// Whether rows were read from it.
    pub(super) const fn is_relation(&self) -> bool {
        matches!(
            self.kind,
            ObjectKind::Table | ObjectKind::View | ObjectKind::MaterializedView
        )
    }

    /// Whether `object` brings it back under the same name.
    #[must_use]
    pub fn is_back(&self, dialect: Dialect, object: &Object) -> bool {
        let is = |name: Option<&String>, wanted: &str| {
            name.is_some_and(|name| dialect.may_be_same_name(name, wanted))
        };
        let name = match object.verb {
            Verb::Create => Some(&object.name),
            Verb::Rename => object.renamed_to.as_ref(),
            Verb::Drop | Verb::Alter => None,
        };
        match (&self.column, object.kind) {
            (None, ObjectKind::Table | ObjectKind::View | ObjectKind::MaterializedView) => {
                self.is_relation() && is(name, &self.table)
            }
            (None, kind) if kind == self.kind => is(name, &self.table),
            (Some(column), ObjectKind::Column) => {
                is(name, column) && is(object.table.as_ref(), &self.table)
            }
            _ => false,
        }
    }
}

/// A dependent that is left behind: the statement at `index` takes away what it names.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Left {
    pub index: usize,
    pub gone: Gone,
    pub dependent: Dependent,
    /// The function by which a trigger names it.
    pub by: Option<String>,
}

impl Left {
    /// What is left, and what becomes of it.
    pub fn sentence(&self) -> String {
        let name = match (&self.dependent.schema, self.dependent.runs) {
            (Some(schema), Runs::Elsewhere) => format!("{schema}.{}", self.dependent.name),
            _ => self.dependent.name.clone(),
        };
        let word = self.dependent.word;
        let what = match (&self.dependent.table, &self.by) {
            (Some(table), Some(function)) => {
                format!("the {word} `{name}` of `{table}`, by its function `{function}`,")
            }
            (Some(table), None) => format!("the {word} `{name}` of `{table}`"),
            (None, _) => format!("the {word} `{name}`"),
        };
        let kind = match self.gone.kind {
            ObjectKind::Function => "the function ",
            ObjectKind::Sequence => "the sequence ",
            ObjectKind::Type => "the type ",
            _ => "",
        };
        let gone = match &self.gone.column {
            Some(column) => format!("`{column}` of `{}`", self.gone.table),
            None => format!("{kind}`{}`", self.gone.table),
        };
        let fails = match &self.dependent.table {
            Some(table) => format!("statements that write `{table}` would fail"),
            None => "whoever uses it would fail".to_owned(),
        };
        format!("{what} still names {gone}: {fails}")
    }

    pub fn way_out(&self, dialect: Dialect) -> String {
        let name = &self.dependent.name;
        let word = self.dependent.word.to_ascii_uppercase();
        if let (DEFAULT, Some(table)) = (self.dependent.word, &self.dependent.table) {
            return format!(
                "take it away before this statement (`ALTER TABLE {table} ALTER {name} DROP DEFAULT;`), or set another one there"
            );
        }
        let quoted = |name: &str| dialect.quoted(name);
        // Where the search path does not lead there, its name alone says nothing.
        let placed = |name: &str| match &self.dependent.schema {
            Some(schema) => format!("{}.{}", quoted(schema), quoted(name)),
            None => quoted(name),
        };
        let drop = match (dialect, &self.dependent.table, &self.dependent.arguments) {
            (Dialect::Postgres, Some(table), _) => {
                format!("DROP {word} {} ON {}", quoted(name), placed(table))
            }
            (Dialect::Postgres, None, Some(arguments)) => {
                format!("DROP {word} {}({arguments})", placed(name))
            }
            _ => format!("DROP {word} {}", placed(name)),
        };
        format!(
            "drop it before this statement (`{drop};`), or replace it there by one that does without"
        )
    }
}

impl Dependents {
    /// What the statements of `script` leave of the code they make.
    #[must_use]
    pub fn made_by(script: &Script) -> Self {
        let mut dependents = Self::new(script.dialect);
        for statement in &script.statements {
            dependents.apply(statement);
        }
        dependents
    }

    /// Carries a statement out on what is known.
    pub fn apply(&mut self, statement: &Statement) {
        let dialect = self.dialect;
        for object in statement.objects() {
            let is = |name: &str, wanted: &str| dialect.may_be_same_name(name, wanted);
            let here = |schema: &Option<String>| {
                dialect.same_place(schema.as_deref(), object.schema.as_deref())
            };
            match (object.kind, object.verb) {
                (ObjectKind::Table, Verb::Drop) => self.all.retain(|one| {
                    let of_it = one
                        .table
                        .as_deref()
                        .is_some_and(|table| is(table, &object.name));
                    !(of_it && here(&one.schema))
                }),
                (ObjectKind::Table, Verb::Rename) => {}
                // It has another default then, or none.
                (ObjectKind::Column, Verb::Drop | Verb::Alter) => self.all.retain(|one| {
                    let is_it = one.kind == ObjectKind::Column && is(&one.name, &object.name);
                    !(is_it && one.table == object.table)
                }),
                (ObjectKind::Trigger, Verb::Drop) => self.all.retain(|one| {
                    let of_it = one.kind == ObjectKind::Trigger && is(&one.name, &object.name);
                    let on_it = match (&one.table, &object.table) {
                        (Some(one), Some(table)) => is(one, table),
                        _ => true,
                    };
                    !(of_it && on_it && here(&one.schema))
                }),
                (ObjectKind::Function | ObjectKind::View, Verb::Drop) => {
                    let takes_triggers = object.kind == ObjectKind::Function
                        && says(dialect, &statement.text, "cascade");
                    self.all.retain(|one| {
                        let of_it = one.kind == object.kind && is(&one.name, &object.name);
                        let calls = one.calls.as_deref();
                        let calls_it = calls.is_some_and(|calls| is(calls, &object.name));
                        !(of_it && here(&one.schema) || takes_triggers && calls_it)
                    });
                }
                _ => {}
            }
        }
        self.rename_tables(statement);
        if let Some(made) = create::dependent(dialect, statement) {
            self.all.retain(|one| {
                let is_same = one.kind == made.kind
                    && dialect.may_be_same_name(&one.name, &made.name)
                    && dialect.same_place(one.schema.as_deref(), made.schema.as_deref())
                    // Names of triggers belong to their table on PostgreSQL alone.
                    && (dialect != Dialect::Postgres || one.table == made.table);
                !is_same
            });
            self.all.push(made);
        }
    }

    /// `RENAME TABLE a TO b, c TO a` renames one after the other, and triggers go with their table.
    fn rename_tables(&mut self, statement: &Statement) {
        for object in statement.objects() {
            let (ObjectKind::Table, Verb::Rename, Some(new)) =
                (object.kind, object.verb, &object.renamed_to)
            else {
                continue;
            };
            for one in &mut self.all {
                let here = self
                    .dialect
                    .same_place(one.schema.as_deref(), object.schema.as_deref());
                if let Some(table) = &mut one.table
                    && here
                    && self.dialect.may_be_same_name(table, &object.name)
                {
                    table.clone_from(new);
                }
                // The same statement gives a view another name: so a table takes its place at once.
                if one.kind == ObjectKind::View
                    && here
                    && self.dialect.may_be_same_name(&one.name, &object.name)
                {
                    one.name.clone_from(new);
                }
            }
        }
    }

    /// Those that name what is gone, with the function by which a trigger does.
    pub fn that_name(&self, gone: &Gone) -> Vec<(&Dependent, Option<String>)> {
        let mut found = Vec::new();
        for one in &self.all {
            if one.runs == Runs::ByTriggers || !self.can_break(one, gone) {
                continue;
            }
            if one.runs == Runs::Elsewhere {
                let names = self.database.as_ref().and_then(|database| {
                    let said = elsewhere::said_here(self.dialect, one, database, &gone.table)?;
                    Some(names::names(self.dialect, &said, false, gone))
                });
                if names == Some(true) {
                    found.push((one, None));
                }
                continue;
            }
            if names::names(self.dialect, one, self.on(one, gone), gone) {
                found.push((one, None));
                continue;
            }
            let function = one.calls.as_deref().and_then(|calls| {
                self.all.iter().find(|function| {
                    function.kind == ObjectKind::Function
                        && self.dialect.may_be_same_name(&function.name, calls)
                })
            });
            if let Some(function) = function {
                let body = Dependent {
                    header: one.header.clone(),
                    body: function.body.clone(),
                    ..one.clone()
                };
                if names::names(self.dialect, &body, self.on(one, gone), gone) {
                    found.push((one, Some(function.name.clone())));
                }
            }
        }
        found
    }

    /// What a statement of the script leaves behind. Where statements are committed one by one, nothing may be left at
    /// any moment; otherwise only the end counts.
    #[must_use]
    pub fn left_by(mut self, script: &Script, from: usize, commits: Commits) -> Vec<Left> {
        let mut left = Vec::new();
        let mut gone: Vec<(usize, Gone)> = Vec::new();
        for (index, statement) in script.statements.iter().enumerate().skip(from) {
            self.apply(statement);
            gone.retain(|(_, gone)| {
                !statement
                    .objects()
                    .any(|object| gone.is_back(self.dialect, object))
            });
            // What the statement itself gives back is not gone: `RENAME TABLE t TO old, new TO t`.
            let now = statement.all_gone().filter(|gone| {
                !statement
                    .objects()
                    .any(|object| gone.is_back(self.dialect, object))
            });
            match commits {
                Commits::EachStatement => {
                    let later = script.statements.get(index + 1..).unwrap_or_default();
                    for gone in now {
                        let found = self.left(index, &gone).into_iter();
                        left.extend(
                            found.filter(|left| {
                                !self.is_put_aside(&left.dependent, statement, later)
                            }),
                        );
                    }
                }
                Commits::AtTheEnd => gone.extend(now.map(|gone| (index, gone))),
            }
        }
        for (index, gone) in &gone {
            left.extend(self.left(*index, gone));
        }
        left
    }

    /// A view that this statement has given a name that nobody knows, before a later one drops it: a table takes its place
    /// (`RENAME TABLE view TO aside, t TO view`).
    fn is_put_aside(&self, view: &Dependent, now: &Statement, later: &[Statement]) -> bool {
        let is_it = |name: &str| self.dialect.may_be_same_name(&view.name, name);
        let is_renamed = now.objects().any(|object| {
            object.verb == Verb::Rename && object.renamed_to.as_deref().is_some_and(is_it)
        });
        let mut dropped = later.iter().flat_map(Statement::objects);
        view.kind == ObjectKind::View
            && is_renamed
            && dropped.any(|object| {
                (object.kind, object.verb) == (ObjectKind::View, Verb::Drop) && is_it(&object.name)
            })
    }

    /// What names something that is gone since the statement at `index`.
    pub fn left(&self, index: usize, gone: &Gone) -> Vec<Left> {
        self.that_name(gone)
            .into_iter()
            .map(|(dependent, by)| Left {
                index,
                gone: gone.clone(),
                dependent: dependent.clone(),
                by,
            })
            .collect()
    }

    /// Whether a trigger is about the table of which something is gone.
    fn on(&self, one: &Dependent, gone: &Gone) -> bool {
        one.table.as_deref().is_some_and(|table| {
            self.dialect.may_be_same_name(table, &gone.table)
                && self
                    .dialect
                    .same_place(one.schema.as_deref(), gone.schema.as_deref())
        })
    }

    /// What the database itself sees to: it refuses, or it changes the text along.
    fn can_break(&self, one: &Dependent, gone: &Gone) -> bool {
        match (self.dialect, one.kind, gone.verb) {
            // Views and rules are tied to their columns; a CASCADE is another matter.
            (Dialect::Postgres, ObjectKind::View, _) => false,
            (Dialect::Postgres, _, _) if one.word == RULE => false,
            (Dialect::Sqlite, _, Verb::Rename) => false,
            _ => true,
        }
    }
}

/// When what a script does becomes visible to others.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Commits {
    AtTheEnd,
    EachStatement,
}

fn says(dialect: Dialect, text: &str, word: &str) -> bool {
    lexeme::tokens(dialect.grammar(), text)
        .is_ok_and(|tokens| tokens.iter().any(|token| token.is_word(text, word)))
}
