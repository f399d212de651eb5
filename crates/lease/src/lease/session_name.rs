//! What an instance calls its database sessions, so that others know whose they are.

use std::process::Command;

use sha2::{Digest, Sha256};

/// PostgreSQL cuts the names of sessions here.
const LONGEST: usize = 63;

/// The name of the sessions of one instance: of characters that PostgreSQL leaves as they are, and short enough. It begins
/// with a word that is no service, so that the source `sessions` does not take it for one of its own.
#[must_use]
pub fn session_name(service: &str, label: &str, instance: &str) -> String {
    let name = format!("lease:{service}/{label}/{instance}");
    let is_plain = |c: char| c.is_ascii_graphic();
    if name.len() <= LONGEST && name.chars().all(is_plain) {
        return name;
    }
    // What is cut or replaced may have been all that told two of them apart.
    let hash: String = Sha256::digest(format!("{service}\n{label}\n{instance}"))
        .iter()
        .take(6)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let plain = name.chars().map(|c| if is_plain(c) { c } else { '_' });
    let kept: String = plain.take(LONGEST - hash.len() - 1).collect();
    format!("{kept}~{hash}")
}

/// Has an application name its sessions so, where its driver reads what libpq reads and nobody has named them.
pub(super) fn name_sessions(application: &mut Command, name: &str) {
    const VARIABLE: &str = "PGAPPNAME";
    if std::env::var_os(VARIABLE).is_none() {
        application.env(VARIABLE, name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit_and_differ() {
        assert_eq!(
            session_name("web", "1.2.0", "web-1"),
            "lease:web/1.2.0/web-1"
        );
        let long = "web-7c9f8d6b5-".repeat(5);
        let names = [
            session_name("web", "1.2.0", &format!("{long}a")),
            session_name("web", "1.2.0", &format!("{long}b")),
            session_name("web", "1.2.0", "wéb"),
            session_name("web", "1.2.0", "wèb"),
            session_name("web", "1.2.0", "w\nb"),
        ];
        for (index, name) in names.iter().enumerate() {
            assert!(
                name.len() <= LONGEST && name.starts_with("lease:web/1.2.0/"),
                "{name}"
            );
            assert!(name.chars().all(|c| c.is_ascii_graphic()), "{name}");
            assert!(!names[..index].contains(name), "{name}");
        }
    }
}
