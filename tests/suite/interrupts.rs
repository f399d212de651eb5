//! A command that somebody wants to stop: its statement is cancelled at the server, what was done is kept, the lease is given
//! back, and it is said how to go on.

use std::time::{Duration, Instant};

use crate::support::backend::Db;
use crate::support::project::{Output, Process, Signal};
use crate::support::shop::{APPEND_ONLY, BACKFILL, CONTRACT, EXPAND, NAME, REVERT, Shop, said};
use crate::support::wait::{GENEROUS, eventually};

const SIGNALS: [Signal; 3] = [Signal::INT, Signal::TERM, Signal::HUP];

/// No statement goes on for so long after it was cancelled.
const SOON: Duration = Duration::from_secs(15);

/// A value that takes ten minutes to compute, or so.
fn slow(db: &Db) -> &'static str {
    match db.backend.name {
        "postgres" => "(SELECT 1 FROM pg_sleep(600))",
        "mysql" => "SLEEP(600)",
        _ => {
            "(WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 100000000000) SELECT count(*) FROM c)"
        }
    }
}

/// A statement that computes it, and the declaration that it may.
fn slow_table(db: &Db) -> (String, &'static str) {
    let allowed = match db.backend.name {
        "mysql" => {
            "[[expand.allow]]\nstatement = \"CREATE TABLE big AS\"\nreason = \"It is the point.\"\n"
        }
        _ => "",
    };
    let sql = format!("CREATE TABLE big AS SELECT {} AS n;\n", slow(db));
    (sql, allowed)
}

/// How many sessions compute it.
fn at_work(db: &Db) -> Option<String> {
    match db.backend.name {
        "postgres" => Some(db.value(
            "SELECT count(*)::text FROM pg_stat_activity WHERE pid <> pg_backend_pid() \
             AND datname = current_database() AND state = 'active' AND query LIKE '%pg_sleep%'",
        )),
        // The ledger records its text by a statement of its own.
        "mysql" => Some(db.value(
            "SELECT CAST(count(*) AS CHAR) FROM information_schema.processlist \
             WHERE id <> CONNECTION_ID() AND db = DATABASE() AND info LIKE '%SLEEP(600)%' \
             AND info NOT LIKE '%phasegate%'",
        )),
        _ => None,
    }
}

/// How long a process has computed, in hundredths of a second.
fn computed(process: &Process) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", process.pid())).expect("it runs");
    let after_name = stat.rsplit(')').next().expect("a name in brackets");
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    let ticks = |field: usize| fields[field].parse::<u64>().expect("a number");
    ticks(11) + ticks(12)
}

/// Waits until a process has opened this file.
fn wait_until_open(process: &Process, path: &str) {
    let files = format!("/proc/{}/fd", process.pid());
    eventually(GENEROUS, || {
        let open = std::fs::read_dir(&files).ok()?.flatten();
        let mut targets = open.filter_map(|entry| std::fs::read_link(entry.path()).ok());
        targets
            .any(|target| target.as_path() == std::path::Path::new(path))
            .then_some(())
    });
}

/// Waits until a command computes it.
fn wait_for_work(db: &Db, process: &mut Process, point: &str) {
    process.wait_for_line(&format!("passing point {point}"), GENEROUS);
    if at_work(db).is_none() {
        // SQLite shows nobody what it does, but that it computes.
        let before = computed(process);
        eventually(GENEROUS, || (computed(process) > before + 20).then_some(()));
        return;
    }
    eventually(GENEROUS, || (at_work(db)? == "1").then_some(()));
}

/// A shop whose commands tell how far they are.
fn shop(db: Db) -> Shop {
    let shop = Shop::with_name(db);
    shop.project.env("PHASEGATE_SHOW_POINTS", "1");
    shop
}

