//! Statements that are right, and that keep others waiting on a large table. Each is a warning: how large the table is stands
//! in no file. What a statement costs is decided in `crates/sql`; here are the names of the rules.

use crate::model::Step;
use crate::sql::{
    Cost, Dialect, Known, Mode, Place, Script, Statement, TableIndex, Weight, Work, altered_table,
    behind_schema, checks_of_domain, shows_not_null,
};

use super::super::finding::{Finding, first_line};
use super::super::later::{self, Forward};
use super::swapped::Swap;
use super::widened::{Wider, is_widening};
use super::{Scripts, formats};

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
        is_key: &|place, column| {
            let table = later::table(earlier, scripts.dialect, &place.table);
            match table.filter(|table| table.is_certain) {
                Some(table) => table.is_unique(scripts.dialect, column),
                // Nearly everywhere it is.
                None => scripts.dialect.may_be_same_name(column, "id"),
            }
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
        if scripts.dialect == Dialect::Postgres {
            let around = Around {
                scripts,
                script,
                earlier,
                is_not_null: known.is_not_null,
            };
            costs.extend(around.attached(statement));
            costs.extend(around.held_up(step, index));
            if around.makes_not_null(statement) {
                for cost in costs.iter_mut().filter(|cost| cost.work == Work::Scans) {
                    cost.weight = Weight::Avoidable;
                }
            }
        }
    }
    costs
}

/// What earlier migrations tell of the tables that a statement is about.
struct Around<'a> {
    scripts: &'a Scripts<'a>,
    script: &'a Script,
    earlier: &'a [Forward],
    is_not_null: &'a dyn Fn(&Place, &str) -> bool,
}

