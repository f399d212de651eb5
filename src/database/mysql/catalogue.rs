//! What is in the schema.

use super::{Mysql, literal};
use crate::database::{DatabaseError, Presence};
use crate::sql::{Object, ObjectKind};

impl Mysql {
    /// Whether an object exists, by `information_schema`.
    pub(super) async fn look_up(&mut self, object: &Object) -> Result<Presence, DatabaseError> {
        let schema = object
            .schema
            .as_deref()
            .map_or_else(|| "DATABASE()".to_owned(), literal);
        let name = literal(&object.name);
        // The catalogue compares without case; the names of tables have it where the file system has.
        let table_is = |column: &str, name: &str| {
            let name = literal(name);
            format!(
                "{column} = {name} AND (@@lower_case_table_names <> 0 OR BINARY {column} = BINARY {name})"
            )
        };
        let of_table = object
            .table
            .as_deref()
            .map_or_else(|| "1 = 1".to_owned(), |table| table_is("table_name", table));
        let (from, condition) = match object.kind {
            ObjectKind::Table => (
                "tables",
                format!(
                    "table_schema = {schema} AND table_type NOT IN ('VIEW', 'SEQUENCE') AND {}",
                    table_is("table_name", &object.name)
                ),
            ),
            ObjectKind::View => (
                "tables",
                format!(
                    "table_schema = {schema} AND table_type = 'VIEW' AND {}",
                    table_is("table_name", &object.name)
                ),
            ),
            ObjectKind::Sequence => (
                "tables",
                format!(
                    "table_schema = {schema} AND table_type = 'SEQUENCE' AND {}",
                    table_is("table_name", &object.name)
                ),
            ),
            ObjectKind::Column => (
                "columns",
                format!("table_schema = {schema} AND column_name = {name} AND {of_table}"),
            ),
            ObjectKind::Index => (
                "statistics",
                format!("table_schema = {schema} AND index_name = {name} AND {of_table}"),
            ),
            ObjectKind::Constraint => (
                "table_constraints",
                format!("table_schema = {schema} AND constraint_name = {name} AND {of_table}"),
            ),
            ObjectKind::Trigger => (
                "triggers",
                format!("trigger_schema = {schema} AND BINARY trigger_name = BINARY {name}"),
            ),
            ObjectKind::Function => (
                "routines",
                format!("routine_schema = {schema} AND routine_name = {name}"),
            ),
            ObjectKind::Database => ("schemata", format!("schema_name = {name}")),
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
}
