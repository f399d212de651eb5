//! How large tables are, and which transaction has been open the longest.

use super::Postgres;
use super::quoted::{identifier, literal};
use crate::database::size::{OpenTransaction, Sizes, TableSize};
use crate::database::{Connection as _, DatabaseError};
use crate::sql::Place;

/// Of another role the server tells when it began only to those who may see it.
const LONGEST: &str = "SELECT (extract(epoch FROM clock_timestamp() - xact_start) * 1000)::bigint, coalesce(usename::text, ''), \
     coalesce(application_name, ''), pid::bigint FROM pg_stat_activity \
     WHERE datname = current_database() AND pid <> pg_backend_pid() AND xact_start IS NOT NULL AND backend_type = 'client backend' \
     ORDER BY xact_start LIMIT 1";

impl Postgres {
    pub(super) async fn measure(&mut self, tables: &[Place]) -> Result<Sizes, DatabaseError> {
        let relations = self.relations(tables).await?;
        let queries = relations
            .iter()
            .flatten()
            .map(|relation| of_table(*relation));
        let queries: Vec<String> = queries.chain([LONGEST.to_owned()]).collect();
        let mut answers = self.query_all(&queries).await?;
        let longest = answers.pop().unwrap_or_default();
        let mut answers = answers.into_iter();
        let mut sizes = Sizes::default();
        for relation in relations {
            let rows = relation.and_then(|_| answers.next()).unwrap_or_default();
            let size = match rows.first() {
                Some(row) => TableSize::of(row.int(0)?, row.int(1)?),
                None => None,
            };
            sizes.tables.push(size);
        }
        if let Some(row) = longest.first() {
            let (user, named) = (row.text(1)?, row.text(2)?);
            sizes.longest = OpenTransaction::of(row.int(0)?, user, named, row.int(3)?);
        }
        Ok(sizes)
    }

    /// What the user calls so, in one question; `None` for what is not there.
    async fn relations(&mut self, tables: &[Place]) -> Result<Vec<Option<i64>>, DatabaseError> {
        if tables.is_empty() {
            return Ok(Vec::new());
        }
        let each = tables.iter().map(|place| {
            let schema = place.schema.iter().map(|schema| identifier(schema));
            let parts: Vec<String> = schema.chain([identifier(&place.table)]).collect();
            let name = literal(&parts.join("."));
            format!("pg_catalog.to_regclass({name})::pg_catalog.oid::pg_catalog.int8")
        });
        let each: Vec<String> = each.collect();
        let rows = self
            .their_rows(&format!("SELECT {}", each.join(", ")))
            .await?;
        let Some(row) = rows.first() else {
            return Ok(vec![None; tables.len()]);
        };
        (0..tables.len()).map(|at| row.optional_int(at)).collect()
    }
}

/// With its partitions.
fn of_table(relation: i64) -> String {
    format!(
        "SELECT coalesce(sum(greatest(reltuples, 0)), 0)::bigint, coalesce(sum(pg_total_relation_size(oid)), 0)::bigint FROM pg_class \
         WHERE oid = {relation} OR oid IN (SELECT relid FROM pg_partition_tree({relation}::oid::regclass))"
    )
}
