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
        let mut reasons: Vec<String> = decide(Action::Deploy(vec![candidate.clone()]), evidence)
            .blockers
            .into_iter()
            .filter(|blocker| blocker.verdict != Verdict::Unknown)
            // Said of a stretch, so without the one version that stands for it.
            .map(|blocker| without_name(&blocker.message, &candidate.to_string()))
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

/// The message with `it` for the version; `web 1.1.10` is not `web 1.1.1`.
fn without_name(message: &str, name: &str) -> String {
    let mut text = String::with_capacity(message.len());
    let mut rest = message;
    while let Some(at) = rest.find(name) {
        let (before, from) = rest.split_at(at);
        let after = &from[name.len()..];
        let goes_on = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '+');
        let is_whole = !after.starts_with(goes_on) && !before.ends_with(goes_on);
        text += before;
        text += if is_whole { "it" } else { name };
        rest = after;
    }
    text + rest
}

#[cfg(test)]
mod tests {
    use super::without_name;

    #[test]
    fn only_whole_names_are_left_out() {
        let text = "web 1.1.10 leaves rows that web 1.1.1 cannot read";
        let expected = "web 1.1.10 leaves rows that it cannot read";
        assert_eq!(without_name(text, "web 1.1.1"), expected);
        assert_eq!(without_name("web 1.1.1", "web 1.1.1"), "it");
    }
}
