//! What the actions of an `ALTER TABLE` cost.

use super::super::super::{Mode, Place, Script};
use super::super::release::Release;
use super::super::toll::{Level, Toll};
use super::super::words::Words;
use super::super::{Known, Work};
use super::{OF_ITS_OWN, column, proof};

const NOT_VALID: &str =
    "add the constraint `NOT VALID`, and `VALIDATE CONSTRAINT` it in another transaction";

pub(super) fn table(
    script: &Script,
    index: usize,
    mut words: Words<'_>,
    known: &Known<'_>,
    toll: &mut Toll,
) {
    if words.eat(&["all", "in", "tablespace"]) {
        toll.cost(
            Work::Rewrites,
            None,
            "this copies every table of a tablespace, and nobody uses them meanwhile",
            "move one table after the other, where they are small enough",
        );
        return;
    }
    words.eat_condition();
    words.eat(&["only"]);
    let Some(place) = words.place() else {
        return;
    };
    words.eat_sign("*");
    if words.is(&["rename"]) {
        // Under the new name it is as much of the script's own as it was under the old one.
        toll.lock(&place, Level::Everything);
        return;
    }
    let mut level = None;
    for piece in words.pieces() {
        level = level.max(action(script, index, &place, piece, known, toll));
    }
    if let Some(level) = level {
        toll.lock(&place, level);
        // A constraint that is looked over under a lock of the same statement.
        let validates = words.pieces().iter().any(|piece| piece.is(&["validate"]));
        if validates && script.mode == Mode::Transactional {
            toll.cost(
                Work::Scans,
                Some(&place),
                format!(
                    "this checks every row of `{}` under the lock of what else the statement does",
                    place.table
                ),
                "let `VALIDATE CONSTRAINT` stand in a statement and a transaction of its own",
            );
        }
    }
}

/// How it locks the table.
fn action(
    script: &Script,
    index: usize,
    place: &Place,
    mut words: Words<'_>,
    known: &Known<'_>,
    toll: &mut Toll,
) -> Option<Level> {
    let table = &place.table;
    let everything = Some(Level::Everything);
    if words.eat(&["add"]) {
        return added(script, index, place, words, known, toll);
    }
    if words.eat(&["validate", "constraint"]) {
        toll.long("checks every row of", Some(place));
        return None;
    }
    if words.eat(&["alter"]) {
        words.eat(&["column"]);
        if words.eat(&["constraint"]) {
            return everything;
        }
        let Some(name) = words.part() else {
            return everything;
        };
        return column_altered(script, index, place, &name, words, known, toll);
    }
    if words.eat(&["attach", "partition"]) {
        return attached(script, place, words, toll);
    }
    if words.eat(&["detach", "partition"]) {
        let part = words.place();
        if words.has(&["concurrently"]) || words.has(&["finalize"]) {
            return None;
        }
        let part = part.map_or_else(String::new, |part| part.table);
        toll.cost(
            Work::LocksOut,
            Some(place),
            format!("this waits for everybody who uses `{table}`, and whoever comes after waits behind it"),
            format!("write `DETACH PARTITION {part} CONCURRENTLY`, {OF_ITS_OWN}"),
        );
        return everything;
    }
    if words.eat(&["set"]) {
        let why = if words.is(&["logged"]) {
            "it is logged from here on"
        } else if words.is(&["unlogged"]) {
            "it is not logged from here on"
        } else if words.is(&["access", "method"]) {
            "by another access method"
        } else if words.is(&["tablespace"]) {
            "in another tablespace"
        } else if words.is_sign("(") || words.is(&["statistics"]) {
            return None;
        } else {
            return everything;
        };
        toll.cost(
            Work::Rewrites,
            Some(place),
            format!("this writes every row of `{table}` anew ({why}), and nobody reads or writes it meanwhile"),
            "make a table beside it that is as it should be, and let a migration of its own carry the rows over",
        );
        return everything;
    }
    if words.is(&["cluster"]) || words.is(&["reset"]) {
        return None;
    }
    if words.is(&["enable"]) || words.is(&["disable"]) {
        return Some(Level::Writes);
    }
    everything
}

