//! Which versions of a service may start now.

use serde_json::{Value, json};

use crate::gate::{Horizon, Stretch};
use crate::model::Version;

/// A stretch of versions: `≥ 1.1.0, < 1.2.0`.
#[must_use]
pub fn range(stretch: &Stretch) -> String {
    let starts_at_zero = stretch.from == Version::new(0, 0, 0);
    match (&stretch.before, starts_at_zero) {
        (None, true) => "any version".to_owned(),
        (None, false) => format!("≥ {}", stretch.from),
        (Some(before), true) => format!("< {before}"),
        (Some(before), false) => format!("≥ {}, < {before}", stretch.from),
    }
}

pub(super) fn as_json(horizon: &Horizon) -> Value {
    let stretches: Vec<_> = horizon
        .stretches
        .iter()
        .map(|stretch| {
            json!({
                "from": stretch.from,
                "before": stretch.before,
                "may_start": stretch.reasons.is_empty(),
                "reasons": stretch.reasons,
            })
        })
        .collect();
    json!({ "service": horizon.service, "versions": stretches })
}
