//! A plan as a table, as JSON and as a Mermaid diagram.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::super::args::Format;
use super::super::out::Out;
use super::super::{json as shapes, text};
use crate::model::{Live, Step, Version};
use crate::planner::{Move, NoPlan, Plan, PlanStep, Problem};
use crate::project::Project;

pub(super) fn plan(plan: &Plan, problem: &Problem, project: &Project, out: &Out) {
    match out.format {
        Format::Text => out.line(&as_text(plan, problem, project)),
        Format::Json => out.json(&as_json(plan, problem, project)),
        Format::Mermaid => out.line(&as_mermaid(plan)),
    }
}

pub(super) fn none(none: &NoPlan, problem: &Problem, now: i64, out: &Out) {
    match out.format {
        Format::Text => out.line(&none_as_text(none, problem, now)),
        Format::Json => out.json(&none_as_json(none, problem)),
        Format::Mermaid => out.line(&none_as_mermaid(none)),
    }
}

fn action(step: &PlanStep) -> String {
    match &step.action {
        Move::Schema { step, migration } => format!("{} {migration}", step.name()),
        Move::Roll { service, from, to } if from.is_empty() => format!("roll {service} {to}"),
        Move::Roll { service, from, to } => {
            format!("roll {service} {} → {to}", versions(from, " + "))
        }
    }
}

fn versions(versions: &[Version], separator: &str) -> String {
    let texts: Vec<String> = versions.iter().map(ToString::to_string).collect();
    texts.join(separator)
}

/// The versions of each service.
fn by_service<'a>(live: impl IntoIterator<Item = &'a Live>) -> BTreeMap<&'a str, Vec<Version>> {
    let mut services: BTreeMap<&str, Vec<Version>> = BTreeMap::new();
    for who in live {
        let versions = services.entry(&who.service).or_default();
        versions.push(who.version.clone());
        versions.sort();
        versions.dedup();
    }
    services
}

fn fleet<'a>(live: impl IntoIterator<Item = &'a Live>) -> String {
    let services = by_service(live).into_iter();
    services
        .map(|(service, live)| format!("{service} {}", versions(&live, " + ")))
        .collect::<Vec<_>>()
        .join(", ")
}

/// What has to come about before the next step.
fn waits_for(step: &PlanStep, project: &Project) -> Vec<String> {
    match &step.action {
        Move::Roll { service, from, .. } => from
            .iter()
            .map(|version| format!("the last instance of {service} {version} is gone"))
            .collect(),
        Move::Schema { step, migration } => {
            let found = project.migrations.iter().find(|m| m.id() == migration);
            let mut waits = Vec::new();
            match (step, found) {
                (Step::Backfill, Some(_)) => waits.push("`remaining` returns 0".to_owned()),
                (Step::Contract, Some(migration)) => {
                    let rules = &migration.contract_rules;
                    if let Some(soak) = rules.soak {
                        let soak = u64::try_from(soak.as_millis()).unwrap_or(u64::MAX);
                        waits.push(format!("no old version is seen for {}", text::span(soak)));
                    }
                    if !rules.require.is_empty() {
                        waits.push("every `require` returns 0".to_owned());
                    }
                }
                _ => {}
            }
            waits
        }
    }
}

fn heading(problem: &Problem) -> String {
    let start = fleet(&problem.live);
    let start = if start.is_empty() {
        "an empty fleet".to_owned()
    } else {
        start
    };
    let goal: Vec<String> = problem
        .goal
        .iter()
        .map(|(service, version)| format!("{service} {version}"))
        .collect();
    if goal.is_empty() {
        format!("for {start}")
    } else {
        format!("from {start} to {}", goal.join(", "))
    }
}

fn as_text(plan: &Plan, problem: &Problem, project: &Project) -> String {
    let heading = heading(problem);
    let mut lines = Vec::new();
    if plan.steps.is_empty() {
        lines.push(format!("{heading}: nothing to do"));
    } else {
        let steps = u64::try_from(plan.steps.len()).unwrap_or(u64::MAX);
        let rollouts = u64::try_from(plan.rollouts()).unwrap_or(u64::MAX);
        lines.push(format!(
            "{heading}: {} in {}\n",
            text::count(rollouts, "rollout"),
            text::count(steps, "step")
        ));
        let rows = plan.steps.iter().enumerate().map(|(at, step)| {
            vec![
                (at + 1).to_string(),
                action(step),
                fleet(&step.live),
                waits_for(step, project).join("; "),
            ]
        });
        let header = ["step", "action", "live meanwhile", "done when"];
        lines.push(text::table(&header, rows.collect()));
        let notes = plan.steps.iter().enumerate().flat_map(|(at, step)| {
            let notes = step.notes.iter();
            notes.map(move |note| format!("step {}: {note}", at + 1))
        });
        let notes: Vec<String> = notes.collect();
        if !notes.is_empty() {
            lines.push(String::new());
            lines.extend(notes);
        }
    }
    if !plan.left.is_empty() {
        lines.push("\nleft for later versions:".to_owned());
        for left in &plan.left {
            let why: Vec<&str> = left.blockers.iter().map(|b| b.message.as_str()).collect();
            lines.push(format!(
                "  {} {}: {}",
                left.step.name(),
                left.migration,
                why.join("; ")
            ));
        }
    }
    if !plan.is_shortest {
        lines.push("\nnot every order was tried: there may be a shorter plan".to_owned());
    }
    lines.join("\n")
}

