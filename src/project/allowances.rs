//! Statements in scripts that somebody vouches for.
//!
//! Invariant: one allowance excuses one statement of a script. What is written later is not excused by what was
//! allowed before.

use std::collections::BTreeSet;

use crate::model::Step;
use crate::sql::{Script, Statement};

use super::finding::Finding;
use super::manifest::{Allowance, Voucher};
use super::problem::listed;
use super::rules::STILL_REQUIRED;
use super::source::Source;

/// How many statements of those that an allowance may mean are named.
const MOST_NAMED: usize = 3;

impl Allowance {
    /// Whether `statement` begins as this says, apart from case and white space.
    fn begins(&self, statement: &str) -> bool {
        let (wanted, statement) = (words(&self.statement.value), words(statement));
        !wanted.is_empty() && statement.starts_with(&wanted)
            // `DROP TABLE` alone would allow too much.
            && (wanted.len() >= 3 || wanted.len() == statement.len())
    }

    /// The statements of the script that it may mean. One that it spells whole is meant before those that only begin
    /// like it.
    fn matches(&self, script: &Script) -> Vec<usize> {
        let wanted = words(&self.statement.value);
        let begin: Vec<usize> = (0..script.statements.len())
            .filter(|index| self.begins(text(script, *index)))
            .collect();
        let whole: Vec<usize> = begin
            .iter()
            .copied()
            .filter(|index| words(text(script, *index)) == wanted)
            .collect();
        if whole.is_empty() { begin } else { whole }
    }
}

/// The statements of `script` that are excused.
pub(super) fn excused(allow: &[Allowance], step: Step, script: &Script) -> BTreeSet<usize> {
    let mut excused = BTreeSet::new();
    for allowance in allow.iter().filter(|allowance| allowance.step == step) {
        let matches = allowance.matches(script);
        if !is_ambiguous(script, &matches) {
            // Of statements that are the same, each needs an allowance of its own.
            let next = matches.into_iter().find(|index| !excused.contains(index));
            excused.extend(next);
        }
    }
    excused
}

/// Takes away what is excused, and says of the rest how it could be.
pub(super) fn apply(
    allow: Option<&[Allowance]>,
    step: Step,
    script: &Script,
    findings: Vec<Finding>,
) -> Vec<Finding> {
    let excused = allow.map(|allow| excused(allow, step, script));
    // Who vouches that a statement does no harm has not said that nobody waits for it.
    let wrong: BTreeSet<usize> = findings
        .iter()
        .filter(|finding| !finding.is_warning())
        .filter_map(|finding| finding.excusable)
        .collect();
    let keep = |mut finding: Finding| {
        let Some(index) = finding.excusable else {
            return Some(finding);
        };
        // Without a manifest that can be read nobody knows what is allowed.
        let is_warning = finding.is_warning();
        let is_of_another = is_warning && wrong.contains(&index);
        if excused
            .as_ref()
            .is_none_or(|excused| excused.contains(&index) && !is_of_another)
        {
            return None;
        }
        if is_warning {
            finding.help = format!(
                "{}; or, if the table is small enough, say so on the line above: `-- phasegate:allow {}: why`",
                finding.help, finding.code
            );
            return Some(finding);
        }
        let condition = match step {
            _ if finding.code == STILL_REQUIRED => "if these versions still write it",
            Step::Expand => "if no live version can notice it",
            Step::Backfill | Step::Contract | Step::Revert => "if nothing is lost by it",
        };
        finding.help = format!(
            "{}, or, {condition}, say so in migration.toml: `[[{}.allow]]`, `statement = {:?}`, `reason = \"why\"`",
            finding.help,
            step.name(),
            beginning(script, index),
        );
        Some(finding)
    };
    findings.into_iter().filter_map(keep).collect()
}

fn text(script: &Script, index: usize) -> &str {
    script
        .statements
        .get(index)
        .map_or("", |statement: &Statement| &statement.text)
}

