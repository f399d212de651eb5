//! Versions of the new format alone, beside a control in which the contract is done: what they write before it stays as it does after
//! it. The other trials do not see a trigger that undoes such a write in both formats at once.

use super::actors::{Who, actors};
use super::told::first_change;
use super::writes::{ANEW, statements};
use crate::model::{Formats, Step};
use crate::rehearse::RehearseError;
use crate::rehearse::report::Finding;
use crate::rehearse::stage::{Stage, refuse_lost};

pub(super) async fn write(stage: &mut Stage<'_>) -> Result<(), RehearseError> {
    let declaration = &stage.migration().declaration;
    let refreshes_old = declaration.sync.extend(Formats::NEW) == Formats::BOTH;
    let is_of_both = declaration.has_old() && declaration.has_new();
    if stage.files().contract.is_none() || !refreshes_old || !is_of_both {
        return Ok(());
    }
    // What fails here was found by others.
    let told = stage.findings.len();
    let (mut world, mut control) = (stage.seeded().await?, stage.seeded().await?);
    let mut is_ready = true;
    for one in [&mut world, &mut control] {
        is_ready = is_ready
            && stage.step(one, Step::Expand).await?
            && stage.step(one, Step::Backfill).await?;
    }
    is_ready = is_ready && stage.step(&mut control, Step::Contract).await?;
    stage.findings.truncate(told);
    if is_ready {
        let before = (
            stage.new_rows(&mut world).await?,
            stage.new_rows(&mut control).await,
        );
        // A contract that changes them is told of by another trial.
        if matches!(&before, (one, Ok(other)) if one == other) {
            let writers = actors(stage, &mut world).await?;
            let writers = writers.iter().filter(|actor| actor.who == Who::New);
            let mut writes = 0;
            let mut is_alike = true;
            for (index, actor) in (1..).zip(writers) {
                for statement in statements(stage, &actor.surface, &actor.rows, ANEW * index * 10) {
                    let found = world.execute(&statement).await;
                    let wanted = control.execute(&statement).await;
                    for error in [&found, &wanted]
                        .into_iter()
                        .filter_map(|it| it.as_ref().err())
                    {
                        refuse_lost(error)?;
                    }
                    is_alike &= found.is_ok() == wanted.is_ok();
                    writes += 1;
                }
            }
            if is_alike && writes > 0 {
                let wanted = stage.new_rows(&mut control).await?;
                let found = stage.new_rows(&mut world).await?;
                if let Some(told) = first_change(stage, &wanted, &found) {
                    stage.find(Finding::wrong(
                        "new-rows-changed",
                        Step::Expand,
                        format!(
                            "the same writes of new versions leave other rows in the new format before the contract than after it: {told}"
                        ),
                        "triggers may set the old format after a write of the new one, and nothing else",
                    ));
                }
                stage.tried("writes of the new format alone, beside a control", writes);
            }
        }
    }
    world.close().await;
    control.close().await;
    Ok(())
}
