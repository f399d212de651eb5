//! Prisma: a directory with a `migration.sql` each. `migrate deploy` applies whatever is pending.
//!
//! Where others come after the one that is meant, it is given a view of the project in which they are not: a configuration of ours, which
//! is the project's with another directory, or where there is none, its schema beside that directory.

use std::path::Path;
use std::sync::Arc;

use serde_json::json;

use super::Table;
use super::revision::in_a_row;
use super::{
    Applied, Call, History, Kind, Reach, Revision, Runner, Scratch, Sql, Standing, Tool, files,
};

pub(super) const KIND: Kind = Kind {
    kind: "prisma",
    read: |_| Some(Arc::new(Prisma)),
};

#[derive(Debug)]
struct Prisma;

const ENDS: [&str; 6] = ["ts", "mts", "cts", "js", "mjs", "cjs"];
const LOCK: &str = "migration_lock.toml";

/// The project's own configuration, relative to the directory that it runs in.
fn config_in(dir: &Path) -> Option<String> {
    let places = ["prisma.config", ".config/prisma"];
    let mut names = places
        .iter()
        .flat_map(|place| ENDS.iter().map(move |end| format!("{place}.{end}")));
    names.find(|name| dir.join(name).is_file())
}

/// A configuration that is the project's, but for where the migrations are.
fn config_beside(theirs: &Path, dir: &Path, migrations: &Path) -> String {
    let own = theirs.parent().unwrap_or(dir).display().to_string();
    format!(
        "import {{ existsSync }} from \"node:fs\";\nimport {{ resolve }} from \"node:path\";\nimport * as loaded from {};\n\
         const one: any = (loaded as any).default ?? loaded;\nconst theirs: any = one.default ?? one;\n\
         const usual = [\"prisma/schema.prisma\", \"schema.prisma\"].map((name) => resolve({}, name)).find((name) => existsSync(name));\n\
         const schema = theirs.schema === undefined ? usual : resolve({}, theirs.schema);\n\
         const migrations = {{ ...theirs.migrations, path: {} }};\n\
         export default {{ ...theirs, schema, migrations }};\n",
        json!(theirs.display().to_string()),
        json!(dir.display().to_string()),
        json!(own),
        json!(migrations.display().to_string())
    )
}

/// A view of the project that ends with this revision.
fn view_up_to(
    runner: &Runner,
    root: &Path,
    known: &[Revision],
    revision: &str,
) -> Result<Call, String> {
    let uncopied = |why| format!("a directory for `{revision}` cannot be made: {why}");
    let dir = std::path::absolute(runner.directory(root)).map_err(|why| why.to_string())?;
    let place = runner.place(root);
    let scratch = Scratch::empty().map_err(uncopied)?;
    let up_to = known.iter().position(|one| one.name == revision);
    for one in known.iter().take(up_to.map_or(0, |index| index + 1)) {
        let text = files::text(root, &format!("{place}/{}/migration.sql", one.name))?;
        scratch
            .write(&format!("migrations/{}/migration.sql", one.name), &text)
            .map_err(uncopied)?;
    }
    let lock = format!("{place}/{LOCK}");
    if root.join(&lock).is_file() {
        let text = files::text(root, &lock)?;
        scratch
            .write(&format!("migrations/{LOCK}"), &text)
            .map_err(uncopied)?;
    }
    let argument = match config_in(&dir) {
        Some(config) => {
            let text = config_beside(&dir.join(config), &dir, &scratch.path().join("migrations"));
            scratch.write("prisma.config.ts", &text).map_err(uncopied)?;
            format!(
                "--config={}",
                scratch.path().join("prisma.config.ts").display()
            )
        }
        None => {
            let theirs = std::path::absolute(root.join(&place)).map_err(|why| why.to_string())?;
            let theirs = theirs.parent().unwrap_or(&dir);
            let schema = theirs.join("schema.prisma");
            let text = std::fs::read_to_string(&schema).map_err(|why| {
                format!(
                    "{} cannot be read: {why}. Where schema.prisma is another file or no file alone, let a prisma.config.ts say so (`schema`)",
                    schema.display()
                )
            })?;
            if names_a_file(&text) {
                return Err(format!(
                    "the `url` in {} is relative to it, and Prisma is to be called with a copy: write `env(\"DATABASE_URL\")` in its place, \
                     and `url = \"env:DATABASE_URL\"` under [runner] in migrate.toml",
                    schema.display()
                ));
            }
            scratch.write("schema.prisma", &text).map_err(uncopied)?;
            // It looks for it there, and it may hold what is secret: it is not copied.
            if theirs.join(".env").is_file() {
                std::os::unix::fs::symlink(theirs.join(".env"), scratch.path().join(".env"))
                    .map_err(uncopied)?;
            }
            format!(
                "--schema={}",
                scratch.path().join("schema.prisma").display()
            )
        }
    };
    let mut call = Call::new(["migrate".to_owned(), "deploy".to_owned(), argument]);
    call.scratch = Some(scratch);
    Ok(call)
}

/// Whether a schema names the file of its database from where it is itself.
fn names_a_file(schema: &str) -> bool {
    schema
        .split("\"file:")
        .skip(1)
        .any(|path| !path.starts_with('/'))
}

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
        Reach::UpTo
    }

    fn apply(&self, runner: &Runner, root: &Path, revision: &Revision) -> Result<Call, String> {
        let known = self.revisions(runner, root)?;
        // Nothing comes after the last one.
        if known.last().is_some_and(|last| last.name == revision.name) {
            return Ok(Call::new(["migrate", "deploy"]));
        }
        view_up_to(runner, root, &known, &revision.name)
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
    fn what_comes_after_it_is_not_in_its_view() {
        let dir = tempfile::tempdir().unwrap();
        let write = |file: &str, text: &str| {
            let path = dir.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        for name in ["1_a", "2_b", "3_c"] {
            write(
                &format!("prisma/migrations/{name}/migration.sql"),
                "SELECT 1",
            );
        }
        write(
            "prisma/migrations/migration_lock.toml",
            "provider = \"sqlite\"",
        );
        write("prisma/schema.prisma", "url = env(\"DATABASE_URL\")");
        let runner = Runner::usual("prisma").unwrap();
        let call = |name: &str| {
            let revision = Revision {
                name: name.into(),
                ..Revision::default()
            };
            Prisma.apply(&runner, dir.path(), &revision)
        };
        let last = call("3_c").unwrap();
        assert_eq!(last.arguments, ["migrate", "deploy"]);
        let holds = |call: &Call, file: &str| {
            let scratch = call.scratch.as_ref().expect("a view");
            scratch.path().join(file).is_file()
        };
        let second = call("2_b").unwrap();
        assert!(second.arguments[2].starts_with("--schema="));
        for (file, is_there) in [
            ("schema.prisma", true),
            ("migrations/migration_lock.toml", true),
            ("migrations/1_a/migration.sql", true),
            ("migrations/2_b/migration.sql", true),
            ("migrations/3_c/migration.sql", false),
        ] {
            assert_eq!(holds(&second, file), is_there, "{file}");
        }
        // A database beside the schema would be another one beside its copy.
        write("prisma/schema.prisma", "url = \"file:./dev.db\"");
        assert!(call("2_b").is_err());
        write("prisma.config.ts", "export default {}");
        let second = call("2_b").unwrap();
        assert!(second.arguments[2].starts_with("--config="));
        assert!(holds(&second, "migrations/2_b/migration.sql"));
    }

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
