//! A database that goes away, a source that hangs, clients that are slow, many or nobody's: health and metrics go on, and nothing
//! is a yes that is none.

use std::io::Write as _;
use std::process::Command;
use std::time::Instant;

use super::admission::{asked, review};
use super::client::{Server, read};
use crate::support::backend::Db;
use crate::support::postgres::PrivateServer;
use crate::support::project::Signal;
use crate::support::shop::{Shop, said};
use crate::support::wait::{GENEROUS, eventually};

#[test]
fn a_database_that_goes_away_makes_answers_unknown_and_nothing_else() {
    let database = PrivateServer::start();
    let shop = Shop::with_name(database.create("shop"));
    let arguments = ["--refresh", "200ms", "--admission", "--askers", "1"];
    let server = Server::start(&shop.project, &arguments);
    let may_start = || server.get("/v1/gate/deploy?web=1.0.0&as=status").status;
    assert_eq!(may_start(), 200);
    server.eventually("/metrics", "phasegate_up 1.0");
    let starts = || asked(&server, &review("Pod", "1.0.0", "1.0.0"));
    assert_eq!(starts(), (true, String::new()));
    database.stop();
    database.start_again();
    // The connection by which the first was let in is there no more.
    assert_eq!(starts(), (true, String::new()));
    database.stop();
    for _ in 0..20 {
        assert_eq!(may_start(), 503);
    }
    let told = server.get("/v1/gate/deploy?web=1.0.0");
    assert_eq!(
        (told.status, &told.json()["verdict"]),
        (200, &"unknown".into())
    );
    assert_eq!(server.get("/v1/status").status, 503);
    let (let_in, why) = starts();
    assert!(
        !let_in && why.contains("whether it may start is not known"),
        "{why}"
    );
    assert_eq!(server.get("/healthz").status, 200);
    assert_eq!(server.get("/readyz").status, 200);
    server.eventually("/metrics", "phasegate_up 0.0");
    let page = server.eventually("/", "cannot be seen now");
    assert!(
        page.contains("0001_name"),
        "what was seen before stays in sight"
    );
    database.start_again();
    eventually(GENEROUS, || (may_start() == 200).then_some(()));
    server.eventually("/metrics", "phasegate_up 1.0");
    server.stop();
}

#[test]
fn a_source_that_hangs_costs_its_questions_and_no_others() {
    let db = Db::on("sqlite");
    let shop = Shop::with_config(
        db,
        "[fleet]\nsources = [{ kind = \"command\", name = \"slow\", run = [\"sh\", \"-c\", \"test ! -e hang || exec sleep 600\"], timeout = \"500s\" }]\n\
         [services.web]\nmin_instances = 0\n",
    );
    shop.name_migration(crate::support::shop::APPEND_ONLY);
    let arguments = ["--timeout", "1s", "--askers", "1", "--refresh", "200ms"];
    let server = Server::start(&shop.project, &arguments);
    assert_eq!(server.get("/v1/fleet").status, 200);
    shop.project.file("hang", "");
    for _ in 0..2 {
        let asked = server.get("/v1/fleet");
        assert_eq!(asked.status, 503, "{}", asked.body);
        assert!(asked.header("retry-after").is_some());
        let began = Instant::now();
        assert_eq!(server.get("/healthz").status, 200);
        assert_eq!(server.get("/metrics").status, 200);
        // The log asks no source.
        assert_eq!(server.get("/v1/log").status, 200);
        assert!(began.elapsed() < GENEROUS);
    }
    std::fs::remove_file(shop.project.path().join("hang")).expect("it is there");
    eventually(GENEROUS, || {
        (server.get("/v1/fleet").status == 200).then_some(())
    });
    server.stop();
}

