//! What is wrong with a project's files, where that stops nobody who does not need them.

use crate::model::{Declaration, MigrationId, Step};
use crate::sql::Dialect;

use super::migration::Migration;
use super::problem::Problem;
use super::revisions::PAST_THE_TOOL;
use super::rules::STILL_REQUIRED;

/// The errors of a project's files, each with what it leaves unknown.
#[derive(Clone, Debug, Default)]
pub struct Flaws {
    /// Of migrate.toml and the URL of the database; [`super::Config::doubtful`] says which of its sections they concern.
    pub settings: Vec<Problem>,
    /// Of the directory of the migrations: there may be more of them.
    pub listing: Vec<Problem>,
    /// In the order of their numbers.
    pub migrations: Vec<Broken>,
}

impl Flaws {
    /// Whether the files are in order.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.problems().next().is_none()
    }

    /// All that is wrong, in the order of the files.
    pub fn problems(&self) -> impl Iterator<Item = &Problem> {
        let migrations = self.migrations.iter();
        let outside = self.settings.iter().chain(&self.listing);
        outside.chain(migrations.flat_map(|broken| &broken.problems))
    }

    /// The migration with this name, if its files are not in order.
    #[must_use]
    pub fn of(&self, id: &MigrationId) -> Option<&Broken> {
        self.migrations.iter().find(|broken| broken.id() == id)
    }
}

/// A migration whose files are not in order, as far as they could be read.
#[derive(Clone, Debug)]
pub struct Broken {
    read: Migration,
    is_declared: bool,
    /// Errors; never empty.
    pub problems: Vec<Problem>,
}

impl Broken {
    pub(super) fn new(read: Migration, is_declared: bool, problems: Vec<Problem>) -> Self {
        Self {
            read,
            is_declared,
            problems,
        }
    }

    #[must_use]
    pub fn id(&self) -> &MigrationId {
        self.read.id()
    }

    /// What it declares, where that could be read without doubt. It never claims less than its author may have meant.
    #[must_use]
    pub fn declared(&self) -> Option<&Declaration> {
        self.is_declared.then_some(&self.read.declaration)
    }

    /// Its files as far as they could be read. Invariant: what they declare is doubtful, see [`Self::declared`].
    #[must_use]
    pub const fn as_read(&self) -> &Migration {
        &self.read
    }

    /// What keeps versions from living before the contract that no longer write the old format.
    #[must_use]
    pub fn error_of_leaving(&self) -> Option<&Problem> {
        let mut problems = self.problems.iter();
        problems.find(|problem| problem.code == STILL_REQUIRED)
    }

    /// What keeps a step from being taken: of its script, or of what it cannot be taken without. An expand adds
    /// to a schema that the whole migration has to be right for; a revert runs nothing but its own script.
    #[must_use]
    pub fn error_before(&self, step: Step, dialect: Dialect) -> Option<&Problem> {
        let mut problems = self.problems.iter();
        match step {
            Step::Expand => problems.next(),
            Step::Backfill | Step::Contract => {
                problems.find(|problem| script_of(problem).is_none_or(|of| of == step))
            }
            Step::Revert => match &self.read.files(dialect).revert {
                None => problems
                    .find(|problem| script_of(problem) == Some(step))
                    .or_else(|| self.problems.first()),
                Some(file) => problems.find(|problem| {
                    problem.code == PAST_THE_TOOL || problem.path.ends_with(&file.path)
                }),
            },
        }
    }
}

/// The step whose script a problem is in.
fn script_of(problem: &Problem) -> Option<Step> {
    let name = problem.path.file_name()?.to_str()?;
    let stem = name.strip_suffix(".sql")?;
    Step::ALL
        .into_iter()
        .find(|step| stem.split('.').next() == Some(step.name()))
}
