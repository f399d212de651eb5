//! JUnit's XML, which almost every continuous integration shows: a test for each migration, and one for migrate.toml.

use std::fmt::Write as _;

use super::{Report, place, said};
use crate::project::{CONFIG_FILE, Problem, Severity};

pub(super) fn suites(report: &Report<'_>) -> String {
    let mut cases: Vec<(String, Vec<&Problem>)> = vec![(CONFIG_FILE.to_owned(), Vec::new())];
    cases.extend(report.migrations.iter().map(|id| (id.clone(), Vec::new())));
    for problem in &report.problems {
        let path = report.path(problem);
        let is_of = |id: &str| path.split('/').any(|part| part == id);
        let at = cases.iter().position(|(id, _)| is_of(id));
        match at.and_then(|at| cases.get_mut(at)) {
            Some((_, problems)) => problems.push(problem),
            None => cases.push((path, vec![problem])),
        }
    }
    let beside: Vec<&str> = report
        .beside
        .iter()
        .filter(|(severity, _)| *severity == Severity::Error)
        .map(|(_, text)| *text)
        .collect();
    let is_error = |problem: &&&Problem| problem.severity == Severity::Error;
    let failed = cases
        .iter()
        .filter(|(_, problems)| problems.iter().any(|one| is_error(&one)))
        .count()
        + usize::from(!beside.is_empty());
    let tests = cases.len() + usize::from(!report.beside.is_empty());
    let mut xml = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites tests=\"{tests}\" failures=\"{failed}\" errors=\"0\">\n  <testsuite name=\"migrate check\" tests=\"{tests}\" failures=\"{failed}\" errors=\"0\" skipped=\"0\">\n"
    );
    for (id, problems) in &cases {
        let _ = writeln!(
            xml,
            "    <testcase name=\"{}\" classname=\"migrate.check\">",
            escaped(id)
        );
        let told = |problem: &Problem| {
            let (start, _) = place(problem);
            format!(
                "{}:{}:{}: {} [{}]\nhelp: {}",
                report.path(problem),
                start.line,
                start.column,
                said(&problem.message),
                problem.code,
                said(&problem.help)
            )
        };
        let errors: Vec<String> = problems
            .iter()
            .filter(is_error)
            .map(|one| told(one))
            .collect();
        let warnings: Vec<String> = problems
            .iter()
            .filter(|one| one.severity == Severity::Warning)
            .map(|one| told(one))
            .collect();
        // One test fails once, whatever is wrong with it.
        if let Some(first) = problems.iter().find(is_error) {
            let _ = writeln!(
                xml,
                "      <failure message=\"{}\" type=\"{}\">{}</failure>",
                escaped(&said(&first.message)),
                escaped(first.code),
                escaped(&errors.join("\n\n"))
            );
        }
        if !warnings.is_empty() {
            let _ = writeln!(
                xml,
                "      <system-out>{}</system-out>",
                escaped(&warnings.join("\n\n"))
            );
        }
        xml.push_str("    </testcase>\n");
    }
    if !report.beside.is_empty() {
        let _ = writeln!(
            xml,
            "    <testcase name=\"applied\" classname=\"migrate.check\">"
        );
        if !beside.is_empty() {
            let text = beside
                .iter()
                .map(|text| said(text))
                .collect::<Vec<_>>()
                .join("\n");
            let _ = writeln!(
                xml,
                "      <failure message=\"the database is another than the files say\" type=\"applied\">{}</failure>",
                escaped(&text)
            );
        }
        xml.push_str("    </testcase>\n");
    }
    xml.push_str("  </testsuite>\n</testsuites>");
    xml
}

/// Text of XML: what may not stand in it at all is left out.
fn escaped(text: &str) -> String {
    let mut xml = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => xml.push_str("&amp;"),
            '<' => xml.push_str("&lt;"),
            '>' => xml.push_str("&gt;"),
            '"' => xml.push_str("&quot;"),
            '\n' => xml.push_str("&#10;"),
            '\t' => xml.push('\t'),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => xml.push('\u{fffd}'),
            c => xml.push(c),
        }
    }
    xml
}
