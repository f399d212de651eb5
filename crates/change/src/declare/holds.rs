//! Whether a type holds each value of another, and what becomes of a value that it does not hold.

use phasegate_sql::Dialect;

use crate::Wrong;

/// What matters of a type for that.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Shape {
    Whole {
        min: i128,
        max: i128,
    },
    /// Digits before and after the point.
    Exact {
        whole: u32,
        fraction: u32,
    },
    /// Decimal digits that come back as they were.
    Float {
        digits: u32,
    },
    /// As many characters as any text may have that it takes, and as many as it may take at most; none where nothing limits it.
    Text {
        surely: Option<u64>,
        most: Option<u64>,
    },
    Date,
    Moment {
        zoned: bool,
        /// MySQL's ends in 2038 or 2106.
        short: bool,
    },
    Yes,
    Other,
}

/// How a value is more than a type holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lost {
    NotOne,
    TooLarge,
    TooLong,
    Digits,
    TimeOfDay,
    Zone,
    Unknown,
}

/// What the trigger does with such a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Refused,
    /// As `sql_mode` says.
    RefusedIfStrict,
    Changed,
    Either,
}

/// From one column to the other one.
pub(super) struct Way<'w> {
    pub dialect: Dialect,
    pub from: &'w str,
    pub to: &'w str,
    /// The column that the value ends up in.
    pub column: &'w str,
    pub direction: Direction,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    Forward,
    Back,
}

/// What somebody has to know who changes the type; nothing where the new type holds every value of the old one.
pub(super) fn warning(way: &Way<'_>) -> Option<Wrong> {
    let mut lost = lost(way.dialect, way.from, way.to);
    if way.dialect == Dialect::Postgres && lost == [Lost::Zone] {
        return (way.direction == Direction::Forward).then(|| by_one_zone(way));
    }
    // What is generated goes by one zone, whatever that of a session is.
    lost.retain(|lost| *lost != Lost::Zone || way.dialect != Dialect::Postgres);
    if lost.is_empty() {
        return None;
    }
    let each: Vec<String> = lost
        .iter()
        .map(|lost| {
            format!(
                "{} {}",
                what(*lost, way.to),
                becomes(*lost, way.dialect, way.direction)
            )
        })
        .collect();
    let holds = match lost.as_slice() {
        [Lost::Unknown] => "may not hold",
        _ => "does not hold",
    };
    let message = format!(
        "on {} `{}` {holds} every value of `{}`: {}",
        way.dialect.title(),
        way.to,
        way.from,
        each.join("; ")
    );
    let help = match way.direction {
        Direction::Forward => format!(
            "say under `[change.forward]` what `{}` is then (`CASE WHEN … THEN … ELSE … END`), and run `migrate generate`; `migrate rehearse` tries awkward values",
            way.column
        ),
        Direction::Back => format!(
            "have new versions write such a value after the contract only, or say under `[change.back]` what `{}` is until then, and run `migrate generate`",
            way.column
        ),
    };
    Some(Wrong::new(message, help))
}

fn by_one_zone(way: &Way<'_>) -> Wrong {
    Wrong::new(
        format!(
            "on {} a time without a zone is taken for one of UTC between `{}` and `{}`, whatever the zone of a session is",
            way.dialect.title(),
            way.from,
            way.to
        ),
        "where it is that of another zone, name that one under `[change.forward]` and `[change.back]` in place of UTC, and run `migrate generate`",
    )
}

fn what(lost: Lost, to: &str) -> String {
    match lost {
        Lost::NotOne => format!("a text that is no `{to}` (an empty one is none)"),
        Lost::TooLarge => format!("a value beyond the range of `{to}`"),
        Lost::TooLong => format!("a value too long for `{to}`"),
        Lost::Digits => "a value with more digits than that".to_owned(),
        Lost::TimeOfDay => "a time of day".to_owned(),
        Lost::Zone => "a value from a session of another time zone".to_owned(),
        Lost::Unknown => format!("a value that is no `{to}`"),
    }
}

fn fate(lost: Lost, dialect: Dialect) -> Fate {
    match (lost, dialect) {
        (Lost::Unknown, _) => Fate::Either,
        (Lost::Digits | Lost::TimeOfDay | Lost::Zone, _) | (_, Dialect::Sqlite) => Fate::Changed,
        (_, Dialect::Postgres) => Fate::Refused,
        (_, Dialect::Mysql) => Fate::RefusedIfStrict,
    }
}

