//! What is in a database before and after a script: what of it may have been lost on the way.

use std::collections::BTreeSet;

use super::super::{Dialect, ObjectKind, Script, Statement, Verb};
use super::firing::{Less, Renames, Texts, is_at_work};
use super::{
    Attached, Commits, Dependent, Dependents, Gone, Inventory, Left, RULE, Relation, RelationKind,
    Runs, names,
};

impl RelationKind {
    const fn has_rows(self) -> bool {
        matches!(self, Self::Table | Self::View)
    }
}

/// A trigger that after a script no longer does what it did before.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Lost {
    pub trigger: Dependent,
    pub how: How,
    /// The statement that says so in so many words: it names the trigger, or the function that does less.
    pub said_at: Option<usize>,
}

/// What has become of a trigger.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum How {
    /// Its table has it no more, or it is disabled.
    Gone,
    /// It does less than it did; completes "the trigger …".
    Less(String),
}

impl Script {
    /// Whether it may take anything away that it does not name: what only adds, or writes rows, does not.
    #[must_use]
    pub fn may_take(&self) -> bool {
        self.statements.iter().any(Statement::may_take)
    }
}

impl Statement {
    /// Whether it makes, changes or drops code that runs by itself.
    #[must_use]
    pub fn changes_code(&self) -> bool {
        self.objects().any(|object| is_code(object.kind))
    }

    fn may_take(&self) -> bool {
        use super::super::Effect;
        self.hazard.is_some()
            || matches!(self.effect, Effect::Unknown { .. })
            || self.objects().any(|object| match object.verb {
                Verb::Create => {
                    matches!(self.effect, Effect::Destructive { .. })
                        || object.if_exists_or_not && is_code(object.kind)
                }
                Verb::Drop | Verb::Alter | Verb::Rename => true,
            })
    }
}

/// What runs on its own when somebody else does something.
const fn is_code(kind: ObjectKind) -> bool {
    matches!(
        kind,
        ObjectKind::Trigger | ObjectKind::Function | ObjectKind::View
    )
}

/// What a table has, without the table that it leads to: that may have got another name.
fn but_for_parent(what: &str) -> &str {
    what.rsplit_once(" to `").map_or(what, |(before, _)| before)
}

impl Inventory {
    /// Tables, views, functions and other code that are not there any more after a script with this text, though it holds
    /// no such name, and what tables have lost with them. In words.
    #[must_use]
    pub fn gone_along(&self, after: &Self, script: &str) -> Vec<String> {
        let script = script.to_lowercase();
        let is_named = |name: &str| script.contains(&name.to_lowercase());
        let relations = self.relations.iter().filter(|relation| {
            let is_same = |other: &&Relation| {
                (&other.schema, &other.name) == (&relation.schema, &relation.name)
            };
            // A sequence goes with the column that it is for.
            relation.kind != RelationKind::Sequence
                && !is_named(&relation.name)
                && after.relations.iter().find(is_same).is_none()
        });
        let mut gone: Vec<String> = relations
            .map(|relation| {
                let word = match relation.kind {
                    RelationKind::View => "view",
                    RelationKind::Table => "table",
                    RelationKind::Sequence => "sequence",
                    RelationKind::Type => "type",
                };
                format!("the {word} `{}`", relation.name)
            })
            .collect();
        let code = self.code.all.iter().filter(|one| {
            // What belongs to a table goes with it, and views are relations as well.
            let stands_alone = one.runs != Runs::Elsewhere
                && !matches!(
                    one.kind,
                    ObjectKind::Trigger | ObjectKind::View | ObjectKind::Column
                );
            let is_same = |other: &&Dependent| {
                (other.kind, &other.schema, &other.name) == (one.kind, &one.schema, &one.name)
            };
            stands_alone && !is_named(&one.name) && after.code.all.iter().find(is_same).is_none()
        });
        gone.extend(code.map(|one| format!("the {} `{}`", one.word, one.name)));
        // What tables had that are still there: a foreign key goes with what it leads to.
        let attached = self.attached.iter().filter(|one| {
            let mut columns = one.columns.iter();
            // Of a key that leads to it another table has lost it.
            let is_said = one.with.is_some()
                || is_named(&one.name)
                || is_named(&one.table)
                    && (one.columns.is_empty() || columns.any(|column| is_named(column)));
            let is_there = |relation: &Relation| {
                relation.kind == RelationKind::Table
                    && (&relation.schema, &relation.name) == (&one.schema, &one.table)
            };
            let is_same = |other: &Attached| {
                (&other.schema, &other.table, &other.name) == (&one.schema, &one.table, &one.name)
                    && but_for_parent(&other.what) == but_for_parent(&one.what)
            };
            // What is there now may have taken the place of a view of that name.
            let is_the_same_table = |inventory: &Self| inventory.relations.iter().any(is_there);
            !is_said
                && is_the_same_table(self)
                && is_the_same_table(after)
                && !after.attached.iter().any(is_same)
        });
        gone.extend(
            attached
                .map(|one| format!("of the table `{}` {} (`{}`)", one.table, one.what, one.name)),
        );
        gone
    }

