//! Whether a backfill can go along a key of a table, and the keys as they are read: exactly, or not at all.

use super::{BackfillError, Engine};
use crate::database::{
    Along, Connection, DatabaseError, ErrorKind, Key, KeyRange, Keys, Start, TableKind,
};
use crate::sql::{Dialect, Written};

/// Why a backfill cannot go along this key; `None` if it can. Pure.
#[must_use]
pub fn against(keys: Keys<'_>, along: &Along, dialect: Dialect) -> Option<String> {
    let (table, key) = (keys.table, keys.columns.join(", "));
    match &along.kind {
        TableKind::Ordinary => {}
        TableKind::Missing => return Some(format!("there is no table `{table}`")),
        TableKind::Other(what) => {
            return Some(format!(
                "`{table}` is {what}, which may show only some of the rows: what a backfill does not see it cannot fill. Name \
                 the table that holds the rows"
            ));
        }
    }
    if !along.missing.is_empty() {
        return Some(format!(
            "`{table}` has no column `{}`",
            along.missing.join("`, `")
        ));
    }
    if let Some(part) = &along.detaching {
        return Some(format!(
            "`{part}` is being detached from `{table}`, so its rows are shown to some and not to others: end that first \
             (ALTER TABLE … DETACH PARTITION … FINALIZE)"
        ));
    }
    let same = |a: &str, b: &str| dialect.same_name(a, b);
    let is_of_key = |column: &String| keys.columns.iter().any(|key| same(key, column));
    let is_unique = along
        .indexes
        .iter()
        .any(|index| index.unique && index.columns.iter().all(is_of_key));
    if !is_unique {
        return Some(format!(
            "no unique index of `{table}` is over its key ({key}), or a part of it: many rows may have the same key, and no batch \
             could end between them. Add one over these columns and all rows (CREATE UNIQUE INDEX), or name another key"
        ));
    }
    let serves = |columns: &[String]| {
        let begin = columns.iter().zip(keys.columns);
        columns.len() >= keys.columns.len() && begin.into_iter().all(|(a, b)| same(a, b))
    };
    let is_served = along
        .indexes
        .iter()
        .any(|index| index.ordered && serves(&index.columns));
    if !is_served {
        return Some(format!(
            "no index of `{table}` begins with its key ({key}), in this order: each batch would read the whole table. Add one, \
             or name the columns in the order of an index that is there"
        ));
    }
    None
}

/// Whether `ONLY` stands before a table: then the rows of its parts are left out. Pure.
fn says_only(sql: &str) -> bool {
    let words: Vec<&str> = sql
        .split(|c: char| !(c.is_alphanumeric() || c == '_'))
        .collect();
    let words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
    words.windows(2).any(|pair| {
        matches!(pair, [before, only] if only.eq_ignore_ascii_case("only")
            && ["from", "update", "join"].iter().any(|word| before.eq_ignore_ascii_case(word)))
    })
}

/// How a statement calls the table: with each schema that it puts before the name. Pure.
fn called(sql: &str, table: &str) -> Vec<String> {
    let name = table.rsplit('.').next().unwrap_or(table).to_lowercase();
    let sql = sql.to_lowercase().replace(['"', '`'], "");
    let is_apart = |c: char| !(c.is_alphanumeric() || c == '_' || c == '.');
    let words = sql.split(is_apart);
    let mut called: Vec<String> = words
        .filter(|word| word.rsplit('.').next() == Some(&name))
        .map(ToOwned::to_owned)
        .collect();
    called.dedup();
    called
}

