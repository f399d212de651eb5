//! Whether the scripts that are there still follow from `[change]`.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range as Span;
use std::path::Path;

use crate::change::Generated;
use crate::model::Step;
use crate::sql::{Dialect, Script};

use super::super::MANIFEST_FILE;
use super::super::directory::{Candidate, Directory, is_unwritten};
use super::super::manifest::{Allowance, Voucher};
use super::super::problem::{Problem, listed, shown};
use super::super::reader::Located;
use super::super::source::Source;
use super::follow::Following;
use super::seal::{MadeFrom, Parts, number};

/// How a script that is there stands to the declaration, on one database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Somebody's own: nobody compares it.
    Own,
    /// It holds nothing yet, as `migrate new` writes it.
    Unwritten,
    Follows,
    /// Another build of this program wrote it from this very declaration, and this one would write it otherwise.
    OfAnotherBuild,
    /// It is as it was generated, from another `[change]` or under another number.
    OfAnotherChange,
    Differs(Difference),
}

/// Why a generated script does not follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Difference {
    /// Nothing follows for this step.
    Surplus,
    /// Its first line tells no more than that it was generated.
    Unsealed,
    /// It was generated for other databases.
    OtherDatabase,
    /// It was changed since.
    Edited,
}

impl Standing {
    /// Whether it may stay as it is.
    pub fn holds(self) -> bool {
        matches!(self, Self::Follows | Self::OfAnotherBuild)
    }
}

/// How the script of a step stands; `None` where there is none, or it cannot be read.
pub(super) fn standing(
    directory: &Directory,
    step: Step,
    (dialect, generated): (Dialect, &Generated),
) -> Option<Standing> {
    let text = text_of(directory.chosen(step, dialect)?)?;
    if is_unwritten(text) {
        return Some(Standing::Unwritten);
    }
    let Some(parts) = Parts::of(text) else {
        return Some(Standing::Own);
    };
    let wanted = generated.scripts.get(&step);
    if wanted
        .and_then(|wanted| Parts::of(wanted))
        .is_some_and(|wanted| wanted.is_as(&parts))
    {
        return Some(Standing::Follows);
    }
    Some(match parts.seal() {
        Some(seal) if !seal.holds(&parts, step) => Standing::Differs(Difference::Edited),
        Some(seal) if !seal.dialects.contains(&dialect) => {
            Standing::Differs(Difference::OtherDatabase)
        }
        Some(seal) if made_from(directory).is_of(&seal) => Standing::OfAnotherBuild,
        _ if wanted.is_none() => Standing::Differs(Difference::Surplus),
        Some(_) => Standing::OfAnotherChange,
        None => Standing::Differs(Difference::Unsealed),
    })
}

pub(super) fn text_of(candidate: &Candidate) -> Option<&str> {
    candidate.source.as_ref().map(Source::text)
}

pub(super) fn made_from(directory: &Directory) -> MadeFrom {
    let manifest = directory.manifest.as_ref().map_or("", Source::text);
    MadeFrom::of(manifest, &directory.id)
}

