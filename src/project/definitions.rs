//! Which migrations make something of a column or a constraint to which the contract of an earlier one is yet to give a
//! definition, or take away what that contract names.
//!
//! Pure: the scripts tell. A contract says what a column is to be as its author knew it. What a later migration has made of the
//! column by then would be undone: a default that its versions count on, values that they write, a longer type.

use std::collections::BTreeMap;

use crate::model::{Basis, Keeps, MigrationId, Step};
use crate::sql::{Dialect, ObjectKind, Statement, Verb};

use super::migration::Files;

/// What the scripts of one migration do with what is there.
#[derive(Debug, Default)]
pub(super) struct Definitions {
    made: Vec<Made>,
    gone: Vec<Gone>,
    /// Each statement of the contract with a table that it is about.
    contract: Vec<(String, String)>,
}

/// Something of which a script makes something else.
#[derive(Debug)]
struct Made {
    by: Step,
    table: String,
    name: String,
    of: Part,
}

#[derive(Debug)]
enum Part {
    Column(Vec<Aspect>),
    Constraint,
}

/// What is said of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Aspect {
    Type,
    Default,
    Null,
}

#[derive(Debug)]
struct Gone {
    by: Step,
    table: String,
    column: String,
}

impl Definitions {
    pub fn of(files: &Files) -> Self {
        let mut found = Self::default();
        for (step, file) in [
            (Step::Expand, &files.expand),
            (Step::Contract, &files.contract),
        ] {
            for statement in file.iter().flat_map(|file| &file.script.statements) {
                found.take(step, statement);
            }
        }
        found
    }

    fn take(&mut self, by: Step, statement: &Statement) {
        let mut tables = Vec::new();
        for object in statement.objects() {
            let Some(table) = &object.table else {
                continue;
            };
            let (table, name) = (table.clone(), object.name.clone());
            if !tables.contains(&table) {
                tables.push(table.clone());
            }
            match (object.kind, object.verb) {
                (ObjectKind::Column, Verb::Alter) => {
                    let of = Part::Column(aspects(&statement.text));
                    self.made.push(Made {
                        by,
                        table,
                        name,
                        of,
                    });
                }
                (ObjectKind::Column, Verb::Drop | Verb::Rename) => self.gone.push(Gone {
                    by,
                    table,
                    column: name,
                }),
                (ObjectKind::Constraint, _) => {
                    let of = Part::Constraint;
                    self.made.push(Made {
                        by,
                        table,
                        name,
                        of,
                    });
                }
                _ => {}
            }
        }
        if by == Step::Contract {
            let of_each = tables
                .into_iter()
                .map(|table| (table, statement.text.clone()));
            self.contract.extend(of_each);
        }
    }
}

/// What a statement says of the columns that it alters: all of them, where that cannot be told.
fn aspects(text: &str) -> Vec<Aspect> {
    const ALL: [Aspect; 3] = [Aspect::Type, Aspect::Default, Aspect::Null];
    let words: Vec<&str> = text
        .split(|c: char| !c.is_alphanumeric() && c != '_')
        .collect();
    let has = |word: &str| words.iter().any(|found| found.eq_ignore_ascii_case(word));
    // Each says the whole definition again.
    if has("MODIFY") || has("CHANGE") {
        return ALL.to_vec();
    }
    let said = [
        (has("TYPE"), Aspect::Type),
        (has("DEFAULT"), Aspect::Default),
        (has("NULL"), Aspect::Null),
    ];
    let said: Vec<Aspect> = said
        .into_iter()
        .filter(|(is_said, _)| *is_said)
        .map(|(_, aspect)| aspect)
        .collect();
    if said.is_empty() { ALL.to_vec() } else { said }
}

impl Made {
    fn concerns(&self, other: &Self, dialect: Dialect) -> bool {
        let is_one = dialect.may_be_same_name(&self.name, &other.name);
        is_one
            && match (&self.of, &other.of) {
                (Part::Column(these), Part::Column(those)) => {
                    these.iter().any(|aspect| those.contains(aspect))
                }
                (Part::Constraint, Part::Constraint) => true,
                _ => false,
            }
    }
}

/// The contracts of the migrations before one, by their tables: a long history is gone through once.
#[derive(Default)]
pub(super) struct Contracts<'d> {
    made: BTreeMap<String, Vec<(&'d MigrationId, &'d Made)>>,
    statements: BTreeMap<String, Vec<(&'d MigrationId, &'d str)>>,
}

impl<'d> Contracts<'d> {
    pub fn add(&mut self, id: &'d MigrationId, of: &'d Definitions) {
        for made in of.made.iter().filter(|made| made.by == Step::Contract) {
            let of_table = self.made.entry(made.table.to_lowercase()).or_default();
            of_table.push((id, made));
        }
        for (table, text) in &of.contract {
            let of_table = self.statements.entry(table.to_lowercase()).or_default();
            of_table.push((id, text));
        }
    }

    /// What a later migration has to wait for.
    pub fn before(&self, later: &Definitions, dialect: Dialect) -> Vec<Basis> {
        let mut bases = Vec::new();
        for made in &later.made {
            let earlier = self
                .made
                .get(&made.table.to_lowercase())
                .into_iter()
                .flatten();
            let of_it = earlier.filter(|(_, earlier)| earlier.concerns(made, dialect));
            bases.extend(of_it.map(|(id, _)| Basis {
                migration: (*id).clone(),
                keeps: Keeps::Definition {
                    table: made.table.clone(),
                    name: made.name.clone(),
                },
                from: made.by,
            }));
        }
        for gone in &later.gone {
            let earlier = self.statements.get(&gone.table.to_lowercase());
            // What takes it away itself does not need it.
            let needs = |(_, text): &&(&MigrationId, &str)| {
                text.to_lowercase().contains(&gone.column.to_lowercase())
                    && dialect.mentions(text, &gone.column)
            };
            bases.extend(
                earlier
                    .into_iter()
                    .flatten()
                    .filter(needs)
                    .map(|(id, _)| Basis {
                        migration: (*id).clone(),
                        keeps: Keeps::Needed {
                            table: gone.table.clone(),
                            column: gone.column.clone(),
                        },
                        from: gone.by,
                    }),
            );
        }
        bases
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_of_a_column_is_told_by_the_words() {
        use Aspect::{Default, Null, Type};
        for (text, expected) in [
            ("ALTER TABLE t ALTER COLUMN a SET NOT NULL", vec![Null]),
            ("ALTER TABLE t ALTER a DROP DEFAULT", vec![Default]),
            (
                "ALTER TABLE t ALTER a TYPE text, ALTER a SET DEFAULT ''",
                vec![Type, Default],
            ),
            (
                "ALTER TABLE t ALTER a SET STATISTICS 100",
                vec![Type, Default, Null],
            ),
            (
                "ALTER TABLE t ALTER COLUMN a SET DEFAULT 'x'",
                vec![Default],
            ),
            (
                "ALTER TABLE t MODIFY COLUMN a text NOT NULL",
                vec![Type, Default, Null],
            ),
        ] {
            assert_eq!(aspects(text), expected, "{text}");
        }
    }
}
