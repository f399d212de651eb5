//! Whatever people, programs and databases hand in is read or refused, in time and without a panic.
//!
//! Each target begins with its corpus in `tests/fuzz/corpus` and goes on with mutations of it: for a second, or for as many
//! as `PHASEGATE_FUZZ_SECONDS` says. A failure shows the input and the seed; `PHASEGATE_SEED` sets it.
//! An input that failed once belongs into the corpus.

use std::fmt::{Debug, Display};
use std::path::Path;
use std::str::FromStr;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use phasegate::model::{Declaration, MigrationId, Phase, Range, RowKinds, Version};
use phasegate::project::Project;
use phasegate::sql::{Dialect, Script};

/// No input of a few thousand bytes may keep anybody waiting longer, on however loaded a machine.
const HANG: Duration = Duration::from_secs(20);
const LONGEST: usize = 8 * 1024;

/// Pieces that mean something to one reader or another.
const PIECES: &[&str] = &[
    "@",
    "://",
    "%2F",
    "?",
    "&",
    "||",
    ", ",
    "<",
    ">=",
    "=",
    "*",
    "-rc.1",
    "-0",
    "+b",
    ".",
    "v",
    "0",
    "18446744073709551616",
    "\"",
    "'",
    "''",
    "$$",
    "$x$",
    ";",
    "--",
    "/*",
    "*/",
    "BEGIN",
    "END",
    "CASE",
    "ATOMIC",
    "\\",
    "\n",
    "\r\n",
    "\t",
    "\0",
    "\u{feff}",
    "ü",
    "١",
    "[",
    "]",
    "{",
    "}",
    "[[",
    "null",
    "true",
    "-1",
    "1e400",
    "\\ud800",
    ":after",
    ":upto",
    "FA",
    "SF",
    "= \"\"",
    "E'",
    "(",
    ")",
    "#",
];

fn corpus(target: &str) -> Vec<String> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fuzz/corpus")
        .join(target);
    let mut files: Vec<_> = std::fs::read_dir(&directory)
        .unwrap_or_else(|error| panic!("{}: {error}", directory.display()))
        .map(|entry| entry.expect("a file of the corpus").path())
        .collect();
    files.sort();
    let read = |path| std::fs::read_to_string(path).expect("the corpus is text");
    let inputs: Vec<String> = files.into_iter().map(read).collect();
    assert!(inputs.len() > 1, "{target} has no corpus");
    inputs
}

fn mutated(corpus: &[String], random: &mut fastrand::Rng) -> String {
    let pick = |random: &mut fastrand::Rng| corpus[random.usize(..corpus.len())].clone();
    let mut text: Vec<char> = pick(random).chars().collect();
    for _ in 0..random.usize(1..6) {
        let at = random.usize(..=text.len());
        let to = (at + random.usize(..=12)).min(text.len());
        match random.u8(..6) {
            0 => drop(text.drain(at..to)),
            1 => {
                let piece: Vec<char> = PIECES[random.usize(..PIECES.len())].chars().collect();
                text.splice(at..at, piece);
            }
            2 => {
                let again = text[at..to].to_vec().repeat(random.usize(1..40));
                text.splice(at..at, again);
            }
            3 => {
                let other: Vec<char> = pick(random).chars().collect();
                let from = random.usize(..=other.len());
                text.splice(at..to, other[from..].to_vec());
            }
            4 if at < text.len() => text[at] = random.char(..),
            _ => text.truncate(at.max(1)),
        }
    }
    text.truncate(LONGEST);
    text.into_iter().collect()
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{variable} is a number")),
    )
}

/// Hands the corpus and its mutations to a reader, each within its time.
fn fuzz(target: &'static str, reader: impl Fn(&str) + Send + 'static) {
    let seed = number("PHASEGATE_SEED").unwrap_or_else(|| fastrand::u64(..));
    let limit = Duration::from_secs(number("PHASEGATE_FUZZ_SECONDS").unwrap_or(1));
    let inputs = corpus(target);
    let (hand_in, taken) = mpsc::channel::<String>();
    let (done, answers) = mpsc::channel();
    let thread = std::thread::spawn(move || {
        for input in taken {
            reader(&input);
            if done.send(()).is_err() {
                return;
            }
        }
    });
    let mut random = fastrand::Rng::with_seed(seed);
    let mut waiting = inputs.clone().into_iter();
    let (mut count, began) = (0_u64, Instant::now());
    loop {
        let input = match waiting.next() {
            Some(input) => input,
            None if began.elapsed() < limit => mutated(&inputs, &mut random),
            None => break,
        };
        let handed = hand_in.send(input.clone());
        let answer = answers.recv_timeout(HANG);
        assert!(
            handed.is_ok() && answer.is_ok(),
            "{target}: {answer:?}, PHASEGATE_SEED={seed}, input {count}: {input:?}"
        );
        count += 1;
    }
    drop(hand_in);
    thread.join().expect("the reader has ended well");
    println!("{target}: {count} inputs, PHASEGATE_SEED={seed}");
    assert!(count >= inputs.len() as u64);
}

