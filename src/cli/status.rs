//! `migrate status`: phases, what each waits for, and the rollback horizon.

use std::collections::BTreeSet;
use std::time::Duration;

use clap::Args;
use serde_json::json;

use super::args::Global;
use super::context::Context;
use super::failure::Failure;
use super::horizon::{horizon_json, horizon_lines};
use super::out::{Out, note};
use super::paint::{Cell, Line, Tone};
use super::recording::Recording;
use super::trouble::{self, Trouble};
use super::watching::Watch;
use super::{json, text};
use crate::coordinator::Situation;
use crate::gate::{Action, Blocker, Decision, Flawed, Horizon, Verdict, decide, horizon};
use crate::ledger::{
    Applied, BackfillRecord, Beside, FailureRecord, RolloutRecord, RolloutState, Wish,
};
use crate::model::{MigrationState, Phase, Step};
use crate::project::{Pace, Section};

#[derive(Args)]
pub(super) struct StatusArgs {
    #[command(flatten)]
    pub recording: Recording,
    /// List every migration; otherwise a long run of complete ones is one line. JSON always
    /// lists every migration
    #[arg(long)]
    pub all: bool,
    /// Show it again whenever something has changed, until Ctrl-C. With --output json one object a
    /// line
    #[arg(long)]
    pub watch: bool,
}

pub(super) async fn run(args: &StatusArgs, global: &Global, out: &Out) -> Result<u8, Failure> {
    let context = Context::load(global, out)?;
    if args.watch {
        return watch(args, &context, out).await;
    }
    let seen = look(args, &context).await?;
    context.note_missing(&seen.situation);
    for drift in &seen.situation.drift {
        note(&format!("error: {drift}"));
    }
    show(&seen, args, &context, out);
    Ok(u8::from(!seen.situation.drift.is_empty()))
}

/// How often `--watch` looks.
const EVERY: Duration = Duration::from_secs(2);

