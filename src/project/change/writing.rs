//! What `migrate generate` writes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::model::{MigrationId, Step};
use crate::sql::Dialect;

use super::super::directory::{Candidate, Directory, file_name, is_unwritten};
use super::super::later::Forward;
use super::super::problem::Problems;
use super::super::{listed_in, manifest};
use super::follow::{Following, follow};
use super::seal::Parts;
use super::standing::{Standing, made_from, standing, text_of};

/// A change, or what is wrong with it.
type OrProblems<T> = Result<T, Problems>;

/// Which scripts are written anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rewriting {
    /// Those that do not follow from the declaration.
    WhatDiffers,
    /// All, so that they are as this build writes them.
    Everything,
}

/// A migration with a declared change, for writing its scripts.
#[derive(Clone, Debug)]
pub struct DeclaredChange {
    pub id: MigrationId,
    /// Relative to the project's root, with `/`.
    pub dir: PathBuf,
    /// What is to be written, by the name of its file.
    pub written: BTreeMap<String, String>,
    /// Files that are generated and no longer wanted.
    pub surplus: Vec<String>,
    /// Files that are somebody's own and stay as they are.
    pub own: Vec<String>,
    /// Files that stay as another build wrote them, and that this one would write otherwise.
    pub of_another_build: Vec<String>,
    /// How many files are as this build would write them.
    pub unchanged: usize,
    /// Whether a script that is there becomes another one, or goes.
    pub changes_scripts: bool,
}

impl DeclaredChange {
    /// The declared changes of the project in `dir`, each with what is wrong with it where something is.
    ///
    /// # Errors
    /// What keeps the project from being read at all.
    pub fn all(
        dir: &Path,
        url_override: Option<&str>,
        rewriting: Rewriting,
    ) -> Result<Vec<(MigrationId, OrProblems<Self>)>, Problems> {
        let (config, listing) = listed_in(dir, url_override)?;
        let mut found = Vec::new();
        let dialects = &config.database.dialects;
        let forward = Forward::of_all(&listing.found, dialects);
        for (at, directory) in listing.found.into_iter().enumerate() {
            let before = forward.get(..at).unwrap_or_default();
            let Some(source) = &directory.manifest else {
                continue;
            };
            let Some(mut manifest) = manifest::read(source) else {
                continue;
            };
            if !manifest.is_of_a_change {
                continue;
            }
            let following = follow(source, &mut manifest, &directory.id, (dialects, before));
            let id = directory.id.clone();
            let change = source
                .is_sound()
                .then(|| Self::of(&directory, &following, rewriting));
            let problems = directory.manifest.map(|source| source.into_parts().1);
            found.push((id, change.ok_or(Problems(problems.unwrap_or_default()))));
        }
        Ok(found)
    }

    fn of(directory: &Directory, following: &Following, rewriting: Rewriting) -> Self {
        let mut change = Self {
            id: directory.id.clone(),
            dir: PathBuf::from(&directory.path),
            written: BTreeMap::new(),
            surplus: Vec::new(),
            own: Vec::new(),
            of_another_build: Vec::new(),
            unchanged: 0,
            changes_scripts: false,
        };
        let mut wanted = BTreeMap::new();
        for step in Step::ALL {
            change.of_step(step, (directory, following, rewriting), &mut wanted);
        }
        for candidate in &directory.candidates {
            let Some(text) = text_of(candidate) else {
                // What is in it nobody knows, so that nothing is put in its place.
                wanted.remove(&candidate.file_name());
                continue;
            };
            match wanted.remove(&candidate.file_name()) {
                Some(Wanted::AsItIs) => {}
                Some(Wanted::Written(new)) if new == text => change.unchanged += 1,
                Some(Wanted::Written(new)) => {
                    change.changes_scripts |= !is_unwritten(text);
                    change.written.insert(candidate.file_name(), new);
                }
                None if is_generated(text) => {
                    change.changes_scripts |= !is_unwritten(text);
                    change.surplus.push(candidate.file_name());
                }
                None => {}
            }
        }
        let missing = wanted
            .into_iter()
            .filter_map(|(name, wanted)| match wanted {
                Wanted::Written(text) => Some((name, text)),
                Wanted::AsItIs => None,
            });
        change.written.extend(missing);
        change
    }

    /// What the files of a step are to hold, by their names.
    fn of_step(
        &mut self,
        step: Step,
        (directory, following, rewriting): (&Directory, &Following, Rewriting),
        wanted: &mut BTreeMap<String, Wanted>,
    ) {
        let all: Vec<Option<Standing>> = following
            .iter()
            .map(|(dialect, generated)| standing(directory, step, (*dialect, generated)))
            .collect();
        let name_of = |dialect| directory.chosen(step, dialect).map(Candidate::file_name);
        let names = |of: Standing| -> BTreeSet<String> {
            let found = following
                .keys()
                .zip(&all)
                .filter(|(_, standing)| **standing == Some(of));
            found.filter_map(|(dialect, _)| name_of(*dialect)).collect()
        };
        let own = names(Standing::Own);
        let others = names(Standing::OfAnotherBuild);
        self.own.extend(own.iter().cloned());
        let is_in_order = following
            .values()
            .zip(&all)
            .all(|(generated, there)| match there {
                Some(there) => there.holds(),
                None => !generated.scripts.contains_key(&step),
            });
        if rewriting == Rewriting::WhatDiffers && is_in_order {
            let follow = names(Standing::Follows);
            self.unchanged += follow.difference(&others).count();
            wanted.extend(
                follow
                    .union(&others)
                    .map(|name| (name.clone(), Wanted::AsItIs)),
            );
            self.of_another_build.extend(others);
            return;
        }
        let is_own = |dialect: &Dialect| name_of(*dialect).is_some_and(|name| own.contains(&name));
        let texts: Vec<(Dialect, Option<&String>)> = following
            .iter()
            .map(|(dialect, generated)| (*dialect, generated.scripts.get(&step)))
            .collect();
        let is_one = own.is_empty()
            && texts
                .windows(2)
                .all(|pair| matches!(pair, [(_, a), (_, b)] if a == b));
        let made_from = made_from(directory);
        let every: Vec<Dialect> = following.keys().copied().collect();
        for (dialect, text) in texts {
            let Some(text) = text.filter(|_| !is_own(&dialect)) else {
                continue;
            };
            let only = (!is_one).then_some(dialect);
            let dialects = if is_one { every.clone() } else { vec![dialect] };
            let sealed = Parts::of(text).map(|parts| made_from.sealed(&parts, step, &dialects));
            wanted.insert(
                file_name(step, only),
                Wanted::Written(sealed.unwrap_or_else(|| text.clone())),
            );
        }
    }
}

/// What a file is to hold.
enum Wanted {
    AsItIs,
    Written(String),
}

/// Whether a script is generated, by its first line, or holds nothing yet; otherwise it is somebody's own.
fn is_generated(text: &str) -> bool {
    is_unwritten(text) || Parts::of(text).is_some()
}
