//! What others call by its name, and that a contract or a revert takes away or calls otherwise: views, functions, types,
//! triggers, indexes, extensions, publications. Of those that are the migration's own some file of it speaks.

use crate::model::{Format, Step};
use crate::sql::{Dependent, Dependents, Object, ObjectKind, Runs, Script, Statement, Verb};

use super::super::later;
use super::again::{self, Again, Thing};
use super::spoken::{
    is_about, names_in, names_of, own_names, said, tables_of, tells_what_it_is_about,
};
use super::{Scripts, narrows};

/// What has no object of its own here; the name stands behind these words.
const UNLISTED: &[&[&str]] = &[
    &["event", "trigger"],
    &["event"],
    &["publication"],
    &["extension"],
    &["trigger"],
    &["policy"],
    &["rule"],
    &["collation"],
    &["conversion"],
    &["language"],
    &["access", "method"],
    &["text", "search"],
];

/// Whether a statement of these words takes such a thing away, or gives it another name or schema.
pub(super) fn is_taken(words: &[&str]) -> bool {
    const LISTED: &[&str] = &[
        "view",
        "materialized",
        "function",
        "procedure",
        "routine",
        "aggregate",
        "type",
        "domain",
    ];
    let Some((verb, rest)) = words.split_first() else {
        return false;
    };
    let kind = rest.first().copied().unwrap_or_default();
    let is_unlisted = UNLISTED.iter().any(|words| rest.starts_with(words));
    match *verb {
        "drop" => {
            LISTED.contains(&kind) || is_unlisted || matches!(kind, "index" | "operator" | "cast")
        }
        "alter" => {
            (LISTED.contains(&kind) || is_unlisted || kind == "sequence")
                // An attribute of a type, or a column of a view, as well.
                && rest
                    .windows(2)
                    .any(|pair| matches!(pair, ["rename", _] | ["set", "schema"]))
        }
        _ => false,
    }
}

/// Whether nothing else in the migration speaks of it, and, as far as the project tells, it names nothing that the migration
/// makes or takes away.
pub(super) fn is_of_others(
    scripts: &Scripts<'_>,
    step: Step,
    index: usize,
    words: &[&str],
) -> bool {
    let Some(script) = scripts.script(step) else {
        return false;
    };
    let Some(statement) = script.statements.get(index) else {
        return false;
    };
    if !is_asked(scripts, step) {
        return false;
    }
    let things = things(statement, words);
    // Of an operator or a cast nothing is known but its types.
    let is_nameless = things.is_empty();
    if is_nameless {
        return !takes_something(script) && !undoes(scripts, words);
    }
    things.iter().any(|thing| {
        let again = again::made(script, index, thing);
        match again.map(|(_, made)| again::compared(scripts, script, thing, made)) {
            Some(Again::Fits) => return false,
            Some(Again::Differs) => return true,
            Some(Again::Untold) | None => {}
        }
        // That the script makes another one of the name says nothing of the one that was there.
        let skipped = [Some(index), again.map(|(at, _)| at)];
        let others = script.statements.iter().enumerate();
        let mut others = others.filter(|(other, _)| !skipped.contains(&Some(*other)));
        let is_said = |text: &str| {
            let mut names = thing.names.iter();
            names.any(|name| scripts.dialect.mentions(text, name))
        };
        !others.any(|(_, other)| is_said(&other.text))
            && !said(scripts).any(is_said)
            && !is_needed(scripts, (step, script), &skipped, thing)
    })
}

