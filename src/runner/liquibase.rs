//! Liquibase: changesets in formatted SQL, XML, YAML and JSON. `update` applies whatever is pending of the changelog that it is given.
//!
//! A count goes on to the next one where somebody else was faster, and an unknown tag applies everything: neither is used. It is given a
//! copy of the changelog, under the same name and with that changeset alone, so that it cannot apply another.
//!
//! It knows a changeset by its identifier, its author and the name of its file. A changeset that has moved is another one.

mod changelog;
mod data;
mod formatted;
mod order;
mod reading;
mod xml;

use std::path::Path;
use std::sync::Arc;

use changelog::{Changelog, Format, called, uses};
use order::{Log, in_order};

use super::settings::inside;
use super::{
    Applied, Call, History, Kind, Printing, Reach, Revision, Runner, Scratch, Sql, Standing, Table,
    Tool, files,
};
use crate::row::Row;
use crate::sql::Dialect;

pub(super) const KIND: Kind = Kind {
    kind: "liquibase",
    read: made,
};

#[derive(Debug)]
struct Liquibase {
    /// What the names of changelogs are relative to, relative to where it runs, where the project says so.
    search_path: Option<String>,
}

const SEARCH_PATH: &str = "search_path = \"src/main/resources\"";
const MAVEN: &str = "src/main/resources";
const PLACES: [&str; 4] = ["db/changelog", "changelog", "db", "changelogs"];
/// How deep changelogs lie below each other.
const DEEPEST: usize = 6;
/// What a changeset does with a program.
const PROGRAMS: [&str; 2] = ["customChange", "executeCommand"];

fn made(row: &mut dyn Row) -> Option<Arc<dyn Tool>> {
    let search_path = inside(row, "search_path", SEARCH_PATH);
    Some(Arc::new(Liquibase { search_path }))
}

impl Liquibase {
    /// Relative to where it runs.
    fn search_path(&self, dir: &Path) -> String {
        let usual = || match dir.join(MAVEN).is_dir() {
            true => MAVEN.to_owned(),
            false => String::new(),
        };
        self.search_path.clone().unwrap_or_else(usual)
    }

