//! The single statements that a manifest and `backfill.sql` hold.

mod alike;
mod block;
mod range;
#[cfg(test)]
mod tests;
mod tokens;

pub use alike::alike_for_all;
pub use range::Key;
use range::{Comparison, Range};
use tokens::Tokens;

use super::facts::{Facts, Query};
use super::lexeme::{self, Kind, Token};
use super::{Dialect, Effect, Mode, Script, ScriptError, Statement, words};

const AFTER: &str = ":after";
const UPTO: &str = ":upto";

/// A statement over a range of keys: a backfill's UPDATE, or its check.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ranged {
    /// The statement with its parameters as written.
    pub text: String,
    /// `text` in pieces.
    pub parts: Vec<Part>,
}

impl Ranged {
    /// As the only statement of a script.
    #[must_use]
    pub fn as_script(&self, dialect: Dialect) -> Script {
        let statement = Statement {
            text: self.text.clone(),
            span: 0..self.text.len(),
            line: 1,
            effect: Effect::Data,
            hazard: None,
            loses: None,
            needs_no_transaction: false,
            object: None,
            more_objects: Vec::new(),
        };
        Script {
            dialect,
            mode: Mode::Transactional,
            statements: vec![statement],
        }
    }

    /// How many columns each comparison with a key has, as the statement is written.
    pub fn widths(&self) -> impl Iterator<Item = usize> {
        self.parts.iter().filter_map(|part| match part {
            Part::Sql(_) => None,
            Part::After(row) | Part::Upto(row) => Some(row.len().max(1)),
        })
    }
}

/// A piece of a statement. A comparison is a piece of its own, so that it can be written as the database serves it
/// best, and so that a range can begin with its first key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Part {
    Sql(String),
    /// `> :after`, behind the row `(a, b)` whose columns these are; none for a single column, which stands in the
    /// piece before.
    After(Vec<String>),
    /// `<= :upto`, in the same way.
    Upto(Vec<String>),
}

const ONE_SELECT: &str = "write a single SELECT that only reads, such as `SELECT count(*) FROM users WHERE first_name IS NULL`";
const ONE_UPDATE: &str = "write a single UPDATE over a key range, such as `UPDATE users SET … WHERE id > :after AND id <= :upto`";
const ONE_CHECK: &str = "write a single SELECT over a key range that finds what is wrong, such as `SELECT id FROM users WHERE id > :after AND id <= :upto AND name <> full_name`";
const KEY_RANGE: &str = "restrict the statement to a batch: `WHERE id > :after AND id <= :upto`, or `WHERE (a, b) > :after AND (a, b) <= :upto` for a key of several columns";

const BOUNDS: &str = "let `id > :after AND id <= :upto`, with the key of `table` and nothing added to it, stand in the WHERE itself, put together with the rest by AND alone; what has an OR goes in parentheses: `AND (a IS NULL OR b IS NULL)`, and what the range is of has to be tied to the rows that are written: `b.id = t.id`";

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
/// Why `sql` is not exactly one UPDATE, or INSERT … SELECT that may be repeated, over `:after` to `:upto` of `key`, where
/// that is known.
pub fn backfill_statement(
    dialect: Dialect,
    sql: &str,
    key: Option<Key<'_>>,
) -> Result<Ranged, Vec<ScriptError>> {
    ranged(dialect, sql, ONE_UPDATE, key, |facts, tokens| {
        unfit(dialect, facts, sql, tokens)
    })
}

/// # Errors
/// Why `sql` is not exactly one SELECT that only reads, over `:after` to `:upto`.
pub fn range_query(dialect: Dialect, sql: &str) -> Result<Ranged, Vec<ScriptError>> {
    ranged(dialect, sql, ONE_CHECK, None, |facts, _| {
        match &facts.query {
            Query::Select { problem: None } => None,
            Query::Select {
                problem: Some(problem),
            } => Some(format!("this query {problem}")),
            _ => Some("this is not a SELECT".to_owned()),
        }
    })
}

