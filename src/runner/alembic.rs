//! Alembic: revisions form a graph, and the history holds its heads alone.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use super::Table;
use super::revision::before;
use super::{Applied, Call, History, Kind, Reach, Revision, Runner, Sql, Tool, files, python};

pub(super) const KIND: Kind = Kind {
    kind: "alembic",
    read: |_| Some(Arc::new(Alembic)),
};

#[derive(Debug)]
struct Alembic;

/// A setting of alembic.ini, or of pyproject.toml, with the lines on which it goes on.
fn setting(dir: &Path, wanted: &str) -> Option<String> {
    for file in ["alembic.ini", "pyproject.toml"] {
        let Ok(text) = std::fs::read_to_string(dir.join(file)) else {
            continue;
        };
        let mut lines = text.lines().peekable();
        while let Some(line) = lines.next() {
            let Some((key, value)) = line.split_once('=') else {
                continue;
            };
            if key.trim() != wanted {
                continue;
            }
            let mut found = value.trim().to_owned();
            let goes_on =
                |line: &&str| line.starts_with([' ', '\t', ']']) && !line.trim().is_empty();
            while let Some(more) = lines.next_if(goes_on) {
                found.push('\n');
                found.push_str(more.trim());
            }
            return Some(found);
        }
    }
    None
}

/// A place of a setting, relative to the directory of the settings.
fn place(text: &str) -> String {
    let relative = text.replace("%(here)s", ".").replace("%(here)", ".");
    let relative = relative.trim_start_matches("./").trim_end_matches('/');
    relative.to_owned()
}

/// `script_location`.
fn location(dir: &Path) -> Option<String> {
    setting(dir, "script_location").map(|found| place(found.trim_matches('"')))
}

/// The directories of the revisions, relative to the project's root: `version_locations`, or the one below `script_location`.
fn places(runner: &Runner, root: &Path) -> Vec<String> {
    let usual = vec![runner.place(root)];
    if runner.files.is_some() {
        return usual;
    }
    let Some(listed) = setting(&runner.directory(root), "version_locations") else {
        return usual;
    };
    // Whichever mark stands between them: what is no directory of the project is no place of its files.
    let between =
        |c: char| c.is_whitespace() || matches!(c, ',' | ':' | ';' | '"' | '\'' | '[' | ']');
    let below = |part: &str| match runner.dir.trim_matches('/') {
        "" | "." => place(part),
        dir => format!("{dir}/{}", place(part)),
    };
    let found: Vec<String> = listed
        .split(between)
        .filter(|part| !part.is_empty() && !part.starts_with('/'))
        .map(below)
        .filter(|place| root.join(place).is_dir())
        .collect();
    if found.is_empty() { usual } else { found }
}

/// The files in a directory, and if they are looked for there as well, in those below it.
fn files_in(root: &Path, place: &str, is_recursive: bool) -> Result<Vec<String>, String> {
    let mut found = Vec::new();
    for name in files::names(root, place)? {
        let file = format!("{place}/{name}");
        if Path::new(&name).extension().is_some_and(|end| end == "py") {
            found.push(file);
        } else if is_recursive && name != "__pycache__" && root.join(&file).is_dir() {
            found.extend(files_in(root, &file, is_recursive)?);
        }
    }
    Ok(found)
}

/// A revision's file, as far as its names go.
struct Written {
    revision: Revision,
    labels: Vec<String>,
}

fn written(root: &Path, file: String) -> Result<Option<Written>, String> {
    let text = files::text(root, &file)?;
    let of = |name: &str| {
        let value = python::assigned(&text, name);
        value
            .map(|value| python::literals(&value))
            .unwrap_or_default()
    };
    // What is no revision has no such line.
    let Some(name) = of("revision").into_iter().next() else {
        return Ok(None);
    };
    let mut after = of("down_revision");
    after.extend(of("depends_on"));
    Ok(Some(Written {
        revision: Revision {
            name,
            file: Some(file),
            after,
            ..Revision::default()
        },
        labels: of("branch_labels"),
    }))
}

