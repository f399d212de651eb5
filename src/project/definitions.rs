//! Which migrations make something of a column or a constraint to which the contract of an earlier one is yet to give a
//! definition, or take away what that contract names.
//!
//! Pure: the scripts tell. A contract says what a column is to be as its author knew it. What a later migration has made of the
//! column by then would be undone: a default that its versions count on, values that they write, a longer type.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{Basis, Keeps, MigrationId, Step};
use crate::sql::{Dialect, ObjectKind, Place, Statement, Verb};

use super::files::Files;
use super::kept::given;

/// What the scripts of one migration do with what is there.
#[derive(Debug, Default)]
pub(super) struct Definitions {
    made: Vec<Made>,
    gone: Vec<Gone>,
    /// Each statement of the contract with a table that it is about.
    contract: Vec<(Place, String)>,
    /// The statements of the contract, and what is asked before it.
    texts: Vec<String>,
}

/// Something of which a script makes something else.
#[derive(Debug)]
struct Made {
    by: Step,
    place: Place,
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
    place: Place,
    /// `None` if it is the whole table.
    column: Option<String>,
}

impl Definitions {
    /// By the scripts, and by what is asked before the contract.
    pub fn of(files: &Files, asked: Vec<String>, dialect: Dialect) -> Self {
        let mut found = Self {
            texts: asked,
            ..Self::default()
        };
        for (step, file) in [
            (Step::Expand, &files.expand),
            (Step::Contract, &files.contract),
        ] {
            let Some(file) = file else { continue };
            let statements = &file.script.statements;
            for statement in statements {
                found.take(step, statement);
            }
            // A table that another takes the place of is there.
            let given = given(statements);
            found.gone.retain(|gone| {
                let mut given = given.iter();
                gone.by != step
                    || gone.column.is_some()
                    || !given.any(|given| given.may_be(&gone.place, dialect))
            });
        }
        found
    }

    /// Columns that its expand makes into others: what is still to become of them would not become of these.
    pub fn reshaping(mut self, place: &Place, columns: impl Iterator<Item = String>) -> Self {
        self.gone.extend(columns.map(|column| Gone {
            by: Step::Expand,
            place: place.clone(),
            column: Some(column),
        }));
        self
    }

    fn take(&mut self, by: Step, statement: &Statement) {
        let mut places = Vec::new();
        for object in statement.objects() {
            let Some(place) = object.place() else {
                continue;
            };
            if object.kind != ObjectKind::Table && !places.contains(&place) {
                places.push(place.clone());
            }
            let name = object.name.clone();
            match (object.kind, object.verb) {
                (ObjectKind::Column, Verb::Alter) => self.made.push(Made {
                    by,
                    place,
                    name,
                    of: Part::Column(aspects(&statement.text, &object.name)),
                }),
                (ObjectKind::Column, Verb::Drop | Verb::Rename) => self.gone.push(Gone {
                    by,
                    place,
                    column: Some(name),
                }),
                (ObjectKind::Table, Verb::Drop | Verb::Rename) => self.gone.push(Gone {
                    by,
                    place,
                    column: None,
                }),
                (ObjectKind::Constraint, _) => self.made.push(Made {
                    by,
                    place,
                    name,
                    of: Part::Constraint,
                }),
                _ => {}
            }
        }
        if by == Step::Contract {
            self.texts.push(statement.text.clone());
            let text = || statement.text.clone();
            let of_each = places.into_iter().map(|place| (place, text()));
            self.contract.extend(of_each);
        }
    }
}

