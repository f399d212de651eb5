//! What a Prometheus has scraped: a series for each instance, and the targets that it should have come from.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;

use super::{Asked, Instance, Kind, LONGEST_NAME, Named, Observation, Source, SourceFailure};
use crate::model::{About, InstanceState, NO_VERSION};
use crate::row::{LONGEST, LONGEST_WAIT, Row};
use crate::web::Web;
use crate::web::prometheus::{Series, query};

pub(super) const KIND: Kind = Kind {
    kind: "prometheus",
    read: made,
    twice: "give it a `name` of its own",
};

#[derive(Debug)]
struct Prometheus {
    web: Web,
    service: String,
    /// A series for each instance that runs.
    query: String,
    /// A series for each instance that should: 0 where it could not be scraped.
    up: String,
    /// The labels that name an instance and its version.
    instance: String,
    version: String,
    timeout: Duration,
    max_age: Duration,
}

fn made(row: &mut dyn Row) -> Option<Named> {
    const QUERY: &str = "query = \"app_build_info{job=\\\"web\\\"}\"";
    let name = row.text("name", "name = \"prometheus\"");
    let web = Web::read(row, "http://prometheus:9090");
    let service = row.text("service", "service = \"web\"");
    let query = row.text("query", QUERY);
    let up = row.text("up", "up = \"up{job=\\\"web\\\"}\"");
    let instance = row.text("instance", "instance = \"instance\"");
    let version = row.text("version", "version = \"version\"");
    let timeout = row.duration("timeout", LONGEST_WAIT);
    let max_age = row.duration("max_age", LONGEST);
    for (key, example) in [("service", "service = \"web\""), ("query", QUERY)] {
        if !row.has(key) {
            row.missing(key, example);
        }
    }
    let service = service?;
    Some(Named {
        name: name.unwrap_or_else(|| "prometheus".to_owned()),
        source: Arc::new(Prometheus {
            web: web?,
            query: query?,
            up: up.unwrap_or_else(|| format!("up{{job=\"{service}\"}}")),
            service,
            instance: instance.unwrap_or_else(|| "instance".to_owned()),
            version: version.unwrap_or_else(|| "version".to_owned()),
            timeout: timeout.unwrap_or(Duration::from_secs(10)),
            max_age: max_age.unwrap_or(Duration::from_mins(2)),
        }),
    })
}

/// What was answered to the three questions.
struct Answers {
    found: Vec<Series>,
    /// The same series; the value is when each was scraped.
    scraped: Vec<Series>,
    targets: Vec<Series>,
}

/// Something that should have been scraped.
struct Target<'a> {
    /// Of `up`.
    series: &'a Series,
    /// Whether a series tells its version.
    is_told: bool,
}

impl Target<'_> {
    fn is_down(&self) -> bool {
        self.series.value.1.parse::<f64>().unwrap_or(0.0) < 1.0
    }
}

/// The labels of a series, as they are written.
fn labels(series: &Series) -> String {
    let labels = series.metric.iter();
    let labels = labels.map(|(name, value)| format!("{name}={value:?}"));
    format!("{{{}}}", labels.collect::<Vec<_>>().join(", "))
}

#[async_trait]
impl Source for Prometheus {
    async fn observe(&self, asked: &Asked<'_>) -> Result<Observation, SourceFailure> {
        let look = async {
            if !(asked.is_service)(&self.service) {
                let service = &self.service;
                return Err(SourceFailure(format!(
                    "the service `{service}` is not named in migrate.toml; add [services.{service}]"
                )));
            }
            let answers = self.ask_all().await.map_err(SourceFailure)?;
            self.judged(answers).map_err(SourceFailure)
        };
        asked.unless_interrupted(look).await
    }

    fn timeout(&self) -> Duration {
        self.timeout
    }

    fn max_age_ms(&self) -> u64 {
        u64::try_from(self.max_age.as_millis()).unwrap_or(u64::MAX)
    }

    fn covers(&self, service: &str) -> bool {
        self.service == service
    }
}

impl Prometheus {
    async fn ask_all(&self) -> Result<Answers, String> {
        let deadline = Instant::now() + self.timeout;
        let scraped = format!("timestamp({})", self.query);
        // The targets first: one that comes in between is then known to nobody, rather than to say nothing.
        let targets = query(&self.web, &self.up, deadline).await?;
        let found = query(&self.web, &self.query, deadline).await?;
        let scraped = query(&self.web, &scraped, deadline).await?;
        Ok(Answers {
            found,
            scraped,
            targets,
        })
    }

