//! The log, and what somebody who may write to the ledger can hide from `migrate log --verify`.

use std::path::Path;

use phasegate::database::{ConnectOptions, Target, connect};
use phasegate::ledger::{Event, LedgerError};

use crate::support::backend::Db;
use crate::support::connection::block_on;
use crate::support::postgres::PrivateServer;
use crate::support::project::Signal;
use crate::support::shop::Shop;
use crate::support::wait::GENEROUS;

/// Three migrations that are expanded.
fn three(db: Db) -> Shop {
    let shop = Shop::with_config(db, "[services.web]\nmin_instances = 0\n");
    add_three(&shop);
    shop
}

fn add_three(shop: &Shop) {
    for (number, column) in [(1, "a"), (2, "b"), (3, "c")] {
        shop.project.migration(
            &format!("{number:04}_{column}"),
            &[
                (
                    "migration.toml",
                    "description = \"Add something\"\n[services.web]\nnew = \">=1.1.0\"\n",
                ),
                (
                    "expand.sql",
                    &format!("ALTER TABLE users ADD COLUMN {column} TEXT;\n"),
                ),
            ],
        );
    }
    shop.run(&["expand"], 0);
}

fn events(db: &Db) -> Vec<Event> {
    let target = Target::parse(&db.url, Path::new("/")).expect("the URL of a test's database");
    let read = block_on(async {
        let mut connection = connect(&target, ConnectOptions::default()).await?;
        let ledger = phasegate::ledger::Ledger::read(connection.as_mut()).await?;
        let mut ledger = ledger.expect("a ledger after a run");
        let events = ledger.events().await?;
        ledger.rollback().await?;
        connection.close().await;
        Ok::<_, LedgerError>(events)
    });
    read.expect("events")
}

/// Writes the log anew from these events, each sealed as it should be, with the ledger's own record of its end.
fn forge(shop: &Shop, events: Vec<Event>) {
    let quoted = |text: &str| format!("'{}'", text.replace('\\', "\\\\").replace('\'', "''"));
    let table = shop.ledger("events");
    shop.db.execute(&format!("DELETE FROM {table}"));
    let mut previous = String::new();
    let mut rows = Vec::new();
    for mut event in events {
        event.previous = previous;
        event.hash = event.seal();
        rows.push(format!(
            "({}, {}, {}, {}, {}, {}, {}, {})",
            event.seq,
            event.at,
            quoted(&event.actor),
            quoted(&event.kind),
            quoted(event.migration.as_deref().unwrap_or_default()),
            quoted(&event.detail),
            quoted(&event.previous),
            quoted(&event.hash),
        ));
        previous = event.hash;
    }
    let count = rows.len();
    shop.db.execute(&format!(
        "INSERT INTO {table} (seq, at, actor, kind, migration, detail, previous, hash) VALUES {}",
        rows.join(", ")
    ));
    shop.db.execute(&format!(
        "UPDATE {} SET events = {count}, head = '{previous}' WHERE id = 1",
        shop.ledger("meta")
    ));
}

/// What `log --verify` says of a ledger that is not as it was.
fn found(shop: &Shop, arguments: &[&str], part: &str) {
    let arguments = [&["log", "--verify"], arguments].concat();
    let told = shop.run(&arguments, 1);
    assert!(told.stdout.contains(part), "{part} in {told:?}");
    let json = shop.json(&arguments, 1);
    assert_eq!(json["whole"], false, "{json}");
    assert!(json["reason"].is_string(), "{json}");
}

scenario!(
    fn the_head_is_printed_and_checked(db: Db) {
        let shop = Shop::with_config(db, "[services.web]\nmin_instances = 0\n");
        assert_eq!(shop.run(&["log", "--head"], 0).stdout, "0:\n");
        add_three(&shop);
        let head = shop.run(&["log", "--head"], 0).stdout;
        let head = head.trim();
        let (count, hash) = head.split_once(':').expect("a number and a hash");
        assert_eq!(count, events(&shop.db).len().to_string());
        assert_eq!(shop.json(&["log", "--head"], 0)["hash"], hash);
        for known in [head, hash, "0:"] {
            let whole = shop.run(&["log", "--verify", "--head", known], 0);
            assert!(whole.stdout.contains(head), "{whole:?}");
        }
        // It says no more than it can show.
        let whole = shop.run(&["log", "--verify"], 0).stdout;
        assert!(
            whole.contains("with a head that was kept elsewhere"),
            "{whole}"
        );
        // The log goes on, and still leads over what was kept.
        shop.project
            .file("0003_c/revert.sql", "ALTER TABLE users DROP COLUMN c;\n");
        shop.run(&["revert", "3"], 0);
        shop.run(&["log", "--verify", "--head", head], 0);
        found(
            &shop,
            &["--head", &format!("1:{hash}")],
            "does not lead over",
        );
        shop.run(&["log", "--verify", "--head", "main"], 2);
        shop.run(&["log", "--head", head], 2);
    }
);

