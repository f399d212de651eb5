//! What a table that is built anew says otherwise than the old one did, of columns that no format of the migration is about: a default, a
//! collation, what keeps rows apart, a condition. Nothing carries it over but the script.

use crate::model::Step;
use crate::sql::{ConstraintRule, Dialect, Source, TableColumn, TableConstraint, TableIndex};

use super::super::narrows;
use super::{Rebuild, Wrong};

const AS_IT_WAS: &str = "say it in the CREATE TABLE as it was";

impl Rebuild<'_> {
    /// The first of its columns, keys and constraints that is another one.
    pub(super) fn otherwise(&self) -> Option<Wrong> {
        let why = self
            .columns()
            .or_else(|| self.keys())
            .or_else(|| self.conditions())
            .or_else(|| self.foreign_keys())?;
        Some(Wrong {
            in_expand: "destructive-expand",
            at: self.at,
            why,
            help: AS_IT_WAS.to_owned(),
        })
    }

    /// Whether the migration is about the column. One that says of no format what it consists of is about the columns that it leaves
    /// out, if there are such.
    fn is_about(&self, column: &str) -> bool {
        let is_about_what_goes = narrows::is_formless(self.scripts, self.step)
            && self
                .old
                .columns
                .iter()
                .any(|old| self.new.column(self.dialect(), &old.name).is_none());
        !is_about_what_goes && self.is_own(column)
    }

    /// The columns that are in both, as they were and as they are.
    fn both(&self) -> impl Iterator<Item = (&TableColumn, &TableColumn)> {
        let pairs = self.new.columns.iter().filter_map(|new| {
            let old = self.old.column(self.dialect(), &new.name)?;
            Some((old, new))
        });
        pairs.filter(|(old, _)| !self.is_about(&old.name) && !self.is_another(&old.name))
    }

    /// Whether another column's values come to stand under its name.
    fn is_another(&self, name: &str) -> bool {
        let Some((_, fills)) = &self.fills else {
            return false;
        };
        let Some(columns) = &fills.columns else {
            return false;
        };
        let mut pairs = columns.iter().zip(&fills.from);
        pairs.any(|(column, from)| {
            self.same(column, name)
                && matches!(from, Source::Column(from) if !self.same(from, name))
        })
    }

    fn columns(&self) -> Option<String> {
        // As by statements of their own: an expand may lift NOT NULL, and say another default.
        let may_ease = self.step == Step::Expand;
        self.both().find_map(|(old, new)| {
            let name = &new.name;
            let is_key = self.new.primary_key.iter().any(|key| self.same(key, name));
            if old.is_made && !new.is_made && !is_key {
                return Some(format!(
                    "has an ordinary column `{name}` in place of one that the database fills: it stays empty"
                ));
            }
            if old.is_made && !new.is_made && self.dialect() == Dialect::Sqlite {
                return Some(format!(
                    "has its key `{name}` without AUTOINCREMENT: numbers of rows that were deleted are given out again"
                ));
            }
            match (&old.default, &new.default) {
                (Some(old), None) if !is_null(old) => {
                    return Some(format!(
                        "has its column `{name}` without the default {old}: INSERTs that leave it out write NULL"
                    ));
                }
                (Some(old), Some(new)) if !may_ease && !self.dialect().is_same_expression(old, new) => {
                    return Some(format!(
                        "has its column `{name}` with the default {new} in place of {old}"
                    ));
                }
                _ => {}
            }
            if !old.is_nullable && new.is_nullable && !is_key && !may_ease {
                return Some(format!(
                    "lets its column `{name}` be NULL, which it could not be: versions that read it count on that"
                ));
            }
            let (was, is) = (compared_by(old), compared_by(new));
            (was != is).then(|| match (was, is) {
                (Some(was), _) => format!(
                    "has its column `{name}` without {was}: texts are compared and sorted in another way"
                ),
                (None, is) => format!(
                    "has its column `{name}` with {}: texts are compared and sorted in another way",
                    is.unwrap_or_default()
                ),
            })
        })
    }

    /// What keeps rows apart and does so no longer.
    fn keys(&self) -> Option<String> {
        let unique = |index: &&TableIndex| index.is_unique;
        let primary = std::iter::once((&self.old.primary_key, true));
        let indexes = self
            .old
            .indexes
            .iter()
            .filter(unique)
            .filter(|one| one.is_plain);
        let mut was = primary.chain(indexes.map(|index| (&index.columns, false)));
        let is_missing = |columns: &[String]| {
            let is_same = |other: &[String]| {
                other.len() == columns.len()
                    && columns
                        .iter()
                        .all(|one| other.iter().any(|other| self.same(one, other)))
            };
            !columns.is_empty()
                && self.stay(columns)
                && !is_same(&self.new.primary_key)
                && !self
                    .new
                    .indexes
                    .iter()
                    .filter(unique)
                    .any(|index| is_same(&index.columns))
        };
        let (columns, is_primary) = was.find(|(columns, _)| is_missing(columns))?;
        let columns = columns.join(", ");
        Some(match is_primary {
            true => format!("has not the primary key ({columns})"),
            false => format!(
                "has nothing that keeps ({columns}) unique: rows are let in that live versions were refused"
            ),
        })
    }

    /// A condition that was not there, on rows that live versions write.
    fn conditions(&self) -> Option<String> {
        let checks = |all: &'_ [TableConstraint]| -> Vec<TableConstraint> {
            let checks = all.iter().filter(|one| one.rule == ConstraintRule::Check);
            checks.cloned().collect()
        };
        let (was, is) = (checks(&self.old.constraints), checks(&self.new.constraints));
        let condition = |one: &TableConstraint| one.condition.clone();
        let mut new = is.iter().filter_map(|one| Some((one, condition(one)?)));
        let (_, found) = new.find(|(one, is)| {
            // An old one of which is not known what it says may be this one.
            let known = was.iter().all(|one| {
                condition(one).is_some_and(|was| !self.dialect().is_same_expression(&was, is))
            });
            known && self.stay(&one.columns)
        })?;
        Some(format!(
            "has the condition CHECK ({}), which it had not: what live versions write may fail",
            found
        ))
    }

    fn foreign_keys(&self) -> Option<String> {
        let keys = |all: &'_ [TableConstraint]| -> Vec<TableConstraint> {
            let keys = all
                .iter()
                .filter(|one| one.rule == ConstraintRule::ForeignKey);
            keys.cloned().collect()
        };
        let is = keys(&self.new.constraints);
        keys(&self.old.constraints).iter().find_map(|was| {
            if !self.stay(&was.columns) {
                return None;
            }
            let columns = was.columns.join(", ");
            let same = is.iter().find(|one| {
                one.columns.len() == was.columns.len()
                    && one
                        .columns
                        .iter()
                        .all(|one| was.is_over(self.dialect(), one))
            });
            match same {
                None => Some(format!("has not the foreign key of ({columns})")),
                Some(one) if one.action != was.action => Some(format!(
                    "has the foreign key of ({columns}) with another ON DELETE or ON UPDATE: rows that go by themselves stay, or the other way round"
                )),
                Some(_) => None,
            }
        })
    }

    /// Whether these are columns of both tables, and the migration is about none of them.
    fn stay(&self, columns: &[String]) -> bool {
        columns.iter().all(|column| {
            let mut both = self.both();
            both.any(|(old, _)| self.same(&old.name, column))
        })
    }
}

fn is_null(default: &str) -> bool {
    default.trim().eq_ignore_ascii_case("null")
}

/// By what its values are compared, however large that is written.
fn compared_by(column: &TableColumn) -> Option<String> {
    column.compared_by().map(|by| by.to_uppercase())
}
