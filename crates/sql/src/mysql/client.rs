//! What the `mysql` client does itself, and no server knows.

use super::super::lexeme::Token;
use crate::ScriptError;

/// The commands that are a word at the beginning of a line, and what to do in place of each.
const COMMANDS: &[(&[&str], &str)] = &[
    (
        &["delimiter"],
        "leave it out: BEGIN … END is followed to its end, and every statement ends with `;`",
    ),
    (
        &["source"],
        "put the statements of the included file into this one",
    ),
    (
        &["connect"],
        "leave it out: the script runs in the database that the project names",
    ),
    (
        &[
            "charset",
            "clear",
            "costs",
            "edit",
            "ego",
            "exit",
            "go",
            "nopager",
            "notee",
            "nowarning",
            "pager",
            "print",
            "prompt",
            "quit",
            "rehash",
            "resetconnection",
            "status",
            "system",
            "tee",
            "warnings",
        ],
        "leave it out, or write the SQL that it stands for",
    ),
];

/// Finds a command of the client's in one statement.
pub(super) fn reject(sql: &str, tokens: &[Token]) -> Result<(), ScriptError> {
    if let Some(token) = tokens.iter().find(|token| token.text(sql) == "\\") {
        let rest = sql.get(token.span.start..).unwrap_or_default();
        let command: String = rest.chars().take(2).collect();
        let help = match command.as_str() {
            "\\." => "put the statements of the included file into this one",
            "\\G" | "\\g" => "end the statement with `;`",
            "\\u" | "\\r" => "leave it out: the script runs in the database that the project names",
            _ => "leave it out, or write the SQL that it stands for",
        };
        let end = token.span.start + command.len();
        return Err(ScriptError::new(
            token.span.start..end.min(sql.len()),
            format!("{command} is a command of the mysql client, not SQL"),
            help,
        ));
    }
    let Some(first) = tokens.first() else {
        return Ok(());
    };
    let is_first = |word: &str| first.is_word(sql, word);
    if let Some((_, help)) = COMMANDS
        .iter()
        .find(|(words, _)| words.iter().any(|word| is_first(word)))
    {
        let name = first.text(sql).to_ascii_uppercase();
        return Err(ScriptError::new(
            first.span.clone(),
            format!("{name} is a command of the mysql client, not SQL"),
            *help,
        ));
    }
    let local = tokens
        .iter()
        .take(5)
        .find(|token| token.is_word(sql, "local"));
    match local {
        Some(local) if first.is_word(sql, "load") => Err(ScriptError::new(
            local.span.clone(),
            "LOAD … LOCAL takes its rows from a file of the client's, which the mysql client reads and sends",
            "write the rows as INSERT, or load the file outside of the migration",
        )),
        _ => Ok(()),
    }
}
