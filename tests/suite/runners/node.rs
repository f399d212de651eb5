//! The tools that need Node, on PostgreSQL: `sh tests/runners.sh` installs them and runs these.

use super::adopt::{brought_in, unadopted};
use super::matrix::every_point;
use super::projects::{KNEX, NODE_PG_MIGRATE, Tool, by_hand, project};
use super::steps::rolls;
use crate::support::backend::Db;
use crate::support::shop::said;

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
    every_point(&KNEX, &Db::on("postgres"));
}

#[test]
#[ignore = "needs Node: sh tests/runners.sh"]
fn knex_past_the_gate() {
    past_the_gate(&KNEX);
}

/// What its programs do nobody reads, so each is a question.
#[test]
#[ignore = "needs Node: sh tests/runners.sh"]
fn knex_is_brought_in() {
    let db = Db::on("postgres");
    let project = unadopted(&KNEX, &db);
    let adopted = project
        .migrate(&["adopt", "--output", "json"])
        .expect_code(0)
        .json();
    assert_eq!(adopted["applied"], 1, "{adopted}");
    for migration in adopted["migrations"].as_array().expect("a list") {
        assert_eq!(migration["kind"], "unclear", "{adopted}");
    }
}

#[test]
#[ignore = "needs Node: sh tests/runners.sh"]
fn node_pg_migrate_rolls() {
    rolls(&NODE_PG_MIGRATE, &Db::on("postgres"));
}

#[test]
#[ignore = "needs Node: sh tests/runners.sh"]
fn node_pg_migrate_killed_at_every_point() {
    every_point(&NODE_PG_MIGRATE, &Db::on("postgres"));
}

#[test]
#[ignore = "needs Node: sh tests/runners.sh"]
fn node_pg_migrate_past_the_gate() {
    past_the_gate(&NODE_PG_MIGRATE);
}

#[test]
#[ignore = "needs Node: sh tests/runners.sh"]
fn node_pg_migrate_is_brought_in() {
    brought_in(&NODE_PG_MIGRATE, &Db::on("postgres"));
}
