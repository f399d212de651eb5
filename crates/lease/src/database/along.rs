//! What the catalogue says about a table that a backfill is to go along.

/// What a name stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TableKind {
    /// A table that holds its rows itself, or in partitions.
    Ordinary,
    /// There is nothing of that name.
    Missing,
    /// Something else that can be read: it may show only some of the rows. In words, such as `a view`.
    Other(String),
}

/// An index that a key may be found in: over whole columns and all rows, and in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyIndex {
    /// From the first on; an empty name for what is not a column.
    pub columns: Vec<String>,
    pub unique: bool,
    /// Whether it has the order by which keys are compared.
    pub ordered: bool,
}

/// A table and its key, by the catalogue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Along {
    pub kind: TableKind,
    /// By which two names are known to be of one table; empty where the database has no such thing.
    pub identity: String,
    /// Columns of the key that the table does not have.
    pub missing: Vec<String>,
    /// Columns of the key that may be NULL.
    pub nullable: Vec<String>,
    pub indexes: Vec<KeyIndex>,
    /// Tables that hold a part of its rows, and that `ONLY` would leave out.
    pub parts: Vec<String>,
    /// A part that is just being detached: its rows are shown to some and not to others.
    pub detaching: Option<String>,
    /// Whether row level security applies to this role.
    pub hides_rows: bool,
    /// Columns that the database sets by itself in every row that is updated: `ON UPDATE CURRENT_TIMESTAMP`.
    pub set_on_update: Vec<String>,
    /// Triggers that run for every row that is updated.
    pub on_update: Vec<UpdateTrigger>,
}

/// A trigger that runs for every row that is updated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpdateTrigger {
    pub name: String,
    /// The columns of which one has to be written; empty where it may be any.
    pub of: Vec<String>,
}

impl Along {
    #[must_use]
    pub const fn of(kind: TableKind) -> Self {
        Self {
            kind,
            identity: String::new(),
            missing: Vec::new(),
            nullable: Vec::new(),
            indexes: Vec::new(),
            parts: Vec::new(),
            detaching: None,
            hides_rows: false,
            set_on_update: Vec::new(),
            on_update: Vec::new(),
        }
    }
}
