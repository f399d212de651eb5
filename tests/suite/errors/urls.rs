//! What a URL may say, how safe the connection is that comes of it, and what is never sent or shown.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use crate::support::mysql;
use crate::support::postgres::PrivateServer;
use crate::support::project::Project;
use crate::support::shop::said;

const SECRET: &str = "M1grSecret";

/// A server that answers `N` to a request for TLS and then asks for the password in clear text. Tells everything that it
/// was sent.
fn who_asks_in_clear() -> (u16, Receiver<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    let (tell, told) = channel();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let tell = tell.clone();
            thread::spawn(move || {
                let mut received = Vec::new();
                let mut buffer = [0; 4096];
                while let Ok(length @ 1..) = stream.read(&mut buffer) {
                    let message = &buffer[..length];
                    received.extend_from_slice(message);
                    let answer: &[u8] = if message.ends_with(&[4, 210, 22, 47]) {
                        b"N"
                    } else {
                        b"R\0\0\0\x08\0\0\0\x03"
                    };
                    if stream.write_all(answer).is_err() {
                        break;
                    }
                }
                // Whoever waits for it may be gone.
                let _ = tell.send(received);
            });
        }
    });
    (port, told)
}

#[test]
fn no_password_is_sent_in_clear_text_without_tls() {
    let (port, told) = who_asks_in_clear();
    let project = Project::without_database(&["web"]);
    for (host, parameters) in [
        ("127.0.0.1", ""),
        ("localhost", "?sslmode=prefer"),
        ("127.0.0.1", "?sslmode=allow"),
        ("127.0.0.1", "?sslmode=disable"),
        ("127.0.0.1", "?sslmode=require"),
    ] {
        let url = format!("postgres://migrator:{SECRET}@{host}:{port}/shop{parameters}");
        let output = project.migrate(&["status", "--database-url", &url]);
        assert_eq!(output.code, 12, "{output:?}");
        assert!(said(&output).contains("TLS"), "{output:?}");
        assert!(!said(&output).contains(SECRET), "{output:?}");
        let received = told.recv().expect("it was spoken to");
        assert!(!received.is_empty());
        let received = String::from_utf8_lossy(&received).into_owned();
        assert!(!received.contains(SECRET), "{received:?}");
    }
    let url = format!("postgres://migrator@127.0.0.1:{port}/shop");
    project.env("PGPASSWORD", SECRET);
    let output = project.migrate(&["status", "--database-url", &url]);
    assert!(said(&output).contains("clear text"), "{output:?}");
}

#[test]
fn a_password_on_its_own_machine_is_as_good_as_ever() {
    let server = PrivateServer::start();
    let db = server.create("shop");
    db.execute("CREATE ROLE clerk LOGIN PASSWORD 'right-one'");
    for parameters in [
        "",
        "?sslmode=disable",
        "?sslmode=prefer",
        "?connect_timeout=5",
    ] {
        let url = format!(
            "{}{parameters}",
            server.url_as("clerk", "right-one", "shop")
        );
        let project = Project::without_database(&["web"]);
        let output = project.migrate(&["status", "--database-url", &url]);
        assert_eq!(output.code, 0, "{output:?}");
    }
    let url = format!(
        "{}?sslmode=verify-full",
        server.url_as("clerk", "right-one", "shop")
    );
    let project = Project::without_database(&["web"]);
    let output = project
        .migrate(&["status", "--database-url", &url])
        .expect_code(12);
    assert!(said(&output).contains("offers no TLS"), "{output:?}");
}

scenario!(
    fn a_url_may_come_from_a_file(db: Db) {
        let project = Project::without_database(&["web"]);
        project.file("url", &format!("{}\n", db.url));
        let read = |arguments: &[&str]| project.migrate(arguments).code;
        assert_eq!(read(&["status", "--database-url-file", "url"]), 0);
        // Where several name one, the first of this order wins.
        project.env("DATABASE_URL_FILE", "url");
        assert_eq!(read(&["status"]), 0);
        project.env("DATABASE_URL", "oracle://x");
        assert_eq!(read(&["status"]), 1);
        assert_eq!(read(&["status", "--database-url-file", "url"]), 0);
        assert_eq!(read(&["status", "--database-url-file", "none"]), 1);
        let both = read(&[
            "status",
            "--database-url-file",
            "url",
            "--database-url",
            "x",
        ]);
        assert_eq!(both, 2);
    }
);

