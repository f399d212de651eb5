//! One statement of a body: what it writes, and what it calls.

use std::ops::Range;

use super::super::facts::Facts;
use super::super::lexeme::{self, Kind, Token};
use super::super::{Dialect, Effect, Loss, ObjectKind, Place, remembered};
use super::read::{Reader, unreadable};
use super::{Deed, Insert, Value};

impl Reader<'_> {
    pub(super) fn statement(&mut self, at: usize, end: usize) {
        // A function's own name may stand before its variables.
        if self.dialect == Dialect::Postgres
            && self.kind(at) == Some(Kind::Word)
            && self.sign(at + 1) == "."
            && self.is_row(at + 2)
        {
            return self.statement(at + 2, end);
        }
        if self.is_row(at) && self.sign(at + 1) == "." {
            return self.assignment(at, end);
        }
        if self.is_row(at) {
            let value = (at + 1..end).find(|at| matches!(self.sign(*at), "=" | ":="));
            return self.row_becomes(at, value.map_or(end, |value| value + 1), end);
        }
        if self.dialect == Dialect::Mysql && self.is(at, &["set"]) {
            return self.set(at + 1, end);
        }
        if self.is(at, &["return"]) {
            return self.returned(at, end);
        }
        self.told(at, end);
        const STEERS: &[&str] = &[
            "null", "exit", "continue", "leave", "iterate", "open", "close", "move", "raise",
            "signal", "resignal",
        ];
        if self.is(at, STEERS) {
            return;
        }
        if self.is(at, &["get"]) {
            return self.diagnosed(at, end);
        }
        if self.is(at, &["lock"]) {
            return self.found.push(Deed::Unknown {
                why: "locks a table until the transaction of whoever writes is over".to_owned(),
            });
        }
        if self.is(at, &["fetch"]) {
            return self.into(at, end);
        }
        if self.is(at, &["assert"]) || self.dialect == Dialect::Mysql && self.is(at, &["do"]) {
            return self.expression(at + 1..end);
        }
        if self.is(at, &["perform"]) {
            let sql = format!("SELECT {}", self.substituted(at + 1..end));
            return self.judge(&sql);
        }
        if self.is(at, &["execute"]) {
            return self.found.push(Deed::Unknown {
                why: "runs a statement that is put together at run time (EXECUTE)".to_owned(),
            });
        }
        if self.is(at, &["call"]) {
            return self.called(at + 1, end);
        }
        if let Some(value) = self.variable(at, end) {
            return self.expression(value..end);
        }
        if self.is(at, &["insert", "replace", "with"]) {
            let inserts = Insert::of(self.dialect, self.between(at..end));
            self.found.extend(inserts.map(Deed::Inserts));
        }
        if self.is(at, &["select", "insert", "update", "delete", "with"]) {
            let Some(into) = self.stored(at, end) else {
                let sql = self.substituted(at..end);
                return self.judge(&sql);
            };
            self.into(at, end);
            let sql = format!(
                "{} {}",
                self.substituted(at..into.start),
                self.substituted(into.end..end)
            );
            return self.judge(sql.trim_end());
        }
        let sql = self.substituted(at..end);
        self.judge(&sql);
    }

    /// `NEW.a := …`, `NEW.a[1] = …`
    fn assignment(&mut self, at: usize, end: usize) {
        let Some(column) = self.name(at + 2) else {
            return self.found.push(unreadable(self.between(at..end)));
        };
        let equals = (at + 3..end).find(|at| matches!(self.sign(*at), "=" | ":="));
        let Some(equals) = equals else {
            return self.found.push(unreadable(self.between(at..end)));
        };
        let value = Value {
            text: self.between(equals + 1..end).to_owned(),
        };
        self.found.push(Deed::Assigns { column, value });
        self.expression(equals + 1..end);
    }

    /// `SET NEW.a = 1, b = 2`
    fn set(&mut self, mut at: usize, end: usize) {
        while at < end {
            let comma = self.outer(at, end, Kind::Comma);
            if self.is_new(at) && self.sign(at + 1) == "." {
                self.assignment(at, comma);
            } else if self.is_setting(at) || !self.sign(at).starts_with('@') && !self.is_local(at) {
                self.found.push(sets());
            } else {
                self.expression(at..comma);
            }
            at = comma + 1;
        }
    }

    /// `@@name`, `@@session.name`, which may be read as one token or as several.
    fn is_setting(&self, at: usize) -> bool {
        let sign = self.sign(at);
        sign.starts_with("@@") || sign == "@" && self.sign(at + 1).starts_with('@')
    }

    /// Whether a parameter or a variable of the body stands here: any other name that MySQL sets is one of the session's.
    fn is_local(&self, at: usize) -> bool {
        let Some(name) = self.name(at) else {
            return false;
        };
        let is_meant = |at: usize| {
            self.name(at)
                .is_some_and(|other| self.dialect.may_be_same_name(&other, &name))
        };
        let open = (0..self.begin()).find(|at| self.kind(*at) == Some(Kind::Open));
        open.is_some_and(|open| (open..self.behind(open)).any(is_meant))
            || self.declarations_around(at).into_iter().any(|declare| {
                // `DECLARE a, b INT`
                let mut at = declare + 1;
                while !is_meant(at) && self.kind(at + 1) == Some(Kind::Comma) {
                    at += 2;
                }
                is_meant(at)
            })
    }

    /// The declarations of the blocks in which this stands: what another block has declared is over with it.
    fn declarations_around(&self, at: usize) -> Vec<usize> {
        const PARTS: &[&str] = &["if", "loop", "while", "repeat"];
        // Of each block or CASE that is open, where its declarations are.
        let mut open: Vec<Vec<usize>> = vec![Vec::new()];
        let mut next = self.begin();
        while next < at {
            if self.is(next, &["begin", "case"]) {
                open.push(Vec::new());
            } else if self.is(next, &["end"]) {
                if !self.is(next + 1, PARTS) {
                    open.pop();
                }
                // `END CASE` is one.
                next += usize::from(self.is(next + 1, &["case"]));
            } else if self.is(next, &["declare"])
                && let Some(innermost) = open.last_mut()
            {
                innermost.push(next);
            }
            next += 1;
        }
        open.into_iter().flatten().collect()
    }

    fn outer(&self, from: usize, end: usize, kind: Kind) -> usize {
        let mut depth = 0_usize;
        for at in from..end {
            match self.kind(at) {
                Some(found) if depth == 0 && found == kind => return at,
                Some(Kind::Open) => depth += 1,
                Some(Kind::Close) => depth = depth.saturating_sub(1),
                _ => {}
            }
        }
        end
    }

    fn returned(&mut self, at: usize, end: usize) {
        if let Some(why) = self.wrong_row(at, end) {
            return self.found.push(Deed::Replaces { why });
        }
        if self.is(at + 1, &["query"]) {
            return self.statement(at + 2, end);
        }
        self.expression(at + 1..end);
    }

    fn called(&mut self, at: usize, end: usize) {
        let open = (at..end)
            .find(|at| self.kind(*at) == Some(Kind::Open))
            .unwrap_or(end);
        let name = open.checked_sub(1).and_then(|last| self.name(last));
        let name = name.unwrap_or_default();
        let own = self
            .own
            .iter()
            .find(|own| self.dialect.may_be_same_name(&own.name, &name));
        match own {
            Some(own) if own.gives => self.given(open + 1..end.saturating_sub(1), at..end),
            Some(_) => {}
            None => self.found.push(Deed::Calls { function: name }),
        }
        self.expression(open + 1..end.saturating_sub(1));
    }

    /// The value that a variable of PL/pgSQL gets: `a := 1`, `r.a = 1`, `a[1] := 2`.
    fn variable(&self, at: usize, end: usize) -> Option<usize> {
        if self.dialect != Dialect::Postgres || self.kind(at) == Some(Kind::Open) {
            return None;
        }
        let mut next = at + 1;
        while self.sign(next) == "." {
            next += 2;
        }
        while self.sign(next) == "[" {
            next = self.behind(next);
        }
        match self.sign(next) {
            ":" if self.sign(next + 1) == "=" => Some(next + 2),
            ":=" | "=" => Some(next + 1),
            _ => None,
        }
        .filter(|value| *value <= end)
    }

    /// `INTO [STRICT] a, NEW.b` of a query, or of RETURNING: where a result is stored.
    fn stored(&self, at: usize, end: usize) -> Option<Range<usize>> {
        let mut depth = 0_usize;
        let mut returns = self.is(at, &["select"]);
        let with = self.is(at, &["with"]);
        let mut into = None;
        for at in at..end {
            match self.kind(at) {
                Some(Kind::Open) => depth += 1,
                Some(Kind::Close) => depth = depth.saturating_sub(1),
                _ if depth > 0 => {}
                _ if self.is(at, &["returning"]) => returns = true,
                _ if with && self.is(at, &["select"]) => returns = true,
                _ if returns && self.is(at, &["into"]) => {
                    into = Some(at);
                    break;
                }
                _ => {}
            }
        }
        let into = into?;
        let mut next = into + 1;
        if self.is(next, &["strict"]) {
            next += 1;
        }
        loop {
            next += 1;
            while self.sign(next) == "." {
                next += 2;
            }
            while self.sign(next) == "[" {
                next = self.behind(next);
            }
            if self.kind(next) != Some(Kind::Comma) || next >= end {
                return Some(into..next.min(end));
            }
            next += 1;
        }
    }

    /// `INTO NEW.a`
    fn into(&mut self, at: usize, end: usize) {
        let Some(into) = (at..end).find(|at| self.is(*at, &["into"])) else {
            return;
        };
        let stored = self.stored(at, end).map_or(end, |stored| stored.end);
        for target in into..stored {
            if self.dialect == Dialect::Mysql && self.is_setting(target) {
                self.found.push(sets());
            } else if self.is_row(target)
                && self.sign(target + 1) == "."
                && let Some(column) = self.name(target + 2)
            {
                let value = Value {
                    text: self.between(at..into).to_owned() + " " + self.between(stored..end),
                };
                self.found.push(Deed::Assigns { column, value });
            } else if self.is_row(target) && self.sign(target.wrapping_sub(1)) != "." {
                self.found.push(Deed::Replaces {
                    why: "replaces the whole row that is written (INTO NEW)".to_owned(),
                });
            }
        }
    }

    /// Judges a statement as one of a script.
    pub(super) fn judge(&mut self, sql: &str) {
        let Some(facts) = remembered::facts(self.dialect, sql) else {
            return self.found.push(unreadable(sql));
        };
        let place = facts
            .subjects
            .first()
            .filter(|subject| subject.kind == ObjectKind::Table);
        let place = place.map(|subject| Place {
            schema: subject.schema.clone(),
            table: subject.name.clone(),
        });
        if let Some(why) = self.breaks(sql, place.as_ref()) {
            self.found.push(Deed::Breaks { why });
        }
        match (facts.loses, &facts.effect) {
            (Some(Loss::Rows), _) => self.found.push(Deed::Deletes { place }),
            (Some(Loss::Values), _) => {
                let columns = self.columns(sql, &facts, place.as_ref());
                match columns {
                    Some(columns) => self.found.extend(columns),
                    None => self.found.push(Deed::Changes { place }),
                }
            }
            (None, Effect::Additive | Effect::Data) => {}
            (None, Effect::Destructive { why }) => {
                self.found.push(Deed::Unknown { why: why.clone() })
            }
            (None, Effect::TransactionControl { what } | Effect::SessionSetting { what }) => {
                self.found.push(Deed::Unknown {
                    why: format!(
                        "changes the session or the transaction of whoever writes ({what})"
                    ),
                });
            }
            (None, Effect::Unknown { why }) => {
                let why = why.clone();
                let mut names = why.split('`');
                self.found
                    .push(match (why.starts_with("calls `"), names.nth(1)) {
                        (true, Some(function)) => Deed::Calls {
                            function: function.to_owned(),
                        },
                        _ => Deed::Unknown { why },
                    });
            }
        }
        if let Some(why) = facts.hazard.clone().filter(|_| facts.loses.is_none()) {
            self.found.push(Deed::Unknown { why });
        }
    }

    /// The columns of one table that an UPDATE writes, with their values.
    fn columns(&self, sql: &str, facts: &Facts, place: Option<&Place>) -> Option<Vec<Deed>> {
        let place = place?;
        let tokens = lexeme::tokens(self.dialect.grammar(), sql).ok()?;
        let assigned = match on_conflict(sql, &tokens) {
            Some(from) => assignments(sql, &tokens, from)?,
            None if facts.hazard.is_some() || facts.only_columns.is_empty() => return None,
            None => {
                let set = tokens.iter().position(|token| token.is_word(sql, "set"))?;
                assignments(sql, &tokens, set + 1)?
            }
        };
        let deeds = assigned.into_iter().map(|(column, value)| {
            Some(Deed::Updates {
                place: place.clone(),
                column: (self.dialect.grammar().identifier)(column)?,
                value: Value {
                    text: value.to_owned(),
                },
            })
        });
        deeds.collect()
    }
}

