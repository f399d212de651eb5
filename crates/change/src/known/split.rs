//! Columns that move to a table of their own, against what they are in theirs.

use phasegate_sql::{ConstraintRule, Dialect, TableColumn, TableConstraint};

use super::{Against, Objection, Weight};
use crate::definition::{given_out, is_same_text, is_text, says_comparison};
use crate::{NewColumn, SplitTable, Wrong};

const BY_HAND: &str = "change that in a migration before this one, or leave the column where it is";

impl Against<'_> {
    pub(super) fn split_table(&mut self, change: &SplitTable) {
        let names: Vec<String> = change.moved().map(|new| new.name.clone()).collect();
        self.are_there(&names);
        self.is_key(&change.key);
        for (key, link) in change.key.iter().zip(&change.link) {
            let new = change.new.iter().find(|new| new.name == *link);
            if let Some(new) = new {
                self.is_of_type(key, new);
            }
        }
        for name in &change.drop_indexes {
            self.has_index(name);
        }
        let leaving: Vec<&String> = change.drop_indexes.iter().collect();
        for new in change.moved() {
            self.is_free_of_keys(&new.name);
            self.can_be_left_out(&new.name);
            self.is_of_type(&new.name, new);
            for index in self.left_behind(&new.name, &leaving) {
                let own = index.called(self.dialect, self.name).unwrap_or_default();
                let message = format!(
                    "the index `{own}` is over `{}`, which moves: it does not go to `{}` with it",
                    new.name, change.to
                );
                let help = format!(
                    "write `drop_indexes = [\"{own}\"]` under `[change]`; what `{}` needs is a migration of the kind `index` or `unique` after this one",
                    change.to
                );
                match self.dialect {
                    Dialect::Sqlite => self.error(message, help),
                    Dialect::Postgres | Dialect::Mysql => self.doubt(message, help),
                }
            }
        }
        let is_over =
            |one: &&TableConstraint| names.iter().any(|name| one.is_over(self.dialect, name));
        let over = self.table.constraints.iter().filter(is_over);
        for one in over.cloned().collect::<Vec<_>>() {
            self.constraint_of_moved(change, &one);
        }
    }

    /// A version that uses the new table leaves the column out, and nothing may stand there then.
    fn can_be_left_out(&mut self, name: &str) {
        let Some(column) = self.table.column(self.dialect, name) else {
            return;
        };
        let is_made = |column: &TableColumn| {
            let mut more = column.more.iter();
            column.is_made || more.any(|more| more.to_ascii_lowercase().contains("on update"))
        };
        let default = column.default.as_ref();
        let default = default.filter(|default| !default.eq_ignore_ascii_case("null"));
        let what = if is_made(column) {
            "is computed by the database".to_owned()
        } else if let Some(default) = default {
            format!("has the default {default}")
        } else if !column.is_nullable {
            "is NOT NULL".to_owned()
        } else {
            return;
        };
        self.error(
            format!(
                "`{name}` of `{}` {what}: a version that writes it in the new table leaves it out there, where it has to be NULL then",
                self.name
            ),
            BY_HAND.to_owned(),
        );
    }

    /// A table that MySQL makes gets the character set and collation of its database where nothing is said, and not those of
    /// another table: values would not fit, and a join of both would be refused.
    fn is_compared_alike(&mut self, column: &TableColumn, new: &NewColumn, kind: &str) {
        if self.dialect != Dialect::Mysql || !is_text(kind) {
            return;
        }
        let Some(by) = column
            .compared_by()
            .or_else(|| self.table.compared_by.clone())
        else {
            return;
        };
        let bare = without_comparison(kind);
        let said = kind.get(bare.len()..).unwrap_or_default();
        if says_comparison(kind) && is_part_of_the_other(said, &by) {
            return;
        }
        self.error(
            format!(
                "`{}` of `{}` is {by}, and the new table would have what the database makes of `{kind}`",
                column.name, self.name
            ),
            format!(
                "say `{bare} {by}` of it: `{0} = \"…\"` under `new`, or where other databases have another type `[change.new.{0}.type]` with `mysql = \"…\"`",
                new.name
            ),
        );
    }

    /// What one table holds, the other one has to hold as it is.
    fn is_of_type(&mut self, name: &str, new: &NewColumn) {
        let (Some(column), Some(kind)) = (
            self.table.column(self.dialect, name),
            new.kind.of(self.dialect),
        ) else {
            return;
        };
        let more = column.more.iter().map(String::as_str);
        let more = more.filter(|more| {
            let more = more.to_ascii_lowercase();
            ["collate", "character set", "charset"]
                .iter()
                .any(|word| more.contains(word))
        });
        let all: Vec<&str> = std::iter::once(column.kind.as_str()).chain(more).collect();
        let is = [column.kind.clone(), all.join(" ")];
        let is_same = |is: &String| match self.dialect {
            Dialect::Sqlite => Affinity::of(is) == Affinity::of(kind),
            Dialect::Postgres => is_same_text(given_out(is), kind),
            Dialect::Mysql => is_same_text(is, without_comparison(kind)),
        };
        if column.kind.is_empty() || is.iter().any(is_same) {
            self.is_compared_alike(column, new, kind);
            return;
        }
        self.error(
            format!(
                "`new` says `{kind}` of `{}`, and `{name}` of `{}` is `{}` on {}",
                new.name,
                self.name,
                column.kind,
                self.dialect.title()
            ),
            format!(
                "write `{} = \"{}\"`: what one table holds the other one has to hold as it is",
                new.name, column.kind
            ),
        );
    }

    fn constraint_of_moved(&mut self, change: &SplitTable, one: &TableConstraint) {
        let name = one.name.as_deref();
        let what = match one.rule {
            ConstraintRule::ForeignKey => "the foreign key",
            ConstraintRule::Check => "the CHECK",
        };
        let told = name.map_or_else(
            || format!("{what} over {}", one.columns.join(", ")),
            |name| format!("{what} `{name}`"),
        );
        if one.rule == ConstraintRule::ForeignKey {
            // What it does to the column fires no trigger on MySQL, and leads elsewhere from the new table.
            self.error(
                format!("{told} is of a column that moves, and does not go to `{}` with it", change.to),
                "drop it in a migration before this one; one of the kind `foreign-key` after this one adds it to the new table".to_owned(),
            );
            return;
        }
        let is_said = name.is_some_and(|name| {
            let mut said = change.drop_constraints.iter();
            said.any(|said| self.dialect.may_be_same_name(said, name))
        });
        if is_said && self.dialect != Dialect::Sqlite {
            return;
        }
        let say = name.map_or_else(
            || {
                "give it a name, and write that under `[change]`: `drop_constraints = [\"…\"]`"
                    .to_owned()
            },
            |name| format!("write `drop_constraints = [\"{name}\"]` under `[change]`"),
        );
        let wrong = Wrong::new(
            format!(
                "{told} is over a column that moves, and does not go to `{}` with it",
                change.to
            ),
            match self.dialect {
                Dialect::Sqlite => {
                    "make the table anew with scripts of your own, without it".to_owned()
                }
                Dialect::Postgres | Dialect::Mysql => format!(
                    "{say}; where it has to hold, a migration of the kind `check` after this one adds it to the new table"
                ),
            },
        );
        self.found.push(Objection {
            weight: match self.dialect {
                Dialect::Postgres => Weight::ConstraintGoes,
                Dialect::Mysql | Dialect::Sqlite => Weight::Error,
            },
            wrong,
        });
    }
}

