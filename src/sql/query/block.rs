//! The queries of a statement, as far as its tokens tell: what they read from, and on what conditions.

use std::ops::Range;

use super::super::Dialect;
use super::super::lexeme::{Kind, Token};

/// A column as a condition names it, in lower case.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Column {
    pub qualifier: Option<String>,
    pub name: String,
}

/// What begins a clause, as far as a condition may stand behind it or has ended before it.
const CLAUSES: &[&str] = &[
    "with",
    "select",
    "update",
    "insert",
    "into",
    "values",
    "set",
    "from",
    "join",
    "using",
    "on",
    "where",
    "group",
    "having",
    "order",
    "limit",
    "fetch",
    "for",
    "returning",
    "union",
    "intersect",
    "except",
    "window",
    "procedure",
    "offset",
];

/// What makes a condition no longer one that has to hold.
const LOOSENS: &[&str] = &[
    "not", "or", "xor", "is", "isnull", "notnull", "case", "when", "then", "else", "in", "like",
    "between", "any", "some", "all", "div", "collate", "regexp", "rlike", "glob", "match",
];

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

/// The tokens between two parentheses, or all of them.
pub(super) struct Group {
    /// Indexes of what stands in it itself, with the parentheses of others.
    pub direct: Vec<usize>,
    /// Its own opening parenthesis and the closing one.
    pub parens: Option<(usize, usize)>,
}

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

#[derive(Clone, Copy)]
pub(super) struct Tokens<'t> {
    dialect: Dialect,
    sql: &'t str,
    tokens: &'t [Token],
}

impl<'t> Tokens<'t> {
    pub fn new(dialect: Dialect, sql: &'t str, tokens: &'t [Token]) -> Self {
        Self {
            dialect,
            sql,
            tokens,
        }
    }

    pub fn text(&self, at: usize) -> &str {
        self.tokens.get(at).map_or("", |token| token.text(self.sql))
    }

    pub fn is_any(&self, at: usize, words: &[&str]) -> bool {
        self.tokens.get(at).is_some_and(|token| {
            token.kind == Kind::Word && words.iter().any(|word| token.is_word(self.sql, word))
        })
    }

    fn kind(&self, at: usize) -> Option<Kind> {
        self.tokens.get(at).map(|token| token.kind)
    }

    /// The name that stands there, in lower case and without quotes.
    fn name(&self, at: usize) -> Option<String> {
        let token = self.tokens.get(at)?;
        matches!(token.kind, Kind::Word | Kind::QuotedName).then(|| {
            let name = (self.dialect.grammar().identifier)(token.text(self.sql));
            name.unwrap_or_default().to_lowercase()
        })
    }

    pub fn group(&self, at: usize) -> Group {
        let mut stack: Vec<(Option<usize>, Vec<usize>)> = vec![(None, Vec::new())];
        for (index, token) in self.tokens.iter().enumerate() {
            if token.kind == Kind::Close
                && stack.len() > 1
                && let Some((open, direct)) = stack.pop()
                && direct.contains(&at)
            {
                let parens = open.map(|open| (open, index));
                return Group { direct, parens };
            }
            if let Some((_, direct)) = stack.last_mut() {
                direct.push(index);
            }
            if token.kind == Kind::Open {
                stack.push((Some(index), Vec::new()));
            }
        }
        let direct = stack.into_iter().next().map(|(_, direct)| direct);
        Group {
            direct: direct.unwrap_or_default(),
            parens: None,
        }
    }

    /// `IS DISTINCT FROM`, `timestamp with time zone` and the column `t.set` begin none.
    fn is_clause(&self, at: usize) -> bool {
        let is_part = at.checked_sub(1).is_some_and(|before| {
            self.is_any(before, &["distinct", "time", "timestamp"]) || self.text(before) == "."
        });
        !is_part && self.is_any(at, CLAUSES)
    }

    pub fn clause_before(&self, group: &Group, at: usize) -> Option<usize> {
        let before = group.direct.iter().copied().filter(|other| *other < at);
        before.rev().find(|at| self.is_clause(*at))
    }

    /// What of the group belongs to the condition behind this clause.
    pub fn condition(&self, group: &Group, clause: usize) -> Vec<usize> {
        self.condition_of(&group.direct, clause)
    }

    fn condition_of(&self, direct: &[usize], clause: usize) -> Vec<usize> {
        let direct = direct.iter().copied();
        direct
            .skip_while(|at| *at <= clause)
            .take_while(|at| !self.is_clause(*at))
            .collect()
    }

    /// Whether the parenthesis holds the arguments of a function, which are no condition.
    pub fn is_argument(&self, open: usize) -> bool {
        let Some(before) = open.checked_sub(1) else {
            return false;
        };
        match self.kind(before) {
            Some(Kind::QuotedName) => true,
            Some(Kind::Word) => !self.is_any(before, &["where", "and", "on"]),
            _ => false,
        }
    }

    /// Whether these tokens open a query in parentheses.
    fn is_query(&self, open: usize) -> bool {
        self.kind(open) == Some(Kind::Open)
            && self.is_any(open + 1, &["select", "with", "update", "insert", "values"])
    }

