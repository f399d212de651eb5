//! Liquibase: changesets in formatted SQL. `update` applies whatever is pending of the changelog that it is given.
//!
//! A count goes on to the next one where somebody else was faster, and an unknown tag applies everything: neither is used. It is given a
//! copy of the changelog, under the same name and with that changeset alone, so that it cannot apply another.
//!
//! It knows a changeset by its identifier, its author and the name of its file. A changeset that has moved is another one.

use std::path::Path;
use std::sync::Arc;

use super::settings::inside;
use super::{
    Applied, Call, History, Kind, Reach, Revision, Runner, Scratch, Sql, Standing, Table, Tool,
    files,
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

fn made(row: &mut dyn Row) -> Option<Arc<dyn Tool>> {
    let search_path = inside(row, "search_path", SEARCH_PATH);
    Some(Arc::new(Liquibase { search_path }))
}

/// What stands behind the dashes of a comment, if it begins with this word.
fn said<'l>(line: &'l str, word: &str) -> Option<&'l str> {
    let rest = line.trim_start().strip_prefix("--")?.trim_start();
    let head = rest.get(..word.len())?;
    let after = rest.get(word.len()..)?;
    let ends = after.is_empty() || after.starts_with([' ', '\t']);
    (head.eq_ignore_ascii_case(word) && ends).then(|| after.trim())
}

fn is_changelog(text: &str) -> bool {
    let first = text.lines().find(|line| !line.trim().is_empty());
    let first = first.unwrap_or_default().trim_start_matches('\u{feff}');
    said(first, "liquibase").is_some_and(|rest| {
        let words: Vec<&str> = rest.split_whitespace().take(2).collect();
        let [a, b] = words.as_slice() else {
            return false;
        };
        a.eq_ignore_ascii_case("formatted") && b.eq_ignore_ascii_case("sql")
    })
}

/// A text up to one of these, or in quotes; and what is behind it.
fn part(text: &str, until: fn(char) -> bool) -> Option<(&str, &str)> {
    if let Some(rest) = text.strip_prefix('"') {
        return rest.split_once('"');
    }
    let end = text.find(until).unwrap_or(text.len());
    Some(text.split_at(end))
}

/// The author and the identifier of the changeset that a line begins, and its attributes.
fn begins(line: &str) -> Option<(&str, &str, &str)> {
    let (author, rest) = part(said(line, "changeset")?, |c| c == ':')?;
    let rest = rest.trim_start().strip_prefix(':')?.trim_start();
    let (id, attributes) = part(rest, char::is_whitespace)?;
    let is_whole = !author.trim().is_empty() && !id.is_empty();
    is_whole.then_some((author.trim(), id, attributes))
}

/// The path that a changelog or a changeset gives itself.
fn logical(attributes: &str) -> Option<&str> {
    let at = attributes.to_ascii_lowercase().find("logicalfilepath:")?;
    let rest = attributes.get(at + "logicalfilepath:".len()..)?;
    let (path, _) = part(rest.trim_start(), char::is_whitespace)?;
    (!path.is_empty()).then_some(path)
}

/// A changeset as Liquibase itself writes it.
fn called(path: &str, id: &str, author: &str) -> String {
    format!("{path}::{id}::{author}")
}

/// The changesets of a changelog, each with the line at which it begins.
fn changesets(path: &str, text: &str) -> Vec<(String, usize)> {
    let own = text
        .lines()
        .find_map(|line| logical(said(line, "liquibase")?));
    let lines = text.lines().enumerate();
    let of = |(number, line)| {
        let (author, id, attributes) = begins(line)?;
        let path = logical(attributes).or(own).unwrap_or(path);
        Some((called(path, id, author), number))
    };
    lines.filter_map(of).collect()
}

/// A text of the same length in which only these lines stay.
fn only_lines(text: &str, stays: impl Fn(usize, &str) -> bool) -> String {
    let mut kept = String::with_capacity(text.len());
    for (number, line) in text.split_inclusive('\n').enumerate() {
        if stays(number, line) {
            kept.push_str(line);
        } else {
            let blank = |byte| if byte == b'\n' { '\n' } else { ' ' };
            kept.extend(line.bytes().map(blank));
        }
    }
    kept
}

/// The lines of one changeset, without that which begins it.
fn lines_of(sets: &[(String, usize)], name: &str) -> Option<std::ops::Range<usize>> {
    let at = sets.iter().position(|(one, _)| one == name)?;
    let (_, begin) = sets.get(at)?;
    let end = sets.get(at + 1).map_or(usize::MAX, |(_, next)| *next);
    Some(begin + 1..end)
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
}

