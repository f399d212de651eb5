//! What scripts make that must not be there before: where it is, they have run already.

use super::lexeme;
use super::{Dialect, Effect, Made, Object, ObjectKind, Script, Statement, Verb};

/// Goes through the scripts of a project in the order in which they are meant to run.
///
/// Invariant: nothing is called made that could have been there when the script was run for the first time. What an earlier
/// statement takes away, or may take away, is not.
pub struct Making {
    dialect: Dialect,
    /// Tables and columns whose names are free after what was read so far.
    freed: Vec<Made>,
    may_have_freed_more: bool,
}

impl Making {
    #[must_use]
    pub const fn new(dialect: Dialect) -> Self {
        Self {
            dialect,
            freed: Vec::new(),
            may_have_freed_more: false,
        }
    }

    /// The tables and columns that a script makes.
    pub fn read(&mut self, script: &Script) -> Vec<Made> {
        let mut made = Vec::new();
        for statement in &script.statements {
            self.free(statement);
            if is_temporary(self.dialect, statement) {
                continue;
            }
            let new = statement.objects().filter(|object| {
                object.verb == Verb::Create && !object.if_exists_or_not && !self.is_free(object)
            });
            made.extend(new.filter_map(Made::of));
        }
        made
    }

    fn free(&mut self, statement: &Statement) {
        let objects = statement.objects();
        // What is done in words that are not understood may be anything, and so may what goes along with a schema.
        self.may_have_freed_more |= match statement.effect {
            Effect::Unknown { .. } => statement.object.is_none(),
            _ => objects.clone().any(|object| {
                object.verb == Verb::Drop
                    && matches!(object.kind, ObjectKind::Schema | ObjectKind::Database)
            }),
        };
        let goes = |object: &&Object| matches!(object.verb, Verb::Drop | Verb::Rename);
        self.freed.extend(objects.filter(goes).filter_map(Made::of));
    }

    fn is_free(&self, object: &Object) -> bool {
        let Some(made) = Made::of(object) else {
            return true;
        };
        let same = |a: &str, b: &str| self.dialect.may_be_same_name(a, b);
        let frees = |freed: &Made| {
            same(&freed.table, &made.table)
                && match (&freed.column, &made.column) {
                    (None, _) => true,
                    (Some(freed), Some(made)) => same(freed, made),
                    (Some(_), None) => false,
                }
        };
        self.may_have_freed_more || self.freed.iter().any(frees)
    }
}

/// One of the same name may be there, which it only hides.
fn is_temporary(dialect: Dialect, statement: &Statement) -> bool {
    let makes_table = statement
        .objects()
        .any(|object| object.kind == ObjectKind::Table && object.verb == Verb::Create);
    let text = &statement.text;
    makes_table
        && lexeme::tokens(dialect.grammar(), text).map_or(true, |tokens| {
            let mut first = tokens.iter().take(4);
            first.any(|token| token.is_word(text, "TEMP") || token.is_word(text, "TEMPORARY"))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(dialect: Dialect, scripts: &[&str]) -> Vec<String> {
        let mut making = Making::new(dialect);
        let scripts = scripts.iter().flat_map(|text| {
            let script = Script::parse(dialect, text).unwrap();
            making.read(&script)
        });
        scripts
            .map(|made| match made.column {
                Some(column) => format!("{}.{column}", made.table),
                None => made.table,
            })
            .collect()
    }

    #[test]
    fn what_a_script_makes_and_nothing_that_may_be_there() {
        for (scripts, expected) in [
            (&["CREATE TABLE a (id INT)"][..], &["a"][..]),
            (&["CREATE TABLE IF NOT EXISTS a (id INT)"], &[]),
            (&["ALTER TABLE a ADD COLUMN b INT"], &["a.b"]),
            (
                &["ALTER TABLE a ADD COLUMN b INT; CREATE INDEX i ON a (b)"],
                &["a.b"],
            ),
            (&["ALTER TABLE a RENAME TO b; CREATE TABLE a (id INT)"], &[]),
            (&["DROP TABLE a", "CREATE TABLE a (id INT)"], &[]),
            (
                &[
                    "DROP TABLE IF EXISTS a; CREATE TABLE a (id INT); ALTER TABLE a ADD COLUMN b INT",
                ],
                &[],
            ),
            (
                &[
                    "ALTER TABLE a DROP COLUMN b; ALTER TABLE a ADD COLUMN b INT; ALTER TABLE a ADD COLUMN c INT",
                ],
                &["a.c"],
            ),
            (
                &["ALTER TABLE a RENAME COLUMN b TO c; ALTER TABLE a ADD COLUMN b INT"],
                &[],
            ),
            // A table that is built anew: what it is made under is new.
            (
                &["CREATE TABLE a_new (id INT); DROP TABLE a; ALTER TABLE a_new RENAME TO a"],
                &["a_new"],
            ),
            (&["CREATE VIEW v AS SELECT 1"], &[]),
            (&["UPDATE a SET b = 1"], &[]),
        ] {
            for dialect in Dialect::ALL {
                assert_eq!(
                    made(*dialect, scripts),
                    expected,
                    "{scripts:?} on {}",
                    dialect.name()
                );
            }
        }
    }

    #[test]
    fn what_each_database_has_of_its_own() {
        use Dialect::{Mysql, Postgres};
        for (dialect, script, expected) in [
            (
                Postgres,
                "CREATE TEMP TABLE a (id int) ON COMMIT DROP; CREATE TABLE b (id int)",
                &["b"][..],
            ),
            (
                Postgres,
                "CREATE /* a copy */ TEMPORARY TABLE a ON COMMIT DROP AS SELECT 1",
                &[],
            ),
            (
                Postgres,
                "CREATE UNLOGGED TABLE temp_rows (id int)",
                &["temp_rows"],
            ),
            (
                Postgres,
                "DO $$ BEGIN EXECUTE 'DROP TABLE a'; END $$; CREATE TABLE a (id int)",
                &[],
            ),
            (
                Postgres,
                "CREATE TABLE a (id int); DO $$ BEGIN NULL; END $$",
                &["a"],
            ),
            (
                Postgres,
                "DROP SCHEMA s CASCADE; CREATE TABLE s.a (id int)",
                &[],
            ),
            (
                Postgres,
                "ALTER TABLE a ADD b int, ADD COLUMN IF NOT EXISTS c int, DROP COLUMN d, ADD d int",
                &["a.b"],
            ),
            (
                Mysql,
                "ALTER TABLE a DROP b, ADD b BIGINT, ADD c INT",
                &["a.c"],
            ),
            (Mysql, "RENAME TABLE a TO b; CREATE TABLE A (id INT)", &[]),
        ] {
            assert_eq!(made(dialect, &[script]), expected, "{script}");
        }
    }
}
