//! PostgreSQL: every statement but a few takes a lock until its transaction ends, and readers wait behind whoever waits for
//! ACCESS EXCLUSIVE.

mod alter;
mod block;
mod column;
mod proof;
mod rows;

pub(in super::super) use column::checks_of_domain;
pub(in super::super) use proof::shows_not_null;

use super::super::{Dialect, ObjectKind, Script, Verb};
use super::toll::{Level, Toll};
use super::words::{Words, tokens};
use super::{Known, Work};

const OF_ITS_OWN: &str = "in a script of its own whose first line is `-- migrate: no-transaction`";

pub(super) fn toll(script: &Script, index: usize, known: &Known<'_>) -> Toll {
    let mut toll = Toll::default();
    let Some(statement) = script.statements.get(index) else {
        return toll;
    };
    let tokens = tokens(Dialect::Postgres, statement);
    let words = Words::new(Dialect::Postgres, &statement.text, &tokens);
    if words.is(&["do"]) {
        block::toll(script, index, words, known, &mut toll);
    } else {
        one(script, index, words, known, &mut toll);
    }
    toll
}

/// What one statement costs, be it one of a script or of a block in it.
fn one(script: &Script, index: usize, mut words: Words<'_>, known: &Known<'_>, toll: &mut Toll) {
    if words.eat(&["alter"]) {
        altered(script, index, words, known, toll);
    } else if words.eat(&["create"]) {
        created(words, toll);
    } else if words.eat(&["drop"]) {
        dropped(script, words, toll);
    } else if words.eat(&["reindex"]) {
        reindexed(words, toll);
    } else if words.eat(&["vacuum"]) {
        vacuumed(words, toll);
    } else if words.eat(&["cluster"]) || words.eat(&["repack"]) {
        clustered(words, toll);
    } else if words.eat(&["lock"]) {
        locked(words, toll);
    } else if words.eat(&["refresh", "materialized", "view"]) {
        refreshed(words, toll);
    } else if words.eat(&["truncate"]) {
        words.eat(&["table"]);
        for mut piece in words.pieces() {
            piece.eat(&["only"]);
            if let Some(place) = piece.place() {
                toll.lock(&place, Level::Everything);
            }
        }
    } else if words.eat(&["select"]) {
        rows::selected(words, known, toll);
    } else {
        rows::written(words, known, toll);
    }
}

fn altered(
    script: &Script,
    index: usize,
    mut words: Words<'_>,
    known: &Known<'_>,
    toll: &mut Toll,
) {
    if words.eat(&["table"]) || words.eat(&["foreign", "table"]) {
        alter::table(script, index, words, known, toll);
    } else if words.eat(&["domain"]) {
        let name = words.place().map_or_else(String::new, |name| name.table);
        domain(&name, words, toll);
    } else if words.eat(&["policy"])
        && let Some(place) = words.behind(&["on"]).and_then(|mut on| on.place())
    {
        toll.lock(&place, Level::Everything);
    } else if words.eat(&["index"]) || words.eat(&["materialized", "view"]) {
        words.eat_condition();
        words.eat(&["all", "in", "tablespace"]);
        let name = words.place().map_or_else(String::new, |name| name.table);
        if words.holds(&["set", "tablespace"]) {
            toll.cost(
                Work::Rewrites,
                None,
                format!("this copies all of `{name}` to another tablespace, and nobody uses it meanwhile"),
                format!("`REINDEX (TABLESPACE …) INDEX CONCURRENTLY`, {OF_ITS_OWN}, moves an index while others go on"),
            );
        }
    }
}

/// A constraint of a domain is one of every column of its type, and to validate it keeps writers out as well.
fn domain(name: &str, mut words: Words<'_>, toll: &mut Toll) {
    let validates = words.eat(&["validate"]);
    let adds = words.eat(&["add"]) && !words.has(&["not", "valid"]);
    if !validates && !adds && !words.eat(&["set", "not", "null"]) {
        return;
    }
    toll.cost(
        Work::Scans,
        None,
        format!("this reads every row of each table that has a column of `{name}`, and nobody writes to them meanwhile"),
        "leave the constraint of the domain `NOT VALID`, which new values are checked by all the same; for the rows that are there, add a CHECK to each table `NOT VALID`, and `VALIDATE CONSTRAINT` that one in another transaction",
    );
}

