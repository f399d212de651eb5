//! What a dump writes again and again is told once, with the option of the program that leaves it out.

use crate::sql::{Dialect, Effect, Script, Statement};

/// A habit of `mysqldump` or of `pg_dump`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Habit {
    /// `LOCK TABLES` before the rows of a table, and `UNLOCK TABLES` after them.
    Locks,
    /// A statement in a comment that the server runs.
    Comments,
    /// `ALTER … OWNER TO`.
    Owners,
}

impl Habit {
    pub const ALL: [Self; 3] = [Self::Locks, Self::Comments, Self::Owners];

    /// That of what was found, of this kind, at this place of a script.
    pub fn of(code: &str, start: usize, script: &Script) -> Option<Self> {
        let begins = |statement: &&Statement| statement.span.start == start;
        let statement = script.statements.iter().find(begins)?;
        match (script.dialect, &statement.effect, code) {
            (Dialect::Mysql, Effect::TransactionControl { .. }, "transaction-control") => {
                let mut words = words(&statement.text);
                let is_lock = words
                    .next()
                    .is_some_and(|word| matches!(&*word, "LOCK" | "UNLOCK"));
                is_lock.then_some(Self::Locks)
            }
            (Dialect::Mysql, Effect::Unknown { .. }, "unknown-effect") => {
                let is_comment = ["/*!", "/*M!"].map(|mark| statement.text.starts_with(mark));
                is_comment.contains(&true).then_some(Self::Comments)
            }
            (Dialect::Postgres, Effect::Unknown { .. }, "unknown-effect") => {
                let words: Vec<String> = words(&statement.text).collect();
                let gives = words.first().is_some_and(|word| word == "ALTER")
                    && matches!(words.as_slice(), [.., owner, to, _] if owner == "OWNER" && to == "TO");
                gives.then_some(Self::Owners)
            }
            _ => None,
        }
    }

    /// From so many on it is a dump, and no line of somebody's own.
    pub const fn many(self) -> usize {
        match self {
            Self::Locks => 2,
            Self::Comments | Self::Owners => 3,
        }
    }

    /// What is said of so many of them instead, and what to do.
    pub fn words(self, count: usize) -> (String, &'static str) {
        match self {
            Self::Locks => (
                format!(
                    "{count} statements lock a table or let it go, as mysqldump writes them: each would end the transaction that keeps \
                     the ledger true"
                ),
                "remove all of them (`mysqldump --skip-add-locks` leaves them out)",
            ),
            Self::Comments => (
                format!(
                    "what {count} statements do cannot be told, because they stand in comments that the server runs, `/*! … */`, as \
                     mysqldump writes them"
                ),
                "write what is in them plainly, without DEFINER, and remove what turns KEYS off and on or drops what is made next \
                 (`mysqldump --skip-disable-keys --skip-add-drop-table --skip-triggers` writes fewer)",
            ),
            Self::Owners => (
                format!(
                    "{count} statements give what they name to another owner, as pg_dump writes them, and whether live versions survive \
                     that cannot be told"
                ),
                "remove all of them (`pg_dump --no-owner` leaves them out): what a script makes belongs to the role that runs it",
            ),
        }
    }
}

fn words(text: &str) -> impl Iterator<Item = String> + '_ {
    text.split_whitespace().map(str::to_ascii_uppercase)
}
