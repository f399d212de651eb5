//! Conditions of a query that are the same for every row: what they shall find is never found.

use crate::lexeme::{self, Kind, Token};
use crate::{Dialect, ScriptError};

/// What of a query says the same of every row, whatever is in it: a text where a column is meant, or a comparison with NULL.
///
/// `None` also where it cannot be read, which [`super::single_select`] says.
#[must_use]
pub fn alike_for_all(dialect: Dialect, sql: &str) -> Option<ScriptError> {
    let tokens = lexeme::tokens(dialect.grammar(), sql).ok()?;
    (0..tokens.len())
        .find_map(|at| {
            let here = Here {
                dialect,
                sql,
                tokens: &tokens,
                at,
            };
            here.quoted()
                .or_else(|| here.null())
                .or_else(|| here.constants())
                .or_else(|| here.counts_what_is_null())
        })
        .or_else(|| looks_at_nothing(sql, &tokens))
}

/// A query of constants alone: it has neither a table nor a function to look at.
fn looks_at_nothing(sql: &str, tokens: &[Token]) -> Option<ScriptError> {
    const ITS_OWN: [&str; 4] = ["SELECT", "VALUES", "AS", "WHERE"];
    let first = tokens.first()?;
    let names = tokens.iter().filter(|token| token.kind == Kind::Word);
    let mut others = names.filter(|token| !ITS_OWN.iter().any(|word| token.is_word(sql, word)));
    let behind_as = others.next().is_none_or(|_| {
        tokens.iter().any(|token| token.is_word(sql, "AS")) && others.next().is_none()
    });
    let is_constant = behind_as && !tokens.iter().any(|token| token.kind == Kind::QuotedName);
    // A number that is not 0 lets nothing pass.
    let number = sql.get(first.span.end..).map(str::trim);
    let number = number.and_then(|text| text.trim_end_matches(';').parse::<f64>().ok());
    let holds_up = number.is_some_and(|number| number != 0.0);
    (is_constant && !holds_up).then(|| {
        ScriptError::new(
            first.span.clone(),
            "this looks at no table: its answer is always the same",
            "count the rows that are not as they should be, such as `SELECT count(*) FROM users WHERE first_name IS NULL`",
        )
    })
}

