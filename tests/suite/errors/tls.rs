//! TLS with real servers and certificates that are right, for another host, expired, or of an authority that nobody named; and
//! servers that want a password in clear text.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Command;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use crate::support::mysql;
use crate::support::postgres;
use crate::support::project::Project;
use crate::support::shop::said;

/// Authorities and the certificates that they have signed, each in a file with its key beside it.
struct Certificates {
    directory: tempfile::TempDir,
}

impl Certificates {
    fn new() -> Self {
        let made = Self {
            directory: tempfile::tempdir().expect("a directory"),
        };
        for authority in ["ours", "theirs"] {
            made.openssl(&format!(
                "req -x509 {KEY} -keyout {authority}.key -out {authority}.pem -days 10 -subj /CN={authority}"
            ));
        }
        for (name, authority, names, days) in [
            ("good", "ours", "DNS:localhost,IP:127.0.0.1", 10),
            ("other-host", "ours", "DNS:db.example.org", 10),
            ("expired", "ours", "DNS:localhost,IP:127.0.0.1", -1),
            ("unknown", "theirs", "DNS:localhost,IP:127.0.0.1", 10),
        ] {
            std::fs::write(made.path("names"), format!("subjectAltName={names}\n"))
                .expect("a file");
            made.openssl(&format!(
                "req {KEY} -keyout {name}.key -out request -subj /CN={name}"
            ));
            made.openssl(&format!(
                "x509 -req -in request -CA {authority}.pem -CAkey {authority}.key -CAcreateserial -out {name}.pem -days {days} \
                 -extfile names"
            ));
        }
        made
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).expect("a file")
    }

    fn openssl(&self, arguments: &str) {
        let output = Command::new("openssl")
            .args(arguments.split_whitespace())
            .current_dir(self.directory.path())
            .output()
            .expect("openssl runs");
        assert!(output.status.success(), "openssl {arguments}: {output:?}");
    }
}

const KEY: &str = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";

/// What comes of a connection: it is made, or refused with these words.
type Outcome = Option<&'static [&'static str]>;

const MADE: Outcome = None;
const OTHER_HOST: Outcome = Some(&[
    "is for another name",
    "db.example.org",
    "connect by the name that it has",
]);
const EXPIRED: Outcome = Some(&["the server at", "has expired"]);
const UNKNOWN: Outcome = Some(&["is signed by none of those in", "ours.pem"]);
const UNNAMED: Outcome = Some(&[
    "is signed by no public authority",
    "name the file of its authority with",
]);

/// A certificate, a mode in the words of PostgreSQL and of MariaDB, whether the authority is named, and what comes of it.
const CASES: &[(&str, &str, &str, bool, Outcome)] = &[
    ("good", "verify-full", "VERIFY_IDENTITY", true, MADE),
    ("good", "verify-ca", "VERIFY_CA", true, MADE),
    ("good", "require", "REQUIRED", false, MADE),
    ("good", "verify-full", "VERIFY_IDENTITY", false, UNNAMED),
    ("good", "verify-ca", "VERIFY_CA", false, UNNAMED),
    (
        "other-host",
        "verify-full",
        "VERIFY_IDENTITY",
        true,
        OTHER_HOST,
    ),
    ("other-host", "verify-ca", "VERIFY_CA", true, MADE),
    ("other-host", "require", "REQUIRED", false, MADE),
    ("expired", "verify-full", "VERIFY_IDENTITY", true, EXPIRED),
    ("expired", "verify-ca", "VERIFY_CA", true, EXPIRED),
    ("expired", "require", "REQUIRED", true, EXPIRED),
    ("expired", "require", "REQUIRED", false, MADE),
    ("unknown", "verify-full", "VERIFY_IDENTITY", true, UNKNOWN),
    ("unknown", "verify-ca", "VERIFY_CA", true, UNKNOWN),
    ("unknown", "require", "REQUIRED", true, UNKNOWN),
];

fn comes_of(project: &Project, url: &str, outcome: Outcome) {
    let output = project.migrate(&["status", "--database-url", url]);
    match outcome {
        None => assert_eq!(output.code, 0, "{url}: {output:?}"),
        Some(words) => {
            assert_eq!(output.code, 12, "{url}: {output:?}");
            for part in words {
                assert!(said(&output).contains(part), "{url}: {part} in {output:?}");
            }
            assert!(
                !said(&output).contains("check that the server runs"),
                "{url}: {output:?}"
            );
        }
    }
}

