//! The statements that a trial writes with.

use crate::database::DatabaseError;
use crate::rehearse::rows::{Maker, Rows, Tuple, Writer};
use crate::rehearse::shape::{Relation, Surface};
use crate::rehearse::stage::Stage;

/// Rows with numbers from here on are written by trials.
pub(super) const ANEW: u64 = 1000;
/// And those that they belong to have numbers so much higher.
const OWNERS: u64 = 5000;

/// New rows of one surface. Where the key of a row is that of a row in another table, it has to be one that nothing belongs to yet: so
/// each comes with such a row.
pub(super) struct Fresh<'f> {
    writer: Writer<'f>,
    stage: &'f Stage<'f>,
    owner: Option<Relation>,
}

impl<'f> Fresh<'f> {
    pub fn new(stage: &'f Stage<'f>, surface: &'f Surface) -> Self {
        let relation = &surface.relation;
        // Who writes a table that is new sees the others as they will be.
        let catalogue = match stage.before.get(&relation.sql) {
            Some(_) => &stage.before,
            None => &stage.after,
        };
        Self {
            writer: stage.writer(surface),
            stage,
            owner: relation
                .owner()
                .and_then(|owner| catalogue.get(owner))
                .cloned(),
        }
    }

    /// The tuple as a row of its own, and the statement that has to come before.
    pub fn row(&self, tuple: &Tuple, number: u64) -> (Option<String>, Tuple) {
        let mut tuple = self.writer.anew(tuple, number);
        let Some(owner) = &self.owner else {
            return (None, tuple);
        };
        let surface = Surface {
            relation: owner.clone(),
            changing: Vec::new(),
            is_in_place: false,
        };
        let maker = Maker {
            relation: owner,
            changing: &[],
            parents: &self.stage.parents,
        };
        let owned = maker.plain_row(number + OWNERS);
        for column in &self.writer.surface.relation.columns {
            let parent = column.parent.as_ref();
            let parent = parent.filter(|(table, _)| *table == owner.sql);
            let value = parent.and_then(|(_, name)| owned.get(name));
            if let (Some(value), true) = (
                value,
                self.writer.surface.relation.key.contains(&column.name),
            ) {
                tuple.insert(column.name.clone(), value.clone());
            }
        }
        let insert = self.stage.writer(&surface).insert(&owned);
        (Some(insert), tuple)
    }
}

/// Statements of one version on one surface, made from rows that it may write. New rows have numbers from `first` on.
pub(super) fn statements(
    stage: &Stage<'_>,
    surface: &Surface,
    rows: &Rows,
    first: u64,
) -> Vec<String> {
    let writer = stage.writer(surface);
    let anew = Fresh::new(stage, surface);
    let tuples: Vec<Tuple> = rows.tuples().collect();
    let mut found = Vec::new();
    let mut number = first;
    // Each kind of version gives a row other values than the one before it, or nothing would change.
    let stride = usize::try_from(first / (ANEW * 10)).unwrap_or_default() + 1;

    let mut next = || {
        number += 1;
        number
    };
    for (index, tuple) in tuples.iter().enumerate() {
        let (owner, fresh) = anew.row(tuple, next());
        found.extend(owner);
        found.push(writer.insert(&fresh));
        let other = tuples.get((index + stride) % tuples.len()).unwrap_or(tuple);
        // A row that was written with the triggers there has both formats, and is written again.
        if index % 2 == 1 {
            found.extend(writer.update(&fresh, other));
        }
        found.extend(writer.update(other, tuple));
        // Many write what has changed alone. In the end the row is one that they may write at once.
        if index % 3 == 2 {
            found.extend(writer.update_each(&fresh, other));
        }
        if index % 5 == 4 {
            found.extend(writer.delete(&fresh));
        }
    }
    if let [one, other, ..] = tuples.as_slice() {
        let pair = [anew.row(one, next()), anew.row(other, next())];
        found.extend(pair.iter().filter_map(|(owner, _)| owner.clone()));
        found.extend(writer.insert_all(&pair.map(|(_, row)| row)));
    }
    // What a version says of a row that it need not say may be missing.
    if let Some(one) = tuples.first() {
        let (owner, mut tuple) = anew.row(one, next());
        found.extend(owner);
        tuple.retain(|name, _| is_needed(surface, name));
        found.push(writer.insert(&tuple));
    }
    if let (Some(last), true) = (tuples.last(), tuples.len() > 4) {
        found.extend(writer.delete(last));
        found.extend(writer.delete(&anew.row(last, first + 1).1));
    }
    found
}

