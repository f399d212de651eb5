//! Which credentials an instance, and whoever else logs in, takes.

use std::path::Path;

use crate::database::{PasswordSource, Target};
use crate::project::{DatabaseConfig, PasswordConfig};

/// A file that holds the password, for who has no `migrate.toml`; wins over what that says.
const FILE_VARIABLE: &str = "DATABASE_PASSWORD_FILE";

/// The same database, with what the environment or the project says about its password.
#[must_use]
pub fn with_credentials(target: Target, config: &DatabaseConfig, root: &Path) -> Target {
    let named = std::env::var_os(FILE_VARIABLE).filter(|file| !file.is_empty());
    let source = match (named, &config.password) {
        (Some(file), _) => Some(PasswordSource::File(file.into())),
        (None, Some(PasswordConfig::File(file))) => Some(PasswordSource::File(root.join(file))),
        (None, Some(PasswordConfig::Command(run))) => Some(PasswordSource::Command {
            run: run.clone(),
            directory: root.to_owned(),
        }),
        (None, None) => None,
    };
    match source {
        Some(source) => target.with_password(source),
        None => target,
    }
}
