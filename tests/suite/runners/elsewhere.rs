//! The tools that need Node, Java or Ruby, on PostgreSQL: `sh tests/runners.sh` runs these.

use super::adopt::unadopted;
use super::matrix::killed_at_every_point;
use super::node::{DRIZZLE, LIQUIBASE, TYPEORM, drizzle_journal};
use super::projects::{
    ADD, KNEX, NODE_PG_MIGRATE, Tool, bare, by_hand, has_column, history, project,
};
use super::rails::RAILS;
use super::steps::rolls;
use crate::support::backend::Db;
use crate::support::shop::said;

fn every_point(tool: &Tool) {
    killed_at_every_point(tool, &Db::on("postgres"));
}

/// A revision by hand past the gate is told by the next `status`.
pub fn past_the_gate(tool: &Tool) {
    let db = Db::on("postgres");
    let project = project(tool, &db);
    project.migrate(&["expand", "1"]).expect_code(0);
    by_hand(&project, tool.all);
    let status = project.migrate(&["status"]).expect_code(1);
    let [_, _, drop] = tool.revisions;
    let part = format!("`{drop}` was applied outside of Phasegate");
    assert!(said(&status).contains(&part), "{status:?}");
}

mod knex_rolls {
    use super::*;

    #[test]
    #[ignore = "needs Node: sh tests/runners.sh"]
    fn postgres() {
        rolls(&KNEX, &Db::on("postgres"));
    }

    #[test]
    #[ignore = "needs Node: sh tests/runners.sh"]
    fn mysql() {
        rolls(&KNEX, &Db::on("mysql"));
    }
}

#[test]
#[ignore = "needs Node: sh tests/runners.sh"]
fn knex_killed_at_every_point() {
    every_point(&KNEX);
}

#[test]
#[ignore = "needs Node: sh tests/runners.sh"]
fn knex_past_the_gate() {
    past_the_gate(&KNEX);
}

/// What fails in its middle leaves nothing, and with two revisions pending the first is applied and the second is not.
pub fn alone(tool: &Tool) {
    let db = Db::on("postgres");
    let project = project(tool, &db);
    project.migrate(&["expand", "1"]).expect_code(0);
    assert_eq!(history(tool, &db).len(), 2);
    assert!(has_column(&db, "name"), "the other one is not applied");
    // The schema is not as the contract expects it.
    let other = db.copy();
    project.env("DATABASE_URL", &other.url);
    other.execute("ALTER TABLE shop RENAME COLUMN name TO other");
    project.migrate(&["contract", "1"]).expect_code(1);
    assert_eq!(history(tool, &other).len(), 2);
    other.execute("ALTER TABLE shop RENAME COLUMN other TO name");
    project.migrate(&["contract", "1"]).expect_code(0);
    assert_eq!(history(tool, &other).len(), 3);
}

/// Drizzle says of such a one that all went well, and leaves it out.
#[test]
#[ignore = "needs Node: sh tests/runners.sh"]
fn drizzle_would_leave_out_what_is_not_later() {
    let db = Db::on("postgres");
    let project = project(&DRIZZLE, &db);
    drizzle_journal(&project, "drizzle", &[(0, 1), (1, 0), (2, 3)]);
    let refused = project.migrate(&["expand", "1"]).expect_code(1);
    for part in ["would leave `0001_step` out", "`0000_step`", "`when`"] {
        assert!(said(&refused).contains(part), "{part} in {refused:?}");
    }
    assert!(!has_column(&db, "title"));
    drizzle_journal(&project, "drizzle", &[(0, 1), (1, 2), (2, 3)]);
    project.migrate(&["expand", "1"]).expect_code(0);
}

/// Of what comes before it nothing is left behind, which Drizzle would never apply again.
#[test]
#[ignore = "needs Node: sh tests/runners.sh"]
fn drizzle_leaves_nothing_behind() {
    let db = Db::on("postgres");
    let project = bare(&DRIZZLE, &db);
    let refused = project.migrate(&["expand", "1"]).expect_code(1);
    let along = "would apply `0000_step` along with `0001_step`";
    assert!(said(&refused).contains(along), "{refused:?}");
}

