//! `init`, `new` and `check`: the files.

use std::fs;

use crate::support::project::Project;
use crate::support::shop::said;

fn empty() -> Project {
    let project = Project::without_database(&[]);
    fs::remove_file(project.path().join("migrate.toml")).expect("the file of a new project");
    project
}

#[test]
fn init_and_new_write_what_check_accepts() {
    let project = empty();
    let output = project.migrate(&["init"]).expect_code(0);
    assert!(output.stdout.contains("migrate.toml"), "{output:?}");
    project.migrate(&["check"]).expect_code(0);
    let output = project.migrate(&["new", "Split full-name"]).expect_code(0);
    assert!(
        output
            .stdout
            .contains("0001_split_full_name/migration.toml"),
        "{output:?}"
    );
    let written = project.path().join("0001_split_full_name");
    for file in ["migration.toml", "expand.sql", "contract.sql"] {
        assert!(written.join(file).exists(), "{file}");
    }
    // Nothing but comments yet, and that is what check says, once.
    let unfinished = project.migrate(&["check"]).expect_code(1);
    assert!(
        unfinished
            .stderr
            .contains("this migration is not filled in yet"),
        "{unfinished:?}"
    );
    let problems = unfinished.stderr.matches("Error: ").count();
    assert_eq!(problems, 1, "{unfinished:?}");
    let output = project.migrate(&["new", "next"]).expect_code(0);
    assert!(output.stdout.contains("0002_next"), "{output:?}");
}

/// The first line of both files leads to the schema that `migrate schema` prints, wherever the migrations are.
#[test]
fn the_files_name_their_schemas() {
    let project = empty();
    project.migrate(&["schema", "--write"]).expect_code(1);
    project.migrate(&["init"]).expect_code(0);
    project.migrate(&["new", "first"]).expect_code(0);
    let text = fs::read_to_string(project.path().join("migrate.toml")).expect("a file");
    project.file(
        "migrate.toml",
        &text.replacen("\n\n", "\nmigrations = \"db/all\"\n\n", 1),
    );
    fs::create_dir_all(project.path().join("db/all")).expect("a directory");
    project.migrate(&["new", "second"]).expect_code(0);
    for (file, kind) in [
        ("migrate.toml", "migrate.toml"),
        ("0001_first/migration.toml", "migration.toml"),
        ("db/all/0001_second/migration.toml", "migration.toml"),
    ] {
        let path = project.path().join(file);
        let text = fs::read_to_string(&path).expect("a file");
        let first = text.lines().next().expect("a line");
        let named = first.strip_prefix("#:schema ").expect(first);
        let schema = path.parent().expect("a directory").join(named);
        let printed = project.migrate(&["schema", kind]).expect_code(0).stdout;
        assert_eq!(fs::read_to_string(schema).expect(named), printed);
    }
    // In a project without schemas nothing leads nowhere, and a link is not written through.
    let other = Project::without_database(&["web"]);
    other.migrate(&["new", "first"]).expect_code(0);
    let manifest = other.path().join("0001_first/migration.toml");
    let text = fs::read_to_string(manifest).expect("a file");
    assert!(!text.contains("#:schema"), "{text}");
    let outside = tempfile::tempdir().expect("a directory");
    std::os::unix::fs::symlink(outside.path(), other.path().join(".phasegate")).expect("a link");
    other.migrate(&["schema", "--write"]).expect_code(1);
    assert_eq!(
        fs::read_dir(outside.path()).expect("it is there").count(),
        0
    );
}

#[test]
fn nothing_is_ever_overwritten() {
    let project = empty();
    project.file("migrate.toml", "# mine\n");
    let refused = project.migrate(&["init"]).expect_code(1);
    assert!(
        said(&refused).contains("migrate.toml exists already"),
        "{refused:?}"
    );
    assert_eq!(
        fs::read_to_string(project.path().join("migrate.toml")).expect("a file"),
        "# mine\n"
    );
    project.file("migrate.toml", "[services.web]\n");
    project.file("0007_mine/expand.sql", "SELECT 1;\n");
    project.migrate(&["new", "mine"]).expect_code(0);
    assert_eq!(
        fs::read_to_string(project.path().join("0007_mine/expand.sql")).expect("a file"),
        "SELECT 1;\n"
    );
    assert!(project.path().join("0008_mine").exists());
    // A link that leads away is not followed.
    fs::remove_file(project.path().join("migrate.toml")).expect("the file is ours");
    std::os::unix::fs::symlink("elsewhere.toml", project.path().join("migrate.toml"))
        .expect("a link");
    project.migrate(&["init"]).expect_code(1);
    assert!(!project.path().join("elsewhere.toml").exists());
}

#[test]
fn a_name_has_to_be_a_name() {
    let project = Project::without_database(&["web"]);
    for name in ["", "../up", "a/b", ".", "a.b", "~", "a\nb;"] {
        let refused = project.migrate(&["new", name]);
        assert_eq!(refused.code, 2, "{name:?}: {refused:?}");
    }
    assert_eq!(
        fs::read_dir(project.path()).expect("the project").count(),
        1
    );
}

