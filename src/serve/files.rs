//! The project's files: read when the server starts, and again whenever they are others.

use std::fs::Metadata;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use crate::project::Project;

/// How deep the files of a project lie.
const DEPTH: usize = 3;

/// The files as they were read last.
pub(super) struct Files {
    root: PathBuf,
    database_url: Option<String>,
    read: RwLock<Read>,
}

struct Read {
    project: Arc<Project>,
    /// The last whose migrate.toml was in order.
    in_order: Arc<Project>,
    print: u64,
}

impl Files {
    /// Begins with a project that was read already.
    pub(super) fn new(project: Project, root: PathBuf, database_url: Option<String>) -> Self {
        // What changes after this is seen by the next look.
        let print = print(&root, &project);
        let project = Arc::new(project);
        Self {
            root,
            database_url,
            read: RwLock::new(Read {
                in_order: Arc::clone(&project),
                project,
                print,
            }),
        }
    }

    pub(super) fn project(&self) -> Arc<Project> {
        let read = self.read.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&read.project)
    }

    /// The files as they were the last time that migrate.toml could be read: which services are ours does not depend on a slip of
    /// whoever edits it.
    pub(super) fn in_order(&self) -> Arc<Project> {
        let read = self.read.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&read.in_order)
    }

    /// Reads them again if they are others. What is wrong with them is told with each answer.
    pub(super) fn look(&self) {
        let known = self.read.read().unwrap_or_else(PoisonError::into_inner);
        // Taken before they are read: what changes meanwhile is seen by the next look, and so is another file of aliases.
        let now = print(&self.root, &known.project);
        if known.print == now {
            return;
        }
        drop(known);
        let project = Project::load_as_far_as_possible(&self.root, self.database_url.as_deref());
        tracing::info!("the project's files were read again");
        let mut read = self.read.write().unwrap_or_else(PoisonError::into_inner);
        let project = Arc::new(project);
        if project.flaws.settings.is_empty() {
            read.in_order = Arc::clone(&project);
        }
        (read.project, read.print) = (project, now);
    }
}

/// Names, sizes and times of everything there, in a number. It is no proof, and changes whenever somebody writes a file.
fn print(root: &Path, project: &Project) -> u64 {
    let mut hasher = DefaultHasher::new();
    walk(root, DEPTH, &mut hasher);
    // These may be called anything, and be anywhere.
    let services = project.config.services.values();
    for file in services.filter_map(|service| service.aliases_file.as_ref()) {
        file.hash(&mut hasher);
        if let Ok(metadata) = std::fs::metadata(root.join(file)) {
            hash(&metadata, &mut hasher);
        }
    }
    hasher.finish()
}

fn walk(directory: &Path, depth: usize, hasher: &mut DefaultHasher) {
    let Ok(entries) = std::fs::read_dir(directory) else {
        return;
    };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        // Through symbolic links: a mounted ConfigMap is one that points elsewhere after each change.
        let Ok(metadata) = std::fs::metadata(&path) else {
            continue;
        };
        let name = path.file_name().map(|name| name.to_string_lossy());
        if metadata.is_dir() {
            let is_hidden = name.is_some_and(|name| name.starts_with('.'));
            if depth > 1 && !is_hidden {
                path.hash(hasher);
                walk(&path, depth - 1, hasher);
            }
        } else if is_of_a_project(&path) {
            path.hash(hasher);
            hash(&metadata, hasher);
        }
    }
}

fn is_of_a_project(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str());
    matches!(extension, Some("toml" | "sql"))
}

fn hash(metadata: &Metadata, hasher: &mut DefaultHasher) {
    metadata.len().hash(hasher);
    metadata.modified().ok().hash(hasher);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_changes_is_read_again_and_others_are_not_looked_at() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().to_owned();
        let config = root.join("migrate.toml");
        std::fs::write(&config, "[services.web]\n").unwrap();
        let files = Files::new(
            Project::load_as_far_as_possible(&root, None),
            root.clone(),
            None,
        );
        let first = files.project();
        std::fs::write(root.join("shop.db"), "x").unwrap();
        files.look();
        assert!(Arc::ptr_eq(&first, &files.project()));
        std::fs::write(&config, "[services.web]\n[services.worker]\n").unwrap();
        files.look();
        let services: Vec<String> = files.project().config.services.keys().cloned().collect();
        assert_eq!(services, ["web", "worker"]);
        std::fs::write(&config, "[services.").unwrap();
        files.look();
        assert!(!files.project().flaws.settings.is_empty());
        assert_eq!(files.in_order().config.services.len(), 2);
    }
}
