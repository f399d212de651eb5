//! Fleets that are asked for over HTTP: a server in the documented shapes of Consul, Nomad and Prometheus.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::support::backend::Db;
use crate::support::http::{Answer, Authority, Request, serve};
use crate::support::shop::{NAME, Shop};

const NONE_NEEDED: &str =
    "[services.web]\nmin_instances = 0\n[services.worker]\nmin_instances = 0\n";

/// A project whose only source has these keys, backfilled while nobody was live.
fn shop(db: Db, keys: &str) -> Shop {
    let shop = Shop::with_fleet(db, NONE_NEEDED);
    shop.run(&["expand"], 0);
    shop.run(&["backfill"], 0);
    asks(&shop, keys);
    shop
}

fn asks(shop: &Shop, keys: &str) {
    shop.project.file(
        "migrate.toml",
        &format!("{NONE_NEEDED}[[fleet.sources]]\n{keys}\n"),
    );
}

#[track_caller]
fn fails(shop: &Shop, words: &[&str]) {
    let fleet = shop.json(&["fleet"], 12);
    assert_eq!(fleet["sources"][0]["status"], "failed", "{fleet}");
    let reason = fleet["sources"][0]["reason"].as_str().expect("a reason");
    for word in words {
        assert!(reason.contains(word), "{word} in {reason}");
    }
    shop.run(&["contract", NAME], 12);
}

/// `name version state` of each group, with its first example.
fn groups(shop: &Shop) -> Vec<String> {
    let fleet = shop.json(&["fleet"], 0);
    let groups = fleet["fleet"].as_array().expect("a list");
    let groups = groups.iter().map(|group| {
        let text = |key: &str| group[key].as_str().expect("a text").to_owned();
        let first = group["examples"][0].as_str().expect("a name");
        format!("{first} {} {}", text("version"), text("state"))
    });
    let mut groups: Vec<String> = groups.collect();
    groups.sort();
    groups
}

/// A server whose answer may be changed, and the requests that it has had.
struct Changing {
    url: String,
    answer: Arc<Mutex<Answer>>,
    asked: Arc<Mutex<Vec<Request>>>,
}

impl Changing {
    fn start(authority: Option<&Authority>, answer: Answer) -> Self {
        let answer = Arc::new(Mutex::new(answer));
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (held, heard) = (answer.clone(), asked.clone());
        let url = serve(
            authority,
            Arc::new(move |request: &Request| {
                heard.lock().expect("nobody panicked").push(request.clone());
                held.lock().expect("nobody panicked").clone()
            }),
        );
        Self { url, answer, asked }
    }

    fn answers(&self, answer: Answer) {
        *self.answer.lock().expect("nobody panicked") = answer;
    }

    fn last(&self) -> Request {
        let asked = self.asked.lock().expect("nobody panicked");
        asked.last().expect("a request").clone()
    }
}

/// As `/v1/health/service/:service` answers.
fn consul(id: &str, version: &str, status: &str) -> Value {
    json!({
        "Node": { "Node": "n1", "Address": "192.0.2.1" },
        "Service": { "ID": id, "Service": "web", "Meta": { "version": version }, "Port": 8080 },
        "Checks": [
            { "CheckID": "serfHealth", "Status": "passing" },
            { "CheckID": format!("service:{id}"), "Status": status },
        ],
    })
}

const CONSUL: &str = "kind = \"http\"\nname = \"consul\"\nservice = \"web\"\ninstance = \"$.Service.ID\"\n\
     version = \"$.Service.Meta.version\"\nstate = \"$.Checks[*].Status\"\nserving = [\"passing\", \"warning\"]\n\
     starting = [\"critical\"]\ndraining = [\"maintenance\"]\n";

