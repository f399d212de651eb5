//! Code of a trigger of SQLite that fails for some of the rows that live versions write: a text that is read as JSON and is none, a STRICT table
//! that takes no text, a box whose lower side is above its upper one.

use crate::model::Step;
use crate::sql::{Deed, Dependent, Dependents, Dialect, Insert, Outcome, Script, Table, Value};

use super::super::finding::Finding;
use super::super::later;
use super::moments::is_checked_json;
use super::triggers::{fired, known_deeds, short};
use super::{Scripts, formats};

pub(super) fn check(scripts: &Scripts<'_>) -> Vec<(Step, Finding)> {
    let dialect = scripts.dialect;
    let is_declared = scripts.is_declared();
    if dialect != Dialect::Sqlite || is_declared {
        return Vec::new();
    }
    let mut found = Vec::new();
    for fired in fired(scripts) {
        let Some(known) = scripts.table(fired.step, &fired.parent) else {
            continue;
        };
        let look = Look {
            scripts,
            step: fired.step,
            script: fired.script,
            code: &fired.code,
            parent: &fired.parent,
            known: &known,
        };
        found.extend(look.wrong().map(|wrong| fired.unsurvived(wrong)));
    }
    found
}

type Wrong = (String, String);

struct Look<'l> {
    scripts: &'l Scripts<'l>,
    step: Step,
    script: &'l Script,
    code: &'l Dependent,
    /// The table whose rows fire it, and what is known of that.
    parent: &'l str,
    known: &'l Table,
}

