//! What somebody without our rights has put into a schema of the search path.

use crate::support::backend::Db;
use crate::support::postgres::PrivateServer;
use crate::support::project::Project;

/// An operator for every pair of plain types that has none of its own, each of which fails where the coordinator, an
/// instance or a reader calls it.
const PLANT: &str = "\
CREATE FUNCTION public.caught() RETURNS void LANGUAGE plpgsql AS $f$ BEGIN
  IF current_user <> 'mallory' THEN RAISE EXCEPTION 'planted code has run as %', current_user; END IF; END $f$;
DO $plant$
DECLARE l text; r text; o text; back text; name text; n int := 0;
  types text[] := ARRAY['int2', 'int4', 'int8', 'numeric', 'float4', 'float8', 'text', 'varchar', 'name', 'bool', 'oid',
    'regclass', 'timestamptz', 'interval', 'xid', 'unknown_is_none'];
BEGIN
  FOREACH l IN ARRAY types LOOP FOREACH r IN ARRAY types LOOP
    FOREACH o IN ARRAY ARRAY['*', '+', '-', '/', '||', '=', '<>', '<', '>', '<=', '>=', '~', '~~'] LOOP
      CONTINUE WHEN l = 'unknown_is_none' OR r = 'unknown_is_none';
      CONTINUE WHEN EXISTS (SELECT FROM pg_operator p WHERE p.oprname = o AND p.oprleft = l::regtype AND p.oprright = r::regtype);
      back := CASE WHEN o IN ('=', '<>', '<', '>', '<=', '>=', '~', '~~') THEN 'bool' WHEN o = '||' THEN 'text' ELSE l END;
      n := n + 1;
      name := 'public.planted_' || n::text;
      EXECUTE format('CREATE FUNCTION %s(%s, %s) RETURNS %s LANGUAGE plpgsql AS $x$ BEGIN PERFORM public.caught(); RETURN NULL; END $x$',
        name, l, r, back);
      EXECUTE format('CREATE OPERATOR public.%s (LEFTARG = %s, RIGHTARG = %s, FUNCTION = %s)', o, l, r, name);
    END LOOP;
  END LOOP; END LOOP;
END $plant$";

fn project(server: &PrivateServer, role: &str) -> Project {
    let db = Db::at("postgres", server.url_as(role, "pw", "shop"));
    let project = Project::new(&db, &[]);
    project.file(
        "migrate.toml",
        "[services.web]\nmin_instances = 0\n[database]\nlock_retry_for = \"2s\"\nlock_timeout = \"1s\"\n\
         [fleet]\nsources = [{ kind = \"leases\" }, { kind = \"sessions\", pattern = \"{service}/{version}\" }]\n",
    );
    project.migration(
        "0001_a",
        &[
            (
                "migration.toml",
                "description = \"t\"\n[services.web]\nnew = \">=1.0.0\"\n",
            ),
            (
                "expand.sql",
                "CREATE TABLE t (id bigint PRIMARY KEY, old text, kept int);\n\
                 INSERT INTO t SELECT n, 'x' FROM generate_series(1, 20) AS n;\n",
            ),
        ],
    );
    project.migration(
        "0002_b",
        &[
            (
                "migration.toml",
                "description = \"fill\"\nrows = \"append-only\"\n[services.web]\nold = \"<1.2.0\"\nnew = \">=1.1.0\"\n\
                 [backfill]\ntable = \"t\"\nkey = \"id\"\nbatch = 5\nworkers = 2\n\
                 remaining = \"SELECT count(*) FROM t WHERE name IS NULL\"\n",
            ),
            ("expand.sql", "ALTER TABLE t ADD COLUMN name text;\n"),
            (
                "backfill.sql",
                "UPDATE t SET name = old WHERE id > :after AND id <= :upto AND name IS NULL;\n",
            ),
            ("contract.sql", "ALTER TABLE t DROP COLUMN old;\n"),
        ],
    );
    project.migration(
        "0003_c",
        &[
            ("migration.toml", "description = \"an index\"\n"),
            (
                "expand.sql",
                "-- migrate: no-transaction\nCREATE INDEX CONCURRENTLY t_name ON t (name);\n",
            ),
        ],
    );
    project
}

#[test]
fn no_operator_that_somebody_has_planted_is_ever_called() {
    let server = PrivateServer::start();
    let admin = server.create("shop");
    admin.execute(
        "CREATE ROLE mallory LOGIN PASSWORD 'pw'; CREATE ROLE migrator LOGIN PASSWORD 'pw'; \
         GRANT CREATE ON DATABASE shop TO migrator; GRANT USAGE, CREATE ON SCHEMA public TO migrator, mallory",
    );
    let mallory = Db::at("postgres", server.url_as("mallory", "pw", "shop"));
    mallory.execute(PLANT);
    // The trap works: this is what our statements used to be made of.
    let sprung = Db::at("postgres", server.url_as("migrator", "pw", "shop"))
        .try_execute("SELECT extract(epoch FROM clock_timestamp()) * 1000");
    assert!(sprung.is_err());

    let project = project(&server, "migrator");
    let commands: &[(&[&str], i32)] = &[
        (&["status"], 0),
        (&["expand"], 0),
        (&["admit", "--service", "web", "--version", "1.1.0"], 0),
        (&["fleet"], 0),
        (&["plan"], 0),
        (&["backfill", "--dry-run"], 0),
        (&["backfill"], 0),
        (&["status"], 0),
        (
            &[
                "agent",
                "--service",
                "web",
                "--version",
                "1.2.0",
                "--",
                "true",
            ],
            0,
        ),
        (&["gate", "deploy", "web=1.2.0"], 0),
        // What `migrate admit` has let in goes by itself.
        (&["gate", "contract", "2"], 10),
        (&["contract", "2"], 10),
        (&["log", "--verify"], 0),
    ];
    for (command, code) in commands {
        project.migrate(command).expect_code(*code);
    }
    admin.execute("DELETE FROM phasegate.leases");
    // Another coordinator's lock is looked into from a second connection.
    let mut other = admin.connect();
    other.execute("BEGIN; LOCK TABLE t");
    let waited = project.migrate(&["contract", "2"]);
    assert!(waited.stderr.contains("session"), "{waited:?}");
    assert!(!waited.stderr.contains("planted"), "{waited:?}");
    other.execute("ROLLBACK");
    project.migrate(&["contract", "2"]).expect_code(0);
    assert_eq!(admin.value("SELECT count(*) FROM t WHERE name = 'x'"), "20");
}

/// A temporary table that is called like one of the catalogue, made by a script, is not taken for it.
#[test]
fn temporary_tables_come_last() {
    let db = Db::on("postgres");
    let project = Project::new(&db, &["web"]);
    project.migration(
        "0001_a",
        &[
            ("migration.toml", "description = \"t\"\n"),
            (
                "expand.sql",
                "CREATE TEMP TABLE pg_stat_activity (pid int) ON COMMIT DROP;\nCREATE TABLE t (id int);\n\
                 CREATE TABLE u AS SELECT pg_sleep(0.1)::text AS slept;\n",
            ),
        ],
    );
    project.migrate(&["expand"]).expect_code(0);
}
