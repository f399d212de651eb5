//! The migrations of a project's applications, each with those that come before it, as far as files tell.

use std::fs;
use std::path::Path;

use super::super::{Revision, Runner, files, python};

/// How deep applications lie in a project.
const DEEPEST: usize = 4;

/// What Django calls the first migration of an application, whichever it is, and the last.
pub(super) const FIRST: &str = "__first__";
const LATEST: &str = "__latest__";

/// An application, and where its migrations are.
struct App {
    label: String,
    migrations: String,
}

/// What there is in a project.
#[derive(Default)]
struct Seen {
    apps: Vec<App>,
    /// The files that may be its settings.
    settings: Vec<String>,
}

impl Seen {
    /// The applications whose migrations are elsewhere, by `MIGRATION_MODULES`.
    fn moved_in(&self, root: &Path, dir: &str) -> Vec<App> {
        let mut found = Vec::new();
        for file in &self.settings {
            let text = files::text(root, file).unwrap_or_default();
            let modules = python::assigned(&text, "MIGRATION_MODULES").unwrap_or_default();
            for entry in modules.split(',') {
                if let [label, module] = python::literals(entry).as_slice() {
                    let below = module.replace('.', "/");
                    let migrations = match dir.trim_matches('/') {
                        "" | "." => below,
                        dir => format!("{dir}/{below}"),
                    };
                    // Elsewhere than here it is Django that knows.
                    if root.join(&migrations).is_dir() {
                        found.push(App {
                            label: label.clone(),
                            migrations,
                        });
                    }
                }
            }
        }
        found
    }
}

/// The applications below a directory.
fn look(root: &Path, place: &str, depth: usize, seen: &mut Seen) -> Result<(), String> {
    for name in files::names(root, place)? {
        let path = if place.is_empty() {
            name.clone()
        } else {
            format!("{place}/{name}")
        };
        if !root.join(&path).is_dir() {
            let is_settings = name.starts_with("settings") || place.ends_with("settings");
            if is_settings && Path::new(&name).extension().is_some_and(|end| end == "py") {
                seen.settings.push(path);
            }
        } else if is_of_others(root, &path, &name) {
        } else if name == "migrations" {
            seen.apps.push(App {
                label: label(root, place),
                migrations: path,
            });
        } else if let Some(depth) = depth.checked_sub(1) {
            look(root, &path, depth, seen)?;
        }
    }
    Ok(())
}

/// What Django calls the application in a directory: what its configuration says, or the directory's name.
fn label(root: &Path, place: &str) -> String {
    let usual = place.rsplit('/').next().unwrap_or_default();
    let text = fs::read_to_string(root.join(place).join("apps.py")).unwrap_or_default();
    let text = text.replace(';', "\n");
    let said = python::assigned(&text, "label").map(|value| python::literals(&value));
    match said.as_deref() {
        Some([label]) => label.clone(),
        _ => usual.to_owned(),
    }
}

/// A migration's file, as far as its names go.
struct Written {
    revision: Revision,
    app: String,
    run_before: Vec<String>,
}

fn written(root: &Path, app: &App) -> Result<Vec<Written>, String> {
    let mut found = Vec::new();
    for file in files::names(root, &app.migrations)? {
        let Some(stem) = file
            .strip_suffix(".py")
            .filter(|stem| !stem.starts_with('_'))
        else {
            continue;
        };
        let file = format!("{}/{file}", app.migrations);
        let text = files::text(root, &file)?;
        if !text.contains("Migration") {
            continue;
        }
        let named = |key: &str| {
            let of = python::assigned(&text, key).unwrap_or_default();
            let pairs = python::pairs(&of).into_iter();
            pairs.map(|(app, name)| format!("{app}.{name}")).collect()
        };
        found.push(Written {
            revision: Revision {
                name: format!("{}.{stem}", app.label),
                file: Some(file),
                after: named("dependencies"),
                replaces: named("replaces"),
                key: None,
            },
            app: app.label.clone(),
            run_before: named("run_before"),
        });
    }
    Ok(found)
}

