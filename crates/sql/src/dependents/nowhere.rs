//! Code of triggers that writes to a table, or a column of one, that is nowhere: PostgreSQL and MySQL look for it when somebody writes, and
//! then each write that fires it fails.

use super::super::{Deed, Dependent, Dependents, Dialect, Place, Script, Statement, Verb};
use super::unknown::names_in_vain;
use super::{Inventory, Relation, RelationKind};

/// What is nowhere, and the statement that makes the code which names it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Nowhere {
    pub index: usize,
    /// The trigger, or the function that triggers call.
    pub code: String,
    /// "the table `audits`"
    pub what: String,
}

/// When the catalogue is asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Asked {
    /// Before the script: what it makes itself is not there yet.
    Before,
    After,
}

/// A place that code writes to, and a column of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Written {
    pub place: Place,
    /// Those that are named there.
    pub columns: Vec<String>,
}

impl Dependents {
    /// The tables that the code puts rows into or changes, with the columns that it names of them.
    #[must_use]
    pub fn written_by(&self, one: &Dependent) -> Vec<Written> {
        let texts = self.texts_of(one);
        // A table that it makes itself is there by then, and of several tables it is not told which has the column.
        let lower: Vec<String> = texts.iter().map(|text| text.to_ascii_lowercase()).collect();
        let has = |word: &str| lower.iter().any(|text| text.contains(word));
        if has("temporary") || has("temp ") || has("create table") || has("execute") {
            return Vec::new();
        }
        let is_joined = has("join");
        let written = self.deeds(one).into_iter().filter_map(|deed| match deed {
            Deed::Inserts(insert) => Some(Written {
                place: insert.place,
                columns: insert.columns.unwrap_or_default(),
            }),
            Deed::Updates { place, column, .. } => Some(Written {
                place,
                columns: Some(column).filter(|_| !is_joined).into_iter().collect(),
            }),
            _ => None,
        });
        written.collect()
    }

    /// The first `NEW.x` or `OLD.x` of the code that is none of these columns of its table; PostgreSQL alone makes such code.
    #[must_use]
    pub fn names_of_row_in_vain(&self, one: &Dependent, columns: &[String]) -> Option<String> {
        if self.dialect != Dialect::Postgres {
            return None;
        }
        let mut texts = self.texts_of(one).into_iter();
        texts.find_map(|text| names_in_vain(self.dialect, text, columns))
    }
}

impl Inventory {
    /// What the code that the script makes for triggers writes to in vain.
    #[must_use]
    pub fn nowhere(&self, script: &Script, asked: Asked) -> Vec<Nowhere> {
        let dialect = script.dialect;
        if dialect == Dialect::Sqlite {
            return Vec::new();
        }
        let mut known = Dependents::made_by(script);
        known.all.extend(self.code.all.iter().cloned());
        let mut found = Vec::new();
        for (index, statement) in script.statements.iter().enumerate() {
            let code = statement.code(dialect).filter(Dependent::is_fired);
            let Some(code) = code else { continue };
            let vain = known.written_by(&code).into_iter().find_map(|written| {
                let made = match asked {
                    Asked::Before => &script.statements[..],
                    Asked::After => &[],
                };
                self.in_vain(&written, (dialect, made))
            });
            found.extend(vain.map(|what| Nowhere {
                index,
                code: code.name.clone(),
                what,
            }));
        }
        found
    }

