//! A table that is built anew in one script, and comes back with other columns, or with other values in them, than
//! anybody asked for: what was in the old one goes with it.

mod definition;

use crate::model::Step;
use crate::sql::{
    Dialect, Fills, Gone, ObjectKind, Script, Source, Statement, Table, TableColumn, Tables, Verb,
};

use super::super::finding::{Finding, first_line};
use super::super::later;
use super::swapped::Swap;
use super::{Scripts, narrows, takes};

pub(super) fn check(scripts: &Scripts<'_>) -> Vec<(Step, Finding)> {
    let mut found = Vec::new();
    for (step, script) in scripts.whole() {
        for (index, statement) in script.statements.iter().enumerate() {
            for gone in statement.gone() {
                let before = script.statements.get(..index).unwrap_or_default();
                if gone.column.is_some() || takes::makes(before, &gone, scripts.dialect) {
                    continue;
                }
                let finding = Swap::of(scripts, step, script, index, &gone)
                    .and_then(|swap| Rebuild::of(scripts, step, statement, &gone, &swap))
                    .and_then(|rebuild| rebuild.finding());
                found.extend(finding.map(|finding| (step, finding)));
            }
        }
    }
    found
}

struct Rebuild<'s> {
    scripts: &'s Scripts<'s>,
    step: Step,
    script: &'s Script,
    /// The statement that takes the old table away.
    swaps: &'s Statement,
    gone: &'s Gone,
    /// As the migrations before this one leave it.
    old: Table,
    /// The columns that expand.sql has added, where that has run.
    added: Vec<&'s str>,
    new: Table,
    /// The statement that makes the new table.
    at: usize,
    fills: Option<(usize, Fills)>,
}

/// What is wrong, told at this statement.
struct Wrong {
    /// Of a script that runs before a contract.
    in_expand: &'static str,
    at: usize,
    why: String,
    help: String,
}

impl<'s> Rebuild<'s> {
    /// None if the old table or the new one is not known for certain.
    fn of(
        scripts: &'s Scripts<'s>,
        step: Step,
        swaps: &'s Statement,
        gone: &'s Gone,
        swap: &Swap<'_>,
    ) -> Option<Self> {
        let dialect = scripts.dialect;
        let script = scripts.script(step)?;
        let old = later::table(scripts.before(), dialect, &gone.table)?;
        let mut tables = Tables::default();
        tables.apply(script);
        let new = tables.get(dialect, &gone.table)?.clone();
        if !old.is_certain || !new.is_certain {
            return None;
        }
        let expand = scripts.expand.filter(|_| step != Step::Expand);
        let objects = expand.into_iter().flat_map(|script| &script.statements);
        let added = objects.flat_map(Statement::objects).filter(|object| {
            let of = object.table.as_deref();
            object.kind == ObjectKind::Column
                && object.verb == Verb::Create
                && of.is_some_and(|of| dialect.may_be_same_name(of, &gone.table))
        });
        let mut fills = script
            .statements
            .iter()
            .enumerate()
            .filter_map(|(at, one)| {
                let fills = one.fills(dialect)?;
                let is_it = |name: &str| dialect.may_be_same_name(&fills.table, name);
                (is_it(&swap.made_as) || is_it(&gone.table)).then_some((at, fills))
            });
        Some(Self {
            fills: fills.next(),
            scripts,
            step,
            script,
            swaps,
            gone,
            old,
            added: added.map(|object| object.name.as_str()).collect(),
            new,
            at: swap.at,
        })
    }

    fn finding(&self) -> Option<Finding> {
        let wrong = self
            .left_out()
            .or_else(|| self.mixed())
            .or_else(|| self.stricter())
            .or_else(|| self.otherwise())?;
        let code = match self.step {
            Step::Expand => wrong.in_expand,
            _ => "takes-too-much",
        };
        let finding = Finding::new(
            code,
            first_line(self.script.statements.get(wrong.at)?),
            format!(
                "the table that takes the place of `{}` {}",
                self.gone.table, wrong.why
            ),
            wrong.help,
        );
        Some(finding.excusable(wrong.at))
    }

    fn dialect(&self) -> Dialect {
        self.scripts.dialect
    }

    fn same(&self, a: &str, b: &str) -> bool {
        self.dialect().may_be_same_name(a, b)
    }

    /// Whether the column is of the format that the step takes away.
    fn goes(&self, column: &str) -> bool {
        let gone = Gone {
            kind: ObjectKind::Column,
            verb: Verb::Drop,
            schema: self.gone.schema.clone(),
            table: self.gone.table.clone(),
            column: Some(column.to_owned()),
        };
        match self.step {
            Step::Contract => takes::of_contract(self.scripts, self.swaps, &gone).is_none(),
            Step::Revert => takes::of_revert(self.scripts, &gone).is_none(),
            Step::Expand | Step::Backfill => false,
        }
    }

    fn is_own(&self, column: &str) -> bool {
        self.step != Step::Expand
            && narrows::is_own(self.scripts, self.step, &self.gone.table, column)
    }

    /// The columns of the old table that the new one has to have, with what is in them. Those of the other format are told of
    /// without that the old table is known.
    fn kept(&self) -> impl Iterator<Item = &TableColumn> {
        let told = takes::kept_columns(self.scripts, self.step, self.gone);
        self.old.columns.iter().filter(move |column| {
            !told.iter().any(|told| self.same(told, &column.name)) && !self.goes(&column.name)
        })
    }