/// The revisions, each with those that it follows, as `alembic history -v` prints them.
fn told(printed: &str, known: &[Revision]) -> Result<Vec<Revision>, String> {
    let mut found: Vec<Revision> = Vec::new();
    for line in printed.lines() {
        let Some((key, value)) = line.split_once(": ") else {
            continue;
        };
        if key == "Rev" {
            let name = value.split_whitespace().next().unwrap_or_default();
            found.push(Revision {
                name: name.to_owned(),
                ..Revision::default()
            });
        } else if let ("Parent" | "Merges" | "Also depends on", Some(one)) = (key, found.last_mut())
        {
            let names = value.split(',').map(str::trim);
            let names = names.filter(|name| !name.is_empty() && *name != "<base>");
            one.after.extend(names.map(str::to_owned));
        }
    }
    let names: BTreeSet<String> = found.iter().map(|one| one.name.clone()).collect();
    for one in &mut found {
        if one.after.iter().all(|name| names.contains(name)) {
            continue;
        }
        // A label: the files tell whose it is.
        let by_file = known.iter().find(|file| file.name == one.name);
        let resolved = by_file.map(|file| &file.after);
        let lost = one.after.iter().find(|name| !names.contains(*name));
        match (resolved, lost) {
            (Some(after), _) if after.iter().all(|name| names.contains(name)) => {
                one.after.extend(after.iter().cloned());
                one.after.retain(|name| names.contains(name));
            }
            (_, lost) => {
                return Err(format!(
                    "of what comes before `{}` it is not told which revision `{}` is",
                    one.name,
                    lost.map_or("", String::as_str)
                ));
            }
        }
    }
    Ok(found)
}

impl Tool for Alembic {
    fn kind(&self) -> &'static str {
        KIND.kind
    }

    fn program(&self) -> Vec<String> {
        vec!["alembic".into()]
    }

    fn files(&self, dir: &Path) -> String {
        let location = location(dir).unwrap_or_else(|| "alembic".into());
        format!("{}/versions", location.trim_end_matches('/'))
    }

    fn history(&self) -> History {
        History::Table(Table {
            name: "alembic_version".into(),
            on: &[],
            columns: &["version_num"],
        })
    }

    fn revisions(&self, runner: &Runner, root: &Path) -> Result<Vec<Revision>, String> {
        let is_recursive = setting(&runner.directory(root), "recursive_version_locations")
            .is_some_and(|found| {
                matches!(found.to_lowercase().as_str(), "true" | "yes" | "on" | "1")
            });
        let mut all: Vec<Written> = Vec::new();
        for place in places(runner, root) {
            for file in files_in(root, &place, is_recursive)? {
                // Places may lie in each other.
                let is_new = |one: &Written| one.revision.file.as_deref() != Some(&file);
                if all.iter().all(is_new) {
                    all.extend(written(root, file)?);
                }
            }
        }
        let of_label = |wanted: &str| {
            let has_it = |one: &&Written| one.labels.iter().any(|label| label == wanted);
            all.iter().find(has_it).map(|one| one.revision.name.clone())
        };
        let resolved = |one: &Written| {
            let mut revision = one.revision.clone();
            for name in &mut revision.after {
                if let Some(meant) = of_label(name) {
                    *name = meant;
                }
            }
            revision
        };
        let found: Vec<Revision> = all.iter().map(resolved).collect();
        Ok(in_order(found))
    }

    fn read(&self, rows: &[Vec<String>], known: &[Revision]) -> Result<Vec<Applied>, String> {
        let heads: Vec<&str> = rows
            .iter()
            .filter_map(|row| row.first())
            .map(String::as_str)
            .filter(|head| !head.is_empty())
            .collect();
        if let Some(unknown) = heads
            .iter()
            .find(|head| !known.iter().any(|one| one.name == **head))
        {
            return Err(format!(
                "the database is at the revision `{unknown}`, by `alembic_version`, and no file of this checkout has it where \
                 alembic.ini says (`version_locations`) or `files` under [runner]: use a checkout that has it"
            ));
        }
        let applied = before(known, &heads);
        let applied = known
            .iter()
            .filter(|one| applied.contains(one.name.as_str()));
        Ok(applied.map(|one| Applied::done(&one.name)).collect())
    }

    fn reach(&self) -> Reach {
        Reach::UpTo
    }

    fn asked(&self, _revision: &str) -> Option<Call> {
        Some(Call::new(["history", "-v"]))
    }

    fn foretold(
        &self,
        printed: &str,
        known: &[Revision],
        applied: &[Applied],
        revision: &str,
    ) -> Result<Vec<String>, String> {
        let told = told(printed, known)?;
        let applied: Vec<&str> = applied.iter().map(|one| one.revision.as_str()).collect();
        let applied = before(&told, &applied);
        let wanted = before(&told, &[revision]);
        Ok(wanted
            .difference(&applied)
            .map(|name| (*name).to_owned())
            .collect())
    }

    fn apply(&self, _: &Runner, _: &Path, revision: &Revision) -> Result<Call, String> {
        Ok(Call::new(["upgrade", &revision.name]))
    }

    fn sql(&self, revision: &Revision, _text: &str) -> Sql {
        match revision.after.as_slice() {
            [] => Sql::Printed(Call::new(["upgrade", &revision.name, "--sql"])),
            [before] => {
                let range = format!("{before}:{}", revision.name);
                Sql::Printed(Call::new(["upgrade", &range, "--sql"]))
            }
            // From where it comes cannot be said in one word.
            _ => Sql::Hidden,
        }
    }

    fn mend(&self, _table: Option<&str>, revision: &str) -> String {
        format!("`alembic stamp {revision}` says that it is done")
    }

    fn is_here(&self, dir: &Path) -> bool {
        location(dir).is_some()
    }
}

