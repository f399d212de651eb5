//! Durations in arguments.

use std::time::Duration;

/// A duration that a lease can last.
pub(super) fn lease_duration(text: &str) -> Result<Duration, String> {
    let longest = u64::try_from(crate::ledger::LONGEST_LEASE_MS).unwrap_or(u64::MAX);
    let duration = duration(text)?;
    if duration > Duration::from_millis(longest) {
        return Err(format!(
            "`{text}` is too long: a lease lasts a week at most"
        ));
    }
    Ok(duration)
}

/// A duration as people write it: `90s`, `10m`, `24h`, `7d`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is not a duration; write for example 30s, 10m or 24h");
    let span: jiff::SignedDuration = match text.strip_suffix('d').map(str::parse::<i64>) {
        Some(Ok(days)) => {
            jiff::SignedDuration::from_secs(days.checked_mul(24 * 3600).ok_or_else(wrong)?)
        }
        _ => text.parse().map_err(|_| wrong())?,
    };
    let duration = Duration::try_from(span).map_err(|_| wrong())?;
    if duration.is_zero() {
        Err(wrong())
    } else {
        Ok(duration)
    }
}
