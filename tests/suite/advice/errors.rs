//! The errors that end a command: each names its subject, what is kept, and what to do, which works.

use std::path::Path;

use phasegate::coordinator::CoordinatorError;
use phasegate::database::ErrorKind;

use super::versions::{backfilled, declared, expanded};
use super::{Elsewhere, Row, asked, go_through};
use crate::support::shop::{APPEND_ONLY, BACKFILL, CONTRACT, EXPAND, NAME, Shop};

macro_rules! cases {
    ($($case:ident)+) => {
        /// What ends a command.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Case { $($case),+ }

        impl Case {
            const ALL: &[Self] = &[$(Self::$case),+];
        }
    };
}

cases! {
    Held Script Locked LedgerLocked Drift Unresolved StillRunning Batch Key Moved Interrupted Lost Fenced NoFiles Runner Lists
    Url Unreachable Full NoSpace ReadOnly Tls Authentication Permission Standby HiddenRows NoDatabase NotADatabase Timeout Conflict NoTable
    LedgerContents
}

/// The case of an error of the coordinator; `None` if it is the database's.
const fn case(error: &CoordinatorError) -> Option<Case> {
    Some(match error {
        // Those of the ledger that are not the database's are about what it holds.
        CoordinatorError::Database(_) | CoordinatorError::Ledger(_) => return None,
        // No command begins so.
        CoordinatorError::Unjudged => return None,
        CoordinatorError::Held(_) => Case::Held,
        CoordinatorError::Script(_) => Case::Script,
        CoordinatorError::Locked { .. } => Case::Locked,
        CoordinatorError::LedgerLocked { .. } => Case::LedgerLocked,
        CoordinatorError::Drift(_) => Case::Drift,
        CoordinatorError::Unresolved { .. } => Case::Unresolved,
        CoordinatorError::StillRunning { .. } => Case::StillRunning,
        CoordinatorError::Batch(_) => Case::Batch,
        CoordinatorError::Key { .. } => Case::Key,
        CoordinatorError::Moved { .. } => Case::Moved,
        CoordinatorError::Interrupted { .. } => Case::Interrupted,
        CoordinatorError::Lost { .. } => Case::Lost,
        CoordinatorError::Fenced { .. } => Case::Fenced,
        CoordinatorError::NoFiles(_) => Case::NoFiles,
        CoordinatorError::Runner { .. } => Case::Runner,
        CoordinatorError::Lists(_) => Case::Lists,
    })
}

/// The case of an error of the database.
const fn case_of_the_database(kind: ErrorKind) -> Case {
    match kind {
        ErrorKind::Url => Case::Url,
        ErrorKind::Unreachable => Case::Unreachable,
        ErrorKind::Full => Case::Full,
        ErrorKind::NoSpace => Case::NoSpace,
        ErrorKind::ReadOnly => Case::ReadOnly,
        ErrorKind::Tls => Case::Tls,
        ErrorKind::Authentication => Case::Authentication,
        ErrorKind::Permission => Case::Permission,
        ErrorKind::Standby => Case::Standby,
        ErrorKind::HiddenRows => Case::HiddenRows,
        ErrorKind::NoDatabase => Case::NoDatabase,
        ErrorKind::NotADatabase => Case::NotADatabase,
        ErrorKind::Locked => Case::Locked,
        ErrorKind::Timeout => Case::Timeout,
        ErrorKind::Conflict => Case::Conflict,
        ErrorKind::NoTable => Case::NoTable,
        ErrorKind::Ledger => Case::LedgerContents,
        ErrorKind::Interrupted => Case::Interrupted,
        ErrorKind::Statement => Case::Script,
    }
}

const _: fn(&CoordinatorError) -> Option<Case> = case;
const _: fn(ErrorKind) -> Case = case_of_the_database;

