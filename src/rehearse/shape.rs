//! What is in a scratch database before, between and after the steps of a migration, and which of it is the old and which the
//! new format. Pure: catalogues in, differences out.

use std::collections::{BTreeMap, BTreeSet};

use super::values::Kind;

/// A table or a view with what is needed to write rows into it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Relation {
    /// As a statement writes it.
    pub sql: String,
    pub shown: String,
    pub is_table: bool,
    pub columns: Vec<Column>,
    /// Columns that tell one row from another; empty where nothing does.
    pub key: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Column {
    pub name: String,
    pub kind: Kind,
    pub is_nullable: bool,
    pub has_default: bool,
    /// The database computes it.
    pub is_generated: bool,
    /// Given out by the database where nobody says it.
    pub is_auto: bool,
    /// Depends on the moment at which the row is written.
    pub is_volatile: bool,
    /// No two rows have the same.
    pub is_unique: bool,
    /// The table and the column that it has to be found in.
    pub parent: Option<(String, String)>,
}

/// Something in the catalogue by its kind, the table that it belongs to, and its name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Object {
    pub what: String,
    pub table: String,
    pub name: String,
}

impl std::fmt::Display for Object {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.table.is_empty() || self.table == self.name {
            write!(f, "the {} `{}`", self.what, self.name)
        } else {
            write!(f, "the {} `{}` of `{}`", self.what, self.name, self.table)
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Catalogue {
    pub relations: Vec<Relation>,
    /// How each of them is defined.
    pub objects: BTreeMap<Object, String>,
}

/// What a database says of itself, row by row, each value a text. Every database brings the same columns.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// Relation as written, as shown, `table` or `view`, column, type, `1` where NULL is allowed, default or nothing,
    /// `generated`, `auto` or nothing.
    pub columns: Vec<Vec<String>>,
    /// Relation as written, `1` for the primary key, the columns with [`SEPARATOR`] between them; of unique keys over all rows.
    pub keys: Vec<Vec<String>>,
    /// Relation as written, column, the other relation as written, its column.
    pub parents: Vec<Vec<String>>,
    /// Kind, table as shown, name, definition.
    pub objects: Vec<Vec<String>>,
}

pub(super) const SEPARATOR: char = '\u{1f}';

fn at(row: &[String], index: usize) -> &str {
    row.get(index).map_or("", String::as_str)
}

impl Catalogue {
    pub fn read(told: &Told, kind: impl Fn(&str) -> Kind) -> Self {
        let mut catalogue = Self::default();
        for row in &told.columns {
            let sql = at(row, 0);
            if catalogue.get(sql).is_none() {
                catalogue.relations.push(Relation {
                    sql: sql.to_owned(),
                    shown: at(row, 1).to_owned(),
                    is_table: at(row, 2) == "table",
                    columns: Vec::new(),
                    key: Vec::new(),
                });
            }
            let (name, how, default) = (at(row, 3), at(row, 7), at(row, 6));
            let lower = default.to_lowercase();
            let column = Column {
                name: name.to_owned(),
                kind: kind(at(row, 4)),
                is_nullable: at(row, 5) == "1",
                has_default: !default.is_empty(),
                is_generated: how == "generated",
                is_auto: how == "auto",
                is_volatile: ["now()", "current_", "uuid", "random", "localtime", "clock_"]
                    .iter()
                    .any(|word| lower.contains(word) || how.contains(word)),
                is_unique: false,
                parent: None,
            };
            if let Some(relation) = catalogue.relations.iter_mut().find(|r| r.sql == sql) {
                relation.columns.push(column);
            }
            let of_table = at(row, 2) == "table";
            if of_table {
                let null = if at(row, 5) == "1" { "" } else { " NOT NULL" };
                let object = Object {
                    what: "column".to_owned(),
                    table: at(row, 1).to_owned(),
                    name: name.to_owned(),
                };
                let definition = format!("{}{null} DEFAULT {default} {how}", at(row, 4));
                catalogue.objects.insert(object, definition);
            }
        }
        for row in &told.keys {
            let columns: Vec<String> = at(row, 2).split(SEPARATOR).map(str::to_owned).collect();
            let is_primary = at(row, 1) == "1";
            let Some(relation) = catalogue.relations.iter_mut().find(|r| r.sql == at(row, 0))
            else {
                continue;
            };
            if let [one] = columns.as_slice()
                && let Some(column) = relation.columns.iter_mut().find(|c| c.name == *one)
            {
                column.is_unique = true;
            }
            let never_null = columns.iter().all(|name| {
                relation
                    .columns
                    .iter()
                    .any(|column| column.name == *name && !column.is_nullable)
            });
            if is_primary || (relation.key.is_empty() && never_null) {
                relation.key = columns;
            }
        }
        for row in &told.parents {
            let relation = catalogue.relations.iter_mut().find(|r| r.sql == at(row, 0));
            let column = relation
                .and_then(|relation| relation.columns.iter_mut().find(|c| c.name == at(row, 1)));
            if let Some(column) = column {
                column.parent = Some((at(row, 2).to_owned(), at(row, 3).to_owned()));
            }
        }
        for row in &told.keys {
            let columns: Vec<&str> = at(row, 2).split(SEPARATOR).collect();
            let relation = catalogue.relations.iter_mut().find(|r| r.sql == at(row, 0));
            if let Some(relation) = relation.filter(|_| columns.len() > 1) {
                relation.tell_apart(&columns);
            }
        }
        for row in &told.objects {
            let object = Object {
                what: at(row, 0).to_owned(),
                table: at(row, 1).to_owned(),
                name: at(row, 2).to_owned(),
            };
            catalogue.objects.insert(object, at(row, 3).to_owned());
        }
        catalogue
    }

