//! Which migrations change what an earlier one keeps until its contract: columns that its triggers keep in step, or a view in a
//! table's place.
//!
//! Pure: of a declared change its declaration tells, of scripts the objects that their statements name. What only adds other
//! columns, an index or a constraint goes its way: a constraint over new columns may be there before the old ones go.

use std::collections::BTreeMap;

use crate::change::{Change, Kind};
use crate::model::{Basis, Keeps, MigrationId, Step, Sync};
use crate::sql::{Dialect, Object, ObjectKind, Statement, Verb};

use super::definitions::{Contracts, Definitions};
use super::kept::kept;
use super::migration::{Files, Migration};

/// What a migration does that others may build on, or that builds on others.
pub(super) struct Deeds {
    id: MigrationId,
    each: BTreeMap<Dialect, Own>,
}

/// The same on one database.
#[derive(Debug, Default)]
struct Own {
    /// Each with the table or view whose changes concern it.
    keeps: Vec<(String, Keeps)>,
    /// The triggers that keep it, by which one tells a migration that takes them away.
    triggers: Vec<String>,
    changes: Vec<Changes>,
    /// Triggers that its expand takes away, with their tables where the statement names them.
    drops: Vec<(Option<String>, String)>,
    definitions: Definitions,
}

#[derive(Debug)]
enum Changes {
    Column {
        table: String,
        column: String,
        /// Whether it adds one, drops it, or makes something else of it.
        verb: Verb,
    },
    /// Takes it away, or gives it another name.
    Table(String),
    /// Anything that a view cannot stand in for.
    Shape(String),
    /// A trigger of its own beside those that are there, with its text.
    Trigger {
        name: String,
        table: String,
        text: String,
    },
}

impl Deeds {
    pub fn of(migration: &Migration, change: Option<&Change>) -> Self {
        let sync = migration.declaration.sync;
        let each = migration.files.iter().map(|(dialect, files)| {
            let of_scripts = Own::of(sync, files, *dialect);
            let own = match change {
                Some(change) => Own {
                    triggers: of_scripts.triggers,
                    drops: of_scripts.drops,
                    definitions: of_scripts.definitions,
                    ..declared(change)
                },
                None => of_scripts,
            };
            (*dialect, own)
        });
        Self {
            id: migration.id().clone(),
            each: each.collect(),
        }
    }
}

impl Own {
    /// By what the scripts say.
    fn of(sync: Sync, files: &Files, dialect: Dialect) -> Self {
        let expand = || files.expand.iter().flat_map(|file| &file.script.statements);
        Self {
            keeps: kept(sync, files, dialect),
            changes: (files.expand.iter().chain(&files.contract))
                .flat_map(|file| changes(&file.script.statements, dialect))
                .collect(),
            triggers: triggers(expand(), Verb::Create)
                .map(|object| object.name.clone())
                .collect(),
            drops: triggers(expand(), Verb::Drop)
                .map(|object| (object.table.clone(), object.name.clone()))
                .collect(),
            definitions: Definitions::of(files),
        }
    }
}

fn triggers<'s>(
    statements: impl Iterator<Item = &'s Statement>,
    verb: Verb,
) -> impl Iterator<Item = &'s Object> {
    let objects = statements.flat_map(Statement::objects);
    objects.filter(move |object| object.kind == ObjectKind::Trigger && object.verb == verb)
}

/// Without its schema: another table of the same name is taken for it.
fn bare(name: &str) -> String {
    name.rsplit('.').next().unwrap_or(name).to_owned()
}

