//! A cluster that does not answer is a failed source, with the words that mend it.

use std::time::{Duration, Instant};

use serde_json::json;

use super::{WEB, nobody, of_cluster, shop};
use crate::support::api_server::{ApiServer, recorded};
use crate::support::backend::Db;
use crate::support::http::{Answer, Authority};
use crate::support::shop::{NAME, Shop};

/// A contract is unknown, for this reason.
#[track_caller]
fn fails(shop: &Shop, words: &[&str]) {
    let fleet = shop.json(&["fleet"], 12);
    assert_eq!(fleet["sources"][0]["status"], "failed", "{fleet}");
    let reason = fleet["sources"][0]["reason"].as_str().expect("a reason");
    for word in words {
        assert!(reason.contains(word), "{word} in {reason}");
    }
    let unknown = shop.run(&["contract", NAME], 12);
    assert!(unknown.stdout.contains("`kubernetes`"), "{unknown:?}");
    assert_eq!(shop.phase(1), "backfilled");
}

#[test]
fn each_refusal_has_its_way_out() {
    let server = ApiServer::start(None);
    let shop = shop(Db::on("sqlite"), &server, &nobody(), WEB);
    let pods = "/pods";
    let deployments = "/deployments";
    let list_deployments = json!({
        "kind": "Status", "reason": "Forbidden", "code": 403,
        "message": "deployments.apps is forbidden: User \"system:serviceaccount:default:phasegate\" cannot list resource \"deployments\" in API group \"apps\" in the namespace \"default\"",
    });
    for (end, answer, words) in [
        (
            pods,
            Answer::json(401, &recorded("401")),
            &["(401): Unauthorized", "auth whoami"][..],
        ),
        (
            pods,
            Answer::json(403, &recorded("403-anonymous")),
            &["(403)", "system:anonymous", "--user=system:anonymous"],
        ),
        (
            deployments,
            Answer::json(403, &list_deployments),
            &[
                "--context here create role phasegate-list-deployments --namespace default --verb=list --resource=deployments.apps",
                "--serviceaccount=default:phasegate",
            ],
        ),
        (
            pods,
            Answer::text(404, "404 page not found\n"),
            &["(404): 404 page not found", "API server"],
        ),
        (
            pods,
            Answer::json(410, &recorded("410-list-exact")),
            &["(410)", "ask again"],
        ),
        (
            pods,
            Answer::json(429, &recorded("429-pdb")).with("retry-after", "0"),
            &["(429)", "too busy"],
        ),
        (
            pods,
            Answer::text(503, "upstream is gone"),
            &["(503): upstream is gone"],
        ),
        (
            pods,
            Answer::text(200, "<html>log in</html>"),
            &["the answer to `list pods in the namespace `default`` cannot be read"],
        ),
        (
            pods,
            Answer::text(200, "{\"items\":[{\"metadata\":{\"name\":7}}]}"),
            &["cannot be read"],
        ),
        (
            "/argoproj.io/v1alpha1",
            Answer::text(500, "boom"),
            &["(500): boom"],
        ),
    ] {
        server.world().refusals.clear();
        server.world().refuse(end, answer);
        fails(&shop, words);
    }
}

#[test]
fn one_that_is_busy_for_a_moment_is_asked_again() {
    let server = ApiServer::start(None);
    let shop = shop(
        Db::on("sqlite"),
        &server,
        &nobody(),
        "services = { web = { absent = true } }",
    );
    server.world().refuse(
        "/pods",
        Answer::json(429, &recorded("429-pdb")).with("retry-after", "0"),
    );
    fails(&shop, &["(429)"]);
    let asked = server
        .world()
        .asked
        .iter()
        .filter(|path| path.ends_with("/pods"))
        .count();
    assert!(asked >= 4, "{asked}");
    server.world().refusals.clear();
    shop.run(&["fleet"], 0);
}