    fn left_out(&self) -> Option<Wrong> {
        let made = |column: &&TableColumn| self.new.column(self.dialect(), &column.name);
        if let Some(column) = self.kept().find(|column| made(column).is_none()) {
            return Some(Wrong {
                in_expand: "loses-rows",
                at: self.fills.as_ref().map_or(self.at, |(at, _)| *at),
                why: format!(
                    "is made without its column `{}`, with what is in it: that belongs to no format of this migration",
                    column.name
                ),
                help: "name it in the CREATE TABLE, and in the INSERT that fills it".to_owned(),
            });
        }
        let (at, fills) = self.fills.as_ref()?;
        let named = fills.columns.as_ref()?;
        let is_key = |name: &str| self.new.primary_key.iter().any(|key| self.same(key, name));
        // What the database computes nobody may fill; numbers that it has given out have to stay.
        let is_computed = |column: &TableColumn| {
            made(&column).is_some_and(|new| new.is_made && !is_key(&new.name))
        };
        // What has its place in the new table as well does not go, whichever format it is of.
        let told = takes::kept_columns(self.scripts, self.step, self.gone);
        let mut kept = self.old.columns.iter().filter(|column| {
            made(column).is_some() && !told.iter().any(|told| self.same(told, &column.name))
        });
        let left = kept.find(|column| {
            !named.iter().any(|name| self.same(name, &column.name)) && !is_computed(column)
        })?;
        Some(Wrong {
            in_expand: "loses-rows",
            at: *at,
            why: format!(
                "is filled without its column `{}`: every row gets the default, or NULL",
                left.name
            ),
            help: "name it among the columns of the INSERT and of its SELECT".to_owned(),
        })
    }

    /// A column that is filled from another one, or from something that is put together.
    fn mixed(&self) -> Option<Wrong> {
        let (at, fills) = self.fills.as_ref()?;
        let targets: Vec<&str> = match &fills.columns {
            Some(named) => named.iter().map(String::as_str).collect(),
            None => self
                .new
                .columns
                .iter()
                .map(|one| one.name.as_str())
                .collect(),
        };
        let sources = self.sources(&fills.from)?;
        if targets.len() != sources.len() {
            return None;
        }
        let old = self.old.columns.iter();
        let old: Vec<&str> = old.map(|column| column.name.as_str()).collect();
        let is_old = |name: &str| old.iter().any(|old| self.same(old, name));
        let is_added = |name: &str| self.added.iter().any(|added| self.same(added, name));
        let is_right = |target: &str, source: &Source| match source {
            Source::Column(column) if self.same(column, target) => true,
            // The new format may take over the name of the old one.
            Source::Column(column) => self.goes(target) && is_added(column),
            Source::Expression(_) => self.is_own(target) || self.goes(target),
            Source::All => true,
        };
        let mut pairs = targets.into_iter().zip(&sources);
        let (target, source) =
            pairs.find(|(target, source)| is_old(target) && !is_right(target, source))?;
        let from = match source {
            Source::Column(column) => format!("the column `{column}`"),
            Source::Expression(written) => format!("`{written}`"),
            Source::All => return None,
        };
        Some(Wrong {
            in_expand: "loses-rows",
            at: *at,
            why: format!(
                "has its column `{target}` filled from {from}: what was in it is lost, and live versions read something else"
            ),
            help: "name the columns of the INSERT, and the same ones in its SELECT in that order"
                .to_owned(),
        })
    }

    /// With what `*` stands for; `None` if that is not known.
    fn sources(&self, from: &[Source]) -> Option<Vec<Source>> {
        let mut sources = Vec::new();
        for source in from {
            if *source != Source::All {
                sources.push(source.clone());
                continue;
            }
            // Where a new column has its place is told by words of MySQL.
            let is_placed = self.scripts.expand.is_some_and(|expand| {
                let mut statements = expand.statements.iter();
                statements.any(|statement| {
                    let words = statement.words(self.dialect());
                    words.iter().any(|word| word == "after" || word == "first")
                })
            });
            if is_placed {
                return None;
            }
            let old = self.old.columns.iter().map(|column| column.name.as_str());
            let all = old.chain(self.added.iter().copied());
            sources.extend(all.map(|name| Source::Column(name.to_owned())));
        }
        Some(sources)
    }

    /// A column that INSERTs could leave out, and no longer can.
    fn stricter(&self) -> Option<Wrong> {
        let needs_value = |column: &TableColumn| {
            !column.is_nullable && column.default.is_none() && !column.is_made
        };
        let is_added = |name: &str| self.added.iter().any(|added| self.same(added, name));
        let mut columns = self.new.columns.iter().filter(|column| needs_value(column));
        let column = columns.find(|column| {
            let was = self.old.column(self.dialect(), &column.name);
            let was_free = was.is_none_or(|was| !needs_value(was));
            was_free && !is_added(&column.name) && !self.is_own(&column.name)
        })?;
        Some(Wrong {
            in_expand: "destructive-expand",
            at: self.at,
            why: format!(
                "has the column `{}` NOT NULL without a default: INSERTs that leave it out fail",
                column.name
            ),
            help: "give it the default that it had, or let it be NULL".to_owned(),
        })
    }
}
