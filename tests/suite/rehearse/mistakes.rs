//! The plausible mistakes: each made in a migration that is right, and who finds it.

use super::project;
use super::shop::{ALL, Files, Triggers, expand, rename};
use crate::support::backend::Db;

/// Who has to find a mistake: `check` by the files alone, or `rehearse` by one of these codes.
#[derive(Clone, Copy)]
enum By {
    Check,
    Rehearsal(&'static [&'static str]),
    /// Whoever comes first.
    Either,
}

struct Mistake {
    name: &'static str,
    make: fn(Files) -> Files,
    by: By,
}

fn triggers(files: Files, triggers: Triggers) -> Files {
    let text = expand(files.backend, triggers);
    files.added("expand.sql", &text)
}

/// `expand.sql` with the new column and nothing else, and no triggers to drop.
fn without_triggers(files: Files) -> Files {
    let text = files.get("expand.sql").to_owned();
    let first = text.lines().next().unwrap_or_default();
    let files = files.added("expand.sql", &format!("{first}\n"));
    ["contract.sql", "revert.sql"]
        .into_iter()
        .fold(files, |files, name| {
            let kept: Vec<&str> = files
                .get(name)
                .lines()
                .filter(|line| line.starts_with("ALTER"))
                .collect();
            let kept = format!("{}\n", kept.join("\n"));
            files.added(name, &kept)
        })
}

fn leaving_triggers(files: Files, name: &str) -> Files {
    let kept: Vec<&str> = files
        .get(name)
        .lines()
        .filter(|line| line.starts_with("ALTER"))
        .collect();
    let kept = format!("{}\n", kept.join("\n"));
    files.added(name, &kept)
}

const NEW_STALE: By = By::Rehearsal(&["new-stale", "old-rows-changed"]);
const OLD_STALE: By = By::Rehearsal(&["old-stale"]);

