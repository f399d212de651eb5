//! A moment as everybody is told it.

/// A moment as RFC 3339 with three decimals, from milliseconds since the epoch.
#[must_use]
pub fn time(milliseconds: i64) -> String {
    jiff::Timestamp::from_millisecond(milliseconds)
        .map_or_else(|_| milliseconds.to_string(), |at| format!("{at:.3}"))
}
