//! A query that a Prometheus answers with one number.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;

use super::{Asked, Bad, Kind, Measure};
use crate::row::{LONGEST_WAIT, Row};
use crate::web::Web;
use crate::web::prometheus::{Series, query};

pub(super) const KIND: Kind = Kind {
    kind: "prometheus",
    has_figure: true,
    read: made,
};

#[derive(Debug)]
struct Prometheus {
    web: Web,
    query: String,
    timeout: Duration,
}

fn made(row: &mut dyn Row) -> Option<Arc<dyn Measure>> {
    const QUERY: &str = "query = \"sum(rate(http_requests_total{code=~\\\"5..\\\"}[1m])) / sum(rate(http_requests_total[1m]))\"";
    let web = Web::read(row, "http://prometheus:9090");
    let timeout = row.duration("timeout", LONGEST_WAIT);
    if !row.has("query") {
        row.missing("query", QUERY);
    }
    let query = row.text("query", QUERY);
    Some(Arc::new(Prometheus {
        web: web?,
        query: query?,
        timeout: timeout.unwrap_or(Duration::from_secs(10)),
    }))
}

#[async_trait]
impl Measure for Prometheus {
    async fn measure(&self, _asked: &Asked<'_>) -> Result<Option<f64>, Bad> {
        let deadline = Instant::now() + self.timeout;
        let answer = query(&self.web, &self.query, deadline).await;
        let series = answer.map_err(Bad::Unknown)?;
        figure(&self.query, &series).map(Some).map_err(Bad::Unknown)
    }
}

/// The one number of an answer: of several, nobody has said which.
fn figure(query: &str, series: &[Series]) -> Result<f64, String> {
    match series {
        [] => Err(format!(
            "`{query}` finds no series: has anything been scraped of it yet? `… or vector(0)` makes a zero of that"
        )),
        [only] => {
            let text = &only.value.1;
            text.parse()
                .map_err(|_| format!("`{query}` gives `{text}`, which is no number"))
        }
        several => Err(format!(
            "`{query}` finds {} series, and has to give one number: put them together with `sum` or `max`",
            several.len()
        )),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn an_answer_is_one_number_or_it_is_said_why_not() {
        let series = |value: &str| Series {
            metric: BTreeMap::new(),
            value: (0.0, value.to_owned()),
        };
        assert_eq!(figure("q", &[series("0.5")]), Ok(0.5));
        assert_eq!(figure("q", &[series("+Inf")]), Ok(f64::INFINITY));
        assert!(figure("q", &[series("NaN")]).is_ok_and(f64::is_nan));
        for (answer, said) in [
            (vec![], "finds no series"),
            (vec![series("1"), series("2")], "finds 2 series"),
            (vec![series("x")], "gives `x`, which is no number"),
        ] {
            let why = figure("q", &answer).unwrap_err();
            assert!(why.contains(said), "{why}");
        }
    }
}
