//! Tables that get other names.

use super::{Cursor, Tables, items};

impl Tables {
    /// `RENAME TABLE a TO b, c TO a`, one after the other.
    pub(super) fn rename(&mut self, cursor: &mut Cursor<'_>) -> Option<()> {
        let dialect = cursor.dialect;
        for pair in items(cursor.rest()) {
            let mut pair = cursor.within(pair);
            let from = pair.name()?;
            if !pair.eat("to") {
                return None;
            }
            let to = pair.name()?;
            self.remove(dialect, &to);
            // One of which nothing is known may be anything under its new name as well.
            let table = self.remove(dialect, &from).unwrap_or_default();
            self.all.insert(to, table);
        }
        Some(())
    }
}
