//! Where each migration is, and what it waits for.

use maud::{Markup, html};

use super::super::watch::Seen;
use super::{ago, chip, data, prose};
use crate::ask::words::{percent, so_far, span, speed};
use crate::ask::{Next, Status, in_the_way};
use crate::gate::Blocker;
use crate::ledger::{BackfillRecord, DesiredState};
use crate::model::{MigrationState, Phase, Step};

/// Migrations that are shown with everything about them; more are counted.
const MOST: usize = 60;
/// Reasons of one.
const MOST_REASONS: usize = 6;

pub(super) fn section(seen: &Seen) -> Markup {
    let status = &seen.status;
    let states = status.migrations();
    let open: Vec<&MigrationState> = states.iter().filter(|state| !state.is_complete()).collect();
    let complete: Vec<&MigrationState> =
        states.iter().filter(|state| state.is_complete()).collect();
    let unread = status.unread();
    html! {
        section #migrations aria-labelledby="migrations-title" {
            h2 #migrations-title { "Migrations" }
            @if states.is_empty() && unread.is_empty() {
                p .empty { "There are none yet; " code { "migrate new NAME" } " writes one." }
            } @else if open.is_empty() && unread.is_empty() {
                p .empty { "✓ Every migration is complete." }
            }
            @for state in open.iter().take(MOST) { (card(state, seen)) }
            @if open.len() > MOST {
                p .quiet { "… and " (open.len() - MOST) " more on their way: " a href="/v1/status" { "all of them" } }
            }
            @for decision in unread.iter().take(MOST) {
                article .card {
                    p { (chip(decision.verdict)) " " (prose(&in_the_way(Step::Expand, decision))) }
                }
            }
            @if !complete.is_empty() {
                details #complete {
                    summary { (complete.len()) " complete" }
                    ul .plain {
                        @for state in complete.iter().rev() {
                            li { code { (data(state.id().as_str())) } " " span .quiet { (data(&state.declaration.description)) } }
                        }
                    }
                }
            }
        }
    }
}

fn card(state: &MigrationState, seen: &Seen) -> Markup {
    let status = &seen.status;
    let now = status.looked.situation.view.now;
    let next = status.next(state);
    let trouble = status.trouble(state);
    let since = status.since(state);
    html! {
        article .card id={ "m" (state.id().number()) } {
            div .head {
                h3 { (data(state.id().as_str())) }
                span .phase { (state.phase.name()) @if let Some(since) = since { span .quiet { ", " (ago(now, since)) } } }
            }
            @if !state.declaration.description.is_empty() { p .quiet { (data(&state.declaration.description)) } }
            (track(state))
            @if state.phase == Phase::Backfilling && let Some(record) = status.backfill_of(state) {
                (backfill(record, status))
            }
            (waits(state, &next, seen))
            @for failure in &trouble.failures {
                p .banner .refuse {
                    "The " (data(&failure.step)) " failed " (ago(now, failure.at)) " (" (data(&failure.actor)) "): "
                    (prose(&failure.message))
                }
            }
            @if let Some(since) = trouble.idle_since {
                p .banner .hold { "Somebody was last at work on it " (ago(now, since)) "." }
            }
        }
    }
}

/// What has become of a step, by the phase that the migration is in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Done,
    AtWork,
    Later,
}

fn part(step: Step, state: &MigrationState) -> Part {
    let begun = match step {
        Step::Expand => Phase::Expanding,
        Step::Backfill => Phase::Backfilling,
        Step::Contract | Step::Revert => Phase::Contracting,
    };
    if state.phase == begun || (state.phase == Phase::Reverting && step == Step::Expand) {
        Part::AtWork
    } else if state.phase > begun && state.phase != Phase::Reverting {
        Part::Done
    } else {
        Part::Later
    }
}

/// The phases as a line: what is done, what is under way, what comes.
fn track(state: &MigrationState) -> Markup {
    let parts = state.declaration.parts;
    let steps = [
        (Step::Expand, parts.expand),
        (Step::Backfill, parts.backfill),
        (Step::Contract, parts.contract),
    ];
    html! {
        ol .track {
            @for (step, is_there) in steps {
                @if is_there {
                    @let (class, says) = match part(step, state) {
                        Part::Done => ("done", "done"),
                        Part::AtWork => ("at-work", "under way"),
                        Part::Later => ("later", "to come"),
                    };
                    li class=(class) { span .name { (step.name()) } span .says { (says) } }
                }
            }
        }
    }
}

fn backfill(record: &BackfillRecord, status: &Status) -> Markup {
    let (seen, total) = (record.seen(), record.total);
    let is_at_work = status.looked.situation.view.coordinator.is_held();
    let progress = if total == 0 { 0 } else { percent(seen, total) };
    html! {
        div .backfill {
            progress max="100" value=(progress) { (progress) " %" }
            p {
                (so_far(seen, total))
                @if record.control.desired == DesiredState::Paused { ", paused" }
                @else if !record.held_by.is_empty() && is_at_work { ", waits: " (data(&record.held_by)) }
                @else if is_at_work { (speed(seen, total, record.rate)) }
                @else { ", nobody is at work on it" }
            }
        }
    }
}

fn waits(state: &MigrationState, next: &Next, seen: &Seen) -> Markup {
    let status = &seen.status;
    let step = match next {
        Next::Nothing => return html! {},
        Next::Ready(step) | Next::Asks(step, _) | Next::Blocked(step, _) => *step,
    };
    let why = format!("/v1/gate/{}/{:04}", step.name(), state.id().number());
    html! {
        div .waits {
            @match next {
                Next::Blocked(_, decision) => {
                    p { (chip(decision.verdict)) " " strong { (step.name()) }
                        @if let Some(since) = seen.held_since.get(state.id()) {
                            span .quiet { " for " (span(u64::try_from(status.looked.situation.view.now.saturating_sub(*since)).unwrap_or(0))) }
                        }
                        " " a href=(why) { "why" }
                    }
                    ul .reasons {
                        @for blocker in decision.blockers.iter().take(MOST_REASONS) { (reason(blocker)) }
                    }
                    @if decision.blockers.len() > MOST_REASONS {
                        p .quiet { "… and " (decision.blockers.len() - MOST_REASONS) " more: " a href=(why) { "all reasons" } }
                    }
                }
                _ => p { @if let Some(verdict) = next.verdict() { (chip(verdict)) " " } (prose(&status.waits_for(state, next))) " " a href=(why) { "why" } },
            }
        }
    }
}

fn reason(blocker: &Blocker) -> Markup {
    let (seen, help) = (&blocker.seen, blocker.help());
    html! {
        li {
            (prose(&blocker.message()))
            @if !seen.examples.is_empty() {
                span .quiet { " (" (data(&seen.examples.join(", ")))
                    @if u64::try_from(seen.examples.len()).unwrap_or(u64::MAX) < seen.instances { ", …" } ")" }
            }
            @if !help.is_empty() { p .next { span .label { "next" } " " (prose(&help)) } }
        }
    }
}