fn sets() -> Deed {
    Deed::Unknown {
        why: "changes a setting of the session".to_owned(),
    }
}

/// Where an INSERT begins to assign to a row that is there; `None` of any other statement.
fn on_conflict(text: &str, tokens: &[Token]) -> Option<usize> {
    let is = |at: usize, word: &str| {
        tokens
            .get(at)
            .is_some_and(|token| token.is_word(text, word))
    };
    let update = (0..tokens.len()).find(|at| {
        is(*at, "do") && is(at + 1, "update") && is(at + 2, "set")
            || is(*at, "duplicate") && is(at + 1, "key") && is(at + 2, "update")
    });
    update.filter(|_| is(0, "insert")).map(|update| update + 3)
}

/// What is assigned from here on, column by column, as written.
fn assignments<'t>(
    text: &'t str,
    tokens: &[Token],
    from: usize,
) -> Option<Vec<(&'t str, &'t str)>> {
    const ENDS: &[&str] = &["from", "where", "returning", "order", "limit"];
    let is = |at: usize, words: &[&str]| {
        tokens
            .get(at)
            .is_some_and(|token| words.iter().any(|word| token.is_word(text, word)))
    };
    let mut at = from;
    let mut found = Vec::new();
    loop {
        let equals = (at..tokens.len())
            .find(|at| tokens.get(*at).is_some_and(|token| token.text(text) == "="))?;
        let before = tokens.get(equals.checked_sub(1)?)?;
        let columns: Vec<&str> = if before.kind == Kind::Close {
            let list = tokens.get(at..equals - 1)?.iter();
            let names = list.filter(|token| matches!(token.kind, Kind::Word | Kind::QuotedName));
            names.map(|token| token.text(text)).collect()
        } else {
            vec![before.text(text)]
        };
        let (mut depth, mut end) = (0_usize, equals + 1);
        while let Some(token) = tokens.get(end) {
            match token.kind {
                Kind::Open => depth += 1,
                Kind::Close => depth = depth.saturating_sub(1),
                Kind::Comma if depth == 0 => break,
                Kind::Word if depth == 0 && is(end, ENDS) && !is(end - 1, &["distinct"]) => break,
                _ => {}
            }
            end += 1;
        }
        let value = text
            .get(tokens.get(equals + 1)?.span.start..tokens.get(end.checked_sub(1)?)?.span.end)?;
        found.extend(columns.into_iter().map(|column| (column, value)));
        if tokens
            .get(end)
            .is_none_or(|token| token.kind != Kind::Comma)
        {
            return Some(found);
        }
        at = end + 1;
    }
}
