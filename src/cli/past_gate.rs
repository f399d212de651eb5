//! What was done with another migration tool without asking here.

use super::out::note;
use crate::coordinator::{PastGate, Situation};

/// Whether something was taken away that live versions may need.
pub(super) fn takes_away(situation: &Situation) -> bool {
    situation.past_gate.iter().any(PastGate::takes_away)
}

pub(super) fn tell(situation: &Situation) {
    for past in &situation.past_gate {
        let word = if past.takes_away() { "error" } else { "note" };
        note(&format!("{word}: {}", past.message()));
        note(&format!("  {}", past.help()));
    }
}
