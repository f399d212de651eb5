//! A ledger that somebody else owns, or has put code on.

use crate::support::backend::Db;
use crate::support::postgres::PrivateServer;
use crate::support::project::Project;
use crate::support::shop::said;

fn project(db: &Db) -> Project {
    let project = Project::new(db, &["web"]);
    project.migration(
        "0001_a",
        &[
            (
                "migration.toml",
                "description = \"t\"\n[services.web]\nnew = \">=1.0.0\"\n",
            ),
            ("expand.sql", "CREATE TABLE t (id int PRIMARY KEY);\n"),
        ],
    );
    project
}

/// Something more to do.
fn pending(project: &Project) {
    project.migration(
        "0002_b",
        &[
            ("migration.toml", "description = \"u\"\n"),
            ("expand.sql", "CREATE TABLE u (id int PRIMARY KEY);\n"),
        ],
    );
}

/// The roles of a database in which anybody may make a schema.
fn server() -> (PrivateServer, Db) {
    let server = PrivateServer::start();
    let admin = server.create("shop");
    admin.execute(
        "CREATE ROLE mallory LOGIN PASSWORD 'pw'; CREATE ROLE migrator LOGIN PASSWORD 'pw'; CREATE ROLE web LOGIN PASSWORD 'pw'; \
         GRANT CREATE ON DATABASE shop TO migrator, mallory; GRANT USAGE, CREATE ON SCHEMA public TO migrator",
    );
    (server, admin)
}

const EVENTS: &str = "CREATE TABLE phasegate.events (seq bigint PRIMARY KEY, at BIGINT NOT NULL, actor text NOT NULL, \
     kind text NOT NULL, migration text, detail text NOT NULL, previous text NOT NULL, hash text NOT NULL)";

#[test]
fn a_schema_that_somebody_made_before_the_first_command_is_not_used() {
    let (server, admin) = server();
    let mallory = Db::at("postgres", server.url_as("mallory", "pw", "shop"));
    mallory.execute("CREATE SCHEMA phasegate; GRANT ALL ON SCHEMA phasegate TO PUBLIC");
    for (planted, url) in [
        ("SELECT 1", server.url_as("migrator", "pw", "shop")),
        ("SELECT 1", server.url("shop")),
        (EVENTS, server.url_as("migrator", "pw", "shop")),
        (
            "GRANT ALL ON phasegate.events TO PUBLIC",
            server.url("shop"),
        ),
    ] {
        mallory.execute(planted);
        let project = project(&Db::at("postgres", url));
        let commands: [&[&str]; 2] = [
            &["expand"],
            &["admit", "--service", "web", "--version", "1.0.0"],
        ];
        for command in commands {
            let refused = project.migrate(command).expect_code(1);
            let said = said(&refused);
            assert!(said.contains("phasegate belongs to mallory"), "{refused:?}");
            assert!(said.contains("OWNER TO"), "{refused:?}");
        }
    }
    assert_eq!(admin.value("SELECT count(*) FROM phasegate.events"), "0");
    // Handed over, it is used.
    admin.execute(
        "ALTER SCHEMA phasegate OWNER TO migrator; ALTER TABLE phasegate.events OWNER TO migrator",
    );
    let owned = project(&Db::at("postgres", server.url_as("migrator", "pw", "shop")));
    owned.migrate(&["expand"]).expect_code(0);
}

