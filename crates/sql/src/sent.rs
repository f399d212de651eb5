//! What one statement of an application writes, and what else it names: by its words alone.

use super::Dialect;
use super::lexeme::{self, Kind, Token};

/// What a statement does with rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sent {
    /// It only reads.
    Query,
    /// It writes rows of one table.
    Write {
        table: String,
        /// The columns that it says a value for; `None` where it lists none, and writes rows whole.
        columns: Option<Vec<String>>,
        /// All that it names besides: what it reads, if that is the name of anything.
        reads: Vec<String>,
    },
}

const VERBS: &[&str] = &["insert", "replace", "update", "delete", "merge"];

impl Dialect {
    /// What a statement does; `None` where its words do not tell.
    #[must_use]
    pub fn sent(self, statement: &str) -> Option<Sent> {
        let tokens = lexeme::tokens(self.grammar(), statement).ok()?;
        let words = Words {
            dialect: self,
            text: statement,
            tokens: &tokens,
        };
        match words.word(0).as_str() {
            "insert" | "replace" => words.inserted(),
            "update" => words.updated(),
            "delete" => words.deleted(),
            // A CTE may write, and then nobody can say by the words which part is which.
            _ if (0..tokens.len()).any(|at| words.is_verb(at)) => None,
            _ => Some(Sent::Query),
        }
    }
}

struct Words<'t> {
    dialect: Dialect,
    text: &'t str,
    tokens: &'t [Token],
}

impl Words<'_> {
    fn word(&self, at: usize) -> String {
        let token = self.tokens.get(at);
        token.map_or_else(String::new, |token| token.text(self.text).to_lowercase())
    }

    /// `FOR UPDATE`, and a function of that name, write nothing.
    fn is_verb(&self, at: usize) -> bool {
        let is_keyword = |token: &Token| token.kind == Kind::Word;
        self.tokens.get(at).is_some_and(is_keyword)
            && VERBS.contains(&self.word(at).as_str())
            && self.word(at + 1) != "("
            && !(at > 0 && ["for", "key"].contains(&self.word(at - 1).as_str()))
    }

    fn name(&self, at: usize) -> Option<String> {
        let token = self.tokens.get(at)?;
        let is_name = matches!(token.kind, Kind::Word | Kind::QuotedName);
        let name = is_name.then(|| (self.dialect.grammar().identifier)(token.text(self.text)))?;
        name.map(|name| name.to_string())
    }

    /// The name of a table that begins here, without its schema, and where what follows begins.
    fn table(&self, at: usize) -> Option<(String, usize)> {
        let mut end = at + 1;
        let mut name = self.name(at)?;
        while self.word(end) == "." {
            name = self.name(end + 1)?;
            end += 2;
        }
        Some((name, end))
    }

    fn skip(&self, mut at: usize, words: &[&str]) -> usize {
        while words.contains(&self.word(at).as_str()) {
            at += 1;
        }
        at
    }

    /// All names from here on but these.
    fn names(&self, from: usize, but: &[String]) -> Vec<String> {
        let names = (from..self.tokens.len()).filter_map(|at| self.name(at));
        let mut found: Vec<String> = names.filter(|name| !but.contains(name)).collect();
        found.sort();
        found.dedup();
        found
    }

    /// The columns that what follows `SET` assigns to, and the names of what they get.
    fn assigned(&self, from: usize) -> Option<(Vec<String>, Vec<String>)> {
        let rest = self.tokens.get(from..)?;
        let assigned = lexeme::assigned(self.text, rest)?;
        let mut columns = Vec::new();
        for name in &assigned {
            columns.push((self.dialect.grammar().identifier)(name)?.to_string());
        }
        // A column that is assigned to may be read as well: each is written once.
        let mut left = columns.clone();
        let mut reads = Vec::new();
        for at in from..self.tokens.len() {
            let Some(name) = self.name(at) else {
                continue;
            };
            match left.iter().position(|column| *column == name) {
                Some(at) => {
                    left.swap_remove(at);
                }
                None => reads.push(name),
            }
        }
        Some((columns, reads))
    }

    fn inserted(&self) -> Option<Sent> {
        let modifiers = [
            "insert",
            "replace",
            "or",
            "ignore",
            "abort",
            "fail",
            "rollback",
            "into",
            "low_priority",
            "high_priority",
            "delayed",
        ];
        let (table, mut at) = self.table(self.skip(0, &modifiers))?;
        if self.word(at) == "as" {
            at += 2;
        }
        let mut columns = None;
        let is_list = self.word(at) == "("
            && !["select", "with", "values"].contains(&self.word(at + 1).as_str());
        if is_list {
            let close = (at..self.tokens.len()).find(|at| self.word(*at) == ")")?;
            let listed = (at + 1..close).filter_map(|at| self.name(at));
            columns = Some(listed.collect::<Vec<_>>());
            at = close + 1;
        }
        let mut reads = self.names(at, &[]);
        // MySQL's `INSERT t SET a = 1`, `ON CONFLICT … DO UPDATE SET`, `ON DUPLICATE KEY UPDATE`
        let set = (at..self.tokens.len()).find(|at| self.word(*at) == "set");
        let duplicate = (at + 1..self.tokens.len())
            .find(|at| self.word(*at) == "update" && self.word(at - 1) == "key");
        if let Some(set) = set {
            let (assigned, others) = self.assigned(set)?;
            reads = self.names(at, &assigned);
            reads.extend(others);
            columns = match (columns, set == at) {
                (None, true) => Some(assigned),
                (None, false) => None,
                (Some(listed), _) => Some(joined(listed, assigned)),
            };
        } else if let Some(update) = duplicate {
            // What stands before each `=` is written.
            let is_assigned = |at: &usize| self.word(at + 1) == "=";
            let assigned = (update + 1..self.tokens.len()).filter(is_assigned);
            let assigned: Vec<String> = assigned.filter_map(|at| self.name(at)).collect();
            columns = columns.map(|listed| joined(listed, assigned));
        }
        Some(Sent::Write {
            table,
            columns,
            reads,
        })
    }

    fn updated(&self) -> Option<Sent> {
        let start = self.skip(
            1,
            &[
                "or",
                "ignore",
                "replace",
                "abort",
                "fail",
                "rollback",
                "only",
                "low_priority",
            ],
        );
        let (table, at) = self.table(start)?;
        let set = (at..self.tokens.len()).find(|at| self.word(*at) == "set")?;
        // Of several tables nobody can say which column is whose.
        if (at..set).any(|at| ["join", ","].contains(&self.word(at).as_str())) {
            return None;
        }
        let (columns, reads) = self.assigned(set)?;
        Some(Sent::Write {
            table,
            columns: Some(columns),
            reads,
        })
    }

    fn deleted(&self) -> Option<Sent> {
        let start = self.skip(1, &["from", "only", "low_priority", "quick", "ignore"]);
        if self.word(start - 1) == "delete" {
            return None;
        }
        let (table, at) = self.table(start)?;
        Some(Sent::Write {
            table,
            // It says a value for none.
            columns: Some(Vec::new()),
            reads: self.names(at, &[]),
        })
    }
}