fn ranged(
    dialect: Dialect,
    sql: &str,
    help: &str,
    key: Option<Key<'_>>,
    unfit: impl Fn(&Facts, &[Token]) -> Option<String>,
) -> Result<Ranged, Vec<ScriptError>> {
    let tokens = lexeme::tokens(dialect.grammar(), sql).map_err(|error| vec![error])?;
    let mut errors: Vec<ScriptError> = tokens
        .iter()
        .filter_map(|token| stray(token, sql))
        .collect();
    if !errors.is_empty() {
        return Err(errors);
    }
    let parsable = with_values(sql, &tokens);
    let (span, facts) = match single(dialect, &parsable, &tokens, help) {
        Ok(found) => found,
        Err(error) => return Err(vec![error]),
    };
    if let Some(message) = unfit(&facts, &tokens) {
        errors.push(ScriptError::new(span.clone(), message, help));
    }
    for parameter in [AFTER, UPTO] {
        if !tokens.iter().any(|token| is(token, sql, parameter)) {
            let message =
                format!("`{parameter}` is missing: every batch would touch the whole table");
            errors.push(ScriptError::new(span.clone(), message, KEY_RANGE));
        }
    }
    let mut parts = Vec::new();
    let range = Range::new(Tokens::new(dialect, sql, &tokens), key);
    let (mut after_bounds, mut upto_bounds) = (Vec::new(), Vec::new());
    let mut from = span.start;
    for (index, token) in tokens.iter().enumerate() {
        if token.kind != Kind::Parameter {
            continue;
        }
        let (operator, part): (_, fn(Vec<String>) -> Part) = if is(token, sql, AFTER) {
            (">", Part::After)
        } else {
            ("<=", Part::Upto)
        };
        let before = tokens.get(..index).unwrap_or_default();
        let Some((start, row)) = compared(before, sql, operator) else {
            let name = token.text(sql);
            errors.push(ScriptError::new(
                token.span.clone(),
                format!("`{name}` has to stand right behind `{operator}`"),
                KEY_RANGE,
            ));
            continue;
        };
        parts.extend(lexeme::slice(sql, &(from..start)).map(|text| Part::Sql(text.to_owned())));
        if range.bounds(&Comparison {
            operator: index.saturating_sub(operator_tokens(before, sql, operator)),
            parameter: index,
        }) {
            if is(token, sql, AFTER) {
                after_bounds.push(index);
            } else {
                upto_bounds.push(index);
            }
        }
        parts.push(part(row));
        from = token.span.end;
    }
    let bounds = |found: &[usize]| range.is_in_every_branch(found);
    if errors.is_empty() && !(bounds(&after_bounds) && bounds(&upto_bounds)) {
        let message = "the key range does not bound what this touches: every batch would touch other rows as well, or leave some out";
        errors.push(ScriptError::new(span.clone(), message, BOUNDS));
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    let rest = lexeme::slice(sql, &(from..span.end)).unwrap_or_default();
    if !rest.is_empty() {
        parts.push(Part::Sql(rest.to_owned()));
    }
    Ok(Ranged {
        text: lexeme::slice(sql, &span).unwrap_or_default().to_owned(),
        parts,
    })
}

/// How many tokens the operator before a parameter is.
fn operator_tokens(before: &[Token], sql: &str, operator: &str) -> usize {
    let one = before
        .last()
        .is_some_and(|token| token.text(sql) == operator);
    if one { 1 } else { operator.len() }
}

/// Where a comparison begins that ends in `operator`, and the columns of the row that it compares; none for a single
/// column, where it begins with the operator.
fn compared(before: &[Token], sql: &str, operator: &str) -> Option<(usize, Vec<String>)> {
    let mut start = before.len();
    let mut text = String::new();
    // Some lexers take `<=` for two tokens.
    while text.len() < operator.len() {
        start = start.checked_sub(1)?;
        let token = before.get(start)?;
        if token.kind != Kind::Other {
            return None;
        }
        text.insert_str(0, token.text(sql));
    }
    let first = before.get(start)?;
    let adjoins = |other: &Token| {
        other.kind == Kind::Other
            && other.span.end == first.span.start
            && "<>=!".contains(other.text(sql))
    };
    let left = before.get(..start)?;
    if text != operator || left.last().is_some_and(adjoins) {
        return None;
    }
    Some(row_at_end(left, sql).unwrap_or((first.span.start, Vec::new())))
}

/// The row `(a, b)` that these tokens end in: where it begins, and its columns.
fn row_at_end(tokens: &[Token], sql: &str) -> Option<(usize, Vec<String>)> {
    let (close, inside) = tokens.split_last()?;
    if close.kind != Kind::Close {
        return None;
    }
    let mut depth = 0_usize;
    let mut columns = Vec::new();
    let mut end = close.span.start;
    for token in inside.iter().rev() {
        match token.kind {
            Kind::Close => depth += 1,
            Kind::Open if depth > 0 => depth -= 1,
            Kind::Open | Kind::Comma if depth == 0 => {
                let column = lexeme::slice(sql, &(token.span.end..end))?;
                columns.push(column.trim().to_owned());
                end = token.span.start;
                if token.kind == Kind::Open {
                    columns.reverse();
                    return (columns.len() > 1).then_some((token.span.start, columns));
                }
            }
            _ => {}
        }
    }
    None
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
/// The first function that a statement over a range of keys calls and that may do more than compute; `known` are those that
/// somebody has looked into.
#[must_use]
pub fn strange_call(dialect: Dialect, sql: &str, known: &[String]) -> Option<String> {
    let grammar = dialect.grammar();
    let tokens = lexeme::tokens(grammar, sql).ok()?;
    let is_known = |at: usize| {
        let name = tokens
            .get(at)
            .and_then(|token| (grammar.identifier)(token.text(sql)));
        name.is_some_and(|name| {
            known
                .iter()
                .any(|known| dialect.may_be_same_name(known, &name))
        })
    };
    let plain = words::without_calls(sql, &tokens, is_known);
    grammar.facts(&plain).ok()?.strange
}

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

fn unfit(dialect: Dialect, facts: &Facts, sql: &str, tokens: &[Token]) -> Option<String> {
    let why = match &facts.query {
        _ if facts.hazard.is_some() => {
            let hazard = facts.hazard.as_deref().unwrap_or_default();
            return Some(format!("{hazard}: a backfill may not"));
        }
        _ if matches!(facts.effect, super::Effect::SessionSetting { .. }) => {
            Some("a backfill may not set anything for its session")
        }
        Query::Select { .. } | Query::Other
            if matches!(facts.effect, super::Effect::Destructive { .. }) =>
        {
            Some("a backfill may not delete rows")
        }
        _ if range::writes_inside(sql, tokens) => {
            Some("a backfill writes once: what a query inside it writes is bounded by no range")
        }
        _ if range::is_limited(Tokens::new(dialect, sql, tokens)) => {
            Some("LIMIT would leave out rows of the batch, and no later batch goes over them")
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
    };
    why.map(ToOwned::to_owned)
}

fn excludes_existing(sql: &str, tokens: &[Token]) -> bool {
    tokens.windows(2).any(|pair| {
        matches!(pair, [not, what] if not.is_word(sql, "not") && (what.is_word(sql, "exists") || what.is_word(sql, "in")))
    }) || tokens.iter().any(|token| token.is_word(sql, "except"))
}
