//! What a database may be called that holds the ledger alone.

/// Databases that every server has for itself.
const OF_THE_SERVER: &[&str] = &["mysql", "information_schema", "performance_schema", "sys"];

/// What speaks against a database of this name for a ledger of its own, in words.
#[must_use]
pub fn wrong_with_ledger(name: &str) -> Option<String> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '$');
    if name.is_empty() || name.len() > 64 || !name.chars().all(is_plain) {
        return Some(
            "the database of the ledger (`ledger`) is called by letters, digits, `_`, `-` and `$`, and by 64 of them at most"
                .to_owned(),
        );
    }
    if OF_THE_SERVER
        .iter()
        .any(|own| own.eq_ignore_ascii_case(name))
    {
        return Some(format!(
            "`{name}` cannot be the ledger's own database (`ledger`): it is the server's"
        ));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_needs_no_quotes_and_is_not_the_servers() {
        for good in ["shop_phasegate", "Shop-1$", &"a".repeat(64)] {
            assert_eq!(wrong_with_ledger(good), None, "{good}");
        }
        for bad in [
            "",
            "a b",
            "a`b",
            "a.b",
            "a\\",
            "é",
            "MySQL",
            "sys",
            &"a".repeat(65),
        ] {
            assert!(wrong_with_ledger(bad).is_some(), "{bad}");
        }
    }
}