#[test]
fn beyond_this_machine_it_wants_a_token_that_may_change() {
    let shop = Shop::with_name(Db::on("sqlite"));
    let open = shop.run(&["serve", "--listen", "0.0.0.0:0"], 2);
    assert!(said(&open).contains("nothing says who may ask"), "{open:?}");
    let first = "first-token-of-this-test";
    shop.project.file("token", "short\n");
    let listen = ["--listen", "0.0.0.0:0", "--token-file", "token"];
    let guessed = shop.run(&[&["serve"], &listen[..]].concat(), 1);
    assert!(said(&guessed).contains("16 characters"), "{guessed:?}");
    shop.project.file("token", &format!("{first}\n"));
    let server = Server::start(&shop.project, &listen);
    let with = |token: &str| {
        let header = format!("Authorization: Bearer {token}\r\n");
        server.get_with("/v1/status", &header).status
    };
    assert_eq!(server.get("/v1/status").status, 401);
    assert_eq!(server.get("/metrics").status, 401);
    let asked = server.get("/");
    assert_eq!(asked.status, 401);
    assert!(asked.header("www-authenticate").is_some());
    assert_eq!(server.get("/nowhere").status, 401);
    assert_eq!(server.get("/healthz").status, 200);
    assert_eq!(with(first), 200);
    assert_eq!(with("first-token-of-this-tesT"), 401);
    shop.project.file("token", "second-token-of-this-test\n");
    eventually(GENEROUS, || {
        (with("second-token-of-this-test") == 200).then_some(())
    });
    assert_eq!(with(first), 401);
    std::fs::remove_file(shop.project.path().join("token")).expect("it is there");
    eventually(GENEROUS, || {
        (with("second-token-of-this-test") == 401).then_some(())
    });
    server.stop();
}

/// As systemd does it: a socket that listens before the server runs, and another that is told when it does.
#[test]
fn systemd_hands_a_socket_over_and_is_told_when_it_is_ready() {
    use std::net::TcpListener;
    use std::os::fd::OwnedFd;
    use std::os::unix::net::UnixDatagram;
    use std::process::Stdio;

    let shop = Shop::with_name(Db::on("sqlite"));
    let directory = shop.project.path();
    let told = UnixDatagram::bind(directory.join("told")).expect("a socket");
    told.set_read_timeout(Some(GENEROUS)).expect("a limit");
    let start = |listener: &TcpListener| {
        let handed = OwnedFd::from(listener.try_clone().expect("a socket"));
        let mut command = Command::new("sh");
        command
            .args([
                "-c",
                "exec 3<&0 </dev/null; LISTEN_FDS=1 LISTEN_PID=$$ exec \"$MIGRATE\" serve",
            ])
            .env("MIGRATE", env!("CARGO_BIN_EXE_migrate"))
            .env("DATABASE_URL", &shop.db.url)
            .env("NOTIFY_SOCKET", directory.join("told"))
            .current_dir(&directory)
            .stdin(Stdio::from(handed))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command.spawn().expect("a shell")
    };
    let hear = || {
        let mut heard = [0; 100];
        let length = told.recv(&mut heard).expect("it tells");
        String::from_utf8_lossy(&heard[..length]).trim().to_owned()
    };
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let server = start(&listener);
    assert_eq!(hear(), "READY=1");
    let mut asking = std::net::TcpStream::connect(address).expect("it listens");
    let asked = format!("GET /healthz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    asking.write_all(asked.as_bytes()).expect("it is read");
    assert_eq!(read(&mut asking).status, 200);
    let id = rustix::process::Pid::from_child(&server);
    rustix::process::kill_process(id, rustix::process::Signal::TERM).expect("it runs");
    assert_eq!(hear(), "STOPPING=1");
    let ended = server.wait_with_output().expect("it ends");
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    // One that others reach wants a token, whatever `--listen` says.
    let open = TcpListener::bind("0.0.0.0:0").expect("a port");
    let refused = start(&open).wait_with_output().expect("it ends");
    assert_eq!(refused.status.code(), Some(2), "{refused:?}");
}

#[test]
fn a_page_of_somebody_else_is_not_answered_through_a_browser_here() {
    let shop = Shop::with_name(Db::on("sqlite"));
    let server = Server::start(&shop.project, &[]);
    assert_eq!(
        server
            .get_with("/v1/status", "Host: evil.example\r\n")
            .status,
        403
    );
    assert_eq!(
        server.get_with("/v1/status", "Host: localhost\r\n").status,
        200
    );
    server.stop();
}

#[test]
fn whoever_reads_slowly_is_in_nobodys_way() {
    use std::io::Read as _;

    /// More than lies between a client and the server.
    const MUCH: usize = 16 * 1024 * 1024;
    let shop = Shop::with_name(Db::on("sqlite"));
    let server = Server::start(&shop.project, &["--askers", "1"]);
    let size = server.get("/openapi.json").body.len();
    let one = format!(
        "GET /openapi.json HTTP/1.1\r\nHost: {}\r\n\r\n",
        server.address
    );
    let asked = one.repeat(MUCH / size + 1);
    let mut slow: Vec<_> = (0..8).map(|_| server.connect()).collect();
    for client in &mut slow {
        client.set_nonblocking(true).expect("a socket");
        // As many as the server takes before it has answered.
        let _ = client.write(asked.as_bytes());
        client.set_nonblocking(false).expect("a socket");
    }
    let mut byte = [0];
    for _ in 0..5 {
        for client in &mut slow {
            client.read_exact(&mut byte).expect("it is answered");
        }
        for path in [
            "/healthz",
            "/metrics",
            "/v1/status",
            "/v1/gate/expand/1",
            "/",
        ] {
            assert_eq!(server.get(path).status, 200, "{path}");
        }
    }
    drop(slow);
    server.stop();
}

/// As many as the system allows for this process, which is a client of each.
const IDLE: u64 = 10_000;

fn raise_the_limit_of_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let known = getrlimit(Resource::Nofile);
    let wanted = IDLE + 1_000;
    if known.current.is_some_and(|current| current < wanted) {
        let current = Some(wanted);
        let raised = Rlimit { current, ..known };
        setrlimit(Resource::Nofile, raised).expect("a limit of 11,000 files: ulimit -Hn");
    }
}

