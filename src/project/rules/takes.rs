//! A contract that takes away what it must not, and a revert that takes away the old format.

use crate::model::{Format, Step};
use crate::sql::{Dialect, Gone, Object, ObjectKind, Script, Statement, Verb};

use super::super::finding::Finding;
use super::super::scripts::first_line;
use super::Scripts;

pub(super) fn check(scripts: &Scripts<'_>) -> Vec<(Step, Finding)> {
    let mut found = Vec::new();
    for (step, index, statement) in scripts.statements() {
        let Some(script) = scripts.script(step) else {
            continue;
        };
        for gone in statement.gone() {
            // What the script has made itself concerns nobody, and what it gives back at the end is there: a rebuild.
            let before = script.statements.get(..index).unwrap_or_default();
            let mut after = script.statements.iter().skip(index);
            let is_back = after.any(|later| {
                let mut objects = later.objects();
                objects.any(|object| gone.is_back(scripts.dialect, object))
            });
            if makes(before, &gone, scripts.dialect) || is_back {
                continue;
            }
            let why = match step {
                Step::Contract => of_contract(scripts, &gone),
                Step::Revert => of_revert(scripts, &gone),
                Step::Expand | Step::Backfill => None,
            };
            if let Some((why, help)) = why {
                let verb = match gone.verb {
                    Verb::Rename => "renames",
                    _ => "takes away",
                };
                let message = format!("this {verb} {}, {why}", shown(&gone));
                let finding = Finding::new("takes-too-much", first_line(statement), message, help);
                found.push((step, finding.excusable(index)));
            }
        }
    }
    found
}

fn shown(gone: &Gone) -> String {
    match &gone.column {
        Some(column) => format!("the column `{column}` of `{}`", gone.table),
        None => format!("the table `{}`", gone.table),
    }
}

fn of_contract(scripts: &Scripts<'_>, gone: &Gone) -> Option<(String, String)> {
    const OTHER: &str = "name what belongs to the old format";
    let dialect = scripts.dialect;
    let why = |why: &str| Some((why.to_owned(), OTHER.to_owned()));
    let expand = scripts.expand.map_or(&[][..], |script| &script.statements);
    // A table that it makes may be one that only helps; one that is filled is told of below.
    if gone.column.is_some() && makes(expand, gone, dialect) {
        return why("which expand.sql adds: it is the new format");
    }
    let filled = scripts
        .backfill
        .and_then(|backfill| dialect.filled(&backfill.text));
    if let Some((table, columns)) = &filled
        && dialect.may_be_same_name(table, &gone.table)
    {
        let is_filled = |column: &String| {
            columns
                .iter()
                .any(|filled| dialect.may_be_same_name(filled, column))
        };
        match &gone.column {
            None if gone.verb == Verb::Drop => {
                return why("which backfill.sql fills: the new format goes with it");
            }
            Some(column) if is_filled(column) => {
                return why("which backfill.sql fills: it is the new format");
            }
            _ => {}
        }
    }
    if gone.column.is_none() && makes(expand, gone, dialect) {
        return None;
    }
    if gone.column.is_none() && gone.verb == Verb::Drop && adds_to(expand, gone, dialect) {
        return why("to which expand.sql adds a column: the new format goes with it");
    }
    let manifest = scripts.manifest?;
    if manifest.declares(Format::Old).is_none() {
        return Some((
            "and no version is declared to use it: no live version will hold this back".to_owned(),
            "declare `old` under `[services.NAME]`, for example `old = \"<1.2.0\"`".to_owned(),
        ));
    }
    (manifest.declares(Format::New).is_some() && !is_named_elsewhere(scripts, gone)).then(|| {
        (
            "which nothing else in this migration names: neither expand.sql nor backfill.sql carries it over".to_owned(),
            OTHER.to_owned(),
        )
    })
}

/// What the contract takes away is the old format, which is all that a revert leaves.
fn of_revert(scripts: &Scripts<'_>, gone: &Gone) -> Option<(String, String)> {
    let dialect = scripts.dialect;
    let expand = scripts.expand?;
    if gone.verb != Verb::Drop || makes(&expand.statements, gone, dialect) {
        return None;
    }
    let is_same = |old: &Gone| {
        dialect.may_be_same_name(&old.table, &gone.table)
            && match (&old.column, &gone.column) {
                (Some(old), Some(gone)) => dialect.may_be_same_name(old, gone),
                (_, None) => true,
                (None, Some(_)) => false,
            }
    };
    let mut old = scripts
        .contract?
        .statements
        .iter()
        .flat_map(Statement::gone);
    old.any(|old| is_same(&old)).then(|| {
        (
            "which belongs to the old format, as contract.sql says: nothing would be left"
                .to_owned(),
            "name what expand.sql adds".to_owned(),
        )
    })
}

/// Whether these statements make what goes, or its table.
fn makes(statements: &[Statement], gone: &Gone, dialect: Dialect) -> bool {
    let is = |name: &str, wanted: &str| dialect.may_be_same_name(name, wanted);
    let makes = |object: &Object| match (object.kind, &gone.column) {
        (ObjectKind::Table, _) => match object.verb {
            Verb::Create => !object.if_exists_or_not && is(&object.name, &gone.table),
            Verb::Rename => object
                .renamed_to
                .as_deref()
                .is_some_and(|name| is(name, &gone.table)),
            Verb::Drop | Verb::Alter => false,
        },
        (ObjectKind::Column, Some(column)) => {
            let table = object.table.as_deref().unwrap_or_default();
            object.verb == Verb::Create && is(&object.name, column) && is(table, &gone.table)
        }
        _ => false,
    };
    statements.iter().flat_map(Statement::objects).any(makes)
}

/// Whether these statements add a column to the table.
fn adds_to(statements: &[Statement], gone: &Gone, dialect: Dialect) -> bool {
    statements
        .iter()
        .flat_map(Statement::objects)
        .any(|object| {
            object.kind == ObjectKind::Column
                && object.verb == Verb::Create
                && object
                    .table
                    .as_deref()
                    .is_some_and(|table| dialect.may_be_same_name(table, &gone.table))
        })
}

/// Whether another file of the migration names it. Without a backfill or a trigger nothing has to.
fn is_named_elsewhere(scripts: &Scripts<'_>, gone: &Gone) -> bool {
    let dialect = scripts.dialect;
    let name = gone.column.as_ref().unwrap_or(&gone.table);
    let code = |script: &Script| {
        script.statements.iter().any(|statement| {
            statement.objects().any(|object| {
                matches!(
                    object.kind,
                    ObjectKind::Trigger | ObjectKind::Function | ObjectKind::View
                )
            })
        })
    };
    if scripts.backfill.is_none() && !scripts.expand.is_some_and(code) {
        return true;
    }
    let backfill = scripts.backfill.map(|backfill| backfill.text.as_str());
    let expand = scripts
        .expand
        .into_iter()
        .flat_map(|script| &script.statements);
    let queries = scripts.manifest.into_iter().flat_map(|manifest| {
        let backfill = manifest.backfill.iter();
        let backfill =
            backfill.flat_map(|section| section.queries.iter().chain(&section.range_queries));
        let contract = manifest.contract.iter();
        backfill.chain(contract.flat_map(|section| &section.queries))
    });
    let texts = backfill
        .into_iter()
        .chain(expand.map(|statement| statement.text.as_str()))
        .chain(queries.map(|query| query.value.as_str()));
    let mut texts = texts.into_iter();
    texts.any(|text| dialect.mentions(text, name))
}
