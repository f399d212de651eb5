//! The keys that a backfill goes over, as literals, and the planner's knowledge of their table.

use super::{Postgres, identifier, literal, table_name};
use crate::database::{
    DatabaseError, ErrorKind, Key, KeyRange, Keys, RowComparison, Start, Written,
};

fn written(keys: Keys<'_>) -> Written {
    Written {
        table: table_name(keys.table),
        names: keys.columns.iter().map(|name| identifier(name)).collect(),
        how: RowComparison::AsRow,
    }
}

/// The type and the text of each column of the one key that `sql` finds, and what kind of type it is. As JSON, a text does
/// not depend on the session's settings for dates; what is JSON itself is its own text.
fn read(names: &[String], sql: &str) -> String {
    let list: Vec<String> = names
        .iter()
        .map(|name| {
            format!(
                "pg_catalog.pg_typeof({name})::pg_catalog.text, \
                 CASE WHEN pg_catalog.pg_typeof({name})::pg_catalog.oid OPERATOR(pg_catalog.=) 3802::pg_catalog.oid \
                 THEN {name}::pg_catalog.text ELSE pg_catalog.to_json({name}) OPERATOR(pg_catalog.#>>) '{{}}' END, \
                 (SELECT t.typtype::pg_catalog.text FROM pg_catalog.pg_type t \
                  WHERE t.oid OPERATOR(pg_catalog.=) pg_catalog.pg_typeof({name})::pg_catalog.oid)"
            )
        })
        .collect();
    format!("SELECT {} FROM ({sql}) AS key", list.join(", "))
}

/// A type by a name that means it whole: `character` alone would be a single one.
fn castable(type_name: &str) -> &str {
    match type_name {
        "character" => "bpchar",
        other => other,
    }
}

impl Postgres {
    async fn key(&mut self, names: &[String], sql: &str) -> Result<Option<Key>, DatabaseError> {
        let rows = self.their_rows(&read(names, sql)).await?;
        let Some(row) = rows.first() else {
            return Ok(None);
        };
        let mut literals = Vec::new();
        for index in 0..names.len() {
            let (type_name, text) = (row.text(3 * index)?, row.text(3 * index + 1)?);
            let is_composite = row.optional_text(3 * index + 2)? == Some("c");
            if type_name == "bit" || type_name.ends_with("[]") || is_composite {
                return Err(DatabaseError::new(
                    ErrorKind::Statement,
                    format!(
                        "a backfill cannot go over a key of type {type_name}, whose values cannot be written exactly: name another \
                         key"
                    ),
                ));
            }
            literals.push(format!("{}::{}", literal(text), castable(type_name)));
        }
        Ok(Some(Key(literals)))
    }

    pub(super) async fn ends_of_keys(
        &mut self,
        keys: Keys<'_>,
    ) -> Result<Option<KeyRange>, DatabaseError> {
        let written = written(keys);
        let list = written.names.join(", ");
        let first = self.key(&written.names, &written.first(&list)).await?;
        let last = self.key(&written.names, &written.last(&list)).await?;
        Ok(first.zip(last).map(|(first, last)| KeyRange {
            start: Start::At(first),
            last,
        }))
    }

    pub(super) async fn look_ahead(
        &mut self,
        keys: Keys<'_>,
        range: &KeyRange,
        ahead: u64,
    ) -> Result<Option<Key>, DatabaseError> {
        let written = written(keys);
        let sql = written.ahead(&written.names.join(", "), range, ahead);
        self.key(&written.names, &sql).await
    }

    pub(super) async fn finds(&mut self, keys: Keys<'_>, key: &Key) -> Result<bool, DatabaseError> {
        let rows = self.their_rows(&written(keys).has(key)).await?;
        Ok(!rows.is_empty())
    }

    pub(super) async fn without_key(&mut self, keys: Keys<'_>) -> Result<u64, DatabaseError> {
        self.counted(&written(keys).keyless()).await
    }

    pub(super) async fn count_in(
        &mut self,
        keys: Keys<'_>,
        range: &KeyRange,
    ) -> Result<u64, DatabaseError> {
        self.counted(&written(keys).count(range)).await
    }

    async fn counted(&mut self, sql: &str) -> Result<u64, DatabaseError> {
        let rows = self.their_rows(sql).await?;
        let count = rows.first().map_or(Ok(0), |row| row.int(0))?;
        Ok(u64::try_from(count).unwrap_or_default())
    }

    /// What the user calls so; `None` if there is no such table.
    pub(super) async fn relation(&mut self, table: &str) -> Result<Option<i64>, DatabaseError> {
        let rows = self
            .their_rows(&format!(
                "SELECT pg_catalog.to_regclass({})::pg_catalog.oid::pg_catalog.int8",
                literal(&table_name(table))
            ))
            .await?;
        rows.first().map_or(Ok(None), |row| row.optional_int(0))
    }

    pub(super) async fn rows_of(&mut self, table: &str) -> Result<u64, DatabaseError> {
        let Some(relation) = self.relation(table).await? else {
            return Ok(0);
        };
        let rows = self
            .rows(&format!(
                "SELECT greatest(reltuples, 0)::bigint FROM pg_class WHERE oid = {relation}"
            ))
            .await?;
        let count = rows.first().map_or(Ok(0), |row| row.int(0))?;
        Ok(u64::try_from(count).unwrap_or_default())
    }

    /// A table that was filled and never analysed is taken for small: each batch would read all of it. The number of
    /// rows and a rough picture of the key is all that batches need, and costs a fifth; whatever is known of other
    /// columns stays, and the server still analyses the table when it would have.
    pub(super) async fn analyze_where_needed(
        &mut self,
        keys: Keys<'_>,
    ) -> Result<(), DatabaseError> {
        let (name, columns) = (table_name(keys.table), written(keys).names.join(", "));
        let relation = self.relation(keys.table).await?.unwrap_or_default();
        let rows = self
            .rows(&format!(
                "SELECT count(*) FROM pg_class c LEFT JOIN pg_stat_user_tables s ON s.relid = c.oid \
                 WHERE c.oid = {relation} AND coalesce(s.last_analyze, s.last_autoanalyze) IS NOT NULL \
                 AND s.n_mod_since_analyze <= greatest(c.reltuples, 0) / 10"
            ))
            .await?;
        if rows.first().map_or(Ok(0), |row| row.int(0))? == 0 {
            self.plain("SET LOCAL default_statistics_target = 10")
                .await?;
            self.plain(&format!("ANALYZE {name} ({columns})")).await?;
        }
        Ok(())
    }

    pub(super) async fn first_rows(
        &mut self,
        sql: &str,
        limit: u64,
    ) -> Result<Vec<Vec<String>>, DatabaseError> {
        let sql = sql.trim().trim_end_matches(';');
        // As one text a row, whatever the types are.
        let sql = format!(
            "SELECT (SELECT pg_catalog.string_agg(coalesce(value, 'NULL'), ', ') \
             FROM pg_catalog.json_each_text(pg_catalog.row_to_json(found))) FROM ({sql}\n) AS found LIMIT {limit}"
        );
        let rows = self.their_rows(&sql).await?;
        let texts = rows
            .iter()
            .map(|row| Ok(vec![row.optional_text(0)?.unwrap_or_default().to_owned()]));
        texts.collect()
    }
}
