//! A program that prints the live instances, one JSON object a line.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::Deserialize;

use super::{
    Asked, Instance, Kind, LONGEST_NAME, MOST_INSTANCES, Named, Observation, Source, SourceFailure,
};
use crate::model::InstanceState;
use crate::program::Program;
use crate::row::{LONGEST, LONGEST_WAIT, Place, Row};
use crate::text::shown::shortened;

/// Bytes of one line: far more than any instance has.
const LONGEST_LINE: usize = 64 * 1024;
/// Characters of what it says about its failure.
const LONGEST_REASON: usize = 500;

pub(super) const KIND: Kind = Kind {
    kind: "command",
    read: made,
    twice: "give it a `name` of its own",
};

#[derive(Debug)]
struct Command {
    /// The program and its arguments.
    run: Vec<String>,
    timeout: Duration,
    /// What it says about an instance must not be older.
    max_age: Duration,
    /// What of the environment that leads into the database it is given.
    env: Vec<String>,
}

fn made(row: &mut dyn Row) -> Option<Named> {
    const EXAMPLE: &str = "run = [\"./list-instances\"]";
    let name = row.text("name", "name = \"nomad\"");
    let timeout = row.duration("timeout", LONGEST_WAIT);
    let max_age = row.duration("max_age", LONGEST);
    let env = row.variables();
    if !row.has("run") {
        row.missing("run", EXAMPLE);
    }
    let run = row.texts("run", EXAMPLE)?;
    let Some(program) = run.first() else {
        row.refuse(
            Place::Key("run"),
            "empty-value",
            "`run` names no program".to_owned(),
            format!("write for example `{EXAMPLE}`"),
        );
        return None;
    };
    let file_name = program.rsplit(['/', '\\']).next().unwrap_or(program);
    Some(Named {
        name: name.unwrap_or_else(|| file_name.to_owned()),
        source: Arc::new(Command {
            timeout: timeout.unwrap_or(Duration::from_secs(10)),
            max_age: max_age.unwrap_or(Duration::from_mins(1)),
            run,
            env,
        }),
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    service: String,
    instance: String,
    version: String,
    #[serde(default)]
    state: State,
    image: Option<String>,
    seen_at: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "lowercase")]
enum State {
    Starting,
    #[default]
    Serving,
    Draining,
}

/// Reads what the program printed. One line that cannot be read makes the whole list doubtful.
///
/// # Errors
/// The first line that is not understood, and why.
pub fn read_lines(
    text: &str,
    now: Timestamp,
    is_service: impl Fn(&str) -> bool,
) -> Result<Vec<Instance>, SourceFailure> {
    let mut instances = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        if line.trim().is_empty() {
            continue;
        }
        let fail = |why: String| {
            let why = shortened(&why, LONGEST_REASON).into_owned();
            SourceFailure(format!("line {number} of its output: {why}"))
        };
        if instances.len() >= MOST_INSTANCES {
            return Err(fail(format!(
                "there are more than {MOST_INSTANCES} instances"
            )));
        }
        if line.len() > LONGEST_LINE {
            return Err(fail(format!("it is longer than {LONGEST_LINE} bytes")));
        }
        let line: Line = serde_json::from_str(line).map_err(|error| {
            fail(format!(
                "{error}; expected {{\"service\":\"web\",\"instance\":\"server-1\",\"version\":\"1.1.0\"}}"
            ))
        })?;
        if !is_service(&line.service) {
            return Err(fail(format!(
                "the service `{}` is not named in migrate.toml; add [services.{}], or leave it out of the list",
                line.service, line.service
            )));
        }
        for (what, value) in [("instance", &line.instance), ("version", &line.version)] {
            if value.trim().is_empty() {
                return Err(fail(format!("`{what}` is empty")));
            }
            if value.chars().nth(LONGEST_NAME).is_some() {
                return Err(fail(format!(
                    "`{what}` is longer than {LONGEST_NAME} characters"
                )));
            }
        }
        let age_ms = match &line.seen_at {
            None => 0,
            Some(text) => {
                let seen: Timestamp = text
                    .parse()
                    .map_err(|error| fail(format!("`seen_at` is not an RFC 3339 time: {error}")))?;
                let age = now.as_millisecond().saturating_sub(seen.as_millisecond());
                // A clock ahead of ours says nothing about age, so only a little of it is believed.
                if age < -60_000 {
                    return Err(fail(format!(
                        "`seen_at` lies {} s in the future",
                        -age / 1000
                    )));
                }
                u64::try_from(age).unwrap_or(0)
            }
        };
        instances.push(Instance {
            service: line.service,
            instance: line.instance,
            label: line.version,
            image: line.image,
            template: None,
            state: match line.state {
                State::Starting => InstanceState::Starting,
                State::Serving => InstanceState::Serving,
                State::Draining => InstanceState::Draining,
            },
            age_ms,
            about: None,
        });
    }
    Ok(instances)
}