fn declared(change: &Change) -> Own {
    let table = bare(&change.table);
    let mut own = Own::default();
    let mut columns: Vec<&String> = Vec::new();
    let mut keep = |columns: Vec<String>| {
        let table = table.clone();
        own.keeps
            .push((table.clone(), Keeps::Columns { table, columns }));
    };
    match &change.kind {
        Kind::Columns(kind) => {
            columns.extend(kind.old.iter().chain(kind.new.iter().map(|new| &new.name)));
            keep(columns.iter().copied().cloned().collect());
        }
        Kind::NotNull(kind) => columns.push(&kind.column),
        Kind::AddColumn(kind) => columns.push(&kind.column),
        Kind::Default(kind) => columns.push(&kind.column),
        Kind::Widen(kind) => columns.push(&kind.column),
        Kind::Values(kind) => columns.push(&kind.column),
        Kind::DropColumn(kind) => columns.extend(&kind.columns),
        Kind::RenameTable(kind) => {
            for name in [&table, &kind.to] {
                own.keeps.push((name.clone(), Keeps::View(kind.to.clone())));
            }
            own.changes.push(Changes::Table(table.clone()));
            own.changes.push(Changes::Shape(kind.to.clone()));
        }
        Kind::SplitTable(kind) => {
            let moved = || kind.moved().map(|new| new.name.clone());
            let part = kind.new.iter().map(|new| new.name.clone());
            for (table, columns) in [(&table, moved().collect()), (&kind.to, part.collect())] {
                let table = table.clone();
                own.keeps
                    .push((table.clone(), Keeps::Columns { table, columns }));
            }
            columns.extend(kind.moved().map(|new| &new.name));
            own.changes.push(Changes::Table(kind.to.clone()));
        }
        Kind::DropTable(_) => own.changes.push(Changes::Table(table.clone())),
        Kind::Check(_)
        | Kind::ForeignKey(_)
        | Kind::Unique(_)
        | Kind::Index(_)
        | Kind::DropIndex(_) => {}
    }
    own.changes
        .extend(columns.into_iter().map(|column| Changes::Column {
            table: table.clone(),
            column: column.clone(),
            verb: match &change.kind {
                Kind::AddColumn(_) => Verb::Create,
                _ => Verb::Alter,
            },
        }));
    own.changes.push(Changes::Shape(table));
    own
}

/// What a script changes. Of a table that another takes the place of within it, the triggers are looked at when that is done.
fn changes(statements: &[Statement], dialect: Dialect) -> Vec<Changes> {
    let given = |object: &Object| match object.verb {
        Verb::Create => Some(object.name.clone()),
        Verb::Rename => object.renamed_to.clone(),
        _ => None,
    };
    let relations = statements
        .iter()
        .flat_map(Statement::objects)
        .filter(|object| matches!(object.kind, ObjectKind::Table | ObjectKind::View));
    let there: Vec<String> = relations.filter_map(given).collect();
    let mut changes: Vec<Changes> = statements.iter().flat_map(changed).collect();
    changes.retain(|change| match change {
        Changes::Table(name) => !there.iter().any(|other| dialect.same_name(other, name)),
        _ => true,
    });
    changes
}

fn changed(statement: &Statement) -> Vec<Changes> {
    let mut changes = Vec::new();
    for object in statement.objects() {
        match (object.kind, &object.table) {
            (ObjectKind::Column, Some(table)) => {
                changes.push(Changes::Shape(table.clone()));
                for column in std::iter::once(&object.name).chain(&object.renamed_to) {
                    changes.push(Changes::Column {
                        table: table.clone(),
                        column: column.clone(),
                        verb: object.verb,
                    });
                }
            }
            (ObjectKind::Table, _) => {
                changes.push(Changes::Shape(object.name.clone()));
                if matches!(object.verb, Verb::Drop | Verb::Rename) {
                    changes.push(Changes::Table(object.name.clone()));
                }
            }
            (ObjectKind::Trigger, Some(table)) if object.verb == Verb::Create => {
                changes.push(Changes::Trigger {
                    name: object.name.clone(),
                    table: table.clone(),
                    text: statement.text.clone(),
                });
            }
            (ObjectKind::Constraint | ObjectKind::Index, Some(table)) => {
                changes.push(Changes::Shape(table.clone()));
            }
            _ => {}
        }
    }
    changes
}

/// What an earlier migration keeps.
struct Kept<'d> {
    by: &'d MigrationId,
    triggers: &'d [String],
    keeps: &'d Keeps,
}

impl Kept<'_> {
    fn basis(&self) -> Basis {
        Basis {
            migration: self.by.clone(),
            keeps: self.keeps.clone(),
            from: Step::Expand,
        }
    }
}

/// What each migration builds on, of migrations in their order.
pub(super) fn of_all(each: &[Deeds], dialects: &[Dialect]) -> BTreeMap<MigrationId, Vec<Basis>> {
    let mut bases = BTreeMap::new();
    for dialect in dialects {
        // By the table or view that it is of: a long history is gone through once.
        let mut kept: BTreeMap<String, Vec<Kept<'_>>> = BTreeMap::new();
        let mut contracts = Contracts::default();
        let mut triggers: BTreeMap<&MigrationId, &[String]> = BTreeMap::new();
        for deeds in each {
            let Some(own) = deeds.each.get(dialect) else {
                continue;
            };
            for change in &own.changes {
                let there = kept.get(&change.table().to_lowercase());
                for earlier in there.into_iter().flatten() {
                    if own.has_to_wait_for(earlier, change, *dialect) {
                        add(&mut bases, &deeds.id, earlier.basis());
                    }
                }
            }
            for basis in contracts.before(&own.definitions, *dialect) {
                let triggers = triggers.get(&basis.migration).copied().unwrap_or_default();
                if !own.takes_away(triggers, None, *dialect) {
                    add(&mut bases, &deeds.id, basis);
                }
            }
            for (name, keeps) in &own.keeps {
                kept.entry(name.to_lowercase()).or_default().push(Kept {
                    by: &deeds.id,
                    triggers: &own.triggers,
                    keeps,
                });
            }
            contracts.add(&deeds.id, &own.definitions);
            triggers.insert(&deeds.id, &own.triggers);
        }
    }
    bases
}

