//! A column of texts that becomes longer: what type it has is in the files, if a migration before has made it. Nothing is
//! lost, and nothing is written anew.

use crate::sql::{Dialect, ObjectKind, Script, Statement, Verb};

use super::super::later::{self, Forward};
use super::retypes::type_from;

/// Whether the statement does no more than make a text of an earlier migration longer.
pub(in super::super) fn is_widening(
    before: &[Forward],
    dialect: Dialect,
    statement: &Statement,
) -> bool {
    let words = statement.words(dialect);
    let Some(changed) = Changed::of(dialect, &words) else {
        return false;
    };
    let Some(old) = later::newest(
        before,
        dialect,
        &[changed.table, changed.column],
        |script| definition(script, &changed),
    ) else {
        return false;
    };
    let (old_type, new_type) = (type_from(&old), type_from(changed.definition));
    let rest =
        |words: &[String], typ: &[String]| words.get(typ.len()..).unwrap_or_default().to_vec();
    let is_longer = matches!((length(dialect, &old_type), length(dialect, &new_type)), (Some(old), Some(new)) if old <= new);
    // MODIFY says everything else of the column once more.
    is_longer
        && (dialect != Dialect::Mysql
            || rest(&old, &old_type) == rest(changed.definition, &new_type))
}

struct Changed<'w> {
    table: &'w str,
    column: &'w str,
    definition: &'w [String],
}

impl<'w> Changed<'w> {
    /// `ALTER TABLE t ALTER c TYPE varchar(100)`, `ALTER TABLE t MODIFY c VARCHAR(100)`, and nothing beside.
    fn of(dialect: Dialect, words: &'w [String]) -> Option<Self> {
        let mut rest: Vec<usize> = (0..words.len()).collect();
        let at = |index: usize| words.get(index).map(String::as_str).unwrap_or_default();
        let mut eat = |wanted: &[&str]| {
            let found = wanted
                .iter()
                .enumerate()
                .all(|(offset, word)| rest.get(offset).is_some_and(|index| at(*index) == *word));
            if found {
                rest.drain(..wanted.len());
            }
            found
        };
        if !eat(&["alter", "table"]) {
            return None;
        }
        eat(&["if", "exists"]);
        eat(&["only"]);
        let mut table = *rest.first()?;
        rest.remove(0);
        if at(*rest.first()?) == "." {
            table = *rest.get(1)?;
            rest.drain(..2);
        }
        let mut next = |words: &[&str]| {
            let found = rest
                .first()
                .is_some_and(|index| words.contains(&at(*index)));
            if found {
                rest.remove(0);
            }
            found
        };
        let verb = match dialect {
            Dialect::Postgres => next(&["alter"]),
            Dialect::Mysql => next(&["modify"]),
            Dialect::Sqlite => false,
        };
        if !verb {
            return None;
        }
        next(&["column"]);
        let column = *rest.first()?;
        rest.remove(0);
        if dialect == Dialect::Postgres {
            let mut next = |word: &str| {
                let found = rest.first().is_some_and(|index| at(*index) == word);
                if found {
                    rest.remove(0);
                }
                found
            };
            next("set");
            next("data");
            if !next("type") {
                return None;
            }
        }
        let definition = words.get(*rest.first()?..)?;
        let is_plain = until(definition).len() == definition.len()
            && !definition
                .iter()
                .any(|word| matches!(word.as_str(), "using" | "collate" | ";"));
        is_plain.then_some(Self {
            table: at(table),
            column: at(column),
            definition,
        })
    }
}

/// Up to the comma or the parenthesis that ends it.
fn until(words: &[String]) -> &[String] {
    let mut depth = 0_usize;
    for (at, word) in words.iter().enumerate() {
        match word.as_str() {
            "(" => depth += 1,
            ")" if depth == 0 => return words.get(..at).unwrap_or_default(),
            ")" => depth -= 1,
            "," if depth == 0 => return words.get(..at).unwrap_or_default(),
            _ => {}
        }
    }
    words
}

/// What the last statement of the script about the column says of it; empty where that cannot be told.
fn definition(script: &Script, changed: &Changed<'_>) -> Option<Vec<String>> {
    let dialect = script.dialect;
    let is = |a: &str, b: &str| dialect.may_be_same_name(&a.to_lowercase(), b);
    script.statements.iter().rev().find_map(|statement| {
        let about = statement.objects().find_map(|object| {
            let of_table = object.table.as_deref().is_some_and(|table| is(table, changed.table));
            match (object.kind, object.verb) {
                (ObjectKind::Table, Verb::Create) if is(&object.name, changed.table) => Some(Verb::Create),
                (ObjectKind::Table, Verb::Rename) => object
                    .renamed_to
                    .as_deref()
                    .is_some_and(|name| is(name, changed.table))
                    .then_some(Verb::Rename),
                (ObjectKind::Column, Verb::Rename) if of_table => object
                    .renamed_to
                    .as_deref()
                    .is_some_and(|name| is(name, changed.column))
                    .then_some(Verb::Rename),
                (ObjectKind::Column, verb) if of_table && is(&object.name, changed.column) => Some(verb),
                _ => None,
            }
        })?;
        let words = statement.words(dialect);
        match about {
            Verb::Create => {
                let before = ["(", ",", "add", "column", "exists"];
                let at = words.windows(2).position(|pair| {
                    matches!(pair, [word, name] if before.contains(&word.as_str()) && name == changed.column)
                })?;
                Some(until(words.get(at + 2..)?).to_vec())
            }
            Verb::Alter => {
                let again = Changed::of(dialect, &words);
                Some(again.map_or_else(Vec::new, |again| again.definition.to_vec()))
            }
            Verb::Drop | Verb::Rename => Some(Vec::new()),
        }
    })
}

/// How long the texts may be that a type holds.
fn length(dialect: Dialect, typ: &[String]) -> Option<u64> {
    let typ: Vec<&str> = typ.iter().map(String::as_str).collect();
    match (dialect, typ.as_slice()) {
        (Dialect::Postgres, ["text"]) => Some(u64::MAX),
        (Dialect::Postgres, ["varchar"] | ["character", "varying"]) => Some(u64::MAX),
        (_, ["varchar", "(", length, ")"] | ["character", "varying", "(", length, ")"]) => {
            length.parse().ok()
        }
        _ => None,
    }
}