    /// Whether the term `from..to` of a condition has to hold for the whole of it to hold.
    pub fn has_to_hold(&self, condition: &[usize], from: usize, to: usize) -> bool {
        let is_comma = |at: usize| self.kind(at) == Some(Kind::Comma);
        let is_loose = |at: &usize| self.is_any(*at, &["or", "xor"]) || is_comma(*at);
        let before = || condition.iter().filter(|at| **at < from).rev();
        let count = |word: &str| before().filter(|at| self.is_any(**at, &[word])).count();
        if condition.iter().any(is_loose) || count("case") > count("end") {
            return false;
        }
        let goes_on = |at: &&usize| !self.is_any(**at, &["and"]);
        let mut earlier = before().skip_while(goes_on).skip(1).take_while(goes_on);
        if earlier.any(|at| self.is_any(*at, &["between"])) {
            return false;
        }
        // `id IN (SELECT …)`, `id = ANY (SELECT …)` and `EXISTS (SELECT …)` are bounded by their query.
        let is_query = self.is_query(from);
        let loosens = |at: &usize| {
            let text = self.text(*at);
            let of_query = text == "=" || self.is_any(*at, &["in", "any", "some"]);
            let is_operator = self.kind(*at) == Some(Kind::Other)
                && text.contains([
                    '=', '<', '>', '!', '&', '~', '|', '+', '-', '*', '/', '%', '^',
                ]);
            (is_operator || self.is_any(*at, LOOSENS)) && !(is_query && of_query)
        };
        let after = condition.iter().filter(|at| **at > to);
        !before().take_while(goes_on).any(loosens) && !after.take_while(goes_on).any(loosens)
    }

    /// Whether nothing is put together with the parameter: `:upto + 1000`. A cast may follow.
    pub fn ends_term(&self, to: usize) -> bool {
        let mut at = to + 1;
        loop {
            let is_cast = match self.text(at) {
                "::" => Some(1),
                ":" if self.text(at + 1) == ":" => Some(2),
                _ => None,
            };
            let Some(width) = is_cast else { break };
            at += width;
            while self.name(at).is_some() && !self.is_any(at, &["and", "or"]) && !self.is_clause(at)
            {
                at += 1;
            }
        }
        match self.kind(at) {
            None | Some(Kind::Close | Kind::Semicolon) => true,
            Some(Kind::Word) => self.is_clause(at) || self.is_any(at, &["and", "lock"]),
            _ => false,
        }
    }

    fn is_set_operator(&self, at: usize) -> bool {
        self.is_any(at, &["union", "intersect", "except"]) && self.is_clause(at)
    }

    /// The ranges of tokens that UNION stands between, where it does; those taken away by EXCEPT are not among them.
    pub fn branches(&self, group: &Group) -> Vec<Range<usize>> {
        let mut branches = Vec::new();
        let Some((mut start, last)) = group.direct.first().copied().zip(group.direct.last()) else {
            return branches;
        };
        for at in group.direct.iter().copied() {
            if self.is_any(at, &["union"]) && self.is_clause(at) {
                branches.push(start..at);
                start = at + 1;
            }
        }
        if !branches.is_empty() {
            branches.push(start..last + 1);
        }
        branches
    }

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

    /// Whether only some of the rows are taken.
    pub fn is_limited(&self, group: &Group) -> bool {
        group.direct.iter().any(|at| {
            let after =
                |word: &str, next: &[&str]| self.is_any(*at, &[word]) && self.is_any(*at + 1, next);
            self.is_any(*at, &["limit", "offset", "tablesample"])
                || after("fetch", &["first", "next"])
                || after("skip", &["locked"])
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

    /// The column, or the row of columns, that ends before this token, and where it begins.
    pub fn columns_before(&self, end: usize) -> Option<(Vec<Column>, usize)> {
        let last = end.checked_sub(1)?;
        if self.kind(last) != Some(Kind::Close) {
            let (column, from) = self.column_at_end(end)?;
            return self.begins_term(from).then(|| (vec![column], from));
        }
        let group = self.group(last.checked_sub(1)?);
        let (open, close) = group.parens?;
        let mut columns = Vec::new();
        let ends = group
            .direct
            .iter()
            .copied()
            .filter(|at| self.kind(*at) == Some(Kind::Comma))
            .chain([close]);
        for end in ends {
            columns.push(self.column_at_end(end)?.0);
        }
        self.begins_term(open).then_some((columns, open))
    }

    fn begins_term(&self, from: usize) -> bool {
        from.checked_sub(1).is_some_and(|before| {
            self.is_any(before, &["where", "and"]) || self.kind(before) == Some(Kind::Open)
        })
    }

    /// A column that ends before this token, and where it begins.
    pub fn column_at_end(&self, end: usize) -> Option<(Column, usize)> {
        let at = end.checked_sub(1)?;
        let name = self.name(at)?;
        let dot = at.checked_sub(1).filter(|dot| self.text(*dot) == ".");
        let qualifier = dot
            .and_then(|dot| dot.checked_sub(1))
            .and_then(|at| self.name(at));
        let from = if qualifier.is_some() {
            at.checked_sub(2)?
        } else {
            at
        };
        Some((Column { qualifier, name }, from))
    }

    fn column_at(&self, at: usize) -> Option<Column> {
        let first = self.name(at)?;
        if self.text(at + 1) != "." {
            return Some(Column {
                qualifier: None,
                name: first,
            });
        }
        let name = self.name(at + 2)?;
        let qualifier = Some(first);
        Some(Column { qualifier, name })
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
