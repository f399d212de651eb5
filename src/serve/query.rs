//! What a URL asks: a query string becomes a question, or what is wrong with it. Pure.

use percent_encoding::percent_decode_str;

use crate::ask::{Events, Goal, Question, Record, Wanted, moment};
use crate::model::Step;

/// How many parameters a question has at most.
const MOST: usize = 64;
/// How many events are told where nobody says how many.
pub(super) const LAST: usize = 1000;

/// A question that cannot be understood, and how it is to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Misused {
    pub message: String,
    pub help: String,
}

impl Misused {
    pub(super) fn new(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            help: help.into(),
        }
    }
}

/// Where the verdict of an answer is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Answering {
    /// In the body; the status is 200.
    #[default]
    InTheBody,
    /// In the status as well.
    ByStatus,
}

/// The names and values of a query string. A plus is a plus: versions have them (`1.2.0+build5`), and no space.
pub(super) fn pairs(query: Option<&str>) -> Result<Vec<(String, String)>, Misused> {
    let query = query.unwrap_or_default();
    let mut pairs = Vec::new();
    for part in query.split('&').filter(|part| !part.is_empty()) {
        if pairs.len() == MOST {
            return Err(Misused::new(
                format!("a question of more than {MOST} parameters"),
                "ask several questions",
            ));
        }
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        pairs.push((decoded(name)?, decoded(value)?));
    }
    Ok(pairs)
}

fn decoded(text: &str) -> Result<String, Misused> {
    let decoded = percent_decode_str(text).decode_utf8();
    decoded.map(Into::into).map_err(|_| {
        Misused::new(
            "the query string is not UTF-8",
            "write it in UTF-8, percent-encoded",
        )
    })
}

fn answering(value: &str) -> Result<Answering, Misused> {
    match value {
        "status" => Ok(Answering::ByStatus),
        "body" => Ok(Answering::InTheBody),
        _ => Err(Misused::new(
            format!("`as={value}` is no way to answer"),
            "write `as=status` to have the verdict in the status as well, or leave it out",
        )),
    }
}

fn unknown(name: &str, known: &str) -> Misused {
    Misused::new(
        format!("there is no parameter `{name}` here"),
        format!("these are: {known}"),
    )
}

/// Parameters of which only one value can count: each is there once at most.
fn pairs_with_one(query: Option<&str>, single: &[&str]) -> Result<Vec<(String, String)>, Misused> {
    let pairs = pairs(query)?;
    for name in single {
        if pairs.iter().filter(|(other, _)| other == name).count() > 1 {
            return Err(Misused::new(
                format!("`{name}` is there more than once"),
                "write it once",
            ));
        }
    }
    Ok(pairs)
}

/// `web=1.2.0`, as the value of a parameter.
pub(super) fn service_and_version(value: &str) -> Result<Wanted, Misused> {
    match value.split_once('=') {
        Some((service, label)) if !service.is_empty() && !label.is_empty() => Ok(Wanted {
            service: service.to_owned(),
            label: label.to_owned(),
        }),
        _ => Err(Misused::new(
            format!("`{value}` is not a service and a version"),
            "write for example `to=web=1.2.0`",
        )),
    }
}

/// `?web=1.2.0&worker=2.0.0`. A service called `as` or `to` is named as `?to=as=1.2.0`.
pub(super) fn deploy(query: Option<&str>) -> Result<(Question, Answering), Misused> {
    let mut way = Answering::default();
    let mut versions = Vec::new();
    for (name, value) in pairs_with_one(query, &["as"])? {
        match name.as_str() {
            "as" => way = answering(&value)?,
            "to" => versions.push(service_and_version(&value)?),
            "" => return Err(Misused::new("a version without a service", HOW)),
            _ if value.is_empty() => {
                return Err(Misused::new(format!("no version of `{name}`"), HOW));
            }
            _ => versions.push(Wanted {
                service: name,
                label: value,
            }),
        }
    }
    if versions.is_empty() {
        return Err(Misused::new("no version is asked about", HOW));
    }
    let record = Record::Nothing;
    Ok((Question::Deploy { versions, record }, way))
}

const HOW: &str = "write for example `/v1/gate/deploy?web=1.2.0`";

/// `/v1/gate/contract/0002`.
pub(super) fn step(
    step: Step,
    migration: &str,
    query: Option<&str>,
) -> Result<(Question, Answering), Misused> {
    let mut way = Answering::default();
    for (name, value) in pairs_with_one(query, &["as"])? {
        match name.as_str() {
            "as" => way = answering(&value)?,
            _ => return Err(unknown(&name, "as")),
        }
    }
    let question = Question::Step {
        step,
        migration: migration.to_owned(),
        record: Record::Nothing,
    };
    Ok((question, way))
}

/// A question without parameters.
pub(super) fn plain(question: Question, query: Option<&str>) -> Result<Question, Misused> {
    match pairs(query)?.first() {
        Some((name, _)) => Err(Misused::new(
            format!("there is no parameter `{name}` here"),
            "ask without any",
        )),
        None => Ok(question),
    }
}