/// The changelogs in formatted SQL, in the order of their names.
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
        } else if name.ends_with(".sql") && full.is_file() {
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
        let mut paths = Vec::new();
        look(root, &runner.place(root), DEEPEST, &mut paths)?;
        let mut found: Vec<Revision> = Vec::new();
        for file in paths {
            let text = files::text(root, &file)?;
            if !is_changelog(&text) {
                continue;
            }
            let path = self.name_of(runner, root, &file);
            for (name, _) in changesets(path, &text) {
                if found.iter().any(|one| one.name == name) {
                    return Err(format!(
                        "the changeset `{name}` is there twice, in {file} as well: give one of them another identifier"
                    ));
                }
                found.push(Revision {
                    name,
                    file: Some(file.clone()),
                    ..Revision::default()
                });
            }
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
        let file = revision.file.clone().unwrap_or_default();
        let text = files::text(root, &file)?;
        let path = self.name_of(runner, root, &file);
        let sets = changesets(path, &text);
        let Some(lines) = lines_of(&sets, &revision.name) else {
            return Err(format!(
                "{file} has no changeset `{}` any more",
                revision.name
            ));
        };
        let first = sets.first().map_or(usize::MAX, |(_, number)| *number);
        // Its head, and the properties that it may use, wherever they stand.
        let copy = only_lines(&text, |number, line| {
            number < first
                || number + 1 == lines.start
                || lines.contains(&number)
                || said(line, "property").is_some()
        });
        let uncopied = |why| format!("{file} cannot be copied to a directory of its own: {why}");
        let scratch = Scratch::empty().map_err(uncopied)?;
        scratch.write(path, &copy).map_err(uncopied)?;
        let mut call = Call::new([
            format!("--search-path={}", scratch.path().display()),
            format!("--changelog-file={path}"),
            "update".into(),
        ]);
        call.scratch = Some(scratch);
        Ok(call)
    }

    fn sql(&self, revision: &Revision, text: &str) -> Sql {
        // By its place in the file alone: what it is called depends on where that is.
        let tail = |name: &str| name.split_once("::").map(|(_, rest)| rest.to_owned());
        let sets = changesets("", text);
        let wanted = tail(&revision.name);
        let name = sets.iter().find(|(name, _)| tail(name) == wanted);
        let Some(name) = name.map(|(name, _)| name.clone()) else {
            return Sql::Hidden;
        };
        match lines_of(&sets, &name) {
            Some(lines) => Sql::Written(only_lines(text, |number, _| lines.contains(&number))),
            None => Sql::Hidden,
        }
    }

    fn mend(&self, _revision: &str) -> String {
        "`liquibase release-locks` takes away a lock that a killed run has left; `liquibase changelog-sync-sql` prints the row that says that \
         a changeset is done"
            .into()
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
            && found.iter().any(|file| {
                let text = std::fs::read_to_string(dir.join(file)).unwrap_or_default();
                is_changelog(&text)
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIQUIBASE: Liquibase = Liquibase { search_path: None };
    const TEXT: &str = "--liquibase formatted sql\n\n--changeset dev:1\nA;\n--rollback B;\n-- changeset \"A B\":\"2 x\" runInTransaction:false\nC;\n";

    #[test]
    fn changesets_are_read_as_liquibase_reads_them() {
        let names = |text: &str| -> Vec<String> {
            let sets = changesets("db/a.sql", text).into_iter();
            sets.map(|(name, _)| name).collect()
        };
        assert!(is_changelog(TEXT));
        assert!(!is_changelog("-- liquibase\nSELECT 1;\n"));
        assert_eq!(names(TEXT), ["db/a.sql::1::dev", "db/a.sql::2 x::A B"]);
        let elsewhere = "--liquibase formatted sql logicalFilePath:x.sql\n--changeset a:1\n--changeset a:2 logicalFilePath:y.sql\n";
        assert_eq!(names(elsewhere), ["x.sql::1::a", "y.sql::2::a"]);
        assert_eq!(names("--changesets a:1\n--changeset a\n"), [""; 0]);
    }

    #[test]
    fn a_changeset_is_read_alone() {
        let one = Revision {
            name: "db/a.sql::1::dev".into(),
            ..Revision::default()
        };
        let Sql::Written(text) = LIQUIBASE.sql(&one, TEXT) else {
            panic!("its file is its SQL");
        };
        assert_eq!(text.trim(), "A;\n--rollback B;");
        assert_eq!(text.len(), TEXT.len());
    }

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
