//! Versions that know nothing of the migration, beside its expand: whatever they could write before they can still write, with
//! the same result. The control is a database without the migration.

use super::fill;
use super::told::{shortened, told};
use super::writes::{ANEW, shortest, statements};
use crate::model::{Step, Sync};
use crate::rehearse::RehearseError;
use crate::rehearse::report::Finding;
use crate::rehearse::rows::{Maker, Rows, Tuple, differing};
use crate::rehearse::shape::Surface;
use crate::rehearse::stage::{Stage, refuse_lost};
use crate::rehearse::world::World;
use crate::sql::Sent;

/// Writes as old versions do, before and after expand; false where nothing else could be told from what is wrong.
pub(super) async fn write(stage: &mut Stage<'_>) -> Result<bool, RehearseError> {
    let surfaces = stage.shape.old.clone();
    let mut control = stage.seeded().await?;
    let mut world = stage.seeded().await?;
    if !stage.step(&mut world, Step::Expand).await? {
        return Ok(false);
    }
    let mut writes = Vec::new();
    for (surface, rows) in surfaces.iter().zip(&stage.old_rows.clone()) {
        writes.extend(statements(stage, surface, rows, ANEW));
    }
    let mut is_like = true;
    for statement in &writes {
        match in_both(stage, statement, &mut control, &mut world).await? {
            Both::Alike => {}
            Both::Unlike => is_like = false,
            Both::Refused => {
                is_like = false;
                break;
            }
        }
    }
    stage.tried(
        "writes of versions that do not know it, beside a control",
        writes.len(),
    );
    if is_like {
        compare(stage, &mut control, &mut world).await?;
        is_like = left_out(stage, &mut control, &mut world).await?;
    }
    if is_like {
        fill::fill(stage, &mut world).await?;
    }
    control.close().await;
    world.close().await;
    Ok(is_like)
}

/// How a statement went beside the control.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Both {
    Alike,
    /// It goes after expand, and did not before.
    Unlike,
    /// It went before, and does not after expand, which is told.
    Refused,
}

async fn in_both(
    stage: &mut Stage<'_>,
    statement: &str,
    control: &mut World,
    world: &mut World,
) -> Result<Both, RehearseError> {
    let before = control.execute(statement).await;
    let after = world.execute(statement).await;
    match (before, after) {
        (Ok(_), Err(error)) => {
            refuse_lost(&error)?;
            let said = stage.said(&error);
            let shown = shortened(stage, statement);
            stage.find(Finding::wrong(
                "old-writes-fail",
                Step::Expand,
                format!("what versions could write before fails after expand: {said}; in: {shown}"),
                "versions that know nothing of the migration are live beside its expand: give new columns a default or let \
                 them be NULL, keep triggers from failing, and leave constraints to the contract",
            ));
            Ok(Both::Refused)
        }
        (Err(_), Ok(_)) => Ok(Both::Unlike),
        _ => Ok(Both::Alike),
    }
}

/// Rows of which versions say no more than they have to: the rest is a default, or the next number of a key. They come last, and are
/// not compared, because the next number is another one where the migration has written rows of its own.
async fn left_out(
    stage: &mut Stage<'_>,
    control: &mut World,
    world: &mut World,
) -> Result<bool, RehearseError> {
    let mut tried = 0;
    for (surface, row) in to_leave_out(stage) {
        for statement in shortest(stage, &surface, &row, ANEW * 9) {
            tried += 1;
            if in_both(stage, &statement, control, world).await? == Both::Refused {
                return Ok(false);
            }
        }
    }
    stage.tried("writes that leave out what has a default", tried);
    Ok(true)
}

/// The tables whose format changes, and those that expand writes rows of: the numbers that it takes may be the next ones of a key.
fn to_leave_out(stage: &Stage<'_>) -> Vec<(Surface, Tuple)> {
    let surfaces = stage.shape.old.iter().zip(&stage.old_rows);
    let first = |(surface, rows): (&Surface, &Rows)| Some((surface.clone(), rows.tuples().next()?));
    let mut found: Vec<(Surface, Tuple)> = surfaces.filter_map(first).collect();
    let expand = stage.files().expand.iter();
    for statement in expand.flat_map(|file| &file.script.statements) {
        let Some(Sent::Write { table, .. }) = stage.dialect().sent(&statement.text) else {
            continue;
        };
        let relation = stage
            .before
            .named(&table)
            .filter(|relation| relation.is_table);
        let Some(relation) = relation else {
            continue;
        };
        if found
            .iter()
            .any(|(surface, _)| surface.relation.sql == relation.sql)
        {
            continue;
        }
        let maker = Maker {
            relation,
            changing: &[],
            parents: &stage.parents,
        };
        let row = maker.plain_row(ANEW);
        found.push((
            Surface {
                relation: relation.clone(),
                changing: Vec::new(),
                is_in_place: false,
            },
            row,
        ));
    }
    found
}

async fn compare(
    stage: &mut Stage<'_>,
    control: &mut World,
    world: &mut World,
) -> Result<(), RehearseError> {
    let wanted = stage.old_part(control).await?;
    let found = stage.old_part(world).await;
    let found = match found {
        Ok(found) => found,
        Err(RehearseError::Database(error)) => {
            refuse_lost(&error)?;
            let said = stage.said(&error);
            stage.find(Finding::wrong(
                "old-rows-gone",
                Step::Expand,
                format!("after expand the old format cannot be read any more: {said}"),
                "leave it as it is until the contract, or keep a view of its name",
            ));
            return Ok(());
        }
        Err(other) => return Err(other),
    };
    let is_synced = stage.migration().declaration.sync != Sync::None;
    let surfaces = stage.shape.old.clone();
    for (surface, (wanted, found)) in surfaces.iter().zip(wanted.iter().zip(&found)) {
        // What keeps the formats of one column in step changes that very column.
        if surface.is_in_place && is_synced {
            continue;
        }
        let pairs = differing(wanted, found);
        if let Some((row, other)) = pairs.first() {
            let told = told(stage, &wanted.columns, *row, *other);
            stage.find(Finding::wrong(
                "old-rows-changed",
                Step::Expand,
                format!("the same writes of old versions leave other rows in the old format after expand: {told}"),
                "triggers may set the new format after a write of the old one, and nothing else",
            ));
        }
    }
    Ok(())
}
