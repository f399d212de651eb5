//! What a migration script says: its statements, and what each does to code that is already running.
//!
//! Pure: text in, values out. Each database is one file that fills in a `Grammar`; what holds for all of
//! them (splitting into [`Statement`]s, what a script knows about its own tables, single queries) is here.
//!
//! Invariant: nothing that is not recognised is ever taken for [`Effect::Additive`].

mod checked;
mod context;
mod copied;
mod dependents;
mod facts;
mod instant;
mod lexeme;
mod mysql;
mod nulls;
mod postgres;
mod query;
mod reading;
mod reserved;
mod same;
mod sqlite;
mod words;

#[cfg(test)]
mod decided;
#[cfg(test)]
mod tests;

use std::ops::Range;

pub use copied::Copied;
pub use dependents::{
    Attached, Commits, DEFAULT, Dependent, Dependents, Gone, How, Inventory, Left, Lost, Met, RULE,
    Relation, RelationKind, Runs, Texts, Visible,
};
pub use facts::Ddl;
use facts::Grammar;
pub use query::{Key, Part, Ranged, backfill_statement, range_query, single_select};
pub use reading::ServerReading;
pub use reserved::names_ledger;

/// Statements of one script: each is looked at, recorded and perhaps committed on its own.
const MOST_STATEMENTS: usize = 200_000;

/// The database a script is written for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub enum Dialect {
    Sqlite,
    Postgres,
    /// MySQL and MariaDB.
    Mysql,
}

impl Dialect {
    pub const ALL: &[Dialect] = &[Dialect::Sqlite, Dialect::Postgres, Dialect::Mysql];

    /// The word for it in file names (`expand.postgres.sql`) and messages.
    pub fn name(self) -> &'static str {
        self.grammar().name
    }

    /// How people write it.
    pub fn title(self) -> &'static str {
        self.grammar().title
    }

    /// Whether two unquoted names mean the same object: SQLite ignores the case of ASCII letters.
    pub fn same_name(self, a: &str, b: &str) -> bool {
        (self.grammar().same_name)(a, b)
    }

    /// The registry of databases: one row each.
    fn grammar(self) -> &'static Grammar {
        match self {
            Dialect::Sqlite => &sqlite::GRAMMAR,
            Dialect::Postgres => &postgres::GRAMMAR,
            Dialect::Mysql => &mysql::GRAMMAR,
        }
    }
}

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
    /// Where they are; none where that cannot be told.
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

impl ScriptError {
    fn new(span: Range<usize>, message: impl Into<String>, help: impl Into<String>) -> Self {
        ScriptError {
            span,
            message: message.into(),
            help: help.into(),
        }
    }

    /// Moves a position within a statement to its place in the file.
    fn shifted(mut self, by: usize) -> Self {
        self.span = self.span.start + by..self.span.end + by;
        self
    }
}

impl Script {
    /// # Errors
    /// All mistakes found, in file order. A script without statements is not a mistake.
    pub fn parse(dialect: Dialect, text: &str) -> Result<Script, Vec<ScriptError>> {
        let grammar = dialect.grammar();
        let tokens = lexeme::tokens(grammar, text).map_err(|error| vec![error])?;
        let spans = (grammar.split)(text, &tokens);
        if let Some(beyond) = spans.get(MOST_STATEMENTS) {
            return Err(vec![ScriptError::new(
                beyond.clone(),
                format!(
                    "this script has {} statements, and {MOST_STATEMENTS} are the most that one may have",
                    spans.len()
                ),
                "write several rows in one INSERT, load the data by other means, or split the migration",
            )]);
        }
        let mut errors = Vec::new();
        let mode = match lexeme::mode(text, &spans) {
            Ok(mode) => mode,
            Err(error) => {
                errors.push(error);
                Mode::Transactional
            }
        };
        let mut facts = Vec::with_capacity(spans.len());
        for span in &spans {
            match lexeme::slice(text, span).map(|sql| grammar.facts(sql)) {
                Some(Ok(found)) => facts.push(found),
                Some(Err(error)) => errors.push(error.shifted(span.start)),
                None => {}
            }
        }
        if !errors.is_empty() {
            errors.sort_by_key(|error| error.span.start);
            return Err(errors);
        }
        let commits = grammar.ddl == Ddl::CommitsImplicitly
            && facts.iter().any(|facts| facts.needs_no_transaction);
        let mode = if commits { Mode::NoTransaction } else { mode };
        let contexts = context::in_context(dialect, mode, &facts);
        let (mut line, mut counted) = (1, 0);
        let statements = spans
            .into_iter()
            .zip(facts)
            .zip(contexts)
            .map(|((span, facts), context)| {
                line += lexeme::newlines(text, counted..span.start);
                counted = span.start;
                let mut objects = facts.objects.into_iter();
                Statement {
                    text: lexeme::slice(text, &span).unwrap_or_default().to_owned(),
                    span,
                    line,
                    effect: context.effect,
                    hazard: context.hazard,
                    loses: context.loses,
                    needs_no_transaction: facts.needs_no_transaction,
                    object: objects.next(),
                    more_objects: objects.collect(),
                }
            })
            .collect();
        Ok(Script {
            dialect,
            mode,
            statements,
        })
    }

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
