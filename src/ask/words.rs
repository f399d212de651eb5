//! Counts and lengths of time as a person reads them.

/// A count with its noun.
#[must_use]
pub fn count(number: u64, noun: &str) -> String {
    if number == 1 {
        format!("1 {noun}")
    } else {
        format!("{number} {noun}s")
    }
}

/// `300000 rows of about 1000000 (30 %)`.
#[must_use]
pub fn so_far(seen: u64, total: u64) -> String {
    let seen_rows = count(seen, "row");
    if total == 0 {
        return seen_rows;
    }
    if seen == total {
        return format!("{seen_rows} of about {total} (100 %)");
    }
    format!("{seen_rows} of about {total} ({} %)", percent(seen, total))
}

/// How much of something is done, while it is not all done.
#[must_use]
pub fn percent(seen: u64, total: u64) -> u64 {
    // What is written meanwhile, or an estimate that was low, must not look like an end.
    let percent = u128::from(seen) * 100 / u128::from(total.max(1));
    u64::try_from(percent.min(99)).unwrap_or(99)
}

/// `, 45000 rows/s, 15 s left`; empty where nothing is known of it.
#[must_use]
pub fn speed(seen: u64, total: u64, rate: u64) -> String {
    if rate == 0 {
        return String::new();
    }
    let left = total.saturating_sub(seen);
    if left == 0 {
        return format!(", {rate} rows/s");
    }
    format!(
        ", {rate} rows/s, {} left",
        span(left.saturating_mul(1000) / rate)
    )
}

/// A length of time, coarse enough to read at a glance.
#[must_use]
pub fn span(milliseconds: u64) -> String {
    let seconds = milliseconds / 1000;
    match seconds {
        0 => format!("{milliseconds} ms"),
        1..=119 => format!("{seconds} s"),
        120..=7199 => format!("{} min", seconds / 60),
        7200..=172_799 => format!("{} h", seconds / 3600),
        _ => format!("{} d", seconds / 86_400),
    }
}
