//! What a document lists: a pure function of it.

use jiff::Timestamp;
use serde_json::Value;

use crate::model::{InstanceState, NO_VERSION};
use crate::source::{Instance, LONGEST_NAME, MOST_INSTANCES};
use crate::text::shown::shortened;
use crate::web::JsonPath;

/// As much of an answer as is told.
const LONGEST_TOLD: usize = 200;

/// Where a field of an instance is.
#[derive(Clone, Debug)]
pub(super) enum Field {
    Always(String),
    At(JsonPath),
}

/// What a word of the answer means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Live(InstanceState),
    Gone,
}

/// How a document is read.
#[derive(Clone, Debug)]
pub(super) struct Reading {
    pub items: JsonPath,
    pub service: Field,
    pub instance: Field,
    pub version: Field,
    pub state: Option<JsonPath>,
    pub states: Vec<(String, State)>,
    pub image: Option<JsonPath>,
    pub seen_at: Option<JsonPath>,
    pub next: Option<JsonPath>,
    /// Whether services that the project does not name are left out; else they are a failure.
    pub ignores_others: bool,
}

/// What a page comes to.
#[derive(Debug, Default)]
pub(super) struct Page {
    pub instances: Vec<Instance>,
    /// Whatever it lists, live or not, ours or not.
    pub listed: usize,
    pub next: Option<String>,
}

impl Reading {
    /// The one service that it speaks of, where that is one for all.
    pub fn service(&self) -> Option<&str> {
        match &self.service {
            Field::Always(service) => Some(service),
            Field::At(_) => None,
        }
    }

    /// Invariant: one item that cannot be read makes the whole list doubtful.
    pub fn page(
        &self,
        document: &Value,
        now: Timestamp,
        is_service: &(dyn Fn(&str) -> bool + Sync),
    ) -> Result<Page, String> {
        let items = self.items.items_of(document)?;
        let mut page = Page {
            listed: items.len(),
            ..Page::default()
        };
        if page.listed > MOST_INSTANCES {
            return Err(format!("it lists more than {MOST_INSTANCES} instances"));
        }
        for (number, item) in (1..).zip(items) {
            let instance = self.instance_of(item, now, is_service).map_err(|why| {
                let item = item.to_string();
                let item = shortened(&item, LONGEST_TOLD);
                format!("item {number} of the answer: {why}: {item}")
            })?;
            page.instances.extend(instance);
        }
        if let Some(next) = &self.next {
            page.next = next.text(document)?;
        }
        Ok(page)
    }

    fn instance_of(
        &self,
        item: &Value,
        now: Timestamp,
        is_service: &(dyn Fn(&str) -> bool + Sync),
    ) -> Result<Option<Instance>, String> {
        let service = required("service", &self.service, item)?;
        if !is_service(&service) {
            if self.ignores_others {
                return Ok(None);
            }
            return Err(format!(
                "the service `{service}` is not named in migrate.toml; add [services.{service}], or say `others = \"ignore\"`"
            ));
        }
        let State::Live(state) = self.state_of(item)? else {
            return Ok(None);
        };
        let instance = required("instance", &self.instance, item)?;
        let label = match &self.version {
            Field::Always(version) => version.clone(),
            Field::At(path) if path.is_fraction(item)? => {
                return Err(format!(
                    "the version at `{path}` is a number, in which 1.10 and 1.1 are one: let it be a text"
                ));
            }
            // It is there, and nobody guesses what it is.
            Field::At(path) => path
                .text(item)?
                .unwrap_or_else(|| format!("{NO_VERSION}nothing at {path}")),
        };
        for (what, value) in [("instance", &instance), ("version", &label)] {
            if value.chars().nth(LONGEST_NAME).is_some() {
                return Err(format!("`{what}` is longer than {LONGEST_NAME} characters"));
            }
        }
        let image = match &self.image {
            Some(path) => path.text(item)?,
            None => None,
        };
        Ok(Some(Instance {
            service,
            instance,
            label,
            state,
            image,
            template: None,
            age_ms: self.age_of(item, now)?,
            about: None,
        }))
    }

