//! Generated columns that a statement adds to a table: whether each row that others write gives them a value that fits.
//!
//! Held to have a value for every row: columns, literals, `||`, CASE, conditions and comparisons, casts to a type that holds
//! whatever it is given, arithmetic that PostgreSQL does in `numeric` or floating numbers and MySQL and MariaDB in `bigint`
//! from smaller integers, and the functions that are named in `calls.rs`. Whatever else there is may fail.

use super::lexeme;
use super::tables::{Cursor, items};
use super::{Dialect, Statement};

mod arithmetic;
mod calls;
mod expression;
pub(super) mod shape;

use expression::Expression;
use shape::Shape;

/// A generated column that some rows of others may not have a value for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Computed {
    pub table: String,
    pub column: String,
    /// Completes the sentence "this statement …".
    pub why: String,
}

/// What is known of the tables around a statement.
#[derive(Clone, Copy)]
pub struct Around<'a> {
    /// The type of a column of a table, where files tell it.
    pub kind: &'a dyn Fn(&str, &str) -> Option<String>,
}

impl Statement {
    /// The generated columns that it adds and for which rows of others may have no value. Those of SQLite take any.
    #[must_use]
    pub fn computed(&self, dialect: Dialect, around: Around<'_>) -> Vec<Computed> {
        if dialect == Dialect::Sqlite || !self.begins_with("alter") {
            return Vec::new();
        }
        let tokens = lexeme::tokens(dialect.grammar(), &self.text).unwrap_or_default();
        let mut cursor = Cursor::new(dialect, &self.text, &tokens);
        if !cursor.eat("alter") || !cursor.has("as") || cursor.until("table").is_none() {
            return Vec::new();
        }
        cursor.eats(&["if", "exists"]);
        cursor.eat("only");
        let Some(table) = cursor.name() else {
            return Vec::new();
        };
        let mut found = Vec::new();
        for action in items(cursor.rest()) {
            let mut action = cursor.within(action);
            if !action.eat("add") {
                continue;
            }
            action.eat("column");
            action.eats(&["if", "not", "exists"]);
            let columns = match action.group() {
                Some(several) => items(several),
                None => vec![action.rest()],
            };
            for column in columns {
                let mut column = action.within(column);
                found.extend(self.of_column(&mut column, &table, around));
            }
        }
        found
    }