fn things<'s>(statement: &'s Statement, words: &[&'s str]) -> Vec<Thing<'s>> {
    let listed = statement.objects().map(|object| Thing {
        kind: Some(object.kind),
        names: std::iter::once(object.name.as_str())
            .chain(object.renamed_to.as_deref())
            .collect(),
        table: object.table.as_deref(),
    });
    let listed: Vec<Thing<'s>> = listed.collect();
    if !listed.is_empty() {
        return listed;
    }
    let rest = words.get(1..).unwrap_or_default();
    let Some(kind) = UNLISTED.iter().find(|words| rest.starts_with(words)) else {
        return Vec::new();
    };
    let rest = rest.get(kind.len()..).unwrap_or_default();
    let rest = rest.strip_prefix(&["if", "exists"]).unwrap_or(rest);
    let behind = |word: &str| {
        let at = rest.iter().position(|found| *found == word)?;
        rest.get(at + 1).copied()
    };
    let thing = Thing {
        kind: (*kind == ["trigger"]).then_some(ObjectKind::Trigger),
        names: rest
            .first()
            .copied()
            .into_iter()
            .chain(behind("to"))
            .collect(),
        table: behind("on"),
    };
    vec![thing]
}

/// Whether the migration has files that would speak of what is its own.
fn is_asked(scripts: &Scripts<'_>, step: Step) -> bool {
    let expands = scripts
        .expand
        .is_some_and(|expand| !expand.statements.is_empty());
    let is_held_back = scripts
        .manifest
        .is_none_or(|manifest| manifest.declares(Format::Old).is_some());
    expands && (step == Step::Revert || tells_what_it_is_about(scripts) || !is_held_back)
}

/// Whether a script takes away a table or a column: what reads it has to go before.
fn takes_something(script: &Script) -> bool {
    let mut statements = script.statements.iter();
    statements.any(|statement| statement.gone().next().is_some())
}

/// Whether it is, or may be, in the way of what the migration takes away, or is replaced by something that the migration makes.
fn is_needed(
    scripts: &Scripts<'_>,
    (step, script): (Step, &Script),
    skipped: &[Option<usize>],
    thing: &Thing<'_>,
) -> bool {
    let dialect = scripts.dialect;
    if thing.kind == Some(ObjectKind::Index) {
        let name = thing.names.first().copied().unwrap_or_default();
        return narrows::may_drop_index(scripts, step, thing.table, name)
            .unwrap_or_else(|| takes_something(script));
    }
    let own: Vec<&str> = scripts
        .adds()
        .into_iter()
        .flat_map(names_of)
        .chain(
            scripts
                .adds()
                .into_iter()
                .chain([script])
                .flat_map(own_names),
        )
        .chain(tables_of(script))
        .chain(beside(script, skipped))
        .collect();
    if let Some(table) = thing.table {
        let is_own = |name: &&str| dialect.may_be_same_name(name, table);
        return own.iter().any(is_own) || said(scripts).any(|text| dialect.mentions(text, table));
    }
    let is_replaced = scripts.adds().is_some_and(|expand| {
        let mut objects = expand.statements.iter().flat_map(Statement::objects);
        objects.any(|object| {
            Some(object.kind) == thing.kind
                && object.verb == Verb::Create
                && object.kind != ObjectKind::Trigger
                && !drops(script, object)
        })
    });
    if is_replaced {
        return true;
    }
    let is_it = |one: &&Dependent| {
        Some(one.kind) == thing.kind
            && thing
                .names
                .first()
                .is_some_and(|name| dialect.may_be_same_name(&one.name, name))
    };
    let name = thing.names.first().copied().unwrap_or_default();
    let known = later::newest(scripts.before(), dialect, &[name], |script| {
        let made = Dependents::made_by(script);
        made.all.iter().find(is_it).cloned()
    });
    match known {
        // The database keeps it as long as a trigger calls it.
        Some(known) if known.runs == Runs::ByTriggers => true,
        Some(known) if known.kind == ObjectKind::View => {
            let text = format!("{} {}", known.header, known.body);
            is_about(scripts, script, &text, &own)
        }
        Some(known) => own.iter().any(|name| {
            let table = known.table.as_deref();
            table.is_some_and(|table| dialect.may_be_same_name(name, table))
                || dialect.mentions(&known.header, name)
                || dialect.mentions(&known.body, name)
        }),
        // Whether it reads what goes nobody can tell.
        None => takes_something(script),
    }
}

/// Whatever the other statements make, change or take away: what is read by what.
fn beside<'s>(script: &'s Script, skipped: &[Option<usize>]) -> impl Iterator<Item = &'s str> {
    let others = script.statements.iter().enumerate();
    let others = others.filter(move |(other, _)| !skipped.contains(&Some(*other)));
    others.flat_map(|(_, statement)| names_in(statement))
}

fn drops(script: &Script, made: &Object) -> bool {
    let mut objects = script.statements.iter().flat_map(Statement::objects);
    objects.any(|object| {
        object.kind == made.kind
            && object.verb == Verb::Drop
            && script.dialect.may_be_same_name(&object.name, &made.name)
    })
}

/// Whether expand.sql has made what has this description.
fn undoes(scripts: &Scripts<'_>, words: &[&str]) -> bool {
    let described = words.get(1..).unwrap_or_default();
    let described = described
        .iter()
        .filter(|word| !matches!(**word, "if" | "exists"));
    let described: Vec<&&str> = described.collect();
    let expand = scripts.adds().map_or(&[][..], |expand| &expand.statements);
    expand.iter().any(|statement| {
        let made = statement.words(scripts.dialect);
        made.first().is_some_and(|verb| verb == "create")
            && described
                .iter()
                .all(|word| made.iter().any(|made| made == **word))
    })
}
