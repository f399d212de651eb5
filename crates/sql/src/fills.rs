//! From what an `INSERT … SELECT` fills each column: by its words alone.

use super::lexeme::{self, Kind, Token};
use super::tables::{Cursor, items};
use super::{Dialect, Statement};

/// What an `INSERT … SELECT` fills, and from what.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fills {
    pub table: String,
    /// `None` if it names no columns: they are filled in the order of the table.
    pub columns: Option<Vec<String>>,
    /// In the order of the columns.
    pub from: Vec<Source>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Source {
    /// `*`
    All,
    /// A column as it is, or in another type, or something else where it is NULL.
    Column(String),
    /// As written.
    Expression(String),
}

impl Statement {
    /// What it fills by one SELECT; `None` if it does something else, or in a way that is not understood.
    #[must_use]
    pub fn fills(&self, dialect: Dialect) -> Option<Fills> {
        let tokens = lexeme::tokens(dialect.grammar(), &self.text).ok()?;
        let mut cursor = Cursor::new(dialect, &self.text, &tokens);
        if !(cursor.eat("insert") || cursor.eat("replace")) || cursor.has("with") {
            return None;
        }
        cursor.until("into")?;
        let table = cursor.name()?;
        let is_query = |cursor: &Cursor<'_>| {
            let mut inner = cursor.clone();
            let group = inner.group();
            group.is_some_and(|group| inner.within(group).is_any(&["select"]))
        };
        let columns = match cursor.is_group() && !is_query(&cursor) {
            true => Some(cursor.columns_in_group()?),
            false => None,
        };
        cursor.until("select")?;
        cursor.eat("all");
        let listed = before_from(&self.text, cursor.rest());
        let from = items(listed).into_iter();
        let from = from.map(|item| source(dialect, &self.text, item));
        Some(Fills {
            table,
            columns,
            from: from.collect(),
        })
    }
}

fn before_from<'t>(text: &str, tokens: &'t [Token]) -> &'t [Token] {
    let mut depth = 0_usize;
    let end = tokens.iter().position(|token| {
        match token.kind {
            Kind::Open => depth += 1,
            Kind::Close if depth == 0 => return true,
            Kind::Close => depth -= 1,
            _ => {}
        }
        depth == 0 && token.is_word(text, "from")
    });
    tokens
        .get(..end.unwrap_or(tokens.len()))
        .unwrap_or_default()
}

fn source(dialect: Dialect, text: &str, item: &[Token]) -> Source {
    if item.last().is_some_and(|last| last.text(text) == "*") && item.len() < 4 {
        return Source::All;
    }
    let mut cursor = Cursor::new(dialect, text, item);
    match kept(&mut cursor) {
        Some(column) if is_alias(&mut cursor) => Source::Column(column),
        _ => {
            let span = item.first().zip(item.last());
            let written = span.and_then(|(first, last)| text.get(first.span.start..last.span.end));
            Source::Expression(written.unwrap_or_default().to_owned())
        }
    }
}

/// A column whose value stays what it is wherever there is one.
fn kept(cursor: &mut Cursor<'_>) -> Option<String> {
    let is_call = ["cast", "coalesce", "ifnull"]
        .into_iter()
        .any(|name| cursor.eat(name));
    if cursor.is_group() {
        let group = cursor.group()?;
        let mut inner = cursor.within(items(group).first()?);
        let column = kept(&mut inner)?;
        let is_whole = inner.rest().is_empty() || is_call && inner.eat("as");
        return is_whole.then_some(column);
    }
    let column = cursor.name()?;
    if cursor.is_group() {
        return None;
    }
    // `a::text`, `a COLLATE "C"`
    let is_cast = cursor.eats_sign("::") || cursor.eats_sign(":") && cursor.eats_sign(":");
    if is_cast || cursor.eat("collate") {
        cursor.name()?;
        let _ = cursor.group();
    }
    Some(column)
}

fn is_alias(cursor: &mut Cursor<'_>) -> bool {
    cursor.eat("as");
    cursor.rest().is_empty() || cursor.is_one()
}

#[cfg(test)]
mod tests {
    use super::super::tests::parse;
    use super::Source::{All, Column, Expression};
    use super::*;

    #[test]
    fn each_column_has_its_source() {
        let column = |name: &str| Column(name.to_owned());
        for (sql, columns, from) in [
            (
                "INSERT INTO k (id, email) SELECT id, u.email AS e FROM users u WHERE id > 3",
                Some(vec!["id", "email"]),
                vec![column("id"), column("email")],
            ),
            ("INSERT INTO k SELECT * FROM users", None, vec![All]),
            (
                "INSERT INTO k SELECT coalesce(a, 0), CAST(b AS text), (c) AS d, lower(e), 0, f + 1 FROM t",
                None,
                vec![
                    column("a"),
                    column("b"),
                    column("c"),
                    Expression("lower(e)".to_owned()),
                    Expression("0".to_owned()),
                    Expression("f + 1".to_owned()),
                ],
            ),
        ] {
            for dialect in [Dialect::Sqlite, Dialect::Postgres, Dialect::Mysql] {
                let found = parse(dialect, sql).statements[0].fills(dialect).unwrap();
                assert_eq!(found.table, "k");
                let named = found.columns.as_ref();
                let named = named.map(|names| names.iter().map(String::as_str).collect::<Vec<_>>());
                assert_eq!(named, columns, "{sql}");
                assert_eq!(found.from, from, "{dialect:?} {sql}");
            }
        }
        let group = parse(Dialect::Postgres, "INSERT INTO k (SELECT u.* FROM users u)");
        let found = group.statements[0].fills(Dialect::Postgres).unwrap();
        assert_eq!((found.columns, found.from), (None, vec![All]));
        let cast = parse(
            Dialect::Postgres,
            "INSERT INTO k SELECT a::varchar(5) FROM t",
        );
        let found = cast.statements[0].fills(Dialect::Postgres).unwrap();
        assert_eq!(found.from, [column("a")]);
        for sql in [
            "INSERT INTO k VALUES (1)",
            "UPDATE k SET a = 1",
            "WITH x AS (SELECT 1) INSERT INTO k SELECT * FROM x",
        ] {
            let script = parse(Dialect::Postgres, sql);
            assert_eq!(script.statements[0].fills(Dialect::Postgres), None, "{sql}");
        }
    }
}
