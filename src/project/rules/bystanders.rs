//! What a contract or a revert does beside what it is for: taking away a format of its own migration.

use crate::model::Step;
use crate::sql::{Effect, Object, ObjectKind, Script, Statement, Verb};

use super::super::finding::{Finding, first_line};
use super::spoken::{names_of, own_names, queries, said};
use super::{Scripts, again, named, narrows, refuses};

pub(super) fn check(scripts: &Scripts<'_>) -> Vec<(Step, Finding)> {
    let runs_code = "has other code run whenever live versions write a row of its table".to_owned();
    let mut found = Vec::new();
    for (step, index, statement) in scripts.statements() {
        let is_told = statement.hazard.is_some() || statement.loses.is_some();
        if is_told || !matches!(step, Step::Contract | Step::Revert) {
            continue;
        }
        let words = statement.words(scripts.dialect);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let why = match &statement.effect {
            Effect::Destructive { why } if is_never_asked(&words) => {
                (!is_undone(scripts, &words)).then_some(why)
            }
            // What a revert makes as it was before takes nothing from anybody.
            Effect::Destructive { .. }
                if step == Step::Revert && is_put_back(scripts, statement) =>
            {
                None
            }
            Effect::Destructive { why } if changes_others(&words) => {
                let is_of_others = is_about_others(scripts, step, statement)
                    || shows_something_else(scripts, step, statement);
                is_of_others.then_some(why)
            }
            Effect::Destructive { why } if named::is_taken(&words) => {
                named::is_of_others(scripts, step, index, &words).then_some(why)
            }
            Effect::Additive if is_trigger_of_others(scripts, step, index, statement) => {
                Some(&runs_code)
            }
            _ => None,
        };
        let why = why.cloned();
        let why = why.or_else(|| narrows::beyond_formats(scripts, step, statement));
        if let Some(why) = why {
            // An expand is asked for it as well.
            let help = match is_never_asked(&words) {
                true => format!(
                    "where it is meant, say why under `[[{}.allow]]`: it is asked for in every script",
                    step.name()
                ),
                false => "leave it to a migration whose expand.sql says so".to_owned(),
            };
            let finding = Finding::new(
                "takes-too-much",
                first_line(statement),
                format!("this {why}, and that belongs to no format of this migration"),
                help,
            );
            found.push((step, finding.excusable(index)));
        }
    }
    found
}

fn has(words: &[&str], wanted: &[&str]) -> bool {
    words.windows(wanted.len()).any(|found| found == wanted)
}

/// What takes away, or hides, more than a format: whatever table it is about.
fn is_never_asked(words: &[&str]) -> bool {
    const WHOLE: &[&str] = &[
        "database", "schema", "role", "user", "group", "owned", "server",
    ];
    match words {
        ["drop", "policy" | "rule", ..] => true,
        ["drop", kind, ..] => WHOLE.contains(kind),
        // Every name in it, or everybody who uses it.
        ["alter", kind, ..] if WHOLE.contains(kind) => true,
        ["revoke" | "reassign", ..] => true,
        // What statements of others become, and which rows they see.
        ["create", "rule" | "policy", ..] | ["create", "or", "replace", "rule", ..] => true,
        ["alter", "default", "privileges", ..] => true,
        ["alter", "type", ..] => has(words, &["rename", "value"]),
        ["alter", "table", ..] => [
            &["detach", "partition"][..],
            &["row", "level", "security"],
            &["set", "unlogged"],
            &["replica", "identity", "nothing"],
            &["owner", "to"],
        ]
        .iter()
        .any(|wanted| has(words, wanted)),
        _ => false,
    }
}

/// What is right for the tables of the migration alone.
fn changes_others(words: &[&str]) -> bool {
    // Who names a sequence in the database is looked up there before it goes.
    matches!(words, ["alter", "table", ..] | ["drop", "sequence", ..])
        || matches!(words, ["create", "or", "replace", kind, ..] if ["view", "function", "procedure"].contains(kind))
}

/// Whether expand.sql has made or granted just this: it takes back what is its own.
fn is_undone(scripts: &Scripts<'_>, words: &[&str]) -> bool {
    const FILLING: &[&str] = &[
        "alter",
        "drop",
        "revoke",
        "enable",
        "disable",
        "force",
        "no",
        "detach",
        "concurrently",
        "if",
        "exists",
        "from",
        "to",
        "only",
        "cascade",
        "restrict",
    ];
    let is_name = |word: &&&str| {
        word.starts_with(|c: char| c.is_alphabetic() || c == '_') && !FILLING.contains(*word)
    };
    let statements = scripts
        .adds()
        .into_iter()
        .flat_map(|expand| &expand.statements);
    statements.into_iter().any(|statement| {
        let made = statement.words(scripts.dialect);
        let verb = made.first().map(String::as_str);
        let is_opposite = match words.first() {
            Some(&"revoke") => verb == Some("grant"),
            Some(&"drop") => verb == Some("create"),
            _ => matches!(verb, Some("create" | "alter")),
        };
        is_opposite
            && words
                .iter()
                .filter(is_name)
                .all(|word| made.iter().any(|made| made == word))
    })
}

