//! The scripts of `action.yml`, beside a stand-in for GitHub.

use std::fs;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::support::http::{Answer, Request, serve};
use crate::support::project::{Output, Project};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// A project with a warning, and what the action is given.
fn project() -> Project {
    let project = Project::without_database(&["web"]);
    project.file(
        "migrate.toml",
        "[database]\nurl = \"postgres://localhost/shop\"\n[services.web]\n",
    );
    project.migration(
        "0001_index",
        &[
            (
                "migration.toml",
                "description = \"d\"\n[services.web]\nnew = \">=1.1.0\"\n",
            ),
            ("expand.sql", "CREATE INDEX i ON users (a);\n"),
        ],
    );
    for (name, value) in [
        ("PHASEGATE_MIGRATE", env!("CARGO_BIN_EXE_migrate")),
        ("GITHUB_OUTPUT", "output"),
        ("GITHUB_STEP_SUMMARY", "summary.md"),
        ("RUNNER_TEMP", "."),
    ] {
        project.env(name, value);
    }
    project
}

fn script(project: &Project, name: &str) -> Output {
    project
        .spawn_program("bash", &[&format!("{ROOT}/deploy/action/{name}.sh")])
        .wait()
}

fn read(project: &Project, name: &str) -> String {
    fs::read_to_string(project.path().join(name)).unwrap_or_default()
}

/// What the script has said to the steps after it.
fn said_to_others(project: &Project, name: &str) -> String {
    let output = read(project, "output");
    let line = output
        .lines()
        .rev()
        .find_map(|line| line.strip_prefix(&format!("{name}=")));
    line.expect("it is said").to_owned()
}

#[test]
fn a_report_has_findings_a_plan_and_the_code_of_the_first_that_is_wrong() {
    let project = project();
    project.env("PHASEGATE_FROM", "web=1.0.0");
    project.env("PHASEGATE_TO", "web=1.1.0\n");
    let output = script(&project, "report").expect_code(0);
    assert!(output.stdout.contains("::warning file="), "{output:?}");
    assert_eq!(said_to_others(&project, "code"), "0");
    let report = read(&project, &said_to_others(&project, "report"));
    for part in [
        "### `migrate check`: 1 warning",
        "### `migrate plan`: from web 1.0.0 to web 1.1.0",
        "```mermaid\nflowchart TD\n",
    ] {
        assert!(report.contains(part), "{part}: {report}");
    }
    let summary = read(&project, "summary.md");
    assert_eq!(
        summary.matches("### `migrate check`").count(),
        1,
        "{summary}"
    );
    assert_eq!(
        summary.matches("### `migrate plan`").count(),
        1,
        "{summary}"
    );

    // The gate is asked, and cannot see: that is no yes.
    project.env("PHASEGATE_GATE", "deploy web=1.1.0");
    let url = "postgres://postgres@127.0.0.1:1/none";
    project.env("DATABASE_URL", url);
    script(&project, "report").expect_code(12);
    assert_eq!(said_to_others(&project, "code"), "12");
    let report = read(&project, &said_to_others(&project, "report"));
    assert!(report.contains("### `migrate gate`: unknown: "), "{report}");
}

#[test]
fn what_an_input_holds_is_no_command() {
    let project = project();
    project.env("PHASEGATE_FROM", "web=1.0.0");
    project.env(
        "PHASEGATE_TO",
        "web=1.1.0; touch pwned; $(touch pwned) `touch pwned`",
    );
    script(&project, "report").expect_code(2);
    assert!(!project.path().join("pwned").exists());
    let report = read(&project, &said_to_others(&project, "report"));
    assert!(
        report.contains("### `migrate plan` failed (exit code 2)"),
        "{report}"
    );
}

/// The comments of a pull request, by their numbers.
#[derive(Default)]
struct Comments {
    all: Vec<(u64, String)>,
    asked: Vec<String>,
    is_closed: bool,
}

