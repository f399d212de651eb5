//! What a database's grammar finds in one statement on its own, before the rest of the script is considered.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::token::{self, Token};
use super::{Ddl, Dialect, Effect, Losing, Loss, Object, ObjectKind, Place, ScriptError, Verb};

/// How one database's SQL is read. Spans are relative to the text given.
pub(super) struct Grammar {
    pub dialect: Dialect,
    pub ddl: Ddl,
    /// The tokens of a file, without space and comments.
    pub lex: fn(&str) -> Result<Vec<Token>, ScriptError>,
    /// Where the statements are.
    pub split: fn(&str, &[Token]) -> Vec<Range<usize>>,
    /// What one statement does.
    pub inspect: fn(&str) -> Result<Facts, ScriptError>,
    /// A name as the catalogue has it: without quotes, and folded as the database does; `None` where it cannot be read.
    pub identifier: fn(&str) -> Option<String>,
}

/// Deeper statements are parsed on a stack of their own.
pub(super) const SHALLOW: usize = 60;
/// Nobody writes this; a parser that recurses must not meet it.
const TOO_DEEP: usize = 5_000;
const DEEP_STACK_BYTES: usize = 64 << 20;

impl Grammar {
    /// [`Grammar::inspect`], made safe: a parser of someone else's that recurses too deeply or panics on
    /// some text must end as a message about that text.
    pub fn facts(&self, sql: &str) -> Result<Facts, ScriptError> {
        let depth = token::depth(&(self.lex)(sql)?);
        let inspect = || catch_unwind(AssertUnwindSafe(|| (self.inspect)(sql)));
        let outcome = if depth > TOO_DEEP {
            None
        } else if depth > SHALLOW {
            std::thread::scope(|scope| {
                std::thread::Builder::new()
                    .stack_size(DEEP_STACK_BYTES)
                    .spawn_scoped(scope, inspect)
                    .ok()
                    .and_then(|thread| thread.join().ok())
                    .and_then(Result::ok)
            })
        } else {
            inspect().ok()
        };
        outcome.unwrap_or_else(|| {
            Err(ScriptError::new(
                0..sql.len(),
                "this statement is too large or too deeply nested to be understood",
                "split it into smaller statements",
            ))
        })
    }
}

pub(super) struct Facts {
    pub effect: Effect,
    pub needs_no_transaction: bool,
    pub objects: Vec<Object>,
    /// Who could notice a destructive effect: users of these. Empty if that cannot be said.
    pub subjects: Vec<Subject>,
    /// The only columns that it writes, the index that it drops, or the triggers that it switches on, in place of
    /// `subjects`: who does not know them cannot notice.
    pub only_columns: Vec<Subject>,
    /// What it loses without a word, in whatever script it stands; completes "this statement …".
    pub hazard: Option<String>,
    /// What it asks of rows that old versions write, unless they leave columns NULL that the script itself has added.
    pub unless: Vec<Unless>,
    /// The columns that it adds and that old versions leave NULL.
    pub left_null: Vec<Subject>,
    /// The columns that it adds with a default by which each row gets a value that no other has.
    pub left_apart: Vec<Subject>,
    /// The columns whose default it sets to NULL.
    pub nulled: Vec<Subject>,
    /// The type that it makes, whose values old versions must not leave out: a domain that is NOT NULL.
    pub strict_type: Option<String>,
    /// The types of columns that it adds and that old versions leave NULL.
    pub types: Vec<String>,
    /// A function of the author's own that it runs for rows of its subjects, or has their writers run.
    pub runs: Option<String>,
    /// Names without a schema mean something else from here on.
    pub moves_names: bool,
    /// What becomes of rows that are there.
    pub loses: Option<Loss>,
    /// A drop that takes along what is not named.
    pub cascade: bool,
    /// A function that only triggers can call.
    pub trigger_function: bool,
    /// That it replaces a trigger that may be there, which only whoever made that one can know; completes "this
    /// statement …".
    pub replaces: Option<String>,
    /// How such a function may keep rows from being written.
    pub refusal: Option<Refusal>,
    /// The view whose rows a trigger takes over.
    pub instead_of: Option<Name>,
    /// The function that a trigger calls.
    pub calls: Option<Call>,
    /// A new table whose rows old code can reach through an existing one, or that has none of its own: a partition, a
    /// table that is a union of others or that shows those of a server.
    pub joins_existing: bool,
    /// The only relation whose rows a new view shows.
    pub shows: Option<Name>,
    /// Where a sequence goes on: nobody's business if the script itself has made it.
    pub sequence: Option<Name>,
    /// The first function that it calls and that is not known to only compute.
    pub strange: Option<String>,
    pub query: Query,
}

