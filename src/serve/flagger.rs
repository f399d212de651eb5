//! What Flagger's webhooks send and want. Pure.
//!
//! Flagger takes any status up to 202 for a yes and everything else for a no, so that 204 fails it. A *yes* to the `rollback` hook
//! starts a rollback, so that hook says yes only where the new version may not run and the stable one may.

use serde::Deserialize;

use super::query::Misused;
use crate::ask::{Question, Record, Wanted};
use crate::gate::Verdict;

/// What Flagger posts; what is not named here is not looked at.
#[derive(Clone, Debug, Deserialize)]
struct Payload {
    #[serde(default)]
    metadata: Metadata,
}

/// What the `metadata` of the webhook in the Canary says.
#[derive(Clone, Debug, Default, Deserialize)]
struct Metadata {
    service: Option<String>,
    /// The version that the canary runs.
    version: Option<String>,
    /// The version that the primary runs, which a rollback leaves alone.
    stable: Option<String>,
}

/// Which question a hook puts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hook {
    /// `confirm-rollout`, `pre-rollout`, `rollout`, `confirm-traffic-increase`, `confirm-promotion`: may it go on?
    Confirm,
    /// `rollback`: has it to go back?
    Rollback,
}

const METADATA: &str =
    "write under the webhook in the Canary: metadata: { service: web, version: \"1.2.0\" }";
const STABLE: &str = "write under the webhook in the Canary: metadata: { service: web, version: \"1.2.0\", stable: \"1.1.0\" }";

/// The questions that a hook puts: of the canary's version and, where it asks for a rollback, of the stable one.
pub(super) fn questions(hook: Hook, body: &[u8]) -> Result<Vec<Question>, Misused> {
    let payload: Payload = serde_json::from_slice(body).map_err(|error| {
        Misused::new(
            format!("this is not what Flagger posts: {error}"),
            "name this address as a webhook in a Canary",
        )
    })?;
    let metadata = payload.metadata;
    let named = |value: Option<String>| value.filter(|value| !value.is_empty());
    let (Some(service), Some(version)) = (named(metadata.service), named(metadata.version)) else {
        return Err(Misused::new(
            "the webhook names no service and version",
            METADATA,
        ));
    };
    let mut labels = vec![version];
    if hook == Hook::Rollback {
        let stable = named(metadata.stable);
        labels.push(stable.ok_or_else(|| {
            Misused::new("the webhook does not say which version is stable", STABLE)
        })?);
    }
    let question = |label| Question::Deploy {
        versions: vec![Wanted {
            service: service.clone(),
            label,
        }],
        record: Record::Nothing,
    };
    Ok(labels.into_iter().map(question).collect())
}

/// The status that means what the verdicts come to.
pub(super) fn status(hook: Hook, verdicts: &[Verdict]) -> u16 {
    match (hook, verdicts) {
        (Hook::Confirm, [Verdict::Go]) => 200,
        (Hook::Confirm, [Verdict::Unknown]) => 503,
        (Hook::Confirm, [Verdict::Refuse]) => 403,
        // It has to go back, and there is somewhere to go back to.
        (Hook::Rollback, [Verdict::Refuse, Verdict::Go]) => 200,
        _ => 409,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &str = r#"{"name":"web","namespace":"shop","phase":"Progressing","checksum":"85d","metadata":{"service":"web","version":"1.2.0","stable":"1.1.0"}}"#;

    fn labels(hook: Hook, body: &str) -> Result<Vec<String>, Misused> {
        let questions = questions(hook, body.as_bytes())?;
        let labels = questions.into_iter().flat_map(|question| match question {
            Question::Deploy { versions, .. } => versions,
            other => panic!("{other:?}"),
        });
        Ok(labels.map(|wanted| wanted.label).collect())
    }

    #[test]
    fn a_hook_asks_about_the_version_of_its_metadata() {
        assert_eq!(labels(Hook::Confirm, WHOLE).unwrap(), ["1.2.0"]);
        assert_eq!(labels(Hook::Rollback, WHOLE).unwrap(), ["1.2.0", "1.1.0"]);
        let no_stable = WHOLE.replace("stable", "other");
        assert!(labels(Hook::Confirm, &no_stable).is_ok());
        assert!(labels(Hook::Rollback, &no_stable).is_err());
        for body in ["", "{}", "[]", "null", r#"{"metadata":{"service":"web"}}"#] {
            assert!(labels(Hook::Confirm, body).is_err(), "{body}");
        }
    }

    #[test]
    fn only_a_refused_version_with_somewhere_to_go_starts_a_rollback() {
        let all = [
            Verdict::Go,
            Verdict::Hold,
            Verdict::Refuse,
            Verdict::Unknown,
        ];
        for new in all {
            let is_yes = status(Hook::Confirm, &[new]) <= 202;
            assert_eq!(is_yes, new == Verdict::Go);
            for stable in all {
                let starts = status(Hook::Rollback, &[new, stable]) <= 202;
                let should = new == Verdict::Refuse && stable == Verdict::Go;
                assert_eq!(starts, should, "{new:?} {stable:?}");
            }
        }
    }
}
