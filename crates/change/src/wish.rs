//! What somebody asks for in a few words: `--rename users.full_name=display_name`.

use super::Wrong;

/// One change, as it is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    /// `schema.table` where it is not on the search path.
    pub table: String,
    pub what: What,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    Rename {
        old: String,
        new: String,
    },
    Retype {
        old: String,
        /// Both columns are there for a while, so that it cannot be called as the old one.
        new: Option<String>,
        kind: String,
    },
    Split {
        old: String,
        new: [String; 2],
    },
    Merge {
        old: [String; 2],
        new: String,
    },
    Add {
        column: String,
        kind: String,
    },
    Drop {
        columns: Vec<String>,
    },
    DropTable,
    NotNull {
        column: String,
    },
    Unique {
        columns: Vec<String>,
    },
    Index {
        columns: Vec<String>,
    },
    DropIndex {
        name: String,
    },
    Widen {
        column: String,
        to: String,
    },
    AddValue {
        column: String,
        values: Vec<String>,
    },
    RemoveValue {
        column: String,
        /// Each with what rows get in its place, if anything.
        values: Vec<(String, Option<String>)>,
    },
    SetDefault {
        column: String,
        /// As SQL.
        to: String,
    },
    DropDefault {
        column: String,
    },
    RenameTable {
        to: String,
    },
    SplitTable {
        columns: Vec<String>,
        to: String,
        /// What the key is called in the new table.
        link: Option<String>,
    },
    ForeignKey {
        columns: Vec<String>,
        references: String,
        referenced: Vec<String>,
    },
    Check {
        condition: String,
    },
}

/// The ways to ask, each with how it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    Rename,
    Retype,
    Split,
    Merge,
    SplitTable,
    Add,
    Drop,
    NotNull,
    Unique,
    Index,
    DropIndex,
    Widen,
    AddValue,
    RemoveValue,
    SetDefault,
    DropDefault,
    ForeignKey,
    Check,
}

impl Ask {
    /// An example of it.
    #[must_use]
    pub const fn example(self) -> &'static str {
        match self {
            Self::Rename => "users.full_name=display_name",
            Self::Retype => "users.logins=bigint",
            Self::Split => "users.full_name=first_name,last_name",
            Self::Merge => "users.first_name,last_name=full_name",
            Self::SplitTable => "users.street,city=addresses",
            Self::Add => "users.phone=text",
            Self::Drop => "users.legacy",
            Self::NotNull => "users.email",
            Self::Unique => "users.email",
            Self::Index => "users.email",
            Self::DropIndex => "users.users_phone",
            Self::Widen => "users.email=varchar(200)",
            Self::AddValue => "orders.status=refunded",
            Self::RemoveValue => "orders.status=legacy, or orders.status=paid:settled",
            Self::SetDefault => "users.country='NL'",
            Self::DropDefault => "users.country",
            Self::ForeignKey => "orders.user_id=users.id",
            Self::Check => "orders=price > 0",
        }
    }

    /// # Errors
    /// What is not written in this way.
    pub fn read(self, text: &str) -> Result<Wish, Wrong> {
        self.parsed(text).ok_or_else(|| {
            Wrong::new(
                format!("`{text}` does not say what changes"),
                format!("write it like `{}`", self.example()),
            )
        })
    }

    fn parsed(self, text: &str) -> Option<Wish> {
        let (left, right) = match text.split_once('=') {
            Some((_, right)) if right.trim().is_empty() => return None,
            Some((left, right)) => (left.trim(), Some(right.trim())),
            None => (text.trim(), None),
        };
        let wants_right = !matches!(
            self,
            Self::Drop
                | Self::NotNull
                | Self::Unique
                | Self::Index
                | Self::DropIndex
                | Self::DropDefault
        );
        if wants_right != right.is_some() {
            return None;
        }
        let right = right.unwrap_or_default();
        if self == Self::Check {
            return Some(Wish {
                table: name(left)?,
                what: What::Check {
                    condition: right.to_owned(),
                },
            });
        }
        if self == Self::Drop && !left.contains('.') {
            return Some(Wish {
                table: name(left)?,
                what: What::DropTable,
            });
        }
        if self == Self::Rename && !left.contains('.') {
            return Some(Wish {
                table: name(left)?,
                what: What::RenameTable { to: name(right)? },
            });
        }
        let (table, columns) = placed(left)?;
        let one = || match columns.as_slice() {
            [one] => Some(one.clone()),
            _ => None,
        };
        let what = match self {
            Self::Rename => What::Rename {
                old: one()?,
                new: name(right)?,
            },
            Self::Retype => match right.split_once(':') {
                Some((new, kind)) if !kind.starts_with(':') => What::Retype {
                    old: one()?,
                    new: Some(name(new)?),
                    kind: Some(kind.trim().to_owned()).filter(|kind| !kind.is_empty())?,
                },
                _ => What::Retype {
                    old: one()?,
                    new: None,
                    kind: right.to_owned(),
                },
            },
            Self::Split => What::Split {
                old: one()?,
                new: <[String; 2]>::try_from(names(right)?).ok()?,
            },
            Self::Merge => What::Merge {
                new: name(right)?,
                old: <[String; 2]>::try_from(columns).ok()?,
            },
            Self::SplitTable => {
                let (to, link) = match right.split_once('.') {
                    Some((to, link)) => (to, Some(name(link)?)),
                    None => (right, None),
                };
                What::SplitTable {
                    columns,
                    to: name(to)?,
                    link,
                }
            }
            Self::Add => What::Add {
                column: one()?,
                kind: right.to_owned(),
            },
            Self::Drop => What::Drop { columns },
            Self::NotNull => What::NotNull { column: one()? },
            Self::Unique => What::Unique { columns },
            Self::Index => What::Index { columns },
            Self::DropIndex => What::DropIndex { name: one()? },
            Self::Widen => What::Widen {
                column: one()?,
                to: right.to_owned(),
            },
            Self::AddValue => What::AddValue {
                column: one()?,
                values: right
                    .split(',')
                    .map(|value| value.trim().to_owned())
                    .collect(),
            },
            Self::RemoveValue => What::RemoveValue {
                column: one()?,
                values: right
                    .split(',')
                    .map(|value| match value.split_once(':') {
                        Some((old, new)) => (old.trim().to_owned(), Some(new.trim().to_owned())),
                        None => (value.trim().to_owned(), None),
                    })
                    .collect(),
            },
            Self::SetDefault => What::SetDefault {
                column: one()?,
                to: right.to_owned(),
            },
            Self::DropDefault => What::DropDefault { column: one()? },
            Self::ForeignKey => {
                let (references, referenced) = placed(right)?;
                if referenced.len() != columns.len() {
                    return None;
                }
                What::ForeignKey {
                    columns,
                    references,
                    referenced,
                }
            }
            Self::Check => return None,
        };
        Some(Wish { table, what })
    }
}

