//! Which versions of a service may start now, as text.

use textwrap::core::display_width;

use super::paint::{Line, Tone};
use crate::ask::range;
use crate::gate::Horizon;

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
