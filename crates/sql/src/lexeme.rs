//! Tokens, as far as all databases agree on them, and what can be said of a script from them alone.

use std::ops::Range;

use super::facts::{Check, Grammar};
pub(super) use super::token::{Kind, Token, slice};
use super::{Mode, ScriptError, checked, remembered};

/// The tokens of a whole file, which may begin with a byte order mark.
pub(super) fn tokens(grammar: &Grammar, text: &str) -> Result<Vec<Token>, ScriptError> {
    remembered::tokens(grammar.dialect, text, || looked_for(grammar, text))
}

fn looked_for(grammar: &Grammar, text: &str) -> Result<Vec<Token>, ScriptError> {
    let body = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
    let skipped = text.len() - body.len();
    if u32::try_from(text.len()).is_err() {
        return Err(ScriptError::new(
            0..0,
            "this file is larger than 4 GiB",
            "load data with a backfill, not with a script",
        ));
    }
    let mut tokens = (grammar.lex)(body).map_err(|error| error.shifted(skipped))?;
    for token in &mut tokens {
        token.span = token.span.start + skipped..token.span.end + skipped;
    }
    Ok(tokens)
}

pub(super) const BYTE_ORDER_MARK: char = '\u{feff}';

/// Splits at every semicolon for which `within` (told of each token in turn) does not say that the statement
/// goes on.
pub(super) fn split(
    tokens: &[Token],
    mut within: impl FnMut(&[Token]) -> bool,
) -> Vec<Range<usize>> {
    let mut spans = Vec::new();
    let mut start = 0;
    for (index, token) in tokens.iter().enumerate() {
        if token.kind != Kind::Semicolon {
            continue;
        }
        let so_far = tokens.get(start..index).unwrap_or_default();
        if !so_far.is_empty() && within(so_far) {
            continue;
        }
        spans.extend(cover(so_far));
        start = index + 1;
    }
    spans.extend(tokens.get(start..).and_then(cover_open));
    spans
}

fn cover(tokens: &[Token]) -> Option<Range<usize>> {
    Some(tokens.first()?.span.start..tokens.last()?.span.end)
}

/// The last statement of a file may have swallowed semicolons up to the end.
fn cover_open(tokens: &[Token]) -> Option<Range<usize>> {
    let last = tokens
        .iter()
        .rposition(|token| token.kind != Kind::Semicolon)?;
    cover(tokens.get(..=last)?)
}

pub(super) fn newlines(text: &str, range: Range<usize>) -> usize {
    slice(text, &range).map_or(0, |text| text.bytes().filter(|byte| *byte == b'\n').count())
}

const FIRST_LINE: &str =
    "write `-- migrate: no-transaction` as the very first line of the file, or leave it out";

const GENERATED: &str = "generated from [change]";

/// How the script wants to be run. A directive that would be overlooked is an error, not a comment.
pub(super) fn mode(text: &str, statements: &[Range<usize>]) -> Result<Mode, ScriptError> {
    let mut mode = Mode::Transactional;
    let mut from = 0;
    let ends = statements.iter().map(|span| span.start).chain([text.len()]);
    let nexts = statements.iter().map(|span| span.end).chain([text.len()]);
    for (end, next) in ends.zip(nexts) {
        let gap = slice(text, &(from..end)).unwrap_or_default();
        let mut at = from;
        for line in gap.split_inclusive('\n') {
            let first = at == 0;
            let span = at..at + line.trim_end().len();
            at += line.len();
            let line = if first {
                line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line)
            } else {
                line
            };
            let Some(directive) = line
                .trim()
                .strip_prefix("--")
                .and_then(|comment| comment.trim_start().strip_prefix("migrate:"))
            else {
                continue;
            };
            let directive = directive.trim();
            // What declared changes write; nothing more is meant by it here.
            let (asked, is_generated) = match directive.split_once(GENERATED) {
                Some((asked, from)) => (
                    asked.trim_end_matches(", "),
                    from.is_empty() || from.starts_with(" for "),
                ),
                None => (directive, false),
            };
            match (asked, first) {
                ("no-transaction", true) if is_generated || asked == directive => {
                    mode = Mode::NoTransaction;
                }
                ("", true) if is_generated => {}
                ("no-transaction", false) => {
                    let message = "this directive is not on the first line, so it would do nothing";
                    return Err(ScriptError::new(span, message, FIRST_LINE));
                }
                _ => {
                    let message = format!("unknown directive `{directive}`");
                    return Err(ScriptError::new(span, message, FIRST_LINE));
                }
            }
        }
        from = next;
    }
    Ok(mode)
}

