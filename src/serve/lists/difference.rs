//! What an API server holds beside what was written there. Pure.
//!
//! Invariant: whatever stands there in addition is as good as nothing. A field that another manager has added stays when ours are
//! applied, whatever it does: a condition, a selector or an exclusion lets pods past the policy.

use serde_json::{Map, Value};

/// Where what is there is not what was written, as `spec.variables[2].name`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Difference {
    /// Something of ours is gone, or is another.
    Other(String),
    /// It is not of ours.
    Added(String),
}

/// The first difference; `None` if the server holds what was written, and beside it only what it is by default.
pub(super) fn difference(stored: &Value, ours: &Value, at: &str) -> Option<Difference> {
    match (stored, ours) {
        (Value::Object(stored), Value::Object(ours)) => fields(stored, ours, at),
        (Value::Array(stored), Value::Array(ours)) => {
            let element = |index: usize| format!("{at}[{index}]");
            let mut pairs = stored.iter().zip(ours).enumerate();
            pairs
                .find_map(|(index, (stored, ours))| difference(stored, ours, &element(index)))
                .or_else(|| match stored.len() {
                    more if more > ours.len() => Some(Difference::Added(element(ours.len()))),
                    less if less < ours.len() => Some(Difference::Other(element(less))),
                    _ => None,
                })
        }
        (stored, ours) => (stored != ours).then(|| Difference::Other(at.to_owned())),
    }
}

fn fields(stored: &Map<String, Value>, ours: &Map<String, Value>, at: &str) -> Option<Difference> {
    let field = |name: &String| format!("{at}.{name}");
    let of_ours = ours
        .iter()
        .find_map(|(name, value)| match stored.get(name) {
            Some(there) => difference(there, value, &field(name)),
            None => (!is_empty(value)).then(|| Difference::Other(field(name))),
        });
    of_ours.or_else(|| {
        let mut others = stored.iter().filter(|(name, _)| !ours.contains_key(*name));
        others
            .find(|(name, value)| !is_by_default(name, value))
            .map(|(name, _)| Difference::Added(field(name)))
    })
}

/// What a server adds where nothing is said: a policy and its binding hold the same with it and without.
fn is_by_default(field: &str, value: &Value) -> bool {
    let named = value.as_str().map(|value| (field, value));
    is_empty(value) || matches!(named, Some(("matchPolicy", "Equivalent") | ("scope", "*")))
}

/// A selector that is empty takes everything, and so does a list of rules; a list of exclusions or of conditions that is empty takes nothing
/// away.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(fields) => fields.values().all(is_empty),
        Value::Array(elements) => elements.is_empty(),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn ours() -> Value {
        json!({ "match": {}, "rules": [{ "resources": ["pods"] }], "list": [{ "name": "x" }], "policy": "Fail" })
    }

    #[test]
    fn a_server_adds_what_it_is_by_default() {
        let with = json!({
            "match": { "matchPolicy": "Equivalent", "namespaceSelector": {}, "objectSelector": { "matchLabels": {} } },
            "rules": [{ "resources": ["pods"], "scope": "*", "resourceNames": [] }],
            "list": [{ "name": "x" }],
            "policy": "Fail",
            "matchConditions": null,
            "excludeResourceRules": [],
        });
        let without = json!({ "rules": [{ "resources": ["pods"] }], "list": [{ "name": "x" }], "policy": "Fail" });
        for stored in [with, without, ours()] {
            assert_eq!(difference(&stored, &ours(), "spec"), None, "{stored}");
        }
    }

    #[test]
    fn what_is_gone_or_another_is_a_difference() {
        let table = [
            ("/policy", json!("Ignore"), "spec.policy"),
            ("/list", json!([]), "spec.list[0]"),
            ("/list/0", json!({ "name": "y" }), "spec.list[0].name"),
            ("/list/0", json!({}), "spec.list[0].name"),
            (
                "/rules/0/resources",
                json!(["nodes"]),
                "spec.rules[0].resources[0]",
            ),
            ("/rules", Value::Null, "spec.rules"),
        ];
        for (at, value, expected) in table {
            let mut stored = ours();
            *stored.pointer_mut(at).unwrap() = value;
            let found = difference(&stored, &ours(), "spec");
            assert_eq!(
                found,
                Some(Difference::Other(expected.to_owned())),
                "{stored}"
            );
        }
        let nothing = difference(&Value::Null, &ours(), "spec");
        assert_eq!(nothing, Some(Difference::Other("spec".to_owned())));
    }

    #[test]
    fn what_another_has_added_is_a_difference() {
        let selector = json!({ "matchLabels": { "policed": "yes" } });
        let table = [
            (
                "/matchConditions",
                json!([{ "name": "i", "expression": "false" }]),
                "spec.matchConditions",
            ),
            (
                "/match/objectSelector",
                selector.clone(),
                "spec.match.objectSelector",
            ),
            (
                "/match/namespaceSelector",
                selector,
                "spec.match.namespaceSelector",
            ),
            (
                "/match/matchPolicy",
                json!("Exact"),
                "spec.match.matchPolicy",
            ),
            (
                "/match/excludeResourceRules",
                json!([{ "resources": ["*"] }]),
                "spec.match.excludeResourceRules",
            ),
            (
                "/match/resourceRules",
                json!([{}]),
                "spec.match.resourceRules",
            ),
            ("/rules/0/scope", json!("Cluster"), "spec.rules[0].scope"),
            (
                "/rules/0/resourceNames",
                json!(["a"]),
                "spec.rules[0].resourceNames",
            ),
            (
                "/paramKind",
                json!({ "kind": "ConfigMap" }),
                "spec.paramKind",
            ),
            ("/paramRef", json!({ "name": "p" }), "spec.paramRef"),
            (
                "/list/0/expression",
                json!("true"),
                "spec.list[0].expression",
            ),
            ("/later", json!(true), "spec.later"),
        ];
        for (at, value, expected) in table {
            let mut stored = ours();
            let (into, name) = at.rsplit_once('/').unwrap();
            stored.pointer_mut(into).unwrap()[name] = value;
            let found = difference(&stored, &ours(), "spec");
            assert_eq!(
                found,
                Some(Difference::Added(expected.to_owned())),
                "{stored}"
            );
        }
        let mut stored = ours();
        stored["list"] = json!([{ "name": "x" }, { "name": "y" }]);
        let found = difference(&stored, &ours(), "spec");
        assert_eq!(found, Some(Difference::Added("spec.list[1]".to_owned())));
    }
}
