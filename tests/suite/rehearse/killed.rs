//! A rehearsal that was killed, and what it has left on a server.

use std::time::Duration;

use super::shop::rename;
use crate::support::backend::Db;
use crate::support::project::{Project, Signal};
use crate::support::wait::eventually;

/// Who rehearses here and nowhere else in the suite.
fn somebody(db: &Db) -> (String, String) {
    let name = format!("rehearser_{:08x}", fastrand::u32(..));
    match db.backend.name {
        "postgres" => {
            db.execute(&format!("CREATE ROLE {name} LOGIN PASSWORD 'pw' CREATEDB"));
        }
        // With rights in no database of other tests, where its sessions would be those of somebody who may write.
        _ => {
            for host in ["localhost", "127.0.0.1"] {
                let user = format!("{name}@'{host}'");
                let own = db.value("SELECT DATABASE()");
                db.execute(&format!(
                    "CREATE USER {user} IDENTIFIED BY 'pw'; GRANT ALL ON `phasegate\\_rehearsal\\_%`.* TO {user}; GRANT ALL ON {own}.* TO {user}"
                ));
            }
        }
    };
    let (scheme, rest) = db.url.split_once("://").expect("a URL");
    let (_, server) = rest.split_once('@').expect("a URL with a user");
    let url = format!("{scheme}://{name}:pw@{server}");
    (name, url)
}

/// The scratch databases that somebody has a session in.
fn in_use(db: &Db, name: &str) -> Vec<String> {
    let query = match db.backend.name {
        "postgres" => format!(
            "SELECT DISTINCT datname::text FROM pg_stat_activity WHERE usename = '{name}' AND datname LIKE 'phasegate_rehearsal%'"
        ),
        _ => format!(
            "SELECT DISTINCT db FROM information_schema.processlist WHERE user = '{name}' AND db LIKE 'phasegate_rehearsal%'"
        ),
    };
    db.query(&query).into_iter().flatten().collect()
}

fn is_there(db: &Db, database: &str) -> bool {
    let query = match db.backend.name {
        "postgres" => format!("SELECT count(*) FROM pg_database WHERE datname = '{database}'"),
        _ => format!(
            "SELECT count(*) FROM information_schema.schemata WHERE schema_name = '{database}'"
        ),
    };
    db.value(&query) == "1"
}

fn on(db: &Db, url: &str, database: &str) -> Db {
    let (server, rest) = url.rsplit_once('/').expect("a URL with a database");
    let more = rest.find('?').map_or("", |at| &rest[at..]);
    Db::at(db.backend.name, format!("{server}/{database}{more}"))
}

#[test]
fn what_a_killed_rehearsal_has_left_goes_with_the_next_one() {
    for backend in ["postgres", "mysql"] {
        let db = Db::on(backend);
        let (name, url) = somebody(&db);
        let project = Project::new(&db, &[]);
        project.file(
            "migrate.toml",
            &format!("[services.web]\nmin_instances = 0\n[rehearse]\nurl = \"{url}\"\n"),
        );
        rename(backend).write(&project);
        let mut killed = project.spawn(&["rehearse", "2", "--rows", "0"]);
        let left = eventually(Duration::from_secs(60), || {
            assert!(!killed.has_ended(), "{}", killed.shown());
            Some(in_use(&db, &name)).filter(|left| !left.is_empty())
        });
        killed.signal(Signal::KILL);
        killed.wait();
        eventually(Duration::from_secs(60), || {
            in_use(&db, &name).is_empty().then_some(())
        });
        assert!(
            left.iter().all(|database| is_there(&db, database)),
            "{left:?}"
        );

        // What is none of a rehearsal, or of one that is at work.
        let digits = format!("{:08x}", fastrand::u32(..));
        let other = format!("phasegate_rehearsal_{digits}_kept");
        let held = format!("phasegate_rehearsal_{digits}_0");
        let used = format!("phasegate_rehearsal_{:08x}_0", fastrand::u32(..));
        let somebodys = Db::at(backend, url.clone());
        for database in [&other, &held, &used] {
            somebodys.execute(&format!("CREATE DATABASE {database}"));
        }
        let mut holder = somebodys.connect();
        let lock = match backend {
            "postgres" => format!(
                "SELECT 1 FROM pg_advisory_lock(1347572045, ('x' || '{digits}')::bit(32)::integer)"
            ),
            _ => format!("SELECT GET_LOCK('phasegate_rehearsal_{digits}', 0)"),
        };
        assert_eq!(holder.query(&lock), [["1"]]);
        let mut user = on(&db, &url, &used).connect();
        user.query("SELECT 1");

        let rehearse = || {
            project
                .migrate(&["rehearse", "1", "--rows", "0"])
                .expect_code(0);
        };
        rehearse();
        for database in &left {
            assert!(!is_there(&db, database), "{backend}: {database} was left");
        }
        for database in [&other, &held, &used] {
            assert!(is_there(&db, database), "{backend}: {database} was dropped");
        }
        drop((holder, user));
        // Whoever comes next sees no session any more, once the server does.
        eventually(Duration::from_secs(120), || {
            rehearse();
            (!is_there(&db, &held) && !is_there(&db, &used)).then_some(())
        });
        somebodys.execute(&format!("DROP DATABASE {other}"));
        let drop = match backend {
            "postgres" => format!("DROP ROLE {name}"),
            _ => format!("DROP USER {name}@localhost, {name}@'127.0.0.1'"),
        };
        db.execute(&drop);
    }
}