    /// Where several things are said, such as by several checks, it serves if all of them say so.
    fn state_of(&self, item: &Value) -> Result<State, String> {
        let Some(path) = &self.state else {
            return Ok(State::Live(InstanceState::Serving));
        };
        let mut found: Option<State> = None;
        for value in path.of(item)? {
            let word = match value {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            let known = self.states.iter().find(|(known, _)| *known == word);
            let Some((_, state)) = known else {
                let word = shortened(&word, LONGEST_TOLD);
                return Err(format!(
                    "what the state `{word}` means is not said: put it into `serving`, `starting`, `draining`, `lost` or `gone`"
                ));
            };
            found = Some(match found {
                Some(other) if rank(other) <= rank(*state) => other,
                _ => *state,
            });
        }
        // Nothing says that it serves, nor that it is gone.
        Ok(found.unwrap_or(State::Live(InstanceState::Starting)))
    }

    fn age_of(&self, item: &Value, now: Timestamp) -> Result<u64, String> {
        let Some(path) = &self.seen_at else {
            return Ok(0);
        };
        let Some(text) = path.text(item)? else {
            return Err(format!("nothing is at `{}`", path));
        };
        let seen = moment(&text).ok_or_else(|| {
            format!("`{text}` is no time: neither RFC 3339 nor seconds, milliseconds or nanoseconds since 1970")
        })?;
        let age = now.as_millisecond().saturating_sub(seen.as_millisecond());
        // A clock ahead of ours says nothing about age, so only a little of it is believed.
        if age < -60_000 {
            return Err(format!("`{text}` lies {} s in the future", -age / 1000));
        }
        Ok(u64::try_from(age).unwrap_or(0))
    }
}

/// What counts most where several things are said: whether it is live before all, and then what proves least.
const fn rank(state: State) -> u8 {
    match state {
        State::Live(InstanceState::Starting) => 0,
        State::Live(InstanceState::Lost) => 1,
        State::Live(InstanceState::Draining) => 2,
        State::Live(_) => 3,
        State::Gone => 4,
    }
}

fn required(name: &str, field: &Field, item: &Value) -> Result<String, String> {
    match field {
        Field::Always(text) => Ok(text.clone()),
        Field::At(path) => path
            .text(item)?
            .ok_or_else(|| format!("`{name}` is missing: nothing is at `{}`", path)),
    }
}

/// RFC 3339, or a number since 1970 whose size says in what.
fn moment(text: &str) -> Option<Timestamp> {
    if let Ok(at) = text.parse() {
        return Some(at);
    }
    if let Ok(number) = text.parse::<i64>() {
        return match number {
            0..100_000_000_000 => Timestamp::from_second(number).ok(),
            100_000_000_000..100_000_000_000_000 => Timestamp::from_millisecond(number).ok(),
            100_000_000_000_000.. => Timestamp::from_nanosecond(i128::from(number)).ok(),
            _ => None,
        };
    }
    let (whole, _) = text.split_once('.')?;
    Timestamp::from_second(whole.parse().ok()?).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn path(text: &str) -> JsonPath {
        JsonPath::read(text).unwrap()
    }

    fn reading() -> Reading {
        let word = |word: &str, state| (word.to_owned(), State::Live(state));
        Reading {
            items: path("$[*]"),
            service: Field::Always("web".to_owned()),
            instance: Field::At(path("$.Service.ID")),
            version: Field::At(path("$.Service.Meta.version")),
            state: Some(path("$.Checks[*].Status")),
            states: vec![
                word("passing", InstanceState::Serving),
                word("warning", InstanceState::Serving),
                word("critical", InstanceState::Starting),
                ("dead".to_owned(), State::Gone),
            ],
            image: None,
            seen_at: None,
            next: None,
            ignores_others: false,
        }
    }

    fn consul(id: &str, version: &Value, checks: &[&str]) -> Value {
        let checks: Vec<Value> = checks.iter().map(|one| json!({ "Status": one })).collect();
        json!({ "Service": { "ID": id, "Meta": { "version": version } }, "Checks": checks })
    }

    fn read(reading: &Reading, document: &Value) -> Result<Vec<String>, String> {
        let now = "2026-01-05T10:00:00Z".parse().unwrap();
        let page = reading.page(document, now, &|name| name == "web")?;
        let instances = page.instances.into_iter().map(|one| {
            format!(
                "{} {} {} {}",
                one.instance,
                one.label,
                one.state.name(),
                one.age_ms
            )
        });
        Ok(instances.collect())
    }

    #[test]
    fn each_item_is_an_instance_in_the_state_that_all_its_checks_allow() {
        let version = json!("1.1.0");
        let all = json!([
            consul("a", &version, &["passing", "passing"]),
            consul("b", &version, &["passing", "critical"]),
            consul("c", &version, &[]),
            consul("d", &Value::Null, &["warning"]),
            consul("e", &version, &["dead"]),
            consul("f", &version, &["dead", "critical"]),
        ]);
        assert_eq!(
            read(&reading(), &all).unwrap(),
            [
                "a 1.1.0 serving 0",
                "b 1.1.0 starting 0",
                "c 1.1.0 starting 0",
                "d no version: nothing at $.Service.Meta.version serving 0",
                "f 1.1.0 starting 0",
            ]
        );
        assert_eq!(read(&reading(), &json!([])).unwrap(), [""; 0]);
        // What is of another form is no list of instances.
        let mut below = reading();
        below.items = path("$.hosts[?@.Service]");
        assert_eq!(read(&below, &json!({ "hosts": [] })).unwrap(), [""; 0]);
        for other in [
            json!({ "error": "overloaded" }),
            json!({ "hosts": null }),
            json!({ "hosts": "none" }),
            json!(null),
        ] {
            for reading in [&reading(), &below] {
                let error = read(reading, &other).unwrap_err();
                assert!(
                    error.contains("no list at") || error.contains("`instance` is missing"),
                    "{error}"
                );
            }
        }
        let error = read(
            &reading(),
            &json!([consul("a", &json!(1.10), &["passing"])]),
        )
        .unwrap_err();
        assert!(error.contains("1.10 and 1.1 are one"), "{error}");
    }

    #[test]
    fn what_cannot_be_read_makes_all_of_it_doubtful() {
        let good = consul("a", &json!("1.1.0"), &["passing"]);
        for (bad, said) in [
            (
                consul("b", &json!("1"), &["odd"]),
                "what the state `odd` means is not said",
            ),
            (
                json!({ "Checks": [] }),
                "`instance` is missing: nothing is at `$.Service.ID`",
            ),
            (
                json!({ "Service": { "ID": {} }, "Checks": [] }),
                "finds no text",
            ),
            (json!(7), "`instance` is missing"),
        ] {
            let error = read(&reading(), &json!([good, bad])).unwrap_err();
            assert!(error.starts_with("item 2 of the answer: "), "{error}");
            assert!(error.contains(said), "{error}");
        }
        let mut of_item = reading();
        of_item.service = Field::At(path("$.Service.Service"));
        let mut other = good.clone();
        other["Service"]["Service"] = json!("mail");
        let error = read(&of_item, &json!([other.clone()])).unwrap_err();
        assert!(
            error.contains("`mail` is not named in migrate.toml"),
            "{error}"
        );
        of_item.ignores_others = true;
        assert_eq!(read(&of_item, &json!([other])).unwrap(), [""; 0]);
    }

    #[test]
    fn times_are_read_in_each_unit() {
        let mut reading = reading();
        reading.seen_at = Some(path("$.at"));
        let age = |at: Value| {
            let mut item = consul("a", &json!("1.1.0"), &["passing"]);
            item["at"] = at;
            read(&reading, &json!([item])).map(|lines| lines[0].clone())
        };
        for at in [
            json!("2026-01-05T09:59:30Z"),
            json!(1_767_607_170),
            json!(1_767_607_170_000_i64),
            json!(1_767_607_170_000_000_000_i64),
            json!("1767607170"),
        ] {
            assert_eq!(age(at.clone()).unwrap(), "a 1.1.0 serving 30000", "{at}");
        }
        for (at, said) in [
            (json!("noon"), "is no time"),
            (Value::Null, "nothing is at `$.at`"),
            (json!("2027-01-01T00:00:00Z"), "in the future"),
        ] {
            assert!(age(at).unwrap_err().contains(said));
        }
    }

    #[test]
    fn a_path_is_one_or_said_to_be_none() {
        for good in [
            "$",
            "$[*]",
            "$.a['b.c'][0]",
            "$..Status",
            "$[?@.Status == 'x']",
        ] {
            assert!(JsonPath::read(good).is_ok(), "{good}");
        }
        for bad in ["", "a.b", "$.", "$[", "$[?"] {
            assert!(JsonPath::read(bad).is_err(), "{bad}");
        }
    }
}
