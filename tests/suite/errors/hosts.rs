//! A URL of several servers: the first that serves is taken, and of each that does not it is said why.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::thread;

use crate::support::backend::Db;
use crate::support::postgres::PrivateServer;
use crate::support::project::Project;
use crate::support::shop::said;
use crate::support::wait::{GENEROUS, eventually};

/// A server that takes connections, and says nothing.
fn silent() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let place = listener.local_addr().expect("an address").to_string();
    (listener, place)
}

/// A server of PostgreSQL that has no TLS, and answers every login with this error.
fn answering(code: &'static str) -> String {
    let (listener, place) = silent();
    let body = format!("SFATAL\0C{code}\0Mnobody is let in\0\0");
    let length = u32::try_from(body.len() + 4).expect("a short text");
    let error = [b"E", &length.to_be_bytes()[..], body.as_bytes()].concat();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut buffer = [0; 4096];
            while let Ok(length @ 1..) = stream.read(&mut buffer) {
                let asks_for_tls = buffer[..length].ends_with(&[4, 210, 22, 47]);
                let answer: &[u8] = if asks_for_tls { b"N" } else { &error };
                if stream.write_all(answer).is_err() || !asks_for_tls {
                    break;
                }
            }
        }
    });
    place
}

/// The URL, with these servers before its own.
fn after(servers: &[&str], url: &str) -> String {
    let (before, place) = url.split_once('@').expect("a URL with a user");
    format!("{before}@{},{place}", servers.join(","))
}

/// What is said, on both streams.
fn asked(project: &Project, url: &str, code: i32) -> String {
    let output = project
        .migrate(&["status", "--database-url", url])
        .expect_code(code);
    format!("{} {}", output.stdout, said(&output))
}

scenario!(
    fn the_first_server_that_serves_is_taken(db: Db) {
        if db.backend.name == "sqlite" {
            return;
        }
        let project = Project::without_database(&["web"]);
        let url = after(&["127.0.0.1:1"], &db.url);
        let expand = ["expand", "--database-url", &url];
        project.migrate(&expand).expect_code(0);
        asked(&project, &url, 0);
        // The one behind it is the one that it was.
        asked(&project, &db.url, 0);
        // Of each that does not serve it is said why.
        let (_listener, silent) = silent();
        let (before, _) = db.url.split_once('@').expect("a user");
        let nobody = format!("{before}@127.0.0.1:1,{silent}/shop?connect_timeout=1");
        let told = asked(&project, &nobody, 12);
        for part in [
            &format!("@127.0.0.1:1,{silent}/shop"),
            "127.0.0.1:1: Connection refused",
            &format!("{silent}: no answer within"),
        ] {
            assert!(told.contains(part), "{part}: {told}");
        }
    }
);

#[test]
fn a_standby_and_a_full_server_are_passed_over_and_a_failover_is_followed() {
    let primary = PrivateServer::start();
    let db = primary.create("shop");
    let project = Project::without_database(&["web"]);
    let standby = primary.follow();
    let behind = Db::at("postgres", standby.url("shop"));
    let (full, place) = (answering("53300"), format!("127.0.0.1:{}", standby.port()));
    let several = after(&[&full, &place], &db.url);
    let url = format!("{several}?target_session_attrs=read-write");
    let expand = ["expand", "--database-url", &url];
    project.migrate(&expand).expect_code(0);
    eventually(GENEROUS, || {
        let there = behind.try_execute("SELECT count(*) FROM phasegate.meta");
        there.ok().map(drop)
    });
    primary.stop();
    let told = asked(&project, &after(&[&place], &db.url), 12);
    for part in [&format!("{place}: this is a standby"), "Connection refused"] {
        assert!(told.contains(part), "{part}: {told}");
    }
    behind.execute("SELECT pg_promote()");
    asked(&project, &url, 0);
}

#[test]
fn a_server_that_refuses_who_we_are_is_not_passed_over() {
    let project = Project::without_database(&["web"]);
    let refusing = answering("28P01");
    let url = format!("postgres://me:M1grSecret@{refusing},127.0.0.1:1/shop");
    let told = asked(&project, &url, 1);
    assert!(told.contains("refuses the user or the password"), "{told}");
    assert!(
        told.contains(&format!("{refusing}: nobody is let in")),
        "{told}"
    );
    assert!(!told.contains("M1grSecret"), "{told}");
}

#[test]
fn what_cannot_be_reached_is_answered_by_what_it_is() {
    let (listener, place) = silent();
    // It speaks first, as a server of MySQL does.
    thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let spoken = stream.write_all(b"d\0\0\0\n10.11");
            // Until the other side hangs up.
            let _ = spoken.and_then(|()| stream.read_to_end(&mut Vec::new()));
        }
    });
    let project = Project::without_database(&["web"]);
    for (url, says) in [
        (
            format!("postgres://me@{place}/shop?sslmode=prefer"),
            [
                "does not speak as a server of PostgreSQL",
                "the database's own server",
            ],
        ),
        (
            "postgres://me@/shop?host=/no/such".to_owned(),
            ["at /no/such", "the path of its socket"],
        ),
        (
            "mysql://me@/shop?socket=/no/such.sock".to_owned(),
            ["at /no/such.sock", "the path of its socket"],
        ),
        (
            "mysql://me@127.0.0.1:1/shop".to_owned(),
            ["Connection refused", "host and port"],
        ),
    ] {
        let told = asked(&project, &url, 12);
        for part in says {
            assert!(told.contains(part), "{url}: {part}: {told}");
        }
    }
}
