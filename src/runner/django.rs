//! Django: migrations of several applications, which name those that come before them.
//!
//! `migrate APP NAME` takes back what comes after NAME where that is applied: it is only ever called for one that is not.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use super::Table;
use super::history::with_time;
use super::{Applied, Call, History, Kind, Reach, Revision, Runner, Sql, Tool, files, python};

pub(super) const KIND: Kind = Kind {
    kind: "django",
    read: |_| Some(Arc::new(Django)),
};

#[derive(Debug)]
struct Django;

/// How deep applications lie in a project.
const DEEPEST: usize = 4;

impl Tool for Django {
    fn kind(&self) -> &'static str {
        KIND.kind
    }

    fn program(&self) -> Vec<String> {
        vec!["python".into(), "manage.py".into()]
    }

    fn files(&self, _dir: &Path) -> String {
        String::new()
    }

    fn history(&self) -> History {
        History::Table(Table {
            name: "django_migrations".into(),
            on: &[],
            columns: &["app", "name", "applied"],
        })
    }

    fn revisions(&self, runner: &Runner, root: &Path) -> Result<Vec<Revision>, String> {
        let mut found = Vec::new();
        look(root, &runner.place(root), DEEPEST, &mut found)?;
        found.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(found)
    }

    fn read(&self, rows: &[Vec<String>], known: &[Revision]) -> Result<Vec<Applied>, String> {
        let rows: Vec<Vec<String>> = rows
            .iter()
            .filter_map(|row| match row.as_slice() {
                [app, name, at] => Some(vec![format!("{app}.{name}"), at.clone()]),
                _ => None,
            })
            .collect();
        let mut applied = with_time(&rows);
        // One that was squashed of others is recorded the next time that Django looks; it counts already.
        for one in known.iter().filter(|one| !one.replaces.is_empty()) {
            let is_done = |name: &String| applied.iter().any(|done| done.revision == *name);
            if !is_done(&one.name) && one.replaces.iter().all(is_done) {
                applied.push(Applied::done(&one.name));
            }
        }
        Ok(applied)
    }

    fn reach(&self) -> Reach {
        Reach::UpTo
    }

    fn apply(&self, _: &Runner, _: &Path, revision: &Revision) -> Result<Call, String> {
        let (app, name) = split(&revision.name)?;
        Ok(Call::new(["migrate", app, name, "--no-input"]))
    }

    fn sql(&self, revision: &Revision, text: &str) -> Sql {
        // Of these it prints a comment.
        if text.contains("RunPython") {
            return Sql::Hidden;
        }
        match split(&revision.name) {
            Ok((app, name)) => Sql::Printed(Call::new(["sqlmigrate", app, name])),
            Err(_) => Sql::Hidden,
        }
    }

    fn mend(&self, revision: &str) -> String {
        let (app, name) = revision.split_once('.').unwrap_or(("APP", revision));
        format!("`manage.py migrate {app} {name} --fake` says that it is done")
    }

    fn is_here(&self, dir: &Path) -> bool {
        let text = fs::read_to_string(dir.join("manage.py")).unwrap_or_default();
        text.contains("django")
    }
}

fn split(revision: &str) -> Result<(&str, &str), String> {
    revision.split_once('.').ok_or_else(|| {
        format!("`{revision}` is no migration of Django: write `APP.NAME`, for example `shop.0002_status`")
    })
}

/// The applications below a directory, each with its migrations.
fn look(root: &Path, place: &str, depth: usize, found: &mut Vec<Revision>) -> Result<(), String> {
    for name in files::names(root, place)? {
        let path = if place.is_empty() {
            name.clone()
        } else {
            format!("{place}/{name}")
        };
        if !root.join(&path).is_dir() || is_of_others(root, &path, &name) {
            continue;
        }
        if name == "migrations" {
            let app = place.rsplit('/').next().unwrap_or_default();
            for file in files::names(root, &path)? {
                let Some(stem) = file
                    .strip_suffix(".py")
                    .filter(|stem| !stem.starts_with('_'))
                else {
                    continue;
                };
                let file = format!("{path}/{file}");
                let text = files::text(root, &file)?;
                if !text.contains("Migration") {
                    continue;
                }
                let named = |key: &str| {
                    let of = python::assigned(&text, key).unwrap_or_default();
                    let pairs = python::pairs(&of).into_iter();
                    pairs.map(|(app, name)| format!("{app}.{name}")).collect()
                };
                found.push(Revision {
                    name: format!("{app}.{stem}"),
                    file: Some(file),
                    after: named("dependencies"),
                    replaces: named("replaces"),
                    key: None,
                });
            }
        } else if let Some(depth) = depth.checked_sub(1) {
            look(root, &path, depth, found)?;
        }
    }
    Ok(())
}

/// Packages that are installed below the project, and are not its own.
fn is_of_others(root: &Path, path: &str, name: &str) -> bool {
    matches!(name, "node_modules" | "site-packages" | "__pycache__")
        || root.join(path).join("pyvenv.cfg").exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_applications_of_a_project_are_found_with_what_they_depend_on() {
        let dir = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write(
            "manage.py",
            "os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'x')  # django",
        );
        write("apps/shop/migrations/__init__.py", "");
        write(
            "apps/shop/migrations/0001_initial.py",
            "class Migration(migrations.Migration):\n    dependencies = [\n        ('auth', '0012_x'),\n    ]\n",
        );
        write(
            "apps/shop/migrations/0002_b.py",
            "class Migration(migrations.Migration):\n    dependencies = [('shop', '0001_initial')]\n",
        );
        write("env/pyvenv.cfg", "");
        write(
            "env/auth/migrations/0001_initial.py",
            "class Migration: pass",
        );
        let runner = Runner::usual("django").unwrap();
        let known = runner.revisions(dir.path()).unwrap();
        let names: Vec<&str> = known.iter().map(|one| one.name.as_str()).collect();
        assert_eq!(names, ["shop.0001_initial", "shop.0002_b"]);
        assert_eq!(known[1].after, ["shop.0001_initial"]);
        assert!(Django.is_here(dir.path()));
        // Squashed ones are applied where all are that they stand for.
        write(
            "apps/shop/migrations/0001_squashed_0002.py",
            "class Migration(migrations.Migration):\n    replaces = [('shop', '0001_initial'), ('shop', '0002_b')]\n    dependencies = []\n",
        );
        let known = runner.revisions(dir.path()).unwrap();
        let row = |name: &str| vec!["shop".to_owned(), name.to_owned(), "2026".to_owned()];
        for (rows, count) in [
            (vec![row("0001_initial")], 1),
            (vec![row("0001_initial"), row("0002_b")], 3),
            (
                vec![
                    row("0001_squashed_0002"),
                    row("0001_initial"),
                    row("0002_b"),
                ],
                3,
            ),
        ] {
            assert_eq!(Django.read(&rows, &known).unwrap().len(), count);
        }
        assert!(split("0002_b").is_err());
    }
}
