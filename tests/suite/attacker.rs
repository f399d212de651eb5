//! Each role with exactly the rights of docs/grants.md, played by somebody who means harm: what it can write, and what
//! Phasegate then concludes. Never a yes that is not one, and never an end to everybody's work.

mod given;

use crate::grants::statements;
use crate::support::backend::Db;
use crate::support::mysql;
use crate::support::postgres;
use crate::support::project::Project;
use crate::support::shop::{APPEND_ONLY, Shop, said};

/// A server, so that it lives as long as the roles are played.
enum Server {
    Postgres(postgres::PrivateServer),
    Mysql(mysql::PrivateServer),
}

/// The roles of one server, and the project that they share.
struct Roles {
    server: Server,
    admin: Db,
}

/// How far it went with `web` 1.0.0 to 1.2.0 and the migration that moves a name.
const SERVICES: &str = "[services.web]\nmin_instances = 0\n[services.worker]\nmin_instances = 0\n";

impl Roles {
    fn on(backend: &str) -> Self {
        let (server, admin) = if backend == "postgres" {
            let server = postgres::PrivateServer::start();
            let admin = server.create("shop");
            (Server::Postgres(server), admin)
        } else {
            let server = mysql::PrivateServer::start();
            let admin = server.create("shop");
            (Server::Mysql(server), admin)
        };
        let roles = Self { server, admin };
        roles.grant("The coordinator", "MySQL and MariaDB: the coordinator");
        let key = roles.admin.backend.key;
        let migrator = roles.as_role("shop_migrator");
        migrator.execute(&format!(
            "CREATE TABLE users (id {key}, full_name VARCHAR(200)); INSERT INTO users (full_name) VALUES ('Ann'), ('Bob')"
        ));
        let coordinator = roles.project("shop_migrator");
        coordinator.migrate(&["expand"]).expect_code(0);
        roles.grant("Instances", "MySQL and MariaDB: instances");
        roles.grant("Readers", "MySQL and MariaDB: readers");
        coordinator.migrate(&["backfill"]).expect_code(0);
        roles
    }

    fn grant(&self, on_postgres: &str, on_mysql: &str) {
        let heading = match self.server {
            Server::Postgres(_) => on_postgres,
            Server::Mysql(_) => on_mysql,
        };
        self.admin.execute(&statements(heading));
    }

    fn as_role(&self, role: &str) -> Db {
        let password = "change%20me";
        match &self.server {
            Server::Postgres(server) => Db::at("postgres", server.url_as(role, password, "shop")),
            Server::Mysql(server) => Db::at("mysql", server.url_as(role, password, "shop")),
        }
    }

    fn project(&self, role: &str) -> Project {
        let project = Project::new(&self.as_role(role), &[]);
        project.file("migrate.toml", SERVICES);
        write_migration(&project);
        project
    }
}

fn write_migration(project: &Project) {
    project.migration(
        "0001_name",
        &[
            ("migration.toml", APPEND_ONLY),
            ("expand.sql", crate::support::shop::EXPAND),
            ("backfill.sql", crate::support::shop::BACKFILL),
            ("contract.sql", crate::support::shop::CONTRACT),
        ],
    );
}

/// A row of `leases` of an instance that is called like this, with the columns that instances may write.
fn lease(ledger: &str, instance: &str, service: &str, values: &str) -> String {
    format!(
        "INSERT INTO {ledger} (id, service, version, instance, state, registered_at, renewed_at, renew_ms, expires_at) \
         VALUES ('{instance}', '{service}', '1.0.0', '{instance}', {values})"
    )
}

const SANE: &str = "1, 0, 0, 1000, 4000000000000";