/// What a statement says of the columns that it alters: all of them, where that cannot be told.
fn aspects(text: &str, column: &str) -> Vec<Aspect> {
    const ALL: [Aspect; 3] = [Aspect::Type, Aspect::Default, Aspect::Null];
    let words = words_beside(text, column);
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

/// Whether it is about defaults, and no more.
pub(super) fn says_default_alone(text: &str, column: &str) -> bool {
    aspects(text, column) == [Aspect::Default]
}

impl Made {
    fn concerns(&self, other: &Self, dialect: Dialect) -> bool {
        let is_one = dialect.may_be_same_name(&self.name, &other.name)
            && self.place.may_be(&other.place, dialect);
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
    statements: BTreeMap<String, Vec<(&'d MigrationId, &'d Place, &'d str)>>,
    /// Of the tables that some migration takes away: what names each.
    naming: BTreeMap<String, Vec<(&'d MigrationId, &'d str)>>,
}

impl<'d> Contracts<'d> {
    /// Before any of these migrations.
    pub fn of(all: impl Iterator<Item = &'d Definitions>) -> Self {
        let gone = all.flat_map(|each| &each.gone);
        let tables = gone.filter(|gone| gone.column.is_none());
        let naming = tables.map(|gone| (gone.place.table.to_lowercase(), Vec::new()));
        Self {
            naming: naming.collect(),
            ..Self::default()
        }
    }

    pub fn add(&mut self, id: &'d MigrationId, of: &'d Definitions) {
        for made in of.made.iter().filter(|made| made.by == Step::Contract) {
            let table = made.place.table.to_lowercase();
            self.made.entry(table).or_default().push((id, made));
        }
        for (place, text) in &of.contract {
            let of_table = self.statements.entry(place.table.to_lowercase());
            of_table.or_default().push((id, place, text));
        }
        if self.naming.is_empty() {
            return;
        }
        for text in &of.texts {
            let words = words(text).map(str::to_lowercase);
            for word in words.collect::<BTreeSet<_>>() {
                if let Some(naming) = self.naming.get_mut(&word) {
                    naming.push((id, text));
                }
            }
        }
    }

    /// What a later migration has to wait for.
    pub fn before(&self, later: &Definitions, dialect: Dialect) -> Vec<Basis> {
        let mut bases = Vec::new();
        for made in &later.made {
            let earlier = self.made.get(&made.place.table.to_lowercase());
            let of_it = earlier
                .into_iter()
                .flatten()
                .filter(|(_, earlier)| earlier.concerns(made, dialect));
            bases.extend(of_it.map(|(id, _)| Basis {
                migration: (*id).clone(),
                keeps: Keeps::Definition {
                    table: made.place.table.clone(),
                    name: made.name.clone(),
                },
                from: made.by,
            }));
        }
        for gone in &later.gone {
            let needing = match &gone.column {
                Some(column) => self.needing_column(&gone.place, column, dialect),
                None => self.needing_table(&gone.place, dialect),
            };
            bases.extend(needing.into_iter().map(|id| Basis {
                migration: id.clone(),
                keeps: Keeps::Needed {
                    table: gone.place.table.clone(),
                    column: gone.column.clone(),
                },
                from: gone.by,
            }));
        }
        bases
    }

    fn needing_column(&self, of: &Place, column: &str, dialect: Dialect) -> Vec<&'d MigrationId> {
        let lower = column.to_lowercase();
        let earlier = self.statements.get(&of.table.to_lowercase());
        let needs = earlier.into_iter().flatten().filter(|(_, place, text)| {
            place.may_be(of, dialect)
                && text.to_lowercase().contains(&lower)
                && dialect.names(text, column)
        });
        needs.map(|(id, ..)| *id).collect()
    }

    fn needing_table(&self, gone: &Place, dialect: Dialect) -> Vec<&'d MigrationId> {
        let naming = self.naming.get(&gone.table.to_lowercase());
        let needs = naming.into_iter().flatten().filter(|(_, text)| {
            dialect.names(text, &gone.table) && names_table(text, gone, dialect)
        });
        needs.map(|(id, _)| *id).collect()
    }
}

pub(super) fn words(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split(|c: char| !c.is_alphanumeric() && c != '_');
    words.filter(|word| !word.is_empty())
}

/// All words but the first that is this name: a column may be called `type`.
pub(super) fn words_beside<'t>(text: &'t str, name: &str) -> Vec<&'t str> {
    let mut words: Vec<&str> = words(text).collect();
    let is_it = |word: &&str| word.eq_ignore_ascii_case(name);
    if let Some(at) = words.iter().position(is_it) {
        words.remove(at);
    }
    words
}

/// Whether a statement names it where a table's name stands: a column may be called the same.
fn names_table(text: &str, place: &Place, dialect: Dialect) -> bool {
    const BEFORE: [&str; 13] = [
        "table",
        "only",
        "exists",
        "on",
        "from",
        "join",
        "into",
        "update",
        "references",
        "truncate",
        "analyze",
        "view",
        "using",
    ];
    let all: Vec<&str> = words(text).collect();
    let stands = |at: usize| {
        let before = at.checked_sub(1).and_then(|at| all.get(at));
        before.is_some_and(|before| BEFORE.iter().any(|word| word.eq_ignore_ascii_case(before)))
    };
    all.iter().enumerate().any(|(at, word)| {
        if !dialect.may_be_same_name(word, &place.table) {
            return false;
        }
        if stands(at) {
            return true;
        }
        // Behind its schema.
        let schema = at.checked_sub(1).and_then(|at| all.get(at));
        schema.is_some_and(|schema| {
            let is_its = place.schema.as_ref();
            let is_its = is_its.is_none_or(|own| dialect.may_be_same_name(own, schema));
            is_its && stands(at - 1)
        })
    })
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
            assert_eq!(aspects(text, "a"), expected, "{text}");
            let called_type = text.replace(" a ", " type ");
            assert_eq!(aspects(&called_type, "type"), expected, "{called_type}");
        }
    }
}