/// What has no row in these tables, by the name of its test.
const ELSEWHERE: &[(Case, Elsewhere)] = &[
    (
        Case::StillRunning,
        Elsewhere::Taken("fn a_statement_that_still_runs_is_ended_as_it_is_said("),
    ),
    (
        Case::Moved,
        Elsewhere::Shown(
            "fn a_coordinator_that_is_superseded_in_its_transaction_gives_it_up(",
            "whoever moved a migration holds the coordinator's lease, so whoever lost it is told first that he is superseded",
        ),
    ),
    (
        Case::Lost,
        Elsewhere::Taken("fn a_lost_connection_is_made_up_for_by_the_next_run("),
    ),
    (
        Case::Held,
        Elsewhere::Taken("fn who_is_at_work_is_waited_for_or_ended("),
    ),
    (
        Case::Interrupted,
        Elsewhere::Taken("fn who_is_at_work_is_waited_for_or_ended("),
    ),
    (
        Case::Locked,
        Elsewhere::Taken("fn who_holds_a_lock_is_ended_as_it_is_said("),
    ),
    (
        Case::LedgerLocked,
        Elsewhere::Taken("fn who_holds_the_ledger_is_ended_as_it_is_said("),
    ),
    (
        Case::Standby,
        Elsewhere::Taken("fn a_standby_answers_nothing_and_says_how_far_it_is_behind("),
    ),
    (
        Case::HiddenRows,
        Elsewhere::Taken("fn a_backfill_under_a_policy_is_refused_and_nothing_is_contracted("),
    ),
    (
        Case::Conflict,
        Elsewhere::Shown(
            "fn an_old_instance_is_refused_or_the_contract_is(",
            "a transaction that lost against another one is begun again: nobody is told",
        ),
    ),
    (
        Case::NoSpace,
        Elsewhere::Shown(
            "fn a_file_that_takes_no_more_and_one_that_takes_nothing(",
            "no test may fill the disk of the machine that it runs on",
        ),
    ),
    (
        Case::ReadOnly,
        Elsewhere::Shown(
            "fn a_file_that_takes_no_more_and_one_that_takes_nothing(",
            "whoever runs the tests may be root, who writes every file",
        ),
    ),
    (
        Case::Runner,
        Elsewhere::Taken("fn a_part_that_was_left_is_told_and_waits_for_somebody("),
    ),
    (
        Case::Lists,
        Elsewhere::Taken("fn a_list_is_renewed_before_the_fence_and_after_each_step("),
    ),
];

#[test]
fn every_error_has_its_row() {
    let shown = ROWS.iter().chain(super::databases::ROWS);
    let is_shown = |case: &Case| shown.clone().any(|row| row.case == *case);
    each_has_its_row(Case::ALL, is_shown, ELSEWHERE);
}

/// Fails where a case is neither in a row nor in a test of another place, or in both, and where there is no such test.
#[track_caller]
pub fn each_has_its_row<C: PartialEq + std::fmt::Debug>(
    all: &[C],
    is_shown: impl Fn(&C) -> bool,
    elsewhere: &[(C, Elsewhere)],
) {
    for case in all {
        let is_elsewhere = elsewhere.iter().any(|(other, _)| other == case);
        assert!(
            is_shown(case) != is_elsewhere,
            "{case:?} has no row, or is said to be elsewhere as well"
        );
    }
    stand_in_the_tests(elsewhere.iter().map(|(_, elsewhere)| match elsewhere {
        Elsewhere::Taken(name) => *name,
        Elsewhere::Shown(name, why) => {
            assert!(!why.is_empty(), "why does nobody take what {name} shows?");
            *name
        }
    }));
}

