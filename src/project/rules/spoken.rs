//! What the files of a migration speak of.

use crate::sql::{Object, ObjectKind, Script, Statement, Verb};

use super::Scripts;

/// What expand.sql, backfill.sql and the queries of the manifest say.
pub(super) fn said<'s>(scripts: &Scripts<'s>) -> impl Iterator<Item = &'s str> {
    let expand = scripts.adds().map_or(&[][..], |expand| &expand.statements);
    let backfill = scripts.backfill.map(|backfill| backfill.text.as_str());
    expand
        .iter()
        .map(|statement| statement.text.as_str())
        .chain(backfill)
        .chain(queries(scripts))
}

/// The same, file by file: what stands together is about the same things.
pub(super) fn texts<'s>(scripts: &Scripts<'s>) -> impl Iterator<Item = Vec<&'s str>> {
    let expand = scripts.adds().map_or(&[][..], |expand| &expand.statements);
    let expand = expand.iter().map(|statement| statement.text.as_str());
    let backfill = scripts
        .backfill
        .map(|backfill| vec![backfill.text.as_str()]);
    std::iter::once(expand.collect())
        .chain(backfill)
        .chain(queries(scripts).map(|query| vec![query]))
}

/// Whether something other than declarations tells what the migration is about: a backfill, or code.
pub(super) fn tells_what_it_is_about(scripts: &Scripts<'_>) -> bool {
    let expand = scripts.expand.map_or(&[][..], |expand| &expand.statements);
    scripts.backfill.is_some() || expand.iter().any(is_code)
}

/// Whether a statement is about code: a trigger, a function, a view.
pub(super) fn is_code(statement: &Statement) -> bool {
    statement.objects().any(|object| {
        matches!(
            object.kind,
            ObjectKind::Trigger | ObjectKind::Function | ObjectKind::View
        )
    })
}

/// The queries of the manifest.
pub(super) fn queries<'s>(scripts: &Scripts<'s>) -> impl Iterator<Item = &'s str> {
    let queries = scripts.manifest.into_iter().flat_map(|manifest| {
        let backfill = manifest.backfill.iter();
        let backfill =
            backfill.flat_map(|section| section.queries.iter().chain(&section.range_queries));
        let contract = manifest.contract.iter();
        backfill.chain(contract.flat_map(|section| &section.queries))
    });
    queries.map(|query| query.value.as_str())
}

/// Everything that a script names as what it makes or changes, with the tables of that.
pub(super) fn names_of(script: &Script) -> impl Iterator<Item = &str> {
    script.statements.iter().flat_map(names_in)
}

/// The same of one statement.
pub(super) fn names_in(statement: &Statement) -> impl Iterator<Item = &str> {
    statement.objects().flat_map(|object| {
        let table = object.table.as_deref();
        [Some(object.name.as_str()), table].into_iter().flatten()
    })
}

/// The tables and columns that a script makes, renames or takes away.
pub(super) fn own_names(script: &Script) -> impl Iterator<Item = &str> {
    let is_own = |object: &&Object| {
        matches!(object.kind, ObjectKind::Table | ObjectKind::Column) && object.verb != Verb::Alter
    };
    let objects = script.statements.iter().flat_map(Statement::objects);
    objects.filter(is_own).flat_map(|object| {
        let renamed = object.renamed_to.as_deref();
        [Some(object.name.as_str()), renamed].into_iter().flatten()
    })
}

/// The tables of the columns that a script takes away.
pub(super) fn tables_of(script: &Script) -> impl Iterator<Item = &str> {
    let objects = script.statements.iter().flat_map(Statement::objects);
    let gone = objects.filter(|object| {
        object.kind == ObjectKind::Column && matches!(object.verb, Verb::Drop | Verb::Rename)
    });
    gone.filter_map(|object| object.table.as_deref())
}

/// Tables that the migration only changes: they stay, and what names no more of it than such a table is about something else.
pub(super) fn stays(scripts: &Scripts<'_>, script: &Script, name: &str) -> bool {
    let all = scripts.adds().into_iter().chain([script]);
    let objects = all
        .flat_map(|script| &script.statements)
        .flat_map(Statement::objects);
    let mut is_table = false;
    for object in objects {
        let is = |other: &str| scripts.dialect.may_be_same_name(other, name);
        is_table |= object.table.as_deref().is_some_and(is);
        let is_it = is(&object.name) || object.renamed_to.as_deref().is_some_and(is);
        if !is_it {
            continue;
        }
        if object.kind != ObjectKind::Table || object.verb != Verb::Alter {
            return false;
        }
        is_table = true;
    }
    is_table
}

/// Whether a text is about one of these names, of which a table that stays tells only where all of its columns are meant.
pub(super) fn is_about(scripts: &Scripts<'_>, script: &Script, text: &str, own: &[&str]) -> bool {
    let dialect = scripts.dialect;
    let takes_all = dialect.copies_all(text);
    let mut named = own.iter().filter(|name| dialect.mentions(text, name));
    named.any(|name| takes_all || !stays(scripts, script, name))
}
