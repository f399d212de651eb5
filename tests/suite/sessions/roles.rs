//! Scripts that take another role or other names for themselves.

use crate::support::backend::Db;
use crate::support::postgres::PrivateServer;
use crate::support::project::Project;

fn run(db: &Db, script: &str) -> Project {
    let project = Project::new(db, &["web"]);
    project.migration(
        "0001_x",
        &[
            ("migration.toml", "description = \"x\"\n"),
            ("expand.sql", script),
        ],
    );
    project.migrate(&["expand"]).expect_code(0);
    project.migrate(&["log", "--verify"]).expect_code(0);
    project
}

#[test]
fn a_script_may_take_another_role_and_its_record_is_written_in_ours() {
    let server = PrivateServer::start();
    for (number, (script, owners)) in [
        (
            "SET LOCAL ROLE app_owner;\nCREATE TABLE app.t (id int PRIMARY KEY, v text);\n",
            "t app_owner",
        ),
        (
            "SET LOCAL ROLE app_owner;\nCREATE TABLE app.t (id int);\nSET LOCAL ROLE NONE;\nCREATE TABLE app.u (id int);\n",
            "t app_owner, u postgres",
        ),
        (
            "SET LOCAL ROLE app_owner;\nCREATE TABLE app.t (id int);\nRESET ROLE;\nCREATE TABLE app.u (id int);\n",
            "t app_owner, u postgres",
        ),
        // A statement that takes time, between which and the next we look at the session.
        (
            "SET LOCAL SESSION AUTHORIZATION app_owner;\nCREATE TABLE app.t (id int);\n\
             CREATE TABLE app.s AS SELECT pg_sleep(0.3)::text AS slept;\nCREATE TABLE app.u (id int);\n",
            "s app_owner, t app_owner, u app_owner",
        ),
        (
            "SET LOCAL search_path = app;\nCREATE TABLE t (id int);\nCREATE TABLE s AS SELECT pg_sleep(0.3)::text AS slept;\n\
             CREATE TABLE u (id int);\n",
            "s postgres, t postgres, u postgres",
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let db = server.create(&format!("shop_{number}"));
        db.execute(
            "DO $$ BEGIN CREATE ROLE app_owner; EXCEPTION WHEN duplicate_object THEN NULL; END $$; \
             CREATE SCHEMA app AUTHORIZATION app_owner",
        );
        run(&db, script);
        let found = db.value(
            "SELECT string_agg(tablename || ' ' || tableowner, ', ' ORDER BY tablename) FROM pg_tables WHERE schemaname = 'app'",
        );
        assert_eq!(found, owners, "{script}");
        let ours = db.value("SELECT string_agg(DISTINCT tableowner, ', ') FROM pg_tables WHERE schemaname = 'phasegate'");
        assert_eq!(ours, "postgres");
    }
}

/// Triggers that wait for the end of the transaction find the names of the session, as they would in any client.
#[test]
fn what_is_put_off_to_the_commit_runs_under_the_session_s_own_names() {
    let db = Db::on("postgres");
    db.execute(
        "CREATE TABLE seen (id int); CREATE TABLE t (id int PRIMARY KEY); \
         CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS \
         $$ BEGIN INSERT INTO seen VALUES (NEW.id); RETURN NULL; END $$; \
         CREATE CONSTRAINT TRIGGER late AFTER INSERT ON t DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION note()",
    );
    run(&db, "INSERT INTO t VALUES (1);\n");
    assert_eq!(db.value("SELECT count(*) FROM seen"), "1");
}

/// A role that becomes another one when it logs in stays that.
#[test]
fn a_role_that_is_set_at_login_is_kept() {
    let server = PrivateServer::start();
    let admin = server.create("shop");
    admin.execute(
        "CREATE ROLE app_owner; CREATE ROLE deployer LOGIN PASSWORD 'pw' IN ROLE app_owner; \
         ALTER ROLE deployer SET role = 'app_owner'; GRANT CREATE ON DATABASE shop TO app_owner; \
         GRANT CREATE ON SCHEMA public TO app_owner",
    );
    let db = Db::at("postgres", server.url_as("deployer", "pw", "shop"));
    run(
        &db,
        "CREATE TABLE t (id int);\nCREATE TABLE s AS SELECT pg_sleep(0.3)::text AS slept;\nCREATE TABLE u (id int);\n",
    );
    let owners = "SELECT string_agg(DISTINCT tableowner, ', ') FROM pg_tables WHERE schemaname IN ('public', 'phasegate')";
    assert_eq!(admin.value(owners), "app_owner");
}
