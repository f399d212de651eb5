//! A column of texts that becomes longer: what type it has is in the files, if a migration before has made it. Nothing is
//! lost, and nothing is written anew.

use crate::sql::{ConstraintRule, Dialect, ObjectKind, Script, Statement, Verb};

use super::super::later::{self, Forward};
use super::types::{loosens, type_from};

/// By how much a type may become wider.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in super::super) enum Wider {
    /// Whoever reads it reads what it did: a longer text, one more value at the end of a list.
    OfItsKind,
    /// Another type that holds every value of the old one as it is: a larger whole number, more digits.
    AnotherType,
}

/// Whether the statement does no more than make a column of an earlier migration wider.
pub(in super::super) fn is_widening(
    before: &[Forward],
    dialect: Dialect,
    statement: &Statement,
    wider: Wider,
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
    let is_wider = is_longer
        || lists_more(dialect, &old_type, &new_type)
        || dialect == Dialect::Postgres && has_more_digits(&old_type, &new_type)
        || wider == Wider::AnotherType
            && (loosens(&old_type, &new_type) || has_more_digits(&old_type, &new_type));
    // MODIFY says everything else of the column once more, and how it is carried out.
    let said = until(changed.definition);
    is_wider && (dialect != Dialect::Mysql || rest(&old, &old_type) == rest(said, &new_type))
}

/// Whether the statement does no more than drop a CHECK of an earlier migration: as with NOT NULL nothing is written otherwise
/// until a version that knows of it does, and no ON CONFLICT goes by one.
pub(in super::super) fn lifts_a_check(
    before: &[Forward],
    dialect: Dialect,
    statement: &Statement,
) -> bool {
    let mut words = statement.words(dialect);
    // A comma joins another action; an allowance is for what CASCADE takes along.
    words.retain(|word| word != ";");
    let drops = |verb: &str| {
        words
            .windows(2)
            .any(|pair| matches!(pair, [a, b] if a == "drop" && b == verb))
    };
    if words.iter().any(|word| word == "," || word == "cascade")
        || !words.iter().take(2).eq(["alter", "table"])
        || !(drops("constraint") || dialect == Dialect::Mysql && drops("check"))
    {
        return false;
    }
    let mut dropped = statement
        .objects()
        .filter(|object| object.kind == ObjectKind::Constraint && object.verb == Verb::Drop);
    let (Some(dropped), None) = (dropped.next(), dropped.next()) else {
        return false;
    };
    let Some(table) = dropped.table.as_deref() else {
        return false;
    };
    let Some(known) = later::table(before, dialect, table) else {
        return false;
    };
    known.constraints.iter().any(|one| {
        let name = one.name.as_deref();
        one.rule == ConstraintRule::Check
            && name.is_some_and(|name| dialect.may_be_same_name(name, &dropped.name))
    })
}

/// `enum('a', 'b')` with more behind these.
fn lists_more(dialect: Dialect, old: &[String], new: &[String]) -> bool {
    let values = |typ: &[String]| -> Option<Vec<String>> {
        let [word, open, values @ .., close] = typ else {
            return None;
        };
        let is_list = dialect == Dialect::Mysql
            && word == "enum"
            && (open.as_str(), close.as_str()) == ("(", ")");
        is_list.then(|| values.to_vec())
    };
    matches!((values(old), values(new)), (Some(old), Some(new)) if new.starts_with(&old))
}

/// `numeric(5, 2)` and `numeric(10, 2)`.
fn has_more_digits(old: &[String], new: &[String]) -> bool {
    let digits = |typ: &[String]| -> Option<(u32, u32)> {
        let typ: Vec<&str> = typ.iter().map(String::as_str).collect();
        let (precision, scale) = match typ.as_slice() {
            ["numeric" | "decimal", "(", precision, ")"] => (precision, &"0"),
            ["numeric" | "decimal", "(", precision, ",", scale, ")"] => (precision, scale),
            _ => return None,
        };
        Some((precision.parse().ok()?, scale.parse().ok()?))
    };
    matches!((digits(old), digits(new)), (Some((old, was)), Some((new, is))) if old <= new && was == is)
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
        let is_alone = match until(definition) {
            own if own.len() == definition.len() => true,
            own => is_how(definition.get(own.len()..).unwrap_or_default()),
        };
        let is_plain = is_alone
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

/// Whether all of it is how MySQL is to carry the change out: `, ALGORITHM = INPLACE, LOCK = NONE`.
fn is_how(words: &[String]) -> bool {
    words.split(|word| word == ",").skip(1).all(|one| {
        let one: Vec<&str> = one.iter().map(String::as_str).collect();
        matches!(
            one.as_slice(),
            ["algorithm" | "lock", "=", _] | ["algorithm" | "lock", _]
        )
    })
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