const MISTAKES: &[Mistake] = &[
    Mistake {
        name: "sync without a trigger",
        make: without_triggers,
        by: By::Either,
    },
    Mistake {
        name: "sync to the new format only",
        make: |files| {
            triggers(
                files,
                Triggers {
                    insert_new: false,
                    update_new: false,
                    ..ALL
                },
            )
        },
        by: OLD_STALE,
    },
    Mistake {
        name: "sync to the old format only",
        make: |files| {
            triggers(
                files,
                Triggers {
                    insert_old: false,
                    update_old: false,
                    ..ALL
                },
            )
        },
        by: NEW_STALE,
    },
    Mistake {
        name: "triggers on INSERT only",
        make: |files| {
            triggers(
                files,
                Triggers {
                    update_old: false,
                    update_new: false,
                    ..ALL
                },
            )
        },
        by: NEW_STALE,
    },
    Mistake {
        name: "triggers on UPDATE only",
        make: |files| {
            triggers(
                files,
                Triggers {
                    insert_old: false,
                    insert_new: false,
                    ..ALL
                },
            )
        },
        by: By::Rehearsal(&["new-stale", "old-stale", "new-writes-fail"]),
    },
    Mistake {
        name: "an update of the new format that the old one does not follow",
        make: |files| {
            triggers(
                files,
                Triggers {
                    update_new: false,
                    ..ALL
                },
            )
        },
        by: OLD_STALE,
    },
    Mistake {
        name: "a trigger that takes a wrong column",
        make: |files| {
            triggers(
                files,
                Triggers {
                    forward: "NEW.email",
                    ..ALL
                },
            )
        },
        by: NEW_STALE,
    },
    Mistake {
        name: "a trigger that changes what it carries over",
        make: |files| {
            triggers(
                files,
                Triggers {
                    forward: "upper(NEW.full_name)",
                    ..ALL
                },
            )
        },
        by: NEW_STALE,
    },
    Mistake {
        name: "a trigger that fails for some values",
        make: |files| {
            let forward = match files.backend {
                "postgres" => "CAST(NEW.full_name AS integer)",
                "mysql" => "CAST(NEW.no_such_column AS CHAR)",
                _ => "no_such_function(NEW.full_name)",
            };
            triggers(files, Triggers { forward, ..ALL })
        },
        by: By::Either,
    },
    Mistake {
        name: "a trigger for a table that is not there",
        make: |files| {
            let (from, to) = match files.backend {
                "postgres" => ("UPDATE ON users FOR", "UPDATE ON userz FOR"),
                "mysql" => ("BEFORE INSERT ON users", "BEFORE INSERT ON userz"),
                _ => (
                    "AFTER INSERT ON users WHEN NEW.name IS NULL",
                    "AFTER INSERT ON userz WHEN NEW.name IS NULL",
                ),
            };
            files.replaced("expand.sql", from, to)
        },
        by: By::Either,
    },
    Mistake {
        name: "ranges the wrong way round",
        make: |files| {
            let files = files.replaced("migration.toml", "old = \"<1.2.0\"", "old = \">=1.1.0\"");
            files.replaced(
                "migration.toml",
                "new = \">=1.1.0\"\n\n[b",
                "new = \"<1.2.0\"\n\n[b",
            )
        },
        by: By::Check,
    },
    Mistake {
        name: "a gap between the ranges",
        make: |files| files.replaced("migration.toml", "new = \">=1.1.0\"", "new = \">=1.3.0\""),
        by: By::Either,
    },
    Mistake {
        name: "a service that there is not",
        make: |files| files.replaced("migration.toml", "[services.web]", "[services.wbe]"),
        by: By::Check,
    },
    Mistake {
        name: "a `remaining` that cannot end",
        make: |files| {
            files.replaced(
                "migration.toml",
                "WHERE full_name IS NOT NULL AND name IS NULL",
                "WHERE name IS NULL",
            )
        },
        by: By::Rehearsal(&["remaining-never-ends"]),
    },
    Mistake {
        name: "a backfill that skips rows with a `remaining` that skips the same",
        make: |files| {
            let files = files.replaced(
                "backfill.sql",
                "AND name IS NULL",
                "AND name IS NULL AND full_name LIKE '% %'",
            );
            files.replaced(
                "migration.toml",
                "AND name IS NULL\"",
                "AND name IS NULL AND full_name LIKE '% %'\"",
            )
        },
        by: By::Rehearsal(&["new-stale", "check-finds", "remaining-blind"]),
    },
    Mistake {
        name: "a `remaining` that skips rows",
        make: |files| {
            files.replaced(
                "migration.toml",
                "AND name IS NULL\"",
                "AND name IS NULL AND id < 4\"",
            )
        },
        by: By::Rehearsal(&["remaining-blind"]),
    },
    Mistake {
        name: "a typo in `remaining`",
        make: |files| files.replaced("migration.toml", "AND name IS NULL\"", "AND nmae IS NULL\""),
        by: By::Rehearsal(&["remaining-fails"]),
    },
    Mistake {
        name: "a `check` that finds nothing",
        make: |files| {
            files.replaced(
                "migration.toml",
                "full_name <> name",
                "full_name <> full_name",
            )
        },
        by: By::Rehearsal(&["check-blind"]),
    },
    Mistake {
        name: "a backfill without its range",
        make: |files| files.replaced("backfill.sql", "id > :after AND id <= :upto AND ", ""),
        by: By::Check,
    },
    Mistake {
        name: "a backfill beyond its range",
        make: |files| {
            files.replaced(
                "backfill.sql",
                "id > :after AND id <= :upto AND full_name IS NOT NULL",
                "(id > :after AND id <= :upto OR full_name IS NOT NULL)",
            )
        },
        by: By::Either,
    },
    Mistake {
        name: "a typo in the backfill",
        make: |files| {
            files.replaced(
                "backfill.sql",
                "SET name = full_name",
                "SET name = full_nmae",
            )
        },
        by: By::Rehearsal(&["script-fails"]),
    },
    Mistake {
        name: "a backfill that is not idempotent",
        make: |files| {
            let value = if files.backend == "mysql" {
                "concat(coalesce(name, full_name), 'x')"
            } else {
                "coalesce(name, full_name) || 'x'"
            };
            let files = files.replaced(
                "backfill.sql",
                "SET name = full_name",
                &format!("SET name = {value}"),
            );
            files.replaced("backfill.sql", " AND name IS NULL", "")
        },
        by: By::Rehearsal(&["backfill-not-idempotent"]),
    },
    Mistake {
        name: "a backfill from a wrong column",
        make: |files| files.replaced("backfill.sql", "SET name = full_name", "SET name = email"),
        by: By::Rehearsal(&["new-stale", "remaining-never-ends", "check-finds"]),
    },
    Mistake {
        name: "a key that is not unique",
        make: |files| {
            let files = files.replaced("migration.toml", "key = \"id\"", "key = \"logins\"");
            let files = files.replaced(
                "backfill.sql",
                "id > :after AND id <= :upto",
                "logins > :after AND logins <= :upto",
            );
            files.replaced(
                "migration.toml",
                "id > :after AND id <= :upto",
                "logins > :after AND logins <= :upto",
            )
        },
        by: By::Rehearsal(&["key"]),
    },
    Mistake {
        name: "an expand that breaks old versions",
        make: |files| {
            files.appended(
                "expand.sql",
                "ALTER TABLE users RENAME COLUMN email TO mail;\n",
            )
        },
        by: By::Check,
    },
    Mistake {
        name: "an index that refuses what old versions write",
        make: |files| {
            let columns = if files.backend == "mysql" {
                "full_name(20)"
            } else {
                "full_name"
            };
            files.appended(
                "expand.sql",
                &format!("CREATE UNIQUE INDEX users_full_name ON users ({columns});\n"),
            )
        },
        by: By::Either,
    },
    Mistake {
        name: "COMMIT in a script",
        make: |files| files.appended("expand.sql", "COMMIT;\n"),
        by: By::Check,
    },
    Mistake {
        name: "a contract that leaves the triggers",
        make: |files| leaving_triggers(files, "contract.sql"),
        by: By::Either,
    },
    Mistake {
        name: "a revert that leaves the triggers",
        make: |files| leaving_triggers(files, "revert.sql"),
        by: By::Either,
    },
    Mistake {
        name: "a contract that drops the new column",
        make: |files| files.replaced("contract.sql", "DROP COLUMN full_name", "DROP COLUMN name"),
        by: By::Either,
    },
    Mistake {
        name: "a contract that drops another column",
        make: |files| files.replaced("contract.sql", "DROP COLUMN full_name", "DROP COLUMN email"),
        by: By::Either,
    },
    Mistake {
        name: "a contract that drops another table",
        make: |files| {
            files.replaced(
                "contract.sql",
                "ALTER TABLE users DROP COLUMN full_name",
                "DROP TABLE notes",
            )
        },
        by: By::Either,
    },
    Mistake {
        name: "a revert that drops the old column",
        make: |files| files.replaced("revert.sql", "DROP COLUMN name", "DROP COLUMN full_name"),
        by: By::Either,
    },
    Mistake {
        name: "a contract that is missing",
        make: |files| files.without("contract.sql"),
        by: By::Either,
    },
];

