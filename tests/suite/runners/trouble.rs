//! What tools do wrong, and what is said of it.

use super::projects::{
    ALEMBIC, DBMATE, DJANGO, SQLX, alembic_revision, bare, by_hand, django_migration, has_column,
    history, judged, manifest, project, try_by_hand,
};
use crate::support::backend::Db;
use crate::support::shop::said;
use crate::support::wait::{GENEROUS, eventually};

scenario!(
    fn a_revision_that_fails_is_not_recorded(db: Db) {
        let project = project(&DBMATE, &db);
        project.file(
            "db/migrations/20260101000002_step.sql",
            "-- migrate:up\nALTER TABLE nosuch ADD COLUMN title varchar(100);\n-- migrate:down\nSELECT 1;\n",
        );
        let failed = project.migrate(&["expand", "1"]).expect_code(1);
        for part in [
            "ended with exit status",
            "the schema is as it was before",
            "`migrate expand 0001_title` again",
        ] {
            assert!(said(&failed).contains(part), "{part} in {failed:?}");
        }
        let status = project.migrate(&["status", "--output", "json"]).json();
        assert_eq!(status["migrations"][0]["phase"], "pending");
        assert_eq!(history(&DBMATE, &db).len(), 1);
    }
);

scenario!(
    fn a_part_that_was_left_is_told_and_waits_for_somebody(db: Db) {
        let project = project(&ALEMBIC, &db);
        let add = crate::runners::projects::ADD;
        // What comes before it is committed, on every database.
        let body = format!(
            "with op.get_context().autocommit_block():\n    op.execute(\"{add}\")\nop.execute(\"SELECT nosuch FROM shop\")"
        );
        alembic_revision(&project, "b2", "'a1'", &body);
        for _ in 0..2 {
            let failed = project.migrate(&["expand", "1"]).expect_code(1);
            for part in [
                "may have done a part of its work",
                "alembic stamp b2",
                "`migrate expand 0001_title` again",
            ] {
                assert!(said(&failed).contains(part), "{part} in {failed:?}");
            }
        }
        let status = project.migrate(&["status", "--output", "json"]).json();
        assert_eq!(status["migrations"][0]["phase"], "expanding");
        // Undone by hand: it is run again.
        db.execute("ALTER TABLE shop DROP COLUMN title");
        alembic_revision(&project, "b2", "'a1'", &format!("op.execute(\"{add}\")"));
        project.migrate(&["expand", "1"]).expect_code(0);
        assert!(has_column(&db, "title"));
    }
);

scenario!(
    fn a_part_that_was_finished_by_hand_is_recorded(db: Db) {
        let project = project(&ALEMBIC, &db);
        let add = crate::runners::projects::ADD;
        let body = format!(
            "with op.get_context().autocommit_block():\n    op.execute(\"{add}\")\nop.execute(\"SELECT nosuch FROM shop\")"
        );
        alembic_revision(&project, "b2", "'a1'", &body);
        project.migrate(&["expand", "1"]).expect_code(1);
        by_hand(&project, &["alembic", "stamp", "b2"]);
        project.migrate(&["expand", "1"]).expect_code(0);
        // A word alone is not enough.
        let status = project.migrate(&["status", "--output", "json"]).json();
        assert_eq!(status["migrations"][0]["phase"], "expanded");
    }
);

scenario!(
    fn what_would_come_along_is_refused(db: Db) {
        for tool in [&ALEMBIC, &SQLX, &DJANGO] {
            let db = db.copy();
            let project = bare(tool, &db);
            let [first, second, _] = tool.revisions;
            let along = format!("would apply `{first}` along with `{second}`");
            // Whoever asks first is told the same.
            let asked = project.migrate(&["gate", "expand", "1"]).expect_code(11);
            assert!(asked.stdout.contains(&along), "{asked:?}");
            let refused = project.migrate(&["expand", "1"]).expect_code(1);
            assert!(said(&refused).contains(&along), "{refused:?}");
            assert!(!has_column(&db, "id"), "nothing was run");
            // Named before it, they are applied one by one.
            let word = judged(tool);
            let both = format!(
                "description = \"The shop\"\n[services.web]\nnew = \">=1.1.0\"\n[expand]\nrevisions = [\"{first}\", \"{second}\"]\n{word}"
            );
            project.migration("0001_title", &[("migration.toml", &both)]);
            project.migrate(&["expand", "1"]).expect_code(0);
            assert!(has_column(&db, "title"));
        }
    }
);

