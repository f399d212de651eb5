//! The keys that a backfill goes over, as literals.

use sqlx::Row as _;

use super::{LOCKED_OUT, Sqlite, by_itself, from_sqlx, identifier};
use crate::database::{
    DatabaseError, Key, KeyRange, Keys, RowComparison, Start, TEXT_OF_BYTES, Written,
};

fn written(keys: Keys<'_>) -> Written {
    Written {
        table: identifier(keys.table),
        names: keys.columns.iter().map(|name| identifier(name)).collect(),
        how: RowComparison::AsRow,
    }
}

/// What `quote` makes of each column: a literal that means the very same value, of whatever type it is. It ends a text at
/// a NUL, and gives back bytes that are no UTF-8 as they are, so that a text of anything but plain ASCII is written by its
/// bytes; the `+` keeps the type of the cast from changing what it is compared with.
fn literals(names: &[String]) -> String {
    let (before, after) = TEXT_OF_BYTES;
    let (before, after) = (before.replace('\'', "''"), after.replace('\'', "''"));
    let quoted: Vec<String> = names
        .iter()
        .map(|name| {
            format!(
                "CASE WHEN typeof({name}) = 'text' AND (instr(CAST({name} AS BLOB), x'00') > 0 \
                 OR {name} GLOB '*[^' || char(1) || '-' || char(127) || ']*') \
                 THEN '{before}' || hex({name}) || '{after}' ELSE quote({name}) END"
            )
        })
        .collect();
    quoted.join(", ")
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
        let written = written(keys);
        let list = literals(&written.names);
        let first = self.key(&written.first(&list)).await?;
        let last = self.key(&written.last(&list)).await?;
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
        let list = literals(&written.names);
        self.key(&written.ahead(&list, range, ahead)).await
    }

    pub(super) async fn finds(&mut self, keys: Keys<'_>, key: &Key) -> Result<bool, DatabaseError> {
        let rows = self.rows(&written(keys).has(key)).await?;
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
