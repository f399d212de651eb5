//! Keys as a JSON schema.

use serde_json::{Map, Value, json};

use super::super::rules::RULES;
use super::super::severity::Severity;
use super::{Key, Section, Shape};
use crate::sql::Dialect;

/// The schema of a whole file.
pub(super) fn document(title: &str, says: &str, top: &Section) -> Value {
    let mut schema = of_section(top);
    if let Some(entries) = schema.as_object_mut() {
        entries.insert(
            "$schema".to_owned(),
            json!("http://json-schema.org/draft-07/schema#"),
        );
        entries.insert("title".to_owned(), json!(title));
        entries.insert("description".to_owned(), json!(says));
    }
    schema
}

fn of_section(section: &Section) -> Value {
    if section.kinds.is_empty() {
        return of_keys(section.keys.iter(), None);
    }
    let kinds = section.kinds.iter();
    let each: Vec<Value> = kinds
        .map(|(kind, keys)| of_keys(section.keys.iter().chain(*keys), Some(kind)))
        .collect();
    json!({ "oneOf": each })
}

fn of_keys<'k>(keys: impl Iterator<Item = &'k Key>, kind: Option<&str>) -> Value {
    let mut properties = Map::new();
    let mut needed = Vec::new();
    if let Some(kind) = kind {
        properties.insert("kind".to_owned(), json!({ "const": kind }));
        needed.push("kind");
    }
    for key in keys {
        properties.insert(key.name.to_owned(), of_key(key));
        if key.is_needed {
            needed.push(key.name);
        }
    }
    let mut schema = json!({
        "type": "object",
        "additionalProperties": false,
        "properties": properties,
    });
    if let (Some(entries), false) = (schema.as_object_mut(), needed.is_empty()) {
        entries.insert("required".to_owned(), json!(needed));
    }
    schema
}

fn of_key(key: &Key) -> Value {
    let mut schema = of_shape(&key.shape);
    if let Some(entries) = schema.as_object_mut() {
        entries.insert("description".to_owned(), json!(key.says));
        if let Some(usual) = key.usual {
            entries.insert("default".to_owned(), value(usual));
        }
        if !key.example.is_empty() {
            entries.insert("examples".to_owned(), json!([value(key.example)]));
        }
    }
    schema
}

/// What TOML means by this, or null where it is none; a test looks that nothing is.
fn value(text: &str) -> Value {
    let table = toml::from_str::<toml::Table>(&format!("value = {text}")).ok();
    let value = table.and_then(|mut table| table.remove("value"));
    value.map_or(Value::Null, |value| json!(value))
}

fn text() -> Value {
    json!({ "type": "string", "pattern": "\\S" })
}

fn texts() -> Value {
    json!({ "type": "array", "items": text() })
}

fn named(values: &Value) -> Value {
    json!({ "type": "object", "additionalProperties": values })
}

/// One text for each database.
fn for_databases(values: &Value) -> Value {
    let each = Dialect::ALL.iter();
    let each: Map<String, Value> = each
        .map(|dialect| (dialect.name().to_owned(), values.clone()))
        .collect();
    json!({ "type": "object", "additionalProperties": false, "properties": each })
}

fn of_shape(shape: &Shape) -> Value {
    match shape {
        Shape::Text => text(),
        Shape::Texts => texts(),
        Shape::TextOrTexts => json!({ "anyOf": [text(), texts()] }),
        Shape::Flag => json!({ "type": "boolean" }),
        Shape::Count(least, most) => {
            json!({ "type": "integer", "minimum": least, "maximum": most })
        }
        Shape::Counts(least, most) => {
            json!({ "type": "array", "items": { "type": "integer", "minimum": least, "maximum": most } })
        }
        Shape::Number => json!({ "type": "number" }),
        Shape::Duration => json!({ "type": "string", "pattern": "[0-9]" }),
        Shape::Choice(words) => json!({ "enum": words }),
        Shape::Choices(words) => json!({ "type": "array", "items": { "enum": words } }),
        Shape::Named => named(&text()),
        Shape::Silenced => {
            let warnings = RULES.iter();
            let warnings = warnings.filter(|rule| rule.severity == Severity::Warning);
            let each: Map<String, Value> = warnings
                .map(|rule| {
                    let mut reason = text();
                    if let Some(entries) = reason.as_object_mut() {
                        entries.insert("description".to_owned(), json!(rule.finds));
                    }
                    (rule.code.to_owned(), reason)
                })
                .collect();
            json!({ "type": "object", "additionalProperties": false, "properties": each })
        }
        Shape::Varied => json!({ "anyOf": [text(), for_databases(&text())] }),
        Shape::Expressions => named(&json!({ "anyOf": [text(), named(&text())] })),
        Shape::Columns(section) => {
            named(&json!({ "anyOf": [text(), of_section(section), named(&text())] }))
        }
        Shape::Table(section) => of_section(section),
        Shape::Tables(section) => json!({ "type": "array", "items": of_section(section) }),
        Shape::TableEach(section) => named(&of_section(section)),
    }
}
