//! A lease is kept through outages and restores, and given up in time.

use std::sync::Arc;
use std::time::Duration;

use phasegate::lease::{Admission, Keeper, KeeperHandle, Loss, Moment, Tenure, Terms, admit};
use phasegate::model::Phase;
use phasegate::{LeaseError, LeaseState};

use super::{leases_table, live, record, request, target, view};
use crate::support::backend::Db;
use crate::support::connection::block_on;
use crate::support::lease::of_test;
use crate::support::postgres::PrivateServer;
use crate::support::wait::{GENEROUS, eventually};

struct Kept {
    tenure: Arc<Tenure>,
    handle: KeeperHandle,
}

impl Kept {
    /// Admits 1.0.0 and renews twice a second.
    fn new(db: &Db, lease: Duration) -> Self {
        let mut wanted = request("1.0.0", "server-1");
        (wanted.lease, wanted.renew) = (lease, Duration::from_millis(500));
        let target = target(db);
        block_on(async {
            let Ok(Admission::Admitted { id, asked_at, .. }) = admit(&target, &wanted).await else {
                panic!("not admitted");
            };
            let terms = Terms::new(wanted.lease, wanted.renew, Duration::from_secs(10));
            let tenure = Arc::new(Tenure::new(terms.expect("terms"), asked_at));
            let (keeper, handle) = Keeper::new(target, wanted, id, Arc::clone(&tenure));
            tokio::spawn(keeper.run());
            Self { tenure, handle }
        })
    }

    fn loss(&self) -> Option<Loss> {
        self.tenure.look(Moment::now()).loss
    }

    fn deadline(&self) -> Moment {
        self.tenure.look(Moment::now()).deadline.kill_at()
    }

    /// Waits for a renewal that was asked for after now.
    fn is_renewed(&self) {
        let now = self.deadline();
        eventually(GENEROUS, || (self.deadline() > now).then_some(()));
    }
}

const MINUTE: Duration = Duration::from_secs(60);

fn rows(db: &Db) -> String {
    db.value(&format!("SELECT count(*) FROM {}", leases_table(db)))
}

scenario!(
    apart fn a_lease_is_renewed_drained_and_released(db: Db) {
        let kept = Kept::new(&db, MINUTE);
        kept.is_renewed();
        kept.is_renewed();
        assert_eq!(live(&db), ["1.0.0 serving 1"]);
        block_on(kept.handle.draining()).expect("recorded");
        assert_eq!(live(&db), ["1.0.0 draining 1"]);
        kept.is_renewed();
        assert_eq!(live(&db), ["1.0.0 draining 1"]);
        block_on(kept.handle.release()).expect("released");
        assert_eq!(live(&db), [""; 0]);
        assert_eq!(rows(&db), "0");
        assert_eq!(kept.loss(), None);
        assert!(block_on(kept.handle.draining()).is_err());
    }
);

scenario!(
    apart fn a_lease_that_the_database_forgot_is_admitted_anew(db: Db) {
        block_on(record(&db, Phase::Expanded));
        let kept = Kept::new(&db, MINUTE);
        block_on(kept.handle.draining()).expect("recorded");
        db.execute(&format!("DELETE FROM {}", leases_table(&db)));
        eventually(GENEROUS, || {
            (live(&db) == ["1.0.0 draining 1"]).then_some(())
        });
        kept.is_renewed();
        let admissions = db.value(&format!("SELECT seq FROM {}", db.ledger("admission")));
        assert_eq!(admissions, "2");
        // The same where its clock was set forward, past the lease.
        db.execute(&format!("UPDATE {} SET expires_at = 1", leases_table(&db)));
        eventually(GENEROUS, || {
            (live(&db) == ["1.0.0 draining 1"]).then_some(())
        });
        kept.is_renewed();
        assert_eq!(kept.loss(), None);
    }
);

scenario!(
    apart fn a_lease_that_may_not_be_admitted_anew_is_lost(db: Db) {
        block_on(record(&db, Phase::Expanded));
        let kept = Kept::new(&db, MINUTE);
        // The fence alone stops nobody who is in.
        block_on(record(&db, Phase::Contracting));
        kept.is_renewed();
        db.execute(&format!("DELETE FROM {}", leases_table(&db)));
        let loss = eventually(GENEROUS, || kept.loss());
        assert!(matches!(loss, Loss::Refused(_)), "{loss}");
        assert_eq!(rows(&db), "0");
        assert!(kept.deadline() <= Moment::now() + Duration::from_secs(10));
        assert!(block_on(kept.handle.draining()).is_err());
        block_on(kept.handle.release()).expect("nothing is left to release");
    }
);

