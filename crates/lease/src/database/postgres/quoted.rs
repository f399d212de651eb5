//! Texts and names as statements hold them.

/// A text as a literal that means the same whatever `standard_conforming_strings` is.
pub(super) fn literal(text: &str) -> String {
    format!("E'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}

pub(super) fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// `schema.table` or `table` as a user writes it in `migration.toml`, quoted. A name in lower case
/// means what it would mean unquoted.
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
        assert_eq!(literal("a'b\\'c"), "E'a''b\\\\''c'");
        assert_eq!(table_name("app.us\"ers"), "\"app\".\"us\"\"ers\"");
    }
}
