//! What a batch failed on, and how it goes on. In words.

use std::fmt;
use std::path::PathBuf;

use crate::database::{DatabaseError, ErrorKind, Key, KeyRange, Start};
use crate::model::MigrationId;

/// A batch that the database did not accept.
#[derive(Debug)]
pub struct FailedBatch {
    pub migration: MigrationId,
    /// Of the statement, relative to the project's root.
    pub path: PathBuf,
    /// Of the key.
    pub columns: Vec<String>,
    pub on: FailedOn,
    pub cause: DatabaseError,
}

/// What it failed on, as far as that is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FailedOn {
    /// One of these keys, or all of them.
    Range(KeyRange),
    /// The one row whose key is the last of this range, which holds no other.
    Row(KeyRange),
    /// It fails where there is no row at all, too.
    Statement,
}

impl fmt::Display for FailedBatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (path, cause) = (self.path.display(), &self.cause);
        match &self.on {
            FailedOn::Range(keys) => write!(
                f,
                "{path}: the batch {keys} failed, and everything before it stays done: {cause}"
            ),
            FailedOn::Row(keys) => write!(
                f,
                "{path}: the row with {} cannot be changed like this, and everything before it stays done: {cause}",
                self.key(&keys.last)
            ),
            FailedOn::Statement => write!(
                f,
                "{path}: the statement fails whatever rows it is given, so nothing was changed: {cause}"
            ),
        }
    }
}

impl FailedBatch {
    fn key(&self, key: &Key) -> String {
        match self.columns.as_slice() {
            [one] => format!("{one} = {key}"),
            several => format!("({}) = {key}", several.join(", ")),
        }
    }

    /// What to mend, and how it goes on.
    #[must_use]
    pub fn help(&self) -> String {
        let again = format!("`migrate backfill {}`", self.migration);
        let file = self.path.file_name().unwrap_or_default();
        let file = file.to_string_lossy();
        let goes_on = |keys: &KeyRange| match &keys.start {
            Start::At(_) => "it begins with it".to_owned(),
            Start::After(key) => format!("it goes on after key {key}"),
        };
        match &self.on {
            FailedOn::Statement => {
                format!("mend {file}, then run {again}, which begins with the mended statement")
            }
            FailedOn::Row(keys) => format!(
                "mend this row, then run {again} again: {}. Or mend {file}: a statement that was mended goes over all rows once more",
                goes_on(keys)
            ),
            FailedOn::Range(_) if self.cause.kind == ErrorKind::Locked => format!(
                "end who holds the lock, or wait for a quieter time, then run {again} again: it goes on with this batch"
            ),
            FailedOn::Range(_) if self.cause.kind == ErrorKind::Timeout => format!(
                "raise `statement_timeout` under [backfill] or lower `batch`, then run {again} again: it goes on with this batch"
            ),
            FailedOn::Range(_) => {
                let cause = self.cause.help();
                let what =
                    cause.unwrap_or("mend what the message is about, a row or the statement");
                format!("{what}; then run {again} again: it goes on with this batch")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(literals: &[&str]) -> Key {
        Key(literals.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn what_to_mend_and_where_it_goes_on() {
        let mut failed = FailedBatch {
            migration: "0001_x".parse().unwrap(),
            path: "0001_x/backfill.sql".into(),
            columns: vec!["id".into()],
            on: FailedOn::Row(KeyRange {
                start: Start::After(key(&["2221"])),
                last: key(&["2222"]),
            }),
            cause: DatabaseError::new(ErrorKind::Statement, "no number"),
        };
        assert_eq!(
            failed.to_string(),
            "0001_x/backfill.sql: the row with id = 2222 cannot be changed like this, and everything before it stays done: no number"
        );
        assert!(failed.help().contains("it goes on after key 2221"));
        failed.columns = vec!["a".into(), "b".into()];
        failed.on = FailedOn::Row(KeyRange {
            start: Start::At(key(&["1", "'x'"])),
            last: key(&["1", "'x'"]),
        });
        assert!(failed.to_string().contains("with (a, b) = (1, x)"));
        assert!(failed.help().contains("it begins with it"));
        failed.on = FailedOn::Statement;
        assert!(failed.help().starts_with("mend backfill.sql"));
    }
}
