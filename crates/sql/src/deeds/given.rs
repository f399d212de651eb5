//! What a value that code gives to a column is made of, as far as that decides whether a rule of the column may refuse it.

use super::super::lexeme::{Kind, Token};
use super::super::tables::items;
use super::super::{Dialect, checked, lexeme};
use super::Value;

/// What a value can come to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    Null,
    /// As written.
    Literal(String),
    /// A column of the row that fires the code, as it is.
    Column(String),
    /// Something that is computed.
    Other,
}

/// What has no value where what it is given has none, and one of its own for nothing else.
const STRICT: &[&str] = &[
    "abs",
    "btrim",
    "cast",
    "char_length",
    "initcap",
    "lcase",
    "left",
    "length",
    "lower",
    "ltrim",
    "md5",
    "replace",
    "right",
    "rtrim",
    "substr",
    "substring",
    "trim",
    "ucase",
    "upper",
];

/// What keeps apart what is apart.
const KEEPS_APART: &[&str] = &[
    "md5", "sha1", "sha2", "sha256", "sha512", "hex", "quote", "encode",
];

/// Words by which a value is made that no other has.
const UNIQUE: &[&str] = &[
    "uuid",
    "nextval",
    "newid",
    "random_bytes",
    "randomblob",
    "ulid",
    "nanoid",
];

impl Value {
    /// What it can come to: the arms of a CASE, what COALESCE goes through.
    #[must_use]
    pub fn outcomes(&self, dialect: Dialect) -> Vec<Outcome> {
        let tokens = lexeme::tokens(dialect.grammar(), &self.text).unwrap_or_default();
        self.outcomes_of(dialect, &tokens, 0)
    }

    fn outcomes_of(&self, dialect: Dialect, tokens: &[Token], depth: usize) -> Vec<Outcome> {
        const DEEPEST: usize = 20;
        let text = |token: Option<&Token>| token.map_or("", |token| token.text(&self.text));
        let tokens = without_cast(&self.text, without_parentheses(tokens));
        let is = |at: usize, word: &str| {
            tokens
                .get(at)
                .is_some_and(|token| token.is_word(&self.text, word))
        };
        if depth > DEEPEST {
            return vec![Outcome::Other];
        }
        match tokens {
            [one] if one.is_word(&self.text, "null") => return vec![Outcome::Null],
            [one]
                if one.kind == Kind::Literal
                    || one.is_word(&self.text, "true")
                    || one.is_word(&self.text, "false")
                    || text(Some(one)).starts_with(|c: char| c.is_ascii_digit()) =>
            {
                return vec![Outcome::Literal(text(Some(one)).to_owned())];
            }
            [sign, number]
                if matches!(text(Some(sign)), "-" | "+") && number.kind == Kind::Literal =>
            {
                return vec![Outcome::Literal(format!(
                    "{}{}",
                    text(Some(sign)),
                    text(Some(number))
                ))];
            }
            _ => {}
        }
        if let Some(column) = self.row_column(dialect, tokens) {
            return vec![Outcome::Column(column)];
        }
        if is(0, "case") {
            return self.arms(dialect, tokens, depth);
        }
        let is_call = tokens.get(1).is_some_and(|open| open.kind == Kind::Open)
            && behind(tokens, 1) == tokens.len();
        let arguments = || {
            let inside = tokens.get(2..tokens.len().saturating_sub(1));
            items(inside.unwrap_or_default())
        };
        if is_call && (is(0, "coalesce") || is(0, "ifnull")) {
            let arguments = arguments();
            let mut all: Vec<Outcome> = arguments
                .iter()
                .flat_map(|one| self.outcomes_of(dialect, one, depth + 1))
                .collect();
            // There is something as soon as one of them always has a value.
            let is_sure = |one: &Outcome| matches!(one, Outcome::Literal(_));
            if all.iter().any(is_sure) {
                all.retain(|one| *one != Outcome::Null);
            }
            return all;
        }
        if is_call && is(0, "if") {
            let arguments = arguments();
            let arms = arguments.iter().skip(1);
            return arms
                .flat_map(|one| self.outcomes_of(dialect, one, depth + 1))
                .collect();
        }
        vec![Outcome::Other]
    }

