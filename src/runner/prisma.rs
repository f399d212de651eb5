//! Prisma: a directory with a `migration.sql` each. `migrate deploy` applies whatever is pending.

use std::path::Path;
use std::sync::Arc;

use super::Table;
use super::revision::in_a_row;
use super::{Applied, Call, History, Kind, Reach, Revision, Runner, Sql, Standing, Tool, files};

pub(super) const KIND: Kind = Kind {
    kind: "prisma",
    read: |_| Some(Arc::new(Prisma)),
};

#[derive(Debug)]
struct Prisma;

impl Tool for Prisma {
    fn kind(&self) -> &'static str {
        KIND.kind
    }

    fn program(&self) -> Vec<String> {
        // Where it is not installed, nothing is fetched.
        vec!["npx".into(), "--no-install".into(), "prisma".into()]
    }

    fn files(&self, _dir: &Path) -> String {
        "prisma/migrations".into()
    }

    fn history(&self) -> History {
        History::Table(Table {
            name: "_prisma_migrations".into(),
            on: &[],
            columns: &[
                "migration_name",
                "finished_at",
                "rolled_back_at",
                "started_at",
            ],
        })
    }

    fn revisions(&self, runner: &Runner, root: &Path) -> Result<Vec<Revision>, String> {
        let place = runner.place(root);
        let names = files::names(root, &place)?.into_iter();
        let found = names.filter_map(|name| {
            let file = format!("{place}/{name}/migration.sql");
            root.join(&file).is_file().then_some(Revision {
                name,
                file: Some(file),
                after: Vec::new(),
                replaces: Vec::new(),
                key: None,
            })
        });
        Ok(in_a_row(found.collect()))
    }

    /// One name may have several rows: what was rolled back counts for nothing.
    fn read(&self, rows: &[Vec<String>], _known: &[Revision]) -> Result<Vec<Applied>, String> {
        let mut found: Vec<Applied> = Vec::new();
        let mut rows: Vec<&Vec<String>> = rows.iter().collect();
        rows.sort_by_key(|row| row.get(3));
        for row in rows {
            let [name, finished, rolled_back, _] = row.as_slice() else {
                continue;
            };
            if !rolled_back.is_empty() {
                continue;
            }
            let standing = match finished.is_empty() {
                true => Standing::Failed,
                false => Standing::Done,
            };
            found.retain(|one| one.revision != *name);
            found.push(Applied {
                revision: name.clone(),
                standing,
                at: (!finished.is_empty()).then(|| finished.clone()),
            });
        }
        Ok(found)
    }

    fn reach(&self) -> Reach {
        Reach::Everything
    }

    fn apply(&self, _: &Runner, _: &Path, _: &Revision) -> Result<Call, String> {
        Ok(Call::new(["migrate", "deploy"]))
    }

    fn sql(&self, _revision: &Revision, text: &str) -> Sql {
        Sql::Written(text.to_owned())
    }

    fn mend(&self, _table: Option<&str>, revision: &str) -> String {
        format!(
            "finish by hand what it has done and say `prisma migrate resolve --applied {revision}`, or undo it and say `prisma migrate resolve \
             --rolled-back {revision}`"
        )
    }

    fn is_here(&self, dir: &Path) -> bool {
        dir.join("prisma/migrations").is_dir()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_row_that_was_not_rolled_back_counts() {
        let row = |finished: &str, rolled_back: &str| {
            ["m", finished, rolled_back, "2026"]
                .map(str::to_owned)
                .to_vec()
        };
        for (rows, standing) in [
            (vec![row("", "x")], None),
            (vec![row("", "x"), row("", "")], Some(Standing::Failed)),
            (vec![row("", "x"), row("y", "")], Some(Standing::Done)),
            (vec![row("y", "x")], None),
        ] {
            let read = Prisma.read(&rows, &[]).unwrap();
            assert_eq!(read.first().map(|one| one.standing), standing, "{rows:?}");
        }
    }
}
