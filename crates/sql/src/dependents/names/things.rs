//! Whether a text names something else than a table: a function, a sequence, a type; and which variables hold rows.

use super::super::super::Dialect;
use super::{Piece, Wanted};

impl Wanted<'_> {
    /// `f(…)`, `CALL p`.
    pub(super) fn is_called(&self, statement: &[Piece], index: usize) -> bool {
        const NOT_BEFORE: &[&str] = &["into", "update", "table", "function", "procedure", "join"];
        if !self.is_table(statement.get(index)) {
            return false;
        }
        let before = |back: usize| index.checked_sub(back).and_then(|at| statement.get(at));
        let first = match before(1) {
            Some(dot) if dot.is_sign(".") => before(3),
            other => other,
        };
        if first.is_some_and(|word| word.is("call")) {
            return true;
        }
        statement.get(index + 1) == Some(&Piece::Open)
            && !first.is_some_and(|word| word.is_any(NOT_BEFORE))
    }

    /// `nextval('s')`, `nextval(s)`, `NEXT VALUE FOR s`.
    pub(super) fn is_counted_by(&self, statement: &[Piece], index: usize) -> bool {
        const COUNT: &[&str] = &["nextval", "currval", "setval", "lastval"];
        let Some(piece) = statement.get(index) else {
            return false;
        };
        let before = |back: usize| index.checked_sub(back).and_then(|at| statement.get(at));
        match piece {
            Piece::Text(text) => {
                let name = text.rsplit('.').next().unwrap_or(text).trim_matches('"');
                self.same(name, self.table)
                    && before(1) == Some(&Piece::Open)
                    && before(2).is_some_and(|word| word.is_any(COUNT))
            }
            Piece::Name(name) if self.same(name, self.table) => {
                let back = match before(1) {
                    Some(dot) if dot.is_sign(".") => 2,
                    _ => 0,
                };
                let is_argument = before(back + 1) == Some(&Piece::Open)
                    && before(back + 2).is_some_and(|word| word.is_any(COUNT));
                let is_next = before(back + 1).is_some_and(|word| word.is("for"))
                    && before(back + 2).is_some_and(|word| word.is("value"));
                is_argument || is_next
            }
            _ => false,
        }
    }

    /// `x::t`, `CAST (x AS t)`, and what a variable is declared to be. A column may be called like its type.
    pub(super) fn is_type(&self, statement: &[Piece], index: usize) -> bool {
        if !matches!(statement.get(index), Some(Piece::Name(name)) if self.same(name, self.table)) {
            return false;
        }
        let at = match index.checked_sub(1).and_then(|at| statement.get(at)) {
            Some(dot) if dot.is_sign(".") => index.saturating_sub(2),
            _ => index,
        };
        let before = |back: usize| at.checked_sub(back).and_then(|at| statement.get(at));
        let next = statement.get(index + 1);
        let is_cast = before(1).is_some_and(|sign| sign.is_sign("::") || sign.is_sign(":"))
            && next.is_none_or(|next| !next.is_sign("="));
        let is_last_of_cast = before(1).is_some_and(|word| word.is("as"))
            && next == Some(&Piece::Close)
            && statement.iter().any(|piece| piece.is("cast"));
        let is_declared = match (before(2), before(1)) {
            (None, Some(Piece::Name(_))) => {
                next.is_none_or(|next| next.is_sign(":=") || next.is_any(&["not", "default"]))
            }
            (Some(declare), Some(Piece::Name(_))) => declare.is("declare"),
            _ => false,
        };
        is_cast
            || is_last_of_cast
            || is_declared && !before(1).is_some_and(|word| word.is("return"))
    }

    /// `r users%ROWTYPE`, `FOR r IN SELECT … FROM users LOOP`, `SELECT … INTO r FROM users`, `f(u users)`.
    pub(super) fn rows_of(&self, pieces: &[Piece]) -> Vec<String> {
        let mut rows = Vec::new();
        if self.dialect != Dialect::Postgres || self.column.is_none() {
            return rows;
        }
        for statement in pieces.split(|piece| *piece == Piece::Semicolon) {
            let names_it = (0..statement.len()).any(|at| self.is_named_table(statement, at));
            for (index, piece) in statement.iter().enumerate() {
                let Piece::Name(name) = piece else { continue };
                let after = |ahead: usize| statement.get(index + ahead);
                let of = match after(2) {
                    Some(dot) if dot.is_sign(".") => 3,
                    _ => 1,
                };
                let is_typed = self.is_table(after(of))
                    && after(of + 1).is_none_or(|next| {
                        next.is_sign("%") || matches!(next, Piece::Comma | Piece::Close)
                    });
                let before = index.checked_sub(1).and_then(|at| statement.get(at));
                let is_filled = names_it
                    && before.is_some_and(|word| word.is_any(&["for", "into", "strict"]))
                    && after(1).is_some_and(|word| word.is_any(&["in", "from"]));
                if is_typed || is_filled {
                    rows.push(name.clone());
                }
            }
        }
        rows
    }
}
