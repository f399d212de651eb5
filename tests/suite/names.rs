//! What the versions of a service are called elsewhere: by a file that a pipeline writes, by a pattern, by an option.

use crate::support::backend::Db;
use crate::support::git::{commit, git};
use crate::support::project::Project;
use crate::support::shop::{NAME, Shop, said};

const SERVICES: &str = "[services.web]\nmin_instances = 0\nreleases = [\"1.0.0\"]\naliases_file = \"versions\"\nlabels = [\"build-{1}-{*}\"]\n";

scenario!(
    fn a_name_stands_for_a_version_or_for_nothing(db: Db) {
        let shop = Shop::with_fleet(db, SERVICES);
        shop.fleet(&[]);
        // Before the file is there nobody knows which names there are.
        let unknown = shop.run(&["gate", "deploy", "web=a1b2c3d"], 12);
        assert!(said(&unknown).contains("versions"), "{unknown:?}");
        shop.run(&["expand"], 1);
        let file = |text: &str| shop.project.file("versions", text);
        file("# by the pipeline\na1b2c3d 1.2.0\n0ld = 1.0.0\n");
        shop.run(&["expand"], 0);
        shop.run(&["backfill"], 0);
        for (label, code) in [
            ("a1b2c3d", 0),
            ("build-2-x", 0),
            ("main-17", 12),
            ("v1.2.0-14-gabc1234", 0),
            ("1.2.0-14-gabc1234-mine", 12),
        ] {
            let deploy = format!("web={label}");
            shop.run(&["gate", "deploy", &deploy], code);
        }
        let given = |alias: &str, code: i32| {
            shop.run(&["gate", "deploy", "web=main-17", "--alias", alias], code)
        };
        given("web:main-17=1.2.0", 0);
        for (alias, part) in [
            ("web:a1b2c3d=1.0.0", "stands for 1.2.0"),
            ("web:1.0.0=1.2.0", "one of `releases`"),
            ("worker:main-17=1.2.0", "no service `worker`"),
            ("web:main-17", "such as web:a1b2c3d=1.2.0"),
            ("web:main-17=x", "is not a version"),
        ] {
            let refused = given(alias, 2);
            assert!(said(&refused).contains(part), "{part} in {refused:?}");
        }
        // Whoever is seen, or has registered, is placed in the same way.
        for label in ["0ld", "build-1-x"] {
            shop.fleet(&[("web", "a", label)]);
            let refused = shop.run(&["gate", "contract", NAME], 11);
            assert!(
                refused.stdout.contains("web 1.0.0") || refused.stdout.contains(label),
                "{refused:?}"
            );
        }
        // It may write as the tag does and read as a later release does, for all that its name says.
        let refused = shop.run(&["gate", "deploy", "web=v1.0.0-14-gabc1234"], 11);
        assert!(
            refused
                .stdout
                .contains("next: deploy a build that has a tag"),
            "{refused:?}"
        );
        // A build after a tag may be the tag's code or any later one's: it holds what either of them holds.
        for label in ["v1.0.0-14-gabc1234", "1.0.0+14.gabc1234", "1.1.0-dirty"] {
            shop.fleet(&[("web", "a", label)]);
            let refused = shop.run(&["gate", "contract", NAME], 11);
            for part in [
                "reads and writes the old format",
                "has no tag of its own",
                "an alias",
            ] {
                assert!(refused.stdout.contains(part), "{part} in {refused:?}");
            }
        }
        shop.fleet(&[("web", "a", "v1.2.0-14-gabc1234")]);
        shop.run(&["gate", "contract", NAME], 0);
        shop.fleet(&[]);
        let admit = [
            "admit",
            "--service",
            "web",
            "--version",
            "build-2-x",
            "--instance",
            "b",
        ];
        shop.run(&admit, 0);
        let fleet = shop.run(&["fleet", "--output", "json"], 0).json();
        let placed = &fleet["fleet"][0];
        assert_eq!(
            (&placed["version"], &placed["placed"]),
            (&"build-2-x".into(), &"2.0.0".into()),
            "{fleet}"
        );

        for (text, code) in [
            ("a1b2c3d\n", "bad-alias"),
            ("a1b2c3d 1.2.0 1.3.0\n", "bad-alias"),
            ("a1b2c3d x\n", "bad-version"),
            ("a1b2c3d 1.2.0\na1b2c3d 1.1.0\n", "two-aliases"),
            ("1.0.0 1.2.0\n", "alias-is-a-release"),
        ] {
            file(text);
            let checked = shop.run(&["check", "--output", "json"], 1);
            assert!(checked.stdout.contains(code), "{code} in {checked:?}");
            shop.run(&["gate", "deploy", "web=build-2-x"], 12);
        }
    }
);

