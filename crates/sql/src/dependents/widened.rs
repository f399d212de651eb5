//! Code that counts the columns of a table, and fails as soon as there is one more.

use super::super::{Dialect, ObjectKind, Script, Statement, Verb};
use super::{Dependent, Dependents, names};
use crate::catalogue::Runs;

/// Code that the new column of the statement at `index` makes fail.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Widened {
    pub index: usize,
    pub table: String,
    pub dependent: Dependent,
    /// The function by which a trigger does it.
    pub by: Option<String>,
}

impl Widened {
    pub fn sentence(&self) -> String {
        let Dependent { word, name, .. } = &self.dependent;
        let on = self.dependent.table.as_deref();
        let on = on.map_or_else(String::new, |table| format!(" of `{table}`"));
        let by = self.by.as_deref();
        let by = by.map_or_else(String::new, |function| {
            format!(", by its function `{function}`,")
        });
        let fails = match &self.dependent.table {
            Some(table) => format!("statements that write `{table}` would fail"),
            None => "whoever uses it would fail".to_owned(),
        };
        format!(
            "the {word} `{name}`{on}{by} inserts as many values as `{}` has had columns, and with one more {fails}",
            self.table
        )
    }
}

impl Script {
    /// The columns that it adds to tables that it does not make, with the statement that does.
    fn widens(&self) -> impl Iterator<Item = (usize, &str)> {
        let is_made = |table: &str| {
            let mut made = self.statements.iter().flat_map(Statement::objects);
            made.any(|object| {
                (object.kind, object.verb) == (ObjectKind::Table, Verb::Create)
                    && self.dialect.same_name(&object.name, table)
            })
        };
        let statements = self.statements.iter().enumerate();
        let added = statements.flat_map(|(index, statement)| {
            let columns = statement
                .objects()
                .filter(|object| (object.kind, object.verb) == (ObjectKind::Column, Verb::Create));
            columns.filter_map(move |object| Some((index, object.table.as_deref()?)))
        });
        added.filter(move |(_, table)| !is_made(table))
    }

    /// Whether it gives tables that it does not make more columns.
    #[must_use]
    pub fn adds_columns(&self) -> bool {
        self.widens().next().is_some()
    }
}

impl Dependents {
    /// What of the code that was there fails once the script has added its columns, and what of the code that it puts in its place.
    /// Where statements are committed one by one, whatever is mended behind them is mended too late.
    #[must_use]
    pub fn broken_by_columns(&self, script: &Script) -> Vec<Widened> {
        let mut found: Vec<Widened> = Vec::new();
        for (index, table) in script.widens() {
            let mut code = self.clone();
            let until = match script.dialect {
                Dialect::Mysql => index,
                Dialect::Postgres | Dialect::Sqlite => script.statements.len(),
            };
            for statement in script.statements.iter().take(until) {
                code.apply(statement);
            }
            let grows_too = |other: &str| {
                let mut widened = script.widens();
                widened.any(|(_, table)| self.dialect.may_be_same_name(table, other))
            };
            for one in code.all.iter().filter(|one| one.kind != ObjectKind::View) {
                if matches!(one.runs, Runs::ByTriggers | Runs::Elsewhere | Runs::Never) {
                    continue;
                }
                let is_on = one
                    .table
                    .as_deref()
                    .is_some_and(|on| self.dialect.may_be_same_name(on, table));
                let function = one.calls.as_deref().and_then(|calls| {
                    code.all.iter().find(|function| {
                        function.kind == ObjectKind::Function
                            && self.dialect.may_be_same_name(&function.name, calls)
                    })
                });
                let body = &function.unwrap_or(one).body;
                let known = |known: &Widened| known.dependent == *one && known.table == table;
                if names::counts_columns(self.dialect, body, (table, is_on), &grows_too)
                    && !found.iter().any(known)
                {
                    found.push(Widened {
                        index,
                        table: table.to_owned(),
                        dependent: one.clone(),
                        by: function.map(|function| function.name.clone()),
                    });
                }
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::Dialect;
    use super::super::super::tests::parse;
    use super::Dependents;

    #[test]
    fn code_that_counts_columns_fails_with_one_more() {
        use Dialect::{Mysql, Postgres};
        let plpgsql = |body: &str| {
            format!(
                "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} RETURN NEW; END $$;\n\
                 CREATE TRIGGER g AFTER UPDATE ON users FOR EACH ROW EXECUTE FUNCTION f();"
            )
        };
        let add = "ALTER TABLE users ADD COLUMN z int;";
        let mended = format!(
            "{add} CREATE OR REPLACE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO audit (id) VALUES (NEW.id); RETURN NEW; END $$;"
        );
        let both = format!("{add} ALTER TABLE audit ADD COLUMN z int;");
        for (dialect, code, script, breaks) in [
            (Postgres, plpgsql("INSERT INTO audit SELECT NEW.*;"), add, true),
            (Postgres, plpgsql("INSERT INTO audit SELECT NEW.*, now();"), add, true),
            (Postgres, plpgsql("INSERT INTO audit (id, name) VALUES (NEW.*);"), add, true),
            (Postgres, plpgsql("INSERT INTO audit SELECT (NEW).*;"), add, true),
            (
                Postgres,
                plpgsql("INSERT INTO audit SELECT * FROM users WHERE id = NEW.id;"),
                add,
                true,
            ),
            (
                Postgres,
                plpgsql("INSERT INTO audit SELECT u.* FROM public.users AS u;"),
                add,
                true,
            ),
            (Postgres, plpgsql("INSERT INTO audit SELECT NEW.*;"), &both, false),
            (Postgres, plpgsql("INSERT INTO audit SELECT NEW.*;"), &mended, false),
            (
                Postgres,
                plpgsql("INSERT INTO audit SELECT NEW.*;"),
                "ALTER TABLE orders ADD COLUMN z int;",
                false,
            ),
            (
                Postgres,
                plpgsql("INSERT INTO audit (row) SELECT to_jsonb(NEW.*);"),
                add,
                false,
            ),
            (
                Postgres,
                plpgsql("INSERT INTO audit (n) SELECT count(*) FROM users;"),
                add,
                false,
            ),
            (
                Postgres,
                plpgsql("IF row(NEW.*) IS DISTINCT FROM row(OLD.*) THEN INSERT INTO audit (n) VALUES (NEW.n * 2); END IF;"),
                add,
                false,
            ),
            // It takes fewer values than columns.
            (Postgres, plpgsql("INSERT INTO users VALUES (7, 'x');"), add, false),
            (
                Mysql,
                "CREATE TRIGGER g AFTER INSERT ON orders FOR EACH ROW INSERT INTO users VALUES (1, 'x');".to_owned(),
                add,
                true,
            ),
            (
                Mysql,
                "CREATE TRIGGER g AFTER INSERT ON orders FOR EACH ROW INSERT INTO audit SELECT * FROM users;".to_owned(),
                add,
                true,
            ),
            (
                Mysql,
                "CREATE TRIGGER g AFTER INSERT ON orders FOR EACH ROW INSERT INTO users (id, name) VALUES (1, 'x');".to_owned(),
                add,
                false,
            ),
        ] {
            let made = Dependents::made_by(&parse(dialect, &code));
            let found = made.broken_by_columns(&parse(dialect, script));
            let names: Vec<&str> = found.iter().map(|one| one.dependent.name.as_str()).collect();
            let expected: &[&str] = if breaks { &["g"] } else { &[] };
            assert_eq!(names, expected, "{code} {script}");
        }
    }
}
