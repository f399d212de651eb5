//! What a project says about how its leases are to be read.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::model::{OtherNames, Version};

/// How leases are judged and their versions placed; by default as whoever has no project has to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeaseRules {
    pub services: BTreeMap<String, ServiceRules>,
}

/// What holds for one service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServiceRules {
    /// How long an instance has to have stayed before it counts as serving, in milliseconds; none for a few renewals.
    pub min_ready_ms: Option<i64>,
    /// What else its versions are called.
    pub names: OtherNames,
}

/// How long an instance has to have stayed at most where nobody says so: three renewals, or this.
const LONGEST_DEFAULT_MS: i64 = 10_000;

/// How long an instance that is renewed this often has to have stayed before it counts as serving, where nobody says so.
#[must_use]
pub fn default_min_ready(renew: Duration) -> Duration {
    const LONGEST: Duration = Duration::from_millis(LONGEST_DEFAULT_MS.unsigned_abs());
    renew.saturating_mul(3).min(LONGEST)
}

impl LeaseRules {
    /// Where a version lies: by the project's alias, or by what it is called itself. What somebody has recorded
    /// about it counts where neither says anything: any instance may write that.
    pub(super) fn place(
        &self,
        service: &str,
        label: &str,
        recorded: Option<Version>,
    ) -> Option<Version> {
        match self.services.get(service) {
            Some(rules) => rules.names.place(label).or(recorded),
            // Without a project an alias is known from what is recorded alone, and of a version that says itself which one it
            // is, nothing else is believed.
            None => label.parse().ok().or(recorded),
        }
    }

    /// An expression for how long the holder of a lease has to have stayed, in milliseconds.
    pub(super) fn min_ready(&self) -> String {
        let default = format!(
            "CASE WHEN renew_ms < {} THEN 3 * renew_ms ELSE {LONGEST_DEFAULT_MS} END",
            LONGEST_DEFAULT_MS / 3
        );
        let known: String = self
            .services
            .iter()
            .filter(|(service, _)| service.chars().all(is_plain))
            .filter_map(|(service, rules)| {
                let least = rules.min_ready_ms?;
                Some(format!(" WHEN '{service}' THEN {least}"))
            })
            .collect();
        if known.is_empty() {
            return default;
        }
        format!("CASE service{known} ELSE {default} END")
    }
}

/// What the name of a service consists of; anything else would need quoting.
pub(super) fn is_plain(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '-' | '_' | '.')
}
