//! Numbers that nobody else is likely to draw. Not for secrets.

use std::hash::{BuildHasher as _, RandomState};

/// Any number.
pub fn number() -> u64 {
    // Each state has keys of its own, from the system's chance.
    RandomState::new().hash_one(std::process::id())
}

/// From 0 up to, and without, 1.
pub fn fraction() -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "53 bits are what it holds")]
    let part = (number() >> 11) as f64;
    part / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn what_is_drawn_differs_and_is_spread() {
        let drawn: BTreeSet<u64> = (0..1_000).map(|_| number()).collect();
        assert_eq!(drawn.len(), 1_000);
        let fractions: Vec<f64> = (0..1_000).map(|_| fraction()).collect();
        assert!(fractions.iter().all(|one| (0.0..1.0).contains(one)));
        let low = fractions.iter().filter(|one| **one < 0.5).count();
        assert!((350..650).contains(&low), "{low}");
    }
}
