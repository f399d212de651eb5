//! What a server refuses in any case, once the script or the trigger gets there: casts that it does not have, and changes that it makes
//! by a copy of the table alone.

use phasegate_sql::{Dialect, TableColumn};

use super::{Against, Objection, Weight};
use crate::declare::{exists_cast, means_nothing};
use crate::widen::length_of;
use crate::{Columns, NotNull, Varied, Wrong, not_for_sqlite};

/// Bytes of a length that MySQL and MariaDB store in one byte; above them in two, in each row.
const ONE_BYTE: u64 = 255;

/// `CAST(a AS bigint)` or `a::bigint`, as what is cast and to what.
fn cast_of(expression: &str) -> Option<(&str, &str)> {
    let text = expression.trim();
    if let Some((what, kind)) = text.rsplit_once("::") {
        return Some((what.trim(), kind.trim()));
    }
    let inner = text.strip_suffix(')')?;
    let (word, inner) = inner.split_once('(')?;
    if !word.trim().eq_ignore_ascii_case("cast") {
        return None;
    }
    let at = inner.to_ascii_lowercase().rfind(" as ")?;
    let (what, kind) = inner.split_at_checked(at)?;
    Some((what.trim(), kind.get(4..)?.trim()))
}

impl Against<'_> {
    /// Casts of one column that the server does not have, or that make nothing of it which anybody could mean.
    pub(super) fn casts(&mut self, change: &Columns) {
        let dialect = self.dialect;
        let old: Vec<(String, String)> = change
            .old
            .iter()
            .filter_map(|name| {
                let column = self.table.column(dialect, name)?;
                Some((name.clone(), column.kind.clone()))
            })
            .collect();
        let new: Vec<(String, String)> = change
            .new
            .iter()
            .filter_map(|new| Some((new.name.clone(), new.kind.of(dialect)?.to_owned())))
            .collect();
        let forward = ("forward", &change.forward, &old, &new);
        let back = ("back", &change.back, &new, &old);
        for (section, said, from, to) in [forward, back] {
            for (name, expression) in said {
                let kind = to.iter().find(|(other, _)| other == name);
                if let (Some(expression), Some((_, kind))) = (expression.of(dialect), kind) {
                    self.cast((section, name, kind), expression, from);
                }
            }
        }
    }

    fn cast(
        &mut self,
        (section, name, kind): (&str, &str, &str),
        expression: &str,
        from: &[(String, String)],
    ) {
        let dialect = self.dialect;
        let Some((what, to)) = cast_of(expression) else {
            return;
        };
        let bare = what.trim_matches(['"', '`']);
        let column = from
            .iter()
            .find(|(other, _)| dialect.may_be_same_name(other, bare));
        let Some((column, is)) = column else {
            return;
        };
        let why = match dialect {
            Dialect::Postgres if !exists_cast(is, to) => {
                format!(
                    "PostgreSQL has no cast from `{is}` to `{to}`: every write would be refused"
                )
            }
            Dialect::Mysql if means_nothing(is, kind) => format!(
                "`{is}` and `{kind}` are one another's digits to the server (20260131120000), of which not every value comes back: the backfill would stop"
            ),
            _ => return,
        };
        self.error(
            format!("`{name}` under `[change.{section}]` (`{expression}`) cannot be worked out on {}: {why}", dialect.title()),
            format!(
                "say in `[change]`, by an expression over `{column}`, what `{name}` is: between a moment and a number for example {}. With a declaration of your own in \
                 migration.toml `migrate generate` writes the scripts",
                match dialect {
                    Dialect::Mysql => "`unix_timestamp(…)` and `from_unixtime(…)`",
                    _ => "`extract(epoch FROM …)` and `to_timestamp(…)`",
                }
            ),
        );
    }

    /// A text that is longer than one byte can say.
    pub(super) fn stays_in_place(&mut self, column: &TableColumn, from: &str, to: Option<&str>) {
        if self.dialect != Dialect::Mysql {
            return;
        }
        let (Some(from), Some(to)) = (length_of(from), to.and_then(length_of)) else {
            return;
        };
        let by = column
            .compared_by()
            .or_else(|| self.table.compared_by.clone());
        let known = by.as_deref().and_then(bytes_of);
        let bytes = known.unwrap_or(4);
        if from * bytes > ONE_BYTE || to * bytes <= ONE_BYTE {
            return;
        }
        let name = column.name.clone();
        let wrong = Wrong::new(
            format!(
                "from varchar({from}) to varchar({to}) `{name}` becomes longer than 255 bytes ({bytes} for a letter), for which MySQL and MariaDB copy the table \
                 while all writers wait: expand asks for no copy, and is refused"
            ),
            format!(
                "replace the column beside writers: `migrate new NAME --retype {}.{name}=NEW:'varchar({to})'`",
                self.name
            ),
        );
        match known {
            Some(_) => self.refuse(wrong),
            None => self.found.push(Objection {
                weight: Weight::MayBeRefused,
                wrong,
            }),
        }
    }

    /// Where NOT NULL is only made by a copy.
    pub(super) fn is_made_beside_writers(&mut self, change: &NotNull, is: &str) {
        let is_moment = is.trim().to_ascii_lowercase().starts_with("timestamp");
        if self.dialect == Dialect::Mysql && is_moment {
            self.error(
                format!(
                    "`{}` is a TIMESTAMP, which no server makes NOT NULL beside writers: the contract would be refused",
                    change.column
                ),
                format!(
                    "have a condition say it: `migrate new NAME --check {}='{} IS NOT NULL'`",
                    self.name, change.column
                ),
            );
        }
    }

    /// SQLite puts no default that it works out into rows that are there.
    pub(super) fn can_be_added(&mut self, column: &str, default: &Varied) {
        let said = default.of(self.dialect).unwrap_or_default().trim();
        let lower = said.to_ascii_lowercase();
        let is_late = lower.starts_with('(')
            || ["current_timestamp", "current_date", "current_time"].contains(&lower.as_str());
        if self.dialect == Dialect::Sqlite && is_late {
            self.found.push(Objection {
                weight: Weight::MayBeRefused,
                wrong: not_for_sqlite(
                    format!(
                        "SQLite adds `{column}` to a table without rows only: its default (`{said}`) is no constant, and expand is refused where a row is there"
                    ),
                    "add it with a constant, or with none and have versions write it; or make the table anew with scripts of your own",
                ),
            });
        }
    }

    /// Keys that MySQL and MariaDB do not find again by what was read of them.
    pub(super) fn can_be_gone_along(&mut self, key: &[String]) {
        const GONE_ALONG: &[&str] = &[
            "tinyint",
            "smallint",
            "mediumint",
            "int",
            "integer",
            "bigint",
            "decimal",
            "dec",
            "numeric",
            "fixed",
            "char",
            "character",
            "varchar",
            "nchar",
            "national",
            "nvarchar",
            "tinytext",
            "text",
            "mediumtext",
            "longtext",
            "uuid",
            "binary",
            "varbinary",
            "date",
            "datetime",
            "serial",
            "bool",
            "boolean",
            "int1",
            "int2",
            "int3",
            "int4",
            "int8",
            "middleint",
            "long",
            "varcharacter",
        ];
        if self.dialect != Dialect::Mysql {
            return;
        }
        for name in key {
            let Some(column) = self.table.column(self.dialect, name) else {
                continue;
            };
            let kind = column.kind.clone();
            let word: String = kind.trim().to_ascii_lowercase();
            let word: String = word.chars().take_while(|c| c.is_alphanumeric()).collect();
            if !GONE_ALONG.contains(&word.as_str()) {
                self.error(
                    format!("a backfill cannot go over the key `{name}` of type {kind}"),
                    "name under `key` another unique key: whole numbers, decimals, texts, bytes, uuids, dates and datetimes can be gone along"
                        .to_owned(),
                );
            }
        }
    }
}

