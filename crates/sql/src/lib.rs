//! What a migration script says: its statements, and what each does to code that is already running.
//!
//! Pure: text in, values out. Each database is one file that fills in a `Grammar`; what holds for all of
//! them (splitting into [`Statement`]s, what a script knows about its own tables, single queries) is here.
//!
//! Without the feature `parse` only the words are left: for an application that speaks to a database and reads no script.
//!
//! Invariant: nothing that is not recognised is ever taken for [`Effect::Additive`].

mod catalogue;
mod dialect;
mod ledger_database;
mod reading;
mod scheme;

#[cfg(feature = "parse")]
mod carried;
#[cfg(feature = "parse")]
mod checked;
#[cfg(feature = "parse")]
mod computed;
#[cfg(feature = "parse")]
mod context;
#[cfg(feature = "parse")]
mod copied;
#[cfg(feature = "parse")]
mod costs;
#[cfg(feature = "parse")]
mod counted;
#[cfg(feature = "parse")]
mod deeds;
#[cfg(feature = "parse")]
mod dependents;
#[cfg(feature = "parse")]
mod expression;
#[cfg(feature = "parse")]
mod facts;
#[cfg(feature = "parse")]
mod fills;
#[cfg(feature = "parse")]
mod flow;
#[cfg(feature = "parse")]
mod given_out;
#[cfg(feature = "parse")]
mod instant;
#[cfg(feature = "parse")]
mod joined;
#[cfg(feature = "parse")]
mod lexeme;
#[cfg(feature = "parse")]
mod made;
#[cfg(feature = "parse")]
mod mysql;
#[cfg(feature = "parse")]
mod narrowed;
#[cfg(feature = "parse")]
mod nulls;
#[cfg(feature = "parse")]
mod overwritten;
#[cfg(feature = "parse")]
mod parse;
#[cfg(feature = "parse")]
mod postgres;
#[cfg(feature = "parse")]
mod query;
#[cfg(feature = "parse")]
mod recorded;
#[cfg(feature = "parse")]
mod references;
#[cfg(feature = "parse")]
mod remembered;
#[cfg(feature = "parse")]
mod reserved;
#[cfg(feature = "parse")]
mod same;
#[cfg(feature = "parse")]
mod sent;
#[cfg(feature = "parse")]
mod sqlite;
#[cfg(feature = "parse")]
mod tables;
#[cfg(feature = "parse")]
mod taken;
#[cfg(feature = "parse")]
mod token;
#[cfg(feature = "parse")]
mod words;
#[cfg(feature = "parse")]
mod written;

#[cfg(all(test, feature = "parse"))]
mod decided;
#[cfg(all(test, feature = "parse"))]
mod tests;

use std::ops::Range;

pub use catalogue::{
    Attached, DEFAULT, Dependent, Dependents, Inventory, Made, RULE, Relation, RelationKind, Runs,
    Visible,
};
#[cfg(feature = "parse")]
pub use computed::{Around, Computed};
#[cfg(feature = "parse")]
pub use copied::{Copied, Taken};
#[cfg(feature = "parse")]
pub use costs::{
    Cost, DomainChecks, Known, NewKey, Release, Servers, Weight, Work, checks_of_domain,
    shows_not_null,
};
#[cfg(feature = "parse")]
pub use deeds::{
    Cast, Clash, Deed, Insert, Named, Outcome, Puts, PutsAs, PutsAt, Value, into_rows,
};
#[cfg(feature = "parse")]
pub use dependents::{
    Asked, Commits, Gone, How, Left, Lost, Met, Nowhere, Texts, UnknownColumn, Widened,
};
pub use dialect::{Ddl, Dialect};
#[cfg(feature = "parse")]
pub use expression::{columns_in, qualified, replaced};
#[cfg(feature = "parse")]
pub use fills::{Fills, Source};
pub use ledger_database::wrong_with_ledger;
#[cfg(feature = "parse")]
pub use made::Making;
#[cfg(feature = "parse")]
pub use narrowed::{Narrowed, Narrowing};
#[cfg(feature = "parse")]
pub use parse::statements;
#[cfg(feature = "parse")]
pub use query::{
    Key, Part, Ranged, alike_for_all, backfill_statement, range_query, single_select, strange_call,
};
pub use reading::ServerReading;
#[cfg(feature = "parse")]
pub use recorded::Recorded;
#[cfg(feature = "parse")]
pub use references::{Reference, Referential};
#[cfg(feature = "parse")]
pub use reserved::names_ledger;
pub use scheme::dialect_of_url;
#[cfg(feature = "parse")]
pub use sent::Sent;
#[cfg(feature = "parse")]
pub use sqlite::{Newer as NewerSqlite, newer as newer_sqlite};
#[cfg(feature = "parse")]
pub use tables::{
    Action, Asks, ConstraintRule, DefaultMet, Meets, SaidWith, Table, TableColumn, TableConstraint,
    TableIndex, TableTrigger, Tables, listed,
};
#[cfg(feature = "parse")]
pub use taken::Taking;
#[cfg(feature = "parse")]
pub use words::{altered_table, behind_schema};
#[cfg(feature = "parse")]
pub use written::Written;