scenario!(
    fn a_log_of_thousands_is_checked_to_its_end(db: Db) {
        let shop = three(db);
        let mut long = events(&shop.db);
        let mut next = long.last().expect("an event").clone();
        next.kind = "steered".to_owned();
        let last = next.seq;
        long.extend((last + 1..=2100).map(|seq| Event {
            seq,
            ..next.clone()
        }));
        forge(&shop, long);
        let sealed = events(&shop.db);
        for known in [1, 1000, 1001, 2100] {
            let head = format!("{known}:{}", sealed[known - 1].hash);
            shop.run(&["log", "--verify", "--head", &head], 0);
        }
        let table = shop.ledger("events");
        shop.db
            .execute(&format!("UPDATE {table} SET at = 1 WHERE seq = 2050"));
        found(&shop, &[], "broken at event 2050");
        shop.db
            .execute(&format!("DELETE FROM {table} WHERE seq = 1001"));
        found(&shop, &[], "broken at event 1001");
    }
);

scenario!(
    fn a_log_that_was_cut_off_is_found(db: Db) {
        let shop = three(db);
        let head = shop.run(&["log", "--head"], 0).stdout;
        let mut whole = events(&shop.db);
        // Without the ledger's own record of its end.
        let last = whole.pop().expect("events");
        shop.db.execute(&format!(
            "DELETE FROM {} WHERE seq = {}",
            shop.ledger("events"),
            last.seq
        ));
        found(&shop, &[], "events are missing at the end");
        // With it, by what is recorded of the migrations.
        whole.retain(|event| event.migration.as_deref() != Some("0003_c"));
        forge(&shop, whole);
        found(
            &shop,
            &[],
            "0003_c is recorded as expanded, and no event tells of it",
        );
        // And with that as well, only by a head that was kept.
        for table in ["migrations", "files", "steps"] {
            let table = shop.ledger(table);
            shop.db
                .execute(&format!("DELETE FROM {table} WHERE number = 3"));
        }
        shop.run(&["log", "--verify"], 0);
        found(
            &shop,
            &["--head", head.trim()],
            "does not lead over the known head",
        );
    }
);

scenario!(
    fn a_log_that_was_written_anew_is_found_by_a_head_that_was_kept(db: Db) {
        let shop = three(db);
        let head = shop.run(&["log", "--head"], 0).stdout;
        let mut forged = events(&shop.db);
        for event in &mut forged {
            event.actor = "innocent@host".into();
        }
        forge(&shop, forged);
        let whole = shop.run(&["log", "--verify"], 0).stdout;
        assert!(whole.contains("not written anew"), "{whole}");
        found(
            &shop,
            &["--head", head.trim()],
            "does not lead over the known head",
        );
    }
);

scenario!(
    fn what_is_recorded_and_no_event_tells_is_found(db: Db) {
        let shop = three(db);
        let of = |table: &str| shop.ledger(table);
        let edits = [
            (
                format!(
                    "UPDATE {} SET phase = 'contracted' WHERE number = 3",
                    of("migrations")
                ),
                "0003_c is recorded as contracted, and the log leaves it expanded",
            ),
            (
                format!(
                    "UPDATE {} SET kinds = 'FF' WHERE number = 3",
                    of("migrations")
                ),
                "the row kinds of 0003_c",
            ),
            (
                format!(
                    "UPDATE {} SET declaration = replace(declaration, '1.1.0', '1.3.0') WHERE number = 3",
                    of("migrations")
                ),
                "the declaration of 0003_c",
            ),
            (
                format!("DELETE FROM {} WHERE number = 2", of("migrations")),
                "the log leaves 0002_b expanded, and nothing is recorded of it any more",
            ),
            (
                format!("DELETE FROM {} WHERE number = 1", of("files")),
                "0001_a/expand.sql, applied in 0001_a, is gone",
            ),
            (
                format!("UPDATE {} SET sha256 = 'x' WHERE number = 1", of("files")),
                "0001_a/expand.sql, applied in 0001_a, was changed",
            ),
            (
                format!("DELETE FROM {} WHERE number = 1", of("steps")),
                "the statements recorded for the expand of 0001_a",
            ),
            (
                format!(
                    "INSERT INTO {} (number, phase, path, sha256, applied_at) VALUES (1, 'contract', 'x.sql', 'x', 0)",
                    of("files")
                ),
                "no event tells of x.sql",
            ),
        ];
        shop.run(&["log", "--verify"], 0);
        let tables = ["migrations", "files", "steps"];
        for table in tables {
            let (from, copy) = (of(table), format!("kept_{table}"));
            shop.db
                .execute(&format!("CREATE TABLE {copy} AS SELECT * FROM {from}"));
        }
        for (edit, part) in edits {
            shop.db.execute(&edit);
            found(&shop, &[], part);
            for table in tables {
                let (to, copy) = (of(table), format!("kept_{table}"));
                shop.db.execute(&format!("DELETE FROM {to}"));
                shop.db
                    .execute(&format!("INSERT INTO {to} SELECT * FROM {copy}"));
            }
            shop.run(&["log", "--verify"], 0);
        }
    }
);

