//! What was done, filtered.

use maud::{Markup, html};

use super::super::watch::Seen;
use super::{Wanted, ago, data, kept, link};
use crate::ask::Events;
use crate::ask::json::{detail, time};
use crate::ledger::Event;

/// Events that are shown.
const MOST: usize = 50;

pub(super) fn section(seen: &Seen, wanted: &Wanted) -> Markup {
    let given = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
    let filter = Events {
        migration: given(&wanted.migration),
        actor: given(&wanted.actor),
        ..Events::default()
    };
    let now = seen.status.looked.situation.view.now;
    let events = seen.events.iter().rev();
    let events: Vec<&Event> = events
        .filter(|event| filter.covers(event))
        .take(MOST)
        .collect();
    let is_filtered = !wanted.migration.is_empty() || !wanted.actor.is_empty();
    let to = [("to", wanted.to.as_str())];
    let whole = [
        ("migration", wanted.migration.as_str()),
        ("actor", wanted.actor.as_str()),
    ];
    html! {
        section #log aria-labelledby="log-title" {
            h2 #log-title { "Log" }
            form .filter method="get" action="/" {
                (kept(&to))
                label { "migration " input name="migration" value=(wanted.migration) size="10" autocomplete="off"; }
                label { "by " input name="actor" value=(wanted.actor) size="10" autocomplete="off"; }
                button type="submit" { "Filter" }
                @if is_filtered { a href=(link("/", &to)) { "all" } }
            }
            @if events.is_empty() { p .empty { "Nothing of the last events." } }
            ol .events {
                @for event in events {
                    li {
                        time datetime=(time(event.at)) title=(time(event.at)) { (ago(now, event.at)) }
                        span .what { (data(&what(event))) }
                        @if let Some(id) = &event.migration { code { (data(id)) } }
                        span .quiet { (data(&event.actor)) }
                    }
                }
            }
            @if is_filtered { p .quiet { "Filtered are the last events alone; " a href=(link("/v1/log", &whole)) { "the whole log of it" } } }
        }
    }
}

/// What happened, in a word or two.
fn what(event: &Event) -> String {
    let detail = detail(event);
    let field = |name: &str| detail.get(name).and_then(serde_json::Value::as_str);
    match (field("from"), field("to")) {
        (Some(from), Some(to)) if event.kind == "phase" => format!("{from} → {to}"),
        (Some(from), Some(to)) => format!("{} {from} → {to}", event.kind),
        _ => match field("error").or_else(|| field("reason")) {
            Some(why) => format!("{}: {why}", event.kind),
            None => event.kind.clone(),
        },
    }
}
