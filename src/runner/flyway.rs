//! Flyway: SQL files `V2__name.sql`; `-target=2` applies up to it.

use std::path::Path;
use std::sync::Arc;

use super::Table;
use super::history::with_success;
use super::revision::in_a_row;
use super::{Applied, Call, History, Kind, Reach, Revision, Runner, Sql, Tool, files};

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
            columns: &["version", "success", "installed_on"],
        })
    }

    fn revisions(&self, runner: &Runner, root: &Path) -> Result<Vec<Revision>, String> {
        let mut found = files::by_name(root, &runner.place(root), |file| {
            version(file.strip_suffix(".sql")?).map(|(version, _)| version)
        })?;
        let numbers = |one: &Revision| -> Vec<u64> {
            one.name
                .split('.')
                .filter_map(|part| part.parse().ok())
                .collect()
        };
        found.sort_by_key(numbers);
        Ok(in_a_row(found))
    }

    fn read(&self, rows: &[Vec<String>], _known: &[Revision]) -> Result<Vec<Applied>, String> {
        Ok(with_success(rows))
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

    fn mend(&self, _revision: &str) -> String {
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
}
