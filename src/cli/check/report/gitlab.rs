//! GitLab: a report of code quality, which stands in the merge request.

use serde_json::{Value, json};

use super::{Report, hash, place, said};
use crate::project::{CONFIG_FILE, Severity};

const fn severity(of: Severity) -> &'static str {
    match of {
        Severity::Error => "critical",
        Severity::Warning => "minor",
    }
}

pub(super) fn issues(report: &Report<'_>) -> Value {
    let prints = report.fingerprints();
    let problems = report.problems.iter().zip(prints).map(|(problem, print)| {
        let (start, end) = place(problem);
        json!({
            "description": format!("{} ({})", said(&problem.message), said(&problem.help)),
            "check_name": problem.code,
            "fingerprint": print,
            "severity": severity(problem.severity),
            "location": {
                "path": report.path(problem),
                "lines": { "begin": start.line, "end": end.line },
            },
        })
    });
    let config = report.base.join(CONFIG_FILE).display().to_string();
    let beside = report.beside.iter().map(|(of, text)| {
        json!({
            "description": said(text),
            "check_name": "applied",
            "fingerprint": hash(text),
            "severity": severity(*of),
            "location": { "path": config, "lines": { "begin": 1, "end": 1 } },
        })
    });
    problems.chain(beside).collect()
}
