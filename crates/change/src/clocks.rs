//! What types tell of a moment.

/// What a type of PostgreSQL tells of a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Clock {
    Zoned,
    /// Without a zone.
    Plain,
    Date,
    Text,
    Other,
}

/// By the name of the type.
pub(crate) fn clock(kind: &str) -> Clock {
    let lower = kind.trim().to_ascii_lowercase();
    let word: String = lower.chars().take_while(|c| c.is_alphanumeric()).collect();
    match word.as_str() {
        _ if lower.contains('[') => Clock::Other,
        "timestamptz" => Clock::Zoned,
        "timestamp" if lower.contains("with time zone") => Clock::Zoned,
        "timestamp" => Clock::Plain,
        "date" => Clock::Date,
        "text" | "varchar" | "character" | "char" | "citext" => Clock::Text,
        _ => Clock::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_tells_what_it_tells() {
        for (kind, expected) in [
            ("timestamp", Clock::Plain),
            ("timestamp(3) without time zone", Clock::Plain),
            ("TIMESTAMP WITH TIME ZONE", Clock::Zoned),
            ("timestamptz(6)", Clock::Zoned),
            ("timestamptz[]", Clock::Other),
            ("date", Clock::Date),
        ] {
            assert_eq!(clock(kind), expected, "{kind}");
        }
    }
}