/// What no instance may write with the grants alone, and what the database refuses whoever writes it.
fn denied(db: &Db) -> Vec<String> {
    let of = |table: &str| db.ledger(table);
    let leases = of("leases");
    let mut all: Vec<String> = [
        "version = '9.0.0'",
        "service = 'ghost'",
        "instance = 'x'",
        "registered_at = 1",
        "renew_ms = 1",
        "written_by = 'postgres'",
        "address = '192.0.2.1'",
        "state = 99",
        "state = -1",
        "expires_at = 9223372036854775807",
        "renewed_at = -9223372036854775807",
    ]
    .iter()
    .map(|change| format!("UPDATE {leases} SET {change}"))
    .collect();
    for values in [
        "99, 0, 0, 1000, 4000000000000",
        "1, 0, 0, 0, 4000000000000",
        "1, -1, 0, 1000, 4000000000000",
        "1, 0, 9223372036854775807, 1000, 4000000000000",
        "1, 0, 0, 9223372036854775807, 9223372036854775807",
    ] {
        all.push(lease(&leases, "x", "web", values));
    }
    let long = "x".repeat(5000);
    all.push(lease(&leases, "x", &long, SANE));
    all.push(format!(
        "INSERT INTO {leases} (id, service, version, instance, state, registered_at, renewed_at, renew_ms, expires_at, written_by) \
         VALUES ('x', 'web', '1.0.0', 'x', {SANE}, 'somebody else')"
    ));
    // A session of MariaDB may switch off what keeps rows in order.
    if db.backend.name == "mysql" && mysql::is_mariadb(db) {
        all.push(format!(
            "SET check_constraint_checks = 0; UPDATE {} SET id = 2",
            of("admission")
        ));
    }
    for (statement, table) in [
        ("UPDATE {} SET version = '9.0.0'", "sightings"),
        ("UPDATE {} SET service = 'ghost'", "sightings"),
        ("UPDATE {} SET first_seen_at = 0", "sightings"),
        ("UPDATE {} SET last_seen_at = -1", "sightings"),
        ("UPDATE {} SET seq = 9223372036854775807", "sightings"),
        ("DELETE FROM {}", "sightings"),
        ("UPDATE {} SET placed = repeat('1', 2000)", "sightings"),
        ("UPDATE {} SET live = '[]'", "arrivals"),
        ("DELETE FROM {}", "arrivals"),
        ("INSERT INTO {} VALUES (-1, 0, '[]', '[]')", "arrivals"),
        ("UPDATE {} SET id = 2", "admission"),
        ("UPDATE {} SET seq = -1", "admission"),
        ("UPDATE {} SET seq = 9223372036854775807", "admission"),
        ("DELETE FROM {}", "admission"),
        (
            "INSERT INTO {} VALUES ('list', 'web', 4000000000000)",
            "looks",
        ),
        ("INSERT INTO {} VALUES ('list', 'web', '1', 1, 1)", "seen"),
        ("UPDATE {} SET format = 0", "meta"),
        ("UPDATE {} SET phase = 'contracted'", "migrations"),
        ("UPDATE {} SET token = token + 1", "coordinator"),
        ("DELETE FROM {}", "events"),
        ("DELETE FROM {}", "steps"),
        ("DELETE FROM {}", "files"),
        ("DELETE FROM {}", "backfills"),
        ("DELETE FROM {}", "rollouts"),
        ("DELETE FROM {}", "rollout_steps"),
    ] {
        all.push(statement.replace("{}", &of(table)));
    }
    all
}

/// How an instance of `web` asks to be let in.
fn admission<'a>(version: &'a str, instance: &'a str) -> [&'a str; 7] {
    [
        "admit",
        "--service",
        "web",
        "--version",
        version,
        "--instance",
        instance,
    ]
}

