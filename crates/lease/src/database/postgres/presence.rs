//! Whether an object that a statement makes or drops is there.

use super::Postgres;
use super::quoted::{identifier, literal};
use crate::database::{DatabaseError, Presence, Value};
use crate::sql::{Object, ObjectKind};

impl Postgres {
    pub(super) async fn look_up(&mut self, object: &Object) -> Result<Presence, DatabaseError> {
        let name = match &object.schema {
            Some(schema) => format!("{}.{}", identifier(schema), identifier(&object.name)),
            None => identifier(&object.name),
        };
        if object.kind != ObjectKind::Index {
            return Ok(Presence::Unknown);
        }
        let rows = self
            .their_rows(&format!(
                "SELECT i.indisvalid FROM pg_catalog.pg_index i \
                 WHERE i.indexrelid OPERATOR(pg_catalog.=) pg_catalog.to_regclass({})::pg_catalog.oid",
                literal(&name)
            ))
            .await?;
        Ok(match rows.first().and_then(|row| row.0.first()) {
            None => Presence::Absent,
            Some(Value::Int(0)) => Presence::Invalid,
            Some(_) => Presence::Present,
        })
    }
}
