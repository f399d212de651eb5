//! What a cluster shows.

use serde_json::json;

use super::{WEB, deployment, nobody, pod, shop};
use crate::support::api_server::{ApiServer, recorded};
use crate::support::backend::Db;
use crate::support::http::Authority;
use crate::support::shop::NAME;

scenario!(
    fn pods_are_the_fleet(db: Db) {
        let server = ApiServer::start(None);
        let shop = shop(db, &server, &nobody(), WEB);
        server.world().pods(&recorded("pods-node-lost-terminating"));
        let json = shop.json(&["fleet"], 0);
        let groups = json["fleet"].as_array().expect("a list");
        let states: Vec<(&str, u64)> = groups
            .iter()
            .map(|group| {
                (
                    group["state"].as_str().expect("a text"),
                    group["instances"].as_u64().expect("a number"),
                )
            })
            .collect();
        // Their node is lost: the time by which they had to be gone is over.
        for state in [("serving", 2), ("starting", 2), ("lost", 2)] {
            assert!(states.contains(&state), "{state:?} in {states:?}");
        }
        let text = shop.run(&["fleet"], 0).stdout;
        for part in [
            "web-5c5f98466f-894fz on n1, Running for ",
            "on n2, Terminating for ",
            "it may still run",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
        let serving = groups
            .iter()
            .find(|group| group["state"] == "serving")
            .expect("one");
        assert_eq!(serving["details"][0]["place"], "n1");
        assert_eq!(serving["details"][0]["phase"], "Running");
    }
);

scenario!(
    fn an_image_past_its_label_stops_the_contract(db: Db) {
        let server = ApiServer::start(None);
        let shop = shop(db, &server, &nobody(), WEB);
        // As after `kubectl set image`, which leaves the label as it was.
        server.world().add(
            "/api/v1/pods",
            pod("web-1", "1.2.0", "registry:5000/web:1.0.0"),
        );
        let unknown = shop.run(&["contract", NAME], 12);
        assert!(
            unknown.stdout.contains("1.2.0 (image 1.0.0)"),
            "{unknown:?}"
        );
        // As after `kubectl label pod`, while the last of what its ReplicaSet made drains.
        let mut relabelled = pod("web-1", "1.2.0", "registry:5000/web@sha256:0011");
        let owner =
            json!({ "kind": "ReplicaSet", "name": "web-5", "uid": "u-5", "controller": true });
        relabelled["metadata"]["ownerReferences"] = json!([owner]);
        let mut made_from = deployment("1.1.0", 0);
        made_from["metadata"]["uid"] = json!("u-5");
        server.world().objects.clear();
        server.world().add("/api/v1/pods", relabelled);
        server.world().add("/apis/apps/v1/replicasets", made_from);
        let unknown = shop.run(&["contract", NAME], 12);
        for part in ["1.2.0 (template 1.1.0)", "set that label back"] {
            assert!(unknown.stdout.contains(part), "{part} in {unknown:?}");
        }
        server.world().objects.clear();
        server.world().add(
            "/api/v1/pods",
            pod("web-1", "1.2.0", "registry:5000/web:1.2.0"),
        );
        // Nothing of the old version runs, and the cluster would start it.
        server
            .world()
            .add("/apis/apps/v1/deployments", deployment("1.1.0", 3));
        let refused = shop.run(&["contract", NAME], 11);
        for part in ["web 1.1.0", "deployment/web"] {
            assert!(refused.stdout.contains(part), "{part} in {refused:?}");
        }
        let fleet = shop.run(&["fleet"], 0);
        assert!(
            fleet.stdout.contains("the cluster starts it by itself"),
            "{fleet:?}"
        );
        server.world().objects.pop();
        server
            .world()
            .add("/apis/apps/v1/deployments", deployment("1.1.0", 0));
        shop.run(&["contract", NAME], 0);
    }
);

#[test]
fn a_list_comes_in_pages_and_is_begun_anew_where_it_was_forgotten() {
    let server = ApiServer::start(None);
    let shop = shop(Db::on("sqlite"), &server, &nobody(), WEB);
    {
        let mut world = server.world();
        world.page = 2;
        for number in 0..7 {
            world.add(
                "/api/v1/pods",
                pod(&format!("web-{number}"), "1.2.0", "web:1.2.0"),
            );
        }
        world.too_old = 2;
    }
    let json = shop.json(&["fleet"], 0);
    assert_eq!(json["fleet"][0]["instances"], 7, "{json}");
    assert_eq!(json["sources"][0]["instances"], 7);
    // One that is forgotten again and again is no list.
    server.world().too_old = 100;
    let failed = shop.run(&["fleet"], 12);
    assert!(failed.stderr.contains("begun 3 times"), "{failed:?}");
    assert!(failed.stderr.contains("(410)"), "{failed:?}");
}

#[test]
fn what_it_asks_for_is_listed_whole_and_by_its_selector() {
    let server = ApiServer::start(None);
    let keys = "namespaces = [\"shop\", \"*\"], services = { web = { selector = \"app in (web),tier=front\", namespaces = [\"shop\"], absent = true } }";
    let shop = shop(Db::on("sqlite"), &server, &nobody(), keys);
    shop.run(&["fleet"], 0);
    let asked = server.world().asked.join("\n");
    for path in [
        "GET /api/v1/namespaces/shop/pods",
        "GET /apis/apps/v1/namespaces/shop/deployments",
        "GET /apis/apps/v1/namespaces/shop/replicasets",
        "GET /apis/apps/v1/namespaces/shop/statefulsets",
        "GET /apis/apps/v1/namespaces/shop/daemonsets",
        "GET /apis/batch/v1/namespaces/shop/jobs",
        "GET /apis/batch/v1/namespaces/shop/cronjobs",
        "GET /apis/argoproj.io/v1alpha1",
    ] {
        assert!(asked.contains(path), "{path} in {asked}");
    }
    assert!(!asked.contains("rollouts"), "{asked}");
}

#[test]
fn without_services_the_usual_label_names_them() {
    let server = ApiServer::start(None);
    let shop = shop(Db::on("sqlite"), &server, &nobody(), "timeout = \"20s\"");
    {
        let mut world = server.world();
        world.add("/api/v1/pods", pod("web-1", "1.2.0", "web:1.2.0"));
        let mut other = pod("worker-1", "7.0.0", "worker:7.0.0");
        other["metadata"]["labels"]["app.kubernetes.io/name"] = json!("worker");
        world.add("/api/v1/pods", other);
        // Nothing of this project.
        let mut stranger = pod("db-1", "15", "postgres:15");
        stranger["metadata"]["labels"]["app.kubernetes.io/name"] = json!("postgres");
        world.add("/api/v1/pods", stranger);
    }
    let json = shop.json(&["fleet"], 0);
    let services: Vec<&str> = json["fleet"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|group| group["service"].as_str().expect("a text"))
        .collect();
    assert_eq!(services, ["web", "worker"]);
}

#[test]
fn over_tls_with_tokens_that_change_and_programs_that_get_them() {
    let server = ApiServer::start(Some(Authority::new()));
    server.world().tokens = vec!["first".to_owned()];
    server
        .world()
        .add("/api/v1/pods", pod("web-1", "1.2.0", "web:1.2.0"));
    let directory = tempfile::tempdir().expect("a directory");
    let token = directory.path().join("token");
    std::fs::write(&token, "first").expect("a file");
    let of_file = json!({ "tokenFile": token });
    let shop = shop(Db::on("sqlite"), &server, &of_file, WEB);
    let seen = |code| shop.json(&["fleet"], code)["sources"][0]["status"].clone();
    assert_eq!(seen(0), "fresh");
    // The kubelet writes a new one long before the old one ends.
    server.world().tokens = vec!["second".to_owned()];
    assert_eq!(seen(12), "failed");
    std::fs::write(&token, "second").expect("a file");
    assert_eq!(seen(0), "fresh");
    // A program prints one; it is told nothing that leads into the database.
    let program = directory.path().join("get-token");
    std::fs::write(
        &program,
        "#!/bin/sh\n[ -z \"$DATABASE_URL\" ] || exit 9\nprintf '{\"apiVersion\":\"client.authentication.k8s.io/v1\",\"kind\":\"ExecCredential\",\"status\":{\"token\":\"second\"}}'\n",
    )
    .expect("a file");
    use std::os::unix::fs::PermissionsExt as _;
    let may_run = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(&program, may_run).expect("permissions");
    let exec = json!({ "exec": { "apiVersion": "client.authentication.k8s.io/v1", "command": program, "interactiveMode": "Never" } });
    super::of_cluster(&shop, &server.kubeconfig(&exec), WEB);
    shop.project.env("DATABASE_URL", &shop.db.url);
    assert_eq!(seen(0), "fresh");
}

#[test]
fn five_thousand_pods_are_looked_at_quickly() {
    let server = ApiServer::start(None);
    let shop = shop(Db::on("sqlite"), &server, &nobody(), WEB);
    {
        let mut world = server.world();
        for number in 0..5_000 {
            world.add(
                "/api/v1/pods",
                pod(&format!("web-{number}"), "1.2.0", "web:1.2.0"),
            );
        }
    }
    let json = shop.json(&["fleet"], 0);
    assert_eq!(json["fleet"][0]["instances"], 5_000);
}