fn becomes(lost: Lost, dialect: Dialect, direction: Direction) -> String {
    let (who, row) = match direction {
        Direction::Forward => ("an old", ", and the backfill stops at such a row"),
        Direction::Back => ("a new", ""),
    };
    let changed = match lost {
        Lost::NotOne => "becomes what it begins with, or 0",
        Lost::TooLarge => "becomes the nearest that there is",
        Lost::TooLong => "is cut",
        Lost::Digits => "is rounded or cut",
        Lost::TimeOfDay => "is left out",
        Lost::Zone => "becomes another moment",
        Lost::Unknown => "becomes another value",
    };
    let loses = match direction {
        Direction::Forward => ", without a word, and the contract drops what it was",
        Direction::Back => ", without a word, in what old versions read",
    };
    let refused = format!("has the trigger refuse the write of {who} version");
    match fate(lost, dialect) {
        Fate::Refused => format!("{refused}{row}"),
        Fate::RefusedIfStrict => {
            format!("{refused}{row}, or, where sql_mode is not strict, {changed}{loses}")
        }
        Fate::Changed => format!("{changed}{loses}"),
        Fate::Either => format!("{refused}{row}, or {changed}{loses}"),
    }
}

fn lost(dialect: Dialect, from: &str, to: &str) -> Vec<Lost> {
    if from.trim().eq_ignore_ascii_case(to.trim()) {
        return Vec::new();
    }
    let (before, after) = (shape(dialect, from), shape(dialect, to));
    let mut lost = between(&before, &after);
    // Nothing is too long or too large for a column of SQLite but a number.
    if dialect == Dialect::Sqlite {
        lost.retain(|lost| !matches!(lost, Lost::TooLong | Lost::TooLarge));
    }
    lost
}

fn between(from: &Shape, to: &Shape) -> Vec<Lost> {
    use Shape::{Date, Exact, Float, Moment, Other, Text, Whole, Yes};
    let found = |all: &[(bool, Lost)]| -> Vec<Lost> {
        let lost = all.iter().filter(|(is_lost, _)| *is_lost);
        lost.map(|(_, lost)| *lost).collect()
    };
    let too_long = |characters: u64, limit: Option<u64>| {
        found(&[(limit.is_some_and(|limit| limit < characters), Lost::TooLong)])
    };
    match (from, to) {
        (
            Whole { min, max },
            Whole {
                min: least,
                max: most,
            },
        ) => found(&[(min < least || max > most, Lost::TooLarge)]),
        (Whole { min, max }, Exact { whole, .. }) => {
            found(&[(digits(*min, *max) > *whole, Lost::TooLarge)])
        }
        (Whole { min, max }, Float { digits: kept }) => {
            found(&[(digits(*min, *max) > *kept, Lost::Digits)])
        }
        (Whole { min, max }, Text { surely, .. }) => {
            let sign = u64::from(*min < 0);
            too_long(u64::from(digits(*min, *max)) + sign, *surely)
        }
        (Exact { whole, fraction }, Whole { min, max }) => {
            let largest = 10_i128.checked_pow(*whole);
            let fits = largest.is_some_and(|largest| largest - 1 <= *max && 1 - largest >= *min);
            found(&[(!fits, Lost::TooLarge), (*fraction > 0, Lost::Digits)])
        }
        (
            Exact { whole, fraction },
            Exact {
                whole: before,
                fraction: after,
            },
        ) => found(&[
            (whole > before, Lost::TooLarge),
            (fraction > after, Lost::Digits),
        ]),
        (Exact { whole, fraction }, Float { digits }) => {
            found(&[(whole.saturating_add(*fraction) > *digits, Lost::Digits)])
        }
        (Exact { whole, fraction }, Text { surely, .. }) => {
            too_long(u64::from(*whole) + u64::from(*fraction) + 2, *surely)
        }
        (
            Float { .. },
            Exact {
                whole: u32::MAX, ..
            },
        ) => Vec::new(),
        (Float { .. }, Whole { .. } | Exact { .. }) => vec![Lost::TooLarge, Lost::Digits],
        (Float { digits }, Float { digits: kept }) => {
            let is_less = digits > kept;
            found(&[(is_less, Lost::TooLarge), (is_less, Lost::Digits)])
        }
        (Float { .. }, Text { surely, .. }) => too_long(25, *surely),
        (Text { most, .. }, Text { surely, .. }) => {
            let is_longer = match (most, surely) {
                (_, None) => false,
                (None, Some(_)) => true,
                (Some(most), Some(surely)) => most > surely,
            };
            found(&[(is_longer, Lost::TooLong)])
        }
        (Text { .. }, _) => vec![Lost::NotOne],
        (Date, Date) | (Yes, Yes | Whole { .. }) => Vec::new(),
        (Date, Moment { short, .. }) => found(&[(*short, Lost::TooLarge)]),
        (Moment { .. }, Date) => vec![Lost::TimeOfDay],
        (
            Moment { zoned, short },
            Moment {
                zoned: after,
                short: ends,
            },
        ) => found(&[
            (*ends && !*short, Lost::TooLarge),
            (zoned != after, Lost::Zone),
        ]),
        (Date, Text { surely, .. }) => too_long(10, *surely),
        (Moment { .. }, Text { surely, .. }) => too_long(32, *surely),
        (Yes, Text { surely, .. }) => too_long(5, *surely),
        (Other, Text { surely, .. }) => found(&[(surely.is_some(), Lost::TooLong)]),
        _ => vec![Lost::Unknown],
    }
}

