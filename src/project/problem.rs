//! What is wrong in a project's files: where, why, and what to write instead.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use miette::{Diagnostic, LabeledSpan, NamedSource, SourceCode};
use serde::Serialize;

use super::severity::Severity;

/// One thing that is wrong, or looks wrong, in a file of the project.
#[derive(Clone, Debug)]
pub struct Problem {
    /// A stable name such as `unknown-key`.
    pub code: &'static str,
    /// As a user would type it: the project's directory as it was given, and the file in it.
    pub path: PathBuf,
    /// The bytes of [`Problem::text`] that it is about.
    pub span: Range<usize>,
    pub message: String,
    /// What to write instead.
    pub help: String,
    pub severity: Severity,
    /// Boxed apart from the rest: most of a problem's size, and only for rendering.
    source: Option<Arc<NamedSource<Arc<str>>>>,
}

/// Where in a file, counted from 1 as editors do; columns count characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Location {
    pub line: usize,
    pub column: usize,
}

impl Location {
    fn of(text: &str, offset: usize) -> Self {
        let before = text.get(..offset).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Self {
            line: before.matches('\n').count() + 1,
            column: before
                .get(line_start..)
                .map_or(0, |line| line.chars().count())
                + 1,
        }
    }
}

impl Problem {
    /// A problem with a file or directory as a whole: it is missing, or cannot be read.
    /// A problem of a file as a whole.
    pub fn about(
        path: impl Into<PathBuf>,
        code: &'static str,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Self {
        Self {
            code,
            path: path.into(),
            span: 0..0,
            message: message.into(),
            help: help.into(),
            severity: Severity::Error,
            source: None,
        }
    }

    pub(super) fn at(mut self, text: &Arc<str>, span: Range<usize>) -> Self {
        let shown = super::secret::masked(text);
        // A span beyond the text, or through a character, would not be rendered at all; a secret that ends within a character moves what follows.
        let end = shown.floor_char_boundary(span.end.min(shown.len()));
        let start = shown.floor_char_boundary(span.start.min(end));
        self.span = start..end;
        let name = self.path.display().to_string();
        self.message = super::secret::left_out(self.message, text);
        self.help = super::secret::left_out(self.help, text);
        self.source = Some(Arc::new(NamedSource::new(name, shown)));
        self
    }

    /// The same with another way out.
    pub(super) fn with_help(self, help: impl Into<String>) -> Self {
        Self {
            help: help.into(),
            ..self
        }
    }

    /// The same, where it stops nothing.
    #[must_use]
    pub fn into_warning(self) -> Self {
        Self {
            severity: Severity::Warning,
            ..self
        }
    }

    #[must_use]
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    /// The text of the file; `None` if the problem is with the file as a whole.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        self.source.as_deref().map(|source| &**source.inner())
    }

    /// Where it begins; `None` if the problem is with the file as a whole.
    #[must_use]
    pub fn start(&self) -> Option<Location> {
        Some(Location::of(self.text()?, self.span.start))
    }

    /// Where it ends: the place after its last character.
    #[must_use]
    pub fn end(&self) -> Option<Location> {
        Some(Location::of(self.text()?, self.span.end))
    }

    /// `file:line:column: message`, which editors and continuous integration understand.
    #[must_use]
    pub fn one_line(&self) -> String {
        let path = self.path.display();
        let place = match self.start() {
            Some(Location { line, column }) => format!("{path}:{line}:{column}"),
            None => path.to_string(),
        };
        let kind = match self.severity {
            Severity::Error => "",
            Severity::Warning => "warning: ",
        };
        format!("{place}: {kind}{}", self.message)
    }
}

