//! The statements of the application itself, in every state in which the model lets its versions live: they have to run, and
//! those that only read have to find the same rows.

use super::told::shortened;
use crate::model::Step;
use crate::rehearse::RehearseError;
use crate::rehearse::report::{Finding, masked};
use crate::rehearse::stage::{Stage, refuse_lost};
use crate::rehearse::world::World;

/// What one statement brought: rows, where it only reads.
type Brought = Result<Option<Vec<Vec<String>>>, String>;

const MOST: u64 = 500;

pub(super) async fn run(stage: &mut Stage<'_>) -> Result<(), RehearseError> {
    let probes = stage.migration().probes.clone();
    if probes.is_empty() {
        return Ok(());
    }
    let mut before = stage.seeded().await?;
    let mut between = stage.seeded().await?;
    if !stage.step(&mut between, Step::Expand).await? {
        return Ok(());
    }
    let mut filled = stage.seeded().await?;
    let mut after = stage.seeded().await?;
    let mut is_contracted = true;
    for world in [&mut filled, &mut after] {
        let is_ready =
            stage.step(world, Step::Expand).await? && stage.step(world, Step::Backfill).await?;
        if !is_ready {
            return Ok(());
        }
    }
    if stage.files().contract.is_some() {
        let told = stage.findings.len();
        is_contracted = stage.step(&mut after, Step::Contract).await?;
        // Whether it meets rows is told by another trial.
        stage.findings.truncate(told);
    }
    let mut times = 0;
    for (service, probes) in &probes {
        for statement in &probes.old {
            times += 1;
            let wanted = ask(stage, &mut before, statement).await?;
            if let Err(said) = &wanted {
                find(
                    stage,
                    service,
                    "old",
                    statement,
                    "before the migration",
                    said,
                );
                continue;
            }
            for (world, state) in [
                (&mut between, "after expand"),
                (&mut filled, "after the backfill"),
            ] {
                let found = ask(stage, world, statement).await?;
                judge(stage, (service, "old", statement, state), &wanted, &found);
            }
        }
        for statement in &probes.new {
            times += 1;
            let first = ask(stage, &mut between, statement).await?;
            if let Err(said) = &first {
                find(stage, service, "new", statement, "after expand", said);
                continue;
            }
            let wanted = ask(stage, &mut filled, statement).await?;
            if is_contracted {
                let found = ask(stage, &mut after, statement).await?;
                judge(
                    stage,
                    (service, "new", statement, "after the contract"),
                    &wanted,
                    &found,
                );
            }
        }
    }
    stage.tried("statements of the application", times);
    for world in [before, between, filled, after] {
        world.close().await;
    }
    Ok(())
}

/// Runs the statement, and leaves no trace of it.
async fn ask(
    stage: &Stage<'_>,
    world: &mut World,
    statement: &str,
) -> Result<Brought, RehearseError> {
    let first = statement.trim_start().to_lowercase();
    let only_reads = first.starts_with("select") || first.starts_with("values");
    let brought = if only_reads {
        world.sample(statement, MOST).await.map(|mut rows| {
            rows.sort();
            Some(rows)
        })
    } else {
        world.try_out(statement).await.map(|()| None)
    };
    Ok(match brought {
        Ok(rows) => Ok(rows),
        Err(error) => {
            refuse_lost(&error)?;
            Err(stage.said(&error))
        }
    })
}

fn judge(
    stage: &mut Stage<'_>,
    (service, format, statement, state): (&str, &str, &str, &str),
    wanted: &Brought,
    found: &Brought,
) {
    match (wanted, found) {
        (_, Err(said)) => find(stage, service, format, statement, state, said),
        (Ok(Some(wanted)), Ok(Some(found))) if wanted != found => {
            let shown = masked(&shortened(stage, statement));
            stage.find(Finding::wrong(
                "probe-differs",
                None,
                format!(
                    "{state} a statement of `{service}` finds other rows than before ({} instead of {}, or others): {shown}",
                    found.len(),
                    wanted.len()
                ),
                "the same rows have to be found as long as versions with this statement may be live",
            ));
        }
        _ => {}
    }
}

fn find(
    stage: &mut Stage<'_>,
    service: &str,
    format: &str,
    statement: &str,
    state: &str,
    said: &str,
) {
    let shown = masked(&shortened(stage, statement));
    let help = match (format, state) {
        ("old", "before the migration") => {
            "`old` holds statements of versions that use the old format, which run before anything is migrated: are `old` and `new` \
             the wrong way round?"
        }
        ("old", _) => {
            "versions that use the old format are live until the contract: leave what they use, or say in `old` and `new` of the \
             service which versions are really meant"
        }
        _ => {
            "versions that use the new format are live from expand on and after the contract: what they use has to be there, or \
             `new` of the service names versions too many"
        }
    };
    stage.find(Finding::wrong(
        "probe-fails",
        None,
        format!("{state} a statement of `{service}` fails, which versions of its {format} format run there: {said}; in: {shown}"),
        help,
    ));
}
