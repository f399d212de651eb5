//! What is in a database before and after a script: what of it may have been lost on the way.

use super::super::{Dialect, ObjectKind, Script, Statement, Verb};
use super::{Commits, Dependent, Dependents, Gone, Left, Runs, names};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RelationKind {
    Table,
    View,
}

/// A table or a view, with its columns.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Relation {
    pub kind: RelationKind,
    pub schema: Option<String>,
    pub name: String,
    pub columns: Vec<String>,
}

/// Tables and views, and the code about them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Inventory {
    pub code: Dependents,
    pub relations: Vec<Relation>,
}

impl Script {
    /// Whether it may take anything away that it does not name: what only adds, or writes rows, does not.
    #[must_use]
    pub fn may_take(&self) -> bool {
        self.statements.iter().any(Statement::may_take)
    }
}

impl Statement {
    fn may_take(&self) -> bool {
        use super::super::Effect;
        self.hazard.is_some()
            || matches!(self.effect, Effect::Unknown { .. })
            || self.objects().any(|object| match object.verb {
                Verb::Create => matches!(self.effect, Effect::Destructive { .. }),
                Verb::Drop | Verb::Alter | Verb::Rename => true,
            })
    }
}

impl Inventory {
    /// Tables, views, functions and other code that are not there any more after a script with this text, though it holds
    /// no such name. In words.
    #[must_use]
    pub fn gone_along(&self, after: &Self, script: &str) -> Vec<String> {
        let script = script.to_lowercase();
        let is_named = |name: &str| script.contains(&name.to_lowercase());
        let relations = self.relations.iter().filter(|relation| {
            let is_same = |other: &&Relation| {
                (&other.schema, &other.name) == (&relation.schema, &relation.name)
            };
            !is_named(&relation.name) && after.relations.iter().find(is_same).is_none()
        });
        let mut gone: Vec<String> = relations
            .map(|relation| {
                let word = match relation.kind {
                    RelationKind::View => "view",
                    RelationKind::Table => "table",
                };
                format!("the {word} `{}`", relation.name)
            })
            .collect();
        let code = self.code.all.iter().filter(|one| {
            // What belongs to a table goes with it, and views are relations as well.
            let stands_alone = !matches!(one.kind, ObjectKind::Trigger | ObjectKind::View);
            let is_same = |other: &&Dependent| {
                (other.kind, &other.schema, &other.name) == (one.kind, &one.schema, &one.name)
            };
            stands_alone && !is_named(&one.name) && after.code.all.iter().find(is_same).is_none()
        });
        gone.extend(code.map(|one| format!("the {} `{}`", one.word, one.name)));
        gone
    }

    /// The triggers whose tables no longer have them after the script, although it does not drop them by name.
    #[must_use]
    pub fn lost(&self, after: &Self, script: &Script) -> Vec<Dependent> {
        let triggers = self
            .code
            .all
            .iter()
            .filter(|one| one.kind == ObjectKind::Trigger && one.runs == Runs::Used);
        triggers
            .filter(|trigger| !self.is_dropped(trigger, script) && !after.has(trigger, self))
            .cloned()
            .collect()
    }

    fn dialect(&self) -> Dialect {
        self.code.dialect
    }

    fn is_dropped(&self, trigger: &Dependent, script: &Script) -> bool {
        let mut objects = script.statements.iter().flat_map(Statement::objects);
        objects.any(|object| {
            object.kind == ObjectKind::Trigger
                && object.verb == Verb::Drop
                && self.dialect().may_be_same_name(&object.name, &trigger.name)
                && match (&object.table, &trigger.table) {
                    (Some(a), Some(b)) => self.dialect().may_be_same_name(a, b),
                    _ => true,
                }
        })
    }

    fn find(&self, schema: Option<&str>, name: &str) -> Option<&Relation> {
        let dialect = self.dialect();
        self.relations.iter().find(|relation| {
            dialect.may_be_same_name(&relation.name, name)
                && dialect.same_place(relation.schema.as_deref(), schema)
        })
    }

    /// Whether writes to the table that the trigger was about still fire it, or one that does the same.
    fn has(&self, trigger: &Dependent, before: &Self) -> bool {
        let Some(table) = trigger.table.as_deref() else {
            return true;
        };
        let schema = trigger.schema.as_deref();
        let Some(relation) = self.find(schema, table) else {
            return true;
        };
        let was_view = before
            .find(schema, table)
            .is_some_and(|relation| relation.kind == RelationKind::View);
        if self.fires(trigger, relation) {
            return true;
        }
        // A view in the place of its table writes to the table behind it.
        relation.kind == RelationKind::View
            && !was_view
            && self
                .behind(relation)
                .any(|relation| self.fires(trigger, relation))
    }

