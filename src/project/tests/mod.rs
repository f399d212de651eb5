//! Whole projects on disk, and what is reported about them.

mod config;
mod contracts;
mod dumped;
mod everyday;
mod examples;
mod expanding;
mod filled;
#[cfg(unix)]
mod links;
mod linters;
mod lite;
mod long_keys;
mod losing;
mod migrations;
mod moments;
mod newer;
mod rebuilt;
mod reports;
mod required;
mod rows;
mod scripts;
mod squawk;
mod there;
mod triggers;
mod widened;

use std::fs;

use tempfile::TempDir;

use super::*;

const CONFIG: &str = "[database]\nurl = \"sqlite://shop.db\"\n[services.web]\n[services.worker]\n";
const SPLIT: &str = r#"description = "Split users.full_name"
sync = "both"
[services.web]
old = "<1.2.0"
new = ">=1.1.0"
[backfill]
table = "users"
key = "id"
remaining = "SELECT count(*) FROM users WHERE first_name IS NULL"
[contract]
soak = "24h"
require = ["SELECT count(*) FROM users WHERE first_name = ''"]
"#;
const EXPAND: &str = "ALTER TABLE users ADD COLUMN first_name TEXT;\n";
const BACKFILL: &str =
    "UPDATE users SET first_name = full_name WHERE id > :after AND id <= :upto;\n";
const CONTRACT: &str = "ALTER TABLE users DROP COLUMN full_name;\n";

/// A project in which everything is right.
const GOOD: &[(&str, &str)] = &[
    ("migrate.toml", CONFIG),
    ("0002_split/migration.toml", SPLIT),
    ("0002_split/expand.sql", EXPAND),
    ("0002_split/backfill.sql", BACKFILL),
    ("0002_split/contract.sql", CONTRACT),
    (
        "0002_split/revert.sql",
        "ALTER TABLE users DROP COLUMN first_name;\n",
    ),
];

fn written(files: &[(&str, &str)]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = dir.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    dir
}

/// The good project with files replaced or added, or removed where `-` stands before the name.
fn changed(changes: &[(&str, &str)]) -> TempDir {
    let dir = written(GOOD);
    // What another expand adds is reverted in another way.
    let replaces = |step: &str| {
        let is_it = |(path, _): &(&str, &str)| path.starts_with(&format!("0002_split/{step}"));
        changes.iter().any(is_it)
    };
    if replaces("expand") && !replaces("revert") {
        fs::remove_file(dir.path().join("0002_split/revert.sql")).unwrap();
    }
    for (path, text) in changes {
        if let Some(path) = path.strip_prefix('-') {
            fs::remove_file(dir.path().join(path)).unwrap();
            continue;
        }
        let path = dir.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    dir
}

fn loaded(dir: &TempDir, url: Option<&str>) -> Vec<Problem> {
    match Project::load(dir.path(), url) {
        Ok(project) => project.warnings,
        Err(problems) => problems.0,
    }
}

/// `file:line:column: message [code]`, relative to the project.
fn lines(dir: &TempDir, url: Option<&str>) -> Vec<String> {
    let root = format!("{}/", dir.path().display());
    loaded(dir, url)
        .iter()
        .map(|problem| {
            format!(
                "{} [{}]",
                problem.one_line().replace(&root, ""),
                problem.code
            )
        })
        .collect()
}

/// What is said of locks is said beside everything else, and stops nothing.
fn without_locks(mut lines: Vec<String>) -> Vec<String> {
    const LOCKS: &[&str] = &[
        "[fills-at-once]",
        "[holds-lock]",
        "[keeps-invalid]",
        "[locks-out]",
        "[locks-writes]",
        "[rewrites-table]",
        "[scans-under-lock]",
        "[unindexed-key]",
    ];
    lines.retain(|line| {
        !(line.contains(": warning: ") && LOCKS.iter().any(|code| line.ends_with(code)))
    });
    lines
}

/// Files changed in the good project, and the beginnings and ends of the lines reported.
type Case<'a> = (&'a [(&'a str, &'a str)], &'a [&'a str]);

fn check(cases: &[Case<'_>]) {
    for (changes, expected) in cases {
        let found = lines(&changed(changes), None);
        let fits = found.len() == expected.len()
            && found.iter().zip(*expected).all(|(line, pattern)| {
                let (start, end) = pattern.split_once('…').unwrap_or((pattern, ""));
                line.starts_with(start) && line.ends_with(end)
            });
        assert!(
            fits,
            "{changes:?}\nexpected {expected:#?}\nfound {found:#?}"
        );
    }
}