/// Each after those that it follows.
fn in_order(revisions: Vec<Revision>) -> Vec<Revision> {
    let mut left: BTreeMap<String, Revision> = revisions
        .into_iter()
        .map(|one| (one.name.clone(), one))
        .collect();
    let mut sorted: Vec<Revision> = Vec::new();
    while !left.is_empty() {
        let next = left
            .values()
            .find(|one| one.after.iter().all(|before| !left.contains_key(before)));
        // A circle is for Alembic to refuse.
        let next = next.or_else(|| left.values().next());
        let Some(name) = next.map(|one| one.name.clone()) else {
            break;
        };
        sorted.extend(left.remove(&name));
    }
    sorted
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runner::sample;

    fn project() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        let versions = dir.path().join("db/versions");
        std::fs::create_dir_all(&versions).unwrap();
        std::fs::write(
            dir.path().join("alembic.ini"),
            "[alembic]\nscript_location = %(here)s/db\n",
        )
        .unwrap();
        for (name, down) in [
            ("a1", "None"),
            ("c3", "'b2'"),
            ("b2", "'a1'"),
            ("d4", "'b2'"),
        ] {
            let text = format!(
                "\"\"\"x\n\nRevises: {down}\n\"\"\"\nrevision: str = '{name}'\ndown_revision = {down}\ndepends_on = None\n"
            );
            std::fs::write(versions.join(format!("{name}_x.py")), text).unwrap();
        }
        std::fs::write(versions.join("__init__.py"), "").unwrap();
        dir
    }

    #[test]
    fn the_heads_stand_for_all_before_them() {
        let dir = project();
        let runner = Runner::usual("alembic").unwrap();
        assert_eq!(runner.place(dir.path()), "db/versions");
        let known = runner.revisions(dir.path()).unwrap();
        let names: Vec<&str> = known.iter().map(|one| one.name.as_str()).collect();
        assert_eq!(names, ["a1", "b2", "c3", "d4"]);
        for (rows, applied) in [
            (vec![], vec![]),
            (vec!["b2"], vec!["a1", "b2"]),
            (vec!["c3"], vec!["a1", "b2", "c3"]),
            (vec!["d4", "c3"], vec!["a1", "b2", "c3", "d4"]),
        ] {
            let rows: Vec<Vec<String>> =
                rows.into_iter().map(|head| vec![head.to_owned()]).collect();
            let read = Alembic.read(&rows, &known).unwrap();
            let read: Vec<&str> = read.iter().map(|one| one.revision.as_str()).collect();
            assert_eq!(read, applied);
        }
        let unknown = Alembic.read(&[vec!["zz".into()]], &known).unwrap_err();
        assert!(unknown.contains("`zz`"), "{unknown}");
    }

    /// A project whose revisions are where Alembic looks for them by its own settings.
    fn elsewhere(settings: &str, second: &str) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| sample::write(dir.path(), path, text);
        write(
            "back/alembic.ini",
            &format!("[alembic]\nscript_location = %(here)s/db\n{settings}\n[other]\n"),
        );
        write(
            "back/db/versions/a1.py",
            "revision = 'a1'\ndown_revision = None\n",
        );
        write(
            "back/db/versions/c3.py",
            "revision = 'c3'\ndown_revision = 'a1'\ndepends_on = ('drops',)\n",
        );
        write(
            second,
            "revision = 'b2'\ndown_revision = 'a1'\nbranch_labels = ('drops',)\n",
        );
        dir
    }

    #[test]
    fn revisions_are_found_where_its_settings_say() {
        for (settings, second) in [
            (
                "version_locations = %(here)s/db/versions:%(here)s/more",
                "back/more/b2.py",
            ),
            (
                "version_locations =\n  %(here)s/db/versions\n  %(here)s/more\n",
                "back/more/b2.py",
            ),
            (
                "recursive_version_locations = true",
                "back/db/versions/2026/11/b2.py",
            ),
        ] {
            let dir = elsewhere(settings, second);
            let runner = Runner {
                dir: "back".into(),
                ..Runner::usual("alembic").unwrap()
            };
            let known = runner.revisions(dir.path()).unwrap();
            let names: Vec<&str> = known.iter().map(|one| one.name.as_str()).collect();
            assert_eq!(names, ["a1", "b2", "c3"], "{settings}");
            assert_eq!(known[2].after, ["a1", "b2"], "a label is its revision");
        }
    }

    #[test]
    fn what_it_would_apply_follows_from_what_it_says_of_its_graph() {
        let printed = "Rev: c3 (head)\nParent: a1\nAlso depends on: drops\nPath: /x/c3.py\n\n    Rev: no\n\n\
                       Rev: b2 (head)\nParent: a1\nBranch names: drops\nPath: /x/b2.py\n\n\
                       Rev: a1 (branchpoint)\nParent: <base>\nBranches into: b2, c3\nPath: /x/a1.py\n";
        let revision = |name: &str, after: &[&str]| Revision {
            name: name.into(),
            after: after.iter().map(|name| (*name).to_owned()).collect(),
            ..Revision::default()
        };
        let known = [
            revision("a1", &[]),
            revision("b2", &["a1"]),
            revision("c3", &["a1", "b2"]),
        ];
        let applied = [Applied::done("a1")];
        let foretold = Alembic.foretold(printed, &known, &applied, "c3").unwrap();
        assert_eq!(foretold, ["b2", "c3"]);
        assert_eq!(
            Alembic.foretold(printed, &known, &applied, "b2").unwrap(),
            ["b2"]
        );
        // Whose label it is nobody says.
        let why = Alembic.foretold(printed, &known[..2], &applied, "c3");
        assert!(why.unwrap_err().contains("`drops`"));
        assert!(
            Alembic
                .foretold("", &known, &applied, "c3")
                .unwrap()
                .is_empty()
        );
    }
}