    /// The triggers that do not do after the script what they did before it, on the tables that have the names of theirs.
    #[must_use]
    pub fn lost(&self, after: &Self, script: &Script, texts: Texts) -> Vec<Lost> {
        let triggers = self.code.all.iter().filter(|one| is_at_work(one));
        let renames = Renames::of(script);
        let lost = triggers.filter_map(|trigger| {
            let mut loss = self.loss(trigger, after, texts, &Renames::none(self.dialect()));
            if loss.is_some() && !renames.is_empty() {
                loss = self.loss(trigger, after, texts, &renames);
            }
            let (how, function) = loss?;
            let said_at = script.statements.iter().position(|statement| {
                self.says(statement, trigger, &how)
                    || function
                        .as_deref()
                        .is_some_and(|function| self.replaces(statement, function))
            });
            Some(Lost {
                trigger: trigger.clone(),
                how,
                said_at,
            })
        });
        lost.collect()
    }

    /// Why a trigger that `script` has made does not do here what its text says: completes "the trigger …". `made` is all
    /// that the script makes. `None` if it does, or where there is no such table.
    #[must_use]
    pub fn falls_short(
        &self,
        made: &Dependents,
        script: &Script,
        trigger: &Dependent,
    ) -> Option<String> {
        let renames = Renames::of(script);
        let mut short = self.shortfall(made, trigger, &Renames::none(self.dialect()));
        if short.is_some() && !renames.is_empty() {
            short = self.shortfall(made, trigger, &renames);
        }
        short
    }

    fn shortfall(
        &self,
        made: &Dependents,
        trigger: &Dependent,
        renames: &Renames,
    ) -> Option<String> {
        let table = trigger.table.as_deref()?;
        let relation = self.find(trigger.schema.as_deref(), table)?;
        let wanted = made.firing(trigger, renames);
        let mut short = None;
        for one in self.triggers_of(relation) {
            let is_it = self.dialect().may_be_same_name(&one.name, &trigger.name);
            let now = self.code.firing(one, renames);
            match wanted.less(&now, Texts::FileAndCatalogue) {
                _ if !is_at_work(one) && is_it => short = Some("is disabled".to_owned()),
                None if is_at_work(one) => return None,
                Some(less) if is_it => short = Some(less.how),
                _ => {}
            }
        }
        Some(short.unwrap_or_else(|| "is not there".to_owned()))
    }

    fn dialect(&self) -> Dialect {
        self.code.dialect
    }

    /// Whether the statement names the trigger where it drops it or, for one that does less, makes or changes it.
    fn says(&self, statement: &Statement, trigger: &Dependent, how: &How) -> bool {
        if trigger.word == RULE {
            let says = |word: &str| super::says(self.dialect(), &statement.text, word);
            let is_meant = matches!(how, How::Less(_)) || says("drop");
            return is_meant && says(RULE) && says(&trigger.name);
        }
        statement.objects().any(|object| {
            let is_meant = match (how, object.verb) {
                (_, Verb::Drop) => true,
                (How::Less(_), _) => true,
                (How::Gone, _) => false,
            };
            is_meant
                && object.kind == ObjectKind::Trigger
                && self.dialect().may_be_same_name(&object.name, &trigger.name)
                && match (&object.table, &trigger.table, object.verb) {
                    // What is made on a copy may come to stand in the table's place.
                    (Some(a), Some(b), Verb::Drop) => self.dialect().may_be_same_name(a, b),
                    _ => true,
                }
        })
    }

    fn replaces(&self, statement: &Statement, function: &str) -> bool {
        statement.objects().any(|object| {
            object.kind == ObjectKind::Function
                && self.dialect().may_be_same_name(&object.name, function)
        })
    }

    pub(super) fn find(&self, schema: Option<&str>, name: &str) -> Option<&Relation> {
        let dialect = self.dialect();
        self.relations.iter().find(|relation| {
            relation.kind.has_rows()
                && dialect.may_be_same_name(&relation.name, name)
                && dialect.same_place(relation.schema.as_deref(), schema)
        })
    }