/// The least and the largest that a type holds, where it is one of whole numbers.
pub(crate) fn whole_range(dialect: Dialect, kind: &str) -> Option<(i128, i128)> {
    match shape(dialect, kind) {
        Shape::Whole { min, max } => Some((min, max)),
        _ => None,
    }
}

/// Decimal digits of the numbers from here to there.
fn digits(min: i128, max: i128) -> u32 {
    let largest = min.unsigned_abs().max(max.unsigned_abs());
    largest.checked_ilog10().unwrap_or_default() + 1
}

fn shape(dialect: Dialect, kind: &str) -> Shape {
    let lower = kind.trim().to_ascii_lowercase();
    if dialect == Dialect::Sqlite {
        return affinity(&lower);
    }
    if lower.contains('[') {
        return Shape::Other;
    }
    let word: String = lower.chars().take_while(|c| c.is_alphanumeric()).collect();
    let said = arguments(&lower);
    let mysql = dialect == Dialect::Mysql;
    let bits = |bits: u32| {
        let half = 1_i128 << (bits - 1);
        if lower.contains("unsigned") {
            Shape::Whole {
                min: 0,
                max: 2 * half - 1,
            }
        } else {
            Shape::Whole {
                min: -half,
                max: half - 1,
            }
        }
    };
    let text = |surely: u64, most: u64| Shape::Text {
        surely: Some(surely),
        most: Some(most),
    };
    let endless = Shape::Text {
        surely: None,
        most: None,
    };
    // Stored in bytes, of which a character takes up to four.
    let bytes = |bytes: u64| text(bytes / 4, bytes);
    match (word.as_str(), said.as_slice()) {
        ("bool" | "boolean", _) if !mysql => Shape::Yes,
        ("tinyint" | "bool" | "boolean", _) => bits(8),
        ("smallint" | "int2" | "smallserial", _) => bits(16),
        ("mediumint", _) => bits(24),
        ("int" | "integer" | "int4" | "serial", _) => bits(32),
        ("bigint" | "int8" | "bigserial", _) => bits(64),
        ("numeric" | "decimal" | "dec", [all, fraction]) => exact(*all, *fraction),
        ("numeric" | "decimal" | "dec", [all]) => exact(*all, 0),
        ("numeric" | "decimal" | "dec", _) if mysql => exact(10, 0),
        ("numeric" | "decimal" | "dec", _) => Shape::Exact {
            whole: u32::MAX,
            fraction: u32::MAX,
        },
        ("real", _) => Shape::Float {
            digits: if mysql { 15 } else { 6 },
        },
        ("float4", _) => Shape::Float { digits: 6 },
        ("float", [few]) if *few <= 24 => Shape::Float { digits: 6 },
        ("float", []) if mysql => Shape::Float { digits: 6 },
        ("float" | "float8" | "double", _) => Shape::Float { digits: 15 },
        ("varchar" | "char" | "character" | "bpchar", [length]) => text(*length, *length),
        ("char", _) => text(1, 1),
        ("character", _) if !lower.contains("varying") => text(1, 1),
        ("tinytext", _) => bytes(255),
        ("text", _) if mysql => bytes(65_535),
        ("mediumtext", _) => bytes(16_777_215),
        ("longtext" | "text" | "varchar" | "character" | "bpchar" | "citext", _) => endless,
        ("date", _) => Shape::Date,
        ("datetime", _) => Shape::Moment {
            zoned: false,
            short: false,
        },
        ("timestamptz", _) => Shape::Moment {
            zoned: true,
            short: false,
        },
        ("timestamp", _) => Shape::Moment {
            zoned: mysql || lower.contains("with time zone"),
            short: mysql,
        },
        _ => Shape::Other,
    }
}

fn exact(all: u64, fraction: u64) -> Shape {
    let whole = u32::try_from(all.saturating_sub(fraction));
    Shape::Exact {
        whole: whole.unwrap_or(u32::MAX),
        fraction: u32::try_from(fraction).unwrap_or(u32::MAX),
    }
}

/// `10, 2` of `numeric(10, 2)`
fn arguments(kind: &str) -> Vec<u64> {
    let inner = kind
        .split_once('(')
        .and_then(|(_, rest)| rest.split_once(')'));
    let Some((inner, _)) = inner else {
        return Vec::new();
    };
    let each = inner.split(',').map(|one| one.trim().parse().ok());
    each.collect::<Option<Vec<u64>>>().unwrap_or_default()
}

