//! The states of the schema in which statements of the application are asked, with the same rows in each.

use crate::model::Step;
use crate::rehearse::RehearseError;
use crate::rehearse::stage::{Stage, is_of_a_row, refuse_lost};
use crate::rehearse::world::World;

/// What one statement brought: rows, where it only reads.
pub(super) type Brought = Result<Option<Vec<Vec<String>>>, Denied>;

/// A statement that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Denied {
    pub said: String,
    /// Whether it was the values of a row that were refused.
    pub is_of_a_row: bool,
}

const MOST: u64 = 500;

pub(super) struct States {
    pub before: World,
    pub between: World,
    pub filled: World,
    /// `None` where the contract could not be carried out.
    pub after: Option<World>,
}

impl States {
    /// `None` where a script failed, which is found.
    pub async fn open(stage: &mut Stage<'_>) -> Result<Option<Self>, RehearseError> {
        let before = stage.seeded().await?;
        let mut between = stage.seeded().await?;
        if !stage.step(&mut between, Step::Expand).await? {
            return Ok(None);
        }
        let mut filled = stage.seeded().await?;
        let mut after = stage.seeded().await?;
        for world in [&mut filled, &mut after] {
            let is_ready =
                stage.step(world, Step::Expand).await? && stage.step(world, Step::Backfill).await?;
            if !is_ready {
                return Ok(None);
            }
        }
        let mut is_contracted = true;
        if stage.files().contract.is_some() {
            let told = stage.findings.len();
            is_contracted = stage.step(&mut after, Step::Contract).await?;
            // Whether it meets rows is told by another trial.
            stage.findings.truncate(told);
        }
        Ok(Some(Self {
            before,
            between,
            filled,
            after: is_contracted.then_some(after),
        }))
    }

    pub async fn close(self) {
        let kept = [self.before, self.between, self.filled];
        for world in kept.into_iter().chain(self.after) {
            world.close().await;
        }
    }
}

/// Twice, because what finds other rows the second time (the time, a random number) says nothing of the migration with its rows.
pub(super) async fn control(
    stage: &Stage<'_>,
    world: &mut World,
    statement: &str,
) -> Result<Brought, RehearseError> {
    let first = ask(stage, world, statement).await?;
    if !matches!(first, Ok(Some(_))) {
        return Ok(first);
    }
    let second = ask(stage, world, statement).await?;
    Ok(if first == second { first } else { Ok(None) })
}

/// Runs the statement, and leaves no trace of it.
pub(super) async fn ask(
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
            Err(Denied {
                said: stage.said(&error),
                is_of_a_row: is_of_a_row(&error).is_some(),
            })
        }
    })
}
