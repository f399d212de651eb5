//! Which migration tool a project has, by its files.

use std::fs;
use std::path::Path;

use super::below;

/// Where a tool's project is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Relative to the root, with `/`; empty for the root.
    pub dir: String,
    pub kind: &'static str,
}

/// How deep below the root it is looked for.
const DEEPEST: usize = 3;

/// Directories of what is installed or built.
const OTHERS: [&str; 8] = [
    "node_modules",
    "site-packages",
    "vendor",
    "target",
    "dist",
    "build",
    "__pycache__",
    "tests",
];

/// Where there are projects of tools: those at the root, else those nearest to it.
#[must_use]
pub fn places(root: &Path) -> Vec<Place> {
    let mut level = vec![root.to_owned()];
    for _ in 0..=DEEPEST {
        let mut found: Vec<Place> = level
            .iter()
            .flat_map(|dir| {
                let kinds = crate::runner::found(dir).into_iter();
                let dir = below(root, dir);
                kinds.map(move |kind| Place {
                    dir: dir.clone(),
                    kind,
                })
            })
            .collect();
        if !found.is_empty() {
            found.sort();
            return found;
        }
        level = level.iter().flat_map(|dir| directories(dir)).collect();
    }
    Vec::new()
}

fn directories(dir: &Path) -> Vec<std::path::PathBuf> {
    let Ok(entries) = fs::read_dir(dir) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for entry in entries.flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        // A link may lead anywhere, and back.
        let is_dir = entry.file_type().is_ok_and(|kind| kind.is_dir());
        let is_others = name.starts_with('.') || OTHERS.contains(&name.as_ref());
        if is_dir && !is_others && !entry.path().join("pyvenv.cfg").exists() {
            found.push(entry.path());
        }
    }
    found.sort();
    found
}

/// A tool of a version that can only be called through a `command`, by the file that gives it away.
#[must_use]
pub fn foreign(root: &Path) -> Option<(&'static str, &'static str)> {
    const SIGNS: &[(&str, &str)] = &[
        ("ormconfig.json", "TypeORM before 0.3"),
        ("ormconfig.ts", "TypeORM before 0.3"),
    ];
    let found = SIGNS.iter().find(|(file, _)| root.join(file).exists());
    found.map(|(file, tool)| (*tool, *file))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(files: &[(&str, &str)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = dir.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        dir
    }

    #[test]
    fn a_tool_is_found_where_its_files_are() {
        let alembic = ("alembic.ini", "[alembic]\nscript_location = db\n");
        let manage = "import django";
        let dbmate = "-- migrate:up\n-- migrate:down\n";
        for (files, expected) in [
            (vec![alembic], vec![("", "alembic")]),
            (vec![("manage.py", manage)], vec![("", "django")]),
            (
                vec![("manage.py", manage), alembic],
                vec![("", "alembic"), ("", "django")],
            ),
            (
                vec![("backend/manage.py", manage)],
                vec![("backend", "django")],
            ),
            (
                vec![
                    ("a/manage.py", manage),
                    ("b/c/db/migrations/1_x.sql", dbmate),
                ],
                vec![("a", "django")],
            ),
            (
                vec![("x/db/migrations/1_x.sql", dbmate)],
                vec![("x", "dbmate")],
            ),
            (
                vec![("Cargo.toml", "sqlx = 1"), ("migrations/0001_x.sql", "")],
                vec![("", "sqlx")],
            ),
            (
                vec![("db/migrate/1_x.rb", ""), ("bin/rails", "")],
                vec![("", "rails")],
            ),
            (
                vec![("prisma/migrations/1_x/migration.sql", "")],
                vec![("", "prisma")],
            ),
            (vec![("knexfile.js", "")], vec![("", "knex")]),
            (
                vec![("package.json", "{\"node-pg-migrate\": 1}")],
                vec![("", "node-pg-migrate")],
            ),
            (vec![("drizzle.config.ts", "")], vec![("", "drizzle")]),
            (
                vec![(
                    "src/data-source.ts",
                    "import { DataSource } from \"typeorm\";",
                )],
                vec![("", "typeorm")],
            ),
            (vec![("src/data-source.ts", "of something else")], vec![]),
            (vec![("liquibase.properties", "")], vec![("", "liquibase")]),
            (
                vec![("db/changelog/1.sql", "--liquibase formatted sql\n")],
                vec![("", "liquibase")],
            ),
            (vec![("flyway.toml", "")], vec![("", "flyway")]),
            (
                vec![
                    ("go.mod", ""),
                    ("migrations/1_x.up.sql", ""),
                    ("migrations/1_x.down.sql", ""),
                ],
                vec![("", "golang-migrate")],
            ),
            // What is installed is nobody's project.
            (
                vec![("node_modules/x/knexfile.js", ""), ("README.md", "")],
                vec![],
            ),
            (
                vec![("env/pyvenv.cfg", ""), ("env/x/manage.py", manage)],
                vec![],
            ),
        ] {
            let dir = written(&files);
            let found: Vec<(String, &str)> = places(dir.path())
                .into_iter()
                .map(|place| (place.dir, place.kind))
                .collect();
            let expected: Vec<(String, &str)> = expected
                .into_iter()
                .map(|(dir, kind)| (dir.to_owned(), kind))
                .collect();
            assert_eq!(found, expected, "{files:?}");
        }
        let dir = written(&[("ormconfig.json", "")]);
        assert_eq!(
            foreign(dir.path()),
            Some(("TypeORM before 0.3", "ormconfig.json"))
        );
    }
}
