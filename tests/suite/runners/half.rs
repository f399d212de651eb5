//! What a tool leaves where a revision fails in its middle, or where its run is killed: the message says how its own tool mends it, and
//! that is what is done here. `sh tests/runners.sh`.

use super::node::{DRIZZLE, LIQUIBASE, TYPEORM};
use super::projects::{
    ADD, KNEX, NODE_PG_MIGRATE, Tool, by_hand, has_column, history, project, try_by_hand, write_url,
};
use super::rails::RAILS;
use crate::support::backend::Db;
use crate::support::project::{Project, Signal};
use crate::support::shop::said;
use crate::support::wait::{GENEROUS, eventually};

/// A revision that commits its column, and fails after that.
struct Half<'h> {
    tool: &'h Tool,
    file: &'h str,
    text: &'h str,
    /// How it is marked as done, in the words that are said.
    says: &'h [&'h str],
    mark: fn(&Project, &Db),
}

fn phase(project: &Project) -> String {
    let status = project.migrate(&["status", "--output", "json"]).json();
    let phase = status["migrations"][0]["phase"].as_str();
    phase.expect("a phase").to_owned()
}

fn is_told_and_mended(half: &Half<'_>) {
    let db = Db::on("postgres");
    let project = project(half.tool, &db);
    let whole = std::fs::read_to_string(project.path().join(half.file)).expect("it was written");
    project.file(half.file, half.text);
    for _ in 0..2 {
        let failed = project.migrate(&["expand", "1"]).expect_code(1);
        for part in [
            "may have done a part of its work",
            "`migrate expand 0001_title` again",
        ] {
            assert!(said(&failed).contains(part), "{part} in {failed:?}");
        }
        for part in half.says {
            assert!(said(&failed).contains(part), "{part} in {failed:?}");
        }
        assert!(has_column(&db, "title"));
        assert_eq!(history(half.tool, &db).len(), 1);
        assert_eq!(phase(&project), "expanding");
    }
    // It was finished by hand, and marked as it says.
    let finished = db.copy();
    project.env("DATABASE_URL", &finished.url);
    write_url(&project, &finished, false);
    (half.mark)(&project, &finished);
    project.migrate(&["expand", "1"]).expect_code(0);
    assert_eq!(phase(&project), "expanded");
    // Or undone: it is run again.
    project.env("DATABASE_URL", &db.url);
    write_url(&project, &db, false);
    db.execute("ALTER TABLE shop DROP COLUMN title");
    project.file(half.file, &whole);
    for (db, step) in [(&db, "expand"), (&db, "contract"), (&finished, "contract")] {
        project.env("DATABASE_URL", &db.url);
        project.migrate(&[step, "1"]).expect_code(0);
    }
    assert_eq!(history(half.tool, &db), history(half.tool, &finished));
    assert_eq!(history(half.tool, &db).len(), 3);
}

#[test]
#[ignore = "needs Node: sh tests/runners.sh"]
fn drizzle_half_applied() {
    is_told_and_mended(&Half {
        tool: &DRIZZLE,
        file: "drizzle/0001_step.sql",
        text: &format!(
            "{ADD};\n--> statement-breakpoint\nCOMMIT;\n--> statement-breakpoint\nSELECT nosuch FROM shop;\n"
        ),
        says: &["`__drizzle_migrations`", "`created_at`", "SHA-256"],
        mark: |_, db| {
            db.execute(
                "INSERT INTO drizzle.__drizzle_migrations (hash, created_at) VALUES (repeat('0', 64), 1760000000002)",
            );
        },
    });
}

#[test]
#[ignore = "needs Node: sh tests/runners.sh"]
fn typeorm_half_applied() {
    is_told_and_mended(&Half {
        tool: &TYPEORM,
        file: "migrations/1760000000002-Step.js",
        text: &format!(
            "exports.Step1760000000002 = class Step1760000000002 {{\n  async up(query) {{\n    await query.query(\"{ADD}\");\n    \
             await query.commitTransaction();\n    await query.query(\"SELECT nosuch FROM shop\");\n  }}\n  async down() {{}}\n}};\n"
        ),
        says: &[
            "a row in `migrations`",
            "`Step1760000000002`",
            "`timestamp`",
        ],
        mark: |_, db| {
            db.execute("INSERT INTO migrations (timestamp, name) VALUES (1760000000002, 'Step1760000000002')");
        },
    });
}

#[test]
#[ignore = "needs Node: sh tests/runners.sh"]
fn knex_half_applied() {
    is_told_and_mended(&Half {
        tool: &KNEX,
        file: "migrations/20260101000002_step.js",
        text: &format!(
            "exports.config = {{ transaction: false }};\nexports.up = async (knex) => {{\n  await knex.raw(\"{ADD}\");\n  \
             await knex.raw(\"SELECT nosuch FROM shop\");\n}};\nexports.down = () => Promise.resolve();\n"
        ),
        says: &[
            "a row in `knex_migrations`",
            "`20260101000002_step.js`",
            "`batch`",
        ],
        mark: |_, db| {
            db.execute(
                "INSERT INTO knex_migrations (name, batch, migration_time) \
                 SELECT '20260101000002_step.js', max(batch) + 1, now() FROM knex_migrations",
            );
        },
    });
}

