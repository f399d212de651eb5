//! Admission, renewal and the end of leases.

mod admission;
mod background;
mod credentials;
mod held;
mod keeper;
mod locked;
mod passwords;
mod process;
mod status;
mod stopped;
mod surface;

use std::path::Path;
use std::time::Duration;

use phasegate::database::{ConnectOptions, Connection, Target, connect};
use phasegate::lease::{Admission, AdmissionRequest, admit};
use phasegate::ledger::{Entry, LeaseId, Ledger, PhaseChange, View};
use phasegate::model::{Declaration, InstanceState, Phase, RowKind, RowKinds};

use crate::support::backend::Db;
use crate::support::connection::block_on;

/// A migration that keeps both formats in step: versions below 1.2.0 use the old, from 1.1.0 the new.
fn rename() -> Declaration {
    serde_json::from_str(
        r#"{"id":"0002_rename","description":"","sync":"both","rows":"mutable",
            "services":{"web":{"reads":{"old":"<1.2.0","new":">=1.1.0"},"writes":{"old":"<1.2.0","new":">=1.1.0"}}},
            "parts":{"expand":true,"backfill":false,"contract":true,"revert":false}}"#,
    )
    .expect("a declaration")
}

fn target(db: &Db) -> Target {
    Target::parse(&db.url, Path::new("/")).expect("the URL of a test's database")
}

fn request(version: &str, instance: &str) -> AdmissionRequest {
    AdmissionRequest {
        service: "web".into(),
        label: version.into(),
        version: version.parse().expect("a version"),
        instance: instance.into(),
        lease: Duration::from_secs(600),
        renew: Duration::from_secs(10),
        min_ready: None,
        state: InstanceState::Serving,
        pending: Vec::new(),
        unread: Vec::new(),
        brought: None,
        made: Vec::new(),
        history: None,
        sources: Vec::new(),
        rules: phasegate::ledger::LeaseRules::default(),
    }
}

async fn open(db: &Db) -> Box<dyn Connection> {
    connect(&target(db), ConnectOptions::default())
        .await
        .expect("a connection")
}

/// Records a phase as a coordinator does; answers how many admissions came before.
async fn record(db: &Db, phase: Phase) -> i64 {
    let declaration = rename();
    let mut connection = open(db).await;
    let mut ledger = Ledger::write(connection.as_mut()).await.expect("a ledger");
    let seq = ledger.lock_admissions().await.expect("the lock");
    let before = ledger.view_of(&declaration.id).await.expect("a view");
    let entry = if before.applied.is_empty() {
        Entry::New
    } else {
        Entry::Known
    };
    ledger
        .record_phase(PhaseChange {
            entry,
            declaration: &declaration,
            phase,
            kinds: RowKinds::EMPTY.with(RowKind::BOTH_FRESH),
            seq,
            step_back: None,
        })
        .expect("a phase");
    ledger.commit().await.expect("a commit");
    connection.close().await;
    seq
}

async fn view(db: &Db) -> View {
    let mut connection = open(db).await;
    let mut ledger = Ledger::read(connection.as_mut())
        .await
        .expect("a ledger")
        .expect("a ledger");
    let view = ledger.view().await.expect("a view");
    ledger.rollback().await.expect("a rollback");
    connection.close().await;
    view
}

/// The live instances of each version and state, as `1.0.0 serving 2`. How long they have stayed is not asked here.
fn live(db: &Db) -> Vec<String> {
    let view = block_on(view(db));
    let groups = view.groups.iter();
    groups
        .map(|group| {
            let state = match group.state {
                InstanceState::Starting => InstanceState::Serving,
                state => state,
            };
            format!("{} {} {}", group.label.text, state.name(), group.instances)
        })
        .collect()
}

fn leases_table(db: &Db) -> String {
    db.ledger("leases")
}

#[track_caller]
fn admitted(db: &Db, request: &AdmissionRequest) -> LeaseId {
    match block_on(admit(&target(db), request)).expect("an answer") {
        Admission::Admitted { id, .. } => id,
        Admission::Refused(decision) => panic!("refused: {:?}", decision.blockers),
    }
}
