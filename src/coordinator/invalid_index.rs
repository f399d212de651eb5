//! An index whose concurrent build did not come to its end. PostgreSQL leaves it there, invalid: no query uses it, and a unique one
//! goes on refusing what live versions write.

use std::pin::pin;

use super::in_ledger::End;
use super::lock::Retry;
use super::one::{StatementRun, builds_index};
use super::one_recorded::forget_autocommit;
use super::session::Session;
use super::{CoordinatorError, IndexFate, Progress};
use crate::database::Presence;
use crate::sql::Object;

/// The index that the statement builds, where it is there and invalid.
pub(super) async fn left_invalid<'o>(
    session: &mut Session<'_>,
    one: &StatementRun<'o, '_>,
) -> Result<Option<&'o Object>, CoordinatorError> {
    let Some(object) = builds_index(one.statement) else {
        return Ok(None);
    };
    let presence = session.connection.presence(object).await?;
    Ok((presence == Presence::Invalid).then_some(object))
}

/// Drops an index whose build has failed, so that it can be built again; whether there was one.
pub(super) async fn clear_invalid(
    session: &mut Session<'_>,
    one: &StatementRun<'_, '_>,
) -> Result<bool, CoordinatorError> {
    let Some(object) = left_invalid(session, one).await? else {
        return Ok(false);
    };
    // `IF NOT EXISTS` would take it for the real one.
    tell(session, object, IndexFate::BuiltAgain);
    session.connection.prepare_bare().await?;
    session.connection.run(&drop_of(object)).await?;
    crate::crash::point(&format!("{}.cleared", one.run.step.name()));
    Ok(true)
}

/// Drops what a build has left that is given up: the versions that may start again would be refused by it.
///
/// For as long as `lock_timeout` an interruption is held off. After that it is waited for others as the build has waited for them,
/// and whoever has interrupted it, or does now, is let go.
pub(super) async fn drop_left(
    session: &mut Session<'_>,
    object: &Object,
) -> Result<(), CoordinatorError> {
    let kept = session.orders.interrupt.hold_off();
    // Where another coordinator has taken over, the index may be one that it builds.
    let token = session.token;
    let is_ours = session.in_ledger(async |ledger| {
        ledger.fence(token).await?;
        Ok(End::GiveUp(()))
    });
    is_ours.await?;
    let retry = Retry::new(session.orders);
    let session_id = session.connection.session_id().await?;
    let _watching = retry
        .watch()
        .start(session_id, session.orders.target.clone());
    let patience = session.orders.lock_limit().0;
    let drop_it = drop_of(object);
    let mut dropping = pin!(retry.telling(session.connection.run(&drop_it)));
    let in_time = tokio::time::timeout(patience, &mut dropping).await;
    drop(kept);
    match in_time {
        Ok(done) => done?,
        Err(_) => dropping.await?,
    };
    Ok(())
}

/// The statement is not tried again: what it has left is dropped, and then it was never begun. Where that fails, it stays
/// recorded as begun, so that a fence stays up, and the next run drops it.
pub(super) async fn give_up_build(
    session: &mut Session<'_>,
    one: &StatementRun<'_, '_>,
) -> Result<(), CoordinatorError> {
    let found = {
        let _kept = session.orders.interrupt.hold_off();
        left_invalid(session, one).await?
    };
    if let Some(object) = found
        && let Err(error) = drop_left(session, object).await
    {
        tell(session, object, IndexFate::Left(error.to_string()));
        return Err(error);
    }
    forget_autocommit(session, one).await
}

fn tell(session: &Session<'_>, object: &Object, fate: IndexFate) {
    let name = object.name.clone();
    session.orders.report(Progress::InvalidIndex { name, fate });
}

fn drop_of(object: &Object) -> String {
    let schema = object
        .schema
        .as_ref()
        .map_or_else(String::new, |name| format!("{}.", quoted(name)));
    format!(
        "DROP INDEX CONCURRENTLY IF EXISTS {schema}{}",
        quoted(&object.name)
    )
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
