//! What somebody has to vouch for in a script that makes the schema of a database which nobody uses yet.

use crate::model::Step;
use crate::sql::Dialect;

use super::allowances;
use super::lint::LintConfig;
use super::rules::{self, Scripts};
use super::scripts;

/// How the statements of this expand begin that are refused without an allowance, each so that one allowance means it.
///
/// # Errors
/// In words, what no allowance excuses.
pub fn to_vouch_for(dialect: Dialect, text: &str) -> Result<Vec<String>, Vec<String>> {
    let (script, mut findings) = scripts::check(Step::Expand, dialect, text);
    let lint = LintConfig::default();
    if let Some(script) = &script {
        let seen = Scripts {
            expand: Some(script),
            ..Scripts::none(dialect, &lint)
        };
        let found = rules::check(&seen, None).into_iter();
        findings.extend(found.map(|(_, finding)| finding));
    }
    findings.retain(|finding| !finding.is_warning());
    let wrong = findings.iter().filter(|one| one.excusable.is_none());
    let wrong: Vec<String> = wrong.map(|finding| finding.message.clone()).collect();
    if !wrong.is_empty() {
        return Err(wrong);
    }
    let mut places: Vec<usize> = findings.iter().filter_map(|one| one.excusable).collect();
    places.sort_unstable();
    places.dedup();
    let beginning = |index| Some(allowances::beginning(script.as_ref()?, index));
    Ok(places.into_iter().filter_map(beginning).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_new_database_needs_somebodys_word_for_is_named() {
        let text = "CREATE TABLE t (a int);\nCREATE CAST (t AS text) WITH INOUT;\nCREATE INDEX i ON t (a);\n";
        let vouched = to_vouch_for(Dialect::Postgres, text).unwrap();
        assert_eq!(vouched, ["CREATE CAST (t AS"]);
        let twice = "CREATE TABLE t (a int);\nCREATE CAST (t AS text) WITH INOUT;\nCREATE CAST (t AS varchar) WITH INOUT;\n";
        let vouched = to_vouch_for(Dialect::Postgres, twice).unwrap();
        assert_eq!(
            vouched,
            ["CREATE CAST (t AS text)", "CREATE CAST (t AS varchar)"]
        );
        let wrong =
            to_vouch_for(Dialect::Postgres, "CREATE TABLE t (a int);\nCOMMIT;\n").unwrap_err();
        assert!(wrong[0].contains("COMMIT"), "{wrong:?}");
    }
}
