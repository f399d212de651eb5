//! How an application asks for its lease: where the database is, how long it waits, and what it knows by its build.

use std::convert::Infallible;
use std::str::FromStr as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use phasegate::model::Phase;
use phasegate::{BlockerKind, Database, Embedded, Lease, LeaseError, LeaseState};
use sqlx::mysql::MySqlConnectOptions;
use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;

use super::process::rows;
use super::{leases_table, live, record};
use crate::support::backend::Db;
use crate::support::connection::block_on;
use crate::support::lease::of_test;
use crate::support::wait::{GENEROUS, eventually};

const MINUTE: Duration = Duration::from_secs(60);

/// What an application that has sqlx may have at hand: options, a pool, or a function that makes options.
fn every_way(db: &Db) -> Vec<Database> {
    fn ways<O, DB>(options: O) -> Vec<Database>
    where
        O: Clone + Send + Sync + 'static,
        DB: sqlx::Database,
        <DB as sqlx::Database>::Connection: sqlx::Connection<Options = O>,
        Database: From<O> + for<'a> From<&'a O> + From<Arc<O>>,
    {
        let pool = sqlx::pool::PoolOptions::<DB>::new().connect_lazy_with(options.clone());
        let asked = options.clone();
        vec![
            Database::from(&options),
            Database::from(&pool),
            Database::asked(move || {
                let now = asked.clone();
                async move { Ok::<_, Infallible>(now) }
            }),
            Database::from(options),
        ]
    }
    let url = db.url.as_str();
    // A pool is made within a runtime.
    block_on(async {
        match db.backend.name {
            "postgres" => {
                ways::<_, sqlx::Postgres>(PgConnectOptions::from_str(url).expect("a URL"))
            }
            "mysql" => ways::<_, sqlx::MySql>(MySqlConnectOptions::from_str(url).expect("a URL")),
            _ => ways::<_, sqlx::Sqlite>(SqliteConnectOptions::from_str(url).expect("a URL")),
        }
    })
}

scenario!(
    fn a_lease_is_held_where_the_applications_own_connections_lead(db: Db) {
        for database in every_way(&db) {
            let shown = format!("{database:?}");
            let builder = of_test(database, "web", "1.0.0").lease(MINUTE);
            let lease =
                block_on(builder.acquire()).unwrap_or_else(|error| panic!("{shown}: {error}"));
            assert_eq!(live(&db), ["1.0.0 serving 1"], "{shown}");
            assert!(lease.valid_for() <= MINUTE && lease.valid_for() > MINUTE / 3);
            block_on(lease.draining()).expect("it is held");
            assert_eq!(lease.state(), LeaseState::Draining);
            assert_eq!(live(&db), ["1.0.0 draining 1"]);
            block_on(lease.release()).expect("it is held");
            assert_eq!(rows(&db), "0");
        }
    }
);

scenario!(
    fn a_program_without_a_runtime_has_a_lease_as_well(db: Db) {
        let lease = of_test(&db.url, "web", "1.0.0")
            .lease(MINUTE)
            .acquire_blocking()
            .expect("admitted");
        assert_eq!(live(&db), ["1.0.0 serving 1"]);
        drop(lease);
        assert_eq!(rows(&db), "0");
    }
);

scenario!(
    fn two_services_of_one_process_have_a_lease_each(db: Db) {
        let ask = |service: &str| {
            let builder = of_test(&db.url, service, "1.0.0").instance("one");
            block_on(builder.lease(MINUTE).acquire()).expect("admitted")
        };
        let (web, worker) = (ask("web"), ask("worker"));
        let services = || {
            let table = leases_table(&db);
            db.value(&format!("SELECT count(DISTINCT service) FROM {table}"))
        };
        assert_eq!((services(), rows(&db)), ("2".to_owned(), "2".to_owned()));
        assert_ne!(web.session_name(), worker.session_name());
        // By which this machine knows whose the sessions of a process are.
        let is_shown = |lease: &Lease| {
            let sockets = std::fs::read_to_string("/proc/net/unix").unwrap_or_default();
            let sign = format!("@phasegate/{}/{}", lease.session_name(), std::process::id());
            !cfg!(target_os = "linux") || sockets.lines().any(|line| line.ends_with(&sign))
        };
        // The kernel tells of its sockets in pieces, between which others come and go: one look may pass one by.
        let shown = |lease: &Lease| eventually(GENEROUS, || is_shown(lease).then_some(()));
        shown(&web);
        shown(&worker);
        block_on(worker.draining()).expect("it is held");
        assert_eq!(
            [web.state(), worker.state()],
            [LeaseState::Valid, LeaseState::Draining]
        );
        block_on(web.release()).expect("it is held");
        assert_eq!(services(), "1");
        assert!(!web.is_valid() && worker.is_valid());
        let is_gone = || (is_shown(&web) != cfg!(target_os = "linux")).then_some(());
        eventually(GENEROUS, is_gone);
        drop(worker);
        assert_eq!(rows(&db), "0");
    }
);