#[test]
#[ignore = "needs Node: sh tests/runners.sh"]
fn typeorm_applies_no_second_class_of_a_file() {
    let db = Db::on("postgres");
    let project = project(&TYPEORM, &db);
    let class = |number: u32, sql: &str| {
        format!(
            "exports.Step176000000000{number} = class Step176000000000{number} {{ async up(q) {{ await q.query(\"{sql}\"); }} }};\n"
        )
    };
    let two = class(2, ADD) + &class(4, "SELECT 1");
    project.file("migrations/1760000000002-Step.js", &two);
    let refused = project.migrate(&["expand", "1"]).expect_code(1);
    assert!(said(&refused).contains("a file of its own"), "{refused:?}");
    assert!(!has_column(&db, "title"));
}

/// One that moved is for Liquibase another one: it is not run again unseen.
#[test]
#[ignore = "needs Java: sh tests/runners.sh"]
fn liquibase_has_changesets_by_their_files() {
    let db = Db::on("postgres");
    let project = project(&LIQUIBASE, &db);
    // As another search path would have called it.
    db.execute("UPDATE databasechangelog SET filename = 'resources/db/changelog/all.sql'");
    let refused = project.migrate(&["expand", "1"]).expect_code(1);
    assert!(said(&refused).contains("search_path"), "{refused:?}");
    assert!(!has_column(&db, "title"));
}

/// What is pending of it, by what it does.
pub fn adopted(tool: &Tool) -> Vec<String> {
    let db = Db::on("postgres");
    let project = unadopted(tool, &db);
    let adopted = project
        .migrate(&["adopt", "--output", "json"])
        .expect_code(0)
        .json();
    assert_eq!(adopted["applied"], 1, "{adopted}");
    let migrations = adopted["migrations"].as_array().expect("a list");
    let kinds = migrations.iter().map(|one| one["kind"].as_str());
    kinds.map(|kind| kind.expect("a text").to_owned()).collect()
}

/// What its programs do nobody reads, so each is a question.
#[test]
#[ignore = "needs Node: sh tests/runners.sh"]
fn knex_is_brought_in() {
    assert_eq!(adopted(&KNEX), ["unclear", "unclear"]);
}

#[test]
#[ignore = "needs Node: sh tests/runners.sh"]
fn node_pg_migrate_rolls() {
    rolls(&NODE_PG_MIGRATE, &Db::on("postgres"));
}

#[test]
#[ignore = "needs Node: sh tests/runners.sh"]
fn node_pg_migrate_killed_at_every_point() {
    every_point(&NODE_PG_MIGRATE);
}

#[test]
#[ignore = "needs Node: sh tests/runners.sh"]
fn node_pg_migrate_past_the_gate() {
    past_the_gate(&NODE_PG_MIGRATE);
}

#[test]
#[ignore = "needs Node: sh tests/runners.sh"]
fn node_pg_migrate_is_brought_in() {
    assert_eq!(adopted(&NODE_PG_MIGRATE), ["adds", "takes"]);
}

scenario!(
    #[ignore = "needs Ruby: sh tests/runners.sh"]
    fn rails_rolls(db: Db) {
        rolls(&RAILS, &db);
    }
);

#[test]
#[ignore = "needs Ruby: sh tests/runners.sh"]
fn rails_killed_at_every_point() {
    every_point(&RAILS);
}

#[test]
#[ignore = "needs Ruby: sh tests/runners.sh"]
fn rails_past_the_gate() {
    past_the_gate(&RAILS);
}

/// What its programs do nobody reads either.
#[test]
#[ignore = "needs Ruby: sh tests/runners.sh"]
fn rails_is_brought_in() {
    assert_eq!(adopted(&RAILS), ["unclear", "unclear"]);
}

