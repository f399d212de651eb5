//! The documents: what they name exists, and what exists is in them.

mod adopt;
mod blocks;
mod commands;
mod examples;
mod shell;

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::project::Project;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

pub fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Every document that users read.
fn documents() -> Vec<PathBuf> {
    let mut found = ["README.md", "CHANGELOG.md", "CONTRIBUTING.md"]
        .map(|name| root().join(name))
        .to_vec();
    let mut directories = vec![root().join("docs")];
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(directory).expect("there are documents") {
            let path = entry.expect("a document").path();
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|end| end == "md") {
                found.push(path);
            }
        }
    }
    found
}

/// The text of each document, with its name.
fn texts() -> Vec<(String, String)> {
    let named = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).expect("a document is text");
        let name = path.strip_prefix(root()).expect("a path below the root");
        (name.display().to_string(), text)
    };
    documents().into_iter().map(named).collect()
}

#[test]
fn every_block_parses_and_every_command_line_is_accepted() {
    let mut wrong = Vec::new();
    let mut calls = 0;
    for (name, text) in texts() {
        let shown = commands::check(&text);
        calls += shown.calls;
        wrong.extend(shown.wrong.iter().map(|what| format!("{name}, {what}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(calls > 100, "only {calls} command lines were found");
}

/// The grammar of the other test is an editor's, and lenient; this one is what will run them.
/// They are read as a block of a document is.
#[test]
fn every_manifest_to_deploy_parses_and_its_command_lines_are_accepted() {
    for (directory, expected) in [
        ("deploy/kustomize", (4, 4)),
        ("deploy/kustomize/policy", (2, 0)),
        ("deploy/webhook", (4, 1)),
    ] {
        let mut files = 0;
        let mut calls = 0;
        let base = root().join(directory);
        let list = std::fs::read_to_string(base.join("kustomization.yaml")).expect("a file");
        for entry in std::fs::read_dir(&base).expect("there are manifests") {
            let path = entry.expect("a manifest").path();
            if path.is_dir() {
                continue;
            }
            let name = path.file_name().expect("a file").display().to_string();
            let text = std::fs::read_to_string(&path).expect("a manifest is text");
            let shown = commands::check(&format!("```yaml\n{text}```\n"));
            assert!(shown.wrong.is_empty(), "{name}: {:?}", shown.wrong);
            let is_listed = list.contains(&format!("  - {name}\n"));
            assert!(
                is_listed || name == "kustomization.yaml",
                "{name} is in no list"
            );
            files += 1;
            calls += shown.calls;
        }
        assert_eq!((files, calls), expected, "{directory}");
    }
}

/// Argo counts a measurement that is inconclusive, and an analysis whose count is reached without a failure is a success to it.
#[test]
fn no_analysis_takes_a_hold_for_a_success() {
    let mut analyses = 0;
    for (name, text) in texts() {
        for block in blocks::code_of(&text).0 {
            if !block.text.contains("kind: AnalysisTemplate") {
                continue;
            }
            analyses += 1;
            assert!(!block.text.contains("inconclusiveLimit"), "{name}");
            let asks = block.text.lines().filter(|line| line.contains("/v1/gate/"));
            for line in asks {
                assert!(line.contains("as=status"), "{name}: {line}");
            }
        }
    }
    assert_eq!(analyses, 2);
}

#[test]
fn the_shell_takes_every_script() {
    let mut scripts = 0;
    for (name, text) in texts() {
        for block in blocks::code_of(&text).0 {
            if block.language != "sh" {
                continue;
            }
            let read = Command::new("sh").args(["-n", "-c", &block.text]).output();
            let read = read.expect("every system has a shell");
            let said = String::from_utf8_lossy(&read.stderr).into_owned();
            assert!(read.status.success(), "{name}, line {}: {said}", block.line);
            scripts += 1;
        }
    }
    assert!(scripts > 10, "only {scripts} scripts were found");
}

#[test]
fn every_file_that_contributors_are_sent_to_is_there() {
    let (_, spans) = blocks::code_of(&read("CONTRIBUTING.md"));
    let places = ["src/", "crates/", "tests/", "docs/", ".ci/"];
    let named: Vec<String> = spans
        .into_iter()
        .map(|span| span.text)
        .filter(|text| places.iter().any(|place| text.starts_with(place)))
        .collect();
    assert!(named.len() > 20, "{named:?}");
    for path in named {
        assert!(root().join(&path).exists(), "{path}");
    }
}

#[test]
fn every_setting_that_a_document_shows_is_one() {
    let mut settings = 0;
    for (name, text) in texts() {
        for block in blocks::code_of(&text).0 {
            if !block.text.starts_with("# migrate.toml\n") {
                continue;
            }
            let project = Project::without_database(&[]);
            project.file("migrate.toml", &block.text);
            let checked = project.migrate(&["check"]);
            let said = checked.snapshot();
            assert_eq!(checked.code, 0, "{name}, line {}: {said}", block.line);
            settings += 1;
        }
    }
    assert!(settings > 5, "only {settings} were found");
}

#[test]
fn every_page_on_pairing_has_the_same_parts_and_is_in_the_index() {
    let index = read("docs/pairing/README.md");
    let mut pages = 0;
    for (name, text) in texts() {
        let Some(page) = name.strip_prefix("docs/pairing/") else {
            continue;
        };
        if page == "README.md" {
            continue;
        }
        assert!(index.contains(&format!("]({page})")), "{page} is in no row");
        let parts = ["## The files", "## When it refuses", "## Where it stops"];
        for part in parts {
            assert!(text.contains(part), "{name} has no part `{part}`");
        }
        assert!(
            text.contains("Tried:"),
            "{name} does not say what was tried and what was not"
        );
        pages += 1;
    }
    assert_eq!(pages, 15);
}

#[test]
fn every_link_inside_the_repository_leads_somewhere() {
    for path in documents() {
        let text = std::fs::read_to_string(&path).expect("a document is text");
        for link in text.split("](").skip(1) {
            let link = link.split(')').next().unwrap_or_default();
            if link.contains("://") {
                continue;
            }
            let (target, part) = link.split_once('#').unwrap_or((link, ""));
            let there = match target {
                "" => path.clone(),
                _ => path.parent().expect("a file in a directory").join(target),
            };
            assert!(there.exists(), "{}: {link}", path.display());
            if !part.is_empty() {
                let other = std::fs::read_to_string(&there).expect("a document is text");
                assert!(has_part(&other, part), "{}: {link}", path.display());
            }
        }
    }
}

/// Whether a document has a heading that `#part` leads to.
fn has_part(text: &str, part: &str) -> bool {
    let headings = text.lines().filter(|line| line.starts_with('#'));
    headings.into_iter().any(|line| {
        let title = line.trim_start_matches('#').trim().to_lowercase();
        let kept = title
            .chars()
            .filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        kept.map(|c| if c == ' ' { '-' } else { c })
            .eq(part.chars())
    })
}

#[test]
fn a_part_of_a_document_is_named_by_its_heading() {
    let text = "# The files\n### [services.NAME]\n";
    assert!(has_part(text, "the-files") && has_part(text, "servicesname"));
    assert!(!has_part(text, "the-file"));
}

#[test]
fn every_command_is_documented_and_every_documented_command_exists() {
    let project = Project::without_database(&["web"]);
    let help = project.migrate(&["--help"]).expect_code(0).stdout;
    let listed = help.split("Commands:").nth(1).expect("a list of commands");
    let names: Vec<&str> = listed
        .lines()
        .skip(1)
        .map_while(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .collect();
    assert!(names.len() > 10, "{names:?}");
    let commands = read("docs/commands.md");
    for name in &names {
        let is_there = ["`", " "]
            .iter()
            .any(|end| commands.contains(&format!("`{name}{end}")));
        assert!(is_there, "docs/commands.md does not describe `{name}`");
    }
    for path in documents() {
        let text = std::fs::read_to_string(&path).expect("a document is text");
        for used in text.split("`migrate ").skip(1) {
            let word = used.split([' ', '`']).next().unwrap_or_default();
            if word.chars().all(|c| c.is_ascii_lowercase()) {
                assert!(
                    names.contains(&word),
                    "{}: `migrate {word}`",
                    path.display()
                );
            }
        }
    }
}

/// Every test of this binary, as `cargo test` names them.
fn names_of_tests() -> Vec<String> {
    let program = std::env::current_exe().expect("the path of this program");
    let list = std::process::Command::new(program)
        .arg("--list")
        .output()
        .expect("it lists its tests");
    let text = String::from_utf8(list.stdout).expect("names are text");
    text.lines()
        .filter_map(|line| Some(line.strip_suffix(": test")?.to_owned()))
        .collect()
}

#[test]
fn every_test_that_a_guarantee_rests_on_exists() {
    let tests = names_of_tests();
    let text = read("docs/guarantees.md");
    let mut named = 0;
    for word in text.split('`').filter(|word| word.contains("::")) {
        // Those of the library itself are paths, not tests.
        if word.starts_with("phasegate::") {
            continue;
        }
        let on_each_database = format!("{word}::");
        let exists = tests
            .iter()
            .any(|test| test == word || test.starts_with(&on_each_database));
        assert!(
            exists,
            "docs/guarantees.md rests on `{word}`, which is no test"
        );
        named += 1;
    }
    assert!(named > 30, "only {named} tests are named");
}
