//! The keys that a backfill goes over, as literals.

use sqlx::{Column as _, Row as _, TypeInfo as _, ValueRef as _};

use super::quoted::{identifier, literal, table_name};
use super::{Flavour, Mysql};
use crate::database::{
    DatabaseError, ErrorKind, Key, KeyRange, Keys, RowComparison, Start, Written,
};

/// How a column of a key is written, and read without loss.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Number,
    Text,
    /// A MariaDB UUID, which is written like a text.
    Uuid,
    Bytes,
    Date,
    /// Without a time zone. A `timestamp` is shown in the session's zone, in which an hour may come twice.
    DateTime,
}

impl Kind {
    fn of(data_type: &str) -> Option<Self> {
        Some(match data_type.to_ascii_lowercase().as_str() {
            "tinyint" | "smallint" | "mediumint" | "int" | "bigint" | "decimal" => Self::Number,
            "char" | "varchar" | "tinytext" | "text" | "mediumtext" | "longtext" => Self::Text,
            "uuid" => Self::Uuid,
            "binary" | "varbinary" => Self::Bytes,
            "date" => Self::Date,
            "datetime" => Self::DateTime,
            _ => return None,
        })
    }

    /// The kind that a literal of ours has.
    fn of_literal(text: &str) -> Self {
        match text.as_bytes().first() {
            Some(b'x') => Self::Bytes,
            Some(b'\'') => Self::Text,
            Some(b'D') => Self::Date,
            Some(b'T') => Self::DateTime,
            _ => Self::Number,
        }
    }

    /// An expression that reads it as a text.
    fn read(self, expression: &str) -> String {
        match self {
            Self::Number | Self::Uuid | Self::Date | Self::DateTime => {
                format!("CAST({expression} AS CHAR)")
            }
            Self::Text => format!("CONVERT({expression} USING utf8mb4)"),
            Self::Bytes => format!("HEX({expression})"),
        }
    }

    fn literal(self, read: &str) -> String {
        match self {
            Self::Number => read.to_owned(),
            Self::Text | Self::Uuid => literal(read),
            Self::Bytes => format!("x'{read}'"),
            // What is no date, and is there all the same, is only compared as a text.
            Self::Date | Self::DateTime if is_no_date(read) => literal(read),
            Self::Date => format!("DATE'{read}'"),
            Self::DateTime => format!("TIMESTAMP'{read}'"),
        }
    }
}

/// `0000-00-00`, `2026-00-01`.
fn is_no_date(read: &str) -> bool {
    let parts = read.get(..10).map(|date| date.split('-'));
    parts.is_some_and(|mut parts| parts.any(|part| part.bytes().all(|digit| digit == b'0')))
}

fn written(keys: Keys<'_>) -> Written {
    Written {
        table: table_name(keys.table),
        names: keys.columns.iter().map(|name| identifier(name)).collect(),
        how: RowComparison::WrittenOut,
    }
}

impl Mysql {
    async fn key(
        &mut self,
        kinds: &[Kind],
        names: &[String],
        sql: &str,
    ) -> Result<Option<Key>, DatabaseError> {
        let list: Vec<String> = kinds
            .iter()
            .zip(names)
            .map(|(kind, name)| kind.read(name))
            .collect();
        let sql = format!("SELECT {} FROM ({sql}) AS found", list.join(", "));
        let rows = self.rows(&sql).await?;
        let Some(row) = rows.first() else {
            return Ok(None);
        };
        let literals = kinds
            .iter()
            .enumerate()
            .map(|(index, kind)| row.text(index).map(|text| kind.literal(text)));
        Ok(Some(Key(literals.collect::<Result<_, _>>()?)))
    }

    pub(super) async fn ends_of_keys(
        &mut self,
        keys: Keys<'_>,
    ) -> Result<Option<KeyRange>, DatabaseError> {
        let mut kinds = Vec::new();
        for column in keys.columns {
            kinds.push(self.kind_of(keys.table, column).await?);
        }
        let written = written(keys);
        let list = written.names.join(", ");
        let first = self
            .key(&kinds, &written.names, &written.first(&list))
            .await?;
        let last = self
            .key(&kinds, &written.names, &written.last(&list))
            .await?;
        Ok(first.zip(last).map(|(first, last)| KeyRange {
            start: Start::At(first),
            last,
        }))
    }