impl Engine<'_> {
    /// Makes sure that the statement names the very table whose keys the batches go along.
    async fn look_at_target(
        &self,
        connection: &mut dyn Connection,
        along: &Along,
    ) -> Result<(), BackfillError> {
        let table = &self.rules.table;
        // How a name is quoted is the database's business.
        if !table
            .chars()
            .all(|c| c.is_alphanumeric() || c == '_' || c == '.')
        {
            return Ok(());
        }
        let called = called(&self.file.statement.text, table);
        if called.is_empty() {
            return Err(BackfillError::Key(format!(
                "the batches go along the keys of `{table}`, and backfill.sql does not name it: name the table that is updated"
            )));
        }
        if along.identity.is_empty() || called.contains(&table.to_lowercase()) {
            return Ok(());
        }
        for name in called.iter().filter(|name| name.matches('.').count() == 1) {
            let keys = Keys {
                table: name,
                columns: &self.rules.key,
            };
            if connection.along(keys).await?.identity == along.identity {
                return Ok(());
            }
        }
        Err(BackfillError::Key(format!(
            "the batches go along the keys of `{table}`, and backfill.sql updates `{}`, which is another table: name the same one \
             in both",
            called.join("`, `")
        )))
    }

    /// Looks at the table and its key, before anything is begun. Returns what whoever runs it should know; of the triggers
    /// with these names, which the migration has made itself, nothing.
    ///
    /// # Errors
    /// [`BackfillError::Key`] where the backfill cannot go along it, or a database error.
    pub async fn look_at_key(
        &self,
        connection: &mut dyn Connection,
        own: &[&str],
    ) -> Result<Vec<String>, BackfillError> {
        let (table, columns) = (&self.rules.table, &self.rules.key);
        let dialect = connection.capabilities().dialect;
        let along = connection.along(self.keys()).await?;
        let refused = against(self.keys(), &along, dialect);
        if let Some(why) = refused {
            return Err(BackfillError::Key(why));
        }
        if along.hides_rows {
            let message = format!("a policy of `{table}` applies to this role");
            return Err(DatabaseError::new(ErrorKind::HiddenRows, message).into());
        }
        self.look_at_target(connection, &along).await?;
        let queries = [
            self.file.statement.text.as_str(),
            self.rules.remaining.of(dialect),
        ];
        let check = self.rules.check.as_ref().map(|check| check.of(dialect));
        let queries = queries.into_iter().chain(check);
        if !along.parts.is_empty() && queries.into_iter().any(says_only) {
            return Err(BackfillError::Key(format!(
                "`ONLY` leaves out the rows of {}, which belong to `{table}`: take it out of backfill.sql, `remaining` and `check`",
                along.parts.join(", ")
            )));
        }
        let mut warnings = along_with(&self.file.statement.text, table, &along, own, dialect);
        if along.nullable.is_empty() {
            return Ok(warnings);
        }
        let count = connection.count_keyless(self.keys()).await?;
        if count > 0 {
            warnings.push(without_key(count, table, columns));
        }
        Ok(warnings)
    }

    /// All keys of the table, from the first to the last; `None` if it is empty.
    ///
    /// # Errors
    /// [`BackfillError::Key`] where they cannot be read exactly, or a database error.
    pub async fn whole(
        &self,
        connection: &mut dyn Connection,
    ) -> Result<Option<KeyRange>, BackfillError> {
        whole(connection, self.keys()).await
    }

    /// Why rows may be left over that no batch went over, in words.
    pub async fn passed_by(&self, connection: &mut dyn Connection) -> Vec<String> {
        let (table, columns) = (&self.rules.table, &self.rules.key);
        let mut words = Vec::new();
        // No more than a help: the rows are left either way.
        let count = connection.count_keyless(self.keys()).await.unwrap_or(0);
        if count > 0 {
            words.push(without_key(count, table, columns));
        }
        words
    }
}

