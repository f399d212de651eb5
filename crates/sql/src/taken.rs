//! What scripts take away that was there before all of them: where it is not there, they have run already.

use super::{Dialect, Effect, Made, Object, ObjectKind, Script, Statement, Verb};

/// Goes through the scripts of a project in the order in which they are meant to run.
///
/// Invariant: nothing is called taken that an earlier statement makes, or may make.
pub struct Taking {
    dialect: Dialect,
    /// What the schema consists of that the scripts begin with, as far as that is known.
    first: Vec<Statement>,
    /// What was read so far.
    read: Vec<Statement>,
}

impl Taking {
    #[must_use]
    pub const fn new(dialect: Dialect) -> Self {
        Self {
            dialect,
            first: Vec::new(),
            read: Vec::new(),
        }
    }

    /// A script that makes what is there before all others.
    pub fn begins_with(&mut self, script: &Script) {
        self.first.extend(script.statements.iter().cloned());
    }

    /// The tables and columns that a script takes away, and that have to be there for that.
    pub fn read(&mut self, script: &Script) -> Vec<Made> {
        let mut taken = Vec::new();
        for statement in &script.statements {
            let goes = statement.objects().filter(|object| {
                matches!(object.verb, Verb::Drop | Verb::Rename)
                    && matches!(object.kind, ObjectKind::Table | ObjectKind::Column)
            });
            for object in goes {
                let Some(place) = Made::of(object) else {
                    continue;
                };
                // With IF EXISTS it has to be there where the schema begins with it alone.
                let has_to_be = !object.if_exists_or_not || self.begins_with_it(&place);
                if has_to_be && !self.read.iter().any(|read| self.may_touch(read, &place)) {
                    taken.push(place);
                }
            }
            self.read.push(statement.clone());
        }
        taken
    }

    fn begins_with_it(&self, place: &Made) -> bool {
        let makes = |object: &Object| {
            object.kind == ObjectKind::Table
                && object.verb == Verb::Create
                && self.dialect.may_be_same_name(&object.name, &place.table)
        };
        self.first.iter().any(|statement| {
            let mut columns = place.column.iter();
            statement.objects().any(makes)
                && columns.all(|column| self.dialect.mentions(&statement.text, column))
        })
    }

    /// Whether a statement that was read before has made it, has taken it, or may have.
    fn may_touch(&self, read: &Statement, place: &Made) -> bool {
        let same = |a: &str, b: &str| self.dialect.may_be_same_name(a, b);
        let touches = |object: &Object| {
            if object.verb == Verb::Create
                && matches!(object.kind, ObjectKind::Schema | ObjectKind::Extension)
            {
                return true;
            }
            let Some(touched) = Made::of(object) else {
                return false;
            };
            let names = [Some(&object.name), object.renamed_to.as_ref()];
            let mut names = names.into_iter().flatten();
            match (&touched.column, &place.column) {
                (None, _) => names.any(|name| same(name, &place.table)),
                (Some(_), Some(column)) => {
                    same(&touched.table, &place.table) && names.any(|name| same(name, column))
                }
                (Some(_), None) => false,
            }
        };
        let name = place.column.as_ref().unwrap_or(&place.table);
        read.objects()
            .any(|object| object.verb != Verb::Alter && touches(object))
            || matches!(read.effect, Effect::Unknown { .. })
                && (self.dialect.mentions(&read.text, name)
                    || self.dialect.mentions(&read.text, &place.table))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(dialect: Dialect, first: &str, scripts: &[&str]) -> Vec<String> {
        let parse = |text: &str| Script::parse(dialect, text).unwrap();
        let mut taking = Taking::new(dialect);
        taking.begins_with(&parse(first));
        let scripts = scripts.iter().flat_map(|text| taking.read(&parse(text)));
        scripts
            .map(|taken| match taken.column {
                Some(column) => format!("{}.{column}", taken.table),
                None => taken.table,
            })
            .collect()
    }

    #[test]
    fn what_has_to_be_there_before_all_scripts() {
        const FIRST: &str = "CREATE TABLE a (id INT, b INT)";
        for (scripts, expected) in [
            (&["ALTER TABLE a DROP COLUMN b"][..], &["a.b"][..]),
            (&["DROP TABLE a"], &["a"]),
            (&["DROP TABLE z"], &["z"]),
            (&["DROP TABLE IF EXISTS a"], &["a"]),
            (&["DROP TABLE IF EXISTS z"], &[]),
            (&["ALTER TABLE a RENAME COLUMN b TO c"], &["a.b"]),
            (&["ALTER TABLE a RENAME TO z"], &["a"]),
            // Made by the scripts themselves.
            (&["CREATE TABLE z (id INT)", "DROP TABLE z"], &[]),
            (
                &["CREATE TABLE z (id INT)", "ALTER TABLE z DROP COLUMN id"],
                &[],
            ),
            (
                &[
                    "ALTER TABLE a ADD COLUMN c INT",
                    "ALTER TABLE a DROP COLUMN c",
                ],
                &[],
            ),
            (
                &[
                    "ALTER TABLE a RENAME COLUMN b TO c",
                    "ALTER TABLE a DROP COLUMN c",
                ],
                &["a.b"],
            ),
            (&["ALTER TABLE a RENAME TO z", "DROP TABLE z"], &["a"]),
            // A table that is built anew.
            (
                &["CREATE TABLE z (id INT); DROP TABLE a; ALTER TABLE z RENAME TO a"],
                &["a"],
            ),
            (&["DROP VIEW v"], &[]),
            (
                &["UPDATE a SET b = 1", "ALTER TABLE a DROP COLUMN b"],
                &["a.b"],
            ),
        ] {
            for dialect in Dialect::ALL {
                assert_eq!(
                    taken(*dialect, FIRST, scripts),
                    expected,
                    "{scripts:?} on {}",
                    dialect.name()
                );
            }
        }
    }

    #[test]
    fn what_cannot_be_read_may_have_made_it() {
        let makes = "DO $$ BEGIN EXECUTE 'CREATE TABLE z (id int)'; END $$";
        for (scripts, expected) in [
            (&[makes, "DROP TABLE z"][..], &[][..]),
            (&[makes, "DROP TABLE y"], &["y"]),
            (&["CREATE EXTENSION postgis", "DROP TABLE z"], &[]),
        ] {
            let found = taken(Dialect::Postgres, "", scripts);
            assert_eq!(found, expected, "{scripts:?}");
        }
    }
}