/// Whether the migration has nothing to do with what the statement changes, as far as its files tell.
fn is_about_others(scripts: &Scripts<'_>, step: Step, statement: &Statement) -> bool {
    let dialect = scripts.dialect;
    let is_told = |expand: &Script| !expand.statements.is_empty();
    if !scripts.expand.is_some_and(is_told) {
        return false;
    }
    if statement.objects().next().is_none() || statement.gone().next().is_some() {
        return false;
    }
    let script = scripts.script(step);
    let expand = scripts.adds().into_iter();
    let names = expand
        .flat_map(names_of)
        .chain(script.into_iter().flat_map(own_names))
        .collect::<Vec<_>>();
    if names
        .iter()
        .any(|name| dialect.mentions(&statement.text, name))
    {
        return false;
    }
    !said(scripts).any(|text| {
        statement.objects().any(|object| {
            let name = object.table.as_ref().unwrap_or(&object.name);
            dialect.mentions(text, name)
        })
    })
}

fn is_put_back(scripts: &Scripts<'_>, statement: &Statement) -> bool {
    statement.objects().any(|object| {
        object.kind == ObjectKind::Function && refuses::puts_back(scripts, statement, &object.name)
    })
}

/// Whether it puts another view in the place of one that an earlier migration made, which is about nothing of this one.
fn shows_something_else(scripts: &Scripts<'_>, step: Step, statement: &Statement) -> bool {
    let expands = scripts
        .expand
        .is_some_and(|expand| !expand.statements.is_empty());
    let Some(script) = scripts.script(step).filter(|_| expands) else {
        return false;
    };
    let mut views = statement.objects().filter(|object| {
        object.verb == Verb::Create
            && matches!(object.kind, ObjectKind::View | ObjectKind::MaterializedView)
    });
    views.any(|view| {
        let thing = again::Thing {
            kind: Some(view.kind),
            names: vec![view.name.as_str()],
            table: None,
        };
        again::compared(scripts, script, &thing, statement) == again::Again::Differs
    })
}

/// Whether it makes a trigger on a table that nothing else in the migration names, whose code names nothing of it either.
pub(super) fn is_trigger_of_others(
    scripts: &Scripts<'_>,
    step: Step,
    index: usize,
    statement: &Statement,
) -> bool {
    let dialect = scripts.dialect;
    let is_code =
        |object: &Object| matches!(object.kind, ObjectKind::Trigger | ObjectKind::Function);
    let made = statement
        .objects()
        .find(|object| object.kind == ObjectKind::Trigger && object.verb == Verb::Create);
    let Some(table) = made.and_then(|trigger| trigger.table.as_deref()) else {
        return false;
    };
    let script = scripts.script(step);
    let own = script.map_or(&[][..], |script| &script.statements);
    let others = own
        .iter()
        .enumerate()
        .filter(|(other, statement)| *other != index && !statement.objects().any(is_code))
        .map(|(_, statement)| statement.text.as_str());
    let expand = scripts.expand.filter(|_| step != Step::Expand);
    let expand = expand.map_or(&[][..], |expand| &expand.statements);
    let mut texts = others
        .chain(expand.iter().map(|one| one.text.as_str()))
        .chain(scripts.backfill.map(|backfill| backfill.text.as_str()))
        .chain(queries(scripts));
    if texts.any(|text| dialect.mentions(text, table)) {
        return false;
    }
    // It was there before, as it is.
    if again::is_known_trigger(scripts, own, statement) {
        return false;
    }
    // The code of it, and of the functions beside it.
    let code = own.iter().filter(|other| {
        std::ptr::eq(*other, statement)
            || other
                .objects()
                .any(|object| object.kind == ObjectKind::Function)
    });
    let code: Vec<&str> = code.map(|statement| statement.text.as_str()).collect();
    let names = scripts.expand.into_iter().chain(script).flat_map(own_names);
    let mut names = names.filter(|name| !dialect.may_be_same_name(name, table));
    !names.any(|name| code.iter().any(|text| dialect.mentions(text, name)))
}