impl Look<'_> {
    fn dialect(&self) -> Dialect {
        self.scripts.dialect
    }

    fn wrong(&self) -> Option<Wrong> {
        let text = format!("{} {}", self.code.header, self.code.body);
        self.reads_json(&text).or_else(|| {
            let mut known = Dependents::made_by(self.script);
            let deeds = known_deeds(self.scripts.before(), &mut known, self.code);
            deeds.iter().find_map(|deed| match deed {
                Deed::Inserts(insert) => self.puts(insert),
                Deed::Updates {
                    place,
                    column,
                    value,
                } => self.misfit(&place.table, column, value),
                _ => None,
            })
        })
    }

    /// Whether it reads a text of the row as JSON, without asking first whether it is.
    fn reads_json(&self, text: &str) -> Option<Wrong> {
        let asks = ["json_valid", "json_error_position"];
        let lower = text.to_lowercase();
        if asks.iter().any(|word| lower.contains(word)) {
            return None;
        }
        let mut read = self.dialect().json_of_row(text).into_iter();
        let column = read.find(|name| {
            let column = self.known.column(self.dialect(), name);
            column.is_some_and(|column| {
                takes_texts(&column.kind) && !is_checked_json(self.dialect(), self.known, name)
            })
        })?;
        Some((
            format!(
                "reads the text `{column}` of `{}` as JSON: a write whose text is none fails",
                self.parent
            ),
            format!(
                "let it look first: `CASE WHEN json_valid(NEW.{column}) THEN … END`, or `WHEN json_valid(NEW.{column})` before BEGIN"
            ),
        ))
    }

    fn puts(&self, insert: &Insert) -> Option<Wrong> {
        if let Some(words) = self
            .made(&insert.place.table)
            .filter(|words| is_of(words, &["rtree", "rtree_i32"]))
        {
            return self.boxed(insert, &words);
        }
        let columns = match &insert.columns {
            Some(columns) => columns.clone(),
            None => {
                let table = self.scripts.table(self.step, &insert.place.table)?;
                table
                    .columns
                    .into_iter()
                    .map(|column| column.name)
                    .collect()
            }
        };
        let mut rows = insert.rows.iter();
        rows.find_map(|row| {
            let mut given = columns.iter().zip(row);
            given.find_map(|(column, value)| self.misfit(&insert.place.table, column, value))
        })
    }

    /// A text of the row, where a STRICT table takes none.
    fn misfit(&self, table: &str, column: &str, value: &Value) -> Option<Wrong> {
        let dialect = self.dialect();
        let words = self.made(table)?;
        let end = words.iter().rposition(|word| word == ")")?;
        if !words.iter().skip(end + 1).any(|word| word == "strict") {
            return None;
        }
        let to = self.scripts.table(self.step, table)?;
        let to = to.column(dialect, column)?;
        let kind = to.kind.trim().to_lowercase();
        let is_of_row = value.text.trim().to_lowercase().starts_with("new");
        let name = value
            .outcomes(dialect)
            .into_iter()
            .find_map(|one| match one {
                Outcome::Column(name) if is_of_row => Some(name),
                _ => None,
            })?;
        let from = self.known.column(dialect, &name)?;
        (matches!(kind.as_str(), "int" | "integer" | "real" | "blob") && takes_texts(&from.kind)).then(|| {
            (
                format!(
                    "puts the text `{name}` of `{}` into `{column}` of `{table}`, which is STRICT and takes `{}` alone: a write of any other text fails",
                    self.parent, to.kind
                ),
                format!("write `CAST(NEW.{name} AS {})`, which never fails, or give the column the type TEXT or ANY", to.kind),
            )
        })
    }

    /// Each pair of sides, of which the first must not be above the second.
    fn boxed(&self, insert: &Insert, words: &[String]) -> Option<Wrong> {
        let made: Vec<&str> = {
            let open = words.iter().position(|word| word == "(")?;
            let names = words.get(open + 1..)?.iter().map(String::as_str);
            names.filter(|word| !matches!(*word, "," | ")")).collect()
        };
        let named: Vec<&str> = match &insert.columns {
            Some(columns) => columns.iter().map(String::as_str).collect(),
            None => made.clone(),
        };
        let sides = made.get(1..)?.chunks_exact(2);
        let sides: Vec<(&str, &str)> = sides
            .filter_map(|pair| Some((*pair.first()?, *pair.last()?)))
            .collect();
        insert.rows.iter().find_map(|row| {
            let value = |name: &str| {
                let at = named.iter().position(|one| one.eq_ignore_ascii_case(name))?;
                Some(row.get(at)?.text.trim().to_lowercase())
            };
            sides.iter().find_map(|(low, high)| {
                let (a, b) = (value(low)?, value(high)?);
                let number = |text: &str| text.parse::<f64>().ok();
                let is_number = number(&a).zip(number(&b)).is_some_and(|(a, b)| a <= b);
                let compares = |text: &str| text.contains("min") && text.contains('(') || text.contains("max") && text.contains('(');
                let is_asked = self.known.constraints.iter().any(|one| {
                    let condition = one.condition.as_deref().unwrap_or_default().to_lowercase();
                    let names = |text: &str| condition.contains(text.rsplit('.').next().unwrap_or(text));
                    names(&a) && names(&b)
                });
                let is_fine = a == b || is_number || compares(&a) || compares(&b) || is_asked;
                (!is_fine).then(|| {
                    (
                        format!(
                            "puts `{}` and `{}` into `{low}` and `{high}` of the rtree `{}`: a write for which the first is above the second fails",
                            short(&a), short(&b), insert.place.table
                        ),
                        format!("write `min({a}, {b})` and `max({a}, {b})`"),
                    )
                })
            })
        })
    }

    /// The words by which a table is made, by this migration or an earlier one.
    fn made(&self, table: &str) -> Option<Vec<String>> {
        let dialect = self.dialect();
        let of = |script: &Script| {
            let mut statements = script.statements.iter();
            let made = statements.find(|one| formats::creates(dialect, one, table));
            made.map(|one| one.words(dialect))
        };
        let own = self.scripts.expand.into_iter().chain([self.script]);
        own.filter_map(of)
            .next()
            .or_else(|| later::newest(self.scripts.before(), dialect, &[table], of))
    }
}

fn is_of(words: &[String], modules: &[&str]) -> bool {
    let using = words.iter().position(|word| word == "using");
    let module = using.and_then(|at| words.get(at + 1));
    module.is_some_and(|word| modules.contains(&word.as_str()))
}

/// Whether a column of this type is there for texts, or for anything.
fn takes_texts(kind: &str) -> bool {
    let kind = kind.to_lowercase();
    kind.trim().is_empty()
        || ["char", "text", "clob", "string"]
            .iter()
            .any(|word| kind.contains(word))
}
