//! The migrations that an application was built with.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use super::error::LeaseError;
use super::known::{Asked, Known};
use crate::ledger::{LeaseRules, ServiceRules};
use crate::model::{Declaration, LeaseConnection, OtherNames, Version};

/// What a project declares, as `phasegate-build` has written it into the binary: see [`embedded!`](crate::embedded).
///
/// ```
/// use phasegate_lease::{Embedded, Lease, LeaseBuilder};
///
/// /// `phasegate_lease::embedded!()` is given in.
/// fn asked(url: &str, migrations: Embedded) -> LeaseBuilder {
///     Lease::builder(url, "web", "1.2.0").embedded(migrations)
/// }
///
/// // What another build script has written, or a test.
/// let none = Embedded::new(r#"{"services":{"web":{}},"migrations":[]}"#);
/// let builder = asked("sqlite://shop.db", none);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Embedded(&'static str);

/// What it holds.
struct Contents {
    /// The services, each with its other names for versions.
    services: BTreeMap<String, BTreeMap<String, Version>>,
    /// How leases are held; empty where whoever built it wrote nothing of it.
    fleet: Value,
    migrations: Vec<Declaration>,
}

/// What the migrations that this binary was built with declare: for [`LeaseBuilder::embedded`](crate::LeaseBuilder::embedded).
///
/// `build.rs` has to call `phasegate_build::embed`, which writes it.
///
/// ```ignore
/// // In the `main` of build.rs:
/// phasegate_build::embed("migrations");
///
/// // In the application:
/// let lease = Lease::builder(url, "web", env!("CARGO_PKG_VERSION"))
///     .embedded(phasegate_lease::embedded!())
///     .acquire()
///     .await?;
/// ```
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
        let mut value: Value = serde_json::from_str(self.0).map_err(unreadable)?;
        let mut part = |name: &str| {
            let part = value.get_mut(name).map(Value::take);
            part.unwrap_or_default()
        };
        let (services, fleet, migrations) = (part("services"), part("fleet"), part("migrations"));
        Ok(Contents {
            fleet,
            services: serde_json::from_value(services).map_err(unreadable)?,
            migrations: serde_json::from_value(migrations).map_err(unreadable)?,
        })
    }

    pub(super) fn known(self, asked: Asked<'_>) -> Result<Known, LeaseError> {
        let Contents {
            services,
            fleet,
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
        let length = |value: &Value| value.as_u64().map(Duration::from_millis);
        let min_ready = |service: &str| length(&fleet["min_ready_ms"][service]);
        let mut rules = LeaseRules::default();
        for (name, aliases) in services {
            let min_ready_ms =
                min_ready(&name).map(|least| i64::try_from(least.as_millis()).unwrap_or(i64::MAX));
            let names = OtherNames {
                aliases,
                ..OtherNames::default()
            };
            let of_service = ServiceRules {
                min_ready_ms,
                names,
            };
            rules.services.insert(name, of_service);
        }
        let sources = fleet["sources"].as_array().into_iter().flatten();
        Ok(Known {
            lease: length(&fleet["lease_ms"]),
            renew: length(&fleet["renew_ms"]),
            connection: match fleet["connection"].as_str() {
                Some("short") => Some(LeaseConnection::Short),
                Some("kept") => Some(LeaseConnection::Kept),
                _ => None,
            },
            // It is read from a file of the project's, or printed by a program there, which this process may be far from.
            password: None,
            ledger: fleet["ledger"].as_str().map(str::to_owned),
            version,
            sources: sources
                .filter_map(|name| Some(name.as_str()?.to_owned()))
                .collect(),
            min_ready: min_ready(asked.service),
            rules,
            newest: migrations.iter().map(|one| &one.id).max().cloned(),
            pending: migrations,
            // Their scripts are not built in.
            made: Vec::new(),
            // Neither are the files of another tool.
            history: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::database::Dialect;

    const TEXT: &str = r#"{"services":{"web":{"a1b2c3d":"1.2.0"}},"migrations":[{"id":"0001_a","description":"x","services":
        {"web":{"reads":{"old":"<1.2.0"},"writes":{"new":">=1.1.0"}}},"sync":"none","rows":"append-only",
        "parts":{"expand":true,"backfill":true,"contract":false,"revert":false}}]}"#;

    fn known(text: &'static str, service: &str, label: &str) -> Result<Known, String> {
        let asked = Asked {
            dialect: Dialect::Postgres,
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
        assert_eq!(found.newest.unwrap().as_str(), "0001_a");
        assert!(found.rules.services.contains_key("web"));
        assert_eq!(known(TEXT, "web", "1.0.0").unwrap().version, None);
        let refused = known(TEXT, "wbe", "1.2.0").unwrap_err();
        assert!(
            refused.contains("`wbe`") && refused.contains("web"),
            "{refused}"
        );
        // An older build wrote nothing of how leases are held.
        assert_eq!(found.lease, None);
        assert!(found.sources.is_empty() && found.ledger.is_none());
        for text in ["", "{}", "[1]"] {
            assert!(known(text, "web", "1.2.0").is_err(), "{text}");
        }
    }

    #[test]
    fn leases_are_held_as_the_project_says() {
        let text = r#"{"services":{"web":{},"worker":{}},"fleet":{"lease_ms":30000,"renew_ms":500,"connection":"short",
            "sources":["kubernetes","list"],"min_ready_ms":{"worker":5000},"ledger":"shop_phasegate"},"migrations":[]}"#;
        let found = known(text, "web", "1.0.0").unwrap();
        assert_eq!(found.lease, Some(Duration::from_secs(30)));
        assert_eq!(found.renew, Some(Duration::from_millis(500)));
        assert_eq!(found.connection, Some(LeaseConnection::Short));
        assert_eq!(found.sources, ["kubernetes", "list"]);
        assert_eq!(found.ledger.as_deref(), Some("shop_phasegate"));
        assert_eq!(found.min_ready, None);
        assert_eq!(found.rules.services["worker"].min_ready_ms, Some(5000));
        let worker = known(text, "worker", "1.0.0").unwrap();
        assert_eq!(worker.min_ready, Some(Duration::from_secs(5)));
    }
}
