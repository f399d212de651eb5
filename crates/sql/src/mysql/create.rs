//! `CREATE …`

use super::super::facts::{Facts, Name, Needs, Query};
use super::super::lexeme::{self, Kind};
use super::super::{Effect, ObjectKind, Verb};
use super::cursor::Cursor;
use super::split::definer;
use super::write::{IGNORES, REPLACES, hazard_of_body};

pub(super) fn created(mut cursor: Cursor<'_>) -> Facts {
    let replaces = cursor.is_words(&["or", "replace"]);
    skip_to_kind(&mut cursor);
    match cursor.eat_any(&[
        "temporary",
        "table",
        "unique",
        "fulltext",
        "spatial",
        "vector",
        "index",
        "trigger",
        "view",
        "procedure",
        "function",
        "database",
        "schema",
        "sequence",
        "event",
        "user",
        "role",
    ]) {
        Some(word) => match word.to_ascii_lowercase().as_str() {
            "temporary" => {
                Facts::session("a temporary object, which lives as long as the connection")
            }
            "table" => table(cursor, replaces),
            "unique" => index(cursor, Uniqueness::Unique, replaces),
            "fulltext" | "spatial" | "vector" | "index" => index(cursor, Uniqueness::No, replaces),
            "trigger" => trigger(cursor, replaces),
            "view" => {
                let mut facts = named(cursor, ObjectKind::View, "view", replaces);
                facts.shows = shown(cursor);
                facts
            }
            "procedure" => named(cursor, ObjectKind::Function, "procedure", replaces),
            "function" => named(cursor, ObjectKind::Function, "function", replaces),
            "sequence" => named(cursor, ObjectKind::Sequence, "sequence", replaces),
            "event" => event(cursor, replaces),
            // What is found by its name alone.
            "user" | "role" if !replaces => Facts::additive(),
            "user" | "role" => Facts::unknown("may replace a role that old versions use"),
            _ => named(cursor, ObjectKind::Database, "database", replaces),
        },
        None => Facts::unknown("creates something that is not known here"),
    }
}

/// Past `OR REPLACE`, and past what a view or a routine says of its definer.
fn skip_to_kind(cursor: &mut Cursor<'_>) {
    if cursor.is_words(&["or", "replace"]) {
        cursor.skip(2);
    }
    if cursor.is_word("algorithm") {
        cursor.skip(3);
    }
    if cursor.is_word("definer") {
        cursor.skip(definer(cursor.text, cursor.tokens));
    }
    if cursor.is_words(&["sql", "security"]) {
        cursor.skip(3);
    }
    cursor.eat(&["aggregate"]);
}

fn named(mut cursor: Cursor<'_>, kind: ObjectKind, word: &str, replaces: bool) -> Facts {
    let conditional = cursor.eat_condition();
    let Some(name) = cursor.name() else {
        return Facts::unknown(format!("creates a {word} without a name"));
    };
    let facts = if replaces {
        Facts::destructive(format!(
            "replaces the {word} `{}`, which old versions may use",
            name.name
        ))
        .about(name.subject(kind))
    } else {
        Facts::additive()
    };
    facts.object(
        name.object(kind, Verb::Create)
            .conditional(conditional || replaces),
    )
}

fn table(mut cursor: Cursor<'_>, replaces: bool) -> Facts {
    let conditional = cursor.eat_condition();
    let Some(name) = cursor.name() else {
        return Facts::unknown("creates a table without a name");
    };
    let facts = if replaces {
        Facts::destructive(format!("replaces the table `{}` and its rows", name.name))
            .hazard(Some(
                "drops the table that is there with its rows (OR REPLACE)",
            ))
            .about(name.subject(ObjectKind::Table))
    } else {
        Facts::additive()
    };
    let object = name
        .object(ObjectKind::Table, Verb::Create)
        .conditional(conditional || replaces);
    let mut facts = facts;
    facts.joins_existing = has_rows_elsewhere(cursor);
    if !cursor.has_outer(&["select", "values", "table"]) {
        return facts.object(object);
    }
    let facts = match super::functions::problem(cursor.text, selection(cursor)) {
        Some(why) => Facts::unknown(why),
        None => facts,
    };
    let hazard = if cursor.has_outer(&["ignore"]) {
        Some(IGNORES)
    } else {
        cursor.has_outer(&["replace"]).then_some(REPLACES)
    };
    // A table that is there may not have its rows yet.
    facts
        .hazard(hazard)
        .object(object)
        .object(name.object(ObjectKind::Table, Verb::Alter))
}