    pub fn get(&self, sql: &str) -> Option<&Relation> {
        self.relations.iter().find(|relation| relation.sql == sql)
    }

    /// The relation that a migration's files call so.
    pub fn named(&self, name: &str) -> Option<&Relation> {
        let same = |a: &str, b: &str| a.eq_ignore_ascii_case(b);
        let last = name.rsplit('.').next().unwrap_or(name);
        self.relations
            .iter()
            .find(|relation| same(&relation.shown, name))
            .or_else(|| self.relations.iter().find(|r| same(&r.shown, last)))
    }

    /// What is there and was not, is gone, or is otherwise than it was; in words.
    pub fn differences(&self, before: &Self) -> Vec<(Object, Difference)> {
        let mut found = Vec::new();
        for (object, definition) in &before.objects {
            match self.objects.get(object) {
                None => found.push((object.clone(), Difference::Gone)),
                Some(now) if now != definition => {
                    found.push((object.clone(), Difference::Changed));
                }
                Some(_) => {}
            }
        }
        let new = self.objects.keys();
        let new = new.filter(|object| !before.objects.contains_key(object));
        found.extend(new.map(|object| (object.clone(), Difference::Added)));
        found
    }

    /// Tables that a row of this one needs, the farthest first, and last the table itself.
    pub fn with_parents(&self, sql: &str) -> Vec<&Relation> {
        let mut found: Vec<&Relation> = Vec::new();
        self.add_with_parents(sql, &mut found, 0);
        found
    }

    fn add_with_parents<'c>(&'c self, sql: &str, found: &mut Vec<&'c Relation>, depth: usize) {
        let Some(relation) = self.get(sql) else {
            return;
        };
        if depth > self.relations.len() || found.iter().any(|there| there.sql == sql) {
            return;
        }
        for (parent, _) in relation.columns.iter().filter_map(|c| c.parent.as_ref()) {
            if parent != sql {
                self.add_with_parents(parent, found, depth + 1);
            }
        }
        if !found.iter().any(|there| there.sql == sql) {
            found.push(relation);
        }
    }

    /// Tables whose rows lead to this one, by however many steps, and this one.
    pub fn with_children(&self, sql: &str) -> Vec<&Relation> {
        let mut names = BTreeSet::from([sql.to_owned()]);
        loop {
            let leads = |relation: &&Relation| {
                let parents = relation.columns.iter().filter_map(|c| c.parent.as_ref());
                !names.contains(&relation.sql)
                    && parents
                        .into_iter()
                        .any(|(parent, _)| names.contains(parent))
            };
            let more: Vec<String> = self
                .relations
                .iter()
                .filter(leads)
                .map(|r| r.sql.clone())
                .collect();
            if more.is_empty() {
                break;
            }
            names.extend(more);
        }
        self.relations
            .iter()
            .filter(|relation| names.contains(&relation.sql))
            .collect()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Difference {
    Added,
    Gone,
    Changed,
}

impl Difference {
    pub const fn word(self) -> &'static str {
        match self {
            Self::Added => "is there and was not",
            Self::Gone => "is gone",
            Self::Changed => "is not as it was",
        }
    }
}

impl Relation {
    /// Makes rows differ that a key over several columns tells apart: by the first of these that can have as many values as there
    /// are rows.
    fn tell_apart(&mut self, key: &[&str]) {
        let is_of_key = |column: &Column| key.contains(&column.name.as_str());
        let is_apart = |column: &Column| {
            is_of_key(column) && (column.is_unique || self.key.contains(&column.name))
        };
        if self.columns.iter().any(is_apart) {
            return;
        }
        let has_many = |column: &&mut Column| {
            is_of_key(column)
                && column.parent.is_none()
                && !matches!(column.kind, Kind::Boolean | Kind::Choice(_) | Kind::Other)
        };
        if let Some(column) = self.columns.iter_mut().find(has_many) {
            column.is_unique = true;
        }
    }

    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// The other table of which a row can have one row here at most: all of the key leads there.
    pub fn owner(&self) -> Option<&str> {
        let mut parents = self.key.iter().map(|name| {
            let (parent, _) = self.column(name)?.parent.as_ref()?;
            (*parent != self.sql).then_some(parent.as_str())
        });
        let first = parents.next()??;
        parents.all(|parent| parent == Some(first)).then_some(first)
    }
}

/// What one format looks like in one table or view: what its versions write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Surface {
    pub relation: Relation,
    /// The columns in which the format is; of a table that one format alone has, all that can be written.
    pub changing: Vec<String>,
    /// Whether both formats are in the same columns: a constraint comes or goes.
    pub is_in_place: bool,
}

