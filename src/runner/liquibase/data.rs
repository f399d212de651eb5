//! Changelogs in YAML and JSON: a list of entries with one key each.
//!
//! Invariant: a changeset is copied as it is written, byte for byte, because Liquibase may read a value in another way than is
//! done here, and remembers it by what it has read.

use std::collections::BTreeMap;

use serde_json::value::RawValue;
use yaml_serde::Value;

use super::changelog::{Changelog, Entry, Format, From, ROOT, Set};

/// The entries, if it is a changelog.
fn entries(format: Format, text: &str) -> Result<Option<Vec<Value>>, String> {
    let parsed: Value = match format {
        Format::Json => serde_json::from_str(text).map_err(|why| why.to_string())?,
        _ => yaml_serde::from_str(text).map_err(|why| why.to_string())?,
    };
    match parsed.get(ROOT) {
        None => Ok(None),
        Some(Value::Sequence(entries)) => Ok(Some(entries.clone())),
        Some(_) => Err(format!("`{ROOT}` is no list")),
    }
}

/// A name as Liquibase reads it, where that is beyond doubt.
fn name(value: &Value, text: &str) -> Option<String> {
    match value {
        Value::Number(number) => {
            let digits = number.as_u64()?.to_string();
            let is_written = |c: char| c.is_ascii_digit();
            let mut words = text.split(|c| !is_written(c));
            words.any(|word| word == digits).then_some(digits)
        }
        Value::String(name) => {
            const OTHER: [&str; 10] = [
                "yes", "no", "on", "off", "y", "n", "true", "false", "null", "~",
            ];
            let is_number = name.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c))
                && name
                    .chars()
                    .all(|c| c.is_ascii_hexdigit() || "+-._:xoTZ ".contains(c));
            let is_plain = !is_number && !OTHER.contains(&name.to_ascii_lowercase().as_str());
            let is_quoted = || {
                ['"', '\'']
                    .iter()
                    .any(|mark| text.contains(&format!("{mark}{name}{mark}")))
            };
            (!name.is_empty() && (is_plain || is_quoted())).then(|| name.clone())
        }
        _ => None,
    }
}

fn text_of(value: &Value, key: &str) -> Option<String> {
    value.get(key).and_then(Value::as_str).map(str::to_owned)
}

fn is_true(value: &Value, key: &str) -> bool {
    match value.get(key) {
        Some(Value::Bool(set)) => *set,
        Some(Value::String(set)) => set.eq_ignore_ascii_case("true"),
        _ => false,
    }
}

fn entry(key: &str, value: &Value, text: &str) -> Result<Option<Entry>, String> {
    let path = match key {
        "changeSet" => {
            let of = |key: &str| {
                let given = value
                    .get(key)
                    .ok_or_else(|| format!("a changeSet has no `{key}`"))?;
                name(given, text).ok_or_else(|| {
                    format!(
                        "the `{key}` of a changeSet ({}) is no text: put what `liquibase status --verbose` or its history calls it in quotes",
                        yaml_serde::to_string(given).unwrap_or_default().trim()
                    )
                })
            };
            return Ok(Some(Entry::Set(Set {
                id: of("id")?,
                author: of("author")?,
                logical: text_of(value, "logicalFilePath"),
            })));
        }
        "include" => text_of(value, "file"),
        "includeAll" => text_of(value, "path"),
        _ => return Ok(None),
    };
    let path = path.ok_or_else(|| format!("an `{key}` has no path"))?;
    let from = match is_true(value, "relativeToChangelogFile") {
        true => From::Changelog,
        false => From::SearchPath,
    };
    Ok(Some(Entry::Include { path, from }))
}

pub(super) fn read(format: Format, text: &str) -> Result<Option<Changelog>, String> {
    let Some(all) = entries(format, text)? else {
        return Ok(None);
    };
    let mut log = Changelog {
        format,
        logical: None,
        entries: Vec::new(),
        properties: Vec::new(),
    };
    for one in &all {
        let Value::Mapping(keys) = one else {
            return Err("an entry has no key".to_owned());
        };
        for (key, value) in keys {
            let key = key.as_str().unwrap_or_default();
            log.entries.extend(entry(key, value, text)?);
            match key {
                "logicalFilePath" => log.logical = value.as_str().map(str::to_owned),
                "property" => log.properties.extend(text_of(value, "name")),
                _ => {}
            }
        }
    }
    Ok(Some(log))
}

/// Which of the entries stay where one changeset is wanted.
fn stays(entries: &[Value], wanted: usize) -> Vec<bool> {
    let mut sets = 0;
    let mut of = |entry: &Value| {
        if entry.get("changeSet").is_some() {
            sets += 1;
            return sets == wanted + 1;
        }
        entry.get("include").is_none() && entry.get("includeAll").is_none()
    };
    entries.iter().map(&mut of).collect()
}

fn kept(entries: Vec<Value>, stays: &[bool]) -> Vec<Value> {
    let both = entries.into_iter().zip(stays);
    both.filter(|(_, stays)| **stays)
        .map(|(one, _)| one)
        .collect()
}

