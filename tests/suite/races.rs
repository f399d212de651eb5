//! Two coordinators at once, and one that was taken for dead and wakes up.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use phasegate::database::Target;
use phasegate::lease::{Admission, AdmissionRequest, admit};
use phasegate::model::InstanceState;

use crate::support::backend::{Db, Ledger};
use crate::support::connection::block_on;
use crate::support::mysql::is_mariadb;
use crate::support::project::{Process, Signal};
use crate::support::shop::{NAME, Shop, said};
use crate::support::wait::{GENEROUS, eventually, jitter};

/// A backfilled shop whose coordinators are given up soon.
fn shop(db: Db) -> Shop {
    let shop = Shop::backfilled(db);
    let path = shop.project.path().join("migrate.toml");
    let config = std::fs::read_to_string(&path).expect("the shop has a configuration");
    assert!(!config.contains("[fleet]"), "{config}");
    shop.project.file(
        "migrate.toml",
        &format!("{config}\n[fleet]\ncoordinator_lease = \"1s\"\n"),
    );
    shop
}

/// How often the contract was recorded as done.
fn contracts(shop: &Shop) -> usize {
    let log = shop.json(&["log"], 0);
    let events = log["events"].as_array().expect("a list of events");
    events
        .iter()
        .filter(|event| event["detail"]["to"] == "contracted")
        .count()
}

/// A contract that waits for the instance to go.
fn waiting(shop: &Shop) -> Process {
    let mut contract = shop.project.spawn(&["contract", NAME, "--wait", "60s"]);
    contract.wait_for_line("waiting (hold)", GENEROUS);
    contract
}

/// A contract that stands still with its fence up.
fn behind_its_fence(shop: &Shop) -> Process {
    shop.project.env("PHASEGATE_PAUSE_AT", "contract.fenced");
    let mut contract = shop.project.spawn(&["contract", NAME]);
    contract.wait_for_line("pause at point", GENEROUS);
    shop.project.env_remove("PHASEGATE_PAUSE_AT");
    contract
}

scenario!(
    fn of_two_contracts_one_works_and_the_other_waits_or_says_who_does(db: Db) {
        let shop = shop(db);
        let old = shop.instance("1.1.0", "server-7");
        let first = waiting(&shop);
        let told = shop.run(&["contract", NAME], 10);
        let said = format!("{}{}", told.stdout, told.stderr);
        assert!(said.contains("is at work"), "{said}");
        assert!(said.contains(&format!("process {}", first.pid())), "{said}");
        let second = shop.project.spawn(&["contract", NAME, "--wait", "60s"]);
        old.signal(Signal::TERM);
        old.wait();
        for contract in [first, second] {
            contract.wait().expect_code(0);
        }
        assert_eq!(contracts(&shop), 1);
        assert_eq!(shop.phase(1), "contracted");
        shop.run(&["log", "--verify"], 0);
    }
);

scenario!(
    fn a_coordinator_that_was_taken_for_dead_changes_nothing_more(db: Db) {
        let shop = shop(db);
        let paused = behind_its_fence(&shop);
        // Its lease ends after a second, and the next one resumes from the ledger.
        shop.run(&["contract", NAME], 0);
        let after = shop.db.dump(Ledger::Included);
        paused.signal(Signal::CONT);
        let woken = paused.wait();
        assert_eq!(woken.code, 1, "{}{}", woken.stdout, woken.stderr);
        assert!(woken.stderr.contains("meanwhile"), "{}", woken.stderr);
        assert_eq!(shop.db.dump(Ledger::Included), after);
        assert_eq!(contracts(&shop), 1);
    }
);

scenario!(
    fn a_killed_contract_leaves_a_fence_that_the_next_one_finishes_or_lowers(db: Db) {
        let shop = shop(db);
        let killed = behind_its_fence(&shop);
        killed.signal(Signal::KILL);
        killed.wait();
        assert_eq!(shop.phase(1), "contracting");
        let refused = shop.run(&["admit", "--service", "web", "--version", "1.1.0"], 11);
        assert!(refused.stdout.contains("is being removed"), "{refused:?}");
        // Something else blocks by now: it takes the fence down again.
        shop.db
            .execute("INSERT INTO users (full_name) VALUES ('Zoe')");
        shop.run(&["contract", NAME], 11);
        assert_eq!(shop.phase(1), "backfilled");
        shop.run(&["gate", "deploy", "web=1.1.0"], 0);
        shop.db.execute("UPDATE users SET name = full_name");
        eventually(GENEROUS, || {
            (shop.project.migrate(&["contract", NAME]).code == 0).then_some(())
        });
        assert_eq!(contracts(&shop), 1);
    }
);

