//! What expand.sql makes only where it is missing (IF NOT EXISTS), and an earlier migration has made: the statement makes
//! nothing, and what is there belongs to the versions that use it.

use crate::sql::{Object, ObjectKind, Script, Statement, Verb};

use super::super::later;
use super::Scripts;

/// expand.sql without what it finds there; `None` if, as far as the files tell, it finds nothing.
pub(super) fn without_what_was_there(scripts: &Scripts<'_>) -> Option<Script> {
    let expand = scripts.expand?;
    let finds = |statement: &Statement, object: &Object| {
        makes_if_missing(scripts, statement, object) && is_there(scripts, object)
    };
    let mut all = expand.statements.iter();
    if !all.any(|statement| statement.objects().any(|object| finds(statement, object))) {
        return None;
    }
    let mut made = expand.clone();
    made.statements.retain_mut(|statement| {
        let before = statement.objects().count();
        let left = statement
            .objects()
            .filter(|object| !finds(statement, object));
        let left: Vec<Object> = left.cloned().collect();
        if left.len() == before {
            return true;
        }
        let mut left = left.into_iter();
        statement.object = left.next();
        statement.more_objects = left.collect();
        statement.object.is_some()
    });
    Some(made)
}

fn makes_if_missing(scripts: &Scripts<'_>, statement: &Statement, object: &Object) -> bool {
    object.verb == Verb::Create
        && object.if_exists_or_not
        && !statement.says_or_replace(scripts.dialect)
}

/// Whether the migrations before this one leave something of this kind and name.
fn is_there(scripts: &Scripts<'_>, object: &Object) -> bool {
    let (before, dialect) = (scripts.before(), scripts.dialect);
    let is = |a: &str, b: &str| dialect.may_be_same_name(a, b);
    if object.kind == ObjectKind::Column {
        let table = object.table.as_deref();
        let table = table.and_then(|table| later::table(before, dialect, table));
        return table.is_some_and(|table| table.column(dialect, &object.name).is_some());
    }
    let is_on = |table: Option<&String>| match (table, &object.table) {
        (Some(a), Some(b)) => is(a, b),
        _ => true,
    };
    // Whether it is there afterwards; `None` if it has nothing to do with it.
    let leaves = |other: &Object| {
        let is_table = object.kind == ObjectKind::Table;
        if other.kind != object.kind {
            let on_it = other.table.as_deref().filter(|_| is_table);
            return on_it.filter(|table| is(table, &object.name)).map(|_| true);
        }
        let renamed = other.renamed_to.as_deref();
        if other.verb == Verb::Rename && renamed.is_some_and(|name| is(name, &object.name)) {
            return Some(true);
        }
        let is_it = is(&other.name, &object.name) && is_on(other.table.as_ref());
        is_it.then_some(matches!(other.verb, Verb::Create | Verb::Alter))
    };
    let left = later::newest(before, dialect, &[&object.name], |script| {
        let statements = script.statements.iter().rev();
        let mut objects = statements.flat_map(|statement| {
            let objects: Vec<&Object> = statement.objects().collect();
            objects.into_iter().rev()
        });
        objects.find_map(leaves)
    });
    left == Some(true)
}