fn is_ambiguous(script: &Script, matches: &[usize]) -> bool {
    let mut texts = matches.iter().map(|index| words(text(script, *index)));
    texts
        .next()
        .is_some_and(|first| texts.any(|other| other != first))
}

/// How the statement begins, so that no other one of the script does.
pub(super) fn beginning(script: &Script, index: usize) -> String {
    const LEAST: usize = 4;
    let text_of_it = plain(text(script, index));
    let pieces: Vec<&str> = text_of_it.split_whitespace().collect();
    for length in LEAST..pieces.len() {
        let beginning = pieces.get(..length).unwrap_or_default().join(" ");
        let wanted = words(&beginning);
        let others = (0..script.statements.len()).filter(|other| *other != index);
        if wanted.len() >= LEAST
            && !others
                .into_iter()
                .any(|other| words(text(script, other)).starts_with(&wanted))
        {
            return beginning;
        }
    }
    pieces.join(" ")
}

/// A script of the step that allowances are for, and the statements in it that need one.
pub(super) struct Needs<'s> {
    pub script: &'s Script,
    pub statements: BTreeSet<usize>,
}

impl Needs<'_> {
    /// Of what is taken away, only the database itself may show who names it; of code that is replaced, who relies on it.
    fn may_need(&self, step: Step, index: usize) -> bool {
        let takes = |statement: &Statement| statement.gone().next().is_some();
        self.statements.contains(&index)
            || self.script.statements.get(index).is_some_and(|statement| {
                statement.changes_code() || step != Step::Expand && takes(statement)
            })
    }
}

