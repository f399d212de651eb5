//! Whether the ranges of a statement's keys bound what it touches.

use super::super::lexeme::{Kind, Token};
use super::block::{Block, Item};
use super::tokens::{Column, Tokens};

/// Deeper, a query within a query is not followed.
const DEEPEST: usize = 16;

/// What the batches go over, as the manifest has it.
#[derive(Clone, Copy, Debug)]
pub struct Key<'a> {
    pub table: &'a str,
    pub columns: &'a [String],
}

/// A comparison of a key with an end of the range: where its operator and its parameter stand.
pub(super) struct Comparison {
    pub operator: usize,
    pub parameter: usize,
}

pub(super) struct Range<'t> {
    tokens: Tokens<'t>,
    key: Option<Key<'t>>,
}

impl<'t> Range<'t> {
    pub fn new(tokens: Tokens<'t>, key: Option<Key<'t>>) -> Self {
        Self { tokens, key }
    }

    /// Whether the comparison has to hold for every row that the statement touches: a term of a WHERE that AND alone
    /// combines. What holds for a query in parentheses holds for what is joined with it or looked up in it.
    pub fn bounds(&self, comparison: &Comparison) -> bool {
        let to = comparison.parameter;
        self.tokens.ends_term(to)
            && self
                .tokens
                .columns_before(comparison.operator)
                .is_some_and(|(columns, from)| self.term(from, to, &columns, self.key.as_ref(), 0))
    }

    /// Whether one of these comparisons stands where every query of each UNION around it has one of them as well.
    pub fn is_in_every_branch(&self, bounding: &[usize]) -> bool {
        bounding.iter().any(|at| {
            let mut at = *at;
            loop {
                let group = self.tokens.group(at);
                let branches = self.tokens.branches(&group);
                let has_one = |branch: &std::ops::Range<usize>| {
                    bounding.iter().any(|other| branch.contains(other))
                };
                if !branches.iter().all(has_one) {
                    return false;
                }
                match group.parens {
                    Some((open, _)) => at = open,
                    None => return true,
                }
            }
        })
    }

    /// A condition `from..=to` that binds these columns.
    fn term(
        &self,
        from: usize,
        to: usize,
        columns: &[Column],
        key: Option<&Key<'_>>,
        depth: usize,
    ) -> bool {
        let tokens = &self.tokens;
        let (mut from, mut to) = (from, to);
        let group = loop {
            let group = tokens.group(from);
            let clause = tokens.clause_before(&group, from);
            let condition = match clause {
                Some(clause) if tokens.is_any(clause, &["where"]) => {
                    tokens.condition(&group, clause)
                }
                Some(_) => return false,
                None => group.direct.clone(),
            };
            if !tokens.has_to_hold(&condition, from, to) {
                return false;
            }
            if clause.is_some() {
                break group;
            }
            let Some((open, close)) = group.parens else {
                return false;
            };
            if tokens.is_argument(open) {
                return false;
            }
            (from, to) = (open, close);
        };
        let Some(block) = tokens.block(&group, from) else {
            return false;
        };
        if block.leaves_out() || !self.binds(&block, columns, key) {
            return false;
        }
        self.outside(&block, depth)
    }

    /// Whether a condition on these columns bounds the rows of the block.
    fn binds(&self, block: &Block, columns: &[Column], key: Option<&Key<'_>>) -> bool {
        let qualifier = columns.first().and_then(|column| column.qualifier.as_ref());
        if columns
            .iter()
            .any(|column| column.qualifier.as_ref() != qualifier)
        {
            return false;
        }
        let item = match qualifier {
            Some(qualifier) => block.items.iter().find(|item| item.is_called(qualifier)),
            None if block.items.len() <= 1 => block.items.first(),
            None => None,
        };
        if qualifier.is_some() && item.is_none() {
            return false;
        }
        if let Some(key) = key
            && !self.is_key(block, item, columns, key)
        {
            return false;
        }
        match (block.target(), item) {
            (Some(target), Some(item)) if target.at != item.at => self.tokens.is_tied(block, item),
            _ => true,
        }
    }

