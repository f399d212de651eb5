//! How our own sessions are known by their name.

use crate::database::Whose;
use crate::database::own::APPLICATION_NAME;

pub(super) fn own_name(asked: Option<&str>) -> String {
    match asked {
        None | Some("" | APPLICATION_NAME) => APPLICATION_NAME.to_owned(),
        Some(name) => format!("{APPLICATION_NAME}: {name}"),
    }
}

pub(super) fn whose_is(name: &str) -> Whose {
    match name.strip_prefix(APPLICATION_NAME) {
        Some(rest) if rest.is_empty() || rest.starts_with(": ") => Whose::Ours,
        _ => Whose::Others,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_sessions_are_known_whatever_the_url_calls_them() {
        for asked in [None, Some(""), Some("shop"), Some("phasegate")] {
            let name = own_name(asked);
            assert_eq!(whose_is(&name), Whose::Ours, "{name}");
        }
        for name in ["", "shop", "phasegate-shop", "Phasegate"] {
            assert_eq!(whose_is(name), Whose::Others, "{name}");
        }
    }
}
