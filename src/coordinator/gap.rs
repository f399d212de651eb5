//! Times in which nothing kept the formats of a migration in step: found by whoever looks, written down by whoever may write, and
//! no longer forgotten when the triggers are back. docs/protocol.md says what of it can be found at all.
//!
//! Invariant: once a gap was seen, the recorded kinds tell of every row that may have been written in it.

use super::change::{Becomes, PhaseTransition, WayBack, move_to};
use super::in_ledger::End;
use super::session::Session;
use super::situation::schema;
use super::sync::{Watched, watch};
use super::{CoordinatorError, Situation};
use crate::gate::Evidence;
use crate::ledger::{EventKind, Ledger, LedgerError, View};
use crate::model::{Live, MigrationId};
use crate::project::Project;
use crate::sql::{ObjectKind, Script};

/// Looks at the triggers of all migrations under way, and judges by what shows as if it were written down already.
pub(super) async fn look_at_sync(
    project: &Project,
    situation: &mut Situation,
    connection: &mut dyn crate::database::Connection,
) -> Result<(), LedgerError> {
    if !super::sync::is_any_in_step(project, &situation.evidence.schema, connection) {
        return Ok(());
    }
    let Some(mut ledger) = Ledger::read(connection).await? else {
        return Ok(());
    };
    let watched = watch(project, &situation.evidence.schema, None, &mut ledger).await;
    ledger.rollback().await?;
    let watched = watched?;
    judge(&watched, &situation.view, &mut situation.evidence);
    situation.is_news_of_sync = watched.iter().any(Watched::is_news);
    Ok(())
}

/// Judges by what the triggers are now.
pub(super) fn judge(watched: &[Watched], view: &View, evidence: &mut Evidence) {
    let seen = ever_seen(view, &evidence.snapshot.live());
    for one in watched {
        if one.gap().is_some()
            && let Some(state) = evidence.schema.get_mut(&one.id)
        {
            *state = state.out_of_step(&seen);
        }
    }
    evidence.facts.out_of_step = watched.iter().flat_map(Watched::findings).collect();
}

/// Everybody who may have written in a time of which nobody knows when it began.
fn ever_seen(view: &View, live: &[Live]) -> Vec<Live> {
    let mut seen = view.seen_ever();
    seen.extend(live.iter().cloned());
    seen
}

/// Writes down what shows now, under the lock on admissions, if `token` is still good.
async fn write_down(
    project: &Project,
    (token, actor): (i64, &str),
    others: &[Live],
    ledger: &mut Ledger<'_>,
) -> Result<(), CoordinatorError> {
    ledger.lock_admissions().await?;
    let view = ledger.view().await?;
    let dialect = ledger.capabilities().dialect;
    let watched = watch(project, &schema(project, &view, dialect), None, ledger).await?;
    let seen = ever_seen(&view, &view.live_with(others));
    // Where one is not in order its mark says so only as long as nobody puts a seal behind it.
    if watched
        .iter()
        .any(|one| one.is_news() && one.short.is_empty())
    {
        ledger.connection().await?.seal_triggers().await?;
    }
    let again = watch(project, &schema(project, &view, dialect), None, ledger).await?;
    for (one, now) in watched.iter().zip(&again) {
        let applied = view
            .applied
            .iter()
            .find(|applied| *applied.state.id() == one.id);
        let Some(applied) = applied.filter(|_| one.is_news()) else {
            continue;
        };
        if let Some(what) = one.gap() {
            tracing::warn!(
                "{what}: nothing kept the formats of {} in step for a while, so what was written meanwhile has to be gone over again",
                one.id
            );
            let change = PhaseTransition {
                others,
                way_back: WayBack::As(applied.step_back),
                detail: serde_json::json!({ "out_of_step": what }),
                ..PhaseTransition::new(&applied.state, Becomes::OutOfStep(&seen))
            };
            move_to(ledger, token, actor, change).await?;
            let detail = serde_json::json!({ "what": what });
            ledger
                .append(EventKind::OutOfStep, actor, Some(&one.id), &detail)
                .await?;
        }
        ledger.record_in_step(&now.record());
    }
    // A seal that all stand before is the mark of those as well of which there is no news.
    for (one, now) in watched.iter().zip(&again) {
        if !one.is_news() && one.short.is_empty() {
            ledger.record_in_step(&now.record());
        }
    }
    ledger.fence(token).await?;
    Ok(())
}

