//! The rules of scripts: how they are listed and silenced. Whether servers lock and rewrite as they say is in `servers`,
//! and what a rehearsal sees of that in `traced`.

mod action;
mod judged;
mod reports;
mod servers;
mod sizes;
mod traced;

use crate::support::backend::Db;
use crate::support::project::Project;

#[test]
fn rules_are_listed_and_explained() {
    let project = Project::without_database(&["web"]);
    let listed = project.migrate(&["check", "--rules"]).expect_code(0);
    let page = crate::documents::read("docs/rules.md");
    let mut count = 0;
    for line in listed.stdout.lines() {
        let code = line
            .split_whitespace()
            .next()
            .expect("a line begins with its rule");
        assert!(page.contains(&format!("\n## {code}\n")), "{code}");
        let explained = project
            .migrate(&["check", "--explain", code])
            .expect_code(0);
        assert!(
            explained.stdout.starts_with(code) && explained.stdout.contains("instead"),
            "{explained:?}"
        );
        count += 1;
    }
    assert!(count > 15, "{}", listed.stdout);
    let json = project
        .migrate(&["check", "--rules", "--output", "json"])
        .expect_code(0)
        .json();
    assert_eq!(json["rules"].as_array().map(Vec::len), Some(count));
    let unknown = project
        .migrate(&["check", "--explain", "locks"])
        .expect_code(2);
    assert!(
        unknown.stderr.contains("migrate check --rules"),
        "{unknown:?}"
    );
}

/// A warning is said with its rule, stops nothing, and is silenced with a reason.
#[test]
fn a_warning_stops_nothing() {
    let db = Db::on("postgres");
    db.execute("CREATE TABLE users (id int)");
    let project = Project::new(&db, &["web"]);
    let allow =
        "[[expand.allow]]\nstatement = \"CREATE INDEX users_id ON\"\nreason = \"it is small\"\n";
    for (allow, rules) in [("", &["locks-writes"][..]), (allow, &[])] {
        let manifest = format!("description = \"d\"\n{allow}");
        project.migration(
            "0001_index",
            &[
                ("migration.toml", &manifest),
                ("expand.sql", "CREATE INDEX users_id ON users (id);\n"),
            ],
        );
        let checked = project
            .migrate(&["check", "--output", "json"])
            .expect_code(0)
            .json();
        let found = checked["warnings"].as_array().expect("a list").iter();
        let found: Vec<&str> = found.filter_map(|one| one["rule"].as_str()).collect();
        assert_eq!(found, rules, "{checked}");
    }
    project.migrate(&["expand"]).expect_code(0);
}

/// A comment at the statement silences one rule, and has to say why.
#[test]
fn a_warning_is_silenced_where_it_arises() {
    let project = Project::without_database(&["web"]);
    project.file(
        "migrate.toml",
        "[database]\nurl = \"postgres://localhost/shop\"\n[services.web]\n",
    );
    let checked = |script: &str, code: i32| {
        project.migration(
            "0001_index",
            &[
                ("migration.toml", "description = \"d\"\n"),
                ("expand.sql", script),
            ],
        );
        let output = project.migrate(&["check"]).expect_code(code);
        output.stdout + &output.stderr
    };
    let index = "CREATE INDEX users_id ON users (id);\n";
    let warned = checked(index, 0);
    assert!(warned.contains("nobody writes to `users`"), "{warned}");
    let quiet = checked(
        &format!("-- phasegate:allow locks-writes: it has ten rows\n{index}"),
        0,
    );
    assert!(!quiet.contains("warning"), "{quiet}");
    for (comment, said) in [
        (
            "-- phasegate:allow locks-writes",
            "nothing says why `locks-writes`",
        ),
        (
            "-- phasegate:allow lock-writes: small",
            "is `locks-writes` meant?",
        ),
        ("-- phasegate:allow ledger: mine", "no comment silences it"),
    ] {
        let refused = checked(&format!("{comment}\n{index}"), 1);
        assert!(refused.contains(said), "{comment}: {refused}");
    }
    let idle = checked(
        &format!("-- phasegate:allow rewrites-table: small\n{index}"),
        0,
    );
    assert!(
        idle.contains("no statement here is warned of by `rewrites-table`"),
        "{idle}"
    );

    project.file(
        "migrate.toml",
        "[database]\nurl = \"postgres://localhost/shop\"\n[services.web]\n[lint.off]\nlocks-writes = \"a small shop\"\n",
    );
    let quiet = checked(index, 0);
    assert!(!quiet.contains("warning"), "{quiet}");
    for (lint, said) in [
        (
            "[lint.off]\nlock-writes = \"x\"\n",
            "is `locks-writes` meant?",
        ),
        (
            "[lint.off]\nloses-rows = \"x\"\n",
            "which no project does without",
        ),
        ("[lint.off]\nlocks-writes = \"\"\n", "nothing says why"),
        (
            "[lint]\npostgres = \"new\"\n",
            "is not the number of a release",
        ),
        ("[lint]\npostgress = \"15\"\n", "postgres"),
    ] {
        let config =
            format!("[database]\nurl = \"postgres://localhost/shop\"\n[services.web]\n{lint}");
        project.file("migrate.toml", &config);
        let refused = checked(index, 1);
        assert!(refused.contains(said), "{lint}: {refused}");
    }
}
