//! Where symbolic links of a project may lead.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::problem::{Problem, shown};

/// Whether what a project runs may come from outside its directory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Links {
    /// What is reviewed with the project is all that runs.
    #[default]
    Inside,
    /// `follow_links = true`.
    Anywhere,
}

const HELP: &str = "put it there itself, or write `follow_links = true` at the top of migrate.toml";

impl Links {
    /// Why `relative` under `root` is not read: it is there, and leads out of the project. The root may be a link itself.
    pub(super) fn refuse(self, root: &Path, relative: &str) -> Option<Problem> {
        if self == Links::Anywhere {
            return None;
        }
        let problem = |message: String| {
            Some(Problem::about(
                shown(root, relative),
                "link-leads-out",
                message,
                HELP,
            ))
        };
        match leads_out(root, relative) {
            Ok(None) => None,
            Ok(Some(target)) => problem(format!(
                "this leads out of the project's directory, by a symbolic link to {}",
                target.display()
            )),
            // Whatever comes next says so.
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
                ) =>
            {
                None
            }
            Err(error) => problem(format!("where this leads cannot be told: {error}")),
        }
    }

    /// As [`Self::refuse`], of what lies in a directory that was not refused: unless it is a link itself, it is where it is.
    pub(super) fn refuse_within(self, root: &Path, relative: &str) -> Option<Problem> {
        match fs::symlink_metadata(root.join(relative)) {
            Ok(metadata) if !metadata.is_symlink() => None,
            _ => self.refuse(root, relative),
        }
    }
}

/// Whether what is read is not in the project, by whatever way.
pub(super) fn is_outside(root: &Path, relative: &str) -> bool {
    matches!(leads_out(root, relative), Ok(Some(_)))
}

/// Where it leads, if that is not in the project.
fn leads_out(root: &Path, relative: &str) -> io::Result<Option<PathBuf>> {
    let target = fs::canonicalize(root.join(relative))?;
    let root = match root.as_os_str().is_empty() {
        true => fs::canonicalize(".")?,
        false => fs::canonicalize(root)?,
    };
    Ok((!target.starts_with(&root)).then_some(target))
}
