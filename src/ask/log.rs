//! Which events of the log are asked for. Pure.

use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

use crate::ledger::{Event, Sought};
use crate::model::MigrationId;

/// Which events are told; every one by default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Events {
    /// Only those after the event of this number.
    pub after: Option<i64>,
    /// Only those of this migration: its number or name, also of one that is long gone.
    pub migration: Option<String>,
    /// Only those since then.
    pub since: Option<Timestamp>,
    /// Only what this one did: a user, a host, or both as the log names them.
    pub actor: Option<String>,
    /// Only so many, the last.
    pub last: Option<usize>,
}

impl Events {
    /// Whether one event is asked for, as far as that can be said of one.
    #[must_use]
    pub fn covers(&self, event: &Event) -> bool {
        let is_since = |since: Timestamp| event.at >= since.as_millisecond();
        self.after.is_none_or(|after| event.seq > after)
            && self.since.is_none_or(is_since)
            && self
                .actor
                .as_deref()
                .is_none_or(|wanted| is_actor(&event.actor, wanted))
            && self
                .migration
                .as_deref()
                .is_none_or(|wanted| is_of(event, wanted))
    }

    /// What the database is asked for: no less than what is covered.
    pub(super) fn sought(&self) -> Sought<'_> {
        Sought {
            after: self.after,
            since: self.since.map(Timestamp::as_millisecond),
            actor: self.actor.as_deref(),
            migration: self.migration.as_deref().map(part_of),
            last: self.last,
        }
    }
}

/// What occurs in the name of a migration that is called so: `02` is the number of `0002_split`.
fn part_of(wanted: &str) -> &str {
    wanted.trim_start_matches(['+', '0'])
}

/// Whether an event is one of the migration that is called so.
pub(super) fn is_of(event: &Event, wanted: &str) -> bool {
    let Some(id) = event.migration.as_deref() else {
        return false;
    };
    let id = id.parse::<MigrationId>();
    id.is_ok_and(|id| id.is_meant_by(wanted))
}

/// `ann@ci-7` is meant by `ann`, by `ci-7` and by both.
fn is_actor(actor: &str, wanted: &str) -> bool {
    let parts = actor.split_once('@');
    actor == wanted || parts.is_some_and(|(user, host)| user == wanted || host == wanted)
}

/// A moment, or a time before `now`, as people write it.
///
/// # Errors
/// What may be written, where it is neither.
pub fn moment(text: &str, now: Timestamp) -> Result<Timestamp, String> {
    let text = text.trim();
    let wrong = || {
        format!(
            "`{text}` is neither a time ago (90m, 24h, 7d) nor a moment (2026-01-05, 2026-01-05T10:30, 2026-01-05T10:30:00Z)"
        )
    };
    if let Some(ago) = length(text) {
        return now.checked_sub(ago).map_err(|_| wrong());
    }
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Ok(moment);
    }
    let civil = text
        .parse::<DateTime>()
        .or_else(|_| text.parse::<Date>().map(DateTime::from));
    // As the log shows it.
    let moment = civil
        .ok()
        .and_then(|civil| civil.to_zoned(TimeZone::UTC).ok());
    moment.map(|zoned| zoned.timestamp()).ok_or_else(wrong)
}

/// A length of time as people write it: `90s`, `10m`, `24h`, `7d`; `None` if it is none, or nothing long.
#[must_use]
pub fn length(text: &str) -> Option<Duration> {
    let span: jiff::SignedDuration = match text.strip_suffix('d').map(str::parse::<i64>) {
        Some(Ok(days)) => jiff::SignedDuration::from_secs(days.checked_mul(24 * 3600)?),
        _ => text.parse().ok()?,
    };
    let length = Duration::try_from(span).ok()?;
    (!length.is_zero()).then_some(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(actor: &str, migration: Option<&str>, at: &str) -> Event {
        Event {
            seq: 1,
            at: at.parse::<Timestamp>().unwrap().as_millisecond(),
            actor: actor.to_owned(),
            kind: "phase".to_owned(),
            migration: migration.map(str::to_owned),
            detail: "{}".to_owned(),
            previous: String::new(),
            hash: String::new(),
        }
    }

    #[test]
    fn a_moment_is_written_as_people_write_it() {
        let now: Timestamp = "2026-01-05T12:00:00Z".parse().unwrap();
        for (text, at) in [
            ("90m", "2026-01-05T10:30:00Z"),
            ("1h30m", "2026-01-05T10:30:00Z"),
            ("2d", "2026-01-03T12:00:00Z"),
            ("2026-01-04", "2026-01-04T00:00:00Z"),
            ("2026-01-04T10:30", "2026-01-04T10:30:00Z"),
            ("2026-01-04 10:30:15", "2026-01-04T10:30:15Z"),
            ("2026-01-04T10:30:00+02:00", "2026-01-04T08:30:00Z"),
            ("2026-01-04T10:30:00.5Z", "2026-01-04T10:30:00.5Z"),
        ] {
            let read = moment(text, now);
            assert_eq!(read, Ok(at.parse().unwrap()), "{text}");
        }
        for text in [
            "",
            "yesterday",
            "0s",
            "2026-13-01",
            "-5m",
            "10",
            "99999999999d",
        ] {
            assert!(moment(text, now).is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_asked_for_occurs_in_the_name_of_what_is_meant() {
        let id: MigrationId = "0020_split".parse().unwrap();
        for wanted in ["20", "020", "0020", "+20", "000020", "0020_split"] {
            assert!(id.is_meant_by(wanted), "{wanted}");
            assert!(id.as_str().contains(part_of(wanted)), "{wanted}");
        }
    }

    #[test]
    fn each_filter_leaves_out_what_it_does_not_name() {
        let of_two = event("ann@ci-7", Some("0002_split"), "2026-01-05T10:00:00Z");
        let rollout = event("bob@ci-7", None, "2026-01-06T10:00:00Z");
        let wanted = |migration: Option<&str>, since: Option<&str>, actor: Option<&str>| Events {
            migration: migration.map(str::to_owned),
            since: since.map(|text| text.parse().unwrap()),
            actor: actor.map(str::to_owned),
            ..Events::default()
        };
        for (wanted, of_two_is, rollout_is) in [
            (wanted(None, None, None), true, true),
            (wanted(Some("2"), None, None), true, false),
            (wanted(Some("0002"), None, None), true, false),
            (wanted(Some("0002_split"), None, None), true, false),
            (wanted(Some("0002_spl"), None, None), false, false),
            (wanted(Some("20"), None, None), false, false),
            (wanted(None, Some("2026-01-05T10:00:00Z"), None), true, true),
            (
                wanted(None, Some("2026-01-05T10:00:01Z"), None),
                false,
                true,
            ),
            (wanted(None, None, Some("ann")), true, false),
            (wanted(None, None, Some("ci-7")), true, true),
            (wanted(None, None, Some("bob@ci-7")), false, true),
            (wanted(None, None, Some("an")), false, false),
            (wanted(Some("2"), None, Some("bob")), false, false),
        ] {
            assert_eq!(wanted.covers(&of_two), of_two_is);
            assert_eq!(wanted.covers(&rollout), rollout_is);
        }
    }
}
