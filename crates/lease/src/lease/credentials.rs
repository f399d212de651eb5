//! Which credentials an instance, and whoever else logs in, takes.

use crate::database::PasswordSource;

/// A file that holds the password, for who has no `migrate.toml`; wins over what that says.
const FILE_VARIABLE: &str = "DATABASE_PASSWORD_FILE";

/// What the environment says about the password.
#[must_use]
pub fn password_of_environment() -> Option<PasswordSource> {
    let named = std::env::var_os(FILE_VARIABLE).filter(|file| !file.is_empty());
    named.map(|file| PasswordSource::File(file.into()))
}
