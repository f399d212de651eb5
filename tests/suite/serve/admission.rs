//! The admission webhook: what it lets in is registered in the same moment, and what it refuses says why.

use std::sync::Barrier;

use serde_json::{Value, json};

use super::client::Server;
use crate::support::backend::Db;
use crate::support::shop::{NAME, Shop};
use crate::support::wait::{GENEROUS, poll};

/// A pod of web, or a Deployment of such pods.
pub fn review(kind: &str, version: &str, image: &str) -> Value {
    let pod = json!({
        "metadata": {
            "generateName": "web-5d4-",
            "labels": { "app.kubernetes.io/name": "web", "app.kubernetes.io/version": version },
        },
        "spec": { "containers": [{ "name": "web", "image": format!("shop/web:{image}") }] },
    });
    let object = match kind {
        "Pod" => pod,
        _ => json!({ "metadata": { "name": "web" }, "spec": { "replicas": 2, "template": pod } }),
    };
    json!({ "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {
        "uid": "705ab4f5-6393-11e8-b7cc-42010a800002",
        "kind": { "group": "", "version": "v1", "kind": kind },
        "name": "web", "namespace": "shop", "operation": "CREATE", "object": object,
    } })
}

/// Whether it was let in, and what the API server is told.
#[track_caller]
pub fn asked(server: &Server, review: &Value) -> (bool, String) {
    let answer = server.post("/admission/v1", &review.to_string());
    assert_eq!(answer.status, 200, "{}", answer.body);
    let answer = answer.json();
    assert_eq!(answer["kind"], "AdmissionReview");
    let response = &answer["response"];
    assert_eq!(response["uid"], review["request"]["uid"]);
    let message = response["status"]["message"].as_str().unwrap_or_default();
    (
        response["allowed"].as_bool().expect("an answer"),
        message.to_owned(),
    )
}

scenario!(
    fn what_is_let_in_is_registered_and_what_may_not_start_is_refused(db: Db) {
        let shop = Shop::backfilled(db);
        let server = Server::start(&shop.project, &["--admission"]);
        let live = || {
            let fleet = shop.json(&["fleet"], 0);
            fleet["fleet"].as_array().expect("a fleet").len()
        };
        let mut dry = review("Pod", "1.1.0", "1.1.0");
        dry["request"]["dryRun"] = true.into();
        assert_eq!(asked(&server, &dry), (true, String::new()));
        let mut other = review("Pod", "1.1.0", "1.1.0");
        let labels = "/request/object/metadata/labels/app.kubernetes.io~1name";
        *other.pointer_mut(labels).expect("a label") = "nginx".into();
        assert_eq!(asked(&server, &other), (true, String::new()));
        assert_eq!(live(), 0, "neither is registered");
        // `kubectl set image` changes the image and leaves the label.
        let (let_in, why) = asked(&server, &review("Pod", "1.2.0", "1.0.0"));
        assert!(
            !let_in
                && why.contains("its label and its image name two versions: 1.2.0 (image 1.0.0)"),
            "{why}"
        );
        // A version that needs the old format is let in, and the contract waits for it.
        assert!(asked(&server, &review("Pod", "1.1.0", "1.1.0")).0);
        assert_eq!(live(), 1);
        let held = shop.json(&["gate", "contract", "1"], 10);
        let blocker = &held["blockers"][0];
        assert_eq!(blocker["examples"][0], "web-5d4-705ab4f5", "{held}");
        shop.run(
            &["fleet", "forget", "web-5d4-705ab4f5", "--reason", "gone"],
            0,
        );
        shop.run(&["contract", "1"], 0);
        for kind in ["Pod", "Deployment"] {
            let (let_in, why) = asked(&server, &review(kind, "1.0.0", "1.0.0"));
            assert!(!let_in);
            assert!(
                why.contains("web 1.0.0 may not start now (refuse)"),
                "{why}"
            );
            assert!(why.contains("0001_name") && why.contains("next: "), "{why}");
            assert!(asked(&server, &review(kind, "1.2.0", "1.2.0")).0);
        }
        // What is no review is refused all the same, under its name where it has one.
        for (body, status, uid) in [
            ("", 400, ""),
            ("[]", 400, ""),
            ("{\"kind\":\"AdmissionReview\"}", 400, ""),
            (
                "{\"kind\":\"AdmissionReview\",\"apiVersion\":\"admission.k8s.io/v1beta1\",\"request\":{\"uid\":\"u\"}}",
                200,
                "u",
            ),
        ] {
            let answer = server.post("/admission/v1", body);
            assert_eq!(answer.status, status, "{body}");
            let answer = answer.json();
            assert_eq!(answer["apiVersion"], "admission.k8s.io/v1", "{body}");
            assert_eq!(answer["response"]["uid"], uid, "{body}");
            assert_eq!(answer["response"]["allowed"], false, "{body}");
        }
        let counted = server.get("/metrics").body;
        let refused = "phasegate_gate_verdicts_total{action=\"admit\",verdict=\"refuse\"} 7";
        assert!(counted.contains(refused), "{counted}");
        server.stop();
        let without = Server::start(&shop.project, &[]);
        assert_eq!(without.post("/admission/v1", "{}").status, 404);
        without.stop();
    }
);

