//! What the functions of a generated column make of their arguments, where they have a value for all of them.

use super::super::Dialect;
use super::shape::{Shape, Why};

/// The call of a function.
pub(super) struct Call<'c> {
    pub dialect: Dialect,
    /// In lower case.
    pub name: &'c str,
    pub arguments: &'c [Shape],
    /// Those that are one word or literal, as written.
    pub written: &'c [Option<&'c str>],
}

impl Call<'_> {
    fn written(&self, at: usize) -> Option<&str> {
        self.written.get(at).copied().flatten()
    }

    pub fn shape(&self) -> Result<Shape, Why> {
        let literal = |at: usize| self.written(at)?.parse::<u32>().ok();
        let literal_length = |at: usize| {
            let written = self.written(at).filter(|text| text.starts_with('\''));
            written.map(|text| text.chars().count())
        };
        let first = self.arguments.first().cloned().unwrap_or(Shape::Null);
        let text = |shape: &Shape| shape.length();
        let all = |shapes: &[Shape]| shapes.iter().cloned().fold(Shape::Null, Shape::or);
        Ok(match self.name {
            "lower" | "upper" | "lcase" | "ucase" | "initcap" | "trim" | "btrim" | "ltrim"
            | "rtrim" | "reverse" | "split_part" | "substring_index" | "unaccent" => {
                Shape::Text(text(&first))
            }
            "left" | "right" => Shape::Text(shorter(literal(1), text(&first))),
            "substr" | "substring" | "mid" => Shape::Text(shorter(literal(2), text(&first))),
            "lpad" | "rpad" if literal(1).is_some() => Shape::Text(literal(1)),
            "replace"
                if literal_length(1)
                    .zip(literal_length(2))
                    .is_some_and(|(from, to)| to <= from) =>
            {
                Shape::Text(text(&first))
            }
            "replace" | "regexp_replace" | "translate" | "encode" | "quote_literal" => {
                Shape::Text(None)
            }
            "coalesce" | "ifnull" | "greatest" | "least" => all(self.arguments),
            "nullif" => first,
            "if" => all(self.arguments.get(1..).unwrap_or_default()),
            "concat" => Shape::Text(
                self.arguments
                    .iter()
                    .try_fold(0_u32, |sum, shape| Some(sum.saturating_add(text(shape)?))),
            ),
            "concat_ws" => {
                let count = u32::try_from(self.arguments.len())
                    .unwrap_or(u32::MAX)
                    .saturating_sub(2);
                let between = text(&first).map(|one| one.saturating_mul(count));
                let rest = self.arguments.iter().skip(1);
                let rest = rest
                    .into_iter()
                    .try_fold(0_u32, |sum, shape| Some(sum.saturating_add(text(shape)?)));
                Shape::Text(between.zip(rest).map(|(a, b)| a.saturating_add(b)))
            }
            "md5" => Shape::Text(Some(32)),
            "sha" | "sha1" => Shape::Text(Some(40)),
            "sha2" => Shape::Text(Some(128)),
            "jsonb_typeof" | "json_typeof" => Shape::Text(Some(10)),
            "jsonb_extract_path_text" | "json_extract_path_text" => Shape::Text(None),
            "length" | "char_length" | "character_length" | "octet_length" | "bit_length"
            | "strpos" | "position" | "instr" | "locate" | "ascii" | "cardinality"
            | "num_nulls" | "num_nonnulls" | "sign" => Shape::signed(4),
            "crc32" => Shape::signed(8),
            "year" | "month" | "day" | "dayofmonth" | "dayofweek" | "dayofyear" | "weekday"
            | "quarter" | "week" | "hour" | "minute" | "second" | "datediff" | "to_days"
                if self.dialect == Dialect::Mysql && is_time(&first) =>
            {
                Shape::signed(4)
            }
            "date" if is_time(&first) => Shape::Of("date".to_owned()),
            "date_trunc" => Shape::Any,
            "date_part" => part_of_time(self.written(0).unwrap_or_default().trim_matches('\'')),
            "round" | "floor" | "ceil" | "ceiling" | "trunc" => match first {
                Shape::Decimal(digits) => {
                    Shape::Decimal(digits.map(|(before, behind)| (before + 1, behind)))
                }
                Shape::Unknown(name) => {
                    return Err(format!(
                        "calculates with `{name}`, whose type is in no earlier migration"
                    ));
                }
                other => other,
            },
            "abs" if !matches!(first, Shape::Whole { .. } | Shape::Unknown(_)) => first,
            "to_tsvector" | "setweight" | "strip" | "array_to_tsvector" => {
                Shape::Of("tsvector".to_owned())
            }
            "any" | "all" | "array" | "sha256" | "sha512" | "sha224" | "sha384" | "point"
            | "ltree" | "isfinite" => Shape::Any,
            // What of these refuses a value is a geometry that is none already.
            postgis if postgis.starts_with("st_") => Shape::Any,
            _ => {
                return Err(format!(
                    "calls `{}`, of which it is not known that it never fails",
                    self.name
                ));
            }
        })
    }
}

fn shorter(one: Option<u32>, other: Option<u32>) -> Option<u32> {
    one.zip(other).map(|(a, b)| a.min(b)).or(one).or(other)
}

/// `EXTRACT(year FROM a)`
pub(super) fn part_of_time(part: &str) -> Shape {
    const SMALL: &[&str] = &[
        "century", "day", "decade", "dow", "doy", "hour", "isodow", "isoyear", "minute", "month",
        "quarter", "week", "year",
    ];
    match SMALL.iter().any(|small| part.eq_ignore_ascii_case(small)) {
        true => Shape::signed(4),
        false => Shape::Decimal(None),
    }
}

fn is_time(shape: &Shape) -> bool {
    matches!(shape, Shape::Of(name) if ["date", "datetime", "timestamp", "time"].iter().any(|typ| name.starts_with(typ)))
}