/// Writes down what a look has shown of the triggers, for whoever holds no lease: nothing while a coordinator is at work, which looks
/// itself, and nothing without the rights.
pub(super) async fn record_gaps(
    project: &Project,
    situation: &Situation,
    connection: &mut dyn crate::database::Connection,
) -> Result<(), LedgerError> {
    let coordinator = &situation.view.coordinator;
    if !situation.is_news_of_sync || coordinator.is_held() {
        return Ok(());
    }
    let (token, actor) = (coordinator.token, super::session::actor());
    let others = super::situation::seen_elsewhere(&situation.evidence.snapshot);
    let mut ledger = super::connecting::writing(project, connection).await?;
    match write_down(project, (token, &actor), &others, &mut ledger).await {
        Ok(()) => match ledger.commit().await {
            Err(LedgerError::Database(error))
                if error.kind == crate::database::ErrorKind::Permission =>
            {
                tracing::debug!("what has become of a sync could not be written down: {error}");
                Ok(connection.rollback().await?)
            }
            committed => committed,
        },
        Err(error) => {
            ledger.rollback().await?;
            tracing::debug!("what has become of a sync could not be written down: {error}");
            Ok(())
        }
    }
}

/// Writes down what the look has shown of the triggers; whether there was anything.
pub(super) async fn record_gaps_at_work(
    session: &mut Session<'_>,
    situation: &Situation,
) -> Result<bool, CoordinatorError> {
    if !situation.is_news_of_sync {
        return Ok(false);
    }
    let others = super::situation::seen_elsewhere(&situation.evidence.snapshot);
    let (project, token, actor) = (session.orders.project, session.token, session.actor.clone());
    session
        .in_ledger(async |ledger| {
            write_down(project, (token, &actor), &others, ledger).await?;
            Ok(End::Commit(()))
        })
        .await?;
    Ok(true)
}

/// Whether a script may make triggers anew, of its own migration or of others.
pub(super) fn may_touch_triggers(script: &Script) -> bool {
    let mut objects = script.statements.iter().flat_map(|one| one.objects());
    script.may_take() || objects.any(|object| object.kind == ObjectKind::Trigger)
}

/// Whose triggers are not in order before a script: of the others all that it does to them is its own doing.
pub(super) async fn before_script(
    project: &Project,
    script: &Script,
    ledger: &mut Ledger<'_>,
) -> Result<Vec<MigrationId>, LedgerError> {
    if !may_touch_triggers(script) {
        return Ok(Vec::new());
    }
    let view = ledger.view().await?;
    let dialect = ledger.capabilities().dialect;
    let watched = watch(project, &schema(project, &view, dialect), None, ledger).await?;
    let missed = watched
        .into_iter()
        .filter(|one| one.gap().is_some() || !one.short.is_empty());
    Ok(missed.map(|one| one.id).collect())
}

/// Remembers the triggers as a script has left them, together with its record.
pub(super) async fn after_script(
    project: &Project,
    script: &Script,
    missed: &[MigrationId],
    ledger: &mut Ledger<'_>,
) -> Result<(), LedgerError> {
    if !may_touch_triggers(script) {
        return Ok(());
    }
    let view = ledger.view().await?;
    let schema = schema(project, &view, ledger.capabilities().dialect);
    if !super::sync::is_any_in_step(project, &schema, ledger.unsent()) {
        return Ok(());
    }
    // What was missed before is told by its mark, which has to stay as it is.
    if missed.is_empty() {
        ledger.connection().await?.seal_triggers().await?;
    }
    for one in watch(project, &schema, None, ledger).await? {
        if !missed.contains(&one.id) {
            ledger.record_in_step(&one.record());
        }
    }
    Ok(())
}
