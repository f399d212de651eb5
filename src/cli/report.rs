//! A diagnostic as a person sees it: whatever is in it, in lines of this program's own making.
//!
//! Every diagnostic is copied before it is rendered: its texts are shown as data, and of the file only what is around the span is
//! kept, cut to a length that the renderer can lay out. Invariant: nothing else is handed to the renderer.

use std::fmt;
use std::ops::Range;

use miette::{
    Diagnostic, LabeledSpan, MietteError, MietteSpanContents, Severity, SourceCode, SourceSpan,
    SpanContents,
};

use super::paint::{Screen, WORDS};
use crate::text::shown::{is_hidden, is_second_of_mark, push_escaped, shortened, shown};

/// Columns where there is no terminal.
const WIDTH: usize = 100;
/// Characters of a message; what a database says about a statement may contain all of it.
const LONGEST_MESSAGE: usize = 8_000;
/// Characters of one line of a file, and how many of them stand before what is wrong.
const LONGEST_LINE: usize = 300;
const BEFORE: usize = 80;
/// Lines of a file.
const MOST_LINES: usize = 40;
/// Problems that are shown one by one.
const MOST_PROBLEMS: usize = 100;

/// The text for standard error.
pub(super) fn rendered(diagnostic: &dyn Diagnostic) -> String {
    let screen = Screen::of_remarks();
    let theme = if screen.has_colours() {
        miette::GraphicalTheme::unicode()
    } else {
        miette::GraphicalTheme::unicode_nocolor()
    };
    let handler = miette::GraphicalReportHandler::new_themed(theme)
        .with_width(screen.width().unwrap_or(WIDTH))
        .with_break_words(false)
        .with_word_separator(WORDS)
        .with_word_splitter(textwrap::WordSplitter::NoHyphenation);
    let plain = Plain::of(diagnostic);
    let mut text = String::new();
    if handler.render_report(&mut text, &plain).is_err() {
        text = plain.to_string();
    }
    let left = diagnostic
        .related()
        .map_or(0, |related| related.count().saturating_sub(MOST_PROBLEMS));
    if left > 0 {
        text.push_str(&format!("\n… and {left} more problems"));
    }
    text
}

fn data(text: &str) -> String {
    shown(&shortened(text, LONGEST_MESSAGE)).into_owned()
}

/// A diagnostic of which everything is shown as data.
#[derive(Debug)]
struct Plain {
    message: String,
    help: Option<String>,
    code: Option<String>,
    severity: Option<Severity>,
    excerpt: Option<Excerpt>,
    related: Vec<Plain>,
}

impl Plain {
    fn of(diagnostic: &dyn Diagnostic) -> Self {
        let label = diagnostic.labels().and_then(|mut labels| labels.next());
        let excerpt = match (diagnostic.source_code(), &label) {
            (Some(source), Some(label)) => Excerpt::of(source, label.inner()),
            _ => None,
        };
        let related = diagnostic.related().into_iter().flatten();
        Self {
            message: data(&diagnostic.to_string()),
            help: diagnostic.help().map(|help| data(&help.to_string())),
            code: diagnostic.code().map(|code| data(&code.to_string())),
            severity: diagnostic.severity(),
            excerpt,
            related: related.take(MOST_PROBLEMS).map(Self::of).collect(),
        }
    }
}

impl fmt::Display for Plain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Plain {}

impl Diagnostic for Plain {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        let code = self.code.as_ref()?;
        Some(Box::new(code))
    }

    fn severity(&self) -> Option<Severity> {
        self.severity
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        let help = self.help.as_ref()?;
        Some(Box::new(help))
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        let excerpt = self.excerpt.as_ref()?;
        Some(excerpt)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let span = self.excerpt.as_ref()?.span;
        let label = LabeledSpan::new_with_span(None, span);
        Some(Box::new(std::iter::once(label)))
    }

    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn Diagnostic> + 'a>> {
        if self.related.is_empty() {
            return None;
        }
        let related = self.related.iter();
        Some(Box::new(related.map(|one| one as &dyn Diagnostic)))
    }
}

/// The lines of a file around what a diagnostic is about.
#[derive(Debug)]
struct Excerpt {
    name: Option<String>,
    language: Option<String>,
    text: String,
    /// What it is about, in `text`.
    span: SourceSpan,
    /// How many lines of the file are before it, and where in its line it begins.
    lines_before: usize,
    column: usize,
}

impl Excerpt {
    fn of(source: &dyn SourceCode, label: &SourceSpan) -> Option<Self> {
        let around = source.read_span(label, 1, 1).ok()?;
        let place = source.read_span(label, 0, 0).ok()?;
        let text = String::from_utf8_lossy(around.data()).into_owned();
        let start = label.offset().checked_sub(around.span().offset())?;
        let (text, span) = cut(&text, start..start.saturating_add(label.len()));
        Some(Self {
            name: around.name().map(data),
            language: around.language().map(str::to_owned),
            text,
            span: (span.start, span.len()).into(),
            lines_before: around.line(),
            column: place.column(),
        })
    }
}

