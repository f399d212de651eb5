//! What ends a command before it is about a step: the ledger, a rollout, a question that cannot be understood, files.

use phasegate::ask::AskError;
use phasegate::ledger::LedgerError;
use phasegate::rollout::RolloutError;

use super::errors::each_has_its_row;
use super::versions::{backfilled, expanded};
use super::{Elsewhere, Row, Said, asked, go_through};
use crate::support::backend::Db;
use crate::support::shop::{BACKFILL, EXPAND, NAME, Shop};

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
    Newer Damaged Elsewhere Apart Within NotOfHere LedgerLost Missing NoPlace Foreign Superseded
    Driver RolloutInterrupted Open NoneOpen Unreadable
    Files UnknownMigration Unlisted UnknownService TwoGoals Unplaced
}

/// `None` for what is the database's own, which has its row among the errors.
const fn of_the_ledger(error: &LedgerError) -> Option<Case> {
    Some(match error {
        LedgerError::Database(_) => return None,
        LedgerError::Newer { .. } => Case::Newer,
        LedgerError::Damaged(_) => Case::Damaged,
        LedgerError::Elsewhere { .. } => Case::Elsewhere,
        LedgerError::Apart(_) => Case::Apart,
        LedgerError::Within { .. } => Case::Within,
        LedgerError::NotOfHere { .. } => Case::NotOfHere,
        LedgerError::Lost { .. } => Case::LedgerLost,
        LedgerError::Missing(_) => Case::Missing,
        LedgerError::NoPlace { .. } => Case::NoPlace,
        LedgerError::Foreign(_) => Case::Foreign,
        LedgerError::Superseded { .. } => Case::Superseded,
    })
}

/// `None` for what is the coordinator's.
const fn of_a_rollout(error: &RolloutError) -> Option<Case> {
    Some(match error {
        RolloutError::Coordinator(_) => return None,
        RolloutError::Driver { .. } => Case::Driver,
        RolloutError::Interrupted(_) => Case::RolloutInterrupted,
        RolloutError::Open(_) => Case::Open,
        RolloutError::NoneOpen => Case::NoneOpen,
        RolloutError::Unreadable(_) => Case::Unreadable,
    })
}

/// `None` for what is the database's, the ledger's or the coordinator's.
const fn of_a_question(error: &AskError) -> Option<Case> {
    Some(match error {
        AskError::Database(_) | AskError::Ledger(_) | AskError::Coordinator(_) => return None,
        // No command is told so: it reads the project whole, and asks again.
        AskError::Unjudged => return None,
        AskError::Files(_) => Case::Files,
        AskError::UnknownMigration(_) => Case::UnknownMigration,
        AskError::Unlisted { .. } => Case::Unlisted,
        AskError::UnknownService { .. } => Case::UnknownService,
        AskError::TwoGoals { .. } => Case::TwoGoals,
        AskError::Unplaced { .. } => Case::Unplaced,
    })
}

const _: fn(&LedgerError) -> Option<Case> = of_the_ledger;
const _: fn(&RolloutError) -> Option<Case> = of_a_rollout;
const _: fn(&AskError) -> Option<Case> = of_a_question;

/// What has no row in these tables, by the name of its test.
const ELSEWHERE: &[(Case, Elsewhere)] = &[
    (
        Case::Superseded,
        Elsewhere::Taken("fn a_coordinator_that_is_superseded_in_its_transaction_gives_it_up("),
    ),
    (
        Case::Missing,
        Elsewhere::Taken("fn a_lost_ledger_is_no_new_database("),
    ),
    (
        Case::RolloutInterrupted,
        Elsewhere::Taken("fn an_interruption_stops_it_and_its_driver("),
    ),
];

#[test]
fn whatever_ends_a_command_has_its_row() {
    let shown = ROWS.iter().chain(super::ledgers::ROWS);
    let is_shown = |case: &Case| shown.clone().any(|row| row.case == *case);
    each_has_its_row(Case::ALL, is_shown, ELSEWHERE);
}

fn text_of(shop: &Shop, path: &str) -> String {
    std::fs::read_to_string(shop.project.path().join(path)).expect("it is there")
}