fn added(
    script: &Script,
    index: usize,
    place: &Place,
    mut words: Words<'_>,
    known: &Known<'_>,
    toll: &mut Toll,
) -> Option<Level> {
    let table = &place.table;
    let everything = Some(Level::Everything);
    let mut name = None;
    let is_named = words.eat(&["constraint"]);
    if is_named {
        name = words.part();
    }
    let unenforced = words.has(&["not", "enforced"]);
    let later = words.has(&["not", "valid"]) || unenforced;
    if words.is(&["primary", "key"]) || words.is(&["unique"]) {
        let is_key = words.is(&["primary"]);
        if words.has(&["using", "index"]) && !words.has(&["using", "index", "tablespace"]) {
            if is_key {
                toll.if_large(
                    Work::Scans,
                    Some(place),
                    format!("unless the columns of the index are NOT NULL already, this reads every row of `{table}`, and nobody reads or writes it meanwhile"),
                    "let them be NOT NULL first, by a CHECK that is added `NOT VALID` and validated in another transaction",
                );
            }
            return everything;
        }
        let name = name.unwrap_or_else(|| format!("{table}_key"));
        let kind = if is_key { "PRIMARY KEY" } else { "UNIQUE" };
        toll.long("builds an index of", Some(place));
        toll.cost(
            Work::LocksOut,
            Some(place),
            format!("this builds an index of `{table}`, and nobody reads or writes it meanwhile"),
            format!("build it first by `CREATE UNIQUE INDEX CONCURRENTLY {name} ON {table} …`, {OF_ITS_OWN}; then `ADD CONSTRAINT {name} {kind} USING INDEX {name}` is over at once"),
        );
        return everything;
    }
    if words.is(&["exclude"]) {
        toll.long("builds an index of", Some(place));
        toll.cost(
            Work::LocksOut,
            Some(place),
            format!("this builds an index of `{table}`, and nobody reads or writes it meanwhile: no other form of an exclusion constraint goes on beside others"),
            "add it while the table is small, or make a table beside it with the constraint and carry the rows over",
        );
        return everything;
    }
    if words.is(&["check"]) {
        if !later {
            toll.long("checks every row of", Some(place));
            toll.cost(
                Work::Scans,
                Some(place),
                format!(
                    "this checks every row of `{table}`, and nobody reads or writes it meanwhile"
                ),
                NOT_VALID,
            );
        }
        return everything;
    }
    if words.is(&["foreign", "key"]) {
        let parent = words
            .behind(&["references"])
            .and_then(|mut rest| rest.place());
        if let Some(parent) = &parent {
            toll.lock(parent, Level::Writes);
        }
        if !later {
            let parent =
                parent.map_or_else(String::new, |parent| format!(" and to `{}`", parent.table));
            toll.long("checks every row of", Some(place));
            toll.cost(
                Work::Scans,
                Some(place),
                format!(
                    "this checks every row of `{table}`, and nobody writes to it{parent} meanwhile"
                ),
                NOT_VALID,
            );
        }
        return Some(Level::Writes);
    }
    if words.is(&["not", "null"]) {
        let mut column = words;
        column.skip(2);
        let column = column.part().unwrap_or_default();
        if !later {
            not_null(script, index, place, &column, known, toll);
        }
        return everything;
    }
    if is_named {
        return everything;
    }
    words.eat(&["column"]);
    words.eat_condition();
    column::added(script, place, words, known, toll);
    everything
}

fn not_null(
    script: &Script,
    index: usize,
    place: &Place,
    column: &str,
    known: &Known<'_>,
    toll: &mut Toll,
) {
    // Before 12 the server reads every row, whatever constraint there is.
    let is_shown = known.servers.postgres() >= Release::new(12, 0, 0)
        && (proof::shown_before(script, index, known.before, place, column)
            || (known.is_not_null)(place, column));
    if is_shown {
        return;
    }
    let table = &place.table;
    toll.long("reads every row of", Some(place));
    toll.cost(
        Work::Scans,
        Some(place),
        format!("this reads every row of `{table}`, and nobody reads or writes it meanwhile"),
        format!("add `CHECK ({column} IS NOT NULL) NOT VALID`, and `VALIDATE CONSTRAINT` it in another transaction: `SET NOT NULL` believes it then, and is over at once"),
    );
}

fn column_altered(
    script: &Script,
    index: usize,
    place: &Place,
    name: &str,
    mut words: Words<'_>,
    known: &Known<'_>,
    toll: &mut Toll,
) -> Option<Level> {
    let everything = Some(Level::Everything);
    let table = &place.table;
    if words.eat(&["set", "not", "null"]) {
        not_null(script, index, place, name, known, toll);
        return everything;
    }
    if words.is(&["set", "statistics"])
        || words.is(&["set"]) && {
            let mut rest = words;
            rest.skip(1);
            rest.is_sign("(")
        }
    {
        return None;
    }
    let mut retyped = words;
    retyped.eat(&["set", "data"]);
    if retyped.eat(&["type"]) {
        let converts = retyped.has(&["using"]);
        let unless = if converts {
            String::new()
        } else {
            format!(
                " unless `{name}` is of a narrower type of the same kind already (a shorter varchar, a numeric of fewer digits)"
            )
        };
        toll.long("writes every row anew of", Some(place));
        toll.cost(
            Work::Rewrites,
            Some(place),
            format!("this writes every row of `{table}` and its indexes anew{unless}, and nobody reads or writes it meanwhile"),
            "add a column of the new type beside the old one: `[change]` with `kind = \"columns\"` writes the scripts",
        );
        return everything;
    }
    if words.eat(&["set", "expression"]) {
        toll.long("writes every row anew of", Some(place));
        toll.cost(
            Work::Rewrites,
            Some(place),
            format!(
                "this writes every row of `{table}` anew, and nobody reads or writes it meanwhile"
            ),
            "add a column beside it, and fill it in backfill.sql",
        );
    }
    everything
}

fn attached(
    script: &Script,
    place: &Place,
    mut words: Words<'_>,
    toll: &mut Toll,
) -> Option<Level> {
    let part = words.place()?;
    let parent = &place.table;
    let is_default = words.has(&["default"]);
    // Rows that a constraint shows to be in bounds are not read again; so it is looked for by its table alone.
    let has_check = script.statements.iter().any(|statement| {
        let words = statement.words(script.dialect);
        words.contains(&part.table) && words.iter().any(|word| word == "check")
    });
    toll.lock(&part, Level::Everything);
    if !has_check && !is_default {
        toll.long("reads every row of", Some(&part));
        toll.cost(
            Work::Scans,
            Some(&part),
            format!("this reads every row of `{0}`, which nobody reads or writes meanwhile, and those of the default partition of `{parent}`", part.table),
            format!("add a CHECK to `{0}` first that says what its bounds say, `NOT VALID`, and `VALIDATE` it in another transaction", part.table),
        );
    }
    // It keeps nobody from the rows of the whole.
    None
}
