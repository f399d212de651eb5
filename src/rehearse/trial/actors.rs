//! Who may write beside whom where expand and backfill are done, and the rows that they write.

use super::said::Writers;
use super::writes::{ANEW, statements};
use crate::model::Formats;
use crate::rehearse::RehearseError;
use crate::rehearse::rows::{Maker, Rows, Tuple};
use crate::rehearse::shape::Surface;
use crate::rehearse::stage::{Stage, refuse_lost, stored};
use crate::rehearse::world::World;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Who {
    Old,
    New,
    Both,
}

impl Who {
    pub(super) const fn words(self) -> &'static str {
        match self {
            Self::Old => "versions that write the old format alone",
            Self::New => "versions that write the new format alone",
            Self::Both => "versions that write both formats",
        }
    }
}

/// Where the rows come from that versions write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// They are there, or were given.
    There,
    /// Made up, so that what they lead to may be missing.
    MadeUp,
}

/// Versions of one kind on one table.
pub(super) struct Actor {
    pub who: Who,
    pub surface: Surface,
    /// Rows that they may write.
    pub rows: Rows,
    pub origin: Origin,
    /// A row that is there and says nothing in their format yet.
    pub silent: Option<Tuple>,
}

/// Who may write beside whom from now on, where expand and backfill are done.
pub(super) async fn actors(
    stage: &Stage<'_>,
    world: &mut World,
) -> Result<Vec<Actor>, RehearseError> {
    let declaration = &stage.migration().declaration;
    let writers = Writers::of(declaration);
    let refreshes = |written| declaration.sync.extend(written) == Formats::BOTH;
    let catalogue = world.catalogue().await?;
    let mut found = Vec::new();
    if writers.old_alone && (refreshes(Formats::OLD) || !declaration.has_new()) {
        for (surface, rows) in stage.shape.old.iter().zip(&stage.old_rows) {
            found.push(Actor {
                who: Who::Old,
                surface: surface.clone(),
                rows: rows.clone(),
                origin: Origin::There,
                silent: None,
            });
        }
    }
    if writers.both {
        for surface in &stage.shape.both {
            let rows = world
                .dump(&catalogue, &surface.relation.sql, &stored(surface))
                .await?;
            found.push(Actor {
                who: Who::Both,
                surface: surface.clone(),
                origin: Origin::There,
                silent: silent(surface, &rows),
                rows: said(surface, rows),
            });
        }
    }
    if writers.new_alone
        && (refreshes(Formats::NEW) || !declaration.has_old() || !declaration.has_new())
    {
        for surface in &stage.shape.new {
            let Some(there) = catalogue.get(&surface.relation.sql) else {
                continue;
            };
            let columns = stored(surface);
            let mut rows = match columns.iter().all(|name| there.column(name).is_some()) {
                true => {
                    world
                        .dump(&catalogue, &surface.relation.sql, &columns)
                        .await?
                }
                false => continue,
            };
            let silent = silent(surface, &rows);
            rows = said(surface, rows);
            let mut origin = Origin::There;
            if rows.rows.is_empty() {
                rows = made_up(stage, surface);
                origin = Origin::MadeUp;
            }
            found.push(Actor {
                who: Who::New,
                surface: surface.clone(),
                rows,
                origin,
                silent,
            });
        }
    }
    found.retain(|actor| !actor.rows.rows.is_empty());
    Ok(found)
}

/// Rows that say something in the format. One that says nothing counts as of the other.
fn said(surface: &Surface, mut rows: Rows) -> Rows {
    let places = places(surface, &rows);
    rows.rows.retain(|row| says(&places, row));
    rows.rows.truncate(MOST);
    rows
}

fn silent(surface: &Surface, rows: &Rows) -> Option<Tuple> {
    let places = places(surface, rows);
    let mut tuples = rows.rows.iter().zip(rows.tuples());
    tuples.find_map(|(row, tuple)| (!says(&places, row)).then_some(tuple))
}

/// Where the columns of the format are in a row.
fn places(surface: &Surface, rows: &Rows) -> Vec<usize> {
    surface
        .changing
        .iter()
        .filter_map(|name| rows.columns.iter().position(|other| other == name))
        .collect()
}

fn says(places: &[usize], row: &[String]) -> bool {
    places.is_empty()
        || places
            .iter()
            .any(|at| row.get(*at).is_some_and(|value| value != "NULL"))
}

const MOST: usize = 20;

/// Plain rows, where the migration makes none itself.
pub(super) fn made_up(stage: &Stage<'_>, surface: &Surface) -> Rows {
    let maker = Maker {
        relation: &surface.relation,
        changing: &surface.changing,
        parents: &stage.parents,
    };
    let tuples: Vec<Tuple> = (1..=4).map(|number| maker.plain_row(number)).collect();
    let columns: Vec<String> = tuples
        .first()
        .map(|first| first.keys().cloned().collect())
        .unwrap_or_default();
    let rows = tuples
        .iter()
        .map(|tuple| {
            columns
                .iter()
                .map(|name| tuple.get(name).cloned().unwrap_or_default())
                .collect()
        })
        .collect();
    Rows { columns, rows }
}

/// Lets each of them write once, and forgives whatever the database does not take: other trials judge that.
pub(super) async fn let_all_write(
    stage: &Stage<'_>,
    world: &mut World,
) -> Result<(), RehearseError> {
    for (index, actor) in (1..).zip(&actors(stage, world).await?) {
        for statement in statements(stage, &actor.surface, &actor.rows, ANEW * index * 10) {
            if let Err(error) = world.execute(&statement).await {
                refuse_lost(&error)?;
            }
        }
    }
    Ok(())
}
