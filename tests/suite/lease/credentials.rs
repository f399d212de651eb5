//! Logins while passwords change, and how seldom there is one.

use super::leases_table;
use super::process::agent;
use crate::support::backend::Db;
use crate::support::mysql;
use crate::support::postgres;
use crate::support::project::{Process, Project, Signal};
use crate::support::wait::{GENEROUS, eventually, poll};

/// A server with a user whose password changes.
struct Server<'a> {
    admin: Db,
    /// That user's URL with this password.
    url_as: Box<dyn Fn(&str) -> String + 'a>,
    change: &'static str,
    /// Ends that user's sessions.
    end: &'static str,
    /// The number of that user's session; NULL or none where there is none.
    session: &'static str,
}

const FIRST: &str = "first%20password";

/// Runs a test on a server of each kind whose users have passwords.
fn on_each(test: impl Fn(&Server<'_>)) {
    let server = postgres::PrivateServer::start();
    let admin = server.create("shop");
    admin.execute("CREATE ROLE rotated LOGIN SUPERUSER PASSWORD 'first password'");
    test(&Server {
        admin,
        url_as: Box::new(|password| server.url_as("rotated", password, "shop")),
        change: "ALTER ROLE rotated PASSWORD 'second password'",
        end: "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'rotated'",
        session: "SELECT coalesce(string_agg(pid::text, ' '), '') FROM pg_stat_activity WHERE usename = 'rotated'",
    });
    let server = mysql::PrivateServer::start();
    let admin = server.create("shop");
    admin.execute("CREATE USER rotated IDENTIFIED BY 'first password'");
    admin.execute("GRANT ALL ON shop.* TO rotated");
    test(&Server {
        admin,
        url_as: Box::new(|password| server.url_as("rotated", password, "shop")),
        change: "ALTER USER rotated IDENTIFIED BY 'second password'",
        end: "KILL USER rotated",
        session: "SELECT coalesce(group_concat(id SEPARATOR ' '), '') FROM information_schema.processlist WHERE user = 'rotated'",
    });
}

impl Server<'_> {
    fn project(&self, password: &str, config: &str) -> Project {
        let db = Db::at(self.admin.backend.name, (self.url_as)(password));
        let project = Project::new(&db, &["web"]);
        let fleet = "[fleet]\nlease = \"60s\"\nrenew = \"200ms\"\n";
        project.file("migrate.toml", &format!("[services.web]\n{fleet}{config}"));
        project
    }

    #[track_caller]
    fn is_renewed(&self, agent: &mut Process) {
        let table = leases_table(&self.admin);
        let renewed_at = || self.admin.query(&format!("SELECT renewed_at FROM {table}"));
        for _ in 0..3 {
            let before = renewed_at();
            let renewed = poll(GENEROUS, || (renewed_at() != before).then_some(()));
            assert!(renewed.is_some(), "{}", agent.shown());
        }
        assert!(!agent.has_ended(), "{}", agent.shown());
    }

    fn session(&self) -> String {
        self.admin.value(self.session)
    }
}

fn stop(agent: Process) -> String {
    agent.signal(Signal::TERM);
    agent.wait().expect_code(143).stderr
}

fn started(project: &Project) -> Process {
    let mut agent = agent(project, &["sh", "-c", "echo started; exec sleep 1000"]);
    agent.wait_for_line("started", GENEROUS);
    agent
}

#[test]
fn a_changed_password_stops_nobody_who_is_logged_in() {
    on_each(|server| {
        let project = server.project(FIRST, "");
        // Changed before the first renewal: the admission's login is the only one.
        let mut agent = started(&project);
        let session = server.session();
        server.admin.execute(server.change);
        server.is_renewed(&mut agent);
        assert_eq!(server.session(), session);
        assert_eq!(stop(agent), "");
        assert_eq!(server.session(), "");
        let refused = project.migrate(&["status"]).expect_code(1);
        assert!(refused.stderr.contains("password"), "{refused:?}");
    });
}

