//! Two coordinators at once, and one that was taken for dead and wakes up.

use crate::support::backend::{Db, Ledger};
use crate::support::project::{Process, Signal};
use crate::support::shop::{NAME, Shop};
use crate::support::wait::{GENEROUS, eventually};

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

/// A contract that has raised its fence and waits for the instance to go.
fn waiting(shop: &Shop) -> Process {
    let mut contract = shop.project.spawn(&["contract", NAME, "--wait", "60s"]);
    contract.wait_for_line("waiting (hold)", GENEROUS);
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
        let old = shop.instance("1.1.0", "server-7");
        let paused = waiting(&shop);
        paused.signal(Signal::STOP);
        old.signal(Signal::TERM);
        old.wait();
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
        let old = shop.instance("1.1.0", "server-7");
        let killed = waiting(&shop);
        killed.signal(Signal::KILL);
        killed.wait();
        assert_eq!(shop.phase(1), "contracting");
        let refused = shop.run(&["admit", "--service", "web", "--version", "1.1.0"], 11);
        assert!(refused.stdout.contains("is being removed"), "{refused:?}");
        // Without --wait it is still blocked, and takes the fence down again.
        shop.run(&["contract", NAME], 10);
        assert_eq!(shop.phase(1), "backfilled");
        shop.run(&["gate", "deploy", "web=1.1.0"], 0);
        old.signal(Signal::TERM);
        old.wait();
        eventually(GENEROUS, || {
            (shop.project.migrate(&["contract", NAME]).code == 0).then_some(())
        });
        assert_eq!(contracts(&shop), 1);
    }
);
