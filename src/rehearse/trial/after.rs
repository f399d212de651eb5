//! The contract on rows that live versions have written, and the writes of those that go on after it.

use super::actors::{let_all_write, made_up};
use super::told::{first_change, shortened};
use super::writes::{ANEW, is_between, statements};
use crate::model::Step;
use crate::rehearse::RehearseError;
use crate::rehearse::report::{Finding, Weight};
use crate::rehearse::stage::{Stage, is_of_a_row, refuse_lost, stored};
use crate::rehearse::world::World;

pub(super) async fn contract(stage: &mut Stage<'_>, is_sound: bool) -> Result<(), RehearseError> {
    if stage.files().contract.is_none() {
        return Ok(());
    }
    let mut world = stage.seeded().await?;
    let is_ready = stage.step(&mut world, Step::Expand).await?
        && stage.step(&mut world, Step::Backfill).await?;
    if !is_ready {
        return Ok(());
    }
    if is_sound {
        let_all_write(stage, &mut world).await?;
        stage.step(&mut world, Step::Backfill).await?;
    }
    if !is_allowed(stage, &mut world).await? {
        // The rows have to be mended before: without them it still has to leave everybody able to write.
        world.close().await;
        world = stage.base.fresh().await?;
        let is_ready = stage.step(&mut world, Step::Expand).await?
            && stage.step(&mut world, Step::Backfill).await?;
        if !is_ready {
            return Ok(());
        }
    }
    let before = stage.new_rows(&mut world).await?;
    let told_before = stage.findings.len();
    if !stage.step(&mut world, Step::Contract).await? {
        let is_told = |finding: &Finding| {
            finding.code == "script-fails" && finding.step == Some(Step::Contract)
        };
        if stage.findings.iter().take(told_before).any(is_told) {
            // It fails without rows as well.
            stage.findings.truncate(told_before);
        }
        for finding in stage.findings.iter_mut().skip(told_before) {
            finding.weight = Weight::Doubt;
            finding.code = "contract-meets-rows";
            "if your application writes such rows, count them under `require` in [contract], so that nothing is begun before they \
             are mended"
                .clone_into(&mut finding.help);
        }
        world.close().await;
        return Ok(());
    }
    if let Ok(after) = stage.new_rows(&mut world).await
        && let Some(told) = first_change(stage, &before, &after)
    {
        stage.find(Finding::wrong(
            "contract-changes-new",
            Step::Contract,
            format!("the contract changes the new format: {told}"),
            "contract.sql removes the old format, and leaves the rows of the new one as they are",
        ));
    }
    goes_on(stage, &mut world).await?;
    world.close().await;
    Ok(())
}

/// What the contract would ask before.
async fn is_allowed(stage: &mut Stage<'_>, world: &mut World) -> Result<bool, RehearseError> {
    let dialect = stage.dialect();
    let mut queries = Vec::new();
    let rules = &stage.migration().contract_rules;
    queries.extend(
        rules
            .require
            .iter()
            .map(|query| query.of(dialect).to_owned()),
    );
    if let Some(rules) = &stage.migration().backfill {
        queries.push(rules.remaining.of(dialect).to_owned());
    }
    for query in &queries {
        match world.count(query).await {
            Ok(0) => {}
            Ok(_) => return Ok(false),
            Err(error) => {
                refuse_lost(&error)?;
                let said = stage.said(&error);
                stage.find(Finding::wrong(
                    "require-fails",
                    Step::Contract,
                    format!("a query that is asked before the contract fails: {said}"),
                    "mend the query",
                ));
                return Ok(false);
            }
        }
    }
    Ok(true)
}

/// Versions of the new format go on writing.
async fn goes_on(stage: &mut Stage<'_>, world: &mut World) -> Result<(), RehearseError> {
    let catalogue = world.catalogue().await?;
    let mut writes = 0;
    for surface in stage.shape.new.clone() {
        let columns = stored(&surface);
        let Ok(mut rows) = world
            .dump(&catalogue, &surface.relation.sql, &columns)
            .await
        else {
            continue;
        };
        rows.rows.truncate(20);
        let is_made_up = rows.rows.is_empty();
        if is_made_up {
            rows = made_up(stage, &surface);
        }
        let statements = statements(stage, &surface, &rows, ANEW * 100);
        writes += statements.len();
        let mut failed = None;
        for statement in &statements {
            match world.execute(statement).await {
                Ok(_) => {}
                // Nobody has made these rows up so that they keep what the contract demands.
                Err(error) if is_made_up && is_of_a_row(&error).is_some() => {}
                Err(error) if is_between(&surface, statement, &error) => {}
                Err(error) => {
                    refuse_lost(&error)?;
                    failed.get_or_insert((statement.clone(), error));
                }
            }
        }
        if let Some((statement, error)) = failed {
            let said = stage.said(&error);
            let shown = shortened(stage, &statement);
            stage.find(Finding::wrong(
                "writes-fail-after-contract",
                Step::Contract,
                format!("after the contract the new format cannot be written: {said}; in: {shown}"),
                "drop in contract.sql whatever still speaks of the old format: triggers, functions, constraints",
            ));
        }
    }
    if writes > 0 {
        stage.tried("writes after the contract", writes);
    }
    Ok(())
}