/// How a script is to be run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// In one transaction.
    Transactional,
    /// Statement by statement: the first line is `-- migrate: no-transaction`, or one of them commits
    /// the transaction around it.
    NoTransaction,
}

/// A parsed script file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Script {
    pub dialect: Dialect,
    pub mode: Mode,
    pub statements: Vec<Statement>,
}

/// One statement of a script.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Statement {
    /// The statement alone: no final `;`, no comments before or after it.
    pub text: String,
    /// The bytes of the file that `text` is.
    pub span: Range<usize>,
    /// The line on which it starts, from 1.
    pub line: usize,
    pub effect: Effect,
    /// What it loses without a word, in whatever script it stands; completes the sentence "this statement …".
    pub hazard: Option<String>,
    /// What becomes of rows that its script has not made itself.
    pub loses: Option<Losing>,
    /// The database refuses this statement inside a transaction, or commits the transaction with it.
    pub needs_no_transaction: bool,
    /// What it creates, changes or drops, where that is recognisable; the first, if there are several.
    pub object: Option<Object>,
    /// The rest of them: `DROP TABLE a, b`, or an `ALTER TABLE` with several actions.
    pub more_objects: Vec<Object>,
}

impl Statement {
    /// Everything it creates, changes or drops.
    pub fn objects(&self) -> impl Iterator<Item = &Object> + Clone {
        self.object.iter().chain(&self.more_objects)
    }

    /// Whether anything that writes could tell that it has run. What is made beside (an index, a check) can be left there; a column that has
    /// another default or another definition cannot: a trigger takes the default of a new column for what a version wrote.
    #[must_use]
    pub fn is_noticed(&self) -> bool {
        let changes_a_column =
            |object: &Object| object.kind == ObjectKind::Column && object.verb == Verb::Alter;
        self.effect != Effect::Additive || self.objects().any(changes_a_column)
    }
}

/// A function that this database does not have, which the code of a trigger calls, where it looks them up only when somebody writes.
#[cfg(feature = "parse")]
#[must_use]
pub fn missing_function(dialect: Dialect, code: &str) -> Option<String> {
    match dialect {
        Dialect::Sqlite => sqlite::of_another_database(code),
        // They refuse the trigger, or what they know is not all that there is.
        Dialect::Postgres | Dialect::Mysql => None,
    }
}

/// What a statement does to application versions that do not know of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Effect {
    /// They cannot notice it.
    Additive,
    /// It writes rows.
    Data,
    /// It may break them; `why` completes the sentence "this statement …".
    Destructive { why: String },
    /// It would end or change the transaction that the tool holds.
    TransactionControl { what: String },
    /// It would outlive the transaction, in a session that others may get from a pool.
    SessionSetting { what: String },
    /// It cannot be told, so a human has to.
    Unknown { why: String },
}

/// What a statement does to rows that are there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Loss {
    /// They go.
    Rows,
    /// They get other values.
    Values,
}

