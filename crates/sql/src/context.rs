//! What a script as a whole knows: a change to something it made itself cannot be noticed by old code.

use super::carried::{Code, Said, has_code_of_its_own};
use super::facts::{Facts, Refusal, Subject};
use super::joined::Joined;
use super::{Dialect, Effect, Losing, Mode, Object, ObjectKind, Verb};

mod names;

use names::{Names, same_option};

/// What a statement does in the light of those before and after it.
pub(super) struct InContext {
    pub effect: Effect,
    pub hazard: Option<String>,
    pub loses: Option<Losing>,
}

/// What each statement does, in the light of the others.
pub(super) fn in_context(
    dialect: Dialect,
    mode: Mode,
    facts: &[Facts],
    texts: &[&str],
) -> Vec<InContext> {
    let has_own_code = has_code_of_its_own(facts, texts);
    let mut code = Code::default();
    let mut names = Names {
        dialect,
        new: Vec::new(),
        vacated: Vec::new(),
        own_views: Vec::new(),
        parts: Vec::new(),
        left_null: Vec::new(),
        left_apart: Vec::new(),
        filled: filled(facts),
        has_code: makes_code(facts),
    };
    facts
        .iter()
        .enumerate()
        .map(|(index, fact)| {
            let later = facts.get(index + 1..).unwrap_or_default();
            let is_new = (names.are_new(&fact.subjects) && !names.writes_through(fact))
                || names.are_new(&fact.only_columns);
            let earlier = facts.get(..index).unwrap_or_default();
            let replaced = || replaced(dialect, fact, earlier);
            names.note_null(fact);
            let asks = names.asks(fact);
            let instead = || instead(dialect, fact, earlier);
            let runs = fact.runs.as_ref();
            let refused = refused(dialect, fact, facts);
            let own = match refused.clone().or_else(replaced).or_else(instead) {
                Some(why) if fact.effect == Effect::Additive => Effect::Destructive { why },
                _ => match runs.filter(|_| !names.are_new(&fact.subjects)) {
                    Some(function) => Effect::Unknown {
                        why: format!("calls `{function}`, which may do anything"),
                    },
                    None => fact.effect.clone(),
                },
            };
            let own = match own {
                Effect::Unknown { .. }
                    if fact.sequence.as_ref().is_some_and(|of| names.numbers(of)) =>
                {
                    Effect::Data
                }
                own => own,
            };
            let own = asked(own, asks);
            let own = asked(own, strict_type(dialect, fact, earlier));
            let effect = match &own {
                Effect::Destructive { .. } if is_new => Effect::Additive,
                Effect::Destructive { .. } if recreated(dialect, mode, fact, later) => {
                    Effect::Additive
                }
                effect => effect.clone(),
            };
            let said = texts
                .get(index)
                .filter(|_| has_own_code)
                .map(|text| Said::read(dialect, text));
            let run = said.as_ref().and_then(|said| {
                code.run_by(said, &|schema, table, column| {
                    names.owns(schema, table, column)
                })
            });
            let effect = match (effect, run) {
                (Effect::Additive | Effect::Data, Some(why)) => Effect::Unknown { why },
                (effect, _) => effect,
            };
            let joined = texts
                .get(index)
                .filter(|_| fact.joins_existing)
                .and_then(|text| Joined::read(dialect, text));
            let effect = match (effect, &joined) {
                (Effect::Additive, Some(joined)) => names
                    .joins(joined, earlier, texts)
                    .map_or(Effect::Additive, |why| Effect::Destructive { why }),
                (effect, _) => effect,
            };
            if let Some(said) = said {
                code.note(fact, said);
            }
            if fact.moves_names {
                names.new.retain(|subject| subject.schema.is_some());
            }
            let joins_own = joined
                .as_ref()
                .is_some_and(|joined| names.note_part(joined));
            let has_own_rows = joins_own || !fact.joins_existing;
            for object in fact.objects.iter().filter(|_| has_own_rows) {
                names.note(object);
            }
            if let Some(joined) = joined.filter(|_| !joins_own) {
                names.vacate_whole(joined.child.subject(ObjectKind::Table));
            }
            names.note_view(fact);
            // In a contract as well, where taking away is nothing to ask about.
            let hazard = fact.hazard.clone().or(refused).filter(|_| !is_new);
            let loses = fact.losing().filter(|_| !is_new);
            InContext {
                effect,
                hazard,
                loses,
            }
        })
        .collect()
}

/// The effect of a statement that also asks this of rows of old versions.
fn asked(own: Effect, asks: Option<String>) -> Effect {
    match (own, asks) {
        (Effect::Additive | Effect::Data, Some(why)) => Effect::Destructive { why },
        (Effect::Destructive { why }, Some(more)) => Effect::Destructive {
            why: format!("{why}; {more}"),
        },
        (own, _) => own,
    }
}

/// Why rows of old versions do not satisfy the type of a column that is added: one that the script made.
fn strict_type(dialect: Dialect, fact: &Facts, earlier: &[Facts]) -> Option<String> {
    let made = earlier.iter().filter_map(|fact| fact.strict_type.as_ref());
    let is_used = |made: &&String| fact.types.iter().any(|used| dialect.same_name(used, made));
    let name = made.into_iter().find(is_used)?;
    Some(format!(
        "adds a column of the type `{name}`, which takes no NULL, without a default: INSERTs of old versions would fail"
    ))
}