    /// The arms of a CASE, if that is all there is.
    fn arms(&self, dialect: Dialect, tokens: &[Token], depth: usize) -> Vec<Outcome> {
        let (mut level, mut cases) = (0_usize, 0_usize);
        let mut from = None;
        let mut has_else = false;
        let mut found = Vec::new();
        for (at, token) in tokens.iter().enumerate() {
            match token.kind {
                Kind::Open => level += 1,
                Kind::Close => level = level.saturating_sub(1),
                _ => {}
            }
            let is = |word: &str| token.is_word(&self.text, word);
            if level > 0 {
                continue;
            }
            if is("case") {
                cases += 1;
            }
            let ends = is("when") || is("else") || is("end");
            if cases == 1
                && ends
                && let Some(begin) = from.take()
            {
                let arm = tokens.get(begin..at).unwrap_or_default();
                found.extend(self.outcomes_of(dialect, arm, depth + 1));
            }
            if cases == 1 && (is("then") || is("else")) {
                from = Some(at + 1);
                has_else |= is("else");
            }
            if is("end") {
                cases = cases.saturating_sub(1);
                if cases == 0 && at + 1 != tokens.len() {
                    return vec![Outcome::Other];
                }
            }
        }
        if !has_else {
            found.push(Outcome::Null);
        }
        found
    }

    /// `NEW.a` or `OLD.a`, alone.
    fn row_column(&self, dialect: Dialect, tokens: &[Token]) -> Option<String> {
        let [row, dot, column] = tokens else {
            return None;
        };
        let name = |token: &Token| (dialect.grammar().identifier)(token.text(&self.text));
        let row = name(row)?;
        let is_row = ["new", "old"]
            .iter()
            .any(|known| dialect.may_be_same_name(known, &row));
        (is_row && dot.text(&self.text) == ".").then(|| name(column))?
    }

    /// The columns of the row that fires the code whose values it keeps apart: two that differ there are two values.
    #[must_use]
    pub fn tells_apart(&self, dialect: Dialect) -> Vec<String> {
        let tokens = lexeme::tokens(dialect.grammar(), &self.text).unwrap_or_default();
        let mut tokens = without_cast(&self.text, without_parentheses(&tokens));
        while let [call, open, ..] = tokens
            && open.kind == Kind::Open
            && KEEPS_APART
                .iter()
                .any(|word| call.is_word(&self.text, word))
            && behind(tokens, 1) == tokens.len()
        {
            let inside = tokens.get(2..tokens.len() - 1).unwrap_or_default();
            let first = items(inside).first().copied().unwrap_or_default();
            tokens = without_cast(&self.text, without_parentheses(first));
        }
        if let Some(column) = self.row_column(dialect, tokens) {
            return vec![column];
        }
        // `a || '-' || NEW.id`
        let joins = tokens
            .windows(2)
            .any(|pair| pair.iter().all(|sign| sign.text(&self.text) == "|"))
            || tokens.iter().any(|sign| sign.text(&self.text) == "||")
            || tokens.first().is_some_and(|call| {
                call.is_word(&self.text, "concat") || call.is_word(&self.text, "concat_ws")
            });
        if !joins {
            return Vec::new();
        }
        self.row_columns(dialect, tokens)
    }

    /// Every `NEW.a` and `OLD.a` of it.
    fn row_columns(&self, dialect: Dialect, tokens: &[Token]) -> Vec<String> {
        let all = tokens.windows(3);
        all.filter_map(|three| self.row_column(dialect, three))
            .collect()
    }

