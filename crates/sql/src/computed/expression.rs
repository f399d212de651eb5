//! Whether an expression has a value for every row: what is held to is a list, and whatever is not on it may fail.

use super::super::Dialect;
use super::super::lexeme::{Kind, Token};
use super::super::tables::items;
use super::arithmetic::Arithmetic;
use super::calls::{Call, part_of_time};
use super::shape::{Shape, Why};

pub(super) struct Expression<'e> {
    pub dialect: Dialect,
    pub text: &'e str,
    /// What a column of the table can be.
    pub column: &'e dyn Fn(&str) -> Shape,
}

/// One part of an expression.
#[derive(Clone, Debug)]
enum Part<'t> {
    /// Signs that stand together.
    Sign(String),
    Word(&'t Token),
    Literal(&'t Token),
    /// What is in parentheses, or in brackets.
    Group {
        inside: &'t [Token],
        is_index: bool,
    },
}

const DEEPEST: usize = 40;

/// What makes a truth of its operands.
const TRUTHS: &[&str] = &[
    "=", "<", ">", "<=", ">=", "<>", "!=", "~", "~*", "!~", "!~*", "@>", "<@", "?", "?|", "?&",
    "&&", "<=>", "@@", "==",
];
const TRUTH_WORDS: &[&str] = &[
    "and", "or", "not", "is", "in", "like", "ilike", "between", "similar", "isnull", "notnull",
    "regexp", "rlike", "distinct", "xor",
];

impl Expression<'_> {
    pub fn shape(&self, tokens: &[Token]) -> Result<Shape, Why> {
        self.of(&self.parts(tokens), 0)
    }

    fn parts<'t>(&self, tokens: &'t [Token]) -> Vec<Part<'t>> {
        let mut parts: Vec<Part<'t>> = Vec::new();
        let mut at = 0;
        let mut end = usize::MAX;
        while let Some(token) = tokens.get(at) {
            at += 1;
            match token.kind {
                Kind::Open => {
                    let mut depth = 1_usize;
                    let from = at;
                    while depth > 0
                        && let Some(token) = tokens.get(at)
                    {
                        match token.kind {
                            Kind::Open => depth += 1,
                            Kind::Close => depth -= 1,
                            _ => {}
                        }
                        at += 1;
                    }
                    parts.push(Part::Group {
                        inside: tokens.get(from..at.saturating_sub(1)).unwrap_or_default(),
                        is_index: token.text(self.text) == "[",
                    });
                }
                Kind::Word | Kind::QuotedName => parts.push(Part::Word(token)),
                Kind::Literal => parts.push(Part::Literal(token)),
                _ => {
                    let sign = token.text(self.text);
                    match parts.last_mut() {
                        Some(Part::Sign(before)) if end == token.span.start => {
                            before.push_str(sign)
                        }
                        _ => parts.push(Part::Sign(sign.to_owned())),
                    }
                    end = token.span.end;
                }
            }
        }
        parts
    }

    fn word<'p>(&'p self, part: Option<&'p Part<'_>>) -> &'p str {
        match part {
            Some(Part::Word(token)) if token.kind == Kind::Word => token.text(self.text),
            _ => "",
        }
    }

    fn is(&self, part: Option<&Part<'_>>, word: &str) -> bool {
        self.word(part).eq_ignore_ascii_case(word)
    }

    fn is_sign(part: Option<&Part<'_>>, sign: &str) -> bool {
        matches!(part, Some(Part::Sign(found)) if found == sign)
    }

    fn of(&self, parts: &[Part<'_>], depth: usize) -> Result<Shape, Why> {
        if depth > DEEPEST {
            return Err("is nested too deeply to be understood".to_owned());
        }
        let parts = self.without_collation(parts);
        match parts {
            [] => return Ok(Shape::Null),
            [Part::Group { inside, .. }] => return self.of(&self.parts(inside), depth + 1),
            _ => {}
        }
        if self.is(parts.first(), "case") && self.is(parts.last(), "end") {
            return self.of_case(parts, depth);
        }
        if let Some(shape) = self.of_truth(parts, depth)? {
            return Ok(shape);
        }
        if let Some(shape) = self.of_joined(parts, depth)? {
            return Ok(shape);
        }
        for signs in [&["+", "-"][..], &["*", "/", "%"]] {
            if let Some(at) = (1..parts.len()).rev().find(|at| {
                let is_binary = !matches!(parts.get(at - 1), Some(Part::Sign(_)));
                let word = self.word(parts.get(*at)).to_ascii_lowercase();
                is_binary
                    && (signs.iter().any(|sign| Self::is_sign(parts.get(*at), sign))
                        || signs.contains(&"/") && matches!(word.as_str(), "div" | "mod"))
            }) {
                let (before, rest) = parts.split_at(at);
                let sign = match rest.first() {
                    Some(Part::Sign(sign)) => sign.clone(),
                    other => self.word(other).to_owned(),
                };
                let behind = rest.get(1..).unwrap_or_default();
                let (a, b) = (self.of(before, depth + 1)?, self.of(behind, depth + 1)?);
                let divisor = match behind {
                    [Part::Literal(token)] => token.text(self.text).parse().ok(),
                    _ => None,
                };
                let arithmetic = Arithmetic {
                    dialect: self.dialect,
                    divisor,
                };
                return arithmetic.shape(&sign, a, b);
            }
        }
        self.of_operand(parts, depth)
    }

    /// Without `COLLATE "C"` at its end.
    fn without_collation<'p, 't>(&self, parts: &'p [Part<'t>]) -> &'p [Part<'t>] {
        match parts.len().checked_sub(2) {
            Some(at) if at > 0 && self.is(parts.get(at), "collate") => {
                parts.get(..at).unwrap_or(parts)
            }
            _ => parts,
        }
    }

    /// Conditions and comparisons: each of their operands has to have a value.
    fn of_truth(&self, parts: &[Part<'_>], depth: usize) -> Result<Option<Shape>, Why> {
        let mut cases = 0_usize;
        let mut splits = Vec::new();
        for (at, part) in parts.iter().enumerate() {
            let word = self.word(Some(part)).to_ascii_lowercase();
            match word.as_str() {
                "case" => cases += 1,
                "end" => cases = cases.saturating_sub(1),
                _ => {}
            }
            let is_truth = match part {
                Part::Sign(sign) => TRUTHS.contains(&sign.as_str()),
                Part::Word(_) => TRUTH_WORDS.contains(&word.as_str()),
                _ => false,
            };
            if is_truth && cases == 0 {
                splits.push(at);
            }
        }
        if splits.is_empty() {
            return Ok(None);
        }
        splits.push(parts.len());
        let mut from = 0;
        for at in splits {
            let piece = parts.get(from..at).unwrap_or_default();
            from = at + 1;
            match piece {
                // `IN (1, 2)`
                [Part::Group { inside, .. }] => {
                    for item in items(inside) {
                        self.of(&self.parts(item), depth + 1)?;
                    }
                }
                piece if piece.len() == 1 && self.is(piece.first(), "null") => {}
                piece
                    if piece.len() == 1
                        && ["unknown", "from"]
                            .iter()
                            .any(|word| self.is(piece.first(), word)) => {}
                piece => {
                    self.of(piece, depth + 1)?;
                }
            }
        }
        Ok(Some(Shape::boolean()))
    }

    /// `a || b`
    fn of_joined(&self, parts: &[Part<'_>], depth: usize) -> Result<Option<Shape>, Why> {
        let mut cases = 0_usize;
        let is_join = |part: &&Part<'_>| Self::is_sign(Some(part), "||");
        if !parts.iter().any(|part| is_join(&part)) {
            return Ok(None);
        }
        if self.dialect == Dialect::Mysql {
            return Err(
                "uses `||`, which joins texts or asks for truths as the server is set".to_owned(),
            );
        }
        let mut pieces: Vec<Vec<Part<'_>>> = vec![Vec::new()];
        for part in parts {
            if self.is(Some(part), "case") {
                cases += 1;
            } else if self.is(Some(part), "end") {
                cases = cases.saturating_sub(1);
            }
            if is_join(&part) && cases == 0 {
                pieces.push(Vec::new());
            } else if let Some(piece) = pieces.last_mut() {
                piece.push(part.clone());
            }
        }
        if pieces.len() < 2 {
            return Ok(None);
        }
        let mut length = Some(0_u32);
        let mut other = None;
        for piece in pieces {
            let shape = self.of(&piece, depth + 1)?;
            if let Shape::Of(name) = &shape
                && ["jsonb", "tsvector", "bytea"].contains(&name.as_str())
            {
                other = Some(shape.clone());
            }
            length = length.zip(shape.length()).map(|(a, b)| a.saturating_add(b));
        }
        Ok(Some(other.unwrap_or(Shape::Text(length))))
    }

    fn of_case(&self, parts: &[Part<'_>], depth: usize) -> Result<Shape, Why> {
        let mut shape = Shape::Null;
        let (mut from, mut nested) = (1, 0_usize);
        let mut is_value = false;
        for at in 1..parts.len() {
            let word = self.word(parts.get(at)).to_ascii_lowercase();
            let is_last = at + 1 == parts.len();
            match word.as_str() {
                "case" => nested += 1,
                "end" if nested > 0 => nested -= 1,
                "when" | "then" | "else" | "end" if nested == 0 => {
                    let piece = parts.get(from..at).unwrap_or_default();
                    let found = self.of(piece, depth + 1)?;
                    if is_value {
                        shape = shape.or(found);
                    }
                    is_value = matches!(word.as_str(), "then" | "else");
                    from = at + 1;
                }
                _ => {}
            }
            if is_last && nested > 0 {
                return Err("has a CASE that is not understood".to_owned());
            }
        }
        Ok(shape)
    }

    /// A column, a literal, a call, a cast, or what stands in a document.
    fn of_operand(&self, parts: &[Part<'_>], depth: usize) -> Result<Shape, Why> {
        // From behind: casts, subscripts, `->`, `AT TIME ZONE`.
        if let Some(at) = parts.iter().rposition(|part| matches!(part, Part::Sign(sign) if ["->", "->>", "#>", "#>>", "::"].contains(&sign.as_str())))
            && let Some(Part::Sign(sign)) = parts.get(at)
        {
            let before = self.of(parts.get(..at).unwrap_or_default(), depth + 1)?;
            if sign == "::" {
                return self.of_cast(before, parts.get(at + 1..).unwrap_or_default());
            }
            self.of(parts.get(at + 1..).unwrap_or_default(), depth + 1)?;
            return Ok(match sign.ends_with(">>") {
                true => Shape::Text(None),
                false => Shape::Of("jsonb".to_owned()),
            });
        }
        if let Some(at) = (1..parts.len()).find(|at| {
            self.is(parts.get(*at), "at")
                && self.is(parts.get(at + 1), "time")
                && self.is(parts.get(at + 2), "zone")
        }) {
            self.of(parts.get(..at).unwrap_or_default(), depth + 1)?;
            return Ok(Shape::Any);
        }
        match parts {
            [Part::Sign(sign), rest @ ..] if sign == "-" || sign == "+" => {
                match self.of(rest, depth + 1)? {
                    Shape::Unknown(name) => Err(format!(
                        "calculates with `{name}`, whose type is in no earlier migration"
                    )),
                    shape => Ok(shape),
                }
            }
            [Part::Literal(token)] => Ok(self.of_literal(token)),
            // `DATE '2026-01-01'`
            [Part::Word(_), Part::Literal(_)] => Ok(Shape::Any),
            [Part::Word(word)] if self.is(parts.first(), "null") && word.kind == Kind::Word => {
                Ok(Shape::Null)
            }
            [Part::Word(_)]
                if self.is(parts.first(), "true") || self.is(parts.first(), "false") =>
            {
                Ok(Shape::boolean())
            }
            [Part::Word(column)] => Ok(self.of_column(column)),
            [Part::Word(_), Part::Sign(dot), Part::Word(column)] if dot == "." => {
                Ok(self.of_column(column))
            }
            [Part::Word(_), Part::Group { is_index: true, .. }] => Ok(Shape::Any),
            [Part::Word(function), Part::Group { inside, .. }] => {
                self.of_call(function, inside, depth)
            }
            [
                Part::Word(_),
                Part::Sign(dot),
                Part::Word(function),
                Part::Group { inside, .. },
            ] if dot == "." => self.of_call(function, inside, depth),
            _ => Err("is not understood".to_owned()),
        }
    }

    fn of_column(&self, token: &Token) -> Shape {
        let written = token.text(self.text);
        let name = (self.dialect.grammar().identifier)(written);
        (self.column)(name.as_deref().unwrap_or(written))
    }

    fn of_literal(&self, token: &Token) -> Shape {
        let text = token.text(self.text);
        if let Ok(number) = text.parse::<i64>() {
            return Shape::signed(match number.unsigned_abs() {
                0..0x80 => 1,
                0x80..0x8000 => 2,
                0x8000..0x8000_0000 => 4,
                _ => 8,
            });
        }
        if let Some((before, behind)) = text.split_once('.')
            && text.parse::<f64>().is_ok()
        {
            let count = |digits: &str| u32::try_from(digits.len()).unwrap_or(u32::MAX);
            return Shape::Decimal(Some((count(before), count(behind))));
        }
        Shape::Text(Some(
            u32::try_from(text.chars().count().saturating_sub(2)).unwrap_or(u32::MAX),
        ))
    }

    fn of_cast(&self, from: Shape, typ: &[Part<'_>]) -> Result<Shape, Why> {
        let span = |part: &Part<'_>| match part {
            Part::Word(token) | Part::Literal(token) => token.text(self.text).to_owned(),
            Part::Sign(sign) => sign.clone(),
            Part::Group { inside, is_index } => {
                let inside: Vec<&str> = inside.iter().map(|token| token.text(self.text)).collect();
                match is_index {
                    true => format!("[{}]", inside.concat()),
                    false => format!("({})", inside.concat()),
                }
            }
        };
        let written: Vec<String> = typ.iter().map(span).collect();
        let written = written.join(" ").replace(" (", "(").replace(" [", "[");
        let into = Shape::of_type(self.dialect, &written);
        let is_cut = matches!(into, Shape::Text(_));
        if is_cut
            || from.fits(&into, self.dialect) && !matches!(from, Shape::Text(_) | Shape::Unknown(_))
            || from == into
        {
            return Ok(into);
        }
        Err(format!("casts to {written}, which fails for what is none"))
    }

    fn of_call(&self, function: &Token, inside: &[Token], depth: usize) -> Result<Shape, Why> {
        let name = function.text(self.text).to_ascii_lowercase();
        if name == "cast" {
            let parts = self.parts(inside);
            let at = parts.iter().rposition(|part| self.is(Some(part), "as"));
            let Some(at) = at else {
                return Err("has a CAST that is not understood".to_owned());
            };
            let from = self.of(parts.get(..at).unwrap_or_default(), depth + 1)?;
            return self.of_cast(from, parts.get(at + 1..).unwrap_or_default());
        }
        if name == "extract" {
            let parts = self.parts(inside);
            self.of(parts.get(2..).unwrap_or_default(), depth + 1)?;
            return Ok(part_of_time(self.word(parts.first())));
        }
        let arguments = items(inside).into_iter().map(|item| {
            let parts = self.parts(item);
            // `trim(BOTH ' ' FROM a)`, `substring(a FROM 1 FOR 3)`, `position('a' IN b)`
            let words = ["both", "leading", "trailing", "from", "for"];
            let plain: Vec<Part<'_>> = parts
                .into_iter()
                .filter(|part| !words.iter().any(|word| self.is(Some(part), word)))
                .collect();
            match plain.as_slice() {
                [several @ .., _]
                    if !several.is_empty()
                        && several
                            .iter()
                            .all(|part| matches!(part, Part::Literal(_) | Part::Word(_)))
                        && ["trim", "substring"].contains(&name.as_str()) =>
                {
                    let shapes: Result<Vec<Shape>, Why> = plain
                        .iter()
                        .map(|part| self.of(std::slice::from_ref(part), depth + 1))
                        .collect();
                    shapes.map(|shapes| {
                        shapes
                            .into_iter()
                            .max_by_key(|shape| shape.length().unwrap_or(u32::MAX))
                            .unwrap_or(Shape::Null)
                    })
                }
                plain => self.of(plain, depth + 1),
            }
        });
        let arguments: Vec<Shape> = arguments.collect::<Result<_, _>>()?;
        let written: Vec<Option<&str>> = items(inside)
            .into_iter()
            .map(|item| match item {
                [one] => Some(one.text(self.text)),
                _ => None,
            })
            .collect();
        Call {
            dialect: self.dialect,
            name: &name,
            arguments: &arguments,
            written: &written,
        }
        .shape()
    }
}
