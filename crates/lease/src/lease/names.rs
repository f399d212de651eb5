//! What an instance may be called, and its service and version: they stand in keys, in messages and in names of sessions.

use super::error::LeaseError;

/// What a key of the ledger holds on every database.
const LONGEST: usize = 255;

/// Refuses names that no project could have, whoever asks for the lease.
///
/// # Errors
/// [`LeaseError::Terms`] with the name and what is wrong with it.
pub(super) fn check(service: &str, label: &str, instance: &str) -> Result<(), LeaseError> {
    let is_plain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
    let refuse = |what: &str, name: &str, why: &str| {
        let shown: String = name.chars().take(60).collect();
        Err(LeaseError::Terms {
            reason: format!("{shown:?} cannot be the name of {what}: {why}"),
        })
    };
    for (what, name) in [
        ("a service", service),
        ("a version", label),
        ("an instance", instance),
    ] {
        if name.trim().is_empty() {
            return refuse(what, name, "it is empty");
        }
        if name.chars().count() > LONGEST {
            return refuse(what, name, "it is longer than 255 characters");
        }
        if name.chars().any(char::is_control) {
            return refuse(what, name, "it may hold no control characters");
        }
    }
    if !service.chars().all(is_plain) {
        let why = "it may hold letters, digits, `-`, `_` and `.`";
        return refuse("a service", service, why);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        assert!(check("web", "v1.2+build", "pod 1/ä").is_ok());
        let long = "a".repeat(256);
        for (service, label, instance) in [
            ("", "1", "a"),
            ("web\nworker", "1", "a"),
            ("we b", "1", "a"),
            ("web", " ", "a"),
            ("web", "1\u{1b}[2J", "a"),
            ("web", "1", ""),
            ("web", "1", "a\0"),
            ("web", "1", long.as_str()),
        ] {
            let refused = check(service, label, instance);
            assert!(
                matches!(refused, Err(LeaseError::Terms { .. })),
                "{service:?} {label:?} {instance:?}"
            );
        }
    }
}
