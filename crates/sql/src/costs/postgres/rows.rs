//! Statements of rows: which of them others wait for.

use super::super::super::Place;
use super::super::toll::{IN_PORTIONS, Toll};
use super::super::words::Words;
use super::super::{Known, Work};

/// What a query takes of others: the rows that it locks, and the time for the table that it makes of them.
pub(super) fn selected(words: Words<'_>, known: &Known<'_>, toll: &mut Toll) {
    let source = words.source();
    if let Some(mut into) = words.behind(&["into"]) {
        while into.eat_any(&["temp", "temporary", "unlogged", "table"]) {}
        if let Some(place) = into.place() {
            toll.long("copies the rows of", source.as_ref());
            toll.fills = Some(place.clone());
            toll.makes.push(place);
        }
    }
    let locks = ["update", "share", "no", "key"];
    let is_locking = words
        .behind(&["for"])
        .is_some_and(|mode| locks.iter().any(|lock| mode.is(&[lock])));
    if is_locking
        && let Some(place) = source
        && let Some(weight) = words.weight(&place, known)
    {
        toll.weighing(
            weight,
            (Work::LocksWrites, &place),
            format!(
                "this locks the rows of `{}` until the script is done: whoever would change one of them waits",
                place.table
            ),
            "remove it: each statement takes the locks that it needs",
        );
    }
}

/// Statements that write rows.
pub(super) fn written(words: Words<'_>, known: &Known<'_>, toll: &mut Toll) {
    let mut rest = words;
    // What a query before it reads does not matter here.
    rest.skip_queries();
    if rest.eat(&["update"]) {
        rest.eat(&["only"]);
        let Some(place) = rest.place() else {
            return;
        };
        let Some(weight) = rest.weight(&place, known) else {
            return;
        };
        toll.long_weighing(weight, "gives values to the rows of", Some(&place));
        let gives = at_once("gives", &place);
        toll.weighing(weight, (Work::Fills, &place), gives, BY_BACKFILL);
    } else if rest.eat(&["insert", "into"]) {
        let Some(place) = rest.place() else {
            return;
        };
        if rest.has(&["select"])
            && let Some(source) = words.source()
        {
            toll.long("copies the rows of", Some(&source));
            toll.fills = Some(place);
        }
    } else if rest.eat(&["merge", "into"]) {
        rest.eat(&["only"]);
        let Some(place) = rest.place() else {
            return;
        };
        toll.long("goes over the rows of", Some(&place));
        if rest.holds(&["then", "update"]) {
            let gives = at_once("gives", &place);
            toll.cost(Work::Fills, Some(&place), gives, BY_BACKFILL);
        }
    } else if rest.eat(&["delete", "from"]) {
        rest.eat(&["only"]);
        let Some(place) = rest.place() else {
            return;
        };
        if let Some(weight) = rest.weight(&place, known) {
            toll.long_weighing(weight, "goes over the rows of", Some(&place));
            let takes = at_once("removes", &place);
            toll.weighing(weight, (Work::Fills, &place), takes, IN_PORTIONS);
        }
    }
}

const BY_BACKFILL: &str = "let backfill.sql do it, which goes over the table in batches";

fn at_once(verb: &str, place: &Place) -> String {
    let their = if verb == "gives" { " their values" } else { "" };
    format!(
        "this {verb} the rows of `{}`{their} in one transaction: whoever would change one of them waits until it is done, and replicas and VACUUM with them",
        place.table
    )
}
