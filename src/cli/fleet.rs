//! `migrate fleet`: which versions are live, and what they touch.

use super::args::Global;
use super::declared;
use super::failure::Failure;
use super::out::{Out, note};
use super::paint::{Cell, Tone};
use super::recording::Recording;
use super::text;
use crate::ask::{Answer, Question, Record, about, touched};
use crate::coordinator::Situation;
use crate::model::{About, InstanceState, LiveGroup, ORDERED, SourceStatus};

pub(super) async fn run(args: &Recording, global: &Global, out: &Out) -> Result<u8, Failure> {
    let record = Record::from(args);
    let (context, answer) = declared::ask(&Question::Fleet { record }, global, out).await?;
    let looked = match answer {
        Answer::Fleet(looked) => looked,
        other => return Err(Failure::unasked(&other)),
    };
    let situation = &looked.situation;
    let snapshot = &situation.evidence.snapshot;
    if out.is_json() {
        out.json(&looked.fleet_json());
    } else if snapshot.all_groups().next().is_none() {
        out.line("no live instance is seen");
    } else {
        let mut groups: Vec<&LiveGroup> = snapshot.all_groups().collect();
        groups.sort_by(|a, b| {
            (&a.service, &a.label.version, &a.state).cmp(&(&b.service, &b.label.version, &b.state))
        });
        let rows = groups
            .into_iter()
            .map(|group| as_row(group, situation))
            .collect();
        let header = ["service", "version", "instances", "state", "source", "seen"];
        out.lines(text::table_with_details(&header, rows));
    }
    if looked.nothing_yet.is_some() && context.project.config.fleet.others().next().is_some() {
        note("the sources were not asked, because there is no database yet");
    }
    for source in &snapshot.sources {
        if let SourceStatus::Failed { reason } = &source.status {
            note(&format!("the source `{}` failed: {reason}", source.name));
        } else if source.status == SourceStatus::Stale {
            note(&format!(
                "the source `{}` is stale: its news is {} old",
                source.name,
                text::span(source.age_ms)
            ));
        }
        for remark in &source.notes {
            note(&format!("{}: {remark}", source.name));
        }
    }
    for twins in &snapshot.twins {
        note(&format!(
            "{}: they count as one instance, so give each a name of its own with `--instance`",
            twins.describe()
        ));
    }
    let sessions = &snapshot.sessions;
    if let Some(why) = &sessions.unseen {
        note(&format!(
            "the database's sessions cannot all be seen: {why}"
        ));
    }
    for group in &sessions.unaccounted {
        note(&group.belong_to_nobody());
    }
    Ok(looked.verdict_of_the_fleet().exit_code())
}

/// The cells of a group, and the lines below it: which instances, and what they touch.
fn as_row(group: &LiveGroup, situation: &Situation) -> (Vec<Cell>, Vec<String>) {
    let age = situation.view.now.saturating_sub(group.seen_at);
    let mut details = Vec::new();
    if group.source == ORDERED {
        details.push("ordered, and no look shows it yet: it may start at any moment".to_owned());
    } else if situation.evidence.snapshot.remembered.contains(group) {
        details.push("remembered: no look since shows that it is gone".to_owned());
    }
    if !group.examples.is_empty() {
        let shown = u64::try_from(group.examples.len()).unwrap_or(u64::MAX);
        let more = if shown < group.instances { ", …" } else { "" };
        let about = about(group, situation);
        if about.is_empty() {
            details.push(format!("{}{more}", group.examples.join(", ")));
        } else {
            let lines = about.into_iter();
            details.extend(lines.map(|(name, about)| in_words(name, about, situation.view.now)));
            details.extend((!more.is_empty()).then(|| "…".to_owned()));
        }
    }
    match group.state {
        InstanceState::Superseded => details.push(
            "each of them has registered once more since: these leases count until they end, and prove nothing"
                .to_owned(),
        ),
        InstanceState::Unreadable => details
            .push("what these leases hold makes no sense: they count as live".to_owned()),
        InstanceState::Contradictory => details
            .push("what says their version names two, or more: which they are is not guessed".to_owned()),
        _ => {}
    }
    if group.label.version.is_none() {
        details.push("not a version: what it touches is unknown".to_owned());
    }
    let touched = touched(group, situation);
    details.extend(
        touched
            .into_iter()
            .map(|(id, format, does)| format!("{does} the {format} format of {id}")),
    );
    let cells = vec![
        Cell::from(group.service.clone()),
        Cell::toned(Tone::Label, &group.label.to_string()),
        Cell::from(group.instances.to_string()),
        Cell::toned(group.state, group.state.name()),
        Cell::from(group.source.clone()),
        Cell::from(format!(
            "{} ago",
            text::span(u64::try_from(age).unwrap_or(0))
        )),
    ];
    (cells, details)
}

/// `web-7d4b9-x2x4q on n1, Pending for 3 min: web: ErrImagePull`
fn in_words(name: &str, about: &About, now: i64) -> String {
    let mut words = name.to_owned();
    if let Some(place) = &about.place {
        words.push_str(&format!(" on {place}"));
    }
    if let Some(phase) = &about.phase {
        words.push_str(&format!(", {phase}"));
    }
    if let Some(since) = about.since {
        let span = u64::try_from(now.saturating_sub(since)).unwrap_or(0);
        words.push_str(&format!(" for {}", text::span(span)));
    }
    if let Some(why) = &about.why {
        words.push_str(&format!(": {why}"));
    }
    words
}
