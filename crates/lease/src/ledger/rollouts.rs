//! Rollouts: what each is to do, and how far it has come.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::{EventKind, Ledger, LedgerError, first};
use crate::database::Row;
use crate::model::Version;

/// What has become of a rollout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RolloutState {
    /// It is under way, or can be taken up again.
    Open,
    Done,
    /// It was given up.
    Aborted,
}

impl RolloutState {
    const ALL: [Self; 3] = [Self::Open, Self::Done, Self::Aborted];

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Done => "done",
            Self::Aborted => "aborted",
        }
    }
}

/// What has become of one of its steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RolloutStepState {
    Waiting,
    /// It may have had any part of its effect.
    Begun,
    Done,
}

impl RolloutStepState {
    const ALL: [Self; 3] = [Self::Waiting, Self::Begun, Self::Done];

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Begun => "begun",
            Self::Done => "done",
        }
    }
}

/// A rollout as it is recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RolloutRecord {
    pub id: i64,
    /// A JSON object: the version that each service is to end at.
    pub goal: String,
    pub state: RolloutState,
    /// Who began it.
    pub began_by: String,
    /// Milliseconds since the epoch, by the database's clock, as every moment here.
    pub began_at: i64,
    pub ended_at: Option<i64>,
    /// Why it stopped when last it did; empty while it runs.
    pub stopped: String,
    /// Fixed when it begins; in their order.
    pub steps: Vec<RolloutStep>,
}

/// One step of a rollout as it is recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RolloutStep {
    /// A JSON object: what it does.
    pub action: String,
    pub state: RolloutStepState,
    /// Percent of the service that its driver was last called for, and has finished.
    pub reached: u8,
    pub started_at: Option<i64>,
    pub done_at: Option<i64>,
}

/// Whether a rollout began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BeganRollout {
    Yes,
    /// This one is open.
    No(RolloutRecord),
}

impl RolloutRecord {
    /// Where each service is to end, in words: `web 1.2.0, worker 2.0.0`.
    #[must_use]
    pub fn goal_in_words(&self) -> String {
        let goal: BTreeMap<String, String> = serde_json::from_str(&self.goal).unwrap_or_default();
        let each = goal
            .iter()
            .map(|(service, version)| format!("{service} {version}"));
        each.collect::<Vec<_>>().join(", ")
    }

    /// The services that it has still to roll, or is rolling, each with the version that it ends at; none
    /// where it is over. What it replaces goes by itself, as long as somebody works on it.
    #[must_use]
    pub fn rolling(&self) -> BTreeMap<String, Version> {
        let is_left = |step: &&RolloutStep| {
            self.state == RolloutState::Open && step.state != RolloutStepState::Done
        };
        let left = self.steps.iter().filter(is_left);
        left.filter_map(|step| rolled(&step.action)).collect()
    }
}

pub(super) const LAST_ROLLOUT: &str = "SELECT id, goal, state, began_by, began_at, ended_at, stopped FROM {rollouts} \
     ORDER BY id DESC LIMIT 1";
pub(super) const LAST_STEPS: &str = "SELECT action, state, reached, started_at, done_at FROM {rollout_steps} \
     WHERE rollout = (SELECT max(id) FROM {rollouts}) ORDER BY position";

/// The rollout that began last, of what [`LAST_ROLLOUT`] and [`LAST_STEPS`] have returned.
pub(super) fn read_rollout(
    rows: &[Row],
    steps: &[Row],
) -> Result<Option<RolloutRecord>, LedgerError> {
    let Some(row) = rows.first() else {
        return Ok(None);
    };
    Ok(Some(RolloutRecord {
        id: row.int(0)?,
        goal: row.text(1)?.to_owned(),
        state: named(row.text(2)?, RolloutState::ALL, RolloutState::name)?,
        began_by: row.text(3)?.to_owned(),
        began_at: row.int(4)?,
        ended_at: moment(row, 5)?,
        stopped: row.text(6)?.to_owned(),
        steps: steps.iter().map(read_step).collect::<Result<_, _>>()?,
    }))
}