scenario!(
    fn a_registry_tells_what_runs(db: Db) {
        let all = json!([
            consul("web-1", "1.2.0", "passing"),
            consul("web-2", "1.1.0", "critical")
        ]);
        let server = Changing::start(None, Answer::json(200, &all));
        let url = format!(
            "url = \"{}/v1/health/service/web?consistent\"\n",
            server.url
        );
        let shop = shop(db, &format!("{CONSUL}{url}"));
        // Critical is not dead.
        assert_eq!(
            groups(&shop),
            ["web-1 1.2.0 serving", "web-2 1.1.0 starting"]
        );
        assert_eq!(server.last().query["consistent"], "");
        // Nothing at all is what a mistyped name gets as well.
        server.answers(Answer::text(200, "[]"));
        fails(&shop, &["lists nothing", "empty = \"nothing\""]);
        server.answers(Answer::json(200, &all));
        let refused = shop.run(&["contract", NAME], 11);
        assert!(refused.stdout.contains("by consul"), "{refused:?}");
        server.answers(Answer::text(200, "[]"));
        asks(&shop, &format!("{CONSUL}{url}empty = \"nothing\"\n"));
        shop.run(&["contract", NAME], 0);
    }
);

#[test]
fn a_scheduler_tells_what_has_ended() {
    // As `/v1/job/:job/allocations` answers.
    let allocation = |id: &str, status: &str, version: &str| json!({ "ID": id, "ClientStatus": status, "DesiredStatus": "run", "ModifyTime": 1_700_000_000_000_000_000_i64, "Meta": { "version": version } });
    let all = json!([
        allocation("a1", "running", "1.2.0"),
        allocation("a2", "complete", "1.0.0"),
        allocation("a3", "failed", "1.0.0"),
        allocation("a4", "unknown", "1.1.0"),
        allocation("a5", "pending", "1.2.0"),
    ]);
    let server = Changing::start(None, Answer::json(200, &all));
    let keys = format!(
        "kind = \"http\"\nname = \"nomad\"\nurl = \"{}/v1/job/web/allocations\"\nservice = \"web\"\ninstance = \"$.ID\"\n\
         version = \"$.Meta.version\"\nstate = \"$.ClientStatus\"\nserving = [\"running\"]\nstarting = [\"pending\"]\n\
         lost = [\"unknown\", \"lost\"]\ngone = [\"complete\", \"failed\"]\nheaders = {{ X-Nomad-Token = {{ env = \"NOMAD_TOKEN\" }} }}\n",
        server.url
    );
    let shop = shop(Db::on("sqlite"), &keys);
    fails(
        &shop,
        &["the environment variable `NOMAD_TOKEN` is not set"],
    );
    shop.project.env("NOMAD_TOKEN", "s3cret-of-nomad");
    assert_eq!(
        groups(&shop),
        ["a1 1.2.0 serving", "a4 1.1.0 lost", "a5 1.2.0 starting"]
    );
    assert_eq!(server.last().headers["x-nomad-token"], "s3cret-of-nomad");
    server.answers(Answer::text(403, "Permission denied for s3cret-of-nomad"));
    let fleet = shop.json(&["fleet"], 12).to_string();
    assert!(!fleet.contains("s3cret-of-nomad"), "{fleet}");
    fails(&shop, &["answers 403: Permission denied", "token"]);
}

#[test]
fn pages_are_followed_to_the_end_and_nowhere_else() {
    let page = |names: &[&str]| {
        let items: Vec<Value> = names
            .iter()
            .map(|name| json!({ "name": name, "release": "1.2.0", "app": "web" }))
            .collect();
        json!({ "hosts": items })
    };
    let pages = move |request: &Request| match request.query.get("page").map(String::as_str) {
        None => Answer::json(200, &page(&["a"])).with("Link", "</hosts?page=2>; rel=\"next\""),
        Some("2") => {
            let mut body = page(&["b"]);
            body["next"] = json!("?page=3");
            Answer::json(200, &body)
        }
        Some("3") => Answer::json(200, &page(&["c"])),
        Some("away") => {
            Answer::json(200, &page(&["d"])).with("Link", "<http://127.0.0.1:9/x>; rel=next")
        }
        _ => Answer::json(200, &page(&["e"])).with("Link", "<?page=circle>; rel=next"),
    };
    let url = serve(None, Arc::new(pages));
    let keys = |query: &str| {
        format!(
            "kind = \"http\"\nurl = \"{url}/hosts{query}\"\nitems = \"$.hosts[*]\"\nservice = \"$.app\"\ninstance = \"$.name\"\n\
             version = \"$.release\"\nnext = \"$.next\"\n"
        )
    };
    let shop = shop(Db::on("sqlite"), &keys(""));
    let fleet = shop.json(&["fleet"], 0);
    assert_eq!(fleet["fleet"][0]["examples"], json!(["a", "b", "c"]));
    for (query, words) in [
        ("?page=away", "leads to another server"),
        ("?page=circle", "go round in a circle"),
    ] {
        asks(&shop, &keys(query));
        fails(&shop, &[words]);
    }
}