fn an_instance_is_refused_what_is_not_its_own(backend: &str) {
    let roles = Roles::on(backend);
    let web = roles.as_role("shop_web");
    let instance = roles.project("shop_web");
    instance.migrate(&admission("1.1.0", "a")).expect_code(0);
    for statement in denied(&web) {
        let refused = web
            .try_execute(&statement)
            .err()
            .unwrap_or_else(|| panic!("{backend}: an instance may do this: {statement:.200}"));
        let refused = refused.to_string();
        let is_meant = ["denied", "violates", "CONSTRAINT", "too long", "constraint"];
        assert!(
            is_meant.iter().any(|words| refused.contains(words)),
            "{statement:.200}: {refused}"
        );
    }
    let reader = roles.as_role("shop_ci");
    for table in LEDGER {
        let name = reader.ledger(table);
        assert!(
            reader.try_execute(&format!("SELECT * FROM {name}")).is_ok() || *table == "admission",
            "{table}"
        );
        for statement in [
            format!("DELETE FROM {name}"),
            format!("INSERT INTO {name} SELECT * FROM {name}"),
        ] {
            assert!(
                reader.try_execute(&statement).is_err(),
                "{backend}: a reader may do this: {statement}"
            );
        }
    }
    let asking = roles.project("shop_ci");
    for question in [
        &["status"] as &[&str],
        &["fleet"],
        &["rollout", "status"],
        &["log", "--verify"],
    ] {
        asking.migrate(question).expect_code(0);
    }
    roles
        .project("shop_migrator")
        .migrate(&["log", "--verify"])
        .expect_code(0);
}

/// Every table of the ledger.
const LEDGER: &[&str] = &[
    "meta",
    "admission",
    "coordinator",
    "migrations",
    "backfills",
    "backfill_ranges",
    "files",
    "steps",
    "leases",
    "sightings",
    "looks",
    "seen",
    "arrivals",
    "rollouts",
    "rollout_steps",
    "events",
];

/// What an instance can write all the same: nobody else is stopped, no gate says go that would not say so without it, and
/// whose it is can be seen.
fn what_an_instance_can_write_stops_nobody(backend: &str) {
    let roles = Roles::on(backend);
    let web = roles.as_role("shop_web");
    let (instance, reader, coordinator) = (
        roles.project("shop_web"),
        roles.project("shop_ci"),
        roles.project("shop_migrator"),
    );
    let of = |table: &str| web.ledger(table);
    let admit = |version: &str, name: &str| {
        instance.migrate(&[&admission(version, name)[..], &["--for", "1h"]].concat())
    };
    admit("1.0.0", "honest").expect_code(0);
    assert!([10, 11].contains(&coordinator.migrate(&["gate", "contract", "1"]).code));
    let statements = [
        // Whom it makes up, at moments that make no sense.
        lease(&of("leases"), "made-up", "ghost", SANE),
        lease(
            &of("leases"),
            "from-the-future",
            "web",
            "2, 4503599627370496, 4503599627370496, 1000, 4503599627370496",
        ),
        lease(
            &of("leases"),
            "no\\nsense",
            "web",
            "0, 4503599627370496, 0, 604800000, 4503599627370496",
        ),
        format!("UPDATE {} SET placed = '9.0.0'", of("sightings")),
        format!("UPDATE {} SET placed = 'no version'", of("sightings")),
        format!(
            "UPDATE {} SET last_seen_at = 4503599627370496, seq = 4503599627370496",
            of("sightings")
        ),
        format!("UPDATE {} SET last_seen_at = 0, seq = 0", of("sightings")),
        format!(
            "INSERT INTO {} VALUES (4000000000, 0, 'no json', '{{}}')",
            of("arrivals")
        ),
        format!(
            "INSERT INTO {} VALUES (4000000001, 0, '[[\"web\",\"no version\"],[\"ghost\",\"1\"]]', '[[1]]')",
            of("arrivals")
        ),
        format!("UPDATE {} SET superseded = 7", of("leases")),
        format!(
            "UPDATE {} SET superseded = -9223372036854775807, keeper_session = -1",
            of("leases")
        ),
        format!("UPDATE {} SET state = 2", of("leases")),
        format!("UPDATE {} SET seq = 0", of("admission")),
    ];
    for (number, statement) in statements.iter().enumerate() {
        web.execute(statement);
        for (project, question) in [
            (&reader, &["status"] as &[&str]),
            (&reader, &["fleet"]),
            (&coordinator, &["plan"]),
        ] {
            let answer = project.migrate(question);
            assert!(
                [0, 10, 11, 12].contains(&answer.code),
                "{statement}: {answer:?}"
            );
        }
        let gate = reader.migrate(&["gate", "contract", "1"]);
        assert!([10, 11, 12].contains(&gate.code), "{statement}: {gate:?}");
        let contract = coordinator.migrate(&["contract", "1"]);
        assert!(
            [10, 11, 12].contains(&contract.code),
            "{statement}: {contract:?}"
        );
        admit("1.1.0", &format!("next-{number}")).expect_code(0);
        // What 1.0.0 writes it could not read, whatever somebody says of 1.0.0.
        let refused = admit("1.2.0", "too-early");
        assert!([11, 12].contains(&refused.code), "{statement}: {refused:?}");
        let without_project = crate::support::connection::block_on(
            crate::support::lease::of_test(&web.url, "web", "1.2.0")
                .instance("too-early")
                .acquire(),
        );
        assert!(without_project.is_err(), "{statement}");
    }
    let fleet = reader.migrate(&["fleet"]).expect_code(0);
    assert!(fleet.stdout.contains("from-the-future"), "{fleet:?}");
    assert!(fleet.stdout.contains("written by shop_web"), "{fleet:?}");
    // Whatever it is, it can be ended.
    for name in ["made-up", "from-the-future"] {
        coordinator
            .migrate(&["fleet", "forget", name, "--reason", "nobody knows it"])
            .expect_code(0);
    }
    coordinator.migrate(&["log", "--verify"]).expect_code(0);
}