    /// What writes to the table that the trigger was about no longer bring about, with the function by whose text they do
    /// not; `None` if they do, or the table is gone.
    fn loss(
        &self,
        trigger: &Dependent,
        after: &Self,
        texts: Texts,
        renames: &Renames,
    ) -> Option<(How, Option<String>)> {
        let schema = trigger.schema.as_deref();
        let relation = after.find(schema, trigger.table.as_deref()?)?;
        let was_view = self
            .find(schema, &relation.name)
            .is_some_and(|relation| relation.kind == RelationKind::View);
        // A view in the place of its table writes to the table behind it.
        let behind: Vec<&Relation> = match relation.kind {
            RelationKind::View if !was_view => after.behind(relation).collect(),
            _ => Vec::new(),
        };
        let before = self.code.firing(trigger, renames);
        let mut how = (How::Gone, None);
        for one in std::iter::once(relation)
            .chain(behind)
            .flat_map(|relation| after.triggers_of(relation))
            .filter(|one| is_at_work(one))
        {
            // None: this one does it all.
            let Less {
                how: less,
                function,
            } = before.less(&after.code.firing(one, renames), texts)?;
            if self.dialect().may_be_same_name(&one.name, &trigger.name) {
                how = (How::Less(less), function);
            }
        }
        Some(how)
    }

    fn triggers_of<'a>(&'a self, relation: &'a Relation) -> impl Iterator<Item = &'a Dependent> {
        let dialect = self.dialect();
        self.code.all.iter().filter(move |one| {
            one.kind == ObjectKind::Trigger
                && one
                    .table
                    .as_deref()
                    .is_some_and(|table| dialect.may_be_same_name(table, &relation.name))
                && dialect.same_place(one.schema.as_deref(), relation.schema.as_deref())
        })
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
                kind: ObjectKind::Table,
                schema: relation.schema.clone(),
                table: relation.name.clone(),
                column: None,
            };
            relation.kind == RelationKind::Table
                && text.is_some_and(|text| names::names(dialect, text, false, &gone))
        })
    }

    /// What was there before and is not after, as columns or as whole tables.
    #[must_use]
    pub fn gone(&self, after: &Self) -> Vec<Gone> {
        let mut gone = Vec::new();
        for relation in &self.relations {
            let is_gone = |column: Option<&String>| Gone {
                verb: Verb::Drop,
                kind: match (relation.kind, column) {
                    (_, Some(_)) => ObjectKind::Column,
                    (RelationKind::Table, _) => ObjectKind::Table,
                    (RelationKind::View, _) => ObjectKind::View,
                    (RelationKind::Sequence, _) => ObjectKind::Sequence,
                    (RelationKind::Type, _) => ObjectKind::Type,
                },
                schema: relation.schema.clone(),
                table: relation.name.clone(),
                column: column.cloned(),
            };
            if !relation.kind.has_rows() {
                let is_it = |other: &Relation| {
                    (other.kind, &other.schema, &other.name)
                        == (relation.kind, &relation.schema, &relation.name)
                };
                if !after.relations.iter().any(is_it) {
                    gone.push(is_gone(None));
                }
                continue;
            }
            match after.find(relation.schema.as_deref(), &relation.name) {
                None => gone.push(is_gone(None)),
                // What a view shows is for its text to say.
                Some(_) if relation.kind == RelationKind::View => {}
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
        let functions = |inventory: &Self| {
            let all = inventory.code.all.iter();
            let functions =
                all.filter(|one| one.kind == ObjectKind::Function && one.runs != Runs::Elsewhere);
            functions
                .map(|one| (one.schema.clone(), one.name.clone()))
                .collect::<BTreeSet<_>>()
        };
        // One of several of its name may be any of them.
        let lost = functions(self)
            .difference(&functions(after))
            .cloned()
            .collect::<Vec<_>>();
        gone.extend(lost.into_iter().map(|(schema, table)| Gone {
            verb: Verb::Drop,
            kind: ObjectKind::Function,
            schema,
            table,
            column: None,
        }));
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
                            identity: None,
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
    /// statements say: those of `counts`, and at which statement.
    #[must_use]
    pub fn would_lose(
        &self,
        script: &Script,
        from: usize,
        counts: impl Fn(&Lost) -> bool,
    ) -> Option<(usize, Vec<Lost>)> {
        let mut now = self.clone();
        for (index, statement) in script.statements.iter().enumerate().skip(from) {
            now.apply(statement);
            let mut lost = self.lost(&now, script, Texts::FileAndCatalogue);
            lost.retain(&counts);
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
