//! Texts and names as parts of a statement.

/// A text as a literal, for a session without NO_BACKSLASH_ESCAPES.
pub(super) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}

pub(super) fn identifier(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// `schema.table` or `table` as a user writes it in `migration.toml`, quoted.
pub(super) fn table_name(table: &str) -> String {
    table
        .split('.')
        .map(identifier)
        .collect::<Vec<_>>()
        .join(".")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_cannot_be_escaped_from() {
        assert_eq!(literal("a'b\\'c"), "'a''b\\\\''c'");
        assert_eq!(table_name("app.us`ers"), "`app`.`us``ers`");
    }
}
