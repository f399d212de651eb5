//! A revert after rows were filled and written: the schema is as it was, no row of the old format is lost, and old versions go on.

use super::actors::let_all_write;
use super::schema::listed;
use super::told::{first_change, shortened};
use super::writes::{ANEW, is_between, statements};
use crate::model::Step;
use crate::rehearse::RehearseError;
use crate::rehearse::report::Finding;
use crate::rehearse::stage::{Stage, refuse_lost};

pub(super) async fn undo(stage: &mut Stage<'_>) -> Result<(), RehearseError> {
    if stage.files().revert.is_none() || stage.files().expand.is_none() {
        return Ok(());
    }
    let mut world = stage.seeded().await?;
    let is_ready = stage.step(&mut world, Step::Expand).await?
        && stage.step(&mut world, Step::Backfill).await?;
    if !is_ready {
        return Ok(());
    }
    let_all_write(stage, &mut world).await?;
    let before = stage.old_part(&mut world).await?;
    if !stage.step(&mut world, Step::Revert).await? {
        return Ok(());
    }
    let left = world.catalogue().await?.differences(&stage.before);
    if !left.is_empty() {
        stage.find(Finding::wrong(
            "revert-leaves",
            Step::Revert,
            format!(
                "after a revert the schema is not as it was: {}",
                listed(&left)
            ),
            "revert.sql has to undo all that expand.sql does, and nothing else",
        ));
    }
    match stage.old_part(&mut world).await {
        Ok(after) => {
            if let Some(told) = first_change(stage, &before, &after) {
                stage.find(Finding::wrong(
                    "revert-loses",
                    Step::Revert,
                    format!("a revert changes rows of the old format: {told}"),
                    "revert.sql removes the new format, and leaves the rows of the old one as they are",
                ));
            }
        }
        Err(RehearseError::Database(error)) => {
            refuse_lost(&error)?;
            let said = stage.said(&error);
            stage.find(Finding::wrong(
                "revert-loses",
                Step::Revert,
                format!("after a revert the old format cannot be read: {said}"),
                "revert.sql removes the new format, and leaves the old one as it is",
            ));
        }
        Err(other) => return Err(other),
    }
    let mut writes = 0;
    for (surface, rows) in stage.shape.old.clone().iter().zip(&stage.old_rows.clone()) {
        for statement in statements(stage, surface, rows, ANEW * 100) {
            writes += 1;
            if let Err(error) = world.execute(&statement).await {
                refuse_lost(&error)?;
                if is_between(surface, &statement, &error) {
                    continue;
                }
                let said = stage.said(&error);
                let shown = shortened(stage, &statement);
                stage.find(Finding::wrong(
                    "writes-fail-after-revert",
                    Step::Revert,
                    format!("after a revert the old format cannot be written: {said}; in: {shown}"),
                    "drop in revert.sql whatever still speaks of the new format: triggers, functions, constraints",
                ));
                break;
            }
        }
    }
    world.close().await;
    stage.tried("writes after a revert", writes);
    Ok(())
}
