//! The names of a script: which it has made itself, and which somebody may know.

use super::super::facts::{Facts, Name, Needs, Subject};
use super::super::joined::Joined;
use super::super::{Dialect, Object, ObjectKind, Verb};

pub(super) fn same_option(dialect: Dialect, a: Option<&str>, b: Option<&str>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => dialect.same_name(a, b),
        (None, None) => true,
        _ => false,
    }
}

/// Tables and views have their names in one place.
const fn relation(kind: ObjectKind) -> ObjectKind {
    match kind {
        ObjectKind::View | ObjectKind::MaterializedView => ObjectKind::Table,
        kind => kind,
    }
}

pub(super) struct Names {
    pub dialect: Dialect,
    /// Made by this script, under names that nobody used before it.
    pub new: Vec<Subject>,
    /// Names that something else had before this script: old code may still say them.
    pub vacated: Vec<Subject>,
    /// Views of this script that show only rows of tables of this script.
    pub own_views: Vec<Subject>,
    /// Tables of this script that are a part of another one of it, and that one.
    pub parts: Vec<(Subject, Subject)>,
    /// Columns of this script that old versions leave NULL.
    pub left_null: Vec<Subject>,
    /// Columns of this script in which no two rows of old versions have the same.
    pub left_apart: Vec<Subject>,
    /// Columns that get a value by a statement of their own.
    pub filled: Vec<Subject>,
    pub has_code: bool,
}

impl Names {
    pub fn are_new(&self, subjects: &[Subject]) -> bool {
        !subjects.is_empty()
            && subjects
                .iter()
                .all(|subject| self.is_in(&self.new, subject))
    }

    /// Whether a table, or a column, is of the script, and shows nothing that is not.
    pub fn owns(&self, schema: Option<&str>, table: &str, column: Option<&str>) -> bool {
        let (kind, name) = match column {
            Some(column) => (ObjectKind::Column, format!("{table}.{column}")),
            None => (ObjectKind::Table, table.to_owned()),
        };
        let subject = Subject {
            kind,
            schema: schema.map(str::to_owned),
            name,
        };
        let is_view = |made: &Subject| made.kind == ObjectKind::View && self.is(made, &subject);
        self.is_in(&self.new, &subject)
            && (!self.new.iter().any(is_view) || self.is_in(&self.own_views, &subject))
    }

    /// Why rows of old versions may not fit into a new part of their table.
    pub fn joins(&self, joined: &Joined, earlier: &[Facts], texts: &[&str]) -> Option<String> {
        let parent = joined.parent.subject(ObjectKind::Table);
        let is_own = self.is_in(&self.new, &parent);
        joined
            .stricter(self.dialect, earlier, texts)
            .filter(|_| !is_own)
    }

    /// Whether it deletes or changes rows through a view of this script: a view has none of its own.
    pub fn writes_through(&self, fact: &Facts) -> bool {
        (fact.loses.is_some() || fact.hazard.is_some())
            && fact.subjects.iter().any(|subject| {
                subject.kind == ObjectKind::Table
                    && self
                        .new
                        .iter()
                        .any(|made| made.kind == ObjectKind::View && self.is(made, subject))
                    && !self.is_in(&self.own_views, subject)
            })
    }

    /// A view whose rows are those of a table of this script is as new as that.
    pub fn note_view(&mut self, fact: &Facts) {
        let Some(shown) = &fact.shows else { return };
        let shown = shown.subject(ObjectKind::Table);
        let is_view = |made: &Subject| made.kind == ObjectKind::View && self.is(made, &shown);
        let is_own = self.is_in(&self.new, &shown)
            && (!self.new.iter().any(is_view) || self.is_in(&self.own_views, &shown));
        let views = fact.objects.iter().filter(|object| {
            is_own && object.kind == ObjectKind::View && object.verb == Verb::Create
        });
        let views: Vec<Subject> = views
            .map(|view| Subject {
                kind: view.kind,
                schema: view.schema.clone(),
                name: view.name.clone(),
            })
            .collect();
        self.own_views.extend(views);
    }

    /// Whether a sequence is of this script: under its own name, or that which a serial column of a new table gets.
    pub fn numbers(&self, sequence: &Name) -> bool {
        self.new.iter().any(|made| {
            let is_here = same_option(
                self.dialect,
                made.schema.as_deref(),
                sequence.schema.as_deref(),
            );
            let serial = format!("{}_", made.name);
            is_here
                && match made.kind {
                    ObjectKind::Sequence => made.name == sequence.name,
                    ObjectKind::Table => {
                        made.name == sequence.name
                            || sequence.name.starts_with(&serial) && sequence.name.ends_with("_seq")
                    }
                    _ => false,
                }
        })
    }

    /// Columns that may have been there are none of this script's.
    pub fn note_null(&mut self, fact: &Facts) {
        let nulls = fact.left_null.iter().map(|column| (column, true));
        let apart = fact.left_apart.iter().map(|column| (column, false));
        for (column, is_null) in nulls.chain(apart) {
            let may_be_there = fact.objects.iter().any(|object| {
                object.kind == ObjectKind::Column
                    && (object.if_exists_or_not || object.verb != Verb::Create)
                    && column.name.ends_with(&format!(".{}", object.name))
            });
            let known = self.is_in(&self.vacated, column) || self.is_in(&self.filled, column);
            if !may_be_there && !known && !self.has_code {
                let list = match is_null {
                    true => &mut self.left_null,
                    false => &mut self.left_apart,
                };
                list.push(column.clone());
            }
        }
    }

