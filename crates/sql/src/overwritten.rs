//! What a statement writes anew in rows that are there, beside the columns that it fills: by what its INSERT does about a
//! conflict, and by further UPDATEs of it.

use super::Dialect;
use super::lexeme::{self, Kind, Token};
use super::tables::items;

impl Dialect {
    /// Tables and columns, each as often as it is written. What stays as it is (`a = t.a`) is none of them, and neither is
    /// what [`Dialect::filled`] tells of.
    #[must_use]
    pub fn overwritten(self, sql: &str) -> Vec<(String, String)> {
        let tokens = lexeme::tokens(self.grammar(), sql).unwrap_or_default();
        let text = Text {
            dialect: self,
            sql,
            tokens: &tokens,
        };
        let mut found = Vec::new();
        // The table of the INSERT that a conflict clause belongs to.
        let mut into = None;
        let mut has_verb = false;
        for at in 0..tokens.len() {
            if text.is(at, "into") {
                into = text.table(at + 1);
                has_verb = true;
            } else if text.is(at, "update") {
                let before =
                    |words: &[&str]| at > 0 && words.iter().any(|word| text.is(at - 1, word));
                // `FOR UPDATE`
                if before(&["for", "no"]) {
                    continue;
                }
                let (table, from) = match () {
                    () if before(&["do"]) => (into.clone(), at + 2),
                    // `ON DUPLICATE KEY UPDATE`, and `FOR NO KEY UPDATE`
                    () if before(&["key"]) && !(at > 1 && text.is(at - 2, "duplicate")) => continue,
                    () if before(&["key"]) => (into.clone(), at + 1),
                    () if !has_verb => {
                        has_verb = true;
                        continue;
                    }
                    () => match text.after_set(at) {
                        Some(from) => (text.table(at + 1), from),
                        None => continue,
                    },
                };
                let Some(table) = table else { continue };
                let columns = text.assigned(from).into_iter();
                found.extend(columns.map(|column| (table.clone(), column)));
            }
        }
        found
    }
}

struct Text<'t> {
    dialect: Dialect,
    sql: &'t str,
    tokens: &'t [Token],
}

