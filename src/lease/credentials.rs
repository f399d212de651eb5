//! Which password a project takes, and where its ledger is.

use std::path::Path;

use super::password_of_environment;
use crate::database::{PasswordSource, Target};
use crate::project::{DatabaseConfig, PasswordConfig};

/// The same database, with what the environment or the project says about its password and its ledger.
#[must_use]
pub fn with_credentials(target: Target, config: &DatabaseConfig, root: &Path) -> Target {
    let target = match &config.ledger {
        Some(ledger) => target.with_ledger(ledger),
        None => target,
    };
    match password_of_environment().or_else(|| password_of_project(config, root)) {
        Some(source) => target.with_password(source),
        None => target,
    }
}

pub(super) fn password_of_project(config: &DatabaseConfig, root: &Path) -> Option<PasswordSource> {
    Some(match config.password.as_ref()? {
        PasswordConfig::File(file) => PasswordSource::File(root.join(file)),
        PasswordConfig::Command(run) => PasswordSource::Command {
            run: run.clone(),
            directory: root.to_owned(),
        },
    })
}