/// What no file says, the tool itself is asked: it would drop a column that nobody has named.
#[test]
fn what_only_the_tool_knows_of_would_come_along_and_is_refused() {
    for tool in [&ALEMBIC, &DJANGO] {
        let db = Db::on("sqlite");
        let project = project(tool, &db);
        match tool.kind {
            "alembic" => {
                let settings = "[alembic]\nscript_location = %(here)s/db\nversion_locations = %(here)s/db/versions %(here)s/more\n";
                project.file("alembic.ini", settings);
                let config = read(&project, "migrate.toml");
                project.file(
                    "migrate.toml",
                    &format!("{config}files = \"db/versions\"\n"),
                );
                let body = format!("op.execute(\"{}\")", super::projects::DROP);
                alembic_revision(&project, "d4", "'a1'", &body);
                let dropping = read(&project, "db/versions/d4_.py");
                std::fs::remove_file(project.path().join("db/versions/d4_.py"))
                    .expect("it is there");
                project.file("more/d4_.py", &dropping);
                let add = format!("op.execute(\"{}\")", super::projects::ADD);
                alembic_revision(&project, "b2", "('a1', 'd4')", &add);
            }
            _ => {
                // By a name that is put together, which is not read here.
                let settings = read(&project, "settings.py");
                project.file(
                    "settings.py",
                    &format!("{settings}INSTALLED_APPS.append('other')\nMIGRATION_MODULES = {{'other': 'other.' + 'schema'}}\n"),
                );
                project.file("other/__init__.py", "");
                project.file("other/schema/__init__.py", "");
                let head =
                    "from django.db import migrations\nclass Migration(migrations.Migration):\n";
                project.file(
                    "other/schema/0001_initial.py",
                    &format!("{head}    dependencies = []\n    operations = []\n"),
                );
                by_hand(&project, &["python", "manage.py", "migrate", "other"]);
                project.file(
                    "other/schema/0002_drop.py",
                    &format!(
                        "{head}    dependencies = [('other', '0001_initial')]\n    run_before = [('shop', '0002_title')]\n    \
                         operations = [migrations.RunSQL(\"{}\")]\n",
                        super::projects::DROP
                    ),
                );
            }
        }
        let refused = project.migrate(&["expand", "1"]).expect_code(1);
        let [_, second, _] = tool.revisions;
        let along = format!("along with `{second}`, and nobody has asked");
        assert!(said(&refused).contains(&along), "{refused:?}");
        assert!(
            has_column(&db, "name") && !has_column(&db, "title"),
            "nothing was run"
        );
    }
}

/// Packages of which a new database has nothing come with what depends on them; one that is there already does not.
#[test]
fn a_package_that_is_new_to_the_database_comes_along() {
    let db = Db::on("sqlite");
    let project = bare(&DJANGO, &db);
    let settings = read(&project, "settings.py");
    project.file(
        "settings.py",
        &format!("{settings}INSTALLED_APPS += ['django.contrib.contenttypes']\n"),
    );
    let create = format!("migrations.RunSQL(\"{}\")", super::projects::CREATE);
    let first = "('contenttypes', '0001_initial')";
    django_migration(&project, "0001_initial", first, &create);
    let word = judged(&DJANGO);
    let both = format!(
        "description = \"The shop\"\n[services.web]\nnew = \">=1.1.0\"\n[expand]\nrevisions = [\"shop.0001_initial\", \"shop.0002_title\"]\n{word}"
    );
    project.migration("0001_title", &[("migration.toml", &both)]);
    project.migrate(&["gate", "expand", "1"]).expect_code(0);
    let told = project.migrate(&["expand", "1"]).expect_code(0);
    assert!(
        said(&told).contains("of which this database has nothing yet"),
        "{told:?}"
    );
    let add = "migrations.RunSQL(\"SELECT 1\")";
    let after = "('shop', '0002_title'), ('contenttypes', '0002_remove_content_type_name')";
    // Of two that come last Django applies none.
    std::fs::remove_file(project.path().join("shop/migrations/0003_name.py"))
        .expect("it was written");
    django_migration(&project, "0003_more", after, add);
    project.migration("0002_more", &[("migration.toml", &format!("description = \"More\"\n[services.web]\nnew = \">=1.2.0\"\n[expand]\nrevisions = [\"shop.0003_more\"]\n{word}"))]);
    let asked = project.migrate(&["gate", "expand", "2"]).expect_code(11);
    assert!(
        asked
            .stdout
            .contains("comes after `contenttypes.0002_remove_content_type_name`"),
        "{asked:?}"
    );
    let refused = project.migrate(&["expand", "2"]).expect_code(1);
    let along =
        "would apply `contenttypes.0002_remove_content_type_name` along with `shop.0003_more`";
    assert!(said(&refused).contains(along), "{refused:?}");
    assert!(!history(&DJANGO, &db).contains(&"shop.0003_more".to_owned()));
    // Applied before, as it says.
    by_hand(
        &project,
        &["python", "manage.py", "migrate", "contenttypes"],
    );
    project.migrate(&["gate", "expand", "2"]).expect_code(0);
    project.migrate(&["expand", "2"]).expect_code(0);
    assert!(history(&DJANGO, &db).contains(&"shop.0003_more".to_owned()));
}

