//! Putting scripts together.

use super::{GENERATED, GENERATED_ONE_BY_ONE};

/// A script under construction: statements with their comments, a blank line between them.
pub(super) struct Script {
    head: &'static str,
    parts: Vec<String>,
}

impl Script {
    /// In one transaction, where the database has that.
    pub fn whole() -> Self {
        Self {
            head: GENERATED,
            parts: Vec::new(),
        }
    }

    /// Statement by statement, for what cannot be done in a transaction or must not hold its locks for the next.
    pub fn one_by_one() -> Self {
        Self {
            head: GENERATED_ONE_BY_ONE,
            parts: Vec::new(),
        }
    }

    /// A statement without its `;`.
    pub fn statement(mut self, statement: impl AsRef<str>) -> Self {
        self.parts.push(format!("{};", statement.as_ref()));
        self
    }

    /// A statement with what is to be known about it.
    pub fn explained(mut self, comment: &str, statement: impl AsRef<str>) -> Self {
        self.parts
            .push(format!("{}{};", commented(comment), statement.as_ref()));
        self
    }

    pub fn written(self) -> String {
        let mut written = format!("{}\n", self.head);
        for (index, part) in self.parts.iter().enumerate() {
            // A comment opens a paragraph of its own.
            if index > 0 && (part.starts_with("--") || part.contains('\n')) {
                written.push('\n');
            }
            written.push_str(part);
            written.push('\n');
        }
        written
    }
}

/// A comment in lines, each line of `text` one.
pub(super) fn commented(text: &str) -> String {
    let mut written = String::new();
    for line in text.lines() {
        written.push_str("-- ");
        written.push_str(line);
        written.push('\n');
    }
    written
}

/// `text` with every line but the first one that many blanks further in.
pub(super) fn indented(text: &str, blanks: usize) -> String {
    text.replace('\n', &format!("\n{}", " ".repeat(blanks)))
}

/// A function for triggers on PostgreSQL, whose body holds what somebody else wrote: its quotes are none that stand in it.
pub(super) fn trigger_function(name: &str, body: &str) -> String {
    let quote = quote_of(body);
    format!(
        "CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS {quote}\n{body}{quote}"
    )
}

/// What to put around a body, in which it does not stand.
pub(super) fn quote_of(body: &str) -> String {
    let mut quote = "$$".to_owned();
    let mut more = 0_u32;
    while body.contains(&quote) {
        more += 1;
        quote = format!("$body{more}$");
    }
    quote
}
