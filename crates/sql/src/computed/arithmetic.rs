//! What becomes of numbers that are calculated with.

use super::super::Dialect;
use super::shape::{Shape, Why};

pub(super) struct Arithmetic {
    pub dialect: Dialect,
    /// The right operand, where it is a literal.
    pub divisor: Option<f64>,
}

impl Arithmetic {
    pub fn shape(&self, sign: &str, a: Shape, b: Shape) -> Result<Shape, Why> {
        for shape in [&a, &b] {
            if let Shape::Unknown(name) = shape {
                return Err(format!(
                    "calculates with `{name}`, whose type is in no earlier migration"
                ));
            }
        }
        let sign = sign.to_ascii_lowercase();
        if matches!(sign.as_str(), "/" | "%" | "div" | "mod") {
            return match self.divisor {
                Some(divisor) if divisor.abs() >= 1.0 => Ok(self.divided(&sign, a)),
                _ => Err(format!("divides (`{sign}`), which fails for 0")),
            };
        }
        match (&a, &b) {
            (Shape::Null, _) | (_, Shape::Null) => Ok(Shape::Null),
            (Shape::Float(one), Shape::Float(other)) => Ok(Shape::Float(*one.max(other))),
            (Shape::Float(_), other) | (other, Shape::Float(_)) if other.is_number() => {
                Ok(Shape::Float(8))
            }
            (
                Shape::Whole { bytes, is_unsigned },
                Shape::Whole {
                    bytes: more,
                    is_unsigned: also,
                },
            ) => {
                let is_wide = self.dialect == Dialect::Mysql
                    && (sign != "-" || !is_unsigned && !also)
                    && if sign == "*" {
                        *bytes <= 4 && *more <= 4 && !(*is_unsigned && *also)
                    } else {
                        *bytes < 8 && *more < 8
                    };
                match is_wide {
                    true => Ok(Shape::signed(8)),
                    false => Err(format!(
                        "calculates with integers (`{sign}`), which fails where the result is too large"
                    )),
                }
            }
            (one, other) if one.is_number() && other.is_number() => {
                Ok(Shape::Decimal(one.digits().zip(other.digits()).map(
                    |((before, behind), (more, also))| match sign.as_str() {
                        "*" => (before + more, behind + also),
                        _ => (before.max(more) + 1, behind.max(also)),
                    },
                )))
            }
            (Shape::Of(one), Shape::Of(other))
                if one == "date" && other == "date" && sign == "-" =>
            {
                Ok(Shape::signed(4))
            }
            _ => Ok(Shape::Any),
        }
    }

    /// By something that makes nothing larger.
    fn divided(&self, sign: &str, number: Shape) -> Shape {
        match (sign, self.dialect, number) {
            ("/", Dialect::Mysql, number) if !matches!(number, Shape::Float(_)) => {
                let digits = number.digits();
                Shape::Decimal(digits.map(|(before, behind)| (before, behind + 4)))
            }
            ("/", _, Shape::Decimal(_)) => Shape::Decimal(None),
            (_, _, number) => number,
        }
    }
}
