//! What is in a database: its relations, the code that it keeps as text, and what belongs to a table.
//!
//! The words alone, for whoever reads a catalogue; what a script does to all that is decided in `dependents`.

use super::{Dialect, Object, ObjectKind, Verb};

/// A trigger, a function or a view, with its text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Dependent {
    pub kind: ObjectKind,
    /// What it is called: `trigger`, `procedure`, `event`.
    pub word: &'static str,
    pub schema: Option<String>,
    pub name: String,
    /// The table that a trigger is about.
    pub table: Option<String>,
    /// What stands before the body: `UPDATE OF a ON t WHEN (NEW.a > 0)`.
    pub header: String,
    pub body: String,
    /// The function that a trigger calls.
    pub calls: Option<String>,
    /// Of a function of PostgreSQL: what tells it apart from others of its name.
    pub arguments: Option<String>,
    pub runs: Runs,
}

/// When the code of a dependent runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Runs {
    /// Whenever it is used.
    Used,
    /// A function that only triggers can call.
    ByTriggers,
    /// A trigger that is disabled, or that applications do not fire.
    Never,
    /// It is in another database of the same server, where a name alone is one of that database.
    Elsewhere,
}

/// The word of a column's default, which is code as well.
pub const DEFAULT: &str = "default";

/// The word of a rewrite rule, which does at a write what a trigger may do.
pub const RULE: &str = "rule";

/// All code that is known of, in one database.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Dependents {
    pub dialect: Dialect,
    /// How code of other databases on the same server calls this one, where there is such code.
    pub database: Option<String>,
    pub all: Vec<Dependent>,
}

impl Dependents {
    #[must_use]
    pub const fn new(dialect: Dialect) -> Self {
        Self {
            dialect,
            database: None,
            all: Vec::new(),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RelationKind {
    Table,
    View,
    Sequence,
    /// A type or a domain.
    Type,
}

/// A table or a view, with its columns.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Relation {
    pub kind: RelationKind,
    pub schema: Option<String>,
    pub name: String,
    pub columns: Vec<String>,
    /// What stays the same whatever it is called, where the catalogue tells.
    pub identity: Option<String>,
}

/// Tables and views, and the code about them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Inventory {
    pub code: Dependents,
    pub relations: Vec<Relation>,
    /// What the tables have besides.
    pub attached: Vec<Attached>,
    pub visible: Visible,
}

/// A table, or a column of one, that a script makes and that nobody has made before.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Made {
    /// As written; `None` leaves it to the search path.
    pub schema: Option<String>,
    pub table: String,
    /// `None` if it is the table.
    pub column: Option<String>,
}

impl Made {
    /// The table or the column that a statement is about.
    #[cfg(feature = "parse")]
    pub(super) fn of(object: &Object) -> Option<Self> {
        let (table, column) = match (object.kind, &object.table) {
            (ObjectKind::Table, _) => (object.name.clone(), None),
            (ObjectKind::Column, Some(table)) => (table.clone(), Some(object.name.clone())),
            _ => return None,
        };
        Some(Self {
            schema: object.schema.clone(),
            table,
            column,
        })
    }

    /// As what a statement makes.
    #[must_use]
    pub fn object(&self) -> Object {
        let (kind, name, table) = match &self.column {
            Some(column) => (ObjectKind::Column, column, Some(self.table.clone())),
            None => (ObjectKind::Table, &self.table, None),
        };
        Object {
            kind,
            verb: Verb::Create,
            schema: self.schema.clone(),
            name: name.clone(),
            table,
            renamed_to: None,
            concurrently: false,
            if_exists_or_not: false,
        }
    }

    /// In words.
    #[must_use]
    pub fn described(&self) -> String {
        match &self.column {
            Some(column) => format!("the column `{column}` of `{}`", self.table),
            None => format!("the table `{}`", self.table),
        }
    }
}

/// How much of the code the catalogue shows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Visible {
    All,
    /// What this role may see.
    Part,
}

/// Something that a table has.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Attached {
    pub schema: Option<String>,
    pub table: String,
    /// The name by which a script takes it away: of a role, a policy, a constraint, a sequence.
    pub name: String,
    /// In words: "the right SELECT of `app`".
    pub what: String,
    /// What else has to be the same: the text of a policy.
    pub detail: String,
    /// Of a sequence, how far it has come. One that has come further does as well.
    pub number: Option<i64>,
    /// Another table without which it is not missed.
    pub with: Option<String>,
    /// Columns, of the other table if there is one, without which it is not missed.
    pub columns: Vec<String>,
    /// The statement that makes it again.
    pub again: String,
}
