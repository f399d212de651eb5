//! `migrate status`: phases, what each waits for, and the rollback horizon.

use std::time::Duration;

use clap::Args;

use super::args::Global;
use super::context::Context;
use super::declared;
use super::failure::Failure;
use super::horizon::horizon_lines;
use super::out::Out;
use super::paint::{Cell, Line, Tone};
use super::recording::Recording;
use super::watching::Watch;
use super::{past_gate, text, trouble};
use crate::ask::{Answer, Next, Question, Record, Status, in_the_way, which_asks};
use crate::gate::Verdict;
use crate::ledger::DesiredState;
use crate::model::{LostLedger, MigrationState, Phase, Step};
use crate::project::Pace;

#[derive(Args)]
pub(super) struct StatusArgs {
    #[command(flatten)]
    pub recording: Recording,
    /// List every migration; otherwise a long run of migrations that are alike is one line. JSON
    /// always lists every migration
    #[arg(long)]
    pub all: bool,
    /// Show it again whenever something has changed, until Ctrl-C. With --output json one object a
    /// line
    #[arg(long)]
    pub watch: bool,
}

pub(super) async fn run(args: &StatusArgs, global: &Global, out: &Out) -> Result<u8, Failure> {
    if args.watch {
        let context = Context::load(global, out)?;
        return watch(args, &context, out).await;
    }
    let record = Record::from(&args.recording);
    let (context, answer) = declared::ask(&Question::Status { record }, global, out).await?;
    let seen = status_of(answer)?;
    context.note_missing(&seen.looked.situation);
    Context::note_drift(&seen.looked.situation);
    let takes_away = past_gate::takes_away(&seen.looked.situation);
    past_gate::tell(&seen.looked.situation);
    show(&seen, args, &context, out);
    let situation = &seen.looked.situation;
    if !situation.drift.is_empty() || takes_away {
        return Ok(1);
    }
    match &situation.evidence.lost {
        Some(_) => Ok(Verdict::Unknown.exit_code()),
        None => Ok(0),
    }
}

/// How often `--watch` looks.
const EVERY: Duration = Duration::from_secs(2);

/// Shows it whenever something has changed but the time.
async fn watch(args: &StatusArgs, context: &Context, out: &Out) -> Result<u8, Failure> {
    let mut watch = Watch::new(EVERY, context.interrupt);
    let mut shown = None;
    loop {
        if let Some(seen) = watch.seen(look(args, context).await)? {
            let same = unchanging(seen.to_json());
            if shown.as_ref() != Some(&same) {
                out.begin_anew(shown.is_some());
                show(&seen, args, context, out);
                out.tell_flaws();
                context.note_missing(&seen.looked.situation);
                Context::note_drift(&seen.looked.situation);
                past_gate::tell(&seen.looked.situation);
                shown = Some(same);
            }
        }
        if let Some(exit) = watch.next(out).await {
            return Ok(exit.code());
        }
    }
}

/// What is shown, but for what is different at every look.
fn unchanging(mut value: serde_json::Value) -> serde_json::Value {
    if let Some(object) = value.as_object_mut() {
        object.remove("checked_at");
        object.remove("sources");
    }
    value
}

async fn look(args: &StatusArgs, context: &Context) -> Result<Box<Status>, Failure> {
    let record = Record::from(&args.recording);
    status_of(context.ask(&Question::Status { record }).await?)
}

fn status_of(answer: Answer) -> Result<Box<Status>, Failure> {
    match answer {
        Answer::Status(status) => Ok(status),
        other => Err(Failure::unasked(&other)),
    }
}

fn show(seen: &Status, args: &StatusArgs, context: &Context, out: &Out) {
    if out.is_json() {
        out.json(&seen.to_json());
        return;
    }
    out.lines(as_text(context, seen, args.all));
    if let Some(open) = seen.open_rollout() {
        out.line("");
        out.line(format!(
            "{}; `migrate rollout status` shows it",
            super::rollout::in_one_line(open)
        ));
    }
}

