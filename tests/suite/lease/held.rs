//! The lease of a Rust application: given up, dropped, panicked away, lost.

use std::time::{Duration, Instant};

use phasegate::Lease;
use phasegate::lease::{AtLoss, Loss};
use phasegate::model::Phase;

use super::process::{hold, project, rows};
use super::{leases_table, live, record};
use crate::support::backend::Db;
use crate::support::connection::block_on;
use crate::support::lease::of_test;
use crate::support::project::Signal;
use crate::support::wait::{GENEROUS, eventually};

const MINUTE: Duration = Duration::from_secs(60);

fn acquired(db: &Db) -> Lease {
    let builder = of_test(&db.url, "web", "1.0.0").lease(MINUTE);
    block_on(builder.acquire()).expect("admitted")
}

fn wait(duration: Duration) {
    let began = Instant::now();
    eventually(GENEROUS, || (began.elapsed() > duration).then_some(()));
}

scenario!(
    fn the_last_handle_that_is_dropped_releases(db: Db) {
        let lease = acquired(&db);
        let clone = lease.clone();
        drop(lease);
        assert!(clone.is_valid());
        assert_eq!(live(&db), ["1.0.0 serving 1"]);
        drop(clone);
        assert_eq!(rows(&db), "0");
    }
);

scenario!(
    fn a_release_comes_once_and_for_all_handles(db: Db) {
        let lease = acquired(&db);
        let clone = lease.clone();
        block_on(lease.release()).expect("released");
        assert_eq!(rows(&db), "0");
        assert!(!clone.is_valid() && clone.loss().is_none());
        block_on(clone.release()).expect("released before");
        assert!(block_on(clone.draining()).is_err());
    }
);

scenario!(
    fn an_acquisition_given_up_at_any_moment_leaves_no_ghost(db: Db) {
        let project = project(&db, "60s");
        // In the middle of it, and when it is done and not received.
        for how in ["given-up-at-once", "given-up-late"] {
            let mut process = hold(&db, &project, how, 1000);
            eventually(GENEROUS, || {
                let mut connection = db.connect();
                let count = format!("SELECT 1 FROM {}", db.ledger("sightings"));
                connection.try_execute(&count).ok()?;
                (rows(&db) == "0").then_some(())
            });
            // Longer than its lease would have lasted.
            wait(Duration::from_millis(1500));
            assert_eq!(rows(&db), "0");
            assert!(!process.has_ended(), "{}", process.shown());
            process.signal(Signal::KILL);
        }
    }
);

scenario!(
    fn a_panic_in_what_holds_the_lease_is_a_loss_that_is_told(db: Db) {
        let project = project(&db, "60s");
        // Long before the lease would end.
        let output = hold(&db, &project, "panicking", 600_000).wait();
        let output = output.expect_code(143);
        assert!(output.stderr.contains("has panicked"), "{output:?}");
        let mut told = hold(&db, &project, "panicking-told", 600_000);
        told.wait_for_line(
            "told: the part of the process that held the lease has panicked",
            GENEROUS,
        );
        told.signal(Signal::KILL);
    }
);

scenario!(
    fn a_callback_that_panics_falls_back_to_termination(db: Db) {
        let project = project(&db, "60s");
        let output = hold(&db, &project, "clumsy", 600_000).wait();
        output.expect_code(143);
    }
);

scenario!(
    fn a_loss_can_be_reported_and_nothing_else(db: Db) {
        block_on(record(&db, Phase::Expanded));
        let builder = of_test(&db.url, "web", "1.0.0")
            .lease(MINUTE)
            .renew(Duration::from_millis(100))
            .stop_timeout(Duration::from_millis(200))
            .at_loss(AtLoss::Report);
        let lease = block_on(builder.acquire()).expect("admitted");
        block_on(record(&db, Phase::Contracting));
        db.execute(&format!("DELETE FROM {}", leases_table(&db)));
        let loss = block_on(lease.lost());
        assert!(matches!(loss, Loss::Refused(_)), "{loss}");
        assert_eq!(loss.exit_code(), 1);
        // This process would be killed after this.
        wait(Duration::from_millis(600));
        assert!(!lease.is_valid());
        assert_eq!(lease.loss(), Some(loss));
        block_on(lease.release()).expect("nothing is left to release");
    }
);
