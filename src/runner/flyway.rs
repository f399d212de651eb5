//! Flyway: SQL files `V2__name.sql`; `-target=2` applies up to it.

use std::path::Path;
use std::sync::Arc;

use super::Table;
use super::history::with_success;
use super::revision::in_a_row;
use super::{Applied, Call, History, Kind, Reach, Revision, Runner, Sql, Standing, Tool, files};

/// How deep it is looked for files: a link that leads back would never end.
const DEEPEST: usize = 8;

pub(super) const KIND: Kind = Kind {
    kind: "flyway",
    read: |_| Some(Arc::new(Flyway)),
};

#[derive(Debug)]
struct Flyway;

/// Its version as Flyway writes it, and as numbers to be sorted by.
fn version(file: &str) -> Option<(String, Vec<u64>)> {
    let (version, _) = file.strip_prefix('V')?.split_once("__")?;
    let version = version.replace('_', ".");
    let parts: Result<Vec<u64>, _> = version.split('.').map(str::parse).collect();
    Some((version, parts.ok()?))
}

/// Its version as numbers to be sorted by.
fn numbers(version: &str) -> Vec<u64> {
    version
        .split('.')
        .filter_map(|part| part.parse().ok())
        .collect()
}

/// What is in a directory and in those below it, as Flyway finds it.
fn look(root: &Path, place: &str, depth: usize, found: &mut Vec<Revision>) -> Result<(), String> {
    found.extend(files::by_name(root, place, |file| {
        version(file.strip_suffix(".sql")?).map(|(version, _)| version)
    })?);
    for name in files::names(root, place)? {
        let below = format!("{place}/{name}");
        if depth > 0 && root.join(&below).is_dir() {
            look(root, &below, depth - 1, found)?;
        }
    }
    Ok(())
}

impl Tool for Flyway {
    fn kind(&self) -> &'static str {
        KIND.kind
    }

    fn program(&self) -> Vec<String> {
        vec!["flyway".into()]
    }

    fn files(&self, dir: &Path) -> String {
        let maven = "src/main/resources/db/migration";
        match dir.join(maven).is_dir() {
            true => maven.into(),
            false => "sql".into(),
        }
    }

    fn history(&self) -> History {
        History::Table(Table {
            name: "flyway_schema_history".into(),
            on: &[],
            columns: &[
                "version",
                "success",
                "installed_on",
                "type",
                "installed_rank",
            ],
        })
    }

    fn revisions(&self, runner: &Runner, root: &Path) -> Result<Vec<Revision>, String> {
        let mut found = Vec::new();
        look(root, &runner.place(root), DEEPEST, &mut found)?;
        found.sort_by_key(|one| numbers(&one.name));
        Ok(in_a_row(found))
    }

    /// In the order of its rows: one may be taken back, or stand for all before it.
    fn read(&self, rows: &[Vec<String>], known: &[Revision]) -> Result<Vec<Applied>, String> {
        let of = |row: &Vec<String>, at: usize| row.get(at).cloned().unwrap_or_default();
        let mut rows = rows.to_vec();
        rows.sort_by_key(|row| of(row, 4).trim().parse::<i64>().unwrap_or_default());
        let mut found: Vec<Applied> = Vec::new();
        for row in rows {
            let Some(one) = with_success(std::slice::from_ref(&row)).pop() else {
                continue;
            };
            match of(&row, 3).trim() {
                "BASELINE" => {
                    let to = numbers(&one.revision);
                    let before = known.iter().filter(|known| numbers(&known.name) <= to);
                    found.extend(before.map(|known| Applied::done(&known.name)));
                }
                // What is taken back in part is as little known as what is applied in part.
                kind if kind.starts_with("UNDO") && one.standing == Standing::Failed => {
                    found.retain(|done| done.revision != one.revision);
                    found.push(one);
                }
                kind if kind.starts_with("UNDO") || kind == "DELETE" => {
                    found.retain(|done| done.revision != one.revision);
                }
                _ => {
                    found.retain(|done| done.revision != one.revision);
                    found.push(one);
                }
            }
        }
        Ok(found)
    }

    fn reach(&self) -> Reach {
        Reach::UpTo
    }

    fn apply(&self, _: &Runner, _: &Path, revision: &Revision) -> Result<Call, String> {
        let target = format!("-target={}", revision.name);
        Ok(Call::new([target.as_str(), "migrate"]))
    }

    fn sql(&self, _revision: &Revision, text: &str) -> Sql {
        Sql::Written(text.to_owned())
    }

    fn mend(&self, _table: Option<&str>, _revision: &str) -> String {
        "finish or undo by hand what it has done; `flyway repair` takes the failed row away".into()
    }

    fn is_here(&self, dir: &Path) -> bool {
        ["flyway.conf", "flyway.toml", "conf/flyway.conf"]
            .iter()
            .any(|file| dir.join(file).exists())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_flyway_reads_them() {
        for (file, expected) in [
            ("V2__x.sql", Some("2")),
            ("V1_2__x.sql", Some("1.2")),
            ("R__x.sql", None),
            ("V2_x.sql", None),
            ("Vx__y.sql", None),
        ] {
            let found = version(file).map(|(version, _)| version);
            assert_eq!(found.as_deref(), expected, "{file}");
        }
    }

    #[test]
    fn what_was_taken_back_is_not_applied_and_a_baseline_stands_for_what_is_before_it() {
        let known = ["1", "1.1", "2", "3"].map(|name| Revision {
            name: name.into(),
            ..Revision::default()
        });
        let row = |rank: u32, version: &str, kind: &str, success: &str| {
            [version, success, "", kind, &rank.to_string()]
                .map(str::to_owned)
                .to_vec()
        };
        let read = |rows: &[Vec<String>]| {
            let read = Flyway.read(rows, &known).unwrap();
            let shown = read.iter().map(|one| (one.revision.clone(), one.standing));
            shown.collect::<Vec<_>>()
        };
        let done = |name: &str| (name.to_owned(), Standing::Done);
        let failed = |name: &str| (name.to_owned(), Standing::Failed);
        let baseline = row(1, "1.1", "BASELINE", "t");
        let second = row(2, "2", "SQL", "1");
        assert_eq!(
            read(std::slice::from_ref(&baseline)),
            [done("1"), done("1.1")]
        );
        // The order of the rows is not that of the table.
        let undone = row(10, "2", "UNDO_SQL", "t");
        assert_eq!(
            read(&[undone.clone(), second.clone(), baseline]),
            [done("1"), done("1.1")]
        );
        let again = row(11, "2", "SQL", "t");
        assert_eq!(read(&[undone, second.clone(), again]), [done("2")]);
        assert_eq!(
            read(&[second.clone(), row(3, "2", "UNDO_SQL", "0")]),
            [failed("2")]
        );
        assert!(read(&[second, row(3, "2", "DELETE", "t")]).is_empty());
        assert_eq!(read(&[row(2, "2", "SQL", "f")]), [failed("2")]);
        // A repeatable one has no version.
        assert!(read(&[row(2, "", "SQL", "t")]).is_empty());
    }
}
