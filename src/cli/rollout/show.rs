//! What a rollout does and has done, as text and as JSON.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::super::horizon::horizon_lines;
use super::super::out::Out;
use super::super::paint::{Cell, Line, Tone};
use super::super::progress::Reporter;
use super::super::summed;
use super::super::text;
use super::super::{json as shapes, text::count};
use super::watched::{after_unwell, checks_json, does_not_hold, holds, verdict_of};
use crate::ask::{arrival_json, rollout_json, waits_for};
use crate::coordinator::{Done, Situation};
use crate::gate::{Blocker, Decision, Verdict, horizon};
use crate::ledger::{RolloutRecord, RolloutState, RolloutStep, RolloutStepState};
use crate::model::{InstanceState, LiveGroup, Step, Version};
use crate::planner::PlanAction;
use crate::rollout::{Arrival, Ending, Missing, News, in_words, ordered, read_action};

/// Results go to standard output as they come, what passes by to standard error.
pub(super) fn news(news: News<'_>, reporter: &Reporter, out: &Out) {
    let result = |line: Line| {
        reporter.make_room();
        if !out.is_json() && !reporter.is_quiet() {
            out.line(line);
        }
    };
    match news {
        News::Begins {
            number: at,
            total: of,
            step: action,
        } => result(
            Line::default()
                .toned(Tone::Label, &format!("step {at} of {of}:"))
                .and(&format!(" {action}")),
        ),
        News::Calls(shift) => reporter.say_aside(&format!(
            "  the driver is called: {} {} at {} %",
            shift.service, shift.to, shift.step
        )),
        News::Tells(text) => reporter.say(format!("  {text}"), false),
        News::Asks(instruction) => reporter.say_aside(&format!(
            "  {instruction}; waiting until the fleet shows it"
        )),
        News::Held(decision) => reporter.say(format!("  {}", held(decision)), false),
        News::Comes(arrival) => reporter.say(format!("  waiting: {arrival}"), false),
        News::Unreachable(error) => reporter.say(format!("  waiting: {error}"), false),
        News::Carried(done) => carried(done).into_iter().for_each(result),
        News::Already(note) => result(Line::from(format!("  {note}"))),
        News::Arrived(arrival) => result(success(&arrived(arrival))),
        News::Holds {
            step,
            left,
            readings,
        } => {
            let words = holds(step, left, readings);
            if left.is_zero() {
                result(Line::from(words));
            } else {
                reporter.say(words, false);
            }
        }
    }
}

fn held(decision: &Decision) -> String {
    let reasons = summed::messages(&decision.blockers, Blocker::message);
    format!(
        "waiting ({}): {}",
        decision.verdict.name(),
        reasons.join("; ")
    )
}

/// `  done: …`.
fn success(what: &str) -> Line {
    let line = Line::default().and("  ").toned(Tone::Go, "done:");
    line.and(" ").and(what)
}

fn carried(carried: &Done) -> Vec<Line> {
    let took = text::span(u64::try_from(carried.took.as_millis()).unwrap_or(u64::MAX));
    let did = match carried.step {
        Step::Backfill => count(carried.rows, "row"),
        _ => count(carried.statements, "statement"),
    };
    std::iter::once(success(&format!("{did}, {took}")))
        .chain(text::notes(&carried.notes))
        .collect()
}

fn arrived(arrival: &Arrival) -> String {
    format!(
        "{} of {} {} serving, no other version left",
        count(arrival.serving, "instance"),
        arrival.service,
        arrival.to
    )
}

/// What somebody has to look after, so that a step comes to its end. Nobody is told to stop what may be all that serves.
fn look_after(arrival: &Arrival) -> Vec<String> {
    let (service, to) = (&arrival.service, &arrival.to);
    match arrival.missing() {
        Missing::Nothing => Vec::new(),
        Missing::Sight => {
            let blind: Vec<&str> = arrival
                .blind
                .iter()
                .map(|source| source.name.as_str())
                .collect();
            vec![format!(
                "repair {}: what it does not show may be there",
                blind.join(", ")
            )]
        }
        Missing::Instances => {
            let mut lines = Vec::new();
            if arrival.coming.is_empty() && arrival.refused.is_empty() {
                lines.push(format!(
                    "no source has seen another instance of {service} {to}: look at what starts them (their image, their logs, its own messages)"
                ));
            } else {
                lines.push(format!(
                    "see why {service} {to} does not serve, where it is started"
                ));
            }
            lines.extend(arrival.remarks.iter().cloned());
            if !arrival.others.is_empty() {
                lines.push(format!(
                    "stop no other version of {service} before: it is what serves now"
                ));
            }
            if let Some(back) = &arrival.back {
                lines.push(format!(
                    "`migrate rollout abort --roll-back {service}={back}` goes back to {back}"
                ));
            }
            lines
        }
        Missing::Departures => {
            let mut lines = Vec::new();
            let is = |state| move |group: &&LiveGroup| group.state == state;
            let others = || arrival.others.iter();
            if others().any(|group| matches!(group.state, InstanceState::Draining)) {
                lines.push("what drains goes by itself".to_owned());
            }
            for group in others().filter(is(InstanceState::Lost)) {
                let name = group.examples.first().map_or("INSTANCE", String::as_str);
                lines.push(format!(
                    "{} is lost and counts as live until its lease ends; `migrate fleet forget {name} --reason TEXT` ends the lease of one that is gone for good",
                    group.label
                ));
            }
            let leaves = |group: &&LiveGroup| {
                matches!(
                    group.state,
                    InstanceState::Draining | InstanceState::Lost | InstanceState::Superseded
                )
            };
            let left: Vec<String> = others()
                .filter(|group| !leaves(group))
                .map(|group| format!("{service} {}", group.label))
                .collect();
            if !left.is_empty() {
                lines.push(format!(
                    "{to} serves: stop what still runs another version ({})",
                    left.join(", ")
                ));
            }
            lines
        }
    }
}

