//! The statements of a migration that Phasegate sends itself, as a server counts them: they use what goes, and are no use of it.

use crate::database::Statistics;
use crate::model::Step;
use crate::project::Migration;
use crate::sql::{Dialect, Part, Ranged, range_query};

/// How they read without their values.
pub(super) struct Own {
    whole: Vec<Vec<String>>,
    /// Those that go over a range of keys, as far as it.
    begins: Vec<Vec<String>>,
    /// What stands before and behind a query that is run for its result.
    around: Vec<(Vec<String>, Vec<String>)>,
}

impl Own {
    pub(super) fn of(migration: &Migration, dialect: Dialect, statistics: &Statistics) -> Self {
        let read = |text: &str| dialect.counted_as(text);
        let files = migration.files(dialect);
        let mut whole = Vec::new();
        let scripts = [&files.expand, &files.contract, &files.revert];
        let of_runner = files
            .revisions
            .iter()
            .filter(|(step, _)| **step != Step::Backfill)
            .map(|(_, revisions)| &revisions.script);
        for file in scripts.into_iter().chain(of_runner).flatten() {
            let statements = file.script.statements.iter();
            whole.extend(statements.map(|statement| read(&statement.text)));
        }
        let mut begins = Vec::new();
        begins.extend(
            files
                .backfill
                .as_ref()
                .map(|file| before_range(&file.statement, dialect)),
        );
        if let Some(rules) = &migration.backfill {
            let remaining = read(rules.remaining.of(dialect));
            whole.extend(examples(&remaining, &rules.key, dialect));
            whole.push(remaining);
            let check = rules.check.as_ref();
            let check = check.and_then(|check| range_query(dialect, check.of(dialect)).ok());
            begins.extend(check.map(|check| before_range(&check, dialect)));
        }
        let require = migration.contract_rules.require.iter();
        whole.extend(require.map(|query| read(query.of(dialect))));
        let around = statistics.around.iter();
        Self {
            whole,
            begins,
            around: around
                .map(|(before, behind)| (read(before), read(behind)))
                .collect(),
        }
    }

    /// Whether a statement that the server has counted is one of them.
    pub(super) fn is(&self, dialect: Dialect, text: &str) -> bool {
        let words = dialect.counted_as(text);
        self.is_one(&words)
            || self.around.iter().any(|(before, behind)| {
                let inner = words.strip_prefix(before.as_slice());
                let inner = inner.and_then(|inner| inner.strip_suffix(behind.as_slice()));
                inner.is_some_and(|inner| self.is_one(inner))
            })
    }

    fn is_one(&self, words: &[String]) -> bool {
        let is_begun = |begin: &Vec<String>| !begin.is_empty() && words.starts_with(begin);
        !words.is_empty()
            && (self.whole.iter().any(|one| one == words) || self.begins.iter().any(is_begun))
    }
}

fn before_range(statement: &Ranged, dialect: Dialect) -> Vec<String> {
    match statement.parts.first() {
        Some(Part::Sql(text)) => dialect.counted_as(text),
        _ => Vec::new(),
    }
}

/// The query for keys of rows that are left, which stands in place of their count.
fn examples(remaining: &[String], key: &[String], dialect: Dialect) -> Option<Vec<String>> {
    let rest = remaining.strip_prefix(
        ["select", "count", "(", "*", ")"]
            .map(str::to_owned)
            .as_slice(),
    )?;
    let mut words = dialect.counted_as(&format!("SELECT {}", key.join(", ")));
    words.extend_from_slice(rest);
    Some(words)
}
