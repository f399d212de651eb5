//! An instance registers before it touches data, or does not start.

use std::time::Duration;

use phasegate::LeaseBuilderExt as _;
use phasegate::gate::{BlockerKind, Verdict};
use phasegate::lease::{Admission, AdmissionRequest, LeaseError, Moment, admit};
use phasegate::ledger::{Ledger, Renewal};
use phasegate::model::Phase;

use super::{admitted, leases_table, live, open, record, rename, request, target, view};
use crate::support::backend::Db;
use crate::support::connection::block_on;
use crate::support::lease::of_test;
use crate::support::postgres::PrivateServer;
use crate::support::project::Project;
use crate::support::wait::{GENEROUS, eventually};

#[track_caller]
fn refused(db: &Db, request: &AdmissionRequest) -> phasegate::gate::Decision {
    match block_on(admit(&target(db), request)).expect("an answer") {
        Admission::Refused(decision) => decision,
        Admission::Admitted { .. } => panic!("{} was admitted", request.label),
    }
}

scenario!(
    apart fn an_admission_is_counted(db: Db) {
        admitted(&db, &request("1.0.0", "server-1"));
        admitted(&db, &request("1.0.0", "server-2"));
        admitted(&db, &request("v1.1", "server-3"));
        assert_eq!(live(&db), ["1.0.0 serving 2", "v1.1 serving 1"]);
        let view = block_on(view(&db));
        let placed = view.groups[1].label.version.as_ref();
        assert_eq!(placed.map(ToString::to_string), Some("1.1.0".to_owned()));
    }
);

scenario!(
    apart fn a_service_that_is_none_is_not_admitted(db: Db) {
        block_on(record(&db, Phase::Expanded));
        for service in ["", "web\nworker"] {
            let mut request = request("1.0.0", "server-1");
            request.service = service.into();
            let refused = block_on(admit(&target(&db), &request));
            assert!(
                matches!(refused, Err(LeaseError::Terms { .. })),
                "{refused:?}"
            );
        }
        // Mistyped, and with the project's files at hand.
        let shop = Project::new(&db, &["web"]);
        let lease = of_test(&db.url, "wbe", "1.0.0").project(shop.path());
        let refused = block_on(lease.acquire()).expect_err("a mistyped service");
        assert!(
            refused.to_string().contains("`wbe` is not named"),
            "{refused}"
        );
        assert!(live(&db).is_empty());
        // Without them it is admitted, and holds up what cannot be taken back.
        let mut request = request("1.0.0", "server-1");
        request.service = "wbe".into();
        admitted(&db, &request);
        let fleet = shop.migrate(&["gate", "contract", "1"]);
        assert_ne!(fleet.code, 0, "{fleet:?}");
    }
);

scenario!(
    apart fn behind_the_fence_only_the_new_format_is_admitted(db: Db) {
        for phase in [Phase::Contracting, Phase::Contracted] {
            block_on(record(&db, phase));
            for old in ["1.0.0", "1.1.0"] {
                let decision = refused(&db, &request(old, "server-1"));
                assert_eq!(decision.verdict, Verdict::Refuse, "{phase} {old}");
                let kind = decision.blockers[0].kind();
                assert_eq!(kind, BlockerKind::OldFormatGone, "{phase} {old}");
            }
        }
        admitted(&db, &request("1.2.0", "server-1"));
        assert_eq!(live(&db), ["1.2.0 serving 1"]);
    }
);

scenario!(
    apart fn a_migration_that_only_the_files_know_counts_as_pending(db: Db) {
        let mut wanted = request("1.1.0", "server-1");
        wanted.pending = vec![rename()];
        let decision = refused(&db, &wanted);
        assert_eq!(decision.blockers[0].kind(), BlockerKind::ExpandFirst);
        assert_eq!(live(&db), [""; 0]);
        // Once it is applied, the ledger's word counts.
        block_on(record(&db, Phase::Expanded));
        admitted(&db, &wanted);
    }
);

scenario!(
    apart fn a_refusal_names_who_is_in_the_way(db: Db) {
        // Reads the new format alone, while 1.0.0 writes only the old one and nothing keeps them in step.
        let mut declaration = rename();
        declaration.sync = phasegate::model::Sync::None;
        let mut wanted = request("1.2.0", "server-9");
        wanted.pending = vec![declaration.clone()];
        wanted.pending[0].parts.expand = false;
        admitted(&db, &request("1.0.0", "server-1"));
        admitted(&db, &request("1.0.0", "server-2"));
        let decision = refused(&db, &wanted);
        let named = decision.blockers.iter().any(|blocker| {
            let seen = &blocker.seen;
            seen.instances == 2 && seen.examples == ["server-1", "server-2"]
        });
        assert!(named, "{:#?}", decision.blockers);
        assert_eq!(live(&db), ["1.0.0 serving 2"]);
    }
);

scenario!(
    apart fn the_api_says_why_it_was_refused(db: Db) {
        block_on(record(&db, Phase::Contracted));
        let error = block_on(of_test(&db.url, "web", "1.0.0").acquire())
            .expect_err("the old format is gone");
        assert!(matches!(error, LeaseError::Refused(_)), "{error}");
        insta::assert_snapshot!(error, @"it may not start: web 1.0.0 reads and writes the old format of 0002_rename, which has been removed (help: start a version that does not use it; `migrate status` shows which may start); versions of web that may start now: >=1.2.0");
        let error = block_on(of_test(&db.url, "web", "1badc0de").acquire())
            .expect_err("a commit id is no version");
        assert!(matches!(error, LeaseError::Version(_)), "{error}");
        let error = block_on(
            of_test(&db.url, "web", "1.2.0")
                .lease(Duration::from_secs(2))
                .acquire(),
        )
        .expect_err("ten seconds are longer than the lease");
        assert!(matches!(error, LeaseError::Terms { .. }), "{error}");
        assert_eq!(live(&db), [""; 0]);
    }
);

