//! Which versions of a service may start now, as text and as JSON.

use serde_json::json;
use textwrap::core::display_width;

use super::paint::{Line, Tone};
use crate::gate::{Horizon, Stretch};

pub(super) fn horizon_lines(horizon: &Horizon) -> Vec<Line> {
    const REASONS: usize = 3;
    let mut lines = Vec::new();
    let indent = " ".repeat(display_width(&horizon.service) + 1);
    for (index, stretch) in horizon.stretches.iter().enumerate() {
        let name = if index == 0 {
            format!("{}:", horizon.service)
        } else {
            indent.clone()
        };
        let named = Line::from(format!("{name} {} ", range(stretch)));
        if stretch.reasons.is_empty() {
            lines.push(named.toned(Tone::Go, "may start now"));
            continue;
        }
        lines.push(
            named
                .toned(Tone::Refuse, "may not start now")
                .and(", because"),
        );
        for reason in stretch.reasons.iter().take(REASONS) {
            lines.push(Line::from(format!("{indent}   {reason}")));
        }
        if stretch.reasons.len() > REASONS {
            lines.push(Line::from(format!(
                "{indent}   and {} more reasons",
                stretch.reasons.len() - REASONS
            )));
        }
    }
    lines
}

fn range(stretch: &Stretch) -> String {
    let starts_at_zero = stretch.from == crate::model::Version::new(0, 0, 0);
    match (&stretch.before, starts_at_zero) {
        (None, true) => "any version".to_owned(),
        (None, false) => format!("≥ {}", stretch.from),
        (Some(before), true) => format!("< {before}"),
        (Some(before), false) => format!("≥ {}, < {before}", stretch.from),
    }
}

pub(super) fn horizon_json(horizon: &Horizon) -> serde_json::Value {
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
