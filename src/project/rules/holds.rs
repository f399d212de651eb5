//! Foreign keys of an expand, or of a table that a contract or a revert makes, that lead to tables which live versions use, with rows in them that those versions know nothing
//! of: what they refer to can no longer be deleted, or get another key, as the live versions do it.

use crate::model::Step;
use crate::sql::{
    Effect, Object, ObjectKind, Reference, Referential, Script, Statement, Table, Tables, Verb,
    Written,
};

use super::super::finding::{Finding, first_line};
use super::super::later;
use super::Scripts;

pub(super) fn check(scripts: &Scripts<'_>) -> Vec<(Step, Finding)> {
    let is_declared = scripts.is_declared();
    let each = scripts.whole();
    each.filter(|(step, _)| *step == Step::Expand || !is_declared)
        .flat_map(|(step, script)| of_script(scripts, step, script))
        .collect()
}

fn of_script(scripts: &Scripts<'_>, step: Step, script: &Script) -> Vec<(Step, Finding)> {
    let dialect = scripts.dialect;
    let keys = script.statements.iter().enumerate();
    let keys: Vec<(usize, Reference)> = keys
        .flat_map(|(at, statement)| {
            let keys = statement.references(dialect).into_iter();
            keys.map(move |key| (at, key))
        })
        .collect();
    if keys.is_empty() {
        return Vec::new();
    }
    let mut tables = Tables::default();
    tables.apply(script);
    let written = script.statements.iter().enumerate();
    let written = written.flat_map(|(at, statement)| {
        let written = statement.written(dialect).into_iter();
        written.map(move |written| (at, written))
    });
    let holding = Holding {
        scripts,
        step,
        script,
        tables,
        written: written.collect(),
        keys: &keys,
    };
    let tied = holding.tied();
    keys.iter()
        // Of a table that was there the versions that live on know, and the key waited for this.
        .filter(|(_, key)| step == Step::Expand || holding.is_new(&key.table))
        .filter(|(_, key)| holding.leads_to(&tied, &key.parent))
        .filter_map(|(at, key)| holding.finding(*at, key))
        .map(|finding| (step, finding))
        .collect()
}

struct Holding<'s> {
    scripts: &'s Scripts<'s>,
    step: Step,
    script: &'s Script,
    /// As the script makes them.
    tables: Tables,
    /// What gets rows or values, and by which statement.
    written: Vec<(usize, Written)>,
    keys: &'s [(usize, Reference)],
}

/// What gives the rows of a key their values.
enum Filled {
    /// A statement of the script.
    By(usize),
    ByBackfill,
}

