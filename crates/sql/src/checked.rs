//! Whether the default of a new column satisfies the CHECKs of its own definition, as far as that can be told by
//! reading: a database checks it against rows that are there, and an empty table has none.

use super::token::{Kind, Token};

/// Whether a column definition has a CHECK.
pub(super) fn has_check(text: &str, tokens: &[Token]) -> bool {
    !conditions(text, tokens).is_empty()
}

/// Whether a column definition has one of these words outside of parentheses.
pub(super) fn has_word(text: &str, tokens: &[Token], word: &str) -> bool {
    outer(tokens).any(|at| {
        tokens
            .get(at)
            .is_some_and(|token| token.is_word(text, word))
    })
}

/// Whether the default is one that can be read, and no CHECK refuses it.
pub(super) fn default_passes(
    text: &str,
    tokens: &[Token],
    is_column: impl Fn(&str) -> bool,
) -> bool {
    default_is_let_in(text, tokens, is_column) == Some(true)
}

/// The same; `None` where it cannot be told.
pub(super) fn default_is_let_in(
    text: &str,
    tokens: &[Token],
    is_column: impl Fn(&str) -> bool,
) -> Option<bool> {
    let column = Column {
        text,
        value: default(text, tokens)?,
        is_column: &is_column,
    };
    let conditions = conditions(text, tokens).into_iter();
    all_hold(conditions.map(|condition| column.holds_for(condition, 0)))
}

/// Whether all of these hold: one that does not is enough to say no.
fn all_hold(each: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let mut all = Some(true);
    for one in each {
        match one {
            Some(true) => {}
            Some(false) => return Some(false),
            None => all = None,
        }
    }
    all
}

/// Whether the token here, in a CHECK, has a NULL answered with something else than NULL, and not with true: `a IS TRUE`.
pub(super) fn refuses_null(text: &str, tokens: &[Token], at: usize) -> bool {
    let is = |at: usize, word: &str| {
        tokens
            .get(at)
            .is_some_and(|token| token.is_word(text, word))
    };
    let sign = |at: usize| tokens.get(at).map_or("", |token| token.text(text));
    let asks_later = || (at + 1..tokens.len()).any(|later| is(later, "is") || is(later, "isnull"));
    if is(at, "is") {
        if is(at + 1, "not") {
            // Others are told apart from NULL.
            return is(at + 2, "null") || is(at + 2, "distinct");
        }
        if is(at + 1, "distinct") {
            return is(at + 2, "from") && is(at + 3, "null");
        }
        if !is(at + 1, "null") {
            return !is(at + 1, "unknown");
        }
        // `(a IS NULL) = 0`
        let after = tokens.get(at + 2..).unwrap_or_default();
        let after = after.iter().find(|token| token.kind != Kind::Close);
        return after.is_some_and(|token| {
            token.kind == Kind::Other
                && matches!(
                    token.text(text),
                    "=" | "==" | "<" | ">" | "<>" | "!" | "!=" | "<=" | ">="
                )
        });
    }
    if is(at, "not") && !at.checked_sub(1).is_some_and(|before| is(before, "is")) {
        let is_part = ["in", "like", "ilike", "between", "glob", "similar"]
            .iter()
            .any(|word| is(at + 1, word));
        return is(at + 1, "null") || (!is_part && asks_later());
    }
    match sign(at) {
        "!" => sign(at + 1) != "=" && asks_later(),
        "<=>" => true,
        "<" => sign(at + 1) == "=" && sign(at + 2) == ">",
        _ => is(at, "notnull"),
    }
}

/// The positions of tokens that stand in no parentheses.
fn outer(tokens: &[Token]) -> impl Iterator<Item = usize> + '_ {
    let mut depth = 0_usize;
    tokens.iter().enumerate().filter_map(move |(at, token)| {
        let is_outer = depth == 0;
        match token.kind {
            Kind::Open => depth += 1,
            Kind::Close => depth = depth.saturating_sub(1),
            _ => {}
        }
        is_outer.then_some(at)
    })
}

/// What stands between the parentheses that open here.
fn inside(tokens: &[Token]) -> Option<&[Token]> {
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate() {
        match token.kind {
            Kind::Open => depth += 1,
            Kind::Close => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return tokens.get(1..at);
        }
    }
    None
}

fn conditions<'t>(text: &str, tokens: &'t [Token]) -> Vec<&'t [Token]> {
    let checks = outer(tokens).filter(|at| {
        let is_check = tokens
            .get(*at)
            .is_some_and(|token| token.is_word(text, "check"));
        is_check
            && tokens
                .get(at + 1)
                .is_some_and(|next| next.kind == Kind::Open)
    });
    checks
        .filter_map(|at| inside(tokens.get(at + 1..)?))
        .collect()
}