impl Text<'_> {
    fn is(&self, at: usize, word: &str) -> bool {
        let token = self.tokens.get(at);
        token.is_some_and(|token| token.is_word(self.sql, word))
    }

    fn name(&self, token: &Token) -> Option<String> {
        let is_name = matches!(token.kind, Kind::Word | Kind::QuotedName);
        let text = is_name.then(|| token.text(self.sql))?;
        (self.dialect.grammar().identifier)(text)
    }

    /// Without the schema before it.
    fn table(&self, mut at: usize) -> Option<String> {
        while self.is(at, "only") {
            at += 1;
        }
        let is_dot = |at: usize| {
            let token = self.tokens.get(at);
            token.is_some_and(|token| token.text(self.sql) == ".")
        };
        while is_dot(at + 1) {
            at += 2;
        }
        self.name(self.tokens.get(at)?)
    }

    /// Where the SET of an UPDATE begins, which may have a join before it.
    fn after_set(&self, at: usize) -> Option<usize> {
        let mut depth = 0_usize;
        for (next, token) in self.tokens.iter().enumerate().skip(at) {
            match token.kind {
                Kind::Open => depth += 1,
                Kind::Close => depth = depth.checked_sub(1)?,
                Kind::Word if depth == 0 && self.is(next, "set") => return Some(next + 1),
                _ => {}
            }
        }
        None
    }

    /// The columns of assignments that begin here, up to the end of the query that they are in.
    fn assigned(&self, from: usize) -> Vec<String> {
        let rest = self.tokens.get(from..).unwrap_or_default();
        let mut depth = 0_usize;
        let end = rest.iter().position(|token| {
            match token.kind {
                Kind::Open => depth += 1,
                Kind::Close if depth == 0 => return true,
                Kind::Close => depth -= 1,
                _ => {}
            }
            false
        });
        let rest = rest.get(..end.unwrap_or(rest.len())).unwrap_or_default();
        let mut columns = Vec::new();
        for item in items(rest) {
            let equals = item.iter().position(|token| token.text(self.sql) == "=");
            let Some((target, value)) = equals.map(|at| item.split_at(at)) else {
                break;
            };
            let value = value.get(1..).unwrap_or_default();
            let end = value.iter().position(|token| {
                let mut ends = ["where", "returning", "from", "order", "limit"].iter();
                ends.any(|end| token.is_word(self.sql, end))
            });
            let value = end.map_or(value, |end| value.split_at(end).0);
            // `(a, b) = (…)`
            if target.first().is_some_and(|first| first.kind == Kind::Open) {
                columns.extend(target.iter().filter_map(|token| self.name(token)));
            } else if let Some(column) = target.last().and_then(|last| self.name(last))
                && !self.is_itself(&column, value)
            {
                columns.push(column);
            }
        }
        columns
    }

    /// Whether the value is what is in the row: `a`, `t.a`, but not what the INSERT would have put there.
    fn is_itself(&self, column: &str, value: &[Token]) -> bool {
        let name = match value {
            [name] => self.name(name),
            [table, dot, name] if dot.text(self.sql) == "." => {
                let is_new = ["excluded", "new"]
                    .iter()
                    .any(|new| table.is_word(self.sql, new));
                self.name(name).filter(|_| !is_new)
            }
            _ => None,
        };
        name.is_some_and(|name| self.dialect.may_be_same_name(&name, column))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_beside_what_is_filled() {
        use Dialect::{Mysql, Postgres, Sqlite};
        for (dialects, sql, expected) in [
            (
                &[Postgres, Sqlite, Mysql][..],
                "UPDATE t SET a = 1, b = 2 WHERE id > :after",
                &[][..],
            ),
            (
                &[Postgres, Sqlite, Mysql],
                "INSERT INTO t (a) SELECT a FROM s",
                &[],
            ),
            (
                &[Postgres, Sqlite],
                "INSERT INTO app.t (a) SELECT a FROM s ON CONFLICT (id) DO UPDATE SET a = t.b, \"c\" = 5, d = t.d WHERE t.x = 1",
                &["t.a", "t.c"],
            ),
            (
                &[Postgres, Sqlite],
                "INSERT INTO t (a) SELECT a FROM s ON CONFLICT (id) DO UPDATE SET (a, b) = (excluded.a, 1), c = excluded.c",
                &["t.a", "t.b", "t.c"],
            ),
            (
                &[Postgres, Sqlite],
                "INSERT INTO t (a) SELECT a FROM s ON CONFLICT DO NOTHING",
                &[],
            ),
            (
                &[Postgres],
                "WITH s AS (INSERT INTO o (id) SELECT id FROM t ON CONFLICT (id) DO UPDATE SET total = 0 RETURNING id) UPDATE t SET a = 1",
                &["o.total", "t.a"],
            ),
            (
                &[Postgres],
                "WITH s AS (UPDATE t SET a = 1 RETURNING id) UPDATE ONLY app.o SET total = coalesce(x, 1), n = 2 FROM s",
                &["o.total", "o.n"],
            ),
            (
                &[Postgres],
                "WITH s AS (SELECT id FROM t FOR NO KEY UPDATE) UPDATE t SET a = 1",
                &[],
            ),
            (
                &[Mysql],
                "INSERT INTO t (a) SELECT a FROM s ON DUPLICATE KEY UPDATE t.a = VALUES(a), n = 5, b = t.b",
                &["t.a", "t.n"],
            ),
        ] {
            for dialect in dialects {
                let found = dialect.overwritten(sql).into_iter();
                let found: Vec<String> = found.map(|(of, name)| format!("{of}.{name}")).collect();
                assert_eq!(found, expected, "{dialect:?} {sql}");
            }
        }
    }
}
