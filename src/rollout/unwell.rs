//! A step that was made and does not hold.

use crate::analysis::{Bad, Reading};

/// A step that does not hold.
#[derive(Clone, Debug)]
pub struct Unwell {
    /// Percent of the service that ran the new version.
    pub step: u8,
    /// What every check has shown, those that say that all is well among them.
    pub readings: Vec<Reading>,
}

impl Unwell {
    /// Whether something is known to be wrong; else something could not be asked.
    #[must_use]
    pub fn is_known(&self) -> bool {
        let mut readings = self.readings.iter();
        readings.any(|reading| matches!(reading.bad, Some(Bad::Wrong(_))))
    }

    /// What is wrong, in one line.
    #[must_use]
    pub fn in_words(&self) -> String {
        let bad = self.readings.iter().filter(|reading| reading.bad.is_some());
        let bad: Vec<String> = bad.map(Reading::in_words).collect();
        format!("at {} %: {}", self.step, bad.join("; "))
    }
}
