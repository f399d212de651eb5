//! What can be told of a text by its words alone.

use super::lexeme::{self, Kind, Token};
use super::{Dialect, ObjectKind, Statement, Verb};

/// Between INSERT, or REPLACE, and INTO.
pub(super) const MODIFIERS: &[&str] = &[
    "or",
    "ignore",
    "replace",
    "abort",
    "fail",
    "rollback",
    "low_priority",
    "high_priority",
    "delayed",
];

impl Dialect {
    /// Whether `sql` has this name in it, as a name of anything, be it in a body that is a text.
    #[must_use]
    pub fn mentions(self, sql: &str, name: &str) -> bool {
        let Ok(tokens) = lexeme::tokens(self.grammar(), sql) else {
            // What cannot be read is searched as it is.
            return sql.to_lowercase().contains(&name.to_lowercase());
        };
        tokens.iter().any(|token| match token.kind {
            Kind::Word | Kind::QuotedName => {
                let found = (self.grammar().identifier)(token.text(sql));
                found.is_some_and(|found| self.may_be_same_name(&found, name))
            }
            Kind::Literal => token
                .text(sql)
                .to_lowercase()
                .contains(&name.to_lowercase()),
            _ => false,
        })
    }

    /// All tokens of a text, names without their quotes, in small letters.
    #[must_use]
    pub fn words(self, text: &str) -> Vec<String> {
        let word = |token: &Token| {
            let written = token.text(text);
            let name = match token.kind {
                Kind::Word | Kind::QuotedName => (self.grammar().identifier)(written),
                _ => None,
            };
            name.unwrap_or_else(|| written.to_owned()).to_lowercase()
        };
        let tokens = lexeme::tokens(self.grammar(), text).unwrap_or_default();
        tokens.iter().map(word).collect()
    }

    /// As [`Self::mentions`], but for a text that is a value: only bodies of code count.
    #[must_use]
    pub fn names(self, sql: &str, name: &str) -> bool {
        let Ok(tokens) = lexeme::tokens(self.grammar(), sql) else {
            return self.mentions(sql, name);
        };
        let is_code = tokens
            .first()
            .is_some_and(|first| first.is_word(sql, "create") || first.is_word(sql, "do"));
        tokens.iter().any(|token| {
            let text = token.text(sql);
            match token.kind {
                Kind::Literal if is_code || text.starts_with('$') => {
                    text.to_lowercase().contains(&name.to_lowercase())
                }
                Kind::Word | Kind::QuotedName => {
                    let found = (self.grammar().identifier)(text);
                    found.is_some_and(|found| self.may_be_same_name(&found, name))
                }
                _ => false,
            }
        })
    }

    /// A name as a statement has to write it: in quotes where it would be read as another one without.
    #[must_use]
    pub fn quoted(self, name: &str) -> String {
        let is_plain = !name.starts_with(|c: char| c.is_ascii_digit())
            && name.chars().all(|c| {
                let is_kept = match self {
                    Dialect::Postgres => c.is_ascii_lowercase(),
                    Dialect::Sqlite | Dialect::Mysql => c.is_ascii_alphabetic(),
                };
                is_kept || c.is_ascii_digit() || c == '_'
            });
        match self {
            _ if is_plain => name.to_owned(),
            Dialect::Mysql => format!("`{}`", name.replace('`', "``")),
            Dialect::Postgres | Dialect::Sqlite => format!("\"{}\"", name.replace('"', "\"\"")),
        }
    }

    /// Whether it writes rows to this table.
    #[must_use]
    pub fn writes_to(self, sql: &str, table: &str) -> bool {
        self.filled(sql)
            .is_some_and(|(written, _)| self.may_be_same_name(&written, table))
    }

    /// Whether it takes over every column that another table has: `SELECT *`, `LIKE t`.
    #[must_use]
    pub fn copies_all(self, sql: &str) -> bool {
        let Ok(tokens) = lexeme::tokens(self.grammar(), sql) else {
            return true;
        };
        tokens.iter().any(|token| token.is_word(sql, "like"))
            || tokens.windows(2).any(|pair| match pair {
                [before, all] => {
                    all.text(sql) == "*"
                        && (before.is_word(sql, "select") || matches!(before.text(sql), "." | ","))
                }
                _ => false,
            })
    }

    /// The table that a statement over a range of keys writes to, and the columns that it fills where it is an UPDATE.
    #[must_use]
    pub fn filled(self, sql: &str) -> Option<(String, Vec<String>)> {
        let grammar = self.grammar();
        let tokens = lexeme::tokens(grammar, sql).ok()?;
        // `FOR UPDATE` in a query before it, and `ON CONFLICT DO UPDATE`.
        let is_part = |at: usize| {
            let before = at.checked_sub(1).and_then(|before| tokens.get(before));
            before.is_some_and(|word| {
                ["for", "do", "key", "no"]
                    .iter()
                    .any(|part| word.is_word(sql, part))
            })
        };
        let verb = (0..tokens.len()).find(|at| {
            let is = |word: &str| {
                tokens
                    .get(*at)
                    .is_some_and(|token| token.is_word(sql, word))
            };
            is("into") || is("update") && !is_part(*at)
        })?;
        let mut at = verb + 1;
        while tokens
            .get(at)
            .is_some_and(|token| token.is_word(sql, "only"))
        {
            at += 1;
        }
        while tokens.get(at + 1).is_some_and(|next| next.text(sql) == ".") {
            at += 2;
        }
        let table = (grammar.identifier)(tokens.get(at)?.text(sql))?;
        let is_update = tokens.get(verb)?.is_word(sql, "update");
        let columns = lexeme::assigned(sql, &tokens).filter(|_| is_update);
        let columns = columns.unwrap_or_default().into_iter();
        let columns = columns.filter(|column| !lexeme::assigns_itself(sql, &tokens, column));
        Some((table, columns.filter_map(grammar.identifier).collect()))
    }
}

