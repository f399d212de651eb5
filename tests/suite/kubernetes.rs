//! Fleets of a Kubernetes cluster, as an API server tells of them: a stand-in that answers what a real one was recorded to. With
//! `TEST_KUBECONFIG`, the same over a real server (`kubernetes::on_a_real_server`).

mod driver;
mod failures;
mod fleet;
mod parts;
mod policy;
mod real;
mod renewed;

use serde_json::{Value, json};

use crate::support::api_server::ApiServer;
use crate::support::backend::Db;
use crate::support::shop::Shop;

const NONE_NEEDED: &str =
    "[services.web]\nmin_instances = 0\n[services.worker]\nmin_instances = 0\n";

/// The pods that are called web, and no other key.
const WEB: &str = "services = { web = {} }";

/// A project whose only source is this cluster, backfilled while nobody was live.
fn shop(db: Db, server: &ApiServer, user: &Value, keys: &str) -> Shop {
    let shop = Shop::with_fleet(db, NONE_NEEDED);
    shop.run(&["expand"], 0);
    shop.run(&["backfill"], 0);
    of_cluster(&shop, &server.kubeconfig(user), keys);
    shop
}

fn of_cluster(shop: &Shop, kubeconfig: &std::path::Path, keys: &str) {
    let kubeconfig = kubeconfig.display();
    shop.project.file(
        "migrate.toml",
        &format!(
            "{NONE_NEEDED}[fleet]\nsources = [{{ kind = \"kubernetes\", kubeconfig = \"{kubeconfig}\", context = \"here\", {keys} }}]\n"
        ),
    );
}

fn pod(name: &str, version: &str, image: &str) -> Value {
    json!({
        "metadata": {
            "name": name, "namespace": "default",
            "labels": { "app.kubernetes.io/name": "web", "app.kubernetes.io/version": version },
        },
        "spec": { "nodeName": "n1", "containers": [{ "name": "web", "image": image }] },
        "status": {
            "phase": "Running",
            "conditions": [{ "type": "Ready", "status": "True", "lastTransitionTime": "2026-11-26T11:00:00Z" }],
        },
    })
}

fn deployment(version: &str, replicas: u32) -> Value {
    json!({
        "metadata": { "name": "web", "namespace": "default", "generation": 1 },
        "spec": {
            "replicas": replicas,
            "template": {
                "metadata": { "labels": { "app.kubernetes.io/name": "web", "app.kubernetes.io/version": version } },
                "spec": { "containers": [{ "name": "web", "image": format!("registry.example.com/web:{version}") }] },
            },
        },
    })
}

fn nobody() -> Value {
    json!({})
}
