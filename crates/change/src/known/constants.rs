//! Constants that a change puts into rows of live versions: a default, what stands in place of NULL, a placeholder.

use phasegate_sql::{ConstraintRule, Dialect};

use super::typed::misfit;
use super::{Against, Objection, Weight};
use crate::{Varied, Wrong};

/// A constant as the declaration says it.
pub(super) struct Constant<'c> {
    pub column: &'c str,
    /// As a key of `[change]`: `fill`.
    pub key: &'static str,
    pub value: &'c Varied,
}

impl Against<'_> {
    /// Whether every row that gets it can have it: those of versions that know nothing of it are refused otherwise.
    pub(super) fn can_stand(&mut self, constant: &Constant<'_>) {
        let Constant { column, key, value } = *constant;
        let Some(value) = value.of(self.dialect).map(str::trim) else {
            return;
        };
        if value.eq_ignore_ascii_case("null") {
            return;
        }
        if is_literal(value) {
            self.stands_once(column, key, value);
            self.fits(column, key, value);
        }
        self.is_let_in(column, key, value);
    }

    fn stands_once(&mut self, column: &str, key: &str, value: &str) {
        let dialect = self.dialect;
        let is_of_it =
            |names: &[String]| matches!(names, [only] if dialect.may_be_same_name(only, column));
        let is_unique = is_of_it(&self.table.primary_key)
            || self
                .table
                .indexes
                .iter()
                .any(|index| index.is_unique && index.is_plain && is_of_it(&index.columns));
        if is_unique {
            self.error(
                format!(
                    "`{column}` is unique, and `{key}` puts {value} into more than one row: the second INSERT of a live version would be refused"
                ),
                format!("say a `{key}` that differs from row to row, or drop the unique index first, in a migration of its own"),
            );
            return;
        }
        let mut over = self.table.indexes_over(dialect, column);
        let other = over.find(|index| index.is_unique && !is_of_it(&index.columns));
        if let Some(other) = other {
            let name = other
                .name
                .clone()
                .unwrap_or_else(|| other.columns.join(", "));
            self.may_be_refused(
                format!("the unique index `{name}` has `{column}`, and `{key}` puts {value} into more than one row: where the rest of it is the same, an INSERT of a live version is refused"),
                "see that no two rows differ by this column alone; `migrate rehearse` tries some".to_owned(),
            );
        }
    }

    fn fits(&mut self, column: &str, key: &str, value: &str) {
        let Some(there) = self.table.column(self.dialect, column) else {
            return;
        };
        if let Some(why) = misfit(self.dialect, there, value) {
            let kind = there.kind.clone();
            self.error(
                format!("`{key}` puts {value} into `{column}`, which is {kind} and {why}"),
                match there.members(self.dialect) {
                    Some(_) => format!("say a `{key}` that it lists, or let it list one more first (`--add-value`), and apply that"),
                    None => format!("say a `{key}` that it holds"),
                },
            );
            return;
        }
        // SQLite takes a text of any length.
        let (Some(most), Some(length)) = (length_of(&there.kind), characters(value)) else {
            return;
        };
        if self.dialect != Dialect::Sqlite && length > most {
            let kind = there.kind.clone();
            self.error(
                format!("`{key}` puts {value} into `{column}`, which is {kind}: an INSERT of a live version would be refused"),
                format!("say a `{key}` of no more than {most} characters"),
            );
        }
    }

    fn is_let_in(&mut self, column: &str, key: &str, value: &str) {
        let dialect = self.dialect;
        let all = self.table.constraints.iter();
        let over: Vec<_> = all
            .filter(|one| one.is_over(dialect, column))
            .cloned()
            .collect();
        for constraint in over {
            let name = constraint
                .name
                .as_ref()
                .map_or_else(String::new, |name| format!(" `{name}`"));
            match (constraint.rule, &constraint.lists) {
                (ConstraintRule::Check, Some(list)) if is_literal(value) => {
                    let text = value.trim_matches('\'');
                    if !list.iter().any(|listed| listed.trim_matches('\'') == text) {
                        self.error(
                            format!("the CHECK{name} does not list {value}, which `{key}` puts into `{column}`: an INSERT of a live version would be refused"),
                            format!("say a `{key}` that it lists, or let it list one more first (`kind = \"values\"`)"),
                        );
                    }
                }
                (ConstraintRule::Check, _) => self.may_be_refused(
                    format!("the CHECK{name} has to let in {value}, which `{key}` puts into `{column}`: an INSERT of a live version is refused otherwise"),
                    "try it with the database's own client; `migrate rehearse` does".to_owned(),
                ),
                (ConstraintRule::ForeignKey, _) => self.may_be_refused(
                    format!("the foreign key{name} wants a row for {value}, which `{key}` puts into `{column}`: without it an INSERT of a live version is refused"),
                    "see that this row is there, and stays".to_owned(),
                ),
            }
        }
    }

    pub(super) fn may_be_refused(&mut self, message: String, help: String) {
        self.found.push(Objection {
            weight: Weight::MayBeRefused,
            wrong: Wrong::new(message, help),
        });
    }
}

/// Whether it is the same in every row for certain.
#[must_use]
pub fn is_literal(value: &str) -> bool {
    let is_text = value
        .strip_prefix('\'')
        .and_then(|rest| rest.strip_suffix('\''));
    let is_text = is_text.is_some_and(|text| !text.replace("''", "").contains('\''));
    is_text || value.parse::<f64>().is_ok()
}

/// Of a text, without its quotes; `None` for a number.
fn characters(value: &str) -> Option<usize> {
    let text = value.strip_prefix('\'')?.strip_suffix('\'')?;
    // A backslash may stand for itself or for more.
    (!text.contains('\\')).then(|| text.replace("''", "'").chars().count())
}

/// How many characters a type holds, where it says so.
fn length_of(kind: &str) -> Option<usize> {
    let kind = kind.to_ascii_lowercase();
    let (name, rest) = kind.split_once('(')?;
    let is_text = matches!(
        name.trim(),
        "varchar" | "char" | "character" | "character varying" | "nvarchar" | "nchar"
    );
    let (length, _) = rest.split_once(')')?;
    is_text.then(|| length.trim().parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constants_and_lengths_are_read() {
        for (value, literal, length) in [
            ("'-'", true, Some(1)),
            ("'it''s'", true, Some(4)),
            ("''", true, Some(0)),
            ("-1.5", true, None),
            ("'a' || id || 'b'", false, None),
            ("gen_random_uuid()", false, None),
            ("'\\n'", true, None),
        ] {
            assert_eq!(is_literal(value), literal, "{value}");
            if literal {
                assert_eq!(characters(value), length, "{value}");
            }
        }
        for (kind, length) in [
            ("varchar(200)", Some(200)),
            ("character varying (2)", Some(2)),
            ("CHAR(3)", Some(3)),
            ("text", None),
            ("numeric(10, 2)", None),
        ] {
            assert_eq!(length_of(kind), length, "{kind}");
        }
    }
}
