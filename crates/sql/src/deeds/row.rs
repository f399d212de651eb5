//! The row that is being written: what else stands for it, and what a statement does to the one that fired it.

use std::ops::Range;

use super::super::lexeme::{self, Kind, Token};
use super::super::{Dialect, Place};
use super::read::Reader;
use super::{Deed, Returns, Value, Write, paths};

impl Reader<'_> {
    /// Variables that a trigger's function of PL/pgSQL returns: `r := NEW; r.a := 1; RETURN r`.
    pub(super) fn returned_rows(&self) -> Vec<String> {
        if self.dialect != Dialect::Postgres || !self.returns_row {
            return Vec::new();
        }
        // What is returned after the write is looked at by nobody.
        if self.is_fired("after") {
            return Vec::new();
        }
        let returned = (0..self.tokens.len()).filter(|at| self.is(*at, &["return"]));
        let returned = returned.filter_map(|at| {
            let mut name = at + 1;
            while self.kind(name) == Some(Kind::Open) {
                name += 1;
            }
            let mut end = name + 1;
            while self.kind(end) == Some(Kind::Close) {
                end += 1;
            }
            let is_alone = self.kind(end) == Some(Kind::Semicolon)
                && !self.is(name, &["new", "old", "null", "next", "query"]);
            is_alone.then(|| self.name(name)).flatten()
        });
        returned.collect()
    }

    /// Whether the row that is written stands here by its own name, in quotes or without.
    pub(super) fn is_new(&self, at: usize) -> bool {
        self.name(at)
            .is_some_and(|name| self.dialect.may_be_same_name(&name, "new"))
    }

    /// Whether this is the name of the row that is written, or of what becomes it.
    pub(super) fn is_row(&self, at: usize) -> bool {
        self.is_new(at)
            || !self.returned.is_empty()
                && self.name(at).is_some_and(|name| {
                    let is_it = |row: &String| self.dialect.may_be_same_name(row, &name);
                    self.returned.iter().any(is_it)
                })
    }

    /// The whole row gets the value that begins at `value`.
    pub(super) fn row_becomes(&mut self, at: usize, value: usize, end: usize) {
        let is_alone = value + 1 == end;
        // `IF TG_OP = 'DELETE' THEN r := OLD`: the row that goes.
        let is_the_one_that_goes = self.is(value, &["old"])
            && !self.is_new(at)
            && (0..self.tokens.len()).any(|at| self.is(at, &["tg_op"]));
        if is_alone && (self.is_row(value) || is_the_one_that_goes) {
            return;
        }
        self.found.push(Deed::Replaces {
            why: format!(
                "replaces the whole row that is written (`{}`)",
                self.between(at..end)
            ),
        });
    }

    /// The writes that fire it, where that is said.
    fn fired_by(&self) -> Vec<Write> {
        let all = Write::ALL.into_iter();
        all.filter(|write| self.is_fired(write.word())).collect()
    }

    /// Which writes of a row come to which RETURN, where a trigger is fired by them and looks at what is returned.
    pub(super) fn returns(&self) -> Returns {
        let writes = self.fired_by();
        let is_asked = self.dialect == Dialect::Postgres && self.returns_row && !writes.is_empty();
        is_asked.then(|| paths::returns(self, &writes)).flatten()
    }

    /// How this RETURN keeps a write from happening, or makes another one of it.
    pub(super) fn wrong_row(&self, at: usize, end: usize) -> Option<String> {
        let writes = self.fired_by();
        // What is returned to a statement's trigger is looked at by nobody.
        let is_of_statement = !writes.is_empty() && !self.is_fired("row");
        if !self.returns_row || self.is_fired("after") || is_of_statement {
            return None;
        }
        let is_old = self.is(at + 1, &["old"]) && at + 2 == end;
        let stops = || "returns OLD, so that the write does not happen".to_owned();
        let is_other = || {
            let written = self.between(at..end);
            format!("returns another row than the one that is written (`{written}`)")
        };
        let is_null = || {
            format!(
                "returns what is NULL where a row is deleted (`{}`): no DELETE happens any longer, without a word, and rows that a \
                 foreign key takes along stay as well",
                self.between(at..end)
            )
        };
        let Some(returns) = &self.returns else {
            // Who asks in words that are not read here may know what goes where; unless it is always the same.
            if writes == [Write::Delete] {
                return (!self.gives_what_goes(at + 1, end)).then(is_null);
            }
            let may_be_deleted = writes.contains(&Write::Delete);
            let is_right = may_be_deleted || self.returns_what_is_written(at + 1, end);
            return match is_old {
                true => (!may_be_deleted).then(stops),
                false => (!is_right).then(is_other),
            };
        };
        let come = returns.get(&at).map_or(&[][..], Vec::as_slice);
        if come.contains(&Write::Delete) && !self.gives_what_goes(at + 1, end) {
            return Some(is_null());
        }
        let is_written = || come.iter().any(|write| *write != Write::Delete);
        match is_old {
            true => is_written().then(stops),
            false if self.returns_what_is_written(at + 1, end) => None,
            false => is_written().then(is_other),
        }
    }

    /// Whether it returns the row that goes, or nothing, of which others tell: OLD, `COALESCE(NEW, OLD)`, a variable that becomes OLD.
    fn gives_what_goes(&self, from: usize, end: usize) -> bool {
        let names_old = |from: usize, end: usize| (from..end).any(|at| self.is(at, &["old"]));
        let becomes_old = |at: usize| {
            let Some(name) = self.name(at) else {
                return false;
            };
            (0..self.tokens.len()).any(|at| {
                let is_it = || {
                    let other = self.name(at);
                    other.is_some_and(|other| self.dialect.may_be_same_name(&other, &name))
                };
                let value = match self.sign(at + 1) {
                    "=" | ":=" => at + 2,
                    ":" => at + 3,
                    _ => return false,
                };
                let last = (value..self.tokens.len())
                    .find(|at| self.kind(*at) == Some(Kind::Semicolon))
                    .unwrap_or(self.tokens.len());
                is_it() && names_old(value, last)
            })
        };
        let mut first = from;
        while self.kind(first) == Some(Kind::Open) {
            first += 1;
        }
        names_old(from, end) || self.is(first, &["null"]) || (from..end).any(becomes_old)
    }

    /// Whether what is returned is the row that is written, or the one that goes where a row is deleted.
    pub(super) fn returns_what_is_written(&self, mut from: usize, mut end: usize) -> bool {
        if self.is_fired("after") {
            return true;
        }
        while self.kind(from) == Some(Kind::Open) && self.behind(from) == end && from + 1 < end {
            (from, end) = (from + 1, end - 1);
        }
        let is_a_row = |at: usize| self.is_row(at) || self.is(at, &["null"]);
        if from + 1 >= end {
            return from == end || is_a_row(from);
        }
        let all = |words: &[&str]| {
            (from + 1..end).all(|at| self.kind(at) != Some(Kind::Word) || self.is(at, words))
        };
        if self.is(from, &["coalesce"]) {
            // The first that is there: an UPDATE has both.
            return all(&["new", "old"]) && self.is(from + 2, &["new"]);
        }
        if self.is(from, &["case"]) {
            return self.each_arm_is_what_is_written(from, end);
        }
        // A cast of NULL is one as well.
        self.is(from, &["null"])
    }

    /// `CASE WHEN … THEN NEW ELSE NEW END`; `CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END`.
    fn each_arm_is_what_is_written(&self, from: usize, end: usize) -> bool {
        let of = |word: &str| (from..end).filter(|at| self.is(*at, &[word])).count();
        // What is for no row that comes is NULL, and the write does not happen.
        let is_whole = of("else") >= of("case");
        let says = |verb: &str| (from..end).any(|at| self.sign(at) == format!("'{verb}'"));
        let by_verb = of("tg_op") > 0;
        let is_right = |at: usize| {
            if !self.is(at + 1, &["old"]) {
                return self.is_row(at + 1);
            }
            let is_last = self.is(at, &["else"]);
            by_verb
                && if is_last {
                    says("INSERT") && says("UPDATE") && !says("DELETE")
                } else {
                    self.sign(at - 1) == "'DELETE'"
                }
        };
        is_whole
            && (from..end)
                .filter(|at| self.is(*at, &["then", "else"]))
                .all(is_right)
    }

    /// What is given a value by something else than an assignment: by a loop, by a procedure.
    pub(super) fn given(&mut self, targets: Range<usize>, by: Range<usize>) {
        let text = self.between(by).to_owned();
        let mut at = targets.start;
        while at < targets.end {
            let begins = at == targets.start || self.kind(at - 1) == Some(Kind::Comma);
            if begins && self.is_row(at) {
                let column = (self.sign(at + 1) == ".")
                    .then(|| self.name(at + 2))
                    .flatten();
                let stop = if column.is_some() { at + 3 } else { at + 1 };
                if stop >= targets.end || self.kind(stop) == Some(Kind::Comma) {
                    let value = Value { text: text.clone() };
                    self.found.push(match column {
                        Some(column) => Deed::Assigns { column, value },
                        None => Deed::Replaces {
                            why: format!("replaces the whole row that is written (`{text}`)"),
                        },
                    });
                }
            }
            at += 1;
        }
    }

    /// `GET DIAGNOSTICS NEW.n = ROW_COUNT`
    pub(super) fn diagnosed(&mut self, at: usize, end: usize) {
        for target in at + 1..end {
            if self.is_row(target)
                && self.sign(target + 1) == "."
                && let Some(column) = self.name(target + 2)
            {
                let value = Value {
                    text: self.between(at..end).to_owned(),
                };
                self.found.push(Deed::Assigns { column, value });
            }
        }
    }

    /// How a statement makes the writes fail that fire it, or spoils rows that they are not about.
    pub(super) fn breaks(&self, sql: &str, place: Option<&Place>) -> Option<String> {
        let place = place?;
        let tokens = lexeme::tokens(self.dialect.grammar(), sql).ok()?;
        let words = Words {
            sql,
            tokens: &tokens,
        };
        let is_own = self
            .fires
            .table
            .is_some_and(|table| self.dialect.may_be_same_name(table, &place.table));
        if is_own && self.dialect == Dialect::Mysql {
            return Some(format!(
                "writes to `{}`, which it is a trigger of: the database refuses that, so that each write fails",
                place.table
            ));
        }
        if !words.is(0, "update") {
            return None;
        }
        if !words.has("where") && words.names_row("new") {
            return Some(format!(
                "writes a value of one row into all rows of `{}` (an UPDATE without WHERE)",
                place.table
            ));
        }
        let is_endless = self.dialect == Dialect::Postgres
            && is_own
            && self.is_fired_by_any_update()
            && words.is_of_the_same_row()
            && !self.steers();
        is_endless.then(|| {
            format!(
                "updates the row of `{}` that has fired it, which fires it again, without an end: each write fails",
                place.table
            )
        })
    }

    /// Whether what fires it says this word.
    fn is_fired(&self, word: &str) -> bool {
        let header = self.fires.header;
        header
            .split(|c: char| !c.is_alphanumeric() && c != '_')
            .any(|other| other.eq_ignore_ascii_case(word))
    }

    fn is_fired_by_any_update(&self) -> bool {
        let has = |word| self.is_fired(word);
        has("update") && has("row") && !has("of") && !has("when")
    }

    /// Whether anything may keep the code from doing all that it holds.
    fn steers(&self) -> bool {
        const STEERS: &[&str] = &[
            "if",
            "case",
            "when",
            "while",
            "pg_trigger_depth",
            "distinct",
            "execute",
            "loop",
        ];
        (0..self.tokens.len())
            .any(|at| self.is(at, STEERS) || matches!(self.sign(at), "<>" | "!=" | "<" | ">"))
            || (0..self.tokens.len()).any(|at| self.is(at, &["is"]) || self.is(at, &["not"]))
    }
}

