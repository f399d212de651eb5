//! What `check` finds, in the formats of the places where people look: the essential shape of each, as its schema asks for it.

use serde_json::Value;

use crate::support::backend::Db;
use crate::support::project::{Output, Project};

const FORMATS: &[&str] = &["github", "gitlab", "sarif", "markdown", "junit"];

/// A project with an error and a warning in scripts whose text is awkward everywhere.
fn project() -> Project {
    let project = Project::without_database(&["web"]);
    project.file(
        "migrate.toml",
        "[database]\nurl = \"postgres://localhost/shop\"\n[services.web]\n",
    );
    project.migration(
        "0001_index",
        &[
            ("migration.toml", "description = \"d\"\n"),
            (
                "expand.sql",
                "CREATE TABLE a (b int);\n\nCREATE INDEX i ON \"100%, <b>&é::x\" (a);\n",
            ),
        ],
    );
    project
}

fn with_error(project: &Project) {
    project.migration(
        "0002_drop",
        &[
            ("migration.toml", "description = \"d\"\n"),
            ("expand.sql", "ALTER TABLE\n  users DROP COLUMN a;\n"),
        ],
    );
}

fn checked(project: &Project, format: &str, code: i32) -> Output {
    project
        .migrate(&["check", "--output", format])
        .expect_code(code)
}

#[test]
fn a_warning_is_reported_and_stops_nothing_and_an_error_does() {
    let project = project();
    for format in FORMATS {
        let output = checked(&project, format, 0);
        assert!(output.stdout.contains("locks-writes"), "{output:?}");
    }
    with_error(&project);
    for format in FORMATS {
        let output = checked(&project, format, 1);
        for part in ["locks-writes", "destructive-expand"] {
            assert!(output.stdout.contains(part), "{format}: {output:?}");
        }
    }
    for arguments in [
        &["status", "--output", "sarif"][..],
        &["check", "--rules", "--output", "junit"],
        &["plan", "--to", "web=1.0.0", "--output", "github"],
    ] {
        let output = project.migrate(arguments).expect_code(2);
        assert!(output.stderr.contains("migrate check"), "{output:?}");
    }
}

#[test]
fn github_reads_a_command_a_line() {
    let project = project();
    with_error(&project);
    let summary = project.path().join("summary.md");
    project.env(
        "GITHUB_STEP_SUMMARY",
        summary.to_str().expect("it is a text"),
    );
    // Paths begin where the repository does.
    let above = project
        .path()
        .parent()
        .expect("it is in a directory")
        .to_owned();
    project.env("GITHUB_WORKSPACE", above.to_str().expect("it is a text"));
    let output = checked(&project, "github", 1);
    let lines: Vec<&str> = output.stdout.lines().collect();
    let dir = project.path();
    let name = dir
        .file_name()
        .and_then(|name| name.to_str())
        .expect("a name");
    assert!(
        lines[0].starts_with(&format!(
            "::error file={name}/0002_drop/expand.sql,line=1,endLine=1,col=1,endColumn=12,title=destructive-expand::"
        )),
        "{output:?}"
    );
    assert!(
        lines[1].starts_with(&format!(
            "::warning file={name}/0001_index/expand.sql,line=3,"
        )),
        "{output:?}"
    );
    assert!(
        lines[1].contains("100%25, <b>&é::x") && lines[1].contains("%0Ahelp: "),
        "{output:?}"
    );
    assert_eq!(lines.len(), 3, "{output:?}");
    let written = std::fs::read_to_string(summary).expect("it is written");
    assert!(written.contains("1 error and 1 warning"), "{written}");
}

/// What a schema says against a report; `name` is a file of `schemas`.
fn against(name: &str, report: &Value) -> Option<String> {
    let text = crate::documents::read(&format!("tests/suite/rules/schemas/{name}"));
    let schema: Value = serde_json::from_str(&text).expect("JSON");
    let mut schemas = boon::Schemas::new();
    let mut compiler = boon::Compiler::new();
    let added = compiler.add_resource(name, schema);
    added.expect("it has a name of its own");
    let index = compiler.compile(name, &mut schemas).expect("a schema");
    let checked = schemas.validate(report, index);
    checked.err().map(|error| error.to_string())
}

#[test]
fn the_reports_are_right_by_their_schemas() {
    let project = project();
    for code in [0, 1] {
        for (format, name) in [
            ("sarif", "sarif.json"),
            ("gitlab", "gitlab-code-quality.json"),
        ] {
            let report = checked(&project, format, code).json();
            assert_eq!(against(name, &report), None, "{report:#}");
        }
        with_error(&project);
    }
    // It does say something.
    let wrong = serde_json::json!({ "version": "2.1.0", "runs": [{ "tool": {} }] });
    assert!(against("sarif.json", &wrong).is_some());
    assert!(against("gitlab-code-quality.json", &serde_json::json!([{}])).is_some());
}

