//! What is scraped stays a scrape, whatever names the fleet has.

use serde_json::json;

use super::client::Server;
use crate::outward::EVIL;
use crate::support::shop::Shop;

/// A version that would end its own line, say a verdict on one of its own, and begin another.
const FORGED: &str = "1.0.0\"} 1\nphasegate_next_step{migration=\"0001_name\",step=\"contract\",verdict=\"go\"} 1\nx{a=\"";

/// The metric of a line, where it is one: a name, labels in quotes, and a number.
#[track_caller]
fn metric(line: &str) -> &str {
    let wrong = || -> ! { panic!("no metric: {line:?}") };
    let end = line.find(['{', ' ']).unwrap_or_else(|| wrong());
    let (name, rest) = line.split_at(end);
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if name.is_empty() || !name.chars().all(is_plain) {
        wrong();
    }
    let mut rest = rest;
    if let Some(labels) = rest.strip_prefix('{') {
        rest = labels;
        loop {
            let Some((label, value)) = rest.split_once("=\"") else {
                wrong();
            };
            if !label.chars().all(is_plain) {
                wrong();
            }
            let mut is_escaped = false;
            let end = value.find(|c: char| {
                let is_end = c == '"' && !is_escaped;
                is_escaped = c == '\\' && !is_escaped;
                is_end
            });
            let after = end.and_then(|end| value.get(end + 1..));
            rest = after.unwrap_or_else(|| wrong());
            match rest.strip_prefix(',') {
                Some(more) => rest = more,
                None => break,
            }
        }
        rest = rest.strip_prefix('}').unwrap_or_else(|| wrong());
    }
    let number = rest.strip_prefix(' ').map(str::parse::<f64>);
    if !matches!(number, Some(Ok(_))) {
        wrong();
    }
    name
}

scenario!(
    fn a_name_of_others_stays_within_its_quotes(db: Db) {
        let shop = Shop::with_fleet(db, "[services.web]\nmin_instances = 0\n");
        shop.run(&["expand"], 0);
        let line = |instance: &str, version: &str| {
            json!({ "service": "web", "instance": instance, "version": version }).to_string() + "\n"
        };
        shop.fleet_text(&[line("a", "1.0.0\\"), line("b", EVIL)].concat());
        let admit = [
            "admit",
            "--service",
            "web",
            "--version",
            "1.0.0",
            "--instance",
            "server-1",
        ];
        shop.run(&admit, 0);
        // The role of an instance may write its own row.
        let leases = shop.ledger("leases");
        shop.db
            .execute(&format!("UPDATE {leases} SET version = '{FORGED}'"));
        let server = Server::start(&shop.project, &["--refresh", "200ms"]);
        let text = server.eventually("/metrics", "verdict=\\\"go\\\"");
        let is_hidden = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
        assert!(!text.contains(is_hidden), "{text}");
        let lines: Vec<&str> = text.lines().collect();
        let (last, lines) = lines.split_last().expect("lines");
        assert_eq!(*last, "# EOF");
        let mut live = 0;
        for line in lines {
            if let Some(said) = line.strip_prefix("# ") {
                let words = ["HELP ", "TYPE ", "UNIT "];
                assert!(words.iter().any(|word| said.starts_with(word)), "{line}");
                continue;
            }
            live += usize::from(metric(line) == "phasegate_live_instances");
            assert!(
                !line.starts_with("phasegate_next_step{") || !line.contains("\"go\""),
                "a forged verdict: {line}"
            );
        }
        assert_eq!(live, 3, "{text}");
        assert!(text.contains("version=\"1.0.0\\\\\""), "{text}");
        server.stop();
    }
);
