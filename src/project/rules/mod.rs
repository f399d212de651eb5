//! What is wrong with the scripts of a migration taken together: what each rule says is a row of `listed`, and what finds it
//! a file with a row here.

mod again;
mod asked;
mod backfill;
mod breaks;
mod bystanders;
mod computed;
mod costs;
mod defaults;
mod filled;
mod formats;
mod full_text;
mod goes_along;
mod holds;
mod ledger;
mod left_behind;
mod listed;
mod long_keys;
mod loses;
mod may_fail;
mod moments;
mod named;
mod narrows;
mod newer_sqlite;
mod no_transaction;
mod nowhere;
mod numbers;
mod postgres;
mod put;
mod rebuilt;
mod refuses;
mod retypes;
mod seeds;
mod shadowed;
mod shipped;
mod spoken;
mod sqlite;
mod sqlite_code;
mod still_required;
mod swapped;
mod takes;
mod there;
mod too_new;
mod triggers;
mod types;
mod unindexed;
mod unvalidated;
mod widened;
mod widens_unsaid;
mod writes_along;

pub use costs::code_of as rule_of;
pub(super) use costs::of as costs_of;
pub use listed::{RULES, Rule, rule};
pub(super) use still_required::CODE as STILL_REQUIRED;
pub(super) use widened::{Wider, is_widening, lifts_a_check};

use crate::model::Step;
use crate::sql::{Dialect, Ranged, Script, Statement, Table};

use super::files::Files;
use super::finding::Finding;
use super::later::{self, Forward};
use super::lint::LintConfig;
use super::manifest::Manifest;
use super::reader::Located;

/// The scripts of one migration as one database reads them; none where there is none, or it cannot be read.
#[derive(Clone, Copy)]
pub(super) struct Scripts<'a> {
    pub dialect: Dialect,
    /// `None` if it cannot be read.
    pub manifest: Option<&'a Manifest>,
    pub expand: Option<&'a Script>,
    /// expand.sql without what it makes only where it is missing and finds there; `None` where it finds nothing.
    pub made: Option<&'a Script>,
    pub backfill: Option<&'a Ranged>,
    pub contract: Option<&'a Script>,
    pub revert: Option<&'a Script>,
    /// The migrations that come after it.
    pub later: &'a [Forward],
    /// All of them, with this one.
    pub all: &'a [Forward],
    pub lint: &'a LintConfig,
}

impl<'a> Scripts<'a> {
    /// Of a migration without files, which whoever asks gives what is to be looked at.
    pub fn none(dialect: Dialect, lint: &'a LintConfig) -> Self {
        Self {
            dialect,
            manifest: None,
            expand: None,
            made: None,
            backfill: None,
            contract: None,
            revert: None,
            later: &[],
            all: &[],
            lint,
        }
    }

    /// What expand.sql makes that was not there before, where the files tell.
    fn adds(&self) -> Option<&'a Script> {
        self.made.or(self.expand)
    }

    /// The scripts that hold statements, in the order of the steps.
    fn whole(&self) -> impl Iterator<Item = (Step, &'a Script)> {
        [
            (Step::Expand, self.expand),
            (Step::Contract, self.contract),
            (Step::Revert, self.revert),
        ]
        .into_iter()
        .filter_map(|(step, script)| Some((step, script?)))
    }

    /// Whether the scripts follow from `[change]`.
    fn is_declared(&self) -> bool {
        self.manifest
            .is_some_and(|manifest| manifest.is_of_a_change)
    }

    /// A table as earlier migrations and the scripts up to the one of this step leave it, as far as they tell.
    fn table(&self, step: Step, name: &str) -> Option<Table> {
        let tables = later::tables_with(self.before(), self.dialect, name);
        let mut tables = tables.unwrap_or_default();
        let own = self.expand.filter(|_| step != Step::Expand);
        let all = own.into_iter().chain(self.script(step));
        all.for_each(|script| tables.apply(script));
        tables.get(self.dialect, name).cloned()
    }

    /// The migrations that come before it.
    fn before(&self) -> &'a [Forward] {
        let count = self.all.len().saturating_sub(self.later.len() + 1);
        self.all.get(..count).unwrap_or_default()
    }

    fn script(&self, step: Step) -> Option<&'a Script> {
        self.whole()
            .find(|(of, _)| *of == step)
            .map(|(_, script)| script)
    }

    fn statements(&self) -> impl Iterator<Item = (Step, usize, &'a Statement)> {
        self.whole().flat_map(|(step, script)| {
            let statements = script.statements.iter().enumerate();
            statements.map(move |(index, statement)| (step, index, statement))
        })
    }
}

/// Looks at the scripts, and says in which one it found what.
type Check = fn(&Scripts<'_>) -> Vec<(Step, Finding)>;

const CHECKS: &[Check] = &[
    backfill::check,
    bystanders::check,
    computed::check,
    costs::check,
    defaults::check,
    filled::check,
    full_text::check,
    goes_along::check,
    holds::check,
    left_behind::check,
    long_keys::check,
    loses::check,
    may_fail::check,
    moments::check,
    newer_sqlite::check,
    no_transaction::check,
    nowhere::check,
    numbers::check,
    takes::check,
    postgres::new_values,
    rebuilt::check,
    retypes::check,
    seeds::check,
    shadowed::check,
    sqlite::check,
    sqlite_code::check,
    still_required::check,
    swapped::check,
    too_new::check,
    triggers::check,
    unindexed::check,
    unvalidated::check,
    widens_unsaid::check,
    writes_along::check,
];

/// What is wrong with a query that stands in the manifest.
pub(super) fn of_query(
    dialect: Dialect,
    ledger: Option<&str>,
    query: &Located<String>,
) -> Vec<Finding> {
    ledger::of_query(dialect, ledger, query)
        .into_iter()
        .collect()
}

/// Something that a revert takes away beside what its expand has added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Excess {
    pub message: String,
    pub help: String,
}

/// What the revert of these files takes away beside what an expand by these statements has added, and nobody vouches for.
#[must_use]
pub fn beyond_expand(files: &Files, expand: &Script) -> Vec<Excess> {
    let Some(revert) = &files.revert else {
        return Vec::new();
    };
    let lint = LintConfig::default();
    let scripts = Scripts {
        expand: Some(expand),
        contract: files.contract.as_ref().map(|file| &file.script),
        revert: Some(&revert.script),
        ..Scripts::none(expand.dialect, &lint)
    };
    let found = takes::check(&scripts).into_iter();
    found
        .filter(|(step, finding)| {
            let is_vouched = |index: usize| revert.vouched.contains(&index);
            *step == Step::Revert && !finding.excusable.is_some_and(is_vouched)
        })
        .map(|(_, finding)| Excess {
            message: finding.message,
            help: finding.help,
        })
        .collect()
}

/// `ledger` is the database of its own in which the ledger is.
pub(super) fn check(scripts: &Scripts<'_>, ledger: Option<&str>) -> Vec<(Step, Finding)> {
    let made = there::without_what_was_there(scripts);
    let scripts = &Scripts {
        made: made.as_ref(),
        ..*scripts
    };
    let found = CHECKS.iter().flat_map(|check| check(scripts));
    found.chain(ledger::check(scripts, ledger)).collect()
}