#[test]
fn a_plan_and_the_answer_of_the_gate_are_markdown_too() {
    let db = Db::on("sqlite");
    let project = Project::new(&db, &[]);
    project.file("migrate.toml", "[services.web]\nmin_instances = 0\n");
    project.migration(
        "0001_phone",
        &[
            (
                "migration.toml",
                "description = \"d\"\n[services.web]\nnew = \">=1.1.0\"\n",
            ),
            ("expand.sql", "CREATE TABLE phones (id int);\n"),
        ],
    );
    let markdown = |command: &[&str], code: i32| {
        let command = [command, &["--output", "markdown"]].concat();
        project.migrate(&command).expect_code(code).stdout
    };
    let plan = markdown(&["plan", "--from", "web=1.0.0", "--to", "web=1.1.0"], 0);
    assert!(
        plan.starts_with("### `migrate plan`: from web 1.0.0 to web 1.1.0: 2 steps, 1 rollout\n\n```mermaid\nflowchart TD\n"),
        "{plan}"
    );
    assert!(
        plan.contains("\n```\n\n```text\n") && plan.trim_end().ends_with("\n```"),
        "{plan}"
    );
    let refused = markdown(&["gate", "deploy", "web=1.1.0"], 11);
    assert!(
        refused.starts_with("### `migrate gate`: refuse: deploy web 1.1.0\n\n```text\n"),
        "{refused}"
    );
    project.migrate(&["expand"]).expect_code(0);
    let go = markdown(&["gate", "deploy", "web=1.1.0"], 0);
    assert!(
        go.starts_with("### `migrate gate`: go: deploy web 1.1.0"),
        "{go}"
    );
}

#[test]
fn gitlab_reads_issues_with_a_print_each() {
    let project = project();
    with_error(&project);
    let issues = checked(&project, "gitlab", 1).json();
    let issues = issues.as_array().expect("a list");
    assert_eq!(issues.len(), 2);
    let mut prints = Vec::new();
    for issue in issues {
        for key in ["description", "check_name", "fingerprint"] {
            assert!(
                issue[key].as_str().is_some_and(|text| !text.is_empty()),
                "{issue}"
            );
        }
        let severities = ["info", "minor", "major", "critical", "blocker"];
        assert!(
            severities.contains(&issue["severity"].as_str().unwrap_or_default()),
            "{issue}"
        );
        assert!(
            issue["location"]["lines"]["begin"].as_u64() >= Some(1),
            "{issue}"
        );
        let path = issue["location"]["path"].as_str().expect("a path");
        assert!(
            !path.starts_with("./") && path.ends_with("/expand.sql"),
            "{issue}"
        );
        prints.push(issue["fingerprint"].clone());
    }
    assert_ne!(prints[0], prints[1]);
    // A line more above does not make another finding of it.
    project.file(
        "0001_index/expand.sql",
        "-- one more\n\nCREATE TABLE a (b int);\n\nCREATE INDEX i ON \"100%, <b>&é::x\" (a);\n",
    );
    let again = checked(&project, "gitlab", 1).json();
    let again: Vec<&Value> = again
        .as_array()
        .expect("a list")
        .iter()
        .map(|one| &one["fingerprint"])
        .collect();
    assert_eq!(again, prints.iter().collect::<Vec<_>>());
}

#[test]
fn sarif_names_its_rules_and_counts_from_one() {
    let project = project();
    with_error(&project);
    let log = checked(&project, "sarif", 1).json();
    assert_eq!(log["version"], "2.1.0");
    let run = &log["runs"][0];
    let rules = run["tool"]["driver"]["rules"].as_array().expect("a list");
    let mut ids: Vec<&str> = rules
        .iter()
        .filter_map(|rule| rule["id"].as_str())
        .collect();
    assert_eq!(ids.len(), rules.len());
    let results = run["results"].as_array().expect("a list");
    assert_eq!(results.len(), 2);
    for result in results {
        let index =
            usize::try_from(result["ruleIndex"].as_u64().expect("a number")).expect("small");
        assert_eq!(result["ruleId"].as_str(), Some(ids[index]), "{result}");
        assert!(["error", "warning"].contains(&result["level"].as_str().unwrap_or_default()));
        assert!(
            result["message"]["text"]
                .as_str()
                .is_some_and(|text| !text.is_empty())
        );
        let place = &result["locations"][0]["physicalLocation"];
        let uri = place["artifactLocation"]["uri"]
            .as_str()
            .expect("a reference");
        assert!(!uri.starts_with('/') && !uri.contains(' '), "{uri}");
        let at = |key: &str| place["region"][key].as_u64().expect("a number");
        assert!(at("startLine") >= 1 && at("startColumn") >= 1, "{result}");
        assert!(
            (at("endLine"), at("endColumn")) > (at("startLine"), at("startColumn")),
            "{result}"
        );
    }
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), rules.len(), "a rule is named once");
}

#[test]
fn junit_is_xml_with_a_test_for_each_migration() {
    let project = project();
    with_error(&project);
    let xml = checked(&project, "junit", 1).stdout;
    assert!(
        xml.starts_with(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites tests=\"3\" failures=\"1\""
        ),
        "{xml}"
    );
    assert_eq!(xml.matches("<testcase ").count(), 3, "{xml}");
    assert_eq!(xml.matches("<failure ").count(), 1, "{xml}");
    assert_eq!(xml.matches("</testcase>").count(), 3, "{xml}");
    assert!(xml.contains("100%, &lt;b&gt;&amp;é::x"), "{xml}");
}

#[test]
fn markdown_quotes_the_statement_and_nothing_of_it_is_markup() {
    let project = project();
    let comment = checked(&project, "markdown", 0).stdout;
    assert!(
        comment.starts_with("<!-- phasegate check -->\n### `migrate check`: 1 warning\n"),
        "{comment}"
    );
    assert!(
        comment.contains("at `0001_index/expand.sql:3`")
            || comment.contains("/0001_index/expand.sql:3`"),
        "{comment}"
    );
    assert!(
        comment.contains("```sql\nCREATE INDEX i ON \"100%, <b>&é::x\" (a)\n```"),
        "{comment}"
    );
    assert!(
        comment.contains("Instead: write `CREATE INDEX CONCURRENTLY`"),
        "{comment}"
    );
}