#[test]
fn an_outage_shorter_than_a_lease_stops_nobody() {
    let server = PrivateServer::start();
    let db = server.create("shop");
    let kept = Kept::new(&db, MINUTE);
    for outage in [PrivateServer::stop, PrivateServer::crash] {
        kept.is_renewed();
        outage(&server);
        eventually(GENEROUS, || kept.tenure.look(Moment::now()).last_error);
        server.start_again();
        kept.is_renewed();
        assert_eq!(kept.loss(), None);
        assert_eq!(live(&db), ["1.0.0 serving 1"]);
    }
    // A server that accepts and does not answer holds up one renewal, not the next.
    server.pause();
    eventually(GENEROUS, || kept.tenure.look(Moment::now()).last_error);
    server.resume();
    kept.is_renewed();
    assert_eq!(kept.loss(), None);
    block_on(kept.handle.release()).expect("released");
    assert_eq!(rows(&db), "0");
}

#[test]
fn whoever_drains_during_an_outage_finishes_all_the_same() {
    let server = PrivateServer::start();
    let db = server.create("shop");
    let builder = of_test(&db.url, "web", "1.0.0").lease(MINUTE * 10);
    let lease = block_on(builder.acquire()).expect("admitted");
    server.stop();
    // Not only when the lease ends.
    let waited = block_on(lease.draining());
    assert!(
        matches!(waited, Err(LeaseError::Timeout { seconds: 5, .. })),
        "{waited:?}"
    );
    assert!(lease.is_valid());
    assert_eq!(lease.state(), LeaseState::Draining);
    // It is recorded as soon as it can be.
    server.start_again();
    eventually(GENEROUS, || {
        (live(&db) == ["1.0.0 draining 1"]).then_some(())
    });
    block_on(lease.release()).expect("it is held");
}

#[test]
fn an_outage_longer_than_a_lease_ends_it_before_the_database_does() {
    let server = PrivateServer::start();
    let db = server.create("shop");
    let kept = Kept::new(&db, Duration::from_secs(3));
    kept.is_renewed();
    server.stop();
    let loss = eventually(GENEROUS, || kept.loss());
    assert!(
        matches!(&loss, Loss::DeadlinePassed { cause: Some(_) }),
        "{loss}"
    );
    let deadline = kept.deadline();
    assert!(Moment::now() < deadline, "there is time left to stop in");
    server.start_again();
    eventually(GENEROUS, || (Moment::now() > deadline).then_some(()));
    // Nothing brings it back, though the database is there again.
    assert_eq!(kept.loss(), Some(loss));
    assert_eq!(kept.deadline(), deadline);
    eventually(GENEROUS, || live(&db).is_empty().then_some(()));
}

scenario!(
    fn an_application_holds_a_lease(db: Db) {
        // On no runtime of its own: the lease has one.
        let lease = without_runtime(
            of_test(&db.url, "web", "1.0.0")
                .instance("server-1")
                .lease(MINUTE)
                .renew(Duration::from_millis(500))
                .acquire(),
        )
        .expect("admitted");
        assert!(lease.is_valid());
        assert_eq!(live(&db), ["1.0.0 serving 1"]);
        without_runtime(lease.draining()).expect("recorded");
        assert_eq!(live(&db), ["1.0.0 draining 1"]);
        without_runtime(lease.release()).expect("released");
        assert_eq!(live(&db), [""; 0]);
    }
);

scenario!(
    fn an_application_that_is_told_can_stop_by_itself(db: Db) {
        block_on(record(&db, Phase::Expanded));
        let (told, hears) = std::sync::mpsc::channel();
        let lease = block_on(
            of_test(&db.url, "web", "1.0.0")
                .lease(MINUTE * 10)
                .renew(Duration::from_millis(200))
                .stop_timeout(MINUTE * 2)
                .on_lost(move |loss| told.send(loss.clone()).expect("the test waits"))
                .acquire(),
        )
        .expect("admitted");
        block_on(record(&db, Phase::Contracting));
        db.execute(&format!("DELETE FROM {}", leases_table(&db)));
        let loss = hears.recv_timeout(GENEROUS).expect("the loss");
        assert!(!lease.is_valid());
        assert_eq!(block_on(lease.lost()), loss);
        // Released in time, it is not killed.
        block_on(lease.release()).expect("nothing is left to release");
    }
);

scenario!(
    fn nobody_holds_a_lease_that_nobody_waited_for(db: Db) {
        let acquire = of_test(&db.url, "web", "1.0.0").lease(MINUTE).acquire();
        block_on(async {
            // Begun, and given up at once.
            let mut acquire = std::pin::pin!(acquire);
            let begun = futures_util::future::poll_immediate(&mut acquire).await;
            assert!(begun.is_none());
        });
        eventually(GENEROUS, || {
            let mut connection = db.connect();
            connection
                .try_execute(&format!("SELECT 1 FROM {}", db.ledger("meta")))
                .ok()?;
            (block_on(view(&db)).sightings.len() == 1 && rows(&db) == "0").then_some(())
        });
    }
);

/// Polls on this thread, without a runtime.
fn without_runtime<T>(future: impl Future<Output = T>) -> T {
    struct Unpark(std::thread::Thread);
    impl std::task::Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let mut future = std::pin::pin!(future);
    let waker = Arc::new(Unpark(std::thread::current())).into();
    let mut context = std::task::Context::from_waker(&waker);
    loop {
        if let std::task::Poll::Ready(value) = future.as_mut().poll(&mut context) {
            return value;
        }
        std::thread::park();
    }
}
