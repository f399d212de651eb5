//! Which keys the readers ask for, for the test that compares them with the schemas.

use std::cell::RefCell;
use std::collections::BTreeSet;

type Keys = BTreeSet<(String, String)>;

thread_local! {
    static ASKED: RefCell<Option<Keys>> = const { RefCell::new(None) };
}

/// The keys, each with its table, that are asked for while this runs.
pub(in crate::project) fn during(read: impl FnOnce()) -> Keys {
    ASKED.set(Some(Keys::new()));
    read();
    ASKED.take().unwrap_or_default()
}

pub(super) fn note(table: &str, key: &str) {
    let table = table.trim_matches(['[', ']']).to_owned();
    ASKED.with_borrow_mut(|asked| {
        if let Some(keys) = asked {
            keys.insert((table, key.to_owned()));
        }
    });
}