    /// What Liquibase calls a file of the project.
    fn name_of<'f>(&self, runner: &Runner, root: &Path, file: &'f str) -> &'f str {
        let search_path = self.search_path(&runner.directory(root));
        let mut rest = file;
        for part in runner.dir.split('/').chain(search_path.split('/')) {
            if !matches!(part, "" | ".") {
                let inside = rest.strip_prefix(part);
                rest = inside
                    .and_then(|rest| rest.strip_prefix('/'))
                    .unwrap_or(rest);
            }
        }
        rest
    }

    /// The changelogs, in the order of their names.
    fn logs(&self, runner: &Runner, root: &Path) -> Result<Vec<Log>, String> {
        let mut paths = Vec::new();
        look(root, &runner.place(root), DEEPEST, &mut paths)?;
        let mut found = Vec::new();
        for file in paths {
            let Some(changelog) = changelog_in(root, &file)? else {
                continue;
            };
            let path = self.name_of(runner, root, &file).to_owned();
            let names = changelog.names(&path);
            found.push(Log {
                file,
                path,
                changelog,
                names,
            });
        }
        Ok(found)
    }

    /// A directory in which the changelog of a revision has that one alone; where it is, and the changelog's name.
    fn copied(
        &self,
        runner: &Runner,
        root: &Path,
        revision: &Revision,
    ) -> Result<(Scratch, String), String> {
        let file = revision.file.clone().unwrap_or_default();
        let text = files::text(root, &file)?;
        let log = changelog_in(root, &file)?;
        let path = self.name_of(runner, root, &file).to_owned();
        let at = log.as_ref().and_then(|log| {
            let names = log.names(&path);
            names.iter().position(|name| *name == revision.name)
        });
        let (Some(log), Some(at)) = (log, at) else {
            return Err(format!(
                "{file} has no changeset `{}` any more",
                revision.name
            ));
        };
        let copy = reading::only(log.format, &text, at)
            .map_err(|why| format!("the changesets of {file} are not applied one by one: {why}"))?;
        let elsewhere = self.set_elsewhere(runner, root, &log, &copy)?;
        if let Some((name, other)) = elsewhere {
            return Err(format!(
                "`{}` uses `${{{name}}}`, which {other} sets, and it is applied without that: set it in {file} as well, or in                  liquibase.properties (`parameter.{name}`) in place of both",
                revision.name
            ));
        }
        let uncopied = |why: std::io::Error| {
            format!("{file} cannot be copied to a directory of its own: {why}")
        };
        let scratch = Scratch::empty().map_err(uncopied)?;
        if log.format != Format::Sql {
            // Whatever else it names is where it was.
            let place = file.strip_suffix(path.as_str()).unwrap_or_default();
            let place = std::path::absolute(root.join(place)).map_err(uncopied)?;
            scratch.beside(&place, &path).map_err(uncopied)?;
        }
        scratch.write(&path, &copy).map_err(uncopied)?;
        Ok((scratch, path))
    }

    /// What a changeset uses that only another changelog sets: Liquibase leaves such a word as it stands, and says nothing.
    fn set_elsewhere(
        &self,
        runner: &Runner,
        root: &Path,
        log: &Changelog,
        copy: &str,
    ) -> Result<Option<(String, String)>, String> {
        let used = uses(copy);
        let lost = |name: &&str| !log.properties.iter().any(|own| own == name);
        let lost: Vec<&str> = used.into_iter().filter(lost).collect();
        if lost.is_empty() {
            return Ok(None);
        }
        let logs = self.logs(runner, root)?;
        let set = logs.iter().find_map(|other| {
            let mut there = other.changelog.properties.iter();
            let name = there.find(|name| lost.contains(&name.as_str()))?;
            Some((name.clone(), other.file.clone()))
        });
        Ok(set)
    }
}

/// A file as a changelog, if it is one.
fn changelog_in(root: &Path, file: &str) -> Result<Option<Changelog>, String> {
    let format = Format::of(file).unwrap_or(Format::Sql);
    if format != Format::Sql {
        // One that is no text is none.
        let bytes = std::fs::read(root.join(file)).unwrap_or_default();
        let needle = changelog::ROOT.as_bytes();
        if !bytes.windows(needle.len()).any(|part| part == needle) {
            return Ok(None);
        }
    }
    let text = files::text(root, file)?;
    reading::read(format, &text)
        .map_err(|why| format!("{file} cannot be read as a changelog: {why}"))
}

/// What may be changelogs by their names, in the order of these.
fn look(root: &Path, place: &str, depth: usize, found: &mut Vec<String>) -> Result<(), String> {
    if root.join(place).is_file() {
        found.push(place.to_owned());
        return Ok(());
    }
    for name in files::names(root, place)? {
        let path = match place {
            "" => name.clone(),
            place => format!("{place}/{name}"),
        };
        let is_others = matches!(
            name.as_str(),
            "node_modules" | "target" | "build" | "vendor"
        );
        let full = root.join(&path);
        if full.is_dir() && !full.is_symlink() && !is_others && depth > 0 {
            look(root, &path, depth - 1, found)?;
        } else if Format::of(&name).is_some() && full.is_file() {
            found.push(path);
        }
    }
    Ok(())
}

