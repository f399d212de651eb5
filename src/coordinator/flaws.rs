//! What of the files is not in order, as the gate has to know it.

use std::collections::BTreeSet;

use crate::gate::{Flaw, Flawed};
use crate::ledger::View;
use crate::model::{MigrationId, Step};
use crate::project::{Problem, Project, Section};
use crate::sql::Dialect;

/// What stands in the files' way, given what the ledger knows: what is applied is told by the ledger, and needs no files
/// but those of the steps that are left.
pub(super) fn flaws(project: &Project, view: &View, dialect: Dialect) -> Vec<Flaw> {
    let applied: BTreeSet<&MigrationId> = view.applied.iter().map(|a| a.state.id()).collect();
    let mut found = of_the_project(project);
    for broken in &project.flaws.migrations {
        if broken.declared().is_none() && !applied.contains(broken.id()) {
            let of = Flawed::Declaration(broken.id().clone());
            found.extend(broken.problems.first().map(|problem| flaw(of, problem)));
        }
        if let Some(problem) = broken.error_of_leaving() {
            found.push(flaw(Flawed::Leaving(broken.id().clone()), problem));
        }
        for step in Step::ALL {
            if let Some(problem) = broken.error_before(step, dialect) {
                found.push(flaw(Flawed::Step(broken.id().clone(), step), problem));
            }
        }
    }
    let unlisted = found.iter().find(|flaw| flaw.of == Flawed::Listing);
    let unlisted = unlisted.cloned();
    for id in applied {
        if project.as_read(id).is_none() {
            // Where the migrations cannot be listed, nobody knows what the checkout has.
            let (error, help) = match &unlisted {
                Some(flaw) => (flaw.error.clone(), flaw.help.clone()),
                None => (
                    format!("the database has {id}, and this checkout has no files of it"),
                    "run it from a checkout that has them".to_owned(),
                ),
            };
            found.extend(Step::ALL.map(|step| Flaw {
                of: Flawed::Step(id.clone(), step),
                error: error.clone(),
                help: help.clone(),
            }));
        }
    }
    found
}

/// The flaws that are no single migration's.
fn of_the_project(project: &Project) -> Vec<Flaw> {
    let config = &project.config;
    let settings = project.flaws.settings.first();
    let mut found = Vec::new();
    if let Some(problem) = settings.filter(|_| config.is_doubtful(Section::Fleet)) {
        found.push(flaw(Flawed::Settings, problem));
    }
    let listing = settings.filter(|_| config.is_doubtful(Section::Migrations));
    if let Some(problem) = listing.or(project.flaws.listing.first()) {
        found.push(flaw(Flawed::Listing, problem));
    }
    found
}

/// The flaws that keep migrations from being read, where there is no ledger to ask.
#[must_use]
pub fn flaws_on_paper(project: &Project) -> Vec<Flaw> {
    let mut found = of_the_project(project);
    for broken in &project.flaws.migrations {
        if broken.declared().is_none() {
            let of = Flawed::Declaration(broken.id().clone());
            found.extend(broken.problems.first().map(|problem| flaw(of, problem)));
        }
    }
    found
}

pub(super) fn flaw(of: Flawed, problem: &Problem) -> Flaw {
    Flaw {
        of,
        error: problem.one_line(),
        help: format!("{}; `migrate check` shows all that is wrong", problem.help),
    }
}