/// What is read and printed reads back as the same.
fn round_trip<T: FromStr<Err: Display> + Display + PartialEq + Debug>(text: &str) {
    match text.parse::<T>() {
        Ok(value) => {
            let printed = value.to_string();
            let again = printed.parse::<T>();
            assert!(
                again.as_ref().is_ok_and(|again| *again == value),
                "{text:?} is printed as {printed:?}"
            );
            assert_eq!(again.ok().map(|again| again.to_string()), Some(printed));
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

#[test]
fn versions() {
    fuzz("version", round_trip::<Version>);
}

#[test]
fn ranges() {
    fuzz("range", round_trip::<Range>);
}

#[test]
fn row_kinds_and_names_in_the_ledger() {
    fuzz("kinds", |text| {
        round_trip::<RowKinds>(text);
        round_trip::<MigrationId>(text);
        round_trip::<Phase>(text);
    });
}

#[test]
fn declarations_in_the_ledger() {
    fuzz("declaration", |text| {
        if let Ok(declaration) = serde_json::from_str::<Declaration>(text) {
            let printed = serde_json::to_string(&declaration).expect("it can be written");
            let again: Declaration = serde_json::from_str(&printed).expect("it can be read again");
            assert_eq!(again, declaration);
        }
    });
}

/// A project whose one file is this text.
fn load(name: &'static str) -> impl Fn(&str) + Send + 'static {
    let directory = tempfile::tempdir().expect("a directory");
    move |text| {
        let root = directory.path();
        let file = root.join(name);
        std::fs::create_dir_all(file.parent().expect("a file in a directory"))
            .expect("a directory");
        if name != "migrate.toml" {
            std::fs::write(root.join("migrate.toml"), "[services.web]\n").expect("a file");
        }
        std::fs::write(&file, text).expect("a file");
        if let Err(problems) = Project::load(root, Some("sqlite://shop.db")) {
            assert!(!problems.0.is_empty());
            for problem in &problems.0 {
                assert!(!problem.one_line().is_empty());
            }
        }
    }
}

#[test]
fn migrate_toml() {
    fuzz("config", load("migrate.toml"));
}

#[test]
fn migration_toml() {
    fuzz("manifest", load("0001_a/migration.toml"));
}

#[test]
fn statements_of_both_dialects() {
    fuzz("script", |text| {
        for dialect in Dialect::ALL.iter().copied() {
            match Script::parse(dialect, text) {
                Ok(script) => {
                    for statement in &script.statements {
                        assert_eq!(
                            text.get(statement.span.clone()),
                            Some(statement.text.as_str())
                        );
                    }
                    let in_order = script
                        .statements
                        .windows(2)
                        .all(|two| two[0].span.end <= two[1].span.start);
                    assert!(in_order, "{:?}", script.statements);
                }
                Err(errors) => assert!(!errors.is_empty()),
            }
        }
    });
}

#[test]
fn lines_of_the_command_source() {
    fuzz("list", |text| {
        let now = "2026-01-05T10:00:00Z".parse().expect("a time");
        let read = phasegate::source::read_lines(text, now, |name| name == "web");
        if let Ok(instances) = read {
            assert!(
                instances
                    .iter()
                    .all(|instance| instance.service == "web" && !instance.label.trim().is_empty())
            );
        }
    });
}

#[test]
fn urls_of_databases() {
    fuzz("url", |text| {
        let base = Path::new("/project");
        match phasegate::database::Target::parse(text, base) {
            Ok(target) => {
                // What is shown of it holds no password.
                let shown = target.to_string();
                let password = text
                    .split_once("://")
                    .and_then(|(_, rest)| rest.split(['/', '?', '#']).next()?.rsplit_once('@'))
                    .and_then(|(credentials, _)| Some(credentials.split_once(':')?.1));
                if let Some(password) = password.filter(|password| password.len() > 5)
                    && target.path().is_none()
                    && text.matches(password).count() == 1
                {
                    assert!(!shown.contains(password), "{shown}");
                }
            }
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    });
}

/// The columns of what instances may write, and which of them are texts.
const WRITTEN: &[(&str, &str, &str)] = &[
    (
        "leases",
        "service, version, instance, state, registered_at, renewed_at, renew_ms, expires_at, id",
        "tttnnnnni",
    ),
    (
        "sightings",
        "service, version, placed, first_seen_at, last_seen_at, seq",
        "tttnnn",
    ),
    ("arrivals", "seq, live, strays, at", "nttz"),
    ("looks", "source, service, at", "ttn"),
    ("seen", "source, service, version, instances, at", "tttnn"),
];

/// The statement that writes what a line says: a table, and its columns in their order.
fn written(line: &str, number: usize) -> Option<String> {
    let mut parts = line.split('|');
    let name = parts.next()?;
    let (table, columns, kinds) = WRITTEN.iter().find(|(table, ..)| *table == name)?;
    let values = kinds.chars().map(|kind| match kind {
        't' => format!(
            "'{}'",
            parts.next().unwrap_or_default().replace(['\'', '\0'], "_")
        ),
        'i' => format!("'{number}'"),
        'z' => "0".to_owned(),
        _ => {
            let text = parts.next().unwrap_or_default();
            text.parse::<i64>().unwrap_or_default().to_string()
        }
    });
    let values = values.collect::<Vec<_>>().join(", ");
    Some(format!(
        "INSERT OR IGNORE INTO phasegate_{table} ({columns}) VALUES ({values})"
    ))
}

/// Whatever stands in the rows that instances may write: the ledger is read, and each live lease is somebody.
#[test]
fn rows_that_instances_write() {
    use phasegate::database::{Access, ConnectOptions, Target, connect};
    use phasegate::ledger::{Asker, LeaseRules, Ledger};
    let directory = tempfile::tempdir().expect("a directory");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let target = Target::parse("sqlite://ledger.db", directory.path()).expect("a target");
    let options = ConnectOptions {
        create: true,
        ..ConnectOptions::default()
    };
    let connection = runtime.block_on(async {
        let mut connection = connect(&target, options).await.expect("a database");
        let ledger = Ledger::write(connection.as_mut()).await.expect("a ledger");
        ledger.commit().await.expect("it is kept");
        // As a ledger of before, which refuses nothing, and as whoever switches it off.
        for setting in [
            "PRAGMA ignore_check_constraints = ON",
            "PRAGMA synchronous = OFF",
        ] {
            connection.run(setting).await.expect("a setting");
        }
        connection
    });
    let connection = tokio::sync::Mutex::new(connection);
    fuzz("rows", move |text| {
        let _alive = &directory;
        let statements: Vec<String> = (0..)
            .zip(text.lines().take(40))
            .filter_map(|(number, line)| written(line, number))
            .collect();
        runtime.block_on(async {
            let mut connection = connection.lock().await;
            let connection = connection.as_mut();
            connection
                .begin(Access::Write)
                .await
                .expect("a transaction");
            for (table, ..) in WRITTEN {
                let clear = format!("DELETE FROM phasegate_{table}");
                connection
                    .execute(&clear, &[])
                    .await
                    .expect("it is emptied");
            }
            for statement in &statements {
                connection.execute(statement, &[]).await.expect("a row");
            }
            connection.commit().await.expect("it is kept");
            let rules = LeaseRules::default();
            let read = Ledger::survey(connection, &rules).await;
            let (view, _) = read.expect("it is no damage").expect("a ledger");
            let at_the_door = view.recall(&Asker::Door { sources: &[] });
            let now = view.now;
            let mut ledger = Ledger::write(connection).await.expect("a transaction");
            let live = ledger.known_leases().await.expect("it is no damage");
            ledger.lock_admissions().await.expect("a number");
            ledger.rollback().await.expect("an end");
            let counted: u64 = view.groups.iter().map(|group| group.instances).sum();
            let unended = live.iter().filter(|lease| lease.state.is_some()).count();
            assert_eq!(counted, unended as u64, "at {now}, {at_the_door:?}");
        });
    });
}