/// A condition on rows that holds where columns are NULL.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Unless {
    /// Completes "this statement …".
    pub why: String,
    pub needs: Needs,
    pub columns: Vec<Subject>,
}

/// How many of the columns have to be NULL for the row to pass.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Needs {
    /// Of a key, for which it is enough as well that no two rows have the same in one of them.
    Any,
    All,
}

/// An object as its users name it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Subject {
    pub kind: ObjectKind,
    pub schema: Option<String>,
    pub name: String,
}

/// How a trigger's function may keep rows from being written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Refusal {
    /// With an error.
    Raises,
    /// With the error of a function that comes to its end without RETURN.
    Ends,
    /// Without a word, where it is called before rows are written: it returns NULL.
    Drops,
}

/// A trigger's call of its function.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Call {
    pub function: String,
    /// Before each row is written, or in place of that.
    pub before_row: bool,
}

/// What a statement is as a query.
pub(super) enum Query {
    /// `problem`: why it does more than read.
    Select {
        problem: Option<String>,
    },
    Update,
    Insert {
        selects: bool,
        on_conflict: bool,
    },
    Other,
}

impl Facts {
    pub fn new(effect: Effect) -> Self {
        Facts {
            effect,
            needs_no_transaction: false,
            objects: Vec::new(),
            subjects: Vec::new(),
            only_columns: Vec::new(),
            hazard: None,
            unless: Vec::new(),
            left_null: Vec::new(),
            left_apart: Vec::new(),
            nulled: Vec::new(),
            strict_type: None,
            types: Vec::new(),
            runs: None,
            moves_names: false,
            loses: None,
            cascade: false,
            trigger_function: false,
            replaces: None,
            refusal: None,
            instead_of: None,
            calls: None,
            joins_existing: false,
            shows: None,
            sequence: None,
            strange: None,
            query: Query::Other,
        }
    }

    /// Where the rows are that it deletes or changes.
    pub fn losing(&self) -> Option<Losing> {
        let tables = self.subjects.iter().map(|subject| Place {
            schema: subject.schema.clone(),
            table: subject.name.clone(),
        });
        let columns = self.only_columns.iter().map(|column| {
            let name = column.name.split_once('.');
            name.map_or(&*column.name, |(_, name)| name).to_owned()
        });
        Some(Losing {
            loss: self.loses?,
            tables: tables.collect(),
            columns: columns.collect(),
        })
    }

    pub fn additive() -> Self {
        Facts::new(Effect::Additive)
    }

    pub fn destructive(why: impl Into<String>) -> Self {
        Facts::new(Effect::Destructive { why: why.into() })
    }

    pub fn session(what: impl Into<String>) -> Self {
        Facts::new(Effect::SessionSetting { what: what.into() })
    }

    pub fn transaction(what: impl Into<String>) -> Self {
        Facts::new(Effect::TransactionControl { what: what.into() })
    }

    pub fn unknown(why: impl Into<String>) -> Self {
        Facts::new(Effect::Unknown { why: why.into() })
    }

    pub fn object(mut self, object: Object) -> Self {
        self.objects.push(object);
        self
    }

    pub fn objects(mut self, objects: Vec<Object>) -> Self {
        self.objects.extend(objects);
        self
    }

    /// Only users of this object could notice.
    pub fn about(mut self, subject: Subject) -> Self {
        self.subjects.push(subject);
        self
    }

    pub fn outside_transaction(mut self, needed: bool) -> Self {
        self.needs_no_transaction |= needed;
        self
    }

    /// Rows that are there go, or get other values.
    pub fn loses(mut self, loss: Loss) -> Self {
        self.loses = Some(loss);
        self
    }

    /// Loses this without a word; the earliest that is said stands.
    pub fn hazard(mut self, what: Option<impl Into<String>>) -> Self {
        self.hazard = self.hazard.or_else(|| what.map(Into::into));
        self
    }

    /// An `OR REPLACE` of this trigger: the code that keeps rows in step becomes another.
    pub fn replacing(mut self, trigger: &str) -> Self {
        self.replaces = Some(format!(
            "replaces the trigger `{trigger}`, which may keep in step what live versions write"
        ));
        self
    }

    pub fn unless(mut self, unless: Unless) -> Self {
        self.unless.push(unless);
        self
    }

    pub fn query(mut self, query: Query) -> Self {
        self.query = query;
        self
    }
}

