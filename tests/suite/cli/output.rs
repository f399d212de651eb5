//! Standard output or standard error that cannot be written. An answer that did not arrive is not a yes, and what was begun
//! comes to its end.

use std::process::{Command, Stdio};

use crate::support::backend::Db;
use crate::support::project::{Output, Project};
use crate::support::shop::{NAME, Shop, said};

/// The exit code of a command whose result could not be written.
const UNWRITTEN: i32 = 74;

/// Runs `migrate` with one of its streams on a disk that is full.
#[track_caller]
fn onto_a_full_disk(shop: &Shop, stream: u8, arguments: &[&str]) -> Output {
    let redirected = format!("exec \"$0\" \"$@\" {stream}>/dev/full");
    let program = env!("CARGO_BIN_EXE_migrate");
    let arguments = [&["-c", &redirected, program], arguments].concat();
    shop.project.spawn_program("sh", &arguments).wait()
}

/// The exit code of `migrate` whose standard output nobody reads.
#[track_caller]
fn into_a_closed_pipe(shop: &Shop, arguments: &[&str]) -> (Option<i32>, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_migrate"))
        .args(arguments)
        .current_dir(shop.project.path())
        .env("DATABASE_URL", &shop.db.url)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("migrate starts");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code(), said)
}

fn nobody_is_at_work(shop: &Shop) {
    let holder = shop.db.query(&format!(
        "SELECT holder FROM {}",
        shop.ledger("coordinator")
    ));
    assert_eq!(holder, [[""]], "the lease was not given back");
}

scenario!(
    fn a_command_that_acts_comes_to_its_end_on_a_full_disk(db: Db) {
        let shop = Shop::with_name(db);
        for (number, name) in [(2, "0002_more"), (3, "0003_most")] {
            shop.project.migration(
                name,
                &[
                    ("migration.toml", "description = \"More\"\n"),
                    ("expand.sql", &format!("CREATE TABLE t{number} (id INT);\n")),
                    ("revert.sql", &format!("DROP TABLE t{number};\n")),
                ],
            );
        }
        for (command, number, phase) in [
            (&["expand"][..], 3, "expanded"),
            (&["backfill"], 1, "backfilled"),
            (&["revert", "3"], 3, "pending"),
            (&["contract", NAME, "--output", "json"], 1, "contracted"),
            (
                &["rollout", "--to", "web=1.2.0", "--timeout", "1s"],
                3,
                "expanded",
            ),
        ] {
            let ended = onto_a_full_disk(&shop, 1, command);
            assert_eq!(ended.code, UNWRITTEN, "{command:?}: {ended:?}");
            let said = said(&ended);
            assert!(said.contains("standard output cannot be written"), "{said}");
            assert_eq!(shop.phase(number), phase, "{command:?}");
            nobody_is_at_work(&shop);
        }
        let admit = ["admit", "--service", "web", "--version", "1.2.0"];
        assert_eq!(onto_a_full_disk(&shop, 1, &admit).code, UNWRITTEN);
    }
);

scenario!(
    fn an_answer_that_cannot_be_written_is_not_a_yes(db: Db) {
        let shop = Shop::backfilled(db);
        let _old = shop.instance("1.1.0", "server-7");
        for command in [
            &["check"][..],
            &["status"],
            &["fleet"],
            &["log"],
            &["log", "--verify"],
            &["plan"],
            &["plan", "--from", "web=1.1.0", "--to", "web=1.2.0"],
            &["gate", "deploy", "web=1.2.0"],
            &["gate", "contract", NAME],
            &["gate", "deploy", "web=1.0.0"],
            &["contract", "--dry-run"],
            &["backfill", "--dry-run"],
            &["contract"],
            &["rollout", "status"],
            &["rollout", "resume"],
            &["resolve", NAME, "--step", "1", "--applied"],
            &["completions", "bash"],
            &["--help"],
            &["gate", "--help"],
            &["--version"],
            &["nonsense"],
            &["gate", "deploy", "nobody=1.0.0"],
            &["admit", "--service", "web", "--version", "1.0.0"],
        ] {
            for json in [&[][..], &["--output", "json"]] {
                let command = [command, json].concat();
                let read = shop.project.migrate(&command).code;
                let unread = onto_a_full_disk(&shop, 1, &command);
                let expected = if read == 0 { UNWRITTEN } else { read };
                assert_eq!(unread.code, expected, "{command:?}: {unread:?}");
            }
        }
    }
);

scenario!(
    fn nobody_reads_what_a_command_says(db: Db) {
        let shop = Shop::with_name(db);
        // Whoever only looks has seen enough.
        for command in [
            &["status"][..],
            &["fleet"],
            &["gate", "expand", NAME],
            &["check"],
        ] {
            let (code, said) = into_a_closed_pipe(&shop, command);
            assert_eq!(code, Some(0), "{command:?}: {said}");
            assert_eq!(said, "", "{command:?}");
        }
        let (code, said) = into_a_closed_pipe(&shop, &["gate", "contract", NAME]);
        assert_eq!(code, Some(11), "{said}");
        // What changes something is told apart.
        let (code, said) = into_a_closed_pipe(&shop, &["expand"]);
        assert_eq!(code, Some(UNWRITTEN), "{said}");
        assert!(said.contains("was done all the same"), "{said}");
        assert_eq!(shop.phase(1), "expanded");
        nobody_is_at_work(&shop);
    }
);

scenario!(
    fn standard_error_that_cannot_be_written_changes_nothing(db: Db) {
        let shop = Shop::with_name(db);
        for (command, code) in [
            (&["-vv", "expand"][..], 0),
            (&["-vv", "backfill"], 0),
            (&["gate", "contract", "9"], 2),
            (&["-vv", "status"], 0),
            (&["nonsense"], 2),
            (&["contract"], 0),
        ] {
            let ended = onto_a_full_disk(&shop, 2, command);
            assert_eq!(ended.code, code, "{command:?}: {ended:?}");
        }
        assert_eq!(shop.phase(1), "contracted");
        nobody_is_at_work(&shop);
    }
);

/// With `-q` the exit code says that it went well; an answer to a question is told all the same.
#[test]
fn what_went_well_is_not_said_to_who_wants_quiet() {
    let shop = Shop::with_name(Db::on("sqlite"));
    let quietly = |words: &[&str], code: i32| {
        let output = shop.run(&[words, &["-q"]].concat(), code);
        assert_eq!(output.stderr, "", "{words:?}");
        output.stdout
    };
    for words in [
        &["status"] as &[&str],
        &["fleet"],
        &["plan", "--to", "web=1.1.0"],
        &["gate", "expand", "1"],
    ] {
        assert_ne!(quietly(words, 0), "", "{words:?}");
    }
    for words in [
        &["check"] as &[&str],
        &["generate"],
        &["expand"],
        &["expand"],
        &["backfill"],
        &["backfill"],
        &["revert", "1"],
        &["expand"],
        &["backfill"],
        &["repair", "1", "--reason", "nothing"],
        &["admit", "--service", "web", "--version", "1.2.0"],
        &["fleet", "forget", "--all-lost", "--reason", "none is"],
        &["contract"],
        &["contract"],
        &["new", "more"],
        &["renumber", "2", "--to", "3"],
    ] {
        assert_eq!(quietly(words, 0), "", "{words:?}");
    }
    let elsewhere = Project::without_database(&[]);
    std::fs::remove_file(elsewhere.path().join("migrate.toml")).expect("it was just written");
    assert_eq!(elsewhere.migrate(&["init", "-q"]).expect_code(0).stdout, "");
}