/// Rows that were there before the script, and that a statement of it deletes or changes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Losing {
    pub loss: Loss,
    /// Where they are; empty if that cannot be told.
    pub tables: Vec<Place>,
    /// The columns that are written, where those are all.
    pub columns: Vec<String>,
}

/// A table as a statement names it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Place {
    pub schema: Option<String>,
    pub table: String,
}

impl Place {
    /// As `[change]` names it.
    #[must_use]
    pub fn named(name: &str) -> Self {
        let (schema, table) = match name.rsplit_once('.') {
            Some((schema, table)) => (Some(schema.to_owned()), table),
            None => (None, name),
        };
        Self {
            schema,
            table: table.to_owned(),
        }
    }

    /// Whether both may name one table: one that names no schema may be in any.
    #[must_use]
    pub fn may_be(&self, other: &Self, dialect: Dialect) -> bool {
        self.may_lie_beside(other, dialect) && dialect.may_be_same_name(&self.table, &other.table)
    }

    /// Whether both may be in one schema.
    #[must_use]
    pub fn may_lie_beside(&self, other: &Self, dialect: Dialect) -> bool {
        match (&self.schema, &other.schema) {
            (Some(one), Some(other)) => dialect.may_be_same_name(one, other),
            _ => true,
        }
    }
}

/// Something in the catalogue.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Object {
    pub kind: ObjectKind,
    pub verb: Verb,
    /// As written; `None` leaves it to the search path. Of a column, constraint, trigger or new index: its table's.
    pub schema: Option<String>,
    /// Without quotes. Folded as PostgreSQL folds it; as written on SQLite, which compares without case.
    pub name: String,
    /// The table of a column, constraint, index or trigger, where the statement names it.
    pub table: Option<String>,
    pub renamed_to: Option<String>,
    /// Built or dropped with `CONCURRENTLY`.
    pub concurrently: bool,
    /// `IF EXISTS`, `IF NOT EXISTS` or `OR REPLACE`.
    pub if_exists_or_not: bool,
}

impl Object {
    /// What it is called from this statement on, where that makes it or gives it another name.
    #[must_use]
    pub fn given_name(&self) -> Option<&str> {
        match self.verb {
            Verb::Create => Some(&self.name),
            Verb::Rename => self.renamed_to.as_deref(),
            Verb::Drop | Verb::Alter => None,
        }
    }

    /// The table that it is, or that it is of; `None` where the statement names none.
    #[must_use]
    pub fn place(&self) -> Option<Place> {
        let table = match self.kind {
            ObjectKind::Table | ObjectKind::View | ObjectKind::MaterializedView => &self.name,
            _ => self.table.as_ref()?,
        };
        Some(Place {
            schema: self.schema.clone(),
            table: table.clone(),
        })
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum ObjectKind {
    Table,
    Index,
    View,
    MaterializedView,
    Trigger,
    /// Functions, procedures and aggregates.
    Function,
    /// Types and domains.
    Type,
    Column,
    Constraint,
    Sequence,
    Schema,
    Extension,
    Policy,
    Database,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Verb {
    Create,
    Drop,
    Alter,
    Rename,
}

/// What is wrong with a script, where, and what to write instead.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{message}")]
pub struct ScriptError {
    pub span: Range<usize>,
    pub message: String,
    pub help: String,
}

impl Script {
    /// Every table that a `DROP TABLE` names.
    pub fn dropped_tables(&self) -> impl Iterator<Item = &Object> {
        self.objects()
            .filter(|object| object.kind == ObjectKind::Table && object.verb == Verb::Drop)
    }

    /// Whether a `DROP` names this object itself; that its table goes is not meant.
    pub fn explicitly_drops(&self, kind: ObjectKind, name: &str) -> bool {
        self.objects().any(|object| {
            object.kind == kind
                && object.verb == Verb::Drop
                && self.dialect.same_name(&object.name, name)
        })
    }

    fn objects(&self) -> impl Iterator<Item = &Object> {
        self.statements.iter().flat_map(Statement::objects)
    }
}