/// What the CHECKs in a column definition say of rows that leave the column out.
pub(super) fn check(
    text: &str,
    tokens: &[Token],
    has_default: bool,
    is_column: impl Fn(&str) -> bool,
) -> Check {
    if !checked::has_check(text, tokens) {
        return Check::No;
    }
    let passes = if has_default {
        checked::default_passes(text, tokens, is_column)
    } else {
        !strict_check(text, tokens, is_column)
    };
    if passes { Check::Passes } else { Check::Strict }
}

/// Whether a CHECK in a column definition is one that rows without a say in it may fail: it looks at other
/// columns, calls a function, or rejects NULL.
pub(super) fn strict_check(text: &str, tokens: &[Token], is_column: impl Fn(&str) -> bool) -> bool {
    let mut inside = 0usize;
    let mut after: [&str; 2] = ["", ""];
    let mut opening = false;
    for (index, token) in tokens.iter().enumerate() {
        let word = token.text(text);
        if inside > 0 && checked::refuses_null(text, tokens, index) {
            return true;
        }
        match token.kind {
            Kind::Word if inside == 0 => opening = token.is_word(text, "check"),
            Kind::Open if inside > 0 || opening => {
                inside += 1;
                opening = false;
            }
            Kind::Close => inside = inside.saturating_sub(1),
            Kind::Word | Kind::QuotedName if inside > 0 => {
                let is_cast = after.last().is_some_and(|colon| *colon == ":");
                let known =
                    is_column(word) || is_cast || (token.kind == Kind::Word && is_harmless(word));
                let calls = !is_harmless(word)
                    && tokens
                        .get(index + 1)
                        .is_some_and(|next| next.kind == Kind::Open);
                if !known || (calls && !is_cast) {
                    return true;
                }
            }
            _ => {}
        }
        let [_, last] = after;
        after = [last, word];
    }
    false
}

/// Words of a condition that make no NULL fail: its grammar, and functions that answer NULL with NULL.
pub(super) fn is_harmless(word: &str) -> bool {
    const HARMLESS: &[&str] = &[
        "and",
        "or",
        "not",
        "in",
        "is",
        "null",
        "like",
        "ilike",
        "glob",
        "between",
        "true",
        "false",
        "any",
        "array",
        "similar",
        "to",
        "abs",
        "btrim",
        "cardinality",
        "char_length",
        "character_length",
        "json_valid",
        "jsonb_typeof",
        "length",
        "lower",
        "ltrim",
        "octet_length",
        "round",
        "rtrim",
        "trim",
        "upper",
    ];
    HARMLESS
        .iter()
        .any(|harmless| word.eq_ignore_ascii_case(harmless))
}

/// Where the name begins of the only relation that a query reads; `None` where that is not plain.
pub(super) fn only_source(text: &str, tokens: &[Token]) -> Option<usize> {
    let is = |token: &Token, words: &[&str]| words.iter().any(|word| token.is_word(text, word));
    // What stands outside of a FROM list may read as well: a subquery has a FROM of its own, a `TABLE t` has none.
    let mut froms = tokens
        .iter()
        .enumerate()
        .filter(|(_, token)| is(token, &["from"]));
    let (from, _) = froms.next()?;
    let others = [
        "join",
        "straight_join",
        "union",
        "intersect",
        "except",
        "with",
        "table",
        "lateral",
    ];
    let behind = tokens.get(from..)?;
    let list = behind.iter().take_while(|token| {
        !is(
            token,
            &["where", "group", "order", "limit", "having", "window"],
        )
    });
    let is_plain = froms.next().is_none()
        && !behind.iter().any(|token| is(token, &others))
        && !list
            .clone()
            .any(|token| matches!(token.kind, Kind::Comma | Kind::Open));
    is_plain.then_some(from + 1)
}

