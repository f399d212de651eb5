//! The fleet as bars by version, and which versions may start.

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::super::watch::Seen;
use super::{ago, data, link, prose};
use crate::ask::range;
use crate::ask::words::{count, span};
use crate::gate::Horizon;
use crate::model::{InstanceState, LiveGroup, SourceStatus};

/// Lines of one service.
const MOST: usize = 30;
const MOST_REASONS: usize = 3;

pub(super) fn section(seen: &Seen) -> Markup {
    let situation = &seen.status.looked.situation;
    let snapshot = &situation.evidence.snapshot;
    let mut services: BTreeMap<&str, Vec<&LiveGroup>> = BTreeMap::new();
    for group in snapshot.all_groups() {
        services.entry(&group.service).or_default().push(group);
    }
    html! {
        section #fleet aria-labelledby="fleet-title" {
            h2 #fleet-title { "Fleet" }
            @if services.is_empty() { p .empty { "No live instance is seen." } }
            @for (service, mut groups) in services {
                @let () = groups.sort_by(|a, b| (&a.label.version, &a.label.text, a.state).cmp(&(&b.label.version, &b.label.text, b.state)));
                (bars(service, &groups, situation.view.now))
            }
            ul .sources {
                @for source in &snapshot.sources {
                    li {
                        @match &source.status {
                            SourceStatus::Fresh => { span .dot .go aria-hidden="true" {} (data(&source.name)) span .quiet { " fresh" } }
                            SourceStatus::Stale => {
                                span .dot .hold aria-hidden="true" {} (data(&source.name))
                                span .bad { " stale: its news is " (span(source.age_ms)) " old" }
                            }
                            SourceStatus::Failed { reason } => {
                                span .dot .refuse aria-hidden="true" {} (data(&source.name)) span .bad { " failed: " (data(reason)) }
                            }
                        }
                        @for note in source.notes.iter().take(MOST_REASONS) { p .quiet { (data(note)) } }
                    }
                }
            }
            @for group in snapshot.sessions.unaccounted.iter().take(MOST_REASONS) {
                p .banner .hold { (data(&group.belong_to_nobody())) }
            }
        }
    }
}

/// One service: a bar of all its instances, and a line for each version and state.
fn bars(service: &str, groups: &[&LiveGroup], now: i64) -> Markup {
    let all: u64 = groups.iter().map(|group| group.instances).sum();
    let mut versions: Vec<&str> = groups
        .iter()
        .map(|group| group.label.text.as_str())
        .collect();
    versions.dedup();
    // Each version has a shade of its own, as far as there are shades.
    let shade = |group: &LiveGroup| {
        let at = versions.iter().position(|text| *text == group.label.text);
        at.unwrap_or(0) % 6
    };
    let mut begins = 0;
    html! {
        div .service {
            h3 { (data(service)) span .quiet { " " (count(all, "instance")) } }
            svg .bar viewBox="0 0 1000 10" preserveAspectRatio="none" width="100%" height="14" aria-hidden="true" {
                @for group in groups {
                    @let wide = per_mille(group.instances, all);
                    rect class={ "shade" (shade(group)) " " (group.state.name()) } x=(begins) y="0" width=(wide) height="10" {}
                    @let () = begins += wide;
                }
            }
            ul .versions {
                @for group in groups.iter().take(MOST) {
                    li {
                        span class={ "swatch shade" (shade(group)) " " (group.state.name()) } aria-hidden="true" {}
                        span .version { (data(&group.label.to_string())) }
                        span .number { (group.instances) }
                        span class={ "state " (tone(group.state)) } { (group.state.name()) }
                        span .quiet .source { (data(&group.source)) ", " (ago(now, group.seen_at)) }
                    }
                }
            }
            @if groups.len() > MOST { p .quiet { "… and " (groups.len() - MOST) " more: " a href="/v1/fleet" { "all of them" } } }
        }
    }
}

/// Of a bar that is 1000 wide; what is there is seen.
fn per_mille(part: u64, all: u64) -> u64 {
    (part.saturating_mul(1000) / all.max(1)).max(4)
}

const fn tone(state: InstanceState) -> &'static str {
    match state {
        InstanceState::Serving => "good",
        InstanceState::Starting | InstanceState::Draining => "passing",
        InstanceState::Lost
        | InstanceState::Superseded
        | InstanceState::Unreadable
        | InstanceState::Contradictory => "bad",
    }
}

/// Which versions may start now, and why others may not.
pub(super) fn may_start(seen: &Seen) -> Markup {
    let horizons = &seen.status.horizons;
    html! {
        section #horizon aria-labelledby="horizon-title" {
            h2 #horizon-title { "What may start now" }
            @if horizons.is_empty() { p .empty { "No service is named." } }
            @for horizon in horizons { (stretches(horizon)) }
        }
    }
}

fn stretches(horizon: &Horizon) -> Markup {
    html! {
        div .service {
            h3 { (data(&horizon.service)) }
            ul .stretches {
                @for stretch in horizon.stretches.iter().take(MOST) {
                    @let is_go = stretch.reasons.is_empty();
                    @let first = format!("{}={}", horizon.service, stretch.from);
                    @let why = link("/v1/gate/deploy", &[("to", &first)]);
                    li class=(if is_go { "go" } else { "refuse" }) {
                        p {
                            span .mark aria-hidden="true" { (if is_go { "✓" } else { "✕" }) }
                            strong { (range(stretch)) }
                            " " (if is_go { "may start" } else { "may not start" })
                            @if !is_go { " " a href=(why) { "why" } }
                        }
                        @for reason in stretch.reasons.iter().take(MOST_REASONS) { p .quiet { (prose(reason)) } }
                        @if stretch.reasons.len() > MOST_REASONS {
                            p .quiet { "and " (stretch.reasons.len() - MOST_REASONS) " more: " a href=(why) { "all reasons" } }
                        }
                    }
                }
            }
        }
    }
}