/// Rows as long as the database takes them: nobody takes into memory more than a part of them, and whoever comes is let in.
fn long_rows_keep_nobody_out(backend: &str) {
    let roles = Roles::on(backend);
    let (web, instance) = (roles.as_role("shop_web"), roles.project("shop_web"));
    // A list of 15 MiB, and lists that are just not too long, of which there are more than that together.
    let long = |pairs: u32| {
        format!("concat('[', repeat('[\"web\",\"1.0.0\"],', {pairs}), '[\"web\",\"1.0.0\"]]')")
    };
    let arrivals = web.ledger("arrivals");
    let too_long = format!(
        "INSERT INTO {arrivals} VALUES (4000000000, 0, {}, '[]')",
        long(900_000)
    );
    web.try_execute(&too_long).unwrap_err();
    for seq in (4_000_000_000_u64..).step_by(16).take(4) {
        let long = long(60_000);
        let rows: Vec<String> = (seq..seq + 16)
            .map(|seq| format!("({seq}, 0, {long}, {long})"))
            .collect();
        web.execute(&format!(
            "INSERT INTO {arrivals} VALUES {}",
            rows.join(", ")
        ));
    }
    // 100 MiB of memory, which is less than all of them and what is made of them.
    let shell = ["-c", "ulimit -d 102400; exec \"$@\"", "sh"];
    let program = [env!("CARGO_BIN_EXE_migrate")];
    let admitted = instance
        .spawn_program(
            "sh",
            &[&shell[..], &program, &admission("1.1.0", "next")].concat(),
        )
        .wait();
    assert_eq!(admitted.code, 0, "{admitted:?}");
}

