//! Knex: programs in JavaScript or TypeScript. `migrate:up NAME` applies that one alone.

use std::path::Path;
use std::sync::Arc;

use super::Table;
use super::history::with_time;
use super::{Applied, Call, History, Kind, Reach, Revision, Runner, Sql, Tool, files};

pub(super) const KIND: Kind = Kind {
    kind: "knex",
    read: |_| Some(Arc::new(Knex)),
};

#[derive(Debug)]
struct Knex;

const ENDS: [&str; 5] = [".js", ".ts", ".cjs", ".mjs", ".mts"];

impl Tool for Knex {
    fn kind(&self) -> &'static str {
        KIND.kind
    }

    fn program(&self) -> Vec<String> {
        // Where it is not installed, nothing is fetched.
        vec!["npx".into(), "--no-install".into(), "knex".into()]
    }

    fn files(&self, _dir: &Path) -> String {
        "migrations".into()
    }

    fn history(&self) -> History {
        History::Table(Table {
            name: "knex_migrations".into(),
            on: &[],
            columns: &["name", "migration_time"],
        })
    }

    fn revisions(&self, runner: &Runner, root: &Path) -> Result<Vec<Revision>, String> {
        files::by_name(root, &runner.place(root), |file| {
            let is_one = ENDS.iter().any(|end| file.ends_with(end)) && !file.ends_with(".d.ts");
            is_one.then(|| file.to_owned())
        })
    }

    fn read(&self, rows: &[Vec<String>], _known: &[Revision]) -> Result<Vec<Applied>, String> {
        Ok(with_time(rows))
    }

    fn reach(&self) -> Reach {
        Reach::Alone
    }

    fn apply(&self, _: &Runner, _: &Path, revision: &Revision) -> Result<Call, String> {
        Ok(Call::new(["migrate:up", &revision.name]))
    }

    fn sql(&self, _revision: &Revision, _text: &str) -> Sql {
        Sql::Hidden
    }

    fn mend(&self, table: Option<&str>, revision: &str) -> String {
        let table = table.unwrap_or("knex_migrations");
        format!(
            "a row in `{table}` with `{revision}` as its `name`, a `batch` above all others and a `migration_time` says that it is done"
        )
    }

    fn unlock(&self) -> Option<&'static str> {
        Some("knex migrate:unlock")
    }

    fn is_here(&self, dir: &Path) -> bool {
        ENDS.iter()
            .any(|end| dir.join(format!("knexfile{end}")).exists())
    }
}
