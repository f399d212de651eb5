//! Which statements are over at once, so that nobody has to be told that they run, or that they are sent alone.

use super::{Dialect, Object, ObjectKind, Script, Statement, Verb, lexeme};

/// What makes `CREATE TABLE` read or lock another table, or one that hides another of its name.
const LOOKS_ELSEWHERE: &[&str] = &[
    "AS",
    "CLONE",
    "INHERITS",
    "LIKE",
    "OF",
    "PARTITION",
    "REFERENCES",
    "SELECT",
    "TEMP",
    "TEMPORARY",
    "USING",
];

impl Script {
    /// Whether each of its statements is over at once.
    pub fn is_all_instant(&self) -> bool {
        (0..self.statements.len()).all(|index| self.is_instant(index))
    }

    /// Whether the statement at `index` makes an empty table, or an index of one that is empty yet because this script
    /// has just made it: however large the database is, that takes no time and waits for no lock of anybody's.
    pub fn is_instant(&self, index: usize) -> bool {
        let Some(statement) = self.statements.get(index) else {
            return false;
        };
        let [object] = statement.objects().collect::<Vec<_>>()[..] else {
            return false;
        };
        if object.verb != Verb::Create || object.if_exists_or_not {
            return false;
        }
        match object.kind {
            ObjectKind::Table => !looks_elsewhere(self.dialect, statement),
            ObjectKind::Index => {
                let before = self.statements.get(..index).unwrap_or_default();
                let made = before
                    .iter()
                    .rposition(|statement| makes_table_of(self.dialect, statement, object));
                made.is_some_and(|made| (made..index).all(|index| self.is_instant(index)))
            }
            _ => false,
        }
    }
}

impl Script {
    /// How many statements from `from` on are sent in one message at most, if they are all INSERTs of a few values: a round
    /// trip for each would take longer than the work. One, if the first is none.
    pub fn inserts_from(&self, from: usize) -> usize {
        let after = self.statements.get(from..).unwrap_or_default();
        let inserts = after.iter().take(MOST_INSERTS);
        let inserts = inserts.take_while(|statement| inserts_values(self.dialect, statement));
        inserts.count().max(1)
    }
}

/// How many INSERTs share a message: more spare next to nothing, and an error is found later.
const MOST_INSERTS: usize = 64;
/// How long one of them may be. Together they stay far below what any server takes in a message.
const SHORT: usize = 4096;

/// Whether a statement inserts values that stand in it, and looks at no other table.
fn inserts_values(dialect: Dialect, statement: &Statement) -> bool {
    let text = &statement.text;
    let begins = text
        .get(..7)
        .is_some_and(|word| word.trim_end().eq_ignore_ascii_case("INSERT"));
    if !begins || text.len() > SHORT || statement.needs_no_transaction {
        return false;
    }
    let Ok(tokens) = lexeme::tokens(dialect.grammar(), text) else {
        return false;
    };
    let has = |word: &str| tokens.iter().any(|token| token.is_word(text, word));
    has("VALUES") && !["SELECT", "TABLE", "WITH"].iter().any(|word| has(word))
}

fn looks_elsewhere(dialect: Dialect, statement: &Statement) -> bool {
    let text = &statement.text;
    lexeme::tokens(dialect.grammar(), text).map_or(true, |tokens| {
        tokens
            .iter()
            .any(|token| LOOKS_ELSEWHERE.iter().any(|word| token.is_word(text, word)))
    })
}

fn makes_table_of(dialect: Dialect, statement: &Statement, index: &Object) -> bool {
    let Some(table) = index.table.as_deref() else {
        return false;
    };
    statement.objects().any(|object| {
        object.kind == ObjectKind::Table
            && object.verb == Verb::Create
            && object.schema == index.schema
            && dialect.same_name(&object.name, table)
    })
}