#[test]
fn a_place_is_asked_for_anew_and_a_database_that_comes_later_is_waited_for() {
    for name in ["postgres", "mysql"] {
        let db = Db::on(name);
        let asked = Arc::new(AtomicU32::new(0));
        let moving = {
            let (asked, url) = (Arc::clone(&asked), db.url.clone());
            // Nobody listens on this port.
            let nowhere = format!("{name}://nobody:x@127.0.0.1:1/shop");
            Database::asked(move || {
                let url = match asked.fetch_add(1, Ordering::SeqCst) {
                    // Whoever gives out tokens is not there either.
                    2 => Err(std::io::Error::other("no token yet")),
                    0..=3 => Ok(nowhere.clone()),
                    _ => Ok(url.clone()),
                };
                async move { url }
            })
        };
        let builder = || of_test(moving.clone(), "web", "1.0.0").lease(MINUTE);
        let error = block_on(builder().acquire()).expect_err("nobody is there yet");
        assert!(error.is_passing(), "{error}");
        let lease = block_on(builder().acquire_within(GENEROUS)).expect("it comes");
        assert!(asked.load(Ordering::SeqCst) > 4 && lease.is_valid());
        // And not for ever.
        let nowhere = format!("{name}://nobody:x@127.0.0.1:1/shop");
        let builder = of_test(nowhere, "web", "1.0.0").lease(MINUTE);
        let error = block_on(builder.acquire_within(Duration::from_millis(300)));
        assert!(matches!(error, Err(LeaseError::Database(_))), "{error:?}");
    }
}

scenario!(
    fn what_will_not_pass_is_not_waited_for(db: Db) {
        block_on(record(&db, Phase::Contracting));
        let builder = of_test(&db.url, "web", "1.0.0").lease(MINUTE);
        let refused = block_on(builder.acquire_within(Duration::from_secs(3600)));
        let Err(LeaseError::Refused(decision)) = refused else {
            panic!("it is not refused");
        };
        assert_eq!(decision.blockers[0].kind(), BlockerKind::OldFormatGone);
        assert_eq!(rows(&db), "0");
    }
);

#[test]
fn whoever_gives_up_waiting_leaves_nothing() {
    let asked = Arc::new(AtomicU32::new(0));
    let nowhere = {
        let asked = Arc::clone(&asked);
        Database::asked(move || {
            asked.fetch_add(1, Ordering::SeqCst);
            async { Ok::<_, Infallible>("postgres://nobody:x@127.0.0.1:1/shop") }
        })
    };
    let hour = Duration::from_secs(3600);
    let mut acquire = Box::pin(of_test(nowhere, "web", "1.0.0").acquire_within(hour));
    assert!(block_on(futures_util::future::poll_immediate(&mut acquire)).is_none());
    eventually(GENEROUS, || {
        (asked.load(Ordering::SeqCst) > 3).then_some(())
    });
    drop(acquire);
    // Whoever could ask again is gone, long before the hour is over.
    eventually(GENEROUS, || (Arc::strong_count(&asked) == 1).then_some(()));
}

/// What `phasegate-build` writes of a project like this, which has no script.
fn embedded(manifest: &str) -> Embedded {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("0001_phone");
    std::fs::create_dir(&path).expect("a directory");
    let file = |name: &str, text: &str| {
        std::fs::write(directory.path().join(name), text).expect("a file");
    };
    file(
        "migrate.toml",
        "[services.web]\naliases = { \"a1b2c3d\" = \"1.2.0\" }\n[fleet]\nlease = \"1m 30s\"\nrenew = \"2s\"\n",
    );
    file("0001_phone/migration.toml", manifest);
    let declared = phasegate_build::read(directory.path()).expect("a project");
    let text = serde_json::to_string(&declared).expect("it is text");
    // As what is included in a binary lives.
    Embedded::new(text.leak())
}

