//! Whether tables and columns are there that a script would make.

use super::Postgres;
use super::quoted::literal;
use crate::database::{DatabaseError, Made};

/// How many are asked about in one query.
const AT_ONCE: usize = 200;

impl Postgres {
    pub(super) async fn look_for(&mut self, made: &[Made]) -> Result<Option<usize>, DatabaseError> {
        for (chunk, made) in made.chunks(AT_ONCE).enumerate() {
            let each = made
                .iter()
                .enumerate()
                .map(|(index, made)| one(index, made));
            let each: Vec<String> = each.collect();
            // By the names of scripts, which look where the migrations run.
            let rows = self
                .their_rows(&format!(
                    "SELECT pg_catalog.min(found.n) FROM ({}) AS found (n)",
                    each.join(" UNION ALL ")
                ))
                .await?;
            let first = rows.first().map(|row| row.optional_int(0)).transpose()?;
            if let Some(first) = first.flatten() {
                let first = usize::try_from(first).unwrap_or_default();
                return Ok(Some(chunk.saturating_mul(AT_ONCE).saturating_add(first)));
            }
        }
        Ok(None)
    }
}

/// A query of the number, where it is there. A table is made in the first schema that is there, and a column in the table that is seen.
fn one(index: usize, made: &Made) -> String {
    let Made {
        schema,
        table,
        column,
    } = made;
    let table = format!(
        "SELECT {index}::pg_catalog.int8 FROM pg_catalog.pg_class c WHERE c.relname OPERATOR(pg_catalog.=) {} \
         AND c.relkind OPERATOR(pg_catalog.=) ANY (ARRAY['r', 'p', 'f']::pg_catalog.\"char\"[])",
        literal(table)
    );
    let within = |schema: &str| {
        format!(
            "c.relnamespace OPERATOR(pg_catalog.=) \
             (SELECT n.oid FROM pg_catalog.pg_namespace n WHERE n.nspname OPERATOR(pg_catalog.=) {schema})"
        )
    };
    let place = match (schema, column) {
        (Some(schema), _) => within(&literal(schema)),
        (None, None) => within("pg_catalog.current_schema()"),
        (None, Some(_)) => "pg_catalog.pg_table_is_visible(c.oid)".to_owned(),
    };
    let has_column = column.as_ref().map_or_else(String::new, |column| {
        format!(
            " AND EXISTS (SELECT FROM pg_catalog.pg_attribute a WHERE a.attrelid OPERATOR(pg_catalog.=) c.oid \
             AND a.attname OPERATOR(pg_catalog.=) {} AND NOT a.attisdropped)",
            literal(column)
        )
    });
    format!("{table} AND {place}{has_column}")
}
