//! Who has to be told of what: from one look to the next. Pure.
//!
//! Invariant: what goes on is told once, and again only after it was over; what had happened before the first look is not told.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};

use super::watch::Seen;
use crate::ask::words::{count, span};
use crate::ask::{Next, way_out};
use crate::ledger::Event;
use crate::model::{InstanceState, MigrationState, Phase};
use crate::project::{Occasion, Shape};
use crate::text::secret::masked_own;
use crate::text::shown::shortened;

/// As much of one text is told.
const LONGEST: usize = 1000;
/// How many things are told of after one look.
const MOST: usize = 20;

/// Something to tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Notice {
    pub occasion: Occasion,
    /// What it is the notice of: the same as long as it goes on.
    pub key: String,
    pub migration: Option<String>,
    pub title: String,
    pub text: String,
    /// What to do; empty where nothing has to be done.
    pub help: String,
}

/// How long what may last before it is told.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms {
    pub held_for: Duration,
    pub fence_for: Duration,
}

/// What one who is told knows already.
#[derive(Debug, Default)]
pub(super) struct Told {
    going_on: BTreeSet<String>,
    /// The last event that was seen; `None` before the first look.
    event: Option<i64>,
}

impl Told {
    /// What is new in a look, of what is wanted: so much of it at once, and the rest with the next look.
    pub(super) fn news(
        &mut self,
        going_on: Vec<Notice>,
        events: &[Event],
        wanted: &[Occasion],
    ) -> Vec<Notice> {
        let is_wanted = |notice: &Notice| wanted.contains(&notice.occasion);
        let known = std::mem::take(&mut self.going_on);
        let mut news: Vec<Notice> = Vec::new();
        for notice in going_on.into_iter().filter(is_wanted) {
            let is_known = known.contains(&notice.key);
            if !is_known && news.len() >= MOST {
                continue;
            }
            self.going_on.insert(notice.key.clone());
            if !is_known {
                news.push(notice);
            }
        }
        let Some(last) = self.event else {
            self.event = Some(events.iter().map(|event| event.seq).max().unwrap_or(0));
            return news;
        };
        for event in events.iter().filter(|event| event.seq > last) {
            if let Some(notice) = done(event).filter(is_wanted) {
                if news.len() >= MOST {
                    break;
                }
                news.push(notice);
            }
            self.event = Some(event.seq);
        }
        news
    }
}

/// A phase that was reached.
fn done(event: &Event) -> Option<Notice> {
    let detail: Value = serde_json::from_str(&event.detail).ok()?;
    let field = |name: &str| detail.get(name).and_then(Value::as_str);
    let migration = event.migration.clone()?;
    let to = field("to").filter(|_| event.kind == "phase")?;
    // The phases that something is done in are not done.
    let is_at_work = to.ends_with("ing") && to != "pending";
    (!is_at_work).then(|| Notice {
        occasion: Occasion::Done,
        key: format!("done/{}/{}", migration, event.seq),
        title: format!("{migration} is {to}"),
        text: format!(
            "it was {}; by {}",
            field("from").unwrap_or("new"),
            event.actor
        ),
        help: String::new(),
        migration: Some(migration),
    })
}

/// What goes on that somebody should know of.
pub(super) fn going_on(seen: &Seen, terms: Terms) -> Vec<Notice> {
    let mut found = Vec::new();
    for state in seen.status.migrations() {
        found.extend(held(seen, state, terms.held_for));
        found.extend(fence(seen, state, terms.fence_for));
        found.extend(failed(seen, state));
    }
    found.extend(lost(seen));
    found.extend(past_gate(seen));
    found
}

fn elapsed(seen: &Seen, since: i64) -> u64 {
    let now = seen.status.looked.situation.view.now;
    u64::try_from(now.saturating_sub(since)).unwrap_or(0)
}

fn is_longer(elapsed: u64, limit: Duration) -> bool {
    u128::from(elapsed) >= limit.as_millis()
}

fn held(seen: &Seen, state: &MigrationState, limit: Duration) -> Option<Notice> {
    let since = *seen.held_since.get(state.id())?;
    let elapsed = elapsed(seen, since);
    let Next::Blocked(step, decision) = seen.status.next(state) else {
        return None;
    };
    let first = decision.blockers.first();
    is_longer(elapsed, limit).then(|| Notice {
        occasion: Occasion::Held,
        key: format!("held/{}/{}/{since}", state.id(), step.name()),
        migration: Some(state.id().to_string()),
        title: format!(
            "{}: its {} has not been possible for {} ({})",
            state.id(),
            step.name(),
            span(elapsed),
            decision.verdict.name()
        ),
        text: first.map_or_else(String::new, |blocker| blocker.message().to_string()),
        help: first.map_or_else(String::new, |blocker| blocker.help()),
    })
}