#[test]
fn a_connection_that_was_closed_is_made_anew_without_a_word() {
    on_each(|server| {
        let project = server.project(FIRST, "");
        let mut agent = started(&project);
        server.is_renewed(&mut agent);
        let session = server.session();
        // Fails on PostgreSQL where it returns rows; it is done all the same.
        server.admin.query(server.end);
        server.is_renewed(&mut agent);
        assert_ne!(server.session(), session);
        assert_eq!(stop(agent), "");
    });
}

#[test]
fn a_short_connection_is_closed_after_each_renewal() {
    on_each(|server| {
        let project = server.project(FIRST, "connection = \"short\"\n");
        let mut agent = started(&project);
        for _ in 0..3 {
            eventually(GENEROUS, || server.session().is_empty().then_some(()));
            server.is_renewed(&mut agent);
        }
        stop(agent);
    });
}

#[test]
fn a_password_is_asked_for_at_each_login() {
    on_each(|server| {
        for (config, variable) in [
            ("[database]\npassword_file = \"password\"\n", None),
            (
                "[database]\npassword_command = [\"sh\", \"-c\", \"cat password; echo noise >&2\"]\n",
                None,
            ),
            ("", Some("password")),
        ] {
            let second = server.change;
            server.admin.execute(&second.replace("second", "first"));
            let project = server.project("not%20this%20one", config);
            if let Some(file) = variable {
                project.env("DATABASE_PASSWORD_FILE", file);
            }
            project.file("password", "first password\n");
            let mut agent = started(&project);
            project.migrate(&["status"]).expect_code(0);
            server.admin.execute(second);
            project.file("password", "second password\n");
            let session = server.session();
            server.admin.query(server.end);
            server.is_renewed(&mut agent);
            assert_ne!(server.session(), session);
            project.migrate(&["status"]).expect_code(0);
            assert_eq!(stop(agent), "");
        }
    });
}

/// What is at work is cancelled over a login of its own, which knows the password of then.
#[test]
fn a_statement_is_cancelled_with_the_password_of_then() {
    on_each(|server| {
        let (slow, at_work) = match server.admin.backend.name {
            "postgres" => (
                "CREATE TABLE big AS SELECT pg_sleep(600)::text AS n;",
                "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%pg_sl' || 'eep(600)%'",
            ),
            _ => (
                "CREATE TABLE big AS SELECT SLEEP(600) AS n;",
                "SELECT count(*) FROM information_schema.processlist WHERE state = 'User sleep'",
            ),
        };
        let project = server.project(
            "not%20this%20one",
            "[database]\npassword_file = \"password\"\n",
        );
        project.file("password", "first password\n");
        project.migration(
            "0001_slow",
            &[
                (
                    "migration.toml",
                    "description = \"slow\"\n[[expand.allow]]\nstatement = \"CREATE TABLE big AS\"\nreason = \"a test\"\n",
                ),
                ("expand.sql", slow),
            ],
        );
        let expand = project.spawn(&["expand"]);
        eventually(GENEROUS, || {
            (server.admin.value(at_work) != "0").then_some(())
        });
        server.admin.execute(server.change);
        project.file("password", "second password\n");
        expand.signal(Signal::TERM);
        let output = expand.wait().expect_code(130);
        assert!(
            !output.stderr.contains("could not be cancelled"),
            "{output:?}"
        );
        assert_eq!(server.admin.value(at_work), "0");
    });
}

#[test]
fn what_a_password_command_says_is_not_repeated() {
    on_each(|server| {
        let command = "echo s3cret-token; echo s3cret-token >&2; exit 7";
        let config = format!("[database]\npassword_command = [\"sh\", \"-c\", \"{command}\"]\n");
        let project = server.project(FIRST, &config);
        let output = project.migrate(&["-vvv", "status"]).expect_code(1);
        assert!(output.stderr.contains("exit status: 7"), "{output:?}");
        // The server was not asked.
        assert!(!output.stderr.contains("refuses"), "{output:?}");
        let said = format!("{}{}", output.stdout, output.stderr);
        let quoted = said.lines().filter(|line| line.contains("s3cret"));
        assert_eq!(quoted.count(), 0, "{said}");
    });
}
