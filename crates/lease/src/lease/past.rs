//! What another migration tool has done without asking: the ledger cannot know of it, and the tool's own history does.
//!
//! That history is read by whoever knows the project. An application whose project is not beside it decides by the ledger alone.

use std::fmt::Debug;

use async_trait::async_trait;

use crate::database::Connection;
use crate::gate::Evidence;
use crate::model::{PastDone, Shown, Step};

/// Reads the history of the project's other migration tool.
#[async_trait]
pub trait History: Debug + Send + Sync {
    /// What it shows of the steps that the tool carries out, over the connection of an admission, in no transaction. Nothing where it
    /// cannot be read, and then an admission goes by the ledger; whoever implements this says so, once.
    async fn shown(&self, connection: &mut dyn Connection) -> Vec<Shown>;
}

pub(super) async fn shown(
    history: Option<&dyn History>,
    connection: &mut dyn Connection,
) -> Vec<Shown> {
    match history {
        Some(history) => history.shown(connection).await,
        None => Vec::new(),
    }
}

/// Counts what was taken away past the gate, as the gate does. Answers what is to be said of it.
pub(super) fn count(shown: &[Shown], evidence: &mut Evidence) -> Vec<String> {
    let taken: Vec<(&Shown, PastDone, Step)> = shown
        .iter()
        .filter_map(|one| {
            let done = one.past(evidence.schema.get(&one.migration)?.phase)?;
            Some((one, done, done.is_as(one.step)?))
        })
        .collect();
    let mut said = Vec::new();
    for (one, done, step) in taken {
        if let Some(state) = evidence.schema.get_mut(&one.migration) {
            *state = state.begun(step, &[]);
        }
        said.push(words(one, done));
    }
    said
}

fn words(shown: &Shown, done: PastDone) -> String {
    let Shown {
        migration, tool, ..
    } = shown;
    match done {
        PastDone::Applied => format!(
            "{migration}: by the history of {tool} `{}` was applied outside of Phasegate, past its gate; `migrate status` tells what to do",
            shown.there.join("`, `")
        ),
        PastDone::TakenBack => format!(
            "{migration}: the history of {tool} does not have `{}` any more; `migrate status` tells what to do",
            shown.gone.join("`, `")
        ),
    }
}