impl Ledger<'_> {
    /// The rollout that began last.
    ///
    /// # Errors
    /// A database error, or contents that this program did not write.
    pub async fn last_rollout(&mut self) -> Result<Option<RolloutRecord>, LedgerError> {
        let [rollout, steps] = self.query_all([LAST_ROLLOUT, LAST_STEPS]).await?;
        read_rollout(&rollout, &steps)
    }

    /// Begins a rollout with these steps, unless another one is open: what each does, and how many percent of its service it has
    /// reached before it begins.
    ///
    /// # Errors
    /// A database error.
    pub async fn begin_rollout(
        &mut self,
        goal: &Json,
        steps: &[(Json, u8)],
        actor: &str,
    ) -> Result<BeganRollout, LedgerError> {
        let id = match self.last_rollout().await? {
            Some(last) if last.state == RolloutState::Open => {
                return Ok(BeganRollout::No(last));
            }
            Some(last) => last.id.saturating_add(1),
            None => 1,
        };
        self.execute(
            "INSERT INTO {rollouts} (id, goal, state, began_by, began_at, stopped) \
             VALUES (?, ?, ?, ?, {now}, '')",
            &[
                id.into(),
                goal.to_string().into(),
                RolloutState::Open.name().into(),
                actor.into(),
            ],
        )
        .await?;
        for (position, (action, reached)) in (1_i64..).zip(steps) {
            self.execute(
                "INSERT INTO {rollout_steps} (rollout, position, action, state, reached) \
                 VALUES (?, ?, ?, ?, ?)",
                &[
                    id.into(),
                    position.into(),
                    action.to_string().into(),
                    RolloutStepState::Waiting.name().into(),
                    i64::from(*reached).into(),
                ],
            )
            .await?;
        }
        let detail = json!({ "rollout": id, "state": "begun", "goal": goal, "steps": steps.len() });
        self.append(EventKind::Rollout, actor, None, &detail)
            .await?;
        Ok(BeganRollout::Yes)
    }

    /// Records how far a step has come, and in the log in words what it does. Recording the same again changes nothing: whoever lost
    /// the answer to a commit may repeat it.
    ///
    /// # Errors
    /// A database error.
    pub async fn record_rollout_step(
        &mut self,
        rollout: i64,
        position: i64,
        becomes: (RolloutStepState, u8),
        (does, actor): (&str, &str),
    ) -> Result<(), LedgerError> {
        let (state, reached) = becomes;
        let done_at = if state == RolloutStepState::Done {
            "{now}"
        } else {
            "NULL"
        };
        let key = [rollout.into(), position.into()];
        let rows = self
            .query(
                "SELECT action, state, reached, started_at, done_at FROM {rollout_steps} \
                 WHERE rollout = ? AND position = ?",
                &key,
            )
            .await?;
        let before = read_step(first(&rows)?)?;
        if (before.state, before.reached) == (state, reached) {
            return Ok(());
        }
        self.execute(
            &format!(
                "UPDATE {{rollout_steps}} SET state = ?, reached = ?, \
                 started_at = COALESCE(started_at, {{now}}), done_at = {done_at} \
                 WHERE rollout = ? AND position = ?"
            ),
            &[
                state.name().into(),
                i64::from(reached).into(),
                rollout.into(),
                position.into(),
            ],
        )
        .await?;
        if state == RolloutStepState::Done
            && let Some((service, _)) = rolled(&before.action)
        {
            self.forget_orders(Some(&service)).await?;
        }
        let mut detail = json!({
            "rollout": rollout, "step": position, "does": does, "state": state.name(),
        });
        if let Some(object) = detail.as_object_mut()
            && reached > 0
        {
            object.insert("reached".into(), reached.into());
        }
        self.append(EventKind::Rollout, actor, None, &detail).await
    }

    /// Records why a rollout stopped, or, with an empty text, that it goes on.
    ///
    /// # Errors
    /// A database error.
    pub async fn record_rollout_stop(
        &mut self,
        rollout: i64,
        why: &str,
        actor: &str,
    ) -> Result<(), LedgerError> {
        // What a program said may hold a secret.
        let why = crate::text::secret::masked(why);
        let why = why.as_ref();
        let changed = self
            .execute(
                "UPDATE {rollouts} SET stopped = ? WHERE id = ? AND stopped <> ?",
                &[why.into(), rollout.into(), why.into()],
            )
            .await?;
        if changed == 0 {
            return Ok(());
        }
        let detail = if why.is_empty() {
            json!({ "rollout": rollout, "state": "resumed" })
        } else {
            json!({ "rollout": rollout, "state": "stopped", "why": why })
        };
        self.append(EventKind::Rollout, actor, None, &detail).await
    }

    /// Records the end of a rollout.
    ///
    /// # Errors
    /// A database error.
    pub async fn end_rollout(
        &mut self,
        rollout: i64,
        state: RolloutState,
        actor: &str,
    ) -> Result<(), LedgerError> {
        let changed = self
            .execute(
                "UPDATE {rollouts} SET state = ?, ended_at = {now}, stopped = '' WHERE id = ? AND state = ?",
                &[
                    state.name().into(),
                    rollout.into(),
                    RolloutState::Open.name().into(),
                ],
            )
            .await?;
        if changed == 0 {
            return Ok(());
        }
        self.forget_orders(None).await?;
        let detail = json!({ "rollout": rollout, "state": state.name() });
        self.append(EventKind::Rollout, actor, None, &detail).await
    }
}

/// The service and the version that an action of this text rolls it to; `None` where it rolls nothing.
fn rolled(action: &str) -> Option<(String, Version)> {
    let action: Json = serde_json::from_str(action).ok()?;
    let text = |key: &str| action.get(key).and_then(Json::as_str);
    let version = text("to")?.parse().ok()?;
    (text("action") == Some("roll")).then_some((text("service")?.to_owned(), version))
}

fn read_step(row: &Row) -> Result<RolloutStep, LedgerError> {
    Ok(RolloutStep {
        action: row.text(0)?.to_owned(),
        state: named(row.text(1)?, RolloutStepState::ALL, RolloutStepState::name)?,
        reached: u8::try_from(row.int(2)?).unwrap_or_default(),
        started_at: moment(row, 3)?,
        done_at: moment(row, 4)?,
    })
}

fn moment(row: &Row, column: usize) -> Result<Option<i64>, LedgerError> {
    Ok(row.optional_int(column)?)
}

fn named<T: Copy, const N: usize>(
    text: &str,
    all: [T; N],
    name: impl Fn(T) -> &'static str,
) -> Result<T, LedgerError> {
    all.into_iter()
        .find(|state| name(*state) == text)
        .ok_or_else(|| LedgerError::Damaged(format!("`{text}` is not the state of a rollout")))
}