/// Reports allowances that allow nothing, or more than one thing. `scripts` are those of `step` for every database.
pub(super) fn check(source: &Source, allow: &[Allowance], step: Step, scripts: &[Needs<'_>]) {
    let file = format!("{}.sql", step.name());
    let mut seen = Vec::new();
    let written = allow
        .iter()
        .filter(|allowance| allowance.by == Voucher::Author);
    for allowance in written.filter(|allowance| allowance.step == step) {
        let span = allowance.statement.span.clone();
        let matches: Vec<(&Needs<'_>, Vec<usize>)> = scripts
            .iter()
            .map(|needs| (needs, allowance.matches(needs.script)))
            .collect();
        let ambiguous = matches
            .iter()
            .find(|(needs, found)| is_ambiguous(needs.script, found));
        let wanted = words(&allowance.statement.value);
        let before = seen.iter().filter(|known| **known == wanted).count();
        seen.push(wanted);
        if let Some((needs, found)) = ambiguous {
            let which = found.iter().take(MOST_NAMED);
            let which: Vec<String> = which.map(|index| beginning(needs.script, *index)).collect();
            let more = match found.len().saturating_sub(MOST_NAMED) {
                0 => String::new(),
                more => format!(", or one of {more} more"),
            };
            source.error(
                "ambiguous-allowance",
                span,
                format!(
                    "{} statements in {file} begin like this, and one allowance excuses one",
                    found.len()
                ),
                format!(
                    "name the one that is meant: {}{more}",
                    listed(which.iter().map(String::as_str))
                ),
            );
        } else if matches.iter().all(|(_, found)| found.is_empty()) {
            unused(source, allowance, &file, scripts);
        } else if matches.iter().all(|(_, found)| found.len() <= before) {
            source.error(
                "unused-allowance",
                span,
                "another allowance says the same already",
                "remove it: one allowance excuses one statement",
            );
        } else if !matches
            .iter()
            .any(|(needs, found)| found.iter().any(|index| needs.may_need(step, *index)))
        {
            source.warning(
                "needless-allowance",
                span,
                "the statement that begins like this needs no allowance",
                "remove it",
            );
        }
    }
}

fn unused(source: &Source, allowance: &Allowance, file: &str, scripts: &[Needs<'_>]) {
    let wanted = words(&allowance.statement.value);
    let is_vague = scripts.iter().any(|needs| {
        let statements = &needs.script.statements;
        statements
            .iter()
            .any(|statement| words(&statement.text).starts_with(&wanted))
    });
    let mut beginnings: Vec<String> = scripts
        .iter()
        .flat_map(|needs| {
            let statements = needs.statements.iter();
            statements.map(|index| beginning(needs.script, *index))
        })
        .collect();
    beginnings.sort();
    beginnings.dedup();
    let help = if is_vague {
        "name what the statement is about as well, for example \"DROP INDEX old_name\"".to_owned()
    } else if beginnings.is_empty() {
        "remove it: no statement needs one".to_owned()
    } else {
        let these = listed(beginnings.iter().map(String::as_str));
        format!("the statements that need one begin {these}")
    };
    let message = if is_vague {
        "this allows too much: it would hold for statements written later".to_owned()
    } else {
        format!("no statement in {file} begins like this")
    };
    source.error(
        "unused-allowance",
        allowance.statement.span.clone(),
        message,
        help,
    );
}

/// The text without its comments, which say nothing of what is allowed.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    let mut quote = None;
    while let Some(c) = rest.chars().next() {
        let comment = match quote {
            None if rest.starts_with("--") => Some(rest.find('\n').unwrap_or(rest.len())),
            None if rest.starts_with("/*") && !rest.starts_with("/*!") => {
                Some(rest.find("*/").map_or(rest.len(), |end| end + 2))
            }
            _ => None,
        };
        if let Some(end) = comment {
            plain.push(' ');
            rest = rest.get(end..).unwrap_or_default();
            continue;
        }
        match quote {
            Some(open) if open == c => quote = None,
            None if matches!(c, '\'' | '"' | '`') => quote = Some(c),
            _ => {}
        }
        plain.push(c);
        rest = rest.get(c.len_utf8()..).unwrap_or_default();
    }
    plain
}

/// The words and signs of a statement, in lower case and without comments.
fn words(text: &str) -> Vec<String> {
    let text = plain(text);
    let mut words: Vec<String> = Vec::new();
    let mut in_word = false;
    for c in text.trim().trim_end_matches(';').chars() {
        let continues = c.is_alphanumeric() || c == '_';
        if c.is_whitespace() {
            in_word = false;
            continue;
        }
        match words.last_mut() {
            Some(word) if continues && in_word => word.extend(c.to_lowercase()),
            _ => words.push(c.to_lowercase().collect()),
        }
        in_word = continues;
    }
    words
}

#[cfg(test)]
mod tests {
    use super::super::reader::Located;
    use super::*;

    #[test]
    fn an_allowance_covers_whole_words_and_names_its_subject() {
        for (beginning, statement, expected) in [
            ("DROP INDEX users_name", "drop  index\n users_name", true),
            ("drop index users_name;", "DROP INDEX users_name", true),
            ("DROP INDEX users", "DROP INDEX users_name", false),
            ("DROP INDEX", "DROP INDEX users_name", false),
            ("DROP INDEX users_name", "DROP INDEX", false),
            ("VACUUM", "VACUUM", true),
            ("VACUUM", "VACUUM FULL", false),
            ("create table x(a", "CREATE TABLE x ( a text )", true),
            (
                "DROP INDEX users_name",
                "DROP /* it was slow */ INDEX -- at last\n users_name",
                true,
            ),
            (
                "DROP INDEX -- at last\n users_name",
                "DROP INDEX users_name",
                true,
            ),
            (
                "DELETE FROM t WHERE a = '--'",
                "DELETE FROM t WHERE a = '--' AND b",
                true,
            ),
            (
                "DELETE FROM t WHERE a = '/*x'",
                "DELETE FROM t WHERE a = '/*y'",
                false,
            ),
        ] {
            let allowance = Allowance {
                step: Step::Expand,
                statement: Located {
                    value: beginning.to_owned(),
                    span: 0..0,
                },
                by: Voucher::Author,
            };
            assert_eq!(allowance.begins(statement), expected, "{beginning}");
        }
    }
}
