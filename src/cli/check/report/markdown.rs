//! A comment for a pull request.

use std::fmt::Write as _;

use super::super::super::markdown::{block, inline};
use super::{Report, excerpt, place};
use crate::project::{Problem, Severity};

/// By which whoever posts it finds the comment that is there already.
const MARK: &str = "<!-- phasegate check -->";
/// A comment may have 65,536 characters.
const MOST: usize = 50;
const LONGEST_EXCERPT: usize = 600;

pub(super) fn comment(report: &Report<'_>) -> String {
    let mut text = format!("{MARK}\n### `migrate check`: {}\n", report.summary());
    let errors = report.count(Severity::Error);
    let verdict = match (errors, report.count(Severity::Warning)) {
        (0, 0) => "Nothing is wrong with the migrations.",
        (0, _) => {
            "Nothing stops these migrations. What is said below costs those who use the tables while a step runs."
        }
        (_, _) => "Errors stop every step that would run the script.",
    };
    let _ = writeln!(text, "\n{verdict}");
    for (severity, beside) in &report.beside {
        let _ = writeln!(
            text,
            "\n- **{}** in the database: {}",
            name(*severity),
            inline(beside)
        );
    }
    let mut shown = 0;
    for severity in [Severity::Error, Severity::Warning] {
        for problem in report
            .problems
            .iter()
            .filter(|one| one.severity == severity)
        {
            if shown < MOST {
                finding(report, problem, &mut text);
            }
            shown += 1;
        }
    }
    if shown > MOST {
        let _ = writeln!(
            text,
            "\n… and {} more: `migrate check` shows them.",
            shown - MOST
        );
    }
    let migrations = report.migrations.len();
    let noun = if migrations == 1 {
        "migration"
    } else {
        "migrations"
    };
    let _ = write!(
        text,
        "\n{migrations} {noun} looked at. `migrate check --explain RULE` says more of a rule."
    );
    text
}

fn finding(report: &Report<'_>, problem: &Problem, text: &mut String) {
    let (start, _) = place(problem);
    let _ = writeln!(
        text,
        "\n**{}** `{}` at `{}:{}`\n\n{}",
        name(problem.severity),
        problem.code,
        report.path(problem).replace('`', "'"),
        start.line,
        inline(&problem.message)
    );
    let quoted = excerpt(problem).filter(|quoted| !quoted.trim().is_empty());
    if let Some(quoted) = quoted {
        let cut: String = quoted.chars().take(LONGEST_EXCERPT).collect();
        let _ = writeln!(text, "\n{}", block("sql", cut.lines()));
    }
    let _ = writeln!(text, "\nInstead: {}", inline(&problem.help));
}

const fn name(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}