scenario!(
    fn a_migration_that_came_along_in_the_binary_is_known_before_it_is_applied(db: Db) {
        let ask = |embedded: Embedded, service: &str, version: &str| {
            let builder = of_test(&db.url, service, version);
            block_on(builder.embedded(embedded).acquire())
        };
        let manifest = "description = \"phones\"\n[services.web]\nnew = \">=1.2.0\"\n";
        for expand in [
            // The contract makes no sense, and this process never runs it.
            "[contract]\nsoack = \"1h\"\n",
            "[expand]\nrevisions = [\"3f2a91c0\"]\n",
            "[expand]\nnothing_to_do = \"the column takes any text already\"\n",
        ] {
            let embedded = embedded(&format!("{manifest}{expand}"));
            for version in ["1.2.0", "a1b2c3d"] {
                let Err(LeaseError::Refused(decision)) = ask(embedded, "web", version) else {
                    panic!("{version} may start without its column: {expand}");
                };
                assert_eq!(decision.blockers[0].kind(), BlockerKind::ExpandFirst);
            }
        }
        let embedded = embedded(manifest);
        let strange = ask(embedded, "wbe", "1.1.0");
        assert!(matches!(strange, Err(LeaseError::Terms { .. })));
        let lease = ask(embedded, "web", "1.1.0").expect("it does not use the column");
        // What was built in says how it is held as well.
        let columns = ["expires_at - renewed_at", "renew_ms"];
        let held =
            columns.map(|column| db.value(&format!("SELECT {column} FROM {}", leases_table(&db))));
        assert_eq!(held, ["90000", "2000"]);
        block_on(lease.release()).expect("it is held");
    }
);

/// What a build reads is what `migrate` reads.
#[test]
fn both_readers_of_a_declaration_agree() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let long = "description = \"x\"\nsync = \"to-new\"\nrows = \"append-only\"\n[services.web]\nreads = { old = \"<1.3.0\" }\n\
                writes = { old = \"<1.2.0\", new = \">=1.1.0\" }\n[services.worker]\nreads = { new = \">=2.0.0\" }\n[contract]\n";
    let short = "description = \" y \"\nsync = \"both\"\n[services.web]\nold = \"<1.2.0\"\nnew = \">=1.1.0, <3.0.0 || >=3.0.0\"\n";
    let nothing = "description = \"z\"\n[services.web]\nnew = \">=1.1.0\"\n[expand]\nnothing_to_do = \"any text does\"\n";
    let made = tempfile::tempdir().expect("a directory");
    std::fs::write(
        made.path().join("migrate.toml"),
        "migrations = \"db\"\n[services.web]\nmin_ready = \"2m\"\naliases = { \"a1b2c3d\" = \"1.2.0\" }\n[services.worker]\n\
         min_ready = \"0s\"\n[database]\nledger = \"shop_phasegate\"\n[fleet]\nlease = \"1h 30m\"\nrenew = \"90 seconds\"\nconnection = \"short\"\n\
         sources = [{ kind = \"leases\" }, { kind = \"kubernetes\" }, { kind = \"sessions\" }, { kind = \"http\", name = \"consul\", \
         url = \"http://consul/\", items = \"$[*]\", service = \"web\", instance = \"$.id\", version = \"$.version\" }, \
         { kind = \"command\", run = [\"./bin/list\", \"-a\"] }]\n[runner]\nkind = \"golang-migrate\"\n",
    )
    .expect("a file");
    let revisions = made.path().join("migrations");
    std::fs::create_dir(&revisions).expect("a directory");
    for (name, text) in [
        ("1_phone.up.sql", "ALTER TABLE users ADD phone text;\n"),
        ("2_name.up.sql", "ALTER TABLE users DROP name;\n"),
    ] {
        std::fs::write(revisions.join(name), text).expect("a file");
    }
    let of_another_tool = "description = \"another tool's\"\nsync = \"both\"\n[services.web]\nold = \"<1.2.0\"\nnew = \">=1.1.0\"\n\
                           [expand]\nrevisions = [\"1\"]\n[contract]\nrevisions = [\"2\"]\n";
    for (id, manifest, scripts) in [
        (
            "0001_a",
            long,
            &["expand.sql", "contract.postgres.sql", "contract.sql"][..],
        ),
        (
            "0002_b",
            short,
            &["expand.postgres.sql", "contract.sql", "revert.sql"],
        ),
        ("0003_c", nothing, &[]),
        ("0010_d", "description = \"an index\"\n", &["expand.sql"]),
        ("0011_e", of_another_tool, &[]),
    ] {
        let directory = made.path().join("db").join(id);
        std::fs::create_dir_all(&directory).expect("a directory");
        std::fs::write(directory.join("migration.toml"), manifest).expect("a file");
        for script in scripts {
            std::fs::write(directory.join(script), "SELECT 1;\n").expect("a file");
        }
    }
    for project in [
        root.join("migrations-example"),
        root.join("examples/rolling-restart"),
        root.join("examples/rolling-restart/without-triggers"),
        made.path().to_owned(),
    ] {
        let built = phasegate_build::read(&project).unwrap_or_else(|why| panic!("{why}"));
        let read =
            phasegate::project::Project::load_as_far_as_possible(&project, Some("postgres://"));
        let flaws: Vec<_> = read.flaws.problems().map(|flaw| flaw.one_line()).collect();
        assert!(flaws.is_empty(), "{flaws:?}");
        let mut declared: Vec<_> = read.declarations().cloned().collect();
        for declaration in &mut declared {
            // It belongs to the scripts.
            declaration.fill = phasegate::model::Fill::Unrecorded;
        }
        assert_eq!(built.migrations, declared, "{}", project.display());
        assert!(!declared.is_empty());
        assert_same_fleet(&built, &read.config);
        let services: Vec<&String> = read.config.services.keys().collect();
        assert_eq!(built.services.keys().collect::<Vec<_>>(), services);
    }
}