/// What the database writes in every row that the statement fills, beside what the statement says. Pure.
fn along_with(
    sql: &str,
    table: &str,
    along: &Along,
    own: &[&str],
    dialect: Dialect,
) -> Vec<String> {
    let name = table.rsplit('.').next().unwrap_or(table);
    let same = |a: &str, b: &str| dialect.may_be_same_name(a, b);
    let written = dialect.written(sql).into_iter();
    let written: Vec<Written> = written
        .filter(|written| same(&written.table, name))
        .collect();
    if written.is_empty() {
        return Vec::new();
    }
    let is_written = |column: &String| {
        let mut columns = written
            .iter()
            .filter_map(|written| written.columns.as_ref())
            .flatten();
        columns.any(|written| same(written, column))
    };
    let is_told = written.iter().all(|written| written.columns.is_some());
    let stamps = along
        .set_on_update
        .iter()
        .filter(|column| !is_written(column));
    let stamps = stamps.map(|column| {
        let column = dialect.quoted(column);
        format!(
            "`{column}` of `{table}` has ON UPDATE CURRENT_TIMESTAMP: this backfill sets it in every row that it fills. Add \
             `{column} = {column}` to the UPDATE to keep it"
        )
    });
    let mut found: Vec<String> = stamps.collect();
    let triggers: Vec<String> = along
        .on_update
        .iter()
        .filter(|trigger| !own.iter().any(|own| same(own, &trigger.name)))
        .filter(|trigger| !is_told || trigger.of.is_empty() || trigger.of.iter().any(is_written))
        .map(|trigger| format!("`{}`", trigger.name))
        .collect();
    if !triggers.is_empty() {
        let (triggers, run) = match triggers.as_slice() {
            [one] => (format!("the trigger {one}"), "runs"),
            several => (format!("the triggers {}", several.join(", ")), "run"),
        };
        found.push(format!(
            "{triggers} of `{table}` {run} for each row that this backfill fills, and what {run} there (a time of the last \
             change, a row of a log) cannot be undone: see whether that is wanted"
        ));
    }
    found
}

fn without_key(count: u64, table: &str, columns: &[String]) -> String {
    let null: Vec<String> = columns
        .iter()
        .map(|name| format!("{name} IS NULL"))
        .collect();
    let (rows, have) = if count == 1 {
        ("row", "has")
    } else {
        ("rows", "have")
    };
    format!(
        "{count} {rows} of `{table}` {have} no key ({}), and a backfill goes along keys: fill them by hand, or choose a key \
         that is NOT NULL",
        null.join(" or ")
    )
}

/// The key that is `ahead` places into the range.
///
/// Invariant: a key is only gone on after where the database finds it again by what was read of it. So no row between two
/// batches is passed by, and none is gone over for ever.
pub(super) async fn ahead(
    connection: &mut dyn Connection,
    keys: Keys<'_>,
    range: &KeyRange,
    ahead: u64,
) -> Result<Option<Key>, BackfillError> {
    let mut before = None;
    loop {
        let Some(end) = connection.key_ahead(keys, range, ahead).await? else {
            return Ok(None);
        };
        let is_stuck = matches!(&range.start, Start::After(start) if *start == end);
        if !is_stuck && connection.has_key(keys, &end).await? {
            return Ok(Some(end));
        }
        // Somebody may have deleted that very row.
        if is_stuck || before.as_ref() == Some(&end) {
            return Err(unreadable(keys, &end));
        }
        before = Some(end);
    }
}

/// All keys of a table, from the first to the last.
pub(super) async fn whole(
    connection: &mut dyn Connection,
    keys: Keys<'_>,
) -> Result<Option<KeyRange>, BackfillError> {
    let mut before = None;
    loop {
        let Some(range) = connection.key_range(keys).await? else {
            return Ok(None);
        };
        let mut lost = None;
        for key in [range.start.key(), &range.last] {
            if !connection.has_key(keys, key).await? {
                lost = Some(key.clone());
            }
        }
        match lost {
            None => return Ok(Some(range)),
            Some(key) if before.as_ref() == Some(&range) => return Err(unreadable(keys, &key)),
            Some(_) => before = Some(range),
        }
    }
}