/// Somebody sets the counter of admissions back, so that those who come next look as if they had been there before.
fn a_counter_that_is_set_back_makes_nobody_unseen(backend: &str) {
    let roles = Roles::on(backend);
    let instance = roles.project("shop_web");
    let coordinator = roles.project("shop_migrator");
    let admit = |version: &str| {
        instance.migrate(&admission(version, "a")).expect_code(0);
        // And it has gone again.
        roles
            .admin
            .execute(&format!("DELETE FROM {}", roles.admin.ledger("leases")));
    };
    for _ in 0..5 {
        admit("1.1.0");
    }
    coordinator.migrate(&["backfill"]).expect_code(0);
    coordinator
        .migrate(&["gate", "contract", "1"])
        .expect_code(0);
    let web = roles.as_role("shop_web");
    web.execute(&format!("UPDATE {} SET seq = 0", web.ledger("admission")));
    // It writes the old format alone: what it wrote has to be carried over.
    admit("1.0.0");
    let refused = coordinator
        .migrate(&["gate", "contract", "1"])
        .expect_code(11);
    assert!(refused.stdout.contains("backfill"), "{refused:?}");
}

#[test]
fn an_instance_is_refused_what_is_not_its_own_on_postgres() {
    an_instance_is_refused_what_is_not_its_own("postgres");
}

#[test]
fn an_instance_is_refused_what_is_not_its_own_on_mysql() {
    an_instance_is_refused_what_is_not_its_own("mysql");
}

#[test]
fn what_an_instance_can_write_stops_nobody_on_postgres() {
    what_an_instance_can_write_stops_nobody("postgres");
}

#[test]
fn what_an_instance_can_write_stops_nobody_on_mysql() {
    what_an_instance_can_write_stops_nobody("mysql");
}

#[test]
fn long_rows_keep_nobody_out_on_postgres() {
    long_rows_keep_nobody_out("postgres");
}

#[test]
fn long_rows_keep_nobody_out_on_mysql() {
    long_rows_keep_nobody_out("mysql");
}

#[test]
fn a_counter_that_is_set_back_makes_nobody_unseen_on_postgres() {
    a_counter_that_is_set_back_makes_nobody_unseen("postgres");
}

#[test]
fn a_counter_that_is_set_back_makes_nobody_unseen_on_mysql() {
    a_counter_that_is_set_back_makes_nobody_unseen("mysql");
}

/// SQLite has no roles: whoever may write the file may write anything. What makes no sense is refused unless he switches
/// that off, and read with care where it is there.
#[test]
fn a_file_that_anybody_writes_is_read_with_care() {
    let shop = Shop::backfilled(Db::on("sqlite"));
    let leases = shop.ledger("leases");
    let garbage = lease(
        &leases,
        "x",
        "web",
        "99, -5, 9223372036854775807, -9223372036854775807, 9223372036854775807",
    );
    assert!(shop.db.try_execute(&garbage).is_err());
    shop.db
        .execute(&format!("PRAGMA ignore_check_constraints = ON; {garbage}"));
    let fleet = shop.run(&["fleet"], 0);
    assert!(
        fleet.stdout.contains("unreadable") || fleet.stdout.contains("makes no sense"),
        "{fleet:?}"
    );
    assert_ne!(shop.project.migrate(&["contract", "1"]).code, 0);
    shop.db.execute(&format!(
        "UPDATE {} SET placed = NULL; INSERT INTO {} VALUES (4000000000, 0, '[' || replace(hex(zeroblob(40000)), '0', '[\"w\",\"1\"],') || '[\"w\",\"1\"]]', '[]')",
        shop.ledger("sightings"),
        shop.ledger("arrivals")
    ));
    shop.run(&["admit", "--service", "web", "--version", "1.1.0"], 0);
    shop.run(
        &["fleet", "forget", "x", "--reason", "it makes no sense"],
        0,
    );
}