#[test]
fn many_labels_that_nobody_can_place_are_a_few_lines() {
    let shop = Shop::with_fleet(Db::on("sqlite"), "[services.web]\nmin_instances = 0\n");
    let labels: Vec<String> = (0..40).map(|number| format!("main-{number}")).collect();
    let fleet: Vec<_> = labels
        .iter()
        .map(|label| ("web", label.as_str(), label.as_str()))
        .collect();
    shop.run(&["expand"], 0);
    shop.run(&["backfill"], 0);
    shop.fleet(&fleet);
    for arguments in [
        &["gate", "contract", NAME][..],
        &["plan", "--to", "web=1.2.0"],
    ] {
        let unknown = shop.run(arguments, 12);
        let named = unknown.stdout.matches("cannot be placed among").count();
        assert_eq!(named, 10, "{unknown:?}");
        for part in ["30 more labels of web", "`migrate fleet`"] {
            assert!(unknown.stdout.contains(part), "{part} in {unknown:?}");
        }
    }
    let all = shop.json(&["gate", "contract", NAME], 12);
    let blockers = all["blockers"].as_array().map_or(0, Vec::len);
    assert!(blockers >= 40, "{all}");
}

#[test]
fn the_release_that_contains_a_migration_follows_from_the_tags() {
    let db = Db::on("sqlite");
    db.execute("CREATE TABLE other (id integer)");
    let project = Project::new(&db, &["web"]);
    let manifest = |web: &str| {
        project.file(
            "0001_t/migration.toml",
            &format!("description = \"x\"\n[services.web]\n{web}"),
        );
    };
    let unknown = |why: &str| {
        let checked = project.migrate(&["check"]).expect_code(1);
        for part in ["unresolved-release", "this = \"1.3.0\"", why] {
            assert!(said(&checked).contains(part), "{part} in {checked:?}");
        }
        project
            .migrate(&["gate", "deploy", "web=1.2.0"])
            .expect_code(12);
    };
    git(&project, &["init", "-q", "-b", "main"]);
    commit(&project);
    project.file("0001_t/expand.sql", "CREATE TABLE t (id integer);\n");
    manifest("new = \">=this\"\n");
    unknown("no tag of this repository is a version");
    git(&project, &["tag", "v1.2.0"]);
    unknown("no tag contains it yet");
    // A pull request need not wait for a tag that is made of what it brings.
    let since = ["check", "--changed-since", "HEAD"];
    let checked = project.migrate(&since).expect_code(0);
    assert!(
        said(&checked).contains("no tag contains it yet"),
        "{checked:?}"
    );
    commit(&project);
    git(&project, &["tag", "v1.3.0"]);
    project.migrate(&["check"]).expect_code(0);
    project
        .migrate(&["gate", "deploy", "web=1.2.9"])
        .expect_code(0);
    project
        .migrate(&["gate", "deploy", "web=1.3.0"])
        .expect_code(11);
    // What comes after it and does not have it makes it doubtful.
    git(&project, &["tag", "v1.4.0", "v1.2.0"]);
    unknown("1.3.0 contains it, and 1.4.0, which comes after that, does not");
    let since = ["check", "--changed-since", "v1.2.0"];
    project.migrate(&since).expect_code(1);
    // What is written down wins, and needs no git.
    manifest("new = \">=this\"\nthis = \"1.5.0\"\n");
    project
        .migrate(&["gate", "deploy", "web=1.4.0"])
        .expect_code(0);
    project
        .migrate(&["gate", "deploy", "web=1.5.0"])
        .expect_code(11);
    std::fs::remove_dir_all(project.path().join(".git")).expect("it is there");
    project.migrate(&["check"]).expect_code(0);
    manifest("new = \">=this\"\n");
    unknown("git says");
}

