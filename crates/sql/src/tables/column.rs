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
