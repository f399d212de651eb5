//! SARIF 2.1.0, which code scanning and many editors read.

use serde_json::{Value, json};

use super::{Report, place, said};
use crate::project::{RULES, Severity};

const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";

const fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

pub(super) fn log(report: &Report<'_>) -> Value {
    let mut rules: Vec<Value> = RULES
        .iter()
        .map(|rule| {
            json!({
                "id": rule.code,
                "shortDescription": { "text": format!("Finds {}.", rule.finds) },
                "fullDescription": { "text": rule.why },
                "help": { "text": rule.instead, "markdown": rule.instead },
                "defaultConfiguration": { "level": level(rule.severity) },
            })
        })
        .collect();
    let mut codes: Vec<&str> = RULES.iter().map(|rule| rule.code).collect();
    let prints = report.fingerprints();
    let mut results = Vec::new();
    for (problem, print) in report.problems.iter().zip(prints) {
        let index = codes.iter().position(|code| *code == problem.code);
        let index = index.unwrap_or_else(|| {
            // What is wrong with the files themselves has a name and no row in the table.
            codes.push(problem.code);
            rules.push(json!({
                "id": problem.code,
                "shortDescription": { "text": problem.code },
                "defaultConfiguration": { "level": level(problem.severity) },
            }));
            codes.len() - 1
        });
        let (start, end) = place(problem);
        results.push(json!({
            "ruleId": problem.code,
            "ruleIndex": index,
            "level": level(problem.severity),
            "message": { "text": format!("{}\n{}", said(&problem.message), said(&problem.help)) },
            "locations": [{
                "physicalLocation": {
                    "artifactLocation": { "uri": uri(&report.path(problem)) },
                    "region": {
                        "startLine": start.line,
                        "startColumn": start.column,
                        "endLine": end.line,
                        "endColumn": end.column,
                    },
                },
            }],
            "partialFingerprints": { "phasegate/v1": print },
        }));
    }
    for (severity, text) in &report.beside {
        results.push(json!({ "level": level(*severity), "message": { "text": said(text) } }));
    }
    json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": {
                "driver": {
                    "name": "phasegate",
                    "semanticVersion": env!("CARGO_PKG_VERSION"),
                    "rules": rules,
                },
            },
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    })
}

/// A relative reference: what is no plain character of a path is written as its bytes.
fn uri(path: &str) -> String {
    path.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                char::from(byte).to_string()
            }
            byte => format!("%{byte:02X}"),
        })
        .collect()
}