#[test]
fn a_coordinator_that_is_superseded_in_its_transaction_gives_it_up() {
    let shop = shop(Db::on("postgres"));
    let token = || {
        let table = shop.db.ledger("coordinator");
        shop.db.value(&format!("SELECT token FROM {table}"))
    };
    shop.project.env("PHASEGATE_PAUSE_AT", "contract.recording");
    let mut paused = shop.project.spawn(&["contract", NAME]);
    paused.wait_for_line("pause at point", GENEROUS);
    shop.project.env_remove("PHASEGATE_PAUSE_AT");
    let first = token();
    // It takes over after a second, and meets the locks of the open transaction.
    let mut second = shop.project.spawn(&["contract", NAME]);
    second.wait_for_line("a lock was not granted", GENEROUS);
    assert_ne!(token(), first);
    paused.signal(Signal::CONT);
    let woken = paused.wait();
    assert_eq!(woken.code, 1, "{}{}", woken.stdout, woken.stderr);
    assert!(
        woken.stderr.contains("another coordinator has taken over"),
        "{}",
        woken.stderr
    );
    second.wait().expect_code(0);
    assert_eq!(contracts(&shop), 1);
    assert_eq!(shop.phase(1), "contracted");
    shop.run(&["log", "--verify"], 0);
    // As it was said to the first one.
    let told = "see what it does with `migrate log`, then run the command again";
    assert!(said(&woken).contains(told), "{}", woken.stderr);
    let log = shop.run(&["log"], 0).stdout;
    assert!(log.contains("contracted"), "{log}");
    let again = shop.run(&["contract", NAME], 0).stdout;
    assert!(again.contains("nothing to contract"), "{again}");
}

/// Its machine is gone, as far as the server can tell: the session stays, and with it what the transaction has locked.
fn stands_still_in_a_transaction(backend: &str, point: &str) {
    /// Longer than the server keeps such a session.
    const PATIENT: Duration = Duration::from_secs(150);
    let shop = shop(Db::on(backend));
    // A minute otherwise, as it still is on MariaDB. Long enough for the second one to take over and meet the lock before that.
    shop.project.env("PHASEGATE_IDLE_IN_TRANSACTION", "10");
    shop.project.env("PHASEGATE_PAUSE_AT", point);
    let mut paused = shop.project.spawn(&["contract", NAME]);
    paused.wait_for_line("pause at point", GENEROUS);
    shop.project.env_remove("PHASEGATE_PAUSE_AT");
    let mut second = shop.project.spawn(&["contract", NAME]);
    second.wait_for_line("held by session", GENEROUS);
    if backend == "mysql" && !is_mariadb(&shop.db) {
        // It ends no such session by itself.
        paused.signal(Signal::KILL);
    }
    eventually(PATIENT, || second.has_ended().then_some(()));
    second.wait().expect_code(0);
    // It may pass a point of this name again.
    eventually(GENEROUS, || {
        paused.signal_if_running(Signal::CONT);
        paused.has_ended().then_some(())
    });
    let woken = paused.wait();
    assert_ne!(woken.code, 0, "{}{}", woken.stdout, woken.stderr);
    assert_eq!(contracts(&shop), 1);
    assert_eq!(shop.phase(1), "contracted");
    shop.run(&["log", "--verify"], 0);
}

/// The first commit is that of the coordinator's own lease.
#[test]
fn a_transaction_that_stands_still_is_named_and_ended_on_postgres() {
    stands_still_in_a_transaction("postgres", "ledger.commit");
}

#[test]
fn a_transaction_that_stands_still_is_named_and_ended_on_mysql() {
    stands_still_in_a_transaction("mysql", "ledger.commit");
}