#[test]
fn what_is_no_answer_is_a_failure_with_its_way_out() {
    let authority = Authority::new();
    let all = json!([consul("web-1", "1.2.0", "passing")]);
    let good = Answer::json(200, &all);
    let server = Changing::start(Some(&authority), good.clone());
    let keys = |more: &str| format!("{CONSUL}url = \"{}/v1\"\n{more}", server.url);
    let shop = shop(Db::on("sqlite"), &keys(""));
    fails(&shop, &["signed by nobody whom we trust", "ca = "]);
    let directory = tempfile::tempdir().expect("a directory");
    let token = directory.path().join("token");
    std::fs::write(&token, "first-token\n").expect("a file");
    let trusted = format!(
        "ca = \"{}\"\ntoken_file = \"{}\"\ntimeout = \"2s\"\n",
        authority.certificate().display(),
        token.display()
    );
    asks(&shop, &keys(&trusted));
    assert_eq!(groups(&shop), ["web-1 1.2.0 serving"]);
    assert_eq!(server.last().headers["authorization"], "Bearer first-token");
    std::fs::write(&token, "second-token").expect("a file");
    groups(&shop);
    assert_eq!(
        server.last().headers["authorization"],
        "Bearer second-token"
    );
    for (answer, words) in [
        (
            Answer::text(301, "").with("location", "/v2"),
            &["leads to /v2"][..],
        ),
        (
            Answer::text(500, "No cluster leader"),
            &["answers 500: No cluster leader", "ask again"],
        ),
        (Answer::text(204, ""), &["answers 204"]),
        (Answer::text(200, "<html>"), &["is no JSON"]),
        (
            Answer::json(200, &json!({ "Checks": 1 })),
            &["`instance` is missing"],
        ),
        (
            Answer::json(200, &json!([consul("a", "1", "odd")])),
            &["what the state `odd` means is not said"],
        ),
        (
            good.clone().after(std::time::Duration::from_secs(60)),
            &["did not answer in time"],
        ),
    ] {
        server.answers(answer);
        fails(&shop, words);
    }
    asks(&shop, &format!("{CONSUL}url = \"http://127.0.0.1:9/v1\"\n"));
    fails(&shop, &["http://127.0.0.1:9/v1 cannot be asked", "refused"]);
}

#[test]
fn what_is_old_is_stale() {
    let item = |at: &str| json!([{ "id": "a", "v": "1.2.0", "at": at }]);
    let server = Changing::start(None, Answer::json(200, &item("2020-01-01T00:00:00Z")));
    let keys = format!(
        "kind = \"http\"\nurl = \"{}\"\nservice = \"web\"\ninstance = \"$.id\"\nversion = \"$.v\"\nseen_at = \"$.at\"\n",
        server.url
    );
    let shop = shop(Db::on("sqlite"), &keys);
    let fleet = shop.json(&["fleet"], 12);
    assert_eq!(fleet["sources"][0]["status"], "stale", "{fleet}");
    shop.run(&["contract", NAME], 12);
}

/// As `/api/v1/query` answers.
fn vector(series: &[(&[(&str, &str)], &str)]) -> Answer {
    let result: Vec<Value> = series
        .iter()
        .map(|(labels, value)| {
            let metric: serde_json::Map<String, Value> = labels
                .iter()
                .map(|(name, value)| ((*name).to_owned(), json!(value)))
                .collect();
            json!({ "metric": metric, "value": [1_700_000_000.0, value] })
        })
        .collect();
    Answer::json(
        200,
        &json!({ "status": "success", "data": { "resultType": "vector", "result": result } }),
    )
}

