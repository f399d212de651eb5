//! What the catalogue says about a table that a backfill is to go along.

use super::{Postgres, literal};
use crate::database::{Along, DatabaseError, ErrorKind, KeyIndex, Keys, TableKind, UpdateTrigger};

const KIND: &str = "CASE WHEN c.relpersistence = 't' THEN 'a temporary table' ELSE CASE c.relkind \
     WHEN 'r' THEN '' WHEN 'p' THEN '' WHEN 'v' THEN 'a view' WHEN 'm' THEN 'a materialized view' \
     WHEN 'f' THEN 'a foreign table' ELSE 'no table' END END";

impl Postgres {
    pub(super) async fn look_along(&mut self, keys: Keys<'_>) -> Result<Along, DatabaseError> {
        let Some(relation) = self.relation(keys.table).await? else {
            return Ok(Along::of(TableKind::Missing));
        };
        let list: Vec<String> = keys.columns.iter().map(|name| literal(name)).collect();
        let list = list.join(", ");
        let parts = format!(
            "FROM pg_inherits h WHERE (h.inhparent = {relation} OR h.inhparent IN \
             (SELECT i.inhrelid FROM pg_inherits i WHERE i.inhparent = {relation}))"
        );
        let facts = format!(
            "SELECT {KIND}, row_security_active(c.oid), \
             (SELECT coalesce(json_agg(h.inhrelid::regclass::text), '[]') {parts})::text, \
             (SELECT min(h.inhrelid::regclass::text) {parts} AND to_jsonb(h) ->> 'inhdetachpending' = 'true'), \
             (SELECT coalesce(json_agg(k.name), '[]') FROM unnest(ARRAY[{list}]) AS k (name) WHERE NOT EXISTS \
             (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = k.name AND a.attnum > 0 AND NOT a.attisdropped))::text, \
             (SELECT coalesce(json_agg(a.attname), '[]') FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname IN ({list}) \
             AND NOT a.attnotnull AND NOT a.attisdropped)::text \
             FROM pg_class c WHERE c.oid = {relation}"
        );
        // A unique index of a parent in name only says nothing about what its heirs hold; batches go by their order alone.
        let indexes = format!(
            "SELECT to_json(ARRAY(SELECT coalesce(a.attname, '') FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS k (att, n) \
             LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.att AND k.att > 0 \
             WHERE k.n <= i.indnkeyatts ORDER BY k.n))::text, i.indisunique, \
             NOT EXISTS (SELECT FROM unnest(i.indkey::int2[], i.indclass::oid[], i.indcollation::oid[]) AS k (att, class, coll) \
             JOIN pg_opclass o ON o.oid = k.class LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.att \
             WHERE NOT o.opcdefault OR (k.att > 0 AND k.coll <> a.attcollation)) \
             FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid JOIN pg_am m ON m.oid = x.relam \
             WHERE i.indrelid = {relation} AND i.indisvalid AND i.indpred IS NULL AND m.amname = 'btree'"
        );
        // Of each row, for UPDATE, and for what an application does; those of foreign keys are the database's own.
        let triggers = format!(
            "SELECT t.tgname, to_json(ARRAY(SELECT a.attname FROM unnest(t.tgattr::int2[]) AS k (att) \
             JOIN pg_attribute a ON a.attrelid = t.tgrelid AND a.attnum = k.att))::text FROM pg_trigger t \
             WHERE t.tgrelid = {relation} AND NOT t.tgisinternal AND t.tgenabled IN ('O', 'A') \
             AND t.tgtype & 1 = 1 AND t.tgtype & 16 = 16 ORDER BY t.tgname"
        );
        let answers = self.together(&[&facts, &indexes, &triggers]).await?;
        let mut answers = answers.into_iter().map(|answer| answer.rows);
        let facts = answers.next().unwrap_or_default();
        let Some(row) = facts.first() else {
            return Ok(Along::of(TableKind::Missing));
        };
        let mut along = Along::of(match row.text(0)? {
            "" => TableKind::Ordinary,
            other => TableKind::Other(other.to_owned()),
        });
        along.identity = relation.to_string();
        along.hides_rows = row.int(1)? != 0;
        along.parts = names(row.text(2)?)?;
        along.detaching = row.optional_text(3)?.map(ToOwned::to_owned);
        along.missing = names(row.text(4)?)?;
        along.nullable = names(row.text(5)?)?;
        for row in answers.next().unwrap_or_default() {
            along.indexes.push(KeyIndex {
                columns: names(row.text(0)?)?,
                unique: row.int(1)? != 0,
                ordered: row.int(2)? != 0,
            });
        }
        for row in answers.next().unwrap_or_default() {
            along.on_update.push(UpdateTrigger {
                name: row.text(0)?.to_owned(),
                of: names(row.text(1)?)?,
            });
        }
        Ok(along)
    }
}

fn names(json: &str) -> Result<Vec<String>, DatabaseError> {
    serde_json::from_str(json).map_err(|error| {
        DatabaseError::new(
            ErrorKind::Statement,
            format!("the catalogue cannot be read: {error}"),
        )
    })
}
