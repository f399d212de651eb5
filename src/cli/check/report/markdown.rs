//! A comment for a pull request.

use std::fmt::Write as _;

use super::{Report, excerpt, place, said};
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
        let fence = fence(&cut);
        let _ = writeln!(text, "\n{fence}sql");
        for line in cut.lines() {
            let _ = writeln!(text, "{}", said(line));
        }
        let _ = writeln!(text, "{fence}");
    }
    let _ = writeln!(text, "\nInstead: {}", inline(&problem.help));
}

/// Longer than any row of backquotes in the text.
fn fence(text: &str) -> String {
    let mut longest = 0;
    let mut row = 0;
    for c in text.chars() {
        row = if c == '`' { row + 1 } else { 0 };
        longest = longest.max(row);
    }
    "`".repeat((longest + 1).max(3))
}

const fn name(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

/// Text that begins no element, mentions nobody and links nowhere; what stands between backquotes stays code.
fn inline(text: &str) -> String {
    let text = said(text).replace('\n', " ");
    let mut plain = String::with_capacity(text.len());
    let even = text.matches('`').count().is_multiple_of(2);
    let mut in_code = false;
    for c in text.chars() {
        match c {
            '`' if even => {
                in_code = !in_code;
                plain.push(c);
            }
            '`' => plain.push('\''),
            _ if in_code => plain.push(c),
            '<' => plain.push_str("&lt;"),
            '>' => plain.push_str("&gt;"),
            '&' => plain.push_str("&amp;"),
            '@' => plain.push_str("@\u{2060}"),
            '\\' | '*' | '_' | '[' | ']' | '#' | '|' | '!' | '~' => {
                plain.push('\\');
                plain.push(c);
            }
            _ => plain.push(c),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_wrote_is_text_and_nothing_else() {
        assert_eq!(
            inline("a <b> `c_d` e_f @g"),
            "a &lt;b&gt; `c_d` e\\_f @\u{2060}g"
        );
        // A backquote without its other half opens nothing.
        assert_eq!(inline("it's ` <x>"), "it's ' &lt;x&gt;");
        assert_eq!(fence("a ``` b"), "````");
        assert_eq!(fence("a"), "```");
    }
}
