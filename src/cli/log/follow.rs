//! `migrate log --follow`: what is recorded from now on, as it is recorded.

use std::time::Duration;

use super::super::context::Context;
use super::super::failure::Failure;
use super::super::out::{Out, note};
use super::super::watching::Watch;
use super::LogArgs;
use super::show::{Columns, as_json, as_text};
use crate::database::Connection;
use crate::ledger::{Event, Ledger, LedgerError};

/// How often it is asked for more.
const EVERY: Duration = Duration::from_secs(1);

/// What was shown so far.
pub(super) struct Shown {
    /// The last event that was looked at.
    pub(super) seq: i64,
    pub(super) columns: Columns,
}

/// What was found in the log.
enum Found {
    Events(Vec<Event>),
    /// It ends before what was shown: the database is another one, or an earlier state of it.
    Cut {
        seq: i64,
    },
}

/// Shows what comes, until a signal or until nobody reads any more.
pub(super) async fn follow(
    args: &LogArgs,
    context: &Context,
    mut shown: Shown,
    out: &Out,
) -> Result<u8, Failure> {
    let mut connection = None;
    let mut watch = Watch::new(EVERY, context.interrupt);
    loop {
        if let Some(exit) = watch.next(out).await {
            return Ok(exit.code());
        }
        let looked = look(context, &mut connection, shown.seq).await;
        match watch.seen(looked)? {
            None => {}
            Some(Found::Events(events)) => show(args, &events, &mut shown, out),
            Some(Found::Cut { seq }) => {
                note(&format!(
                    "note: the log ends at event {seq} now, and did not before: the database was restored to an earlier state, or \
                     is another one"
                ));
                shown.seq = seq;
            }
        }
    }
}

/// What was recorded after an event; the connection is kept.
async fn look(
    context: &Context,
    kept: &mut Option<Box<dyn Connection>>,
    seq: i64,
) -> Result<Found, Failure> {
    let mut connection = match kept.take() {
        Some(connection) => connection,
        None => match context.connect().await? {
            Some(connection) => connection,
            None => return Ok(Found::Events(Vec::new())),
        },
    };
    let found = read(connection.as_mut(), seq).await?;
    *kept = Some(connection);
    Ok(found)
}

async fn read(connection: &mut dyn Connection, seq: i64) -> Result<Found, LedgerError> {
    let Some(mut ledger) = Ledger::read(connection).await? else {
        return Ok(Found::Events(Vec::new()));
    };
    let events = ledger.events_after(seq).await?;
    let end = match events.is_empty() {
        true => ledger.log_head().await?.seq,
        false => None,
    };
    ledger.rollback().await?;
    Ok(match end.filter(|end| *end < seq) {
        Some(seq) => Found::Cut { seq },
        None => Found::Events(events),
    })
}

fn show(args: &LogArgs, events: &[Event], shown: &mut Shown, out: &Out) {
    if let Some(last) = events.last() {
        shown.seq = last.seq;
    }
    let wanted = args.wanted.events(None);
    let covered = events.iter().filter(|event| wanted.covers(event));
    let covered: Vec<Event> = covered.cloned().collect();
    shown.columns = shown.columns.widened(&covered);
    for event in &covered {
        if out.is_json() {
            out.json(&as_json(event));
        } else {
            out.line(as_text(event, shown.columns));
        }
    }
}
