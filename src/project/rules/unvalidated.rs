//! A CHECK of a contract or a revert that stays NOT VALID: a row that breaks it stays as well, and from then on every UPDATE
//! of one fails, whatever it changes.

use crate::model::Step;
use crate::sql::{Dialect, Statement, Tables, altered_table};

use super::super::finding::{Finding, first_line};
use super::spoken::queries;
use super::{Scripts, formats};

pub(super) fn check(scripts: &Scripts<'_>) -> Vec<(Step, Finding)> {
    if scripts.dialect != Dialect::Postgres {
        return Vec::new();
    }
    let mut found = Vec::new();
    for (step, script) in scripts.whole() {
        if step == Step::Expand {
            continue;
        }
        for (index, statement) in script.statements.iter().enumerate() {
            let words = statement.words(scripts.dialect);
            let Some(left) = Left::of(scripts.dialect, statement, &words) else {
                continue;
            };
            let rest = script.statements.get(index..).unwrap_or_default();
            if formats::makes(script, &left.table)
                || rest
                    .iter()
                    .any(|one| left.is_validated_by(scripts.dialect, one))
                || step == Step::Contract && left.is_counted(scripts)
            {
                continue;
            }
            let Left {
                table,
                name,
                condition,
                ..
            } = &left;
            let called = name
                .as_ref()
                .map_or_else(String::new, |name| format!(" `{name}`"));
            let validate = match name {
                Some(name) => {
                    format!("write `ALTER TABLE {table} VALIDATE CONSTRAINT {name}` below it")
                }
                None => "give it a name, and `VALIDATE CONSTRAINT` it below".to_owned(),
            };
            let count = match step {
                Step::Contract => format!(
                    "; or let `require` under `[contract]` count them: \"SELECT count(*) FROM {table} WHERE NOT ({condition})\""
                ),
                _ => String::new(),
            };
            let finding = Finding::new(
                "takes-too-much",
                first_line(statement),
                format!(
                    "this leaves the CHECK{called} of `{table}` NOT VALID: rows that break it stay, and from then on every UPDATE of one by live \
                     versions fails, whatever it changes"
                ),
                format!(
                    "{validate}, which fails before anything is changed where there is such a row{count}"
                ),
            );
            found.push((step, finding.excusable(index)));
        }
    }
    found
}

struct Left {
    table: String,
    name: Option<String>,
    columns: Vec<String>,
    condition: String,
}

impl Left {
    /// `ALTER TABLE t ADD CONSTRAINT c CHECK (…) NOT VALID`. A foreign key is asked for what is written into its columns alone.
    fn of(dialect: Dialect, statement: &Statement, words: &[String]) -> Option<Self> {
        let has = |wanted: &[&str]| words.windows(wanted.len()).any(|found| found == wanted);
        if !has(&["not", "valid"]) {
            return None;
        }
        let table = words.get(altered_table(words)?)?.clone();
        // The constraint that NOT VALID is said of.
        let valid = words.windows(2).position(|pair| pair == ["not", "valid"])?;
        let begins = words.get(..valid)?.iter().rposition(|word| word == "add")?;
        let own = words.get(begins..valid)?;
        let is_check = own.iter().any(|word| word == "check");
        let is_not_null = own.windows(2).any(|pair| pair == ["not", "null"]);
        if own.iter().any(|word| word == "references") || !is_check && !is_not_null {
            return None;
        }
        let name = own.iter().position(|word| word == "constraint");
        let name = name.and_then(|at| own.get(at + 1)).cloned();
        let mut tables = Tables::default();
        tables.apply_statement(dialect, statement);
        let known = tables.get(dialect, &table);
        let known = known.and_then(|known| {
            known
                .constraints
                .iter()
                .find(|one| one.name == name || known.constraints.len() == 1)
        });
        Some(Self {
            table,
            name,
            columns: known.map_or_else(Vec::new, |known| known.columns.clone()),
            condition: known
                .and_then(|known| known.condition.clone())
                .unwrap_or_else(|| "…".to_owned()),
        })
    }

    fn is_validated_by(&self, dialect: Dialect, statement: &Statement) -> bool {
        let words = statement.words(dialect);
        let validated = words.windows(3).any(|found| match found {
            [verb, what, name] => {
                verb == "validate" && what == "constraint" && Some(name) == self.name.as_ref()
            }
            _ => false,
        });
        validated && words.contains(&self.table)
    }

    /// Whether a query that has to return 0 asks about these columns.
    fn is_counted(&self, scripts: &Scripts<'_>) -> bool {
        let dialect = scripts.dialect;
        queries(scripts).any(|query| {
            let asks = |name: &String| dialect.mentions(query, name);
            asks(&self.table) && !self.columns.is_empty() && self.columns.iter().all(asks)
        })
    }
}