#[derive(Clone, PartialEq, Debug)]
enum Value {
    Number(f64),
    Text(String),
    Truth(bool),
}

impl Value {
    fn number(&self) -> Option<f64> {
        match self {
            Value::Number(number) => Some(*number),
            Value::Text(text) => text.trim().parse().ok(),
            Value::Truth(_) => None,
        }
    }

    /// `None` where it depends on the type or the collation.
    fn compares(&self, sign: &str, other: &Value) -> Option<bool> {
        if let (Value::Text(one), Value::Text(other)) = (self, other) {
            let is_like = one.trim().eq_ignore_ascii_case(other.trim())
                || !one.is_ascii()
                || !other.is_ascii();
            return match sign {
                "=" | "==" if one == other => Some(true),
                "=" | "==" if !is_like => Some(false),
                "<>" | "!=" if !is_like => Some(true),
                "<>" | "!=" if one == other => Some(false),
                _ => None,
            };
        }
        if let (Value::Truth(one), Value::Truth(other)) = (self, other) {
            return matches!(sign, "=" | "==").then_some(one == other);
        }
        let order = self.number()?.partial_cmp(&other.number()?)?;
        match sign {
            "=" | "==" => Some(order.is_eq()),
            "<>" | "!=" => Some(order.is_ne()),
            "<" => Some(order.is_lt()),
            ">" => Some(order.is_gt()),
            "<=" => Some(order.is_le()),
            ">=" => Some(order.is_ge()),
            _ => None,
        }
    }
}

/// A literal at the beginning, with its sign and cast, and how many tokens it takes.
fn literal(text: &str, tokens: &[Token]) -> Option<(Value, usize)> {
    let first = tokens.first()?;
    let (sign, mut at) = match first.text(text) {
        "-" => (-1.0, 1),
        "+" => (1.0, 1),
        _ => (1.0, 0),
    };
    let token = tokens.get(at)?;
    let word = token.text(text);
    let value = if at == 0 && token.is_word(text, "true") {
        Value::Truth(true)
    } else if at == 0 && token.is_word(text, "false") {
        Value::Truth(false)
    } else if token.kind != Kind::Literal {
        return None;
    } else if let Ok(number) = word.parse::<f64>() {
        Value::Number(sign * number)
    } else {
        let plain = word
            .strip_prefix('\'')
            .and_then(|rest| rest.strip_suffix('\''))
            .filter(|text| at == 0 && !text.contains(['\'', '\\']))?;
        Value::Text(plain.to_owned())
    };
    at += 1;
    let is = |at: usize, sign: &str| tokens.get(at).is_some_and(|token| token.text(text) == sign);
    // A cast to a text alone leaves a literal as it is.
    let cast = match (is(at, "::"), is(at, ":") && is(at + 1, ":")) {
        (true, _) => Some(at + 1),
        (_, true) => Some(at + 2),
        _ => None,
    };
    if let Some(cast) = cast {
        tokens
            .get(cast)
            .filter(|typ| typ.is_word(text, "text") || typ.is_word(text, "jsonb"))?;
        at = cast + 1;
    }
    Some((value, at))
}

/// The value of `DEFAULT`, where it is a literal.
fn default(text: &str, tokens: &[Token]) -> Option<Value> {
    let begin = outer(tokens).find(|at| {
        tokens
            .get(*at)
            .is_some_and(|token| token.is_word(text, "default"))
    })?;
    let rest = tokens.get(begin + 1..)?;
    let rest = match rest.first()?.kind {
        Kind::Open => {
            let inner = inside(rest)?;
            let (value, taken) = literal(text, inner)?;
            return (taken == inner.len()).then_some(value);
        }
        _ => rest,
    };
    let (value, taken) = literal(text, rest)?;
    rest.get(taken)
        .is_none_or(|next| matches!(next.kind, Kind::Word | Kind::Comma | Kind::Semicolon))
        .then_some(value)
}

struct Column<'c> {
    text: &'c str,
    value: Value,
    is_column: &'c dyn Fn(&str) -> bool,
}

const DEEPEST: usize = 20;

