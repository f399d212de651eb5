//! The statements of an application, as somebody has recorded them: from the server's log, or from what its tests send.

use std::collections::BTreeSet;

use super::lexeme::{self, Kind};
use super::{Dialect, ScriptError};

/// What is in such a recording.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recorded {
    /// Statements that read or write rows, each once, in their order.
    pub statements: Vec<String>,
    /// How many have a placeholder in place of a value, so that nobody can run them as they are.
    pub with_placeholders: usize,
    /// How many do something else: begin and end transactions, set what belongs to the session, change the schema.
    pub others: usize,
}

/// With what a statement begins that reads or writes rows.
const OF_ROWS: &[&str] = &[
    "select", "insert", "update", "delete", "replace", "merge", "with", "values",
];

impl Recorded {
    /// # Errors
    /// A text that ends within a quotation or a comment.
    pub fn read(dialect: Dialect, text: &str) -> Result<Self, ScriptError> {
        let grammar = dialect.grammar();
        let mut recorded = Self::default();
        let mut seen = BTreeSet::new();
        for span in super::statements(dialect, text)? {
            let statement = lexeme::slice(text, &span).unwrap_or_default();
            let tokens = lexeme::tokens(grammar, statement)?;
            let is_of_rows = tokens.first().is_some_and(|first| {
                OF_ROWS.iter().any(|word| first.is_word(statement, word))
                    || first.kind == Kind::Open
            });
            let has_placeholder = tokens
                .iter()
                .any(|token| matches!(token.kind, Kind::Parameter | Kind::Positional));
            if !is_of_rows {
                recorded.others += 1;
            } else if has_placeholder {
                recorded.with_placeholders += 1;
            } else if seen.insert(statement) {
                recorded.statements.push(statement.to_owned());
            }
        }
        Ok(recorded)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recording_is_what_reads_and_writes_rows() {
        let text = "-- from the tests\nBEGIN; SELECT 1; select ';' FROM users;\nSELECT 1;\n(SELECT 2);COMMIT;SET x = 1;\n\
            UPDATE users SET a = $1; WITH a AS (SELECT 1) SELECT * FROM a";
        let recorded = Recorded::read(Dialect::Postgres, text).expect("it ends");
        assert_eq!(
            recorded.statements,
            [
                "SELECT 1",
                "select ';' FROM users",
                "(SELECT 2)",
                "WITH a AS (SELECT 1) SELECT * FROM a"
            ]
        );
        assert_eq!((recorded.with_placeholders, recorded.others), (1, 3));
        for dialect in [Dialect::Mysql, Dialect::Sqlite] {
            let recorded = Recorded::read(
                dialect,
                "DELETE FROM a WHERE id = ?; REPLACE INTO a VALUES (1)",
            );
            let recorded = recorded.expect("it ends");
            assert_eq!(
                (recorded.statements.len(), recorded.with_placeholders),
                (1, 1)
            );
        }
        assert!(Recorded::read(Dialect::Postgres, "SELECT 'open").is_err());
    }
}