fn read(project: &crate::support::project::Project, path: &str) -> String {
    std::fs::read_to_string(project.path().join(path)).expect("it was written")
}

scenario!(
    fn a_tool_that_works_elsewhere_or_does_nothing_is_not_believed(db: Db) {
        let project = project(&DBMATE, &db);
        let config =
            std::fs::read_to_string(project.path().join("migrate.toml")).expect("it was written");
        let lines = config
            .lines()
            .map(|line| match line.starts_with("program") {
                true => "program = [\"true\"]",
                false => line,
            });
        project.file("migrate.toml", &lines.collect::<Vec<_>>().join("\n"));
        let failed = project.migrate(&["expand", "1"]).expect_code(1);
        for part in [
            "ended well",
            "does not show the revision",
            "another database",
        ] {
            assert!(said(&failed).contains(part), "{part} in {failed:?}");
        }
        let status = project.migrate(&["status", "--output", "json"]).json();
        assert_eq!(status["migrations"][0]["phase"], "pending");
    }
);

/// The client is killed, its statement goes on at the server and is committed: it is waited for before anything is believed.
#[test]
fn a_killed_client_is_not_a_finished_server() {
    let db = Db::on("postgres");
    let project = project(&ALEMBIC, &db);
    let add = crate::runners::projects::ADD;
    let slow =
        "DO $$ BEGIN PERFORM pg_sleep(4); ALTER TABLE shop ADD COLUMN title varchar(100); END $$";
    // The tool is killed while its statement is at work.
    let body = format!(
        "import threading\nthreading.Timer(1, lambda: os.kill(os.getpid(), 9)).start()\n\
         with op.get_context().autocommit_block():\n    op.execute(\"\"\"{slow}\"\"\")"
    );
    alembic_revision(&project, "b2", "'a1'", &body);
    let stopped = project.migrate(&["expand", "1"]).expect_code(1);
    for part in [
        "signal: 9",
        "still changes the schema",
        "may have done a part of its work",
    ] {
        assert!(said(&stopped).contains(part), "{part} in {stopped:?}");
    }
    assert!(has_column(&db, "title"), "the server has gone on");
    db.execute("ALTER TABLE shop DROP COLUMN title");
    alembic_revision(&project, "b2", "'a1'", &format!("op.execute(\"{add}\")"));
    project.migrate(&["expand", "1"]).expect_code(0);
}

#[test]
fn what_no_file_says_in_sql_needs_a_word() {
    let db = Db::on("sqlite");
    for (tool, how) in [
        (&ALEMBIC, "upgrade a1:b2 --sql"),
        (&DJANGO, "sqlmigrate shop 0002_title"),
    ] {
        let db = db.copy();
        let project = project(tool, &db);
        let [_, add, drop] = tool.revisions;
        project.migration("0001_title", &[("migration.toml", &manifest(add, drop))]);
        let checked = project
            .migrate(&["check", "--output", "json"])
            .expect_code(1);
        for part in ["unjudged-revision", how] {
            assert!(checked.stdout.contains(part), "{part} in {checked:?}");
        }
        project.migrate(&["expand", "1"]).expect_code(11);
    }
}

#[test]
fn a_revision_whose_file_cannot_be_read_is_not_taken_for_an_empty_one() {
    let db = Db::on("sqlite");
    let project = project(&DBMATE, &db);
    let [_, add, drop] = DBMATE.revisions;
    project.migration("0001_title", &[("migration.toml", &manifest(add, drop))]);
    project.migrate(&["check"]).expect_code(0);
    let directory = project.path().join("db/migrations");
    let files = std::fs::read_dir(&directory).expect("the tool's files");
    let mut names = files.map(|file| file.expect("a file").file_name());
    let name = names.find(|name| name.to_string_lossy().starts_with(drop));
    let file = directory.join(name.expect("that of the contract"));
    let text = std::fs::read(&file).expect("it is there");
    // As an editor leaves it that writes another encoding.
    std::fs::write(&file, [&b"-- b\xe9b\xe9\n"[..], &text].concat()).expect("it can be written");
    let checked = project.migrate(&["check"]).expect_code(1);
    for part in [
        "unreadable-revision",
        "UTF-8",
        &format!("the revision `{drop}`"),
    ] {
        assert!(said(&checked).contains(part), "{part} in {checked:?}");
    }
    project.migrate(&["gate", "expand", "1"]).expect_code(11);
    let judged = manifest(add, drop) + "judged = \"what nobody reads goes\"\n";
    project.file("0001_title/migration.toml", &judged);
    project.migrate(&["check"]).expect_code(0);
}

