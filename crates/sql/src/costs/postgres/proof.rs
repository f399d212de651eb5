//! Whether a constraint shows that a column is not NULL: then `SET NOT NULL` reads nothing.

use super::super::super::{Dialect, Place, Script};
use super::super::words::{Words, tokens};

/// Whether a valid constraint shows it when the statement at `index` runs.
pub(super) fn shown_before(
    script: &Script,
    index: usize,
    before: &[&Script],
    place: &Place,
    column: &str,
) -> bool {
    let mut seen = Seen::default();
    for script in before {
        seen.read(script, script.statements.len(), place, column);
    }
    seen.read(script, index, place, column);
    seen.is_valid
}

/// Whether a script shows it at its end, or leaves a constraint that does and may have been validated since.
pub(in super::super::super) fn shows_not_null(
    script: &Script,
    place: &Place,
    column: &str,
) -> bool {
    let mut seen = Seen::default();
    seen.read(script, script.statements.len(), place, column);
    seen.is_valid || !seen.waiting.is_empty()
}

#[derive(Default)]
struct Seen {
    /// Constraints that are `NOT VALID` yet.
    waiting: Vec<String>,
    is_valid: bool,
}

impl Seen {
    fn read(&mut self, script: &Script, upto: usize, place: &Place, column: &str) {
        for statement in script.statements.iter().take(upto) {
            let tokens = tokens(Dialect::Postgres, statement);
            let mut words = Words::new(Dialect::Postgres, &statement.text, &tokens);
            if words.eat(&["create", "table"]) {
                words.eat_condition();
                let is_it = words.place().is_some_and(|made| made.table == place.table);
                if is_it && says_so(&words, column) {
                    self.is_valid = true;
                }
                continue;
            }
            if !words.eat(&["alter", "table"]) {
                continue;
            }
            words.eat_condition();
            words.eat(&["only"]);
            if words
                .place()
                .is_none_or(|altered| altered.table != place.table)
            {
                continue;
            }
            for mut piece in words.pieces() {
                if piece.eat(&["validate", "constraint"]) {
                    let name = piece.part();
                    self.is_valid |= name.is_some_and(|name| self.waiting.contains(&name));
                } else if piece.eat(&["add"]) {
                    let name = if piece.eat(&["constraint"]) {
                        piece.part()
                    } else {
                        None
                    };
                    if !piece.is(&["check"]) || !says_so(&piece, column) {
                        continue;
                    }
                    if piece.has(&["not", "valid"]) {
                        self.waiting.extend(name);
                    } else {
                        self.is_valid = true;
                    }
                }
            }
        }
    }
}

/// Whether a CHECK in it holds only where the column is not NULL.
fn says_so(words: &Words<'_>, column: &str) -> bool {
    words.checks().iter().any(|check| {
        !check.holds(&["or"])
            && check
                .names_before(&["is", "not", "null"])
                .iter()
                .any(|name| name == column)
    })
}