    fn in_vain(
        &self,
        written: &Written,
        (dialect, made): (Dialect, &[Statement]),
    ) -> Option<String> {
        let Place { schema, table } = &written.place;
        let same = |a: &str, b: &str| dialect.may_be_same_name(a, b);
        // Another database of MySQL, and what belongs to the server, is not in the catalogue that was asked.
        let is_elsewhere = schema.as_deref().is_some_and(|schema| {
            dialect == Dialect::Mysql || schema.starts_with("pg_") || schema == "information_schema"
        });
        let is_made = |statement: &Statement| {
            statement.objects().any(|object| {
                let own = object.given_name().unwrap_or(&object.name);
                let of = object.table.as_deref().unwrap_or(own);
                matches!(object.verb, Verb::Create | Verb::Rename) && same(of, table)
            })
        };
        if is_elsewhere || table.starts_with("pg_") || made.iter().any(is_made) {
            return None;
        }
        let is_it = |one: &&Relation| {
            let in_it = match (schema, &one.schema) {
                (Some(schema), Some(own)) => same(schema, own),
                _ => true,
            };
            matches!(one.kind, RelationKind::Table | RelationKind::View)
                && in_it
                && same(&one.name, table)
        };
        let mut there = self.relations.iter().filter(is_it);
        let (first, second) = (there.next(), there.next());
        match (first, second) {
            (None, _) => Some(format!("the table `{table}`")),
            (Some(one), None) => {
                let has = |name: &String| one.columns.iter().any(|own| same(own, name));
                let missing = written.columns.iter().find(|name| !has(name))?;
                Some(format!("the column `{missing}` of `{table}`"))
            }
            (Some(_), Some(_)) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::{Dialect, Script, catalogue::Visible};
    use super::*;

    #[test]
    fn what_is_nowhere_is_told() {
        use Dialect::{Mysql, Postgres};
        let function = |body: &str| {
            format!(
                "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} RETURN NEW; END $$; \
                 CREATE TRIGGER t AFTER INSERT ON users FOR EACH ROW EXECUTE FUNCTION f();"
            )
        };
        let trigger =
            |body: &str| format!("CREATE TRIGGER t AFTER INSERT ON users FOR EACH ROW {body};");
        for (dialect, sql, asked, expected) in [
            (
                Postgres,
                function("INSERT INTO audits VALUES (NEW.id);"),
                Asked::After,
                "the table `audits`",
            ),
            (
                Postgres,
                function("INSERT INTO audit (user_id) VALUES (NEW.id);"),
                Asked::After,
                "the column `user_id` of `audit`",
            ),
            (
                Postgres,
                function("INSERT INTO audit (id) VALUES (NEW.id);"),
                Asked::After,
                "",
            ),
            (
                Postgres,
                function("UPDATE audit SET nam = 1 WHERE id = NEW.id;"),
                Asked::After,
                "the column `nam` of `audit`",
            ),
            (
                Postgres,
                function("UPDATE Audit SET ID = 1 WHERE id = NEW.id;"),
                Asked::After,
                "",
            ),
            (
                Postgres,
                function("CREATE TEMP TABLE x (id int); INSERT INTO x VALUES (1);"),
                Asked::After,
                "",
            ),
            (
                Mysql,
                trigger("INSERT INTO audits VALUES (NEW.id)"),
                Asked::Before,
                "the table `audits`",
            ),
            (
                Mysql,
                trigger("INSERT INTO audit (user_id) VALUES (NEW.id)"),
                Asked::Before,
                "the column `user_id` of `audit`",
            ),
            (
                Mysql,
                trigger("INSERT INTO audit (id) VALUES (NEW.id)"),
                Asked::Before,
                "",
            ),
            (
                Mysql,
                trigger("INSERT INTO other.audits (id) VALUES (NEW.id)"),
                Asked::Before,
                "",
            ),
            (
                Mysql,
                format!(
                    "CREATE TABLE audits (id int); {}",
                    trigger("INSERT INTO audits VALUES (NEW.id)")
                ),
                Asked::Before,
                "",
            ),
            (
                Mysql,
                format!(
                    "ALTER TABLE audit ADD COLUMN user_id int; {}",
                    trigger("INSERT INTO audit (user_id) VALUES (NEW.id)")
                ),
                Asked::Before,
                "",
            ),
        ] {
            let script =
                Script::parse(dialect, &sql).unwrap_or_else(|errors| panic!("{sql}: {errors:?}"));
            let relation = |name: &str| Relation {
                kind: RelationKind::Table,
                schema: None,
                name: name.to_owned(),
                columns: vec!["id".to_owned()],
                identity: None,
            };
            let inventory = Inventory {
                code: Dependents::new(dialect),
                relations: vec![relation("users"), relation("audit")],
                attached: Vec::new(),
                visible: Visible::All,
            };
            let found = inventory.nowhere(&script, asked);
            let found = found.first().map_or("", |one| one.what.as_str());
            assert_eq!(found, expected, "{sql}");
        }
    }
}
