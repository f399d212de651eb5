//! GitHub: a workflow command for each finding, which stands at its line in the pull request.

use super::{Report, place, said};
use crate::project::Severity;

/// GitHub shows ten of each kind a step, so that errors come first.
pub(super) fn annotations(report: &Report<'_>) -> String {
    let mut lines = Vec::new();
    for severity in [Severity::Error, Severity::Warning] {
        let command = name(severity);
        for problem in report
            .problems
            .iter()
            .filter(|one| one.severity == severity)
        {
            let (start, end) = place(problem);
            let mut properties = format!(
                "file={},line={},endLine={}",
                property(&report.path(problem)),
                start.line,
                end.line
            );
            // Columns are read only where it ends in the line in which it begins.
            if start.line == end.line {
                properties.push_str(&format!(",col={},endColumn={}", start.column, end.column));
            }
            lines.push(format!(
                "::{command} {properties},title={}::{}",
                property(problem.code),
                data(&format!(
                    "{}\nhelp: {}",
                    said(&problem.message),
                    said(&problem.help)
                ))
            ));
        }
        for (_, text) in report.beside.iter().filter(|(one, _)| *one == severity) {
            lines.push(format!("::{command} title=applied::{}", data(&said(text))));
        }
    }
    lines.push(format!("migrate check: {}", report.summary()));
    lines.join("\n")
}

const fn name(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

fn data(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