#[test]
fn what_clients_send_is_bounded_and_the_idle_stand_in_nobodys_way() {
    raise_the_limit_of_files();
    let shop = Shop::with_name(Db::on("sqlite"));
    let server = Server::start(&shop.project, &[]);
    let files = || {
        let open = std::fs::read_dir(format!("/proc/{}/fd", server.process.pid()));
        open.expect("it runs").count()
    };
    assert_eq!(server.get("/v1/status").status, 200);
    let before = files();
    // They say nothing, or half of something.
    let mut idle: Vec<_> = (0..IDLE).map(|_| server.connect()).collect();
    for stream in idle.iter_mut().skip(200).step_by(2) {
        // On a slow machine it is sent away by then.
        let _ = stream.write_all(b"GET /v1/status HT");
    }
    assert_eq!(server.get("/healthz").status, 200);
    assert_eq!(server.get("/v1/status").status, 200);
    let long = format!("X-Long: {}\r\n", "x".repeat(200_000));
    assert_eq!(server.get_with("/healthz", &long).status, 431);
    let many = "X-Many: 1\r\n".repeat(1000);
    assert_eq!(server.get_with("/healthz", &many).status, 431);
    // A kept connection answers one question after the other.
    let mut kept = server.connect();
    let asked = format!("GET /healthz HTTP/1.1\r\nHost: {}\r\n\r\n", server.address);
    let last = asked.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n");
    kept.write_all(format!("{asked}{asked}{last}").as_bytes())
        .expect("it is read");
    assert_eq!(read(&mut kept).body.matches("ok\n").count(), 3);
    // Those who have said nothing for long are sent away.
    let mut first = idle.swap_remove(0);
    assert_eq!(read(&mut first).body, "");
    drop(idle);
    // Nothing is left of them.
    eventually(GENEROUS, || (files() <= before + 10).then_some(()));
    server.stop();
}

