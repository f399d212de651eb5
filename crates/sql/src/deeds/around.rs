//! What stands around a value in the code that gives it: whether the code looks first, and what it does where the database refuses.

use super::super::Dialect;
use super::super::lexeme::{self, Kind, Token};
use super::Value;
use super::given::without_parentheses;

/// A text and its tokens.
struct Code<'t> {
    dialect: Dialect,
    text: &'t str,
    tokens: Vec<Token>,
}

/// Whether a word without quotes is a value, and no name.
fn is_value(word: &str) -> bool {
    const VALUES: &[&str] = &["null", "true", "false", "user"];
    let word = word.to_lowercase();
    VALUES.contains(&word.as_str())
        || ["current_", "local", "session_"]
            .iter()
            .any(|begin| word.starts_with(begin))
}

impl<'t> Code<'t> {
    fn new(dialect: Dialect, text: &'t str) -> Self {
        let tokens = lexeme::tokens(dialect.grammar(), text).unwrap_or_default();
        Self {
            dialect,
            text,
            tokens,
        }
    }

    fn is(&self, at: usize, words: &[&str]) -> bool {
        let token = self.tokens.get(at);
        token.is_some_and(|token| words.iter().any(|word| token.is_word(self.text, word)))
    }

    fn sign(&self, at: usize) -> &str {
        self.tokens
            .get(at)
            .map_or("", |token| token.text(self.text))
    }

    fn is_name(&self, at: usize, name: &str) -> bool {
        let token = self.tokens.get(at);
        let token = token.filter(|token| matches!(token.kind, Kind::Word | Kind::QuotedName));
        let found =
            token.and_then(|token| (self.dialect.grammar().identifier)(token.text(self.text)));
        found.is_some_and(|found| self.dialect.may_be_same_name(&found, name))
    }

    /// As it is written, but for how large a word is, and for quotes around a name that needs none.
    fn plain(&self, token: &Token) -> String {
        let written = token.text(self.text);
        match token.kind {
            Kind::Word => written.to_lowercase(),
            Kind::QuotedName => {
                let name = (self.dialect.grammar().identifier)(written);
                // `"true"` is no value, where it is not a text.
                let is_plain = |name: &String| !is_value(name);
                name.filter(is_plain).unwrap_or_else(|| written.to_owned())
            }
            _ => written.to_owned(),
        }
    }

    fn all(&self) -> std::ops::Range<usize> {
        0..self.tokens.len()
    }
}

/// How often a column of the row that fires the code is named there.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Named {
    pub often: usize,
    /// Of these, where NULL is compared as a value is: `OLD.a IS DISTINCT FROM NEW.a`.
    pub compared: usize,
    /// Of these, where a column is set to it as it is: `SET a = NEW.a`.
    pub set: usize,
}

impl Dialect {
    /// Whether the code asks the table for one of these columns, other than to delete there.
    #[must_use]
    pub fn looks_up(self, text: &str, table: &str, columns: &[String]) -> bool {
        let code = Code::new(self, text);
        code.all().any(|at| {
            let deletes = at
                .checked_sub(1)
                .is_some_and(|before| code.is(before, &["delete"]));
            if !code.is(at, &["from", "join"]) || deletes {
                return false;
            }
            let mut name = at + 1;
            while code.sign(name + 1) == "." {
                name += 2;
            }
            let ends = |at: &usize| {
                let token = code.tokens.get(*at);
                token.is_none_or(|token| token.kind == Kind::Semicolon)
            };
            let end = (name..code.tokens.len()).find(ends);
            code.is_name(name, table)
                && (name + 1..end.unwrap_or(code.tokens.len()))
                    .any(|at| columns.iter().any(|column| code.is_name(at, column)))
        })
    }