impl Tool for Liquibase {
    fn kind(&self) -> &'static str {
        KIND.kind
    }

    fn program(&self) -> Vec<String> {
        vec!["liquibase".into()]
    }

    fn files(&self, dir: &Path) -> String {
        let search_path = self.search_path(dir);
        let places = PLACES.iter().map(|place| match search_path.as_str() {
            "" => (*place).to_owned(),
            search_path => format!("{search_path}/{place}"),
        });
        let mut there = places.filter(|place| dir.join(place).is_dir());
        there.next().unwrap_or(search_path)
    }

    fn history(&self) -> History {
        History::Table(Table {
            name: "DATABASECHANGELOG".into(),
            on: &[(Dialect::Postgres, "databasechangelog")],
            columns: &["id", "author", "filename", "exectype", "dateexecuted"],
        })
    }

    fn revisions(&self, runner: &Runner, root: &Path) -> Result<Vec<Revision>, String> {
        let mut found: Vec<Revision> = Vec::new();
        for (name, file) in in_order(&self.logs(runner, root)?) {
            if found.iter().any(|one| one.name == name) {
                return Err(format!(
                    "the changeset `{name}` is there twice, in {file} as well: give one of them another identifier"
                ));
            }
            found.push(Revision {
                name: name.to_owned(),
                file: Some(file.to_owned()),
                ..Revision::default()
            });
        }
        Ok(found)
    }

    /// Invariant: one that is applied under another file's name is not taken for one that is pending.
    fn read(&self, rows: &[Vec<String>], known: &[Revision]) -> Result<Vec<Applied>, String> {
        let mut found: Vec<Applied> = Vec::new();
        for row in rows {
            let [id, author, file, how, at] = row.as_slice() else {
                continue;
            };
            let standing = match how.as_str() {
                "FAILED" => Standing::Failed,
                "SKIPPED" => continue,
                _ => Standing::Done,
            };
            let file = file.strip_prefix("classpath:").unwrap_or(file);
            let revision = called(file, id, author);
            found.retain(|one| one.revision != revision);
            found.push(Applied {
                revision,
                standing,
                at: (!at.is_empty()).then(|| at.clone()),
            });
        }
        let is_known = |name: &str| known.iter().any(|one| one.name == name);
        let is_applied = |name: &str| found.iter().any(|one| one.revision == name);
        for one in found.iter().filter(|one| !is_known(&one.revision)) {
            let of = |name: &str| name.split_once("::").map(|(_, rest)| rest.to_owned());
            let same = known
                .iter()
                .find(|known| of(&known.name) == of(&one.revision) && !is_applied(&known.name));
            if let Some(same) = same {
                return Err(format!(
                    "Liquibase has applied `{}`, and here it is `{}`: for Liquibase another changeset. Where it is the same, say with \
                     `search_path` under [runner] what the names of its files are relative to; where it is not, give the new one another \
                     identifier",
                    one.revision, same.name
                ));
            }
        }
        Ok(found)
    }

    fn reach(&self) -> Reach {
        Reach::Alone
    }

    fn apply(&self, runner: &Runner, root: &Path, revision: &Revision) -> Result<Call, String> {
        let (scratch, path) = self.copied(runner, root, revision)?;
        let mut call = Call::new([
            format!("--search-path={}", scratch.path().display()),
            format!("--changelog-file={path}"),
            "update".into(),
        ]);
        call.scratch = Some(scratch);
        Ok(call)
    }

    fn sql(&self, revision: &Revision, text: &str) -> Sql {
        let format = revision.file.as_deref().and_then(Format::of);
        let log = reading::read(format.unwrap_or(Format::Sql), text);
        let Ok(Some(log)) = log else {
            return Sql::Hidden;
        };
        // By its place in the file alone: what it is called depends on where that is.
        let tail = |name: &str| name.split_once("::").map(|(_, rest)| rest.to_owned());
        let wanted = tail(&revision.name);
        let Some(at) = log.names("").iter().position(|name| tail(name) == wanted) else {
            return Sql::Hidden;
        };
        if log.format == Format::Sql {
            return Sql::Written(formatted::statements(text, at));
        }
        // Of these nothing is printed, or not what they do.
        let is_program = |copy: String| PROGRAMS.iter().any(|change| copy.contains(change));
        match reading::only(log.format, text, at).map(is_program) {
            Ok(false) => Sql::Printed(Call::new(["update-sql"])),
            _ => Sql::Hidden,
        }
    }

    /// Printed without a database, so that it is the same whether it is applied or not.
    fn printing(
        &self,
        runner: &Runner,
        root: &Path,
        dialect: Dialect,
        revision: &Revision,
    ) -> Result<Option<Printing>, String> {
        let (scratch, path) = self.copied(runner, root, revision)?;
        let product = match dialect {
            Dialect::Mysql => "mysql",
            // What it prints for SQLite it makes of a database that is there; it is judged by what it does, and not run.
            Dialect::Postgres | Dialect::Sqlite => "postgresql",
        };
        let place = scratch.path().display().to_string();
        let mut call = Call::new([
            format!("--search-path={place}"),
            format!("--changelog-file={path}"),
            format!(
                "--url=offline:{product}?changeLogFile={place}/applied.csv&outputLiquibaseSql=none"
            ),
            "update-sql".into(),
        ]);
        call.scratch = Some(scratch);
        Ok(Some(Printing {
            call,
            sign: format!("Changeset {}", revision.name),
        }))
    }

    fn prints_all(&self, printed: &str) -> bool {
        let lines = || printed.lines().map(str::trim);
        let is_said = |line: &str| !line.is_empty() && !line.starts_with("--");
        // Where it would have to look at the database.
        let is_doubted = |line: &str| line.starts_with("--") && line.contains("WARNING");
        lines().any(is_said) && !lines().any(is_doubted)
    }

    fn mend(&self, _table: Option<&str>, revision: &str) -> String {
        format!(
            "`liquibase changelog-sync-sql` prints the rows that say of all pending ones that they are done: insert that of `{revision}` alone"
        )
    }

    fn unlock(&self) -> Option<&'static str> {
        Some("liquibase release-locks")
    }

    fn is_here(&self, dir: &Path) -> bool {
        let sql = self.files(dir);
        let is_named = dir.join("liquibase.properties").exists()
            || dir.join(MAVEN).join("liquibase.properties").exists();
        let is_place =
            PLACES.iter().any(|place| sql.ends_with(place)) && sql.ends_with("changelog");
        if is_named {
            return true;
        }
        let mut found = Vec::new();
        let is_looked = is_place && look(dir, &sql, DEEPEST, &mut found).is_ok();
        is_looked
            && found
                .iter()
                .any(|file| !matches!(changelog_in(dir, file), Ok(None)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIQUIBASE: Liquibase = Liquibase { search_path: None };
    #[test]
    fn one_that_is_applied_under_another_name_is_not_pending() {
        let known = [Revision {
            name: "db/a.sql::1::dev".into(),
            ..Revision::default()
        }];
        let row = |file: &str, how: &str| ["1", "dev", file, how, ""].map(str::to_owned).to_vec();
        let read = |rows: &[Vec<String>]| LIQUIBASE.read(rows, &known);
        let standing = |file, how| {
            let read = read(&[row(file, how)]).unwrap();
            read.first().map(|one| one.standing)
        };
        assert_eq!(standing("db/a.sql", "EXECUTED"), Some(Standing::Done));
        assert_eq!(
            standing("classpath:db/a.sql", "MARK_RAN"),
            Some(Standing::Done)
        );
        assert_eq!(standing("db/a.sql", "FAILED"), Some(Standing::Failed));
        assert_eq!(standing("db/a.sql", "SKIPPED"), None);
        let refused = read(&[row("resources/db/a.sql", "EXECUTED")]).unwrap_err();
        assert!(refused.contains("search_path"), "{refused}");
        let both = [row("b.sql", "EXECUTED"), row("db/a.sql", "EXECUTED")];
        assert_eq!(
            read(&both).unwrap().len(),
            2,
            "another one with the same identifier"
        );
    }
}
