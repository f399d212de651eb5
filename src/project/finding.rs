//! What is wrong in a script as one database reads it, and how it is told where several agree.

use std::ops::Range;

use crate::model::Step;
use crate::sql::{Dialect, Script, ScriptError, Statement};

use super::database::{DatabaseConfig, DialectsFrom};
use super::dumped::Habit;
use super::severity::Severity;
use super::source::Source;

/// What was found in a text as one database reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    pub code: &'static str,
    pub span: Range<usize>,
    pub message: String,
    pub help: String,
    /// The statement of the script, by its place, that an allowance may excuse.
    pub excusable: Option<usize>,
}

impl Finding {
    pub fn new(
        code: &'static str,
        span: Range<usize>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Self {
        Self {
            code,
            span,
            message: message.into(),
            help: help.into(),
            excusable: None,
        }
    }

    /// What live versions may not survive, in the script of this step.
    pub fn unsurvived(
        step: Step,
        span: Range<usize>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Self {
        let code = match step {
            Step::Expand => "destructive-expand",
            _ => "takes-too-much",
        };
        Self::new(code, span, message, help)
    }

    /// An allowance may excuse the statement at this place of the script.
    pub fn excusable(mut self, statement: usize) -> Self {
        self.excusable = Some(statement);
        self
    }

    pub fn is_warning(&self) -> bool {
        self.severity() == Severity::Warning
    }

    /// As its rule says; a comment that silences nothing does no harm.
    fn severity(&self) -> Severity {
        match super::rules::rule(self.code) {
            Some(rule) => rule.severity,
            None if self.code == "needless-allowance" => Severity::Warning,
            None => Severity::Error,
        }
    }

    pub fn empty() -> Self {
        Self::new(
            "empty-script",
            0..0,
            "there is no statement in this file",
            "write one, or remove the file; where a database has nothing to do, write `SELECT 1;`",
        )
    }
}

impl From<ScriptError> for Finding {
    fn from(error: ScriptError) -> Self {
        Self::new("sql", error.span, error.message, error.help)
    }
}

/// A long statement is shown by its beginning.
pub(super) fn first_line(statement: &Statement) -> Range<usize> {
    let line = statement.text.lines().next().unwrap_or_default();
    statement.span.start..statement.span.start + line.len()
}

/// Without warnings of statements in which something is wrong: that is put right first, and what the statement costs may be
/// another question then.
pub(super) fn errors_first(found: Vec<Finding>) -> Vec<Finding> {
    let wrong: Vec<usize> = found
        .iter()
        .filter(|finding| !finding.is_warning())
        .map(|finding| finding.span.start)
        .collect();
    let is_kept =
        |finding: &Finding| !(finding.is_warning() && wrong.contains(&finding.span.start));
    found.into_iter().filter(is_kept).collect()
}

/// What was found and is not excused, with one finding in the place of many that are of one habit.
pub(super) fn gathered(script: &Script, mut findings: Vec<Finding>) -> Vec<Finding> {
    for habit in Habit::ALL {
        let is_of =
            |finding: &Finding| Habit::of(finding.code, finding.span.start, script) == Some(habit);
        let count = findings.iter().filter(|finding| is_of(finding)).count();
        if count < habit.many() {
            continue;
        }
        let mut is_told = false;
        findings.retain_mut(|finding| {
            if !is_of(finding) {
                return true;
            }
            if !is_told {
                let (message, help) = habit.words(count);
                finding.message = message;
                help.clone_into(&mut finding.help);
            }
            !std::mem::replace(&mut is_told, true)
        });
    }
    findings
}

/// Mistakes that are the same word for word, such as each line of a client's command in a dump: the first says how many.
pub(super) fn told_once(findings: Vec<Finding>) -> Vec<Finding> {
    let mut once: Vec<(Finding, usize)> = Vec::new();
    for finding in findings {
        let known = once.iter_mut().find(|(known, _)| {
            (known.code, &known.message, &known.help)
                == (finding.code, &finding.message, &finding.help)
        });
        match known {
            Some((_, count)) => *count += 1,
            None => once.push((finding, 1)),
        }
    }
    let counted = once.into_iter().map(|(mut finding, count)| {
        if count > 1 {
            finding.message = format!("{} ({count} times in this file)", finding.message);
        }
        finding
    });
    counted.collect()
}

/// Reports what several databases found in one text: once where they agree, and otherwise with
/// the database's name.
pub(super) fn report(
    source: &Source,
    mut findings: Vec<(Dialect, Vec<Finding>)>,
    database: &DatabaseConfig,
) {
    let is_assumed = database.dialects_from == DialectsFrom::Assumption;
    let mut reject: Vec<&str> = Vec::new();
    if is_assumed && findings.iter().any(|(_, found)| !is_rejected(found)) {
        // Written for one database, most likely. What the other one makes of the rest is noise.
        for (dialect, found) in findings.iter_mut().filter(|(_, found)| is_rejected(found)) {
            found.truncate(1);
            reject.push(dialect.name());
        }
    }
    let readers = findings.len();
    let readable = readers - reject.len();
    let mut merged: Vec<(Vec<&str>, Finding)> = Vec::new();
    for (dialect, finding) in findings
        .into_iter()
        .flat_map(|(dialect, found)| found.into_iter().map(move |finding| (dialect, finding)))
    {
        match merged.iter_mut().find(|(_, known)| *known == finding) {
            Some((dialects, _)) => dialects.push(dialect.name()),
            None => merged.push((vec![dialect.name()], finding)),
        }
    }
    for (dialects, mut finding) in merged {
        let is_rejection = dialects.iter().any(|name| reject.contains(name));
        if is_rejection || dialects.len() < readable {
            finding.message = format!("for {}: {}", dialects.join(", "), finding.message);
        }
        if is_assumed && dialects.len() < readers && (is_rejection || reject.is_empty()) {
            let others = database.dialects.iter().map(|dialect| dialect.name());
            let others: Vec<String> = others
                .filter(|name| !dialects.contains(name))
                .map(|name| format!("\"{name}\""))
                .collect();
            let stop = if finding.help.ends_with('?') { "" } else { "." };
            finding.help = format!(
                "{}{stop} If this project does not run on {}, write `dialects = [{}]` under `[database]` in migrate.toml",
                finding.help,
                dialects.join(" or "),
                others.join(", "),
            );
        }
        match finding.severity() {
            Severity::Error => {
                source.error(finding.code, finding.span, finding.message, finding.help);
            }
            Severity::Warning => {
                source.warning(finding.code, finding.span, finding.message, finding.help);
            }
        }
    }
}

/// Whether the database could not even read the text.
fn is_rejected(findings: &[Finding]) -> bool {
    findings
        .iter()
        .any(|finding| matches!(finding.code, "sql" | "not-a-select"))
}
