//! The command line of sqlx: SQL files that begin with a number.

use std::path::Path;
use std::sync::Arc;

use super::Table;
use super::history::with_success;
use super::revision::in_a_row;
use super::{Applied, Call, History, Kind, Reach, Revision, Runner, Sql, Tool, files};

pub(super) const KIND: Kind = Kind {
    kind: "sqlx",
    read: |_| Some(Arc::new(Sqlx)),
};

#[derive(Debug)]
struct Sqlx;

impl Tool for Sqlx {
    fn kind(&self) -> &'static str {
        KIND.kind
    }

    fn program(&self) -> Vec<String> {
        vec!["sqlx".into()]
    }

    fn files(&self, _dir: &Path) -> String {
        "migrations".into()
    }

    fn history(&self) -> History {
        History::Table(Table {
            name: "_sqlx_migrations".into(),
            on: &[],
            columns: &["version", "success", "installed_on"],
        })
    }

    fn revisions(&self, runner: &Runner, root: &Path) -> Result<Vec<Revision>, String> {
        let found = files::by_name(root, &runner.place(root), |file| {
            let stem = file.strip_suffix(".sql")?;
            let (digits, _) = stem.split_once('_')?;
            let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
            (is_number && !stem.ends_with(".down")).then(|| files::without_zeros(digits))
        })?;
        Ok(in_a_row(files::by_number(found)))
    }

    fn read(&self, rows: &[Vec<String>], _known: &[Revision]) -> Result<Vec<Applied>, String> {
        Ok(with_success(rows))
    }

    fn reach(&self) -> Reach {
        Reach::UpTo
    }

    fn apply(&self, runner: &Runner, root: &Path, revision: &Revision) -> Result<Call, String> {
        // Relative to where it runs.
        let source = root.join(runner.place(root)).display().to_string();
        let target = revision.name.as_str();
        let arguments = [
            "migrate",
            "run",
            "--source",
            &source,
            "--target-version",
            target,
        ];
        Ok(Call::new(arguments))
    }

    fn sql(&self, _revision: &Revision, text: &str) -> Sql {
        Sql::Written(text.to_owned())
    }

    fn mend(&self, table: Option<&str>, revision: &str) -> String {
        let table = table.unwrap_or("_sqlx_migrations");
        format!(
            "finish or undo by hand what it has done, then set `success` of the row `{revision}` of `{table}`, or remove the row"
        )
    }

    fn is_here(&self, dir: &Path) -> bool {
        let names = files::names(dir, "migrations").unwrap_or_default();
        let has_scripts = names.iter().any(|name| {
            let is_numbered = name.starts_with(|c: char| c.is_ascii_digit());
            is_numbered && name.ends_with(".sql")
        });
        let cargo = std::fs::read_to_string(dir.join("Cargo.toml")).unwrap_or_default();
        has_scripts && (cargo.contains("sqlx") || dir.join("sqlx.toml").exists())
    }
}