/// One for each earlier migration: the one that is waited for first.
fn add(bases: &mut BTreeMap<MigrationId, Vec<Basis>>, id: &MigrationId, basis: Basis) {
    let of_it = bases.entry(id.clone()).or_default();
    let mut known = of_it.iter_mut();
    match known.find(|known| known.migration == basis.migration) {
        Some(known) if known.from <= basis.from => {}
        Some(known) => *known = basis,
        None => of_it.push(basis),
    }
}

impl Own {
    /// Whether this change of it is of what is kept. Who takes the triggers away ends the keeping, and who makes one again goes on
    /// with it: both are looked at when that is done.
    fn has_to_wait_for(&self, earlier: &Kept<'_>, change: &Changes, dialect: Dialect) -> bool {
        let is_of = |name: &String| {
            let mut triggers = earlier.triggers.iter();
            triggers.any(|trigger| dialect.same_name(trigger, name))
        };
        let is_made_again = matches!(change, Changes::Trigger { name, .. } if is_of(name));
        change.is_of(earlier.keeps, dialect)
            && !is_made_again
            && !self.takes_away(earlier.triggers, Some(change.table()), dialect)
    }

    /// Whether its expand takes all of these triggers away. One of the same name on another table is another one.
    fn takes_away(&self, triggers: &[String], table: Option<&str>, dialect: Dialect) -> bool {
        let is_gone = |trigger: &String| {
            self.drops.iter().any(|(of, name)| {
                let is_there = match (of, table) {
                    (Some(of), Some(table)) => dialect.may_be_same_name(of, table),
                    _ => true,
                };
                dialect.same_name(trigger, name) && is_there
            })
        };
        !triggers.is_empty() && triggers.iter().all(is_gone)
    }
}

impl Changes {
    fn table(&self) -> &str {
        match self {
            Self::Column { table, .. }
            | Self::Table(table)
            | Self::Shape(table)
            | Self::Trigger { table, .. } => table,
        }
    }