/// Puts this in front of migrate.toml.
fn configured(shop: &Shop, lines: &str) {
    let text = text_of(shop, "migrate.toml");
    shop.project.file("migrate.toml", &format!("{lines}{text}"));
}

/// A shop whose instances are replaced by a program, which fails.
fn failing_driver(db: Db) -> Shop {
    let shop = backfilled(db);
    let text = text_of(&shop, "migrate.toml");
    let driver = "[rollout]\ndriver = { kind = \"command\", run = [\"sh\", \"deploy.sh\"] }\ntimeout = \"20s\"\n";
    shop.project
        .file("migrate.toml", &format!("{text}{driver}"));
    shop.project
        .file("deploy.sh", "echo no image >&2; exit 3\n");
    shop.fleet(&[("web", "a", "1.0.0")]);
    shop
}

/// It has an image now.
fn mend_driver(shop: &Shop) {
    let line = "{\"service\":\"web\",\"instance\":\"a\",\"version\":\"1.1.0\"}";
    shop.project
        .file("deploy.sh", &format!("echo '{line}' > fleet.jsonl\n"));
}

const ROLL: &[&str] = &["rollout", "--to", "web=1.1.0"];

/// A migration that adds a table.
fn adding(shop: &Shop, name: &str) {
    let files = [
        (
            "migration.toml",
            "description = \"more\"\n[services.web]\nnew = \">=1.1.0\"\n",
        ),
        (
            "expand.sql",
            "CREATE TABLE more (id INTEGER PRIMARY KEY);\n",
        ),
    ];
    shop.project.migration(name, &files);
}

/// The URL of the shop's database, whose names are looked for in this schema.
fn looking_in(shop: &Shop, schema: &str) -> String {
    let url = &shop.db.url;
    let between = if url.contains('?') { '&' } else { '?' };
    format!("{url}{between}options=-c%20search_path%3D{schema}")
}

