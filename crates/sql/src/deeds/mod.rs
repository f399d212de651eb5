//! What the code of a trigger does to rows, statement by statement.
//!
//! Invariant: a statement of a body is judged as one of a script is, and what cannot be read is told as such; nothing is
//! passed over but what only steers (IF, LOOP, RAISE).

mod around;
mod casts;
mod given;
mod insert;
mod paths;
mod puts;
mod read;
mod row;
mod statement;
mod told;
mod value;

pub use around::Named;
pub use casts::Cast;
pub use given::Outcome;
pub use insert::{Clash, Insert};
pub use puts::{Puts, PutsAs, PutsAt, into_rows};
pub use value::Value;

use super::catalogue::{Dependent, Dependents, Runs};
use super::lexeme::{self, Kind};
use super::{Dialect, ObjectKind, Place};

/// One thing that a body does.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Deed {
    /// The row that is being written gets another value in this column.
    Assigns { column: String, value: Value },
    /// The row that is being written becomes another one as a whole; completes "its code …".
    Replaces { why: String },
    /// A column of rows that are there gets another value.
    Updates {
        place: Place,
        column: String,
        value: Value,
    },
    /// Rows come.
    Inserts(Insert),
    /// Rows that are there get other values, in columns that cannot be told.
    Changes { place: Option<Place> },
    /// Rows go.
    Deletes { place: Option<Place> },
    /// It sends a notice: what stands in it, with what its variables are given.
    Tells { payload: Value },
    /// Writes that fire it fail, or spoil rows; completes "its code …".
    Breaks { why: String },
    /// It calls a function that is none of the database's own, and whose code is not known.
    Calls { function: String },
    /// It cannot be told, or is more than writing rows; completes "its code …".
    Unknown { why: String },
}

impl Deed {
    /// What it does, in words that complete "its code …".
    #[must_use]
    pub fn sentence(&self) -> String {
        let of = |place: Option<&Place>| {
            place.map_or_else(String::new, |place| format!(" of `{}`", place.table))
        };
        match self {
            Self::Assigns { column, .. } => format!("writes the column `{column}`"),
            Self::Updates { place, column, .. } => {
                format!("writes the column `{column}` of `{}`", place.table)
            }
            Self::Inserts(insert) => format!("puts rows into `{}`", insert.place.table),
            Self::Changes { place } => format!("changes rows{}", of(place.as_ref())),
            Self::Deletes { place } => format!("deletes rows{}", of(place.as_ref())),
            Self::Tells { payload } => format!("sends a notice (`{}`)", payload.text),
            Self::Calls { function } => format!("calls `{function}`, which is in no file here"),
            Self::Replaces { why } | Self::Breaks { why } | Self::Unknown { why } => why.clone(),
        }
    }
}

/// A function whose code is looked at where it is called.
struct Own {
    name: String,
    /// Whether it may give a value to what it is called with (OUT, INOUT).
    gives: bool,
}

impl Own {
    fn of(dialect: Dialect, known: &Dependent) -> Self {
        let grammar = dialect.grammar();
        let gives = |text: &str| {
            let tokens = lexeme::tokens(grammar, text).unwrap_or_default();
            let close = tokens.iter().position(|token| token.kind == Kind::Close);
            let head = tokens.get(..close.unwrap_or(tokens.len()));
            head.is_some_and(|head| {
                head.iter()
                    .any(|token| token.is_word(text, "out") || token.is_word(text, "inout"))
            })
        };
        Self {
            name: known.name.clone(),
            gives: gives(&known.header) || dialect == Dialect::Mysql && gives(&known.body),
        }
    }
}

/// What fires the code.
#[derive(Clone, Copy)]
struct Fires<'t> {
    /// The table of the trigger.
    table: Option<&'t str>,
    header: &'t str,
}

/// What fires a trigger for one row.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Write {
    Insert,
    Update,
    Delete,
}

impl Write {
    const ALL: [Self; 3] = [Self::Insert, Self::Update, Self::Delete];

    const fn word(self) -> &'static str {
        match self {
            Self::Insert => "insert",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }
}

/// By the place of each RETURN, the writes that come to it; `None` where that cannot be followed.
type Returns = Option<std::collections::BTreeMap<usize, Vec<Write>>>;

/// One text that runs.
#[derive(Clone, Copy)]
struct Body<'t> {
    text: &'t str,
    /// Whether what it returns is the row that is written.
    returns_row: bool,
    fires: Fires<'t>,
}