impl Holding<'_> {
    fn is(&self, a: &str, b: &str) -> bool {
        self.scripts.dialect.may_be_same_name(a, b)
    }

    fn objects(&self) -> impl Iterator<Item = &Object> {
        let objects = self.script.statements.iter().flat_map(Statement::objects);
        objects.filter(|object| object.kind == ObjectKind::Table)
    }

    /// The name that a table of the script has at its end.
    fn last_name<'t>(&'t self, table: &'t str) -> &'t str {
        self.objects()
            .filter(|object| object.verb == Verb::Rename)
            .fold(table, |name, object| match &object.renamed_to {
                Some(to) if self.is(name, &object.name) => to,
                _ => name,
            })
    }

    /// Whether two names are those of one table in the course of the script.
    fn is_same_table(&self, a: &str, b: &str) -> bool {
        self.is(a, b) || self.is(self.last_name(a), self.last_name(b))
    }

    /// Whether the script makes the table, and nobody knew one of that name.
    fn is_new(&self, table: &str) -> bool {
        let makes = |name: &str| {
            self.objects()
                .any(|object| object.verb == Verb::Create && self.is(&object.name, name))
        };
        let takes = |name: &str| {
            self.objects().any(|object| {
                matches!(object.verb, Verb::Drop | Verb::Rename) && self.is(&object.name, name)
            })
        };
        let last = self.last_name(table);
        // What takes the place of another one is that one, to whoever uses it.
        makes(table) && (self.is(last, table) || !takes(last)) && self.before(last).is_none()
    }

    /// The table as earlier migrations leave it.
    fn before(&self, table: &str) -> Option<Table> {
        let dialect = self.scripts.dialect;
        let expand = self.scripts.expand.filter(|_| self.step != Step::Expand);
        let own = expand.and_then(|expand| {
            let mut made = Tables::default();
            made.apply(expand);
            made.get(dialect, table).cloned()
        });
        own.or_else(|| later::table(self.scripts.before(), dialect, table))
    }

    /// New tables whose rows go with those of old ones.
    fn tied(&self) -> Vec<&str> {
        let mut tied: Vec<&str> = Vec::new();
        loop {
            let next = self.keys.iter().find(|(_, key)| {
                key.on_delete == Referential::Cascades
                    && self.is_new(&key.table)
                    && self.leads_to(&tied, &key.parent)
                    && !tied
                        .iter()
                        .any(|table| self.is_same_table(table, &key.table))
            });
            match next {
                Some((_, key)) => tied.push(&key.table),
                None => return tied,
            }
        }
    }

    /// Whether live versions delete rows of this table, or take them along.
    fn leads_to(&self, tied: &[&str], parent: &str) -> bool {
        !self.is_new(parent) || tied.iter().any(|table| self.is_same_table(table, parent))
    }

    fn finding(&self, at: usize, key: &Reference) -> Option<Finding> {
        // What it asks of rows is told already.
        let statement = self.script.statements.get(at)?;
        if matches!(statement.effect, Effect::Destructive { .. }) || self.was_there(key) {
            return None;
        }
        let filled = self.filled(key)?;
        let (why, help) = self.why(key)?;
        let (at, by) = match filled {
            Filled::By(by) => (at.max(by), ""),
            Filled::ByBackfill => (at, ", once backfill.sql has run"),
        };
        let finding = Finding::unsurvived(
            self.step,
            first_line(self.script.statements.get(at)?),
            format!("live versions may not survive this{by}: {why}"),
            help,
        );
        Some(finding.excusable(at))
    }

    /// Whether the table that this one takes the place of had the key, or may have had it.
    fn was_there(&self, key: &Reference) -> bool {
        let last = self.last_name(&key.table);
        let is_made = self
            .objects()
            .any(|object| object.verb == Verb::Create && self.is(&object.name, &key.table));
        if !is_made || self.is_new(&key.table) {
            return false;
        }
        let dialect = self.scripts.dialect;
        let had = later::newest(self.scripts.before(), dialect, &[last], |script| {
            let mut keys = script
                .statements
                .iter()
                .flat_map(|statement| statement.references(dialect));
            let has = keys.any(|had| {
                self.is(&had.table, last)
                    && self.is(&had.parent, &key.parent)
                    && had.columns.len() == key.columns.len()
                    && had
                        .columns
                        .iter()
                        .zip(&key.columns)
                        .all(|(a, b)| self.is(a, b))
            });
            has.then_some(())
        });
        had.is_some() || self.before(last).is_none()
    }

    /// What gives rows of the key's table values in all of its columns: where one is NULL, nothing is referred to.
    fn filled(&self, key: &Reference) -> Option<Filled> {
        let dialect = self.scripts.dialect;
        let is_filled = |written: &Written| {
            self.is_same_table(&written.table, &key.table)
                && key.columns.iter().all(|column| {
                    let named = written.columns.as_ref();
                    named.is_none_or(|named| named.iter().any(|name| self.is(name, column)))
                        || self.has_default(key, column)
                })
        };
        let is_of_row = |statement: &Statement| {
            key.columns
                .iter()
                .all(|column| statement.assigns_new(dialect, column))
        };
        let by = self.written.iter().find(|(_, written)| is_filled(written));
        let by = by.map(|(at, _)| *at);
        let by = by.or_else(|| self.script.statements.iter().position(is_of_row));
        if let Some(by) = by {
            return Some(Filled::By(by));
        }
        let backfill = self
            .scripts
            .backfill
            .filter(|_| self.step == Step::Expand)?;
        let mut written = dialect.written(&backfill.text).into_iter();
        written
            .any(|written| is_filled(&written))
            .then_some(Filled::ByBackfill)
    }

    /// The table of the key, as far as it is known.
    fn child(&self, key: &Reference) -> Option<Table> {
        let table = self
            .tables
            .get(self.scripts.dialect, self.last_name(&key.table));
        table.cloned().or_else(|| self.before(&key.table))
    }

    fn has_default(&self, key: &Reference, column: &str) -> bool {
        let child = self.child(key);
        let column = child
            .as_ref()
            .and_then(|child| child.column(self.scripts.dialect, column));
        column.is_some_and(|column| {
            let default = column.default.as_deref();
            default.is_some_and(|default| !default.to_lowercase().starts_with("null"))
        })
    }

    /// What live versions can no longer do, and what to write instead.
    fn why(&self, key: &Reference) -> Option<(String, String)> {
        let (table, parent) = (&key.table, &key.parent);
        let is_new = self.is_new(table);
        let takes_null = || {
            let child = self.child(key);
            key.columns.iter().all(|column| {
                let known = child
                    .as_ref()
                    .and_then(|child| child.column(self.scripts.dialect, column));
                known.is_none_or(|known| known.is_nullable)
            })
        };
        let follows = |action: Referential| match action {
            Referential::Refuses | Referential::SetsDefault => false,
            Referential::Cascades => true,
            Referential::SetsNull => takes_null(),
        };
        if key.on_delete == Referential::Cascades && !is_new {
            return Some((
                format!(
                    "by ON DELETE CASCADE, a DELETE of rows of `{parent}` takes rows of `{table}` along, of which they know nothing"
                ),
                "write `ON DELETE SET NULL`, or let contract.sql add the foreign key".to_owned(),
            ));
        }
        if !follows(key.on_delete) {
            let instead = match (is_new, takes_null()) {
                (true, true) => "`ON DELETE CASCADE` or `ON DELETE SET NULL`",
                (true, false) => "`ON DELETE CASCADE`",
                (false, _) => "`ON DELETE SET NULL`",
            };
            return Some((
                format!(
                    "rows of `{table}` hold on to rows of `{parent}` by a foreign key, so that a DELETE of those fails"
                ),
                format!("write {instead}, or let contract.sql add the foreign key"),
            ));
        }
        let columns = key.parent_columns.join("`, `");
        (!follows(key.on_update) && self.may_change(key)).then(|| {
            (
                format!(
                    "rows of `{table}` refer to `{columns}` of `{parent}` by a foreign key, so that an UPDATE of that fails"
                ),
                "write `ON UPDATE CASCADE`, or let contract.sql add the foreign key".to_owned(),
            )
        })
    }

    /// Whether it refers to something else than a primary key, which nobody changes.
    fn may_change(&self, key: &Reference) -> bool {
        if key.parent_columns.is_empty() {
            return false;
        }
        let known = self.before(&key.parent);
        let primary = known.map(|known| known.primary_key).unwrap_or_default();
        if !primary.is_empty() {
            let mut columns = key.parent_columns.iter();
            return !columns.all(|column| primary.iter().any(|name| self.is(name, column)));
        }
        let is_a_number = |column: &String| {
            let column = column.to_lowercase();
            column == "id" || column.ends_with("_id") || column.contains("uuid")
        };
        !key.parent_columns.iter().all(is_a_number)
    }
}