pub const ROWS: &[Row<Case>] = &[
    Row {
        case: Case::Newer,
        on: &[],
        make: |db| {
            let shop = expanded(db);
            let meta = shop.ledger("meta");
            shop.db
                .execute(&format!("UPDATE {meta} SET format = 99 WHERE id = 1"));
            shop
        },
        asks: &["status"],
        code: 1,
        says: &[
            "the ledger in this database has format 99",
            "use the version of `migrate` that wrote it, or a newer one",
        ],
        takes: |shop, _| {
            // As that version would find it.
            let meta = shop.ledger("meta");
            shop.db
                .execute(&format!("UPDATE {meta} SET format = 1 WHERE id = 1"));
        },
        then: 0,
    },
    Row {
        case: Case::Damaged,
        on: &[],
        make: |db| {
            let shop = expanded(db);
            let table = shop.ledger("migrations");
            shop.db
                .execute(&format!("UPDATE {table} SET phase = 'odd'"));
            shop
        },
        asks: &["status"],
        code: 1,
        says: &["the ledger is damaged: `odd` is not a phase"],
        takes: |shop, said| {
            let told = said.run(shop, "migrate log --verify", 1).stdout;
            let says = "0001_name is recorded as odd, and the log leaves it expanded";
            assert!(told.contains(says), "{told}");
            let table = shop.ledger("migrations");
            shop.db
                .execute(&format!("UPDATE {table} SET phase = 'expanded'"));
        },
        then: 0,
    },
    Row {
        case: Case::Elsewhere,
        on: &["postgres"],
        make: |db| {
            let shop = expanded(db);
            shop.db.execute("CREATE SCHEMA other");
            shop.project
                .env("DATABASE_URL", &looking_in(&shop, "other"));
            shop
        },
        asks: &["status"],
        code: 12,
        says: &[
            "this ledger is for the schemas `public`",
            "add `?options=-c%20search_path%3D…` with those schemas",
        ],
        takes: |shop, _| {
            shop.project
                .env("DATABASE_URL", &looking_in(shop, "public"));
        },
        then: 0,
    },
    Row {
        case: Case::Driver,
        on: &[],
        make: failing_driver,
        asks: ROLL,
        code: 1,
        says: &[
            "roll web 1.0.0 → 1.1.0 stopped at 100 %",
            "nothing is contracted",
            "`migrate rollout abort` gives it up",
        ],
        takes: |shop, said| {
            said.tells("no image");
            mend_driver(shop);
            said.run(shop, "migrate rollout resume", 0);
        },
        then: 0,
    },
    Row {
        case: Case::Open,
        on: &[],
        make: |db| {
            let shop = failing_driver(db);
            shop.run(ROLL, 1);
            mend_driver(&shop);
            shop
        },
        asks: ROLL,
        code: 11,
        says: &["rollout 1 to web 1.1.0 is open"],
        takes: |shop, said| {
            let shown = said.run(shop, "migrate rollout status", 0).stdout;
            assert!(shown.contains("ended with exit status: 3"), "{shown}");
            said.run(shop, "migrate rollout abort", 0);
        },
        then: 0,
    },
    Row {
        case: Case::NoneOpen,
        on: &[],
        make: |db| {
            let shop = failing_driver(db);
            mend_driver(&shop);
            shop
        },
        asks: &["rollout", "resume"],
        code: 1,
        says: &["no rollout is open"],
        takes: |shop, said| {
            said.run_with(
                shop,
                "migrate rollout --to SERVICE=VERSION",
                ("SERVICE=VERSION", "web=1.1.0"),
                0,
            );
        },
        // There is nothing left to do.
        then: 0,
    },
    Row {
        case: Case::Unreadable,
        on: &[],
        make: |db| {
            let shop = failing_driver(db);
            shop.run(ROLL, 1);
            let steps = shop.ledger("rollout_steps");
            shop.db
                .execute(&format!("UPDATE {steps} SET action = 'odd'"));
            mend_driver(&shop);
            shop
        },
        asks: &["rollout", "resume"],
        code: 1,
        says: &["a step of the rollout cannot be read"],
        takes: |shop, said| {
            said.run(shop, "migrate rollout abort", 0);
            shop.run(ROLL, 0);
        },
        then: 0,
    },
    Row {
        case: Case::Files,
        on: &[],
        make: |db| {
            let shop = expanded(db);
            configured(&shop, "[project\n");
            shop.project.env_remove("DATABASE_URL");
            shop
        },
        asks: &["gate", "contract", "1"],
        code: 1,
        says: &["migrate.toml:1:", "unclosed table"],
        takes: |shop, _| {
            let text = text_of(shop, "migrate.toml");
            let text = text.strip_prefix("[project\n").expect("as it was written");
            shop.project.file("migrate.toml", text);
            shop.project.env("DATABASE_URL", &shop.db.url);
        },
        // Its backfill comes first.
        then: 11,
    },
    Row {
        case: Case::UnknownMigration,
        on: &[],
        make: expanded,
        asks: &["gate", "backfill", "9"],
        code: 2,
        says: &[
            "there is no migration `9`",
            "there is `0001_name`; its number is enough",
        ],
        takes: |shop, _| {
            shop.run(&["gate", "backfill", "1"], 0);
        },
        then: 2,
    },
    Row {
        case: Case::Unlisted,
        on: &[],
        make: |db| {
            let shop = expanded(db);
            configured(&shop, "migrations = \"nowhere\"\n");
            shop
        },
        asks: &["gate", "backfill", "9"],
        code: 12,
        says: &[
            "whether there is a migration `9` is not known",
            "correct `migrations` in migrate.toml",
        ],
        takes: |shop, said| {
            said.run(shop, "migrate check", 1);
            let text = text_of(shop, "migrate.toml");
            let text = text.replace("migrations = \"nowhere\"\n", "");
            shop.project.file("migrate.toml", &text);
        },
        // Now it is known that there is none.
        then: 2,
    },
    Row {
        case: Case::UnknownService,
        on: &["sqlite"],
        make: expanded,
        asks: &["gate", "deploy", "wob=1.0.0"],
        code: 2,
        says: &[
            "the service `wob` is not named in migrate.toml",
            "named there: web",
        ],
        takes: |shop, _| {
            shop.run(&["gate", "deploy", "web=1.0.0"], 0);
        },
        then: 2,
    },
    Row {
        case: Case::TwoGoals,
        on: &["sqlite"],
        make: expanded,
        asks: &["plan", "--to", "web=1.1.0", "--to", "web=1.2.0"],
        code: 2,
        says: &[
            "web cannot end at both 1.1.0 and 1.2.0",
            "releases on the way go into `--via`",
        ],
        takes: |shop, _| {
            shop.run(&["plan", "--to", "web=1.2.0", "--via", "web=1.1.0"], 0);
        },
        then: 2,
    },
    Row {
        case: Case::Unplaced,
        on: &["sqlite"],
        make: expanded,
        asks: &["gate", "deploy", "web=abc"],
        code: 12,
        says: &[
            "`abc` is not a version that can be placed",
            "aliases = { \"abc\" = \"1.2.3\" }",
        ],
        takes: |shop, _| {
            let text = text_of(shop, "migrate.toml");
            let alias = "[services.web]\naliases = { \"abc\" = \"1.0.0\" }";
            let text = text.replace("[services.web]", alias);
            shop.project.file("migrate.toml", &text);
        },
        then: 0,
    },
];

