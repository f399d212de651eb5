//! What a migration keeps from its expand to its contract, as its own scripts tell.

use crate::model::{Keeps, Sync};
use crate::sql::{Dialect, Object, ObjectKind, Place, Statement, Verb};

use super::files::{Files, ScriptFile};

/// What scripts of somebody's own keep: with `sync` the columns that expand adds and contract drops, and the tables that expand
/// makes and fills by triggers; and a view of expand that the contract replaces.
pub(super) fn kept(sync: Sync, files: &Files, dialect: Dialect) -> Vec<(Place, Keeps)> {
    let objects = |file: &'_ Option<ScriptFile>| -> Vec<Object> {
        let statements = file.iter().flat_map(|file| &file.script.statements);
        statements.flat_map(Statement::objects).cloned().collect()
    };
    let (expand, contract) = (objects(&files.expand), objects(&files.contract));
    let mut keeps = Vec::new();
    if sync != Sync::None {
        let mut of_each: Vec<(Place, Vec<String>)> = Vec::new();
        let is_of =
            |verb| move |object: &&Object| object.kind == ObjectKind::Column && object.verb == verb;
        let added = expand.iter().filter(is_of(Verb::Create));
        for object in contract.iter().filter(is_of(Verb::Drop)).chain(added) {
            let Some(place) = object.place() else {
                continue;
            };
            match of_each.iter_mut().find(|(of, _)| *of == place) {
                Some((_, columns)) => columns.push(object.name.clone()),
                None => of_each.push((place, vec![object.name.clone()])),
            }
        }
        keeps.extend(of_each.into_iter().map(|(place, columns)| {
            let table = place.table.clone();
            (place, Keeps::Columns { table, columns })
        }));
        let tables = made_and_filled(files, &expand, dialect);
        keeps.extend(tables.map(|place| {
            let keeps = Keeps::Table(place.table.clone());
            (place, keeps)
        }));
    }
    let views = expand
        .iter()
        .filter(|object| object.kind == ObjectKind::View && object.verb == Verb::Create);
    for view in views {
        let place = contract.iter().find(|object| {
            let becomes = object.renamed_to.as_ref().unwrap_or(&object.name);
            object.kind == ObjectKind::Table && dialect.same_name(becomes, &view.name)
        });
        let places = place.into_iter().flat_map(|table| [table, view]);
        let places = places.filter_map(Object::place);
        keeps.extend(places.map(|place| (place, Keeps::View(view.name.clone()))));
    }
    keeps
}

/// The tables and views that there are by these statements.
pub(super) fn given(statements: &[Statement]) -> Vec<Place> {
    let relations = statements
        .iter()
        .flat_map(Statement::objects)
        .filter(|object| matches!(object.kind, ObjectKind::Table | ObjectKind::View));
    let given = relations.filter_map(|object| {
        let table = object.given_name()?.to_owned();
        let schema = object.schema.clone();
        Some(Place { schema, table })
    });
    given.collect()
}

/// The tables of expand that code of expand names: a trigger, or the function of one, carries rows there or back.
fn made_and_filled<'o>(
    files: &'o Files,
    expand: &'o [Object],
    dialect: Dialect,
) -> impl Iterator<Item = Place> + 'o {
    let statements = files.expand.iter().flat_map(|file| &file.script.statements);
    let is_code = |statement: &&Statement| {
        statement.objects().any(|object| {
            matches!(object.kind, ObjectKind::Trigger | ObjectKind::Function)
                && object.verb == Verb::Create
        })
    };
    let code: Vec<&str> = statements
        .filter(is_code)
        .map(|statement| statement.text.as_str())
        .collect();
    let made = expand
        .iter()
        .filter(|object| object.kind == ObjectKind::Table && object.verb == Verb::Create);
    made.filter(move |table| code.iter().any(|text| dialect.mentions(text, &table.name)))
        .filter_map(Object::place)
}
