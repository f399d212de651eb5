//! What of a project a change of files concerns, as of a pull request.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::config::CONFIG_FILE;
use super::migration::Migration;
use super::problem::{Problem, shown};
use super::{Broken, Project};
use crate::model::MigrationId;
use crate::runner::{Revision, Runner};

/// Files that were changed, relative to the project's root, with `/`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changed {
    pub all: BTreeSet<String>,
    /// Those among them that were not there before.
    pub added: BTreeSet<String>,
}

/// What a change concerns.
#[derive(Clone, Debug, Default)]
pub struct Touched {
    pub migrations: Vec<MigrationId>,
    /// What is wrong with them, or with others because of them.
    pub problems: Vec<Problem>,
    /// New revisions of the project's other migration tool that no migration names.
    pub unnamed: Vec<Revision>,
}

/// What is said of a revision's name where it is written, though the change is in the tool's files.
const OF_REVISIONS: [&str; 5] = [
    "ambiguous-revision",
    "duplicate-revision",
    "revisions-out-of-order",
    "unknown-revision",
    "unreadable-revisions",
];

impl Project {
    /// What a change concerns. What keeps anything from being judged concerns every change.
    #[must_use]
    pub fn touched(&self, changed: &Changed) -> Touched {
        let runner = self.config.runner.as_ref();
        let known = runner.and_then(|runner| runner.revisions(&self.root).ok());
        let known = known.unwrap_or_default();
        let is_everything = changed.all.contains(CONFIG_FILE);
        let mut touched = Touched::default();
        let mut places: BTreeSet<PathBuf> = changed
            .all
            .iter()
            .map(|file| shown(&self.root, file))
            .collect();
        let mut words: Vec<String> = Vec::new();
        let mut named: BTreeSet<&str> = BTreeSet::new();
        for migration in self.whole() {
            let revisions = revisions_of(migration, &known);
            named.extend(revisions.iter().map(|one| one.name.as_str()));
            let dir = migration.dir.display().to_string();
            let real = real_places(&self.root, &migration.dir);
            let is_of_it = |file: &String| {
                let is_in = |place: &String| is_within(file, place);
                // A link on the way to it may lead somewhere else now.
                is_within(file, &dir) || is_within(&dir, file) || real.iter().any(is_in)
            };
            let files: Vec<&String> = revisions
                .iter()
                .filter_map(|one| one.file.as_ref())
                .collect();
            let is_touched = is_everything
                || changed.all.iter().any(is_of_it)
                || files.iter().any(|file| changed.all.contains(*file));
            if is_touched {
                touched.migrations.push(migration.id().clone());
                places.insert(shown(&self.root, &migration.dir.display().to_string()));
                places.extend(files.into_iter().map(|file| shown(&self.root, file)));
                words.push(migration.id().to_string());
            }
        }
        touched.migrations.sort();
        let is_of_tool = runner.is_some_and(|runner| is_among(runner, &self.root, changed));
        let concerns = |problem: &&Problem| {
            is_everything
                || problem.path.ancestors().any(|path| places.contains(path))
                || words.iter().any(|word| problem.message.contains(word))
                || (is_of_tool && OF_REVISIONS.contains(&problem.code))
        };
        // Without these there is nothing to go by.
        let always = self.flaws.settings.iter().chain(&self.flaws.listing);
        touched.problems.extend(always.cloned());
        let others = self
            .flaws
            .migrations
            .iter()
            .flat_map(|broken| &broken.problems);
        let others = others.chain(&self.warnings).filter(concerns);
        touched.problems.extend(others.cloned());
        let is_new = |one: &&Revision| {
            let file = one.file.as_ref();
            file.is_some_and(|file| changed.added.contains(file))
                && !named.contains(one.name.as_str())
        };
        touched.unnamed = known.iter().filter(is_new).cloned().collect();
        touched
    }

    /// Every migration, as far as it could be read.
    fn whole(&self) -> impl Iterator<Item = &Migration> {
        let broken = self.flaws.migrations.iter().map(Broken::as_read);
        self.migrations.iter().chain(broken)
    }
}

/// Whether a path is this place or lies in it.
fn is_within(path: &str, place: &str) -> bool {
    let rest = path.strip_prefix(place);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Where the directory of a migration and what lies in it really are, from the project's root, where links lead there: git calls a
/// file by that place.
fn real_places(root: &Path, dir: &Path) -> Vec<String> {
    let Ok(top) = fs::canonicalize(root) else {
        return Vec::new();
    };
    let place = top.join(dir);
    let entries = fs::read_dir(&place).into_iter().flatten().flatten();
    let links = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_symlink()));
    let all = std::iter::once(place.clone()).chain(links.map(|entry| entry.path()));
    // Where it is a link itself, that is a file to git.
    let link = place
        .parent()
        .and_then(|parent| fs::canonicalize(parent).ok())
        .and_then(|parent| Some(parent.join(place.file_name()?)));
    let real = all
        .filter_map(|path| fs::canonicalize(path).ok())
        .chain(link);
    let below = real.filter_map(|path| Some(path.strip_prefix(&top).ok()?.display().to_string()));
    below.map(|path| path.replace('\\', "/")).collect()
}

fn revisions_of<'r>(migration: &Migration, known: &'r [Revision]) -> Vec<&'r Revision> {
    let mut names: BTreeSet<&str> = BTreeSet::new();
    for files in migration.files.values() {
        for revisions in files.revisions.values() {
            names.extend(revisions.names.iter().map(String::as_str));
        }
    }
    known
        .iter()
        .filter(|one| names.contains(one.name.as_str()))
        .collect()
}

