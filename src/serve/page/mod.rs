//! The page: what was seen last, for a person. It is whole without a script; with one it renews itself.
//!
//! Invariant: nothing here is inserted but escaped: markup is made by `html!` alone, and what others wrote goes through [`data`].

mod fleet;
mod log;
mod migrations;
mod plan;

use std::time::Duration;

use maud::{DOCTYPE, Markup, html};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::query::{Misused, pairs, service_and_version};
use super::watch::{Glance, Seen};
use crate::ask::Goal;
use crate::ask::words::{count, span};
use crate::gate::Verdict;
use crate::model::{Phase, SourceStatus};
use crate::text::secret::masked_own;
use crate::text::shown::shown;

pub(super) use plan::Drawn;

pub(super) const STYLE: &str = include_str!("page.css");
pub(super) const SCRIPT: &str = include_str!("page.js");

/// What somebody wants to see beside what is always shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Wanted {
    /// The plan to these versions, as it was written.
    pub to: String,
    pub goal: Option<Goal>,
    /// Events of this migration alone.
    pub migration: String,
    /// Events by this one alone.
    pub actor: String,
}

/// An address with these parameters; what is empty is left out.
fn link(path: &str, parameters: &[(&str, &str)]) -> String {
    let given = parameters.iter().filter(|(_, value)| !value.is_empty());
    let given = given.map(|(name, value)| {
        let value = utf8_percent_encode(value, NON_ALPHANUMERIC);
        format!("{name}={value}")
    });
    match given.collect::<Vec<_>>().join("&") {
        none if none.is_empty() => path.to_owned(),
        query => format!("{path}?{query}"),
    }
}

/// What another form has asked for, so that this one does not end it.
fn kept(parameters: &[(&str, &str)]) -> Markup {
    html! {
        @for (name, value) in parameters.iter().filter(|(_, value)| !value.is_empty()) {
            input type="hidden" name=(name) value=(value);
        }
    }
}

impl Wanted {
    /// `?to=web=1.2.0 worker=2.0.0&migration=2&actor=ann`. What a form leaves empty is not asked for.
    pub(super) fn read(query: Option<&str>) -> Result<Self, Misused> {
        let mut wanted = Self::default();
        // A form writes a space as a plus, and a plus in full.
        let query = query.map(|query| query.replace('+', "%20"));
        for (name, value) in pairs(query.as_deref())? {
            let value = value.trim().to_owned();
            match name.as_str() {
                "to" => wanted.to = value,
                "migration" => wanted.migration = value,
                "actor" => wanted.actor = value,
                _ => {
                    return Err(Misused::new(
                        format!("there is no parameter `{name}` here"),
                        "these are: to, migration, actor",
                    ));
                }
            }
        }
        let words = wanted.to.split_whitespace();
        let to: Result<Vec<_>, Misused> = words.map(service_and_version).collect();
        let to = to?;
        wanted.goal = (!to.is_empty()).then(|| Goal {
            to,
            ..Goal::default()
        });
        Ok(wanted)
    }
}

/// What others wrote, as one line that hides nothing and tells no secret.
fn data(text: &str) -> String {
    let masked = masked_own(text);
    shown(&masked).into_owned()
}

/// A sentence, with what stands in backquotes in it as code.
fn prose(text: &str) -> Markup {
    let text = data(text);
    let parts: Vec<&str> = text.split('`').collect();
    // Quotes that do not come in pairs mean something else.
    if parts.len().is_multiple_of(2) {
        return html! { (text) };
    }
    html! {
        @for (at, part) in parts.iter().enumerate() {
            @if at % 2 == 1 { code { (part) } } @else { (part) }
        }
    }
}

/// A verdict as a word with a mark, because not everybody sees its colour.
fn chip(verdict: Verdict) -> Markup {
    let mark = match verdict {
        Verdict::Go => "✓",
        Verdict::Hold => "◷",
        Verdict::Refuse => "✕",
        Verdict::Unknown => "?",
    };
    html! {
        span class={ "chip " (verdict.name()) } {
            span aria-hidden="true" { (mark) } " " (verdict.name())
        }
    }
}

/// How long ago a moment was.
fn ago(now: i64, at: i64) -> String {
    let milliseconds = u64::try_from(now.saturating_sub(at)).unwrap_or(0);
    format!("{} ago", span(milliseconds))
}

