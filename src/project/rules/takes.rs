//! A contract that takes away what it must not, and a revert that takes away the old format.

use crate::model::{Format, Step};
use crate::sql::{Dialect, Effect, Gone, Met, Object, ObjectKind, Script, Source, Statement, Verb};

use super::super::finding::{Finding, first_line};
use super::super::later;
use super::{Scripts, spoken};

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
            if makes(before, &gone, scripts.dialect) {
                continue;
            }
            // A column that is made again is empty.
            let is_emptied = is_back && gone.column.is_some() && !is_refilled(script, &gone);
            if is_back && !is_emptied {
                found.extend(forgotten(scripts, step, index, &gone));
                continue;
            }
            let why = match step {
                Step::Contract => of_contract(scripts, statement, &gone),
                Step::Revert => of_revert(scripts, &gone),
                Step::Expand | Step::Backfill => None,
            };
            let why = why.or_else(|| of_later(scripts, step, &gone).filter(|_| !is_back));
            if let Some((why, help)) = why {
                let verb = match (gone.verb, new_name(statement, &gone)) {
                    (Verb::Rename, Some(_)) => "renames",
                    (Verb::Rename, None) => "moves",
                    _ => "takes away",
                };
                let again = match is_emptied {
                    true => ", and what is made in its place has nothing of what was in it",
                    false => "",
                };
                let message = format!("this {verb} {}, {why}{again}", shown(&gone));
                let finding = Finding::new("takes-too-much", first_line(statement), message, help);
                found.push((step, finding.excusable(index)));
            }
        }
    }
    found
}

pub(super) fn shown(gone: &Gone) -> String {
    match &gone.column {
        Some(column) => format!("the column `{column}` of `{}`", gone.table),
        None => format!("the table `{}`", gone.table),
    }
}

/// The name that it has afterwards; None if it is gone, or in another schema.
fn new_name<'s>(statement: &'s Statement, gone: &Gone) -> Option<&'s str> {
    let mut objects = statement.objects();
    let renamed = objects.find(|object| {
        let (table, column) = match object.kind {
            ObjectKind::Column => (object.table.as_deref(), Some(&object.name)),
            _ => (Some(object.name.as_str()), None),
        };
        object.verb == Verb::Rename
            && table == Some(gone.table.as_str())
            && column == gone.column.as_ref()
    })?;
    renamed.renamed_to.as_deref()
}

/// Whether versions that use the new format find the table under its new name already, as a view of expand.sql.
fn is_known_by(expand: &[Statement], name: &str, dialect: Dialect) -> bool {
    let mut objects = expand.iter().flat_map(Statement::objects);
    objects.any(|object| {
        object.kind == ObjectKind::View
            && object.verb == Verb::Create
            && dialect.may_be_same_name(&object.name, name)
    })
}

