//! Foreign keys that a statement adds, and the rows that it writes: together they decide whose rows can no longer go.

use super::carried::Said;
use super::lexeme;
use super::tables::{Cursor, items};
use super::written::Written;
use super::{Dialect, ObjectKind, Statement, Verb};

/// A foreign key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reference {
    pub table: String,
    pub columns: Vec<String>,
    pub parent: String,
    /// Empty where it is the primary key of the parent.
    pub parent_columns: Vec<String>,
    pub on_delete: Referential,
    pub on_update: Referential,
}

/// What becomes of the rows that refer to one that goes, or that gets another key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Referential {
    /// They keep it where it is.
    Refuses,
    Cascades,
    SetsNull,
    SetsDefault,
}

impl Statement {
    /// The foreign keys that it adds to tables, whether they are new or not.
    #[must_use]
    pub fn references(&self, dialect: Dialect) -> Vec<Reference> {
        let mut found = Vec::new();
        if !self.begins_with("create") && !self.begins_with("alter") {
            return found;
        }
        let tokens = lexeme::tokens(dialect.grammar(), &self.text).unwrap_or_default();
        let mut cursor = Cursor::new(dialect, &self.text, &tokens);
        if !cursor.has("references") {
            return found;
        }
        let is_new = cursor.eat("create");
        if !is_new && !cursor.eat("alter") {
            return found;
        }
        while !cursor.eat("table") {
            // `CREATE OR REPLACE TABLE`, `ALTER ONLINE TABLE`; anything else has no foreign keys.
            const BEFORE: &[&str] = &[
                "or",
                "replace",
                "unlogged",
                "temp",
                "temporary",
                "global",
                "local",
                "online",
                "ignore",
            ];
            if !BEFORE.iter().any(|word| cursor.eat(word)) {
                return found;
            }
        }
        let _ = cursor.eats(&["if", "not", "exists"]) || cursor.eats(&["if", "exists"]);
        cursor.eat("only");
        let Some(table) = cursor.name() else {
            return found;
        };
        let parts = match is_new {
            true => cursor.group().map_or_else(Vec::new, items),
            false => items(cursor.rest()),
        };
        for part in parts {
            let mut part = cursor.within(part);
            if is_new {
                found.extend(key(&mut part, &table));
                continue;
            }
            let is_changed = part.eat("change");
            if is_changed || part.eat("modify") {
                part.eat("column");
                part.eats(&["if", "exists"]);
                if is_changed {
                    let _ = part.name();
                }
                found.extend(key(&mut part, &table));
                continue;
            }
            if !part.eat("add") {
                continue;
            }
            part.eat("column");
            part.eats(&["if", "not", "exists"]);
            match part.group() {
                // MySQL's `ADD (a INT, b INT)`
                Some(several) => {
                    let several = items(several).into_iter();
                    found.extend(several.filter_map(|one| key(&mut part.within(one), &table)));
                }
                None => found.extend(key(&mut part, &table)),
            }
        }
        found
    }

    /// The tables to which it gives rows, or values, itself or by the code that it makes.
    #[must_use]
    pub fn written(&self, dialect: Dialect) -> Vec<Written> {
        let mut written = dialect.written(&self.text);
        let made = self
            .objects()
            .find(|object| object.kind == ObjectKind::Table && object.verb == Verb::Create);
        if let Some(made) = made
            && self.is_made_of_a_query(dialect)
        {
            written.push(Written {
                table: made.name.clone(),
                columns: None,
            });
        }
        written
    }

    /// Whether a table that it makes has rows from the beginning.
    fn is_made_of_a_query(&self, dialect: Dialect) -> bool {
        let words = self.words(dialect);
        let has = |wanted: &[&str]| words.windows(wanted.len()).any(|found| found == wanted);
        let of_query = [
            &["select"][..],
            &["as", "table"],
            &["as", "values"],
            &["as", "execute"],
        ];
        of_query.iter().any(|wanted| has(wanted)) && !has(&["with", "no", "data"])
    }

    /// Whether the code that it makes assigns to this column of a row that is written: `NEW.a := …`.
    #[must_use]
    pub fn assigns_new(&self, dialect: Dialect, column: &str) -> bool {
        let is_code = self
            .objects()
            .any(|object| matches!(object.kind, ObjectKind::Trigger | ObjectKind::Function));
        is_code && Said::read(dialect, &self.text).assigns_new(dialect, column)
    }
}

impl Dialect {
    /// The tables to which these statements give rows or values.
    #[must_use]
    pub fn written(self, sql: &str) -> Vec<Written> {
        Said::read(self, sql).written()
    }
}

/// The foreign key of a column or a constraint.
fn key(part: &mut Cursor<'_>, table: &str) -> Option<Reference> {
    if part.eat("constraint") {
        part.eats(&["if", "not", "exists"]);
        if !part.is_any(&["foreign"]) {
            part.name()?;
        }
    }
    let columns = if part.eats(&["foreign", "key"]) {
        part.eats(&["if", "not", "exists"]);
        if !part.is_group() {
            part.name()?;
        }
        part.columns_in_group()?
    } else {
        vec![part.name()?]
    };
    part.until("references")?;
    let parent = part.name()?;
    let parent_columns = match part.is_group() {
        true => part.columns_in_group()?,
        false => Vec::new(),
    };
    let mut reference = Reference {
        table: table.to_owned(),
        columns,
        parent,
        parent_columns,
        on_delete: Referential::Refuses,
        on_update: Referential::Refuses,
    };
    while !part.rest().is_empty() {
        if part.eats(&["on", "delete"]) {
            reference.on_delete = action(part);
        } else if part.eats(&["on", "update"]) {
            reference.on_update = action(part);
        } else if part.eats(&["not", "enforced"]) {
            return None;
        } else {
            part.skip();
        }
    }
    Some(reference)
}