/// A name as written, without quotes and folded.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Name {
    pub schema: Option<String>,
    pub name: String,
}

impl Name {
    pub fn subject(&self, kind: ObjectKind) -> Subject {
        Subject {
            kind,
            schema: self.schema.clone(),
            name: self.name.clone(),
        }
    }

    /// A column of the table with this name.
    pub fn column(&self, name: &str) -> Subject {
        Subject {
            kind: ObjectKind::Column,
            schema: self.schema.clone(),
            name: format!("{}.{name}", self.name),
        }
    }

    /// A trigger of the table with this name.
    pub fn trigger(&self, name: &str) -> Subject {
        Subject {
            kind: ObjectKind::Trigger,
            ..self.column(name)
        }
    }

    pub fn object(&self, kind: ObjectKind, verb: Verb) -> Object {
        Object {
            kind,
            verb,
            schema: self.schema.clone(),
            name: self.name.clone(),
            table: None,
            renamed_to: None,
            concurrently: false,
            if_exists_or_not: false,
        }
    }

    /// Something that belongs to the table with this name.
    pub fn member(&self, kind: ObjectKind, verb: Verb, name: String) -> Object {
        Object {
            name,
            table: Some(self.name.clone()),
            ..self.object(kind, verb)
        }
    }
}

impl Object {
    pub(super) fn renamed_to(mut self, name: Option<String>) -> Self {
        self.renamed_to = name;
        self
    }

    pub(super) fn conditional(mut self, conditional: bool) -> Self {
        self.if_exists_or_not = conditional;
        self
    }

    pub(super) fn concurrently(mut self, concurrently: bool) -> Self {
        self.concurrently = concurrently;
        self
    }
}

/// How a new column meets the INSERTs of versions that do not name it.
#[derive(Default)]
pub(super) struct NewColumn {
    pub name: String,
    pub not_null: bool,
    pub primary_key: bool,
    pub unique: bool,
    /// `UNIQUE NULLS NOT DISTINCT`.
    pub nulls_collide: bool,
    pub has_default: bool,
    /// Its default gives each row a value that no other has.
    pub gives_out: bool,
    /// It numbers itself: identity, serial.
    pub numbered: bool,
    /// It is computed from other columns.
    pub generated: bool,
    pub references: bool,
    pub check: Check,
}

/// What the CHECKs of a new column say of rows that leave it out.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(super) enum Check {
    #[default]
    No,
    /// They let NULL pass, or the default, whichever it gets.
    Passes,
    /// They look at more than this column, or may refuse what it gets.
    Strict,
}

impl NewColumn {
    /// Whether INSERTs of old versions leave it NULL.
    pub fn is_left_null(&self) -> bool {
        !(self.not_null || self.primary_key || self.has_default || self.numbered || self.generated)
    }

    /// REFERENCES does not matter where old INSERTs leave NULL. That rows of new versions may then hold on to a
    /// parent is as true of a new table with a foreign key, and no table would ever be additive if that counted.
    /// A default is checked only against rows that are there when the column is added, and its parent may go; what is
    /// computed from the columns of old versions may be anything.
    pub fn effect(&self) -> Effect {
        let name = &self.name;
        let has_value = self.has_default || self.numbered || self.generated;
        let why = if (self.not_null || self.primary_key) && !has_value {
            format!(
                "adds `{name}` as NOT NULL without a default: INSERTs of old versions would fail"
            )
        } else if let Some(constraint) = self.constraint().filter(|_| self.generated) {
            format!(
                "adds `{name}` as {constraint}, and computes it from what old versions write, which may not satisfy that"
            )
        } else if (self.unique || self.primary_key)
            && !(self.numbered || self.gives_out)
            && (self.has_default || self.nulls_collide)
        {
            format!("adds `{name}` as UNIQUE: rows that old versions insert all get the same value")
        } else if self.check == Check::Strict {
            format!("adds `{name}` with a CHECK that rows of old versions may not satisfy")
        } else if self.references && has_value {
            format!(
                "adds `{name}` with a foreign key that its default may not satisfy: rows that old versions insert get it"
            )
        } else {
            return Effect::Additive;
        };
        Effect::Destructive { why }
    }

    fn constraint(&self) -> Option<&'static str> {
        if self.not_null {
            Some("NOT NULL")
        } else if self.unique || self.primary_key {
            Some("UNIQUE")
        } else if self.check != Check::No {
            Some("a column with a CHECK")
        } else if self.references {
            Some("a foreign key")
        } else {
            None
        }
    }
}