    /// Invariant: a target that cannot be scraped, or tells no version, is there and is of no known version.
    fn judged(&self, answers: Answers) -> Result<Observation, String> {
        let Answers {
            found,
            scraped,
            targets,
        } = answers;
        if targets.is_empty() {
            return Err(format!(
                "`{}` finds no target, so nothing says what should have been scraped: name the targets of {} with `up`",
                self.up, self.service
            ));
        }
        let name = |series: &Series| series.metric.get(&self.instance).cloned();
        let mut times = BTreeMap::<String, f64>::new();
        for series in &scraped {
            if let (Some(name), Ok(at)) = (name(series), series.value.1.parse::<f64>()) {
                // The oldest of them, where it has several.
                let known = times.entry(name).or_insert(at);
                *known = known.min(at);
            }
        }
        let mut of_name = BTreeMap::<&str, Vec<Target<'_>>>::new();
        for series in &targets {
            let Some(name) = series.metric.get(&self.instance) else {
                return Err(format!(
                    "a target of `{}` has no label `{}`: say with `instance` which one names an instance",
                    self.up, self.instance
                ));
            };
            of_name.entry(name).or_default().push(Target {
                series,
                is_told: false,
            });
        }
        let mut instances = Vec::new();
        for series in &found {
            let Some(name) = name(series) else {
                return Err(format!(
                    "a series of `{}` has no label `{}`: say with `instance` which one names an instance",
                    self.query, self.instance
                ));
            };
            let version = series.metric.get(&self.version);
            let version = version.filter(|version| !version.trim().is_empty());
            let label = version.cloned();
            let label = label.unwrap_or_else(|| format!("{NO_VERSION}no label {}", self.version));
            let asked_at = series.value.0;
            let at = times.get(&name).copied().unwrap_or(asked_at);
            let target = self.target_of(series, of_name.get_mut(name.as_str()))?;
            let state = match &target {
                Some(target) if target.is_down() => InstanceState::Lost,
                _ => InstanceState::Serving,
            };
            if let Some(target) = target {
                target.is_told = true;
            }
            instances.push(self.instance_of(name, label, (state, milliseconds(asked_at - at))));
        }
        let mut notes = Vec::new();
        for (name, of_name) in &of_name {
            for target in of_name.iter().filter(|target| !target.is_told) {
                let (why, state) = if target.is_down() {
                    ("its target is down", InstanceState::Lost)
                } else {
                    ("its target is up, and tells none", InstanceState::Serving)
                };
                let label = format!("{NO_VERSION}{why}");
                notes.push(format!("{name}: {label}"));
                instances.push(self.instance_of((*name).to_owned(), label, (state, 0)));
            }
        }
        for instance in &instances {
            for (what, value) in [
                ("instance", &instance.instance),
                ("version", &instance.label),
            ] {
                if value.chars().nth(LONGEST_NAME).is_some() {
                    return Err(format!("`{what}` is longer than {LONGEST_NAME} characters"));
                }
            }
        }
        Ok(Observation { instances, notes })
    }

