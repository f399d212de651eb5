//! Values that are a string, or a table that says more.

use toml::Spanned;
use toml::de::DeValue;

use super::{Located, Table};

/// What may be said in one string, or in a table.
pub(in crate::project) enum Given<'s> {
    Text(Located<&'s str>),
    Table(Table<'s>),
}

impl<'s> Table<'s> {
    /// A string, or a table that says more.
    pub fn given(&mut self, key: &'static str, example: &str) -> Option<Given<'s>> {
        let value = self.get(key)?;
        self.either(key, value, example)
    }

    /// All entries of a table whose keys are free, in the order of the file.
    pub fn all(&mut self, example: &str) -> Vec<(Located<&'s str>, Given<'s>)> {
        let mut all: Vec<_> = self
            .entries
            .iter()
            .filter_map(|(name, value)| {
                let located = Located {
                    value: &**name.get_ref(),
                    span: name.span(),
                };
                Some((located, self.either(name.get_ref(), value, example)?))
            })
            .collect();
        all.sort_by_key(|(name, _)| name.span.start);
        all
    }

    fn either(
        &self,
        key: &str,
        value: &'s Spanned<DeValue<'s>>,
        example: &str,
    ) -> Option<Given<'s>> {
        if value.get_ref().as_table().is_some() {
            return self.within(key, value, "[_]").map(Given::Table);
        }
        let text = value
            .get_ref()
            .as_str()
            .filter(|text| !text.trim().is_empty());
        let Some(text) = text else {
            self.wrong_type(
                key,
                value,
                "a string that is not empty, or a table",
                example,
            );
            return None;
        };
        Some(Given::Text(Located {
            value: text,
            span: value.span(),
        }))
    }
}