/// Interrupts a command, and looks that it ends soon, with everything given back.
#[track_caller]
fn interrupt(shop: &Shop, process: Process, signal: Signal) -> Output {
    let began = Instant::now();
    process.signal(signal);
    let output = process.wait().expect_code(130);
    assert!(
        began.elapsed() < SOON,
        "after {:?}: {output:?}",
        began.elapsed()
    );
    assert!(said(&output).contains("interrupted"), "{output:?}");
    if let Some(sessions) = at_work(&shop.db) {
        assert_eq!(sessions, "0", "its statement goes on: {output:?}");
    }
    let coordinator = shop.ledger("coordinator");
    let holder = shop.db.query(&format!("SELECT holder FROM {coordinator}"));
    assert_eq!(holder, [[""]], "the lease was not given back: {output:?}");
    output
}

scenario!(
    fn an_expand_is_cancelled_and_can_be_run_again(db: Db) {
        for signal in SIGNALS {
            let shop = shop(db.copy());
            let (slow, allowed) = slow_table(&shop.db);
            shop.name_declaration(&format!("{APPEND_ONLY}{allowed}"));
            shop.project
                .file("0001_name/expand.sql", &format!("{EXPAND}{slow}"));
            let before = shop.data();
            let mut expand = shop.project.spawn(&["expand"]);
            wait_for_work(&shop.db, &mut expand, "expand.statement");
            let output = interrupt(&shop, expand, signal);
            let next = "`migrate expand 0001_name` goes on";
            assert!(said(&output).contains(next), "{output:?}");
            if shop.db.backend.transactional_ddl {
                assert!(
                    said(&output).contains("nothing of 0001_name was changed"),
                    "{output:?}"
                );
                assert_eq!(shop.data(), before);
                assert_eq!(shop.phase(1), "pending");
            } else {
                assert!(said(&output).contains("this one is not"), "{output:?}");
                assert_eq!(shop.phase(1), "expanding");
            }
            shop.name_declaration(APPEND_ONLY);
            shop.project.file(
                "0001_name/expand.sql",
                &format!("{EXPAND}CREATE TABLE big (n INT);\n"),
            );
            shop.run(&["expand"], 0);
            assert_eq!(shop.phase(1), "expanded");
        }
    }
);

scenario!(
    fn with_json_it_is_an_object(db: Db) {
        let shop = shop(db);
        let (slow, allowed) = slow_table(&shop.db);
        shop.project.migration(
            "0002_slow",
            &[
                (
                    "migration.toml",
                    &format!("description = \"Slow\"\n{allowed}"),
                ),
                ("expand.sql", &slow),
            ],
        );
        let mut expand = shop.project.spawn(&["expand", "--output", "json"]);
        if shop.db.backend.name == "sqlite" {
            eventually(GENEROUS, || (shop.phase(1) == "expanded").then_some(()));
        }
        wait_for_work(&shop.db, &mut expand, "expand.statement");
        let output = interrupt(&shop, expand, Signal::TERM);
        let json = output.json();
        let message = json["error"]["message"].as_str().expect("a message");
        assert!(message.contains("interrupted; "), "{message}");
        let help = json["error"]["help"].as_str().expect("a help");
        assert!(help.contains("migrate expand 0002_slow"), "{help}");
        // What was done before it is not lost.
        assert_eq!(json["results"][0]["migration"], NAME);
        assert_eq!(json["results"][0]["outcome"], "done");
    }
);