/// `?to=web=1.2.0&via=web=1.1.0`.
pub(super) fn plan(query: Option<&str>) -> Result<Question, Misused> {
    let mut goal = Goal::default();
    for (name, value) in pairs(query)? {
        match name.as_str() {
            "to" => goal.to.push(service_and_version(&value)?),
            "via" => goal.via.push(service_and_version(&value)?),
            _ => return Err(unknown(&name, "to, via")),
        }
    }
    let record = Record::Nothing;
    Ok(Question::Plan { goal, record })
}

/// `?since=24h&migration=2&actor=ann&after=17&last=50`.
pub(super) fn log(query: Option<&str>, now: jiff::Timestamp) -> Result<Question, Misused> {
    let mut events = Events {
        last: Some(LAST),
        ..Events::default()
    };
    for (name, value) in pairs_with_one(query, &["since", "migration", "actor", "after", "last"])? {
        match name.as_str() {
            "since" => {
                let since = moment(&value, now);
                let since =
                    since.map_err(|error| Misused::new(error, "write for example `since=24h`"))?;
                events.since = Some(since);
            }
            "migration" => events.migration = Some(value),
            "actor" => events.actor = Some(value),
            "after" => events.after = Some(number(&name, &value)?),
            "last" => events.last = Some(number(&name, &value)?),
            _ => return Err(unknown(&name, "after, since, migration, actor, last")),
        }
    }
    Ok(Question::Log(events))
}

fn number<N: std::str::FromStr>(name: &str, value: &str) -> Result<N, Misused> {
    value.parse().map_err(|_| {
        Misused::new(
            format!("`{name}={value}` is not a number"),
            format!("write for example `{name}=50`"),
        )
    })
}

#[cfg(test)]
mod tests {
    use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
    use proptest::prelude::*;

    use super::*;

    fn asked(query: &str) -> Vec<(String, String)> {
        match deploy(Some(query)) {
            Ok((Question::Deploy { versions, .. }, _)) => {
                let versions = versions.into_iter();
                versions
                    .map(|wanted| (wanted.service, wanted.label))
                    .collect()
            }
            other => panic!("{query}: {other:?}"),
        }
    }

    fn pair(service: &str, label: &str) -> (String, String) {
        (service.to_owned(), label.to_owned())
    }

    #[test]
    fn a_deploy_names_services_and_versions() {
        for (query, wanted) in [
            ("web=1.2.0", vec![pair("web", "1.2.0")]),
            ("as=status&web=1.2.0", vec![pair("web", "1.2.0")]),
            ("web=1.2.0+b5", vec![pair("web", "1.2.0+b5")]),
            ("web=1.2.0%2Bb5", vec![pair("web", "1.2.0+b5")]),
            ("to=as=1.0.0", vec![pair("as", "1.0.0")]),
            ("to%3Das%3D1.0.0&a=1", vec![]),
            ("w%65b=1&&web=2", vec![pair("web", "1"), pair("web", "2")]),
            ("web=a=b", vec![pair("web", "a=b")]),
            ("%C3%A4=1", vec![pair("ä", "1")]),
        ] {
            if wanted.is_empty() {
                assert!(deploy(Some(query)).is_err(), "{query}");
            } else {
                assert_eq!(asked(query), wanted, "{query}");
            }
        }
        let by_status = deploy(Some("web=1&as=status")).map(|(_, way)| way);
        assert_eq!(by_status, Ok(Answering::ByStatus));
    }

    #[test]
    fn what_is_not_understood_is_no_question() {
        for query in [
            "",
            "web",
            "web=",
            "=1.2.0",
            "as=status",
            "as=yes&web=1",
            "to=web",
            "to=web=",
            "to==1",
            "web=%FF",
        ] {
            assert!(deploy(Some(query)).is_err(), "{query}");
        }
        assert!(deploy(None).is_err());
        let many = "a=1&".repeat(MOST + 1);
        assert!(deploy(Some(&many)).is_err());
        for query in ["form=web=1", "to=web", "as=status"] {
            assert!(plan(Some(query)).is_err(), "{query}");
        }
        for query in ["since=yesterday", "last=-1", "after=x", "verify=1"] {
            let now = jiff::Timestamp::UNIX_EPOCH;
            assert!(log(Some(query), now).is_err(), "{query}");
        }
        assert!(plain(Question::Rollout, Some("x")).is_err());
        assert!(step(Step::Expand, "1", Some("a=b")).is_err());
    }

    proptest! {
        #[test]
        fn any_query_is_a_question_or_an_error(query in "\\PC{0,60}|[a-z=&%0-9A-F+.]{0,60}") {
            let _ = (deploy(Some(&query)), plan(Some(&query)));
            let _ = log(Some(&query), jiff::Timestamp::UNIX_EPOCH);
        }

        #[test]
        fn what_is_encoded_is_what_is_asked(service in "\\PC{1,20}", label in "\\PC{1,20}") {
            prop_assume!(service != "as" && service != "to");
            let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
            let query = format!("{}={}", encoded(&service), encoded(&label));
            prop_assert_eq!(asked(&query), vec![(service, label)]);
        }
    }
}
