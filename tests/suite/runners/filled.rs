//! A backfill that a revision of another migration tool carries out.

use super::projects::{
    ALEMBIC, DBMATE, DROP, Tool, alembic_revision, bare, by_hand, has_column, history,
};
use crate::crash::matrix;
use crate::support::backend::Db;
use crate::support::project::Project;
use crate::support::shop::said;

const FILL: &str = "UPDATE shop SET title = name WHERE title IS NULL";

/// Rows of which 1.0.0 writes the old format, 1.1.0 both, and that nothing keeps in step.
const APPEND_ONLY: &str =
    "rows = \"append-only\"\n[services.web]\nold = \"<1.2.0\"\nnew = \">=1.1.0\"\n";
const MUTABLE: &str = "[services.web]\nreads = { old = \"<1.2.0\", new = \">=1.2.0\" }\n\
                       writes = { old = \"<1.3.0\", new = \">=1.1.0\" }\n";

/// One revision adds the column, the next one fills it, and the last one drops the other. The first row is there.
fn project(tool: &Tool, db: &Db, uses: &str, more: &str) -> Project {
    let project = bare(tool, db);
    let [_, add, fill] = tool.revisions;
    let (drop, word) = match tool.kind {
        "alembic" => {
            alembic_revision(
                &project,
                fill,
                &format!("'{add}'"),
                &format!("op.execute(\"{FILL}\")"),
            );
            alembic_revision(
                &project,
                "d4",
                &format!("'{fill}'"),
                &format!("op.execute(\"{DROP}\")"),
            );
            ("d4", "judged = \"as it says\"\n")
        }
        _ => {
            for (name, sql) in [(fill, FILL), ("20260101000004", DROP)] {
                let text = format!("-- migrate:up\n{sql};\n-- migrate:down\nSELECT 1;\n");
                project.file(format!("db/migrations/{name}_step.sql"), &text);
            }
            ("20260101000004", "")
        }
    };
    project.migration(
        "0001_title",
        &[(
            "migration.toml",
            &format!(
                "description = \"A title in place of the name\"\n{uses}[expand]\nrevisions = [\"{add}\"]\n{word}\
                 [backfill]\nrevisions = [\"{fill}\"]\n{word}table = \"shop\"\nkey = \"id\"\n\
                 remaining = \"SELECT count(*) FROM shop WHERE title IS NULL\"\n{more}\
                 [contract]\nrevisions = [\"{drop}\"]\n{word}"
            ),
        )],
    );
    by_hand(&project, tool.first);
    db.execute("INSERT INTO shop (id, name) VALUES (1, 'one')");
    project.migrate(&["check"]).expect_code(0);
    project.migrate(&["expand", "1"]).expect_code(0);
    project
}

fn admit(project: &Project, version: &str) {
    let one = [
        "admit",
        "--service",
        "web",
        "--version",
        version,
        "--instance",
        "web-1",
    ];
    project.migrate(&one).expect_code(0);
}

fn leave(db: &Db) {
    let ledger = if db.backend.name == "postgres" {
        "phasegate.leases"
    } else {
        "phasegate_leases"
    };
    db.execute(&format!("DELETE FROM {ledger}"));
}

fn titles(db: &Db) -> Vec<String> {
    let rows = db.query("SELECT coalesce(title, 'none') FROM shop ORDER BY id");
    rows.into_iter().flatten().collect()
}

fn phase(project: &Project) -> String {
    let status = project.migrate(&["status", "--output", "json"]).json();
    status["migrations"][0]["phase"]
        .as_str()
        .expect("a phase")
        .to_owned()
}