scenario!(
    fn whoever_acts_says_where_the_log_ends(db: Db) {
        let shop = Shop::with_name(db);
        let mut heads = Vec::new();
        let admit = [
            "admit",
            "--service",
            "web",
            "--version",
            "1.1.0",
            "--instance",
            "a",
            "--for",
            "1h",
        ];
        for command in [
            &["expand"][..],
            &["backfill"],
            &["fleet", "forget", "a", "--reason", "gone"],
        ] {
            let acted = shop.run(command, 0);
            let said = acted
                .stderr
                .lines()
                .find_map(|line| line.strip_prefix("log head: "));
            let head = said
                .unwrap_or_else(|| panic!("{command:?}: {acted:?}"))
                .to_owned();
            assert_eq!(head, shop.run(&["log", "--head"], 0).stdout.trim());
            heads.push(head);
            if command[0] == "backfill" {
                shop.run(&admit, 0);
            }
        }
        // What did nothing has nothing to say, and neither has what is told to be quiet.
        for command in [&["expand"][..], &["status"], &["-q", "contract", "1"]] {
            let output = shop.run(command, 0);
            assert!(!output.stderr.contains("log head"), "{output:?}");
        }
        let reverted = shop.json(&["contract", "1"], 0);
        assert!(reverted.get("log_head").is_none(), "{reverted}");
        for head in &heads {
            shop.run(&["log", "--verify", "--head", head], 0);
        }
    }
);

scenario!(
    fn a_result_in_json_holds_the_head(db: Db) {
        let shop = Shop::with_name(db);
        let result = shop.json(&["expand"], 0);
        assert_eq!(
            result["log_head"],
            shop.run(&["log", "--head"], 0).stdout.trim()
        );
    }
);

/// The numbers of the events in a log in JSON.
fn seqs(log: &serde_json::Value) -> Vec<i64> {
    let events = log["events"].as_array().expect("a list");
    let seqs = events.iter().map(|event| event["seq"].as_i64());
    seqs.map(|seq| seq.expect("a number")).collect()
}

scenario!(
    fn only_what_is_asked_for_is_shown(db: Db) {
        let shop = three(db);
        let all = seqs(&shop.json(&["log"], 0));
        let of = |arguments: &[&str]| seqs(&shop.json(&[&["log"], arguments].concat(), 0));
        let second = of(&["--migration", "2"]);
        assert!(!second.is_empty() && second.len() < all.len(), "{second:?}");
        assert_eq!(of(&["--migration", "0002_b"]), second);
        assert_eq!(of(&["--since", "1h"]), all);
        assert_eq!(of(&["--since", "2999-01-01"]), Vec::<i64>::new());
        assert_eq!(of(&["--actor", "nobody@nowhere"]), Vec::<i64>::new());
        let actor = shop.json(&["log", "-n", "1"], 0)["events"][0]["actor"].clone();
        let actor = actor.as_str().expect("a text");
        assert_eq!(of(&["--actor", actor]), all);
        let user = actor.split('@').next().expect("a user");
        assert_eq!(of(&["--actor", user, "-n", "1"]), all[all.len() - 1..]);
        let none = shop.run(&["log", "--since", "2999-01-01"], 0);
        assert!(
            none.stdout.contains("nothing that was asked for"),
            "{none:?}"
        );
        // A person reads one line an event, with what became of it.
        let text = shop.run(&["log", "--migration", "1"], 0).stdout;
        let first = of(&["--migration", "1"]);
        assert_eq!(text.lines().count(), first.len(), "{text}");
        assert!(text.contains("0001_a  pending → expand"), "{text}");
        assert!(text.contains(" → expanded"), "{text}");
        // Of a migration whose files are gone the log still tells; one that nobody knows is a mistake.
        std::fs::remove_dir_all(shop.project.path().join("0003_c")).expect("a directory to remove");
        assert!(!of(&["--migration", "3"]).is_empty());
        shop.run(&["log", "--migration", "9"], 2);
        shop.run(&["log", "--since", "yesterday"], 2);
        shop.run(&["log", "--verify", "--since", "1h"], 2);
    }
);

