//! What code makes of a column of the row that fires it in another type: it fails for a value that is none of that type.

use super::super::Dialect;
use super::super::lexeme::{self, Kind};

/// A column of the row, and the type that it is turned into.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cast {
    pub column: String,
    pub to: String,
    /// `NEW.age::int`
    pub written: String,
}

impl Dialect {
    /// Each `NEW.a::t` and `CAST(NEW.a AS t)` of a code's text.
    #[must_use]
    pub fn casts_of_row(self, text: &str) -> Vec<Cast> {
        let tokens = lexeme::tokens(self.grammar(), text).unwrap_or_default();
        let sign = |at: usize| tokens.get(at).map_or("", |token| token.text(text));
        let is = |at: usize, word: &str| {
            tokens
                .get(at)
                .is_some_and(|token| token.is_word(text, word))
        };
        let mut found = Vec::new();
        for at in 0..tokens.len() {
            let is_row = (is(at, "new") || is(at, "old")) && sign(at + 1) == ".";
            let column = tokens
                .get(at + 2)
                .filter(|token| is_row && matches!(token.kind, Kind::Word | Kind::QuotedName))
                .and_then(|token| (self.grammar().identifier)(token.text(text)));
            let Some(column) = column else { continue };
            let type_at = match sign(at + 3) {
                "::" => at + 4,
                ":" if sign(at + 4) == ":" => at + 5,
                _ if is(at + 3, "as") && at >= 2 && is(at - 2, "cast") => at + 4,
                _ => continue,
            };
            let Some(to) = tokens.get(type_at) else {
                continue;
            };
            let from = tokens.get(at).map_or(0, |token| token.span.start);
            found.push(Cast {
                column,
                to: to.text(text).to_lowercase(),
                written: text.get(from..to.span.end).unwrap_or_default().to_owned(),
            });
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_made_of_a_column_of_the_row_is_told() {
        for (text, expected) in [
            ("NEW.a := NEW.age::int;", "age int"),
            ("IF CAST(NEW.age AS integer) > 5 THEN", "age integer"),
            ("NEW.a := age::int;", ""),
            ("NEW.a := NEW.age || 'x'::text;", ""),
        ] {
            let casts = Dialect::Postgres.casts_of_row(text);
            let told = casts
                .first()
                .map(|one| format!("{} {}", one.column, one.to));
            assert_eq!(told.unwrap_or_default(), expected, "{text}");
        }
    }
}