    async fn kind_of(&mut self, table: &str, column: &str) -> Result<Kind, DatabaseError> {
        let (schema, name) = match table.split_once('.') {
            Some((schema, name)) => (literal(schema), name),
            None => ("DATABASE()".to_owned(), table),
        };
        let rows = self
            .rows(&format!(
                "SELECT c.data_type, coalesce(t.engine, '') FROM information_schema.columns c \
                 JOIN information_schema.tables t ON t.table_schema = c.table_schema AND t.table_name = c.table_name \
                 WHERE c.table_schema = {schema} AND c.table_name = {} AND c.column_name = {}",
                literal(name),
                literal(column)
            ))
            .await?;
        let Some(row) = rows.first() else {
            return Err(DatabaseError::new(
                ErrorKind::Statement,
                format!("there is no column `{column}` in a table `{table}`"),
            ));
        };
        let engine = row.text(1)?;
        // A batch and its checkpoint have to commit together.
        if !engine.is_empty() && !engine.eq_ignore_ascii_case("InnoDB") {
            return Err(unsupported(&format!(
                "needs transactions, and the table `{table}` has the engine {engine}; use InnoDB"
            )));
        }
        let data_type = row.text(0)?;
        Kind::of(data_type).ok_or_else(|| {
            unsupported(&format!(
                "cannot go over the key `{column}` of type {data_type}: a key has to be found again by what was read of it, as whole numbers, decimals, texts, bytes, uuids, dates and datetimes are; name another unique key under [backfill]"
            ))
        })
    }

    pub(super) async fn look_ahead(
        &mut self,
        keys: Keys<'_>,
        range: &KeyRange,
        ahead: u64,
    ) -> Result<Option<Key>, DatabaseError> {
        let kinds: Vec<Kind> = range
            .last
            .0
            .iter()
            .map(|text| Kind::of_literal(text))
            .collect();
        let written = written(keys);
        let sql = written.ahead(&written.names.join(", "), range, ahead);
        self.key(&kinds, &written.names, &sql).await
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

    async fn counted(&mut self, sql: &str) -> Result<u64, DatabaseError> {
        let rows = self.rows(sql).await?;
        let count = rows.first().map_or(Ok(0), |row| row.int(0))?;
        Ok(u64::try_from(count).unwrap_or_default())
    }

    pub(super) async fn rows_of(&mut self, table: &str) -> Result<u64, DatabaseError> {
        let (schema, name) = match table.split_once('.') {
            Some((schema, name)) => (literal(schema), name),
            None => ("DATABASE()".to_owned(), table),
        };
        let estimate = format!(
            "SELECT CAST(coalesce(table_rows, 0) AS SIGNED) FROM information_schema.tables \
             WHERE table_schema = {schema} AND table_name = {}",
            literal(name)
        );
        // MySQL remembers for a day what it once told, and has to be asked not to.
        let statements: &[&str] = match self.flavour {
            Flavour::MariaDb => &[&estimate],
            Flavour::MySql => &[
                "SET SESSION information_schema_stats_expiry = 0",
                &estimate,
                "SET SESSION information_schema_stats_expiry = DEFAULT",
            ],
        };
        self.begin_now().await?;
        let answers = self.together(statements).await?;
        let row = answers.iter().find_map(|answer| answer.rows.first());
        let count = row.map_or(Ok(0), |row| row.int(0))?;
        Ok(u64::try_from(count).unwrap_or_default())
    }

    pub(super) async fn first_rows(
        &mut self,
        sql: &str,
        limit: u64,
    ) -> Result<Vec<Vec<String>>, DatabaseError> {
        let sql = sql.trim().trim_end_matches(';');
        self.begin_now().await?;
        let sql = format!("SELECT * FROM ({sql}\n) AS found LIMIT {limit}");
        let rows = self.fetch(sqlx::raw_sql(sqlx::AssertSqlSafe(sql))).await?;
        Ok(rows.iter().map(shown).collect())
    }
}

/// A row for messages. Without a prepared statement every value comes as a text.
fn shown(row: &sqlx::mysql::MySqlRow) -> Vec<String> {
    let values = (0..row.len()).map(|index| {
        if row.try_get_raw(index).is_ok_and(|raw| raw.is_null()) {
            return "NULL".to_owned();
        }
        row.try_get_unchecked::<String, _>(index)
            .unwrap_or_else(|_| {
                let type_name = row
                    .columns()
                    .get(index)
                    .map(|column| column.type_info().name());
                format!("({})", type_name.unwrap_or("?"))
            })
    });
    values.collect()
}

fn unsupported(what: &str) -> DatabaseError {
    DatabaseError::new(ErrorKind::Statement, format!("a backfill {what}"))
}