/// What stands in the table of this run: where a mistake was found.
fn found(db: &Db, mistake: &Mistake) -> (Option<String>, String) {
    let files = (mistake.make)(rename(db.backend.name));
    let project = project(db, &files);
    let checked = project.migrate(&["check"]);
    if checked.code != 0 {
        return (Some("check".to_owned()), checked.stderr);
    }
    let warned = checked
        .stderr
        .lines()
        .find(|line| line.starts_with("warning"));
    let output = project.migrate(&["rehearse", "2", "--rows", "0", "--output", "json"]);
    let json = output.json();
    let findings = json["rehearsals"][0]["findings"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let codes: Vec<&str> = findings
        .iter()
        .filter_map(|finding| finding["code"].as_str())
        .collect();
    let codes: Vec<&str> = codes
        .into_iter()
        .filter(|code| *code != "extreme-refused")
        .collect();
    let said = format!("{:?} {json}", output.code);
    match (codes.is_empty(), warned) {
        (false, _) => (Some(codes.join(", ")), said),
        (true, Some(warned)) => (Some(format!("check warns: {warned}")), said),
        (true, None) => (None, said),
    }
}

fn every_one(backend: &str, of: impl Fn(usize) -> bool) {
    let db = Db::on(backend);
    let mut missed = Vec::new();
    let mut told = Vec::new();
    let chosen = MISTAKES.iter().enumerate().filter(|(index, _)| of(*index));
    for (_, mistake) in chosen {
        let (by, said) = found(&db, mistake);
        told.push(format!(
            "{:<70} {}",
            mistake.name,
            by.as_deref().unwrap_or("NOBODY")
        ));
        let is_right = match (&by, mistake.by) {
            (None, _) => false,
            (Some(_), By::Either) => true,
            (Some(by), By::Check) => by.starts_with("check"),
            (Some(by), By::Rehearsal(codes)) => codes.iter().any(|code| by.contains(code)),
        };
        if !is_right {
            missed.push(format!("{}: {by:?}\n{said}", mistake.name));
        }
    }
    eprintln!("{backend}:\n{}", told.join("\n"));
    assert!(
        missed.is_empty(),
        "{}\n{}",
        told.join("\n"),
        missed.join("\n")
    );
}

/// A rehearsal takes seconds: each database has its share of them in the suite, SQLite all, and the long form all on each.
fn share(part: usize) -> impl Fn(usize) -> bool {
    let is_long = std::env::var_os("PHASEGATE_CHECK").is_some_and(|how| how == "long");
    move |index| is_long || index % 4 == part
}

#[test]
fn every_plausible_mistake_is_found_on_sqlite() {
    every_one("sqlite", |_| true);
}

#[test]
fn every_plausible_mistake_is_found_on_postgres() {
    every_one("postgres", share(0));
}

#[test]
fn every_plausible_mistake_is_found_on_mariadb() {
    every_one("mysql", share(2));
}