fn action(part: &mut Cursor<'_>) -> Referential {
    if part.eat("cascade") {
        Referential::Cascades
    } else if part.eats(&["set", "null"]) {
        Referential::SetsNull
    } else if part.eats(&["set", "default"]) {
        Referential::SetsDefault
    } else {
        Referential::Refuses
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::parse;
    use super::*;

    /// `table.columns>parent.columns delete/update`
    fn of(dialect: Dialect, sql: &str) -> Vec<String> {
        let script = parse(dialect, sql);
        let keys = script
            .statements
            .iter()
            .flat_map(|statement| statement.references(dialect));
        keys.map(|key| {
            format!(
                "{}.{}>{}.{} {:?}/{:?}",
                key.table,
                key.columns.join(","),
                key.parent,
                key.parent_columns.join(","),
                key.on_delete,
                key.on_update
            )
        })
        .collect()
    }

    #[test]
    fn keys_are_read_in_every_form() {
        use Dialect::{Mysql, Postgres, Sqlite};
        for (dialects, sql, expected) in [
            (
                &[Sqlite, Postgres, Mysql][..],
                "CREATE TABLE IF NOT EXISTS k (a int NOT NULL REFERENCES u ON DELETE CASCADE, b int, c int, \
                 CONSTRAINT f FOREIGN KEY (b, c) REFERENCES p (x, y) ON UPDATE CASCADE ON DELETE SET NULL)",
                &["k.a>u. Cascades/Refuses", "k.b,c>p.x,y SetsNull/Cascades"][..],
            ),
            (
                &[Sqlite, Postgres, Mysql],
                "ALTER TABLE k ADD COLUMN a int REFERENCES u (id)",
                &["k.a>u.id Refuses/Refuses"],
            ),
            (
                &[Postgres],
                "ALTER TABLE ONLY k ADD a int, ADD CONSTRAINT f FOREIGN KEY (a) REFERENCES u (id) \
                 ON DELETE SET DEFAULT DEFERRABLE INITIALLY DEFERRED NOT VALID",
                &["k.a>u.id SetsDefault/Refuses"],
            ),
            (
                &[Mysql],
                "ALTER TABLE k ADD FOREIGN KEY IF NOT EXISTS f (a) REFERENCES u (id) ON DELETE RESTRICT, \
                 ADD (b INT, c INT REFERENCES v (id)), MODIFY d INT REFERENCES w (id)",
                &[
                    "k.a>u.id Refuses/Refuses",
                    "k.c>v.id Refuses/Refuses",
                    "k.d>w.id Refuses/Refuses",
                ],
            ),
            (
                &[Postgres],
                "CREATE FUNCTION f() RETURNS text LANGUAGE sql AS 'SELECT ''REFERENCES u''';\
                 COMMENT ON TABLE k IS 'references u'; GRANT REFERENCES ON k TO x",
                &[],
            ),
        ] {
            for dialect in dialects {
                assert_eq!(of(*dialect, sql), expected, "{dialect:?} {sql}");
            }
        }
    }

    #[test]
    fn rows_are_seen_wherever_they_come_from() {
        use Dialect::{Mysql, Postgres, Sqlite};
        for (dialect, sql, expected) in [
            (Sqlite, "INSERT INTO k (a, b) SELECT 1, 2", &["k(a,b)"][..]),
            (Sqlite, "INSERT INTO k SELECT id FROM u", &["k"]),
            (Sqlite, "UPDATE k SET a = 1, b = 2", &["k(a,b)"]),
            (Sqlite, "CREATE TABLE k AS SELECT 1 AS a", &["k"]),
            (Sqlite, "CREATE TABLE k (a int)", &[]),
            (
                Sqlite,
                "CREATE TRIGGER t AFTER INSERT ON u BEGIN INSERT INTO k (a) VALUES (new.id); END",
                &["k(a)"],
            ),
            (Postgres, "SELECT id AS a INTO k FROM u", &["k"]),
            (Postgres, "CREATE TABLE k AS TABLE u WITH NO DATA", &[]),
            (Postgres, "CREATE TABLE k AS TABLE u", &["k"]),
            (
                Postgres,
                "WITH x AS (INSERT INTO k (a) VALUES (1) RETURNING a) SELECT a FROM x",
                &["k(a)"],
            ),
            (
                Postgres,
                "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS \
                 $$ BEGIN INSERT INTO k (a) VALUES (NEW.id); RETURN NEW; END $$",
                &["k(a)"],
            ),
            (Mysql, "REPLACE INTO k (a) VALUES (1)", &["k(a)"]),
            (Mysql, "INSERT INTO k SET a = 1, b = 2", &["k(a,b)"]),
            (Mysql, "INSERT IGNORE k (a) VALUES (1)", &["k(a)"]),
            (
                Mysql,
                "CREATE TABLE k (a INT) SELECT id AS a FROM u",
                &["k"],
            ),
        ] {
            let script = parse(dialect, sql);
            let written = script.statements[0].written(dialect).into_iter();
            let found: Vec<String> = written
                .map(|one| match one.columns {
                    Some(columns) => format!("{}({})", one.table, columns.join(",")),
                    None => one.table,
                })
                .collect();
            assert_eq!(found, expected, "{sql}");
        }
        let code = "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS \
             $$ BEGIN NEW.a := 1; IF NEW.b > 1 THEN RETURN NULL; END IF; RETURN NEW; END $$";
        let script = parse(Postgres, code);
        assert!(script.statements[0].assigns_new(Postgres, "a"));
        assert!(!script.statements[0].assigns_new(Postgres, "b"));
    }
}