    fn behind<'a>(&'a self, view: &'a Relation) -> impl Iterator<Item = &'a Relation> {
        let dialect = self.dialect();
        let text = self.code.all.iter().find(move |one| {
            one.kind == ObjectKind::View
                && dialect.may_be_same_name(&one.name, &view.name)
                && dialect.same_place(one.schema.as_deref(), view.schema.as_deref())
        });
        self.relations.iter().filter(move |relation| {
            let gone = Gone {
                verb: Verb::Drop,
                schema: relation.schema.clone(),
                table: relation.name.clone(),
                column: None,
            };
            relation.kind == RelationKind::Table
                && text.is_some_and(|text| names::names(dialect, text, false, &gone))
        })
    }

    fn fires(&self, trigger: &Dependent, relation: &Relation) -> bool {
        let dialect = self.dialect();
        self.code.all.iter().any(|one| {
            one.kind == ObjectKind::Trigger
                && one.runs == Runs::Used
                && one
                    .table
                    .as_deref()
                    .is_some_and(|table| dialect.may_be_same_name(table, &relation.name))
                && dialect.same_place(one.schema.as_deref(), relation.schema.as_deref())
                && (dialect.may_be_same_name(&one.name, &trigger.name)
                    || does_the_same(one, trigger))
        })
    }

    /// What was there before and is not after, as columns or as whole tables.
    #[must_use]
    pub fn gone(&self, after: &Self) -> Vec<Gone> {
        let mut gone = Vec::new();
        for relation in &self.relations {
            if relation.kind == RelationKind::View {
                continue;
            }
            let is_gone = |column: Option<&String>| Gone {
                verb: Verb::Drop,
                schema: relation.schema.clone(),
                table: relation.name.clone(),
                column: column.cloned(),
            };
            match after.find(relation.schema.as_deref(), &relation.name) {
                None => gone.push(is_gone(None)),
                Some(now) => {
                    let missing = relation.columns.iter().filter(|column| {
                        let is = |other: &String| match self.dialect() {
                            Dialect::Postgres => other == *column,
                            Dialect::Sqlite | Dialect::Mysql => other.eq_ignore_ascii_case(column),
                        };
                        !now.columns.iter().any(is)
                    });
                    gone.extend(missing.map(|column| is_gone(Some(column))));
                }
            }
        }
        gone
    }

    /// Carries a statement out on what is known.
    fn apply(&mut self, statement: &Statement) {
        self.code.apply(statement);
        let dialect = self.dialect();
        for object in statement.objects() {
            let kind = match object.kind {
                ObjectKind::Table => RelationKind::Table,
                ObjectKind::View => RelationKind::View,
                _ => continue,
            };
            let is_it = |relation: &Relation| {
                dialect.may_be_same_name(&relation.name, &object.name)
                    && dialect.same_place(relation.schema.as_deref(), object.schema.as_deref())
            };
            match object.verb {
                Verb::Create => {
                    if !self.relations.iter().any(is_it) {
                        self.relations.push(Relation {
                            kind,
                            schema: object.schema.clone(),
                            name: object.name.clone(),
                            columns: Vec::new(),
                        });
                    }
                }
                Verb::Drop => self.relations.retain(|relation| !is_it(relation)),
                Verb::Rename => {
                    let renamed = self.relations.iter_mut().find(|relation| is_it(relation));
                    if let (Some(relation), Some(name)) = (renamed, &object.renamed_to) {
                        relation.name.clone_from(name);
                    }
                }
                Verb::Alter => {}
            }
        }
    }

    /// What a script whose statements are committed one by one would lose, from the statement at `from` on, by what its
    /// statements say: triggers, and at which statement.
    #[must_use]
    pub fn would_lose(&self, script: &Script, from: usize) -> Option<(usize, Vec<Dependent>)> {
        let mut now = self.clone();
        for (index, statement) in script.statements.iter().enumerate().skip(from) {
            now.apply(statement);
            let lost = self.lost(&now, script);
            if !lost.is_empty() {
                return Some((index, lost));
            }
        }
        None
    }

    /// What such a script would leave behind.
    #[must_use]
    pub fn would_leave(&self, script: &Script, from: usize) -> Vec<Left> {
        let left = self
            .code
            .clone()
            .left_by(script, from, Commits::EachStatement);
        // Nobody writes to a table that only got its name on the way.
        let is_used = |left: &Left| {
            let table = left.dependent.table.as_deref();
            table.is_none_or(|table| self.find(left.dependent.schema.as_deref(), table).is_some())
        };
        left.into_iter().filter(is_used).collect()
    }
}

/// Whether two triggers do the same under different names.
fn does_the_same(a: &Dependent, b: &Dependent) -> bool {
    fn squeezed(text: &str) -> String {
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }
    // `BEFORE INSERT`, without the name before it and the table after it, where the database keeps them.
    let events = |one: &Dependent| {
        const FIRST: &[&str] = &["before", "after", "instead"];
        let header = squeezed(&one.header).to_ascii_lowercase();
        let words = header.split(' ').skip_while(|word| !FIRST.contains(word));
        let events: Vec<&str> = words.take_while(|word| *word != "on").collect();
        events.join(" ")
    };
    a.calls == b.calls && events(a) == events(b) && squeezed(&a.body) == squeezed(&b.body)
}
