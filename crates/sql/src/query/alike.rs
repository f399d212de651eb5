//! Conditions of a query that are the same for every row: what they shall find is never found.

use crate::lexeme::{self, Kind, Token};
use crate::{Dialect, ScriptError};

/// What of a query says the same of every row, whatever is in it: a text where a column is meant, or a comparison with NULL.
///
/// `None` also where it cannot be read, which [`super::single_select`] says.
#[must_use]
pub fn alike_for_all(dialect: Dialect, sql: &str) -> Option<ScriptError> {
    let tokens = lexeme::tokens(dialect.grammar(), sql).ok()?;
    (0..tokens.len()).find_map(|at| {
        let here = Here {
            dialect,
            sql,
            tokens: &tokens,
            at,
        };
        here.quoted().or_else(|| here.null())
    })
}

/// A token among the others.
struct Here<'q> {
    dialect: Dialect,
    sql: &'q str,
    tokens: &'q [Token],
    at: usize,
}

impl Here<'_> {
    fn token(&self, by: isize) -> Option<&Token> {
        self.tokens.get(self.at.checked_add_signed(by)?)
    }

    fn text(&self, by: isize) -> &str {
        self.token(by).map_or("", |token| token.text(self.sql))
    }

    fn is_word(&self, by: isize, word: &str) -> bool {
        self.token(by)
            .is_some_and(|token| token.is_word(self.sql, word))
    }

    /// Double quotes, which are a text to MySQL, and to SQLite where no column is called so.
    fn quoted(&self) -> Option<ScriptError> {
        let token = self.token(0)?;
        let written = token.text(self.sql);
        if !written.starts_with('"') {
            return None;
        }
        let name = written.trim_matches('"');
        match self.dialect {
            Dialect::Mysql if token.kind == Kind::Literal => Some(ScriptError::new(
                token.span.clone(),
                format!(
                    "{written} is a text to this database, the same for every row, and no column"
                ),
                format!(
                    "write '{name}' if a text is meant, and {name} or `{name}` if it is a column"
                ),
            )),
            // What has to stand in quotes cannot be asked to do without them.
            Dialect::Sqlite
                if self.dialect.quoted(name) == name
                    && !self.names_a_table()
                    && !self.is_qualified() =>
            {
                Some(ScriptError::new(
                    token.span.clone(),
                    format!(
                        "SQLite takes {written} for a text, the same for every row, where no column is called so: a slip in it would never be told"
                    ),
                    format!(
                        "write it with its table (TABLE.{written}), or without the quotes; and '{name}' if a text is meant"
                    ),
                ))
            }
            _ => None,
        }
    }

    /// With its table before it, behind it a part of it: then it is a name, and one that is not there is an error.
    fn is_qualified(&self) -> bool {
        self.text(-1) == "." || matches!(self.text(1), "." | "(")
    }

    fn names_a_table(&self) -> bool {
        ["FROM", "JOIN", "AS"]
            .iter()
            .any(|word| self.is_word(-1, word))
    }

    /// `= NULL`, which is never true, and a text that IS NULL, which it never is.
    fn null(&self) -> Option<ScriptError> {
        if !self.is_word(0, "NULL") {
            return None;
        }
        let span = self.token(0)?.span.clone();
        let (before, behind) = (self.text(-1), self.text(1));
        // `<=>` ends with one that is meant; `:=` and `=>` give a parameter its value.
        let is_no_comparison =
            matches!((self.text(-2), before), ("=", ">") | (":", "=")) || before == "<=>";
        let is_compared = matches!(before, "=" | "<>" | "!=" | ">") && !is_no_comparison;
        let compares = matches!(
            (behind, self.text(2)),
            ("=" | "<>" | "!=", _) | ("!", "=") | ("<", ">")
        );
        if is_compared || compares {
            let help = "write `IS NULL`, or `IS NOT NULL`";
            return Some(ScriptError::new(
                span,
                "nothing is equal to NULL, and nothing is not: this is true for no row",
                help,
            ));
        }
        let is = match self.is_word(-1, "NOT") {
            true => -2,
            false => -1,
        };
        let said = self.token(is - 1)?;
        // What a text is put together with may be NULL.
        let is_alone = said.kind == Kind::Literal
            && matches!(
                self.text(is - 2).to_ascii_uppercase().as_str(),
                "" | "(" | "WHERE" | "AND" | "OR" | "NOT" | "WHEN"
            );
        (self.is_word(is, "IS") && is_alone).then(|| {
            ScriptError::new(
                said.span.clone(),
                format!(
                    "{} is the same for every row, and never NULL",
                    said.text(self.sql)
                ),
                "write the column without quotes",
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_the_same_for_every_row_is_found() {
        use Dialect::{Mysql, Postgres, Sqlite};
        let every = [Sqlite, Postgres, Mysql];
        for (condition, wanted) in [
            ("name IS NULL", &[][..]),
            ("name IS NOT NULL AND state = 'new'", &[]),
            ("coalesce(name, '') = '' OR NULLIF(a, b) IS NULL", &[]),
            ("CASE WHEN a THEN NULL ELSE 'x' || b END IS NULL", &[]),
            ("a || 'x' IS NULL", &[]),
            ("name = NULL", &every),
            ("name <> NULL", &every),
            ("name != NULL", &every),
            ("NULL = name", &every),
            ("NULL <> name", &every),
            ("NULL != name", &every),
            ("'name' IS NULL", &every),
            ("id > 3 AND 'name' IS NOT NULL", &every),
            ("\"name\" IS NULL", &[Sqlite, Mysql]),
            ("id > 3 AND lower(\"name\") = 'x'", &[Sqlite, Mysql]),
            ("users.\"name\" IS NULL", &[Mysql]),
            ("\"naïve Ω\" IS NULL", &[Mysql]),
        ] {
            for dialect in every {
                let sql = format!("SELECT count(*) FROM users WHERE {condition}");
                let found = alike_for_all(dialect, &sql);
                let is_wanted = wanted.contains(&dialect);
                assert_eq!(found.is_some(), is_wanted, "{dialect:?} {sql}: {found:?}");
            }
        }
        for sql in [
            "SELECT count(*) FROM \"users\" AS \"u\" JOIN \"b\" ON \"u\".\"id\" = \"b\".\"id\"",
            "SELECT count(*) AS \"left\" FROM users",
        ] {
            assert_eq!(alike_for_all(Sqlite, sql), None, "{sql}");
        }
        for (dialect, condition) in [
            (Mysql, "name <=> NULL"),
            (Mysql, "NULL <=> name"),
            (Postgres, "is_left(name, at => NULL)"),
            (Postgres, "is_left(name, at := NULL)"),
        ] {
            let sql = format!("SELECT count(*) FROM users WHERE {condition}");
            assert_eq!(alike_for_all(dialect, &sql), None, "{sql}");
        }
    }
}
