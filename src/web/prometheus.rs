//! What a Prometheus answers to a question of one moment.

use std::collections::BTreeMap;

use serde::Deserialize;
use tokio::time::Instant;

use super::Web;
use crate::text::shown::shortened;

const LONGEST_TOLD: usize = 200;

#[derive(Deserialize)]
struct Answer {
    status: String,
    #[serde(default)]
    error: String,
    /// Nothing, or nothing of them, where there are none: how an empty list is written is up to who serves it.
    warnings: Option<Vec<String>>,
    /// How VictoriaMetrics says that one of its stores did not answer; it gives no warning then.
    #[serde(default, rename = "isPartial")]
    is_partial: bool,
    data: Option<Data>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Data {
    result_type: String,
    result: serde_json::Value,
}

/// One series of an answer.
#[derive(Debug, Deserialize)]
pub struct Series {
    pub metric: BTreeMap<String, String>,
    /// When the question was asked, by the server's clock, and the value as text.
    pub value: (f64, String),
}

/// Asks for the series of `query` as they are now.
///
/// # Errors
/// No answer until `deadline`, one that is none of Prometheus or not whole, or what the server says against the query.
pub async fn query(web: &Web, query: &str, deadline: Instant) -> Result<Vec<Series>, String> {
    let url = web.below("/api/v1/query", &[("query", query)]);
    let url = url
        .parse()
        .map_err(|_| format!("`{query}` cannot be asked for: it is too long"))?;
    let answer = web.get(&url, deadline).await?;
    read(query, &answer.body)
}

/// The series of an answer.
///
/// # Errors
/// What makes it none.
fn read(query: &str, body: &[u8]) -> Result<Vec<Series>, String> {
    let unreadable = |why: String| {
        let why = shortened(&why, LONGEST_TOLD);
        format!("the answer to `{query}` is none of Prometheus: {why}")
    };
    let answer: Answer =
        serde_json::from_slice(body).map_err(|error| unreadable(error.to_string()))?;
    if answer.status != "success" {
        return Err(format!(
            "`{query}` fails: {}",
            shortened(&answer.error, LONGEST_TOLD)
        ));
    }
    // A store that did not answer makes an answer in part, which is a success to whoever sends it.
    if let Some(warning) = answer.warnings.iter().flatten().next() {
        return Err(format!(
            "`{query}` is answered with a warning, so the answer may not be whole: {}",
            shortened(warning, LONGEST_TOLD)
        ));
    }
    if answer.is_partial {
        return Err(format!(
            "`{query}` is answered in part (`isPartial`): a store behind the server did not answer"
        ));
    }
    let data = answer
        .data
        .ok_or_else(|| unreadable("it has no `data`".to_owned()))?;
    if data.result_type != "vector" {
        return Err(format!(
            "`{query}` gives a {}, and has to give a vector: one series for each instance at one moment",
            data.result_type
        ));
    }
    serde_json::from_value(data.result).map_err(|error| unreadable(error.to_string()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_answer_is_read_whole_or_not_at_all() {
        let read = |body: serde_json::Value| read("up", body.to_string().as_bytes());
        let good = json!({ "status": "success", "infos": ["a counter"], "isPartial": false, "data": { "resultType": "vector",
            "result": [{ "metric": { "instance": "a" }, "value": [1.5, "1"] }] } });
        assert_eq!(read(good).unwrap().len(), 1);
        let none = json!({ "status": "success", "warnings": null, "data": { "resultType": "vector", "result": [] } });
        assert_eq!(read(none).unwrap().len(), 0);
        for (body, said) in [
            (
                json!({ "status": "error", "error": "parse error" }),
                "`up` fails: parse error",
            ),
            (json!({ "status": "success" }), "no `data`"),
            (
                json!({ "status": "success", "warnings": ["partial response: a store is away"],
                    "data": { "resultType": "vector", "result": [] } }),
                "may not be whole: partial response",
            ),
            (
                json!({ "status": "success", "isPartial": true, "data": { "resultType": "vector", "result": [] } }),
                "answered in part",
            ),
            (
                json!({ "status": "success", "data": { "resultType": "matrix", "result": [] } }),
                "gives a matrix",
            ),
            (
                json!({ "status": "success", "data": { "resultType": "vector", "result": [{}] } }),
                "none of Prometheus",
            ),
            (json!([]), "none of Prometheus"),
        ] {
            let error = read(body).unwrap_err();
            assert!(error.contains(said), "{error}");
        }
    }
}