/// The text of these tokens, in which calls of functions that are known only compute, and a parameter is a number.
pub(super) fn without_calls(
    text: &str,
    tokens: &[Token],
    is_known: impl Fn(usize) -> bool,
) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut last: Option<usize> = None;
    let mut whole_name = 0;
    for (at, token) in tokens.iter().enumerate() {
        if last.is_some_and(|last| last < token.span.start) {
            plain.push(' ');
        }
        let is_point = |token: Option<&Token>| token.is_some_and(|token| token.text(text) == ".");
        let before = at.checked_sub(1).and_then(|before| tokens.get(before));
        if !is_point(Some(token)) && !is_point(before) {
            whole_name = plain.len();
        }
        last = Some(token.span.end);
        let is_name = matches!(token.kind, Kind::Word | Kind::QuotedName);
        let is_call = is_name
            && tokens
                .get(at + 1)
                .is_some_and(|next| next.text(text) == "(");
        if token.kind == Kind::Parameter {
            plain.push('1');
        } else if is_call && is_known(at) {
            // Its schema goes with it.
            if is_point(before) {
                plain.truncate(whole_name);
            }
            plain.push_str("concat");
        } else {
            plain.push_str(token.text(text));
        }
    }
    plain
}

/// Where the table stands in the words of an `ALTER TABLE`, behind its schema; `None` of any other statement.
#[must_use]
pub fn altered_table(words: &[String]) -> Option<usize> {
    let is_one = words.iter().take(2).eq(["alter", "table"]);
    let rest = words.get(2..).filter(|_| is_one)?.iter();
    let skipped = rest.take_while(|word| matches!(word.as_str(), "if" | "exists" | "only"));
    let at = behind_schema(words, 2 + skipped.count());
    (at < words.len()).then_some(at)
}

/// Where the last part of the name stands that begins here.
#[must_use]
pub fn behind_schema(words: &[String], mut at: usize) -> usize {
    while words.get(at + 1).is_some_and(|dot| dot == ".") {
        at += 2;
    }
    at
}

impl Statement {
    /// The table that it makes for as long as the session or the transaction.
    #[must_use]
    pub fn temporary_table(&self, dialect: Dialect) -> Option<&str> {
        let made = self
            .objects()
            .find(|object| object.kind == ObjectKind::Table && object.verb == Verb::Create)?;
        let tokens = self.tokens(dialect);
        let says = tokens.iter().take(3).any(|token| {
            token.is_word(&self.text, "temp") || token.is_word(&self.text, "temporary")
        });
        let is_there = made
            .schema
            .as_deref()
            .is_some_and(|schema| schema.starts_with("pg_temp"));
        (says || is_there).then_some(made.name.as_str())
    }

    /// The value that `ALTER TYPE … ADD VALUE` adds, as written.
    #[must_use]
    pub fn added_value(&self) -> Option<&str> {
        let tokens = self.tokens(Dialect::Postgres);
        let text = &self.text;
        let word = |at: usize, word: &str| {
            tokens
                .get(at)
                .is_some_and(|token| token.is_word(text, word))
        };
        let add = (0..tokens.len()).find(|at| word(*at, "add") && word(at + 1, "value"))?;
        if !(word(0, "alter") && word(1, "type")) {
            return None;
        }
        let value = tokens.get(add..)?.iter();
        let value = value
            .into_iter()
            .find(|token| token.kind == Kind::Literal)?;
        text.get(value.span.clone())
    }

    /// Whether this very value stands in it.
    #[must_use]
    pub fn has_value(&self, value: &str) -> bool {
        self.tokens(Dialect::Postgres)
            .iter()
            .any(|token| token.kind == Kind::Literal && token.text(&self.text) == value)
    }

    /// Whether this is its first word.
    pub(super) fn begins_with(&self, word: &str) -> bool {
        let first = self.text.get(..word.len());
        first.is_some_and(|first| first.eq_ignore_ascii_case(word))
    }

    /// Its words and signs as the database reads them, in lower case.
    #[must_use]
    pub fn words(&self, dialect: Dialect) -> Vec<String> {
        dialect.words(&self.text)
    }

    /// Whether it takes the place of what is there (`CREATE OR REPLACE`), where others make nothing (IF NOT EXISTS).
    #[must_use]
    pub fn says_or_replace(&self, dialect: Dialect) -> bool {
        let tokens = self.tokens(dialect);
        let mut words = tokens.iter().skip(1);
        let mut is = |word: &str| {
            words
                .next()
                .is_some_and(|token| token.is_word(&self.text, word))
        };
        is("or") && is("replace")
    }

    pub(super) fn tokens(&self, dialect: Dialect) -> Vec<Token> {
        lexeme::tokens(dialect.grammar(), &self.text).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_function_goes_with_all_of_its_name() {
        let dialect = Dialect::Postgres;
        for (text, expected) in [
            ("a := \"App S\".norm(b)", "a := concat(b)"),
            ("a := app.norm(b)", "a := concat(b)"),
            ("a := \"the app\" . norm(b)", "a := concat(b)"),
            (
                "a := norm(b) || \"App S\".other(c)",
                "a := concat(b) || \"App S\".other(c)",
            ),
        ] {
            let tokens = lexeme::tokens(dialect.grammar(), text).unwrap();
            let is_known = |at: usize| {
                tokens
                    .get(at)
                    .is_some_and(|token| token.is_word(text, "norm"))
            };
            assert_eq!(without_calls(text, &tokens, is_known), expected, "{text}");
        }
    }
}