pub(super) fn goal(goal: &BTreeMap<String, Version>) -> String {
    let ends = goal.iter();
    ends.map(|(service, version)| format!("{service} {version}"))
        .collect::<Vec<_>>()
        .join(", ")
}

pub(super) fn recorded_goal(text: &str) -> String {
    // What cannot be read is shown as it is.
    serde_json::from_str::<BTreeMap<String, String>>(text).map_or_else(
        |_| text.to_owned(),
        |ends| {
            ends.iter()
                .map(|(service, version)| format!("{service} {version}"))
                .collect::<Vec<_>>()
                .join(", ")
        },
    )
}

/// Shows how the work ended; returns the exit code.
///
/// `stopped` is what has stopped the rollout from which this one goes back.
pub(super) fn ending(
    ending: &Ending,
    record: &RolloutRecord,
    (situation, stopped): (Option<&Situation>, Option<Value>),
    out: &Out,
) -> u8 {
    let verdict = match ending {
        Ending::Done => Verdict::Go,
        Ending::Blocked(_, decision) => decision.verdict,
        Ending::NotThere(_, arrival) if arrival.blind.is_empty() => Verdict::Hold,
        Ending::NotThere(..) => Verdict::Unknown,
        Ending::Unwell(_, unwell) => verdict_of(unwell),
    };
    if out.is_json() {
        let mut value = json!({ "verdict": verdict.name(), "rollout": rollout_json(record) });
        if let Some(object) = value.as_object_mut() {
            match ending {
                Ending::Done => {}
                Ending::Blocked(_, decision) => {
                    let blockers = decision.blockers.iter().map(shapes::blocker);
                    object.insert("blockers".into(), blockers.collect());
                }
                Ending::NotThere(_, arrival) => {
                    object.insert("waits_for".into(), arrival_json(arrival));
                }
                Ending::Unwell(_, unwell) => {
                    object.insert("checks".into(), checks_json(unwell));
                }
            }
            if let Some(stopped) = stopped {
                object.insert("goes_back_from".into(), stopped);
            }
        }
        out.json(&value);
        return verdict.exit_code();
    }
    const NEXT: &str = "the rollout is still open: `migrate rollout resume` goes on, `migrate rollout abort` gives it up";
    match ending {
        Ending::Done => {
            out.well("");
            let goal = format!(" {}", recorded_goal(&record.goal));
            out.well(Line::default().toned(Tone::Go, "done:").and(&goal));
            if let Some(situation) = situation {
                horizons(record, situation, out);
            }
        }
        Ending::Blocked(_, decision) => {
            let now = jiff::Timestamp::now().as_millisecond();
            out.line("");
            out.lines(text::decision(decision, now));
            out.line(NEXT);
        }
        Ending::NotThere(action, arrival) => {
            out.line("");
            out.line(text::verdict(verdict, &action.to_string()));
            out.line(format!("  {arrival}"));
            for line in look_after(arrival) {
                out.line(Line::named("    ", "next:", &line));
            }
            out.line(NEXT);
        }
        Ending::Unwell(action, unwell) => {
            does_not_hold(action, unwell, out);
            for line in after_unwell(action) {
                out.line(Line::named("    ", "next:", &line));
            }
            out.line(NEXT);
        }
    }
    verdict.exit_code()
}

/// Which versions of the rollout's services may start now.
fn horizons(record: &RolloutRecord, situation: &Situation, out: &Out) {
    for service in services(record) {
        for line in horizon_lines(&horizon(&service, &situation.evidence)) {
            out.well(&line);
        }
    }
}

fn services(record: &RolloutRecord) -> Vec<String> {
    let goal = serde_json::from_str::<BTreeMap<String, String>>(&record.goal);
    goal.map(|goal| goal.into_keys().collect())
        .unwrap_or_default()
}

pub(super) fn given_up_line(record: &RolloutRecord) -> String {
    let done = done(record);
    format!(
        "rollout {} to {} is given up, after {done} of {} steps",
        record.id,
        recorded_goal(&record.goal),
        record.steps.len()
    )
}