scenario!(
    fn a_revision_fills_the_rows_once_nobody_writes_past_it(db: Db) {
        for tool in [&DBMATE, &ALEMBIC] {
            let db = db.copy();
            let project = project(tool, &db, APPEND_ONLY, "");
            let expanded = history(tool, &db);
            // A version that writes the old format alone would leave rows behind it.
            admit(&project, "1.0.0");
            let held = project.migrate(&["backfill", "1"]).expect_code(10);
            assert!(held.stdout.contains("web 1.0.0"), "{held:?}");
            assert_eq!(
                (history(tool, &db), titles(&db)),
                (expanded, vec!["none".into()])
            );
            // What needs the rows waits for it, and so does what takes away.
            project
                .migrate(&["gate", "deploy", "web=1.2.0"])
                .expect_code(11);
            leave(&db);
            project.migrate(&["contract", "1"]).expect_code(11);
            let filled = project.migrate(&["backfill", "1"]).expect_code(0);
            assert!(filled.stdout.contains("(1 revision, "), "{filled:?}");
            assert_eq!(
                (phase(&project), titles(&db)),
                ("backfilled".into(), vec!["one".into()])
            );
            project
                .migrate(&["gate", "deploy", "web=1.2.0"])
                .expect_code(0);

            // One of before comes back: the rows that it leaves are seen, and the revision is not run again.
            admit(&project, "1.0.0");
            db.execute("INSERT INTO shop (id, name) VALUES (2, 'two')");
            assert_eq!(phase(&project), "expanded");
            leave(&db);
            let all = history(tool, &db);
            let left = project.migrate(&["backfill", "1"]).expect_code(11);
            for part in [
                "returns 1, and has to be 0",
                "is applied, which happens once",
            ] {
                assert!(left.stdout.contains(part), "{part} in {left:?}");
            }
            project.migrate(&["contract", "1"]).expect_code(11);
            db.execute(FILL);
            project.migrate(&["backfill", "1"]).expect_code(0);
            assert_eq!(history(tool, &db), all);
            project.migrate(&["contract", "1"]).expect_code(0);
            assert!(!has_column(&db, "name"));
            project.migrate(&["log", "--verify"]).expect_code(0);
            by_hand(&project, tool.all);
        }
    }
);

scenario!(
    fn a_revision_that_is_applied_makes_no_stale_row_fresh(db: Db) {
        // The other way round it may be refused for another reason.
        for (more, code) in [
            ("overwrites = true\n", 1),
            (
                "check = \"SELECT id FROM shop WHERE id > :after AND id <= :upto AND title <> name\"\n",
                11,
            ),
        ] {
            let db = db.copy();
            let project = project(&DBMATE, &db, MUTABLE, more);
            project.migrate(&["backfill", "1"]).expect_code(0);
            admit(&project, "1.1.0");
            admit(&project, "1.0.0");
            db.execute("UPDATE shop SET name = 'other'");
            leave(&db);
            let refused = project.migrate(&["backfill", "1"]).expect_code(code);
            let part = if code == 1 {
                "may have left rows stale since"
            } else {
                "`check` of the backfill finds rows"
            };
            let told = format!("{} {}", said(&refused), refused.stdout);
            assert!(told.contains(part), "{refused:?}");
            project.migrate(&["contract", "1"]).expect_code(11);
            assert!(has_column(&db, "name"));
            if code == 1 {
                // The way out.
                let text = format!(
                    "-- migrate:up\n{};\n-- migrate:down\nSELECT 1;\n",
                    "UPDATE shop SET title = name"
                );
                project.file("db/migrations/20260101000003_step.sql", &text);
                project.file("db/migrations/20260101000005_again.sql", &text);
                let path = project.path().join("0001_title/migration.toml");
                let manifest = std::fs::read_to_string(path).expect("it was written");
                let both = manifest.replace("000003\"]", "000003\", \"20260101000005\"]");
                project.file("0001_title/migration.toml", &both);
            } else {
                db.execute("UPDATE shop SET title = name");
            }
            project.migrate(&["backfill", "1"]).expect_code(0);
            assert_eq!(titles(&db), ["other"]);
            project.migrate(&["contract", "1"]).expect_code(0);
        }
    }
);

scenario!(
    fn dbmate_killed_at_every_point_of_a_backfill(db: Db) {
        let project = project(&DBMATE, &db, APPEND_ONLY, "");
        matrix("backfill, by dbmate", &db, &project, &["backfill", "1"]);
    }
);

#[test]
fn a_revision_that_fills_and_takes_away_is_refused() {
    let db = Db::on("sqlite");
    let project = project(&DBMATE, &db, APPEND_ONLY, "");
    let text = format!("-- migrate:up\n{FILL};\n{DROP};\n-- migrate:down\nSELECT 1;\n");
    project.file("db/migrations/20260101000003_step.sql", &text);
    let refused = project.migrate(&["check"]).expect_code(1);
    assert!(said(&refused).contains("destructive-expand"), "{refused:?}");
    // A fill that is taken back is no fill.
    let text = format!("-- migrate:up\n{FILL};\n-- migrate:down\nSELECT 1;\n");
    project.file("db/migrations/20260101000003_step.sql", &text);
    project.migrate(&["backfill", "1"]).expect_code(0);
    project
        .migrate(&["gate", "deploy", "web=1.2.0"])
        .expect_code(0);
    db.execute("DELETE FROM schema_migrations WHERE version = '20260101000003'");
    let status = project.migrate(&["status"]).expect_code(1);
    assert!(
        said(&status).contains("does not have it any more"),
        "{status:?}"
    );
    project
        .migrate(&["gate", "deploy", "web=1.2.0"])
        .expect_code(11);
}