impl Around<'_> {
    /// The default partition of a table to which a new one is attached: the rows of the new one are soon looked at, and those of
    /// the default one as well.
    fn attached(&self, statement: &Statement) -> Option<Cost> {
        let words = statement.words(Dialect::Postgres);
        let parent = altered(&words)?;
        let mut pairs = words.windows(2);
        let at = pairs.position(|pair| pair == ["attach", "partition"])?;
        let part = name_at(&words, at + 2)?;
        // Of one that was there the costs are told already.
        let is_new = formats::makes(self.script, part);
        let default = later::newest(self.earlier, Dialect::Postgres, &[parent], |script| {
            default_of(script, parent)
        });
        let default = default.filter(|default| is_new && default != part)?;
        let mut own = self.scripts.expand.into_iter().chain([self.script]);
        let shows = |script: &Script| {
            script.statements.iter().any(|one| {
                let words = one.words(Dialect::Postgres);
                words.contains(&default) && words.iter().any(|word| word == "check")
            })
        };
        if own.any(shows) {
            return None;
        }
        Some(Cost {
            work: Work::Scans,
            place: Some(Place {
                schema: None,
                table: default.clone(),
            }),
            says: format!(
                "this reads every row of `{default}`, the default partition of `{parent}`, which nobody reads or writes meanwhile"
            ),
            instead: format!(
                "add a CHECK to `{default}` first by which it has no rows within these bounds, `NOT VALID`, and `VALIDATE` it in another transaction"
            ),
            weight: Weight::Avoidable,
        })
    }

    /// The copy of a table that takes its place in one transaction: the step keeps writers out from before it, so that none writes to what
    /// goes.
    fn held_up(&self, step: Step, index: usize) -> Option<Cost> {
        let dialect = Dialect::Postgres;
        if self.script.mode != Mode::Transactional {
            return None;
        }
        let copied = self.script.statements.get(index)?.copied(dialect)?;
        let from = copied.from?;
        let mut later = self.script.statements.iter().enumerate().skip(index + 1);
        let takes_its_place = later.any(|(at, statement)| {
            statement.gone().any(|gone| {
                gone.column.is_none()
                    && dialect.may_be_same_name(&gone.table, &from)
                    && Swap::of(self.scripts, step, self.script, at, &gone)
                        .is_some_and(|swap| dialect.may_be_same_name(&swap.made_as, &copied.into))
            })
        });
        takes_its_place.then(|| Cost {
            work: Work::LocksWrites,
            says: format!(
                "nobody writes to `{from}` from this copy on until the script is done: the copy takes its place, and what would be written meanwhile                  would be lost"
            ),
            instead: format!(
                "on a large table make the new one in expand.sql, keep it in step by triggers and fill it in backfill.sql, so that the contract only                  drops `{from}` and renames"
            ),
            place: Some(Place {
                schema: None,
                table: from,
            }),
            weight: Weight::Avoidable,
        })
    }

    /// Whether an index becomes the primary key of a table, and one of its columns may be NULL, as the files tell: every row is read.
    fn makes_not_null(&self, statement: &Statement) -> bool {
        let words = statement.words(Dialect::Postgres);
        let has = |pair: [&str; 2]| words.windows(2).position(|found| found == pair);
        let index = has(["using", "index"]).filter(|_| has(["primary", "key"]).is_some());
        let index = index.and_then(|at| name_at(&words, at + 2));
        let Some((table, index)) = altered(&words).zip(index) else {
            return false;
        };
        let dialect = Dialect::Postgres;
        let mut tables = later::tables_with(self.earlier, dialect, table).unwrap_or_default();
        let own = self.script.statements.iter();
        let before = Script {
            dialect,
            mode: self.script.mode,
            statements: own
                .take_while(|one| !std::ptr::eq(*one, statement))
                .cloned()
                .collect(),
        };
        let is_other = |expand: &&Script| !std::ptr::eq(*expand, self.script);
        for own in self
            .scripts
            .expand
            .filter(is_other)
            .into_iter()
            .chain([&before])
        {
            tables.apply(own);
        }
        let Some(known) = tables.get(dialect, table) else {
            return false;
        };
        let is_it = |one: &&TableIndex| {
            let name = one.name.as_deref();
            name.is_some_and(|name| dialect.may_be_same_name(name, index))
        };
        let place = Place {
            schema: None,
            table: table.to_owned(),
        };
        known.indexes.iter().find(is_it).is_some_and(|index| {
            index.columns.iter().any(|name| {
                let column = known.column(dialect, name);
                let is_nullable = column.is_some_and(|column| column.is_nullable);
                let is_shown = || {
                    let mut own = self.scripts.expand.into_iter().chain([self.script]);
                    own.any(|script| shows_not_null(script, &place, name))
                };
                is_nullable && !(self.is_not_null)(&place, name) && !is_shown()
            })
        })
    }
}

/// The table of an `ALTER TABLE`.
fn altered(words: &[String]) -> Option<&str> {
    words.get(altered_table(words)?).map(String::as_str)
}

/// The name that stands here, behind its schema.
fn name_at(words: &[String], at: usize) -> Option<&str> {
    words.get(behind_schema(words, at)).map(String::as_str)
}

/// The default partition of this table, where the script makes one.
fn default_of(script: &Script, parent: &str) -> Option<String> {
    script.statements.iter().rev().find_map(|statement| {
        let words = statement.words(Dialect::Postgres);
        let is_default = words.iter().rev().find(|word| *word != ";")? == "default";
        let pair = |pair: [&str; 2]| words.windows(2).position(|found| found == pair);
        if !is_default {
            return None;
        }
        if let Some(of) = pair(["partition", "of"]) {
            let is_it = name_at(&words, of + 2) == Some(parent);
            return is_it
                .then(|| words.get(of.checked_sub(1)?).cloned())
                .flatten();
        }
        let at = pair(["attach", "partition"])?;
        let is_it = altered(&words) == Some(parent);
        is_it
            .then(|| name_at(&words, at + 2).map(str::to_owned))
            .flatten()
    })
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
