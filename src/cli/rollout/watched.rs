//! What the checks between the steps have shown.

use std::time::Duration;

use serde_json::{Value, json};

use super::super::out::Out;
use super::super::text;
use crate::analysis::{Bad, Reading};
use crate::gate::Verdict;
use crate::planner::PlanAction;
use crate::rollout::Unwell;

/// How long a step still has to hold, and the figures.
pub(super) fn holds(step: u8, left: Duration, readings: &[Reading]) -> String {
    let figures: Vec<String> = readings.iter().map(Reading::in_words).collect();
    let figures = if figures.is_empty() {
        String::new()
    } else {
        format!(": {}", figures.join("; "))
    };
    if left.is_zero() {
        return format!("  {step} % holds{figures}");
    }
    let left = text::span(u64::try_from(left.as_millis()).unwrap_or(u64::MAX));
    format!("  {step} % has to hold for {left} more{figures}")
}

/// That a step does not hold, and what every check has shown.
pub(super) fn does_not_hold(action: &PlanAction, unwell: &Unwell, out: &Out) {
    out.line("");
    out.line(text::verdict(verdict_of(unwell), &action.to_string()));
    let step = unwell.step;
    for reading in &unwell.readings {
        out.line(format!("  at {step} %: {}", reading.in_words()));
    }
}

/// What the end of a rollout is worth that a check has stopped.
pub(super) fn verdict_of(unwell: &Unwell) -> Verdict {
    if unwell.is_known() {
        Verdict::Refuse
    } else {
        Verdict::Unknown
    }
}

/// What every check has shown where a step does not hold.
pub(super) fn checks_json(unwell: &Unwell) -> Value {
    let checks = unwell.readings.iter().map(|reading| {
        let (verdict, why) = match &reading.bad {
            None => (Verdict::Go, None),
            Some(Bad::Wrong(why)) => (Verdict::Refuse, Some(why)),
            Some(Bad::Unknown(why)) => (Verdict::Unknown, Some(why)),
        };
        json!({
            "check": reading.check,
            "verdict": verdict.name(),
            "figure": reading.figure.filter(|figure| figure.is_finite()),
            "before": reading.before,
            "min": reading.limits.least,
            "max": reading.limits.most,
            "max_increase": reading.limits.most_times_before,
            "why": why,
        })
    });
    json!({ "step": unwell.step, "checks": checks.collect::<Value>() })
}

/// What somebody can do about a step that does not hold.
pub(super) fn after_unwell(action: &PlanAction) -> Vec<String> {
    let mut lines = vec![
        "both versions can live with the schema as it is, and nothing was contracted: see what the new one does".to_owned(),
    ];
    if let PlanAction::Roll { service, from, .. } = action
        && let [from] = from.as_slice()
    {
        lines.push(format!(
            "`migrate rollout abort --roll-back {service}={from}` goes back to {from}"
        ));
    }
    lines
}
