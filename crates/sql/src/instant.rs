//! Which statements are over at once, so that nobody has to be told that they run.

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