/// Whether a changed file is one of the tool's; one that is gone is known by its place alone.
fn is_among(runner: &Runner, root: &Path, changed: &Changed) -> bool {
    let place = runner.place(root);
    changed.all.iter().any(|file| match place.as_str() {
        // Django's applications lie anywhere.
        "" => file.contains("migrations/"),
        place => file.starts_with(&format!("{place}/")),
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn project(files: &[(&str, &str)]) -> (tempfile::TempDir, Project) {
        let dir = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = dir.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let project = Project::load_as_far_as_possible(dir.path(), Some("sqlite://a.db"));
        (dir, project)
    }

    const UP: &str = "-- migrate:up\nALTER TABLE a ADD COLUMN b int;\n-- migrate:down\n";

    #[test]
    fn a_change_is_judged_by_what_it_touches() {
        let of = |revision: &str| {
            format!(
                "description = \"x\"\n[services.web]\nnew = \"?\"\n[expand]\nrevisions = [\"{revision}\"]\n"
            )
        };
        let (_dir, project) = project(&[
            (
                "migrate.toml",
                "[services.web]\n[runner]\nkind = \"dbmate\"\n",
            ),
            ("0001_a/migration.toml", &of("1")),
            ("0002_b/migration.toml", &of("2")),
            ("0003_c/migration.toml", &of("9")),
            ("db/migrations/1_a.sql", UP),
            ("db/migrations/2_b.sql", UP),
            ("db/migrations/3_c.sql", UP),
        ]);
        for (all, added, migrations, problems, unnamed) in [
            (vec![], vec![], vec![], vec![], vec![]),
            (vec!["README.md"], vec![], vec![], vec![], vec![]),
            (
                vec!["0001_a/migration.toml"],
                vec![],
                vec!["0001_a"],
                vec!["0001_a"],
                vec![],
            ),
            // What it names is in the tool's directory; a name that is not there may have been.
            (
                vec!["db/migrations/2_b.sql"],
                vec![],
                vec!["0002_b"],
                vec!["0002_b", "0003_c"],
                vec![],
            ),
            (
                vec!["db/migrations/3_c.sql"],
                vec!["db/migrations/3_c.sql"],
                vec![],
                vec!["0003_c"],
                vec!["3"],
            ),
            (
                vec!["migrate.toml"],
                vec![],
                vec!["0001_a", "0002_b", "0003_c"],
                vec!["0001_a", "0002_b", "0003_c", "0003_c"],
                vec![],
            ),
        ] {
            let set = |files: &[&str]| files.iter().map(|file| (*file).to_owned()).collect();
            let changed = Changed {
                all: set(&all),
                added: set(&added),
            };
            let touched = project.touched(&changed);
            let found: Vec<&str> = touched.migrations.iter().map(MigrationId::as_str).collect();
            assert_eq!(found, migrations, "{all:?}");
            let mut found: Vec<String> = touched
                .problems
                .iter()
                .map(|problem| {
                    problem
                        .path
                        .parent()
                        .unwrap()
                        .file_name()
                        .unwrap()
                        .to_string_lossy()
                        .into_owned()
                })
                .collect();
            found.sort();
            assert_eq!(found, problems, "{all:?}");
            let found: Vec<&str> = touched
                .unnamed
                .iter()
                .map(|one| one.name.as_str())
                .collect();
            assert_eq!(found, unnamed, "{all:?}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_file_behind_a_link_is_the_migrations() {
        use std::os::unix::fs::symlink;

        let bad = "ALTER TABLE users DROP COLUMN a;\n";
        let plain = "description = \"x\"\n";
        let (dir, _) = project(&[
            ("migrate.toml", "migrations = \"migs\"\n[services.web]\n"),
            ("real/0001_a/migration.toml", plain),
            (
                "real/0001_a/expand.sql",
                "CREATE TABLE users (id int, a int);\n",
            ),
            ("lib/0002_b/migration.toml", plain),
            ("lib/0002_b/expand.sql", bad),
            ("real/0003_c/migration.toml", plain),
            ("lib/c.sql", bad),
        ]);
        symlink("real", dir.path().join("migs")).unwrap();
        symlink("../lib/0002_b", dir.path().join("real/0002_b")).unwrap();
        symlink("../../lib/c.sql", dir.path().join("real/0003_c/expand.sql")).unwrap();
        let project = Project::load_as_far_as_possible(dir.path(), Some("sqlite://x.db"));
        for (file, expected) in [
            ("real/0001_a/expand.sql", vec!["0001_a"]),
            ("lib/0002_b/expand.sql", vec!["0002_b"]),
            ("lib/c.sql", vec!["0003_c"]),
            ("real/0002_b", vec!["0002_b"]),
            ("migs", vec!["0001_a", "0002_b", "0003_c"]),
            ("lib/other.sql", vec![]),
        ] {
            let changed = Changed {
                all: [file.to_owned()].into(),
                added: BTreeSet::new(),
            };
            let touched = project.touched(&changed);
            let migrations: Vec<String> =
                touched.migrations.iter().map(ToString::to_string).collect();
            assert_eq!(migrations, expected, "{file}");
            let is_bad = expected.iter().any(|id| *id != "0001_a");
            assert_eq!(
                touched.problems.iter().any(Problem::is_error),
                is_bad,
                "{file}"
            );
        }
    }
}
