//! Texts that a server reads otherwise than they are read here, by how it is set.
//!
//! Invariant: what is not found here means the same however the server is set.

#[cfg(feature = "parse")]
use super::lexeme::{self, Kind, Token};
#[cfg(feature = "parse")]
use super::{Dialect, postgres};

/// How a server is set to read texts, where that is not how they are read here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ServerReading {
    /// `ANSI_QUOTES`: what stands in double quotes is a name.
    QuotedNames,
    /// `NO_BACKSLASH_ESCAPES`: a backslash is one.
    PlainBackslash,
    /// `standard_conforming_strings = off`: a backslash begins an escape in every text.
    EscapingBackslash,
}

#[cfg(feature = "parse")]
impl ServerReading {
    /// What of `text` this server reads otherwise; `None` if it is the same to it.
    #[must_use]
    pub fn differs(self, dialect: Dialect, text: &str) -> Option<&str> {
        let Ok(tokens) = lexeme::tokens(dialect.grammar(), text) else {
            return Some(text);
        };
        let differs = |token: &&Token| {
            let written = token.text(text);
            let is_literal = token.kind == Kind::Literal;
            // What stands in a comment that the server runs is not taken apart.
            let is_run = token.kind == Kind::Other && written.starts_with("/*");
            match self {
                Self::QuotedNames => {
                    is_literal && written.starts_with('"') || is_run && written.contains('"')
                }
                Self::PlainBackslash => (is_literal || is_run) && written.contains('\\'),
                Self::EscapingBackslash => {
                    is_literal && written.starts_with('\'') && written.contains('\\')
                }
            }
        };
        if let Some(token) = tokens.iter().find(differs) {
            return Some(token.text(text));
        }
        // The body of a function is a text in which the same holds.
        let mut bodies = tokens.iter().filter(|token| {
            dialect == Dialect::Postgres
                && token.kind == Kind::Literal
                && token.text(text).starts_with('$')
        });
        bodies.find_map(|token| {
            let body = postgres::unquoted(token.text(text))?;
            self.differs(dialect, &body)
                .is_some()
                .then(|| token.text(text))
        })
    }
}

impl ServerReading {
    /// The setting by which the server reads them so.
    #[must_use]
    pub const fn setting(self) -> &'static str {
        match self {
            Self::QuotedNames => "sql_mode = ANSI_QUOTES",
            Self::PlainBackslash => "sql_mode = NO_BACKSLASH_ESCAPES",
            Self::EscapingBackslash => "standard_conforming_strings = off",
        }
    }

    /// What to write instead, which means the same everywhere.
    #[must_use]
    pub const fn instead(self) -> &'static str {
        match self {
            Self::QuotedNames => "write 'text' for a text and `name` for a name",
            Self::PlainBackslash => {
                "write the character by its number, such as CHAR(92) for a backslash"
            }
            Self::EscapingBackslash => {
                "write E'…' with a backslash for each escape, and two for one"
            }
        }
    }
}

#[cfg(all(test, feature = "parse"))]
mod tests {
    use super::*;

    #[test]
    fn texts_that_depend_on_how_the_server_is_set() {
        use Dialect::{Mysql, Postgres};
        use ServerReading::{EscapingBackslash, PlainBackslash, QuotedNames};
        for (dialect, reading, text, differs) in [
            (Mysql, QuotedNames, "UPDATE t SET a = \"x\"", Some("\"x\"")),
            (
                Mysql,
                QuotedNames,
                "UPDATE t SET a = 'say \"x\"' -- \"\n",
                None,
            ),
            (
                Mysql,
                QuotedNames,
                "SELECT 1 /*!50100 + \"1\" */",
                Some("/*!50100 + \"1\" */"),
            ),
            (
                Mysql,
                PlainBackslash,
                "UPDATE t SET a = 'a\\\\b'",
                Some("'a\\\\b'"),
            ),
            (Mysql, PlainBackslash, "UPDATE `a\\b` SET a = 'it''s'", None),
            (
                Postgres,
                EscapingBackslash,
                "UPDATE t SET a = 'a\\b'",
                Some("'a\\b'"),
            ),
            (
                Postgres,
                EscapingBackslash,
                "UPDATE t SET a = E'a\\b', c = \"d\\e\"",
                None,
            ),
            (
                Postgres,
                EscapingBackslash,
                "CREATE FUNCTION f() RETURNS text LANGUAGE sql AS $$ SELECT 'a\\d' $$",
                Some("$$ SELECT 'a\\d' $$"),
            ),
        ] {
            assert_eq!(reading.differs(dialect, text), differs, "{text}");
        }
    }
}