#[test]
fn whoever_is_being_answered_is_answered_before_it_ends() {
    let db = Db::on("sqlite");
    let shop = Shop::with_config(
        db,
        "[fleet]\nsources = [{ kind = \"command\", name = \"slow\", run = [\"sh\", \"-c\", \"echo >> asked; while test -e wait; do sleep 0.05; done\"] }]\n\
         [services.web]\nmin_instances = 0\n",
    );
    shop.name_migration(crate::support::shop::APPEND_ONLY);
    let server = Server::start(&shop.project, &["--refresh", "1h"]);
    server.eventually("/metrics", "phasegate_up 1.0");
    let looks = || {
        let asked = std::fs::read_to_string(shop.project.path().join("asked"));
        asked.map_or(0, |asked| asked.lines().count())
    };
    let before = looks();
    shop.project.file("wait", "");
    let mut asking = server.connect();
    let asked = format!("GET /v1/fleet HTTP/1.1\r\nHost: {}\r\n\r\n", server.address);
    asking.write_all(asked.as_bytes()).expect("it is read");
    eventually(GENEROUS, || (looks() > before).then_some(()));
    server.process.signal(Signal::TERM);
    // Nobody is let in any more, and the one who was is answered.
    eventually(GENEROUS, || {
        std::net::TcpStream::connect(server.address)
            .is_err()
            .then_some(())
    });
    std::fs::remove_file(shop.project.path().join("wait")).expect("it is there");
    let answer = read(&mut asking);
    assert_eq!(answer.status, 200, "{}", answer.head);
    server.process.wait().expect_code(0);
}

#[test]
fn a_certificate_is_read_again_and_a_client_is_known_by_one() {
    let shop = Shop::with_name(Db::on("sqlite"));
    let directory = shop.project.path();
    let openssl = |arguments: &str| {
        let mut command = Command::new("openssl");
        let command = command.args(arguments.split(' ')).current_dir(&directory);
        let output = command.output().expect("openssl is installed");
        assert!(output.status.success(), "{arguments}: {output:?}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let new = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2";
    openssl(&format!(
        "req -x509 {new} -keyout ca.key -out ca.pem -subj /CN=ca"
    ));
    let sign = |name: &str| {
        openssl(
            &format!("req {new} -keyout {name}.key -out {name}.csr -subj /CN={name}")
                .replace(" -days 2", ""),
        );
        openssl(&format!(
            "x509 -req -in {name}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out {name}.pem -days 2 -extfile names"
        ));
    };
    shop.project.file("names", "subjectAltName=DNS:localhost\n");
    for name in ["first", "second", "client"] {
        sign(name);
    }
    let copy = |name: &str| {
        for end in ["pem", "key"] {
            let from = directory.join(format!("{name}.{end}"));
            std::fs::copy(from, directory.join(format!("tls.{end}"))).expect("a copy");
        }
    };
    copy("first");
    let arguments = [
        "--listen",
        "0.0.0.0:0",
        "--tls-cert",
        "tls.pem",
        "--tls-key",
        "tls.key",
        "--client-ca",
        "ca.pem",
    ];
    let server = Server::start(&shop.project, &arguments);
    let ask = |more: &str, path: &str| {
        let script = format!(
            "printf 'GET {path} HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n\\r\\n' | openssl s_client -quiet -connect {} -CAfile ca.pem {more} 2>&1",
            server.address
        );
        let output = Command::new("sh")
            .args(["-c", &script])
            .current_dir(&directory)
            .output();
        String::from_utf8_lossy(&output.expect("a shell").stdout).into_owned()
    };
    let unknown = ask("", "/v1/status");
    assert!(unknown.contains("HTTP/1.1 401"), "{unknown}");
    assert!(unknown.contains("CN = first"), "{unknown}");
    assert!(ask("", "/healthz").contains("HTTP/1.1 200"));
    let known = ask("-cert client.pem -key client.key", "/v1/status");
    assert!(known.contains("HTTP/1.1 200"), "{known}");
    copy("second");
    eventually(GENEROUS, || {
        ask("", "/healthz").contains("CN = second").then_some(())
    });
    // One that cannot be used leaves the one before in its place.
    shop.project.file("tls.pem", "nothing\n");
    eventually(GENEROUS, || {
        assert!(ask("", "/healthz").contains("HTTP/1.1 200"));
        let said = server.process.shown();
        said.contains("stays the one before").then_some(())
    });
    server.stop();
    let wrong = shop.run(&[&["serve"], &arguments[..]].concat(), 1);
    assert!(said(&wrong).contains("tls.pem"), "{wrong:?}");
}