/// The release is that of the migration, and not that of the place where it is.
#[test]
fn a_migration_that_was_moved_is_the_one_that_was_released() {
    let db = Db::on("sqlite");
    db.execute("CREATE TABLE other (id integer)");
    let project = Project::new(&db, &["web"]);
    let manifest = "description = \"It was released\"\n# Of which nothing else is said.\n[services.web]\nnew = \">=this\"\n";
    project.file("0001_t/migration.toml", manifest);
    project.file("0001_t/expand.sql", "CREATE TABLE t (id integer);\n");
    git(&project, &["init", "-q", "-b", "main"]);
    commit(&project);
    git(&project, &["tag", "v1.3.0"]);
    let refused = || {
        project.migrate(&["check"]).expect_code(0);
        let gate = project.migrate(&["gate", "deploy", "web=1.3.0"]);
        gate.expect_code(11);
    };
    refused();
    git(&project, &["mv", "0001_t", "0005_t"]);
    commit(&project);
    git(&project, &["tag", "v1.4.0"]);
    refused();
    // What is not like it any more may be another one.
    git(&project, &["mv", "0005_t", "0006_t"]);
    project.file(
        "0006_t/migration.toml",
        "description = \"Something else\"\n\n[services.web]\nreads.new = \">=this\"\nwrites.new = \">=this\"\n",
    );
    commit(&project);
    git(&project, &["tag", "v1.5.0"]);
    let checked = project.migrate(&["check"]).expect_code(1);
    assert!(
        said(&checked).contains("may be this migration as it was called then"),
        "{checked:?}"
    );
}

/// Two migrations of one kind resemble each other, and git takes the one for the other.
#[test]
fn a_migration_written_after_the_pattern_of_another_is_not_that_one() {
    let db = Db::on("sqlite");
    db.execute("CREATE TABLE users (id integer)");
    let project = Project::new(&db, &["web"]);
    let adds = |number: &str, column: &str| {
        let directory = format!("{number}_add_{column}");
        project.file(
            format!("{directory}/migration.toml"),
            &format!("description = \"Add users.{column}\"\n\n# Agreed with the data team: everybody reports on it.\n# It comes a week before the release.\n[services.web]\nnew = \">=this\"\n"),
        );
        project.file(
            format!("{directory}/expand.sql"),
            &format!("ALTER TABLE users ADD COLUMN {column} integer;\n"),
        );
    };
    git(&project, &["init", "-q", "-b", "main"]);
    commit(&project);
    git(&project, &["tag", "v1.0.0"]);
    adds("0001", "a");
    commit(&project);
    git(&project, &["tag", "v1.1.0"]);
    project.migrate(&["expand"]).expect_code(0);
    // Beside what it was copied from.
    adds("0002", "b");
    commit(&project);
    let untagged = project.migrate(&["check"]).expect_code(1);
    assert!(
        said(&untagged).contains("no tag contains it yet"),
        "{untagged:?}"
    );
    git(&project, &["tag", "v1.2.0"]);
    let gate = |version: &str, code: i32| {
        let version = format!("web={version}");
        project
            .migrate(&["gate", "deploy", &version])
            .expect_code(code);
    };
    gate("1.1.0", 0);
    gate("1.2.0", 11);
    // In the place of one that was released: nobody knows whether it is that one.
    std::fs::remove_dir_all(project.path().join("0002_add_b")).expect("it is there");
    adds("0003", "c");
    commit(&project);
    git(&project, &["tag", "v1.3.0"]);
    let doubtful = project.migrate(&["check"]).expect_code(1);
    let text = said(&doubtful).replace("\n  │ ", " ");
    assert!(
        text.contains("v1.2.0 has `0002_add_b/migration.toml`"),
        "{text}"
    );
}

/// Several that are the same to the letter are moved at once.
#[test]
fn migrations_that_are_alike_are_followed_by_their_names() {
    let db = Db::on("sqlite");
    db.execute("CREATE TABLE users (id integer)");
    let project = Project::new(&db, &["web"]);
    let manifest = "description = \"Add a column\"\n[services.web]\nnew = \">=this\"\n";
    let adds = |directory: &str, column: &str| {
        let script = format!("ALTER TABLE users ADD COLUMN {column} integer;\n");
        project.migration(
            directory,
            &[("migration.toml", manifest), ("expand.sql", &script)],
        );
    };
    git(&project, &["init", "-q", "-b", "main"]);
    commit(&project);
    git(&project, &["tag", "v1.0.0"]);
    adds("0002_b", "b");
    commit(&project);
    git(&project, &["tag", "v1.1.0"]);
    adds("0001_a", "a");
    commit(&project);
    git(&project, &["tag", "v1.2.0"]);
    for (from, to) in [("0002_b", "0011_b"), ("0001_a", "0012_a")] {
        git(&project, &["mv", from, to]);
    }
    commit(&project);
    git(&project, &["tag", "v1.3.0"]);
    project.migrate(&["check"]).expect_code(0);
    project.migrate(&["expand", "11"]).expect_code(0);
    for (version, code) in [("1.0.0", 0), ("1.1.0", 0), ("1.2.0", 11)] {
        let version = format!("web={version}");
        project
            .migrate(&["gate", "deploy", &version])
            .expect_code(code);
    }
}