/// What SQLite makes of the name of a type.
fn affinity(kind: &str) -> Shape {
    let has = |words: &[&str]| words.iter().any(|word| kind.contains(word));
    if has(&["int"]) {
        Shape::Whole {
            min: i128::from(i64::MIN),
            max: i128::from(i64::MAX),
        }
    } else if has(&["char", "clob", "text"]) {
        Shape::Text {
            surely: None,
            most: None,
        }
    } else if kind.is_empty() || has(&["blob"]) {
        Shape::Other
    } else if has(&["real", "floa", "doub"]) {
        Shape::Float { digits: 15 }
    } else {
        Shape::Exact {
            whole: u32::MAX,
            fraction: u32::MAX,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Dialect::{Mysql, Postgres, Sqlite};

    #[test]
    fn a_type_holds_what_it_holds() {
        use Lost::{Digits, NotOne, TimeOfDay, TooLarge, TooLong, Unknown, Zone};
        let table: &[(Dialect, &str, &str, &[Lost])] = &[
            (Postgres, "text", "integer", &[NotOne]),
            (Postgres, "integer", "text", &[]),
            (Postgres, "integer", "bigint", &[]),
            (Postgres, "bigint", "integer", &[TooLarge]),
            (Postgres, "integer", "INTEGER", &[]),
            (Postgres, "int4", "integer", &[]),
            (Postgres, "numeric(12, 2)", "integer", &[TooLarge, Digits]),
            (Postgres, "numeric(4,0)", "integer", &[]),
            (Postgres, "integer", "numeric(10, 0)", &[]),
            (Postgres, "integer", "numeric(10, 2)", &[TooLarge]),
            (Postgres, "integer", "numeric", &[]),
            (Postgres, "numeric", "numeric(9, 2)", &[TooLarge, Digits]),
            (Postgres, "numeric(9, 2)", "double precision", &[]),
            (Postgres, "bigint", "double precision", &[Digits]),
            (Postgres, "integer", "double precision", &[]),
            (Postgres, "integer", "real", &[Digits]),
            (Postgres, "real", "double precision", &[]),
            (Postgres, "double precision", "numeric", &[]),
            (Postgres, "double precision", "integer", &[TooLarge, Digits]),
            (Postgres, "text", "varchar(20)", &[TooLong]),
            (Postgres, "character varying(9)", "varchar(20)", &[]),
            (Postgres, "character varying", "text", &[]),
            (Postgres, "text", "citext", &[]),
            (Postgres, "integer", "varchar(11)", &[]),
            (Postgres, "integer", "varchar(10)", &[TooLong]),
            (Postgres, "uuid", "text", &[]),
            (Postgres, "text", "uuid", &[NotOne]),
            (Postgres, "text", "timestamptz", &[NotOne]),
            (Postgres, "date", "timestamp", &[]),
            (
                Postgres,
                "timestamp without time zone",
                "date",
                &[TimeOfDay],
            ),
            (Postgres, "timestamp", "timestamp with time zone", &[Zone]),
            (Postgres, "timestamptz", "timestamp with time zone", &[]),
            (Postgres, "boolean", "integer", &[]),
            (Postgres, "integer", "boolean", &[Unknown]),
            (Postgres, "integer", "integer[]", &[Unknown]),
            (Mysql, "int(11)", "bigint(20)", &[]),
            (Mysql, "int unsigned", "int", &[TooLarge]),
            (Mysql, "int", "bigint unsigned", &[TooLarge]),
            (Mysql, "int unsigned", "bigint", &[]),
            (Mysql, "tinyint(1)", "boolean", &[]),
            (Mysql, "text", "int", &[NotOne]),
            (Mysql, "varchar(100)", "text", &[]),
            (Mysql, "varchar(100)", "tinytext", &[TooLong]),
            (Mysql, "text", "varchar(100)", &[TooLong]),
            (Mysql, "int", "varchar(4)", &[TooLong]),
            (Mysql, "text", "longtext", &[]),
            (Mysql, "datetime", "timestamp", &[TooLarge, Zone]),
            (Mysql, "decimal", "decimal(10,2)", &[TooLarge]),
            (Sqlite, "TEXT", "INTEGER", &[NotOne]),
            (Sqlite, "INTEGER", "BIGINT", &[]),
            (Sqlite, "BIGINT", "INT", &[]),
            (Sqlite, "TEXT", "VARCHAR(3)", &[]),
            (Sqlite, "REAL", "INTEGER", &[Digits]),
            (Sqlite, "INTEGER", "TEXT", &[]),
        ];
        for (dialect, from, to, wanted) in table {
            assert_eq!(
                lost(*dialect, from, to),
                *wanted,
                "{dialect:?}: {from} to {to}"
            );
        }
    }
}