scenario!(
    apart fn a_lease_runs_out_by_the_clock_of_the_database(db: Db) {
        let mut short = request("1.0.0", "server-1");
        (short.lease, short.renew) = (Duration::from_secs(3), Duration::from_millis(100));
        let id = admitted(&db, &short);
        let expires_at = || {
            db.value(&format!(
                "SELECT max(expires_at) FROM {}",
                leases_table(&db)
            ))
            .parse::<i64>()
            .expect("a number")
        };
        let renew = || {
            block_on(async {
                let mut connection = open(&db).await;
                let mut ledger = Ledger::write(connection.as_mut()).await.expect("a ledger");
                let renewal = ledger.renew(&id, 3000).await.expect("an answer");
                ledger.commit().await.expect("a commit");
                renewal
            })
        };
        let first = expires_at();
        let later = eventually(GENEROUS, || {
            assert_eq!(renew(), Renewal::Renewed);
            Some(expires_at()).filter(|now| *now > first)
        });
        // Missed renewals show, and count.
        eventually(GENEROUS, || (live(&db) == ["1.0.0 lost 1"]).then_some(()));
        eventually(GENEROUS, || live(&db).is_empty().then_some(()));
        assert!(block_on(view(&db)).now >= later);
        assert_eq!(renew(), Renewal::Expired);
        assert_eq!(expires_at(), later);
        assert_eq!(live(&db), [""; 0]);
    }
);

scenario!(
    apart fn no_admission_slips_past_the_fence(db: Db) {
        // Each of them waits for the turn of all others, and none waits for ever: so many get theirs on a busy machine too.
        const RACERS: usize = 20;
        block_on(record(&db, Phase::Expanded));
        let (admitted, fenced_at) = block_on(async {
            let mut racers = tokio::task::JoinSet::new();
            let (first, mut admissions) = tokio::sync::mpsc::unbounded_channel();
            for number in 0..RACERS {
                let (target, first) = (target(&db), first.clone());
                // Each starts instances until it is refused.
                racers.spawn(async move {
                    let wanted = request("1.0.0", &format!("server-{number}"));
                    let mut admitted = 0;
                    while let Admission::Admitted { .. } =
                        admit(&target, &wanted).await.expect("an answer")
                    {
                        admitted += 1;
                        first.send(()).expect("the test listens");
                    }
                    admitted
                });
            }
            for _ in 0..20 {
                admissions.recv().await.expect("an admission");
            }
            let fenced_at = record(&db, Phase::Contracting).await;
            let admitted: i64 = racers.join_all().await.into_iter().sum();
            (admitted, fenced_at)
        });
        let view = block_on(view(&db));
        let counted: u64 = view.groups.iter().map(|group| group.instances).sum();
        assert_eq!(i64::try_from(counted), Ok(admitted));
        // Every admission has a number, and the fence knows the last one before it. That there are more live
        // versions than before is told once.
        let seq = db.value(&format!("SELECT seq FROM {}", db.ledger("admission")));
        assert_eq!(seq, admitted.to_string());
        assert_eq!(view.sightings[0].seq, 1);
        assert_eq!(fenced_at, admitted);
    }
);

#[test]
fn without_the_right_to_create_the_ledger_the_error_says_what_to_do() {
    let server = PrivateServer::start();
    let db = server.create("shop");
    db.execute("CREATE ROLE app LOGIN PASSWORD 'secret'");
    let app = Db::at("postgres", server.url_as("app", "secret", "shop"));
    let error =
        block_on(admit(&target(&app), &request("1.0.0", "server-1"))).expect_err("no right");
    assert!(matches!(error, LeaseError::NoLedger(_)), "{error}");
    assert!(
        error
            .help()
            .is_some_and(|help| help.contains("migrate expand"))
    );
    assert!(!error.to_string().contains("secret"));

    // With a ledger, the rights on its tables are enough.
    admitted(&db, &request("1.0.0", "server-1"));
    db.execute(
        "GRANT USAGE ON SCHEMA phasegate TO app; \
         GRANT SELECT ON ALL TABLES IN SCHEMA phasegate TO app; \
         GRANT UPDATE ON phasegate.admission TO app; \
         GRANT INSERT, UPDATE, DELETE ON phasegate.leases, phasegate.sightings TO app",
    );
    admitted(&app, &request("1.0.0", "server-2"));
    assert_eq!(live(&db), ["1.0.0 serving 2"]);
}

#[test]
fn a_mistyped_path_is_no_empty_database() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("shpo.db");
    let db = Db::at("sqlite", format!("sqlite://{}", path.display()));
    let error = block_on(admit(&target(&db), &request("1.0.0", "server-1"))).expect_err("no file");
    assert!(matches!(error, LeaseError::Database(_)), "{error}");
    assert!(!path.exists());
}

#[test]
fn a_lease_counts_from_before_it_was_asked_for() {
    let db = Db::on("sqlite");
    let before = Moment::now();
    let admission =
        block_on(admit(&target(&db), &request("1.0.0", "server-1"))).expect("an answer");
    match admission {
        Admission::Admitted { asked_at, .. } => {
            assert!((before..=Moment::now()).contains(&asked_at))
        }
        Admission::Refused(decision) => panic!("{decision:?}"),
    }
}
