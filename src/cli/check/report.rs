//! What `migrate check` found, as the places read it where people look: each format is a file here.

mod github;
mod gitlab;
mod junit;
mod markdown;
mod sarif;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::super::args::Format;
use super::super::out::Out;
use crate::project::{Location, Problem, Severity};
use crate::text::shown::shown;

/// Everything that a report may say.
pub(super) struct Report<'a> {
    pub problems: Vec<&'a Problem>,
    /// The migrations of the project, as far as they are known.
    pub migrations: Vec<String>,
    /// What comparing with a database found.
    pub beside: Vec<(Severity, &'a str)>,
    /// Where the project is, as the place sees it that shows the report.
    pub base: PathBuf,
}

/// Whether only `check` knows this format.
pub(in super::super) const fn is_of_findings(format: Format) -> bool {
    matches!(
        format,
        Format::Github | Format::Gitlab | Format::Sarif | Format::Markdown | Format::Junit
    )
}

impl Report<'_> {
    pub fn write(&self, format: Format, out: &Out) {
        match format {
            Format::Github => out.verbatim(&github::annotations(self)),
            Format::Gitlab => out.verbatim(&gitlab::issues(self).to_string()),
            Format::Sarif => out.verbatim(&sarif::log(self).to_string()),
            Format::Markdown => out.verbatim(&markdown::comment(self)),
            Format::Junit => out.verbatim(&junit::suites(self)),
            Format::Text | Format::Json | Format::Mermaid => {}
        }
    }

    pub fn count(&self, severity: Severity) -> usize {
        let of = |found: &&Severity| **found == severity;
        let problems: Vec<Severity> = self.problems.iter().map(|one| one.severity).collect();
        let beside: Vec<Severity> = self.beside.iter().map(|(one, _)| *one).collect();
        problems.iter().chain(&beside).filter(of).count()
    }

    /// `2 errors and 1 warning`.
    pub fn summary(&self) -> String {
        let counted = |count: usize, noun: &str| match count {
            1 => format!("1 {noun}"),
            count => format!("{count} {noun}s"),
        };
        let errors = self.count(Severity::Error);
        let warnings = self.count(Severity::Warning);
        match (errors, warnings) {
            (0, 0) => "no findings".to_owned(),
            (0, warnings) => counted(warnings, "warning"),
            (errors, 0) => counted(errors, "error"),
            (errors, warnings) => format!(
                "{} and {}",
                counted(errors, "error"),
                counted(warnings, "warning")
            ),
        }
    }

    /// The path of a file from where the report is shown, with `/`.
    pub fn path(&self, problem: &Problem) -> String {
        let path = self.base.join(&problem.path);
        let parts: Vec<String> = path
            .components()
            .filter(|part| !matches!(part, std::path::Component::CurDir))
            .map(|part| part.as_os_str().to_string_lossy().into_owned())
            .collect();
        shown(&parts.join("/")).into_owned()
    }

    /// One for each problem: the same wherever in the file its line stands, and another for each that would be the same.
    pub fn fingerprints(&self) -> Vec<String> {
        let mut seen: Vec<String> = Vec::new();
        let mut prints = Vec::new();
        for problem in &self.problems {
            let mut text = String::new();
            let line = excerpt(problem).unwrap_or_default();
            let _ = write!(text, "{}\0{}\0{line}", problem.code, self.path(problem));
            let before = seen.iter().filter(|known| **known == text).count();
            seen.push(text.clone());
            let _ = write!(text, "\0{before}");
            prints.push(hash(&text));
        }
        prints
    }
}

/// The text that a problem is about.
fn excerpt(problem: &Problem) -> Option<&str> {
    problem.text()?.get(problem.span.clone())
}

/// Where a problem is; one with a file as a whole is at its first line.
fn place(problem: &Problem) -> (Location, Location) {
    let first = Location { line: 1, column: 1 };
    let start = problem.start().unwrap_or(first);
    let end = problem.end().unwrap_or(start).max(start);
    (start, end)
}

/// As text in which nothing is hidden: it goes to a page that others read.
fn said(text: &str) -> String {
    shown(text).into_owned()
}

/// The same on every machine and for every release.
fn hash(text: &str) -> String {
    let mut hex = String::new();
    for byte in Sha256::digest(text.as_bytes()).iter().take(16) {
        let _ = write!(hex, "{byte:02x}");
    }
    hex
}

/// The current directory from the root of what is checked out: where a continuous integration says that is, or the directory
/// above it that has a `.git`.
pub(super) fn base() -> PathBuf {
    let Ok(here) = std::env::current_dir() else {
        return PathBuf::new();
    };
    let named = ["GITHUB_WORKSPACE", "CI_PROJECT_DIR"]
        .into_iter()
        .filter_map(std::env::var_os)
        .map(PathBuf::from);
    let above = here.ancestors().find(|dir| dir.join(".git").exists());
    let roots = named.chain(above.map(Path::to_owned));
    roots
        .into_iter()
        .find_map(|root| Some(here.strip_prefix(root).ok()?.to_owned()))
        .unwrap_or_default()
}

/// Adds the report to the summary of the job, where GitHub runs it.
pub(super) fn add_to_summary(report: &Report<'_>) -> std::io::Result<()> {
    use std::io::Write as _;
    let Some(file) = std::env::var_os("GITHUB_STEP_SUMMARY").filter(|file| !file.is_empty()) else {
        return Ok(());
    };
    let mut file = std::fs::OpenOptions::new()
        .append(true)
        .create(true)
        .open(file)?;
    let text = crate::text::secret::masked_own(&markdown::comment(report)).into_owned();
    writeln!(file, "{text}")
}
