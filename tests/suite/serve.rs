//! `migrate serve`: what it answers is what the command answers, and it goes on answering whatever happens around it.

mod admission;
pub mod client;
mod demoted;
mod newer;
pub mod notices;
mod page;
mod reliable;
mod scraped;

use crate::support::backend::Db;
use crate::support::shop::{NAME, Shop};
use client::{Server, without_ages};

scenario!(
    fn the_gate_says_over_http_what_the_command_says(db: Db) {
        let shop = Shop::with_fleet(db, "[services.web]\nmin_instances = 0\n");
        let server = Server::start(&shop.project, &[]);
        // Of several servers any answers the same.
        let other = Server::start(&shop.project, &[]);
        let check = |path: &str, arguments: &[&str], code: i32, by_status: u16| {
            let asked = server.get(path);
            assert_eq!(asked.status, 200, "{path}: {}", asked.body);
            let told = without_ages(shop.json(arguments, code));
            assert_eq!(without_ages(asked.json()), told, "{path}");
            assert_eq!(without_ages(other.get(path).json()), told, "{path}");
            let joined = if path.contains('?') { '&' } else { '?' };
            let asked = server.get(&format!("{path}{joined}as=status"));
            assert_eq!(asked.status, by_status, "{path}");
            let is_soon = matches!(code, 10 | 12);
            assert_eq!(asked.header("retry-after").is_some(), is_soon, "{path}");
        };
        check("/v1/gate/expand/1", &["gate", "expand", "1"], 0, 200);
        check(
            "/v1/gate/deploy?web=1.1.0",
            &["gate", "deploy", "web=1.1.0"],
            11,
            403,
        );
        shop.run(&["expand"], 0);
        shop.fleet(&[("web", "a", "1.0.0")]);
        // The same connections see what was done meanwhile.
        check(
            "/v1/gate/deploy?web=1.1.0",
            &["gate", "deploy", "web=1.1.0"],
            0,
            200,
        );
        let contract = format!("/v1/gate/contract/{NAME}");
        check(&contract, &["gate", "contract", NAME], 11, 403);
        shop.fleet_text("no json\n");
        check(&contract, &["gate", "contract", NAME], 11, 403);
        check("/v1/gate/revert/1", &["gate", "revert", "1"], 12, 503);
        shop.fleet(&[("web", "a", "1.1.0")]);
        shop.run(&["backfill"], 0);
        shop.fleet_text(
            "{\"service\":\"web\",\"instance\":\"a\",\"version\":\"1.1.0\",\"state\":\"draining\"}\n",
        );
        check(&contract, &["gate", "contract", NAME], 10, 409);
        shop.fleet(&[("web", "a", "1.1.0")]);
        for (path, arguments) in [
            ("/v1/status", &["status"][..]),
            ("/v1/fleet", &["fleet"]),
            ("/v1/plan?to=web=1.2.0", &["plan", "--to", "web=1.2.0"]),
            ("/v1/rollouts", &["rollout", "status"]),
            ("/v1/log", &["log"]),
            (
                "/v1/log?migration=1&last=1",
                &["log", "--migration", "1", "-n", "1"],
            ),
        ] {
            let asked = server.get(path);
            assert_eq!(asked.status, 200, "{path}: {}", asked.body);
            let told = shop.json(arguments, 0);
            assert_eq!(without_ages(asked.json()), without_ages(told), "{path}");
        }
        let before = shop.dump();
        for (path, status) in [
            ("/v1/gate/deploy", 400),
            ("/v1/gate/deploy?web=banana", 400),
            ("/v1/gate/deploy?shop=1.0.0", 400),
            ("/v1/gate/deploy?web=1.0.0&as=no", 400),
            ("/v1/gate/contract/7", 404),
            ("/v1/gate/dance/1", 404),
            ("/v1/plan?from=web=1.0.0", 400),
            ("/v1/status?x=1", 400),
            ("/v1/log?since=yesterday", 400),
            ("/nowhere", 404),
        ] {
            let asked = server.get(path);
            assert_eq!(asked.status, status, "{path}: {}", asked.body);
            let error = &asked.json()["error"];
            assert!(error["message"].is_string(), "{path}: {error}");
        }
        assert_eq!(server.post("/v1/gate/deploy?web=1.0.0", "").status, 405);
        assert_eq!(shop.dump(), before, "a question writes nothing");
        server.stop();
        other.stop();
    }
);