/// A token among the others.
#[derive(Clone, Copy)]
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

    /// Double quotes, which are a text to MySQL.
    fn quoted(&self) -> Option<ScriptError> {
        let token = self.token(0)?;
        let written = token.text(self.sql);
        if !written.starts_with('"') {
            return None;
        }
        let name = written.trim_matches('"');
        // To SQLite as `migrate` asks it, it is a name, and one that is not there an error.
        (self.dialect == Dialect::Mysql && token.kind == Kind::Literal).then(|| {
            ScriptError::new(
                token.span.clone(),
                format!(
                    "{written} is a text to this database, the same for every row, and no column"
                ),
                format!(
                    "write '{name}' if a text is meant, and {name} or `{name}` if it is a column"
                ),
            )
        })
    }

    /// A text compared with a constant: the text stands where a column is meant.
    fn constants(&self) -> Option<ScriptError> {
        let token = self.token(0)?;
        let is_constant = |by: isize| self.token(by).is_some_and(|one| one.kind == Kind::Literal);
        let is_text = |by: isize| self.text(by).starts_with('\'');
        let begins = |by: isize| {
            matches!(
                self.text(by).to_ascii_uppercase().as_str(),
                "(" | "WHERE" | "AND" | "OR" | "NOT" | "WHEN" | "ON"
            )
        };
        let ends = |by: isize| {
            matches!(
                self.text(by).to_ascii_uppercase().as_str(),
                "" | ")" | "AND" | "OR" | "THEN" | "GROUP" | "ORDER" | "LIMIT" | ";"
            )
        };
        let compares = |by: isize| {
            !self.text(by).is_empty() && self.text(by).chars().all(|c| "=<>!".contains(c))
        };
        // `!=` may be two tokens.
        let width = [1, 2]
            .into_iter()
            .find(|width| (1..=*width).all(compares) && is_constant(width + 1))?;
        let is_whole = begins(-1) && is_constant(0) && ends(width + 2);
        (is_whole && (is_text(0) || is_text(width + 1))).then(|| {
            ScriptError::new(
                token.span.clone(),
                format!(
                    "{} is a text, and the same for every row",
                    token.text(self.sql)
                ),
                "write the column without quotes",
            )
        })
    }

    /// `count(c)` of rows where c is NULL: it leaves them all out.
    fn counts_what_is_null(&self) -> Option<ScriptError> {
        if !self.is_word(0, "count") || self.text(1) != "(" {
            return None;
        }
        let name = self.text(2);
        let is_column = self.token(2).is_some_and(|token| token.kind == Kind::Word);
        if !is_column || self.text(3) != ")" {
            return None;
        }
        let rest = (self.at..self.tokens.len()).map(|at| Here { at, ..*self });
        let words: Vec<Here<'_>> = rest.collect();
        // Where one of several conditions holds, others may count.
        let is_one_of_several = words.iter().any(|at| at.is_word(0, "OR"));
        let is_null = words.iter().any(|at| {
            at.text(0).eq_ignore_ascii_case(name)
                && matches!(at.text(-1).to_ascii_uppercase().as_str(), "WHERE" | "AND")
                && at.is_word(1, "IS")
                && at.is_word(2, "NULL")
        });
        let selects = self
            .tokens
            .iter()
            .filter(|token| token.is_word(self.sql, "SELECT"));
        (is_null && !is_one_of_several && selects.count() == 1).then(|| {
            ScriptError::new(
                self.token(2).map_or(0..0, |token| token.span.clone()),
                format!("count({name}) leaves out the rows where {name} is NULL, and there are no others here: it is always 0"),
                "write `count(*)`",
            )
        })
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
            ("\"name\" IS NULL", &[Mysql]),
            ("id > 3 AND lower(\"name\") = 'x'", &[Mysql]),
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
        for (sql, is_found) in [
            ("SELECT 0", true),
            ("VALUES (0)", true),
            ("SELECT 0 AS left_over WHERE 1 = 1", true),
            ("SELECT left_over()", false),
            (
                "SELECT (SELECT count(*) FROM a) - (SELECT count(*) FROM b)",
                false,
            ),
            ("SELECT count(name) FROM users WHERE name IS NULL", true),
            (
                "SELECT count(name) FROM users WHERE id > 3 AND name IS NULL",
                true,
            ),
            (
                "SELECT count(name) FROM users WHERE name IS NULL OR id > 3",
                false,
            ),
            (
                "SELECT count(name) FROM users WHERE full_name IS NULL",
                false,
            ),
            (
                "SELECT count(name) FROM users WHERE name IS NOT NULL AND first IS NULL",
                false,
            ),
            ("SELECT count(*) FROM users WHERE 'id' > 3", true),
            ("SELECT 0.0", true),
            ("SELECT 1 - 1", true),
            ("SELECT 1", false),
            ("SELECT 0.4", false),
            ("SELECT count(*) FROM users WHERE 'state' <> 'new'", true),
            (
                "SELECT count(*) FROM users WHERE ('name' = 'x') AND id > 3",
                true,
            ),
            (
                "SELECT count(*) FROM users WHERE 1 = 1 AND name = ''",
                false,
            ),
            ("SELECT count(*) FROM users WHERE 'a' || name = 'ab'", false),
            ("SELECT count(*) FROM users WHERE 'x' = name", false),
            (
                "SELECT count(*) FROM users WHERE id BETWEEN 1 AND 3 AND 'x' < name",
                false,
            ),
        ] {
            for dialect in every {
                let found = alike_for_all(dialect, sql);
                assert_eq!(found.is_some(), is_found, "{dialect:?} {sql}: {found:?}");
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
