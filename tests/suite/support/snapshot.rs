//! Output as text that is the same on every run.

use std::sync::LazyLock;

use regex::Regex;

/// What differs from run to run, and what stands for it. A duration that a user has configured is not among them: only
/// ages and measured times are.
static VOLATILE: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    const UNIT: &str = "(?:ns|µs|us|ms|s|m|h|d|seconds?|minutes?|hours?|days?)";
    let rules = [
        (
            r"\b\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:Z|z|[+-]\d{2}(?::?\d{2})?)?"
                .to_owned(),
            "[TIME]",
        ),
        (
            r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b".to_owned(),
            "[UUID]",
        ),
        (r"\b[0-9a-f]{12,}\b".to_owned(), "[HASH]"),
        (
            r#"(?i)(\b(?:pid|process)"?[ :=#]{1,3})\d+\b"#.to_owned(),
            "${1}[PID]",
        ),
        (
            format!(r"\b\d+(?:\.\d+)? ?{UNIT}(?: \d+(?:\.\d+)? ?{UNIT})* ago\b"),
            "[AGE] ago",
        ),
        (
            format!(r"\b(in|took|after) \d+\.\d+ ?{UNIT}\b"),
            "$1 [DURATION]",
        ),
        (format!(r"\b(in|took) \d+ ?{UNIT}\b"), "$1 [DURATION]"),
        (
            r#"("(?:age|took|elapsed|duration)(?:_ms)?": ?)\d+(?:\.\d+)?"#.to_owned(),
            "${1}0",
        ),
    ];
    rules
        .into_iter()
        .map(|(pattern, stands_for)| (Regex::new(&pattern).expect("a valid pattern"), stands_for))
        .collect()
});

/// The text with everything volatile replaced; `known` first, in its order: what only the caller knows to be volatile.
pub fn normalised(text: &str, known: &[(String, String)]) -> String {
    let mut text = text.to_owned();
    for (volatile, stands_for) in known.iter().filter(|(volatile, _)| !volatile.is_empty()) {
        text = text.replace(volatile, stands_for);
    }
    if let Some(host) = &*HOST {
        text = host.replace_all(&text, "[HOST]").into_owned();
    }
    for (pattern, stands_for) in VOLATILE.iter() {
        text = pattern.replace_all(&text, *stands_for).into_owned();
    }
    text
}

static HOST: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let host = whoami::hostname().ok()?;
    // Shorter ones occur inside ordinary text.
    (host.len() >= 4)
        .then(|| Regex::new(&format!(r"\b{}\b", regex::escape(&host))).expect("a valid pattern"))
});