/// Whether a value is NULL, in parentheses or by another name of its type: `NULL`, `(NULL)`, `NULL::int`, `CAST(NULL AS int)`.
pub(super) fn is_null(text: &str, value: &[Token]) -> bool {
    let mut inner = value.iter().filter(|token| token.kind != Kind::Open);
    match inner.next() {
        Some(cast) if cast.is_word(text, "cast") => inner
            .next()
            .is_some_and(|value| value.is_word(text, "null")),
        first => first.is_some_and(|value| value.is_word(text, "null")),
    }
}

/// Whether a value divides by nothing, whoever asks for it.
pub(super) fn divides_by_zero(text: &str, value: &[Token]) -> bool {
    let is_division = |token: &Token| {
        matches!(token.text(text), "/" | "%")
            || token.is_word(text, "div")
            || token.is_word(text, "mod")
    };
    value.windows(2).any(|pair| match pair {
        [division, zero] => {
            is_division(division)
                && zero
                    .text(text)
                    .parse::<f64>()
                    .is_ok_and(|divisor| divisor == 0.0)
        }
        _ => false,
    })
}

/// Whether what is written on a conflict leaves each column as it is: `DO UPDATE SET id = t.id`.
pub(super) fn keeps_on_conflict(text: &str, tokens: &[Token]) -> bool {
    let is = |at: usize, words: &[&str]| {
        tokens
            .get(at)
            .is_some_and(|token| words.iter().any(|word| token.is_word(text, word)))
    };
    let update = (1..tokens.len()).find(|at| is(*at, &["update"]) && is(at - 1, &["do", "key"]));
    let Some(update) = update else { return false };
    let mut at = update + 1;
    if is(at, &["set"]) {
        at += 1;
    }
    let word = |at: usize| tokens.get(at).map_or("", |token| token.text(text));
    let name = |at: &mut usize| {
        let first = word(*at);
        if word(*at + 1) != "." {
            *at += 1;
            return Some(first.to_ascii_lowercase());
        }
        // Of the row that was to be inserted.
        if first.eq_ignore_ascii_case("excluded") {
            return None;
        }
        *at += 3;
        Some(word(*at - 1).to_ascii_lowercase())
    };
    loop {
        let Some(column) = name(&mut at) else {
            return false;
        };
        let is_assigned = word(at) == "=";
        at += 1;
        if !is_assigned || name(&mut at).as_deref() != Some(column.as_str()) {
            return false;
        }
        match tokens.get(at) {
            Some(token) if token.kind == Kind::Comma => at += 1,
            None => return true,
            Some(_) => return is(at, &["returning"]),
        }
    }
}

/// The columns that an UPDATE assigns to, as written; `None` where it is not plain.
pub(super) fn assigned<'t>(text: &'t str, tokens: &[Token]) -> Option<Vec<&'t str>> {
    const ENDS: &[&str] = &["from", "where", "returning", "order", "limit"];
    let mut depth = 0usize;
    let mut columns = Vec::new();
    let mut expects = false;
    let mut started = false;
    for (index, token) in tokens.iter().enumerate() {
        match token.kind {
            // `SET (a, b) = …`
            Kind::Open if started && expects && depth == 0 => {
                let close = (index..tokens.len()).find(|at| {
                    tokens
                        .get(*at)
                        .is_some_and(|token| token.kind == Kind::Close)
                })?;
                let list = tokens.get(index + 1..close)?;
                let is_name = |token: &&Token| matches!(token.kind, Kind::Word | Kind::QuotedName);
                if list
                    .iter()
                    .any(|token| !is_name(&token) && token.kind != Kind::Comma)
                {
                    return None;
                }
                columns.extend(list.iter().filter(is_name).map(|token| token.text(text)));
                expects = false;
                depth += 1;
            }
            Kind::Open => depth += 1,
            Kind::Close => depth = depth.saturating_sub(1),
            _ if depth > 0 => {}
            Kind::Word if !started => {
                started = token.is_word(text, "set");
                expects = started;
            }
            Kind::Comma if started => expects = true,
            Kind::Word
                if started && !expects && ENDS.iter().any(|end| token.is_word(text, end)) =>
            {
                break;
            }
            Kind::Word | Kind::QuotedName if expects => {
                let next = tokens.get(index + 1).map(|next| next.text(text));
                match next {
                    // A table or alias before it.
                    Some(".") => {}
                    Some(sign) if sign.starts_with('=') || sign == ":" => {
                        columns.push(token.text(text));
                        expects = false;
                    }
                    _ => return None,
                }
            }
            _ => {}
        }
    }
    (!columns.is_empty()).then_some(columns)
}

