//! node-pg-migrate: programs or SQL files that begin with a number; `up --timestamp N` applies up to it.

use std::path::Path;
use std::sync::Arc;

use super::Table;
use super::history::with_time;
use super::revision::in_a_row;
use super::{Applied, Call, History, Kind, Reach, Revision, Runner, Sql, Tool, files};

pub(super) const KIND: Kind = Kind {
    kind: "node-pg-migrate",
    read: |_| Some(Arc::new(NodePgMigrate)),
};

#[derive(Debug)]
struct NodePgMigrate;

fn mark(line: &str, which: &str) -> bool {
    let rest = line.trim_start().strip_prefix("--");
    rest.is_some_and(|rest| rest.trim_start().to_ascii_lowercase().starts_with(which))
}

impl Tool for NodePgMigrate {
    fn kind(&self) -> &'static str {
        KIND.kind
    }

    fn program(&self) -> Vec<String> {
        // Where it is not installed, nothing is fetched.
        vec![
            "npx".into(),
            "--no-install".into(),
            "node-pg-migrate".into(),
        ]
    }

    fn files(&self, _dir: &Path) -> String {
        "migrations".into()
    }

    fn history(&self) -> History {
        History::Table(Table {
            name: "pgmigrations".into(),
            on: &[],
            columns: &["name", "run_on"],
        })
    }

    fn revisions(&self, runner: &Runner, root: &Path) -> Result<Vec<Revision>, String> {
        let found = files::by_name(root, &runner.place(root), |file| {
            let (stem, end) = file.rsplit_once('.')?;
            let is_one = matches!(end, "js" | "ts" | "cjs" | "mjs" | "sql")
                && stem.starts_with(|c: char| c.is_ascii_digit());
            is_one.then(|| stem.to_owned())
        })?;
        Ok(in_a_row(found))
    }

    fn read(&self, rows: &[Vec<String>], _known: &[Revision]) -> Result<Vec<Applied>, String> {
        Ok(with_time(rows))
    }

    fn reach(&self) -> Reach {
        Reach::UpTo
    }

    fn apply(&self, runner: &Runner, root: &Path, revision: &Revision) -> Result<Call, String> {
        let place = root.join(runner.place(root)).display().to_string();
        let number = files::number(&revision.name);
        Ok(Call::new(["up", "--timestamp", number, "-m", &place]))
    }

    fn sql(&self, revision: &Revision, text: &str) -> Sql {
        let is_sql = revision
            .file
            .as_deref()
            .is_some_and(|file| file.ends_with(".sql"));
        if !is_sql {
            return Sql::Hidden;
        }
        Sql::Written(files::only_between(
            text,
            |line| mark(line, "up migration"),
            |line| mark(line, "down migration"),
        ))
    }

    fn mend(&self, revision: &str) -> String {
        format!("a row `{revision}` in `pgmigrations` says that it is done")
    }

    fn is_here(&self, dir: &Path) -> bool {
        let package = std::fs::read_to_string(dir.join("package.json")).unwrap_or_default();
        package.contains("\"node-pg-migrate\"")
    }
}
