//! An INSERT of a body: what it puts where, and what becomes of a row that is there already.

use super::super::lexeme::{self, Kind, Token};
use super::super::tables::{Cursor, items};
use super::super::words::MODIFIERS;
use super::super::{Dialect, Place, Statement};
use super::Value;

/// Rows that code puts into a table.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Insert {
    pub place: Place,
    /// `None` if it names no columns: the values are those of the table in their order.
    pub columns: Option<Vec<String>>,
    /// Of each row that it puts there, as far as they are written.
    pub rows: Vec<Vec<Value>>,
    /// The table from which the values are taken, where it is one alone.
    pub from: Option<String>,
    pub clash: Clash,
}

/// What becomes of a row whose key is there already.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Clash {
    /// The statement fails, and with it the write that fired it.
    Fails,
    /// Whatever the database would refuse is left out: `INSERT IGNORE`.
    Ignores,
    /// Nothing fails, whichever key it is.
    Passes,
    /// Nothing fails where it is the key over these columns.
    PassesOn(Vec<String>),
    /// Nothing fails where it is the key of this name.
    PassesOnKey(String),
}

impl Statement {
    /// The rows that it puts into a table by itself; `None` of any other statement.
    #[must_use]
    pub fn inserts(&self, dialect: Dialect) -> Option<Insert> {
        let begins = ["insert", "with"].iter().any(|word| self.begins_with(word));
        begins.then(|| Insert::of(dialect, &self.text)).flatten()
    }
}

impl Insert {
    /// What this statement inserts; `None` if it is another one, or cannot be read.
    pub(super) fn of(dialect: Dialect, sql: &str) -> Option<Self> {
        let tokens = lexeme::tokens(dialect.grammar(), sql).ok()?;
        let begins =
            outer(&tokens).find(|at| is_one_of(sql, tokens.get(*at), &["insert", "replace"]))?;
        // `SELECT replace(a, …)`
        if begins > 0 && !is_one_of(sql, tokens.first(), &["with"]) {
            return None;
        }
        let own = tokens.get(begins..)?;
        let mut cursor = Cursor::new(dialect, sql, own);
        let replaces = cursor.eat("replace");
        cursor.eat("insert");
        let mut clash = if replaces {
            Clash::Passes
        } else {
            Clash::Fails
        };
        while !cursor.eat("into") && cursor.is_any(MODIFIERS) {
            if cursor.is_any(&["ignore"]) {
                clash = Clash::Ignores;
            } else if cursor.is_any(&["replace"]) {
                clash = Clash::Passes;
            }
            cursor.skip();
        }
        let schema = match cursor.rest() {
            [schema, dot, ..] if dot.text(sql) == "." => {
                (dialect.grammar().identifier)(schema.text(sql))
            }
            _ => None,
        };
        let place = Place {
            schema,
            table: cursor.name()?,
        };
        if cursor.eat("as") {
            cursor.name()?;
        }
        let mut columns = None;
        if cursor.is_group() {
            let mut inner = cursor.clone();
            let is_query = inner
                .group()
                .is_some_and(|group| cursor.within(group).is_any(&["select", "with"]));
            if !is_query {
                columns = Some(cursor.columns_in_group()?);
            }
        }
        if cursor.eat("overriding") {
            cursor.skip();
            cursor.eat("value");
        }
        let mut rows = Vec::new();
        let mut from = None;
        if cursor.eats(&["default", "values"]) {
            columns = Some(Vec::new());
            rows.push(Vec::new());
        } else if cursor.eat("values") || cursor.eat("value") {
            while let Some(row) = cursor.group() {
                rows.push(values(sql, items(row)));
                if !cursor.eats_sign(",") {
                    break;
                }
            }
        } else if cursor.eat("set") {
            let (names, row) = assigned(sql, &mut cursor)?;
            columns = Some(names);
            rows.push(row);
        } else {
            rows.extend(selected(sql, &cursor));
            from = source(sql, &cursor);
        }
        let on = clause(dialect, sql, own);
        Some(Self {
            place,
            columns,
            rows,
            from,
            clash: on.unwrap_or(clash),
        })
    }
}

fn is_one_of(sql: &str, token: Option<&Token>, words: &[&str]) -> bool {
    token.is_some_and(|token| words.iter().any(|word| token.is_word(sql, word)))
}