/// Why a service is rolled to what the fleet shows of it already.
pub(super) fn told_again(roll: &PlanAction) -> String {
    let PlanAction::Roll { service, from, to } = roll else {
        return String::new();
    };
    let from: Vec<String> = from.iter().map(ToString::to_string).collect();
    format!(
        "the driver of {service} was told {} last, in a rollout that was given up: it is told {to}, though the fleet shows nothing else",
        from.join(", ")
    )
}

fn done(record: &RolloutRecord) -> usize {
    let is_done = |step: &&RolloutStep| step.state == RolloutStepState::Done;
    record.steps.iter().filter(is_done).count()
}

pub(super) fn given_up(record: &RolloutRecord, situation: Option<&Situation>, out: &Out) {
    if out.is_json() {
        let mut rollout = rollout_json(record);
        if let Some(object) = rollout.as_object_mut() {
            object.insert("state".into(), RolloutState::Aborted.name().into());
        }
        out.json(&json!({ "verdict": Verdict::Go.name(), "rollout": rollout }));
        return;
    }
    out.well(given_up_line(record));
    if let Some(situation) = situation {
        horizons(record, situation, out);
    }
    for service in services(record) {
        if let Some(version) = ordered(record, &service).pop() {
            out.well(format!(
                "the driver of {service} was told {version} last, and what it has ordered may still be tried: `migrate rollout --to \
                 {service}=VERSION` tells it another one, also the one that runs"
            ));
        }
    }
    out.well("the schema stays as it is; `migrate plan` shows the ways from here");
}

/// That nothing was left to do.
pub(super) fn done_already(record: &RolloutRecord, out: &Out) {
    if out.is_json() {
        out.json(&json!({ "verdict": Verdict::Go.name(), "rollout": rollout_json(record) }));
        return;
    }
    let ended = record.ended_at.map(shapes::time).unwrap_or_default();
    out.well(format!(
        "rollout {} to {} is done already, since {ended}: nothing was left to do",
        record.id,
        recorded_goal(&record.goal)
    ));
}

pub(super) fn status(record: &RolloutRecord, situation: &Situation, out: &Out) {
    let busy = &situation.view.coordinator;
    let is_open = record.state == RolloutState::Open;
    let waits = waits_for(record, situation);
    out.line(format!(
        "{}; begun {} by {}",
        in_one_line(record),
        shapes::time(record.began_at),
        record.began_by
    ));
    if let Some(busy) = busy.describe() {
        out.line(format!("at work now: {busy}"));
    }
    out.line("");
    let rows = (1..).zip(&record.steps).map(|(number, step): (usize, _)| {
        let action = action(step);
        vec![number.to_string().into(), action.into(), state(step)]
    });
    out.lines(text::table(&["step", "action", "state"], rows.collect()));
    if !is_open {
        return;
    }
    out.line("");
    if !record.stopped.is_empty() {
        out.line(Line::named("", "stopped:", &record.stopped));
    }
    for service in services(record) {
        let groups = situation.evidence.snapshot.groups.iter();
        let live: Vec<String> = groups
            .filter(|group| group.service == service)
            .map(in_words)
            .collect();
        let live = if live.is_empty() {
            "nothing".to_owned()
        } else {
            live.join(", ")
        };
        out.line(format!("live now: {service} {live}"));
    }
    if let Some(arrival) = waits {
        out.line(format!("waits for: {arrival}"));
        for line in look_after(&arrival) {
            out.line(Line::named("  ", "next:", &line));
        }
    }
    match busy.describe() {
        Some(_) if busy.is_rolling_out() => {
            let holder = &busy.holder;
            out.line(next(&format!(
                "nothing; {holder} is at work on it, and once that has ended `migrate rollout resume` goes on with what is left"
            )));
        }
        Some(other) => out.line(next(&format!(
            "`migrate rollout resume` goes on when {other} has ended, `migrate rollout abort` gives it up"
        ))),
        None => out.line(next(
            "nobody is at work on it: `migrate rollout resume` goes on, `migrate rollout abort` gives it up",
        )),
    }
}

fn next(what: &str) -> Line {
    Line::named("", "next:", what)
}

/// How far it has come.
pub(in super::super) fn in_one_line(record: &RolloutRecord) -> String {
    format!(
        "rollout {} to {}: {}, {} of {} steps done",
        record.id,
        recorded_goal(&record.goal),
        record.state.name(),
        done(record),
        record.steps.len(),
    )
}

fn action(step: &RolloutStep) -> String {
    read_action(&step.action).map_or_else(
        |_| step.action.clone(),
        |action: PlanAction| action.to_string(),
    )
}

fn state(step: &RolloutStep) -> Cell {
    let words = match (step.state, step.done_at) {
        (RolloutStepState::Done, Some(at)) => format!("done {}", shapes::time(at)),
        (RolloutStepState::Begun, _) if step.reached > 0 => format!("begun, {} %", step.reached),
        (state, _) => state.name().to_owned(),
    };
    match step.state {
        RolloutStepState::Done => Cell::toned(Tone::Past, &words),
        RolloutStepState::Begun => Cell::toned(Tone::Hold, &words),
        _ => Cell::from(words),
    }
}