/// Fails if a test of such a name is not there.
#[track_caller]
fn stand_in_the_tests<'n>(names: impl Iterator<Item = &'n str>) {
    fn read(directory: &Path, all: &mut String) {
        for entry in std::fs::read_dir(directory).expect("a directory").flatten() {
            let path = entry.path();
            if path.is_dir() {
                read(&path, all);
            } else if path.extension().is_some_and(|extension| extension == "rs")
                && !["around", "errors", "reasons"]
                    .iter()
                    .any(|name| path.ends_with(format!("advice/{name}.rs")))
            {
                all.push_str(&std::fs::read_to_string(path).expect("a file of the tests"));
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut all = String::new();
    for directory in ["tests/suite", "crates/model/src", "crates/lease/src"] {
        read(&root.join(directory), &mut all);
    }
    for name in names {
        assert!(all.contains(name), "there is no test {name}");
    }
}

/// A contract of two transactions, the second of which needs this column.
fn contracting(shop: &Shop, column: &str) {
    shop.project.file(
        format!("{NAME}/contract.sql"),
        &format!(
            "-- migrate: no-transaction\n{CONTRACT}CREATE INDEX of_users ON users ({column});\n"
        ),
    );
}

pub const ROWS: &[Row<Case>] = &[
    Row {
        case: Case::Script,
        on: &[],
        make: |db| {
            let shop = declared(db, "");
            shop.name_migration(APPEND_ONLY);
            shop.project.file(
                format!("{NAME}/expand.sql"),
                &format!("{EXPAND}CREATE INDEX by_nobody ON users (nobody);\n"),
            );
            shop
        },
        asks: &["expand"],
        code: 1,
        says: &[
            "0001_name/expand.sql:2: ",
            "nobody",
            "run the same command again",
        ],
        takes: |shop, _| {
            // What it failed on stays to be seen.
            let status = asked(shop, &["status"], 0);
            status.tells("the expand failed at");
            shop.project.file(
                format!("{NAME}/expand.sql"),
                &format!("{EXPAND}CREATE INDEX by_name ON users (name);\n"),
            );
            status.run(shop, "migrate expand 0001_name", 0);
        },
        then: 0,
    },
    Row {
        case: Case::Drift,
        on: &[],
        make: |db| {
            let shop = expanded(db);
            shop.project.file(
                format!("{NAME}/expand.sql"),
                "ALTER TABLE users ADD COLUMN name VARCHAR(201);\n",
            );
            shop
        },
        asks: &["backfill"],
        code: 1,
        says: &["0001_name/expand.sql", "make the change in a new migration"],
        takes: |shop, said| {
            let difference = said.run(shop, "migrate show 0001_name", 0);
            assert!(difference.stdout.contains("VARCHAR(201)"), "{difference:?}");
            said.run(shop, "migrate revert 0001_name", 0);
            shop.run(&["expand"], 0);
        },
        then: 0,
    },
    Row {
        case: Case::Batch,
        on: &[],
        make: |db| {
            let shop = declared(db, "");
            shop.name_migration(APPEND_ONLY);
            let number = if shop.db.backend.name == "mysql" {
                "SIGNED"
            } else {
                "INTEGER"
            };
            shop.project.file(
                format!("{NAME}/expand.sql"),
                "ALTER TABLE users ADD COLUMN name VARCHAR(3);\n",
            );
            shop.project.file(
                format!("{NAME}/backfill.sql"),
                &format!("UPDATE users SET name = CASE WHEN full_name = 'Cyd' THEN {} ELSE full_name END WHERE id > :after AND id <= :upto AND name IS NULL;\n", match shop.db.backend.name {
                    "sqlite" => "json_extract(full_name, '$')".to_owned(),
                    "postgres" => format!("CAST(full_name AS {number})::text"),
                    _ => "CONCAT(full_name, ' is too long')".to_owned(),
                }),
            );
            shop.run(&["expand"], 0);
            shop
        },
        asks: &["backfill"],
        code: 1,
        says: &["0001_name/backfill.sql", "3", "migrate backfill"],
        takes: |shop, said| {
            shop.db
                .execute("UPDATE users SET full_name = 'Cid' WHERE id = 3");
            said.run(shop, "migrate backfill 0001_name", 0);
        },
        then: 0,
    },
    Row {
        case: Case::Key,
        on: &[],
        make: |db| {
            let shop = declared(db, "");
            shop.name_migration(&APPEND_ONLY.replace("table = \"users\"", "table = \"people\""));
            shop.project.file(
                format!("{NAME}/backfill.sql"),
                &BACKFILL.replace("users", "people"),
            );
            shop.project.file(
                format!("{NAME}/contract.sql"),
                "ALTER TABLE people DROP COLUMN full_name;\n",
            );
            shop.db.execute(
                "CREATE TABLE people (id INTEGER, full_name VARCHAR(20), name VARCHAR(20))",
            );
            shop.run(&["expand"], 0);
            shop
        },
        asks: &["backfill"],
        code: 1,
        says: &[
            "0001_name: ",
            "`table` and `key` stand under [backfill] in migration.toml",
        ],
        takes: |shop, said| {
            shop.name_declaration(APPEND_ONLY);
            shop.project.file(format!("{NAME}/backfill.sql"), BACKFILL);
            said.run(shop, "migrate backfill 0001_name", 0);
        },
        then: 0,
    },
    Row {
        case: Case::NoFiles,
        on: &[],
        make: |db| {
            let shop = backfilled(db);
            let from = shop.project.path().join(NAME);
            std::fs::rename(from, shop.project.path().join("elsewhere")).expect("it is there");
            shop
        },
        asks: &["contract", "1"],
        code: 11,
        says: &["0001_name"],
        takes: |shop, said| {
            said.tells("run it from a checkout that has them");
            let to = shop.project.path().join(NAME);
            std::fs::rename(shop.project.path().join("elsewhere"), to).expect("it is there");
        },
        then: 0,
    },
    Row {
        case: Case::Unresolved,
        on: &["mysql"],
        make: |db| {
            let shop = declared(db, "");
            shop.db.execute("CREATE PROCEDURE note() SELECT 1");
            shop.name_migration(&format!(
                "{APPEND_ONLY}[[expand.allow]]\nstatement = \"CALL note()\"\nreason = \"it does nothing\"\n"
            ));
            shop.project.file(
                format!("{NAME}/expand.sql"),
                &format!("CALL note();\n{EXPAND}"),
            );
            shop.project.env("PHASEGATE_CRASH_AT", "expand.started");
            shop.run(&["expand"], 137);
            shop.project.env_remove("PHASEGATE_CRASH_AT");
            shop
        },
        asks: &["expand"],
        code: 1,
        says: &["0001_name/expand.sql:1: this statement was begun and never finished"],
        takes: |shop, said| {
            said.run(shop, "migrate resolve 0001_name --step 1 --applied", 0);
        },
        then: 0,
    },
    Row {
        case: Case::Fenced,
        on: &[],
        make: |db| {
            let shop = backfilled(db);
            contracting(&shop, "nobody");
            shop
        },
        asks: &["contract"],
        code: 1,
        says: &[
            "0001_name/contract.sql:3: ",
            "the statements before it are done and recorded, and this one is not",
            "the fence of 0001_name stays up",
        ],
        takes: |shop, said| {
            contracting(shop, "name");
            said.run(shop, "migrate contract 0001_name", 0);
        },
        then: 0,
    },
    Row {
        case: Case::Url,
        on: &[],
        make: |db| {
            let shop = expanded(db);
            shop.project
                .env("DATABASE_URL", "postgres://me:12/pass@127.0.0.1/shop");
            shop
        },
        asks: &["status"],
        code: 1,
        says: &["write `/` as %2F", "the URL is taken from --database-url"],
        takes: |shop, _| {
            shop.project.env("DATABASE_URL", &shop.db.url);
        },
        then: 0,
    },
    Row {
        case: Case::Unreachable,
        on: &["postgres", "mysql"],
        make: |db| {
            let shop = expanded(db);
            let (scheme, _) = shop.db.url.split_once("://").expect("a URL");
            shop.project
                .env("DATABASE_URL", &format!("{scheme}://me@127.0.0.1:1/shop"));
            shop
        },
        asks: &["status"],
        code: 12,
        says: &[
            "the database cannot be reached",
            "check that the server runs and that host and port are right",
        ],
        takes: |shop, _| {
            shop.project.env("DATABASE_URL", &shop.db.url);
        },
        then: 0,
    },
    Row {
        case: Case::NoDatabase,
        on: &["postgres", "mysql"],
        make: |db| {
            let shop = expanded(db);
            let (server, _) = shop.db.url.rsplit_once('/').expect("a URL");
            shop.project
                .env("DATABASE_URL", &format!("{server}/nobody_has_made_it"));
            shop
        },
        asks: &["status"],
        code: 1,
        says: &[
            "the database does not exist",
            "nobody_has_made_it",
            "create the database first",
        ],
        takes: |shop, _| {
            shop.project.env("DATABASE_URL", &shop.db.url);
        },
        then: 0,
    },
    Row {
        case: Case::NotADatabase,
        on: &["sqlite"],
        make: |db| {
            let shop = expanded(db);
            shop.project
                .file("notes.txt", &"this is no database\n".repeat(100));
            shop.project.env("DATABASE_URL", "sqlite://notes.txt");
            shop
        },
        asks: &["status"],
        code: 1,
        says: &[
            "the file is not an SQLite database",
            "check the path in the database URL; nothing has been changed",
        ],
        takes: |shop, _| {
            shop.project.env("DATABASE_URL", &shop.db.url);
        },
        then: 0,
    },
    Row {
        case: Case::NoTable,
        on: &[],
        make: |db| {
            let shop = declared(db, "");
            shop.name_migration(&APPEND_ONLY.replace("FROM users", "FROM nobody"));
            shop.run(&["expand"], 0);
            shop
        },
        asks: &["backfill"],
        code: 1,
        says: &["nobody"],
        takes: |shop, _| {
            shop.name_declaration(APPEND_ONLY);
        },
        then: 0,
    },
];

scenario!(
    fn an_error_says_what_is_kept_and_what_to_do(db: Db) {
        go_through(&db, ROWS, |_, _, _| ());
    }
);
