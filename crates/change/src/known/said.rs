//! What a declaration says of a column, against what the column is.

use phasegate_sql::{Dialect, TableColumn};

use super::Against;
use super::constants::{Constant, is_literal};
use super::typed::misfit;
use crate::definition::{defined, is_same_text, may_be_same_default, told};
use crate::widen::is_member;
use crate::{AddColumn, NotNull, SetDefault, Varied, Widen, Wider};

impl Against<'_> {
    pub(super) fn not_null(&mut self, change: &NotNull) {
        self.are_there(std::slice::from_ref(&change.column));
        if let Some(value) = &change.fill {
            self.is_key(&change.key);
            self.can_stand(&Constant {
                column: &change.column,
                key: "fill",
                value,
            });
        }
        let Some(column) = self.table.column(self.dialect, &change.column) else {
            return;
        };
        if !column.is_nullable {
            self.error(
                format!("`{}` is NOT NULL already", change.column),
                "there is nothing to do: remove the migration".to_owned(),
            );
            return;
        }
        let declared = change.kind.of(self.dialect).unwrap_or_default();
        let is = defined(column);
        self.is_made_beside_writers(change, &is);
        if self.dialect == Dialect::Mysql && !is_same_text(declared, &is) {
            self.error(
                format!(
                    "`type` says `{declared}` of `{}`, which is `{is}`: MySQL forgets of a column what is not said again",
                    change.column
                ),
                format!("write `type = {{ mysql = {is:?} }}`"),
            );
        }
    }

    pub(super) fn holds_default(&mut self, add: &AddColumn) {
        if let Some(default) = &add.default {
            self.can_be_added(&add.column, default);
        }
        let of = |value: &Varied| value.of(self.dialect).map(str::to_owned);
        let (Some(kind), Some(value)) = (of(&add.kind), add.default.as_ref().and_then(of)) else {
            return;
        };
        let column = TableColumn {
            name: add.column.clone(),
            kind: kind.clone(),
            is_nullable: true,
            default: None,
            is_made: false,
            more: Vec::new(),
        };
        let why = is_literal(value.trim()).then(|| misfit(self.dialect, &column, &value));
        if let Some(why) = why.flatten() {
            self.error(
                format!(
                    "`default` puts {value} into `{}`, which is {kind} and {why}",
                    add.column
                ),
                "say a `default` that it holds".to_owned(),
            );
        }
    }

    pub(super) fn widen(&mut self, change: &Widen) {
        self.are_there(std::slice::from_ref(&change.column));
        let Some(column) = self.table.column(self.dialect, &change.column) else {
            return;
        };
        let declared = change.from.of(self.dialect).unwrap_or_default();
        let (is, all) = match self.dialect {
            Dialect::Mysql => (
                told(column),
                "; MySQL forgets of a column what is not said again, so that `from` and `to` say all of it",
            ),
            Dialect::Postgres | Dialect::Sqlite => (column.kind.clone(), ""),
        };
        // A type of its own may be named with its schema.
        let own = |kind: &str| match self.dialect {
            Dialect::Postgres => kind.rsplit('.').next().unwrap_or(kind).to_owned(),
            Dialect::Mysql | Dialect::Sqlite => kind.to_owned(),
        };
        if !is_same_text(&own(declared), &own(&is)) && self.dialect != Dialect::Sqlite {
            let and = match change.wider {
                Wider::To(_) => ", and `to` as that with another length",
                Wider::Values(_) => "",
            };
            self.error(
                format!(
                    "`from` says `{declared}`, and `{}` is `{is}`{all}",
                    change.column
                ),
                format!("write `from = {{ {} = {is:?} }}`{and}", self.dialect.name()),
            );
            return;
        }
        let Wider::Values(values) = &change.wider else {
            if let Wider::To(to) = &change.wider {
                let column = column.clone();
                self.stays_in_place(&column, &column.kind, to.of(self.dialect));
            }
            return;
        };
        let twice = values
            .iter()
            .find(|value| self.dialect == Dialect::Mysql && is_member(&is, value));
        if let Some(twice) = twice {
            self.error(
                format!("`{}` knows the value `{twice}` already", change.column),
                "name under `values` what is new".to_owned(),
            );
        }
    }

    pub(super) fn default(&mut self, change: &SetDefault) {
        self.are_there(std::slice::from_ref(&change.column));
        if let Some(value) = &change.to {
            self.can_stand(&Constant {
                column: &change.column,
                key: "to",
                value,
            });
        }
        let Some(column) = self.table.column(self.dialect, &change.column) else {
            return;
        };
        let is = column.default.clone();
        let is = is.filter(|is| !is.eq_ignore_ascii_case("null"));
        let declared = change
            .from
            .as_ref()
            .and_then(|from| from.of(self.dialect))
            .map(str::trim);
        let is_as_said = match (&is, declared) {
            (Some(is), Some(declared)) => may_be_same_default(is, declared),
            (is, declared) => is.is_none() && declared.is_none(),
        };
        if is_as_said || self.dialect == Dialect::Sqlite {
            return;
        }
        let what = match &is {
            Some(is) => format!("is {is}"),
            None => "is none".to_owned(),
        };
        let help = match &is {
            Some(is) => format!("write `from = {is:?}`"),
            None => "leave `from` out".to_owned(),
        };
        self.error(
            format!(
                "the default of `{}` {what} on {}, which a revert has to bring back, and `from` says otherwise",
                change.column,
                self.dialect.title()
            ),
            help,
        );
    }
}