/// Inserts that say what they have to say and nothing else: the key as well where it is given out, and then with it.
pub(super) fn shortest(
    stage: &Stage<'_>,
    surface: &Surface,
    row: &Tuple,
    number: u64,
) -> Vec<String> {
    let relation = &surface.relation;
    let (owner, tuple) = Fresh::new(stage, surface).row(row, number);
    let writer = stage.writer(surface);
    let is_key = |name: &String| relation.key.contains(name);
    let is_needed = |name: &String| {
        let column = relation.column(name);
        !column.is_some_and(|column| column.is_nullable || column.has_default || column.is_auto)
    };
    // A key that is another one each time would not be found again.
    let is_given_out = |name: &String| {
        let column = relation.column(name);
        column.is_some_and(|column| !column.is_volatile)
    };
    let mut bare: Tuple = tuple.clone();
    bare.retain(|name, _| is_needed(name) || is_key(name) && !is_given_out(name));
    // A row of which nothing is said has another form on each database.
    if bare.is_empty() {
        let said = tuple.iter().find(|(name, _)| {
            let column = relation.column(name);
            !is_key(name) && column.is_some_and(|column| !column.has_default && !column.is_unique)
        });
        bare.extend(said.map(|(name, value)| (name.clone(), value.clone())));
    }
    let mut with_key = bare.clone();
    with_key.extend(tuple.into_iter().filter(|(name, _)| is_key(name)));
    let mut tuples = vec![bare, with_key];
    tuples.retain(|tuple| !tuple.is_empty());
    tuples.dedup();
    let inserts = tuples.iter().map(|tuple| writer.insert(tuple));
    owner.into_iter().chain(inserts).collect()
}

/// Rows that versions of the old format leave as they are after one more write: of one column alone, to nothing, and from nothing.
/// What follows would hide that a trigger has missed it. Any mixture of values is a row of the old format; of the new one it is not.
pub(super) fn left_so(
    stage: &Stage<'_>,
    surface: &Surface,
    rows: &Rows,
    first: u64,
) -> Vec<String> {
    let changing = &surface.changing;
    let tuples: Vec<Tuple> = rows.tuples().collect();
    let says_all = |tuple: &&Tuple| {
        let mut values = changing.iter().map(|name| tuple.get(name));
        values.all(|value| value.is_some_and(|value| value != "NULL"))
    };
    let Some(whole) = tuples.iter().find(says_all).filter(|_| changing.len() > 1) else {
        return Vec::new();
    };
    let writer = stage.writer(surface);
    let anew = Fresh::new(stage, surface);
    let can_be_silent = changing.iter().all(|name| {
        let column = surface.relation.column(name);
        column.is_some_and(|column| column.is_nullable)
    });
    let nothing = changing
        .iter()
        .map(|name| (name.clone(), "NULL".to_owned()));
    let nothing: Tuple = nothing.collect();
    let silent: Tuple = whole.clone().into_iter().chain(nothing.clone()).collect();
    let of = |tuple: &Tuple, name: &String| {
        let value = tuple.get(name).cloned();
        value.map(|value| Tuple::from([(name.clone(), value)]))
    };
    // As a row was, and what is written then.
    let mut writes: Vec<(&Tuple, Tuple)> = Vec::new();
    for name in changing {
        let other = tuples
            .iter()
            .find(|other| other.get(name) != whole.get(name));
        writes.extend(other.and_then(|other| Some((whole, of(other, name)?))));
        if can_be_silent {
            writes.extend(of(whole, name).map(|one| (&silent, one)));
        }
    }
    if can_be_silent {
        writes.extend([(whole, nothing), (&silent, whole.clone())]);
    }
    let mut found = Vec::new();
    for (number, (was, written)) in (first..).zip(writes) {
        let (owner, fresh) = anew.row(was, number);
        found.extend(owner);
        found.push(writer.insert(&fresh));
        found.extend(writer.update(&fresh, &written));
    }
    found
}

/// Whether it is no mistake that a statement fails: what is written column by column need not keep a condition over several in between.
pub(super) fn is_between(surface: &Surface, statement: &str, error: &DatabaseError) -> bool {
    let is_of_condition = matches!(
        error.code.as_deref(),
        Some("23514" | "3819" | "4025" | "275")
    );
    is_of_condition && surface.changing.len() > 1 && statement.starts_with("UPDATE")
}

/// Whether a row cannot be written without saying this column, or is told from others by it.
fn is_needed(surface: &Surface, name: &str) -> bool {
    let relation = &surface.relation;
    let column = relation.column(name);
    let can_be_left_out =
        column.is_some_and(|column| column.is_nullable || column.has_default || column.is_auto);
    !can_be_left_out
        || relation.key.iter().any(|key| key == name)
        || surface.changing.iter().any(|other| other == name)
}