#[test]
fn what_is_wrong_with_the_names_is_said_in_the_file() {
    let db = Db::on("sqlite");
    let project = project(&DBMATE, &db);
    for (add, drop, code, said) in [
        (
            "nosuch",
            "20260101000003",
            "unknown-revision",
            "dbmate has no revision `nosuch`",
        ),
        (
            "20260101000002",
            "20260101000002",
            "duplicate-revision",
            "is named by 0001_title as well",
        ),
        (
            "20260101000002\", \"20260101000002",
            "20260101000003",
            "duplicate-revision",
            "is named twice",
        ),
        (
            "20260101000002\", \"20260101000001",
            "20260101000003",
            "revisions-out-of-order",
            "in another order",
        ),
        // What they do is read as our own scripts are.
        (
            "20260101000003",
            "20260101000002",
            "destructive-expand",
            "live versions may not survive this",
        ),
    ] {
        project.migration("0001_title", &[("migration.toml", &manifest(add, drop))]);
        let checked = project
            .migrate(&["check", "--output", "json"])
            .expect_code(1);
        assert!(checked.stdout.contains(code), "{code} in {checked:?}");
        assert!(checked.stdout.contains(said), "{said} in {checked:?}");
    }
}

/// Each tool reads a path that is relative in a way of its own.
#[test]
fn a_database_by_a_relative_path_is_the_same_one_for_the_tool() {
    for tool in [&DBMATE, &SQLX, &ALEMBIC] {
        let db = Db::on("sqlite");
        let project = project(tool, &db);
        let file = db.url.strip_prefix("sqlite://").expect("it is a file");
        let file = file.split('?').next().unwrap_or_default();
        std::fs::copy(file, project.path().join("here.db")).expect("it can be copied");
        for (url, step) in [
            ("sqlite:here.db", "expand"),
            ("sqlite://here.db", "contract"),
        ] {
            project.env("DATABASE_URL", url);
            project.migrate(&[step, "1"]).expect_code(0);
        }
        project.migrate(&["status"]).expect_code(0);
        assert!(!has_column(&db, "title"), "that is another file");
    }
}

scenario!(
    fn two_of_ours_and_one_by_hand_at_the_same_time_apply_it_once(db: Db) {
        let project = project(&ALEMBIC, &db);
        // Each of them waits in the middle of the revision.
        let body = format!(
            "open('at-work-%d' % os.getpid(), 'w').close()\nwhile not os.path.exists('go'):\n    time.sleep(0.02)\nop.execute(\"{}\")",
            crate::runners::projects::ADD
        );
        alembic_revision(&project, "b2", "'a1'", &body);
        let at_work = |wanted: usize| {
            eventually(GENEROUS, || {
                let files = std::fs::read_dir(project.path()).expect("it is there");
                let names = files.flatten().map(|file| file.file_name());
                let begun = names.filter(|name| name.to_string_lossy().starts_with("at-work-"));
                (begun.count() >= wanted).then_some(())
            });
        };
        let ours = project.spawn(&["expand", "1"]);
        at_work(1);
        let second = project.spawn(&["expand", "1", "--wait", "5m"]);
        std::thread::scope(|scope| {
            let by_hand = scope.spawn(|| try_by_hand(&project, &["alembic", "upgrade", "b2"]));
            at_work(2);
            project.file("go", "");
            // Which of them comes first is theirs to say; the others fail on the column that is there.
            for ours in [ours.wait(), second.wait()] {
                assert!(matches!(ours.code, 0 | 1), "{ours:?}");
            }
            by_hand.join().expect("it was started");
        });
        project.migrate(&["expand", "1"]).expect_code(0);
        assert_eq!(history(&ALEMBIC, &db), ["b2"]);
        assert!(has_column(&db, "title"));
        project.migrate(&["log", "--verify"]).expect_code(0);
        let log = project.migrate(&["log", "--output", "json"]);
        let log = log.expect_code(0).stdout;
        assert_eq!(log.matches("\"to\":\"expanded\"").count(), 1, "{log}");
    }
);