impl Column<'_> {
    /// Whether the condition holds for the value; `None` where that cannot be told.
    fn holds_for(&self, condition: &[Token], depth: usize) -> Option<bool> {
        if depth > DEEPEST {
            return None;
        }
        let is_open = |token: &&Token| token.kind == Kind::Open;
        if let Some(inner) = condition
            .first()
            .filter(is_open)
            .and_then(|_| inside(condition))
            .filter(|inner| inner.len() + 2 == condition.len())
        {
            return self.holds_for(inner, depth + 1);
        }
        let either = self.parts(condition, "or");
        if either.len() > 1 {
            let fails = |part| self.holds_for(part, depth + 1).map(|holds| !holds);
            return all_hold(either.into_iter().map(fails)).map(|fail| !fail);
        }
        let all = self.parts(condition, "and");
        if all.len() > 1 {
            let holds = |part| self.holds_for(part, depth + 1);
            return all_hold(all.into_iter().map(holds));
        }
        self.holds(condition)
    }

    /// The parts between these words that stand in no parentheses, except for the `AND` of a `BETWEEN`.
    fn parts<'t>(&self, condition: &'t [Token], word: &str) -> Vec<&'t [Token]> {
        let mut parts = Vec::new();
        let (mut from, mut is_between) = (0, false);
        for at in outer(condition) {
            let Some(token) = condition.get(at) else {
                continue;
            };
            if token.is_word(self.text, "between") {
                is_between = true;
            } else if token.is_word(self.text, "and") && is_between {
                is_between = false;
            } else if token.is_word(self.text, word) {
                parts.extend(condition.get(from..at));
                from = at + 1;
            }
        }
        parts.extend(condition.get(from..));
        parts
    }

    fn holds(&self, term: &[Token]) -> Option<bool> {
        let (value, rest) = self.operand(term)?;
        let first = rest.first();
        let is = |at: usize, word: &str| {
            rest.get(at)
                .is_some_and(|token| token.is_word(self.text, word))
        };
        match first {
            None => match value {
                Value::Truth(truth) => Some(truth),
                _ => None,
            },
            Some(_) if is(0, "is") && is(1, "not") && is(2, "null") && rest.len() == 3 => {
                Some(true)
            }
            Some(_) if is(0, "in") => {
                let inner = inside(rest.get(1..)?)?;
                (inner.len() + 3 == rest.len()).then_some(())?;
                let mut rest = inner;
                let mut is_other = true;
                loop {
                    let (one, taken) = literal(self.text, rest)?;
                    match value.compares("=", &one) {
                        Some(true) => return Some(true),
                        Some(false) => {}
                        None => is_other = false,
                    }
                    rest = rest.get(taken..)?;
                    match rest.first() {
                        None => return is_other.then_some(false),
                        Some(next) if next.kind == Kind::Comma => rest = rest.get(1..)?,
                        Some(_) => return None,
                    }
                }
            }
            Some(_) if is(0, "between") => {
                let rest = rest.get(1..)?;
                let (low, taken) = literal(self.text, rest)?;
                let rest = rest.get(taken..)?;
                rest.first()?.is_word(self.text, "and").then_some(())?;
                let rest = rest.get(1..)?;
                let (high, taken) = literal(self.text, rest)?;
                let fits = value.compares(">=", &low)? && value.compares("<=", &high)?;
                (taken == rest.len()).then_some(fits)
            }
            Some(token) if token.kind == Kind::Other => {
                let signs = rest
                    .iter()
                    .take_while(|token| {
                        token.kind == Kind::Other && !matches!(token.text(self.text), "-" | "+")
                    })
                    .count();
                let sign: String = rest
                    .get(..signs)?
                    .iter()
                    .map(|token| token.text(self.text))
                    .collect();
                let rest = rest.get(signs..)?;
                let (other, taken) = literal(self.text, rest)?;
                (taken == rest.len()).then_some(())?;
                value.compares(&sign, &other)
            }
            Some(_) => None,
        }
    }

    /// The column itself, or what a function makes of it.
    fn operand<'t>(&self, term: &'t [Token]) -> Option<(Value, &'t [Token])> {
        let first = term.first()?;
        let name = first.text(self.text);
        let is_call = term.get(1).is_some_and(|next| next.kind == Kind::Open);
        if !is_call {
            return (self.is_column)(name).then(|| Some((self.value.clone(), term.get(1..)?)))?;
        }
        let inner = inside(term.get(1..)?)?;
        let [argument] = inner else { return None };
        (self.is_column)(argument.text(self.text)).then_some(())?;
        let rest = term.get(inner.len() + 3..)?;
        let Value::Text(text) = &self.value else {
            return None;
        };
        let value = match name.to_ascii_lowercase().as_str() {
            "length" | "char_length" | "character_length"
                if text.is_ascii() && !text.ends_with(' ') =>
            {
                Value::Number(f64::from(u32::try_from(text.len()).ok()?))
            }
            "json_valid" if matches!(text.as_str(), "{}" | "[]") => Value::Truth(true),
            "jsonb_typeof" | "json_typeof" if text == "{}" => Value::Text("object".to_owned()),
            "jsonb_typeof" | "json_typeof" if text == "[]" => Value::Text("array".to_owned()),
            _ => return None,
        };
        Some((value, rest))
    }
}
