//! Whatever an application does beside its lease: it does not outlive it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;

use rustix::process::geteuid;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use super::process::{ARGUMENTS, hold, holder, project};
use crate::support::postgres::PrivateServer;
use crate::support::wait::GENEROUS;

/// A log that goes wrong where the lease is renewed, as soon as it is held.
struct Log {
    panics: bool,
}

static IS_HELD: AtomicBool = AtomicBool::new(false);

impl Subscriber for Log {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let is_of_lease = std::thread::current().name() == Some("phasegate-lease");
        if is_of_lease && IS_HELD.load(Ordering::SeqCst) {
            assert!(!self.panics, "the log fails");
            loop {
                std::thread::park();
            }
        }
        if !is_of_lease && event.metadata().level() == &tracing::Level::ERROR {
            eprintln!("{event:?}");
        }
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// What an application does before it asks for its lease.
pub(super) fn prepare(how: &str) {
    let panics = match how {
        "log-stuck" => false,
        "log-panics" => true,
        _ => return,
    };
    tracing::subscriber::set_global_default(Log { panics }).expect("there is no other");
}

/// What it does as soon as it has it.
pub(super) fn go_on(how: &str) {
    IS_HELD.store(true, Ordering::SeqCst);
    if how == "unheard" {
        // As one that writes where nobody reads.
        let (lock, locked) = mpsc::channel::<()>();
        std::thread::spawn(move || {
            let _lock = std::io::stderr().lock();
            drop(lock);
            loop {
                std::thread::park();
            }
        });
        locked.recv().expect_err("it says nothing");
    }
}

#[test]
fn nobody_has_to_hear_why_a_process_is_stopped() {
    let server = PrivateServer::start();
    let db = server.create("shop");
    let project = project(&db, "60s");
    let holder = hold(&db, &project, "unheard", 3000);
    server.stop();
    holder.wait().expect_code(143);
}

scenario!(
    fn a_log_that_stands_still_keeps_no_process_from_its_end(db: Db) {
        let project = project(&db, "60s");
        let output = hold(&db, &project, "log-stuck", 3000).wait();
        let output = output.expect_code(143);
        let said = &output.stderr;
        assert!(said.contains("could not be renewed in time"), "{output:?}");
    }
);

scenario!(
    fn a_lease_that_nobody_renews_because_of_a_panic_is_lost_at_once(db: Db) {
        let project = project(&db, "60s");
        // Long before it would end.
        let output = hold(&db, &project, "log-panics", 600_000).wait();
        let output = output.expect_code(143);
        let said = &output.stderr;
        assert!(said.contains("held the lease has panicked"), "{output:?}");
    }
);

/// The kernel does nothing to it that a signal from within its container asks for.
#[test]
fn the_first_process_of_a_container_is_stopped_as_well() {
    let server = PrivateServer::start();
    let db = server.create("shop");
    let project = project(&db, "60s");
    let itself = holder(&db, &project, "held", 3000);
    let mut arguments = vec!["--pid", "--fork", "--kill-child"];
    if !geteuid().is_root() {
        arguments.extend(["--user", "--map-root-user"]);
    }
    arguments.push(&itself);
    arguments.extend(ARGUMENTS);
    let mut first = project.spawn_program("unshare", &arguments);
    first.wait_for_line("holding", GENEROUS);
    server.stop();
    first.wait().expect_code(137);
}