/// The places of the tokens that no parentheses hold.
fn outer(tokens: &[Token]) -> impl Iterator<Item = usize> + '_ {
    let mut depth = 0_usize;
    tokens.iter().enumerate().filter_map(move |(at, token)| {
        match token.kind {
            Kind::Open => depth += 1,
            Kind::Close => depth = depth.saturating_sub(1),
            _ => {}
        }
        (depth == 0).then_some(at)
    })
}

fn value(sql: &str, tokens: &[Token]) -> Option<Value> {
    let span = tokens.first()?.span.start..tokens.last()?.span.end;
    Some(Value {
        text: sql.get(span)?.to_owned(),
    })
}

fn values(sql: &str, items: Vec<&[Token]>) -> Vec<Value> {
    let each = items.into_iter();
    each.filter_map(|item| value(sql, item)).collect()
}

/// `a = 1, b = 2` of MySQL, up to `ON DUPLICATE KEY`.
fn assigned(sql: &str, cursor: &mut Cursor<'_>) -> Option<(Vec<String>, Vec<Value>)> {
    let rest = cursor.rest();
    let end = outer(rest).find(|at| is_one_of(sql, rest.get(*at), &["on", "returning", "as"]));
    let rest = rest.get(..end.unwrap_or(rest.len()))?;
    let mut both = (Vec::new(), Vec::new());
    for item in items(rest) {
        let mut one = cursor.within(item);
        both.0.push(one.name()?);
        if !one.eats_sign("=") {
            return None;
        }
        both.1.push(value(sql, one.rest())?);
    }
    Some(both)
}

/// What the SELECT behind the columns gives them.
fn selected(sql: &str, cursor: &Cursor<'_>) -> Option<Vec<Value>> {
    const ENDS: &[&str] = &[
        "from",
        "where",
        "on",
        "union",
        "group",
        "having",
        "order",
        "limit",
        "returning",
        "except",
        "intersect",
    ];
    let mut cursor = cursor.clone();
    if cursor.is_group() {
        let inner = cursor.group()?;
        cursor = cursor.within(inner);
    }
    if !cursor.eat("select") {
        return None;
    }
    let _ = cursor.eat("all") || cursor.eat("distinct");
    let rest = cursor.rest();
    // `IS DISTINCT FROM` compares.
    let end = outer(rest).find(|at| {
        is_one_of(sql, rest.get(*at), ENDS)
            && !at
                .checked_sub(1)
                .is_some_and(|before| is_one_of(sql, rest.get(before), &["distinct"]))
    });
    let listed = items(rest.get(..end.unwrap_or(rest.len()))?);
    let without_alias = listed.into_iter().map(|item| {
        let (mut depth, mut cases) = (0_usize, 0_usize);
        let alias = item.iter().position(|token| {
            match token.kind {
                Kind::Open => depth += 1,
                Kind::Close => depth = depth.saturating_sub(1),
                _ if token.is_word(sql, "case") => cases += 1,
                _ if token.is_word(sql, "end") => cases = cases.saturating_sub(1),
                _ => {}
            }
            depth == 0 && cases == 0 && token.is_word(sql, "as")
        });
        item.get(..alias.unwrap_or(item.len())).unwrap_or_default()
    });
    Some(values(sql, without_alias.collect()))
}

/// The one table of `SELECT … FROM table WHERE …`.
fn source(sql: &str, cursor: &Cursor<'_>) -> Option<String> {
    let rest = cursor.rest();
    let is = |at: usize, words: &[&str]| is_one_of(sql, rest.get(at), words);
    let from = outer(rest).find(|at| {
        is(*at, &["from"])
            && !at
                .checked_sub(1)
                .is_some_and(|before| is(before, &["distinct"]))
    })?;
    let mut behind = cursor.within(rest.get(from + 1..)?);
    let table = behind.name()?;
    let others = behind.rest();
    let end = outer(others).find(|at| is_one_of(sql, others.get(*at), &["where", "on"]));
    let others = others.get(..end.unwrap_or(others.len()))?;
    let is_more = |token: &Token| token.kind == Kind::Comma || token.is_word(sql, "join");
    (!others.iter().any(is_more)).then_some(table)
}

