//! Rails: programs in Ruby that begin with a number. `db:migrate:up` applies that one alone.

use std::path::Path;
use std::sync::Arc;

use super::Table;
use super::history::one_a_row;
use super::{Applied, Call, History, Kind, Reach, Revision, Runner, Sql, Tool, files};

pub(super) const KIND: Kind = Kind {
    kind: "rails",
    read: |_| Some(Arc::new(Rails)),
};

#[derive(Debug)]
struct Rails;

impl Tool for Rails {
    fn kind(&self) -> &'static str {
        KIND.kind
    }

    fn program(&self) -> Vec<String> {
        vec!["bin/rails".into()]
    }

    fn files(&self, _dir: &Path) -> String {
        "db/migrate".into()
    }

    fn history(&self) -> History {
        History::Table(Table {
            name: "schema_migrations".into(),
            on: &[],
            columns: &["version"],
        })
    }

    fn revisions(&self, runner: &Runner, root: &Path) -> Result<Vec<Revision>, String> {
        let found = files::by_name(root, &runner.place(root), |file| {
            let number = files::number(file.strip_suffix(".rb")?);
            (!number.is_empty()).then(|| files::without_zeros(number))
        })?;
        Ok(files::by_number(found))
    }

    fn read(&self, rows: &[Vec<String>], _known: &[Revision]) -> Result<Vec<Applied>, String> {
        Ok(one_a_row(rows))
    }

    fn reach(&self) -> Reach {
        Reach::Alone
    }

    fn apply(&self, _: &Runner, _: &Path, revision: &Revision) -> Result<Call, String> {
        let version = format!("VERSION={}", revision.name);
        Ok(Call::new(["db:migrate:up", &version]))
    }

    fn sql(&self, _revision: &Revision, _text: &str) -> Sql {
        Sql::Hidden
    }

    fn mend(&self, table: Option<&str>, revision: &str) -> String {
        let table = table.unwrap_or("schema_migrations");
        format!("a row `{revision}` in `{table}` says that it is done")
    }

    fn is_here(&self, dir: &Path) -> bool {
        dir.join("bin/rails").exists() && dir.join("db/migrate").is_dir()
    }
}