/// How many bytes a letter may have, by the character set or the collation that is said.
fn bytes_of(said: &str) -> Option<u64> {
    let lower = said.to_ascii_lowercase();
    let mut words = lower.split_whitespace();
    let is_word = |word: &str| matches!(word, "set" | "charset" | "collate");
    words.find(|word| is_word(word))?;
    let set = words.next()?;
    let set = set.split('_').next().unwrap_or(set);
    match set {
        "utf8mb4" | "utf16" | "utf16le" | "utf32" | "uca1400" | "gb18030" => Some(4),
        "utf8" | "utf8mb3" => Some(3),
        "ucs2" | "gbk" | "big5" | "sjis" | "cp932" | "euckr" => Some(2),
        "latin1" | "latin2" | "latin5" | "latin7" | "ascii" | "binary" | "cp1250" | "cp1251"
        | "cp1256" | "cp1257" | "koi8r" | "koi8u" => Some(1),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cast_of_one_thing_is_known() {
        for (expression, expected) in [
            ("CAST(a AS bigint)", Some(("a", "bigint"))),
            (
                "cast( \"a b\" as numeric(12, 4) )",
                Some(("\"a b\"", "numeric(12, 4)")),
            ),
            ("a::bigint", Some(("a", "bigint"))),
            (
                "CAST(CAST(a AS integer) AS bigint)",
                Some(("CAST(a AS integer)", "bigint")),
            ),
            ("lower(a)", None),
            ("a", None),
        ] {
            assert_eq!(cast_of(expression), expected, "{expression}");
        }
    }

    #[test]
    fn bytes_of_a_letter_are_known_by_its_set() {
        for (said, expected) in [
            ("COLLATE latin1_swedish_ci", Some(1)),
            ("CHARACTER SET utf8mb4 COLLATE utf8mb4_bin", Some(4)),
            ("charset utf8", Some(3)),
            ("collate klingon_ci", None),
        ] {
            assert_eq!(bytes_of(said), expected, "{said}");
        }
    }
}