/// `end_column` is left out where a problem goes beyond its line; the file as a whole is line 1, column 1.
impl Serialize for Problem {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        /// From the first character to the place after the last one.
        #[derive(Serialize)]
        struct Range {
            start: Location,
            end: Location,
        }
        #[derive(Serialize)]
        struct Flat<'a> {
            file: String,
            line: usize,
            column: usize,
            #[serde(skip_serializing_if = "Option::is_none")]
            end_column: Option<usize>,
            /// The rule of `migrate check --rules` that found it.
            #[serde(skip_serializing_if = "Option::is_none")]
            rule: Option<&'a str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            end_line: Option<usize>,
            range: Range,
            severity: Severity,
            code: &'a str,
            message: &'a str,
            help: &'a str,
        }
        let start = self.start().unwrap_or(Location { line: 1, column: 1 });
        let end = self.end().unwrap_or(start);
        Flat {
            range: Range { start, end },
            file: self.path.display().to_string(),
            line: start.line,
            column: start.column,
            end_column: self
                .end()
                .filter(|end| end.line == start.line)
                .map(|end| end.column),
            rule: super::rules::rule(self.code).map(|rule| rule.code),
            // Its column is told only where it ends in the line in which it begins.
            end_line: self
                .end()
                .map(|end| end.line)
                .filter(|end| *end != start.line),
            severity: self.severity,
            code: self.code,
            message: &self.message,
            help: &self.help,
        }
        .serialize(serializer)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.source.is_none() {
            write!(f, "{}: ", self.path.display())?;
        }
        f.write_str(&self.message)
    }
}

impl std::error::Error for Problem {}

impl Diagnostic for Problem {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(self.code))
    }

    fn severity(&self) -> Option<miette::Severity> {
        Some(match self.severity {
            Severity::Error => miette::Severity::Error,
            Severity::Warning => miette::Severity::Warning,
        })
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        (!self.help.is_empty()).then(|| Box::new(&self.help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        let source = self.source.as_deref()?;
        Some(source)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        self.source.as_ref()?;
        let label = LabeledSpan::underline(self.span.clone());
        Some(Box::new(std::iter::once(label)))
    }
}

/// Everything that was found wrong with a project, in the order of its files; never empty.
#[derive(Clone, Debug, Serialize)]
#[serde(transparent)]
pub struct Problems(pub Vec<Problem>);

impl Problems {
    #[must_use]
    pub fn errors(&self) -> usize {
        let is_error = |problem: &&Problem| problem.severity == Severity::Error;
        self.0.iter().filter(is_error).count()
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.errors() {
            1 => f.write_str("the project's files have a problem"),
            count => write!(f, "the project's files have {count} problems"),
        }
    }
}

impl std::error::Error for Problems {}

impl Diagnostic for Problems {
    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn Diagnostic> + 'a>> {
        Some(Box::new(
            self.0.iter().map(|problem| problem as &dyn Diagnostic),
        ))
    }
}

/// The name among `known` that `wanted` was probably meant to be.
pub(super) fn closest<'a>(
    wanted: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let wanted = wanted.to_lowercase();
    known
        .into_iter()
        .map(|name| {
            let distance = strsim::damerau_levenshtein(&wanted, &name.to_lowercase());
            (distance, name)
        })
        // One slip in three letters: more, and it is another word.
        .filter(|(distance, name)| distance * 3 <= name.chars().count().max(wanted.chars().count()))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// `a`, `b` and `c`, in backquotes.
pub(super) fn listed<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let quoted: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
    match quoted.as_slice() {
        [] => "none".to_owned(),
        [one] => one.clone(),
        [start @ .., last] => format!("{} and {last}", start.join(", ")),
    }
}

/// A path with `/` between its parts on every system, without a leading `./`.
pub(super) fn shown(root: &Path, relative: &str) -> PathBuf {
    let root = root
        .components()
        .filter(|part| !matches!(part, std::path::Component::CurDir))
        .collect::<PathBuf>();
    match (root.as_os_str().is_empty(), relative) {
        (true, "") => PathBuf::from("."),
        (_, "") => root,
        _ => root.join(relative),
    }
}
