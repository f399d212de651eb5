//! A plan as a table and as a Mermaid diagram.

use super::super::args::Format;
use super::super::markdown;
use super::super::out::Out;
use super::super::paint::Line;
use super::super::summed;
use super::super::text;
use crate::ask::{Planned, Until, by_service};
use crate::gate::{Blocker, Verdict};
use crate::model::{Live, MigrationId};
use crate::planner::{NoPlan, Plan, PlanAction, Problem, WayOut, beside_each_other};
use crate::text::shown::shown;

pub(super) fn show(planned: &Planned, out: &Out) {
    let problem = &planned.problem;
    match (&planned.answer, out.format) {
        (_, Format::Json) => out.json(&planned.to_json()),
        (Ok(plan), Format::Text) => out.lines(as_text(plan, planned)),
        (_, Format::Markdown) => out.verbatim(&as_markdown(planned)),
        (Ok(plan), _) => out.lines(as_mermaid(plan)),
        (Err(none), Format::Text) => out.lines(none_as_text(none, problem, planned.start.now())),
        (Err(none), _) => out.lines(none_as_mermaid(none)),
    }
}

fn fleet<'a>(live: impl IntoIterator<Item = &'a Live>) -> String {
    let services = by_service(live).into_iter();
    services
        .map(|(service, live)| format!("{service} {}", beside_each_other(&live)))
        .collect::<Vec<_>>()
        .join(", ")
}

fn sorted(live: &[Live]) -> Vec<Live> {
    let mut live = live.to_vec();
    live.sort();
    live.dedup();
    live
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
    let is_there = problem.live_at_the_end() == sorted(&problem.live);
    if is_there {
        format!("with {start}")
    } else {
        format!("from {start} to {}", goal.join(", "))
    }
}

fn as_text(plan: &Plan, planned: &Planned) -> Vec<Line> {
    let heading = heading(&planned.problem);
    let mut lines = Vec::new();
    if plan.steps.is_empty() {
        lines.push(Line::from(format!("{heading}: nothing to do")));
    } else {
        let of = |number: usize, noun| text::count(u64::try_from(number).unwrap_or(0), noun);
        let rollouts = match plan.rollouts() {
            0 => "no rollout".to_owned(),
            rollouts => of(rollouts, "rollout"),
        };
        let steps = of(plan.steps.len(), "step");
        lines.push(match (planned.verdict(), planned.refused()) {
            (Verdict::Refuse, Some(step)) => {
                let why = format!(
                    "{heading}: {steps}, {rollouts}, and step {} will be refused as things stand",
                    step.number
                );
                text::verdict(Verdict::Refuse, &why)
            }
            _ => Line::from(format!("{heading}: {steps}, {rollouts}")),
        });
        lines.push(Line::default());
        let mut rows = Vec::new();
        let mut next = 0;
        for run in summed::steps(&plan.steps) {
            let (first, last) = (next + 1, next + run.len());
            let number = if first == last {
                first.to_string()
            } else {
                format!("{first}-{last}")
            };
            let waits = planned.waits.get(next).into_iter().flatten();
            let waits: Vec<String> = waits.filter_map(Until::words).collect();
            rows.push(vec![
                number,
                summed::action(run),
                run.first()
                    .map(|step| fleet(&step.live))
                    .unwrap_or_default(),
                waits.join(", "),
            ]);
            next = last;
        }
        let header = ["step", "action", "live meanwhile", "done when"];
        lines.extend(text::table(&header, rows));
        let notes = plan.steps.iter().enumerate().flat_map(|(at, step)| {
            let remarks = step.remarks().into_iter();
            remarks.map(move |note| format!("step {}: {note}", at + 1))
        });
        let notes: Vec<Line> = notes.map(Line::from).collect();
        if !notes.is_empty() {
            lines.push(Line::default());
            lines.extend(notes);
        }
    }
    if !plan.left.is_empty() {
        lines.push(Line::default());
        lines.push(Line::from("left for later versions:"));
        for left in &plan.left {
            let why = summed::messages(&left.blockers, Blocker::message);
            lines.push(Line::from(format!(
                "  {} {}: {}",
                left.step.name(),
                left.migration,
                why.join("; ")
            )));
        }
    }
    if !plan.is_shortest {
        lines.push(Line::default());
        lines.push(Line::from(
            "not every order was tried: there may be a shorter plan",
        ));
    }
    lines
}

/// The diagram, and step by step what it shows, or why there is none.
fn as_markdown(planned: &Planned) -> String {
    let problem = &planned.problem;
    let (diagram, lines) = match &planned.answer {
        Ok(plan) => (as_mermaid(plan), as_text(plan, planned)),
        Err(none) => (
            none_as_mermaid(none),
            none_as_text(none, problem, planned.start.now()),
        ),
    };
    let lines: Vec<String> = lines.iter().map(Line::plain).collect();
    let (first, rest) = lines
        .split_first()
        .map_or(("", &[][..]), |(first, rest)| (first.as_str(), rest));
    let heading = markdown::inline(first);
    let diagram = markdown::block("mermaid", diagram);
    let mut text = format!("### `migrate plan`: {heading}\n\n{diagram}");
    let rest: Vec<&str> = rest
        .iter()
        .map(|line| line.trim_end())
        .skip_while(|line| line.is_empty())
        .collect();
    if !rest.is_empty() {
        text.push_str("\n\n");
        text.push_str(&markdown::block("text", rest));
    }
    text
}