#[test]
fn every_certificate_is_judged_as_the_url_asks_on_postgres() {
    let (server, made) = (postgres::PrivateServer::start(), Certificates::new());
    let admin = server.create("shop");
    let project = Project::without_database(&["web"]);
    let place = admin.value("SHOW data_directory");
    let base = server.url("shop");
    // Before it speaks TLS at all.
    for host in ["127.0.0.1", "localhost"] {
        let url = base.replace("127.0.0.1", host);
        comes_of(
            &project,
            &format!("{url}?sslmode=verify-full"),
            Some(&["offers no TLS", "`sslmode` in the URL asks for it"]),
        );
        comes_of(&project, &format!("{url}?sslmode=prefer"), MADE);
    }
    let mut before = "";
    for (certificate, mode, _, is_named, outcome) in CASES {
        if *certificate != before {
            // As the server's own user, who has to own the key.
            for file in ["pem", "key"] {
                let text = made.text(&format!("{certificate}.{file}"));
                admin.execute(&format!(
                    "COPY (SELECT unnest(string_to_array('{}', E'\\n'))) TO PROGRAM 'umask 077; cat > {place}/server.{file}'",
                    text.trim()
                ));
            }
            admin.connect().execute(&format!(
                "ALTER SYSTEM SET ssl_cert_file = '{place}/server.pem'"
            ));
            admin.connect().execute(&format!(
                "ALTER SYSTEM SET ssl_key_file = '{place}/server.key'"
            ));
            admin.connect().execute("ALTER SYSTEM SET ssl = on");
            server.stop();
            server.start_again();
            before = certificate;
        }
        let named = if *is_named {
            format!("&sslrootcert={}", made.path("ours.pem").display())
        } else {
            String::new()
        };
        comes_of(&project, &format!("{base}?sslmode={mode}{named}"), *outcome);
        let by_name = base.replace("127.0.0.1", "localhost");
        comes_of(
            &project,
            &format!("{by_name}?sslmode={mode}{named}"),
            *outcome,
        );
    }
}

#[test]
fn every_certificate_is_judged_as_the_url_asks_on_mysql() {
    let (server, made) = (mysql::PrivateServer::start(), Certificates::new());
    server.create("shop");
    let project = Project::without_database(&["web"]);
    let base = server.url("shop");
    comes_of(
        &project,
        &format!("{base}?ssl-mode=VERIFY_IDENTITY"),
        Some(&["offers no TLS", "`ssl-mode` in the URL asks for it"]),
    );
    comes_of(&project, &format!("{base}?ssl-mode=PREFERRED"), MADE);
    let mut before = "";
    for (certificate, _, mode, is_named, outcome) in CASES {
        if *certificate != before {
            let file = |what: &str| made.path(&format!("{certificate}.{what}"));
            server.speak_tls(&file("pem"), &file("key"));
            before = certificate;
        }
        let named = if *is_named {
            format!("&ssl-ca={}", made.path("ours.pem").display())
        } else {
            String::new()
        };
        comes_of(
            &project,
            &format!("{base}?ssl-mode={mode}{named}"),
            *outcome,
        );
    }
}

#[test]
fn a_file_that_is_none_is_named() {
    let project = Project::without_database(&["web"]);
    project
        .file("empty.pem", "")
        .file("text.pem", "no certificate\n");
    let file = |name: &str| project.path().join(name).display().to_string();
    for (parameters, words) in [
        (
            format!("sslrootcert={}", file("empty.pem")),
            "holds no certificate",
        ),
        (
            format!("sslrootcert={}", file("text.pem")),
            "holds no certificate",
        ),
        (
            format!("sslrootcert={}", project.path().display()),
            "cannot be read",
        ),
        (
            format!("sslcert={}&sslkey={}", file("text.pem"), file("text.pem")),
            "holds no",
        ),
    ] {
        for url in [
            format!("postgres://localhost:1/shop?sslmode=verify-full&{parameters}"),
            format!(
                "mysql://localhost:1/shop?ssl-mode=VERIFY_IDENTITY&{}",
                of_mysql(&parameters)
            ),
        ] {
            comes_of_file(&project, &url, words);
        }
    }
}