/// `ENGINE=MERGE UNION=(users)`, and engines whose rows are on another server, or in another table of this one.
fn has_rows_elsewhere(cursor: Cursor<'_>) -> bool {
    const ENGINES: &[&str] = &[
        "merge",
        "mrg_myisam",
        "federated",
        "federatedx",
        "connect",
        "spider",
    ];
    cursor.tokens.windows(3).any(|part| match part {
        [engine, sign, name] if engine.is_word(cursor.text, "engine") => {
            let name = if sign.text(cursor.text) == "=" {
                name
            } else {
                sign
            };
            let name = name.text(cursor.text).trim_matches(['\'', '"', '`']);
            ENGINES.iter().any(|known| name.eq_ignore_ascii_case(known))
        }
        _ => false,
    })
}

/// The only relation whose rows a view shows.
fn shown(mut cursor: Cursor<'_>) -> Option<Name> {
    cursor.skip(lexeme::only_source(cursor.text, cursor.tokens)?);
    cursor.name()
}

/// The query of `CREATE TABLE … AS SELECT …`.
fn selection<'t>(cursor: Cursor<'t>) -> &'t [super::super::lexeme::Token] {
    let from = cursor
        .tokens
        .iter()
        .position(|token| token.is_word(cursor.text, "select"))
        .unwrap_or_default();
    cursor.tokens.get(from..).unwrap_or_default()
}

/// What runs on a schedule does what it does alone.
fn event(mut cursor: Cursor<'_>, replaces: bool) -> Facts {
    let text = cursor.text;
    let body = cursor
        .tokens
        .iter()
        .position(|token| token.is_word(text, "do"));
    cursor.skip(body.map_or(usize::MAX, |body| body + 1));
    if replaces || cursor.is_at_end() || cursor.is_word("begin") {
        return Facts::unknown("runs statements on a schedule that are not looked into here");
    }
    let mut body = super::classify(cursor);
    body.effect = match body.effect {
        Effect::Additive | Effect::Data => Effect::Additive,
        Effect::Destructive { why } => Effect::Destructive {
            why: format!("has an event that {why}"),
        },
        other => other,
    };
    body.objects.clear();
    body.query(Query::Other)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Uniqueness {
    Unique,
    No,
}

fn index(mut cursor: Cursor<'_>, unique: Uniqueness, replaces: bool) -> Facts {
    let whole = cursor;
    cursor.eat(&["index"]);
    let conditional = cursor.eat_condition();
    let index = cursor.part();
    if cursor.eat(&["using"]) {
        cursor.skip(1);
    }
    let table = if cursor.eat(&["on"]) {
        cursor.name()
    } else {
        None
    };
    let (Some(index), Some(table)) = (index, table) else {
        return Facts::unknown("creates an index in a way that is not known here");
    };
    let facts = match unique {
        _ if lexeme::reads_json(whole.text, whole.tokens) => Facts::destructive(
            "builds an index of an expression that may fail for rows that old versions write",
        )
        .about(table.subject(ObjectKind::Table)),
        Uniqueness::Unique => {
            let why = format!(
                "makes values of `{}` unique: old versions may still write duplicates",
                table.name
            );
            let facts = match whole.columns_behind(&["on"]).filter(|_| !replaces) {
                Some(columns) => {
                    Facts::additive().unless(whole.unless(why, Needs::Any, &table, &columns))
                }
                None => Facts::destructive(why),
            };
            facts.about(table.subject(ObjectKind::Table))
        }
        // The one that is there may be what keeps their values unique.
        Uniqueness::No if replaces => Facts::destructive(format!(
            "drops the index `{index}` that may be there (OR REPLACE)"
        ))
        .about(table.subject(ObjectKind::Table)),
        Uniqueness::No => Facts::additive(),
    };
    let object = table.member(ObjectKind::Index, Verb::Create, index);
    facts.object(object.conditional(conditional || replaces))
}

fn trigger(mut cursor: Cursor<'_>, replaces: bool) -> Facts {
    let conditional = cursor.eat_condition();
    let name = cursor.name();
    let on = cursor
        .tokens
        .iter()
        .position(|token| token.kind == Kind::Word && token.is_word(cursor.text, "on"));
    cursor.skip(on.map_or(usize::MAX, |on| on + 1));
    let (Some(trigger), Some(table)) = (name, cursor.name()) else {
        return Facts::unknown("creates a trigger in a way that is not known here");
    };
    let table = Name {
        schema: table.schema.or(trigger.schema),
        name: table.name,
    };
    let hazard = hazard_of_body(cursor);
    let mut facts = if ["signal", "resignal"]
        .iter()
        .any(|word| cursor.has_word(word))
    {
        Facts::destructive("has a trigger refuse rows that old versions write")
    } else if let Some(why) = hazard {
        Facts::destructive(format!("has a trigger that {why}"))
    } else {
        Facts::additive()
    };
    if replaces {
        facts = facts.replacing(&trigger.name);
    }
    let object = table.member(ObjectKind::Trigger, Verb::Create, trigger.name);
    facts
        .about(table.subject(ObjectKind::Table))
        .hazard(hazard)
        .object(object.conditional(conditional || replaces))
}