/// How leases are held, where the files say something of it, and who else sees the instances.
fn assert_same_fleet(built: &phasegate_build::Declared, config: &phasegate::project::Config) {
    let milliseconds = |length: Duration| u64::try_from(length.as_millis()).expect("less");
    let (fleet, read) = (&built.fleet, &config.fleet);
    assert_eq!(fleet.lease_ms.unwrap_or(600_000), milliseconds(read.lease));
    assert_eq!(fleet.renew_ms.unwrap_or(10_000), milliseconds(read.renew));
    let connection = format!("{:?}", read.connection).to_lowercase();
    assert_eq!(fleet.connection.unwrap_or("kept"), connection);
    assert_eq!(fleet.sources, config.other_sources());
    assert_eq!(fleet.ledger, config.database.ledger);
    for (name, service) in &config.services {
        let least = service.min_ready.map(milliseconds);
        assert_eq!(fleet.min_ready_ms.get(name).copied(), least, "{name}");
        assert_eq!(built.services[name], service.names.aliases);
    }
}

/// A build reads fewer ways of writing a duration, and none of them as another one.
#[test]
fn both_readers_of_a_duration_agree() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut read_by_both = 0;
    for text in [
        "500ms",
        "30s",
        "10m",
        "1h30m",
        "1h 30m",
        " 1d 2h ",
        "1w",
        "90 seconds",
        "10 minutes",
        "2 hours 1 min",
        "PT10M",
        "1.5h",
        "1h, 30m",
        "30m 1h",
        "1s 1s",
        "10",
        "0",
        "0s",
        "-3s",
        "3s ago",
        "1 month",
        "1y",
        "10ns",
        "1M",
        "01:30:00",
        "2H",
        "soon",
        "",
        "999999999999999999999h",
    ] {
        let config = format!(
            "[services.web]\nmin_ready = \"{text}\"\n[fleet]\nlease = \"{text}\"\nrenew = \"100ms\"\n"
        );
        std::fs::write(directory.path().join("migrate.toml"), config).expect("a file");
        let read = phasegate::project::Project::load_as_far_as_possible(directory.path(), None);
        if let Ok(built) = phasegate_build::read(directory.path()) {
            assert!(read.flaws.is_empty(), "{text}: {:?}", read.flaws);
            assert_same_fleet(&built, &read.config);
            read_by_both += 1;
        }
    }
    assert_eq!(read_by_both, 10);
}