scenario!(
    fn what_comes_is_shown_as_it_comes(db: Db) {
        let shop = Shop::with_config(db, "[services.web]\nmin_instances = 0\n");
        // Before there is a ledger, and before there is a file.
        let mut text = shop.project.spawn(&["log", "--follow"]);
        let mut json = shop
            .project
            .spawn(&["log", "-f", "--migration", "2", "--output", "json"]);
        add_three(&shop);
        text.wait_for_line("0003_c  pending → expand", GENEROUS);
        json.wait_for_line("0002_b", GENEROUS);
        // One that begins now shows what was there, and goes on.
        let mut late = shop.project.spawn(&["log", "-f", "-n", "1"]);
        late.wait_for_line("0003_c", GENEROUS);
        shop.name_migration(crate::support::shop::APPEND_ONLY);
        let renamed = shop.project.path().join("0004_name");
        std::fs::rename(shop.project.path().join("0001_name"), renamed).expect("a new number");
        shop.run(&["expand"], 0);
        late.wait_for_line("0004_name", GENEROUS);
        for process in [&text, &json, &late] {
            process.signal(Signal::INT);
        }
        let ended = json.wait().expect_code(130);
        let lines: Vec<&str> = ended.stdout.lines().collect();
        for line in lines {
            let event: serde_json::Value = serde_json::from_str(line).expect("an object a line");
            assert_eq!(event["migration"], "0002_b");
        }
        for ended in [text.wait(), late.wait()] {
            let ended = ended.expect_code(130);
            assert!(!ended.stderr.contains("interrupted"), "{ended:?}");
        }
    }
);

/// As in `migrate log --follow | head -1`: it ends with its reader, also while nothing comes.
#[test]
fn following_ends_when_nobody_reads() {
    let shop = three(Db::on("sqlite"));
    let program = env!("CARGO_BIN_EXE_migrate");
    let script = format!("\"{program}\" log --follow | head -1");
    let piped = shop
        .project
        .spawn_program("bash", &["-o", "pipefail", "-c", &script]);
    let ended = piped.wait().expect_code(0);
    assert_eq!(ended.stdout.lines().count(), 1, "{ended:?}");
    assert_eq!(ended.stderr, "");
}

#[test]
fn following_outlives_a_server_that_is_started_again() {
    let server = PrivateServer::start();
    let shop = Shop::with_config(server.create("shop"), "[services.web]\nmin_instances = 0\n");
    let mut log = shop.project.spawn(&["log", "--follow"]);
    let mut status = shop.project.spawn(&["status", "--watch"]);
    status.wait_for_line("database:", GENEROUS);
    server.stop();
    for process in [&mut log, &mut status] {
        process.wait_for_line("waiting: ", GENEROUS);
    }
    server.start_again();
    for process in [&mut log, &mut status] {
        process.wait_for_line("the database answers again", GENEROUS);
    }
    add_three(&shop);
    log.wait_for_line("0003_c", GENEROUS);
    status.wait_for_line("0003_c", GENEROUS);
    for process in [log, status] {
        process.signal(Signal::TERM);
        process.wait().expect_code(130);
    }
}

scenario!(
    fn what_is_asked_for_is_found_in_a_log_of_thousands(db: Db) {
        let shop = three(db);
        let rows: Vec<String> = (101..=2700)
            .map(|seq| {
                let (actor, migration) = match seq {
                    700 => ("ann@ci_7", "0020_old"),
                    _ => ("bob@ci-7", "0002_b"),
                };
                format!("({seq}, {seq}000, '{actor}', 'steered', '{migration}', '{{}}', '', '')")
            })
            .collect();
        shop.db.execute(&format!(
            "INSERT INTO {} (seq, at, actor, kind, migration, detail, previous, hash) VALUES {}",
            shop.ledger("events"),
            rows.join(", ")
        ));
        let found = |arguments: &[&str]| -> Vec<i64> {
            let json = shop.json(&[&["log"], arguments].concat(), 0);
            let events = json["events"].as_array().expect("a list");
            let numbers = events.iter().map(|event| event["seq"].as_i64());
            numbers.map(|seq| seq.expect("a number")).collect()
        };
        let all = found(&[]);
        assert!(all.is_sorted() && all.len() >= 2603, "{}", all.len());
        assert_eq!(found(&["--actor", "ann"]), [700]);
        // A name is no pattern.
        assert_eq!(found(&["--actor", "ci_7"]), [700]);
        assert_eq!(found(&["--migration", "020"]), [700]);
        assert_eq!(found(&["--migration", "0020_old", "-n", "5"]), [700]);
        assert_eq!(found(&["-n", "2"]), [2699, 2700]);
        assert_eq!(found(&["--migration", "1", "-n", "9999"])[0], 1);
        assert!(found(&["--migration", "2"]).len() >= 2600);
    }
);
