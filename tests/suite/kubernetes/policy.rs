//! What is printed for a cluster: the list that it keeps to by itself, and a certificate.

use serde_json::Value;

use crate::support::backend::Db;
use crate::support::project::Output;
use crate::support::shop::{NAME, Shop, said};

const VERSIONS: [&str; 5] = ["1.0.0", "1.0.5", "1.1.0", "1.2.0", "7.3.1"];

fn listed<'a>(of: &'a Value, path: &str) -> &'a str {
    let text = of.pointer(path).and_then(Value::as_str);
    text.unwrap_or_else(|| panic!("{path} in {of:#}"))
}

/// What the policy says of web, and that the gate says the same of each version alone, beside what is live.
fn as_the_gate(shop: &Shop) -> String {
    let printed = shop.json(&["kubernetes", "policy", "--namespace", "shop"], 0);
    let message = listed(&printed, "/items/0/spec/validations/0/message");
    let (_, words) = message.split_once("these may: ").expect("a list");
    let (words, _) = words.split_once("; next").expect("a way out");
    let status = shop.json(&["status"], 0);
    let stretches = status["horizon"][0]["versions"].as_array().expect("a list");
    let may: Vec<&Value> = stretches
        .iter()
        .filter(|stretch| stretch["may_start"] == true)
        .collect();
    let count = if words == "none" {
        0
    } else {
        words.split("; ").count()
    };
    assert_eq!(may.len(), count, "{words} and {stretches:?}");
    for version in VERSIONS {
        let wanted = format!("web={version}");
        let gate = shop.project.migrate(&["gate", "deploy", &wanted]);
        // Whoever has to be in the list is refused as the gate refuses.
        let named = ["kubernetes", "policy", "--namespace", "shop", &wanted];
        let named = shop.project.migrate(&named);
        let is_in = named.code == 0;
        assert_eq!(gate.code == 0, is_in, "{gate:?} {named:?}");
        assert!(is_in || named.stdout.is_empty(), "{named:?}");
    }
    words.to_owned()
}

fn policy(shop: &Shop, more: &[&str], code: i32) -> Output {
    let arguments = [&["kubernetes", "policy", "--namespace", "shop"], more].concat();
    shop.run(&arguments, code)
}

scenario!(
    fn the_list_follows_the_phases_and_the_gate(db: Db) {
        let shop = Shop::with_fleet(db, "[services.web]\nmin_instances = 0\n");
        shop.fleet(&[("web", "web-1", "1.0.0")]);
        assert_eq!(as_the_gate(&shop), "< 1.1.0");
        shop.run(&["expand"], 0);
        assert_eq!(as_the_gate(&shop), "< 1.2.0");
        shop.fleet(&[("web", "web-1", "1.1.0")]);
        shop.run(&["backfill"], 0);
        // What is live would fall off it.
        let refused = policy(&shop, &["--contracting", NAME], 11);
        assert!(said(&refused).contains("web 1.1.0"), "{refused:?}");
        assert!(refused.stdout.is_empty(), "{refused:?}");
        shop.fleet(&[("web", "web-1", "1.2.0")]);
        let before = policy(&shop, &["--contracting", NAME], 0);
        assert!(before.stdout.contains("these may: ≥ 1.2.0"), "{before:?}");
        policy(&shop, &["--reverting", NAME], 11);
        assert_eq!(shop.phase(1), "backfilled");
        shop.run(&["contract", NAME], 0);
        assert_eq!(as_the_gate(&shop), "≥ 1.2.0");
        // What is live in spite of it is warned of.
        shop.fleet(&[("web", "web-1", "1.0.0")]);
        let warned = policy(&shop, &["--quiet"], 0);
        assert!(
            warned.stderr.contains("web 1.0.0 is live and not listed"),
            "{warned:?}"
        );
    }
);

#[test]
fn what_is_printed_is_yaml_for_the_namespaces_of_the_source() {
    let shop = Shop::with_fleet(Db::on("sqlite"), "[services.web]\nmin_instances = 0\n");
    shop.run(&["expand"], 0);
    let unplaced = shop.run(&["kubernetes", "policy"], 2);
    assert!(said(&unplaced).contains("--namespace"), "{unplaced:?}");
    shop.run(
        &[
            "kubernetes",
            "policy",
            "--namespace",
            "shop",
            "--name",
            "A/B",
        ],
        2,
    );
    let printed = policy(&shop, &["--name", "shop-db"], 0).stdout;
    let documents: Vec<Value> = yaml_serde::Deserializer::from_str(&printed)
        .map(|document| serde::Deserialize::deserialize(document).expect("YAML"))
        .collect();
    let [policy, binding] = &documents[..] else {
        panic!("{} documents", documents.len());
    };
    assert_eq!(policy["kind"], "ValidatingAdmissionPolicy");
    assert_eq!(policy["spec"]["failurePolicy"], "Fail");
    assert_eq!(policy["spec"].get("paramKind"), None);
    assert_eq!(binding["spec"]["policyName"], policy["metadata"]["name"]);
    assert_eq!(policy["metadata"]["name"], "shop-db");
    let selector = &binding["spec"]["matchResources"]["namespaceSelector"]["matchExpressions"][0];
    assert_eq!(selector["values"][0], "shop");
    assert_eq!(binding["spec"]["validationActions"][0], "Deny");
}

