//! Statements as a server counts them: without their values. Pure.

use super::Dialect;
use super::lexeme::{Kind, tokens};

impl Dialect {
    /// The words and signs of a statement, with one sign for each value and for each list of values, however the server that has
    /// counted it, or whoever wrote it, writes names, values and parameters; empty for what cannot be read.
    #[must_use]
    pub fn counted_as(self, text: &str) -> Vec<String> {
        let grammar = self.grammar();
        let mut found: Vec<String> = Vec::new();
        for token in tokens(grammar, text).unwrap_or_default() {
            let written = token.text(text);
            let word = match token.kind {
                Kind::Semicolon => continue,
                Kind::Literal | Kind::Parameter | Kind::Positional => VALUE.to_owned(),
                Kind::Word | Kind::QuotedName => {
                    let name = (grammar.identifier)(written);
                    name.unwrap_or_else(|| written.to_owned()).to_lowercase()
                }
                _ => written.to_lowercase(),
            };
            // A server may count these as values, or as words.
            let is_value = token.kind == Kind::Word && matches!(&*word, "null" | "true" | "false");
            push(&mut found, if is_value { VALUE.to_owned() } else { word });
        }
        found
    }
}

const VALUE: &str = "?";

fn push(found: &mut Vec<String>, word: String) {
    // A list whose values are left out.
    if word == "." && found.ends_with(&[".".to_owned(), ".".to_owned()]) {
        found.truncate(found.len() - 2);
        return push(found, VALUE.to_owned());
    }
    if word == VALUE {
        // The sign belongs to the value.
        if found.last().is_some_and(|last| last == "-" || last == "+") {
            found.pop();
        }
        if let [.., value, comma] = found.as_slice()
            && value == VALUE
            && comma == ","
        {
            found.pop();
            return;
        }
        if found.last().is_some_and(|last| last == VALUE) {
            return;
        }
    }
    found.push(word);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_is_the_one_that_was_counted_whatever_its_values() {
        for (dialect, written, counted) in [
            (
                Dialect::Postgres,
                "select count(*) from users\n where first_name is null and n = -1; -- all",
                "SELECT count(*) FROM users WHERE first_name IS NULL AND n = $1",
            ),
            (
                Dialect::Postgres,
                "SELECT \"id\" FROM t WHERE a IN (1, 2, 3) AND b = 'x'",
                "SELECT id FROM t WHERE a IN ($1 /*, ... */) AND b = $2",
            ),
            (
                Dialect::Mysql,
                "SELECT count(*) FROM users WHERE first_name IS NULL AND a IN (1, 2) AND b = -1",
                "SELECT COUNT ( * ) FROM `users` WHERE `first_name` IS NULL AND `a` IN (...) AND `b` = - ?",
            ),
        ] {
            let (written, counted) = (dialect.counted_as(written), dialect.counted_as(counted));
            assert_eq!(written, counted);
            assert!(!written.is_empty());
        }
        let other = |text| Dialect::Postgres.counted_as(text);
        assert_ne!(other("SELECT a FROM t"), other("SELECT b FROM t"));
        assert_eq!(other("SELECT 'never closed"), Vec::<String>::new());
    }
}