/// What `remaining` looks at is locked, and the ledger is not.
#[test]
fn a_table_that_stays_locked_is_named_to_a_contract() {
    stands_still_in_a_transaction("postgres", "contract.recording");
}

/// Nobody ends it: whoever waits is told who it is, and how to end it. Of the two rows one is needed to begin, and the
/// other to raise the fence.
#[test]
fn a_ledger_that_stays_locked_is_given_up() {
    for (backend, row) in [
        ("postgres", "coordinator"),
        ("postgres", "admission"),
        ("mysql", "coordinator"),
        ("mysql", "admission"),
        ("sqlite", "coordinator"),
    ] {
        let shop = shop(Db::on(backend));
        let config = shop.project.path().join("migrate.toml");
        let text = std::fs::read_to_string(&config).expect("the shop has a configuration");
        let limits =
            "[database]\nlock_timeout = \"1s\"\nlock_retry_for = \"3s\"\nbusy_timeout = \"1s\"\n";
        shop.project
            .file("migrate.toml", &format!("{limits}{text}"));
        let mut other = shop.db.connect();
        let table = shop.db.ledger(row);
        other.execute(&match backend {
            "sqlite" => format!("BEGIN IMMEDIATE; UPDATE {table} SET doing = ''"),
            _ => format!("BEGIN; SELECT * FROM {table} FOR UPDATE"),
        });
        let before = shop.data();
        let given_up = shop.run(&["contract", NAME], 1);
        let parts = match backend {
            "postgres" => ["held by session", "`SELECT pg_terminate_backend("],
            "mysql" => ["held by session", "`KILL "],
            _ => ["held by process", "`kill "],
        };
        let said = given_up
            .stderr
            .replace("\n  │", "")
            .replace("\n       ", "");
        for part in ["the ledger could not be written", parts[0], parts[1]] {
            assert!(said.contains(part), "{row}: {part} in {given_up:?}");
        }
        assert_eq!(shop.data(), before);
        assert_eq!(shop.phase(1), "backfilled");
        other.execute("COMMIT");
        shop.run(&["contract", NAME], 0);
    }
}

/// The renewals of its own lease wait for the same row, and are not who is named.
#[test]
fn a_ledger_that_is_locked_on_the_way_is_given_up() {
    for backend in ["postgres", "mysql"] {
        let shop = shop(Db::on(backend));
        let config = shop.project.path().join("migrate.toml");
        let text = std::fs::read_to_string(&config).expect("the shop has a configuration");
        let limits = "[database]\nlock_timeout = \"1s\"\nlock_retry_for = \"6s\"\n";
        shop.project
            .file("migrate.toml", &format!("{limits}{text}"));
        shop.project
            .env("PHASEGATE_PAUSE_AT", "coordinator.acquired");
        let mut paused = shop.project.spawn(&["contract", NAME]);
        paused.wait_for_line("pause at point", GENEROUS);
        shop.project.env_remove("PHASEGATE_PAUSE_AT");
        let mut other = shop.db.connect();
        let me = match backend {
            "postgres" => "SELECT pg_backend_pid()::text",
            _ => "SELECT CAST(CONNECTION_ID() AS CHAR)",
        };
        let me = other.query(me)[0][0].clone();
        let coordinator = shop.db.ledger("coordinator");
        other.execute(&format!("BEGIN; SELECT * FROM {coordinator} FOR UPDATE"));
        paused.signal(Signal::CONT);
        let given_up = paused.wait();
        assert_eq!(given_up.code, 1, "{given_up:?}");
        let said = given_up
            .stderr
            .replace("\n  │", "")
            .replace("\n       ", "");
        let named = format!("held by session {me} ");
        for part in ["the ledger could not be written", &named] {
            assert!(said.contains(part), "{part} in {given_up:?}");
        }
        other.execute("COMMIT");
        shop.run(&["contract", NAME], 0);
    }
}

/// What racing instances and the test tell each other.
#[derive(Default)]
struct Race {
    /// No old instance may come in any more.
    is_over: AtomicBool,
    /// Old instances leave room between them, in which none is live.
    is_sparse: AtomicBool,
    asked_since: AtomicUsize,
    stop: AtomicBool,
}