/// Scripts that do not follow from the declaration, or are not written yet.
pub(in crate::project) fn check(
    root: &Path,
    directory: &Directory,
    following: &Following,
) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut missing = BTreeSet::new();
    let mut differing = BTreeSet::new();
    let mut of_another_change = BTreeSet::new();
    for step in Step::ALL {
        for (dialect, generated) in following {
            let is_wanted = generated.scripts.contains_key(&step);
            let there = standing(directory, step, (*dialect, generated));
            let Some(chosen) = directory.chosen(step, *dialect) else {
                if is_wanted {
                    missing.insert(step);
                }
                continue;
            };
            let name = chosen.file_name();
            let why = match there {
                Some(Standing::Unwritten) if is_wanted => {
                    missing.insert(step);
                    continue;
                }
                Some(Standing::OfAnotherChange) => {
                    of_another_change.insert(step);
                    continue;
                }
                Some(Standing::Differs(why)) if differing.insert(name.clone()) => why,
                _ => continue,
            };
            let file = shown(root, &format!("{}/{name}", directory.path));
            let (message, help) = why.told(*dialect, number(&directory.id));
            problems.push(Problem::about(file, "does-not-follow", message, help));
        }
    }
    let number = number(&directory.id);
    let mut add = |code, message, help| {
        let file = shown(root, &format!("{}/{MANIFEST_FILE}", directory.path));
        problems.push(Problem::about(file, code, message, help));
    };
    if !of_another_change.is_empty() {
        // Said of the declaration, so that the way back stays open: the script of a revert was written with what is applied.
        let steps = listed(of_another_change.iter().map(|step: &Step| step.name()));
        add(
            "does-not-follow",
            format!(
                "the scripts were generated from another `[change]`, or under another number: {steps}"
            ),
            format!(
                "where nothing of it is applied, `migrate generate {number}` writes them anew; where it is, put `[change]` back as it \
                 was: then declare what is to change now in a migration of its own, or run `migrate revert {number}` before you change it"
            ),
        );
    }
    if !missing.is_empty() {
        let steps = listed(missing.iter().map(|step: &Step| step.name()));
        add(
            "not-generated",
            format!("the scripts that follow from `[change]` are not written: {steps}"),
            format!("run `migrate generate {number}`"),
        );
    }
    problems
}

impl Difference {
    /// What is wrong, and what to do about it where the script is applied nowhere and where it is.
    fn told(self, dialect: Dialect, number: &str) -> (String, String) {
        let title = dialect.title();
        let own = "without its first line it is your own, and nobody compares it";
        let anew = format!("`migrate generate {number}` writes it anew");
        match self {
            Self::Surplus => (
                format!("nothing follows from `[change]` on {title} for this step"),
                format!(
                    "`migrate generate {number}` removes it; without its first line it is your own"
                ),
            ),
            Self::Unsealed => (
                format!("on {title} this script does not follow from `[change]`"),
                format!("{anew}; {own}"),
            ),
            Self::OtherDatabase => (
                format!("this script was not generated for {title}"),
                format!("`migrate generate {number}` writes what follows there; {own}"),
            ),
            Self::Edited => (
                format!(
                    "on {title} this script does not follow from `[change]`: it was edited since it was generated"
                ),
                format!(
                    "{anew}, where it is not applied yet; where it is, put it back as it was; {own}"
                ),
            ),
        }
    }
}

/// What is vouched for with the declaration, in scripts that are as they follow from it.
///
/// Of a script that another build wrote, every statement: which of them that build vouched for is not told, and it wrote
/// them all from this declaration.
pub(in crate::project) fn allowed(
    directory: &Directory,
    following: &Following,
    header: Span<usize>,
) -> Vec<Allowance> {
    let mut allowances = Vec::new();
    let mut vouch = |step: Step, statement: String| {
        let statement = Located {
            value: statement,
            span: header.clone(),
        };
        allowances.push(Allowance {
            step,
            statement,
            by: Voucher::Change,
        });
    };
    for (dialect, generated) in following {
        for step in Step::ALL {
            match standing(directory, step, (*dialect, generated)) {
                Some(Standing::Follows) => {
                    let of_step = generated
                        .allow
                        .iter()
                        .filter(|allowed| allowed.step == step);
                    of_step.for_each(|allowed| vouch(step, allowed.statement.clone()));
                }
                Some(Standing::OfAnotherBuild) => {
                    let text = directory.chosen(step, *dialect).and_then(text_of);
                    let script = text.and_then(|text| Script::parse(*dialect, text).ok());
                    let statements = script.into_iter().flat_map(|script| script.statements);
                    statements.for_each(|statement| vouch(step, statement.text));
                }
                _ => {}
            }
        }
    }
    allowances
}

/// What follows where expand is as it does: a script of somebody's own may do something else, with functions that it makes.
pub(in crate::project) fn generated(
    directory: &Directory,
    following: Following,
) -> BTreeMap<Dialect, Generated> {
    let is_generated = |dialect: Dialect, generated: &Generated| {
        standing(directory, Step::Expand, (dialect, generated)).is_some_and(Standing::holds)
    };
    following
        .into_iter()
        .filter(|(dialect, generated)| is_generated(*dialect, generated))
        .collect()
}
