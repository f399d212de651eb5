//! One expression over the columns of a row, as somebody declares it: `split_part(full_name, ' ', 1)`.

use super::lexeme::{self, Kind, Token};
use super::{Dialect, ScriptError};

/// `text` with every bare name of one of `columns` written behind `prefix`, as a trigger has to write it:
/// `split_part(NEW.full_name, ' ', 1)`. What is qualified already, a function's name, and texts stay as they are.
///
/// # Errors
/// What is no single expression: a `;`, a parameter, a comment, parentheses that do not close, or nothing at all.
pub fn qualified(
    dialect: Dialect,
    text: &str,
    columns: &[String],
    prefix: &str,
) -> Result<String, ScriptError> {
    let tokens = expression(dialect, text)?;
    let mut written = String::with_capacity(text.len() + prefix.len() * 4);
    let mut from = 0;
    for (index, token) in tokens.iter().enumerate() {
        if !is_bare(text, &tokens, index) || !is_one_of(dialect, text, token, columns) {
            continue;
        }
        written.push_str(lexeme::slice(text, &(from..token.span.start)).unwrap_or_default());
        written.push_str(prefix);
        from = token.span.start;
    }
    written.push_str(text.get(from..).unwrap_or_default());
    Ok(written.trim().to_owned())
}

/// The expression with another one in the place of each name of a column, in parentheses.
///
/// # Errors
/// As [`qualified`].
pub fn replaced(
    dialect: Dialect,
    text: &str,
    by: &[(String, String)],
) -> Result<String, ScriptError> {
    let tokens = expression(dialect, text)?;
    let mut written = String::with_capacity(text.len());
    let mut from = 0;
    for (index, token) in tokens.iter().enumerate() {
        let is_it = |(column, _): &&(String, String)| {
            is_one_of(dialect, text, token, std::slice::from_ref(column))
        };
        let Some((_, by)) = by.iter().find(is_it) else {
            continue;
        };
        if is_bare(text, &tokens, index) {
            written.push_str(lexeme::slice(text, &(from..token.span.start)).unwrap_or_default());
            written.push_str(&format!("({by})"));
            from = token.span.end;
        }
    }
    written.push_str(text.get(from..).unwrap_or_default());
    Ok(written.trim().to_owned())
}

/// Which of `columns` the expression names.
///
/// # Errors
/// As [`qualified`].
pub fn columns_in(
    dialect: Dialect,
    text: &str,
    columns: &[String],
) -> Result<Vec<String>, ScriptError> {
    let tokens = expression(dialect, text)?;
    let names = |column: &&String| {
        let one = std::slice::from_ref(*column);
        (0..tokens.len()).any(|index| {
            is_bare(text, &tokens, index)
                && tokens
                    .get(index)
                    .is_some_and(|token| is_one_of(dialect, text, token, one))
        })
    };
    Ok(columns.iter().filter(names).cloned().collect())
}

fn expression(dialect: Dialect, text: &str) -> Result<Vec<Token>, ScriptError> {
    let tokens = lexeme::tokens(dialect.grammar(), text)?;
    let whole = 0..text.len();
    let refuse = |span, message: &str, help: &str| Err(ScriptError::new(span, message, help));
    if tokens.is_empty() {
        return refuse(
            whole,
            "there is no expression here",
            "write one over the columns of a row, such as `lower(email)`",
        );
    }
    let mut open = 0_usize;
    let mut end = 0;
    for token in &tokens {
        let gap = text.get(end..token.span.start).unwrap_or_default();
        if !gap.trim().is_empty() {
            return refuse(
                end..token.span.start,
                "an expression holds no comment",
                "write the comment into migration.toml, behind a `#`",
            );
        }
        end = token.span.end;
        match token.kind {
            Kind::Semicolon => {
                return refuse(
                    token.span.clone(),
                    "an expression holds no `;`",
                    "write one expression, and no statement",
                );
            }
            Kind::Parameter | Kind::Positional => {
                return refuse(
                    token.span.clone(),
                    "an expression holds no parameter",
                    "name the columns themselves",
                );
            }
            Kind::Open => open += 1,
            Kind::Close => match open.checked_sub(1) {
                Some(fewer) => open = fewer,
                None => {
                    return refuse(
                        token.span.clone(),
                        "this `)` closes nothing",
                        "remove it, or write the `(` that it belongs to",
                    );
                }
            },
            _ => {}
        }
    }
    let rest = text.get(end..).unwrap_or_default();
    if !rest.trim().is_empty() {
        return refuse(
            end..text.len(),
            "an expression holds no comment",
            "write the comment into migration.toml, behind a `#`",
        );
    }
    if open > 0 {
        return refuse(whole, "a `(` is not closed", "close it");
    }
    Ok(tokens)
}

