//! A query that `migration.toml` holds, or that follows from its `[change]`.

use std::collections::BTreeMap;

use crate::sql::Dialect;

/// One text for all databases, but for those that have one of their own because it follows from a declaration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    text: String,
    own: BTreeMap<Dialect, String>,
}

impl Query {
    #[must_use]
    pub fn of(&self, dialect: Dialect) -> &str {
        self.own.get(&dialect).unwrap_or(&self.text)
    }

    /// Whether it follows from a declaration, and is nothing that somebody has written.
    #[must_use]
    pub fn follows(&self) -> bool {
        !self.own.is_empty()
    }

    /// What follows for each database.
    pub(super) fn following(own: BTreeMap<Dialect, String>) -> Self {
        Self {
            text: own.values().next().cloned().unwrap_or_default(),
            own,
        }
    }
}

impl From<&str> for Query {
    fn from(text: &str) -> Self {
        Self {
            text: text.to_owned(),
            own: BTreeMap::new(),
        }
    }
}
