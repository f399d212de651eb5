//! The project's files: read when the server starts, and again whenever they are others.

use std::fs::Metadata;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use crate::project::{Flaws, Project, Section};

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
    /// The newest migrations, by the settings of the last migrate.toml that was in order.
    in_force: Arc<Project>,
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
                in_force: Arc::clone(&project),
                project,
                print,
            }),
        }
    }

    pub(super) fn project(&self) -> Arc<Project> {
        let read = self.read.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&read.project)
    }

    /// The newest migrations, beside what migrate.toml said the last time that it was in order: which services are ours does not depend on
    /// a slip of whoever edits it, and what is pending does not wait until it is mended.
    pub(super) fn in_force(&self) -> Arc<Project> {
        let read = self.read.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&read.in_force)
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
        read.in_force = if project.flaws.settings.is_empty() {
            Arc::clone(&project)
        } else {
            Arc::new(by_settings_of(&read.in_force, &project))
        };
        (read.project, read.print) = (project, now);
    }
}

/// The newest migrations by settings that were in order. Where the newest settings leave unknown which migrations there are, so does this.
fn by_settings_of(before: &Project, newest: &Project) -> Project {
    let Flaws {
        settings,
        listing,
        migrations,
    } = newest.flaws.clone();
    let is_listed = !newest.config.is_doubtful(Section::Migrations);
    let hiding = settings.into_iter().filter(|_| !is_listed);
    Project {
        config: before.config.clone(),
        flaws: Flaws {
            // Those of a server that has never seen any in order.
            settings: before.flaws.settings.clone(),
            listing: hiding.chain(listing).collect(),
            migrations,
        },
        ..newest.clone()
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
    use crate::coordinator::flaws_on_paper;
    use crate::gate::Flawed;

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
        assert_eq!(files.in_force().config.services.len(), 2);
    }

    #[test]
    fn a_slip_in_the_settings_hides_no_migration_and_leaves_the_services() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().to_owned();
        let write = |path: &str, text: &str| {
            let path = root.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        let settings = "[database]\ndialects = [\"sqlite\"]\n[services.web]\n";
        write("migrate.toml", settings);
        let read = Project::load_as_far_as_possible(&root, None);
        let files = Files::new(read, root.clone(), None);
        let pending = || -> Vec<String> {
            let project = files.in_force();
            let declared = project.declarations();
            declared.map(|one| one.id.to_string()).collect()
        };
        let unread = || -> Vec<Flawed> {
            let flaws = flaws_on_paper(&files.in_force());
            flaws.into_iter().map(|flaw| flaw.of).collect()
        };
        write("0001_z/expand.sql", "ALTER TABLE t ADD COLUMN z int;\n");
        let declared = "description = \"z\"\n[services.web]\nnew = \">=1.3.0\"\n";
        write("0001_z/migration.toml", declared);
        // A section that this build does not know.
        write("migrate.toml", &format!("{settings}[nix]\n"));
        files.look();
        assert_eq!(pending(), ["0001_z"]);
        assert_eq!(unread(), []);
        // What cannot be read at all does not say where the migrations are.
        write("migrate.toml", "[services.");
        files.look();
        assert_eq!(unread(), [Flawed::Listing]);
        assert!(files.in_force().config.services.contains_key("web"));
        write("migrate.toml", settings);
        write("0001_z/migration.toml", "descripton = \"z\"\n");
        files.look();
        let id = files.in_force().ids().next().cloned().unwrap();
        assert_eq!(unread(), [Flawed::Declaration(id)]);
        write("0001_z/migration.toml", declared);
        files.look();
        assert_eq!((pending(), unread()), (vec!["0001_z".to_owned()], vec![]));
    }
}
