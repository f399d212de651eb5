//! `-- phasegate:allow RULE: reason` at a statement: a warning that its author knows of, and the reason beside it.
//!
//! Invariant: it silences one rule at one statement, and never an error. What an error excuses stands in migration.toml, where
//! whoever reviews the declaration sees it.

use std::ops::Range;

use crate::sql::Script;

use super::finding::Finding;
use super::lint::guess;
use super::rules::rule;
use super::severity::Severity;

const MARK: &str = "phasegate:allow";

/// One such comment.
struct Silence {
    /// The statement that it stands at, if there is one.
    statement: Option<usize>,
    span: Range<usize>,
    code: String,
    reason: String,
}

/// Takes away the warnings that comments of the script silence, and says which comments silence nothing.
pub(super) fn apply(text: &str, script: &Script, findings: Vec<Finding>) -> Vec<Finding> {
    let silences = all(text, script);
    if silences.is_empty() {
        return findings;
    }
    let mut used = vec![false; silences.len()];
    let mut kept: Vec<Finding> = Vec::with_capacity(findings.len());
    for finding in findings {
        let is_warning = finding.is_warning();
        let mut is_silent = false;
        for (silence, used) in silences.iter().zip(&mut used) {
            if is_warning
                && silence.code == finding.code
                && silence.statement.is_some()
                && silence.statement == finding.excusable
            {
                *used = true;
                is_silent = true;
            }
        }
        if !is_silent {
            kept.push(finding);
        }
    }
    for (silence, used) in silences.iter().zip(used) {
        kept.extend(wrong_with(silence, used));
    }
    kept
}

fn wrong_with(silence: &Silence, is_used: bool) -> Option<Finding> {
    const WRITE: &str = "write `-- phasegate:allow RULE: reason` on the line above the statement";
    let found = |code, message: String, help: String| {
        Some(Finding::new(code, silence.span.clone(), message, help))
    };
    let Some(rule) = rule(&silence.code) else {
        let message = match silence.code.as_str() {
            "" => "nothing says which rule is meant".to_owned(),
            code => format!("there is no rule `{code}`"),
        };
        return found("unknown-rule", message, guess(&silence.code));
    };
    if rule.severity == Severity::Error {
        return found(
            "unknown-rule",
            format!("`{}` is an error, and no comment silences it", rule.code),
            "put the statement right; what may be excused is excused in migration.toml, by `[[expand.allow]]` and the like".to_owned(),
        );
    }
    if silence.reason.is_empty() {
        return found(
            "missing-reason",
            format!("nothing says why `{}` does not matter here", rule.code),
            format!("{WRITE}: the reason is what the next reader asks for"),
        );
    }
    (!is_used).then(|| {
        Finding::new(
            "needless-allowance",
            silence.span.clone(),
            format!("no statement here is warned of by `{}`", rule.code),
            "remove it, or move it to the line above the statement that is meant",
        )
    })
}

/// The comments between statements, each with the statement that begins after it, or that ends on its line.
fn all(text: &str, script: &Script) -> Vec<Silence> {
    if !text.contains(MARK) {
        return Vec::new();
    }
    let mut found = Vec::new();
    let mut from = 0;
    for index in 0..=script.statements.len() {
        let upto = script
            .statements
            .get(index)
            .map_or(text.len(), |statement| statement.span.start);
        let mut is_first = from > 0;
        let mut at = from;
        for line in text
            .get(from..upto)
            .unwrap_or_default()
            .split_inclusive('\n')
        {
            let statement = match is_first {
                true => index.checked_sub(1),
                false => Some(index).filter(|index| *index < script.statements.len()),
            };
            found.extend(read(line, at, statement));
            at += line.len();
            is_first = false;
        }
        from = script
            .statements
            .get(index)
            .map_or(text.len(), |statement| statement.span.end);
    }
    found
}

fn read(line: &str, at: usize, statement: Option<usize>) -> Option<Silence> {
    let comment = line.find("--")?;
    let body = line.get(comment + 2..)?.trim();
    let rest = body.strip_prefix(MARK)?;
    let (code, reason) = rest.split_once(':').unwrap_or((rest, ""));
    let start = at + comment;
    Some(Silence {
        statement,
        span: start..start + line.get(comment..)?.trim_end().len(),
        code: code.trim().to_owned(),
        reason: reason.trim().to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::Dialect;

    fn left(text: &str) -> Vec<String> {
        let script = Script::parse(Dialect::Postgres, text).unwrap();
        let findings = script
            .statements
            .iter()
            .enumerate()
            .map(|(index, statement)| {
                Finding::new("locks-writes", statement.span.clone(), "m", "h").excusable(index)
            });
        apply(text, &script, findings.collect())
            .iter()
            .map(|finding| format!("{}@{}", finding.code, finding.span.start))
            .collect()
    }

    #[test]
    fn a_comment_silences_one_rule_at_one_statement_and_says_why() {
        const INDEX: &str = "CREATE INDEX i ON t (a);";
        for (text, expected) in [
            (
                format!("-- phasegate:allow locks-writes: it is small\n{INDEX}"),
                vec![],
            ),
            (
                format!("{INDEX} -- phasegate:allow locks-writes: it is small\n"),
                vec![],
            ),
            (
                format!(
                    "{INDEX}\n-- phasegate:allow locks-writes: it is small\nCREATE INDEX j ON t (b);"
                ),
                vec!["locks-writes@0"],
            ),
            (
                format!("-- phasegate:allow locks-out: it is small\n{INDEX}"),
                vec!["locks-writes@42", "needless-allowance@0"],
            ),
            (
                format!("-- phasegate:allow locks-writes\n{INDEX}"),
                vec!["missing-reason@0"],
            ),
            (
                format!("-- phasegate:allow lock-writes: x\n{INDEX}"),
                vec!["locks-writes@34", "unknown-rule@0"],
            ),
            (
                format!("-- phasegate:allow loses-rows: x\n{INDEX}"),
                vec!["locks-writes@33", "unknown-rule@0"],
            ),
            (
                format!("{INDEX}\n-- phasegate:allow locks-writes: nothing comes\n"),
                vec!["locks-writes@0", "needless-allowance@25"],
            ),
            // A text is no comment.
            (
                "INSERT INTO t VALUES ('-- phasegate:allow locks-writes: x')".to_owned(),
                vec!["locks-writes@0"],
            ),
        ] {
            assert_eq!(left(&text), expected, "{text}");
        }
    }
}
