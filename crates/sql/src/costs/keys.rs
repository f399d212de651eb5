//! Foreign keys of new columns that no index helps: whoever deletes a row of the parent reads the whole child for it.
//!
//! Of a column that was there before, an index may be there as well, and in no file: nothing is said of it. MySQL and MariaDB make the index
//! themselves.

use super::super::{Dialect, Place, Script};
use super::words::{Words, tokens};

/// A foreign key of one column, or the first column of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewKey {
    /// The statement that adds it.
    pub statement: usize,
    pub place: Place,
    pub column: String,
    pub parent: String,
}

impl Script {
    /// The foreign keys that it adds.
    #[must_use]
    pub fn new_keys(&self) -> Vec<NewKey> {
        let mut keys = Vec::new();
        self.each_part(|statement, place, part| {
            let (Some(column), Some(mut rest)) = (part.key, part.words.behind(&["references"]))
            else {
                return;
            };
            if let Some(parent) = rest.place() {
                keys.push(NewKey {
                    statement,
                    place: place.clone(),
                    column,
                    parent: parent.table,
                });
            }
        });
        keys
    }

    /// Whether it makes this column of this table.
    #[must_use]
    pub fn makes_column(&self, place: &Place, column: &str) -> bool {
        let mut is_made = false;
        self.each_part(|_, there, part| {
            is_made |= self.is_same_place(there, place)
                && part
                    .makes
                    .is_some_and(|made| self.dialect.may_be_same_name(&made, column));
        });
        is_made
    }

    /// Whether it makes an index, or a constraint that has one, that begins with this column of this table.
    #[must_use]
    pub fn indexes(&self, place: &Place, column: &str) -> bool {
        let is_it = |name: &str| self.dialect.may_be_same_name(name, column);
        let begins = |list: Option<Words<'_>>| {
            let mut first = list.and_then(|list| list.pieces().into_iter().next());
            let name = first.as_mut().and_then(Words::part);
            name.is_some_and(|name| is_it(&name)) && !first.is_some_and(|rest| rest.is_sign("("))
        };
        let mut is_indexed = false;
        self.each_part(|_, there, part| {
            if !self.is_same_place(there, place) {
                return;
            }
            let of_column = part.makes.is_some_and(|made| is_it(&made))
                && (part.words.has(&["unique"]) || part.words.has(&["primary", "key"]));
            let of_list = [&["unique"][..], &["primary", "key"]]
                .iter()
                .any(|words| begins(part.words.behind(words).and_then(|rest| rest.inside())));
            is_indexed |= of_column || of_list;
        });
        let by_itself = self.statements.iter().any(|statement| {
            let tokens = tokens(self.dialect, statement);
            let mut words = Words::new(self.dialect, &statement.text, &tokens);
            let is_one = words.eat(&["create"]) && {
                words.eat(&["unique"]);
                words.eat(&["index"])
            };
            let Some(mut on) = words.behind(&["on"]).filter(|_| is_one) else {
                return false;
            };
            on.eat(&["only"]);
            let there = on.place();
            if on.eat(&["using"]) {
                on.skip(1);
            }
            there.is_some_and(|there| self.is_same_place(&there, place)) && begins(on.inside())
        });
        is_indexed || by_itself
    }

    /// Goes over the columns and constraints of its `CREATE TABLE` and `ALTER TABLE … ADD`.
    fn each_part(&self, mut look: impl FnMut(usize, &Place, Part<'_>)) {
        if self.dialect == Dialect::Mysql {
            return;
        }
        for (index, statement) in self.statements.iter().enumerate() {
            let tokens = tokens(self.dialect, statement);
            let mut words = Words::new(self.dialect, &statement.text, &tokens);
            let is_new = words.eat(&["create"]);
            if is_new {
                while words.eat_any(&["global", "local", "temp", "temporary", "unlogged"]) {}
            }
            if !is_new && !words.eat(&["alter"]) || !words.eat(&["table"]) {
                continue;
            }
            words.eat_condition();
            words.eat(&["only"]);
            let Some(place) = words.place() else {
                continue;
            };
            let pieces = match is_new {
                true => words
                    .inside()
                    .map_or_else(Vec::new, |inside| inside.pieces()),
                false => words.pieces(),
            };
            for mut piece in pieces {
                if is_new || piece.eat(&["add"]) {
                    look(index, &place, Part::of(piece));
                }
            }
        }
    }
}

/// A column, or a constraint of the table.
struct Part<'t> {
    words: Words<'t>,
    /// The column that it makes.
    makes: Option<String>,
    /// The first column that refers to another table, if it does.
    key: Option<String>,
}