fn created(mut words: Words<'_>, toll: &mut Toll) {
    let replaces = words.eat(&["or", "replace"]);
    while words.eat_any(&[
        "global",
        "local",
        "temp",
        "temporary",
        "unlogged",
        "foreign",
    ]) {}
    let _ = replaces;
    let unique = words.eat(&["unique"]);
    if words.eat(&["index"]) {
        index(words, unique, toll);
    } else if words.eat(&["table"]) {
        table(words, toll);
    } else if words.eat(&["materialized", "view"]) {
        words.eat_condition();
        if let Some(place) = words.place() {
            toll.fills = Some(place.clone());
            toll.makes.push(place);
        }
        if !words.has(&["no", "data"]) {
            toll.long("runs the query of a view over", words.source().as_ref());
        }
    } else if words.is(&["policy"])
        && let Some(place) = words.behind(&["on"]).and_then(|mut on| on.place())
    {
        toll.lock(&place, Level::Everything);
    } else if words.is(&["rule"])
        && let Some(place) = words.behind(&["to"]).and_then(|mut to| to.place())
    {
        toll.lock(&place, Level::Everything);
    } else if (words.is(&["trigger"]) || words.is(&["constraint", "trigger"]))
        && let Some(place) = words.behind(&["on"]).and_then(|mut on| on.place())
    {
        toll.lock(&place, Level::Writes);
    }
}

fn index(mut words: Words<'_>, unique: bool, toll: &mut Toll) {
    let concurrently = words.eat(&["concurrently"]);
    let is_conditional = words.eat_condition();
    let Some(mut on) = words.behind(&["on"]) else {
        return;
    };
    // Of a partitioned table alone: the index is empty until those of the partitions are attached.
    let is_only = on.eat(&["only"]);
    let Some(place) = on.place() else {
        return;
    };
    toll.long("builds an index of", Some(&place));
    if concurrently && is_conditional {
        toll.cost(
            Work::KeepsInvalid,
            Some(&place),
            format!(
                "a build that was interrupted leaves an index of this name that is invalid: it is taken for this one, costs every write of `{}`, and helps no query",
                place.table
            ),
            "leave `IF NOT EXISTS` away: a build that was interrupted is found by its record, and done again",
        );
    }
    if concurrently || is_only {
        if is_only {
            toll.long = None;
        }
        return;
    }
    toll.lock(&place, Level::Writes);
    let unique = if unique { "UNIQUE " } else { "" };
    toll.cost(
        Work::LocksWrites,
        Some(&place),
        format!(
            "while this index is built nobody writes to `{}`",
            place.table
        ),
        format!("write `CREATE {unique}INDEX CONCURRENTLY`, {OF_ITS_OWN}"),
    );
}

fn table(mut words: Words<'_>, toll: &mut Toll) {
    words.eat_condition();
    let Some(place) = words.place() else {
        return;
    };
    if words.eat(&["partition", "of"])
        && let Some(parent) = words.place()
    {
        toll.lock(&parent, Level::Everything);
        toll.cost(
            Work::LocksOut,
            Some(&parent),
            format!(
                "this waits for everybody who uses `{0}`, and whoever comes after waits behind it; and rows of its default partition are all read",
                parent.table
            ),
            format!(
                "make `{0}` on its own, `CREATE TABLE {0} (LIKE {1} INCLUDING ALL EXCLUDING IDENTITY)`, and `ALTER TABLE {1} ATTACH PARTITION {0} …`, which lets others go on; a default partition is read by that as well, unless a CHECK of it, added `NOT VALID` and validated before, shows that it has none of these rows",
                place.table, parent.table
            ),
        );
    }
    let definition = words.inside();
    if let Some(definition) = definition {
        for (column, parent) in column::references(&definition) {
            let _ = column;
            toll.lock(&parent, Level::Writes);
        }
    }
    if words.has(&["as"]) && (words.has(&["select"]) || words.has(&["table"])) {
        let from = words.source();
        toll.long("copies the rows of", from.as_ref());
        toll.fills = Some(place.clone());
    }
    toll.makes.push(place);
}

