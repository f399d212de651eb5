//! Moments and times of no zone: what PostgreSQL makes of one in the other depends on the zone of whoever's session it is. A trigger
//! runs in that of the application, and the backfill in another one.

use phasegate_sql::Dialect;

use super::{Against, Objection, Weight};
use crate::clocks::{Clock, clock};
use crate::{Columns, Wrong};

/// Whether it says by which zone.
fn names_zone(expression: &str) -> bool {
    let lower = expression.to_ascii_lowercase();
    let words: Vec<&str> = lower.split_whitespace().collect();
    words
        .windows(3)
        .any(|words| matches!(words, [at, "time", "zone"] if at.ends_with("at")))
        || lower.contains("timezone")
}

/// A column, what it is, and what stands in it.
struct Made<'m> {
    column: &'m str,
    clock: Clock,
    by: &'m str,
    key: &'static str,
}

impl Against<'_> {
    pub(super) fn clocks(&mut self, change: &Columns) {
        if self.dialect != Dialect::Postgres {
            return;
        }
        let dialect = self.dialect;
        let old: Vec<(&str, Clock)> = change
            .old
            .iter()
            .filter_map(|name| {
                let column = self.table.column(dialect, name)?;
                Some((name.as_str(), clock(&column.kind)))
            })
            .collect();
        let new: Vec<(&str, Clock)> = change
            .new
            .iter()
            .filter_map(|new| Some((new.name.as_str(), clock(new.kind.of(dialect)?))))
            .collect();
        let forward = made(&new, "forward", |name| {
            change.forward.get(name)?.of(dialect)
        });
        let back = made(&old, "back", |name| change.back.get(name)?.of(dialect));
        let mut found: Vec<Objection> = Vec::new();
        found.extend(forward.iter().filter_map(|made| by_session(made, &old)));
        found.extend(back.iter().filter_map(|made| by_session(made, &new)));
        self.found.append(&mut found);
    }
}

fn made<'m>(
    columns: &[(&'m str, Clock)],
    key: &'static str,
    by: impl Fn(&str) -> Option<&'m str>,
) -> Vec<Made<'m>> {
    let each = columns.iter().filter_map(|(column, clock)| {
        Some(Made {
            column,
            clock: *clock,
            by: by(column)?,
            key,
        })
    });
    each.collect()
}

/// What is to be said where the zone of a session decides what stands in the column.
fn by_session(made: &Made<'_>, from: &[(&str, Clock)]) -> Option<Objection> {
    let has = |wanted: &[Clock]| from.iter().find(|(_, clock)| wanted.contains(clock));
    let is_zoned = has(&[Clock::Zoned]).is_some();
    let (other, weight) = match made.clock {
        _ if names_zone(made.by) => return None,
        Clock::Zoned if !is_zoned => match has(&[Clock::Plain, Clock::Date]) {
            Some(other) => (other, Weight::Error),
            None => (has(&[Clock::Text])?, Weight::MayBeRefused),
        },
        Clock::Plain | Clock::Date | Clock::Text if has(&[made.clock]).is_none() => {
            (has(&[Clock::Zoned])?, Weight::Error)
        }
        _ => return None,
    };
    let Made {
        column, by, key, ..
    } = made;
    let message = format!(
        "on PostgreSQL the time zone of a session decides what `{key}` makes of `{}` in `{column}` (`{by}`): a trigger goes by that of the application, the \
         backfill and the contract by another one, and each takes what the other wrote for wrong",
        other.0
    );
    let help = match weight {
        Weight::MayBeRefused => {
            "where texts name no zone, say which it is: `timezone('UTC', CAST(… AS timestamp))`"
                .to_owned()
        }
        _ => format!(
            "say by which zone, the same in both directions: `timezone('UTC', {})` (or the zone that old versions write), and run `migrate generate`",
            other.0
        ),
    };
    Some(Objection {
        weight,
        wrong: Wrong::new(message, help),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_that_is_named_is_seen() {
        for (expression, named) in [
            ("at AT TIME ZONE 'UTC'", true),
            ("(a::timestamp)at time zone 'UTC'", true),
            ("timezone('UTC', a)", true),
            ("CAST(a AS timestamptz)", false),
            ("a::timestamp with time zone", false),
        ] {
            assert_eq!(names_zone(expression), named, "{expression}");
        }
    }
}
