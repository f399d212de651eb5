//! A statement with the ends of a range put in. Pure.

use crate::database::{KeyRange, RowComparison};
use crate::sql::{Part, Ranged};

/// The statement over one range of keys.
#[must_use]
pub fn over(statement: &Ranged, range: &KeyRange, rows: RowComparison) -> String {
    let mut sql = String::with_capacity(statement.text.len() + 64);
    for part in &statement.parts {
        match part {
            Part::Sql(text) => sql.push_str(text),
            // The column stands in the part before.
            Part::After(row) => sql.push_str(rows.from(columns(row), &range.start).trim_start()),
            Part::Upto(row) => sql.push_str(rows.upto(columns(row), &range.last).trim_start()),
        }
    }
    sql
}

/// A single column is compared under an empty name.
fn columns(row: &[String]) -> &[String] {
    static UNNAMED: [String; 1] = [String::new()];
    if row.is_empty() { &UNNAMED } else { row }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::database::{Key, Start};
    use crate::sql::{Dialect, backfill_statement};

    fn key(literals: &[&str]) -> Key {
        Key(literals.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn ranges_are_put_in() {
        let sql = "UPDATE t SET a = 1 WHERE id > :after::bigint AND id <= :upto AND a IS NULL";
        let statement = backfill_statement(Dialect::Postgres, sql, None).unwrap();
        let mut range = KeyRange {
            start: Start::At(key(&["1"])),
            last: key(&["9"]),
        };
        assert_eq!(
            over(&statement, &range, RowComparison::AsRow),
            "UPDATE t SET a = 1 WHERE id >= 1::bigint AND id <= 9 AND a IS NULL"
        );
        range.start = Start::After(key(&["4"]));
        assert_eq!(
            over(&statement, &range, RowComparison::WrittenOut),
            "UPDATE t SET a = 1 WHERE id > 4::bigint AND id <= 9 AND a IS NULL"
        );
    }

    #[test]
    fn rows_are_put_in_as_the_database_serves_them() {
        let sql = "UPDATE t SET a = 1 WHERE (x, y) > :after AND (x, y) <= :upto";
        let statement = backfill_statement(Dialect::Mysql, sql, None).unwrap();
        let range = KeyRange {
            start: Start::After(key(&["1", "'a'"])),
            last: key(&["2", "'b'"]),
        };
        assert_eq!(
            over(&statement, &range, RowComparison::AsRow),
            "UPDATE t SET a = 1 WHERE (x, y) > (1, 'a') AND (x, y) <= (2, 'b')"
        );
        assert_eq!(
            over(&statement, &range, RowComparison::WrittenOut),
            "UPDATE t SET a = 1 WHERE (x > 1 OR (x = 1 AND y > 'a')) AND (x < 2 OR (x = 2 AND y <= 'b'))"
        );
    }
}
