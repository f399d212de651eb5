//! A column of a table, as scripts or a database tell of it.

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableColumn {
    pub name: String,
    /// As written: `varchar(200)`.
    pub kind: String,
    pub is_nullable: bool,
    /// As written.
    pub default: Option<String>,
    /// The database gives it out or computes it.
    pub is_made: bool,
    /// What else is said of it, as written, that `MODIFY` would have to repeat: a collation, a comment.
    pub more: Vec<String>,
}

impl TableColumn {
    /// What its values are compared by, where that is not the usual: a collation, a character set.
    #[must_use]
    pub fn compared_by(&self) -> Option<String> {
        const WORDS: [&str; 3] = ["collate ", "character set ", "charset "];
        let mut found = Vec::new();
        for more in &self.more {
            let lower = more.to_ascii_lowercase();
            if !WORDS.iter().any(|word| lower.starts_with(word)) {
                continue;
            }
            // The database tells all of them at once: a comment comes behind.
            let end = [" on update ", " comment "].iter();
            let end = end.filter_map(|word| lower.find(word)).min();
            found.push(more.get(..end.unwrap_or(more.len())).unwrap_or(more));
        }
        (!found.is_empty()).then(|| found.join(" "))
    }
}
