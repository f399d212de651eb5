//! Where a version that somebody names lies.

use super::{AskError, Wanted};
use crate::model::{Live, Version};
use crate::project::{Config, Section};

/// A version to start, placed among the versions.
///
/// # Errors
/// A service that is named nowhere, or a version that cannot be placed.
pub fn candidate(wanted: &Wanted, config: &Config) -> Result<Live, AskError> {
    let Wanted { service, label } = wanted;
    let is_doubtful = config.is_doubtful(Section::Fleet);
    if !is_doubtful && !config.services.contains_key(service) {
        return Err(AskError::UnknownService {
            service: service.clone(),
            named: config.services.keys().cloned().collect(),
        });
    }
    Ok(Live {
        service: service.clone(),
        version: placed(config, service, label)?,
    })
}

/// `1.2.0`, which nobody uses as another version's name.
fn is_a_plain_version(label: &str) -> bool {
    let version = label.parse::<Version>();
    version.is_ok_and(|version| version.to_string() == label)
}

/// Where a version lies, by its alias or by itself.
///
/// # Errors
/// A label that names no version, or of which that is not known.
pub fn placed(config: &Config, service: &str, label: &str) -> Result<Version, AskError> {
    if config.is_doubtful(Section::Fleet) && !is_a_plain_version(label) {
        return Err(AskError::Unplaced {
            why: format!(
                "whether `{label}` is another name of a version is not known, because migrate.toml is not in order"
            ),
            help: "mend it; `migrate check` shows what is wrong. A version such as 1.2.0 needs no file"
                .to_owned(),
        });
    }
    if let Some(version) = config.place(service, label).version {
        return Ok(version);
    }
    let why = label.parse::<Version>().err();
    Err(AskError::Unplaced {
        why: why.map_or_else(String::new, |error| error.to_string()),
        help: format!(
            "say which version it is under [services.{service}] in migrate.toml: `aliases = {{ \"{label}\" = \"1.2.3\" }}`, or a pattern in \
             `labels`; or for this command alone: `--alias {service}:{label}=1.2.3`"
        ),
    })
}
