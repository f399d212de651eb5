//! The list that a cluster keeps to by itself is renewed before a fence goes up, or no fence goes up.

use serde_json::{Value, json};

use crate::support::api_server::{ApiServer, World};
use crate::support::backend::Db;
use crate::support::http::Answer;
use crate::support::shop::{NAME, Shop, said};

const POLICY: &str = "validatingadmissionpolicies/phasegate";

fn shop(server: &ApiServer, more: &str) -> Shop {
    let kubeconfig = server.kubeconfig(&json!({}));
    let shop = Shop::with_fleet(
        Db::on("sqlite"),
        &format!(
            "[services.web]\nmin_instances = 0\nreleases = [\"1.0.0\", \"1.1.0\", \"1.2.0\"]\n\
             [policy.here]\nkubeconfig = \"{}\"\ncontext = \"here\"\nnamespaces = [\"shop\"]\nsettle = \"10ms\"\n{more}",
            kubeconfig.display()
        ),
    );
    shop.fleet(&[("web", "web-1", "1.0.0")]);
    shop
}

/// The versions of web that the policy in the cluster lists; none where there is no policy.
fn listed(server: &ApiServer) -> Option<String> {
    let world = server.world();
    let mut all = world.objects.iter();
    let (_, policy) = all.find(|(path, _)| path.ends_with("validatingadmissionpolicies"))?;
    let message = policy.pointer("/spec/validations/0/message")?.as_str()?;
    let (_, words) = message.split_once("these may: ")?;
    Some(words.split_once("; next")?.0.to_owned())
}

#[test]
fn a_list_is_renewed_before_the_fence_and_after_each_step() {
    let server = ApiServer::start(None);
    let shop = shop(&server, "");
    assert_eq!(listed(&server), None);
    shop.run(&["expand"], 0);
    assert_eq!(listed(&server).as_deref(), Some("< 1.2.0"));
    let bound = |world: &World| {
        let mut all = world.objects.iter();
        let (_, binding) = all
            .find(|(path, _)| path.ends_with("policybindings"))
            .expect("a binding");
        binding["spec"]["policyName"].clone()
    };
    assert_eq!(bound(&server.world()), "phasegate");
    shop.fleet(&[("web", "web-1", "1.2.0")]);
    shop.run(&["backfill"], 0);
    let wide = listed(&server).expect("a list");
    assert_ne!(wide, "≥ 1.2.0");

    // Whoever may not be told is not passed by: no fence goes up.
    let no = json!({ "kind": "Status", "message": "no", "code": 403 });
    server
        .world()
        .refuse(&format!("PATCH {POLICY}"), Answer::json(403, &no));
    let unknown = shop.run(&["contract", NAME], 12);
    assert!(
        said(&unknown).contains("`phasegate` cannot be renewed"),
        "{unknown:?}"
    );
    assert_eq!(shop.phase(1), "backfilled");
    shop.run(&["gate", "deploy", "web=1.1.0"], 0);
    server.world().refusals.clear();

    // One that does not stay is none. What was closed is opened again.
    let gone = json!({ "kind": "Status", "message": "gone", "code": 404 });
    server
        .world()
        .refuse(&format!("GET {POLICY}"), Answer::json(404, &gone));
    shop.run(&["contract", NAME], 12);
    assert_eq!(shop.phase(1), "backfilled");
    assert_eq!(listed(&server), Some(wide));
    server.world().refusals.clear();
    server.world().on_change = Some(|world| {
        for (_, object) in &mut world.objects {
            if let Some(variable) = object.pointer_mut("/spec/variables/0/expression") {
                *variable = Value::from("true");
            }
        }
    });
    let unknown = shop.run(&["contract", NAME], 12);
    assert!(
        said(&unknown).contains("somebody else writes it as well"),
        "{unknown:?}"
    );
    assert_eq!(shop.phase(1), "backfilled");
    server.world().on_change = None;

    // What another has added stays however often ours is written, and may let pods past it.
    let selector = |selector: Value| {
        let mut world = server.world();
        let mut all = world.objects.iter_mut();
        let (_, binding) = all
            .find(|(path, _)| path.ends_with("policybindings"))
            .expect("a binding");
        binding["spec"]["matchResources"]["objectSelector"] = selector;
    };
    selector(json!({ "matchLabels": { "policed": "yes" } }));
    let unknown = shop.run(&["contract", NAME], 12);
    assert!(
        said(&unknown).contains("`spec.matchResources.objectSelector` was added by somebody else"),
        "{unknown:?}"
    );
    assert_eq!(shop.phase(1), "backfilled");
    // As a server has it by default.
    selector(json!({}));

    // Behind the fence it lists nobody whom the fence keeps out; whoever was killed there is made up for.
    shop.project.env("PHASEGATE_CRASH_AT", "contract.fenced");
    shop.run(&["contract", NAME], 137);
    shop.project.env_remove("PHASEGATE_CRASH_AT");
    assert_eq!(shop.phase(1), "contracting");
    assert_eq!(listed(&server).as_deref(), Some("≥ 1.2.0"));
    shop.run(&["contract", NAME, "--wait", "30s"], 0);
    assert_eq!(shop.phase(1), "contracted");
    assert_eq!(listed(&server).as_deref(), Some("≥ 1.2.0"));
}

#[test]
fn a_list_that_cannot_be_renewed_after_a_step_is_said_and_the_step_is_done() {
    let server = ApiServer::start(None);
    let shop = shop(
        &server,
        "[rollout]\ndriver = { kind = \"command\", run = [\"false\"] }\n",
    );
    let no = json!({ "kind": "Status", "message": "no", "code": 403 });
    server
        .world()
        .refuse(&format!("PATCH {POLICY}"), Answer::json(403, &no));
    let expanded = shop.json(&["expand"], 0);
    assert!(
        expanded.to_string().contains("is an older one"),
        "{expanded}"
    );
    assert_eq!(shop.phase(1), "expanded");
    // A revert is behind a fence as well.
    shop.run(&["revert", NAME], 12);
    assert_eq!(shop.phase(1), "expanded");
    server.world().refusals.clear();
    // Whoever is to be rolled out is listed before it is.
    assert_eq!(listed(&server), None);
    shop.run(&["rollout", "--to", "web=1.1.0"], 1);
    assert_eq!(listed(&server).as_deref(), Some("< 1.2.0"));
    shop.run(&["rollout", "abort"], 0);
    shop.run(&["revert", NAME], 0);
    assert_eq!(listed(&server).as_deref(), Some("< 1.1.0"));
}

/// A list that is there goes on to hold: one that lets nobody in would take the service down bit by bit.
#[test]
fn what_is_not_known_is_not_written_over_a_list() {
    let server = ApiServer::start(None);
    let shop = shop(&server, "");
    shop.run(&["expand"], 0);
    let before = listed(&server).expect("a list");
    shop.fleet(&[("web", "web-1", "1.1.0")]);
    shop.project.migration(
        "0009_new",
        &[("migration.toml", "description = \"n\"\nxx = 1\n")],
    );
    let filled = shop.json(&["backfill", NAME], 0);
    assert!(filled.to_string().contains("is an older one"), "{filled}");
    assert_eq!(listed(&server), Some(before));
}