scenario!(
    fn a_backfill_keeps_its_batches(db: Db) {
        for signal in SIGNALS {
            let shop = shop(db.copy());
            shop.run(&["expand"], 0);
            let slow = match shop.db.backend.name {
                "mysql" => format!(
                    "CONCAT(full_name, CASE WHEN id = 3 THEN {} ELSE '' END)",
                    slow(&shop.db)
                ),
                _ => format!(
                    "full_name || CASE WHEN id = 3 THEN {} || '' ELSE '' END",
                    slow(&shop.db)
                ),
            };
            shop.project.file(
                "0001_name/backfill.sql",
                &BACKFILL.replace("= full_name", &format!("= {slow}")),
            );
            let mut backfill = shop.project.spawn(&["backfill"]);
            wait_for_work(&shop.db, &mut backfill, "backfill.batch");
            let output = interrupt(&shop, backfill, signal);
            assert!(said(&output).contains("committed is kept"), "{output:?}");
            assert_eq!(shop.phase(1), "backfilling");
            let filled = "SELECT id FROM users WHERE name IS NOT NULL ORDER BY id";
            assert_eq!(shop.db.query(filled), [["1"], ["2"]]);
            shop.project.file("0001_name/backfill.sql", BACKFILL);
            shop.run(&["backfill"], 0);
            assert_eq!(shop.phase(1), "backfilled");
        }
    }
);

scenario!(
    fn a_contract_takes_its_fence_down(db: Db) {
        for signal in SIGNALS {
            let shop = shop(db.copy());
            shop.run(&["expand"], 0);
            shop.run(&["backfill"], 0);
            // Asked once before the fence, where it is quick, and slow behind it.
            shop.project.file(
                "0001_name/contract.sql",
                &format!(
                    "CREATE TABLE big AS SELECT {} AS n;\n{CONTRACT}",
                    slow(&shop.db)
                ),
            );
            let data = shop.data();
            let mut contract = shop.project.spawn(&["contract", NAME]);
            wait_for_work(&shop.db, &mut contract, "contract.statement");
            let output = interrupt(&shop, contract, signal);
            assert!(
                said(&output).contains("0001_name/contract.sql:1: ")
                    || said(&output).contains("old versions may start again"),
                "{output:?}"
            );
            assert_eq!(shop.phase(1), "backfilled", "{output:?}");
            assert_eq!(shop.data(), data);
            shop.run(&["admit", "--service", "web", "--version", "1.1.0"], 0);
        }
    }
);

scenario!(
    fn a_revert_takes_its_fence_down(db: Db) {
        let shop = shop(db);
        shop.run(&["expand"], 0);
        shop.project.file(
            "0001_name/revert.sql",
            &format!(
                "CREATE TABLE big AS SELECT {} AS n;\n{REVERT}",
                slow(&shop.db)
            ),
        );
        let data = shop.data();
        let mut revert = shop.project.spawn(&["revert", "1"]);
        wait_for_work(&shop.db, &mut revert, "revert.statement");
        interrupt(&shop, revert, Signal::TERM);
        assert_eq!(shop.phase(1), "expanded");
        assert_eq!(shop.data(), data);
        shop.project.file("0001_name/revert.sql", REVERT);
        shop.run(&["revert", "1"], 0);
    }
);

scenario!(
    fn a_slow_source_is_not_waited_for(db: Db) {
        let shop = Shop::with_config(
            db,
            "[fleet]\nsources = [{ kind = \"command\", run = [\"sh\", \"list.sh\"], timeout = \"10m\" }]\n[services.web]\nmin_instances = 0\n",
        );
        shop.name_migration(APPEND_ONLY);
        shop.project.file("list.sh", "exit 0\n");
        shop.run(&["expand"], 0);
        shop.run(&["backfill"], 0);
        shop.project.file("list.sh", "echo x >>asked; sleep 600\n");
        for command in [
            &["contract", NAME, "--wait", "10m"][..],
            &["contract", NAME],
            &["gate", "contract", NAME],
            &["status"],
            &["fleet"],
            &["plan", "--to", "web=1.2.0"],
            &["rollout", "--to", "web=1.2.0"],
            &["gate", "deploy", "web=1.2.0", "--output", "json"],
        ] {
            let process = shop.project.spawn(command);
            let asked = shop.project.path().join("asked");
            eventually(GENEROUS, || asked.exists().then_some(()));
            std::fs::remove_file(&asked).expect("it is there");
            let output = interrupt(&shop, process, Signal::TERM);
            if command.contains(&"json") {
                let message = output.json()["error"]["message"].clone();
                assert_eq!(message, "interrupted");
            }
        }
        shop.project.file("list.sh", "exit 0\n");
        assert_eq!(shop.phase(1), "backfilled");
    }
);

