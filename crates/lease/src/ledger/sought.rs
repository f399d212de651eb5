//! Looking for events: the log is read in pages, from its end, so that a long one is not held as a whole by whoever asks for a
//! few of them.

use super::events::Event;
use super::{Ledger, LedgerError};
use crate::database::Value;

/// How many events are read at once.
const PAGE: i64 = 1000;

/// Which events are looked for. What is asked of the database is no more than a rough answer: `covers` judges.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sought<'s> {
    /// After which event.
    pub after: Option<i64>,
    /// Since when, in milliseconds since the epoch.
    pub since: Option<i64>,
    /// Text that occurs in the name of who did it.
    pub actor: Option<&'s str>,
    /// Text that occurs in the name of the migration.
    pub migration: Option<&'s str>,
    /// How many of the latest are enough.
    pub last: Option<usize>,
}

impl Sought<'_> {
    /// The conditions and their values, after that on `seq`.
    fn conditions(&self) -> (String, Vec<Value>) {
        let (mut sql, mut values) = (String::new(), Vec::new());
        if let Some(after) = self.after {
            sql.push_str(" AND seq > ?");
            values.push(after.into());
        }
        if let Some(since) = self.since {
            sql.push_str(" AND at >= ?");
            values.push(since.into());
        }
        for (column, text) in [("actor", self.actor), ("migration", self.migration)] {
            if let Some(text) = text.filter(|text| !text.is_empty()) {
                sql.push_str(&format!(" AND {column} LIKE ? ESCAPE '!'"));
                values.push(containing(text).into());
            }
        }
        (sql, values)
    }
}

/// A pattern of texts that hold this one.
fn containing(text: &str) -> String {
    let mut pattern = String::from("%");
    for c in text.chars() {
        if matches!(c, '%' | '_' | '!') {
            pattern.push('!');
        }
        pattern.push(c);
    }
    pattern.push('%');
    pattern
}

impl Ledger<'_> {
    /// The latest events that are looked for and that `covers` lets through, oldest first.
    ///
    /// # Errors
    /// A database error.
    pub async fn find_events(
        &mut self,
        sought: Sought<'_>,
        covers: impl Fn(&Event) -> bool,
    ) -> Result<Vec<Event>, LedgerError> {
        let wanted = sought.last.unwrap_or(usize::MAX);
        let (conditions, values) = sought.conditions();
        let sql = format!("seq < ?{conditions} ORDER BY seq DESC LIMIT {PAGE}");
        let mut found = Vec::new();
        let mut before = i64::MAX;
        while found.len() < wanted {
            let mut parameters = vec![before.into()];
            parameters.extend(values.iter().cloned());
            let page = self.events_where(&sql, &parameters).await?;
            let is_last = i64::try_from(page.len()).is_ok_and(|length| length < PAGE);
            before = page.last().map_or(before, |event| event.seq);
            let left = wanted.saturating_sub(found.len());
            found.extend(page.into_iter().filter(|event| covers(event)).take(left));
            if is_last {
                break;
            }
        }
        found.reverse();
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_looked_for_is_no_pattern() {
        assert_eq!(containing("0002_a%!"), "%0002!_a!%!!%");
        let sought = Sought {
            after: Some(5),
            since: Some(7),
            actor: Some("ann"),
            migration: Some(""),
            last: None,
        };
        let (sql, values) = sought.conditions();
        assert_eq!(sql, " AND seq > ? AND at >= ? AND actor LIKE ? ESCAPE '!'");
        assert_eq!(
            values,
            [
                Value::Int(5),
                Value::Int(7),
                Value::Text("%ann%".to_owned())
            ]
        );
    }
}
