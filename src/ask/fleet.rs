//! Which versions are live, and what they touch.

use serde_json::{Value, json};

use super::{Looked, json as shapes};
use crate::coordinator::Situation;
use crate::gate::{Touch, Verdict};
use crate::model::{About, Format, Live, LiveGroup, MigrationId, SourceStatus};

impl Looked {
    /// *Unknown* where a source is not fresh: a list that may be incomplete must not pass for a complete one.
    #[must_use]
    pub fn verdict_of_the_fleet(&self) -> Verdict {
        let mut sources = self.situation.evidence.snapshot.sources.iter();
        if sources.all(|source| source.status == SourceStatus::Fresh) {
            Verdict::Go
        } else {
            Verdict::Unknown
        }
    }

    /// As `migrate fleet --output json` prints it.
    #[must_use]
    pub fn fleet_json(&self) -> Value {
        let snapshot = &self.situation.evidence.snapshot;
        let groups = snapshot.all_groups();
        json!({
            "fleet": groups.map(|group| group_json(group, &self.situation)).collect::<Vec<_>>(),
            "sources": snapshot.sources.iter().map(shapes::source).collect::<Vec<_>>(),
            "checked_at": shapes::time(snapshot.taken_at),
        })
    }
}

fn group_json(group: &LiveGroup, situation: &Situation) -> Value {
    let touches: Vec<_> = touched(group, situation)
        .into_iter()
        .map(|(id, format, does)| json!({ "migration": id, "format": format.to_string(), "does": does }))
        .collect();
    let details: Vec<_> = about(group, situation)
        .into_iter()
        .map(|(instance, about)| {
            json!({
                "instance": instance,
                "place": about.place,
                "phase": about.phase,
                "since": about.since.map(shapes::time),
                "why": about.why,
            })
        })
        .collect();
    json!({
        "service": group.service,
        "version": group.label.text,
        "placed": group.label.version,
        "instances": group.instances,
        "state": group.state.name(),
        "source": group.source,
        "seen_at": shapes::time(group.seen_at),
        "examples": group.examples,
        "details": details,
        "touches": touches,
        "remembered": situation.evidence.snapshot.remembered.contains(group),
    })
}

/// What its source tells of each of its examples.
#[must_use]
pub fn about<'s>(group: &'s LiveGroup, situation: &'s Situation) -> Vec<(&'s str, &'s About)> {
    let snapshot = &situation.evidence.snapshot;
    let examples = group.examples.iter();
    let about = examples.filter_map(|name| {
        let about = snapshot.about(&group.source, &group.service, name)?;
        Some((name.as_str(), about))
    });
    about.collect()
}

/// What a version touches of the migrations that are not over.
#[must_use]
pub fn touched<'s>(
    group: &LiveGroup,
    situation: &'s Situation,
) -> Vec<(&'s MigrationId, Format, &'static str)> {
    let Some(version) = group.label.version.clone() else {
        return Vec::new();
    };
    let who = Live {
        service: group.service.clone(),
        version,
    };
    let mut found = Vec::new();
    for state in situation.evidence.schema.migrations() {
        for format in [Format::Old, Format::New] {
            if !state.is_complete() && state.is_touched_by(&who, format) {
                let does = Touch::of(&state.declaration, &who, format).name();
                found.push((state.id(), format, does));
            }
        }
    }
    found
}
