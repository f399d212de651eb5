//! The same over a real API server, where `TEST_KUBECONFIG` names one and its context `here` may create Deployments in the
//! namespace `default`.

use std::path::Path;

use crate::support::backend::Db;
use crate::support::shop::Shop;

#[test]
#[ignore = "needs an API server: TEST_KUBECONFIG=FILE cargo test --test suite kubernetes::real -- --ignored"]
fn on_a_real_server() {
    let kubeconfig = std::env::var_os("TEST_KUBECONFIG").expect("TEST_KUBECONFIG names a file");
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
