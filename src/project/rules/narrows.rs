//! A contract or a revert that asks more of INSERTs than the formats of its migration give reason for: the versions that
//! live on know nothing of it.

use crate::model::{Format, Step};
use crate::sql::{Narrowed, Narrowing, Object, ObjectKind, Statement, TableIndex, Tables, Verb};

use super::super::later;
use super::Scripts;
use super::spoken::{is_code, queries};

/// What a statement asks for that belongs to no format of the migration.
pub(super) fn beyond_formats(
    scripts: &Scripts<'_>,
    step: Step,
    statement: &Statement,
) -> Option<String> {
    let script = scripts.script(step)?;
    let own = Own {
        scripts,
        step,
        script: &script.statements,
    };
    let narrowed = statement.narrowed(scripts.dialect).into_iter();
    let mut beyond = narrowed
        .filter(|one| !own.makes(&one.table) && !own.may(one) && !own.leads_back(statement, one));
    let why = beyond.next().map(|one| one.why);
    why.or_else(|| own.added(statement))
}

/// Whether expand.sql has taken the column away, which the script gives back.
pub(super) fn restores(scripts: &Scripts<'_>, table: &str, column: &str) -> bool {
    let own = Own {
        scripts,
        step: Step::Revert,
        script: &[],
    };
    own.restores(table, column)
}

/// Whether the migration may ask that this column is filled: one that its files make, fill or ask for.
pub(super) fn is_own(scripts: &Scripts<'_>, step: Step, table: &str, column: &str) -> bool {
    let script = scripts.script(step);
    let own = Own {
        scripts,
        step,
        script: script.map_or(&[], |script| &script.statements),
    };
    own.is_formless() || own.is_filled(table, column)
}

/// Whether no file of the migration says of what columns the formats are, and versions are held back all the same.
pub(super) fn is_formless(scripts: &Scripts<'_>, step: Step) -> bool {
    let own = Own {
        scripts,
        step,
        script: &[],
    };
    own.is_formless()
}

/// Whether the migration may take this index away: it is over columns of its own, or another one takes its place. `None` if
/// no file tells of the index.
pub(super) fn may_drop_index(
    scripts: &Scripts<'_>,
    step: Step,
    table: Option<&str>,
    name: &str,
) -> Option<bool> {
    let script = scripts.script(step);
    let own = Own {
        scripts,
        step,
        script: script.map_or(&[], |script| &script.statements),
    };
    let dialect = scripts.dialect;
    let (table, index) = later::index(scripts.before(), dialect, table, name)?;
    let begins_alike = |other: &TableIndex| {
        let first = other.columns.first().zip(index.columns.first());
        let is_same = other.columns.len() == index.columns.len()
            && index
                .columns
                .iter()
                .all(|name| other.columns.iter().any(|other| own.is(name, other)));
        match index.is_unique {
            true => other.is_unique && is_same,
            false => first.is_some_and(|(a, b)| own.is(a, b)),
        }
    };
    let is_replaced = scripts.adds().into_iter().chain(script).any(|script| {
        let mut tables = Tables::default();
        tables.apply(script);
        let known = tables.get(dialect, &table);
        known.is_some_and(|known| known.indexes.iter().any(begins_alike))
    });
    let mut columns = index.columns.iter();
    Some(
        own.is_formless()
            || own.makes(&table)
            || is_replaced
            // That expand.sql builds another index over a column makes it no column of the migration.
            || columns.any(|column| own.is_filled_by(&table, column, |one| !makes_index(one))),
    )
}

fn makes_index(statement: &Statement) -> bool {
    let mut objects = statement.objects();
    objects.any(|object| object.kind == ObjectKind::Index && object.verb == Verb::Create)
}

struct Own<'s> {
    scripts: &'s Scripts<'s>,
    step: Step,
    script: &'s [Statement],
}

