//! The queries of a statement, as far as its tokens tell: what they read from, and on what conditions.

use super::super::lexeme::Kind;
use super::tokens::{Column, Group, Tokens};

/// Words behind a table that are no other name of it.
const NO_ALIAS: &[&str] = &[
    "set",
    "where",
    "on",
    "using",
    "join",
    "inner",
    "left",
    "right",
    "full",
    "cross",
    "natural",
    "straight_join",
    "order",
    "group",
    "limit",
    "for",
    "union",
    "except",
    "intersect",
    "returning",
    "having",
    "window",
    "fetch",
    "offset",
    "use",
    "force",
    "ignore",
    "partition",
    "indexed",
    "not",
    "tablesample",
    "lateral",
    "as",
    "values",
    "select",
];

/// What a query reads from, or a statement writes to.
pub(super) struct Item {
    /// Its name, or the parenthesis that opens its query.
    pub at: usize,
    pub table: Option<String>,
    pub alias: Option<String>,
    /// The far side of an outer join.
    pub may_be_missing: bool,
}

impl Item {
    pub fn is_called(&self, name: &str) -> bool {
        let name_of = self.alias.as_ref().or(self.table.as_ref());
        name_of.is_some_and(|own| own == name)
    }
}

/// One query, or the statement itself, without what UNION and its like put beside it.
pub(super) struct Block {
    /// Its tokens, with those of other groups in it.
    pub direct: Vec<usize>,
    pub parens: Option<(usize, usize)>,
    pub items: Vec<Item>,
    pub is_update: bool,
    /// Its rows are taken away from those of another: `EXCEPT`.
    pub is_subtracted: bool,
    /// A LIMIT or the like takes only some of its rows.
    pub is_limited: bool,
    pub has_outer_join: bool,
}

impl Block {
    /// Whether rows that its conditions find may be left out of it.
    pub fn leaves_out(&self) -> bool {
        self.is_subtracted || self.is_limited
    }

    /// The table that an UPDATE writes to.
    pub fn target(&self) -> Option<&Item> {
        self.items.first().filter(|_| self.is_update)
    }
}