fn answer(comments: &Mutex<Comments>, request: &Request) -> Answer {
    let mut comments = comments.lock().expect("nobody panicked");
    comments
        .asked
        .push(format!("{} {}", request.method, request.path));
    assert_eq!(request.headers["authorization"], "Bearer t0ken");
    let body = || {
        let body: Value = serde_json::from_str(&request.body).expect("JSON");
        body["body"].as_str().expect("a text").to_owned()
    };
    match request.method.as_str() {
        "GET" => {
            let page: usize = request.query["page"].parse().expect("a number");
            let all = comments.all.chunks(100).nth(page - 1).unwrap_or_default();
            let all: Vec<Value> = all
                .iter()
                .map(|(id, body)| json!({ "id": id, "body": body }))
                .collect();
            Answer::json(200, &json!(all))
        }
        _ if comments.is_closed => Answer::json(403, &json!({ "message": "not accessible" })),
        "POST" => {
            let id = 1000 + comments.all.len() as u64;
            comments.all.push((id, body()));
            Answer::json(201, &json!({ "id": id }))
        }
        _ => {
            let id = request.path.rsplit('/').next().expect("a number");
            let id: u64 = id.parse().expect("a number");
            let text = body();
            let found = comments.all.iter_mut().find(|(other, _)| *other == id);
            found.expect("it is there").1 = text;
            Answer::json(200, &json!({ "id": id }))
        }
    }
}

#[test]
fn one_comment_is_written_and_then_changed() {
    let project = project();
    let comments = Arc::new(Mutex::new(Comments::default()));
    // More than one page, of others.
    for id in 0..120 {
        let mut comments = comments.lock().expect("nobody panicked");
        comments.all.push((id, format!("LGTM {id}")));
    }
    let asked = Arc::clone(&comments);
    let address = serve(None, Arc::new(move |request| answer(&asked, request)));
    project.file("event.json", "{\"pull_request\":{\"number\":7}}");
    project.file("report.md", "### first \"quoted\" \\ é\n");
    for (name, value) in [
        ("GITHUB_API_URL", &*address),
        ("GITHUB_REPOSITORY", "shop/web"),
        ("GITHUB_EVENT_PATH", "event.json"),
        ("PHASEGATE_TOKEN", "t0ken"),
        ("PHASEGATE_REPORT", "report.md"),
    ] {
        project.env(name, value);
    }
    let output = script(&project, "comment").expect_code(0);
    assert!(!output.stdout.contains("::warning"), "{output:?}");
    project.file("report.md", &format!("### second\n{}", "x".repeat(100_000)));
    script(&project, "comment").expect_code(0);
    {
        let comments = comments.lock().expect("nobody panicked");
        assert_eq!(comments.all.len(), 121, "{:?}", comments.asked);
        let (_, text) = comments.all.last().expect("a comment");
        assert!(text.starts_with("<!-- phasegate report . -->\n### second\n"));
        assert!(text.len() <= 65_536, "{}", text.len());
        let changed = |call: &&String| !call.starts_with("GET");
        let calls: Vec<&String> = comments.asked.iter().filter(changed).collect();
        assert_eq!(
            calls,
            [
                "POST /repos/shop/web/issues/7/comments",
                "PATCH /repos/shop/web/issues/comments/1120"
            ]
        );
    }
    // A pull request from a fork may not write any, and is no failure for that.
    comments.lock().expect("nobody panicked").is_closed = true;
    let output = script(&project, "comment").expect_code(0);
    assert!(
        output
            .stdout
            .contains("::warning::the comment was not written"),
        "{output:?}"
    );
    project.file("event.json", "{}");
    let output = script(&project, "comment").expect_code(0);
    assert!(
        output.stdout.contains("this is no pull request"),
        "{output:?}"
    );
}

/// The scripts that it names are there, and each input that it has is handed to one of them.
#[test]
fn the_action_is_a_workflow_that_github_reads() {
    let text = crate::documents::read("action.yml");
    let action: Value = yaml_serde::from_str(&text).expect("YAML");
    assert_eq!(action["runs"]["using"], "composite");
    let steps = action["runs"]["steps"].as_array().expect("steps");
    for step in steps {
        assert_eq!(step["shell"], "bash");
        let run = step["run"].as_str().expect("a script");
        let (_, path) = run
            .split_once("$GITHUB_ACTION_PATH/")
            .expect("a script of ours");
        assert!(
            fs::exists(format!("{ROOT}/{}", path.trim_end_matches('"'))).unwrap_or(false),
            "{run}"
        );
        // What somebody else wrote is not put into a command.
        assert!(!run.contains("${{"), "{run}");
    }
    for input in action["inputs"].as_object().expect("inputs").keys() {
        assert!(
            text.contains(&format!("${{{{ inputs.{input} }}}}"))
                || text.contains(&format!("inputs.{input} ")),
            "{input}"
        );
    }
}