fn dropped(script: &Script, mut words: Words<'_>, toll: &mut Toll) {
    if words.eat(&["index"]) {
        if words.eat(&["concurrently"]) {
            return;
        }
        words.eat_condition();
        // Whoever waits for a table anyway does not wait less if its index goes in another way.
        let waits_anyway = script.objects().any(|object| {
            object.verb != Verb::Create
                && matches!(
                    object.kind,
                    ObjectKind::Table | ObjectKind::Column | ObjectKind::Constraint
                )
        });
        let Some(place) = words.place().filter(|_| !waits_anyway) else {
            return;
        };
        toll.cost(
            Work::LocksOut,
            None,
            format!(
                "to drop `{}` this waits for everybody who uses its table, and whoever comes after, readers as well, waits behind it",
                place.table
            ),
            format!("write `DROP INDEX CONCURRENTLY`, {OF_ITS_OWN}"),
        );
    } else if (words.eat(&["trigger"]) || words.eat(&["policy"]) || words.eat(&["rule"]))
        && let Some(place) = words.behind(&["on"]).and_then(|mut on| on.place())
    {
        toll.lock(&place, Level::Everything);
    }
}

fn reindexed(words: Words<'_>, toll: &mut Toll) {
    let mut rest = words;
    let options = rest.inside();
    let is_off = |options: &Words<'_>| {
        ["off", "false"]
            .iter()
            .any(|off| options.has(&["concurrently", off]))
    };
    if rest.has(&["concurrently"])
        || options.is_some_and(|options| options.has(&["concurrently"]) && !is_off(&options))
    {
        return;
    }
    while !rest.is_at_end() && !rest.eat_any(&["index", "table", "schema", "database", "system"]) {
        rest.skip(1);
    }
    let place = rest.place();
    let of_table = words.has(&["table"]);
    toll.long(
        "builds indexes anew of",
        place.as_ref().filter(|_| of_table),
    );
    toll.cost(
        Work::LocksOut,
        place.as_ref().filter(|_| of_table),
        "while this index is built anew nobody writes to its table, and whoever would read by it waits",
        format!("write `REINDEX … CONCURRENTLY`, {OF_ITS_OWN}"),
    );
}

fn vacuumed(mut words: Words<'_>, toll: &mut Toll) {
    let options = words.inside();
    let is_full = words.eat(&["full"])
        || options.is_some_and(|options| {
            options.has(&["full"])
                && !options.has(&["full", "off"])
                && !options.has(&["full", "false"])
        });
    if !is_full {
        return;
    }
    toll.cost(
        Work::Rewrites,
        None,
        "this writes the table anew, and nobody reads or writes it meanwhile",
        "a plain `VACUUM` keeps nobody waiting; `pg_repack` or `pg_squeeze` give space back while others go on",
    );
}

fn clustered(words: Words<'_>, toll: &mut Toll) {
    if words.holds(&["concurrently"]) {
        return;
    }
    toll.cost(
        Work::Rewrites,
        None,
        "this writes the table anew, and nobody reads or writes it meanwhile",
        "leave rows in the order in which they are; `pg_repack` orders them while others go on",
    );
}

fn locked(mut words: Words<'_>, toll: &mut Toll) {
    words.eat(&["table"]);
    let mode = words.behind(&["in"]);
    let level = match mode {
        Some(mode)
            if ["access share", "row share", "row exclusive", "share update"]
                .iter()
                .any(|weak| {
                    let weak: Vec<&str> = weak.split(' ').collect();
                    mode.is(&weak)
                }) =>
        {
            return;
        }
        Some(mode) if !mode.is(&["access", "exclusive"]) => Level::Writes,
        _ => Level::Everything,
    };
    for mut piece in words.until(&["in", "nowait"]).pieces() {
        piece.eat(&["only"]);
        let Some(place) = piece.place() else {
            continue;
        };
        toll.lock(&place, level);
        let whom = match level {
            Level::Writes => "writers",
            Level::Everything => "others",
        };
        toll.cost(
            match level {
                Level::Writes => Work::LocksWrites,
                Level::Everything => Work::LocksOut,
            },
            Some(&place),
            format!(
                "this keeps {whom} out of `{}` until the script is done",
                place.table
            ),
            "remove it: each statement takes the lock that it needs",
        );
    }
}

fn refreshed(mut words: Words<'_>, toll: &mut Toll) {
    if words.eat(&["concurrently"]) || words.holds(&["no", "data"]) {
        return;
    }
    let Some(place) = words.place() else {
        return;
    };
    toll.long("runs the query of a view of", Some(&place));
    toll.lock(&place, Level::Everything);
    toll.cost(
        Work::LocksOut,
        Some(&place),
        format!("nobody reads `{}` until it is filled anew", place.table),
        "write `REFRESH MATERIALIZED VIEW CONCURRENTLY`, which wants a unique index on the view",
    );
}