/// Mermaid ends a label at its quote, reads `#…;` as an entity and `1.` as the start of a list.
fn label(lines: &[String]) -> String {
    let safe = lines.iter().map(|line| {
        shown(line)
            .replace('#', "#35;")
            .replace('&', "#amp;")
            .replace('"', "#quot;")
            .replace('<', "#lt;")
            .replace('>', "#gt;")
    });
    format!("\"{}\"", safe.collect::<Vec<_>>().join("<br>"))
}

fn as_mermaid(plan: &Plan) -> Vec<String> {
    let mut lines = vec!["flowchart TD".to_owned()];
    for (at, step) in plan.steps.iter().enumerate() {
        let mut lines_of = vec![format!("step {}: {}", at + 1, step.action)];
        if matches!(step.action, PlanAction::Schema { .. }) && !step.live.is_empty() {
            lines_of.push(format!("with {} live", fleet(&step.live)));
        }
        let refused = step.refused.iter();
        lines_of.extend(refused.map(|why| format!("will be refused: {}", why.message())));
        let text = label(&lines_of);
        let (open, close) = match &step.action {
            PlanAction::Roll { .. } => ("([", "])"),
            PlanAction::Schema { .. } => ("[", "]"),
        };
        let class = match &step.action {
            _ if !step.refused.is_empty() => "refused",
            PlanAction::Roll { .. } => "roll",
            PlanAction::Schema { step, .. } => step.name(),
        };
        lines.push(format!("    s{}{open}{text}{close}:::{class}", at + 1));
        if at > 0 {
            lines.push(format!("    s{at} --> s{}", at + 1));
        }
    }
    if plan.steps.is_empty() {
        lines.push("    s1[\"nothing to do\"]".to_owned());
    }
    lines.push("    classDef roll fill:#e8f0fe,stroke:#4a6fa5,color:#1b2a41".to_owned());
    lines.push("    classDef contract stroke:#b3402a,stroke-width:2px".to_owned());
    if plan.steps.iter().any(|step| !step.refused.is_empty()) {
        lines.push("    classDef refused fill:#fdeaea,stroke:#b3402a,color:#5c1a10".to_owned());
    }
    lines
}

fn none_as_text(none: &NoPlan, problem: &Problem, now: i64) -> Vec<Line> {
    let no_plan = format!("no plan {}", heading(problem));
    let mut lines = vec![text::verdict(none.verdict(), &no_plan)];
    // What would help against one blocker alone does not open a way.
    let has_way = |blocker: &Blocker| {
        let mut ways = none.ways_out.iter();
        ways.any(|way| way.migration.is_none() || way.migration == blocker.migration)
    };
    lines.extend(summed::blockers(&none.blockers, |blocker| {
        if has_way(blocker) {
            text::blocker_alone(blocker, now)
        } else {
            text::blocker(blocker, now)
        }
    }));
    for (migrations, ways) in ways_together(&none.ways_out) {
        let of = if migrations.is_empty() {
            String::new()
        } else {
            format!(" for {}", migrations.join(", "))
        };
        let quantity = if ways.len() == 1 {
            "this"
        } else {
            "any of these"
        };
        lines.push(Line::default());
        lines.push(Line::from(format!("{quantity} would open a way{of}:")));
        let ways = ways.into_iter();
        lines.extend(ways.map(|way| Line::from(format!("  - {way}"))));
    }
    lines
}

/// The migrations that the same ways out are open to, and these ways.
fn ways_together(ways: &[WayOut]) -> Vec<(Vec<&str>, Vec<&str>)> {
    let mut each: Vec<(Option<&str>, Vec<&str>)> = Vec::new();
    for way in ways {
        let id = way.migration.as_ref().map(MigrationId::as_str);
        match each.iter_mut().find(|(of, _)| *of == id) {
            Some((_, messages)) => messages.push(&way.message),
            None => each.push((id, vec![&way.message])),
        }
    }
    let mut together: Vec<(Vec<&str>, Vec<&str>)> = Vec::new();
    for (id, messages) in each {
        match together
            .iter_mut()
            .find(|(of, known)| !of.is_empty() && id.is_some() && *known == messages)
        {
            Some((of, _)) => of.extend(id),
            None => together.push((id.into_iter().collect(), messages)),
        }
    }
    together
}

fn none_as_mermaid(none: &NoPlan) -> Vec<String> {
    let mut lines = vec![
        "flowchart TD".to_owned(),
        "    none{{\"no plan\"}}".to_owned(),
    ];
    let reasons = summed::messages(&none.blockers, Blocker::message);
    for (at, reason) in reasons.into_iter().enumerate() {
        let text = label(&[reason]);
        lines.push(format!("    none --- b{}[{text}]", at + 1));
    }
    for (at, way) in none.ways_out.iter().enumerate() {
        let text = label(&["a way out:".to_owned(), way.message.clone()]);
        lines.push(format!("    none -.-> w{}([{text}])", at + 1));
    }
    lines
}
