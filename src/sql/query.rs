//! The single statements that a manifest and `backfill.sql` hold.

#[cfg(test)]
mod tests;

use super::facts::{Facts, Query};
use super::lexeme::{self, Kind, Token};
use super::{Dialect, ScriptError};

const AFTER: &str = ":after";
const UPTO: &str = ":upto";

/// A backfill's statement, ready for the key range of a batch to be bound.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Backfill {
    /// The statement with its parameters as written.
    pub text: String,
    /// `text` in pieces.
    pub parts: Vec<Part>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Part {
    Sql(String),
    /// The key after which the batch begins.
    After,
    /// The last key of the batch.
    Upto,
}

const ONE_SELECT: &str = "write a single SELECT that only reads, such as `SELECT count(*) FROM users WHERE first_name IS NULL`";
const ONE_UPDATE: &str = "write a single UPDATE over a key range, such as `UPDATE users SET … WHERE id > :after AND id <= :upto`";
const KEY_RANGE: &str = "restrict the statement to a batch: `WHERE id > :after AND id <= :upto`";

/// # Errors
/// Why `sql` is not exactly one SELECT, VALUES or WITH … SELECT that only reads.
pub fn single_select(dialect: Dialect, sql: &str) -> Result<(), ScriptError> {
    let tokens = lexeme::tokens(dialect.grammar(), sql)?;
    if let Some(token) = tokens
        .iter()
        .find(|token| matches!(token.kind, Kind::Parameter | Kind::Positional))
    {
        let message = format!("`{}` has no value here", token.text(sql));
        return Err(ScriptError::new(token.span.clone(), message, ONE_SELECT));
    }
    let (span, facts) = single(dialect, sql, &tokens, ONE_SELECT)?;
    match facts.query {
        Query::Select { problem: None } => Ok(()),
        Query::Select {
            problem: Some(problem),
        } => Err(ScriptError::new(
            span,
            format!("this query {problem}"),
            ONE_SELECT,
        )),
        _ => Err(ScriptError::new(span, "this is not a SELECT", ONE_SELECT)),
    }
}

/// # Errors
/// Why `sql` is not exactly one UPDATE, or INSERT … SELECT that may be repeated, over `:after` to `:upto`.
pub fn backfill_statement(dialect: Dialect, sql: &str) -> Result<Backfill, Vec<ScriptError>> {
    let tokens = lexeme::tokens(dialect.grammar(), sql).map_err(|error| vec![error])?;
    let mut errors: Vec<ScriptError> = tokens
        .iter()
        .filter_map(|token| stray(token, sql))
        .collect();
    if !errors.is_empty() {
        return Err(errors);
    }
    let parsable = with_values(sql, &tokens);
    let (span, facts) = match single(dialect, &parsable, &tokens, ONE_UPDATE) {
        Ok(found) => found,
        Err(error) => return Err(vec![error]),
    };
    if let Some(message) = unfit(&facts, sql, &tokens) {
        errors.push(ScriptError::new(span.clone(), message, ONE_UPDATE));
    }
    for parameter in [AFTER, UPTO] {
        if !tokens.iter().any(|token| is(token, sql, parameter)) {
            let message =
                format!("`{parameter}` is missing: every batch would touch the whole table");
            errors.push(ScriptError::new(span.clone(), message, KEY_RANGE));
        }
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    let mut parts = Vec::new();
    let mut from = span.start;
    for token in tokens.iter().filter(|token| token.kind == Kind::Parameter) {
        parts.extend(
            lexeme::slice(sql, &(from..token.span.start)).map(|text| Part::Sql(text.to_owned())),
        );
        parts.push(if is(token, sql, AFTER) {
            Part::After
        } else {
            Part::Upto
        });
        from = token.span.end;
    }
    let rest = lexeme::slice(sql, &(from..span.end)).unwrap_or_default();
    if !rest.is_empty() {
        parts.push(Part::Sql(rest.to_owned()));
    }
    Ok(Backfill {
        text: lexeme::slice(sql, &span).unwrap_or_default().to_owned(),
        parts,
    })
}

fn is(token: &Token, sql: &str, parameter: &str) -> bool {
    token.kind == Kind::Parameter && token.text(sql) == parameter
}

fn stray(token: &Token, sql: &str) -> Option<ScriptError> {
    let known = match token.kind {
        Kind::Parameter => is(token, sql, AFTER) || is(token, sql, UPTO),
        Kind::Positional => false,
        _ => true,
    };
    let message = format!("unknown parameter `{}`", token.text(sql));
    (!known).then(|| {
        ScriptError::new(
            token.span.clone(),
            message,
            "a backfill has the parameters `:after` and `:upto`, the ends of the batch's key range",
        )
    })
}

/// Exactly one statement, and what it does.
fn single(
    dialect: Dialect,
    sql: &str,
    tokens: &[Token],
    help: &str,
) -> Result<(std::ops::Range<usize>, Facts), ScriptError> {
    let grammar = dialect.grammar();
    let spans = (grammar.split)(sql, tokens);
    let span = match spans.as_slice() {
        [span] => span.clone(),
        [] => {
            return Err(ScriptError::new(
                0..sql.len(),
                "there is no statement here",
                help,
            ));
        }
        [_, second, ..] => {
            return Err(ScriptError::new(
                second.clone(),
                "a second statement is not allowed here",
                help,
            ));
        }
    };
    let facts = grammar
        .facts(lexeme::slice(sql, &span).unwrap_or_default())
        .map_err(|error| error.shifted(span.start))?;
    Ok((span, facts))
}

/// Named parameters are not PostgreSQL's syntax: numbers of the same length stand in for them while parsing.
fn with_values(sql: &str, tokens: &[Token]) -> String {
    let mut text = String::with_capacity(sql.len());
    let mut from = 0;
    for token in tokens.iter().filter(|token| token.kind == Kind::Parameter) {
        text.push_str(lexeme::slice(sql, &(from..token.span.start)).unwrap_or_default());
        let width = token.span.len();
        text.push_str(&format!("{:>width$}", 1));
        from = token.span.end;
    }
    text.push_str(lexeme::slice(sql, &(from..sql.len())).unwrap_or_default());
    text
}

fn unfit(facts: &Facts, sql: &str, tokens: &[Token]) -> Option<&'static str> {
    match &facts.query {
        _ if matches!(facts.effect, super::Effect::Destructive { .. }) => {
            Some("a backfill may not delete rows")
        }
        Query::Update => None,
        Query::Insert { selects: false, .. } => {
            Some("an INSERT of fixed values cannot go over a key range")
        }
        // A batch may run again after a crash, or after an old version wrote past it.
        Query::Insert {
            on_conflict: false, ..
        } if !excludes_existing(sql, tokens) => {
            Some("this INSERT cannot be repeated: add ON CONFLICT, or WHERE NOT EXISTS")
        }
        Query::Insert { .. } => None,
        Query::Select { .. } | Query::Other => {
            Some("a backfill is an UPDATE, or an INSERT … SELECT")
        }
    }
}

fn excludes_existing(sql: &str, tokens: &[Token]) -> bool {
    tokens.windows(2).any(|pair| {
        matches!(pair, [not, what] if not.is_word(sql, "not") && (what.is_word(sql, "exists") || what.is_word(sql, "in")))
    }) || tokens.iter().any(|token| token.is_word(sql, "except"))
}
