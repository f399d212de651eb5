//! Django: migrations of several applications, which name those that come before them.
//!
//! `migrate APP NAME` takes back what comes after NAME where that is applied: it is only ever called for one that is not.

mod found;

use std::fs;
use std::path::Path;
use std::sync::Arc;

use super::Table;
use super::history::with_time;
use super::{Applied, Call, History, Kind, Reach, Revision, Runner, Sql, Tool};
use found::FIRST;

pub(super) const KIND: Kind = Kind {
    kind: "django",
    read: |_| Some(Arc::new(Django)),
};

#[derive(Debug)]
struct Django;

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
        found::revisions(root, runner)
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

    fn in_the_way(
        &self,
        known: &[Revision],
        applied: &[Applied],
        revision: &str,
    ) -> Option<String> {
        let is_done = |name: &String| applied.iter().any(|one| one.revision == *name);
        let takes_its_place = |one: &&Revision| {
            one.replaces.iter().any(|name| name == revision) && !one.replaces.iter().any(is_done)
        };
        let squashed = known.iter().find(takes_its_place)?;
        let (app, name) = squashed.name.split_once('.')?;
        Some(format!(
            "Django has `{}` in the place of `{revision}` wherever none of what it stands for is applied: apply that with Django \
             (`manage.py migrate {app} {name}`), which records `{revision}` as well",
            squashed.name
        ))
    }

    fn may_come_along(&self, known: &[Revision], applied: &[Applied], name: &str) -> bool {
        let Some((app, name)) = name.split_once('.') else {
            return false;
        };
        let is_of = |revision: &str| revision.split_once('.').is_some_and(|(of, _)| of == app);
        let is_there = applied.iter().any(|one| is_of(&one.revision));
        // Django's word for whichever is the first one.
        !known.iter().any(|one| is_of(&one.name)) && (!is_there || name == FIRST)
    }

    fn asked(&self, revision: &str) -> Option<Call> {
        let (app, name) = revision.split_once('.')?;
        let plan = ["migrate", app, name, "--plan", "--no-input", "--no-color"];
        Some(Call::new(plan))
    }

    fn foretold(
        &self,
        printed: &str,
        _known: &[Revision],
        _applied: &[Applied],
        _revision: &str,
    ) -> Result<Vec<String>, String> {
        let mut lines = printed
            .lines()
            .skip_while(|line| line.trim_end() != "Planned operations:");
        if lines.next().is_none() {
            return Err("it prints no `Planned operations:`".into());
        }
        let mut found = Vec::new();
        for line in lines.map(str::trim_end).filter(|line| !line.is_empty()) {
            if line.trim_start() != line {
                if line.trim_start().starts_with("Undo ") {
                    return Err(format!("it would take back: {}", line.trim()));
                }
            } else if line.contains('.') && !line.contains(' ') {
                found.push(line.to_owned());
            } else {
                return Err(format!("it prints `{line}` in its plan"));
            }
        }
        Ok(found)
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

    fn prints_all(&self, printed: &str) -> bool {
        !printed.contains("CANNOT BE WRITTEN AS SQL")
    }

    fn mend(&self, _table: Option<&str>, revision: &str) -> String {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runner::sample::{self, project};

    #[test]
    fn the_applications_of_a_project_are_found_with_what_they_depend_on() {
        let dir = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| sample::write(dir.path(), path, text);
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

    #[test]
    fn only_what_the_database_has_nothing_of_may_come_along() {
        let known = [Revision {
            name: "shop.0001_a".into(),
            ..Revision::default()
        }];
        for (applied, name, may) in [
            (vec![], "auth.0001_initial", true),
            (vec!["sites.0001_initial"], "auth.0001_initial", true),
            (vec!["auth.0001_initial"], "auth.0002_x", false),
            (vec!["auth.0001_initial"], "auth.__first__", true),
            // The project's own is named, or not applied.
            (vec![], "shop.0001_a", false),
            (vec![], "shop.0002_b", false),
        ] {
            let applied: Vec<Applied> = applied.into_iter().map(Applied::done).collect();
            assert_eq!(Django.may_come_along(&known, &applied, name), may, "{name}");
        }
    }

    #[test]
    fn its_plan_is_read_or_refused() {
        let read = |printed| Django.foretold(printed, &[], &[], "shop.0002_note");
        let plan = "checked\nPlanned operations:\nstore.0002_x\n    Remove field name from item\nshop.0002_note\n    Raw SQL\n";
        assert_eq!(read(plan).unwrap(), ["store.0002_x", "shop.0002_note"]);
        let nothing = "Planned operations:\n  No planned migration operations.\n";
        assert!(read(nothing).unwrap().is_empty());
        for printed in [
            "",
            "Planned operations:\nshop.0002_note\n    Undo Add field note to order\n",
            "Planned operations:\nsomething else\n",
        ] {
            assert!(read(printed).is_err(), "{printed}");
        }
    }

    #[test]
    fn what_was_squashed_is_known_by_what_stands_for_it() {
        let squashed = "class Migration:\n    replaces = [('shop', '0001_a'), ('shop', '0002_b')]\n    dependencies = []\n";
        let dir = project(&[
            ("shop/migrations/0001_squashed.py", squashed),
            (
                "store/migrations/0001_a.py",
                "class Migration:\n    dependencies = [('shop', '0002_b')]\n",
            ),
        ]);
        let known = Runner::usual("django")
            .unwrap()
            .revisions(dir.path())
            .unwrap();
        assert!(known.iter().any(|one| one.name == "shop.0002_b"));
        let store = known.iter().find(|one| one.name == "store.0001_a");
        assert_eq!(store.unwrap().after, ["shop.0001_squashed"]);
        let why = Django.in_the_way(&known, &[], "shop.0002_b").unwrap();
        assert!(
            why.contains("`manage.py migrate shop 0001_squashed`"),
            "{why}"
        );
        let begun = [Applied::done("shop.0001_a")];
        assert_eq!(Django.in_the_way(&known, &begun, "shop.0002_b"), None);
    }
}