/// Where the old and the new format of a migration are, by what its scripts do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Shape {
    /// What versions of the old format write.
    pub old: Vec<Surface>,
    /// What versions of the new format write.
    pub new: Vec<Surface>,
    /// Where both formats are in one row.
    pub both: Vec<Surface>,
}

impl Shape {
    pub fn of(
        before: &Catalogue,
        between: &Catalogue,
        after: &Catalogue,
        backfilled: Option<&str>,
    ) -> Self {
        let mut shape = Self::default();
        let mut changed = before.differences(between);
        changed.extend(between.differences(after));
        let named: Vec<&str> = changed
            .iter()
            .filter_map(|(object, _)| before.named(&object.table))
            .map(|relation| relation.sql.as_str())
            .collect();
        let filled = backfilled.and_then(|table| before.named(table));
        let is_concerned = |relation: &&Relation| {
            relation.is_table
                && (named.contains(&relation.sql.as_str())
                    || filled.is_some_and(|filled| filled.sql == relation.sql))
        };
        for relation in before.relations.iter().filter(is_concerned) {
            let middle = between.get(&relation.sql).filter(|middle| middle.is_table);
            let last = after.get(&relation.sql);
            let (Some(middle), Some(last)) = (middle, last) else {
                // The table itself goes, or becomes a view.
                shape.old.push(Surface::whole(relation));
                continue;
            };
            let old: Vec<String> = names(middle).filter(|n| last.column(n).is_none()).collect();
            let new: Vec<String> = names(middle)
                .filter(|n| relation.column(n).is_none())
                .collect();
            let is_in_place = old.is_empty() && new.is_empty();
            shape.old.push(Surface {
                is_in_place,
                ..Surface::of(relation, &old)
            });
            if is_in_place {
                shape.new.push(Surface {
                    is_in_place,
                    ..Surface::whole(last)
                });
                continue;
            }
            shape.new.push(Surface::of(last, &new));
            if !old.is_empty() && !new.is_empty() {
                let all: Vec<String> = old.iter().chain(&new).cloned().collect();
                shape.both.push(Surface::of(middle, &all));
            }
        }
        for relation in &after.relations {
            let was = before.get(&relation.sql);
            if was.is_none_or(|was| was.is_table != relation.is_table) && relation.is_table {
                shape.new.push(Surface::whole(relation));
            }
        }
        shape
    }

    /// Columns by which a row of the new format is judged, for each table: its key and what is new in it.
    pub fn judged(&self, before: &Catalogue) -> Vec<(String, Vec<String>)> {
        let mut judged = Vec::new();
        for surface in &self.new {
            let relation = &surface.relation;
            let was = before.get(&relation.sql);
            let columns: Vec<String> = match was {
                Some(was) if was.is_table => {
                    let is_new = |name: &String| was.column(name).is_none();
                    let new: Vec<String> = surface
                        .changing
                        .iter()
                        .filter(|n| is_new(n))
                        .cloned()
                        .collect();
                    if new.is_empty() {
                        continue;
                    }
                    relation.key.iter().cloned().chain(new).collect()
                }
                _ => {
                    // What leads to another row is not given out, even where it could be.
                    let is_steady = |column: &&Column| {
                        !column.is_volatile && (!column.is_auto || column.parent.is_some())
                    };
                    let steady = relation.columns.iter().filter(is_steady);
                    let (key, others): (Vec<String>, Vec<String>) = steady
                        .map(|column| column.name.clone())
                        .partition(|name| relation.key.contains(name));
                    key.into_iter().chain(others).collect()
                }
            };
            judged.push((relation.sql.clone(), columns));
        }
        judged
    }
}

fn names(relation: &Relation) -> impl Iterator<Item = String> + '_ {
    relation.columns.iter().map(|column| column.name.clone())
}

impl Surface {
    fn whole(relation: &Relation) -> Self {
        Self::of(relation, &[])
    }

    fn of(relation: &Relation, changing: &[String]) -> Self {
        let is_free = |column: &&Column| {
            !relation.key.contains(&column.name)
                && column.parent.is_none()
                && !column.is_generated
                && !column.is_volatile
        };
        let changing = if changing.is_empty() {
            let free = relation.columns.iter().filter(is_free);
            free.map(|column| column.name.clone()).collect()
        } else {
            let is_written = |name: &&String| {
                relation
                    .column(name)
                    .is_some_and(|column| !column.is_generated)
            };
            changing.iter().filter(is_written).cloned().collect()
        };
        Self {
            relation: relation.clone(),
            changing,
            is_in_place: false,
        }
    }
}