fn of_mysql(parameters: &str) -> String {
    parameters
        .replace("sslrootcert", "ssl-ca")
        .replace("sslcert", "ssl-cert")
        .replace("sslkey", "ssl-key")
}

fn comes_of_file(project: &Project, url: &str, words: &str) {
    let output = project.migrate(&["status", "--database-url", url]);
    assert_eq!(output.code, 12, "{url}: {output:?}");
    assert!(said(&output).contains(words), "{url}: {output:?}");
}

const SECRET: &str = "M1grSecret";

/// A server of MySQL's protocol that offers no TLS and wants the password by this method. Tells everything that it was sent.
fn who_asks_by(method: &'static str, switches: bool) -> (u16, Receiver<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    let (tell, told) = channel();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let tell = tell.clone();
            thread::spawn(move || {
                let first = if switches {
                    "mysql_native_password"
                } else {
                    method
                };
                let mut greeting = b"\x0a5.5.5-10.11.0-MariaDB\0\x01\0\0\0".to_vec();
                // Everything of today but TLS and compression, the character set, and that nothing is under way.
                greeting.extend_from_slice(b"abcdefgh\0\xdf\xa7\x2d\x02\0\xff\x81\x15");
                greeting.extend_from_slice(&[0; 10]);
                greeting.extend_from_slice(b"ijklmnopqrst\0");
                greeting.extend_from_slice(first.as_bytes());
                greeting.push(0);
                let mut received = Vec::new();
                let mut buffer = [0; 4096];
                let _ = stream.write_all(&packet(0, &greeting));
                let mut number = 2;
                while let Ok(length @ 1..) = stream.read(&mut buffer) {
                    received.extend_from_slice(&buffer[..length]);
                    let mut switch = b"\xfe".to_vec();
                    switch.extend_from_slice(method.as_bytes());
                    switch.extend_from_slice(b"\0abcdefghijklmnopqrst\0");
                    if stream.write_all(&packet(number, &switch)).is_err() || number > 6 {
                        break;
                    }
                    number += 2;
                }
                // Whoever waits for it may be gone.
                let _ = tell.send(received);
            });
        }
    });
    (port, told)
}

fn packet(number: u8, payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(payload.len()).expect("a short packet");
    [&[length, 0, 0, number], payload].concat()
}

#[test]
fn no_password_is_sent_in_clear_text_to_a_server_of_mysql() {
    let project = Project::without_database(&["web"]);
    for (method, switches) in [
        ("mysql_clear_password", true),
        ("mysql_clear_password", false),
        ("sha256_password", true),
        ("dialog", true),
        ("mysql_old_password", true),
    ] {
        let (port, told) = who_asks_by(method, switches);
        for parameters in [
            "",
            "?ssl-mode=DISABLED",
            "?ssl-mode=PREFERRED",
            "?ssl-mode=REQUIRED",
            "?ssl-mode=VERIFY_IDENTITY",
        ] {
            let url = format!("mysql://migrator:{SECRET}@127.0.0.1:{port}/shop{parameters}");
            let output = project.migrate(&["status", "--database-url", &url]);
            // 12 where there is no safe connection, and 1 where only this way of logging in is not spoken.
            assert!(matches!(output.code, 1 | 12), "{method} {url}: {output:?}");
            assert!(!said(&output).contains(SECRET), "{output:?}");
            // It may be asked first how it wants the password.
            let mut received = told.recv().expect("it was spoken to");
            while let Ok(more) = told.recv_timeout(Duration::from_millis(300)) {
                received.extend(more);
            }
            let received = String::from_utf8_lossy(&received).into_owned();
            assert!(
                !received.contains(SECRET),
                "{method} {parameters}: {received:?}"
            );
            let asks_for_tls = parameters.contains("REQUIRED") || parameters.contains("VERIFY");
            if asks_for_tls {
                assert!(said(&output).contains("offers no TLS"), "{output:?}");
                assert!(!received.contains("migrator"), "{received:?}");
            } else {
                let said = said(&output);
                let is_meant = ["clear text", "without TLS", method];
                assert!(is_meant.iter().any(|words| said.contains(words)), "{said}");
                assert!(!said.contains("check that the server runs"), "{said}");
            }
        }
    }
}
