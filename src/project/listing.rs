//! Which migration directories a project has.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::config::{CONFIG_FILE, Config};
use super::directory::{self, Directory, Entry, Kind};
use super::links::Links;
use super::manifest::MANIFEST_FILE;
use super::problem::{Problem, shown};
use super::threads;
use crate::model::{IdError, MigrationId};

/// Which migrations there are, before anything of them is read.
#[derive(Default)]
pub(super) struct Names {
    /// In the order of their numbers, each with its path from the root.
    pub found: Vec<(MigrationId, String)>,
    pub problems: Vec<Problem>,
    /// Of numbers that several migrations have.
    pub duplicates: BTreeMap<u64, Problem>,
}

impl Names {
    /// Reads all of them.
    pub fn read(self, root: &Path, links: Links) -> Listing {
        let found = threads::each(self.found, |_, (id, path)| {
            Directory::read(root, path, id, links)
        });
        Listing {
            found,
            problems: self.problems,
            duplicates: self.duplicates,
        }
    }
}

/// What was found where the migrations are.
#[derive(Default)]
pub(super) struct Listing {
    /// In the order of their numbers.
    pub found: Vec<Directory>,
    pub problems: Vec<Problem>,
    /// Of numbers that several migrations have.
    pub duplicates: BTreeMap<u64, Problem>,
}

pub(super) fn missing_config(dir: &Path) -> Problem {
    if fs::metadata(dir).is_ok_and(|metadata| metadata.is_dir()) {
        Problem::about(
            shown(dir, CONFIG_FILE),
            "missing-config",
            "there is no such file, so this is not a project",
            "change to the project's directory or name it with `-C`; `migrate init` starts a new one",
        )
    } else {
        Problem::about(
            shown(dir, ""),
            "missing-project",
            "there is no such directory",
            "name the directory that `migrate.toml` is in with `-C`",
        )
    }
}

/// The migration directories, in order.
pub(super) fn find_migrations(root: &Path, config: &Config) -> Listing {
    find_names(root, config).read(root, config.links)
}

/// What the migration directories are called, in order.
pub(super) fn find_names(root: &Path, config: &Config) -> Names {
    let mut names = Names::default();
    let problems = &mut names.problems;
    let (within, links) = (config.migrations.as_str(), config.links);
    if let Some(problem) = links.refuse(root, within) {
        problems.push(problem);
        return names;
    }
    let entries = match directory::Listed::of(&root.join(within)) {
        Ok(listed) => listed.entries,
        Err(error) => {
            problems.push(Problem::about(
                shown(root, within),
                "unreadable-directory",
                format!("the migrations cannot be listed: {error}"),
                "create the directory, or correct `migrations` in migrate.toml",
            ));
            return names;
        }
    };
    let mut found: Vec<(MigrationId, String)> = Vec::new();
    for Entry { name, kind } in entries {
        // Everything else beside the migrations is none of our business.
        if !name.starts_with(|c: char| c.is_ascii_digit()) {
            continue;
        }
        let path = match within {
            "" => name.clone(),
            within => format!("{within}/{name}"),
        };
        let is_directory = match kind {
            Kind::Directory => Ok(true),
            Kind::File => Ok(false),
            Kind::Unknown => fs::metadata(root.join(&path)).map(|metadata| metadata.is_dir()),
        };
        match is_directory {
            Ok(true) => match name.parse() {
                // What the directory says is one is no link that could lead elsewhere.
                Ok(id) if kind == Kind::Directory => found.push((id, path)),
                Ok(id) => match links.refuse_within(root, &path) {
                    Some(problem) => problems.push(problem),
                    None => found.push((id, path)),
                },
                Err(error) => problems.push(bad_name(shown(root, &path), &error)),
            },
            Ok(false) => problems.extend(loose_script(shown(root, &path), &name)),
            Err(error) => problems.push(Problem::about(
                shown(root, &path),
                "unreadable-directory",
                format!("this is named like a migration and cannot be read: {error}"),
                "make it a directory that can be read, or remove it",
            )),
        }
    }
    found.sort();
    check_order(root, &found, &mut names);
    names.found = found;
    names
}

fn bad_name(shown: PathBuf, error: &IdError) -> Problem {
    Problem::about(
        shown,
        "bad-migration-name",
        error.to_string(),
        "rename it, with letters, digits, `_` and `-` after the number; or, if it is no migration, let its name begin with something else than a digit",
    )
}

fn loose_script(shown: PathBuf, name: &str) -> Option<Problem> {
    let (stem, _) = name.rsplit_once('.').filter(|(_, end)| *end == "sql")?;
    let problem = Problem::about(
        shown,
        "loose-script",
        "this script is not in a migration's directory and will never be run",
        format!("make a directory of it: `{stem}/expand.sql`, with a `{MANIFEST_FILE}` beside it"),
    );
    Some(problem.into_warning())
}

fn check_order(root: &Path, found: &[(MigrationId, String)], names: &mut Names) {
    for pair in found.windows(2) {
        let [(before, _), (after, path)] = pair else {
            continue;
        };
        if before.number() == after.number() {
            let problem = Problem::about(
                shown(root, path),
                "duplicate-number",
                format!("`{after}` has the same number as `{before}`"),
                format!(
                    "`migrate renumber {after}` gives it the next free number, or `migrate renumber {before}` that one: renumber the one that no database has applied"
                ),
            );
            names.duplicates.insert(after.number(), problem);
        } else if before.as_str() > after.as_str() {
            let problem = Problem::about(
                shown(root, path),
                "text-order-differs",
                format!(
                    "`{after}` comes after `{before}`, but is listed before it by everything that sorts names as text"
                ),
                "write all numbers with the same number of digits",
            );
            names.problems.push(problem.into_warning());
        }
    }
}