scenario!(
    fn a_prometheus_tells_whom_it_has_scraped(db: Db) {
        let is_down = Arc::new(Mutex::new(true));
        let down = is_down.clone();
        let url = serve(
            None,
            Arc::new(move |request: &Request| {
                assert_eq!(request.path, "/prometheus/api/v1/query");
                let a: &[(&str, &str)] =
                    &[("instance", "a:80"), ("job", "web"), ("version", "1.2.0")];
                let b: &[(&str, &str)] = &[("instance", "b:80"), ("job", "web")];
                let is_down = *down.lock().expect("nobody panicked");
                match request.query["query"].as_str() {
                    "up{job=\"web\"}" if is_down => vector(&[(a, "1"), (b, "0")]),
                    "up{job=\"web\"}" => vector(&[(a, "1")]),
                    "build_info{job=\"web\"}" => vector(&[(a, "1")]),
                    "timestamp(build_info{job=\"web\"})" => vector(&[(a, "1699999990")]),
                    other => panic!("{other}"),
                }
            }),
        );
        let keys = format!(
            "kind = \"prometheus\"\nurl = \"{url}/prometheus/\"\nservice = \"web\"\nquery = \"build_info{{job=\\\"web\\\"}}\"\n"
        );
        let shop = shop(db, &keys);
        let fleet = shop.json(&["fleet"], 0);
        assert_eq!(fleet["sources"][0]["age_ms"], 10_000, "{fleet}");
        // What cannot be scraped is not gone, and nobody knows what it is.
        let unknown = shop.run(&["contract", NAME], 12);
        for part in ["b:80", "no version: its target is down", "No alias helps"] {
            assert!(unknown.stdout.contains(part), "{part} in {unknown:?}");
        }
        *is_down.lock().expect("nobody panicked") = false;
        shop.run(&["contract", NAME], 0);
    }
);

#[test]
fn a_prometheus_that_knows_no_target_proves_nothing() {
    let server = Changing::start(None, vector(&[]));
    let keys = format!(
        "kind = \"prometheus\"\nurl = \"{}\"\nservice = \"web\"\nquery = \"build_info\"\n",
        server.url
    );
    let shop = shop(Db::on("sqlite"), &keys);
    fails(&shop, &["`up{job=\"web\"}` finds no target", "`up`"]);
    server.answers(Answer::json(
        400,
        &json!({ "status": "error", "errorType": "bad_data", "error": "parse error" }),
    ));
    fails(&shop, &["answers 400", "parse error"]);
}

#[test]
fn a_row_that_makes_no_sense_is_refused() {
    let shop = shop(Db::on("sqlite"), "kind = \"leases\"\n");
    let good =
        "url = \"http://127.0.0.1:9\"\nservice = \"web\"\ninstance = \"$.id\"\nversion = \"$.v\"\n";
    for (keys, said) in [
        (
            format!("kind = \"http\"\n{}", good.replace("$.id", "$[")),
            "is no JSONPath",
        ),
        (
            format!("kind = \"http\"\n{}", good.replace("http:", "ftp:")),
            "begins with http://",
        ),
        (
            format!("kind = \"http\"\n{}", good.replace("127", "user:pw@127")),
            "a password does not belong into this file",
        ),
        (
            format!("kind = \"http\"\n{good}headers = {{ X = {{}} }}\n"),
            "has to have one value",
        ),
        (
            format!("kind = \"http\"\n{good}serving = [\"up\"]\n"),
            "`state` is missing",
        ),
        (
            format!(
                "kind = \"http\"\n{good}state = \"$.s\"\nserving = [\"up\"]\ngone = [\"up\"]\n"
            ),
            "`up` means two things",
        ),
        (
            format!("kind = \"http\"\n{good}empty = \"maybe\"\n"),
            "`empty` cannot be `maybe`",
        ),
        (
            "kind = \"http\"\nurl = \"http://127.0.0.1:9\"\n".to_owned(),
            "`service` is missing",
        ),
        (
            "kind = \"prometheus\"\nurl = \"http://127.0.0.1:9\"\nservice = \"web\"\n".to_owned(),
            "`query` is missing",
        ),
    ] {
        asks(&shop, &keys);
        let refused = shop.run(&["check"], 1);
        let text = format!("{}{}", refused.stdout, refused.stderr);
        assert!(text.contains(said), "{said} in {refused:?}");
    }
}
