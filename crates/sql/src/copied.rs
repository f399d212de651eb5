//! Whether a statement copies every row of one table into another.

use super::lexeme::{self, Kind, Token};
use super::words::MODIFIERS;
use super::{Dialect, ObjectKind, Statement, Verb};

/// Rows that a statement copies.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Copied {
    pub into: String,
    /// `None` if they come from something else than a table.
    pub from: Option<String>,
    /// The word by which it may leave out some.
    pub leaves_out: Option<String>,
}

/// What a statement takes from a table.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Taken {
    Rows,
    /// What stood in these columns; empty if they cannot be told.
    Values(Vec<String>),
}

/// What may leave out rows, wherever it stands in the query itself.
const FEWER: &[&str] = &[
    "where",
    "limit",
    "offset",
    "fetch",
    "distinct",
    "group",
    "having",
    "union",
    "except",
    "intersect",
    "tablesample",
    "join",
    "straight_join",
];

/// Functions that make one row of many.
const AGGREGATES: &[&str] = &[
    "any_value",
    "array_agg",
    "avg",
    "bit_and",
    "bit_or",
    "bool_and",
    "bool_or",
    "count",
    "every",
    "group_concat",
    "json_agg",
    "json_arrayagg",
    "json_group_array",
    "json_object_agg",
    "jsonb_agg",
    "max",
    "min",
    "string_agg",
    "sum",
    "total",
];

/// What ends the list of tables that are read.
const AFTER_TABLES: &[&str] = &[
    "where",
    "order",
    "on",
    "using",
    "window",
    "for",
    "returning",
];

impl Statement {
    /// The rows that it copies: `INSERT … SELECT`, `CREATE TABLE … AS SELECT`. By its words alone: what is said of it may
    /// be too strict, never too lax.
    #[must_use]
    pub fn copied(&self, dialect: Dialect) -> Option<Copied> {
        let tokens = lexeme::tokens(dialect.grammar(), &self.text).ok()?;
        let words = Words {
            text: &self.text,
            tokens: &tokens,
            dialect,
        };
        let (into, body) = match self.made_table() {
            // `SELECT … INTO t`, `WITH … SELECT … INTO t`
            Some(name) if !words.is(0, "create") => (name.to_owned(), 0),
            Some(name) => (name.to_owned(), 2),
            None => words.inserts_into()?,
        };
        let select = (body..tokens.len()).find(|at| words.is(*at, "select"));
        let Some(select) = select else {
            let table = (body..tokens.len()).find(|at| words.is(*at, "table"))?;
            let (from, _) = words.name(table + 1)?;
            return Some(Copied {
                into,
                from: Some(from),
                leaves_out: words.refuses_rows(body),
            });
        };
        let (from, leaves_out) = words.query(select);
        Some(Copied {
            into,
            from,
            leaves_out: words.refuses_rows(select).or(leaves_out),
        })
    }

    /// The table of which it deletes rows, or whose values it changes, where that is one of these.
    #[must_use]
    pub fn takes_from(&self, dialect: Dialect, tables: &[&str]) -> Option<Taken> {
        let tokens = lexeme::tokens(dialect.grammar(), &self.text).ok()?;
        let words = Words {
            text: &self.text,
            tokens: &tokens,
            dialect,
        };
        let is_one = |at: usize| {
            words.name(at).is_some_and(|(name, _)| {
                tables
                    .iter()
                    .any(|table| dialect.may_be_same_name(table, &name))
            })
        };
        (0..tokens.len()).find_map(|at| {
            let behind = |word: &str| {
                let next = if words.is(at + 1, word) {
                    at + 2
                } else {
                    at + 1
                };
                is_one(next)
            };
            if words.is(at, "delete") && behind("from")
                || words.is(at, "truncate") && (behind("table") || is_one(at + 1))
            {
                return Some(Taken::Rows);
            }
            let is_update = words.is(at, "update") && at == 0 && is_one(at + 1);
            is_update.then(|| {
                let columns = lexeme::assigned(&self.text, &tokens).unwrap_or_default();
                let names = columns.into_iter().filter_map(dialect.grammar().identifier);
                Taken::Values(names.collect())
            })
        })
    }

    fn made_table(&self) -> Option<&str> {
        let mut objects = self.objects();
        objects
            .find(|object| object.kind == ObjectKind::Table && object.verb == Verb::Create)
            .map(|object| object.name.as_str())
    }
}

struct Words<'t> {
    text: &'t str,
    tokens: &'t [Token],
    dialect: Dialect,
}