#[test]
fn missing_evidence_is_no_list() {
    let shop = Shop::with_fleet(Db::on("sqlite"), "[services.web]\nmin_instances = 0\n");
    shop.run(&["expand"], 0);
    shop.run(&["backfill"], 0);
    // Whether somebody writes only the old format is not known.
    shop.fleet_text("not JSON");
    let unknown = policy(&shop, &[], 12);
    assert!(unknown.stdout.is_empty(), "{unknown:?}");
    assert!(said(&unknown).contains("list"), "{unknown:?}");
}

/// A slip in a file that nobody has applied is no reason to keep every pod out, and a database that is not there none to let all in.
#[test]
fn what_the_gate_does_not_know_is_no_list() {
    let shop = Shop::with_fleet(Db::on("sqlite"), "[services.web]\nmin_instances = 0\n");
    shop.run(&["expand"], 0);
    let listed = policy(&shop, &[], 0);
    assert!(!listed.stdout.is_empty(), "{listed:?}");
    let slip = [("migration.toml", "description = \"n\"\nxx = 1\n")];
    shop.project.migration("0009_new", &slip);
    shop.run(&["gate", "deploy", "web=1.0.0"], 12);
    let unknown = policy(&shop, &[], 12);
    assert!(unknown.stdout.is_empty(), "{unknown:?}");
    assert!(said(&unknown).contains("not known"), "{unknown:?}");
    std::fs::remove_dir_all(shop.project.path().join("0009_new")).expect("it was written");
    policy(&shop, &[], 0);
    let nowhere = format!("sqlite://{}/nowhere.db", shop.project.path().display());
    let unknown = policy(&shop, &["--database-url", &nowhere], 12);
    assert!(unknown.stdout.is_empty(), "{unknown:?}");
}

#[test]
fn the_certificate_is_one_for_the_webhook_s_server() {
    use std::process::Command;

    use base64::Engine as _;
    use base64::prelude::BASE64_STANDARD;

    use crate::serve::client::Server;

    let shop = Shop::with_name(Db::on("sqlite"));
    let arguments = ["kubernetes", "certificates", "--namespace", "shop"];
    let secret = shop.json(&[&arguments[..], &["--days", "30"]].concat(), 0);
    assert_eq!(secret["metadata"]["name"], "phasegate-tls");
    assert_eq!(secret["type"], "kubernetes.io/tls");
    let again = shop.json(&arguments, 0);
    assert_ne!(secret["data"]["ca.crt"], again["data"]["ca.crt"]);
    for (name, of) in [
        ("tls.crt", &secret),
        ("tls.key", &secret),
        ("ca.crt", &secret),
        ("other.crt", &again),
    ] {
        let key = if name == "other.crt" { "ca.crt" } else { name };
        let text = of["data"][key].as_str().expect("a text");
        let text = BASE64_STANDARD.decode(text).expect("Base64");
        shop.project
            .file(name, &String::from_utf8(text).expect("PEM"));
    }
    let arguments = [
        "--admission",
        "--tls-cert",
        "tls.crt",
        "--tls-key",
        "tls.key",
    ];
    let server = Server::start(&shop.project, &arguments);
    // As an API server does: by the Service's name, trusting this CA and no other.
    let verified = |ca: &str, host: &str| {
        let script = format!(
            "printf 'GET /healthz HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n\\r\\n' | openssl s_client -quiet \
             -connect {} -CAfile {ca} -verify_return_error -verify_hostname {host} -servername {host} 2>&1",
            server.address
        );
        let mut command = Command::new("sh");
        let output = command
            .args(["-c", &script])
            .current_dir(shop.project.path())
            .output();
        let said = output.expect("a shell").stdout;
        String::from_utf8_lossy(&said).contains("HTTP/1.1 200")
    };
    assert!(verified("ca.crt", "phasegate.shop.svc"));
    assert!(!verified("ca.crt", "phasegate.other.svc"));
    assert!(!verified("other.crt", "phasegate.shop.svc"));
    server.stop();
    let yaml = shop.run(
        &[
            "kubernetes",
            "certificates",
            "--namespace",
            "shop",
            "--secret",
            "own",
        ],
        0,
    );
    assert!(
        yaml.stdout.contains("name: own") && yaml.stderr.contains("nothing renews it"),
        "{yaml:?}"
    );
}
