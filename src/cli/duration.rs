//! Durations in arguments.

use std::time::Duration;

use crate::ask::length;

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
    length(text)
        .ok_or_else(|| format!("`{text}` is not a duration; write for example 30s, 10m or 24h"))
}
