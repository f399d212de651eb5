//! The same over a real API server, where `TEST_KUBECONFIG` names one and its context `here` may create Deployments in the
//! namespace `default`.

use std::path::Path;

use crate::support::backend::Db;
use crate::support::shop::Shop;

#[test]
fn on_a_real_server() {
    let Some(kubeconfig) = std::env::var_os("TEST_KUBECONFIG") else {
        // Said, so that nobody takes it for tried.
        eprintln!("TEST_KUBECONFIG names no API server: not tried on a real one");
        return;
    };
    let shop = Shop::with_fleet(Db::on("sqlite"), super::NONE_NEEDED);
    super::of_cluster(
        &shop,
        Path::new(&kubeconfig),
        "services = { web = { absent = true } }",
    );
    let fleet = shop.json(&["fleet"], 0);
    assert_eq!(fleet["sources"][0]["status"], "fresh", "{fleet}");
    super::of_cluster(
        &shop,
        Path::new(&kubeconfig),
        "namespaces = [\"not-there\"], services = { web = {} }",
    );
    let fleet = shop.json(&["fleet"], 12);
    let reason = fleet["sources"][0]["reason"].as_str().expect("a reason");
    assert!(reason.contains("neither a pod"), "{reason}");
}