/// Every way to have code run when a row of the ledger is written, or to have rows appear or vanish in it.
#[test]
fn whatever_is_put_on_a_table_of_the_ledger_is_seen_by_whoever_reads_or_writes() {
    let (server, admin) = server();
    let db = Db::at("postgres", server.url_as("migrator", "pw", "shop"));
    let coordinator = project(&db);
    coordinator.migrate(&["expand"]).expect_code(0);
    pending(&coordinator);
    admin.execute(
        "GRANT USAGE ON SCHEMA phasegate TO web; GRANT ALL ON ALL TABLES IN SCHEMA phasegate TO web; \
         CREATE SCHEMA evil; CREATE FUNCTION evil.trg() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$; \
         CREATE FUNCTION evil.f(text) RETURNS text IMMUTABLE LANGUAGE sql AS $$ SELECT $1 $$; \
         CREATE DOMAIN evil.d AS bigint CHECK (VALUE > 0)",
    );
    let instance = project(&Db::at("postgres", server.url_as("web", "pw", "shop")));
    let admit: &[&str] = &["admit", "--service", "web", "--version", "1.0.0"];
    instance.migrate(admit).expect_code(0);
    for (plant, pull, named) in [
        (
            "CREATE TRIGGER t AFTER INSERT ON phasegate.leases FOR EACH ROW EXECUTE FUNCTION evil.trg()",
            "DROP TRIGGER t ON phasegate.leases",
            "has the trigger t",
        ),
        (
            "CREATE RULE r AS ON INSERT TO phasegate.events DO ALSO SELECT 1",
            "DROP RULE r ON phasegate.events",
            "has the rule r",
        ),
        (
            "ALTER TABLE phasegate.leases ENABLE ROW LEVEL SECURITY",
            "ALTER TABLE phasegate.leases DISABLE ROW LEVEL SECURITY",
            "row level security",
        ),
        (
            "CREATE TABLE evil.more () INHERITS (phasegate.leases)",
            "DROP TABLE evil.more",
            "shares rows with evil.more",
        ),
        (
            "ALTER TABLE phasegate.events ALTER COLUMN detail SET DEFAULT evil.f('x')",
            "ALTER TABLE phasegate.events ALTER COLUMN detail DROP DEFAULT",
            "uses function evil.f",
        ),
        (
            "ALTER TABLE phasegate.leases ADD CONSTRAINT c CHECK (evil.f(instance) <> 'x')",
            "ALTER TABLE phasegate.leases DROP CONSTRAINT c",
            "uses function evil.f",
        ),
        (
            "CREATE INDEX i ON phasegate.leases (evil.f(instance))",
            "DROP INDEX phasegate.i",
            "uses function evil.f",
        ),
        (
            "ALTER TABLE phasegate.admission ALTER COLUMN seq TYPE evil.d",
            "ALTER TABLE phasegate.admission ALTER COLUMN seq TYPE bigint",
            "uses type evil.d",
        ),
        (
            "ALTER TABLE phasegate.leases OWNER TO mallory; GRANT ALL ON phasegate.leases TO migrator",
            "ALTER TABLE phasegate.leases OWNER TO migrator",
            "phasegate.leases belongs to mallory",
        ),
    ] {
        admin.execute(plant);
        for output in [
            coordinator.migrate(&["expand"]),
            instance.migrate(admit),
            instance.migrate(&["gate", "deploy", "web=1.0.0"]),
        ] {
            assert_eq!(output.code, 1, "{plant}: {output:?}");
            assert!(said(&output).contains(named), "{plant}: {output:?}");
        }
        admin.execute(pull);
    }
    instance.migrate(admit).expect_code(0);
    coordinator.migrate(&["expand"]).expect_code(0);
}

/// Where a database has no owners, what is put on a table is seen all the same.
#[test]
fn a_trigger_on_the_ledger_is_seen_on_every_database() {
    for (backend, plant) in [
        (
            "sqlite",
            "CREATE TRIGGER t AFTER INSERT ON phasegate_events BEGIN DELETE FROM phasegate_leases; END",
        ),
        (
            "mysql",
            "CREATE TRIGGER t AFTER INSERT ON phasegate_events FOR EACH ROW DELETE FROM phasegate_leases",
        ),
    ] {
        let db = Db::on(backend);
        let project = project(&db);
        project.migrate(&["expand"]).expect_code(0);
        pending(&project);
        db.execute(plant);
        let refused = project.migrate(&["expand"]).expect_code(1);
        assert!(
            said(&refused).contains("phasegate_events has the trigger t"),
            "{refused:?}"
        );
    }
}
