//! A plan as a picture, and a rollout as it goes.

use maud::{Markup, html};

use super::super::watch::Seen;
use super::{Wanted, chip, data, kept, link, prose};
use crate::ask::{Planned, Until, by_service, waits_for};
use crate::gate::{Blocker, Verdict};
use crate::ledger::{RolloutRecord, RolloutState, RolloutStep, RolloutStepState};
use crate::model::Live;
use crate::planner::{NoPlan, Plan, PlanAction};
use crate::rollout::read_action;

/// What became of the plan that was asked for.
pub(in super::super) enum Drawn {
    Planned(Box<Planned>),
    /// Why there is no answer.
    Not(String),
}

pub(super) fn section(wanted: &Wanted, plan: Option<&Drawn>) -> Markup {
    let filter = [
        ("migration", wanted.migration.as_str()),
        ("actor", wanted.actor.as_str()),
    ];
    html! {
        section #plan aria-labelledby="plan-title" {
            h2 #plan-title { "Plan" }
            form .filter method="get" action="/" {
                (kept(&filter))
                label { "to " input name="to" value=(wanted.to) placeholder="web=1.2.0" size="24" autocomplete="off"; }
                button type="submit" { "Plan" }
                @if wanted.goal.is_some() { a href=(link("/", &filter)) { "close" } }
            }
            @match plan {
                None => p .quiet { "Which schema steps and rollouts lead from what runs now to a version." },
                Some(Drawn::Not(why)) => p .banner .refuse { (data(why)) },
                Some(Drawn::Planned(planned)) => {
                    @match &planned.answer {
                        Ok(plan) => (steps(plan, planned)),
                        Err(none) => (no_way(none)),
                    }
                }
            }
        }
    }
}

fn steps(plan: &Plan, planned: &Planned) -> Markup {
    html! {
        @if plan.steps.is_empty() { p .empty { "✓ Nothing to do." } }
        ol .flow {
            @for (step, waits) in plan.steps.iter().zip(&planned.waits) {
                @let class = match &step.action {
                    PlanAction::Roll { .. } => "roll",
                    PlanAction::Schema { step, .. } => step.name(),
                };
                li class=(class) {
                    strong { (data(&step.action.to_string())) }
                    @if !step.live.is_empty() { span .quiet { "with " (data(&fleet(&step.live))) " live" } }
                    @let until: Vec<String> = waits.iter().filter_map(Until::words).collect();
                    @if !until.is_empty() { span .quiet { "done when " (prose(&until.join(", "))) } }
                    @for note in step.remarks() { span .bad { (prose(&note)) } }
                }
            }
        }
        @for left in &plan.left {
            @let why: Vec<String> = left.blockers.iter().map(Blocker::message).collect();
            p .quiet { "Left for later versions: " (left.step.name()) " " (data(left.migration.as_str())) ": " (data(&why.join("; "))) }
        }
    }
}

fn no_way(none: &NoPlan) -> Markup {
    html! {
        p { (chip(none.verdict())) " There is no plan." }
        ul .reasons {
            @for blocker in &none.blockers {
                li { (prose(&blocker.message()))
                    @let help = blocker.help();
                    @if !help.is_empty() && none.ways_out.is_empty() { p .next { span .label { "next" } " " (prose(&help)) } }
                }
            }
        }
        @if !none.ways_out.is_empty() {
            p { "Any of these would open a way:" }
            ul .reasons { @for way in &none.ways_out { li { (prose(&way.message)) } } }
        }
    }
}

fn fleet(live: &[Live]) -> String {
    let services = by_service(live).into_iter();
    let services = services.map(|(service, versions)| {
        let versions: Vec<String> = versions.iter().map(ToString::to_string).collect();
        format!("{service} {}", versions.join(" + "))
    });
    services.collect::<Vec<_>>().join(", ")
}

/// The last rollout.
pub(super) fn rollout(seen: &Seen) -> Markup {
    let looked = &seen.status.looked;
    html! {
        section #rollout aria-labelledby="rollout-title" {
            h2 #rollout-title { "Rollout" }
            @match &looked.beside.rollout {
                None => p .empty { "None has been begun." },
                Some(record) => {
                    @if record.state == RolloutState::Open { (carried_out(record)) } @else {
                        details #last-rollout { summary { (heading(record)) } (carried_out(record)) }
                    }
                    @if let Some(arrival) = waits_for(record, &looked.situation) {
                        p .busy { "Waits for: " (data(&arrival.to_string())) }
                    }
                }
            }
        }
    }
}

fn heading(record: &RolloutRecord) -> Markup {
    let verdict = match record.state {
        RolloutState::Open => Verdict::Hold,
        RolloutState::Done => Verdict::Go,
        RolloutState::Aborted => Verdict::Unknown,
    };
    html! {
        span class={ "chip " (verdict.name()) } { (record.state.name()) } " to " strong { (data(&record.goal_in_words())) }
    }
}

fn carried_out(record: &RolloutRecord) -> Markup {
    html! {
        @if record.state == RolloutState::Open { p { (heading(record)) } }
        ol .steps {
            @for step in &record.steps { (one(step)) }
        }
        @if !record.stopped.is_empty() { p .banner .refuse { "Stopped: " (data(&record.stopped)) } }
    }
}

fn one(step: &RolloutStep) -> Markup {
    let action = read_action(&step.action);
    let action = action.map_or_else(|_| step.action.clone(), |action| action.to_string());
    let (class, mark) = match step.state {
        RolloutStepState::Done => ("done", "✓"),
        RolloutStepState::Begun => ("at-work", "●"),
        RolloutStepState::Waiting => ("later", "○"),
    };
    html! {
        li class=(class) {
            span .mark aria-hidden="true" { (mark) } " " (data(&action))
            span .quiet { " " (step.state.name()) @if step.reached > 0 && step.state == RolloutStepState::Begun { ", " (step.reached) " %" } }
        }
    }
}