    /// Whether this changes what is kept, in a table or view of this name.
    fn is_of(&self, keeps: &Keeps, dialect: Dialect) -> bool {
        match (self, keeps) {
            (Self::Column { column, .. }, Keeps::Columns { columns, .. }) => columns
                .iter()
                .any(|kept| dialect.may_be_same_name(kept, column)),
            (Self::Trigger { text, .. }, Keeps::Columns { columns, .. }) => {
                columns.iter().any(|kept| dialect.mentions(text, kept))
            }
            (Self::Table(_), Keeps::Columns { .. } | Keeps::Table(_) | Keeps::View(_)) => true,
            (Self::Shape(_), Keeps::Columns { .. }) => false,
            // Of the table behind it, the view has what it had.
            (_, Keeps::View(name)) => dialect.may_be_same_name(self.table(), name),
            (Self::Column { verb, .. }, Keeps::Table(_)) => *verb != Verb::Create,
            (Self::Shape(_) | Self::Trigger { .. }, Keeps::Table(_)) => false,
            // These are looked at with the contracts.
            (_, Keeps::Definition { .. } | Keeps::Needed { .. }) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::project::scripts::ScriptFile;
    use crate::project::source::FileRef;
    use crate::sql::Script;

    const DIALECT: Dialect = Dialect::Postgres;

    fn file(text: &str) -> Option<ScriptFile> {
        let script = Script::parse(DIALECT, text).unwrap();
        let file = FileRef {
            path: "expand.sql".into(),
            text: text.into(),
            sha256: String::new(),
        };
        (!text.is_empty())
            .then(|| ScriptFile::new(&file, script, std::collections::BTreeSet::new()))
    }

    /// By what its own scripts say, with formats that are kept in step.
    fn own(name: &str, (expand, contract): (&str, &str)) -> Deeds {
        let files = Files {
            expand: file(expand),
            contract: file(contract),
            ..Files::default()
        };
        Deeds {
            id: name.parse().unwrap(),
            each: BTreeMap::from([(DIALECT, Own::of(Sync::Both, &files, DIALECT))]),
        }
    }

    #[test]
    fn what_a_migration_of_scripts_builds_on() {
        const RENAMED: (&str, &str) = (
            "ALTER TABLE users ADD COLUMN nom text; \
             CREATE TRIGGER users_sync BEFORE INSERT ON users FOR EACH ROW EXECUTE FUNCTION f();",
            "ALTER TABLE users DROP COLUMN name;",
        );
        const SPLIT: (&str, &str) = (
            "CREATE TABLE addresses (id bigint, street text); CREATE TABLE notes (id bigint); \
             CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN UPDATE addresses SET street = NEW.street; RETURN NEW; END $$; \
             CREATE TRIGGER users_sync AFTER UPDATE ON users FOR EACH ROW EXECUTE FUNCTION f();",
            "DROP TRIGGER users_sync ON users;",
        );
        const MOVED: (&str, &str) = (
            "CREATE VIEW people AS SELECT * FROM users;",
            "DROP VIEW people; ALTER TABLE users RENAME TO people;",
        );
        const KEPT: Option<&str> = Some("users.name and users.nom");
        for (first, second, expected) in [
            (
                RENAMED,
                "ALTER TABLE users ALTER COLUMN nom SET DEFAULT 'x'",
                KEPT,
            ),
            (RENAMED, "ALTER TABLE users ADD COLUMN name text", KEPT),
            (RENAMED, "ALTER TABLE users RENAME TO people", KEPT),
            (RENAMED, "DROP TABLE users", KEPT),
            (
                RENAMED,
                "CREATE TRIGGER other BEFORE UPDATE OF nom ON users FOR EACH ROW EXECUTE FUNCTION g()",
                KEPT,
            ),
            (RENAMED, "ALTER TABLE users ADD COLUMN age integer", None),
            (RENAMED, "CREATE INDEX CONCURRENTLY i ON users (nom)", None),
            (
                RENAMED,
                "ALTER TABLE users ADD CONSTRAINT c CHECK (nom <> '') NOT VALID",
                None,
            ),
            (RENAMED, "ALTER TABLE posts ADD COLUMN nom text", None),
            (
                RENAMED,
                "ALTER TABLE users RENAME TO users_old; ALTER TABLE users_new RENAME TO users",
                None,
            ),
            (
                RENAMED,
                "ALTER TABLE users RENAME TO people; ALTER TABLE people RENAME TO users_old",
                KEPT,
            ),
            (
                RENAMED,
                "CREATE TRIGGER users_sync BEFORE UPDATE OF nom ON users FOR EACH ROW EXECUTE FUNCTION f()",
                None,
            ),
            (
                SPLIT,
                "ALTER TABLE addresses RENAME street TO line1",
                Some("addresses"),
            ),
            (SPLIT, "ALTER TABLE addresses ADD COLUMN zip text", None),
            (SPLIT, "DROP TABLE addresses", Some("addresses")),
            (
                SPLIT,
                "CREATE INDEX CONCURRENTLY i ON addresses (street)",
                None,
            ),
            (SPLIT, "ALTER TABLE notes ADD COLUMN zip text", None),
            // A trigger of that name on another table is another one, and one of two leaves the other.
            (
                RENAMED,
                "DROP TRIGGER users_sync ON orders; ALTER TABLE users ALTER nom SET DEFAULT ''",
                KEPT,
            ),
            // It undoes the first one.
            (
                RENAMED,
                "DROP TRIGGER users_sync ON users; ALTER TABLE users DROP COLUMN nom",
                None,
            ),
            (
                MOVED,
                "ALTER TABLE people ADD COLUMN age integer",
                Some("people"),
            ),
            (MOVED, "CREATE INDEX i ON people (id)", Some("people")),
            (MOVED, "DROP TABLE users", Some("people")),
            (MOVED, "ALTER TABLE posts ADD COLUMN age integer", None),
        ] {
            let deeds = [own("0001_a", first), own("0002_b", (second, ""))];
            let bases = of_all(&deeds, &[DIALECT]);
            let said: Vec<String> = bases
                .values()
                .flatten()
                .map(|basis| basis.keeps.to_string())
                .collect();
            assert_eq!(said, expected.into_iter().collect::<Vec<_>>(), "{second}");
        }
    }
}
