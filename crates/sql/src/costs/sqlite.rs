//! SQLite: one writer for the whole database. Whatever reads or writes a whole table keeps every other writer waiting until the
//! script is done; readers go on in WAL mode alone.

use super::super::{Dialect, Place, Script};
use super::toll::{IN_PORTIONS, Toll};
use super::words::{Words, tokens};
use super::{Known, Work};

pub(super) fn toll(script: &Script, index: usize, known: &Known<'_>) -> Toll {
    let mut toll = Toll::default();
    let Some(statement) = script.statements.get(index) else {
        return toll;
    };
    let tokens = tokens(Dialect::Sqlite, statement);
    let mut words = Words::new(Dialect::Sqlite, &statement.text, &tokens);
    if words.eat(&["create"]) {
        created(words, known, &mut toll);
    } else if words.eat(&["alter", "table"]) {
        altered(words, &mut toll);
    } else if words.eat(&["vacuum"]) {
        if !words.has(&["into"]) {
            toll.if_large(
                Work::Rewrites,
                None,
                "this writes the whole database anew, and nobody else writes meanwhile",
                "`PRAGMA incremental_vacuum` gives space back in small portions, where `auto_vacuum` is on",
            );
        }
    } else if words.eat(&["reindex"]) {
        toll.if_large(
            Work::LocksWrites,
            None,
            "while indexes are built anew nobody else writes to the database",
            "name the one index that needs it, and run it when nobody writes",
        );
    } else {
        rows(words, known, &mut toll);
    }
    toll
}

fn created(mut words: Words<'_>, known: &Known<'_>, toll: &mut Toll) {
    words.eat_any(&["temp", "temporary"]);
    words.eat(&["unique"]);
    if words.eat(&["table"]) {
        words.eat_condition();
        if let Some(place) = words.place() {
            if words.has(&["as"]) {
                copied(words, known, toll);
            }
            toll.makes.push(place);
        }
    } else if words.eat(&["index"])
        && let Some(place) = words.behind(&["on"]).and_then(|mut on| on.place())
    {
        toll.if_large(
            Work::LocksWrites,
            Some(&place),
            format!(
                "while this index of `{}` is built nobody else writes to the database",
                place.table
            ),
            "run it when nobody writes: SQLite has no form that lets writers go on",
        );
    }
}

fn altered(mut words: Words<'_>, toll: &mut Toll) {
    let Some(place) = words.place() else {
        return;
    };
    let table = &place.table;
    if words.eat(&["drop"]) {
        toll.if_large(
            Work::Rewrites,
            Some(&place),
            format!("this writes every row of `{table}` anew, and nobody else writes to the database meanwhile"),
            "run it when nobody writes: SQLite has no form that lets writers go on",
        );
    } else if words.eat(&["add"]) {
        let is_checked = words.has(&["check"])
            || words.has(&["generated"]) && words.has(&["not", "null"])
            || words.has(&["as"]) && words.has(&["not", "null"]);
        if is_checked {
            toll.if_large(
                Work::Scans,
                Some(&place),
                format!("this checks every row of `{table}`, and nobody else writes to the database meanwhile"),
                "add the column without its condition, which a trigger can keep up",
            );
        }
    }
}

fn rows(mut words: Words<'_>, known: &Known<'_>, toll: &mut Toll) {
    let all = words;
    words.skip_queries();
    if words.eat(&["update"]) {
        if words.eat(&["or"]) {
            words.skip(1);
        }
        let Some(place) = words.place() else {
            return;
        };
        let Some(weight) = words.weight(&place, known) else {
            return;
        };
        toll.weighing(
            weight,
            (Work::Fills, &place),
            format!("this gives the rows of `{}` their values in one transaction, and nobody else writes to the database until it is done", place.table),
            "let backfill.sql do it, which goes over the table in batches",
        );
    } else if words.eat_any(&["insert", "replace"]) {
        if words.eat(&["or"]) {
            words.skip(1);
        }
        words.eat(&["into"]);
        copied(all, known, toll);
    } else if words.eat(&["delete", "from"]) {
        let Some(place) = words.place() else {
            return;
        };
        let Some(weight) = words.weight(&place, known) else {
            return;
        };
        toll.weighing(
            weight,
            (Work::Fills, &place),
            format!("this removes the rows of `{}` in one transaction, and nobody else writes to the database until it is done", place.table),
            IN_PORTIONS,
        );
    }
}

/// Rows that are read to be written elsewhere.
fn copied(words: Words<'_>, known: &Known<'_>, toll: &mut Toll) {
    let source = words.source().filter(|_| words.has(&["select"]));
    let meets_many = |source: &Place| words.weight(source, known).is_some();
    let Some(source) = source.filter(meets_many) else {
        return;
    };
    toll.if_large(
        Work::Fills,
        Some(&source),
        format!("this copies the rows of `{}`, and nobody else writes to the database until the script is done", source.table),
        "run it when nobody writes; a table that takes the place of another can be filled in backfill.sql",
    );
}
