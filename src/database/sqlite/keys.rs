//! The keys that a backfill goes over, as literals.

use sqlx::Row as _;

use super::{LOCKED_OUT, Sqlite, by_itself, from_sqlx, identifier};
use crate::database::{
    DatabaseError, Key, KeyRange, Keys, RowComparison, Start, TEXT_OF_BYTES, equals, keyless,
};

/// Names of columns, quoted.
fn names(keys: Keys<'_>) -> Vec<String> {
    keys.columns.iter().map(|name| identifier(name)).collect()
}

/// What `quote` makes of each column: a literal that means the very same value, of whatever type it is. It ends a text at
/// a NUL, so that such a text is written by its bytes; the `+` keeps the type of the cast from changing what it is
/// compared with.
fn literals(names: &[String]) -> String {
    let (before, after) = TEXT_OF_BYTES;
    let (before, after) = (before.replace('\'', "''"), after.replace('\'', "''"));
    let quoted: Vec<String> = names
        .iter()
        .map(|name| {
            format!(
                "CASE WHEN typeof({name}) = 'text' AND instr(CAST({name} AS BLOB), x'00') > 0 \
                 THEN '{before}' || hex({name}) || '{after}' ELSE quote({name}) END"
            )
        })
        .collect();
    quoted.join(", ")
}

fn within(names: &[String], range: &KeyRange) -> String {
    let how = RowComparison::AsRow;
    let (from, upto) = (how.from(names, &range.start), how.upto(names, &range.last));
    format!("{from} AND {upto}")
}

impl Sqlite {
    async fn key(&mut self, sql: &str) -> Result<Option<Key>, DatabaseError> {
        let rows = self.rows(sql).await?;
        let Some(row) = rows.first() else {
            return Ok(None);
        };
        let literals = (0..row.0.len()).map(|index| row.text(index).map(ToOwned::to_owned));
        Ok(Some(Key(literals.collect::<Result<_, _>>()?)))
    }

    pub(super) async fn ends_of_keys(
        &mut self,
        keys: Keys<'_>,
    ) -> Result<Option<KeyRange>, DatabaseError> {
        let (table, names) = (identifier(keys.table), names(keys));
        let list = literals(&names);
        let there: Vec<String> = names
            .iter()
            .map(|name| format!("{name} IS NOT NULL"))
            .collect();
        let there = there.join(" AND ");
        let (up, down) = (names.join(", "), names.join(" DESC, "));
        let first = format!("SELECT {list} FROM {table} WHERE {there} ORDER BY {up} LIMIT 1");
        let last = format!("SELECT {list} FROM {table} WHERE {there} ORDER BY {down} DESC LIMIT 1");
        let (first, last) = (self.key(&first).await?, self.key(&last).await?);
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
        let (table, names) = (identifier(keys.table), names(keys));
        self.key(&format!(
            "SELECT {list} FROM {table} WHERE {within} ORDER BY {order} LIMIT 1 OFFSET {skipped}",
            list = literals(&names),
            within = within(&names, range),
            order = names.join(", "),
            skipped = ahead.saturating_sub(1),
        ))
        .await
    }

    pub(super) async fn finds(&mut self, keys: Keys<'_>, key: &Key) -> Result<bool, DatabaseError> {
        let (table, names) = (identifier(keys.table), names(keys));
        let condition = equals(&names, key);
        let rows = self
            .rows(&format!("SELECT 1 FROM {table} WHERE {condition} LIMIT 1"))
            .await?;
        Ok(!rows.is_empty())
    }

    pub(super) async fn without_key(&mut self, keys: Keys<'_>) -> Result<u64, DatabaseError> {
        let (table, names) = (identifier(keys.table), names(keys));
        let condition = keyless(&names);
        let rows = self
            .rows(&format!("SELECT count(*) FROM {table} WHERE {condition}"))
            .await?;
        let count = rows.first().map_or(Ok(0), |row| row.int(0))?;
        Ok(u64::try_from(count).unwrap_or_default())
    }

    pub(super) async fn count_in(
        &mut self,
        keys: Keys<'_>,
        range: &KeyRange,
    ) -> Result<u64, DatabaseError> {
        let (table, names) = (identifier(keys.table), names(keys));
        let within = within(&names, range);
        self.counted(&format!("SELECT count(*) FROM {table} WHERE {within}"))
            .await
    }

    /// There are no statistics to rely on, and counting reads an index in one go.
    pub(super) async fn rows_of(&mut self, table: &str) -> Result<u64, DatabaseError> {
        let table = identifier(table);
        self.counted(&format!("SELECT count(*) FROM {table}")).await
    }

    async fn counted(&mut self, sql: &str) -> Result<u64, DatabaseError> {
        let rows = self.rows(sql).await?;
        let count = rows.first().map_or(Ok(0), |row| row.int(0))?;
        Ok(u64::try_from(count).unwrap_or_default())
    }

    pub(super) async fn first_rows(
        &mut self,
        sql: &str,
        limit: u64,
    ) -> Result<Vec<Vec<String>>, DatabaseError> {
        let sql = sql.trim().trim_end_matches(';');
        let query = sqlx::query(sqlx::AssertSqlSafe(format!(
            "SELECT * FROM ({sql}\n) LIMIT {limit}"
        )));
        let fetching = query.fetch_all(&mut self.inner);
        let rows = self.stop.watch(LOCKED_OUT, fetching, by_itself).await?;
        let rows = rows.map_err(|error| from_sqlx(&error))?;
        let texts = rows.iter().map(|row| {
            let values = (0..row.len()).map(|index| {
                let text: Option<String> = row.try_get_unchecked(index).ok().flatten();
                text.unwrap_or_else(|| "NULL".to_owned())
            });
            values.collect()
        });
        Ok(texts.collect())
    }
}