/// Whether an UPDATE assigns a column to itself, which only has its triggers run: `SET a = a`, `SET t.a = t.a`.
pub(super) fn assigns_itself(text: &str, tokens: &[Token], column: &str) -> bool {
    const ENDS: &[&str] = &["where", "from", "returning", "order", "limit"];
    let word = |at: usize| tokens.get(at).map_or("", |token| token.text(text));
    let begin = tokens
        .iter()
        .position(|token| token.is_word(text, "set"))
        .unwrap_or(tokens.len());
    (begin + 1..tokens.len()).any(|at| {
        // Past the `=`, and the table or alias before the name.
        let mut value = at + 2;
        if word(value + 1) == "." {
            value += 2;
        }
        let after = tokens.get(value + 1);
        let ends = after.is_none_or(|after| {
            after.kind == Kind::Comma || ENDS.iter().any(|end| after.is_word(text, end))
        });
        word(at) == column
            && word(at + 1) == "="
            && word(value).eq_ignore_ascii_case(column)
            && ends
    })
}

/// Whether an expression that is computed for every row may fail for some: it divides, or casts what is no literal to
/// something narrower than a text.
pub(super) fn may_fail(text: &str, tokens: &[Token]) -> bool {
    const WIDE: &[&str] = &["text", "varchar", "citext"];
    const FAIL: &[&str] = &[
        "convert_from",
        "decode",
        "json_array_length",
        "jsonb_array_length",
        "to_date",
        "to_number",
        "to_timestamp",
    ];
    let is_wide = |token: Option<&Token>| {
        token.is_some_and(|token| WIDE.iter().any(|wide| token.is_word(text, wide)))
    };
    tokens.iter().enumerate().any(|(index, token)| {
        let at = |ahead: usize| tokens.get(index + ahead);
        let is_cast = token.text(text) == ":" && at(1).is_some_and(|next| next.text(text) == ":");
        let before = index.checked_sub(1).and_then(|before| tokens.get(before));
        match token.text(text) {
            "/" | "%" => true,
            "::" => before.is_none_or(|value| value.kind != Kind::Literal) && !is_wide(at(1)),
            _ if is_cast => {
                before.is_none_or(|value| value.kind != Kind::Literal) && !is_wide(at(2))
            }
            _ if token.is_word(text, "cast") => {
                let target = tokens
                    .iter()
                    .skip(index)
                    .skip_while(|token| !token.is_word(text, "as"))
                    .nth(1);
                !is_wide(target)
            }
            word => ["div", "mod"]
                .iter()
                .chain(FAIL)
                .any(|name| word.eq_ignore_ascii_case(name)),
        }
    })
}

/// Whether an expression reads a text as JSON, which fails where it is none, and does not ask for that first.
pub(super) fn reads_json(text: &str, tokens: &[Token]) -> bool {
    const READ: &[&str] = &[
        "json",
        "json_array_length",
        "json_contains",
        "json_contains_path",
        "json_extract",
        "json_insert",
        "json_keys",
        "json_length",
        "json_query",
        "json_remove",
        "json_replace",
        "json_search",
        "json_set",
        "json_type",
        "json_value",
        "jsonb",
        "jsonb_extract",
    ];
    let reads = tokens.iter().enumerate().any(|(index, token)| {
        let next = tokens.get(index + 1);
        let is_call = next.is_some_and(|next| next.kind == Kind::Open);
        match token.text(text) {
            "->" | "->>" => true,
            "-" => {
                next.is_some_and(|next| next.text(text) == ">" && next.span.start == token.span.end)
            }
            _ => is_call && READ.iter().any(|name| token.is_word(text, name)),
        }
    });
    reads && !tokens.iter().any(|token| token.is_word(text, "json_valid"))
}
