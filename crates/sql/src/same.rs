//! Whether two texts say the same to the database: comments and the space between tokens do not count. Pure.

use super::Dialect;
use super::lexeme::{Token, tokens};

impl Dialect {
    /// Whether these are the same tokens. What cannot be read is the same as nothing.
    #[must_use]
    pub fn says_the_same(self, before: &str, after: &str) -> bool {
        let read = |text: &str| -> Option<Vec<String>> {
            let tokens: Vec<Token> = tokens(self.grammar(), text).ok()?;
            Some(
                tokens
                    .iter()
                    .map(|token| token.text(text).to_owned())
                    .collect(),
            )
        };
        before == after || read(before).is_some_and(|before| Some(before) == read(after))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_space_say_nothing_and_everything_else_does() {
        for dialect in Dialect::ALL {
            let same = |before, after| dialect.says_the_same(before, after);
            let plain = "CREATE TABLE t (a text DEFAULT 'x  y')";
            assert!(same(plain, plain));
            assert!(same(
                plain,
                "-- why\nCREATE   TABLE t\n( a text /* so */ DEFAULT 'x  y' )"
            ));
            assert!(!same(plain, "CREATE TABLE t (a text DEFAULT 'x y')"));
            assert!(!same(
                plain,
                "CREATE TABLE t (a text DEFAULT 'x  y', b int)"
            ));
            assert!(!same(plain, "CREATE TABLE t (a text DEFAULT 'x -- y')"));
            assert!(!same("SELECT ab", "SELECT a b"));
            assert!(!same("SELECT 'never closed", "SELECT 'never  closed"));
        }
        // It is run by the server, whatever it looks like.
        assert!(!Dialect::Mysql.says_the_same("SELECT 1", "SELECT 1 /*! + 1 */"));
        // What a function holds is its text.
        let body = |text| format!("CREATE FUNCTION f() RETURNS int LANGUAGE sql AS $$ {text} $$");
        let (one, other) = (body("SELECT 1"), body("SELECT 1 -- why"));
        assert!(!Dialect::Postgres.says_the_same(&one, &other));
    }
}