/// The whole page.
pub(super) fn whole(
    glance: &Glance,
    wanted: &Wanted,
    plan: Option<&Drawn>,
    every: Duration,
) -> String {
    let seconds = every.as_secs().max(1);
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title(glance)) }
                link rel="icon" href="data:,";
                link rel="stylesheet" href="/assets/page.css";
                noscript { meta http-equiv="refresh" content=(seconds); }
                script src="/assets/page.js" defer data-every=(seconds) {}
            }
            body {
                a .skip href="#migrations" { "To the migrations" }
                header {
                    div .brand {
                        svg viewBox="0 0 32 32" width="28" height="28" aria-hidden="true" {
                            rect x="3" y="5" width="4" height="22" rx="2" {}
                            rect x="25" y="5" width="4" height="22" rx="2" {}
                            path d="M7 11h11M7 21h18" stroke-width="3" fill="none" stroke-linecap="round" {}
                        }
                        h1 { "Phasegate" }
                    }
                    (freshness(glance))
                }
                main {
                    (trouble(glance))
                    @match &glance.seen {
                        Some(seen) => (body(seen, wanted, plan)),
                        None => (nothing_yet(glance)),
                    }
                }
                footer {
                    a href="/v1/status" { "status" } " "
                    a href="/v1/fleet" { "fleet" } " "
                    a href="/v1/rollouts" { "rollouts" } " "
                    a href="/v1/log" { "log" } " "
                    a href="/metrics" { "metrics" } " "
                    a href="/openapi.json" { "API" }
                    span .quiet { "migrate " (env!("CARGO_PKG_VERSION")) }
                }
            }
        }
    };
    page.into_string()
}

fn title(glance: &Glance) -> String {
    let Some(seen) = &glance.seen else {
        return "Phasegate".to_owned();
    };
    let open = seen.status.migrations().iter();
    let open = open.filter(|state| !state.is_complete()).count();
    match open {
        0 => "✓ Phasegate".to_owned(),
        open => format!("({open}) Phasegate"),
    }
}

fn freshness(glance: &Glance) -> Markup {
    let age = glance.seen_at.map(|at| at.elapsed());
    let age = age.map(|age| u64::try_from(age.as_millis()).unwrap_or(u64::MAX));
    html! {
        p .fresh #fresh {
            @match age {
                Some(age) if glance.trouble.is_none() => {
                    span .dot .go aria-hidden="true" {} "seen " (span(age)) " ago"
                }
                Some(age) => { span .dot .refuse aria-hidden="true" {} "last seen " (span(age)) " ago" }
                None => { span .dot .unknown aria-hidden="true" {} "not seen yet" }
            }
        }
    }
}

fn trouble(glance: &Glance) -> Markup {
    html! {
        div #trouble role="status" {
            @if let Some(why) = &glance.trouble {
                div .banner .refuse {
                    strong { "The database cannot be seen now, so that every answer is unknown." }
                    p { (data(why)) }
                    @if glance.seen.is_some() { p { "What is below was seen before." } }
                }
            }
        }
    }
}

fn nothing_yet(glance: &Glance) -> Markup {
    html! {
        @if glance.trouble.is_none() { p .empty { "Looking at the database for the first time…" } }
    }
}

fn body(seen: &Seen, wanted: &Wanted, plan: Option<&Drawn>) -> Markup {
    html! {
        (summary(seen))
        div .columns {
            div .wide {
                (migrations::section(seen))
                (plan::section(wanted, plan))
                (log::section(seen, wanted))
            }
            div .narrow {
                (fleet::section(seen))
                (fleet::may_start(seen))
                (plan::rollout(seen))
            }
        }
    }
}

