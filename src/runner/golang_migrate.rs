//! golang-migrate: SQL files `1_name.up.sql`. Its history is one row with the version that it is at.
//!
//! `goto N` goes back where N is behind that: it is only ever called for one that is not applied.

use std::path::Path;
use std::sync::Arc;

use super::Table;
use super::revision::in_a_row;
use super::{Applied, Call, History, Kind, Reach, Revision, Runner, Sql, Standing, Tool, files};

pub(super) const KIND: Kind = Kind {
    kind: "golang-migrate",
    read: |_| Some(Arc::new(GolangMigrate)),
};

#[derive(Debug)]
struct GolangMigrate;

impl Tool for GolangMigrate {
    fn kind(&self) -> &'static str {
        KIND.kind
    }

    /// Its database is named on its command line: a project says how.
    fn program(&self) -> Vec<String> {
        vec![
            "sh".into(),
            "-c".into(),
            "exec migrate -database \"$DATABASE_URL\" \"$@\"".into(),
            "migrate".into(),
        ]
    }

    fn files(&self, _dir: &Path) -> String {
        "migrations".into()
    }

    fn history(&self) -> History {
        History::Table(Table {
            name: "schema_migrations".into(),
            on: &[],
            columns: &["version", "dirty"],
        })
    }

    fn revisions(&self, runner: &Runner, root: &Path) -> Result<Vec<Revision>, String> {
        let found = files::by_name(root, &runner.place(root), |file| {
            let digits = files::number(file.strip_suffix(".up.sql")?);
            (!digits.is_empty()).then(|| files::without_zeros(digits))
        })?;
        Ok(in_a_row(files::by_number(found)))
    }

    fn read(&self, rows: &[Vec<String>], known: &[Revision]) -> Result<Vec<Applied>, String> {
        let Some([version, dirty]) = rows.first().map(Vec::as_slice) else {
            return Ok(Vec::new());
        };
        let Some(at) = known.iter().position(|one| one.name == *version) else {
            return Err(format!(
                "the database is at the version `{version}`, by its history table, and no file of this checkout has it: use one that \
                 has it"
            ));
        };
        let is_dirty = matches!(dirty.as_str(), "t" | "true" | "1");
        let applied = known.iter().take(at + 1).map(|one| {
            let mut applied = Applied::done(&one.name);
            if is_dirty && one.name == *version {
                applied.standing = Standing::Failed;
            }
            applied
        });
        Ok(applied.collect())
    }

    fn reach(&self) -> Reach {
        Reach::UpTo
    }

    fn apply(&self, runner: &Runner, root: &Path, revision: &Revision) -> Result<Call, String> {
        let place = root.join(runner.place(root)).display().to_string();
        Ok(Call::new(["-path", &place, "goto", &revision.name]))
    }

    fn sql(&self, _revision: &Revision, text: &str) -> Sql {
        Sql::Written(text.to_owned())
    }

    fn mend(&self, _table: Option<&str>, revision: &str) -> String {
        format!(
            "finish or undo by hand what it has done, then `force {revision}`, or `force` with the version before it"
        )
    }

    fn is_here(&self, dir: &Path) -> bool {
        let names = files::names(dir, "migrations").unwrap_or_default();
        let has_both = |end: &str| names.iter().any(|name| name.ends_with(end));
        dir.join("go.mod").exists() && has_both(".up.sql") && has_both(".down.sql")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_row_stands_for_all_before_it() {
        let known = ["1", "2", "3"].map(|name| Revision {
            name: name.into(),
            ..Revision::default()
        });
        let read = |version: &str, dirty: &str| {
            let rows = [vec![version.to_owned(), dirty.to_owned()]];
            GolangMigrate.read(&rows, &known)
        };
        let standing = |version, dirty| {
            let read = read(version, dirty).unwrap();
            read.into_iter().map(|one| one.standing).collect::<Vec<_>>()
        };
        assert_eq!(standing("2", "f"), [Standing::Done, Standing::Done]);
        assert_eq!(standing("2", "1"), [Standing::Done, Standing::Failed]);
        assert!(read("9", "f").is_err());
    }
}
