//! How long something lasts, as `migrate.toml` says it.

/// What an hour, a second and so on are called, in nanoseconds. Years and months have no fixed length.
const UNITS: &[(&[&str], u64)] = &[
    (&["w", "wk", "wks", "week", "weeks"], 604_800_000_000_000),
    (&["d", "day", "days"], 86_400_000_000_000),
    (&["h", "hr", "hrs", "hour", "hours"], 3_600_000_000_000),
    (&["m", "min", "mins", "minute", "minutes"], 60_000_000_000),
    (&["s", "sec", "secs", "second", "seconds"], 1_000_000_000),
    (
        &[
            "ms",
            "msec",
            "msecs",
            "milli",
            "millis",
            "millisecond",
            "milliseconds",
        ],
        1_000_000,
    ),
];

/// Reads `10m`, `1h 30m` or `90 seconds`, in milliseconds; `None` for what is written in another way, which is asked to be written
/// in this one: `migrate` reads more, and none of it as anything else.
pub(crate) fn milliseconds(text: &str) -> Option<u64> {
    let mut rest = text.trim();
    let mut nanoseconds: u64 = 0;
    let mut last = u64::MAX;
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, after) = rest.split_at(digits);
        let after = after.trim_start_matches(' ');
        let letters = after.len()
            - after
                .trim_start_matches(|c: char| c.is_ascii_alphabetic())
                .len();
        let (name, after) = after.split_at(letters);
        let (_, unit) = UNITS.iter().find(|(names, _)| names.contains(&name))?;
        // From the longest to the shortest, and none of them twice.
        if *unit >= last {
            return None;
        }
        last = *unit;
        nanoseconds = number
            .parse::<u64>()
            .ok()?
            .checked_mul(*unit)?
            .checked_add(nanoseconds)?;
        rest = after.trim_start_matches(' ');
    }
    (last != u64::MAX).then_some(nanoseconds / 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_as_people_do_is_read() {
        for (text, read) in [
            ("500ms", Some(500)),
            (" 30s ", Some(30_000)),
            ("10m", Some(600_000)),
            ("1h30m", Some(5_400_000)),
            ("1h 30m", Some(5_400_000)),
            ("90 seconds", Some(90_000)),
            ("1w 2d", Some(777_600_000)),
            ("0s", Some(0)),
        ] {
            assert_eq!(milliseconds(text), read, "{text}");
        }
        for text in [
            "",
            " ",
            "10",
            "m",
            "soon",
            "-3s",
            "3s ago",
            "1 month",
            "1.5h",
            "PT10M",
            "30m 1h",
            "1s 1s",
            "99999999999999999999h",
            "999999999999h",
        ] {
            assert_eq!(milliseconds(text), None, "{text}");
        }
    }
}
