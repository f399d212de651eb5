//! Alembic: revisions form a graph, and the history holds its heads alone.

use std::collections::BTreeMap;
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

/// `script_location` of alembic.ini, or of pyproject.toml.
fn location(dir: &Path) -> Option<String> {
    for file in ["alembic.ini", "pyproject.toml"] {
        let Ok(text) = std::fs::read_to_string(dir.join(file)) else {
            continue;
        };
        let mut settings = text.lines().filter_map(|line| {
            let (key, value) = line.split_once('=')?;
            (key.trim() == "script_location").then(|| value.trim().trim_matches('"').to_owned())
        });
        if let Some(found) = settings.next() {
            let relative = found.replace("%(here)s", ".").replace("%(here)", ".");
            return Some(relative.trim_start_matches("./").to_owned());
        }
    }
    None
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
        let place = runner.place(root);
        let mut found = Vec::new();
        for name in files::names(root, &place)? {
            if Path::new(&name).extension().is_none_or(|end| end != "py") {
                continue;
            }
            let file = format!("{place}/{name}");
            let text = files::text(root, &file)?;
            let of = |name: &str| {
                let value = python::assigned(&text, name);
                value
                    .map(|value| python::literals(&value))
                    .unwrap_or_default()
            };
            // What is no revision has no such line.
            let Some(name) = of("revision").into_iter().next() else {
                continue;
            };
            let mut after = of("down_revision");
            after.extend(of("depends_on"));
            found.push(Revision {
                name,
                file: Some(file),
                after,
                replaces: Vec::new(),
                key: None,
            });
        }
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
                "the database is at the revision `{unknown}`, by `alembic_version`, and no file of this checkout has it: use one \
                 that has it"
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

    fn mend(&self, revision: &str) -> String {
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
}
