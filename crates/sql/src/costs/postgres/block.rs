//! What a `DO` block costs: what its statements do, whichever of them are run.

use super::super::super::lexeme;
use super::super::super::{Dialect, Script};
use super::super::Known;
use super::super::toll::Toll;
use super::super::words::Words;

/// Blocks in texts in blocks: nobody writes more.
const DEEPEST: usize = 4;

/// What stands before a statement of a block.
const BEFORE: &[&[&str]] = &[
    &["begin"],
    &["else"],
    &["end", "if"],
    &["end", "loop"],
    &["loop"],
    &["exception"],
];

/// What stands before a statement of a block, with what it ends with.
const UNTIL: &[(&str, &str)] = &[
    ("if", "then"),
    ("elsif", "then"),
    ("elseif", "then"),
    ("when", "then"),
    ("for", "loop"),
    ("foreach", "loop"),
    ("while", "loop"),
];

pub(super) fn toll(
    script: &Script,
    index: usize,
    words: Words<'_>,
    known: &Known<'_>,
    toll: &mut Toll,
) {
    if let Some(body) = words.texts().into_iter().max_by_key(String::len) {
        inside(script, index, &body, known, toll, DEEPEST);
    }
}

fn inside(
    script: &Script,
    index: usize,
    body: &str,
    known: &Known<'_>,
    toll: &mut Toll,
    deepest: usize,
) {
    let grammar = Dialect::Postgres.grammar();
    let Ok(tokens) = lexeme::tokens(grammar, body) else {
        return;
    };
    for tokens in tokens.split(|token| token.kind == lexeme::Kind::Semicolon) {
        let mut words = Words::new(Dialect::Postgres, body, tokens);
        enter(&mut words);
        let mut own = Toll::default();
        if words.eat(&["execute"]) {
            // A text that is put together is not known; one that stands there is.
            if let ([text], true) = (words.texts().as_slice(), deepest > 0) {
                inside(script, index, text, known, &mut own, deepest - 1);
            }
        } else if words.eat(&["perform"]) {
            super::rows::selected(words, known, &mut own);
        } else if !words.is(&["select"]) {
            // A query here fills a variable.
            super::one(script, index, words, known, &mut own);
        }
        // Nobody else knows yet what the block itself has made.
        own.costs.retain(|cost| {
            let place = cost.place.as_ref();
            !place.is_some_and(|place| toll.makes.iter().any(|made| made.table == place.table))
        });
        toll.costs.extend(own.costs);
        toll.locks.extend(own.locks);
        toll.makes.extend(own.makes);
        toll.long = toll.long.take().or(own.long);
        toll.fills = toll.fills.take().or(own.fills);
    }
}

/// Goes past the words of the block itself.
fn enter(words: &mut Words<'_>) {
    loop {
        if BEFORE.iter().any(|before| words.eat(before)) {
            continue;
        }
        let rest = UNTIL
            .iter()
            .filter(|(first, _)| words.is(&[first]))
            .find_map(|(_, last)| words.behind(&[last]));
        match rest {
            Some(rest) => *words = rest,
            None => return,
        }
    }
}
