//! What stands behind the columns of a table: by what its texts are compared, which MySQL says there or in `ALTER TABLE`, and whether
//! PostgreSQL keeps its rows in partitions.

use super::Table;
use super::definition::Cursor;
use crate::Dialect;

impl Table {
    /// `DEFAULT CHARSET = latin1 COLLATE latin1_bin`, `PARTITION BY RANGE (at)`
    pub(super) fn behind(&mut self, cursor: &Cursor<'_>) {
        let mut cursor = cursor.clone();
        match cursor.dialect {
            Dialect::Mysql => self.compared_by = said(cursor),
            Dialect::Postgres => {
                self.is_partitioned = cursor.until("partition").is_some() && cursor.eat("by");
            }
            Dialect::Sqlite => {}
        }
    }

    /// `CONVERT TO CHARACTER SET latin1`, for all columns that are there; another default leaves them as they are.
    pub(super) fn converted(&mut self, action: &Cursor<'_>) {
        if action.dialect != Dialect::Mysql || !action.is_any(&["convert"]) {
            return;
        }
        self.compared_by = said(action.clone());
        for column in &mut self.columns {
            column.more.retain(|more| {
                let lower = more.to_ascii_lowercase();
                !["charset", "character", "collate"]
                    .iter()
                    .any(|word| lower.starts_with(word))
            });
        }
    }
}

fn said(mut cursor: Cursor<'_>) -> Option<String> {
    let (mut set, mut collation) = (None, None);
    while !cursor.rest().is_empty() && !cursor.is_any(&["partition"]) {
        if cursor.eat("charset") || cursor.eats(&["character", "set"]) {
            cursor.eats_sign("=");
            set = cursor.name();
        } else if cursor.eat("collate") {
            cursor.eats_sign("=");
            collation = cursor.name();
        } else {
            cursor.skip();
        }
    }
    let said: Vec<String> = [("CHARACTER SET", set), ("COLLATE", collation)]
        .into_iter()
        .filter_map(|(word, name)| Some(format!("{word} {}", name?)))
        .collect();
    (!said.is_empty()).then(|| said.join(" "))
}

#[cfg(test)]
mod tests {
    use super::super::{Table, Tables};
    use crate::{Dialect, Script};

    fn table(dialect: Dialect, sql: &str) -> Table {
        let mut tables = Tables::default();
        tables.apply(&Script::parse(dialect, sql).expect("it can be read"));
        tables.get(dialect, "t").cloned().expect("it is there")
    }

    #[test]
    fn a_table_has_partitions() {
        for (sql, is) in [
            ("CREATE TABLE t (a int)", false),
            ("CREATE TABLE t (a int) PARTITION BY LIST (a)", true),
            (
                "CREATE TABLE t (partition int) WITH (fillfactor = 70)",
                false,
            ),
        ] {
            assert_eq!(table(Dialect::Postgres, sql).is_partitioned, is, "{sql}");
        }
    }

    #[test]
    fn a_table_says_by_what_its_texts_are_compared() {
        for (sql, by) in [
            ("CREATE TABLE t (a text)", None),
            (
                "CREATE TABLE t (a text COLLATE utf8mb4_bin) ENGINE = InnoDB",
                None,
            ),
            (
                "CREATE TABLE t (a text) DEFAULT CHARSET=latin1",
                Some("CHARACTER SET latin1"),
            ),
            (
                "CREATE TABLE t (a text) ENGINE=InnoDB CHARACTER SET latin1 COLLATE = latin1_bin COMMENT 'charset x'",
                Some("CHARACTER SET latin1 COLLATE latin1_bin"),
            ),
            (
                "CREATE TABLE t (a text); ALTER TABLE t ADD b text COLLATE utf8mb4_bin",
                None,
            ),
            (
                "CREATE TABLE t (a text); ALTER TABLE t DEFAULT CHARSET latin1",
                None,
            ),
            (
                "CREATE TABLE t (a text); ALTER TABLE t CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
                Some("CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"),
            ),
        ] {
            assert_eq!(
                table(Dialect::Mysql, sql).compared_by.as_deref(),
                by,
                "{sql}"
            );
        }
    }
}