#[test]
fn one_that_is_silent_is_not_waited_for() {
    let server = ApiServer::start(None);
    let keys = "timeout = \"300ms\", services = { web = {} }";
    let shop = shop(Db::on("sqlite"), &server, &nobody(), keys);
    server.world().refuse(
        "/pods",
        Answer::text(200, "{}").after(Duration::from_secs(60)),
    );
    fails(&shop, &["did not answer in time", "timeout"]);
}

#[test]
fn one_that_cannot_be_reached_or_trusted() {
    let server = ApiServer::start(Some(Authority::new()));
    let shop = shop(Db::on("sqlite"), &server, &nobody(), WEB);
    shop.run(&["fleet"], 12);
    let stranger = Authority::new();
    for (cluster, words) in [
        (
            json!({ "server": server.url, "certificate-authority": stranger.certificate() }),
            &[
                "signed by none of the authorities",
                "certificate-authority-data",
            ][..],
        ),
        (
            json!({ "server": "http://127.0.0.1:9" }),
            &["http://127.0.0.1:9 cannot be asked", "refused"],
        ),
        (
            json!({ "server": server.url, "certificate-authority": "/not/there.pem" }),
            &["the kubeconfig", "/not/there.pem"],
        ),
        (json!({}), &["cluster url is missing"]),
    ] {
        of_cluster(&shop, &server.kubeconfig_with(&cluster, &nobody()), WEB);
        fails(&shop, words);
    }
    // A program that gives no token.
    let exec = json!({ "exec": { "apiVersion": "client.authentication.k8s.io/v1", "command": "false", "interactiveMode": "Never" } });
    of_cluster(&shop, &server.kubeconfig(&exec), WEB);
    fails(&shop, &["(false) ended with exit status: 1", "by hand"]);
    // Nor one that never ends: nobody waits for it.
    let exec = json!({ "exec": { "apiVersion": "client.authentication.k8s.io/v1", "command": "sleep", "args": ["90"], "interactiveMode": "Never" } });
    of_cluster(
        &shop,
        &server.kubeconfig(&exec),
        "timeout = \"300ms\", services = { web = {} }",
    );
    let began = Instant::now();
    fails(&shop, &["did not come in time", "by hand"]);
    assert!(
        began.elapsed() < Duration::from_secs(80),
        "it was waited for"
    );
    shop.project.file("kubeconfig", "clusters: [");
    of_cluster(&shop, &shop.project.path().join("kubeconfig"), WEB);
    fails(&shop, &["the kubeconfig", "parse"]);
}

#[test]
fn a_selector_that_finds_nothing_is_no_empty_fleet() {
    let server = ApiServer::start(None);
    let shop = shop(
        Db::on("sqlite"),
        &server,
        &nobody(),
        "services = { web = { selector = \"app=wbe\" } }",
    );
    server
        .world()
        .add("/api/v1/pods", super::pod("web-1", "1.1.0", "web:1.1.0"));
    fails(
        &shop,
        &[
            "neither a pod nor anything that makes pods has `app=wbe`",
            "absent = true",
        ],
    );
}

#[test]
fn a_row_that_makes_no_sense_is_refused() {
    let server = ApiServer::start(None);
    let shop = shop(Db::on("sqlite"), &server, &nobody(), WEB);
    for (keys, said) in [
        (
            "services = { web = { selector = \"app in web\" } }",
            "this is no label selector",
        ),
        ("version = \"tag\"", "`version` cannot be `tag`"),
        ("services = {}", "`services` names none"),
        (
            "services = { web = { selctor = \"a\" } }",
            "did you mean `selector`?",
        ),
        (
            "templates = \"yes\"",
            "`templates` must be `true` or `false`",
        ),
    ] {
        of_cluster(&shop, &server.kubeconfig(&nobody()), keys);
        let refused = shop.run(&["check"], 1);
        let text = format!("{}{}", refused.stdout, refused.stderr);
        assert!(text.contains(said), "{said} in {refused:?}");
    }
}
