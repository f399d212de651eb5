//! A value that code gives to a column.

use super::super::Dialect;
use super::super::lexeme::{self, Kind, Token};

/// An expression, as written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Value {
    pub text: String,
}

/// Words of an expression that are no names of columns or variables.
const GRAMMAR: &[&str] = &[
    "and", "as", "at", "between", "binary", "case", "cast", "collate", "distinct", "else", "end",
    "false", "from", "in", "interval", "is", "isnull", "like", "new", "not", "null", "old", "on",
    "or", "order", "select", "then", "time", "true", "when", "where", "zone",
];

/// What tells the time, or who is at work, without parentheses.
const SAYS: &[&str] = &[
    "current_date",
    "current_time",
    "current_timestamp",
    "current_user",
    "localtime",
    "localtimestamp",
    "session_user",
    "utc_timestamp",
    "user",
];

impl Value {
    fn tokens(&self, dialect: Dialect) -> Vec<Token> {
        lexeme::tokens(dialect.grammar(), &self.text).unwrap_or_default()
    }

    /// The columns and variables that stand in it.
    #[must_use]
    pub fn names(&self, dialect: Dialect) -> Vec<String> {
        self.named(dialect).map(|(name, _)| name).collect()
    }

    /// Those that stand there without a table or row before them: variables, in a body that has them.
    #[must_use]
    pub fn bare_names(&self, dialect: Dialect) -> Vec<String> {
        let bare = self.named(dialect).filter(|(_, is_bare)| *is_bare);
        bare.map(|(name, _)| name).collect()
    }

    /// Each name, and whether it stands alone.
    fn named(&self, dialect: Dialect) -> impl Iterator<Item = (String, bool)> {
        let tokens = self.tokens(dialect);
        let text = |at: usize| tokens.get(at).map_or("", |token| token.text(&self.text));
        let mut names = Vec::new();
        for (at, token) in tokens.iter().enumerate() {
            let is_name = match token.kind {
                Kind::QuotedName | Kind::Positional => true,
                Kind::Word => {
                    let word = token.text(&self.text).to_ascii_lowercase();
                    let is_call = text(at + 1) == "(";
                    let before = at.checked_sub(1).and_then(|before| tokens.get(before));
                    let is_type = before.is_some_and(|before| {
                        before.text(&self.text).ends_with(':') || before.is_word(&self.text, "as")
                    });
                    !(is_call
                        || is_type
                        || GRAMMAR.contains(&word.as_str())
                        || SAYS.contains(&word.as_str()))
                }
                _ => false,
            };
            if is_name {
                let is_bare = at == 0 || text(at - 1) != ".";
                let name = (dialect.grammar().identifier)(token.text(&self.text));
                names.extend(name.map(|name| (name, is_bare)));
            }
        }
        names.into_iter()
    }

    /// Whether it is the bare name of the column itself.
    #[must_use]
    pub fn is_just(&self, dialect: Dialect, column: &str) -> bool {
        self.tokens(dialect).len() == 1 && self.is_itself(dialect, column)
    }

    /// Whether it is the column's own value, as the statement wrote it.
    #[must_use]
    pub fn is_itself(&self, dialect: Dialect, column: &str) -> bool {
        let tokens = self.tokens(dialect);
        let is_it = |token: &Token| {
            (dialect.grammar().identifier)(token.text(&self.text))
                .is_some_and(|name| dialect.may_be_same_name(&name, column))
        };
        match tokens.as_slice() {
            [name] => is_it(name),
            [row, dot, name] => {
                !row.is_word(&self.text, "old") && dot.text(&self.text) == "." && is_it(name)
            }
            _ => false,
        }
    }

    /// Whether it is computed from nothing but the time, who is at work, and the column itself.
    #[must_use]
    pub fn is_of_the_moment(&self, dialect: Dialect, column: &str) -> bool {
        let tokens = self.tokens(dialect);
        let tells = tokens.iter().enumerate().any(|(at, token)| {
            let word = token.text(&self.text).to_ascii_lowercase();
            let is_call = tokens
                .get(at + 1)
                .is_some_and(|next| next.kind == Kind::Open);
            token.kind == Kind::Word && (is_call || SAYS.contains(&word.as_str()))
        });
        tells
            && self
                .names(dialect)
                .iter()
                .all(|name| dialect.may_be_same_name(name, column))
    }
}
