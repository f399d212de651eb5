//! A step as it is recorded.

use serde_json::{Value, json};

use super::RolloutError;
use crate::model::Version;
use crate::planner::PlanAction;

/// What a step does, as JSON.
#[must_use]
pub fn as_json(action: &PlanAction) -> Value {
    match action {
        PlanAction::Schema { step, migration } => {
            json!({ "action": step.name(), "migration": migration })
        }
        PlanAction::Roll { service, from, to } => json!({
            "action": "roll",
            "service": service,
            "from": from.first(),
            "replaces": from,
            "to": to,
        }),
    }
}

/// Reads what [`as_json`] has written.
///
/// # Errors
/// [`RolloutError::Unreadable`] for anything else, such as what a newer program recorded.
pub fn read(text: &str) -> Result<PlanAction, RolloutError> {
    let unreadable = || RolloutError::Unreadable(text.to_owned());
    let value: Value = serde_json::from_str(text).map_err(|_| unreadable())?;
    let string = |key: &str| value.get(key).and_then(Value::as_str);
    let version = |text: &str| text.parse::<Version>().map_err(|_| unreadable());
    let name = string("action").ok_or_else(unreadable)?;
    if name == "roll" {
        let replaced = value.get("replaces").and_then(Value::as_array);
        let from = replaced
            .ok_or_else(unreadable)?
            .iter()
            .map(|text| version(text.as_str().unwrap_or_default()))
            .collect::<Result<_, _>>()?;
        return Ok(PlanAction::Roll {
            service: string("service").ok_or_else(unreadable)?.to_owned(),
            from,
            to: version(string("to").ok_or_else(unreadable)?)?,
        });
    }
    let step = name.parse().ok();
    let migration = string("migration").and_then(|text| text.parse().ok());
    match (step, migration) {
        (Some(step), Some(migration)) => Ok(PlanAction::Schema { step, migration }),
        _ => Err(unreadable()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Step;

    #[test]
    fn what_is_written_is_read_again() {
        let moves = [
            PlanAction::Schema {
                step: Step::Contract,
                migration: "0002_split".parse().unwrap(),
            },
            PlanAction::Roll {
                service: "web".to_owned(),
                from: vec!["1.0.0".parse().unwrap(), "1.1.0-rc.1".parse().unwrap()],
                to: "1.2.0".parse().unwrap(),
            },
            PlanAction::Roll {
                service: "web".to_owned(),
                from: Vec::new(),
                to: "1.2.0".parse().unwrap(),
            },
        ];
        for action in moves {
            assert_eq!(read(&as_json(&action).to_string()).unwrap(), action);
        }
    }

    #[test]
    fn what_cannot_be_read_is_no_step() {
        for text in [
            "",
            "{}",
            r#"{"action":"dance","migration":"0001_a"}"#,
            r#"{"action":"expand","migration":"a"}"#,
            r#"{"action":"roll","service":"web","replaces":["x"],"to":"1.0.0"}"#,
            r#"{"action":"roll","service":"web","replaces":[],"to":"x"}"#,
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
