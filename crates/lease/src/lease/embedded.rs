//! The migrations that an application was built with.

use std::collections::BTreeMap;

use super::error::LeaseError;
use super::known::{Asked, Known};
use crate::ledger::LeaseRules;
use crate::model::{Declaration, Version};

/// What a project declares, as `phasegate-build` has written it into the binary: see [`embedded!`](crate::embedded).
#[derive(Clone, Copy, Debug)]
pub struct Embedded(&'static str);

/// What it holds.
struct Contents {
    /// The services, each with its other names for versions.
    services: BTreeMap<String, BTreeMap<String, Version>>,
    migrations: Vec<Declaration>,
}

/// What the migrations that this binary was built with declare: for [`LeaseBuilder::embedded`](crate::LeaseBuilder::embedded).
///
/// `build.rs` has to call `phasegate_build::embed`, which writes it.
#[macro_export]
macro_rules! embedded {
    () => {
        $crate::lease::Embedded::new(::core::include_str!(::core::concat!(
            ::core::env!("OUT_DIR"),
            "/phasegate.json"
        )))
    };
}

impl Embedded {
    /// What `phasegate-build` has written.
    #[must_use]
    pub const fn new(text: &'static str) -> Self {
        Self(text)
    }

    fn read(self) -> Result<Contents, LeaseError> {
        let unreadable = |error: serde_json::Error| {
            LeaseError::Project(format!(
                "what was embedded when this program was built is not what phasegate-build writes: {error}"
            ))
        };
        let mut value: serde_json::Value = serde_json::from_str(self.0).map_err(unreadable)?;
        let mut part = |name: &str| {
            let part = value.get_mut(name).map(serde_json::Value::take);
            part.unwrap_or_default()
        };
        let (services, migrations) = (part("services"), part("migrations"));
        Ok(Contents {
            services: serde_json::from_value(services).map_err(unreadable)?,
            migrations: serde_json::from_value(migrations).map_err(unreadable)?,
        })
    }

    pub(super) fn known(self, asked: Asked<'_>) -> Result<Known, LeaseError> {
        let Contents {
            services,
            migrations,
        } = self.read()?;
        if !services.is_empty() && !services.contains_key(asked.service) {
            let known: Vec<&str> = services.keys().map(String::as_str).collect();
            return Err(LeaseError::Terms {
                reason: format!(
                    "the service `{}` is not named in the migrate.toml that this program was built with, which names {}",
                    asked.service,
                    known.join(", ")
                ),
            });
        }
        let own = services.get(asked.service);
        let version = own.and_then(|aliases| aliases.get(asked.label.trim()).cloned());
        let mut rules = LeaseRules::default();
        for (name, aliases) in services {
            rules.services.entry(name).or_default().aliases = aliases;
        }
        Ok(Known {
            version,
            rules,
            pending: migrations,
            ..Known::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"{"services":{"web":{"a1b2c3d":"1.2.0"}},"migrations":[{"id":"0001_a","description":"x","services":
        {"web":{"reads":{"old":"<1.2.0"},"writes":{"new":">=1.1.0"}}},"sync":"none","rows":"append-only",
        "parts":{"expand":true,"backfill":true,"contract":false,"revert":false}}]}"#;

    fn known(text: &'static str, service: &str, label: &str) -> Result<Known, String> {
        let asked = Asked {
            scheme: "postgres",
            service,
            label,
        };
        Embedded::new(text)
            .known(asked)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn what_was_built_in_is_known() {
        let found = known(TEXT, "web", "a1b2c3d").unwrap();
        assert_eq!(found.version, Some(Version::new(1, 2, 0)));
        assert_eq!(found.pending.len(), 1);
        assert!(found.rules.services.contains_key("web"));
        assert_eq!(known(TEXT, "web", "1.0.0").unwrap().version, None);
        let refused = known(TEXT, "wbe", "1.2.0").unwrap_err();
        assert!(
            refused.contains("`wbe`") && refused.contains("web"),
            "{refused}"
        );
        for text in ["", "{}", "[1]"] {
            assert!(known(text, "web", "1.2.0").is_err(), "{text}");
        }
    }
}