#[test]
fn what_a_url_cannot_say_is_named() {
    let project = Project::without_database(&["web"]);
    for (url, words) in [
        ("postgres://me:kk/Q>hidden@127.0.0.1:6543/shop", "%2F"),
        ("postgres://me:hunter#hidden@127.0.0.1:6543/shop", "%23"),
        ("postgres://me:12/hidden@127.0.0.1:6543/shop", "%2F"),
        (
            "postgres://me:p@hidden/w:o#r%d?&^ x@127.0.0.1:6543/shop",
            "%2F",
        ),
        ("mysql://me:12/hidden@127.0.0.1:6543/shop", "%2F"),
        ("postgres://h/shop?schema=app", "search_path=app"),
        ("postgres://h/shop?sslmod=verify-full", "`sslmode`"),
        ("postgres://h/shop?ssl=true", "sslmode=require"),
        (
            "postgres://h/shop?target_session_attrs=standby",
            "only the primary is asked",
        ),
        (
            "postgres://h/shop?connect_timeout=soon",
            "number of seconds",
        ),
        ("postgres://h/shop?socket=/run/hidden", "write `host=…`"),
        ("postgres://h/shop?charset=utf8mb4", "it is one of MySQL"),
        (
            "postgres://h/shop?service=hidden",
            "host, user and database",
        ),
        (
            "postgres://h/shop?sslrootcert=system&sslmode=require",
            "`sslmode=verify-full`",
        ),
        ("\"postgres://me:hidden@h/shop\"", "stands in quotes"),
        (
            "jdbc:postgresql://h/shop?password=hidden",
            "leave out `jdbc:`",
        ),
        ("postgresql+psycopg2://me:hidden@h/shop", "`postgresql://`"),
        ("host=h dbname=shop password=hidden", "words of libpq"),
        ("me:hidden@tcp(h:3306)/shop", "mysql://USER@HOST"),
        (
            "mysql://h/shop?password=hidden",
            "mysql://USER:PASSWORD@HOST",
        ),
        (
            "mysql://h/shop?options=-c%20a%3Dhidden",
            "it is one of PostgreSQL",
        ),
        (
            "mysql://h/shop?sslrootcert=/no/such.pem",
            "write `ssl-ca=…`",
        ),
        (
            "mysql://h/shop?ssl-ca=system&ssl-mode=REQUIRED",
            "VERIFY_IDENTITY",
        ),
        ("postgres://h/shop?channel_binding=require", "verify-full"),
        ("mysql://h/shop?useSSL=true", "ssl-mode=REQUIRED"),
        ("mysql://h/shop?sslmod=REQUIRED", "`sslmode`"),
        (
            "postgres://localhost/shop?sslmode=verify-full&sslrootcert=/no/such.pem",
            "/no/such.pem",
        ),
        (
            "mysql://localhost/shop?ssl-mode=VERIFY_CA&ssl-ca=/no/such.pem",
            "`/no/such.pem`, which `ssl-ca` in the URL names",
        ),
    ] {
        for more in [&[][..], &["--output", "json"]] {
            let output = project.migrate(&[&["status", "--database-url", url], more].concat());
            let all = format!("{}{}", said(&output), output.stdout);
            // Of a connection that is not safe enough nothing is known; what cannot be read is an error.
            let is_unsafe = all.contains("no safe connection");
            let code = if is_unsafe { 12 } else { 1 };
            assert_eq!(output.code, code, "{url}: {all}");
            assert!(all.contains(words), "{url}: {all}");
            assert!(
                !all.contains("hidden") && !all.contains("hunter"),
                "{url}: {all}"
            );
        }
    }
}

#[test]
fn mistakes_in_the_file_repeat_no_password() {
    for line in [
        "url = postgres://u:S3cr3tPW@h/x",
        "url = \"S3cr3tPW\"",
        "url = S3cr3tPW",
        "url = \"postgres:u:S3cr3tPW@h/x\"",
        "url = \"postgres:/u:S3cr3tPW@h/x\"",
        "url = \"postgres://u:S3cr3tPW@h/x?sslmod=require\"",
        "url = \"mysql:u:S3cr3tPW@h\"",
        "url = \"sqlite://u:S3cr3tPW@h/x\"",
        "url = \"sqlite:u:S3cr3tPW@h?a=b\"",
        "replicas = [\"postgres:u:S3cr3tPW@h\"]",
        "ulr = \"S3cr3tPW\"",
        "ulr = \"postgres://u:S3cr3tPW@h/x\"",
        "password = \"S3cr3tPW\"",
        "password = S3cr3tPW",
        "url = [\"S3cr3tPW\"]",
        "replicas = [\"S3cr3tPW\"]",
        "replicas = [\n  \"S3cr3tPW\",\n]",
        "url = \"postgres://u:S3cr3tPW@h/x",
    ] {
        let project = Project::without_database(&["web"]);
        project.file(
            "migrate.toml",
            &format!("[database]\n{line}\n[services.web]\nmin_instances = 0\n"),
        );
        for command in [&["check"][..], &["status"], &["check", "--output", "json"]] {
            let output = project.migrate(command);
            let all = format!("{}{}", output.stdout, output.stderr);
            assert!(!all.contains("S3cr3tPW"), "{line}: {all}");
            assert_ne!(output.code, 0, "{line}: {all}");
        }
    }
}

#[test]
fn a_full_server_is_waited_for_a_while() {
    let server = mysql::PrivateServer::start();
    let db = server.create("shop");
    db.execute("CREATE USER clerk@'%' IDENTIFIED BY 'right-one' WITH MAX_USER_CONNECTIONS 1; GRANT ALL ON shop.* TO clerk@'%'");
    let url = server.url_as("clerk", "right-one", "shop");
    let held = crate::support::connection::Connection::new(Box::new(
        crate::support::connection::MysqlSession::open(&url).expect("the first one"),
    ));
    let project = Project::without_database(&["web"]);
    let full = format!("{url}?connect_timeout=1");
    let output = project
        .migrate(&["status", "--database-url", &full])
        .expect_code(12);
    assert!(said(&output).contains("no connection left"), "{output:?}");
    let waiting = thread::spawn(move || {
        project.migrate(&["gate", "deploy", "web=1.0.0", "--database-url", &url])
    });
    drop(held);
    // It is let in, and then says what it found.
    let output = waiting.join().expect("it ends");
    assert!(!said(&output).contains("no connection left"), "{output:?}");
}