scenario!(
    fn what_ends_a_command_says_what_to_do(db: Db) {
        go_through(&db, ROWS, |_, _, _| ());
    }
);

/// Something that is wrong with the files of a project.
struct Wrong {
    spoil: fn(&Shop),
    /// What `migrate check` says of it.
    says: &'static [&'static str],
    /// Puts it right as it is said.
    mend: fn(&Shop, &Said),
}

const PROBLEMS: &[Wrong] = &[
    Wrong {
        spoil: |shop| {
            let path = shop.project.path().join("migrate.toml");
            std::fs::remove_file(path).expect("it is there");
        },
        says: &["migrate.toml"],
        mend: |shop, said| {
            said.run(shop, "migrate init", 0);
            let text = text_of(shop, "migrate.toml");
            shop.project
                .file("migrate.toml", &format!("{text}[services.worker]\n"));
        },
    },
    Wrong {
        spoil: |shop| adding(shop, "0001_twin"),
        says: &["0001_twin"],
        mend: |shop, said| {
            let command = said.command("migrate renumber");
            let words: Vec<&str> = command.iter().map(String::as_str).collect();
            shop.run(&words, 0);
        },
    },
    Wrong {
        spoil: |shop| {
            shop.run(&["new", "more"], 0);
        },
        says: &["is not filled in yet", "delete the file that is not needed"],
        mend: |shop, _| {
            for file in ["backfill.sql", "contract.sql", "revert.sql"] {
                let path = shop.project.path().join("0002_more").join(file);
                std::fs::remove_file(path).expect("it is there");
            }
            adding(shop, "0002_more");
        },
    },
    Wrong {
        spoil: |shop| configured(shop, "[projekt]\norder = \"strict\"\n"),
        says: &["`projekt`", "`project`"],
        mend: |shop, _| {
            let text = text_of(shop, "migrate.toml");
            shop.project
                .file("migrate.toml", &text.replace("[projekt]", "[project]"));
        },
    },
    Wrong {
        spoil: |shop| {
            let path = shop.project.path().join(NAME).join("backfill.sql");
            std::fs::remove_file(path).expect("it is there");
        },
        says: &["backfill.sql"],
        mend: |shop, _| {
            shop.project.file(format!("{NAME}/backfill.sql"), BACKFILL);
        },
    },
    Wrong {
        spoil: |shop| {
            shop.project.file(
                format!("{NAME}/expand.sql"),
                "ALTER TABLE users DROP COLUMN full_name;\n",
            );
        },
        says: &[
            "live versions may not survive this",
            "move it to contract.sql",
        ],
        mend: |shop, _| {
            shop.project.file(format!("{NAME}/expand.sql"), EXPAND);
        },
    },
];

#[test]
fn what_is_wrong_with_the_files_is_put_right_as_it_is_said() {
    for wrong in PROBLEMS {
        let shop = Shop::with_fleet(
            Db::on("sqlite"),
            "[services.web]\nmin_instances = 0\n[services.worker]\nmin_instances = 0\n",
        );
        (wrong.spoil)(&shop);
        let said = asked(&shop, &["check"], 1);
        for part in wrong.says {
            said.tells(part);
        }
        (wrong.mend)(&shop, &said);
        shop.run(&["check"], 0);
    }
}