fn as_json(plan: &Plan, problem: &Problem, project: &Project) -> Value {
    let steps: Vec<Value> = plan
        .steps
        .iter()
        .map(|step| {
            let mut value = match &step.action {
                Move::Schema { step, migration } => {
                    json!({ "action": step.name(), "migration": migration })
                }
                Move::Roll { service, from, to } => json!({
                    "action": "roll",
                    "service": service,
                    "from": from.first(),
                    "replaces": from,
                    "to": to,
                }),
            };
            if let Some(object) = value.as_object_mut() {
                object.insert("live".into(), json!(by_service(&step.live)));
                object.insert("done_when".into(), json!(waits_for(step, project)));
                object.insert("notes".into(), json!(step.notes));
            }
            value
        })
        .collect();
    let left: Vec<Value> = plan
        .left
        .iter()
        .map(|left| {
            json!({
                "action": left.step.name(),
                "migration": left.migration,
                "blockers": left.blockers.iter().map(shapes::blocker).collect::<Vec<_>>(),
            })
        })
        .collect();
    json!({
        "plan": steps,
        "goal": plan.goal,
        "start": by_service(&problem.live),
        "rollouts": plan.rollouts(),
        "shortest": plan.is_shortest,
        "left": left,
        "blockers": [],
    })
}

/// Mermaid ends a label at its quote, and reads `#…;` as an entity.
fn label(text: &str) -> String {
    let safe = text
        .replace('&', "#amp;")
        .replace('"', "#quot;")
        .replace('<', "#lt;")
        .replace('>', "#gt;");
    format!("\"{safe}\"")
}

fn as_mermaid(plan: &Plan) -> String {
    let mut lines = vec!["flowchart TD".to_owned()];
    for (at, step) in plan.steps.iter().enumerate() {
        let text = label(&format!("{}. {}", at + 1, action(step)));
        let (open, close) = match &step.action {
            Move::Roll { .. } => ("([", "])"),
            Move::Schema { .. } => ("[", "]"),
        };
        let class = match &step.action {
            Move::Roll { .. } => "roll",
            Move::Schema { step, .. } => step.name(),
        };
        lines.push(format!("    s{}{open}{text}{close}:::{class}", at + 1));
        if at > 0 {
            // What is live is what the arrow crosses with.
            lines.push(format!("    s{at} --> s{}", at + 1));
        }
    }
    if plan.steps.is_empty() {
        lines.push("    s1[\"nothing to do\"]".to_owned());
    }
    lines.push("    classDef roll fill:#e8f0fe,stroke:#4a6fa5,color:#1b2a41".to_owned());
    lines.push("    classDef contract stroke:#b3402a,stroke-width:2px".to_owned());
    lines.join("\n")
}

fn none_as_text(none: &NoPlan, problem: &Problem, now: i64) -> String {
    let mut lines = vec![format!("no plan {}", heading(problem))];
    lines.extend(text::blockers(&none.blockers, now));
    if !none.ways_out.is_empty() {
        lines.push("any of these would open a way:".to_owned());
        for way in &none.ways_out {
            lines.push(format!("  - {}", way.message));
        }
    }
    lines.join("\n")
}

fn none_as_json(none: &NoPlan, problem: &Problem) -> Value {
    let ways: Vec<Value> = none
        .ways_out
        .iter()
        .map(|way| {
            json!({
                "kind": way.way.name(),
                "migration": way.migration,
                "service": way.service,
                "range": way.range,
                "message": way.message,
            })
        })
        .collect();
    json!({
        "plan": null,
        "goal": problem.goal,
        "start": by_service(&problem.live),
        "blockers": none.blockers.iter().map(shapes::blocker).collect::<Vec<_>>(),
        "ways_out": ways,
    })
}

fn none_as_mermaid(none: &NoPlan) -> String {
    let mut lines = vec![
        "flowchart TD".to_owned(),
        "    none{{\"no plan\"}}".to_owned(),
    ];
    for (at, blocker) in none.blockers.iter().enumerate() {
        let text = label(&blocker.message);
        lines.push(format!("    none --- b{}[{text}]", at + 1));
    }
    lines.join("\n")
}
