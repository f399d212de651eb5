//! A unique index, or on PostgreSQL a CHECK or a foreign key, that goes along with a column of the old format, although it is
//! about what live versions write as well: no database says a word (on MySQL the index is one over the other columns from then
//! on), or it refuses.

use crate::model::Step;
use crate::sql::{ConstraintRule, Dialect, Gone, ObjectKind, Script, Statement, Verb};

use super::super::finding::{Finding, first_line};
use super::super::later;
use super::{Scripts, takes};

pub(super) fn check(scripts: &Scripts<'_>) -> Vec<(Step, Finding)> {
    // What a declared change takes along is told with the change.
    let is_declared = scripts.is_declared();
    let Some(contract) = scripts.contract.filter(|_| !is_declared) else {
        return Vec::new();
    };
    let expand = scripts.expand.map_or(&[][..], |script| &script.statements);
    let mut found = Vec::new();
    let mut told: Vec<(String, Going)> = Vec::new();
    for (index, statement) in contract.statements.iter().enumerate() {
        for gone in statement.gone().filter(|gone| gone.verb == Verb::Drop) {
            let Some(column) = &gone.column else {
                continue;
            };
            let earlier = contract.statements.get(..=index).unwrap_or_default();
            for key in going(scripts, contract, &gone, column) {
                let is_told = told.contains(&(gone.table.clone(), key.clone()));
                // Its expand may have put another one in its place.
                let mut scripts_so_far = [expand, earlier].into_iter();
                let is_gone = scripts_so_far.any(|all| is_dropped(scripts.dialect, all, &key));
                if !is_told && !is_gone {
                    found.push((
                        Step::Contract,
                        finding(scripts.dialect, statement, &gone, &key),
                    ));
                    told.push((gone.table.clone(), key));
                }
            }
        }
    }
    found
}

/// What holds for several columns at once.
#[derive(Clone, PartialEq, Eq)]
struct Going {
    what: &'static str,
    name: Option<String>,
    /// What it is called, by whoever made it or by the database.
    called: Option<String>,
    columns: Vec<String>,
}

/// What is over the column and over others that stay, as earlier migrations leave the table.
fn going(scripts: &Scripts<'_>, contract: &Script, gone: &Gone, column: &str) -> Vec<Going> {
    let dialect = scripts.dialect;
    let same = |one: &str, other: &str| dialect.may_be_same_name(one, other);
    let Some(table) = later::table(scripts.before(), dialect, &gone.table) else {
        return Vec::new();
    };
    let goes = |name: &str| {
        let mut all = contract.statements.iter().flat_map(Statement::gone);
        all.any(|one| {
            one.verb == Verb::Drop
                && same(&one.table, &gone.table)
                && one.column.as_ref().is_some_and(|one| same(one, name))
        })
    };
    let is_going = |columns: &[String], includes: &[String]| {
        let mut all = columns.iter().chain(includes);
        all.any(|one| same(one, column)) && columns.iter().any(|one| !goes(one))
    };
    let indexes = table.indexes.iter().filter(|index| index.is_unique);
    let indexes = indexes.filter(|index| is_going(&index.columns, &index.includes));
    let indexes = indexes.map(|index| Going {
        what: "unique index",
        name: index.name.clone(),
        called: index.called(dialect, &gone.table),
        columns: index.columns.clone(),
    });
    // The others refuse to drop a column that a constraint of the table names.
    let constraints = table.constraints.iter();
    let constraints =
        constraints.filter(|one| dialect == Dialect::Postgres && is_going(&one.columns, &[]));
    let constraints = constraints.map(|one| Going {
        what: match one.rule {
            ConstraintRule::Check => "CHECK",
            ConstraintRule::ForeignKey => "foreign key",
        },
        name: one.name.clone(),
        called: one.name.clone(),
        columns: one.columns.clone(),
    });
    indexes.chain(constraints).collect()
}

/// Whether one of these statements drops it by its name, as far as the name is known.
fn is_dropped(dialect: Dialect, statements: &[Statement], going: &Going) -> bool {
    let Some(name) = &going.called else {
        return false;
    };
    let mut objects = statements.iter().flat_map(Statement::objects);
    objects.any(|object| {
        matches!(object.kind, ObjectKind::Index | ObjectKind::Constraint)
            && object.verb == Verb::Drop
            && dialect.may_be_same_name(&object.name, name)
    })
}

fn finding(dialect: Dialect, statement: &Statement, gone: &Gone, going: &Going) -> Finding {
    let stays: Vec<&str> = {
        let all = going.columns.iter().map(String::as_str);
        let column = gone.column.as_deref().unwrap_or_default();
        all.filter(|one| !dialect.may_be_same_name(one, column))
            .collect()
    };
    let name = match &going.name {
        Some(name) => format!("the {} `{name}`", going.what),
        None => format!("a {}", going.what),
    };
    let happens = match dialect {
        Dialect::Postgres => {
            "goes with it: from then on rows are let in that live versions were refused"
        }
        Dialect::Mysql => {
            "is over it as well: MariaDB refuses this, and MySQL makes it an index over the others alone"
        }
        Dialect::Sqlite => "is over it as well: SQLite refuses this",
    };
    Finding::new(
        "takes-too-much",
        first_line(statement),
        format!(
            "this takes away {}, and {name} of `{}`, which is about {} too, {happens}",
            takes::shown(gone),
            gone.table,
            quoted(&stays)
        ),
        match going.what {
            "unique index" => {
                "where the other columns have to stay unique, build what takes its place in an expand that comes before this contract; then, or where \
                 nobody counts on it any more, drop it by its name above this statement"
            }
            _ => {
                "add what takes its place for the other columns in this script; then, or where nobody counts on it any more, drop it by its name above \
                 this statement"
            }
        },
    )
}

fn quoted(names: &[&str]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    names.join(", ")
}