scenario!(
    fn a_rollout_that_is_in_a_statement_can_be_resumed(db: Db) {
        let shop = shop(db);
        let (slow, allowed) = slow_table(&shop.db);
        shop.name_declaration(&format!("{APPEND_ONLY}{allowed}"));
        shop.project
            .file("0001_name/expand.sql", &format!("{slow}{EXPAND}"));
        let mut rollout = shop.project.spawn(&["rollout", "--to", "web=1.0.0"]);
        wait_for_work(&shop.db, &mut rollout, "expand.statement");
        let output = interrupt(&shop, rollout, Signal::TERM);
        assert!(
            said(&output).contains("migrate rollout resume"),
            "{output:?}"
        );
        let status = shop.json(&["rollout", "status"], 0);
        let stopped = status["rollout"]["stopped"].as_str().expect("a reason");
        assert!(stopped.contains("interrupted"), "{stopped}");
    }
);

scenario!(
    fn a_wait_for_a_lock_or_for_another_coordinator_ends(db: Db) {
        let shop = shop(db);
        shop.run(&["expand"], 0);
        shop.project.file("0001_name/contract.sql", CONTRACT);
        let (mut reader, begin) = (shop.db.connect(), "BEGIN");
        reader.execute(begin);
        reader.query("SELECT * FROM users");
        if shop.db.backend.name == "sqlite" {
            reader.execute("UPDATE users SET full_name = 'x' WHERE id = 1");
        }
        let mut revert = shop.project.spawn(&["revert", "1"]);
        if shop.db.backend.name == "sqlite" {
            // It waits for the lock on the file before it has taken the lease.
            let path = shop.db.url.strip_prefix("sqlite://").expect("a file");
            wait_until_open(&revert, path);
        } else {
            revert.wait_for_line("passing point revert.statement", GENEROUS);
        }
        let output = interrupt(&shop, revert, Signal::INT);
        assert!(!said(&output).contains("stays up"), "{output:?}");
        reader.execute("ROLLBACK");
        assert_eq!(shop.phase(1), "expanded");
        // One that waits for a coordinator that is alive.
        let coordinator = shop.ledger("coordinator");
        shop.db.execute(&format!(
            "UPDATE {coordinator} SET holder = 'somebody', doing = 'something', expires_at = 99999999999999"
        ));
        let mut second = shop.project.spawn(&["revert", "1", "--wait", "10m"]);
        second.wait_for_line("somebody", GENEROUS);
        second.signal(Signal::TERM);
        let output = second.wait().expect_code(130);
        assert!(said(&output).contains("nothing was changed"), "{output:?}");
    }
);

/// Whoever does not want to wait for the order that is being made ends it at once.
#[test]
fn a_second_signal_ends_it_at_once() {
    let db = Db::on("postgres");
    let shop = shop(db);
    shop.project.file(
        "0001_name/contract.sql",
        &format!("SELECT {};\n{CONTRACT}", slow(&shop.db)),
    );
    shop.run(&["expand"], 0);
    shop.run(&["backfill"], 0);
    let mut contract = shop.project.spawn(&["contract", NAME]);
    wait_for_work(&shop.db, &mut contract, "contract.statement");
    // Lowering the fence has to wait for this.
    let mut blocker = shop.db.connect();
    blocker.execute("BEGIN; LOCK TABLE phasegate.events IN ACCESS EXCLUSIVE MODE");
    contract.signal(Signal::INT);
    eventually(GENEROUS, || (at_work(&shop.db)? == "0").then_some(()));
    contract.wait_for_line("a lock was not granted", GENEROUS);
    let began = Instant::now();
    contract.signal(Signal::INT);
    contract.wait().expect_code(130);
    assert!(began.elapsed() < Duration::from_secs(2));
}