impl Dependents {
    /// What the code does that runs by this trigger or function: its own, and that of the functions that it reaches.
    #[must_use]
    pub fn deeds(&self, one: &Dependent) -> Vec<Deed> {
        let dialect = self.dialect;
        let (texts, unknown) = self.code_of(one);
        let own: Vec<Own> = self
            .all
            .iter()
            .filter(|known| known.kind == ObjectKind::Function)
            .map(|known| Own::of(dialect, known))
            .collect();
        let fires = Fires {
            table: one.table.as_deref(),
            header: &one.header,
        };
        let mut deeds: Vec<Deed> = unknown
            .into_iter()
            .map(|function| Deed::Calls { function })
            .collect();
        for code in texts {
            // Of the trigger itself, and of the function that it is made with, the statement that makes it tells.
            let is_called = one.kind == ObjectKind::Trigger
                && code.kind == ObjectKind::Function
                && !one
                    .calls
                    .as_deref()
                    .is_some_and(|calls| dialect.may_be_same_name(calls, &code.name));
            if is_called && raises(dialect, &code.body) {
                deeds.push(Deed::Breaks {
                    why: format!("calls `{}`, which may refuse what is written", code.name),
                });
            }
            let body = Body {
                text: &code.body,
                returns_row: code.runs == Runs::ByTriggers,
                fires,
            };
            for deed in read::deeds(dialect, body, &own) {
                if !deeds.contains(&deed) {
                    deeds.push(deed);
                }
            }
        }
        deeds
    }

    /// All texts of the code that runs by it.
    #[must_use]
    pub fn texts_of<'s>(&'s self, one: &'s Dependent) -> Vec<&'s str> {
        let (texts, _) = self.code_of(one);
        texts.into_iter().map(|code| code.body.as_str()).collect()
    }

    /// Whether the code that runs by it names one of these, or a local variable may stand for it.
    #[must_use]
    pub fn code_names(&self, one: &Dependent, names: &[&str]) -> bool {
        let (texts, _) = self.code_of(one);
        texts.iter().any(|code| {
            let mut names = names.iter();
            names.any(|name| has_name(self.dialect, &code.body, name))
        })
    }

    /// The texts that run, and the function that a trigger calls where its text is not known.
    fn code_of<'s>(&'s self, one: &'s Dependent) -> (Vec<&'s Dependent>, Option<String>) {
        let mut found: Vec<&Dependent> = vec![self.find(one)];
        let mut unknown = None;
        if let Some(calls) = &one.calls {
            let called = self.all.iter().find(|known| {
                known.kind == ObjectKind::Function
                    && self.dialect.may_be_same_name(&known.name, calls)
            });
            match called {
                Some(function) => found.push(function),
                None => unknown = Some(calls.clone()),
            }
        }
        let mut at = 0;
        while let Some(next) = found.get(at).copied() {
            at += 1;
            for reached in self.named_in(&next.body) {
                if !found.iter().any(|known| std::ptr::eq(*known, reached)) {
                    found.push(reached);
                }
            }
        }
        (found, unknown)
    }

    fn find<'s>(&'s self, one: &'s Dependent) -> &'s Dependent {
        self.all.iter().find(|known| *known == one).unwrap_or(one)
    }
}

impl Dependent {
    /// Whether its own code ends what fires it with an error, or passes over the row.
    #[must_use]
    pub fn ends_writes(&self, dialect: Dialect) -> bool {
        raises(dialect, &self.body)
    }
}

/// Whether the text has a statement in it that ends with an error.
fn raises(dialect: Dialect, text: &str) -> bool {
    const HARMLESS: &[&str] = &["notice", "warning", "info", "log", "debug"];
    let tokens = lexeme::tokens(dialect.grammar(), text).unwrap_or_default();
    let begins = |at: Option<usize>| {
        let before = at.and_then(|before| tokens.get(before));
        before.is_none_or(|before| {
            let words = ["begin", "then", "else", "loop", "do"];
            before.kind == Kind::Semicolon || words.iter().any(|word| before.is_word(text, word))
        })
    };
    tokens.iter().enumerate().any(|(at, token)| {
        let is = |words: &[&str]| words.iter().any(|word| token.is_word(text, word));
        let level = tokens.get(at + 1);
        let is_harmless =
            level.is_some_and(|level| HARMLESS.iter().any(|word| level.is_word(text, word)));
        match dialect {
            Dialect::Postgres => {
                is(&["raise"]) && !is_harmless || is(&["assert"]) && begins(at.checked_sub(1))
            }
            Dialect::Mysql => is(&["signal", "resignal"]),
            Dialect::Sqlite => is(&["raise"]),
        }
    })
}

impl Dialect {
    /// Whether the code of its triggers has variables.
    #[must_use]
    pub const fn has_variables(self) -> bool {
        !matches!(self, Dialect::Sqlite)
    }
}

fn has_name(dialect: Dialect, text: &str, name: &str) -> bool {
    let grammar = dialect.grammar();
    let Ok(tokens) = lexeme::tokens(grammar, text) else {
        return true;
    };
    tokens.iter().any(|token| {
        matches!(token.kind, Kind::Word | Kind::QuotedName)
            && (grammar.identifier)(token.text(text))
                .is_some_and(|found| dialect.may_be_same_name(&found, name))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Script;

    /// What a trigger does that is fired so and whose function of PL/pgSQL has this body.
    pub(super) fn of_plpgsql(fires: &str, body: &str) -> Vec<Deed> {
        let text = format!(
            "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $f$ {body} $f$;\n\
             CREATE TRIGGER g {fires} ON users FOR EACH ROW EXECUTE FUNCTION f();\n"
        );
        let script = Script::parse(Dialect::Postgres, &text).unwrap();
        let made = Dependents::made_by(&script);
        let trigger = made.all.iter().find(|one| one.kind == ObjectKind::Trigger);
        made.deeds(trigger.unwrap())
    }
}