fn unreadable(keys: Keys<'_>, key: &Key) -> BackfillError {
    BackfillError::Key(format!(
        "the key {key} was read from `{}`, and the table has no such row: the values of this key cannot be read exactly, and a \
         batch would not get past it. Everything before it stays done; name another key",
        keys.table
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::database::{KeyIndex, UpdateTrigger};

    fn index(columns: &[&str], unique: bool) -> KeyIndex {
        KeyIndex {
            columns: columns.iter().map(ToString::to_string).collect(),
            unique,
            ordered: true,
        }
    }

    fn said(key: &[&str], indexes: Vec<KeyIndex>) -> Option<String> {
        let columns: Vec<String> = key.iter().map(ToString::to_string).collect();
        let keys = Keys {
            table: "t",
            columns: &columns,
        };
        let along = Along {
            indexes,
            ..Along::of(TableKind::Ordinary)
        };
        against(keys, &along, Dialect::Postgres)
    }

    #[test]
    fn a_key_is_unique_and_served_by_an_index() {
        for (key, indexes) in [
            (&["id"][..], vec![index(&["id"], true)]),
            (&["a", "b"], vec![index(&["a", "b"], true)]),
            // Unique by a part of it, and served by a longer one.
            (
                &["a", "id"],
                vec![index(&["id"], true), index(&["a", "id", "c"], false)],
            ),
        ] {
            assert_eq!(said(key, indexes), None, "{key:?}");
        }
        for (key, indexes, part) in [
            (&["id"][..], vec![], "no unique index"),
            (&["id"], vec![index(&["id"], false)], "no unique index"),
            (&["id"], vec![index(&["id", "x"], true)], "no unique index"),
            (
                &["id"],
                vec![index(&[""], true), index(&["id"], false)],
                "no unique index",
            ),
            (&["b", "a"], vec![index(&["a", "b"], true)], "in this order"),
            (&["a", "id"], vec![index(&["id"], true)], "in this order"),
        ] {
            let said = said(key, indexes).unwrap_or_default();
            assert!(said.contains(part), "{key:?}: {said}");
        }
    }

    #[test]
    fn what_is_written_along_is_told() {
        let along = Along {
            set_on_update: vec!["updated_at".to_owned()],
            on_update: vec![
                UpdateTrigger {
                    name: "touch".to_owned(),
                    of: Vec::new(),
                },
                UpdateTrigger {
                    name: "of_name".to_owned(),
                    of: vec!["name".to_owned()],
                },
            ],
            ..Along::of(TableKind::Ordinary)
        };
        let said = |set: &str, own: &[&str]| {
            let sql = format!("UPDATE t SET {set} WHERE id > :after AND id <= :upto");
            along_with(&sql, "app.t", &along, own, Dialect::Mysql).join("\n")
        };
        let all = said("nom = 1", &[]);
        assert!(all.contains("`updated_at = updated_at`"), "{all}");
        assert!(all.contains("the trigger `touch` of `app.t` runs"), "{all}");
        let both = said("name = 1", &[]);
        assert!(both.contains("the triggers `touch`, `of_name`"), "{both}");
        let own = said("nom = 1, updated_at = updated_at", &["TOUCH"]);
        assert_eq!(own, "");
    }

    #[test]
    fn a_table_is_found_by_what_it_is_called() {
        let found = |sql, table| called(sql, table).join(", ");
        assert_eq!(found("UPDATE users SET v = 1", "people"), "");
        assert_eq!(found("UPDATE Users SET v = 1", "users"), "users");
        assert_eq!(found("UPDATE \"app\".\"t\" SET v = 1", "t"), "app.t");
        assert_eq!(
            found("UPDATE users u SET v = 1 FROM app.people", "people"),
            "app.people"
        );
        assert_eq!(found("UPDATE t SET v = t.w", "t"), "t");
    }

    #[test]
    fn only_is_seen_before_a_table() {
        for sql in [
            "UPDATE ONLY t SET a = 1",
            "SELECT count(*) from only (t)",
            "x join\nONLY y",
        ] {
            assert!(says_only(sql), "{sql}");
        }
        assert!(!says_only("SELECT 1 FROM t FETCH FIRST 1 ROWS ONLY"));
    }
}