impl<'t> Part<'t> {
    fn of(mut words: Words<'t>) -> Self {
        if words.eat(&["constraint"]) {
            let _ = words.part();
            return Self::of_constraint(words);
        }
        let is_constraint = ["foreign", "primary", "unique", "check", "exclude", "like"]
            .iter()
            .any(|word| words.is(&[word]));
        if is_constraint {
            return Self::of_constraint(words);
        }
        words.eat(&["column"]);
        words.eat_condition();
        let makes = words.part();
        let key = makes.clone().filter(|_| words.has(&["references"]));
        Self { words, makes, key }
    }

    fn of_constraint(words: Words<'t>) -> Self {
        let mut rest = words;
        let key = rest
            .eat(&["foreign", "key"])
            .then(|| rest.inside()?.pieces().into_iter().next()?.part())
            .flatten();
        Self {
            words,
            makes: None,
            key,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The columns of new foreign keys, with `!` where the script makes the column and indexes nothing that begins with it.
    fn of(dialect: Dialect, sql: &str) -> Vec<String> {
        let script = Script::parse(dialect, sql).unwrap();
        let keys = script.new_keys().into_iter();
        keys.map(|key| {
            let is_bare = script.makes_column(&key.place, &key.column)
                && !script.indexes(&key.place, &key.column);
            let mark = if is_bare { "!" } else { "" };
            format!("{}.{}>{}{mark}", key.place.table, key.column, key.parent)
        })
        .collect()
    }

    #[test]
    fn what_indexes_a_key_is_seen_in_every_form() {
        for (sql, expected) in [
            ("CREATE TABLE t (a int REFERENCES u (id))", &["t.a>u!"][..]),
            (
                "CREATE TABLE t (a int, b int, FOREIGN KEY (a, b) REFERENCES u (x, y))",
                &["t.a>u!"],
            ),
            (
                "CREATE TABLE t (a int, CONSTRAINT f FOREIGN KEY (a) REFERENCES u)",
                &["t.a>u!"],
            ),
            (
                "CREATE TABLE t (a int PRIMARY KEY REFERENCES u)",
                &["t.a>u"],
            ),
            ("CREATE TABLE t (a int UNIQUE REFERENCES u)", &["t.a>u"]),
            (
                "CREATE TABLE t (a int REFERENCES u, b int REFERENCES u, PRIMARY KEY (a, b))",
                &["t.a>u", "t.b>u!"],
            ),
            (
                "CREATE TABLE t (a int REFERENCES u, b int, CONSTRAINT k UNIQUE (a, b))",
                &["t.a>u"],
            ),
            (
                "CREATE TABLE t (a int REFERENCES u); CREATE INDEX i ON t (a, id)",
                &["t.a>u"],
            ),
            (
                "CREATE TABLE t (a int REFERENCES u); CREATE INDEX i ON t (id, a)",
                &["t.a>u!"],
            ),
            (
                "CREATE TABLE t (a int REFERENCES u); CREATE INDEX i ON t (lower(a))",
                &["t.a>u!"],
            ),
            (
                "CREATE TABLE t (a int REFERENCES u); CREATE UNIQUE INDEX i ON t (a) WHERE a IS NOT NULL",
                &["t.a>u"],
            ),
            (
                "CREATE TABLE t (a int REFERENCES u); CREATE INDEX i ON v (a)",
                &["t.a>u!"],
            ),
            ("ALTER TABLE t ADD COLUMN a int REFERENCES u", &["t.a>u!"]),
            (
                "ALTER TABLE t ADD COLUMN a int REFERENCES u; CREATE INDEX ON t (a)",
                &["t.a>u"],
            ),
        ] {
            for dialect in [Dialect::Postgres, Dialect::Sqlite] {
                let sql = match dialect {
                    Dialect::Sqlite => &sql.replace("INDEX ON", "INDEX x ON"),
                    _ => sql,
                };
                assert_eq!(of(dialect, sql), expected, "{dialect:?}: {sql}");
            }
        }
        for (sql, expected) in [
            (
                "ALTER TABLE t ADD a int, ADD FOREIGN KEY (a) REFERENCES u",
                &["t.a>u!"][..],
            ),
            // It was there before, and so may be its index.
            ("ALTER TABLE t ADD FOREIGN KEY (a) REFERENCES u", &["t.a>u"]),
            (
                "ALTER TABLE ONLY t ADD a int; ALTER TABLE t ADD CONSTRAINT f FOREIGN KEY (a) REFERENCES app.u; CREATE INDEX ON t USING btree (a)",
                &["t.a>u"],
            ),
            (
                "ALTER TABLE t ADD a int, ADD FOREIGN KEY (a) REFERENCES u, ADD UNIQUE (a)",
                &["t.a>u"],
            ),
            ("CREATE TABLE t (\"references\" int)", &[]),
        ] {
            assert_eq!(of(Dialect::Postgres, sql), expected, "{sql}");
        }
        const OWN: &str = "CREATE TABLE t (a int, FOREIGN KEY (a) REFERENCES u (id))";
        assert!(of(Dialect::Mysql, OWN).is_empty());
    }
}
