//! Mistakes of TOML's own syntax.

use std::ops::Range;

use toml::de::DeTable;

use super::source::Source;

/// Parses the document of `source`; on mistakes of syntax reports all of them, and there is none.
pub(super) fn parse(source: &Source) -> Option<DeTable<'_>> {
    let (table, errors) = DeTable::parse_recoverable(source.text());
    if errors.is_empty() {
        return Some(table.into_inner());
    }
    let mut errors: Vec<_> = errors
        .into_iter()
        .map(|error| (error.span().unwrap_or(0..0), error.message().to_owned()))
        .collect();
    errors.sort_by_key(|(span, _)| span.start);
    // What follows a mistake on the same line is mostly a consequence of it.
    let line_of = |span: &Range<usize>| {
        let before = source.text().get(..span.start).unwrap_or_default();
        before.matches('\n').count()
    };
    errors.dedup_by_key(|(span, _)| line_of(span));
    for (span, message) in errors {
        let help = if message.contains("must be quoted") {
            match source.text().get(span.clone()).map(str::trim) {
                None | Some("") => "write a value after the `=`".to_owned(),
                Some(bare) => format!("write \"{}\"", bare.replace(['"', '\\'], "")),
            }
        } else if message == "duplicate key" {
            "keep one of them".to_owned()
        } else {
            "correct the TOML syntax here; https://toml.io describes it".to_owned()
        };
        let message = message.replace(", expected literal string", "");
        source.error("toml-syntax", span, format!("TOML: {message}"), help);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mistake_of_syntax_is_reported_once() {
        let source = Source::new(
            "a.toml",
            "a.toml".into(),
            "old = <1.2.0\nx = \"a\nb = 3\nb = 4\na = 1 b = 2\n",
        );
        assert!(parse(&source).is_none());
        let (_, problems) = source.into_parts();
        let lines: Vec<_> = problems
            .iter()
            .map(crate::project::Problem::one_line)
            .collect();
        assert_eq!(
            lines,
            [
                "a.toml:1:7: TOML: string values must be quoted",
                "a.toml:2:7: TOML: invalid basic string, expected `\"`",
                "a.toml:4:1: TOML: duplicate key",
                "a.toml:5:5: TOML: string values must be quoted",
            ]
        );
    }
}