    /// Whether the code goes on where the database refuses a statement of it.
    #[must_use]
    pub fn goes_on(self, text: &str) -> bool {
        let code = Code::new(self, text);
        code.all().any(|at| match self {
            Dialect::Postgres => code.is(at, &["exception"]) && code.is(at + 1, &["when"]),
            Dialect::Mysql => code.is(at, &["handler"]) && code.is(at + 1, &["for"]),
            Dialect::Sqlite => false,
        })
    }

    /// How the code names a column of the row that fires it.
    #[must_use]
    pub fn named_of_row(self, text: &str, column: &str) -> Named {
        let code = Code::new(self, text);
        let mut found = Named::default();
        for at in code.all() {
            let is_row = code.is_name(at, "new") || code.is_name(at, "old");
            if !is_row || code.sign(at + 1) != "." || !code.is_name(at + 2, column) {
                continue;
            }
            found.often += 1;
            let behind = code.is(at + 3, &["is"])
                && (code.is(at + 4, &["distinct"])
                    || code.is(at + 4, &["not"]) && code.is(at + 5, &["distinct"]))
                || code.sign(at + 3) == "<=>";
            let before = at >= 2 && code.is(at - 1, &["from"]) && code.is(at - 2, &["distinct"])
                || at >= 1 && code.sign(at - 1) == "<=>";
            // `IS NOT DISTINCT FROM NULL` asks for NULL.
            let with_null = code.is(at + 6, &["null"]) || code.is(at + 7, &["null"]);
            found.compared += usize::from(before || behind && !with_null);
            let is_set = at >= 3
                && code.sign(at - 1) == "="
                && (code.is(at - 3, &["set"]) || code.sign(at - 3) == ",");
            found.set += usize::from(is_set);
        }
        found
    }

    /// Whether a condition asks this column, by its bare name: `WHERE phone IS NOT NULL`.
    #[must_use]
    pub fn asks_of(self, text: &str, column: &str) -> bool {
        const ASKS: &[&str] = &["is", "in", "like", "between", "not", "isnull", "notnull"];
        let code = Code::new(self, text);
        code.all().any(|at| {
            let is_asked = code.is(at + 1, ASKS)
                || matches!(code.sign(at + 1), "=" | "<" | ">" | "!" | "<>" | "!=");
            code.is_name(at, column) && is_asked
        })
    }

    /// Whether two conditions say the same of these two columns.
    #[must_use]
    pub fn is_same_condition(self, one: (&str, &str), other: (&str, &str)) -> bool {
        let plain =
            |(condition, column): (&str, &str)| {
                let code = Code::new(self, condition);
                let words = code.tokens.iter().enumerate().map(|(at, token)| {
                    match code.is_name(at, column) {
                        true => "?".to_owned(),
                        false => code.plain(token),
                    }
                });
                words.collect::<Vec<String>>()
            };
        plain(one) == plain(other)
    }

    /// Whether two expressions say the same, but for what stands around them.
    #[must_use]
    pub fn is_same_expression(self, one: &str, other: &str) -> bool {
        let plain = |text: &str| {
            let code = Code::new(self, text);
            let inside = without_parentheses(&code.tokens).iter();
            inside
                .map(|token| code.plain(token))
                .collect::<Vec<String>>()
        };
        plain(one) == plain(other)
    }
}

