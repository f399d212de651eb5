//! What a row of migrate.toml says about an answer.

use std::sync::Arc;
use std::time::Duration;

use super::Http;
use super::answer::{Field, Reading, State};
use crate::model::InstanceState;
use crate::row::{LONGEST, LONGEST_WAIT, Place, Row};
use crate::source::Named;
use crate::web::{JsonPath, Web};

pub(super) fn made(row: &mut dyn Row) -> Option<Named> {
    let name = row.text("name", "name = \"consul\"");
    let web = Web::read(row, "http://127.0.0.1:8500/v1/health/service/web");
    let timeout = row.duration("timeout", LONGEST_WAIT);
    let max_age = row.duration("max_age", LONGEST);
    let items = path(row, "items", "items = \"$[*]\"");
    let service = field(row, "service", "service = \"web\"", true);
    let instance = field(row, "instance", "instance = \"$.Service.ID\"", true);
    let version = field(row, "version", "version = \"$.Service.Meta.version\"", true);
    let image = path(row, "image", "image = \"$.image\"");
    let seen_at = path(row, "seen_at", "seen_at = \"$.seen_at\"");
    let next = path(row, "next", "next = \"$.next\"");
    let state = path(row, "state", "state = \"$.Checks[*].Status\"");
    let states = states(row, state.is_some());
    let others = word(row, "others", ["fail", "ignore"]);
    let empty = word(row, "empty", ["failed", "nothing"]);
    Some(Named {
        name: name.unwrap_or_else(|| "http".to_owned()),
        source: Arc::new(Http {
            web: web?,
            reading: Reading {
                items: items.or_else(|| JsonPath::read("$[*]").ok())?,
                service: service?,
                instance: instance?,
                version: version?,
                state,
                states,
                image,
                seen_at,
                next,
                ignores_others: others == Some(1),
            },
            may_be_empty: empty == Some(1),
            timeout: timeout.unwrap_or(Duration::from_secs(10)),
            max_age: max_age.unwrap_or(Duration::from_mins(1)),
        }),
    })
}

/// Which of these words stands there.
fn word(row: &mut dyn Row, key: &'static str, words: [&'static str; 2]) -> Option<usize> {
    let text = row.text(key, &format!("{key} = \"{}\"", words[0]))?;
    let found = words.iter().position(|word| *word == text);
    if found.is_none() {
        row.refuse(
            Place::Value(key),
            "unknown-value",
            format!("`{key}` cannot be `{text}`"),
            format!("it can be `{}` or `{}`", words[0], words[1]),
        );
    }
    found
}

fn path(row: &mut dyn Row, key: &'static str, example: &str) -> Option<JsonPath> {
    let text = row.text(key, example)?;
    read_path(row, key, &text, example)
}

fn read_path(row: &dyn Row, key: &'static str, text: &str, example: &str) -> Option<JsonPath> {
    match JsonPath::read(text) {
        Ok(path) => Some(path),
        Err(why) => {
            row.refuse(
                Place::Value(key),
                "bad-path",
                format!("`{text}` is no JSONPath: {why}"),
                format!("write for example `{example}`"),
            );
            None
        }
    }
}

/// A path, which begins with `$`; or what it is for all.
fn field(row: &mut dyn Row, key: &'static str, example: &str, is_needed: bool) -> Option<Field> {
    if is_needed && !row.has(key) {
        row.missing(key, example);
    }
    let text = row.text(key, example)?;
    if text.starts_with('$') {
        return read_path(row, key, &text, example).map(Field::At);
    }
    Some(Field::Always(text))
}

/// What the words of the answer mean.
fn states(row: &mut dyn Row, has_state: bool) -> Vec<(String, State)> {
    const KEYS: [(&str, &str, State); 5] = [
        (
            "serving",
            "serving = [\"passing\"]",
            State::Live(InstanceState::Serving),
        ),
        (
            "starting",
            "starting = [\"critical\"]",
            State::Live(InstanceState::Starting),
        ),
        (
            "draining",
            "draining = [\"stopping\"]",
            State::Live(InstanceState::Draining),
        ),
        (
            "lost",
            "lost = [\"unknown\"]",
            State::Live(InstanceState::Lost),
        ),
        ("gone", "gone = [\"complete\"]", State::Gone),
    ];
    let mut states: Vec<(String, State)> = Vec::new();
    let mut is_said = false;
    for (key, example, state) in KEYS {
        is_said |= row.has(key);
        for (index, word) in row
            .texts(key, example)
            .unwrap_or_default()
            .into_iter()
            .enumerate()
        {
            if states.iter().any(|(known, _)| *known == word) {
                let message = format!("`{word}` means two things");
                let help = "leave it in one of the lists".to_owned();
                row.refuse(Place::Item(key, index), "two-states", message, help);
            }
            states.push((word, state));
        }
    }
    if is_said && !has_state {
        row.missing("state", "state = \"$.status\"");
    }
    if !is_said {
        // The words of our own.
        let own = KEYS.into_iter().take(3);
        states.extend(own.map(|(key, _, state)| (key.to_owned(), state)));
    }
    states
}