fn fence(seen: &Seen, state: &MigrationState, limit: Duration) -> Option<Notice> {
    if state.phase != Phase::Contracting {
        return None;
    }
    let since = seen.status.fence_since(state)?;
    let elapsed = elapsed(seen, since);
    is_longer(elapsed, limit).then(|| Notice {
        occasion: Occasion::Fence,
        key: format!("fence/{}/{since}", state.id()),
        migration: Some(state.id().to_string()),
        title: format!(
            "{}: its contract has kept versions out for {}",
            state.id(),
            span(elapsed)
        ),
        text: "versions that need the old format are not let in meanwhile".to_owned(),
        help: format!(
            "`migrate status` says who is at work; if nobody is, `migrate contract {:04}` goes on with it",
            state.id().number()
        ),
    })
}

fn failed(seen: &Seen, state: &MigrationState) -> Vec<Notice> {
    let failures = seen.status.trouble(state).failures.into_iter();
    let told = failures.map(|failure| {
        let (text, help) = way_out(failure);
        Notice {
            occasion: Occasion::Failed,
            key: format!("failed/{}/{}/{}", state.id(), failure.step, failure.at),
            migration: Some(state.id().to_string()),
            title: format!("{}: its {} failed", state.id(), failure.step),
            text: text.to_owned(),
            help: format!("`migrate status` shows how it stands; {help}"),
        }
    });
    told.collect()
}

fn lost(seen: &Seen) -> Vec<Notice> {
    let snapshot = &seen.status.looked.situation.evidence.snapshot;
    let groups = snapshot.all_groups();
    let lost = groups.filter(|group| group.state == InstanceState::Lost);
    let told = lost.map(|group| Notice {
        occasion: Occasion::Lost,
        key: format!("lost/{}/{}/{}", group.service, group.label, group.source),
        migration: None,
        title: format!(
            "{} of {} {} not heard of",
            count(group.instances, "instance"),
            group.service,
            group.label
        ),
        text: format!("{} says so, and they count as live: {}", group.source, group.examples.join(", ")),
        help: "see whether they run; `migrate fleet` shows until when they count, and `migrate fleet forget` ends it for one that is gone for good".to_owned(),
    });
    told.collect()
}

fn past_gate(seen: &Seen) -> Vec<Notice> {
    let past = seen.status.looked.situation.past_gate.iter();
    let told = past.map(|past| Notice {
        occasion: Occasion::PastGate,
        key: format!("past-gate/{}/{}", past.migration, past.revisions.join(",")),
        migration: Some(past.migration.to_string()),
        title: format!(
            "{}: somebody used {} without asking",
            past.migration, past.runner
        ),
        text: format!(
            "revisions {} of its {}; {}",
            past.revisions.join(", "),
            past.step.name(),
            match past.hurts.len() {
                0 => "nothing live needs what it changed".to_owned(),
                hurt => {
                    let hurt = u64::try_from(hurt).unwrap_or(u64::MAX);
                    format!(
                        "{} cannot use the schema as it is now",
                        count(hurt, "live version")
                    )
                }
            }
        ),
        help: "`migrate status` says what it did, and the way out".to_owned(),
    });
    told.collect()
}

/// A version that was not let in.
pub(super) fn refused(who: &str, why: &str) -> Notice {
    Notice {
        occasion: Occasion::Refused,
        key: format!("refused/{who}"),
        migration: None,
        title: format!("{who} may not start"),
        text: why.to_owned(),
        help: String::new(),
    }
}

/// A notice as it is posted. Whoever keeps what the plain form says keeps where the log ended then as well.
pub(super) fn posted(notice: &Notice, shape: Shape, log_head: Option<&str>) -> String {
    let plain = |text: &str| shortened(&masked_own(text), LONGEST).into_owned();
    let (title, text, help) = (
        plain(&notice.title),
        plain(&notice.text),
        plain(&notice.help),
    );
    let next = if help.is_empty() {
        String::new()
    } else {
        format!("next: {help}")
    };
    let body = match shape {
        Shape::Plain => json!({
            "on": notice.occasion.name(),
            "key": notice.key,
            "migration": notice.migration,
            "title": title,
            "text": text,
            "help": help,
            "log_head": log_head,
        }),
        Shape::Slack => {
            let lines = [
                format!("*{}*", for_slack(&title)),
                for_slack(&text),
                for_slack(&next),
            ];
            let lines: Vec<String> = lines.into_iter().filter(|line| !line.is_empty()).collect();
            json!({ "text": lines.join("\n") })
        }
        Shape::Teams => {
            let block = |text: &str, weight: &str| json!({ "type": "TextBlock", "text": text, "weight": weight, "wrap": true });
            let mut blocks = vec![block(&title, "Bolder")];
            for text in [&text, &next] {
                if !text.is_empty() {
                    blocks.push(block(text, "Default"));
                }
            }
            json!({ "type": "message", "attachments": [{
                "contentType": "application/vnd.microsoft.card.adaptive",
                "content": {
                    "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                    "type": "AdaptiveCard",
                    "version": "1.4",
                    "body": blocks,
                },
            }] })
        }
    };
    body.to_string()
}

