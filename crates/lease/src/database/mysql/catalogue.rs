//! What is in the schema.

use super::Mysql;
use super::quoted::{identifier, literal};
use crate::database::{DatabaseError, ErrorKind, Presence};
use crate::sql::{Object, ObjectKind};

impl Mysql {
    /// Whether an object exists, by `information_schema`.
    pub(super) async fn look_up(&mut self, object: &Object) -> Result<Presence, DatabaseError> {
        let schema = object
            .schema
            .as_deref()
            .map_or_else(|| "DATABASE()".to_owned(), literal);
        // The catalogue's own comparison takes `ano` for `año`, which are two names. Columns, indexes and
        // routines have no case; tables and triggers have it where the server's file system has.
        let is = |column: &str, name: &str| {
            format!("BINARY LOWER({column}) = BINARY LOWER({})", literal(name))
        };
        // The plain comparison is what spares the server the other tables.
        let file_is = |column: &str, name: &str| {
            format!(
                "{column} = {name} AND {} AND (@@lower_case_table_names <> 0 OR BINARY {column} = BINARY {name})",
                is(column, name),
                name = literal(name)
            )
        };
        let name = &object.name;
        let of_table = object
            .table
            .as_deref()
            .map_or_else(|| "1 = 1".to_owned(), |table| file_is("table_name", table));
        let (from, condition) = match object.kind {
            ObjectKind::Table => (
                "tables",
                format!(
                    "table_schema = {schema} AND table_type NOT IN ('VIEW', 'SEQUENCE') AND {}",
                    file_is("table_name", name)
                ),
            ),
            ObjectKind::View => (
                "tables",
                format!(
                    "table_schema = {schema} AND table_type = 'VIEW' AND {}",
                    file_is("table_name", name)
                ),
            ),
            ObjectKind::Sequence => (
                "tables",
                format!(
                    "table_schema = {schema} AND table_type = 'SEQUENCE' AND {}",
                    file_is("table_name", name)
                ),
            ),
            ObjectKind::Column => (
                "columns",
                format!(
                    "table_schema = {schema} AND {} AND {of_table}",
                    is("column_name", name)
                ),
            ),
            ObjectKind::Index => (
                "statistics",
                format!(
                    "table_schema = {schema} AND {} AND {of_table}",
                    is("index_name", name)
                ),
            ),
            ObjectKind::Constraint => (
                "table_constraints",
                format!(
                    "table_schema = {schema} AND {} AND {of_table}",
                    is("constraint_name", name)
                ),
            ),
            ObjectKind::Trigger => (
                "triggers",
                format!(
                    "trigger_schema = {schema} AND {}",
                    file_is("trigger_name", name)
                ),
            ),
            ObjectKind::Function => (
                "routines",
                format!("routine_schema = {schema} AND {}", is("routine_name", name)),
            ),
            ObjectKind::Database => ("schemata", file_is("schema_name", name)),
            ObjectKind::MaterializedView
            | ObjectKind::Type
            | ObjectKind::Schema
            | ObjectKind::Extension
            | ObjectKind::Policy => return Ok(Presence::Unknown),
        };
        let rows = self
            .rows(&format!(
                "SELECT count(*) FROM information_schema.{from} WHERE {condition}"
            ))
            .await?;
        Ok(match rows.first().map(|row| row.int(0)).transpose()? {
            Some(0) | None => Presence::Absent,
            Some(_) => Presence::Present,
        })
    }

    /// What is done to the rows of such a table stays done when the record of it is rolled back, so it could be
    /// done twice.
    pub(super) async fn refuse_untransactional(&mut self, sql: &str) -> Result<(), DatabaseError> {
        if self.untransactional.is_none() {
            let rows = self
                .rows(
                    "SELECT t.table_name FROM information_schema.tables t \
                     JOIN information_schema.engines e ON e.engine = t.engine \
                     WHERE t.table_schema = DATABASE() AND t.table_type = 'BASE TABLE' AND e.transactions <> 'YES'",
                )
                .await?;
            let names = rows.iter().map(|row| row.text(0).map(str::to_owned));
            self.untransactional = Some(names.collect::<Result<_, _>>()?);
        }
        let named = self.untransactional.iter().flatten();
        match named.into_iter().find(|table| mentions(sql, table)) {
            Some(table) => Err(DatabaseError::new(
                ErrorKind::Statement,
                format!(
                    "the table `{table}` has an engine without transactions, so what is done to its rows cannot be \
                     undone after an error; ALTER TABLE `{table}` ENGINE = InnoDB first"
                ),
            )),
            None => Ok(()),
        }
    }
}

/// Whether a statement names this table, as far as its words tell.
fn mentions(sql: &str, table: &str) -> bool {
    let is_apart = |c: char| !(c.is_alphanumeric() || c == '_' || c == '$');
    sql.split(is_apart)
        .any(|word| word.eq_ignore_ascii_case(table))
        || sql.contains(&identifier(table))
}

#[cfg(test)]
mod tests {
    use super::mentions;

    #[test]
    fn a_table_is_mentioned_by_its_whole_name() {
        assert!(mentions("UPDATE Notes SET a = 1", "notes"));
        assert!(mentions("DELETE FROM app.`old notes`", "old notes"));
        assert!(!mentions("UPDATE footnotes SET notes_2 = 1", "notes"));
    }
}
