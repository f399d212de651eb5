//! `migrate log`: what was done, by whom and when.

mod follow;
mod show;
mod wanted;

use clap::Args;
use serde_json::json;

use super::args::Global;
use super::context::Context;
use super::failure::Failure;
use super::out::Out;
use crate::ask::{Answer, AskError, Log, Question};
use crate::ledger::{KnownHead, Ledger, Verified};

use follow::{Shown, follow};
use show::{Columns, as_json, as_text};
use wanted::Wanted;

#[derive(Args)]
pub(super) struct LogArgs {
    /// Check that no event was changed, removed or put in between since the first one, up to the head,
    /// and that phases, files and statements are recorded as the events tell. Whoever may write to the
    /// ledger could write all of it anew: only a head that is kept elsewhere shows that
    #[arg(long, conflicts_with_all = ["follow", "migration", "since", "actor", "last"])]
    pub verify: bool,
    /// Print the head of the log, to be kept elsewhere; with --verify and a head that was kept, check
    /// that the log still leads over it
    #[arg(
        long,
        value_name = "SEQ:HASH",
        num_args = 0..=1,
        conflicts_with_all = ["follow", "migration", "since", "actor", "last"]
    )]
    pub head: Option<Option<KnownHead>>,
    /// Only the last N events
    #[arg(short = 'n', long, value_name = "N")]
    pub last: Option<usize>,
    #[command(flatten)]
    pub wanted: Wanted,
    /// Go on with what is recorded from now on, until Ctrl-C. With --output json one event a line
    #[arg(short, long)]
    pub follow: bool,
}

pub(super) async fn run(args: &LogArgs, global: &Global, out: &Out) -> Result<u8, Failure> {
    let context = Context::load(global, out)?;
    if args.verify || args.head.is_some() {
        return ends(args, &context, out).await;
    }
    let asked = Question::Log(args.wanted.events(args.last));
    let log = match context.ask(&asked).await {
        Ok(Answer::Log(log)) => log,
        Ok(other) => return Err(Failure::unasked(&other)),
        // One that waits for the first event waits for the ledger as well.
        Err(AskError::Files(_)) if args.follow => Log::default(),
        Err(error) => {
            let failure = Failure::from(error);
            // And for a database that is away.
            if !(args.follow && failure.passes()) {
                return Err(failure);
            }
            Log::default()
        }
    };
    let columns = Columns::default().widened(&log.events);
    let (events, end) = (&log.events, log.end);
    match (out.is_json(), args.follow) {
        (true, true) => events.iter().for_each(|event| out.json(&as_json(event))),
        (true, false) => out.json(&log.to_json()),
        (false, _) => out.lines(events.iter().map(|event| as_text(event, columns))),
    }
    if args.follow {
        out.tell_flaws();
        return follow(args, &context, Shown { seq: end, columns }, out).await;
    }
    if events.is_empty() && !out.is_json() {
        out.line(match end {
            0 => "nothing has been recorded yet",
            _ => "nothing that was asked for has been recorded",
        });
    }
    Ok(0)
}

/// The head of the log, and whether it is believed.
async fn ends(args: &LogArgs, context: &Context, out: &Out) -> Result<u8, Failure> {
    let known = args.head.as_ref().and_then(Option::as_ref);
    if !args.verify && known.is_some() {
        return Err(Failure::new("a head that was kept is for `--verify`")
            .help("`migrate log --verify --head SEQ:HASH` checks it, `migrate log --head` prints the present one")
            .usage());
    }
    let mut head = KnownHead {
        seq: Some(0),
        hash: String::new(),
    };
    let mut verified = match known.filter(|known| known.seq != Some(0)) {
        Some(known) => Verified::Contradicted {
            reason: format!("there is no log that leads over the known head {known}"),
        },
        None => Verified::Whole { head: head.clone() },
    };
    if let Some(mut connection) = context.connect().await? {
        if let Some(mut ledger) = Ledger::read(connection.as_mut()).await? {
            if args.verify {
                verified = ledger.verify_events(known).await?;
            } else {
                head = ledger.log_head().await?;
            }
            ledger.rollback().await?;
        }
        connection.close().await;
    }
    if args.verify {
        return Ok(show_verified(&verified, known, out));
    }
    if out.is_json() {
        out.json(&json!({ "head": head.to_string(), "events": head.seq, "hash": head.hash }));
    } else {
        out.line(head.to_string());
    }
    Ok(0)
}

fn show_verified(verified: &Verified, known: Option<&KnownHead>, out: &Out) -> u8 {
    const BACKUP: &str = "Compare the ledger's tables with a backup";
    let (code, value, text) = match verified {
        Verified::Whole { head } => {
            let events = head.seq.unwrap_or_default();
            let proves = if known.is_some() {
                "leads over the head that was kept, and what is recorded is as it tells"
            } else {
                "what is recorded is as it tells. That it was not written anew from the start is shown by \
                 `migrate log --verify --head`, with a head that was kept elsewhere"
            };
            (
                0,
                json!({ "whole": true, "events": events, "head": head.to_string() }),
                format!(
                    "the log is whole: {events} events, each sealed with the hash of the one before; {proves}"
                ),
            )
        }
        Verified::Broken { seq, reason } => (
            1,
            json!({ "whole": false, "event": seq, "reason": reason }),
            format!("the log is broken at event {seq}: {reason}. {BACKUP}"),
        ),
        Verified::Contradicted { reason } => (
            1,
            json!({ "whole": false, "event": null, "reason": reason }),
            format!("the log and the ledger contradict each other: {reason}. {BACKUP}"),
        ),
    };
    if out.is_json() {
        out.json(&value);
    } else {
        out.line(&text);
        if let Verified::Whole { head } = verified {
            out.line(format!("head: {head}"));
        }
    }
    code
}
