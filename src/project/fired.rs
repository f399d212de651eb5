//! What runs by a trigger: on PostgreSQL that stands in the function that it calls, and either may be of another migration.

use crate::sql::{Dependent, Dependents, Dialect, ObjectKind, Place, Runs, Script};

use super::later::{self, Forward};

/// Code of a script whose other half is in an earlier one.
#[derive(Debug)]
pub(super) enum Apart {
    /// A trigger whose function was there before.
    Trigger {
        place: Place,
        name: String,
        text: String,
        calls: String,
    },
    /// A function that triggers may call already.
    Function { name: String, text: String },
}

fn is_trigger(one: &&Dependent) -> bool {
    one.kind == ObjectKind::Trigger
}

/// The code of this script that runs by a trigger that it makes on this table.
pub(super) fn code_in(script: &Script, place: &Place, trigger: &str) -> String {
    let dialect = script.dialect;
    let made = Dependents::made_by(script);
    let mut triggers = made.all.iter().filter(is_trigger);
    let found = triggers.find(|one| {
        let of = one.table.as_deref().map(Place::named);
        dialect.same_name(&one.name, trigger) && of.is_none_or(|of| of.may_be(place, dialect))
    });
    let texts = found.map(|one| made.texts_of(one)).unwrap_or_default();
    texts.iter().map(|text| format!("\n{text}")).collect()
}

/// The triggers of this script whose functions it does not make, and the functions that none of its triggers calls.
pub(super) fn apart(script: &Script) -> Vec<Apart> {
    let dialect = script.dialect;
    if dialect != Dialect::Postgres {
        return Vec::new();
    }
    let made = Dependents::made_by(script);
    let calls = |trigger: &Dependent, function: &Dependent| {
        let calls = trigger.calls.as_deref();
        calls.is_some_and(|calls| dialect.may_be_same_name(calls, &function.name))
    };
    let is_function =
        |one: &&Dependent| one.kind == ObjectKind::Function && one.runs == Runs::ByTriggers;
    let all = || made.all.iter();
    let triggers = all().filter(is_trigger).filter_map(|one| {
        let is_whole = all()
            .filter(is_function)
            .any(|function| calls(one, function));
        let called = one.calls.clone().filter(|_| !is_whole)?;
        Some(Apart::Trigger {
            place: Place::named(one.table.as_deref()?),
            name: one.name.clone(),
            text: one.header.clone(),
            calls: called,
        })
    });
    let functions = all().filter(is_function).filter_map(|one| {
        let is_called = all().filter(is_trigger).any(|trigger| calls(trigger, one));
        (!is_called).then(|| Apart::Function {
            name: one.name.clone(),
            text: one.body.clone(),
        })
    });
    triggers.chain(functions).collect()
}

/// The table that it runs for, the trigger by which it does, and its text; `None` where the migrations before do not tell.
pub(super) fn put_together(
    before: &[Forward],
    dialect: Dialect,
    apart: &Apart,
) -> Option<(Place, String, String)> {
    match apart {
        Apart::Trigger {
            place,
            name,
            text,
            calls,
        } => {
            let made = later::code_with(before, dialect, calls)?;
            let functions = made.all.iter().filter(|one| {
                one.kind == ObjectKind::Function && dialect.may_be_same_name(&one.name, calls)
            });
            let mut text = text.clone();
            for function in functions {
                text.push('\n');
                text.push_str(&function.body);
            }
            Some((place.clone(), name.clone(), text))
        }
        Apart::Function { name, text } => {
            let trigger = later::newest(before, dialect, &[name, "trigger"], |script| {
                let made = Dependents::made_by(script);
                let mut triggers = made.all.into_iter().filter(|one| is_trigger(&one));
                triggers.find(|one| {
                    let calls = one.calls.as_deref();
                    calls.is_some_and(|calls| dialect.may_be_same_name(calls, name))
                })
            })?;
            let place = Place::named(trigger.table.as_deref()?);
            Some((place, trigger.name, text.clone()))
        }
    }
}
