//! What values of a type can be, as far as it decides whether they fit into another one.

use super::super::Dialect;

/// Why an expression may have no value; completes "whose expression …".
pub(crate) type Why = String;

/// What a value can be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Shape {
    /// As many characters; `None` where there is no bound.
    Text(Option<u32>),
    /// An integer of as many bytes.
    Whole {
        bytes: u8,
        is_unsigned: bool,
    },
    /// As many digits before and behind the point; `None` where there is no bound.
    Decimal(Option<(u32, u32)>),
    /// A floating number of as many bytes.
    Float(u8),
    /// Of another type, by its name.
    Of(String),
    /// Of a type that fits wherever the database lets it stand.
    Any,
    /// Of a column about which no file says anything.
    Unknown(String),
    Null,
}

pub(super) const BOOLEAN: &str = "boolean";

impl Shape {
    pub const fn signed(bytes: u8) -> Self {
        Shape::Whole {
            bytes,
            is_unsigned: false,
        }
    }

    pub fn boolean() -> Self {
        Shape::Of(BOOLEAN.to_owned())
    }

    /// Of a type as it is written.
    pub fn of_type(dialect: Dialect, kind: &str) -> Self {
        let lower = kind.to_ascii_lowercase();
        let (name, rest) = lower.split_once('(').unwrap_or((&lower, ""));
        let sizes: Vec<u32> = rest
            .split(')')
            .next()
            .unwrap_or_default()
            .split(',')
            .filter_map(|size| size.trim().parse().ok())
            .collect();
        let size = sizes.first().copied();
        let words: Vec<&str> = name.split_whitespace().collect();
        let is_unsigned = lower.contains("unsigned") || lower.contains("zerofill");
        let whole = |bytes| Shape::Whole { bytes, is_unsigned };
        if lower.ends_with(']') || words.contains(&"array") {
            return Shape::Of(lower);
        }
        match (words.first().copied().unwrap_or_default(), dialect) {
            ("varchar" | "nvarchar" | "varchar2", _) => Shape::Text(size),
            ("character" | "national" | "char" | "nchar", _)
                if words.contains(&"varying") || words.contains(&"varchar") =>
            {
                Shape::Text(size)
            }
            ("char" | "character" | "nchar" | "national", _) => {
                Shape::Text(Some(size.unwrap_or(1)))
            }
            ("text", Dialect::Mysql) => Shape::Text(Some(65_535)),
            ("tinytext", _) => Shape::Text(Some(255)),
            ("mediumtext", _) => Shape::Text(Some(16_777_215)),
            ("longtext", _) => Shape::Text(Some(u32::MAX)),
            ("text" | "citext" | "name", _) => Shape::Text(None),
            ("tinyint" | "bool" | "boolean", Dialect::Mysql) => whole(1),
            ("smallint" | "int2" | "smallserial", _) => whole(2),
            ("mediumint", _) => whole(3),
            ("int" | "integer" | "int4" | "serial", _) => whole(4),
            ("bigint" | "int8" | "bigserial", _) => whole(8),
            ("numeric" | "decimal" | "dec" | "fixed", _) => match (size, dialect) {
                (Some(digits), _) => {
                    let scale = sizes.get(1).copied().unwrap_or(0);
                    Shape::Decimal(Some((digits.saturating_sub(scale), scale)))
                }
                (None, Dialect::Mysql) => Shape::Decimal(Some((10, 0))),
                (None, _) => Shape::Decimal(None),
            },
            ("real", Dialect::Postgres) | ("float4", _) | ("float", Dialect::Mysql) => {
                Shape::Float(4)
            }
            ("float" | "double" | "float8" | "real", _) => Shape::Float(8),
            ("bool", _) => Shape::boolean(),
            _ => Shape::Of(lower.split_whitespace().collect::<Vec<_>>().join(" ")),
        }
    }

    /// Digits before and behind the point.
    pub fn digits(&self) -> Option<(u32, u32)> {
        match self {
            Shape::Whole { bytes, .. } => Some((
                match bytes {
                    1 => 3,
                    2 => 5,
                    3 => 8,
                    4 => 10,
                    _ => 20,
                },
                0,
            )),
            Shape::Decimal(digits) => *digits,
            _ => None,
        }
    }

    /// How long it is as a text; `None` where there is no bound.
    pub fn length(&self) -> Option<u32> {
        match self {
            Shape::Text(length) => *length,
            Shape::Whole { .. } => self.digits().map(|(before, _)| before + 1),
            Shape::Decimal(Some((before, behind))) => Some(before + behind + 2),
            Shape::Of(name) if name == BOOLEAN => Some(5),
            Shape::Of(name) if name == "uuid" => Some(36),
            Shape::Of(name) if name == "date" => Some(20),
            Shape::Null => Some(0),
            _ => None,
        }
    }

