//! What says the password of the database.

use super::reader::Table;
use super::source::Source;

/// What says the password of the database at each login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PasswordConfig {
    /// A file, relative to the project's root.
    File(String),
    /// A program and its arguments, which runs there.
    Command(Vec<String>),
}

pub(super) fn read(source: &Source, table: &mut Table<'_>) -> Option<PasswordConfig> {
    const FILE: &str = "password_file = \"/run/secrets/database\"";
    const COMMAND: &str = "password_command = [\"./database-token\"]";
    let second = table.key_span("password_command");
    let file = table.string("password_file", FILE);
    let command = table.strings("password_command", COMMAND);
    let command: Option<Vec<String>> =
        command.map(|parts| parts.iter().map(|part| part.value.to_owned()).collect());
    match (file, command) {
        (Some(_), Some(_)) => {
            let message = "`password_file` and `password_command` both say the password";
            source.error(
                "two-passwords",
                second.unwrap_or(0..0),
                message,
                "keep one of them",
            );
            None
        }
        (None, Some(command)) if command.first().is_none_or(String::is_empty) => {
            let message = "`password_command` names no program";
            let help = format!("write for example `{COMMAND}`");
            source.error("empty-value", second.unwrap_or(0..0), message, help);
            None
        }
        (None, Some(command)) => Some(PasswordConfig::Command(command)),
        (Some(file), None) if file.value.is_empty() => {
            let help = format!("write for example `{FILE}`");
            source.error("empty-value", file.span, "`password_file` is empty", help);
            None
        }
        (Some(file), None) => Some(PasswordConfig::File(file.value.to_owned())),
        (None, None) => None,
    }
}