impl Words<'_> {
    fn is(&self, at: usize, word: &str) -> bool {
        let token = self.tokens.get(at);
        token.is_some_and(|token| token.is_word(self.text, word))
    }

    fn is_one_of(&self, at: usize, words: &[&str]) -> bool {
        words.iter().any(|word| self.is(at, word))
    }

    fn is_after_dot(&self, at: usize) -> bool {
        at.checked_sub(1)
            .and_then(|before| self.tokens.get(before))
            .is_some_and(|token| token.text(self.text) == ".")
    }

    /// The name that begins here, without its schema, and what comes after it.
    fn name(&self, mut at: usize) -> Option<(String, usize)> {
        while self.is(at, "only") {
            at += 1;
        }
        while self
            .tokens
            .get(at + 1)
            .is_some_and(|next| next.text(self.text) == ".")
        {
            at += 2;
        }
        let name = self.tokens.get(at)?.text(self.text);
        Some(((self.dialect.grammar().identifier)(name)?, at + 1))
    }

    fn inserts_into(&self) -> Option<(String, usize)> {
        let insert =
            (0..self.tokens.len()).find(|at| self.is(*at, "insert") || self.is(*at, "replace"))?;
        let mut at = insert + 1;
        while self.is_one_of(at, MODIFIERS) || self.is_one_of(at, &["into", "only"]) {
            at += 1;
        }
        self.name(at)
    }

    /// Rows that are there already are passed over, or no row is copied at all.
    fn refuses_rows(&self, select: usize) -> Option<String> {
        let ignored = (0..select.min(4)).any(|at| self.is(at, "ignore") || self.is(at, "replace"));
        if ignored {
            return Some("IGNORE or REPLACE".to_owned());
        }
        let pair = |a: &str, b: &str| {
            (select..self.tokens.len()).any(|at| self.is(at, a) && self.is(at + 1, b))
        };
        if pair("do", "nothing") {
            return Some("DO NOTHING".to_owned());
        }
        pair("no", "data").then(|| "WITH NO DATA".to_owned())
    }

    /// What the query that begins at `select` reads, and by which word it may leave out some of it.
    fn query(&self, select: usize) -> (Option<String>, Option<String>) {
        let (mut depth, mut tables) = (0_usize, false);
        let (mut from, mut fewer) = (None, None);
        for at in select + 1..self.tokens.len() {
            let Some(token) = self.tokens.get(at) else {
                break;
            };
            match token.kind {
                Kind::Open => depth += 1,
                Kind::Close if depth == 0 => break,
                Kind::Close => depth -= 1,
                Kind::Comma if depth == 0 && tables => {
                    fewer.get_or_insert_with(|| "a second table".to_owned());
                }
                Kind::Word if depth == 0 && !self.is_after_dot(at) => {
                    if from.is_none() && self.is_aggregate(at) {
                        fewer.get_or_insert_with(|| token.text(self.text).to_uppercase());
                    }
                    if self.is(at, "from") && !self.is(at - 1, "distinct") && from.is_none() {
                        from = self.name(at + 1).map(|(name, _)| name);
                        tables = true;
                    } else if self.is_one_of(at, FEWER) && self.may_leave_out(at) {
                        fewer.get_or_insert_with(|| token.text(self.text).to_uppercase());
                    }
                    if self.is_one_of(at, AFTER_TABLES) {
                        tables = false;
                    }
                }
                _ => {}
            }
        }
        (from, fewer)
    }

    /// A call that makes one row of all, unless it looks through a window: `count(*)`, and not `count(*) OVER ()`.
    fn is_aggregate(&self, at: usize) -> bool {
        let opens = self.tokens.get(at + 1);
        if !self.is_one_of(at, AGGREGATES) || opens.is_none_or(|next| next.kind != Kind::Open) {
            return false;
        }
        // SQLite's `min(a, b)` compares within a row.
        let several = self.is_one_of(at, &["min", "max"]);
        let (mut depth, mut commas) = (0_usize, 0_usize);
        for next in at + 1..self.tokens.len() {
            match self.tokens.get(next).map(|token| token.kind) {
                Some(Kind::Open) => depth += 1,
                Some(Kind::Close) => depth = depth.saturating_sub(1),
                Some(Kind::Comma) if depth == 1 => commas += 1,
                _ => {}
            }
            if depth == 0 {
                return !(self.is_one_of(next + 1, &["over", "filter"])
                    && self.is_windowed(next + 1)
                    || several && commas > 0);
            }
        }
        true
    }

    /// Whether `OVER` follows, with or without a FILTER before it.
    fn is_windowed(&self, at: usize) -> bool {
        (at..self.tokens.len())
            .take_while(|at| !self.is(*at, "from"))
            .any(|at| self.is(at, "over"))
    }

    fn may_leave_out(&self, at: usize) -> bool {
        let before = |word: &str| at.checked_sub(1).is_some_and(|at| self.is(at, word));
        if self.is(at, "join") {
            // Each row of the left table is there at least once.
            let outer = before("outer");
            let side = if outer {
                at.checked_sub(2)
            } else {
                at.checked_sub(1)
            };
            return !side.is_some_and(|side| self.is_one_of(side, &["left", "full"]));
        }
        if self.is(at, "distinct") {
            return !(before("is") || before("not"));
        }
        if self.is(at, "where") && self.is(at + 1, "true") {
            // SQLite's way of telling ON CONFLICT from the ON of a join.
            let next = self.tokens.get(at + 2);
            return !next.is_none_or(|next| next.is_word(self.text, "on"));
        }
        true
    }
}