/// At a glance.
fn summary(seen: &Seen) -> Markup {
    let status = &seen.status;
    let situation = &status.looked.situation;
    let snapshot = &situation.evidence.snapshot;
    let states = status.migrations();
    let open = states.iter().filter(|state| !state.is_complete()).count();
    let live: u64 = snapshot.all_groups().map(|group| group.instances).sum();
    let stale = snapshot.sources.iter();
    let stale = stale
        .filter(|source| source.status != SourceStatus::Fresh)
        .count();
    let is_fenced = states.iter().any(|state| state.phase == Phase::Contracting);
    html! {
        section #summary aria-label="At a glance" {
            dl .figures {
                div { dt { "on their way" } dd { (open) } }
                div { dt { "complete" } dd { (states.len() - open) } }
                div { dt { "live instances" } dd { (live) } }
                div { dt { "sources" }
                    dd { (snapshot.sources.len()) @if stale > 0 { span .bad { " (" (stale) " not fresh)" } } }
                }
            }
            @if let Some(busy) = situation.view.coordinator.describe() {
                p .busy { span .spinner aria-hidden="true" {} "At work now: " (data(&busy)) }
            }
            @if is_fenced {
                p .banner .hold { "A contract has begun: versions that need its old format are not let in until it has ended." }
            }
            @for drift in situation.drift.iter().take(5) {
                p .banner .refuse { (data(&drift.to_string())) }
            }
            @let problems = seen.project.flaws.problems().count();
            @if problems > 0 {
                p .banner .refuse {
                    "The project's files have " (count(u64::try_from(problems).unwrap_or(u64::MAX), "problem"))
                    ", and this is shown without: " code { "migrate check" } " shows each in its place."
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wanted_is_read_as_a_form_writes_it() {
        let read = |query| Wanted::read(Some(query));
        let two = read("to=web%3D1.2.0%2Bb5+worker=2&migration=&actor=").unwrap();
        let goal = two.goal.unwrap();
        assert_eq!(goal.to.len(), 2);
        assert_eq!((two.migration.as_str(), two.actor.as_str()), ("", ""));
        assert_eq!(read("to=").unwrap(), Wanted::default());
        for wrong in ["to=web", "x=1", "to=%FF"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_address_holds_what_is_wanted_and_nothing_else() {
        for (parameters, address) in [
            (&[][..], "/"),
            (&[("to", "")], "/"),
            (
                &[("to", "web=1.2.0+b5"), ("actor", "\" onload=x&to=a")],
                "/?to=web%3D1%2E2%2E0%2Bb5&actor=%22%20onload%3Dx%26to%3Da",
            ),
        ] {
            assert_eq!(link("/", parameters), address);
        }
    }

    #[test]
    fn what_is_quoted_in_a_sentence_is_code() {
        for (text, html) in [
            (
                "run `a <b>` or `c`",
                "run <code>a &lt;b&gt;</code> or <code>c</code>",
            ),
            ("a ` alone <", "a ` alone &lt;"),
            ("", ""),
        ] {
            assert_eq!(prose(text).into_string(), html);
        }
    }

    #[test]
    fn a_page_of_nothing_is_a_page_and_what_others_wrote_is_text() {
        let glance = Glance {
            trouble: Some("<script>alert(1)</script>\u{202e}".to_owned()),
            ..Glance::default()
        };
        let html = whole(&glance, &Wanted::default(), None, Duration::from_secs(5));
        assert!(html.contains("&lt;script&gt;alert(1)&lt;/script&gt;\\u{202e}"));
        assert!(!html.contains("<script>alert"));
        assert!(html.contains("http-equiv=\"refresh\" content=\"5\""));
        assert!(!html.contains(" style="), "the policy forbids it");
    }

    /// The relative luminance of `#rrggbb`, as WCAG 2 defines it.
    fn luminance(colour: &str) -> f64 {
        let part = |at: usize| {
            let value = u8::from_str_radix(&colour[at..at + 2], 16).unwrap();
            let value = f64::from(value) / 255.0;
            if value <= 0.040_45 {
                value / 12.92
            } else {
                ((value + 0.055) / 1.055).powf(2.4)
            }
        };
        0.2126 * part(1) + 0.7152 * part(3) + 0.0722 * part(5)
    }

    #[test]
    fn every_text_can_be_read_in_light_and_in_dark() {
        let themes: Vec<&str> = STYLE.split("--ground:").skip(1).collect();
        assert_eq!(themes.len(), 2);
        for theme in themes {
            let theme = format!("--ground:{theme}");
            let colour = |name: &str| {
                let (_, rest) = theme.split_once(&format!("--{name}: ")).unwrap();
                luminance(&rest[..7])
            };
            for (text, ground) in [
                ("ink", "ground"),
                ("ink", "card"),
                ("ink", "soft"),
                ("quiet", "ground"),
                ("quiet", "card"),
                ("quiet", "soft"),
                ("accent", "card"),
                ("accent", "ground"),
                ("card", "accent"),
                ("go", "card"),
                ("go", "go-soft"),
                ("hold", "card"),
                ("hold", "hold-soft"),
                ("refuse", "card"),
                ("refuse", "ground"),
                ("refuse", "refuse-soft"),
                ("unknown", "unknown-soft"),
            ] {
                let (a, b) = (colour(text), colour(ground));
                let contrast = (a.max(b) + 0.05) / (a.min(b) + 0.05);
                assert!(contrast >= 4.5, "{text} on {ground}: {contrast:.2}");
            }
        }
    }
}