#[test]
#[ignore = "needs Node: sh tests/runners.sh"]
fn node_pg_migrate_half_applied() {
    is_told_and_mended(&Half {
        tool: &NODE_PG_MIGRATE,
        file: "migrations/1760000000002_step.sql",
        text: &format!(
            "-- Up Migration\n{ADD};\nCOMMIT;\nSELECT nosuch FROM shop;\n\n-- Down Migration\nSELECT 1;\n"
        ),
        says: &[
            "a row in `pgmigrations`",
            "`1760000000002_step`",
            "`run_on`",
        ],
        mark: |_, db| {
            db.execute(
                "INSERT INTO pgmigrations (name, run_on) VALUES ('1760000000002_step', now())",
            );
        },
    });
}

#[test]
#[ignore = "needs Ruby: sh tests/runners.sh"]
fn rails_half_applied() {
    is_told_and_mended(&Half {
        tool: &RAILS,
        file: "db/migrate/20260101000002_step2.rb",
        text: &format!(
            "class Step2 < ActiveRecord::Migration[6.1]\n  disable_ddl_transaction!\n  def up\n    execute \"{ADD}\"\n    \
             execute \"SELECT nosuch FROM shop\"\n  end\n\n  def down\n  end\nend\n"
        ),
        says: &["a row `20260101000002` in `schema_migrations`"],
        mark: |_, db| {
            db.execute("INSERT INTO schema_migrations VALUES ('20260101000002')");
        },
    });
}

#[test]
#[ignore = "needs Java: sh tests/runners.sh"]
fn liquibase_half_applied() {
    is_told_and_mended(&Half {
        tool: &LIQUIBASE,
        file: "db/changelog/all.sql",
        text: &format!(
            "--liquibase formatted sql\n\n--changeset dev:1\n{};\n\n--changeset dev:2 runInTransaction:false\n{ADD};\nSELECT nosuch FROM shop;\n\n\
             --changeset dev:3\n{};\n",
            super::projects::CREATE,
            super::projects::DROP
        ),
        says: &[
            "`liquibase changelog-sync-sql`",
            "`db/changelog/all.sql::2::dev` alone",
        ],
        mark: |project, db| {
            let (code, printed) = try_by_hand(project, &["./liquibase", "changelog-sync-sql"]);
            assert_eq!(code, Some(0), "{printed}");
            let is_its =
                |line: &&str| line.starts_with("INSERT INTO") && line.contains("('2', 'dev'");
            let row = printed.lines().find(is_its).expect("its row");
            db.execute(row);
        },
    });
}

/// The run is killed with its program, and its lock stays; its statement goes on at the server.
fn leaves_its_lock(tool: &Tool, (file, slow): (&str, &str), unlock: &[&str]) {
    let db = Db::on("postgres");
    let project = project(tool, &db);
    // No test waits for minutes.
    project.env("LIQUIBASE_CHANGELOG_LOCK_WAIT_TIME_IN_MINUTES", "0");
    let whole = std::fs::read_to_string(project.path().join(file)).expect("it was written");
    project.file(file, slow);
    let at_work = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(4)%' AND state = 'active' \
                   AND pid <> pg_backend_pid() AND datname = current_database()";
    let killed = project.spawn(&["expand", "1"]);
    eventually(GENEROUS, || (db.query(at_work)[0][0] != "0").then_some(()));
    killed.signal(Signal::KILL);
    killed.wait();
    project.file(file, &whole);
    let failed = project.migrate(&["expand", "1"]).expect_code(1);
    let advice = format!("`{}` takes it away", unlock.join(" ").replace("./", ""));
    assert!(said(&failed).contains(&advice), "{failed:?}");
    assert_eq!(db.query(at_work)[0][0], "0", "it was waited for");
    assert!(!has_column(&db, "title"));
    by_hand(&project, unlock);
    project.migrate(&["expand", "1"]).expect_code(0);
    project.migrate(&["contract", "1"]).expect_code(0);
    assert_eq!(history(tool, &db).len(), 3);
    assert!(has_column(&db, "title") && !has_column(&db, "name"));
}

#[test]
#[ignore = "needs Java: sh tests/runners.sh"]
fn liquibase_killed_leaves_its_lock() {
    let slow = format!(
        "--liquibase formatted sql\n\n--changeset dev:1\n{};\n\n--changeset dev:2\n{ADD};\nSELECT pg_sleep(4);\n\n--changeset dev:3\n{};\n",
        super::projects::CREATE,
        super::projects::DROP
    );
    leaves_its_lock(
        &LIQUIBASE,
        ("db/changelog/all.sql", &slow),
        &["./liquibase", "release-locks"],
    );
}

#[test]
#[ignore = "needs Node: sh tests/runners.sh"]
fn knex_killed_leaves_its_lock() {
    let slow = format!(
        "exports.config = {{ transaction: false }};\nexports.up = async (knex) => {{\n  await knex.raw(\"SELECT pg_sleep(4)\");\n  \
         await knex.raw(\"{ADD}\");\n}};\nexports.down = () => Promise.resolve();\n"
    );
    leaves_its_lock(
        &KNEX,
        ("migrations/20260101000002_step.js", &slow),
        &["knex", "migrate:unlock"],
    );
}