/// What Slack takes for markup of its own, so that nobody is mentioned by a name of a migration.
fn for_slack(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notice(key: &str) -> Notice {
        Notice {
            key: key.to_owned(),
            ..refused("web <!channel>", "a & b")
        }
    }

    fn event(seq: i64, kind: &str, to: &str) -> Event {
        Event {
            seq,
            at: 0,
            actor: "ann@ci".to_owned(),
            kind: kind.to_owned(),
            migration: Some("0001_name".to_owned()),
            detail: format!("{{\"from\":\"pending\",\"to\":\"{to}\"}}"),
            previous: String::new(),
            hash: String::new(),
        }
    }

    fn keys(news: Vec<Notice>) -> Vec<String> {
        news.into_iter().map(|notice| notice.key).collect()
    }

    /// What somebody is told who wants to know everything.
    fn news(told: &mut Told, going_on: Vec<Notice>, events: &[Event]) -> Vec<String> {
        keys(told.news(going_on, events, &Occasion::ALL))
    }

    #[test]
    fn what_goes_on_is_told_once_and_again_after_it_was_over() {
        let mut told = Told::default();
        let [a, b] = ["a", "b"].map(notice);
        assert_eq!(news(&mut told, vec![a.clone()], &[]), ["a"]);
        assert!(news(&mut told, vec![a.clone()], &[]).is_empty());
        assert_eq!(news(&mut told, vec![a.clone(), b], &[]), ["b"]);
        assert!(news(&mut told, vec![], &[]).is_empty());
        assert_eq!(news(&mut told, vec![a], &[]), ["a"]);
    }

    #[test]
    fn a_phase_that_was_reached_is_told_once_and_none_of_before() {
        let mut told = Told::default();
        let mut events = vec![event(1, "phase", "expanded")];
        assert!(news(&mut told, vec![], &events).is_empty());
        events.push(event(2, "phase", "contracting"));
        events.push(event(3, "rollout", "contracted"));
        assert!(news(&mut told, vec![], &events).is_empty());
        events.push(event(4, "phase", "contracted"));
        let reached = told.news(vec![], &events, &Occasion::ALL);
        assert_eq!(reached[0].title, "0001_name is contracted");
        assert_eq!(reached[0].text, "it was pending; by ann@ci");
        assert!(news(&mut told, vec![], &events).is_empty());
        events.push(event(5, "phase", "pending"));
        assert_eq!(news(&mut told, vec![], &events), ["done/0001_name/5"]);
    }

    #[test]
    fn no_more_is_told_at_once_than_somebody_reads_and_the_rest_with_the_next_looks() {
        let mut told = Told::default();
        let many: Vec<Notice> = (0..50).map(|n| notice(&format!("{n:02}"))).collect();
        let mut events = vec![event(1, "phase", "expanded")];
        let mut all = news(&mut told, many.clone(), &events);
        assert_eq!(all.len(), MOST);
        // What was done while others were told is told after them.
        events.extend((2..=30).map(|seq| event(seq, "phase", "expanded")));
        for left in [20, 20, 19, 0] {
            let next = news(&mut told, many.clone(), &events);
            assert_eq!(next.len(), left);
            all.extend(next);
        }
        all.sort();
        let mut expected = keys(many);
        expected.extend((2..=30).map(|seq| format!("done/0001_name/{seq}")));
        expected.sort();
        assert_eq!(all, expected);
    }

    #[test]
    fn what_nobody_asked_for_takes_no_room() {
        let mut told = Told::default();
        let many = || (0..50).map(|n| notice(&format!("{n}"))).collect();
        let mut events = vec![event(1, "phase", "expanded")];
        let wanted = [Occasion::Done];
        assert!(told.news(many(), &events, &wanted).is_empty());
        events.push(event(2, "phase", "contracted"));
        let reached = told.news(many(), &events, &wanted);
        assert_eq!(keys(reached), ["done/0001_name/2"]);
    }

    #[test]
    fn each_is_posted_as_it_is_read_there() {
        let mut one = notice("k");
        one.help = "ask again".to_owned();
        assert_eq!(
            posted(&one, Shape::Slack, Some("9:ab")),
            json!({ "text": "*web &lt;!channel&gt; may not start*\na &amp; b\nnext: ask again" })
                .to_string()
        );
        let teams: Value = serde_json::from_str(&posted(&one, Shape::Teams, None)).unwrap();
        let blocks = &teams["attachments"][0]["content"]["body"];
        assert_eq!(blocks[0]["text"], "web <!channel> may not start");
        assert_eq!(blocks[2]["text"], "next: ask again");
        let plain: Value = serde_json::from_str(&posted(&one, Shape::Plain, Some("9:ab"))).unwrap();
        assert_eq!(plain["log_head"], "9:ab");
        assert_eq!(plain["on"], "refused");
        assert_eq!(plain["help"], "ask again");
        one.text = "x".repeat(100_000);
        assert!(posted(&one, Shape::Plain, None).len() < 2000);
    }
}
