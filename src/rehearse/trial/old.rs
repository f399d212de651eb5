//! Versions that know nothing of the migration, beside its expand: whatever they could write before they can still write, with
//! the same result. The control is a database without the migration.

use super::fill;
use super::told::{shortened, told};
use super::writes::{ANEW, statements};
use crate::model::{Step, Sync};
use crate::rehearse::RehearseError;
use crate::rehearse::report::Finding;
use crate::rehearse::rows::differing;
use crate::rehearse::stage::{Stage, refuse_lost};
use crate::rehearse::world::World;

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
        let before = control.execute(statement).await;
        let after = world.execute(statement).await;
        match (before, after) {
            (Ok(_), Err(error)) => {
                refuse_lost(&error)?;
                is_like = false;
                let said = stage.said(&error);
                let shown = shortened(stage, statement);
                stage.find(Finding::wrong(
                    "old-writes-fail",
                    Step::Expand,
                    format!("what versions could write before fails after expand: {said}; in: {shown}"),
                    "versions that know nothing of the migration are live beside its expand: give new columns a default or let \
                     them be NULL, keep triggers from failing, and leave constraints to the contract",
                ));
                break;
            }
            (Err(_), Ok(_)) => is_like = false,
            _ => {}
        }
    }
    stage.tried(
        "writes of versions that do not know it, beside a control",
        writes.len(),
    );
    if is_like {
        compare(stage, &mut control, &mut world).await?;
        fill::fill(stage, &mut world).await?;
    }
    control.close().await;
    world.close().await;
    Ok(is_like)
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