    /// Whether it is one that no other row gets.
    #[must_use]
    pub fn is_given_out(&self) -> bool {
        let lower = self.text.to_lowercase();
        UNIQUE.iter().any(|word| lower.contains(word))
    }

    /// The columns of the row that fires the code without which it has no value either, where it does nothing about that.
    #[must_use]
    pub fn null_with(&self, dialect: Dialect) -> Vec<String> {
        let tokens = lexeme::tokens(dialect.grammar(), &self.text).unwrap_or_default();
        let text = |at: usize| tokens.get(at).map_or("", |token| token.text(&self.text));
        let mut at = 0;
        while let Some(token) = tokens.get(at) {
            if tokens
                .get(at..at + 3)
                .is_some_and(|three| self.row_column(dialect, three).is_some())
            {
                at += 3;
                continue;
            }
            let word = token.text(&self.text).to_lowercase();
            let is_strict = STRICT.contains(&word.as_str())
                || dialect == Dialect::Mysql && matches!(word.as_str(), "concat");
            let is_call = text(at + 1) == "(";
            let is_type =
                at > 0 && (text(at - 1).ends_with(':') || text(at - 1).eq_ignore_ascii_case("as"));
            let is_fine = match token.kind {
                Kind::Word => is_call && is_strict || is_type || word == "as",
                Kind::QuotedName => false,
                _ => true,
            };
            if !is_fine {
                return Vec::new();
            }
            at += 1;
        }
        self.row_columns(dialect, &tokens)
    }
}

impl Dialect {
    /// Whether a CHECK with this condition lets a literal pass in this column, as far as that can be told by reading.
    #[must_use]
    pub fn literal_passes(self, column: &str, literal: &str, condition: &str) -> bool {
        let text = format!("{column} x DEFAULT {literal} CHECK ({condition})");
        let Ok(tokens) = lexeme::tokens(self.grammar(), &text) else {
            return false;
        };
        let is_it = |name: &str| {
            (self.grammar().identifier)(name)
                .is_some_and(|name| self.may_be_same_name(&name, column))
        };
        checked::default_passes(&text, &tokens, is_it)
    }
}

/// Past the parenthesis that opens at `open`.
fn behind(tokens: &[Token], open: usize) -> usize {
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate().skip(open) {
        match token.kind {
            Kind::Open => depth += 1,
            Kind::Close => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return at + 1;
        }
    }
    tokens.len()
}

pub(super) fn without_parentheses(mut tokens: &[Token]) -> &[Token] {
    while tokens.first().is_some_and(|open| open.kind == Kind::Open)
        && tokens.len() > 2
        && behind(tokens, 0) == tokens.len()
    {
        tokens = tokens.get(1..tokens.len() - 1).unwrap_or_default();
    }
    tokens
}

/// `a::text` and `CAST(a AS text)` are as `a` is; a cast to what is narrower fails, and makes nothing the same.
fn without_cast<'t>(text: &str, tokens: &'t [Token]) -> &'t [Token] {
    const WIDE: &[&str] = &[
        "text", "varchar", "char", "bigint", "int8", "numeric", "uuid", "jsonb",
    ];
    let sign = |at: usize| tokens.get(at).map_or("", |token| token.text(text));
    let is_wide = |at: usize| {
        at + 1 == tokens.len() && WIDE.iter().any(|word| sign(at).eq_ignore_ascii_case(word))
    };
    let colon = (0..tokens.len()).find(|at| sign(*at).starts_with(':'));
    if let Some(colon) = colon {
        let kind = (colon..tokens.len()).find(|at| !sign(*at).starts_with(':'));
        return match kind {
            Some(kind) if is_wide(kind) => {
                without_parentheses(tokens.get(..colon).unwrap_or_default())
            }
            _ => tokens,
        };
    }
    let is_cast = tokens
        .first()
        .is_some_and(|call| call.is_word(text, "cast"))
        && behind(tokens, 1) == tokens.len();
    let inside = tokens.get(2..tokens.len().saturating_sub(1));
    match inside {
        Some([value @ .., says, kind])
            if is_cast
                && says.is_word(text, "as")
                && WIDE.iter().any(|word| kind.is_word(text, word)) =>
        {
            value
        }
        _ => tokens,
    }
}