impl Value {
    /// A bare column, or one with the name of its table, as that of the row that fires the code.
    #[must_use]
    pub fn as_of_row(&self, dialect: Dialect) -> Option<Self> {
        let code = Code::new(dialect, &self.text);
        let is_name = |at: usize| {
            let token = code.tokens.get(at);
            token.is_some_and(|token| matches!(token.kind, Kind::Word | Kind::QuotedName))
        };
        let column = match code.tokens.len() {
            1 if is_name(0) && !code.is(0, &["null", "true", "false"]) => code.sign(0),
            3 if is_name(0) && code.sign(1) == "." && is_name(2) => code.sign(2),
            _ => return None,
        };
        Some(Self {
            text: format!("NEW.{column}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::Value;
    use super::Named;
    use crate::Dialect::{self, Mysql, Postgres, Sqlite};

    #[test]
    fn who_looks_first_is_told_from_who_does_not() {
        for (dialect, text, expected) in [
            (
                Postgres,
                "IF NOT EXISTS (SELECT 1 FROM app.slugs WHERE slug = NEW.slug) THEN INSERT …",
                true,
            ),
            (
                Postgres,
                "DELETE FROM slugs WHERE slug = OLD.slug; INSERT INTO slugs VALUES (1);",
                false,
            ),
            (
                Postgres,
                "SELECT slug FROM other; INSERT INTO slugs VALUES (1);",
                false,
            ),
            (Postgres, "SELECT 1 FROM slugs; NEW.slug := 1;", false),
            (
                Sqlite,
                "INSERT INTO slugs SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM slugs WHERE slug = 1);",
                true,
            ),
        ] {
            let columns = ["slug".to_owned()];
            assert_eq!(
                dialect.looks_up(text, "slugs", &columns),
                expected,
                "{text}"
            );
        }
    }

    #[test]
    fn who_goes_on_is_told_from_who_raises() {
        for (dialect, text, expected) in [
            (
                Postgres,
                "BEGIN INSERT INTO t VALUES (1); EXCEPTION WHEN unique_violation THEN NULL; END",
                true,
            ),
            (Postgres, "BEGIN RAISE EXCEPTION 'when'; END", false),
            (
                Mysql,
                "BEGIN DECLARE CONTINUE HANDLER FOR 1062 BEGIN END; INSERT INTO t VALUES (1); END",
                true,
            ),
            (Mysql, "BEGIN INSERT INTO t VALUES (1); END", false),
        ] {
            assert_eq!(dialect.goes_on(text), expected, "{text}");
        }
    }

    #[test]
    fn how_a_column_is_named_is_counted() {
        for (text, often, compared, set) in [
            ("NEW.tel := NEW.phone;", 1, 0, 0),
            (
                "INSERT INTO p VALUES (NEW.id, NEW.phone) ON CONFLICT (id) DO UPDATE SET a = 1, tel = NEW.phone;",
                2,
                0,
                1,
            ),
            (
                "IF NEW.phone IS NOT NULL THEN NEW.tel := NEW.phone;",
                2,
                0,
                0,
            ),
            (
                "IF OLD.phone IS DISTINCT FROM NEW.phone THEN NEW.tel := NEW.phone;",
                3,
                2,
                0,
            ),
            (
                "IF NEW.phone IS DISTINCT FROM NULL THEN NEW.tel := NEW.phone;",
                2,
                0,
                0,
            ),
            ("WHEN (OLD.phone <> NEW.phone)", 2, 0, 0),
        ] {
            let expected = Named {
                often,
                compared,
                set,
            };
            assert_eq!(Postgres.named_of_row(text, "phone"), expected, "{text}");
        }
        assert!(Sqlite.asks_of("SELECT id FROM users WHERE phone IS NOT NULL", "phone"));
        assert!(!Sqlite.asks_of(
            "INSERT INTO p (phone) SELECT phone FROM users WHERE id = NEW.id",
            "phone"
        ));
    }

    #[test]
    fn a_column_stands_for_that_of_the_row() {
        let shown = |dialect: Dialect, text: &str| {
            let value = Value {
                text: text.to_owned(),
            };
            value.as_of_row(dialect).map(|value| value.text)
        };
        assert_eq!(shown(Sqlite, "phone").as_deref(), Some("NEW.phone"));
        assert_eq!(shown(Sqlite, "u.phone").as_deref(), Some("NEW.phone"));
        assert_eq!(shown(Sqlite, "NULL"), None);
        assert_eq!(shown(Sqlite, "lower(phone)"), None);
        assert!(Postgres.is_same_condition(("n > 5", "n"), ("X > 5", "x")));
        assert!(!Postgres.is_same_condition(("n > 5", "n"), ("x > 6", "x")));
    }
}