fn name(text: &str) -> Option<String> {
    let text = text.trim();
    let is_name = !text.is_empty() && !text.contains([',', '=', '.']);
    is_name.then(|| text.to_owned())
}

fn names(text: &str) -> Option<Vec<String>> {
    text.split(',').map(name).collect()
}

/// `table.a,b` or `schema.table.a`
fn placed(text: &str) -> Option<(String, Vec<String>)> {
    let first = text.split(',').next()?;
    let dot = first.rfind('.')?;
    let (table, columns) = text.split_at_checked(dot)?;
    let is_table = !table.is_empty() && table.split('.').all(|part| !part.trim().is_empty());
    let columns = names(columns.strip_prefix('.')?)?;
    (is_table && table.matches('.').count() < 2).then(|| (table.trim().to_owned(), columns))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_is_understood_or_shown_how_to_write() {
        for ask in [
            Ask::Rename,
            Ask::Retype,
            Ask::Split,
            Ask::Merge,
            Ask::SplitTable,
            Ask::Add,
            Ask::Drop,
            Ask::NotNull,
            Ask::Unique,
            Ask::Index,
            Ask::DropIndex,
            Ask::Widen,
            Ask::AddValue,
            Ask::SetDefault,
            Ask::DropDefault,
            Ask::ForeignKey,
            Ask::Check,
        ] {
            let read = ask.read(ask.example());
            assert!(read.is_ok(), "{ask:?}: {read:?}");
            for wrong in [
                "",
                "users",
                "users.",
                ".a",
                "=",
                "users.a=",
                "a.b.c.d=e",
                "users.a,b,c=d,e,f,g",
            ] {
                let is_one = matches!((ask, wrong), (Ask::Drop, "users"));
                let read = ask.read(wrong);
                let is_taken = read.is_ok();
                let may = matches!(
                    ask,
                    Ask::Check
                        | Ask::Add
                        | Ask::Widen
                        | Ask::Retype
                        | Ask::AddValue
                        | Ask::SetDefault
                );
                assert!(
                    is_taken == is_one || may && is_taken,
                    "{ask:?} {wrong}: {read:?}"
                );
            }
        }
        let retype = |text: &str| Ask::Retype.read(text).map(|wish| wish.what);
        assert_eq!(
            retype("shop.users.logins = big : numeric(10, 2)"),
            Ok(What::Retype {
                old: "logins".to_owned(),
                new: Some("big".to_owned()),
                kind: "numeric(10, 2)".to_owned(),
            })
        );
        assert_eq!(
            Ask::Unique.read("shop.users.a, b").map(|wish| wish.table),
            Ok("shop.users".to_owned())
        );
    }
}
