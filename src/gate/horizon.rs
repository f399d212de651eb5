//! The rollback horizon: which versions of a service may start now, and why others may not.

use super::{Action, Evidence, Verdict, decide};
use crate::model::{Declaration, Live, Version};

/// A stretch of the version line on which the answer is the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// The first version of the stretch.
    pub from: Version,
    /// The first version after it; none where it is open.
    pub before: Option<Version>,
    /// Why these versions may not start; empty where they may.
    pub reasons: Vec<String>,
}

/// The whole version line of one service, cut into stretches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Horizon {
    pub service: String,
    pub stretches: Vec<Stretch>,
}

/// Which versions of `service` may start now. Evidence that is missing is left out of account:
/// the horizon says what the schema and the versions seen allow.
#[must_use]
pub fn horizon(service: &str, evidence: &Evidence) -> Horizon {
    let declarations = evidence
        .schema
        .migrations()
        .iter()
        .map(|state| &state.declaration);
    let mut stretches: Vec<Stretch> = Vec::new();
    for version in Declaration::representatives(service, declarations) {
        let candidate = Live {
            service: service.to_owned(),
            version: version.clone(),
        };
        let mut reasons: Vec<String> = decide(Action::Deploy(vec![candidate]), evidence)
            .blockers
            .into_iter()
            .filter(|blocker| blocker.verdict != Verdict::Unknown)
            // Said of a stretch, so without the one version that stands for it.
            .map(|blocker| {
                blocker
                    .message
                    .replacen(&format!("{service} {version}"), "it", 1)
            })
            .collect();
        reasons.dedup();
        if let Some(last) = stretches.last_mut() {
            if last.reasons == reasons {
                continue;
            }
            last.before = Some(version.clone());
        }
        stretches.push(Stretch {
            from: version,
            before: None,
            reasons,
        });
    }
    Horizon {
        service: service.to_owned(),
        stretches,
    }
}