#[cfg(test)]
mod tests {
    use super::super::Value;
    use super::Outcome::{self, Column, Literal, Null, Other};
    use crate::Dialect;

    fn value(text: &str) -> Value {
        Value {
            text: text.to_owned(),
        }
    }

    fn column(name: &str) -> Outcome {
        Column(name.to_owned())
    }

    fn literal(text: &str) -> Outcome {
        Literal(text.to_owned())
    }

    #[test]
    fn what_a_value_can_come_to_is_told() {
        for (text, expected) in [
            ("NULL", vec![Null]),
            ("'a'", vec![literal("'a'")]),
            ("-1", vec![literal("-1")]),
            ("(NEW.n)", vec![column("n")]),
            ("NEW.n::text", vec![column("n")]),
            ("CAST(NEW.n AS text)", vec![column("n")]),
            ("NEW.age::int", vec![Other]),
            ("lower(NEW.n)", vec![Other]),
            ("coalesce(NEW.n, 0)", vec![column("n"), literal("0")]),
            (
                "CASE WHEN NEW.n > 3 THEN 'a' WHEN NEW.n > 2 THEN (CASE WHEN true THEN 'b' ELSE NEW.m END) ELSE 'c' END",
                vec![literal("'a'"), literal("'b'"), column("m"), literal("'c'")],
            ),
            ("CASE NEW.n WHEN 1 THEN 'a' END", vec![literal("'a'"), Null]),
            ("CASE WHEN true THEN 1 ELSE 2 END + 1", vec![Other]),
        ] {
            assert_eq!(value(text).outcomes(Dialect::Postgres), expected, "{text}");
        }
    }

    #[test]
    fn what_keeps_values_apart_is_told() {
        for (text, expected) in [
            ("NEW.email", vec!["email"]),
            ("md5(NEW.email::text)", vec!["email"]),
            ("lower(NEW.name) || '-' || NEW.id", vec!["name", "id"]),
            ("lower(NEW.email)", vec![]),
            ("NEW.n % 7", vec![]),
        ] {
            assert_eq!(
                value(text).tells_apart(Dialect::Postgres),
                expected,
                "{text}"
            );
        }
        assert!(value("gen_random_uuid()").is_given_out());
        assert!(!value("lower(NEW.name)").is_given_out());
    }

    #[test]
    fn what_is_null_with_its_column_is_told() {
        for (text, expected) in [
            ("NEW.phone", vec!["phone"]),
            ("trim(NEW.phone::text)", vec!["phone"]),
            ("NEW.a || ' ' || NEW.b", vec!["a", "b"]),
            ("coalesce(NEW.phone, '')", vec![]),
            ("CASE WHEN NEW.a THEN NEW.b END", vec![]),
            ("concat(NEW.a, NEW.b)", vec![]),
            ("mine(NEW.a)", vec![]),
        ] {
            assert_eq!(value(text).null_with(Dialect::Postgres), expected, "{text}");
        }
        let joined = value("CONCAT(NEW.a, ' ', NEW.b)");
        assert_eq!(joined.null_with(Dialect::Mysql), ["a", "b"]);
    }

    #[test]
    fn a_literal_is_tried_against_a_condition() {
        for (literal, condition, passes) in [
            ("5", "x > 100", false),
            ("500", "x > 100", true),
            ("'a'", "x IN ('a', 'b')", true),
            ("'c'", "x IN ('a', 'b')", false),
            ("5", "odd(x)", false),
        ] {
            let found = Dialect::Postgres.literal_passes("x", literal, condition);
            assert_eq!(found, passes, "{literal} {condition}");
        }
    }
}