struct Words<'t> {
    sql: &'t str,
    tokens: &'t [Token],
}

impl Words<'_> {
    fn is(&self, at: usize, word: &str) -> bool {
        let token = self.tokens.get(at);
        token.is_some_and(|token| token.is_word(self.sql, word))
    }

    fn has(&self, word: &str) -> bool {
        (0..self.tokens.len()).any(|at| self.is(at, word))
    }

    fn text(&self, at: usize) -> &str {
        self.tokens.get(at).map_or("", |token| token.text(self.sql))
    }

    fn names_row(&self, row: &str) -> bool {
        (0..self.tokens.len()).any(|at| self.is_named(at, row) && self.text(at + 1) == ".")
    }

    /// In quotes or without.
    fn is_named(&self, at: usize, row: &str) -> bool {
        let name = self.text(at).trim_matches(['"', '`']);
        name.eq_ignore_ascii_case(row)
    }

    /// `WHERE id = NEW.id`, alone.
    fn is_of_the_same_row(&self) -> bool {
        let Some(at) = (0..self.tokens.len()).find(|at| self.is(*at, "where")) else {
            return false;
        };
        let at = if self.text(at + 2) == "." { at + 2 } else { at };
        self.text(at + 2) == "="
            && (self.is_named(at + 3, "new") || self.is_named(at + 3, "old"))
            && self.text(at + 4) == "."
            && self.text(at + 5).eq_ignore_ascii_case(self.text(at + 1))
            && at + 6 >= self.tokens.len()
    }
}

#[cfg(test)]
mod tests {
    use crate::deeds::tests::of_plpgsql;

    /// As the manual and most audit triggers write it.
    #[test]
    fn the_row_that_goes_may_be_returned_by_a_variable() {
        const BY_VERB: &str =
            "BEGIN IF TG_OP = 'DELETE' THEN r := OLD; ELSE r := NEW; END IF; RETURN r; END";
        for (fires, body, is_right) in [
            ("BEFORE INSERT OR UPDATE OR DELETE", BY_VERB, true),
            ("AFTER INSERT OR UPDATE OR DELETE", BY_VERB, true),
            ("AFTER UPDATE", "BEGIN r := OLD; RETURN r; END", true),
            ("BEFORE UPDATE", "BEGIN r := NEW; RETURN (r); END", true),
            ("BEFORE UPDATE", "BEGIN r := OLD; RETURN r; END", false),
            (
                "BEFORE UPDATE",
                "BEGIN r := NEW; r.a := 1; RETURN (r); END",
                false,
            ),
        ] {
            let found = of_plpgsql(fires, &format!("DECLARE r users%ROWTYPE; {body}"));
            assert_eq!(found.is_empty(), is_right, "{fires} {body}: {found:?}");
        }
    }
}