#[test]
#[ignore = "needs Node: sh tests/runners.sh"]
fn drizzle_rolls() {
    rolls(&DRIZZLE, &Db::on("postgres"));
}

#[test]
#[ignore = "needs Node: sh tests/runners.sh"]
fn drizzle_killed_at_every_point() {
    every_point(&DRIZZLE);
}

#[test]
#[ignore = "needs Node: sh tests/runners.sh"]
fn drizzle_past_the_gate() {
    past_the_gate(&DRIZZLE);
}

#[test]
#[ignore = "needs Node: sh tests/runners.sh"]
fn drizzle_is_brought_in() {
    assert_eq!(adopted(&DRIZZLE), ["adds", "takes"]);
}

#[test]
#[ignore = "needs Node: sh tests/runners.sh"]
fn drizzle_applies_that_one_alone() {
    alone(&DRIZZLE);
}

mod typeorm_rolls {
    use super::*;

    #[test]
    #[ignore = "needs Node: sh tests/runners.sh"]
    fn postgres() {
        rolls(&TYPEORM, &Db::on("postgres"));
    }

    #[test]
    #[ignore = "needs Node: sh tests/runners.sh"]
    fn mysql() {
        rolls(&TYPEORM, &Db::on("mysql"));
    }
}

#[test]
#[ignore = "needs Node: sh tests/runners.sh"]
fn typeorm_killed_at_every_point() {
    every_point(&TYPEORM);
}

#[test]
#[ignore = "needs Node: sh tests/runners.sh"]
fn typeorm_past_the_gate() {
    past_the_gate(&TYPEORM);
}

#[test]
#[ignore = "needs Node: sh tests/runners.sh"]
fn typeorm_is_brought_in() {
    assert_eq!(adopted(&TYPEORM), ["unclear", "unclear"]);
}

#[test]
#[ignore = "needs Node: sh tests/runners.sh"]
fn typeorm_applies_that_one_alone() {
    alone(&TYPEORM);
}

mod liquibase_rolls {
    use super::*;

    #[test]
    #[ignore = "needs Java: sh tests/runners.sh"]
    fn postgres() {
        rolls(&LIQUIBASE, &Db::on("postgres"));
    }

    #[test]
    #[ignore = "needs Java: sh tests/runners.sh"]
    fn mysql() {
        rolls(&LIQUIBASE, &Db::on("mysql"));
    }
}

#[test]
#[ignore = "needs Java: sh tests/runners.sh"]
fn liquibase_killed_at_every_point() {
    every_point(&LIQUIBASE);
}

#[test]
#[ignore = "needs Java: sh tests/runners.sh"]
fn liquibase_past_the_gate() {
    past_the_gate(&LIQUIBASE);
}

#[test]
#[ignore = "needs Java: sh tests/runners.sh"]
fn liquibase_is_brought_in() {
    assert_eq!(adopted(&LIQUIBASE), ["adds", "takes"]);
}

#[test]
#[ignore = "needs Java: sh tests/runners.sh"]
fn liquibase_applies_that_one_alone() {
    alone(&LIQUIBASE);
}

/// A number of 17 digits is a moment, and taken as it stands it would be later than everything.
#[test]
#[ignore = "needs Node: sh tests/runners.sh"]
fn node_pg_migrate_applies_that_one_alone() {
    const DATED: Tool = Tool {
        revisions: [
            "20251009085320001_step",
            "20251009085320002_step",
            "20251009085320003_step",
        ],
        write: |project, db| {
            (NODE_PG_MIGRATE.write)(project, db);
            for number in 1..=3 {
                let at = |time: &str| {
                    project
                        .path()
                        .join(format!("migrations/{time}{number}_step.sql"))
                };
                std::fs::rename(at("176000000000"), at("2025100908532000"))
                    .expect("it was written");
            }
        },
        ..NODE_PG_MIGRATE
    };
    alone(&DATED);
}
