//! What a script takes away and makes anew under the same name: others find it, and it has to be what it was, but for the
//! formats of the migration.

use crate::sql::{Dialect, Object, ObjectKind, Script, Statement, Verb};

use super::super::later;
use super::Scripts;
use super::spoken::{is_about, names_of, own_names, tables_of};

/// A thing with its names: the one that it has, and the one that it gets.
pub(super) struct Thing<'s> {
    pub kind: Option<ObjectKind>,
    pub names: Vec<&'s str>,
    pub table: Option<&'s str>,
}

/// The statement that makes it anew, with its place.
pub(super) fn made<'s>(
    script: &'s Script,
    index: usize,
    thing: &Thing<'_>,
) -> Option<(usize, &'s Statement)> {
    let mut statements = script.statements.iter().enumerate();
    statements.find(|(at, one)| *at != index && makes(script.dialect, one, thing))
}

fn makes(dialect: Dialect, statement: &Statement, thing: &Thing<'_>) -> bool {
    let Some(name) = thing.names.first() else {
        return false;
    };
    let is_on = |object: &Object| match (&object.table, thing.table) {
        (Some(a), Some(b)) => dialect.may_be_same_name(a, b),
        _ => true,
    };
    statement.objects().any(|object| {
        Some(object.kind) == thing.kind
            && object.verb == Verb::Create
            && dialect.may_be_same_name(&object.name, name)
            && is_on(object)
    })
}

/// What is made in the place of something.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Again {
    /// What an earlier migration has made, or something about the formats of this one.
    Fits,
    /// Something else than what an earlier migration has made.
    Differs,
    /// No file tells what was there, or it is compared where it goes: an index.
    Untold,
}

pub(super) fn compared(
    scripts: &Scripts<'_>,
    script: &Script,
    thing: &Thing<'_>,
    made: &Statement,
) -> Again {
    if thing.kind == Some(ObjectKind::Index) {
        return Again::Untold;
    }
    let dialect = scripts.dialect;
    let expand = scripts.adds();
    let own = expand.into_iter().flat_map(names_of);
    let own = own.chain(expand.into_iter().chain([script]).flat_map(own_names));
    let own = own.chain(tables_of(script));
    let is_itself = |own: &&str| {
        let mut names = thing.names.iter();
        names.any(|name| dialect.may_be_same_name(name, own))
    };
    let own: Vec<&str> = own.filter(|name| !is_itself(name)).collect();
    // What code does to a table is seen by what calls it; of a view its columns tell.
    let is_about = |text: &str| match thing.kind {
        Some(ObjectKind::View | ObjectKind::MaterializedView) => {
            is_about(scripts, script, text, &own)
        }
        _ => own.iter().any(|name| dialect.mentions(text, name)),
    };
    let is_made_there = expand.is_some_and(|expand| {
        let mut statements = expand.statements.iter();
        statements.any(|one| makes(dialect, one, thing))
    });
    if is_made_there || is_about(&made.text) {
        return Again::Fits;
    }
    match before(scripts, thing) {
        Some(text) if dialect.says_the_same(&text, &made.text) || is_about(&text) => Again::Fits,
        Some(_) => Again::Differs,
        None => Again::Untold,
    }
}

/// The statement by which the newest of the earlier migrations makes it.
fn before(scripts: &Scripts<'_>, thing: &Thing<'_>) -> Option<String> {
    let dialect = scripts.dialect;
    later::newest(scripts.before(), dialect, thing.names.get(..1)?, |script| {
        let mut statements = script.statements.iter().rev();
        let made = statements.find(|one| makes(dialect, one, thing))?;
        Some(made.text.clone())
    })
}

/// Whether an earlier migration has made just this trigger, and this script does not make the function that it calls.
pub(super) fn is_known_trigger(
    scripts: &Scripts<'_>,
    script: &[Statement],
    trigger: &Statement,
) -> bool {
    let dialect = scripts.dialect;
    let Some(code) = trigger.code(dialect) else {
        return false;
    };
    let calls = code.calls.as_deref();
    let makes_function = script.iter().flat_map(Statement::objects).any(|object| {
        object.kind == ObjectKind::Function
            && object.verb == Verb::Create
            && calls.is_some_and(|calls| dialect.may_be_same_name(calls, &object.name))
    });
    let thing = Thing {
        kind: Some(ObjectKind::Trigger),
        names: vec![code.name.as_str()],
        table: code.table.as_deref(),
    };
    let text = before(scripts, &thing);
    !makes_function && text.is_some_and(|text| dialect.says_the_same(&text, &trigger.text))
}
