//! Statements in `expand.sql` that somebody vouches for.

use crate::sql::{Effect, Script, Statement};

use super::manifest::Allowance;
use super::problem::listed;
use super::source::Source;

impl Allowance {
    /// Whether `statement` begins as this says, apart from case and white space.
    pub fn covers(&self, statement: &str) -> bool {
        let (wanted, statement) = (words(&self.statement.value), words(statement));
        !wanted.is_empty() && statement.starts_with(&wanted)
            // `DROP TABLE` alone would allow too much.
            && (wanted.len() >= 3 || wanted.len() == statement.len())
    }
}

/// Reports allowances that allow nothing. `scripts` are the expand scripts for every database.
pub(super) fn check(source: &Source, allow: &[Allowance], scripts: &[Script]) {
    let statements = || scripts.iter().flat_map(|script| &script.statements);
    for allowance in allow {
        let text = &allowance.statement.value;
        let span = allowance.statement.span.clone();
        let covered: Vec<&Statement> = statements()
            .filter(|statement| allowance.covers(&statement.text))
            .collect();
        let needs_it = |statement: &&Statement| {
            let effect = &statement.effect;
            matches!(effect, Effect::Destructive { .. } | Effect::Unknown { .. })
        };
        if covered.is_empty() {
            let vague =
                statements().any(|statement| words(&statement.text).starts_with(&words(text)));
            let mut beginnings: Vec<String> = statements()
                .filter(needs_it)
                .map(|statement| {
                    statement
                        .text
                        .split_whitespace()
                        .take(4)
                        .collect::<Vec<_>>()
                        .join(" ")
                })
                .collect();
            beginnings.sort();
            beginnings.dedup();
            let help = if vague {
                "name what the statement is about as well, for example \"DROP INDEX old_name\""
                    .to_owned()
            } else if beginnings.is_empty() {
                "remove it: no statement needs one".to_owned()
            } else {
                let these = listed(beginnings.iter().map(String::as_str));
                format!("the statements that need one begin {these}")
            };
            let message = if vague {
                "this allows too much: it would hold for statements written later"
            } else {
                "no statement in expand.sql begins like this"
            };
            source.error("unused-allowance", span, message, help);
        } else if !covered.iter().any(needs_it) {
            source.warning(
                "needless-allowance",
                span,
                "the statement that begins like this needs no allowance",
                "remove it",
            );
        }
    }
}

/// The words and signs of a statement, in lower case.
fn words(text: &str) -> Vec<String> {
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
        ] {
            let allowance = Allowance {
                statement: Located {
                    value: beginning.to_owned(),
                    span: 0..0,
                },
            };
            assert_eq!(allowance.covers(statement), expected, "{beginning}");
        }
    }
}
