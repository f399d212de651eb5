//! What code tells whoever listens (`pg_notify`), and what it reads as JSON.

use std::ops::Range;

use super::super::Dialect;
use super::super::lexeme::{self, Kind};
use super::read::Reader;
use super::{Deed, Value};

/// What makes something short of whatever it is given.
const SHORTENS: &[&str] = &[
    "left",
    "substr",
    "substring",
    "md5",
    "sha256",
    "length",
    "octet_length",
    "hashtext",
];

impl Reader<'_> {
    /// `pg_notify('channel', payload)`
    pub(super) fn told(&mut self, at: usize, end: usize) {
        // Whoever measures it knows of the bound.
        let measures = (0..self.tokens.len()).any(|at| {
            self.is(
                at,
                &["length", "octet_length", "pg_column_size", "exception"],
            )
        });
        if measures {
            return;
        }
        for call in at..end {
            if !self.is(call, &["pg_notify"]) || self.kind(call + 1) != Some(Kind::Open) {
                continue;
            }
            let last = self.behind(call + 1).saturating_sub(1);
            let mut depth = 0_usize;
            let comma = (call + 2..last).find(|at| {
                match self.kind(*at) {
                    Some(Kind::Open) => depth += 1,
                    Some(Kind::Close) => depth = depth.saturating_sub(1),
                    _ => {}
                }
                depth == 0 && self.kind(*at) == Some(Kind::Comma)
            });
            let Some(comma) = comma else { continue };
            let payload = Value {
                text: self.spelled_out(comma + 1..last),
            };
            self.found.push(Deed::Tells { payload });
        }
    }

    /// The expression, with those that the variables in it are given.
    fn spelled_out(&self, range: Range<usize>) -> String {
        let mut texts: Vec<&str> = Vec::new();
        let mut open = vec![range];
        let mut seen: Vec<String> = Vec::new();
        while let Some(range) = open.pop() {
            if self.is(range.start, SHORTENS) {
                continue;
            }
            texts.push(self.between(range.clone()));
            for at in range {
                let is_bare = at == 0 || self.sign(at - 1) != ".";
                let is_variable = is_bare && !matches!(self.sign(at + 1), "." | "(");
                let Some(name) = self.name(at).filter(|_| is_variable) else {
                    continue;
                };
                if !seen.contains(&name) {
                    open.extend(self.given_to(&name));
                    seen.push(name);
                }
            }
        }
        texts.join(" ")
    }

    /// What a variable is given, where it is declared and afterwards.
    fn given_to(&self, name: &str) -> Vec<Range<usize>> {
        let begins = |at: usize| {
            at == 0
                || self.kind(at - 1) == Some(Kind::Semicolon)
                || self.is(at - 1, &["begin", "then", "else", "loop", "declare"])
        };
        let all = 0..self.tokens.len();
        let named = all.filter(|at| {
            let is_it = |other: String| self.dialect.may_be_same_name(&other, name);
            begins(*at) && self.name(*at).is_some_and(is_it)
        });
        named
            .filter_map(|at| {
                let end = (at..self.tokens.len())
                    .find(|at| self.kind(*at) == Some(Kind::Semicolon))
                    .unwrap_or(self.tokens.len());
                let value = (at + 1..end).find(|at| {
                    matches!(self.sign(*at), "=" | ":=") || self.is(*at, &["default"])
                })?;
                Some(value + 1..end)
            })
            .collect()
    }
}

impl Value {
    /// Whether all of the row that fires the code is in it: `row_to_json(NEW)`, `NEW::text`, `NEW.*`.
    #[must_use]
    pub fn whole_rows(&self, dialect: Dialect) -> bool {
        let tokens = lexeme::tokens(dialect.grammar(), &self.text).unwrap_or_default();
        let sign = |at: usize| tokens.get(at).map_or("", |token| token.text(&self.text));
        (0..tokens.len()).any(|at| {
            let is_row = ["new", "old"]
                .iter()
                .any(|row| sign(at).eq_ignore_ascii_case(row));
            let is_name = at == 0 || sign(at - 1) != ".";
            is_row && is_name && (sign(at + 1) != "." || sign(at + 2) == "*")
        })
    }
}

impl Dialect {
    /// The columns of the row that the text of code reads as JSON: `json_extract(NEW.a, '$.b')`.
    #[must_use]
    pub fn json_of_row(self, text: &str) -> Vec<String> {
        const MAKES: &[&str] = &[
            "json_object",
            "json_array",
            "json_quote",
            "json_valid",
            "json_error_position",
            "json_group_array",
            "json_group_object",
        ];
        let tokens = lexeme::tokens(self.grammar(), text).unwrap_or_default();
        let sign = |at: usize| tokens.get(at).map_or("", |token| token.text(text));
        let reads = (0..tokens.len()).filter(|at| {
            let word = sign(*at).to_ascii_lowercase();
            let word = match word.strip_prefix("jsonb") {
                Some(rest) => format!("json{rest}"),
                None => word,
            };
            let is_reader = word.starts_with("json_") || self == Self::Sqlite && word == "json";
            is_reader && !MAKES.contains(&word.as_str()) && sign(at + 1) == "("
        });
        let columns = reads.filter_map(|at| {
            let is_row = sign(at + 2).eq_ignore_ascii_case("new") && sign(at + 3) == ".";
            let token = tokens.get(at + 4).filter(|_| is_row)?;
            (self.grammar().identifier)(token.text(text))
        });
        // `NEW.a -> '$.b'`
        let by_arrow = (0..tokens.len()).filter(|at| {
            let (next, after) = (sign(at + 3), sign(at + 4));
            let is_arrow = next.starts_with("->") || next == "-" && after.starts_with('>');
            self == Self::Sqlite
                && sign(*at).eq_ignore_ascii_case("new")
                && sign(at + 1) == "."
                && is_arrow
        });
        let by_arrow =
            by_arrow.filter_map(|at| (self.grammar().identifier)(tokens.get(at + 2)?.text(text)));
        columns.chain(by_arrow).collect()
    }
}