pub(super) fn of_contract(
    scripts: &Scripts<'_>,
    statement: &Statement,
    gone: &Gone,
) -> Option<(String, String)> {
    const OTHER: &str = "name what belongs to the old format";
    let dialect = scripts.dialect;
    let why = |why: &str| Some((why.to_owned(), OTHER.to_owned()));
    let says = |script: Option<&Script>| {
        let mut statements = script.into_iter().flat_map(|script| &script.statements);
        statements.any(|statement| {
            let mut objects = statement.objects();
            objects.any(|object| object.verb == Verb::Create && gone.is_back(dialect, object))
        })
    };
    if says(scripts.expand) && !says(scripts.adds()) {
        return why(
            "which expand.sql makes only where it is missing, and an earlier migration has made: live versions use it",
        );
    }
    let expand = scripts.adds().map_or(&[][..], |script| &script.statements);
    // Under another name nobody finds it, unless that is the name by which the new format goes.
    let is_lost = gone.column.is_none()
        && new_name(statement, gone).is_none_or(|name| !is_known_by(expand, name, dialect));
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
            None if is_lost => {
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
    if is_lost && adds_to(expand, gone, dialect) {
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

/// Every expand may come before any contract: what a later migration names has to stay.
fn of_later(scripts: &Scripts<'_>, step: Step, gone: &Gone) -> Option<(String, String)> {
    let (path, met) = match step {
        Step::Contract => later::needs(scripts.later, scripts.dialect, gone)?,
        Step::Expand | Step::Backfill | Step::Revert => return None,
    };
    let path = path.display();
    Some(match met {
        Met::BackIfMissing => (
            format!(
                "which {path} makes again only where it is missing: where that runs first it finds this one, and what its versions write is gone with it"
            ),
            "leave IF NOT EXISTS away in the later migration, which then waits for this one; or use another name there"
                .to_owned(),
        ),
        Met::Named | Met::Back | Met::Not => (
            format!("which {path} names: it fails once this is gone"),
            "let the later migration do without it, or take it away in one that comes after that"
                .to_owned(),
        ),
    })
}

/// What the contract takes away is the old format, which is all that a revert leaves; and what was there before expand
/// is nothing that a revert takes back.
pub(super) fn of_revert(scripts: &Scripts<'_>, gone: &Gone) -> Option<(String, String)> {
    const OTHER: &str = "name what expand.sql adds";
    let dialect = scripts.dialect;
    let expand = scripts.adds()?;
    if makes(&expand.statements, gone, dialect) || may_make(expand, gone) {
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
    let contract = scripts
        .contract
        .map_or(&[][..], |script| &script.statements);
    let mut old = contract.iter().flat_map(Statement::gone);
    let why = if gone.verb == Verb::Drop && old.any(|old| is_same(&old)) {
        "which belongs to the old format, as contract.sql says: nothing would be left"
    } else {
        "which expand.sql does not add: it was there before, with what is in it"
    };
    Some((why.to_owned(), OTHER.to_owned()))
}

/// Whether a statement of expand.sql that cannot be read, or that makes several things, names it.
fn may_make(expand: &Script, gone: &Gone) -> bool {
    let name = gone.column.as_ref().unwrap_or(&gone.table);
    let may_hold = |statement: &Statement| {
        let makes_schema = |object: &Object| {
            matches!(object.kind, ObjectKind::Schema | ObjectKind::Extension)
                && object.verb == Verb::Create
        };
        matches!(statement.effect, Effect::Unknown { .. }) || statement.objects().any(makes_schema)
    };
    let mut statements = expand.statements.iter();
    statements.any(|statement| {
        let conditional = |object: &Object| {
            object.kind == ObjectKind::Table
                && object.verb == Verb::Create
                && expand.dialect.may_be_same_name(&object.name, &gone.table)
        };
        statement.objects().any(conditional)
            || may_hold(statement) && expand.dialect.mentions(&statement.text, name)
    })
}

/// Whether what takes the column's place has its values: another column gets its name, which this script has filled from
/// it; or the table as a whole is another one.
fn is_refilled(script: &Script, gone: &Gone) -> bool {
    let dialect = script.dialect;
    let back =
        |object: &&Object| object.kind == ObjectKind::Column && gone.is_back(dialect, object);
    let mut objects = script.statements.iter().flat_map(Statement::objects);
    let Some(back) = objects.find(back) else {
        return true;
    };
    back.verb == Verb::Rename
        && script.statements.iter().any(|statement| {
            let column = gone.column.as_deref().unwrap_or_default();
            dialect.writes_to(&statement.text, &gone.table)
                && dialect.mentions(&statement.text, column)
                && dialect.mentions(&statement.text, &back.name)
        })
}

/// A table that is built anew takes along the columns that the new table, or what is copied into it, leaves out.
fn forgotten(
    scripts: &Scripts<'_>,
    step: Step,
    index: usize,
    gone: &Gone,
) -> Option<(Step, Finding)> {
    let script = scripts.script(step)?;
    let statement = script.statements.get(index)?;
    let column = kept_columns(scripts, step, gone)
        .into_iter()
        .find(|column| !is_carried_over(script, gone, column))?;
    let (whose, file) = match step {
        Step::Revert => ("old", "contract.sql takes away"),
        _ => ("new", "expand.sql adds"),
    };
    let (made, help) = match other_name(script, &column) {
        Some(name) => (
            format!("has `{name}` in the place of the column `{column}`"),
            "let the column keep its name: whoever uses it looks for that",
        ),
        None => (
            format!("is made or filled without the column `{column}`"),
            "name it in the CREATE TABLE, and in the INSERT that fills it",
        ),
    };
    let finding = Finding::new(
        "takes-too-much",
        first_line(statement),
        format!(
            "the table that takes the place of `{}` {made}, which {file}: it is the {whose} format",
            gone.table
        ),
        help,
    );
    Some((step, finding.excusable(index)))
}

/// The name under which an INSERT of the script puts what is in the column.
fn other_name(script: &Script, column: &str) -> Option<String> {
    let dialect = script.dialect;
    script.statements.iter().find_map(|statement| {
        let fills = statement.fills(dialect)?;
        let mut pairs = fills.columns?.into_iter().zip(fills.from);
        let (name, _) = pairs.find(|(_, from)| {
            matches!(from, Source::Column(from) if dialect.may_be_same_name(from, column))
        })?;
        Some(name)
    })
}

/// The columns that a rebuilt table has to have, as far as the other scripts tell.
pub(super) fn kept_columns(scripts: &Scripts<'_>, step: Step, gone: &Gone) -> Vec<String> {
    let dialect = scripts.dialect;
    let (from, verb) = match step {
        Step::Contract => (scripts.expand, Verb::Create),
        Step::Revert => (scripts.contract, Verb::Drop),
        Step::Expand | Step::Backfill => (None, Verb::Create),
    };
    from.into_iter()
        .flat_map(|script| &script.statements)
        .flat_map(Statement::objects)
        .filter(|object| {
            let table = object.table.as_deref().unwrap_or_default();
            object.kind == ObjectKind::Column
                && object.verb == verb
                && dialect.may_be_same_name(table, &gone.table)
        })
        .map(|object| object.name.clone())
        .collect()
}

/// Whether the table that is renamed to the one that goes was made, and filled, with this column.
fn is_carried_over(script: &Script, gone: &Gone, column: &str) -> bool {
    let dialect = script.dialect;
    let objects = || script.statements.iter().flat_map(Statement::objects);
    let Some(name) = objects().find_map(|object| {
        let to = object.renamed_to.as_deref()?;
        let is_it = object.kind == ObjectKind::Table && dialect.may_be_same_name(to, &gone.table);
        is_it.then_some(&object.name)
    }) else {
        return true;
    };
    let makes = |statement: &Statement| {
        statement.objects().any(|object| {
            object.kind == ObjectKind::Table
                && object.verb == Verb::Create
                && dialect.may_be_same_name(&object.name, name)
        })
    };
    let fills =
        |statement: &Statement| !makes(statement) && dialect.writes_to(&statement.text, name);
    let has = |statement: &Statement| {
        dialect.mentions(&statement.text, column) || dialect.copies_all(&statement.text)
    };
    let with = |which: &dyn Fn(&Statement) -> bool| {
        let mut statements = script.statements.iter().filter(|one| which(one)).peekable();
        statements.peek().is_none() || statements.any(has)
    };
    with(&makes) && with(&fills)
}

/// Whether these statements make what goes, or its table.
pub(super) fn makes(statements: &[Statement], gone: &Gone, dialect: Dialect) -> bool {
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
            let name = match object.verb {
                Verb::Create => Some(&object.name),
                Verb::Rename => object.renamed_to.as_ref(),
                Verb::Drop | Verb::Alter => None,
            };
            is(table, &gone.table) && name.is_some_and(|name| is(name, column))
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
    if !spoken::tells_what_it_is_about(scripts) {
        return true;
    }
    let dialect = scripts.dialect;
    let says = |name: &str| spoken::said(scripts).any(|text| dialect.mentions(text, name));
    let elsewhere = gone.schema.as_deref().filter(|schema| match dialect {
        Dialect::Postgres => *schema != "public",
        Dialect::Mysql => true,
        Dialect::Sqlite => false,
    });
    if elsewhere.is_some_and(|schema| !says(schema)) {
        return false;
    }
    match &gone.column {
        // A column of another table may have that name as well.
        Some(column) => spoken::texts(scripts).any(|texts| {
            let says = |name: &str| texts.iter().any(|text| dialect.mentions(text, name));
            says(column) && says(&gone.table)
        }),
        None => says(&gone.table),
    }
}
