//! How problems are collected and shown.

use super::*;

#[test]
fn every_problem_is_reported_with_its_remedy() {
    let manifest = r#"descripton = "x"
sync = "to_new"
[services.web]
old = "<=1.2"
new = "^1"
rows = "mutable"
[services.wbe]
old = "<1.0.0"
reads = { new = ">=1.0.0" }
[contract]
soak = "0s"
"#;
    let dir = changed(&[
        ("0002_split/migration.toml", manifest),
        ("0002_split/expnd.sql", "SELECT 1;"),
        ("-0002_split/backfill.sql", ""),
    ]);
    assert_eq!(
        lines(&dir, None),
        [
            "0002_split/expnd.sql: this script would never be run: no phase has a file of this name [unknown-script]",
            "0002_split/migration.toml:1:1: `description` is missing at the top of this file [missing-key]",
            "0002_split/migration.toml:1:1: there is no key `descripton` at the top of this file [unknown-key]",
            "0002_split/migration.toml:2:8: `sync` cannot be `to_new` [unknown-value]",
            "0002_split/migration.toml:4:7: `<=1.2` is not a range of versions: `<=1.2` could mean 1.2.0 or every 1.2.x; write all three numbers [bad-range]",
            "0002_split/migration.toml:5:7: `^1` is not a range of versions: `^1` leaves its limits to be guessed; write `=1`, `>=1` or `<1` [bad-range]",
            "0002_split/migration.toml:6:1: there is no key `rows` in `[services.web]` [unknown-key]",
            "0002_split/migration.toml:7:11: migrate.toml names no service `wbe` [unknown-service]",
            "0002_split/migration.toml:8:1: `old` and `reads` cannot stand side by side for one service [mixed-forms]",
            "0002_split/migration.toml:11:8: `soak` must not be zero [bad-duration]",
        ]
    );
    let problems = loaded(&dir, None);
    assert!(problems.iter().all(|problem| !problem.help.is_empty()));
    let help = |code| {
        &problems
            .iter()
            .find(|problem| problem.code == code)
            .unwrap()
            .help
    };
    assert_eq!(help("unknown-script"), "did you mean `expand.sql`?");
    assert_eq!(help("unknown-service"), "did you mean `web`?");
    let last_key = problems
        .iter()
        .rfind(|problem| problem.code == "unknown-key")
        .unwrap();
    assert_eq!(
        last_key.help,
        "`rows` belongs at the top of the file, before the first `[…]`"
    );
}

#[test]
fn problems_are_rendered_for_people_editors_and_programs() {
    let dir = written(&[(
        "migrate.toml",
        "# größe\n[services.web]\nmin_instance = 1\n",
    )]);
    let mut problems = Project::load(dir.path(), None).unwrap_err();
    problems.0[0].path = "migrate.toml".into();
    assert_eq!(
        serde_json::to_value(&problems).unwrap(),
        serde_json::json!([{
            "file": "migrate.toml", "line": 3, "column": 1, "end_column": 13, "severity": "error",
            "range": {"start": {"line": 3, "column": 1}, "end": {"line": 3, "column": 13}},
            "code": "unknown-key", "message": "there is no key `min_instance` in `[services.web]`",
            "help": "did you mean `min_instances`?",
        }])
    );
    let mut text = String::new();
    miette::GraphicalReportHandler::new_themed(miette::GraphicalTheme::none())
        .render_report(&mut text, &problems)
        .unwrap();
    for part in [
        "have a problem",
        "migrate.toml:3:1",
        "min_instance = 1",
        "help: did you mean",
    ] {
        assert!(text.contains(part), "{text}");
    }
    // An empty file has no place to point at, and is shown all the same.
    let dir = changed(&[("0002_split/expand.sql", "")]);
    let problems = Project::load(dir.path(), None).unwrap_err();
    let mut text = String::new();
    miette::GraphicalReportHandler::new_themed(miette::GraphicalTheme::none())
        .render_report(&mut text, &problems)
        .unwrap();
    assert!(
        text.contains("there is no statement") && !text.contains("Failed to read"),
        "{text}"
    );
}

#[test]
fn deep_nesting_is_refused_and_not_followed() {
    let depth = 100_000;
    for text in [
        format!("a = {}", "[".repeat(depth)),
        format!("a = {}", "{a=".repeat(depth)),
        format!("{}a = 1", "a.".repeat(depth)),
        format!("[{}a]", "a.".repeat(depth)),
    ] {
        let source = Source::new("a.toml", "a.toml".into(), &text);
        let _ = Config::read(&source);
        assert!(!source.is_sound());
    }
}

proptest::proptest! {
    /// Whatever stands in the files, it is reported and not tripped over.
    #[test]
    fn any_text_is_handled(text in ".{0,60}", at in 0..SPLIT.len(), cut in 0..40_usize) {
        let around = |good: &str| {
            let at = good.floor_char_boundary(at);
            let rest = good.floor_char_boundary((at + cut).min(good.len()));
            format!("{}{text}{}", &good[..at.min(rest)], &good[rest..])
        };
        for damaged in [around(SPLIT), around(CONFIG), text.clone()] {
            let source = Source::new("a.toml", "a.toml".into(), &damaged);
            let _ = manifest::read(&source);
            let _ = Config::read(&source);
            for problem in source.into_parts().1 {
                proptest::prop_assert!(problem.text().unwrap().get(problem.span.clone()).is_some());
                proptest::prop_assert!(!problem.help.is_empty());
                let _ = problem.one_line();
            }
        }
    }
}