/// The session of a killed command does not keep its locks to the end of the statement.
#[test]
fn a_killed_command_leaves_no_statement_behind() {
    let db = Db::on("postgres");
    let shop = shop(db);
    shop.project.file(
        "0001_name/expand.sql",
        &format!("{EXPAND}{}", slow_table(&shop.db).0),
    );
    let mut expand = shop.project.spawn(&["expand"]);
    wait_for_work(&shop.db, &mut expand, "expand.statement");
    expand.signal(Signal::KILL);
    expand.wait();
    eventually(GENEROUS, || (at_work(&shop.db)? == "0").then_some(()));
}

/// What was started with `nohup` goes on when its terminal is gone.
#[test]
fn an_ignored_signal_is_ignored() {
    let db = Db::on("sqlite");
    let shop = shop(db);
    shop.run(&["expand"], 0);
    shop.run(&["backfill"], 0);
    let _old = shop.instance("1.1.0", "server-7");
    let mut contract = shop.project.spawn_program(
        "sh",
        &[
            "-c",
            "trap '' HUP; exec \"$0\" \"$@\"",
            env!("CARGO_BIN_EXE_migrate"),
            "contract",
            NAME,
            "--wait",
            "10m",
        ],
    );
    contract.wait_for_line("waiting", GENEROUS);
    contract.signal(Signal::HUP);
    // It goes on to renew its lease.
    let until = || {
        shop.db
            .value("SELECT expires_at FROM phasegate_coordinator")
    };
    let before = until();
    eventually(GENEROUS, || (until() != before).then_some(()));
    let before = until();
    eventually(GENEROUS, || (until() != before).then_some(()));
    assert!(!contract.has_ended());
    interrupt(&shop, contract, Signal::TERM);
}

/// Waits until a command waits for what somebody else has locked.
fn wait_until_it_waits(db: &Db, process: &Process) {
    let waiting = match db.backend.name {
        "postgres" => {
            "SELECT count(*)::text FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        }
        "mysql" => {
            "SELECT CAST(count(*) AS CHAR) FROM information_schema.processlist WHERE db = DATABASE() \
             AND id <> CONNECTION_ID() AND info LIKE '%phasegate_admission%'"
        }
        _ => return wait_until_open(process, db.url.trim_start_matches("sqlite://")),
    };
    eventually(GENEROUS, || (db.value(waiting) == "1").then_some(()));
}

scenario!(
    fn an_admission_that_is_interrupted_keeps_no_lease(db: Db) {
        for signal in SIGNALS {
            let shop = Shop::backfilled(db.copy());
            let admission = shop.ledger("admission");
            let mut other = shop.db.connect();
            other.execute(&match shop.db.backend.name {
                "sqlite" => "BEGIN IMMEDIATE".to_owned(),
                _ => format!("BEGIN; UPDATE {admission} SET seq = seq"),
            });
            if shop.db.backend.name == "mysql" {
                other.execute(&format!("SELECT seq FROM {admission} FOR UPDATE"));
            }
            let admit = ["admit", "--service", "web", "--version", "1.2.0"];
            let process = shop.project.spawn(&admit);
            wait_until_it_waits(&shop.db, &process);
            let began = Instant::now();
            process.signal(signal);
            let output = process.wait().expect_code(130);
            assert!(began.elapsed() < SOON, "{output:?}");
            assert!(said(&output).contains("interrupted"), "{output:?}");
            other.execute("ROLLBACK");
            let leases = format!("SELECT count(*) FROM {}", shop.ledger("leases"));
            assert_eq!(shop.db.value(&leases), "0", "{output:?}");
            shop.run(&admit, 0);
        }
    }
);
