//! The keys that a backfill goes over, as literals.

use super::{Mysql, identifier, literal, table_name};
use crate::database::{Batch, DatabaseError, ErrorKind, KeyRange};

/// How a key is written, and read without loss.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Key {
    Integer,
    Text,
    /// A MariaDB UUID, which is written like a text.
    Uuid,
    Bytes,
}

const NIL: &str = "00000000-0000-0000-0000-000000000000";

impl Key {
    fn of(data_type: &str) -> Option<Self> {
        Some(match data_type.to_ascii_lowercase().as_str() {
            "tinyint" | "smallint" | "mediumint" | "int" | "bigint" => Self::Integer,
            "char" | "varchar" | "tinytext" | "text" | "mediumtext" | "longtext" => Self::Text,
            "uuid" => Self::Uuid,
            "binary" | "varbinary" => Self::Bytes,
            _ => return None,
        })
    }

    /// The kind that a literal of ours has.
    fn of_literal(text: &str) -> Self {
        match text.as_bytes().first() {
            Some(b'x') => Self::Bytes,
            Some(b'\'') => Self::Text,
            _ => Self::Integer,
        }
    }

    /// An expression that reads it as a text.
    fn read(self, expression: &str) -> String {
        match self {
            Self::Integer | Self::Uuid => format!("CAST({expression} AS CHAR)"),
            Self::Text => format!("CONVERT({expression} USING utf8mb4)"),
            Self::Bytes => format!("HEX({expression})"),
        }
    }

    fn literal(self, read: &str) -> String {
        match self {
            Self::Integer => read.to_owned(),
            Self::Text | Self::Uuid => literal(read),
            Self::Bytes => format!("x'{read}'"),
        }
    }

    /// A literal before every key.
    fn before(self, first: &str) -> Option<String> {
        match self {
            // 128 bits: below the least of 64 the server counts on in decimals.
            Self::Integer => Some((first.parse::<i128>().ok()?.checked_sub(1)?).to_string()),
            Self::Text => Some("''".to_owned()),
            Self::Uuid => (first != NIL).then(|| literal(NIL)),
            Self::Bytes => (!first.is_empty()).then(|| "x''".to_owned()),
        }
    }
}

impl Mysql {
    pub(super) async fn ends_of_key(
        &mut self,
        table: &str,
        key: &str,
    ) -> Result<Option<KeyRange>, DatabaseError> {
        let kind = self.kind_of_key(table, key).await?;
        let (quoted_table, quoted_key) = (table_name(table), identifier(key));
        let (low, high) = (
            kind.read(&format!("min({quoted_key})")),
            kind.read(&format!("max({quoted_key})")),
        );
        // Trailing blanks may count for nothing, so the server says whether a text is empty.
        let starts = match kind {
            Key::Text => format!("min({quoted_key}) > ''"),
            _ => "1".to_owned(),
        };
        let rows = self
            .rows(&format!(
                "SELECT {low}, {high}, {starts} FROM {quoted_table}"
            ))
            .await?;
        let Some(row) = rows.first() else {
            return Ok(None);
        };
        let (Some(first), Some(last)) = (row.optional_text(0)?, row.optional_text(1)?) else {
            return Ok(None);
        };
        let before_first = kind.before(first).filter(|_| row.int(2) == Ok(1));
        match before_first {
            Some(before_first) => Ok(Some(KeyRange {
                before_first,
                last: kind.literal(last),
            })),
            None => Err(unsupported(&format!(
                "cannot start at the key `{first}`: texts and bytes must not be empty, and uuids not nil"
            ))),
        }
    }

    async fn kind_of_key(&mut self, table: &str, key: &str) -> Result<Key, DatabaseError> {
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
                literal(key)
            ))
            .await?;
        let Some(row) = rows.first() else {
            return Err(DatabaseError::new(
                ErrorKind::Statement,
                format!("there is no column `{key}` in a table `{table}`"),
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
        Key::of(data_type).ok_or_else(|| {
            unsupported(&format!(
                "cannot go over the key `{key}` of type {data_type}: supported are integers, texts, bytes and uuids"
            ))
        })
    }

    pub(super) async fn end_of_batch(
        &mut self,
        batch: &Batch<'_>,
    ) -> Result<Option<String>, DatabaseError> {
        let kind = Key::of_literal(batch.upto);
        let (table, key) = (table_name(batch.table), identifier(batch.key));
        let rows = self
            .rows(&format!(
                "SELECT {read} FROM (SELECT {key} AS k FROM {table} WHERE {key} > {after} AND {key} <= {upto} \
                 ORDER BY {key} LIMIT {size}) AS batch ORDER BY k DESC LIMIT 1",
                read = kind.read("k"),
                after = batch.after,
                upto = batch.upto,
                size = batch.size
            ))
            .await?;
        let Some(row) = rows.first() else {
            return Ok(None);
        };
        Ok(row.optional_text(0)?.map(|read| kind.literal(read)))
    }
}

fn unsupported(what: &str) -> DatabaseError {
    DatabaseError::new(ErrorKind::Statement, format!("a backfill {what}"))
}