/// Whether it can name a column: not `t.x`, and not `f(`.
fn is_bare(text: &str, tokens: &[Token], index: usize) -> bool {
    let Some(token) = tokens.get(index) else {
        return false;
    };
    if !matches!(token.kind, Kind::Word | Kind::QuotedName) {
        return false;
    }
    let is_member = index
        .checked_sub(1)
        .and_then(|before| tokens.get(before))
        .is_some_and(|before| before.text(text) == ".");
    let is_call_or_qualifier = tokens
        .get(index + 1)
        .is_some_and(|next| next.kind == Kind::Open || next.text(text) == ".");
    !is_member && !is_call_or_qualifier
}

fn is_one_of(dialect: Dialect, text: &str, token: &Token, columns: &[String]) -> bool {
    let word = token.text(text);
    let Some(name) = (dialect.grammar().identifier)(word) else {
        return false;
    };
    columns.iter().any(|column| match dialect {
        // An unquoted name is in lower case there, and a quoted one as it is written.
        Dialect::Postgres => name == *column,
        Dialect::Sqlite | Dialect::Mysql => name.eq_ignore_ascii_case(column),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Vec<String> {
        ["full_name", "last name", "order"]
            .map(str::to_owned)
            .to_vec()
    }

    #[test]
    fn columns_are_qualified_and_nothing_else() {
        for (dialect, text, expected) in [
            (
                Dialect::Postgres,
                "split_part(full_name, ' full_name', 1)",
                "split_part(NEW.full_name, ' full_name', 1)",
            ),
            (
                Dialect::Postgres,
                "Full_Name || \"last name\" || u.full_name || full_name(1)",
                "NEW.Full_Name || NEW.\"last name\" || u.full_name || full_name(1)",
            ),
            (Dialect::Postgres, "\"Full_Name\"", "\"Full_Name\""),
            (
                Dialect::Mysql,
                "concat(`order`, FULL_NAME, 'it''s full_name')",
                "concat(NEW.`order`, NEW.FULL_NAME, 'it''s full_name')",
            ),
            (
                Dialect::Sqlite,
                "substr([last name], 1) || \"order\"",
                "substr(NEW.[last name], 1) || NEW.\"order\"",
            ),
        ] {
            let written = qualified(dialect, text, &names(), "NEW.").expect("an expression");
            assert_eq!(written, expected, "{dialect:?}");
        }
    }

    #[test]
    fn what_is_no_expression_is_refused() {
        for dialect in Dialect::ALL {
            for text in [
                "",
                "  ",
                "1; DROP TABLE users",
                "f(full_name",
                "full_name)",
                "full_name -- all of it",
                "full_name /* all of it */ || ''",
                ":after",
            ] {
                assert!(
                    qualified(*dialect, text, &names(), "NEW.").is_err(),
                    "{dialect:?} takes {text:?}"
                );
            }
        }
    }

    #[test]
    fn the_columns_of_an_expression_are_known() {
        let found = columns_in(Dialect::Sqlite, "lower(Full_Name) || t.\"order\"", &names());
        assert_eq!(found.expect("an expression"), ["full_name"]);
    }
}