fn as_text(context: &Context, status: &Status, all: bool) -> Vec<Line> {
    let situation = &status.looked.situation;
    let mut lines = vec![Line::named("", "database:", &context.target.to_string())];
    if let Some(own) = &status.ledger_database {
        let place = format!("in the database {own}, on the same server");
        lines.push(Line::named("", "ledger:", &place));
    }
    match &situation.evidence.lost {
        Some(lost) => {
            lines.push(Line::from(format!("unknown: {lost}")));
            lines.push(Line::from(format!("next: {}", LostLedger::HELP)));
        }
        None if !situation.has_ledger => {
            lines.push(Line::from("nothing has been applied to it yet"));
        }
        None => {}
    }
    if let Some(busy) = situation.view.coordinator.describe() {
        lines.push(Line::named("", "at work now:", &busy));
    }
    lines.push(Line::default());
    let migrations = status.migrations();
    let unread = status.unread();
    if migrations.is_empty() && unread.is_empty() {
        lines.push(Line::from(
            "there are no migrations; write one with `migrate new NAME`",
        ));
        return lines;
    }
    let told = migrations.iter().map(|state| (state, row(state, status)));
    let told: Vec<_> = told.collect();
    let mut rows = Vec::new();
    for run in told.chunk_by(|(_, (a, _)), (_, (b, _))| a.is_some() && a == b) {
        match run {
            [(first, (Some(alike), _)), .., (last, _)] if run.len() > LONG && !all => {
                rows.push(alike.summed(first, last, run.len()));
            }
            _ => rows.extend(run.iter().map(|(_, (_, row))| row.clone())),
        }
    }
    rows.extend(unread.iter().map(|decision| {
        let waits = in_the_way(Step::Expand, decision);
        let id = decision.blockers.first().and_then(|b| b.migration.as_ref());
        let id = id.map_or_else(String::new, ToString::to_string);
        let pending = Cell::toned(Phase::Pending, Phase::Pending.name());
        vec![
            Cell::from(id),
            pending,
            Cell::toned(decision.verdict, &waits),
        ]
    }));
    lines.extend(text::table(&["migration", "phase", "waits for"], rows));
    lines.push(Line::default());
    let troubles = migrations
        .iter()
        .flat_map(|state| trouble::lines(state, status.trouble(state)));
    let before = lines.len();
    lines.extend(troubles);
    if lines.len() > before {
        lines.push(Line::default());
    }
    for horizon in &status.horizons {
        lines.extend(horizon_lines(horizon));
    }
    lines
}

/// A run of more migrations that are alike than this is one line.
const LONG: usize = 10;

/// What migrations have in common of which nothing else is to be told.
#[derive(PartialEq, Eq)]
struct Alike {
    phase: Phase,
    next: Common,
}

#[derive(PartialEq, Eq)]
enum Common {
    Complete,
    /// This step can be taken of each, and asks this first.
    Ready(Step, Vec<&'static str>),
    /// The same is in the way of all of them.
    Blocked(Verdict, String),
}

impl Alike {
    /// `None` if a migration has something of its own to tell.
    fn of(state: &MigrationState, next: &Next, status: &Status) -> Option<Self> {
        let (phase, next) = match next {
            // How it came to be complete is all the same.
            Next::Nothing => (Phase::Contracted, Common::Complete),
            Next::Ready(step) => (state.phase, Common::Ready(*step, Vec::new())),
            Next::Asks(step, asks) => (state.phase, Common::Ready(*step, asks.clone())),
            Next::Blocked(step, decision) => {
                let what = in_the_way(*step, decision);
                (state.phase, Common::Blocked(decision.verdict, what))
            }
        };
        let trouble = status.trouble(state);
        let schema = &status.looked.situation.evidence.schema;
        let is_its_own = !trouble.failures.is_empty()
            || trouble.idle_since.is_some()
            || state.phase == Phase::Backfilling
            || schema.applied_before_its_turn(state.id()).is_some();
        (next == Common::Complete || !is_its_own).then_some(Self { phase, next })
    }

    /// The line of a run of them.
    fn summed(&self, first: &MigrationState, last: &MigrationState, count: usize) -> Vec<Cell> {
        let more = format!("{count} migrations (`--all` lists them)");
        let phase = Cell::toned(self.phase, self.phase.name());
        let (phase, waits) = match &self.next {
            Common::Complete => (
                Cell::toned(Tone::Past, "complete"),
                Cell::from(format!("nothing: {more}")),
            ),
            Common::Ready(step, asks) => {
                let which = if asks.is_empty() {
                    "which is safe now for each".to_owned()
                } else {
                    which_asks(asks)
                };
                let waits = format!("`migrate {} ID`, {which}: {more}", step.name());
                (phase, Cell::from(waits))
            }
            Common::Blocked(verdict, what) => {
                (phase, Cell::toned(*verdict, &format!("{what}: {more}")))
            }
        };
        let ids = Cell::from(format!("{} to {}", first.id(), last.id()));
        vec![ids, phase, waits]
    }
}

/// The line of a migration, and what it shares with others.
fn row(state: &MigrationState, status: &Status) -> (Option<Alike>, Vec<Cell>) {
    let mut phase = state.phase.name().to_owned();
    if state.phase == Phase::Backfilling
        && let Some(record) = status.backfill_of(state)
    {
        phase.push_str(&format!(", {}", text::so_far(record.seen(), record.total)));
        let is_at_work = status.looked.situation.view.coordinator.is_held();
        if record.control.desired == DesiredState::Paused {
            phase.push_str(", paused");
        } else if !record.held_by.is_empty() && is_at_work {
            phase.push_str(&format!(", waits: {}", record.held_by));
        } else if is_at_work {
            phase.push_str(&text::speed(record.seen(), record.total, record.rate));
        }
        if let Some(pace) = record.control.pace {
            phase.push_str(&format!(", pace {}", Pace::from_thousandths(pace)));
        }
    }
    let next = status.next(state);
    let waits = status.waits_for(state, &next);
    let waits = match &next {
        Next::Nothing => Cell::toned(Tone::Past, &waits),
        Next::Ready(_) | Next::Asks(..) => Cell::from(waits),
        Next::Blocked(_, decision) => Cell::toned(decision.verdict, &waits),
    };
    let id = Cell::from(state.id().to_string());
    let alike = Alike::of(state, &next, status);
    (alike, vec![id, Cell::toned(state.phase, &phase), waits])
}
