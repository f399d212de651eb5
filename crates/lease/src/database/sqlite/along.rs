//! What the catalogue says about a table that a backfill is to go along.

use super::{Sqlite, identifier};
use crate::database::{
    Along, Connection as _, DatabaseError, KeyIndex, Keys, TableKind, UpdateTrigger,
};

/// How SQLite calls the number of a row, where no column has that name.
const ROW_NUMBER: [&str; 3] = ["rowid", "_rowid_", "oid"];

impl Sqlite {
    pub(super) async fn look_along(&mut self, keys: Keys<'_>) -> Result<Along, DatabaseError> {
        let named = [keys.table.into()];
        // A temporary table stands before one of the same name.
        let temporary = "SELECT 1 FROM sqlite_temp_master WHERE name = ? COLLATE NOCASE AND type IN ('table', 'view')";
        if !self.query(temporary, &named).await?.is_empty() {
            return Ok(Along::of(TableKind::Other("a temporary table".to_owned())));
        }
        let rows = self
            .query(
                "SELECT type, coalesce(sql, '') FROM sqlite_master WHERE name = ? COLLATE NOCASE AND type IN ('table', 'view')",
                &named,
            )
            .await?;
        let Some(row) = rows.first() else {
            return Ok(Along::of(TableKind::Missing));
        };
        let sql = row.text(1)?.to_ascii_uppercase();
        let mut along = Along::of(if row.text(0)? == "view" {
            TableKind::Other("a view".to_owned())
        } else if sql.starts_with("CREATE VIRTUAL") {
            TableKind::Other("a virtual table".to_owned())
        } else {
            TableKind::Ordinary
        });
        let rows = self
            .query(
                // With the generated ones, which the shorter list leaves out.
                "SELECT name, \"notnull\", pk FROM pragma_table_xinfo(?) ORDER BY pk",
                &named,
            )
            .await?;
        let mut columns = Vec::new();
        for row in &rows {
            columns.push((row.text(0)?.to_owned(), row.int(1)? != 0, row.int(2)?));
        }
        along.indexes = self.indexes_of(keys.table).await?;
        let first: Vec<&(String, bool, i64)> = columns.iter().filter(|(.., pk)| *pk > 0).collect();
        let has_own_tree = "SELECT 1 FROM pragma_index_list(?) WHERE origin = 'pk'";
        let is_row_number = first.len() == 1 && self.query(has_own_tree, &named).await?.is_empty();
        if let (true, [(name, ..)]) = (is_row_number, first.as_slice()) {
            along.indexes.push(by_row_number(name));
        }
        for key in keys.columns {
            let found = columns
                .iter()
                .find(|(name, ..)| name.eq_ignore_ascii_case(key));
            match found {
                Some((_, not_null, pk)) => {
                    let is_never_null = *not_null || (is_row_number && *pk > 0);
                    if !is_never_null {
                        along.nullable.push(key.clone());
                    }
                }
                None if self.has_row_number(keys.table, key).await => {
                    along.indexes.push(by_row_number(key));
                }
                None => along.missing.push(key.clone()),
            }
        }
        let rows = self
            .query(
                "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = ? COLLATE NOCASE \
                 AND sql IS NOT NULL ORDER BY name",
                &named,
            )
            .await?;
        for row in &rows {
            along
                .on_update
                .extend(update_trigger(row.text(0)?, row.text(1)?));
        }
        Ok(along)
    }

    async fn has_row_number(&mut self, table: &str, key: &str) -> bool {
        if !ROW_NUMBER.iter().any(|name| name.eq_ignore_ascii_case(key)) {
            return false;
        }
        let probe = format!("SELECT {key} FROM {} LIMIT 0", identifier(table));
        self.query(&probe, &[]).await.is_ok()
    }

    async fn indexes_of(&mut self, table: &str) -> Result<Vec<KeyIndex>, DatabaseError> {
        let rows = self
            .query(
                "SELECT l.name, coalesce(x.name, ''), l.\"unique\" FROM pragma_index_list(?) AS l \
                 JOIN pragma_index_xinfo(l.name) AS x WHERE l.partial = 0 AND x.key = 1 ORDER BY l.seq, x.seqno",
                &[table.into()],
            )
            .await?;
        let mut indexes: Vec<(String, KeyIndex)> = Vec::new();
        for row in &rows {
            let (name, column) = (row.text(0)?, row.text(1)?.to_owned());
            match indexes.last_mut().filter(|(last, _)| last == name) {
                Some((_, index)) => index.columns.push(column),
                None => indexes.push((
                    name.to_owned(),
                    KeyIndex {
                        columns: vec![column],
                        unique: row.int(2)? != 0,
                        ordered: true,
                    },
                )),
            }
        }
        Ok(indexes.into_iter().map(|(_, index)| index).collect())
    }
}

/// The trigger, if an UPDATE fires it: `CREATE TRIGGER name AFTER UPDATE OF a, b ON t …`.
fn update_trigger(name: &str, sql: &str) -> Option<UpdateTrigger> {
    let at = sql.find(name)? + name.len();
    let head = sql.get(at..)?;
    let head = head.trim_start_matches(['"', '`', ']', '\'']);
    let mut words = head
        .split(|c: char| c.is_whitespace() || c == ',')
        .filter(|word| !word.is_empty());
    let is = |word: &str, other: &str| word.eq_ignore_ascii_case(other);
    let event = words.find(|word| !["before", "after"].iter().any(|other| is(word, other)))?;
    if !is(event, "update") {
        return None;
    }
    let of = words
        .take_while(|word| !is(word, "on"))
        .filter(|word| !is(word, "of"));
    let unquoted = |word: &str| word.trim_matches(['"', '`', '[', ']']).to_owned();
    Some(UpdateTrigger {
        name: name.to_owned(),
        of: of.map(unquoted).collect(),
    })
}

fn by_row_number(column: &str) -> KeyIndex {
    KeyIndex {
        columns: vec![column.to_owned()],
        unique: true,
        ordered: true,
    }
}

#[cfg(test)]
mod tests {
    use super::update_trigger;

    #[test]
    fn a_trigger_fires_at_what_stands_behind_its_name() {
        for (name, sql, of) in [
            (
                "t",
                "CREATE TRIGGER t AFTER UPDATE ON u BEGIN SELECT 1; END",
                Some(""),
            ),
            (
                "t",
                "CREATE TRIGGER \"t\" UPDATE ON u BEGIN SELECT 1; END",
                Some(""),
            ),
            (
                "t",
                "CREATE TRIGGER t BEFORE UPDATE OF a,\n \"b\" ON u BEGIN SELECT 1; END",
                Some("a b"),
            ),
            (
                "on_update",
                "CREATE TRIGGER on_update AFTER INSERT ON u BEGIN UPDATE u SET a = 1; END",
                None,
            ),
            (
                "t",
                "CREATE TRIGGER t DELETE ON u BEGIN SELECT 1; END",
                None,
            ),
        ] {
            let found = update_trigger(name, sql).map(|trigger| trigger.of.join(" "));
            assert_eq!(found.as_deref(), of, "{sql}");
        }
    }
}
