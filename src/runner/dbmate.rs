//! dbmate: SQL files with an `up` and a `down` part. It has no target: it is given a directory in which that file alone is.

use std::path::Path;
use std::sync::Arc;

use super::Table;
use super::history::one_a_row;
use super::{Applied, Call, History, Kind, Reach, Revision, Runner, Scratch, Sql, Tool, files};

pub(super) const KIND: Kind = Kind {
    kind: "dbmate",
    read: |_| Some(Arc::new(Dbmate)),
};

#[derive(Debug)]
struct Dbmate;

fn mark(line: &str, which: &str) -> bool {
    let rest = line.trim_start().strip_prefix("--");
    rest.is_some_and(|rest| rest.trim_start().starts_with(which))
}

impl Tool for Dbmate {
    fn kind(&self) -> &'static str {
        KIND.kind
    }

    fn program(&self) -> Vec<String> {
        vec!["dbmate".into()]
    }

    fn files(&self, _dir: &Path) -> String {
        "db/migrations".into()
    }

    fn history(&self) -> History {
        History::Table(Table {
            name: "schema_migrations".into(),
            on: &[],
            columns: &["version"],
        })
    }

    fn revisions(&self, runner: &Runner, root: &Path) -> Result<Vec<Revision>, String> {
        files::by_name(root, &runner.place(root), |file| {
            let stem = file.strip_suffix(".sql")?;
            let number = files::number(stem);
            (!number.is_empty()).then(|| number.to_owned())
        })
    }

    fn read(&self, rows: &[Vec<String>], _known: &[Revision]) -> Result<Vec<Applied>, String> {
        Ok(one_a_row(rows))
    }

    fn reach(&self) -> Reach {
        Reach::Alone
    }

    fn apply(&self, runner: &Runner, root: &Path, revision: &Revision) -> Result<Call, String> {
        let Some(file) = &revision.file else {
            return Err(format!(
                "there is no file of the migration `{}`",
                revision.name
            ));
        };
        let path = root.join(file);
        let scratch = Scratch::with(&[&path]).map_err(|error| {
            format!("{file} cannot be copied to a directory of its own: {error}")
        })?;
        let place = scratch.path().display().to_string();
        // Its dump of the schema would change a file of the project.
        let mut arguments = vec!["--no-dump-schema", "--migrations-dir", &place];
        if let Some(table) = &runner.table {
            arguments.extend(["--migrations-table", table]);
        }
        arguments.push("migrate");
        let mut call = Call::new(arguments);
        call.scratch = Some(scratch);
        Ok(call)
    }

    fn sql(&self, _revision: &Revision, text: &str) -> Sql {
        Sql::Written(files::only_between(
            text,
            |line| mark(line, "migrate:up"),
            |line| mark(line, "migrate:down"),
        ))
    }

    fn mend(&self, table: Option<&str>, revision: &str) -> String {
        let table = table.unwrap_or("schema_migrations");
        format!("a row `{revision}` in `{table}` says that it is done")
    }

    fn is_here(&self, dir: &Path) -> bool {
        let names = files::names(dir, "db/migrations").unwrap_or_default();
        names
            .iter()
            .filter(|name| name.ends_with(".sql"))
            .any(|name| {
                let text = std::fs::read_to_string(dir.join("db/migrations").join(name));
                text.is_ok_and(|text| text.lines().any(|line| mark(line, "migrate:up")))
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_way_up_is_read() {
        let text = "-- migrate:up transaction:false\nA;\n\n--migrate:down\nB;\n";
        let Sql::Written(up) = Dbmate.sql(&Revision::default(), text) else {
            panic!("its file is its SQL");
        };
        assert_eq!(up.trim(), "A;");
        assert_eq!(up.len(), text.len());
    }
}
