//! Durations as people write them.

use std::time::Duration;

use jiff::{Span, SpanRelativeTo};

/// As [`read`], where none at all makes sense as well.
pub(super) fn read_or_none(text: &str, longest: Duration) -> Result<Duration, String> {
    if matches!(text.trim(), "0" | "0s" | "0ms" | "0m") {
        return Ok(Duration::ZERO);
    }
    read(text, longest)
}

/// Reads `10m`, `1h 30m`, `7d`; the error completes the sentence "`key` …".
pub(super) fn read(text: &str, longest: Duration) -> Result<Duration, String> {
    let unreadable = || "is not a duration".to_owned();
    let span: Span = text.trim().parse().map_err(|_| unreadable())?;
    let signed = span
        .to_duration(SpanRelativeTo::days_are_24_hours())
        .map_err(|_| "has a unit without a fixed length; write it in days".to_owned())?;
    let duration = Duration::try_from(signed).map_err(|_| "must not be negative".to_owned())?;
    if duration.is_zero() {
        return Err("must not be zero".to_owned());
    }
    // Databases count in whole milliseconds, and take zero for no limit at all.
    if duration < Duration::from_millis(1) {
        return Err("must be at least a millisecond".to_owned());
    }
    if duration > longest {
        let days = longest.as_secs() / 86_400;
        return Err(format!("must be at most {days} days"));
    }
    Ok(duration)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);

    #[test]
    fn durations() {
        for (text, seconds) in [
            ("10m", 600),
            ("1h30m", 5400),
            (" 1d 2h ", 93_600),
            ("1w", 604_800),
            ("10 minutes", 600),
            ("PT10M", 600),
        ] {
            assert_eq!(read(text, DAY * 10).unwrap().as_secs(), seconds);
        }
        assert_eq!(read_or_none("0s", DAY), Ok(Duration::ZERO));
        assert_eq!(read_or_none("5s", DAY), Ok(Duration::from_secs(5)));
        for (text, reason) in [
            ("", "not a duration"),
            ("10", "not a duration"),
            ("soon", "not a duration"),
            ("1 month", "fixed length"),
            ("0s", "zero"),
            ("-3s", "negative"),
            ("3s ago", "negative"),
            ("10ns", "at least"),
            ("11d", "at most 10 days"),
            ("999999999999999999999h", "not a duration"),
        ] {
            let error = read(text, DAY * 10).unwrap_err();
            if reason != "zero" {
                assert_eq!(read_or_none(text, DAY * 10), Err(error.clone()));
            }
            assert!(error.contains(reason), "{text}: {error}");
        }
    }
}