#[test]
fn new_writes_where_the_migrations_are() {
    let project = empty();
    project.file(
        "migrate.toml",
        "migrations = \"db/migrations\"\n[services.web]\n",
    );
    project.file(
        "db/migrations/0004_old/migration.toml",
        "description = \"Old\"\n[services.web]\nnew = \">=1.0.0\"\n",
    );
    project.file(
        "db/migrations/0004_old/expand.sql",
        "CREATE TABLE t (id INTEGER);\n",
    );
    let output = project.migrate(&["new", "more"]).expect_code(0);
    assert!(
        output.stdout.contains("db/migrations/0005_more/expand.sql"),
        "{output:?}"
    );
    assert!(
        project
            .path()
            .join("db/migrations/0005_more/expand.sql")
            .exists()
    );
    // The last one is unfinished now, and the next still finds its place beside it.
    let output = project.migrate(&["new", "again"]).expect_code(0);
    assert!(
        output
            .stdout
            .contains("db/migrations/0006_again/expand.sql"),
        "{output:?}"
    );
}

#[test]
fn a_missing_project_is_explained() {
    let project = empty();
    for command in [&["check"][..], &["status"], &["new", "x"]] {
        let failed = project.migrate(command).expect_code(1);
        assert!(said(&failed).contains("migrate.toml"), "{failed:?}");
        assert!(said(&failed).contains("migrate init"), "{failed:?}");
    }
}

#[test]
fn nothing_is_written_through_a_link_that_leads_out() {
    let project = empty();
    let outside = tempfile::tempdir().expect("a directory");
    std::os::unix::fs::symlink(outside.path(), project.path().join("elsewhere")).expect("a link");
    let config = "migrations = \"elsewhere\"\n[services.web]\nmin_instances = 0\n";
    project.file("migrate.toml", config);
    let refused = project.migrate(&["new", "more"]).expect_code(1);
    assert!(
        said(&refused).contains("leads out of the project"),
        "{refused:?}"
    );
    assert_eq!(
        std::fs::read_dir(outside.path())
            .expect("a directory")
            .count(),
        0
    );
    project.file("migrate.toml", &format!("follow_links = true\n{config}"));
    project.migrate(&["new", "more"]).expect_code(0);
    assert_eq!(
        std::fs::read_dir(outside.path())
            .expect("a directory")
            .count(),
        1
    );
}

#[test]
fn init_writes_what_the_environment_says_and_no_secret() {
    for (url, dialect) in [
        ("postgres://me:hidden@db.example.org/shop", "postgres"),
        ("mysql://me:hidden@db.example.org/shop", "mysql"),
        ("sqlite://shop.db", "sqlite"),
    ] {
        let project = empty();
        project.env("DATABASE_URL", url);
        let output = project.migrate(&["init"]).expect_code(0);
        assert!(output.stdout.contains("`migrate expand`"), "{output:?}");
        let text = fs::read_to_string(project.path().join("migrate.toml")).expect("a file");
        assert!(
            text.contains(&format!("dialects = [\"{dialect}\"]")),
            "{text}"
        );
        assert!(
            !text.contains("hidden") && !text.contains("\nurl ="),
            "{text}"
        );
        let checked = project.migrate(&["check"]).expect_code(0);
        assert!(
            checked.stdout.contains(&format!("for {dialect}")),
            "{checked:?}"
        );
        project.migrate(&["new", "first"]).expect_code(0);
        for file in ["expand.sql", "contract.sql", "revert.sql"] {
            let path = project.path().join("0001_first").join(file);
            let text = fs::read_to_string(path).expect("a file");
            assert!(text.lines().all(|line| line.starts_with("--")), "{text}");
        }
        let unfinished = project.migrate(&["check"]).expect_code(1);
        assert!(
            unfinished.stderr.contains("is not filled in yet"),
            "{unfinished:?}"
        );
    }
    let project = empty();
    project.env("DATABASE_URL", "oracle://x/y");
    project.migrate(&["init"]).expect_code(1);
    assert!(!project.path().join("migrate.toml").exists());
}

/// Half of a migration would keep every gate from answering.
#[test]
fn where_no_file_can_be_written_none_is_left() {
    let project = Project::without_database(&["web"]);
    let script = format!(
        "trap '' XFSZ; ulimit -f 0; exec {} new names",
        env!("CARGO_BIN_EXE_migrate")
    );
    // A file can be made and not written, as on a full disk.
    let output = project.spawn_program("sh", &["-c", &script]).wait();
    assert_eq!(output.code, 1, "{output:?}");
    let text = said(&output);
    for part in [
        "0001_names cannot be written",
        "nothing of it is left",
        "make room",
    ] {
        assert!(text.contains(part), "no {part:?}: {output:?}");
    }
    let left = fs::read_dir(project.path()).expect("a directory").flatten();
    let left: Vec<_> = left.map(|entry| entry.file_name()).collect();
    assert_eq!(left, ["migrate.toml"]);
    project.migrate(&["new", "names"]).expect_code(0);
}
