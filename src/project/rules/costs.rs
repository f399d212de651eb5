//! Statements that are right, and that keep others waiting on a large table. Each is a warning: how large the table is stands
//! in no file. What a statement costs is decided in `crates/sql`; here are the names of the rules.

use crate::model::Step;
use crate::sql::{Cost, Dialect, Known, Script, Weight, Work, checks_of_domain, shows_not_null};

use super::super::finding::Finding;
use super::super::later;
use super::super::scripts::first_line;
use super::Scripts;
use super::widened::{Wider, is_widening};

/// The rule that finds it.
#[must_use]
pub const fn code_of(work: Work) -> &'static str {
    match work {
        Work::LocksOut => "locks-out",
        Work::LocksWrites => "locks-writes",
        Work::Scans => "scans-under-lock",
        Work::Rewrites => "rewrites-table",
        Work::Fills => "fills-at-once",
        Work::Holds => "holds-lock",
        Work::NoEquality => "no-equality",
        Work::KeepsInvalid => "keeps-invalid",
    }
}

pub(super) fn check(scripts: &Scripts<'_>) -> Vec<(Step, Finding)> {
    let mut found = Vec::new();
    for (step, script) in scripts.whole() {
        for (index, costs) in of(scripts, step, script).into_iter().enumerate() {
            let Some(statement) = script.statements.get(index) else {
                continue;
            };
            for cost in costs {
                let code = code_of(cost.work);
                let is_off = scripts.lint.off.contains_key(code);
                if is_off || cost.weight == Weight::IfLarge {
                    continue;
                }
                let finding = Finding::new(code, first_line(statement), cost.says, cost.instead);
                found.push((step, finding.excusable(index)));
            }
        }
    }
    found
}

/// What each statement of a script costs, in the light of the scripts before it.
pub(in super::super) fn of(scripts: &Scripts<'_>, step: Step, script: &Script) -> Vec<Vec<Cost>> {
    let before: Vec<&Script> = scripts
        .whole()
        .filter(|(other, _)| *other == Step::Expand && step == Step::Contract)
        .map(|(_, script)| script)
        .collect();
    let count = scripts.all.len().saturating_sub(scripts.later.len() + 1);
    let earlier = scripts.all.get(..count).unwrap_or_default();
    let known = Known {
        servers: scripts.lint.servers,
        before: &before,
        is_not_null: &|place, column| {
            later::newest(
                earlier,
                scripts.dialect,
                &[&place.table, column],
                |script| shows_not_null(script, place, column).then_some(()),
            )
            .is_some()
        },
        domain: &|name| {
            later::newest(earlier, scripts.dialect, &[name], |script| {
                checks_of_domain(script, name)
            })
        },
    };
    let mut costs = script.costs(&known);
    for (index, costs) in costs.iter_mut().enumerate() {
        let Some(statement) = script.statements.get(index) else {
            continue;
        };
        // A text that becomes longer is not written anew.
        if scripts.dialect == Dialect::Postgres
            && costs.iter().any(|cost| cost.work == Work::Rewrites)
            && is_widening(earlier, scripts.dialect, statement, Wider::OfItsKind)
        {
            costs.retain(|cost| cost.work != Work::Rewrites);
        }
    }
    costs
}

#[cfg(test)]
mod tests {
    use super::super::super::lint::LintConfig;
    use super::*;

    #[test]
    fn a_contract_costs_what_an_expand_does_and_knows_what_that_has_shown() {
        const SHOWN: &str = "-- migrate: no-transaction\nALTER TABLE t ADD CONSTRAINT c CHECK (a IS NOT NULL) NOT VALID; ALTER TABLE t VALIDATE CONSTRAINT c";
        const ADDED: &str = "ALTER TABLE t ADD CONSTRAINT c CHECK (a IS NOT NULL) NOT VALID";
        for (expand, contract, expected) in [
            (
                "SELECT 1",
                "CREATE UNIQUE INDEX i ON t (a)",
                &["locks-writes"][..],
            ),
            (
                "SELECT 1",
                "ALTER TABLE t ALTER a SET NOT NULL",
                &["scans-under-lock"],
            ),
            (SHOWN, "ALTER TABLE t ALTER a SET NOT NULL", &[]),
            // Added and not looked over: the contract does that, in a transaction of its own or not.
            (
                ADDED,
                "ALTER TABLE t ALTER a SET NOT NULL",
                &["scans-under-lock"],
            ),
            (
                ADDED,
                "ALTER TABLE t VALIDATE CONSTRAINT c; ALTER TABLE t ALTER a SET NOT NULL",
                &[],
            ),
            // What expand.sql has made is full by then.
            (
                "CREATE TABLE t (a int)",
                "CREATE INDEX i ON t (a)",
                &["locks-writes"],
            ),
            ("SELECT 1", "ALTER TABLE t DROP COLUMN a", &[]),
        ] {
            let parse = |text: &str| Script::parse(Dialect::Postgres, text).unwrap();
            let (expand_script, contract_script) = (parse(expand), parse(contract));
            let lint = LintConfig::default();
            let scripts = Scripts {
                expand: Some(&expand_script),
                contract: Some(&contract_script),
                ..Scripts::none(Dialect::Postgres, &lint)
            };
            let found = check(&scripts);
            let found: Vec<&str> = found.iter().map(|(_, finding)| finding.code).collect();
            assert_eq!(found, expected, "{expand}; {contract}");
        }
    }
}
