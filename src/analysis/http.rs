//! An address that answers with 200 where all is well. A value in its JSON may be a figure.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;

use super::{Asked, Bad, Kind, Measure, has_limits};
use crate::row::{LONGEST_WAIT, Place, Row};
use crate::web::{JsonPath, Web};

pub(super) const KIND: Kind = Kind {
    kind: "http",
    has_figure: false,
    read: made,
};

#[derive(Debug)]
struct Http {
    web: Web,
    /// Where the figure is in the answer.
    value: Option<JsonPath>,
    timeout: Duration,
}

fn made(row: &mut dyn Row) -> Option<Arc<dyn Measure>> {
    const VALUE: &str = "value = \"$.errors.rate\"";
    let web = Web::read(row, "http://web.example.com/healthz");
    let timeout = row.duration("timeout", LONGEST_WAIT);
    let value = row.text("value", VALUE);
    if has_limits(row) && !row.has("value") {
        row.missing("value", VALUE);
    }
    let value = value.map(|text| JsonPath::read(&text));
    let value = match value.transpose() {
        Ok(value) => value,
        Err(why) => {
            let help = format!("write for example `{VALUE}`");
            row.refuse(Place::Value("value"), "bad-path", why, help);
            return None;
        }
    };
    Some(Arc::new(Http {
        web: web?,
        value,
        timeout: timeout.unwrap_or(Duration::from_secs(10)),
    }))
}

#[async_trait]
impl Measure for Http {
    /// An answer with another status is one that could not be had: what a proxy says for a server that restarts is no judgement.
    async fn measure(&self, _asked: &Asked<'_>) -> Result<Option<f64>, Bad> {
        let deadline = Instant::now() + self.timeout;
        let url = self.web.url();
        let answer = self.web.get(url, deadline).await.map_err(Bad::Unknown)?;
        let Some(path) = &self.value else {
            return Ok(None);
        };
        let found = serde_json::from_slice(&answer.body)
            .map_err(|error| format!("the answer of {url} is no JSON: {error}"))
            .and_then(|document| path.text(&document))
            .map_err(Bad::Unknown)?;
        let text = found.ok_or_else(|| Bad::Unknown(format!("{url} has nothing at `{path}`")))?;
        let figure = text.parse::<f64>();
        figure
            .map(Some)
            .map_err(|_| Bad::Unknown(format!("what {url} has at `{path}` is no number")))
    }
}