/// Starts instances of one version, one after the other, until it is told to stop; how many were admitted and refused.
fn keep_starting(target: &Target, version: &str, number: usize, race: &Race) -> (usize, usize) {
    let (mut admitted, mut refused) = (0, 0);
    while !race.stop.load(Ordering::SeqCst) {
        let request = AdmissionRequest {
            service: "web".into(),
            label: version.into(),
            version: version.parse().expect("a version"),
            instance: format!("{version}-{number}-{admitted}"),
            lease: Duration::from_millis(150),
            renew: Duration::from_millis(40),
            min_ready: None,
            state: InstanceState::Starting,
            pending: Vec::new(),
            unread: Vec::new(),
            brought: None,
            made: Vec::new(),
            history: None,
            sources: Vec::new(),
            rules: phasegate::ledger::LeaseRules::default(),
        };
        let is_over = race.is_over.load(Ordering::SeqCst);
        match block_on(admit(target, &request)).expect("an answer") {
            Admission::Admitted { .. } => {
                assert!(!is_over || version == "1.2.0", "{version} came in too late");
                admitted += 1;
            }
            Admission::Refused(_) => refused += 1,
        }
        if is_over && version != "1.2.0" {
            race.asked_since.fetch_add(1, Ordering::SeqCst);
        }
        let is_sparse = race.is_sparse.load(Ordering::SeqCst) && version != "1.2.0";
        jitter(Duration::from_millis(if is_sparse { 2500 } else { 120 }));
    }
    (admitted, refused)
}

scenario!(
    fn an_old_instance_is_refused_or_the_contract_is(db: Db) {
        let shop = shop(db);
        let target =
            Target::parse(&shop.db.url, Path::new("/")).expect("the URL of a test's database");
        let race = Arc::new(Race::default());
        let racers: Vec<_> = ["1.1.0", "1.2.0", "1.1.0", "1.1.0"]
            .into_iter()
            .enumerate()
            .map(|(number, version)| {
                let (target, race) = (target.clone(), Arc::clone(&race));
                std::thread::spawn(move || keep_starting(&target, version, number, &race))
            })
            .collect();
        // First without a wait, so that the fence goes up and down again while they start; then with one, until
        // none of them is there for a moment.
        let mut blocked = 0;
        for _ in 0..6 {
            jitter(Duration::from_millis(150));
            match shop.project.migrate(&["contract", NAME]).code {
                0 => break,
                10 | 11 => blocked += 1,
                other => panic!("exit code {other}"),
            }
        }
        race.is_sparse.store(true, Ordering::SeqCst);
        shop.run(&["contract", NAME, "--wait", "60s"], 0);
        race.is_over.store(true, Ordering::SeqCst);
        eventually(GENEROUS, || {
            let is_refuted = racers.iter().any(|racer| racer.is_finished());
            let is_enough = race.asked_since.load(Ordering::SeqCst) >= 6;
            (is_enough || is_refuted).then_some(())
        });
        race.stop.store(true, Ordering::SeqCst);
        let counts: Vec<_> = racers
            .into_iter()
            .map(|racer| racer.join().expect("no instance came in too late"))
            .collect();

        let events = shop.db.ledger("events");
        let at = |phase: &str| {
            shop.db.value(&format!(
                "SELECT max(at) FROM {events} WHERE kind = 'phase' AND detail LIKE '%\"to\":\"{phase}\"%'"
            ))
        };
        let (fenced, contracted) = (at("contracting"), at("contracted"));
        let late = shop.db.value(&format!(
            "SELECT count(*) FROM {} WHERE version = '1.1.0' AND (registered_at > {fenced} OR expires_at > {contracted})",
            shop.db.ledger("leases")
        ));
        assert_eq!(late, "0", "fenced at {fenced}, contracted at {contracted}");
        assert!(
            counts.iter().all(|(admitted, _)| *admitted > 0),
            "{counts:?}"
        );
        let refused: usize = counts.iter().map(|(_, refused)| refused).sum();
        assert!(refused > 0, "{counts:?}");
        assert_eq!(contracts(&shop), 1);
        shop.run(&["log", "--verify"], 0);
        eprintln!(
            "{}: admitted and refused {counts:?}, {blocked} contracts blocked",
            shop.db.backend.name
        );
    }
);
