//! Notices: posted once, signed, tried again, and in nobody's way.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};

use serde_json::Value;

use super::client::Server;
use crate::support::backend::Db;
use crate::support::shop::{Shop, said};
use crate::support::wait::GENEROUS;

/// What was posted: its headers, in lower case, and its body.
pub struct Posted {
    head: String,
    pub body: Value,
}

impl Posted {
    fn header(&self, name: &str) -> String {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        let found = lines.find(|(known, _)| *known == name);
        found.map_or_else(String::new, |(_, value)| value.to_owned())
    }
}

/// A server that answers these statuses, the last of them from then on, and hands over what was posted.
pub fn hook(statuses: &'static [u16]) -> (u16, Receiver<Posted>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let (posted, heard) = channel();
    std::thread::spawn(move || {
        let statuses = statuses.iter().chain(statuses.last().into_iter().cycle());
        for (stream, status) in listener.incoming().zip(statuses) {
            let mut stream = BufReader::new(stream.expect("a connection"));
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") && stream.read_line(&mut head).expect("a line") > 0 {}
            let head = head.to_lowercase();
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "));
            let length = length.map_or(0, |length| length.parse().expect("a length"));
            let mut body = vec![0; length];
            stream.read_exact(&mut body).expect("a body");
            let answer =
                format!("HTTP/1.1 {status} x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            let _ = stream.get_mut().write_all(answer.as_bytes());
            let body = serde_json::from_slice(&body).expect("JSON");
            if posted.send(Posted { head, body }).is_err() {
                return;
            }
        }
    });
    (port, heard)
}

#[test]
fn whoever_wants_to_know_is_told_once_and_signed() {
    // The first attempt fails, and is made again.
    let (port, heard) = hook(&[503, 200]);
    let (away, _heard) = hook(&[404]);
    let shop = Shop::with_config(
        Db::on("sqlite"),
        &format!(
            "[services.web]\nmin_instances = 0\n\
             [notify.ops]\nurl = \"http://127.0.0.1:{port}/ops\"\nsecret_file = \"secret\"\non = [\"done\", \"refused\"]\n\
             [notify.chat]\nkind = \"slack\"\nurl_file = \"nowhere\"\n\
             [notify.away]\nkind = \"teams\"\nurl = \"http://127.0.0.1:{away}/\"\n"
        ),
    );
    shop.name_migration(crate::support::shop::APPEND_ONLY);
    shop.project
        .file("secret", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n");
    let server = Server::start(&shop.project, &["--refresh", "200ms"]);
    server.eventually("/metrics", "phasegate_up 1.0");
    for _ in 0..3 {
        let asked = server.get("/v1/gate/deploy?web=1.1.0");
        assert_eq!(asked.json()["verdict"], "refuse");
    }
    let next = || heard.recv_timeout(GENEROUS).expect("it is told");
    let (first, again) = (next(), next());
    assert_eq!(first.body, again.body);
    assert_eq!(first.header("webhook-id"), again.header("webhook-id"));
    assert!(again.header("webhook-signature").starts_with("v1,"));
    assert_eq!(again.body["on"], "refused");
    assert_eq!(again.body["title"], "web 1.1.0 may not start");
    // However often it was asked, it is told once: what comes next is another thing.
    shop.run(&["expand"], 0);
    let done = next();
    assert_eq!(done.body["title"], "0001_name is expanded", "{}", done.body);
    assert_eq!(done.body["migration"], "0001_name");
    let counted = server.eventually(
        "/metrics",
        "phasegate_notices_total{to=\"ops\",fate=\"sent\"} 2",
    );
    assert!(counted.contains("phasegate_notices_total{to=\"ops\",fate=\"dropped\"} 0"));
    server.eventually(
        "/metrics",
        "phasegate_notices_total{to=\"away\",fate=\"given_up\"} 2",
    );
    // Nobody who cannot be told keeps it from ending.
    server.stop();
}

#[test]
fn a_refusal_to_flagger_is_told_with_the_head_of_the_log() {
    let (port, heard) = hook(&[200]);
    let shop = Shop::with_config(
        Db::on("sqlite"),
        &format!(
            "[services.web]\nmin_instances = 0\n[notify.ops]\nurl = \"http://127.0.0.1:{port}/ops\"\non = [\"done\", \"refused\"]\n"
        ),
    );
    shop.name_migration(crate::support::shop::APPEND_ONLY);
    let options = ["--refresh", "200ms", "--notify-refusals"];
    let server = Server::start(&shop.project, &options);
    server.eventually("/metrics", "phasegate_up 1.0");
    // Another one tells what everybody sees.
    shop.run(&["expand"], 0);
    server.eventually("/", "→ expanded");
    let head = shop.run(&["log", "--head"], 0);
    let head = head.stdout.trim();
    let body = r#"{"metadata":{"service":"web","version":"1.2.0"}}"#;
    assert_eq!(server.post("/v1/flagger/confirm", body).status, 403);
    let told = heard.recv_timeout(GENEROUS).expect("it is told").body;
    assert_eq!(told["on"], "refused");
    assert_eq!(told["title"], "web 1.2.0 may not start");
    assert_eq!(told["log_head"], head, "{told}");
    for path in ["/v1/status", "/v1/log", "/v1/log?migration=1&last=1"] {
        assert_eq!(server.get(path).json()["log_head"], head, "{path}");
    }
    server.stop();
}

#[test]
fn what_goes_on_for_too_long_is_told() {
    let (port, heard) = hook(&[200]);
    let shop = Shop::with_config(
        Db::on("sqlite"),
        &format!(
            "[services.web]\nmin_instances = 0\n[fleet]\nrenew = \"1s\"\n\
             [notify.ops]\nurl = \"http://127.0.0.1:{port}/ops\"\non = [\"held\", \"fence\", \"lost\"]\n\
             held_for = \"1s\"\nfence_for = \"1s\"\n"
        ),
    );
    shop.name_migration(crate::support::shop::APPEND_ONLY);
    shop.run(&["expand"], 0);
    shop.run(&["backfill"], 0);
    let instance = shop.instance("1.1.0", "server-1");
    let server = Server::start(&shop.project, &["--refresh", "200ms"]);
    // A loaded machine may have an instance lost in between.
    let told = |on: &str| {
        let each = std::iter::from_fn(|| heard.recv_timeout(GENEROUS).ok());
        let mut bodies = each.map(|posted| posted.body);
        let found = bodies.find(|body| body["on"] == on);
        found.unwrap_or_else(|| panic!("{on} is not told"))
    };
    let held = told("held");
    assert_eq!(held["migration"], "0001_name");
    // Its host is gone, and it says no goodbye.
    drop(instance);
    let lost = told("lost");
    assert_eq!(lost["title"], "1 instance of web 1.1.0 not heard of");
    shop.run(
        &[
            "fleet",
            "forget",
            "server-1",
            "--reason",
            "its host is gone",
        ],
        0,
    );
    shop.project.env("PHASEGATE_CRASH_AT", "contract.fenced");
    shop.run(&["contract"], 137);
    let fence = told("fence");
    assert_eq!(fence["migration"], "0001_name", "{fence}");
    server.stop();
}

scenario!(
    fn a_fence_is_as_old_as_it_is_and_not_as_its_phase(db: Db) {
        let shop = Shop::backfilled(db);
        // That was yesterday.
        let migrations = shop.ledger("migrations");
        shop.db.execute(&format!(
            "UPDATE {migrations} SET changed_at = changed_at - 86400000"
        ));
        shop.project.env("PHASEGATE_CRASH_AT", "contract.fenced");
        shop.run(&["contract"], 137);
        shop.project.env_remove("PHASEGATE_CRASH_AT");
        let status = shop.json(&["status"], 0);
        let log = shop.json(&["log"], 0);
        let raised = log["events"].as_array().and_then(|events| events.last());
        let raised = raised.expect("an event");
        assert_eq!(raised["detail"]["to"], "contracting", "{raised}");
        assert_eq!(status["migrations"][0]["since"], raised["at"], "{status}");
        let server = Server::start(&shop.project, &["--refresh", "200ms"]);
        let metrics = server.eventually("/metrics", "phasegate_fence_age_seconds{");
        let age = metrics.lines().find_map(|line| {
            line.strip_prefix("phasegate_fence_age_seconds{migration=\"0001_name\"} ")
        });
        let age: f64 = age.expect("a line").parse().expect("a number");
        assert!(age < 43_200.0, "{age}");
        server.stop();
    }
);

#[test]
fn what_nobody_can_be_told_of_is_said_by_check() {
    let shop = Shop::with_name(Db::on("sqlite"));
    for (row, why) in [
        (
            "url = \"http://127.0.0.1:1/\"\non = [\"helled\"]",
            "nobody can be told of `helled`",
        ),
        ("kind = \"slack\"", "it has to have one URL"),
        ("url = \"hooks.slack.com\"", "this is no URL"),
        (
            "url_env = \"A\"\nurl_file = \"b\"",
            "it has to have one URL",
        ),
        ("url_env = \"A\"\ncolour = \"red\"", "colour"),
    ] {
        let config = format!("[services.web]\nmin_instances = 0\n[notify.ops]\n{row}\n");
        shop.project.file("migrate.toml", &config);
        let checked = shop.run(&["check"], 1);
        assert!(said(&checked).contains(why), "{row}: {checked:?}");
    }
}
