//! What the statements of a step cost those who use its tables, for whoever knows how large these are.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Project;
use super::later::Forward;
use super::migration::Migration;
use super::rules::{self, Scripts};
use crate::model::Step;
use crate::sql::{Dialect, Place, Work};

/// A statement that others wait for, the longer the larger the table is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Priced {
    /// Of the script, relative to the project's root.
    pub path: PathBuf,
    /// Of the statement in its script, counted from 0.
    pub index: usize,
    pub line: usize,
    pub place: Place,
    pub work: Work,
    /// A sentence without its end.
    pub says: String,
}

impl Priced {
    /// The rule that says it.
    #[must_use]
    pub const fn rule(&self) -> &'static str {
        rules::rule_of(self.work)
    }
}

impl Project {
    /// What the statements of this step cost on this database, but for tables that its migration makes.
    #[must_use]
    pub fn priced(&self, migration: &Migration, step: Step, dialect: Dialect) -> Vec<Priced> {
        let files = migration.files(dialect);
        let script = match step {
            Step::Expand => files.expand.as_ref(),
            Step::Contract => files.contract.as_ref(),
            Step::Revert => files.revert.as_ref(),
            Step::Backfill => None,
        };
        let Some(file) = script else {
            return Vec::new();
        };
        let known = |all: &[Forward]| {
            let scripts = Scripts {
                expand: files.expand.as_ref().map(|file| &file.script),
                contract: files.contract.as_ref().map(|file| &file.script),
                revert: files.revert.as_ref().map(|file| &file.script),
                all,
                ..Scripts::none(dialect, &self.config.lint)
            };
            rules::costs_of(&scripts, step, &file.script)
        };
        let mut costs = known(&[]);
        // What earlier migrations have made can only make it less, and to read them all takes time.
        let at = self.migrations.iter().position(|one| one == migration);
        if let Some(at) = at.filter(|_| costs.iter().any(|costs| !costs.is_empty())) {
            let before = self.migrations.get(..=at).unwrap_or_default();
            let texts: Vec<_> = before.iter().map(|one| texts(one, dialect)).collect();
            costs = known(&Forward::of_texts(&texts, dialect));
        }
        let each = file.script.statements.iter().zip(costs).enumerate();
        each.flat_map(|(index, (statement, costs))| {
            costs.into_iter().filter_map(move |cost| {
                Some(Priced {
                    path: file.path.clone(),
                    index,
                    line: statement.line,
                    place: cost.place?,
                    work: cost.work,
                    says: cost.says,
                })
            })
        })
        .collect()
    }
}

/// The scripts that bring it forward.
fn texts(migration: &Migration, dialect: Dialect) -> Vec<(&Path, &Arc<str>)> {
    let files = migration.files(dialect);
    let expand = files.expand.as_ref();
    let backfill = files.backfill.as_ref();
    let contract = files.contract.as_ref();
    let expand = expand.map(|file| (file.path.as_path(), &file.text));
    let backfill = backfill.map(|file| (file.path.as_path(), &file.text));
    let contract = contract.map(|file| (file.path.as_path(), &file.text));
    [expand, backfill, contract].into_iter().flatten().collect()
}
