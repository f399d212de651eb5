//! What stands in a column that goes, while versions run that no longer know it.

use phasegate_sql::Dialect;

use super::Against;
use super::constants::Constant;
use crate::{Varied, Wrong, not_for_sqlite};

impl Against<'_> {
    pub(super) fn placeholder(&mut self, name: &str, said: Option<&Varied>) {
        match said {
            Some(value) => {
                self.can_stand(&Constant {
                    column: name,
                    key: "placeholder",
                    value,
                });
                self.is_in_nobodys_place(name);
            }
            None if self.is_needed(name) => self.has_to_be_said(name),
            None => {}
        }
    }

    /// It is made the default of the column, and a revert takes that away: what versions of the old format count on would be lost.
    fn is_in_nobodys_place(&mut self, name: &str) {
        let column = self.table.column(self.dialect, name);
        let default = column.and_then(|column| column.default.clone());
        let default = default.filter(|default| !default.eq_ignore_ascii_case("null"));
        let Some(default) = default else {
            return;
        };
        self.refuse(Wrong::new(
            format!(
                "`{name}` has the default {default} on {}, which `placeholder` would take the place of for versions that still count on it, and a revert would not bring back",
                self.dialect.title()
            ),
            "leave `placeholder` out: what stands in the column where a version leaves it out is its default",
        ));
    }

    /// A column that goes is still there while versions run that no longer know it.
    fn has_to_be_said(&mut self, name: &str) {
        let message = format!(
            "`{name}` is NOT NULL without a default: every INSERT of a version that no longer knows it would fail until the contract"
        );
        if self.dialect == Dialect::Sqlite {
            let help = "make the table anew with scripts of your own, in which it may be NULL, in a migration before this one";
            return self.refuse(not_for_sqlite(message, help));
        }
        let help = "say what stands in it by then: `placeholder = \"'-'\"` under `[change]` (`--fill` of `migrate new`)";
        self.error(message, help.to_owned());
    }
}