impl SourceCode for Excerpt {
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        before: usize,
        after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let inner = self.text.as_str().read_span(span, before, after)?;
        let (line, count) = (inner.line() + self.lines_before, inner.line_count());
        let column = if before == 0 { self.column } else { 0 };
        let (data, at) = (inner.data(), *inner.span());
        let contents = match &self.name {
            Some(name) => {
                MietteSpanContents::new_named(name.clone(), data, at, line, column, count)
            }
            None => MietteSpanContents::new(data, at, line, column, count),
        };
        Ok(Box::new(match &self.language {
            Some(language) => contents.with_language(language.clone()),
            None => contents,
        }))
    }
}

/// The lines with everything in them visible and none too long, and where the span is in them.
fn cut(text: &str, span: Range<usize>) -> (String, Range<usize>) {
    let mut kept = String::with_capacity(text.len());
    let (mut start, mut end) = (None, None);
    let mut offset = 0;
    for line in text.split_inclusive('\n').take(MOST_LINES) {
        let content = line.trim_end_matches(['\n', '\r']);
        let (from, to) = window(content, offset, &span);
        if from > 0 {
            kept.push('…');
        }
        for (at, c) in content.char_indices() {
            let here = offset + at;
            if here >= span.start && start.is_none() && (at >= from || here >= span.end) {
                start = Some(kept.len());
            }
            if here >= span.end && end.is_none() {
                end = Some(kept.len());
            }
            if (from..to).contains(&at) {
                match c {
                    '\t' => kept.push_str("    "),
                    c if is_hidden(c) || is_second_of_mark(content, at) => {
                        push_escaped(&mut kept, c)
                    }
                    c => kept.push(c),
                }
            }
        }
        if to < content.len() {
            kept.push('…');
        }
        // A span that begins, or ends, at the end of a line.
        if offset + content.len() >= span.start && start.is_none() {
            start = Some(kept.len());
        }
        if offset + content.len() >= span.end && end.is_none() {
            end = Some(kept.len());
        }
        kept.push('\n');
        offset += line.len();
    }
    let start = start.unwrap_or(kept.len());
    let end = end.unwrap_or(kept.len()).max(start);
    (kept, start..end)
}

/// The bytes of a line that are kept: around the beginning of the span, where the line is too long.
fn window(line: &str, offset: usize, span: &Range<usize>) -> (usize, usize) {
    let is_long = line.char_indices().nth(LONGEST_LINE).is_some();
    if !is_long {
        return (0, line.len());
    }
    let about = span.start.saturating_sub(offset).min(line.len());
    let about = line.floor_char_boundary(about);
    let before = line.get(..about).unwrap_or_default();
    let from = before
        .char_indices()
        .rev()
        .nth(BEFORE)
        .map_or(0, |(at, _)| at);
    let rest = line.get(from..).unwrap_or_default();
    let to = rest
        .char_indices()
        .nth(LONGEST_LINE)
        .map_or(line.len(), |(at, _)| from + at);
    (from, to)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn around(text: &str, wrong: &str) -> (String, String) {
        let start = text.find(wrong).unwrap();
        let (kept, span) = cut(text, start..start + wrong.len());
        (kept.clone(), kept[span].to_owned())
    }

    #[test]
    fn what_is_wrong_stays_marked() {
        assert_eq!(
            around("a\nb wrong c\nd\n", "wrong"),
            ("a\nb wrong c\nd\n".to_owned(), "wrong".to_owned())
        );
        let (kept, marked) = around("a\u{1b}[2J\tx wr\u{7}ong y", "wr\u{7}ong");
        assert_eq!(kept, "a\\u{1b}[2J    x wr\\u{7}ong y\n");
        assert_eq!(marked, "wr\\u{7}ong");
        let (_, marked) = around("one two\nthree", "two\nthree");
        assert_eq!(marked, "two\nthree");
        let (kept, span) = cut("abc", 3..3);
        assert_eq!((kept.as_str(), span), ("abc\n", 3..3));
        assert_eq!(cut("", 0..0).1, 0..0);
    }

    #[test]
    fn a_line_of_any_length_is_cut_around_it() {
        let long = format!("{}wrong{}", "ä".repeat(100_000), "b".repeat(100_000));
        let (kept, marked) = around(&long, "wrong");
        assert_eq!(marked, "wrong");
        assert!(kept.chars().count() < LONGEST_LINE + 5, "{}", kept.len());
        let (kept, marked) = around(&long, &long);
        assert!(kept.len() < 1000 && marked.len() < 1000);
        let many = "x\n".repeat(100_000);
        assert!(cut(&many, 0..many.len()).0.len() < 1000);
    }
}