    /// Whether the columns are the key of the table that the batches go over, or the same as it.
    fn is_key(
        &self,
        block: &Block,
        item: Option<&Item>,
        columns: &[Column],
        key: &Key<'_>,
    ) -> bool {
        let table = key.table.rsplit('.').next().unwrap_or(key.table);
        let table = table.to_lowercase();
        let is_table = |item: &Item| {
            let name = item.table.as_deref();
            name.is_some_and(|name| name == table)
        };
        // That their number differs is told of in other words.
        let is_key = columns.len() != key.columns.len()
            || columns
                .iter()
                .zip(key.columns)
                .all(|(column, key)| column.name == key.to_lowercase());
        let equals_key = || {
            let [column] = columns else { return false };
            let [key] = key.columns else { return false };
            self.tokens.equalities(block).iter().any(|(a, b)| {
                let joins = |a: &Column, b: &Column| {
                    a == column
                        && b.name == key.to_lowercase()
                        && block
                            .items
                            .iter()
                            .filter(|item| is_table(item))
                            .any(|item| b.qualifier.as_ref().is_some_and(|b| item.is_called(b)))
                };
                joins(a, b) || joins(b, a)
            })
        };
        match item {
            Some(item) if is_table(item) => is_key,
            Some(_) => equals_key(),
            None => is_key && block.items.iter().any(is_table),
        }
    }

    /// What a bounded block is a part of.
    fn outside(&self, block: &Block, depth: usize) -> bool {
        let Some((open, close)) = block.parens else {
            return true;
        };
        if depth >= DEEPEST {
            return false;
        }
        let tokens = &self.tokens;
        let group = tokens.group(open);
        let clause = tokens.clause_before(&group, open);
        match clause {
            Some(clause) if tokens.is_any(clause, &["where"]) => {
                self.looked_up(block, open, close, depth)
            }
            None => self.looked_up(block, open, close, depth),
            Some(clause) if tokens.is_any(clause, &["from", "join", "using", "update"]) => {
                self.joined(open, depth)
            }
            Some(clause) if tokens.is_any(clause, &["into"]) => group.parens.is_none(),
            Some(clause) if tokens.is_any(clause, &["with"]) => {
                let uses = tokens.uses_of_cte(open, close);
                uses.into_iter().any(|at| self.joined(at, depth + 1))
            }
            Some(_) => false,
        }
    }

    /// `id IN (…)`, `id = ANY (…)`, `EXISTS (…)`.
    fn looked_up(&self, block: &Block, open: usize, close: usize, depth: usize) -> bool {
        let tokens = &self.tokens;
        let before = |back: usize| open.checked_sub(back);
        let is =
            |back: usize, words: &[&str]| before(back).is_some_and(|at| tokens.is_any(at, words));
        if is(1, &["exists"]) {
            // Without what ties it to the row outside it holds for all of them or for none.
            let Some(outer) = tokens.outer_column(block) else {
                return false;
            };
            return self.term(open, close, &[outer], None, depth + 1);
        }
        let end = if is(1, &["in"]) {
            before(1)
        } else if is(1, &["any", "some"]) {
            before(2).filter(|at| tokens.text(*at) == "=")
        } else {
            None
        };
        let Some(columns) = end.and_then(|end| tokens.columns_before(end)) else {
            return false;
        };
        tokens.selects_columns(block) && self.term(open, close, &columns.0, None, depth + 1)
    }

    /// A FROM item at `at` that is bounded in itself.
    fn joined(&self, at: usize, depth: usize) -> bool {
        let tokens = &self.tokens;
        let group = tokens.group(at);
        let Some(block) = tokens.block(&group, at) else {
            return false;
        };
        let Some(item) = block.items.iter().find(|item| item.at == at) else {
            return false;
        };
        if block.leaves_out() || item.may_be_missing || block.has_outer_join {
            return false;
        }
        let is_alone = block.items.len() == 1 && block.target().is_none();
        (is_alone || tokens.is_tied(&block, item)) && self.outside(&block, depth + 1)
    }
}

/// Whether it takes only some of the rows that it finds, so that the rest of the batch is left out.
pub(super) fn is_limited(tokens: Tokens<'_>) -> bool {
    tokens.is_limited(&tokens.group(0))
}

/// Whether a query in it writes as well, which no range of the statement bounds.
pub(super) fn writes_inside(sql: &str, tokens: &[Token]) -> bool {
    tokens.windows(2).any(|pair| match pair {
        [open, verb] => {
            open.kind == Kind::Open
                && ["update", "insert", "delete", "merge"]
                    .iter()
                    .any(|word| verb.is_word(sql, word))
        }
        _ => false,
    })
}