#[test]
fn the_hooks_of_flagger_hold_and_roll_back_only_to_what_may_start() {
    let shop = Shop::backfilled(Db::on("sqlite"));
    shop.run(&["contract"], 0);
    let server = Server::start(&shop.project, &[]);
    let posted = |hook: &str, metadata: &str| {
        let body = format!(
            r#"{{"name":"web","namespace":"shop","phase":"Progressing","checksum":"85d","metadata":{metadata}}}"#
        );
        server.post(&format!("/v1/flagger/{hook}"), &body).status
    };
    assert_eq!(
        posted("confirm", r#"{"service":"web","version":"1.2.0"}"#),
        200
    );
    assert_eq!(
        posted("confirm", r#"{"service":"web","version":"1.0.0"}"#),
        403
    );
    // 200 starts a rollback: never from a version that may run, and never to one that may not.
    for (version, stable, status) in [
        ("1.0.0", "1.2.0", 200),
        ("1.2.0", "1.2.0", 409),
        ("1.0.0", "1.0.0", 409),
        ("1.2.0", "1.0.0", 409),
    ] {
        let metadata = format!(r#"{{"service":"web","version":"{version}","stable":"{stable}"}}"#);
        assert_eq!(posted("rollback", &metadata), status, "{metadata}");
    }
    assert_eq!(
        posted("rollback", r#"{"service":"web","version":"1.0.0"}"#),
        400
    );
    assert_eq!(posted("rollback", "{}"), 400);
    let long = "x".repeat(100_000);
    assert_eq!(server.post("/v1/flagger/confirm", &long).status, 413);
    server.stop();
}

#[test]
fn every_path_is_answered_as_the_description_says() {
    let shop = Shop::with_name(Db::on("sqlite"));
    shop.run(&["expand"], 0);
    let server = Server::start(&shop.project, &[]);
    let description = server.get("/openapi.json").json();
    let schemas = &description["components"]["schemas"];
    let mut asked = 0;
    for (path, operations) in description["paths"].as_object().expect("paths") {
        let filled = path
            .replace("{step}", "contract")
            .replace("{migration}", "1");
        let (answer, schema) = if operations.get("post").is_some() {
            let body = r#"{"metadata":{"service":"web","version":"1.1.0","stable":"1.0.0"}}"#;
            (server.post(&filled, body), &operations["post"])
        } else {
            let query = match path.as_str() {
                "/v1/gate/deploy" => "?web=1.1.0",
                "/v1/plan" => "?to=web=1.1.0",
                _ => "",
            };
            (server.get(&format!("{filled}{query}")), &operations["get"])
        };
        let said = &schema["responses"][answer.status.to_string()];
        let reference = said["content"]["application/json"]["schema"]["$ref"]
            .as_str()
            .unwrap_or_else(|| panic!("{path}: {} is not described", answer.status));
        let name = reference.rsplit('/').next().expect("a name");
        let json = answer.json();
        let fields = json.as_object().expect("an object");
        for field in schemas[name]["required"].as_array().expect("fields") {
            let field = field.as_str().expect("a name");
            assert!(fields.contains_key(field), "{path}: no {field}");
        }
        for field in fields.keys() {
            let known = &schemas[name]["properties"][field];
            assert!(!known.is_null(), "{path}: {field} is not described");
        }
        asked += 1;
    }
    assert_eq!(asked, 9);
    server.stop();
}

scenario!(
    fn metrics_tell_of_phases_fleet_and_what_holds(db: Db) {
        let shop = Shop::with_fleet(db, "[services.web]\nmin_instances = 0\n");
        shop.run(&["expand"], 0);
        shop.fleet(&[("web", "a", "1.0.0"), ("web", "b", "1.0.0")]);
        let server = Server::start(&shop.project, &["--refresh", "200ms"]);
        server.get("/v1/gate/contract/1");
        let text = server.eventually("/metrics", "phasegate_live_instances{");
        for line in [
            "phasegate_up 1.0",
            "phasegate_migrations{phase=\"expanded\"} 1.0",
            "phasegate_migration_phase{migration=\"0001_name\",phase=\"expanded\"} 1.0",
            "phasegate_next_step{migration=\"0001_name\",step=\"backfill\",verdict=\"refuse\"} 1.0",
            "phasegate_live_instances{service=\"web\",version=\"1.0.0\",state=\"serving\",source=\"list\"} 2.0",
            "phasegate_source_fresh{source=\"list\"} 1.0",
            "phasegate_gate_verdicts_total{action=\"contract\",verdict=\"refuse\"} 1",
            "phasegate_http_requests_total{route=\"/v1/gate/{step}/{migration}\",status=\"200\"} 1",
            "phasegate_coordinator_held 0.0",
        ] {
            assert!(text.contains(line), "no {line} in\n{text}");
        }
        assert!(text.contains("phasegate_next_step_held_seconds{migration=\"0001_name\",step=\"backfill\",verdict=\"refuse\",reason=\"live_version\",service=\"web\",version=\"1.0.0\"}"), "{text}");
        assert!(text.ends_with("# EOF\n"));
        // However many there are, the series are bounded, and nobody is left out of the count.
        let many: String = (0..500)
            .map(|n| {
                format!("{{\"service\":\"web\",\"instance\":\"i{n}\",\"version\":\"build-{n}\"}}\n")
            })
            .collect();
        shop.fleet_text(&many);
        let text = server.eventually("/metrics", "version=\"(others)\"");
        let live: Vec<&str> = text
            .lines()
            .filter(|line| line.starts_with("phasegate_live_instances{"))
            .collect();
        assert_eq!(live.len(), 200);
        let count = |line: &&str| line.rsplit(' ').next().and_then(|n| n.parse::<f64>().ok());
        let all: f64 = live.iter().filter_map(count).sum();
        assert!((all - 500.0).abs() < 0.5, "{all}");
        server.stop();
    }
);