    /// What the statement asks of rows that old versions write.
    pub fn asks(&self, fact: &Facts) -> Option<String> {
        let is_null = |column: &Subject| self.is_in(&self.left_null, column);
        let is_apart = |column: &Subject| is_null(column) || self.is_in(&self.left_apart, column);
        let asked: Vec<&str> = fact
            .unless
            .iter()
            .filter(|unless| match unless.needs {
                Needs::Any => !unless.columns.iter().any(is_apart),
                Needs::All => unless.columns.is_empty() || !unless.columns.iter().all(is_null),
            })
            .map(|unless| unless.why.as_str())
            .collect();
        (!asked.is_empty()).then(|| asked.join("; "))
    }

    fn is_in(&self, list: &[Subject], subject: &Subject) -> bool {
        list.iter().any(|other| self.is(subject, other))
    }

    /// A name without a schema may or may not be in any given one, so those are two names.
    fn is(&self, a: &Subject, b: &Subject) -> bool {
        relation(a.kind) == relation(b.kind)
            && self.dialect.same_name(&a.name, &b.name)
            && same_option(self.dialect, a.schema.as_deref(), b.schema.as_deref())
    }

    pub fn note(&mut self, object: &Object) {
        // These are told apart by their table, and what matters about them is mostly whether that is new.
        if object.kind == ObjectKind::Trigger {
            return self.note_trigger(object);
        }
        if object.kind == ObjectKind::Constraint {
            return;
        }
        if object.kind == ObjectKind::Column {
            self.note_column(object);
            return;
        }
        let name = match (self.dialect, object.kind, &object.table) {
            // Its name belongs to its table.
            (Dialect::Mysql, ObjectKind::Index, Some(table)) => format!("{table}.{}", object.name),
            _ => object.name.clone(),
        };
        let subject = Subject {
            kind: object.kind,
            schema: object.schema.clone(),
            name,
        };
        match object.verb {
            // IF NOT EXISTS and OR REPLACE may have met something that old code uses.
            Verb::Create if !object.if_exists_or_not => self.make(subject),
            Verb::Create | Verb::Alter => {}
            Verb::Drop => {
                self.vacate(subject);
            }
            Verb::Rename => {
                let was_new = self.vacate(subject.clone());
                if let (true, Some(name)) = (was_new, object.renamed_to.clone()) {
                    self.make(Subject { name, ..subject });
                }
            }
        }
    }

    /// A trigger that the script makes fires from there on, switched on or not.
    fn note_trigger(&mut self, object: &Object) {
        let Some(table) = &object.table else { return };
        let trigger = Subject {
            kind: ObjectKind::Trigger,
            schema: object.schema.clone(),
            name: format!("{table}.{}", object.name),
        };
        let is_made = object.verb == Verb::Create && !object.if_exists_or_not;
        self.new.retain(|made| *made != trigger);
        if is_made {
            self.new.push(trigger);
        }
    }

    /// A column that takes the place of one that was dropped is new to nobody.
    fn note_column(&mut self, object: &Object) {
        let Some(table) = &object.table else { return };
        let column = |name: &str| Subject {
            kind: ObjectKind::Column,
            schema: object.schema.clone(),
            name: format!("{table}.{name}"),
        };
        match object.verb {
            Verb::Create if !object.if_exists_or_not => self.make(column(&object.name)),
            Verb::Create | Verb::Alter => {}
            Verb::Drop | Verb::Rename => {
                self.vacate(column(&object.name));
            }
        }
    }

    fn make(&mut self, subject: Subject) {
        if !self.is_in(&self.vacated, &subject) {
            self.new.push(subject);
        }
    }

    /// Whether the table becomes a part of one that is new: its rows are those of that one then.
    pub fn note_part(&mut self, joined: &Joined) -> bool {
        let parent = joined.parent.subject(ObjectKind::Table);
        let is_own = self.is_in(&self.new, &parent);
        if is_own {
            let child = joined.child.subject(ObjectKind::Table);
            self.parts.push((child, parent));
        }
        is_own
    }

    /// As [`Self::vacate`], with every part of it: where live versions write to it, they write to those.
    pub fn vacate_whole(&mut self, subject: Subject) {
        self.vacate(subject);
        let mut parts = std::mem::take(&mut self.parts);
        while let Some(at) = parts
            .iter()
            .position(|(_, parent)| !self.is_in(&self.new, parent))
        {
            let (child, _) = parts.swap_remove(at);
            self.vacate(child);
        }
        self.parts = parts;
    }

    /// Whether it was new.
    pub fn vacate(&mut self, subject: Subject) -> bool {
        let was_new = self.is_in(&self.new, &subject);
        let views = std::mem::take(&mut self.own_views);
        self.own_views = views
            .into_iter()
            .filter(|view| !self.is(&subject, view))
            .collect();
        if was_new {
            let kept = std::mem::take(&mut self.new);
            self.new = kept
                .into_iter()
                .filter(|other| !self.is(&subject, other))
                .collect();
        } else {
            self.vacated.push(subject);
        }
        was_new
    }
}