    fn of_column(
        &self,
        cursor: &mut Cursor<'_>,
        table: &str,
        around: Around<'_>,
    ) -> Option<Computed> {
        let dialect = cursor.dialect;
        let column = cursor.name()?;
        let written = cursor.kind();
        cursor.until("as")?;
        let expression = cursor.group()?;
        let of = |name: &str| match (around.kind)(table, name) {
            Some(kind) => Shape::of_type(dialect, &kind),
            None => Shape::Unknown(name.to_owned()),
        };
        let computes = Expression {
            dialect,
            text: &self.text,
            column: &of,
        };
        let target = Shape::of_type(dialect, &written);
        let why = match computes.shape(expression) {
            Ok(shape) if shape.fits(&target, dialect) => return None,
            Ok(Shape::Unknown(name)) => format!(
                "adds `{column}` as {written}, which may not hold every value of `{name}`: its type is in no earlier migration"
            ),
            Ok(_) => format!(
                "adds `{column}` as {written}, which may not hold every value that is computed for it"
            ),
            Err(why) => format!("adds `{column}`, whose expression {why}"),
        };
        Some(Computed {
            table: table.to_owned(),
            column,
            why: format!("{why}: a row of old versions for which that is so is refused"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::parse;
    use super::*;

    const KINDS: &[(&str, &str)] = &[
        ("id", "bigint"),
        ("n", "int"),
        ("small", "smallint"),
        ("price", "numeric(10, 2)"),
        ("free", "numeric"),
        ("ratio", "double precision"),
        ("name", "varchar(50)"),
        ("email", "varchar(100)"),
        ("note", "text"),
        ("at", "timestamp"),
        ("born", "date"),
        ("is_on", "boolean"),
        ("tags", "text[]"),
        ("data", "jsonb"),
    ];

    fn is_fine(dialect: Dialect, column: &str) -> Result<(), String> {
        let script = parse(dialect, &format!("ALTER TABLE t ADD COLUMN {column}"));
        let kind = |_: &str, name: &str| {
            let known = KINDS.iter().find(|(known, _)| *known == name);
            known.map(|(_, kind)| (*kind).to_owned())
        };
        let around = Around { kind: &kind };
        match script.statements[0].computed(dialect, around).pop() {
            None => Ok(()),
            Some(found) => Err(found.why),
        }
    }

    /// What is held to have a value that fits for every row, and what is not.
    #[test]
    fn every_value_has_to_fit() {
        let postgres: &[(&str, bool)] = &[
            ("a text GENERATED ALWAYS AS (lower(email)) STORED", true),
            ("a text GENERATED ALWAYS AS (lower(gone)) STORED", true),
            ("a text GENERATED ALWAYS AS (gone) STORED", true),
            (
                "a text GENERATED ALWAYS AS (name || ' ' || gone) STORED",
                true,
            ),
            (
                "a text GENERATED ALWAYS AS (coalesce(note, name, '')) STORED",
                true,
            ),
            ("a varchar(50) GENERATED ALWAYS AS (name) STORED", true),
            (
                "a varchar(50) GENERATED ALWAYS AS (lower(trim(name))) STORED",
                true,
            ),
            (
                "a varchar(151) GENERATED ALWAYS AS (name || ' ' || email) STORED",
                true,
            ),
            (
                "a varchar(150) GENERATED ALWAYS AS (name || ' ' || email) STORED",
                false,
            ),
            ("a varchar(3) GENERATED ALWAYS AS (name) STORED", false),
            (
                "a varchar(3) GENERATED ALWAYS AS (left(name, 3)) STORED",
                true,
            ),
            (
                "a varchar(3) GENERATED ALWAYS AS (name::varchar(3)) STORED",
                true,
            ),
            ("a char(32) GENERATED ALWAYS AS (md5(note)) STORED", true),
            ("a varchar(50) GENERATED ALWAYS AS (gone) STORED", false),
            ("a varchar GENERATED ALWAYS AS (note) STORED", true),
            ("a smallint GENERATED ALWAYS AS (n) STORED", false),
            ("a smallint GENERATED ALWAYS AS (small) STORED", true),
            ("a int GENERATED ALWAYS AS (n) STORED", true),
            ("a bigint GENERATED ALWAYS AS (n) STORED", true),
            ("a int GENERATED ALWAYS AS (gone) STORED", false),
            ("a int GENERATED ALWAYS AS (id) STORED", false),
            ("a int GENERATED ALWAYS AS (n * 1000000) STORED", false),
            ("a bigint GENERATED ALWAYS AS (n * 1000000) STORED", false),
            ("a bigint GENERATED ALWAYS AS (n::bigint * 2) STORED", false),
            (
                "a numeric GENERATED ALWAYS AS (n::numeric * 1000000) STORED",
                true,
            ),
            ("a numeric GENERATED ALWAYS AS (price * n) STORED", true),
            (
                "a numeric(10, 2) GENERATED ALWAYS AS (price * n) STORED",
                false,
            ),
            (
                "a numeric(20, 2) GENERATED ALWAYS AS (price * n) STORED",
                true,
            ),
            ("a numeric(10, 2) GENERATED ALWAYS AS (price) STORED", true),
            ("a numeric(10, 4) GENERATED ALWAYS AS (price) STORED", false),
            ("a numeric(10, 2) GENERATED ALWAYS AS (free) STORED", false),
            (
                "a double precision GENERATED ALWAYS AS (ratio * 2) STORED",
                true,
            ),
            ("a real GENERATED ALWAYS AS (ratio) STORED", false),
            ("a int GENERATED ALWAYS AS (n + 1) STORED", false),
            ("a int GENERATED ALWAYS AS (length(note)) STORED", true),
            (
                "a int GENERATED ALWAYS AS (extract(year FROM at)) STORED",
                true,
            ),
            (
                "a int GENERATED ALWAYS AS (born - '2000-01-01'::date) STORED",
                false,
            ),
            ("a date GENERATED ALWAYS AS (at::date) STORED", true),
            (
                "a boolean GENERATED ALWAYS AS (n > 3 AND name IS NOT NULL OR gone LIKE 'a%') STORED",
                true,
            ),
            (
                "a boolean GENERATED ALWAYS AS (n IN (1, 2) AND NOT (id BETWEEN 1 AND 10)) STORED",
                true,
            ),
            ("a boolean GENERATED ALWAYS AS (10 / n > 3) STORED", false),
            ("a int GENERATED ALWAYS AS (n / 2) STORED", true),
            ("a text GENERATED ALWAYS AS (data ->> 'name') STORED", true),
            (
                "a varchar(20) GENERATED ALWAYS AS (data->>'name') STORED",
                false,
            ),
            (
                "a int GENERATED ALWAYS AS ((data->>'n')::int) STORED",
                false,
            ),
            (
                "a int GENERATED ALWAYS AS (CAST(name AS int)) STORED",
                false,
            ),
            ("a jsonb GENERATED ALWAYS AS (data -> 'x') STORED", true),
            (
                "a tsvector GENERATED ALWAYS AS (setweight(to_tsvector('english', coalesce(name, '')), 'A') || to_tsvector('english', note)) STORED",
                true,
            ),
            (
                "a varchar(5) GENERATED ALWAYS AS (CASE WHEN n > 10 THEN 'large' WHEN n > 5 THEN 'some' ELSE 'few' END) STORED",
                true,
            ),
            (
                "a varchar(4) GENERATED ALWAYS AS (CASE WHEN n > 10 THEN 'large' ELSE 'few' END) STORED",
                false,
            ),
            ("a text GENERATED ALWAYS AS (tags[1]) STORED", true),
            ("a mood GENERATED ALWAYS AS (gone) STORED", false),
            ("a text GENERATED ALWAYS AS (repeat(name, n)) STORED", false),
            (
                "a text COLLATE \"C\" GENERATED ALWAYS AS (name COLLATE \"C\") STORED",
                true,
            ),
            (
                "a geometry GENERATED ALWAYS AS (ST_SetSRID(ST_MakePoint(ratio, ratio), 4326)) STORED",
                true,
            ),
            ("a bigint GENERATED ALWAYS AS IDENTITY", true),
            ("a int DEFAULT 3", true),
        ];
        let mysql: &[(&str, bool)] = &[
            ("a INT AS (n * 1000000) PERSISTENT", false),
            // An upsert of any column reads the whole row, and computes it.
            ("a INT AS (n * 1000000) VIRTUAL", false),
            ("a INT AS (n * 1000000) UNIQUE", false),
            ("a BIGINT AS (n * 1000000) STORED", true),
            ("a BIGINT AS (id + 1) STORED", false),
            ("a VARCHAR(50) AS (LOWER(name)) STORED", true),
            (
                "a VARCHAR(200) GENERATED ALWAYS AS (CONCAT(name, ' ', email)) STORED",
                true,
            ),
            (
                "a VARCHAR(100) GENERATED ALWAYS AS (CONCAT(name, ' ', email)) STORED",
                false,
            ),
            (
                "a VARCHAR(255) GENERATED ALWAYS AS (CONCAT(name, ' ', gone)) STORED",
                false,
            ),
            ("a TEXT AS (CONCAT(name, ' ', gone)) STORED", true),
            (
                "a VARCHAR(151) AS (CONCAT_WS(' ', name, email)) STORED",
                true,
            ),
            ("a DECIMAL(10, 2) AS (price * 2) STORED", false),
            ("a DECIMAL(22, 2) AS (price * n) STORED", true),
            ("a TINYINT AS (n > 3) STORED", true),
            ("a INT AS (YEAR(born)) STORED", true),
            ("a INT AS (YEAR(name)) STORED", false),
            ("a DATE AS (gone) STORED", false),
            ("a INT AS (n DIV small) STORED", false),
            ("a VARCHAR(3) AS (IF(n > 1, 'yes', 'no')) STORED", true),
        ];
        let mut wrong = Vec::new();
        for (dialect, cases) in [(Dialect::Postgres, postgres), (Dialect::Mysql, mysql)] {
            for (column, expected) in cases {
                let found = is_fine(dialect, column);
                if found.is_ok() != *expected {
                    wrong.push(format!("{column}: {found:?}"));
                }
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        let any = "a INT AS (n * 1000000)";
        assert_eq!(is_fine(Dialect::Sqlite, any), Ok(()));
    }
}