/// The guards of docs/grants.md: two applications with roles of their own.
#[test]
fn guarded_an_application_harms_nobody_but_itself() {
    let roles = Roles::on("postgres");
    roles
        .as_role("shop_migrator")
        .execute(&statements("Guards against instances"));
    roles
        .admin
        .execute(&statements("Instances").replace("shop_web", "shop_worker"));
    let (web, coordinator) = (roles.project("shop_web"), roles.project("shop_migrator"));
    let worker = roles.as_role("shop_worker");
    let admit = |project: &Project, version: &str, name: &str| {
        project.migrate(&[
            "admit",
            "--service",
            "web",
            "--version",
            version,
            "--instance",
            name,
            "--for",
            "50m",
        ])
    };
    admit(&web, "1.0.0", "honest").expect_code(0);
    admit(&roles.project("shop_worker"), "1.1.0", "other").expect_code(0);
    let rows = "SELECT * FROM phasegate.leases WHERE written_by = 'shop_web' ORDER BY id";
    let before = roles.admin.query(rows);
    for attack in [
        "DELETE FROM phasegate.leases WHERE written_by <> 'shop_worker'",
        "UPDATE phasegate.leases SET superseded = 1",
        "UPDATE phasegate.leases SET state = 2",
        "UPDATE phasegate.leases SET expires_at = 0",
        "UPDATE phasegate.leases SET renewed_at = 0",
        "UPDATE phasegate.leases SET renewed_at = renewed_at + 36000000 WHERE written_by = 'shop_worker'",
        "UPDATE phasegate.leases SET expires_at = expires_at + 36000000 WHERE written_by = 'shop_worker'",
        "UPDATE phasegate.sightings SET last_seen_at = 0",
        "UPDATE phasegate.sightings SET last_seen_at = last_seen_at + 36000000",
        "UPDATE phasegate.sightings SET seq = 0",
        "UPDATE phasegate.sightings SET seq = seq + 1000",
        "INSERT INTO phasegate.sightings VALUES ('web', '0.9.0', '0.9.0', 1, 1, 0)",
        "INSERT INTO phasegate.arrivals VALUES (4000000000, 0, '[]', '[]')",
        "INSERT INTO phasegate.arrivals SELECT seq, 0, '[[\"web\",\"0.9.0\"]]', '[]' FROM phasegate.admission",
        "UPDATE phasegate.admission SET seq = 0",
        "UPDATE phasegate.admission SET seq = seq + 1000",
    ] {
        let tried = worker.try_execute(attack);
        assert_eq!(roles.admin.query(rows), before, "{attack}");
        let touches_none = attack.starts_with("DELETE") || attack.contains("superseded");
        assert!(touches_none || tried.is_err(), "{attack}");
    }
    let forged = lease(
        "phasegate.leases",
        "forged",
        "web",
        "1, 0, 0, 1000, (extract(epoch FROM clock_timestamp()) * 1000)::bigint + 5000",
    );
    worker.execute(&forged);
    assert_eq!(
        roles
            .admin
            .value("SELECT written_by FROM phasegate.leases WHERE id = 'forged'"),
        "shop_worker"
    );
    assert!(
        worker
            .try_execute(&lease("phasegate.leases", "long", "web", SANE))
            .is_err()
    );
    // Another role that registers under the same name ends nothing, and is not stopped by it either.
    admit(&roles.project("shop_worker"), "1.0.0", "honest").expect_code(0);
    assert_eq!(roles.admin.query(rows), before);

    // Everybody's own work goes on.
    for project in [&web, &roles.project("shop_worker")] {
        project
            .migrate(&[
                "agent",
                "--service",
                "web",
                "--version",
                "1.1.0",
                "--instance",
                "c",
                "--",
                "true",
            ])
            .expect_code(0);
    }
    let live = crate::support::connection::block_on(
        crate::support::lease::of_test(&roles.as_role("shop_web").url, "web", "1.1.0")
            .instance("server-1")
            .renew(std::time::Duration::from_millis(100))
            .acquire(),
    )
    .expect("an instance may register");
    let renewed = || {
        roles
            .admin
            .value("SELECT renewed_at FROM phasegate.leases WHERE instance = 'server-1'")
    };
    let first = renewed();
    crate::support::wait::eventually(crate::support::wait::GENEROUS, || {
        (renewed() != first).then_some(())
    });
    crate::support::connection::block_on(live.draining()).expect("an instance may drain");
    crate::support::connection::block_on(live.release()).expect("an instance may go");
    assert_eq!(
        roles
            .admin
            .value("SELECT count(*) FROM phasegate.leases WHERE instance = 'server-1'"),
        "0"
    );

    assert!([10, 11].contains(&coordinator.migrate(&["gate", "contract", "1"]).code));
    for name in ["honest", "other", "forged"] {
        coordinator
            .migrate(&["fleet", "forget", name, "--reason", "gone"])
            .expect_code(0);
    }
    coordinator.migrate(&["backfill"]).expect_code(0);
    coordinator.migrate(&["contract", "1"]).expect_code(0);

    // A guard that is not word by word what it has to be is code of somebody's.
    roles.as_role("shop_migrator").execute(
        "CREATE OR REPLACE FUNCTION phasegate.guard_leases() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp \
         AS $$ BEGIN RETURN NEW; END $$",
    );
    let refused = admit(&web, "1.1.0", "late").expect_code(1);
    assert!(
        said(&refused).contains("has the trigger guard"),
        "{refused:?}"
    );
}