/// Whether a script makes code that may write any column when old versions write a row.
fn makes_code(facts: &[Facts]) -> bool {
    facts.iter().flat_map(|fact| &fact.objects).any(|object| {
        object.kind == ObjectKind::Trigger && matches!(object.verb, Verb::Create | Verb::Alter)
    })
}

/// The columns that get a default, or become NOT NULL, in another statement than the one that adds them.
fn filled(facts: &[Facts]) -> Vec<Subject> {
    let objects = facts
        .iter()
        .flat_map(|fact| fact.objects.iter().zip(std::iter::repeat(fact)));
    objects
        .filter(|(object, _)| object.kind == ObjectKind::Column && object.verb == Verb::Alter)
        // NULL is what it has anyway.
        .filter(|(object, fact)| {
            let is_it = |column: &Subject| {
                let name = column.name.split_once('.').map(|(_, name)| name);
                name == Some(&object.name)
            };
            !fact.nulled.iter().any(is_it)
        })
        .filter_map(|(object, _)| {
            Some(Subject {
                kind: ObjectKind::Column,
                schema: object.schema.clone(),
                name: format!("{}.{}", object.table.as_ref()?, object.name),
            })
        })
        .collect()
}

/// What the function of a trigger does to rows of old versions, where the script shows it.
fn refused(dialect: Dialect, trigger: &Facts, facts: &[Facts]) -> Option<String> {
    let calls = trigger.calls.as_ref()?;
    facts.iter().find_map(|function| {
        let what = match function.refusal? {
            Refusal::Raises => "may refuse rows that old versions write",
            Refusal::Ends => {
                "has a path to its end without RETURN, and each write that takes it fails"
            }
            Refusal::Drops if calls.before_row => {
                "returns NULL, so that rows of old versions are not written, without a word"
            }
            Refusal::Drops => return None,
        };
        let is_called = function.objects.iter().any(|object| {
            object.kind == ObjectKind::Function
                && object.verb == Verb::Create
                && dialect.same_name(&object.name, &calls.function)
        });
        is_called.then(|| format!("calls `{}`, which {what}", calls.function))
    })
}

/// Why an `OR REPLACE` may put another trigger in the place of one that was there before this script.
fn replaced(dialect: Dialect, trigger: &Facts, earlier: &[Facts]) -> Option<String> {
    let why = trigger.replaces.clone()?;
    let Some(made) = trigger.objects.first() else {
        return Some(why);
    };
    let mut before = earlier.iter().flat_map(|fact| &fact.objects);
    // `CREATE TRIGGER` fails where there is one, so that what is there is the script's own; after a `DROP` it is not new.
    let is_own = |object: &Object| object.verb == Verb::Create && !object.if_exists_or_not;
    let is_it = |object: &&Object| {
        object.kind == made.kind
            && dialect.same_name(&object.name, &made.name)
            && object.table.as_deref().is_none_or(|table| {
                same_option(dialect, Some(table), made.table.as_deref())
                    && same_option(dialect, object.schema.as_deref(), made.schema.as_deref())
            })
    };
    let first = before.find(is_it);
    (!first.is_some_and(is_own)).then_some(why)
}

/// Why a trigger may do something else with rows that old versions write by a view; one that the script itself makes
/// takes the place of something that they could not have written otherwise.
fn instead(dialect: Dialect, trigger: &Facts, earlier: &[Facts]) -> Option<String> {
    let view = trigger.instead_of.as_ref()?;
    let makes = |object: &Object| {
        matches!(object.kind, ObjectKind::View)
            && object.verb == Verb::Create
            && !object.if_exists_or_not
            && dialect.same_name(&object.name, &view.name)
            && same_option(dialect, object.schema.as_deref(), view.schema.as_deref())
    };
    let is_own = earlier.iter().flat_map(|fact| &fact.objects).any(makes);
    (!is_own).then(|| {
        format!(
            "takes over what old versions write to the view `{}`",
            view.name
        )
    })
}

/// `DROP TRIGGER IF EXISTS x; CREATE TRIGGER x …` replaces `x` at one moment: inside a transaction nobody sees
/// it missing. The same for functions that only triggers can call; with any other function, old versions may
/// call it and get something else.
fn recreated(dialect: Dialect, mode: Mode, drop: &Facts, later: &[Facts]) -> bool {
    mode == Mode::Transactional
        && !drop.cascade
        && !drop.objects.is_empty()
        && drop.objects.iter().all(|gone| {
            gone.verb == Verb::Drop
                && later.iter().any(|fact| {
                    let fitting = match gone.kind {
                        ObjectKind::Trigger => true,
                        ObjectKind::Function => fact.trigger_function,
                        _ => false,
                    };
                    fitting && fact.objects.iter().any(|made| is_same(dialect, gone, made))
                })
        })
}

fn is_same(dialect: Dialect, gone: &Object, made: &Object) -> bool {
    made.verb == Verb::Create
        && made.kind == gone.kind
        && dialect.same_name(&made.name, &gone.name)
        && same_option(dialect, made.schema.as_deref(), gone.schema.as_deref())
        // SQLite's DROP TRIGGER does not name the table.
        && gone.table.as_deref().is_none_or(|table| {
            same_option(dialect, Some(table), made.table.as_deref())
        })
}
