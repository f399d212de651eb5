//! How far each call of a driver goes.

use crate::row::{Place, Row};

const STEPS: &str = "steps = [10, 50, 100]";

/// `steps`: rising, and 100 at the end; one call where there are none.
pub(super) fn read(row: &mut dyn Row) -> Vec<u8> {
    let Some(steps) = row.counts("steps", STEPS, (1, 100)) else {
        return vec![100];
    };
    let rises = steps.windows(2).all(|pair| pair[0] < pair[1]);
    if !rises || steps.last() != Some(&100) {
        row.refuse(
            Place::Value("steps"),
            "bad-steps",
            "`steps` has to rise from call to call, and to end with 100".to_owned(),
            format!("write for example `{STEPS}`"),
        );
        return vec![100];
    }
    steps
        .into_iter()
        .filter_map(|step| u8::try_from(step).ok())
        .collect()
}