pub(super) fn only_json(text: &str, wanted: usize) -> Result<String, String> {
    let all = entries(Format::Json, text)?.ok_or("it is no changelog any more")?;
    let stays = stays(&all, wanted);
    let unread = |why: serde_json::Error| why.to_string();
    let document: BTreeMap<String, &RawValue> = serde_json::from_str(text).map_err(unread)?;
    let list = document.get(ROOT).map_or("[]", |raw| raw.get());
    let raw: Vec<&RawValue> = serde_json::from_str(list).map_err(unread)?;
    let left = raw.iter().zip(&stays).filter(|(_, stays)| **stays);
    let left: Vec<&str> = left.map(|(one, _)| one.get()).collect();
    Ok(format!("{{\"{ROOT}\": [\n{}\n]}}\n", left.join(",\n")))
}

/// How far a line stands in, if something stands on it.
fn indent(line: &str) -> Option<usize> {
    let rest = line.trim_start_matches(' ');
    let is_empty = rest.trim().is_empty() || rest.starts_with('#');
    (!is_empty).then(|| line.len() - rest.len())
}

/// By its lines, where each entry begins with a dash on a line of its own.
pub(super) fn only_yaml(text: &str, wanted: usize) -> Result<String, String> {
    let all = entries(Format::Yaml, text)?.ok_or("it is no changelog any more")?;
    let stays = stays(&all, wanted);
    let head = |line: &str| {
        line.strip_prefix(ROOT)
            .is_some_and(|rest| rest.trim_start().starts_with(':'))
    };
    let mut copy = String::with_capacity(text.len());
    let (mut is_in, mut dash, mut count) = (false, None, 0_usize);
    for line in text.split_inclusive('\n') {
        if !is_in {
            is_in = head(line);
            copy.push_str(line);
            continue;
        }
        let begins = indent(line).filter(|_| line.trim_start().starts_with("- "));
        if begins.is_some() && *dash.get_or_insert(begins) == begins {
            count += 1;
        }
        let is_kept = match count.checked_sub(1) {
            None => true,
            Some(index) => stays.get(index).copied().unwrap_or(false),
        };
        if is_kept {
            copy.push_str(line);
        }
    }
    // Where no entry stays in its place by that, nothing is guessed.
    let left = entries(Format::Yaml, &copy).ok().flatten();
    if count != stays.len() || left != Some(kept(all, &stays)) {
        return Err(
            "its changesets cannot be told apart by their lines: begin each with `- changeSet:` on a line of its own, and let it stand for \
             itself, without anchors"
                .to_owned(),
        );
    }
    Ok(copy)
}

#[cfg(test)]
mod tests {
    use super::*;

    const YAML: &str = "# all\ndatabaseChangeLog:\n- property: {name: t, value: int}\n- changeSet:\n    id: 1\n    author: dev\n    changes:\n    \
        - sql:\n        sql: |\n          - not an entry 1.10\n- include:\n    file: x.yaml\n    relativeToChangelogFile: true\n\
        - changeSet:\n    id: two\n    author: \"7\"\n";
    const JSON: &str = "{ \"databaseChangeLog\": [ {\"property\": {\"name\": \"t\"}}, {\"changeSet\": {\"id\": 1, \"author\": \"dev\", \"n\": 1.10}},\n\
        {\"includeAll\": {\"path\": \"db\"}}, {\"changeSet\": {\"id\": \"01\", \"author\": \"dev\"}} ] }";

    #[test]
    fn what_a_changelog_holds_is_read() {
        let log = read(Format::Yaml, YAML).unwrap().unwrap();
        assert_eq!(log.names("a.yaml"), ["a.yaml::1::dev", "a.yaml::two::7"]);
        assert_eq!((log.entries.len(), log.properties.len()), (3, 1));
        let log = read(Format::Json, JSON).unwrap().unwrap();
        assert_eq!(log.names("a.json"), ["a.json::1::dev", "a.json::01::dev"]);
        assert_eq!(read(Format::Yaml, "a: databaseChangeLog\n"), Ok(None));
    }

    /// What another reader takes for a number, a date or a yes.
    #[test]
    fn a_name_that_is_in_doubt_is_not_guessed() {
        for id in [
            "01",
            "1.10",
            "2024-01-01",
            "1_000",
            "0x1F",
            "yes",
            "~",
            "1:30",
        ] {
            let text = |id: &str| {
                format!("databaseChangeLog:\n- changeSet:\n    id: {id}\n    author: dev\n")
            };
            let refused = read(Format::Yaml, &text(id));
            assert!(refused.is_err_and(|why| why.contains("in quotes")), "{id}");
            let quoted = read(Format::Yaml, &text(&format!("\"{id}\"")));
            assert_eq!(
                quoted.unwrap().unwrap().names("a"),
                [format!("a::{id}::dev")]
            );
        }
    }

    #[test]
    fn one_changeset_is_left_as_it_was_written() {
        let copy = only_yaml(YAML, 0).unwrap();
        assert!(
            copy.contains("- not an entry 1.10\n") && copy.contains("property"),
            "{copy}"
        );
        assert!(!copy.contains("two") && !copy.contains("include"), "{copy}");
        let copy = only_json(JSON, 0).unwrap();
        assert!(copy.contains("1.10") && copy.contains("property"), "{copy}");
        assert!(
            !copy.contains("01\"") && !copy.contains("includeAll"),
            "{copy}"
        );
        let flow = "databaseChangeLog: [ {changeSet: {id: 1, author: a}}, {changeSet: {id: 2, author: a}} ]\n";
        assert!(only_yaml(flow, 0).is_err());
    }
}