fn joined(mut first: Vec<String>, second: Vec<String>) -> Vec<String> {
    for name in second {
        if !first.contains(&name) {
            first.push(name);
        }
    }
    first
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Dialect; 3] = [Dialect::Sqlite, Dialect::Postgres, Dialect::Mysql];

    fn write(dialect: Dialect, sql: &str) -> (String, Option<Vec<String>>, Vec<String>) {
        match dialect.sent(sql) {
            Some(Sent::Write {
                table,
                columns,
                reads,
            }) => (table, columns, reads),
            other => panic!("{sql}: {other:?}"),
        }
    }

    #[test]
    fn what_is_written_is_told_from_what_is_read() {
        for (sql, table, columns, reads, not) in [
            (
                "UPDATE users SET name = 'x' WHERE full_name = 'y'",
                "users",
                vec!["name"],
                "full_name",
                "name",
            ),
            (
                "UPDATE users AS u SET a = a + 1, b = 2",
                "users",
                vec!["a", "b"],
                "a",
                "b",
            ),
            (
                "INSERT INTO users (id, name) VALUES (1, 'full_name')",
                "users",
                vec!["id", "name"],
                "",
                "full_name",
            ),
            (
                "INSERT INTO k (id) SELECT old_id FROM t",
                "k",
                vec!["id"],
                "old_id",
                "id",
            ),
            (
                "DELETE FROM users WHERE full_name = 'x'",
                "users",
                vec![],
                "full_name",
                "users",
            ),
        ] {
            for dialect in ALL {
                let found = write(dialect, sql);
                assert_eq!(found.0, table, "{sql}");
                let columns: Vec<String> = columns.iter().map(ToString::to_string).collect();
                assert_eq!(found.1, Some(columns), "{sql}");
                assert!(
                    reads.is_empty() || found.2.contains(&reads.to_owned()),
                    "{sql} {found:?}"
                );
                assert!(!found.2.contains(&not.to_owned()), "{sql} {found:?}");
            }
        }
        let found = write(
            Dialect::Postgres,
            "INSERT INTO \"Users\" (id, a) VALUES (1, 2) ON CONFLICT (id) DO UPDATE SET b = excluded.a",
        );
        assert_eq!(found.0, "Users");
        assert_eq!(
            found.1,
            Some(vec!["id".to_owned(), "a".to_owned(), "b".to_owned()])
        );
        let found = write(
            Dialect::Mysql,
            "INSERT INTO t (id) VALUES (1) ON DUPLICATE KEY UPDATE b = 2, c = id",
        );
        assert_eq!(
            found.1,
            Some(vec!["id".to_owned(), "b".to_owned(), "c".to_owned()])
        );
        assert_eq!(
            write(Dialect::Mysql, "INSERT t SET a = 1").1,
            Some(vec!["a".to_owned()])
        );
        assert_eq!(
            write(Dialect::Sqlite, "INSERT INTO main.t VALUES (1)"),
            ("t".to_owned(), None, vec!["VALUES".to_owned()])
        );
    }

    #[test]
    fn what_only_reads_and_what_cannot_be_told() {
        for dialect in ALL {
            assert_eq!(
                dialect.sent("SELECT 1 FROM t WHERE a = 'update t set'"),
                Some(Sent::Query)
            );
            assert_eq!(
                dialect.sent("WITH a AS (SELECT 1) SELECT * FROM a"),
                Some(Sent::Query)
            );
            assert_eq!(
                dialect.sent("WITH a AS (SELECT 1) UPDATE t SET b = 1"),
                None
            );
        }
        let query = "SELECT a, replace(a, 'b', 'c') FROM t FOR UPDATE";
        assert_eq!(Dialect::Postgres.sent(query), Some(Sent::Query));
        assert_eq!(Dialect::Mysql.sent("UPDATE a, b SET a.x = b.y"), None);
        assert_eq!(Dialect::Mysql.sent("DELETE a FROM a JOIN b"), None);
    }
}