scenario!(
    fn no_contract_slips_in_between_what_is_let_in(db: Db) {
        const ASKERS: usize = 4;
        let shop = Shop::backfilled(db);
        let server = Server::start(&shop.project, &["--admission"]);
        let together = Barrier::new(ASKERS + 1);
        let (contracted, let_in) = std::thread::scope(|scope| {
            let ask = || {
                together.wait();
                let answers = (0..3).map(|_| asked(&server, &review("Pod", "1.0.0", "1.0.0")));
                answers.filter(|(let_in, _)| *let_in).count()
            };
            let askers: Vec<_> = (0..ASKERS).map(|_| scope.spawn(ask)).collect();
            together.wait();
            let contract = shop.project.migrate(&["contract", NAME]);
            let let_in = askers
                .into_iter()
                .map(|asker| asker.join().expect("an answer"));
            (contract.code == 0, let_in.sum::<usize>())
        });
        // Whichever came first kept the other out.
        assert_eq!(contracted, let_in == 0, "{let_in} were let in");
        assert_eq!(shop.phase(1) == "contracted", contracted);
        server.stop();
    }
);

#[test]
fn what_is_pending_is_known_whatever_is_wrong_beside_it_and_unknown_where_it_cannot_be_read() {
    let shop = Shop::backfilled(Db::on("sqlite"));
    let config = shop.project.path().join("migrate.toml");
    let config = std::fs::read_to_string(config).expect("a configuration");
    let arguments = ["--admission", "--refresh", "200ms"];
    let server = Server::start(&shop.project, &arguments);
    // What the gate says over HTTP, what is said of a dry run, and of a pod.
    let told = |version: &str| {
        let gate = server.get(&format!("/v1/gate/deploy?web={version}"));
        let mut dry = review("Pod", version, version);
        dry["request"]["dryRun"] = true.into();
        let verdict = gate.json()["verdict"].as_str().map(ToOwned::to_owned);
        let pod = asked(&server, &review("Pod", version, version));
        (verdict.unwrap_or_default(), asked(&server, &dry), pod)
    };
    let eventually_told = |version: &str, gate: &str, why: &str| {
        let mut last = None;
        let seen = poll(GENEROUS, || {
            let (verdict, dry, pod) = told(version);
            let is_said = |(let_in, said): &(bool, String)| match why {
                "" => *let_in,
                _ => !let_in && said.contains(why),
            };
            let is_so = verdict == gate && is_said(&dry) && is_said(&pod);
            last = Some((verdict, dry, pod));
            is_so.then_some(())
        });
        assert!(seen.is_some(), "{version}, {gate}, {why}: {last:?}");
    };
    eventually_told("1.3.0", "go", "");
    let declared = "description = \"z\"\n[services.web]\nnew = \">=1.3.0\"\n";
    shop.project.migration(
        "0002_z",
        &[
            ("migration.toml", declared),
            ("expand.sql", "ALTER TABLE users ADD COLUMN z int;\n"),
        ],
    );
    // With it comes a section that this build does not know: the services and sources are those of before.
    let slip = format!("{config}\n[nix]\n");
    shop.project.file("migrate.toml", &slip);
    eventually_told("1.3.0", "refuse", "0002_z, which is not expanded yet");
    shop.project.file("migrate.toml", &config);
    eventually_told("1.2.0", "go", "");
    shop.project
        .file("0002_z/migration.toml", "descripton = \"z\"\n");
    eventually_told("1.2.0", "unknown", "(unknown)");
    shop.project.file("0002_z/migration.toml", declared);
    eventually_told("1.2.0", "go", "");
    // It does not say where the migrations are any more.
    shop.project.file("migrate.toml", "[services.");
    eventually_told("1.2.0", "unknown", "(unknown)");
    server.stop();
}
