//! The scripts of a migration for one database: what runs in each phase, and what of it is there.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use crate::change::{Holds, Trial};
use crate::model::Step;
use crate::sql::{Dependents, Object, ObjectKind, Ranged, Script, Verb};

use super::change;
use super::source::FileRef;

/// The scripts of a migration for one database.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Files {
    pub expand: Option<ScriptFile>,
    pub backfill: Option<BackfillFile>,
    pub contract: Option<ScriptFile>,
    pub revert: Option<ScriptFile>,
    /// What the server has to be able to work out before expand, which is as it was generated.
    pub trials: Vec<Trial>,
    /// What is undone with expand, which is as it was generated.
    pub holds: Holds,
    /// The steps that another migration tool carries out.
    pub revisions: BTreeMap<Step, Revisions>,
    /// Every script that is there, whether or not it can be run.
    pub seen: BTreeMap<Step, Seen>,
}

impl Files {
    /// Whether no row is other than without the expand: it builds indexes alone, or what is declared is such a thing.
    #[must_use]
    pub fn holds_nothing(&self) -> bool {
        let is_index =
            |object: &Object| object.kind == ObjectKind::Index && object.verb == Verb::Create;
        let builds_indexes = self.expand.as_ref().is_some_and(|file| {
            let mut statements = file.script.statements.iter();
            statements.all(|statement| {
                statement.objects().next().is_some() && statement.objects().all(is_index)
            })
        });
        self.holds == Holds::Nothing || builds_indexes
    }

    /// Whether expand and the way back were generated together, and nobody has changed either since.
    #[must_use]
    pub fn are_generated_together(&self) -> bool {
        match (&self.expand, &self.revert) {
            (Some(expand), Some(revert)) => {
                change::are_of_one([(Step::Expand, &*expand.text), (Step::Revert, &*revert.text)])
            }
            _ => false,
        }
    }
}

/// A script that is there, by what tells whether it was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// Its text could be read.
    Read {
        /// Relative to the project's root, with `/`.
        path: PathBuf,
        /// Of the text with LF at the end of lines, in hexadecimal.
        sha256: String,
    },
    /// It may be as it was, or gone, or anything.
    Unreadable,
}

/// Those of a database that a project is not for.
pub(super) static NO_FILES: Files = Files {
    expand: None,
    backfill: None,
    contract: None,
    revert: None,
    trials: Vec::new(),
    holds: Holds::Values,
    revisions: BTreeMap::new(),
    seen: BTreeMap::new(),
};

/// A script that runs as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScriptFile {
    /// Relative to the project's root, with `/`.
    pub path: PathBuf,
    pub text: Arc<str>,
    /// Of the text with LF at the end of lines, in hexadecimal.
    pub sha256: String,
    pub script: Script,
    /// The statements, by their place, that somebody vouches for in migration.toml.
    pub vouched: BTreeSet<usize>,
    made: OnceLock<Dependents>,
}

/// A statement that runs once for each batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackfillFile {
    /// Relative to the project's root, with `/`.
    pub path: PathBuf,
    pub text: Arc<str>,
    /// Of the text with LF at the end of lines, in hexadecimal.
    pub sha256: String,
    pub statement: Ranged,
}

impl ScriptFile {
    pub(super) fn new(file: &FileRef, script: Script, vouched: BTreeSet<usize>) -> Self {
        let FileRef { path, text, sha256 } = file.clone();
        Self {
            path,
            text,
            sha256,
            script,
            vouched,
            made: OnceLock::new(),
        }
    }

    /// What the script leaves of the code that it makes.
    #[must_use]
    pub fn made(&self) -> &Dependents {
        self.made.get_or_init(|| Dependents::made_by(&self.script))
    }
}

impl BackfillFile {
    pub(super) fn new(file: &FileRef, statement: Ranged) -> Self {
        let FileRef { path, text, sha256 } = file.clone();
        Self {
            path,
            text,
            sha256,
            statement,
        }
    }
}

/// What another migration tool does in the place of a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revisions {
    /// The kind of the tool.
    pub kind: &'static str,
    /// As the tool calls them, in the order in which they are applied.
    pub names: Vec<String>,
    /// Where they are named, relative to the project's root, with `/`.
    pub path: PathBuf,
    /// Of the kind and the names, in hexadecimal.
    pub sha256: String,
    /// Whether somebody vouches for what they do.
    pub judged: bool,
    /// What they do, where that is SQL in files. It is not run.
    pub script: Option<ScriptFile>,
}