/// Whether one of both says no more than the other: a character set has a usual collation, and a collation its character set.
fn is_part_of_the_other(one: &str, other: &str) -> bool {
    let words = |text: &str| -> Vec<String> {
        let lower = text.to_lowercase().replace("charset", "character set");
        lower.split_whitespace().map(str::to_owned).collect()
    };
    let (one, other) = (words(one), words(other));
    one.iter().all(|word| other.contains(word)) || other.iter().all(|word| one.contains(word))
}

/// A type without what its values are compared by.
fn without_comparison(kind: &str) -> &str {
    let lower = kind.to_ascii_lowercase();
    let words = [" collate ", " character set ", " charset "].into_iter();
    let at = words.filter_map(|word| lower.find(word)).min();
    at.and_then(|at| kind.get(..at)).unwrap_or(kind)
}

/// What SQLite makes of a value that is stored in a column of a type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Affinity {
    Integer,
    Text,
    Blob,
    Real,
    Numeric,
}

impl Affinity {
    fn of(kind: &str) -> Self {
        let kind = kind.to_ascii_uppercase();
        let has = |words: &[&str]| words.iter().any(|word| kind.contains(word));
        if has(&["INT"]) {
            Self::Integer
        } else if has(&["CHAR", "CLOB", "TEXT"]) {
            Self::Text
        } else if kind.is_empty() || has(&["BLOB"]) {
            Self::Blob
        } else if has(&["REAL", "FLOA", "DOUB"]) {
            Self::Real
        } else {
            Self::Numeric
        }
    }
}