/// The revisions of the project's applications.
pub(super) fn revisions(root: &Path, runner: &Runner) -> Result<Vec<Revision>, String> {
    let mut seen = Seen::default();
    look(root, &runner.place(root), DEEPEST, &mut seen)?;
    let moved = seen.moved_in(root, &runner.dir);
    for app in &moved {
        seen.apps.retain(|one| one.label != app.label);
    }
    seen.apps.extend(moved);
    let mut found: Vec<Written> = Vec::new();
    for app in &seen.apps {
        found.extend(written(root, app)?);
    }
    Ok(connected(found))
}

/// The revisions by their names, each with all that come before it, whichever file says so.
fn connected(mut found: Vec<Written>) -> Vec<Revision> {
    found.sort_by(|a, b| a.revision.name.cmp(&b.revision.name));
    let mut all: Vec<Revision> = found.iter().map(|one| one.revision.clone()).collect();
    let end_of = |app: &str, is_first: bool| {
        let mut of_app = found.iter().filter(|one| one.app == app);
        let end = if is_first {
            of_app.next()
        } else {
            of_app.next_back()
        };
        end.map(|one| one.revision.name.clone())
    };
    let squashed = |wanted: &str| {
        let has_file = found.iter().any(|one| one.revision.name == wanted);
        let mut replacing = found
            .iter()
            .filter(|one| !has_file && one.revision.replaces.iter().any(|name| name == wanted));
        replacing.next().map(|one| one.revision.name.clone())
    };
    for (one, written) in all.iter_mut().zip(&found) {
        let others = found
            .iter()
            .filter(|other| other.run_before.contains(&written.revision.name));
        one.after
            .extend(others.map(|other| other.revision.name.clone()));
        for name in &mut one.after {
            let end = match name.split_once('.') {
                Some((app, FIRST)) => end_of(app, true),
                Some((app, LATEST)) => end_of(app, false),
                _ => squashed(name),
            };
            if let Some(meant) = end {
                *name = meant;
            }
        }
        one.after.retain(|name| *name != written.revision.name);
    }
    // The history goes on to have what was squashed when its file is gone.
    let names = all.iter().flat_map(|one| &one.replaces);
    let mut gone: Vec<String> = names
        .filter(|name| all.iter().all(|one| one.name != **name))
        .cloned()
        .collect();
    gone.dedup();
    all.extend(gone.into_iter().map(|name| Revision {
        name,
        ..Revision::default()
    }));
    all.sort_by(|a, b| a.name.cmp(&b.name));
    all
}

/// Packages that are installed below the project, and are not its own.
fn is_of_others(root: &Path, path: &str, name: &str) -> bool {
    matches!(name, "node_modules" | "site-packages" | "__pycache__")
        || root.join(path).join("pyvenv.cfg").exists()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runner::sample::project;

    const SHOP: &str =
        "class Migration:\n    dependencies = [('store', '0001_a'), ('auth', '__first__')]\n";
    const STORE: &str =
        "class Migration:\n    dependencies = []\n    run_before = [('shop', '0001_a')]\n";

    #[test]
    fn what_comes_before_is_found_whatever_says_so() {
        let settings = "MIGRATION_MODULES = {\n    'shop': 'other.place',  # not here\n    'store': 'catalog.schema',\n}\n";
        for (place, label, settings) in [
            (
                "catalog/migrations",
                "    name = 'catalog'; label = 'store'\n",
                "",
            ),
            ("catalog/schema", "", settings),
        ] {
            let dir = project(&[
                ("proj/settings.py", settings),
                ("catalog/apps.py", &format!("class C(AppConfig):\n{label}")),
                ("shop/migrations/0001_a.py", SHOP),
                (&format!("{place}/0001_a.py"), "class Migration: pass"),
                (&format!("{place}/0002_b.py"), STORE),
            ]);
            let runner = Runner::usual("django").unwrap();
            let known = runner.revisions(dir.path()).unwrap();
            let names: Vec<&str> = known.iter().map(|one| one.name.as_str()).collect();
            assert_eq!(names, ["shop.0001_a", "store.0001_a", "store.0002_b"]);
            assert_eq!(
                known[0].after,
                ["store.0001_a", "auth.__first__", "store.0002_b"]
            );
        }
    }
}