/// Shows it whenever something has changed but the time.
async fn watch(args: &StatusArgs, context: &Context, out: &Out) -> Result<u8, Failure> {
    let mut watch = Watch::new(EVERY, context.interrupt);
    let mut shown = None;
    loop {
        if let Some(seen) = watch.seen(look(args, context).await)? {
            let same = unchanging(seen.as_json());
            if shown.as_ref() != Some(&same) {
                out.begin_anew(shown.is_some());
                show(&seen, args, context, out);
                out.tell_flaws();
                context.note_missing(&seen.situation);
                for drift in &seen.situation.drift {
                    note(&format!("error: {drift}"));
                }
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

/// What a look has shown.
struct Seen {
    situation: Situation,
    beside: Beside,
    horizons: Vec<Horizon>,
}

async fn look(args: &StatusArgs, context: &Context) -> Result<Seen, Failure> {
    let (situation, beside) = context.look_beside(&args.recording).await?;
    let horizons = services(context, &situation)
        .into_iter()
        .map(|service| horizon(service, &situation.evidence))
        .collect();
    Ok(Seen {
        situation,
        beside,
        horizons,
    })
}

impl Seen {
    fn recorded(&self) -> Recorded<'_> {
        Recorded {
            backfills: &self.beside.backfills,
            trouble: Trouble {
                failures: &self.beside.failures,
            },
        }
    }

    fn open_rollout(&self) -> Option<&RolloutRecord> {
        let last = self.beside.rollout.as_ref();
        last.filter(|last| last.state == RolloutState::Open)
    }

    fn as_json(&self) -> serde_json::Value {
        let mut value = as_json(&self.situation, self.recorded(), &self.horizons);
        if let (Some(open), Some(object)) = (self.open_rollout(), value.as_object_mut()) {
            object.insert("rollout".into(), super::rollout::as_json(open));
        }
        value
    }
}

fn show(seen: &Seen, args: &StatusArgs, context: &Context, out: &Out) {
    if out.is_json() {
        out.json(&seen.as_json());
        return;
    }
    let recorded = seen.recorded();
    out.lines(as_text(
        context,
        &seen.situation,
        recorded,
        &seen.horizons,
        args.all,
    ));
    if let Some(open) = seen.open_rollout() {
        out.line("");
        out.line(format!(
            "{}; `migrate rollout status` shows it",
            super::rollout::in_one_line(open)
        ));
    }
}

/// What is recorded beside the phases.
#[derive(Clone, Copy)]
struct Recorded<'r> {
    backfills: &'r [BackfillRecord],
    trouble: Trouble<'r>,
}

/// The services of the project; without its migrate.toml, those that the migrations name.
fn services<'s>(context: &'s Context, situation: &'s Situation) -> BTreeSet<&'s String> {
    let config = &context.project.config;
    let mut services: BTreeSet<&String> = config.services.keys().collect();
    if config.is_doubtful(Section::Fleet) {
        let migrations = situation.evidence.schema.migrations().iter();
        services.extend(migrations.flat_map(|state| state.declaration.services.keys()));
    }
    services
}

/// What a migration waits for, if anything is left to do.
enum Next {
    Nothing,
    /// The step can be taken now.
    Ready(Step),
    Blocked(Step, Box<Decision>),
}

fn next(state: &MigrationState, situation: &Situation) -> Next {
    let parts = state.declaration.parts;
    if state.is_complete() {
        return Next::Nothing;
    }
    let step = match state.phase {
        Phase::Reverting => Step::Revert,
        _ if !state.expand_is_done() => Step::Expand,
        Phase::Pending | Phase::Expanded | Phase::Backfilling if parts.backfill => Step::Backfill,
        _ => Step::Contract,
    };
    let action = Action::Step {
        step,
        migration: state.id().clone(),
    };
    let decision = decide(action, &situation.evidence);
    if decision.verdict == Verdict::Go {
        Next::Ready(step)
    } else {
        Next::Blocked(step, Box::new(decision))
    }
}

fn waits_for(
    state: &MigrationState,
    situation: &Situation,
    next: &Next,
    failed: Option<&str>,
) -> String {
    match next {
        Next::Nothing => "nothing: it is complete".to_owned(),
        Next::Ready(step) if failed == Some(step.name()) => format!(
            "`migrate {} {:04}` again, once what it failed on is mended (see below)",
            step.name(),
            state.id().number()
        ),
        Next::Ready(step) => {
            let schema = &situation.evidence.schema;
            let late = schema.applied_before_its_turn(state.id());
            let late = late
                .filter(|_| *step == Step::Expand)
                .map_or_else(String::new, |later| {
                    format!(
                        "; {} was applied before it, and comes after it on a new database",
                        later.id()
                    )
                });
            format!(
                "`migrate {} {:04}`, which is safe now{late}",
                step.name(),
                state.id().number()
            )
        }
        Next::Blocked(step, decision) => in_the_way(*step, decision),
    }
}

/// What keeps a step from being taken, in a line.
fn in_the_way(step: Step, decision: &Decision) -> String {
    let first = decision
        .blockers
        .first()
        .map_or_else(String::new, Blocker::message);
    let more = match decision.blockers.len() {
        0 | 1 => String::new(),
        count => format!(" (and {} more)", count - 1),
    };
    format!(
        "{} ({}): {first}{more}",
        step.name(),
        decision.verdict.name()
    )
}

/// The migrations of which nothing is known but that nobody has applied them, by the answer to their expand.
fn unread(situation: &Situation) -> Vec<Decision> {
    let flaws = situation.evidence.flaws.iter();
    let pending = flaws.filter_map(|flaw| match &flaw.of {
        Flawed::Declaration(id) => Some(id.clone()),
        _ => None,
    });
    let expand = pending.map(|migration| Action::Step {
        step: Step::Expand,
        migration,
    });
    expand
        .map(|action| decide(action, &situation.evidence))
        .collect()
}

fn as_text(
    context: &Context,
    situation: &Situation,
    recorded: Recorded<'_>,
    horizons: &[Horizon],
    all: bool,
) -> Vec<Line> {
    let mut lines = vec![Line::named("", "database:", &context.target.to_string())];
    if !situation.has_ledger {
        lines.push(Line::from("nothing has been applied to it yet"));
    }
    if let Some(busy) = situation.view.coordinator.describe() {
        lines.push(Line::named("", "at work now:", &busy));
    }
    lines.push(Line::default());
    let migrations = situation.evidence.schema.migrations();
    let unread = unread(situation);
    if migrations.is_empty() && unread.is_empty() {
        lines.push(Line::from(
            "there are no migrations; write one with `migrate new NAME`",
        ));
        return lines;
    }
    let mut rows = Vec::new();
    for run in migrations.chunk_by(|a, b| a.is_complete() && b.is_complete()) {
        match run {
            [first, .., last] if run.len() > LONG && !all => rows.push(vec![
                Cell::from(format!("{} to {}", first.id(), last.id())),
                Cell::toned(Tone::Past, "complete"),
                Cell::from(format!(
                    "nothing: {} migrations (`--all` lists them)",
                    run.len()
                )),
            ]),
            _ => rows.extend(run.iter().map(|state| row(state, situation, recorded))),
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
    let troubles = migrations.iter().flat_map(|state| {
        let (failure, idle) = troubles(state, situation, recorded);
        trouble::lines(state, failure, idle)
    });
    let before = lines.len();
    lines.extend(troubles);
    if lines.len() > before {
        lines.push(Line::default());
    }
    for horizon in horizons {
        lines.extend(horizon_lines(horizon));
    }
    lines
}

/// A run of more complete migrations than this is one line.
const LONG: usize = 10;

/// What a migration failed on the last time, and since when nobody is at work on it.
fn troubles<'r>(
    state: &MigrationState,
    situation: &Situation,
    recorded: Recorded<'r>,
) -> (Option<&'r FailureRecord>, Option<i64>) {
    let applied = applied(state, situation);
    let failure = recorded.trouble.of(state, applied);
    let backfill = backfill_of(state, situation, recorded.backfills);
    let idle = trouble::idle_since(state, situation, applied, backfill, failure);
    (failure, idle)
}

fn row(state: &MigrationState, situation: &Situation, recorded: Recorded<'_>) -> Vec<Cell> {
    let mut phase = state.phase.name().to_owned();
    if state.phase == Phase::Backfilling
        && let Some(record) = backfill_of(state, situation, recorded.backfills)
    {
        phase.push_str(&format!(", {}", text::so_far(record.seen(), record.total)));
        let is_at_work = situation.view.coordinator.is_held();
        if record.control.wish == Wish::Pause {
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
    let (failure, _) = troubles(state, situation, recorded);
    let failed = failure.map(|failure| failure.step.as_str());
    let next = next(state, situation);
    let waits = waits_for(state, situation, &next, failed);
    let waits = match &next {
        Next::Nothing => Cell::toned(Tone::Past, &waits),
        Next::Ready(_) => Cell::from(waits),
        Next::Blocked(_, decision) => Cell::toned(decision.verdict, &waits),
    };
    let id = Cell::from(state.id().to_string());
    vec![id, Cell::toned(state.phase, &phase), waits]
}

/// How the backfill of a migration got on that belongs to what is recorded of it now.
fn backfill_of<'r>(
    state: &MigrationState,
    situation: &Situation,
    backfills: &'r [BackfillRecord],
) -> Option<&'r BackfillRecord> {
    let changed_at = applied(state, situation)?.changed_at;
    let number = state.id().number();
    let of_now = |record: &&BackfillRecord| {
        record.number == number && (state.phase != Phase::Backfilling || record.run == changed_at)
    };
    backfills.iter().find(of_now)
}

fn backfill_as_json(record: &BackfillRecord, situation: &Situation) -> serde_json::Value {
    let (seen, rate) = (record.seen(), record.rate);
    let left = record.total.saturating_sub(seen).saturating_mul(1000);
    json!({
        "seen": seen,
        "changed": record.changed(),
        "total": record.total,
        "batches": record.batches(),
        "ranges": record.ranges.len(),
        "rate": rate,
        "left_ms": left.checked_div(rate),
        "held_by": (!record.held_by.is_empty()).then_some(&record.held_by),
        "paused": record.control.wish == Wish::Pause,
        "pace": record.control.pace.map(|pace| Pace::from_thousandths(pace).to_string()),
        "at_work": situation.view.coordinator.is_held(),
        "started_at": json::time(record.started_at),
        "heard_of_at": json::time(record.beat_at),
    })
}

/// What is recorded of a migration.
fn applied<'s>(state: &MigrationState, situation: &'s Situation) -> Option<&'s Applied> {
    let applied = &situation.view.applied;
    let number = state.id().number();
    let at = applied.binary_search_by_key(&number, |applied| applied.state.id().number());
    applied
        .get(at.ok()?)
        .filter(|applied| applied.state.id() == state.id())
}

fn as_json(
    situation: &Situation,
    recorded: Recorded<'_>,
    horizons: &[Horizon],
) -> serde_json::Value {
    let mut migrations: Vec<_> = situation
        .evidence
        .schema
        .migrations()
        .iter()
        .map(|state| {
            let waits = match next(state, situation) {
                Next::Nothing => serde_json::Value::Null,
                Next::Ready(step) => {
                    json!({ "step": step.name(), "verdict": "go", "blockers": [] })
                }
                Next::Blocked(step, decision) => json!({
                    "step": step.name(),
                    "verdict": decision.verdict.name(),
                    "blockers": decision.blockers.iter().map(json::blocker).collect::<Vec<_>>(),
                }),
            };
            let applied = applied(state, situation);
            let record = backfill_of(state, situation, recorded.backfills);
            let (failure, idle) = troubles(state, situation, recorded);
            json!({
                "id": state.id(),
                "description": state.declaration.description,
                "phase": state.phase.name(),
                "since": applied.map(|applied| json::time(applied.changed_at)),
                "backfilled_rows": record.map(BackfillRecord::changed),
                "backfill": record
                    .filter(|_| state.phase == Phase::Backfilling)
                    .map(|record| backfill_as_json(record, situation)),
                "failed": failure.map(trouble::as_json),
                "idle_since": idle.map(json::time),
                "next": waits,
            })
        })
        .collect();
    migrations.extend(unread(situation).iter().map(|decision| {
        json!({
            "id": decision.blockers.first().and_then(|blocker| blocker.migration.as_ref()),
            "description": null,
            "phase": Phase::Pending.name(),
            "since": null,
            "backfilled_rows": null,
            "backfill": null,
            "next": {
                "step": Step::Expand.name(),
                "verdict": decision.verdict.name(),
                "blockers": decision.blockers.iter().map(json::blocker).collect::<Vec<_>>(),
            },
        })
    }));
    let horizons: Vec<_> = horizons.iter().map(horizon_json).collect();
    json!({
        "ledger": situation.has_ledger,
        "coordinator": situation.view.coordinator.describe(),
        "migrations": migrations,
        "horizon": horizons,
        "changed_files": situation.drift.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "sources": situation.evidence.snapshot.sources.iter().map(json::source).collect::<Vec<_>>(),
        "checked_at": json::time(situation.view.now),
    })
}
