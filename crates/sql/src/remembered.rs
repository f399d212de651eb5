//! What was found in texts a moment ago.
//!
//! A statement is asked about by one rule after another, and the code of a trigger by each migration behind it as well. A text
//! always has the same tokens, and a database's grammar always finds the same in it: so each is looked for once.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use super::Dialect;
use super::facts::Facts;
use super::token::Token;

/// The bytes of text that a thread keeps what was found for: enough for what is asked about again, and no more for the longest
/// run.
const MOST_BYTES: usize = 1 << 20;

/// What was found in texts.
struct Remembered<T> {
    found: HashMap<Dialect, HashMap<String, T>>,
    bytes: usize,
}

thread_local! {
    static TOKENS: RefCell<Remembered<Vec<Token>>> = RefCell::default();
    static FACTS: RefCell<Remembered<Rc<Facts>>> = RefCell::default();
}

impl<T> Default for Remembered<T> {
    fn default() -> Self {
        Self {
            found: HashMap::new(),
            bytes: 0,
        }
    }
}

impl<T: Clone> Remembered<T> {
    fn get(&self, dialect: Dialect, text: &str) -> Option<T> {
        self.found.get(&dialect)?.get(text).cloned()
    }

    fn keep(&mut self, dialect: Dialect, text: &str, found: T) {
        if text.len() > MOST_BYTES {
            return;
        }
        if self.bytes + text.len() > MOST_BYTES {
            *self = Self::default();
        }
        self.bytes += text.len();
        let of_dialect = self.found.entry(dialect).or_default();
        of_dialect.insert(text.to_owned(), found);
    }
}

/// The tokens of this text, which `look` finds. What cannot be read is looked at anew each time.
pub(super) fn tokens<E>(
    dialect: Dialect,
    text: &str,
    look: impl FnOnce() -> Result<Vec<Token>, E>,
) -> Result<Vec<Token>, E> {
    if let Some(known) = TOKENS.with_borrow(|all| all.get(dialect, text)) {
        return Ok(known);
    }
    let found = look()?;
    TOKENS.with_borrow_mut(|all| all.keep(dialect, text, found.clone()));
    Ok(found)
}

/// What this database's grammar finds in a statement; nothing if it cannot read it.
pub(super) fn facts(dialect: Dialect, sql: &str) -> Option<Rc<Facts>> {
    if let Some(known) = FACTS.with_borrow(|all| all.get(dialect, sql)) {
        return Some(known);
    }
    let found = Rc::new(dialect.grammar().facts(sql).ok()?);
    FACTS.with_borrow_mut(|all| all.keep(dialect, sql, Rc::clone(&found)));
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_kept_than_there_is_room_for() {
        let mut kept = Remembered::default();
        let half = "x".repeat(MOST_BYTES / 2);
        kept.keep(Dialect::Sqlite, &half, 1);
        kept.keep(Dialect::Mysql, "a", 2);
        assert_eq!(kept.get(Dialect::Sqlite, &half), Some(1));
        assert_eq!(kept.get(Dialect::Sqlite, "a"), None);
        kept.keep(Dialect::Postgres, &half, 3);
        assert_eq!(kept.get(Dialect::Sqlite, &half), None);
        assert_eq!(kept.get(Dialect::Mysql, "a"), None);
        assert_eq!(kept.get(Dialect::Postgres, &half), Some(3));
        kept.keep(Dialect::Postgres, &half.repeat(3), 4);
        assert_eq!(kept.get(Dialect::Postgres, &half), Some(3));
    }
}