impl Tokens<'_> {
    /// The query of the group that the token `at` is in.
    pub fn block(&self, group: &Group, at: usize) -> Option<Block> {
        let operators: Vec<usize> = group
            .direct
            .iter()
            .copied()
            .filter(|at| self.is_set_operator(*at))
            .collect();
        let before = operators.iter().rev().find(|operator| **operator < at);
        let after = operators.iter().find(|operator| **operator > at);
        let direct: Vec<usize> = group
            .direct
            .iter()
            .copied()
            .filter(|at| before.is_none_or(|before| at > before))
            .filter(|at| after.is_none_or(|after| at < after))
            .collect();
        let verbs = ["select", "update", "insert", "delete", "merge", "values"];
        let verb = direct.iter().find(|at| self.is_any(**at, &verbs))?;
        let items = self.items(&direct);
        Some(Block {
            is_update: self.is_any(*verb, &["update"]),
            is_limited: self.is_limited(group),
            is_subtracted: before.is_some_and(|before| self.is_any(*before, &["except"])),
            has_outer_join: direct.iter().any(|at| {
                self.is_any(*at, &["right", "full"]) && self.is_any(*at + 1, &["join", "outer"])
            }),
            parens: group.parens,
            items,
            direct,
        })
    }

    fn items(&self, direct: &[usize]) -> Vec<Item> {
        let mut items = Vec::new();
        let mut clause = "";
        for (place, at) in direct.iter().copied().enumerate() {
            let before = place.checked_sub(1).and_then(|place| direct.get(place));
            let after = |word: &[&str]| before.is_some_and(|before| self.is_any(*before, word));
            if self.is_clause(at) || self.is_any(at, &["straight_join"]) {
                clause = match self.text(at).to_ascii_lowercase().as_str() {
                    // `FOR UPDATE`, `DO UPDATE`, `ON DUPLICATE KEY UPDATE`
                    "update" if after(&["for", "do", "key"]) => "",
                    "from" | "join" | "update" | "straight_join" => "from",
                    "on" | "using" if clause == "from" || clause == "on" => "on",
                    _ => "",
                };
                if clause == "from" {
                    items.extend(self.item(direct, place + 1));
                }
            } else if self.kind(at) == Some(Kind::Comma) && !clause.is_empty() {
                clause = "from";
                items.extend(self.item(direct, place + 1));
            }
        }
        items
    }

    fn item(&self, direct: &[usize], mut place: usize) -> Option<Item> {
        let begin = place;
        let at = |place: usize| direct.get(place).copied();
        while at(place).is_some_and(|at| {
            self.is_any(
                at,
                &[
                    "only",
                    "lateral",
                    "low_priority",
                    "ignore",
                    "or",
                    "replace",
                    "abort",
                    "fail",
                    "rollback",
                ],
            )
        }) {
            place += 1;
        }
        let first = at(place)?;
        let joins = begin.checked_sub(1).map_or(0, |place| place);
        let may_be_missing = (0..=2).any(|back| {
            joins
                .checked_sub(back)
                .and_then(at)
                .is_some_and(|at| self.is_any(at, &["left"]))
        });
        let mut table = None;
        if self.kind(first) == Some(Kind::Open) {
            place += 1;
        } else {
            table = Some(self.name(first)?);
            place += 1;
            while at(place).is_some_and(|at| self.text(at) == ".") {
                table = at(place + 1).and_then(|at| self.name(at));
                place += 2;
            }
        }
        // The closing parenthesis belongs to the inside of nothing: it stands here as well.
        while at(place).is_some_and(|at| self.kind(at) == Some(Kind::Close)) {
            place += 1;
        }
        if at(place).is_some_and(|at| self.is_any(at, &["as"])) {
            place += 1;
        }
        let alias = at(place)
            .filter(|at| !self.is_any(*at, NO_ALIAS))
            .and_then(|at| self.name(at));
        Some(Item {
            at: first,
            table,
            alias,
            may_be_missing,
        })
    }

    /// The pairs of columns that the block's conditions hold equal, as far as AND alone combines them.
    pub fn equalities(&self, block: &Block) -> Vec<(Column, Column)> {
        let mut found = Vec::new();
        let conditions = block
            .direct
            .iter()
            .filter(|at| self.is_any(**at, &["where", "on"]) && self.is_clause(**at));
        for clause in conditions {
            let condition = self.condition_of(&block.direct, *clause);
            let Some((first, last)) = condition.first().zip(condition.last()) else {
                continue;
            };
            for at in (*first..=*last).filter(|at| self.is_equals(*at)) {
                let group = self.group(at);
                let loosens =
                    |at: &usize| self.is_any(*at, &["or", "xor", "not", "case", "select"]);
                let is_own = group.parens == block.parens;
                let around = if is_own { &condition } else { &group.direct };
                if around.iter().any(loosens) {
                    continue;
                }
                found.extend(self.equal_columns(at));
            }
        }
        found
    }

    /// `a = b`, or `(a, b) = (c, d)`.
    fn equal_columns(&self, at: usize) -> Vec<(Column, Column)> {
        let pair = self.column_at_end(at).map(|(column, _)| column);
        if let Some(pair) = pair.zip(self.column_at(at + 1)) {
            return vec![pair];
        }
        let (Some(close), true) = (at.checked_sub(2), self.kind(at + 1) == Some(Kind::Open)) else {
            return Vec::new();
        };
        let columns = |group: &Group| -> Vec<Column> {
            let begins = group.direct.first().copied();
            let commas = group
                .direct
                .iter()
                .filter(|at| self.kind(**at) == Some(Kind::Comma));
            begins
                .into_iter()
                .chain(commas.map(|at| at + 1))
                .filter_map(|at| self.column_at(at))
                .collect()
        };
        let (left, right) = (self.group(close), self.group(at + 2));
        columns(&left).into_iter().zip(columns(&right)).collect()
    }

    fn is_equals(&self, at: usize) -> bool {
        let adjoins = |other: usize| {
            let pair = self.tokens.get(other).zip(self.tokens.get(at));
            pair.is_some_and(|(other, own)| other.span.end == own.span.start)
                && "<>!".contains(self.text(other))
        };
        matches!(self.text(at), "=" | "==") && !at.checked_sub(1).is_some_and(adjoins)
    }

    /// Whether a condition of the block ties the rows of the item to those of another.
    pub fn is_tied(&self, block: &Block, item: &Item) -> bool {
        let is_of = |column: &Column| {
            column
                .qualifier
                .as_ref()
                .is_some_and(|qualifier| item.is_called(qualifier))
        };
        let ties = |(a, b): &(Column, Column)| is_of(a) != is_of(b);
        self.equalities(block).iter().any(ties) || self.uses_columns(block)
    }

    /// `JOIN … USING (id)`
    fn uses_columns(&self, block: &Block) -> bool {
        let mut direct = block.direct.iter();
        !block.is_update
            && direct
                .any(|at| self.is_any(*at, &["using"]) && self.kind(at + 1) == Some(Kind::Open))
    }

    /// The column outside of a query to which a condition of it ties one of its own.
    pub fn outer_column(&self, block: &Block) -> Option<Column> {
        let is_own = |column: &Column| {
            column
                .qualifier
                .as_ref()
                .is_some_and(|qualifier| block.items.iter().any(|item| item.is_called(qualifier)))
        };
        let is_other = |column: &Column| column.qualifier.is_some() && !is_own(column);
        self.equalities(block).into_iter().find_map(|(a, b)| {
            if is_own(&a) && is_other(&b) {
                Some(b)
            } else if is_own(&b) && is_other(&a) {
                Some(a)
            } else {
                None
            }
        })
    }

    /// Whether what a query selects begins with a column.
    pub fn selects_columns(&self, block: &Block) -> bool {
        let select = block
            .direct
            .iter()
            .find(|at| self.is_any(**at, &["select"]));
        select.is_some_and(|select| {
            let mut at = select + 1;
            while self.is_any(at, &["distinct", "all"]) {
                at += 1;
            }
            self.name(at).is_some() && self.kind(at + 1) != Some(Kind::Open)
        })
    }

    /// Where the query of a WITH that these parentheses hold is read from.
    pub fn uses_of_cte(&self, open: usize, close: usize) -> Vec<usize> {
        let mut at = open;
        while let Some(before) = at.checked_sub(1)
            && self.is_any(before, &["materialized", "not"])
        {
            at = before;
        }
        let name = at
            .checked_sub(1)
            .filter(|at| self.is_any(*at, &["as"]))
            .and_then(|at| at.checked_sub(1));
        let name = match name {
            Some(end) if self.kind(end) == Some(Kind::Close) => {
                let group = end.checked_sub(1).map(|inside| self.group(inside));
                group
                    .and_then(|group| group.parens)
                    .and_then(|(open, _)| open.checked_sub(1))
            }
            name => name,
        };
        let Some(name) = name.and_then(|at| self.name(at)) else {
            return Vec::new();
        };
        (close + 1..self.tokens.len())
            .filter(|at| self.name(*at).as_ref() == Some(&name))
            .collect()
    }
}