/// `ON CONFLICT …`, `ON DUPLICATE KEY UPDATE …`
fn clause(dialect: Dialect, sql: &str, tokens: &[Token]) -> Option<Clash> {
    let is = |at: usize, word: &str| is_one_of(sql, tokens.get(at), &[word]);
    let at = outer(tokens)
        .find(|at| is(*at, "on") && (is(at + 1, "conflict") || is(at + 1, "duplicate")))?;
    if is(at + 1, "duplicate") {
        return Some(Clash::Passes);
    }
    let mut cursor = Cursor::new(dialect, sql, tokens.get(at + 2..)?);
    if cursor.eats(&["on", "constraint"]) {
        return cursor.name().map(Clash::PassesOnKey);
    }
    if !cursor.is_group() {
        return Some(Clash::Passes);
    }
    let group = cursor.group()?;
    Some(Clash::PassesOn(cursor.names_in(group)))
}

#[cfg(test)]
mod tests {
    use super::{Clash, Insert};
    use crate::Dialect;

    fn shown(dialect: Dialect, sql: &str) -> String {
        let Some(insert) = Insert::of(dialect, sql) else {
            return "-".to_owned();
        };
        let rows = insert.rows.iter().map(|row| {
            let row: Vec<&str> = row.iter().map(|value| value.text.as_str()).collect();
            row.join(" | ")
        });
        let rows: Vec<String> = rows.collect();
        let clash = match &insert.clash {
            Clash::Fails => String::new(),
            Clash::Ignores => " ignores".to_owned(),
            Clash::Passes => " passes".to_owned(),
            Clash::PassesOn(columns) => format!(" on {}", columns.join("+")),
            Clash::PassesOnKey(key) => format!(" on key {key}"),
        };
        let columns = insert.columns.map(|columns| columns.join("+"));
        format!(
            "{}({}) {}{clash}",
            insert.place.table,
            columns.as_deref().unwrap_or("*"),
            rows.join(" / ")
        )
    }

    #[test]
    fn what_is_inserted_is_read_in_every_form() {
        use Dialect::{Mysql, Postgres, Sqlite};
        for (dialect, sql, expected) in [
            (
                Postgres,
                "INSERT INTO s.slugs VALUES (NEW.id, lower(NEW.name))",
                "slugs(*) NEW.id | lower(NEW.name)",
            ),
            (
                Postgres,
                "INSERT INTO slugs AS s (id, slug) SELECT NEW.id, CASE WHEN NEW.a IS DISTINCT FROM 1 THEN 'a' END AS x FROM users WHERE true ON CONFLICT (id, lower(slug)) DO NOTHING",
                "slugs(id+slug) NEW.id | CASE WHEN NEW.a IS DISTINCT FROM 1 THEN 'a' END on id+slug",
            ),
            (
                Postgres,
                "WITH x AS (SELECT 1) INSERT INTO slugs (id) VALUES (1), (2) ON CONFLICT ON CONSTRAINT slugs_pkey DO UPDATE SET id = 1",
                "slugs(id) 1 / 2 on key slugs_pkey",
            ),
            (
                Postgres,
                "INSERT INTO slugs DEFAULT VALUES ON CONFLICT DO NOTHING",
                "slugs()  passes",
            ),
            (Postgres, "SELECT replace(a, 'b', 'c') FROM slugs", "-"),
            (
                Mysql,
                "INSERT IGNORE INTO `slugs` SET id = NEW.id, slug = LOWER(NEW.name)",
                "slugs(id+slug) NEW.id | LOWER(NEW.name) ignores",
            ),
            (
                Mysql,
                "INSERT slugs VALUES (NEW.id) ON DUPLICATE KEY UPDATE id = NEW.id",
                "slugs(*) NEW.id passes",
            ),
            (
                Mysql,
                "REPLACE slugs (id) VALUES (NEW.id)",
                "slugs(id) NEW.id passes",
            ),
            (
                Sqlite,
                "INSERT OR REPLACE INTO slugs VALUES (NEW.id)",
                "slugs(*) NEW.id passes",
            ),
            (Sqlite, "UPDATE slugs SET id = 1", "-"),
        ] {
            assert_eq!(shown(dialect, sql), expected, "{sql}");
        }
    }
}
