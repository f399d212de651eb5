//! Where everything is applied as it stands, the files are read only for what they declare: the answers are those of whoever
//! reads them whole, and wherever something is not so, everything is read.

use std::fs;
use std::path::Path;

use phasegate::ask::{Answer, AskError, Question, Record, Wanted, ask};
use phasegate::coordinator::{Coordinator, CoordinatorError, Options, Purpose};
use phasegate::database::Target;
use phasegate::interrupt::Interrupt;
use phasegate::model::Step;
use phasegate::project::{Depth, Project as Files, Seen};
use serde_json::Value;

use crate::support::applied::{record, write_migrations};
use crate::support::backend::Db;
use crate::support::connection::block_on;
use crate::support::project::Project;

/// As many as it takes before anybody reads less.
const COUNT: usize = 66;

/// What is changed in a project that is applied, and how far its files have to be read then.
type Case = (&'static str, fn(&Project), Depth);

const CASES: &[Case] = &[
    (
        "a revert beside what is applied",
        |project| write(project, "0005_change/revert.sql", "DROP TABLE t5;\n"),
        Depth::Declared,
    ),
    (
        "a revert that would be refused",
        |project| write(project, "0005_change/revert.sql", "DROP TABLE others;\n"),
        Depth::Declared,
    ),
    (
        "another description",
        |project| {
            edit(
                project,
                "0008_change/migration.toml",
                "Change 8",
                "Change eight",
            )
        },
        Depth::Declared,
    ),
    (
        "an expand that was edited",
        |project| edit(project, "0005_change/expand.sql", "TEXT", "INTEGER"),
        Depth::Whole,
    ),
    (
        "a contract that was edited",
        |project| edit(project, "0006_change/contract.sql", "t6", "t60"),
        Depth::Whole,
    ),
    (
        "other versions",
        |project| edit(project, "0006_change/migration.toml", "<0.6.0", "<0.7.0"),
        Depth::Whole,
    ),
    (
        "a script that is gone",
        |project| remove(project, "0006_change/contract.sql"),
        Depth::Whole,
    ),
    (
        "a script that cannot be read",
        |project| {
            remove(project, "0006_change/contract.sql");
            write(project, "0006_change/contract.sql/inside", "");
        },
        Depth::Whole,
    ),
    (
        "a contract that was written later",
        |project| write(project, "0005_change/contract.sql", "DROP TABLE t5;\n"),
        Depth::Whole,
    ),
    (
        "a migration that is pending",
        |project| {
            write(
                project,
                "0067_more/migration.toml",
                "description = \"More\"\n",
            );
            write(
                project,
                "0067_more/expand.sql",
                "CREATE TABLE more (id INTEGER PRIMARY KEY);\n",
            );
        },
        Depth::Whole,
    ),
    (
        "a pending migration that would be refused",
        |project| {
            write(
                project,
                "0067_more/migration.toml",
                "description = \"More\"\n",
            );
            write(project, "0067_more/expand.sql", "DROP TABLE t5;\n");
        },
        Depth::Whole,
    ),
    (
        "another name",
        |project| rename(project, "0005_change", "0005_other"),
        Depth::Whole,
    ),
    (
        "a number twice",
        |project| {
            write(
                project,
                "0005_other/migration.toml",
                "description = \"Other\"\n",
            );
            write(
                project,
                "0005_other/expand.sql",
                "CREATE TABLE other (id INTEGER PRIMARY KEY);\n",
            );
        },
        Depth::Whole,
    ),
    (
        "an unknown key",
        |project| {
            edit(
                project,
                "0008_change/migration.toml",
                "description",
                "describes",
            )
        },
        Depth::Whole,
    ),
];

/// What is changed in the ledger of a project that is applied, and what puts it back.
const RECORDED: &[(&str, &str, &str, &str)] = &[
    (
        "a step that is under way",
        "migrations",
        "SET phase = 'expanding' WHERE number = 5",
        "SET phase = 'expanded' WHERE number = 5",
    ),
    (
        "a fence that is up",
        "migrations",
        "SET phase = 'contracting' WHERE number = 6",
        "SET phase = 'contracted' WHERE number = 6",
    ),
    (
        "formats that are kept in step",
        "migrations",
        "SET phase = 'expanded' WHERE number = 6",
        "SET phase = 'contracted' WHERE number = 6",
    ),
    (
        "a ledger that does not know a script",
        "files",
        "SET number = 1005 WHERE number = 5",
        "SET number = 5 WHERE number = 1005",
    ),
    (
        "a ledger that knows another text",
        "files",
        "SET sha256 = '0' || sha256 WHERE number = 5",
        "SET sha256 = substr(sha256, 2) WHERE number = 5",
    ),
];

scenario!(
    fn an_answer_by_declarations_is_the_answer_by_the_whole(db: Db) {
        let project = applied(&db);
        record(&project, &db);
        compare(&project, &db, ("nothing", Depth::Declared));
        for (name, change, wanted) in CASES {
            let project = applied(&db);
            change(&project);
            compare(&project, &db, (name, *wanted));
        }
        let mut session = db.connect();
        for (name, table, change, back) in RECORDED {
            // `||` is something else there.
            let change = match db.backend.name {
                "mysql" => change.replace("'0' || sha256", "concat('0', sha256)"),
                _ => (*change).to_owned(),
            };
            let mut update = |change: &str| {
                session.execute(&format!("UPDATE {} {change}", db.ledger(table)));
            };
            update(&change);
            compare(&project, &db, (name, Depth::Whole));
            update(back);
        }
        compare(&project, &db, ("all put back", Depth::Declared));
        project.migrate(&["expand"]).expect_code(0);
    }
);

/// A project whose migrations are those that the ledger gets.
fn applied(db: &Db) -> Project {
    let project = Project::new(db, &[]);
    write_migrations(&project, COUNT);
    project
}

/// Asks by what the files declare, and by all that they say.
fn compare(project: &Project, db: &Db, (name, wanted): (&str, Depth)) {
    let read = || {
        let whole = Files::load_as_far_as_possible(&project.path(), Some(&db.url));
        (whole, Files::declared(&project.path(), Some(&db.url)))
    };
    let (whole, declared) = read();
    let record = Record::Nothing;
    for question in [
        Question::Status { record },
        Question::Fleet { record },
        deploy("0.5.0"),
        deploy("0.66.0"),
    ] {
        let by_declarations = declared
            .as_ref()
            .map(|declared| answer(declared, db, &question));
        match by_declarations {
            Some(Ok(by_declarations)) => {
                assert_eq!(wanted, Depth::Declared, "{name}: {question:?}");
                let whole = answer(&whole, db, &question).expect("an answer");
                let (short, long) = (by_declarations.to_json(), whole.to_json());
                assert_eq!(without_times(short), without_times(long), "{name}");
            }
            None | Some(Err(AskError::Unjudged)) => {
                assert_eq!(wanted, Depth::Whole, "{name}: {question:?}");
            }
            Some(Err(error)) => panic!("{name}: {question:?}: {error}"),
        }
    }
}

scenario!(
    fn no_step_is_taken_by_declarations(db: Db) {
        let project = applied(&db);
        record(&project, &db);
        let declared = Files::declared(&project.path(), Some(&db.url)).expect("a good project");
        let target = target(&db);
        let started = block_on(Coordinator::start(Options {
            project: &declared,
            target: &target,
            purpose: Purpose::Act,
            doing: "try".to_owned(),
            accept_unknown: Some("a test"),
            wait: None,
            pace: None,
            report: &|_| {},
            lists: None,
            interrupt: Interrupt::default(),
        }));
        assert!(matches!(started, Err(CoordinatorError::Unjudged)));
    }
);

scenario!(
    fn a_command_that_has_nothing_to_do_reads_no_sql(db: Db) {
        let project = applied(&db);
        record(&project, &db);
        // No rule lets this pass, and the ledger has it as it is.
        let refused = "DROP TABLE others;\n";
        project.file("0005_change/expand.sql", refused);
        let digest = Files::load_as_far_as_possible(&project.path(), Some(&db.url));
        let id = "0005_change".parse().expect("a name");
        let files = digest
            .as_read(&id)
            .expect("its files")
            .files(target(&db).dialect());
        let Some(Seen::Read { sha256, .. }) = files.seen.get(&Step::Expand) else {
            panic!("{files:?}");
        };
        let sql = format!(
            "UPDATE {} SET sha256 = '{sha256}' WHERE number = 5",
            db.ledger("files")
        );
        assert_eq!(db.connect().execute(&sql), 1);
        for arguments in [
            &["status"][..],
            &["expand"],
            &["gate", "deploy", "web=0.66.0"],
        ] {
            let output = project.migrate(arguments);
            assert!(!output.stderr.contains("0005_change"), "{}", output.stderr);
        }
        let output = project.migrate(&["expand"]).expect_code(0);
        assert_eq!(output.stdout, "nothing to expand\n");
        // Whoever judges the files says so, and a step that is left is judged with all of them.
        let output = project.migrate(&["check"]).expect_code(1);
        assert!(
            output.stderr.contains("0005_change/expand.sql"),
            "{}",
            output.stderr
        );
        project.migration(
            "0067_more",
            &[
                ("migration.toml", "description = \"More\"\n"),
                ("expand.sql", refused),
            ],
        );
        let output = project.migrate(&["expand"]);
        assert!(
            output.stderr.contains("0067_more/expand.sql"),
            "{}",
            output.stderr
        );
        assert_ne!(output.code, 0);
    }
);

fn deploy(version: &str) -> Question {
    Question::Deploy {
        versions: vec![Wanted {
            service: "web".to_owned(),
            label: version.to_owned(),
        }],
        record: Record::Nothing,
    }
}

fn answer(project: &Files, db: &Db, question: &Question) -> Result<Answer, AskError> {
    block_on(ask(project, &target(db), question, Interrupt::default()))
}

fn target(db: &Db) -> Target {
    Target::parse(&db.url, Path::new("/")).expect("the URL of a test's database")
}

/// What an answer says, without when it was given and how old the evidence is.
fn without_times(mut json: Value) -> Value {
    json["checked_at"] = Value::Null;
    for list in ["sources", "fleet"] {
        for row in json[list].as_array_mut().into_iter().flatten() {
            for field in ["age_ms", "seen_at"] {
                row[field] = Value::Null;
            }
        }
    }
    json
}

fn write(project: &Project, path: &str, text: &str) {
    project.file(path, text);
}

fn remove(project: &Project, path: &str) {
    fs::remove_file(project.path().join(path)).expect("a file that is there");
}

fn rename(project: &Project, from: &str, to: &str) {
    let dir = project.path();
    fs::rename(dir.join(from), dir.join(to)).expect("a directory that is there");
}

fn edit(project: &Project, path: &str, from: &str, to: &str) {
    let text = fs::read_to_string(project.path().join(path)).expect("a file that is there");
    assert!(text.contains(from), "{path}: {text}");
    project.file(path, &text.replace(from, to));
}