    /// One of these.
    pub fn or(self, other: Self) -> Self {
        match (self, other) {
            (Shape::Null, other) | (other, Shape::Null) => other,
            (one, other) if one == other => one,
            (Shape::Unknown(name), _) | (_, Shape::Unknown(name)) => Shape::Unknown(name),
            (Shape::Text(one), Shape::Text(other)) => {
                Shape::Text(one.zip(other).map(|(a, b)| a.max(b)))
            }
            (one @ Shape::Text(_), other) | (other, one @ Shape::Text(_)) => {
                Shape::Text(one.length().zip(other.length()).map(|(a, b)| a.max(b)))
            }
            (
                Shape::Whole { bytes, is_unsigned },
                Shape::Whole {
                    bytes: more,
                    is_unsigned: also,
                },
            ) => match is_unsigned == also {
                true => Shape::Whole {
                    bytes: bytes.max(more),
                    is_unsigned,
                },
                false => Shape::Decimal(Some((20, 0))),
            },
            (Shape::Float(one), Shape::Float(other)) => Shape::Float(one.max(other)),
            (Shape::Float(_), _) | (_, Shape::Float(_)) => Shape::Float(8),
            (one, other) if one.is_number() && other.is_number() => Shape::Decimal(
                one.digits()
                    .zip(other.digits())
                    .map(|((before, behind), (more, also))| (before.max(more), behind.max(also))),
            ),
            _ => Shape::Any,
        }
    }

    pub const fn is_number(&self) -> bool {
        matches!(
            self,
            Shape::Whole { .. } | Shape::Decimal(_) | Shape::Float(_)
        )
    }

    /// Whether every such value fits into a column of this type.
    pub fn fits(&self, target: &Self, dialect: Dialect) -> bool {
        let is_lenient = |target: &Self| match (target, dialect) {
            // PostgreSQL assigns only what always fits into any other type.
            (Shape::Of(name), Dialect::Postgres) => {
                const PLAIN: &[&str] = &[
                    "boolean",
                    "bytea",
                    "date",
                    "geography",
                    "geometry",
                    "inet",
                    "interval",
                    "json",
                    "jsonb",
                    "ltree",
                    "point",
                    "time",
                    "timestamp",
                    "timestamptz",
                    "timetz",
                    "tsquery",
                    "tsvector",
                    "uuid",
                    "xml",
                ];
                let first = name.split([' ', '(']).next().unwrap_or_default();
                PLAIN.contains(&first)
                    || name.ends_with("[]") && PLAIN.contains(&first.trim_end_matches("[]"))
            }
            _ => false,
        };
        match (self, target) {
            (Shape::Null, _) | (_, Shape::Text(None)) => true,
            (one, other) if one == other => true,
            // What takes whatever another column commonly holds.
            (Shape::Unknown(_) | Shape::Any | Shape::Text(None), Shape::Text(Some(length)))
                if dialect == Dialect::Mysql =>
            {
                *length >= 65_535
            }
            (one, Shape::Text(Some(length))) => one.length().is_some_and(|one| one <= *length),
            (
                Shape::Whole { bytes, is_unsigned },
                Shape::Whole {
                    bytes: target,
                    is_unsigned: into,
                },
            ) => match (is_unsigned, into) {
                (false, true) => false,
                (true, false) => bytes < target,
                _ => bytes <= target,
            },
            // The number of a truth.
            (Shape::Of(name), Shape::Whole { .. }) => name == BOOLEAN && dialect == Dialect::Mysql,
            (one, Shape::Decimal(None)) => one.is_number(),
            (Shape::Whole { .. } | Shape::Decimal(_), Shape::Decimal(Some((before, behind)))) => {
                // What is rounded may get one digit more.
                let digits = self.digits();
                digits.is_some_and(|(one, more)| one + u32::from(more > *behind) <= *before)
            }
            (Shape::Decimal(Some((before, _))), Shape::Whole { bytes, .. }) => {
                let most = match bytes {
                    1 => 1,
                    2 => 3,
                    3 => 5,
                    4 => 8,
                    _ => 17,
                };
                *before <= most
            }
            (Shape::Float(bytes), Shape::Float(target)) => bytes <= target,
            (Shape::Whole { .. } | Shape::Decimal(Some(_)), Shape::Float(_)) => true,
            (_, target) => is_lenient(target),
        }
    }
}
