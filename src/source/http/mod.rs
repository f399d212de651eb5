//! Any place that answers with JSON over HTTP: a registry, a scheduler, an inventory.

mod answer;
mod settings;

use std::collections::BTreeSet;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use tokio::time::Instant;

use super::{Asked, Kind, Observation, Source, SourceFailure};
use crate::web::Web;
use answer::Reading;
use settings::made;

pub(super) const KIND: Kind = Kind {
    kind: "http",
    read: made,
    twice: "give it a `name` of its own",
};

/// Pages of one answer: one that goes on without end is none.
const MOST_PAGES: usize = 1_000;

#[derive(Debug)]
pub(super) struct Http {
    web: Web,
    reading: Reading,
    /// Whether an answer that lists nothing is an empty fleet; else it is a failure.
    may_be_empty: bool,
    timeout: Duration,
    max_age: Duration,
}

#[async_trait]
impl Source for Http {
    async fn observe(&self, asked: &Asked<'_>) -> Result<Observation, SourceFailure> {
        let look = async { self.look(asked).await.map_err(SourceFailure) };
        asked.unless_interrupted(look).await
    }

    fn timeout(&self) -> Duration {
        self.timeout
    }

    fn max_age_ms(&self) -> u64 {
        u64::try_from(self.max_age.as_millis()).unwrap_or(u64::MAX)
    }

    fn covers(&self, service: &str) -> bool {
        self.reading.service().is_none_or(|only| only == service)
    }
}

impl Http {
    async fn look(&self, asked: &Asked<'_>) -> Result<Observation, String> {
        let deadline = Instant::now() + self.timeout;
        let mut instances = Vec::new();
        let mut listed = 0_usize;
        let mut url = self.web.url().clone();
        let mut seen = BTreeSet::new();
        loop {
            if !seen.insert(url.to_string()) {
                return Err(format!("its pages go round in a circle, at {url}"));
            }
            if seen.len() > MOST_PAGES {
                return Err(format!("it has more than {MOST_PAGES} pages"));
            }
            let answer = self.web.get(&url, deadline).await?;
            let document: serde_json::Value = serde_json::from_slice(&answer.body)
                .map_err(|error| format!("the answer of {url} is no JSON: {error}"))?;
            let page = self
                .reading
                .page(&document, Timestamp::now(), asked.is_service)?;
            // Only of a list that is there and empty it is known that it ends here.
            if page.listed == 0 && seen.len() > 1 && self.reading.items.list().is_none() {
                return Err(format!(
                    "{url}, a page of the answer, lists nothing: let `items` go through all of a list, as `$.items[*]` does"
                ));
            }
            listed += page.listed;
            instances.extend(page.instances);
            let next = match page.next {
                Some(next) => Some(next),
                None => answer.next()?,
            };
            match next {
                Some(link) => url = self.web.follow(&url, &link)?,
                None => break,
            }
        }
        if listed == 0 && !self.may_be_empty {
            return Err(format!(
                "{} lists nothing: see that `url` and `items` are right, or say `empty = \"nothing\"` if that is what it answers \
                 where nothing runs",
                self.web.url()
            ));
        }
        Ok(Observation {
            instances,
            notes: Vec::new(),
        })
    }
}
