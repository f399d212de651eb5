//! One column in place of two, or two in place of one, with a blank between them.

use std::collections::BTreeMap;

use phasegate_sql::Dialect;

use super::{Asked, Unanswered, compared, varied};
use crate::names::quoted;
use crate::{Columns, Kind, NewColumn, Varied};

impl Asked<'_> {
    /// At the first blank: what is before it, what is after it or nothing, and the whole again.
    fn halves(&self, whole: &str, [first, second]: &[String; 2]) -> [Varied; 3] {
        let text = |dialect| quoted(dialect, whole);
        let head = self.each(|dialect| match dialect {
            Dialect::Postgres => format!("split_part({}, ' ', 1)", text(dialect)),
            Dialect::Mysql => format!("substring_index({}, ' ', 1)", text(dialect)),
            Dialect::Sqlite => {
                format!("substr({0}, 1, instr({0} || ' ', ' ') - 1)", text(dialect))
            }
        });
        let tail = self.each(|dialect| match dialect {
            Dialect::Postgres => format!("substr({0}, strpos({0} || ' ', ' ') + 1)", text(dialect)),
            Dialect::Mysql => {
                format!(
                    "substr({0}, instr(concat({0}, ' '), ' ') + 1)",
                    text(dialect)
                )
            }
            Dialect::Sqlite => format!("substr({0}, instr({0} || ' ', ' ') + 1)", text(dialect)),
        });
        let joined = self.each(|dialect| joined(dialect, first, second));
        [varied(head), varied(tail), varied(joined)]
    }

    pub(super) fn split(&self, old: &str, new: &[String; 2]) -> Result<Kind, Unanswered> {
        let kind = self.kind(old, compared)?;
        let [head, tail, joined] = self.halves(old, new);
        let [first, second] = new;
        let column = |name: &String| NewColumn {
            name: name.clone(),
            kind: kind.clone(),
            ..NewColumn::default()
        };
        Ok(Kind::Columns(Columns {
            key: self.key()?,
            old: vec![old.to_owned()],
            new: vec![column(first), column(second)],
            forward: BTreeMap::from([(first.clone(), head), (second.clone(), tail)]),
            back: BTreeMap::from([(old.to_owned(), joined)]),
            drop_indexes: self.over(&[old.to_owned()]),
            drop_constraints: self.constrained(&[old.to_owned()]),
            ..Columns::default()
        }))
    }

    /// With a blank between them.
    pub(super) fn merged(&self, old: &[String; 2], new: &str) -> Result<Kind, Unanswered> {
        let [first, second] = old;
        let kind = self.kind(first, compared)?;
        let [head, tail, joined] = self.halves(new, old);
        Ok(Kind::Columns(Columns {
            key: self.key()?,
            old: old.to_vec(),
            new: vec![NewColumn {
                name: new.to_owned(),
                kind: widest(&kind),
                ..NewColumn::default()
            }],
            forward: BTreeMap::from([(new.to_owned(), joined)]),
            back: BTreeMap::from([(first.clone(), head), (second.clone(), tail)]),
            drop_indexes: self.over(old),
            drop_constraints: self.constrained(old),
            ..Columns::default()
        }))
    }
}

/// Two texts with a blank between them, unless the second one is empty. Of two that are not there there is none: an empty one
/// would be another name, which the backfill would then take for theirs.
fn joined(dialect: Dialect, first: &str, second: &str) -> String {
    let (first, second) = (quoted(dialect, first), quoted(dialect, second));
    match dialect {
        Dialect::Postgres | Dialect::Mysql => {
            format!(
                "CASE WHEN {first} IS NOT NULL OR {second} IS NOT NULL THEN concat_ws(' ', {first}, nullif({second}, '')) END"
            )
        }
        Dialect::Sqlite => format!(
            "CASE WHEN {first} IS NULL THEN nullif({second}, '') ELSE {first} || coalesce(' ' || nullif({second}, ''), '') END"
        ),
    }
}

/// A type that holds two of these with a blank between them.
fn widest(kind: &Varied) -> Varied {
    let wide = |kind: &String| {
        let (name, rest) = kind.split_once('(').unwrap_or((kind, ""));
        let (length, more) = rest.split_once(')').unwrap_or((rest, ""));
        match length.trim().parse::<u64>().ok() {
            Some(length) => format!(
                "{name}({}){more}",
                length.saturating_mul(2).saturating_add(1)
            ),
            None => kind.clone(),
        }
    };
    Varied {
        common: kind.common.as_ref().map(wide),
        own: kind
            .own
            .iter()
            .map(|(dialect, kind)| (*dialect, wide(kind)))
            .collect(),
    }
}
