//! The tools that need Node or Ruby, on PostgreSQL: `sh tests/runners.sh` runs these.

use super::adopt::unadopted;
use super::projects::{KNEX, NODE_PG_MIGRATE, RAILS, Tool, by_hand, has_column, history, project};
use super::steps::rolls;
use crate::support::backend::Db;
use crate::support::shop::said;

/// Killed at every point, the next run of the same command ends with the same revisions in the tool's history. When they were applied
/// stands there as well, so that the whole of it is never the same.
fn every_point(tool: &Tool) {
    let before = Db::on("postgres");
    let project = project(tool, &before);
    for (step, applied) in [("expand", 2), ("contract", 3)] {
        for number in 1.. {
            let db = before.copy();
            project.env("DATABASE_URL", &db.url);
            project.env("PHASEGATE_CRASH_AT", &number.to_string());
            let crashed = project.migrate(&[step, "1"]);
            project.env_remove("PHASEGATE_CRASH_AT");
            if crashed.code == 0 {
                assert!(number > 5, "only {number} points");
                break;
            }
            crashed.expect_code(137);
            project.migrate(&[step, "1"]).expect_code(0);
            assert_eq!(history(tool, &db).len(), applied, "{step}, point {number}");
            assert_eq!(has_column(&db, "name"), step == "expand");
            assert!(has_column(&db, "title"));
        }
        project.env("DATABASE_URL", &before.url);
        project.migrate(&[step, "1"]).expect_code(0);
    }
}

/// A revision by hand past the gate is told by the next `status`.
fn past_the_gate(tool: &Tool) {
    let db = Db::on("postgres");
    let project = project(tool, &db);
    project.migrate(&["expand", "1"]).expect_code(0);
    by_hand(&project, tool.all);
    let status = project.migrate(&["status"]).expect_code(1);
    let [_, _, drop] = tool.revisions;
    let part = format!("`{drop}` was applied outside of Phasegate");
    assert!(said(&status).contains(&part), "{status:?}");
}

#[test]
#[ignore = "needs Node: sh tests/runners.sh"]
fn knex_rolls() {
    rolls(&KNEX, &Db::on("postgres"));
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

/// What is pending of it, by what it does.
fn adopted(tool: &Tool) -> Vec<String> {
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

#[test]
#[ignore = "needs Ruby: sh tests/runners.sh"]
fn rails_rolls() {
    rolls(&RAILS, &Db::on("postgres"));
}

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