#[async_trait]
impl Source for Command {
    async fn observe(&self, asked: &Asked<'_>) -> Result<Observation, SourceFailure> {
        let program = Program {
            run: &self.run,
            env: &self.env,
            variables: &[],
            database_url: asked.database_url,
            timeout: self.timeout,
            interrupt: asked.interrupt,
        };
        let text = program.output().await;
        let text = text.map_err(|why| SourceFailure(why.to_string()))?;
        let instances = read_lines(&text, Timestamp::now(), asked.is_service)?;
        Ok(Observation {
            instances,
            notes: Vec::new(),
        })
    }

    fn timeout(&self) -> Duration {
        self.timeout
    }

    fn max_age_ms(&self) -> u64 {
        u64::try_from(self.max_age.as_millis()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Result<Vec<Instance>, String> {
        let now = "2026-01-05T10:00:00Z".parse().unwrap();
        read_lines(text, now, |name| name == "web").map_err(|failure| failure.to_string())
    }

    #[test]
    fn a_list_is_read_whole_or_not_at_all() {
        let good = r#"{"service":"web","instance":"a","version":"1.1.0"}"#;
        let draining = r#"{"service":"web","instance":"b","version":"x","state":"draining","seen_at":"2026-01-05T09:59:30Z"}"#;
        let read = lines(&format!("{good}\n\n{draining}\r\n")).unwrap();
        assert_eq!(read.len(), 2);
        assert_eq!(
            (read[1].state, read[1].age_ms),
            (InstanceState::Draining, 30_000)
        );
        assert_eq!(lines("").unwrap(), []);
        for (bad, said) in [
            ("oops", "line 2"),
            (
                r#"{"service":"web","instance":"a"}"#,
                "missing field `version`",
            ),
            (
                r#"{"service":"wbe","instance":"a","version":"1"}"#,
                "`wbe` is not named",
            ),
            (
                r#"{"service":"web","instance":" ","version":"1"}"#,
                "`instance` is empty",
            ),
            (
                r#"{"service":"web","instance":"a","version":"1","state":"dead"}"#,
                "unknown variant",
            ),
            (
                r#"{"service":"web","instance":"a","version":"1","zone":"x"}"#,
                "unknown field",
            ),
            (
                r#"{"service":"web","instance":"a","version":"1","seen_at":"noon"}"#,
                "RFC 3339",
            ),
            (
                r#"{"service":"web","instance":"a","version":"1","seen_at":"2027-01-01T00:00:00Z"}"#,
                "future",
            ),
        ] {
            let error = lines(&format!("{good}\n{bad}")).unwrap_err();
            assert!(error.contains(said), "{bad}: {error}");
        }
    }

    #[test]
    fn what_no_fleet_has_is_refused_in_few_words() {
        let line = |name: &str| {
            format!("{{\"service\":\"web\",\"instance\":\"{name}\",\"version\":\"1\"}}\n")
        };
        assert_eq!(lines(&line(&"ä".repeat(LONGEST_NAME))).unwrap().len(), 1);
        let deep = format!("{}1{}", "[".repeat(20_000), "]".repeat(20_000));
        for (text, said) in [
            (line(&"a".repeat(LONGEST_NAME + 1)), "longer than 255"),
            (line(&"a".repeat(LONGEST_LINE)), "longer than 65536 bytes"),
            (line("a").repeat(MOST_INSTANCES + 1), "more than 100000"),
            (format!("{{\"{}\":1}}", "x".repeat(60_000)), "unknown field"),
            (format!("{{\"seen_at\":{deep}}}"), "invalid type"),
            (deep, "line 1"),
        ] {
            let error = lines(&text).unwrap_err();
            assert!(error.contains(said), "{error}");
            assert!(error.len() < 1000, "{}", error.len());
        }
    }
}
