//! Symbolic links, inside the project and out of it.

use std::os::unix::fs::symlink;
use std::path::Path;

use super::*;

/// The project with `path` moved to another directory, and a link in its place.
fn moved_out(dir: &Path, elsewhere: &Path, path: &str) {
    let target = elsewhere.join("moved");
    fs::rename(dir.join(path), &target).unwrap();
    symlink(&target, dir.join(path)).unwrap();
}

#[test]
fn what_leads_out_of_the_project_is_refused_unless_it_says_so() {
    let config = format!("migrations = \"db\"\n{CONFIG}");
    let files: Vec<(String, &str)> = GOOD
        .iter()
        .map(|(path, text)| match *path {
            "migrate.toml" => ((*path).to_owned(), config.as_str()),
            path => (format!("db/{path}"), *text),
        })
        .collect();
    let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (&**path, *text)).collect();
    for path in [
        "db",
        "db/0002_split",
        "db/0002_split/expand.sql",
        "db/0002_split/backfill.sql",
        "db/0002_split/migration.toml",
    ] {
        let (dir, elsewhere) = (written(&files), tempfile::tempdir().unwrap());
        moved_out(dir.path(), elsewhere.path(), path);
        let found = loaded(&dir, None);
        let [problem] = found.as_slice() else {
            panic!("{path}: {found:?}");
        };
        assert_eq!(problem.code, "link-leads-out");
        assert_eq!(problem.path, dir.path().join(path));
        let moved = fs::canonicalize(elsewhere.path()).unwrap().join("moved");
        assert!(
            problem.message.contains(&*moved.to_string_lossy()),
            "{}",
            problem.message
        );
        assert!(problem.help.contains("follow_links = true"));

        let allowed = format!("follow_links = true\n{config}");
        fs::write(dir.path().join("migrate.toml"), allowed).unwrap();
        assert!(Project::load(dir.path(), None).is_ok(), "{path}");
        let denied = format!("follow_links = false\n{config}");
        fs::write(dir.path().join("migrate.toml"), denied).unwrap();
        assert!(Project::load(dir.path(), None).is_err(), "{path}");
    }
}

#[test]
fn links_inside_the_project_and_to_it_are_followed() {
    let dir = written(GOOD);
    let shared = dir.path().join("shared");
    fs::create_dir(&shared).unwrap();
    moved_out(dir.path(), &shared, "0002_split/expand.sql");
    assert!(Project::load(dir.path(), None).is_ok());
    let other = tempfile::tempdir().unwrap();
    let link = other.path().join("project");
    symlink(dir.path(), &link).unwrap();
    assert!(Project::load(&link, None).is_ok());
    // A neighbour whose name only begins like the project's is not in it.
    let neighbour = dir.path().with_extension("2");
    fs::create_dir(&neighbour).unwrap();
    moved_out(dir.path(), &neighbour, "0002_split/contract.sql");
    let found = loaded(&dir, None);
    fs::remove_dir_all(&neighbour).unwrap();
    assert_eq!(found.len(), 1, "{found:?}");
}

#[test]
fn nothing_of_a_file_outside_is_shown() {
    let elsewhere = tempfile::tempdir().unwrap();
    let secret = elsewhere.path().join("secret");
    fs::write(&secret, "machine example.com login me password hunter2\n").unwrap();
    let named = |path: &str| {
        CONFIG.replace(
            "[services.web]",
            &format!("[services.web]\naliases_file = \"{path}\""),
        )
    };
    let dir = written(&[("migrate.toml", &named(&secret.to_string_lossy()))]);
    symlink(&secret, dir.path().join("names")).unwrap();
    let is_told = |found: &[Problem]| {
        let [problem] = found else {
            panic!("{found:?}");
        };
        let report = format!("{:?}", miette::Report::new(problem.clone()));
        assert!(
            !report.contains("hunter2") && !report.contains("login"),
            "{report}"
        );
        problem.message.clone()
    };
    let message = is_told(&loaded(&dir, None));
    assert!(message.starts_with("line 1 of this file"), "{message}");
    fs::write(dir.path().join("migrate.toml"), named("names")).unwrap();
    is_told(&loaded(&dir, None));
    // The settings themselves.
    fs::remove_file(dir.path().join("migrate.toml")).unwrap();
    symlink(&secret, dir.path().join("migrate.toml")).unwrap();
    let message = is_told(&loaded(&dir, None));
    assert!(message.contains("leads out of the project"), "{message}");
}