scenario!(
    apart fn what_somebody_hangs_onto_the_ledger_is_seen(db: Db) {
        let shop = Shop::backfilled(db);
        let (leases, text) = (shop.ledger("leases"), match shop.db.backend.name {
            "mysql" => "VARCHAR(255) COLLATE utf8mb4_bin",
            _ => "TEXT",
        });
        for action in ["NO ACTION", "CASCADE"] {
            let key = format!("FOREIGN KEY (id) REFERENCES {} (id) ON DELETE {action}", match shop.db.backend.name {
                // A name alone: it is one of the same file.
                "sqlite" => "Phasegate_Leases",
                _ => &leases,
            });
            shop.db.execute(&format!("CREATE TABLE hanger (id {text}, {key})"));
            let refused = shop.run(&["contract", "1"], 1);
            assert!(said(&refused).contains("foreign key"), "{refused:?}");
            shop.db.execute("DROP TABLE hanger");
        }
        shop.db.execute(&format!("CREATE UNIQUE INDEX one_each ON {leases} (service)"));
        let refused = shop.run(&["contract", "1"], 1);
        assert!(said(&refused).contains("the unique index one_each"), "{refused:?}");
        let on = if shop.db.backend.name == "mysql" { format!(" ON {leases}") } else { String::new() };
        let schema = if shop.db.backend.name == "postgres" { "phasegate." } else { "" };
        shop.db.execute(&format!("DROP INDEX {schema}one_each{on}"));
        if shop.db.backend.name == "mysql" {
            let convert = format!("ALTER TABLE {leases} CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_");
            shop.db.execute(&format!("{convert}general_ci"));
            let refused = shop.run(&["contract", "1"], 1);
            assert!(said(&refused).contains("compares texts by utf8mb4_general_ci"), "{refused:?}");
            shop.db.execute(&format!("{convert}bin"));
        }
        if shop.db.backend.name == "postgres" {
            shop.db.execute("ALTER TABLE phasegate.leases SET UNLOGGED");
            let refused = shop.run(&["contract", "1"], 1);
            assert!(said(&refused).contains("a crash of the server empties it"), "{refused:?}");
            shop.db.execute("ALTER TABLE phasegate.leases SET LOGGED");
        }
        shop.run(&["admit", "--service", "web", "--version", "1.1.0"], 0);
    }
);

/// A table whose rows are made by a module is none that remembers.
#[test]
fn a_virtual_table_in_the_place_of_the_ledgers_is_no_ledger() {
    let db = Db::on("sqlite");
    db.execute("CREATE VIRTUAL TABLE Phasegate_Leases USING fts5(id, service, version)");
    let project = Project::new(&db, &[]);
    project.file("migrate.toml", SERVICES);
    write_migration(&project);
    let refused = project.migrate(&["expand"]).expect_code(1);
    assert!(said(&refused).contains("is a virtual table"), "{refused:?}");
}