impl Own<'_> {
    fn is(&self, a: &str, b: &str) -> bool {
        self.scripts.dialect.may_be_same_name(a, b)
    }

    fn expand(&self) -> &[Statement] {
        let expand = self.scripts.adds();
        expand.map_or(&[], |expand| &expand.statements)
    }

    /// Whether the migration makes the table.
    fn makes(&self, table: &str) -> bool {
        let statements = self.expand().iter().chain(self.script);
        let mut objects = statements.flat_map(Statement::objects);
        objects.any(|object| {
            let name = match object.verb {
                Verb::Create => Some(&object.name),
                Verb::Rename => object.renamed_to.as_ref(),
                Verb::Drop | Verb::Alter => None,
            };
            object.kind == ObjectKind::Table && name.is_some_and(|name| self.is(name, table))
        })
    }

    /// Whether it is a constraint of another table that leads to one which the migration has made in the place of an old one.
    fn leads_back(&self, statement: &Statement, narrowed: &Narrowed) -> bool {
        let mut words = statement.words(self.scripts.dialect).into_iter();
        let leads = words.any(|word| word == "references");
        leads
            && matches!(narrowed.what, Narrowing::Constraint(_))
            && words.any(|word| self.makes(&word))
    }

    /// Why rows that leave a new column out are refused for what stands at it: whichever migration it is, nobody fills it.
    fn added(&self, statement: &Statement) -> Option<String> {
        let is_declared = self.scripts.is_declared();
        let why = statement.adds_what_refuses(self.scripts.dialect)?;
        let mut objects = statement.objects();
        let is_back = objects.any(|object| {
            let of = object.table.as_deref().unwrap_or_default();
            object.kind == ObjectKind::Column && (self.makes(of) || self.restores(of, &object.name))
        });
        // A column that takes no NULL is judged by its words.
        let is_told = why.contains(" NOT NULL without a default");
        (!is_declared && !is_back && !is_told).then_some(why)
    }

    fn may(&self, narrowed: &Narrowed) -> bool {
        let table = &narrowed.table;
        match &narrowed.what {
            Narrowing::Added(column) => self.restores(table, column),
            Narrowing::Column(column) => self.is_formless() || self.is_asked(table, column),
            Narrowing::Constraint(columns) => self.may_constrain(table, columns),
            Narrowing::Unique(columns) => {
                self.is_unique(table, columns) || self.may_constrain(table, columns)
            }
            Narrowing::PrimaryKey => self.may_drop_key(table, None),
            Narrowing::Key(name) => self.may_drop_key(table, Some(name)),
        }
    }

    /// Whether the migration may ask for more in the column: in a revert only where expand.sql has asked for less, since the
    /// old format, which it fills from and asks about as well, is what lives on.
    fn is_asked(&self, table: &str, column: &str) -> bool {
        match self.step {
            Step::Revert => {
                let own = self.script.iter().flat_map(Statement::objects);
                // The statement itself alters it, and nobody fills what the script adds.
                let mut objects = own
                    .filter(|object| !matches!(object.verb, Verb::Alter | Verb::Create))
                    .chain(self.expand().iter().flat_map(Statement::objects));
                objects.any(|object| self.is_column(object, table, column))
            }
            Step::Expand | Step::Backfill | Step::Contract => self.is_filled(table, column),
        }
    }

    /// Whether a new constraint over these columns is about the formats. Without columns nobody knows.
    fn may_constrain(&self, table: &str, columns: &[String]) -> bool {
        self.is_formless()
            || columns.is_empty()
            || columns.iter().any(|column| self.is_asked(table, column))
            || self.step == Step::Revert && self.expand().iter().any(|one| self.frees(one, table))
    }

    /// Whether a statement of expand.sql takes a constraint or an index of the table away, which the revert gives back.
    fn frees(&self, statement: &Statement, table: &str) -> bool {
        let narrowed = statement.narrowed(self.scripts.dialect);
        let is_key = |one: &Narrowed| {
            matches!(one.what, Narrowing::Key(_) | Narrowing::PrimaryKey)
                && self.is(&one.table, table)
        };
        narrowed.iter().any(is_key)
            || statement.objects().any(|object| {
                let of = object.table.as_deref();
                matches!(object.kind, ObjectKind::Index | ObjectKind::Constraint)
                    && object.verb == Verb::Drop
                    && of.is_none_or(|of| self.is(of, table))
            })
    }

    /// Whether some of these columns are a key already, as earlier migrations tell.
    fn is_unique(&self, table: &str, columns: &[String]) -> bool {
        let Some(known) = later::table(self.scripts.before(), self.scripts.dialect, table) else {
            return false;
        };
        let is_within = |key: &[String]| {
            let mut key = key.iter().peekable();
            key.peek().is_some() && key.all(|one| columns.iter().any(|other| self.is(one, other)))
        };
        let mut indexes = known.indexes.iter();
        is_within(&known.primary_key)
            || indexes.any(|index| index.is_unique && index.is_plain && is_within(&index.columns))
    }

    /// Whether no file says of what columns the formats are, and versions are held back all the same.
    fn is_formless(&self) -> bool {
        let manifest = self.scripts.manifest;
        let expand = self.scripts.expand;
        expand.is_none_or(|expand| expand.statements.is_empty())
            && self.scripts.backfill.is_none()
            && manifest.is_none_or(|manifest| manifest.declares(Format::Old).is_some())
    }

    /// Whether expand.sql has taken the column away.
    fn restores(&self, table: &str, column: &str) -> bool {
        let mut objects = self.expand().iter().flat_map(Statement::objects);
        objects.any(|object| object.verb == Verb::Drop && self.is_column(object, table, column))
    }

    fn is_column(&self, object: &Object, table: &str, column: &str) -> bool {
        let names = std::iter::once(object.name.as_str()).chain(object.renamed_to.as_deref());
        object.kind == ObjectKind::Column
            && object.table.as_deref().is_some_and(|of| self.is(of, table))
            && names.into_iter().any(|name| self.is(name, column))
    }

    /// Whether the column goes, or a file of the migration makes, changes, fills or asks for it. What only its code reads is the
    /// old format.
    fn is_filled(&self, table: &str, column: &str) -> bool {
        self.is_filled_by(table, column, |_| true)
    }

    /// The same, by these statements of expand.sql.
    fn is_filled_by(&self, table: &str, column: &str, counts: impl Fn(&Statement) -> bool) -> bool {
        let dialect = self.scripts.dialect;
        let own = self.script.iter().flat_map(Statement::objects);
        let moved: Vec<&Object> = own
            .filter(|object| matches!(object.verb, Verb::Drop | Verb::Rename))
            .filter(|object| self.is_column(object, table, column))
            .collect();
        if moved.iter().any(|object| object.verb == Verb::Drop) {
            return true;
        }
        let mut names = moved
            .iter()
            .map(|object| object.name.as_str())
            .chain([column]);
        let filled = self
            .scripts
            .backfill
            .and_then(|backfill| dialect.filled(&backfill.text));
        let fills = |name: &str| {
            filled.as_ref().is_some_and(|(of, columns)| {
                self.is(of, table)
                    && (columns.is_empty() || columns.iter().any(|column| self.is(column, name)))
            })
        };
        let expand = self
            .expand()
            .iter()
            .filter(|statement| !is_code(statement) && counts(statement));
        let texts: Vec<&str> = expand
            .map(|statement| statement.text.as_str())
            .chain(queries(self.scripts))
            .collect();
        // A column of another table may have that name as well.
        let says =
            |text: &str, name: &str| dialect.mentions(text, name) && dialect.mentions(text, table);
        names.any(|name| fills(name) || texts.iter().any(|text| says(text, name)))
    }

    /// Whether another key takes the place of this one, or its columns are of the migration.
    fn may_drop_key(&self, table: &str, name: Option<&String>) -> bool {
        let dialect = self.scripts.dialect;
        let known = later::table(self.scripts.before(), dialect, table);
        let is_primary = name.is_none_or(|name| {
            let default = format!("{table}_pkey");
            self.is(name, &default) || self.is(name, "primary")
        });
        let columns = match (is_primary, &known) {
            (true, Some(known)) => known.primary_key.clone(),
            (true, None) => Vec::new(),
            (false, known) => {
                let mut indexes = known.iter().flat_map(|known| &known.indexes);
                let key = indexes.find(|index| {
                    let default = format!("{table}_{}_key", index.columns.join("_"));
                    let called = index.name.as_deref().unwrap_or(&default);
                    index.is_unique && name.is_some_and(|name| self.is(called, name))
                });
                // What it is nobody knows: a check, a key that leads elsewhere.
                let Some(key) = key else {
                    let step = self.step;
                    let name = name.map_or("", String::as_str);
                    return may_drop_index(self.scripts, step, Some(table), name) != Some(false);
                };
                key.columns.clone()
            }
        };
        self.is_formless()
            || self
                .script
                .iter()
                .any(|statement| self.makes_key(statement, table, &columns))
            || columns.iter().any(|column| self.is_filled(table, column))
            || columns.is_empty() && self.takes_column(table)
    }

    /// Whether it makes a key over just these columns, where they and its own are known.
    fn makes_key(&self, statement: &Statement, table: &str, columns: &[String]) -> bool {
        let narrowed = statement.narrowed(self.scripts.dialect);
        let is_other = |one: &Narrowed| match &one.what {
            Narrowing::Unique(new) => {
                let is_among = |name: &String| columns.iter().any(|column| self.is(column, name));
                new.len() != columns.len() || !new.iter().all(is_among)
            }
            _ => false,
        };
        if !columns.is_empty() && narrowed.iter().any(is_other) {
            return false;
        }
        let words = statement.words(self.scripts.dialect);
        let is_about = words.iter().any(|word| self.is(word, table));
        let adds = |key: &str| {
            let at = words.iter().position(|word| word == "add");
            let rest = at.and_then(|at| words.get(at..)).unwrap_or_default();
            rest.iter().any(|word| word == key)
        };
        let makes_index = words.first().is_some_and(|word| word == "create")
            && words.iter().take(3).any(|word| word == "unique");
        is_about && (adds("primary") || adds("unique") || makes_index)
    }

    fn takes_column(&self, table: &str) -> bool {
        let mut gone = self.script.iter().flat_map(Statement::gone);
        gone.any(|gone| gone.column.is_some() && self.is(&gone.table, table))
    }
}