    /// The target that a series is of: of those of its name, the one whose labels agree in all that both have. A name is not enough,
    /// because pods of two clusters may have one address.
    fn target_of<'t, 'a>(
        &self,
        series: &Series,
        of_name: Option<&'t mut Vec<Target<'a>>>,
    ) -> Result<Option<&'t mut Target<'a>>, String> {
        let is_of = |target: &&mut Target<'_>| {
            let mut labels = series.metric.iter();
            labels.all(|(label, value)| {
                let is_its_own = *label == self.version || label == "__name__";
                let of_target = target.series.metric.get(label);
                is_its_own || of_target.is_none_or(|of_target| of_target == value)
            })
        };
        let mut of_it = of_name.into_iter().flatten().filter(is_of);
        let target = of_it.next();
        match (&target, of_it.next()) {
            (Some(one), Some(other)) => Err(format!(
                "`{}` has two targets that a series of `{}` may be of, {} and {}: keep in `query` the label that tells them apart, or let `up` \
                 name each once",
                self.up,
                self.query,
                labels(one.series),
                labels(other.series)
            )),
            _ => Ok(target),
        }
    }

    fn instance_of(
        &self,
        instance: String,
        label: String,
        (state, age_ms): (InstanceState, u64),
    ) -> Instance {
        let why = (state == InstanceState::Lost)
            .then(|| "its target is down: it could not be scraped, and may run".to_owned());
        Instance {
            service: self.service.clone(),
            instance,
            label,
            state,
            image: None,
            template: None,
            age_ms,
            about: why.map(|why| About {
                why: Some(why),
                ..About::default()
            }),
        }
    }
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "it is within these limits"
)]
fn milliseconds(seconds: f64) -> u64 {
    (seconds * 1000.0).clamp(0.0, 1e15) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source() -> Prometheus {
        Prometheus {
            web: Web::at("http://127.0.0.1:9090"),
            service: "web".to_owned(),
            query: "app_build_info".to_owned(),
            up: "up".to_owned(),
            instance: "instance".to_owned(),
            version: "version".to_owned(),
            timeout: Duration::from_secs(1),
            max_age: Duration::from_mins(2),
        }
    }

    fn series(labels: &[(&str, &str)], value: &str) -> Series {
        let metric = labels
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Series {
            metric: metric.collect(),
            value: (1_000.0, value.to_owned()),
        }
    }

    fn judged(
        found: Vec<Series>,
        scraped: Vec<Series>,
        targets: Vec<Series>,
    ) -> Result<Vec<String>, String> {
        let answers = Answers {
            found,
            scraped,
            targets,
        };
        let observation = source().judged(answers)?;
        let lines = observation.instances.into_iter().map(|one| {
            format!(
                "{} {} {} {}",
                one.instance,
                one.label,
                one.state.name(),
                one.age_ms
            )
        });
        Ok(lines.collect())
    }

    #[test]
    fn each_series_is_an_instance_and_each_target_without_one_is_of_no_known_version() {
        let a = || series(&[("instance", "a"), ("version", "1.1.0")], "1");
        let found = judged(
            vec![
                a(),
                series(&[("instance", "d")], "1"),
                series(&[("instance", "e"), ("version", "1.0.0")], "1"),
            ],
            vec![
                series(&[("instance", "a")], "985.5"),
                series(&[("instance", "e")], "400"),
            ],
            vec![
                series(&[("instance", "a")], "1"),
                series(&[("instance", "b")], "0"),
                series(&[("instance", "c")], "1"),
                series(&[("instance", "d")], "1"),
                series(&[("instance", "e")], "0"),
            ],
        );
        assert_eq!(
            found.unwrap(),
            [
                "a 1.1.0 serving 14500",
                "d no version: no label version serving 0",
                // What was scraped before it went down may still be what runs.
                "e 1.0.0 lost 600000",
                "b no version: its target is down lost 0",
                "c no version: its target is up, and tells none serving 0",
            ]
        );
        // Nothing that says what should be there: an empty answer proves nothing.
        let none = judged(vec![a()], Vec::new(), Vec::new()).unwrap_err();
        assert!(none.contains("`up` finds no target"), "{none}");
        let unnamed = judged(
            vec![series(&[("version", "1")], "1")],
            Vec::new(),
            vec![a()],
        )
        .unwrap_err();
        assert!(unnamed.contains("say with `instance`"), "{unnamed}");
    }

    #[test]
    fn one_name_may_be_two_targets() {
        let target =
            |cluster: &str, value| series(&[("instance", "a"), ("cluster", cluster)], value);
        let told = series(
            &[("instance", "a"), ("cluster", "x"), ("version", "1.1.0")],
            "1",
        );
        let found = judged(
            vec![told],
            Vec::new(),
            vec![target("x", "1"), target("y", "0")],
        );
        assert_eq!(
            found.unwrap(),
            [
                "a 1.1.0 serving 0",
                "a no version: its target is down lost 0"
            ]
        );
        let whose = series(&[("instance", "a"), ("version", "1.1.0")], "1");
        let both = vec![target("x", "1"), target("y", "1")];
        let error = judged(vec![whose], Vec::new(), both).unwrap_err();
        assert!(error.contains("cluster=\"y\""), "{error}");
    }
}
